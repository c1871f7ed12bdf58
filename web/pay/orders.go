package pay

import (
	"context"
	"time"

	"naru/core/card"
	"naru/core/money"
)

// Orders is where the pages read orders and leave what a payer says of himself. A link is the id of a page's path; the payment page and the
// registration page of an order have the same.
type Orders interface {
	// Order is what a link shows; false where there is no such link.
	Order(ctx context.Context, link string) (Order, bool, error)
	// NamePayer notes whom the money will come from; an order that is not waiting any more stays as it is, without an error. A *Refusal says
	// what is wrong with the input.
	NamePayer(ctx context.Context, link string, p Payer) error
	// Register ties name, bank and account to the merchant's user of the order; again as NamePayer.
	Register(ctx context.Context, link string, p Payer) error
	// Changed closes when the order has a version other than seen, at once where it has one already, or when ctx ends; never before.
	Changed(ctx context.Context, link string, seen int64) <-chan struct{}
}

// State is what a payer is told about an order.
type State uint8

// The states. There is no zero state: an order that has none is a mistake of ours and shows nothing.
const (
	Waiting     State = iota + 1 // no money seen
	Seen                         // money seen, being checked
	Received                     // paid
	OtherAmount                  // money came, but not the amount of the order: a case
	Expired                      // the time is over, no money seen
	Late                         // money came after the time was over: a case
	Cancelled                    // by the merchant or an operator
	TakenBack                    // the bank took the money back
	Refused                      // it failed (merchant-gateway §14: 4)
	states
)

// Order is what the pages show of one order.
type Order struct {
	Version   int64 // grows with every change
	State     State
	Merchant  Merchant
	Number    string       // the merchant's
	Reference string       // ours
	Member    string       // the payer's user name at the merchant; optional
	Ordered   money.Amount // what the merchant asked for
	Transfer  money.Amount // what the payer has to send (merchant-gateway §5.2)
	Received  money.Amount // what arrived; zero where nothing did
	Code      string       // what the payer writes into the transfer; empty where nothing is needed
	Account   Account      // where the money goes
	Payer     card.Secret  // the name the money must come from, whole: the pages mask it; none where it is not known
	PayerBank Bank         // the zero bank where it is not known

	NeedsName         bool // ask for name and bank before showing where to pay
	NeedsRegistration bool // the payer has to register before the deposit can be made (merchant-gateway §5)

	Expires, Updated time.Time
	Done             time.Time // when the money was booked; zero before
	Now              time.Time // business time at the server
	Help             string    // where a payer may ask: an https or mailto address; optional
}

// Merchant is who is paid.
type Merchant struct {
	Name   string
	Logo   []byte // PNG, JPEG or WebP; optional
	Colour string // #rrggbb; optional
}

// Account is where the money goes.
type Account struct {
	Bank   Bank
	Number string // digits
	Holder string
}

// Bank is an institution by its three-digit code, with its names.
type Bank struct{ Code, Korean, English, Chinese string }

// Payer is what a payer said in a form, checked for its shape.
type Payer struct {
	Name    card.Secret
	Bank    string      // the code of one of the listed banks
	Account card.Secret // digits; registration only
}

// Field is a field of the forms.
type Field string

// The fields, as the forms call them.
const (
	NameField    Field = "name"
	BankField    Field = "bank"
	AccountField Field = "account"
)

// Fault is what is wrong with a field.
type Fault uint8

// The faults.
const (
	Missing   Fault = iota + 1
	Malformed       // cannot be a name, a bank or an account number
	Differs         // not what is known of this payer already
	faults
)

// Refusal says what is wrong with what a payer entered. Its text has nothing of the input.
type Refusal struct {
	Field Field
	Fault Fault
}

func (r *Refusal) Error() string { return "the payer's " + string(r.Field) + " is refused" }
