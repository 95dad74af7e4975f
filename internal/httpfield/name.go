// Package httpfield is what all parts of the door must read alike in the header
// of an HTTP message: what a name is, what a list of tokens holds, and which
// fields are about one connection only. Two readings of these are how requests
// are smuggled and connections outlive what was said on them.
//
// It is vocabulary: standard library only, imported by everybody.
package httpfield

// What a byte is within a name (RFC 9110 section 5.6.2).
const (
	noToken = iota
	other
	lower
	upper
)

var kinds = func() (kind [256]uint8) {
	for _, b := range []byte("!#$%&'*+-.^_`|~0123456789") {
		kind[b] = other
	}
	for b := 'a'; b <= 'z'; b++ {
		kind[b] = lower
		kind[b-'a'+'A'] = upper
	}
	return kind
}()

// IsTokenByte reports whether b may be part of a token.
func IsTokenByte(b byte) bool { return kinds[b] != noToken }

// IsToken reports whether s is a token, which names of fields and methods are
// (RFC 9110 section 5.6.2). "" is none.
func IsToken(s string) bool {
	for i := range len(s) {
		if kinds[s[i]] == noToken {
			return false
		}
	}
	return s != ""
}

// InspectName says whether name is a token, and whether it is already in the
// form of http.CanonicalHeaderKey. What is no token is not canonical.
func InspectName[S string | []byte](name S) (token, canonical bool) {
	canonical = true
	first := true // of a word
	for i := range len(name) {
		switch kinds[name[i]] {
		case noToken:
			return false, false
		case lower:
			canonical = canonical && !first
		case upper:
			canonical = canonical && first
		}
		first = name[i] == '-'
	}
	return len(name) > 0, canonical && len(name) > 0
}
