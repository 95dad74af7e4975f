package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/mholt/acmez/v3/acme"

	"github.com/evergate/evergate/internal/clock"
)

const (
	keeperLook = time.Hour   // longest sleep: clocks are set and machines suspended
	orderPause = time.Minute // between two certificates of one name, or a tenth of a life
	wakePause  = time.Minute // between two orders that reloads have brought on
)

// issuer is what a keeper needs of the authority.
type issuer interface {
	order(ctx context.Context, name string, has, replaces *x509.Certificate) error
	load(name string) (*tls.Certificate, error)
	save(name string) error
	renewalInfo(ctx context.Context, leaf *x509.Certificate) acme.RenewalInfo
}

// keeper sees to it that one name has a certificate: it orders the first, renews
// it in time, and tries again when that fails. Its goroutine is the only one that
// orders for its name.
type keeper struct {
	name    string
	issuer  issuer
	log     *slog.Logger
	clock   clock.Clock
	first   time.Duration // before the first retry; 0: by the kind of failure
	info    time.Duration // between two questions for renewal information
	publish func(k *keeper, c *tls.Certificate, why string)
	stop    context.CancelFunc
	wake    chan struct{} // buffered: look again now

	// The manager's, guarded by its lock.
	cert    *tls.Certificate // in use; nil: none
	why     string           // "" or why the last order failed
	share   float64          // of the life left at which to renew
	foreign bool             // cert is of another authority and is to be replaced

	// The goroutine's own.
	failures int       // in a row
	tried    time.Time // the last order began
	notAgain time.Time // no order before
	wished   time.Time // when the authority would like the renewal; zero: unknown
	question time.Time // when to ask for it again
}

// view is what the goroutine needs of the manager's fields.
type view struct {
	cert    *tls.Certificate
	share   float64
	foreign bool
}

// run is the keeper's goroutine. now returns the present view.
func (k *keeper) run(ctx context.Context, now func() view) {
	// Many names that start together do not ask together.
	k.question = k.clock.Now().Add(rand.N(k.info / 6))
	for {
		v := now()
		k.ask(ctx, v)
		wait := k.due(v).Sub(k.clock.Now())
		if wait > 0 {
			timer := time.NewTimer(min(wait, keeperLook, k.info))
			select {
			case <-ctx.Done():
				timer.Stop()
				return
			case <-k.wake:
				timer.Stop()
				k.again()
			case <-timer.C:
			}
			continue
		}
		if ctx.Err() != nil {
			return
		}
		k.try(ctx, v)
	}
}

// again makes a failed order be repeated soon: the operator has changed something,
// and the wait was for how things were.
func (k *keeper) again() {
	if soon := k.tried.Add(wakePause); k.failures > 0 && soon.Before(k.notAgain) {
		k.notAgain, k.failures = soon, 0
	}
}

// ask learns once in a while when the authority would like the renewal.
func (k *keeper) ask(ctx context.Context, v view) {
	now := k.clock.Now()
	if v.cert == nil || v.foreign || now.Before(k.question) || !now.Before(renewAfter(v.cert.Leaf, v.share)) {
		return
	}
	k.question = now.Add(k.info)
	info := k.issuer.renewalInfo(ctx, v.cert.Leaf)
	window := info.SuggestedWindow
	if info.HasWindow() && (k.wished.Before(window.Start) || k.wished.After(window.End)) {
		// Chosen at random in the window, and kept as long as the window has it: to
		// choose at each answer would favour early times.
		k.wished = info.SelectedTime
	}
}

// due is when to order next.
func (k *keeper) due(v view) time.Time {
	if v.cert == nil || v.foreign {
		return k.notAgain
	}
	at := renewAfter(v.cert.Leaf, v.share)
	if !k.wished.IsZero() && k.wished.Before(at) {
		at = k.wished
	}
	if at.Before(k.notAgain) {
		return k.notAgain
	}
	return at
}

// try makes one order and tells the outcome.
func (k *keeper) try(ctx context.Context, v view) {
	renewal := v.cert != nil && !v.foreign
	var has, replaces *x509.Certificate
	if renewal {
		has = v.cert.Leaf
		if k.failures == 0 { // an authority may refuse because of one that it has forgotten
			replaces = has
		}
	}
	start := k.clock.Now()
	k.tried = start
	k.log.Debug("ordering a certificate", "name", k.name, "renewal", renewal)
	err := k.issuer.order(ctx, k.name, has, replaces)
	done := "certificate issued"
	if errors.Is(err, errOrdered) {
		err, done = nil, "certificate taken over from another node"
	}
	var c *tls.Certificate
	if err == nil {
		if c, err = k.issuer.load(k.name); err != nil {
			err = fmt.Errorf("%w: %w", errDisk, err)
		}
	}
	if ctx.Err() != nil {
		return // stopped: what came of it lies on disk for whoever follows
	}
	if err != nil {
		k.failed(v, err)
		return
	}
	if err := k.issuer.save(k.name); err != nil {
		k.log.Warn("the copy of a certificate was not saved", "name", k.name, "error", err)
	}
	k.failures = 0
	k.notAgain = k.clock.Now().Add(min(orderPause, c.Leaf.NotAfter.Sub(c.Leaf.NotBefore)/10))
	k.wished, k.question = time.Time{}, k.clock.Now().Add(k.info)
	k.log.Info(done, "name", k.name, "renewal", renewal, "expires", c.Leaf.NotAfter,
		"serial", c.Leaf.SerialNumber.Text(16), "millis", k.clock.Now().Sub(start).Milliseconds())
	k.publish(k, c, "")
}

// failed reports err and sets when to try again.
func (k *keeper) failed(v view, err error) {
	k.failures++
	why := whyOf(err)
	wait := backoff(why, k.failures, k.first)
	k.notAgain = k.clock.Now().Add(wait)
	args := []any{"name", k.name, "why", why, "attempt", k.failures, "retry_in", wait.Round(time.Millisecond), "error", err}
	if v.cert == nil {
		k.log.Error("no certificate: visitors of this name cannot connect", args...)
	} else {
		k.log.Warn("certificate not renewed; the old one stays in use", append(args, "expires", v.cert.Leaf.NotAfter)...)
	}
	k.publish(k, nil, why)
}
