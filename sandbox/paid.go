package sandbox

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"
	"text/tabwriter"

	"naru/core/ledger"
	"naru/core/payout"
	"naru/sandbox/google"
	"naru/store"
)

// moved is money on its way out, in minor units: credited, come back after that, and such as may still be credited.
type moved struct{ paid, back, open int64 }

func (m moved) in(currency string) string {
	var parts []string
	for _, part := range []struct {
		word   string
		amount int64
	}{{"paid", m.paid}, {"came back", m.back}, {"open", m.open}} {
		if part.amount != 0 {
			parts = append(parts, part.word+" "+figures(part.amount, currency))
		}
	}
	if parts == nil {
		return "nothing"
	}
	return strings.Join(parts, ", ")
}

// paidOut is one payout in everybody's eyes. Google knows the result, and never that money came back.
type paidOut struct {
	id           name
	amount       int64
	currency     string
	google       string
	ledger, bank moved
	problems     []string
}

// payoutWords are refusals in Google's words (disburse v1 §4.3).
var payoutWords = map[payout.Reason]string{
	payout.BelowLimit:   "DISBURSEMENT_UNDER_TRANSACTION_LIMIT",
	payout.AboveLimit:   "DISBURSEMENT_EXCEEDS_TRANSACTION_LIMIT",
	payout.Closed:       "ACCOUNT_CLOSED",
	payout.OnHold:       "ACCOUNT_ON_HOLD",
	payout.ClosedFraud:  "ACCOUNT_CLOSED_FRAUD",
	payout.ClosedStolen: "ACCOUNT_CLOSED_ACCOUNT_TAKEN_OVER",
}

// checkPayouts holds the three records of each payout against each other: what Google was told for ever is what the books say, and the bank
// paid it as often. A payout that Google did not send itself is compared between the books and the bank only.
func (c *comparison) checkPayouts(e evidence) {
	atBank := c.paidAtBank(e)
	rest := map[name]store.PayoutRow{}
	for _, p := range e.books.payouts {
		rest[name{p.Account, p.RequestID}] = p
	}
	for _, x := range e.asked(payOut) {
		n := name{x.Account, x.RequestID}
		row, known := rest[n]
		delete(rest, n)
		p := paidOut{
			id: n, amount: minor(x.AmountMicros, x.Currency), currency: x.Currency, ledger: inLedger(row), bank: atBank[row.Payout],
		}
		p.google, p.problems = e.resultAtGoogle(x, row, known)
		if p.ledger != p.bank {
			p.problems = append(p.problems, "they do not agree")
		}
		c.payouts = append(c.payouts, p)
	}
	for n, row := range rest {
		if in, at := inLedger(row), atBank[row.Payout]; in != at {
			c.problem("%s %s: the ledger %s, the payout bank %s", n.account, n.id, in.in(row.Currency), at.in(row.Currency))
		}
	}
}

func inLedger(p store.PayoutRow) moved {
	switch payout.State(p.State) {
	case "", payout.Refused:
		return moved{}
	case payout.Paid:
		return moved{paid: p.Amount}
	case payout.Returned:
		return moved{paid: p.Amount, back: p.Amount}
	}
	return moved{open: p.Amount}
}

// paidAtBank is what the bank did for each payout, in as many orders as there were. That it paid two of them shows in the sum; one that is
// nobody's is a problem of its own.
func (c *comparison) paidAtBank(e evidence) map[string]moved {
	at, ids := map[string]moved{}, map[string]string{}
	for _, p := range e.books.payouts {
		ids[root(p.Payout)] = p.Payout
	}
	for _, b := range e.bank.payouts {
		id, known := ids[rootOf(b.Reference)]
		if !known {
			c.problem("the payout bank has a payout of %s under %s, which belongs to none of ours", priced(b.Amount, "INR"), b.Reference)
			continue
		}
		m := at[id]
		switch {
		case b.was("processed") && b.Status == "reversed":
			m.paid, m.back = m.paid+b.Amount, m.back+b.Amount
		case b.was("processed"):
			m.paid += b.Amount
		case b.open():
			m.open += b.Amount
		}
		at[id] = m
	}
	return at
}

// open tells whether the bank may still pay it.
func (p bankPayout) open() bool {
	switch p.Status {
	case "pending", "queued", "scheduled", "processing":
		return true
	}
	return false
}

// resultAtGoogle is the result that Google was told, and what is wrong with it. There is one as soon as the books have it, and none before.
func (e evidence) resultAtGoogle(x google.Exchange, row store.PayoutRow, known bool) (string, []string) {
	j := e.job(x)
	problems := j.problems
	answered := j.exchange.Status == http.StatusOK
	want := ""
	switch s := payout.State(row.State); {
	case known && s == payout.Refused:
		want = cmp.Or(payoutWords[payout.Reason(row.Reason)], "a refusal without a reason")
	case known && s.Final():
		want = "SUCCESS"
	}
	word := j.verdict
	if answered {
		word = j.exchange.Result
	}
	switch {
	case answered && j.verdict != "" && j.verdict != word:
		problems = append(problems, "Google was answered "+word+" and told "+j.verdict)
	case word != want:
		problems = append(problems, fmt.Sprintf("Google was told %s, the books say %s", cmp.Or(word, "nothing"), cmp.Or(want, "nothing")))
	}
	if known && row.Amount != minor(x.AmountMicros, x.Currency) {
		problems = append(problems, "the books have "+priced(row.Amount, row.Currency))
	}
	if answered && j.exchange.OwnID != row.Payout {
		problems = append(problems, "Google knows it by another id")
	}
	return cmp.Or(word, "nothing"), problems
}

// payoutBalances is what payouts should come to in the books: what Google owes us and what is in suspense by the payouts; float, fees and
// tax by what the bank did. A payout that came back brought its fees back.
func (e evidence) payoutBalances(add func(k ledger.Kind, owner, currency string, amount int64)) {
	for _, p := range e.books.payouts {
		m := inLedger(p)
		add(ledger.GoogleReceivable, p.Account, p.Currency, m.paid+m.open)
		add(ledger.PayoutInFlight, p.Account, p.Currency, -m.open)
		add(ledger.ReturnedSuspense, p.Account, p.Currency, -m.back)
	}
	undecided := map[string]bool{}
	for _, p := range e.bank.payouts {
		undecided[p.ID] = p.open()
		if p.was("processed") && p.Status != "reversed" {
			add(ledger.RailFee, payoutBank, "INR", p.Fees-p.Tax)
			add(ledger.TaxInput, payoutBank, "INR", p.Tax)
		}
	}
	for _, l := range e.bank.lines {
		if !undecided[l.Payout] {
			add(ledger.PayoutFloat, payoutBank, "INR", l.Amount)
		}
		if l.Kind == "bank_transfer" {
			add(ledger.BankSettlement, payoutBank, "INR", -l.Amount)
		}
	}
}

func (c comparison) printPayouts(t *tabwriter.Writer) error {
	if len(c.payouts) > 0 {
		fmt.Fprintln(t, "\n  account\tpayout\tamount\tGoogle\tledger\tpayout bank\t")
	}
	for _, p := range c.payouts {
		bank := "the same"
		if p.bank != p.ledger {
			bank = p.bank.in(p.currency)
		}
		fmt.Fprintf(t, "  %s\t%s\t%s\t%s\t%s\t%s\t%s\n", p.id.account, p.id.id, priced(p.amount, p.currency), p.google,
			p.ledger.in(p.currency), bank, verdictOn(p.problems))
	}
	return t.Flush()
}
