package payout

import (
	"time"

	"naru/core/card"
	"naru/core/money"
)

// Target is to whom money goes. It is about a person: it is stored sealed, and a secret prints as a mask.
type Target struct {
	VPA    card.Secret // virtual payment address, as the caller wrote it (disburse v1 §8.1); none where it is a bank account
	Bank   string      // institution code, three digits (rails §3.8)
	Number card.Secret // of the bank account, digits
	Name   card.Secret // of its holder
	Text   string      // what the caller wants on the payee's statement, any script and length
}

// Order asks a payout bank to pay. Key, Reference and what Body holds are the same whenever it is sent again.
type Order struct {
	Key       string // idempotency key
	Reference string
	BankID    string // where the bank has named it
	Amount    money.Amount
	Target    Target
	Body      []byte    // the exact bytes to send; nil before they were made
	FirstSent time.Time // zero: nothing has left yet
}

// Verdict is what a bank's answer means for the money. Its zero value is Unknown.
type Verdict uint8

// The verdicts.
const (
	Unknown   Verdict = iota // nobody can tell whether it will pay: silence, nonsense, server errors
	NotSent                  // nothing can have left the house
	Open                     // the bank has it and will say
	Queued                   // the bank has it and waits for our float
	InDoubt                  // deemed: the network counts it as credited, nobody has confirmed
	TakenBack                // the network is taking it back: open
	Credited                 // paid
	Rejected                 // certainly not paid, and trying again would not help; Answer.Reason says why
	Failed                   // certainly not paid, for a reason that passes
	Misfit                   // the bank refuses the order as wrongly made, and never saw it as one: a person must look
	CameBack                 // it had been credited, and the money is back
	Later                    // the bank asks for patience and did nothing
	Absent                   // the bank knows no such order
)

// Answer is what a bank says of an order.
type Answer struct {
	Verdict   Verdict
	Reference string       // of which order, where the bank repeats it
	Amount    money.Amount // of it, likewise; nothing where the bank does not say
	BankID    string
	UTR       string
	Status    string // the bank's own word
	Reason    Reason // of Rejected
	Scope     string // whose code Code is
	Code      string // untouched
	Fees      money.Amount
	Tax       money.Amount
	Wait      time.Duration // before another attempt, where the bank's documents name one
	Alert     string        // what an operator should look at
	Deadline  time.Time     // by when the network must have decided; zero where nobody says
}

// News is what a bank tells by itself: an answer about one of our orders, and the name of the message, so that it counts once.
type News struct {
	ID string
	At time.Time
	Answer
}

// StatementLine is one movement of the account from which a bank pays for us.
type StatementLine struct {
	ID        string // the bank's own
	At        time.Time
	Amount    money.Amount // plus: money came in
	Balance   money.Amount // after it
	BankID    string       // the order that it belongs to, if any
	Kind      string       // payout, reversal, fee, transfer: the bank's word
	Reference string
}

// Float is what an account holds from which a bank pays for us.
type Float struct {
	Balance   money.Amount
	Available money.Amount
	At        time.Time // as of
}
