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

func TestQuota_RemembersABoundedNumber(t *testing.T) {
	q := newQuota(rate.Every(time.Hour), 1)
	for i := range maxRemembered + 100 {
		q.take(fmt.Sprint(i), start.Add(time.Duration(i)))
	}
	if len(q.each) > maxRemembered {
		t.Errorf("%d are remembered", len(q.each))
	}
	if q.take(fmt.Sprint(maxRemembered+99), start.Add(time.Minute)) == 0 {
		t.Error("the last one is forgotten")
	}
	q.take("new", start.Add(2*time.Hour)) // all the others have their whole burst again
	if len(q.each) > 2 {
		t.Errorf("%d are remembered for nothing", len(q.each))
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
