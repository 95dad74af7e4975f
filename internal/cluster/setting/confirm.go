package setting

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/evergate/evergate/internal/cluster/store"
	"github.com/evergate/evergate/internal/id"
)

// confirmedKey is the setting by which the nodes learn that an operator confirmed
// a store that took the place of another.
const confirmedKey = "store.confirmed"

// confirmLimit bounds how long an operator waits; what was written until then counts,
// and saying it again goes on from there.
const confirmLimit = 10 * time.Second

// How says what to do with a store that came back empty, or as another one.
type How string

// The ways.
const (
	Refill How = "refill" // write into it what this node knows
	Accept How = "accept" // take it as it is: what it does not have is gone, but for resets that hold for good (Options.Final)
)

// confirmation is an operator's word on a store.
type confirmation struct {
	Was string `json:"was"` // id of the store before
	How How    `json:"how"`
}

// Confirm is an operator's word on a store that waits for one (State.Doubt). The
// other nodes that knew the store before follow it. What is in the journal is written
// into the store in any case. Errors: ErrNothingToConfirm, ErrNoReason, *InvalidError,
// those of the store.
func (s *Service) Confirm(ctx context.Context, how How, actor, reason string) error {
	if err := checkWho(actor, reason); err != nil {
		return err
	}
	if how != Refill && how != Accept {
		return &InvalidError{Field: "how", Message: "want refill or accept"}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), confirmLimit)
	defer cancel()
	if err := s.pulling.lock(ctx); err != nil {
		return err
	}
	defer s.pulling.unlock()
	s.mu.Lock()
	doubt, was := s.doubt, s.book.store
	s.mu.Unlock()
	if doubt == "" {
		return ErrNothingToConfirm
	}
	if how == Accept {
		as, err := keepAside(s.o.Dir, LastGoodName, "given-up")
		s.log.Warn("the settings of the store before are given up", "kept_as", as, "keep_error", err)
	}
	if err := s.fill(ctx, how); err != nil {
		return err
	}
	if err := s.recordConfirmed(ctx, confirmation{Was: was, How: how}, actor, reason); err != nil {
		return err
	}
	if err := s.adopt(ctx); err != nil {
		return fmt.Errorf("read the store that was confirmed: %w", err)
	}
	s.log.Warn("an operator has confirmed the store", "how", how, "actor", actor, "reason", reason)
	s.wake()
	return nil
}

// believe does on this node what an operator has confirmed on another. The caller
// holds pulling.
func (s *Service) believe(ctx context.Context, how How) error {
	if how == Accept {
		as, err := keepAside(s.o.Dir, LastGoodName, "given-up")
		s.log.Warn("the settings of the store before are given up", "kept_as", as, "keep_error", err)
	}
	if err := s.fill(ctx, how); err != nil {
		return err
	}
	return s.adopt(ctx)
}

// fill writes into a store that is about to be believed what it is to have.
func (s *Service) fill(ctx context.Context, how How) error {
	s.mu.Lock()
	good := s.book.snapshot(s.o.Node, s.o.Clock.Now())
	ended := s.ended()
	s.mu.Unlock()
	if how == Accept {
		// Before the store is believed, so that what was reset is in force at no moment.
		if err := s.anyLedger(ctx, func(l *ledger) error { return l.carry(ended) }); err != nil {
			return fmt.Errorf("write the resets that hold for good into the store: %w", err)
		}
		return nil
	}
	for rest := good.everything(); len(rest) > 0; {
		n := min(batch, len(rest))
		err := s.anyLedger(ctx, func(l *ledger) error {
			for _, v := range rest[:n] {
				if err := l.refill(v); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("write what this node knows into the store: %w", err)
		}
		rest = rest[n:]
	}
	if err := s.anyLedger(ctx, func(l *ledger) error { return l.refillDues(good) }); err != nil {
		return fmt.Errorf("write the changes that wait for their time into the store: %w", err)
	}
	return nil
}

// ended are the resets in force that hold for good. The caller holds mu.
func (s *Service) ended() (list []Version) {
	for _, v := range s.book.all() {
		if v.Number > 0 && v.Value == nil && s.o.Final(v.Key) {
			list = append(list, v)
		}
	}
	return list
}

// carry resets again what the store has as set.
func (l *ledger) carry(ended []Version) error {
	for _, v := range ended {
		current, err := currentOf(l.tx, v.Key)
		if err != nil {
			return err
		}
		if current.Value == nil {
			continue // it never came so far, or was reset there too
		}
		v.ID, v.Rev, v.Number, v.RecordedAt = id.New(l.tx.Now()), 0, current.Number+1, time.Time{}
		if _, err := l.record(v); err != nil {
			return err
		}
	}
	return nil
}

// refillDues writes the due changes of g, whose versions may have other numbers in
// the store.
func (l *ledger) refillDues(g *lastGood) error {
	current := make(map[string]Version, len(g.Current))
	for _, v := range g.Current {
		current[v.Key] = v
	}
	for _, d := range g.Dues {
		if v := current[d.Key]; d.State == Pending && v.Number == d.Based {
			number, err := numberOf(l.tx, v.ID)
			if err != nil {
				return err
			}
			d.Based = number
		}
		if _, err := insertDue(l.tx, d); err != nil {
			return err
		}
	}
	return nil
}

// anyLedger runs fn on a ledger of the store that is there, whichever it is.
func (s *Service) anyLedger(ctx context.Context, fn func(l *ledger) error) error {
	return s.writeAt(ctx, position{}, fn)
}

// recordConfirmed writes into the store who confirmed it, for the other nodes and
// for the history.
func (s *Service) recordConfirmed(ctx context.Context, word confirmation, actor, reason string) error {
	value, err := encode(word)
	if err == nil {
		err = s.anyLedger(ctx, func(l *ledger) error {
			before, err := currentOf(l.tx, confirmedKey)
			if err != nil {
				return err
			}
			_, err = l.record(Version{
				Key: confirmedKey, Number: before.Number + 1, ID: id.New(l.tx.Now()), Value: value,
				Actor: actor, Reason: reason, Node: s.o.Node, At: l.tx.Now(),
			})
			return err
		})
	}
	if err != nil {
		return fmt.Errorf("note in the store that it was confirmed: %w", err)
	}
	return nil
}

// confirmedIn returns the last confirmation in the store and its id, zero values if
// there is none.
func confirmedIn(tx *store.Tx) (word confirmation, id string, err error) {
	v, err := currentOf(tx, confirmedKey)
	if err != nil || v.Value == nil {
		return confirmation{}, "", err
	}
	if json.Unmarshal(v.Value, &word) != nil {
		return confirmation{}, "", nil // of a later release: an operator has to say it here too
	}
	return word, v.ID, nil
}
