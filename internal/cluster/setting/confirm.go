package setting

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/evergate/evergate/internal/cluster/store"
	"github.com/evergate/evergate/internal/id"
)

// confirmedKey is the setting by which the nodes learn that an operator confirmed
// a store that took the place of another.
const confirmedKey = "store.confirmed"

// How says what to do with a store that came back empty, older, or as another one.
type How string

// The ways.
const (
	Refill How = "refill" // write into it what this node knows
	Accept How = "accept" // take it as it is: what it does not have is gone
)

// confirmation is an operator's word on a store.
type confirmation struct {
	Was string `json:"was"` // id of the store before
	How How    `json:"how"`
}

// Confirm is an operator's word on a store that waits for one (State.Doubt). The
// other nodes follow it. What is in the journal is written into the store in any
// case. Errors: ErrNothingToConfirm, ErrNoReason, *InvalidError, those of the store.
func (s *Service) Confirm(ctx context.Context, how How, actor, reason string) error {
	if !line(reason, maxReason) {
		return ErrNoReason
	}
	if !line(actor, maxActor) {
		return &InvalidError{Field: "actor", Message: "a change needs somebody who made it"}
	}
	if how != Refill && how != Accept {
		return &InvalidError{Field: "how", Message: "want refill or accept"}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), replayLimit)
	defer cancel()
	s.pulling.Lock()
	defer s.pulling.Unlock()
	s.mu.Lock()
	doubt, was := s.doubt, s.book.identity.Store
	s.mu.Unlock()
	if doubt == "" {
		return ErrNothingToConfirm
	}
	word := confirmation{Was: was, How: how}
	if err := s.take(ctx, word); err != nil {
		return err
	}
	if err := s.recordConfirmed(ctx, word, actor, reason); err != nil {
		return err
	}
	s.log.Warn("an operator has confirmed the store", "how", how, "actor", actor, "reason", reason)
	s.wake()
	return nil
}

// take makes the store the truth of this node, after it was given what this node
// knows if it is to be refilled. The caller holds pulling.
func (s *Service) take(ctx context.Context, word confirmation) error {
	if word.How == Refill {
		if err := s.push(ctx, true); err != nil {
			return fmt.Errorf("write what this node knows into the store: %w", err)
		}
	}
	found, err := s.look(ctx, position{})
	if err != nil {
		return err
	}
	s.adopt(found)
	s.noteDoubt("")
	return nil
}

// followConfirmed does on this node what an operator has confirmed on another. The
// caller holds pulling.
func (s *Service) followConfirmed(ctx context.Context, word confirmation) error {
	s.log.Warn("the store was confirmed on another node", "how", word.How)
	return s.take(ctx, word)
}

// recordConfirmed writes into the store who confirmed it, for the other nodes and
// for the history.
func (s *Service) recordConfirmed(ctx context.Context, word confirmation, actor, reason string) error {
	value, err := json.Marshal(word)
	if err != nil {
		return err
	}
	known := s.position()
	err = s.o.Store.Write(ctx, func(tx *store.Tx) error {
		rev, err := known.next(tx)
		if err != nil {
			return err
		}
		before, err := currentOf(tx, confirmedKey)
		if err != nil {
			return err
		}
		tx.Notify(Channel)
		return insert(tx, Version{
			Key: confirmedKey, Number: before.Number + 1, Rev: rev, ID: id.New(s.o.Clock.Now()), Value: value,
			Actor: actor, Reason: reason, Node: s.o.Node, At: tx.Now(), RecordedAt: tx.Now(),
		})
	})
	if err != nil {
		return fmt.Errorf("note in the store that it was confirmed: %w", err)
	}
	return nil
}

// confirmedIn returns the last confirmation in the store, the zero value if there
// is none.
func confirmedIn(tx *store.Tx) (word confirmation, err error) {
	v, err := currentOf(tx, confirmedKey)
	if err != nil || v.Value == nil {
		return confirmation{}, err
	}
	err = json.Unmarshal(v.Value, &word)
	return word, err
}
