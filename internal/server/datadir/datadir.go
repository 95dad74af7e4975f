// Package datadir is the folder that belongs to one running Evergate: its
// certificates, spilled request bodies and admin socket. A lock keeps a second
// process out.
package datadir

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// lockName is the file whose lock says that a process lives here. It stays when
// the process ends: removing it could take the lock away from the next one.
const lockName = "lock"

// InUseError says that another process has the folder.
type InUseError struct {
	Path string
	PID  int // 0: unknown
}

func (e *InUseError) Error() string {
	who := "another Evergate"
	if e.PID > 0 {
		who = fmt.Sprintf("another Evergate (process %d)", e.PID)
	}
	return fmt.Sprintf("%s is already running with data_dir %s", who, e.Path)
}

// Dir is the locked folder.
type Dir struct {
	path string
	lock *os.File
}

// Open makes the folder (0700) when it is missing, and locks it until Close or
// the end of the process. Errors: *InUseError, or what the system says. A folder
// in which every user of the machine may write is refused, because the keys in
// it could be exchanged and the socket be taken.
func Open(path string) (*Dir, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("make data_dir: %w; name a folder in node.data_dir that this user may make and write to", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("look at data_dir: %w", err)
	}
	if info.Mode().Perm()&0o002 != 0 {
		return nil, fmt.Errorf("data_dir %s: everybody on this machine may write there; use a folder of its own (chmod 0700)", path)
	}
	name := filepath.Join(path, lockName)
	lock, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock data_dir: %w; the folder in node.data_dir must belong to the user that Evergate runs as", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer lock.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, &InUseError{Path: path, PID: readPID(lock)}
		}
		return nil, fmt.Errorf("lock %s: %w", name, err)
	}
	if err := writePID(lock); err != nil {
		lock.Close()
		return nil, fmt.Errorf("write %s: %w", name, err)
	}
	return &Dir{path: path, lock: lock}, nil
}

// Join returns the path of something in the folder.
func (d *Dir) Join(name string) string { return filepath.Join(d.path, name) }

// Close lets the folder go. Closing twice does nothing.
func (d *Dir) Close() error {
	if d == nil || d.lock == nil {
		return nil
	}
	err := d.lock.Close()
	d.lock = nil
	if errors.Is(err, fs.ErrClosed) {
		return nil
	}
	return err
}

func writePID(lock *os.File) error {
	if err := lock.Truncate(0); err != nil {
		return err
	}
	_, err := lock.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

// readPID returns the number in the lock file, 0 if there is none yet.
func readPID(lock *os.File) int {
	text, err := io.ReadAll(io.LimitReader(lock, 32))
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0
	}
	return pid
}
