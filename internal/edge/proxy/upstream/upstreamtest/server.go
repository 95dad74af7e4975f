package upstreamtest

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// Server runs a script on every connection that it accepts.
type Server struct {
	Network, Address string
	Accepted         atomic.Int64 // connections so far
	Requests         atomic.Int64 // requests read so far, by Conn.Request
}

// Serve starts a Server on a loopback port that ends with the test. A script's
// connection is closed when the script returns, unless it was handed on.
func Serve(tb testing.TB, script func(c *Conn)) *Server {
	tb.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	return serve(tb, ln, nil, script)
}

// ServeTLS is Serve over TLS.
func ServeTLS(tb testing.TB, config *tls.Config, script func(c *Conn)) *Server {
	tb.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	return serve(tb, ln, config, script)
}

func serve(tb testing.TB, ln net.Listener, config *tls.Config, script func(c *Conn)) *Server {
	s := &Server{Network: ln.Addr().Network(), Address: ln.Addr().String()}
	var running sync.WaitGroup
	var mu sync.Mutex
	open := make(map[net.Conn]bool)
	running.Go(func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open[nc] = true
			mu.Unlock()
			c := &Conn{Conn: nc, socket: nc, server: s, Number: int(s.Accepted.Add(1))}
			if config != nil {
				c.Conn = tls.Server(nc, config)
			}
			c.r = bufio.NewReaderSize(c.Conn, 1024)
			running.Go(func() {
				defer func() {
					mu.Lock()
					delete(open, nc)
					mu.Unlock()
					if !c.kept {
						_ = c.Conn.Close()
					}
				}()
				script(c)
			})
		}
	})
	tb.Cleanup(func() {
		_ = ln.Close()
		mu.Lock()
		for nc := range open {
			_ = nc.Close()
		}
		mu.Unlock()
		running.Wait()
	})
	return s
}

// Conn is one accepted connection.
type Conn struct {
	net.Conn
	Number int // from 1, in the order of arrival

	socket net.Conn
	server *Server
	r      *bufio.Reader
	kept   bool
}

// Keep says that the connection stays open after the script.
func (c *Conn) Keep() net.Conn {
	c.kept = true
	return c.Conn
}

// Head reads one request head, byte for byte, with its empty line; "" at the end.
func (c *Conn) Head() string {
	var b strings.Builder
	for {
		line, err := c.r.ReadString('\n')
		if err != nil {
			return ""
		}
		b.WriteString(line)
		if line == "\r\n" {
			return b.String()
		}
	}
}

// Received is one request as a careful server understands it.
type Received struct {
	*http.Request
	Content string // the whole body
}

// Request reads one request with its body; nil at the end of the connection.
func (c *Conn) Request() *Received {
	r, err := http.ReadRequest(c.r)
	if err != nil {
		return nil
	}
	c.server.Requests.Add(1)
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil
	}
	return &Received{Request: r, Content: string(body)}
}

// Say writes the texts as they are.
func (c *Conn) Say(texts ...string) {
	_, _ = io.WriteString(c.Conn, strings.Join(texts, ""))
}

// Answer writes a 200 with body and the number of the connection in "Conn".
func (c *Conn) Answer(body string) {
	c.Say(fmt.Sprintf("HTTP/1.1 200 OK\r\nConn: %d\r\nContent-Length: %d\r\n\r\n%s", c.Number, len(body), body))
}

// Reset closes the connection with RST.
func (c *Conn) Reset() {
	if tc, ok := c.socket.(*net.TCPConn); ok {
		_ = tc.SetLinger(0)
	}
	_ = c.socket.Close()
}

// CloseWrite sends FIN.
func (c *Conn) CloseWrite() {
	if cw, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		_ = cw.CloseWrite()
	}
}

// Gone waits until the other end has closed.
func (c *Conn) Gone() {
	_, _ = io.Copy(io.Discard, c.r)
}

// Echo answers every request with Answer until the connection ends.
func Echo(c *Conn) {
	for {
		r := c.Request()
		if r == nil {
			return
		}
		c.Answer(r.Content)
	}
}

// Replies answers the n-th request of a connection with the n-th text, and
// closes after the last.
func Replies(texts ...string) func(*Conn) {
	return func(c *Conn) {
		for _, text := range texts {
			if c.Request() == nil {
				return
			}
			c.Say(text)
		}
	}
}
