// Package frames is an HTTP/2 client for tests of bad behaviour: it sends the
// frames and header fields that it is told to, valid or not, and nothing by
// itself but the acknowledgements that a peer waits for.
package frames

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// Field is a header field as it goes into a header block, name and value
// unchecked.
type Field = hpack.HeaderField

// Client is one HTTP/2 connection over TLS. Its methods are for one goroutine
// that writes and one that reads.
type Client struct {
	*http2.Framer
	conn    net.Conn
	block   bytes.Buffer
	encoder *hpack.Encoder
	decoder *hpack.Decoder
}

// Dial connects to address, trusting any certificate, sends the preface and
// settings, and reads nothing yet. The connection is over when limit has passed.
func Dial(address string, limit time.Duration, settings ...http2.Setting) (*Client, error) {
	// The name is in certificates of nobody; the address itself may not be sent.
	conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, ServerName: "door.test", NextProtos: []string{"h2"}})
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", address, err)
	}
	c := &Client{conn: conn, Framer: http2.NewFramer(conn, conn)}
	c.AllowIllegalWrites = true
	c.encoder, c.decoder = hpack.NewEncoder(&c.block), hpack.NewDecoder(4096, nil)
	_ = conn.SetDeadline(time.Now().Add(limit)) // fails only on a closed connection
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		conn.Close()
		return nil, fmt.Errorf("send the preface: %w", err)
	}
	if err := c.WriteSettings(settings...); err != nil {
		conn.Close()
		return nil, fmt.Errorf("send settings: %w", err)
	}
	return c, nil
}

// Close ends the connection at once.
func (c *Client) Close() error { return c.conn.Close() }

// Conn returns the TLS connection.
func (c *Client) Conn() net.Conn { return c.conn }

// Encode returns the header block of fields, valid until the next call.
func (c *Client) Encode(fields ...Field) []byte {
	c.block.Reset()
	for _, f := range fields {
		// Its writer is a bytes.Buffer, which never fails.
		_ = c.encoder.WriteField(f)
	}
	return c.block.Bytes()
}

// Request returns the fields of an ordinary request, and more behind them.
func Request(method, path string, more ...Field) []Field {
	return append([]Field{
		{Name: ":method", Value: method}, {Name: ":scheme", Value: "https"},
		{Name: ":authority", Value: "door.test"}, {Name: ":path", Value: path},
	}, more...)
}

// Headers begins stream id with the fields given; end says that no body follows.
func (c *Client) Headers(id uint32, end bool, fields ...Field) error {
	return c.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: c.Encode(fields...), EndStream: end, EndHeaders: true})
}

// Next reads a frame. Settings and pings are acknowledged.
func (c *Client) Next() (http2.Frame, error) {
	f, err := c.ReadFrame()
	if err != nil {
		return nil, err
	}
	// A peer that has said goodbye takes no acknowledgement; what it sent before
	// counts, and the next read tells the rest.
	switch f := f.(type) {
	case *http2.SettingsFrame:
		if !f.IsAck() {
			_ = c.WriteSettingsAck()
		}
	case *http2.PingFrame:
		if !f.IsAck() {
			_ = c.WritePing(true, f.Data)
		}
	}
	return f, nil
}

// Answer is what came of a stream.
type Answer struct {
	Status string // of the final response; "" if none came
	Fields []Field
	Reset  bool // the peer reset the stream
	Gone   bool // the peer ended the connection, with GOAWAY or without
	Code   http2.ErrCode
}

// Await reads to the end of stream id. Whatever else comes before it is skipped.
func (c *Client) Await(id uint32) (a Answer) {
	for {
		f, err := c.Next()
		if err != nil {
			a.Gone = true
			return a
		}
		switch f := f.(type) {
		case *http2.HeadersFrame:
			if a.take(c.decoder, f, f.StreamID == id) != nil {
				a.Gone = true
				return a
			}
		case *http2.RSTStreamFrame:
			if f.StreamID == id {
				a.Reset, a.Code = true, f.ErrCode
				return a
			}
		case *http2.GoAwayFrame:
			if f.ErrCode != http2.ErrCodeNo {
				a.Gone, a.Code = true, f.ErrCode
				return a
			}
		}
		h := f.Header()
		if h.StreamID == id && h.Flags.Has(http2.FlagDataEndStream) && (h.Type == http2.FrameData || h.Type == http2.FrameHeaders) {
			return a
		}
	}
}

// take decodes a block, which the table of d needs in any case, and keeps its
// fields if they are wanted.
func (a *Answer) take(d *hpack.Decoder, f *http2.HeadersFrame, wanted bool) error {
	d.SetEmitFunc(func(f Field) {
		if !wanted {
			return
		}
		a.Fields = append(a.Fields, f)
		if f.Name == ":status" && f.Value >= "200" {
			a.Status = f.Value
		}
	})
	_, err := d.Write(f.HeaderBlockFragment())
	return err
}
