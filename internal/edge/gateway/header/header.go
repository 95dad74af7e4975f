// Package header holds the rules about single header fields at the door: which
// belong to one connection, which only we may say, which names servers would
// mistake for others; and the changes that a configuration asks for.
//
// Names are in canonical form (net/textproto), as net/http gives them.
package header

import (
	"net/http"
	"strings"

	"github.com/evergate/evergate/internal/httpfield"
)

// HopByHop removes from h the fields that are about the visitor's connection: the
// known ones and all that Connection names, in any letter case and on any line
// (RFC 9110 section 7.6.1). "Te: trailers" stays. It returns the protocol that
// the visitor wants to change to, "" for none.
func HopByHop(h http.Header) (upgrade string) {
	if lines, ok := h["Connection"]; ok {
		wanted := false
		for _, line := range lines {
			for line != "" {
				var token string
				token, line = httpfield.NextToken(line)
				switch {
				case token == "", httpfield.EqualFold(token, "keep-alive"), httpfield.EqualFold(token, "close"):
				case httpfield.EqualFold(token, "upgrade"):
					wanted = true
				case httpfield.EqualFold(token, "te"): // judged below
				default:
					delete(h, http.CanonicalHeaderKey(token))
				}
			}
		}
		if u := h["Upgrade"]; wanted && len(u) == 1 {
			upgrade = strings.Trim(u[0], " \t")
		}
	}
	httpfield.DeleteHopByHop(h)
	delete(h, "Http2-Settings") // of an upgrade to h2c, which RFC 9113 has done away with
	return upgrade
}

// IsOdd reports whether a name has "_" or ".": CGI, PHP and WSGI take them for
// "-", so that such a name is another one's double (guide, section 7 item 6).
func IsOdd(name string) bool {
	for i := range len(name) {
		if c := name[i]; c == '_' || c == '.' {
			return true
		}
	}
	return false
}

// MayAllow reports whether a route may let an odd name pass: not the doubles of
// fields that frame a message or say who the visitor is.
func MayAllow(name string) bool {
	double := http.CanonicalHeaderKey(strings.NewReplacer("_", "-", ".", "-").Replace(name))
	switch double {
	case "Content-Length", "Host", "Expect", "X-Request-Id":
		return false
	}
	return !httpfield.IsHopByHop(double) && Claims(double) == Nothing
}

// Claim is what a field says that a visitor has no right to say.
type Claim uint8

// The claims.
const (
	Nothing Claim = iota
	OfProxy       // who and where the visitor is: believed from trusted proxies only
	OfOurs        // what only an Evergate says: believed from nobody
)

// Claims says what the field name claims. Servers trust these fields because a
// proxy sets them; a visitor's own copies never reach a server (guide, section 7
// item 7).
func Claims(name string) Claim {
	if name == "" {
		return Nothing
	}
	switch name[0] {
	case 'C':
		if name == "Client-Ip" || strings.HasPrefix(name, "Client-Cert") || name == "Cf-Connecting-Ip" { // RFC 9440
			return OfProxy
		}
	case 'E':
		if strings.HasPrefix(name, "Evergate-") {
			return OfOurs
		}
	case 'F':
		if name == "Forwarded" {
			return OfProxy
		}
	case 'R':
		switch name {
		case "Remote-User", "Remote-Groups", "Remote-Name", "Remote-Email":
			return OfProxy
		}
	case 'S':
		if strings.HasPrefix(name, "Ssl-Client-") {
			return OfProxy
		}
	case 'T':
		if name == "True-Client-Ip" {
			return OfProxy
		}
	case 'X':
		return claimsX(name)
	}
	return Nothing
}

// prefixesX and namesX are the claims that begin with "X-".
var (
	prefixesX = []string{"X-Forwarded-", "X-Ssl-Client-", "X-Client-Cert", "X-Tls-Client-", "X-Remote-", "X-Auth-Request-"}
	namesX    = []string{"X-Real-Ip", "X-Client-Ip", "X-Cluster-Client-Ip", "X-Ssl-Cert", "X-Arr-Clientcert",
		"X-Original-Url", "X-Rewrite-Url"} // the last two: some frameworks route by them, past what access rules saw
)

func claimsX(name string) Claim {
	if len(name) < 3 {
		return Nothing
	}
	switch name[2] { // most fields of real requests end here
	case 'F', 'S', 'C', 'T', 'R', 'A', 'O':
	default:
		return Nothing
	}
	for _, p := range prefixesX {
		if strings.HasPrefix(name, p) {
			return OfProxy
		}
	}
	for _, n := range namesX {
		if name == n {
			return OfProxy
		}
	}
	return Nothing
}

// InTrailer reports whether a visitor may send the field behind the body. Some
// servers merge trailers into the header, so what would be dropped there is
// dropped here (RFC 9110 section 6.5.1).
func InTrailer(name string) bool {
	return !IsOdd(name) && MayAllow(name) && name != "Authorization" && name != "Cookie"
}
