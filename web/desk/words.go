package desk

import (
	"strconv"
	"time"

	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"naru/core/deposit"
	"naru/core/money"
	"naru/core/payout"
	"naru/engine"
)

// mark is a state as a reader sees it: a word, a shape and a tone, never a colour alone.
type mark struct{ Word, Tone, Shape string }

// The shapes, drawn in 16 by 16.
const (
	tick  = "M3.5 8.5l3 3 6-7"
	ring  = "M8 3a5 5 0 1 0 0 10A5 5 0 0 0 8 3"
	wedge = "M8 3l5.5 10h-11z"
	cross = "M4 4l8 8M12 4l-8 8"
	dash  = "M3.5 8h9"
	turn  = "M6 4 3 7l3 3M3.5 7H10a3 3 0 0 1 0 6H7"
)

// kind is a group of states that a merchant reads as one, with what it means for the money.
type kind[S ~string] struct {
	mark
	ID     string // in addresses
	Means  string
	States []S
}

var depositKinds = []kind[deposit.State]{
	{
		mark{"Waiting", "calm", ring},
		"waiting",
		"The payer has not sent the money yet, or the bank has not told us.",
		[]deposit.State{deposit.Waiting},
	},
	{
		mark{"Seen", "wait", wedge},
		"seen",
		"Money came that is probably this order's, and a person must say so. It does not expire meanwhile, and counts for nobody yet.",
		[]deposit.State{deposit.Seen},
	},
	{mark{"Paid", "ok", tick}, "paid", "What arrived is in your balance, less the fee.", []deposit.State{deposit.Paid}},
	{
		mark{"Expired", "calm", dash},
		"expired",
		"Nobody paid in time. Money that comes late can still pay it.",
		[]deposit.State{deposit.Expired},
	},
	{mark{"Cancelled", "calm", dash}, "cancelled", "An operator ended it.", []deposit.State{deposit.Cancelled}},
	{
		mark{"Failed", "bad", cross},
		"failed",
		"What had come was not for this order, or went back to its sender.",
		[]deposit.State{deposit.Failed},
	},
	{
		mark{"Taken back", "bad", turn},
		"taken-back",
		"The bank took the transfer back after it was paid. The API says success for ever; your balance was debited.",
		[]deposit.State{deposit.TakenBack},
	},
}

var payoutKinds = []kind[payout.State]{
	{
		mark{"Under review", "wait", wedge},
		"under-review", "A person must agree before it is sent. Amount and fee are frozen.",
		[]payout.State{payout.Reviewed},
	},
	{mark{"Pending", "calm", ring}, "pending", "It has not left the house. Amount and fee are frozen.", []payout.State{payout.Asked}},
	{
		mark{"Processing", "calm", ring},
		"processing", "The bank has it. Amount and fee are frozen.",
		[]payout.State{payout.Sent, payout.Waiting, payout.Reversing, payout.Deemed},
	},
	{
		mark{"Unclear", "wait", wedge},
		"unclear",
		"The bank was asked and nobody can tell yet what it did. Amount and fee stay frozen until it says so. Do not pay this out again.",
		[]payout.State{payout.Unclear},
	},
	{mark{"Paid", "ok", tick}, "paid", "The beneficiary was credited.", []payout.State{payout.Paid}},
	{
		mark{"Came back", "bad", turn},
		"came-back",
		"The beneficiary's bank sent the money back after it was paid. The API says success for ever; the amount is in your balance " +
			"again, the fee is not.",
		[]payout.State{payout.Returned},
	},
	{
		mark{"Cancelled", "calm", dash},
		"cancelled",
		"It ended before anything left. Amount and fee are free again.",
		[]payout.State{payout.Cancelled},
	},
	{
		mark{"Failed", "bad", cross},
		"failed",
		"Nothing was paid and nothing will be. Amount and fee are free again.",
		[]payout.State{payout.Refused},
	},
}

var noticeKinds = []kind[engine.NoticeState]{
	{
		mark{"On its way", "calm", ring},
		"on-its-way",
		"It is tried again until you acknowledge it, for about an hour.",
		[]engine.NoticeState{engine.NoticeQueued},
	},
	{mark{"Delivered", "ok", tick}, "delivered", "You acknowledged it.", []engine.NoticeState{engine.NoticeSent}},
	{
		mark{"Parked", "bad", cross},
		"parked",
		"All tries failed. It is not tried again unless you send it.",
		[]engine.NoticeState{engine.NoticeParked},
	},
}

// kindOf is the kind that a state belongs to. Every state has one.
func kindOf[S ~string](kinds []kind[S], s S) kind[S] {
	for _, k := range kinds {
		for _, own := range k.States {
			if own == s {
				return k
			}
		}
	}
	panic("desk: no words for the state " + string(s))
}

// troubles say why money waits for a person, for its merchant.
var troubles = map[deposit.Trouble]string{
	deposit.AmountMismatch: "Another amount came than the one to transfer.",
	deposit.NameMismatch:   "It came from another name than the payer's, or nobody has told the payer's name.",
	deposit.Ambiguous:      "Several orders fit the transfer.",
	deposit.NoOrder:        "No order fits the transfer.",
	deposit.Late:           "The transfer came after the order's time.",
	deposit.Stopped:        "The transfer came for an order that had ended.",
}

// reasons say why a payout failed, for its merchant. What a bank says of a fraud or a stop is its customer's business, not the merchant's.
var reasons = map[payout.Reason]string{
	payout.BelowLimit:   "The amount is below the bank's limit.",
	payout.AboveLimit:   "The amount is above our limit.",
	payout.BankLimit:    "The amount is above the bank's limit.",
	payout.Closed:       "The account is closed.",
	payout.NoAccount:    "There is no such account.",
	payout.OtherName:    "The account has another holder.",
	payout.NoBank:       "There is no such bank.",
	payout.NotPermitted: "The account takes no transfers.",
}

const noReason = "The bank refused it and gives no reason that we may pass on."

var english = message.NewPrinter(language.English)

func count(n int64) string { return english.Sprintf("%d", n) }

// won writes an amount: the sign before it, thousands apart.
func won(a money.Amount) string {
	if a.Minor() < 0 {
		return "−" + won(a.Negated())
	}
	return "₩" + count(a.Minor())
}

// stamp is a time in a merchant's zone, with UTC beside it. A script turns it into the reader's zone.
type stamp struct{ Local, UTC, Machine string }

const clockFormat = "2006-01-02 15:04:05"

func stampOf(at time.Time, zone *time.Location) stamp {
	return stamp{at.In(zone).Format(clockFormat), at.UTC().Format(clockFormat) + " UTC", at.UTC().Format(time.RFC3339)}
}

// took writes how long something lasted.
func took(d time.Duration) string {
	if d < time.Second {
		return strconv.FormatInt(d.Milliseconds(), 10) + " ms"
	}
	return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + " s"
}
