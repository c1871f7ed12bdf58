package fsck

import (
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"naru/vault"
)

// version is the newest migration that these checks know.
const version = 1

// objects is what the migrations made, by type. Dropping an index or a trigger is how a history is rewritten.
var objects = map[string][]string{
	"table": {
		"advice", "attempt", "balance", "cancel", "capture", "checkpoint", "event", "idempotency", "keyset", "migration", "notice",
		"notice_try", "operator_case", "posting", "reservation", "series",
	},
	"index": {
		"advice_due", "advice_once", "advice_open", "attempt_live", "cancel_open", "idempotency_running", "notice_due",
		"reservation_expiring",
	},
	"trigger": {"event_no_delete", "event_no_update", "posting_no_delete", "posting_no_update"},
	"view":    {},
}

var errVersion = errors.New("the database is of another version than this program")

func (x *run) schema() error {
	var at sql.NullInt64
	err := x.conn.QueryRowContext(x.ctx, "SELECT MAX(version_id) FROM migration WHERE is_applied").Scan(&at)
	if err != nil {
		return fmt.Errorf("%w: no migrations were recorded: %w", errVersion, err)
	}
	if at.Int64 != version {
		return fmt.Errorf("%w: migration %d, and %d is known here; use the program that serves it", errVersion, at.Int64, version)
	}
	there := map[string][]string{}
	err = x.each("SELECT type, name FROM sqlite_schema WHERE name NOT LIKE 'sqlite!_%' ESCAPE '!'", func(scan func(...any) error) error {
		var kind, name string
		err := scan(&kind, &name)
		there[kind] = append(there[kind], name)
		return err
	})
	if err != nil {
		return err
	}
	for kind, names := range objects {
		for _, name := range names {
			x.did("schema")
			if !slices.Contains(there[kind], name) {
				x.bad("schema", kind, name, "is missing")
			}
		}
		for _, name := range there[kind] {
			if !slices.Contains(names, name) {
				x.bad("schema", kind, name, "was not made by a migration")
			}
		}
	}
	return nil
}

func (x *run) integrity() error {
	return x.each("PRAGMA integrity_check(20)", func(scan func(...any) error) error {
		var says string
		if err := scan(&says); err != nil {
			return err
		}
		x.did("integrity")
		if says != "ok" {
			x.bad("integrity", "database", "-", "%s", says)
		}
		return nil
	})
}

// constraints are those of the tables. SQLite does not look at them in a database that it opened for reading only.
var constraints = []struct{ table, key, must string }{
	{"series", "name", "next >= 0"},
	{"idempotency", "account || '/' || request_id", "done IN (0, 1) AND done = (answer IS NOT NULL) AND done = (done_us IS NOT NULL)"},
	{"reservation", "id", "amount > 0 AND captured BETWEEN 0 AND amount AND held IN (0, 1)"},
	{"reservation", "id", "NOT held OR state IN ('RESERVED', 'CAPTURE_PENDING', 'CANCEL_PENDING', 'EXPIRED')"},
	{"attempt", "id", "state IN ('PREPARED', 'VOID', 'APPROVED', 'DECLINED', 'REVERSE_PENDING', 'REVERSED', 'CAPTURED', 'GONE')"},
	{"capture", "id", "amount > 0 AND state IN ('PENDING', 'SUCCESS', 'EXPIRED', 'REVOKED') AND (state = 'PENDING') = (done_us IS NULL)"},
	{"cancel", "id", "state IN ('PENDING', 'SUCCESS') AND (state = 'PENDING') = (done_us IS NULL)"},
	{"advice", "id", "amount > 0 AND kind IN ('REVERSAL', 'RELEASE_REST', 'COMPLETION') AND state IN ('QUEUED', 'DONE', 'STOPPED')"},
	{"event", "payment_id || '/' || n", "n > 0"},
	{"checkpoint", "n", "n > 0"},
	{"posting", "payment_id || '/' || event_n || '/' || k", "amount > 0 AND debit <> credit"},
	{"notice", "id", "kind IN ('capture-result', 'cancel-result') AND state IN ('QUEUED', 'SENT', 'PARKED')"},
	{"notice", "id", "(state = 'SENT') = (done_us IS NOT NULL)"},
}

func (x *run) constraints() error {
	for _, c := range constraints {
		x.did("constraints")
		query := "SELECT " + c.key + " FROM " + c.table + " WHERE (" + c.must + ") IS NOT TRUE"
		err := x.each(query, func(scan func(...any) error) error {
			var row string
			err := scan(&row)
			x.bad("constraints", c.table, row, "does not keep to %s", c.must)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (x *run) references() error {
	return x.each("PRAGMA foreign_key_check", func(scan func(...any) error) error {
		var table, parent string
		var row sql.NullInt64
		var key int64
		if err := scan(&table, &row, &parent, &key); err != nil {
			return err
		}
		x.bad("references", table, fmt.Sprintf("rowid %d", row.Int64), "names no row of %s", parent)
		return nil
	})
}

// keys opens the keysets. Where they do not open, what they seal cannot be told from nonsense: the keyed checks are not done.
func (x *run) keys() error {
	if x.KEK == nil {
		return nil
	}
	v, err := vault.OpenExisting(x.KEK, keysets{x})
	switch {
	case errors.Is(err, vault.ErrNoKeyset):
		return x.each("SELECT MIN(id) FROM event HAVING COUNT(*) > 0", func(func(...any) error) error {
			x.bad("keys", "keyset", "-", "there is a journal, and the keys it was made with are gone")
			return nil
		})
	case err != nil:
		x.bad("keys", "keyset", "-", "%s", err)
		return nil
	}
	x.vault = v
	x.did("keys")
	return nil
}

// keysets implements vault.Keysets for reading.
type keysets struct{ *run }

func (k keysets) LoadKeyset(name string) (sealed []byte, ok bool, err error) {
	err = k.conn.QueryRowContext(k.ctx, "SELECT sealed FROM keyset WHERE name = $1", name).Scan(&sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, false, nil
	}
	return sealed, err == nil, err
}

func (keysets) SaveKeyset(string, []byte) (bool, error) { return false, errors.ErrUnsupported }

// list says words as a text.
func list[S ~string](words []S) string {
	var out []string
	for _, w := range words {
		if w == "" {
			w = "none"
		}
		out = append(out, string(w))
	}
	return strings.Join(out, " or ")
}
