package engine

import (
	"context"
	"time"

	"naru/core/fault"
	"naru/core/payment"
	"naru/core/settlement"
	"naru/crash"
)

// Capture takes over the job of moving a hold's money and answers at once; the verdict follows as a notice. One transaction: the job, the
// message to the network, and the answer. What the network says, and when, is the advice queue's business.
func (e *Engine) Capture(ctx context.Context, t Turn, ask CaptureAsk) ([]byte, error) {
	ctx = context.WithoutCancel(ctx)
	acquirer, err := e.acquirerOf(ctx, ask.Reservation)
	if err != nil {
		return nil, err
	}
	now := e.clock.Now()
	_, completion, err := e.trace(ctx, acquirer, now)
	if err != nil {
		return nil, err
	}
	_, release, err := e.trace(ctx, acquirer, now) // of a partial release, or of the reversal that the end of the hold owes
	if err != nil {
		return nil, err
	}
	var answer []byte
	err = e.store.Update(ctx, func(tx Tx) error {
		r, err := e.named(tx, ask.Reservation)
		if err != nil {
			return err
		}
		if r.Purpose != payment.ToPay {
			return fault.New(fault.Precondition, "what was asked for was no reservation of a payment and cannot be captured")
		}
		if r.State != payment.Reserved && r.State != payment.Expired {
			return fault.New(fault.Precondition, "the reservation cannot be captured: it is %s", r.State)
		}
		amount, err := ask.Amount(r.Amount.Currency())
		if err != nil {
			return err
		}
		if !amount.IsPositive() {
			return fault.New(fault.Invalid, "the amount is not more than nothing")
		}
		if amount.Exceeds(r.Amount) {
			return fault.New(fault.Precondition, "the amount is more than was reserved")
		}
		if r.State == payment.Reserved && !now.Before(r.HoldUntil) { // accepted after its end: the end comes first (§9.1, last row)
			if r, err = e.expire(tx, r, release, now); err != nil {
				return err
			}
		}
		x := Capture{ID: newID(), Key: t.request.Key, Reservation: r.ID, Amount: amount, State: payment.CaptureOpen, At: now, NetworkID: r.NetworkID, Approval: r.Approval}
		a, ok, err := tx.Attempt(r.AttemptID)
		if err != nil {
			return err
		}
		if !ok {
			panic("engine: a reservation without its attempt")
		}
		x.RRN = a.Trace.RRN
		expired := r.State == payment.Expired
		c := change{actor: "google", at: now, detail: "capture=" + x.ID + " amount=" + amount.String(), keepCard: r.Held}
		if r, err = e.step(tx, r, payment.Capture, c); err != nil {
			return err
		}
		if err := tx.InsertCapture(x); err != nil {
			return err
		}
		if expired {
			err = e.finishCapture(tx, r, x, payment.Lapse, change{actor: "clock", at: now, keepCard: r.Held}, "")
		} else {
			err = e.complete(tx, r, a, x, completion, release, now)
		}
		if err != nil {
			return err
		}
		if answer, err = ask.Encode(x.ID); err != nil {
			return err
		}
		return e.open(tx, t, now, answer)
	})
	if err != nil {
		return nil, unavailable(err)
	}
	e.crash(crash.CaptureAccepted)
	e.Advices.Ring()
	e.Notices.Ring()
	return answer, nil
}

var errNoReservation = fault.New(fault.Unknown, "reservationRequestId names no reservation of this account")

// named finds the reservation that a request names. One that the network has not decided on yet cannot be worked on.
func (e *Engine) named(tx Tx, k Key) (payment.Reservation, error) {
	r, ok, err := tx.ReservationByRequest(k)
	switch {
	case err != nil:
		return r, err
	case !ok:
		return r, errNoReservation
	case r.Purpose == payment.ToCheck: // leaves nothing that could be named (Korea Cards v1 §4.8)
		return r, errNoReservation
	case r.State == payment.Pending || r.State == payment.Reversing:
		return r, fault.New(fault.Unavailable, "the reservation is not decided yet")
	}
	return r, nil
}

// complete queues the message that moves the money and, where the network wants it, the one before it that gives back the rest.
func (e *Engine) complete(
	tx Tx, r payment.Reservation, a payment.Attempt, x Capture, completion, release payment.Trace, now time.Time,
) error {
	rail := e.links[a.Acquirer].Rail
	if r.Amount.Exceeds(x.Amount) && rail.ReleasesRest() {
		first := advice(a, payment.ReleaseRest, x.Amount, payment.UndoPartial, release, now)
		if err := tx.InsertAdvice(first); err != nil {
			return err
		}
	}
	return tx.InsertAdvice(e.orBatched(rail, advice(a, payment.Completion, x.Amount, "", completion, now)))
}

// orBatched leaves an advice to the next capture file where the network takes captures by file (rails §4.2).
func (e *Engine) orBatched(rail CardRail, a payment.Advice) payment.Advice {
	if rail.CapturesByFile() {
		a.State = payment.AdviceBatched
	}
	return a
}

// captureVerdicts is what each end of a capture is called.
var captureVerdicts = map[payment.Event]payment.CaptureState{
	payment.Confirm: payment.CaptureSuccess,
	payment.Lapse:   payment.CaptureLapsed,
	payment.Revoke:  payment.CaptureRevoked,
}

// finishCapture writes the verdict and what we now owe to tell. Held amounts are let go in full with it (design §3.1).
func (e *Engine) finishCapture(tx Tx, r payment.Reservation, x Capture, ev payment.Event, c change, code string) error {
	if ev == payment.Confirm {
		r.Captured, r.CardUntil = x.Amount, e.cardUntil(r.Account, c.at)
	}
	r, err := e.step(tx, r, ev, c)
	if err != nil {
		return err
	}
	x.State, x.DoneAt = captureVerdicts[ev], c.at
	if ev == payment.Confirm {
		if err := e.item(tx, r, settlement.Capture, x.RequestID, x.ID, "", x.Amount, c.at); err != nil {
			return err
		}
	}
	if err := tx.UpdateCapture(x); err != nil {
		return err
	}
	return tx.InsertNotice(Notice{
		ID: noticeID(CaptureResult, x.ID), Kind: CaptureResult, Account: x.Account, Subject: x.RequestID, Result: string(x.State), Code: code,
		CreatedAt: c.at,
	})
}

// sell writes what a sale came to: the money, and a capture that is done. Nobody is told of a verdict, because the answer is it.
func (e *Engine) sell(tx Tx, r payment.Reservation, a payment.Attempt, x Capture, c change) error {
	r.Captured, r.CardUntil = r.Amount, e.cardUntil(r.Account, c.at)
	r, err := e.step(tx, r, payment.Sell, c)
	if err != nil {
		return err
	}
	x.Reservation, x.Amount, x.State, x.At, x.DoneAt = r.ID, r.Amount, payment.CaptureSuccess, c.at, c.at
	x.RRN, x.NetworkID, x.Approval = a.Trace.RRN, r.NetworkID, r.Approval
	if err := tx.InsertCapture(x); err != nil {
		return err
	}
	return e.item(tx, r, settlement.Capture, x.RequestID, x.ID, "", x.Amount, c.at)
}

// verdict is the notice that told the counterparty that this payment was taken: others come after it. A sale was answered, and has none.
func (p taken) verdict() string {
	if p.r.Purpose == payment.ToSell {
		return ""
	}
	return noticeID(CaptureResult, p.capture.ID)
}

// noticeID derives a notice's id from the business event: whoever stumbles upon the event again finds the same id.
func noticeID(k NoticeKind, id string) string { return "naru-" + string(k) + "-" + id }
