package engine

import (
	"cmp"
	"context"
	"time"

	"naru/core/fault"
	"naru/core/money"
	"naru/core/payment"
	"naru/core/settlement"
	"naru/crash"
)

// Refund takes over the job of giving captured money back and answers at once; the verdict follows as a notice.
//
// What happens to the money when nobody answers: the order to pay is a request of its own, sent once. What may have been paid although
// nobody said so is undone first, and only when the network has confirmed that, the refund is ordered anew (rails §1.10). It stays taken
// from what is left to refund meanwhile.
func (e *Engine) Refund(ctx context.Context, t Turn, ask RefundAsk) ([]byte, error) {
	ctx = context.WithoutCancel(ctx)
	acquirer, err := e.acquirerOfCapture(ctx, ask.Capture)
	if err != nil {
		return nil, err
	}
	now := e.clock.Now()
	_, trace, err := e.trace(ctx, acquirer, now)
	if err != nil {
		return nil, err
	}
	var answer []byte
	err = e.store.Update(ctx, func(tx Tx) error {
		p, err := e.captured(tx, ask.Capture)
		if err != nil {
			return err
		}
		amount, err := ask.Amount(p.capture.Amount.Currency())
		if err != nil {
			return err
		}
		if !amount.IsPositive() {
			return fault.New(fault.Invalid, "the amount is not more than nothing")
		}
		if amount.Exceeds(p.left()) {
			return fault.New(fault.Precondition, "the refund is larger than what is left to refund")
		}
		f := payment.Refund{
			ID: newID(), Account: t.request.Account, RequestID: t.request.RequestID, Payment: p.r.ID, State: payment.RefundPending,
			Amount: amount, Returned: money.New(0, amount.Currency()), At: now,
		}
		c := change{actor: "google", at: now, detail: "amount=" + amount.String()}
		if _, err := e.note(tx, &p.r, refundObject(f), string(payment.RefundAsk), string(f.State), nil, c); err != nil {
			return err
		}
		why := e.refusedAtOnce(p, f, now)
		if why == payment.RefundDone {
			if f, err = e.orderRefund(tx, p, f, trace, now, now); err != nil {
				return err
			}
		} else if err = tx.InsertRefund(f); err == nil {
			_, err = e.failRefund(tx, &p.r, f, why, "", change{actor: "clock", at: now})
		}
		if err != nil {
			return err
		}
		if answer, err = ask.Encode(f.ID); err != nil {
			return err
		}
		return e.open(tx, t, now, answer)
	})
	if err != nil {
		return nil, unavailable(err)
	}
	e.crash(crash.RefundAccepted)
	e.Advices.Ring()
	e.Notices.Ring()
	return answer, nil
}

func refundObject(f payment.Refund) string { return "refund/" + f.ID }

// A taken payment is a captured reservation with all that was taken back of it.
type taken struct {
	r        payment.Reservation
	capture  Capture
	refunds  []payment.Refund
	disputes []payment.Dispute
}

// left is what can still be refunded: pending refunds count, failed and reversed ones do not (Korea Cards v1 §4.4).
func (p taken) left() money.Amount {
	left := p.capture.Amount
	for _, f := range p.refunds {
		left = left.Less(f.Taken())
	}
	return left
}

// standing is what chargebacks keep from us.
func (p taken) standing() money.Amount {
	sum := money.New(0, p.capture.Amount.Currency())
	for _, d := range p.disputes {
		if d.Stands() {
			sum = sum.Plus(d.Amount)
		}
	}
	return sum
}

// take reads a captured payment and what was taken back of it.
func (e *Engine) take(tx Tx, x Capture) (p taken, err error) {
	p.capture = x
	var ok bool
	if p.r, ok, err = tx.Reservation(x.Reservation); err != nil {
		return p, err
	}
	if !ok {
		panic("engine: a capture without its reservation")
	}
	if p.refunds, err = tx.Refunds(p.r.ID); err != nil {
		return p, err
	}
	p.disputes, err = tx.Disputes(p.r.ID)
	return p, err
}

// captured finds the payment that a capture made.
func (e *Engine) captured(tx Tx, k Key) (p taken, err error) {
	x, ok, err := tx.CaptureByRequest(k)
	switch {
	case err != nil:
		return p, err
	case !ok:
		return p, fault.New(fault.Unknown, "captureRequestId names no capture of this account")
	case x.State != payment.CaptureSuccess:
		return p, fault.New(fault.Precondition, "the capture cannot be refunded: it is %s", x.State)
	}
	return e.take(tx, x)
}

// refusedAtOnce is why a refund fails without asking the network. The refund itself is not among p's refunds.
func (e *Engine) refusedAtOnce(p taken, f payment.Refund, now time.Time) payment.RefundReason {
	switch a, known := e.accounts[p.r.Account]; {
	case p.r.Card == nil, known && now.After(p.capture.DoneAt.Add(a.RefundWindow)):
		return payment.RefundTooLate
	case f.Amount.Exceeds(p.left().Less(p.standing())):
		return payment.RefundChargebackFirst
	}
	return payment.RefundDone
}

// orderRefund gives a refund an attempt and queues the request to the network. A new refund is inserted, an earlier one goes on.
func (e *Engine) orderRefund(tx Tx, p taken, f payment.Refund, trace payment.Trace, due, now time.Time) (payment.Refund, error) {
	hold, ok, err := tx.Attempt(p.r.AttemptID)
	if err != nil {
		return f, err
	}
	if !ok {
		panic("engine: a reservation without its attempt")
	}
	a := payment.Attempt{
		ID: newID(), Reservation: p.r.ID, Refund: f.ID, State: payment.AttemptPrepared, Version: 1, Acquirer: hold.Acquirer, Trace: trace,
		Terminal: hold.Terminal, Merchant: hold.Merchant,
	}
	first := f.AttemptID == ""
	f.AttemptID, f.RRN = a.ID, trace.RRN
	if first {
		err = tx.InsertRefund(f)
	} else {
		err = tx.UpdateRefund(f)
	}
	if err != nil {
		return f, err
	}
	if err := tx.InsertAttempt(a); err != nil {
		return f, err
	}
	order := advice(a, payment.RefundOrder, f.Amount, "", trace, now)
	order.CreatedAt, order.DueAt = f.At, due // its age is that of the refund
	return f, tx.InsertAdvice(e.orBatched(e.links[a.Acquirer].Rail, order))
}

// refundReplied writes what the network said to an order to pay. undo is the trace of a reversal, should one be needed.
func (e *Engine) refundReplied(tx Tx, a payment.Advice, reply payment.AdviceReply, what end, undo payment.Trace, now time.Time) error {
	f, r, t, err := e.refundOf(tx, a.Attempt)
	if err != nil {
		return err
	}
	t.Code = reply.Code
	c := change{actor: "acquirer", at: now, detail: "code=" + reply.Code}
	switch what {
	case done:
		if err := e.attempt(tx, t, payment.AttemptBook, now); err != nil {
			return err
		}
		f.Day = cmp.Or(reply.Day, e.dayOf(f.Account, now))
		return e.payRefund(tx, r, f, reply.Code, c)
	case refuse:
		if err := e.attempt(tx, t, payment.AttemptDecline, now); err != nil {
			return err
		}
		_, err := e.failRefund(tx, &r, f, cmp.Or(reply.Why, payment.RefundIssuerDeclined), reply.Code, c)
		return err
	}
	c.detail += " undo=" + string(reply.Undo)
	if err := e.reverse(tx, t, payment.AttemptLose, f.Amount, cmp.Or(reply.Undo, payment.UndoSilence), undo, now); err != nil {
		return err
	}
	_, err = e.note(tx, &r, refundObject(f), "refund-undo", string(f.State), nil, c)
	return err
}

func (e *Engine) refundOf(tx Tx, attempt string) (f payment.Refund, r payment.Reservation, t payment.Attempt, err error) {
	var ok [3]bool
	if t, ok[0], err = tx.Attempt(attempt); err != nil {
		return f, r, t, err
	}
	if f, ok[1], err = tx.Refund(t.Refund); err != nil {
		return f, r, t, err
	}
	if r, ok[2], err = tx.Reservation(t.Reservation); err != nil {
		return f, r, t, err
	}
	if ok != [3]bool{true, true, true} {
		panic("engine: an order to pay without its attempt, its refund or its payment")
	}
	return f, r, t, nil
}

// payRefund is the good end of a refund.
func (e *Engine) payRefund(tx Tx, r payment.Reservation, f payment.Refund, code string, c change) error {
	f, moved, err := f.After(payment.RefundBook)
	if err != nil {
		return err
	}
	f.Code, f.DoneAt = code, c.at
	if _, err := e.note(tx, &r, refundObject(f), string(payment.RefundBook), string(f.State), moved, c); err != nil {
		return err
	}
	if err := tx.UpdateRefund(f); err != nil {
		return err
	}
	if err := e.item(tx, r, settlement.Refund, f.RequestID, f.ID, "", f.Amount.Negated(), c.at); err != nil {
		return err
	}
	return tx.InsertNotice(e.refundNotice(f, "SUCCESS", code, c.at))
}

// failRefund is the bad end: nothing moved, and what it took is left to refund again.
func (e *Engine) failRefund(tx Tx, r *payment.Reservation, f payment.Refund, why payment.RefundReason, code string, c change) (payment.Refund, error) {
	f, moved, err := f.After(payment.RefundFail)
	if err != nil {
		return f, err
	}
	f.Reason, f.Code, f.DoneAt = why, code, c.at
	c.detail = "why=" + string(why) + " " + c.detail
	if _, err := e.note(tx, r, refundObject(f), string(payment.RefundFail), string(f.State), moved, c); err != nil {
		return f, err
	}
	if err := tx.UpdateRefund(f); err != nil {
		return f, err
	}
	return f, tx.InsertNotice(e.refundNotice(f, string(why), code, c.at))
}

func (e *Engine) refundNotice(f payment.Refund, result, code string, at time.Time) Notice {
	return Notice{
		ID: noticeID(RefundResult, f.ID), Kind: RefundResult, Account: f.Account, Subject: f.RequestID, Result: result, Code: code,
		Facts: Facts{OwnID: f.ID}, CreatedAt: at,
	}
}

// refundUndone is what follows when the network confirmed that an order to pay has no effect any more: the refund is ordered anew, unless a
// chargeback has taken the money meanwhile.
func (e *Engine) refundUndone(tx Tx, l Link, a payment.Advice, reply payment.AdviceReply, what end, trace payment.Trace, now time.Time) error {
	f, r, t, err := e.refundOf(tx, a.Attempt)
	if err != nil {
		return err
	}
	if what == done { // it had been booked, and the network counts both
		t.UndoneDay = cmp.Or(reply.Day, e.dayOf(f.Account, now))
	}
	if err := e.attempt(tx, t, payment.AttemptUndone, now); err != nil {
		return err
	}
	x, _, err := tx.Capture(r.ID)
	if err != nil {
		return err
	}
	p, err := e.take(tx, x)
	if err != nil {
		return err
	}
	c := change{actor: "acquirer", at: now, detail: "code=" + reply.Code}
	if _, err := e.note(tx, &p.r, refundObject(f), "refund-undone", string(f.State), nil, c); err != nil {
		return err
	}
	others := p
	others.refunds = nil
	for _, o := range p.refunds {
		if o.ID != f.ID {
			others.refunds = append(others.refunds, o)
		}
	}
	if f.Amount.Exceeds(others.left().Less(others.standing())) {
		_, err = e.failRefund(tx, &p.r, f, payment.RefundChargebackFirst, "", change{actor: "clock", at: now})
		return err
	}
	_, err = e.orderRefund(tx, p, f, trace, now.Add(l.Backoff[len(l.Backoff)-1]), now)
	return err
}

// withdrawn takes back orders to pay that have not left the house, where a chargeback has taken their money (Korea Cards v1 §9.2).
// It reports whether others, which may have left, claim more than there is.
func (e *Engine) withdrawn(tx Tx, p *taken, now time.Time) (tooMuch bool, err error) {
	for i, f := range p.refunds {
		if f.State != payment.RefundPending || !p.standing().Exceeds(p.left()) {
			continue
		}
		a, ok, err := tx.AdviceOf(f.AttemptID, payment.RefundOrder)
		if err != nil {
			return false, err
		}
		unsent := a.State == payment.AdviceQueued && a.Sends == 0 || a.State == payment.AdviceBatched && a.File == ""
		if !ok || !unsent {
			continue
		}
		a.State = payment.AdviceDone
		if err := tx.UpdateAdvice(a); err != nil {
			return false, err
		}
		t, _, err := tx.Attempt(f.AttemptID)
		if err != nil {
			return false, err
		}
		if err := e.attempt(tx, t, payment.AttemptFail, now); err != nil {
			return false, err
		}
		c := change{actor: "clock", at: now}
		if p.refunds[i], err = e.failRefund(tx, &p.r, f, payment.RefundChargebackFirst, "", c); err != nil {
			return false, err
		}
	}
	return p.standing().Exceeds(p.left()), nil
}

// givesWay is that an order to pay certainly has not left after all: a chargeback that came while it might have is over it (Korea Cards v1 §9.2).
func (e *Engine) givesWay(tx Tx, a payment.Advice, now time.Time) error {
	x, ok, err := tx.Capture(a.Reservation)
	if err != nil || !ok {
		return err
	}
	p, err := e.take(tx, x)
	if err != nil || !p.standing().Exceeds(p.left()) {
		return err
	}
	if tooMuch, err := e.withdrawn(tx, &p, now); err != nil || tooMuch {
		return err
	}
	for _, d := range p.disputes {
		if _, err := tx.CloseCase("chargeback-and-refund/"+d.ID, "the refund had not left, and gave way", now); err != nil {
			return err
		}
	}
	return nil
}

// returned is money of a refund that came back from the holder's bank (Korea Cards v1 §5.4).
func (e *Engine) returned(tx Tx, r *payment.Reservation, f payment.Refund, back money.Amount, code, scope string, c change) error {
	f.Returned = back
	next, moved, err := f.After(payment.RefundReturn)
	if err != nil {
		return err
	}
	next.BackAt = c.at
	if _, err := e.note(tx, r, refundObject(f), string(payment.RefundReturn), string(next.State), moved, c); err != nil {
		return err
	}
	if err := tx.UpdateRefund(next); err != nil {
		return err
	}
	if err := e.item(tx, *r, settlement.ReverseRefund, f.RequestID, f.ID, "", back, c.at); err != nil {
		return err
	}
	return tx.InsertNotice(Notice{
		ID: noticeID(RefundReturned, f.ID), Kind: RefundReturned, Account: f.Account, Subject: f.RequestID, Code: code,
		After: noticeID(RefundResult, f.ID), CreatedAt: c.at,
		Facts: Facts{Refund: f.RequestID, OwnID: f.ID, Minor: back.Minor(), Currency: back.Currency().Code(), Scope: scope},
	})
}

// acquirerOfCapture is the link over which a capture's hold was asked for.
func (e *Engine) acquirerOfCapture(ctx context.Context, k Key) (name string, err error) {
	err = e.store.View(ctx, func(v Reader) error {
		x, ok, err := v.CaptureByRequest(k)
		if err != nil || !ok {
			return err
		}
		r, _, err := v.Reservation(x.Reservation)
		if err != nil {
			return err
		}
		a, _, err := v.Attempt(r.AttemptID)
		name = a.Acquirer
		return err
	})
	if err != nil {
		return "", unavailable(err)
	}
	return cmp.Or(name, e.accounts[k.Account].Acquirer), nil
}

// dayOf is the business day of an account at an instant, YYYYMMDD.
func (e *Engine) dayOf(account string, at time.Time) string {
	in := time.UTC
	if a, ok := e.accounts[account]; ok {
		in = a.Location
	}
	return settlement.DayOf(at, in)
}
