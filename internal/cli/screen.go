package cli

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/evergate/evergate/internal/terminal"
)

// screen is a terminal on which one picture replaces the other.
type screen struct {
	out  io.Writer
	size func() (width, height int) // now; it may change. 0: not known
}

// screenFor returns the screen that out is, nil for a file or a pipe.
func screenFor(out io.Writer) *screen {
	file, ok := out.(*os.File)
	if !ok {
		return nil
	}
	if _, _, ok := terminal.Size(file, os.Getenv); !ok {
		return nil
	}
	return &screen{out: out, size: func() (int, int) {
		width, height, _ := terminal.Size(file, os.Getenv)
		return width, height
	}}
}

func (s *screen) enter() error { return s.write(terminal.EnterSecond) }
func (s *screen) leave() error { return s.write(terminal.LeaveSecond) }

// draw shows lines, in one piece so that it does not flicker. What does not fit
// is counted in the last line.
func (s *screen) draw(lines []string) error {
	width, height := s.size()
	if width <= 0 || height <= 0 {
		width, height = lineWidth, 24
	}
	if len(lines) > height {
		hidden := len(lines) - height + 1
		lines = append(lines[:height-1:height-1], fmt.Sprintf("(%s more; a taller window shows them)", count(hidden, "line")))
	}
	var b strings.Builder
	b.WriteString(terminal.ToTop)
	for i, line := range lines {
		if i > 0 {
			b.WriteString("\r\n")
		}
		b.WriteString(terminal.ClearLine) // first: after a full line it would take its last character
		line = clean(line)
		if utf8.RuneCountInString(line) > width {
			line = string([]rune(line)[:width])
		}
		b.WriteString(line)
	}
	b.WriteString(terminal.ClearBelow)
	return s.write(b.String())
}

func (s *screen) write(text string) error {
	if _, err := io.WriteString(s.out, text); err != nil {
		return fmt.Errorf("draw on the terminal: %w", err)
	}
	return nil
}
