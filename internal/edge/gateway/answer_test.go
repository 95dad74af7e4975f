package gateway

import (
	"net/http"
	"testing"

	"github.com/evergate/evergate/internal/config"
)

func TestAnswer(t *testing.T) {
	const file = `listen: {http: ":80"}
sites:
  - hosts: [shop.test]
    routes:
      - {path: /hello, respond: {body: "hello", content_type: text/x-hello}}
      - {path: /empty, respond: {status: 204}}
      - {path: /teapot, respond: {status: 418}}
      - {path: /old/*, redirect: {to: "https://new.test{path}{query}"}}
      - {path: /fixed, redirect: {to: "/there?a=b", status: 302}}
`
	tests := []struct {
		name, method, target, body string
		status                     int
		header                     map[string]string
	}{
		{"a fixed answer", "GET", "/hello", "hello", 200, map[string]string{"Content-Type": "text/x-hello", "Content-Length": "5"}},
		{"to HEAD", "HEAD", "/hello", "", 200, map[string]string{"Content-Type": "text/x-hello", "Content-Length": "5"}},
		{"without content", "GET", "/empty", "", 204, map[string]string{"Content-Type": "", "Content-Length": ""}},
		{"without a body", "GET", "/teapot", "", 418, map[string]string{"Content-Type": "", "Content-Length": "0"}},
		{"a redirect with path and query", "GET", "/old/%40/x?{path}=%20", "", 308, map[string]string{"Location": "https://new.test/old/%40/x?{path}=%20"}},
		{"a redirect that gets neither", "GET", "/fixed?x", "", 302, map[string]string{"Location": "/there?a=b"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newDoor(t, file)
			res := d.serve(request(tt.method, tt.target))
			if got := text(t, res); res.StatusCode != tt.status || got != tt.body {
				t.Errorf("%d %q, want %d %q", res.StatusCode, got, tt.status, tt.body)
			}
			for name, want := range tt.header {
				if got := res.Header.Get(name); got != want {
					t.Errorf("%s is %q, want %q", name, got, want)
				}
			}
		})
	}
}

func TestRedirect_NothingIsExpandedTwice(t *testing.T) {
	tests := []struct{ to, path, query, want string }{
		{"/new{path}{query}", "/a", "b", "/new/a?b"},
		{"/new{path}{query}", "/a", "", "/new/a"},
		{"/x{query}", "/a", "{path}", "/x?{path}"},
		{"{query}", "/a", "", ""},
		{"https://x{path}#{path}", "/{query}", "q", "https://x/{query}#/{query}"},
	}
	for _, tt := range tests {
		if got := newRedirect(&config.Redirect{To: tt.to, Status: http.StatusFound}).to(tt.path, tt.query); got != tt.want {
			t.Errorf("%s with %s and %s is %s, want %s", tt.to, tt.path, tt.query, got, tt.want)
		}
	}
}
