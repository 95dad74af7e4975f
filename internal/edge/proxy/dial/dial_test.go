package dial

import (
	"context"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/config"
	"github.com/evergate/evergate/internal/edge/proxy/origin"
	"github.com/evergate/evergate/internal/edge/proxy/upstream"
	"github.com/evergate/evergate/internal/exchange"
)

// Each transport, through an origin whose active check must pass first, to a
// real server.
func TestTransport(t *testing.T) {
	tests := []struct {
		name, kind string
		tls, unix  bool
		proto      string
	}{
		{"lean", "lean", false, false, "HTTP/1.1"},
		{"lean over TLS", "lean", true, false, "HTTP/1.1"},
		{"lean on a unix socket", "lean", false, true, "HTTP/1.1"},
		{"std", "std", false, false, "HTTP/1.1"},
		{"std over TLS", "std", true, false, "HTTP/1.1"},
		{"std on a unix socket", "std", false, true, "HTTP/1.1"},
		{"h2", "h2", true, false, "HTTP/2.0"},
		{"h2c", "h2c", false, false, "HTTP/2.0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.WriteString(w, r.Proto+" "+r.URL.RequestURI())
			}))
			server.Config.Protocols = new(http.Protocols)
			server.Config.Protocols.SetHTTP1(true)
			server.Config.Protocols.SetHTTP2(true)
			server.Config.Protocols.SetUnencryptedHTTP2(true)
			cfg := settings(tt.kind)
			dir := t.TempDir()
			if tt.unix {
				l, err := net.Listen("unix", filepath.Join(dir, "s"))
				if err != nil {
					t.Fatal(err)
				}
				server.Listener.Close()
				server.Listener = l
			}
			if tt.tls {
				server.EnableHTTP2 = true
				server.StartTLS()
				cfg.TLS.CA = filepath.Join(dir, "ca.pem")
				ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
				if err := os.WriteFile(cfg.TLS.CA, ca, 0o600); err != nil {
					t.Fatal(err)
				}
			} else {
				server.Start()
			}
			defer server.Close()
			cfg.Servers[0].URL = server.URL
			if tt.unix {
				cfg.Servers[0].URL = "unix:" + filepath.Join(dir, "s")
			}
			o, err := origin.New("shop", cfg, origin.Options{NewTransport: Transport})
			if err != nil {
				t.Fatal(err)
			}
			o.Start()
			defer o.Retire()
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			for range 2 {
				if got, want := ask(t, ctx, o, "/x?y=%7e"), tt.proto+" /x?y=%7e"; got != want {
					t.Errorf("answer %q, want %q", got, want)
				}
			}
		})
	}
}

// ask makes one request through o and returns the answer's body.
func ask(t *testing.T, ctx context.Context, o *origin.Origin, target string) string {
	t.Helper()
	v, err := o.Enter(ctx, origin.Arrival{Safe: true})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Leave()
	l, err := v.Acquire(ctx, nil, true)
	if err != nil {
		t.Fatalf("%v: %+v", err, o.Snapshot().Servers)
	}
	defer l.Done()
	r, err := l.Transport().RoundTrip(ctx, &upstream.Request{Method: "GET", Target: target, Host: "app.test", Header: http.Header{}})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	l.Report(exchange.Success, r.Status)
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func settings(kind string) *config.Origin {
	return &config.Origin{
		Servers:     []*config.Server{{Weight: 1, State: "up"}},
		Balance:     config.Balance{Policy: "least_requests"},
		Host:        "preserve",
		Transport:   kind,
		DialTimeout: config.Duration(2 * time.Second),
		Pool:        config.Pool{MaxIdle: 10, IdleTimeout: config.Duration(time.Minute), MaxAge: config.Duration(time.Hour)},
		Health: config.Health{
			Active:              &config.ActiveHealth{Path: "/healthz", Interval: config.Duration(time.Second), Timeout: config.Duration(2 * time.Second), Rise: 2, Fall: 3},
			ConsecutiveFailures: 5,
			Eject:               config.Eject{Base: config.Duration(time.Second), Max: config.Duration(time.Minute)},
		},
		Queue:                config.Queue{MaxRequests: 10, MaxBytes: 1 << 20, Timeout: config.Duration(10 * time.Second)},
		ResponseHeaderBytes:  64 << 10,
		ResponseHeaderFields: 200,
	}
}

func TestTransport_refusesAnUnknownKind(t *testing.T) {
	if _, err := Transport(origin.TransportSpec{Kind: "quic", Network: "tcp", Address: "10.0.0.1:80"}); err == nil {
		t.Error("no error")
	}
}

// A server that dies is found by the connection that a trial begins with, and
// comes back with it: with real sockets.
func TestTransport_probe(t *testing.T) {
	for _, kind := range []string{"lean", "std", "h2c"} {
		t.Run(kind, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			tr, err := Transport(origin.TransportSpec{Kind: kind, Network: "tcp", Address: l.Addr().String(), DialTimeout: time.Second, MaxIdle: 1})
			if err != nil {
				t.Fatal(err)
			}
			defer tr.Close()
			server := &http.Server{Protocols: new(http.Protocols)}
			server.Protocols.SetHTTP1(true)
			server.Protocols.SetUnencryptedHTTP2(true)
			go func() { _ = server.Serve(l) }()
			if err := tr.Probe(context.Background()); err != nil {
				t.Errorf("a living server: %v", err)
			}
			_ = server.Close()
			if err := tr.Probe(context.Background()); err == nil {
				t.Error("a dead server accepts connections")
			}
		})
	}
}
