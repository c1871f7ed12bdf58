package engine_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"naru/core/payment"
	"naru/engine"
)

// endOfDay is when the clock compares the totals of the first day: a quarter of an hour after its end.
const endOfDay = 15*time.Hour + 15*time.Minute

func (w *world) totals() {
	w.Helper()
	w.must(w.TotalsDue(context.Background()))
}

func (w *world) comparison(day string) (c engine.Reconciliation) {
	w.Helper()
	w.look(func(v engine.Reader) (err error) { c, _, err = v.Reconciliation("bc", day, "KRW"); return err })
	return c
}

// someDay is a day with two captures, a refund, and one that was paid, undone and paid again.
func someDay(t *testing.T, with ...func(*engine.Config)) *world {
	w := newWorld(t, with...)
	w.taken("a", "c1", 10000)
	w.taken("b", "c2", 500)
	w.yes(w.refund("f", "c1", 4000))
	w.forward()
	w.yes(w.refund("g", "c1", 1000))
	w.replies(lostReply)
	w.forward()
	w.later(time.Minute)
	w.later(time.Minute)
	w.clock.Advance(-2 * time.Minute)
	if w.refundOf("a", "g").State != payment.Refunded {
		t.Fatal("the refund is open")
	}
	return w
}

var someTotals = payment.DayTotals{
	Day: "20260302", Currency: krw, Debits: 2, DebitSum: 10500, Credits: 3, CreditSum: 6000, CreditsReversed: 1, CreditRevSum: 1000,
}

func TestTotalsThatAgree(t *testing.T) {
	w := someDay(t)
	w.clock.Advance(endOfDay - time.Microsecond)
	w.totals()
	if len(w.bank.compared) != 0 {
		t.Fatal("the day is not over")
	}
	w.clock.Advance(time.Microsecond)
	for range 3 {
		w.totals()
		w.start()
	}
	if len(w.bank.compared) != 1 || w.bank.compared[0].DayTotals != someTotals || w.bank.compared[0].repeat {
		t.Errorf("compared %+v", w.bank.compared)
	}
	c := w.comparison("20260302")
	if want := (engine.Reconciliation{
		Acquirer: "bc", Day: "20260302", Currency: "KRW", State: "AGREED", Trace: w.bank.compared[0].trace, Ours: someTotals, Tries: 1,
		Code: "00", CreatedAt: w.clock.Now(), DueAt: w.clock.Now(),
	}); c != want {
		t.Errorf("%+v, not %+v", c, want)
	}
	w.wants()
	w.clock.Advance(24 * time.Hour)
	w.totals()
	if len(w.bank.compared) != 1 {
		t.Error("a day on which nothing was booked was compared")
	}
}

// The network itself may say that its day is over (rails §1.13); the clock comes to it where it does not.
func TestTheNetworkEndsItsDay(t *testing.T) {
	w := someDay(t)
	w.DayEnded("bc", "nonsense")
	w.DayEnded("nobody", "20260303")
	w.totals()
	if len(w.bank.compared) != 0 {
		t.Fatal("compared early")
	}
	w.DayEnded("bc", "20260303")
	w.totals()
	w.totals()
	if len(w.bank.compared) != 1 || w.comparison("20260302").State != engine.TotalsAgreed {
		t.Errorf("%+v", w.bank.compared)
	}
	w.clock.Advance(endOfDay)
	w.totals()
	if len(w.bank.compared) != 1 {
		t.Error("compared twice")
	}
}

func TestTotalsThatDiffer(t *testing.T) {
	w := someDay(t)
	w.bank.holds[1].captured = 501
	w.clock.Advance(endOfDay)
	w.totals()
	c := w.comparison("20260302")
	theirs := someTotals
	theirs.DebitSum++
	if c.State != engine.TotalsBroken || c.Ours != someTotals || c.Host != theirs || c.Code != "95" {
		t.Errorf("%+v", c)
	}
	w.wants("totals-differ")
	list, err := w.ListCases(context.Background(), true, 9)
	w.must(err)
	if d := list[0].Detail; !strings.Contains(d, "20260302") || !strings.Contains(d, "10500") || !strings.Contains(d, "10501") {
		t.Error(d)
	}
	w.clock.Advance(24 * time.Hour)
	w.totals()
	if len(w.bank.compared) != 1 {
		t.Error("compared again")
	}
}

// Silence is no answer: the same message again, as a repeat, until there is one.
func TestSilenceAboutTotals(t *testing.T) {
	w := someDay(t)
	w.bank.totals = slices.Repeat([]func(*acquirer, payment.DayTotals) payment.TotalsReply{noTotals}, 4)
	w.clock.Advance(endOfDay)
	w.totals()
	var waits []time.Duration
	for w.comparison("20260302").State == engine.TotalsOpen {
		before := w.clock.Now()
		w.totals() // not before it is due
		w.clock.Advance(w.comparison("20260302").DueAt.Sub(before))
		waits = append(waits, w.clock.Now().Sub(before))
		w.start()
		w.totals()
	}
	if got := fmt.Sprint(waits); got != "[5s 15s 1m0s 1m0s]" {
		t.Error(got)
	}
	for i, m := range w.bank.compared {
		if m.trace != w.bank.compared[0].trace || m.repeat != (i > 0) || m.DayTotals != someTotals {
			t.Errorf("message %d: %+v", i, m)
		}
	}
	if len(w.bank.compared) != 5 || w.comparison("20260302").State != engine.TotalsAgreed {
		t.Errorf("%d messages", len(w.bank.compared))
	}
}

// What is booked on a day between two tellings of its totals does not change the message: the network knows it by its name (rails §1.12).
func TestTotalsStayWhatTheyWere(t *testing.T) {
	w := someDay(t)
	w.bank.totals = []func(*acquirer, payment.DayTotals) payment.TotalsReply{noTotals}
	w.clock.Advance(endOfDay)
	w.totals()
	w.clock.Advance(-time.Hour) // answers that come late name the day that is over
	w.taken("late", "c9", 70)
	w.clock.Advance(2 * time.Hour)
	w.totals()
	if len(w.bank.compared) != 2 || w.bank.compared[1].DayTotals != someTotals || !w.bank.compared[1].repeat {
		t.Errorf("%+v", w.bank.compared)
	}
	w.wants("totals-differ")
}

// What the network said cannot be written down: it is asked again, with the message it knows.
func TestStoreThatFailsInComparing(t *testing.T) {
	w := someDay(t)
	w.bank.totals = append(w.bank.totals, func(a *acquirer, d payment.DayTotals) payment.TotalsReply {
		w.store.fail = func() error { return errDisk }
		return compare(a, d)
	})
	w.clock.Advance(endOfDay)
	w.totals()
	w.store.fail = nil
	w.totals()
	if a := w.bank.compared; len(a) != 2 || a[0].trace != a[1].trace || a[0].repeat || !a[1].repeat {
		t.Errorf("%+v", a)
	}
	if w.comparison("20260302").State != engine.TotalsAgreed {
		t.Error("no end")
	}
}

// What is still out may belong to the day: the comparison waits for it, half an hour at the most.
func TestTotalsWaitForOpenAdvices(t *testing.T) {
	for name, c := range map[string]struct {
		replies []reply
		debits  int64
	}{
		// it was booked before midnight, as the answer says
		"it comes": {
			append([]reply{lostReply}, slices.Repeat([]reply{silent}, 10)...), 2,
		},
		"it is out": {slices.Repeat([]reply{silent}, 200), 1},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.taken("other", "o", 1)
			w.approved(w.reserve("q", 10000))
			w.clock.Advance(endOfDay - 20*time.Minute)
			w.yes(w.capture("c", "q", 10000))
			w.replies(c.replies...)
			w.forward()
			w.DayEnded("bc", "20260303")
			w.clock.Advance(time.Second) // the advice is older than the comparison
			w.totals()
			w.clock.Advance(time.Minute)
			waited := 1
			for ; len(w.bank.compared) == 0 && waited < 60; waited++ {
				w.later(time.Minute)
				w.totals()
			}
			if got := w.bank.compared[0]; got.Debits != c.debits {
				t.Errorf("after %d minutes: %+v", waited, got.DayTotals)
			}
			if late := waited >= 30; late != (name == "it is out") || waited > 31 {
				t.Errorf("waited %d minutes", waited)
			}
		})
	}
}

func TestTotalsThatNobodyWants(t *testing.T) {
	w := someDay(t, func(c *engine.Config) {
		l := c.Links["bc"]
		l.Totals = false
		c.Links["bc"] = l
	})
	w.DayEnded("bc", "20260303")
	w.clock.Advance(48 * time.Hour)
	w.totals()
	if len(w.bank.compared) != 0 {
		t.Error("compared")
	}
}
