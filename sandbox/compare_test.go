package sandbox

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"naru/sandbox/google"
	"naru/store"
)

const (
	reserve    = "reserveFunds"
	captureOf  = "asynchronousCaptureFundsReservation"
	cancelOf   = "asynchronousCancelFundsReservation"
	captureEnd = "captureFundsReservationResultNotification"
	cancelEnd  = "cancelFundsReservationResultNotification"
)

var testNow = time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)

// world is four payments in which everybody is right: one captured in part, one cancelled, one still held, one lost and never held.
func world() evidence {
	until := testNow.AddDate(0, 0, 7)
	said := func(method, id, reservation string, won int64, status int, result string) google.Exchange {
		x := google.Exchange{
			Method: method, Account: "A_KRW", RequestID: id, Reservation: reservation, AmountMicros: won * 1_000_000,
			Status: status, Result: result, Digest: id + result,
		}
		if method == reserve {
			x.Currency = "KRW"
		}
		if method == reserve && result == "SUCCESS" {
			x.HeldUntil = until
		}
		return x
	}
	booked := func(id, state, rrn string, amount, captured int64, held bool) store.Hold {
		return store.Hold{
			Account: "A_KRW", RequestID: id, State: state, Currency: "KRW", RRN: rrn, Amount: amount, Captured: captured, Held: held,
		}
	}
	return evidence{
		now: testNow,
		exchanges: []google.Exchange{
			said(reserve, "r1", "", 50_000, 200, "SUCCESS"),
			said(captureOf, "c1", "r1", 20_000, 0, ""), // its answer was lost, the repeat was not
			said(captureOf, "c1", "r1", 20_000, 200, "ACKNOWLEDGED"),
			said(reserve, "r2", "", 33_000, 200, "SUCCESS"),
			said(cancelOf, "x2", "r2", 0, 200, "ACKNOWLEDGED"),
			said(reserve, "r3", "", 7_700, 503, ""),
			said(reserve, "r3", "", 7_700, 200, "SUCCESS"),
			said(reserve, "r3", "", 8_800, 412, ""),
			said(reserve, "r4", "", 9_900, 503, ""),
			said(reserve, "r5", "", 1_000, 200, "INSUFFICIENT_FUNDS"),
			{Method: "echo", RequestID: "e", Status: 200},
		},
		verdicts: []google.Verdict{
			{Method: captureEnd, Account: "A_KRW", Subject: "c1", Result: "SUCCESS"},
			{Method: cancelEnd, Account: "A_KRW", Subject: "x2", Result: "SUCCESS"},
			{Method: captureEnd, Account: "A_KRW", Subject: "somebody-else's", Result: "SUCCESS"},
		},
		holds: []store.Hold{
			booked("r1", "CAPTURED", "rrn1", 50_000, 20_000, false),
			booked("r2", "CANCELLED", "rrn2", 33_000, 0, false),
			booked("r3", "RESERVED", "rrn3", 7_700, 0, true),
			booked("r4", "NOT_HELD", "rrn4", 9_900, 0, false),
			booked("outside", "RESERVED", "rrn9", 600, 0, true),
		},
		host: []hostHold{
			{RRN: "rrn1", Amount: 50_000, Currency: "KRW", State: "captured", Captured: 20_000},
			{RRN: "rrn2", Amount: 33_000, Currency: "KRW", State: "released"},
			{RRN: "rrn3-lost", Amount: 7_700, Currency: "KRW", State: "released"},
			{RRN: "rrn3", Amount: 7_700, Currency: "KRW", State: "open"},
			{RRN: "rrn4", Amount: 9_900, Currency: "KRW", State: "released"},
			{RRN: "rrn9", Amount: 600, Currency: "KRW", State: "open"},
		},
		balances: []store.Balance{
			{Account: "acquirer:held", Owner: "A_KRW", Currency: "KRW", Amount: 8_300},
			{Account: "google:held", Owner: "A_KRW", Currency: "KRW", Amount: -8_300},
			{Account: "acquirer:receivable", Owner: "A_KRW", Currency: "KRW", Amount: 20_000},
			{Account: "google:payable", Owner: "A_KRW", Currency: "KRW", Amount: -20_000},
		},
	}
}

// found is everything that a comparison complains about, the rows with their names.
func (c comparison) found() (list []string) {
	for _, r := range c.rows {
		for _, p := range r.problems {
			list = append(list, r.id.RequestID+": "+p)
		}
	}
	return append(list, c.problems...)
}

func TestCompareAgrees(t *testing.T) {
	c := compare(world())
	if !c.agrees() || len(c.found()) > 0 {
		t.Fatalf("finds %q", c.found())
	}
	var out bytes.Buffer
	if err := c.print(&out); err != nil {
		t.Fatal(err)
	}
	const want = `  account   reservation   won      Google          ledger          acquirer        
  A_KRW     r1            50,000   booked 20,000   booked 20,000   booked 20,000   agree
  A_KRW     r2            33,000   nothing         nothing         nothing         agree
  A_KRW     r3            7,700    holds 7,700     holds 7,700     holds 7,700     agree
  A_KRW     r4            9,900    nothing         nothing         nothing         agree
  A_KRW     r5            1,000    nothing         nothing         nothing         agree
`
	if out.String() != want {
		t.Errorf("prints\n%s want\n%s", out.String(), want)
	}
}

// Each lie is told to one party alone, and found.
func TestCompareFinds(t *testing.T) {
	for _, c := range []struct {
		lie  string
		tell func(*evidence)
		want []string
	}{
		{
			"the acquirer booked one capture twice",
			func(e *evidence) {
				e.host = append(e.host, hostHold{RRN: "again", Amount: 50_000, State: "captured", Captured: 20_000})
			},
			[]string{"the acquirer booked 20,000 under RRN again, which belongs to no payment"},
		},
		{
			"the acquirer booked it twice under one number",
			func(e *evidence) { e.host = append(e.host, e.host[0]) },
			[]string{"r1: they do not agree"},
		},
		{
			"two captures of one hold were accepted",
			func(e *evidence) {
				second := e.exchanges[2]
				second.RequestID = "c9"
				e.exchanges = append(e.exchanges, second)
				e.verdicts = append(e.verdicts, google.Verdict{Account: "A_KRW", Subject: "c9", Result: "SUCCESS"})
			},
			[]string{"r1: a second capture, c9, was accepted", "r1: they do not agree"},
		},
		{
			"a capture was acknowledged and never reported",
			func(e *evidence) { e.verdicts = e.verdicts[1:] },
			[]string{"r1: no verdict on c1", "r1: they do not agree"},
		},
		{
			"a cancel was acknowledged and never reported",
			func(e *evidence) { e.verdicts = slices.Delete(e.verdicts, 1, 2) },
			[]string{"r2: no verdict on x2"},
		},
		{
			"the verdict says that nothing was captured",
			func(e *evidence) { e.verdicts[0].Result = "RESERVATION_EXPIRED" },
			[]string{"r1: they do not agree"},
		},
		{
			"a verdict on a capture that was refused",
			func(e *evidence) {
				e.exchanges = append(e.exchanges, google.Exchange{Method: captureOf, Account: "A_KRW", RequestID: "c4", Reservation: "r4", Status: 400})
				e.verdicts = append(e.verdicts, google.Verdict{Account: "A_KRW", Subject: "c4", Result: "RESERVATION_EXPIRED"})
			},
			[]string{"r4: a verdict on c4, which was refused"},
		},
		{
			"a cancelled hold is still there at the acquirer",
			func(e *evidence) { e.host[1].State = "open" },
			[]string{"r2: they do not agree"},
		},
		{
			"the first attempt of a repeated purchase is still held",
			func(e *evidence) { e.host[2].State = "open" },
			[]string{"the acquirer holds 7,700 under RRN rrn3-lost, which belongs to no payment"},
		},
		{
			"money is held although Google was told nothing",
			func(e *evidence) { e.host[4].State = "open" },
			[]string{"r4: they do not agree"},
		},
		{
			"Google believes in a hold that nobody has",
			func(e *evidence) {
				e.exchanges[8].Status, e.exchanges[8].Result, e.exchanges[8].HeldUntil = 200, "SUCCESS", testNow.Add(time.Hour)
			},
			[]string{"r4: they do not agree"},
		},
		{
			"a hold that ended long ago is still in the books",
			func(e *evidence) { e.now = testNow.AddDate(0, 0, 8) },
			[]string{"r3: they do not agree"},
		},
		{
			"the same question got two answers",
			func(e *evidence) {
				again := e.exchanges[0]
				again.Digest = "another"
				e.exchanges = append(e.exchanges, again)
			},
			[]string{"r1: r1 got two answers"},
		},
		{
			"the ledger has another amount",
			func(e *evidence) { e.holds[0].Captured = 50_000 },
			[]string{
				"r1: they do not agree", "acquirer:receivable/A_KRW says 20,000, its payments make 50,000",
				"google:payable/A_KRW says -20,000, its payments make -50,000",
			},
		},
		{
			"a balance is off",
			func(e *evidence) { e.balances[1].Amount++ },
			[]string{"google:held/A_KRW says -8,299, its payments make -8,300"},
		},
		{
			"a balance is missing",
			func(e *evidence) { e.balances = e.balances[:3] },
			[]string{"google:payable/A_KRW is missing, its payments make -20,000"},
		},
		{
			"a payment that Google did not send differs",
			func(e *evidence) { e.host[5].State = "released" },
			[]string{"A_KRW outside: the ledger holds 600, the acquirer nothing"},
		},
	} {
		e := world()
		c.tell(&e)
		got := compare(e)
		if !slices.Equal(got.found(), c.want) || got.agrees() {
			t.Errorf("%s: finds\n%s\nwant\n%s", c.lie, strings.Join(got.found(), "\n"), strings.Join(c.want, "\n"))
		}
	}
}

func TestWon(t *testing.T) {
	for amount, want := range map[int64]string{0: "0", 999: "999", 12_900: "12,900", -12_900: "-12,900", -129: "-129", 1e6: "1,000,000"} {
		if got := won(amount); got != want {
			t.Errorf("%d is written %q, want %q", amount, got, want)
		}
	}
}
