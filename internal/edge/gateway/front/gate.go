package front

import "sync"

// gate bounds the connections of all listeners together. A listener waits at
// the gate before it accepts; what it does not accept waits in the kernel, and
// once that is full, in the visitor's own retries. With several listeners each
// may accept one more than the limit, because each waits before it knows
// whether somebody comes.
type gate struct {
	mu      sync.Mutex
	limit   int // 0: none
	open    int
	changed chan struct{} // closed and renewed when somebody waits and something changed
}

const (
	// ownFiles are left to logs, listeners, spill files and checks.
	ownFiles = 64
	// leastConnections are allowed however few files may be open.
	leastConnections = 16
)

// connectionLimit is the bound for limits.connections as configured; 0 there
// means half of the files that the process may open, because a visitor's
// connection may need one to a server. 0: no bound.
func connectionLimit(configured, openFiles int) int {
	if configured > 0 || openFiles == 0 {
		return configured
	}
	return max((openFiles-ownFiles)/2, leastConnections)
}

// setLimit changes the bound; 0 lifts it.
func (g *gate) setLimit(n int) {
	g.mu.Lock()
	g.limit = n
	g.wake()
	g.mu.Unlock()
}

// wait returns true when there is room, false once stop is closed.
func (g *gate) wait(stop <-chan struct{}) bool {
	for {
		g.mu.Lock()
		if g.limit == 0 || g.open < g.limit {
			g.mu.Unlock()
			return true
		}
		if g.changed == nil {
			g.changed = make(chan struct{})
		}
		changed := g.changed
		g.mu.Unlock()
		select {
		case <-changed:
		case <-stop:
			return false
		}
	}
}

// enter counts a connection.
func (g *gate) enter() {
	g.mu.Lock()
	g.open++
	g.mu.Unlock()
}

// tryEnter counts a connection if there is room.
func (g *gate) tryEnter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.limit != 0 && g.open >= g.limit {
		return false
	}
	g.open++
	return true
}

// exit ends what enter or tryEnter began.
func (g *gate) exit() {
	g.mu.Lock()
	g.open--
	g.wake()
	g.mu.Unlock()
}

// wake lets those who wait look again. The caller holds mu.
func (g *gate) wake() {
	if g.changed != nil {
		close(g.changed)
		g.changed = nil
	}
}
