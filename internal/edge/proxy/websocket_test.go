package proxy

import (
	"bytes"
	"encoding/binary"
	"io"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// frame is one websocket frame as RFC 6455 section 5.2 draws it.
func frame(opcode byte, masked bool, payload []byte) []byte {
	b := []byte{0x80 | opcode, 0}
	switch n := len(payload); {
	case n < 126:
		b[1] = byte(n)
	case n < 1<<16:
		b[1] = 126
		b = binary.BigEndian.AppendUint16(b, uint16(n))
	default:
		b[1] = 127
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	if masked {
		b[1] |= 0x80
		b = append(b, 1, 2, 3, 4)
	}
	return append(b, payload...)
}

func TestFrames_FindsTheSameBoundariesHoweverTheBytesArrive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var stream []byte
		ends := map[int]bool{0: true}
		closedAt := -1
		for range rapid.IntRange(1, 6).Draw(t, "frames") {
			opcode := rapid.SampledFrom([]byte{0, 1, 2, 8, 9, 10}).Draw(t, "opcode")
			n := rapid.SampledFrom([]int{0, 1, 125, 126, 127, 300, 65535, 65536, 70000}).Draw(t, "length")
			if opcode >= 8 {
				n = min(n, 125)
			}
			header := len(stream) + len(frame(opcode, false, make([]byte, n))) - n
			masked := rapid.Bool().Draw(t, "masked")
			if masked {
				header += 4
			}
			stream = append(stream, frame(opcode, masked, make([]byte, n))...)
			ends[len(stream)] = true
			if opcode == 8 && closedAt < 0 {
				closedAt = header
			}
		}
		var f frames
		for at := 0; at < len(stream); {
			n := min(rapid.SampledFrom([]int{1, 2, 3, 5, 13, 100, 5000, 100000}).Draw(t, "piece"), len(stream)-at)
			f.feed(stream[at : at+n])
			at += n
			if f.boundary() != ends[at] {
				t.Fatalf("after %d of %d bytes: boundary %v, want %v", at, len(stream), f.boundary(), ends[at])
			}
			if want := closedAt >= 0 && at >= closedAt; f.closed != want {
				t.Fatalf("after %d of %d bytes: closed %v, want %v", at, len(stream), f.closed, want)
			}
		}
	})
}

func FuzzFrames(f *testing.F) {
	f.Add(frame(1, true, []byte("hello")), 3)
	f.Add(append(frame(2, false, make([]byte, 200)), frame(8, false, []byte{3, 233})...), 7)
	f.Add([]byte{0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0}, 1)
	f.Add([]byte{0x88}, 1)
	f.Fuzz(func(t *testing.T, stream []byte, split int) {
		var whole, parts frames
		whole.feed(stream)
		step := 1 + int(uint(split)%64)
		for piece := range slices.Chunk(stream, step) {
			parts.feed(piece)
		}
		if whole.boundary() != parts.boundary() || whole.left != parts.left || whole.closed != parts.closed || whole.have != parts.have {
			t.Errorf("in one piece: %+v; in pieces of %d: %+v", whole, step, parts)
		}
	})
}

func TestCloseFrame(t *testing.T) {
	for _, masked := range []bool{false, true} {
		b := closeFrame(masked)
		var f frames
		f.feed(b)
		if !f.boundary() || !f.closed {
			t.Fatalf("masked %v: % x is not one close frame", masked, b)
		}
		payload := b[2:]
		if masked {
			if b[1]&0x80 == 0 {
				t.Fatal("a frame to a server must be masked")
			}
			mask := b[2:6]
			payload = bytes.Clone(b[6:])
			for i := range payload {
				payload[i] ^= mask[i%4]
			}
		} else if b[1]&0x80 != 0 {
			t.Fatal("a frame to a visitor must not be masked")
		}
		if code := binary.BigEndian.Uint16(payload); code != 1001 {
			t.Errorf("status %d, want 1001", code)
		}
	}
	if bytes.Equal(closeFrame(true), closeFrame(true)) && bytes.Equal(closeFrame(true), closeFrame(true)) {
		t.Error("the mask is always the same")
	}
}

func TestWebsocketKey(t *testing.T) {
	a, b := websocketKey(), websocketKey()
	if len(a) != 24 || a == b {
		t.Errorf("keys %q and %q, want two different ones of 24 letters", a, b)
	}
}

// writes is a writer that remembers what was written at once.
type writes struct{ list [][]byte }

func (w *writes) Write(p []byte) (int, error) {
	w.list = append(w.list, bytes.Clone(p))
	return len(p), nil
}

func TestDirection_OurCloseFrameGoesBetweenFramesAndIsTheLast(t *testing.T) {
	text := frame(1, false, []byte("hello"))
	goodbye := []byte("goodbye")
	tests := []struct {
		name   string
		before []byte
		said   bool
	}{
		{"before the first frame", nil, true},
		{"after a whole frame", text, true},
		{"not within a frame", text[:4], false},
		{"not after a close frame of theirs", frame(8, false, []byte{3, 232}), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out writes
			var d direction
			if len(tt.before) > 0 {
				_ = d.write(&out, tt.before, true)
			}
			d.say(&out, goodbye)
			d.say(&out, goodbye)
			_ = d.write(&out, []byte("late"), true)
			got := bytes.Join(out.list, nil)
			want := append(bytes.Clone(tt.before), "late"...)
			if tt.said {
				want = append(bytes.Clone(tt.before), goodbye...)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("sent %q, want %q", got, want)
			}
			if d.n.Load() != int64(len(want)) {
				t.Errorf("%d bytes counted, %d sent", d.n.Load(), len(want))
			}
		})
	}
}

func TestWholeBody(t *testing.T) {
	for _, n := range []int64{1, 4096, pooledBody, pooledBody + 1, 1 << 20} {
		b := newWholeBody(n)
		if int64(len(b.bytes)) != n {
			t.Fatalf("room for %d bytes, want %d", len(b.bytes), n)
		}
		for i := range b.bytes {
			b.bytes[i] = byte(i)
		}
		if b.Buffered() != int(n) {
			t.Errorf("%d bytes buffered, want %d", b.Buffered(), n)
		}
		first := make([]byte, 1)
		if k, err := b.Read(first); k != 1 || err != nil || first[0] != 0 {
			t.Errorf("first byte: %d, %v", k, err)
		}
		var rest bytes.Buffer
		if k, err := b.WriteTo(&rest); k != n-1 || err != nil || rest.Len() != int(n-1) {
			t.Errorf("the rest: %d of %d, %v", k, n-1, err)
		}
		if k, err := b.Read(first); k != 0 || err != io.EOF { //nolint:errorlint // bare, as io.Reader says
			t.Errorf("after the end: %d, %v", k, err)
		}
		b.free()
		b.free() // does not put the memory into the pool twice
	}
	a, b := newWholeBody(10), newWholeBody(10)
	if &a.bytes[0] == &b.bytes[0] {
		t.Error("two bodies share their memory")
	}
}
