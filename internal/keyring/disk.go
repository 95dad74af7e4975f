package keyring

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
)

// most is the largest file of keys that is read, in bytes.
const most = 64 << 10

// disk reads and writes files of secrets.
type disk struct {
	log *slog.Logger
	// step is called with the name of each step of a write before it is taken.
	// An error is that of the step. Tests kill the process or fail in it.
	step func(name string) error
}

// The steps of a write, in order.
const (
	stepCreate  = "create"
	stepWrite   = "write"
	stepSync    = "sync"
	stepRename  = "rename"
	stepSyncDir = "sync folder"
	stepDone    = "done"
)

// read returns the content of path. Errors: fs.ErrNotExist; a file that is no
// plain one, too large, or which others than its owner and root may write. One
// that everybody may read is read, with a warning: a door that stays shut helps
// nobody, and the key has been seen already. ours says that the file is one of
// Evergate's own, where a symlink is nobody's wish, and where the group may not read.
func (d disk) read(path string, ours bool) ([]byte, error) {
	flags := os.O_RDONLY | syscall.O_NONBLOCK // a pipe must not hold up the start
	if ours {
		flags |= syscall.O_NOFOLLOW
	}
	f, err := os.OpenFile(path, flags, 0)
	if errors.Is(err, syscall.ELOOP) {
		return nil, fmt.Errorf("%s is a symbolic link, and the keys that Evergate keeps itself are plain files; "+
			"put the file itself there, or name it under keys in the configuration", path)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if err := d.check(path, info, ours); err != nil {
		return nil, err
	}
	content, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if len(content) > most {
		return nil, fmt.Errorf("%s is larger than %d bytes: it is no file of keys", path, most)
	}
	return content, nil
}

func (d disk) check(path string, info fs.FileInfo, ours bool) error {
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a plain file", path)
	}
	me := os.Geteuid() // root may give commands about the keys of the service's user
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && me != 0 && stat.Uid != 0 && int(stat.Uid) != me {
		return fmt.Errorf("%s belongs to user %d, who could exchange it; chown it to root or to the user that Evergate runs as (%d)",
			path, stat.Uid, me)
	}
	mode := info.Mode().Perm()
	if mode&0o022 != 0 {
		return fmt.Errorf("%s may be written by others (mode %04o), so its keys may be theirs; `chmod 600 %s`, and rotate the key if you did not do this",
			path, mode, path)
	}
	readers := fs.FileMode(0o004)
	if ours {
		readers = 0o044
	}
	if mode&readers != 0 {
		d.log.Warn("keys may be read by other users of this machine; take that away and rotate them",
			"file", path, "mode", fmt.Sprintf("%04o", mode), "do", "chmod 600 "+path)
	}
	return nil
}

// write puts content at path (0600) so that after a crash at any moment the
// file is the old one or the new one, and when it returns nil it is the new one
// even after a power cut. The caller holds the lock of the folder.
func (d disk) write(path string, content []byte) (err error) {
	temp := path + ".new"
	dir := filepath.Dir(path)
	defer func() {
		if err != nil {
			_ = os.Remove(temp) // the error that counts is the first
			err = fmt.Errorf("write %s: %w", path, err)
		}
	}()
	if err := d.step(stepCreate); err != nil {
		return err
	}
	// What a crash left there is whoever's; never write into it.
	if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer f.Close() // the second time does nothing
	if err := ownedLike(f.Name(), dir); err != nil {
		return err
	}
	if err := d.step(stepWrite); err != nil {
		return err
	}
	if _, err := f.Write(content); err != nil {
		return err
	}
	if err := d.step(stepSync); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := d.step(stepRename); err != nil {
		return err
	}
	if err := os.Rename(temp, path); err != nil {
		return err
	}
	if err := d.step(stepSyncDir); err != nil {
		return err
	}
	if err := syncDir(dir); err != nil {
		return err
	}
	return d.step(stepDone)
}

// ownedLike gives path, made a moment ago, to whom dir belongs, if root made it: a
// command given by root must not lock the service out, which runs as another user.
func ownedLike(path, dir string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || stat.Uid == 0 {
		return nil
	}
	return os.Lchown(path, int(stat.Uid), int(stat.Gid))
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}

// lock keeps other processes from changing the keys in dir, until unlock. It
// waits: a rotation takes milliseconds.
func lock(dir string) (unlock func(), err error) {
	path := filepath.Join(dir, "lock")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the keys: %w", err)
	}
	if err := ownedLike(f.Name(), dir); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock the keys: %w", err)
	}
	for {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return func() { f.Close() }, nil
}
