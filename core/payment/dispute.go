package payment

import (
	"fmt"
	"time"

	"naru/core/flow"
	"naru/core/ledger"
	"naru/core/money"
)

// DisputeState is where one stage of a dispute stands (Korea Cards v1 §9.5). Every stage is a row of its own.
type DisputeState string

// The states of a stage.
const (
	DisputeNone     DisputeState = "NONE" // before it was told
	InquiryOpen     DisputeState = "INQUIRY_OPEN"
	InquiryDefended DisputeState = "INQUIRY_DEFENDED"
	InquiryClosed   DisputeState = "INQUIRY_CLOSED"
	CB1Open         DisputeState = "CB1_OPEN"
	CB1Defended     DisputeState = "CB1_DEFENDED"
	CB1Reversed     DisputeState = "CB1_REVERSED" // won; a second chargeback may follow, as a stage of its own
	CB1Lost         DisputeState = "CB1_LOST"
	CB2Open         DisputeState = "CB2_OPEN"
	CB2Defended     DisputeState = "CB2_DEFENDED"
	CB2Reversed     DisputeState = "CB2_REVERSED"
	CB2Lost         DisputeState = "CB2_LOST"
)

// DisputeEvent is what may happen to a stage.
type DisputeEvent string

// The events of a stage.
const (
	Inquire         DisputeEvent = "inquire"           // the issuer asks
	ChargeBack      DisputeEvent = "charge-back"       // the issuer takes the money
	ChargeBackAgain DisputeEvent = "charge-back-again" // and a second time
	Defend          DisputeEvent = "defend"            // evidence was taken over
	WinBack         DisputeEvent = "win-back"          // the money of the chargeback returns
	LoseDispute     DisputeEvent = "lose-dispute"      // the issuer refused the defence
	LapseDispute    DisputeEvent = "lapse-dispute"     // its time is over
	CloseInquiry    DisputeEvent = "close-inquiry"     // its time is over, or a chargeback followed
)

// DisputeRules is the whole life of a stage.
var DisputeRules = flow.Rules[DisputeState, DisputeEvent]{
	DisputeNone:     {Inquire: InquiryOpen, ChargeBack: CB1Open, ChargeBackAgain: CB2Open},
	InquiryOpen:     {Defend: InquiryDefended, CloseInquiry: InquiryClosed},
	InquiryDefended: {Defend: InquiryDefended, CloseInquiry: InquiryClosed},
	InquiryClosed:   {},
	CB1Open:         {Defend: CB1Defended, WinBack: CB1Reversed, LoseDispute: CB1Lost, LapseDispute: CB1Lost},
	CB1Defended:     {Defend: CB1Defended, WinBack: CB1Reversed, LoseDispute: CB1Lost, LapseDispute: CB1Lost},
	CB1Lost:         {WinBack: CB1Reversed}, // a late win
	CB1Reversed:     {},
	CB2Open:         {Defend: CB2Defended, WinBack: CB2Reversed, LoseDispute: CB2Lost, LapseDispute: CB2Lost},
	CB2Defended:     {Defend: CB2Defended, WinBack: CB2Reversed, LoseDispute: CB2Lost, LapseDispute: CB2Lost},
	CB2Lost:         {WinBack: CB2Reversed},
	CB2Reversed:     {},
}

// Stage is how far a dispute has come.
type Stage string

// The stages.
const (
	Inquiry Stage = "INQUIRY"
	First   Stage = "FIRST"
	Second  Stage = "SECOND"
)

// DisputeReason is why a holder disputes a payment, in nobody's wire words.
type DisputeReason string

// The reasons (Korea Cards v1 §5.13).
const (
	Fraud                     DisputeReason = "fraud"
	FamiliarFraud             DisputeReason = "familiar_fraud"
	Suspicious                DisputeReason = "suspicious"
	ChargeNotRecognized       DisputeReason = "charge_not_recognized"
	CreditNotProcessed        DisputeReason = "credit_not_processed"
	DuplicatePayment          DisputeReason = "duplicate_payment"
	SubscriptionCanceled      DisputeReason = "subscription_canceled"
	InputError                DisputeReason = "input_error"
	NoFunds                   DisputeReason = "insufficient_funds"
	NotDelivered              DisputeReason = "not_delivered"
	DefectiveOrNotAsDescribed DisputeReason = "defective_or_not_as_described"
	IncorrectMerchandise      DisputeReason = "incorrect_merchandise"
	UnwantedMerchandise       DisputeReason = "unwanted_merchandise"
	UnclearReason             DisputeReason = "unclear"
	OtherReason               DisputeReason = "other"
	AmountDiffers             DisputeReason = "transaction_amount_differ"
	PaidByOtherMeans          DisputeReason = "paid_by_other_means"
	LatePresentment           DisputeReason = "late_presentment"
)

// Dispute is one stage of a dispute about a captured payment.
type Dispute struct {
	ID        string
	Account   string
	Payment   string // the reservation whose money is disputed
	Case      string // the scheme's case number; empty where it gave none
	Stage     Stage
	State     DisputeState
	Amount    money.Amount // disputed
	Won       money.Amount // what returned
	Reason    DisputeReason
	Scope     string // whose code RawCode is, such as VISA
	RawCode   string
	At        time.Time // raised
	ReplyBy   time.Time // last moment for evidence
	DueAt     time.Time // when it is over if nothing happens: ReplyBy, or for a defended one the end of our patience
	DoneAt    time.Time // reversed, lost or closed
	Told      string    // the notice that told of it: its id names the chargeback from then on
	EventID   string    // the acquirer's name for what raised it; empty where it came on line first
	ToldTwice bool      // on line and by file: the second telling only completes the first (rails §1.16)
}

// Open reports whether evidence may still be handed over.
func (d Dispute) Open() bool {
	_, ok := DisputeRules.Next(d.State, Defend)
	return ok
}

// Stands reports whether the stage keeps money from us: a chargeback that was not reversed.
func (d Dispute) Stands() bool {
	switch d.State {
	case CB1Open, CB1Defended, CB1Lost, CB2Open, CB2Defended, CB2Lost:
		return true
	}
	return false
}

// After is the one step of a stage: its next state and the money that moves with it.
func (d Dispute) After(e DisputeEvent) (Dispute, []ledger.Posting, error) {
	next, ok := DisputeRules.Next(d.State, e)
	if !ok {
		return d, nil, fmt.Errorf("payment: a dispute that is %s cannot %s", d.State, e)
	}
	var moved []ledger.Posting
	switch e {
	case ChargeBack, ChargeBackAgain:
		moved = append(moved, ledger.GiveBack(d.Account, d.Amount))
	case WinBack:
		moved = append(moved, ledger.Capture(d.Account, d.Won))
	}
	d.State = next
	return d, moved, nil
}
