package demo

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

var update = flag.Bool("update", false, "write the golden files anew")

func sample() figures {
	f := figures{
		ran:      83*time.Second + 400*time.Millisecond,
		get:      column{sent: 12800, failed: 3, logged: 12799},
		post:     column{sent: 3200, failed: 570, logged: 3200},
		carried:  241,
		attempts: 20800,
		servers:  map[string]work{"127.0.0.2:40001": {7000, 1740}, "127.0.0.3:40001": {6900, 1730}, "127.0.0.4:40001": {0, 0}},
		states:   map[string]string{"127.0.0.2:40001": "up", "127.0.0.3:40001": "ramping", "127.0.0.4:40001": "ejected"},
	}
	f.get.first = [kinds]int{9599, 600, 800, 250, 500, 800, 250, 0}
	f.get.last = [kinds]int{12796, 1, 0, 1, 0, 1, 0, 0}
	f.post.first = [kinds]int{2400, 150, 200, 60, 120, 210, 60, 0}
	f.post.last = [kinds]int{2630, 0, 205, 61, 124, 118, 62, 0}
	return f
}

// text is lines as a terminal without colours shows them.
func text(lines []line, width int) string {
	var b strings.Builder
	for _, l := range lines {
		b.WriteString(l.render(width, false) + "\n")
	}
	return b.String()
}

func TestView_Picture(t *testing.T) {
	v := &view{
		head:   heading(Options{Rate: 200, Seed: 42}),
		places: []line{{{strong, "ask      "}, {plain, "http://127.0.0.1:8080/patients/7"}}},
	}
	f := sample()
	for _, tt := range []struct {
		name  string
		width int
	}{{"wide", 120}, {"narrow", 60}} {
		got := text(v.picture(&f, tt.width), tt.width)
		path := filepath.Join("testdata", tt.name+".golden")
		if *update {
			if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s differs from its golden file; -update writes it anew:\n%s", tt.name, got)
		}
	}
}

func TestLine_NeverWiderThanTheTerminal(t *testing.T) {
	v := &view{head: heading(Options{Rate: 200, Seed: 42})}
	f := sample()
	for _, width := range []int{1, 20, 40, 58, 60, 80, 200} {
		for _, l := range strings.Split(text(v.picture(&f, width), width), "\n") {
			if utf8.RuneCountInString(l) > width {
				t.Errorf("width %d: %q", width, l)
			}
		}
	}
	for _, l := range strings.Split(text(v.picture(&f, narrowest), 1000), "\n") {
		if utf8.RuneCountInString(l) > narrowest {
			t.Errorf("wider than the narrowest terminal: %q", l)
		}
	}
}

func TestFigures_Sentence(t *testing.T) {
	f := sample()
	want := "1m23s: GET 12800, failed without the door 25.00 %, with it 0.02 %; POST 3200, 25.00 % and 17.81 %; " +
		"orders carried out twice: 0; servers: up, ramping, ejected"
	if got := f.sentence(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	var nothing figures
	if got := nothing.sentence(); !strings.Contains(got, "failed without the door - %") {
		t.Errorf("before the first request: %s", got)
	}
}

func TestWrap(t *testing.T) {
	tests := []struct {
		name, text string
		width      int
		want       []string
	}{
		{"short text stays", "a b", 10, []string{"a b"}},
		{"breaks between words", "one two three", 7, []string{"one two", "three"}},
		{"a long word stands alone", "a verylongword b", 5, []string{"a", "verylongword", "b"}},
		{"nothing is no line", "", 5, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := wrap(tt.text, tt.width); strings.Join(got, "|") != strings.Join(tt.want, "|") {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
