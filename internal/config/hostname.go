package config

import (
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"

	"golang.org/x/net/idna"
)

// international maps names as browsers do (UTS 46, not transitional), but allows
// "_", which internal names have. The gateway brings the Host of requests to the
// same form.
var international = idna.New(idna.MapForLookup(), idna.Transitional(false), idna.StrictDomainName(false), idna.BidiRule())

var label = regexp.MustCompile(`^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$`)

// hostName is s in the normal form that requests are compared with: lower case,
// punycode, no dot at the end; IPv6 addresses in brackets (RFC 5952).
func hostName(s string) (string, bool) {
	bare := s
	if inside, ok := strings.CutPrefix(s, "["); ok {
		if bare, ok = strings.CutSuffix(inside, "]"); !ok || !strings.Contains(bare, ":") {
			return "", false
		}
	}
	if a, err := netip.ParseAddr(bare); err == nil {
		if a.Zone() != "" {
			return "", false
		}
		if a.Is6() {
			return "[" + a.String() + "]", true
		}
		return a.String(), true
	}
	name := strings.ToLower(strings.TrimSuffix(bare, "."))
	if strings.Contains(name, "xn--") || strings.ContainsFunc(name, func(c rune) bool { return c >= 0x80 }) {
		ascii, err := international.ToASCII(name)
		if err != nil {
			return "", false
		}
		name = strings.TrimSuffix(ascii, ".") // the full stop has more than one form
	}
	if len(name) > 253 { // RFC 1035 section 2.3.4
		return "", false
	}
	for l := range strings.SplitSeq(name, ".") {
		if !label.MatchString(l) {
			return "", false
		}
	}
	return name, true
}

// isAddress reports whether a host name in normal form is an IP address.
func isAddress(name string) bool {
	_, err := netip.ParseAddr(strings.Trim(name, "[]"))
	return err == nil
}

// authority is a host name or address, with or without port, in normal form.
func authority(s string) (string, bool) {
	if host, ok := hostName(s); ok {
		return host, true
	}
	h, port, err := net.SplitHostPort(s)
	if err != nil || !validPort(port) {
		return "", false
	}
	host, ok := hostName(h)
	return host + ":" + port, ok
}

// validPort reports whether s is the number of a port, 1 to 65535.
func validPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0 && s[0] != '0'
}
