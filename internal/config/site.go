package config

// Site is a set of host names with its routes.
type Site struct {
	// Host names; "*.example.org" is every name one label below; "*" is every other host.
	Hosts []string `yaml:"hosts" required:"true"`
	// Host names that moved here: answered 308 to the first of hosts, path and query kept.
	RedirectFrom []string `yaml:"redirect_from"`
	// What plain HTTP requests get when listen.https is set. redirect: 308 to https; serve: the site itself.
	HTTP string `yaml:"http" default:"redirect" enum:"redirect|serve"`
	// Strict-Transport-Security on https answers.
	HSTS HSTS `yaml:"hsts" short:"max_age"`
	// Answer everything with the maintenance page (503).
	Maintenance bool `yaml:"maintenance" default:"false"`
	// Text on the maintenance page.
	MaintenanceMessage string `yaml:"maintenance_message"`
	// Who may come.
	Access Access `yaml:"access"`
	// Compress answers with gzip or zstd.
	Compress Compress `yaml:"compress" short:"on"`
	// The pages of this site; keys not given are those of pages.
	Pages *Pages `yaml:"pages"`
	// Headers changed on requests and responses of every route, before the route's own.
	Headers Headers `yaml:"headers"`
	// The routes; the most specific path wins, then the one with more conditions, then the first.
	Routes []*Route `yaml:"routes" required:"true"`
}

// HSTS is RFC 6797.
type HSTS struct {
	// max-age. 0: no header.
	MaxAge Duration `yaml:"max_age" default:"0s"`
	// Also for all names below.
	Subdomains bool `yaml:"subdomains" default:"false"`
	// Ask for the browsers' built-in list.
	Preload bool `yaml:"preload" default:"false"`
}

// Access is a list of networks. Deny is asked first; a non-empty allow refuses everybody else.
type Access struct {
	// Networks that may come. Empty: everybody.
	Allow []Prefix `yaml:"allow"`
	// Networks that may not.
	Deny []Prefix `yaml:"deny"`
}

// Compress says what is compressed.
type Compress struct {
	// Turn it on.
	On bool `yaml:"on" default:"true"`
	// Smallest answer worth it.
	MinSize Size `yaml:"min_size" default:"1KiB"`
	// Content types compressed; "text/*" is every text.
	Types []string `yaml:"types" default:"[text/*, application/json, application/javascript, application/xml, application/problem+json, image/svg+xml]"`
}

// Headers are changes to header fields: remove first, then set, then add. Values are sent as they stand.
type Headers struct {
	// Changes on the way to the server.
	Request HeaderChange `yaml:"request"`
	// Changes on the way to the visitor.
	Response HeaderChange `yaml:"response"`
}

// HeaderChange is one direction.
type HeaderChange struct {
	// Replace all fields of the name.
	Set map[string]HeaderValue `yaml:"set"`
	// Add a field beside those there.
	Add map[string]HeaderValue `yaml:"add"`
	// Remove all fields of the name.
	Remove []string `yaml:"remove"`
}

// Route is a match with what happens then: exactly one of origin, respond and redirect.
type Route struct {
	// Name in logs and metrics. Empty: the path.
	Name string `yaml:"name"`
	// "/exact", "/prefix/*" (also matches "/prefix"), or "/*" for all.
	Path string `yaml:"path" required:"true"`
	// Methods. Empty: all.
	Methods []string `yaml:"methods"`
	// Header fields that must be there: name to value; "*" is any value.
	Match map[string]HeaderValue `yaml:"match"`

	// Name of the origin that answers.
	Origin string `yaml:"origin"`
	// A fixed answer.
	Respond *Respond `yaml:"respond"`
	// A redirect.
	Redirect *Redirect `yaml:"redirect"`

	// Take this prefix off the path before it goes to the server.
	StripPrefix string `yaml:"strip_prefix"`
	// Change the path that goes to the server, after strip_prefix.
	Rewrite *Rewrite `yaml:"rewrite"`
	// Header changes of this route.
	Headers Headers `yaml:"headers"`
	// Who may use this route, besides the site's access.
	Access Access `yaml:"access"`
	// Instead of the site's compress, as a whole.
	Compress *Compress `yaml:"compress" short:"on"`
	// Largest request body. 0: limits.body.size.
	BodySize Size `yaml:"body_size" default:"0"`
	// Read the request body whole (up to retry.replay.route_max) before a server is asked; protects slow backends.
	BufferRequest bool `yaml:"buffer_request" default:"false"`
	// Header names with "_" or "." that pass; others with them are dropped.
	AllowHeaders []string `yaml:"allow_headers"`
	// What an encoded slash (%2F) in the path is. reject: answer 400; keep: pass it as it is.
	EncodedSlash string `yaml:"encoded_slash" default:"reject" enum:"reject|keep"`
	// Overrides of the origin's retry; keys not given are the origin's.
	Retry *RetryOverride `yaml:"retry"`
	// Longest time without a byte in either direction of an upgraded connection (websocket).
	TunnelIdle Duration `yaml:"tunnel_idle" default:"10m" min:"1s"`
}

// Respond is a fixed answer.
type Respond struct {
	// Status code.
	Status int `yaml:"status" default:"200" min:"200" max:"599"`
	// Body, sent as it stands.
	Body string `yaml:"body"`
	// Content-Type of the body.
	ContentType string `yaml:"content_type" default:"text/plain; charset=utf-8"`
}

// Redirect sends the visitor elsewhere.
type Redirect struct {
	// Target: "https://host/path" or "/path". "{path}" and "{query}" stand for the visitor's own, encoded as sent ("{query}" brings its own "?").
	To string `yaml:"to" required:"true"`
	// Status code.
	Status int `yaml:"status" default:"308" min:"301" max:"308"`
}

// Rewrite changes a path that fits a regular expression.
type Rewrite struct {
	// Regular expression (RE2) on the whole normal path.
	Match string `yaml:"match" required:"true"`
	// New path; $1 is the first group. The result is brought to normal form again.
	To string `yaml:"to" required:"true"`
}
