package chat

import (
	"crypto/sha256"
	"errors"
	"net/http"
	"strings"
	"time"
)

// Program is a chat program. The names are those of metrics and logs, and of the
// keys in the configuration.
type Program string

// The programs.
const (
	Slack      Program = "slack"
	Mattermost Program = "mattermost"
	Teams      Program = "teams"
)

// What a request lacks. Whoever sent it learns no more than the status.
var (
	errUnproved  = errors.New("signature or token does not fit")
	errStale     = errors.New("signed too long ago, or in the future")
	errMalformed = errors.New("not a command as the program sends it")
	errPlain     = errors.New("came without TLS")
)

// dialect is how one program speaks. A dialect is immutable and safe for concurrent use.
type dialect interface {
	// mediaType is the one that requests have, without parameters.
	mediaType() string

	// read returns the message of a request, once the request has proved that it
	// comes from the program and, where a time is signed, that this is not long ago.
	// Nothing of the request is believed, or parsed, before. The error is one of those
	// above, alone or wrapped. The body is as it came.
	read(r *http.Request, body []byte, now time.Time) (message, error)

	// write returns the answer as a value for encoding/json.
	write(a answer) any
}

// message is a command that a program has vouched for.
type message struct {
	users []string  // ids of who typed it, the best first; never names
	text  string    // as typed, without the program's own marks
	key   key       // what a second copy of it would have too
	sent  time.Time // signed by the program; zero if it signs no time
	probe bool      // the program only looks whether somebody is there
}

// shownID returns the best id for people to read: short, and without characters that
// do not show.
func (m message) shownID() string {
	for _, id := range m.users {
		if shown, err := clean(id); err == nil && shown != "" {
			return cut(shown, 80)
		}
	}
	return "(none)"
}

// key is what a message is remembered by: a MAC, or the hash of an id. It has one
// length, so that what is sent cannot make the memory large.
type key [sha256.Size]byte

// claims returns the programs that a request says it is from, by its headers: one,
// or it is refused. Mattermost has no header of its own that must be there, so it is
// meant by all that names neither of the others.
func claims(h http.Header) []Program {
	var claimed []Program
	if h.Values(slackSignature) != nil || h.Values(slackTimestamp) != nil {
		claimed = append(claimed, Slack)
	}
	var hmac, token bool
	for _, value := range h.Values("Authorization") {
		scheme, _, _ := strings.Cut(value, " ")
		hmac = hmac || strings.EqualFold(scheme, teamsScheme)
		token = token || strings.EqualFold(scheme, mattermostScheme)
	}
	if hmac {
		claimed = append(claimed, Teams)
	}
	if token || len(claimed) == 0 {
		claimed = append(claimed, Mattermost)
	}
	return claimed
}

// only returns the one value of a header, or false if it is missing or sent twice.
func only(h http.Header, name string) (string, bool) {
	values := h.Values(name)
	if len(values) != 1 {
		return "", false
	}
	return values[0], true
}

// near reports whether a signed time is at most signedWindow from now.
func near(sent, now time.Time) bool {
	off := now.Sub(sent) // saturates, so that no time is far enough to wrap around
	return off <= signedWindow && off >= -signedWindow
}
