package keyring

import (
	"cmp"
	"crypto/hmac"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/evergate/evergate/internal/clock"
)

// ErrGiven says that the keys of a purpose come from a source of the operator's,
// which Evergate only reads.
var ErrGiven = errors.New("the key is given by the configuration")

// Options are what a ring needs beside its folder.
type Options struct {
	Sources     map[string]Source // by purpose; a purpose without one has a file of its own
	Credentials string            // folder of systemd's credentials; "": $CREDENTIALS_DIRECTORY
	Log         *slog.Logger      // nil: slog's default
	Clock       clock.Clock

	step func(string) error // for tests; see disk
}

// Ring holds the keys of every purpose. Its methods are safe for concurrent
// use; reading takes no lock.
type Ring struct {
	dir         string // data_dir
	credentials string
	disk        disk
	log         *slog.Logger
	clock       clock.Clock

	mu      sync.Mutex // one change at a time
	sources map[string]Source
	keys    atomic.Pointer[map[string][]Key] // never changed, only replaced; newest first, at least one each
}

// Open reads the keys of every purpose from dataDir/keys, or from its source, and
// makes those that there are none of yet. The secret of sticky cookies that an
// earlier Evergate kept in dataDir/sticky.key is taken over. dataDir exists.
// Errors name the file and say what to do.
func Open(dataDir string, o Options) (*Ring, error) {
	r := &Ring{
		dir:         dataDir,
		credentials: cmp.Or(o.Credentials, os.Getenv("CREDENTIALS_DIRECTORY")),
		log:         cmp.Or(o.Log, slog.Default()),
		clock:       o.Clock,
	}
	r.disk = disk{log: r.log, step: o.step}
	if r.disk.step == nil {
		r.disk.step = func(string) error { return nil }
	}
	if err := r.Reload(o.Sources); err != nil {
		return nil, err
	}
	return r, nil
}

// Current returns the newest key of purpose, with which new things are signed. It
// panics for a purpose that is not in Purposes.
func (r *Ring) Current(purpose string) Key { return r.All(purpose)[0] }

// All returns the keys of purpose that verify, the newest first, at least one.
// The slice is the caller's. It panics for a purpose that is not in Purposes.
func (r *Ring) All(purpose string) []Key {
	keys := (*r.keys.Load())[purpose]
	if len(keys) == 0 {
		panic("keyring: " + unknown(purpose).Error())
	}
	return slices.Clone(keys)
}

// MAC returns the HMAC-SHA256 of message (RFC 2104) by the current key of purpose,
// 32 bytes. It panics for a purpose that is not in Purposes.
func (r *Ring) MAC(purpose string, message []byte) []byte {
	return r.Current(purpose).sum(message)
}

// Verify reports whether mac is that of message by any key of purpose, in a time
// that does not tell how much of it is right. It panics for a purpose that is
// not in Purposes.
func (r *Ring) Verify(purpose string, message, mac []byte) bool {
	verified := false
	for _, k := range r.All(purpose) {
		verified = hmac.Equal(k.sum(message), mac) || verified
	}
	return verified
}

// Given returns the source of purpose, and whether there is one.
func (r *Ring) Given(purpose string) (Source, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s, ok := r.sources[purpose]
	return s, ok
}

// Reload reads all keys anew, from these sources from now on. With an error
// everything stays as it was.
func (r *Ring) Reload(sources map[string]Source) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for purpose := range sources {
		if _, known := purposes[purpose]; !known {
			return unknown(purpose)
		}
	}
	if err := r.makeFolder(); err != nil {
		return err
	}
	all := map[string][]Key{}
	for _, purpose := range Purposes() {
		keys, err := r.load(purpose, sources)
		if err != nil {
			return err
		}
		all[purpose] = keys
	}
	r.sources = maps.Clone(sources)
	r.keys.Store(&all)
	return nil
}

// Rotate makes a new current key for purpose. It is on disk when Rotate returns
// it; the KeepOld keys before it go on verifying. Errors: ErrUnknownPurpose,
// ErrGiven, those of a damaged file, and of the disk; nothing has changed then,
// unless only the fsync of the folder failed, in which case the next Reload or
// start may find the new key.
func (r *Ring) Rotate(purpose string) (Key, error) {
	made := r.fresh()
	err := r.change(purpose, func(keys []Key) []Key {
		return append([]Key{made}, keys[:min(len(keys), KeepOld)]...)
	})
	if err != nil {
		return Key{}, fmt.Errorf("rotate the key of %s: %w", purpose, err)
	}
	return made, nil
}

// Drop forgets the keys of purpose before the current one: what they have signed
// no longer verifies. Errors are those of Rotate.
func (r *Ring) Drop(purpose string) error {
	err := r.change(purpose, func(keys []Key) []Key { return keys[:1] })
	if err != nil {
		return fmt.Errorf("drop the old keys of %s: %w", purpose, err)
	}
	return nil
}

// change writes what to makes of the keys of purpose, which are read from disk
// first: another process may have changed them.
func (r *Ring) change(purpose string, to func([]Key) []Key) error {
	if _, known := purposes[purpose]; !known {
		return unknown(purpose)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if s, ok := r.sources[purpose]; ok {
		path, _ := s.path(r.credentials)
		return fmt.Errorf("%w; put the new key before the others in %s (one to the line, the old ones below it), then `evergate reload`", ErrGiven, path)
	}
	unlock, err := lock(r.folder())
	if err != nil {
		return err
	}
	defer unlock()
	keys, err := r.readOwn(purpose)
	if err != nil {
		return err
	}
	keys = to(keys)
	if err := r.disk.write(r.path(purpose), format(purpose, keys)); err != nil {
		return err
	}
	all := maps.Clone(*r.keys.Load())
	all[purpose] = keys
	r.keys.Store(&all)
	return nil
}

func (r *Ring) folder() string             { return filepath.Join(r.dir, "keys") }
func (r *Ring) path(purpose string) string { return filepath.Join(r.folder(), purpose+".key") }

func (r *Ring) makeFolder() error {
	switch err := os.Mkdir(r.folder(), 0o700); {
	case err == nil:
		if err := errors.Join(ownedLike(r.folder(), r.dir), syncDir(r.dir)); err != nil {
			return fmt.Errorf("make the folder of keys: %w", err)
		}
	case !errors.Is(err, fs.ErrExist):
		return fmt.Errorf("make the folder of keys: %w; data_dir must belong to the user that Evergate runs as", err)
	}
	info, err := os.Stat(r.folder())
	if err != nil {
		return fmt.Errorf("look at the folder of keys: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o022 != 0 {
		return fmt.Errorf("others may write to the folder of keys (mode %04o), so the keys may be theirs; `chmod 700 %s`, and rotate them if you did not do this",
			mode, r.folder())
	}
	return nil
}

func (r *Ring) fresh() Key {
	secret := make([]byte, Size)
	_, _ = rand.Read(secret) // never fails (crypto/rand, Go 1.24)
	return newKey(secret, r.clock.Now())
}

// load returns the keys of purpose from where they come from.
func (r *Ring) load(purpose string, sources map[string]Source) ([]Key, error) {
	source, given := sources[purpose]
	if !given {
		unlock, err := lock(r.folder())
		if err != nil {
			return nil, err
		}
		defer unlock()
		keys, err := r.readOwn(purpose)
		if errors.Is(err, fs.ErrNotExist) {
			return r.found(purpose)
		}
		if err == nil && purpose == Sticky {
			r.forgetSticky(keys)
		}
		return keys, err
	}
	path, err := source.path(r.credentials)
	if err != nil {
		return nil, fmt.Errorf("the key of %s (keys.%s): %w", purpose, purpose, err)
	}
	content, err := r.disk.read(path, false)
	if err != nil {
		return nil, fmt.Errorf("the key of %s (keys.%s): %w", purpose, purpose, err)
	}
	keys, err := parseGiven(purpose, content)
	if err != nil {
		return nil, fmt.Errorf("the key of %s (keys.%s): read %s: %w", purpose, purpose, path, err)
	}
	return keys, nil
}

// readOwn reads the file that Evergate keeps for purpose. The caller holds the
// lock. Errors: fs.ErrNotExist, or what to do about the file.
func (r *Ring) readOwn(purpose string) ([]Key, error) {
	path := r.path(purpose)
	content, err := r.disk.read(path, true)
	if err != nil {
		return nil, fmt.Errorf("the key of %s: %w", purpose, err)
	}
	keys, err := parse(purpose, content)
	if err != nil {
		return nil, fmt.Errorf("the key of %s: %s cannot be used: %w; put a copy of it back, or remove it: a new key is then made, and %s",
			purpose, path, err, purposes[purpose])
	}
	return keys, nil
}

// found writes the first file of purpose. The caller holds the lock.
func (r *Ring) found(purpose string) ([]Key, error) {
	first := r.fresh()
	if purpose == Sticky {
		former, err := r.formerSticky()
		if err != nil {
			return nil, err
		}
		if former != nil {
			first = *former
		}
	}
	keys := []Key{first}
	if err := r.disk.write(r.path(purpose), format(purpose, keys)); err != nil {
		return nil, fmt.Errorf("keep the new key of %s: %w", purpose, err)
	}
	if purpose == Sticky {
		r.forgetSticky(keys)
	}
	return keys, nil
}
