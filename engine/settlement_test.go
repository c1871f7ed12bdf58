package engine_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"naru/core/ledger"
	"naru/core/payment"
	"naru/core/settlement"
	"naru/crash"
	"naru/engine"
)

var kst = time.FixedZone("KST", 9*60*60)

// contract lets us settle with the counterparty every day in Korea, for a fee.
func contract(c *engine.Config) {
	a := &c.Accounts[0]
	a.Location, a.SettleBy = kst, engine.SettleByNotice
	a.Terms = settlement.Terms{CaptureBP: 250, CaptureFixed: 10, RefundFixed: 100, DisputeFixed: 5000, ReserveFixed: 15, VATBP: 1000}
}

// midnight moves the clock to the next settlement: five minutes into the next day in Korea.
func (w *world) midnight() {
	w.Helper()
	now := w.clock.Now().In(kst).Add(-5 * time.Minute)
	next := time.Date(now.Year(), now.Month(), now.Day()+1, 0, 5, 0, 0, kst)
	w.clock.Advance(next.Sub(w.clock.Now()))
	w.settle()
}

func (w *world) settle() {
	w.Helper()
	_, err := w.SettleDue(context.Background())
	w.must(err)
}

// settlements are all there are, oldest first.
func (w *world) settlements() (list []settlement.Settlement) {
	w.Helper()
	w.look(func(v engine.Reader) error {
		newest, err := v.Settlements("P", 10_000)
		for _, s := range newest {
			list = append([]settlement.Settlement{s}, list...)
		}
		return err
	})
	return list
}

// items are those of a settlement in words: kind, subject, charge, fee, VAT.
func (w *world) items(s settlement.Settlement) (words []string) {
	w.Helper()
	var list []settlement.Item
	w.look(func(v engine.Reader) (err error) { list, err = v.Items(s.ID, 0, 1000); return err })
	if total, err := settlement.Total(s.Currency, list); err != nil || total != s.Totals {
		w.Errorf("the items add up to %+v, the settlement says %+v, %v", total, s.Totals, err)
	}
	for _, i := range list {
		text := fmt.Sprint(i.Day, " ", i.Kind, " ", i.Subject, " ", i.Charge.Minor(), " ", i.Fee.Minor(), " ", i.VAT.Minor(), " ", i.Note)
		words = append(words, strings.TrimSpace(text))
	}
	return words
}

// sums are a settlement's items, charge, fee, VAT and net.
func sums(s settlement.Settlement) string {
	return fmt.Sprint(s.Items, " ", s.Charge.Minor(), " ", s.Fee.Minor(), " ", s.VAT.Minor(), " ", s.Net.Minor())
}

func (w *world) settled(want ...string) []settlement.Settlement {
	w.Helper()
	list := w.settlements()
	var got []string
	for _, s := range list {
		got = append(got, s.Day+" "+sums(s))
	}
	if strings.Join(got, ", ") != strings.Join(want, ", ") {
		w.Errorf("settled %q, not %q", got, want)
	}
	return list
}

// Korea Cards v1 §6.3: every kind of event, as Google signs it, with our fee and the VAT on it, rounded half up.
func TestSettlementOfADay(t *testing.T) {
	w := newWorld(t, contract)
	w.bank.least = least
	steps := []func(){
		func() { w.taken("q", "c", 12900) },
		func() { w.yes(w.refund("f", "c", 4000)); w.forward() },
		func() { w.chb() },
		func() { w.clears(w.record(0, "CBR", 3000, ofCase("K1"))) },
		func() { w.clears(w.record(-1, "RRF", 1000, w.ofRefund(0))) },
		func() { w.approved(w.check("v", payment.ToVerify)) },
		func() { w.approved(w.check("z", payment.ToCheck)); w.forward() },
		func() { w.approved(w.reserve("lapsed", 500)); w.yes(w.cancel("x", "lapsed")); w.forward() },
		func() { w.yes(w.refund("g", "c", 1)); w.replies(refuses("", "05")); w.forward() }, // failed: nothing to settle
	}
	for _, step := range steps {
		step()
	}
	before := w.books()
	w.settle()
	w.settled() // the day is not over
	w.clock.Advance(6*time.Hour + 5*time.Minute - time.Microsecond)
	w.settle()
	w.settled() // nor is the grace for what was under way at midnight
	if w.books() != before {
		t.Error("the books moved")
	}
	w.clock.Advance(time.Microsecond)
	w.settle()
	s := w.settled("20260302 7 9900 -5463 -547 3890")[0]
	day := time.Date(2026, 3, 2, 0, 0, 0, 0, kst)
	if want := (settlement.Settlement{
		ID: s.ID, Account: "P", Currency: krw, Day: "20260302", Start: day.UTC(), End: day.AddDate(0, 0, 1).UTC(), ClosedAt: w.clock.Now(),
		Parts: 1, State: settlement.Closed, Totals: s.Totals,
	}); s != want {
		t.Errorf("%+v, not %+v", s, want)
	}
	got := map[string]bool{}
	for _, i := range w.items(s) {
		got[i] = true
	}
	for _, want := range []string{
		"20260302 capture c 12900 -333 -33", "20260302 refund f -4000 -100 -10", "20260302 chargeback c -3000 -5000 -500",
		"20260302 reverse-chargeback c 3000 0 0", "20260302 reverse-refund f 1000 0 0", "20260302 funds-reservation v 0 -15 -2",
		"20260302 funds-reservation lapsed 0 -15 -2", // a check that leaves nothing has no name in a settlement
	} {
		if !got[want] {
			t.Errorf("no %s in %v", want, got)
		}
	}
	want := "acquirer:held=100 acquirer:receivable=9900 google:held=-100 google:payable=-3890 income:fees=-5463 tax:output=-547"
	if w.books() != want {
		t.Errorf("books %q", w.books())
	}
	told := w.notices()
	if last := told[len(told)-1]; last != "settlement 20260302/0" {
		t.Error(told)
	}
}

// Where the contract says so, a refund gives the proportional fee of its capture back.
func TestRefundReturnsItsFee(t *testing.T) {
	w := newWorld(t, contract, func(c *engine.Config) { c.Accounts[0].Terms.ReturnFee = true })
	w.taken("q", "c", 10000)
	w.yes(w.refund("f", "c", 4000))
	w.forward()
	w.clears(w.record(-1, "RRF", 4000, w.ofRefund(0)))
	w.midnight()
	s := w.settled("20260302 3 10000 -360 -36 9604")[0] // -(250+10), +100-100, -100: the fee came, went and came again
	got := strings.Join(w.items(s), ", ")
	if want := "20260302 capture c 10000 -260 -26, 20260302 refund f -4000 0 0, 20260302 reverse-refund f 4000 -100 -10"; got != want {
		t.Error(got)
	}
}

func TestFeesAreRoundedHalfUp(t *testing.T) {
	for _, c := range []struct{ won, bp, vat, fee, tax int64 }{
		{19, 250, 0, 0, 0}, {20, 250, 0, 1, 0}, {59, 250, 0, 1, 0}, {60, 250, 0, 2, 0}, // 0.475, 0.5, 1.475, 1.5
		{200, 250, 1000, 5, 1}, {160, 250, 1000, 4, 0}, {1, 10000, 10000, 1, 1}, {1, 0, 1000, 0, 0}, // VAT of 0.5 and 0.4
		{999_999_999_999, 10000, 1000, 999_999_999_999, 100_000_000_000},
	} {
		w := newWorld(t, contract, func(e *engine.Config) { e.Accounts[0].Terms = settlement.Terms{CaptureBP: c.bp, VATBP: c.vat} })
		w.taken("q", "c", c.won)
		w.midnight()
		w.settled(fmt.Sprint("20260302 1 ", c.won, " ", -c.fee, " ", -c.tax, " ", c.won-c.fee-c.tax))
	}
}

// Which holds cost a fee: those that stood and never became a payment, and checks that reserve, once (§6.3).
func TestFeeOnAHoldWithoutAPayment(t *testing.T) {
	cancelled := func(w *world) { w.yes(w.cancel("x", "q")); w.forward() }
	for name, c := range map[string]struct {
		do   func(*world)
		fees int64
	}{
		"cancelled": {func(w *world) { w.approved(w.reserve("q", 500)); cancelled(w) }, 1},
		"expired":   {func(w *world) { w.approved(w.reserve("q", 500)); w.later(week) }, 1},
		"expired, by the network": {func(w *world) {
			w.auth(approveUntil(w.clock.Now().Add(time.Hour)))
			w.approved(w.reserve("q", 500))
			w.later(week)
		}, 1},
		"captured too late": {func(w *world) {
			w.approved(w.reserve("q", 500))
			w.clock.Advance(week)
			w.yes(w.capture("c", "q", 1))
			w.forward()
		}, 1},
		"revoked": {func(w *world) {
			w.approved(w.reserve("q", 500))
			w.yes(w.capture("c", "q", 1))
			w.replies(revoked)
			w.forward()
		}, 1},
		"a check":                  {func(w *world) { w.approved(w.check("q", payment.ToVerify)) }, 1},
		"a check that holds":       {func(w *world) { w.bank.least = 1; w.approved(w.check("q", payment.ToVerify)) }, 1},
		"a check that is given up": {func(w *world) { w.bank.least = 1; w.approved(w.check("q", payment.ToVerify)); cancelled(w) }, 1},
		"a check that ends":        {func(w *world) { w.bank.least = 1; w.approved(w.check("q", payment.ToVerify)); w.later(week) }, 1},
		"a check of nothing":       {func(w *world) { w.bank.least = 1; w.approved(w.check("q", payment.ToCheck)); w.forward() }, 0},
		"declined":                 {func(w *world) { w.auth(decline); w.yes(w.reserve("q", 500)) }, 0},
		"given back":               {func(w *world) { w.auth(lostAnswer); _, _ = w.reserve("q", 500); w.forward() }, 0},
		"a check that is unclear": {func(w *world) {
			w.auth(lostAnswer)
			_, _ = w.check("q", payment.ToVerify)
			w.forward()
			w.later(time.Minute)
			cancelled(w)
		}, 0},
		"open": {func(w *world) { w.approved(w.reserve("q", 500)) }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, contract)
			c.do(w)
			w.midnight()
			var n int64
			for _, s := range w.settlements() {
				if n += s.Items; s.Charge.Minor() != 0 || s.Fee.Minor() != -15*s.Items {
					t.Error(sums(s))
				}
			}
			if n != c.fees {
				t.Errorf("%d fees, not %d", n, c.fees)
			}
		})
	}
}

// A day on which nothing happened is settled as such, unless the account wants none; before the very first event there is nothing to say.
func TestEmptyDays(t *testing.T) {
	for _, skip := range []bool{false, true} {
		w := newWorld(t, contract, func(c *engine.Config) { c.Accounts[0].SkipEmptyDays = skip; c.Accounts[0].Terms = settlement.Terms{} })
		w.midnight()
		w.settled()
		w.taken("q", "c", 100)
		w.midnight()
		w.midnight()
		w.taken("r", "d", 200)
		w.midnight()
		want := []string{"20260303 1 100 0 0 100", "20260304 0 0 0 0 0", "20260305 1 200 0 0 200"}
		told := []string{
			"capture-result c SUCCESS 00", "capture-result d SUCCESS 00", "settlement 20260303/0", "settlement 20260304/0",
			"settlement 20260305/0",
		}
		if skip {
			want, told = []string{want[0], want[2]}, append(told[:3], told[4])
		}
		list := w.settled(want...)
		w.owes(told...)
		for i := 1; i < len(list); i++ {
			if !list[i].Start.Equal(list[i-1].End) {
				t.Errorf("the period from %s does not begin where the one before ended, %s", list[i].Start, list[i-1].End)
			}
		}
	}
}

// Google owes us for a day with more refunds than captures; then its money comes to us.
func TestNegativeDay(t *testing.T) {
	w := newWorld(t, contract)
	w.taken("q", "c", 10000)
	w.midnight()
	w.yes(w.refund("f", "c", 10000))
	w.forward()
	w.midnight()
	list := w.settled("20260302 1 10000 -260 -26 9714", "20260303 1 -10000 -100 -10 -10110")
	if want := "google:payable=396 income:fees=-360 tax:output=-36"; w.books() != want {
		t.Errorf("books %q", w.books())
	}
	for _, s := range list {
		w.must(w.PaySettlement(context.Background(), s.ID, "wire", "operator"))
	}
	if want := "bank:settlement=396 income:fees=-360 tax:output=-36"; w.books() != want {
		t.Errorf("books %q", w.books())
	}
}

// A settlement is told in parts where it has more events than one notification takes, or as one file; or it is told to nobody.
func TestHowASettlementIsTold(t *testing.T) {
	for by, want := range map[engine.SettleBy]string{
		engine.SettleByNotice: "3 settlement 20260302/0 settlement 20260302/1 settlement 20260302/2",
		engine.SettleByFile:   "1 settlement-file 20260302/0",
	} {
		w := newWorld(t, contract, func(c *engine.Config) { c.Accounts[0].SettleBy, c.Accounts[0].PartSize = by, 2 })
		for i := range 5 {
			w.taken(fmt.Sprint("q", i), fmt.Sprint("c", i), 100)
		}
		w.midnight()
		list := w.settlements()
		if got := fmt.Sprint(list[0].Parts, " ", strings.Join(w.notices()[5:], " ")); got != want || list[0].Items != 5 {
			t.Errorf("told %s, not %s", got, want)
		}
		for _, n := range w.sent[5:] {
			if n.Facts.OwnID != list[0].ID {
				t.Errorf("%+v", n)
			}
		}
	}
	w := newWorld(t, contract, func(c *engine.Config) { c.Accounts[0].SettleBy = engine.SettleNever })
	w.taken("q", "c", 100)
	w.midnight()
	w.settled()
}

func TestSettlingTwice(t *testing.T) {
	w := newWorld(t, contract)
	w.taken("q", "c", 10000)
	w.midnight()
	books := w.books()
	for range 3 {
		w.settle()
		w.start()
		w.settle()
	}
	w.settled("20260302 1 10000 -260 -26 9714")
	w.owes("capture-result c SUCCESS 00", "settlement 20260302/0")
	if w.books() != books {
		t.Error(w.books())
	}
}

func TestSettlementAndACrash(t *testing.T) {
	w := newWorld(t, contract)
	w.taken("q", "c", 10000)
	w.die = crash.SettlementClosed
	if !survives(w.midnight) {
		t.Fatal("the point was not passed")
	}
	w.start()
	w.settle()
	w.settled("20260302 1 10000 -260 -26 9714")
	w.owes("capture-result c SUCCESS 00", "settlement 20260302/0")
}

// What was under way at midnight, and is written down when the day is settled already, comes with the next settlement and keeps its day.
func TestLateEvent(t *testing.T) {
	w := newWorld(t, contract, func(c *engine.Config) { c.Accounts[0].Terms = settlement.Terms{} })
	w.clock.Advance(6*time.Hour - time.Microsecond)
	w.taken("a", "c1", 1)
	w.approved(w.reserve("q", 100))
	w.yes(w.capture("late", "q", 100))
	w.replies(func(a *acquirer, o payment.AdviceOrder, repeat bool) payment.AdviceReply {
		w.store.fail = func() error { // before midnight the network has answered; what it said is written down after the settlement
			w.store.fail = nil
			w.clock.Advance(5*time.Minute + time.Microsecond)
			w.settle()
			return nil
		}
		return honest(a, o, repeat)
	})
	w.forward()
	w.settled("20260302 1 1 0 0 1")
	w.taken("b", "c2", 10)
	w.midnight()
	list := w.settled("20260302 1 1 0 0 1", "20260303 2 110 0 0 110")
	if got := strings.Join(w.items(list[1]), ", "); got != "20260302 capture late 100 0 0, 20260303 capture c2 10 0 0" {
		t.Error(got)
	}
}

// Days on which nobody was there to settle are made good, one by one.
func TestDaysThatWereMissed(t *testing.T) {
	w := newWorld(t, contract, func(c *engine.Config) { c.Accounts[0].Terms = settlement.Terms{} })
	w.taken("q", "c", 1)
	w.clock.Advance(48 * time.Hour)
	w.taken("r", "d", 2)
	w.clock.Advance(24 * time.Hour)
	w.settle()
	w.settled("20260302 1 1 0 0 1", "20260303 0 0 0 0 0", "20260304 1 2 0 0 2")
}

func TestPayingASettlement(t *testing.T) {
	w := newWorld(t, contract)
	w.taken("q", "c", 10000)
	w.midnight()
	s := w.settlements()[0]
	w.clock.Advance(time.Hour)
	for range 3 {
		w.must(w.PaySettlement(context.Background(), s.ID, "wire 77", "operator"))
		w.clock.Advance(time.Hour)
	}
	if want := "acquirer:receivable=10000 bank:settlement=-9714 income:fees=-260 tax:output=-26"; w.books() != want {
		t.Errorf("books %q", w.books())
	}
	s.State, s.Reference, s.PaidAt = settlement.Paid, "wire 77", s.ClosedAt.Add(time.Hour)
	if got := w.settlements()[0]; got != s {
		t.Errorf("%+v, not %+v", got, s)
	}
	if err := w.PaySettlement(context.Background(), "nothing", "", ""); !errors.Is(err, engine.ErrNotFound) {
		t.Error(err)
	}
}

// What the acquirer charges beside payments, and what it corrects by hand, is passed on where the contract says so (§6.3).
func TestAdjustmentsArePassedOn(t *testing.T) {
	for _, c := range []struct {
		fees, corrections bool
		want, books       string
	}{
		{false, false, "0 0 0 0 0", "acquirer:receivable=684 fee:acquirer=15 suspense:acquirer=-700 tax:input=1"},
		{
			true, false, "1 0 -16 0 -16",
			"acquirer:receivable=684 fee:acquirer=15 google:payable=16 income:fees=-16 suspense:acquirer=-700 tax:input=1",
		},
		{false, true, "1 0 0 0 700", "acquirer:receivable=684 fee:acquirer=15 google:payable=-700 tax:input=1"},
		{true, true, "2 0 -16 0 684", "acquirer:receivable=684 fee:acquirer=15 google:payable=-684 income:fees=-16 tax:input=1"},
	} {
		w := newWorld(t, contract, func(e *engine.Config) {
			e.Accounts[0].Terms = settlement.Terms{PassFeesOn: c.fees, PassAdjustsOn: c.corrections, CaptureBP: 250, VATBP: 1000}
		})
		w.clears(
			w.record(-1, "FEE", 0, fees(-15, -1), func(r *engine.ClearingRecord) { r.RawCode = "AUTHFEE" }),
			w.record(-1, "ADJ", 700, func(r *engine.ClearingRecord) { r.RawCode = "MEND" }))
		w.midnight()
		list := w.settlements()
		if c.want == "0 0 0 0 0" {
			w.settled()
		} else {
			w.settled("20260302 " + c.want)
			w.items(list[0])
		}
		if w.books() != c.books {
			t.Errorf("books %q, not %q", w.books(), c.books)
		}
	}
}

// The books of the whole: whatever was settled is zero in the end, but for what we keep.
func TestSettlementClosesTheBooks(t *testing.T) {
	w := newWorld(t, contract)
	w.taken("q", "c", 10000)
	w.yes(w.refund("f", "c", 2500))
	w.forward()
	w.clears(
		w.record(0, "CAP", 10000, fees(-100, -10)), w.record(-1, "REF", -2500, w.ofRefund(0)),
		w.record(-1, "PAY", 0, func(r *engine.ClearingRecord) { r.Txn = won(7390) }))
	w.midnight()
	w.must(w.PaySettlement(context.Background(), w.settlements()[0].ID, "wire", "operator"))
	if want := "bank:settlement=286 fee:acquirer=100 income:fees=-360 tax:input=10 tax:output=-36"; w.books() != want {
		t.Errorf("books %q", w.books())
	}
	list, err := w.db.Balances(context.Background())
	w.must(err)
	sum := int64(0)
	for _, b := range list {
		sum += b.Amount
		if k := ledger.Kind(b.Account); b.Amount != 0 && (k == ledger.AcquirerReceivable || k == ledger.GooglePayable) {
			t.Errorf("%+v", b)
		}
	}
	if sum != 0 {
		t.Errorf("the books are %d off", sum)
	}
}
