// Package koreacards is Google's Korea Cards v1 on the wire: what it has beside the messages that package cards shares, what these mean to
// the engine, and where we tell Google.
package koreacards

import (
	"naru/protocol/gsp"
	"naru/protocol/gsp/cards"
)

// ReserveFundsRequest asks for an authorisation hold (P1, §4.1).
type ReserveFundsRequest struct {
	cards.PaymentRequest
	Options *AdditionalTransactionProcessingOptions `json:"additionalTransactionProcessingOptions,omitzero"`
}

// AdditionalTransactionProcessingOptions says how the payment is to be processed (§3.2).
type AdditionalTransactionProcessingOptions struct {
	cards.AdditionalTransactionProcessingOptions
	HolderData
}

// HolderData is the four members that only Korea has (§3.2): in P1 inside the options, in P5 and P8 at the top.
type HolderData struct {
	PIN                   *gsp.Secret `json:"pin,omitzero"`
	ConnectingInformation *gsp.Secret `json:"connectingInformation,omitzero"`
	DateOfBirth           *gsp.Secret `json:"dateOfBirth,omitzero"`
	BusinessIdentifier    *gsp.Secret `json:"businessIdentifier,omitzero"`
}

// VerifyCardWithMinimumReservationRequest asks whether a card can be used, by a hold of the least amount (P5, §4.5).
type VerifyCardWithMinimumReservationRequest struct {
	cards.VerificationRequest
	Options *AdditionalTransactionProcessingOptions `json:"additionalTransactionProcessingOptions,omitzero"`

	HolderData
}

// VerifyCardWithZeroAmountRequest asks whether a card can be used, and holds nothing (P8, §4.8).
type VerifyCardWithZeroAmountRequest struct {
	Card                    *cards.Card                    `json:"card,omitzero"`
	AddressVerificationData *cards.AddressVerificationData `json:"addressVerificationData,omitzero"`

	MerchantCategoryCode           *string    `json:"merchantCategoryCode,omitzero"` // exactly one of the two
	MerchantCategoryCodeNotPresent *gsp.Empty `json:"merchantCategoryCodeNotPresent,omitzero"`

	HolderData
}

// VerifyCardWithZeroAmountResponse is what the check came to (P8, §4.8).
type VerifyCardWithZeroAmountResponse struct {
	cards.CheckResults
	Result cards.ReserveFundsResultCode `json:"result"`
}
