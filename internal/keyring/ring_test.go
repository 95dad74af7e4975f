package keyring

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/clock"
)

// opened returns the ring of dir, with its log.
func opened(t *testing.T, dir string, o Options) (*Ring, *bytes.Buffer) {
	t.Helper()
	var log bytes.Buffer
	o.Log = slog.New(slog.NewTextHandler(&log, nil))
	r, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return r, &log
}

func put(t *testing.T, path, content string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // whatever the umask
		t.Fatal(err)
	}
}

func TestOpen_MakesKeysThatOnlyTheirUserMayRead(t *testing.T) {
	dir := t.TempDir()
	r, log := opened(t, dir, Options{})
	if got := len(r.Current(Sticky).Secret()); got != Size {
		t.Errorf("the key has %d bytes", got)
	}
	for path, want := range map[string]os.FileMode{"keys": 0o700, "keys/sticky.key": 0o600, "keys/lock": 0o600} {
		info, err := os.Stat(filepath.Join(dir, path))
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %o, want %o", path, got, want)
		}
	}
	if log.Len() > 0 {
		t.Errorf("logged %s", log)
	}
	again, _ := opened(t, dir, Options{})
	if got, want := again.Current(Sticky), r.Current(Sticky); got.ID != want.ID || !bytes.Equal(got.Secret(), want.Secret()) {
		t.Errorf("after a restart the key is %v, was %v", got, want)
	}
	files, err := Files(dir)
	if want := []string{filepath.Join(dir, "keys", "sticky.key")}; err != nil || !slices.Equal(files, want) {
		t.Errorf("Files gave %v, %v, want %v", files, err, want)
	}
	if files, err := Files(t.TempDir()); err != nil || files != nil {
		t.Errorf("Files of an empty folder gave %v, %v", files, err)
	}
}

func TestRing_OldKeysVerifyUntilTheyFallOutOrAreDropped(t *testing.T) {
	now := time.Date(2026, 3, 1, 3, 4, 5, 6, time.UTC)
	dir := t.TempDir()
	r, _ := opened(t, dir, Options{Clock: clock.At(func() time.Time { return now })})
	message := []byte("a message")
	first := r.MAC(Sticky, message)
	if r.Verify(Sticky, []byte("another"), first) || r.Verify(Sticky, message, first[:31]) || r.Verify(Sticky, message, nil) {
		t.Error("verified what was never signed")
	}
	for i := range KeepOld {
		now = now.Add(time.Hour)
		k, err := r.Rotate(Sticky)
		if err != nil {
			t.Fatal(err)
		}
		if !k.Made.Equal(now.Truncate(time.Second)) || r.Current(Sticky).ID != k.ID {
			t.Errorf("made %v at %v, current is %v", k.Made, now, r.Current(Sticky))
		}
		if !r.Verify(Sticky, message, first) {
			t.Errorf("not verified after rotation %d", i+1)
		}
	}
	if bytes.Equal(r.MAC(Sticky, message), first) {
		t.Error("signed by an old key")
	}
	again, _ := opened(t, dir, Options{})
	if !slices.EqualFunc(again.All(Sticky), r.All(Sticky), func(a, b Key) bool { return a.ID == b.ID && a.Made.Equal(b.Made) }) {
		t.Errorf("a restart reads %v, want %v", again.All(Sticky), r.All(Sticky))
	}
	if _, err := r.Rotate(Sticky); err != nil {
		t.Fatal(err)
	}
	if r.Verify(Sticky, message, first) {
		t.Errorf("verified after rotation %d", KeepOld+1)
	}
	second := r.MAC(Sticky, message)
	if err := r.Drop(Sticky); err != nil {
		t.Fatal(err)
	}
	if got := len(r.All(Sticky)); got != 1 || !r.Verify(Sticky, message, second) {
		t.Errorf("after Drop %d keys, of which the current one verifies: %t", got, r.Verify(Sticky, message, second))
	}
}

func TestRing_SaysWhichPurposesThereAre(t *testing.T) {
	r, _ := opened(t, t.TempDir(), Options{})
	if _, err := r.Rotate("stickies"); !errors.Is(err, ErrUnknownPurpose) || !strings.Contains(err.Error(), "there are: sticky") {
		t.Errorf("Rotate said %v", err)
	}
	if err := r.Reload(map[string]Source{"x": {File: "/y"}}); !errors.Is(err, ErrUnknownPurpose) {
		t.Errorf("Reload said %v", err)
	}
}

func TestKey_IsPrintedWithoutItsSecret(t *testing.T) {
	secret := strings.Repeat("s3cr3t..", 4)
	k := newKey([]byte(secret), time.Time{})
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		if got := fmt.Sprintf(verb, k); got != k.ID {
			t.Errorf("%s gave %s", verb, got)
		}
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("key", "key", k, "keys", []Key{k})
	if strings.Contains(log.String(), "s3cr3t") || !strings.Contains(log.String(), k.ID) {
		t.Errorf("logged %s", log.String())
	}
}

// TestRing_ConcurrentRotationsLoseNone has two rings on one folder, as a command
// and the service have, rotate at once while others read.
func TestRing_ConcurrentRotationsLoseNone(t *testing.T) {
	dir := t.TempDir()
	one, _ := opened(t, dir, Options{})
	two, _ := opened(t, dir, Options{})
	message := []byte("a message")
	var made sync.Map
	var writers, readers sync.WaitGroup
	stop := make(chan struct{})
	for _, r := range []*Ring{one, two} {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if mac := r.MAC(Sticky, message); !r.Verify(Sticky, message, mac) {
					t.Error("a MAC made a moment ago does not verify")
					return
				}
				if err := r.Reload(nil); err != nil {
					t.Error(err)
					return
				}
			}
		})
		for range 2 {
			writers.Go(func() {
				k, err := r.Rotate(Sticky)
				if err != nil {
					t.Error(err)
				}
				made.Store(k.ID, true)
			})
		}
	}
	writers.Wait()
	close(stop)
	readers.Wait()
	r, _ := opened(t, dir, Options{})
	found := 0
	for _, k := range r.All(Sticky) {
		if _, is := made.Load(k.ID); is {
			found++
		}
	}
	if found != 4 {
		t.Errorf("%d of 4 new keys are kept", found)
	}
}
