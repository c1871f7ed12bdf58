package engine

import (
	"context"
	"fmt"
	"time"

	"naru/core/fault"
	"naru/core/ledger"
	"naru/core/money"
	"naru/core/payout"
	"naru/crash"
)

// PayoutAsk asks to pay out of a merchant's balance to a bank account (merchant-gateway §8).
type PayoutAsk struct {
	Merchant  string
	Service   string
	ClientID  string
	Amount    money.Amount
	Target    payout.Target
	NotifyURL string // empty: nobody is told
	SignType  string
	// Confirm, where set, is asked before anything is recorded, outside any transaction; its error stops the payout (merchant-gateway §11).
	Confirm func(context.Context) error
}

// CreatePayout takes a payout on, or refuses. A refused one has no number and can be asked for again under the same one.
//
// What happens to the money when nobody answers: amount and fee were frozen, and the payout on disk, before the caller heard of it. It goes to
// the bank afterwards, under one name for ever; until the bank has said or booked what became of it, it stays open and nothing is released.
func (e *Engine) CreatePayout(ctx context.Context, ask PayoutAsk) (m MerchantPayout, err error) {
	service, ok := e.merchants[ask.Merchant].payout(ask.Service)
	switch {
	case !ok:
		return m, RefusedUnopened
	case service.Closed:
		return m, RefusedClosed
	}
	if err := service.Limits.bounds(ask.Amount); err != nil {
		return m, err
	}
	if err := e.banks[service.Bank].Rail.Check(payout.Order{Amount: ask.Amount, Target: ask.Target}); err != nil {
		return m, fmt.Errorf("%w: %w", RefusedBank, err)
	}
	fee := service.Fee.of(ask.Amount)
	if err := e.store.View(ctx, func(v Reader) error { return payable(v, ask, fee) }); err != nil {
		return m, unavailableUnlessRefused(err)
	}
	if ask.Confirm != nil {
		if err := ask.Confirm(ctx); err != nil {
			return m, err
		}
	}
	n, err := e.payoutNumbers.take(ctx, e.store)
	if err != nil {
		return m, unavailable(err)
	}
	now := e.clock.Now()
	err = e.store.Update(ctx, func(tx Tx) error {
		if err := tx.Guard("payout/" + ask.Merchant); err != nil { // two payouts must not both see money that is there for one
			return err
		}
		if err := payable(tx, ask, fee); err != nil { // others have asked meanwhile
			return err
		}
		p := payout.Payout{Purpose: payout.ForMerchant, Account: ask.Merchant, Bank: service.Bank, RequestID: ask.ClientID, Amount: ask.Amount, Fee: fee}
		first := payout.Asked
		if service.Review != nil && !service.Review.Exceeds(ask.Amount) {
			first = payout.Reviewed
		}
		p, err := e.takePayout(tx, p, ask.Target, first, change{actor: "merchant", at: now})
		if err != nil {
			return err
		}
		m = MerchantPayout{Payout: p, Number: fmt.Sprintf("POT%08d", n), Service: service.ID, NotifyURL: ask.NotifyURL, SignType: ask.SignType}
		if err := tx.InsertMerchantPayout(m); err != nil || first == payout.Asked {
			return err
		}
		return e.openNow(tx, Case{
			ID: "payout-review/" + p.ID, Kind: "payout-review", Payment: p.ID, At: now,
			Detail: fmt.Sprintf("merchant=%s number=%s amount=%s: approve or cancel it", ask.Merchant, m.Number, p.Amount),
		})
	})
	if err != nil {
		return m, unavailableUnlessRefused(err)
	}
	e.crash(crash.TransferAccepted)
	e.Payouts.Ring()
	return m, nil
}

// payable is why a payout is refused: its number was used, or the balance does not cover it.
func payable(v Reader, ask PayoutAsk, fee money.Amount) error {
	if _, used, err := v.PayoutByRequest(Key{ask.Merchant, ask.ClientID}); err != nil {
		return err
	} else if used {
		return RefusedDuplicate
	}
	owed, err := v.Balance(ledger.Account{Kind: ledger.MerchantPayable, Owner: ask.Merchant}, ask.Amount.Currency())
	if err == nil && -owed < ask.Amount.Plus(fee).Minor() {
		err = RefusedBalance
	}
	return err
}

// takePayout writes a new payout that nobody waits for: it is sent by the loop.
func (e *Engine) takePayout(tx Tx, p payout.Payout, target payout.Target, first payout.State, c change) (payout.Payout, error) {
	p.ID, p.State, p.Version, p.Limit, p.CreatedAt, p.ChangedAt = newID(), first, 1, money.New(0, p.Amount.Currency()), c.at, c.at
	if p.Fee.Currency() != p.Amount.Currency() {
		p.Fee = money.New(0, p.Amount.Currency())
	}
	if first == payout.Asked {
		p.DueAt = c.at
	}
	var err error
	if p.Target, err = e.vault.Seal(encodeTarget(target), targetPlace(p.ID)); err != nil {
		return p, err
	}
	if p.Print, err = e.vault.Digest("request", []byte(p.RequestID)); err != nil {
		return p, err
	}
	c.detail = "amount=" + p.Amount.String() + " fee=" + p.Fee.String()
	j, err := e.entry(&p, "", "ask", c)
	if err != nil {
		return p, err
	}
	if err := tx.InsertPayout(p); err != nil {
		return p, err
	}
	return p, e.write(tx, j, []ledger.Posting{p.TakenOn()})
}

// ended does what follows from a payout's end for whom it was made, beside the money.
func (e *Engine) ended(tx Tx, p payout.Payout, c change, tell bool) error {
	switch p.Purpose {
	case payout.ForGoogle:
		if tell {
			return tx.InsertNotice(payoutNotice(p, c.at))
		}
	case payout.ForMerchant:
		m, ok, err := tx.MerchantPayout(p.ID)
		if err != nil || !ok || m.NotifyURL == "" {
			return err
		}
		return tx.InsertNotice(Notice{
			ID: noticeID(TransferResult, p.ID), Kind: TransferResult, Account: p.Account, Subject: m.Number + "/" + string(p.State),
			Result: string(p.State), Code: p.Code, CreatedAt: c.at, Facts: Facts{OwnID: p.ID},
		})
	case payout.ForSender:
		if p.State == payout.Refused || p.State == payout.Cancelled {
			return e.notGivenBack(tx, p, c)
		}
	}
	return nil
}

// ApprovePayout lets a payout go that waited for a person.
func (e *Engine) ApprovePayout(ctx context.Context, id, note string) error {
	return e.judgePayout(ctx, id, note, payout.Approve)
}

// CancelPayout ends a payout of which nothing has left the house, because a person says so.
func (e *Engine) CancelPayout(ctx context.Context, id, note string) error {
	return e.judgePayout(ctx, id, note, payout.Cancel)
}

func (e *Engine) judgePayout(ctx context.Context, id, note string, ev payout.Event) error {
	if note == "" {
		return fault.New(fault.Invalid, "say in a note why")
	}
	now := e.clock.Now()
	err := e.store.Update(ctx, func(tx Tx) error {
		p, ok, err := tx.Payout(id)
		if err != nil {
			return err
		}
		if !ok {
			return ErrNotFound
		}
		if _, may := payout.Rules.Next(p.State, ev); !may || p.Purpose == payout.ForGoogle || ev == payout.Cancel && p.AttemptID != "" {
			return fault.New(fault.Precondition, "the payout is %s: that is not possible any more", p.State)
		}
		c := change{actor: "operator", at: now, detail: "note=" + note}
		if p.DueAt = now; ev == payout.Cancel {
			p.DueAt, p.DoneAt = time.Time{}, now
		}
		if p, err = e.advance(tx, p, ev, c); err != nil {
			return err
		}
		if _, err := tx.CloseCase("payout-review/"+p.ID, note, now); err != nil || !p.State.Final() {
			return err
		}
		return e.ended(tx, p, c, true)
	})
	if err == nil {
		e.Payouts.Ring()
		e.Notices.Ring()
	}
	return err
}

// MerchantPayouts lists a merchant's payouts, newest first, and how many there are in all.
func (e *Engine) MerchantPayouts(ctx context.Context, p Page) (list []MerchantPayout, total int64, err error) {
	err = e.store.View(ctx, func(v Reader) error {
		list, total, err = v.MerchantPayouts(p)
		return err
	})
	if err != nil {
		err = unavailable(err)
	}
	return list, total, err
}

// MerchantPayoutByClient finds a payout by its merchant's number.
func (e *Engine) MerchantPayoutByClient(ctx context.Context, merchant, clientID string) (m MerchantPayout, ok bool, err error) {
	err = e.store.View(ctx, func(v Reader) error {
		m, ok, err = v.MerchantPayoutByClient(merchant, clientID)
		return err
	})
	if err != nil {
		err = unavailable(err)
	}
	return m, ok, err
}

// MerchantPayout finds a payout by our own name of it.
func (e *Engine) MerchantPayout(ctx context.Context, id string) (m MerchantPayout, ok bool, err error) {
	err = e.store.View(ctx, func(v Reader) error {
		m, ok, err = v.MerchantPayout(id)
		return err
	})
	if err != nil {
		err = unavailable(err)
	}
	return m, ok, err
}
