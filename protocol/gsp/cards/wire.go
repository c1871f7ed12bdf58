package cards

import (
	"errors"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"naru/protocol/gsp"
)

// PaymentRequest is what every request for a payment has, beside its options (P1, §4.1; FOP P4, §4.4).
type PaymentRequest struct {
	AccountDetails          *AccountDetails          `json:"accountDetails,omitzero"`
	CurrencyCode            *string                  `json:"currencyCode,omitzero"`
	Amount                  *gsp.Int64               `json:"amount,omitzero"`
	TransactionDescription  *string                  `json:"transactionDescription,omitzero"`
	MerchantCategoryCode    *string                  `json:"merchantCategoryCode,omitzero"`
	AddressVerificationData *AddressVerificationData `json:"addressVerificationData,omitzero"`
}

// ReserveFundsResponse is what became of the hold (P1, §4.1).
type ReserveFundsResponse struct {
	PaymentIntegratorFundsReservationID string `json:"paymentIntegratorFundsReservationId,omitzero"`
	CheckResults
	CardMetadata                          CardMetadata                           `json:"cardMetadata"`
	ReservationExpirationTimestamp        gsp.Int64                              `json:"reservationExpirationTimestamp,omitzero"`
	AdditionalTransactionProcessingResult *AdditionalTransactionProcessingResult `json:"additionalTransactionProcessingResult,omitzero"`
	Result                                ReserveFundsResultCode                 `json:"result"`
}

// CheckResults is what came of a card's checks: part of every answer about a card (§4.1).
type CheckResults struct {
	CardNetworkResult         CardNetworkResult         `json:"cardNetworkResult"`
	AddressVerificationResult AddressVerificationResult `json:"addressVerificationResult"`
	CvnResult                 CvnResult                 `json:"cvnResult"`
}

// AsynchronousCaptureFundsReservationRequest starts the money movement for one hold (P2, §4.2).
type AsynchronousCaptureFundsReservationRequest struct {
	ReservationRequestID *string    `json:"reservationRequestId,omitzero"`
	Amount               *gsp.Int64 `json:"amount,omitzero"`
}

// AsynchronousCaptureFundsReservationResponse takes the capture over; G1 brings its verdict (P2, §4.2).
type AsynchronousCaptureFundsReservationResponse struct {
	Result                     AcknowledgedResult `json:"result"`
	PaymentIntegratorCaptureID string             `json:"paymentIntegratorCaptureId,omitzero"` // not sent to Korea until confirmed
}

// AsynchronousCancelFundsReservationRequest lets a whole hold go (P3, §4.3).
type AsynchronousCancelFundsReservationRequest struct {
	ReservationRequestID *string `json:"reservationRequestId,omitzero"`
}

// AsynchronousCancelFundsReservationResponse takes the cancel over; G2 brings its verdict (P3, §4.3).
type AsynchronousCancelFundsReservationResponse struct {
	Result AcknowledgedResult `json:"result"`
}

// CaptureFundsReservationResultNotification is the final result of a P2 (G1, §5.1).
type CaptureFundsReservationResultNotification struct {
	CaptureFundsReservationRequestID string                            `json:"captureFundsReservationRequestId"`
	CaptureFundsReservationResult    CaptureFundsReservationResultCode `json:"captureFundsReservationResult"`
	RawResult                        *RawResult                        `json:"rawResult,omitzero"`
}

// CancelFundsReservationResultNotification is the final result of a P3 (G2, §5.2).
type CancelFundsReservationResultNotification struct {
	CancelFundsReservationRequestID string                           `json:"cancelFundsReservationRequestId"`
	CancelFundsReservationResult    CancelFundsReservationResultCode `json:"cancelFundsReservationResult"`
	RawResult                       *RawResult                       `json:"rawResult,omitzero"`
}

// AsynchronousRefundRequest gives part or all of a capture back (P4, §4.4; FOP P5, §4.5). Its amount has a name of its own.
type AsynchronousRefundRequest struct {
	CaptureRequestID *string    `json:"captureRequestId,omitzero"`
	RefundAmount     *gsp.Int64 `json:"refundAmount,omitzero"`
}

// AsynchronousRefundResponse takes the refund over; G3 brings its verdict (P4, §4.4; FOP P5, §4.5).
type AsynchronousRefundResponse struct {
	Result AcknowledgedResult `json:"result"`
}

// VerificationRequest is what a request to check a card by a hold has in both APIs (P5, §4.5; FOP P6, §4.6).
type VerificationRequest struct {
	Card                    *Card                    `json:"card,omitzero"`
	CurrencyCode            *string                  `json:"currencyCode,omitzero"`
	TransactionDescription  *string                  `json:"transactionDescription,omitzero"`
	MerchantCategoryCode    *string                  `json:"merchantCategoryCode,omitzero"`
	AddressVerificationData *AddressVerificationData `json:"addressVerificationData,omitzero"`

	// the stored credential stands here, or inside the options (§14 point 20; FOP §12 point 11)
	StoredCredential *StoredCredentialTransactionInformation `json:"storedCredentialTransactionInformation,omitzero"`
}

// VerifyCardWithMinimumReservationResponse is what became of the check (P5, §4.5; FOP P6, §4.6). The hold has no
// other name than the request id.
type VerifyCardWithMinimumReservationResponse struct {
	CheckResults
	CardMetadata                          CardMetadata                           `json:"cardMetadata"`
	FundsTransferFlow                     CapabilitySupport                      `json:"fundsTransferFlow"`
	ReserveCaptureFlow                    CapabilitySupport                      `json:"reserveCaptureFlow"`
	AdditionalTransactionProcessingResult *AdditionalTransactionProcessingResult `json:"additionalTransactionProcessingResult,omitzero"`
	Result                                ReserveFundsResultCode                 `json:"result"`
}

// DefendChargebackRequest hands over evidence (P6, §4.6; FOP P7, §4.7). The last two members are a union.
type DefendChargebackRequest struct {
	DefenseMaterialDocument *DefenseMaterialDocument `json:"defenseMaterialDocument,omitzero"`
	CaptureRequestID        *string                  `json:"captureRequestId,omitzero"`
	MrnPaymentDetails       *MrnPaymentDetails       `json:"mrnPaymentDetails,omitzero"`
}

// DefenseMaterialDocument is a document in base64url (§4.6; FOP §4.7). It is about a person: its payload is a secret.
type DefenseMaterialDocument struct {
	MimeType *MimeType   `json:"mimeType,omitzero"`
	Payload  *gsp.Secret `json:"payload,omitzero"`
}

// MrnPaymentDetails names a payment that was made elsewhere (§4.6; FOP §4.7); other members are tolerated.
type MrnPaymentDetails struct {
	MerchantID *string `json:"merchantId,omitzero"`
}

// DefendChargebackResponse is what became of the evidence (P6, §4.6; FOP P7, §4.7).
type DefendChargebackResponse struct {
	Result DefendChargebackResultCode `json:"result"`
}

// RefundResultNotification is the final result of a P4 (G3, §5.3).
type RefundResultNotification struct {
	PaymentIntegratorRefundID string           `json:"paymentIntegratorRefundId,omitzero"`
	RefundRequestID           string           `json:"refundRequestId"`
	RefundResult              RefundResultCode `json:"refundResult"`
	RawResult                 *RawResult       `json:"rawResult,omitzero"`
}

// ReverseRefundNotification tells that the money of a refund came back (G4, §5.4; FOP G10, §5.10).
type ReverseRefundNotification struct {
	RefundRequestID string    `json:"refundRequestId"`
	Amount          gsp.Int64 `json:"amount"`
	RawResult       RawResult `json:"rawResult"`
}

// InquiryNotification tells that an issuer wants to know more (G5, §5.5; FOP G6, §5.6).
type InquiryNotification struct {
	CaptureRequestID string                   `json:"captureRequestId"`
	Amount           gsp.Int64                `json:"amount"`
	ReasonCode       PaymentDisputeReasonCode `json:"reasonCode"`
	RawResult        RawResult                `json:"rawResult"`
	InquiryDate      gsp.TimestampA           `json:"inquiryDate"`
	ReplyByDate      gsp.TimestampA           `json:"replyByDate"`
	CaseID           string                   `json:"caseId,omitzero"`
}

// ChargebackNotification tells that an issuer took the money (G6, §5.6; FOP G7, §5.7). Its request id is the
// chargeback's name from then on.
type ChargebackNotification struct {
	CaptureRequestID string                   `json:"captureRequestId"`
	Amount           gsp.Int64                `json:"amount"`
	ChargebackStage  ChargebackStage          `json:"chargebackStage"`
	ReasonCode       PaymentDisputeReasonCode `json:"reasonCode"`
	RawResult        RawResult                `json:"rawResult"`
	ChargebackDate   gsp.TimestampA           `json:"chargebackDate"`
	ReplyByDate      gsp.TimestampA           `json:"replyByDate"`
	CaseID           string                   `json:"caseId,omitzero"`
}

// ChargebackReversedNotification tells that the money of a chargeback returns (G7, §5.7; FOP G8, §5.8).
type ChargebackReversedNotification struct {
	ChargebackRequestID    string         `json:"chargebackRequestId"`
	Amount                 gsp.Int64      `json:"amount"`
	RawResult              RawResult      `json:"rawResult"`
	ChargebackReversalDate gsp.TimestampA `json:"chargebackReversalDate"`
}

// FraudNotification tells of a suspicion; no money moves (G8, §5.8; FOP G9, §5.9).
type FraudNotification struct {
	CaptureRequestID string    `json:"captureRequestId"`
	FraudType        FraudType `json:"fraudType"`
	RawResult        RawResult `json:"rawResult"`
}

// SettlementNotification is one part of a settlement (G9, §5.9; FOP G11, §5.11). It is of message generation B, as is everything in it.
type SettlementNotification struct {
	GeneratedTimestamp gsp.TimestampB      `json:"generatedTimestamp"`
	SettlementPeriod   Interval            `json:"settlementPeriod"`
	SettlementAmount   Amount              `json:"settlementAmount"`
	SettlementID       string              `json:"settlementId"`
	NotificationOffset int64               `json:"notificationOffset"` // from 0
	NotificationTotal  int64               `json:"notificationTotal"`
	Events             map[string][]object `json:",embed"` // captureEvents and so on: settlement.go has the table of their names
}

// SetAcquirerReferenceNumberForCaptureNotification hands over the number of a capture, once and for all (G10, §5.10; FOP G4, §5.4).
type SetAcquirerReferenceNumberForCaptureNotification struct {
	CaptureRequestID        string `json:"captureRequestId"` // the page's text says captureFundsReservationRequestId (§14 point 3)
	AcquirerReferenceNumber string `json:"acquirerReferenceNumber"`
}

// SetAcquirerReferenceNumberForRefundNotification hands over the number of a refund (G11, §5.11; FOP G5, §5.5).
type SetAcquirerReferenceNumberForRefundNotification struct {
	RefundRequestID         string `json:"refundRequestId"`
	AcquirerReferenceNumber string `json:"acquirerReferenceNumber"`
}

// GspFileHeader is line 1 of a settlement file (§6.2).
type GspFileHeader struct {
	RequestID                  string         `json:"requestId"`
	GenerationTimestamp        gsp.TimestampB `json:"generationTimestamp"`
	Type                       string         `json:"type"`
	PaymentIntegratorAccountID string         `json:"paymentIntegratorAccountId"`
}

// FileTypeSettlement is what a settlement file says it is (§6.2).
const FileTypeSettlement = "GSP_CARD_SETTLEMENT_V1"

// GspCardSettlementHeader is line 2 of a settlement file (§6.2). What is optional we do not keep: balances and the payment.
type GspCardSettlementHeader struct {
	SettlementID     string    `json:"settlementId"`
	SettlementPeriod Interval  `json:"settlementPeriod"`
	SettlementAmount Amount    `json:"settlementAmount"`
	NumberOfItems    gsp.Int64 `json:"numberOfItems"`
}

// GspCardSettlementEntry is any further line of a settlement file (§6.2). Its object holds exactly one event.
type GspCardSettlementEntry struct {
	EntryID             gsp.Int64 `json:"entryId"` // 1, 2, 3 ...
	SettlementEntryType object    `json:"settlementEntryType"`
}

// Interval is a time from its start up to its end (§6.2).
type Interval struct {
	Start gsp.TimestampB `json:"start"`
	End   gsp.TimestampB `json:"end"`
}

// Amount is money as generation B writes it. In a settlement, more than nothing is what we owe Google (§6.3).
type Amount struct {
	AmountMicros gsp.Int64 `json:"amountMicros"`
	CurrencyCode string    `json:"currencyCode"`
}

// EventPresentmentDetails is what the holder saw, and the rate (§6.3).
type EventPresentmentDetails struct {
	PresentmentAmount Amount    `json:"presentmentAmount"`
	NanoExchangeRate  gsp.Int64 `json:"nanoExchangeRate"` // times ten to the thirteenth
}

// AccountDetails says what is charged (§3.1): exactly one member.
type AccountDetails struct {
	Card         *Card         `json:"card,omitzero"`
	PaymentToken *PaymentToken `json:"paymentToken,omitzero"`
}

// Card is a plain card number (§3.1).
type Card struct {
	AccountNumber     *gsp.Secret `json:"accountNumber,omitzero"`
	NameOnCard        *gsp.Secret `json:"nameOnCard,omitzero"`
	ExpiryMonth       *string     `json:"expiryMonth,omitzero"` // MM
	ExpiryYear        *string     `json:"expiryYear,omitzero"`  // YY
	CVN               *gsp.Secret `json:"cvn,omitzero"`
	IssuanceDateMonth *string     `json:"issuanceDateMonth,omitzero"`
	IssuanceDateYear  *string     `json:"issuanceDateYear,omitzero"`
}

// PaymentToken is a network token (§3.1).
type PaymentToken struct {
	NameOnCard                *gsp.Secret `json:"nameOnCard,omitzero"`
	PaymentTokenAccountNumber *gsp.Secret `json:"paymentTokenAccountNumber,omitzero"`
	ExpiryMonth               *string     `json:"expiryMonth,omitzero"` // MM
	ExpiryYear                *string     `json:"expiryYear,omitzero"`  // YY
	Cryptogram                *gsp.Secret `json:"cryptogram,omitzero"`

	TokenTypeDeviceToken   *gsp.Empty `json:"tokenTypeDeviceToken,omitzero"` // at most one of the four; in Card FOP exactly one
	TokenTypeMerchantToken *gsp.Empty `json:"tokenTypeMerchantToken,omitzero"`
	TokenTypeUnsupported   *gsp.Empty `json:"tokenTypeUnsupported,omitzero"`
	TokenTypeNotApplicable *gsp.Empty `json:"tokenTypeNotApplicable,omitzero"`
}

// AdditionalTransactionProcessingOptions says how the payment is to be processed (§3.2). Each group of members is a union.
type AdditionalTransactionProcessingOptions struct {
	ProcessingNetworkType              *UserSelectedProcessingNetworkType `json:"userSelectedProcessingNetworkType,omitzero"`
	ProcessingNetworkTypeNotApplicable *gsp.Empty                         `json:"userSelectedProcessingNetworkTypeNotApplicable,omitzero"`

	ElectronicCommerceIndicator              *string    `json:"electronicCommerceIndicator,omitzero"`
	ElectronicCommerceIndicatorNotApplicable *gsp.Empty `json:"electronicCommerceIndicatorNotApplicable,omitzero"`

	ThreeDSecureAuthenticationDetails *ThreeDSecureAuthenticationData `json:"threeDSecureAuthenticationDetails,omitzero"`
	ThreeDSecureNotAppplicable        *gsp.Empty                      `json:"threeDSecureNotAppplicable,omitzero"` // three p's
	ThreeDSecureNotApplicable         *gsp.Empty                      `json:"threeDSecureNotApplicable,omitzero"`  // accepted, never sent

	StoredCredential              *StoredCredentialTransactionInformation `json:"storedCredentialTransactionInformation,omitzero"`
	StoredCredentialNotApplicable *gsp.Empty                              `json:"storedCredentialTransactionInformationNotApplicable,omitzero"`

	ScaExemptionNotApplicable  *gsp.Empty `json:"scaExemptionNotApplicable,omitzero"` // at most one of the three; Korea ignores them
	ScaLowValueTransaction     *gsp.Empty `json:"scaLowValueTransaction,omitzero"`
	ScaTransactionRiskAnalysis *gsp.Empty `json:"scaTransactionRiskAnalysis,omitzero"`
}

// UserSelectedProcessingNetworkType is the rail that the user chose (§3.2); the list is open.
type UserSelectedProcessingNetworkType string

// The known values; their spelling is inferred.
const (
	NetworkTypeCredit UserSelectedProcessingNetworkType = "CREDIT"
	NetworkTypeDebit  UserSelectedProcessingNetworkType = "DEBIT"
)

// ThreeDSecureAuthenticationData is the result of a successful 3-D Secure run (§3.3; FOP §3.2).
type ThreeDSecureAuthenticationData struct {
	DirectoryServerTransactionID *string     `json:"directoryServerTransactionId,omitzero"`
	CAVV                         *gsp.Secret `json:"cavv,omitzero"`
	ThreeDSVersion               *string     `json:"threeDsVersion,omitzero"`
	ThreeDSServerTransactionID   *string     `json:"threeDsServerTransactionId,omitzero"`
}

// StoredCredentialTransactionInformation says who starts a payment with a stored card, and why (§3.4; FOP §3.3): exactly one member.
type StoredCredentialTransactionInformation struct {
	CustomerInitiated *CustomerInitiated `json:"customerInitiated,omitzero"`
	MerchantInitiated *MerchantInitiated `json:"merchantInitiated,omitzero"`
}

// CustomerInitiated is a payment that the holder starts (§3.4; FOP §3.3).
type CustomerInitiated struct {
	TransactionIntentClassification *TransactionIntentClassification `json:"transactionIntentClassification,omitzero"`
	InstrumentStorageType           *InstrumentStorageType           `json:"instrumentStorageType,omitzero"`
}

// MerchantInitiated is a payment that the merchant starts (§3.4; FOP §3.3). The last two members are a union.
type MerchantInitiated struct {
	TransactionIntentClassification           *TransactionIntentClassification `json:"transactionIntentClassification,omitzero"`
	PreviousTransactionInformation            *PreviousTransactionInformation  `json:"previousTransactionInformation,omitzero"`
	PreviousTransactionInformationNotProvided *gsp.Empty                       `json:"previousTransactionInformationNotProvided,omitzero"`
}

// PreviousTransactionInformation names the payment with which the card was stored (§3.4; FOP §3.3); other members are tolerated.
type PreviousTransactionInformation struct {
	NetworkTransactionIdentifier *string `json:"networkTransactionIdentifier,omitzero"`
}

// TransactionIntentClassification is why a card is stored (§3.4; FOP §3.3); the list is open.
type TransactionIntentClassification string

// The known values.
const (
	IntentInstallment TransactionIntentClassification = "INSTALLMENT"
	IntentRecurring   TransactionIntentClassification = "RECURRING"
	IntentUnscheduled TransactionIntentClassification = "UNSCHEDULED"
)

// InstrumentStorageType is how a card is stored (§3.4; FOP §3.3); no value is published.
type InstrumentStorageType string

// AdditionalTransactionProcessingResult is what became of the stored credential (§3.5; FOP §3.4): exactly one member.
type AdditionalTransactionProcessingResult struct {
	StoredCredentialInformationSuccessful  *StoredCredentialInformationSuccessful  `json:"storedCredentialInformationSuccessful,omitzero"`
	StoredCredentialInformationUnsupported *StoredCredentialInformationUnsupported `json:"storedCredentialInformationUnsupported,omitzero"`
	StoredCredentialInformationNotSent     *gsp.Empty                              `json:"storedCredentialInformationNotSent,omitzero"`
}

// StoredCredentialInformationSuccessful holds the network's names of the payment (§3.5; FOP §3.4).
type StoredCredentialInformationSuccessful struct {
	NetworkTransactionIdentifier              string `json:"networkTransactionIdentifier"`
	SupplementaryNetworkTransactionIdentifier string `json:"supplementaryNetworkTransactionIdentifier,omitzero"`
}

// StoredCredentialInformationUnsupported says why the stored-credential data was of no use (§3.5; FOP §3.4).
type StoredCredentialInformationUnsupported struct {
	ReasonDescription string `json:"reasonDescription"`
}

// AddressVerificationData is where the card's bills go (§3.6; FOP §3.5).
type AddressVerificationData struct {
	AddressLine            []string `json:"addressLine,omitzero"`
	LocalityName           *string  `json:"localityName,omitzero"`
	AdministrativeAreaName *string  `json:"administrativeAreaName,omitzero"`
	PostalCodeNumber       *string  `json:"postalCodeNumber,omitzero"`
	CountryCode            *string  `json:"countryCode,omitzero"`
}

// AddressVerificationResult is what the address check came to (§3.7; FOP §3.6): exactly one member.
type AddressVerificationResult struct {
	NotSent         *AddressNotSent         `json:"notSent,omitzero"`
	SentUnsupported *AddressSentUnsupported `json:"sentUnsupported,omitzero"`
	Result          *AddressResult          `json:"result,omitzero"`
}

// AddressNotSent: no address came (§3.7; FOP §3.6).
type AddressNotSent struct {
	Support NotSentAvsSupport `json:"support"`
}

// AddressSentUnsupported: an address came and could not be checked (§3.7; FOP §3.6).
type AddressSentUnsupported struct {
	Reason AvsNotSupportedReason `json:"reason"`
}

// AddressResult is the check, part by part (§3.7; FOP §3.6).
type AddressResult struct {
	RawAvsResult           string             `json:"rawAvsResult"`
	AddressLine            VerificationResult `json:"addressLine"`
	LocalityName           VerificationResult `json:"localityName"`
	AdministrativeAreaName VerificationResult `json:"administrativeAreaName"`
	PostalCodeNumber       VerificationResult `json:"postalCodeNumber"`
	CountryCode            VerificationResult `json:"countryCode"`
	NameOnCard             VerificationResult `json:"nameOnCard"`
}

// NotSentAvsSupport is whether an address could have been checked (§3.7; FOP §3.6).
type NotSentAvsSupport string

// The values; the list is complete.
const (
	NotSentUnsupportedByIntegrator NotSentAvsSupport = "UNSUPPORTED_BY_INTEGRATOR"
	NotSentUnsupportedByNetwork    NotSentAvsSupport = "UNSUPPORTED_BY_NETWORK"
	NotSentUnsupportedByIssuer     NotSentAvsSupport = "UNSUPPORTED_BY_ISSUER"
	NotSentSupported               NotSentAvsSupport = "SUPPORTED"
	NotSentSupportNotKnown         NotSentAvsSupport = "AVS_SUPPORT_NOT_KNOWN"
)

// AvsNotSupportedReason is why an address could not be checked (§3.7; FOP §3.6).
type AvsNotSupportedReason string

// The values; the list is complete.
const (
	AvsUnsupportedByIntegrator AvsNotSupportedReason = "UNSUPPORTED_BY_INTEGRATOR"
	AvsUnsupportedByNetwork    AvsNotSupportedReason = "UNSUPPORTED_BY_NETWORK"
	AvsUnsupportedByIssuer     AvsNotSupportedReason = "UNSUPPORTED_BY_ISSUER"
)

// VerificationResult is what the check of one part came to (§3.7; FOP §3.6).
type VerificationResult string

// The values; all but the first are spelled as inferred.
const (
	VerificationMatch            VerificationResult = "MATCH"
	VerificationMismatch         VerificationResult = "MISMATCH"
	VerificationNotSpecified     VerificationResult = "NOT_SPECIFIED"
	VerificationSkippedByNetwork VerificationResult = "SKIPPED_BY_NETWORK"
	VerificationSkippedByIssuer  VerificationResult = "SKIPPED_BY_ISSUER"
)

// CvnResult is what the check of the card verification number came to (§3.8; FOP §3.7).
type CvnResult string

// The values; the list is complete.
const (
	CvnNotSentUnsupportedByIntegrator CvnResult = "NOT_SENT_UNSUPPORTED_BY_INTEGRATOR"
	CvnNotSentUnsupportedByNetwork    CvnResult = "NOT_SENT_UNSUPPORTED_BY_NETWORK"
	CvnNotSentUnsupportedByIssuer     CvnResult = "NOT_SENT_UNSUPPORTED_BY_ISSUER"
	CvnNotSentSupported               CvnResult = "NOT_SENT_SUPPORTED"
	CvnNotVerified                    CvnResult = "NOT_VERIFIED"
	CvnMatch                          CvnResult = "MATCH"
	CvnMismatch                       CvnResult = "MISMATCH"
	CvnNotSpecified                   CvnResult = "NOT_SPECIFIED"
	CvnUnsupportedByIntegrator        CvnResult = "UNSUPPORTED_BY_INTEGRATOR"
	CvnUnsupportedByNetwork           CvnResult = "UNSUPPORTED_BY_NETWORK"
	CvnUnsupportedByIssuer            CvnResult = "UNSUPPORTED_BY_ISSUER"
	CvnSkippedByNetwork               CvnResult = "SKIPPED_BY_NETWORK"
	CvnSkippedByIssuer                CvnResult = "SKIPPED_BY_ISSUER"
)

// CardNetworkResult is what the network itself said (§3.9). The first three members are a union.
type CardNetworkResult struct {
	RawResult                     *RawResult                `json:"rawResult,omitzero"`
	PassThroughResponseCodes      *PassThroughResponseCodes `json:"passThroughResponseCodes,omitzero"`
	CardNetworkResultNotAvailable *gsp.Empty                `json:"cardNetworkResultNotAvailable,omitzero"`
	AuthorizationCode             string                    `json:"authorizationCode,omitzero"`
}

// RawResult is a network's code and the space in which it lives (§3.9).
type RawResult struct {
	Scope   string `json:"scope,omitzero"`
	RawCode string `json:"rawCode"`
}

// The scopes that are no network's name (§3.9).
const (
	ScopeISO8583Code        = "Iso8583Code"
	ScopeMerchantAdviceCode = "MerchantAdviceCode"
)

// PassThroughResponseCodes are a network's own codes (§3.9). The first two members are a union.
type PassThroughResponseCodes struct {
	Iso8583V1987ResponseCode ResponseCode `json:"iso8583V1987ResponseCode,omitzero"`
	Iso8583V1993ResponseCode ResponseCode `json:"iso8583V1993ResponseCode,omitzero"`
	MerchantAdviceCode       ResponseCode `json:"merchantAdviceCode,omitzero"`
}

// CardMetadata is what is known about the card (§3.10; FOP §3.8).
type CardMetadata struct {
	IssuerName         string   `json:"issuerName,omitzero"`
	IssuingCountryCode string   `json:"issuingCountryCode,omitzero"`
	Networks           []string `json:"networks,omitzero"`
	CardType           CardType `json:"cardType"`
}

// CardType is how a card is funded (§3.10; FOP §3.8).
type CardType string

// The values; the list is complete.
const (
	CardTypeUnknown CardType = "INTEGRATOR_CANNOT_SPECIFY_CARD_TYPE"
	CardTypeCredit  CardType = "CREDIT_CARD"
	CardTypeDebit   CardType = "DEBIT_CARD"
	CardTypePrepaid CardType = "PREPAID_CARD"
)

// ReserveFundsResultCode is the result of every question about a card; they share one list (§7.1). The declines stand in each API's
// results.csv.
type ReserveFundsResultCode string

// The codes that the code itself names.
const (
	ReserveFundsSuccess        ReserveFundsResultCode = "SUCCESS"
	ReserveFundsIssuerDeclined ReserveFundsResultCode = "ISSUER_DECLINED"
)

// CapabilitySupport is whether a card works with a flow (§4.5; FOP §4.6).
type CapabilitySupport string

// The values.
const (
	FlowSupported    CapabilitySupport = "SUPPORTED"
	FlowNotSupported CapabilitySupport = "NOT_SUPPORTED"
)

// MimeType is what a document is (§4.6; FOP §4.7).
type MimeType string

// MimePDF is the only known one.
const MimePDF MimeType = "APPLICATION_PDF"

// DefendChargebackResultCode is the result of P6 (§4.6; FOP §4.7). All of them are a 200.
type DefendChargebackResultCode string

// The codes; the list is complete.
const (
	DefendSuccess                  DefendChargebackResultCode = "SUCCESS" // taken over, not won
	DefendCaptureRequestIDNotFound DefendChargebackResultCode = "CAPTURE_REQUEST_ID_NOT_FOUND"
	DefendInvalidDocumentFormat    DefendChargebackResultCode = "INVALID_DOCUMENT_FORMAT"
	DefendChargebackNotDefendable  DefendChargebackResultCode = "CHARGEBACK_NOT_DEFENDABLE"
)

// AcknowledgedResult is the result of P2, P3 and P4 (§4.2, §4.3, §4.4; FOP P5, §4.5).
type AcknowledgedResult string

// Acknowledged is its only value.
const Acknowledged AcknowledgedResult = "ACKNOWLEDGED"

// CaptureFundsReservationResultCode is the verdict on a capture (§5.1).
type CaptureFundsReservationResultCode string

// The verdicts.
const (
	CaptureResultSuccess CaptureFundsReservationResultCode = "SUCCESS"
	CaptureResultExpired CaptureFundsReservationResultCode = "RESERVATION_EXPIRED" // spelling inferred (§14 point 11)
	CaptureResultRevoked CaptureFundsReservationResultCode = "REVOCATION_OF_AUTHORIZATION"
)

// CancelFundsReservationResultCode is the verdict on a cancel (§5.2).
type CancelFundsReservationResultCode string

// CancelResultSuccess is the only one: a cancel is tried until the hold is released (§14 point 12).
const CancelResultSuccess CancelFundsReservationResultCode = "SUCCESS"

// RefundResultCode is the verdict on a refund (§5.3).
type RefundResultCode string

// The verdicts. The last five have no Korea evidence (FOP §5.3 has them all).
const (
	RefundResultSuccess           RefundResultCode = "SUCCESS"
	RefundResultNoMoneyLeft       RefundResultCode = "NO_MONEY_LEFT_ON_TRANSACTION"
	RefundResultWindowExceeded    RefundResultCode = "REFUND_WINDOW_EXCEEDED"
	RefundResultNotSupported      RefundResultCode = "NOT_SUPPORTED_BY_NETWORK"
	RefundResultIssuerDeclined    RefundResultCode = "ISSUER_DECLINED"
	RefundResultCardLostOrStolen  RefundResultCode = "CARD_LOST_OR_STOLEN"
	RefundResultCardCancelled     RefundResultCode = "CARD_CANCELLED"
	RefundResultChargebackInPlace RefundResultCode = "CHARGEBACK_IN_PLACE"
)

// PaymentDisputeReasonCode is why a holder contests a payment (§5.13; FOP §5.12). The list is complete; convert.go has it.
type PaymentDisputeReasonCode string

// DisputeUnclear is for a reason that is missing or not understood.
const DisputeUnclear PaymentDisputeReasonCode = "UNCLEAR"

// ChargebackStage is how often the issuer took the money (§5.6; FOP §5.7).
type ChargebackStage string

// The stages; the spelling of the second is inferred.
const (
	ChargebackFirst  ChargebackStage = "FIRST"
	ChargebackSecond ChargebackStage = "SECOND"
)

// FraudType is what kind of fraud is suspected (§5.8; FOP §5.9).
type FraudType string

// FraudulentUse is the only one whose spelling is known.
const FraudulentUse FraudType = "FRAUDULENT_USE"

// ResponseCode is a code passed through: an object around a string, whose member no sheet can read. Any name is read, and the bare string
// too (§3.9).
type ResponseCode string

// responseCode is how a ResponseCode is written. The name is inferred (FOP §3.9, §12 point 20) and stands nowhere else.
type responseCode struct {
	Value string `json:"value"`
}

// MarshalJSONTo writes the object.
func (c ResponseCode) MarshalJSONTo(enc *jsontext.Encoder) error {
	return json.MarshalEncode(enc, responseCode{string(c)})
}

// UnmarshalJSONFrom reads a string, or an object with one string member.
func (c *ResponseCode) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() != '{' {
		text, err := readString(dec)
		*c = ResponseCode(text)
		return err
	}
	var members map[string]string
	if err := json.UnmarshalDecode(dec, &members); err != nil || len(members) != 1 {
		return errNoString
	}
	for _, text := range members {
		*c = ResponseCode(text)
	}
	return nil
}

var errNoString = errors.New("not a string")

func readString(dec *jsontext.Decoder) (string, error) {
	if dec.PeekKind() != '"' {
		return "", errNoString
	}
	token, err := dec.ReadToken()
	if err != nil {
		return "", errNoString
	}
	return token.String(), nil
}
