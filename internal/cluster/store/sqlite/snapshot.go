package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"syscall"

	"github.com/evergate/evergate/internal/cluster/store/dialect"
)

// Snapshot writes one moment of the database into a new file at path, for its user
// only, while others go on writing. The file is on the disk when it returns.
func (db *DB) Snapshot(ctx context.Context, path string) error {
	doing := "copy " + db.opts.path() + " to " + path
	if made, err := create(path); err != nil {
		return err
	} else if !made {
		return fmt.Errorf("%s: it is there already", doing)
	}
	// Not a reader of the pool: VACUUM is no query, though it changes nothing here.
	source, err := sql.Open("sqlite", uri(db.opts.path(), url.Values{"mode": {"ro"}}))
	if err != nil {
		return classify(doing, err)
	}
	defer source.Close()
	if _, err := source.ExecContext(ctx, "VACUUM INTO $1", path); err != nil {
		return classify(doing, err)
	}
	return syncFile(path)
}

func syncFile(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return classifySystem("open "+path, err)
	}
	defer file.Close()
	if err := file.Sync(); err != nil {
		return &dialect.Fault{Kind: dialect.ErrReadOnly, Doing: "fsync " + path, Advice: adviceSync, Err: err}
	}
	return nil
}

// Verify looks through a whole database file that nobody uses and returns which
// one it is and the version of its schema, as kept in versionTable. ErrCorrupt
// says that it is damaged.
func Verify(ctx context.Context, path, versionTable string) (id dialect.Identity, version int64, err error) {
	doing := "check " + path
	file, err := sql.Open("sqlite", writeURI(path))
	if err != nil {
		return id, 0, classify(doing, err)
	}
	defer file.Close()
	var verdict string
	if err := file.QueryRowContext(ctx, "PRAGMA integrity_check(1)").Scan(&verdict); err != nil {
		return id, 0, classify(doing, err)
	}
	if verdict != "ok" {
		return id, 0, &dialect.Fault{Kind: dialect.ErrCorrupt, Doing: doing, Err: errors.New(verdict)}
	}
	if id, err = identify(ctx, file); err != nil {
		return id, 0, fmt.Errorf("%s: it is no database of Evergate: %w", doing, err)
	}
	err = file.QueryRowContext(ctx, "SELECT max(version_id) FROM "+versionTable).Scan(&version)
	return id, version, classify(doing, err)
}

// ErrInUse says that an Evergate on this machine has the database open.
var ErrInUse = errors.New("an Evergate is running with it")

// LockAlone keeps every Evergate away from the database in dir until release.
func LockAlone(dir string) (release func(), err error) {
	path := filepath.Join(dir, hostFile)
	lock, err := lockHostFile(path, syscall.LOCK_EX)
	if errors.Is(err, dialect.ErrBusy) {
		return nil, fmt.Errorf("use %s: %w; stop it first", filepath.Join(dir, FileName), ErrInUse)
	}
	if err != nil {
		return nil, err
	}
	return func() {
		_ = os.Remove(path) // the next one to open the database makes its own
		lock.Close()
	}, nil
}

// Files are the names that belong to a database beside its own.
func Files(path string) []string { return []string{path + "-wal", path + "-shm"} }
