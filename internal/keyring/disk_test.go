package keyring

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

var someTime = time.Date(2026, 3, 1, 3, 4, 5, 0, time.UTC)

func TestOpen_SaysWhatToDoAboutItsOwnFile(t *testing.T) {
	good := string(format(Sticky, []Key{newKey([]byte(text1), someTime), newKey([]byte(text2), someTime)}))
	tests := []struct {
		name    string
		content string
		want    string
	}{
		{"empty", "", "it is empty"},
		{"of something else", "\x7fELF", "its first line"},
		{"of another purpose", strings.Replace(good, "keys sticky", "keys oidc", 1), `the keys of "oidc" and not of "sticky"`},
		{"cut in a line", good[:len(good)-30], "its end is missing"},
		{"cut after a line", strings.TrimSuffix(good, "end\n"), "its end is missing"},
		{"cut after its first line", "evergate keys sticky\n", "its end is missing"},
		{"without a key", "evergate keys sticky\nend\n", "no key in it"},
		{"with a flipped bit in a secret", strings.Replace(good, "OEorUnFRL2", "OEorUnFRM2", 1), "is damaged"},
		{"with a flipped bit in an id", strings.Replace(good, newKey([]byte(text1), someTime).ID, "0000000000000000", 1), `"0000000000000000" in it is damaged`},
		{"with a bad time", strings.Replace(good, "2026-03-01T", "2026-33-01T", 1), "the time of key"},
		{"with a field too many", strings.Replace(good, "Z ", "Z x ", 1), "three fields"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "keys", "sticky.key")
			if tt.content == good {
				t.Fatal("the case changes nothing")
			}
			put(t, path, tt.content, 0o600)
			if err := os.Chmod(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			_, err := Open(dir, Options{})
			if err == nil {
				t.Fatal("took it")
			}
			for _, want := range []string{tt.want, path, "put a copy of it back, or remove it"} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("said %v, want %q in it", err, want)
				}
			}
			if content, _ := os.ReadFile(path); string(content) != tt.content {
				t.Error("changed the file")
			}
		})
	}
}

func TestOpen_RefusesFilesThatOthersCouldHaveExchanged(t *testing.T) {
	good := string(format(Sticky, []Key{newKey([]byte(text1), someTime)}))
	tests := []struct {
		name   string
		change func(t *testing.T, keys, path string)
		want   string // "": taken
		warned bool
	}{
		{"as it should be", func(*testing.T, string, string) {}, "", false},
		{"readable by the group", func(t *testing.T, _, path string) { put(t, path, good, 0o640) }, "", true},
		{"readable by everybody", func(t *testing.T, _, path string) { put(t, path, good, 0o604) }, "", true},
		{"writable by the group", func(t *testing.T, _, path string) { put(t, path, good, 0o660) }, "chmod 600", false},
		{"a symbolic link", func(t *testing.T, keys, path string) {
			if err := os.Rename(path, keys+"/elsewhere"); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(keys+"/elsewhere", path); err != nil {
				t.Fatal(err)
			}
		}, "is a symbolic link", false},
		{"a folder", func(t *testing.T, _, path string) {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
		}, "not a plain file", false},
		{"a folder that everybody may write to", func(t *testing.T, keys, _ string) {
			if err := os.Chmod(keys, 0o777); err != nil {
				t.Fatal(err)
			}
		}, "chmod 700", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "keys", "sticky.key")
			put(t, path, good, 0o600)
			tt.change(t, filepath.Dir(path), path)
			if tt.want == "" {
				if _, log := opened(t, dir, Options{}); strings.Contains(log.String(), "chmod 600") != tt.warned {
					t.Errorf("logged %q", log)
				}
				return
			}
			if _, err := Open(dir, Options{}); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("said %v, want %q", err, tt.want)
			}
		})
	}
}

func TestOpen_ByRootLeavesTheFilesToTheUserOfTheFolder(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root gives files away")
	}
	const service = 65534
	dir := t.TempDir()
	if err := os.Chown(dir, service, service); err != nil {
		t.Fatal(err)
	}
	r, _ := opened(t, dir, Options{})
	if _, err := r.Rotate(Sticky); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"keys", "keys/lock", "keys/sticky.key"} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Sys().(*syscall.Stat_t).Uid; got != service {
			t.Errorf("%s belongs to user %d", name, got)
		}
	}
}

func TestOpen_TakesOverTheSecretOfAnEarlierVersion(t *testing.T) {
	secret := strings.Repeat("\x01\xfe", 16)
	tests := []struct {
		name    string
		prepare func(t *testing.T, dir string)
		taken   bool // is the secret the current key
		removed bool // is the former file gone
		want    string
	}{
		{"at the first start", func(t *testing.T, dir string) { put(t, dir+"/sticky.key", secret, 0o600) }, true, true, ""},
		{"after a crash between the two steps", func(t *testing.T, dir string) {
			put(t, dir+"/sticky.key", secret, 0o600)
			put(t, dir+"/keys/sticky.key", string(format(Sticky, []Key{newKey([]byte(secret), someTime)})), 0o600)
		}, true, true, ""},
		{"not when there is a key already", func(t *testing.T, dir string) {
			put(t, dir+"/sticky.key", secret, 0o600)
			put(t, dir+"/keys/sticky.key", string(format(Sticky, []Key{newKey([]byte(text1), someTime)})), 0o600)
		}, false, false, ""},
		{"not half of it", func(t *testing.T, dir string) { put(t, dir+"/sticky.key", secret[:31], 0o600) }, false, false, "is damaged; remove it and start again"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			tt.prepare(t, dir)
			r, err := Open(dir, Options{})
			if tt.want != "" {
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("said %v, want %q", err, tt.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := string(r.Current(Sticky).Secret()) == secret; got != tt.taken {
				t.Errorf("taken over: %t, want %t", got, tt.taken)
			}
			if _, err := os.Stat(filepath.Join(dir, "sticky.key")); os.IsNotExist(err) != tt.removed {
				t.Errorf("the former file: %v, want removed %t", err, tt.removed)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add(format(Sticky, []Key{newKey([]byte(text1), someTime), newKey([]byte(text2), someTime)}))
	f.Add([]byte("evergate keys sticky\nend\n"))
	f.Add([]byte(text1))
	f.Fuzz(func(t *testing.T, content []byte) {
		for _, read := range []func(string, []byte) ([]Key, error){parse, parseGiven} {
			keys, err := read(Sticky, content)
			if (len(keys) == 0) == (err == nil) && err == nil {
				t.Fatal("no key and no error")
			}
			if err != nil {
				continue
			}
			again, err := parse(Sticky, format(Sticky, keys))
			if err != nil || len(again) != len(keys) || again[0].ID != keys[0].ID {
				t.Fatalf("what was read is written as something else: %v, %v, %v", keys, again, err)
			}
		}
	})
}
