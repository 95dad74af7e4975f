package certstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/caddyserver/certmagic"
)

// disk is the node's copy: a file (0600) for each key, in folders (0700), with
// the time of its version as modification time, and a list of deletions that the
// store has not heard of. It is safe for concurrent use.
type disk struct {
	dir string
	log *slog.Logger
	// step is called with the name of each step of a change before it is taken;
	// an error is that of the step. Tests kill the process or fail in it.
	step func(name string) error

	mu     sync.Mutex       // one change at a time; guards the fields below
	buried map[string]int64 // by key: when it was deleted; nil: not read yet. Replaced, never changed
	unsent map[string]bool  // keys that this process has put and the store has not
}

// The steps of a change, in order. A deletion has only those of the list of
// deletions, and then stepRemove.
const (
	stepWrite   = "write"
	stepSync    = "sync"
	stepRename  = "rename"
	stepSyncDir = "sync folder"
	stepRemove  = "remove"
	stepDone    = "done"
)

func newDisk(dir string, log *slog.Logger, step func(string) error) *disk {
	if step == nil {
		step = func(string) error { return nil }
	}
	return &disk{dir: filepath.Clean(dir), log: log, step: step, unsent: map[string]bool{}}
}

func (d *disk) path(key string) string { return filepath.Join(d.dir, filepath.FromSlash(key)) }

// put saves value as the newest version of key, and returns that.
func (d *disk) put(key string, value []byte, now time.Time) (file, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.exhume(); err != nil {
		return file{}, err
	}
	f := file{key: key, value: bytes.Clone(value), at: max(now.UnixMilli(), d.at(key)+1, d.buried[key]+1)}
	if err := d.write(f); err != nil {
		return file{}, err
	}
	d.unsent[key] = true
	return f, d.unbury(key)
}

// set takes f from the store, unless there is something newer by now, and
// reports whether it did.
func (d *disk) set(f file) (bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.exhume(); err != nil {
		return false, err
	}
	if d.buried[f.key] > f.at || d.at(f.key) > f.at {
		return false, nil
	}
	if f.deleted {
		if err := d.drop(f.key); err != nil {
			return false, err
		}
	} else if err := d.write(f); err != nil {
		return false, err
	}
	delete(d.unsent, f.key)
	return true, d.unbury(f.key)
}

// sent notes that the store has f, with the time at.
func (d *disk) sent(f file, at int64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if f.deleted {
		if d.buried[f.key] == f.at {
			return d.unbury(f.key)
		}
		return nil
	}
	if d.at(f.key) != f.at {
		return nil // another version has come
	}
	delete(d.unsent, f.key)
	when := time.UnixMilli(at)
	return os.Chtimes(d.path(f.key), when, when)
}

// waiting is how many changes the store has not heard of.
func (d *disk) waiting() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.unsent) + len(d.buried)
}

// get returns what key has. Errors: fs.ErrNotExist, for a folder as well.
func (d *disk) get(key string) (file, error) {
	info, err := os.Stat(d.path(key))
	if err != nil {
		return file{}, notDir(err)
	}
	if info.IsDir() {
		return file{}, &fs.PathError{Op: "load", Path: d.path(key), Err: fs.ErrNotExist}
	}
	value, err := os.ReadFile(d.path(key))
	return file{key: key, value: value, at: info.ModTime().UnixMilli()}, err
}

func (d *disk) stat(key string) (certmagic.KeyInfo, error) {
	info, err := os.Stat(d.path(key))
	if err != nil {
		return certmagic.KeyInfo{}, notDir(err)
	}
	return certmagic.KeyInfo{Key: key, Modified: info.ModTime(), Size: info.Size(), IsTerminal: !info.IsDir()}, nil
}

// notDir makes "a part of the path is a file" what it means here: there is no
// such key.
func notDir(err error) error {
	if errors.Is(err, syscall.ENOTDIR) {
		return fmt.Errorf("%w (%w)", fs.ErrNotExist, err)
	}
	return err
}

// list is Storage.List.
func (d *disk) list(ctx context.Context, prefix string, recursive bool) ([]string, error) {
	keys := []string{}
	root := d.path(prefix)
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil && name != root && errors.Is(err, fs.ErrNotExist):
			return nil // it was deleted meanwhile
		case err != nil:
			return notDir(err)
		case ctx.Err() != nil:
			return ctx.Err()
		case name == root:
			if !entry.IsDir() {
				return &fs.PathError{Op: "list", Path: root, Err: fs.ErrNotExist}
			}
			return nil
		case strings.HasPrefix(entry.Name(), tempPrefix):
			return nil
		}
		below, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		keys = append(keys, path.Join(prefix, filepath.ToSlash(below)))
		if !recursive && entry.IsDir() {
			return filepath.SkipDir
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return keys, nil
}

// scan returns every version there is, deletions included, without values. Files
// that are empty (a power cut leaves such) or far too large have the time 0.
func (d *disk) scan() (map[string]file, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.exhume(); err != nil {
		return nil, err
	}
	found := map[string]file{}
	err := filepath.WalkDir(d.dir, func(name string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // nothing has been kept yet
		}
		if err != nil || entry.IsDir() {
			return err
		}
		if strings.HasPrefix(entry.Name(), tempPrefix) {
			return os.Remove(name) // of a crash: whoever writes has the lock that we have
		}
		info, err := os.Stat(name)
		if err != nil || !info.Mode().IsRegular() {
			return nil
		}
		below, err := filepath.Rel(d.dir, name)
		if err != nil {
			return err
		}
		f := file{key: filepath.ToSlash(below), at: info.ModTime().UnixMilli()}
		if info.Size() == 0 || info.Size() > mostValue {
			f.at = 0
		}
		if checkKey(f.key) == nil {
			found[f.key] = f
		}
		return nil
	})
	for key, at := range d.buried {
		if at >= found[key].at {
			found[key] = file{key: key, deleted: true, at: at}
		}
	}
	return found, err
}

// remove deletes key and all below it, and leaves nothing to be told.
func (d *disk) remove(key string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.drop(key)
}

// bury deletes key and all below it on disk, and the keys that only the store
// has, and returns the deletions.
func (d *disk) bury(key string, stored []string, now time.Time) ([]file, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.exhume(); err != nil {
		return nil, err
	}
	keys := map[string]bool{}
	for _, k := range stored {
		keys[k] = true
	}
	err := filepath.WalkDir(d.path(key), func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		below, err := filepath.Rel(d.dir, name)
		keys[filepath.ToSlash(below)] = true
		return err
	})
	if err != nil && !errors.Is(notDir(err), fs.ErrNotExist) {
		return nil, err
	}
	if len(keys) == 0 {
		return nil, d.drop(key) // an empty folder
	}
	var gone []file
	buried := maps.Clone(d.buried)
	for k := range keys {
		f := file{key: k, deleted: true, at: max(now.UnixMilli(), d.at(k)+1)}
		buried[k] = f.at
		gone = append(gone, f)
	}
	// The list first: what is removed without it would come back from the store.
	if err := d.writeBuried(buried); err != nil {
		return nil, err
	}
	for k := range keys {
		delete(d.unsent, k)
	}
	return gone, d.drop(key)
}

// at is the time of key's version on disk, 0 if there is none.
func (d *disk) at(key string) int64 {
	info, err := os.Stat(d.path(key))
	if err != nil || info.IsDir() {
		return 0
	}
	return info.ModTime().UnixMilli()
}
