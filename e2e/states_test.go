package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestEveryMethodInEveryState is the grid of Korea Cards v1 §9.1 and of Card FOP v1 §8.1, with the first rows of §9.2 and §9.5, §8.2 and
// §8.5: what a capture, a cancel, a refund and a defence with new ids hear in each state that a reservation or a sale can be in. Each is
// asked twice: an answer stays, a refusal is judged again.
func TestEveryMethodInEveryState(t *testing.T) {
	t.Parallel()
	for _, a := range apis {
		t.Run(a.name, func(t *testing.T) {
			t.Parallel()
			newWorld(t, options{api: a}).everyState()
		})
	}
}

func (w *world) everyState() {
	t := w.t
	host := func(format string, args ...any) { w.rule(fmt.Sprintf(format, args...)) }
	const silent, deaf = `{"action": "silent", "match": {"mti": "0100", "amount": %d}, "times": 1}`,
		`{"action": "silent-dropped", "match": {"mti": "%s", "amount": %d}}`
	type said struct {
		status int
		word   string
	}
	undecided, refused, taken, stranger := said{503, ""}, said{400, precondition}, said{200, "ACKNOWLEDGED"}, said{404, identifier}
	const nothing, noCapture = "CHARGEBACK_NOT_DEFENDABLE", "CAPTURE_REQUEST_ID_NOT_FOUND" // of a defence, which is always a 200 (§4.6)
	type situation struct {
		name, state             string
		lead                    func(id string, amount int64, e edits) // there
		capture, cancel, refund said
		defence                 string
		told                    string // of the capture, if it is taken
	}
	rows := []situation{
		{"never asked for", "", func(string, int64, edits) {}, stranger, stranger, stranger, noCapture, ""},
		{"pending", "PENDING", func(id string, amount int64, e edits) {
			host(silent, amount)
			host(deaf, "0420", amount) // undecided for as long as we look
			come := w.meanwhile(1, reserve, id, e)
			t.Cleanup(func() { <-come })
			w.until("the host has the request", func() bool { return w.seen("0100", amount) == 1 })
		}, undecided, undecided, stranger, noCapture, ""},
		{"reversing", "REVERSING", func(id string, amount int64, e edits) {
			host(silent, amount)
			host(deaf, "0420", amount)
			w.want(reserve, id, e, 503, "")
			w.want(reserve, id, e, 503, "") // nothing new starts meanwhile
		}, undecided, undecided, stranger, noCapture, ""},
		{"not held", "NOT_HELD", func(id string, amount int64, e edits) {
			host(silent, amount)
			w.want(reserve, id, e, 503, "")
			w.until("the reversal is answered", func() bool { return w.state(id) == "NOT_HELD" })
		}, refused, taken, stranger, noCapture, ""},
		{"declined", "DECLINED", func(id string, amount int64, e edits) {
			w.want(reserve, id, e.and(edits{pan: numbered("51")}), 200, "INSUFFICIENT_FUNDS")
		}, refused, taken, stranger, noCapture, ""},
		{"capture pending", "CAPTURE_PENDING", func(id string, amount int64, e edits) {
			w.want(reserve, id, e, 200, "SUCCESS")
			host(deaf, "0220", amount)
			w.want(capture, id+"-first", edits{of: id, "amount": sum(amount)}, 200, "ACKNOWLEDGED")
		}, refused, refused, refused, nothing, ""},
		{"captured", "CAPTURED", func(id string, amount int64, e edits) {
			w.want(reserve, id, e, 200, "SUCCESS")
			w.want(capture, id+"-first", edits{of: id, "amount": sum(amount)}, 200, "ACKNOWLEDGED")
			w.verdict(id+"-first", "SUCCESS")
		}, refused, refused, taken, nothing, ""},
		{"capture failed: revoked", "CAPTURE_FAILED", func(id string, amount int64, e edits) {
			w.want(reserve, id, e.and(edits{pan: "9999990000009148"}), 200, "SUCCESS") // approved, then revoked
			w.want(capture, id+"-first", edits{of: id, "amount": sum(amount)}, 200, "ACKNOWLEDGED")
			w.verdict(id+"-first", "REVOCATION_OF_AUTHORIZATION")
		}, refused, taken, refused, nothing, ""},
		{"cancel pending", "CANCEL_PENDING", func(id string, amount int64, e edits) {
			w.want(reserve, id, e, 200, "SUCCESS")
			host(deaf, "0420", amount)
			w.want(cancel, id+"-first", edits{of: id}, 200, "ACKNOWLEDGED")
		}, refused, taken, stranger, noCapture, ""},
		{"cancelled", "CANCELLED", func(id string, amount int64, e edits) {
			w.want(reserve, id, e, 200, "SUCCESS")
			w.want(cancel, id+"-first", edits{of: id}, 200, "ACKNOWLEDGED")
			w.verdict(id+"-first", "SUCCESS")
		}, refused, taken, stranger, noCapture, ""},
		{"expired", "EXPIRED", func(id string, amount int64, e edits) {
			w.want(reserve, id, e.and(edits{pan: "9999990000009122"}), 200, "SUCCESS") // its hold ends after ten minutes
			w.clock.Advance(10 * time.Minute)
			w.until("the hold has ended", func() bool { return w.state(id) == "EXPIRED" })
		}, taken, taken, stranger, noCapture, "RESERVATION_EXPIRED"},
		{"capture failed: expired", "CAPTURE_FAILED", func(id string, amount int64, e edits) {
			w.want(reserve, id, e.and(edits{pan: "9999990000009122"}), 200, "SUCCESS")
			w.clock.Advance(10 * time.Minute)
			w.want(capture, id+"-first", edits{of: id, "amount": sum(amount)}, 200, "ACKNOWLEDGED")
			w.verdict(id+"-first", "RESERVATION_EXPIRED")
		}, refused, taken, refused, nothing, ""},

		{"a card check, held", "VERIFY_HELD", func(id string, _ int64, _ edits) {
			w.want(verify, id, nil, 200, "SUCCESS")
		}, refused, taken, stranger, noCapture, ""},
		{"a card check, declined", "DECLINED", func(id string, _ int64, _ edits) {
			w.want(verify, id, edits{number: "9999990000000055"}, 200, "DO_NOT_HONOR")
		}, refused, taken, stranger, noCapture, ""},
		{"a card check, not held", "NOT_HELD", func(id string, _ int64, _ edits) {
			w.want(verify, id, edits{number: "9999990000009015"}, 503, "") // silent
			w.until("it is given back", func() bool { w.clock.Advance(time.Second); return w.state(id) == "NOT_HELD" })
		}, refused, taken, stranger, noCapture, ""},
		{"a card check, cancelled", "CANCELLED", func(id string, _ int64, _ edits) {
			w.want(verify, id, nil, 200, "SUCCESS")
			w.want(cancel, id+"-first", edits{of: id}, 200, "ACKNOWLEDGED")
			w.verdict(id+"-first", "SUCCESS")
		}, refused, taken, stranger, noCapture, ""},
		{"a card check that nobody cancelled", "EXPIRED", func(id string, _ int64, _ edits) {
			w.want(verify, id, nil, 200, "SUCCESS")
			w.clock.Advance(24 * time.Hour)
			w.until("it is let go", func() bool { return w.state(id) == "EXPIRED" })
		}, refused, taken, stranger, noCapture, ""},
	}
	alone := map[*api][]situation{korea: {
		{"a check that holds nothing", "VERIFIED", func(id string, _ int64, _ edits) {
			w.want(inspect, id, nil, 200, "SUCCESS")
		}, stranger, stranger, stranger, noCapture, ""},
		{"a check that holds nothing, declined", "DECLINED", func(id string, _ int64, _ edits) {
			w.want(inspect, id, edits{number: "9999990000000055"}, 200, "DO_NOT_HONOR")
		}, stranger, stranger, stranger, noCapture, ""},
	}, fop: {
		{"a sale, pending", "PENDING", func(id string, amount int64, e edits) {
			host(`{"action": "silent", "match": {"mti": "0200", "amount": %d}, "times": 1}`, amount)
			host(deaf, "0420", amount)
			come := w.meanwhile(1, sell, id, e)
			t.Cleanup(func() { <-come })
			w.until("the host has the request", func() bool { return w.seen("0200", amount) == 1 })
		}, undecided, undecided, stranger, noCapture, ""},
		{"a sale, reversing", "REVERSING", func(id string, amount int64, e edits) {
			host(`{"action": "silent", "match": {"mti": "0200", "amount": %d}, "times": 1}`, amount)
			host(deaf, "0420", amount)
			w.want(sell, id, e, 503, "")
			w.want(sell, id, e, 503, "") // nothing new starts meanwhile
		}, undecided, undecided, stranger, noCapture, ""},
		{"a sale, not held", "NOT_HELD", func(id string, amount int64, e edits) {
			host(`{"action": "silent", "match": {"mti": "0200", "amount": %d}, "times": 1}`, amount)
			w.want(sell, id, e, 503, "")
			w.until("the reversal is answered", func() bool { return w.state(id) == "NOT_HELD" })
		}, refused, taken, stranger, noCapture, ""},
		{"a sale, declined", "DECLINED", func(id string, _ int64, e edits) {
			w.want(sell, id, e.and(edits{pan: numbered("51")}), 200, "INSUFFICIENT_FUNDS")
		}, refused, taken, stranger, noCapture, ""},
		{"a sale", "CAPTURED", func(id string, _ int64, e edits) {
			w.want(sell, id, e, 200, "SUCCESS")
		}, refused, refused, taken, nothing, ""},
	}}
	for i, row := range append(rows, alone[w.api]...) {
		t.Run(row.name, func(t *testing.T) {
			outer := w
			w = w.in(t)
			defer func() { w = outer }()
			id, amount := fmt.Sprint("state-", i), int64(40_001+i)
			row.lead(id, amount, edits{"amount": sum(amount)})
			captured := id + "-first"
			if strings.HasPrefix(row.name, "a sale") { // one message, one id
				captured = id
			}
			if got := w.state(id); got != row.state {
				t.Fatalf("the reservation is %s", got)
			}
			for range 2 {
				w.want(refund, id+"-refund", edits{paid: captured, back: sum(1)}, row.refund.status, row.refund.word)
				w.want(defend, id+"-defence", edits{paid: captured}, 200, row.defence)
				w.want(capture, id+"-capture", edits{of: id, "amount": sum(amount)}, row.capture.status, row.capture.word)
			}
			for range 2 {
				w.want(cancel, id+"-cancel", edits{of: id}, row.cancel.status, row.cancel.word)
			}
			w.obey()
			if row.capture == taken {
				w.verdict(id+"-capture", row.told)
			}
			if row.refund == taken {
				w.verdict(id+"-refund", "SUCCESS")
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
	short := edits{"amount": sum(41_001), pan: "9999990000009122"}
	w.want(reserve, "too-late", short, 200, "SUCCESS")
	w.rule(`{"action": "silent-dropped", "match": {"mti": "0220", "amount": 41001}}`)
	w.want(capture, "too-late-capture", edits{of: "too-late", "amount": sum(41_001)}, 200, "ACKNOWLEDGED")
	w.clock.Advance(10 * time.Minute)
	if got := w.state("too-late"); got != "CAPTURE_PENDING" {
		t.Errorf("the reservation is %s", got)
	}
	w.obey()
	w.clock.Advance(time.Minute)
	w.verdict("too-late-capture", "RESERVATION_EXPIRED")

	short["amount"] = sum(41_002)
	w.want(reserve, "in-time", short, 200, "SUCCESS")
	w.rule(`{"action": "silent", "match": {"mti": "0220", "amount": 41002}, "times": 1}`) // booked, and not a word
	w.want(capture, "in-time-capture", edits{of: "in-time", "amount": sum(41_002)}, 200, "ACKNOWLEDGED")
	w.until("the host has booked", func() bool { return w.seen("0220", 41_002) == 1 })
	w.clock.Advance(10 * time.Minute)
	w.verdict("in-time-capture", "SUCCESS")
}
