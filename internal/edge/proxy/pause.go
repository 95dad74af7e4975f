package proxy

import (
	"sync"
	"time"

	"github.com/evergate/evergate/internal/edge/proxy/upstream"
)

// pause bounds the time between two pieces of a response's body: a server that
// hangs in the middle of one must not keep a visitor and a connection for ever. Its
// clock stands still while a piece goes to the visitor. The zero value is off.
type pause struct {
	longest time.Duration
	timer   *time.Timer

	mu      sync.Mutex // guards the fields below
	resp    *upstream.Response
	running bool
}

// begin runs the clock for the next piece of resp.
func (p *pause) begin(resp *upstream.Response, longest time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.resp, p.longest, p.running = resp, longest, true
	if p.timer == nil {
		p.timer = time.AfterFunc(longest, p.over)
		return
	}
	p.timer.Reset(longest)
}

// stop makes the clock stand still. After it has returned the response is not
// touched any more.
func (p *pause) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running {
		p.running = false
		p.timer.Stop()
	}
}

// goOn runs the clock again after stop.
func (p *pause) goOn() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running = true
	p.timer.Reset(p.longest)
}

// over is the timer's function.
func (p *pause) over() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running {
		p.running = false
		p.resp.Cut()
	}
}

// end forgets the response.
func (p *pause) end() {
	p.stop()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.resp = nil
}
