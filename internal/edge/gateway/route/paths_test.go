package route

import (
	"net/http"
	"slices"
	"testing"

	"github.com/evergate/evergate/internal/config"
)

func TestPaths_Find(t *testing.T) {
	routes := []*config.Route{
		{Name: "all", Path: "/*"},
		{Name: "api", Path: "/api/*"},
		{Name: "api post", Path: "/api/*", Methods: []string{"post"}},
		{Name: "api post json", Path: "/api/*", Methods: []string{"POST"}, Match: header("content-type", "application/json")},
		{Name: "users", Path: "/api/users/*"},
		{Name: "one user", Path: "/api/users/me"},
		{Name: "at", Path: "/a%74/@me"},
		{Name: "first", Path: "/twice"},
		{Name: "second", Path: "/twice"},
		{Name: "any version", Path: "/v", Match: header("X-Version", "*")},
		{Name: "get only", Path: "/get", Methods: []string{"GET"}},
	}
	p, err := NewPaths(routes)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, method, path, header, value, want string }{
		{"what no other route takes", "GET", "/x", "", "", "all"},
		{"a prefix takes what is below", "GET", "/api/x", "", "", "api"},
		{"a prefix takes itself", "GET", "/api", "", "", "api"},
		{"a prefix with a slash", "GET", "/api/", "", "", "api"},
		{"a prefix ends at a slash", "GET", "/apix", "", "", "all"},
		{"a condition wins", "POST", "/api/x", "", "", "api post"},
		{"more conditions win", "POST", "/api/x", "Content-Type", "application/json", "api post json"},
		{"a longer prefix wins, whatever the conditions of the shorter", "POST", "/api/users/x", "", "", "users"},
		{"an exact path wins", "GET", "/api/users/me", "", "", "one user"},
		{"letter case counts", "GET", "/API/x", "", "", "all"},
		{"encoded and literal are the same", "GET", "/at/%40me", "", "", "at"},
		{"a parameter is no part of the path", "GET", "/api;x/users;y/me;z", "", "", "one user"},
		{"the first of two equal ones", "GET", "/twice", "", "", "first"},
		{"any value", "GET", "/v", "X-Version", "7", "any version"},
		{"a condition that does not hold leads on", "GET", "/v", "", "", "all"},
		{"HEAD goes where GET goes", "HEAD", "/get", "", "", "get only"},
		{"another method leads on", "PUT", "/get", "", "", "all"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			normal, err := Path(tt.path)
			if err != nil {
				t.Fatal(err)
			}
			header := http.Header{}
			if tt.header != "" {
				header.Set(tt.header, tt.value)
			}
			i := p.Find(Subject(normal), tt.method, header)
			if i == None || routes[i].Name != tt.want {
				t.Errorf("%s %s leads to %d, want %q", tt.method, tt.path, i, tt.want)
			}
		})
	}
}

func TestPaths_Allowed(t *testing.T) {
	p, err := NewPaths([]*config.Route{
		{Path: "/a", Methods: []string{"GET"}},
		{Path: "/a", Methods: []string{"PUT", "POST"}},
		{Path: "/b", Methods: []string{"GET"}, Match: header("X", "1")},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := p.Allowed("/a", nil), []string{"GET", "HEAD", "POST", "PUT"}; !slices.Equal(got, want) {
		t.Errorf("/a allows %v, want %v", got, want)
	}
	for _, path := range []string{"/b", "/c"} {
		if p.Find(path, "DELETE", nil) != None || p.Allowed(path, nil) != nil {
			t.Errorf("%s is a matter of the method", path)
		}
	}
}

func TestNewPaths_RefusesPatternsThatFitNothing(t *testing.T) {
	for _, path := range []string{"a", "/a*", "/*/a", "/a?b", "/a\\b", "/a;b", "/../a", ""} {
		if path == "" {
			continue // the configuration demands a path
		}
		if _, err := NewPaths([]*config.Route{{Path: path}}); err == nil {
			t.Errorf("%q was accepted", path)
		}
	}
}

func TestPaths_FindAllocatesNothing(t *testing.T) {
	p, err := NewPaths([]*config.Route{{Path: "/*"}, {Path: "/a/*"}, {Path: "/a/b/*", Methods: []string{"POST"}, Match: header("X", "1")}})
	if err != nil {
		t.Fatal(err)
	}
	header := http.Header{"X": {"2"}}
	if n := testing.AllocsPerRun(100, func() { p.Find("/a/b/c/d", "POST", header) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkPaths_Find(b *testing.B) {
	p, err := NewPaths([]*config.Route{{Path: "/*"}, {Path: "/static/*"}, {Path: "/api/v1/*"}, {Path: "/healthz"}})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		p.Find("/api/v1/patients/4711", "GET", nil)
	}
}

// header is the condition that a field has a value.
func header(name, value string) map[string]config.HeaderValue {
	return map[string]config.HeaderValue{name: config.NewHeaderValue(value)}
}
