package keyring

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	text1 = "8J+RqQ/an-operators-key-in-base64/aaaaaaaaaa="
	text2 = "an older key of the same operator, long enough"
)

func TestOpen_ReadsKeysThatAreGiven(t *testing.T) {
	own := string(format(Sticky, []Key{newKey([]byte(text1), someTime), newKey([]byte(text2), someTime)}))
	raw := strings.Repeat("\x00\xff\n", 12)
	tests := []struct {
		name    string
		content string
		want    []string // secrets, the newest first
	}{
		{"one line", text1 + "\n", []string{text1}},
		{"one line without its end", text1, []string{text1}},
		{"the newest first, with remarks", "# since March\r\n" + text1 + "\r\n\n  # before\n" + text2 + "\n", []string{text1, text2}},
		{"bytes as they are", raw, []string{raw}},
		{"a file that another node's Evergate made", own, []string{text1, text2}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir, credentials := t.TempDir(), t.TempDir()
			put(t, filepath.Join(credentials, "evergate-sticky"), tt.content, 0o440)
			if err := os.Symlink(filepath.Join(credentials, "evergate-sticky"), filepath.Join(dir, "link")); err != nil {
				t.Fatal(err)
			}
			for _, source := range []Source{{File: filepath.Join(dir, "link")}, {Credential: "evergate-sticky"}} {
				r, log := opened(t, dir, Options{Sources: map[string]Source{Sticky: source}, Credentials: credentials})
				var got []string
				for _, k := range r.All(Sticky) {
					got = append(got, string(k.Secret()))
				}
				if strings.Join(got, "|") != strings.Join(tt.want, "|") || log.Len() > 0 {
					t.Errorf("%+v gave %q, want %q; logged %s", source, got, tt.want, log)
				}
				if _, err := r.Rotate(Sticky); !errors.Is(err, ErrGiven) || !strings.Contains(err.Error(), "evergate reload") {
					t.Errorf("Rotate said %v", err)
				}
				if got, ok := r.Given(Sticky); !ok || got != source {
					t.Errorf("Given said %v, %t", got, ok)
				}
			}
			if files, _ := Files(dir); files != nil {
				t.Errorf("a key that is given was made as well: %v", files)
			}
		})
	}
}

func TestOpen_FindsTheFolderOfCredentialsInItsEnvironment(t *testing.T) {
	credentials := t.TempDir()
	put(t, filepath.Join(credentials, "key"), text1, 0o400)
	t.Setenv("CREDENTIALS_DIRECTORY", credentials)
	r, _ := opened(t, t.TempDir(), Options{Sources: map[string]Source{Sticky: {Credential: "key"}}})
	if got := string(r.Current(Sticky).Secret()); got != text1 {
		t.Errorf("read %q", got)
	}
}

func TestOpen_SaysWhatIsWrongWithAKeyThatIsGiven(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("CREDENTIALS_DIRECTORY", "")
	put(t, dir+"/empty", "", 0o600)
	put(t, dir+"/remarks", "# nothing\n\n", 0o600)
	put(t, dir+"/short", "secret\n", 0o600)
	put(t, dir+"/raw", "\x00\x01", 0o600)
	put(t, dir+"/twice", text1+"\n"+text1+"\n", 0o600)
	put(t, dir+"/many", strings.Repeat(text1+"\n", KeepOld+2), 0o600)
	put(t, dir+"/large", strings.Repeat("x", most+1), 0o600)
	put(t, dir+"/open", text1, 0o666)
	put(t, dir+"/other", strings.Replace(string(format(Sticky, []Key{newKey([]byte(text1), someTime)})), Sticky, "other", 1), 0o600)
	tests := []struct {
		name   string
		source Source
		want   string
	}{
		{"nothing set", Source{}, "neither file nor credential is set"},
		{"both set", Source{File: "a", Credential: "b"}, "keep one of them"},
		{"no such file", Source{File: dir + "/none"}, "no such file"},
		{"a folder", Source{File: dir}, "is not a plain file"},
		{"an empty file", Source{File: dir + "/empty"}, "openssl rand"},
		{"only remarks", Source{File: dir + "/remarks"}, "it is empty"},
		{"a password", Source{File: dir + "/short"}, "6 bytes long, at least 32"},
		{"too few bytes", Source{File: dir + "/raw"}, "2 bytes long, at least 32"},
		{"a key twice", Source{File: dir + "/twice"}, "is in it twice"},
		{"too many", Source{File: dir + "/many"}, "keep the newest 5"},
		{"something else", Source{File: dir + "/large"}, "is no file of keys"},
		{"written by everybody", Source{File: dir + "/open"}, "chmod 600 " + dir + "/open"},
		{"of another purpose", Source{File: dir + "/other"}, `the keys of "other"`},
		{"systemd gave nothing", Source{Credential: "key"}, "LoadCredential=key:"},
		{"a path as a credential", Source{Credential: "../key"}, "to read a path, set file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Open(t.TempDir(), Options{Sources: map[string]Source{Sticky: tt.source}})
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "keys.sticky") {
				t.Fatalf("said %v, want %q", err, tt.want)
			}
			if strings.Contains(err.Error(), text1) {
				t.Errorf("tells the secret: %v", err)
			}
		})
	}
}

func TestRing_ReloadKeepsWhatThereIsWhenTheNewIsBad(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "given")
	put(t, path, text1, 0o600)
	sources := map[string]Source{Sticky: {File: path}}
	r, _ := opened(t, dir, Options{Sources: sources})
	put(t, path, "short", 0o600)
	if err := r.Reload(sources); err == nil {
		t.Error("took a short key")
	}
	if got := string(r.Current(Sticky).Secret()); got != text1 {
		t.Errorf("the key is %q now", got)
	}
	put(t, path, text2+"\n"+text1, 0o600)
	if err := r.Reload(sources); err != nil {
		t.Fatal(err)
	}
	if got := string(r.Current(Sticky).Secret()); got != text2 || len(r.All(Sticky)) != 2 {
		t.Errorf("the key is %q, of %d", got, len(r.All(Sticky)))
	}
}
