package h1

import (
	"net/textproto"
	"strings"
)

// What a byte is within a field name (RFC 9110 section 5.6.2).
const (
	notToken = iota
	tokenOther
	tokenLower
	tokenUpper
)

var tokenKind = func() (kind [256]uint8) {
	for _, b := range []byte("!#$%&'*+-.^_`|~0123456789") {
		kind[b] = tokenOther
	}
	for b := 'a'; b <= 'z'; b++ {
		kind[b] = tokenLower
		kind[b-'a'+'A'] = tokenUpper
	}
	return kind
}()

// inspectName says whether name is a token, and whether it is in the form of
// http.CanonicalHeaderKey.
func inspectName[S string | []byte](name S) (valid, canonical bool) {
	canonical = true
	upper := true
	for i := 0; i < len(name); i++ {
		b := name[i]
		switch tokenKind[b] {
		case notToken:
			return false, false
		case tokenLower:
			canonical = canonical && !upper
		case tokenUpper:
			canonical = canonical && upper
		}
		upper = b == '-'
	}
	return len(name) > 0, canonical
}

// canonicalName is the canonical form of name, which is a token but not in that
// form. Names that servers are known to send in lower case cost no allocation.
func canonicalName(name string) string {
	var lower [32]byte
	if len(name) <= len(lower) {
		for i := range len(name) {
			b := name[i]
			if tokenKind[b] == tokenUpper {
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

// hasToken reports whether the comma-separated list holds token, in any case.
// token must be lower case.
func hasToken(list, token string) bool {
	for len(list) > 0 {
		item := list
		if i := strings.IndexByte(list, ','); i >= 0 {
			item, list = list[:i], list[i+1:]
		} else {
			list = ""
		}
		if strings.EqualFold(strings.Trim(item, " \t"), token) {
			return true
		}
	}
	return false
}
