package setting

import (
	"database/sql"
	"encoding/json"
	"time"

	"github.com/evergate/evergate/internal/cluster/store"
)

// The queries of this package. A time in a row is Unix milliseconds.

const versionColumns = `key, version, rev, id, value, actor, reason, origin_node, at, recorded_at`

// headOf returns the number of the last change.
func headOf(tx *store.Tx) (rev int64, err error) {
	err = tx.QueryRow(`SELECT rev FROM setting_head WHERE one = 1`).Scan(&rev)
	return rev, err
}

// nextRev takes the number of a change. It locks the row that holds it until tx
// ends, so numbers are in the order of commit. above lifts it past a number that
// was given out before the store lost its last commits.
func nextRev(tx *store.Tx, above int64) (rev int64, err error) {
	err = tx.QueryRow(`UPDATE setting_head SET rev = CASE WHEN rev < $1 THEN $1 ELSE rev END + 1 WHERE one = 1 RETURNING rev`, above).Scan(&rev)
	return rev, err
}

// currentOf returns the last version of key, the zero Version if it has none.
func currentOf(tx *store.Tx, key string) (Version, error) {
	v, err := scanVersion(tx.QueryRow(`SELECT `+versionColumns+` FROM setting WHERE key = $1 ORDER BY version DESC LIMIT 1`, key))
	if store.NoRows(err) {
		return Version{Key: key}, nil
	}
	return v, err
}

// recorded reports whether the change with this id is in the store.
func recorded(tx *store.Tx, id string) (bool, error) {
	var n int
	err := tx.QueryRow(`SELECT COUNT(*) FROM setting WHERE id = $1`, id).Scan(&n)
	return n > 0, err
}

// insert records v, whose number and rev are set.
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

const dueColumns = `id, key, kind, base_version, due_at, value, actor, reason, created_at, state, settled_at, note`

// insertDue records d, unless it is there already.
func insertDue(tx *store.Tx, d Due) error {
	var settled any
	if !d.Settled.IsZero() {
		settled = d.Settled
	}
	_, err := tx.Exec(`INSERT INTO setting_due (`+dueColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
		ON CONFLICT (id) DO NOTHING`,
		d.ID, d.Key, string(d.Kind), d.Based, d.At, d.Value, d.Actor, d.Reason, d.Created, string(d.State), settled, d.Note)
	return err
}

// settle takes a due change out of Pending and reports whether it was in it.
func settle(tx *store.Tx, id string, state DueState, at time.Time, note string) (bool, error) {
	result, err := tx.Exec(`UPDATE setting_due SET state = $1, settled_at = $2, note = $3 WHERE id = $4 AND state = 'pending'`,
		string(state), at, note, id)
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	return n == 1, err
}

// dueOf returns the due change with this id. ok is false if there is none.
func dueOf(tx *store.Tx, id string) (d Due, ok bool, err error) {
	d, err = scanDue(tx.QueryRow(`SELECT `+dueColumns+` FROM setting_due WHERE id = $1`, id))
	if store.NoRows(err) {
		return Due{}, false, nil
	}
	return d, err == nil, err
}

// dues returns those that wait, the next one first, and then those that were
// settled lately, the last one first.
func dues(tx *store.Tx) ([]Due, error) {
	waiting, err := selectDues(tx, `SELECT `+dueColumns+` FROM setting_due WHERE state = 'pending' ORDER BY due_at, id LIMIT $1`, maxDue)
	if err != nil {
		return nil, err
	}
	settled, err := selectDues(tx, `SELECT `+dueColumns+` FROM setting_due WHERE state <> 'pending' ORDER BY settled_at DESC, id LIMIT $1`, keptSettled)
	return append(waiting, settled...), err
}

// overdue returns those that wait and whose time has come at now, in its order.
func overdue(tx *store.Tx, now time.Time) ([]Due, error) {
	return selectDues(tx, `SELECT `+dueColumns+` FROM setting_due WHERE state = 'pending' AND due_at <= $1 ORDER BY due_at, id LIMIT 100`, now)
}

// waiting counts the due changes that wait.
func waiting(tx *store.Tx) (n int, err error) {
	err = tx.QueryRow(`SELECT COUNT(*) FROM setting_due WHERE state = 'pending'`).Scan(&n)
	return n, err
}

func selectDues(tx *store.Tx, query string, args ...any) ([]Due, error) {
	rows, err := tx.Query(query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []Due
	for rows.Next() {
		d, err := scanDue(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, d)
	}
	return all, rows.Err()
}

func scanDue(row scanner) (d Due, err error) {
	var value sql.NullString
	var at, created int64
	var settled sql.NullInt64
	err = row.Scan(&d.ID, &d.Key, &d.Kind, &d.Based, &at, &value, &d.Actor, &d.Reason, &created, &d.State, &settled, &d.Note)
	d.Value, d.At, d.Created = raw(value), moment(at), moment(created)
	if settled.Valid {
		d.Settled = moment(settled.Int64)
	}
	return d, err
}

func raw(value sql.NullString) json.RawMessage {
	if !value.Valid {
		return nil
	}
	return json.RawMessage(value.String)
}

func moment(millis int64) time.Time { return time.UnixMilli(millis).UTC() }
