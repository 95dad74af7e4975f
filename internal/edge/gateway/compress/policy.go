// Package compress decides whether a response is compressed, and compresses it.
//
// A response that is not compressed costs one look at its header. What is never
// touched: parts (ranges), what is encoded already, what says no-transform, and
// answers without a body.
package compress

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/evergate/evergate/internal/config"
	"github.com/evergate/evergate/internal/httpfield"
)

// Coding is a content coding (RFC 9110 section 8.4.1).
type Coding uint8

// The codings. Identity is none.
const (
	Identity Coding = iota
	Gzip
	Zstd
)

// String is the coding's name in Content-Encoding.
func (c Coding) String() string {
	switch c {
	case Gzip:
		return "gzip"
	case Zstd:
		return "zstd"
	}
	return "identity"
}

// Policy says which responses are worth it. It is immutable. The nil Policy
// compresses nothing.
type Policy struct {
	minSize int64
	exact   map[string]bool // "application/json"
	major   map[string]bool // "text" of "text/*"
}

// NewPolicy returns the policy of c, nil if it compresses nothing.
func NewPolicy(c config.Compress) *Policy {
	if !c.On || len(c.Types) == 0 {
		return nil
	}
	p := &Policy{minSize: int64(c.MinSize), exact: make(map[string]bool), major: make(map[string]bool)}
	for _, t := range c.Types {
		if major, all := strings.CutSuffix(t, "/*"); all {
			p.major[major] = true
		} else {
			p.exact[t] = true
		}
	}
	return p
}

// Visitor is what a request says that matters here.
type Visitor struct {
	Method         string
	AcceptEncoding []string // lines of the field
	CacheControl   []string // likewise
}

// Choose returns the coding for a response to v with status and header h. Where
// it depends on the visitor, h says so (Vary), and where it is not Identity, h is
// changed to describe the compressed body: Content-Encoding set, ETag weakened,
// length and digests of the plain body gone. A HEAD is answered like its GET.
func (p *Policy) Choose(v Visitor, status int, h http.Header) Coding {
	if p == nil || !p.fits(status, h) || v.Method == http.MethodConnect {
		return Identity
	}
	if noTransform(h["Cache-Control"]) {
		return Identity
	}
	vary(h)
	if noTransform(v.CacheControl) {
		return Identity
	}
	c := negotiate(v.AcceptEncoding, isEventStream(h))
	if c == Identity {
		return Identity
	}
	describe(h, c)
	return c
}

// fits reports whether the response is one that is worth it.
func (p *Policy) fits(status int, h http.Header) bool {
	if status < 200 || status == http.StatusNoContent || status == http.StatusResetContent ||
		status == http.StatusPartialContent || status == http.StatusNotModified {
		return false
	}
	types := h["Content-Type"]
	if len(types) == 0 || !p.worth(types[0]) {
		return false
	}
	if _, encoded := h["Content-Encoding"]; encoded {
		return false
	}
	if _, part := h["Content-Range"]; part {
		return false
	}
	if length := h["Content-Length"]; len(length) > 0 {
		n, err := strconv.ParseInt(length[0], 10, 64)
		return err == nil && n >= p.minSize && n > 0
	}
	return true
}

// worth reports whether the content type is one of the policy's.
func (p *Policy) worth(contentType string) bool {
	media, _, _ := strings.Cut(contentType, ";")
	media = strings.TrimSpace(media)
	if !isLower(media) {
		media = strings.ToLower(media)
	}
	if p.exact[media] {
		return true
	}
	major, _, ok := strings.Cut(media, "/")
	return ok && p.major[major]
}

func isLower(s string) bool {
	for i := range len(s) {
		if 'A' <= s[i] && s[i] <= 'Z' {
			return false
		}
	}
	return true
}

// noTransform looks for the directive of RFC 9111 section 5.2.2.6.
func noTransform(lines []string) bool { return httpfield.HasToken(lines, "no-transform") }

func isEventStream(h http.Header) bool {
	types := h["Content-Type"]
	return len(types) > 0 && strings.HasPrefix(types[0], "text/event-stream")
}

// Shared header values; an append to one makes a new slice.
var (
	varyValue = []string{"Accept-Encoding"}[:1:1]
	gzipValue = []string{"gzip"}[:1:1]
	zstdValue = []string{"zstd"}[:1:1]
)

// vary says that the response depends on Accept-Encoding (RFC 9110 section 12.5.5).
func vary(h http.Header) {
	lines := h["Vary"]
	if len(lines) == 0 {
		h["Vary"] = varyValue
		return
	}
	if !httpfield.HasToken(lines, "*") && !httpfield.HasToken(lines, "Accept-Encoding") {
		h["Vary"] = append(lines, "Accept-Encoding")
	}
}

// describe changes h from the plain body to the one that c makes of it.
func describe(h http.Header, c Coding) {
	h["Content-Encoding"] = gzipValue
	if c == Zstd {
		h["Content-Encoding"] = zstdValue
	}
	for _, name := range [...]string{"Content-Length", "Accept-Ranges", "Content-Md5", "Content-Digest", "Digest"} {
		delete(h, name)
	}
	if tags := h["Etag"]; len(tags) > 0 && strings.HasPrefix(tags[0], `"`) {
		h["Etag"] = []string{"W/" + tags[0]} // RFC 9110 section 8.8.1: the same, but not byte by byte
	}
}
