// Package deposit is money that arrives by bank transfer and must find its order: the life of a deposit order, the life of a bank credit, and
// the rules by which one pays the other. It is pure: no clock, no network, no database.
//
// What happens to money that nobody can place: it stays an open credit with a case, and what is owed to nobody yet stands in the books as
// deposit:unmatched until a rule or a person says whose it is.
package deposit

import (
	"fmt"
	"time"

	"naru/core/card"
	"naru/core/flow"
	"naru/core/ledger"
	"naru/core/money"
)

// State is where a deposit order stands (merchant-gateway §17).
type State string

// The states of an order.
const (
	Waiting   State = "WAITING"    // for the transfer
	Seen      State = "SEEN"       // money came that is probably its, and a person must say so: it does not expire
	Paid      State = "PAID"       // final for the merchant
	Expired   State = "EXPIRED"    // nobody paid in time; late money can still pay it, by rule or by hand
	Cancelled State = "CANCELLED"  // by an operator
	Failed    State = "FAILED"     // what had come was not its, or went back
	TakenBack State = "TAKEN_BACK" // the bank took the credit back after it had been told as paid: what was told stays
)

// Event is what may happen to an order.
type Event string

// The events of an order.
const (
	See      Event = "see"       // money came that needs a person
	Clear    Event = "clear"     // that money was not its
	Pay      Event = "pay"       // a credit is its
	Expire   Event = "expire"    // its time is over
	Cancel   Event = "cancel"    // an operator ends it
	Fail     Event = "fail"      // an operator refuses it
	TakeBack Event = "take_back" // the bank takes its credit back
)

// Rules is the whole life of an order. What is not listed cannot happen.
var Rules = flow.Rules[State, Event]{
	Waiting:   {See: Seen, Pay: Paid, Expire: Expired, Cancel: Cancelled, Fail: Failed},
	Seen:      {See: Seen, Clear: Waiting, Pay: Paid, Cancel: Cancelled, Fail: Failed},
	Paid:      {TakeBack: TakenBack},
	Expired:   {See: Expired, Clear: Expired, Pay: Paid, Fail: Failed},
	Cancelled: {See: Cancelled, Clear: Cancelled, Pay: Paid},
	Failed:    {},
	TakenBack: {},
}

// Final reports whether nothing but late money, a person or the bank's own reversal can change the order any more.
func (s State) Final() bool { return s != Waiting && s != Seen }

// Generation is which shape of the merchant API made an order.
type Generation int64

// Order is a deposit order: a merchant's wish to be paid by one transfer.
type Order struct {
	ID         string // ours, inside: the root of its journal
	Number     string // the gateway's order number, as the merchant sees it
	Link       string // unguessable: whoever knows it may see the payment page
	Merchant   string
	Service    string
	ClientID   string // the merchant's order number, unique for the merchant
	User       string // the payer's name at the merchant; empty where not told
	Generation Generation
	State      State
	Version    int64
	Amount     money.Amount // ordered
	Display    money.Amount // to be transferred: at or below Amount
	Reserved   bool         // nobody else may be shown Display on this account
	Receiver   Receiver
	Token      string // what the payer writes into the transfer; empty for none
	Payer      []byte // sealed: name, bank and account of the payer; empty where nobody has said
	PayerBank  string // institution code; empty where nobody has said
	Trouble    Trouble
	Credit     string       // the credit that paid it; empty while there is none
	Into       string       // our name of the account that it came to
	Real       money.Amount // what arrived; nothing until Paid
	Fee        money.Amount // what we keep of it; nothing until Paid
	NotifyURL  string
	SignType   string // how the merchant signed: it is answered alike
	CreatedAt  time.Time
	ExpiresAt  time.Time
	ChangedAt  time.Time
	DueAt      time.Time // when somebody must look at it: it expires, or its amount is free again; zero where nobody must
	PaidAt     time.Time
	Chain      Chain
}

// Chain is the end of a journal: how many events there are, and the keyed digest over all of them.
type Chain struct {
	Length int64
	Digest []byte
}

// Receiver is where an order must be paid.
type Receiver struct {
	Account string // our name of the receiving account
	Bank    string // institution code
	Number  string // what the payer types: the account, or a virtual account that leads to it
	Holder  string
	Branch  string
	Virtual bool
}

// Payer is who an order must be paid by.
type Payer struct {
	Name    card.Secret
	Bank    string // institution code
	Account card.Secret
}

// After is the one step of an order: its next state and the money that moves with it. Paid needs Real, Fee,
// Credit and Into to be set.
func (o Order) After(e Event) (Order, []ledger.Posting, error) {
	next, ok := Rules.Next(o.State, e)
	if !ok {
		return o, nil, fmt.Errorf("deposit: an order that is %s cannot %s", o.State, e)
	}
	var moved []ledger.Posting
	switch {
	case next == Paid && o.State != Paid:
		moved = ledger.Deposited(o.Into, o.Merchant, o.Real, o.Fee)
	case next == TakenBack:
		moved = []ledger.Posting{ledger.DepositTakenBack(o.Into, o.Merchant, o.Real)}
	}
	o.State = next
	o.Version++
	return o, moved, nil
}
