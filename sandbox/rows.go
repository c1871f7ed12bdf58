package sandbox

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"text/tabwriter"

	"naru/core/money"
	"naru/core/payment"
	"naru/sandbox/google"
	"naru/store"
)

// place is where the money of a payment is in somebody's eyes, in minor units of its currency.
type place struct{ held, booked, refunded, returned, charged, won int64 }

func (p place) in(currency string) string {
	var parts []string
	for _, part := range []struct {
		word   string
		amount int64
	}{
		{"holds", p.held}, {"booked", p.booked}, {"refunded", p.refunded}, {"returned", p.returned}, {"charged back", p.charged}, {"won", p.won},
	} {
		if part.amount != 0 {
			parts = append(parts, part.word+" "+figures(part.amount, currency))
		}
	}
	if parts == nil {
		return "nothing"
	}
	return strings.Join(parts, ", ")
}

func (p place) plus(q place) place {
	return place{p.held + q.held, p.booked + q.booked, p.refunded + q.refunded, p.returned + q.returned, p.charged + q.charged, p.won + q.won}
}

// kept is what is left of what was booked.
func (p place) kept() int64 { return p.booked - p.refunded + p.returned - p.charged + p.won }

// name is what Google calls a request: its account and its id.
type name struct{ account, id string }

// row is one payment, or one check of a card, in everybody's eyes.
type row struct {
	id                       google.Exchange // the reservation, or the sale
	google, ledger, acquirer place
	problems                 []string
}

// comparison is what a look at all the evidence came to.
type comparison struct {
	rows        []row
	payouts     []paidOut
	deposits    []paidIn
	transfers   []sentOut
	settlements []settled
	problems    []string // beside those of a row
}

func (c comparison) agrees() bool {
	return len(c.problems) == 0 && !slices.ContainsFunc(c.rows, func(r row) bool { return len(r.problems) > 0 }) &&
		!slices.ContainsFunc(c.payouts, func(p paidOut) bool { return len(p.problems) > 0 }) &&
		!slices.ContainsFunc(c.deposits, func(p paidIn) bool { return len(p.problems) > 0 }) &&
		!slices.ContainsFunc(c.transfers, func(p sentOut) bool { return len(p.problems) > 0 }) &&
		!slices.ContainsFunc(c.settlements, func(s settled) bool { return len(s.problems) > 0 })
}

func (c comparison) String() string {
	return fmt.Sprintf("%d payments, %d payouts, %d deposit orders, %d merchant payouts, %d settlements",
		len(c.rows), len(c.payouts), len(c.deposits), len(c.transfers), len(c.settlements))
}

func (c *comparison) problem(format string, args ...any) {
	c.problems = append(c.problems, fmt.Sprintf(format, args...))
}

// compare holds the three records against each other (rails §5: I1, I2, I3). Payments that Google did not send itself are compared between
// the ledger and the acquirer only.
func compare(e evidence) (c comparison) {
	inBooks := e.inBooks()
	atHost := c.atHost(e)
	rest := map[name]store.Hold{}
	for _, h := range e.books.holds {
		rest[name{h.Account, h.RequestID}] = h
	}
	for _, id := range e.payments() {
		n := name{id.Account, id.RequestID}
		r := row{id: id, ledger: inBooks[n], acquirer: atHost[n]}
		if id.Currency == "" { // a card check names none
			r.id.Currency = rest[n].Currency
		}
		r.google, r.problems = e.atGoogle(r.id, r.ledger)
		delete(rest, n)
		if r.google != r.ledger || r.ledger != r.acquirer { // I1; with nothing at Google, I2
			r.problems = append(r.problems, "they do not agree")
		}
		c.rows = append(c.rows, r)
	}
	for n := range rest {
		if inBooks[n] != atHost[n] {
			in := rest[n].Currency
			c.problem("%s %s: the ledger %s, the acquirer %s", n.account, n.id, inBooks[n].in(in), atHost[n].in(in))
		}
	}
	c.checkPayouts(e)
	c.checkDeposits(e)
	c.checkCredits(e)
	c.checkTransfers(e)
	c.checkBalances(e, inBooks)
	c.checkNumbers(e)
	c.checkSettlements(e)
	c.checkEvents(e, inBooks)
	c.checkTotals(e)
	slices.Sort(c.problems)
	return c
}

// inBooks is where the ledger has the money of each reservation.
func (e evidence) inBooks() map[name]place {
	at := map[name]place{}
	for _, h := range e.books.holds {
		p := place{booked: h.Captured}
		if h.Held {
			p.held = h.Amount
		}
		at[name{h.Account, h.RequestID}] = p
	}
	of := e.reservations()
	add := func(account, capture string, p place) {
		n := of[name{account, capture}]
		at[n] = at[n].plus(p)
	}
	for _, f := range e.books.refunds {
		if f.State == string(payment.Refunded) || f.State == string(payment.RefundReversed) {
			add(f.Account, f.CaptureRequestID, place{refunded: f.Amount, returned: f.Returned})
		}
	}
	for _, d := range e.books.disputes {
		if d.Stage != string(payment.Inquiry) {
			add(d.Account, d.CaptureRequestID, place{charged: d.Amount, won: d.Won})
		}
	}
	return at
}

// reservations names the reservation of each capture.
func (e evidence) reservations() map[name]name {
	of := map[name]name{}
	for _, x := range e.books.captures {
		of[name{x.Account, x.RequestID}] = name{x.Account, x.ReservationRequestID}
	}
	return of
}

// atHost is where the acquirer has it. What it has under a number that nobody knows is a problem of its own. A capture that it refuses in
// clearing stays booked here, as Google was told: the loss is the integrator's, and stands in its balances.
func (c *comparison) atHost(e evidence) map[name]place {
	at, of := map[name]place{}, e.reservations()
	type party struct {
		name
		currency string
	}
	payments, refunds := map[string]party{}, map[string]party{} // by RRN
	for _, h := range e.books.holds {
		payments[h.RRN] = party{name{h.Account, h.RequestID}, h.Currency}
	}
	for _, f := range e.books.refunds {
		refunds[f.RRN] = party{of[name{f.Account, f.CaptureRequestID}], f.Currency}
	}
	add := func(rrn, currency string, known map[string]party, p place) {
		n, ok := known[rrn]
		switch {
		case p == (place{}):
		case !ok:
			c.problem("the acquirer %s %s under RRN %s, which belongs to no payment", p.in(currency), currency, rrn)
		case n.currency != currency:
			c.problem("%s %s is in %s, at the acquirer in %s", n.account, n.id, n.currency, currency)
		}
		at[n.name] = at[n.name].plus(p)
	}
	for _, h := range e.acquirer.holds {
		if h.State == "open" {
			add(h.RRN, letters(h.Currency), payments, place{held: h.Amount})
		}
	}
	for _, b := range e.acquirer.bookings {
		switch {
		case b.Undone:
		case b.Kind == "refund":
			add(b.RRN, letters(b.Currency), refunds, place{refunded: b.Amount})
		default: // a capture, or a sale
			add(b.RRN, letters(b.Currency), payments, place{booked: b.Amount})
		}
	}
	for _, d := range e.acquirer.disputes {
		if len(d.Told) > 0 && !e.excepted(d.Event) && !(d.STAN != "" && e.excepted(d.Sent+"-"+d.STAN)) {
			add(d.RRN, letters(d.Currency), payments, place{charged: d.Amount})
		}
	}
	for _, r := range e.told() {
		switch r.Type {
		case "RRF":
			add(r.RRN, r.Currency, refunds, place{returned: r.Gross})
		case "CBR":
			add(r.RRN, r.Currency, payments, place{won: r.Gross})
		}
	}
	return at
}

// letters is a currency by name, which the acquirer has by number (DE49); what is none stays as it is.
func letters(numeric string) string {
	for _, code := range contracted() {
		if money.Of(code).Numeric() == numeric {
			return code
		}
	}
	return numeric
}

// The methods of Google that the comparison knows (Korea Cards v1 §4, §5; Card FOP v1 §4, §5; disburse v1 §4, §5).
const (
	reserve     = "reserveFunds"
	sale        = "capture" // in one message: Card FOP v1 §4.4
	payOut      = "disburseFunds"
	payOutEnd   = "disburseFundsResultNotification"
	captureOf   = "asynchronousCaptureFundsReservation"
	cancelOf    = "asynchronousCancelFundsReservation"
	refundOf    = "asynchronousRefund"
	defendOf    = "defendChargeback"
	checkLeast  = "verifyCardWithMinimumReservation"
	checkZero   = "verifyCardWithZeroAmount"
	captureEnd  = "captureFundsReservationResultNotification"
	cancelEnd   = "cancelFundsReservationResultNotification"
	refundEnd   = "refundResultNotification"
	refundBack  = "reverseRefundNotification"
	inquired    = "inquiryNotification"
	chargedBack = "chargebackNotification"
	wonBack     = "chargebackReversedNotification"
	fraudTold   = "fraudNotification"
	settledTold = "settlementNotification"
	captureARN  = "setAcquirerReferenceNumberForCaptureNotification"
	refundARN   = "setAcquirerReferenceNumberForRefundNotification"
)

// payments are what moves money of cards, or checks one.
func (e evidence) payments() []google.Exchange { return e.asked(reserve, sale, checkLeast, checkZero) }

// asked is the first time that each request of these methods was sent, oldest first.
func (e evidence) asked(methods ...string) (list []google.Exchange) {
	seen := map[name]bool{}
	for _, x := range e.google.exchanges {
		n := name{x.Account, x.RequestID}
		if slices.Contains(methods, x.Method) && !seen[n] {
			seen[n], list = true, append(list, x)
		}
	}
	return list
}

// job is one request id and all that was said about it.
type job struct {
	exchange google.Exchange // the first that got a 200, else the last
	verdict  string
	problems []string
}

// job gathers the copies of one request: they must have one answer between them (gsp-core §4.1). The same id sent to another method is
// another request, which is refused.
func (e evidence) job(of google.Exchange) (j job) {
	for _, x := range e.google.exchanges {
		switch {
		case x.Account != of.Account || x.RequestID != of.RequestID || x.Method != of.Method:
		case x.Status == http.StatusOK && j.exchange.Status == http.StatusOK && x.Digest != j.exchange.Digest:
			j.problems = append(j.problems, of.RequestID+" got two answers")
		case j.exchange.Status != http.StatusOK:
			j.exchange = x
		}
	}
	for _, v := range e.google.verdicts {
		if v.Account == of.Account && v.Subject == of.RequestID {
			j.verdict = v.Result
		}
	}
	return j
}

// atGoogle is what Google must believe of a reservation or a sale, from what it was told and nothing else. How much a check of a card
// holds, and for how long, it is never told: until it cancels, that is what the ledger says.
func (e evidence) atGoogle(id google.Exchange, ledger place) (p place, problems []string) {
	reserved := e.job(id)
	problems = reserved.problems
	approved := reserved.exchange.Status == http.StatusOK && reserved.exchange.Result == "SUCCESS"
	ended := !reserved.exchange.HeldUntil.After(e.now) && id.Method == reserve
	seen, captured, captures := map[string]bool{}, map[string]bool{id.RequestID: id.Method == sale}, 0
	if id.Method == sale && approved {
		p.booked = minor(reserved.exchange.AmountMicros, id.Currency)
	}
	if id.Method == sale && reserved.verdict != "" { // Card FOP v1 §4.4
		problems = append(problems, "a verdict on "+id.RequestID+", whose answer was one")
	}
	for _, x := range e.google.exchanges {
		if x.Account != id.Account || x.Reservation != id.RequestID && !captured[x.Capture] || seen[x.RequestID+x.Method] {
			continue
		}
		seen[x.RequestID+x.Method] = true
		j := e.job(x)
		problems = append(problems, j.problems...)
		if x.Method == defendOf { // answered at once, and moves nothing
			continue
		}
		taken := j.exchange.Status == http.StatusOK
		switch {
		case taken && j.verdict == "":
			problems = append(problems, "no verdict on "+x.RequestID)
		case !taken && j.verdict != "" && j.exchange.Status >= 400 && j.exchange.Status < 500:
			problems = append(problems, "a verdict on "+x.RequestID+", which was refused")
		}
		if !taken && j.verdict == "" {
			continue
		}
		amount := minor(j.exchange.AmountMicros, id.Currency)
		switch x.Method {
		case cancelOf:
			ended = true
		case captureOf:
			if captures++; captures > 1 {
				problems = append(problems, "a second capture, "+x.RequestID+", was accepted")
			}
			ended, captured[x.RequestID] = true, true
			if j.verdict == "SUCCESS" {
				p.booked += amount
			}
		case refundOf:
			if j.verdict == "SUCCESS" {
				p.refunded += amount
			}
		}
	}
	for _, f := range e.google.refunds {
		if f.Account == id.Account && captured[f.Capture] {
			p.returned += minor(f.ReversedMicros, id.Currency)
		}
	}
	for _, d := range e.google.disputes {
		switch amount := minor(d.AmountMicros, id.Currency); {
		case d.Account != id.Account || !captured[d.Capture]:
		case d.Method == chargedBack:
			p.charged += amount
		case d.Method == wonBack:
			p.won += amount
		}
	}
	switch {
	case !approved || ended || id.Method == checkZero || id.Method == sale:
	case id.Method == checkLeast:
		p.held = ledger.held
	default:
		p.held = minor(reserved.exchange.AmountMicros, id.Currency)
	}
	return p, problems
}

func minor(micros int64, currency string) int64 {
	c, ok := money.Lookup(currency)
	if !ok {
		return 0
	}
	a, err := money.FromMicros(micros, c)
	if err != nil {
		return 0
	}
	return a.Minor()
}

// print writes the tables, and below them what is wrong.
func (c comparison) print(out io.Writer) error {
	t := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(t, "  account\trequest\tamount\tGoogle\tledger\tacquirer\t")
	for _, r := range c.rows {
		in := r.id.Currency
		amount := priced(minor(r.id.AmountMicros, in), in)
		if r.id.Method == checkLeast || r.id.Method == checkZero {
			amount = "check"
		}
		fmt.Fprintf(t, "  %s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.id.Account, r.id.RequestID, amount,
			r.google.in(in), same(r.ledger, r.google, in), same(r.acquirer, r.google, in), verdictOn(r.problems))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if err := c.printPayouts(t); err != nil {
		return err
	}
	if err := c.printMerchant(t); err != nil {
		return err
	}
	if len(c.settlements) > 0 {
		fmt.Fprintln(t, "\n  account\tsettlement\titems\tGoogle\tledger\t")
	}
	idle := 0
	for _, s := range c.settlements {
		if s.row.Items == 0 && len(s.problems) == 0 {
			idle++
			continue
		}
		fmt.Fprintf(t, "  %s\t%s\t%d\t%s\t%s\t%s\n", s.row.Account, s.row.ID, s.row.Items, s.google, s.ledger(), verdictOn(s.problems))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if idle > 0 {
		fmt.Fprintf(out, "  and %d of days on which nothing happened\n", idle)
	}
	for _, r := range c.rows {
		for _, p := range r.problems {
			fmt.Fprintf(out, "  %s: %s\n", r.id.RequestID, p)
		}
	}
	for _, s := range c.payouts {
		for _, p := range s.problems {
			fmt.Fprintf(out, "  %s: %s\n", s.id.id, p)
		}
	}
	for _, s := range c.deposits {
		for _, p := range s.problems {
			fmt.Fprintf(out, "  %s: %s\n", s.id, p)
		}
	}
	for _, s := range c.transfers {
		for _, p := range s.problems {
			fmt.Fprintf(out, "  %s: %s\n", s.id, p)
		}
	}
	for _, s := range c.settlements {
		for _, p := range s.problems {
			fmt.Fprintf(out, "  %s: %s\n", s.row.ID, p)
		}
	}
	for _, p := range c.problems {
		fmt.Fprintf(out, "  %s\n", p)
	}
	return nil
}

func same(p, as place, currency string) string {
	if p == as {
		return "the same"
	}
	return p.in(currency)
}

func verdictOn(problems []string) string {
	if len(problems) > 0 {
		return "DIFFER"
	}
	return "agree"
}
