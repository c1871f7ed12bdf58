package engine_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"naru/core/fault"
	"naru/core/money"
	"naru/core/payment"
	"naru/crash"
	"naru/engine"
)

// reply is what the acquirer does to one advice.
type reply = func(*acquirer, payment.AdviceOrder, bool) payment.AdviceReply

func won(minor int64) money.Amount { return money.New(minor, krw) }

// ours are the books of what was captured and not given back.
func ours(minor int64) string {
	if minor == 0 {
		return nothing
	}
	return fmt.Sprintf("acquirer:receivable=%d google:payable=%d", minor, -minor)
}

// refundWindow is what an account has that says nothing of it.
const refundWindow = 365 * 24 * time.Hour

func TestRefundGivesMoneyBack(t *testing.T) {
	w := newWorld(t)
	w.taken("q", "c", 12900)
	captured := w.clock.Now()
	w.clock.Advance(time.Hour)
	first := w.yes(w.refund("f", "c", 4000))
	w.is("q", payment.Captured, moved, true)
	w.owes("capture-result c SUCCESS 00") // acknowledged is not paid
	w.forward()
	w.is("q", payment.Captured, ours(8900), true)
	w.owes("capture-result c SUCCESS 00", "refund-result f SUCCESS 00")

	completion, sent, ask := w.bank.told[0], w.bank.told[1], w.bank.asked[0]
	f := w.refundOf("q", "f")
	if want := (payment.Refund{
		ID: f.ID, Account: "P", RequestID: "f", Payment: w.reservation("q").ID, State: payment.Refunded, Amount: won(4000), Returned: won(0),
		AttemptID: sent.Attempt, RRN: sent.Trace.RRN, Code: "00", Day: "20260302", At: w.clock.Now(), DoneAt: w.clock.Now(),
	}); f != want {
		t.Errorf("%+v, not %+v", f, want)
	}
	if sent.Kind != payment.RefundOrder || sent.repeat || sent.Original != completion.Trace || sent.HeldRRN != ask.Trace.RRN ||
		!sent.Captured.Equal(captured) || sent.Amount != won(4000) || sent.Whole != won(4000) || sent.PAN.Reveal() != pan ||
		sent.Expiry != ask.Expiry || sent.Terminal != ask.Terminal || sent.Merchant != ask.Merchant || sent.MCC != ask.MCC ||
		sent.Text == "" {
		t.Errorf("the order says %+v", sent)
	}
	if sent.Trace.RRN == ask.Trace.RRN || sent.Trace.STAN == completion.Trace.STAN { // rails §1.9: a refund has its own names
		t.Errorf("%+v of %+v", sent.Trace, ask.Trace)
	}
	if again := w.yes(w.refund("f", "c", 4000)); again != first || !strings.HasSuffix(first, f.ID) || len(w.bank.told) != 2 {
		t.Errorf("%q after %q", again, first)
	}
	w.no(fault.KeyReused)(w.refund("f", "c", 4001))
	w.no(fault.KeyReused)(w.capture("f", "q", 4000))
	w.agrees()
}

// Korea Cards v1 §4.4: what is left is what was captured less refunds that wait or succeeded; failed and reversed ones give it back.
func TestWhatIsLeftToRefund(t *testing.T) {
	w := newWorld(t)
	w.taken("q", "c", 10000)
	left := func(minor int64) {
		w.Helper()
		before := w.reservation("q").Version
		w.no(fault.Precondition)(w.refund("over", "c", minor+1))
		if w.reservation("q").Version != before {
			t.Error("a refused refund changed something")
		}
	}
	left(10000)
	w.yes(w.refund("a", "c", 4000)) // waits
	left(6000)
	w.forward()
	left(6000) // succeeded
	w.yes(w.refund("b", "c", 5000))
	left(1000)
	w.replies(refuses(payment.RefundIssuerDeclined, "05"))
	w.forward()
	left(6000) // failed
	w.yes(w.refund("d", "c", 6000))
	left(0)
	w.forward()
	left(0)
	rrf := w.record(-1, "RRF", 2500, func(r *engine.ClearingRecord) { r.RRN, r.RawCode = w.bank.told[1].Trace.RRN, "8350" })
	w.clears(rrf)
	w.bank.paid[0].returned, w.bank.moved = 2500, 2500
	left(2500) // reversed in part
	w.yes(w.refund("e", "c", 2500))
	left(0)
	w.forward()
	w.is("q", payment.Captured, nothing, true)
	w.owes(
		"capture-result c SUCCESS 00", "refund-result a SUCCESS 00", "refund-result b issuer_declined 05", "refund-result d SUCCESS 00",
		"refund-result e SUCCESS 00", "refund-returned a 8350 2500 KRW VISA",
	)
	w.agrees()
}

// Korea Cards v1 §9.2, the illegal moves, and §4.4.
func TestRefundThatIsRefusedUpFront(t *testing.T) {
	for name, c := range map[string]struct {
		reach func(*world)
		of    string
		won   int64
		fault fault.Kind
	}{
		"unknown capture":        {func(w *world) { w.taken("q", "c", 100) }, "nobody", 1, fault.Unknown},
		"the reservation's name": {func(w *world) { w.taken("q", "c", 100) }, "q", 1, fault.Unknown},
		"capture pending":        {reach[payment.CapturePending], "first", 1, fault.Precondition},
		"capture failed":         {reach[payment.CaptureFailed], "first", 1, fault.Precondition},
		"nothing":                {func(w *world) { w.taken("q", "c", 100) }, "c", 0, fault.Invalid},
		"less than nothing":      {func(w *world) { w.taken("q", "c", 100) }, "c", -1, fault.Invalid},
		"more than was captured": {func(w *world) { w.taken("q", "c", 100) }, "c", 101, fault.Precondition},
		"more than the caller": {
			func(w *world) { w.approved(w.reserve("q", 200)); w.yes(w.capture("c", "q", 100)); w.forward() }, "c", 101,
			fault.Precondition,
		},
		"everything went already": {
			func(w *world) { w.taken("q", "c", 100); w.yes(w.refund("a", "c", 100)); w.forward() }, "c", 1, fault.Precondition,
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			c.reach(w)
			before, books, told := w.reservation("q").Version, w.books(), len(w.notices())
			w.no(c.fault)(w.refund("f", c.of, c.won))
			if w.reservation("q").Version != before || w.books() != books || len(w.notices()) != told || w.refundOf("q", "f").ID != "" {
				t.Error("a refused refund changed something")
			}
			w.approved(w.reserve("f", 1)) // errors are not stored: the key is free
		})
	}
}

func TestAccountsDoNotShareCaptures(t *testing.T) {
	w := newWorld(t)
	w.taken("q", "c", 100)
	_, err := w.Once(context.Background(), engine.Request{Key: engine.Key{Account: "P2", RequestID: "f"}, Method: "refund"},
		func(ctx context.Context, turn engine.Turn) ([]byte, error) {
			return w.Refund(ctx, turn, engine.RefundAsk{Capture: engine.Key{Account: "P2", RequestID: "c"}})
		})
	w.no(fault.Unknown)("", err)
}

// Two refunds that together are more than what is left: one is acknowledged, whoever comes first.
func TestTwoRefundsRaceForTheLastWon(t *testing.T) {
	w := newWorld(t)
	w.taken("q", "c", 1000)
	errs := make([]error, 8)
	var all sync.WaitGroup
	for i := range errs {
		all.Go(func() { _, errs[i] = w.refund(fmt.Sprint("f", i), "c", 600) })
	}
	all.Wait()
	yes := 0
	for _, err := range errs {
		if kind, _ := fault.Of(err); err == nil {
			yes++
		} else if kind != fault.Precondition {
			t.Error(err)
		}
	}
	if yes != 1 {
		t.Errorf("%d were acknowledged", yes)
	}
	w.forward()
	w.is("q", payment.Captured, ours(400), true)
	w.agrees()
}

// Korea Cards v1 §5.3: the verdict of a refund that the network refuses. Nothing moved, and what it took is left again.
func TestRefundThatTheNetworkRefuses(t *testing.T) {
	for code, why := range map[string]payment.RefundReason{
		"05": payment.RefundIssuerDeclined, "41": payment.RefundLostOrStolen, "46": payment.RefundCardCancelled,
		"57": payment.RefundUnsupported, "13": payment.RefundNothingLeft, "62": "", // the network says no and not why
	} {
		t.Run(code, func(t *testing.T) {
			w := newWorld(t)
			w.taken("q", "c", 12900)
			w.yes(w.refund("f", "c", 12900))
			w.replies(refuses(why, code))
			w.forward()
			want := why
			if why == "" {
				want = payment.RefundIssuerDeclined
			}
			w.owes("capture-result c SUCCESS 00", "refund-result f "+string(want)+" "+code)
			w.is("q", payment.Captured, moved, true)
			f := w.refundOf("q", "f")
			if f.State != payment.RefundFailed || f.Reason != want || f.Code != code || f.DoneAt.IsZero() || f.Day != "" {
				t.Errorf("%+v", f)
			}
			w.yes(w.refund("again", "c", 12900))
			w.forward()
			w.is("q", payment.Captured, nothing, true)
			w.agrees()
		})
	}
}

// The window ends with its last instant; a later refund is acknowledged, fails, and asks nobody (Korea Cards v1 §4.4).
func TestRefundWindow(t *testing.T) {
	for name, c := range map[string]struct {
		wait time.Duration
		set  time.Duration // by the account; 365 days where 0
		late bool
	}{
		"last instant": {refundWindow, 0, false},
		"one too late": {refundWindow + time.Microsecond, 0, true},
		"own, in time": {time.Hour, time.Hour, false},
		"own, late":    {time.Hour + time.Microsecond, time.Hour, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(e *engine.Config) { e.Accounts[0].RefundWindow = c.set })
			w.taken("q", "c", 12900)
			w.later(c.wait)
			w.yes(w.refund("f", "c", 12900))
			w.forward()
			if !c.late {
				w.is("q", payment.Captured, nothing, true)
				w.owes("capture-result c SUCCESS 00", "refund-result f SUCCESS 00")
				return
			}
			w.is("q", payment.Captured, moved, true)
			w.owes("capture-result c SUCCESS 00", "refund-result f window_exceeded")
			if len(w.bank.told) != 1 || w.refundOf("q", "f").AttemptID != "" {
				t.Error("the network was asked")
			}
			w.no(fault.Precondition)(w.refund("over", "c", 12901)) // nothing is taken by what failed, and no more is left than ever
		})
	}
}

// Korea Cards v1 §4.4, last rows: within the remainder, above captured - refunds - standing chargebacks.
func TestRefundWhereAChargebackStands(t *testing.T) {
	for name, c := range map[string]struct {
		refunded, charged, back, ask int64
		paid                         bool
	}{
		"beside a chargeback":      {0, 3000, 0, 7000, true},
		"one above it":             {0, 3000, 0, 7001, false},
		"of everything":            {0, 10000, 0, 1, false},
		"beside refund and charge": {2000, 3000, 0, 5000, true},
		"above refund and charge":  {2000, 3000, 0, 5001, false},
		"it was won back":          {0, 3000, 3000, 10000, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.taken("q", "c", 10000)
			if c.refunded > 0 {
				w.yes(w.refund("before", "c", c.refunded))
				w.forward()
			}
			w.clears(w.record(0, "CHB", -c.charged, first))
			if c.back > 0 {
				w.clears(w.record(0, "CBR", c.back))
			}
			w.yes(w.refund("f", "c", c.ask))
			w.forward()
			f := w.refundOf("q", "f")
			if c.paid && f.State != payment.Refunded || !c.paid && (f.State != payment.RefundFailed || f.Reason != payment.RefundChargebackFirst) {
				t.Errorf("%+v", f)
			}
			left := 10000 - c.refunded - c.charged + c.back
			if c.paid {
				left -= c.ask
			}
			w.is("q", payment.Captured, ours(left), true)
			w.wants()
			w.bank.moved = c.back - c.charged
			w.agrees()
		})
	}
}

// Rails §1.10: what may have been paid although nobody said so is undone first, and only then ordered anew, under new names. The holder
// gets the money once, and meanwhile nobody else can take it.
func TestUnclearRefundIsUndoneAndOrderedAnew(t *testing.T) {
	for name, c := range map[string]struct {
		replies []reply
		said    string // the messages
		reason  payment.UndoReason
	}{
		"answer lost":          {[]reply{lostReply}, "REFUND REVERSAL REFUND", payment.UndoSilence},
		"request lost":         {[]reply{silent}, "REFUND REVERSAL REVERSAL REFUND", payment.UndoSilence},
		"request late":         {[]reply{lateOrder}, "REFUND REVERSAL REVERSAL REFUND", payment.UndoSilence},
		"patience":             {[]reply{patience}, "REFUND REVERSAL REVERSAL REFUND", payment.UndoSilence},
		"our number was taken": {[]reply{collided}, "REFUND REVERSAL REVERSAL REFUND", payment.UndoSilence},
		"lost twice":           {[]reply{lostReply, honest, lostReply}, "REFUND REVERSAL REFUND REVERSAL REFUND", payment.UndoSilence},
		"its undoing is lost":  {[]reply{lostReply, lostReply}, "REFUND REVERSAL REVERSAL REFUND", payment.UndoSilence},
		"unsent, then lost":    {[]reply{linkDown, lostReply}, "REFUND REFUND REVERSAL REFUND", payment.UndoSilence},
		"answer spoilt": {[]reply{func(a *acquirer, o payment.AdviceOrder, repeat bool) payment.AdviceReply {
			honest(a, o, repeat)
			return payment.AdviceReply{Verdict: payment.AdviceUnclear, Undo: payment.UndoGarbled}
		}}, "REFUND REVERSAL REFUND", payment.UndoGarbled},
		"paid in part": {[]reply{func(a *acquirer, o payment.AdviceOrder, repeat bool) payment.AdviceReply {
			honest(a, o, repeat)
			return payment.AdviceReply{Verdict: payment.AdviceUnclear, Undo: payment.UndoPartial, Code: "10"}
		}}, "REFUND REVERSAL REFUND", payment.UndoPartial},
		"refused at last": {
			[]reply{lostReply, honest, refuses(payment.RefundCardCancelled, "46")}, "REFUND REVERSAL REFUND", payment.UndoSilence,
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.taken("q", "c", 12900)
			w.bank.told = nil
			w.yes(w.refund("f", "c", 12900))
			w.replies(c.replies...)
			for range 20 {
				w.forward()
				if w.refundOf("q", "f").State != payment.RefundPending {
					break
				}
				w.no(fault.Precondition)(w.refund("other", "c", 1))
				w.owes("capture-result c SUCCESS 00") // no verdict while it is open
				w.is("q", payment.Captured, moved, true)
				w.later(30 * time.Second)
			}
			var said []string
			for i, m := range w.bank.told {
				said = append(said, string(m.Kind))
				switch {
				case m.Kind == payment.RefundOrder && (m.repeat || m.About != payment.OfHold):
					t.Errorf("an order that says repeat %v, about %v", m.repeat, m.About)
				case m.Kind == payment.Reversal && (m.About != payment.OfRefund || m.Reason != c.reason || m.Amount != won(12900) || m.Whole != won(12900) ||
					m.Trace.STAN == m.Original.STAN || m.Trace.RRN != m.Original.RRN || m.PAN.Reveal() != pan):
					t.Errorf("the reversal says %+v", m)
				case m.Kind == payment.Reversal && i > 0 && w.bank.told[i-1].Kind == payment.RefundOrder &&
					m.Original != w.bank.told[i-1].Trace:
					t.Errorf("%+v undoes %+v", m.Original, w.bank.told[i-1].Trace)
				}
			}
			if got := strings.Join(said, " "); got != c.said {
				t.Errorf("said %s, not %s", got, c.said)
			}
			if name == "refused at last" {
				w.owes("capture-result c SUCCESS 00", "refund-result f card_cancelled 46")
			} else {
				w.owes("capture-result c SUCCESS 00", "refund-result f SUCCESS 00")
				w.is("q", payment.Captured, nothing, true)
				if last := w.bank.told[len(w.bank.told)-1]; w.refundOf("q", "f").RRN != last.Trace.RRN {
					t.Error("the refund is named after another attempt")
				}
			}
			w.agrees()
			w.wants()
		})
	}
}

// A request is sent once. Where we died, or could not write, between sending and knowing, it is undone, never adopted.
func TestRefundAfterACrash(t *testing.T) {
	for point, said := range map[crash.Point]string{
		crash.RefundAccepted: "REFUND",
		crash.AdviceClaimed:  "REVERSAL REVERSAL REFUND", // nobody knows that nothing left
		crash.AdviceAnswered: "REFUND REVERSAL REFUND",
		crash.AdviceSettled:  "REFUND",
	} {
		t.Run(string(point), func(t *testing.T) {
			w := newWorld(t)
			w.taken("q", "c", 12900)
			w.bank.told = nil
			w.die = point
			if !survives(func() { _, _ = w.refund("f", "c", 12900); w.forward() }) {
				t.Fatal("the point was not passed")
			}
			w.start()
			w.yes(w.refund("f", "c", 12900)) // the caller repeats what it may have heard nothing of
			w.forward()
			for range 5 {
				w.later(time.Minute)
			}
			var got []string
			for _, m := range w.bank.told {
				if got = append(got, string(m.Kind)); m.Kind == payment.Reversal && m.Reason != payment.UndoCrash {
					t.Errorf("undone because of %s", m.Reason)
				}
			}
			if strings.Join(got, " ") != said {
				t.Errorf("said %s, not %s", got, said)
			}
			w.owes("capture-result c SUCCESS 00", "refund-result f SUCCESS 00")
			w.is("q", payment.Captured, nothing, true)
			w.agrees()
		})
	}
}

func TestStoreThatFailsInPayingBack(t *testing.T) {
	w := newWorld(t)
	w.taken("q", "c", 12900)
	w.store.fail = func() error { return errDisk }
	w.no(fault.Unavailable)(w.refund("f", "c", 12900))
	w.store.fail = nil
	w.yes(w.refund("f", "c", 12900))
	w.replies(func(a *acquirer, o payment.AdviceOrder, repeat bool) payment.AdviceReply {
		w.store.fail = func() error { return errDisk }
		return honest(a, o, repeat)
	})
	if _, err := w.ForwardDue(context.Background()); err != nil {
		t.Fatal(err)
	}
	w.store.fail = nil
	for range 3 {
		w.later(time.Minute)
	}
	w.is("q", payment.Captured, nothing, true)
	w.owes("capture-result c SUCCESS 00", "refund-result f SUCCESS 00")
	if len(w.bank.paid) != 2 || w.bank.paid[0].state != "undone" {
		t.Error("what nobody wrote down was not undone")
	}
	w.agrees()
}

// What never left the house is sent later, as it was.
func TestRefundThatWasNotSent(t *testing.T) {
	w := newWorld(t)
	w.taken("q", "c", 12900)
	w.yes(w.refund("f", "c", 12900))
	w.replies(linkDown, linkDown)
	w.forward()
	if got := fmt.Sprint(w.waits(2)); got != "[5s 5s]" {
		t.Error(got)
	}
	a, b, c := w.bank.told[1], w.bank.told[2], w.bank.told[3]
	if a.Trace != b.Trace || b.Trace != c.Trace || c.repeat || len(w.bank.told) != 4 {
		t.Errorf("%+v", w.bank.told[1:])
	}
	w.is("q", payment.Captured, nothing, true)
}

// An answer that fits nothing stops the order; a person sends it again, or finds out what became of it. Until then its money stays taken.
func TestRefundThatOnlyAPersonCanResolve(t *testing.T) {
	for name, what := range map[string]reply{"nonsense": nonsense, "original unknown": unknown, "revoked": revoked} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.taken("q", "c", 12900)
			w.yes(w.refund("f", "c", 12900))
			w.replies(what)
			w.forward()
			w.later(24 * time.Hour)
			w.wants("advice-refused")
			w.no(fault.Precondition)(w.refund("other", "c", 1))
			w.owes("capture-result c SUCCESS 00")
			if len(w.bank.told) != 2 || w.refundOf("q", "f").State != payment.RefundPending {
				t.Error("it went on by itself")
			}
			list, err := w.ListCases(context.Background(), true, 9)
			w.must(err)
			w.must(w.ResumeCase(context.Background(), list[0].ID, "the acquirer has mended it"))
			w.forward()
			for range 3 { // it is undone, which takes a minute where the network knows of nothing, and ordered anew
				w.later(time.Minute)
			}
			w.wants()
			w.is("q", payment.Captured, nothing, true)
			w.owes("capture-result c SUCCESS 00", "refund-result f SUCCESS 00")
			w.agrees()
		})
	}
}

// The attempts of a refund, one after the other: at most one may pay at a time, and what was undone stays undone.
func TestAttemptsOfARefund(t *testing.T) {
	w := newWorld(t)
	w.taken("q", "c", 12900)
	w.yes(w.refund("f", "c", 12900))
	state := func(attempt string) (s payment.AttemptState) {
		w.look(func(v engine.Reader) error {
			a, _, err := v.Attempt(attempt)
			s = a.State
			return err
		})
		return s
	}
	one := w.refundOf("q", "f").AttemptID
	if state(one) != payment.AttemptPrepared {
		t.Error(state(one))
	}
	w.replies(lostReply, silent)
	w.forward()
	if state(one) != payment.AttemptReversing {
		t.Error(state(one))
	}
	w.later(5 * time.Second)
	two := w.refundOf("q", "f").AttemptID
	if state(one) != payment.AttemptReversed || two == one || state(two) != payment.AttemptPrepared {
		t.Error(state(one), state(two))
	}
	w.later(time.Minute)
	if state(one) != payment.AttemptReversed || state(two) != payment.AttemptBooked {
		t.Error(state(one), state(two))
	}
}
