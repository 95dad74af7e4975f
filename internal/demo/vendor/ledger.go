package vendor

import (
	"slices"
	"sync"
)

// Receipt is a server's word that it read a request.
type Receipt struct {
	Server  string // address, "host:port"
	ID      string // X-Request-Id, as the door sent it
	Attempt string // Evergate-Attempt, likewise; "" for a request that did not come through a door
	Method  string
	Order   string // of a POST
	Fault   Fault  // that the request met
}

// remembered is the least number of orders for which the ledger knows whether
// they were carried out. It is minutes of the demo's traffic, and a request that
// might still be repeated is seconds old.
const remembered = 100_000

// Ledger is the vendor's own account. Safe for concurrent use. It does not grow
// with time unless Keep was asked for.
type Ledger struct {
	mu       sync.Mutex
	keep     bool
	receipts []Receipt
	unread   map[string]int    // by server
	closings map[string]int    // by server
	met      [faults]int       // requests by fault
	orders   [2]map[string]int // how often each order was carried out: the young ones, and those before
	applied  int               // orders carried out, each once
	twice    int               // carried out again
}

// NewLedger returns an empty ledger. With keep it holds every receipt, for as
// long as it lives.
func NewLedger(keep bool) *Ledger {
	return &Ledger{keep: keep, unread: make(map[string]int), closings: make(map[string]int), orders: [2]map[string]int{{}, {}}}
}

// received notes a request that was read.
func (l *Ledger) received(r Receipt) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.met[r.Fault]++
	if l.keep {
		l.receipts = append(l.receipts, r)
	}
}

// resetUnread notes a connection that server reset before it read the request.
func (l *Ledger) resetUnread(server string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.met[ResetUnread]++
	l.unread[server]++
}

// closing notes that server is about to close.
func (l *Ledger) closing(server string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closings[server]++
}

// apply notes that an order was carried out, which is the moment that counts.
func (l *Ledger) apply(order string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.orders[0][order]+l.orders[1][order] > 0 {
		l.twice++
	} else {
		l.applied++
	}
	l.orders[0][order]++
	if len(l.orders[0]) >= remembered {
		l.orders[0], l.orders[1] = make(map[string]int), l.orders[0]
	}
}

// Times is how often order was carried out.
func (l *Ledger) Times(order string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.orders[0][order] + l.orders[1][order]
}

// Applied is the number of orders carried out, and how often one was carried out
// that had been already.
func (l *Ledger) Applied() (orders, again int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.applied, l.twice
}

// Met is the number of requests that met f.
func (l *Ledger) Met(f Fault) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.met[f]
}

// Unread is the number of requests whose connection server reset before reading them.
func (l *Ledger) Unread(server string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.unread[server]
}

// Closings is how often server began to refuse connections. The system resets a
// connection that it had accepted and server had not when it closed, so each may
// have cost a request that no server saw.
func (l *Ledger) Closings(server string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closings[server]
}

// Receipts is a copy of all receipts, in the order in which they came; nil
// without keep.
func (l *Ledger) Receipts() []Receipt {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.receipts)
}
