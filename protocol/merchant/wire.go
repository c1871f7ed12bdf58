// Package merchant is the merchant API on the wire: deposit orders and payouts in won, queries, and signed notifications. Every § in it is
// one of the sheet merchant-gateway.
//
// What happens to the money when nobody answers: an order or a payout is on disk before its answer leaves, and a repeat of its number is
// refused (0014), so a merchant that lost an answer asks for the number and never pays twice. An answer of HTTP 200 is certain, whatever
// its code: with any other than 0000 nothing was done. Where nobody can tell, the answer is HTTP 500: the merchant must query (§8).
//
// Inside are whole won; on the wire are hundredths of a won that end in 00.
package merchant

import "naru/core/card"

// Code is the result of a call in four digits (§15).
type Code string

// The codes. Those of §15 that are not here never occur: a list without a match is empty and no 0007 (§6.1), rates are checked with the
// configuration (0016), and no call of this API updates anything (0024, 0025).
const (
	Success         Code = "0000"
	NetworkDelay    Code = "0001" // with HTTP 200 nothing was done: too many calls; with HTTP 500 nobody knows
	BadParameter    Code = "0002"
	ServiceClosed   Code = "0003"
	BadSignature    Code = "0004" // or a merchant that we do not know
	NoToken         Code = "0005"
	BadToken        Code = "0006"
	NoAccount       Code = "0008" // what cannot be an account number
	WrongService    Code = "0009"
	ServiceUnopened Code = "0010"
	PoolEmpty       Code = "0011"
	NoBank          Code = "0012"
	DepositFailed   Code = "0013"
	Duplicate       Code = "0014"
	NoChannel       Code = "0015"
	PayoutFailed    Code = "0017"
	BalanceLow      Code = "0018"
	ChannelRequired Code = "0019"
	WrongVersion    Code = "0020"
	BadJSON         Code = "0021"
	BadContentType  Code = "0022"
	BadMethod       Code = "0023"
	AccountRequired Code = "0026"
	HostNotAllowed  Code = "0027"
	BelowMinimum    Code = "0028"
	AboveMaximum    Code = "0029"
	NotFound        Code = "0050"
)

// Envelope is every answer (§3). Beside an error there is no data, and beside data there is no error.
type Envelope struct {
	ErrorCode Code   `json:"error_code"`
	ErrorMsg  string `json:"error_msg,omitzero"`
	Total     *int64 `json:"total,omitzero"` // of lists: how many match, before paging
	Data      any    `json:"data,omitzero"`
}

// field is a parameter of a request body: its name, its length at most in characters, and whether it must be there.
type field struct {
	name     string
	most     int
	required bool
}

// depositV1 are the parameters of a deposit order (§5).
var depositV1 = []field{
	{"platform_id", 7, true},
	{"service_id", 7, true},
	{"payment_cl_id", 32, true},
	{"user_id", 16, false},
	{"name", 16, false},
	{"last_number", 32, false},
	{"bank_name", 32, false},
	{"platform_channel_id", 16, false}, // §15, 0019
	{"amount", 0, true},
	{"notify_url", 256, true},
	{"request_time", 0, true},
	{"sign_type", 16, false}, // §4.2
	{"sign", 64, true},
}

// depositV2 are the parameters of a deposit order, version 2 (§5.4): the order number may be longer.
var depositV2 = longer(depositV1, "payment_cl_id", 64)

// payoutV2 are the parameters of a payout (§8).
var payoutV2 = []field{
	{"platform_id", 7, true},
	{"service_id", 7, true},
	{"payout_cl_id", 64, true},
	{"amount", 0, true},
	{"notify_url", 256, false},
	{"bank_name", 32, true}, // 16 by the table, which our own names of banks are too long for (§12)
	{"name", 16, true},
	{"number", 32, true},
	{"phone_number", 11, false},
	{"currency", 3, false}, // required by the table, left out by its own sample
	{"platform_channel_id", 16, false},
	{"request_time", 0, true},
	{"sign_type", 16, false},
	{"sign", 64, true},
}

func longer(fields []field, name string, most int) []field {
	out := append([]field(nil), fields...)
	for i := range out {
		if out[i].name == name {
			out[i].most = most
		}
	}
	return out
}

// DepositV1 is a deposit order as its creation answers it (§5).
type DepositV1 struct {
	Link         string       `json:"link"`
	RegisterLink string       `json:"register_link,omitzero"`
	PaymentInfo  *PaymentInfo `json:"payment_info,omitzero"`
}

// PaymentInfo is where and how a deposit order is paid (§5). It is never signed.
type PaymentInfo struct {
	Amount        int64    `json:"amount"`
	DisplayAmount int64    `json:"display_amount"`
	PaymentID     string   `json:"payment_id"`
	PaymentClID   string   `json:"payment_cl_id"`
	Receiver      Receiver `json:"receiver"`
	Sender        Sender   `json:"sender"`
	Token         string   `json:"token"`
}

// Receiver is the account that a payer must pay into (§5).
type Receiver struct {
	CardName   string `json:"card_name"`
	CardNumber string `json:"card_number"`
	BankName   string `json:"bank_name"`
	BankBranch string `json:"bank_branch"`
}

// Sender is who must pay, the account masked (§5).
type Sender struct {
	CardName   string `json:"card_name"`
	CardNumber string `json:"card_number"`
	BankName   string `json:"bank_name"`
}

// DepositV2 is a deposit order as its creation answers it, version 2 (§5.4).
type DepositV2 struct {
	Link        string `json:"link"`
	PaymentID   string `json:"payment_id"`
	PaymentClID string `json:"payment_cl_id"`
	Amount      int64  `json:"amount"`
	Token       string `json:"token,omitzero"`
	CardName    string `json:"card_name,omitzero"`
	CardNumber  string `json:"card_number,omitzero"`
	BankName    string `json:"bank_name,omitzero"`
	BankCode    string `json:"bank_code,omitzero"`
}

// DepositItem is a deposit order in a list (§6.1). What is empty is left out, zeros stay, and the rest is signed (§4.5).
type DepositItem struct {
	Amount            int64  `json:"amount"`
	RealAmount        int64  `json:"real_amount"`
	Fee               int64  `json:"fee"`
	PaymentID         string `json:"payment_id"`
	PaymentClID       string `json:"payment_cl_id"`
	PlatformID        string `json:"platform_id"`
	PlatformChannelID string `json:"platform_channel_id"`
	PaymentClName     string `json:"payment_cl_name,omitzero"` // by the merchant's wish
	Status            int64  `json:"status"`
	CreateTime        int64  `json:"create_time"`
	UpdateTime        int64  `json:"update_time"`
	Sign              string `json:"sign,omitzero"`
}

// DepositOrder is one deposit order, version 2 (§6.2).
type DepositOrder struct {
	PaymentID     string `json:"payment_id"`
	PaymentClID   string `json:"payment_cl_id"`
	Amount        int64  `json:"amount"`
	RealAmount    int64  `json:"real_amount"`
	Fee           int64  `json:"fee"`
	Status        int64  `json:"status"`
	PaymentClName string `json:"payment_cl_name,omitzero"`
	CreateTime    int64  `json:"create_time"`
	SuccessTime   int64  `json:"success_time,omitzero"`
}

// DepositNotification tells where a deposit order stands (§7).
type DepositNotification struct {
	PaymentID     string    `json:"payment_id"`
	PaymentClID   string    `json:"payment_cl_id"`
	PlatformID    string    `json:"platform_id"`
	PaymentClName string    `json:"payment_cl_name,omitzero"` // by the merchant's wish
	Amount        int64     `json:"amount"`
	RealAmount    int64     `json:"real_amount"`
	Fee           int64     `json:"fee"`
	Status        int64     `json:"status"`
	CreateTime    int64     `json:"create_time"`
	UpdateTime    int64     `json:"update_time"`
	SignType      Algorithm `json:"sign_type,omitzero"` // of orders that were signed with HMAC
	Sign          string    `json:"sign,omitzero"`
}

// PayoutCreated is a payout as its creation answers it (§8).
type PayoutCreated struct {
	PayoutID string `json:"payout_id"`
}

// PayoutItem is a payout in a list (§9).
type PayoutItem struct {
	Amount            int64  `json:"amount"`
	RealAmount        *int64 `json:"real_amount,omitzero"` // by the merchant's wish
	Fee               int64  `json:"fee"`
	PayoutID          string `json:"payout_id"`
	PayoutClID        string `json:"payout_cl_id"`
	PlatformID        string `json:"platform_id"`
	PlatformChannelID string `json:"platform_channel_id"`
	Status            int64  `json:"status"`
	Memo              string `json:"memo,omitzero"` // why it failed
	CreateTime        int64  `json:"create_time"`
	UpdateTime        int64  `json:"update_time"`
	Sign              string `json:"sign,omitzero"`
}

// PayoutOrder is one payout, version 2 (§9).
type PayoutOrder struct {
	PayoutID    string `json:"payout_id"`
	PayoutClID  string `json:"payout_cl_id"`
	Amount      int64  `json:"amount"`
	Fee         int64  `json:"fee"`
	Status      int64  `json:"status"`
	ErrorMsg    string `json:"error_msg,omitzero"`
	CreateTime  int64  `json:"create_time"`
	SuccessTime int64  `json:"success_time,omitzero"`
}

// PayoutNotification tells where a payout stands (§10).
type PayoutNotification struct {
	PayoutID   string    `json:"payout_id"`
	PayoutClID string    `json:"payout_cl_id"`
	PlatformID string    `json:"platform_id"`
	Amount     int64     `json:"amount"`
	RealAmount *int64    `json:"real_amount,omitzero"` // by the merchant's wish: some take it for a deposit's
	Fee        int64     `json:"fee"`
	Status     int64     `json:"status"`
	CreateTime int64     `json:"create_time"`
	UpdateTime int64     `json:"update_time"`
	SignType   Algorithm `json:"sign_type,omitzero"`
	Sign       string    `json:"sign,omitzero"`
}

// PayoutCheck asks a merchant whether a payout is its own (§11).
type PayoutCheck struct {
	PlatformID string    `json:"platform_id"`
	PayoutClID string    `json:"payout_cl_id"`
	Amount     int64     `json:"amount"`
	Name       revealed  `json:"name"`
	Number     revealed  `json:"number"`
	SignType   Algorithm `json:"sign_type,omitzero"`
	Sign       string    `json:"sign,omitzero"`
}

// revealed is a secret that its owner is told. Only this package's own JSON writes it; printing it yields a mask.
type revealed struct{ card.Secret }

// BalanceV1 is what a merchant has (§19). Its signature covers four of its members, that of a channel three: see balanceSigned.
type BalanceV1 struct {
	PlatformID         string    `json:"platform_id"`
	PlatformChannels   []Channel `json:"platform_channels"`
	Total              int64     `json:"total"`
	TotalBalance       int64     `json:"total_balance"`
	TotalFrozenBalance *int64    `json:"total_frozen_balance,omitzero"`
	RequestTime        int64     `json:"request_time"`
	Sign               string    `json:"sign"`
}

// Channel is a merchant's balance in one channel (§19).
type Channel struct {
	PlatformChannelID string `json:"platform_channel_id"`
	ChannelName       string `json:"channel_name"`
	Balance           int64  `json:"balance"`
	FrozenBalance     *int64 `json:"frozen_balance,omitzero"`
	Sign              string `json:"sign"`
}

// balanceSigned is what the outer signature of a balance covers, and nothing else (§4.3).
type balanceSigned struct {
	PlatformID   string `json:"platform_id"`
	Total        int64  `json:"total"`
	TotalBalance int64  `json:"total_balance"`
	RequestTime  int64  `json:"request_time"`
}

// channelSigned is what the signature of a channel covers, and nothing else (§4.3).
type channelSigned struct {
	PlatformChannelID string `json:"platform_channel_id"`
	ChannelName       string `json:"channel_name"`
	Balance           int64  `json:"balance"`
}

// BalanceV2 is what a merchant has, version 2 (§19).
type BalanceV2 struct {
	PlatformID         string `json:"platform_id"`
	TotalBalance       int64  `json:"total_balance"`
	TotalFrozenBalance *int64 `json:"total_frozen_balance,omitzero"`
}

// acknowledgement is what of a merchant's answer counts (§7, §11).
type acknowledgement struct {
	ErrorCode Code `json:"error_code"`
}
