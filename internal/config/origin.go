package config

// Origin is a named group of servers that answer the same requests.
type Origin struct {
	// The servers: addresses, or blocks with more settings.
	Servers []*Server `yaml:"servers" required:"true" short:"url"`
	// How a server is chosen.
	Balance Balance `yaml:"balance" short:"policy"`
	// Keep a visitor on the same server by a cookie.
	Sticky *Sticky `yaml:"sticky"`
	// The Host that servers get. preserve: the visitor's; server: the server's own; anything else: that name.
	Host string `yaml:"host" default:"preserve"`
	// lean: Evergate's own HTTP/1.1 transport; std: Go's; h2: HTTP/2 over TLS; h2c: HTTP/2 without TLS (gRPC).
	Transport string `yaml:"transport" default:"lean" enum:"lean|std|h2|h2c"`
	// TLS towards https:// servers.
	TLS ServerTLS `yaml:"tls"`
	// Time to connect to a server, TLS included.
	DialTimeout Duration `yaml:"dial_timeout" default:"2s" min:"10ms"`
	// How often host names of servers are resolved again.
	ResolveInterval Duration `yaml:"resolve_interval" default:"10s" min:"100ms"`
	// Connections kept to each server.
	Pool Pool `yaml:"pool"`
	// How failing servers are found.
	Health Health `yaml:"health"`
	// Requests under way at once.
	MaxInFlight MaxInFlight `yaml:"max_in_flight" short:"origin"`
	// Where requests wait for a server or a free slot.
	Queue Queue `yaml:"queue"`
	// When a failed request is tried again.
	Retry Retry `yaml:"retry"`
	// Hold all requests in the queue.
	Paused bool `yaml:"paused" default:"false"`
	// Largest response header; more is answered 502.
	ResponseHeaderBytes Size `yaml:"response_header_bytes" default:"64KiB" min:"1KiB"`
	// Longest pause between two pieces of a response's body; a longer one cuts the answer and counts as the server's failure. 0: none.
	ResponseIdleTimeout Duration `yaml:"response_idle_timeout" default:"10m"`
	// Most response header fields; more is answered 502.
	ResponseHeaderFields int `yaml:"response_header_fields" default:"200" min:"10"`
}

// Server is one address of an origin. A plain string is its url.
type Server struct {
	// "http://host:port", "https://host:port" or "unix:/path/socket". A host name may resolve to several addresses; each is a server of its own.
	URL string `yaml:"url" required:"true"`
	// Share of the traffic beside the others.
	Weight int `yaml:"weight" default:"1" min:"1" max:"1000"`
	// Used only while no other server is eligible.
	Backup bool `yaml:"backup" default:"false"`
	// Requests under way at once. 0: the origin's max_in_flight.server.
	MaxInFlight int `yaml:"max_in_flight" default:"0" min:"0"`
	// up: in use; drain: no new requests; maint: none, and not checked.
	State string `yaml:"state" default:"up" enum:"up|drain|maint"`
}

// Balance chooses the server. A plain string is its policy.
type Balance struct {
	// least_requests takes the less busy of two drawn at random; round_robin goes by turns; hash keeps a key on its server.
	Policy string `yaml:"policy" default:"least_requests" enum:"least_requests|round_robin|hash"`
	// Key for hash: "client", "header:NAME" or "cookie:NAME". Requests without one go by least_requests.
	Key string `yaml:"key" default:"client"`
}

// Sticky is a cookie that names the server.
type Sticky struct {
	// Name of the cookie. Its value tells nothing about the server's address.
	Cookie string `yaml:"cookie" default:"evergate_server"`
	// How long. 0: until the browser closes.
	MaxAge Duration `yaml:"max_age" default:"0s"`
}

// ServerTLS is how https:// servers are checked and who we are to them.
type ServerTLS struct {
	// PEM file with the authorities to trust. Empty: the system's.
	CA string `yaml:"ca" path:"true"`
	// Name asked for and checked. Empty: the host of the server's url.
	SNI string `yaml:"sni"`
	// Client certificate shown to the servers.
	Cert string `yaml:"cert" path:"true"`
	// Its key.
	Key string `yaml:"key" path:"true"`
	// Trust any certificate. Only for tests.
	Insecure bool `yaml:"insecure" default:"false"`
}

// Pool keeps connections.
type Pool struct {
	// Open connections to one server. 0: unlimited.
	MaxOpen int `yaml:"max_open" default:"0" min:"0"`
	// Idle connections kept to one server.
	MaxIdle int `yaml:"max_idle" default:"200" min:"0"`
	// Time an idle connection is kept; shorter than the servers' own.
	IdleTimeout Duration `yaml:"idle_timeout" default:"55s"`
	// Age after which a connection is not used again.
	MaxAge Duration `yaml:"max_age" default:"10m"`
	// Idle time after which a connection is tested before use.
	ProbeAfter Duration `yaml:"probe_after" default:"1s"`
}

// Health says when a server is ejected and how it comes back.
type Health struct {
	// Checks made by Evergate itself. Not given: none.
	Active *ActiveHealth `yaml:"active"`
	// Failures in a row, of real requests, that eject a server.
	ConsecutiveFailures int `yaml:"consecutive_failures" default:"5" min:"1"`
	// Statuses that count as failures. Connect errors, resets, time-outs and malformed answers always count.
	FailStatuses []int `yaml:"fail_statuses" default:"[502, 503, 504]"`
	// How long an ejection lasts.
	Eject Eject `yaml:"eject"`
	// Time in which a server that came back grows from 10 % to its full share.
	SlowStart Duration `yaml:"slow_start" default:"10s"`
}

// ActiveHealth is a request that Evergate makes by itself.
type ActiveHealth struct {
	// Path and query asked for with GET.
	Path string `yaml:"path" default:"/"`
	// Port, if not the server's own. 0: the server's own.
	Port int `yaml:"port" default:"0" min:"0" max:"65535"`
	// Host of the check. Empty: as for traffic; the server's own where that is the visitor's.
	Host string `yaml:"host"`
	// Time between two checks, +-20 %.
	Interval Duration `yaml:"interval" default:"5s" min:"10ms"`
	// Longest time for one check.
	Timeout Duration `yaml:"timeout" default:"2s" min:"10ms"`
	// Passes in a row that bring a server back.
	Rise int `yaml:"rise" default:"2" min:"1"`
	// Failures in a row that take it out.
	Fall int `yaml:"fall" default:"3" min:"1"`
	// Statuses that pass. Empty: 200 to 399.
	Statuses []int `yaml:"statuses"`
}

// Eject is how long a server stays out.
type Eject struct {
	// First ejection; the next ones are this times their number.
	Base Duration `yaml:"base" default:"30s"`
	// Longest.
	Max Duration `yaml:"max" default:"300s"`
}

// MaxInFlight limits requests under way. A plain number is its origin.
type MaxInFlight struct {
	// For the whole origin, held through all attempts. 0: unlimited.
	Origin int `yaml:"origin" default:"0" min:"0"`
	// For each server, held through one attempt. 0: unlimited.
	Server int `yaml:"server" default:"0" min:"0"`
}

// Queue is where requests wait, first in first out.
type Queue struct {
	// Most requests waiting; more are answered 503.
	MaxRequests int `yaml:"max_requests" default:"1000" min:"0"`
	// Most bytes of bodies held by waiting requests.
	MaxBytes Size `yaml:"max_bytes" default:"64MiB"`
	// Longest wait; then 503 with Retry-After.
	Timeout Duration `yaml:"timeout" default:"30s"`
}

// Retry says when a failed request is tried again (docs/retries.md).
type Retry struct {
	// Attempts in all, the first included.
	Attempts int `yaml:"attempts" default:"3" min:"1" max:"10"`
	// Failures that are retried.
	On []string `yaml:"on" default:"[connect, reset, bad_response, timeout, status]" enum:"connect|reset|bad_response|timeout|status"`
	// Statuses that are retried.
	Statuses []int `yaml:"statuses" default:"[502, 503, 504]"`
	// accept: a request with Idempotency-Key may be repeated like a PUT.
	IdempotencyKey string `yaml:"idempotency_key" default:"ignore" enum:"ignore|accept"`
	// All requests may be repeated like a PUT: the application says so.
	Idempotent bool `yaml:"idempotent" default:"false"`
	// Repeat plain POST and the like also after: partial (part was sent), no_response (all was sent), status. Dangerous: may apply a request twice.
	NonIdempotent []string `yaml:"non_idempotent" enum:"partial|no_response|status"`
	// Time for all attempts together.
	Timeout Duration `yaml:"timeout" default:"60s" min:"1ms"`
	// Time for one attempt, to the response's head. 0: what is left.
	TryTimeout Duration `yaml:"try_timeout" default:"0s"`
	// With less time left, no further attempt is made.
	MinTry Duration `yaml:"min_try" default:"250ms"`
	// Wait before the same server is asked again.
	Backoff Backoff `yaml:"backoff"`
	// Bound on the extra load that retries make.
	Budget Budget `yaml:"budget"`
	// Bodies kept so that they can be sent again.
	Replay RetryReplay `yaml:"replay"`
	// Part of a failed response that is read while another server is tried.
	HoldResponse Size `yaml:"hold_response" default:"64KiB"`
	// Answers of known length up to this are read whole before their first byte goes out, so that one cut short can be retried.
	HoldBody Size `yaml:"hold_body" default:"0"`
	// Add an Idempotency-Key to requests without one, the same on all attempts. It makes nothing repeatable that was not.
	GenerateKey bool `yaml:"generate_key" default:"false"`
	// Response header by which the application says that it did nothing with the request.
	NotProcessedHeader string `yaml:"not_processed_header" default:"Evergate-Not-Processed"`
	// Only count and log what would have been retried.
	DryRun bool `yaml:"dry_run" default:"false"`
}

// Backoff grows by doubling from base to max, with full jitter.
type Backoff struct {
	// First.
	Base Duration `yaml:"base" default:"25ms"`
	// Longest.
	Max Duration `yaml:"max" default:"250ms"`
}

// Budget bounds retries of one origin.
type Budget struct {
	// Retries under way, in percent of the requests under way.
	Percent int `yaml:"percent" default:"20" min:"0" max:"100"`
	// Retries under way that are always allowed.
	Min int `yaml:"min" default:"3" min:"0"`
	// Retries per second that refill the bucket.
	Rate float64 `yaml:"rate" default:"10" min:"0"`
	// Size of the bucket. Retries are allowed within percent or min, and while the bucket has one.
	Burst int `yaml:"burst" default:"20" min:"0"`
}

// RetryReplay bounds one request's kept body.
type RetryReplay struct {
	// In memory.
	Memory Size `yaml:"memory" default:"64KiB"`
	// In all, with the disk.
	RouteMax Size `yaml:"route_max" default:"16MiB"`
}

// RetryOverride is a route's own retry settings; keys not given are the origin's.
// The budget is the origin's alone: it bounds what all its routes may add.
type RetryOverride struct {
	// See origins.NAME.retry.attempts.
	Attempts *int `yaml:"attempts" min:"1" max:"10"`
	// See origins.NAME.retry.on.
	On *[]string `yaml:"on" enum:"connect|reset|bad_response|timeout|status"`
	// See origins.NAME.retry.statuses.
	Statuses *[]int `yaml:"statuses"`
	// See origins.NAME.retry.idempotency_key.
	IdempotencyKey *string `yaml:"idempotency_key" enum:"ignore|accept"`
	// See origins.NAME.retry.idempotent.
	Idempotent *bool `yaml:"idempotent"`
	// See origins.NAME.retry.non_idempotent.
	NonIdempotent *[]string `yaml:"non_idempotent" enum:"partial|no_response|status"`
	// See origins.NAME.retry.timeout.
	Timeout *Duration `yaml:"timeout" min:"1ms"`
	// See origins.NAME.retry.try_timeout.
	TryTimeout *Duration `yaml:"try_timeout"`
	// See origins.NAME.retry.min_try.
	MinTry *Duration `yaml:"min_try"`
	// See origins.NAME.retry.backoff; keys not given are the origin's.
	Backoff *Backoff `yaml:"backoff"`
	// See origins.NAME.retry.hold_body.
	HoldBody *Size `yaml:"hold_body"`
	// See origins.NAME.retry.hold_response.
	HoldResponse *Size `yaml:"hold_response"`
	// See origins.NAME.retry.replay; keys not given are the origin's.
	Replay *RetryReplay `yaml:"replay"`
	// See origins.NAME.retry.generate_key.
	GenerateKey *bool `yaml:"generate_key"`
	// See origins.NAME.retry.not_processed_header.
	NotProcessedHeader *string `yaml:"not_processed_header"`
	// See origins.NAME.retry.dry_run.
	DryRun *bool `yaml:"dry_run"`
}
