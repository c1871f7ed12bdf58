package engine_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"naru/core/fault"
	"naru/core/payment"
	"naru/crash"
	"naru/engine"
)

const least = 100 // what a network takes that cannot check without money

func heldBooks(minor int64) string {
	if minor == 0 {
		return nothing
	}
	return fmt.Sprintf("acquirer:held=%d google:held=%d", minor, -minor)
}

// Korea Cards v1 §4.5, §4.8: what a check of a card leaves behind, with networks that need money for it and without.
func TestCheckOfACard(t *testing.T) {
	for name, c := range map[string]struct {
		purpose payment.Purpose
		least   int64
		state   payment.State
		books   string
		card    bool
		told    int // reversals that follow by themselves
	}{
		"minimum, of nothing":     {payment.ToVerify, 0, payment.VerifyHeld, nothing, false, 0},
		"minimum, of money":       {payment.ToVerify, least, payment.VerifyHeld, heldBooks(least), true, 0},
		"zero":                    {payment.ToCheck, 0, payment.Verified, nothing, false, 0},
		"zero, which needs money": {payment.ToCheck, least, payment.Verified, nothing, true, 1},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.bank.least = c.least
			first := w.approved(w.check("q", c.purpose))
			w.is("q", c.state, c.books, c.card)
			sent := w.bank.asked[0]
			if sent.Purpose != c.purpose || sent.Amount != won(c.least) || sent.Reference != w.reservation("q").ID {
				t.Errorf("the network saw %+v", sent)
			}
			if again := w.yes(w.check("q", c.purpose)); again != first || len(w.bank.asked) != 1 {
				t.Errorf("%q after %q", again, first)
			}
			w.forward()
			if len(w.bank.told) != c.told || len(w.open("q")) != 0 {
				t.Fatalf("%+v", w.bank.told)
			}
			if c.told == 1 { // certain: what was held goes back whatever happens
				m := w.bank.told[0]
				if m.Kind != payment.Reversal || m.Reason != payment.UndoCancel || m.Amount != won(least) || m.PAN.Reveal() != pan {
					t.Errorf("%+v", m)
				}
				w.is("q", payment.Verified, nothing, false)
			}
			w.owes() // nobody is told of anything
			w.agrees()
		})
	}
}

// §9.1, the illegal moves: a minimum check can be cancelled and never captured; a zero check cannot even be named.
func TestWhatFollowsACheck(t *testing.T) {
	for name, auth := range map[string]func(*acquirer, payment.AuthOrder) payment.Outcome{
		"approved": approve, "declined": decline, "lost": lostAnswer, "not sent": notSent,
	} {
		for _, minor := range []int64{0, least} {
			t.Run(fmt.Sprint(name, minor), func(t *testing.T) {
				w := newWorld(t)
				w.bank.least = minor
				w.auth(auth, auth)
				_, _ = w.check("v", payment.ToVerify)
				_, _ = w.check("z", payment.ToCheck)
				want := fault.Precondition
				if name == "lost" {
					want = fault.Unavailable
				}
				w.no(want)(w.capture("c", "v", 1))
				w.no(fault.Unknown)(w.capture("c", "z", 1))
				w.no(fault.Unknown)(w.cancel("c", "z"))
				w.no(fault.Unknown)(w.refund("c", "v", 1))
				w.forward()
				w.later(time.Minute)
				w.yes(w.cancel("x", "v")) // whatever became of it: it is cleaned up
				w.forward()
				w.owes("cancel-result x SUCCESS")
				w.no(fault.Precondition)(w.capture("c", "v", 1))
				w.no(fault.Unknown)(w.cancel("c", "z"))
				end := payment.Cancelled
				if name == "declined" {
					end = payment.Declined
				}
				w.is("v", end, nothing, false)
				w.agrees()
			})
		}
	}
}

func TestCancelOfACheck(t *testing.T) {
	for _, minor := range []int64{0, least} {
		w := newWorld(t)
		w.bank.least = minor
		w.approved(w.check("q", payment.ToVerify))
		w.yes(w.cancel("x", "q"))
		if minor == 0 { // §8.2: SUCCESS, also where nothing was really held, and without a message
			w.is("q", payment.Cancelled, nothing, false)
			w.owes("cancel-result x SUCCESS")
		} else {
			w.is("q", payment.CancelPending, heldBooks(least), true)
			w.owes()
			w.replies(silent)
			w.forward()
			w.later(5 * time.Second)
			w.is("q", payment.Cancelled, nothing, false)
			w.owes("cancel-result x SUCCESS")
		}
		w.yes(w.cancel("y", "q"))
		w.owes("cancel-result x SUCCESS", "cancel-result y SUCCESS")
		if minor == 0 && len(w.bank.told) != 0 || minor != 0 && len(w.bank.told) != 2 {
			t.Errorf("%+v", w.bank.told)
		}
		w.agrees()
	}
}

// §4.5: if the cancel never comes, the hold is released at the network's end or after the account's time, silently.
func TestCheckThatIsNeverCancelled(t *testing.T) {
	for name, c := range map[string]struct {
		least    int64
		set      time.Duration // by the account
		host     time.Duration
		ends     time.Duration
		reversed bool
	}{
		"of money":              {least, 0, 0, 24 * time.Hour, true},
		"of nothing":            {0, 0, 0, 24 * time.Hour, false},
		"the account's time":    {least, time.Hour, 0, time.Hour, true},
		"the network is first":  {least, 0, time.Hour, time.Hour, false},
		"the network is later":  {least, 0, 48 * time.Hour, 24 * time.Hour, true},
		"of nothing, own time":  {0, time.Minute, 0, time.Minute, false},
		"longer than a payment": {least, 10 * 24 * time.Hour, 0, 10 * 24 * time.Hour, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(e *engine.Config) { e.Accounts[0].VerifyHold = c.set })
			w.bank.least = c.least
			if c.host != 0 {
				w.auth(approveUntil(w.clock.Now().Add(c.host)))
			}
			w.approved(w.check("q", payment.ToVerify))
			w.later(c.ends - time.Microsecond)
			w.is("q", payment.VerifyHeld, heldBooks(c.least), c.least > 0)
			w.later(time.Microsecond)
			w.is("q", payment.Expired, nothing, false)
			if reversed := len(w.bank.told) == 1; reversed != c.reversed {
				t.Errorf("%+v", w.bank.told)
			}
			w.owes()
			w.agrees()
			w.yes(w.cancel("x", "q")) // late, and still a success
			w.is("q", payment.Cancelled, nothing, false)
			w.owes("cancel-result x SUCCESS")
		})
	}
}

// A check whose answer decides nothing is undone as any hold is, and a repeat asks afresh.
func TestUnclearCheck(t *testing.T) {
	for name, auth := range map[string]func(*acquirer, payment.AuthOrder) payment.Outcome{
		"answer lost": lostAnswer, "request lost": lostRequest, "request late": lateRequest, "not sent": notSent, "issuer down": issuerDown,
	} {
		for _, what := range []payment.Purpose{payment.ToVerify, payment.ToCheck} {
			for _, minor := range []int64{0, least} {
				t.Run(fmt.Sprint(name, "/", what, "/", minor), func(t *testing.T) {
					w := newWorld(t)
					w.bank.least = minor
					w.auth(auth)
					w.no(fault.Unavailable)(w.check("q", what))
					undone := strings.Contains(name, "request") || strings.Contains(name, "answer")
					if got := w.reservation("q").State; (got == payment.Reversing) != undone || !undone && got != payment.NotHeld {
						t.Error(got)
					}
					if undone {
						w.no(fault.Unavailable)(w.check("q", what))
					}
					w.forward()
					w.later(time.Minute)
					w.is("q", payment.NotHeld, nothing, false)
					w.agrees()
					w.approved(w.check("q", what))
					w.forward()
					w.agrees()
				})
			}
		}
	}
}

// A request that came to nothing is forgotten: under its name another method may ask (gsp-core §4.3 step 7).
func TestAnotherMethodUnderAFreeName(t *testing.T) {
	for _, minor := range []int64{0, least} {
		w := newWorld(t)
		w.bank.least = minor
		w.auth(notSent, notSent, notSent)
		w.no(fault.Unavailable)(w.reserve("q", 12900))
		w.no(fault.Unavailable)(w.check("q", payment.ToVerify))
		w.no(fault.Unavailable)(w.check("q", payment.ToCheck))
		w.approved(w.check("q", payment.ToVerify))
		w.is("q", payment.VerifyHeld, heldBooks(minor), minor > 0)
		w.no(fault.Precondition)(w.capture("c", "q", 1))
		w.agrees()

		w.auth(notSent)
		w.no(fault.Unavailable)(w.check("r", payment.ToCheck))
		w.approved(w.reserve("r", 500))
		w.yes(w.capture("c", "r", 500))
		w.forward()
		if got := w.reservation("r").State; got != payment.Captured {
			t.Error(got)
		}
		w.agrees()
	}
}

func TestDeclinedCheck(t *testing.T) {
	for _, what := range []payment.Purpose{payment.ToVerify, payment.ToCheck} {
		w := newWorld(t)
		w.bank.least = least
		w.auth(decline, partial)
		first := w.declined(payment.InsufficientFunds)(w.check("q", what))
		if again := w.yes(w.check("q", what)); again != first {
			t.Errorf("%q after %q", again, first)
		}
		w.is("q", payment.Declined, nothing, false)
		w.declined(payment.IssuerDeclined)(w.check("part", what)) // what was held of it goes back
		w.forward()
		w.is("part", payment.Declined, nothing, false)
		w.agrees()
	}
}

// A check that holds money for a moment gives it back whatever happens: silence, crashes, a network that asks for patience.
func TestZeroCheckIsGivenBackForCertain(t *testing.T) {
	for name, replies := range map[string][]reply{
		"at once": nil, "silence": {silent, silent, silent}, "answer lost": {lostReply}, "patience": {patience, patience},
		"link down":            {linkDown},
		"our number was taken": {collided}, "gone already": {unknown},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.bank.least = least
			w.approved(w.check("q", payment.ToCheck))
			w.replies(replies...)
			w.die = crash.AdviceClaimed
			if !survives(w.forward) {
				t.Fatal("the point was not passed")
			}
			w.start()
			for range 5 {
				w.later(time.Minute)
			}
			w.is("q", payment.Verified, nothing, false)
			if name != "gone already" {
				w.agrees()
			}
			w.owes()
			w.wants()
		})
	}
}

func TestCheckAfterACrash(t *testing.T) {
	for _, point := range []crash.Point{crash.ReserveAccepted, crash.ReserveSent, crash.ReserveSettled} {
		for _, what := range []payment.Purpose{payment.ToVerify, payment.ToCheck} {
			for _, minor := range []int64{0, least} {
				w := newWorld(t)
				w.bank.least = minor
				w.die = point
				if !survives(func() { _, _ = w.check("q", what) }) {
					t.Fatal("the point was not passed")
				}
				w.start()
				for range 3 {
					w.later(time.Minute)
				}
				w.agrees()
				w.approved(w.check("q", what))
				w.forward()
				w.agrees()
				want := map[payment.Purpose]payment.State{payment.ToVerify: payment.VerifyHeld, payment.ToCheck: payment.Verified}[what]
				if got := w.reservation("q").State; got != want {
					t.Errorf("%s, %s, %d: %s", point, what, minor, got)
				}
			}
		}
	}
}

// What does not fit the network's format is judged with the amount that the network takes.
func TestCheckThatCannotBeSent(t *testing.T) {
	w := newWorld(t)
	w.bank.tooBig = fault.New(fault.Invalid, "card")
	w.no(fault.Invalid)(w.check("q", payment.ToCheck))
	w.bank.tooBig = nil
	no := payment.Outcome{Verdict: payment.Refused, Decline: payment.CardNumberInvalid}
	o := order(0)
	o.Purpose = payment.ToVerify
	w.declined(payment.CardNumberInvalid)(w.reserveAs(context.Background(), "q", engine.ReserveAsk{Order: o, Decided: &no, Encode: said}))
	w.is("q", payment.Declined, nothing, false)
	if len(w.bank.asked) != 0 {
		t.Error("the network was asked")
	}
}
