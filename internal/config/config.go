// Package config is the one strict YAML file, evergate.yaml: documented
// structs, defaults, validation with line and path, and the reference and JSON
// schema generated from them.
//
// The doc comment of a field is its manual, the tag `default` its default (in
// the notation of the file), `min` and `max` its bounds (numbers, durations,
// sizes), `enum` the words it may be (separated by "|"), and `required:"true"`
// says that the key must be there. `path:"true"` is a path, counted from the
// folder of the file unless it is one of `words`. `short` names the one key that
// a plain value in place of a block stands for. The reader, the reference and
// the schema all work from these tags, so that they cannot disagree.
//
// A Secret, and a HeaderValue, is a text, {file: PATH} or {env: NAME}, and shows
// nowhere: what the reader and the checker say about one never repeats it, and
// Redacted is the whole file as operators may see it.
//
// Three steps make a Config: the YAML is parsed into nodes, which know their
// lines; the reader walks the nodes into the structs; the checker reads the files
// of secrets and holds the whole against the rules that no single key can tell.
// Every step notes all problems that it finds and goes on with what is left.
package config

// Config is the whole file. A loaded Config is immutable, has every default
// filled in, every relative path made absolute from the file's folder, and has
// been validated as a whole.
type Config struct {
	// This machine's Evergate process.
	Node Node `yaml:"node"`
	// The addresses on which Evergate listens.
	Listen Listen `yaml:"listen"`
	// Networks whose word about the visitor is believed (X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Host, X-Request-Id, Forwarded). Empty: nobody's.
	TrustedProxies []Prefix `yaml:"trusted_proxies"`
	// Certificates and what TLS offers.
	TLS TLS `yaml:"tls"`
	// Bounds on what a visitor may send and how slowly. The defaults are safe.
	Limits Limits `yaml:"limits"`
	// The server's own log and the access log.
	Log Log `yaml:"log"`
	// How long a stop waits for what is under way.
	Drain Drain `yaml:"drain"`
	// Where request bodies are kept until a retry can no longer need them; shared by all routes.
	Replay Replay `yaml:"replay"`
	// The pages that Evergate itself answers with.
	Pages Pages `yaml:"pages"`
	// Where settings, leases and certificates are kept.
	Store Store `yaml:"store"`
	// The admin listener: its certificate and its names.
	Admin Admin `yaml:"admin"`
	// Where the keys of Evergate come from, if not made by itself.
	Keys Keys `yaml:"keys"`
	// Commands from a chat. Not given: none.
	Chat *Chat `yaml:"chat"`
	// Named groups of servers that answer the same requests.
	Origins map[string]*Origin `yaml:"origins"`
	// The sites, each a set of host names with routes.
	Sites []*Site `yaml:"sites" required:"true"`

	// File is the path of the file that was read, Dir its folder. Not keys.
	File string `yaml:"-"`
	Dir  string `yaml:"-"`

	places  map[string]place  `yaml:"-"` // of each path that was given
	written map[string]string `yaml:"-"` // what the file says where it names environment variables
}

// Place is where in the file path stands ("origins.booking.servers[0]"), or the
// nearest block around it: line and column from 1, 0 if nothing is known.
func (c *Config) Place(path string) (line, column int) {
	for {
		if p, ok := c.places[path]; ok || path == "" {
			return p.line, p.column
		}
		path = parent(path)
	}
}

// Node is this process.
type Node struct {
	// Name of this node in logs and metrics. Empty: the machine's host name.
	Name string `yaml:"name"`
	// Folder for certificates, spilled request bodies and the admin socket. Made (0700) when missing.
	DataDir string `yaml:"data_dir" default:"./evergate-data" path:"true"`
}

// Listen holds the listening addresses.
type Listen struct {
	// Plain HTTP, "host:port" or ":port"; one or a list. With https set, sites are redirected to it; without, they are served here.
	HTTP StringList `yaml:"http"`
	// HTTPS for HTTP/1.1 and HTTP/2; one or a list.
	HTTPS StringList `yaml:"https"`
	// Also HTTP/3 over UDP on the https addresses, announced by Alt-Svc.
	HTTP3 bool `yaml:"http3" default:"false"`
	// Admin API, metrics and health for operators, "host:port". Where other machines reach it, admin.tls must be set. Empty: none; the socket in data_dir stays.
	Admin string `yaml:"admin" default:"127.0.0.1:8090"`
	// Serve /debug/pprof/ on the admin listener, to those with a token.
	Pprof bool `yaml:"pprof" default:"false"`
	// PROXY protocol (version 1 and 2) in front of the connection.
	ProxyProtocol ProxyProtocol `yaml:"proxy_protocol"`
}

// ProxyProtocol says who may send it.
type ProxyProtocol struct {
	// Networks that must send a PROXY header; from any other network a PROXY header is refused. Empty: off.
	From []Prefix `yaml:"from"`
	// How long to wait for the header.
	Timeout Duration `yaml:"timeout" default:"5s" min:"100ms"`
}

// TLS says where certificates come from. Order: files, then acme or local.
type TLS struct {
	// Certificates from an ACME authority, for every host name of a site that no file covers.
	ACME *ACME `yaml:"acme"`
	// Certificate files, read again when they change. The certificate whose names fit the visitor's is used.
	Files []CertFile `yaml:"files"`
	// Certificates made by an authority of this machine's own, kept in data_dir; for demos and tests.
	Local bool `yaml:"local" default:"false"`
	// Oldest version offered.
	MinVersion string `yaml:"min_version" default:"1.2" enum:"1.2|1.3"`
	// Client certificates asked from visitors on the https listeners.
	ClientCerts ClientCerts `yaml:"client_certs"`
}

// ACME is the authority to ask.
type ACME struct {
	// Address for the authority's warnings.
	Email string `yaml:"email"`
	// Directory of the authority. Empty: Let's Encrypt.
	Directory string `yaml:"directory"`
	// PEM file with roots to trust for the directory itself (a private authority).
	DirectoryCA string `yaml:"directory_ca" path:"true"`
	// The challenges that may be used.
	Challenges []string `yaml:"challenges" default:"[http-01, tls-alpn-01]" enum:"http-01|tls-alpn-01"`
	// Port on which http-01 is answered, if the public port 80 is mapped to another here. 0: that of listen.http.
	HTTPPort int `yaml:"http_port" default:"0" min:"0" max:"65535"`
	// Port on which tls-alpn-01 is answered, if the public port 443 is mapped to another here. 0: that of listen.https.
	TLSPort int `yaml:"tls_port" default:"0" min:"0" max:"65535"`
	// Share of a certificate's life that is left when it is renewed.
	RenewAt float64 `yaml:"renew_at" default:"0.33" min:"0.01" max:"0.99"`
}

// CertFile is a certificate with its key.
type CertFile struct {
	// PEM file with the certificate and its chain.
	Cert string `yaml:"cert" required:"true" path:"true"`
	// PEM file with the private key.
	Key string `yaml:"key" required:"true" path:"true"`
}

// ClientCerts says whether visitors show a certificate.
type ClientCerts struct {
	// off: not asked; request: asked, and checked when shown; require: no connection without a valid one.
	Mode string `yaml:"mode" default:"off" enum:"off|request|require"`
	// PEM file with the authorities that sign them.
	CA string `yaml:"ca" path:"true"`
}

// Limits bounds what visitors may do.
type Limits struct {
	// Size of the request line and header; more is answered 431. HTTP/1.1 gets 4 KiB on top; over HTTP/2, one field that is larger ends the connection.
	HeaderBytes Size `yaml:"header_bytes" default:"16KiB" min:"1KiB" max:"32KiB"`
	// Number of header fields; more is answered 431.
	HeaderFields int `yaml:"header_fields" default:"100" min:"10" max:"1000"`
	// Length of the request target; more is answered 414.
	TargetBytes Size `yaml:"target_bytes" default:"8KiB" min:"256" max:"32KiB"`
	// Time to send the whole header.
	HeaderTimeout Duration `yaml:"header_timeout" default:"10s" min:"100ms"`
	// Time a connection may wait for its next request.
	IdleTimeout Duration `yaml:"idle_timeout" default:"60s" min:"1s"`
	// The request body, as it comes in.
	Body BodyLimits `yaml:"body"`
	// The response, as it goes out.
	Response ResponseLimits `yaml:"response"`
	// Open connections in all; more wait in the kernel. 0: half of the files that the process may open (ulimit -n), as each may need a connection to a server.
	Connections int `yaml:"connections" default:"0" min:"0"`
	// Open connections of one IPv4 address or IPv6 /64; more are closed. 0: unlimited. Trusted proxies are exempt.
	ConnectionsPerIP int `yaml:"connections_per_ip" default:"512" min:"0"`
	// Networks without a limit per address.
	ConnectionsExempt []Prefix `yaml:"connections_exempt"`
	// Streams of one HTTP/2 connection.
	HTTP2Streams int `yaml:"http2_streams" default:"100" min:"1" max:"1000"`
	// Streams per second that an HTTP/2 visitor may reset before their answer; more and the connection is closed.
	HTTP2Resets int `yaml:"http2_resets" default:"200" min:"1"`
	// Memory of the process at which the ladder stands (92 %: no keep-alive; 95 %: 503). 0: the cgroup's limit, or none.
	Memory Size `yaml:"memory" default:"0"`
}

// BodyLimits bounds a request's body. A route may set its own size.
type BodyLimits struct {
	// Largest body; more is answered 413.
	Size Size `yaml:"size" default:"100MiB"`
	// Longest pause between two pieces.
	IdleTimeout Duration `yaml:"idle_timeout" default:"30s" min:"100ms"`
	// Slowest average rate per second, after grace; slower is answered 408.
	MinRate Size `yaml:"min_rate" default:"500"`
	// Time before min_rate counts.
	Grace Duration `yaml:"grace" default:"10s"`
}

// ResponseLimits bounds how slowly a visitor may read.
type ResponseLimits struct {
	// Longest time for which a visitor may take nothing.
	IdleTimeout Duration `yaml:"idle_timeout" default:"30s" min:"100ms"`
	// Slowest average rate per second while the visitor is what everything waits for.
	MinRate Size `yaml:"min_rate" default:"500"`
	// Time of such waiting before min_rate counts.
	Grace Duration `yaml:"grace" default:"10s"`
}

// Log configures the two logs.
type Log struct {
	// Least important messages shown.
	Level string `yaml:"level" default:"info" enum:"debug|info|warn|error"`
	// auto: text on a terminal, JSON otherwise.
	Format string `yaml:"format" default:"auto" enum:"auto|text|json"`
	// One JSON line per request.
	Access AccessLog `yaml:"access"`
}

// AccessLog is where requests are written.
type AccessLog struct {
	// File to append to; "stdout"; or "off". Reopened on SIGUSR1 and on reload, for logrotate.
	File string `yaml:"file" default:"stdout" path:"true" words:"stdout|off"`
	// Lines that may wait for the disk; when it is full, lines are dropped and counted.
	Buffer int `yaml:"buffer" default:"8192" min:"64" max:"1000000"`
	// Query parameters whose values are logged as "***", in the target and in the referer; "*" is all of them.
	RedactQuery []string `yaml:"redact_query" default:"[access_token, api_key, apikey, code, id_token, password, refresh_token, secret, sig, signature, token]"`
}

// Drain is how a stop proceeds on SIGTERM.
type Drain struct {
	// Readiness fails, but new connections are still accepted, so that balancers notice.
	AcceptGrace Duration `yaml:"accept_grace" default:"5s"`
	// Then requests under way may end within this time.
	Timeout Duration `yaml:"timeout" default:"30s"`
}

// Replay is where bodies are kept for retries.
type Replay struct {
	// Memory for kept bodies, over all requests.
	GlobalMemory Size `yaml:"global_memory" default:"128MiB"`
	// Disk for kept bodies, over all requests.
	DiskQuota Size `yaml:"disk_quota" default:"2GiB"`
	// Folder of the spill files. Empty: "spill" in data_dir.
	SpillDir string `yaml:"spill_dir" path:"true"`
}

// Pages are the answers that Evergate makes itself.
type Pages struct {
	// HTML template for errors and maintenance; its fields are in the guide. Empty: the built-in one.
	Template string `yaml:"template" path:"true"`
}
