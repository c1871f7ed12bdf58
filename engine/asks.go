package engine

import (
	"time"

	"naru/core/money"
	"naru/core/payment"
)

// Account is one payment integrator account (PIAID): a contract with a counterparty, and the acquirer behind it.
type Account struct {
	ID         string
	APIs       []string         // what the counterparty may call for it, such as korea-cards-v1
	Currencies []money.Currency // what may be asked in
	Acquirer   string           // name of the link its cards go over
	Terminals  []string         // terminal ids (DE41); several give several number ranges
	Merchant   string           // card acceptor id (DE42)
	MCC        string           // merchant category where a request names none
	Location   *time.Location   // its business day and the local time in its messages
}

// Accepts reports whether the account may be asked in a currency.
func (a Account) Accepts(c money.Currency) bool {
	for _, own := range a.Currencies {
		if own == c {
			return true
		}
	}
	return false
}

// Request names one call, whatever it asks for.
type Request struct {
	Key
	Method  string // part of the content, not of the key
	Content []byte // the canonical form of everything that makes two calls the same; holds secrets, so it is digested and dropped
}

// Turn is the right to work on a request: nobody else is working on it. Once hands it out.
type Turn struct{ request Request }

// Key is the name of the request whose turn it is.
func (t Turn) Key() Key { return t.request.Key }

// ReserveAsk asks for a hold. Order is complete but for what the account and the link add: trace, terminal, merchant, location, reference.
type ReserveAsk struct {
	Order   payment.AuthOrder
	Decided *payment.Outcome                    // set where the answer is known without the network, such as a mistyped card number
	Encode  func(ReserveResult) ([]byte, error) // pure; may be called more than once
}

// ReserveResult is what a hold came to: approved or refused. The other verdicts are errors.
type ReserveResult struct {
	ReservationID string
	Outcome       payment.Outcome
	HoldUntil     time.Time // when the hold ends; zero where there is none
}

// CaptureAsk asks for the money of a hold.
type CaptureAsk struct {
	Reservation Key                                        // the request that made the hold
	Amount      func(money.Currency) (money.Amount, error) // in the currency of the hold, which the wire does not repeat
	Encode      func(captureID string) ([]byte, error)
}

// CancelAsk asks to let a hold go.
type CancelAsk struct {
	Reservation Key
	Encode      func() ([]byte, error)
}
