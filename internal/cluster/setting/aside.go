package setting

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// keepAside keeps a copy of a file of dir under another name, for whoever wants to
// look into it: what is damaged, or is about to be given up. A file that cannot be read
// is moved there. Only the last one of each name is kept.
func keepAside(dir, name, why string) (as string, err error) {
	path := filepath.Join(dir, name)
	as = path + "." + why
	content, err := os.ReadFile(path)
	if err == nil {
		err = replaceFile(as, content)
	} else if !errors.Is(err, fs.ErrNotExist) {
		err = os.Rename(path, as)
	}
	if err != nil {
		return "", fmt.Errorf("keep %s aside: %w", path, err)
	}
	return as, nil
}

// sweep removes what a crash left of files that were being replaced.
func sweep(dir string) {
	for _, name := range []string{LastGoodName, JournalName} {
		left, _ := filepath.Glob(filepath.Join(dir, name+".new-*")) // a pattern without an error
		for _, path := range left {
			os.Remove(path)
		}
	}
}
