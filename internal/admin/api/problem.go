package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// kindBase stands before a kind in a problem's type.
const kindBase = "/api/#problem-"

// Problem is every answer that is no success (RFC 9457).
type Problem struct {
	Kind   string `json:"type" format:"uri-reference" example:"/api/#problem-conflict" doc:"What kind of problem it is."`
	Title  string `json:"title" example:"Conflict" doc:"The same in words."`
	Status int    `json:"status" example:"409" doc:"Status of the answer."`
	Detail string `json:"detail" doc:"What is wrong with this request, and what to do. For people."`

	Errors  []FieldError `json:"errors,omitempty" nullable:"false" doc:"What is wrong with single members of the request."`
	Current *Lever       `json:"current,omitempty" doc:"After a conflict: the lever as it is now."`
	Nearest []string     `json:"nearest,omitempty" nullable:"false" doc:"For an unknown name: names that may have been meant."`
	Needs   string       `json:"needs,omitempty" doc:"For a role that is too small: the role that is needed."`
	Min     *float64     `json:"min,omitempty" doc:"For a value out of bounds: the smallest."`
	Max     *float64     `json:"max,omitempty" doc:"For a value out of bounds: the largest."`
	Words   []string     `json:"words,omitempty" nullable:"false" doc:"For a value that is none of a list: the list."`

	retryAfter time.Duration // for a Retry-After header; 0: none
	why        refusal       // for the metric; "": it is no refusal of a person
}

// FieldError is what is wrong with one member of a request.
type FieldError struct {
	Location string `json:"location" example:"body.reason" doc:"Where: body, path or query, and the name."`
	Message  string `json:"message" doc:"What is wrong, and what is wanted."`
}

func (p *Problem) Error() string { return p.Detail }

// GetStatus is for huma.
func (p *Problem) GetStatus() int { return p.Status }

// GetHeaders is for huma.
func (p *Problem) GetHeaders() http.Header {
	h := http.Header{}
	p.headers(h)
	return h
}

// ContentType is for huma.
func (p *Problem) ContentType(string) string { return problemType }

const bearerChallenge = `Bearer realm="evergate"`

const problemType = "application/problem+json"

// headers sets those that belong to p.
func (p *Problem) headers(h http.Header) {
	if p.retryAfter > 0 {
		// Rounded up: who comes back in the very second that was named is let in.
		h.Set("Retry-After", fmt.Sprint(int64((p.retryAfter+time.Second-1)/time.Second)))
	}
	if p.Status == http.StatusUnauthorized {
		// Two challenges: the first for programs, the second for a browser that opens the page.
		h.Add("WWW-Authenticate", bearerChallenge)
		h.Add("WWW-Authenticate", `Basic realm="evergate: any name, and a token as the password", charset="UTF-8"`)
	}
}

// whole fills in what can be told from the rest.
func (p *Problem) whole() *Problem {
	if p.Title == "" {
		p.Title = http.StatusText(p.Status)
	}
	if p.Kind != "" && p.Kind[0] != '/' {
		p.Kind = kindBase + p.Kind
	}
	return p
}

// writeProblem answers with p.
func writeProblem(w http.ResponseWriter, r *http.Request, p *Problem) {
	p.whole()
	h := w.Header()
	p.headers(h)
	if !ownPage(r.Header.Get("Sec-Fetch-Site")) && p.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", bearerChallenge) // a page of another site must not make a browser ask for a password
	}
	safeHeaders(h)
	h.Set("Content-Type", problemType)
	h.Del("Content-Length")
	w.WriteHeader(p.Status)
	if r.Method != http.MethodHead {
		_ = json.NewEncoder(w).Encode(p) // whoever asked is gone
	}
}

// safeHeaders keeps answers out of caches, frames and guesses about their type.
func safeHeaders(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Content-Security-Policy", nothingLoads)
}

// nothingLoads is a Content-Security-Policy.
const nothingLoads = "default-src 'none'; frame-ancestors 'none'"
