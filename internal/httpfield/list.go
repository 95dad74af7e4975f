package httpfield

import "strings"

// NextToken takes the first member from list, whose members are separated by
// commas (RFC 9110 section 5.6.1); rest is the list behind it. A parameter
// (";q=0.5") is not part of the token; of an empty member the token is "".
func NextToken(list string) (token, rest string) {
	token, rest, _ = strings.Cut(list, ",")
	token, _, _ = strings.Cut(token, ";")
	return strings.Trim(token, " \t"), rest
}

// HasToken reports whether one of the lines, each a list, holds token, in any
// letter case.
func HasToken(lines []string, token string) bool {
	for _, line := range lines {
		if LineHasToken(line, token) {
			return true
		}
	}
	return false
}

// LineHasToken is HasToken for one line.
func LineHasToken(line, token string) bool {
	for line != "" {
		var t string
		if t, line = NextToken(line); EqualFold(t, token) {
			return true
		}
	}
	return false
}

// EqualFold compares ASCII without regard to case. strings.EqualFold would take
// the Kelvin sign for a k and the long s for an s, which servers do not.
func EqualFold(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if a[i] != b[i] && toLower(a[i]) != toLower(b[i]) {
			return false
		}
	}
	return true
}

func toLower(b byte) byte {
	if 'A' <= b && b <= 'Z' {
		b |= 0x20
	}
	return b
}
