package engine_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"naru/core/payout"
	"naru/engine"
)

// reads takes the bank's statement into account.
func (w *paying) reads() {
	w.Helper()
	w.must(w.ReadStatement(context.Background(), "pb"))
}

// floats wants that our books say of the float what the bank says.
func (w *paying) floats() {
	w.Helper()
	var got int64
	w.look(func(v engine.Reader) (err error) {
		got, _, err = v.FloatBalance("pb", "INR")
		return err
	})
	if got != w.payer.float {
		w.Errorf("our books say %d, the bank %d: %s", got, w.payer.float, w.books())
	}
}

// funded makes a world whose account at the bank has money, and whose bank takes fees.
func funded(t *testing.T, with ...func(*engine.Config)) *paying {
	w := newPaying(t, with...)
	w.payer.fees, w.payer.tax = 300, 54
	w.payer.fund(1_000_000, "bank_transfer")
	w.reads()
	return w
}

// rails §2.4: every line counts once, however often it is read; a payout's own is what was booked when it was paid.
func TestLinesCountOnce(t *testing.T) {
	w := funded(t)
	w.paid(w.asks())
	w.payer.fund(-70, "fee")
	w.payer.fund(-500, "bank_transfer")
	w.payer.fund(0, "note")
	want := "bank:settlement=-999500 fee:rail=370 google:receivable=12550 payout:float=986526 tax:input=54"
	for range 5 {
		w.reads()
		w.clock.Advance(time.Hour)
		if got := sorted(w.books()); got != want {
			t.Fatalf("books %q, not %q", got, want)
		}
	}
	w.floats()
	w.wants()
	w.start() // and the next process reads the same
	w.reads()
	w.clock.Advance(30 * 24 * time.Hour)
	w.payer.fund(1, "bank_transfer")
	w.reads()
	w.floats()
}

func sorted(books string) string {
	words := strings.Fields(books)
	slices.Sort(words)
	return strings.Join(words, " ")
}

// A statement is longer than a page, and banks book late: each reading goes back a day.
func TestALongStatementAndLateLines(t *testing.T) {
	w := newPaying(t)
	for range 230 {
		w.payer.fund(10, "bank_transfer")
	}
	w.reads()
	w.floats()
	w.clock.Advance(23 * time.Hour)
	w.payer.fund(5, "bank_transfer")
	late := w.clock.Now().Add(-22 * time.Hour)
	w.reads()
	w.payer.fund(7, "bank_transfer")
	w.payer.lines[len(w.payer.lines)-1].At = late
	w.reads()
	if got := w.books(); !strings.Contains(got, "payout:float=2312") {
		t.Errorf("books %q", got)
	}
}

// The bank does not answer: nothing is lost, and nothing counts twice.
func TestAStatementThatCannotBeRead(t *testing.T) {
	w := newPaying(t)
	w.payer.fund(100, "bank_transfer")
	w.payer.deaf = errDeaf
	if err := w.ReadStatement(context.Background(), "pb"); err == nil {
		t.Error("it was read")
	}
	if err := w.ReadFloat(context.Background(), "pb"); err == nil || len(w.Floats()) != 0 {
		t.Error("the float is known")
	}
	w.payer.deaf = nil
	w.store.fail = func() error { return errDisk }
	if err := w.ReadStatement(context.Background(), "pb"); err == nil {
		t.Error("it was written")
	}
	w.store.fail = nil
	w.reads()
	w.floats()
}

// Fees that were others than the bank told when it paid are booked as the statement says, whenever that is read.
func TestFeesThatDiffer(t *testing.T) {
	for _, early := range []bool{false, true} {
		for _, more := range []int64{-100, 25} {
			t.Run(fmt.Sprint(early, more), func(t *testing.T) {
				w := funded(t)
				w.payer.fees += more // what it really takes
				w.payer.makes = []making{keeps}
				w.open(w.asks())
				if early { // while nobody knows how it ends
					w.reads()
					w.clock.Advance(3 * 24 * time.Hour)
					w.payer.fund(1, "bank_transfer")
					w.reads()
				}
				w.payer.fees -= more // what it tells
				w.payer.goes(0, credits)
				w.hears(w.payer.mail()...)
				for range 2 {
					w.reads()
					w.floats()
				}
				if _, a := w.payout("q"); a.Fees != paise(300+more) || a.Tax != paise(54) {
					t.Errorf("%+v", a)
				}
				w.wants()
				w.clock.Advance(3 * time.Hour)
				w.reads()
				w.floats()
			})
		}
	}
}

// Somebody else pays out of our account: a person must look.
func TestADebitThatIsNotOurs(t *testing.T) {
	w := funded(t)
	w.payer.mu.Lock()
	r := &remittance{key: "by hand", ref: "dashboard", amount: 900, at: w.clock.Now()}
	w.payer.orders = append(w.payer.orders, r)
	w.payer.become(r, credits)
	w.payer.mu.Unlock()
	w.reads()
	w.clock.Advance(2 * time.Hour)
	w.reads()
	if n := w.meter.cases; n != 2 { // it, and that the float differs by it
		t.Errorf("%d cases", n)
	}
	w.wants("float-differs", "payout-unknown-debit")
}

// An order whose answer was lost, and which we can ask about by nothing but its line.
func TestALostOrderIsFoundByItsLine(t *testing.T) {
	w := funded(t)
	w.payer.script([]fate{lostSaying}, keeps)
	w.open(w.asks())
	w.payer.asks = []fate{lostAsk}
	if err := w.ReadStatement(context.Background(), "pb"); err == nil { // whose line is it?
		t.Error("a line was taken of which nobody knows what it is")
	}
	w.wants()
	w.reads()
	if p, a := w.payout("q"); p.State != payout.Unclear || a.State != payout.AttemptOpen || a.BankID == "" {
		t.Errorf("%s, %+v", p.State, a)
	}
	w.payer.goes(0, credits)
	w.after(time.Minute)
	w.reads()
	w.floats()
	w.wants()
	w.wasSent(1, 1)
	w.owes("payout-result q SUCCESS payout_processed razorpayx")
}

// lost makes an order of which the bank says nothing for so long that only its statement can help.
func lost(t *testing.T, f fate, m making, asks fate) *paying {
	w := funded(t)
	w.payer.script([]fate{f, lostAsk, lostAsk, lostAsk}, m)
	w.open(w.asks())
	for range 3 {
		w.after(2 * time.Minute)
	}
	for range 99 { // nearly 25 hours
		w.payer.asks = []fate{asks}
		w.after(15 * time.Minute)
	}
	w.payer.asks = nil
	w.wasSent(4, 1)
	return w
}

// rails §2.7: absent for hours is not enough; with its statement, complete past the order, the bank has proven that it paid nothing.
func TestTheStatementProvesAbsence(t *testing.T) {
	w := lost(t, lostAsk, credits, through)
	w.reached(payout.Unclear, payout.AttemptPrepared)
	w.wants("payout-absent")
	if w.meter.cases != 1 {
		t.Errorf("the case was reported %d times", w.meter.cases)
	}
	w.reads() // the order might have been sent within the last day
	w.reached(payout.Unclear, payout.AttemptPrepared)
	w.clock.Advance(time.Hour)
	w.payer.deaf = errDeaf
	_ = w.ReadStatement(context.Background(), "pb")
	w.reached(payout.Unclear, payout.AttemptPrepared)
	w.payer.deaf = nil
	w.reads()
	w.reached(payout.Waiting, payout.AttemptFailed)
	w.wasSent(4, 1)
	w.after(30 * time.Minute)
	w.reached(payout.Paid, payout.AttemptPaid)
	w.wasSent(5, 2)
	w.reads()
	w.floats()
	w.owes("payout-result q SUCCESS payout_processed razorpayx")
	w.honest()
}

// reached is stands where the books hold more than the payout.
func (w *paying) reached(s payout.State, as payout.AttemptState) {
	w.Helper()
	if p, a := w.payout("q"); p.State != s || a.State != as {
		w.Errorf("%s, attempt %s, not %s, %s", p.State, a.State, s, as)
	}
	w.honest()
}

// An order without a movement may wait at the bank for our float: only together with the bank's own word the statement proves anything.
func TestAnOrderThatWaitsIsNotAbsent(t *testing.T) {
	for _, asks := range []fate{lostAsk, unsent, busy} {
		w := lost(t, lostSaying, queues, asks)
		w.clock.Advance(2 * time.Hour)
		w.payer.asks = []fate{asks}
		w.reads() // the bank still does not say what it has
		w.reached(payout.Unclear, payout.AttemptPrepared)
		w.reads()
		w.reached(payout.Unclear, payout.AttemptOpen)
		w.payer.goes(0, credits)
		w.after(15 * time.Minute)
		w.reached(payout.Paid, payout.AttemptPaid)
		w.wasSent(4, 1)
	}
	w := funded(t) // a process that was dark reads statements before it asks
	w.payer.script([]fate{lostSaying}, queues)
	w.open(w.asks())
	w.clock.Advance(26 * time.Hour)
	w.start()
	w.reads()
	w.reached(payout.Unclear, payout.AttemptOpen)
	w.wasSent(1, 1)
}

// While the statement holds a movement that nobody can explain, it proves nothing: that may be the order.
func TestAStrangeLineProvesNothing(t *testing.T) {
	w := lost(t, lostAsk, credits, through)
	w.payer.mu.Lock()
	r := &remittance{key: "by hand", ref: "dashboard", amount: price, at: w.clock.Now()}
	w.payer.orders = append(w.payer.orders, r)
	w.payer.become(r, credits)
	w.payer.mu.Unlock()
	w.clock.Advance(time.Hour)
	w.reads()
	w.reached(payout.Unclear, payout.AttemptPrepared)
	list, err := w.ListCases(context.Background(), true, 10)
	w.must(err)
	for _, c := range list {
		w.must(w.CloseCase(context.Background(), c.ID, "paid by hand, another matter"))
	}
	w.reads()
	w.reached(payout.Waiting, payout.AttemptFailed)
}

// An order that was proven absent turns up after all: nothing else leaves before a person has looked.
func TestAnAbsentOrderTurnsUp(t *testing.T) {
	for _, m := range []making{keeps, queues, deems, undoes, credits} {
		t.Run(m.state, func(t *testing.T) {
			w := lost(t, lostAsk, credits, through)
			w.clock.Advance(time.Hour)
			w.reads()
			w.reached(payout.Waiting, payout.AttemptFailed)
			_, a := w.payout("q")
			w.payer.mu.Lock()
			r := &remittance{key: a.ID, ref: a.Reference, amount: price, at: w.clock.Now()}
			w.payer.orders = append(w.payer.orders, r)
			w.payer.become(r, m)
			w.payer.mu.Unlock()
			w.hears(w.payer.mail()...)
			for range 4 {
				w.after(time.Hour)
			}
			w.wasSent(4, 1)
			if got := w.cases(); len(got) != 2 || got[1] != "payout-contradiction" {
				t.Errorf("cases %q", got)
			}
		})
	}
}

// It came back, and nobody told us: the statement does.
func TestAReturnIsFoundByItsLine(t *testing.T) {
	for _, back := range []bool{false, true} {
		w := funded(t)
		w.payer.feesBack = back
		w.paid(w.asks())
		w.reads()
		w.clock.Advance(3 * 24 * time.Hour)
		w.payer.goes(0, making{state: "reversed", code: "beneficiary_bank_rejected"})
		w.payer.mail() // lost
		w.payer.asks = []fate{lostAsk}
		if err := w.ReadStatement(context.Background(), "pb"); err == nil {
			t.Error("a line was taken of which nobody knows what it is")
		}
		w.reached(payout.Paid, payout.AttemptPaid)
		for range 2 {
			w.reads()
			w.reached(payout.Returned, payout.AttemptReturned)
			w.floats()
			w.wants("payout-returned")
		}
		w.owes()
	}
}

// What an attempt took that failed is given back: neither line is booked, and the float is what it was.
func TestTheLinesOfAFailedAttempt(t *testing.T) {
	w := funded(t)
	w.payer.makes = []making{keeps, credits}
	w.open(w.asks())
	w.reads()
	w.payer.goes(0, passing)
	w.hears(w.payer.mail()...)
	w.reads()
	w.floats()
	w.after(30 * time.Minute)
	w.reached(payout.Paid, payout.AttemptPaid)
	w.reads()
	w.floats()
	w.wants()
	want := "bank:settlement=-1000000 fee:rail=300 google:receivable=12550 payout:float=987096 tax:input=54"
	if got := sorted(w.books()); got != want {
		t.Errorf("books %q, not %q", got, want)
	}
}

// A payout that ends while the statement is read is in the books, and not in the statement: nothing differs.
func TestTheFloatIsComparedWhenAllIsQuiet(t *testing.T) {
	w := funded(t)
	w.payer.reading = func() { w.paid(w.asks()) }
	w.reads()
	w.wants()
	w.clock.Advance(2 * time.Hour)
	w.reads()
	w.wants()
	w.floats()
}

// Books and bank differ where nothing is on its way: a person must look, once for each state of the statement.
func TestTheFloatDiffers(t *testing.T) {
	w := funded(t)
	w.payer.makes = []making{keeps}
	w.payer.float -= 5 // out of nowhere
	w.payer.fund(10, "bank_transfer")
	w.open(w.asks())
	w.reads()
	w.wants() // something is on its way
	w.payer.goes(0, credits)
	w.hears(w.payer.mail()...)
	w.clock.Advance(2 * time.Hour)
	w.reads()
	w.wants("float-differs")
	w.reads()
	w.wants("float-differs")
	if w.meter.cases != 1 {
		t.Errorf("the case was reported %d times", w.meter.cases)
	}
}
