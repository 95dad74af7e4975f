package chat

import (
	"crypto/sha256"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var start = time.Date(2021, 6, 8, 7, 0, 0, 0, time.UTC)

func numbered(n int) message { return message{key: sha256.Sum256([]byte(strconv.Itoa(n)))} }

func TestMemory(t *testing.T) {
	m := newMemory(start, time.Hour)
	m.most = 2
	steps := []struct {
		name  string
		after time.Duration
		msg   message
		want  error
	}{
		{"a message is taken", 0, numbered(1), nil},
		{"and not a second time", time.Minute, numbered(1), errReplayed},
		{"another one is", time.Minute, numbered(2), nil},
		{"a full memory refuses and does not forget", 2 * time.Minute, numbered(3), errFull},
		{"a copy is known in a full memory", 59 * time.Minute, numbered(1), errReplayed},
		{"what no copy can be taken of any more makes room", time.Hour, numbered(3), nil},
		{"for one", time.Hour, numbered(4), errFull},
		{"what was sent before the process began may have been taken", 3 * time.Hour, message{key: numbered(5).key, sent: start.Add(-1)}, errEarlier},
		{"what was sent in its first moment was not", 3 * time.Hour, message{key: numbered(5).key, sent: start}, nil},
	}
	for _, step := range steps {
		now := start.Add(step.after)
		if err := m.look(step.msg, now); !errors.Is(err, step.want) {
			t.Errorf("%s: look is %v, want %v", step.name, err, step.want)
		}
		if err := m.take(step.msg, now); !errors.Is(err, step.want) {
			t.Errorf("%s: take is %v, want %v", step.name, err, step.want)
		}
	}
}

func TestMemory_TakesNothingTwiceWithinTheWindow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newMemory(start, time.Minute)
		m.most = rapid.IntRange(1, 5).Draw(t, "most")
		now, last := start, map[int]time.Time{}
		for range rapid.IntRange(1, 60).Draw(t, "messages") {
			now = now.Add(time.Duration(rapid.IntRange(0, 20).Draw(t, "seconds")) * time.Second)
			n := rapid.IntRange(0, 8).Draw(t, "message")
			if m.take(numbered(n), now) == nil {
				if before, ok := last[n]; ok && now.Sub(before) < time.Minute {
					t.Fatalf("message %d was taken at %s and again at %s", n, before, now)
				}
				last[n] = now
			}
			if len(m.taken) > m.most || len(m.order) != len(m.taken) {
				t.Fatalf("%d and %d messages are remembered, %d are the most", len(m.taken), len(m.order), m.most)
			}
		}
	})
}

func TestMemory_TakesOneOfCopiesThatComeAtOnce(t *testing.T) {
	m := newMemory(start, time.Hour)
	var taken atomic.Int64
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if m.take(numbered(1), start) == nil {
				taken.Add(1)
			}
		})
	}
	all.Wait()
	if taken.Load() != 1 {
		t.Errorf("%d copies were taken, want 1", taken.Load())
	}
}
