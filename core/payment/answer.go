package payment

import (
	"time"

	"naru/core/card"
	"naru/core/fault"
	"naru/core/money"
)

// Verdict is what the network's answer to an authorisation means for the money. Its zero value is Unclear.
type Verdict uint8

// The verdicts.
const (
	Unclear     Verdict = iota // money may be held; it must be given back. Silence, nonsense, and answers that decide nothing
	NotSent                    // nothing can have left the house
	Approved                   // the whole amount is held
	Refused                    // a final no. Outcome.Undo says whether something must be given back nevertheless
	NothingHeld                // the network could not decide and holds nothing: the same request may be tried again
)

// Outcome is the network's answer to an authorisation.
type Outcome struct {
	Verdict Verdict
	Decline Reason     // why, where Verdict is Refused
	Fault   fault.Kind // what the caller hears where there is no verdict for it: Unavailable, Internal or Precondition
	Detail  string     // what is wrong with the set-up, where Fault is Precondition
	Undo    UndoReason // why the hold must be given back; empty where it need not be
	Alert   string     // what an operator should look at; empty for the usual

	Code          string // the network's response code, untouched
	AdviceCode    string // the network's advice about retries (merchant advice code)
	Approval      string // approval code
	CVN           CVNCheck
	AVS           AVSCheck
	Brands        []string // networks of the card, upper case, such as BC, VISA
	Issuer        string
	IssuerCountry string // ISO 3166-1 alpha-2
	CardKind      CardKind
	NetworkID     string    // network transaction identifier, kept for later merchant-initiated payments
	LinkID        string    // supplementary network transaction identifier
	HostUntil     time.Time // when the network lets the hold go; zero where it did not say
	Day           string    // of a sale: the network's business day on which it booked it, YYYYMMDD; empty where it did not say
}

// UndoReason is why a hold is given back. The rail turns it into its own code (rails §1.5, DE60).
type UndoReason string

// The reasons.
const (
	UndoCancel  UndoReason = "CANCELLED"   // the caller, or the end of the hold's time
	UndoCrash   UndoReason = "MALFUNCTION" // we died between asking and hearing
	UndoGarbled UndoReason = "GARBLED"     // the answer could not be read
	UndoInvalid UndoReason = "INVALID"     // the answer contradicts the request
	UndoSilence UndoReason = "TIMEOUT"     // no answer in time, or one that decides nothing
	UndoLate    UndoReason = "LATE"        // the approval came too late
	UndoPartial UndoReason = "PARTIAL"     // less than the whole amount was approved
)

// Reason is why the answer is no, in nobody's wire words. Each protocol says it in its own.
type Reason string

// The reasons for a decline (rails §1.14 and Korea Cards v1 §7.1).
const (
	IssuerDeclined         Reason = "issuer_declined"
	DoNotHonor             Reason = "do_not_honor"
	InsufficientFunds      Reason = "insufficient_funds"
	CardNumberInvalid      Reason = "card_number_invalid"
	CardExpired            Reason = "card_expired"
	ExpiryInvalid          Reason = "expiry_invalid"
	LostOrStolen           Reason = "lost_or_stolen"
	CardCancelled          Reason = "card_cancelled"
	CardRestricted         Reason = "card_restricted"
	CardNotActivated       Reason = "card_not_activated"
	SuspectedFraud         Reason = "suspected_fraud"
	TransactionInvalid     Reason = "transaction_invalid"
	NotAllowed             Reason = "not_allowed"
	NoRoute                Reason = "no_route"
	AboveAmountLimit       Reason = "above_amount_limit"
	BelowAmountLimit       Reason = "below_amount_limit"
	PeriodAmountLimit      Reason = "period_amount_limit"
	PeriodCountLimit       Reason = "period_count_limit"
	CVNMismatch            Reason = "cvn_mismatch"
	PINMismatch            Reason = "pin_mismatch"
	BirthOrBusinessNo      Reason = "birth_or_business_number_mismatch"
	AuthenticationRequired Reason = "authentication_required"
	AuthenticationFailed   Reason = "authentication_failed"
	AuthenticationExpired  Reason = "authentication_expired"
	RecurringUnsupported   Reason = "recurring_unsupported"
	StopPayment            Reason = "stop_payment"
	ConsentRevoked         Reason = "consent_revoked"
	IssuerUnavailable      Reason = "issuer_unavailable"
	NetworkTimeout         Reason = "network_timeout"
)

// CVNCheck is what the network said about the card verification number.
type CVNCheck string

// The results of a card verification number check (rails §1.15; Card FOP v1 §3.7).
const (
	CVNNoResult          CVNCheck = ""
	CVNMatch             CVNCheck = "match"
	CVNNoMatch           CVNCheck = "no_match"
	CVNSkippedByNetwork  CVNCheck = "skipped_by_network"
	CVNNotSpecified      CVNCheck = "not_specified"
	CVNNotVerified       CVNCheck = "not_verified"
	CVNIssuerUnsupported CVNCheck = "issuer_unsupported"
)

// AVSPart is what the network said about one part of an address.
type AVSPart string

// The results of an address check, part by part.
const (
	AVSNoResult   AVSPart = ""
	AVSMatch      AVSPart = "match"
	AVSNoMatch    AVSPart = "no_match"
	AVSNotChecked AVSPart = "not_checked"
)

// AVSCheck is what the network said about an address.
type AVSCheck struct {
	Raw         string // the network's letter; empty where it said nothing
	Line        AVSPart
	PostalCode  AVSPart
	Unsupported bool // the letter says that there is no address check
}

// CardKind is how a card is funded.
type CardKind string

// The kinds of card.
const (
	CardKindUnknown CardKind = ""
	Credit          CardKind = "credit"
	Debit           CardKind = "debit"
	Prepaid         CardKind = "prepaid"
)

// Token says that a card number is a network token, and of which kind (Korea Cards v1 §3.1).
type Token struct {
	Kind       TokenKind
	Cryptogram card.Secret // one-time value of the token provider
}

// TokenKind is what a network token is bound to.
type TokenKind string

// The kinds of token. The zero value is a plain card number.
const (
	NoToken       TokenKind = ""
	DeviceToken   TokenKind = "device"
	MerchantToken TokenKind = "merchant"
	OtherToken    TokenKind = "other" // a token of a kind that nobody named
)

// AuthOrder asks a network to hold money on a card, to take it at once, or only about the card. Secrets in it live in memory until the first transmission and nowhere else.
type AuthOrder struct {
	Trace     Trace
	Terminal  string
	Merchant  string
	Local     *time.Location // where the merchant is: local time in the message
	Reference string         // our id of the payment
	Purpose   Purpose
	Amount    money.Amount
	PAN       card.PAN
	Token     Token
	Expiry    card.Expiry
	CVN       card.Secret
	MCC       string // merchant category code, four digits
	Statement string // text for the holder's statement, any script; the network gets what fits
	Network   NetworkWish
	ECI       string // electronic commerce indicator
	ThreeDS   ThreeDS
	Exemption Exemption
	Stored    StoredCredential
	Address   Address
	Holder    Holder
}

// NetworkWish is the rail a holder chose.
type NetworkWish string

// The wishes.
const (
	NoWish     NetworkWish = ""
	WishCredit NetworkWish = "credit"
	WishDebit  NetworkWish = "debit"
)

// ThreeDS is the result of a 3-D Secure run that happened before.
type ThreeDS struct {
	DirectoryServerID string
	ServerID          string
	CAVV              card.Secret
	Version           string
}

// Exemption is the reason for which strong customer authentication is not wanted (Card FOP v1 §3.2).
type Exemption string

// The exemptions.
const (
	NoExemption  Exemption = ""
	LowValue     Exemption = "low_value"
	RiskAnalysis Exemption = "risk_analysis"
)

// Initiator is who starts a payment with a stored card.
type Initiator string

// The initiators.
const (
	NoStoredCredential Initiator = ""
	ByCustomer         Initiator = "customer"
	ByMerchant         Initiator = "merchant"
)

// Intent is why a card is stored.
type Intent string

// The intents.
const (
	NoIntent    Intent = ""
	Instalment  Intent = "instalment"
	Recurring   Intent = "recurring"
	Unscheduled Intent = "unscheduled"
)

// StoredCredential says that a card was, or is being, stored for later payments.
type StoredCredential struct {
	Initiator       Initiator
	Intent          Intent
	StoredBefore    bool
	EarlierNetwork  string // network transaction identifier of the earlier payment
	StorageAsStated string // the protocol's own word where it is none of ours
}

// Address is where the holder says that the card's bills go.
type Address struct {
	Lines      []string
	PostalCode string
	Country    string // alpha-2
}

// IsZero reports whether no address was given.
func (a Address) IsZero() bool { return len(a.Lines) == 0 && a.PostalCode == "" && a.Country == "" }

// Holder is what a Korean card's holder types to be known (Korea Cards v1 §3.2). All of it is secret.
type Holder struct {
	PINDigits      card.Secret // the first two digits of the card password
	BirthDate      card.Secret // YYMMDD
	BusinessNumber card.Secret // ten digits
	CI             card.Secret // connecting information
}

// Advice tells the network about a hold it made: captured, given back. It is sent until it is answered, always with the same trace.
type Advice struct {
	ID          string
	Reservation string
	Attempt     string
	Kind        AdviceKind
	State       AdviceState
	Trace       Trace // its own STAN and time; the RRN of the hold
	Reason      UndoReason
	Amount      money.Amount // what is captured; for a reversal the original amount
	Sends       int          // how often bytes may have left
	Lost        int          // how often the network said that it knows no original
	Renewed     bool         // the trace was replaced after a collision
	CreatedAt   time.Time
	DueAt       time.Time
	Code        string // the network's last response code
	File        string // the capture file that carries it, where there is one
	Line        int64  // its record in that file, from 1
}

// Origin is the request that an advice is about.
type Origin uint8

// The origins.
const (
	OfHold   Origin = iota // an authorisation (0100); for a RefundOrder its completion (0220)
	OfSale                 // a sale (0200)
	OfRefund               // a refund (0200)
)

// AdviceOrder is an advice together with what its message must repeat of the hold.
type AdviceOrder struct {
	Advice
	About    Origin
	Original Trace        // of the request that it is about; for a RefundOrder: of what took the money
	Captured time.Time    // for a RefundOrder: when the original was captured
	HeldRRN  string       // for a RefundOrder: the reference of the hold that was captured, or of the sale
	Text     string       // for the holder's statement, where a message carries one
	Whole    money.Amount // the amount of the original request
	Terminal string
	Merchant string
	Local    *time.Location
	PAN      card.PAN
	Expiry   card.Expiry
	MCC      string
	Approval string
}

// AdviceVerdict is what the network's answer to an advice means. Its zero value is AdviceSilent.
type AdviceVerdict uint8

// The verdicts on an advice (rails §1.11 T4, T5, T11).
const (
	AdviceSilent   AdviceVerdict = iota // no answer: again, as a repeat
	AdviceNotSent                       // nothing can have left the house: again
	AdviceAccepted                      // booked, or booked before
	AdviceLater                         // the network asks for patience
	AdviceUnknown                       // the network knows no such hold
	AdviceRevoked                       // the authorisation was withdrawn
	AdviceCollided                      // our trace was taken: once more with a new one
	AdviceRefused                       // anything else: a person must look
	AdviceDeclined                      // a request of ours was refused for good; AdviceReply.Why says why
	AdviceUnclear                       // a request of ours may have been booked although nobody said so: it must be undone
)

// AdviceReply is the network's answer to an advice.
type AdviceReply struct {
	Verdict AdviceVerdict
	Code    string       // the network's response code, untouched
	Why     RefundReason // why a refund is declined
	Undo    UndoReason   // why an unclear request is undone
	Alert   string       // what an operator should look at
	Day     string       // the business day on which the network booked it, YYYYMMDD; empty where it did not say
}

// DayTotals is what happened on one business day of a network, in one currency: counts and sums in whole minor units (rails §1.7).
// Credits give money to the cardholder: refunds. Debits take it: captures and sales.
type DayTotals struct {
	Day                                                string // YYYYMMDD
	Currency                                           money.Currency
	Credits, CreditsReversed, Debits, DebitsReversed   int64
	CreditSum, CreditRevSum, DebitSum, DebitReverseSum int64
}

// TotalsVerdict is what a network says to our totals of a day. Its zero value is TotalsSilent.
type TotalsVerdict uint8

// The verdicts on totals.
const (
	TotalsSilent TotalsVerdict = iota // no answer, or none that can be read: again
	TotalsAgreed
	TotalsBreak // it has other totals
)

// TotalsReply is a network's answer to our totals.
type TotalsReply struct {
	Verdict TotalsVerdict
	Code    string
	Host    DayTotals // its own totals, where it said them
}

// ChargebackAdvice is a chargeback that a network told on line (rails §1.16).
type ChargebackAdvice struct {
	Acquirer string
	Original Trace  // of the completion, or the request, that it disputes; its RRN is the hold's
	Name     string // how the network names this message: the same for every repeat
	Amount   money.Amount
	Stage    Stage
	Reason   DisputeReason
	Scope    string
	RawCode  string
	Case     string
	At       time.Time
	ReplyBy  time.Time // zero where it did not say
}
