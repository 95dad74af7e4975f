package h1

import (
	"bytes"
	"fmt"
	"io"
)

const (
	chunkLineMax   = 4 << 10  // one chunk's size line
	chunkExcessMax = 16 << 10 // framing beyond what honest chunks need
)

// chunked is the state of the chunked coding (RFC 9112 section 7.1). Its lines
// end with CRLF and nothing else: a lone LF there has been used to smuggle
// requests (CVE-2025-22871).
type chunked struct {
	expectEnd bool // the CRLF after a chunk's data comes next
	excess    int  // see nextChunk
}

// nextChunk reads up to the data of the next chunk, or to the end of the
// trailer section: then it ends the body with io.EOF.
func (a *reply) nextChunk() error {
	b := &a.body
	if b.chunk.expectEnd {
		if err := a.need(2); err != nil {
			return err
		}
		in := a.c.in
		if in.buf[in.r] != '\r' || in.buf[in.r+1] != '\n' {
			return a.end(fmt.Errorf("%w: chunk does not end where it should", ErrMalformed))
		}
		in.r += 2
		b.chunk.expectEnd = false
	}
	line, err := a.line(chunkLineMax)
	if err != nil {
		return err
	}
	size, ok := parseChunkSize(line)
	if !ok {
		return a.end(fmt.Errorf("%w: chunk size %.40q", ErrMalformed, line))
	}
	// As net/http does: 16 bytes of framing per chunk and twice the data are
	// honest, a little more is borne with, a stream of extensions is not.
	b.chunk.excess += len(line) + 4 - 16 - int(min(2*size, chunkExcessMax))
	b.chunk.excess = max(b.chunk.excess, 0)
	if b.chunk.excess > chunkExcessMax {
		return a.end(fmt.Errorf("%w: chunks that are mostly framing", ErrMalformed))
	}
	if size == 0 {
		return a.readTrailer()
	}
	b.left = size
	return nil
}

// parseChunkSize parses a chunk's line: hexadecimal digits, then blanks or an
// extension, which is ignored.
func parseChunkSize(line []byte) (size int64, ok bool) {
	digits := 0
	for digits < len(line) {
		var d byte
		switch b := line[digits]; {
		case b >= '0' && b <= '9':
			d = b - '0'
		case b >= 'a' && b <= 'f':
			d = b - 'a' + 10
		case b >= 'A' && b <= 'F':
			d = b - 'A' + 10
		default:
			return size, digits > 0 && validChunkRest(line[digits:])
		}
		if digits == 15 {
			return 0, false
		}
		size = size<<4 | int64(d)
		digits++
	}
	return size, digits > 0
}

// validChunkRest reports whether rest may follow a chunk's size.
func validChunkRest(rest []byte) bool {
	if rest[0] == ';' {
		return clean(rest)
	}
	return len(bytes.TrimRight(rest, " \t")) == 0 // some servers pad
}

// readTrailer reads the trailer section and ends the body. Fields that would
// change what was already understood are left out (RFC 9110 section 6.5.1).
func (a *reply) readTrailer() error {
	b := &a.body
	left := int(a.t.o.ResponseHeaderBytes)
	for fields := 0; ; fields++ {
		line, err := a.line(left)
		if err != nil {
			return err
		}
		if len(line) == 0 {
			b.err = io.EOF
			return io.EOF
		}
		if fields == a.t.o.ResponseHeaderFields {
			return a.end(ErrTooManyFields)
		}
		left -= len(line) + 2
		f, err := parseField(line, string(line))
		if err != nil {
			return a.end(err)
		}
		if !framingField(f.Name) {
			b.trailer = append(b.trailer, f)
		}
	}
}

func framingField(name string) bool {
	switch name {
	case "Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive", "Upgrade", "Trailer", "Te", "Host",
		"Content-Encoding", "Content-Type", "Content-Range", "Set-Cookie", "Cache-Control", "Location":
		return true
	}
	return false
}

// line takes the next line, of at most limit bytes, from the inbox, filling it
// as needed. The line, without its CRLF, is valid until the next fill.
func (a *reply) line(limit int) ([]byte, error) {
	looked := 0
	for {
		in := a.c.in
		if i := bytes.IndexByte(in.buf[in.r+looked:in.w], '\n'); i >= 0 {
			end := in.r + looked + i
			if end-in.r > limit {
				return nil, a.end(ErrHeaderTooLarge)
			}
			if end == in.r || in.buf[end-1] != '\r' {
				return nil, a.end(fmt.Errorf("%w: lone LF in chunked body", ErrMalformed))
			}
			line := in.buf[in.r : end-1]
			if bytes.IndexByte(line, '\r') >= 0 {
				return nil, a.end(fmt.Errorf("%w: lone CR in chunked body", ErrMalformed))
			}
			in.r = end + 1
			return line, nil
		}
		looked = in.w - in.r
		if looked > limit {
			return nil, a.end(ErrHeaderTooLarge)
		}
		if in.r == 0 && in.w == len(in.buf) {
			grown := make([]byte, min(2*len(in.buf), limit+inboxSize))
			copy(grown, in.buf[:in.w])
			in.buf = grown
		}
		if err := a.fill(); err != nil {
			return nil, err
		}
	}
}

// need fills the inbox until it holds n bytes.
func (a *reply) need(n int) error {
	for a.c.in.w-a.c.in.r < n {
		if err := a.fill(); err != nil {
			return err
		}
	}
	return nil
}

// glance ends the body if its end has arrived already, so that the reader hears
// of it together with the last bytes and need not ask again.
func (a *reply) glance() {
	in := a.c.in
	if bytes.HasPrefix(in.buf[in.r:in.w], []byte("\r\n0\r\n\r\n")) {
		in.r += len("\r\n0\r\n\r\n")
		a.body.chunk.expectEnd = false
		a.body.err = io.EOF
	}
}
