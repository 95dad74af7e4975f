package chaos

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/server"
)

const (
	// A server that came back must be found by the checks before it can be counted on.
	settle = 2 * time.Second
	// The door's own time for a request; a failure after this had no time left.
	retryTimeout = 10 * time.Second
)

// config is the door's file; the verbs are a folder, and three servers.
const config = `
node: {data_dir: %[1]s/data}
listen: {http: "127.0.0.1:0", admin: ""}
trusted_proxies: [127.0.0.0/8] # the visitors' request ids are kept
log: {level: error, access: {file: %[1]s/access.log, buffer: 100000}}
drain: {accept_grace: 0s, timeout: 20s}
origins:
  app:
    servers: ["http://%[2]s", "http://%[3]s", "http://%[4]s"]
    dial_timeout: 500ms
    health:
      consecutive_failures: 3
      eject: {base: 1s, max: 2s}
      slow_start: 1s
      active: {path: /healthz, interval: 200ms, timeout: 500ms, rise: 1, fall: 2}
    queue: {timeout: 5s}
    retry:
      timeout: 10s
      try_timeout: 1s
      hold_body: 64KiB
      budget: {percent: 100, min: 100, rate: 1000, burst: 1000}
sites:
  - hosts: ["*"]
    compress: {on: false}
    routes:
      - {path: /*, origin: app}
`

// duration is how long the faults go on.
func duration(t *testing.T) time.Duration {
	t.Helper()
	if text := os.Getenv("EVERGATE_SOAK"); text != "" {
		d, err := time.ParseDuration(text)
		if err != nil {
			t.Fatalf("EVERGATE_SOAK: %v", err)
		}
		return d
	}
	if testing.Short() {
		return 15 * time.Second
	}
	return 2 * time.Minute
}

// seed is that of the random numbers, printed so that a run can be had again.
func seed(t *testing.T) uint64 {
	t.Helper()
	n := uint64(time.Now().UnixNano())
	if text := os.Getenv("EVERGATE_SEED"); text != "" {
		given, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatalf("EVERGATE_SEED: %v", err)
		}
		n = given
	}
	t.Logf("EVERGATE_SEED=%d", n)
	return n
}

func TestServersDieAndVisitorsDoNotNotice(t *testing.T) {
	book := newLedger()
	servers := startServers(t, book)
	dir := t.TempDir()
	base, stopDoor := startDoor(t, dir, servers)

	ctx, cancel := context.WithTimeout(t.Context(), duration(t))
	defer cancel()
	vs := newVisitors(base)
	var running, driving sync.WaitGroup
	for range 6 {
		running.Go(func() { vs.send(ctx, "GET", "/small", 0) })
	}
	for range 2 {
		running.Go(func() { vs.send(ctx, "GET", "/large", 0) })
	}
	for range 2 {
		running.Go(func() { vs.send(ctx, "POST", "/apply", 4<<10) })
		running.Go(func() { vs.send(ctx, "POST", "/apply", 200<<10) })
	}
	first := seed(t)
	for i, p := range servers {
		d := &driver{process: p, ledger: book, random: rand.New(rand.NewPCG(first, uint64(i))), log: t.Logf}
		driving.Go(func() {
			if err := d.run(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	running.Wait()
	driving.Wait()
	stopDoor()
	for _, p := range servers {
		p.kill() // its last words are in the ledger now
	}

	entries, lines, err := readLog(filepath.Join(dir, "access.log"))
	if err != nil {
		t.Fatal(err)
	}
	judgeGets(t, book, servers, vs.visits, entries)
	judgePosts(t, book, vs.visits)
	judgeLog(t, book, vs.visits, entries, lines)
}

// startServers starts three servers, each on a loopback address of its own, so
// that nobody takes its port while it is dead.
func startServers(t *testing.T, book *ledger) []*process {
	t.Helper()
	var servers []*process
	for i := range 3 {
		p := &process{address: freeAddress(t, fmt.Sprintf("127.0.%d.%d", 100+i, 1+os.Getpid()%250)), ledger: book}
		if err := p.start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { p.kill() })
		servers = append(servers, p)
	}
	return servers
}

func freeAddress(t *testing.T, ip string) string {
	t.Helper()
	listener, err := net.Listen("tcp", ip+":0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// startDoor runs Evergate before servers. stop waits until it has drained.
func startDoor(t *testing.T, dir string, servers []*process) (base string, stop func()) {
	t.Helper()
	path := filepath.Join(dir, "evergate.yaml")
	text := fmt.Sprintf(config, dir, servers[0].address, servers[1].address, servers[2].address)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var log syncBuffer
	ready := make(chan server.Addresses, 1)
	door, err := server.New(path, server.Options{Log: &log, Ready: func(a server.Addresses) { ready <- a }})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- door.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the door ended with %v", err)
		}
		if t.Failed() {
			t.Logf("the door's log:\n%s", log.String())
		}
	})
	t.Cleanup(stop)
	select {
	case a := <-ready:
		return "http://" + a.HTTP[0], stop
	case err := <-ended:
		ended <- nil
		t.Fatalf("the door did not open: %v\n%s", err, log.String())
		return "", nil
	}
}

// judgeGets wants that no GET failed that a healthy server could have answered.
func judgeGets(t *testing.T, book *ledger, servers []*process, visits []visit, entries map[string]entry) {
	t.Helper()
	total, failed, spared, cut, hidden := 0, 0, 0, 0, 0
	for _, v := range visits {
		if v.method != "GET" {
			continue
		}
		total++
		e := entries[v.id]
		if !v.failed() {
			if len(e.Attempts) > 1 {
				hidden++
			}
			continue
		}
		if v.large && v.cut {
			cut++
			continue
		}
		failed++
		if v.end.Sub(v.start) >= retryTimeout {
			continue
		}
		well := slices.DeleteFunc(slices.Clone(servers), func(p *process) bool {
			return !book.well(p.address, v.start.Add(-settle), v.end)
		})
		// Two servers that die holding one request look as if it had killed them: the
		// third is spared. Here it is chance, and the ledger must say that they died.
		if e.RetryDenied == "poison" && len(servers)-len(well) >= 2 {
			spared++
			continue
		}
		for _, p := range well {
			t.Errorf("GET %s failed after %s (status %d, %v, retry denied: %q) though %s was well; attempts: %+v",
				v.id, v.end.Sub(v.start), v.status, v.err, e.RetryDenied, p.address, e.Attempts)
		}
	}
	t.Logf("%d faults; %d GETs: %d failed, %d of them kept from a third server after two had died; %d large answers cut, %d saved by another attempt",
		book.faults(), total, failed, spared, cut, hidden)
	if total == 0 || book.faults() == 0 {
		t.Error("nothing happened; this run proves nothing")
	}
}

// judgePosts wants that no POST was applied twice, and that what succeeded was applied.
func judgePosts(t *testing.T, book *ledger, visits []visit) {
	t.Helper()
	applied := map[string]int{}
	for _, r := range book.applied {
		applied[r.id]++
	}
	total, ok := 0, 0
	for _, v := range visits {
		if v.method != "POST" {
			continue
		}
		total++
		if !v.failed() {
			ok++
			if applied[v.id] == 0 {
				t.Errorf("POST %s succeeded and no server applied it", v.id)
			}
		}
		if applied[v.id] > 1 {
			t.Errorf("POST %s was applied %d times", v.id, applied[v.id])
		}
	}
	t.Logf("%d POSTs: %d answered, %d applied", total, ok, len(applied))
	if ok == 0 {
		t.Error("no POST succeeded; this run proves nothing")
	}
}

// judgeLog wants that log and ledger agree on every attempt.
func judgeLog(t *testing.T, book *ledger, visits []visit, entries map[string]entry, lines map[string]int) {
	t.Helper()
	for _, v := range visits {
		if lines[v.id] != 1 && v.status != 0 {
			t.Errorf("%s has %d lines in the access log", v.id, lines[v.id])
		}
	}
	received := map[receipt]bool{}
	for _, r := range book.received {
		received[r] = true
		e := entries[r.id]
		if r.attempt < 1 || r.attempt > len(e.Attempts) || host(e.Attempts[r.attempt-1].Server) != r.server {
			t.Errorf("%s received attempt %d of %s, and the log has %+v", r.server, r.attempt, r.id, e.Attempts)
		}
	}
	attempts := 0
	for id, e := range entries {
		for i, a := range e.Attempts {
			attempts++
			if a.Status != 0 && !received[receipt{host(a.Server), id, i + 1}] {
				t.Errorf("the log says that %s answered attempt %d of %s, which it never received", a.Server, i+1, id)
			}
		}
	}
	t.Logf("%d attempts in the log, %d received by servers", attempts, len(book.received))
}

// syncBuffer is a buffer that several goroutines may write to.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.TrimSpace(b.buf.String())
}
