package certstore

import (
	"fmt"
	"io/fs"
	"strings"
)

const (
	tempPrefix = ".new-" // of files that are being written
	mostKey    = 512     // bytes
	mostValue  = 1 << 20 // bytes; a larger file is nothing of ours and stays on this node
)

// file is one version of what a key has.
type file struct {
	key     string
	value   []byte // nil when deleted
	deleted bool
	at      int64 // modification time, Unix milliseconds; the later version wins
}

// checkKey refuses what is not a key: it becomes a path, and may come from the
// database. It is slash-separated, without empty parts, "." and "..".
func checkKey(key string) error {
	if key == "" || len(key) > mostKey || strings.ContainsRune(key, 0) {
		return fmt.Errorf("certificate storage: key %.80q: %w", key, fs.ErrInvalid)
	}
	for part := range strings.SplitSeq(key, "/") {
		if part == "" || part == "." || part == ".." || strings.HasPrefix(part, tempPrefix) {
			return fmt.Errorf("certificate storage: key %.80q: %w", key, fs.ErrInvalid)
		}
	}
	return nil
}
