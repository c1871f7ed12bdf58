package deposit

import (
	"fmt"
	"time"

	"naru/core/flow"
	"naru/core/ledger"
	"naru/core/money"
)

// CreditState is where money stands that came by bank transfer.
type CreditState string

// The states of a credit.
const (
	Unmatched CreditState = "UNMATCHED" // nobody's yet: a rule or a person must say whose
	Matched   CreditState = "MATCHED"   // it paid an order
	Reversed  CreditState = "REVERSED"  // the bank took it back
	GoingBack CreditState = "RETURNING" // a person decided that it goes back to its sender, and a payout does it
)

// CreditEvent is what may happen to a credit.
type CreditEvent string

// The events of a credit.
const (
	Match    CreditEvent = "match"
	Reverse  CreditEvent = "reverse"
	GiveBack CreditEvent = "give_back"
	NotGiven CreditEvent = "not_given" // the payout that should have given it back was refused
	Hold     CreditEvent = "hold"      // a rule says that a person must look
	Waits    CreditEvent = "wait"      // no order yet: one may come
)

// CreditRules is the whole life of a credit. One that is on its way back can no more be reversed here: that is a case.
var CreditRules = flow.Rules[CreditState, CreditEvent]{
	Unmatched: {Match: Matched, Reverse: Reversed, GiveBack: GoingBack, Hold: Unmatched, Waits: Unmatched},
	Matched:   {Reverse: Reversed},
	Reversed:  {},
	GoingBack: {NotGiven: Unmatched},
}

// Trouble is why money needs a person (rails §3.7).
type Trouble string

// The troubles.
const (
	NoTrouble      Trouble = ""
	AmountMismatch Trouble = "AMOUNT_MISMATCH" // its order is known, and it is another amount
	NameMismatch   Trouble = "NAME_MISMATCH"   // one order fits, and the sender's name is another, or nobody told whose it must be
	Ambiguous      Trouble = "AMBIGUOUS"       // several orders fit
	NoOrder        Trouble = "UNMATCHED"       // no order fits
	Late           Trouble = "LATE"            // booked after its order's time
	Stopped        Trouble = "STOPPED"         // it fits an order that was cancelled, refused or paid
)

// Credit is money that a bank booked on an account of ours. It is on disk before anybody decides whose it is.
type Credit struct {
	ID         string // ours
	Receiver   string // our name of the receiving account
	Bank       string
	Account    string
	Virtual    string // the virtual account that was paid into; empty for none
	BankID     string // the bank's transaction id
	Feed       string
	Message    string // the message that brought it
	State      CreditState
	Version    int64
	Amount     money.Amount
	Sender     []byte // sealed: name, bank, account and memo as the bank told them
	Order      string // what it paid; empty for none
	Suspect    string // the one order that it is probably for; empty for none
	Payout     string // what gives it back; empty for none
	Rule       string // by which rule it was last decided, such as 3 (rails §3.7)
	Trouble    Trouble
	Inputs     string // what that decision saw, without a name: counts, ids, amounts
	BookedAt   time.Time
	ReceivedAt time.Time
	RetryUntil time.Time // until when a new order may still claim it by rule; zero when none may
	Chain      Chain
}

// After is the one step of a credit: its next state and the money that moves with it. The money of a match moves with the order that it pays.
func (c Credit) After(e CreditEvent) (Credit, []ledger.Posting, error) {
	next, ok := CreditRules.Next(c.State, e)
	if !ok {
		return c, nil, fmt.Errorf("deposit: a credit that is %s cannot %s", c.State, e)
	}
	var moved []ledger.Posting
	if next == Reversed && c.State == Unmatched {
		moved = []ledger.Posting{ledger.CreditTakenBack(c.Receiver, c.Amount)}
	}
	c.State = next
	c.Version++
	return c, moved, nil
}
