package engine

import (
	"context"
	"fmt"
	"time"

	"naru/core/payment"
	"naru/core/settlement"
	"naru/queue"
)

// The states of a comparison of totals.
const (
	TotalsOpen   = "OPEN"
	TotalsAgreed = "AGREED"
	TotalsBroken = "BREAK"
)

// DayEnded hears that a network has begun a new business day: the totals of the one before are compared (rails §1.16). Should the process die
// before that, the clock comes to it.
func (e *Engine) DayEnded(acquirer, newDay string) {
	e.newDays.Store(acquirer, newDay)
	e.totals.Ring()
}

// over is the last business day of a network that is over: as it said itself, or by the clock.
func (e *Engine) over(acquirer string, l Link, now time.Time) string {
	last := settlement.DayOf(now.Add(-totalsGrace).In(l.Zone).AddDate(0, 0, -1), l.Zone)
	if said, ok := e.newDays.Load(acquirer); ok {
		if start, _, err := settlement.Period(said.(string), l.Zone); err == nil {
			last = max(last, settlement.DayOf(start.Add(-time.Hour), l.Zone))
		}
	}
	return last
}

// compareTotals queues the comparison of a day, in each currency in which something was booked. A day that is queued already stays as it is.
func (e *Engine) compareTotals(ctx context.Context, acquirer, day string) error {
	now := e.clock.Now()
	var fresh []Reconciliation
	err := e.store.View(ctx, func(v Reader) error {
		fresh = nil
		list, err := v.DayCurrencies(acquirer, day)
		if err != nil {
			return err
		}
		for _, in := range list {
			_, known, err := v.Reconciliation(acquirer, day, in)
			if err != nil {
				return err
			}
			if !known {
				fresh = append(fresh, Reconciliation{Acquirer: acquirer, Day: day, Currency: in, State: TotalsOpen, CreatedAt: now, DueAt: now})
			}
		}
		return nil
	})
	if err != nil || len(fresh) == 0 {
		return err
	}
	return e.store.Update(ctx, func(tx Tx) error {
		for _, c := range fresh {
			_, known, err := tx.Reconciliation(c.Acquirer, c.Day, c.Currency)
			if err == nil && !known {
				err = tx.PutReconciliation(c)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// totalsGrace is how long after the end of a network's day the clock compares its totals where the network did not say that the day is over.
const totalsGrace = 15 * time.Minute

// daysBack is how many days are made good where nobody was there to compare them.
const daysBack = 7

// Totals compares the totals of every business day with the networks. It runs until ctx ends.
func (e *Engine) Totals(ctx context.Context) error {
	var looked time.Time // a day that ends while we look is not overlooked
	loop := queue.Loop[Reconciliation]{
		Name: "totals",
		Due: func(ctx context.Context, now time.Time, limit int) (due []Reconciliation, err error) {
			looked = now
			for name, l := range e.links {
				if !l.Totals {
					continue
				}
				last, _, err := settlement.Period(e.over(name, l, now), l.Zone)
				for back := 0; err == nil && back < daysBack; back++ {
					err = e.compareTotals(ctx, name, last.AddDate(0, 0, -back).Format("20060102"))
				}
				if err != nil {
					return nil, err
				}
			}
			err = e.store.View(ctx, func(v Reader) error {
				due, err = v.DueReconciliations(now, limit)
				return err
			})
			return due, err
		},
		Next: func(ctx context.Context) (time.Time, bool, error) {
			at, some, err := e.earliest(ctx, Reader.NextReconciliation)
			for _, l := range e.links {
				if !l.Totals {
					continue
				}
				_, end, perr := settlement.Period(settlement.DayOf(looked.Add(-totalsGrace), l.Zone), l.Zone)
				if end = end.Add(totalsGrace); perr == nil && (!some || end.Before(at)) {
					at, some = end, true
				}
			}
			return at, some, err
		},
		ID:    func(c Reconciliation) string { return c.Acquirer + c.Day + c.Currency },
		Do:    e.reconcile,
		Lanes: 1, Clock: e.clock, Bell: e.totals, Most: e.LookAgain(), Log: e.log,
	}
	return loop.Run(ctx)
}

// patience is how long a comparison waits for answers that are still out: what they book may belong to the day.
const patience = 30 * time.Minute

func (e *Engine) reconcile(ctx context.Context, c Reconciliation) error {
	now := e.clock.Now()
	waits := int64(0)
	err := e.store.View(ctx, func(v Reader) (err error) {
		if waits, err = v.OpenBefore(c.Acquirer, c.CreatedAt); err != nil {
			return err
		}
		if c.Tries == 0 { // a repeat is the same message, whatever was booked meanwhile
			c.Ours, err = v.DayTotals(c.Acquirer, c.Day, c.Currency)
		}
		return err
	})
	if err == nil && waits > 0 && now.Before(c.CreatedAt.Add(patience)) {
		c.DueAt = now.Add(time.Minute)
		return e.store.Update(ctx, func(tx Tx) error { return tx.PutReconciliation(c) })
	}
	if err == nil && c.Tries == 0 {
		_, c.Trace, err = e.trace(ctx, c.Acquirer, now)
	}
	if err == nil { // on disk before it leaves: a repeat must be the same message
		c.Tries++
		err = e.store.Update(ctx, func(tx Tx) error { return tx.PutReconciliation(c) })
	}
	if err != nil {
		e.log.Error("the totals of a day cannot be compared", "acquirer", c.Acquirer, "day", c.Day, "error", err)
		return err
	}
	l := e.links[c.Acquirer]
	reply := l.Rail.Reconcile(ctx, c.Ours, c.Trace, c.Tries > 1)
	now = e.clock.Now()
	c.Code = reply.Code
	return e.store.Update(ctx, func(tx Tx) error {
		switch reply.Verdict {
		case payment.TotalsAgreed:
			c.State = TotalsAgreed
		case payment.TotalsBreak:
			c.State, c.Host = TotalsBroken, reply.Host
			err := e.openNow(tx, Case{
				ID: "totals-differ/" + c.Acquirer + "/" + c.Day + "/" + c.Currency, Kind: "totals-differ", At: now,
				Detail: fmt.Sprintf("day=%s currency=%s ours: %s; theirs: %s", c.Day, c.Currency, inWords(c.Ours), inWords(c.Host)),
			})
			if err != nil {
				return err
			}
		default:
			c.DueAt = now.Add(l.Backoff[min(int(c.Tries)-1, len(l.Backoff)-1)])
		}
		return tx.PutReconciliation(c)
	})
}

func inWords(t payment.DayTotals) string {
	return fmt.Sprintf("debits %d of %d, reversed %d of %d, credits %d of %d, reversed %d of %d", t.Debits, t.DebitSum, t.DebitsReversed,
		t.DebitReverseSum, t.Credits, t.CreditSum, t.CreditsReversed, t.CreditRevSum)
}
