package killtest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"naru/core/ledger"
	"naru/rail/upi/sim"
	"naru/store"
)

// What happens to money that is paid out: the payout bank knows the addresses at @sim (see its package), and credits everybody else.
var (
	salary   = transfer{to: "jihun.kt@okbank", result: success, copies: 3}
	instant  = transfer{to: "instant@sim", result: success}
	hung     = transfer{to: "jihun.kt@okbank", result: success, lost: "hang-after", mute: true}
	halved   = transfer{to: "jihun.kt@okbank", result: success, lost: "half-answer", mute: true, copies: 2}
	cutOff   = transfer{to: "jihun.kt@okbank", result: success, lost: "close-before"}
	sick     = transfer{to: "jihun.kt@okbank", result: success, lost: "500-before"}
	hurried  = transfer{to: "jihun.kt@okbank", result: success, lost: "429"}
	early    = transfer{to: "jihun.kt@okbank", result: success, lost: "webhook-first"}
	second   = transfer{to: "jihun.kt@okbank", result: success, first: "gateway-down@sim", copies: 2}
	closed   = transfer{to: "closed@sim", result: "ACCOUNT_CLOSED", copies: 2}
	frozen   = transfer{to: "frozen@sim", result: "ACCOUNT_ON_HOLD", lost: "close-after", mute: true}
	tooMuch  = transfer{to: "jihun.kt@okbank", amount: 1_00_000_01, result: "DISBURSEMENT_EXCEEDS_TRANSACTION_LIMIT"}
	tooSmall = transfer{to: "jihun.kt@okbank", amount: 99, result: "DISBURSEMENT_UNDER_TRANSACTION_LIMIT"}
	deemed   = transfer{to: "deemed@sim", result: success, ends: "processed", why: "payout_processed"}
	revoked  = transfer{to: "deemed@sim", result: "ACCOUNT_CLOSED", ends: "reversed", why: noAccount}
	returned = transfer{to: "jihun.kt@okbank", result: success, back: true}
)

const (
	payOut    = "disburseFunds"
	purpose   = "FOR THE SISTER OF JIHUN"
	noAccount = "bank_account_closed"
	opening   = 50_00_00_000_00 // paise, more than is paid out
)

// transfer is a payout as Google means it.
type transfer struct {
	to     string
	amount int64 // paise; one that no other has where 0
	result string
	lost   string // what the bank does with the first sending of the order
	mute   bool   // it tells nothing of it by itself
	first  string // the first order fails as one to this address; a second one is needed
	ends   string // the order is deemed, and ends in this when Google has heard that nobody knows
	why    string
	back   bool // the money comes back when Google knows that it arrived
	copies int  // sent at the same moment
}

// outgoing is one payout.
type outgoing struct {
	transfer
	ask *ask
}

func (l *life) newOutgoing(t transfer) *outgoing {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.serial++
	l.did.payouts.Add(1)
	t.amount = cmp.Or(t.amount, 10_000+10*int64(l.serial))
	o := &outgoing{t, newAsk(l.shop.payer, fmt.Sprintf("payout-%d", l.serial), payOut, fields{
		"transactionDescription": purpose, "currencyCode": "INR", "amount": fmt.Sprint(micros(t.amount, "INR")),
		"upiDetails": fields{"vpa": t.to},
	})}
	l.outgoings = append(l.outgoings, o)
	return o
}

// pay asks until Google knows what became of the money.
func (l *life) pay(o *outgoing) {
	rule := sim.Rule{Action: o.lost, Match: sim.Match{Call: "create", Amount: o.amount}, Times: 1}
	if o.first != "" {
		rule.Action, rule.As = "act-as", o.first
	}
	if rule.Action != "" {
		l.tell(l.bank.Control(), "/scenarios", rule)
	}
	if o.mute {
		l.tell(l.bank.Control(), "/scenarios", sim.Rule{Action: "webhook-never", Match: sim.Match{Amount: o.amount}})
	}
	if o.ends != "" && !l.leaveOpen(o) {
		return
	}
	if _, ok := l.insist(o.ask, o.copies, o.result); ok && o.back {
		l.tell(l.bank.Control(), "/actions/return", fields{"id": l.ordered(o).ID, "reason": noAccount})
	}
}

// leaveOpen asks until Google has heard that nobody knows, and then lets the bank know.
func (l *life) leaveOpen(o *outgoing) bool {
	return l.again(o.ask.name(), func() bool {
		got := l.send(o.ask, 1)
		if got.final() {
			l.t.Errorf("%s is deemed, and Google was told %d %s", o.ask.id, got.status, got.result())
		}
		return got.final() || got.status == http.StatusServiceUnavailable && l.ordered(o).Reason == "beneficiary_bank_confirmation_pending"
	}) && l.tell(l.bank.Control(), "/actions/settle", fields{"id": l.ordered(o).ID, "as": o.ends, "reason": o.why})
}

// bankOrder is a payout in the bank's own record; several may belong to one request of Google, after one another.
type bankOrder struct {
	ID        string `json:"id"`
	Key       string `json:"key"`
	Reference string `json:"reference"`
	UTR       string `json:"utr"`
	Status    string `json:"status"`
	Reason    string `json:"reason"`
	Amount    int64  `json:"amount"`
	Fees      int64  `json:"fees"` // with tax
	Tax       int64  `json:"tax"`
}

// ordered is the newest order of a payout.
func (l *life) ordered(o *outgoing) (newest bankOrder) {
	for _, b := range l.bankOrders() {
		if b.Amount == o.amount {
			newest = b
		}
	}
	return newest
}

func (l *life) bankOrders() (all []bankOrder) {
	l.hear(l.bank.Control(), "/payouts", &all)
	return all
}

// bankPaid is what the bank says of all orders of one request.
type bankPaid struct {
	Root     string   `json:"root"`
	Orders   []string `json:"payouts"`
	Paid     int      `json:"paid"`
	Returned int      `json:"returned"`
	Open     int      `json:"open"`
	Amount   int64    `json:"amount"`
}

// root is what the references of all orders of one payout have in common: its id.
func root(reference string) string { return reference[:max(0, len(reference)-2)] }

// bankLine is a line of the bank's statement.
type bankLine struct {
	ID      string `json:"id"`
	Amount  int64  `json:"amount"`
	Balance int64  `json:"balance"`
	Kind    string `json:"kind"`
}

func (l *life) bankLines() (all []bankLine) {
	l.hear(l.bank.Control(), "/statement", &all)
	return all
}

// oncePaid wants no request to be paid twice at a bank, or to be in danger of it: at any time.
func (l *life) oncePaid() {
	var twice []bankPaid
	l.hear(l.bank.Control(), "/paid?twice=true", &twice)
	if len(twice) > 0 {
		l.t.Errorf("the bank has paid twice, or may: %+v", twice)
	}
	if twice := l.till.Twice(); len(twice) > 0 {
		l.t.Errorf("the deposit bank has paid twice: %v", twice)
	}
}

// untold counts what the banks have still to tell the victim.
func (l *life) untold() (n int) {
	var all []struct{ Delivered, Never bool }
	l.hear(l.bank.Control(), "/events", &all)
	for _, e := range all {
		if !e.Delivered && !e.Never {
			n++
		}
	}
	return n + l.unreported()
}

// payouts compares each payout: what Google was told, what the bank did, and what the books say. The bank pays no request twice, none that
// Google was refused, and each that Google knows to be paid.
func (l *life) payouts(r *records) {
	l.oncePaid()
	rows, paid, orders := map[string]store.PayoutRow{}, map[string]bankPaid{}, map[string]bankOrder{}
	for _, p := range r.ourPayouts {
		rows[p.RequestID] = p
	}
	for _, p := range r.paid {
		paid[p.Root] = p
	}
	keys := map[string]string{}
	for _, b := range r.orders {
		orders[b.ID] = b
		if other, twice := keys[b.Key]; twice {
			l.t.Errorf("the orders %s and %s have one key", other, b.ID)
		}
		keys[b.Key] = b.ID
	}
	for _, o := range l.outgoings {
		row := rows[o.ask.id]
		delete(rows, o.ask.id)
		name := strings.ReplaceAll(row.Payout, "-", "")
		done := paid[name]
		delete(paid, name)
		l.did.orders.Add(int64(len(done.Orders)))
		var told struct {
			ID string `json:"paymentIntegratorTransactionId"`
		}
		if err := json.Unmarshal(o.ask.answer, &told); err != nil || told.ID != row.Payout {
			l.t.Errorf("%s: Google was told of the payout %q, and it is %s: %v", o.ask.id, told.ID, row.Payout, err)
		}
		if news, there := r.verdicts[o.ask.id]; there {
			if l.did.told.Add(1); news != o.result {
				l.t.Errorf("%s was answered %s, and told %s", o.ask.id, o.result, news)
			}
		}
		want, attempts, state := bankPaid{name, done.Orders, 0, 0, 0, 0}, 1, "DECLINED"
		if o.result == success {
			want.Paid, want.Amount, state = 1, o.amount, "SUCCEEDED"
			l.did.paid.Add(1)
		}
		if o.back {
			want.Returned, want.Amount, state = 1, 0, "RETURNED"
		}
		switch {
		case o.first != "":
			attempts = 2
		case strings.HasPrefix(o.result, "DISBURSEMENT_"):
			attempts, want.Root = 0, ""
		}
		if fmt.Sprint(done) != fmt.Sprint(want) || len(done.Orders) != attempts || row.Attempts != int64(attempts) {
			l.t.Errorf("%s: of %d with the result %s the bank says %+v, the books %+v", o.ask.id, o.amount, o.result, done, row)
		}
		if row.Account != o.ask.account || row.Amount != o.amount || row.Currency != "INR" || row.State != state {
			l.t.Errorf("%s: Google was told %s of %d, the books say %+v", o.ask.id, o.result, o.amount, row)
		}
		for i, id := range done.Orders {
			b := orders[id]
			if i == attempts-1 && (row.BankID != id || row.Reference != b.Reference || row.UTR != b.UTR) {
				l.t.Errorf("%s: the bank ended it with %+v, the books with %+v", o.ask.id, b, row)
			}
			if b.Amount != o.amount {
				l.t.Errorf("%s: %d were asked for, and %d ordered", o.ask.id, o.amount, b.Amount)
			}
		}
	}
	for id := range rows {
		l.t.Errorf("the books know a payout %q that Google never asked for", id)
	}
	for _, p := range paid {
		l.t.Errorf("the bank knows orders that are on no record of ours: %+v", p)
	}
	l.sendings(keys)
	l.statement(r)
}

// sendings counts how often orders came to the bank. It knows each by its key, and answers that others than the first are repeats.
func (l *life) sendings(keys map[string]string) {
	var seen []struct {
		Kind, Call, Key string
	}
	l.hear(l.bank.Control(), "/transactions?call=create", &seen)
	for _, s := range seen {
		if s.Kind != "seen" {
			continue
		}
		l.did.sendings.Add(1)
		if keys[s.Key] == "" {
			l.t.Errorf("an order came under the key %s, and never became a payout", s.Key)
		}
	}
}

// statement compares the bank's statement with what was taken of it: every line once, and understood.
func (l *life) statement(r *records) {
	lines := map[string]int64{}
	for _, line := range r.lines {
		lines[line.ID] = line.Amount
	}
	l.list(`SELECT id, amount, known FROM statement_entry`, func(scan func(...any) error) error {
		var id string
		var amount int64
		var known bool
		err := scan(&id, &amount, &known)
		if said, there := lines[id]; !there || said != amount || !known {
			l.t.Errorf("the line %s of %d was taken, known: %t; the bank has it: %t, of %d", id, amount, known, there, said)
		}
		delete(lines, id)
		return err
	})
	for id := range lines {
		l.t.Errorf("the line %s of the bank's statement was never taken", id)
	}
}

// float makes the ledger of payouts from what the bank knows: its orders and its statement.
func (l *life) float(r *records, add func(book, int64)) {
	of := func(owner string, kind ledger.Kind) book { return book{kind, purse{owner, "INR"}} }
	for _, line := range r.lines {
		add(of(l.shop.bank.Name, ledger.PayoutFloat), line.Amount)
		if line.Kind == "bank_transfer" {
			add(of(l.shop.bank.Name, ledger.BankSettlement), -line.Amount)
		}
	}
	for _, b := range r.orders {
		back := slices.ContainsFunc(l.outgoings, func(o *outgoing) bool { return o.back && o.amount == b.Amount })
		switch {
		case back: // and so are its fees and their tax
			add(of(l.shop.payer, ledger.GoogleReceivable), b.Amount)
			add(of(l.shop.payer, ledger.ReturnedSuspense), -b.Amount)
		case b.Status == "processed":
			add(of(l.shop.payer, ledger.GoogleReceivable), b.Amount)
			add(of(l.shop.bank.Name, ledger.RailFee), b.Fees-b.Tax)
			add(of(l.shop.bank.Name, ledger.TaxInput), b.Tax)
		}
	}
}

// cameBack counts the payouts whose money is back: each is a person's business.
func (l *life) cameBack() (n int64) {
	for _, o := range l.outgoings {
		if o.back {
			n++
		}
	}
	return n
}
