package client

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
)

func events(t *testing.T, text string) []Event {
	t.Helper()
	r := newEventReader(strings.NewReader(text), nil)
	var all []Event
	for {
		e, err := r.next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
	}
}

func TestEventReader(t *testing.T) {
	tests := []struct {
		name, text string
		want       []Event
	}{
		{"nothing", "", nil},
		{"one event", "event: lever\ndata: {}\n\n", []Event{{Name: "lever", Data: []byte("{}")}}},
		{"without a name it is a message", "data: x\n\n", []Event{{Name: "message", Data: []byte("x")}}},
		{"data over several lines", "data: a\ndata\ndata:  b\n\n", []Event{{Name: "message", Data: []byte("a\n\n b")}}},
		{"an id stays until another one comes", "id: 7\ndata: a\n\ndata: b\n\n", []Event{{"7", "message", []byte("a")}, {"7", "message", []byte("b")}}},
		{"comments and unknown fields are passed over", ": hello\nretry: 10\nfoo: bar\ndata: a\n\n", []Event{{Name: "message", Data: []byte("a")}}},
		{"a name without data is no event", "event: x\n\ndata: a\n\n", []Event{{Name: "message", Data: []byte("a")}}},
		{"lines that end in CR, LF and both", "event: a\r\ndata: b\rdata: c\n\r\n", []Event{{Name: "a", Data: []byte("b\nc")}}},
		{"a byte order mark", "\ufeffdata: a\n\n", []Event{{Name: "message", Data: []byte("a")}}},
		{"an event that did not arrive whole", "data: a\n\ndata: b\n", []Event{{Name: "message", Data: []byte("a")}}},
		{"a line that did not arrive whole", "data: a\n\ndata: b\n\nda", []Event{{Name: "message", Data: []byte("a")}, {Name: "message", Data: []byte("b")}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := events(t, tt.text); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestEventReader_IsBounded(t *testing.T) {
	line := "data: " + strings.Repeat("x", maxEvent/4) + "\n"
	tests := []struct{ name, text string }{
		{"a line", "data: " + strings.Repeat("x", maxEvent) + "\n\n"},
		{"many lines", strings.Repeat(line, 5) + "\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := newEventReader(strings.NewReader(tt.text), nil).next(); !errors.Is(err, errEventTooLarge) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func FuzzEventReader(f *testing.F) {
	f.Add("event: lever\ndata: {}\n\n")
	f.Add("\ufeffid: 1\r\ndata: a\rdata:b\n\n:x\n\n")
	f.Fuzz(func(t *testing.T, text string) {
		all := events(t, text)
		// What was read, written out again, reads the same.
		var b strings.Builder
		for _, e := range all {
			fmt.Fprintf(&b, "id: %s\nevent: %s\n", e.ID, e.Name)
			for line := range strings.SplitSeq(string(e.Data), "\n") {
				fmt.Fprintf(&b, "data: %s\n", line)
			}
			b.WriteString("\n")
		}
		if again := events(t, b.String()); !reflect.DeepEqual(again, all) {
			t.Errorf("%q was read as %q, and again as %q", text, all, again)
		}
	})
}
