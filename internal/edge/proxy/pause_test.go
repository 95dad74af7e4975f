package proxy

import (
	"strings"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/edge/proxy/upstream/upstreamtest"
)

func TestProxy_AServerThatHangsInAnAnswerIsCut(t *testing.T) {
	answers := map[string]string{
		"of known length":   "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf of it",
		"of unknown length": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
	}
	for name, text := range answers {
		t.Run(name, func(t *testing.T) {
			server := upstreamtest.Serve(t, func(c *upstreamtest.Conn) {
				if c.Request() != nil {
					c.Say(text)
					c.Gone()
				}
			})
			d := open(t, setup{servers: []string{server.Address}, origin: "response_idle_timeout: 50ms"})
			resp, err := d.client.Do(d.request("GET", nil))
			if err != nil {
				t.Fatal(err)
			}
			wantCut(t, read(resp))
			x := d.next()
			if x.Abort != abortCut || !strings.HasPrefix(x.words(), "5 timeout ") {
				t.Errorf("abort %q, %s", x.Abort, x.words())
			}
			if s := d.proxy.Snapshots()[0].Servers[0]; s.Failures == 0 {
				t.Error("the server is not blamed")
			}
		})
	}
}

// TestProxy_APauseIsCountedFromPieceToPiece would fail if the time were that of
// the whole body.
func TestProxy_APauseIsCountedFromPieceToPiece(t *testing.T) {
	const pieces = 20
	server := upstreamtest.Serve(t, func(c *upstreamtest.Conn) {
		if c.Request() == nil {
			return
		}
		c.Say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
		for range pieces {
			time.Sleep(20 * time.Millisecond) // the pauses are what is tested
			c.Say("4\r\ntick\r\n")
		}
		c.Say("0\r\n\r\n")
	})
	d := open(t, setup{servers: []string{server.Address}, origin: "response_idle_timeout: 250ms"})
	resp, err := d.client.Do(d.request("GET", nil))
	if err != nil {
		t.Fatal(err)
	}
	if got := read(resp); got.err != nil || got.content != strings.Repeat("tick", pieces) {
		t.Errorf("%d bytes, %v", len(got.content), got.err)
	}
}
