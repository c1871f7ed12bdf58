// Package disburse is Google's disburseFunds v1 on the wire: its messages, what they mean to the engine, and where we tell Google.
//
// A 200 is a final statement, and nothing says "not yet" (§7.3): while nobody can tell whether the money was credited the caller hears 503,
// and nothing is told.
//
// The envelope (package gsp) has taken off requestHeader, responseHeader and paymentIntegratorAccountId: they stand in no type here.
package disburse

import (
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"naru/protocol/gsp"
)

// DisburseFundsRequest asks to pay money to a user (§4.1). Null is absence.
type DisburseFundsRequest struct {
	TransactionDescription *string        `json:"transactionDescription,omitzero"`
	CurrencyCode           *string        `json:"currencyCode,omitzero"`
	Amount                 jsontext.Value `json:"amount,omitzero"`     // micros, read late: what is missing goes before what is wrong (§11)
	UpiDetails             *UpiDetails    `json:"upiDetails,omitzero"` // the only member of the union destinationFopDetails: required (OP-8)
}

// UpiDetails is whom UPI pays (§4.1). The address is about a person: it is a secret.
type UpiDetails struct {
	VPA *gsp.Secret `json:"vpa,omitzero"`
}

// DisburseFundsResponse is what became of the money, for good (§4.2).
type DisburseFundsResponse struct {
	PaymentIntegratorTransactionID string              `json:"paymentIntegratorTransactionId"`
	DisburseFundsResult            DisburseFundsResult `json:"disburseFundsResult"`
}

// DisburseFundsResult is the result, the same in an answer and in a notification (§4.2, §5). The limits are a union: micros in the currency
// of the request, each beside its own code only (OP-9).
type DisburseFundsResult struct {
	DisburseFundsResultCode DisburseFundsResultCode `json:"disburseFundsResultCode"`
	RawResult               *RawResult              `json:"rawResult,omitzero"`
	TransactionMaxLimit     gsp.Int64               `json:"transactionMaxLimit,omitzero"`
	TransactionMinLimit     gsp.Int64               `json:"transactionMinLimit,omitzero"`
}

// MarshalJSONTo writes a result that may be said, and refuses any other: it could never be taken back (§10).
func (r DisburseFundsResult) MarshalJSONTo(enc *jsontext.Encoder) error {
	type members DisburseFundsResult
	if err := r.check(); err != nil {
		return err
	}
	return json.MarshalEncode(enc, members(r))
}

// DisburseFundsResultCode is the result in a word (§4.3). UNKNOWN_RESULT, its zero value, is never sent.
type DisburseFundsResultCode string

// The codes.
const (
	ResultSuccess             DisburseFundsResultCode = "SUCCESS"
	ResultUnderLimit          DisburseFundsResultCode = "DISBURSEMENT_UNDER_TRANSACTION_LIMIT"
	ResultExceedsLimit        DisburseFundsResultCode = "DISBURSEMENT_EXCEEDS_TRANSACTION_LIMIT"
	ResultAccountClosed       DisburseFundsResultCode = "ACCOUNT_CLOSED"
	ResultAccountClosedStolen DisburseFundsResultCode = "ACCOUNT_CLOSED_ACCOUNT_TAKEN_OVER"
	ResultAccountClosedFraud  DisburseFundsResultCode = "ACCOUNT_CLOSED_FRAUD"
	ResultAccountOnHold       DisburseFundsResultCode = "ACCOUNT_ON_HOLD"
)

// RawResult is the network's code and the space in which it lives, such as npci-upi (§3.3).
type RawResult struct {
	Scope   string `json:"scope,omitzero"`
	RawCode string `json:"rawCode"`
}

// DisburseFundsResultNotification tells the result of a request that was not answered with it (§5). It has no place for our own id (OP-4).
type DisburseFundsResultNotification struct {
	DisburseFundsRequestID string              `json:"disburseFundsRequestId"`
	DisburseFundsResult    DisburseFundsResult `json:"disburseFundsResult"`
}
