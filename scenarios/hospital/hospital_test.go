package hospital

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/demo/clients"
	"github.com/evergate/evergate/internal/demo/vendor"
	"github.com/evergate/evergate/internal/server"
)

const (
	rate        = 400             // requests per second
	mostTries   = 8               // retry.attempts in evergate.yaml
	tryTimeout  = 1000            // retry.try_timeout in evergate.yaml, in milliseconds
	slowAnswer  = 3 * time.Second // beyond it
	leastFaulty = 0.20            // of attempts, or the run proves nothing
	mostLost    = 0.002           // of GETs
)

// seed is that of the faults, printed so that a run can be had again.
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

func TestTheAPIFailsAndTheHospitalDoesNotNotice(t *testing.T) {
	first := seed(t)
	duration := 20 * time.Second
	if testing.Short() {
		duration = 5 * time.Second
	}
	ledger := vendor.NewLedger(true)
	api, err := vendor.Start(vendor.Options{Ledger: ledger, Seed: first, Slow: slowAnswer})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(api.Close)
	data := t.TempDir()
	base, stopDoor := openDoor(t, data, api.Addresses())

	ctx, cancel := context.WithTimeout(t.Context(), duration)
	defer cancel()
	var mu sync.Mutex
	var results []clients.Result
	clients.New(base, rate, first).Run(ctx, context.Background(), func(r clients.Result) {
		mu.Lock()
		defer mu.Unlock()
		results = append(results, r)
	})
	stopDoor()
	api.Close()

	entries, err := readLog(filepath.Join(data, "access.log"))
	if err != nil {
		t.Fatal(err)
	}
	receipts := receiptsByID(t, ledger)
	judgeFaults(t, entries)
	judgeGets(t, results, entries)
	judgeOrders(t, ledger, results)
	judgeRetries(t, entries, receipts)
	judgeLog(t, ledger, api.Addresses(), entries, receipts, results)
}

// openDoor runs Evergate with evergate.yaml before the servers. stop waits until
// it has drained.
func openDoor(t *testing.T, data string, servers []string) (base string, stop func()) {
	t.Helper()
	t.Setenv("DATA", data)
	t.Setenv("DOOR", "127.0.0.1:0")
	for i, address := range servers {
		t.Setenv("VENDOR_"+strconv.Itoa(i+1), "http://"+address)
	}
	ready := make(chan server.Addresses, 1)
	door, err := server.New("evergate.yaml", server.Options{Log: t.Output(), Ready: func(a server.Addresses) { ready <- a }})
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
	})
	t.Cleanup(stop)
	select {
	case a := <-ready:
		return "http://" + a.HTTP[0], stop
	case err := <-ended:
		ended <- nil
		t.Fatalf("the door did not open: %v", err)
		return "", nil
	}
}

// try is one attempt of one request.
type try struct {
	id      string
	attempt int // from 1
}

// receiptsByID wants that no attempt was received twice, and that each came
// through the door.
func receiptsByID(t *testing.T, ledger *vendor.Ledger) map[try]vendor.Receipt {
	t.Helper()
	receipts := map[try]vendor.Receipt{}
	for _, r := range ledger.Receipts() {
		number, err := strconv.Atoi(r.Attempt)
		if err != nil || r.ID == "" {
			t.Errorf("%s received a request that did not come through the door: %+v", r.Server, r)
			continue
		}
		at := try{r.ID, number}
		if before, twice := receipts[at]; twice {
			t.Errorf("attempt %d of %s was received by %s and by %s", number, r.ID, before.Server, r.Server)
		}
		receipts[at] = r
	}
	return receipts
}

// judgeFaults wants that the API was as bad as the story says.
func judgeFaults(t *testing.T, entries []entry) {
	t.Helper()
	attempts, failed, outcomes := 0, 0, map[string]int{}
	for _, e := range entries {
		for _, a := range e.Attempts {
			attempts++
			outcomes[a.Outcome]++
			if a.Outcome != "success" {
				failed++
			}
		}
	}
	share := float64(failed) / float64(max(attempts, 1))
	t.Logf("%d requests, %d attempts, of which %.1f %% failed: %v", len(entries), attempts, 100*share, outcomes)
	if share < leastFaulty {
		t.Errorf("only %.1f %% of the attempts failed; this run proves nothing", 100*share)
	}
	for _, outcome := range []string{"connect", "reset", "timeout", "bad_response", "status"} {
		if outcomes[outcome] == 0 {
			t.Errorf("no attempt ended with %q; this run proves less than it should", outcome)
		}
	}
}

// judgeGets wants that clients hardly ever saw a GET fail.
func judgeGets(t *testing.T, results []clients.Result, entries []entry) {
	t.Helper()
	gets, failed := 0, 0
	for _, r := range results {
		if r.Method != http.MethodGet {
			continue
		}
		gets++
		if r.Failed() {
			failed++
			t.Logf("a GET failed after %v: status %d, %v", r.Took, r.Status, r.Err)
		}
	}
	for _, e := range entries {
		if e.Method == http.MethodGet && e.failed() {
			t.Logf("a failed GET in the log, denied %q: %+v", e.Denied, e.Attempts)
		}
	}
	t.Logf("%d GETs, of which %d failed for their clients", gets, failed)
	if gets < 1000 {
		t.Errorf("%d GETs are too few to say anything", gets)
	}
	if float64(failed) > mostLost*float64(gets) {
		t.Errorf("%d of %d GETs failed for their clients, want at most %.1f %%", failed, gets, 100*mostLost)
	}
}

// judgeOrders wants that no order was carried out twice, and each that its client
// saw succeed once.
func judgeOrders(t *testing.T, ledger *vendor.Ledger, results []clients.Result) {
	t.Helper()
	orders, failed, carried := 0, 0, 0
	for _, r := range results {
		if r.Method != http.MethodPost {
			continue
		}
		orders++
		times := ledger.Times(r.Order)
		switch {
		case times > 1:
			t.Errorf("order %s was carried out %d times", r.Order, times)
		case !r.Failed() && times == 0:
			t.Errorf("order %s succeeded and was not carried out", r.Order)
		}
		if r.Failed() {
			failed++
			carried += times
		}
	}
	if _, again := ledger.Applied(); again > 0 {
		t.Errorf("orders were carried out again %d times", again)
	}
	t.Logf("%d orders, of which %d failed for their clients, %d of these carried out all the same", orders, failed, carried)
	if carried == 0 {
		t.Error("no order was carried out and failed; repeating them would have been harmless, so this run proves nothing")
	}
}

// judgeRetries wants that an order was tried again if, and only if, the API
// cannot have carried it out.
func judgeRetries(t *testing.T, entries []entry, receipts map[try]vendor.Receipt) {
	t.Helper()
	unsent, declined := 0, 0
	for _, e := range entries {
		if e.Method != http.MethodPost {
			continue
		}
		for i, a := range e.Attempts {
			r, received := receipts[try{e.ID, i + 1}]
			wasDeclined := received && r.Fault == vendor.Declined && a.Status == http.StatusServiceUnavailable
			harmless := a.Class <= 1 || wasDeclined
			switch {
			case harmless && !a.Retried && i+1 < mostTries:
				t.Errorf("order %s was not tried again (%q) after attempt %d, which did nothing: %+v", e.ID, e.Denied, i+1, a)
			case !harmless && a.Retried:
				t.Errorf("order %s was tried again after attempt %d, which may have carried it out: %+v, %v", e.ID, i+1, a, r.Fault)
			}
			if a.Retried != (i+1 < len(e.Attempts)) {
				t.Errorf("order %s: attempt %d of %d has retried=%t", e.ID, i+1, len(e.Attempts), a.Retried)
			}
			if a.Class <= 1 {
				unsent++
			} else if wasDeclined {
				declined++
			}
		}
	}
	t.Logf("attempts of orders that did nothing: %d before the first byte, %d declined by 503 with Retry-After", unsent, declined)
	if unsent == 0 || declined == 0 {
		t.Error("no order was refused, or none declined; this run proves nothing")
	}
}

// outcomeOf is how the door should see a fault.
var outcomeOf = map[vendor.Fault]string{
	vendor.None:             "success",
	vendor.ResetRead:        "reset",
	vendor.ResetApplied:     "reset",
	vendor.Slow:             "timeout",
	vendor.SlowApplied:      "timeout",
	vendor.Status500:        "status",
	vendor.Status500Applied: "status",
	vendor.Status503:        "status",
	vendor.Declined:         "status",
	vendor.Cut:              "bad_response",
}

// judgeLog wants that the access log, the ledger and the clients tell the same story.
func judgeLog(t *testing.T, ledger *vendor.Ledger, servers []string, entries []entry, receipts map[try]vendor.Receipt, results []clients.Result) {
	t.Helper()
	logged, suffered := map[string][2]int{}, map[string][2]int{} // by method: requests, failed
	count := func(into map[string][2]int, method string, failed bool) {
		n := into[method]
		n[0]++
		if failed {
			n[1]++
		}
		into[method] = n
	}
	seen := map[string]bool{}
	unreceived := map[string]int{} // attempts that were sent and that no server read
	found := 0
	for _, e := range entries {
		if seen[e.ID] {
			t.Errorf("%s has two lines in the log", e.ID)
		}
		seen[e.ID] = true
		count(logged, e.Method, e.failed())
		for i, a := range e.Attempts {
			r, received := receipts[try{e.ID, i + 1}]
			late := a.Outcome == "timeout" && a.Millis >= tryTimeout*0.9 // a busy machine makes any answer slow
			switch {
			case !received && a.Outcome == "reset":
				unreceived[a.address()]++
			case !received && a.Outcome != "connect" && !late:
				t.Errorf("attempt %d of %s never reached %s, and the log has %+v", i+1, e.ID, a.Server, a)
			case !received:
			case r.Server != a.address() || r.Method != e.Method:
				t.Errorf("attempt %d of %s %s reached %s, and the log has %+v", i+1, r.Method, e.ID, r.Server, a)
			case a.Outcome != outcomeOf[r.Fault] && !late:
				t.Errorf("attempt %d of %s met %q, and the log has %+v", i+1, e.ID, r.Fault, a)
			}
			if received {
				found++
			}
		}
	}
	if found != len(receipts) {
		t.Errorf("the servers received %d attempts, of which the log has %d", len(receipts), found)
	}
	for _, address := range servers {
		// What the system resets when a server closes is in no ledger (see Closings).
		if least, most := ledger.Unread(address), ledger.Unread(address)+ledger.Closings(address); unreceived[address] < least || unreceived[address] > most {
			t.Errorf("%s reset %d requests unread (at most %d), and the log has %d", address, least, most, unreceived[address])
		}
	}
	for _, r := range results {
		count(suffered, r.Method, r.Failed())
	}
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		if logged[method] != suffered[method] {
			t.Errorf("%s: requests and failures are %v for the log, and %v for the clients", method, logged[method], suffered[method])
		}
	}
}
