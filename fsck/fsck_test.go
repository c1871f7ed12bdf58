package fsck_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"naru/core/card"
	"naru/core/payment"
	"naru/engine"
	"naru/fsck"
	"naru/vault"
)

func check(t *testing.T, o fsck.Options) fsck.Report {
	t.Helper()
	r, err := fsck.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// found names the checks that found something, sorted.
func found(r fsck.Report) string {
	names := map[string]bool{}
	for _, f := range r.Findings {
		names[f.Check] = true
	}
	return strings.Join(slices.Sorted(maps.Keys(names)), " ")
}

func text(r fsck.Report) string {
	var b strings.Builder
	_, _ = r.WriteTo(&b)
	return b.String()
}

func TestEveryLifeOfAPaymentIsClean(t *testing.T) {
	w := newWorld(t)
	w.play()
	live := copied(t, w.place) // the newest commits stand in the log alone
	if err := w.store.Close(); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{"stopped": w.place, "running": live} {
		r := check(t, fsck.Options{Database: path, KEK: w.kek})
		if !r.OK() || r.Warnings != 0 {
			t.Errorf("%s:\n%s", name, text(r))
		}
		if r.Rows["reservation"] != 69 || r.Rows["payout"] != 36 || r.Rows["deposit_order"] != 17 || r.Rows["bank_credit"] != 21 ||
			r.Checked["states"] != 69+36+17+21 || r.Checked["cards-open"] == 0 || r.Checked["answers-open"] < 20 ||
			r.Checked["payouts-open"] == 0 || r.Checked["deposits-open"] < 21+10 || r.Checked["bookings"] == 0 || r.Checked["merchants"] == 0 ||
			r.Checked["checkpoint-digests"] != 3 || r.Checked["secrets-files"] < 20 || r.Checked["journal-digests"] != r.Rows["event"] {
			t.Errorf("%s: too little was looked at:\n%s", name, text(r))
		}
		if len(r.NotChecked) != 1 || r.NotChecked[0].Check != "checkpoints" { // the newest events are not signed
			t.Errorf("%s: not checked: %v", name, r.NotChecked)
		}
	}
}

func TestWithoutTheKeyTheReportSaysWhatWasNotChecked(t *testing.T) {
	path, _ := played(t)
	r := check(t, fsck.Options{Database: path})
	var names []string
	for _, n := range r.NotChecked {
		names = append(names, n.Check)
		if _, done := r.Checked[n.Check]; done && n.Check != "checkpoints" {
			t.Errorf("%s is both checked and not", n.Check)
		}
	}
	const want = "keys journal-digests payouts-open deposits-open cards-open evidence-open checkpoints checkpoint-digests answers-open"
	if got := strings.Join(names, " "); got != want || !r.OK() {
		t.Errorf("not checked: %s\nwant: %s\n%s", got, want, text(r))
	}
}

// of is a row's id by the name of its request.
func of(request string) string {
	return "(SELECT id FROM reservation WHERE request_id = '" + request + "')"
}

func TestCorruptionsAreFound(t *testing.T) { corrupted(t, corruptionsOfPayments) }

// chop cuts the last event off a payment.
const chop = "UPDATE reservation SET version = version - 1, chain_length = chain_length - 1, chain_digest = (SELECT digest FROM event" +
	" WHERE payment_id = reservation.id ORDER BY n DESC LIMIT 1) WHERE request_id = "

var corruptionsOfPayments = []corruption{
	{"nothing", "", nil},
	{"posting changed", "balances postings", []string{
		"UPDATE posting SET amount = amount + 1 WHERE payment_id = " + of("captured") + " AND debit = 'acquirer:receivable'",
	}},
	{"posting deleted", "balances postings", []string{
		"DELETE FROM posting WHERE payment_id = " + of("captured") + " AND debit = 'acquirer:receivable'",
	}},
	{"posting to another owner", "balances postings", []string{
		"UPDATE posting SET owner = 'PG2_KRW', credit_owner = 'PG2_KRW' WHERE debit = 'acquirer:receivable' AND payment_id = " +
			of("captured"),
	}},
	{"posting between promise and money, balances kept", "postings", []string{
		"INSERT INTO posting SELECT payment_id, event_n, 7, owner, debit, owner, 'google:held', currency, 5, at_us FROM posting" +
			" WHERE payment_id = " + of("captured") + " AND debit = 'acquirer:receivable'",
		"UPDATE balance SET amount = amount + 5 WHERE account = 'acquirer:receivable' AND owner = 'PG_KRW'",
		"UPDATE balance SET amount = amount - 5 WHERE account = 'google:held' AND owner = 'PG_KRW'",
	}},
	{"posting to no account", "balances postings", []string{
		"UPDATE posting SET debit = 'acquirer:other' WHERE payment_id = " + of("captured") + " AND debit = 'acquirer:receivable'",
	}},
	{"posting of no event, balances kept", "postings", []string{
		"INSERT INTO posting SELECT payment_id, 99, k, owner, debit, owner, credit, currency, amount, at_us FROM posting" +
			" WHERE payment_id = " + of("captured") + " AND debit = 'acquirer:receivable'",
		"UPDATE balance SET amount = amount + 12900 WHERE account = 'acquirer:receivable' AND owner = 'PG_KRW'",
		"UPDATE balance SET amount = amount - 12900 WHERE account = 'google:payable' AND owner = 'PG_KRW'",
	}},
	{"posting of no payment", "balances postings", []string{
		"INSERT INTO posting SELECT 'zzz', event_n, k, owner, debit, credit_owner, credit, currency, amount, at_us FROM posting LIMIT 1",
	}},
	{"balance changed", "balances", []string{
		"UPDATE balance SET amount = amount + 1 WHERE account = 'google:payable' AND owner = 'PG_KRW'",
	}},
	{"balance deleted", "balances holds", []string{"DELETE FROM balance WHERE account = 'acquirer:held'"}},
	{"event altered", "journal-digests", []string{
		"UPDATE event SET detail = 'code=01' WHERE n = 2 AND payment_id = " + of("captured"),
	}},
	{"event moved in time", "journal-digests postings", []string{
		"UPDATE event SET at_us = at_us + 1 WHERE n = 2 AND payment_id = " + of("captured"),
	}},
	{"event says another state", "journal-digests states", []string{
		"UPDATE event SET state = 'DECLINED' WHERE n = 2 AND payment_id = " + of("captured"),
	}},
	{"event in the middle deleted", "answers answers-open checkpoint-digests checkpoints journal-chain states", []string{
		"DELETE FROM event WHERE n = 2 AND payment_id = " + of("captured"),
	}},
	{"end of the journal cut off, its head rewritten", "checkpoint-digests checkpoints", []string{
		"DELETE FROM event WHERE event = 'decline' AND payment_id = " + of("not-held-cancelled"),
		"DELETE FROM idempotency WHERE request_id = 'not-held-cancelled'",
		chop + "'not-held-cancelled'",
	}},
	{"event and the signatures over it deleted", "checkpoints", []string{
		"DELETE FROM event WHERE event = 'decline' AND payment_id = " + of("not-held-cancelled"),
		"DELETE FROM idempotency WHERE request_id = 'not-held-cancelled'",
		"DELETE FROM checkpoint",
		chop + "'not-held-cancelled'",
	}},
	{"events exchanged between payments", "checkpoint-digests journal-chain journal-digests", []string{
		"UPDATE event SET digest = (SELECT o.digest FROM event AS o WHERE o.n = event.n AND o.payment_id = " + of("held-at-last") +
			") WHERE n = 4 AND payment_id = " + of("captured"),
	}},
	{"journal that begins in the middle", "attempts journal-digests states", []string{
		"UPDATE event SET event = 'void' WHERE n = 1 AND payment_id = " + of("captured"),
	}},
	{"head of the journal changed", "journal-chain", []string{
		"UPDATE reservation SET chain_length = chain_length + 1, version = version + 1 WHERE request_id = 'captured'",
	}},
	{"changed without an event", "journal-chain", []string{
		"UPDATE reservation SET version = version + 1 WHERE request_id = 'captured'",
	}},
	{"journal of no payment", "checkpoint-digests checkpoints journal-chain", []string{
		"INSERT INTO event SELECT -1, 'zzz', n, at_us, event, state, actor, detail, digest, object FROM event LIMIT 1",
	}},
	{"checkpoint altered", "checkpoint-digests", []string{"UPDATE checkpoint SET digest = zeroblob(36) WHERE n = 2"}},
	{"checkpoint counts less", "checkpoint-digests checkpoints", []string{"UPDATE checkpoint SET events = events - 1 WHERE n = 1"}},
	{"checkpoint deleted", "checkpoint-digests checkpoints", []string{"DELETE FROM checkpoint WHERE n = 1"}},
	{"state that the events do not reach", "attempts states", []string{
		"UPDATE reservation SET state = 'EXPIRED' WHERE request_id = 'held' AND account = 'PG_KRW'",
	}},
	{"hold forgotten", "holds states", []string{
		"UPDATE reservation SET held = FALSE WHERE request_id = 'held' AND account = 'PG_KRW'",
	}},
	{"hold without an end", "answers-open jobs", []string{
		"UPDATE reservation SET hold_until_us = NULL WHERE request_id = 'captured'",
	}},
	{"captured amount changed", "jobs", []string{
		"UPDATE reservation SET captured = captured + 1 WHERE request_id = 'captured-in-part'",
	}},
	{"reserved amount changed", "advices holds postings", []string{
		"UPDATE reservation SET amount = amount + 1 WHERE request_id = 'cancelling'",
	}},
	{"reserved in no currency", "advices holds jobs states", []string{
		"UPDATE reservation SET currency = 'ZZZ' WHERE request_id = 'capturing'",
	}},
	{"two live attempts", "attempts schema", []string{
		"DROP INDEX attempt_live",
		"DELETE FROM advice WHERE reservation_id = " + of("held-again"),
		"UPDATE attempt SET state = 'APPROVED' WHERE reservation_id = " + of("held-again"),
	}},
	{"attempt that holds money for a refused payment", "attempts", []string{
		"UPDATE attempt SET state = 'APPROVED' WHERE reservation_id = " + of("declined"),
	}},
	{"attempt deleted", "attempts references", []string{
		"DELETE FROM attempt WHERE reservation_id = " + of("capturing"),
	}},
	{"open reversal deleted", "advices", []string{
		"DELETE FROM advice WHERE kind = 'REVERSAL' AND reservation_id = " + of("reversing"),
	}},
	{"open reversal of a cancel marked as done", "advices", []string{
		"UPDATE advice SET state = 'DONE' WHERE kind = 'REVERSAL' AND reservation_id = " + of("cancelling"),
	}},
	{"done reversal deleted", "advices", []string{
		"DELETE FROM advice WHERE kind = 'REVERSAL' AND reservation_id = " + of("not-held"),
	}},
	{"open completion deleted", "advices", []string{
		"DELETE FROM advice WHERE reservation_id = " + of("capturing"),
	}},
	{"completion of another amount", "advices", []string{
		"UPDATE advice SET amount = amount + 1 WHERE kind = 'COMPLETION' AND reservation_id = " + of("captured-in-part"),
	}},
	{"reversal that nobody asked for", "advices cards", []string{
		"UPDATE advice SET attempt_id = (SELECT attempt_id FROM reservation WHERE request_id = 'declined'), reservation_id = " + of("declined") +
			" WHERE kind = 'REVERSAL' AND reservation_id = " + of("reversing"),
	}},
	{"reversed twice", "advices schema", []string{
		"DROP INDEX advice_once",
		"INSERT INTO advice SELECT 'again', reservation_id, attempt_id, kind, state, stan, sent_us, rrn, reason, currency, amount, sends," +
			" lost, renewed, created_us, due_us, code, file, line FROM advice WHERE kind = 'REVERSAL' AND reservation_id = " + of("reversing"),
	}},
	{"rest of a capture not given back", "advices cards", []string{
		"UPDATE advice SET state = 'QUEUED' WHERE kind = 'RELEASE_REST' AND reservation_id = " + of("captured-in-part"),
	}},
	{"case of a stopped advice deleted", "advices", []string{"DELETE FROM operator_case WHERE kind = 'advice-refused'"}},
	{"capture verdict changed", "jobs notices", []string{
		"UPDATE capture SET state = 'EXPIRED' WHERE reservation_id = " + of("captured"),
	}},
	{"capture deleted", "advices answers items jobs notices", []string{
		"DELETE FROM capture WHERE reservation_id = " + of("captured-in-part"),
	}},
	{"capture of another account", "answers jobs notices", []string{
		"UPDATE capture SET account = 'PG2_KRW' WHERE reservation_id = " + of("captured"),
	}},
	{"cancel deleted", "answers jobs", []string{"DELETE FROM cancel WHERE request_id = 'cancel-cancelling-1'"}},
	{"cancel finished too early", "jobs notices", []string{
		"UPDATE cancel SET state = 'SUCCESS', done_us = created_us WHERE request_id = 'cancel-cancelling-1'",
	}},
	{"answers swapped", "answers-open", []string{
		"CREATE TEMP TABLE o AS SELECT request_id AS r, answer AS a FROM idempotency WHERE request_id IN ('captured', 'declined')",
		"UPDATE idempotency SET answer = (SELECT a FROM o WHERE r <> request_id) WHERE request_id IN ('captured', 'declined')",
	}},
	{"answer in clear", "answers-open secrets-columns", []string{
		`UPDATE idempotency SET answer = CAST('{"result":"ISSUER_DECLINED"}' AS BLOB) WHERE request_id = 'captured'`,
	}},
	{"answer deleted", "answers", []string{"DELETE FROM idempotency WHERE request_id = 'captured'"}},
	{"answer of a capture deleted", "answers", []string{"DELETE FROM idempotency WHERE request_id = 'capture-captured'"}},
	{"answer for nothing", "answers", []string{"UPDATE idempotency SET request_id = 'other' WHERE request_id = 'captured'"}},
	{"answer forgotten again", "answers", []string{
		"UPDATE idempotency SET done = FALSE, answer = NULL, done_us = NULL WHERE request_id = 'capture-captured'",
	}},
	{"answer of no method", "answers", []string{"UPDATE idempotency SET method = 'refund' WHERE request_id = 'captured'"}},
	{"answer of another method", "answers", []string{
		"UPDATE idempotency SET method = 'asynchronousCancelFundsReservation' WHERE request_id = 'captured'",
	}},
	{"first call forgotten", "answers", []string{"DELETE FROM idempotency WHERE request_id = 'pending'"}},
	{"fingerprint spoilt", "answers", []string{"UPDATE idempotency SET fingerprint = x'00' WHERE request_id = 'captured'"}},
	{"notice missing", "notices", []string{
		"DELETE FROM notice_try WHERE notice_id = (SELECT id FROM notice WHERE subject = 'capture-captured')",
		"DELETE FROM notice WHERE subject = 'capture-captured'",
	}},
	{"notice duplicated", "notices schema", []string{
		"CREATE TABLE n (id TEXT PRIMARY KEY, kind, account, subject, result, code, after_id, state, tries, base_tries, created_us, due_us," +
			" done_us, facts, fence)",
		"INSERT INTO n SELECT * FROM notice", "DROP TABLE notice", "ALTER TABLE n RENAME TO notice",
		"INSERT INTO notice SELECT 'naru-again', kind, account, subject, result, code, '', 'QUEUED', 0, 0, created_us, due_us, NULL, '', 0" +
			" FROM notice WHERE subject = 'capture-captured'",
	}},
	{"notice of nothing", "notices", []string{
		"INSERT INTO notice SELECT 'naru-again', kind, account, 'other', result, code, '', 'QUEUED', 0, 0, created_us, due_us, NULL, '', 0" +
			" FROM notice WHERE subject = 'capture-captured'",
	}},
	{"notice tells another verdict", "notices", []string{
		"UPDATE notice SET result = 'EXPIRED' WHERE subject = 'capture-captured'",
	}},
	{"notice sent, nobody answered", "notices", []string{
		"UPDATE notice_try SET status = 500 WHERE notice_id = (SELECT id FROM notice WHERE subject = 'capture-captured')",
	}},
	{"notice tried more than written down", "notices", []string{
		"DELETE FROM notice_try WHERE n = 1 AND notice_id = (SELECT id FROM notice WHERE subject = 'capture-captured')",
	}},
	{"notice given up untried", "notices", []string{
		"DELETE FROM notice_try WHERE notice_id = (SELECT id FROM notice WHERE subject = 'capture-captured')",
		"UPDATE notice SET state = 'PARKED', tries = 0, done_us = NULL WHERE subject = 'capture-captured'",
	}},
	{"notice behind one that there is not", "notices", []string{
		"UPDATE notice SET after_id = 'naru-none' WHERE subject = 'capture-captured'",
	}},
	{"try of no notice", "references", []string{"INSERT INTO notice_try VALUES ('naru-none', 1, 1, 200, 'delivered', 1)"}},
	{"card kept too long", "cards", []string{
		// the same ciphertext in its own place: sealed before the decline, as if erasing had been forgotten
		"UPDATE advice SET state = 'DONE' WHERE reservation_id = " + of("undoing"),
		"UPDATE attempt SET state = 'REVERSED' WHERE reservation_id = " + of("undoing"),
	}},
	{"card of another payment kept", "cards cards-open", []string{
		"UPDATE reservation SET card = (SELECT card FROM reservation WHERE request_id = 'captured') WHERE request_id = 'declined'",
	}},
	{"card erased too early", "cards", []string{"UPDATE reservation SET card = NULL WHERE request_id = 'capturing'"}},
	{"card number in a text", "secrets-columns secrets-files", []string{
		"UPDATE reservation SET code = '" + testPAN + "' WHERE request_id = 'captured'",
	}},
	{"card number in a document", "secrets-columns secrets-files", []string{
		"UPDATE operator_case SET detail = 'asked with 9999990000000014;2512'",
	}},
	{"card number far into a text", "secrets-columns secrets-files", []string{
		"UPDATE operator_case SET detail = hex(zeroblob(5000)) || ' " + testPAN + "'",
	}},
	{"card number in a blob", "secrets-columns secrets-files", []string{
		"UPDATE attempt SET code = CAST('00" + "|5555555555554444|" + "' AS BLOB) WHERE reservation_id = " + of("captured"),
	}},
	{"card number in a table of its own", "schema secrets-columns secrets-files", []string{
		"CREATE TABLE scratch (a)", "INSERT INTO scratch VALUES ('378282246310005')",
	}},
	{"member for a card secret", "secrets-columns secrets-files", []string{
		`UPDATE operator_case SET detail = '{"CVN" : "737"}'`,
	}},
	{"card number in freed space", "secrets-files", []string{
		"PRAGMA secure_delete = OFF", "INSERT INTO operator_case VALUES ('other', 'other', 'other', '" + testPAN + "', 1, 1, '', '')",
		"DELETE FROM operator_case WHERE id = 'other'",
	}},
	{"card number in a freed page", "secrets-files", []string{
		"PRAGMA secure_delete = OFF", "CREATE TABLE scratch (a)", // more pages than what is put back takes
		"INSERT INTO scratch WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50)" +
			" SELECT '" + testPAN + " ' || HEX(ZEROBLOB(1000)) FROM n", "DROP TABLE scratch",
	}},
	{"trigger replaced", "schema", []string{"CREATE TRIGGER more AFTER INSERT ON posting BEGIN SELECT 1; END"}},
	{"constraint broken", "constraints jobs", []string{
		lax, "UPDATE reservation SET captured = -1 WHERE request_id = 'captured'",
	}},
	{"lease given less than once", "constraints leases", []string{lax, "INSERT INTO lease VALUES ('expire', 'a/1', 0, 1)"}},
	{"lease of nobody", "leases", []string{"INSERT INTO lease VALUES ('expire', '', 1, 1)"}},
	{"two nodes of one name", "leases", []string{"INSERT INTO lease VALUES ('node/a/1', 'a/2', 2, 1)"}},
	{"request in work by nobody", "leases", []string{"UPDATE idempotency SET node = 'a/1' WHERE request_id = 'pending'"}},
	{"request in work by a node", "", []string{
		"UPDATE idempotency SET node = 'a/1' WHERE request_id = 'pending'", "INSERT INTO lease VALUES ('node/a/1', 'a/1', 1, 1)",
	}},
	{"request that was done by a node that is gone", "", []string{"UPDATE idempotency SET node = 'a/1' WHERE request_id = 'captured'"}},
	{"balance in two rows", "", []string{
		"INSERT INTO balance SELECT account, owner, currency, 999, 5 FROM balance WHERE account = 'acquirer:held' AND owner = 'PG_KRW'" +
			" AND currency = 'KRW' LIMIT 1",
		"INSERT INTO balance SELECT account, owner, currency, 998, -5 FROM balance WHERE slot = 999",
	}},
	{"second row of a balance", "balances holds", []string{
		"INSERT INTO balance SELECT account, owner, currency, 999, 5 FROM balance WHERE account = 'acquirer:held' AND owner = 'PG_KRW'" +
			" AND currency = 'KRW' LIMIT 1",
	}},
	{"more calls answered than there were", "constraints", []string{lax, "INSERT INTO call_tally VALUES ('m', 1, 'a', 1, 2, 1, 1)"}},
	{"notice taken less than never", "constraints", []string{"UPDATE notice SET fence = -1 WHERE subject = 'capture-captured'"}},
	{"keys gone", "keys", []string{"DELETE FROM keyset"}},
}

// A corruption is what somebody does to a database behind our back, and the checks that find it, and no other.
type corruption struct {
	name, want string
	statements []string
}

// lax lets rows break the constraints of their tables.
const lax = "PRAGMA ignore_check_constraints = ON"

func corrupted(t *testing.T, list []corruption) {
	path, kek := played(t)
	for _, c := range list {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := copied(t, path)
			corrupt(t, path, c.statements...)
			r := check(t, fsck.Options{Database: path, KEK: kek})
			if got := found(r); got != c.want {
				t.Errorf("found by: %s\nwant:     %s\n%s", got, c.want, text(r))
			}
			if r.OK() != (c.want == "") {
				t.Error("the verdict disagrees with the findings")
			}
			for _, secret := range []string{testPAN, "9999990000000014", "5555555555554444", "378282246310005"} {
				if strings.Contains(fmt.Sprint(r.Findings)+text(r), secret) {
					t.Error("the report shows a card number")
				}
			}
		})
	}
}

// A trigger that is missing cannot be seeded by corrupt, which puts them back.
func TestMissingTriggerIsFound(t *testing.T) {
	path, kek := played(t)
	edit(t, path, "DROP TRIGGER posting_no_update")
	if r := check(t, fsck.Options{Database: path, KEK: kek}); found(r) != "schema" || r.OK() {
		t.Error(text(r))
	}
}

// An answer that was sealed with the right key and says the wrong thing is the engine's own mistake: the place fits, the object does not.
func TestSealedAnswerMustAgreeWithItsObject(t *testing.T) {
	for _, c := range []struct{ name, request, answer, want string }{
		{"no to what was approved", "captured", `{"result":"ISSUER_DECLINED"}`, "answers-open"},
		{"yes to what was declined", "declined", `{"result":"SUCCESS"}`, "answers-open"},
		{"nothing", "declined", `{}`, "answers-open"},
		{"no document", "declined", `result`, "answers-open"},
		{"another capture word", "capture-captured", `{"result":"SUCCESS"}`, "answers-open"},
		{"another reservation", "captured", `{"result":"SUCCESS","paymentIntegratorFundsReservationId":"x"}`, "answers-open"},
		{"another end", "captured", `{"result":"SUCCESS","reservationExpirationTimestamp":"1"}`, "answers-open"},
		{"a card number in it", "declined", `{"result":"ISSUER_DECLINED","x":"` + testPAN + `"}`, "answers-open"},
		{"another refund word", "refund", `{"result":"SUCCESS"}`, "answers-open"},
		{"no word for evidence", "defence", `{"result":"ACKNOWLEDGED"}`, "answers-open"},
		{"another word for evidence", "defence", `{"result":"INVALID_DOCUMENT_FORMAT"}`, ""},
		{"no to a card that passed", "checked", `{"result":"ISSUER_DECLINED"}`, "answers-open"},
		{"no to what was sold", "capture-sold", `{"result":"ISSUER_DECLINED"}`, "answers-open"},
		{"another capture of a sale", "capture-sold", `{"result":"SUCCESS","paymentIntegratorCaptureId":"x"}`, "answers-open"},
		{"all in order", "declined", `{"result":"DO_NOT_HONOR"}`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.must(true, w.reserve("PG_KRW", "captured", approved, nil))
			w.capture("PG_KRW", "captured", 12_900)
			w.must(true, w.reserve("PG_KRW", "declined", refused, nil))
			w.check("PG_KRW", "checked", payment.ToCheck, approved)
			w.must(true, w.sell("PG_KRW", "sold", won(12_900), booked))
			w.forward()
			w.refund("PG_KRW", "refund", "captured", 900)
			w.defend("PG_KRW", "defence", "captured", "%PDF-1.7")
			v, err := vault.Open(w.kek, w.store)
			if err != nil {
				t.Fatal(err)
			}
			if err := w.store.Close(); err != nil {
				t.Fatal(err)
			}
			sealed, err := v.Seal([]byte(c.answer), "idempotency.answer/PG_KRW/"+c.request)
			if err != nil {
				t.Fatal(err)
			}
			edit(t, w.place, "UPDATE idempotency SET answer = $1 WHERE request_id = $2", sealed, c.request)
			if r := check(t, fsck.Options{Database: w.place, KEK: w.kek}); found(r) != c.want {
				t.Error(text(r))
			}
		})
	}
}

func TestSealedCardMustBeOne(t *testing.T) {
	w := newWorld(t)
	w.must(true, w.reserve("PG_KRW", "held", approved, nil))
	v, err := vault.Open(w.kek, w.store)
	if err != nil {
		t.Fatal(err)
	}
	holds, err := w.store.Holds(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := w.store.Close(); err != nil {
		t.Fatal(err)
	}
	sealed, err := v.Seal([]byte("no card"), "reservation.card/"+holds[0].Reservation)
	if err != nil {
		t.Fatal(err)
	}
	edit(t, w.place, "UPDATE reservation SET card = $1", sealed)
	if r := check(t, fsck.Options{Database: w.place, KEK: w.kek}); found(r) != "cards-open" {
		t.Error(text(r))
	}
}

// In freed space nothing tells that an audit number and a reference are two values.
func TestTraceInFreedSpaceIsAWarning(t *testing.T) {
	path, kek := played(t)
	path = copied(t, path)
	trace := "412345632603412345"
	for d := '0'; !card.Luhn(trace); d++ {
		trace = trace[:17] + string(d)
	}
	corrupt(t, path, "PRAGMA secure_delete = OFF",
		"INSERT INTO operator_case VALUES ('other', 'other', 'other', '"+trace+"', 1, 1, '', '')", "DELETE FROM operator_case WHERE id = 'other'")
	if r := check(t, fsck.Options{Database: path, KEK: kek}); found(r) != "secrets-files" || !r.OK() || r.Warnings == 0 {
		t.Error(text(r))
	}
}

func edit(t *testing.T, place, statement string, args ...any) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+place)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(statement, args...); err != nil {
		t.Fatal(err)
	}
}

func TestForeignIdentifierThatLooksLikeACardIsAWarning(t *testing.T) {
	w := newWorld(t)
	w.must(true, w.reserve("PG_KRW", testPAN, refused, nil))
	linked := booked
	linked.LinkID = testPAN
	w.must(true, w.sell("PG_KRW", "sold", won(12_900), linked))
	if err := w.store.Close(); err != nil {
		t.Fatal(err)
	}
	r := check(t, fsck.Options{Database: w.place, KEK: w.kek})
	if found(r) != "secrets-columns" || !r.OK() || r.Warnings != 3 || strings.Contains(text(r), testPAN) {
		t.Error(text(r))
	}
	if r = check(t, fsck.Options{Database: w.place, KEK: w.kek, Strict: true}); r.OK() {
		t.Error("a warning is no error where warnings are errors")
	}
}

// What others chose is repeated in texts of our own: in the journal, in notices and in cases. It is one number, and told once.
func TestForeignIdentifierThatIsRepeatedIsOneWarning(t *testing.T) {
	w := newWorld(t)
	w.paid("PG_KRW", "captured")
	w.take(dsp, w.record("FRD", w.rrn("PG_KRW", "captured"), 0, func(r *engine.ClearingRecord) { r.ID = testPAN }), w.record(
		"CHB", w.rrn("PG_KRW", "captured"), -100, dispute(payment.First, "4000000000000002"),
	), w.record("CAP", "unknown", 1, func(r *engine.ClearingRecord) { r.ID = "5555555555554444" }))
	w.do(w.store.Close())
	r := check(t, fsck.Options{Database: w.place, KEK: w.kek})
	if found(r) != "secrets-columns" || !r.OK() || r.Warnings != 4 { // two records, the subject of a notice, the number of a case
		t.Error(text(r))
	}
}

// What may be a peculiarity of an acquirer, or of a moment, is for a person to judge.
func TestPeculiaritiesAreWarnings(t *testing.T) {
	path, kek := played(t)
	for name, c := range map[string]struct{ want, statement string }{
		"card past its time": {"cards", "UPDATE reservation SET card_until_us = 1 WHERE request_id = 'late'"},
		"answered file that still waits": {
			"capture-files", "UPDATE capture_file SET state = 'ANSWERED', done_us = created_us WHERE state = 'SENT'",
		},
		"hold that came as a sale before": {
			"attempts", "UPDATE attempt SET undone_day = '20261122' WHERE state = 'REVERSED' AND reservation_id = " + of("held-at-last"),
		},
		"payout that waits for a person, who closed its case": {
			"payouts", "UPDATE operator_case SET closed_us = 1 WHERE kind = 'payout-stuck'",
		},
		"credit that is nobody's, and whose case was closed": {
			"credits", "UPDATE operator_case SET closed_us = 1 WHERE payment_id = " + creditOf("T-WAITING"),
		},
		"chargeback told with less": {
			"acquirer-records", "UPDATE acquirer_event SET gross = gross + 1 WHERE type = '0422'",
		},
	} {
		path := copied(t, path)
		corrupt(t, path, c.statement)
		if r := check(t, fsck.Options{Database: path, KEK: kek}); found(r) != c.want || !r.OK() || r.Warnings != 1 {
			t.Error(name, text(r))
		}
	}
}

// A reading of a file that died is no error: it goes on where it ended. What cannot be compared until then is said.
func TestFileThatWasNotReadToItsEndIsSaid(t *testing.T) {
	path, kek := played(t)
	corrupt(t, path, "DELETE FROM acquirer_file WHERE records = 16")
	r := check(t, fsck.Options{Database: path, KEK: kek})
	said := slices.ContainsFunc(r.NotChecked, func(n fsck.NotChecked) bool {
		return n.Check == "acquirer-files" && strings.HasPrefix(n.Why, "16 records ")
	})
	if !r.OK() || r.Warnings != 0 || !said {
		t.Error(text(r))
	}
}

func TestForbiddenValues(t *testing.T) {
	path, kek := played(t)
	const ci = "Q0lfQTEyMzQ1Njc4OTA="
	forbidden := [][]byte{[]byte(ci), []byte("910417")}
	if r := check(t, fsck.Options{Database: path, KEK: kek, Forbidden: forbidden}); !r.OK() {
		t.Fatal(text(r))
	}
	corrupt(t, path, "UPDATE operator_case SET detail = 'born 910417, not 19104170, "+ci+"' WHERE kind = 'totals-differ'")
	r := check(t, fsck.Options{Database: path, KEK: kek, Forbidden: forbidden})
	if found(r) != "secrets-columns secrets-files" || strings.Contains(fmt.Sprint(r.Findings), ci) {
		t.Error(text(r))
	}
	for _, f := range r.Findings {
		if !strings.Contains(f.Problem, "2 forbidden values") {
			t.Error(f)
		}
	}
}

func TestAbandonedFirstCallIsAWarning(t *testing.T) {
	w := newWorld(t)
	w.die = true
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.reserve("PG_KRW", "abandoned", approved, nil)
	}()
	<-done
	w.die = false
	w.clock.advance(61_000_000_000)
	w.must(true, w.reserve("PG_KRW", "later", refused, nil))
	if err := w.store.Close(); err != nil {
		t.Fatal(err)
	}
	if r := check(t, fsck.Options{Database: w.place, KEK: w.kek}); found(r) != "answers" || !r.OK() || r.Warnings != 1 {
		t.Error(text(r))
	}
}

func TestWrongKeyIsSaidAndTheRestIsChecked(t *testing.T) {
	path, kek := played(t)
	kek[0]++
	r := check(t, fsck.Options{Database: path, KEK: kek})
	if found(r) != "keys" || r.OK() || r.Checked["states"] == 0 {
		t.Error(text(r))
	}
	if _, done := r.Checked["journal-digests"]; done {
		t.Error("digests were checked with a wrong key")
	}
}

func TestWhatCannotBeCheckedIsAnError(t *testing.T) {
	path, kek := played(t)
	newer := copied(t, path)
	edit(t, newer, "INSERT INTO migration (version_id, is_applied) VALUES (99, TRUE)")
	other := copied(t, path)
	if err := os.WriteFile(other, []byte(strings.Repeat("no database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	empty := copied(t, path)
	if err := os.Truncate(empty, 0); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{"newer": newer, "none": other, "empty": empty, "missing": path + "x"} {
		if r, err := fsck.Run(t.Context(), fsck.Options{Database: path, KEK: kek}); err == nil {
			t.Errorf("%s: %s", name, text(r))
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := fsck.Run(ctx, fsck.Options{Database: path, KEK: kek}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// A database that fails in one place is still checked in the others.
func TestSpoiltPagesAreFound(t *testing.T) {
	path, kek := played(t)
	path = copied(t, path)
	corrupt(t, path) // nothing: it leaves all pages in one file
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var root int
	db, err := sql.Open("sqlite", "file:"+path+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRow("SELECT rootpage FROM sqlite_schema WHERE name = 'posting'").Scan(&root); err != nil {
		t.Fatal(err)
	}
	spoilt := copied(t, path)
	page := b[(root-1)*4096 : root*4096]
	copy(page[8:], "\xff\xff\xff\xff\xff\xff")
	if err := os.WriteFile(spoilt, b, 0o600); err != nil {
		t.Fatal(err)
	}
	r := check(t, fsck.Options{Database: spoilt, KEK: kek})
	if !strings.Contains(found(r), "integrity") || r.Checked["secrets-files"] == 0 || r.OK() {
		t.Error(text(r))
	}
}

func TestFindingsAreBounded(t *testing.T) {
	path, kek := played(t)
	corrupt(t, path, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)"+
		" INSERT INTO event SELECT 10000 + i, 'zz' || i, 1, 1, 'ask', 'PENDING', '', '', x'00', '' FROM n")
	r := check(t, fsck.Options{Database: path, KEK: kek})
	if len(r.Findings) > 200 || r.Errors < 500 || !strings.Contains(text(r), "more\n") {
		t.Errorf("%d findings of %d", len(r.Findings), r.Errors)
	}
}
