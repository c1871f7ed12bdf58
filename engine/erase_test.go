package engine_test

import (
	"context"
	"testing"
	"time"

	"naru/core/payment"
	"naru/crash"
	"naru/engine"
)

const disputeWindow = 540 * 24 * time.Hour // what an account has that says nothing of it

// Design §3.6: the card of a captured payment is erased when its refund and its dispute window are over.
func TestCardIsErasedAfterItsWindows(t *testing.T) {
	const hour = time.Hour
	for name, c := range map[string]struct {
		refund, dispute time.Duration
		ends            time.Duration
	}{
		"as usual":            {0, 0, disputeWindow},
		"refunds take longer": {3 * hour, 2 * hour, 3 * hour},
		"disputes do":         {2 * hour, 3 * hour, 3 * hour},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(e *engine.Config) {
				e.Accounts[0].RefundWindow, e.Accounts[0].DisputeWindow = c.refund, c.dispute
			})
			w.approved(w.reserve("q", 12900))
			w.yes(w.capture("c", "q", 12900))
			w.later(hour) // the windows begin when the money moved
			w.later(c.ends - time.Microsecond)
			w.is("q", payment.Captured, moved, true)
			w.later(time.Microsecond)
			w.is("q", payment.Captured, moved, false)
			erased := w.reservation("q")
			if !erased.CardUntil.IsZero() {
				t.Error(erased.CardUntil)
			}
			w.later(24 * time.Hour)
			if again := w.reservation("q"); again.Version != erased.Version {
				t.Error("erased twice")
			}
			sent := len(w.bank.told)
			w.yes(w.refund("f", "c", 1))
			w.forward()
			w.owes("capture-result c SUCCESS 00", "refund-result f window_exceeded")
			if len(w.bank.told) != sent {
				t.Error("a message without a card")
			}
			w.chb() // a late dispute is taken all the same
			w.is("q", payment.Captured, ours(9900), false)
		})
	}
}

// A card that an open message names stays, and is looked at again a day later.
func TestCardIsKeptWhileAMessageIsOwed(t *testing.T) {
	for name, c := range map[string]struct {
		replies []reply
		kept    bool
	}{
		"not sent":          {[]reply{linkDown}, true},
		"to be undone":      {[]reply{lostReply, silent}, true},
		"for a person":      {[]reply{nonsense}, true},
		"answered in time":  {nil, false},
		"refused for good":  {[]reply{refuses("", "05")}, false},
		"undone, and again": {[]reply{lostReply}, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(e *engine.Config) { e.Accounts[0].RefundWindow, e.Accounts[0].DisputeWindow = time.Hour, time.Hour })
			w.taken("q", "c", 12900)
			w.clock.Advance(time.Hour)
			w.yes(w.refund("f", "c", 12900))
			w.replies(c.replies...)
			w.forward()
			w.must(w.EraseDue(context.Background()))
			if kept := w.reservation("q").Card != nil; kept != c.kept {
				t.Fatalf("kept: %v", kept)
			}
			if !c.kept {
				return
			}
			if until := w.reservation("q").CardUntil; !until.Equal(w.clock.Now().Add(24 * time.Hour)) {
				t.Error(until)
			}
			if name == "for a person" {
				list, err := w.ListCases(context.Background(), true, 9)
				w.must(err)
				w.must(w.ResumeCase(context.Background(), list[0].ID, "mended"))
				for range 3 { // it is undone first, which takes a minute where the network knows of nothing, and then ordered anew
					w.later(time.Minute)
				}
			}
			w.later(time.Hour)
			w.later(time.Hour)
			w.is("q", payment.Captured, nothing, true)
			w.later(22 * time.Hour)
			w.is("q", payment.Captured, nothing, false)
			w.agrees()
		})
	}
}

func TestErasingAndACrash(t *testing.T) {
	w := newWorld(t)
	w.taken("q", "c", 12900)
	w.clock.Advance(disputeWindow)
	w.die = crash.CardErased
	if !survives(func() { _ = w.EraseDue(context.Background()) }) {
		t.Fatal("the point was not passed")
	}
	w.start()
	w.must(w.EraseDue(context.Background()))
	w.is("q", payment.Captured, moved, false)
}

// Who has no card and who is not captured is left alone.
func TestErasingLeavesOthersAlone(t *testing.T) {
	for state, make := range reach {
		w := newWorld(t)
		make(w)
		before := w.reservation("q")
		if state != payment.Captured && !before.CardUntil.IsZero() {
			t.Errorf("%s: %s", state, before.CardUntil)
		}
		w.clock.Advance(disputeWindow + 1000)
		w.must(w.EraseDue(context.Background()))
		if after := w.reservation("q"); (after.Version != before.Version) != (state == payment.Captured) {
			t.Errorf("%s became %s", state, after.State)
		}
	}
}
