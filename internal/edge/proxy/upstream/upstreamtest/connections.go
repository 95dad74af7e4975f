package upstreamtest

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/exchange"
)

func (s *suite) connections() []test {
	return []test{
		{"a refused connection is class 0", s.refused},
		{"a failed handshake is class 1", s.handshakeFails},
		{"a handshake that hangs ends with the dial time-out", s.handshakeHangs},
		{"unix sockets work", s.unixSocket},
		{"TLS works with server name and client certificate", s.tlsConnections},
		{"a dead TLS connection is noticed", s.deadTLS},
		{"a probe makes a connection and keeps it", s.probe},
		{"max_open is a limit and others wait", s.maxOpen},
		{"a closed transport lets running attempts end", s.closing},
	}
}

func (s *suite) refused(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &Server{Network: "tcp", Address: ln.Addr().String()}
	_ = ln.Close()
	tr := s.transport(t, server, Config{})
	o := do(t, tr, get("/"))
	wantError(t, o.err, exchange.NotConnected, exchange.Connect)
	e := asError(t, tr.Probe(t.Context()))
	wantError(t, e, exchange.NotConnected, exchange.Connect)
	if open := tr.Stats().Open; open != 0 {
		t.Errorf("%d connections are counted as open", open)
	}
}

func (s *suite) handshakeFails(t *testing.T) {
	server := Serve(t, func(c *Conn) {
		_, _ = c.r.ReadByte()
		c.Say("HTTP/1.1 400 Bad Request\r\n\r\nplain, not TLS")
	})
	tr := s.transport(t, server, Config{TLS: &tls.Config{ServerName: "example.org"}})
	o := do(t, tr, get("/"))
	wantError(t, o.err, exchange.NotSent, exchange.Connect)
	if o.err.Op != "handshake" {
		t.Errorf("op %q", o.err.Op)
	}
	eventually(t, "the connection is closed", func() bool { return tr.Stats().Open == 0 })
}

func (s *suite) handshakeHangs(t *testing.T) {
	server := Serve(t, (*Conn).Gone)
	tr := s.transport(t, server, Config{TLS: &tls.Config{ServerName: "example.org"}})
	ctx, cancel := context.WithTimeout(t.Context(), short)
	defer cancel()
	within(t, patience/2, "the time-out", func() {
		o := doContext(ctx, t, tr, get("/"))
		if o.err == nil || o.err.Class > exchange.NotSent || o.err.Outcome != exchange.Timeout {
			t.Errorf("error %v", o.err)
		}
	})
	eventually(t, "the connection is closed", func() bool { return tr.Stats().Open == 0 })
}

func (s *suite) unixSocket(t *testing.T) {
	ln, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	server := serve(t, ln, nil, Echo)
	tr := s.transport(t, server, Config{ProbeAfter: time.Nanosecond})
	for i := range 3 {
		if o := must(t, tr, send("POST", strings.NewReader("hello"), 5)); o.body != "hello" || o.reused != (i > 0) {
			t.Errorf("request %d: %q, reused %v", i, o.body, o.reused)
		}
	}
}

func (s *suite) tlsConnections(t *testing.T) {
	authority := NewAuthority(t)
	names := make(chan string, 1)
	config := &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: authority.Pool}
	certificate := authority.Issue(t, "inner.example.org")
	config.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		names <- hello.ServerName
		return &certificate, nil
	}
	server := ServeTLS(t, config, Echo)
	client := &tls.Config{ServerName: "inner.example.org", RootCAs: authority.Pool, Certificates: []tls.Certificate{authority.Issue(t, "door")}}
	tr := s.transport(t, server, Config{TLS: client, ProbeAfter: time.Nanosecond})
	large := strings.Repeat("x", 200_000)
	for i := range 5 {
		o := must(t, tr, send("POST", strings.NewReader(large), int64(len(large))))
		if o.body != large {
			t.Errorf("%d bytes came back", len(o.body))
		}
		if i > 0 && !o.reused {
			t.Error("the connection was not used again")
		}
	}
	if name := <-names; name != "inner.example.org" {
		t.Errorf("server name %q", name)
	}

	t.Run("a wrong name is refused", func(t *testing.T) {
		go func() { <-names }()
		wrong := client.Clone()
		wrong.ServerName = "other.example.org"
		o := do(t, s.transport(t, server, Config{TLS: wrong}), get("/"))
		wantError(t, o.err, exchange.NotSent, exchange.Connect)
		var e *tls.CertificateVerificationError
		if !errors.As(o.err, &e) {
			t.Errorf("error %v", o.err)
		}
	})
}

func (s *suite) deadTLS(t *testing.T) {
	authority := NewAuthority(t)
	closed := make(chan struct{}, 10)
	server := ServeTLS(t, &tls.Config{Certificates: []tls.Certificate{authority.Issue(t, "example.org")}}, func(c *Conn) {
		if c.Request() != nil {
			c.Answer("")
		}
		_ = c.Close()
		closed <- struct{}{}
	})
	tr := s.transport(t, server, Config{ProbeAfter: time.Nanosecond, TLS: &tls.Config{ServerName: "example.org", RootCAs: authority.Pool}})
	for range 10 {
		req := send("POST", strings.NewReader("x"), 1)
		req.Fresh = true
		o := do(t, tr, req)
		if o.err == nil {
			<-closed
		} else if !o.err.Reused { // the close may come in the very moment of the write
			t.Fatal(o.err)
		}
	}
}

func (s *suite) probe(t *testing.T) {
	server := Serve(t, Echo)
	tr := s.transport(t, server, Config{})
	if err := tr.Probe(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the server has a connection", func() bool { return server.Accepted.Load() == 1 })
	must(t, tr, get("/"))
	if n := server.Accepted.Load(); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
	if st := tr.Stats(); st.Open != 1 || st.Dials != 1 {
		t.Errorf("stats %+v", st)
	}
}

func (s *suite) maxOpen(t *testing.T) {
	server := Serve(t, Echo)
	tr := s.transport(t, server, Config{MaxOpen: 2})
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			for range 20 {
				must(t, tr, send("POST", strings.NewReader("x"), 1))
			}
		})
	}
	wg.Wait()
	if n := server.Accepted.Load(); n > 2 {
		t.Errorf("%d connections, want at most 2", n)
	}
	t.Run("waiting ends with the attempt", func(t *testing.T) {
		server := Serve(t, func(c *Conn) {
			c.Request()
			c.Say("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel")
			c.Gone()
		})
		tr := s.transport(t, server, Config{MaxOpen: 1})
		resp, err := tr.RoundTrip(t.Context(), get("/"))
		if err != nil {
			t.Fatal(err)
		}
		req := get("/")
		req.Timeout = short
		o := do(t, tr, req)
		wantError(t, o.err, exchange.NotConnected, exchange.Timeout)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(short, cancel)
		o = doContext(ctx, t, tr, get("/"))
		wantError(t, o.err, exchange.NotConnected, exchange.Canceled)
		_ = resp.Close()
	})
}

func (s *suite) closing(t *testing.T) {
	server := Serve(t, Echo)
	tr := s.transport(t, server, Config{})
	must(t, tr, get("/"))
	resp, err := tr.RoundTrip(t.Context(), send("POST", strings.NewReader("hello"), 5))
	if err != nil {
		t.Fatal(err)
	}
	tr.Close()
	buf := make([]byte, 5)
	if n, err := resp.Body.Read(buf); n != 5 || (err != nil && err.Error() != "EOF") {
		t.Errorf("read %d bytes, %v", n, err)
	}
	_ = resp.Close()
}
