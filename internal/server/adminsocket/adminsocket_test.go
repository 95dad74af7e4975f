package adminsocket

import (
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// shortDir is a folder whose path leaves room for a socket's name.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "eg") // 0700
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// deadSocket leaves a socket on which nobody listens.
func deadSocket(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "dead.sock")
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	listener.SetUnlinkOnClose(false)
	listener.Close()
	return path
}

func mode(t *testing.T, path string) os.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode().Perm()
}

func TestListen_IsForItsOwnerWhereThereIsNoGroup(t *testing.T) {
	dir := shortDir(t)
	path := filepath.Join(dir, Name)
	listener, shared, err := Listen(path, "no-such-group-here")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if shared || mode(t, path) != 0o600 || mode(t, dir) != 0o700 {
		t.Errorf("shared %t, socket %o, folder %o; want false, 600, 700", shared, mode(t, path), mode(t, dir))
	}
}

func TestListen_LetsTheGroupThroughTheFolderToTheSocket(t *testing.T) {
	mine, err := user.LookupGroupId(currentGroup(t))
	if err != nil {
		t.Skipf("this user's group has no name: %v", err)
	}
	dir := shortDir(t)
	path := filepath.Join(dir, Name)
	listener, shared, err := Listen(path, mine.Name)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if !shared || mode(t, path) != 0o660 || mode(t, dir) != 0o710 {
		t.Errorf("shared %t, socket %o, folder %o; want true, 660, 710", shared, mode(t, path), mode(t, dir))
	}
}

func currentGroup(t *testing.T) string {
	t.Helper()
	me, err := user.Current()
	if err != nil {
		t.Skipf("this user is not known: %v", err)
	}
	return me.Gid
}

func TestListen_ReplacesADeadProcessesSocket(t *testing.T) {
	path := deadSocket(t, shortDir(t))
	listener, _, err := Listen(path, "no-such-group-here")
	if err != nil {
		t.Fatal(err)
	}
	if err := listener.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); err == nil {
		t.Error("the socket is still there after its end")
	}
	if err := listener.Close(); err != nil {
		t.Errorf("a second end: %v", err)
	}
}

func TestListen_LeavesTheSocketOfTheNextProcessAlone(t *testing.T) {
	path := filepath.Join(shortDir(t), Name)
	first, _, err := Listen(path, "no-such-group-here")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil { // by a person, to start another one
		t.Fatal(err)
	}
	second, _, err := Listen(path, "no-such-group-here")
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if err := first.Close(); err != nil {
		t.Error(err)
	}
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatalf("the second socket has gone with the first: %v", err)
	}
	conn.Close()
}

func TestListen_WritesThroughNoLink(t *testing.T) {
	dir, elsewhere := shortDir(t), shortDir(t)
	victim := filepath.Join(elsewhere, "victim")
	if err := os.WriteFile(victim, []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, Name)
	for _, target := range []string{victim, elsewhere, filepath.Join(elsewhere, "none")} {
		if err := os.Symlink(target, path); err != nil {
			t.Fatal(err)
		}
		if _, _, err := Listen(path, Group); err == nil || !strings.Contains(err.Error(), "something else") {
			t.Errorf("at a link to %s: %v", target, err)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	// The folder in which it is made: a link there is removed, and not followed.
	if err := os.Symlink(elsewhere, filepath.Join(dir, nursery)); err != nil {
		t.Fatal(err)
	}
	listener, _, err := Listen(path, "no-such-group-here")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if text, err := os.ReadFile(victim); err != nil || string(text) != "mine" || mode(t, victim) != 0o644 {
		t.Errorf("the file behind the link: %q, %v", text, err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("in the folder are %v, %v; want the socket alone", left, err)
	}
}

// TestListen_IsForItsOwnerAtEveryMoment opens sockets in a folder that everybody can
// enter, without a umask, while somebody looks at the path all the time.
func TestListen_IsForItsOwnerAtEveryMoment(t *testing.T) {
	dir := shortDir(t)
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	defer syscall.Umask(syscall.Umask(0))
	path := filepath.Join(dir, Name)
	done := make(chan struct{})
	seen := make(chan os.FileMode, 1)
	go func() {
		defer close(seen)
		for {
			for _, name := range []string{path, filepath.Join(dir, nursery)} {
				info, err := os.Lstat(name)
				if err == nil && info.Mode().Perm()&0o077 != 0 {
					seen <- info.Mode()
					return
				}
			}
			select {
			case <-done:
				return
			default:
			}
		}
	}()
	for range 200 {
		listener, _, err := Listen(path, "no-such-group-here")
		if err != nil {
			t.Fatal(err)
		}
		listener.Close()
	}
	close(done)
	if mode, bad := <-seen; bad {
		t.Errorf("for a moment its mode was %s", mode)
	}
}

func TestListen_GivesTheGroupNothingButTheWayToTheSocket(t *testing.T) {
	mine, err := user.LookupGroupId(currentGroup(t))
	if err != nil {
		t.Skipf("this user's group has no name: %v", err)
	}
	for before, want := range map[os.FileMode]os.FileMode{0o700: 0o710, 0o750: 0o710, 0o770: 0o710, 0o755: 0o715, 0o710: 0o710} {
		dir := shortDir(t)
		if err := os.Chmod(dir, before); err != nil {
			t.Fatal(err)
		}
		listener, shared, err := Listen(filepath.Join(dir, Name), mine.Name)
		if err != nil {
			t.Fatal(err)
		}
		listener.Close()
		if got := mode(t, dir); !shared || got != want {
			t.Errorf("a folder of mode %o has %o after it, want %o", before, got, want)
		}
	}
}

func TestListen_Refuses(t *testing.T) {
	dir := shortDir(t)
	live := filepath.Join(dir, Name)
	listener, _, err := Listen(live, "no-such-group-here")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(dir, "folder")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, path, want string }{
		{"a socket on which somebody answers", live, "already running"},
		{"something that is no socket", file, "something else"},
		{"a folder", folder, "something else"},
		{"a path that is too long for a socket", filepath.Join(dir, strings.Repeat("x", 120)), "shorter node.data_dir"},
		{"a folder that is not there", filepath.Join(dir, "no", "sock"), "open admin socket"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, _, err := Listen(tt.path, Group); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
	if _, err := os.Stat(file); err != nil {
		t.Error("the file was removed")
	}
}
