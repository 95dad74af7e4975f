package keyring

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Files returns the paths of the files of keys in dataDir that exist, in order:
// what a backup takes along when it is asked to take secrets. What the operator
// keeps elsewhere (Source) is not among them. They may be put back as they are,
// with mode 0600.
func Files(dataDir string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(dataDir, "keys"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list the keys: %w", err)
	}
	var files []string
	for _, entry := range entries {
		if entry.Type().IsRegular() && strings.HasSuffix(entry.Name(), ".key") {
			files = append(files, filepath.Join(dataDir, "keys", entry.Name()))
		}
	}
	return files, nil
}
