package certstore

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/evergate/evergate/internal/cluster/lease"
	"github.com/evergate/evergate/internal/cluster/store"
)

const (
	tombstone    = "-"                 // value of a key that was deleted; no base64 text is one
	tombstoneAge = 90 * 24 * time.Hour // after which a node that was away may bring a deleted file back
)

// errDamaged says that a row cannot be read.
var errDamaged = errors.New("it is damaged")

// table is cert_file: one row for each key, its value in base64.
type table struct{ store lease.Store }

func encode(f file) string {
	if f.deleted {
		return tombstone
	}
	return base64.StdEncoding.EncodeToString(f.value)
}

func decode(key, value string, at int64) (file, error) {
	if value == tombstone {
		return file{key: key, deleted: true, at: at}, nil
	}
	content, err := base64.StdEncoding.DecodeString(value)
	if err != nil {
		return file{}, fmt.Errorf("read %s from the store: %w: %w", key, errDamaged, err)
	}
	return file{key: key, value: content, at: at}, nil
}

// put makes f the value of its key, whatever there was, and returns its time in
// the store: later than the one before it, than f's and than now.
func (t table) put(ctx context.Context, f file) (int64, error) {
	// Not a named result, here and below: a function that the store has given up
	// waiting for may still set it.
	var at int64
	err := t.store.Write(ctx, func(tx *store.Tx) error {
		return tx.QueryRow(`
			INSERT INTO cert_file (key, value, modified_at) VALUES ($1, $2, $3)
			ON CONFLICT (key) DO UPDATE SET
				value = excluded.value,
				modified_at = CASE WHEN cert_file.modified_at >= excluded.modified_at
					THEN cert_file.modified_at + 1 ELSE excluded.modified_at END
			RETURNING modified_at`,
			f.key, encode(f), max(f.at, tx.Now().UnixMilli())).Scan(&at)
	})
	if err != nil {
		return 0, fmt.Errorf("save %s in the store: %w", f.key, err)
	}
	return at, nil
}

// offer makes f the value of its key if the store has none, or an older one. It
// returns the time in the store, if that is of this very value now, and else 0.
func (t table) offer(ctx context.Context, f file) (int64, error) {
	var at int64
	err := t.store.Write(ctx, func(tx *store.Tx) error {
		at = 0
		value := encode(f)
		// Equal content takes the later time as well: a version of another node may
		// lie between the two.
		_, err := tx.Exec(`
			INSERT INTO cert_file (key, value, modified_at) VALUES ($1, $2, $3)
			ON CONFLICT (key) DO UPDATE SET value = excluded.value, modified_at = excluded.modified_at
			WHERE cert_file.modified_at < excluded.modified_at`,
			f.key, value, f.at)
		if err != nil {
			return err
		}
		err = tx.QueryRow(`SELECT modified_at FROM cert_file WHERE key = $1 AND value = $2`, f.key, value).Scan(&at)
		if store.NoRows(err) {
			return nil
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("bring %s to the store: %w", f.key, err)
	}
	return at, nil
}

// get returns the value of key, and whether there is one (tombstones included).
func (t table) get(ctx context.Context, key string) (file, bool, error) {
	var value string
	var at int64
	var found bool
	err := t.store.Read(ctx, func(tx *store.Tx) error {
		err := tx.QueryRow(`SELECT value, modified_at FROM cert_file WHERE key = $1`, key).Scan(&value, &at)
		found = err == nil
		if store.NoRows(err) {
			return nil
		}
		return err
	})
	if err != nil {
		return file{}, false, fmt.Errorf("read %s from the store: %w", key, err)
	}
	if !found {
		return file{}, false, nil
	}
	f, err := decode(key, value, at)
	return f, err == nil, err
}

// all returns every key, without its value.
func (t table) all(ctx context.Context) ([]file, error) {
	var files []file
	err := t.store.Read(ctx, func(tx *store.Tx) error {
		files = nil
		rows, err := tx.Query(`SELECT key, modified_at, CASE WHEN value = '-' THEN 1 ELSE 0 END FROM cert_file`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var f file
			var deleted int
			if err := rows.Scan(&f.key, &f.at, &deleted); err != nil {
				return err
			}
			f.deleted = deleted == 1
			files = append(files, f)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("list the certificates in the store: %w", err)
	}
	return files, nil
}

// below returns the keys that are not deleted and are key or below it.
func (t table) below(ctx context.Context, key string) ([]string, error) {
	var keys []string
	err := t.store.Read(ctx, func(tx *store.Tx) error {
		keys = nil
		// Not LIKE, which has wildcards of its own, nor an order, which is a locale's.
		rows, err := tx.Query(`SELECT key FROM cert_file WHERE value <> '-' AND (key = $1 OR substr(key, 1, $2) = $3)`,
			key, utf8.RuneCountInString(key)+1, key+"/")
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var k string
			if err := rows.Scan(&k); err != nil {
				return err
			}
			keys = append(keys, k)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("list %s in the store: %w", key, err)
	}
	return keys, nil
}

// prune forgets deletions that every node has long seen.
func (t table) prune(ctx context.Context) error {
	err := t.store.Write(ctx, func(tx *store.Tx) error {
		_, err := tx.Exec(`DELETE FROM cert_file WHERE value = '-' AND modified_at < $1`, tx.Now().Add(-tombstoneAge).UnixMilli())
		return err
	})
	if err != nil {
		return fmt.Errorf("forget old deletions of certificates: %w", err)
	}
	return nil
}
