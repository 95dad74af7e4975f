package httpfield

import (
	"slices"
	"strings"
	"testing"
)

func TestHasToken(t *testing.T) {
	lines := []string{"keep-alive", " Foo ;q=1 ,, BAR,\t\u212aelvin"}
	for token, want := range map[string]bool{
		"keep-alive": true, "foo": true, "bar": true,
		"keep": false, "q=1": false, "baz": false, "kelvin": false,
	} {
		if HasToken(lines, token) != want {
			t.Errorf("%q: %t, want %t", token, !want, want)
		}
	}
	if HasToken(nil, "a") {
		t.Error("nothing holds a token")
	}
}

func FuzzHasToken(f *testing.F) {
	f.Add("close, X-A,,x-b;q=1", "x-b")
	f.Add(" ,;,", "close")
	f.Add("K", "\u212a")
	f.Fuzz(func(t *testing.T, line, token string) {
		if token == "" || strings.ContainsAny(token, ",; \t") {
			return // no token
		}
		var items []string
		for item := range strings.SplitSeq(line, ",") {
			before, _, _ := strings.Cut(item, ";")
			items = append(items, foldASCII(strings.Trim(before, " \t")))
		}
		if got, want := HasToken([]string{line}, token), slices.Contains(items, foldASCII(token)); got != want {
			t.Errorf("%q in %q: %t, want %t", token, line, got, want)
		}
	})
}

// foldASCII is the plain way to say what EqualFold does without a copy.
func foldASCII(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c - 'A' + 'a'
		}
	}
	return string(b)
}
