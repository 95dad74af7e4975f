package lease

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/evergate/evergate/internal/cluster/store"
)

// Channel is notified when any lease was given back, for Store.Listen.
const Channel = "lease"

// Store is the part of the cluster's store that leases need. *store.Store is one.
type Store interface {
	// Write runs fn in a transaction, perhaps more than once, and returns when it
	// is durable, or with an error when ctx ends.
	Write(ctx context.Context, fn func(*store.Tx) error) error
	// Read runs fn in a transaction that only reads.
	Read(ctx context.Context, fn func(*store.Tx) error) error
	// Listen returns a channel that may be ready after Tx.Notify, until stop.
	Listen(channel string) (wake <-chan struct{}, stop func())
}

// row is a lease as the store has it.
type row struct {
	holder  string
	term    int64 // 0: there is no such row yet
	module  int
	expires int64         // store time, Unix milliseconds
	left    time.Duration // from the store's now to expires; 0 or less: free
}

// bid is an attempt to be elected.
type bid struct {
	name   string
	holder string
	module int
	ttl    time.Duration
	least  int64 // the number of the new term, if the row's is not higher
	own    int64 // term of this holder in which nobody acts, to be taken though it has not expired; 0: none
	dead   row   // a row that is taken if it is still this one, though it has not expired; term 0: none
}

// table is the lease table, which electors and tests see as a book.
type table struct{ store Store }

// book is what an elector reads and writes. Each method is one transaction.
type book interface {
	look(ctx context.Context, name string) (row, error)
	elect(ctx context.Context, b bid) (term int64, won bool, err error)
	// renew prolongs exactly this term, and reports whether there was it.
	renew(ctx context.Context, t Term, ttl time.Duration) (bool, error)
	// resign frees exactly this term, if there is it, and wakes the others.
	resign(ctx context.Context, t Term) error
	wake() (wake <-chan struct{}, stop func())
}

var _ book = table{}

func (b table) look(ctx context.Context, name string) (row, error) {
	var r row
	err := b.store.Read(ctx, func(tx *store.Tx) error {
		r = row{}
		err := tx.QueryRow(`SELECT holder, term, module, expires_at FROM lease WHERE name = $1`, name).
			Scan(&r.holder, &r.term, &r.module, &r.expires)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		r.left = time.Duration(r.expires-tx.Now().UnixMilli()) * time.Millisecond
		return err
	})
	if err != nil {
		return row{}, fmt.Errorf("look at lease %s: %w", name, err)
	}
	return r, nil
}

func (b table) elect(ctx context.Context, a bid) (int64, bool, error) {
	// Not named results: a function that the store has given up waiting for may
	// still set them.
	var term int64
	var won bool
	err := b.store.Write(ctx, func(tx *store.Tx) error {
		now := tx.Now().UnixMilli()
		err := tx.QueryRow(`
			INSERT INTO lease (name, holder, term, module, elected_at, expires_at)
			VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (name) DO UPDATE SET
				holder = excluded.holder,
				term = CASE WHEN lease.term >= excluded.term THEN lease.term + 1 ELSE excluded.term END,
				module = excluded.module,
				elected_at = excluded.elected_at,
				expires_at = excluded.expires_at
			WHERE lease.module <= excluded.module AND (
				lease.expires_at <= excluded.elected_at
				OR (lease.holder = excluded.holder AND lease.term = $7)
				OR (lease.holder = $8 AND lease.term = $9 AND lease.expires_at = $10))
			RETURNING term`,
			a.name, a.holder, a.least, a.module, now, now+a.ttl.Milliseconds(),
			a.own, a.dead.holder, a.dead.term, a.dead.expires).Scan(&term)
		won = err == nil
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	})
	if err != nil {
		return 0, false, fmt.Errorf("bid for lease %s: %w", a.name, err)
	}
	return term, won, nil
}

func (b table) renew(ctx context.Context, t Term, ttl time.Duration) (bool, error) {
	found := int64(0)
	err := b.store.Write(ctx, func(tx *store.Tx) error {
		result, err := tx.Exec(`UPDATE lease SET expires_at = $4 WHERE name = $1 AND holder = $2 AND term = $3`,
			t.Name, t.Holder, t.Number, tx.Now().UnixMilli()+ttl.Milliseconds())
		if err != nil {
			return err
		}
		found, err = result.RowsAffected()
		return err
	})
	if err != nil {
		return false, fmt.Errorf("renew lease %s: %w", t.Name, err)
	}
	return found == 1, nil
}

func (b table) resign(ctx context.Context, t Term) error {
	err := b.store.Write(ctx, func(tx *store.Tx) error {
		_, err := tx.Exec(`UPDATE lease SET expires_at = 0 WHERE name = $1 AND holder = $2 AND term = $3`, t.Name, t.Holder, t.Number)
		if err != nil {
			return err
		}
		tx.Notify(Channel)
		return nil
	})
	if err != nil {
		return fmt.Errorf("resign lease %s: %w", t.Name, err)
	}
	return nil
}

func (b table) wake() (<-chan struct{}, func()) { return b.store.Listen(Channel) }
