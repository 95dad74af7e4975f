package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/evergate/evergate/internal/config"
	"github.com/evergate/evergate/internal/edge/proxy/dial"
	"github.com/evergate/evergate/internal/edge/proxy/origin"
	"github.com/evergate/evergate/internal/edge/proxy/upstream"
	"github.com/evergate/evergate/internal/exchange"
)

// patience is how long a test waits for what must happen.
const patience = 10 * time.Second

// setup is a door with one origin and one route.
type setup struct {
	servers []string // addresses; but for the first they are backups, so that the order is known
	first   int      // how many are no backups, 0: one
	equal   bool     // no backups: by turns
	origin  string   // more keys of the origin, in flow style
	route   string   // more keys of the route
	top     string   // more lines of the file

	crowd     bool                                         // other doors are open: goroutines cannot be counted
	gateway   func(w http.ResponseWriter, r *http.Request) // what the gateway does before
	transport func(origin.TransportSpec) (upstream.Transport, error)
}

// config is what the file would say.
func (s setup) config(tb testing.TB, dir string) *config.Config {
	tb.Helper()
	var list []string
	for i, a := range s.servers {
		if i >= max(s.first, 1) && !s.equal {
			list = append(list, fmt.Sprintf(`{url: "http://%s", backup: true}`, a))
		} else {
			list = append(list, fmt.Sprintf(`"http://%s"`, a))
		}
	}
	text := fmt.Sprintf("node: {data_dir: %q}\nlisten: {http: '127.0.0.1:1'}\n%s\norigins:\n  app: {servers: [%s], balance: round_robin%s}\n"+
		"sites:\n  - hosts: ['*']\n    routes:\n      - {path: /*, name: all, origin: app%s}\n",
		dir, s.top, strings.Join(list, ", "), more(s.origin), more(s.route))
	return parse(tb, dir, text)
}

func more(keys string) string {
	if keys == "" {
		return ""
	}
	return ", " + keys
}

func parse(tb testing.TB, dir, text string) *config.Config {
	tb.Helper()
	cfg, _, err := config.Parse("test.yaml", dir, []byte(text), func(string) (string, bool) { return "", false })
	if err != nil {
		tb.Fatalf("configuration: %v\n%s", err, text)
	}
	return cfg
}

// record is an exchange as an observer sees it.
type record struct {
	exchange.Exchange
	panicked any
}

// words are the attempts in short: class, outcome, status.
func (r *record) words() string {
	var list []string
	for _, a := range r.Attempts {
		w := strconv.Itoa(int(a.Class)) + " " + a.Outcome.String()
		if a.Status != 0 {
			w += " " + strconv.Itoa(a.Status)
		}
		if a.Retried {
			w += " retried"
		}
		list = append(list, w)
	}
	return strings.Join(list, ", ")
}

// door is a proxy behind a small gateway, on a loopback port.
type door struct {
	tb      testing.TB
	dir     string
	reg     *prometheus.Registry
	options Options
	setup   setup
	addr    string
	client  *http.Client

	proxy   *Proxy
	handler atomic.Pointer[http.Handler]
	server  *http.Server
	records chan record

	mu     sync.Mutex
	all    []record
	closed bool
}

// open makes a door. When the test ends it checks what must hold after every
// test: the metrics account for every attempt, nothing is kept, held or running.
func open(tb testing.TB, s setup) *door {
	tb.Helper()
	base := runtime.NumGoroutine()
	d := &door{tb: tb, dir: tb.TempDir(), reg: prometheus.NewRegistry(), setup: s, records: make(chan record, 10_000)}
	metrics, err := NewMetrics(d.reg)
	if err != nil {
		tb.Fatal(err)
	}
	transport := s.transport
	if transport == nil {
		transport = dial.Transport
	}
	om, err := origin.NewMetrics(d.reg)
	if err != nil {
		tb.Fatal(err)
	}
	d.options = Options{Transport: transport, Fail: fail, Metrics: metrics, OriginMetrics: om}
	d.use(s.config(tb, d.dir))

	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	d.addr = ln.Addr().String()
	d.server = &http.Server{Handler: d, Protocols: new(http.Protocols), ErrorLog: nil}
	d.server.Protocols.SetHTTP1(true)
	d.server.Protocols.SetUnencryptedHTTP2(true)
	go func() { _ = d.server.Serve(ln) }()
	d.client = newClient(false)
	tb.Cleanup(func() {
		d.close()
		if s.crowd {
			return
		}
		eventually(tb, "no goroutine is left", func() bool { return runtime.NumGoroutine() <= base })
	})
	return d
}

// newClient is a visitor's side. It asks for nothing by itself.
func newClient(h2 bool) *http.Client {
	tr := &http.Transport{DisableCompression: true, Protocols: new(http.Protocols), ExpectContinueTimeout: patience}
	tr.Protocols.SetHTTP1(!h2)
	tr.Protocols.SetUnencryptedHTTP2(h2)
	return &http.Client{Transport: tr, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// use puts cfg in force, as a reload does.
func (d *door) use(cfg *config.Config) {
	d.tb.Helper()
	previous := d.proxy
	p, err := New(cfg, d.options, previous)
	if err != nil {
		d.tb.Fatal(err)
	}
	p.Start()
	type matcher struct {
		prefix string
		h      http.Handler
	}
	var routes []matcher
	for _, r := range cfg.Sites[0].Routes {
		routes = append(routes, matcher{strings.TrimSuffix(r.Path, "*"), p.Handler(r)})
	}
	h := http.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, m := range routes {
			if strings.HasPrefix(r.URL.Path, m.prefix) {
				m.h.ServeHTTP(w, r)
				return
			}
		}
		fail(w, r, http.StatusNotFound, "no_route", 0)
	}))
	d.proxy = p
	d.handler.Store(&h)
	if previous != nil {
		previous.Retire()
	}
}

// ServeHTTP does for the proxy what the gateway does.
func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := exchange.Get()
	x.ID, x.Start, x.Scheme, x.Method = "1", time.Now(), "http", r.Method
	if at, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		x.Client = at.Addr()
	}
	sw := &statusWriter{ResponseWriter: w, x: x}
	defer func() {
		p := recover()
		rec := record{Exchange: *x, panicked: p}
		rec.Attempts = slices.Clone(x.Attempts)
		exchange.Put(x)
		d.mu.Lock()
		d.all = append(d.all, rec)
		d.mu.Unlock()
		d.records <- rec
		if p != nil {
			panic(p)
		}
	}()
	r = r.WithContext(exchange.NewContext(r.Context(), x)) // a copy: net/http looks at its own for how the body ended
	if d.setup.gateway != nil {
		d.setup.gateway(w, r)
	}
	(*d.handler.Load()).ServeHTTP(sw, r)
}

// statusWriter notes the status, as the gateway does.
type statusWriter struct {
	http.ResponseWriter
	x *exchange.Exchange
}

func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *statusWriter) WriteHeader(status int) {
	if status >= 200 && w.x.Status == 0 {
		w.x.Status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// fail answers in place of the gateway's pages.
func fail(w http.ResponseWriter, r *http.Request, status int, reason string, retryAfter time.Duration) {
	if retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(retryAfter.Seconds())))
	}
	w.Header().Set("Evergate-Reason", reason)
	w.WriteHeader(status)
	_, _ = io.WriteString(w, reason)
}

// close ends the door and checks that it leaves nothing behind.
func (d *door) close() {
	if d.closed {
		return
	}
	d.closed = true
	d.client.CloseIdleConnections()
	_ = d.server.Close()
	eventually(d.tb, "nothing is under way or kept", func() bool {
		for _, s := range d.proxy.Snapshots() {
			if s.InFlight != 0 || s.Queue.Depth != 0 || s.Queue.Bytes != 0 {
				return false
			}
			for _, v := range s.Servers {
				if v.InFlight != 0 {
					return false
				}
			}
		}
		for _, o := range d.proxy.origins {
			if o.budget.requests.Load() != 0 {
				return false
			}
		}
		return d.metric("evergate_replay_bytes") == 0 && d.metric("evergate_retries_in_flight") == 0 && d.metric("evergate_tunnels") == 0
	})
	d.account()
	d.proxy.Retire()
	d.proxy.Close()
}

// account checks that the metrics say of the attempts what the exchanges say.
func (d *door) account() {
	d.mu.Lock()
	defer d.mu.Unlock()
	want := make(map[string]float64)
	var attempts, retries, hidden, seen float64
	for _, r := range d.all {
		failed, well := false, false
		for _, a := range r.Attempts {
			want[fmt.Sprintf("%s %d %s", a.Server, a.Class, a.Outcome)]++
			failed = failed || a.Failed()
			well = well || (a.Class == exchange.Forwarded && !a.Failed())
			if a.Failed() {
				attempts++
			}
			if a.Retried {
				retries++
			}
		}
		switch {
		case r.Status == 499 || r.Abort == abortVisitor:
		case (r.Status >= 500 && !well) || r.Abort == abortCut:
			seen++
		case failed:
			hidden++
		}
	}
	got := make(map[string]float64)
	for _, m := range d.gather("evergate_attempts_total") {
		got[m.labels["server"]+" "+m.labels["send_class"]+" "+m.labels["outcome"]] = m.value
	}
	for k := range got {
		if got[k] != want[k] {
			d.tb.Errorf("metrics: %v attempts %q, the exchanges have %v", got[k], k, want[k])
		}
		delete(want, k)
	}
	if len(want) > 0 {
		d.tb.Errorf("metrics know nothing of the attempts %v", want)
	}
	for kind, n := range map[string]float64{"attempt": attempts, "hidden": hidden, "client": seen} {
		if m := d.metric("evergate_failures_total", "kind", kind); m != n {
			d.tb.Errorf("metrics: %v failures %q, the exchanges have %v", m, kind, n)
		}
	}
	if m := d.metric("evergate_retries_total"); m != retries {
		d.tb.Errorf("metrics: %v retries, the exchanges have %v", m, retries)
	}
}

type sample struct {
	labels map[string]string
	value  float64
}

// gather returns the samples of the metric.
func (d *door) gather(name string) []sample {
	families, err := d.reg.Gather()
	if err != nil {
		d.tb.Fatal(err)
	}
	var list []sample
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			s := sample{labels: make(map[string]string), value: m.GetCounter().GetValue() + m.GetGauge().GetValue()}
			for _, l := range m.GetLabel() {
				s.labels[l.GetName()] = l.GetValue()
			}
			list = append(list, s)
		}
	}
	return list
}

// metric is the sum of the samples of the metric that have the labels.
func (d *door) metric(name string, labels ...string) (sum float64) {
samples:
	for _, s := range d.gather(name) {
		for i := 0; i < len(labels); i += 2 {
			if s.labels[labels[i]] != labels[i+1] {
				continue samples
			}
		}
		sum += s.value
	}
	return sum
}

// reply is a response, read to its end.
type reply struct {
	*http.Response
	content string
	err     error // of reading the body
}

// visit sends a request and returns the answer with the exchange.
func (d *door) visit(r *http.Request) (reply, record) {
	d.tb.Helper()
	resp, err := d.client.Do(r)
	if err != nil {
		d.tb.Fatalf("%s: %v (exchange: %+v)", r.Method, err, d.maybe())
	}
	return read(resp), d.next()
}

func read(resp *http.Response) reply {
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	return reply{resp, string(body), err}
}

// request makes a request; fields are names and values.
func (d *door) request(method string, body io.Reader, fields ...string) *http.Request {
	d.tb.Helper()
	ctx, cancel := context.WithTimeout(d.tb.Context(), 3*patience)
	d.tb.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, method, "http://"+d.addr+"/path?q=1", body)
	if err != nil {
		d.tb.Fatal(err)
	}
	for i := 0; i < len(fields); i += 2 {
		r.Header.Set(fields[i], fields[i+1])
	}
	return r
}

func (d *door) get(fields ...string) (reply, record) {
	d.tb.Helper()
	return d.visit(d.request("GET", nil, fields...))
}

func (d *door) post(body string, fields ...string) (reply, record) {
	d.tb.Helper()
	return d.visit(d.request("POST", strings.NewReader(body), fields...))
}

// next waits for the end of an exchange.
func (d *door) next() record {
	d.tb.Helper()
	select {
	case r := <-d.records:
		return r
	case <-time.After(patience):
		d.tb.Fatal("no exchange ended")
	}
	return record{}
}

func (d *door) maybe() *record {
	select {
	case r := <-d.records:
		return &r
	case <-time.After(time.Second):
		return nil
	}
}

func eventually(tb testing.TB, what string, cond func() bool) {
	tb.Helper()
	for deadline := time.Now().Add(patience); !cond(); {
		if time.Now().After(deadline) {
			if strings.Contains(what, "goroutine") {
				buf := make([]byte, 1<<16)
				tb.Logf("%s", buf[:runtime.Stack(buf, true)])
			}
			tb.Errorf("did not happen: %s", what)
			return
		}
		<-time.After(time.Millisecond)
	}
}

// wantCut reports an answer that looks whole although it is not.
func wantCut(tb testing.TB, r reply) {
	tb.Helper()
	if r.err == nil || errors.Is(r.err, io.EOF) {
		tb.Errorf("a cut answer ended cleanly after %d bytes", len(r.content))
	}
}
