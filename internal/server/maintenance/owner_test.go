package maintenance

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func ownerOf(t *testing.T, path string) uint32 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Sys().(*syscall.Stat_t).Uid
}

func TestEscaped_LetsGlobFindTheVeryFolder(t *testing.T) {
	for _, name := range []string{"plain", "a*b", "a[b]c", "a?b"} {
		dir := filepath.Join(t.TempDir(), name)
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "x"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if found, err := filepath.Glob(filepath.Join(escaped(dir), "*")); err != nil || len(found) != 1 {
			t.Errorf("in %s: %q, %v", dir, found, err)
		}
	}
}
