package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLoad_CountsPathsFromTheFolderOfTheFile(t *testing.T) {
	path := write(t, "evergate.yaml", string(read(t, "testdata/small.good.yaml")))
	t.Chdir(filepath.Dir(path))
	c, _, err := Load("evergate.yaml")
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	if c.Dir != dir || c.File != filepath.Join(dir, "evergate.yaml") || c.Node.DataDir != filepath.Join(dir, "evergate-data") {
		t.Errorf("file %s in %s with data_dir %s", c.File, c.Dir, c.Node.DataDir)
	}
}

func TestLoad_NamesTheFileAsItWasAskedFor(t *testing.T) {
	_, _, err := Load("testdata/unknown-origin.bad.yaml")
	var problem Problem
	if !errors.As(err, &problem) {
		t.Fatalf("error %v, want a Problem in it", err)
	}
	want := Problem{"testdata/unknown-origin.bad.yaml", 8, 28, "sites[0].routes[0].origin", `there is no origin "shoop"; known: shop`}
	if problem != want || err.Error() != want.String() {
		t.Errorf("%+v, want %+v", problem, want)
	}
}

func TestLoad_SaysThatThereIsNoFile(t *testing.T) {
	_, _, err := Load(filepath.Join(t.TempDir(), "none.yaml"))
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "none.yaml") {
		t.Errorf("error %v", err)
	}
	if _, _, err := Load(t.TempDir()); err == nil {
		t.Error("a folder was read")
	}
}

func TestLoad_BoundsTheFile(t *testing.T) {
	path := write(t, "big.yaml", string(read(t, "testdata/small.good.yaml"))+strings.Repeat("# much\n", maxFile/7))
	if _, _, err := Load(path); err == nil || !strings.Contains(err.Error(), "larger than 1 MiB") {
		t.Errorf("error %.200v", err)
	}
}

func TestFind_TakesTheFirstThatIsThere(t *testing.T) {
	dir := t.TempDir()
	here, system := filepath.Join(dir, "here.yaml"), filepath.Join(dir, "system.yaml")
	if _, err := find("", []string{here, system}); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), here) || !strings.Contains(err.Error(), system) {
		t.Errorf("neither is there: %v", err)
	}
	for _, file := range []string{system, here} {
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := find("", []string{here, system}); got != file || err != nil {
			t.Errorf("found %s, %v, want %s", got, err, file)
		}
	}
	t.Chdir(dir)
	if got, err := Find("other.yaml"); filepath.Base(got) != "other.yaml" || !filepath.IsAbs(got) || err != nil {
		t.Errorf("a file that is named: %s, %v", got, err)
	}
	if _, err := Find(""); err != nil && !strings.Contains(err.Error(), "./evergate.yaml") {
		t.Errorf("the default files: %v", err)
	}
}

func TestDataDir_IsFoundInAFileThatIsOtherwiseWrong(t *testing.T) {
	path := write(t, "evergate.yaml", "listn: x\nnode: {data_dir: var}\n")
	if got, err := DataDir(path); got != filepath.Join(filepath.Dir(path), "var") || err != nil {
		t.Errorf("%s, %v", got, err)
	}
	path = write(t, "evergate.yaml", "sites: []\n")
	if got, err := DataDir(path); got != filepath.Join(filepath.Dir(path), "evergate-data") || err != nil {
		t.Errorf("%s, %v", got, err)
	}
	if _, err := DataDir(write(t, "evergate.yaml", "node: {data_dir: [a]}\n")); err == nil {
		t.Error("a list is no data_dir")
	}
}
