package route

import (
	"errors"
	"strings"
	"testing"
)

func TestRewritten(t *testing.T) {
	tests := []struct {
		name, path, want string
		bad              bool
	}{
		{"a normal path stays", "/a/b", "/a/b", false},
		{"what can only be encoded is", "/a b", "/a%20b", false},
		{"slashes that met are one", "/a//b", "/a/b", false},
		{"two dots that came together are refused", "/x/../c", "", true},
		{"so is one dot at the end", "/x/.", "", true},
		{"so are dots that are encoded", "/x/%2e%2E/c", "", true},
		{"names that begin with a dot are names", "/.well-known/..x", "/.well-known/..x", false},
		{"what Path refuses is refused", "/a\\b", "", true},
		{"a rewrite must leave a path", "a", "", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Rewritten(tt.path)
			if got != tt.want || (err != nil) != tt.bad || err != nil && !errors.Is(err, ErrPath) {
				t.Errorf("Rewritten(%q) is %q, %v", tt.path, got, err)
			}
		})
	}
}

func TestCutPrefix(t *testing.T) {
	tests := []struct {
		name, path, prefix, want string
		ok                       bool
	}{
		{"a segment", "/static/app.js", "/static", "/app.js", true},
		{"all of it leaves the root", "/static", "/static", "/", true},
		{"a slash at the end stays", "/static/", "/static", "/", true},
		{"half a segment is none", "/statics/app.js", "/static", "/statics/app.js", false},
		{"too short", "/sta", "/static", "/sta", false},
		{"two segments", "/a/b/c", "/a/b", "/c", true},
		{"a letter that is encoded is that letter", "/a%40b/c", "/a@b", "/c", true},
		{"parameters of cut segments go too", "/a;x=1/b;y/c;z", "/a/b", "/c;z", true},
		{"parameters of the last segment go too", "/a;x=1", "/a", "/", true},
		{"an encoded slash is no end", "/a%2Fb", "/a", "/a%2Fb", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, ok := CutPrefix(tt.path, tt.prefix); got != tt.want || ok != tt.ok {
				t.Errorf("CutPrefix(%q, %q) is %q, %t, want %q, %t", tt.path, tt.prefix, got, ok, tt.want, tt.ok)
			}
		})
	}
}

func FuzzCutPrefix(f *testing.F) {
	f.Add("/a;x/%40b/c", "/a/@b")
	f.Fuzz(func(t *testing.T, path, prefix string) {
		normal, err := Path(path)
		if err != nil || !strings.HasPrefix(prefix, "/") || strings.HasSuffix(prefix, "/") {
			t.Skip()
		}
		rest, ok := CutPrefix(normal, prefix)
		if rest == "" || rest[0] != '/' || !strings.HasSuffix(normal, rest) && rest != "/" {
			t.Errorf("CutPrefix(%q, %q) is %q", normal, prefix, rest)
		}
		if again, err := Rewritten(rest); ok && (err != nil || again != rest) {
			t.Errorf("%q is not normal: %q, %v", rest, again, err)
		}
	})
}
