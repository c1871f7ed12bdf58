package engine_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"naru/core/fault"
	"naru/core/payment"
	"naru/crash"
	"naru/engine"
	"naru/store"
)

const week = 7 * 24 * time.Hour

// reach brings the reservation q to a state, and gives the books of it.
var reach = map[payment.State]func(*world){
	payment.Reserved:       func(w *world) { w.approved(w.reserve("q", 12900)) },
	payment.Declined:       func(w *world) { w.auth(decline); w.yes(w.reserve("q", 12900)) },
	payment.Reversing:      func(w *world) { w.auth(lostAnswer); _, _ = w.reserve("q", 12900) },
	payment.NotHeld:        func(w *world) { w.auth(notSent); _, _ = w.reserve("q", 12900) },
	payment.CapturePending: func(w *world) { w.approved(w.reserve("q", 12900)); w.yes(w.capture("first", "q", 12900)) },
	payment.Captured: func(w *world) {
		w.approved(w.reserve("q", 12900))
		w.yes(w.capture("first", "q", 12900))
		w.forward()
	},
	payment.CaptureFailed: func(w *world) {
		w.approved(w.reserve("q", 12900))
		w.yes(w.capture("first", "q", 12900))
		w.replies(revoked)
		w.forward()
		w.bank.holds[0].state = "released"
	},
	payment.CancelPending: func(w *world) { w.approved(w.reserve("q", 12900)); w.yes(w.cancel("first", "q")) },
	payment.Cancelled: func(w *world) {
		w.approved(w.reserve("q", 12900))
		w.yes(w.cancel("first", "q"))
		w.forward()
	},
	payment.Expired: func(w *world) { // the reversal has been answered
		w.approved(w.reserve("q", 12900))
		w.later(week)
	},
}

// Korea Cards v1 §4.2 and §9.1, row by row. A verb that is refused changes nothing.
func TestCaptureInEveryState(t *testing.T) {
	for state, want := range map[payment.State]struct {
		fault fault.Kind // where it is refused
		end   payment.State
		owed  string
	}{
		payment.Reserved:       {0, payment.Captured, "capture-result c SUCCESS 00"},
		payment.Expired:        {0, payment.CaptureFailed, "capture-result c EXPIRED"},
		payment.Reversing:      {fault: fault.Unavailable},
		payment.NotHeld:        {fault: fault.Precondition},
		payment.Declined:       {fault: fault.Precondition},
		payment.CapturePending: {fault: fault.Precondition},
		payment.Captured:       {fault: fault.Precondition},
		payment.CaptureFailed:  {fault: fault.Precondition},
		payment.CancelPending:  {fault: fault.Precondition},
		payment.Cancelled:      {fault: fault.Precondition},
	} {
		t.Run(string(state), func(t *testing.T) {
			w := newWorld(t)
			reach[state](w)
			before, books := w.reservation("q"), w.books()
			if before.State != state {
				t.Fatalf("reached %s", before.State)
			}
			owed := w.notices()
			got, err := w.capture("c", "q", 12900)
			if want.fault != 0 {
				w.no(want.fault)(got, err)
				if after := w.reservation("q"); after.Version != before.Version || w.books() != books || len(w.notices()) != len(owed) {
					t.Error("a refused capture changed something")
				}
				return
			}
			if again := w.yes(w.capture("c", "q", 12900)); again != w.yes(got, err) {
				t.Errorf("%q after %q", again, got)
			}
			w.forward()
			if w.reservation("q").State != want.end {
				t.Error(w.reservation("q").State)
			}
			w.owes(want.owed)
			w.agrees()
			w.no(fault.Precondition)(w.capture("second", "q", 12900)) // one capture a hold
		})
	}
}

// Korea Cards v1 §4.3 and §9.1, row by row.
func TestCancelInEveryState(t *testing.T) {
	for state, want := range map[payment.State]struct {
		fault  fault.Kind
		end    payment.State
		atOnce bool // told before anything is sent
	}{
		payment.Reserved:       {0, payment.Cancelled, false},
		payment.CancelPending:  {0, payment.Cancelled, false},
		payment.Expired:        {0, payment.Cancelled, true},
		payment.Cancelled:      {0, payment.Cancelled, true},
		payment.Declined:       {0, payment.Declined, true},
		payment.CaptureFailed:  {0, payment.CaptureFailed, true},
		payment.NotHeld:        {0, payment.Cancelled, true},
		payment.Reversing:      {fault: fault.Unavailable},
		payment.CapturePending: {fault: fault.Precondition},
		payment.Captured:       {fault: fault.Precondition},
	} {
		t.Run(string(state), func(t *testing.T) {
			w := newWorld(t)
			reach[state](w)
			before, owed := w.reservation("q"), len(w.notices())
			if before.State != state {
				t.Fatalf("reached %s", before.State)
			}
			got, err := w.cancel("x", "q")
			if want.fault != 0 {
				w.no(want.fault)(got, err)
				if after := w.reservation("q"); after.Version != before.Version || len(w.notices()) != owed {
					t.Error("a refused cancel changed something")
				}
				return
			}
			if again := w.yes(w.cancel("x", "q")); again != w.yes(got, err) || got != "ACKNOWLEDGED" {
				t.Errorf("%q after %q", again, got)
			}
			if told := len(w.notices()) > owed; told != want.atOnce {
				t.Errorf("told at once: %v", told)
			}
			w.forward()
			if w.reservation("q").State != want.end || w.reservation("q").Card != nil {
				t.Error(w.reservation("q").State, "card", w.reservation("q").Card != nil)
			}
			list := w.notices()
			if !slices.Contains(list, "cancel-result x SUCCESS") {
				t.Error(list)
			}
			w.agrees()
			w.yes(w.cancel("y", "q")) // another one is acknowledged and succeeds as well
			if len(w.notices()) != len(list)+1 {
				t.Error(w.notices())
			}
		})
	}
}

func TestCaptureMovesTheMoney(t *testing.T) {
	w := newWorld(t)
	w.approved(w.reserve("q", 12900))
	first := w.yes(w.capture("c", "q", 12900))
	w.is("q", payment.CapturePending, held, true)
	w.owes() // acknowledged is not captured
	w.forward()
	w.is("q", payment.Captured, moved, true) // a refund will need the card
	w.owes("capture-result c SUCCESS 00")
	r, sent := w.reservation("q"), w.bank.told[0]
	if r.Captured.Minor() != 12900 || sent.Kind != payment.Completion || sent.Amount.Minor() != 12900 ||
		sent.Whole.Minor() != 12900 || sent.repeat {
		t.Errorf("%+v, %+v", r.Captured, sent)
	}
	ask := w.bank.asked[0]
	if sent.Original != ask.Trace || sent.Trace.RRN != ask.Trace.RRN || sent.Trace.STAN == ask.Trace.STAN || sent.Terminal != ask.Terminal ||
		sent.Merchant != ask.Merchant || sent.PAN.Reveal() != pan || sent.Expiry != ask.Expiry || sent.MCC != ask.MCC ||
		sent.Approval != r.Approval {
		t.Errorf("the advice says %+v of %+v", sent, ask)
	}
	if again := w.yes(w.capture("c", "q", 12900)); again != first || len(w.bank.told) != 1 {
		t.Error("the repeat did something")
	}
	w.agrees()
}

func TestCaptureOfMoreThanIsHeld(t *testing.T) {
	w := newWorld(t)
	w.approved(w.reserve("q", 12900))
	w.no(fault.Precondition)(w.capture("c", "q", 12901))
	w.is("q", payment.Reserved, held, true)
	w.yes(w.capture("c", "q", 12900))
}

// A smaller capture ends the whole hold (design §3.1), with the network's help or without.
func TestPartialCapture(t *testing.T) {
	for _, releases := range []bool{false, true} {
		w := newWorld(t)
		w.bank.releases = releases
		w.approved(w.reserve("q", 12900))
		w.yes(w.capture("c", "q", 9900))
		w.is("q", payment.CapturePending, held, true)
		if releases {
			w.replies(lostReply) // the release is not confirmed: the capture waits for it (rails §1.10)
			w.forward()
			if len(w.bank.told) != 1 || w.bank.told[0].Kind != payment.ReleaseRest || w.bank.told[0].Amount.Minor() != 9900 {
				t.Fatalf("%+v", w.bank.told)
			}
			w.is("q", payment.CapturePending, held, true)
			w.later(5 * time.Second)
		}
		w.forward()
		w.is("q", payment.Captured, "acquirer:receivable=9900 google:payable=-9900", true)
		if last := w.bank.told[len(w.bank.told)-1]; last.Kind != payment.Completion || last.Amount.Minor() != 9900 {
			t.Errorf("%+v", last)
		}
		if want := map[bool]int{false: 1, true: 3}[releases]; len(w.bank.told) != want {
			t.Errorf("%d messages, not %d", len(w.bank.told), want)
		}
		w.owes("capture-result c SUCCESS 00")
		w.agrees()
	}
}

func TestWholeCaptureReleasesNothing(t *testing.T) {
	w := newWorld(t)
	w.bank.releases = true
	w.approved(w.reserve("q", 12900))
	w.yes(w.capture("c", "q", 12900))
	w.forward()
	if len(w.bank.told) != 1 || w.bank.told[0].Kind != payment.Completion {
		t.Errorf("%+v", w.bank.told)
	}
}

func TestRevokedAuthorisation(t *testing.T) {
	w := newWorld(t)
	w.approved(w.reserve("q", 12900))
	w.yes(w.capture("c", "q", 12900))
	w.replies(revoked)
	w.forward()
	w.is("q", payment.CaptureFailed, nothing, false)
	w.owes("capture-result c REVOKED R1")
}

func TestCancelReleasesTheHold(t *testing.T) {
	w := newWorld(t)
	w.approved(w.reserve("q", 12900))
	w.yes(w.cancel("x", "q"))
	w.is("q", payment.CancelPending, held, true)
	w.owes() // told when the network has confirmed it
	w.yes(w.cancel("y", "q"))
	w.replies(silent, patience)
	w.forward()
	w.later(5 * time.Second)
	w.is("q", payment.CancelPending, held, true)
	w.owes()
	w.later(15 * time.Second)
	w.is("q", payment.Cancelled, nothing, false)
	w.owes("cancel-result x SUCCESS", "cancel-result y SUCCESS") // each is told its own
	if got := w.bank.told[0]; got.Kind != payment.Reversal || got.Reason != payment.UndoCancel || got.Amount.Minor() != 12900 {
		t.Errorf("%+v", got)
	}
	w.agrees()
	w.no(fault.Precondition)(w.capture("c", "q", 12900))
}

// Korea Cards v1 §4.3: cleaned up before it had an answer, a late repeat declines and never holds.
func TestRepeatAfterCleaningUp(t *testing.T) {
	w := newWorld(t)
	w.auth(lostAnswer)
	w.no(fault.Unavailable)(w.reserve("q", 12900))
	w.no(fault.Unavailable)(w.cancel("x", "q"))
	w.forward()
	w.yes(w.cancel("x", "q"))
	w.is("q", payment.Cancelled, nothing, false)
	w.owes("cancel-result x SUCCESS")
	first := w.declined(payment.IssuerDeclined)(w.reserve("q", 12900))
	if again := w.yes(w.reserve("q", 12900)); again != first {
		t.Errorf("%q after %q", again, first)
	}
	if len(w.bank.asked) != 1 {
		t.Error("the network was asked again")
	}
	w.is("q", payment.Cancelled, nothing, false)
	w.agrees()
}

// The end of a hold, to the microsecond: what is accepted before stays capturable, however late the network hears of it (§9.1, last row).
func TestHoldEndsExactly(t *testing.T) {
	for _, c := range []struct {
		name   string
		at     time.Duration
		worker bool // the expiry worker comes first
		end    payment.State
		owed   string
	}{
		{"one microsecond before", week - time.Microsecond, true, payment.Captured, "capture-result c SUCCESS 00"},
		{"at its end", week, false, payment.CaptureFailed, "capture-result c EXPIRED"},
		{"at its end, after the worker", week, true, payment.CaptureFailed, "capture-result c EXPIRED"},
		{"long after, before the worker", 2 * week, false, payment.CaptureFailed, "capture-result c EXPIRED"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.approved(w.reserve("q", 12900))
			w.clock.Advance(c.at)
			if c.worker {
				w.expire()
			}
			w.yes(w.capture("c", "q", 12900))
			w.clock.Advance(time.Hour)
			w.expire()
			w.forward()
			if got := w.reservation("q"); got.State != c.end || got.Held {
				t.Errorf("%s, held %v", got.State, got.Held)
			}
			w.owes(c.owed)
			w.agrees()
		})
	}
}

// Who lets the hold go: the network by itself where its own time is over, otherwise a reversal asks for it (rails §1.10).
func TestExpiry(t *testing.T) {
	for _, c := range []struct {
		name     string
		host     time.Duration // when the network's own time ends; 0 where it does not say
		ends     time.Duration
		reversal bool
	}{
		{"the network does not say", 0, week, true},
		{"the network is earlier", 3 * 24 * time.Hour, 3 * 24 * time.Hour, false},
		{"the network is later", 30 * 24 * time.Hour, week, true},
		{"the network agrees", week, week, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			if c.host != 0 {
				w.auth(approveUntil(w.clock.Now().Add(c.host)))
			}
			w.approved(w.reserve("q", 12900))
			w.clock.Advance(c.ends - time.Microsecond)
			w.expire()
			w.is("q", payment.Reserved, held, true)
			w.clock.Advance(time.Microsecond)
			w.expire()
			if open := w.open("q"); (len(open) == 1) != c.reversal {
				t.Fatalf("%+v", open)
			}
			if c.reversal {
				w.is("q", payment.Expired, held, true)
				w.forward()
				if got := w.bank.told[0]; got.Kind != payment.Reversal || got.Reason != payment.UndoCancel {
					t.Errorf("%+v", got)
				}
			} else {
				w.bank.holds[0].state = "released" // as it said it would
			}
			w.is("q", payment.Expired, nothing, false)
			w.expire() // once is enough
			w.forward()
			w.is("q", payment.Expired, nothing, false)
			w.owes() // silent towards the caller
			w.agrees()
		})
	}
}

// The hold has ended, the network has not yet confirmed the reversal: what a capture and a cancel come to meanwhile.
func TestExpiredWithTheReversalStillOpen(t *testing.T) {
	expired := func(t *testing.T) *world {
		w := newWorld(t)
		w.approved(w.reserve("q", 12900))
		w.clock.Advance(week)
		w.expire()
		w.is("q", payment.Expired, held, true)
		return w
	}
	t.Run("capture", func(t *testing.T) {
		w := expired(t)
		w.yes(w.capture("c", "q", 12900))
		w.owes("capture-result c EXPIRED")
		w.is("q", payment.CaptureFailed, nothing, true) // the reversal still names the card
		w.yes(w.cancel("x", "q"))
		w.forward()
		w.is("q", payment.CaptureFailed, nothing, false)
		w.owes("cancel-result x SUCCESS", "capture-result c EXPIRED")
		w.agrees()
	})
	t.Run("cancel", func(t *testing.T) {
		w := expired(t)
		w.yes(w.cancel("x", "q"))
		w.is("q", payment.CancelPending, held, true)
		w.owes()
		if open := w.open("q"); len(open) != 1 {
			t.Fatalf("%d reversals of one hold", len(open))
		}
		w.forward()
		w.is("q", payment.Cancelled, nothing, false)
		w.owes("cancel-result x SUCCESS")
		w.agrees()
	})
}

func TestExpiryLeavesAloneWhatIsNoLongerOpen(t *testing.T) {
	for _, state := range []payment.State{
		payment.CapturePending, payment.Captured, payment.CancelPending, payment.Cancelled,
		payment.NotHeld,
	} {
		w := newWorld(t)
		reach[state](w)
		before := w.reservation("q")
		w.clock.Advance(2 * week)
		w.expire()
		if after := w.reservation("q"); after.Version != before.Version {
			t.Errorf("%s became %s", state, after.State)
		}
	}
}

// The process dies after each verb's commit and after each step of the workers: what was acknowledged is kept, and nothing happens twice.
func TestCrashBetweenSteps(t *testing.T) {
	forward := func(w *world) { w.forward() }
	for point, c := range map[crash.Point]struct {
		verb  func(*world)
		books string
		owed  string
	}{
		crash.CaptureAccepted: {func(w *world) { _, _ = w.capture("c", "q", 12900) }, moved, "capture-result c SUCCESS 00"},
		crash.CancelAccepted:  {func(w *world) { _, _ = w.cancel("x", "q") }, nothing, "cancel-result x SUCCESS"},
		crash.AdviceClaimed:   {func(w *world) { w.yes(w.capture("c", "q", 12900)); forward(w) }, moved, "capture-result c SUCCESS 00"},
		crash.AdviceSettled:   {func(w *world) { w.yes(w.capture("c", "q", 12900)); forward(w) }, moved, "capture-result c SUCCESS 00"},
		crash.ExpiryApplied:   {func(w *world) { w.clock.Advance(week); w.expire() }, nothing, ""},
	} {
		t.Run(string(point), func(t *testing.T) {
			w := newWorld(t)
			w.approved(w.reserve("q", 12900))
			w.die = point
			if !survives(func() { c.verb(w) }) {
				t.Fatal("the point was not passed")
			}
			w.start()
			switch point { // the caller repeats what it heard nothing of
			case crash.CaptureAccepted:
				w.yes(w.capture("c", "q", 12900))
			case crash.CancelAccepted:
				w.yes(w.cancel("x", "q"))
			}
			w.expire()
			w.forward()
			if w.books() != c.books {
				t.Error(w.books())
			}
			if c.owed == "" {
				w.owes()
			} else {
				w.owes(c.owed)
			}
			w.agrees()
		})
	}
}

// The network answered an advice and we died before writing that down: it goes out again under the same identity, and the host sees
// through it.
func TestCrashAfterTheNetworkAnsweredAnAdvice(t *testing.T) {
	w := newWorld(t)
	w.approved(w.reserve("q", 12900))
	w.yes(w.capture("c", "q", 12900))
	w.die = crash.AdviceAnswered
	if !survives(w.forward) {
		t.Fatal("the point was not passed")
	}
	w.start()
	w.forward()
	w.later(time.Minute)
	if h := w.bank.holds[0]; h.times != 1 {
		t.Errorf("captured %d times", h.times)
	}
	if a, b := w.bank.told[0], w.bank.told[1]; a.Trace != b.Trace || a.repeat || !b.repeat {
		t.Errorf("%+v became %+v, repeat %v", a.Trace, b.Trace, b.repeat)
	}
}

func TestStoreThatFailsInAcknowledging(t *testing.T) {
	w := newWorld(t)
	w.approved(w.reserve("q", 12900))
	w.store.fail = func() error { return errDisk }
	if _, err := w.capture("c", "q", 12900); !errors.Is(err, errDisk) {
		t.Error(err)
	}
	if _, err := w.cancel("x", "q"); !errors.Is(err, errDisk) {
		t.Error(err)
	}
	w.store.fail = nil
	w.is("q", payment.Reserved, held, true)
	w.yes(w.capture("c", "q", 12900))
}

// A notice's id comes from the business event, and no two events share one.
func TestNoticeIDs(t *testing.T) {
	w := newWorld(t)
	w.approved(w.reserve("a", 1))
	w.approved(w.reserve("b", 1))
	w.yes(w.capture("c", "a", 1))
	w.yes(w.cancel("x", "b"))
	w.yes(w.cancel("y", "b"))
	w.forward()
	seen := map[string]bool{}
	due, err := w.db.Notices(store.Everybody, 99, 0).DueNotices(t.Context(), w.clock.Now(), 99)
	if err != nil {
		t.Fatal(err)
	}
	var capture engine.Capture
	r := w.reservation("a")
	w.look(func(v engine.Reader) (err error) { capture, _, err = v.Capture(r.ID); return err })
	for _, n := range due {
		if n.Kind == engine.CaptureResult && n.ID != "naru-capture-result-"+capture.ID {
			t.Errorf("%s is not named after its capture %s", n.ID, capture.ID)
		}
		seen[n.ID] = true
	}
	if len(due) != 3 || len(seen) != 3 {
		t.Errorf("%d ids of %d notices", len(seen), len(due))
	}
}
