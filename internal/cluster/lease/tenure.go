package lease

import (
	"context"
	"fmt"
	"time"
)

// Tenure is a term in office that renews itself until it is over. Its methods
// are safe for concurrent use.
type Tenure struct {
	Term
	elector *Elector
	kept    chan struct{} // closed when nothing renews it any more
}

// Context ends when trust does, with the reason as its cause.
func (n *Tenure) Context() context.Context { return n.trust.ctx }

// Resign ends the term and wakes the others. Whoever calls it has stopped acting
// before. It ends the term here whatever the store says; the error is the store's
// or ctx's, and then the others wait until the lease expires. On a term that is
// over it does nothing.
func (n *Tenure) Resign(ctx context.Context) error {
	over := n.trust.ctx.Err() != nil
	n.trust.end(fmt.Errorf("%w: resigned", ErrOver))
	select {
	case <-n.kept: // a renewal that comes after the resignation would undo it
	case <-ctx.Done():
		return fmt.Errorf("resign lease %s: a renewal is under way: %w", n.Name, ctx.Err())
	}
	if over {
		return nil
	}
	return n.elector.book.resign(ctx, n.Term)
}

// keep renews until the term is over.
func (n *Tenure) keep() {
	e := n.elector
	defer close(n.kept)
	defer e.left(n)
	wait := jitter(e.o.Renew)
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		select {
		case <-n.trust.ctx.Done():
			return
		case <-timer.C:
		}
		if !e.o.May() {
			n.trust.end(fmt.Errorf("%w: the store is not to be trusted", ErrOver))
			return
		}
		start := time.Now()
		ctx, cancel := context.WithTimeout(n.trust.ctx, e.o.Renew)
		found, err := e.book.renew(ctx, n.Term, e.o.TTL)
		cancel()
		e.note(err)
		switch {
		case err != nil:
			timer.Reset(jitter(e.o.Renew / 4))
		case !found:
			n.trust.end(fmt.Errorf("%w: the store has another", ErrOver))
			return
		case !n.trust.extend(start.Add(e.o.TTL - e.o.Margin)):
			n.trust.end(fmt.Errorf("%w: it was renewed too late", ErrOver))
			return
		default:
			timer.Reset(jitter(e.o.Renew))
		}
	}
}
