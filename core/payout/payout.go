// Package payout is the life of money that is sent to an account we do not hold: asked for, sent through a payout bank, and either credited or
// not. It is pure: no clock, no network, no database.
//
// The protocols in front have no word for "not yet": what is answered is final for ever. So every state in which nobody can tell has a name
// here, and nothing new is sent while one of them lasts.
package payout

import (
	"fmt"
	"time"

	"naru/core/flow"
	"naru/core/ledger"
	"naru/core/money"
)

// State is where a payout stands (disburse v1 §10).
type State string

// The states of a payout.
const (
	Asked     State = "RECORDED"  // on disk, and nothing of it has left the house
	Sent      State = "SUBMITTED" // an attempt may have left, or is at the bank: it is open
	Waiting   State = "RETRYABLE" // the last attempt certainly moved nothing, for a reason that passes: another one follows
	Unclear   State = "UNKNOWN"   // the bank was asked and nobody can tell what it did
	Reversing State = "REVERSING" // the credit was not answered, and the network takes the debit back: open
	Deemed    State = "DEEMED"    // the network counts it as credited, the beneficiary's bank has not said so: not a success
	Paid      State = "SUCCEEDED" // credited; told once, for ever
	Refused   State = "DECLINED"  // nothing was paid and nothing will be; told once, for ever
	Returned  State = "RETURNED"  // the money came back after it had been told as paid: what was told stays
)

// Event is what may happen to a payout.
type Event string

// The events of a payout.
const (
	Dispatch Event = "dispatch" // an attempt is about to be sent
	Withhold Event = "withhold" // nothing of it left the house
	Lose     Event = "lose"     // nobody can tell what became of it
	Revert   Event = "revert"   // the network takes it back
	Deem     Event = "deem"     // the network counts it as credited
	Confirm  Event = "confirm"  // it was credited
	Bounce   Event = "bounce"   // it certainly moved nothing, and may be tried again
	Refuse   Event = "refuse"   // it certainly moved nothing, and never will
	Return   Event = "return"   // the money came back after it was credited
)

// Rules is the whole life of a payout. What is not listed cannot happen: a contradiction, such as a refusal of what was paid, changes nothing
// and is for a person.
var Rules = flow.Rules[State, Event]{
	Asked:     {Dispatch: Sent, Refuse: Refused},
	Sent:      {Withhold: Asked, Lose: Unclear, Revert: Reversing, Deem: Deemed, Confirm: Paid, Bounce: Waiting, Refuse: Refused},
	Waiting:   {Dispatch: Sent, Refuse: Refused},
	Unclear:   {Lose: Unclear, Revert: Reversing, Deem: Deemed, Confirm: Paid, Bounce: Waiting, Refuse: Refused},
	Reversing: {Lose: Reversing, Revert: Reversing, Deem: Deemed, Confirm: Paid, Bounce: Waiting, Refuse: Refused},
	Deemed:    {Lose: Deemed, Revert: Reversing, Deem: Deemed, Confirm: Paid, Bounce: Waiting, Refuse: Refused},
	Paid:      {Confirm: Paid, Return: Returned}, // hearing it twice is harmless
	Refused:   {Refuse: Refused},
	Returned:  {Confirm: Returned, Return: Returned},
}

// Final reports whether the caller may be told a result: it never changes again.
func (s State) Final() bool { return s == Paid || s == Refused || s == Returned }

// Reason is why a payout is refused, in nobody's wire words.
type Reason string

// The reasons (disburse v1 §4.3). Nothing that a bank says leads to the last two: only we can know them.
const (
	NoReason     Reason = ""
	BelowLimit   Reason = "below_limit"
	AboveLimit   Reason = "above_limit"
	Closed       Reason = "account_closed"
	OnHold       Reason = "account_on_hold"
	ClosedFraud  Reason = "account_closed_fraud"
	ClosedStolen Reason = "account_closed_taken_over"
)

// Payout is money on its way out.
type Payout struct {
	ID        string // ours: what the caller hears, and the root of every name that the bank sees
	Account   string // the payment integrator account (PIAID) it belongs to
	Bank      string // the payout bank that pays it
	RequestID string // the caller's name for it, unique within the account
	State     State
	Version   int64 // grows by one with every change
	Amount    money.Amount
	Target    []byte       // sealed: to whom, and the text for the statement
	Print     []byte       // keyed digest of the request: a repeat must say the same, although nothing was answered yet
	Reason    Reason       // why it was refused
	Limit     money.Amount // the limit that it broke, where it broke one
	Scope     string       // whose code Code is
	Code      string       // the network's own code of the result, untouched
	AttemptID string       // the present one; empty while there is none
	Attempts  int64        // how many there were
	CreatedAt time.Time
	DueAt     time.Time // when somebody must look at it again; zero where nobody must
	DoneAt    time.Time // final since
	BackAt    time.Time // the money came back
	Chain     Chain     // the last link of its journal
}

// Chain is the end of a payout's journal: how many events there are, and the keyed digest over all of them.
type Chain struct {
	Length int64
	Digest []byte
}

// After is the one step of a payout: its next state and the money that moves with it. What the caller is owed is in flight from the moment
// that we take the payout on. An event that cannot happen changes nothing and is an error.
func (p Payout) After(e Event) (Payout, []ledger.Posting, error) {
	next, ok := Rules.Next(p.State, e)
	if !ok {
		return p, nil, fmt.Errorf("payout: a payout that is %s cannot %s", p.State, e)
	}
	var moved []ledger.Posting
	switch before := p.State; {
	case before == next:
	case next == Paid:
		moved = append(moved, ledger.PaidOut(p.Account, p.Bank, p.Amount))
	case next == Refused:
		moved = append(moved, ledger.NotPaidOut(p.Account, p.Amount))
	case next == Returned:
		moved = append(moved, ledger.CameBack(p.Account, p.Bank, p.Amount))
	}
	p.State = next
	p.Version++
	return p, moved, nil
}
