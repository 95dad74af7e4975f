package replay

import (
	"fmt"
	"io"
)

// Watch is told when a Reader waits for the visitor. Its methods are called with
// the body's lock held and must not block.
type Watch interface {
	Waiting()  // a Read waits for the visitor from now on
	Received() // it waits no longer
}

// Reader reads the body for one attempt: first what is kept, then what the
// visitor sends. Nothing that happens to a Reader touches what is kept.
// Interrupt may be called from any goroutine.
type Reader struct {
	b           *Body
	watch       Watch
	at          int64
	interrupted bool // guarded by b.mu
}

// Interrupt makes a Read that waits for the visitor, and every later one,
// return ErrInterrupted.
func (r *Reader) Interrupt() {
	r.b.mu.Lock()
	defer r.b.mu.Unlock()
	r.interrupted = true
	r.b.cond.Broadcast()
}

// Read implements io.Reader. Errors: the source's, ErrInterrupted, ErrLost, or
// what the disk says.
func (r *Reader) Read(p []byte) (int, error) {
	b := r.b
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(p) == 0 {
		return 0, nil
	}
	waited := false
	for {
		if r.interrupted {
			return 0, ErrInterrupted
		}
		if waited && (r.at < b.read || b.err != nil) {
			if r.watch != nil {
				r.watch.Received()
			}
			waited = false
		}
		if r.at < b.read {
			n, err := r.copy(p)
			r.at += int64(n)
			if err == nil && r.at == b.read && b.err != nil {
				err = b.err // saves a Read, and lets a transport see the end with the last byte
			}
			return n, err
		}
		if b.err != nil {
			return 0, b.err
		}
		if !waited && r.watch != nil {
			r.watch.Waiting()
		}
		waited = true
		b.demand = true
		b.run()
		b.cond.Wait()
	}
}

// copy copies bytes from r.at, which have been read from the source.
func (r *Reader) copy(p []byte) (int, error) {
	b := r.b
	if inTail := r.at >= b.tailAt && r.at < b.tailAt+int64(len(b.tail)); inTail {
		// The last piece stays where it is: with all before it kept, nothing is lost.
		if last := b.err != nil && b.tailAt == b.inMem+b.inFile; b.why != Kept && !last {
			b.lose()
		}
		return copy(p, b.tail[r.at-b.tailAt:]), nil
	}
	if b.lost {
		return 0, ErrLost
	}
	if r.at < b.inMem {
		at := r.at
		for _, k := range b.blocks {
			if at < int64(k.n) {
				return copy(p, k.data[at:k.n]), nil
			}
			at -= int64(k.n)
		}
	}
	from := r.at - b.inMem
	if left := b.inFile - from; int64(len(p)) > left {
		p = p[:left]
	}
	n, err := b.file.ReadAt(p, from)
	if err != nil && (n < len(p) || err != io.EOF) { //nolint:errorlint // files return it bare
		err = fmt.Errorf("read a spill file: %w", err)
		b.store.failed(err)
		b.why = DiskError
		b.lose()
		return n, err
	}
	return n, nil
}
