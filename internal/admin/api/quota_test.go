package api

import (
	"fmt"
	"testing"
	"time"

	"golang.org/x/time/rate"
)

func TestQuota(t *testing.T) {
	q := newQuota(rate.Every(time.Second), 2)
	for i, tt := range []struct {
		after, wait time.Duration
	}{
		{0, 0}, {0, 0}, {0, time.Second}, {500 * time.Millisecond, 500 * time.Millisecond},
		{time.Second, 0}, {time.Second, time.Second}, {time.Hour, 0}, {time.Hour, 0}, {time.Hour, time.Second},
	} {
		if got := q.take("a", start.Add(tt.after)); got != tt.wait {
			t.Errorf("step %d: wait %s, want %s", i, got, tt.wait)
		}
	}
}

func TestQuota_RemembersThoseWhoCameLast(t *testing.T) {
	q := newQuota(rate.Every(time.Hour), 1)
	q.take("again and again", start)
	for i := range maxRemembered + 100 {
		now := start.Add(time.Duration(i))
		q.take(fmt.Sprint(i), now)
		if q.take("again and again", now) == 0 {
			t.Fatalf("who came a moment ago is forgotten after %d others", i)
		}
	}
	if len(q.each) != maxRemembered || q.order.Len() != maxRemembered {
		t.Errorf("%d and %d are remembered, want %d", len(q.each), q.order.Len(), maxRemembered)
	}
	if q.take(fmt.Sprint(maxRemembered+99), start.Add(time.Minute)) == 0 {
		t.Error("the last one is forgotten")
	}
	if q.take("0", start.Add(time.Minute)) != 0 {
		t.Error("the first one is remembered")
	}
}

// BenchmarkQuota_Flood is a flood in which nobody comes twice.
func BenchmarkQuota_Flood(b *testing.B) {
	q := newQuota(rate.Every(failedEvery), failedBurst)
	who := make([]string, 1<<20)
	for i := range who {
		who[i] = fmt.Sprint(i)
	}
	b.ResetTimer()
	for i := range b.N {
		q.take(who[i%len(who)], start)
	}
}

func TestNeighbourhood(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.1": "192.0.2.1", "::ffff:192.0.2.1": "192.0.2.1",
		"2001:db8::1": "2001:db8::/64", "2001:db8:0:0:ffff::9": "2001:db8::/64", "2001:db8:0:1::1": "2001:db8:0:1::/64",
		"fe80::1%eth0": "fe80::/64", "@": "@", "": "",
	} {
		if got := neighbourhood(address); got != want {
			t.Errorf("%q is of %q, want %q", address, got, want)
		}
	}
}
