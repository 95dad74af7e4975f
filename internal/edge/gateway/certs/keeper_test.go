package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"math/big"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mholt/acmez/v3/acme"
)

// deskIssuer issues in no time, in the time of a synctest bubble.
type deskIssuer struct {
	life time.Duration

	mu     sync.Mutex // guards the fields below
	fail   error      // what order returns
	info   acme.RenewalInfo
	orders []time.Time
	last   *tls.Certificate
}

func (d *deskIssuer) order(context.Context, string, *x509.Certificate, *x509.Certificate) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.orders = append(d.orders, time.Now())
	if d.fail != nil {
		return d.fail
	}
	d.last = &tls.Certificate{Leaf: &x509.Certificate{SerialNumber: big.NewInt(int64(len(d.orders))), NotBefore: time.Now(), NotAfter: time.Now().Add(d.life)}}
	d.info = acme.RenewalInfo{}
	return nil
}

func (d *deskIssuer) load(string) (*tls.Certificate, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.last, nil
}

func (d *deskIssuer) save(string) error { return nil }

func (d *deskIssuer) renewalInfo(context.Context, *x509.Certificate) acme.RenewalInfo {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.info
}

// answer makes the next orders end with err.
func (d *deskIssuer) answer(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fail = err
}

// wish makes the authority want the renewal between start and end, of which the
// library has chosen a time.
func (d *deskIssuer) wish(start, end, chosen time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.info.SuggestedWindow.Start, d.info.SuggestedWindow.End, d.info.SelectedTime = start, end, chosen
}

// made returns when orders were made.
func (d *deskIssuer) made() []time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.orders)
}

// gaps are the times between orders.
func (d *deskIssuer) gaps() []time.Duration {
	var all []time.Duration
	made := d.made()
	for i := 1; i < len(made); i++ {
		all = append(all, made[i].Sub(made[i-1]))
	}
	return all
}

// result is what a keeper has published.
type result struct {
	mu   sync.Mutex
	cert *tls.Certificate
	why  string
}

func (r *result) get() (*tls.Certificate, string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.cert, r.why
}

// keptBy runs a keeper in a bubble until test returns.
func keptBy(t *testing.T, d *deskIssuer, cert *tls.Certificate, share float64, test func(k *keeper, r *result)) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		k := &keeper{
			name: "one.test", issuer: d, log: slog.New(slog.DiscardHandler), info: defaultInfo, wake: make(chan struct{}, 1),
		}
		r := &result{cert: cert}
		k.publish = func(_ *keeper, c *tls.Certificate, why string) {
			r.mu.Lock()
			defer r.mu.Unlock()
			if r.why = why; c != nil {
				r.cert = c
			}
		}
		done := make(chan struct{})
		go func() {
			k.run(ctx, func() view {
				c, _ := r.get()
				return view{cert: c, share: share}
			})
			close(done)
		}()
		synctest.Wait()
		test(k, r)
		cancel()
		<-done
	})
}

func TestKeeper_OrdersAtOnceAndRenewsInTime(t *testing.T) {
	d := &deskIssuer{life: 90 * 24 * time.Hour}
	keptBy(t, d, nil, 1.0/3, func(*keeper, *result) {
		if len(d.made()) != 1 {
			t.Fatalf("%d orders at the start", len(d.made()))
		}
		time.Sleep(61 * 24 * time.Hour)
		synctest.Wait()
		if len(d.made()) != 2 {
			t.Fatalf("%d orders after 61 days", len(d.made()))
		}
		if gap := d.gaps()[0]; gap < 60*24*time.Hour-time.Minute || gap > 60*24*time.Hour+time.Hour {
			t.Errorf("renewed after %s", gap)
		}
	})
}

func TestKeeper_TriesAgainWithGrowingWaits(t *testing.T) {
	d := &deskIssuer{life: time.Hour, fail: acme.Problem{Status: 403, Type: acme.ProblemTypeUnauthorized}}
	keptBy(t, d, nil, 1.0/3, func(k *keeper, r *result) {
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		gaps := d.gaps()
		if len(gaps) < 6 || len(gaps) > 10 {
			t.Errorf("%d orders on the first day: %v", len(gaps)+1, gaps)
		}
		for i := 1; i < 6; i++ {
			if gaps[i] < gaps[i-1]*3/2 {
				t.Errorf("waits do not grow: %v", gaps)
			}
		}
		if _, why := r.get(); why != "refused" {
			t.Errorf("why: %q", why)
		}
		d.answer(nil)
		time.Sleep(8 * time.Hour)
		synctest.Wait()
		if c, why := r.get(); c == nil || why != "" {
			t.Errorf("after the authority gave in: certificate %v, why %q", c, why)
		}
	})
}

func TestKeeper_AnAuthorityThatIsBackIsNoticedWithinMinutes(t *testing.T) {
	d := &deskIssuer{life: time.Hour, fail: errors.New("connection refused")}
	keptBy(t, d, nil, 1.0/3, func(k *keeper, r *result) {
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		d.answer(nil)
		time.Sleep(19 * time.Minute)
		synctest.Wait()
		if c, _ := r.get(); c == nil {
			t.Error("no certificate")
		}
	})
}

func TestKeeper_AReloadTriesAgainAtOnce(t *testing.T) {
	d := &deskIssuer{life: time.Hour, fail: acme.Problem{Status: 403}}
	keptBy(t, d, nil, 1.0/3, func(k *keeper, r *result) {
		time.Sleep(10 * time.Hour)
		synctest.Wait()
		d.answer(nil)
		k.wake <- struct{}{}
		synctest.Wait()
		if c, _ := r.get(); c == nil {
			t.Error("no certificate")
		}
	})
}

func TestKeeper_ManyReloadsDoNotMakeManyOrders(t *testing.T) {
	d := &deskIssuer{life: time.Hour, fail: acme.Problem{Status: 403}}
	keptBy(t, d, nil, 1.0/3, func(k *keeper, _ *result) {
		for range 60 {
			time.Sleep(5 * time.Second)
			select {
			case k.wake <- struct{}{}:
			default:
			}
			synctest.Wait()
		}
		if n := len(d.made()); n > 6 {
			t.Errorf("%d orders in five minutes", n)
		}
	})
}

func TestKeeper_AReloadDoesNotPutOffARenewal(t *testing.T) {
	d := &deskIssuer{life: 40 * time.Second}
	keptBy(t, d, nil, 0.5, func(k *keeper, _ *result) {
		time.Sleep(time.Second)
		k.wake <- struct{}{}
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if n := len(d.made()); n != 2 {
			t.Errorf("%d orders", n)
		}
	})
}

func TestKeeper_AStoredCertificateIsNotOrderedAgain(t *testing.T) {
	d := &deskIssuer{life: time.Hour}
	stored := &tls.Certificate{Leaf: &x509.Certificate{SerialNumber: big.NewInt(7)}}
	synctest.Test(t, func(t *testing.T) { // the bubble has its own clock
		stored.Leaf.NotBefore, stored.Leaf.NotAfter = time.Now(), time.Now().Add(90*24*time.Hour)
	})
	keptBy(t, d, stored, 1.0/3, func(*keeper, *result) {
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		if len(d.made()) != 0 {
			t.Errorf("%d orders", len(d.made()))
		}
	})
}

func TestKeeper_AnExpiredCertificateIsReplacedAtOnce(t *testing.T) {
	d := &deskIssuer{life: 24 * time.Hour}
	expired := &tls.Certificate{Leaf: &x509.Certificate{NotBefore: time.Unix(0, 0), NotAfter: time.Unix(3600, 0)}}
	keptBy(t, d, expired, 1.0/3, func(k *keeper, r *result) {
		if c, _ := r.get(); len(d.made()) != 1 || c == expired {
			t.Errorf("%d orders", len(d.made()))
		}
	})
}

func TestKeeper_RenewsEarlierWhenTheAuthorityWishes(t *testing.T) {
	d := &deskIssuer{life: 90 * 24 * time.Hour}
	keptBy(t, d, nil, 1.0/3, func(*keeper, *result) {
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		d.wish(time.Now().Add(-time.Hour), time.Now(), time.Now()) // it must revoke
		time.Sleep(7 * time.Hour)
		synctest.Wait()
		if len(d.made()) != 2 {
			t.Errorf("%d orders", len(d.made()))
		}
	})
}

func TestKeeper_KeepsToTheTimeItHasChosen(t *testing.T) {
	d := &deskIssuer{life: 90 * 24 * time.Hour}
	keptBy(t, d, nil, 1.0/3, func(*keeper, *result) {
		start, end := time.Now().Add(30*24*time.Hour), time.Now().Add(50*24*time.Hour)
		d.wish(start, end, start.Add(10*24*time.Hour))
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		d.wish(start, end, start) // the same window, another throw of the dice
		time.Sleep(38 * 24 * time.Hour)
		synctest.Wait()
		if n := len(d.made()); n != 1 {
			t.Errorf("%d orders before the time that was chosen first", n)
		}
		time.Sleep(2 * 24 * time.Hour)
		synctest.Wait()
		if n := len(d.made()); n != 2 {
			t.Errorf("%d orders after it", n)
		}
	})
}

func TestKeeper_DoesNotSpinOnCertificatesThatAreAlwaysDue(t *testing.T) {
	d := &deskIssuer{life: 24 * time.Hour}
	keptBy(t, d, nil, 0.999999, func(*keeper, *result) {
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if len(d.made()) > 11 {
			t.Errorf("%d orders in ten minutes", len(d.made()))
		}
	})
}

func TestKeeper_TakesOverWhatAnotherNodeHasOrdered(t *testing.T) {
	d := &deskIssuer{life: time.Hour, fail: errOrdered}
	old := &tls.Certificate{Leaf: &x509.Certificate{NotBefore: time.Unix(0, 0), NotAfter: time.Unix(3600, 0)}}
	synctest.Test(t, func(t *testing.T) { // the bubble has its own clock
		d.last = &tls.Certificate{Leaf: &x509.Certificate{SerialNumber: big.NewInt(7), NotBefore: time.Now(), NotAfter: time.Now().Add(90 * 24 * time.Hour)}}
	})
	keptBy(t, d, old, 1.0/3, func(k *keeper, r *result) {
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		if c, why := r.get(); c != d.last || why != "" || len(d.made()) != 1 {
			t.Errorf("in use is %v (%s) after %d orders", c, why, len(d.made()))
		}
	})
}
