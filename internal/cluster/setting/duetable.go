package setting

import (
	"database/sql"
	"time"

	"github.com/evergate/evergate/internal/cluster/store"
)

// The queries on due changes.

const dueColumns = `id, key, kind, base_version, due_at, value, actor, reason, created_at, state, settled_at, note`

// insertDue records d, unless it is there already, and reports whether it did.
func insertDue(tx *store.Tx, d Due) (bool, error) {
	var settled any
	if !d.Settled.IsZero() {
		settled = d.Settled
	}
	result, err := tx.Exec(`INSERT INTO setting_due (`+dueColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
		ON CONFLICT (id) DO NOTHING`,
		d.ID, d.Key, string(d.Kind), d.Based, d.At, d.Value, d.Actor, d.Reason, d.Created, string(d.State), settled, d.Note)
	return one(result, err)
}

// settle takes d, as it was settled, out of Pending in the store, and reports whether
// it was in it.
func settle(tx *store.Tx, d Due) (bool, error) {
	result, err := tx.Exec(`UPDATE setting_due SET state = $1, settled_at = $2, note = $3 WHERE id = $4 AND state = 'pending'`,
		string(d.State), d.Settled, d.Note, d.ID)
	return one(result, err)
}

// rebase makes what waits for version from of key wait for version to: it has the same
// value, and nobody has changed it since.
func rebase(tx *store.Tx, key string, from, to int64) error {
	_, err := tx.Exec(`UPDATE setting_due SET base_version = $1 WHERE key = $2 AND base_version = $3 AND state = 'pending'`, to, key, from)
	return err
}

// one reports whether a statement changed a row.
func one(result sql.Result, err error) (bool, error) {
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

// waitingDues returns those that wait, the next one first.
func waitingDues(tx *store.Tx) ([]Due, error) {
	return selectDues(tx, `SELECT `+dueColumns+` FROM setting_due WHERE state = 'pending' ORDER BY due_at, id LIMIT $1`, 2*maxDue)
}

// settledDues returns those that were settled lately, the last one first.
func settledDues(tx *store.Tx) ([]Due, error) {
	return selectDues(tx, `SELECT `+dueColumns+` FROM setting_due WHERE state <> 'pending' ORDER BY settled_at DESC, id LIMIT $1`, keptSettled)
}

// settledLast returns when the last one was settled, the zero time if none was.
func settledLast(tx *store.Tx) (time.Time, error) {
	var at sql.NullInt64
	err := tx.QueryRow(`SELECT MAX(settled_at) FROM setting_due WHERE state <> 'pending'`).Scan(&at)
	if err != nil || !at.Valid {
		return time.Time{}, err
	}
	return moment(at.Int64), nil
}

// overdueDues returns those that wait and whose time has come at now, in its order, n
// at most.
func overdueDues(tx *store.Tx, now time.Time, n int) ([]Due, error) {
	return selectDues(tx, `SELECT `+dueColumns+` FROM setting_due WHERE state = 'pending' AND due_at <= $1 ORDER BY due_at, id LIMIT $2`, now, n)
}

// countWaiting counts the due changes that wait.
func countWaiting(tx *store.Tx) (n int, err error) {
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
