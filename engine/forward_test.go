package engine_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"naru/core/fault"
	"naru/core/payment"
	"naru/engine"
)

// waits are how long each sending of an advice waited for the next, by moving the clock to when it is due.
func (w *world) waits(n int) (list []time.Duration) {
	w.Helper()
	for range n {
		before := w.clock.Now()
		w.look(func(v engine.Reader) error {
			at, ok, err := v.NextAdvice()
			if !ok {
				w.Fatalf("nothing is due after %v", list)
			}
			w.clock.Advance(at.Sub(before))
			return err
		})
		list = append(list, w.clock.Now().Sub(before))
		w.forward()
	}
	return list
}

// Rails §1.11 T3, T5, T8: sent once, then as a repeat with the same names until it is answered, after 5, 15, 60, 60 … seconds.
func TestAdviceIsRepeatedUntilAnswered(t *testing.T) {
	for name, verb := range map[string]func(*world){
		"reversal": func(w *world) { w.auth(lostAnswer); _, _ = w.reserve("q", 12900) },
		"cancel":   func(w *world) { w.approved(w.reserve("q", 12900)); w.yes(w.cancel("x", "q")) },
		"capture":  func(w *world) { w.approved(w.reserve("q", 12900)); w.yes(w.capture("x", "q", 12900)) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			verb(w)
			w.replies(lostReply, silent, patience, silent)
			w.forward()
			if got, want := fmt.Sprint(w.waits(4)), "[5s 15s 1m0s 1m0s]"; got != want {
				t.Errorf("waits of %s, not %s", got, want)
			}
			for i, m := range w.bank.told {
				if m.Trace != w.bank.told[0].Trace || m.repeat != (i > 0) {
					t.Errorf("message %d: %+v, repeat %v", i, m.Trace, m.repeat)
				}
			}
			if len(w.bank.told) != 5 || len(w.open("q")) != 0 {
				t.Errorf("%d messages, %d open", len(w.bank.told), len(w.open("q")))
			}
			if h := w.bank.holds[0]; h.times > 1 {
				t.Errorf("captured %d times", h.times)
			}
			w.agrees()
		})
	}
}

// Waiting survives a restart: what was sent before is a repeat.
func TestRepeatsSurviveARestart(t *testing.T) {
	w := newWorld(t)
	w.approved(w.reserve("q", 12900))
	w.yes(w.capture("c", "q", 12900))
	w.replies(lostReply)
	w.forward()
	w.start()
	w.forward()
	if len(w.bank.told) != 1 {
		t.Error("a restart forgot the wait")
	}
	w.later(5 * time.Second)
	if len(w.bank.told) != 2 || !w.bank.told[1].repeat || w.bank.holds[0].times != 1 {
		t.Errorf("%+v", w.bank.told)
	}
	w.owes("capture-result c SUCCESS 00")
}

// What never left is no repeat, however often it was tried.
func TestWhatWasNotSentIsNoRepeat(t *testing.T) {
	w := newWorld(t)
	w.approved(w.reserve("q", 12900))
	w.yes(w.capture("c", "q", 12900))
	w.replies(linkDown, linkDown, linkDown)
	w.forward()
	if got := fmt.Sprint(w.waits(3)); got != "[5s 5s 5s]" {
		t.Error(got)
	}
	for _, m := range w.bank.told {
		if m.repeat {
			t.Error("marked as a repeat")
		}
	}
	w.is("q", payment.Captured, moved, true)
}

// Rails §1.11 T4: what ends a reversal.
func TestReversalEnds(t *testing.T) {
	w := newWorld(t)
	w.approved(w.reserve("q", 12900))
	w.yes(w.cancel("x", "q"))
	w.replies(unknown)
	w.forward() // already gone is success, at once: this hold was known to the host
	w.is("q", payment.Cancelled, nothing, false)
	w.owes("cancel-result x SUCCESS")
}

// Rails §1.11 T11: a time-out reversal that finds nothing may have overtaken its original. It is sent once more after a minute, then it
// ends.
func TestReversalThatOvertakesItsOriginal(t *testing.T) {
	w := newWorld(t)
	w.auth(lateRequest)
	w.no(fault.Unavailable)(w.reserve("q", 12900))
	w.forward()
	w.is("q", payment.Reversing, nothing, true)
	if w.bank.holds[0].state != "late" {
		t.Fatal(w.bank.holds[0].state)
	}
	w.later(time.Minute - time.Microsecond)
	if len(w.bank.told) != 1 {
		t.Error("sent again too early")
	}
	w.no(fault.Unavailable)(w.reserve("q", 12900))
	w.later(time.Microsecond)
	w.is("q", payment.NotHeld, nothing, false)
	if len(w.bank.told) != 2 || !w.bank.told[1].repeat || w.bank.holds[0].state != "released" {
		t.Errorf("%+v, %s", w.bank.told, w.bank.holds[0].state)
	}
	w.agrees()
}

func TestReversalThatFindsNothingTwiceEnds(t *testing.T) {
	w := newWorld(t)
	w.auth(lostRequest)
	w.no(fault.Unavailable)(w.reserve("q", 12900))
	w.replies(unknown, silent, unknown)
	w.forward()
	if got := fmt.Sprint(w.waits(2)); got != "[1m0s 15s]" { // silence in between does not count
		t.Error(got)
	}
	w.is("q", payment.NotHeld, nothing, false)
	if len(w.bank.told) != 3 {
		t.Errorf("%d messages", len(w.bank.told))
	}
}

// Rails §1.10: an unknown original is "expired" only where the hold's time is over; otherwise no verdict fits, and a person must look.
func TestCaptureThatFindsNoHold(t *testing.T) {
	for _, c := range []struct {
		name    string
		host    time.Duration
		answer  time.Duration // when the network answers
		expired bool
	}{
		{"before our end", 0, week - time.Microsecond, false},
		{"after our end", 0, week, true},
		{"before the host's end", 3 * time.Hour, 3*time.Hour - time.Microsecond, false},
		{"after the host's end", 3 * time.Hour, 3 * time.Hour, true},
		{"after our end, before the host's", 2 * week, week + time.Hour, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			if c.host != 0 {
				w.auth(approveUntil(w.clock.Now().Add(c.host)))
			}
			w.approved(w.reserve("q", 12900))
			w.yes(w.capture("c", "q", 12900))
			w.clock.Advance(c.answer)
			w.replies(unknown)
			w.forward()
			if c.expired {
				w.is("q", payment.CaptureFailed, nothing, false)
				w.owes("capture-result c EXPIRED 25")
				return
			}
			w.stuck("q", payment.CapturePending, "capture-unknown")
		})
	}
}

// stuck wants a payment to stand still until a person looks, and to be told of once.
func (w *world) stuck(id string, s payment.State, kind string) {
	w.Helper()
	w.is(id, s, held, true)
	w.owes()
	open := w.open(id)
	if open[0].State != payment.AdviceStopped {
		w.Errorf("%+v", open)
	}
	sent := len(w.bank.told)
	w.later(24 * time.Hour)
	if len(w.bank.told) != sent {
		w.Errorf("it goes on by itself")
	}
	owed, err := w.db.Backlog(context.Background())
	if err != nil || owed.Cases != 1 {
		w.Errorf("%d cases, %v", owed.Cases, err)
	}
	if text := w.log.String(); strings.Count(text, "kind="+kind) == 0 || !strings.Contains(text, "level=ERROR") {
		w.Errorf("nobody was told: %s", text)
	}
}

func TestRefusedAdviceStops(t *testing.T) {
	t.Run("capture", func(t *testing.T) {
		w := newWorld(t)
		w.approved(w.reserve("q", 12900))
		w.yes(w.capture("c", "q", 12900))
		w.replies(nonsense)
		w.forward()
		w.stuck("q", payment.CapturePending, "advice-refused")
	})
	t.Run("cancel", func(t *testing.T) {
		w := newWorld(t)
		w.approved(w.reserve("q", 12900))
		w.yes(w.cancel("x", "q"))
		w.replies(nonsense)
		w.forward()
		w.stuck("q", payment.CancelPending, "advice-refused")
	})
	t.Run("release before a partial capture", func(t *testing.T) {
		w := newWorld(t)
		w.bank.releases = true
		w.approved(w.reserve("q", 12900))
		w.yes(w.capture("c", "q", 1))
		w.replies(nonsense)
		w.forward()
		w.stuck("q", payment.CapturePending, "advice-refused") // and the capture behind it waits (T6)
	})
}

// Rails §1.11 T4: an answer of 94 to a first sending means that our number was taken: once more with a new one, then a person must look.
func TestCollidedAdviceIsRenewedOnce(t *testing.T) {
	w := newWorld(t)
	w.approved(w.reserve("q", 12900))
	w.yes(w.capture("c", "q", 12900))
	w.clock.Advance(time.Second)
	w.replies(collided)
	w.forward()
	first, second := w.bank.told[0], w.bank.told[1]
	if first.Trace.STAN == second.Trace.STAN || first.Trace.RRN != second.Trace.RRN || !second.Trace.At.After(first.Trace.At) ||
		second.repeat {
		t.Errorf("%+v became %+v, repeat %v", first.Trace, second.Trace, second.repeat)
	}
	w.is("q", payment.Captured, moved, true)
	w.agrees()

	w.approved(w.reserve("r", 1))
	w.yes(w.capture("d", "r", 1))
	w.replies(collided, collided)
	w.forward()
	if open := w.open("r"); len(open) != 1 || open[0].State != payment.AdviceStopped || w.meter.cases == 0 {
		t.Errorf("%+v", open)
	}
}

// Rails §1.11 T6: in order within a payment, freely between payments.
func TestOneSlowPaymentBlocksNoOther(t *testing.T) {
	w := newWorld(t)
	w.approved(w.reserve("slow", 12900))
	w.approved(w.reserve("q", 12900))
	w.yes(w.capture("c", "slow", 12900))
	w.yes(w.capture("d", "q", 12900))
	w.replies(silent)
	w.forward()
	w.owes("capture-result d SUCCESS 00")
	w.later(5 * time.Second)
	w.owes("capture-result c SUCCESS 00", "capture-result d SUCCESS 00")
	w.agrees()
}

// The network's answer cannot be written down: it is sent again, and counted once.
func TestStoreThatFailsInForwarding(t *testing.T) {
	w := newWorld(t)
	w.approved(w.reserve("q", 12900))
	w.yes(w.cancel("x", "q"))
	w.replies(func(a *acquirer, o payment.AdviceOrder, repeat bool) payment.AdviceReply {
		w.store.fail = func() error { return errDisk }
		return honest(a, o, repeat)
	})
	if _, err := w.ForwardDue(context.Background()); err != nil {
		t.Fatal(err)
	}
	w.store.fail = nil
	w.is("q", payment.CancelPending, held, true)
	w.later(time.Minute)
	w.is("q", payment.Cancelled, nothing, false)
	w.owes("cancel-result x SUCCESS")
	if len(w.bank.told) != 2 || w.bank.told[0].repeat || !w.bank.told[1].repeat {
		t.Errorf("%+v", w.bank.told)
	}
}

// What was settled since it was read is not sent once more.
func TestStaleAdviceIsNotSent(t *testing.T) {
	w := newWorld(t)
	w.approved(w.reserve("q", 12900))
	w.yes(w.capture("c", "q", 12900))
	stale := w.open("q")[0]
	w.replies(lostReply)
	w.forward()
	w.ForwardOne(context.Background(), stale) // it waits for its next time
	w.later(5 * time.Second)
	w.ForwardOne(context.Background(), stale) // it is done
	if len(w.bank.told) != 2 {
		t.Errorf("%d messages", len(w.bank.told))
	}
}

func TestOperatorsLearnOfSilence(t *testing.T) {
	w := newWorld(t)
	w.store.Store = w.db // a log line is written as often as its transaction runs
	w.approved(w.reserve("q", 12900))
	w.yes(w.capture("c", "q", 12900))
	var all []func(*acquirer, payment.AdviceOrder, bool) payment.AdviceReply
	for range 100 {
		all = append(all, silent)
	}
	w.replies(all...)
	w.forward()
	for w.clock.Now().Before(w.reservation("q").HoldUntil.Add(-week + 30*time.Minute)) {
		w.waits(1)
	}
	if n := strings.Count(w.log.String(), "has not answered an advice"); n != 1 {
		t.Errorf("told %d times of a quarter of an hour's silence", n)
	}
}

// The loops themselves: rung by the verbs, woken by the clock, and gone when they are told to.
func TestWorkersRun(t *testing.T) {
	w := newWorld(t)
	answered := make(chan payment.AdviceKind, 8)
	tell := func(a *acquirer, o payment.AdviceOrder, repeat bool) payment.AdviceReply {
		defer func() { answered <- o.Kind }()
		return honest(a, o, repeat)
	}
	w.replies(tell, tell, tell)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 4)
	for _, run := range []func(context.Context) error{w.Forward, w.Expire, w.KeepRecovering, w.Checkpoint} {
		go func() { ended <- run(ctx) }()
	}
	w.approved(w.reserve("q", 12900))
	w.approved(w.reserve("r", 1))
	w.approved(w.reserve("s", 1))
	w.yes(w.capture("c", "q", 12900))
	if k := <-answered; k != payment.Completion {
		t.Error(k)
	}
	w.yes(w.cancel("x", "r"))
	if k := <-answered; k != payment.Reversal {
		t.Error(k)
	}
	w.clock.Advance(week) // the third ends by itself
	if k := <-answered; k != payment.Reversal {
		t.Error(k)
	}
	cancel()
	for range 4 {
		if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
	w.is("s", payment.Expired, moved, false)
	w.owes("cancel-result x SUCCESS", "capture-result c SUCCESS 00")
	w.agrees()
}

// The loops that the calendar drives: each begins by itself when its time has come, and is gone when it is told to.
func TestDailyWorkRuns(t *testing.T) {
	w := newWorld(t, contract, byFile, func(c *engine.Config) {
		c.Accounts[0].RefundWindow, c.Accounts[0].DisputeWindow = time.Hour, time.Hour
	})
	slept := make(chan struct{}, 1)
	w.clock.sleep = func() { // whoever goes to sleep has written down what it did
		select {
		case slept <- struct{}{}:
		default:
		}
	}
	until := func(done func() bool) {
		for !done() {
			<-slept
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	loops := []func(context.Context) error{w.Batch, w.Totals, w.Settle, w.Contest, w.Erase}
	ended := make(chan error, len(loops))
	for _, run := range loops {
		go func() { ended <- run(ctx) }()
	}
	w.approved(w.reserve("q", 10000))
	w.yes(w.capture("c", "q", 10000))
	w.clock.Advance(time.Hour)
	until(func() bool { return w.captureFile(file1).State == engine.CaptureFileSent })
	w.heard(w.tray.answer(file1, says("00")))
	w.chb()
	w.clock.Advance(24 * time.Hour)
	until(func() bool { return len(w.settlements()) == 1 })
	until(func() bool { return w.comparison("20260302").State == engine.TotalsAgreed })
	until(func() bool { return w.reservation("q").Card == nil })
	w.clock.Advance(replyTime)
	until(func() bool { return !w.disputes("q")[0].Open() })
	until(func() bool { return len(w.settlements()) == 21 })
	cancel()
	for range loops {
		if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
	w.contested("q", payment.CB1Lost)
	w.wants()
}

func TestCheckpointsCoverTheJournalOnce(t *testing.T) {
	w := newWorld(t)
	last := func() (p engine.Checkpoint, ok bool) {
		w.look(func(v engine.Reader) (err error) { p, ok, err = v.LastCheckpoint(); return err })
		return p, ok
	}
	sign := func() {
		if err := w.SignJournal(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if sign(); func() bool { _, ok := last(); return ok }() {
		t.Error("a checkpoint of nothing")
	}
	w.approved(w.reserve("q", 12900))
	sign()
	first, _ := last()
	if first.N != 1 || first.Count != 2 || first.LastID != 2 { // asked, approved
		t.Errorf("%+v", first)
	}
	sign()
	if again, _ := last(); again.N != 1 {
		t.Error("a checkpoint of nothing new")
	}
	w.yes(w.capture("c", "q", 12900))
	w.forward()
	sign()
	second, _ := last()
	if second.N != 2 || second.Count != 2 || second.LastID != 4 {
		t.Errorf("%+v", second)
	}
	var links []engine.ChainLink
	w.look(func(v engine.Reader) (err error) { links, err = v.Chain(first.LastID, 99); return err })
	ok, err := w.vault.Verify(second.Digest, "checkpoint", first.Digest, second.Bytes(), sumOf(links))
	if !ok || err != nil {
		t.Error("the checkpoint does not cover its events:", err)
	}
}

func sumOf(links []engine.ChainLink) []byte {
	sum := sha256.New()
	for _, l := range links {
		sum.Write(l.Digest)
	}
	return sum.Sum(nil)
}

// What happens to the money at one network while another says nothing: each has lanes of its own.
func TestASilentAcquirerKeepsNoOtherWaiting(t *testing.T) {
	gate, told := make(chan struct{}), make(chan struct{})
	w := newWorld(t, func(c *engine.Config) { c.Lanes = 2 })
	for i := range 6 { // more than there are lanes
		id := fmt.Sprint("hangs", i)
		w.approved(w.reserve(id, 100))
		w.yes(w.capture("c"+id, id, 100))
		w.bank.reply = append(w.bank.reply, func(a *acquirer, o payment.AdviceOrder, repeat bool) payment.AdviceReply {
			<-gate
			return honest(a, o, repeat)
		})
	}
	other := &acquirer{now: w.clock.Now}
	other.reply = append(other.reply, func(a *acquirer, o payment.AdviceOrder, repeat bool) payment.AdviceReply {
		close(told)
		return honest(a, o, repeat)
	})
	w.with = append(w.with, func(c *engine.Config) {
		c.Links["kb"] = engine.Link{Rail: other}
		c.Accounts[0].Acquirer = "kb"
	})
	w.start()
	w.approved(w.reserve("q", 12900))
	w.yes(w.capture("c", "q", 12900))
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.Forward(ctx) }()
	<-told
	close(gate)
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	w.is("q", payment.Captured, w.books(), true)
}
