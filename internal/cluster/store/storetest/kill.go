package storetest

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/cluster/store"
)

// childVariable tells a copy of the test binary to write instead of testing; its
// value is a child as JSON.
const childVariable = "EVERGATE_STORETEST_CHILD"

type child struct {
	Dir, URL string
	Round    int
}

// Main runs the tests of a package that calls Kill: its TestMain.
func Main(m *testing.M) {
	if text := os.Getenv(childVariable); text != "" {
		if err := writeUntilKilled(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// writeUntilKilled writes settings as fast as eight goroutines can, and says on
// standard output which ones the store has acknowledged.
func writeUntilKilled(text string) error {
	var c child
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return err
	}
	s, err := store.Open(context.Background(), store.Options{Dir: c.Dir, URL: c.URL, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	var group sync.WaitGroup
	for writer := range 8 {
		group.Go(func() {
			for i := 0; ; i++ {
				id := fmt.Sprintf("%d-%d-%d", c.Round, writer, i)
				if err := s.Write(context.Background(), appendSetting(id)); err != nil {
					continue // the store may not be here yet
				}
				fmt.Println(id) // one write system call; what is in the pipe outlives us
			}
		})
	}
	group.Wait()
	return nil
}

// appendSetting adds a version to the settings as package setting does: number
// from the head, in the same transaction.
func appendSetting(id string) func(*store.Tx) error {
	return func(tx *store.Tx) error {
		var rev int64
		if err := tx.QueryRow("UPDATE setting_head SET rev = rev + 1 WHERE one = 1 RETURNING rev").Scan(&rev); err != nil {
			return err
		}
		_, err := tx.Exec(`INSERT INTO setting (key, version, rev, id, value, actor, reason, origin_node, at, recorded_at)
			VALUES ('k', $1, $1, $2, '1', 'test', 'kill', 'n', $3, $3)`, rev, id, tx.Now())
		return err
	}
}

// Kill has a child process write to the store of o, kills it with SIGKILL in the
// middle, opens the store and looks for all that was acknowledged; rounds times
// on the same database. The package's TestMain must be Main.
func Kill(t *testing.T, o store.Options, rounds int) {
	acknowledged := map[string]bool{}
	for round := range rounds {
		for _, id := range killOnce(t, child{Dir: o.Dir, URL: o.URL, Round: round}) {
			acknowledged[id] = true
		}
		s := Open(t, o)
		compare(t, s, acknowledged)
		must(t, s.Close())
	}
	t.Logf("%d kills, %d acknowledged changes, all there", rounds, len(acknowledged))
}

// killOnce returns what a child said was acknowledged before it was killed.
func killOnce(t *testing.T, c child) (ids []string) {
	t.Helper()
	text, err := json.Marshal(c)
	must(t, err)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"="+string(text))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	var fuse *time.Timer
	for lines := bufio.NewScanner(out); lines.Scan(); {
		ids = append(ids, lines.Text())
		if fuse == nil {
			fuse = time.AfterFunc(rand.N(150*time.Millisecond), func() { _ = cmd.Process.Kill() })
		}
	}
	if err := cmd.Wait(); err == nil || fuse == nil {
		t.Fatalf("the child was not killed while it wrote: %v, %d acknowledgements", err, len(ids))
	}
	return ids
}

// compare looks for every acknowledged id, and for holes: of a change that was
// not acknowledged all or nothing is there.
func compare(t *testing.T, s *store.Store, acknowledged map[string]bool) {
	t.Helper()
	there := map[string]bool{}
	var head, rows, last int64
	must(t, s.Read(t.Context(), func(tx *store.Tx) error {
		if err := tx.QueryRow("SELECT rev FROM setting_head").Scan(&head); err != nil {
			return err
		}
		if err := tx.QueryRow("SELECT count(*), coalesce(max(rev), 0) FROM setting").Scan(&rows, &last); err != nil {
			return err
		}
		found, err := tx.Query("SELECT id FROM setting")
		if err != nil {
			return err
		}
		defer found.Close()
		for found.Next() {
			var id string
			if err := found.Scan(&id); err != nil {
				return err
			}
			there[id] = true
		}
		return found.Err()
	}))
	for id := range acknowledged {
		if !there[id] {
			t.Errorf("change %s was acknowledged and is lost", id)
		}
	}
	if head != rows || head != last {
		t.Errorf("the head is at %d, the last of %d rows at %d", head, rows, last)
	}
}

// Kills is how many rounds a test does: few of them, unless EVERGATE_KILLS says
// more, as for a night.
func Kills(t testing.TB, few int) int {
	t.Helper()
	if text := os.Getenv("EVERGATE_KILLS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatalf("EVERGATE_KILLS=%s: %v", text, err)
		}
		return n
	}
	if testing.Short() {
		return min(few, 2)
	}
	return few
}
