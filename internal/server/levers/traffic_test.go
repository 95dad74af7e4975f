package levers

import (
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/evergate/evergate/internal/cluster/setting"
	"github.com/evergate/evergate/internal/config"
	"github.com/evergate/evergate/internal/edge/gateway"
	"github.com/evergate/evergate/internal/edge/proxy"
	"github.com/evergate/evergate/internal/edge/proxy/dial"
	"github.com/evergate/evergate/internal/edge/proxy/origin"
)

var (
	_ Origins = (*proxy.Proxy)(nil)
	_ Sites   = (*gateway.Runtime)(nil)
)

// door is a gateway and a proxy put together as the server does it, with levers
// that are kept in memory.
type door struct {
	t       *testing.T
	file    *config.Config
	gateway *gateway.Gateway
	options proxy.Options
	level   atomic.Pointer[string]

	mu      sync.Mutex // serialises what turns levers
	current map[string]setting.Version
	minute  int
	proxy   *proxy.Proxy
	runtime *gateway.Runtime
}

// SetLevel implements Log.
func (d *door) SetLevel(level string) error {
	d.level.Store(&level)
	return nil
}

func open(t *testing.T, yaml string) *door {
	t.Helper()
	d := &door{t: t, file: load(t, yaml), current: make(map[string]setting.Version)}
	d.gateway = gateway.New(gateway.Options{Log: slog.New(slog.DiscardHandler)})
	reg := prometheus.NewRegistry()
	metrics, err := proxy.NewMetrics(reg)
	if err != nil {
		t.Fatal(err)
	}
	om, err := origin.NewMetrics(reg)
	if err != nil {
		t.Fatal(err)
	}
	d.options = proxy.Options{Transport: dial.Transport, Fail: d.gateway.Refuse, Metrics: metrics, OriginMetrics: om}
	d.use(d.build())
	t.Cleanup(func() {
		d.proxy.Retire()
		d.proxy.Close()
	})
	return d
}

// generation is what a reload builds.
type generation struct {
	proxy   *proxy.Proxy
	runtime *gateway.Runtime
}

// build makes a generation of the file with the levers as they stand now.
func (d *door) build() generation {
	d.t.Helper()
	d.mu.Lock()
	cfg, before := Overlay(d.file, d.versions()), d.proxy
	d.mu.Unlock()
	p, err := proxy.New(cfg, d.options, before)
	if err != nil {
		d.t.Fatal(err)
	}
	rt, err := d.gateway.Prepare(cfg, p, nil)
	if err != nil {
		d.t.Fatal(err)
	}
	return generation{p, rt}
}

// use puts g in force, with the levers as they stand by then.
func (d *door) use(g generation) {
	d.t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := Settle(Target{Origins: g.proxy, Sites: g.runtime, Log: d}, d.file, d.versions()); err != nil {
		d.t.Error(err)
	}
	before := d.proxy
	g.proxy.Start()
	d.gateway.Use(g.runtime)
	d.proxy, d.runtime = g.proxy, g.runtime
	if before != nil {
		before.Retire()
	}
	d.check("after a reload")
}

// versions are the settings as they stand. The caller holds mu.
func (d *door) versions() []setting.Version { return slices.Collect(maps.Values(d.current)) }

// turn sets a lever, or resets it with "".
func (d *door) turn(key, value string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.minute++
	v := turned(key, value, d.minute)
	d.current[key] = v
	if err := Act(Target{Origins: d.proxy, Sites: d.runtime, Log: d}, d.file, []setting.Version{v}); err != nil {
		d.t.Error(err)
	}
	d.check("after " + key + " was set to " + value)
}

// check compares what runs with where the levers stand. The caller holds mu.
func (d *door) check(when string) {
	d.t.Helper()
	cfg := Overlay(d.file, d.versions())
	for _, s := range d.proxy.Snapshots() {
		o := cfg.Origins[s.Name]
		if s.Paused != o.Paused || s.MaxInFlight != o.MaxInFlight.Origin {
			d.t.Errorf("%s: origin %s is paused %t, limit %d, its levers say %t, %d", when, s.Name, s.Paused, s.MaxInFlight, o.Paused, o.MaxInFlight.Origin)
		}
		for i, server := range s.Servers {
			c := o.Servers[i]
			out := map[origin.State]string{origin.Draining: "drain", origin.Maint: "maint"}[server.State]
			if server.Weight != c.Weight || out != strings.TrimSuffix(c.State, "up") {
				d.t.Errorf("%s: server %s is %v, weight %d, its levers say %s, %d", when, server.Configured, server.State, server.Weight, c.State, c.Weight)
			}
		}
	}
	if got := *d.level.Load(); got != cfg.Log.Level {
		d.t.Errorf("%s: the log is at %s, its lever says %s", when, got, cfg.Log.Level)
	}
}

// busy is a file with two servers, a site, and one that goes into maintenance.
func busy(t *testing.T) (yaml string, servers [2]string) {
	t.Helper()
	var urls [2]string
	for i := range urls {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			_, _ = io.WriteString(w, "answer")
		}))
		t.Cleanup(s.Close)
		urls[i], servers[i] = s.URL, strings.TrimPrefix(s.URL, "http://")
	}
	return fmt.Sprintf(`
node: {data_dir: %q}
listen: {http: ":80"}
origins: {booking: {servers: [%q, %q]}}
sites:
  - {hosts: [book.test], routes: [{path: /*, origin: booking}]}
  - {hosts: [notes.test], routes: [{path: /*, origin: booking}]}
`, t.TempDir(), urls[0], urls[1]), servers
}

func TestSettle_ALeverThatIsTurnedDuringAReloadIsNotLost(t *testing.T) {
	yaml, servers := busy(t)
	d := open(t, yaml)
	d.turn("origins.booking.max_in_flight", "7")
	next := d.build() // begins with 7

	d.turn("origins.booking.paused", "true")
	d.turn("origins.booking.max_in_flight", "")
	d.turn("origins.booking.servers["+servers[1]+"].state", `"maint"`)
	d.turn("origins.booking.servers["+servers[1]+"].weight", "9")
	d.turn("sites[book.test].maintenance", "true")
	d.turn("log.level", `"debug"`)

	d.use(next) // and checks
	w := httptest.NewRecorder()
	d.gateway.ServeHTTP(w, httptest.NewRequest("GET", "http://book.test/", http.NoBody))
	if w.Code != http.StatusServiceUnavailable {
		t.Errorf("%d, want maintenance", w.Code)
	}
	if s := d.proxy.Snapshots()[0].Servers[1]; s.Reason != "too many bookings (anna)" {
		t.Errorf("reason %q", s.Reason)
	}
}

// Every lever is turned hundreds of times, with reloads in between, while visitors
// come. None of them may notice more than that he waits, or the maintenance page
// of the site that has it.
func TestAct_UnderLoadLosesNothing(t *testing.T) {
	yaml, servers := busy(t)
	d := open(t, yaml)
	front := httptest.NewServer(d.gateway)
	defer front.Close()
	stop := make(chan struct{})
	var load, turning sync.WaitGroup
	var served, kept atomic.Int64
	for i := range 8 {
		load.Go(func() {
			host := []string{"book.test", "notes.test"}[i/4]
			for !over(stop) {
				method, body := http.MethodGet, io.Reader(http.NoBody)
				if i%2 == 1 {
					method, body = http.MethodPost, strings.NewReader("a letter")
				}
				r, err := http.NewRequestWithContext(t.Context(), method, front.URL, body)
				if err != nil {
					t.Error(err)
					return
				}
				r.Host = host
				resp, err := front.Client().Do(r)
				if err != nil {
					t.Errorf("%s %s: %v", method, host, err)
					return
				}
				content, err := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				switch {
				case err == nil && resp.StatusCode == 200 && string(content) == "answer":
					served.Add(1)
				case err == nil && resp.StatusCode == 503 && host == "notes.test" && strings.Contains(string(content), "maintenance"):
					kept.Add(1)
				default:
					t.Errorf("%s %s: %d %q %v", method, host, resp.StatusCode, content, err)
					return
				}
			}
		})
	}
	server := "origins.booking.servers[" + servers[1] + "]"
	for key, values := range map[string][]string{
		"origins.booking.paused":               {"true", "false", "true", ""},
		"origins.booking.max_in_flight":        {"1", "0", "5", ""},
		"origins.booking.retry.attempts":       {"1", "10", ""},
		"origins.booking.retry.budget.percent": {"0", "100", ""},
		server + ".state":                      {`"drain"`, `"up"`, `"maint"`, ""},
		server + ".weight":                     {"1000", "1", ""},
		"sites[notes.test].maintenance":        {"true", ""},
		"log.level":                            {`"debug"`, `"error"`, ""},
	} {
		turning.Go(func() {
			for i := range 300 {
				d.turn(key, values[i%len(values)])
				<-time.After(time.Duration(i%4) * 200 * time.Microsecond)
			}
			d.turn(key, "")
		})
	}
	turned := make(chan struct{})
	go func() { turning.Wait(); close(turned) }()
	reloads := 0
	for ; !over(turned); reloads++ {
		d.use(d.build())
		<-time.After(5 * time.Millisecond)
	}
	before := served.Load()
	for deadline := time.Now().Add(10 * time.Second); served.Load() < before+100; {
		if time.Now().After(deadline) {
			t.Fatalf("%d requests since all levers were reset", served.Load()-before)
		}
		<-time.After(time.Millisecond)
	}
	close(stop)
	load.Wait()
	t.Logf("%d requests served, %d met the maintenance page, %d reloads", served.Load(), kept.Load(), reloads)
}

func over(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
