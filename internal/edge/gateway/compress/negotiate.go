package compress

import "strings"

// negotiate returns the coding that the lines of Accept-Encoding (RFC 9110
// section 12.5.3) like best; of two that they like the same, zstd, or gzip for a
// long stream of events, whose encoder then keeps no memory between two of them.
// A visitor that says nothing gets Identity, although anything would be allowed.
func negotiate(accept []string, stream bool) Coding {
	if len(accept) == 0 {
		return Identity
	}
	const unsaid = -1
	gzip, zstd, identity, others := unsaid, unsaid, unsaid, unsaid
	for _, line := range accept {
		for line != "" {
			var item string
			item, line, _ = strings.Cut(line, ",")
			name, params, _ := strings.Cut(item, ";")
			q := quality(params)
			switch name = strings.Trim(name, " \t"); {
			case strings.EqualFold(name, "gzip"), strings.EqualFold(name, "x-gzip"):
				gzip = max(gzip, q)
			case strings.EqualFold(name, "zstd"):
				zstd = max(zstd, q)
			case strings.EqualFold(name, "identity"):
				identity = max(identity, q)
			case name == "*":
				others = max(others, q)
			}
		}
	}
	if gzip == unsaid {
		gzip = others
	}
	// zstd must be named: "*" is said by those who mean the codings of old.
	best, q := Gzip, gzip
	if zstd > gzip || zstd == gzip && !stream {
		best, q = Zstd, zstd
	}
	if q <= 0 || identity > q {
		return Identity
	}
	return best
}

// quality is the weight in thousandths (RFC 9110 section 12.4.2): 1000 where none
// is given, 0 for what is no weight.
func quality(params string) int {
	for params != "" {
		var p string
		p, params, _ = strings.Cut(params, ";")
		name, value, ok := strings.Cut(strings.Trim(p, " \t"), "=")
		if ok && (name == "q" || name == "Q") {
			return thousandths(value)
		}
	}
	return 1000
}

func thousandths(s string) int {
	if s == "" || len(s) > 5 || s[0] != '0' && s[0] != '1' || len(s) > 1 && s[1] != '.' {
		return 0
	}
	n, unit := int(s[0]-'0')*1000, 100
	for i := 2; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return 0
		}
		n += int(s[i]-'0') * unit
		unit /= 10
	}
	if n > 1000 {
		return 0
	}
	return n
}
