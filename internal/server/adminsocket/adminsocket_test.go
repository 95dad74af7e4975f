package adminsocket

import (
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strings"
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
	listener.Close()
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
	tests := []struct{ name, path, want string }{
		{"a socket on which somebody answers", live, "already running"},
		{"something that is no socket", file, "something else"},
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
