package setting

import (
	"database/sql"
	"encoding/json"
	"time"

	"github.com/evergate/evergate/internal/cluster/store"
)

// The queries on versions. A time in a row is Unix milliseconds.

const versionColumns = `key, version, rev, id, value, actor, reason, origin_node, at, recorded_at`

// placeOf returns the id of the store, the rev of its last change, and the id of the
// change that has the given rev, "" for none.
func placeOf(tx *store.Tx, rev int64) (id string, head int64, at string, err error) {
	var found sql.NullString
	err = tx.QueryRow(`SELECT i.id, h.rev, (SELECT s.id FROM setting AS s WHERE s.rev = $1)
		FROM store_identity AS i, setting_head AS h WHERE i.one = 1 AND h.one = 1`, rev).Scan(&id, &head, &found)
	return id, head, found.String, err
}

// currentOf returns the last version of key, one with Number 0 if it has none.
func currentOf(tx *store.Tx, key string) (Version, error) {
	v, err := scanVersion(tx.QueryRow(`SELECT `+versionColumns+` FROM setting WHERE key = $1 ORDER BY version DESC LIMIT 1`, key))
	if store.NoRows(err) {
		return Version{Key: key}, nil
	}
	return v, err
}

// numberOf returns the number of the change with this id, 0 if the store has none.
func numberOf(tx *store.Tx, id string) (number int64, err error) {
	err = tx.QueryRow(`SELECT version FROM setting WHERE id = $1`, id).Scan(&number)
	if store.NoRows(err) {
		return 0, nil
	}
	return number, err
}

// actedOn returns when a human changed key last.
func actedOn(tx *store.Tx, key string) (time.Time, error) {
	var at sql.NullInt64
	err := tx.QueryRow(`SELECT MAX(at) FROM setting WHERE key = $1 AND actor <> $2`, key, Automatic).Scan(&at)
	if err != nil || !at.Valid {
		return time.Time{}, err
	}
	return moment(at.Int64), nil
}

// insert records v as it is.
func insert(tx *store.Tx, v Version) error {
	_, err := tx.Exec(`INSERT INTO setting (`+versionColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		v.Key, v.Number, v.Rev, v.ID, v.Value, v.Actor, v.Reason, v.Node, v.At, v.RecordedAt)
	return err
}

// since returns the versions with a rev above rev, in the order of commit.
func since(tx *store.Tx, rev int64) ([]Version, error) {
	return versions(tx, `SELECT `+versionColumns+` FROM setting WHERE rev > $1 ORDER BY rev`, rev)
}

// latest returns the last n versions of all keys, in the order of commit.
func latest(tx *store.Tx, n int) ([]Version, error) {
	return versions(tx, `SELECT * FROM (SELECT `+versionColumns+` FROM setting ORDER BY rev DESC LIMIT $1) AS last ORDER BY rev`, n)
}

// allCurrent returns the last version of every key, by key.
func allCurrent(tx *store.Tx) ([]Version, error) {
	return versions(tx, `SELECT `+versionColumns+` FROM setting AS s
		WHERE version = (SELECT MAX(version) FROM setting WHERE key = s.key) ORDER BY key`)
}

// historyOf returns at most limit versions of key with numbers below before, the
// last one first.
func historyOf(tx *store.Tx, key string, before int64, limit int) ([]Version, error) {
	return versions(tx, `SELECT `+versionColumns+` FROM setting WHERE key = $1 AND version < $2 ORDER BY version DESC LIMIT $3`, key, before, limit)
}

func versions(tx *store.Tx, query string, args ...any) ([]Version, error) {
	rows, err := tx.Query(query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []Version
	for rows.Next() {
		v, err := scanVersion(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, rows.Err()
}

// scanner is a row.
type scanner interface{ Scan(dest ...any) error }

func scanVersion(row scanner) (v Version, err error) {
	var value sql.NullString
	var at, recordedAt int64
	err = row.Scan(&v.Key, &v.Number, &v.Rev, &v.ID, &value, &v.Actor, &v.Reason, &v.Node, &at, &recordedAt)
	v.Value, v.At, v.RecordedAt = raw(value), moment(at), moment(recordedAt)
	return v, err
}

func raw(value sql.NullString) json.RawMessage {
	if !value.Valid {
		return nil
	}
	return json.RawMessage(value.String)
}

func moment(millis int64) time.Time { return time.UnixMilli(millis).UTC() }
