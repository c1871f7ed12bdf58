package payment

import (
	"fmt"
	"time"

	"naru/core/flow"
	"naru/core/ledger"
	"naru/core/money"
)

// RefundState is where a refund stands (Korea Cards v1 §9.2).
type RefundState string

// The states of a refund.
const (
	RefundPending  RefundState = "REFUND_PENDING"  // acknowledged; its amount is taken from what is left to refund
	Refunded       RefundState = "REFUNDED"        // the holder gets the money
	RefundFailed   RefundState = "REFUND_FAILED"   // no money moved; final
	RefundReversed RefundState = "REFUND_REVERSED" // the money came back, all or in part; final
)

// RefundEvent is what may happen to a refund.
type RefundEvent string

// The events of a refund.
const (
	RefundAsk    RefundEvent = "refund"        // accepted
	RefundBook   RefundEvent = "refund-book"   // the network paid it
	RefundFail   RefundEvent = "refund-fail"   // refused for good
	RefundReturn RefundEvent = "refund-return" // the holder's bank sent it back
)

// RefundRules is the whole life of a refund.
var RefundRules = flow.Rules[RefundState, RefundEvent]{
	RefundPending:  {RefundBook: Refunded, RefundFail: RefundFailed},
	Refunded:       {RefundReturn: RefundReversed},
	RefundFailed:   {},
	RefundReversed: {},
}

// RefundReason is why a refund fails, in nobody's wire words.
type RefundReason string

// The reasons (Korea Cards v1 §5.3).
const (
	RefundDone            RefundReason = ""
	RefundNothingLeft     RefundReason = "nothing_left"
	RefundTooLate         RefundReason = "window_exceeded"
	RefundUnsupported     RefundReason = "unsupported"
	RefundIssuerDeclined  RefundReason = "issuer_declined"
	RefundLostOrStolen    RefundReason = "lost_or_stolen"
	RefundCardCancelled   RefundReason = "card_cancelled"
	RefundChargebackFirst RefundReason = "chargeback_in_place"
)

// Refund gives part or all of a capture back.
type Refund struct {
	ID        string
	Account   string
	RequestID string // the caller's name for it
	Payment   string // the reservation whose money it is
	State     RefundState
	Amount    money.Amount
	Returned  money.Amount // what came back of it
	Reason    RefundReason // why it failed
	AttemptID string       // the attempt that is to pay it; empty where the network is not asked
	RRN       string       // how the network names what it paid
	ARN       string       // acquirer reference number; set once
	Code      string       // the network's last response code
	Day       string       // the network's business day, YYYYMMDD
	At        time.Time    // accepted
	DoneAt    time.Time
	BackAt    time.Time // returned
}

// After is the one step of a refund: its next state and the money that moves with it.
func (r Refund) After(e RefundEvent) (Refund, []ledger.Posting, error) {
	next, ok := RefundRules.Next(r.State, e)
	if !ok {
		return r, nil, fmt.Errorf("payment: a refund that is %s cannot %s", r.State, e)
	}
	var moved []ledger.Posting
	switch e {
	case RefundBook:
		moved = append(moved, ledger.GiveBack(r.Account, r.Amount))
	case RefundReturn:
		moved = append(moved, ledger.Capture(r.Account, r.Returned))
	}
	r.State = next
	return r, moved, nil
}

// Taken is what a refund takes from what is left to refund: reversed money may be refunded again (Korea Cards v1 §14 point 29).
func (r Refund) Taken() money.Amount {
	if r.State == RefundFailed {
		return money.New(0, r.Amount.Currency())
	}
	return r.Amount.Less(r.Returned)
}
