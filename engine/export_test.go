package engine

import (
	"context"
	"time"

	"naru/core/payment"
	"naru/core/payout"
)

// ForwardDue sends every advice that is due at this moment once, as the loop of Forward does, and says how many those were.
func (e *Engine) ForwardDue(ctx context.Context) (int, error) {
	n := 0
	for name := range e.links {
		due, err := e.dueAdvices(ctx, name, e.clock.Now(), 1000)
		if n += len(due); err != nil {
			return n, err
		}
		for _, a := range due {
			_ = e.forward(ctx, a) // it has told the log
		}
	}
	return n, nil
}

// ForwardOne sends one advice as it was read some time ago.
func (e *Engine) ForwardOne(ctx context.Context, a payment.Advice) { _ = e.forward(ctx, a) }

// RematchDue brings together once what passed each other.
func (e *Engine) RematchDue(ctx context.Context) error { return e.rematch(ctx, map[string]time.Time{}) }

// ExpireDue ends every hold that is due at this moment, as the loop of Expire does.
func (e *Engine) ExpireDue(ctx context.Context) error {
	var due []payment.Reservation
	err := e.store.View(ctx, func(v Reader) (err error) {
		due, err = v.ExpiringReservations(e.clock.Now(), 1000)
		return err
	})
	for _, r := range due {
		_ = e.expireOne(ctx, r)
	}
	return err
}

// LapseDue ends every stage of a dispute whose time is over, as the loop of Contest does.
func (e *Engine) LapseDue(ctx context.Context) error {
	return due(ctx, e, Reader.DueDisputes, e.lapse)
}

// EraseDue erases every card whose time is over, as the loop of Erase does.
func (e *Engine) EraseDue(ctx context.Context) error {
	return due(ctx, e, Reader.ErasableCards, e.eraseCard)
}

// TotalsDue compares the totals that are due, as the loop of Totals does.
func (e *Engine) TotalsDue(ctx context.Context) error {
	for name, l := range e.links {
		if !l.Totals {
			continue
		}
		if err := e.compareTotals(ctx, name, e.over(name, l, e.clock.Now())); err != nil {
			return err
		}
	}
	return due(ctx, e, Reader.DueReconciliations, e.reconcile)
}

// PayDue works once on every payout that is due, as the loop of KeepPaying does.
func (e *Engine) PayDue(ctx context.Context) error {
	for name := range e.banks {
		list := func(v Reader, now time.Time, limit int) ([]payout.Payout, error) {
			return v.DuePayouts(name, now, limit)
		}
		if err := due(ctx, e, list, e.payOn); err != nil {
			return err
		}
	}
	e.tellStranded(ctx, "payout_bank", Reader.OwedPayouts, func(name string) bool { _, known := e.banks[name]; return known })
	return nil
}

// EndDepositsDue ends every deposit order whose time is over, and frees what has rested, as the loop of ExpireDeposits does.
func (e *Engine) EndDepositsDue(ctx context.Context) error {
	return due(ctx, e, Reader.DueOrders, e.endOrRest)
}

// SettleDue settles what is over, as the loop of Settle does, and says when the next business day will be.
func (e *Engine) SettleDue(ctx context.Context) (time.Time, error) { return e.settleDue(ctx) }

func due[T any](ctx context.Context, e *Engine, list func(Reader, time.Time, int) ([]T, error), do func(context.Context, T) error) error {
	var found []T
	err := e.store.View(ctx, func(v Reader) (err error) {
		found, err = list(v, e.clock.Now(), 1000)
		return err
	})
	for _, one := range found {
		_ = do(ctx, one) // it has told the log
	}
	return err
}

// Flights are what keeps parallel copies apart.
type Flights = flights

// Join, Leave let tests order what otherwise only chance does.
func (f *flights) Join(r Request) (first, same bool, done <-chan struct{}) { return f.join(r) }
func (f *flights) Leave(k Key)                                             { f.leave(k) }
