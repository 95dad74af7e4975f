package setting

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"
)

func keysOf(versions []Version) (list string) {
	for _, v := range versions {
		list += fmt.Sprintf("%s=%s ", v.Key, v.Value)
	}
	return list
}

func TestWatcher_GivesEverythingFirstAndThenTheLastOfEachKey(t *testing.T) {
	dir := t.TempDir()
	s := begin(t, openStore(t, dir), dir, nil)
	put(t, s, "a", "1")
	put(t, s, "b", "1")
	w := s.Watch()
	defer w.Stop()
	next := func(want string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		got, err := w.Next(ctx)
		if err != nil || keysOf(got) != want {
			t.Errorf("got %q, %v; want %q", keysOf(got), err, want)
		}
	}
	next("a=1 b=1 ")
	put(t, s, "b", "2")
	put(t, s, "b", "3")
	put(t, s, "c", "4")
	next("b=3 c=4 ")
	put(t, s, "b", "")
	next("b= ")
}

func TestWatcher_WaitsAndEnds(t *testing.T) {
	dir := t.TempDir()
	s := begin(t, openStore(t, dir), dir, nil)
	w := s.Watch()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if got, err := w.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v, %v", got, err)
	}
	w.Stop()
	w.Stop()
	put(t, s, "a", "1")
	if len(w.pending) > 0 {
		t.Error("a watcher that was stopped still hears")
	}
}
