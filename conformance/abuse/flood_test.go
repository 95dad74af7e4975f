package abuse

import (
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/evergate/evergate/conformance/frames"
)

// floods are streams of frames or bytes without end. Each is sent until the door
// closes the connection or the time is over, without reading what comes back.
var floods = []struct {
	name string

	begin  func(c *frames.Client) error
	more   func(c *frames.Client, i int) error
	closes bool // the door must end the connection
}{
	{name: "CONTINUATION with new fields", closes: true, // CVE-2023-45288
		begin: func(c *frames.Client) error {
			return c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.Encode(frames.Request("GET", "/")...), EndStream: true})
		},
		more: func(c *frames.Client, i int) error {
			return c.WriteContinuation(1, false, literal("x-flood", strings.Repeat("x", 8<<10)))
		}},
	{name: "CONTINUATION with nothing in it",
		begin: func(c *frames.Client) error {
			return c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.Encode(frames.Request("GET", "/")...), EndStream: true})
		},
		more: func(c *frames.Client, i int) error { return c.WriteContinuation(1, false, nil) }},
	{name: "SETTINGS", // acknowledged many at a time
		more: func(c *frames.Client, i int) error {
			return c.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 16})
		}},
	{name: "PING", // ends the connection only when the kernel takes no more acknowledgements
		more: func(c *frames.Client, i int) error { return c.WritePing(false, [8]byte{byte(i)}) }},
	{name: "DATA with nothing in it",
		begin: func(c *frames.Client) error { return c.Headers(1, false, frames.Request("POST", "/upload")...) },
		more:  func(c *frames.Client, i int) error { return c.WriteData(1, false, nil) }},
	{name: "PRIORITY",
		more: func(c *frames.Client, i int) error {
			return c.WritePriority(uint32(1+2*(i%1000)), http2.PriorityParam{StreamDep: uint32(3 + 2*(i%1000))})
		}},
	{name: "frames of an unknown type",
		more: func(c *frames.Client, i int) error { return c.WriteRawFrame(0xbb, 0, 0, make([]byte, 16<<10)) }},
	{name: "WINDOW_UPDATE of one",
		more: func(c *frames.Client, i int) error { return c.WriteWindowUpdate(0, 1) }},
}

const floodTime = 1500 * time.Millisecond

func TestAbuse_Floods(t *testing.T) {
	o := newOrigin(t)
	d := newDoor(t, o.URL, "", "")
	d.mark(t)
	for _, tt := range floods {
		t.Run(tt.name, func(t *testing.T) {
			w := newWitness(d)
			c, err := frames.Dial(d.https, 4*time.Second)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if tt.begin != nil {
				if err := tt.begin(c); err != nil {
					t.Fatal(err)
				}
			}
			began, sent := time.Now(), 0
			// What fills no memory the door may bear with: it costs the sender as much.
			for err = nil; err == nil && time.Since(began) < floodTime; sent++ {
				err = tt.more(c, sent)
			}
			if err == nil && tt.closes {
				// Written is not read: the end may be on its way.
				_ = c.Conn().SetReadDeadline(time.Now().Add(3 * time.Second))
				_, err = io.Copy(io.Discard, c.Conn())
				if timeout := net.Error(nil); errors.As(err, &timeout) && timeout.Timeout() {
					t.Error("the connection was not closed")
				}
			}
			t.Logf("%d frames in %v; the end: %v", sent, time.Since(began).Round(time.Millisecond), err)
			w.end(t)
		})
	}
	d.bounded(t, 64)
}

// literal is a field of a header block in the plainest coding: not indexed, not
// compressed (RFC 7541 section 6.2.2).
func literal(name, value string) []byte {
	b := append([]byte{0}, byte(len(name)))
	b = append(b, name...)
	// The length of a string has 7 bits, then 7 more in each byte (section 5.1).
	if n := len(value); n < 127 {
		b = append(b, byte(n))
	} else {
		b = append(b, 127)
		for n -= 127; ; n >>= 7 {
			if n < 128 {
				b = append(b, byte(n))
				break
			}
			b = append(b, byte(n)|128)
		}
	}
	return append(b, value...)
}

// bombs are header blocks that are small on the wire and large in memory.
var bombs = []struct {
	name    string
	streams int // on each of three connections; they are held until the door ends them
	block   func(c *frames.Client) []byte
}{
	{"one field of 4 KiB, then one byte for each copy", 2000, func(c *frames.Client) []byte {
		b := bytes.Clone(c.Encode(frames.Request("GET", "/")...))
		b = append(b, c.Encode(frames.Field{Name: "x-bomb", Value: strings.Repeat("x", 4000)})...)
		return append(b, bytes.Repeat([]byte{0x80 | 62}, 15<<10)...) // 62 is the newest of the table
	}},
	{"thousands of one-byte fields of the static table", 2000, func(c *frames.Client) []byte { // CVE-2026-49975
		b := bytes.Clone(c.Encode(frames.Request("GET", "/")...))
		return append(b, bytes.Repeat([]byte{0x80 | 19}, 15<<10)...) // accept-encoding: gzip, deflate is 16, accept: is 19
	}},
	{"as many one-byte fields and streams as are allowed", 100, func(c *frames.Client) []byte {
		b := bytes.Clone(c.Encode(frames.Request("GET", "/big")...))
		return append(b, bytes.Repeat([]byte{0x80 | 19}, 90)...)
	}},
	{"cookie crumbs", 2000, func(c *frames.Client) []byte {
		b := bytes.Clone(c.Encode(frames.Request("GET", "/")...))
		return append(b, bytes.Repeat([]byte{0x80 | 32}, 15<<10)...) // cookie: is 32
	}},
}

// bombTime is how long the streams of a bomb stay: longer than
// limits.response.idle_timeout.
const bombTime = 4 * time.Second

func TestAbuse_HeaderBombs(t *testing.T) {
	for _, tt := range bombs {
		t.Run(tt.name, func(t *testing.T) {
			o := newOrigin(t)
			d := newDoor(t, o.URL, "", "")
			d.mark(t)
			w := newWitness(d)
			var visitors sync.WaitGroup
			for range 3 {
				c, err := frames.Dial(d.https, bombTime, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
				if err != nil {
					t.Fatal(err)
				}
				visitors.Go(func() {
					defer c.Close()
					detonate(c, tt.streams, tt.block)
				})
			}
			visitors.Wait()
			w.end(t)
			d.bounded(t, 64)
		})
	}
}

// detonate sends the block on so many streams whose window stays shut, and waits
// until the door has answered, refused or given up each of them.
func detonate(c *frames.Client, streams int, block func(*frames.Client) []byte) {
	over := make(chan struct{})
	go func() {
		defer close(over)
		// It reads, and never gives a stream room.
		for ended := 0; ended < streams; {
			f, err := c.ReadFrame()
			if err != nil {
				return
			}
			if f.Header().Type == http2.FrameRSTStream || f.Header().Flags.Has(http2.FlagDataEndStream) && f.Header().StreamID > 0 {
				ended++
			}
		}
	}()
	for i := range streams {
		if c.WriteHeaders(http2.HeadersFrameParam{StreamID: uint32(2*i + 1), BlockFragment: block(c), EndStream: true, EndHeaders: true}) != nil {
			break
		}
	}
	<-over
}

func TestAbuse_EndlessHeadersOfHTTP1(t *testing.T) {
	tests := []struct{ name, head, more string }{
		{"one endless field", "GET / HTTP/1.1\r\nHost: door.test\r\nX-A: ", strings.Repeat("x", 32<<10)},
		{"endless fields", "GET / HTTP/1.1\r\nHost: door.test\r\n", strings.Repeat("X-A: b\r\n", 4<<10)},
		{"an endless target", "GET /", strings.Repeat("x", 32<<10)},
		{"an endless method", "GET", strings.Repeat("T", 32<<10)},
		{"an endless chunk extension", "POST /upload HTTP/1.1\r\nHost: door.test\r\nTransfer-Encoding: chunked\r\n\r\n5;", strings.Repeat("x", 32<<10)},
		{"an endless trailer", "POST /upload HTTP/1.1\r\nHost: door.test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", strings.Repeat("X-A: b\r\n", 4<<10)},
		{"endless chunks of one byte", "POST /upload HTTP/1.1\r\nHost: door.test\r\nTransfer-Encoding: chunked\r\n\r\n", strings.Repeat("1;"+strings.Repeat("x", 100)+"\r\nx\r\n", 300)},
		{"endless folds", "GET / HTTP/1.1\r\nHost: door.test\r\nX-A: b\r\n", strings.Repeat(" x\r\n", 8<<10)},
		{"endless empty lines", "", strings.Repeat("\r\n", 16<<10)},
	}
	o := newOrigin(t)
	d := newDoor(t, o.URL, "", "")
	d.mark(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := net.Dial("tcp", d.http)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			_ = c.SetDeadline(time.Now().Add(10 * time.Second))
			sent, err := io.WriteString(c, tt.head)
			for err == nil && sent < 256<<20 {
				var n int
				n, err = io.WriteString(c, tt.more)
				sent += n
			}
			t.Logf("closed after %d KiB: %v", sent>>10, err)
			if timeout := net.Error(nil); err == nil || errors.As(err, &timeout) && timeout.Timeout() {
				t.Error("the door took it all")
			}
		})
	}
	d.bounded(t, 64)
}
