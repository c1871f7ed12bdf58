// Package cardfop is Google's Card FOP v1 on the wire: what it has beside the messages that package cards shares, what these mean to the
// engine, and where we tell Google.
package cardfop

import "naru/protocol/gsp/cards"

// ReserveFundsRequest asks for an authorisation hold (P1, §4.1).
type ReserveFundsRequest struct {
	cards.PaymentRequest
	Options *cards.AdditionalTransactionProcessingOptions `json:"additionalTransactionProcessingOptions,omitzero"`
}

// CaptureRequest asks for the money at once, in the members of P1 (P4, §4.4).
type CaptureRequest = ReserveFundsRequest

// CaptureResponse is what became of the payment (P4, §4.4). No hold, so no end of one.
type CaptureResponse struct {
	PaymentIntegratorCaptureID string `json:"paymentIntegratorCaptureId,omitzero"`
	cards.CheckResults
	CardMetadata                          cards.CardMetadata                           `json:"cardMetadata"`
	AdditionalTransactionProcessingResult *cards.AdditionalTransactionProcessingResult `json:"additionalTransactionProcessingResult,omitzero"`
	Result                                cards.ReserveFundsResultCode                 `json:"result"`
}

// VerifyCardWithMinimumReservationRequest asks whether a card can be used, by a hold of the least amount (P6, §4.6).
type VerifyCardWithMinimumReservationRequest struct {
	cards.VerificationRequest
	Options *cards.AdditionalTransactionProcessingOptions `json:"additionalTransactionProcessingOptions,omitzero"`
}
