package store

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/evergate/evergate/internal/cluster/store/dialect"
)

func TestLost_IsWhatAJournalIsFor(t *testing.T) {
	for kind, want := range map[error]bool{
		ErrUnique: false, ErrForeignKey: false, ErrCheck: false, context.Canceled: false,
		ErrBusy: true, ErrFull: true, ErrCorrupt: true, ErrUnavailable: true, ErrReadOnly: true,
		ErrNewerSchema: true, ErrSecondHost: true, ErrOldTimeline: true, ErrOutcomeUnknown: true, ErrClosed: true,
	} {
		err := fmt.Errorf("put: %w", &dialect.Fault{Kind: kind, Doing: "x", Advice: "Do.", Err: errors.New("cause")})
		if got := Lost(err); got != want {
			t.Errorf("%v: lost %t, want %t", kind, got, want)
		}
		if Advice(err) != "Do." {
			t.Errorf("%v: the advice is %q", kind, Advice(err))
		}
	}
	if Lost(nil) || Lost(errors.New("own")) || Advice(nil) != "" {
		t.Error("what is no failure of the store is taken for one")
	}
}

func TestFault_SaysWhatWasBeingDoneAndKeepsTheCause(t *testing.T) {
	cause := errors.New("no space")
	err := &dialect.Fault{Kind: ErrFull, Doing: "commit to core.db", Err: cause}
	if got, want := err.Error(), "commit to core.db: the store's disk is full: no space"; got != want {
		t.Errorf("it says %q, want %q", got, want)
	}
	if !errors.Is(err, ErrFull) || !errors.Is(err, cause) {
		t.Error("kind or cause cannot be found")
	}
	if got, want := (&dialect.Fault{Kind: ErrClosed}).Error(), "the store is closed"; got != want {
		t.Errorf("it says %q, want %q", got, want)
	}
}
