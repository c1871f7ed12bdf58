package engine

import (
	"context"
	"time"

	"naru/core/payment"
	"naru/crash"
	"naru/queue"
)

// cardUntil is when a captured payment's card is of no use any more: the refund and the dispute window are over (design §3.6).
func (e *Engine) cardUntil(account string, captured time.Time) time.Time {
	a := e.accounts[account]
	return captured.Add(max(a.RefundWindow, a.DisputeWindow))
}

// Erase erases the cards of payments whose windows are over. It runs until ctx ends.
func (e *Engine) Erase(ctx context.Context) error {
	loop := queue.Loop[payment.Reservation]{
		Name: "cards",
		Due: func(ctx context.Context, now time.Time, limit int) (due []payment.Reservation, err error) {
			err = e.store.View(ctx, func(v Reader) error {
				due, err = v.ErasableCards(now, limit)
				return err
			})
			return due, err
		},
		Next: func(ctx context.Context) (time.Time, bool, error) { // nobody rings: windows are long
			tomorrow := e.clock.Now().Add(day)
			at, some, err := e.earliest(ctx, Reader.NextErasure)
			if !some || tomorrow.Before(at) {
				at = tomorrow
			}
			return at, true, err
		},
		ID:    func(r payment.Reservation) string { return r.ID },
		Do:    e.eraseCard,
		Lanes: 1, Clock: e.clock, Bell: queue.NewBell(), Most: e.LookAgain(), Log: e.log,
	}
	return loop.Run(ctx)
}

// eraseCard erases one card, unless a message that names it is still owed: then it is looked at again a day later.
func (e *Engine) eraseCard(ctx context.Context, due payment.Reservation) error {
	now := e.clock.Now()
	err := e.store.Update(ctx, func(tx Tx) error {
		r, ok, err := tx.Reservation(due.ID)
		if err != nil || !ok || r.Card == nil || r.CardUntil.IsZero() || now.Before(r.CardUntil) {
			return err
		}
		owed, err := e.owed(tx, r)
		if err != nil {
			return err
		}
		if owed {
			r.CardUntil = now.Add(day)
			_, err = e.note(tx, &r, "card", "keep-card", string(r.State), nil, change{actor: "clock", at: now, detail: "a message is owed"})
			return err
		}
		r.Card, r.CardUntil = nil, time.Time{}
		_, err = e.note(tx, &r, "card", "erase-card", string(r.State), nil, change{actor: "clock", at: now})
		return err
	})
	if err != nil {
		e.log.Error("a card cannot be erased", "reservation", due.ID, "error", err)
		return err
	}
	e.crash(crash.CardErased)
	return nil
}
