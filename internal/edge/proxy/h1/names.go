package h1

import (
	"net/textproto"
	"strings"
)

// canonicalName is the canonical form of name, which is a token but not in that
// form. Names that servers are known to send in lower case cost no allocation.
func canonicalName(name string) string {
	var lower [32]byte
	if len(name) <= len(lower) {
		for i := range len(name) {
			b := name[i]
			if 'A' <= b && b <= 'Z' {
				b += 'a' - 'A'
			}
			lower[i] = b
		}
		if known, ok := knownNames[string(lower[:len(name)])]; ok {
			return known
		}
	}
	return textproto.CanonicalMIMEHeaderKey(name)
}

// knownNames maps lower case to canonical form.
var knownNames = func() map[string]string {
	names := make(map[string]string)
	for _, name := range []string{
		"Accept-Ranges", "Access-Control-Allow-Credentials", "Access-Control-Allow-Headers",
		"Access-Control-Allow-Methods", "Access-Control-Allow-Origin", "Access-Control-Expose-Headers",
		"Access-Control-Max-Age", "Age", "Allow", "Alt-Svc", "Cache-Control", "Connection",
		"Content-Disposition", "Content-Encoding", "Content-Language", "Content-Length", "Content-Location",
		"Content-Range", "Content-Security-Policy", "Content-Type", "Date", "Etag", "Expires", "Keep-Alive",
		"Last-Modified", "Link", "Location", "P3p", "Pragma", "Proxy-Authenticate", "Referrer-Policy",
		"Retry-After", "Sec-Websocket-Accept", "Sec-Websocket-Extensions", "Sec-Websocket-Protocol", "Server",
		"Server-Timing", "Set-Cookie", "Strict-Transport-Security", "Trailer", "Transfer-Encoding", "Upgrade",
		"Vary", "Via", "Www-Authenticate", "X-Cache", "X-Content-Type-Options", "X-Frame-Options",
		"X-Powered-By", "X-Request-Id", "X-Runtime", "X-Xss-Protection",
	} {
		names[strings.ToLower(name)] = name
	}
	return names
}()
