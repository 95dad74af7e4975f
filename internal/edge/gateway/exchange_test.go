package gateway

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/exchange"
)

// aborts plays r and reports whether the connection would have been aborted.
func (d *door) aborts(w http.ResponseWriter, r *http.Request) (aborted bool) {
	d.t.Helper()
	defer func() {
		switch p := recover(); p {
		case nil:
		case http.ErrAbortHandler:
			aborted = true
		default:
			d.t.Fatalf("panic %v", p)
		}
	}()
	d.ServeHTTP(w, r)
	return false
}

func TestExchange_TellsTheWholeStory(t *testing.T) {
	d := newDoor(t, plain)
	d.serve(request("POST", "/a/%62?x=%31", "User-Agent: browser", "Referer: https://elsewhere.test/"))
	x := d.seen()
	if x.ID == "" || x.Duration <= 0 || x.Start.IsZero() {
		t.Errorf("id %q, duration %v, start %v", x.ID, x.Duration, x.Start)
	}
	x.ID, x.Duration, x.Start, x.Attempts = "", 0, time.Time{}, nil
	client := netip.MustParseAddr("192.0.2.9")
	want := exchange.Exchange{
		Peer: client, Client: client, Scheme: "http", Proto: "HTTP/1.1", Method: "POST", Host: "shop.test", Path: "/a/b", Query: "x=%31",
		UserAgent: "browser", Referer: "https://elsewhere.test/", Site: "shop.test", Route: "/*", Origin: "shop", Status: 200, BytesOut: 2,
	}
	if got := x; !equalExchange(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func equalExchange(a, b exchange.Exchange) bool {
	return a.Peer == b.Peer && a.Client == b.Client && a.Scheme == b.Scheme && a.Proto == b.Proto && a.Method == b.Method && a.Host == b.Host &&
		a.Path == b.Path && a.Query == b.Query && a.UserAgent == b.UserAgent && a.Referer == b.Referer && a.Site == b.Site && a.Route == b.Route &&
		a.Origin == b.Origin && a.Status == b.Status && a.BytesOut == b.BytesOut && a.BytesIn == b.BytesIn && a.Denial == b.Denial && a.Abort == b.Abort
}

func TestExchange_HowAHandlerMayEnd(t *testing.T) {
	gone, leave := context.WithCancel(context.Background())
	leave()
	tests := []struct {
		name    string
		ctx     context.Context
		answer  func(w http.ResponseWriter, r *http.Request)
		aborted bool
		status  int // in the exchange
		sent    int // to the visitor
		abort   string
		denial  string
		logged  bool
	}{
		{name: "without a word", answer: func(http.ResponseWriter, *http.Request) {}, status: 200, sent: 200},
		{name: "with a panic before an answer", answer: func(http.ResponseWriter, *http.Request) { panic("a bug") },
			status: 500, sent: 500, denial: "internal", logged: true},
		{name: "with a panic in an answer", answer: func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(201)
			panic("a bug")
		}, aborted: true, status: 201, sent: 201, abort: abortPanic, logged: true},
		{name: "by aborting an answer, with a reason", answer: func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(200)
			exchange.From(r.Context()).Abort = "upstream_cut"
			panic(http.ErrAbortHandler)
		}, aborted: true, status: 200, sent: 200, abort: "upstream_cut"},
		{name: "by aborting an answer, without a reason", answer: func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(200)
			panic(http.ErrAbortHandler)
		}, aborted: true, status: 200, sent: 200, abort: abortOther},
		{name: "by aborting an answer whose visitor has left", ctx: gone, answer: func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(200)
			panic(http.ErrAbortHandler)
		}, aborted: true, status: 200, sent: 200, abort: abortGone},
		{name: "because the visitor has left before the answer", ctx: gone, answer: func(http.ResponseWriter, *http.Request) {
			panic(http.ErrAbortHandler)
		}, aborted: true, status: 499},
		{name: "by returning when the visitor has left before the answer", ctx: gone, answer: func(http.ResponseWriter, *http.Request) {},
			aborted: true, status: 499},
		{name: "by saying that the visitor has left", answer: func(_ http.ResponseWriter, r *http.Request) {
			exchange.From(r.Context()).Status = 499
		}, aborted: true, status: 499},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newDoor(t, plain)
			d.servers.answer = tt.answer
			r, w := request("GET", "/"), httptest.NewRecorder()
			w.Code = 0
			if tt.ctx != nil {
				r = r.WithContext(tt.ctx)
			}
			if aborted := d.aborts(w, r); aborted != tt.aborted {
				t.Errorf("aborted: %t, want %t", aborted, tt.aborted)
			}
			if tt.sent != 0 && w.Code != tt.sent || tt.sent == 0 && w.Body.Len() > 0 {
				t.Errorf("sent %d, want %d", w.Code, tt.sent)
			}
			x := d.seen()
			if x.Status != tt.status || x.Abort != tt.abort || x.Denial != tt.denial {
				t.Errorf("status %d, abort %q, denial %q; want %d, %q, %q", x.Status, x.Abort, x.Denial, tt.status, tt.abort, tt.denial)
			}
			if n := strings.Count(d.log.String(), "panic while serving"); (n == 1) != tt.logged {
				t.Errorf("the panic was logged %d times", n)
			}
			select {
			case again := <-d.ended:
				t.Errorf("observed twice: %+v", again)
			default:
			}
			if n := d.metrics.inFlight.Load(); n != 0 {
				t.Errorf("%d in flight", n)
			}
		})
	}
}

// deaf is a visitor who takes nothing.
type deaf struct{ header http.Header }

func (d deaf) Header() http.Header     { return d.header }
func (deaf) WriteHeader(int)           {}
func (deaf) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }
func (deaf) FlushError() error         { return errors.New("broken pipe") }

func TestExchange_AFailedWriteIsTheVisitors(t *testing.T) {
	d := newDoor(t, `listen: {http: ":80"}
sites: [{hosts: [shop.test], routes: [{path: /*, respond: {body: hello}}]}]
`)
	w := deaf{make(http.Header)}
	d.ServeHTTP(w, request("GET", "/"))
	if x := d.seen(); x.Abort != abortGone || x.Status != 200 || x.BytesOut != 0 {
		t.Errorf("status %d, abort %q, %d bytes", x.Status, x.Abort, x.BytesOut)
	}
}

func TestRefuse_FromTheFrontIsAnExchangeOfItsOwn(t *testing.T) {
	d := newDoor(t, plain)
	w := httptest.NewRecorder()
	d.Refuse(w, request("GET", "/x"), 503, "memory", 2*time.Second)
	if w.Code != 503 || w.Header().Get("Retry-After") != "2" || w.Header().Get("X-Request-Id") == "" {
		t.Errorf("%d with %v", w.Code, w.Header())
	}
	if x := d.seen(); x.Denial != "memory" || x.Status != 503 || !x.Client.IsValid() || d.servers.last() != nil {
		t.Errorf("exchange %+v", x)
	}
}

// wrapped is a writer between the gateway and a step.
type wrapped struct{ http.ResponseWriter }

func (w wrapped) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func TestRefuse_FromAStepIsTheSameExchange(t *testing.T) {
	d := newDoor(t, plain)
	d.servers.answer = func(w http.ResponseWriter, r *http.Request) {
		d.Refuse(wrapped{w}, r, 504, "timeout", 0)
	}
	res := d.serve(request("GET", "/", "Accept: text/html"))
	if x := d.seen(); res.StatusCode != 504 || x.Status != 504 || x.Denial != "timeout" || !strings.Contains(text(t, res), x.ID) {
		t.Errorf("%d, exchange %+v", res.StatusCode, x)
	}
	if len(d.ended) > 0 {
		t.Error("two exchanges")
	}
}

func TestGateway_WithoutRuntimeSaysThatItStarts(t *testing.T) {
	w := httptest.NewRecorder()
	New(Options{}).ServeHTTP(w, request("GET", "/"))
	if w.Code != 503 {
		t.Errorf("%d", w.Code)
	}
}

func TestUse_ARequestKeepsItsRuntime(t *testing.T) {
	d := newDoor(t, plain)
	entered, goOn := make(chan struct{}), make(chan struct{})
	d.servers.answer = func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			close(entered)
			<-goOn
		}
		w.WriteHeader(200)
	}
	done := make(chan *http.Response)
	go func() {
		w := httptest.NewRecorder()
		d.ServeHTTP(w, request("GET", "/slow"))
		done <- w.Result()
	}()
	<-entered
	old := d.use(strings.Replace(plain, "hosts: [shop.test]", "hosts: [other.test], headers: {response: {set: {X-Generation: '2'}}}", 1))
	select {
	case <-old.Done():
		t.Fatal("done while a request was under way")
	default:
	}
	if res := d.serve(request("GET", "http://other.test/")); res.StatusCode != 200 || res.Header.Get("X-Generation") != "2" {
		t.Errorf("the new one: %d", res.StatusCode)
	}
	close(goOn)
	if res := <-done; res.StatusCode != 200 || res.Header.Get("X-Generation") != "" {
		t.Errorf("the old one: %d", res.StatusCode)
	}
	select {
	case <-old.Done():
	case <-time.After(10 * time.Second):
		t.Fatal("not done although its last request has left")
	}
	if d.Use(d.current.Load()) == nil || !d.current.Load().pin() {
		t.Error("a runtime that is used again was given up")
	}
}

func TestUse_NobodyGetsARuntimeThatIsDone(t *testing.T) {
	d := newDoor(t, plain)
	d.servers.answer = func(w http.ResponseWriter, _ *http.Request) {
		if responseOf(w).rt.users.Load() <= 0 {
			t.Error("served by a runtime that is done")
		}
		w.WriteHeader(204)
	}
	go func() {
		for range d.ended {
		}
	}()
	defer close(d.ended)
	stop := make(chan struct{})
	ended := make(chan struct{})
	for range 4 {
		go func() {
			defer func() { ended <- struct{}{} }()
			for {
				select {
				case <-stop:
					return
				default:
					d.ServeHTTP(httptest.NewRecorder(), request("GET", "/"))
				}
			}
		}()
	}
	for range 50 {
		old := d.use(plain)
		select {
		case <-old.Done():
		case <-time.After(10 * time.Second):
			t.Fatal("an old runtime is never done")
		}
	}
	close(stop)
	for range 4 {
		<-ended
	}
}

// ended is the error of a write to a connection that the front has ended.
type ended struct{ error }

func (ended) AbortReason() string { return "slow_reader" }

func TestAbortReason(t *testing.T) {
	tests := []struct {
		name string
		err  error
		want string
	}{
		{"no error", nil, ""},
		{"the visitor left", net.ErrClosed, ""},
		{"the front has ended it", fmt.Errorf("write: %w", ended{net.ErrClosed}), "slow_reader"},
	}
	for _, tt := range tests {
		if got := abortReason(tt.err); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}
