package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"naru/rail/iso8583"
)

// dialects are the two shipped ones (rails §7 R3), with the message that each reverses with first.
var dialects = map[string]string{"pi87-default": "0420", "pi87-alt": "0400"}

// TestHostDownAtTheStart: what cannot have left the house is no attempt: 503, no reversal, and the repeat is a first one (design §3.1).
func TestHostDownAtTheStart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{before: func(w *world) { w.rule(`{"action": "refuse-connection"}`) }})
	w.want(reserve, "down", edits{"amount": sum(60_001)}, 503, "")
	w.want(reserve, "down", edits{"amount": sum(60_002)}, 503, "")
	if got := w.state("down"); got != "NOT_HELD" {
		t.Errorf("the reservation is %s", got)
	}
	w.want(cancel, "down-other", edits{of: "never-asked"}, 404, "INVALID_IDENTIFIER")
	w.obey()
	w.decided(reserve, "down", edits{"amount": sum(60_003)}, 200, "SUCCESS")
	for amount, n := range map[int64]int{60_001: 0, 60_002: 0, 60_003: 1} {
		if got := w.seen("0100", amount); got != n {
			t.Errorf("the host saw %d requests for %d won, want %d", got, amount, n)
		}
	}
	for _, mti := range dialects {
		if n := w.seen(mti, 60_001) + w.seen(mti, 60_002); n != 0 {
			t.Errorf("%d reversals of what was never sent", n)
		}
	}
}

// TestWhatTheHostMayAlsoSay: an answer that carries more than was asked for, comes byte by byte, or behind a sign-off is an answer; one
// that cannot be read, or comes late, is none, and whatever it held is given back (rails §1.11 T1, T9, §1.19).
func TestWhatTheHostMayAlsoSay(t *testing.T) {
	t.Parallel()
	for dialect, reversal := range dialects {
		for a, c := range map[*api]struct{ method, mti string }{korea: {reserve, "0100"}, fop: {sell, "0200"}} {
			if a == fop && dialect == iso8583.DefaultProfile { // one dialect of sales is enough: the other differs in its framing
				continue
			}
			t.Run(dialect+"/"+c.method, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, options{api: a, dialect: dialect, authorise: "3s"}) // byte by byte takes its time on a busy machine
				w.alsoSaid(c.method, c.mti, reversal)
			})
		}
	}
}

func (w *world) alsoSaid(method, mti, reversal string) {
	for i, c := range []struct {
		rule   string
		status int
	}{
		{`"unknown-tag"`, 200},
		{`"extra-elements"`, 200},
		{`"slow", "delay_ms": 1`, 200},
		{`"duplicate"`, 200},
		{`"signoff"`, 200},
		{`"answer-then-close"`, 200},
		{`"late", "delay_ms": 3300`, 503},
		{`"bad-length"`, 503},
		{`"garbage"`, 503},
		{`"truncated"`, 503},
		{`"wrong-amount"`, 503},
		{`"wrong-stan"`, 503},
		{`"close-mid-answer"`, 503},
		{`"close-before-answer"`, 503},
	} {
		id, amount := fmt.Sprint("said-", i), int64(61_001+i)
		// The line may just have been cut: somebody else's payment shows when it is back.
		w.until("the line is up", func() bool { return w.ask(method, "before-"+id, edits{"amount": sum(amount + 500)}).status == 200 })
		w.rule(fmt.Sprintf(`{"action": %s, "match": {"mti": %q, "amount": %d}, "times": 1}`, c.rule, mti, amount))
		e := edits{"amount": sum(amount)}
		if got := w.ask(method, id, e); got.status != c.status {
			w.t.Errorf("%s: got %d %s, want %d", c.rule, got.status, got.body, c.status)
		}
		if c.status == 200 {
			continue
		}
		w.until(c.rule+" is given back", func() bool { return w.state(id) == "NOT_HELD" })
		if n := w.seen(reversal, amount); n != 1 {
			w.t.Errorf("%s: the host saw %d reversals", c.rule, n)
		}
		w.want(method, id, e, 200, "SUCCESS")
	}
	w.until("the late answer was noted", func() bool { return !strings.Contains(w.metrics(), `event="late"} 0`) })
}

// TestHoldThatEndsWhereNobodyLooks: the host lets a hold go before the time that it named. A cancel has then succeeded; a capture gets no
// verdict that would be true: it stays open, and an operator decides (rails §1.10, Korea §4.2).
func TestHoldThatEndsWhereNobodyLooks(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	for i, id := range []string{"gone-cancelled", "gone-captured"} {
		w.want(reserve, id, edits{"amount": sum(int64(62_001 + i))}, 200, "SUCCESS")
		w.command(w.control, "POST", "/actions/expire-hold", fmt.Sprintf(`{"rrn": %q}`, w.reference(id)), nil)
	}
	w.want(cancel, "gone-cancel", edits{of: "gone-cancelled"}, 200, "ACKNOWLEDGED")
	w.verdict("gone-cancel", "SUCCESS")
	w.want(capture, "gone-capture", edits{of: "gone-captured", "amount": sum(62_002)}, 200, "ACKNOWLEDGED")
	w.until("a case is open", func() bool { owed, err := w.platform.Store.Backlog(t.Context()); w.check(err); return owed.Cases == 1 })
	if got := w.told("gone-capture"); got != "" {
		t.Errorf("Google was told %s", got)
	}
	w.want(capture, "gone-again", edits{of: "gone-captured", "amount": sum(62_002)}, 400, "PRECONDITION_VIOLATION")
	w.cases, w.open["gone-captured"] = 1, true
}

// TestCaptureThatTheHostRefuses: a refusal that is no verdict stays with an operator; Google is not told that a hold has expired that has
// not (rails §1.10, §1.11 T5).
func TestCaptureThatTheHostRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	w.want(reserve, "refused", edits{"amount": sum(62_101)}, 200, "SUCCESS")
	w.rule(`{"action": "decline", "code": "12", "match": {"mti": "0220", "amount": 62101}}`)
	w.want(capture, "refused-capture", edits{of: "refused", "amount": sum(62_101)}, 200, "ACKNOWLEDGED")
	w.until("a case is open", func() bool { owed, err := w.platform.Store.Backlog(t.Context()); w.check(err); return owed.Cases == 1 })
	w.clock.Advance(time.Hour)
	if n := w.seen("0220", 62_101) + w.seen("0221", 62_101); n != 1 || w.told("refused-capture") != "" {
		t.Errorf("the host saw %d captures, Google was told %q", n, w.told("refused-capture"))
	}
	w.cases, w.open["refused"] = 1, true

	// Busy is no refusal: it is asked again until it says something else.
	w.want(reserve, "busy", edits{"amount": sum(62_102)}, 200, "SUCCESS")
	w.rule(`{"action": "decline", "code": "96", "match": {"mti": "0220", "amount": 62102}, "times": 3}`)
	w.want(capture, "busy-capture", edits{of: "busy", "amount": sum(62_102)}, 200, "ACKNOWLEDGED")
	w.until("it is booked", func() bool { w.clock.Advance(200 * time.Millisecond); return w.told("busy-capture") != "" })
	w.verdict("busy-capture", "SUCCESS")
}

// TestHoldLongerThanOurs: what the network would keep longer than seven days is given back by us, silently (design §3.11, Korea §9.1).
func TestHoldLongerThanOurs(t *testing.T) {
	t.Parallel()
	for dialect, reversal := range dialects {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, options{dialect: dialect})
			w.rule(`{"action": "set", "tags": {"RX": "20991231235959"}, "match": {"mti": "0100", "amount": 63001}}`)
			w.want(reserve, "long", edits{"amount": sum(63_001)}, 200, "SUCCESS")
			w.want(reserve, "plain", edits{"amount": sum(63_002)}, 200, "SUCCESS")
			w.clock.Advance(7*24*time.Hour - time.Minute)
			w.want(reserve, "probe", edits{"amount": sum(63_003)}, 200, "SUCCESS")
			if got := w.state("long") + " " + w.state("plain"); got != "RESERVED RESERVED" {
				t.Errorf("a minute before the end they are %s", got)
			}
			w.clock.Advance(time.Minute)
			w.until("both have ended", func() bool { return w.state("long") == "EXPIRED" && w.state("plain") == "EXPIRED" })
			w.until("the reversal is sent", func() bool { return w.seen(reversal, 63_001) == 1 })
			if n := w.seen(reversal, 63_002); n != 0 {
				t.Errorf("%d reversals of a hold that the host has let go", n)
			}
			w.want(capture, "long-capture", edits{of: "long", "amount": sum(63_001)}, 200, "ACKNOWLEDGED")
			w.verdict("long-capture", "RESERVATION_EXPIRED")
			w.want(cancel, "plain-cancel", edits{of: "plain"}, 200, "ACKNOWLEDGED")
			w.verdict("plain-cancel", "SUCCESS")
		})
	}
}

// TestVerdictThatGoogleDoesNotTake: an identifier that Google does not know may be a race for a quarter of an hour; then the verdict is
// parked for an operator. A fault of Google's is never the last word (gsp-core §5.5, §5.6).
func TestVerdictThatGoogleDoesNotTake(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	w.fault(`{"method": "captureFundsReservationResultNotification", "action": "invalid-identifier", "times": 0}`)
	w.fault(`{"method": "cancelFundsReservationResultNotification", "action": "503", "times": 0}`)
	for i, id := range []string{"unknown", "patient"} {
		w.want(reserve, id, edits{"amount": sum(int64(64_001 + i))}, 200, "SUCCESS")
	}
	w.want(capture, "unknown-capture", edits{of: "unknown", "amount": sum(64_001)}, 200, "ACKNOWLEDGED")
	w.want(cancel, "patient-cancel", edits{of: "patient"}, 200, "ACKNOWLEDGED")
	w.until("both are owed", func() bool {
		owed, err := w.platform.Store.Backlog(t.Context())
		w.check(err)
		return owed.Notices == 2
	})
	w.clock.Advance(14 * time.Minute)
	tries := func(method string) (n int) {
		var list []struct{ Method string }
		w.command(w.google.Load().Control(), "GET", "/received", "", &list)
		for _, m := range list {
			if strings.HasPrefix(m.Method, method) {
				n++
			}
		}
		return n
	}
	w.until("it is tried again within the quarter of an hour", func() bool { return tries("capture") >= 2 })
	w.clock.Advance(2 * time.Minute)
	parked := func() bool {
		w.clock.Advance(time.Minute)
		owed, err := w.platform.Store.Backlog(t.Context())
		w.check(err)
		return owed.Parked == 1 && owed.Notices == 1
	}
	w.until("it is parked", parked)
	before := tries("capture")
	w.clock.Advance(100 * time.Hour) // Google is down for four days
	more := tries("cancel") + 1
	w.until("the other is still tried", func() bool { w.clock.Advance(15 * time.Minute); return tries("cancel") > more })
	if now := tries("capture"); now != before || w.told("unknown-capture") != "" {
		t.Errorf("a parked verdict was sent %d times more", now-before)
	}
	w.command(w.google.Load().Control(), "DELETE", "/faults", "", nil)
	w.until("it is told", func() bool { w.clock.Advance(15 * time.Minute); return w.told("patient-cancel") != "" })
	w.verdict("patient-cancel", "SUCCESS")
	w.cases, w.parked, w.open["unknown"] = 1, 1, true
}

// TestCancelsWhileOneIsUnderWay: every cancel is told, also those that came while the host had not answered the first (Korea §4.3).
func TestCancelsWhileOneIsUnderWay(t *testing.T) {
	t.Parallel()
	for dialect, reversal := range dialects {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, options{dialect: dialect})
			w.want(reserve, "twice", edits{"amount": sum(65_001)}, 200, "SUCCESS")
			w.rule(fmt.Sprintf(`{"action": "silent-dropped", "match": {"mti": %q, "amount": 65001}, "times": 1}`, reversal))
			for _, id := range []string{"twice-a", "twice-b"} {
				w.want(cancel, id, edits{of: "twice"}, 200, "ACKNOWLEDGED")
			}
			if got := w.told("twice-a") + w.told("twice-b"); got != "" {
				t.Errorf("told before it is true: %s", got)
			}
			w.until("both are told", func() bool {
				w.clock.Advance(100 * time.Millisecond)
				return w.told("twice-a") != "" && w.told("twice-b") != ""
			})
			w.verdict("twice-a", "SUCCESS")
			w.verdict("twice-b", "SUCCESS")
			if n := w.seen("0421", 65_001) + w.seen("0420", 65_001) + w.seen("0400", 65_001); n != 2 {
				t.Errorf("the host saw the reversal %d times, want twice", n)
			}
		})
	}
}
