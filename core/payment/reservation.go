// Package payment is the life of a card payment: a hold on a card, what becomes of it, and the money that moves with it.
// It is pure: no clock, no network, no database.
package payment

import (
	"fmt"
	"time"

	"naru/core/ledger"
	"naru/core/money"
)

// State is where a reservation stands (Korea Cards v1 §9.1).
type State string

// The states of a reservation.
const (
	Pending        State = "PENDING"         // asked, the network has not answered; never told to anybody
	Reserved       State = "RESERVED"        // the network holds the money
	Declined       State = "DECLINED"        // the network said no; final
	Reversing      State = "REVERSING"       // the network was silent or unclear: whatever it holds is being given back
	NotHeld        State = "NOT_HELD"        // nothing is held and nobody was told of a result: the same request may be tried afresh
	CapturePending State = "CAPTURE_PENDING" // the capture is acknowledged, the network has not confirmed it
	Captured       State = "CAPTURED"        // the money moves; final for the hold
	CaptureFailed  State = "CAPTURE_FAILED"  // the hold was gone before the capture; no money moved
	CancelPending  State = "CANCEL_PENDING"  // the cancel is acknowledged, the network has not released the hold
	Cancelled      State = "CANCELLED"       // nothing is held, and never will be under this request
	Expired        State = "EXPIRED"         // the hold's time is over; nobody is told
	VerifyHeld     State = "VERIFY_HELD"     // a card check succeeded; the least amount is held, or nothing, until it is cancelled
	Verified       State = "VERIFIED"        // a card check that holds nothing succeeded; final
)

// Purpose is what a reservation is for. Its zero value is a payment.
type Purpose string

// The purposes.
const (
	ToPay    Purpose = ""       // the hold of a payment
	ToSell   Purpose = "SALE"   // a payment in one message: no hold, the money moves with the answer (Card FOP v1 §4.4)
	ToVerify Purpose = "VERIFY" // a card check that holds the least the network takes, until it is cancelled (Korea Cards v1 §4.5)
	ToCheck  Purpose = "CHECK"  // a card check that leaves nothing behind (§4.8)
)

// Pays reports whether the caller wants money, and names how much: the rest only asks about the card.
func (p Purpose) Pays() bool { return p == ToPay || p == ToSell }

// Event is what may happen to a reservation.
type Event string

// The events of a reservation.
const (
	Ask     Event = "ask"     // the same request comes again after an attempt that left nothing
	Approve Event = "approve" // the network holds the money
	Verify  Event = "verify"  // a card check succeeded, to be cancelled later
	Pass    Event = "pass"    // a card check succeeded, and leaves nothing
	Sell    Event = "sell"    // the network took the money in one message
	Decline Event = "decline" // the network said no
	Void    Event = "void"    // nothing can have been held: not sent, or the network says that it did nothing
	Lose    Event = "lose"    // nobody can tell whether money is held
	Undo    Event = "undo"    // the network confirmed that nothing is held any more
	Capture Event = "capture" // a capture was accepted
	Confirm Event = "confirm" // the network confirmed the capture
	Lapse   Event = "lapse"   // the hold had ended before the capture
	Revoke  Event = "revoke"  // holder or issuer withdrew the authorisation before the capture
	Cancel  Event = "cancel"  // a cancel was accepted
	Release Event = "release" // the network confirmed that the hold is gone
	Expire  Event = "expire"  // the time of the hold is over
)

// Rules is the whole life of a reservation. What is not listed cannot happen.
var Rules = rules{
	Pending: {
		Approve: Reserved, Verify: VerifyHeld, Pass: Verified, Sell: Captured, Decline: Declined, Void: NotHeld, Lose: Reversing,
	},
	VerifyHeld:     {Cancel: CancelPending, Expire: Expired},
	Verified:       {Undo: Verified}, // a network that can only check with money gets it back at once
	Reserved:       {Capture: CapturePending, Cancel: CancelPending, Expire: Expired},
	Declined:       {Cancel: Declined, Undo: Declined},
	Reversing:      {Undo: NotHeld}, // only the network can tell us now
	NotHeld:        {Ask: Pending, Cancel: CancelPending},
	CapturePending: {Confirm: Captured, Lapse: CaptureFailed, Revoke: CaptureFailed},
	Captured:       {},
	CaptureFailed:  {Cancel: CaptureFailed, Release: CaptureFailed},
	CancelPending:  {Release: Cancelled, Cancel: CancelPending},
	Cancelled:      {Cancel: Cancelled, Decline: Cancelled}, // the late repeat of a request that was cleaned up declines and holds nothing
	Expired:        {Capture: CapturePending, Cancel: CancelPending, Release: Expired},
}

// Reservation is a hold on a card, from the request for it to its end. A sale is one too: it holds nothing, and is captured at once.
type Reservation struct {
	ID        string
	Purpose   Purpose
	Account   string // the payment integrator account (PIAID) it belongs to
	RequestID string // the caller's name for it, unique within the account
	State     State
	Version   int64 // grows by one with every change
	Amount    money.Amount
	Captured  money.Amount // what a confirmed capture moved; zero otherwise
	Held      bool         // the hold stands in the books
	HoldUntil time.Time    // when we let it go: the earlier of the network's time and seven days
	HostUntil time.Time    // when the network lets it go; zero where it did not say
	AttemptID string       // the attempt that made, or is to make, the hold
	Approval  string       // the network's approval code
	Code      string       // the network's response code, untouched
	NetworkID string       // the network's transaction identifier, which later merchant-initiated payments repeat
	LinkID    string       // its supplementary one, where the network has two
	MCC       string
	Card      []byte    // account number and expiry, sealed; nil once no later message needs them
	CardUntil time.Time // when a captured payment's card is erased: its refund and dispute windows are over (design §3.6)
	Chain     Chain     // the last link of its journal
}

// Chain is the end of a payment's journal: how many events there are, and the keyed digest over all of them.
type Chain struct {
	Length int64
	Digest []byte
}

// After is the one step of a reservation: its next state and the money that moves with it.
// An event that cannot happen changes nothing and is an error.
func (r Reservation) After(e Event) (Reservation, []ledger.Posting, error) {
	next, ok := Rules.Next(r.State, e)
	if !ok {
		return r, nil, fmt.Errorf("payment: a reservation that is %s cannot %s", r.State, e)
	}
	var moved []ledger.Posting
	release := func() {
		if r.Held {
			moved = append(moved, ledger.ReleaseHold(r.Account, r.Amount))
			r.Held = false
		}
	}
	switch e {
	case Approve, Verify:
		if r.Amount.IsPositive() { // a card check may hold nothing
			moved = append(moved, ledger.Hold(r.Account, r.Amount))
			r.Held = true
		}
	case Confirm: // the whole hold ends with the capture, also where less was captured (design §3.1)
		release()
		moved = append(moved, ledger.Capture(r.Account, r.Captured))
	case Sell: // nothing was held before
		moved = append(moved, ledger.Capture(r.Account, r.Captured))
	case Lapse, Revoke, Release:
		release()
	}
	r.State = next
	r.Version++
	return r, moved, nil
}

// NeedsCard reports whether a later message to the network may need the account number.
func (r Reservation) NeedsCard() bool {
	switch r.State {
	case NotHeld, Declined, CaptureFailed, Cancelled, Verified:
		return false
	case Expired, VerifyHeld:
		return r.Held
	}
	return true // Captured too, until CardUntil: a refund names the card
}
