// Package terminal knows whether a person is looking, and at how large a screen.
package terminal

import "os"

// What a terminal is told (ECMA-48, and xterm's second screen).
const (
	EnterSecond = "\x1b[?1049h\x1b[?25l" // a screen of our own, no cursor
	LeaveSecond = "\x1b[?25h\x1b[?1049l" // what was there before, and the cursor
	ToTop       = "\x1b[H"
	ClearLine   = "\x1b[K"
	ClearBelow  = "\x1b[J"
)

// Size is the size of the terminal that f is, in characters; 0 where the terminal
// does not know. ok is false when f is no terminal, or none that can move its
// cursor by what getenv says of it (TERM=dumb), and on systems other than Unix.
func Size(f *os.File, getenv func(string) string) (width, height int, ok bool) {
	if term := getenv("TERM"); term == "" || term == "dumb" {
		return 0, 0, false
	}
	return size(f)
}
