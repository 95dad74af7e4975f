package config

import (
	"strings"
	"testing"
)

func TestParse_SaysTheLineOfASyntaxError(t *testing.T) {
	good := strings.Repeat("# a long file\n", 100) + string(read(t, "testdata/full.good.yaml"))
	lines := strings.Split(good, "\n")
	tests := []struct {
		name, line string
		at         int // index in lines; the line is put before it
		want       int // line that is said
	}{
		{"a key one space too far right", "   log: {}", 102, 103},
		{"a key that is not a key", "oops", 103, 104},
		{"a tab", "\tlog: {}", 104, 105},
		{"a bracket too many", "log2: {}}", 103, 104},
		{"an anchor that is not there", "log2: *gone", 103, 104},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			all := append(append(append([]string{}, lines[:tt.at]...), tt.line), lines[tt.at:]...)
			_, _, err := Parse("f", "/", []byte(strings.Join(all, "\n")), environment)
			problems, ok := err.(*Problems)
			if !ok || len(problems.List) != 1 || problems.List[0].Line < tt.want || problems.List[0].Line > tt.want+1 {
				t.Errorf("problems %v, want one in line %d", err, tt.want)
			}
		})
	}
}

func TestParse_BoundsWhatAliasesMakeOfAFile(t *testing.T) {
	var b strings.Builder
	b.WriteString("listen: {http: ':80'}\nsites:\n  - &s {hosts: [a" + strings.Repeat(", b", 5000) + "], routes: [{path: /, respond: {}}]}\n")
	b.WriteString(strings.Repeat("  - *s\n", 5000))
	_, _, err := Parse("f", "/", []byte(b.String()), environment)
	if err == nil || !strings.Contains(err.Error(), "too large once its aliases are followed") {
		t.Errorf("error %.200v", err)
	}
	deep := "listen: " + strings.Repeat("[", 5000) + strings.Repeat("]", 5000)
	if _, _, err := Parse("f", "/", []byte(deep), environment); err == nil {
		t.Error("a list is no block")
	}
	self := "listen: &l {http: *l}\nsites: &s [*s]\n"
	if _, _, err := Parse("f", "/", []byte(self), environment); err == nil {
		t.Error("an alias of itself was read")
	}
}

func TestParse_BoundsWhatItSays(t *testing.T) {
	long := strings.Repeat("x", 100_000)
	tests := []struct{ name, text string }{
		{"a long value", "listen: {http: ':80'}\nlog: {level: " + long + "}\nsites: []"},
		{"a long key", long + ": 1\nsites: []"},
		{"a long name", "origins: {" + long[:2000] + ": {}}\nsites: []"},
		{"many problems", "sites: []\n" + strings.Repeat("a: 1\n", 20_000)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := Parse("f", "/", []byte(tt.text), environment)
			problems, ok := err.(*Problems)
			if !ok || len(problems.List) > maxProblems+1 {
				t.Fatalf("error %.200v", err)
			}
			for _, p := range problems.List {
				if len(p.String()) > 4*maxQuoted {
					t.Errorf("a problem of %d bytes: %.200s", len(p.String()), p)
				}
			}
		})
	}
}
