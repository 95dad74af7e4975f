package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// driver makes one server ill again and again until the context ends, and leaves
// it well.
type driver struct {
	process *process
	ledger  *ledger
	random  *rand.Rand // of this driver only
	log     func(format string, args ...any)
}

func (d *driver) run(ctx context.Context) error {
	for d.pause(ctx, 1500*time.Millisecond, 5*time.Second) {
		d.ledger.fell(d.process.address)
		var err error
		if d.random.IntN(2) == 0 {
			err = d.killAndRestart(ctx)
		} else {
			err = d.hangAndWake(ctx)
		}
		if err != nil {
			return err
		}
		d.ledger.recovered(d.process.address)
	}
	return nil
}

func (d *driver) killAndRestart(ctx context.Context) error {
	d.log("kill %s", d.process.address)
	d.process.kill()
	d.pause(ctx, 100*time.Millisecond, 2*time.Second)
	if err := d.process.start(); err != nil {
		return fmt.Errorf("restart %s: %w", d.process.address, err)
	}
	d.log("%s is back", d.process.address)
	return nil
}

func (d *driver) hangAndWake(ctx context.Context) error {
	d.log("hang %s", d.process.address)
	if err := d.process.hang(); err != nil {
		return fmt.Errorf("hang %s: %w", d.process.address, err)
	}
	d.pause(ctx, 300*time.Millisecond, 3*time.Second)
	// Some never wake: the operator kills them.
	if d.random.IntN(3) == 0 {
		return d.killAndRestart(ctx)
	}
	if err := d.process.wake(); err != nil {
		return fmt.Errorf("wake %s: %w", d.process.address, err)
	}
	d.log("wake %s", d.process.address)
	return nil
}

// pause lets a random time pass and reports whether there is more to do.
func (d *driver) pause(ctx context.Context, least, most time.Duration) bool {
	timer := time.NewTimer(least + time.Duration(d.random.Int64N(int64(most-least))))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
