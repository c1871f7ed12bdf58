package engine

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	"naru/core/payment"
	"naru/crash"
	"naru/queue"
)

// Forward is store and forward: it tells the networks what became of holds, each message until it is answered, in order within a payment and
// freely between payments (rails §1.11). Each link has a loop and lanes of its own: a network that does not answer keeps no other waiting. It
// runs until ctx ends and finishes what is under way.
func (e *Engine) Forward(ctx context.Context) error {
	var all sync.WaitGroup
	defer all.Wait()
	for name := range e.links {
		loop := queue.Loop[payment.Advice]{
			Name: "advices",
			Due: func(ctx context.Context, now time.Time, limit int) ([]payment.Advice, error) {
				return e.dueAdvices(ctx, name, now, limit)
			},
			Next:  func(ctx context.Context) (time.Time, bool, error) { return e.earliest(ctx, Reader.NextAdvice) },
			ID:    func(a payment.Advice) string { return a.Reservation }, // one at a time within a payment
			Do:    e.forward,
			Lanes: max(1, e.lanes), Clock: e.clock, Bell: e.Advices[name], Most: e.LookAgain(), Log: e.log.With("acquirer", name),
		}
		all.Go(func() { _ = loop.Run(ctx) })
	}
	return e.keepTelling(ctx, "acquirer", Reader.OwedAdvices, func(name string) bool { _, known := e.links[name]; return known })
}

func (e *Engine) dueAdvices(ctx context.Context, acquirer string, now time.Time, limit int) (due []payment.Advice, err error) {
	err = e.store.View(ctx, func(v Reader) error {
		due, err = v.DueAdvices(acquirer, now, limit)
		return err
	})
	return due, err
}

// strandedEvery is how often it is said that something is owed to, or by, somebody whom the configuration does not know any more.
const strandedEvery = time.Minute

// keepTelling says again and again for whom that is not configured any more something waits: nobody works on it. It runs until ctx ends.
func (e *Engine) keepTelling(ctx context.Context, what string, owed func(Reader) (map[string]int64, error), known func(string) bool) error {
	for {
		e.tellStranded(ctx, what, owed, known)
		if err := e.clock.Sleep(ctx, e.clock.Now().Add(strandedEvery), nil); err != nil {
			return nil
		}
	}
}

func (e *Engine) tellStranded(ctx context.Context, what string, owed func(Reader) (map[string]int64, error), known func(string) bool) {
	var list map[string]int64
	err := e.store.View(ctx, func(v Reader) (err error) {
		list, err = owed(v)
		return err
	})
	if err != nil && ctx.Err() == nil {
		e.log.Error("reading what is owed", "of", what, "error", err)
	}
	for name, n := range list {
		if !known(name) {
			e.log.Error("what is owed waits, because it is not configured any more: put it back", what, name, "owed", n)
		}
	}
}

func (e *Engine) earliest(ctx context.Context, next func(Reader) (time.Time, bool, error)) (at time.Time, ok bool, err error) {
	err = e.store.View(ctx, func(v Reader) error {
		at, ok, err = next(v)
		return err
	})
	return at, ok, err
}

// forward sends one advice once and writes down what came of it. That bytes may leave is on disk before they do: after a crash, or where the
// answer cannot be written down, the next sending is marked as the repeat that it may be (rails §1.11 T3).
func (e *Engine) forward(ctx context.Context, a payment.Advice) error {
	taken := e.clock.Now()
	a, mine, err := e.claim(ctx, a)
	if err != nil || !mine {
		return err
	}
	order, acquirer, err := e.order(ctx, a)
	link, known := e.links[acquirer]
	if err == nil && !known {
		err = fmt.Errorf("acquirer %q is not configured: put it back", acquirer)
	}
	if err != nil {
		e.log.Error("an advice cannot be sent", "advice", a.ID, "reservation", a.Reservation, "error", err)
		return err
	}
	e.crash(crash.AdviceClaimed)
	if e.shared() && !e.clock.Now().Before(taken.Add(e.ClaimTime()/2)) { // this node stood still: it may be another's by now
		return nil
	}
	var reply payment.AdviceReply
	if a.Kind == payment.RefundOrder && a.Sends > 1 { // a request is sent once: what became of the first sending nobody wrote down
		reply = payment.AdviceReply{Verdict: payment.AdviceUnclear, Undo: payment.UndoCrash}
	} else {
		reply = link.Rail.Advise(ctx, order, a.Sends > 1)
	}
	e.crash(crash.AdviceAnswered)
	return e.hear(ctx, acquirer, a, order.About, reply)
}

// hear writes down what the network answered to an advice, over the line or in a file.
func (e *Engine) hear(ctx context.Context, acquirer string, a payment.Advice, about payment.Origin, reply payment.AdviceReply) error {
	link, now := e.links[acquirer], e.clock.Now()
	if reply.Alert != "" {
		e.meter.Unmapped(acquirer, reply.Code)
		e.log.Warn("the network's answer needs a look", "acquirer", acquirer, "code", reply.Code, "alert", reply.Alert)
	}
	var spare payment.Trace // of what the answer may make us send
	var err error
	if collided := reply.Verdict == payment.AdviceCollided && !a.Renewed; collided || about == payment.OfRefund || ends[a.Kind][reply.Verdict] == undo {
		if _, spare, err = e.trace(ctx, acquirer, now); err != nil {
			e.log.Error("an advice's answer cannot be acted upon; it is sent again", "advice", a.ID, "error", err)
			return err
		}
	}
	var opened *Case
	err = e.store.Update(ctx, func(tx Tx) error {
		opened = nil
		if mine, err := e.stillMine(tx, a); err != nil || !mine {
			return err
		}
		opened, err = e.replied(tx, link, a, reply, spare, now)
		return err
	})
	if err != nil {
		e.log.Error("an advice's answer cannot be written down; it is sent again", "advice", a.ID, "error", err)
		return err
	}
	if opened != nil {
		e.reportCase(*opened)
	}
	e.crash(crash.AdviceSettled)
	e.Notices.Ring()
	return nil
}

// claim counts a sending before it happens, and keeps other nodes from the same for the time of a claim. An advice that was settled since it was
// read is left alone.
func (e *Engine) claim(ctx context.Context, a payment.Advice) (fresh payment.Advice, mine bool, err error) {
	now := e.clock.Now()
	err = e.store.Update(ctx, func(tx Tx) error {
		fresh, mine, err = tx.Advice(a.ID)
		if mine = mine && fresh.State == payment.AdviceQueued && !fresh.DueAt.After(now); err != nil || !mine {
			return err
		}
		fresh.Sends++
		claimed := fresh
		if e.shared() {
			claimed.DueAt = now.Add(e.ClaimTime())
		}
		return tx.UpdateAdvice(claimed)
	})
	if err != nil {
		e.log.Error("an advice cannot be claimed", "advice", a.ID, "error", err)
	}
	return fresh, mine, err
}

// stillMine reports whether nobody else has taken an advice since this node did: the count of its sendings is the fence.
func (e *Engine) stillMine(tx Tx, a payment.Advice) (bool, error) {
	if !e.shared() || a.State != payment.AdviceQueued {
		return true, nil
	}
	fresh, ok, err := tx.Advice(a.ID)
	mine := ok && fresh.State == payment.AdviceQueued && fresh.Sends == a.Sends
	if err == nil && !mine {
		e.log.Warn("an advice was taken over by another node while this one waited for its answer", "advice", a.ID)
	}
	return mine, err
}

// order adds to an advice what its message must repeat of the hold.
func (e *Engine) order(ctx context.Context, a payment.Advice) (o payment.AdviceOrder, acquirer string, err error) {
	err = e.store.View(ctx, func(v Reader) error {
		r, _, err := v.Reservation(a.Reservation)
		if err != nil {
			return err
		}
		t, _, err := v.Attempt(a.Attempt)
		if err != nil {
			return err
		}
		acquirer = t.Acquirer
		local := time.UTC
		if account, ok := e.accounts[r.Account]; ok {
			local = account.Location
		}
		o = payment.AdviceOrder{
			Advice: a, Original: t.Trace, Whole: r.Amount, Terminal: t.Terminal, Merchant: t.Merchant, Local: local,
			MCC: r.MCC, Approval: r.Approval,
		}
		if r.Purpose == payment.ToSell {
			o.About = payment.OfSale
		}
		if a.Kind == payment.RefundOrder {
			if err := e.refundOrder(v, r, &o); err != nil {
				return err
			}
		} else if t.Refund != "" {
			o.About, o.Whole, o.Approval = payment.OfRefund, a.Amount, ""
		}
		o.PAN, o.Expiry, err = e.openCard(r.ID, r.Card)
		return err
	})
	return o, acquirer, err
}

// refundOrder adds to an order to pay what its message must repeat of the capture that it gives back.
func (e *Engine) refundOrder(v Reader, r payment.Reservation, o *payment.AdviceOrder) error {
	x, _, err := v.Capture(r.ID)
	if err != nil {
		return err
	}
	o.Captured, o.HeldRRN, o.Text, o.Whole, o.Approval = x.DoneAt, x.RRN, "REFUND", o.Amount, ""
	if o.About == payment.OfSale {
		sale, _, err := v.Attempt(r.AttemptID)
		o.Original = sale.Trace
		return err
	}
	completion, _, err := v.AdviceOf(r.AttemptID, payment.Completion)
	o.Original = completion.Trace
	return err
}

// An end is what the network's reply does to an advice.
type end uint8

const (
	again  end = iota // send it again later
	done              // the network has it
	gone              // the network knows no such hold
	revoke            // the authorisation was withdrawn
	stop              // a person must look
	refuse            // a request was refused for good
	undo              // a request may have been booked: it must be undone
)

// ends is rails §1.11 T4, T5 and T11 and §1.10 as a table: what a reply means depends on what was said.
var ends = map[payment.AdviceKind]map[payment.AdviceVerdict]end{
	payment.Reversal: {
		payment.AdviceAccepted: done, payment.AdviceUnknown: gone, payment.AdviceRevoked: gone, payment.AdviceRefused: stop,
		payment.AdviceCollided: stop,
	},
	payment.ReleaseRest: {
		payment.AdviceAccepted: done, payment.AdviceUnknown: done, payment.AdviceRevoked: done, payment.AdviceRefused: stop,
		payment.AdviceCollided: stop,
	},
	payment.RefundOrder: { // nothing is ever sent twice: what did not come is undone
		payment.AdviceAccepted: done, payment.AdviceDeclined: refuse, payment.AdviceUnclear: undo, payment.AdviceSilent: undo,
		payment.AdviceLater: undo, payment.AdviceCollided: undo, payment.AdviceUnknown: stop, payment.AdviceRevoked: stop,
		payment.AdviceRefused: stop,
	},
	payment.Completion: {
		payment.AdviceAccepted: done, payment.AdviceUnknown: gone, payment.AdviceRevoked: revoke, payment.AdviceRefused: stop,
		payment.AdviceCollided: stop,
	},
}

// replied writes what came of one sending.
func (e *Engine) replied(tx Tx, l Link, a payment.Advice, reply payment.AdviceReply, spare payment.Trace, now time.Time) (*Case, error) {
	now = now.UTC()
	a.Code = reply.Code
	if reply.Verdict == payment.AdviceNotSent {
		a.Sends--
	}
	what := ends[a.Kind][reply.Verdict]
	if reply.Verdict == payment.AdviceCollided && !a.Renewed && what != undo { // our number was taken: once more with a new one
		spare.RRN = a.Trace.RRN
		a.Trace, a.Renewed, a.Sends, a.DueAt = spare, true, 0, now
		return nil, tx.UpdateAdvice(a)
	}
	if what == gone && a.Kind == payment.Reversal && a.Reason != payment.UndoCancel {
		if a.Lost++; a.Lost == 1 {
			a.DueAt = now.Add(l.Overtaken)
			return nil, tx.UpdateAdvice(a)
		}
	}
	if a.State == payment.AdviceBatched && (what == again || what == undo) { // refused for now: in the next file
		a.File, a.Line = "", 0
		return nil, tx.UpdateAdvice(a)
	}
	switch what {
	case again:
		was := a.DueAt.Sub(a.CreatedAt)
		a.DueAt = now.Add(l.Backoff[min(max(0, a.Sends-1), len(l.Backoff)-1)])
		for _, alarm := range l.Alarms {
			if age := a.DueAt.Sub(a.CreatedAt); age >= alarm && was < alarm { // due times: no alarm falls between
				e.log.Error("the network has not answered an advice", "advice", a.ID, "kind", a.Kind, "age", age.Round(time.Second), "sends", a.Sends)
			}
		}
		if err := tx.UpdateAdvice(a); err != nil || a.Kind != payment.RefundOrder || a.Sends > 0 {
			return nil, err
		}
		return nil, e.givesWay(tx, a, now)
	case stop:
		a.State = payment.AdviceStopped
		if err := tx.UpdateAdvice(a); err != nil {
			return nil, err
		}
		return openCase(tx, "advice-refused", a, now)
	}
	r, ok, err := tx.Reservation(a.Reservation)
	if err != nil {
		return nil, err
	}
	if !ok {
		panic("engine: an advice without its reservation")
	}
	if a.Kind == payment.Completion && what == gone && now.Before(latest(r)) { // not expired, yet unknown: no verdict fits (rails §1.10)
		a.State = payment.AdviceStopped
		if err := tx.UpdateAdvice(a); err != nil {
			return nil, err
		}
		return openCase(tx, "capture-unknown", a, now)
	}
	a.State = payment.AdviceDone
	if err := tx.UpdateAdvice(a); err != nil {
		return nil, err
	}
	c := change{actor: "acquirer", at: now, detail: "code=" + a.Code}
	switch a.Kind {
	case payment.Completion:
		return nil, e.completed(tx, r, a, what, cmp.Or(reply.Day, e.dayOf(r.Account, now)), c)
	case payment.RefundOrder:
		return nil, e.refundReplied(tx, a, reply, what, spare, now)
	case payment.Reversal:
		t, _, err := tx.Attempt(a.Attempt)
		if err != nil {
			return nil, err
		}
		if t.Refund != "" {
			return nil, e.refundUndone(tx, l, a, reply, what, spare, now)
		}
		return nil, e.reversed(tx, r, t, cmp.Or(reply.Day, e.dayOf(r.Account, now)), what, c)
	}
	return nil, nil
}

// openCase writes that only a person can resolve what the network answered to an advice. Its id comes from what happened: stumbling upon it twice
// opens one case, a refusal of a later sending another.
func openCase(tx Tx, kind string, a payment.Advice, at time.Time) (*Case, error) {
	c := Case{
		ID: fmt.Sprintf("%s/%s/%d", kind, a.ID, a.Sends), Kind: kind, Payment: a.Reservation, Subject: "advice/" + a.ID,
		Detail: "kind=" + string(a.Kind) + " code=" + a.Code, At: at,
	}
	return &c, tx.OpenCase(c)
}

// latest is when the network's own hold ends.
func latest(r payment.Reservation) time.Time {
	if !r.HostUntil.IsZero() {
		return r.HostUntil
	}
	return r.HoldUntil
}

// completed is the end of a capture.
func (e *Engine) completed(tx Tx, r payment.Reservation, a payment.Advice, what end, day string, c change) error {
	x, ok, err := tx.Capture(r.ID)
	if err != nil {
		return err
	}
	if !ok {
		panic("engine: a completion without its capture")
	}
	t, _, err := tx.Attempt(a.Attempt)
	if err != nil {
		return err
	}
	outcome := map[end]struct {
		reservation payment.Event
		attempt     payment.AttemptEvent
	}{
		done:   {payment.Confirm, payment.AttemptComplete},
		gone:   {payment.Lapse, payment.AttemptVanish},
		revoke: {payment.Revoke, payment.AttemptVanish},
	}[what]
	if err := e.attempt(tx, t, outcome.attempt, c.at); err != nil {
		return err
	}
	if what == done {
		x.Day = day
	}
	return e.finishCapture(tx, r, x, outcome.reservation, c, a.Code)
}

// reversed is the end of a reversal: the network confirmed that nothing is held, or taken, any more.
func (e *Engine) reversed(tx Tx, r payment.Reservation, t payment.Attempt, day string, what end, c change) (err error) {
	if r.Purpose == payment.ToSell && r.State == payment.Reversing && what == done { // it had been booked, and the network counts both
		t.UndoneDay = day
	}
	if err := e.attempt(tx, t, payment.AttemptUndone, c.at); err != nil {
		return err
	}
	switch r.State {
	case payment.Reversing, payment.Declined, payment.Verified:
		_, err = e.step(tx, r, payment.Undo, c)
		return err
	case payment.CancelPending, payment.Expired, payment.CaptureFailed:
		if _, err = e.step(tx, r, payment.Release, c); err != nil {
			return err
		}
	}
	if r.State != payment.CancelPending {
		return nil
	}
	waiting, err := tx.OpenCancels(r.ID)
	if err != nil {
		return err
	}
	for _, x := range waiting {
		if err := e.finishCancel(tx, x, c.at); err != nil {
			return err
		}
	}
	return nil
}
