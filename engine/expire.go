package engine

import (
	"context"
	"time"

	"naru/core/payment"
	"naru/crash"
	"naru/queue"
)

// Expire lets holds go whose time is over. Nobody is told; the network only where it may still hold the money (Korea Cards v1 §9.1).
func (e *Engine) Expire(ctx context.Context) error {
	loop := queue.Loop[payment.Reservation]{
		Name: "holds",
		Due: func(ctx context.Context, now time.Time, limit int) (due []payment.Reservation, err error) {
			err = e.store.View(ctx, func(v Reader) error {
				due, err = v.ExpiringReservations(now, limit)
				return err
			})
			return due, err
		},
		Next: func(ctx context.Context) (time.Time, bool, error) {
			e.nextEnd.Store(0) // whoever makes a hold meanwhile rings
			at, some, err := e.earliest(ctx, Reader.NextExpiry)
			if some {
				e.nextEnd.Store(at.UnixMicro())
			}
			return at, some, err
		},
		ID:    func(r payment.Reservation) string { return r.ID },
		Do:    e.expireOne,
		Lanes: 4, Clock: e.clock, Bell: e.holds, Most: e.LookAgain(), Log: e.log,
	}
	return loop.Run(ctx)
}

// ends tells the loop of a hold that ends before all those it knows.
func (e *Engine) ends(at time.Time) {
	if next := e.nextEnd.Load(); next == 0 || at.UnixMicro() < next {
		e.holds.Ring()
	}
}

func (e *Engine) expireOne(ctx context.Context, r payment.Reservation) error {
	now := e.clock.Now()
	var trace payment.Trace
	acquirer, err := e.acquirerOf(ctx, Key{r.Account, r.RequestID})
	if err == nil {
		_, trace, err = e.trace(ctx, acquirer, now)
	}
	if err == nil {
		err = e.store.Update(ctx, func(tx Tx) error {
			fresh, ok, err := tx.Reservation(r.ID)
			if err != nil || !ok || fresh.State != payment.Reserved && fresh.State != payment.VerifyHeld || now.Before(fresh.HoldUntil) {
				return err // captured or cancelled meanwhile
			}
			_, err = e.expire(tx, fresh, trace, now)
			return err
		})
	}
	if err != nil {
		e.log.Error("a hold's end cannot be written down", "reservation", r.ID, "error", err)
		return err
	}
	e.crash(crash.ExpiryApplied)
	e.Advices.Ring()
	return nil
}

// expire ends a hold. Where the network's own time is over too, the money is free; otherwise a reversal asks for it.
func (e *Engine) expire(tx Tx, r payment.Reservation, trace payment.Trace, now time.Time) (payment.Reservation, error) {
	if !r.Held { // a card check that held nothing
		r, err := e.step(tx, r, payment.Expire, change{actor: "clock", at: now})
		if err != nil {
			return r, err
		}
		return e.step(tx, r, payment.Release, change{actor: "clock", at: now, detail: "nothing was held"})
	}
	freed := !r.HostUntil.IsZero() && !now.Before(r.HostUntil)
	if !freed {
		if err := e.giveBack(tx, r, trace, now); err != nil {
			return r, err
		}
		return e.step(tx, r, payment.Expire, change{actor: "clock", at: now, keepCard: true})
	}
	a, ok, err := tx.Attempt(r.AttemptID)
	if err != nil {
		return r, err
	}
	if !ok {
		panic("engine: a reservation without its attempt")
	}
	if err := e.attempt(tx, a, payment.AttemptVanish, now); err != nil {
		return r, err
	}
	if r, err = e.step(tx, r, payment.Expire, change{actor: "clock", at: now}); err != nil {
		return r, err
	}
	return e.step(tx, r, payment.Release, change{actor: "clock", at: now, detail: "the network let it go"})
}
