package store_test

import (
	"database/sql"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A row for every table that has a trigger, and those that it names.
var rowsToKeep = []string{
	`INSERT INTO reservation VALUES ('r', 'P', 'q', '', 'KRW', '', 'CAPTURED', '', 1, '', 1, 9, 9, FALSE, NULL, NULL, '', 1, '', 1, 'z', 'a',
		NULL, NULL)`,
	`INSERT INTO refund VALUES ('f', 'P', 'q', 'r', 'REFUND_PENDING', '', 'KRW', '79999996326000000000001', 1,
		'', NULL, '', '', 9, 0, NULL, '')`,
	`INSERT INTO capture VALUES ('c', 'P', 'q', 'r', 'KRW', '', 'SUCCESS', '79999996326000000000002', 1, '', 9, '', 1, '', '')`,
	`INSERT INTO dispute VALUES ('d', 'P', 'r', 'FIRST', 'C', 'CB1_OPEN', '', 'KRW', 'E', '', '', 9, 0, 1, NULL, NULL, NULL, '', FALSE)`,
	`INSERT INTO evidence VALUES ('v', 'd', 1, 'z', 1, 'z')`,
	`INSERT INTO event (payment_id, n, at_us, event, state, actor, detail, digest) VALUES
		('r', 1, 1, 'ask', 'PENDING', 'google', '', 'z')`,
	`INSERT INTO posting VALUES ('r', 1, 0, 'P', 'acquirer:held', 'P', 'google:held', 'KRW', 9, 1)`,
	`INSERT INTO acquirer_event VALUES ('bc', 'E', 'CHB', 'F', 1, 'z', 'r', 'APPLIED', '', '', 'P', 'KRW', 9, 0, 0, 1)`,
	`INSERT INTO settlement VALUES ('s', 'P', 'KRW', '20260302', 'CLOSED', '', 1, 2, 3, NULL, 1, 9, 0, 0, 0, 9, 1)`,
	`INSERT INTO settlement_item VALUES ('r', 1, 'P', 'capture', '20260302', 'KRW', 'q', 1, '', '', '', 9, 0, 0, 's')`,
	`INSERT INTO payout VALUES ('p', 'P', 'q', 'rzp', '00', 'SUCCEEDED', 'p-1', '', 'INR', '', '', 1, 9, 0, 0, 1, 1, 1, NULL, 1, NULL, 1, 'z',
		'z', 'z')`,
	`INSERT INTO payout_attempt VALUES ('p-1', 'PAID', 'p', 'INR', 'ref', 'rzp', '', 1, '', 1, '', '', 1, 1, 0, 0, 1, 0, 'z')`,
	`INSERT INTO merchant_payout VALUES ('p', '', 'POT', '', '')`,
	`INSERT INTO statement_entry VALUES ('rzp', 'L', 1, 'pout', 'INR', 'p-1', '', '', 9, 9, TRUE)`,
	`INSERT INTO deposit_order VALUES ('o', 'WAITING', 'PM', 'KRW', 'c', 1, '1002', 1, '', 1, '004', 'l', 'M', '', 'kb', '', '', '', '', '',
		'', '', NULL, '', 1, 1, 9, 9, 0, 0, FALSE, FALSE, 1, NULL, 1, 'z', NULL, NULL)`,
	`INSERT INTO bank_credit VALUES ('x', 'MATCHED', 'kb', 'KRW', '004', 1, '1002', 1, '', 9, 'KB', 'f', 'm', '', 'o', NULL, NULL, '', '', 1,
		NULL, 1, 'z', 'z')`,
	`UPDATE deposit_order SET state = 'PAID', credit_id = 'x', real_amount = 9, into_account = 'kb', paid_us = 1, due_us = NULL`,
	`INSERT INTO bank_entry VALUES ('004', 'KRW', '1002', 1, 'KB', 'kb', 'm', 9, '', 'x', NULL, FALSE, TRUE, FALSE, '20260302')`,
	`INSERT INTO bank_message VALUES ('f', 'NOTIFICATION', 'm', 1, 1, 0, 1, 'z')`,
	`INSERT INTO merchant_key VALUES ('M', 'k', 'sign', 1, NULL, 'z')`,
}

// What a trigger with a condition keeps, and what it lets pass.
var conditions = map[string]struct{ refused, allowed []string }{
	"refund_arn_once": {
		[]string{"UPDATE refund SET arn = ''", "UPDATE refund SET arn = '79999996326000000000009'"}, []string{"UPDATE refund SET arn = arn"},
	},
	"capture_arn_once": {
		[]string{"UPDATE capture SET arn = ''", "UPDATE capture SET arn = '79999996326000000000009'"},
		[]string{"UPDATE capture SET arn = arn, clearing = 'CLEARED'"},
	},
	"settlement_item_once": {
		[]string{"UPDATE settlement_item SET settlement_id = NULL", "UPDATE settlement_item SET settlement_id = 's'"}, nil,
	},
	"payout_result_stays": {
		[]string{
			"UPDATE payout SET code = 'U30'", "UPDATE payout SET done_us = 2", "UPDATE payout SET back_us = 2",
			"UPDATE payout SET state = 'RECORDED', attempts = 0, attempt_id = '', done_us = NULL",
			"UPDATE payout SET state = 'RETURNED', back_us = 2, code = 'U30'",
		},
		[]string{"UPDATE payout SET state = 'RETURNED', back_us = 2", "UPDATE payout SET changed_us = 2"},
	},
	"payout_attempt_end_stays": {
		[]string{"UPDATE payout_attempt SET state = 'FAILED'", "UPDATE payout_attempt SET state = 'OPEN'"},
		[]string{"UPDATE payout_attempt SET state = 'RETURNED'", "UPDATE payout_attempt SET state = 'PAID', utr = 'U'"},
	},
	"deposit_order_paid_stays": {
		[]string{
			"UPDATE deposit_order SET real_amount = 6", "UPDATE deposit_order SET paid_us = 6",
			"UPDATE deposit_order SET state = 'EXPIRED', credit_id = NULL, paid_us = NULL, real_amount = 0, into_account = ''",
		},
		[]string{"UPDATE deposit_order SET state = 'TAKEN_BACK'", "UPDATE deposit_order SET trouble = 'LATE', changed_us = 2"},
	},
	"bank_credit_order_stays": {
		[]string{"UPDATE bank_credit SET order_id = NULL, state = 'UNMATCHED'"},
		[]string{"UPDATE bank_credit SET state = 'REVERSED'", "UPDATE bank_credit SET order_id = order_id, rule = 'again'"},
	},
	"bank_entry_told_stays": {
		[]string{"UPDATE bank_entry SET notified = FALSE, stated = TRUE"}, []string{"UPDATE bank_entry SET stated = TRUE"},
	},
}

// What was said stays said on both engines, whoever holds the connection: each statement would rewrite history, and each trigger is tried.
func TestBothEnginesKeepWhatWasSaid(t *testing.T) {
	lite, postgres := onSQLite(t), handle(t, "pgx", migrated(t))
	for _, db := range []*sql.DB{lite, postgres} {
		for _, statement := range rowsToKeep {
			if _, err := db.ExecContext(t.Context(), statement); err != nil {
				t.Fatalf("%s\n%v", statement, err)
			}
		}
	}
	head := regexp.MustCompile(`(?s)BEFORE (DELETE|UPDATE)(?: OF (.*))?\sON `)
	for _, d := range declared(t, lite, "name") {
		if d.kind != "trigger" {
			continue
		}
		m := refusal.FindStringSubmatch(d.sql)
		h, why := head.FindStringSubmatch(m[1]), strings.Trim(m[3], "'")
		switch c, told := conditions[d.name]; {
		case told != (m[2] != ""):
			t.Errorf("%s: is there a condition?", d.name)
		case told:
			for _, statement := range c.refused {
				refused(t, lite, statement, why)
				refused(t, postgres, statement, why)
			}
			for _, statement := range c.allowed {
				refused(t, lite, statement, "")
				refused(t, postgres, statement, "")
			}
		case h[1] == "DELETE":
			refused(t, lite, "DELETE FROM "+d.table, why)
			refused(t, postgres, "DELETE FROM "+d.table, why)
			refused(t, postgres, "TRUNCATE "+d.table+" CASCADE", why)
		default:
			for _, column := range columns(t, lite, d.table, h[2]) {
				refused(t, lite, "UPDATE "+d.table+" SET "+column+" = "+column, why)
				refused(t, postgres, "UPDATE "+d.table+" SET "+column+" = "+column, why)
			}
		}
	}
}

// columns are those that a trigger watches: the listed ones, or all.
func columns(t *testing.T, db *sql.DB, table, list string) []string {
	t.Helper()
	if list != "" {
		return regexp.MustCompile(`\w+`).FindAllString(list, -1)
	}
	all := read(t, db, "SELECT name FROM pragma_table_info('"+table+"')",
		func(rows *sql.Rows) (name string, err error) { return name, rows.Scan(&name) })
	return slices.DeleteFunc(all, func(name string) bool { return table == "event" && name == "id" }) // PostgreSQL alone numbers the journal
}

// refused runs a statement that must change at least one row, or must fail and say why, and takes it back.
func refused(t *testing.T, db *sql.DB, statement, why string) {
	t.Helper()
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	result, err := tx.ExecContext(t.Context(), statement)
	switch {
	case why != "" && (err == nil || !strings.Contains(err.Error(), why)):
		t.Errorf("%s: %v, not %q", statement, err, why)
	case why == "" && err != nil:
		t.Errorf("%s: %v", statement, err)
	case why == "":
		if n, err := result.RowsAffected(); n != 1 || err != nil {
			t.Errorf("%s: %d rows, %v", statement, n, err)
		}
	}
}
