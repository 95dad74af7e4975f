package h1

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/edge/proxy/upstream"
)

// A short answer may be read to its end although it was cut: it had come with
// its head. Its connection must not carry another attempt.
func TestTransport_DoesNotKeepAConnectionThatWasCut(t *testing.T) {
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "short") }))
	defer web.Close()
	tr := New(Options{Address: web.Listener.Addr().String(), MaxIdle: 10, ProbeAfter: time.Second})
	defer tr.Close()
	for i := range 2 {
		resp, err := tr.RoundTrip(t.Context(), &upstream.Request{Method: "GET", Target: "/", Host: "a.example"})
		if err != nil {
			t.Fatalf("attempt %d: %v", i+1, err)
		}
		resp.Cut()
		if text, err := io.ReadAll(resp.Body); err != nil || string(text) != "short" {
			t.Fatalf("attempt %d: read %q, %v; this test needs an answer that came at once", i+1, text, err)
		}
		if err := resp.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if stats := tr.Stats(); stats.Open != 0 {
		t.Errorf("%d connections are open", stats.Open)
	}
}
