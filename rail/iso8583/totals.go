package iso8583

import (
	"context"
	"fmt"
	"strconv"

	"naru/core/payment"
)

// figures is where the totals of a day stand in a 0500 and its 0510 (rails §1.7).
func figures(t *payment.DayTotals) map[int]*int64 {
	return map[int]*int64{
		74: &t.Credits, 75: &t.CreditsReversed, 76: &t.Debits, 77: &t.DebitsReversed,
		86: &t.CreditSum, 87: &t.CreditRevSum, 88: &t.DebitSum, 89: &t.DebitReverseSum,
	}
}

// Reconcile tells the host our totals of one of its business days, and waits as long as for an advice. Silence books nothing and
// loosens nothing: the same totals are told again, with the same trace.
func (a *Acquirer) Reconcile(ctx context.Context, t payment.DayTotals, trace payment.Trace, repeat bool) payment.TotalsReply {
	m, err := a.codec.totals(t, trace, repeat)
	if err != nil {
		a.cfg.Log.ErrorContext(ctx, "day totals cannot be encoded", "profile", a.cfg.Profile.Name, "day", t.Day, "err", err)
		return payment.TotalsReply{}
	}
	answer, err := a.send(ctx, m, a.codec.profile.Timeouts.Advice.Duration, owed)
	if err != nil {
		return payment.TotalsReply{}
	}
	return totalsReply(t, m, answer)
}

// totals is the 0500, or the 0501 that repeats it.
func (c codec) totals(t payment.DayTotals, trace payment.Trace, repeat bool) (*Message, error) {
	mti := "0500"
	if repeat && c.profile.RepeatMTI {
		mti = "0501"
	}
	if len(t.Day) != len(yyyymmdd) {
		return nil, &FieldError{15, "a day is YYYYMMDD"}
	}
	m := NewMessage(mti).Set(7, trace.At.UTC().Format(timeOfDE7)).Set(11, trace.STAN).Set(15, t.Day[4:]).Set(50, t.Currency.Numeric()).
		Set(97, netOf(t)).Set(99, c.contract.Institution)
	for de, n := range figures(&t) {
		m.Set(de, fmt.Sprintf("%0*d", elementOf(de).length, *n))
	}
	return m, complete(m)
}

// netOf is DE97 in the reading of rails §1.8: what the cardholders got less what they paid.
func netOf(t payment.DayTotals) string {
	n := t.CreditSum + t.DebitReverseSum - t.DebitSum - t.CreditRevSum
	if n < 0 {
		return fmt.Sprintf("D%016d", -n)
	}
	return fmt.Sprintf("C%016d", n)
}

// totalsReply reads a 0510 (rails §1.16). One about another day, currency or institution decides nothing.
func totalsReply(t payment.DayTotals, request, answer *Message) payment.TotalsReply {
	code := answer.Get(39)
	if elementOf(39).refuses(code) != "" {
		return payment.TotalsReply{}
	}
	r := payment.TotalsReply{Code: code}
	for _, de := range []int{15, 50, 99} {
		if answer.Has(de) && answer.Get(de) != request.Get(de) {
			return r
		}
	}
	switch {
	case answer.Get(66) == "2" || code == "95":
		r.Verdict, r.Host = payment.TotalsBreak, hostTotals(t, answer)
	case answer.Get(66) == "1" && code == "00":
		r.Verdict = payment.TotalsAgreed
	}
	return r
}

// hostTotals are the host's own figures. One that leaves out any of them has said nothing that can be compared.
func hostTotals(t payment.DayTotals, answer *Message) payment.DayTotals {
	own := payment.DayTotals{Day: t.Day, Currency: t.Currency}
	for de, n := range figures(&own) {
		var err error
		if *n, err = strconv.ParseInt(answer.Get(de), 10, 64); err != nil || elementOf(de).refuses(answer.Get(de)) != "" {
			return payment.DayTotals{}
		}
	}
	return own
}
