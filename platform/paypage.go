package platform

import (
	"context"
	"errors"
	"os"

	"naru/clock"
	"naru/core/bank"
	"naru/core/deposit"
	"naru/engine"
	"naru/web/pay"
)

// pages is what the payment page shows, from the engine and the configuration.
type pages struct {
	engine    *engine.Engine
	clock     clock.Clock
	merchants map[string]pay.Merchant
	banks     bank.Table
	help      string
}

func (c Config) pages(e *engine.Engine, now clock.Clock, banks bank.Table) (pages, error) {
	p := pages{engine: e, clock: now, merchants: map[string]pay.Merchant{}, banks: banks, help: c.Pay.Help}
	for _, m := range c.Merchants {
		x := pay.Merchant{Name: m.Name, Colour: m.Brand}
		if m.Logo != "" {
			var err error
			if x.Logo, err = os.ReadFile(c.file(m.Logo)); err != nil {
				return p, err
			}
		}
		p.merchants[m.ID] = x
	}
	return p, nil
}

// shown is what a payer is told where an order stands so (ui: states of the payment page).
var shown = map[deposit.State]pay.State{
	deposit.Waiting: pay.Waiting, deposit.Seen: pay.Seen, deposit.Paid: pay.Received, deposit.Expired: pay.Expired,
	deposit.Cancelled: pay.Cancelled, deposit.Failed: pay.Refused, deposit.TakenBack: pay.TakenBack,
}

func stateOf(o deposit.Order) pay.State {
	switch {
	case o.State == deposit.Seen && o.Trouble == deposit.AmountMismatch:
		return pay.OtherAmount
	case o.Trouble != deposit.NoTrouble && (o.State == deposit.Expired || o.State == deposit.Cancelled):
		return pay.Late
	}
	return shown[o.State]
}

// Order implements pay.Orders.
func (p pages) Order(ctx context.Context, link string) (pay.Order, bool, error) {
	o, ok, err := p.engine.DepositByLink(ctx, link)
	if err != nil || !ok {
		return pay.Order{}, false, err
	}
	payer, err := p.engine.PayerOf(o)
	if err != nil {
		return pay.Order{}, false, err
	}
	open := o.State == deposit.Waiting || o.State == deposit.Seen
	return pay.Order{
		Version: o.Version, State: stateOf(o), Merchant: p.merchants[o.Merchant], Number: o.ClientID, Reference: o.Number, Member: o.User,
		Ordered: o.Amount, Transfer: o.Display, Received: o.Real, Code: o.Token,
		Account: pay.Account{Bank: p.named(o.Receiver.Bank), Number: o.Receiver.Number, Holder: o.Receiver.Holder},
		Payer:   payer.Name, PayerBank: p.named(payer.Bank),
		NeedsName: open && p.engine.WaitsForName(o), NeedsRegistration: open && p.engine.WaitsForRegistration(o),
		Expires: o.ExpiresAt, Updated: o.ChangedAt, Done: o.PaidAt, Now: p.clock.Now(), Help: p.help,
	}, true, nil
}

func (p pages) named(code string) pay.Bank {
	if code == "" {
		return pay.Bank{}
	}
	i, ok := p.banks.Lookup(code)
	if !ok { // an unknown code blocks nothing (rails §3.8)
		return pay.Bank{Code: code, Korean: code, English: code, Chinese: code}
	}
	return pay.Bank{Code: i.Code, Korean: i.Korean, English: i.English, Chinese: i.Chinese}
}

// choices are the banks a payer may choose from.
func (p pages) choices() (list []pay.Bank) {
	for _, i := range p.banks.List() {
		if i.Pays {
			list = append(list, pay.Bank{Code: i.Code, Korean: i.Korean, English: i.English, Chinese: i.Chinese})
		}
	}
	return list
}

// NamePayer implements pay.Orders.
func (p pages) NamePayer(ctx context.Context, link string, in pay.Payer) error {
	return refusal(p.engine.NamePayer(ctx, link, deposit.Payer{Name: in.Name, Bank: in.Bank, Account: in.Account}))
}

// Register implements pay.Orders.
func (p pages) Register(ctx context.Context, link string, in pay.Payer) error {
	return refusal(p.engine.RegisterPayer(ctx, link, deposit.Payer{Name: in.Name, Bank: in.Bank, Account: in.Account}))
}

// refusal says what a payer can do about it; an order that took no name any more shows by itself where it stands.
func refusal(err error) error {
	switch {
	case errors.Is(err, engine.RefusedPayer):
		return &pay.Refusal{Field: pay.NameField, Fault: pay.Differs}
	case errors.Is(err, engine.RefusedState):
		return nil
	}
	return err
}

// Changed implements pay.Orders.
func (p pages) Changed(ctx context.Context, link string, seen int64) <-chan struct{} {
	now := make(chan struct{})
	close(now)
	o, ok, err := p.engine.DepositByLink(ctx, link)
	if err != nil || !ok {
		return now
	}
	changed, forget := p.engine.WatchDeposit(o.ID, seen)
	if o, ok, err = p.engine.DepositByLink(ctx, link); err != nil || !ok || o.Version != seen { // it changed before we listened
		forget()
		return now
	}
	context.AfterFunc(ctx, forget)
	return changed
}
