package route

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestPath(t *testing.T) {
	tests := []struct {
		name, in, want string
		wrong          error
	}{
		{name: "the root", in: "/", want: "/"},
		{name: "a plain path stays", in: "/a/b-c_d~e.f", want: "/a/b-c_d~e.f"},
		{name: "reserved characters stay", in: "/!$&'()*+,=:@", want: "/!$&'()*+,=:@"},
		{name: "encoded reserved characters stay encoded", in: "/%21%2b%40%3a", want: "/%21%2B%40%3A"},
		{name: "unreserved are decoded", in: "/%61%2Db%5f%7E", want: "/a-b_~"},
		{name: "hexadecimal digits in upper case", in: "/%c3%a9", want: "/%C3%A9"},
		{name: "letters beyond ASCII are encoded", in: "/é", want: "/%C3%A9"},
		{name: "bytes that are not UTF-8 stay encoded", in: "/%e9", want: "/%E9"},
		{name: "characters that a path may not hold are encoded", in: `/a b"<>^{|}[]` + "`", want: "/a%20b%22%3C%3E%5E%7B%7C%7D%5B%5D%60"},
		{name: "slashes are merged", in: "//a///b//", want: "/a/b/"},
		{name: "dot segments are resolved", in: "/a/./b/../c", want: "/a/c"},
		{name: "a dot segment at the end leaves a slash", in: "/a/b/..", want: "/a/"},
		{name: "a dot at the end leaves a slash", in: "/a/.", want: "/a/"},
		{name: "encoded dots are dots", in: "/a/%2e%2E/b", want: "/b"},
		{name: "half encoded dots are dots", in: "/a/.%2e/b", want: "/b"},
		{name: "three dots are a name", in: "/.../..a/.well-known", want: "/.../..a/.well-known"},
		{name: "parameters stay", in: "/a;v=1/b;jsessionid=2", want: "/a;v=1/b;jsessionid=2"},
		{name: "a parameter of the root stays", in: "/;jsessionid=2", want: "/;jsessionid=2"},
		{name: "encoded slash stays", in: "/a%2fb", want: "/a%2Fb"},
		{name: "encoded percent stays", in: "/100%25", want: "/100%25"},
		{name: "twice encoded harmless text stays", in: "/a%2520b%252Fc", want: "/a%2520b%252Fc"},
		{name: "encoded question mark and hash stay", in: "/a%3fb%23c", want: "/a%3Fb%23c"},

		{name: "not from the root", in: "a", wrong: errRelative},
		{name: "nothing", in: "", wrong: errRelative},
		{name: "above the root", in: "/../a", wrong: errAboveRoot},
		{name: "above the root, encoded", in: "/%2e%2e/a", wrong: errAboveRoot},
		{name: "above the root through a merged slash", in: "/a//../../b", wrong: errAboveRoot},
		{name: "backslash", in: `/a\..\b`, wrong: errBackslash},
		{name: "encoded backslash", in: "/a%5Cb", wrong: errBackslash},
		{name: "NUL", in: "/a%00", wrong: errControl},
		{name: "line end", in: "/a%0d%0ab", wrong: errControl},
		{name: "tab as it is", in: "/a\tb", wrong: errControl},
		{name: "DEL", in: "/%7f", wrong: errControl},
		{name: "broken percent", in: "/%zz", wrong: errPercent},
		{name: "percent at the end", in: "/a%2", wrong: errPercent},
		{name: "question mark", in: "/a?b", wrong: errDelimiter},
		{name: "hash", in: "/a#b", wrong: errDelimiter},
		{name: "dots with a parameter", in: "/a/..;x/b", wrong: errParameter},
		{name: "dots with an encoded parameter", in: "/a/..%3bx/b", wrong: errParameter},
		{name: "dot with a parameter at the end", in: "/a/.;x", wrong: errParameter},
		{name: "empty segment with a parameter", in: "/a/;x/b", wrong: errParameter},
		{name: "dots beside an encoded slash", in: "/a/..%2fb", wrong: errEncoded},
		{name: "dots between encoded slashes", in: "/a%2f..%2fb", wrong: errEncoded},
		{name: "dots encoded twice", in: "/a/%252e%252e/b", wrong: errEncoded},
		{name: "dots encoded twice, one percent more hidden", in: "/a/%25%32e%252e/b", wrong: errEncoded},
		{name: "dots encoded three times", in: "/a/%25252e%25252e/b", wrong: errEncoded},
		{name: "dots hidden by building the percent", in: "/a/%25%2532%2565./b", wrong: errEncoded},
		{name: "encoded beyond good faith", in: "/a/%25252525252e", wrong: errEncoded},
		{name: "backslash encoded twice", in: "/a%255cb", wrong: errEncoded},
		{name: "NUL encoded twice", in: "/a%2500", wrong: errEncoded},
		{name: "overlong slash", in: "/a%c0%afb", wrong: errOverlong},
		{name: "overlong dot in three bytes", in: "/%e0%80%ae", wrong: errOverlong},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Path(tt.in)
			if got != tt.want || !errors.Is(err, tt.wrong) {
				t.Errorf("Path(%q) = %q, %v; want %q, %v", tt.in, got, err, tt.want, tt.wrong)
			}
			if err != nil && !errors.Is(err, ErrPath) {
				t.Errorf("%v does not wrap ErrPath", err)
			}
		})
	}
}

// checkPath holds what every path promises.
func checkPath(t interface{ Errorf(string, ...any) }, in string) {
	normal, err := Path(in)
	if err != nil {
		if normal != "" {
			t.Errorf("Path(%q) = %q with an error", in, normal)
		}
		return
	}
	if again, err := Path(normal); err != nil || again != normal {
		t.Errorf("not idempotent: %q, then %q, then %q, %v", in, normal, again, err)
	}
	// The server's own reader and every program that decodes see what Decoded says.
	decoded, err := url.PathUnescape(normal)
	if err != nil || decoded != Decoded(normal) {
		t.Errorf("Path(%q) = %q decodes to %q, %v; want %q", in, normal, decoded, err, Decoded(normal))
	}
	u := url.URL{Path: decoded, RawPath: normal}
	if u.EscapedPath() != normal {
		t.Errorf("net/url would send %q instead of %q", u.EscapedPath(), normal)
	}
	if parsed, err := url.ParseRequestURI(normal + "?q"); err != nil || parsed.EscapedPath() != normal || parsed.RawQuery != "q" {
		t.Errorf("a server that reads %q sees %v, %v", normal, parsed, err)
	}
	// However often a server decodes, no segment is dots, and nothing is a separator in disguise.
	for form, level := normal, 0; level < 6; level++ {
		if !strings.HasPrefix(form, "/") || strings.ContainsAny(form, "\\\x00\r\n") {
			t.Errorf("Path(%q) = %q, decoded %d times %q", in, normal, level, form)
		}
		for segment := range strings.SplitSeq(form, "/") {
			if name, _, _ := strings.Cut(segment, ";"); name == "." || name == ".." {
				t.Errorf("Path(%q) = %q, decoded %d times %q", in, normal, level, form)
			}
		}
		form = unescape(form, false)
	}
	if strings.Contains(normal, "//") {
		t.Errorf("Path(%q) = %q", in, normal)
	}
	// What patterns see differs from what servers see by parameters and encoded slashes only.
	if subject := Subject(normal); !strings.Contains(decoded, ";") && !HasEncodedSlash(normal) && subject != decoded {
		t.Errorf("patterns see %q of %q, servers %q", subject, normal, decoded)
	}
	if HasEncodedSlash(normal) && !strings.Contains(strings.ToUpper(normal), "2F") {
		t.Errorf("HasEncodedSlash(%q)", normal)
	}
}

func FuzzPath(f *testing.F) {
	for _, s := range []string{
		"/", "/a/b", "//a/./../b", "/%2e%2e%2f", "/%252e/", "/a;b/..;/c", "/%C0%AF", "/%25%2532%2565", "/é/\xff", "/%5c", "/a%3b/",
		"/[x]", "/%", "/%2525252e", "/%2f%2f", "/./;", "/%25%32%35", "/a//../..",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) { checkPath(t, in) })
}

func TestPath_Properties(t *testing.T) {
	piece := rapid.SampledFrom([]string{
		"/", "/", "//", ".", "..", "%2e", "%2E", "%252e", "%2f", "%252F", "%5c", "\\", ";", "%3b", "%25", "%", "2", "5", "e", "f", "a", "B", "%00", "é", "%c0", "%af", "%32", "~", "@", "%40", " ",
	})
	rapid.Check(t, func(t *rapid.T) {
		checkPath(t, "/"+strings.Join(rapid.SliceOfN(piece, 0, 12).Draw(t, "pieces"), ""))
	})
}

func TestPath_AllocatesNothingForANormalPath(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() { p, _ := Path("/api/v1/patients/4711"); Subject(p) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestHasEncodedSlash(t *testing.T) {
	for in, want := range map[string]bool{
		"/a/b": false, "/%2F": true, "/a%20b%2Fc": true, "/%252F": true, "/%25252f": true, "/%25": false, "/%252": false, "/%202F": false, "/2F": false,
	} {
		if got := HasEncodedSlash(in); got != want {
			t.Errorf("%s: %t", in, got)
		}
	}
}

func TestSubject(t *testing.T) {
	for in, want := range map[string]string{
		"/a/b": "/a/b", "/%40me": "/@me", "/a;x=1/b;y": "/a/b", "/a%3Bx": "/a;x", "/a%2Fb": "/a%2Fb", "/;s": "/", "/%252F": "/%2F",
	} {
		if got := Subject(in); got != want {
			t.Errorf("Subject(%q) = %q, want %q", in, got, want)
		}
	}
}

func BenchmarkPath(b *testing.B) {
	for _, path := range []string{"/api/v1/patients/4711", "/files/a%20b/../c"} {
		b.Run(path, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = Path(path)
			}
		})
	}
}
