package lease

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/cluster/store"
	"github.com/evergate/evergate/internal/cluster/store/storetest"
)

// holdAt makes TestMain a process that is elected in the PostgreSQL it names and
// acts until its term is over.
const holdAt = "EVERGATE_TEST_HOLD"

func TestMain(m *testing.M) {
	url, dir, is := strings.Cut(os.Getenv(holdAt), "|")
	if !is {
		os.Exit(m.Run())
	}
	if err := hold(url, dir); err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
}

// hold writes "act TIME" (Unix nanoseconds) for each act, and in the end what
// became of a write that looks at nothing but the fence.
func hold(url, dir string) error {
	ctx := context.Background()
	s, err := store.Open(ctx, store.Options{Dir: dir, URL: url, Log: quiet})
	if err != nil {
		return err
	}
	defer s.Close()
	e, err := New(Options{Store: s, Name: "work", Holder: "paused", TTL: 1500 * time.Millisecond, Renew: 300 * time.Millisecond, Margin: 300 * time.Millisecond, Log: quiet})
	if err != nil {
		return err
	}
	n, err := e.Elect(ctx)
	if err != nil {
		return err
	}
	for now := time.Now(); n.Trusted(now); now = time.Now() {
		fmt.Println("act", now.UnixNano())
		time.Sleep(time.Millisecond)
	}
	believes := n.Term
	believes.trust = newTrust(time.Now().Add(time.Hour))
	err = s.Write(ctx, func(tx *store.Tx) error {
		if err := believes.Fence(tx); err != nil {
			return err
		}
		_, err := tx.Exec(`UPDATE cert_file SET value = 'of the paused one'`)
		return err
	})
	fmt.Println("fenced", errors.Is(err, ErrOver))
	return nil
}

// holder starts such a process, and returns it with its output when it acts.
func holder(t *testing.T, url string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), holdAt+"="+url+"|"+t.TempDir())
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = child.Process.Kill() }) // fails when it has ended, as it should
	lines := bufio.NewScanner(out)
	for range 10 {
		if !lines.Scan() || !strings.HasPrefix(lines.Text(), "act ") {
			t.Fatalf("it does not act: %s", lines.Text())
		}
	}
	return child, lines
}

func TestL4_AnotherTakesOverFromAHolderThatWasKilled(t *testing.T) {
	t.Parallel() // it mostly waits
	url := storetest.Postgres(t)
	s := openStore(t, store.Options{Dir: t.TempDir(), URL: url})
	child, _ := holder(t, url)
	killed := time.Now()
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait() // killed, as it says
	n := elected(t, stand(t, s, "next"))
	if took := time.Since(killed); took > 2300*time.Millisecond || n.Number != 2 {
		t.Errorf("term %d after %v, want at most TTL + renewal (and some, on a busy machine)", n.Number, took)
	}
}

func TestS4_AHolderThatWasPausedPastItsTTLActsNoMore(t *testing.T) {
	t.Parallel() // it mostly waits
	url := storetest.Postgres(t)
	s := openStore(t, store.Options{Dir: t.TempDir(), URL: url})
	child, lines := holder(t, url)
	if err := child.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	next := elected(t, stand(t, s, "next"))
	since := time.Now()
	err := s.Write(t.Context(), func(tx *store.Tx) error {
		if err := next.Fence(tx); err != nil {
			return err
		}
		_, err := tx.Exec(`INSERT INTO cert_file (key, value, modified_at) VALUES ('fenced', 'of the next', 0)`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	last := ""
	for lines.Scan() {
		last = lines.Text()
		if at, is := strings.CutPrefix(last, "act "); is {
			if nano, err := strconv.ParseInt(at, 10, 64); err != nil || time.Unix(0, nano).After(since) {
				t.Errorf("it acted at %s, after another was elected (%v)", at, err)
			}
		}
	}
	if err := child.Wait(); err != nil || last != "fenced true" {
		t.Errorf("it ended with %q, %v", last, err)
	}
	var value string
	err = s.Read(t.Context(), func(tx *store.Tx) error {
		return tx.QueryRow(`SELECT value FROM cert_file WHERE key = 'fenced'`).Scan(&value)
	})
	if err != nil || value != "of the next" {
		t.Errorf("the row has %q, %v", value, err)
	}
}
