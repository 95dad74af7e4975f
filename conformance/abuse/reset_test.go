package abuse

import (
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/evergate/evergate/conformance/frames"
)

// resets are ways to make the door work for a stream that is over at once, so
// that the limit of streams never bites. After the first (CVE-2023-44487), the
// visitor breaks a rule and lets the door do it (MadeYouReset, CVE-2025-8671).
var resets = []struct {
	name string
	open bool // the request is not ended: the stream is not half-closed
	kill func(c *frames.Client, id uint32) error
}{
	{"RST_STREAM", false, func(c *frames.Client, id uint32) error { return c.WriteRSTStream(id, http2.ErrCodeCancel) }},
	{"RST_STREAM of an upload", true, func(c *frames.Client, id uint32) error { return c.WriteRSTStream(id, http2.ErrCodeCancel) }},
	{"WINDOW_UPDATE of zero", false, func(c *frames.Client, id uint32) error {
		return c.WriteRawFrame(http2.FrameWindowUpdate, 0, id, []byte{0, 0, 0, 0})
	}},
	{"WINDOW_UPDATE beyond the largest window", false, func(c *frames.Client, id uint32) error {
		return c.WriteRawFrame(http2.FrameWindowUpdate, 0, id, []byte{0x7f, 0xff, 0xff, 0xff})
	}},
	{"DATA on a half-closed stream", false, func(c *frames.Client, id uint32) error { return c.WriteData(id, true, []byte("x")) }},
	{"HEADERS on a half-closed stream", false, func(c *frames.Client, id uint32) error {
		return c.Headers(id, true, frames.Field{Name: "x-a", Value: "b"})
	}},
	{"PRIORITY that depends on itself", false, func(c *frames.Client, id uint32) error {
		return c.WriteRawFrame(http2.FramePriority, 0, id, []byte{byte(id >> 24), byte(id >> 16), byte(id >> 8), byte(id), 0})
	}},
	{"PRIORITY of a wrong length", false, func(c *frames.Client, id uint32) error {
		return c.WriteRawFrame(http2.FramePriority, 0, id, []byte{0, 0, 0, 1})
	}},
	{"more DATA than its length", true, func(c *frames.Client, id uint32) error { return c.WriteData(id, false, []byte("too much")) }},
	{"malformed trailers", true, func(c *frames.Client, id uint32) error {
		return c.Headers(id, true, frames.Field{Name: ":path", Value: "/"})
	}},
}

func TestAbuse_ResetStreams(t *testing.T) {
	const (
		attempts = 5000
		limit    = 200 // limits.http2_resets, in a second of the clock
		streams  = 100 // limits.http2_streams
	)
	o := newOrigin(t)
	d := newDoor(t, o.URL, "", "")
	d.mark(t)
	for _, tt := range resets {
		t.Run(tt.name, func(t *testing.T) {
			before := o.begun.Load()
			w := newWitness(d)
			c, err := frames.Dial(d.https, 15*time.Second)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			closed := ending(c)
			began, sent := time.Now(), 0
			for id := uint32(1); sent < attempts; id += 2 {
				if isClosed(closed) || write(c, id, tt.open, tt.kill) != nil {
					break
				}
				sent++
			}
			took := time.Since(began)
			c.Close()
			<-closed
			eventually(t, "what is upstream has been cancelled", func() bool { return o.ended.Load() == o.begun.Load() })
			seconds := int64(took/time.Second) + 2 // of the clock that were touched
			upstream := o.begun.Load() - before
			t.Logf("%d streams reset in %v: %d requests upstream, %.2f per reset, all cancelled", sent, took.Round(time.Millisecond), upstream, float64(upstream)/float64(max(1, sent)))
			if most := limit*seconds + streams; upstream > most {
				t.Errorf("%d requests went upstream, want at most %d", upstream, most)
			}
			w.end(t)
		})
	}
	d.bounded(t, 64)
}

// write begins a stream and kills it.
func write(c *frames.Client, id uint32, open bool, kill func(*frames.Client, uint32) error) error {
	fields := frames.Request("GET", "/held")
	if open {
		fields = frames.Request("POST", "/held", frames.Field{Name: "content-length", Value: "3"})
	}
	if err := c.Headers(id, !open, fields...); err != nil {
		return err
	}
	return kill(c, id)
}

// A patient visitor resets a stream only when its request has reached the server:
// then each reset has cost the server something.
func TestAbuse_ResetStreamsThatHaveReachedTheServer(t *testing.T) {
	const batch, limit = 50, 200
	o := newOrigin(t)
	d := newDoor(t, o.URL, "", "")
	d.mark(t)
	for _, tt := range resets[:3] {
		t.Run(tt.name, func(t *testing.T) {
			before := o.begun.Load()
			w := newWitness(d)
			c, err := frames.Dial(d.https, 20*time.Second)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			closed := ending(c)
			began := time.Now()
			for id := uint32(1); id < 10000; {
				reached := o.begun.Load() + batch
				first := id
				for ; id < first+2*batch; id += 2 {
					fields := frames.Request("GET", "/held")
					if tt.open {
						fields = frames.Request("POST", "/held")
					}
					err = c.Headers(id, !tt.open, fields...)
				}
				eventually(t, "the batch has reached the server", func() bool {
					return o.begun.Load() >= reached || isClosed(closed)
				})
				for kill := first; kill < id; kill += 2 {
					err = tt.kill(c, kill)
				}
				if err != nil || isClosed(closed) {
					break
				}
			}
			seconds := int64(time.Since(began)/time.Second) + 2
			eventually(t, "the connection is closed", func() bool { return isClosed(closed) })
			eventually(t, "what is upstream has been cancelled", func() bool { return o.ended.Load() == o.begun.Load() })
			upstream := o.begun.Load() - before
			t.Logf("%d requests upstream in %v, then the door closed the connection", upstream, time.Since(began).Round(time.Millisecond))
			// One batch breaks the limit, and another may be on its way.
			if most := limit*seconds + 2*batch; upstream > most {
				t.Errorf("%d requests went upstream, want at most %d", upstream, most)
			}
			w.end(t)
		})
	}
	d.bounded(t, 64)
}

// ending reads what comes on c, and closes its channel when the connection ends.
func ending(c *frames.Client) <-chan struct{} {
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		for {
			if _, err := c.ReadFrame(); err != nil {
				return
			}
		}
	}()
	return closed
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
