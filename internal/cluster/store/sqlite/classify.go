package sqlite

import (
	"context"
	"errors"
	"fmt"

	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"github.com/evergate/evergate/internal/cluster/store/dialect"
)

// classify gives err its kind, with doing for what was going on. What is no
// failure of the store, as a mistake in a query, comes back as it is.
func classify(doing string, err error) error {
	var known *dialect.Fault
	if err == nil || errors.As(err, &known) {
		return err
	}
	fault := func(kind error, advice string) error {
		return &dialect.Fault{Kind: kind, Doing: doing, Advice: advice, Err: err}
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return fault(dialect.ErrUnavailable, adviceSlow)
	}
	var raised *sqlite.Error
	if !errors.As(err, &raised) {
		return err
	}
	if kind, ok := constraints[raised.Code()]; ok {
		return fault(kind, "")
	}
	switch raised.Code() {
	case lib.SQLITE_IOERR_FSYNC, lib.SQLITE_IOERR_DIR_FSYNC:
		return fault(dialect.ErrReadOnly, adviceSync)
	case lib.SQLITE_IOERR_SHMSIZE: // the index of the write-ahead log could not grow
		return fault(dialect.ErrFull, adviceFull)
	case lib.SQLITE_IOERR_CORRUPTFS:
		return fault(dialect.ErrCorrupt, adviceCorrupt)
	}
	switch raised.Code() & 0xff { // the rest of the bits says more than a caller decides by
	case lib.SQLITE_BUSY, lib.SQLITE_LOCKED, lib.SQLITE_PROTOCOL:
		return fault(dialect.ErrBusy, adviceBusy)
	case lib.SQLITE_FULL:
		return fault(dialect.ErrFull, adviceFull)
	case lib.SQLITE_CORRUPT, lib.SQLITE_NOTADB:
		return fault(dialect.ErrCorrupt, adviceCorrupt)
	case lib.SQLITE_READONLY, lib.SQLITE_CANTOPEN, lib.SQLITE_PERM, lib.SQLITE_AUTH:
		return fault(dialect.ErrUnavailable, adviceAccess)
	case lib.SQLITE_IOERR:
		return fault(dialect.ErrUnavailable, adviceDisk)
	case lib.SQLITE_NOMEM, lib.SQLITE_INTERRUPT:
		return fault(dialect.ErrUnavailable, adviceSlow)
	}
	return err
}

// constraints by SQLite's extended code.
var constraints = map[int]error{
	lib.SQLITE_CONSTRAINT_UNIQUE:     dialect.ErrUnique,
	lib.SQLITE_CONSTRAINT_PRIMARYKEY: dialect.ErrUnique,
	lib.SQLITE_CONSTRAINT_ROWID:      dialect.ErrUnique,
	lib.SQLITE_CONSTRAINT_FOREIGNKEY: dialect.ErrForeignKey,
	lib.SQLITE_CONSTRAINT_CHECK:      dialect.ErrCheck,
	lib.SQLITE_CONSTRAINT_NOTNULL:    dialect.ErrCheck,
	lib.SQLITE_CONSTRAINT_DATATYPE:   dialect.ErrCheck,
}

const (
	adviceBusy    = "Another program holds the lock of core.db: a sqlite3 shell with an open transaction, or a backup tool that copies the file. \"fuser -v core.db\" in data_dir names it. Evergate carries on by itself once the lock is let go."
	adviceFull    = "The disk of data_dir is full. Free some space there; Evergate carries on by itself."
	adviceCorrupt = "core.db is damaged. Keep a copy of it, look at the disk's health (dmesg, smartctl), stop Evergate and bring a backup back with \"evergate store restore FILE\". Until then the door serves with the settings it last knew."
	adviceSync    = "The disk of data_dir did not confirm a write, so nothing more is written to core.db. Look at the disk's health (dmesg, smartctl), move data_dir to a sound disk if need be, and restart Evergate."
	adviceAccess  = "core.db or its folder cannot be written to. Both must belong to the user that Evergate runs as, on a disk that is not mounted read-only."
	adviceDisk    = "The disk of data_dir answers with errors. Look at its health (dmesg, smartctl)."
	adviceSlow    = "The disk of data_dir takes too long. Look at what else uses it (iostat) and at its health (dmesg, smartctl)."
	adviceMoved   = "core.db was removed, renamed or replaced while Evergate had it open. Put it back, or leave it: Evergate opens what is there now."
	adviceNetwork = "SQLite's locks do not hold on network file systems. Put node.data_dir on a local disk, or use PostgreSQL (store.url)."
)

// adviceHost says who has the file and how to go on when that is not so.
func adviceHost(file string) string {
	return fmt.Sprintf("A file serves one machine. Stop Evergate on the other one, or use PostgreSQL (store.url) for several nodes. When you are sure that no other machine uses this folder, remove %s and start again.", file)
}
