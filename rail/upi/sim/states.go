package sim

import "time"

// state is where a payout stands (rails §2.5).
type state string

// The states. A payout begins in pending, queued or processing; nothing is scheduled here.
const (
	pending    state = "pending"
	queued     state = "queued"
	scheduled  state = "scheduled"
	processing state = "processing"
	processed  state = "processed"
	reversed   state = "reversed"
	failed     state = "failed"
	rejected   state = "rejected"
	cancelled  state = "cancelled"
)

// legal is the whole life of a payout. What is not listed does not happen, whatever a script or a command says.
var legal = map[state][]state{
	"":         {pending, queued, processing},
	pending:    {queued, scheduled, processing, rejected},
	queued:     {processing, cancelled, failed},
	scheduled:  {processing, cancelled, failed},
	processing: {processed, reversed, failed},
	processed:  {reversed},
	failed:     {reversed},
}

// told is the event of each state (rails §2.7). Nobody is told of a cancellation: the caller has made it.
var told = map[state]string{
	pending: "payout.pending", queued: "payout.queued", processing: "payout.initiated", processed: "payout.processed",
	reversed: "payout.reversed", failed: "payout.failed", rejected: "payout.rejected",
}

// quarter is after how long a payout that waits ends by itself (rails §2.5).
const quarter = 90 * 24 * time.Hour

// span is a time that is written as nanoseconds.
type span time.Duration

// move is one thing that is going to happen to a payout.
type move struct {
	After  span   `json:"after"`         // the move before it
	To     state  `json:"to,omitzero"`   // "" stays where it is: what is known of it changes
	Reason string `json:"reason"`        // of status_details
	Code   string `json:"code,omitzero"` // what the network said, for the description
	UTR    bool   `json:"utr,omitzero"`  // the bank reference is known from here on
	Keep   bool   `json:"keep,omitzero"` // a failure that does not give the money back yet
}

// passage is one thing that has happened to a payout.
type passage struct {
	At     time.Time `json:"at"`
	To     state     `json:"to"`
	Reason string    `json:"reason"`
}

// why is what status_details says of a reason (rails §2.6).
type why struct {
	description, source string
	in                  state // the state that it explains
}

const (
	business = "business"
	bank     = "beneficiary_bank"
	gateway  = "gateway"
	internal = "internal"
)

var reasons = map[string]why{
	"bank_account_closed":              {"the account of the beneficiary is closed", bank, failed},
	"bank_account_frozen":              {"the account of the beneficiary is frozen", bank, failed},
	"beneficiary_account_dormant":      {"the account of the beneficiary is dormant", bank, failed},
	"bank_account_invalid":             {"the account of the beneficiary does not exist", bank, failed},
	"invalid_ifsc_code":                {"the IFSC does not exist", bank, failed},
	"beneficiary_account_invalid":      {"the account details of the beneficiary are not right", business, failed},
	"beneficiary_vpa_invalid":          {"the VPA does not exist", business, failed},
	"invalid_beneficiary":              {"the details of the beneficiary are not right", business, failed},
	"beneficiary_bank_rejected":        {"the bank of the beneficiary refuses the credit", bank, failed},
	"imps_not_allowed":                 {"the account of the beneficiary takes no such credit", bank, failed},
	"transaction_limit_exceeded":       {"a limit of the beneficiary is exceeded", bank, failed},
	"beneficiary_bank_failure":         {"the bank of the beneficiary could not credit", bank, failed},
	"beneficiary_bank_offline":         {"the bank of the beneficiary is off line", bank, failed},
	"beneficiary_bank_technical_error": {"the bank of the beneficiary has a technical problem", bank, failed},
	"beneficiary_psp_offline":          {"the PSP of the beneficiary is off line", bank, failed},
	"npci_beneficiary_timeout":         {"the network did not reach the beneficiary in time", bank, failed},
	"amount_limit_exhausted_neft":      {"the limit of NEFT is exhausted", business, failed},
	"insufficient_funds":               {"the balance of the account is too low for this payout", business, failed},
	"gateway_down":                     {"the partner bank is down", gateway, failed},
	"gateway_technical_error":          {"the partner bank has a technical problem", gateway, failed},
	"gateway_timeout":                  {"the partner bank did not answer in time", gateway, failed},
	"server_error":                     {"the payout could not be made", internal, failed},
	"server_error_temporary":           {"the payout could not be made for the moment", internal, failed},

	"beneficiary_bank_confirmation_pending": {"the bank of the beneficiary has not confirmed the credit", bank, processing},
	"payout_bank_processing":                {"the partner bank is at it", gateway, processing},
	"bank_window_closed":                    {"the partner bank is closed", gateway, processing},
	"amount_limit_exhausted":                {"the partner bank has reached its limit for the day", gateway, processing},
	"partner_bank_pending":                  {"the partner bank has not said", gateway, processing},

	"low_balance":           {"the balance of the account is too low for the moment", business, queued},
	"syncing_balance":       {"the balance of the account is being read", internal, queued},
	"fee_recovery_pending":  {"fees are owed", business, queued},
	"gateway_degraded":      {"the partner bank is slow", gateway, queued},
	"beneficiary_bank_down": {"the bank of the beneficiary is down", bank, queued},

	"pending_approval":  {"somebody has to approve it", business, pending},
	"payout_processed":  {"credited", bank, processed},
	"payout_reversed":   {"the money is back", bank, reversed},
	"payout_cancelled":  {"cancelled by the account's owner", business, cancelled},
	"approval_rejected": {"nobody has approved it", business, rejected},
}
