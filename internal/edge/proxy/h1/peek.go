package h1

// peeked is what a look at an idle socket found.
type peeked uint8

const (
	peekClosed  peeked = iota // the server closed it, or it is broken
	peekNothing               // open, and nothing to read
	peekData                  // there is something to read
)
