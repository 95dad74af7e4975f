// Package forwarded finds out who a visitor is when proxies stand between them
// and us: it reads X-Forwarded-For and its like, and Forwarded (RFC 7239), from
// the near end, as far as the proxies are trusted.
package forwarded

import (
	"net/http"
	"net/netip"
	"strings"

	"github.com/evergate/evergate/internal/config"
	"github.com/evergate/evergate/internal/httpfield"
)

// Visitor is what is believed of a visitor.
type Visitor struct {
	Addr  netip.Addr
	Chain string // for X-Forwarded-For: the visitor, then every proxy; "" if there was no trusted proxy
	Proto string // "http" or "https" by a trusted proxy's word, else ""
	Host  string // host and port by a trusted proxy's word, else ""
}

// Trust is the set of networks whose word is believed. It is immutable.
type Trust struct{ networks []config.Prefix }

// NewTrust returns the trust in networks.
func NewTrust(networks []config.Prefix) Trust { return Trust{networks} }

// Has reports whether a is trusted.
func (t Trust) Has(a netip.Addr) bool {
	for _, n := range t.networks {
		if n.Contains(a) {
			return true
		}
	}
	return false
}

// Read says who stands behind peer, which is trusted. X-Forwarded-For goes before
// Forwarded where both are there. What cannot be read ends the walk: the visitor
// is then the last address that was believed. Of Proto and Host the value of the
// nearest proxy counts, because a visitor may have begun the list.
func (t Trust) Read(h http.Header, peer netip.Addr) Visitor {
	v := Visitor{Addr: peer}
	chain := []netip.Addr{peer} // from the near end
	elements := parse(h["Forwarded"])
	step := func(node string) bool {
		a, ok := parseNode(node)
		if !ok {
			return false
		}
		v.Addr = a
		chain = append(chain, a)
		return t.Has(a)
	}
	if lines := h["X-Forwarded-For"]; len(lines) > 0 {
		backwards(lines, step)
	} else {
		for i := len(elements) - 1; i >= 0 && step(elements[i].For); i-- {
		}
	}
	if len(chain) == 1 {
		v.Chain = peer.String()
	} else {
		var b strings.Builder
		for i := len(chain) - 1; i >= 0; i-- {
			b.WriteString(chain[i].String())
			if i > 0 {
				b.WriteString(", ")
			}
		}
		v.Chain = b.String()
	}

	v.Proto, v.Host = last(h["X-Forwarded-Proto"]), last(h["X-Forwarded-Host"])
	if n := len(elements); n > 0 {
		if v.Proto == "" {
			v.Proto = elements[n-1].Proto
		}
		if v.Host == "" {
			v.Host = elements[n-1].Host
		}
	}
	switch v.Proto = strings.ToLower(v.Proto); v.Proto {
	case "http", "https":
	case "ws":
		v.Proto = "http"
	case "wss":
		v.Proto = "https"
	default:
		v.Proto = ""
	}
	return v
}

// last is the last item of comma-separated lines.
func last(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	line := lines[len(lines)-1]
	return strings.Trim(line[strings.LastIndexByte(line, ',')+1:], " \t")
}

// backwards calls f with the items of comma-separated lines, last first, while f
// returns true.
func backwards(lines []string, f func(string) bool) {
	for i := len(lines) - 1; i >= 0; i-- {
		for line := lines[i]; ; {
			comma := strings.LastIndexByte(line, ',')
			if item := strings.Trim(line[comma+1:], " \t"); item != "" && !f(item) {
				return
			}
			if comma < 0 {
				break
			}
			line = line[:comma]
		}
	}
}

// parseNode reads an address, with or without port, IPv6 with or without
// brackets. Names ("unknown", "_hidden") and zones are not addresses. An IPv4
// address in IPv6 form is returned as IPv4.
func parseNode(s string) (netip.Addr, bool) {
	if inside, ok := strings.CutPrefix(s, "["); ok {
		var rest string
		if inside, rest, ok = strings.Cut(inside, "]"); !ok || rest != "" && !isPort(rest) {
			return netip.Addr{}, false
		}
		a, err := netip.ParseAddr(inside)
		if err != nil || !a.Is6() || a.Zone() != "" {
			return netip.Addr{}, false
		}
		return a.Unmap(), true
	}
	if i := strings.IndexByte(s, ':'); i >= 0 && strings.IndexByte(s[i+1:], ':') < 0 {
		if !isPort(s[i:]) {
			return netip.Addr{}, false
		}
		s = s[:i]
	}
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" {
		return netip.Addr{}, false
	}
	return a.Unmap(), true
}

// isPort reports whether s is ":" and a number, or the name that RFC 7239 section
// 6 lets stand for one.
func isPort(s string) bool {
	if len(s) < 2 || len(s) > 17 || s[0] != ':' {
		return false
	}
	for i := 1; i < len(s); i++ {
		c := s[i]
		if (c < '0' || c > '9') && (s[1] != '_' || !httpfield.IsTokenByte(c)) {
			return false
		}
	}
	return true
}
