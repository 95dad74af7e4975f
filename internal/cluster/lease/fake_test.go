package lease

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"testing"
	"time"
)

var errGone = errors.New("the store is gone")

// fakeBook is a store in memory, for virtual time: it has a clock of its own and can be
// cut off.
type fakeBook struct {
	mu      sync.Mutex
	rows    map[string]row
	skew    time.Duration // of the store's clock
	failing bool          // answers errors
	hanging bool          // answers nothing until the caller gives up
	writes  int
	wakes   []chan struct{}
}

func newFakeBook() *fakeBook { return &fakeBook{rows: map[string]row{}} }

func (b *fakeBook) now() int64 { return time.Now().Add(b.skew).UnixMilli() }

// change sets the book's fields while others use it.
func (b *fakeBook) change(fn func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	fn()
}

func (b *fakeBook) there(ctx context.Context) error {
	b.mu.Lock()
	failing, hanging := b.failing, b.hanging
	b.mu.Unlock()
	if hanging {
		<-ctx.Done()
		return ctx.Err()
	}
	if failing {
		return errGone
	}
	return ctx.Err()
}

func (b *fakeBook) look(ctx context.Context, name string) (row, error) {
	if err := b.there(ctx); err != nil {
		return row{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.rows[name]
	r.left = time.Duration(r.expires-b.now()) * time.Millisecond
	return r, nil
}

func (b *fakeBook) elect(ctx context.Context, a bid) (int64, bool, error) {
	if err := b.there(ctx); err != nil {
		return 0, false, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.writes++
	r := b.rows[a.name]
	dead := r.holder == a.dead.holder && r.term == a.dead.term && r.expires == a.dead.expires
	own := r.holder == a.holder && r.term == a.own
	if r.term > 0 && (r.module > a.module || r.expires > b.now() && !dead && !own) {
		return 0, false, nil
	}
	b.rows[a.name] = row{holder: a.holder, term: max(r.term+1, a.least), module: a.module, expires: b.now() + a.ttl.Milliseconds()}
	return b.rows[a.name].term, true, nil
}

func (b *fakeBook) renew(ctx context.Context, t Term, ttl time.Duration) (bool, error) {
	if err := b.there(ctx); err != nil {
		return false, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.writes++
	r := b.rows[t.Name]
	if r.holder != t.Holder || r.term != t.Number {
		return false, nil
	}
	r.expires = b.now() + ttl.Milliseconds()
	b.rows[t.Name] = r
	return true, nil
}

func (b *fakeBook) resign(ctx context.Context, t Term) error {
	if err := b.there(ctx); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if r := b.rows[t.Name]; r.holder == t.Holder && r.term == t.Number {
		r.expires = 0
		b.rows[t.Name] = r
	}
	for _, wake := range b.wakes {
		select {
		case wake <- struct{}{}:
		default:
		}
	}
	return nil
}

func (b *fakeBook) wake() (<-chan struct{}, func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	wake := make(chan struct{}, 1)
	b.wakes = append(b.wakes, wake)
	return wake, func() {}
}

// cutOff is the same book as seen from a node that may lose its way to it.
type cutOff struct {
	*fakeBook
	away *bool // guarded by the book's mu
}

func (c cutOff) there(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if *c.away {
		return errGone
	}
	return nil
}

func (c cutOff) renew(ctx context.Context, t Term, ttl time.Duration) (bool, error) {
	if err := c.there(ctx); err != nil {
		return false, err
	}
	return c.fakeBook.renew(ctx, t, ttl)
}

func (c cutOff) look(ctx context.Context, name string) (row, error) {
	if err := c.there(ctx); err != nil {
		return row{}, err
	}
	return c.fakeBook.look(ctx, name)
}

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// elector returns one with the room controller's figures: TTL 5 s, renewal 1 s,
// margin 1 s.
func elector(t *testing.T, b book, holder string, change ...func(*Options)) *Elector {
	t.Helper()
	o := Options{Name: "job", Holder: holder, TTL: 5 * time.Second, Renew: time.Second, Margin: time.Second, Log: quiet}
	for _, c := range change {
		c(&o)
	}
	e, err := newElector(o, b)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func elected(t *testing.T, e *Elector) *Tenure {
	t.Helper()
	n, err := e.Elect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // a goroutine must not outlive its test
		n.trust.end(ErrOver)
		<-n.kept
	})
	return n
}
