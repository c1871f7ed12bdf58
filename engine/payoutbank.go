package engine

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	"naru/core/fault"
	"naru/core/ledger"
	"naru/core/money"
	"naru/core/payout"
	"naru/crash"
	"naru/queue"
)

// enquire asks a bank. That a question was not sent, or must wait, says nothing of the order.
func enquire(r PayoutRail, ctx context.Context, o payout.Order) payout.Answer {
	said := r.Enquire(ctx, o)
	if said.Verdict == payout.NotSent || said.Verdict == payout.Later {
		said.Verdict = payout.Unknown
	}
	return said
}

// order is what a bank must be told of an attempt, always the same.
func (e *Engine) payoutOrder(p payout.Payout, a payout.Attempt) (payout.Order, error) {
	o := payout.Order{Key: a.ID, Reference: a.Reference, BankID: a.BankID, Amount: p.Amount, FirstSent: a.FirstSent}
	var err error
	if o.Target, err = e.openTarget(p); err != nil {
		return o, err
	}
	o.Body, err = e.vault.Open(a.Body, bodyPlace(a.ID))
	return o, err
}

// send sends an attempt once, outside any transaction, and writes down what came of it. Its answer is the caller's, if he is still there and
// it is final.
func (e *Engine) send(ctx context.Context, p payout.Payout, a payout.Attempt, h *hearer) ([]byte, error) {
	return e.call(ctx, p, a, h, PayoutRail.Pay)
}

func (e *Engine) call(
	ctx context.Context, p payout.Payout, a payout.Attempt, h *hearer, do func(PayoutRail, context.Context, payout.Order) payout.Answer,
) ([]byte, error) {
	bank, known := e.banks[a.Bank]
	order, err := e.payoutOrder(p, a)
	if err == nil && !known {
		err = fmt.Errorf("payout bank %q is not configured, and still has unfinished business: put it back", a.Bank)
	}
	if err != nil {
		e.log.Error("the payout bank cannot be asked", "payout", p.ID, "error", err)
		return nil, unavailable(err)
	}
	said := do(bank.Rail, ctx, order)
	e.crash(crash.PayoutAnswered)
	return e.heard(ctx, p.ID, a.ID, said, "bank", h)
}

// heard writes down what a bank said of an attempt.
func (e *Engine) heard(ctx context.Context, id, attempt string, said payout.Answer, actor string, h *hearer) (answer []byte, err error) {
	if said.Alert != "" {
		e.log.Warn("the payout bank's answer needs a look", "payout", id, "status", said.Status, "code", said.Code, "alert", said.Alert)
	}
	now := e.clock.Now()
	var p payout.Payout
	err = e.store.Update(ctx, func(tx Tx) error {
		answer = nil
		var a payout.Attempt
		var ok [2]bool
		if p, ok[0], err = tx.Payout(id); err != nil {
			return err
		}
		if a, ok[1], err = tx.PayoutAttempt(attempt); err != nil {
			return err
		}
		if ok != [2]bool{true, true} {
			panic("engine: an answer about a payout or an attempt that is not there")
		}
		before := p.State
		if p, err = e.apply(tx, p, a, said, change{actor: actor, at: now}, !h.waits()); err != nil {
			return err
		}
		if h != nil && p.State.Final() && !before.Final() {
			answer, err = e.result(tx, h.turn, h.ask, p)
		}
		return err
	})
	if err != nil {
		e.log.Error("what the payout bank said cannot be written down; it is asked again", "payout", id, "error", err)
		return nil, unavailable(err)
	}
	if said.Alert != "" {
		e.meter.Unmapped(p.Bank, said.Code)
	}
	e.crash(crash.PayoutSettled)
	if p.State.Final() {
		e.waiting.tell(Key{p.Account, p.RequestID})
		e.Notices.Ring()
	} else {
		e.Payouts.Ring()
	}
	return answer, nil
}

// effects is what a bank's verdict does to a payout and to its attempt. What is empty does nothing.
var effects = map[payout.Verdict]struct {
	payout  payout.Event
	attempt payout.AttemptEvent
	weak    bool // it says nothing against what is known already
}{
	payout.Unknown:   {payout.Lose, "", true},
	payout.NotSent:   {payout.Withhold, "", true},
	payout.Later:     {payout.Withhold, "", true},
	payout.Absent:    {payout.Lose, "", true},
	payout.Open:      {"", payout.AttemptTake, true},
	payout.Queued:    {"", payout.AttemptTake, true},
	payout.InDoubt:   {payout.Deem, payout.AttemptTake, true},
	payout.TakenBack: {payout.Revert, payout.AttemptTake, true},
	payout.Credited:  {payout.Confirm, payout.AttemptPay, false},
	payout.Rejected:  {payout.Refuse, payout.AttemptFail, false},
	payout.Failed:    {payout.Bounce, payout.AttemptFail, false},
	payout.Misfit:    {payout.Bounce, payout.AttemptFail, false},
	payout.CameBack:  {payout.Return, payout.AttemptReturn, false},
}

// apply is what follows from a bank's answer about an attempt: the payout, the attempt, the money, what is owed to tell, and when somebody
// must look again. A contradiction changes nothing and is for a person.
func (e *Engine) apply(
	tx Tx, p payout.Payout, a payout.Attempt, said payout.Answer, c change, tell bool,
) (_ payout.Payout, err error) {
	bank := e.banks[p.Bank]
	does := effects[said.Verdict]
	if said.Verdict == payout.CameBack && a.State != payout.AttemptPaid && a.State != payout.AttemptReturned { // it never was credited
		does = effects[payout.Failed]
		if said.Reason != payout.NoReason {
			does = effects[payout.Rejected]
		}
	}
	person := said.Verdict == payout.Misfit || said.Verdict == payout.Rejected && said.Reason == payout.NoReason
	if person { // not paid, and not the payee's fault: nobody may order it anew but a person
		does = effects[payout.Misfit]
	}
	// This sending did nothing; what an earlier one did it may not know: a bank that cannot be asked may judge the day or the funds of the second
	// message before it sees that it has taken the first.
	_, asked := bank.Rail.(PayoutBooks)
	doubt := a.Sends > 1 && (said.Verdict == payout.Misfit || said.Verdict == payout.Failed && !asked && said.Status != byHand)
	if doubt {
		does = effects[payout.Unknown]
	}
	openNow := func(kind, detail string) error {
		x := Case{
			ID: kind + "/" + a.ID, Kind: kind, Payment: p.ID, Subject: "payout/" + p.ID, At: c.at,
			Detail: fmt.Sprintf("attempt=%d status=%s code=%s %s", a.N, said.Status, said.Code, detail),
		}
		if kind == "payout-contradiction" { // each one stops what is going on, and must be heard
			x.ID = fmt.Sprintf("%s/%s/%d/%d", kind, a.ID, p.Attempts, p.Version)
		}
		return e.openNow(tx, x)
	}
	switch {
	case said.Amount.IsPositive() && said.Amount != p.Amount:
		return p, openNow("payout-contradiction", "amount="+said.Amount.String())
	case said.BankID != "" && a.BankID != "" && said.BankID != a.BankID:
		return p, openNow("payout-contradiction", "the bank has two orders under one reference")
	}
	current := a.ID == p.AttemptID
	if a.State == payout.AttemptOpen && does.attempt == "" { // the bank has it: that nobody answers now says nothing
		does.payout = ""
	}
	if does.payout == payout.Withhold && a.Sends > 1 { // this sending did nothing; an earlier one may have
		does.payout = payout.Lose
	}
	nextAttempt, mayAttempt := payout.AttemptRules.Next(a.State, does.attempt)
	nextPayout, mayPayout := payout.Rules.Next(p.State, does.payout)
	switch {
	case does.attempt != "" && !mayAttempt, current && does.payout != "" && !mayPayout:
		proven := a.State == payout.AttemptFailed && a.Status == absent && does.attempt == payout.AttemptTake // and here it is
		if does.weak && !proven || a.State == payout.AttemptFailed && does.attempt == payout.AttemptFail {
			return p, nil // a weak word, heard late, changes nothing; so does a strong one that was heard before
		}
		if p.State == payout.Waiting && !p.DueAt.IsZero() { // nothing new leaves before a person has looked
			p.DueAt, p.Version = time.Time{}, p.Version+1
			err = mustChange(tx.UpdatePayout(p))
		}
		if err == nil {
			err = openNow("payout-contradiction", "state="+string(p.State))
		}
		return p, err
	case p.State == payout.Asked && does.attempt == payout.AttemptTake: // it is sent again under its key, and tells then
		return p, nil
	case !current && does.attempt != payout.AttemptFail && does.attempt != "":
		return p, openNow("payout-contradiction", "an attempt that was given up")
	}

	if does.attempt != "" {
		a.State = nextAttempt
	}
	a.BankID, a.UTR, a.Status = cmp.Or(said.BankID, a.BankID), cmp.Or(said.UTR, a.UTR), cmp.Or(said.Status, a.Status)
	a.Code = cmp.Or(said.Code, a.Code)
	if does.payout == payout.Withhold {
		a.Sends, a.FirstSent = 0, time.Time{}
	}
	var cost []ledger.Posting
	if does.attempt == payout.AttemptPay && nextPayout != p.State { // once: a difference is the statement's to tell
		if in := p.Amount.Currency(); said.Fees.Currency() == in && said.Tax.Currency() == in {
			a.Fees, a.Tax = said.Fees, said.Tax
			cost = ledger.PayoutCost(p.Bank, a.Fees, a.Tax)
		}
	}
	a.Version++
	if err := mustChange(tx.UpdatePayoutAttempt(a)); err != nil {
		return p, err
	}
	if !current {
		return p, nil
	}
	was := p.State
	if does.payout != "" {
		p.State = nextPayout
	}
	switch {
	case p.State == payout.Returned && was != payout.Returned:
		p.BackAt = c.at
		err = openNow("payout-returned", "the money is back, and no message can tell: amount="+p.Amount.String())
	case p.State.Final():
		p.DueAt = time.Time{}
		if !was.Final() {
			p.DoneAt, p.Scope, p.Code = c.at, said.Scope, said.Code
		}
		if p.State == payout.Refused && !was.Final() {
			p.Reason = said.Reason
			if p.Reason == payout.AboveLimit {
				p.Limit = aboveLimit(e.accounts[p.Account], p.Amount)
			}
		}
	case p.State == payout.Waiting:
		if p.DueAt = c.at.Add(cmp.Or(said.Wait, bank.Again)); person || p.Attempts >= bank.Attempts {
			p.DueAt = time.Time{} // only a person can go on
			err = openNow("payout-stuck", "nothing was paid")
		}
	default:
		p.DueAt = lookAgain(bank, a, c.at)
		if person || doubt {
			err = openNow("payout-misfit", "the bank refuses an order that it may have taken before")
		}
		if said.Verdict == payout.Absent && a.BankID == "" && c.at.After(a.FirstSent.Add(bank.Absent)) {
			err = openNow("payout-absent", "the bank knows no such order; its statement must prove that nothing was paid")
		}
	}
	if err != nil {
		return p, err
	}
	p.State = was // advance takes the step
	if does.payout == "" || nextPayout == was {
		p.Version++
		return p, mustChange(tx.UpdatePayout(p))
	}
	c.detail = fmt.Sprintf("attempt=%d status=%s code=%s", a.N, said.Status, said.Code)
	if p, err = e.advance(tx, p, does.payout, c, cost...); err != nil {
		return p, err
	}
	switch {
	case p.State.Final() && !was.Final():
		err = e.ended(tx, p, c, tell)
	case p.State == payout.Returned && was == payout.Paid && p.Purpose == payout.ForSender:
		err = e.notGivenBack(tx, p, c)
	}
	return p, err
}

// aboveLimit is the most that an account may pay at once; nothing where nobody has said.
func aboveLimit(a Account, asked money.Amount) money.Amount {
	for _, l := range a.Limits {
		if l.Most.Currency() == asked.Currency() && l.Most.IsPositive() {
			return l.Most
		}
	}
	return money.New(0, asked.Currency())
}

// payoutNotice tells of a result that the caller has not been answered with.
func payoutNotice(p payout.Payout, at time.Time) Notice {
	result := "SUCCESS"
	if p.State == payout.Refused {
		result = string(p.Reason)
	}
	return Notice{
		ID: noticeID(PayoutResult, p.ID), Kind: PayoutResult, Account: p.Account, Subject: p.RequestID, Result: result, Code: p.Code, CreatedAt: at,
		Facts: Facts{OwnID: p.ID, Scope: p.Scope, Minor: p.Limit.Minor(), Currency: p.Amount.Currency().Code()},
	}
}

// lookAgain is when an open payout needs somebody: an order that the bank has not acknowledged is sent again a few times, then asked about.
func lookAgain(bank Bank, a payout.Attempt, now time.Time) time.Time {
	if a.State == payout.AttemptPrepared && !a.FirstSent.IsZero() {
		for _, wait := range bank.Resend {
			if at := a.FirstSent.Add(wait); at.After(now) {
				return at
			}
		}
		if int(a.Sends) <= len(bank.Resend) && now.Before(a.FirstSent.Add(bank.ResendFor)) { // nobody was there when it should have been sent
			return now.Add(bank.Resend[0])
		}
	}
	return now.Add(bank.Look[min(int(a.Asks), len(bank.Look)-1)])
}

// KeepPaying works on payouts that are open: it sends again, asks, and begins new attempts where nothing moved. Each bank has a loop and lanes
// of its own. It runs until ctx ends.
func (e *Engine) KeepPaying(ctx context.Context) error {
	var all sync.WaitGroup
	for name := range e.banks {
		loop := queue.Loop[payout.Payout]{
			Name: "payouts",
			Due: func(ctx context.Context, now time.Time, limit int) ([]payout.Payout, error) {
				return e.duePayouts(ctx, name, now, limit)
			},
			Next:  func(ctx context.Context) (time.Time, bool, error) { return e.earliest(ctx, Reader.NextPayout) },
			ID:    func(p payout.Payout) string { return p.ID },
			Do:    e.payOn,
			Lanes: 8, Clock: e.clock, Bell: e.Payouts[name], Most: e.LookAgain(), Log: e.log.With("bank", name),
		}
		all.Go(func() { _ = loop.Run(ctx) })
	}
	defer all.Wait()
	return e.keepTelling(ctx, "payout_bank", Reader.OwedPayouts, func(name string) bool { _, known := e.banks[name]; return known })
}

func (e *Engine) duePayouts(ctx context.Context, bank string, now time.Time, limit int) (due []payout.Payout, err error) {
	err = e.store.View(ctx, func(v Reader) error {
		due, err = v.DuePayouts(bank, now, limit)
		return err
	})
	return due, err
}

// payOn does what a payout is due for.
func (e *Engine) payOn(ctx context.Context, due payout.Payout) error {
	now := e.clock.Now()
	bank, known := e.banks[due.Bank]
	if !known {
		err := fmt.Errorf("payout bank %q is not configured, and still has unfinished business: put it back", due.Bank)
		e.log.Error("a payout cannot be worked on", "payout", due.ID, "error", err)
		return err
	}
	covered := e.covered(due.Bank, due.Amount)
	var p payout.Payout
	var a payout.Attempt
	act := enquire
	mine, told := false, true // told: the order was sent before
	var before payout.Payout
	var next time.Time
	err := e.store.Update(ctx, func(tx Tx) error {
		var ok bool
		var err error
		mine, told, before = false, true, payout.Payout{}
		if p, ok, err = tx.Payout(due.ID); err != nil || !ok || p.State.Final() || p.DueAt.IsZero() || p.DueAt.After(now) {
			return err // done meanwhile
		}
		if p.State == payout.Asked || p.State == payout.Waiting {
			if !covered && bank.Guard != NoGuard {
				next = now.Add(bank.FloatEach)
				before, p.DueAt, p.Version = p, next, p.Version+1
				return mustChange(tx.UpdatePayout(p))
			}
			p, a, err = e.prepare(tx, bank, p, change{actor: "clock", at: now})
			act, mine, told = PayoutRail.Pay, err == nil, false
			return err
		}
		if a, _, err = tx.PayoutAttempt(p.AttemptID); err != nil {
			return err
		}
		again := a.State == payout.AttemptPrepared && int(a.Sends) <= len(bank.Resend) && now.Before(a.FirstSent.Add(bank.ResendFor))
		if again { // the same key, the same bytes
			act = PayoutRail.Pay
			a.Sends++
		} else {
			a.Asks++
			if err := e.tellSilence(tx, bank, p, a, now); err != nil {
				return err
			}
		}
		a.Version++
		if err := mustChange(tx.UpdatePayoutAttempt(a)); err != nil {
			return err
		}
		next = lookAgain(bank, a, now)
		before, p.DueAt, p.Version = p, next, p.Version+1 // also where the answer is lost
		mine = true
		return mustChange(tx.UpdatePayout(p))
	})
	if err != nil {
		e.log.Error("a payout cannot be worked on", "payout", due.ID, "error", err)
		return err
	}
	e.alarm(bank, before, next)
	if !mine {
		return nil
	}
	if !told {
		e.spend(p.Bank, p.Amount)
	}
	e.crash(crash.PayoutClaimed)
	_, err = e.call(ctx, p, a, nil, act)
	return err
}

// tellSilence opens a case for an order that a bank which cannot be asked has never spoken of: only a person can find out.
func (e *Engine) tellSilence(tx Tx, bank Bank, p payout.Payout, a payout.Attempt, now time.Time) error {
	if _, tells := bank.Rail.(PayoutBooks); tells || a.State != payout.AttemptPrepared || now.Before(a.FirstSent.Add(bank.Absent)) {
		return nil
	}
	return e.openNow(tx, Case{
		ID: "payout-silent/" + a.ID, Kind: "payout-silent", Payment: p.ID, Subject: "payout/" + p.ID, At: now,
		Detail: fmt.Sprintf("attempt=%d reference=%s amount=%s: ask the bank, and say what it did with naru payouts settle", a.N, a.Reference, p.Amount),
	})
}

// SettlePayout writes down what a person has learnt from the bank about an order that is open: it was paid, or certainly never will be. What
// was not paid for Google is tried again; anybody else's payout ends.
func (e *Engine) SettlePayout(ctx context.Context, id string, paid bool, note string) error {
	if note == "" {
		return fault.New(fault.Invalid, "say in a note what the bank said, and who did")
	}
	now := e.clock.Now()
	var key Key
	err := e.store.Update(ctx, func(tx Tx) error {
		p, ok, err := tx.Payout(id)
		if err != nil {
			return err
		}
		if !ok {
			return ErrNotFound
		}
		key = Key{p.Account, p.RequestID}
		switch p.State {
		case payout.Sent, payout.Unclear, payout.Reversing, payout.Deemed:
		default:
			return fault.New(fault.Precondition, "the payout is %s: there is nothing to settle", p.State)
		}
		a, ok, err := tx.PayoutAttempt(p.AttemptID)
		if err != nil || !ok {
			return err
		}
		said := payout.Answer{Verdict: payout.Credited, Status: byHand}
		if !paid {
			said = payout.Answer{Verdict: payout.Rejected, Reason: payout.Declined, Status: byHand}
			if p.Purpose == payout.ForGoogle {
				said = payout.Answer{Verdict: payout.Failed, Status: byHand}
			}
		}
		if _, err = e.apply(tx, p, a, said, change{actor: "operator", at: now}, true); err != nil {
			return err
		}
		told := Case{ // where it was no case, it is one now, and closed: the note stays
			ID: "payout-silent/" + a.ID, Kind: "payout-silent", Payment: p.ID, Subject: "payout/" + p.ID, At: now, Detail: "settled by hand",
		}
		if err := tx.OpenCase(told); err != nil {
			return err
		}
		_, err = tx.CloseCase(told.ID, note, now)
		return err
	})
	if err == nil {
		e.waiting.tell(key)
		e.Notices.Ring()
		e.Payouts.Ring()
	}
	return err
}

// byHand is the status of an order that a person has learnt the end of.
const byHand = "by hand"

// alarm tells the operators of a payout that will have been open for too long when it is looked at next.
func (e *Engine) alarm(bank Bank, p payout.Payout, next time.Time) {
	if p.ID == "" { // nothing was put off
		return
	}
	was, will := p.DueAt.Sub(p.CreatedAt), next.Sub(p.CreatedAt)
	for _, alarm := range bank.Alarms {
		if will >= alarm && was < alarm { // due times: no alarm falls between
			e.log.Error("a payout is still open", "payout", p.ID, "state", p.State, "age", will.Round(time.Second))
		}
	}
}

// PayoutNews takes what a bank told by itself. It is on disk when this returns without an error. Whatever order messages come in, what cannot
// follow from what is known is asked about before it is believed.
func (e *Engine) PayoutNews(ctx context.Context, bank string, news payout.News) error {
	ctx = context.WithoutCancel(ctx)
	var a payout.Attempt
	var p payout.Payout
	var ok bool
	err := e.store.View(ctx, func(v Reader) (err error) {
		if a, ok, err = v.PayoutAttemptByReference(bank, news.Reference); err != nil || !ok {
			return err
		}
		p, _, err = v.Payout(a.Payout)
		return err
	})
	switch {
	case err != nil:
		return err
	case !ok:
		e.log.Warn("the payout bank tells of an order that is not ours", "bank", bank, "event", news.ID)
		return nil
	}
	said := news.Answer
	does := effects[said.Verdict]
	_, may := payout.AttemptRules.Next(a.State, does.attempt)
	if does.attempt != "" && !may && !does.weak { // late, or wrong: the bank's own record decides
		_, err = e.call(ctx, p, a, nil, enquire)
		return err
	}
	_, err = e.heard(ctx, p.ID, a.ID, said, "bank", nil)
	return err
}

func (e *Engine) openCaseNow(ctx context.Context, c Case) error {
	return e.store.Update(ctx, func(tx Tx) error { return e.openNow(tx, c) })
}

// RefusePayout ends a payout that certainly moved nothing and would be tried again, because a person says so (disburse v1 OP-2).
func (e *Engine) RefusePayout(ctx context.Context, id string, why payout.Reason, note string) error {
	now := e.clock.Now()
	switch why {
	case payout.Closed, payout.OnHold, payout.ClosedFraud, payout.ClosedStolen, payout.Declined:
	default:
		return fault.New(fault.Invalid, "%q is no reason to refuse a payout", why)
	}
	if note == "" {
		return fault.New(fault.Invalid, "say in a note why the payout is refused")
	}
	var key Key
	err := e.store.Update(ctx, func(tx Tx) error {
		p, ok, err := tx.Payout(id)
		if err != nil {
			return err
		}
		if !ok {
			return ErrNotFound
		}
		if p.State != payout.Waiting && (p.State != payout.Asked || p.AttemptID != "") {
			return fault.New(fault.Precondition, "the payout is %s: nobody may end it by hand", p.State)
		}
		if (p.Purpose == payout.ForGoogle) == (why == payout.Declined) { // each purpose has its own words
			return fault.New(fault.Invalid, "%q is no reason to refuse this payout", why)
		}
		p.Reason, p.DoneAt, p.DueAt = why, now, time.Time{}
		if p, err = e.advance(tx, p, payout.Refuse, change{actor: "operator", at: now, detail: "why=" + string(why)}); err != nil {
			return err
		}
		key = Key{p.Account, p.RequestID}
		return e.ended(tx, p, change{actor: "operator", at: now}, true)
	})
	if err != nil {
		return err
	}
	e.waiting.tell(key)
	e.Notices.Ring()
	return nil
}

// waiting is who waits for something to happen, such as for a payout to end.
type waiting[K comparable] struct {
	mu   sync.Mutex
	list map[K]map[chan struct{}]bool
}

// join waits; the channel is closed when it has happened.
func (w *waiting[K]) join(k K) (happened chan struct{}, forget func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.list == nil {
		w.list = map[K]map[chan struct{}]bool{}
	}
	if w.list[k] == nil {
		w.list[k] = map[chan struct{}]bool{}
	}
	happened = make(chan struct{})
	w.list[k][happened] = true
	return happened, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if delete(w.list[k], happened); len(w.list[k]) == 0 {
			delete(w.list, k)
		}
	}
}

func (w *waiting[K]) tell(keys ...K) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, k := range keys {
		for happened := range w.list[k] {
			close(happened)
			delete(w.list[k], happened)
		}
	}
}
