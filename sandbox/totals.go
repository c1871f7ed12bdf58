package sandbox

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"naru/core/ledger"
	"naru/core/settlement"
	"naru/sandbox/google"
	"naru/store"
)

// book is one account of the ledger in one currency.
type book struct{ account, currency string }

// earned is what settlements earn us. Where one has no place for VAT it stands in the fee (Korea Cards v1 §6.3), so Google cannot tell the
// two apart.
const earned = "income:fees and tax:output"

// checkBalances compares each balance with what makes it: the payments, what the acquirer kept, paid and corrected, what was settled
// with Google, what was paid out, and what the merchant and its bank wrote down.
func (c *comparison) checkBalances(e evidence, payments map[name]place) {
	want, have := map[book]int64{}, map[book]int64{}
	add := func(k ledger.Kind, owner, currency string, amount int64) {
		want[book{ledger.Account{Kind: k, Owner: owner}.String(), currency}] += amount
	}
	for _, h := range e.books.holds {
		p := payments[name{h.Account, h.RequestID}]
		add(ledger.AcquirerHeld, h.Account, h.Currency, p.held)
		add(ledger.GoogleHeld, h.Account, h.Currency, -p.held)
		add(ledger.AcquirerReceivable, h.Account, h.Currency, p.kept())
		add(ledger.GooglePayable, h.Account, h.Currency, -p.kept())
	}
	e.payoutBalances(add)
	e.merchantBalances(add)
	c.checkHoldings(e)
	for _, r := range e.told() {
		owner, fees := e.owners[r.Merchant], r.Interchange+r.Scheme+r.Acquirer
		add(ledger.AcquirerFee, owner, r.Currency, -fees)
		add(ledger.TaxInput, owner, r.Currency, -r.Tax)
		add(ledger.AcquirerReceivable, owner, r.Currency, fees+r.Tax)
		if to, moved := r.moves(); moved != 0 {
			add(to, owner, r.Currency, -moved)
			add(ledger.AcquirerReceivable, owner, r.Currency, moved)
		}
	}
	for _, s := range e.google.settlements {
		if !s.Complete {
			continue
		}
		for _, v := range s.Events {
			fee, to := minor(v.FeeMicros+v.VATMicros, s.Currency), ledger.Kind(earned)
			if v.Kind == "aggregateAdjustment" {
				fee = minor(v.AdjustmentMicros, s.Currency)
			} else if v.Kind == "miscellaneousAdjustment" {
				fee, to = minor(v.AdjustmentMicros, s.Currency), ledger.AcquirerSuspense
			}
			add(to, s.Account, s.Currency, fee)
			add(ledger.GooglePayable, s.Account, s.Currency, -fee)
		}
	}
	for _, s := range e.books.settlements {
		if s.State == string(settlement.Paid) {
			add(ledger.GooglePayable, s.Account, s.Currency, s.Net)
			add(ledger.BankSettlement, s.Account, s.Currency, -s.Net)
		}
	}
	for _, b := range e.books.balances {
		kind := ledger.Kind(b.Account)
		if kind == ledger.FeeIncome || kind == ledger.TaxOutput {
			kind = earned
		}
		have[book{ledger.Account{Kind: kind, Owner: b.Owner}.String(), b.Currency}] += b.Amount
	}
	for at, amount := range have {
		if amount != want[at] {
			c.problem("%s says %s, it should be %s", at.account, priced(amount, at.currency), priced(want[at], at.currency))
		}
		delete(want, at)
	}
	for at, amount := range want {
		if amount != 0 {
			c.problem("%s is missing, it should be %s", at.account, priced(amount, at.currency))
		}
	}
}

// moves is what a record moves beside payments and fees: what the acquirer owes us more, and which account that is taken from.
func (r hostRecord) moves() (from ledger.Kind, amount int64) {
	switch {
	case r.Type == "ADJ":
		return ledger.AcquirerSuspense, r.Gross
	case r.Type == "REJ":
		return ledger.AcquirerLoss, -r.Amount
	case r.Type == "PAY" && r.Result == "D": // drawn from us
		return ledger.BankSettlement, r.Amount
	case r.Type == "PAY":
		return ledger.BankSettlement, -r.Amount
	}
	return "", 0
}

// checkNumbers compares acquirer reference numbers: what Google was told is what the ledger has is what a file said. What an answer to a
// capture file said stands in no record.
func (c *comparison) checkNumbers(e evidence) {
	atGoogle, inFiles, answers := map[[2]string]map[name]string{captureKey: {}, refundKey: {}}, map[string]string{}, false
	for _, a := range e.google.arns {
		atGoogle[numberKeys[a.Method]][name{a.Account, a.Subject}] = a.Number
	}
	for _, r := range e.told() {
		if r.ARN != "" && (r.Type == "CAP" || r.Type == "REF" || r.Type == "ARN") {
			inFiles[r.RRN] = r.ARN
		}
	}
	for _, f := range e.acquirer.files {
		answers = answers || f.Kind == "PICAPR"
	}
	check := func(of [2]string, n name, rrn, number string) {
		google, file := atGoogle[of][n], inFiles[rrn]
		delete(atGoogle[of], n)
		if google != number || file != number && !(file == "" && answers) {
			c.problem("%s %s has reference number %s at Google, %s in the ledger, %s in the acquirer's files",
				of[1], n.id, cmp.Or(google, "none"), cmp.Or(number, "none"), cmp.Or(file, "none"))
		}
	}
	for _, x := range e.books.captures {
		check(captureKey, name{x.Account, x.RequestID}, x.RRN, x.ARN)
	}
	for _, f := range e.books.refunds {
		check(refundKey, name{f.Account, f.RequestID}, f.RRN, f.ARN)
	}
	for of, left := range atGoogle {
		for n := range left {
			c.problem("Google has a reference number of %s %s, which nobody knows", of[1], n.id)
		}
	}
}

var (
	captureKey = [2]string{captureARN, "capture"}
	refundKey  = [2]string{refundARN, "refund"}
	numberKeys = map[string][2]string{captureARN: captureKey, refundARN: refundKey}
)

// settled is one settlement in the eyes of the two who settle.
type settled struct {
	row      store.SettlementRow
	google   string
	problems []string
}

func (s settled) ledger() string {
	return priced(s.row.Net, s.row.Currency) + " " + strings.ToLower(s.row.State)
}

// checkSettlements compares each settlement: Google has it whole, with the same sum and number of items, and finds nothing wrong with it.
func (c *comparison) checkSettlements(e evidence) {
	known := map[name]google.Settlement{}
	for _, g := range e.google.settlements {
		for _, p := range g.Problems {
			c.problem("Google takes exception to settlement %s: %s", g.ID, p)
		}
		if g.Problems == nil {
			known[name{g.Account, g.ID}] = g
		}
	}
	for _, f := range e.google.files {
		for _, p := range f.Problems {
			if f.SettlementID == "" { // else it was said above
				c.problem("Google takes exception to file %s: %s", f.Name, p)
			}
		}
	}
	for _, own := range e.books.settlements {
		n := name{own.Account, own.ID}
		g, told := known[n]
		delete(known, n)
		s := settled{row: own, google: priced(minor(g.AmountMicros, g.Currency), g.Currency)}
		switch {
		case !told:
			s.google, s.problems = "nothing", []string{"Google knows nothing of it"}
		case !g.Complete:
			s.problems = []string{"Google has not all of it"}
		case g.Currency != own.Currency || minor(g.AmountMicros, g.Currency) != own.Net || int64(len(g.Events)) != own.Items:
			s.problems = []string{"they do not agree"}
		}
		c.settlements = append(c.settlements, s)
	}
	for n := range known {
		c.problem("Google has a settlement %s that the ledger does not know", n.id)
	}
}

// event is something that must be settled once.
type event struct{ account, kind, subject string }

// happening is when Google heard of an event, and what it was about; 0 where it did not ask for it itself.
type happening struct {
	at       time.Time
	micros   int64
	currency string
}

// events is everything that Google was told of and that moved money, as settlements call it (Korea Cards v1 §6.3).
func (e evidence) events() map[event]happening {
	all, size, in := map[event]happening{}, map[name]int64{}, map[name]string{}
	for _, x := range e.google.exchanges {
		if x.Status >= 400 && x.Status < 500 { // such as other content under the same id: it never happened
			continue
		}
		n := name{x.Account, x.RequestID}
		in[n] = cmp.Or(x.Currency, in[name{x.Account, x.Reservation}], in[name{x.Account, x.Capture}])
		if x.Method == captureOf || x.Method == refundOf {
			size[n] = cmp.Or(x.AmountMicros, size[n])
		}
		sold := event{x.Account, "captureEvent", x.RequestID} // its answer is its verdict
		if _, known := all[sold]; x.Method == sale && x.Status == http.StatusOK && x.Result == "SUCCESS" && !known {
			all[sold] = happening{x.At, x.AmountMicros, x.Currency}
		}
	}
	for _, v := range e.google.verdicts {
		n := name{v.Account, v.Subject}
		switch {
		case v.Result != "SUCCESS":
		case v.Method == captureEnd:
			all[event{v.Account, "captureEvent", v.Subject}] = happening{v.At, size[n], in[n]}
		case v.Method == refundEnd:
			all[event{v.Account, "refundEvent", v.Subject}] = happening{v.At, -size[n], in[n]}
		}
	}
	for _, f := range e.google.refunds {
		if f.ReversedMicros > 0 {
			n := name{f.Account, f.Capture}
			all[event{f.Account, "reverseRefundEvent", f.RequestID}] = happening{e.google.heard(f), f.ReversedMicros, in[n]}
		}
	}
	for _, d := range e.google.disputes {
		n := name{d.Account, d.Capture}
		switch d.Method {
		case chargedBack:
			all[event{d.Account, "chargebackEvent", d.RequestID}] = happening{d.At, -d.AmountMicros, in[n]}
		case wonBack:
			all[event{d.Account, "reverseChargebackEvent", d.RequestID}] = happening{d.At, d.AmountMicros, in[n]}
		}
	}
	return all
}

// heard is when Google last heard that a refund came back.
func (k knowledge) heard(f google.Refund) (at time.Time) {
	for _, m := range k.received {
		if m.Method == refundBack && m.PIAID == f.Account && m.Body["refundRequestId"] == f.RequestID {
			at = m.At
		}
	}
	return at
}

// checkEvents looks for every event in the settlements: once, with its own money, and no later than in that of its period. What was told
// after the end of the last period may wait for the next.
func (c *comparison) checkEvents(e evidence, payments map[name]place) {
	happened, ends, times := e.events(), map[string]time.Time{}, map[event]int{}
	for _, s := range e.google.settlements {
		if !s.Complete {
			continue
		}
		if s.End.After(ends[s.Account]) {
			ends[s.Account] = s.End
		}
		for _, v := range s.Events {
			k := event{s.Account, v.Kind, v.Subject}
			what, ok := happened[k]
			switch times[k]++; {
			case v.Subject == "": // an adjustment
			case v.Kind == "fundsReservationEvent":
				if p, known := payments[name{k.account, k.subject}]; !known || p.booked != 0 {
					c.problem("settlement %s charges for the hold %s, which is none or became a payment", s.ID, k.subject)
				}
			case !ok:
				c.problem("settlement %s has a %s of %s, which never happened", s.ID, k.kind, k.subject)
			case what.micros != 0 && v.ChargeMicros != what.micros, what.currency != "" && what.currency != s.Currency:
				in := cmp.Or(what.currency, s.Currency)
				c.problem("settlement %s has %s for the %s of %s, it was %s", s.ID, priced(minor(v.ChargeMicros, s.Currency), s.Currency),
					k.kind, k.subject, priced(minor(what.micros, in), in))
			}
		}
	}
	for k, n := range times {
		if k.subject != "" && n > 1 {
			c.problem("the %s of %s is settled %d times", k.kind, k.subject, n)
		}
	}
	for _, k := range slices.Collect(maps.Keys(happened)) {
		if times[k] == 0 && happened[k].at.Before(ends[k.account]) {
			c.problem("no settlement has the %s of %s", k.kind, k.subject)
		}
	}
}

// checkTotals: a business day whose totals the acquirer has otherwise is before a person.
func (c *comparison) checkTotals(e evidence) {
	differ, seen := 0, 0
	for _, m := range e.acquirer.messages {
		if m.MTI == "0510" && m.DE39 == "95" && !m.Repeated {
			differ++
		}
	}
	for _, k := range e.books.cases {
		if k.Kind == "totals-differ" {
			seen++
		}
	}
	if differ > seen {
		c.problem("the acquirer has other totals on %d days, and only %d are before a person", differ, seen)
	}
}
