package settlement_test

import (
	"math"
	"testing"
	"time"

	"naru/core/ledger"
	"naru/core/money"
	. "naru/core/settlement"
)

var krw = money.Of("KRW")

func won(n int64) money.Amount { return money.New(n, krw) }

// Our fee is what Google owes: nothing or less, half a won rounded up; VAT is on the fee.
func TestPrice(t *testing.T) {
	full := Terms{CaptureBP: 200, CaptureFixed: 50, RefundFixed: 30, DisputeFixed: 20_000, ReserveFixed: 15, VATBP: 1000}
	for _, c := range []struct {
		what     string
		terms    Terms
		kind     Kind
		charge   int64
		fee, vat int64
	}{
		{"no contract", Terms{}, Capture, 12_900, 0, 0},
		{"a capture", Terms{CaptureBP: 200, VATBP: 1000}, Capture, 12_900, -258, -26},
		{"with a fixed part", full, Capture, 12_900, -308, -31},
		{"half a won", Terms{CaptureBP: 50}, Capture, 100, -1, 0},
		{"less than half", Terms{CaptureBP: 49}, Capture, 100, 0, 0},
		{"half a won of VAT", Terms{CaptureFixed: 5, VATBP: 1000}, Capture, 100, -5, -1},
		{"a refund", full, Refund, -4_000, -30, -3},
		{"a refund that gives the fee back", Terms{CaptureBP: 200, VATBP: 1000, ReturnFee: true}, Refund, -4_000, 80, 8},
		{"a refund that comes back", Terms{CaptureBP: 200, VATBP: 1000, ReturnFee: true}, ReverseRefund, 4_000, -80, -8},
		{"a refund that comes back, nothing given", full, ReverseRefund, 4_000, 0, 0},
		{"a chargeback", full, Chargeback, -8_900, -20_000, -2_000},
		{"a chargeback that is won", full, ReverseChargeback, 8_900, 0, 0},
		{"a hold that came to nothing", full, FundsReservation, 0, -15, -2},
		{"the largest amount", Terms{CaptureBP: 10_000}, Capture, math.MaxInt64 / 1_000_000, -(math.MaxInt64 / 1_000_000), 0},
	} {
		if fee, vat := c.terms.Price(c.kind, won(c.charge)); fee != won(c.fee) || vat != won(c.vat) {
			t.Errorf("%s: fee %s, VAT %s", c.what, fee, vat)
		}
	}
}

func TestTermsAreChecked(t *testing.T) {
	for _, bad := range []Terms{{CaptureBP: -1}, {CaptureBP: 10_001}, {VATBP: 10_001}, {RefundFixed: -1}, {ReserveFixed: 1_000_000_001}} {
		if bad.Check() == nil {
			t.Errorf("%+v passes", bad)
		}
	}
	if err := (Terms{CaptureBP: 10_000, VATBP: 1000, DisputeFixed: 20_000}).Check(); err != nil {
		t.Error(err)
	}
}

// The example of Korea Cards v1 §6.3, and what its settlement moves.
func TestTotal(t *testing.T) {
	item := func(k Kind, charge, fee, vat int64) Item {
		return Item{Kind: k, Charge: won(charge), Fee: won(fee), VAT: won(vat)}
	}
	got, err := Total(krw, []Item{
		item(Capture, 12_900, -258, -26), item(Refund, -4_000, 0, 0), item(FundsReservation, 0, -15, 0),
	})
	if err != nil {
		t.Fatal(err)
	}
	want := Totals{Items: 3, Charge: won(8_900), Fee: won(-273), VAT: won(-26), Net: won(8_601), Adjusted: won(0)}
	if got != want {
		t.Errorf("%+v", got)
	}
	s := Settlement{Account: "P", Totals: got}
	books := map[ledger.Kind]int64{ledger.GooglePayable: -8_900} // the captures and refunds themselves
	for _, p := range append(s.Close(), s.Pay()...) {
		books[p.Debit.Kind] += p.Amount.Minor()
		books[p.Credit.Kind] -= p.Amount.Minor()
	}
	if books[ledger.GooglePayable] != 0 || books[ledger.BankSettlement] != -8_601 || books[ledger.FeeIncome] != -273 || books[ledger.TaxOutput] != -26 {
		t.Errorf("%v", books)
	}
	if _, err := Total(krw, []Item{{Charge: money.New(1, money.Of("USD"))}}); err == nil {
		t.Error("two currencies in one settlement")
	}
}

// A day on which Google owes us, one on which nobody owes anything, and one with corrections.
func TestOtherDays(t *testing.T) {
	for _, c := range []struct {
		what string
		item Item
		net  int64
		want map[ledger.Kind]int64 // after closing and paying
	}{
		{
			"negative",
			Item{Kind: Chargeback, Charge: won(-8_900), Fee: won(-100), VAT: won(0)},
			-9_000,
			map[ledger.Kind]int64{ledger.GooglePayable: -8_900, ledger.FeeIncome: -100, ledger.BankSettlement: 9_000},
		},
		{"nothing", Item{Kind: Capture, Charge: won(0), Fee: won(0), VAT: won(0)}, 0, map[ledger.Kind]int64{}},
		{
			"a correction",
			Item{Kind: MiscAdjusting, Charge: won(500), Fee: won(0), VAT: won(0)},
			500,
			map[ledger.Kind]int64{ledger.AcquirerSuspense: 500, ledger.BankSettlement: -500},
		},
		{
			"fees passed on",
			Item{Kind: AggregateAdjusting, Charge: won(0), Fee: won(-15), VAT: won(0)},
			-15,
			map[ledger.Kind]int64{ledger.FeeIncome: -15, ledger.BankSettlement: 15},
		},
	} {
		total, err := Total(krw, []Item{c.item})
		if err != nil || total.Net != won(c.net) {
			t.Errorf("%s: %s, %v", c.what, total.Net, err)
		}
		s, books := Settlement{Account: "P", Totals: total}, map[ledger.Kind]int64{}
		for _, p := range append(s.Close(), s.Pay()...) {
			books[p.Debit.Kind] += p.Amount.Minor()
			books[p.Credit.Kind] -= p.Amount.Minor()
		}
		for k, want := range c.want {
			if books[k] != want {
				t.Errorf("%s: %s is %d, not %d", c.what, k, books[k], want)
			}
		}
	}
}

func TestPeriod(t *testing.T) {
	seoul := time.FixedZone("KST", 9*60*60)
	start, end, err := Period("20261122", seoul)
	if err != nil || !start.Equal(time.Date(2026, 11, 21, 15, 0, 0, 0, time.UTC)) || end.Sub(start) != 24*time.Hour {
		t.Errorf("%v %v %v", start, end, err)
	}
	if DayOf(start, seoul) != "20261122" || DayOf(start.Add(-1), seoul) != "20261121" || DayOf(end, seoul) != "20261123" {
		t.Error("the day does not begin at its midnight")
	}
	if _, _, err := Period("2026-11-22", seoul); err == nil {
		t.Error("no such day, and it passes")
	}
}
