package front

import (
	"net/http"
	"testing"

	"golang.org/x/net/http2"
)

func TestFront_EndsTheConnectionOfAVisitorWhoResetsTooOften(t *testing.T) {
	tests := []struct {
		name string
		kill func(c *frames, id uint32) error
	}{
		{"by himself", func(c *frames, id uint32) error { return c.WriteRSTStream(id, http2.ErrCodeCancel) }},
		{"by making us do it", func(c *frames, id uint32) error {
			return c.WriteRawFrame(http2.FrameWindowUpdate, 0, id, []byte{0, 0, 0, 0})
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := basicConfig()
			cfg.Limits.HTTP2Resets = 5
			h := newHouse(t, cfg, func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
			c := h.dialHTTP2()
			// Some more than the limit, since a second of the clock may end on the way.
			// An error is that of a connection that has ended already.
			for id := uint32(1); id < 2*20; id += 2 {
				if c.request(id, "/", true) != nil || tt.kill(c, id) != nil {
					break
				}
			}
			if !c.drain() {
				t.Error("the connection goes on")
			}
			if n := h.metric("evergate_connections_aborted_total", "resets"); n != 1 {
				t.Errorf("%v connections counted, want 1", n)
			}
			if n := h.metric("evergate_streams_reset_total", ""); n < 6 {
				t.Errorf("%v streams counted, want more than 5", n)
			}
		})
	}
}
