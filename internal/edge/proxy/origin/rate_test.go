package origin

import (
	"testing"
	"time"
)

func TestRate(t *testing.T) {
	at := func(ms int) time.Time { return day.Add(time.Duration(ms) * time.Millisecond) }
	var r rate
	r.sample(at(0), 1000)
	if d := r.wait(5); d != 0 {
		t.Errorf("after one look: %v, want 0, unknown", d)
	}
	r.sample(at(100), 1010) // too soon to say
	r.sample(at(1000), 1020)
	if d := r.wait(5); d != 250*time.Millisecond {
		t.Errorf("20 per second, 5th in the queue: %v, want 250ms", d)
	}
	r.sample(at(2000), 1060)
	if d := r.wait(30); d != time.Second {
		t.Errorf("20, then 40 per second, 30th: %v, want 1s", d)
	}
	r.sample(at(60_000), 9000)
	if d := r.wait(5); d != 0 {
		t.Errorf("after a long time without waiting: %v, want 0, unknown", d)
	}
}
