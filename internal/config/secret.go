package config

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
)

// redacted stands where a secret would.
const redacted = "***"

// Secret is a text that must not be seen: it stands in the file, or the file says
// where it is ({file: PATH} or {env: NAME}). However it is printed, logged or
// marshalled, it shows as "***", or as "" if it is empty; only Reveal tells it.
// It is immutable once loaded and safe for concurrent use. The zero value is empty.
type Secret struct {
	held *held
}

// held is a secret with its origin.
type held struct {
	// A pointer, because fmt cannot ask Format of a Secret in an unexported field: it
	// follows a pointer to a struct (%s does), but never one to a text.
	value    *string
	file     string // {file: ...}, absolute; "" if it comes from elsewhere
	variable string // {env: ...}; "" if it comes from elsewhere
	unread   bool   // value is not what stands in file
}

// NewSecret is a secret that stands in no file, for tests and for values that are
// made at run time.
func NewSecret(value string) Secret { return Secret{hold(value)} }

func hold(value string) *held { return &held{value: &value} }

// Reveal returns the secret itself. Compare it in constant time.
func (s Secret) Reveal() string {
	if s.held == nil || s.held.value == nil {
		return ""
	}
	return *s.held.value
}

// IsZero reports whether there is no secret.
func (s Secret) IsZero() bool { return s.Reveal() == "" && (s.held == nil || !s.held.unread) }

// String is "***", or "" for no secret.
func (s Secret) String() string {
	if s.IsZero() {
		return ""
	}
	return redacted
}

// GoString is what %#v shows.
func (s Secret) GoString() string { return fmt.Sprintf("config.Secret(%q)", s.String()) }

// Format writes String for every verb but %#v.
func (s Secret) Format(f fmt.State, verb rune) {
	if verb == 'v' && f.Flag('#') {
		io.WriteString(f, s.GoString())
		return
	}
	io.WriteString(f, s.String())
}

// LogValue is what slog shows.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText is String, for XML, keys of maps, and whoever asks for it.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalJSON is String.
func (s Secret) MarshalJSON() ([]byte, error) { return json.Marshal(s.String()) }

// MarshalYAML is String.
func (s Secret) MarshalYAML() (any, error) { return s.String(), nil }
