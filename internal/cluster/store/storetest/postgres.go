package storetest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// urlVariable names a PostgreSQL to use instead of one of our own; its user must
// be allowed to create databases.
const urlVariable = "EVERGATE_TEST_POSTGRES"

// server is the PostgreSQL of this test process: where its database "postgres"
// is, or why there is none.
var server = sync.OnceValues(startServer)

// errMissing says that there is no PostgreSQL here to start.
var errMissing = errors.New("needs postgresql (initdb and postgres)")

// Postgres returns the URL of a new and empty database, dropped when t ends. The
// server is a real one that this test process starts once, as an unprivileged
// user, and that ends with the process, however that ends. Where it cannot be
// had, t is skipped.
func Postgres(t testing.TB) string {
	t.Helper()
	admin, err := server()
	if errors.Is(err, errMissing) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatalf("start a PostgreSQL for the tests: %v", err)
	}
	name := "evergate_" + strings.ToLower(rand.Text()[:10])
	run(t, admin, "CREATE DATABASE "+name)
	t.Cleanup(func() { run(t, admin, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)") })
	return withDatabase(admin, name)
}

// Empty removes everything that is in the database of url, as somebody would who
// restores the wrong dump.
func Empty(t testing.TB, url string) {
	t.Helper()
	run(t, url, "DROP SCHEMA public CASCADE; CREATE SCHEMA public")
}

// run runs statements, one simple query.
func run(t testing.TB, url, statements string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	if _, err := conn.PgConn().Exec(ctx, statements).ReadAll(); err != nil {
		t.Fatalf("%s: %v", statements, err)
	}
}

// withDatabase returns the URL of another database of the same server.
func withDatabase(server, name string) string {
	u, err := url.Parse(server)
	if err != nil {
		return server
	}
	u.Path = "/" + name
	return u.String()
}

// startServer starts the server of this process.
func startServer() (url string, err error) {
	if url := os.Getenv(urlVariable); url != "" {
		return url, nil
	}
	bin, err := binaries()
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "evergate-pg-")
	if err != nil {
		return "", err
	}
	port, err := freePort()
	if err != nil {
		return "", err
	}
	if err := launch(bin, dir, port); err != nil {
		return "", err
	}
	url = fmt.Sprintf("postgres://evergate@127.0.0.1:%d/postgres?sslmode=disable", port)
	return url, waitServer(url, filepath.Join(dir, "log"))
}

// binaries returns the folder with initdb and postgres.
func binaries() (string, error) {
	var dirs []string
	if out, err := exec.Command("pg_config", "--bindir").Output(); err == nil {
		dirs = append(dirs, strings.TrimSpace(string(out)))
	}
	debian, _ := filepath.Glob("/usr/lib/postgresql/*/bin") //nolint:errcheck // the pattern is sound
	slices.Reverse(debian)                                  // the newest first
	for _, dir := range append(dirs, debian...) {
		if _, err := os.Stat(filepath.Join(dir, "initdb")); err != nil {
			continue
		}
		if _, err := os.Stat(filepath.Join(dir, "postgres")); err == nil {
			return dir, nil
		}
	}
	return "", errMissing
}

// script makes a cluster in $1 with the programs of $2, serves it on port $3, and
// ends and removes it when its standard input ends: that is a pipe from the test
// process, which the kernel closes even if that one is killed.
const script = `
"$2/initdb" -D "$1/data" -U evergate -A trust -E UTF8 --locale=C --no-sync >"$1/log" 2>&1 || exit 1
"$2/postgres" -D "$1/data" -k "$1" -p "$3" -c listen_addresses=127.0.0.1 \
	-c max_connections=200 -c shared_buffers=32MB -c log_min_messages=warning >>"$1/log" 2>&1 &
cat >/dev/null
kill -QUIT $!
wait $!
cd / && rm -rf "$1"
`

// launch starts the script, as the user postgres when this one is root, because
// PostgreSQL refuses root.
func launch(bin, dir string, port int) error {
	command := []string{"/bin/sh", "-c", script, "sh", dir, bin, strconv.Itoa(port)}
	if os.Getuid() == 0 {
		owner, err := user.Lookup("postgres")
		if err != nil {
			return errMissing
		}
		uid, _ := strconv.Atoi(owner.Uid) //nolint:errcheck // of the system's own file
		gid, _ := strconv.Atoi(owner.Gid) //nolint:errcheck // of the system's own file
		if err := os.Chown(dir, uid, gid); err != nil {
			return err
		}
		command = append([]string{"runuser", "-u", "postgres", "--"}, command...)
	}
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Dir = dir
	line, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	lifeline = line
	return nil
}

// lifeline is kept from the garbage collector, which would close it and so end
// the server.
var lifeline any

// waitServer waits until the server answers.
func waitServer(url, log string) error {
	var last error
	for deadline := time.Now().Add(60 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		conn, err := pgx.Connect(ctx, url)
		if err == nil {
			err = conn.Close(ctx)
		}
		cancel()
		if err == nil {
			return nil
		}
		last = err
	}
	text, err := os.ReadFile(log)
	if err != nil {
		text = []byte(err.Error())
	}
	return fmt.Errorf("no answer: %w; its log: %s", last, text)
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
