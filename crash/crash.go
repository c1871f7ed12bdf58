// Package crash is the list of places where the process may die, so that tests can kill it at every one of them (design §3.8).
// The list is passed in like a clock: production passes Never.
package crash

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
)

// Point is a place between two writes to the world.
type Point string

// The points, in the order in which a payment meets them.
const (
	ReserveAccepted  Point = "reserve-accepted"  // the attempt is on disk, nothing has left
	ReserveSent      Point = "reserve-sent"      // the network answered, we have not written it down
	ReserveSettled   Point = "reserve-settled"   // the result is on disk, the caller has not heard it
	SaleAccepted     Point = "sale-accepted"     // the attempt of a sale is on disk, nothing has left
	SaleSent         Point = "sale-sent"         // the network answered a sale, we have not written it down
	SaleSettled      Point = "sale-settled"      // the sale's result is on disk, the caller has not heard it
	CaptureAccepted  Point = "capture-accepted"  // the capture is on disk, the caller has not heard it
	CancelAccepted   Point = "cancel-accepted"   // the cancel is on disk, the caller has not heard it
	RefundAccepted   Point = "refund-accepted"   // the refund is on disk, the caller has not heard it
	DefenceTaken     Point = "defence-taken"     // the evidence is on disk, the caller has not heard it
	ChargebackTaken  Point = "chargeback-taken"  // a chargeback told on line is on disk, the network has not heard it
	RecordTaken      Point = "record-taken"      // one record of an acquirer's file is on disk, the next is not
	FileTaken        Point = "file-taken"        // all of them are, and the file still lies in the inbox
	SettlementClosed Point = "settlement-closed" // a settlement is on disk, nobody has been told
	CardErased       Point = "card-erased"       // a card was erased
	PayoutAccepted   Point = "payout-accepted"   // a payout and its order are on disk, nothing has left
	PayoutClaimed    Point = "payout-claimed"    // an order is about to be sent again, or asked about
	PayoutAnswered   Point = "payout-answered"   // the payout bank answered, we have not written it down
	PayoutSettled    Point = "payout-settled"    // what it said is on disk, nobody has heard it
	DepositAccepted  Point = "deposit-accepted"  // a deposit order is on disk, the merchant has not heard it
	DepositExpired   Point = "deposit-expired"   // a deposit order's end is on disk
	CreditTaken      Point = "credit-taken"      // a bank's message is on disk, with what it pays; the bank has not heard it
	TransferAccepted Point = "transfer-accepted" // a merchant's payout is on disk, the merchant has not heard it
	AdviceClaimed    Point = "advice-claimed"    // an advice is about to be sent
	AdviceAnswered   Point = "advice-answered"   // the network answered it, we have not written it down
	AdviceSettled    Point = "advice-settled"    // its result is on disk
	NoticeClaimed    Point = "notice-claimed"    // a notification is about to be sent
	NoticeAnswered   Point = "notice-answered"   // Google answered it, we have not written it down
	NoticeSettled    Point = "notice-settled"    // its result is on disk
	RecoveryPrepared Point = "recovery-prepared" // a start found an abandoned attempt and has not written the reversal
	RecoveryDone     Point = "recovery-done"     // the reversals are on disk, nothing is sent yet
	ExpiryApplied    Point = "expiry-applied"    // a hold's end is on disk
	CommitBefore     Point = "commit-before"     // a batch of transactions is complete and not yet committed
	CommitAfter      Point = "commit-after"      // it is committed and nobody has been told
	CheckpointSigned Point = "checkpoint-signed" // the journal's checkpoint is on disk
)

// Points is every point there is.
var Points = []Point{
	ReserveAccepted, ReserveSent, ReserveSettled, SaleAccepted, SaleSent, SaleSettled, CaptureAccepted, CancelAccepted, RefundAccepted,
	DefenceTaken, ChargebackTaken, RecordTaken, FileTaken, SettlementClosed, CardErased,
	PayoutAccepted, PayoutClaimed, PayoutAnswered, PayoutSettled,
	DepositAccepted, DepositExpired, CreditTaken, TransferAccepted, AdviceClaimed, AdviceAnswered, AdviceSettled,
	NoticeClaimed, NoticeAnswered, NoticeSettled, RecoveryPrepared, RecoveryDone, ExpiryApplied, CommitBefore, CommitAfter, CheckpointSigned,
}

// Hook is told whenever a point is passed.
type Hook func(Point)

// Never lets everything live.
func Never(Point) {}

// At parses NAME:N and makes a hook that ends the process, without any clean-up, the Nth time the point NAME is passed. N counts from 1.
func At(spec string, die func()) (Hook, error) {
	name, count, ok := strings.Cut(spec, ":")
	n, err := strconv.ParseInt(count, 10, 64)
	if !ok || err != nil || n < 1 {
		return nil, fmt.Errorf("crash point %q: write NAME:N with N from 1", spec)
	}
	if !slices.Contains(Points, Point(name)) {
		return nil, fmt.Errorf("crash point %q is not one of %v", name, Points)
	}
	var passed atomic.Int64
	return func(p Point) {
		if p == Point(name) && passed.Add(1) == n {
			die()
		}
	}, nil
}

// Status is the exit status of a process that died at a point, so that a test can tell it from any other death.
const Status = 86

// Die ends the process at once.
func Die() { os.Exit(Status) }
