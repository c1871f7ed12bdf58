package upi

import (
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// payoutRequest is POST /payouts (rails §2.3), in the order in which its members are sent. What is stored is sent: a change here touches
// no order that exists.
type payoutRequest struct {
	AccountNumber string             `json:"account_number"`
	Amount        int64              `json:"amount"`
	Currency      string             `json:"currency"`
	Mode          string             `json:"mode"`
	Purpose       string             `json:"purpose"`
	FundAccount   fundAccountRequest `json:"fund_account"`
	Queue         bool               `json:"queue_if_low_balance"`
	ReferenceID   string             `json:"reference_id"`
	Narration     string             `json:"narration,omitzero"`
}

type fundAccountRequest struct {
	AccountType string         `json:"account_type"`
	VPA         vpa            `json:"vpa"`
	Contact     contactRequest `json:"contact"`
}

type vpa struct {
	Address string `json:"address"`
}

type contactRequest struct {
	Name string `json:"name"`
	Type string `json:"type,omitzero"`
}

// validationRequest is POST /fund_accounts/validations (rails §2.4).
type validationRequest struct {
	AccountNumber string             `json:"source_account_number"`
	FundAccount   fundAccountRequest `json:"fund_account"`
}

// payoutEntity is what we read of a payout. Members that nobody needs are not named: what cannot be read in them harms nothing, such as
// notes, which is an array where it is empty (rails §2.7).
type payoutEntity struct {
	ID            string                `json:"id"`
	Entity        string                `json:"entity"`
	Amount        int64                 `json:"amount"`
	Currency      string                `json:"currency"`
	Mode          string                `json:"mode"`
	ReferenceID   string                `json:"reference_id"`
	Fees          int64                 `json:"fees"` // the tax is in them
	Tax           int64                 `json:"tax"`
	Status        string                `json:"status"`
	UTR           string                `json:"utr"`
	Details       object[statusDetails] `json:"status_details"`
	FundAccount   object[fundAccount]   `json:"fund_account"`
	AccountNumber string                `json:"debit_account_number"`
	CreatedAt     int64                 `json:"created_at"`
}

type statusDetails struct {
	Reason string `json:"reason"`
}

type fundAccount struct {
	VPA object[vpa] `json:"vpa"`
}

// validationEntity is what we read of a question about an address.
type validationEntity struct {
	ID          string                    `json:"id"`
	Status      string                    `json:"status"`
	FundAccount object[fundAccount]       `json:"fund_account"`
	Results     object[validationResults] `json:"validation_results"`
}

type validationResults struct {
	AccountStatus  string `json:"account_status"`
	RegisteredName string `json:"registered_name"`
}

type balanceEntity struct {
	AccountNumber string `json:"account_number"`
	Currency      string `json:"currency"`
	Amount        *int64 `json:"amount"`
	Available     *int64 `json:"available_amount"`
	RefreshedAt   int64  `json:"refreshed_at"`
}

type transactionEntity struct {
	ID            string                    `json:"id"`
	AccountNumber string                    `json:"account_number"`
	Currency      string                    `json:"currency"`
	Amount        int64                     `json:"amount"`
	Credit        int64                     `json:"credit"`
	Debit         int64                     `json:"debit"`
	Balance       *int64                    `json:"balance"`
	Source        object[transactionSource] `json:"source"`
	CreatedAt     int64                     `json:"created_at"`
}

type transactionSource struct {
	ID            string `json:"id"`
	Entity        string `json:"entity"`
	PayoutID      string `json:"payout_id"` // of a reversal (inferred)
	ReferenceID   string `json:"reference_id"`
	BankReference string `json:"bank_reference"`
}

type collection[T any] struct {
	Entity string `json:"entity"`
	Count  int    `json:"count"`
	Items  []T    `json:"items"`
}

// errorResponse is the body of any error (rails §2.3).
type errorResponse struct {
	Error struct {
		Code        string `json:"code"`
		Description string `json:"description"`
		Reason      string `json:"reason"`
		Field       string `json:"field"`
	} `json:"error"`
}

// event is a webhook (rails §2.7).
type event struct {
	Entity    string         `json:"entity"`
	Event     string         `json:"event"`
	Payload   jsontext.Value `json:"payload"`
	CreatedAt int64          `json:"created_at"`
}

type payoutPayload struct {
	Payout struct {
		Entity payoutEntity `json:"entity"`
	} `json:"payout"`
}

// object is a member that is an object, or, where there is none, null, missing, or an array that is empty.
type object[T any] struct{ is T }

// UnmarshalJSONFrom takes an object as what it is, and null or [] as nothing.
func (o *object[T]) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	v, err := d.ReadValue()
	if err != nil || v.Kind() == 'n' || string(v) == "[]" {
		return err
	}
	return json.Unmarshal(v, &o.is)
}
