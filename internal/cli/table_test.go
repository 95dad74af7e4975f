package cli

import (
	"strings"
	"testing"
)

func TestTable_LinesUp(t *testing.T) {
	table := newTable("NAME", ">QUEUE", "WHY")
	table.row("a", "7", "")
	table.row("größer", "1200", "too\x1b[2J many")
	table.note("a line of its own")
	want := `
NAME    QUEUE  WHY
a           7  -
größer   1200  too?[2J many
    a line of its own`
	if got := "\n" + strings.Join(table.lines(), "\n"); got != want {
		t.Errorf("got %s", got)
	}
	if lines := newTable("A").lines(); lines != nil {
		t.Errorf("without rows there is %q", lines)
	}
}

func TestWrap(t *testing.T) {
	long := strings.Repeat("x", 90)
	tests := []struct{ name, text, want string }{
		{"nothing", "", ""},
		{"a short text", "a  b\nc", "  a b c"},
		{"a text that is longer than a line", strings.Repeat("word ", 16), "  " + strings.TrimSpace(strings.Repeat("word ", 15)) + "\n  word"},
		{"a word that is longer than a line", "a " + long + " b", "  a\n  " + long + "\n  b"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := strings.Join(wrap("  ", tt.text), "\n"); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestClean_TakesOutWhatSteersATerminal(t *testing.T) {
	if got := clean("a\x1b]0;x\x07b\u202ec\u009bd\xff"); got != "a?]0;x?b?c?d?" {
		t.Errorf("got %q", got)
	}
}
