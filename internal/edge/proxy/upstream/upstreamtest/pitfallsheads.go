package upstreamtest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/evergate/evergate/internal/exchange"
)

func (s *suite) badStatusLines(t *testing.T) {
	for _, line := range []string{
		"HTTP/1.1 1000 Too Much", "HTTP/1.1 099 Too Little", "HTTP/1.1 abc Letters", "200 OK", "HTTP/1.1", "HTTP/1.1 20",
		"HTTP/1.1 -20 Minus", "hello", "HTTP/one 200 OK", "",
	} {
		t.Run(line, func(t *testing.T) {
			server := Serve(t, func(c *Conn) {
				if c.Request() == nil {
					return
				}
				if c.Number == 1 {
					c.Say(line, "\r\nContent-Length: 0\r\n\r\n")
					c.Gone()
					return
				}
				c.Answer("fine")
			})
			tr := s.transport(t, server, Config{})
			o := do(t, tr, get("/"))
			wantError(t, o.err, exchange.FullySent, exchange.BadResponse)
			eventually(t, "the connection is closed", func() bool { return tr.Stats().Open == 0 })
			if o := must(t, tr, get("/")); o.body != "fine" {
				t.Errorf("the next answer is %q", o.body)
			}
		})
	}
}

func (s *suite) largeHeader(t *testing.T) {
	for name, fields := range map[string]string{
		"in one field":    "X-Large: " + strings.Repeat("x", 70<<10) + "\r\n",
		"in many fields":  strings.Repeat("X-F: 1\r\n", 201),
		"without an end":  strings.Repeat("x", 200<<10),
		"in empty fields": strings.Repeat("X:\r\n", 20<<10),
	} {
		t.Run(name, func(t *testing.T) {
			server := Serve(t, func(c *Conn) {
				if c.Request() == nil {
					return
				}
				if c.Number == 1 {
					c.Say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n", fields, "\r\n")
					if c.Request() == nil {
						return
					}
				}
				c.Answer("fine")
			})
			tr := s.transport(t, server, Config{})
			o := do(t, tr, get("/"))
			wantError(t, o.err, exchange.FullySent, exchange.BadResponse)
			if o := must(t, tr, get("/")); o.body != "fine" {
				t.Errorf("the next answer is %q", o.body)
			}
		})
	}
	t.Run("just below the limits is fine", func(t *testing.T) {
		server := Serve(t, Replies("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Large: "+strings.Repeat("x", 60<<10)+"\r\n"+strings.Repeat("X-F: 1\r\n", 150)+"\r\n"))
		o := must(t, s.transport(t, server, Config{}), get("/"))
		if len(o.get("X-Large")) != 60<<10 {
			t.Errorf("%d bytes of the field arrived", len(o.get("X-Large")))
		}
	})
}

func (s *suite) hopByHop(t *testing.T) {
	got := make(chan string, 1)
	server := Serve(t, func(c *Conn) {
		got <- c.Head()
		c.Say("HTTP/1.1 200 OK\r\nConnection: close, x-a\r\nX-A: 1\r\nconnection: X-B\r\nX-B: 2\r\nContent-Length: 0\r\n\r\n")
		c.Gone()
	})
	tr := s.transport(t, server, Config{})
	req := get("/")
	req.Header["Connection"] = []string{"close, x-a"}
	req.Header["Keep-Alive"] = []string{"timeout=5"}
	req.Header["Transfer-Encoding"] = []string{"chunked"}
	req.Header["Content-Length"] = []string{"7"}
	req.Header["Upgrade"] = []string{"h2c"}
	req.Header["Te"] = []string{"gzip"}
	o := must(t, tr, req)
	head := strings.ToLower(<-got)
	for _, name := range []string{"connection:", "keep-alive:", "transfer-encoding:", "content-length:", "upgrade:", "te:"} {
		if strings.Contains(head, "\n"+name) {
			t.Errorf("%s was sent:\n%s", name, head)
		}
	}
	var lines []string
	for _, f := range o.fields {
		if f.Name == "Connection" {
			lines = append(lines, f.Value)
		}
	}
	if fmt.Sprint(lines) != "[close, x-a X-B]" {
		t.Errorf("Connection lines of the response: %q", lines)
	}
	eventually(t, "the connection is closed", func() bool { return tr.Stats().Open == 0 })
}

func (s *suite) queryBytes(t *testing.T) {
	got := make(chan string, 1)
	server := Serve(t, func(c *Conn) {
		for {
			head := c.Head()
			if head == "" {
				return
			}
			got <- head
			c.Answer("")
		}
	})
	tr := s.transport(t, server, Config{})
	for _, target := range []string{
		"/?a=1;b=2", "/?", "/a%2fb/%7e?x=%zz&y=%20+", "/;p?q;r", "/?a=b?c=d#", "/a//b/../c", "//double?x", "/\xc3\xa4?\xff", "/a'b\"c|d?{}^`",
	} {
		t.Run(target, func(t *testing.T) {
			must(t, tr, get(target))
			if head := <-got; !strings.HasPrefix(head, "GET "+target+" HTTP/1.1\r\n") {
				t.Errorf("sent %q", head)
			}
		})
	}
}
