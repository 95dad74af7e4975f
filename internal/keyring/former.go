package keyring

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// formerFile is where in data_dir the secret of sticky cookies was, 32 bytes as
// they are, before there was a keyring.
const formerFile = "sticky.key"

// formerSticky returns the key that an earlier Evergate has left, nil if there
// is none.
func (r *Ring) formerSticky() (*Key, error) {
	path := filepath.Join(r.dir, formerFile)
	secret, err := r.disk.read(path, true)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("take over the secret of sticky cookies: %w", err)
	}
	if len(secret) < Size {
		return nil, fmt.Errorf("take over the secret of sticky cookies: %s is damaged; remove it and start again, %s", path, purposes[Sticky])
	}
	info, err := os.Lstat(path)
	if err != nil {
		return nil, fmt.Errorf("take over the secret of sticky cookies: %w", err)
	}
	k := newKey(secret, info.ModTime())
	return &k, nil
}

// forgetSticky removes the file of an earlier Evergate once its secret is among
// keys, which are on disk. One that is not stays: nobody should lose a key by
// going back a version and forward again.
func (r *Ring) forgetSticky(keys []Key) {
	path := filepath.Join(r.dir, formerFile)
	secret, err := r.disk.read(path, true)
	if err != nil {
		return
	}
	for _, k := range keys {
		if bytes.Equal(k.secret, secret) {
			if err := os.Remove(path); err != nil {
				r.log.Warn("a secret that has moved to keys/ could not be removed from its former place; remove it", "file", path, "err", err)
			}
			return
		}
	}
	r.log.Warn("a secret of sticky cookies in its former place is not used; remove it", "file", path, "used", r.path(Sticky))
}
