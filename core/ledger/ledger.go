// Package ledger is the double entry: every posting debits one account and credits another, so the books balance by their shape.
package ledger

import "naru/core/money"

// Kind is what an account counts. Together with an owner it names an account.
type Kind string

// The chart of accounts (design §3.4). Memorandum accounts hold promises, not money.
const (
	AcquirerHeld       Kind = "acquirer:held" // memorandum: what the acquirer holds on cards for us
	GoogleHeld         Kind = "google:held"   // memorandum: what we promised Google
	AcquirerReceivable Kind = "acquirer:receivable"
	GooglePayable      Kind = "google:payable"
	AcquirerLoss       Kind = "loss:acquirer"
	AcquirerFee        Kind = "fee:acquirer"
	AcquirerSuspense   Kind = "suspense:acquirer" // what the acquirer corrected by hand, until a person says why
	BankSettlement     Kind = "bank:settlement"
	FeeIncome          Kind = "income:fees"
	TaxInput           Kind = "tax:input"  // VAT on fees that we pay
	TaxOutput          Kind = "tax:output" // VAT on fees that we earn
	GoogleReceivable   Kind = "google:receivable"
	PayoutInFlight     Kind = "payout:inflight"   // taken on, and neither paid nor refused
	PayoutFloat        Kind = "payout:float"      // what the payout bank holds for us
	ReturnedSuspense   Kind = "suspense:returned" // paid, and came back: owed to Google, which no message can tell
	RailFee            Kind = "fee:rail"
	BankCollection     Kind = "bank:collection"   // what lies on an account of ours that payers transfer to
	DepositUnmatched   Kind = "deposit:unmatched" // came by transfer, and nobody knows yet whose it is
	MerchantPayable    Kind = "merchant:payable"  // what we owe a merchant: its balance
	BankSuspense       Kind = "suspense:bank"     // what the bank booked otherwise, until a person says why
)

// Chart lists every kind of account there is.
var Chart = []Kind{
	AcquirerHeld, GoogleHeld, AcquirerReceivable, GooglePayable, AcquirerLoss, AcquirerFee, AcquirerSuspense, BankSettlement, FeeIncome,
	TaxInput, TaxOutput, GoogleReceivable, PayoutInFlight, PayoutFloat, ReturnedSuspense, RailFee, BankCollection, DepositUnmatched,
	MerchantPayable, BankSuspense,
}

// Account is one account of one owner: a payment integrator account (PIAID), a merchant, a payout bank for what it holds for us, or an account
// of ours that payers transfer to.
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
	return across(Account{debit, owner}, Account{credit, owner}, a)
}

func across(debit, credit Account, a money.Amount) Posting {
	if !a.IsPositive() {
		panic("ledger: a posting moves more than nothing")
	}
	return Posting{debit, credit, a}
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

// GiveBack books money that returns to the cardholder: a refund, or a chargeback. The acquirer keeps it from what it owes us.
func GiveBack(owner string, a money.Amount) Posting {
	return post(owner, GooglePayable, AcquirerReceivable, a)
}

// either books a signed amount: forward where it is more than nothing, backward where it is less, nothing where it is nothing.
func either(owner string, debit, credit Kind, a money.Amount) []Posting {
	switch {
	case a.IsPositive():
		return []Posting{post(owner, debit, credit, a)}
	case a.IsZero():
		return nil
	}
	return []Posting{post(owner, credit, debit, a.Negated())}
}

// Cleared books what an acquirer keeps of what it owes us: its fees, and the tax on them. Both are signed as in its file, minus = we owe.
func Cleared(owner string, fees, tax money.Amount) []Posting {
	return append(either(owner, AcquirerFee, AcquirerReceivable, fees.Negated()), either(owner, TaxInput, AcquirerReceivable, tax.Negated())...)
}

// Rejected books a capture that the acquirer refused in clearing after we had reported it as done: the loss is ours.
func Rejected(owner string, a money.Amount) Posting {
	return post(owner, AcquirerLoss, AcquirerReceivable, a)
}

// Corrected books what an acquirer added to what it owes us, or took from it, by hand.
func Corrected(owner string, a money.Amount) []Posting {
	return either(owner, AcquirerReceivable, AcquirerSuspense, a)
}

// AcquirerPaid books money that the acquirer sent to our bank account, or drew from it.
func AcquirerPaid(owner string, a money.Amount) []Posting {
	return either(owner, BankSettlement, AcquirerReceivable, a)
}

// Charged books what we keep of what we owe Google: our fees and the tax on them, both signed as in a settlement, minus = Google owes.
func Charged(owner string, fees, tax money.Amount) []Posting {
	return append(either(owner, GooglePayable, FeeIncome, fees.Negated()), either(owner, GooglePayable, TaxOutput, tax.Negated())...)
}

// GooglePaid books a settlement that we paid, or, where it is less than nothing, that Google paid.
func GooglePaid(owner string, net money.Amount) []Posting {
	return either(owner, GooglePayable, BankSettlement, net)
}

// Adjusted books what a settlement passes on of the acquirer's corrections: plus = we owe Google.
func Adjusted(owner string, a money.Amount) []Posting {
	return either(owner, AcquirerSuspense, GooglePayable, a)
}

// TakenOn books a payout that we have accepted: Google owes us what we are about to pay.
func TakenOn(owner string, a money.Amount) Posting {
	return post(owner, GoogleReceivable, PayoutInFlight, a)
}

// PaidOut books a payout that was credited, out of what the bank holds for us.
func PaidOut(owner, bank string, a money.Amount) Posting {
	return across(Account{PayoutInFlight, owner}, Account{PayoutFloat, bank}, a)
}

// NotPaidOut books a payout that was refused: Google owes nothing for it.
func NotPaidOut(owner string, a money.Amount) Posting {
	return post(owner, PayoutInFlight, GoogleReceivable, a)
}

// CameBack books money of a payout that had been told as paid.
func CameBack(owner, bank string, a money.Amount) Posting {
	return across(Account{PayoutFloat, bank}, Account{ReturnedSuspense, owner}, a)
}

// PayoutCost books what a payout bank takes for its work, and the tax on it; less than nothing is given back.
func PayoutCost(bank string, fees, tax money.Amount) []Posting {
	return append(either(bank, RailFee, PayoutFloat, fees), either(bank, TaxInput, PayoutFloat, tax)...)
}

// Funded books money that came to the account from which a payout bank pays, or left it otherwise than by payouts.
func Funded(bank string, a money.Amount) []Posting {
	return either(bank, PayoutFloat, BankSettlement, a)
}

// CreditArrived books money that came by bank transfer.
func CreditArrived(receiver string, a money.Amount) Posting {
	return post(receiver, BankCollection, DepositUnmatched, a)
}

// CreditTakenBack books money that the bank took back before it was anybody's.
func CreditTakenBack(receiver string, a money.Amount) Posting {
	return post(receiver, DepositUnmatched, BankCollection, a)
}

// Deposited books money that has found its order: the merchant's, less our fee.
func Deposited(receiver, merchant string, a, fee money.Amount) []Posting {
	to := across(Account{DepositUnmatched, receiver}, Account{MerchantPayable, merchant}, a)
	return append([]Posting{to}, either(merchant, MerchantPayable, FeeIncome, fee)...)
}

// DepositTakenBack books money that the bank took back after it was the merchant's, whose balance may become less than nothing.
func DepositTakenBack(receiver, merchant string, a money.Amount) Posting {
	return across(Account{MerchantPayable, merchant}, Account{BankCollection, receiver}, a)
}

// BankBooked books what moved on an account that payers transfer to, and is neither a deposit nor a payout: plus = it came in.
func BankBooked(receiver string, a money.Amount) []Posting {
	return either(receiver, BankCollection, BankSuspense, a)
}

// Frozen books a payout that a merchant asked for: neither the amount nor our fee is the merchant's to spend any more.
func Frozen(merchant string, a, fee money.Amount) Posting {
	return post(merchant, MerchantPayable, PayoutInFlight, a.Plus(fee))
}

// Unfrozen books a merchant's payout that was not made.
func Unfrozen(merchant string, a, fee money.Amount) Posting {
	return post(merchant, PayoutInFlight, MerchantPayable, a.Plus(fee))
}

// FeeEarned books our fee of a merchant's payout that was made.
func FeeEarned(merchant string, fee money.Amount) []Posting {
	return either(merchant, PayoutInFlight, FeeIncome, fee)
}

// BackToMerchant books money of a merchant's payout that had been told as paid: it is the merchant's again, our fee stays ours.
func BackToMerchant(merchant, bank string, a money.Amount) Posting {
	return across(Account{PayoutFloat, bank}, Account{MerchantPayable, merchant}, a)
}

// GivingBack books money that is sent back to who transferred it.
func GivingBack(receiver string, a money.Amount) Posting {
	return post(receiver, DepositUnmatched, PayoutInFlight, a)
}

// NotGivenBack books that it was not.
func NotGivenBack(receiver string, a money.Amount) Posting {
	return post(receiver, PayoutInFlight, DepositUnmatched, a)
}

// BackAgain books money that had been given back, and came again.
func BackAgain(receiver, bank string, a money.Amount) Posting {
	return across(Account{PayoutFloat, bank}, Account{DepositUnmatched, receiver}, a)
}
