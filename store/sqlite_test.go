package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"naru/core/deposit"
	"naru/core/flow"
	"naru/core/ledger"
	"naru/core/money"
	"naru/core/payment"
	"naru/core/payout"
	"naru/core/settlement"
	"naru/crash"
	"naru/engine"
)

func opened(t *testing.T, path string, o Options) *Store {
	t.Helper()
	s, err := Open(t.Context(), path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func file(t *testing.T) string { return filepath.Join(t.TempDir(), "naru.db") }

// inside runs SQL on the writer's connection, in a transaction.
func inside(s *Store, work func(*session) error) error {
	return s.Update(context.Background(), func(tx engine.Tx) error { return work(tx.(*session)) })
}

func reserve(tx engine.Tx, id string) error {
	krw := money.Of("KRW")
	return tx.InsertReservation(payment.Reservation{
		ID: id, Account: "P", RequestID: id, State: payment.Pending, Version: 1, Amount: money.New(1, krw), Captured: money.New(0, krw),
		Card: bytes.Repeat([]byte{7}, 2000), Chain: payment.Chain{Digest: []byte{1}},
	}, time.Unix(1, 0))
}

func has(t *testing.T, s *Store, id string) (ok bool) {
	t.Helper()
	err := s.View(t.Context(), func(r engine.Reader) (err error) {
		_, ok, err = r.Reservation(id)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return ok
}

// Design §3.7: "acknowledged means durable" rests on these, on every connection.
func TestPragmas(t *testing.T) {
	s := opened(t, file(t), Options{})
	want := map[string]string{
		"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "secure_delete": "1", "trusted_schema": "0", "cell_size_check": "1",
		"temp_store": "2", "busy_timeout": "5000", "query_only": "0",
	}
	check := func(c *session) error {
		for pragma, w := range want {
			var got string
			if _, err := c.one("PRAGMA "+pragma, nil, &got); err != nil || got != w {
				t.Errorf("%s is %q, not %q: %v", pragma, got, w, err)
			}
		}
		return nil
	}
	if err := inside(s, check); err != nil {
		t.Fatal(err)
	}
	want["query_only"] = "1"
	for range cap(s.backend.(*embedded).read) {
		if err := s.look(t.Context(), check); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAWeakDatabaseIsRefused(t *testing.T) {
	conn, err := openFile("file:" + file(t))
	if err != nil {
		t.Fatal(err)
	}
	c := &session{conn: conn, dialect: &portable, settled: everything}
	defer func() { _ = c.close() }()
	pragma := func(list ...string) {
		t.Helper()
		for _, one := range list {
			if _, err := all(c, "PRAGMA "+one, nil, func(scanner) (any, error) { return nil, nil }); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, step := range []string{
		"journal_mode = WAL", "synchronous = NORMAL", "synchronous = FULL", "foreign_keys = ON",
		"journal_mode = DELETE",
	} {
		pragma(step)
		if err := c.assertDurable(); err == nil || !strings.Contains(err.Error(), "must be") {
			t.Errorf("after %s: %v", step, err)
		}
	}
	pragma("journal_mode = WAL", "secure_delete = ON")
	if err := c.assertDurable(); err != nil {
		t.Error(err)
	}
}

func TestReadersCannotWrite(t *testing.T) {
	s := opened(t, file(t), Options{})
	if err := s.look(t.Context(), func(c *session) error { return c.InsertNotice(engine.Notice{}) }); err == nil {
		t.Error("a reader wrote")
	}
}

func TestOneHandleOwnsADatabase(t *testing.T) {
	path := file(t)
	s := opened(t, path, Options{})
	if _, err := Open(t.Context(), path, Options{}); err == nil || !strings.Contains(err.Error(), "another process has naru.db open") {
		t.Errorf("two handles on one database: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	opened(t, path, Options{})
}

func TestFilesAreForTheirOwnerOnly(t *testing.T) {
	path := file(t)
	s := opened(t, path, Options{})
	if err := s.Update(t.Context(), func(tx engine.Tx) error { return reserve(tx, "r") }); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(path + "*")
	if err != nil || len(files) < 3 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		info, err := os.Stat(f)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s is %v", filepath.Base(f), info.Mode())
		}
	}
}

func TestReopeningKeepsWhatWasCommitted(t *testing.T) {
	path := file(t)
	for i := range 3 {
		s := opened(t, path, Options{})
		for j := range i {
			if !has(t, s, fmt.Sprint(j)) {
				t.Errorf("%d was lost", j)
			}
		}
		if err := s.Update(t.Context(), func(tx engine.Tx) error { return reserve(tx, fmt.Sprint(i)) }); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAClosedStoreTakesNoWork(t *testing.T) {
	s := opened(t, file(t), Options{})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Update(t.Context(), func(engine.Tx) error { t.Error("ran"); return nil }); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if err := s.View(t.Context(), func(engine.Reader) error { t.Error("looked"); return nil }); err == nil {
		t.Error("a closed store was read")
	}
	if err := s.Close(); err != nil {
		t.Error("closing twice:", err)
	}
}

// Whatever Close finds taken is finished; whatever comes later is refused. Nothing is told a success that was not written.
func TestClosingUnderLoadLosesNothing(t *testing.T) {
	path := file(t)
	s := opened(t, path, Options{})
	var all sync.WaitGroup
	var mu sync.Mutex
	told := map[string]bool{}
	begun := make(chan struct{}, 200)
	for i := range 200 {
		all.Go(func() {
			id := fmt.Sprint(i)
			err := s.Update(context.Background(), func(tx engine.Tx) error { begun <- struct{}{}; return reserve(tx, id) })
			if err != nil && !errors.Is(err, ErrClosed) {
				t.Error(err)
			}
			mu.Lock()
			told[id] = err == nil
			mu.Unlock()
		})
	}
	<-begun
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	all.Wait()
	again := opened(t, path, Options{})
	for id, ok := range told {
		if has(t, again, id) != ok {
			t.Errorf("%s was told %v", id, ok)
		}
	}
}

// What was said stays said, whoever holds the connection: each statement would rewrite history.
func TestHistoryIsAppendOnly(t *testing.T) {
	s := opened(t, file(t), Options{})
	krw, at := money.Of("KRW"), time.Unix(1, 0)
	event := engine.JournalEvent{Payment: "r", N: 1, At: at, Digest: []byte{1}}
	none := money.New(0, krw)
	err := s.Update(t.Context(), func(tx engine.Tx) error {
		return errors.Join(tx.AppendEvent(event), tx.Post(event, []ledger.Posting{ledger.Hold("P", money.New(5, krw))}), reserve(tx, "r"),
			tx.InsertDispute(payment.Dispute{
				ID: "d", Account: "P", Payment: "r", Stage: payment.First, State: payment.CB1Open, Amount: money.New(1, krw), Won: none, At: at,
			}),
			tx.InsertEvidence(engine.Evidence{ID: "v", Dispute: "d", Size: 1, SHA256: "00", Document: []byte{1}, At: at}),
			tx.InsertAcquirerEvent(engine.AcquirerEvent{Acquirer: "bc", ID: "E", Outcome: "APPLIED", At: at}),
			tx.InsertSettlement(settlement.Settlement{
				ID: "s", Account: "P", Currency: krw, Day: "20260302", Start: at, End: at.Add(time.Hour), ClosedAt: at, State: settlement.Closed,
				Parts: 1, Totals: settlement.Totals{Items: 1, Charge: money.New(5, krw), Fee: none, VAT: none, Net: money.New(5, krw), Adjusted: none},
			}),
			tx.InsertItem(settlement.Item{
				Payment: "r", EventN: 1, Account: "P", Kind: settlement.Capture, Day: "20260302", Charge: money.New(5, krw), Fee: none, VAT: none,
				At: at,
			}), paidOut(tx, "p", at), paidIn(tx, "i", at))
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := inside(s, func(c *session) error {
		return c.run("UPDATE settlement_item SET settlement_id = 's'")
	}); err != nil {
		t.Fatal(err)
	}
	for statement, why := range map[string]string{
		"UPDATE posting SET amount = 6":                "append-only",
		"DELETE FROM posting":                          "append-only",
		"UPDATE event SET detail = 'x'":                "append-only",
		"DELETE FROM event":                            "append-only",
		"UPDATE evidence SET document = x'00'":         "append-only",
		"DELETE FROM evidence":                         "append-only",
		"UPDATE acquirer_event SET gross = 6":          "append-only",
		"DELETE FROM acquirer_event":                   "append-only",
		"UPDATE settlement_item SET charge = 6":        "append-only",
		"UPDATE settlement_item SET fee = -1":          "append-only",
		"UPDATE settlement_item SET vat = -1":          "append-only",
		"UPDATE settlement_item SET currency = 'USD'":  "append-only",
		"UPDATE settlement_item SET account = 'Q'":     "append-only",
		"DELETE FROM settlement_item":                  "append-only",
		"UPDATE statement_entry SET amount = 6":        "append-only",
		"UPDATE statement_entry SET attempt_id = NULL": "append-only",
		"DELETE FROM statement_entry":                  "append-only",
		"UPDATE payout SET code = 'U30'":               "came to stays",
		"UPDATE payout SET state = 'RECORDED', attempts = 0, attempt_id = '', done_us = NULL": "came to stays",
		"UPDATE payout_attempt SET state = 'FAILED'":                                          "came to stays",
		"UPDATE merchant_payout SET number = 'x'":                                             "asked for stays",
		"UPDATE deposit_order SET amount = 6":                                                 "asks for stays",
		"UPDATE deposit_order SET receiver_number = '6'":                                      "asks for stays",
		"UPDATE deposit_order SET real_amount = 6":                                            "paid an order stays",
		"UPDATE deposit_order SET paid_us = 6":                                                "paid an order stays",
		"UPDATE bank_credit SET amount = 6":                                                   "bank booked stays",
		"UPDATE bank_credit SET sender = x'00'":                                               "bank booked stays",
		"UPDATE bank_credit SET order_id = NULL, state = 'UNMATCHED'":                         "credit paid stays",
		"DELETE FROM bank_credit":                                                             "bank booked stays",
		"UPDATE bank_entry SET amount = 6":                                                    "append-only",
		"UPDATE bank_entry SET notified = FALSE, stated = TRUE":                               "append-only",
		"DELETE FROM bank_entry":                                                              "append-only",
		"UPDATE bank_message SET entries = 6":                                                 "append-only",
		"DELETE FROM bank_message":                                                            "append-only",
		"UPDATE merchant_key SET sealed = x'00'":                                              "stays what it is",
		"UPDATE settlement_item SET settlement_id = NULL":                                     "settled once",
		"UPDATE settlement_item SET settlement_id = 's'":                                      "settled once",
	} {
		if err := inside(s, func(c *session) error { return c.run(statement) }); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: %v", statement, err)
		}
	}
}

// paidOut writes a payout that was credited, with its line of the bank's statement.
func paidOut(tx engine.Tx, id string, at time.Time) error {
	inr := money.Of("INR")
	none := money.New(0, inr)
	err := errors.Join(
		tx.InsertPayout(payout.Payout{
			ID: id, Account: "P", Bank: "rzp", RequestID: "q-" + id, State: payout.Paid, Version: 1, Amount: money.New(12_550, inr), Fee: none,
			Limit: none, Target: []byte{1}, Print: []byte{1}, AttemptID: "a-" + id, Attempts: 1, CreatedAt: at, ChangedAt: at, DoneAt: at,
			Chain: payout.Chain{Digest: []byte{1}},
		}),
		tx.InsertPayoutAttempt(payout.Attempt{
			ID: "a-" + id, Payout: id, N: 1, State: payout.AttemptPaid, Version: 1, Bank: "rzp", Reference: "ref-" + id, Body: []byte{1},
			BankID: "pout-" + id, UTR: "606109000001", Fees: money.New(500, inr), Tax: money.New(90, inr), FirstSent: at, Sends: 1, At: at,
		}))
	_, failed := tx.InsertStatementEntry(engine.StatementEntry{
		StatementLine: payout.StatementLine{
			ID: "L-" + id, At: at, Amount: money.New(-13_140, inr), Balance: none, BankID: "pout-" + id, Kind: "payout",
		},
		Bank: "rzp", Attempt: "a-" + id, Known: true,
	})
	return errors.Join(err, failed)
}

// paidIn writes an order that was paid, with all that a bank told of it, a merchant's key and a payout.
func paidIn(tx engine.Tx, id string, at time.Time) error {
	krw := money.Of("KRW")
	some, none := money.New(50_000, krw), money.New(0, krw)
	o := deposit.Order{
		ID: id, Number: "PM-" + id, Link: "l-" + id, Merchant: "M", Service: "SVC0026", ClientID: "c-" + id, State: deposit.Waiting, Version: 1,
		Amount: some, Display: some, Real: none, Fee: none, Receiver: deposit.Receiver{Account: "kb", Bank: "004", Number: "100200300400"},
		CreatedAt: at, ExpiresAt: at, ChangedAt: at, DueAt: at, Chain: deposit.Chain{Digest: []byte{1}},
	}
	x := deposit.Credit{
		ID: "x-" + id, Receiver: "kb", Bank: "004", Account: "100200300400", BankID: "KB-" + id, Feed: "kb-main", Message: "m-" + id,
		State: deposit.Unmatched, Version: 1, Amount: some, Sender: []byte{1}, BookedAt: at, ReceivedAt: at,
		Chain: deposit.Chain{Digest: []byte{1}},
	}
	m := engine.MerchantPayout{Number: "POT-" + id, Service: "SVC0004", Payout: payout.Payout{
		ID: "t-" + id, Purpose: payout.ForMerchant, Account: "M", Bank: "kb", RequestID: "t-" + id, State: payout.Asked, Version: 1, Amount: some,
		Fee: none, Limit: none, Target: []byte{1}, Print: []byte{1}, CreatedAt: at, ChangedAt: at, DueAt: at,
		Chain: payout.Chain{Digest: []byte{1}},
	}}
	_, err := tx.InsertOrder(o, nil)
	err = errors.Join(err, tx.InsertCredit(x), tx.InsertPayout(m.Payout), tx.InsertMerchantPayout(m), tx.InsertMerchantKey(engine.MerchantKey{
		ID: "k-" + id, Merchant: "M", Purpose: engine.SigningKey, Sealed: []byte{1}, CreatedAt: at,
	}))
	_, failed := tx.InsertBankEntry(engine.BankEntry{
		Bank: "004", Account: "100200300400", ID: "KB-" + id, Amount: some, Receiver: "kb", Credit: x.ID, Message: "m-" + id, Notified: true,
		Day: "20260302", At: at,
	})
	_, failed2 := tx.InsertBankMessage(engine.BankMessage{Feed: "kb-main", ID: "m-" + id, Kind: deposit.Notification, Digest: "0a", At: at})
	x.State, x.Version, x.Order = deposit.Matched, 2, o.ID
	_, failed3 := tx.UpdateCredit(x)
	o.State, o.Version, o.Credit, o.Into, o.Real, o.DueAt, o.PaidAt = deposit.Paid, 2, x.ID, "kb", some, time.Time{}, at
	_, failed4 := tx.UpdateOrder(o, nil)
	return errors.Join(err, failed, failed2, failed3, failed4)
}

// The schema's lists of words are those of the code.
func TestSchemaKnowsTheRules(t *testing.T) {
	s := opened(t, file(t), Options{})
	told := slices.DeleteFunc(names(payment.DisputeRules.States()), func(s string) bool { return s == string(payment.DisputeNone) })
	troubles := []string{
		string(deposit.NoTrouble), string(deposit.AmountMismatch), string(deposit.NameMismatch), string(deposit.Ambiguous),
		string(deposit.NoOrder), string(deposit.Late), string(deposit.Stopped),
	}
	for _, c := range []struct {
		table, column string
		want          []string
	}{
		{"reservation", "state", names(payment.Rules.States())},
		{"reservation", "purpose", []string{
			string(payment.ToPay), string(payment.ToSell), string(payment.ToVerify), string(payment.ToCheck),
		}},
		{"attempt", "state", names(payment.AttemptRules.States())},
		{"advice", "state", names(payment.AdviceRules.States())},
		{"advice", "kind", []string{
			string(payment.Reversal), string(payment.ReleaseRest), string(payment.Completion), string(payment.RefundOrder),
		}},
		{"capture", "state", []string{
			string(payment.CaptureOpen), string(payment.CaptureSuccess), string(payment.CaptureLapsed), string(payment.CaptureRevoked),
		}},
		{"capture", "clearing", []string{string(engine.NotCleared), string(engine.ClearedCapture), string(engine.RejectedCapture)}},
		{"cancel", "state", []string{string(payment.CancelOpen), string(payment.CancelSuccess)}},
		{"refund", "state", names(payment.RefundRules.States())},
		{"payout", "state", names(payout.Rules.States())},
		{"payout", "reason", []string{
			string(payout.NoReason), string(payout.BelowLimit), string(payout.AboveLimit), string(payout.Closed), string(payout.OnHold),
			string(payout.ClosedFraud), string(payout.ClosedStolen), string(payout.NoAccount), string(payout.OtherName), string(payout.NoBank),
			string(payout.NotPermitted), string(payout.BankLimit), string(payout.Compliance), string(payout.Declined),
		}},
		{"payout", "purpose", []string{string(payout.ForGoogle), string(payout.ForMerchant), string(payout.ForSender)}},
		{"payout_attempt", "state", names(payout.AttemptRules.States())},
		{"deposit_order", "state", names(deposit.Rules.States())},
		{"deposit_order", "trouble", troubles},
		{"bank_credit", "state", names(deposit.CreditRules.States())},
		{"bank_credit", "trouble", troubles},
		{"bank_message", "kind", []string{string(deposit.Notification), string(deposit.Statement), string(deposit.Push)}},
		{"merchant_key", "purpose", []string{string(engine.SigningKey), string(engine.QueryToken), string(engine.WebhookKey)}},
		{"dispute", "state", told}, // a stage is a row when it is told
		{"dispute", "stage", []string{string(payment.Inquiry), string(payment.First), string(payment.Second)}},
		{"notice", "state", []string{string(engine.NoticeQueued), string(engine.NoticeSent), string(engine.NoticeParked)}},
		{"notice", "kind", names(engine.NoticeKinds)},
		{"settlement", "state", []string{string(settlement.Closed), string(settlement.Paid)}},
		{"settlement_item", "kind", []string{
			string(settlement.Capture), string(settlement.Refund), string(settlement.ReverseRefund), string(settlement.Chargeback),
			string(settlement.ReverseChargeback), string(settlement.FundsReservation), string(settlement.AggregateAdjusting),
			string(settlement.MiscAdjusting),
		}},
		{"acquirer_file", "state", []string{engine.FileLoaded, engine.FileQuarantined}},
		{"capture_file", "state", []string{engine.CaptureFileMade, engine.CaptureFileSent, engine.CaptureFileAnswered}},
		{"reconciliation", "state", []string{engine.TotalsOpen, engine.TotalsAgreed, engine.TotalsBroken}},
	} {
		list := regexp.MustCompile(`CHECK \(` + c.column + ` IN \(([^)]*)\)\)`).FindStringSubmatch(definition(t, s, c.table))
		if list == nil {
			t.Errorf("%s has no list for %s", c.table, c.column)
			continue
		}
		var got []string
		for _, word := range regexp.MustCompile(`'([^']*)'`).FindAllStringSubmatch(list[1], -1) {
			got = append(got, word[1])
		}
		slices.Sort(got)
		slices.Sort(c.want)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s.%s: the schema knows %v, the code %v", c.table, c.column, got, c.want)
		}
	}
}

// definition is how the schema defines a table or an index.
func definition(t *testing.T, s *Store, name string) (text string) {
	t.Helper()
	err := s.look(t.Context(), func(c *session) error {
		ok, err := c.one("SELECT sql FROM sqlite_master WHERE name = $1", []any{name}, &text)
		if err == nil && !ok {
			t.Errorf("there is no %s", name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func names[S ~string](states []S) (list []string) {
	for _, s := range states {
		list = append(list, string(s))
	}
	return list
}

// What may hold or move money is live in the indexes that allow one live attempt, and only that: a state is live exactly if something can
// follow it.
func TestLiveAttemptsAreThoseThatCanStillChange(t *testing.T) {
	s := opened(t, file(t), Options{})
	for _, index := range []string{"attempt_live", "attempt_live_refund"} {
		text := definition(t, s, index)
		for _, state := range payment.AttemptRules.States() {
			if listed := strings.Contains(text, "'"+string(state)+"'"); listed != canChange(payment.AttemptRules, state) {
				t.Errorf("%s is in %s: %v", state, index, listed)
			}
		}
	}
}

// What is final is in the list of the final states, and only that. An attempt that the index of one leaves out can never come to pay.
func TestFinalPayoutsAreThoseOfTheRules(t *testing.T) {
	s := opened(t, file(t), Options{})
	list := regexp.MustCompile(`state IN \(([^)]*)\)\) = \(done_us IS NOT NULL\)`).FindStringSubmatch(definition(t, s, "payout"))
	if list == nil {
		t.Fatal("no list of final states")
	}
	for _, state := range payout.Rules.States() {
		if listed := strings.Contains(list[1], "'"+string(state)+"'"); listed != state.Final() {
			t.Errorf("%s is final: %v", state, listed)
		}
	}
	index, ends := definition(t, s, "payout_attempt_one"), definition(t, s, "payout_attempt_end_stays")
	for _, state := range payout.AttemptRules.States() {
		paid := false
		for _, next := range payout.AttemptRules[state] {
			paid = paid || next == payout.AttemptPaid || next == payout.AttemptReturned
		}
		if left := strings.Contains(index, "state <> '"+string(state)+"'"); left == paid {
			t.Errorf("%s is left out of payout_attempt_one: %v", state, left)
		}
		live := state == payout.AttemptPrepared || state == payout.AttemptOpen
		if listed := regexp.MustCompile(`OLD.state IN \([^)]*'` + string(state) + `'`).MatchString(ends); listed == live {
			t.Errorf("%s is an end: %v", state, listed)
		}
	}
}

// A sale is where its rules can lead it: to everything but what a hold or a card check comes to.
func TestSalesAreWhereTheirEventsLead(t *testing.T) {
	s := opened(t, file(t), Options{})
	list := regexp.MustCompile(`purpose <> 'SALE' OR state IN \(([^)]*)\)`).FindStringSubmatch(definition(t, s, "reservation"))
	if list == nil {
		t.Fatal("no list of a sale's states")
	}
	reached, next := map[payment.State]bool{}, []payment.State{payment.Pending}
	for len(next) > 0 {
		state := next[0]
		next, reached[state] = next[1:], true
		for e, to := range payment.Rules[state] {
			if holds := []payment.Event{payment.Approve, payment.Verify, payment.Pass}; !slices.Contains(holds, e) && !reached[to] {
				next = append(next, to)
			}
		}
	}
	for _, state := range payment.Rules.States() {
		if listed := strings.Contains(list[1], "'"+string(state)+"'"); listed != reached[state] {
			t.Errorf("a sale may be %s: %v", state, listed)
		}
	}
}

// The index of open stages is that of the rules: a stage is open exactly if evidence may be handed over.
func TestOpenStagesAreThoseThatCanBeDefended(t *testing.T) {
	s := opened(t, file(t), Options{})
	list := regexp.MustCompile(`done_us IS NULL\) = \(state IN \(([^)]*)\)`).FindStringSubmatch(definition(t, s, "dispute"))
	if list == nil {
		t.Fatal("no list of open stages")
	}
	for _, state := range payment.DisputeRules.States() {
		if listed := strings.Contains(list[1], "'"+string(state)+"'"); listed != (payment.Dispute{State: state}).Open() {
			t.Errorf("%s is open: %v", state, listed)
		}
	}
}

// An order has its credit exactly where its rules say that one paid it. Those that show an amount are those that can still be paid, and
// those that can be named are open.
func TestOrdersAreWhereTheirRulesSay(t *testing.T) {
	s := opened(t, file(t), Options{})
	paid := regexp.MustCompile(`state IN \(([^)]*)\)\) = \(credit_id IS NOT NULL\)`).FindStringSubmatch(definition(t, s, "deposit_order"))
	if paid == nil {
		t.Fatal("no list of paid states")
	}
	showing := definition(t, s, "deposit_order_showing")
	for _, state := range deposit.Rules.States() {
		_, payable := deposit.Rules.Next(state, deposit.Pay)
		if listed := strings.Contains(showing, "'"+string(state)+"'"); listed != payable {
			t.Errorf("%s can be paid: %v", state, listed)
		}
		has := state == deposit.Paid || deposit.Rules[deposit.Paid][deposit.TakeBack] == state
		if listed := strings.Contains(paid[1], "'"+string(state)+"'"); listed != has {
			t.Errorf("%s has its credit: %v", state, listed)
		}
		for _, index := range []string{"deposit_order_open", "deposit_order_token", "deposit_order_name"} {
			if listed := strings.Contains(definition(t, s, index), "'"+string(state)+"'"); listed == state.Final() {
				t.Errorf("%s is in %s: %v", state, index, listed)
			}
		}
	}
}

// Every statement that sets merchants' notices apart means the same kinds.
func TestMerchantsNoticesAreOfTheSameKindsEverywhere(t *testing.T) {
	s := opened(t, file(t), Options{})
	var quoted []string
	for _, k := range forMerchants {
		quoted = append(quoted, "'"+string(k)+"'")
	}
	list := "IN (" + strings.Join(quoted, ", ") + ")"
	for what, text := range map[string]string{
		"notice_merchant": definition(t, s, "notice_merchant"), "selectNoticesOf": selectNoticesOf, "selectBacklog": selectBacklog,
	} {
		if !strings.Contains(text, "kind "+list) {
			t.Errorf("%s does not say %s", what, list)
		}
	}
	if !strings.Contains(selectBacklog, "kind NOT "+list) {
		t.Errorf("selectBacklog does not leave them out")
	}
}

// What is asked often, or of tables that grow for ever, is answered from an index.
func TestQueriesUseTheirIndexes(t *testing.T) {
	s := opened(t, file(t), Options{})
	for _, c := range []struct{ query, index string }{
		{selectExpiring, "reservation_expiring"},
		{selectNextExpiry, "reservation_expiring"},
		{selectErasable, "reservation_erasable"},
		{selectNextErasure, "reservation_erasable"},
		{selectCaptureByARN, "capture_arn"},
		{selectCapturesByRRN, "capture_rrn"},
		{selectCapturesByNetworkID, "capture_network"},
		{selectUncleared, "capture_day"},
		{selectDayTotals, "capture_day"},
		{selectDayTotals, "refund_day"},
		{selectDayTotals, "attempt_undone"},
		{selectDayTotals, "advice_once"},
		{selectDayCurrencies, "capture_day"},
		{selectDayCurrencies, "refund_day"},
		{selectDayCurrencies, "attempt_undone"},
		{selectDayCurrencies, "advice_once"},
		{selectRefundsByRRN, "refund_rrn"},
		{selectRefundByARN, "refund_arn"},
		{selectRefunds, "refund_payment"},
		{selectDisputes, "dispute_payment"},
		{selectDueDisputes, "dispute_due"},
		{selectNextDispute, "dispute_due"},
		{selectEvidenceOf, "evidence_dispute"},
		{selectAcquirerFileBySeq, "acquirer_file_loaded"},
		{selectAcquirerEventOf, "acquirer_event_of"},
		{selectAdviceOf, "advice_once"},
		{selectOpenAdvices, "advice_open"},
		{selectDueAdvices, "advice_due"},
		{selectBatchedAdvices, "advice_batched"},
		{selectAdviceOfLine, "advice_line"},
		{selectAdvicesOfFile, "advice_line"},
		{countOpenBefore, "advice_due"},
		{countOpenBefore, "idempotency_running"},
		{selectDuePayouts, "payout_due"},
		{selectNextPayout, "payout_due"},
		{selectUnacknowledged, "payout_attempt_unnamed"},
		{selectOldestOpenPayout, "payout_open"},
		{selectOldestOpenPayout, "payout_ended"},
		{selectOldestOpenPayout, "statement_entry_newest"},
		{selectFloatBalance, "payout_open"},
		{selectOpenPayouts, "payout_open"},
		{selectPayoutAttemptByBankID, "payout_attempt_bank_id"},
		{selectLastStatement, "statement_entry_newest"},
		{countUnknownEntries, "statement_entry_unknown"},
		{orders.columns + orders.wanted + orders.newest, "deposit_order_merchant"},
		{orders.columns + orders.wanted + fmt.Sprintf(orders.states, "SELECT value FROM "+portable.words("$4")) + orders.newest, "deposit_order_merchant"},
		{orders.columns + orders.wanted + fmt.Sprintf(orders.number, "$4") + orders.newest, "sqlite_autoindex_deposit_order_2"},
		{orders.columns + orders.wanted + fmt.Sprintf(orders.clientID, "$4") + orders.newest, "sqlite_autoindex_deposit_order_4"},
		{selectOrderByNumber, "sqlite_autoindex_deposit_order_2"},
		{selectOrderByLink, "sqlite_autoindex_deposit_order_3"},
		{selectOrderByClient, "sqlite_autoindex_deposit_order_4"},
		{selectOrdersShowing, "deposit_order_showing"},
		{fmt.Sprintf(selectOrdersNamed, portable.words("$2")), "deposit_order_token"},
		{fmt.Sprintf(selectOrdersNamed, portable.words("$2")), "deposit_order_name"},
		{selectOrdersOfVirtual, "deposit_order_given"},
		{selectReserved, "deposit_order_amount"},
		{countVirtualInUse, "deposit_order_number"},
		{selectDueOrders, "deposit_order_due"},
		{selectNextOrder, "deposit_order_due"},
		{selectCreditByBankID, "bank_credit_once"},
		{selectCreditsSuspecting, "bank_credit_suspect"},
		{selectOpenCredits, "bank_credit_open"},
		{selectWaitingCredits, "bank_credit_waiting"},
		{anyWaitingCredit, "bank_credit_waiting"},
		{selectBankEntry, "bank_entry_once"},
		{updateBankEntry, "bank_entry_once"},
		{selectReversalOf, "bank_entry_reversal"},
		{selectUntoldEntries, "bank_entry_unstated"},
		{merchantPayouts.columns + merchantPayouts.wanted + merchantPayouts.newest, "payout_merchant"},
		{merchantPayouts.count + merchantPayouts.wanted + fmt.Sprintf(merchantPayouts.number, "$4"), "sqlite_autoindex_merchant_payout_2"},
		{merchantPayouts.columns + merchantPayouts.wanted + fmt.Sprintf(merchantPayouts.clientID, "$4") + merchantPayouts.newest, "sqlite_autoindex_payout_2"},
		{selectMerchantPayoutByClient, "sqlite_autoindex_payout_2"},
		{selectNoticesOf, "notice_merchant"},
		{selectDueReconciliations, "reconciliation_due"},
		{selectNextReconciliation, "reconciliation_due"},
		{selectCaptureFiles, "capture_file_state"},
		{selectOpenTotal, "settlement_item_open"},
		{assignItems, "settlement_item_open"},
		{selectItems, "settlement_item_of"},
		{selectOpenCases, "operator_case_open"},
		{selectDueNotices, "notice_due"},
		{selectBacklog, "advice_due"},
		{selectBacklog, "advice_batched"},
		{selectBacklog, "notice_due"},
		{selectBacklog, "notice_parked"},
		{selectBacklog, "operator_case_open"},
		{selectBacklog, "reconciliation_due"},
		{selectBacklog, "payout_open"},
	} {
		if all := planOf(t, s, c.query); !regexp.MustCompile(` INDEX ` + c.index + `\b`).MatchString(all) {
			t.Errorf("%s is not used by %s\n%s", c.index, c.query, all)
		}
	}
}

// What is counted or summed is read from an index alone: on the way to an order's account, or with every page of a list.
func TestCountingReadsNoRow(t *testing.T) {
	s := opened(t, file(t), Options{})
	for query, index := range map[string]string{
		orders.count + orders.wanted: "deposit_order_merchant", merchantPayouts.count + merchantPayouts.wanted: "payout_merchant",
		countOpenOrders: "deposit_order_open", sumReceived: "bank_credit_day", selectReserved: "deposit_order_amount",
	} {
		if plan := planOf(t, s, query); !strings.Contains(plan, "USING COVERING INDEX "+index+" ") {
			t.Errorf("%s does not answer %s alone\n%s", index, query, plan)
		}
	}
}

// planOf says how a query is answered.
func planOf(t *testing.T, s *Store, query string) string {
	t.Helper()
	var plan []string
	err := s.look(t.Context(), func(k *session) (err error) {
		plan, err = all(k, "EXPLAIN QUERY PLAN "+query, make([]any, 16), func(scan scanner) (step string, err error) { // more than any has
			var id, parent, zero int64
			return step, scan(&id, &parent, &zero, &step)
		})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(plan, "\n")
}

func canChange[S, E ~string](r flow.Rules[S, E], s S) bool { return len(r[s]) > 0 }

// gather makes the writer busy until all of the work is waiting behind it, so that it ends up in one commit.
func gather(t *testing.T, s *Store, work []func(engine.Tx) error) []error {
	t.Helper()
	gate, errs := make(chan struct{}), make([]error, len(work))
	var all sync.WaitGroup
	busy := make(chan struct{})
	all.Go(func() {
		_ = s.Update(context.Background(), func(engine.Tx) error { close(busy); <-gate; return errors.New("only to keep it busy") })
	})
	<-busy
	for i, w := range work { // queued as Update does it, in this order
		j := &job{w, make(chan error, 1)}
		s.backend.(*embedded).jobs <- j
		all.Go(func() { errs[i] = <-j.done })
	}
	close(gate)
	all.Wait()
	return errs
}

func TestABatchIsOneCommit(t *testing.T) {
	commits := 0
	s := opened(t, file(t), Options{Crash: func(p crash.Point) {
		if p == crash.CommitAfter {
			commits++
		}
	}})
	var work []func(engine.Tx) error
	for i := range 30 {
		work = append(work, func(tx engine.Tx) error { return reserve(tx, fmt.Sprint(i)) })
	}
	commits = 0
	for i, err := range gather(t, s, work) {
		if err != nil || !has(t, s, fmt.Sprint(i)) {
			t.Errorf("%d: %v", i, err)
		}
	}
	if commits != 1 {
		t.Errorf("%d commits", commits)
	}
}

// In one batch, good ones stay and bad ones go, wherever they stand: first, last, between, all.
func TestBadNeighboursInOneBatch(t *testing.T) {
	s := opened(t, file(t), Options{})
	bad := map[rune]func(engine.Tx) error{
		'e': func(engine.Tx) error { return errors.New("failed on purpose") },
		'p': func(engine.Tx) error { panic("on purpose") },
		'c': func(tx engine.Tx) error { return reserve(tx, "taken") }, // a broken constraint
		'n': func(tx engine.Tx) error { // its only writing is a number
			if _, err := tx.TakeNumbers("n", 1); err != nil {
				return err
			}
			return errors.New("failed after it took a number")
		},
		'r': func(tx engine.Tx) error { // it wrote nothing
			_, _, err := tx.Reservation("taken")
			return errors.Join(err, errors.New("failed after it read"))
		},
	}
	if err := s.Update(t.Context(), func(tx engine.Tx) error { return reserve(tx, "taken") }); err != nil {
		t.Fatal(err)
	}
	for _, pattern := range []string{
		"eg", "ge", "geg", "eeg", "gee", "pgp", "gpg", "cgc", "gcg", "ecpgecpg", "eee", "ppp", "gg",
		"ng", "gng", "rg", "grg", "nrgnrg", "nnn",
	} {
		var work []func(engine.Tx) error
		for i, kind := range pattern {
			id := fmt.Sprint(pattern, i)
			work = append(work, func(tx engine.Tx) error {
				if kind != 'n' && kind != 'r' {
					if err := reserve(tx, id); err != nil {
						return err
					}
				}
				if b, ok := bad[kind]; ok {
					return b(tx)
				}
				return nil
			})
		}
		for i, err := range gather(t, s, work) {
			good := pattern[i] == 'g'
			if (err == nil) != good || has(t, s, fmt.Sprint(pattern, i)) != good {
				t.Errorf("%s, %d: %v", pattern, i, err)
			}
		}
	}
	if err := s.Update(t.Context(), func(tx engine.Tx) error {
		first, err := tx.TakeNumbers("n", 1)
		if first != 0 {
			t.Errorf("%d numbers of failed transactions are gone", first)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

// The disk is full: the whole batch is told so, nothing of it stays, nothing before it is lost, and it goes on when there is room again.
func TestFullDiskFailsTheBatchAndLosesNothing(t *testing.T) {
	path := file(t)
	s := opened(t, path, Options{})
	if err := s.Update(t.Context(), func(tx engine.Tx) error { return reserve(tx, "before") }); err != nil {
		t.Fatal(err)
	}
	var pages, room int
	limit := func(n int) {
		if err := inside(s, func(c *session) error {
			_, err := c.one(fmt.Sprintf("PRAGMA max_page_count = %d", n), nil, &room)
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	if err := inside(s, func(c *session) error {
		_, err := c.one("PRAGMA page_count", nil, &pages)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	limit(pages + 4)
	var work []func(engine.Tx) error
	for i := range 20 {
		work = append(work, func(tx engine.Tx) error { return reserve(tx, fmt.Sprint(i)) })
	}
	full := 0
	errs := gather(t, s, work)
	if errs[0] == nil {
		t.Error("the first fitted, but its batch did not: it must fail with the others")
	}
	for i, err := range errs {
		var e *sqlite.Error
		if errors.As(err, &e) && e.Code() == sqlite3.SQLITE_FULL {
			full++
		} else if err != nil {
			t.Errorf("%d: %v", i, err)
		}
		if has(t, s, fmt.Sprint(i)) != (err == nil) {
			t.Errorf("%d was told %v", i, err)
		}
	}
	if full < 2 {
		t.Errorf("only %d were told that the disk is full", full)
	}
	if !has(t, s, "before") {
		t.Error("what was committed before is gone")
	}
	limit(1 << 30)
	if err := s.Update(t.Context(), func(tx engine.Tx) error { return reserve(tx, "after") }); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again := opened(t, path, Options{})
	if !has(t, again, "before") || !has(t, again, "after") {
		t.Error("lost on the way")
	}
}

func TestErrorsNameTheStatementAndNoValue(t *testing.T) {
	s := opened(t, file(t), Options{})
	work := func(tx engine.Tx) error {
		return tx.InsertNotice(engine.Notice{ID: "9999990000000006", Kind: "9999990000000006"})
	}
	err := s.Update(t.Context(), work)
	if err == nil || !strings.Contains(err.Error(), "INSERT INTO notice") || strings.Contains(err.Error(), "9999990000000006") {
		t.Error(err)
	}
}

func TestKeysetsAreWrittenOnce(t *testing.T) {
	s := opened(t, file(t), Options{})
	if _, ok, err := s.LoadKeyset("k"); ok || err != nil {
		t.Error(ok, err)
	}
	for i, want := range []bool{true, false} {
		if mine, err := s.SaveKeyset("k", []byte{byte(i)}); mine != want || err != nil {
			t.Error(i, mine, err)
		}
	}
	if got, ok, err := s.LoadKeyset("k"); !bytes.Equal(got, []byte{0}) || !ok || err != nil {
		t.Error(got, ok, err)
	}
}

func TestReportsSayWhatIsOwed(t *testing.T) {
	s := opened(t, file(t), Options{})
	krw, at := money.Of("KRW"), time.Unix(5, 0).UTC()
	none := money.New(0, krw)
	err := s.Update(t.Context(), func(tx engine.Tx) error {
		open := func(id string, state payout.State, at time.Time) error {
			p := payout.Payout{
				ID: id, Account: "P", Bank: "rzp", RequestID: "q-" + id, State: state, Version: 1, Amount: money.New(9, krw), Fee: none, Limit: none,
				Target: []byte{1}, Print: []byte{1}, CreatedAt: at, ChangedAt: at, DueAt: at, Chain: payout.Chain{Digest: []byte{1}},
			}
			if state != payout.Asked {
				p.AttemptID, p.Attempts = "lost-"+id, 1
			}
			return tx.InsertPayout(p)
		}
		r := payment.Reservation{
			ID: "r", Account: "P", RequestID: "q", Purpose: payment.ToVerify, State: payment.VerifyHeld, Version: 1, Amount: money.New(9, krw),
			Captured: none, Held: true, AttemptID: "a", Chain: payment.Chain{Digest: []byte{1}},
		}
		a := payment.Attempt{
			ID: "a", Reservation: "r", State: payment.AttemptApproved, Version: 1, Trace: payment.Trace{STAN: "1", RRN: "RRN1", At: at},
		}
		v := payment.Advice{
			ID: "v", Reservation: "r", Attempt: "a", Kind: payment.Completion, State: payment.AdviceQueued, Trace: a.Trace, Amount: r.Amount,
			CreatedAt: at, DueAt: at,
		}
		b := v
		b.ID, b.Kind, b.State = "b", payment.RefundOrder, payment.AdviceBatched
		return errors.Join(tx.InsertReservation(r, at), tx.InsertAttempt(a), tx.InsertAdvice(v), tx.InsertAdvice(b),
			tx.PutReconciliation(engine.Reconciliation{Acquirer: "bc", Day: "20260302", Currency: "KRW", State: engine.TotalsOpen, CreatedAt: at}),
			tx.PutReconciliation(engine.Reconciliation{Acquirer: "bc", Day: "20260303", Currency: "KRW", State: engine.TotalsAgreed, CreatedAt: at}),
			tx.InsertNotice(engine.Notice{ID: "n", Kind: engine.CancelResult, Subject: "1", CreatedAt: at.Add(time.Second)}),
			tx.InsertNotice(engine.Notice{ID: "m", Kind: engine.CancelResult, Subject: "2", CreatedAt: at}),
			tx.InsertNotice(engine.Notice{ID: "d", Kind: engine.DepositResult, Subject: "2", CreatedAt: at}),
			tx.InsertCapture(engine.Capture{
				ID: "c", Key: engine.Key{Account: "P", RequestID: "qc"}, Reservation: "r", Amount: money.New(8, krw), State: payment.CaptureSuccess,
				At: at, DoneAt: at, RRN: "RRN1", ARN: "79999996326000000001233",
			}),
			tx.InsertRefund(payment.Refund{
				ID: "f", Account: "P", RequestID: "qf", Payment: "r", State: payment.RefundReversed, Amount: money.New(7, krw),
				Returned: money.New(6, krw), RRN: "RRN2", ARN: "79999996327000000000770", At: at, DoneAt: at, BackAt: at,
			}),
			tx.InsertRefund(payment.Refund{
				ID: "g", Account: "P", RequestID: "qg", Payment: "r", State: payment.RefundFailed, Amount: money.New(1, krw), Returned: none,
				Reason: payment.RefundTooLate, At: at, DoneAt: at,
			}),
			tx.InsertDispute(payment.Dispute{
				ID: "d", Account: "P", Payment: "r", Case: "C1", Stage: payment.First, State: payment.CB1Reversed, Amount: money.New(5, krw),
				Won: money.New(4, krw), At: at, DoneAt: at, Told: "t",
			}),
			tx.InsertSettlement(settlement.Settlement{
				ID: "s", Account: "P", Currency: krw, Day: "20260302", Start: at, End: at.Add(time.Hour), ClosedAt: at, State: settlement.Closed,
				Parts: 1, Totals: settlement.Totals{Items: 2, Charge: money.New(3, krw), Fee: none, VAT: none, Net: money.New(3, krw), Adjusted: none},
			}), paidOut(tx, "p", at), open("o", payout.Asked, at.Add(time.Minute)), open("u", payout.Unclear, at.Add(2*time.Minute)),
			open("v", payout.Unclear, at.Add(time.Hour)))
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"m", "d"} {
		if err := s.RecordTry(t.Context(), engine.NoticeTry{Notice: id, N: 1, At: at, State: engine.NoticeParked, Due: at}); err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.Backlog(t.Context())
	want := Backlog{ // what is parked is a case too, but for what a merchant did not take
		Advices: 1, Batched: 1, Notices: 1, Parked: 1, Unheard: 1, Reconciliations: 1, Cases: 1, Payouts: 3, OldestAdvice: at,
		OldestNotice: at.Add(time.Second), OldestPayout: at.Add(time.Minute),
	}
	if got != want || err != nil {
		t.Errorf("%+v, %v", got, err)
	}
	report(t, s.Holds, Hold{
		Reservation: "r", Account: "P", RequestID: "q", Purpose: "VERIFY", State: "VERIFY_HELD", Currency: "KRW", RRN: "RRN1", Amount: 9,
		Held: true,
	})
	report(t, s.Captures, CaptureRow{
		Account: "P", RequestID: "qc", ReservationRequestID: "q", State: "SUCCESS", Currency: "KRW", RRN: "RRN1", ARN: "79999996326000000001233",
		Amount: 8,
	})
	report(t, s.Refunds, RefundRow{
		Account: "P", RequestID: "qf", CaptureRequestID: "qc", State: "REFUND_REVERSED", Currency: "KRW", RRN: "RRN2",
		ARN: "79999996327000000000770", Amount: 7, Returned: 6,
	}, RefundRow{
		Account: "P", RequestID: "qg", CaptureRequestID: "qc", State: "REFUND_FAILED", Reason: "window_exceeded", Currency: "KRW", Amount: 1,
	})
	report(t, s.Disputes, DisputeRow{
		Account: "P", CaptureRequestID: "qc", Stage: "FIRST", State: "CB1_REVERSED", Currency: "KRW", Case: "C1", Notice: "t", Amount: 5, Won: 4,
	})
	report(t, s.OpenPayouts, OpenPayouts{Bank: "rzp", State: "RECORDED", Count: 1, Oldest: at.Add(time.Minute)}, OpenPayouts{
		Bank: "rzp", State: "UNKNOWN", Count: 2, Oldest: at.Add(2 * time.Minute),
	})
	row := func(id, state, currency string, amount, attempts int64) PayoutRow {
		return PayoutRow{
			Payout: id, Account: "P", RequestID: "q-" + id, Bank: "rzp", State: state, Currency: currency, Amount: amount, Attempts: attempts,
		}
	}
	paid := row("p", "SUCCEEDED", "INR", 12_550, 1)
	paid.Reference, paid.BankID, paid.UTR, paid.Fees, paid.Tax = "ref-p", "pout-p", "606109000001", 500, 90
	report(t, s.Payouts, row("o", "RECORDED", "KRW", 9, 0), paid, row("u", "UNKNOWN", "KRW", 9, 1), row("v", "UNKNOWN", "KRW", 9, 1))
	report(t, s.SettlementRows, SettlementRow{ID: "s", Account: "P", Currency: "KRW", Day: "20260302", State: "CLOSED", Net: 3, Items: 2})
}

func report[T comparable](t *testing.T, read func(context.Context) ([]T, error), want ...T) {
	t.Helper()
	got, err := read(t.Context())
	if !slices.Equal(got, want) || err != nil {
		t.Errorf("%+v, %v", got, err)
	}
}
