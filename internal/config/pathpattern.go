package config

import (
	"strings"
	"unicode/utf8"
)

// mostDecodings is how often the gateway decodes a path before what it means is
// beyond good faith.
const mostDecodings = 3

// pathPattern reads the path of a route. subject is what requests are compared
// with: decoded once, except "%2F", and without the "/*" of a prefix. problem
// says what is wrong, "" if nothing is. What it accepts is in the normal form
// that the gateway gives the paths of requests; another could never be met.
func pathPattern(p string) (subject string, prefix bool, problem string) {
	stem, prefix := strings.CutSuffix(p, "/*")
	switch {
	case !strings.HasPrefix(p, "/"):
		return "", false, "must begin with \"/\""
	case strings.Contains(stem, "*"):
		return "", false, "may have \"*\" only at the end, after \"/\""
	case strings.Contains(p, "//"):
		return "", false, "is not in normal form: no \"//\""
	}
	if problem = badPath(stem); problem != "" {
		return "", false, problem
	}
	subject, _ = decodePath(stem)
	return subject, prefix, ""
}

// badPath says what is wrong with a path without "*", "" if nothing is.
func badPath(p string) string {
	if strings.ContainsAny(p, "?#; \\") || strings.ContainsFunc(p, isControl) {
		return "has a character that no path can have here: one of ? # ; \\, a space or a control character"
	}
	decoded, ok := decodePath(p)
	if !ok {
		return "has a \"%\" without two hexadecimal digits"
	}
	if !utf8.ValidString(strings.ReplaceAll(decoded, "%2F", "")) {
		return "is not UTF-8 once it is decoded"
	}
	if strings.Contains(p, "//") || dotSegment(decoded) {
		return "is not in normal form: no \"//\", and no \".\" or \"..\" between slashes"
	}
	// What programs would see that decode more than they should (guide, section 7(10)).
	for range mostDecodings {
		if strings.ContainsFunc(decoded, isControl) || strings.Contains(decoded, "\\") || dotSegment(strings.ReplaceAll(decoded, "%2F", "/")) {
			return "hides a dot segment, a backslash or a control character"
		}
		next, _ := decodePath(decoded)
		if next == decoded {
			return ""
		}
		decoded = next
	}
	return "is encoded too many times"
}

func isControl(c rune) bool { return c < 0x20 || c == 0x7f }

// dotSegment reports whether one of p's segments, parameters aside, is "." or "..".
func dotSegment(p string) bool {
	for s := range strings.SplitSeq(p, "/") {
		name, _, _ := strings.Cut(s, ";")
		if name == "." || name == ".." {
			return true
		}
	}
	return false
}

// decodePath decodes once what is percent-encoded, except the slash, which
// becomes "%2F" however it was written. ok is false if a "%" has no two
// hexadecimal digits; it then stays.
func decodePath(p string) (decoded string, ok bool) {
	if !strings.Contains(p, "%") {
		return p, true
	}
	ok = true
	var b strings.Builder
	for i := 0; i < len(p); i++ {
		if p[i] != '%' {
			b.WriteByte(p[i])
			continue
		}
		if i+2 >= len(p) || !isHex(p[i+1]) || !isHex(p[i+2]) {
			ok = false
			b.WriteByte('%')
			continue
		}
		if c := unhex(p[i+1])<<4 | unhex(p[i+2]); c == '/' {
			b.WriteString("%2F")
		} else {
			b.WriteByte(c)
		}
		i += 2
	}
	return b.String(), ok
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}
