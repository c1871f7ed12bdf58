package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"naru/core/money"
	"naru/core/payment"
	"naru/engine"
)

// asOf makes a database as it was after a migration, and fills it. References are enforced.
func asOf(t *testing.T, version int64, fill ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "naru.db")
	old(t, path, func(db *sql.DB) error {
		p, err := migrations(db)
		if err == nil {
			_, err = p.UpTo(t.Context(), version)
		}
		for _, statement := range fill {
			if err == nil {
				_, err = db.ExecContext(t.Context(), statement)
			}
		}
		return err
	})
	return path
}

func old(t *testing.T, path string, work func(*sql.DB) error) {
	t.Helper()
	db, err := sql.Open("sqlite", dsn(path, "ON"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(work(db), db.Close()); err != nil {
		t.Fatal(err)
	}
}

// rowsOf reads some columns of a whole table, each row as one text.
func rowsOf(db *sql.DB, table string, columns []string) (list []string, err error) {
	rows, err := db.QueryContext(context.Background(), "SELECT "+strings.Join(columns, ", ")+" FROM "+table+" ORDER BY "+strings.Join(columns,
		", "))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		row, into := make([]any, len(columns)), make([]any, len(columns))
		for i := range row {
			into[i] = &row[i]
		}
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		list = append(list, fmt.Sprintf("%#v", row))
	}
	return list, rows.Err()
}

func words(db *sql.DB, query string, args ...any) (list []string, err error) {
	rows, err := db.QueryContext(context.Background(), query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, rows.Err()
}

// firstRows is a row for every table that migration 1 makes, and a second one where two fates differ.
var firstRows = []string{
	`INSERT INTO keyset VALUES ('k', x'01')`,
	`INSERT INTO series VALUES ('bc', 500)`,
	`INSERT INTO idempotency VALUES ('P', 'q', 'm', x'01', TRUE, x'02', 1, 2), ('P', 'q2', 'm', x'01', FALSE, NULL, 3, NULL)`,
	`INSERT INTO reservation VALUES
	 ('r', 'P', 'q-r', 'KRW', 'A12345', 'CAPTURED', 'N1', 3, 12900, 9900, FALSE, 1000, 2000, 1, '00', 5000, '5816', 3, x'07', 'a', x'0102'),
	 ('s', 'P', 'q-s', 'USD', '', 'RESERVED', '', 2, 500, 0, TRUE, 3000, NULL, 2, '00', 6000, '5816', 2, x'08', 'b', x'0304'),
	 ('t', 'P', 'q-t', 'KRW', '', 'DECLINED', '', 2, 1, 0, FALSE, NULL, NULL, 3, '', 7000, '', 2, x'09', '', NULL)`,
	`INSERT INTO attempt VALUES ('a', 'r', 'CAPTURED', 3, 'bc', '000001', 10, '606109000001', 'T1', 'M1', '00', 11),
	 ('a0', 'r', 'REVERSED', 3, 'bc', '000000', 9, '606109000000', 'T1', 'M1', '', 10),
	 ('b', 's', 'APPROVED', 2, 'bc', '000002', 10, '606109000002', 'T1', 'M1', '00', 12)`,
	`INSERT INTO capture VALUES ('c', 'P', 'q-c', 'r', 'KRW', 9900, 'SUCCESS', 20, 21)`,
	`INSERT INTO cancel VALUES ('x', 'P', 'q-x', 's', 'PENDING', 30, NULL)`,
	`INSERT INTO advice VALUES ('v', 'r', 'a', 'COMPLETION', 'DONE', '000003', 22, '606109000001', '', 'KRW', 9900, 1, 0, FALSE, 20, 22, '00'),
	 ('v0', 'r', 'a0', 'REVERSAL', 'STOPPED', '000004', 12, '606109000000', 'TIMEOUT', 'KRW', 12900, 2, 1, TRUE, 12, 13, '30')`,
	`INSERT INTO event VALUES (1, 'r', 1, 1, 'ask', 'PENDING', 'google', 'd', x'01'),
	 (2, 'r', 2, 2, 'approve', 'RESERVED', 'acquirer', '', x'02')`,
	`INSERT INTO checkpoint VALUES (1, 2, 2, x'03', 9)`,
	`INSERT INTO posting VALUES ('r', 2, 0, 'P', 'acquirer:held', 'google:held', 'KRW', 12900, 2)`,
	`INSERT INTO balance VALUES ('acquirer:held', 'P', 'KRW', 12900), ('google:held', 'P', 'KRW', -12900)`,
	`INSERT INTO notice VALUES ('n', 'capture-result', 'P', 'q-c', 'SUCCESS', '00', '', 'SENT', 2, 21, 22, 23),
	 ('n2', 'cancel-result', 'P', 'q-x', 'SUCCESS', '', 'n', 'QUEUED', 0, 24, 25, NULL)`,
	`INSERT INTO notice_try VALUES ('n', 1, 22, 503, 'UNAVAILABLE', 5), ('n', 2, 23, 200, 'OK', 6)`,
	`INSERT INTO operator_case VALUES ('k', 'advice-refused', 'r', 'code=30', 13, NULL)`,
}

// A database of the first migration opens with everything it held: the same rows in every table, no reference lost, the new rules in force.
func TestAnOldDatabaseIsBroughtUpToDate(t *testing.T) {
	path := asOf(t, 1, firstRows...)
	columns, before := map[string][]string{}, map[string][]string{}
	old(t, path, func(db *sql.DB) error {
		tables, err := words(db, `SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT IN ('migration', 'sqlite_sequence')`)
		for _, table := range tables {
			if columns[table], err = words(db, "SELECT name FROM pragma_table_info($1)", table); err != nil {
				return err
			}
			if before[table], err = rowsOf(db, table, columns[table]); err != nil {
				return err
			}
			if len(before[table]) == 0 {
				t.Errorf("%s has no row to lose", table)
			}
		}
		return err
	})
	s := opened(t, path, Options{})
	old(t, path, func(db *sql.DB) error {
		for _, table := range slices.Sorted(maps.Keys(before)) {
			after, err := rowsOf(db, table, columns[table])
			if err != nil || !slices.Equal(after, before[table]) {
				t.Errorf("%s\n%v\nwas\n%v\n%v", table, after, before[table], err)
			}
		}
		strays, err := words(db, `SELECT "table" FROM pragma_foreign_key_check`)
		if len(strays) > 0 {
			t.Error("rows name others that are not there:", strays)
		}
		return err
	})

	x, _, err := view(t, s, func(r engine.Reader) (engine.Capture, bool, error) { return r.Capture("r") })
	krw := money.Of("KRW")
	at := func(us int64) time.Time { return time.UnixMicro(us).UTC() }
	want := engine.Capture{
		ID: "c", Key: engine.Key{Account: "P", RequestID: "q-c"}, Reservation: "r", Amount: money.New(9900, krw), State: payment.CaptureSuccess,
		At: at(20), DoneAt: at(21), RRN: "606109000001", NetworkID: "N1", Approval: "A12345",
	}
	if x != want || err != nil {
		t.Errorf("%+v, %v", x, err)
	}
	for id, until := range map[string]time.Time{"r": at(5000).Add(540 * 24 * time.Hour), "s": {}, "t": {}} {
		r, _, err := view(t, s, func(v engine.Reader) (payment.Reservation, bool, error) { return v.Reservation(id) })
		if !r.CardUntil.Equal(until) || r.Purpose != payment.ToPay || err != nil {
			t.Errorf("%s: the card goes at %v, not %v; %v", id, r.CardUntil, until, err)
		}
	}
	for statement, why := range map[string]string{
		"DELETE FROM reservation WHERE id = 's'":                                     "FOREIGN KEY",
		"DELETE FROM attempt WHERE id = 'a'":                                         "FOREIGN KEY",
		"DELETE FROM notice WHERE id = 'n'":                                          "FOREIGN KEY",
		"UPDATE attempt SET refund_id = 'none' WHERE id = 'a'":                       "FOREIGN KEY",
		"UPDATE reservation SET amount = 0 WHERE id = 't'":                           "CHECK",
		"UPDATE advice SET line = 1 WHERE id = 'v'":                                  "CHECK",
		"UPDATE advice SET state = 'SENT' WHERE id = 'v'":                            "CHECK",
		"UPDATE notice SET kind = 'rumour' WHERE id = 'n'":                           "CHECK",
		"UPDATE capture SET clearing = 'LOST' WHERE id = 'c'":                        "CHECK",
		"UPDATE attempt SET state = 'PREPARED', reservation_id = 's' WHERE id = 'a'": "UNIQUE",
		"DELETE FROM event":   "append-only",
		"DELETE FROM posting": "append-only",
	} {
		if err := inside(s, func(c *session) error { return c.run(statement) }); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: %v", statement, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	opened(t, path, Options{}) // up to date: nothing to do
}

func view[T any](t *testing.T, s *Store, read func(engine.Reader) (T, bool, error)) (v T, ok bool, err error) {
	t.Helper()
	err = s.View(t.Context(), func(r engine.Reader) error {
		v, ok, err = read(r)
		return err
	})
	return v, ok, err
}

// A row that names one that is not there stops the migration and the start, as often as it is tried, and the database stays what it was.
func TestAStrayRowStopsTheMigration(t *testing.T) {
	path := asOf(t, 1, firstRows...)
	old(t, path, func(db *sql.DB) error {
		conn, err := db.Conn(t.Context())
		if err != nil {
			return err
		}
		defer conn.Close()
		_, err = conn.ExecContext(t.Context(), `PRAGMA foreign_keys = OFF; UPDATE advice SET attempt_id = 'none' WHERE id = 'v'`)
		return err
	})
	for range 2 {
		if s, err := Open(t.Context(), path, Options{}); err == nil || !strings.Contains(err.Error(), "a_row_names_one_that_is_not_there") {
			t.Error("it started:", s, err)
		}
	}
	old(t, path, func(db *sql.DB) error {
		at, err := words(db, "SELECT MAX(version_id) FROM migration")
		if len(at) != 1 || at[0] != "1" {
			t.Error("the database is of version", at)
		}
		return err
	})
	old(t, path, func(db *sql.DB) error {
		_, err := db.ExecContext(t.Context(), `UPDATE advice SET attempt_id = 'a' WHERE id = 'v'`)
		return err
	})
	opened(t, path, Options{})
}
