package fsck_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"naru/core/card"
	"naru/core/money"
	"naru/core/payout"
	"naru/engine"
	"naru/fsck"
	"naru/vault"
)

const testVPA = "asha.r@examplebank"

func rupees(minor int64) money.Amount { return money.New(minor, money.Of("INR")) }

// bank pays for us, and says what the test says: a verdict of each call, the last one again and again.
type bank struct {
	pays, looks payout.Answer
	lines       []payout.StatementLine
}

func (*bank) Check(payout.Order) error { return nil }

func (*bank) Compose(o payout.Order) ([]byte, error) {
	return json.Marshal(map[string]any{"reference_id": o.Reference, "vpa": o.Target.VPA.Reveal(), "amount": o.Amount.Minor()})
}

// named fills in how the bank names an order, where it has taken it.
func named(o payout.Order, said payout.Answer) payout.Answer {
	switch said.Verdict {
	case payout.Open, payout.InDoubt, payout.TakenBack, payout.Credited, payout.CameBack:
		said.BankID, said.Reference = bankID(o.Reference), o.Reference
	}
	if said.Verdict == payout.Credited {
		said.UTR, said.Fees, said.Tax = "606109000001", rupees(500), rupees(90)
	}
	return said
}

// It has no digits: a run of them may look like a card number by chance, and a warning says so.
func bankID(reference string) string {
	return "pout-" + strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r - '0' + 'g'
		}
		return r
	}, reference)
}

func (b *bank) Pay(_ context.Context, o payout.Order) payout.Answer { return named(o, b.pays) }

func (b *bank) Enquire(_ context.Context, o payout.Order) payout.Answer { return named(o, b.looks) }

func (*bank) Float(context.Context) (payout.Float, error) {
	return payout.Float{Balance: rupees(1_000_000), Available: rupees(1_000_000)}, nil
}

func (b *bank) Statement(_ context.Context, _, _ time.Time, skip, limit int) ([]payout.StatementLine, error) {
	return b.lines[min(skip, len(b.lines)):min(skip+limit, len(b.lines))], nil
}

var (
	credited = payout.Answer{Verdict: payout.Credited, Status: "processed", Scope: "npci-upi", Code: "00"}
	onHold   = payout.Answer{Verdict: payout.Rejected, Status: "failed", Reason: payout.OnHold, Scope: "npci-upi", Code: "U31:YF"}
	tooMuch  = payout.Answer{Verdict: payout.Rejected, Status: "failed", Reason: payout.AboveLimit, Scope: "npci-upi", Code: "U02"}
	later    = payout.Answer{Verdict: payout.Failed, Status: "failed", Scope: "npci-upi", Code: "U28"}
	misfit   = payout.Answer{Verdict: payout.Misfit, Status: "400", Code: "BAD_REQUEST"}
	deemed   = payout.Answer{Verdict: payout.InDoubt, Status: "processing", Code: "U68"}
	undone   = payout.Answer{Verdict: payout.TakenBack, Status: "processing", Code: "U67"}
	open     = payout.Answer{Verdict: payout.Open, Status: "processing"}
	back     = payout.Answer{Verdict: payout.CameBack, Status: "reversed", Code: "21"}
	unheard  = payout.Answer{}
	unsent   = payout.Answer{Verdict: payout.NotSent}
	absent   = payout.Answer{Verdict: payout.Absent}
)

// payOut asks to pay; the bank answers as it says. It reports whether there was an answer.
func (w *world) payOut(request string, minor int64, said payout.Answer) bool {
	w.t.Helper()
	w.bank.pays = said
	code := map[payout.Reason]string{
		payout.NoReason: "SUCCESS", payout.BelowLimit: "DISBURSEMENT_UNDER_TRANSACTION_LIMIT",
		payout.AboveLimit: "DISBURSEMENT_EXCEEDS_TRANSACTION_LIMIT", payout.OnHold: "ACCOUNT_ON_HOLD", payout.Closed: "ACCOUNT_CLOSED",
	}
	ask := engine.DisburseAsk{
		Amount: rupees(minor), Target: payout.Target{VPA: card.Conceal(testVPA), Text: "Reward 4711"},
		Encode: func(p payout.Payout) ([]byte, error) {
			const answer = `{"paymentIntegratorTransactionId":%q,"disburseFundsResult":{"disburseFundsResultCode":%q}}`
			return fmt.Appendf(nil, answer, p.ID, code[p.Reason]), nil
		},
	}
	err := w.once("PAY_INR", request, "disburseFunds", fmt.Sprint(minor), func(ctx context.Context, t engine.Turn) ([]byte, error) {
		return w.engine.Disburse(ctx, t, ask)
	})
	return err == nil
}

// goOn lets the loop work on what is due after a while; the bank answers as it says, to orders and to questions.
func (w *world) goOn(after time.Duration, said payout.Answer) {
	w.t.Helper()
	w.bank.pays, w.bank.looks = said, said
	w.clock.advance(after)
	w.keepPaying()
}

// paidOut is our name of a payout and of its present order.
func (w *world) paidOut(request string) (id, reference string) {
	w.t.Helper()
	rows, err := w.store.Payouts(w.t.Context())
	w.do(err)
	for _, p := range rows {
		if p.RequestID == request {
			return p.Payout, p.Reference
		}
	}
	w.t.Fatal("no payout", request)
	return "", ""
}

// stated is a line of the bank's statement about an order, or about none.
func (w *world) stated(request, kind string, minor int64) {
	l := payout.StatementLine{
		ID: fmt.Sprintf("txn_%d", len(w.bank.lines)+1), At: w.clock.Now(), Amount: rupees(minor), Balance: rupees(0), Kind: kind,
	}
	if request != "" {
		_, reference := w.paidOut(request)
		l.BankID = bankID(reference)
	}
	w.bank.lines = append(w.bank.lines, l)
}

// disburse is every life of a payout that comes to an end.
func (w *world) disburse() {
	w.must(true, w.payOut("paid", 12_550, credited))
	w.must(true, w.payOut("paid-dearly", 12_550, credited))
	w.must(true, w.payOut("held", 12_550, onHold))
	w.must(true, w.payOut("too-little", 99, credited))
	w.must(true, w.payOut("too-much", 10_000_001, credited))
	w.must(true, w.payOut("too-much-for-the-bank", 9_000_000, tooMuch))
	w.must(true, w.payOut("paid-and-returned", 20_000, credited))
	w.must(false, w.payOut("lost", 12_550, unheard))
	w.must(false, w.payOut("lost-and-asked-again", 12_550, unheard))
	w.must(false, w.payOut("unsent", 12_550, unsent))
	w.goOn(time.Minute, credited)
	w.must(true, w.payOut("lost-and-asked-again", 12_550, unheard))
	w.must(false, w.payOut("lost-and-held", 12_550, unheard))
	w.goOn(time.Minute, onHold)
	w.must(false, w.payOut("deemed-and-paid", 12_550, deemed))
	w.goOn(time.Hour, credited)
	w.must(false, w.payOut("two-attempts", 12_550, undone))
	w.goOn(time.Minute, later)
	w.goOn(time.Hour, credited)
	w.must(false, w.payOut("three-attempts", 12_550, later))
	w.goOn(time.Hour, later)
	w.goOn(time.Hour, later)
	id, _ := w.paidOut("three-attempts")
	w.do(w.engine.RefusePayout(w.t.Context(), id, payout.Closed, "the payee says so"))
	_, reference := w.paidOut("paid-and-returned")
	news := payout.News{ID: "event-1", At: w.clock.Now(), Answer: back}
	news.Reference, news.BankID = reference, bankID(reference)
	w.do(w.engine.PayoutNews(w.t.Context(), "rzp", news))
	w.do(w.engine.PayoutNews(w.t.Context(), "rzp", news))

	w.must(false, w.payOut("absent", 12_550, unheard))
	w.goOn(day, absent)
	w.goOn(day, absent)
	w.stated("", "transfer", 1_000_000)
	w.stated("", "fee", -700)
	w.stated("", "nothing", 0)
	w.stated("paid", "payout", -13_140)
	w.stated("paid-dearly", "payout", -13_240)
	w.stated("paid-and-returned", "payout", -20_590)
	w.stated("paid-and-returned", "reversal", 20_000)
	w.do(w.engine.ReadStatement(w.t.Context(), "rzp"))
	w.bank.lines = append(w.bank.lines, payout.StatementLine{
		ID: "txn_other", At: w.clock.Now(), Amount: rupees(-100), Balance: rupees(0), Kind: "payout", BankID: "pout_of_somebody",
	})
	w.bank.looks = absent
	w.do(w.engine.ReadStatement(w.t.Context(), "rzp"))
	w.goOn(time.Hour, credited)
}

// disbursing is what is open when everybody stops.
func (w *world) disbursing() {
	w.must(false, w.payOut("open-recorded", 12_550, unsent))
	w.must(false, w.payOut("open-unknown", 12_550, unheard))
	w.must(false, w.payOut("open-taken", 12_550, open))
	w.must(false, w.payOut("open-deemed", 12_550, deemed))
	w.must(false, w.payOut("open-reversing", 12_550, undone))
	w.must(false, w.payOut("open-again", 12_550, later))
	w.must(false, w.payOut("open-stuck", 12_550, misfit))
	w.must(true, w.payOut("paid-newest", 12_550, credited))
}

// payoutOf is a payout's id by the name of its request.
func payoutOf(request string) string {
	return "(SELECT id FROM payout WHERE request_id = '" + request + "')"
}

// tryOf changes an attempt of a payout.
func tryOf(request string, n int, set string) string {
	return fmt.Sprintf("UPDATE payout_attempt SET %s WHERE n = %d AND payout_id = %s", set, n, payoutOf(request))
}

func change(request, set string) string {
	return "UPDATE payout SET " + set + " WHERE request_id = '" + request + "'"
}

func TestCorruptionsOfPayoutsAreFound(t *testing.T) { corrupted(t, corruptionsOfPayouts) }

var corruptionsOfPayouts = []corruption{
	// journal and states
	{"state that the events do not reach", "states", []string{change("open-taken", "state = 'UNKNOWN'")}},
	{"event says another end", "journal-digests postings states", []string{
		"UPDATE event SET event = 'refuse', state = 'DECLINED' WHERE event = 'confirm' AND payment_id = " + payoutOf("paid-newest"),
	}},
	{"event that changes nothing", "journal-digests states", []string{
		"UPDATE event SET event = 'lose', state = 'UNKNOWN' WHERE event = 'deem' AND payment_id = " + payoutOf("open-deemed"),
	}},
	{"event of something unheard of", "journal-digests states", []string{
		"UPDATE event SET object = 'voucher/1' WHERE event = 'lose' AND payment_id = " + payoutOf("open-unknown"),
	}},
	{"journal that begins in the middle", "journal-digests states", []string{
		"UPDATE event SET event = 'dispatch' WHERE n = 1 AND payment_id = " + payoutOf("open-unknown"),
	}},
	{"changed less often than there are events", "journal-chain", []string{change("paid-newest", "version = 2")}},
	{"head of the journal changed", "journal-chain", []string{
		change("paid-newest", "version = version + 1, chain_length = chain_length + 1"),
	}},
	{"payout deleted", "answers journal-chain postings references", []string{"DELETE FROM payout WHERE request_id = 'paid-newest'"}},
	{"done at another time", "states", []string{change("paid-newest", "done_us = done_us + 1")}},
	{"back at another time", "states", []string{change("paid-and-returned", "back_us = back_us + 1")}},
	{"asked at another time", "states", []string{change("open-unknown", "created_us = created_us + 1")}},
	{"of no currency", "in-flight states", []string{change("open-unknown", "currency = 'ZZZ'")}},
	{"refused by a person for another reason", "notices states", []string{change("three-attempts", "reason = 'account_on_hold'")}},

	// what the bank was told
	{"two attempts that may pay", "payouts schema", []string{"DROP INDEX payout_attempt_one", tryOf("two-attempts", 1, "state = 'PAID'")}},
	{"attempt that is given up and open", "payouts schema", []string{
		"DROP INDEX payout_attempt_one", tryOf("two-attempts", 1, "state = 'OPEN'"),
	}},
	{"paid payout with an open attempt", "payouts", []string{tryOf("paid-newest", 1, "state = 'OPEN'")}},
	{"open payout with a paid attempt", "payouts", []string{tryOf("open-deemed", 1, "state = 'PAID'")}},
	{"refused payout with a live attempt", "payouts", []string{tryOf("held", 1, "state = 'PREPARED'")}},
	{"refused payout with a paid attempt", "payouts", []string{tryOf("held", 1, "state = 'PAID'")}},
	{"returned payout with a paid attempt", "payouts", []string{tryOf("paid-and-returned", 1, "state = 'PAID'")}},
	{"failed attempt of a payout that is sent", "payouts", []string{tryOf("open-taken", 1, "state = 'FAILED'")}},
	{"attempt deleted", "payouts states", []string{"DELETE FROM payout_attempt WHERE payout_id = " + payoutOf("open-unknown")}},
	{"attempt nobody sent", "payouts payouts-open", []string{
		"INSERT INTO payout_attempt SELECT 'other', 'FAILED', payout_id, currency, 'other', bank, '', created_us, '', NULL, '', '', 2, 1, 0," +
			" 0, 0, 0, body FROM payout_attempt WHERE payout_id = " + payoutOf("open-again"),
		change("open-again", "attempts = 2, attempt_id = 'other'"),
	}},
	{"attempts counted wrong", "payouts", []string{change("paid-newest", "attempts = 2")}},
	{"attempt under another number", "payouts", []string{tryOf("open-taken", 1, "n = 7")}},
	{"earlier attempt is the present one", "payouts postings", []string{
		change("two-attempts", "attempt_id = (SELECT a.id FROM payout_attempt AS a WHERE a.payout_id = payout.id AND a.n = 1)"),
	}},
	{"attempt with another reference", "payouts states", []string{tryOf("open-taken", 1, "reference = 'other'")}},
	{"attempt at another bank", "payouts", []string{tryOf("open-taken", 1, "bank = 'other'")}},
	{"attempt in another currency", "payouts", []string{tryOf("open-taken", 1, "currency = 'KRW'")}},
	{"attempt sent at another time", "payouts", []string{tryOf("open-taken", 1, "first_sent_us = first_sent_us - 1")}},
	{"attempt made at another time", "payouts", []string{tryOf("open-taken", 1, "created_us = created_us - 1")}},
	{"attempt that is said not to have left", "payouts", []string{tryOf("open-unknown", 1, "first_sent_us = NULL, sends = 0")}},
	{"attempt that is said to have left", "payouts", []string{tryOf("open-recorded", 1, "first_sent_us = created_us, sends = 1")}},

	// who looks after it
	{"open payout that nobody looks at", "payouts", []string{change("open-unknown", "due_us = NULL")}},
	{"stuck payout that nobody hears of", "payouts", []string{
		"DELETE FROM operator_case WHERE kind = 'payout-stuck' AND payment_id = " + payoutOf("open-stuck"),
	}},
	{"money back that nobody hears of", "payouts", []string{"DELETE FROM operator_case WHERE kind = 'payout-returned'"}},
	{"money back of what is paid", "payouts", []string{
		"INSERT INTO operator_case SELECT 'payout-returned/' || attempt_id, 'payout-returned', id, '', 1, NULL, '', '' FROM payout" +
			" WHERE request_id = 'paid-newest'",
	}},
	{"limit forgotten", "payouts", []string{change("too-much", "limit_broken = 0")}},
	{"print spoilt", "payouts", []string{change("paid-newest", "print = x'00'")}},

	// money
	{"payment booked with another amount", "balances postings", []string{
		"UPDATE posting SET amount = amount + 1 WHERE debit = 'payout:inflight' AND credit = 'payout:float' AND payment_id = " +
			payoutOf("paid-newest"),
	}},
	{"payment booked from another bank", "balances postings", []string{
		"UPDATE posting SET credit_owner = 'other' WHERE credit = 'payout:float' AND debit = 'payout:inflight' AND payment_id = " +
			payoutOf("paid-newest"),
	}},
	{"fees not booked", "balances postings", []string{
		"DELETE FROM posting WHERE debit = 'fee:rail' AND payment_id = " + payoutOf("paid-newest"),
	}},
	{"fees other than booked", "postings", []string{tryOf("paid-newest", 1, "fees = fees + 1")}},
	{"tax other than booked", "postings", []string{tryOf("paid-newest", 1, "tax = tax + 1")}},
	{"amount other than booked", "in-flight postings states", []string{change("open-unknown", "amount = amount + 1")}},
	{"in flight after the end", "balances in-flight postings", []string{
		"DELETE FROM posting WHERE debit = 'payout:inflight' AND payment_id = " + payoutOf("held"),
		"UPDATE balance SET amount = amount - 12550 WHERE account = 'payout:inflight'",
	}},
	{"balance in flight changed", "balances in-flight", []string{
		"UPDATE balance SET amount = amount + 1 WHERE account = 'payout:inflight'",
	}},
	{"balance in flight deleted", "balances in-flight", []string{"DELETE FROM balance WHERE account = 'payout:inflight'"}},
	{"money between two owners", "balances constraints postings", []string{
		lax, "UPDATE posting SET credit_owner = 'PG2_KRW' WHERE payment_id = " + of("captured") + " AND debit = 'acquirer:receivable'",
	}},

	// statements
	{"line with another name of its order", "statements", []string{"UPDATE statement_entry SET bank_id = 'other' WHERE id = 'txn_4'"}},
	{"line of an order at another bank", "statements", []string{"UPDATE statement_entry SET bank = 'other' WHERE id = 'txn_4'"}},
	{"strange line that nobody hears of", "statements", []string{"DELETE FROM operator_case WHERE kind = 'payout-unknown-debit'"}},
	{"strange line that is said to be known", "statements", []string{"UPDATE statement_entry SET known = TRUE WHERE id = 'txn_other'"}},
	{"line that is not booked", "statements", []string{"UPDATE statement_entry SET amount = 5 WHERE id = 'txn_3'"}},
	{"line of another amount than was paid", "statements", []string{"UPDATE statement_entry SET amount = amount - 1 WHERE id = 'txn_4'"}},
	{"line of another amount than was booked as fees", "postings statements", []string{
		"UPDATE statement_entry SET amount = amount - 1 WHERE id = 'txn_5'",
	}},
	{"line of another amount than was booked", "postings", []string{"UPDATE statement_entry SET amount = amount + 1 WHERE id = 'txn_1'"}},
	{"line of fees that was booked as money", "postings states", []string{"UPDATE statement_entry SET kind = 'transfer' WHERE id = 'txn_2'"}},
	{"line that was booked deleted", "states", []string{"DELETE FROM statement_entry WHERE id = 'txn_1'"}},
	{"line with fees deleted", "states", []string{"DELETE FROM statement_entry WHERE id = 'txn_5'"}},
	{"line of an attempt that is not there", "references statements", []string{
		"UPDATE statement_entry SET attempt_id = 'none' WHERE id = 'txn_4'",
	}},

	// what was said of it
	{"answer to an open payout", "answers answers-open", []string{
		"INSERT INTO idempotency SELECT account, 'open-unknown', method, fingerprint, done, answer, created_us, done_us, node FROM idempotency" +
			" WHERE request_id = 'paid-newest'",
	}},
	{"result neither answered nor told", "notices", []string{"DELETE FROM idempotency WHERE request_id = 'paid-newest'"}},
	{"result not told", "notices", []string{
		"DELETE FROM notice_try WHERE notice_id = 'naru-payout-result-' || " + payoutOf("lost"),
		"DELETE FROM notice WHERE id = 'naru-payout-result-' || " + payoutOf("lost"),
	}},
	{"result told before it was there", "notices", []string{
		"INSERT INTO notice SELECT 'naru-payout-result-' || " + payoutOf("open-unknown") + ", kind, account, 'open-unknown', result, code, ''," +
			" 'QUEUED', 0, 0, created_us, due_us, NULL, '', 0 FROM notice WHERE subject = 'lost'",
	}},
	{"result told of nothing", "notices", []string{"UPDATE notice SET subject = 'other' WHERE subject = 'lost'"}},
	{"result told as another", "notices", []string{"UPDATE notice SET result = 'account_closed' WHERE subject = 'lost'"}},
	{"result told with another code", "notices", []string{"UPDATE notice SET code = 'U30' WHERE subject = 'lost'"}},
	{"result told with another scope", "notices", []string{
		"UPDATE notice SET facts = REPLACE(facts, 'npci-upi', 'other') WHERE subject = 'lost'",
	}},
	{"result told under another name", "notices", []string{
		"UPDATE notice SET facts = JSON_SET(facts, '$.OwnID', 'other') WHERE subject = 'lost'",
	}},
	{"reason other than told", "notices", []string{change("lost-and-held", "reason = 'account_closed'")}},
	{"reason other than answered", "answers-open", []string{change("held", "reason = 'account_closed'")}},
	{"answer of another method", "answers", []string{"UPDATE idempotency SET method = 'capture' WHERE request_id = 'paid-newest'"}},
	{"answer of a payout to a refund", "answers", []string{
		"UPDATE idempotency SET method = 'disburseFunds' WHERE request_id = 'refund-paid'",
	}},
	{"answer forgotten again", "answers", []string{
		"UPDATE idempotency SET done = FALSE, answer = NULL, done_us = NULL WHERE request_id = 'paid-newest'",
	}},

	// what is about a person
	{"target in clear", "payouts-open secrets-columns secrets-files", []string{
		change("paid-newest", "target = CAST('"+testVPA+"' || char(10) || 'x' AS BLOB)"),
	}},
	{"target of another payout", "payouts-open", []string{
		change("paid-newest", "target = (SELECT o.target FROM payout AS o WHERE o.request_id = 'lost')"),
	}},
	{"order in clear", "payouts-open secrets-columns secrets-files", []string{
		tryOf("paid-newest", 1, "body = CAST('{\"vpa\":\""+testVPA+"\"}' AS BLOB)"),
	}},
	{"order of another attempt", "payouts-open", []string{
		tryOf("two-attempts", 1, "body = (SELECT o.body FROM payout_attempt AS o WHERE o.n = 2 AND o.payout_id = payout_attempt.payout_id)"),
	}},
	{"address in a text", "secrets-columns secrets-files", []string{
		"UPDATE operator_case SET detail = 'paid to " + testVPA + "' WHERE kind = 'payout-stuck'",
	}},
	{"address of an account in a text", "secrets-columns", []string{
		"UPDATE operator_case SET detail = 'to 50100012345678@HDFC0000001.ifsc.npci' WHERE kind = 'payout-stuck'",
	}},

	// constraints
	{"refused without a reason", "constraints payouts states", []string{lax, change("too-much", "reason = ''")}},
	{"final and due", "constraints", []string{lax, change("paid-newest", "due_us = 1")}},
	{"final and not done", "constraints notices states", []string{lax, change("lost", "done_us = NULL")}},
	{"returned and not back", "constraints states", []string{lax, change("paid-and-returned", "back_us = NULL")}},
	{"paid without attempts", "constraints payouts postings", []string{
		lax, change("paid-newest", "attempts = 0, attempt_id = ''"),
	}},
	{"attempt that is nowhere", "constraints payouts", []string{lax, tryOf("open-taken", 1, "state = 'LOST'")}},
	{"line of ours that is not known", "constraints statements", []string{
		lax, "UPDATE statement_entry SET known = FALSE WHERE id = 'txn_4'",
	}},
}

// What was sealed with the right key for the right place and is no target is the engine's own mistake.
func TestSealedTargetMustBeOne(t *testing.T) {
	for plain, want := range map[string]string{
		testVPA + "\ntwo\nlines": "", testVPA: "payouts-open", "\ntext": "payouts-open", "nobody\ntext": "payouts-open",
	} {
		w := newWorld(t)
		w.must(true, w.payOut("paid", 12_550, credited))
		v, err := vault.Open(w.kek, w.store)
		w.do(err)
		id, _ := w.paidOut("paid")
		sealed, err := v.Seal([]byte(plain), "payout.target/"+id)
		w.do(err)
		w.do(w.store.Close())
		edit(t, w.place, "UPDATE payout SET target = $1", sealed)
		if r := check(t, fsck.Options{Database: w.place, KEK: w.kek}); found(r) != want {
			t.Errorf("%q\n%s", plain, text(r))
		}
	}
}

// What banks and callers wrote may look like an address; a report shows none.
func TestForeignAddressIsAWarning(t *testing.T) {
	w := newWorld(t)
	said := credited
	said.Scope = testVPA
	w.must(true, w.payOut(testVPA, 12_550, said))
	w.do(w.store.Close())
	r := check(t, fsck.Options{Database: w.place, KEK: w.kek})
	if found(r) != "secrets-columns" || !r.OK() || r.Warnings != 3 || strings.Contains(text(r), testVPA) {
		t.Error(text(r))
	}
}

// An answer that was sealed with the right key and says what the payout is not is the engine's own mistake.
func TestSealedAnswerMustAgreeWithItsPayout(t *testing.T) {
	const id, result = `{"paymentIntegratorTransactionId":%q`, `,"disburseFundsResult":{"disburseFundsResultCode":"%s"}}`
	says := func(word string) string { return id + fmt.Sprintf(result, word) }
	for _, c := range []struct{ name, request, answer, want string }{
		{"no to what was paid", "paid", says("ACCOUNT_CLOSED"), "answers-open"},
		{"yes to what was refused", "held", says("SUCCESS"), "answers-open"},
		{"another no", "held", says("ACCOUNT_CLOSED"), "answers-open"},
		{"the right no", "held", says("ACCOUNT_ON_HOLD"), ""},
		{"another payout", "held", strings.Replace(says("ACCOUNT_ON_HOLD"), "%q", `"x%s"`, 1), "answers-open"},
		{"no payout", "held", strings.Replace(says("ACCOUNT_ON_HOLD"), "paymentIntegratorTransactionId", "x", 1), "answers-open"},
		{"no result", "held", id + `,"disburseFundsResult":{}}`, "answers-open"},
		{"a result elsewhere", "held", id + `,"result":"ACCOUNT_ON_HOLD"}`, "answers-open"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.must(true, w.payOut("paid", 12_550, credited))
			w.must(true, w.payOut("held", 12_550, onHold))
			v, err := vault.Open(w.kek, w.store)
			w.do(err)
			id, _ := w.paidOut(c.request)
			sealed, err := v.Seal(fmt.Appendf(nil, c.answer, id), "idempotency.answer/PAY_INR/"+c.request)
			w.do(err)
			w.do(w.store.Close())
			edit(t, w.place, "UPDATE idempotency SET answer = $1 WHERE request_id = $2", sealed, c.request)
			if r := check(t, fsck.Options{Database: w.place, KEK: w.kek}); found(r) != c.want {
				t.Error(text(r))
			}
		})
	}
}
