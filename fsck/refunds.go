package fsck

import (
	"database/sql"
	"fmt"
	"slices"

	"naru/core/money"
	"naru/core/payment"
	"naru/core/settlement"
)

type refund struct {
	id, account, request string
	state                payment.RefundState
	currency             string
	amount, returned     int64
	reason               payment.RefundReason
	attempt              string // the present one; empty where the network is not asked
	rrn, arn, day        string
	createdUS            int64
	doneUS, backUS       sql.NullInt64

	now          payment.Refund // where the events that were told so far lead
	lost, undone int            // how often an order to pay had to be undone, and how often it was
}

func (f *refund) columns() []any {
	return []any{
		&f.id, &f.account, &f.request, &f.state, &f.currency, &f.amount, &f.returned, &f.reason, &f.attempt, &f.rrn, &f.arn, &f.day, &f.createdUS,
		&f.doneUS, &f.backUS,
	}
}

// begin readies refunds and disputes for their events.
func (p *life) begin(in money.Currency) {
	for i := range p.refunds {
		f := &p.refunds[i]
		f.now = payment.Refund{ID: f.id, Account: p.account, Amount: money.New(f.amount, in), Returned: money.New(f.returned, in)}
	}
	for i := range p.disputes {
		d := &p.disputes[i]
		d.now = payment.Dispute{
			ID: d.id, Account: p.account, Stage: d.stage, State: payment.DisputeNone, Amount: money.New(d.amount, in), Won: money.New(d.won, in),
		}
	}
}

// refundStep is an event of a refund (Korea Cards v1 §9.2).
func (p *life) refundStep(e event, id string) (out effect, err error) {
	at := slices.IndexFunc(p.refunds, func(f refund) bool { return f.id == id })
	if at < 0 || p.now.State != payment.Captured {
		return out, fmt.Errorf("is of the refund %s, which there is not or cannot be", id)
	}
	f := &p.refunds[at]
	switch ev := payment.RefundEvent(e.event); {
	case f.now.State == "" && ev == payment.RefundAsk:
		if out.wrong = e.agrees("amount", f.now.Amount.String()); e.atUS != f.createdUS {
			out.wrong = "asks at another time than the refund says"
		}
		f.now.State = payment.RefundPending
	case e.event == "refund-undo" && f.now.State == payment.RefundPending && f.lost == f.undone:
		f.lost++
	case e.event == "refund-undone" && f.lost == f.undone+1:
		f.undone++
	case f.lost != f.undone:
		return out, fmt.Errorf("cannot %s while its order to pay is being undone", e.event)
	case !f.now.Amount.IsPositive(), ev == payment.RefundReturn && !f.now.Returned.IsPositive():
		return out, fmt.Errorf("moves nothing")
	default:
		if f.now, out.moved, err = f.now.After(ev); err != nil {
			return out, err
		}
		ended := f.doneUS
		switch ev {
		case payment.RefundBook:
			out.item = due(settlement.Refund, f.request, f.id, "", -f.amount)
		case payment.RefundReturn:
			ended, out.wrong = f.backUS, e.agrees("amount", f.now.Returned.String())
			out.item = due(settlement.ReverseRefund, f.request, f.id, "", f.returned)
		case payment.RefundFail:
			out.wrong = e.agrees("why", string(f.reason))
		}
		if ended.Int64 != e.atUS {
			out.wrong = e.event + " at another time than the refund says"
		}
	}
	out.state = string(f.now.State)
	return out, nil
}

// refundFits says where the present attempt of a refund may stand; empty is none.
var refundFits = map[payment.RefundState][]payment.AttemptState{
	payment.RefundPending:  {payment.AttemptPrepared, payment.AttemptReversing},
	payment.Refunded:       {payment.AttemptBooked},
	payment.RefundReversed: {payment.AttemptBooked},
	payment.RefundFailed:   {payment.AttemptDeclined, payment.AttemptVoid, payment.AttemptReversed, ""}, // undone, and not to be repeated
}

// refundTold is what the network must have heard of each attempt to pay: the order, and what undoes it.
var refundTold = map[payment.AttemptState]struct{ order, reversal told }{
	payment.AttemptPrepared:  {waiting, never},
	payment.AttemptReversing: {closed, waiting},
	payment.AttemptReversed:  {closed, closed},
	payment.AttemptBooked:    {closed, never},
	payment.AttemptDeclined:  {closed, never},
	payment.AttemptVoid:      {closed, never}, // withdrawn before it left
}

// refunds checks that refunds give back no more than was captured, and that what each claims of the network is so.
func (x *run) refunds(p *life) {
	taken := int64(0)
	for _, f := range p.refunds {
		x.did("refunds")
		bad := func(problem string, args ...any) { x.bad("refunds", "refund", f.id, problem, args...) }
		if f.state != payment.RefundFailed {
			taken += f.amount - f.returned
		}
		if f.now.State != f.state {
			x.bad("states", "refund", f.id, "is %s and its events lead to %q", f.state, f.now.State)
		}
		if f.account != p.account || f.currency != p.currency || f.amount <= 0 || f.returned < 0 || f.returned > f.amount {
			bad("is not of the account, the currency or the size of its payment")
		}
		paid := f.state == payment.Refunded || f.state == payment.RefundReversed
		if !paid && f.arn != "" || paid != (f.day != "") || !arnLike(f.arn) {
			bad("is %s, with the reference number %q and the business day %q", f.state, f.arn, f.day)
		}
		x.refundAttempts(p, f)
	}
	if len(p.refunds) > 0 && taken > p.captured {
		x.bad("refunds", "reservation", p.id, "moved %d, and %d of it is given back", p.captured, taken)
	}
}

func (x *run) refundAttempts(p *life, f refund) {
	var present attempt
	lost, undone := 0, 0
	for _, a := range p.attempts {
		if a.refund != f.id {
			continue
		}
		must, fits := refundTold[a.state]
		switch {
		case a.id == f.attempt:
			present = a
		case a.state != payment.AttemptReversed:
			x.bad("refunds", "attempt", a.id, "is %s, and may pay the refund beside the attempt that came after it", a.state)
		}
		if !fits {
			x.bad("refunds", "attempt", a.id, "is to pay a refund and is %s", a.state)
			continue
		}
		if a.state == payment.AttemptReversing || a.state == payment.AttemptReversed {
			lost++
		}
		if a.state == payment.AttemptReversed {
			undone++
		}
		x.told(p, a, payment.RefundOrder, must.order)
		x.told(p, a, payment.Reversal, must.reversal)
	}
	if want := refundFits[f.state]; !slices.Contains(want, present.state) {
		x.bad("refunds", "refund", f.id, "is %s and its attempt is %s, not %s", f.state, list([]payment.AttemptState{present.state}), list(want))
	}
	if lost != f.lost || undone != f.undone {
		x.bad("refunds", "refund", f.id, "was undone %d of %d times by its events, and %d of %d times by its attempts",
			f.undone, f.lost, undone, lost)
	}
	if f.rrn != present.rrn {
		x.bad("refunds", "refund", f.id, "has the reference %s, and its attempt has %s", f.rrn, present.rrn)
	}
}

// arnLike reports whether a text is an acquirer reference number, 23 digits, or none.
func arnLike(s string) bool {
	for _, c := range s {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(s) == 0 || len(s) == 23
}
