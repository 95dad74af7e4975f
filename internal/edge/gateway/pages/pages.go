// Package pages are the answers that Evergate makes itself: errors and the
// maintenance page, as HTML for people and as JSON (RFC 9457) for programs.
package pages

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"
)

//go:embed page.html
var builtin string

// longestText bounds a page: one that a template makes longer is not sent.
const longestText = 1 << 20

// Page is one answer. Its fields, and Seconds, are those of templates.
type Page struct {
	Status     int           // 400 to 599
	Reason     string        // a word of a closed list: "no_route", "maintenance", ...
	Title      string        // "": what the status says
	Message    string        // "": what the reason or the status says
	RequestID  string        // for the people who are asked for help
	RetryAfter time.Duration // 0: no Retry-After
}

// Seconds is RetryAfter in whole seconds, rounded up, as in Retry-After.
func (p Page) Seconds() int {
	return int((p.RetryAfter + time.Second - 1) / time.Second)
}

// Set makes pages. It is immutable and safe for concurrent use.
type Set struct {
	builtin *template.Template
	own     *template.Template // nil: none
}

// New returns the pages that use the HTML template in the file path, or the
// built-in one for "". The template is run once, so that one that cannot work is
// an error here and not at 3 a.m.
func New(path string) (*Set, error) {
	s := &Set{builtin: template.Must(template.New("page").Parse(builtin))}
	if path == "" {
		return s, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read page template: %w", err)
	}
	if s.own, err = template.New(path).Parse(string(text)); err != nil {
		return nil, fmt.Errorf("parse page template: %w", err)
	}
	sample := Page{Status: 503, Reason: "maintenance", RequestID: "sample", RetryAfter: time.Minute}
	sample.complete()
	if err := s.own.Execute(&bytes.Buffer{}, sample); err != nil {
		return nil, fmt.Errorf("try page template: %w", err)
	}
	return s, nil
}

// Write answers r with p. Whatever the handler had put into the header about a
// body is removed; nothing must have been sent. Pages are never cached.
func (s *Set) Write(w http.ResponseWriter, r *http.Request, p Page) {
	p.complete()
	h := w.Header()
	for _, name := range aboutTheBody {
		delete(h, name)
	}
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Add("Vary", "Accept")
	if p.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(p.Seconds()))
	}

	buf := buffers.Get().(*bytes.Buffer)
	defer buffers.Put(buf)
	buf.Reset()
	if wantsHTML(r.Header["Accept"]) {
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		if s.own != nil {
			h.Del("Content-Security-Policy") // what it loads is its author's matter
		}
		s.html(buf, p)
	} else {
		h.Set("Content-Type", "application/problem+json")
		writeJSON(buf, p)
	}
	h.Set("Content-Length", strconv.Itoa(buf.Len()))
	w.WriteHeader(p.Status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(buf.Bytes()) // a visitor who left is noticed by the writer
	}
}

// aboutTheBody are fields that describe an answer which is not sent now.
var aboutTheBody = []string{
	"Accept-Ranges", "Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language", "Content-Length",
	"Content-Location", "Content-Range", "Content-Type", "Etag", "Expires", "Last-Modified", "Trailer", "Transfer-Encoding",
}

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// html writes p by the own template, and by the built-in one if that fails.
func (s *Set) html(buf *bytes.Buffer, p Page) {
	if s.own != nil {
		if err := s.own.Execute(buf, p); err == nil && buf.Len() <= longestText {
			return
		}
		buf.Reset()
	}
	_ = s.builtin.Execute(buf, p) // cannot fail: its fields are those of Page, its writer is memory
}

// problem is RFC 9457.
type problem struct {
	Type       string `json:"type"`
	Title      string `json:"title"`
	Status     int    `json:"status"`
	Detail     string `json:"detail"`
	Reason     string `json:"reason,omitempty"`
	RequestID  string `json:"request_id,omitempty"`
	RetryAfter int    `json:"retry_after_seconds,omitempty"`
}

func writeJSON(buf *bytes.Buffer, p Page) {
	_ = json.NewEncoder(buf).Encode(problem{ // cannot fail: plain fields, memory
		Type: "about:blank", Title: p.Title, Status: p.Status, Detail: p.Message,
		Reason: p.Reason, RequestID: p.RequestID, RetryAfter: p.Seconds(),
	})
}
