package std

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/evergate/evergate/internal/edge/proxy/upstream"
	"github.com/evergate/evergate/internal/exchange"
)

const patience = 10 * time.Second

// serverH2 is a server over HTTP/2 with TLS, or without (h2c), and a Transport for it.
func serverH2(t *testing.T, mode string, handler http.HandlerFunc) *Transport {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	options := Options{Mode: mode, MaxIdle: 10, IdleTimeout: time.Minute}
	if mode == H2 {
		server.EnableHTTP2 = true
		server.StartTLS()
		options.TLS = server.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
		options.TLS.ServerName = "example.com"
	} else {
		server.Config.Protocols = new(http.Protocols)
		server.Config.Protocols.SetUnencryptedHTTP2(true)
		server.Start()
	}
	t.Cleanup(server.Close)
	options.Address = server.Listener.Addr().String()
	tr, err := New(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tr.Close)
	return tr
}

func request(method, body string) *upstream.Request {
	r := &upstream.Request{Method: method, Target: "/a?b=c", Host: "example.org", Header: http.Header{}}
	if body != "" {
		r.Body, r.ContentLength = strings.NewReader(body), int64(len(body))
	}
	return r
}

// ask makes one attempt and reads the answer.
func ask(t *testing.T, tr *Transport, r *upstream.Request) (*upstream.Response, string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	resp, err := tr.RoundTrip(ctx, r)
	if err != nil {
		return nil, "", err
	}
	defer func() { _ = resp.Close() }()
	body, err := io.ReadAll(resp.Body)
	return resp, string(body), err
}

func TestTransport_SpeaksHTTP2(t *testing.T) {
	for _, mode := range []string{H2, H2C} {
		t.Run(mode, func(t *testing.T) {
			tr := serverH2(t, mode, func(w http.ResponseWriter, r *http.Request) {
				if r.ProtoMajor != 2 || r.Host != "example.org" || r.RequestURI != "/a?b=c" {
					t.Errorf("the server got %s %s%s", r.Proto, r.Host, r.RequestURI)
				}
				if _, ok := r.Header["User-Agent"]; ok {
					t.Error("a User-Agent was invented")
				}
				body, _ := io.ReadAll(r.Body)
				w.Header().Set("Trailer", "Grpc-Status")
				_, _ = w.Write(append([]byte("got "), body...))
				w.Header().Set("Grpc-Status", r.Trailer.Get("X-Sum")+"0")
			})
			for range 3 {
				r := request("POST", "hello")
				r.ContentLength = -1
				r.Header.Set("Te", "trailers")
				r.Trailer = http.Header{"X-Sum": {"7"}}
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				resp, err := tr.RoundTrip(ctx, r)
				if err != nil {
					t.Fatal(err)
				}
				body, err := io.ReadAll(resp.Body)
				trailer := resp.Trailer()
				if err != nil || string(body) != "got hello" || len(trailer) != 1 || trailer[0] != (upstream.Field{Name: "Grpc-Status", Value: "70"}) {
					t.Errorf("body %q, %v, trailer %v", body, err, trailer)
				}
				_ = resp.Close()
				cancel()
			}
			if st := tr.Stats(); st.Dials != 1 || st.Hidden != 0 {
				t.Errorf("%d connections, %d hidden replays; want 1 and 0", st.Dials, st.Hidden)
			}
		})
	}
}

func TestTransport_RefusesAnUpgradeOverHTTP2(t *testing.T) {
	tr := serverH2(t, H2C, func(http.ResponseWriter, *http.Request) { t.Error("the server was asked") })
	r := request("GET", "")
	r.Upgrade = "websocket"
	if _, _, err := ask(t, tr, r); !errors.Is(err, upstream.ErrInvalidRequest) {
		t.Errorf("error %v, want ErrInvalidRequest", err)
	}
}

// script is a raw HTTP/2 server without TLS: answer is called for every request.
type script struct {
	requests atomic.Int64
	answer   func(f *http2.Framer, n int64, stream uint32)
}

func (s *script) transport(t *testing.T) *Transport {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go s.serve(c)
		}
	}()
	t.Cleanup(func() { _ = ln.Close(); <-done })
	tr, err := New(Options{Mode: H2C, Address: ln.Addr().String(), MaxIdle: 10})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tr.Close)
	return tr
}

func (s *script) serve(c net.Conn) {
	defer func() { _ = c.Close() }()
	if _, err := io.ReadFull(c, make([]byte, len(http2.ClientPreface))); err != nil {
		return
	}
	f := http2.NewFramer(c, c)
	_ = f.WriteSettings()
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
			s.answer(f, s.requests.Add(1), frame.StreamID)
		}
	}
}

// head is a header block.
func head(fields ...string) []byte {
	var b bytes.Buffer
	e := hpack.NewEncoder(&b)
	for i := 0; i < len(fields); i += 2 {
		_ = e.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	return b.Bytes()
}

func ok(f *http2.Framer, stream uint32) {
	_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: head(":status", "200"), EndHeaders: true, EndStream: true})
}

// TestTransport_CountsWhatHTTP2Repeats holds our count against the server's
// (guide, section 3.1(10)).
func TestTransport_CountsWhatHTTP2Repeats(t *testing.T) {
	tests := []struct {
		name, method, body string
		refuse             func(f *http2.Framer, stream uint32)
		answered           bool
	}{
		{"a refused GET is repeated", "GET", "", refuse, true},
		{"a refused POST is not", "POST", "hello", refuse, false},
		{"a refused POST without body is not", "POST", "", refuse, false},
		{"a refused PUT with body is not", "PUT", "hello", refuse, false},
		{"a GET after GOAWAY is repeated", "GET", "", goAway, true},
		{"a POST after GOAWAY is not", "POST", "hello", goAway, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := &script{answer: func(f *http2.Framer, n int64, stream uint32) {
				if n == 1 {
					tt.refuse(f, stream)
					return
				}
				ok(f, stream)
			}}
			tr := s.transport(t)
			_, _, err := ask(t, tr, request(tt.method, tt.body))
			if (err == nil) != tt.answered {
				t.Errorf("error %v, want an answer: %t", err, tt.answered)
			}
			if seen, told := s.requests.Load(), 1+int64(tr.Stats().Hidden); seen != told {
				t.Errorf("the server saw %d requests, we account for %d", seen, told)
			}
		})
	}
}

func refuse(f *http2.Framer, stream uint32) { _ = f.WriteRSTStream(stream, http2.ErrCodeRefusedStream) }

func goAway(f *http2.Framer, stream uint32) { _ = f.WriteGoAway(0, http2.ErrCodeNo, nil) }

// TestTransport_BearsBadHTTP2Servers: what such a server sends is a bad response
// or a reset, in bounded time and memory (guide, section 7, item 20).
func TestTransport_BearsBadHTTP2Servers(t *testing.T) {
	tests := map[string]func(f *http2.Framer, n int64, stream uint32){
		"frames of at most 0 bytes": func(f *http2.Framer, _ int64, stream uint32) {
			_ = f.WriteSettings(http2.Setting{ID: http2.SettingMaxFrameSize, Val: 0})
		},
		"a header without end": func(f *http2.Framer, _ int64, stream uint32) {
			block := head("x-long", strings.Repeat("x", 10<<10))
			err := f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: head(":status", "200")})
			for i := 0; err == nil && i < 10_000; i++ {
				err = f.WriteContinuation(stream, false, block)
			}
		},
		"interim responses without end": func(f *http2.Framer, _ int64, stream uint32) {
			var err error
			for i := 0; err == nil && i < 100_000; i++ {
				err = f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: head(":status", "103"), EndHeaders: true})
			}
		},
		"more fields than allowed": func(f *http2.Framer, _ int64, stream uint32) {
			fields := []string{":status", "200"}
			for i := range 300 {
				fields = append(fields, "x-"+strconv.Itoa(i), "1")
			}
			_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: head(fields...), EndHeaders: true, EndStream: true})
		},
		"a status that is none": func(f *http2.Framer, _ int64, stream uint32) {
			_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: head(":status", "1000"), EndHeaders: true, EndStream: true})
		},
	}
	for name, answer := range tests {
		t.Run(name, func(t *testing.T) {
			s := &script{answer: answer}
			began := time.Now()
			_, _, err := ask(t, s.transport(t), request("POST", "hello"))
			var e *upstream.Error
			if !errors.As(err, &e) {
				t.Fatalf("error %v, want *upstream.Error", err)
			}
			if e.Outcome != exchange.BadResponse && e.Outcome != exchange.Reset {
				t.Errorf("outcome %s (%v) after %s", e.Outcome, e, time.Since(began))
			}
		})
	}
}
