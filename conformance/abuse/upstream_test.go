package abuse

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// malice is a server that answers in bad faith.
type malice struct {
	name      string
	transport string // of the origin
	answer    func(c net.Conn)
}

// overHTTP2 answers the first request on an HTTP/2 connection without TLS.
func overHTTP2(settings []http2.Setting, answer func(f *http2.Framer, id uint32)) func(net.Conn) {
	return func(c net.Conn) {
		if _, err := io.ReadFull(c, make([]byte, len(http2.ClientPreface))); err != nil {
			return
		}
		f := http2.NewFramer(c, c)
		f.AllowIllegalWrites = true
		_ = f.WriteSettings(settings...)
		for {
			frame, err := f.ReadFrame()
			if err != nil {
				return
			}
			switch frame := frame.(type) {
			case *http2.SettingsFrame:
				if !frame.IsAck() {
					_ = f.WriteSettingsAck()
				}
			case *http2.HeadersFrame:
				answer(f, frame.StreamID)
			}
		}
	}
}

// overHTTP1 answers the first request with head, and then with more for ever.
func overHTTP1(head, more string) func(net.Conn) {
	return func(c net.Conn) {
		if _, err := http.ReadRequest(bufio.NewReader(c)); err != nil {
			return
		}
		_, err := io.WriteString(c, head)
		for sent := 0; err == nil && sent < 256<<20; sent += len(more) {
			_, err = io.WriteString(c, more)
		}
		_, _ = io.Copy(io.Discard, c)
	}
}

// block encodes header fields.
func block(fields ...hpack.HeaderField) []byte {
	var b bytes.Buffer
	e := hpack.NewEncoder(&b)
	for _, f := range fields {
		_ = e.WriteField(f) // a bytes.Buffer never fails
	}
	return b.Bytes()
}

var malices = []malice{
	{"endless headers over HTTP/2", "h2c", overHTTP2(nil, func(f *http2.Framer, id uint32) {
		err := f.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: block(hpack.HeaderField{Name: ":status", Value: "200"})})
		for i := 0; err == nil && i < 32<<10; i++ {
			err = f.WriteContinuation(id, false, literal("x-flood", strings.Repeat("x", 8<<10)))
		}
	})},
	{"endless interim responses over HTTP/2", "h2c", overHTTP2(nil, func(f *http2.Framer, id uint32) {
		b := block(hpack.HeaderField{Name: ":status", Value: "103"}, hpack.HeaderField{Name: "link", Value: "</a>"})
		for err := error(nil); err == nil; {
			err = f.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: b, EndHeaders: true})
		}
	})},
	// CVE-2026-33814: a client that divides its body by it never ends.
	{"a largest frame of zero", "h2c", overHTTP2([]http2.Setting{{ID: http2.SettingMaxFrameSize, Val: 0}}, func(f *http2.Framer, id uint32) {})},
	{"a header table of 4 GiB", "h2c", overHTTP2([]http2.Setting{{ID: http2.SettingHeaderTableSize, Val: 1<<32 - 1}}, func(f *http2.Framer, id uint32) {
		_ = f.WriteRSTStream(id, http2.ErrCodeInternal)
	})},
	{"endless headers over HTTP/1", "lean", overHTTP1("HTTP/1.1 200 OK\r\n", strings.Repeat("X-A: b\r\n", 1<<10))},
	{"one endless header over HTTP/1", "lean", overHTTP1("HTTP/1.1 200 OK\r\nX-A: ", strings.Repeat("x", 8<<10))},
	{"endless interim responses over HTTP/1", "lean", overHTTP1("", strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", 100))},
	{"an endless status line", "lean", overHTTP1("HTTP/1.1 200 ", strings.Repeat("x", 8<<10))},
	{"endless headers over Go's transport", "std", overHTTP1("HTTP/1.1 200 OK\r\n", strings.Repeat("X-A: b\r\n", 1<<10))},
	{"endless interim responses over Go's transport", "std", overHTTP1("", strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", 100))},
}

func TestAbuse_MaliciousServers(t *testing.T) {
	for _, tt := range malices {
		t.Run(tt.name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			go func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					go func() {
						defer c.Close()
						tt.answer(c)
					}()
				}
			}()
			d := newDoor(t, "http://"+l.Addr().String(), "", "\n    transport: "+tt.transport+
				"\n    retry: {timeout: 4s, try_timeout: 2s}\n    health: {consecutive_failures: 1000}")
			d.before = d.memory(t, "VmRSS")
			client := &http.Client{Timeout: 15 * time.Second}
			began := time.Now()
			res, err := client.Post("http://"+d.http+"/", "text/plain", strings.NewReader("hello"))
			if err != nil {
				t.Fatalf("no answer: %v", err)
			}
			_, _ = io.Copy(io.Discard, res.Body)
			res.Body.Close()
			t.Logf("answered %s after %v", res.Status, time.Since(began).Round(time.Millisecond))
			if res.StatusCode != http.StatusBadGateway && res.StatusCode != http.StatusGatewayTimeout {
				t.Errorf("got %s, want 502 or 504", res.Status)
			}
			d.bounded(t, 64)
		})
	}
}
