package gateway

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/config"
	"github.com/evergate/evergate/internal/exchange"
)

// door is a gateway under test, with a server behind it that records.
type door struct {
	*Gateway
	t         *testing.T
	servers   *servers
	endpoints []Endpoint
	log       *bytes.Buffer
	ended     chan exchange.Exchange // as observers saw them
}

// servers answer for all origins. A request goes to answer, or gets "ok".
type servers struct {
	mu     sync.Mutex
	got    []*http.Request // clones, with what was read of their bodies
	bodies []string
	answer func(w http.ResponseWriter, r *http.Request)
}

// Handler implements Backends.
func (s *servers) Handler(*config.Route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.answer != nil {
			s.record(r, "")
			s.answer(w, r)
			return
		}
		var body []byte
		if r.Method != http.MethodConnect {
			var err error
			if body, err = io.ReadAll(r.Body); err != nil {
				panic(http.ErrAbortHandler)
			}
		}
		s.record(r, string(body))
		w.Header().Set("Content-Type", "text/plain")
		_, _ = io.WriteString(w, "ok")
	})
}

func (s *servers) record(r *http.Request, body string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.got, s.bodies = append(s.got, r.Clone(r.Context())), append(s.bodies, body)
}

// last is the last request that a server got; nil for none.
func (s *servers) last() *http.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.got) == 0 {
		return nil
	}
	return s.got[len(s.got)-1]
}

// observer sends each exchange on.
type observer chan exchange.Exchange

// Observe implements Observer.
func (o observer) Observe(x *exchange.Exchange) { o <- *x }

// load reads a configuration as the file would be.
func load(t testing.TB, yaml string) *config.Config {
	t.Helper()
	file := filepath.Join(t.TempDir(), "evergate.yaml")
	if err := os.WriteFile(file, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, _, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

const oneOrigin = `
origins: {shop: {servers: ["http://127.0.0.1:1"]}}
`

// plain is a site on plain HTTP whose every path goes to a server.
const plain = `listen: {http: ":80"}` + oneOrigin + `
sites: [{hosts: [shop.test], routes: [{path: /*, origin: shop}]}]
`

func newDoor(t *testing.T, yaml string) *door {
	t.Helper()
	return newDoorWith(t, yaml)
}

// newDoorWith is a door with endpoints of ours.
func newDoorWith(t *testing.T, yaml string, endpoints ...Endpoint) *door {
	t.Helper()
	d := &door{t: t, endpoints: endpoints, servers: new(servers), log: new(bytes.Buffer), ended: make(chan exchange.Exchange, 100)}
	d.Gateway = New(Options{Log: slog.New(slog.NewTextHandler(d.log, nil))})
	d.use(yaml)
	return d
}

func (d *door) use(yaml string) (previous *Runtime) {
	d.t.Helper()
	rt, err := d.Prepare(load(d.t, yaml), d.servers, d.endpoints, observer(d.ended))
	if err != nil {
		d.t.Fatal(err)
	}
	return d.Use(rt)
}

// request is one of httptest to shop.test, or to the host of an absolute target;
// fields are "Name: value".
func request(method, target string, fields ...string) *http.Request {
	r := httptest.NewRequest(method, target, nil)
	if strings.HasPrefix(target, "/") {
		r.Host = "shop.test"
	} else {
		r.RequestURI = r.URL.RequestURI()
		r.URL.Scheme, r.URL.Host = "", ""
	}
	r.RemoteAddr = "192.0.2.9:4711"
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		r.Header.Add(name, value)
	}
	return r
}

// serve plays r in memory and returns the answer.
func (d *door) serve(r *http.Request) *http.Response {
	d.t.Helper()
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	return w.Result()
}

// seen is the next exchange that an observer saw.
func (d *door) seen() exchange.Exchange {
	d.t.Helper()
	select {
	case x := <-d.ended:
		return x
	case <-time.After(10 * time.Second):
		d.t.Fatal("no exchange ended")
		return exchange.Exchange{}
	}
}

// listen serves the door on loopback.
func (d *door) listen() *httptest.Server {
	d.t.Helper()
	s := httptest.NewServer(d)
	d.t.Cleanup(s.Close)
	return s
}

func text(t *testing.T, res *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
