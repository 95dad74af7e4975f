package upstreamtest

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"
)

// endless is a body that never ends by itself and counts what was read of it.
type endless struct{ read atomic.Int64 }

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	e.read.Add(int64(len(p)))
	return len(p), nil
}

// blocked is a body whose visitor sends first, and then nothing until Interrupt.
type blocked struct {
	first   io.Reader
	waiting chan struct{} // closed when a Read waits
	over    chan struct{}
	once    sync.Once
	waits   sync.Once
	late    atomic.Int64 // Reads that began after Interrupt
}

func newBlocked(first io.Reader) *blocked {
	return &blocked{first: first, waiting: make(chan struct{}), over: make(chan struct{})}
}

var errInterrupted = errors.New("interrupted")

func (b *blocked) Read(p []byte) (int, error) {
	select {
	case <-b.over:
		b.late.Add(1)
	default:
	}
	if n, err := b.first.Read(p); n > 0 || err == nil {
		return n, nil
	}
	b.waits.Do(func() { close(b.waiting) })
	<-b.over
	return 0, errInterrupted
}

func (b *blocked) Interrupt() { b.once.Do(func() { close(b.over) }) }

// gated gives its second part only after open was closed.
type gated struct {
	parts []io.Reader
	open  chan struct{}
	part  int
}

func (g *gated) Read(p []byte) (int, error) {
	for g.part < len(g.parts) {
		if g.part == 1 {
			<-g.open
		}
		n, err := g.parts[g.part].Read(p)
		if n > 0 {
			return n, nil
		}
		if err != nil {
			g.part++
		}
	}
	return 0, io.EOF
}

// failing gives first and then an error.
type failing struct {
	first io.Reader
	err   error
}

func (f *failing) Read(p []byte) (int, error) {
	if n, err := f.first.Read(p); n > 0 || err == nil {
		return n, nil
	}
	return 0, f.err
}

// panicking panics.
type panicking struct{}

func (panicking) Read([]byte) (int, error) { panic("a body that panics") }

// counted counts the Reads of a body.
type counted struct {
	io.Reader
	reads atomic.Int64
}

func (c *counted) Read(p []byte) (int, error) {
	c.reads.Add(1)
	return c.Reader.Read(p)
}
