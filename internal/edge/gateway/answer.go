package gateway

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/evergate/evergate/internal/config"
)

// fixed is the answer of a route with respond.
type fixed struct {
	status      int
	body        []byte
	length      []string
	contentType []string
}

func newFixed(c *config.Respond) *fixed {
	f := &fixed{status: c.Status, body: []byte(c.Body)}
	if c.Status == http.StatusNoContent || c.Status == http.StatusNotModified {
		f.body = nil
		return f
	}
	f.length = []string{strconv.Itoa(len(f.body))}[:1:1]
	if len(f.body) > 0 {
		f.contentType = []string{c.ContentType}[:1:1]
	}
	return f
}

// ServeHTTP implements http.Handler.
func (f *fixed) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	if f.length != nil {
		h["Content-Length"] = f.length
	}
	if f.contentType != nil {
		h["Content-Type"] = f.contentType
	}
	w.WriteHeader(f.status)
	if r.Method != http.MethodHead && len(f.body) > 0 {
		_, _ = w.Write(f.body) // a visitor who left is noticed by the writer
	}
}

// redirect is the answer of a route with redirect.
type redirect struct {
	status int
	parts  []string // text, and between two of them a placeholder
	holes  []string // "{path}" or "{query}"
}

func newRedirect(c *config.Redirect) *redirect {
	d := &redirect{status: c.Status}
	rest := c.To
	for {
		path, query := strings.Index(rest, "{path}"), strings.Index(rest, "{query}")
		at, hole := path, "{path}"
		if path < 0 || query >= 0 && query < path {
			at, hole = query, "{query}"
		}
		if at < 0 {
			d.parts = append(d.parts, rest)
			return d
		}
		d.parts = append(d.parts, rest[:at])
		d.holes = append(d.holes, hole)
		rest = rest[at+len(hole):]
	}
}

// to puts path and query in their places. What they hold is not looked at again:
// a visitor who sends "{query}" gets it back as it is.
func (d *redirect) to(path, query string) string {
	var b strings.Builder
	for i, part := range d.parts {
		b.WriteString(part)
		switch {
		case i == len(d.holes):
		case d.holes[i] == "{path}":
			b.WriteString(path)
		case query != "":
			b.WriteByte('?')
			b.WriteString(query)
		}
	}
	return b.String()
}

// ServeHTTP implements http.Handler.
func (d *redirect) ServeHTTP(out http.ResponseWriter, _ *http.Request) {
	w := of(out)
	location(w, d.status, d.to(w.x.Path, w.x.Query))
}
