// Package koreacards is Google's Korea Cards v1 on the wire: its messages, what they mean to the engine, and what we owe in return.
//
// The envelope (package gsp) has taken off requestHeader, responseHeader and paymentIntegratorAccountId: they stand in no type here.
// Members whose absence means something are pointers; null is absence.
package koreacards

import (
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"naru/core/card"
	"naru/protocol/gsp"
)

// ReserveFundsRequest asks for an authorisation hold (P1, §4.1).
type ReserveFundsRequest struct {
	AccountDetails                         *AccountDetails                         `json:"accountDetails,omitzero"`
	CurrencyCode                           *string                                 `json:"currencyCode,omitzero"`
	Amount                                 *gsp.Int64                              `json:"amount,omitzero"`
	TransactionDescription                 *string                                 `json:"transactionDescription,omitzero"`
	MerchantCategoryCode                   *string                                 `json:"merchantCategoryCode,omitzero"`
	AddressVerificationData                *AddressVerificationData                `json:"addressVerificationData,omitzero"`
	AdditionalTransactionProcessingOptions *AdditionalTransactionProcessingOptions `json:"additionalTransactionProcessingOptions,omitzero"`
}

// ReserveFundsResponse is what became of the hold (P1, §4.1).
type ReserveFundsResponse struct {
	PaymentIntegratorFundsReservationID   string                                 `json:"paymentIntegratorFundsReservationId,omitzero"`
	CardNetworkResult                     CardNetworkResult                      `json:"cardNetworkResult"`
	AddressVerificationResult             AddressVerificationResult              `json:"addressVerificationResult"`
	CvnResult                             CvnResult                              `json:"cvnResult"`
	CardMetadata                          CardMetadata                           `json:"cardMetadata"`
	ReservationExpirationTimestamp        gsp.Int64                              `json:"reservationExpirationTimestamp,omitzero"`
	AdditionalTransactionProcessingResult *AdditionalTransactionProcessingResult `json:"additionalTransactionProcessingResult,omitzero"`
	Result                                ReserveFundsResultCode                 `json:"result"`
}

// AsynchronousCaptureFundsReservationRequest starts the money movement for one hold (P2, §4.2).
type AsynchronousCaptureFundsReservationRequest struct {
	ReservationRequestID *string    `json:"reservationRequestId,omitzero"`
	Amount               *gsp.Int64 `json:"amount,omitzero"`
}

// AsynchronousCaptureFundsReservationResponse takes the capture over; G1 brings its verdict (P2, §4.2).
type AsynchronousCaptureFundsReservationResponse struct {
	Result                     AcknowledgedResult `json:"result"`
	PaymentIntegratorCaptureID string             `json:"paymentIntegratorCaptureId,omitzero"` // accepted, not sent to Korea until confirmed
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

// NotificationResponse is Google's answer to G1 and G2 (§5).
type NotificationResponse struct {
	Result NotificationResult `json:"result"`
}

// AccountDetails says what is charged (§3.1): exactly one member.
type AccountDetails struct {
	Card         *Card         `json:"card,omitzero"`
	PaymentToken *PaymentToken `json:"paymentToken,omitzero"`
}

// Card is a plain card number (§3.1).
type Card struct {
	AccountNumber     *Secret `json:"accountNumber,omitzero"`
	NameOnCard        *Secret `json:"nameOnCard,omitzero"`
	ExpiryMonth       *string `json:"expiryMonth,omitzero"` // MM
	ExpiryYear        *string `json:"expiryYear,omitzero"`  // YY
	CVN               *Secret `json:"cvn,omitzero"`
	IssuanceDateMonth *string `json:"issuanceDateMonth,omitzero"`
	IssuanceDateYear  *string `json:"issuanceDateYear,omitzero"`
}

// PaymentToken is a network token (§3.1).
type PaymentToken struct {
	NameOnCard                *Secret `json:"nameOnCard,omitzero"`
	PaymentTokenAccountNumber *Secret `json:"paymentTokenAccountNumber,omitzero"`
	ExpiryMonth               *string `json:"expiryMonth,omitzero"` // MM
	ExpiryYear                *string `json:"expiryYear,omitzero"`  // YY
	Cryptogram                *Secret `json:"cryptogram,omitzero"`

	TokenTypeDeviceToken   *gsp.Empty `json:"tokenTypeDeviceToken,omitzero"` // at most one of the four
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

	ScaExemptionNotApplicable  *gsp.Empty `json:"scaExemptionNotApplicable,omitzero"` // at most one of the three; ignored
	ScaLowValueTransaction     *gsp.Empty `json:"scaLowValueTransaction,omitzero"`
	ScaTransactionRiskAnalysis *gsp.Empty `json:"scaTransactionRiskAnalysis,omitzero"`

	PIN                   *Secret `json:"pin,omitzero"` // the four members that only Korea has
	ConnectingInformation *Secret `json:"connectingInformation,omitzero"`
	DateOfBirth           *Secret `json:"dateOfBirth,omitzero"`
	BusinessIdentifier    *Secret `json:"businessIdentifier,omitzero"`
}

// UserSelectedProcessingNetworkType is the rail that the user chose (§3.2); the list is open.
type UserSelectedProcessingNetworkType string

// The known values; their spelling is inferred.
const (
	NetworkTypeCredit UserSelectedProcessingNetworkType = "CREDIT"
	NetworkTypeDebit  UserSelectedProcessingNetworkType = "DEBIT"
)

// ThreeDSecureAuthenticationData is the result of a successful 3-D Secure run (§3.3).
type ThreeDSecureAuthenticationData struct {
	DirectoryServerTransactionID *string `json:"directoryServerTransactionId,omitzero"`
	CAVV                         *Secret `json:"cavv,omitzero"`
	ThreeDSVersion               *string `json:"threeDsVersion,omitzero"`
	ThreeDSServerTransactionID   *string `json:"threeDsServerTransactionId,omitzero"`
}

// StoredCredentialTransactionInformation says who starts a payment with a stored card, and why (§3.4): exactly one member.
type StoredCredentialTransactionInformation struct {
	CustomerInitiated *CustomerInitiated `json:"customerInitiated,omitzero"`
	MerchantInitiated *MerchantInitiated `json:"merchantInitiated,omitzero"`
}

// CustomerInitiated is a payment that the holder starts (§3.4).
type CustomerInitiated struct {
	TransactionIntentClassification *TransactionIntentClassification `json:"transactionIntentClassification,omitzero"`
	InstrumentStorageType           *InstrumentStorageType           `json:"instrumentStorageType,omitzero"`
}

// MerchantInitiated is a payment that the merchant starts (§3.4). The last two members are a union.
type MerchantInitiated struct {
	TransactionIntentClassification           *TransactionIntentClassification `json:"transactionIntentClassification,omitzero"`
	PreviousTransactionInformation            *PreviousTransactionInformation  `json:"previousTransactionInformation,omitzero"`
	PreviousTransactionInformationNotProvided *gsp.Empty                       `json:"previousTransactionInformationNotProvided,omitzero"`
}

// PreviousTransactionInformation names the payment with which the card was stored (§3.4); other members are tolerated.
type PreviousTransactionInformation struct {
	NetworkTransactionIdentifier *string `json:"networkTransactionIdentifier,omitzero"`
}

// TransactionIntentClassification is why a card is stored (§3.4); the list is open.
type TransactionIntentClassification string

// The known values.
const (
	IntentInstallment TransactionIntentClassification = "INSTALLMENT"
	IntentRecurring   TransactionIntentClassification = "RECURRING"
	IntentUnscheduled TransactionIntentClassification = "UNSCHEDULED"
)

// InstrumentStorageType is how a card is stored (§3.4); no value is published.
type InstrumentStorageType string

// AdditionalTransactionProcessingResult is what became of the stored credential (§3.5): exactly one member.
type AdditionalTransactionProcessingResult struct {
	StoredCredentialInformationSuccessful  *StoredCredentialInformationSuccessful  `json:"storedCredentialInformationSuccessful,omitzero"`
	StoredCredentialInformationUnsupported *StoredCredentialInformationUnsupported `json:"storedCredentialInformationUnsupported,omitzero"`
	StoredCredentialInformationNotSent     *gsp.Empty                              `json:"storedCredentialInformationNotSent,omitzero"`
}

// StoredCredentialInformationSuccessful holds the network's names of the payment (§3.5).
type StoredCredentialInformationSuccessful struct {
	NetworkTransactionIdentifier              string `json:"networkTransactionIdentifier"`
	SupplementaryNetworkTransactionIdentifier string `json:"supplementaryNetworkTransactionIdentifier,omitzero"`
}

// StoredCredentialInformationUnsupported says why the stored-credential data was of no use (§3.5).
type StoredCredentialInformationUnsupported struct {
	ReasonDescription string `json:"reasonDescription"`
}

// AddressVerificationData is where the card's bills go (§3.6).
type AddressVerificationData struct {
	AddressLine            []string `json:"addressLine,omitzero"`
	LocalityName           *string  `json:"localityName,omitzero"`
	AdministrativeAreaName *string  `json:"administrativeAreaName,omitzero"`
	PostalCodeNumber       *string  `json:"postalCodeNumber,omitzero"`
	CountryCode            *string  `json:"countryCode,omitzero"`
}

// AddressVerificationResult is what the address check came to (§3.7): exactly one member.
type AddressVerificationResult struct {
	NotSent         *AddressNotSent         `json:"notSent,omitzero"`
	SentUnsupported *AddressSentUnsupported `json:"sentUnsupported,omitzero"`
	Result          *AddressResult          `json:"result,omitzero"`
}

// AddressNotSent: no address came (§3.7).
type AddressNotSent struct {
	Support NotSentAvsSupport `json:"support"`
}

// AddressSentUnsupported: an address came and could not be checked (§3.7).
type AddressSentUnsupported struct {
	Reason AvsNotSupportedReason `json:"reason"`
}

// AddressResult is the check, part by part (§3.7).
type AddressResult struct {
	RawAvsResult           string             `json:"rawAvsResult"`
	AddressLine            VerificationResult `json:"addressLine"`
	LocalityName           VerificationResult `json:"localityName"`
	AdministrativeAreaName VerificationResult `json:"administrativeAreaName"`
	PostalCodeNumber       VerificationResult `json:"postalCodeNumber"`
	CountryCode            VerificationResult `json:"countryCode"`
	NameOnCard             VerificationResult `json:"nameOnCard"`
}

// NotSentAvsSupport is whether an address could have been checked (§3.7).
type NotSentAvsSupport string

// The values; the list is complete.
const (
	NotSentUnsupportedByIntegrator NotSentAvsSupport = "UNSUPPORTED_BY_INTEGRATOR"
	NotSentUnsupportedByNetwork    NotSentAvsSupport = "UNSUPPORTED_BY_NETWORK"
	NotSentUnsupportedByIssuer     NotSentAvsSupport = "UNSUPPORTED_BY_ISSUER"
	NotSentSupported               NotSentAvsSupport = "SUPPORTED"
	NotSentSupportNotKnown         NotSentAvsSupport = "AVS_SUPPORT_NOT_KNOWN"
)

// AvsNotSupportedReason is why an address could not be checked (§3.7).
type AvsNotSupportedReason string

// The values; the list is complete.
const (
	AvsUnsupportedByIntegrator AvsNotSupportedReason = "UNSUPPORTED_BY_INTEGRATOR"
	AvsUnsupportedByNetwork    AvsNotSupportedReason = "UNSUPPORTED_BY_NETWORK"
	AvsUnsupportedByIssuer     AvsNotSupportedReason = "UNSUPPORTED_BY_ISSUER"
)

// VerificationResult is what the check of one part came to (§3.7).
type VerificationResult string

// The values; all but the first are spelled as inferred.
const (
	VerificationMatch            VerificationResult = "MATCH"
	VerificationMismatch         VerificationResult = "MISMATCH"
	VerificationNotSpecified     VerificationResult = "NOT_SPECIFIED"
	VerificationSkippedByNetwork VerificationResult = "SKIPPED_BY_NETWORK"
	VerificationSkippedByIssuer  VerificationResult = "SKIPPED_BY_ISSUER"
)

// CvnResult is what the check of the card verification number came to (§3.8).
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

// CardMetadata is what is known about the card (§3.10).
type CardMetadata struct {
	IssuerName         string   `json:"issuerName,omitzero"`
	IssuingCountryCode string   `json:"issuingCountryCode,omitzero"`
	Networks           []string `json:"networks,omitzero"`
	CardType           CardType `json:"cardType"`
}

// CardType is how a card is funded (§3.10).
type CardType string

// The values; the list is complete.
const (
	CardTypeUnknown CardType = "INTEGRATOR_CANNOT_SPECIFY_CARD_TYPE"
	CardTypeCredit  CardType = "CREDIT_CARD"
	CardTypeDebit   CardType = "DEBIT_CARD"
	CardTypePrepaid CardType = "PREPAID_CARD"
)

// ReserveFundsResultCode is the result of P1 (§7.1). The declines stand in results.csv.
type ReserveFundsResultCode string

// The codes that the code itself names.
const (
	ReserveFundsSuccess        ReserveFundsResultCode = "SUCCESS"
	ReserveFundsIssuerDeclined ReserveFundsResultCode = "ISSUER_DECLINED"
)

// AcknowledgedResult is the result of P2 and P3 (§4.2, §4.3).
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

// NotificationResult is how Google takes a notification (§5).
type NotificationResult string

// NotificationSuccess is its only known value.
const NotificationSuccess NotificationResult = "SUCCESS"

// Secret is a member that must never be seen: only this package's own JSON writes it, and the envelope seals that.
// Printing it with any verb yields a mask; the standard library's encoders refuse it.
type Secret struct{ card.Secret }

// Conceal makes a secret member.
func Conceal(text string) *Secret { return &Secret{card.Conceal(text)} }

// Format implements fmt.Formatter: a mask, whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalJSONTo writes the text.
func (s Secret) MarshalJSONTo(enc *jsontext.Encoder) error {
	return enc.WriteToken(jsontext.String(s.Reveal()))
}

// UnmarshalJSONFrom reads a string; its errors quote nothing.
func (s *Secret) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	text, err := readString(dec)
	if err != nil {
		return err
	}
	s.Secret = card.Conceal(text)
	return nil
}

// ResponseCode is a code passed through. The sheets do not say whether it is a string or an object around one: both are read, a string is
// written (§3.9).
type ResponseCode string

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
