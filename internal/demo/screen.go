package demo

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/evergate/evergate/internal/terminal"
)

const unstyled = "\x1b[0m"

var styles = map[style]string{strong: "\x1b[1m", faint: "\x1b[2m", good: "\x1b[32m", bad: "\x1b[33m"}

// screen is a terminal that a picture is drawn on again and again.
type screen struct {
	out   io.Writer
	size  func() (width, height int) // now; it may change
	color bool
}

// screenFor returns the screen that out is, or nil when it is none: a file, a
// pipe, a terminal that cannot move its cursor (TERM=dumb).
func screenFor(out io.Writer, getenv func(string) string) *screen {
	file, ok := out.(*os.File)
	if !ok {
		return nil
	}
	if _, _, ok := terminal.Size(file, getenv); !ok {
		return nil
	}
	return &screen{
		out:   out,
		color: getenv("NO_COLOR") == "", // no-color.org
		size: func() (int, int) {
			width, height, _ := terminal.Size(file, getenv)
			return width, height
		},
	}
}

// enter takes the terminal over until leave.
func (s *screen) enter() error { return s.write(terminal.EnterSecond) }
func (s *screen) leave() error { return s.write(terminal.LeaveSecond) }

// draw shows the picture that fits the terminal, in one piece so that it does not
// flicker. What does not fit is left out at the end.
func (s *screen) draw(picture func(width int) []line) error {
	width, height := s.size()
	if width <= 0 || height <= 0 {
		width, height = 80, 24 // it does not know
	}
	lines := picture(width)
	lines = lines[:min(len(lines), height)]
	var b bytes.Buffer
	b.WriteString(terminal.ToTop)
	for i, l := range lines {
		if i > 0 {
			b.WriteString("\r\n")
		}
		b.WriteString(terminal.ClearLine) // first: after a full line it would take its last character
		b.WriteString(l.render(width, s.color))
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

// render is the line as text of at most width characters.
func (l line) render(width int, color bool) string {
	var b strings.Builder
	for _, p := range l {
		text := p.text
		if n := utf8.RuneCountInString(text); n > width {
			text = string([]rune(text)[:width])
		}
		width -= utf8.RuneCountInString(text)
		if code := styles[p.style]; code != "" && color && text != "" {
			text = code + text + unstyled
		}
		b.WriteString(text)
	}
	return strings.TrimRight(b.String(), " ")
}
