package sqlite

import (
	"log/slog"
	"net/url"
	"path/filepath"
	"strconv"
	"time"

	"github.com/evergate/evergate/internal/clock"
)

// FileName is what the database of a node is called in its data_dir.
const FileName = "core.db"

const (
	busyTimeout = 5 * time.Second // how long a transaction waits for another program's lock
	jobLimit    = 5 * time.Second // how long the statements of one change may take

	// batchTime is when a batch is committed although more changes are waiting,
	// so that a slow one delays those before it by this much at most.
	batchTime = 10 * time.Millisecond
	batchSize = 256  // changes in one commit, at most
	queueSize = 1024 // changes that wait for a commit, at most; further callers wait to get in

	checkTime = 2 * time.Second // how long opening looks for damage; a large file is looked through in part

	walSoft = 4 << 20  // bytes of the write-ahead log from which it is copied into the database, beside the writers
	walHard = 64 << 20 // bytes from which the writers wait for that
)

// Options says which file and how.
type Options struct {
	Dir   string       // the folder of core.db; it must exist
	Host  string       // id of this machine; "" asks the system
	Log   *slog.Logger // not nil
	Clock clock.Clock  // the store's time

	beat time.Duration // of the sign of life in the host file; 0: hostBeat
}

func (o Options) path() string { return filepath.Join(o.Dir, FileName) }

// writeURI opens the file to read and write. A plain path would do as well, but
// with one the driver silently ignores mode=ro (guide durability, 2.5), so both
// ways to open are URIs. wal_autocheckpoint is off because SQLite swallows the
// error of a checkpoint's fsync (see checkpoint.go).
func writeURI(path string) string {
	return uri(path, url.Values{
		"_txlock":       {"immediate"},
		"_busy_timeout": {strconv.FormatInt(busyTimeout.Milliseconds(), 10)},
		"_journal_mode": {"WAL"},
		"_foreign_keys": {"1"},
		"_dqs":          {"0"},
		"_synchronous":  {"FULL"},
		"_pragma":       {"wal_autocheckpoint(0)"},
	})
}

// readURI opens the file for queries only.
func readURI(path string) string {
	return uri(path, url.Values{
		"mode":          {"ro"},
		"_query_only":   {"1"},
		"_busy_timeout": {strconv.FormatInt(busyTimeout.Milliseconds(), 10)},
		"_dqs":          {"0"},
	})
}

func uri(path string, query url.Values) string {
	if absolute, err := filepath.Abs(path); err == nil {
		path = absolute
	}
	return (&url.URL{Scheme: "file", Path: path, RawQuery: query.Encode()}).String()
}
