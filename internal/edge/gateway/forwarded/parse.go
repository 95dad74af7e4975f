package forwarded

import (
	"strings"

	"github.com/evergate/evergate/internal/httpfield"
)

// element is what one proxy said (RFC 7239 section 4). Parameters that are not
// there are "".
type element struct{ For, By, Host, Proto string }

// mostElements bounds what is kept; a chain of more proxies is no chain.
const mostElements = 64

// parse reads the lines of a Forwarded field, the nearest proxy last. A line that
// breaks the grammar is dropped with all that stand before it: what is nearer than
// the break may be believed, what is farther came through whoever broke it.
func parse(lines []string) []element {
	var all []element
	for _, line := range lines {
		elements, ok := parseLine(line)
		if !ok {
			elements, all = nil, nil
		}
		all = append(all, elements...)
	}
	if len(all) > mostElements {
		all = all[len(all)-mostElements:]
	}
	return all
}

func parseLine(s string) (all []element, ok bool) {
	var e element
	seen := false
	for {
		s = strings.TrimLeft(s, " \t")
		switch {
		case s == "":
			if seen {
				all = append(all, e)
			}
			return all, true
		case s[0] == ',':
			if seen {
				all = append(all, e)
			}
			e, seen = element{}, false
			s = s[1:]
			continue
		case s[0] == ';':
			s = s[1:]
			continue
		}
		name := token(s)
		s = s[len(name):]
		if name == "" || s == "" || s[0] != '=' {
			return nil, false
		}
		value, rest, ok := parseValue(s[1:])
		if !ok {
			return nil, false
		}
		s = strings.TrimLeft(rest, " \t")
		if s != "" && s[0] != ',' && s[0] != ';' {
			return nil, false
		}
		if !e.set(strings.ToLower(name), value) {
			return nil, false
		}
		seen = true
	}
}

// set reports false for a parameter that is there already.
func (e *element) set(name, value string) bool {
	var to *string
	switch name {
	case "for":
		to = &e.For
	case "by":
		to = &e.By
	case "host":
		to = &e.Host
	case "proto":
		to = &e.Proto
	default:
		return true
	}
	if *to != "" {
		return false
	}
	*to = value
	return true
}

// parseValue reads a token or a quoted string (RFC 9110 section 5.6.4).
func parseValue(s string) (value, rest string, ok bool) {
	if s == "" || s[0] != '"' {
		value = token(s)
		return value, s[len(value):], value != ""
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return b.String(), s[i+1:], true
		case c == '\\' && i+1 < len(s):
			i++
			b.WriteByte(s[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", "", false
}

// token is the longest token (RFC 9110 section 5.6.2) at the beginning of s.
func token(s string) string {
	i := 0
	for i < len(s) && httpfield.IsTokenByte(s[i]) {
		i++
	}
	return s[:i]
}
