package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"naru/core/fault"
	"naru/core/money"
	"naru/core/payment"
	"naru/crash"
)

// Reserve asks the network to hold money on a card, to take it in one message (a sale), or only whether the card is good, and answers what it
// said, for ever.
//
// What happens to the money when nobody answers: an attempt that was on disk and is not known to have failed is reversed, always; the caller
// hears Unavailable, and a repeat makes a fresh attempt once the network has confirmed that nothing is held (design §3.1).
func (e *Engine) Reserve(ctx context.Context, t Turn, ask ReserveAsk) ([]byte, error) {
	ctx = context.WithoutCancel(ctx)                  // a caller that hangs up cancels nothing
	r, a, order, answer, err := e.accept(ctx, t, ask) // transaction 1: key, payment, attempt
	if err != nil || answer != nil {
		return answer, err
	}
	points := crashes[order.Purpose == payment.ToSell]
	e.crash(points.accepted)
	out := payment.Outcome{Verdict: payment.NotSent} // where this node was away so long that others have given the attempt up
	if e.lives() {
		out = e.links[a.Acquirer].Rail.Authorise(ctx, order) // the network, outside any transaction
	}
	e.crash(points.sent)
	answer, err = e.settle(ctx, t, ask, r, a, out) // transaction 2: event, state, money, answer
	if err == nil {
		e.crash(points.settled)
	}
	return answer, err
}

// crashes is where the process may die, of sales and of everything else.
var crashes = map[bool]struct{ accepted, sent, settled crash.Point }{
	false: {crash.ReserveAccepted, crash.ReserveSent, crash.ReserveSettled},
	true:  {crash.SaleAccepted, crash.SaleSent, crash.SaleSettled},
}

// accept writes the intent before the network hears of it. Where the answer is known without the network, it writes and gives that instead.
func (e *Engine) accept(ctx context.Context, t Turn, ask ReserveAsk) (
	r payment.Reservation, a payment.Attempt, o payment.AuthOrder, answer []byte, err error,
) {
	o = ask.Order
	account := e.accounts[t.request.Account]
	now := e.clock.Now()
	number, trace, err := e.trace(ctx, account.Acquirer, now)
	if err != nil {
		return r, a, o, nil, err
	}
	o.Trace, o.Terminal = trace, account.Terminals[int(number%int64(len(account.Terminals)))]
	o.Merchant, o.Local = account.Merchant, account.Location
	rail := e.links[account.Acquirer].Rail
	if !o.Purpose.Pays() { // the caller names no amount: the network takes what it takes
		o.Amount = rail.VerifyWith(o.Amount.Currency())
	}
	if o.MCC == "" {
		o.MCC = account.MCC
	}
	decided := cmp.Or(ask.Decided, foreseen(account, rail, o))
	if decided == nil { // what cannot be sent is not stored
		if err := rail.Check(o); err != nil {
			return r, a, o, nil, err
		}
	}
	err = e.store.Update(ctx, func(tx Tx) error {
		answer = nil
		old, again, err := tx.ReservationByRequest(t.request.Key)
		if err != nil {
			return err
		}
		if again && old.State != payment.NotHeld && old.State != payment.Cancelled {
			return fault.New(fault.Unavailable, "an earlier attempt of this request is still being undone")
		}
		c := change{actor: "google", at: now}
		if again && old.State == payment.Cancelled { // cleaned up before it ever had an answer (Korea Cards v1 §4.3)
			c.detail = "cancelled before"
			answer, err = e.decline(tx, t, ask, old, payment.Outcome{Verdict: payment.Refused, Decline: payment.IssuerDeclined}, c)
			return err
		}
		a = payment.Attempt{}
		if decided == nil {
			a = payment.Attempt{
				ID: newID(), State: payment.AttemptPrepared, Version: 1, Acquirer: account.Acquirer, Trace: o.Trace,
				Terminal: o.Terminal, Merchant: o.Merchant,
			}
			c.detail = "stan=" + a.Trace.STAN + " rrn=" + a.Trace.RRN
		}
		if r, err = e.ask(tx, t, old, again, a, o, c); err != nil {
			return err
		}
		if decided != nil {
			c.detail = "not sent"
			answer, err = e.decline(tx, t, ask, r, *decided, c)
			return err
		}
		a.Reservation, o.Reference = r.ID, r.ID
		if err := e.open(tx, t, now, nil); err != nil {
			return err
		}
		return tx.InsertAttempt(a)
	})
	if err != nil {
		if err = unavailable(err); a.ID != "" {
			e.unsent.Store(a.ID, now)
		}
		return r, a, o, nil, err
	}
	return r, a, o, answer, nil
}

// foreseen is a refusal that needs no network: the contract's limits, and a hold where the network knows none.
func foreseen(a Account, rail CardRail, o payment.AuthOrder) *payment.Outcome {
	why := payment.Reason("")
	if o.Purpose.Pays() {
		why = a.refuses(o.Amount)
	}
	if why == "" && o.Purpose != payment.ToSell && o.Amount.IsPositive() && rail.SellsOnly() {
		why = payment.NotAllowed
	}
	if why == "" {
		return nil
	}
	return &payment.Outcome{Verdict: payment.Refused, Decline: why}
}

// ask writes a new reservation, or gives one that holds nothing a fresh attempt with the terms of this asking.
func (e *Engine) ask(tx Tx, t Turn, r payment.Reservation, again bool, a payment.Attempt, o payment.AuthOrder, c change) (payment.Reservation, error) {
	if !again {
		r = payment.Reservation{ID: newID(), Account: t.request.Account, RequestID: t.request.RequestID, State: payment.Pending, Version: 1}
		r.Captured = money.New(0, o.Amount.Currency())
	}
	r.Purpose, r.Amount, r.MCC, r.AttemptID = o.Purpose, o.Amount, o.MCC, a.ID
	r.Approval, r.Code, r.NetworkID, r.LinkID, r.HoldUntil, r.HostUntil = "", "", "", "", time.Time{}, time.Time{}
	if a.ID != "" {
		sealed, err := e.vault.Seal(encodeCard(o.PAN, o.Expiry), cardPlace(r.ID))
		if err != nil {
			return r, err
		}
		r.Card = sealed
	}
	if again {
		return e.step(tx, r, payment.Ask, c)
	}
	event, err := e.record(&r, "", string(payment.Ask), string(r.State), c)
	if err != nil {
		return r, err
	}
	if err := tx.InsertReservation(r, c.at); err != nil {
		return r, err
	}
	return r, e.write(tx, event, nil)
}

// decline answers without the network: the reservation, and the answer for ever.
func (e *Engine) decline(tx Tx, t Turn, ask ReserveAsk, r payment.Reservation, out payment.Outcome, c change) ([]byte, error) {
	answer, err := ask.Encode(ReserveResult{ReservationID: r.ID, Outcome: out})
	if err != nil {
		return nil, err
	}
	if _, err := e.step(tx, r, payment.Decline, c); err != nil {
		return nil, err
	}
	return answer, e.open(tx, t, c.at, answer)
}

// settle writes what the network answered. The attempt's version decides: where somebody else has given it up meanwhile, this answer is late,
// and what it approved is being reversed already.
func (e *Engine) settle(ctx context.Context, t Turn, ask ReserveAsk, r payment.Reservation, a payment.Attempt, out payment.Outcome) ([]byte, error) {
	if out.Alert != "" {
		e.meter.Unmapped(a.Acquirer, out.Code)
		e.log.Warn("the network's answer needs a look", "acquirer", a.Acquirer, "code", out.Code, "alert", out.Alert)
	}
	now := e.clock.Now()
	r.Code, r.Approval, r.NetworkID, r.LinkID, r.HostUntil, a.Code = out.Code, out.Approval, out.NetworkID, out.LinkID, out.HostUntil, out.Code
	result := ReserveResult{ReservationID: r.ID, Outcome: out, SellsOnly: e.links[a.Acquirer].Rail.SellsOnly()}
	switch {
	case out.Verdict != payment.Approved:
	case r.Purpose == payment.ToSell:
		r.HostUntil, result.CaptureID = time.Time{}, newID()
	default:
		r.HoldUntil = now.Add(e.maxHold)
		if r.Purpose == payment.ToVerify { // where the caller never cancels it (Korea Cards v1 §4.5)
			r.HoldUntil = now.Add(e.accounts[r.Account].VerifyHold)
		}
		if !out.HostUntil.IsZero() && out.HostUntil.Before(r.HoldUntil) {
			r.HoldUntil = out.HostUntil
		}
		result.HoldUntil = r.HoldUntil
	}
	var answer []byte
	if settled[out.Verdict].final {
		var err error
		if answer, err = ask.Encode(result); err != nil {
			e.log.Error("the network's answer has no words in the caller's protocol", "reservation", r.ID, "code", out.Code, "error", err)
			out = unspeakable(out, err)
		}
	}
	undo := out.Undo
	if out.Verdict == payment.Approved && r.Purpose == payment.ToCheck && r.Amount.IsPositive() {
		undo = payment.UndoCancel // this network can only check with money: it goes back at once (Korea Cards v1 §4.8)
	}
	if undo == "" && out.Verdict == payment.Unclear {
		undo = payment.UndoSilence
	}
	var trace payment.Trace // of the reversal, if there is to be one
	if undo != "" {
		var err error
		if _, trace, err = e.trace(ctx, a.Acquirer, now); err != nil {
			return nil, err // the attempt stays prepared: recovery reverses it
		}
	}
	v := settled[out.Verdict]
	if out.Verdict == payment.Approved {
		v.event, v.attempt = approved(r)
	}
	c := change{actor: "acquirer", at: now, detail: "code=" + out.Code, keepCard: undo != ""}
	err := e.store.Update(ctx, func(tx Tx) error {
		var err error
		if undo == "" {
			err = e.attempt(tx, a, v.attempt, now)
		} else {
			err = e.reverse(tx, a, payment.AttemptLose, r.Amount, undo, trace, now)
		}
		if err != nil {
			return err
		}
		if v.event == payment.Sell {
			err = e.sell(tx, r, a, Capture{ID: result.CaptureID, Key: t.request.Key, Day: cmp.Or(out.Day, e.dayOf(r.Account, now))}, c)
		} else {
			_, err = e.step(tx, r, v.event, c)
		}
		if err != nil {
			return err
		}
		if !v.final { // errors are never stored: a repeat is judged afresh (gsp-core §4.1 I7)
			return tx.DeleteIdempotency(t.request.Key)
		}
		return e.close(tx, t.request.Key, answer, now)
	})
	switch {
	case errors.Is(err, errRaced):
		e.log.Warn("an answer came after its attempt was given up", "reservation", r.ID)
		if out.Verdict == payment.Approved {
			e.approvedLate(ctx, r, a)
		}
		return nil, fault.New(fault.Unavailable, "the attempt was given up")
	case err != nil:
		return nil, unavailable(err) // the attempt stays prepared: recovery reverses it
	}
	if undo != "" {
		e.meter.Reversed(undo)
		e.Advices.Ring()
	}
	if out.Verdict == payment.Approved && !r.HoldUntil.IsZero() {
		e.ends(r.HoldUntil)
	}
	if v.final {
		return answer, nil
	}
	return nil, noVerdict(out)
}

// approvedLate is that the network approved an attempt that was given up meanwhile. The reversal that is under way undoes it. Where the network
// has answered that reversal already, because this node stood still between its intent and its sending, nothing would: a person must.
func (e *Engine) approvedLate(ctx context.Context, r payment.Reservation, a payment.Attempt) {
	late := Case{
		ID: "late-approval/" + a.ID, Kind: "late-approval", Payment: r.ID, Subject: "attempt/" + a.ID, At: e.clock.Now(),
		Detail: "stan=" + a.Trace.STAN + " rrn=" + a.Trace.RRN + " amount=" + r.Amount.String() + ": approved after its reversal was over; have it released",
	}
	opened := false
	err := e.store.Update(ctx, func(tx Tx) error {
		opened = false
		undo, ok, err := tx.AdviceOf(a.ID, payment.Reversal)
		if err != nil || !ok || undo.State == payment.AdviceQueued {
			return err
		}
		opened = true
		return tx.OpenCase(late)
	})
	if err != nil {
		e.log.Error("an approval that came late cannot be written down", "reservation", r.ID, "error", err)
	}
	if opened {
		e.reportCase(late)
	}
}

// unspeakable is what an outcome becomes that cannot be told: a refusal is no verdict, and an approval is given back.
func unspeakable(out payment.Outcome, err error) payment.Outcome {
	out.Fault, out.Detail = fault.Of(err)
	if out.Verdict == payment.Approved || out.Undo != "" {
		out.Verdict = payment.Unclear
		return out
	}
	out.Verdict = payment.NothingHeld
	return out
}

// settled is what each verdict does to the reservation and its attempt, and whether the caller gets an answer for ever.
var settled = map[payment.Verdict]struct {
	event   payment.Event
	attempt payment.AttemptEvent
	final   bool
}{
	payment.Approved:    {payment.Approve, payment.AttemptApprove, true},
	payment.Refused:     {payment.Decline, payment.AttemptDecline, true},
	payment.NotSent:     {payment.Void, payment.AttemptFail, false},
	payment.NothingHeld: {payment.Void, payment.AttemptFail, false},
	payment.Unclear:     {payment.Lose, payment.AttemptLose, false},
}

// approved is what an approval makes of a reservation and its attempt: a card check may hold nothing.
func approved(r payment.Reservation) (payment.Event, payment.AttemptEvent) {
	ev := map[payment.Purpose]payment.Event{
		payment.ToPay: payment.Approve, payment.ToSell: payment.Sell, payment.ToVerify: payment.Verify, payment.ToCheck: payment.Pass,
	}[r.Purpose]
	switch {
	case r.Purpose == payment.ToSell:
		return ev, payment.AttemptBook
	case r.Amount.IsZero():
		return ev, payment.AttemptPass
	}
	return ev, payment.AttemptApprove
}

// noVerdict is what the caller hears where the network decided nothing.
func noVerdict(out payment.Outcome) error {
	if out.Code == "" {
		return fault.New(fault.Unavailable, "the card network gave no answer")
	}
	return fault.New(out.Fault, "%s", out.Detail)
}

// trace gives the next message of a link its number and names.
func (e *Engine) trace(ctx context.Context, acquirer string, at time.Time) (int64, payment.Trace, error) {
	link, ok := e.links[acquirer]
	if !ok {
		err := fmt.Errorf("acquirer %q is not configured, and still has unfinished business: put it back", acquirer)
		return 0, payment.Trace{}, fault.Wrap(fault.Unavailable, err, "")
	}
	n, err := e.numbers[acquirer].take(ctx, e.store)
	if err != nil {
		return 0, payment.Trace{}, unavailable(err)
	}
	return n, link.Rail.Trace(n, at), nil
}

// acquirerOf is the link over which a request's reservation was asked for. A reservation stays with it when its account moves to another.
func (e *Engine) acquirerOf(ctx context.Context, k Key) (name string, err error) {
	err = e.store.View(ctx, func(v Reader) error {
		r, ok, err := v.ReservationByRequest(k)
		if err != nil || !ok {
			return err
		}
		a, _, err := v.Attempt(r.AttemptID)
		name = a.Acquirer
		return err
	})
	if err != nil {
		return "", unavailable(err)
	}
	return cmp.Or(name, e.accounts[k.Account].Acquirer), nil
}

// attempt moves an attempt on from the version that the caller saw.
func (e *Engine) attempt(tx Tx, a payment.Attempt, ev payment.AttemptEvent, at time.Time) error {
	next, ok := payment.AttemptRules.Next(a.State, ev)
	if !ok {
		return errRaced
	}
	a.State = next
	a.Version++
	if ok, err := tx.UpdateAttempt(a, at); err != nil {
		return err
	} else if !ok {
		return errRaced
	}
	return nil
}

// reverse gives a hold back: the attempt's new state and the message that the network must hear, in one transaction (rails §1.11 T2).
func (e *Engine) reverse(
	tx Tx, a payment.Attempt, ev payment.AttemptEvent, whole money.Amount, why payment.UndoReason, trace payment.Trace, at time.Time,
) error {
	if err := e.attempt(tx, a, ev, at); err != nil {
		return err
	}
	return tx.InsertAdvice(advice(a, payment.Reversal, whole, why, trace, at))
}

// advice is a message about a hold, due at once. It has its own audit number and the reference of the hold.
func advice(a payment.Attempt, k payment.AdviceKind, m money.Amount, why payment.UndoReason, trace payment.Trace, at time.Time) payment.Advice {
	trace.RRN = a.Trace.RRN
	return payment.Advice{
		ID: newID(), Reservation: a.Reservation, Attempt: a.ID, Kind: k, State: payment.AdviceQueued, Trace: trace, Reason: why, Amount: m,
		CreatedAt: at, DueAt: at,
	}
}
