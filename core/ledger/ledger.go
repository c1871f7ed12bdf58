// Package ledger is the double entry: every posting debits one account and credits another, so the books balance by their shape.
package ledger

import "naru/core/money"

// Kind is what an account counts. Together with an owner it names an account.
type Kind string

// The chart of accounts for cards (design §3.4). Memorandum accounts hold promises, not money.
const (
	AcquirerHeld       Kind = "acquirer:held" // memorandum: what the acquirer holds on cards for us
	GoogleHeld         Kind = "google:held"   // memorandum: what we promised Google
	AcquirerReceivable Kind = "acquirer:receivable"
	GooglePayable      Kind = "google:payable"
	AcquirerLoss       Kind = "loss:acquirer"
)

// Chart lists every kind of account there is.
var Chart = []Kind{AcquirerHeld, GoogleHeld, AcquirerReceivable, GooglePayable, AcquirerLoss}

// Account is one account of one owner, a payment integrator account (PIAID).
type Account struct {
	Kind  Kind
	Owner string
}

// String is the account's name in reports: kind, slash, owner.
func (a Account) String() string { return string(a.Kind) + "/" + a.Owner }

// Posting moves an amount from the credit of one account to the debit of another. Its amount is more than nothing.
type Posting struct {
	Debit  Account
	Credit Account
	Amount money.Amount
}

func post(owner string, debit, credit Kind, a money.Amount) Posting {
	if !a.IsPositive() {
		panic("ledger: a posting moves more than nothing")
	}
	return Posting{Account{debit, owner}, Account{credit, owner}, a}
}

// Hold notes a promise: the acquirer holds the amount, and we told Google so.
func Hold(owner string, a money.Amount) Posting { return post(owner, AcquirerHeld, GoogleHeld, a) }

// ReleaseHold takes the note back.
func ReleaseHold(owner string, a money.Amount) Posting {
	return post(owner, GoogleHeld, AcquirerHeld, a)
}

// Capture books money that the acquirer will pay us and we will pay Google.
func Capture(owner string, a money.Amount) Posting {
	return post(owner, AcquirerReceivable, GooglePayable, a)
}
