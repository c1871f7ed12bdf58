package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

const day = 24 * time.Hour

// asked is a refund of a payment, what it hears, and what Google is told of it in the end.
type asked struct {
	amount int64
	status int
	told   string // of a 200
}

// TestRefundsInEveryState is Korea Cards v1 §9.2 and the arithmetic of §4.4, Card FOP v1 §8.2 and §4.5: what a payment has left to refund
// after all that may have happened to it. Everything is asked twice: an answer stays, and what a refusal refused is still there.
func TestRefundsInEveryState(t *testing.T) {
	t.Parallel()
	each(t, options{files: true, authorise: "4s"}, (*world).refundsInEveryState)
}

// each plays a test with a payment of Korea Cards, which is a hold and its capture, and with a sale of Card FOP.
func each(t *testing.T, o options, play func(*world)) {
	for _, a := range apis {
		t.Run(a.name, func(t *testing.T) {
			t.Parallel()
			o := o
			o.api = a
			w := newWorld(t, o)
			w.single = a == fop
			play(w)
		})
	}
}

func (w *world) refundsInEveryState() {
	t := w.t
	const deaf = `{"action": "silent-dropped", "match": {"mti": "%s", "amount": %d}}`
	taken := func(amount int64) asked { return asked{amount, 200, "SUCCESS"} }
	refused := func(amount int64) asked { return asked{amount, 400, ""} }
	failed := func(amount int64, why string) asked { return asked{amount, 200, why} }
	done := func(id string, amount int64) {
		w.repay(id, strings.TrimSuffix(id, "-before"), amount, 200, "ACKNOWLEDGED")
		w.verdict(id, "SUCCESS")
	}
	for i, row := range []struct {
		name string
		card string
		lead func(id, rrn string, whole, part int64) // there
		asks func(whole, part int64) []asked
	}{
		{"CAPTURED", "", nil, func(whole, part int64) []asked {
			return []asked{refused(whole + 1), taken(part), refused(whole), taken(whole - part), refused(1)}
		}},
		{"REFUND_PENDING", "", func(id, _ string, _, part int64) {
			w.rule(fmt.Sprintf(deaf, "0200", part))
			w.rule(fmt.Sprintf(deaf, "0420", part))
			w.repay(id+"-before", id, part, 200, "ACKNOWLEDGED")
			w.until("the host has the request", func() bool { return w.seen("0200", part) > 0 })
		}, func(whole, part int64) []asked { return []asked{refused(whole), refused(whole - part + 1)} }},
		{
			"REFUNDED", "", func(id, _ string, _, part int64) { done(id+"-before", part) },
			func(whole, part int64) []asked {
				return []asked{refused(whole - part + 1), taken(whole - part), refused(1)}
			},
		},
		{"REFUND_FAILED", "9999990000009338", nil, // whose issuer wants no money back
			func(whole, part int64) []asked {
				return []asked{failed(part, "ISSUER_DECLINED"), failed(whole, "ISSUER_DECLINED"), refused(whole + 1)}
			}},
		{"REFUND_REVERSED in part", "", func(id, _ string, whole, part int64) {
			done(id+"-before", whole)
			w.bounce(id+"-before", part)
		}, func(_, part int64) []asked { return []asked{refused(part + 1), taken(part), refused(1)} }},
		{"REFUND_REVERSED as a whole", "", func(id, _ string, whole, _ int64) {
			done(id+"-before", whole)
			w.bounce(id+"-before", whole)
		}, func(whole, _ int64) []asked { return []asked{refused(whole + 1), taken(whole)} }},
		{
			"an inquiry moves no money", "", func(id, rrn string, _, _ int64) { w.quarrel("inquiry", rrn, "") },
			func(whole, _ int64) []asked { return []asked{taken(whole)} },
		},
		{"charged back in part", "", func(_, rrn string, whole, part int64) {
			w.quarrel("chargeback", rrn, `, "amount": %d`, whole-part)
		}, func(whole, part int64) []asked {
			return []asked{
				refused(whole + 1), failed(whole, "CHARGEBACK_IN_PLACE"), failed(part+1, "CHARGEBACK_IN_PLACE"), taken(part),
				failed(1, "CHARGEBACK_IN_PLACE"), refused(whole - part + 1),
			}
		}},
		{"charged back, and won", "", func(_, rrn string, _, _ int64) {
			w.quarrel("chargeback", rrn, "")
			w.quarrel("chargeback-reversed", rrn, "")
		}, func(whole, _ int64) []asked { return []asked{taken(whole), refused(1)} }},
		{"charged back, won, and charged back again", "", func(_, rrn string, _, part int64) {
			w.quarrel("chargeback", rrn, "")
			w.quarrel("chargeback-reversed", rrn, "")
			w.quarrel("chargeback", rrn, `, "stage": 2, "amount": %d`, part)
		}, func(whole, part int64) []asked {
			return []asked{failed(whole, "CHARGEBACK_IN_PLACE"), taken(whole - part), failed(part, "CHARGEBACK_IN_PLACE")}
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			outer := w
			w = w.in(t)
			defer func() { w = outer }()
			id, whole, part := fmt.Sprint("refunds-", i), int64(46_000+i), int64(6_000+i)
			var card edits
			if row.card != "" {
				card = edits{pan: row.card}
			}
			rrn := w.sold(id, whole, card)
			if row.lead != nil {
				row.lead(id, rrn, whole, part)
			}
			for n, a := range row.asks(whole, part) {
				name, word := fmt.Sprint(id, "-", n), "ACKNOWLEDGED"
				if a.status == 400 {
					word = precondition
				}
				for range 2 {
					w.repay(name, id, a.amount, a.status, word)
				}
				if a.status == 200 {
					w.verdict(name, a.told)
				}
			}
			w.obey()
		})
	}
	w.until("what was pending is told", func() bool { w.clock.Advance(time.Second); return w.told("refunds-1-before") != "" })
	w.verdict("refunds-1-before", "SUCCESS")
}

// quarrel lets the acquirer tell of a dispute, in a file of its own.
func (w *world) quarrel(action, rrn, more string, args ...any) {
	w.t.Helper()
	w.desk(action, nil, `{"rrn": %q`+more+`}`, append([]any{rrn}, args...)...)
	w.desk("dispute-file", nil, "")
	w.until("the acquirer's file is taken", w.taken)
}

// bounce lets a refund come back from the holder's bank.
func (w *world) bounce(id string, amount int64) {
	w.t.Helper()
	_, rrn := w.refundRow(id)
	w.desk("bounce-refund", nil, `{"rrn": %q, "amount": %d, "reason": "8350"}`, rrn, amount)
	w.deliver()
}

// TestRefundWindow: what comes too late for the card fails without a word to the network (Korea §4.4, design §3.6). When the window for
// disputes is over too, the card is gone.
func TestRefundWindow(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{account: "refund_window = \"240h\"\ndispute_window = \"480h\""})
	w.sold("window", 47_001, nil)
	w.repay("window-in", "window", 1_001, 200, "ACKNOWLEDGED")
	w.verdict("window-in", "SUCCESS")
	w.clock.Advance(11 * day)
	w.repay("window-out", "window", 1_002, 200, "ACKNOWLEDGED")
	w.verdict("window-out", "REFUND_WINDOW_EXCEEDED")
	if !w.keepsCard("window") {
		t.Error("the card is gone before the dispute window is over")
	}
	w.clock.Advance(10 * day)
	w.until("the card is erased", func() bool { return !w.keepsCard("window") })
	w.repay("window-gone", "window", 46_000, 200, "ACKNOWLEDGED")
	w.verdict("window-gone", "REFUND_WINDOW_EXCEEDED")
	w.repay("window-above", "window", 46_001, 400, precondition)
	if n := w.seen("0200", 1_002) + w.seen("0200", 46_000); n != 0 {
		t.Errorf("the host was asked %d times for what is too late", n)
	}
}

// keepsCard reports whether the card of a reservation is still in the database.
func (w *world) keepsCard(id string) (there bool) {
	w.t.Helper()
	w.query(`SELECT card IS NOT NULL FROM reservation WHERE request_id = '`+id+`'`, func(values []any) { there = values[0] == int64(1) })
	return there
}

// TestRefundThatGoesAstray: a request to pay is sent once. What may have been paid is undone before it is asked for anew, and nobody is
// paid twice (rails §1.10). A code that decides nothing is treated alike.
func TestRefundThatGoesAstray(t *testing.T) {
	t.Parallel()
	for dialect, reversal := range dialects {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, options{dialect: dialect})
			w.sold("astray", 48_000, nil)
			for i, rule := range []string{
				`"silent"`,
				`"silent-dropped"`,
				`"garbage"`,
				`"truncated"`,
				`"wrong-amount"`,
				`"close-mid-answer"`,
				`"close-before-answer"`,
				`"decline", "code": "91"`,
				`"decline", "code": "96"`,
				`"decline", "code": "09"`,
				`"decline", "code": "06"`,
				`"decline", "code": "94"`,
			} {
				id, amount := fmt.Sprint("astray-", i), int64(1_101+i)
				w.rule(fmt.Sprintf(`{"action": %s, "match": {"mti": "0200", "de3": "20", "amount": %d}, "times": 1}`, rule, amount))
				w.repay(id, "astray", amount, 200, "ACKNOWLEDGED")
				w.until(rule+" is told", func() bool { w.clock.Advance(time.Second); return w.told(id) != "" })
				w.verdict(id, "SUCCESS")
				orders, undone := w.seen("0200", amount), w.seen(reversal, amount)
				if orders != 2 || undone == 0 {
					t.Errorf("%s: the host saw %d orders and %d reversals, want 2 and some", rule, orders, undone)
				}
			}
			// The line is down: nothing has left the house, so nothing is undone.
			w.cut()
			w.repay("astray-down", "astray", 1_201, 200, "ACKNOWLEDGED")
			w.clock.Advance(time.Second)
			w.mend()
			w.until("it is told", func() bool { w.clock.Advance(100 * time.Millisecond); return w.told("astray-down") != "" })
			w.verdict("astray-down", "SUCCESS")
			if orders, undone := w.seen("0200", 1_201), w.seen(reversal, 1_201); orders != 1 || undone != 0 {
				t.Errorf("the host saw %d orders and %d reversals, want 1 and none", orders, undone)
			}
		})
	}
}

// TestChargebackMeetsRefund: a refund that has not left the house gives way; one that may have been paid is undone first. Where both stand,
// the dispute desk has a case (Korea §9.2).
func TestChargebackMeetsRefund(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{files: true})

	unsent := w.sold("meet-unsent", 48_101, nil)
	w.cut()
	w.repay("meet-unsent-refund", "meet-unsent", 48_101, 200, "ACKNOWLEDGED")
	w.quarrel("chargeback", unsent, "")
	w.verdict("meet-unsent-refund", "CHARGEBACK_IN_PLACE")
	w.mend()

	sent := w.sold("meet-sent", 48_102, nil)
	w.rule(`{"action": "silent", "match": {"mti": "0200", "amount": 48102}, "times": 1}`)
	w.rule(`{"action": "silent-dropped", "match": {"mti": "0420", "amount": 48102}}`)
	w.repay("meet-sent-refund", "meet-sent", 48_102, 200, "ACKNOWLEDGED")
	w.until("the reversal is under way", func() bool { return w.seen("0420", 48_102) > 0 })
	w.quarrel("chargeback", sent, `, "amount": 48102`)
	w.cased(1)
	if got := w.told("meet-sent-refund"); got != "" {
		t.Errorf("told before it is known: %s", got)
	}
	w.obey()
	w.until("it is told", func() bool { w.clock.Advance(time.Second); return w.told("meet-sent-refund") != "" })
	w.verdict("meet-sent-refund", "CHARGEBACK_IN_PLACE")

	both := w.sold("meet-both", 48_103, nil)
	w.repay("meet-both-refund", "meet-both", 48_103, 200, "ACKNOWLEDGED")
	w.verdict("meet-both-refund", "SUCCESS")
	w.quarrel("chargeback", both, `, "amount": 48103`)
	w.cased(2)
	if n := w.seen("0200", 48_101); n != 0 {
		t.Errorf("the host was asked %d times to pay what was charged back", n)
	}
}

// TestDefenceInEveryStage is Korea Cards v1 §9.5 and Card FOP v1 §8.5: what a defence hears in each stage and where the stage stands then,
// and that a capture and a cancel hear what they always hear of money that is taken.
func TestDefenceInEveryStage(t *testing.T) {
	t.Parallel()
	each(t, options{files: true, authorise: "4s"}, (*world).defenceInEveryStage)
}

func (w *world) defenceInEveryStage() {
	t := w.t
	const taken, nothing = "SUCCESS", "CHARGEBACK_NOT_DEFENDABLE"
	lapsed := func(id, state string, after time.Duration) {
		w.clock.Advance(after)
		w.until("its time is over", func() bool { return w.disputeState(id+"-capture") == state })
	}
	told := func(action, more string) func(id, rrn string) {
		return func(_, rrn string) { w.quarrel(action, rrn, more) }
	}
	defended := func(id, _ string) { w.want(defend, id+"-before", edits{paid: id + "-capture"}, 200, taken) }
	over := func(state string, after time.Duration) func(id, rrn string) {
		return func(id, _ string) { lapsed(id, state, after) }
	}
	inquiry, won := told("inquiry", ""), told("chargeback-reversed", "")
	first, second := told("chargeback", ""), told("chargeback", `, "stage": 2`)
	for i, row := range []struct {
		state string
		lead  []func(id, rrn string)
		heard string
		then  string
	}{
		{"", nil, nothing, ""},
		{"INQUIRY_OPEN", []func(id, rrn string){inquiry}, taken, "INQUIRY_DEFENDED"},
		{"INQUIRY_DEFENDED", []func(id, rrn string){inquiry, defended}, taken, "INQUIRY_DEFENDED"},
		{"INQUIRY_CLOSED", []func(id, rrn string){inquiry, over("INQUIRY_CLOSED", 21*day)}, nothing, "INQUIRY_CLOSED"},
		{"CB1_OPEN", []func(id, rrn string){inquiry, first}, taken, "CB1_DEFENDED"},
		{"CB1_DEFENDED", []func(id, rrn string){first, defended}, taken, "CB1_DEFENDED"},
		{"CB1_REVERSED", []func(id, rrn string){first, defended, won}, nothing, "CB1_REVERSED"},
		{"CB1_LOST", []func(id, rrn string){first, over("CB1_LOST", 21*day)}, nothing, "CB1_LOST"},
		{"CB1_LOST", []func(id, rrn string){first, defended, over("CB1_LOST", 76*day)}, nothing, "CB1_LOST"},
		{"CB1_REVERSED", []func(id, rrn string){first, over("CB1_LOST", 21*day), won}, nothing, "CB1_REVERSED"},
		{"CB2_OPEN", []func(id, rrn string){first, won, second}, taken, "CB2_DEFENDED"},
		{"CB2_DEFENDED", []func(id, rrn string){first, won, second, defended}, taken, "CB2_DEFENDED"},
		{"CB2_LOST", []func(id, rrn string){first, won, second, over("CB2_LOST", 21*day)}, nothing, "CB2_LOST"},
		{"CB2_REVERSED", []func(id, rrn string){first, won, second, won}, nothing, "CB2_REVERSED"},
	} {
		t.Run(fmt.Sprint(i, " ", row.state), func(t *testing.T) {
			outer := w
			w = w.in(t)
			defer func() { w = outer }()
			id, amount := fmt.Sprint("stage-", i), int64(49_001+i)
			rrn := w.sold(id, amount, nil)
			for _, step := range row.lead {
				step(id, rrn)
			}
			if got := w.disputeState(id + "-capture"); got != row.state {
				t.Fatalf("the dispute is %s", got)
			}
			for range 2 {
				w.want(defend, id+"-defence", edits{paid: id + "-capture"}, 200, row.heard)
				w.want(capture, id+"-again", edits{of: w.asked(id), "amount": sum(amount)}, 400, precondition)
				w.want(cancel, id+"-cancel", edits{of: w.asked(id)}, 400, precondition)
			}
			if got := w.disputeState(id + "-capture"); got != row.then {
				t.Errorf("the dispute is %s then, want %s", got, row.then)
			}
		})
	}
}

// TestDefenceIsTaken: every alphabet and padding that §4.6 allows gives the same document; what is no PDF, or about nothing, is an answer.
func TestDefenceIsTaken(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{files: true})
	rrn := w.sold("defence", 49_101, nil)
	w.sold("quiet", 49_102, nil)
	w.quarrel("chargeback", rrn, "")
	payload, kind := document+".payload", document+".mimeType"
	for i, c := range []struct {
		name string
		e    edits
		want string
	}{
		{"base64url", edits{payload: "JVBERi0xLjcKJcK1wrYK_-8"}, "SUCCESS"},
		{"base64url, padded", edits{payload: "JVBERi0xLjcKJcK1wrYK_-8="}, "SUCCESS"},
		{"base64", edits{payload: "JVBERi0xLjcKJcK1wrYK/+8"}, "SUCCESS"},
		{"base64, padded", edits{payload: "JVBERi0xLjcKJcK1wrYK/+8="}, "SUCCESS"},
		{"no PDF", edits{payload: "aGVsbG8"}, "INVALID_DOCUMENT_FORMAT"},
		{"no base64", edits{payload: "JVBERi0x LjcK"}, "INVALID_DOCUMENT_FORMAT"},
		{"both alphabets", edits{payload: "JVBERi0xLjcKJcK1wrYK/-8"}, "INVALID_DOCUMENT_FORMAT"},
		{"nothing", edits{payload: ""}, "INVALID_DOCUMENT_FORMAT"},
		{"another type", edits{kind: "IMAGE_PNG"}, "INVALID_DOCUMENT_FORMAT"},
		{"no PDF of a capture without a dispute", edits{paid: "quiet-capture", payload: "aGVsbG8"}, "INVALID_DOCUMENT_FORMAT"},
		{"no dispute", edits{paid: "quiet-capture"}, "CHARGEBACK_NOT_DEFENDABLE"},
		{"unknown capture", edits{paid: "nobody"}, "CAPTURE_REQUEST_ID_NOT_FOUND"},
		{"unknown capture, no PDF", edits{paid: "nobody", payload: "aGVsbG8"}, "CAPTURE_REQUEST_ID_NOT_FOUND"},
		{"a reservation", edits{paid: "defence"}, "CAPTURE_REQUEST_ID_NOT_FOUND"},
		{"another account's capture", edits{account: second}, "CAPTURE_REQUEST_ID_NOT_FOUND"},
		{"a payment made elsewhere", edits{
			paid: absent, "mrnPaymentDetails": map[string]any{"merchantId": "M-1"},
		}, "CAPTURE_REQUEST_ID_NOT_FOUND"},
	} {
		if got := w.ask(defend, fmt.Sprint("defence-", i), edits{paid: "defence-capture"}.and(c.e)); !got.is(200, c.want) {
			t.Errorf("%s: got %d %s, want %s", c.name, got.status, got.body, c.want)
		}
	}
	hashes, n := map[string]bool{}, 0
	w.query("SELECT sha256 FROM evidence", func(values []any) { hashes[fmt.Sprint(values[0])], n = true, n+1 })
	if n != 4 || len(hashes) != 1 {
		t.Errorf("%d documents with %d contents were kept, want 4 of one", n, len(hashes))
	}
}

// TestChargebackToldTwice: on line and by file is one dispute, told to Google once (rails §1.16).
func TestChargebackToldTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{dialect: "pi87-alt", files: true})
	rrn := w.sold("twice-told", 49_201, nil)
	w.desk("chargeback", nil, `{"rrn": %q, "both": true, "reason": "10.4"}`, rrn)
	w.until("the host has its answer", func() bool { return w.seenAnswer("0432") == 1 })
	w.deliver()
	w.drain()
	told := 0
	for _, d := range w.google.Load().Disputes() {
		if d.Capture == "twice-told-capture" {
			told++
		}
	}
	if rows := len(w.books().disputes); rows != 1 || told != 1 {
		t.Errorf("%d disputes, told %d times", rows, told)
	}
}

// seenAnswer counts what the host received of a type, whatever its amount.
func (w *world) seenAnswer(mti string) (n int) {
	w.t.Helper()
	var list []struct{ Direction, MTI string }
	w.command(w.control, "GET", "/transactions", "", &list)
	for _, m := range list {
		if m.Direction == "seen" && m.MTI == mti {
			n++
		}
	}
	return n
}

// TestRecordThatFitsNothing: a dispute over a capture that nobody made is a case and spoils nothing else of its file (rails §4.3).
func TestRecordThatFitsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{files: true})
	w.sold("known", 49_301, nil)
	var strange hostDispute
	w.desk("chargeback", &strange, `{"rrn": "999999999999", "amount": 777, "stray": true}`)
	w.strange[strange.Event] = true
	w.deliver()
	w.cased(1)
	if n := len(w.google.Load().Disputes()); n != 0 {
		t.Errorf("Google was told of %d disputes", n)
	}
	w.drain()
	if got := w.google.Load().ARNs(); len(got) != 1 || got[0].Subject != "known-capture" {
		t.Errorf("of the same file Google was told %v", got)
	}
}
