package engine

import (
	"context"
	"fmt"
	"time"

	"naru/core/money"
	"naru/core/payment"
	"naru/core/settlement"
	"naru/crash"
)

// item notes that the newest event of a payment's journal is to be settled with the counterparty, with our fee on it.
func (e *Engine) item(tx Tx, r payment.Reservation, k settlement.Kind, subject, ownID, link string, charge money.Amount, at time.Time) error {
	i := settlement.Item{
		Payment: r.ID, EventN: r.Chain.Length, Account: r.Account, Kind: k, Day: e.dayOf(r.Account, at), Subject: subject, OwnID: ownID,
		Link: link, Charge: charge, At: at,
	}
	i.Fee, i.VAT = e.accounts[r.Account].terms(charge.Currency()).Price(k, charge)
	return tx.InsertItem(i)
}

// chargeHold notes the fee on a hold that never became a payment, and on a card check that reserves, where the contract knows one. A settlement
// has no name for a check that leaves nothing (Korea Cards v1 §6.3).
func (e *Engine) chargeHold(tx Tx, before, after payment.Reservation, ev payment.Event, j JournalEvent) error {
	if e.accounts[after.Account].terms(after.Amount.Currency()).ReserveFixed == 0 {
		return nil
	}
	if ev != payment.Verify && !(after.Purpose == payment.ToPay && before.Held && !after.Held && ev != payment.Confirm) {
		return nil
	}
	none := money.New(0, after.Amount.Currency())
	return e.item(tx, after, settlement.FundsReservation, after.RequestID, after.ID, "", none, j.At)
}

// settleGrace is how long after the end of a business day its settlement is made: what was under way at midnight has its say.
const settleGrace = 5 * time.Minute

// Settle makes the settlement of every account when its business day is over. It runs until ctx ends.
func (e *Engine) Settle(ctx context.Context) error {
	for {
		next, err := e.settleDue(ctx)
		if err != nil && ctx.Err() == nil {
			e.log.Error("a settlement cannot be made; it is tried again", "error", err)
			next = e.clock.Now().Add(time.Minute)
		}
		if err := e.clock.Sleep(ctx, next, nil); err != nil {
			return nil
		}
	}
}

// settleDue settles what is over, and says when the next business day will be.
func (e *Engine) settleDue(ctx context.Context) (next time.Time, err error) {
	now := e.clock.Now()
	next = now.Add(day)
	for _, a := range e.accounts {
		if a.SettleBy == SettleNever {
			continue
		}
		today := now.Add(-settleGrace).In(a.Location)
		_, end, err := settlement.Period(settlement.DayOf(now.Add(-settleGrace), a.Location), a.Location)
		if err != nil {
			return next, err
		}
		if at := end.Add(settleGrace); at.Before(next) {
			next = at
		}
		for _, in := range a.Currencies {
			first, err := e.unsettled(ctx, a, in)
			if err != nil {
				return next, err
			}
			for ; !first.IsZero() && first.Format("20060102") < today.Format("20060102"); first = first.AddDate(0, 0, 1) {
				if err := e.settleDay(ctx, a, in, first.Format("20060102")); err != nil {
					return next, err
				}
			}
		}
	}
	return next, nil
}

// unsettled is the first business day that has no settlement; zero where nothing ever happened. Days on which nobody was there to settle are
// made good one by one.
func (e *Engine) unsettled(ctx context.Context, a Account, in money.Currency) (first time.Time, err error) {
	err = e.store.View(ctx, func(v Reader) error {
		last, some, err := v.LastSettlement(a.ID, in.Code())
		if err != nil {
			return err
		}
		if some {
			first, _, err = settlement.Period(last.Day, a.Location)
			first = first.AddDate(0, 0, 1)
			return err
		}
		oldest, some, err := v.OldestItem(a.ID, in.Code())
		if err != nil || !some {
			return err
		}
		first, _, err = settlement.Period(oldest, a.Location)
		return err
	})
	return first, err
}

// settleDay closes an account's settlement of a business day. A day that is settled already, or lies before the last settled one, is left
// alone. Everything that happened up to the end of the day and has no settlement is in it.
func (e *Engine) settleDay(ctx context.Context, a Account, in money.Currency, upTo string) error {
	now := e.clock.Now()
	start, end, err := settlement.Period(upTo, a.Location)
	if err != nil {
		return fmt.Errorf("settlement: %q is no day", upTo)
	}
	made := false
	err = e.store.Update(ctx, func(tx Tx) error {
		made = false
		last, some, err := tx.LastSettlement(a.ID, in.Code())
		if err != nil || some && last.Day >= upTo {
			return err
		}
		if some {
			start = last.End
		}
		total, err := tx.OpenItemsTotal(a.ID, in.Code(), upTo)
		if err != nil {
			return err
		}
		if total.Items == 0 && (a.SkipEmptyDays || !some) { // the very first one has something to say
			return nil
		}
		s := settlement.Settlement{
			ID: fmt.Sprintf("naru-stl-%s-%s-%s", upTo, in.Code(), newID()), Account: a.ID, Currency: in, Day: upTo, Start: start, End: end, ClosedAt: now,
			Totals: total, State: settlement.Closed, Parts: 1,
		}
		if size := int64(a.PartSize); a.SettleBy == SettleByNotice && total.Items > size {
			s.Parts = (total.Items + size - 1) / size
		}
		if err := tx.InsertSettlement(s); err != nil {
			return err
		}
		n, err := tx.AssignItems(s.ID, a.ID, in.Code(), upTo)
		if err != nil {
			return err
		}
		if n != total.Items {
			panic("engine: a settlement whose items changed within its transaction")
		}
		c := change{actor: "clock", at: now, detail: fmt.Sprintf("items=%d net=%s", n, s.Net)}
		if _, err := e.enter(tx, a.ID, "settlement/"+s.ID, "settle", string(s.State), s.Close(), c); err != nil {
			return err
		}
		made = true
		return e.announce(tx, a, s, now)
	})
	if err != nil {
		return err
	}
	if made {
		e.crash(crash.SettlementClosed)
		e.Notices.Ring()
	}
	return nil
}

// announce owes the counterparty a settlement: in parts, or as a file.
func (e *Engine) announce(tx Tx, a Account, s settlement.Settlement, now time.Time) error {
	kind, n := SettlementPart, s.Parts
	if a.SettleBy == SettleByFile {
		kind, n = SettlementFile, 1
	}
	for part := range n {
		id := fmt.Sprintf("%s/%d", s.ID, part)
		err := tx.InsertNotice(Notice{
			ID: fmt.Sprintf("%s-%d", s.ID, part), Kind: kind, Account: a.ID, Subject: id, Facts: Facts{OwnID: s.ID, Part: part}, CreatedAt: now,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// PaySettlement writes that the money of a settlement moved, as a person or the bank says. Saying it twice changes nothing.
func (e *Engine) PaySettlement(ctx context.Context, id, reference, actor string) error {
	now := e.clock.Now()
	return e.store.Update(ctx, func(tx Tx) error {
		s, ok, err := tx.Settlement(id)
		if err != nil {
			return err
		}
		if !ok {
			return ErrNotFound
		}
		if s.State == settlement.Paid {
			return nil
		}
		s.State, s.Reference, s.PaidAt = settlement.Paid, reference, now
		if err := tx.UpdateSettlement(s); err != nil {
			return err
		}
		_, err = e.enter(tx, s.Account, "settlement/"+s.ID, "pay", string(s.State), s.Pay(), change{actor: actor, at: now})
		return err
	})
}
