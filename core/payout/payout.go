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
	Reviewed  State = "UNDER_REVIEW" // a person must agree before it is sent
	Asked     State = "RECORDED"     // on disk, and nothing of it has left the house
	Sent      State = "SUBMITTED"    // an attempt may have left, or is at the bank: it is open
	Waiting   State = "RETRYABLE"    // the last attempt certainly moved nothing, for a reason that passes: another one follows
	Unclear   State = "UNKNOWN"      // the bank was asked and nobody can tell what it did
	Reversing State = "REVERSING"    // the credit was not answered, and the network takes the debit back: open
	Deemed    State = "DEEMED"       // the network counts it as credited, the beneficiary's bank has not said so: not a success
	Paid      State = "SUCCEEDED"    // credited; told once, for ever
	Refused   State = "DECLINED"     // nothing was paid and nothing will be; told once, for ever
	Returned  State = "RETURNED"     // the money came back after it had been told as paid: what was told stays
	Cancelled State = "CANCELLED"    // a person ended it before anything of it left the house; told once, for ever
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
	Approve  Event = "approve"  // a person agreed
	Cancel   Event = "cancel"   // a person ended it before it was sent
)

// Rules is the whole life of a payout. What is not listed cannot happen: a contradiction, such as a refusal of what was paid, changes nothing
// and is for a person.
var Rules = flow.Rules[State, Event]{
	Reviewed:  {Approve: Asked, Cancel: Cancelled},
	Asked:     {Dispatch: Sent, Refuse: Refused, Cancel: Cancelled},
	Sent:      {Withhold: Asked, Lose: Unclear, Revert: Reversing, Deem: Deemed, Confirm: Paid, Bounce: Waiting, Refuse: Refused},
	Waiting:   {Dispatch: Sent, Refuse: Refused},
	Unclear:   {Lose: Unclear, Revert: Reversing, Deem: Deemed, Confirm: Paid, Bounce: Waiting, Refuse: Refused},
	Reversing: {Lose: Reversing, Revert: Reversing, Deem: Deemed, Confirm: Paid, Bounce: Waiting, Refuse: Refused},
	Deemed:    {Lose: Deemed, Revert: Reversing, Deem: Deemed, Confirm: Paid, Bounce: Waiting, Refuse: Refused},
	Paid:      {Confirm: Paid, Return: Returned}, // hearing it twice is harmless
	Refused:   {Refuse: Refused},
	Returned:  {Confirm: Returned, Return: Returned},
	Cancelled: {},
}

// Final reports whether the caller may be told a result: it never changes again.
func (s State) Final() bool { return s == Paid || s == Refused || s == Returned || s == Cancelled }

// Reason is why a payout is refused, in nobody's wire words.
type Reason string

// The reasons (disburse v1 §4.3). Nothing that a bank says leads to the last two: only we can know them. Those of bank transfers are beside.
const (
	NoReason     Reason = ""
	BelowLimit   Reason = "below_limit"
	AboveLimit   Reason = "above_limit"
	Closed       Reason = "account_closed"
	OnHold       Reason = "account_on_hold"
	ClosedFraud  Reason = "account_closed_fraud"
	ClosedStolen Reason = "account_closed_taken_over"
)

// Purpose is for whom a payout is made: it decides out of which account of ours.
type Purpose string

// The purposes.
const (
	ForGoogle   Purpose = ""         // Google pays it back to us (disburse v1)
	ForMerchant Purpose = "MERCHANT" // out of the merchant's balance (merchant-gateway §8)
	ForSender   Purpose = "SENDER"   // money that came by transfer goes back (rails §3.7)
)

// Payout is money on its way out.
type Payout struct {
	ID        string // ours: what the caller hears, and the root of every name that the bank sees
	Purpose   Purpose
	Account   string // whose it is: the payment integrator account (PIAID), the merchant, or the account of ours that the money came to
	Bank      string // the payout bank that pays it
	RequestID string // the caller's name for it, unique within the account
	State     State
	Version   int64 // grows by one with every change
	Amount    money.Amount
	Fee       money.Amount // ours, on top; frozen with the amount
	Target    []byte       // sealed: to whom, and the text for the statement
	Print     []byte       // keyed digest of the request: a repeat must say the same, although nothing was answered yet
	Reason    Reason       // why it was refused
	Limit     money.Amount // the limit that it broke, where it broke one
	Scope     string       // whose code Code is
	Code      string       // the network's own code of the result, untouched
	AttemptID string       // the present one; empty while there is none
	Attempts  int64        // how many there were
	CreatedAt time.Time
	ChangedAt time.Time // its last event
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
		if p.Purpose == ForMerchant {
			moved = append(moved, ledger.FeeEarned(p.Account, p.Fee)...)
		}
	case next == Refused, next == Cancelled:
		moved = append(moved, p.undone())
	case next == Returned:
		moved = append(moved, p.back())
	}
	p.State = next
	p.Version++
	return p, moved, nil
}

// TakenOn is the money that moves when a payout is taken on.
func (p Payout) TakenOn() ledger.Posting {
	switch p.Purpose {
	case ForMerchant:
		return ledger.Frozen(p.Account, p.Amount, p.Fee)
	case ForSender:
		return ledger.GivingBack(p.Account, p.Amount)
	}
	return ledger.TakenOn(p.Account, p.Amount)
}

func (p Payout) undone() ledger.Posting {
	switch p.Purpose {
	case ForMerchant:
		return ledger.Unfrozen(p.Account, p.Amount, p.Fee)
	case ForSender:
		return ledger.NotGivenBack(p.Account, p.Amount)
	}
	return ledger.NotPaidOut(p.Account, p.Amount)
}

func (p Payout) back() ledger.Posting {
	switch p.Purpose {
	case ForMerchant:
		return ledger.BackToMerchant(p.Account, p.Bank, p.Amount)
	case ForSender:
		return ledger.BackAgain(p.Account, p.Bank, p.Amount)
	}
	return ledger.CameBack(p.Account, p.Bank, p.Amount)
}
