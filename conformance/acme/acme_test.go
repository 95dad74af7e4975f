package acme

import (
	"strings"
	"sync"
	"testing"
	"time"
)

const quarter = 90 * 24 * time.Hour

func TestCertificatesAreIssuedByTheChallengesAllowed(t *testing.T) {
	tests := []struct {
		name, challenges string
		http, alpn       bool // asked
	}{
		{"by http-01 alone", "[http-01]", true, false},
		{"by tls-alpn-01 alone", "[tls-alpn-01]", false, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newTown(t, quarter, nil, "one.test", "old.test")
			w.ca.start()
			yaml := w.yaml(", challenges: "+tt.challenges, "", "one.test", "127.0.0.1")
			d := w.open(strings.Replace(yaml, "    routes:", "    redirect_from: [old.test]\n    routes:", 1))
			roots := w.ca.roots()
			for _, name := range []string{"one.test", "127.0.0.1", "old.test"} {
				eventually(t, 20*time.Second, "an answer from "+name, func() bool { return d.get(name, roots) == nil })
			}
			asked := w.ca.log.count("Attempting to validate w/ HTTP") > 0
			if asked != tt.http {
				t.Errorf("http-01 was validated: %v, want %v", asked, tt.http)
			}
			if asked := d.byALPN.Load() > 0; asked != tt.alpn {
				t.Errorf("tls-alpn-01 was validated: %v, want %v", asked, tt.alpn)
			}
			if n := d.metric("evergate_cert_orders_total", "outcome=issued"); n != 3 {
				t.Errorf("%v certificates issued, want 3", n)
			}
			if at := d.metric("evergate_cert_expiry_timestamp_seconds", "name=one.test", "source=acme"); at < float64(time.Now().Add(quarter-time.Hour).Unix()) {
				t.Errorf("expiry of one.test in the metrics: %v", at)
			}
		})
	}
}

func TestVisitorsThatMustShowCertificatesDoNotKeepTheAuthorityOut(t *testing.T) {
	w := newTown(t, quarter, nil, "one.test")
	w.ca.start()
	d := w.open(w.yaml(", challenges: [tls-alpn-01]", "  client_certs: {mode: require, ca: "+w.ca.ca()+"}", "one.test"))
	eventually(t, 20*time.Second, "a certificate", func() bool {
		return d.metric("evergate_cert_orders_total", "outcome=issued") == 1
	})
	if err := d.get("one.test", w.ca.roots()); err == nil {
		t.Error("a visitor without certificate was let in")
	}
}

func TestCertificatesAreRenewedWhileRequestsGoOn(t *testing.T) {
	w := newTown(t, 16*time.Second, nil, "one.test")
	w.ca.start()
	d := w.open(w.yaml(", renew_at: 0.8", "", "one.test"))
	serials := map[string]bool{d.served("one.test").SerialNumber.String(): true}
	roots := w.ca.roots()

	stop := make(chan struct{})
	var visitors sync.WaitGroup
	var requests int
	visitors.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			if err := d.get("one.test", roots); err != nil {
				t.Errorf("request %d: %v", requests, err)
				return
			}
			requests++
		}
	})
	eventually(t, 30*time.Second, "two renewals", func() bool {
		leaf, err := d.handshake("one.test")
		if err != nil {
			t.Fatal(err)
		}
		serials[leaf.SerialNumber.String()] = true
		return len(serials) >= 3
	})
	close(stop)
	visitors.Wait()
	if requests < 10 {
		t.Errorf("only %d requests meanwhile", requests)
	}
	t.Logf("%d requests over %d certificates", requests, len(serials))
}

func TestARenewalSurvivesAnAuthorityThatHasForgottenEverything(t *testing.T) {
	w := newTown(t, 16*time.Second, nil, "one.test")
	w.ca.start()
	d := w.open(w.yaml(", renew_at: 0.8", "", "one.test"))
	before := d.served("one.test")
	w.ca.stop()
	w.ca.start() // another root, no accounts, no orders
	eventually(t, 30*time.Second, "another certificate", func() bool {
		leaf, err := d.handshake("one.test")
		if err != nil {
			t.Fatal(err)
		}
		return leaf.SerialNumber.Cmp(before.SerialNumber) != 0
	})
	if err := d.get("one.test", w.ca.roots()); err != nil {
		t.Error(err)
	}
}

func TestARefusedNameLeavesOthersAlone(t *testing.T) {
	w := newTown(t, quarter, []string{"blocked.test"}, "good.test", "blocked.test")
	w.dns.point("elsewhere.test", "127.0.0.2") // where no door is
	w.ca.start()
	d := w.open(w.yaml("", "", "blocked.test", "elsewhere.test", "good.test"))
	d.served("good.test")

	for _, name := range []string{"blocked.test", "elsewhere.test"} {
		eventually(t, 20*time.Second, name+" is tried again", func() bool {
			return d.log.count("level=ERROR", "no certificate", "name="+name, "attempt=2") > 0
		})
		if d.metric("evergate_cert_failing", "name="+name, "source=acme", "why=refused") != 1 {
			t.Errorf("the metrics do not say that %s was refused", name)
		}
		if _, err := d.handshake(name); err == nil || !strings.Contains(err.Error(), "unrecognized name") {
			t.Errorf("handshake for %s: %v, want the alert unrecognized_name", name, err)
		}
		if d.log.count("level=WARN", "there is no certificate for this name yet", "name="+name) != 1 {
			t.Errorf("the log does not say once that a visitor of %s was turned away", name)
		}
	}
	if d.metric("evergate_cert_failing", "name=good.test") != 0 {
		t.Error("good.test counts as failing")
	}
	if first, second := waitOf(t, d, "blocked.test", 1), waitOf(t, d, "blocked.test", 2); second < first*3/2 {
		t.Errorf("waits of %s and %s: want them to grow", first, second)
	}

	w.dns.point("elsewhere.test", "127.0.0.1")
	d.served("elsewhere.test")
	if d.metric("evergate_cert_failing", "name=elsewhere.test") != 0 {
		t.Error("elsewhere.test still counts as failing")
	}
}

// waitOf returns the wait after the nth failure of name, from the log.
func waitOf(t *testing.T, d *door, name string, n int) time.Duration {
	t.Helper()
	for line := range strings.Lines(d.log.String()) {
		if strings.Contains(line, "name="+name) && strings.Contains(line, "attempt="+string(rune('0'+n))) {
			_, rest, _ := strings.Cut(line, "retry_in=")
			text, _, _ := strings.Cut(rest, " ")
			if wait, err := time.ParseDuration(text); err == nil {
				return wait
			}
		}
	}
	t.Fatalf("no attempt %d for %s in the log", n, name)
	return 0
}

func TestAStartWhileTheAuthorityIsDownServesWhatIsOnDisk(t *testing.T) {
	w := newTown(t, quarter, nil, "one.test", "two.test")
	w.ca.start()
	first := w.open(w.yaml("", "", "one.test"))
	before := first.served("one.test")
	first.close()
	w.ca.stop()

	start := time.Now()
	d := w.open(w.yaml("", "", "one.test", "two.test"))
	after, err := d.handshake("one.test")
	if err != nil {
		t.Fatalf("the name on disk is not served: %v", err)
	}
	t.Logf("served %s after the start", time.Since(start).Round(time.Millisecond))
	if before.SerialNumber.Cmp(after.SerialNumber) != 0 {
		t.Error("another certificate than the one on disk")
	}
	if _, err := d.handshake("two.test"); err == nil || !strings.Contains(err.Error(), "unrecognized name") {
		t.Errorf("handshake for the name without certificate: %v, want the alert unrecognized_name", err)
	}
	eventually(t, 10*time.Second, "the metrics say unreachable", func() bool {
		return d.metric("evergate_cert_failing", "name=two.test", "why=unreachable") == 1
	})

	w.ca.start() // without memory of our account
	d.served("two.test")
	if err := d.get("two.test", w.ca.roots()); err != nil {
		t.Error(err)
	}
	if d.log.count("does not know our account any more") != 1 {
		t.Error("the log does not say that the account was made anew")
	}
}

func TestARestartOrdersNothing(t *testing.T) {
	w := newTown(t, quarter, nil, "one.test", "two.test")
	w.ca.start()
	first := w.open(w.yaml("", "", "one.test"))
	before := first.served("one.test")
	first.close()

	d := w.open(w.yaml("", "", "one.test", "two.test"))
	after, err := d.handshake("one.test")
	if err != nil {
		t.Fatal(err)
	}
	if before.SerialNumber.Cmp(after.SerialNumber) != 0 {
		t.Error("another certificate than before")
	}
	d.served("two.test") // by when an order for the other name would have been seen, too
	if orders := w.ca.log.count("Added order"); orders != 2 {
		t.Errorf("%d orders in all, want one for each name", orders)
	}
	if accounts := w.ca.log.count("There are now", "accounts in memory"); accounts != 1 {
		t.Errorf("registered %d times, want once", accounts)
	}
}

func TestTheAuthorityMayAskForAnEarlyRenewal(t *testing.T) {
	w := newTown(t, quarter, nil, "one.test")
	w.ca.start()
	d := w.open(w.yaml("", "", "one.test"))
	before := d.served("one.test")
	d.close()
	w.ca.wish(before)
	d = w.open(w.yaml("", "", "one.test")) // a new one is left in peace for a minute; a stored one is not new
	eventually(t, 20*time.Second, "another certificate", func() bool {
		leaf, err := d.handshake("one.test")
		return err == nil && leaf.SerialNumber.Cmp(before.SerialNumber) != 0
	})
}

func TestAReloadKeepsTheNamesThatStay(t *testing.T) {
	w := newTown(t, quarter, nil, "one.test", "two.test", "three.test")
	w.ca.start()
	d := w.open(w.yaml("", "", "one.test", "two.test"))
	one := d.served("one.test")
	d.served("two.test")

	d.reload(w.yaml("", "", "one.test", "three.test"))
	again, err := d.handshake("one.test")
	if err != nil {
		t.Fatalf("right after the reload: %v", err)
	}
	if one.SerialNumber.Cmp(again.SerialNumber) != 0 {
		t.Error("one.test has another certificate")
	}
	if _, err := d.handshake("two.test"); err == nil {
		t.Error("two.test is served although it left the configuration")
	}
	if d.metric("evergate_cert_expiry_timestamp_seconds", "name=two.test") != 0 {
		t.Error("two.test is still in the metrics")
	}
	d.served("three.test")

	d.reload(w.yaml("", "", "two.test"))
	if _, err := d.handshake("two.test"); err != nil {
		t.Errorf("two.test came back and is not served from disk: %v", err)
	}
	if n := d.metric("evergate_cert_orders_total", "outcome=issued"); n != 3 {
		t.Errorf("%v certificates issued, want 3", n)
	}
}
