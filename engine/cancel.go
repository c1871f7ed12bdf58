package engine

import (
	"context"
	"time"

	"naru/core/fault"
	"naru/core/payment"
	"naru/crash"
)

// Cancel takes over the job of letting a hold go and answers at once; SUCCESS follows as a notice, because a cancel is tried until it
// succeeds. Where nothing is held, it has succeeded already.
func (e *Engine) Cancel(ctx context.Context, t Turn, ask CancelAsk) ([]byte, error) {
	ctx = context.WithoutCancel(ctx)
	acquirer, err := e.acquirerOf(ctx, ask.Reservation)
	if err != nil {
		return nil, err
	}
	now := e.clock.Now()
	_, trace, err := e.trace(ctx, acquirer, now)
	if err != nil {
		return nil, err
	}
	var answer []byte
	var reversed bool
	err = e.store.Update(ctx, func(tx Tx) error {
		r, err := e.named(tx, ask.Reservation)
		if err != nil {
			return err
		}
		if _, ok := payment.Rules.Next(r.State, payment.Cancel); !ok {
			return fault.New(fault.Precondition, "the reservation cannot be cancelled: it is %s", r.State)
		}
		x := Cancel{ID: newID(), Key: t.request.Key, Reservation: r.ID, State: payment.CancelOpen, At: now}
		if reversed = r.Held && (r.State == payment.Reserved || r.State == payment.VerifyHeld); reversed {
			if err := e.giveBack(tx, r, trace, now); err != nil {
				return err
			}
		}
		waits := r.Held // until the network confirms that the hold is gone
		keep, err := e.owed(tx, r)
		if err != nil {
			return err
		}
		c := change{actor: "google", at: now, detail: "cancel=" + x.ID, keepCard: keep}
		if r, err = e.step(tx, r, payment.Cancel, c); err != nil {
			return err
		}
		if err := tx.InsertCancel(x); err != nil {
			return err
		}
		if !waits {
			if r.State == payment.CancelPending {
				if r, err = e.step(tx, r, payment.Release, change{actor: "clock", at: now, detail: "nothing was held"}); err != nil {
					return err
				}
			}
			if err := e.finishCancel(tx, x, now); err != nil {
				return err
			}
		}
		if answer, err = ask.Encode(); err != nil {
			return err
		}
		return e.open(tx, t, now, answer)
	})
	if err != nil {
		return nil, unavailable(err)
	}
	if reversed {
		e.meter.Reversed(payment.UndoCancel)
	}
	e.crash(crash.CancelAccepted)
	e.Advices.Ring()
	e.Notices.Ring()
	return answer, nil
}

// owed reports whether a message about this reservation still has to reach the network.
func (e *Engine) owed(tx Tx, r payment.Reservation) (bool, error) {
	open, err := tx.OpenAdvices(r.ID)
	return len(open) > 0, err
}

// giveBack queues the reversal of an approved hold.
func (e *Engine) giveBack(tx Tx, r payment.Reservation, trace payment.Trace, now time.Time) error {
	a, ok, err := tx.Attempt(r.AttemptID)
	if err != nil {
		return err
	}
	if !ok {
		panic("engine: a reservation without its attempt")
	}
	return e.reverse(tx, a, payment.AttemptReverse, r.Amount, payment.UndoCancel, trace, now)
}

func (e *Engine) finishCancel(tx Tx, x Cancel, now time.Time) error {
	x.State, x.DoneAt = payment.CancelSuccess, now
	if err := tx.UpdateCancel(x); err != nil {
		return err
	}
	return tx.InsertNotice(Notice{
		ID: noticeID(CancelResult, x.ID), Kind: CancelResult, Account: x.Account, Subject: x.RequestID, Result: string(x.State), CreatedAt: now,
	})
}
