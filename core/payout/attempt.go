package payout

import (
	"time"

	"naru/core/flow"
	"naru/core/money"
)

// AttemptState is where one order to a payout bank stands (rails §2.7).
type AttemptState string

// The states of an attempt.
const (
	AttemptPrepared AttemptState = "PREPARED" // on disk, with its key and its bytes; they may have left, or not
	AttemptOpen     AttemptState = "OPEN"     // the bank knows it and has not ended it
	AttemptPaid     AttemptState = "PAID"
	AttemptFailed   AttemptState = "FAILED" // it certainly moved nothing, or what it moved is back
	AttemptReturned AttemptState = "RETURNED"
)

// AttemptEvent is what may happen to an attempt.
type AttemptEvent string

// The events of an attempt.
const (
	AttemptTake   AttemptEvent = "take"   // the bank has taken it
	AttemptPay    AttemptEvent = "pay"    // it was credited
	AttemptFail   AttemptEvent = "fail"   // it moved nothing
	AttemptReturn AttemptEvent = "return" // what it had credited came back
)

// AttemptRules is the whole life of an attempt. A failed one never becomes paid: a bank that says so is a case.
var AttemptRules = flow.Rules[AttemptState, AttemptEvent]{
	AttemptPrepared: {AttemptTake: AttemptOpen, AttemptPay: AttemptPaid, AttemptFail: AttemptFailed},
	AttemptOpen:     {AttemptTake: AttemptOpen, AttemptPay: AttemptPaid, AttemptFail: AttemptFailed},
	AttemptPaid:     {AttemptPay: AttemptPaid, AttemptReturn: AttemptReturned},
	AttemptFailed:   {AttemptFail: AttemptFailed},
	AttemptReturned: {AttemptPay: AttemptReturned, AttemptReturn: AttemptReturned},
}

// Attempt is one order to a payout bank, on disk before its bytes leave the house. Whatever is sent of it again is the same key and the same
// bytes, inside the time for which the bank remembers the key; after that it is only asked about.
type Attempt struct {
	ID        string // the bank's idempotency key: 36 characters
	Payout    string
	N         int64 // of its payout, from 1
	State     AttemptState
	Version   int64
	Bank      string // which payout bank: that of its payout
	Reference string // how the bank's records name it for us; at most 40 characters, never used twice
	Body      []byte // sealed: the exact bytes of the order
	BankID    string // the bank's own name of it; empty until it said so
	UTR       string // the network's reference: proof for the payee
	Status    string // the bank's word for where it stands
	Code      string // why, in the network's or the bank's own code
	Fees, Tax money.Amount
	FirstSent time.Time // zero while nothing has left
	Sends     int64     // how often bytes may have left
	Asks      int64     // how often it was asked about
	At        time.Time
}
