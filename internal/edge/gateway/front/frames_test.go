package front

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// frames is an HTTP/2 client that sends what it likes.
type frames struct {
	t    testing.TB
	conn *tls.Conn
	*http2.Framer
	block   bytes.Buffer
	encoder *hpack.Encoder
}

// dialHTTP2 opens a connection with the settings given, and does not read yet.
func (h *house) dialHTTP2(settings ...http2.Setting) *frames {
	h.t.Helper()
	conn, err := tls.Dial("tcp", h.https(), &tls.Config{RootCAs: h.certs.pool(), ServerName: "front.test", NextProtos: []string{"h2"}})
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(30 * time.Second))
	c := &frames{t: h.t, conn: conn, Framer: http2.NewFramer(conn, conn)}
	c.encoder = hpack.NewEncoder(&c.block)
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		h.t.Fatal(err)
	}
	if err := c.WriteSettings(settings...); err != nil {
		h.t.Fatal(err)
	}
	return c
}

// head encodes the header of a request for path.
func (c *frames) head(method, path string, more ...hpack.HeaderField) []byte {
	c.block.Reset()
	for _, f := range append([]hpack.HeaderField{
		{Name: ":method", Value: method}, {Name: ":scheme", Value: "https"},
		{Name: ":authority", Value: "front.test"}, {Name: ":path", Value: path},
	}, more...) {
		if err := c.encoder.WriteField(f); err != nil {
			c.t.Fatal(err)
		}
	}
	return c.block.Bytes()
}

// get begins a request without body.
func (c *frames) get(id uint32, path string) {
	c.t.Helper()
	if err := c.request(id, path, true); err != nil {
		c.t.Fatal(err)
	}
}

// request begins a request; its error is that of a closed connection.
func (c *frames) request(id uint32, path string, end bool) error {
	method := "GET"
	if !end {
		method = "POST"
	}
	return c.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: c.head(method, path), EndStream: end, EndHeaders: true})
}

// await reads frames until ok takes one. Settings and pings are answered.
func (c *frames) await(what string, ok func(http2.Frame) bool) {
	c.t.Helper()
	for {
		f, err := c.ReadFrame()
		if err != nil {
			c.t.Fatalf("waited for %s: %v", what, err)
		}
		switch f := f.(type) {
		case *http2.SettingsFrame:
			if !f.IsAck() {
				c.WriteSettingsAck()
			}
		case *http2.PingFrame:
			if !f.IsAck() {
				c.WritePing(true, f.Data)
			}
		}
		if ok(f) {
			return
		}
	}
}

// awaitEnd reads to the end of a stream's answer.
func (c *frames) awaitEnd(id uint32) {
	c.t.Helper()
	c.await("the end of the answer", func(f http2.Frame) bool {
		ends := f.Header().Flags.Has(http2.FlagDataEndStream)
		_, data := f.(*http2.DataFrame)
		_, headers := f.(*http2.HeadersFrame)
		return f.Header().StreamID == id && ends && (data || headers)
	})
}

func (c *frames) awaitReset(id uint32) {
	c.t.Helper()
	c.await("RST_STREAM", func(f http2.Frame) bool {
		_, reset := f.(*http2.RSTStreamFrame)
		return reset && f.Header().StreamID == id
	})
}

func (c *frames) awaitGoAway() (code http2.ErrCode) {
	c.t.Helper()
	c.await("GOAWAY", func(f http2.Frame) bool {
		away, ok := f.(*http2.GoAwayFrame)
		if ok {
			code = away.ErrCode
		}
		return ok
	})
	return code
}

// drain reads until the other side closes, and reports whether it did.
func (c *frames) drain() bool {
	for {
		if _, err := c.ReadFrame(); err != nil {
			var timeout interface{ Timeout() bool }
			return !(errors.As(err, &timeout) && timeout.Timeout())
		}
	}
}
