package engine

import (
	"context"
	crypto "crypto/rand"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"naru/core/card"
	"naru/core/deposit"
	"naru/core/fault"
	"naru/core/money"
	"naru/core/payment"
	"naru/crash"
	"naru/names"
	"naru/queue"
)

// DepositAsk asks for an order that a transfer can pay.
type DepositAsk struct {
	Merchant   string
	Service    string
	ClientID   string
	User       string
	Generation deposit.Generation
	Amount     money.Amount
	Payer      deposit.Payer // what of it is known
	NotifyURL  string
	SignType   string
}

// CreateDeposit opens an order, or refuses. A refused one has no number and can be asked for again under the same one.
//
// What happens to the money when nobody answers: the order was on disk, with its amount reserved, before the caller heard of it. Whoever lost
// the answer finds the order by its number; money that comes for it is placed all the same.
func (e *Engine) CreateDeposit(ctx context.Context, ask DepositAsk) (o deposit.Order, err error) {
	m, ok := e.merchants[ask.Merchant]
	service, open := m.deposit(ask.Service)
	switch {
	case !ok || !open:
		return o, RefusedUnopened
	case service.Closed:
		return o, RefusedClosed
	}
	if err := service.Limits.bounds(ask.Amount); err != nil {
		return o, err
	}
	n, err := e.depositNumbers.take(ctx, e.store)
	if err != nil {
		return o, unavailable(err)
	}
	now, link := e.clock.Now(), crypto.Text() // 130 bits: a link cannot be guessed
	var touched []string
	create := func(tx Tx) error {
		touched = nil
		o = deposit.Order{
			ID: newID(), Number: fmt.Sprintf("PM%08d", n), Link: link, Merchant: ask.Merchant, Service: service.ID, ClientID: ask.ClientID,
			User: ask.User, Generation: ask.Generation, State: deposit.Waiting, Version: 1, Amount: ask.Amount, Display: ask.Amount,
			Real: nothing, Fee: nothing, NotifyURL: ask.NotifyURL, SignType: ask.SignType,
			CreatedAt: now, ChangedAt: now, ExpiresAt: now.Add(service.Life), DueAt: now.Add(service.Life + service.Grace),
		}
		if service.Tokens {
			o.Token = newToken()
		}
		payer := ask.Payer
		if payer.Name.IsZero() && ask.User != "" { // a payer who registered is known
			if payer, err = e.registered(tx, ask.Merchant, ask.User); err != nil {
				return err
			}
		}
		print, err := e.sealPayer(&o, payer)
		if err != nil {
			return err
		}
		if err := e.receive(tx, m, service, &o); err != nil {
			return unlessUsed(tx, ask, err)
		}
		j, err := e.orderEvent(&o, "ask", change{actor: "merchant", at: now, detail: "amount=" + o.Amount.String() + " display=" + o.Display.String()})
		if err != nil {
			return err
		}
		if mine, err := tx.InsertOrder(o, print); err != nil {
			return err
		} else if !mine {
			return unlessUsed(tx, ask, errRaced) // else somebody took the amount between our look and our write
		}
		if err := e.write(tx, j, nil); err != nil {
			return err
		}
		o, err = e.claimWaiting(tx, o, change{actor: "clock", at: now, touched: &touched})
		return err
	}
	for range 3 {
		if err = e.store.Update(ctx, create); !errors.Is(err, errRaced) {
			break
		}
	}
	if err != nil {
		return o, unavailableUnlessRefused(err)
	}
	e.crash(crash.DepositAccepted)
	e.dueFrom(o.DueAt)
	if len(touched) > 0 { // money that had come before paid it
		e.changed.tell(touched...)
		e.Notices.Ring()
	}
	return o, nil
}

// unlessUsed is why an order cannot be made: its number was used before, or else why. Nearly every number is new, so nobody looks before.
func unlessUsed(tx Tx, ask DepositAsk, why error) error {
	_, used, err := tx.OrderByClient(ask.Merchant, ask.ClientID)
	switch {
	case err != nil:
		return err
	case used:
		return RefusedDuplicate
	}
	return why
}

func unavailableUnlessRefused(err error) error {
	if refused(err) {
		return err
	}
	return unavailable(err)
}

var nothing = money.New(0, money.Of("KRW"))

// tokenLetters have none that can be taken for another.
const tokenLetters = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"

// newToken is what a payer writes into a transfer: short enough to type, and hardly ever the same as that of another open order.
func newToken() string {
	text := make([]byte, 6)
	for i := range text {
		text[i] = tokenLetters[rand.N(len(tokenLetters))]
	}
	return string(text)
}

// receive finds where an order is to be paid: the first account of the service that can take it.
func (e *Engine) receive(tx Tx, m Merchant, s DepositService, o *deposit.Order) error {
	pauses, err := tx.Pauses()
	if err != nil {
		return err
	}
	for _, id := range s.Receivers {
		r := e.receivers[id]
		if r.Disabled || slices.ContainsFunc(pauses, func(p Pause) bool { return p.Receiver == id }) {
			continue
		}
		if r.MostOpen > 0 {
			if open, err := tx.OpenOrders(id); err != nil {
				return err
			} else if open >= r.MostOpen {
				continue
			}
		}
		if r.DayLimit.IsPositive() {
			came, err := tx.Received(id, startOfDay(o.CreatedAt, m.Location))
			if err != nil {
				return err
			}
			if came+o.Amount.Minor() > r.DayLimit.Minor() {
				continue
			}
		}
		o.Receiver = deposit.Receiver{Account: id, Bank: r.Bank, Number: r.Number, Holder: r.Holder, Branch: r.Branch}
		var found bool
		switch {
		case len(r.Virtual) > 0:
			found, err = giveVirtual(tx, r, o)
		case s.Unique:
			found, err = giveAmount(tx, s, o)
		default:
			found = true
		}
		if err != nil || found {
			return err
		}
	}
	return RefusedPool
}

func startOfDay(at time.Time, in *time.Location) time.Time {
	y, mo, d := at.In(in).Date()
	return time.Date(y, mo, d, 0, 0, 0, 0, in)
}

// giveAmount lowers the amount to be shown until no open order on the account shows it: a random one first, then any (rails §3.7).
func giveAmount(tx Tx, s DepositService, o *deposit.Order) (bool, error) {
	top := o.Amount.Minor()
	bottom := max(1, top-s.Range, s.Limits.Least.Minor())
	taken, err := tx.Reserved(o.Receiver.Account, bottom, top)
	if err != nil {
		return false, err
	}
	busy := map[int64]bool{}
	for _, minor := range taken {
		busy[minor] = true
	}
	size := top - bottom + 1
	first := rand.N(size)
	for i := range size {
		if minor := top - (first+i)%size; !busy[minor] {
			o.Display, o.Reserved = money.New(minor, o.Amount.Currency()), true
			return true, nil
		}
	}
	return false, nil
}

// virtualTries is how many numbers are looked at in a row: those before were given out long ago, so hardly any is in use.
const virtualTries = 64

// giveVirtual gives an order an account number of its own, the one that has rested longest.
func giveVirtual(tx Tx, r Receiver, o *deposit.Order) (bool, error) {
	var size int64
	for _, v := range r.Virtual {
		size += v.size()
	}
	for range min(size, virtualTries) {
		n, err := tx.TakeNumbers("virtual/"+r.ID, 1)
		if err != nil {
			return false, err
		}
		number := r.virtual(n % size)
		busy, err := tx.VirtualInUse(r.ID, number)
		if err != nil {
			return false, err
		}
		if !busy {
			o.Receiver.Number, o.Receiver.Virtual, o.Reserved = number, true, true
			return true, nil
		}
	}
	return false, nil
}

func (v Range) bounds() (first, last int64) {
	first, _ = strconv.ParseInt(v.First, 10, 64) // checked with the configuration
	last, _ = strconv.ParseInt(v.Last, 10, 64)
	return first, last
}

func (v Range) size() int64 {
	first, last := v.bounds()
	return last - first + 1
}

// virtual is the nth virtual account of a receiving account.
func (r Receiver) virtual(n int64) string {
	for _, v := range r.Virtual {
		if n < v.size() {
			first, _ := v.bounds()
			return fmt.Sprintf("%0*d", len(v.First), first+n)
		}
		n -= v.size()
	}
	panic("engine: a virtual account beyond its ranges")
}

// holds reports whether a number is one of the virtual accounts.
func (r Receiver) holds(number string) bool {
	for _, v := range r.Virtual {
		if len(number) == len(v.First) && v.First <= number && number <= v.Last {
			return true
		}
	}
	return false
}

func payerPlace(id string) string { return "deposit_order.payer/" + id }
func registrationPlace(merchant, user string) string {
	return "payer_registration.payer/" + merchant + "/" + user
}

// encodePayer writes who pays; names and accounts hold no line break.
func encodePayer(p deposit.Payer) []byte {
	return []byte(p.Name.Reveal() + "\n" + p.Bank + "\n" + p.Account.Reveal())
}

func decodePayer(plain []byte) (deposit.Payer, error) {
	part := strings.Split(string(plain), "\n")
	if len(part) != 3 {
		return deposit.Payer{}, fmt.Errorf("engine: a sealed payer is broken")
	}
	p := deposit.Payer{Bank: part[1]}
	if part[0] != "" {
		p.Name = card.Conceal(part[0])
	}
	if part[2] != "" {
		p.Account = card.Conceal(part[2])
	}
	return p, nil
}

// sealPayer puts a payer into an order, and gives the digest by which its name is found.
func (e *Engine) sealPayer(o *deposit.Order, p deposit.Payer) (print []byte, err error) {
	o.PayerBank, o.Payer = p.Bank, nil
	if p.Name.IsZero() && p.Bank == "" && p.Account.IsZero() {
		return nil, nil
	}
	if o.Payer, err = e.vault.Seal(encodePayer(p), payerPlace(o.ID)); err != nil {
		return nil, err
	}
	return e.namePrint(p.Name)
}

// namePrint is how orders of a name are found without writing it down: by its beginning, which banks never cut.
func (e *Engine) namePrint(name card.Secret) ([]byte, error) {
	start := names.Start(name.Reveal())
	if start == "" {
		return nil, nil
	}
	return e.vault.Digest("payer-name", []byte(start))
}

func digits(text string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, text)
}

// PayerOf is who an order must be paid by, as far as that is known.
func (e *Engine) PayerOf(o deposit.Order) (deposit.Payer, error) {
	if len(o.Payer) == 0 {
		return deposit.Payer{}, nil
	}
	plain, err := e.vault.Open(o.Payer, payerPlace(o.ID))
	if err != nil {
		return deposit.Payer{}, err
	}
	return decodePayer(plain)
}

func (e *Engine) registered(v Reader, merchant, user string) (deposit.Payer, error) {
	r, ok, err := v.Registration(merchant, user)
	if err != nil || !ok {
		return deposit.Payer{}, err
	}
	plain, err := e.vault.Open(r.Payer, registrationPlace(merchant, user))
	if err != nil {
		return deposit.Payer{}, err
	}
	return decodePayer(plain)
}

// orderEvent makes the next link of an order's journal.
func (e *Engine) orderEvent(o *deposit.Order, event string, c change) (JournalEvent, error) {
	chain := payment.Chain(o.Chain)
	j, err := e.link(&chain, JournalEvent{Payment: o.ID, At: c.at, Event: event, State: string(o.State), Actor: c.actor, Detail: c.detail})
	o.Chain = deposit.Chain(chain)
	return j, err
}

// stepOrder applies an event to an order and writes all that belongs to it: the state, the journal, the money, what the merchant must hear.
func (e *Engine) stepOrder(tx Tx, o deposit.Order, ev deposit.Event, c change) (deposit.Order, error) {
	next, moved, err := o.After(ev)
	if err != nil {
		return o, err
	}
	next.ChangedAt = c.at
	m := e.merchants[o.Merchant]
	service, _ := m.deposit(o.Service)
	tell := false
	switch {
	case next.State == o.State:
	case next.State == deposit.Paid:
		next.PaidAt, next.DueAt, next.Trouble, tell = c.at, time.Time{}, deposit.NoTrouble, true
		if next.Receiver.Virtual && next.Reserved { // what comes late must not find another's order behind this number
			next.DueAt = c.at.Add(service.withDefaults().Quarantine)
		} else {
			next.Reserved = false
		}
	case next.State == deposit.TakenBack:
		tell = m.TellReversals
	case next.State.Final():
		next.DueAt = time.Time{}
		if next.Reserved {
			next.DueAt = c.at.Add(service.withDefaults().Quarantine)
		}
		tell = m.TellEnds
	}
	j, err := e.orderEvent(&next, string(ev), c)
	if err != nil {
		return o, err
	}
	if ok, err := tx.UpdateOrder(next, nil); err != nil {
		return o, err
	} else if !ok {
		return o, errRaced
	}
	if err := e.write(tx, j, moved); err != nil {
		return o, err
	}
	if tell && next.NotifyURL != "" {
		err = tx.InsertNotice(Notice{
			ID: noticeID(DepositResult, next.ID+"/"+string(next.State)), Kind: DepositResult, Account: next.Merchant,
			Subject: next.Number + "/" + string(next.State), Result: string(next.State), CreatedAt: c.at, Facts: Facts{OwnID: next.ID},
		})
	}
	c.touch(o.ID)
	return next, err
}

// touch notes that an order has changed, for whoever looks at it when this is committed.
func (c change) touch(order string) {
	if c.touched != nil {
		*c.touched = append(*c.touched, order)
	}
}

// Deposits lists a merchant's orders, newest first, and how many there are in all.
func (e *Engine) Deposits(ctx context.Context, p Page) (list []deposit.Order, total int64, err error) {
	err = e.store.View(ctx, func(v Reader) error {
		list, total, err = v.Orders(p)
		return err
	})
	if err != nil {
		err = unavailable(err)
	}
	return list, total, err
}

// Deposit finds an order by our own name of it.
func (e *Engine) Deposit(ctx context.Context, id string) (deposit.Order, bool, error) {
	return e.findOrder(ctx, func(v Reader) (deposit.Order, bool, error) { return v.Order(id) })
}

// DepositByClient finds an order by its merchant's number.
func (e *Engine) DepositByClient(ctx context.Context, merchant, clientID string) (deposit.Order, bool, error) {
	return e.findOrder(ctx, func(v Reader) (deposit.Order, bool, error) { return v.OrderByClient(merchant, clientID) })
}

// DepositByLink finds the order of a payment page.
func (e *Engine) DepositByLink(ctx context.Context, link string) (deposit.Order, bool, error) {
	return e.findOrder(ctx, func(v Reader) (deposit.Order, bool, error) { return v.OrderByLink(link) })
}

func (e *Engine) findOrder(ctx context.Context, find func(Reader) (deposit.Order, bool, error)) (o deposit.Order, ok bool, err error) {
	err = e.store.View(ctx, func(v Reader) error {
		o, ok, err = find(v)
		return err
	})
	if err != nil {
		err = unavailable(err)
	}
	return o, ok, err
}

// WaitsForRegistration reports whether the payer of an order must register before it can be paid.
func (e *Engine) WaitsForRegistration(o deposit.Order) bool {
	s, _ := e.merchants[o.Merchant].deposit(o.Service)
	return s.Register && o.User != "" && len(o.Payer) == 0
}

// WaitsForName reports whether somebody must say who pays an order: its service takes money from nobody else.
func (e *Engine) WaitsForName(o deposit.Order) bool {
	s, _ := e.merchants[o.Merchant].deposit(o.Service)
	return s.RealName && len(o.Payer) == 0 && !e.WaitsForRegistration(o)
}

// NamePayer notes who will pay an order, where its merchant has not said. Money that waited for that name is placed at once.
func (e *Engine) NamePayer(ctx context.Context, link string, p deposit.Payer) error {
	return e.tellPayer(ctx, link, p, false)
}

// RegisterPayer notes who a user of a merchant is, for this order and all later ones (merchant-gateway §16).
func (e *Engine) RegisterPayer(ctx context.Context, link string, p deposit.Payer) error {
	return e.tellPayer(ctx, link, p, true)
}

func (e *Engine) tellPayer(ctx context.Context, link string, p deposit.Payer, register bool) error {
	now := e.clock.Now()
	var touched []string
	err := e.store.Update(ctx, func(tx Tx) error {
		touched = nil
		o, ok, err := tx.OrderByLink(link)
		switch {
		case err != nil:
			return err
		case !ok:
			return ErrNotFound
		case o.State != deposit.Waiting && o.State != deposit.Seen:
			return RefusedState
		case len(o.Payer) > 0: // what a merchant or a payer has said is not said anew by whoever has the link
			return RefusedPayer
		case register && o.User == "":
			return RefusedState
		}
		if register {
			if _, known, err := tx.Registration(o.Merchant, o.User); err != nil {
				return err
			} else if known {
				return RefusedPayer
			}
			sealed, err := e.vault.Seal(encodePayer(p), registrationPlace(o.Merchant, o.User))
			if err != nil {
				return err
			}
			if err := tx.PutRegistration(Registration{Merchant: o.Merchant, User: o.User, Payer: sealed, Bank: p.Bank, At: now}); err != nil {
				return err
			}
		}
		print, err := e.sealPayer(&o, p)
		if err != nil {
			return err
		}
		o.ChangedAt = now
		o.Version++
		j, err := e.orderEvent(&o, "name", change{actor: "payer", at: now})
		if err != nil {
			return err
		}
		if ok, err := tx.UpdateOrder(o, print); err != nil {
			return err
		} else if !ok {
			return errRaced
		}
		if err := e.write(tx, j, nil); err != nil {
			return err
		}
		c := change{actor: "clock", at: now, touched: &touched}
		c.touch(o.ID)
		suspecting, err := tx.CreditsSuspecting(o.ID)
		if err != nil {
			return err
		}
		for _, credit := range suspecting {
			if _, err := e.place(tx, credit, false, c); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return unavailableUnlessRefused(err)
	}
	e.changed.tell(touched...)
	e.Notices.Ring()
	e.deposits.Ring()
	return nil
}

// CancelDeposit ends an order that nobody has paid, because an operator says so.
func (e *Engine) CancelDeposit(ctx context.Context, id, note string) error {
	return e.endDeposit(ctx, id, note, deposit.Cancel)
}

// FailDeposit refuses an order whose money was not its, because an operator says so.
func (e *Engine) FailDeposit(ctx context.Context, id, note string) error {
	return e.endDeposit(ctx, id, note, deposit.Fail)
}

func (e *Engine) endDeposit(ctx context.Context, number, note string, ev deposit.Event) error {
	if note == "" {
		return fault.New(fault.Invalid, "say in a note why the order is ended")
	}
	now := e.clock.Now()
	var touched []string
	err := e.store.Update(ctx, func(tx Tx) error {
		touched = nil
		o, ok, err := tx.OrderByNumber(number)
		if err != nil {
			return err
		}
		if !ok {
			return ErrNotFound
		}
		if _, may := deposit.Rules.Next(o.State, ev); !may {
			return fault.New(fault.Precondition, "the order is %s: that is not possible any more", o.State)
		}
		_, err = e.stepOrder(tx, o, ev, change{actor: "operator", at: now, detail: "note=" + note, touched: &touched})
		return err
	})
	if err == nil {
		e.changed.tell(touched...)
		e.Notices.Ring()
		e.deposits.Ring()
	}
	return err
}

// ExpireDeposits ends orders whose time is over, and frees amounts and account numbers that have rested. It runs until ctx ends.
func (e *Engine) ExpireDeposits(ctx context.Context) error {
	loop := queue.Loop[deposit.Order]{
		Name: "deposits",
		Due: func(ctx context.Context, now time.Time, limit int) (due []deposit.Order, err error) {
			err = e.store.View(ctx, func(v Reader) error {
				due, err = v.DueOrders(now, limit)
				return err
			})
			return due, err
		},
		Next: func(ctx context.Context) (time.Time, bool, error) {
			e.nextDue.Store(0) // whoever makes an order meanwhile rings
			at, some, err := e.earliest(ctx, Reader.NextOrder)
			if some {
				e.nextDue.Store(at.UnixMicro())
			}
			return at, some, err
		},
		ID:    func(o deposit.Order) string { return o.ID },
		Do:    e.endOrRest,
		Lanes: 8, Clock: e.clock, Bell: e.deposits, Most: e.LookAgain(), Log: e.log,
	}
	return loop.Run(ctx)
}

// dueFrom tells the loop of an order that is due before all those it knows.
func (e *Engine) dueFrom(at time.Time) {
	if next := e.nextDue.Load(); next == 0 || at.UnixMicro() < next {
		e.deposits.Ring()
	}
}

func (e *Engine) endOrRest(ctx context.Context, due deposit.Order) error {
	now := e.clock.Now()
	var touched []string
	err := e.store.Update(ctx, func(tx Tx) error {
		touched = nil
		o, ok, err := tx.Order(due.ID)
		if err != nil || !ok || o.DueAt.IsZero() || o.DueAt.After(now) {
			return err // done meanwhile
		}
		switch o.State {
		case deposit.Waiting:
			_, err = e.stepOrder(tx, o, deposit.Expire, change{actor: "clock", at: now, touched: &touched})
			return err
		case deposit.Seen: // a person has its money in hand
			o.DueAt = time.Time{}
		default: // it has rested
			o.DueAt, o.Reserved = time.Time{}, false
		}
		o.Version++
		return mustChange(tx.UpdateOrder(o, nil))
	})
	if err != nil {
		e.log.Error("an order's end cannot be written down", "order", due.Number, "error", err)
		return err
	}
	e.changed.tell(touched...)
	e.crash(crash.DepositExpired)
	e.Notices.Ring()
	return nil
}

// WatchDeposit gives a channel that is closed when an order changes from a version, and what forgets it.
func (e *Engine) WatchDeposit(id string, version int64) (changed <-chan struct{}, forget func()) {
	here, forgetHere := e.changed.join(id)
	if !e.shared() {
		return here, forgetHere
	}
	ctx, stop := context.WithCancel(context.Background())
	anywhere := make(chan struct{})
	go func() {
		defer forgetHere()
		e.await(ctx, here, func() (bool, error) {
			o, ok, err := e.Deposit(ctx, id)
			return !ok || o.Version != version, err
		})
		if ctx.Err() == nil {
			close(anywhere)
		}
	}()
	return anywhere, stop
}
