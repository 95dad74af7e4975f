package abuse

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"
)

// origin is a server behind the door that counts.
type origin struct {
	*httptest.Server
	begun, ended, bodies atomic.Int64 // requests for /held; uploads read whole
}

// newOrigin answers / at once, /big with 8 MiB, /held when the request is
// cancelled, and reads what is sent to /upload.
func newOrigin(t *testing.T) *origin {
	o := new(origin)
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello") })
	mux.HandleFunc("/big", func(w http.ResponseWriter, r *http.Request) {
		b := make([]byte, 64<<10)
		for range 128 {
			if _, err := w.Write(b); err != nil {
				return
			}
		}
	})
	mux.HandleFunc("/held", func(w http.ResponseWriter, r *http.Request) {
		o.begun.Add(1)
		defer o.ended.Add(1)
		// Read first: a server hears of the end of a connection only behind the body.
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	})
	mux.HandleFunc("/upload", func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err == nil {
			o.bodies.Add(1)
		}
	})
	o.Server = httptest.NewUnstartedServer(mux)
	o.Config.ConnState = func(c net.Conn, state http.ConnState) {
		if state == http.StateNew {
			// Thousands of large answers that nobody takes shall not fill the kernel.
			_ = c.(*net.TCPConn).SetWriteBuffer(32 << 10)
		}
	}
	o.Start()
	t.Cleanup(func() {
		o.CloseClientConnections()
		o.Close()
	})
	return o
}

// eventually waits until ok holds.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(15 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-limit:
			t.Errorf("waited in vain until %s", what)
			return
		}
	}
}
