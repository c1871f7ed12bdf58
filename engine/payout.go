package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"naru/core/card"
	"naru/core/fault"
	"naru/core/ledger"
	"naru/core/money"
	"naru/core/payment"
	"naru/core/payout"
	"naru/crash"
)

// A PayoutRail moves money to an account that we do not hold, through a bank that pays for us.
//
// It never guesses: whatever leaves it in doubt is Unknown. NotSent only if no byte can have left the house. It sends exactly the bytes that
// it is given under exactly the key that it is given, and never makes another. It keeps nothing.
type PayoutRail interface {
	// Check says whether the bank can take an order; its error names the field, never its content.
	Check(payout.Order) error
	// Compose makes the bytes of a new order. Pure.
	Compose(payout.Order) ([]byte, error)
	// Pay sends an order. Inside the time for which the bank remembers keys it may be sent again, and is one order.
	Pay(context.Context, payout.Order) payout.Answer
	// Enquire asks what became of an order, by the bank's name for it or else by our reference. It moves nothing.
	Enquire(context.Context, payout.Order) payout.Answer
}

// PayoutBooks is a payout rail that can be asked what it holds for us. One that cannot tells by itself what it booked (rails §3.3).
type PayoutBooks interface {
	// Float is what the bank holds for us.
	Float(context.Context) (payout.Float, error)
	// Statement lists the movements of that money in a time, newest first, as many as limit after the first skip of them.
	Statement(ctx context.Context, from, to time.Time, skip, limit int) ([]payout.StatementLine, error)
}

// Bank is a payout rail and how patient we are with it (rails §2.7). Its zero durations are those of the sheets.
type Bank struct {
	Rail      PayoutRail
	Resend    []time.Duration // after the first sending, while the bank has not answered: the same key, the same bytes
	ResendFor time.Duration   // never later than that: the bank forgets keys
	Look      []time.Duration // waits between questions about an open order; the last one repeats
	Absent    time.Duration   // how long an order may be unknown to the bank until a person hears of it
	Again     time.Duration   // before a new attempt, where the bank names no wait
	Attempts  int64           // how many there are without a person
	Alarms    []time.Duration // ages at which an open payout is an operator's business
	Guard     FloatGuard
	// Validate, where set, is asked about a new address before it is paid (rails §2.4): Rejected with a Reason refuses the payout, anything else
	// says nothing, and it is paid.
	Validate  func(context.Context, payout.Target) payout.Answer
	FloatEach time.Duration // how old what we know of the float may be
}

// FloatGuard is what happens to a payout that the float does not cover.
type FloatGuard string

// The guards.
const (
	NoGuard     FloatGuard = ""       // the bank decides
	GuardRefuse FloatGuard = "refuse" // it is not taken on: the caller hears Unavailable and may ask again
	GuardQueue  FloatGuard = "queue"  // it is taken on and waits for money; the result is told
)

func (b Bank) withDefaults() Bank {
	minutes := func(list ...int) (out []time.Duration) {
		for _, m := range list {
			out = append(out, time.Duration(m)*time.Minute)
		}
		return out
	}
	if b.Resend == nil {
		b.Resend = minutes(1, 2, 5)
	}
	if b.Look == nil { // design §3.11
		b.Look = append([]time.Duration{30 * time.Second}, minutes(2, 5, 10, 15)...)
	}
	if b.Alarms == nil {
		b.Alarms = []time.Duration{time.Hour, day}
	}
	if b.ResendFor == 0 {
		b.ResendFor = day
	}
	if b.Absent == 0 {
		b.Absent = time.Hour
	}
	if b.Again == 0 {
		b.Again = 30 * time.Minute
	}
	if b.Attempts == 0 {
		b.Attempts = 3
	}
	if b.FloatEach == 0 {
		b.FloatEach = time.Minute
	}
	return b
}

// DisburseAsk asks to pay money out.
type DisburseAsk struct {
	Fault  error // what is wrong with the request: heard only where it is new, because an old one is judged by what it was (disburse v1 §11)
	Amount money.Amount
	Target payout.Target
	Encode func(payout.Payout) ([]byte, error) // pure; of a final payout
}

// Disburse pays out once per request, however often it is asked, and answers when the result is final.
//
// What happens to the money when nobody answers: the order was on disk with its key and its bytes before it left. It is sent again under the
// same key while the bank remembers keys, and asked about after that. Until the bank, or its statement, has said what became of it the caller
// hears Unavailable, nothing else is sent, and nothing is stored as an answer; the result is told as soon as it is final (disburse v1 §7).
func (e *Engine) Disburse(ctx context.Context, t Turn, ask DisburseAsk) ([]byte, error) {
	patience := ctx
	ctx = context.WithoutCancel(ctx) // a caller that hangs up stops nothing
	ended, forget := e.waiting.join(t.request.Key)
	defer forget()
	p, a, answer, err := e.takeOn(ctx, t, ask) // transaction 1: payout, attempt, money in flight
	if err != nil || answer != nil {
		return answer, err
	}
	if a.ID != "" {
		e.crash(crash.PayoutAccepted)
		answer, err := e.send(ctx, p, a, &hearer{t, ask, patience}) // the bank, then transaction 2: what it said, money, answer
		if err != nil || answer != nil {
			return answer, err
		}
	}
	wait, stop := context.WithDeadline(patience, answerBy(patience))
	defer stop()
	e.await(wait, ended, func() (final bool, err error) { // somebody else hears how it ends
		err = e.store.View(wait, func(v Reader) error {
			p, _, err := v.PayoutByRequest(t.request.Key)
			final = p.State.Final()
			return err
		})
		return final, err
	})
	return e.recall(ctx, t, ask)
}

// answerBy leaves a little of the caller's time to write the answer down.
func answerBy(ctx context.Context) time.Time {
	until, ok := ctx.Deadline()
	if !ok {
		return time.Now()
	}
	return until.Add(-200 * time.Millisecond)
}

// hearer is a caller who waits: while he does, the answer can be given to him at once, and he need not be told.
type hearer struct {
	turn     Turn
	ask      DisburseAsk
	patience context.Context
}

func (h *hearer) waits() bool { return h != nil && h.patience.Err() == nil }

var errOpen = fault.New(fault.Unavailable, "the payout is not decided yet: ask again with the same requestId")

// recall answers from what is on disk: the result for ever, or that there is none yet.
func (e *Engine) recall(ctx context.Context, t Turn, ask DisburseAsk) (answer []byte, err error) {
	err = e.store.Update(ctx, func(tx Tx) error {
		p, ok, err := tx.PayoutByRequest(t.request.Key)
		if err != nil {
			return err
		}
		if !ok || !p.State.Final() {
			return errOpen
		}
		answer, err = e.result(tx, t, ask, p)
		return err
	})
	if err != nil {
		return nil, unavailable(err)
	}
	return answer, nil
}

// result stores the answer of a payout that is final.
func (e *Engine) result(tx Tx, t Turn, ask DisburseAsk, p payout.Payout) ([]byte, error) {
	answer, err := ask.Encode(p)
	if err != nil {
		return nil, err
	}
	return answer, e.open(tx, t, e.clock.Now(), answer)
}

// takeOn writes the intent before the bank hears of it. Where the answer is known without the bank, it writes and gives that instead; where
// the payout is known and open, it gives that, with the attempt that is to be sent now, if one is.
func (e *Engine) takeOn(ctx context.Context, t Turn, ask DisburseAsk) (p payout.Payout, a payout.Attempt, answer []byte, err error) {
	account := e.accounts[t.request.Account]
	bank, ok := e.banks[account.Bank]
	if !ok {
		return p, a, nil, fault.New(fault.Forbidden, "this account pays nothing out")
	}
	why, unfit, covered := payout.NoReason, ask.Fault, true
	if unfit == nil {
		why = limits[account.refuses(ask.Amount)]
	}
	if unfit == nil && why == payout.NoReason {
		covered = e.covered(account.Bank, ask.Amount)
		if err := bank.Rail.Check(payout.Order{Amount: ask.Amount, Target: ask.Target}); err != nil { // not the payee's fault (disburse v1 §9)
			unfit = fault.Wrap(fault.Unavailable, err, "the payout cannot be sent now")
		}
	}
	var said payout.Answer
	if unfit == nil && why == payout.NoReason && bank.Validate != nil {
		if said, err = e.validated(ctx, bank, t.request.Key, ask.Target); err != nil {
			return p, a, nil, unavailable(err)
		}
		why = said.Reason
	}
	print, err := e.vault.Digest("request", t.request.Content)
	if err != nil {
		return p, a, nil, err
	}
	now := e.clock.Now()
	err = e.store.Update(ctx, func(tx Tx) error {
		a, answer = payout.Attempt{}, nil
		var seen bool
		if p, seen, err = tx.PayoutByRequest(t.request.Key); err != nil {
			return err
		}
		c := change{actor: "google", at: now}
		switch {
		case seen:
			same, err := e.vault.Verify(p.Print, "request", t.request.Content)
			if err != nil {
				return err
			}
			if !same {
				return errReused
			}
			if p.State.Final() {
				answer, err = e.result(tx, t, ask, p)
				return err
			}
			if p.State != payout.Asked {
				return nil // somebody is waiting for the bank
			}
		case unfit != nil:
			return unfit
		case !covered && bank.Guard == GuardRefuse:
			return fault.New(fault.Unavailable, "the payout cannot be covered now")
		default:
			if p, err = e.takeNew(tx, t, ask, account, print, c); err != nil {
				return err
			}
			if why != payout.NoReason {
				p.Reason, p.DoneAt, p.DueAt, p.Scope, p.Code = why, now, time.Time{}, said.Scope, said.Code
				p.Limit = limitOf(account, why, ask.Amount.Currency())
				if p, err = e.advance(tx, p, payout.Refuse, change{actor: "clock", at: now, detail: "why=" + string(why)}); err != nil {
					return err
				}
				answer, err = e.result(tx, t, ask, p)
				return err
			}
		}
		if !covered && bank.Guard == GuardQueue {
			return nil // the loop looks again
		}
		p, a, err = e.prepare(tx, bank, p, c)
		return err
	})
	if err != nil {
		if ask.Fault == nil && errors.Is(err, unfit) {
			e.log.Error("the payout bank cannot take an order that is good", "account", account.ID, "error", err)
		}
		return p, a, nil, unavailable(err)
	}
	if a.ID != "" {
		e.spend(p.Bank, p.Amount)
	}
	e.Payouts.Ring()
	return p, a, answer, nil
}

// validated asks whether somebody has an address, of a request that is new: an old one is judged by what it was.
func (e *Engine) validated(ctx context.Context, bank Bank, k Key, to payout.Target) (said payout.Answer, err error) {
	seen := false
	err = e.store.View(ctx, func(v Reader) error {
		_, seen, err = v.PayoutByRequest(k)
		return err
	})
	if err != nil || seen {
		return said, err
	}
	if said = bank.Validate(ctx, to); said.Verdict != payout.Rejected {
		said = payout.Answer{}
	}
	return said, nil
}

// limits says a limit of the account in the words of payouts.
var limits = map[payment.Reason]payout.Reason{payment.BelowAmountLimit: payout.BelowLimit, payment.AboveAmountLimit: payout.AboveLimit}

// limitOf is the limit that an amount broke.
func limitOf(a Account, why payout.Reason, c money.Currency) money.Amount {
	for _, l := range a.Limits {
		switch {
		case l.Least.Currency() != c:
		case why == payout.BelowLimit:
			return l.Least
		case why == payout.AboveLimit:
			return l.Most
		}
	}
	return money.Amount{}
}

// takeNew writes a new payout: from now on its amount is in flight.
func (e *Engine) takeNew(tx Tx, t Turn, ask DisburseAsk, account Account, print []byte, c change) (p payout.Payout, err error) {
	p = payout.Payout{
		ID: newID(), Account: account.ID, Bank: account.Bank, RequestID: t.request.RequestID, State: payout.Asked, Version: 1, Amount: ask.Amount,
		Limit: money.New(0, ask.Amount.Currency()), Fee: money.New(0, ask.Amount.Currency()), Print: print, CreatedAt: c.at, ChangedAt: c.at,
		DueAt: c.at.Add(e.banks[account.Bank].Look[0]),
	}
	if p.Target, err = e.vault.Seal(encodeTarget(ask.Target), targetPlace(p.ID)); err != nil {
		return p, err
	}
	c.detail = "amount=" + p.Amount.String()
	j, err := e.entry(&p, "", "ask", c)
	if err != nil {
		return p, err
	}
	if err := tx.InsertPayout(p); err != nil {
		return p, err
	}
	return p, e.write(tx, j, []ledger.Posting{p.TakenOn()})
}

func targetPlace(id string) string { return "payout.target/" + id }
func bodyPlace(id string) string   { return "payout_attempt.body/" + id }

// encodeTarget writes to whom money goes: an address and a text, or, after an empty line, a bank account, its holder and a text. Neither
// addresses nor accounts nor names hold a line break.
func encodeTarget(t payout.Target) []byte {
	if t.VPA.IsZero() {
		return []byte("\n" + t.Bank + "\n" + t.Number.Reveal() + "\n" + t.Name.Reveal() + "\n" + t.Text)
	}
	return []byte(t.VPA.Reveal() + "\n" + t.Text)
}

func (e *Engine) openTarget(p payout.Payout) (t payout.Target, err error) {
	plain, err := e.vault.Open(p.Target, targetPlace(p.ID))
	if err != nil {
		return t, err
	}
	vpa, text, ok := strings.Cut(string(plain), "\n")
	if ok && vpa != "" {
		return payout.Target{VPA: card.Conceal(vpa), Text: text}, nil
	}
	part := strings.SplitN(text, "\n", 4)
	if !ok || len(part) != 4 {
		return t, fmt.Errorf("engine: the sealed target of %s is broken", p.ID)
	}
	return payout.Target{Bank: part[0], Number: card.Conceal(part[1]), Name: card.Conceal(part[2]), Text: part[3]}, nil
}

// entry makes the next link of a payout's journal.
func (e *Engine) entry(p *payout.Payout, object, event string, c change) (JournalEvent, error) {
	chain := payment.Chain(p.Chain)
	j, err := e.link(&chain, JournalEvent{
		Payment: p.ID, At: c.at, Object: object, Event: event, State: string(p.State), Actor: c.actor, Detail: c.detail,
	})
	p.Chain = payout.Chain(chain)
	return j, err
}

// advance applies an event to a payout and writes all that belongs to it, with more money that moves beside it.
func (e *Engine) advance(tx Tx, p payout.Payout, ev payout.Event, c change, beside ...ledger.Posting) (payout.Payout, error) {
	next, moved, err := p.After(ev)
	if err != nil {
		return p, err
	}
	next.ChangedAt = c.at
	j, err := e.entry(&next, "", string(ev), c)
	if err != nil {
		return p, err
	}
	if ok, err := tx.UpdatePayout(next); err != nil {
		return p, err
	} else if !ok {
		return p, errRaced
	}
	return next, e.write(tx, j, append(moved, beside...))
}

// prepare makes the attempt that is to be sent: the one that never left, or a new one with a key and a reference of its own. That its bytes
// may leave is on disk before they do.
func (e *Engine) prepare(tx Tx, bank Bank, p payout.Payout, c change) (payout.Payout, payout.Attempt, error) {
	a, ok, err := tx.PayoutAttempt(p.AttemptID)
	if err != nil {
		return p, a, err
	}
	fresh := !ok || a.State != payout.AttemptPrepared
	if fresh {
		target, err := e.openTarget(p)
		if err != nil {
			return p, a, err
		}
		p.Attempts++
		none := money.New(0, p.Amount.Currency())
		a = payout.Attempt{
			ID: newID(), Payout: p.ID, N: p.Attempts, State: payout.AttemptPrepared, Version: 1, Bank: p.Bank, Fees: none, Tax: none, At: c.at,
			Reference: fmt.Sprintf("%s%02d", strings.ReplaceAll(p.ID, "-", ""), p.Attempts),
		}
		body, err := bank.Rail.Compose(payout.Order{Key: a.ID, Reference: a.Reference, Amount: p.Amount, Target: target})
		if err != nil {
			return p, a, err
		}
		if a.Body, err = e.vault.Seal(body, bodyPlace(a.ID)); err != nil {
			return p, a, err
		}
		p.AttemptID = a.ID
	}
	a.FirstSent, a.Sends = c.at, a.Sends+1
	if fresh {
		err = tx.InsertPayoutAttempt(a)
	} else {
		a.Version++
		err = mustChange(tx.UpdatePayoutAttempt(a))
	}
	if err != nil {
		return p, a, err
	}
	p.DueAt = c.at.Add(bank.Resend[0])
	c.detail = fmt.Sprintf("attempt=%d reference=%s", a.N, a.Reference)
	p, err = e.advance(tx, p, payout.Dispatch, c)
	return p, a, err
}

func mustChange(ok bool, err error) error {
	if err == nil && !ok {
		return errRaced
	}
	return err
}
