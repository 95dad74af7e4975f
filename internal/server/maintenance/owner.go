package maintenance

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/evergate/evergate/internal/cluster/store/sqlite"
)

// owned are the files in data_dir that a command may make, as patterns.
var owned = []string{"lock", "store.seen.json", sqlite.FileName + "*", "keys", filepath.Join("keys", "*.key")}

// handOver gives what root has made in data_dir to the user to whom the folder
// belongs, for whom it is. Others need no help: they own what they make. Only
// files with one name are given away: a second name could be a trap, put there for
// root to give away a file from elsewhere.
func (p *Place) handOver() error {
	if os.Geteuid() != 0 {
		return nil
	}
	user, err := os.Lstat(p.DataDir())
	if err != nil {
		return fmt.Errorf("look whose data_dir is: %w", err)
	}
	to, ok := user.Sys().(*syscall.Stat_t)
	if !ok || to.Uid == 0 {
		return nil
	}
	for _, pattern := range owned {
		paths, err := filepath.Glob(filepath.Join(escaped(p.DataDir()), pattern))
		if err != nil {
			return fmt.Errorf("look for files to hand over: %w", err)
		}
		for _, path := range paths {
			if err := give(path, to); err != nil {
				return fmt.Errorf("give the files in data_dir to the user of the folder: %w", err)
			}
		}
	}
	return nil
}

// give makes the file or folder at path that of to's user and group, if it is root's.
func give(path string, to *syscall.Stat_t) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || stat.Uid != 0 || !info.IsDir() && (!info.Mode().IsRegular() || stat.Nlink != 1) {
		return nil
	}
	return os.Lchown(path, int(to.Uid), int(to.Gid))
}

// escaped is a path in which Glob finds no pattern.
func escaped(path string) string {
	text := make([]byte, 0, len(path))
	for _, c := range []byte(path) {
		if c == '*' || c == '?' || c == '[' || c == '\\' {
			text = append(text, '\\')
		}
		text = append(text, c)
	}
	return string(text)
}
