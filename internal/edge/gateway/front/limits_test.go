package front

import (
	"io"
	"net/http"
	"os"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/evergate/evergate/internal/config"
)

func TestFront_BoundsConnectionsOfOneAddress(t *testing.T) {
	cfg := basicConfig()
	cfg.Limits.ConnectionsPerIP = 2
	h := newHouse(t, cfg, hello)
	first, second := h.dial(), h.dial()
	for _, w := range []*wire{first, second} {
		w.send(getRoot)
		w.answer()
	}
	if w := h.dial(); !w.ended() {
		t.Error("a third connection was admitted")
	}
	if n := h.metric("evergate_connections_refused_total", "per_ip"); n != 1 {
		t.Errorf("%v connections counted as refused, want 1", n)
	}
	first.Conn.Close()
	eventually(t, "there is room again", func() bool {
		w := h.dial()
		io.WriteString(w.Conn, getRoot)
		_, err := http.ReadResponse(w.Reader, nil)
		w.Conn.Close()
		return err == nil
	})
}

func TestFront_ExemptNetworksAndTrustedProxiesHaveNoLimitPerAddress(t *testing.T) {
	for _, name := range []string{"exempt", "trusted proxy"} {
		t.Run(name, func(t *testing.T) {
			cfg := basicConfig()
			cfg.Limits.ConnectionsPerIP = 1
			if name == "exempt" {
				cfg.Limits.ConnectionsExempt = networks("127.0.0.1/32")
			} else {
				cfg.TrustedProxies = networks("127.0.0.1/32")
			}
			h := newHouse(t, cfg, hello)
			for range 3 {
				w := h.dial()
				w.send(getRoot)
				w.answer()
			}
		})
	}
}

func TestFront_ConnectionsAboveTheTotalWaitInTheKernel(t *testing.T) {
	cfg := basicConfig()
	cfg.Listen.HTTPS = nil
	cfg.Limits.Connections = 2
	h := newHouse(t, cfg, hello)
	first, second := h.dial(), h.dial()
	for _, w := range []*wire{first, second} {
		w.send(getRoot)
		w.answer()
	}
	third := h.dial()
	third.send(getRoot)
	if n := h.front.openConnections(); n != 2 {
		t.Fatalf("%d connections are open, want 2", n)
	}
	first.Conn.Close()
	if res := third.answer(); res.StatusCode != 200 {
		t.Errorf("the one that waited got %s", res.Status)
	}
	if n := h.metric("evergate_connections", ""); n != 2 {
		t.Errorf("the gauge says %v, want 2", n)
	}
}

func TestFront_AWaitingListenerCanBeClosed(t *testing.T) {
	cfg := basicConfig()
	cfg.Limits.Connections = 1
	h := newHouse(t, cfg, hello)
	w := h.dial()
	w.send(getRoot)
	w.answer()
	h.front.Close() // the test's own timeout tells if it hangs
}

// endless answers without end.
func endless(w http.ResponseWriter, r *http.Request) {
	b := make([]byte, 32<<10)
	for {
		if _, err := w.Write(b); err != nil {
			return
		}
	}
}

// quickLimits make the watch over slow readers fast enough for tests.
func quickLimits(cfg *config.Config) *config.Config {
	cfg.Limits.Response = config.ResponseLimits{IdleTimeout: seconds(0.4), MinRate: 500, Grace: seconds(0.2)}
	return cfg
}

func TestFront_CutsAVisitorThatTakesNothing(t *testing.T) {
	for _, secure := range []bool{false, true} {
		t.Run(map[bool]string{false: "http", true: "https"}[secure], func(t *testing.T) {
			failed := make(chan error, 1)
			h := newHouse(t, quickLimits(basicConfig()), func(w http.ResponseWriter, r *http.Request) {
				b := make([]byte, 32<<10)
				for {
					if _, err := w.Write(b); err != nil {
						failed <- err
						return
					}
				}
			})
			client := h.client(false)
			url := "http://" + h.http()
			if secure {
				url = "https://" + h.https()
			}
			res, err := client.Get(url)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			if err := <-failed; err == nil {
				t.Error("the handler was told nothing")
			}
			eventually(t, "the connection is gone", func() bool { return h.front.openConnections() == 0 })
			if n := h.metric("evergate_connections_aborted_total", ""); n != 1 {
				t.Errorf("%v connections counted, want 1", n)
			}
		})
	}
}

func TestFront_ASlowButHonestReaderIsNotCut(t *testing.T) {
	cfg := quickLimits(basicConfig())
	h := newHouse(t, cfg, endless)
	w := h.dialNarrow()
	w.send(getRoot)
	// It takes 8 KiB every 20 ms for several times the idle timeout, while the
	// kernel's buffers on our side stay full all the time.
	b := make([]byte, 8<<10)
	for begun := time.Now(); time.Since(begun) < 4*cfg.Limits.Response.IdleTimeout.D(); {
		if _, err := io.ReadFull(w, b); err != nil {
			t.Fatalf("cut after %v: %v", time.Since(begun), err)
		}
		<-time.After(20 * time.Millisecond)
	}
}

func TestFront_AQuietHandlerCostsItsVisitorNothing(t *testing.T) {
	cfg := quickLimits(basicConfig())
	for _, http2 := range []bool{false, true} {
		h := newHouse(t, cfg, func(w http.ResponseWriter, r *http.Request) {
			for i := range 3 {
				if i > 0 {
					<-time.After(2 * cfg.Limits.Response.IdleTimeout.D())
				}
				io.WriteString(w, "event\n")
				w.(http.Flusher).Flush()
			}
		})
		if status, body := get(t, h.client(http2), "https://"+h.https()); status != 200 || body != "event\nevent\nevent\n" {
			t.Errorf("got %d %q", status, body)
		}
	}
}

func TestFront_SendsFilesInsideTheKernel(t *testing.T) {
	if testing.Short() {
		t.Skip("a megabyte through a file")
	}
	name := t.TempDir() + "/large"
	if err := os.WriteFile(name, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	usedReadFrom := make(chan bool, 1)
	h := newHouse(t, basicConfig(), func(w http.ResponseWriter, r *http.Request) {
		file, err := os.Open(name)
		if err != nil {
			t.Error(err)
			return
		}
		defer file.Close()
		_, ok := w.(io.ReaderFrom)
		usedReadFrom <- ok && direct(file) && direct(io.LimitReader(file, 1).(*io.LimitedReader))
		http.ServeContent(w, r, "", time.Time{}, file)
	})
	status, body := get(t, h.client(false), "http://"+h.http())
	if status != 200 || len(body) != 1<<20 {
		t.Errorf("got %d with %d bytes", status, len(body))
	}
	if !<-usedReadFrom {
		t.Error("the writer has lost ReadFrom")
	}
}

func TestFront_ResetsAStreamWhoseWindowStaysShut(t *testing.T) {
	const others = "/quick"
	tests := []struct {
		name    string
		handler http.HandlerFunc
	}{
		{"while the handler writes", endless},
		{"when the handler has returned", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "small") }},
		{"while the handler flushes", func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "small")
			w.(http.Flusher).Flush()
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newHouse(t, quickLimits(basicConfig()), func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == others {
					w.WriteHeader(http.StatusNoContent)
					return
				}
				tt.handler(w, r)
			})
			c := h.dialHTTP2(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
			c.get(1, "/")
			c.awaitReset(1)
			c.get(3, others)
			c.awaitEnd(3)
		})
	}
}

func TestFront_AStreamWithASlowWindowGoesOn(t *testing.T) {
	cfg := quickLimits(basicConfig())
	h := newHouse(t, cfg, endless)
	c := h.dialHTTP2(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 10})
	c.get(1, "/")
	// A first large piece must be taken within the idle time; then 8 KiB suffice.
	c.WriteWindowUpdate(1, 64<<10)
	end := time.Now().Add(4 * cfg.Limits.Response.IdleTimeout.D())
	for time.Now().Before(end) {
		c.await("data", func(f http2.Frame) bool {
			if reset, ok := f.(*http2.RSTStreamFrame); ok {
				t.Fatalf("reset: %v", reset.ErrCode)
			}
			data, ok := f.(*http2.DataFrame)
			if ok {
				c.WriteWindowUpdate(0, uint32(len(data.Data())))
				<-time.After(20 * time.Millisecond)
				c.WriteWindowUpdate(1, uint32(len(data.Data())))
			}
			return ok
		})
	}
}

func TestFront_AnswersPassThroughTheStreamWriter(t *testing.T) {
	h := newHouse(t, basicConfig(), func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</style.css>")
		w.WriteHeader(http.StatusEarlyHints)
		rc := http.NewResponseController(w)
		if err := rc.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Errorf("deadlines are lost: %v", err)
		}
		if err := rc.EnableFullDuplex(); err != nil {
			t.Errorf("full duplex is lost: %v", err)
		}
		w.Header().Set("Trailer", "X-End")
		w.WriteHeader(http.StatusTeapot)
		if n, err := w.(io.ReaderFrom).ReadFrom(io.LimitReader(zeros{}, 300<<10)); n != 300<<10 || err != nil {
			t.Errorf("ReadFrom: %d, %v", n, err)
		}
		w.Header().Set("X-End", "end")
	})
	res, err := h.client(true).Get("https://" + h.https())
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || len(body) != 300<<10 || res.StatusCode != http.StatusTeapot || res.Trailer.Get("X-End") != "end" {
		t.Errorf("got %s with %d bytes, trailer %v, %v", res.Status, len(body), res.Trailer, err)
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func TestFront_ATunnelKeepsFlowingBothWays(t *testing.T) {
	h := newHouse(t, basicConfig(), func(w http.ResponseWriter, r *http.Request) {
		nc, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer nc.Close()
		io.WriteString(nc, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		rw.WriteTo(nc)
		io.Copy(nc, nc)
	})
	w := h.dial()
	w.send("GET / HTTP/1.1\r\nHost: front.test\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	if res, err := http.ReadResponse(w.Reader, nil); err != nil || res.StatusCode != 101 {
		t.Fatalf("got %v, %v", res, err)
	}
	for range 3 {
		w.send("ping")
		b := make([]byte, 4)
		if _, err := io.ReadFull(w, b); err != nil || string(b) != "ping" {
			t.Fatalf("got %q, %v", b, err)
		}
	}
	w.Conn.Close()
	eventually(t, "its place is free", func() bool { return h.front.openConnections() == 0 })
}
