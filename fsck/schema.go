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
const version = 6

// objects is what the migrations made, by type. Dropping an index or a trigger is how a history is rewritten.
var objects = map[string][]string{
	"table": {
		"account_book", "acquirer_event", "acquirer_file", "advice", "attempt", "balance", "bank_credit", "bank_entry", "bank_message",
		"bank_sequence", "call_tally", "cancel", "capture", "capture_file", "checkpoint", "deposit_order", "dispute", "event", "evidence",
		"guard", "idempotency", "keyset", "lease", "merchant_key", "merchant_payout", "migration", "notice", "notice_try", "operator_case",
		"payer_registration", "payout", "payout_attempt", "posting", "receiver_pause", "reconciliation", "refund", "reservation", "series",
		"settlement", "settlement_item", "statement_entry",
	},
	"index": {
		"acquirer_event_of", "acquirer_file_loaded", "advice_batched", "advice_due", "advice_line", "advice_once", "advice_open",
		"attempt_live", "attempt_live_refund", "attempt_undone", "bank_credit_day", "bank_credit_once", "bank_credit_open",
		"bank_credit_order", "bank_credit_suspect", "bank_credit_waiting", "bank_entry_once", "bank_entry_reversal", "bank_entry_unstated",
		"cancel_open", "capture_arn", "capture_day", "capture_file_state", "capture_network", "capture_rrn", "deposit_order_amount",
		"deposit_order_credit", "deposit_order_due", "deposit_order_given", "deposit_order_merchant", "deposit_order_name",
		"deposit_order_number", "deposit_order_open", "deposit_order_showing", "deposit_order_token", "dispute_due", "dispute_once",
		"dispute_payment", "evidence_dispute", "idempotency_running", "notice_due", "notice_merchant", "notice_parked", "operator_case_open",
		"payout_attempt_bank_id", "payout_attempt_one", "payout_attempt_unnamed", "payout_due", "payout_ended", "payout_merchant",
		"payout_open", "reconciliation_due", "refund_arn", "refund_day", "refund_payment", "refund_rrn", "reservation_erasable",
		"reservation_expiring", "settlement_item_of", "settlement_item_open", "statement_entry_newest", "statement_entry_unknown",
	},
	"trigger": {
		"acquirer_event_no_delete", "acquirer_event_no_update", "bank_credit_no_delete", "bank_credit_no_update", "bank_credit_order_stays",
		"bank_entry_no_delete", "bank_entry_no_update", "bank_entry_told_stays", "bank_message_no_delete", "bank_message_no_update",
		"capture_arn_once", "deposit_order_paid_stays", "deposit_order_terms_stay", "event_no_delete", "event_no_update",
		"evidence_no_delete", "evidence_no_update", "merchant_key_stays", "merchant_payout_no_update", "payout_attempt_end_stays",
		"payout_result_stays", "posting_no_delete", "posting_no_update", "refund_arn_once", "settlement_item_no_delete",
		"settlement_item_no_update", "settlement_item_once", "statement_entry_no_delete", "statement_entry_no_update",
	},
	"view": {}, "function": {}, "rule": {}, "constraints": {},
}

var errVersion = errors.New("the database is of another version than this program")

func (x *run) schema() error {
	var at sql.NullInt64
	err := x.each("SELECT MAX(version_id) FROM migration WHERE is_applied", func(scan func(...any) error) error { return scan(&at) })
	if err != nil {
		return fmt.Errorf("%w: no migrations were recorded: %w", errVersion, err)
	}
	if at.Int64 != version {
		return fmt.Errorf("%w: migration %d, and %d is known here; use the program that serves it", errVersion, at.Int64, version)
	}
	there := map[string][]string{}
	err = x.each(x.engine.schema, func(scan func(...any) error) error {
		var kind, name, wrong string
		if err := scan(&kind, &name, &wrong); err != nil {
			return err
		}
		if wrong != "" {
			x.bad("schema", kind, name, "%s", wrong)
		}
		there[kind] = append(there[kind], name)
		return nil
	})
	if err != nil {
		return err
	}
	for kind, names := range objects {
		names = append(slices.Clone(names), x.engine.objects[kind]...)
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

// A constraint is what every row of a table must keep to.
type constraint struct{ table, key, must string }

// constraints are those of the tables. SQLite does not look at them in a database that it opened for reading only, and no server looks at
// them again.
var constraints = []constraint{
	{"series", "name", "next >= 0"},
	{"idempotency", "account || '/' || request_id", "done = (answer IS NOT NULL) AND done = (done_us IS NOT NULL)"},
	{"reservation", "id", "captured BETWEEN 0 AND amount"},
	{"reservation", "id", `purpose IN ('', 'SALE', 'VERIFY', 'CHECK') AND (amount > 0 OR amount = 0 AND purpose IN ('VERIFY', 'CHECK'))`},
	{"reservation", "id", `state IN ('PENDING', 'RESERVED', 'DECLINED', 'REVERSING', 'NOT_HELD', 'CAPTURE_PENDING', 'CAPTURED',
		'CAPTURE_FAILED', 'CANCEL_PENDING', 'CANCELLED', 'EXPIRED', 'VERIFY_HELD', 'VERIFIED')`},
	{"reservation", "id", "NOT held OR state IN ('RESERVED', 'VERIFY_HELD', 'CAPTURE_PENDING', 'CANCEL_PENDING', 'EXPIRED')"},
	{"reservation", "id", `purpose <> 'SALE' OR state IN ('PENDING', 'CAPTURED', 'DECLINED', 'REVERSING', 'NOT_HELD', 'CANCEL_PENDING',
		'CANCELLED')`},
	{"reservation", "id", `purpose <> 'SALE' OR NOT held AND hold_until_us IS NULL
		AND captured = CASE state WHEN 'CAPTURED' THEN amount ELSE 0 END`},
	{"attempt", "id", `state IN ('PREPARED', 'VOID', 'APPROVED', 'DECLINED', 'REVERSE_PENDING', 'REVERSED', 'CAPTURED', 'GONE', 'PASSED',
		'BOOKED') AND (undone_day = '' OR length(undone_day) = 8 AND state = 'REVERSED')`},
	{"capture", "id", "amount > 0 AND state IN ('PENDING', 'SUCCESS', 'EXPIRED', 'REVOKED') AND (state = 'PENDING') = (done_us IS NULL)"},
	{"capture", "id", "length(arn) IN (0, 23) AND length(day) IN (0, 8) AND clearing IN ('', 'CLEARED', 'REJECTED')"},
	{"cancel", "id", "state IN ('PENDING', 'SUCCESS') AND (state = 'PENDING') = (done_us IS NULL)"},
	{"advice", "id", `kind IN ('REVERSAL', 'RELEASE_REST', 'COMPLETION', 'REFUND') AND state IN ('QUEUED', 'DONE', 'STOPPED', 'BATCHED')
		AND (amount > 0 OR amount = 0 AND kind = 'REVERSAL')`},
	{"advice", "id", "line >= 0 AND (line = 0) = (file = '')"},
	{"refund", "id", `state IN ('REFUND_PENDING', 'REFUNDED', 'REFUND_FAILED', 'REFUND_REVERSED') AND amount > 0
		AND returned BETWEEN 0 AND amount`},
	{"refund", "id", "(state = 'REFUND_PENDING') = (done_us IS NULL) AND (state = 'REFUND_FAILED') = (reason <> '')"},
	{"refund", "id", "(state = 'REFUND_REVERSED') = (returned > 0) AND (returned > 0) = (back_us IS NOT NULL)"},
	{"refund", "id", "length(arn) IN (0, 23) AND length(day) IN (0, 8)"},
	{"dispute", "id", `state IN ('INQUIRY_OPEN', 'INQUIRY_DEFENDED', 'INQUIRY_CLOSED', 'CB1_OPEN', 'CB1_DEFENDED', 'CB1_REVERSED', 'CB1_LOST',
		'CB2_OPEN', 'CB2_DEFENDED', 'CB2_REVERSED', 'CB2_LOST')`},
	{"dispute", "id", "stage = CASE substr(state, 1, 3) WHEN 'INQ' THEN 'INQUIRY' WHEN 'CB1' THEN 'FIRST' ELSE 'SECOND' END"},
	{"dispute", "id", `(done_us IS NULL) = (state IN ('INQUIRY_OPEN', 'INQUIRY_DEFENDED', 'CB1_OPEN', 'CB1_DEFENDED', 'CB2_OPEN',
		'CB2_DEFENDED'))`},
	{"dispute", "id", `(amount > 0 OR amount = 0 AND stage = 'INQUIRY') AND won BETWEEN 0 AND amount
		AND (won > 0) = (state IN ('CB1_REVERSED', 'CB2_REVERSED'))`},
	{"evidence", "id", "size > 0"},
	{"acquirer_event", "acquirer || '/' || id", "outcome IN ('APPLIED', 'EXCEPTION') AND (outcome = 'EXCEPTION') = (reason <> '')"},
	{"acquirer_file", "acquirer || '/' || name", "state = 'QUARANTINED' OR state = 'LOADED' AND net = gross + fees + tax"},
	{"account_book", "account", "chain_length > 0"},
	{"settlement", "id", `state IN ('CLOSED', 'PAID') AND (state = 'PAID') = (paid_us IS NOT NULL) AND net = charge + adjusted + fee + vat
		AND items >= 0 AND parts > 0 AND end_us > start_us AND length(day) = 8`},
	{"settlement_item", "payment_id || '/' || event_n", `event_n > 0 AND length(day) = 8 AND kind IN ('capture', 'refund', 'reverse-refund',
		'chargeback', 'reverse-chargeback', 'funds-reservation', 'aggregate-adjustment', 'miscellaneous-adjustment')`},
	{"reconciliation", "acquirer || '/' || day || '/' || currency", "state IN ('OPEN', 'AGREED', 'BREAK') AND length(day) = 8"},
	{"capture_file", "name", "state IN ('MADE', 'SENT', 'ANSWERED') AND length(day) = 8 AND seq > 0 AND items > 0"},
	{"event", "payment_id || '/' || n", "n > 0"},
	{"checkpoint", "n", "n > 0"},
	{
		"posting", "payment_id || '/' || event_n || '/' || k",
		`amount > 0 AND debit <> credit AND (owner = credit_owner OR 'payout:float' IN (debit, credit)
			OR debit = 'deposit:unmatched' AND credit = 'merchant:payable' OR debit = 'merchant:payable' AND credit = 'bank:collection')`,
	},
	{"payout", "id", `state IN ('UNDER_REVIEW', 'RECORDED', 'SUBMITTED', 'RETRYABLE', 'UNKNOWN', 'REVERSING', 'DEEMED', 'SUCCEEDED',
		'DECLINED', 'RETURNED', 'CANCELLED') AND version > 0 AND amount > 0 AND attempts >= 0`},
	{"payout", "id", "purpose IN ('', 'MERCHANT', 'SENDER') AND fee >= 0 AND (fee = 0 OR purpose = 'MERCHANT')"},
	{"payout", "id", `reason IN ('', 'below_limit', 'above_limit', 'account_closed', 'account_on_hold', 'account_closed_fraud',
		'account_closed_taken_over', 'no_such_account', 'name_does_not_match', 'no_such_bank', 'not_permitted', 'above_bank_limit',
		'compliance', 'declined') AND (state = 'DECLINED') = (reason <> '')
		AND (limit_broken = 0 OR limit_broken > 0 AND reason IN ('below_limit', 'above_limit'))`},
	{"payout", "id", `(state IN ('SUCCEEDED', 'DECLINED', 'RETURNED', 'CANCELLED')) = (done_us IS NOT NULL)
		AND (state = 'RETURNED') = (back_us IS NOT NULL) AND (due_us IS NULL OR done_us IS NULL)`},
	{"payout", "id", `(attempts = 0) = (attempt_id = '') AND (attempts > 0 OR state IN ('UNDER_REVIEW', 'RECORDED', 'DECLINED', 'CANCELLED'))
		AND (attempts = 0 OR state <> 'UNDER_REVIEW')`},
	{"payout_attempt", "id", `state IN ('PREPARED', 'OPEN', 'PAID', 'FAILED', 'RETURNED') AND length(reference) BETWEEN 1 AND 40
		AND n > 0 AND version > 0 AND sends >= 0 AND asks >= 0 AND (sends = 0) = (first_sent_us IS NULL)`},
	{"statement_entry", "bank || '/' || id", "attempt_id IS NULL OR known AND bank_id <> ''"},
	{"deposit_order", "id", `state IN ('WAITING', 'SEEN', 'PAID', 'EXPIRED', 'CANCELLED', 'FAILED', 'TAKEN_BACK') AND version > 0
		AND trouble IN ('', 'AMOUNT_MISMATCH', 'NAME_MISMATCH', 'AMBIGUOUS', 'UNMATCHED', 'LATE', 'STOPPED')`},
	{"deposit_order", "id", "amount > 0 AND display BETWEEN 1 AND amount AND real_amount >= 0 AND fee BETWEEN 0 AND real_amount"},
	{"deposit_order", "id", `(credit_id IS NOT NULL) = (state IN ('PAID', 'TAKEN_BACK')) AND (credit_id IS NOT NULL) = (real_amount > 0)
		AND (credit_id IS NOT NULL) = (into_account <> '') AND (credit_id IS NOT NULL) = (paid_us IS NOT NULL)`},
	{"deposit_order", "id", `(NOT reserved OR virtual OR credit_id IS NULL) AND (state <> 'WAITING' OR due_us IS NOT NULL)
		AND (name_print IS NULL OR payer IS NOT NULL)`},
	{"receiver_pause", "receiver", "note <> ''"},
	{"bank_credit", "id", `state IN ('UNMATCHED', 'MATCHED', 'REVERSED', 'RETURNING') AND amount > 0 AND version > 0
		AND trouble IN ('', 'AMOUNT_MISMATCH', 'NAME_MISMATCH', 'AMBIGUOUS', 'UNMATCHED', 'LATE', 'STOPPED')`},
	{"bank_credit", "id", `(state = 'REVERSED' OR (state = 'MATCHED') = (order_id IS NOT NULL))
		AND (state = 'RETURNING') = (payout_id IS NOT NULL) AND (state = 'UNMATCHED' OR suspect_id IS NULL AND retry_us IS NULL)`},
	{"bank_entry", rowNames["bank_entry"], `amount > 0 AND (credit_id IS NULL OR payout_id IS NULL) AND (notified OR stated)
		AND length(day) = 8`},
	{"bank_message", "feed || '/' || kind || '/' || id", `kind IN ('NOTIFICATION', 'STATEMENT', 'PUSH') AND accepted >= 0 AND repeated >= 0
		AND accepted + repeated <= entries AND length(sha256) = 32`},
	{"merchant_key", "merchant || '/' || id", "purpose IN ('sign', 'authorization', 'webhook')"},
	{"notice", "id", `kind IN ('capture-result', 'cancel-result', 'refund-result', 'refund-returned', 'inquiry', 'chargeback',
		'chargeback-reversed', 'fraud', 'settlement', 'settlement-file', 'capture-arn', 'refund-arn',
		'payout-result', 'deposit-result', 'transfer-result') AND base_tries BETWEEN 0 AND tries`},
	{"notice", "id", "state IN ('QUEUED', 'SENT', 'PARKED') AND (state = 'SENT') = (done_us IS NOT NULL) AND fence >= 0"},
	{"lease", "name", "fence > 0"},
	{"call_tally", "method || '/' || hour_us || '/' || node", `calls > 0 AND within_3s >= 0 AND within_3s <= within_5s
		AND within_5s <= answered AND answered <= calls`},
}

func (x *run) constraints() error {
	for _, c := range slices.Concat(constraints, x.engine.flags) {
		x.did("constraints")
		query := "SELECT " + c.key + " FROM " + c.table + " WHERE (" + c.must + ") IS NOT TRUE"
		err := x.each(query, func(scan func(...any) error) error {
			var row string
			err := scan(&row)
			x.bad("constraints", c.table, row, "does not keep to %s", strings.Join(strings.Fields(c.must), " "))
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
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
	err = k.each("SELECT sealed FROM keyset WHERE name = $1", func(scan func(...any) error) error {
		ok = true
		return scan(&sealed)
	}, name)
	return sealed, ok && err == nil, err
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
