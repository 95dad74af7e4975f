package route

import (
	"errors"
	"strings"
)

// ErrPath is wrapped by every error of Path. It is answered 400.
var ErrPath = errors.New("invalid path")

type pathError string

func (e pathError) Error() string { return "invalid path: " + string(e) }
func (e pathError) Unwrap() error { return ErrPath }

// What Path refuses.
const (
	errRelative  = pathError("does not begin with /")
	errPercent   = pathError("% without two hexadecimal digits")
	errControl   = pathError("control character")
	errBackslash = pathError("backslash")
	errDelimiter = pathError("unencoded ? or #")
	errAboveRoot = pathError(".. above the root")
	errParameter = pathError("parameter on a dot or empty segment")
	errOverlong  = pathError("overlong UTF-8")
	errEncoded   = pathError("encoded more than once to hide what it is")
)

// mostDecodings is how often a path may be decoded before what it means is
// beyond good faith.
const mostDecodings = 3

// Classes of bytes in a path.
const (
	encode   = iota // goes out percent-encoded
	plain           // goes out as it is, and an encoded one is decoded: RFC 3986 unreserved
	reserved        // goes out as it came, literal or encoded
	refused
)

var classes = func() (t [256]uint8) {
	for c := range t {
		switch c := byte(c); {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-._~", c) >= 0:
			t[c] = plain
		case strings.IndexByte("/!$&'()*+,;=:@", c) >= 0:
			t[c] = reserved
		case c < 0x20, c == 0x7f, c == '\\', c == '?', c == '#':
			t[c] = refused
		}
	}
	return t
}()

// Path returns the normal form of a path as it stands in a request target:
//
//   - unreserved characters (RFC 3986 section 2.3) are literal, all others that
//     a path may not hold are percent-encoded, hexadecimal digits in upper case;
//     reserved characters stay as they came, literal or encoded
//   - "//" is "/"; "." and ".." are resolved, encoded dots included; ".." above
//     the root is refused
//   - refused: backslash, control characters (NUL included), literal or encoded;
//     broken percent-encoding; overlong UTF-8
//   - ";" stays, but a segment that without its parameters is empty, "." or ".."
//     is refused: servers that strip parameters would see another path
//   - "%2F" stays (HasEncodedSlash tells, the route decides), but is refused
//     where a server that decodes it would meet a dot segment
//   - "%25" stays, but is refused where decoding up to three times gives a dot
//     segment, a backslash or a control character, and beyond three times
//
// Bytes that are not UTF-8 stay, encoded. Path is idempotent. It returns its
// argument, without allocating, when that is normal already. All errors wrap ErrPath.
func Path(raw string) (string, error) {
	if raw == "" || raw[0] != '/' {
		return "", errRelative
	}
	if isNormal(raw) {
		return raw, nil
	}
	buf, err := encodePath(make([]byte, 0, len(raw)+16), raw)
	if err != nil {
		return "", err
	}
	if buf, err = resolve(buf); err != nil {
		return "", err
	}
	normal := string(buf)
	if strings.Contains(normal, "%2") { // %25 or %2F, among others
		if err := checkDecoded(normal); err != nil {
			return "", err
		}
	}
	return normal, nil
}

// isNormal is a quick look that says yes to the paths that real visitors ask for.
func isNormal(path string) bool {
	for i := 0; i < len(path); i++ {
		switch c := path[i]; classes[c] {
		case plain:
		case reserved:
			if c == ';' || c == '/' && i+1 < len(path) && (path[i+1] == '/' || path[i+1] == '.') {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// encodePath appends raw, each byte in its normal form.
func encodePath(buf []byte, raw string) ([]byte, error) {
	const hex = "0123456789ABCDEF"
	previous := byte(0) // decoded
	for i := 0; i < len(raw); i++ {
		c, encoded := raw[i], false
		if c == '%' {
			if i+2 >= len(raw) || !isHex(raw[i+1]) || !isHex(raw[i+2]) {
				return nil, errPercent
			}
			c, encoded = unhex(raw[i+1])<<4|unhex(raw[i+2]), true
			i += 2
		}
		if overlong(previous, c) {
			return nil, errOverlong
		}
		previous = c
		switch class := classes[c]; {
		case c == '\\':
			return nil, errBackslash
		case c < 0x20 || c == 0x7f:
			return nil, errControl
		case class == refused && !encoded:
			return nil, errDelimiter
		case class == plain, class == reserved && !encoded:
			buf = append(buf, c)
		default:
			buf = append(buf, '%', hex[c>>4], hex[c&15])
		}
	}
	return buf, nil
}

// overlong reports whether a and b begin a sequence that says in many bytes what
// UTF-8 says in fewer (RFC 3629 section 3): the disguise of "/" and "." in %C0%AF.
func overlong(a, b byte) bool {
	switch a {
	case 0xC0, 0xC1:
		return b >= 0x80 && b <= 0xBF
	case 0xE0:
		return b >= 0x80 && b <= 0x9F
	case 0xF0:
		return b >= 0x80 && b <= 0x8F
	}
	return false
}

// resolve removes empty and dot segments, in place.
func resolve(buf []byte) ([]byte, error) {
	out := buf[:1] // "/"; what follows ends with "/" after each segment
	for i := 1; i <= len(buf); {
		end := i
		for end < len(buf) && buf[end] != '/' {
			end++
		}
		segment, last := buf[i:end], end == len(buf)
		name, hasParameter := cutParameter(segment)
		dots := string(name) == "." || string(name) == ".."
		if hasParameter && (dots || len(name) == 0 && !last) {
			return nil, errParameter
		}
		switch {
		case len(segment) == 0, string(segment) == ".":
		case string(segment) == "..":
			if len(out) == 1 {
				return nil, errAboveRoot
			}
			out = out[:len(out)-1]
			for out[len(out)-1] != '/' {
				out = out[:len(out)-1]
			}
		default:
			out = append(out, segment...)
			if !last {
				out = append(out, '/')
			}
		}
		i = end + 1
	}
	return out, nil
}

// cutParameter returns what stands before the first ";" of a segment, literal or
// encoded, and whether there is one.
func cutParameter(segment []byte) (name []byte, found bool) {
	for i, c := range segment {
		if c == ';' || c == '%' && i+2 < len(segment) && segment[i+1] == '3' && segment[i+2] == 'B' {
			return segment[:i], true
		}
	}
	return segment, false
}

// checkDecoded looks at what servers would see that decode more than they should.
func checkDecoded(normal string) error {
	for range mostDecodings {
		next := unescape(normal, false)
		if next == normal {
			return nil
		}
		normal = next
		for i := 0; i < len(normal); i++ {
			if c := normal[i]; c < 0x20 || c == 0x7f || c == '\\' {
				return errEncoded
			}
		}
		for rest := normal; rest != ""; {
			var segment string
			segment, rest, _ = strings.Cut(rest, "/")
			name, _, _ := strings.Cut(segment, ";")
			if name == "." || name == ".." {
				return errEncoded
			}
		}
	}
	if unescape(normal, false) != normal {
		return errEncoded
	}
	return nil
}

// unescape decodes what can be decoded; broken encodings stay. keepSlash leaves
// "%2F" as it is. It returns its argument when there is nothing to decode.
func unescape(s string, keepSlash bool) string {
	i := strings.IndexByte(s, '%')
	if i < 0 {
		return s
	}
	buf := append(make([]byte, 0, len(s)), s[:i]...)
	for ; i < len(s); i++ {
		c := s[i]
		if c == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]) {
			if d := unhex(s[i+1])<<4 | unhex(s[i+2]); d != '/' || !keepSlash {
				c = d
				i += 2
			}
		}
		buf = append(buf, c)
	}
	if string(buf) == s {
		return s
	}
	return string(buf)
}

// HasEncodedSlash reports whether a normal path holds a slash that is encoded,
// once ("%2F") or more often ("%252f").
func HasEncodedSlash(normal string) bool {
	for i := strings.IndexByte(normal, '%'); i >= 0 && i < len(normal); {
		j := i + 1
		for strings.HasPrefix(normal[j:], "25") {
			j += 2
		}
		if len(normal) >= j+2 && normal[j] == '2' && normal[j+1]|0x20 == 'f' {
			return true
		}
		next := strings.IndexByte(normal[i+1:], '%')
		if next < 0 {
			return false
		}
		i += 1 + next
	}
	return false
}

// Decoded is a normal path as a program reads it: decoded once.
func Decoded(normal string) string { return unescape(normal, false) }

// Subject is the form of a normal path that patterns are compared with: decoded
// once, so that "%40" and "@" are the same; without parameters (";" to the end of
// the segment), because servers that know them route without them; with "%2F"
// left as it is, because it separates nothing. It returns its argument, without
// allocating, when there is nothing to do.
func Subject(normal string) string {
	if strings.IndexByte(normal, ';') >= 0 {
		buf := make([]byte, 0, len(normal))
		inside := false
		for i := 0; i < len(normal); i++ {
			switch normal[i] {
			case ';':
				inside = true
			case '/':
				inside = false
			}
			if !inside {
				buf = append(buf, normal[i])
			}
		}
		normal = string(buf)
	}
	return unescape(normal, true)
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
