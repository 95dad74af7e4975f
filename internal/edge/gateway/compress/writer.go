package compress

import (
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

const (
	// gzipLevel is where more effort no longer pays on text.
	gzipLevel = 5
	// zstdWindow bounds the memory of an encoder, and of the visitor's decoder
	// (RFC 9659 allows 8 MiB); pages are seldom larger.
	zstdWindow = 128 << 10
)

// encoder is what both libraries offer.
type encoder interface {
	io.WriteCloser
	Flush() error
	Reset(w io.Writer)
}

// Writer compresses what is written to it. It belongs to one goroutine. It must
// be given back with Free.
type Writer struct {
	e    encoder
	pool *sync.Pool
	to   count
}

// count counts what goes to the visitor.
type count struct {
	w io.Writer
	n int64
}

func (c *count) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

var (
	gzips   = pool(func() encoder { return newGzip(gzipLevel) })
	streams = pool(func() encoder { return newGzip(gzip.StatelessCompression) })
	zstds   = pool(newZstd)
)

func pool(make func() encoder) *sync.Pool {
	p := new(sync.Pool)
	p.New = func() any { return &Writer{e: make(), pool: p} }
	return p
}

func newGzip(level int) encoder {
	e, err := gzip.NewWriterLevel(nil, level)
	if err != nil {
		panic(fmt.Sprintf("gzip level %d: %v", level, err)) // a constant of this file
	}
	return e
}

func newZstd() encoder {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1),
		zstd.WithWindowSize(zstdWindow), zstd.WithLowerEncoderMem(true))
	if err != nil {
		panic(fmt.Sprintf("zstd options: %v", err)) // constants of this file
	}
	return e
}

// NewWriter returns a writer that compresses to w with c, which is not Identity.
// stream is for responses that last: the encoder keeps no memory between writes.
func NewWriter(w io.Writer, c Coding, stream bool) *Writer {
	from := gzips
	switch {
	case c == Zstd:
		from = zstds
	case stream:
		from = streams
	}
	z := from.Get().(*Writer)
	z.to = count{w: w}
	z.e.Reset(&z.to)
	return z
}

// Write implements io.Writer.
func (z *Writer) Write(p []byte) (int, error) { return z.e.Write(p) }

// Flush writes out all that is held back.
func (z *Writer) Flush() error { return z.e.Flush() }

// Close ends the compressed body. It is not called for one that was cut.
func (z *Writer) Close() error { return z.e.Close() }

// Written is the number of compressed bytes written so far.
func (z *Writer) Written() int64 { return z.to.n }

// Free gives z back. Nobody may use it afterwards.
func (z *Writer) Free() {
	z.to.w = nil
	z.e.Reset(nil)
	z.pool.Put(z)
}
