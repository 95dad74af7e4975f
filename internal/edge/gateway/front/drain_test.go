package front

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/config"
)

func TestFront_DrainLosesNoRequest(t *testing.T) {
	h := newHouse(t, basicConfig(), func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		hello(w, r)
	})
	plain, secure := h.http(), h.https()
	stop := make(chan struct{})
	var visitors sync.WaitGroup
	var answered, lost atomic.Int64
	for i := range 16 {
		client, url := h.client(i%4 == 3), "http://"+plain
		if i%2 == 1 {
			url = "https://" + secure
		}
		visitors.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				res, err := client.Post(url, "text/plain", http.NoBody)
				if err != nil {
					// Nobody listens any more: this request never began.
					if errors.As(err, new(*net.OpError)) && refusedToConnect(err) {
						return
					}
					lost.Add(1)
					t.Logf("lost: %v", err)
					return
				}
				io.Copy(io.Discard, res.Body)
				res.Body.Close()
				answered.Add(1)
			}
		})
	}
	eventually(t, "there is traffic", func() bool { return answered.Load() > 500 })
	unready := make(chan struct{})
	err := h.front.Drain(t.Context(), config.Drain{AcceptGrace: seconds(0.2), Timeout: seconds(10)}, Hooks{Unready: func() { close(unready) }})
	close(stop)
	visitors.Wait()
	<-unready
	if err != nil || lost.Load() > 0 {
		t.Errorf("drain: %v; %d requests were answered and %d lost", err, answered.Load(), lost.Load())
	}
	if n := h.front.openConnections(); n != 0 {
		t.Errorf("%d connections are open", n)
	}
}

func refusedToConnect(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

func TestFront_DrainWaitsForRequestsUnderWay(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		reached, release := make(chan struct{}), make(chan struct{})
		h := newHouse(t, basicConfig(), func(w http.ResponseWriter, r *http.Request) {
			close(reached)
			<-release
			hello(w, r)
		})
		status := make(chan int, 1)
		client, url := h.client(http2), "https://"+h.https()
		go func() {
			s, _ := get(t, client, url)
			status <- s
		}()
		<-reached
		drained := make(chan error, 1)
		go func() { drained <- h.front.Drain(t.Context(), config.Drain{Timeout: seconds(20)}, Hooks{}) }()
		eventually(t, "nothing more is accepted", func() bool {
			c, err := net.Dial("tcp", url[len("https://"):])
			if err == nil {
				c.Close()
			}
			return err != nil
		})
		close(release)
		if s := <-status; s != 200 {
			t.Errorf("the request under way got %d", s)
		}
		if err := <-drained; err != nil {
			t.Errorf("drain: %v", err)
		}
	}
}

func TestFront_DrainCutsWhatDoesNotEnd(t *testing.T) {
	tests := []struct {
		name  string
		drain func(f *Front) error
	}{
		{"when the time is over", func(f *Front) error {
			return f.Drain(context.Background(), config.Drain{Timeout: seconds(0.1)}, Hooks{})
		}},
		{"when the caller loses patience", func(f *Front) error {
			ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
			defer cancel()
			return f.Drain(ctx, config.Drain{AcceptGrace: seconds(60), Timeout: seconds(60)}, Hooks{})
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			reached, gone := make(chan struct{}), make(chan struct{})
			h := newHouse(t, basicConfig(), func(w http.ResponseWriter, r *http.Request) {
				close(reached)
				<-r.Context().Done()
				close(gone)
			})
			w := h.dial()
			w.send(getRoot)
			<-reached
			if err := tt.drain(h.front); err == nil {
				t.Error("drain reports nothing cut")
			}
			if !w.ended() {
				t.Error("the connection is open")
			}
			<-gone
			if err := h.front.Drain(t.Context(), config.Drain{}, Hooks{}); !errors.Is(err, ErrDrained) {
				t.Errorf("a second drain: %v, want ErrDrained", err)
			}
		})
	}
}

func TestFront_DrainLeavesTunnelsToTheirOwner(t *testing.T) {
	tunnels := make(chan net.Conn, 1)
	h := newHouse(t, basicConfig(), func(w http.ResponseWriter, r *http.Request) {
		nc, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		io.WriteString(nc, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		tunnels <- nc
	})
	w := h.dial()
	w.send("GET / HTTP/1.1\r\nHost: front.test\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	if res, err := http.ReadResponse(w.Reader, nil); err != nil || res.StatusCode != 101 {
		t.Fatalf("got %v, %v", res, err)
	}
	tunnel := <-tunnels
	asked := false
	err := h.front.Drain(t.Context(), config.Drain{Timeout: seconds(0.1)}, Hooks{Tunnels: func(ctx context.Context) {
		asked = true
		io.WriteString(tunnel, "bye")
		tunnel.Close()
	}})
	b := make([]byte, 3)
	if _, readErr := io.ReadFull(w, b); readErr != nil || string(b) != "bye" {
		t.Errorf("the visitor got %q, %v", b, readErr)
	}
	if !asked || err != nil {
		t.Errorf("asked %v, drain %v", asked, err)
	}
}
