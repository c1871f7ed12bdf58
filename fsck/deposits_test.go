package fsck_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"naru/core/card"
	"naru/core/deposit"
	"naru/core/payout"
	"naru/engine"
	"naru/fsck"
	"naru/vault"
)

// Accounts of ours that payers transfer to. The first one's number looks like a card's, and is none.
const collecting, virtual = "4222222222222", "56202000000"

var receivers = []engine.Receiver{
	{ID: "R1", Bank: "088", Number: collecting, Holder: "나루페이 주식회사"},
	{
		ID: "R2", Bank: "004", Number: "56211000123456", Holder: "나루페이 주식회사",
		Virtual: []engine.Range{{First: virtual + "001", Last: virtual + "099"}},
	},
	{ID: "R3", Bank: "020", Number: "100200300500", Holder: "나루페이 주식회사"},
}

func merchants() []engine.Merchant {
	limits := engine.Limits{Least: won(1_000), Most: won(5_000_000)}
	kst, review := time.FixedZone("KST", 9*3600), won(400_000)
	services := func() []engine.DepositService {
		return []engine.DepositService{
			{ID: "SHOWN", Limits: limits, Fee: engine.Fee{BP: 80}, Receivers: []string{"R1"}, Unique: true, Tokens: true},
			{ID: "PLAIN", Limits: limits, Receivers: []string{"R1"}},
			{ID: "NUMBER", Limits: limits, Fee: engine.Fee{Fixed: 200}, Receivers: []string{"R2"}},
			{
				ID: "NAMED", Limits: limits, Receivers: []string{"R1"}, Unique: true, RealName: true, Register: true, Other: deposit.AskPerson,
			},
		}
	}
	return []engine.Merchant{
		{
			ID: "SHOP", Location: kst, Deposits: services(), TellReversals: true, TellEnds: true, Payouts: []engine.PayoutService{
				{ID: "OUT", Limits: limits, Fee: engine.Fee{Fixed: 300}, Bank: "shinhan", Review: &review},
			},
		},
		{ID: "QUIET", Location: kst, Deposits: services()},
	}
}

// wire is a payout bank that cannot tell what it booked. It says what the test says.
type wire struct{ says payout.Answer }

func (*wire) Check(payout.Order) error { return nil }

func (*wire) Compose(o payout.Order) ([]byte, error) {
	return json.Marshal(map[string]any{"e2e": o.Reference, "account": o.Target.Number.Reveal(), "name": o.Target.Name.Reveal()})
}

func (b *wire) Pay(_ context.Context, o payout.Order) payout.Answer {
	said := b.says
	said.Reference = o.Reference
	return said
}

func (b *wire) Enquire(ctx context.Context, o payout.Order) payout.Answer { return b.Pay(ctx, o) }

var (
	wired   = payout.Answer{Verdict: payout.Credited, Status: "ACSC"}
	taken   = payout.Answer{Verdict: payout.Open, Status: "ACTC"}
	noPayee = payout.Answer{Verdict: payout.Rejected, Status: "RJCT", Reason: payout.NoAccount, Scope: "iso20022", Code: "AC01"}
	unwired = payout.Answer{}
)

// People who pay, and to whom merchants pay.
const (
	payerName, payerAccount = "홍길동", "110-234-567890"
	otherName, payeeName    = "김철수", "박영희"
	payeeAccount            = "30201234567"
)

// ordered makes an order of a merchant that is told what becomes of it.
func (w *world) ordered(service, client string, minor int64, name string) deposit.Order {
	w.t.Helper()
	return w.orderedBy("SHOP", service, client, minor, name, "https://shop.example/hook")
}

func (w *world) orderedBy(merchant, service, client string, minor int64, name, hook string) deposit.Order {
	w.t.Helper()
	ask := engine.DepositAsk{
		Merchant: merchant, Service: service, ClientID: client, User: "user-" + client, Amount: won(minor), NotifyURL: hook, SignType: "MD5",
	}
	if name != "" {
		ask.Payer = deposit.Payer{Name: card.Conceal(name), Bank: "088", Account: card.Conceal(payerAccount)}
	}
	o, err := w.engine.CreateDeposit(w.t.Context(), ask)
	w.do(err)
	return o
}

// arrives is money for an order, as a bank books it, from somebody.
func (w *world) arrives(id string, o deposit.Order, minor int64, name string) deposit.Entry {
	k := deposit.Entry{
		Bank: "088", Account: collecting, ID: id, Amount: won(minor), Name: card.Conceal(name), FromBank: "088",
		FromAccount: card.Conceal("110234567890"), Memo: card.Conceal(""), BookedAt: w.clock.Now(),
	}
	if o.Receiver.Virtual {
		k.Bank, k.Account, k.Virtual = o.Receiver.Bank, receivers[1].Number, o.Receiver.Number
	}
	return k
}

func takesBack(k deposit.Entry, id string) deposit.Entry {
	k.Original, k.ID, k.Debit, k.Reversal = k.ID, id, true, true
	return k
}

// told takes a message of a bank into account.
func (w *world) told(kind deposit.MessageKind, list ...deposit.Entry) {
	w.t.Helper()
	w.messages++
	m := deposit.Message{Feed: "feed", ID: fmt.Sprintf("MSG %d", w.messages), Kind: kind}
	m.Digest = digest(m.ID)
	for _, k := range list {
		m.Reports = append(m.Reports, deposit.Report{
			Bank: k.Bank, Account: k.Account, Day: k.BookedAt.Format("20060102"), Entries: []deposit.Entry{k},
		})
	}
	_, err := w.engine.TakeMessage(w.t.Context(), m)
	w.do(err)
}

// creditOf is our name of what a bank told under its own.
func (w *world) creditOf(id string) string {
	w.t.Helper()
	list, err := w.engine.ListCredits(w.t.Context(), false, 1_000)
	w.do(err)
	for _, c := range list {
		if c.BankID == id {
			return c.ID
		}
	}
	w.t.Fatal("no credit", id)
	return ""
}

// transfers asks to pay out of a merchant's balance; the bank says what becomes of it.
func (w *world) transfers(client string, minor int64, said payout.Answer) string {
	w.t.Helper()
	m, err := w.engine.CreatePayout(w.t.Context(), engine.PayoutAsk{
		Merchant: "SHOP", Service: "OUT", ClientID: client, Amount: won(minor), NotifyURL: "https://shop.example/out", SignType: "MD5",
		Target: payout.Target{Bank: "011", Number: card.Conceal(payeeAccount), Name: card.Conceal(payeeName), Text: "정산"},
	})
	w.do(err)
	w.pays(said)
	return m.ID
}

// pays lets the loop work on what is due; the bank says what becomes of it.
func (w *world) pays(said payout.Answer) {
	w.t.Helper()
	w.wire.says = said
	w.keepPaying()
}

// booked is that the bank booked a payout.
func (w *world) booked(id string, request string, minor int64, back bool) deposit.Entry {
	w.t.Helper()
	_, reference := w.paidOut(request)
	return deposit.Entry{
		Bank: "088", Account: collecting, ID: id, Amount: won(minor), Debit: !back, Returned: back, EndToEnd: reference, Reason: "AC04",
		BookedAt: w.clock.Now(),
	}
}

// collect is every life of an order, of a credit and of a merchant's payout that comes to an end.
func (w *world) collect() {
	ctx, none := w.t.Context(), deposit.Order{}
	const push = deposit.Push
	w.do(w.engine.AdoptMerchantKey(ctx, "SHOP", engine.SigningKey, card.Conceal("the signing key of the shop")))
	_, err := w.engine.RenewMerchantKey(ctx, "SHOP", engine.WebhookKey)
	w.do(err)

	o := w.ordered("SHOWN", "paid", 3_000_000, payerName)
	paid := w.arrives("T-PAID", o, o.Display.Minor(), payerName)
	w.told(push, paid)
	o = w.ordered("NUMBER", "paid-with-more", 50_000, "")
	w.told(push, w.arrives("T-MORE", o, 60_000, payerName))
	o = w.orderedBy("QUIET", "SHOWN", "paid-quietly", 70_000, payerName, "")
	w.told(push, w.arrives("T-QUIET", o, o.Display.Minor(), payerName))
	w.told(push, w.arrives("T-EARLY", none, 33_000, payerName))
	w.clock.advance(time.Minute)
	w.orderedBy("QUIET", "NUMBER", "cancelled-quietly", 70_000, "", "")
	w.ordered("PLAIN", "claims", 33_000, payerName)

	o = w.ordered("SHOWN", "taken-back", 40_000, payerName)
	k := w.arrives("T-BACK", o, o.Display.Minor(), payerName)
	w.told(push, k)
	w.told(push, takesBack(k, "T-BACK-R"))
	k = w.arrives("T-NOBODY-BACK", none, 41_000, otherName)
	w.told(push, k)
	w.told(push, takesBack(k, "T-NOBODY-BACK-R"))
	k = w.arrives("T-END-FIRST", none, 42_000, otherName)
	w.told(push, takesBack(k, "T-END-FIRST-R"))
	w.told(push, k)

	o = w.ordered("NAMED", "registered", 80_000, "")
	w.do(w.engine.RegisterPayer(ctx, o.Link, deposit.Payer{Name: card.Conceal(payerName), Bank: "088", Account: card.Conceal(payerAccount)}))
	w.told(push, w.arrives("T-REGISTERED", o, o.Display.Minor(), payerName))
	o = w.ordered("NAMED", "seen-and-cleared", 81_000, payerName)
	w.told(push, w.arrives("T-OTHER-NAME", o, o.Display.Minor(), otherName))
	w.ordered("SHOWN", "assigned", 82_000, "")
	w.do(w.engine.AssignCredit(ctx, w.creditOf("T-OTHER-NAME"), w.number("assigned"), "the payer called"))
	o = w.ordered("NAMED", "failed", 83_000, payerName)
	w.told(push, w.arrives("T-FAILED", o, o.Display.Minor(), otherName))
	w.do(w.engine.FailDeposit(ctx, o.Number, "not the payer's"))
	o = w.ordered("SHOWN", "cancelled", 84_000, payerName)
	w.do(w.engine.CancelDeposit(ctx, o.Number, "the merchant asks"))
	w.told(push, w.arrives("T-CANCELLED", o, o.Display.Minor(), payerName))
	w.do(w.engine.CancelDeposit(ctx, w.number("cancelled-quietly"), "the merchant asks"))
	o = w.ordered("SHOWN", "expired-and-paid", 85_000, payerName)
	w.ordered("NUMBER", "expired", 86_000, "")
	w.clock.advance(time.Hour)
	w.drain(w.engine.ExpireDeposits)
	w.told(push, w.arrives("T-LATE", o, o.Display.Minor(), payerName))
	w.do(w.engine.AssignCredit(ctx, w.creditOf("T-LATE"), o.Number, "it is late"))

	for id, said := range map[string][]payout.Answer{"T-GIVEN": {wired}, "T-NOT-GIVEN": {noPayee}, "T-GIVEN-TWICE": {noPayee, wired}} {
		w.told(push, w.arrives(id, none, 90_000, otherName))
		for _, s := range said {
			w.do(w.engine.GiveBackCredit(ctx, w.creditOf(id), "shinhan", "nobody knows it"))
			w.pays(s)
		}
	}
	w.told(push, w.arrives("T-GIVEN-AND-BACK", none, 91_000, otherName))
	w.do(w.engine.GiveBackCredit(ctx, w.creditOf("T-GIVEN-AND-BACK"), "shinhan", "nobody knows it"))
	w.pays(taken)
	given := w.creditOf("T-GIVEN-AND-BACK") + "/2"
	w.told(push, w.booked("T-GAVE", given, 91_000, false))
	w.told(push, w.booked("T-GAVE-BACK", given, 91_000, true))

	w.transfers("out-paid", 100_000, wired)
	w.transfers("out-refused", 100_000, noPayee)
	w.transfers("out-returned", 110_000, taken)
	w.told(push, w.booked("T-OUT-RETURNED", "out-returned", 110_000, true))
	w.do(w.engine.CancelPayout(ctx, w.transfers("out-cancelled", 500_000, wired), "too much"))
	w.do(w.engine.ApprovePayout(ctx, w.transfers("out-approved", 400_000, wired), "all right"))
	w.pays(wired)
	w.told(push, deposit.Entry{Bank: "088", Account: collecting, ID: "T-FEE", Amount: won(500), Debit: true, BookedAt: w.clock.Now()})
	w.told(deposit.Statement, w.booked("T-OUT-PAID", "out-paid", 100_000, false), paid,
		w.arrives("T-UNHEARD", none, 7_000, otherName))
	w.do(w.engine.PauseReceiver(ctx, "R3", "the bank is being maintained"))
	w.do(w.engine.ResumeReceiver(ctx, "R3", "it is back"))
	w.do(w.engine.PauseReceiver(ctx, "R3", "and again"))
	w.deliver()
	w.clock.advance(day)
	w.drain(w.engine.ExpireDeposits)
}

// number is the gateway's number of an order.
func (w *world) number(client string) string {
	w.t.Helper()
	for _, m := range []string{"SHOP", "QUIET"} {
		o, ok, err := w.engine.DepositByClient(w.t.Context(), m, client)
		w.do(err)
		if ok {
			return o.Number
		}
	}
	w.t.Fatal("no order", client)
	return ""
}

// collecting is what is open when everybody stops.
func (w *world) collecting() {
	w.ordered("SHOWN", "open", 20_000, payerName)
	w.ordered("NUMBER", "open-number", 20_000, "")
	o := w.ordered("NAMED", "open-seen", 21_000, payerName)
	w.told(deposit.Notification, w.arrives("T-SEEN", o, o.Display.Minor(), otherName))
	w.told(deposit.Push, w.arrives("T-WAITING", deposit.Order{}, 22_000, otherName))
	w.told(deposit.Push, w.arrives("T-GIVING", deposit.Order{}, 23_000, otherName))
	w.do(w.engine.GiveBackCredit(w.t.Context(), w.creditOf("T-GIVING"), "shinhan", "nobody knows it"))
	w.pays(unwired)
	w.transfers("out-open", 120_000, taken)
	w.transfers("out-review", 450_000, wired)
	o = w.ordered("SHOWN", "paid-newest", 24_000, payerName)
	w.told(deposit.Push, w.arrives("T-NEWEST", o, o.Display.Minor(), payerName))
}

// orderOf and creditOf are ids, by the merchant's number and by the bank's.
func orderOf(client string) string {
	return "(SELECT id FROM deposit_order WHERE client_id = '" + client + "')"
}

func creditOf(id string) string { return "(SELECT id FROM bank_credit WHERE bank_id = '" + id + "')" }

func order(client, set string) string {
	return "UPDATE deposit_order SET " + set + " WHERE client_id = '" + client + "'"
}

func credit(id, set string) string {
	return "UPDATE bank_credit SET " + set + " WHERE bank_id = '" + id + "'"
}

func booking(id, set string) string {
	return "UPDATE bank_entry SET " + set + " WHERE id = '" + id + "'"
}

func TestCorruptionsOfDepositsAreFound(t *testing.T) { corrupted(t, corruptionsOfDeposits) }

var corruptionsOfDeposits = []corruption{
	// orders
	{"state that the events of an order do not reach", "deposits states", []string{order("open", "state = 'SEEN'")}},
	{"order paid by its events only", "journal-digests notices states", []string{
		"UPDATE event SET event = 'pay', state = 'PAID' WHERE event = 'expire' AND payment_id = " + orderOf("expired"),
	}},
	{"order that begins in the middle", "journal-digests states", []string{
		"UPDATE event SET event = 'see', state = 'SEEN' WHERE n = 1 AND payment_id = " + orderOf("open"),
	}},
	{"event of something else in the journal of an order", "journal-digests states", []string{
		"UPDATE event SET object = 'voucher/1' WHERE n = 2 AND payment_id = " + orderOf("open-seen"),
	}},
	{"payer named twice", "journal-digests states", []string{
		"UPDATE event SET event = 'name', state = 'WAITING' WHERE event = 'pay' AND payment_id = " + orderOf("registered"),
	}},
	{"order changed less often than there are events", "journal-chain", []string{order("paid-newest", "version = 1")}},
	{"order deleted", "journal-chain", []string{"DELETE FROM deposit_order WHERE client_id = 'open'"}},
	{"order paid at another time", "states", []string{order("paid-newest", "paid_us = paid_us + 1")}},
	{"order made at another time", "states", []string{order("open", "created_us = created_us + 1")}},
	{"order changed at another time", "states", []string{order("open", "changed_us = changed_us + 1")}},
	{"order in no currency", "merchants states", []string{order("paid-newest", "currency = 'ZZZ'")}},
	{"order of more", "states", []string{order("open", "amount = amount + 1")}},
	{"order that shows less", "states", []string{order("open", "display = display - 1")}},
	{"order of another merchant", "merchants notices postings", []string{order("paid-newest", "merchant = 'QUIET'")}},
	{"order over before it began", "deposits", []string{order("open", "expires_us = created_us")}},
	{"order in another trouble", "states", []string{order("open-seen", "trouble = 'AMBIGUOUS'")}},
	{"credit that is probably for an order that does not know", "credits", []string{credit("T-FAILED", "suspect_id = "+orderOf("open"))}},
	{"seen order without money", "deposits", []string{credit("T-SEEN", "suspect_id = NULL")}},
	{"payer forgotten", "deposits", []string{order("registered", "payer = NULL, name_print = NULL, payer_bank = ''")}},
	{"name's print spoilt", "deposits", []string{order("open", "name_print = x'00'")}},
	{"amount kept for ever", "deposits", []string{order("expired", "reserved = TRUE")}},
	{"number of an open order free", "deposits", []string{order("open-number", "reserved = FALSE")}},
	{"amount shown twice", "deposits schema states", []string{
		"DROP INDEX deposit_order_amount", order("open-seen", "display = (SELECT o.display FROM deposit_order AS o WHERE o.client_id = 'open')"),
	}},
	{"taken back and nobody hears of it", "deposits", []string{"DELETE FROM operator_case WHERE kind = 'deposit-taken-back'"}},

	// what paid them
	{"order paid by another credit", "credits deposits states", []string{
		order("paid-newest", "credit_id = "+creditOf("T-WAITING")),
	}},
	{"credit that paid another order", "credits deposits", []string{credit("T-NEWEST", "order_id = "+orderOf("open"))}},
	{"order paid with more than came", "deposits merchants postings states", []string{order("paid-newest", "real_amount = real_amount + 1")}},
	{"another fee than was kept", "merchants postings states", []string{order("paid-newest", "fee = fee - 1")}},
	{"paid into another account", "deposits postings", []string{order("paid-newest", "into_account = 'R2'")}},
	{"taken back and paid again", "credits deposits merchants states", []string{order("taken-back", "state = 'PAID'")}},
	{"fee not booked", "balances merchants postings", []string{
		"DELETE FROM posting WHERE credit = 'income:fees' AND payment_id = " + orderOf("paid-newest"),
		"UPDATE balance SET amount = amount - 192 WHERE account = 'merchant:payable' AND owner = 'SHOP'",
	}},
	{"balance of a merchant changed", "balances merchants", []string{
		"UPDATE balance SET amount = amount - 1 WHERE account = 'merchant:payable' AND owner = 'SHOP'",
	}},
	{"money of another merchant", "balances postings", []string{
		"UPDATE posting SET credit_owner = 'QUIET' WHERE credit = 'merchant:payable' AND payment_id = " + orderOf("paid-newest"),
	}},
	{"fee more than came", "constraints merchants postings states", []string{lax, order("paid-newest", "fee = real_amount + 1")}},
	{"shown more than ordered", "constraints states", []string{lax, order("open", "display = amount + 1")}},
	{"paid by nothing", "constraints credits merchants notices states", []string{
		lax, order("paid-newest", "credit_id = NULL, real_amount = 0"),
	}},

	// credits
	{"state that the events of a credit do not reach", "bookings credits states", []string{
		credit("T-WAITING", "state = 'REVERSED', trouble = '', retry_us = NULL"),
	}},
	{"credit that begins in the middle", "journal-digests states", []string{
		"UPDATE event SET event = 'hold' WHERE n = 1 AND payment_id = " + creditOf("T-WAITING"),
	}},
	{"event of something else in the journal of a credit", "journal-digests states", []string{
		"UPDATE event SET object = 'voucher/1' WHERE n = 2 AND payment_id = " + creditOf("T-WAITING"),
	}},
	{"credit changed more often than there are events", "journal-chain", []string{credit("T-WAITING", "version = version + 1")}},
	{"credit told at another time", "states", []string{credit("T-WAITING", "received_us = received_us + 1")}},
	{"credit told by another message", "bookings states", []string{credit("T-WAITING", "message = 'MSG 1'")}},
	{"credit of more", "bookings credits postings states", []string{credit("T-WAITING", "amount = amount + 1")}},
	{"credit in no currency", "credits states", []string{credit("T-WAITING", "currency = 'ZZZ'")}},
	{"credit to another account", "bookings credits postings", []string{credit("T-WAITING", "receiver = 'R2'")}},
	{"credit under another name", "bookings", []string{credit("T-WAITING", "bank_id = 'T-OTHER'")}},
	{"credit decided by another rule", "states", []string{credit("T-WAITING", "rule = '5'")}},
	{"credit decided from something else", "states", []string{credit("T-NEWEST", "inputs = ''")}},
	{"credit that a person is said to have given", "states", []string{credit("T-NEWEST", "rule = 'person'")}},
	{"credit that no new order may claim", "states", []string{credit("T-WAITING", "retry_us = NULL")}},
	{"credit that is nobody's and in no trouble", "credits", []string{credit("T-WAITING", "trouble = ''")}},
	{"credit that nobody hears of", "credits", []string{"DELETE FROM operator_case WHERE payment_id = " + creditOf("T-WAITING")}},
	{"credit that is decided and still asked about", "credits", []string{
		"UPDATE operator_case SET closed_us = NULL WHERE payment_id = " + creditOf("T-LATE"),
	}},
	{"credit given back by another payout", "credits payouts states", []string{credit("T-GIVING", "payout_id = "+payoutOf("out-open"))}},
	{"credit that is nobody's in the books", "balances credits", []string{
		"UPDATE balance SET amount = amount + 1 WHERE account = 'deposit:unmatched' AND owner = 'R1'",
	}},
	{"credit not booked", "balances postings", []string{
		"DELETE FROM posting WHERE credit = 'deposit:unmatched' AND payment_id = " + creditOf("T-WAITING"),
	}},
	{"credit nobody's and an order's", "constraints deposits", []string{lax, credit("T-NEWEST", "order_id = NULL")}},

	// what banks booked
	{"booking of more", "bookings", []string{booking("T-WAITING", "amount = amount + 1")}},
	{"booking of another credit", "bookings", []string{booking("T-WAITING", "credit_id = "+creditOf("T-NEWEST"))}},
	{"booking deleted", "bookings", []string{"DELETE FROM bank_entry WHERE id = 'T-WAITING'"}},
	{"booking by another message", "bookings", []string{booking("T-WAITING", "message = 'MSG 1'")}},
	{"booking by no message", "bookings", []string{booking("T-WAITING", "message = 'MSG none'")}},
	{"reversal deleted", "bookings", []string{"DELETE FROM bank_entry WHERE id = 'T-BACK-R'"}},
	{"reversal of something else", "bookings", []string{booking("T-BACK-R", "original = 'T-NEWEST'")}},
	{"reversal before its credit deleted", "bookings postings states", []string{"DELETE FROM bank_entry WHERE id = 'T-END-FIRST-R'"}},
	{"fee of a bank that is not booked", "bookings states", []string{booking("T-FEE", "amount = amount + 1")}},
	{"fee of a bank that nobody hears of", "bookings", []string{"DELETE FROM operator_case WHERE id LIKE 'bank-unexplained/R1/T-FEE/%'"}},
	{"booking of a payout of another amount", "bookings", []string{booking("T-OUT-PAID", "amount = amount + 1")}},
	{"booking of a payout that is open", "bookings", []string{booking("T-OUT-PAID", "payout_id = "+payoutOf("out-open"))}},
	{"money collected that is not there", "balances bookings", []string{
		"UPDATE balance SET amount = amount + 1 WHERE account = 'bank:collection' AND owner = 'R1'",
	}},
	{"message that brought more", "bookings", []string{"UPDATE bank_message SET accepted = 3, repeated = 0 WHERE id = 'MSG 24'"}},
	{"message deleted", "bookings", []string{"DELETE FROM bank_message WHERE id = 'MSG 24'"}},
	{"message of fewer than it brought", "constraints", []string{lax, "UPDATE bank_message SET entries = 1 WHERE id = 'MSG 24'"}},
	{"booking that nobody told", "constraints", []string{lax, booking("T-WAITING", "notified = FALSE")}},

	// payouts of merchants, and to senders
	{"payout that no merchant knows", "notices payouts", []string{
		"DELETE FROM merchant_payout WHERE payout_id = " + payoutOf("out-paid"),
	}},
	{"payout of Google that a merchant knows", "payouts", []string{
		"INSERT INTO merchant_payout SELECT id, '', 'POT9', 'MD5', 'OUT' FROM payout WHERE request_id = 'open-unknown'",
	}},
	{"payout of a merchant becomes Google's", "constraints merchants payouts postings", []string{lax, change("out-open", "purpose = ''")}},
	{"payout with another fee", "in-flight merchants postings states", []string{change("out-open", "fee = fee + 1")}},
	{"fee of a payout not earned", "balances postings", []string{
		"DELETE FROM posting WHERE credit = 'income:fees' AND payment_id = " + payoutOf("out-paid"),
	}},
	{"payout paid from another merchant", "in-flight merchants postings", []string{change("out-open", "account = 'QUIET'")}},
	{"payout cancelled that was sent", "in-flight merchants notices payouts states", []string{
		change("out-open", "state = 'CANCELLED', done_us = 1, due_us = NULL"),
	}},
	{"payout under review that nobody hears of", "payouts", []string{
		"DELETE FROM operator_case WHERE payment_id = " + payoutOf("out-review"),
	}},
	{"payout changed when nothing happened", "states", []string{change("out-open", "changed_us = changed_us + 1")}},
	{"payout to a sender that its credit does not know", "credits payouts states", []string{
		credit("T-GIVEN", "payout_id = "+payoutOf("out-paid")),
	}},
	{"payout to a sender of more", "in-flight payouts postings states", []string{
		"UPDATE payout SET amount = amount + 1 WHERE id = (SELECT payout_id FROM bank_credit WHERE bank_id = 'T-GIVING')",
	}},

	// what merchants are told
	{"paid order not told", "notices", []string{"DELETE FROM notice WHERE account = 'SHOP' AND state = 'QUEUED'"}},
	{"order told as paid before it was", "notices", []string{
		"UPDATE notice SET subject = (SELECT number FROM deposit_order WHERE client_id = 'open') || '/PAID', id = 'naru-deposit-result-' || " +
			orderOf("open") + " || '/PAID' WHERE account = 'SHOP' AND state = 'QUEUED'",
	}},
	{"order told as ended that never did", "notices references", []string{
		"UPDATE notice SET subject = REPLACE(subject, 'EXPIRED', 'FAILED'), result = 'FAILED', id = REPLACE(id, 'EXPIRED', 'FAILED')" +
			" WHERE id = 'naru-deposit-result-' || " + orderOf("expired") + " || '/EXPIRED'",
	}},
	{"order told as another end", "notices", []string{"UPDATE notice SET result = 'FAILED' WHERE subject LIKE 'PM%/CANCELLED'"}},
	{"order told under another name", "notices", []string{
		"UPDATE notice SET facts = JSON_SET(facts, '$.OwnID', 'other') WHERE account = 'SHOP' AND state = 'QUEUED'",
	}},
	{"payout told as another end", "notices", []string{
		"UPDATE notice SET result = 'DECLINED' WHERE kind = 'transfer-result' AND subject LIKE '%/CANCELLED'",
	}},
	{"payout's end not told", "notices", []string{
		"DELETE FROM notice_try WHERE notice_id = 'naru-transfer-result-' || " + payoutOf("out-paid"),
		"DELETE FROM notice WHERE id = 'naru-transfer-result-' || " + payoutOf("out-paid"),
	}},
	{"notice of no order", "notices", []string{"UPDATE notice SET subject = 'PM9/PAID' WHERE account = 'SHOP' AND state = 'QUEUED'"}},

	{"rests by nobody's word", "states", []string{"UPDATE receiver_pause SET receiver = 'other'"}},
	{"is paid into while it rests", "states", []string{"DELETE FROM receiver_pause"}},

	// what is about people
	{"payer of another order", "deposits-open", []string{
		order("open", "payer = (SELECT o.payer FROM deposit_order AS o WHERE o.client_id = 'open-seen')"),
	}},
	{"payer's bank changed", "deposits-open", []string{order("open", "payer_bank = '011'")}},
	{"sender of another credit", "deposits-open", []string{
		credit("T-WAITING", "sender = (SELECT c.sender FROM bank_credit AS c WHERE c.bank_id = 'T-SEEN')"),
	}},
	{"registration of another user", "deposits-open", []string{"UPDATE payer_registration SET user_id = 'other'"}},
	{"registered at another bank", "deposits-open", []string{"UPDATE payer_registration SET bank = '011'"}},
	{"key of another place", "deposits-open", []string{"UPDATE merchant_key SET id = 'other' WHERE purpose = 'sign'"}},
	{"sender in clear", "deposits-open secrets-columns secrets-files", []string{
		credit("T-WAITING", "sender = CAST('"+otherName+"' AS BLOB)"),
	}},
	{"payer's name in a text", "secrets-columns secrets-files", []string{
		"UPDATE operator_case SET detail = 'paid by " + payerName + "' WHERE kind = 'deposit-late'",
	}},
	{"sender's account in a text", "secrets-columns secrets-files", []string{
		"UPDATE operator_case SET detail = 'paid from 110234567890' WHERE kind = 'deposit-late'",
	}},
	{"payer's account with hyphens in a text", "secrets-columns secrets-files", []string{
		"UPDATE operator_case SET detail = 'paid from " + payerAccount + "' WHERE kind = 'deposit-late'",
	}},
	{"payee's name in the journal", "journal-digests secrets-columns secrets-files", []string{
		"UPDATE event SET detail = detail || ' " + payeeName + "' WHERE n = 1 AND payment_id = " + payoutOf("out-open"),
	}},
	{"payee's account in freed space", "secrets-files", []string{
		"PRAGMA secure_delete = OFF", "INSERT INTO operator_case VALUES ('other', 'other', 'other', '" + payeeAccount + "', 1, 1, '', '')",
		"DELETE FROM operator_case WHERE id = 'other'",
	}},
	{"merchant's key in a text", "secrets-columns secrets-files", []string{
		"UPDATE operator_case SET detail = 'the signing key of the shop' WHERE kind = 'deposit-late'",
	}},
}

// What was sealed with the right key for the right place and is no payer is the engine's own mistake.
func TestSealedPayerMustBeOne(t *testing.T) {
	for plain, want := range map[string]string{
		payerName + "\n088\n" + payerAccount: "", payerName + "\n011\n" + payerAccount: "deposits-open", payerName: "deposits-open",
	} {
		w := newWorld(t)
		o := w.ordered("SHOWN", "open", 20_000, payerName)
		v, err := vault.Open(w.kek, w.store)
		w.do(err)
		sealed, err := v.Seal([]byte(plain), "deposit_order.payer/"+o.ID)
		w.do(err)
		w.do(w.store.Close())
		edit(t, w.place, "UPDATE deposit_order SET payer = $1", sealed)
		if r := check(t, fsck.Options{Database: w.place, KEK: w.kek}); found(r) != want || strings.Contains(text(r), payerName) {
			t.Errorf("%q\n%s", plain, text(r))
		}
	}
}

// What a merchant calls its users may be their names: they are the merchant's to tell, and a report shows none.
func TestPayerThatAMerchantNamesIsAWarning(t *testing.T) {
	w := newWorld(t)
	w.ordered("SHOWN", payerName, 20_000, payerName)
	w.do(w.store.Close())
	r := check(t, fsck.Options{Database: w.place, KEK: w.kek})
	if found(r) != "secrets-columns" || !r.OK() || r.Warnings != 1 || strings.Contains(text(r), payerName) {
		t.Error(text(r))
	}
}

// An account of ours may send money to another one: it is no secret.
func TestOwnAccountIsNoSecret(t *testing.T) {
	w := newWorld(t)
	o := w.ordered("SHOWN", "own", 20_000, receivers[0].Holder)
	k := w.arrives("T-OWN", o, o.Display.Minor(), receivers[0].Holder)
	k.FromAccount = card.Conceal(collecting)
	w.told(deposit.Push, k)
	w.do(w.store.Close())
	if r := check(t, fsck.Options{Database: w.place, KEK: w.kek}); found(r) != "" {
		t.Error(text(r))
	}
}
