package route

import (
	"errors"
	"net/netip"
	"strconv"
	"strings"

	"golang.org/x/net/idna"
)

// ErrHost says that a Host cannot be understood. It is answered 400.
var ErrHost = errors.New("invalid host")

const (
	longestHost  = 253 // RFC 1035 section 2.3.4, without the trailing dot
	longestLabel = 63
)

// Host splits an authority ("Shop.Example.ORG.:8443") into the normal form of
// its host ("shop.example.org") and its port ("8443", "" without one). The normal
// form is lower case, punycode (RFC 5891), without trailing dot; an IPv6 address
// is in brackets and in the form of RFC 5952. Nothing is allocated for a host
// that is normal already. The only error is ErrHost.
func Host(authority string) (host, port string, err error) {
	if strings.HasPrefix(authority, "[") {
		return hostIPv6(authority)
	}
	host = authority
	if i := strings.IndexByte(authority, ':'); i >= 0 {
		host, port = authority[:i], authority[i+1:]
		if !validPort(port) {
			return "", "", ErrHost
		}
	}
	host = strings.TrimSuffix(host, ".")

	upper, foreign := false, false
	for i := 0; i < len(host); i++ {
		switch c := host[i]; {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '.', c == '_':
		case c == '-':
			foreign = foreign || isPunycode(host, i)
		case 'A' <= c && c <= 'Z':
			upper = true
		case c >= 0x80:
			foreign = true
		default:
			return "", "", ErrHost
		}
	}
	if foreign {
		if host, err = international.ToASCII(host); err != nil {
			return "", "", ErrHost
		}
		host = strings.TrimSuffix(host, ".") // the full stop has more than one form
	} else if upper {
		host = strings.ToLower(host)
	}
	if !validName(host) {
		return "", "", ErrHost
	}
	return host, port, nil
}

// isPunycode reports whether the first hyphen of "xn--" is at i.
func isPunycode(host string, i int) bool {
	return i >= 2 && i+1 < len(host) && host[i+1] == '-' && host[i-1]|0x20 == 'n' && host[i-2]|0x20 == 'x' &&
		(i == 2 || host[i-3] == '.')
}

// international maps as browsers do (UTS 46, not transitional), but allows "_",
// which internal names have.
var international = idna.New(idna.MapForLookup(), idna.Transitional(false), idna.StrictDomainName(false), idna.BidiRule())

// validName is the last word: idna lets through what we would not.
func validName(host string) bool {
	if len(host) == 0 || len(host) > longestHost {
		return false
	}
	label := 0
	for i := 0; i < len(host); i++ {
		switch c := host[i]; {
		case c == '.':
			if label == 0 {
				return false
			}
			label = 0
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '_':
			if label++; label > longestLabel {
				return false
			}
		default:
			return false
		}
	}
	return label > 0
}

// validPort accepts "" too: "host:" is a valid authority (RFC 3986 section 3.2.3).
func validPort(port string) bool {
	if port == "" {
		return true
	}
	for i := 0; i < len(port); i++ {
		if port[i] < '0' || port[i] > '9' {
			return false
		}
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0
}

func hostIPv6(authority string) (host, port string, err error) {
	end := strings.IndexByte(authority, ']')
	if end < 0 {
		return "", "", ErrHost
	}
	if rest := authority[end+1:]; rest != "" {
		if rest[0] != ':' || !validPort(rest[1:]) {
			return "", "", ErrHost
		}
		port = rest[1:]
	}
	addr, err := netip.ParseAddr(authority[1:end])
	if err != nil || !addr.Is6() || addr.Zone() != "" {
		return "", "", ErrHost
	}
	return "[" + addr.String() + "]", port, nil
}
