package config

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// HeaderValue is the value of a header field. It may be given as a Secret is, and
// then shows as "***", as it does when the name of the field says that it is one
// (Authorization, Cookie, X-Api-Key), or when it holds an environment variable;
// any other shows as it is. Only Reveal tells a hidden one. It is immutable once
// loaded. The zero value is empty.
type HeaderValue struct {
	held *held
	open bool
}

// NewHeaderValue is a value that may be seen.
func NewHeaderValue(value string) HeaderValue {
	return HeaderValue{held: hold(value), open: true}
}

// Reveal returns the value itself.
func (v HeaderValue) Reveal() string { return Secret{v.held}.Reveal() }

// String is the value, or "***" if it may be a secret.
func (v HeaderValue) String() string {
	if v.open {
		return v.Reveal()
	}
	return Secret{v.held}.String()
}

// GoString is what %#v shows.
func (v HeaderValue) GoString() string { return fmt.Sprintf("config.HeaderValue(%q)", v.String()) }

// Format writes String for every verb but %#v and %q.
func (v HeaderValue) Format(f fmt.State, verb rune) {
	switch {
	case verb == 'v' && f.Flag('#'):
		io.WriteString(f, v.GoString())
	case verb == 'q':
		fmt.Fprintf(f, "%q", v.String())
	default:
		io.WriteString(f, v.String())
	}
}

// LogValue is what slog shows.
func (v HeaderValue) LogValue() slog.Value { return slog.StringValue(v.String()) }

// MarshalText is String.
func (v HeaderValue) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// MarshalJSON is String.
func (v HeaderValue) MarshalJSON() ([]byte, error) { return json.Marshal(v.String()) }

// MarshalYAML is String.
func (v HeaderValue) MarshalYAML() (any, error) { return v.String(), nil }

// hidden are parts of names of header fields whose values are secrets.
var hidden = []string{"authorization", "cookie", "token", "secret", "password", "api-key", "apikey", "access-key", "credential", "x-auth"}

// isSensitive reports whether the field of that name holds a secret.
func isSensitive(name string) bool {
	name = strings.ToLower(strings.ReplaceAll(name, "_", "-"))
	for _, part := range hidden {
		if strings.Contains(name, part) {
			return true
		}
	}
	return false
}
