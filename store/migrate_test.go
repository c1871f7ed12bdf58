package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"naru/core/ledger"
	"naru/core/money"
	"naru/core/payment"
	"naru/core/payout"
	"naru/engine"
)

// asOf makes a database as it was after a migration, and fills it. References are enforced.
func asOf(t *testing.T, version int64, fill ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "naru.db")
	upTo(t, path, version, fill...)
	return path
}

// upTo brings a database to a migration, which does not enforce references (see migrate), and adds to it.
func upTo(t *testing.T, path string, version int64, fill ...string) {
	t.Helper()
	with(t, path, "OFF", func(db *sql.DB) error {
		p, err := migrations(db)
		if err == nil {
			_, err = p.UpTo(t.Context(), version)
		}
		return err
	})
	old(t, path, func(db *sql.DB) (err error) {
		for _, statement := range fill {
			if err == nil {
				_, err = db.ExecContext(t.Context(), statement)
			}
		}
		return err
	})
}

func old(t *testing.T, path string, work func(*sql.DB) error) {
	t.Helper()
	with(t, path, "ON", work)
}

func with(t *testing.T, path, references string, work func(*sql.DB) error) {
	t.Helper()
	db, err := sql.Open("sqlite", dsn(path, references))
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

// secondRows is a row for every table that migration 2 adds, a card check and a refund that was undone.
var secondRows = []string{
	`INSERT INTO reservation VALUES
	 ('u', 'P', 'q-u', 'CHECK', 'KRW', 'A1', 'VERIFIED', 'N2', 2, 0, 0, FALSE, 4000, 5000, 4, '00', 8000, '5816', 2, x'0a', 'd', NULL,
	  NULL)`,
	`INSERT INTO refund VALUES
	 ('f', 'P', 'q-f', 'r', 'REFUND_REVERSED', '606109000005', 'KRW', '79999996326000000000001', 40, '00', 41, '20260302', '', 900, 300, 42,
	  'e'),
	 ('g', 'P', 'q-g', 'r', 'REFUND_FAILED', '', 'KRW', '', 43, '', 44, '', 'nothing_left', 1, 0, NULL, '')`,
	`INSERT INTO attempt VALUES ('d', 'u', NULL, 'PASSED', 2, 'bc', '000005', 4, '606109000004', 'T1', 'M1', '00', 5, ''),
	 ('e0', 'r', 'f', 'REVERSED', 3, 'bc', '000006', 40, '606109000005', 'T1', 'M1', '', 41, '20260302'),
	 ('e', 'r', 'f', 'BOOKED', 2, 'bc', '000007', 41, '606109000005', 'T1', 'M1', '00', 42, '')`,
	`INSERT INTO advice VALUES
	 ('w', 'r', 'e', 'REFUND', 'DONE', '000007', 41, '606109000005', '', 'KRW', 900, 1, 0, FALSE, 40, 41, '00', 'PICAP_1', 1)`,
	`INSERT INTO dispute VALUES
	 ('y', 'P', 'r', 'FIRST', 'C1', 'CB1_REVERSED', '10.4', 'KRW', 'E1', 'fraud', 'VISA', 500, 400, 50, 51, NULL, 52, 'n3', TRUE)`,
	`INSERT INTO evidence VALUES ('z', 'y', 3, x'0b', 50, x'0c')`,
	`INSERT INTO acquirer_event VALUES
	 ('bc', 'E1', 'CHB', 'PISTL_1', 3, x'0d', 'r', 'APPLIED', 'dispute/y', '', 'P', 'KRW', -500, 0, 0, 50)`,
	`INSERT INTO acquirer_file VALUES
	 ('bc', 'PISTL_1', 'PISTL', 'M1', 'LOADED', '20260302', 'KRW', 1, x'0e', '', 1, 0, -500, 0, 0, -500, 50)`,
	`INSERT INTO account_book VALUES ('P', 1, x'0f')`,
	`INSERT INTO settlement VALUES ('l', 'P', 'KRW', '20260302', 'PAID', 'wire', 1, 2, 3, 4, 1, 9900, 0, -100, -10, 9790, 1)`,
	`INSERT INTO settlement_item VALUES
	 ('r', 3, 'P', 'capture', '20260302', 'KRW', 'q-c', 21, 'c', '', '', 9900, -100, -10, 'l'),
	 ('r', 4, 'P', 'chargeback', '20260303', 'KRW', 'q-c', 50, 'y', 'n3', '', -500, 0, 0, NULL)`,
	`INSERT INTO reconciliation VALUES
	 ('bc', '20260302', 'KRW', '000008', 'BREAK', '606109000008', 60, '95', 59, NULL, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
	  16)`,
	`INSERT INTO capture_file VALUES ('PICAP_1', 'bc', 'M1', 'KRW', '20260302', 'ANSWERED', 1, 1, 30, 31)`,
	`INSERT INTO notice VALUES ('n3', 'chargeback', 'P', 'y', '', '10.4', 'n', 'QUEUED', 0, 50, 51, NULL, '{"Stage":"FIRST"}')`,
}

// thirdRows are a sale that was taken and one that was given back, and what goes between their books.
var thirdRows = []string{
	`INSERT INTO reservation VALUES
	 ('w', 'P', 'q-w', 'SALE', 'KRW', 'A2', 'CAPTURED', 'N3', 2, 'L3', 70, 700, 700, FALSE, NULL, NULL, '00', 71, '5816', 2, x'0b', 'h', x'05',
	  90),
	 ('x', 'P', 'q-x2', 'SALE', 'KRW', '', 'NOT_HELD', '', 3, '', 72, 800, 0, FALSE, NULL, NULL, '', 73, '5816', 3, x'0c', 'i', NULL, NULL)`,
	`INSERT INTO attempt VALUES ('h', 'w', NULL, 'BOOKED', 2, 'bc', '000009', 70, '606109000009', 'T1', 'M1', '00', 71, ''),
	 ('i', 'x', NULL, 'REVERSED', 3, 'bc', '000010', 72, '606109000010', 'T1', 'M1', '', 73, '20260302')`,
	`INSERT INTO posting VALUES ('w', 2, 0, 'P', 'acquirer:receivable', 'google:payable', 'KRW', 700, 71),
	 ('w', 2, 1, 'P', 'google:held', 'acquirer:held', 'KRW', 1, 71)`,
}

// fourthRows are payouts that are open, refused, paid, and paid and back, and what goes with them.
var fourthRows = []string{
	`INSERT INTO payout VALUES
	 ('o', 'P', 'q-o', 'rzp', '', 'SUBMITTED', 'o-1', 'INR', '', '', 2, 100, 0, 1, 100, 101, NULL, NULL, 2, x'01', x'02', x'03'),
	 ('n', 'P', 'q-n', 'rzp', 'U30', 'DECLINED', '', 'INR', 'npci-upi', 'above_limit', 2, 100, 50, 0, 110, NULL, 111, NULL, 2, x'04', x'05',
	  x'06'),
	 ('p', 'P', 'q-p', 'rzp', '00', 'SUCCEEDED', 'p-1', 'INR', '', '', 3, 100, 0, 1, 120, NULL, 121, NULL, 3, x'07', x'08', x'09'),
	 ('b', 'P', 'q-b', 'rzp', '00', 'RETURNED', 'b-1', 'INR', '', '', 4, 100, 0, 1, 130, NULL, 131, 139, 4, x'0a', x'0b', x'0c')`,
	`INSERT INTO payout_attempt VALUES
	 ('o-1', 'OPEN', 'o', 'INR', 'ref-o', 'rzp', 'pout-o', 100, '', 100, '', '', 1, 2, 0, 0, 1, 0, x'0d'),
	 ('p-1', 'PAID', 'p', 'INR', 'ref-p', 'rzp', 'pout-p', 120, 'UTR', 120, '00', '', 1, 2, 5, 1, 1, 0, x'0e'),
	 ('b-1', 'RETURNED', 'b', 'INR', 'ref-b', 'rzp', 'pout-b', 130, 'UTR', 130, '00', '', 1, 2, 5, 1, 1, 0, x'0f')`,
	`INSERT INTO statement_entry VALUES ('rzp', 'L', 125, 'pout-p', 'INR', 'p-1', 'payout', 'ref-p', -106, 1000, TRUE)`,
	`INSERT INTO posting VALUES ('p', 2, 0, 'P', 'payout:inflight', 'rzp', 'payout:float', 'INR', 100, 121)`,
	`INSERT INTO notice VALUES ('n5', 'payout-result', 'P', 'q-p', 'SUCCESS', '00', '', 'PARKED', 2, 121, 122, NULL, '')`,
	`INSERT INTO notice_try VALUES ('n5', 1, 122, 503, 'UNAVAILABLE', 5), ('n5', 2, 123, 400, 'INVALID', 6)`,
}

// brought opens a database of an earlier migration. Every table has rows, and must have the same ones afterwards; no reference is lost.
func brought(t *testing.T, path string) *Store {
	t.Helper()
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
	return s
}

// refuses runs statements that must fail, each for its reason.
func refuses(t *testing.T, s *Store, statements map[string]string) {
	t.Helper()
	for statement, why := range statements {
		if err := inside(s, func(c *session) error { return c.run(statement) }); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: %v", statement, err)
		}
	}
}

// A database of the first migration opens with everything it held: the same rows in every table, no reference lost, the new rules in force.
func TestAnOldDatabaseIsBroughtUpToDate(t *testing.T) {
	path := asOf(t, 1, firstRows...)
	s := brought(t, path)
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
	refuses(t, s, map[string]string{
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
	})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	opened(t, path, Options{}) // up to date: nothing to do
}

// A database that served card checks, refunds, disputes and settlements opens with all of them, and takes sales from now on.
func TestADatabaseWithoutSalesIsBroughtUpToDate(t *testing.T) {
	path := asOf(t, 1, firstRows...)
	upTo(t, path, 2, secondRows...)
	s := brought(t, path)

	at := func(us int64) time.Time { return time.UnixMicro(us).UTC() }
	krw := money.Of("KRW")
	u, _, err := view(t, s, func(v engine.Reader) (payment.Reservation, bool, error) { return v.Reservation("u") })
	want := payment.Reservation{
		ID: "u", Purpose: payment.ToCheck, Account: "P", RequestID: "q-u", State: payment.Verified, Version: 2, Amount: money.New(0, krw),
		Captured: money.New(0, krw), HoldUntil: at(4000), HostUntil: at(5000), AttemptID: "d", Approval: "A1", Code: "00", NetworkID: "N2",
		MCC: "5816", Chain: payment.Chain{Length: 2, Digest: []byte{10}},
	}
	if !reflect.DeepEqual(u, want) || err != nil {
		t.Errorf("%+v, %v", u, err)
	}
	refuses(t, s, map[string]string{
		"DELETE FROM reservation WHERE id = 'u'":                      "FOREIGN KEY",
		"UPDATE reservation SET purpose = 'SALE' WHERE id = 'u'":      "CHECK", // of nothing
		"UPDATE reservation SET purpose = 'SALE' WHERE id = 's'":      "CHECK", // held
		"UPDATE reservation SET purpose = 'SALE' WHERE id = 'r'":      "CHECK", // taken in part
		"UPDATE reservation SET request_id = 'q-u' WHERE id = 't'":    "UNIQUE",
		"UPDATE attempt SET undone_day = '20260302' WHERE id = 'b'":   "CHECK",
		"UPDATE reservation SET state = 'GONE' WHERE id = 't'":        "CHECK",
		"UPDATE reservation SET purpose = 'PARK' WHERE id = 't'":      "CHECK",
		"UPDATE reservation SET held = TRUE WHERE id = 't'":           "CHECK",
		"UPDATE reservation SET captured = amount + 1 WHERE id = 't'": "CHECK",
	})
	if err := inside(s, func(c *session) error { return c.run("UPDATE reservation SET purpose = 'SALE' WHERE id = 't'") }); err != nil {
		t.Error(err)
	}
}

// A database that served cards alone opens with all it held, and pays out from now on. Its money stayed between the books of one owner.
func TestADatabaseWithoutPayoutsIsBroughtUpToDate(t *testing.T) {
	path := asOf(t, 1, firstRows...)
	upTo(t, path, 2, secondRows...)
	upTo(t, path, 3, thirdRows...)
	s := brought(t, path)
	old(t, path, func(db *sql.DB) error {
		owners, err := words(db, "SELECT owner || ' ' || credit_owner || ' ' || amount FROM posting ORDER BY payment_id, event_n, k")
		if want := []string{"P P 12900", "P P 700", "P P 1"}; !slices.Equal(owners, want) {
			t.Errorf("%q", owners)
		}
		return err
	})
	at := func(us int64) time.Time { return time.UnixMicro(us).UTC() }
	n, state, _, err := notice(t, s, "n3")
	want := engine.Notice{
		ID: "n3", Kind: engine.ChargebackRaised, Account: "P", Subject: "y", Code: "10.4", After: "n", Facts: engine.Facts{Stage: "FIRST"},
		CreatedAt: at(50),
	}
	if n != want || state != engine.NoticeQueued || err != nil {
		t.Errorf("%+v %s %v", n, state, err)
	}
	if err := s.Update(t.Context(), func(tx engine.Tx) error {
		inr := money.Of("INR")
		return errors.Join(paidOut(tx, "p", at(100)),
			tx.Post(engine.JournalEvent{Payment: "p", N: 2, At: at(100)}, []ledger.Posting{ledger.PaidOut("P", "rzp", money.New(12_550, inr))}),
			tx.InsertNotice(engine.Notice{ID: "n4", Kind: engine.PayoutResult, Account: "P", Subject: "q-p", CreatedAt: at(100)}))
	}); err != nil {
		t.Error(err)
	}
	refuses(t, s, map[string]string{
		"DELETE FROM notice WHERE id = 'n'":                                          "FOREIGN KEY",
		"DELETE FROM payout WHERE id = 'p'":                                          "FOREIGN KEY",
		"DELETE FROM payout_attempt WHERE id = 'a-p'":                                "FOREIGN KEY",
		"DELETE FROM posting":                                                        "append-only",
		"UPDATE posting SET amount = 1":                                              "append-only",
		"UPDATE notice SET kind = 'rumour' WHERE id = 'n'":                           "CHECK",
		"INSERT INTO posting VALUES ('z', 1, 0, 'P', 'a', 'Q', 'b', 'KRW', 1, 1)":    "CHECK", // between two owners, and no bank pays
		"INSERT INTO posting VALUES ('z', 1, 0, 'P', 'a', 'P', 'a', 'KRW', 1, 1)":    "CHECK",
		"INSERT INTO posting VALUES ('z', 1, 0, 'P', 'a', 'P', 'b', 'KRW', 0, 1)":    "CHECK",
		"INSERT INTO posting SELECT * FROM posting WHERE payment_id = 'r'":           "UNIQUE",
		"UPDATE notice SET subject = 'q-c', kind = 'capture-result' WHERE id = 'n2'": "UNIQUE",
	})
}

// A database without merchants opens with every payout, posting and notice that it held, and takes deposits from now on.
func TestADatabaseWithoutMerchantsIsBroughtUpToDate(t *testing.T) {
	path := asOf(t, 1, firstRows...)
	upTo(t, path, 2, secondRows...)
	upTo(t, path, 3, thirdRows...)
	upTo(t, path, 4, fourthRows...)
	s := brought(t, path)
	at := func(us int64) time.Time { return time.UnixMicro(us).UTC() }
	inr := money.Of("INR")
	for id, changed := range map[string]int64{"o": 100, "n": 111, "p": 121, "b": 139} {
		p, _, err := view(t, s, func(v engine.Reader) (payout.Payout, bool, error) { return v.Payout(id) })
		if p.Purpose != payout.ForGoogle || p.Fee != money.New(0, inr) || !p.ChangedAt.Equal(at(changed)) || err != nil {
			t.Errorf("%s: for %q with a fee of %v, changed at %v; %v", id, p.Purpose, p.Fee, p.ChangedAt, err)
		}
	}
	due, err := s.Notices(Everybody, 9, 0).DueNotices(t.Context(), at(1000), 9)
	if err != nil || len(due) != 2 || due[0].Tries != 0 || due[1].Tries != 0 {
		t.Errorf("%+v %v", due, err)
	}
	if err := s.Update(t.Context(), func(tx engine.Tx) error {
		if ok, err := tx.ResumeNotice("n5", at(200)); !ok || err != nil {
			t.Error("not resumed", ok, err)
		}
		return errors.Join(paidIn(tx, "i", at(200)),
			tx.Post(engine.JournalEvent{Payment: "i", N: 2, At: at(200)}, ledger.Deposited("kb", "M", money.New(50_000, money.Of("KRW")),
				money.New(400, money.Of("KRW")))),
			tx.InsertNotice(engine.Notice{ID: "n6", Kind: engine.DepositResult, Account: "M", Subject: "PM-i/PAID", CreatedAt: at(200)}))
	}); err != nil {
		t.Error(err)
	}
	due, err = s.Notices(Everybody, 9, 0).DueNotices(t.Context(), at(1000), 9) // the old one goes on counting
	if err != nil || len(due) != 4 || due[2].ID != "n5" || due[2].Tries != 2 || due[3].ID != "n6" {
		t.Errorf("%+v %v", due, err)
	}
	refuses(t, s, map[string]string{
		"DELETE FROM payout WHERE id = 'p'":                                                                "FOREIGN KEY",
		"DELETE FROM payout WHERE id = 't-i'":                                                              "FOREIGN KEY",
		"DELETE FROM notice WHERE id = 'n5'":                                                               "FOREIGN KEY",
		"DELETE FROM deposit_order":                                                                        "FOREIGN KEY",
		"UPDATE payout SET code = 'U31' WHERE id = 'p'":                                                    "came to stays",
		"UPDATE payout SET fee = 1 WHERE id = 'o'":                                                         "CHECK",
		"UPDATE payout SET request_id = 'q-p' WHERE id = 'o'":                                              "UNIQUE",
		"UPDATE notice SET kind = 'rumour' WHERE id = 'n'":                                                 "CHECK",
		"UPDATE notice SET base_tries = 3 WHERE id = 'n5'":                                                 "CHECK",
		"UPDATE notice SET subject = 'q-c', kind = 'capture-result' WHERE id = 'n2'":                       "UNIQUE",
		"DELETE FROM posting":                                                                              "append-only",
		"UPDATE posting SET amount = 1":                                                                    "append-only",
		"INSERT INTO posting VALUES ('z', 1, 0, 'P', 'a', 'Q', 'b', 'KRW', 1, 1)":                          "CHECK",
		"INSERT INTO posting VALUES ('z', 1, 0, 'M', 'merchant:payable', 'N', 'income:fees', 'KRW', 1, 1)": "CHECK",
		"INSERT INTO posting SELECT * FROM posting WHERE payment_id = 'r'":                                 "UNIQUE",
	})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	opened(t, path, Options{}) // up to date: nothing to do
}

func notice(t *testing.T, s *Store, id string) (n engine.Notice, state engine.NoticeState, ok bool, err error) {
	t.Helper()
	err = s.View(t.Context(), func(r engine.Reader) error {
		n, state, ok, err = r.Notice(id)
		return err
	})
	return n, state, ok, err
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
	for _, version := range []int64{1, 2, 3, 4} {
		strayStops(t, version)
	}
}

func strayStops(t *testing.T, version int64) {
	t.Helper()
	path := asOf(t, 1, firstRows...)
	upTo(t, path, version)
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
		if len(at) != 1 || at[0] != fmt.Sprint(version) {
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
