package terminal

import (
	"os"
	"path/filepath"
	"testing"
)

func TestSize_KnowsWhatIsNoTerminal(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	for _, f := range []*os.File{file, null} {
		if _, _, ok := Size(f, func(string) string { return "xterm" }); ok {
			t.Errorf("%s was taken for a terminal", f.Name())
		}
	}
}
