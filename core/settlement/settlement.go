// Package settlement is what we and the counterparty owe each other for a period: its events, our fees on them, and their sum.
// It is pure: no clock, no database, no wire.
package settlement

import (
	"errors"
	"fmt"
	"math/bits"
	"time"

	"naru/core/ledger"
	"naru/core/money"
)

// Kind is what an item of a settlement settles (Korea Cards v1 §6.3).
type Kind string

// The kinds of item.
const (
	Capture            Kind = "capture"
	Refund             Kind = "refund"
	ReverseRefund      Kind = "reverse-refund"
	Chargeback         Kind = "chargeback"
	ReverseChargeback  Kind = "reverse-chargeback"
	FundsReservation   Kind = "funds-reservation" // a hold that never became a payment: a fee, no charge
	AggregateAdjusting Kind = "aggregate-adjustment"
	MiscAdjusting      Kind = "miscellaneous-adjustment" // only where the counterparty agreed to such (§6.3)
)

// Terms are what a contract with the counterparty lets us charge. The zero value charges nothing.
type Terms struct {
	CaptureBP     int64 // of a captured amount, in hundredths of a percent
	CaptureFixed  int64 // minor units, on every capture
	RefundFixed   int64 // minor units, on every refund
	DisputeFixed  int64 // minor units, on every chargeback
	ReserveFixed  int64 // minor units, on every hold that never became a payment, and every card check that reserves
	VATBP         int64 // VAT on our fees, in hundredths of a percent
	ReturnFee     bool  // a refund gives the proportional fee of its capture back
	PassFeesOn    bool  // what the acquirer charges beside payments becomes an adjustment
	PassAdjustsOn bool  // what the acquirer corrects by hand becomes an adjustment
}

// Check says what is wrong with terms.
func (t Terms) Check() error {
	for _, v := range []int64{t.CaptureBP, t.CaptureFixed, t.RefundFixed, t.DisputeFixed, t.ReserveFixed, t.VATBP} {
		if v < 0 || v > 1_000_000_000 {
			return errors.New("a fee is nothing or more, and below 1 000 000 000")
		}
	}
	if t.CaptureBP > 10_000 || t.VATBP > 10_000 {
		return errors.New("a rate is at most 10 000 hundredths of a percent")
	}
	return nil
}

// Item is one event of a settlement. Signs are Google's: plus = we owe Google, minus = Google owes us (§6.3).
type Item struct {
	Payment string // the journal in which the event stands
	EventN  int64  // and its place there: an event is settled once
	Account string
	Kind    Kind
	Day     string // business day of the account on which it happened, YYYYMMDD
	Subject string // what the counterparty calls it: the request id of the capture, refund or reservation
	OwnID   string // what we call it
	Link    string // of a chargeback: the notice that told of it
	Charge  money.Amount
	Fee     money.Amount
	VAT     money.Amount
	Note    string // of an adjustment
	At      time.Time
}

// Sum is what an item adds to its settlement.
func (i Item) Sum() money.Amount { return i.Charge.Plus(i.Fee).Plus(i.VAT) }

// Price is our fee on an event of a size, and the VAT on it, both as Google signs them: nothing or less. Fractions of a minor unit are
// rounded half up, away from nothing (design §3.4).
func (t Terms) Price(k Kind, charge money.Amount) (fee, vat money.Amount) {
	size := charge.Minor()
	if size < 0 {
		size = -size
	}
	var minor int64
	switch k {
	case Capture:
		minor = share(size, t.CaptureBP) + t.CaptureFixed
	case Refund:
		minor = t.RefundFixed
		if t.ReturnFee {
			minor -= share(size, t.CaptureBP)
		}
	case ReverseRefund:
		if t.ReturnFee {
			minor = share(size, t.CaptureBP)
		}
	case Chargeback:
		minor = t.DisputeFixed
	case FundsReservation:
		minor = t.ReserveFixed
	}
	in := charge.Currency()
	if minor < 0 {
		return money.New(-minor, in), money.New(share(-minor, t.VATBP), in)
	}
	return money.New(-minor, in), money.New(-share(minor, t.VATBP), in)
}

// share is hundredths of a percent of an amount of nothing or more, rounded half up.
func share(minor, bp int64) int64 {
	high, low := bits.Mul64(uint64(minor), uint64(bp))
	low, carry := bits.Add64(low, 5_000, 0)
	q, _ := bits.Div64(high+carry, low, 10_000)
	return int64(q)
}

// State is where a settlement stands.
type State string

// The states of a settlement.
const (
	Closed State = "CLOSED" // its items are fixed; the counterparty is being told
	Paid   State = "PAID"   // the money moved
)

// Settlement is what one account settles for a period.
type Settlement struct {
	ID       string
	Account  string
	Currency money.Currency
	Day      string    // the last business day in it, YYYYMMDD
	Start    time.Time // the period: from the end of the settlement before
	End      time.Time
	ClosedAt time.Time
	Totals
	Parts     int64 // notifications it is told in
	State     State
	Reference string // of the payment
	PaidAt    time.Time
}

// Totals is what the items of a settlement add up to.
type Totals struct {
	Items                 int64
	Charge, Fee, VAT, Net money.Amount
	Adjusted              money.Amount // miscellaneous adjustments: part of Net, not of Charge
}

// Total adds items up. They are of one account and one currency.
func Total(in money.Currency, items []Item) (Totals, error) {
	zero := money.New(0, in)
	t := Totals{Charge: zero, Fee: zero, VAT: zero, Net: zero, Adjusted: zero}
	for _, i := range items {
		if i.Charge.Currency() != in {
			return t, fmt.Errorf("settlement: an item in %s does not belong to a settlement in %s", i.Charge.Currency(), in)
		}
		t = t.Plus(i)
	}
	return t, nil
}

// Plus is the totals with one more item.
func (t Totals) Plus(i Item) Totals {
	t.Items++
	if i.Kind == MiscAdjusting { // what is passed on of fees is a fee
		t.Adjusted = t.Adjusted.Plus(i.Charge)
	} else {
		t.Charge = t.Charge.Plus(i.Charge)
	}
	t.Fee, t.VAT, t.Net = t.Fee.Plus(i.Fee), t.VAT.Plus(i.VAT), t.Net.Plus(i.Sum())
	return t
}

// Close is the money that moves when a settlement is closed: our fees become ours. Adjustments stay with the acquirer's correction that
// caused them.
func (s Settlement) Close() []ledger.Posting {
	return append(ledger.Charged(s.Account, s.Fee, s.VAT), ledger.Adjusted(s.Account, s.Adjusted)...)
}

// Pay is the money that moves when a settlement is paid.
func (s Settlement) Pay() []ledger.Posting { return ledger.GooglePaid(s.Account, s.Net) }

// Period is the business day in its time zone, as instants: [start, end).
func Period(day string, in *time.Location) (start, end time.Time, err error) {
	start, err = time.ParseInLocation("20060102", day, in)
	return start, start.AddDate(0, 0, 1), err
}

// DayOf is the business day of an instant.
func DayOf(at time.Time, in *time.Location) string { return at.In(in).Format("20060102") }
