package chat

import (
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestRun_AnswersInTimeAndFinishesTheWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		d.operator.wait = make(chan struct{})
		begun := time.Now()
		ctx, leave := context.WithCancel(t.Context())
		text, public := d.says(d.slack("UADA", command15m).WithContext(ctx))
		if took := time.Since(begun); took != patience {
			t.Errorf("it took %s, want %s", took, patience)
		}
		want(t, text, "ada has asked for this, and Evergate is still working on it: set origins.booking.max_in_flight 100 for 15m because", `"get origins.booking.max_in_flight" shows`)
		if !public {
			t.Error("the channel does not see it")
		}
		if d.counted(Slack, late) != 1 {
			t.Error("it was not counted as late")
		}

		leave() // the program, which has its answer
		waited, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		if err := d.endpoint.Wait(waited); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Wait is %v while a command is under way", err)
		}
		close(d.operator.wait)
		if err := d.endpoint.Wait(t.Context()); err != nil {
			t.Error(err)
		}
		want(t, d.operator.made(), "origins.booking.max_in_flight=100")
		want(t, d.log.String(), `"outcome":"late"`, `"outcome":"done"`)
	})
}

func TestRun_QuestionsThatTakeLongSayNothingToTheChannel(t *testing.T) {
	a := lateAnswer(command{verb: status}, &person{actor: "ada"})
	if a.public || !strings.Contains(a.text, "Ask again in a moment") {
		t.Errorf("answered %+v", a)
	}
}

func TestRun_GivesUpAtLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		d.operator.wait = make(chan struct{})
		d.says(d.slack("UADA", command15m))
		begun := time.Now()
		if err := d.endpoint.Wait(t.Context()); err != nil {
			t.Error(err)
		}
		if waited := time.Since(begun); waited != workTime-patience {
			t.Errorf("it had %s more, want %s", waited, workTime-patience)
		}
		want(t, d.log.String(), `"outcome":"error"`, "context deadline exceeded")
	})
}

func TestRun_BoundsWhatIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		d.operator.wait = make(chan struct{})
		var sent sync.WaitGroup
		for range maxCommands {
			sent.Go(func() { d.handler.ServeHTTP(httptest.NewRecorder(), d.slack("UADA", command15m)) })
			synctest.Wait()
			d.now = d.now.Add(limitEvery)
		}
		text, _ := d.says(d.slack("UADA", "status"))
		want(t, text, "32 chat commands are under way")
		close(d.operator.wait)
		sent.Wait()
		if err := d.endpoint.Wait(t.Context()); err != nil {
			t.Error(err)
		}
		text, _ = d.says(d.slack("UEVE", "status"))
		want(t, text, "door-1 is serving")
	})
}

func TestRun_ShowsNoErrorThatIsNotForPeople(t *testing.T) {
	d := newDesk(t)
	d.operator.fail = errors.New("dial postgres://evergate:hunter2@db: refused")
	for _, text := range []string{"status", "levers", "origins", "get origins.booking.max_in_flight", command15m} {
		got, public := d.says(d.slack("UADA", text))
		if strings.Contains(got, "hunter2") || public {
			t.Errorf("%s is answered with %s", text, got)
		}
		want(t, got, "log says why")
	}
	if d.counted(Slack, broken) != 5 {
		t.Errorf("%d were counted", d.counted(Slack, broken))
	}
}

func TestRun_OutlivesAPanic(t *testing.T) {
	d := newDesk(t)
	d.operator.panics = true
	text, _ := d.says(d.slack("UADA", "status"))
	want(t, text, "made a mistake of its own")
	want(t, d.log.String(), "a bug", "harness_test.go")
	d.operator.panics = false
	text, _ = d.says(d.slack("UADA", "status"))
	want(t, text, "door-1 is serving")
}

func TestRun_TellsWhoWasFaster(t *testing.T) {
	d := newDesk(t)
	d.operator.faster = true
	text, public := d.says(d.slack("UADA", command15m))
	want(t, text, "Nothing was changed: in the meantime bob has turned origins.booking.max_in_flight, which is now 7 (since 07:00 UTC). Reason: I was first", "send it again")
	if public {
		t.Error("the channel sees it")
	}
}

func TestRun_SaysThatAChangeIsInTheJournal(t *testing.T) {
	d := newDesk(t)
	d.operator.journal = true
	text, _ := d.says(d.slack("UADA", command15m))
	want(t, text, "is now 100", "The store cannot be reached. The change is in force and safe on this node's disk")
}
