package e2e

import (
	"fmt"
	"testing"
	"time"
)

// TestCaptureAndCancelInEveryState is the grid of Korea Cards v1 §9.1: what a capture and a cancel with new ids hear in each state that a
// reservation can be in. Each is asked twice: an answer stays, a refusal is judged again.
func TestCaptureAndCancelInEveryState(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	host := func(format string, args ...any) { w.rule(fmt.Sprintf(format, args...)) }
	const silent, deaf = `{"action": "silent", "match": {"mti": "0100", "amount": %d}, "times": 1}`,
		`{"action": "silent-dropped", "match": {"mti": "%s", "amount": %d}}`
	type said struct {
		status int
		word   string
	}
	undecided, refused, taken := said{503, ""}, said{400, "PRECONDITION_VIOLATION"}, said{200, "ACKNOWLEDGED"}
	for i, row := range []struct {
		state           string
		lead            func(id string, amount int64, e edits) // there
		capture, cancel said
		told            string // of the capture, if it is taken
	}{
		{"PENDING", func(id string, amount int64, e edits) {
			host(silent, amount)
			come := w.meanwhile(1, reserve, id, e)
			t.Cleanup(func() { <-come })
			w.until("the host has the request", func() bool { return w.seen("0100", amount) == 1 })
		}, undecided, undecided, ""},
		{"REVERSING", func(id string, amount int64, e edits) {
			host(silent, amount)
			host(deaf, "0420", amount)
			w.want(reserve, id, e, 503, "")
			w.want(reserve, id, e, 503, "") // nothing new starts meanwhile
		}, undecided, undecided, ""},
		{"NOT_HELD", func(id string, amount int64, e edits) {
			host(silent, amount)
			w.want(reserve, id, e, 503, "")
			w.until("the reversal is answered", func() bool { return w.state(id) == "NOT_HELD" })
		}, refused, taken, ""},
		{"DECLINED", func(id string, amount int64, e edits) {
			e[pan] = numbered("51")
			w.want(reserve, id, e, 200, "INSUFFICIENT_FUNDS")
		}, refused, taken, ""},
		{"CAPTURE_PENDING", func(id string, amount int64, e edits) {
			w.want(reserve, id, e, 200, "SUCCESS")
			host(deaf, "0220", amount)
			w.want(capture, id+"-first", edits{of: id, "amount": won(amount)}, 200, "ACKNOWLEDGED")
		}, refused, refused, ""},
		{"CAPTURED", func(id string, amount int64, e edits) {
			w.want(reserve, id, e, 200, "SUCCESS")
			w.want(capture, id+"-first", edits{of: id, "amount": won(amount)}, 200, "ACKNOWLEDGED")
			w.verdict(id+"-first", "SUCCESS")
		}, refused, refused, ""},
		{"CAPTURE_FAILED", func(id string, amount int64, e edits) {
			e[pan] = "9999990000009148" // approved, then revoked
			w.want(reserve, id, e, 200, "SUCCESS")
			w.want(capture, id+"-first", edits{of: id, "amount": won(amount)}, 200, "ACKNOWLEDGED")
			w.verdict(id+"-first", "REVOCATION_OF_AUTHORIZATION")
		}, refused, taken, ""},
		{"CANCEL_PENDING", func(id string, amount int64, e edits) {
			w.want(reserve, id, e, 200, "SUCCESS")
			host(deaf, "0420", amount)
			w.want(cancel, id+"-first", edits{of: id}, 200, "ACKNOWLEDGED")
		}, refused, taken, ""},
		{"CANCELLED", func(id string, amount int64, e edits) {
			w.want(reserve, id, e, 200, "SUCCESS")
			w.want(cancel, id+"-first", edits{of: id}, 200, "ACKNOWLEDGED")
			w.verdict(id+"-first", "SUCCESS")
		}, refused, taken, ""},
		{"EXPIRED", func(id string, amount int64, e edits) {
			e[pan] = "9999990000009122" // its hold ends after ten minutes
			w.want(reserve, id, e, 200, "SUCCESS")
			w.clock.Advance(10 * time.Minute)
			w.until("the hold has ended", func() bool { return w.state(id) == "EXPIRED" })
		}, taken, taken, "RESERVATION_EXPIRED"},
	} {
		t.Run(row.state, func(t *testing.T) {
			outer := w
			w = w.in(t)
			defer func() { w = outer }()
			id, amount := row.state, int64(40_001+i)
			row.lead(id, amount, edits{"amount": won(amount)})
			if got := w.state(id); got != row.state {
				t.Fatalf("the reservation is %s", got)
			}
			for range 2 {
				w.want(capture, id+"-capture", edits{of: id, "amount": won(amount)}, row.capture.status, row.capture.word)
			}
			for range 2 {
				w.want(cancel, id+"-cancel", edits{of: id}, row.cancel.status, row.cancel.word)
			}
			w.obey()
			if row.capture == taken {
				w.verdict(id+"-capture", row.told)
			}
			if row.cancel == taken {
				w.until("the cancel is told", func() bool { w.clock.Advance(100 * time.Millisecond); return w.told(id+"-cancel") != "" })
				w.verdict(id+"-cancel", "SUCCESS")
			}
		})
	}
}

// TestDecidedWhenAccepted: a capture that was accepted before the hold's end stays one, and is told what became of it (Korea §9.1,
// last row).
func TestDecidedWhenAccepted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	short := edits{"amount": won(41_001), pan: "9999990000009122"}
	w.want(reserve, "too-late", short, 200, "SUCCESS")
	w.rule(`{"action": "silent-dropped", "match": {"mti": "0220", "amount": 41001}}`)
	w.want(capture, "too-late-capture", edits{of: "too-late", "amount": won(41_001)}, 200, "ACKNOWLEDGED")
	w.clock.Advance(10 * time.Minute)
	if got := w.state("too-late"); got != "CAPTURE_PENDING" {
		t.Errorf("the reservation is %s", got)
	}
	w.obey()
	w.clock.Advance(time.Minute)
	w.verdict("too-late-capture", "RESERVATION_EXPIRED")

	short["amount"] = won(41_002)
	w.want(reserve, "in-time", short, 200, "SUCCESS")
	w.rule(`{"action": "silent", "match": {"mti": "0220", "amount": 41002}, "times": 1}`) // booked, and not a word
	w.want(capture, "in-time-capture", edits{of: "in-time", "amount": won(41_002)}, 200, "ACKNOWLEDGED")
	w.until("the host has booked", func() bool { return w.seen("0220", 41_002) == 1 })
	w.clock.Advance(10 * time.Minute)
	w.verdict("in-time-capture", "SUCCESS")
}
