package cli

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/evergate/evergate/internal/server"
)

// explainText writes an explanation for people: a line for each fact, its name
// before it, in the order in which a request meets them.
type explainText struct {
	out io.Writer
	buf bytes.Buffer
}

func newExplainText(out io.Writer) *explainText { return &explainText{out: out} }

func (t *explainText) write(e *server.Explanation) error {
	t.request(e.Request)
	t.place(e)
	t.answer(e.Answer)
	t.sent(e)
	t.origin(e.Origin)
	t.retry(e)
	_, err := t.out.Write(t.buf.Bytes())
	return err
}

const nameWidth = 14

// line writes a fact. Without a name it belongs to the one before; without a
// value it is left out.
func (t *explainText) line(name, value string) {
	if value != "" {
		fmt.Fprintf(&t.buf, "  %-*s %s\n", nameWidth, name, value)
	}
}

// lines writes the parts of one fact, a line for each.
func (t *explainText) lines(name string, values []string) {
	for i, v := range values {
		if i > 0 {
			name = ""
		}
		t.line(name, v)
	}
}

func (t *explainText) heading(text string) { fmt.Fprintf(&t.buf, "\n%s\n", text) }

func (t *explainText) request(r server.Asked) {
	path := r.Path
	if r.Query != "" {
		path += "?" + r.Query
	}
	fmt.Fprintf(&t.buf, "%s %s://%s%s from %s\n", r.Method, r.Scheme, r.Host, path, r.Client)
}

func (t *explainText) place(e *server.Explanation) {
	if s := e.Site; s != nil {
		t.heading("site " + s.Name + atLine(s.Line))
		if len(s.Hosts) > 1 {
			t.line("hosts", strings.Join(s.Hosts, ", "))
		}
		t.lines("access", s.Access)
		t.line("HSTS", s.HSTS)
		t.line("compress", s.Compress)
	}
	if r := e.Route; r != nil {
		t.heading("route " + r.Name + atLine(r.Line))
		if r.Name != r.Path {
			t.line("path", r.Path)
		}
		t.line("methods", strings.Join(r.Methods, ", "))
		names := make([]string, 0, len(r.Match))
		for name, value := range r.Match {
			names = append(names, name+": "+value)
		}
		slices.Sort(names)
		t.lines("header", names)
		t.lines("access", r.Access)
		t.line("compress", r.Compress)
		t.line("tunnels", prefixed("idle up to ", r.TunnelIdle))
	}
	if l := e.Limits; l != nil {
		t.line("head", l.Header)
		t.line("body", l.Body)
		if l.Buffered {
			t.line("", "read whole before a server is asked")
		}
		t.line("response", l.Response)
	}
	if h := e.Headers; h != nil {
		t.lines("to the server", h.Request)
		t.lines("to the visitor", h.Response)
	}
}

// reasons say the words of server.Answer.Reason in plain words.
var reasons = map[string]string{
	"unknown_host":  "no site has this host",
	"no_route":      "the site has no route for this path",
	"method":        "the path has routes, but not for this method",
	"ip_denied":     "the visitor's address may not come",
	"maintenance":   "the site is under maintenance",
	"bad_host":      "the host can be read in more than one way",
	"bad_path":      "the path can be read in more than one way",
	"encoded_slash": "the path has an encoded slash, which the route does not allow",
	"bad_rewrite":   "the rewritten path is none",
	"redirect":      "a redirect",
	"respond":       "a fixed answer",
}

func (t *explainText) answer(a *server.Answer) {
	if a == nil {
		return
	}
	t.heading("answered by the door, no server is asked")
	why := a.Reason
	if text, ok := reasons[a.Reason]; ok {
		why = text
	}
	t.line("status", fmt.Sprintf("%d, %s", a.Status, why))
	t.line("location", a.Location)
	t.line("allow", strings.Join(a.Allow, ", "))
	if a.Reason == "respond" {
		t.line("body", strconv.Quote(a.Body))
	}
}

func (t *explainText) sent(e *server.Explanation) {
	if e.Sent == nil {
		return
	}
	t.heading("sent to a server")
	t.line("request", e.Sent.Method+" "+e.Sent.Target)
	t.line("host", e.Sent.Host)
	t.lines("header", e.Sent.Header)
}

func (t *explainText) origin(o *server.OriginMet) {
	if o == nil {
		return
	}
	t.heading("origin " + o.Name + atLine(o.Line))
	if o.Paused {
		t.line("paused", "all requests wait in the queue")
	}
	servers := make([]string, len(o.Servers))
	for i, s := range o.Servers {
		servers[i] = s.URL
		if s.Weight != 1 {
			servers[i] += ", weight " + strconv.Itoa(s.Weight)
		}
		if s.Limit > 0 {
			servers[i] += ", at most " + count(s.Limit, "request") + " at once"
		}
		if s.Backup {
			servers[i] += ", backup"
		}
		if s.State != "up" {
			servers[i] += ", " + s.State
		}
	}
	t.lines("servers", servers)
	t.line("balance", o.Balance)
	t.line("sticky", o.Sticky)
	t.line("transport", o.Transport+", connects within "+o.DialTimeout)
	t.lines("health", o.Health)
	t.line("at once", o.Limit)
	t.line("queue", o.Queue)
}

func (t *explainText) retry(e *server.Explanation) {
	r := e.Retry
	if r == nil {
		return
	}
	t.heading("retries of this " + e.Request.Method)
	if r.DryRun {
		t.line("dry run", "nothing is retried; what would have been is logged and counted")
	}
	t.line("attempts", fmt.Sprintf("%d in all, within %s; one attempt: %s; none with less than %s left", r.Attempts, r.Timeout, r.Try, r.MinTry))
	t.line("on", strings.Join(r.On, ", "))
	t.line("key", "Idempotency-Key: "+r.Key)
	t.line("backoff", r.Backoff)
	t.line("budget", r.Budget)
	t.line("replay", r.Replay)
	if r.HoldBody != "0" {
		t.line("hold body", "answers up to "+r.HoldBody+" are read whole before their first byte goes out")
	}
	t.buf.WriteString("\n")
	for _, v := range r.Verdicts {
		fmt.Fprintf(&t.buf, "  %d  %-58s %s\n", v.Class, v.Failure, v.Then)
	}
}

func atLine(line int) string {
	if line == 0 {
		return ""
	}
	return fmt.Sprintf(" (line %d)", line)
}

// prefixed is text with prefix, or "" for no text.
func prefixed(prefix, text string) string {
	if text == "" {
		return ""
	}
	return prefix + text
}
