package server

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// stickySize is the length in bytes of the secret behind sticky cookies.
const stickySize = 32

// readSticky returns the secret kept at path, and makes it (mode 0600) when
// there is none yet. The same one over restarts keeps visitors on their servers.
func readSticky(path string) ([]byte, error) {
	secret, err := os.ReadFile(path)
	switch {
	case err == nil && len(secret) >= stickySize:
		return secret, nil
	case err == nil:
		return nil, fmt.Errorf("read the secret of sticky cookies: %s is damaged; remove it and start again, visitors are then spread anew", path)
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("read the secret of sticky cookies: %w", err)
	}
	secret = make([]byte, stickySize)
	_, _ = rand.Read(secret) // never fails (crypto/rand, Go 1.24)
	// By another name first: a crash must not leave half a secret behind.
	if err := os.WriteFile(path+".new", secret, 0o600); err != nil {
		return nil, fmt.Errorf("keep the secret of sticky cookies: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return nil, fmt.Errorf("keep the secret of sticky cookies: %w", err)
	}
	return secret, nil
}
