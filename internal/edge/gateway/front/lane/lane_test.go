package lane

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestLane_KeepsConnectionsOverManyRequests(t *testing.T) {
	d := open(t, &Lane{IdleTimeout: time.Minute, HeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		w.Header().Set(r.URL.Path[1:], "1")
		fmt.Fprintln(w, r.Method, r.URL, r.Header, string(b), err, r.ContentLength)
	})})
	w := d.dial()
	for i := range 500 {
		request, method, want := fmt.Sprintf("GET /A%d?q HTTP/1.1\r\nHost: a.test\r\n\r\n", i), "GET", fmt.Sprintf("GET /A%d?q map[]  <nil> 0\n", i)
		if i%3 == 1 {
			body := long(i * 10)
			request = fmt.Sprintf("POST /A%d HTTP/1.1\r\nHost: a.test\r\nContent-Length: %d\r\n\r\n%s", i, len(body), body)
			method, want = "POST", fmt.Sprintf("POST /A%d map[Content-Length:[%d]] %s <nil> %d\n", i, len(body), body, len(body))
		}
		w.send(request)
		res, body := w.answer(method)
		if body != want {
			t.Fatalf("request %d: %q, want %q", i, body, want)
		}
		if fields := res.Header; fields.Get(fmt.Sprint("A", i)) == "" || len(fields) != 2 {
			t.Fatalf("request %d: header %v has something of another one", i, fields)
		}
	}
}

func TestLane_EndsConnectionsThatWaitTooLong(t *testing.T) {
	const short, far = 200 * time.Millisecond, time.Minute
	tests := []struct {
		name         string
		idle, header time.Duration
		before       string        // sent at first
		trickle      bool          // then a byte every 5 ms
		least        time.Duration // it lives
	}{
		{"for the first byte of the first request", far, short, "", false, short},
		{"for the rest of the first head", far, short, "GET / HT", false, short},
		{"for the rest of the first head, which trickles in", far, short, "", true, short},
		{"for the second request", short, far, getRoot, false, short * 15 / 16},
		{"for the rest of the second head", far, short, getRoot + "GET / HT", false, short},
		{"for the rest of the second head, which trickles in", far, short, getRoot, true, short},
		{"for the second request, the same time being given to heads", short, short, getRoot, false, short * 15 / 16},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := open(t, &Lane{Handler: hello, IdleTimeout: tt.idle, HeaderTimeout: tt.header})
			w := d.dial()
			begun := time.Now()
			w.send(tt.before)
			if strings.HasPrefix(tt.before, getRoot) {
				w.answer("GET")
			}
			stop := make(chan struct{})
			var trickling sync.WaitGroup
			if tt.trickle {
				trickling.Go(func() {
					_, _ = io.WriteString(w.TCPConn, "GET /")
					for {
						select {
						case <-stop:
							return
						case <-time.After(5 * time.Millisecond):
							_, _ = io.WriteString(w.TCPConn, "x")
						}
					}
				})
			}
			ended := w.ended()
			took := time.Since(begun)
			close(stop)
			trickling.Wait()
			if !ended || took < tt.least-5*time.Millisecond || took > tt.least+time.Second {
				t.Errorf("ended: %v, after %v", ended, took)
			}
		})
	}
}

func TestLane_ATrickleDoesNotEarnMoreTime(t *testing.T) {
	const limit = 400 * time.Millisecond
	d := open(t, &Lane{Handler: hello, IdleTimeout: time.Minute, HeaderTimeout: limit})
	w := d.dial()
	begun := time.Now()
	go func() {
		time.Sleep(limit / 2)
		_, _ = io.WriteString(w.TCPConn, "GET /")
	}()
	w.ended()
	if took := time.Since(begun); took > limit*5/4 {
		t.Errorf("a first byte after half of the time made it %v, want %v", took, limit)
	}
}

func TestLane_TheTimeForAHeadIsNotThatOfItsBody(t *testing.T) {
	const limit = 100 * time.Millisecond
	d := open(t, &Lane{IdleTimeout: limit, HeaderTimeout: limit, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		fmt.Fprint(w, string(b), err)
	})})
	w := d.dial()
	for range 2 {
		w.send("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\nhe")
		time.Sleep(2 * limit) // nothing happens: that is the point
		w.send("llo")
		if _, body := w.answer("POST"); body != "hello<nil>" {
			t.Errorf("got %q", body)
		}
	}
}

func TestLane_NoticesThatTheVisitorLeaves(t *testing.T) {
	const post = "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\nhello"
	tests := []struct {
		name  string
		text  string
		leave func(w *wire)
	}{
		{"by a close", getRoot, func(w *wire) { w.Close() }},
		{"by a reset", getRoot, func(w *wire) { w.SetLinger(0); w.Close() }},
		{"by half a close", getRoot, func(w *wire) { w.CloseWrite() }},
		{"behind a body", post, func(w *wire) { w.Close() }},
		{"behind a request that waits in the buffer", getRoot + getRoot, func(w *wire) { w.Close() }},
		{"behind a request that waits in the kernel", getRoot, func(w *wire) { w.send(post); w.Close() }},
		{"behind much that waits in the kernel", getRoot, func(w *wire) { w.send(long(100 << 10)); w.Close() }},
	}
	for _, tt := range tests {
		for _, when := range []string{"Done is asked before", "Done is asked after"} {
			t.Run(tt.name+", "+when, func(t *testing.T) {
				reached, gone := make(chan struct{}, 2), make(chan struct{})
				noticed := make(chan time.Time, 2)
				d := open(t, &Lane{HeaderTimeout: 20 * time.Millisecond, IdleTimeout: 20 * time.Millisecond, Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					_, _ = io.Copy(io.Discard, r.Body)
					if when == "Done is asked before" {
						r.Context().Done()
						reached <- struct{}{}
					} else {
						reached <- struct{}{}
						<-gone
					}
					<-r.Context().Done()
					if err := r.Context().Err(); !errors.Is(err, context.Canceled) {
						t.Errorf("the context says %v", err)
					}
					noticed <- time.Now()
					panic(http.ErrAbortHandler)
				})})
				w := d.dial()
				w.send(tt.text)
				<-reached
				select {
				case <-noticed:
					t.Fatal("noticed before it happened")
				case <-time.After(40 * time.Millisecond): // longer than any deadline that was left behind
				}
				begun := time.Now()
				tt.leave(w)
				close(gone)
				if took := (<-noticed).Sub(begun); took > 100*time.Millisecond {
					t.Errorf("noticed after %v", took)
				}
			})
		}
	}
}

func TestLane_AWatchDoesNotDisturbTheConnection(t *testing.T) {
	d := open(t, &Lane{HeaderTimeout: time.Minute, IdleTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		done := r.Context().Done()
		b, err := io.ReadAll(r.Body)
		select {
		case <-done:
			t.Error("has left?")
		default:
		}
		fmt.Fprint(w, string(b), err)
	})})
	w := d.dial()
	for i := range 200 {
		text, want := getRoot, "<nil>"
		if i%2 == 1 {
			text, want = "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\nhello", "hello<nil>"
		}
		w.send(text + text)
		for range 2 {
			if _, body := w.answer("GET"); body != want {
				t.Fatalf("request %d: %q, want %q", i, body, want)
			}
		}
	}
}

func TestLane_TheContextEndsWithTheHandler(t *testing.T) {
	type key struct{}
	contexts := make(chan context.Context, 2)
	var asked atomic.Bool
	d := open(t, &Lane{IdleTimeout: time.Minute, HeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := context.WithValue(r.Context(), key{}, 1)
		if asked.Load() {
			ctx.Done()
		}
		if err := ctx.Err(); err != nil {
			t.Errorf("within the handler: %v", err)
		}
		contexts <- ctx
		hello(w, r)
	})})
	w := d.dial()
	for _, a := range []bool{false, true, false} {
		asked.Store(a)
		w.send(getRoot)
		w.answer("GET")
		ctx := <-contexts
		// The answer is sent when the context has ended. Asking late must not hang,
		// and must leave the connection alone.
		<-ctx.Done()
		derived, cancel := context.WithCancel(ctx)
		<-derived.Done()
		cancel()
		if !errors.Is(ctx.Err(), context.Canceled) || !errors.Is(context.Cause(ctx), context.Canceled) || !errors.Is(derived.Err(), context.Canceled) {
			t.Errorf("asked %v: the context says %v, its cause %v, one of it %v", a, ctx.Err(), context.Cause(ctx), derived.Err())
		}
	}
}

func TestLane_AnybodyMayAskForDone(t *testing.T) {
	d := open(t, &Lane{IdleTimeout: time.Minute, HeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var group sync.WaitGroup
		for range 8 {
			group.Go(func() {
				ctx, cancel := context.WithTimeout(r.Context(), time.Minute)
				defer cancel()
				context.AfterFunc(ctx, func() {})
				select {
				case <-ctx.Done():
					t.Error("has left?")
				default:
				}
			})
		}
		group.Go(func() { _, _ = io.ReadAll(r.Body) })
		group.Go(func() { _ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(time.Minute)) })
		hello(w, r)
		group.Wait()
	})})
	w := d.dial()
	for range 100 {
		w.send("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\nhe")
		w.send("llo")
		w.answer("POST")
	}
}

func TestLane_AskingForDoneWhileTheHandlerReturns(t *testing.T) {
	late := make(chan struct{})
	d := open(t, &Lane{IdleTimeout: time.Minute, HeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		// It ends within this request or between this one and the next; the visitor
		// below waits for that.
		go func() { ctx.Done(); _ = ctx.Err(); late <- struct{}{} }()
		hello(w, r)
	})})
	w := d.dial()
	for range 300 {
		w.send(getRoot)
		w.answer("GET")
		<-late
	}
}

func TestLane_ABodyThatIsNotReadMakesWayForTheNextRequest(t *testing.T) {
	d := open(t, &Lane{IdleTimeout: time.Minute, HeaderTimeout: time.Minute, Handler: hello})
	w := d.dial()
	body := long(bodyMost)
	w.send(fmt.Sprintf("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: %d\r\n\r\n", len(body)))
	w.answer("POST")
	w.send(body[:1000])
	w.send(body[1000:] + getRoot)
	if res, _ := w.answer("GET"); res.StatusCode != 200 {
		t.Errorf("got %s", res.Status)
	}
	w.send("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\nhe")
	w.answer("POST")
	if !w.ended() {
		t.Error("a body that does not come was waited for")
	}
}

func TestLane_AReaderLeftBehindIsEnded(t *testing.T) {
	ended := make(chan error, 1)
	reading := make(chan struct{})
	d := open(t, &Lane{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		go func() {
			body := r.Body
			close(reading)
			_, err := io.ReadAll(body)
			ended <- err
		}()
		<-reading
		hello(w, r)
	})})
	w := d.dial()
	w.send("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\nhe")
	w.answer("POST")
	if err := <-ended; err == nil {
		t.Error("it read a whole body")
	}
	w.ended()
}

func TestLane_AnAnswerReachesAVisitorWhoIsStillSending(t *testing.T) {
	d := open(t, &Lane{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Connection"] = []string{"close"}
		hello(w, r)
	})})
	for range 20 {
		w := d.dial()
		w.send("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 60000\r\n\r\n" + long(100))
		for range 59 {
			if _, err := io.WriteString(w.TCPConn, long(1000)); err != nil {
				break
			}
		}
		if _, body := w.answer("POST"); body != "hello" {
			t.Fatalf("got %q", body)
		}
		w.Close()
	}
}

func TestLane_AClosedConnectionEndsItsRequest(t *testing.T) {
	reached := make(chan struct{})
	d := open(t, &Lane{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		done := r.Context().Done()
		close(reached)
		<-done
	})})
	w := d.dial()
	w.send(getRoot)
	<-reached
	d.conn(0).Close()
	if !w.ended() {
		t.Error("it goes on")
	}
	d.served.Wait()
}

func TestLane_AHandlerMayEndItsGoroutine(t *testing.T) {
	d := open(t, &Lane{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		r.Context().Done()
		runtime.Goexit()
	})})
	w := d.dial()
	w.send(getRoot)
	if !w.ended() {
		t.Error("the connection goes on")
	}
}

func TestLane_AFaultOfItsOwnEndsOneConnection(t *testing.T) {
	told := make(chan any, 1)
	l := &Lane{Handler: hello, HeadBytes: headMost, Panicked: func(v any) { told <- v }}
	if _, ok := l.Serve(&Conn{Conn: faulty{new(script)}, Socket: new(net.TCPConn), Context: context.Background()}); ok {
		t.Error("handed over")
	}
	if v := <-told; v != "ours" {
		t.Errorf("told %v", v)
	}
}

// faulty is a connection that shows what a mistake in the lane would do.
type faulty struct{ *script }

func (faulty) Read([]byte) (int, error) { panic("ours") }

func TestConn_CloseIdle(t *testing.T) {
	reached, release := make(chan struct{}), make(chan struct{})
	d := open(t, &Lane{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reached <- struct{}{}
		<-release
		hello(w, r)
	})})
	w := d.dial()
	c := d.conn(0)
	if c.Busy() {
		t.Error("busy before the first byte")
	}
	w.send("GET ")
	eventually(t, "a request has begun", c.Busy)
	if c.CloseIdle() {
		t.Error("closed in a head")
	}
	w.send("/ HTTP/1.1\r\nHost: a.test\r\n\r\n")
	<-reached
	if c.CloseIdle() || !c.Busy() {
		t.Error("closed with a request")
	}
	close(release)
	w.answer("GET")
	eventually(t, "the connection is idle", func() bool { return !c.Busy() })
	if !c.CloseIdle() || c.CloseIdle() || c.Busy() {
		t.Error("an idle one was not closed, or twice")
	}
	if !w.ended() {
		t.Error("it goes on")
	}
}

// Whoever is told that an idle connection was closed may be sure that no request
// of it was taken, and whoever is not, that it will be answered.
func TestConn_CloseIdleLosesNothing(t *testing.T) {
	var taken atomic.Int64
	d := open(t, &Lane{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { taken.Add(1); hello(w, r) })})
	var answered int64
	for i := range 300 {
		w := d.dial()
		c := d.conn(i)
		closed := make(chan bool)
		go func() {
			runtime.Gosched()
			closed <- c.CloseIdle()
		}()
		_, _ = io.WriteString(w.TCPConn, getRoot)
		res, err := http.ReadResponse(w.r, nil)
		if err == nil {
			_, err = io.Copy(io.Discard, res.Body)
		}
		if err == nil {
			answered++
		} else if !<-closed {
			t.Fatalf("not closed and not answered: %v", err)
		}
		w.Close()
	}
	if n := taken.Load(); n != answered {
		t.Errorf("%d requests were taken and %d answered", n, answered)
	}
}

func TestLane_NothingLeaks(t *testing.T) {
	d := open(t, &Lane{IdleTimeout: time.Minute, HeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Context().Done()
		hello(w, r)
	})})
	before := runtime.NumGoroutine()
	for range 50 {
		w := d.dial()
		w.send(getRoot)
		w.answer("GET")
		w.send(getRoot + "GET /")
		w.answer("GET")
		w.Close()
	}
	eventually(t, "all goroutines have ended", func() bool { return runtime.NumGoroutine() <= before })
}

func TestLane_AllocatesLittle(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector makes pools forget")
	}
	d := open(t, &Lane{Handler: hello, HeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute})
	w := d.dial()
	in, text := make([]byte, 4096), []byte(browserGet)
	got := testing.AllocsPerRun(500, func() {
		if err := ask(w.TCPConn, text, in); err != nil {
			t.Fatal(err)
		}
	})
	// The head's text, the map of its fields (2), and each of its three values.
	if got > 7 {
		t.Errorf("%v allocations for a request, want 7 at most", got)
	}
}

func TestLane_AnIdleConnectionHoldsLessThanWithNetHTTP(t *testing.T) {
	if raceEnabled || testing.Short() {
		t.Skip("measures memory")
	}
	d := open(t, &Lane{Handler: hello, HeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute})
	standard := idleBytes(t, to(openStandard(t, hello)), 500)
	if own := idleBytes(t, to(d.address), 500); own > standard {
		t.Errorf("an idle connection holds %.0f bytes, and %.0f with net/http", own, standard)
	}
}
