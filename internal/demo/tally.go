package demo

import (
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/evergate/evergate/internal/demo/clients"
)

// column is the requests of one method.
type column struct {
	sent   int        // counted by the clients
	failed int        // likewise: they did not get what they asked for
	logged int        // counted by the door's access log: the same requests, a moment later
	first  [kinds]int // by how the first attempt went, from the log
	last   [kinds]int // by how the request went in the end, from the log
}

// firstFailed is the number of requests whose first attempt failed.
func (c *column) firstFailed() int { return c.logged - c.first[fine] }

// work is what one server was asked.
type work struct{ attempts, failed int }

// figures is everything that the demo shows, at one moment.
type figures struct {
	ran       time.Duration
	get, post column
	carried   int             // failed orders that the vendor carried out
	twice     int             // times that the vendor carried out an order again, by its ledger
	attempts  int             // of all requests
	servers   map[string]work // by address
	states    map[string]string
}

// tally adds up what the clients and the door's access log say. Safe for
// concurrent use.
type tally struct {
	mu  sync.Mutex
	sum figures
}

// newTally returns an empty tally of the servers at addresses.
func newTally(addresses []string) *tally {
	t := &tally{sum: figures{servers: make(map[string]work)}}
	for _, address := range addresses {
		t.sum.servers[address] = work{}
	}
	return t
}

// answered counts a request as its client saw it. carried says that it was an
// order and the vendor carried it out.
func (t *tally) answered(r clients.Result, carried bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.sum.of(r.Method)
	c.sent++
	if r.Failed() {
		c.failed++
		if carried {
			t.sum.carried++
		}
	}
}

// logged counts a request as the door saw it. Requests of anybody else, a curious
// person for instance, are not counted; nor are those that the demo's end cut.
func (t *tally) logged(v visit) {
	if v.UserAgent != clients.Agent || v.left() {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.sum.of(v.Method)
	c.logged++
	c.first[v.first()]++
	c.last[v.last()]++
	for _, a := range v.Attempts {
		address := strings.TrimPrefix(a.Server, "http://")
		w := t.sum.servers[address]
		w.attempts++
		if kindOf(a) != fine {
			w.failed++
		}
		t.sum.servers[address] = w
		t.sum.attempts++
	}
}

// figures returns a copy of what has been added up.
func (t *tally) figures() figures {
	t.mu.Lock()
	defer t.mu.Unlock()
	f := t.sum
	f.servers = maps.Clone(f.servers)
	return f
}

func (f *figures) of(method string) *column {
	if method == http.MethodPost {
		return &f.post
	}
	return &f.get
}
