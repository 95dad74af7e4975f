package control

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// operator answers what it is told.
type operator struct {
	result Result
	status Status
	asked  context.Context
}

func (o *operator) Reload(ctx context.Context) Result { o.asked = ctx; return o.result }
func (o *operator) Status() Status                    { return o.status }

// serve runs op on a socket of its own and returns the socket's path.
func serve(t *testing.T, op Operator) string {
	t.Helper()
	path := filepath.Join(shortDir(t), SocketName)
	listener, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	server := Serve(listener, op, slog.New(slog.DiscardHandler))
	t.Cleanup(func() {
		if err := server.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return path
}

// shortDir is a folder whose path leaves room for a socket's name.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "eg")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func TestClient_GetsTheWholeResultOfAReload(t *testing.T) {
	tests := []struct {
		name string
		want Result
	}{
		{"one that took place", Result{OK: true, Config: "a.yaml", Warnings: []string{"w"}, Changes: []string{"c"}, Millis: 3}},
		{"one that kept the old configuration", Result{Config: "a.yaml", Problems: []string{"a.yaml:1: x", "a.yaml:2: y"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			op := &operator{result: tt.want}
			got, err := NewClient(serve(t, op)).Reload(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
			if op.asked.Done() != nil {
				t.Error("the reload would end with the one who asked for it")
			}
		})
	}
}

func TestClient_Status(t *testing.T) {
	want := Status{PID: 7, Version: "v1", Config: "a.yaml", Draining: true}
	got, err := NewClient(serve(t, &operator{status: want})).Status(t.Context())
	if err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
}

func TestClient_SaysThatNothingRuns(t *testing.T) {
	dir := shortDir(t)
	gone := filepath.Join(dir, "gone.sock")
	if _, err := NewClient(gone).Reload(t.Context()); !errors.Is(err, ErrNotRunning) {
		t.Errorf("without a socket: %v, want ErrNotRunning", err)
	}
	if _, err := NewClient(deadSocket(t, dir)).Reload(t.Context()); !errors.Is(err, ErrNotRunning) {
		t.Errorf("with a dead process's socket: %v, want ErrNotRunning", err)
	}
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

func TestListen_IsForItsOwnerOnly(t *testing.T) {
	path := filepath.Join(shortDir(t), SocketName)
	listener, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != 0o600 {
		t.Errorf("mode %o, want 600", got)
	}
}

func TestListen_ReplacesADeadProcessesSocket(t *testing.T) {
	path := deadSocket(t, shortDir(t))
	listener, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
}

func TestListen_Refuses(t *testing.T) {
	dir := shortDir(t)
	live := serve(t, &operator{})
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
			if _, err := Listen(tt.path); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
	if _, err := os.Stat(file); err != nil {
		t.Error("the file was removed")
	}
}
