package proxy

import (
	"io"
	"maps"
	"net/http"
)

// trailed is the body of one attempt with a trailer. net/http fills in the
// visitor's trailer when somebody reads to the end of the body, and that may be
// the replay buffer, ahead of an attempt that is just writing which fields it will
// send. So each attempt has a map of its own, which gets its values with the end
// of the attempt's own body.
type trailed struct {
	body    io.Reader
	visitor http.Header // not to be touched before the end of body
	own     http.Header
}

// trail returns body with the fields that announced names, whose values visitor
// will have.
func trail(body io.Reader, announced, visitor http.Header) *trailed {
	return &trailed{body: body, visitor: visitor, own: maps.Clone(announced)}
}

// Read implements io.Reader.
func (t *trailed) Read(p []byte) (int, error) {
	n, err := t.body.Read(p)
	if err == io.EOF { //nolint:errorlint // bodies return it bare
		maps.Copy(t.own, t.visitor)
	}
	return n, err
}
