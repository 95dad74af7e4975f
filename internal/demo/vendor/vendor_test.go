package vendor

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestDraw_FailsAboutAQuarterInEveryWay(t *testing.T) {
	const draws = 100_000
	random := rand.New(rand.NewPCG(1, 2))
	var met [faults]int
	for range draws {
		met[draw(random)]++
	}
	failed := draws - met[None]
	if share := float64(failed) / draws; share < 0.20 || share > 0.25 {
		t.Errorf("%.1f %% of the requests fail; together with closed servers it should be a quarter", 100*share)
	}
	for f := ResetUnread; f < faults; f++ {
		if met[f] == 0 {
			t.Errorf("%q never happened", f)
		}
	}
}

func TestDraw_IsTheSameForTheSameSeed(t *testing.T) {
	row := func() string {
		random := rand.New(rand.NewPCG(7, 7))
		var all []string
		for range 200 {
			all = append(all, draw(random).String())
		}
		return strings.Join(all, " ")
	}
	if row() != row() {
		t.Error("two rows of the same seed differ")
	}
}

func TestLedger_CountsAnOrderOnceAndItsRepetitions(t *testing.T) {
	l := NewLedger(false)
	for i := range remembered + 10 { // the first ones are among the older half now
		l.apply(fmt.Sprint("order-", i))
	}
	l.apply("order-5")
	l.apply("order-5")
	if orders, again := l.Applied(); orders != remembered+10 || again != 2 {
		t.Errorf("%d orders and %d repetitions, want %d and 2", orders, again, remembered+10)
	}
	if l.Times("order-5") != 3 || l.Times("order-6") != 1 || l.Times("order-x") != 0 {
		t.Errorf("order-5 %d times, order-6 %d, order-x %d", l.Times("order-5"), l.Times("order-6"), l.Times("order-x"))
	}
}

// once sends one request to the server on a connection of its own.
func once(address, method, path, id string, body []byte) (int, error) {
	req, err := http.NewRequest(method, "http://"+address+path, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("X-Request-Id", id)
	req.Header.Set("Evergate-Attempt", "1")
	req.Close = true
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

func TestAPI_FailsAsItsLedgerSays(t *testing.T) {
	before := runtime.NumGoroutine()
	ledger := NewLedger(true)
	api, err := Start(Options{Ledger: ledger, Seed: 3, Slow: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer api.Close()
	type seen struct {
		status int
		err    error
	}
	answers := map[string]seen{} // by request id
	refused := 0
	for i := range 1500 {
		id, address := fmt.Sprint("r", i), api.Addresses()[i%3]
		var s seen
		if i%2 == 0 {
			s.status, s.err = once(address, "GET", "/results/7", id, nil)
		} else {
			body, err := json.Marshal(Order{Order: id})
			if err != nil {
				t.Fatal(err)
			}
			s.status, s.err = once(address, "POST", "/orders", id, body)
		}
		answers[id] = s
		if errors.Is(s.err, syscall.ECONNREFUSED) {
			refused++
		}
	}
	api.Close()
	if refused == 0 {
		t.Error("no connection was ever refused")
	}

	receipts := map[string]Receipt{}
	for _, r := range ledger.Receipts() {
		receipts[r.ID] = r
	}
	lost := 0
	for id, s := range answers {
		r, read := receipts[id]
		if !read {
			if s.err == nil {
				t.Errorf("%s has an answer and no receipt", id)
			}
			if !errors.Is(s.err, syscall.ECONNREFUSED) {
				lost++
			}
			continue
		}
		want := map[Fault]int{None: 200, Slow: 200, SlowApplied: 200, Status500: 500, Status500Applied: 500, Status503: 503, Declined: 503, Cut: 200}[r.Fault]
		if want == 200 && r.Method == "POST" {
			want = 201
		}
		fails := r.Fault == ResetRead || r.Fault == ResetApplied || r.Fault == Cut
		if s.status != want || (s.err != nil) != fails {
			t.Errorf("%s met %q and got status %d, %v", id, r.Fault, s.status, s.err)
		}
		if times := ledger.Times(r.Order); r.Order != "" && (times == 1) != r.Fault.applies() {
			t.Errorf("order %s met %q and was carried out %d times", id, r.Fault, times)
		}
	}
	unread, closings := 0, 0
	for _, address := range api.Addresses() {
		unread += ledger.Unread(address)
		closings += ledger.Closings(address)
	}
	if lost < unread || lost > unread+closings {
		t.Errorf("%d requests were reset without a receipt, the ledger says %d (and %d closings)", lost, unread, closings)
	}
	eventually(t, "its goroutines end", func() bool { return runtime.NumGoroutine() <= before })
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}
