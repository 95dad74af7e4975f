package demo

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/evergate/evergate/internal/terminal"
)

func TestScreen_DrawsWhatFits(t *testing.T) {
	picture := func(int) []line {
		return []line{{{strong, "title"}, {plain, " and more than fits"}}, {{good, "0.00"}}, {{plain, "below the edge"}}}
	}
	tests := []struct {
		name          string
		width, height int
		color         bool
		want          string
	}{
		{"lines are cut at the right and at the bottom", 9, 2, false, terminal.ToTop + terminal.ClearLine + "title and\r\n" + terminal.ClearLine + "0.00" + terminal.ClearBelow},
		{"with colours", 9, 2, true, terminal.ToTop + terminal.ClearLine + "\x1b[1mtitle\x1b[0m and\r\n" + terminal.ClearLine + "\x1b[32m0.00\x1b[0m" + terminal.ClearBelow},
		{"a terminal that does not know its size", 0, 0, false,
			terminal.ToTop + terminal.ClearLine + "title and more than fits\r\n" + terminal.ClearLine + "0.00\r\n" + terminal.ClearLine + "below the edge" + terminal.ClearBelow},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var b bytes.Buffer
			s := &screen{out: &b, color: tt.color, size: func() (int, int) { return tt.width, tt.height }}
			if err := s.draw(picture); err != nil {
				t.Fatal(err)
			}
			if b.String() != tt.want {
				t.Errorf("got  %q\nwant %q", b.String(), tt.want)
			}
		})
	}
}

func TestScreenFor_IsNilForWhatIsNoTerminal(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	env := func(string) string { return "xterm" }
	if screenFor(file, env) != nil || screenFor(null, env) != nil || screenFor(&strings.Builder{}, env) != nil {
		t.Error("a file, /dev/null or a buffer was taken for a terminal")
	}
}
