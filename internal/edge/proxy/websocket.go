package proxy

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
)

// websocketKey is a value for Sec-WebSocket-Key (RFC 6455 section 4.1).
func websocketKey() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand, Go 1.24)
	return base64.StdEncoding.EncodeToString(b[:])
}

// opClose is the opcode of a close frame (RFC 6455 section 5.5.1).
const opClose = 8

// frames follows one direction of a websocket just far enough to know where one
// frame ends and the next begins (RFC 6455 section 5.2): there, and only there,
// a frame of our own may go between. The zero value is at the beginning.
type frames struct {
	header [14]byte
	have   int    // bytes of header
	left   uint64 // payload bytes of the frame still to come
	closed bool   // a close frame went by
}

// feed notes that p went by.
func (f *frames) feed(p []byte) {
	for len(p) > 0 {
		if f.left > 0 {
			n := min(f.left, uint64(len(p)))
			f.left -= n
			p = p[n:]
			continue
		}
		f.header[f.have] = p[0]
		f.have++
		p = p[1:]
		if f.have >= 2 && f.have == f.headerLength() {
			f.begin()
		}
	}
}

// boundary reports whether no frame is under way.
func (f *frames) boundary() bool { return f.have == 0 && f.left == 0 }

func (f *frames) headerLength() int {
	n := 2
	switch f.header[1] & 0x7f {
	case 126:
		n += 2
	case 127:
		n += 8
	}
	if f.header[1]&0x80 != 0 {
		n += 4 // the mask
	}
	return n
}

// begin is called when the header is whole.
func (f *frames) begin() {
	switch n := f.header[1] & 0x7f; n {
	case 126:
		f.left = uint64(binary.BigEndian.Uint16(f.header[2:]))
	case 127:
		f.left = binary.BigEndian.Uint64(f.header[2:])
	default:
		f.left = uint64(n)
	}
	f.have = 0
	f.closed = f.closed || f.header[0]&0x0f == opClose
}

// goingAway is status 1001: the endpoint is going down (RFC 6455 section 7.4.1).
const goingAway = 1001

// closeFrame is a close frame; towards a server it must be masked.
func closeFrame(masked bool) []byte {
	payload := binary.BigEndian.AppendUint16(nil, goingAway)
	frame := []byte{0x80 | opClose, byte(len(payload))}
	if !masked {
		return append(frame, payload...)
	}
	frame[1] |= 0x80
	var mask [4]byte
	_, _ = rand.Read(mask[:]) // never fails
	frame = append(frame, mask[:]...)
	for i, b := range payload {
		frame = append(frame, b^mask[i%4])
	}
	return frame
}
