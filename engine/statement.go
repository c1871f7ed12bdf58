package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"naru/core/ledger"
	"naru/core/money"
	"naru/core/payout"
)

// StatementEntry is one line of a payout bank's statement, taken into account once.
type StatementEntry struct {
	payout.StatementLine
	Bank    string
	Attempt string // the order that it belongs to; empty for none of ours, and for what is no payout
	Known   bool   // somebody, or something, has said what it is
}

// floats is what we know of the money that banks hold for us.
type floats struct {
	mu   sync.Mutex
	list map[string]float
	sent map[string]int64 // orders on their way to each bank, ever
}

type float struct {
	payout.Float
	spent money.Amount // on its way since that was said
}

// covered reports whether the float covers a payout, as far as we know. Where nothing is known, the bank decides.
func (e *Engine) covered(bank string, m money.Amount) bool {
	b, ok := e.banks[bank]
	if !ok || b.Guard == NoGuard {
		return true
	}
	e.floats.mu.Lock()
	defer e.floats.mu.Unlock()
	f, ok := e.floats.list[bank]
	return !ok || f.Available.Currency() != m.Currency() || !f.spent.Plus(m).Exceeds(f.Available)
}

// spend notes that a payout is on its way.
func (e *Engine) spend(bank string, m money.Amount) {
	e.floats.mu.Lock()
	defer e.floats.mu.Unlock()
	e.floats.sent[bank]++
	if f, ok := e.floats.list[bank]; ok && f.spent.Currency() == m.Currency() {
		f.spent = f.spent.Plus(m)
		e.floats.list[bank] = f
	}
}

// Floats are what banks hold for us, as they said last.
func (e *Engine) Floats() map[string]payout.Float {
	e.floats.mu.Lock()
	defer e.floats.mu.Unlock()
	out := map[string]payout.Float{}
	for name, f := range e.floats.list {
		out[name] = f.Float
	}
	return out
}

// WatchFloats asks every bank again and again what it holds for us. It runs until ctx ends.
func (e *Engine) WatchFloats(ctx context.Context) error {
	for {
		next := e.clock.Now().Add(day)
		for name, b := range e.banks {
			if _, tells := b.Rail.(PayoutBooks); !tells {
				continue
			}
			if at := e.clock.Now().Add(b.FloatEach); at.Before(next) {
				next = at
			}
			if err := e.ReadFloat(ctx, name); err != nil && ctx.Err() == nil {
				e.log.Warn("a payout bank does not say what it holds for us", "bank", name, "error", err)
			}
		}
		if err := e.clock.Sleep(ctx, next, nil); err != nil {
			return nil
		}
	}
}

var errNoBooks = errors.New("engine: the payout bank cannot be asked what it holds")

// ReadFloat asks one bank.
func (e *Engine) ReadFloat(ctx context.Context, bank string) error {
	books, ok := e.banks[bank].Rail.(PayoutBooks)
	if !ok {
		return errNoBooks
	}
	f, err := books.Float(ctx)
	if err != nil {
		return err
	}
	e.floats.mu.Lock()
	defer e.floats.mu.Unlock()
	e.floats.list[bank] = float{f, money.New(0, f.Available.Currency())}
	return nil
}

// statementEach is how often statements are read, and statementOverlap how far each reading goes back: banks book late.
const (
	statementEach    = time.Hour
	statementOverlap = 24 * time.Hour
	statementPage    = 100
)

// Statements compares what banks say of the money that they hold for us with what we know. It runs until ctx ends.
func (e *Engine) Statements(ctx context.Context) error {
	for {
		for name, b := range e.banks {
			if _, tells := b.Rail.(PayoutBooks); !tells {
				continue
			}
			if err := e.ReadStatement(ctx, name); err != nil && ctx.Err() == nil {
				e.log.Error("a payout bank's statement cannot be read; it is read again", "bank", name, "error", err)
			}
		}
		if err := e.clock.Sleep(ctx, e.clock.Now().Add(statementEach), nil); err != nil {
			return nil
		}
	}
}

// ReadStatement takes the newest lines of a bank's statement into account, each once, and what they prove: that an order which the bank does
// not know paid nothing, that money came back, that fees were others than told, that somebody else moved our money.
func (e *Engine) ReadStatement(ctx context.Context, bank string) error {
	rail, ok := e.banks[bank].Rail.(PayoutBooks)
	if !ok {
		return errNoBooks
	}
	now := e.clock.Now()
	begun, err := e.bookFloat(ctx, bank, e.floatCurrency(bank))
	if err != nil {
		return err
	}
	from := time.Unix(0, 0)
	err = e.store.View(ctx, func(v Reader) error {
		last, some, err := v.LastStatement(bank)
		if err != nil || !some {
			return err
		}
		open, any, err := v.OldestOpenPayout(bank) // its lines are left for when it is over
		if any && open.Before(last) {
			last = open
		}
		from = last.Add(-statementOverlap)
		return err
	})
	if err != nil {
		return err
	}
	var all []payout.StatementLine
	for more := true; more; {
		lines, err := rail.Statement(ctx, from, now, len(all), statementPage)
		if err != nil {
			return err
		}
		all, more = append(all, lines...), len(lines) == statementPage
	}
	for _, line := range slices.Backward(all) {
		if err := e.takeLine(ctx, bank, line); err != nil {
			return err
		}
	}
	if err := e.proveAbsent(ctx, bank, now); err != nil || len(all) == 0 {
		return err
	}
	return e.compareFloat(ctx, bank, all[0], begun)
}

// takeLine takes one line into account, unless it was before.
func (e *Engine) takeLine(ctx context.Context, bank string, line payout.StatementLine) error {
	var a payout.Attempt
	var p payout.Payout
	var known, ours bool
	look := func(v Reader) (err error) {
		if known, err = v.HasStatementEntry(bank, line.ID); err != nil || known || line.BankID == "" {
			return err
		}
		if a, ours, err = v.PayoutAttemptByBankID(bank, line.BankID); err != nil || !ours {
			return err
		}
		p, _, err = v.Payout(a.Payout)
		return err
	}
	if err := e.store.View(ctx, look); err != nil || known {
		return err
	}
	if line.BankID != "" && !ours { // an order whose answer was lost: its own record names our reference
		said := enquire(e.banks[bank].Rail, ctx, payout.Order{BankID: line.BankID})
		if said.BankID = line.BankID; said.Verdict == payout.Unknown && said.Reference == "" {
			return fmt.Errorf("the bank does not say what its order %s is", line.BankID)
		}
		err := e.store.View(ctx, func(v Reader) (err error) {
			if said.Reference == "" {
				return nil
			}
			a, ours, err = v.PayoutAttemptByReference(bank, said.Reference)
			return err
		})
		if err != nil {
			return err
		}
		if ours {
			if _, err := e.heard(ctx, a.Payout, a.ID, said, "statement", nil); err != nil {
				return err
			}
			if err := e.store.View(ctx, look); err != nil {
				return err
			}
		}
	}
	if ours && line.Amount.IsPositive() && a.State == payout.AttemptPaid { // it came back, and nobody told us
		if _, err := e.call(ctx, p, a, nil, enquire); err != nil {
			return err
		}
		if err := e.store.View(ctx, look); err != nil {
			return err
		}
		if a.State == payout.AttemptPaid {
			return fmt.Errorf("the bank does not say why its order %s came back", line.BankID)
		}
	}
	if ours && (a.State == payout.AttemptPrepared || a.State == payout.AttemptOpen) { // what it cost is known when it is over
		return nil
	}
	return e.store.Update(ctx, func(tx Tx) error { return e.bookLine(tx, bank, line, a, ours) })
}

// bookLine writes a line and the money that only it told of. A line that nobody can explain is a case.
func (e *Engine) bookLine(tx Tx, bank string, line payout.StatementLine, a payout.Attempt, ours bool) error {
	now := e.clock.Now()
	entry := StatementEntry{StatementLine: line, Bank: bank, Known: ours || line.BankID == ""}
	if ours {
		entry.Attempt = a.ID
	}
	mine, err := tx.InsertStatementEntry(entry)
	if err != nil || !mine {
		return err
	}
	c := change{actor: "statement", at: now, detail: fmt.Sprintf("line=%s kind=%s amount=%s", line.ID, line.Kind, line.Amount)}
	switch {
	case !entry.Known: // somebody pays out of our account
		return e.openNow(tx, Case{
			ID: "payout-unknown-debit/" + bank + "/" + line.ID, Kind: "payout-unknown-debit", At: now,
			Detail: fmt.Sprintf("bank=%s order=%s amount=%s: the statement knows an order that is not ours", bank, line.BankID, line.Amount),
		})
	case ours:
		return e.bookDifference(tx, a, line, c)
	case line.Amount.IsZero():
		return nil
	case line.Kind == "fee":
		none := money.New(0, line.Amount.Currency())
		_, err = e.enter(tx, bank, "statement/"+line.ID, "statement", "fee", ledger.PayoutCost(bank, line.Amount.Negated(), none), c)
		return err
	}
	_, err = e.enter(tx, bank, "statement/"+line.ID, "statement", "funded", ledger.Funded(bank, line.Amount), c)
	return err
}

// bookDifference books fees that were others than the bank told when it paid.
func (e *Engine) bookDifference(tx Tx, a payout.Attempt, line payout.StatementLine, c change) error {
	p, ok, err := tx.Payout(a.Payout)
	if err != nil || !ok {
		return err
	}
	if a, _, err = tx.PayoutAttempt(a.ID); err != nil {
		return err
	}
	if line.Amount.Currency() != p.Amount.Currency() {
		return e.openNow(tx, Case{
			ID: "payout-contradiction/" + a.ID + "/" + line.ID, Kind: "payout-contradiction", Payment: p.ID, At: c.at,
			Detail: "the statement has this order in another currency",
		})
	}
	fees, tax := line.Amount.Negated().Less(p.Amount).Less(a.Fees).Less(a.Tax), money.New(0, p.Amount.Currency())
	switch paid := a.State == payout.AttemptPaid || a.State == payout.AttemptReturned; {
	case line.Kind == "fee": // beside the order's own line
		fees = line.Amount.Negated()
	case line.Amount.IsPositive() && a.State == payout.AttemptReturned: // a bank may give its fees back with the rest
		if fees = p.Amount.Less(line.Amount); fees == a.Fees.Plus(a.Tax).Negated() {
			fees, tax = a.Fees.Negated(), a.Tax.Negated()
		}
	case line.Amount.IsPositive(), !paid:
		return nil
	}
	if fees.IsZero() && tax.IsZero() {
		return nil
	}
	if !line.Amount.IsPositive() { // what the order cost; what came back is no part of that
		a.Fees, a.Version = a.Fees.Plus(fees), a.Version+1
		if err := mustChange(tx.UpdatePayoutAttempt(a)); err != nil {
			return err
		}
	}
	j, err := e.entry(&p, "statement/"+line.ID, "statement", c)
	if err != nil {
		return err
	}
	p.Version++
	if err := mustChange(tx.UpdatePayout(p)); err != nil {
		return err
	}
	return e.write(tx, j, ledger.PayoutCost(p.Bank, fees, tax))
}

// proveAbsent ends the doubt about orders that the bank does not know: its statement is complete past them and holds no movement that could
// be theirs. What the bank booked later than we wait for would still be found, as a contradiction.
func (e *Engine) proveAbsent(ctx context.Context, bank string, now time.Time) error {
	var list []payout.Payout
	err := e.store.View(ctx, func(v Reader) error {
		strange, err := v.UnknownStatementEntries(bank)
		if err != nil || strange > 0 { // one of them may be it
			return err
		}
		list, err = v.UnacknowledgedPayouts(bank, now.Add(-statementOverlap-time.Hour), 100) // it may have been sent again for a day
		return err
	})
	for _, p := range list {
		a, err := e.attemptOf(ctx, p)
		if err != nil {
			return err
		}
		order, err := e.payoutOrder(p, a)
		if err != nil {
			return err
		}
		said := enquire(e.banks[bank].Rail, ctx, order) // it may wait there without a movement
		if said.Verdict == payout.Absent {
			said = payout.Answer{Verdict: payout.Failed, Status: absent, Scope: "statement"}
		}
		if _, err := e.heard(ctx, p.ID, a.ID, said, "statement", nil); err != nil {
			return err
		}
	}
	return err
}

// absent is the status of an attempt of which it was proven that the bank never had it.
const absent = "absent"

func (e *Engine) attemptOf(ctx context.Context, p payout.Payout) (a payout.Attempt, err error) {
	err = e.store.View(ctx, func(v Reader) error {
		a, _, err = v.PayoutAttempt(p.AttemptID)
		return err
	})
	return a, err
}

// A bookFloat is what the books say that a bank holds for us, and whether nothing is on its way.
type bookFloat struct {
	minor int64
	quiet bool
	sent  int64 // what begins and ends while a statement is read leaves the rest as it was
}

func (e *Engine) bookFloat(ctx context.Context, bank string, in money.Currency) (f bookFloat, err error) {
	err = e.store.View(ctx, func(v Reader) (err error) {
		f.minor, f.quiet, err = v.FloatBalance(bank, in.Code())
		return err
	})
	e.floats.mu.Lock()
	defer e.floats.mu.Unlock()
	f.sent = e.floats.sent[bank]
	return f, err
}

// floatCurrency is what a bank pays in for us.
func (e *Engine) floatCurrency(bank string) (c money.Currency) {
	for _, a := range e.accounts {
		if a.Bank == bank {
			c = a.Currencies[0]
		}
	}
	return c
}

// compareFloat compares the end of a statement with the books, where nothing is on its way and nothing was while it was read.
func (e *Engine) compareFloat(ctx context.Context, bank string, newest payout.StatementLine, begun bookFloat) error {
	ended, err := e.bookFloat(ctx, bank, newest.Balance.Currency())
	still := begun.quiet && ended == begun && newest.Balance.Currency() == e.floatCurrency(bank)
	if err != nil || !still || ended.minor == newest.Balance.Minor() {
		return err
	}
	return e.openCaseNow(ctx, Case{
		ID: "float-differs/" + bank + "/" + newest.ID, Kind: "float-differs", At: e.clock.Now(),
		Detail: fmt.Sprintf("bank=%s statement=%s books=%s", bank, newest.Balance, money.New(ended.minor, newest.Balance.Currency())),
	})
}
