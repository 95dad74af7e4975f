package client

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/evergate/evergate/internal/admin/api"
)

// Problem is an error that Evergate answered with. Its Current is the lever as it
// is now, after a conflict (409) about one.
type Problem struct {
	api.Problem
	// Body is the whole answer.
	Body json.RawMessage
	// RetryAfter is how long to wait before trying again; 0: nothing was said.
	RetryAfter time.Duration
	// Advice is what this client adds: what to do. May be "".
	Advice string
}

// Error is what is wrong, member by member where that is known, and what to do.
func (p *Problem) Error() string {
	text := p.Detail
	if text == "" {
		text = strings.ToLower(p.Title)
	}
	for _, e := range p.Errors {
		if strings.Contains(text, e.Message) {
			continue // a single one is often the detail too
		}
		if e.Location != "" {
			e.Message = e.Location + ": " + e.Message
		}
		text += "\n  " + e.Message
	}
	if p.Advice != "" {
		text += "\n" + p.Advice
	}
	return text
}

func isProblem(resp *http.Response) bool {
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	return kind == "application/problem+json"
}

// problem reads an answer that is an error.
func (c *Client) problem(resp *http.Response, body []byte) error {
	p := &Problem{Body: body}
	if !isProblem(resp) || json.Unmarshal(body, &p.Problem) != nil {
		return fmt.Errorf("ask %s: the answer was %s, and not in the form that Evergate answers in; is this its admin listener, and of this version?", c.where, resp.Status)
	}
	p.Status = resp.StatusCode
	if p.Title == "" {
		p.Title = http.StatusText(p.Status)
	}
	if seconds, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && seconds > 0 {
		p.RetryAfter = time.Duration(seconds) * time.Second
	}
	p.Advice = c.advice(p)
	return p
}

// advice says what to do about p.
func (c *Client) advice(p *Problem) string {
	switch p.Status {
	case http.StatusUnauthorized:
		if c.token == "" {
			return "put it into EVERGATE_TOKEN, or into a file that --token-file names"
		}
	case http.StatusForbidden:
		if p.Needs != "" {
			return fmt.Sprintf("\"evergate token create NAME --role %s\" on the server makes a token that may", p.Needs)
		}
	case http.StatusTooManyRequests:
		if p.RetryAfter > 0 {
			return fmt.Sprintf("try again in %s", p.RetryAfter)
		}
	}
	return ""
}
