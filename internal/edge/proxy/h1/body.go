package h1

import (
	"io"
	"sync"

	"github.com/evergate/evergate/internal/edge/proxy/upstream"
)

type bodyKind uint8

const (
	bodyNone       bodyKind = iota
	bodyLength              // left bytes to come
	bodyChunked             // left bytes of the current chunk to come
	bodyUntilClose          // until the server closes
)

// body is how much of a response body is still to come.
type body struct {
	kind    bodyKind
	left    int64
	chunk   chunked
	err     error // how it ended: io.EOF, or what Read answers from now on
	trailer []upstream.Field
}

// done reports whether the whole body was read.
func (b *body) done() bool {
	return b.err == io.EOF || (b.err == nil && b.kind == bodyLength && b.left == 0) //nolint:errorlint // set bare
}

// bodyReader reads the response's body. It is an io.WriterTo too, which saves
// the copy from the connection's buffer into another one.
type bodyReader reply

// Large bodies go through large pieces: half of what they cost is system calls.
// But a visitor who takes nothing for a while holds on to the memory of a piece,
// so that only so many bodies at once have large ones.
const (
	pieceSize      = 32 << 10
	largePieceSize = 128 << 10
	largePieces    = 128 // of one transport at once
)

var (
	pieces    = sync.Pool{New: func() any { b := make([]byte, pieceSize); return &b }}
	largePool = sync.Pool{New: func() any { b := make([]byte, largePieceSize); return &b }}
)

// takePiece returns memory for a body of which left bytes are to come (negative:
// nobody knows), and what gives it back.
func (t *Transport) takePiece(left int64) (piece []byte, give func()) {
	if left > pieceSize {
		if t.largeInUse.Add(1) <= largePieces {
			b := largePool.Get().(*[]byte)
			return *b, func() { largePool.Put(b); t.largeInUse.Add(-1) }
		}
		t.largeInUse.Add(-1)
	}
	b := pieces.Get().(*[]byte)
	return *b, func() { pieces.Put(b) }
}

// Read implements io.Reader.
func (r *bodyReader) Read(p []byte) (int, error) {
	a := (*reply)(r)
	if a.c == nil {
		return 0, errClosed
	}
	if len(p) == 0 {
		return 0, nil
	}
	in := a.c.in
	piece, err := a.piece()
	if err != nil {
		return 0, err
	}
	if piece > 0 {
		n := copy(p, in.buf[in.r:in.r+piece])
		return n, a.used(n)
	}
	if len(p) >= inboxSize/2 {
		n, err := a.direct(p)
		if err != nil {
			return 0, err
		}
		return n, a.took(n)
	}
	if err := a.fill(); err != nil {
		return 0, err
	}
	piece, err = a.piece()
	if err != nil {
		return 0, err
	}
	n := copy(p, in.buf[in.r:in.r+piece])
	return n, a.used(n)
}

// Buffered is how many bytes of the connection have been read and not used yet:
// with 0, a Read may wait.
func (r *bodyReader) Buffered() int {
	a := (*reply)(r)
	if a.c == nil {
		return 0
	}
	return a.c.in.w - a.c.in.r
}

// WriteTo implements io.WriterTo. It writes whatever has arrived, at once; an
// error of w is returned as it is, one of the server is an *upstream.Error.
func (r *bodyReader) WriteTo(w io.Writer) (total int64, err error) {
	a := (*reply)(r)
	if a.c == nil {
		return 0, errClosed
	}
	in := a.c.in
	var large []byte
	var give func()
	defer func() {
		if give != nil {
			give()
		}
	}()
	for {
		piece, err := a.piece()
		if err == io.EOF { //nolint:errorlint // set bare
			break
		}
		if err != nil {
			return total, err
		}
		if piece > 0 {
			n, err := w.Write(in.buf[in.r : in.r+piece])
			total += int64(n)
			if err != nil {
				return total, err
			}
			if a.used(piece) == io.EOF { //nolint:errorlint // set bare
				break
			}
			continue
		}
		if a.body.left <= inboxSize && a.body.kind != bodyUntilClose {
			if err := a.fill(); err != nil {
				return total, err
			}
			continue
		}
		if large == nil {
			left := a.body.left
			if a.body.kind != bodyLength {
				left = -1
			}
			large, give = a.t.takePiece(left)
		}
		got, err := a.direct(large)
		if err == io.EOF { //nolint:errorlint // set bare
			break
		}
		if err != nil {
			return total, err
		}
		n, err := w.Write(large[:got])
		total += int64(n)
		if err != nil {
			return total, err
		}
		if a.took(got) == io.EOF { //nolint:errorlint // set bare
			break
		}
	}
	return total, nil
}

// piece says how many bytes of the body lie at the front of the inbox. With 0
// some are still to come, and the inbox is empty; an error ends the body.
func (a *reply) piece() (int, error) {
	in, b := a.c.in, &a.body
	if b.err != nil {
		return 0, b.err
	}
	if b.kind == bodyUntilClose {
		return in.w - in.r, nil
	}
	if b.kind == bodyChunked && b.left == 0 {
		if err := a.nextChunk(); err != nil {
			return 0, err
		}
	}
	return int(min(int64(in.w-in.r), b.left)), nil
}

// used takes n bytes of the body from the inbox; io.EOF says that they were the last.
func (a *reply) used(n int) error {
	a.c.in.r += n
	return a.took(n)
}

// took counts n bytes of the body; io.EOF says that they were the last.
func (a *reply) took(n int) error {
	b := &a.body
	switch b.kind {
	case bodyLength:
		b.left -= int64(n)
		if b.left == 0 {
			b.err = io.EOF
		}
	case bodyChunked:
		b.left -= int64(n)
		if b.left == 0 {
			b.chunk.expectEnd = true
			a.glance()
		}
	case bodyNone, bodyUntilClose:
	}
	return b.err
}

// direct reads body bytes from the connection into p, past the inbox, which
// must be empty.
func (a *reply) direct(p []byte) (int, error) {
	if a.body.kind != bodyUntilClose && a.body.left < int64(len(p)) {
		p = p[:a.body.left]
	}
	for {
		n, err := a.c.Conn.Read(p)
		if n > 0 {
			return n, nil
		}
		if err != nil {
			return 0, a.end(err)
		}
	}
}

// fill reads more into the inbox.
func (a *reply) fill() error {
	in := a.c.in
	if in.r == in.w {
		in.r, in.w = 0, 0
	} else if in.w == len(in.buf) {
		in.w = copy(in.buf, in.buf[in.r:in.w])
		in.r = 0
	}
	for {
		n, err := a.c.Conn.Read(in.buf[in.w:])
		in.w += n
		if n > 0 {
			return nil
		}
		if err != nil {
			return a.end(err)
		}
	}
}

// end keeps how the body ended: with err from the connection or the decoder.
func (a *reply) end(err error) error {
	if err == io.EOF && a.body.kind == bodyUntilClose { //nolint:errorlint // connections return it bare
		a.body.err = io.EOF
	} else {
		a.body.err = a.bodyError(err)
	}
	return a.body.err
}

// noBody is the body of a response that has none.
type noBody struct{}

func (noBody) Read([]byte) (int, error)         { return 0, io.EOF }
func (noBody) WriteTo(io.Writer) (int64, error) { return 0, nil }
