package datadir

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestOpen_MakesAFolderForItsUserOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "data")
	dir, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != 0o700 {
		t.Errorf("the folder's mode is %o, want 700", got)
	}
	if got := dir.Join("x"); got != filepath.Join(path, "x") {
		t.Errorf("Join gave %s", got)
	}
}

func TestOpen_KeepsASecondProcessOutAndSaysWhoIsIn(t *testing.T) {
	path := t.TempDir()
	first, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = Open(path)
	var used *InUseError
	if !errors.As(err, &used) {
		t.Fatalf("the second Open said %v, want an InUseError", err)
	}
	if used.PID != os.Getpid() {
		t.Errorf("it named process %d, want %d", used.PID, os.Getpid())
	}
	if !strings.Contains(err.Error(), "already running") {
		t.Errorf("it said %q, want already running", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Errorf("closing twice: %v", err)
	}
	again, err := Open(path)
	if err != nil {
		t.Fatalf("after the first one left: %v", err)
	}
	again.Close()
}

func TestOpen_RefusesAFolderInWhichEverybodyMayWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "shared")
	if err := os.Mkdir(path, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o777); err != nil { // past the umask
		t.Fatal(err)
	}
	if _, err := Open(path); err == nil || !strings.Contains(err.Error(), "everybody") {
		t.Errorf("Open said %v, want a refusal", err)
	}
}

func TestOpen_SaysWhatIsInTheWay(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path); err == nil || !strings.Contains(err.Error(), "make data_dir") {
		t.Errorf("Open said %v", err)
	}
}
