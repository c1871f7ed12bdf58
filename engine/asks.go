package engine

import (
	"errors"
	"fmt"
	"time"

	"naru/core/money"
	"naru/core/payment"
	"naru/core/settlement"
)

// Account is one payment integrator account (PIAID): a contract with a counterparty, and the acquirer behind it.
type Account struct {
	ID         string
	APIs       []string         // what the counterparty may call for it, such as korea-cards-v1
	Currencies []money.Currency // what may be asked in
	Limits     []Limits         // of payments, by currency; what is not listed has none
	Acquirer   string           // name of the link its cards go over; empty where it has none
	Bank       string           // name of the payout bank that pays for it; empty where it pays nothing out
	Terminals  []string         // terminal ids (DE41); several give several number ranges
	Merchant   string           // card acceptor id (DE42)
	MCC        string           // merchant category where a request names none
	Location   *time.Location   // its business day and the local time in its messages

	RefundWindow  time.Duration               // how long after its capture a payment can be refunded; a refund after it fails. 365 days where 0
	DisputeWindow time.Duration               // how long after its capture a dispute may come; with the refund window over, the card is erased. 540 days where 0
	VerifyHold    time.Duration               // how long a card check's hold stays where nobody cancels it; a day where 0
	DisputeWait   time.Duration               // how long after evidence a chargeback without an answer counts as lost; 75 days where 0
	Terms         settlement.Terms            // what we charge
	TermsIn       map[string]settlement.Terms // instead of Terms, by currency code
	SettleBy      SettleBy
	SkipEmptyDays bool // a day without events makes no settlement
	PartSize      int  // events in one settlement notification at most; 1000 where 0
	NoARN         bool // the counterparty does not offer the calls that take acquirer reference numbers
}

// SettleBy is how a settlement reaches the counterparty (Korea Cards v1 §5.9, §6).
type SettleBy string

// The ways.
const (
	SettleNever    SettleBy = ""
	SettleByNotice SettleBy = "notification"
	SettleByFile   SettleBy = "file"
)

// Accepts reports whether the account may be asked in a currency.
func (a Account) Accepts(c money.Currency) bool {
	for _, own := range a.Currencies {
		if own == c {
			return true
		}
	}
	return false
}

// Limits bounds what one payment may ask for; an amount beyond them is declined without asking the network.
type Limits struct {
	Least, Most money.Amount // of one currency, both allowed; a zero Most bounds nothing
}

// refuses is why an account does not take a payment of this size; empty where it does.
func (a Account) refuses(m money.Amount) payment.Reason {
	for _, l := range a.Limits {
		switch {
		case l.Least.Currency() != m.Currency():
		case l.Least.Exceeds(m):
			return payment.BelowAmountLimit
		case l.Most.IsPositive() && m.Exceeds(l.Most):
			return payment.AboveAmountLimit
		}
	}
	return ""
}

// Check says what is wrong with the terms and limits of an account.
func (a Account) Check() error {
	if err := a.Terms.Check(); err != nil {
		return fmt.Errorf("fees: %w", err)
	}
	for code, t := range a.TermsIn {
		if err := t.Check(); err != nil {
			return fmt.Errorf("fees in %s: %w", code, err)
		}
	}
	for _, l := range a.Limits {
		in := l.Least.Currency()
		switch {
		case in != l.Most.Currency() || l.Least.Minor() < 0 || l.Most.Minor() < 0:
			return errors.New("limits: two amounts of one currency, nothing or more")
		case l.Most.IsPositive() && l.Least.Exceeds(l.Most):
			return fmt.Errorf("limits in %s: no amount fits between them", in.Code())
		}
	}
	return nil
}

// terms is what we charge in a currency.
func (a Account) terms(c money.Currency) settlement.Terms {
	if t, ok := a.TermsIn[c.Code()]; ok {
		return t
	}
	return a.Terms
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

// ReserveAsk asks for a hold, a sale or a card check, by the purpose of its Order. Order is complete but for what the account and the link add: trace, terminal, merchant, location, reference.
type ReserveAsk struct {
	Order   payment.AuthOrder
	Decided *payment.Outcome                    // set where the answer is known without the network, such as a mistyped card number
	Encode  func(ReserveResult) ([]byte, error) // pure; may be called more than once
}

// ReserveResult is what a network answered for good: approved or refused. The other verdicts are errors.
type ReserveResult struct {
	ReservationID string
	CaptureID     string // of a sale: our name of what was taken
	Outcome       payment.Outcome
	HoldUntil     time.Time // when the hold ends; zero where there is none
	SellsOnly     bool      // the network knows no holds: a card check that succeeded says nothing for reservations
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

// RefundAsk asks to give part or all of a capture back.
type RefundAsk struct {
	Capture Key                                        // the request that captured
	Amount  func(money.Currency) (money.Amount, error) // in the currency of the payment, which the wire does not repeat
	Encode  func(refundID string) ([]byte, error)
}

// DefendAsk hands over evidence against the newest dispute of a capture.
type DefendAsk struct {
	Capture  Key    // the request that captured; a zero RequestID is a payment that was made elsewhere
	Document []byte // nil where what was sent is not readable
	Encode   func(DefendResult) ([]byte, error)
}

// DefendResult is what became of evidence. All of them are answers for ever.
type DefendResult uint8

// The results (Korea Cards v1 §4.6).
const (
	DefenceTaken DefendResult = iota
	DefenceOfUnknownCapture
	DefenceUnreadable
	DefenceOfNothing // there is no stage that can be defended
)
