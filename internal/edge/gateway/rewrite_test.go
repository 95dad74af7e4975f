package gateway

import (
	"strings"
	"testing"

	"github.com/evergate/evergate/internal/config"
)

func TestRewriter(t *testing.T) {
	rewrite := func(match, to string) *config.Rewrite { return &config.Rewrite{Match: match, To: to} }
	tests := []struct {
		name   string
		route  config.Route
		path   string
		want   string
		refuse bool
	}{
		{"no change", config.Route{}, "/a", "/a", false},
		{"a prefix goes", config.Route{StripPrefix: "/static"}, "/static/a%20b", "/a%20b", false},
		{"the whole path may go", config.Route{StripPrefix: "/static"}, "/static", "/", false},
		{"a prefix that is encoded", config.Route{StripPrefix: "/st%61tic"}, "/static/a", "/a", false},
		{"groups", config.Route{Rewrite: rewrite("^/v1/([^/]+)/(.*)$", "/$2/of/${1}x")}, "/v1/a/b/c", "/b/c/of/ax", false},
		{"what does not fit stays", config.Route{Rewrite: rewrite("^/v1/", "/v2/")}, "/v3/x", "/v3/x", false},
		{"first the prefix, then the expression", config.Route{StripPrefix: "/api", Rewrite: rewrite("^/v1(/.*)$", "$1")}, "/api/v1/x", "/x", false},
		{"a visitor's dollar is a dollar", config.Route{Rewrite: rewrite("^/(.*)$", "/x/$1")}, "/$1", "/x/$1", false},
		{"the result is made normal", config.Route{Rewrite: rewrite("^/(.*)$", "/x//$1")}, "/a", "/x/a", false},
		{"dots that come together are refused", config.Route{Rewrite: rewrite("^/a/(.*)x(.*)$", "/a/$1$2")}, "/a/b/.x./c", "", true},
		{"half an encoding is refused", config.Route{Rewrite: rewrite("^/(.)(.*)$", "/${1}x$2")}, "/%2B", "", true},
		{"a slash that becomes an encoded one is refused", config.Route{Rewrite: rewrite("^/(.*)$", "/x%2F$1")}, "/a", "", true},
		{"but not where it is kept", config.Route{EncodedSlash: "keep", Rewrite: rewrite("^/(.*)$", "/x%2F$1")}, "/a", "/x%2Fa", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w, err := newRewriter(&tt.route)
			if err != nil {
				t.Fatal(err)
			}
			got, ok := w.apply(tt.path)
			if ok == tt.refuse || ok && got != tt.want {
				t.Errorf("%q, %t", got, ok)
			}
		})
	}
}

func TestRewrite_TheExchangeKeepsWhatWasAsked(t *testing.T) {
	d := newDoor(t, strings.Replace(plain, "path: /*, origin: shop", "path: /api/*, origin: shop, strip_prefix: /api", 1))
	d.serve(request("GET", "/api/a%20b?c"))
	got := d.servers.last()
	if x := d.seen(); x.Path != "/api/a%20b" || got.URL.RawPath != "/a%20b" || got.URL.Path != "/a b" || got.URL.RawQuery != "c" {
		t.Errorf("exchange %s, server %+v", x.Path, got.URL)
	}
}

// FuzzRewriter holds that no rewrite brings dot segments to a server.
func FuzzRewriter(f *testing.F) {
	f.Add("/a/b/.x./c")
	f.Add("/%2e/..;/x")
	w, err := newRewriter(&config.Route{StripPrefix: "/a", Rewrite: &config.Rewrite{Match: "^(.*)x(.*)$", To: "/$1$2"}})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, path string) {
		got, ok := w.apply(path)
		if !ok {
			return
		}
		for segment := range strings.SplitSeq(got, "/") {
			if segment == "." || segment == ".." {
				t.Errorf("%q became %q", path, got)
			}
		}
	})
}
