package h1_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/edge/proxy/h1"
	"github.com/evergate/evergate/internal/edge/proxy/upstream"
)

// serveRaw answers every request on a connection with the same bytes. It is as
// cheap as a server can be, so that the client is what is measured.
func serveRaw(tb testing.TB, answer []byte) string {
	tb.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = c.Close() }()
				buf := make([]byte, 16<<10)
				n := 0
				for {
					m, err := c.Read(buf[n:])
					if err != nil {
						return
					}
					n += m
					if bytes.HasSuffix(buf[:n], []byte("\r\n\r\n")) {
						n = 0
						if _, err := c.Write(answer); err != nil {
							return
						}
					}
				}
			}()
		}
	}()
	return ln.Addr().String()
}

func answerOf(size int) []byte {
	return fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nServer: bench\r\nDate: Mon, 02 Jan 2006 15:04:05 GMT\r\nContent-Type: application/json\r\nCache-Control: no-store\r\nContent-Length: %d\r\n\r\n%s", size, bytes.Repeat([]byte("x"), size))
}

func requestHeader() http.Header {
	return http.Header{
		"User-Agent":        {"bench/1.0"},
		"Accept":            {"*/*"},
		"Accept-Encoding":   {"gzip"},
		"X-Forwarded-For":   {"192.0.2.7"},
		"X-Forwarded-Proto": {"https"},
		"X-Request-Id":      {"0123456789abcdef"},
	}
}

func newTransport(tb testing.TB, address string) *h1.Transport {
	t := h1.New(h1.Options{Address: address, DialTimeout: 2 * time.Second, MaxIdle: 200, IdleTimeout: time.Minute, MaxAge: 10 * time.Minute, ProbeAfter: time.Second})
	tb.Cleanup(t.Close)
	return t
}

func roundTrip(ctx context.Context, t upstream.Transport, req *upstream.Request, w io.Writer) error {
	resp, err := t.RoundTrip(ctx, req)
	if err != nil {
		return err
	}
	if _, err := resp.Body.(io.WriterTo).WriteTo(w); err != nil {
		return err
	}
	return resp.Close()
}

func TestTransport_SpendsFewAllocationsOnASimpleGet(t *testing.T) {
	if raceDetector {
		t.Skip("under the race detector sync.Pool forgets on purpose")
	}
	tr := newTransport(t, serveRaw(t, answerOf(1024)))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	req := &upstream.Request{Method: "GET", Target: "/", Host: "example.org", Header: requestHeader(), Timeout: time.Minute}
	got := testing.AllocsPerRun(200, func() {
		if err := roundTrip(ctx, tr, req, io.Discard); err != nil {
			t.Fatal(err)
		}
	})
	// The reply, the head's string, and two of context.AfterFunc.
	if got > 4 {
		t.Errorf("%v allocations per round trip, want at most 4", got)
	}
}

func BenchmarkTransport(b *testing.B) {
	for _, size := range []int{1 << 10, 100 << 10} {
		address := serveRaw(b, answerOf(size))
		b.Run(fmt.Sprintf("lean/%dKiB", size>>10), func(b *testing.B) {
			tr := newTransport(b, address)
			ctx, cancel := context.WithCancel(b.Context())
			defer cancel()
			req := &upstream.Request{Method: "GET", Target: "/", Host: "example.org", Header: requestHeader(), Timeout: time.Minute}
			b.ReportAllocs()
			for b.Loop() {
				if err := roundTrip(ctx, tr, req, io.Discard); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("nethttp/%dKiB", size>>10), func(b *testing.B) {
			tr := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 200}
			defer tr.CloseIdleConnections()
			ctx, cancel := context.WithCancel(b.Context())
			defer cancel()
			buf := make([]byte, 32<<10)
			b.ReportAllocs()
			for b.Loop() {
				req, err := http.NewRequestWithContext(ctx, "GET", "http://"+address+"/", nil)
				if err != nil {
					b.Fatal(err)
				}
				req.Header = requestHeader()
				resp, err := tr.RoundTrip(req)
				if err != nil {
					b.Fatal(err)
				}
				for {
					if _, err := resp.Body.Read(buf); err != nil {
						break
					}
				}
				_ = resp.Body.Close()
			}
		})
	}
}
