package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/evergate/evergate/internal/cluster/store/dialect"
)

const (
	connectTimeout = 3 * time.Second  // to reach one host of the URL and log in
	writeLimit     = 5 * time.Second  // of a transaction whose caller gives more, or no, deadline
	idleLimit      = 10 * time.Second // after which the server ends a transaction whose client is gone
	userTimeout    = 6 * time.Second  // without an acknowledgement, after which the kernel gives a connection up
	poolSize       = 8                // connections of one node
)

// Config is where the database is. Its zero value is of no use; see Parse.
type Config struct {
	conn *pgx.ConnConfig
}

// Parse reads a PostgreSQL URL, with several hosts if need be. Its errors never
// show the password.
func Parse(url string) (Config, error) {
	if !strings.HasPrefix(url, "postgres://") && !strings.HasPrefix(url, "postgresql://") {
		// Not quoted: what is no URL may be a password that slipped.
		return Config{}, errors.New("read store.url: want postgres://USER:PASSWORD@HOST:PORT/DATABASE")
	}
	conn, err := pgx.ParseConfig(url)
	if err != nil {
		return Config{}, fmt.Errorf("read store.url: %w; want postgres://USER:PASSWORD@HOST:PORT/DATABASE", hidden(err))
	}
	conn.ConnectTimeout = cmp.Or(conn.ConnectTimeout, connectTimeout)
	conn.DialFunc = dialer().DialContext
	// No prepared statements: PgBouncer may give each transaction another server
	// connection, and a newer release may alter a table under a prepared one.
	conn.DefaultQueryExecMode = pgx.QueryExecModeExec
	if conn.RuntimeParams["application_name"] == "" {
		conn.RuntimeParams["application_name"] = "evergate"
	}
	// Of several hosts the one that takes writes, whatever the URL says about it:
	// a standby serves no purpose here.
	conn.ValidateConnect = wantPrimary
	return Config{conn: conn}, nil
}

// wantPrimary refuses a server that takes no writes.
func wantPrimary(ctx context.Context, conn *pgconn.PgConn) error {
	err := pgconn.ValidateConnectTargetSessionAttrsReadWrite(ctx, conn)
	var raised *pgconn.PgError
	if err == nil || broken(err) || errors.As(err, &raised) {
		return err
	}
	return &dialect.Fault{Kind: dialect.ErrUnavailable, Doing: "look for the primary", Advice: adviceStandby, Err: err}
}

// hidden takes the URL out of a parse error: pgx hides the password as well as it
// can, which for a malformed URL is not always.
func hidden(err error) error {
	var parse *pgconn.ParseConfigError
	if !errors.As(err, &parse) {
		return errors.New("it is malformed")
	}
	text := parse.Error()
	if _, after, found := strings.Cut(text, "`: "); found {
		text = after
	}
	if reason, _, found := strings.Cut(text, " ("); found { // the cause may quote the URL again
		text = reason
	}
	return errors.New(text)
}

// dialer finds out about a dead line in seconds: without these a connection to a
// host that vanished hangs for a quarter of an hour.
func dialer() *net.Dialer {
	return &net.Dialer{
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 5 * time.Second, Interval: 2 * time.Second, Count: 3},
		Control: func(_, _ string, raw syscall.RawConn) error {
			return raw.Control(func(fd uintptr) { setUserTimeout(int(fd), userTimeout) })
		},
	}
}

// String says where the database is, without the password.
func (c Config) String() string {
	return fmt.Sprintf("PostgreSQL %s at %s:%d", c.conn.Database, c.conn.Host, c.conn.Port)
}

// DumpHint is a command that backs the database up; pg_dump asks for the password
// or finds it in ~/.pgpass.
func (c Config) DumpHint() string {
	return fmt.Sprintf("pg_dump --format=custom --file=evergate.dump --host=%s --port=%d --username=%s %s",
		c.conn.Host, c.conn.Port, c.conn.User, c.conn.Database)
}
