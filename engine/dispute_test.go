package engine_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"naru/core/payment"
	"naru/crash"
	"naru/engine"
)

// The parts of a record of a dispute.

func first(r *engine.ClearingRecord) {
	r.Stage, r.RawCode, r.Reason, r.Case = payment.First, "10.4", payment.Fraud, "K1"
	r.ReplyBy = r.At.Add(20 * 24 * time.Hour)
}

func second(r *engine.ClearingRecord) { first(r); r.Stage = payment.Second }

func inquiry(r *engine.ClearingRecord) { first(r); r.Stage, r.Gross = "", won(0) }

func ofCase(name string) func(*engine.ClearingRecord) {
	return func(r *engine.ClearingRecord) { r.Case = name }
}

func event(id string) func(*engine.ClearingRecord) {
	return func(r *engine.ClearingRecord) { r.ID = id }
}

const replyTime = 20 * 24 * time.Hour // as first says

const disputeWait = 75 * 24 * time.Hour // what an account has that says nothing of it

// inq, chb, cb2 and cbr are a dispute about the first hold, of 3000 of its 10000.
func (w *world) inq() engine.AcquirerFile {
	r := w.record(0, "INQ", 3000, inquiry)
	return w.clears(r)
}
func (w *world) chb() engine.AcquirerFile { return w.clears(w.record(0, "CHB", -3000, first)) }
func (w *world) cb2() engine.AcquirerFile { return w.clears(w.record(0, "CHB", -3000, second)) }
func (w *world) cbr() engine.AcquirerFile { return w.clears(w.record(0, "CBR", 3000, ofCase("K1"))) }

func (w *world) defence() string {
	w.Helper()
	w.seq++
	return w.yes(w.defend(fmt.Sprint("defence", w.seq), "c", "%PDF-1.7 a receipt"))
}

var (
	taken10   = ours(10000)
	disputed  = ours(7000)
	toldOfInq = "inquiry c 10.4 INQUIRY 3000 KRW fraud VISA K1"
	toldOfCB1 = "chargeback c 10.4 FIRST 3000 KRW fraud VISA K1"
	toldOfCB2 = "chargeback c 10.4 SECOND 3000 KRW fraud VISA K1"
	toldOfWin = "chargeback-reversed c 3000 KRW VISA K1"
)

// Korea Cards v1 §9.5, row by row: how each state is reached, and what each event makes of it.
func TestEveryMoveOfADispute(t *testing.T) {
	steps := map[string]func(*world){
		"inq":    func(w *world) { w.inq() },
		"ask":    func(w *world) { w.clears(w.record(0, "INQ", 3000, inquiry, ofCase(""))) },
		"chb":    func(w *world) { w.chb() },
		"cb2":    func(w *world) { w.cb2() },
		"cbr":    func(w *world) { w.cbr() },
		"defend": func(w *world) { w.defence() },
		"clock":  func(w *world) { w.later(replyTime + time.Microsecond) },
		"wait":   func(w *world) { w.later(disputeWait) },
		"fraud":  func(w *world) { w.clears(w.record(0, "FRD", 0)) },
	}
	for path, want := range map[string]struct {
		stages string
		books  string
		told   []string
		cases  int
	}{
		"inq":                 {"INQUIRY_OPEN", taken10, []string{toldOfInq}, 0},
		"inq defend":          {"INQUIRY_DEFENDED", taken10, []string{toldOfInq}, 0},
		"inq clock":           {"INQUIRY_CLOSED", taken10, []string{toldOfInq}, 0},
		"inq defend clock":    {"INQUIRY_CLOSED", taken10, []string{toldOfInq}, 0},
		"inq chb":             {"INQUIRY_CLOSED CB1_OPEN", disputed, []string{toldOfInq, toldOfCB1}, 0},
		"inq defend chb":      {"INQUIRY_CLOSED CB1_OPEN", disputed, []string{toldOfInq, toldOfCB1}, 0},
		"inq clock chb":       {"INQUIRY_CLOSED CB1_OPEN", disputed, []string{toldOfInq, toldOfCB1}, 0},
		"ask chb":             {"INQUIRY_CLOSED CB1_OPEN", disputed, []string{strings.TrimSuffix(toldOfInq, " K1"), toldOfCB1}, 0}, // a retrieval without a case
		"chb":                 {"CB1_OPEN", disputed, []string{toldOfCB1}, 0},
		"chb fraud":           {"CB1_OPEN", disputed, []string{toldOfCB1, "fraud c VISA"}, 0},
		"chb defend":          {"CB1_DEFENDED", disputed, []string{toldOfCB1}, 0},
		"chb defend defend":   {"CB1_DEFENDED", disputed, []string{toldOfCB1}, 0},
		"chb cbr":             {"CB1_REVERSED", taken10, []string{toldOfCB1, toldOfWin}, 0},
		"chb defend cbr":      {"CB1_REVERSED", taken10, []string{toldOfCB1, toldOfWin}, 0},
		"chb clock":           {"CB1_LOST", disputed, []string{toldOfCB1}, 0},
		"chb defend clock":    {"CB1_DEFENDED", disputed, []string{toldOfCB1}, 0},
		"chb defend wait":     {"CB1_LOST", disputed, []string{toldOfCB1}, 0},
		"chb clock cbr":       {"CB1_REVERSED", taken10, []string{toldOfCB1, toldOfWin}, 0}, // a late win
		"chb defend wait cbr": {"CB1_REVERSED", taken10, []string{toldOfCB1, toldOfWin}, 0},
		"chb cbr cb2":         {"CB1_REVERSED CB2_OPEN", disputed, []string{toldOfCB1, toldOfWin, toldOfCB2}, 0},
		"chb cbr cb2 defend":  {"CB1_REVERSED CB2_DEFENDED", disputed, []string{toldOfCB1, toldOfWin, toldOfCB2}, 0},
		"chb cbr cb2 cbr": {
			"CB1_REVERSED CB2_REVERSED", taken10, []string{toldOfCB1, toldOfWin, toldOfCB2, toldOfWin}, 0,
		},
		"chb cbr cb2 defend cbr": {
			"CB1_REVERSED CB2_REVERSED", taken10, []string{toldOfCB1, toldOfWin, toldOfCB2, toldOfWin}, 0,
		},
		"chb cbr cb2 clock":       {"CB1_REVERSED CB2_LOST", disputed, []string{toldOfCB1, toldOfWin, toldOfCB2}, 0},
		"chb cbr cb2 defend wait": {"CB1_REVERSED CB2_LOST", disputed, []string{toldOfCB1, toldOfWin, toldOfCB2}, 0},
		"chb cbr cb2 clock cbr": {
			"CB1_REVERSED CB2_REVERSED", taken10, []string{toldOfCB1, toldOfWin, toldOfCB2, toldOfWin}, 0,
		},
		"inq defend chb defend cbr cb2 cbr": {
			"INQUIRY_CLOSED CB1_REVERSED CB2_REVERSED", taken10, []string{toldOfInq, toldOfCB1, toldOfWin, toldOfCB2, toldOfWin}, 0,
		},
		"cb2":     {"CB2_OPEN", disputed, []string{toldOfCB2}, 0}, // without a first: taken, with a warning
		"cb2 cbr": {"CB2_REVERSED", taken10, []string{toldOfCB2, toldOfWin}, 0},

		// The illegal moves: nothing happens but a case.
		"cbr":                 {"", taken10, nil, 1},
		"inq cbr":             {"INQUIRY_OPEN", taken10, []string{toldOfInq}, 1},
		"inq inq":             {"INQUIRY_OPEN", taken10, []string{toldOfInq}, 1},
		"chb chb":             {"CB1_OPEN", disputed, []string{toldOfCB1}, 1},
		"chb cbr cbr":         {"CB1_REVERSED", taken10, []string{toldOfCB1, toldOfWin}, 1},
		"chb cbr cb2 cbr cb2": {"CB1_REVERSED CB2_REVERSED", taken10, []string{toldOfCB1, toldOfWin, toldOfCB2, toldOfWin}, 1},
		"chb cbr cb2 cbr cbr": {"CB1_REVERSED CB2_REVERSED", taken10, []string{toldOfCB1, toldOfWin, toldOfCB2, toldOfWin}, 1},
	} {
		t.Run(strings.ReplaceAll(path, " ", "_"), func(t *testing.T) {
			w := newWorld(t)
			w.taken("q", "c", 10000)
			for step := range strings.FieldsSeq(path) {
				w.clock.Advance(time.Second)
				steps[step](w)
			}
			var got []string
			for _, d := range w.disputes("q") {
				got = append(got, string(d.State))
				if d.Open() != d.DoneAt.IsZero() {
					t.Errorf("%+v", d)
				}
			}
			if strings.Join(got, " ") != want.stages {
				t.Errorf("stages %v, not %s", got, want.stages)
			}
			w.is("q", payment.Captured, want.books, true)
			w.owes(append([]string{"capture-result c SUCCESS 00"}, want.told...)...)
			if list := w.cases(); len(list) != want.cases {
				t.Errorf("cases %v", list)
			}
			if warned := strings.Contains(w.log.String(), "without a first"); warned != strings.HasPrefix(path, "cb2") {
				t.Error("the warning:", warned)
			}
		})
	}
}

// What a chargeback is, in full.
func TestChargebackByFile(t *testing.T) {
	w := newWorld(t)
	w.taken("q", "c", 10000)
	w.clock.Advance(time.Hour)
	r := w.record(0, "CHB", -3000, first, func(r *engine.ClearingRecord) { r.Fees = won(-1000); r.At = r.At.Add(-time.Hour) })
	got := w.clears(r)
	if got.State != engine.FileLoaded || got.Records != 1 || got.Exceptions != 0 || got.Net != -4000 {
		t.Errorf("%+v", got)
	}
	d, now := w.disputes("q")[0], w.clock.Now()
	want := payment.Dispute{
		ID: d.ID, Account: "P", Payment: w.reservation("q").ID, Case: "K1", Stage: payment.First, State: payment.CB1Open,
		Amount: won(3000), Won: won(0), Reason: payment.Fraud, Scope: "VISA", RawCode: "10.4", At: now.Add(-time.Hour),
		ReplyBy: now.Add(replyTime),
		DueAt:   now.Add(replyTime), Told: "naru-chargeback-" + d.ID, EventID: r.ID,
	}
	if d != want {
		t.Errorf("%+v, not %+v", d, want)
	}
	w.is("q", payment.Captured, "acquirer:receivable=6000 fee:acquirer=1000 google:payable=-7000", true)
	v := w.event(r.ID)
	if want := (engine.AcquirerEvent{
		Acquirer: "bc", ID: r.ID, File: got.Name, Line: 1, Type: "CHB", Digest: r.Digest, Payment: d.Payment, Object: "dispute/" + d.ID,
		Outcome: "APPLIED", Account: "P", Currency: "KRW", Gross: -3000, Fees: -1000, At: now,
	}); v != want {
		t.Errorf("%+v, not %+v", v, want)
	}
	w.notices()
	told := w.sent[len(w.sent)-1]
	var capture engine.Capture
	w.look(func(v engine.Reader) (err error) { capture, _, err = v.Capture(d.Payment); return err })
	if want := (engine.Notice{
		ID: d.Told, Kind: engine.ChargebackRaised, Account: "P", Subject: d.ID, Code: "10.4", After: "naru-capture-result-" + capture.ID,
		CreatedAt: now, Facts: engine.Facts{
			Capture: "c", OwnID: d.ID, Minor: 3000, Currency: "KRW", Stage: "FIRST", Reason: "fraud", Scope: "VISA", Case: "K1",
			AtMs: d.At.UnixMilli(), ReplyMs: d.ReplyBy.UnixMilli(),
		},
	}); told != want {
		t.Errorf("told %+v, not %+v", told, want)
	}
}

// Every stage of a case is told after the one before it, and the capture's own verdict before all (Korea Cards v1 §8).
func TestStagesAreToldInOrder(t *testing.T) {
	w := newWorld(t)
	w.approved(w.reserve("q", 10000))
	w.yes(w.capture("c", "q", 10000))
	w.forward()
	for _, step := range []func() engine.AcquirerFile{w.inq, w.chb, w.cbr, w.cb2, w.cbr} {
		w.clock.Advance(time.Second)
		step()
	}
	w.notices()
	var kinds []string
	for _, n := range w.sent {
		kinds = append(kinds, string(n.Kind)+" "+n.Facts.Stage)
	}
	want := "capture-result , inquiry INQUIRY, chargeback FIRST, chargeback-reversed , chargeback SECOND, chargeback-reversed "
	if got := strings.Join(kinds, ", "); got != want {
		t.Error(got)
	}
	w.contested("q", payment.InquiryClosed, payment.CB1Reversed, payment.CB2Reversed)
}

// Korea Cards v1 §9.5: a stage is open until its deadline, the last microsecond included.
func TestDeadlinesOfADispute(t *testing.T) {
	for name, c := range map[string]struct {
		replyBy func(*engine.ClearingRecord) // nil: as first says
		wait    time.Duration
		open    bool
	}{
		"before":            {nil, replyTime - time.Microsecond, true},
		"after":             {nil, replyTime + time.Microsecond, false},
		"no deadline given": {func(r *engine.ClearingRecord) { r.ReplyBy = time.Time{} }, 10*24*time.Hour - time.Microsecond, true},
		"ours is over":      {func(r *engine.ClearingRecord) { r.ReplyBy = time.Time{} }, 10*24*time.Hour + time.Microsecond, false},
	} {
		for stage, part := range map[payment.Stage]func(*engine.ClearingRecord){
			payment.Inquiry: inquiry, payment.First: first, payment.Second: second,
		} {
			for _, worker := range []bool{true, false} { // the clock's worker comes first, or the defence
				t.Run(fmt.Sprint(name, "/", stage, "/", worker), func(t *testing.T) {
					w := newWorld(t)
					w.taken("q", "c", 10000)
					typ, gross := "CHB", int64(-3000)
					if stage == payment.Inquiry {
						typ, gross = "INQ", 3000
					}
					parts := []func(*engine.ClearingRecord){part}
					if c.replyBy != nil {
						parts = append(parts, c.replyBy)
					}
					w.clears(w.record(0, typ, gross, parts...))
					w.clock.Advance(c.wait)
					if worker {
						w.must(w.LapseDue(context.Background()))
						if open := w.disputes("q")[0].Open(); open != c.open {
							t.Errorf("open: %v", open)
						}
					}
					want := fmt.Sprint(engine.DefenceTaken)
					if !c.open {
						want = fmt.Sprint(engine.DefenceOfNothing)
					}
					if got := w.defence(); got != want {
						t.Errorf("answered %s, not %s", got, want)
					}
				})
			}
		}
	}
}

// The account says how long a defended chargeback without an answer is waited for; each document begins the wait anew.
func TestPatienceWithADefence(t *testing.T) {
	w := newWorld(t, func(c *engine.Config) { c.Accounts[0].DisputeWait = 3 * 24 * time.Hour })
	w.taken("q", "c", 10000)
	w.chb()
	w.defence()
	w.later(2 * 24 * time.Hour)
	w.defence()
	w.later(3*24*time.Hour - time.Microsecond)
	w.contested("q", payment.CB1Defended)
	w.later(time.Microsecond)
	w.contested("q", payment.CB1Lost)
	if d := w.disputes("q")[0]; !d.DoneAt.Equal(w.clock.Now()) {
		t.Errorf("%+v", d)
	}
	if d := w.defence(); d != fmt.Sprint(engine.DefenceOfNothing) {
		t.Error(d)
	}
}

// advice is the first hold's chargeback as a network tells it on line.
func (w *world) advice(name string, minor int64, changes ...func(*payment.ChargebackAdvice)) payment.ChargebackAdvice {
	a := payment.ChargebackAdvice{
		Acquirer: "bc", Original: w.bank.holds[0].completion, Name: name, Amount: won(minor), Stage: payment.First, Reason: payment.Fraud,
		Scope: "ISO", RawCode: "4540", Case: "K1", At: w.clock.Now(), ReplyBy: w.clock.Now().Add(replyTime),
	}
	a.Original.RRN = w.bank.holds[0].trace.RRN
	for _, change := range changes {
		change(&a)
	}
	return a
}

func noCase(a *payment.ChargebackAdvice) { a.Case = "" }

func (w *world) told(a payment.ChargebackAdvice) {
	w.Helper()
	if !w.ChargedBack(context.Background(), a) {
		w.Errorf("%s was not taken over", a.Name)
	}
}

// Rails §1.16: a dispute told on line and by file is one event. The second telling completes the first; the counterparty hears of it once.
func TestOnLineAndByFileAreOneDispute(t *testing.T) {
	const toldOnLine = "chargeback c 4540 FIRST 3000 KRW fraud ISO K1"
	online := func(c ...func(*payment.ChargebackAdvice)) func(*world) {
		return func(w *world) { w.told(w.advice("0422/1", 3000, c...)) }
	}
	byFile := func(c ...func(*engine.ClearingRecord)) func(*world) {
		return func(w *world) {
			w.clears(w.record(0, "CHB", -3000, append([]func(*engine.ClearingRecord){first}, c...)...))
		}
	}
	for name, c := range map[string]struct {
		tellings []func(*world)
		caseNo   string
		told     []string
		stages   int
		cases    int
		twice    bool
	}{
		"on line, by file": {[]func(*world){online(), byFile()}, "K1", []string{toldOnLine}, 1, 0, true},
		"by file, on line": {[]func(*world){byFile(), online()}, "K1", []string{toldOfCB1}, 1, 0, true},
		"on line, without a case": {
			[]func(*world){online(noCase), byFile()}, "K1", []string{"chargeback c 4540 FIRST 3000 KRW fraud ISO"}, 1, 0, true,
		},
		"by file, without a case": {
			[]func(*world){byFile(ofCase("")), online()}, "K1", []string{"chargeback c 10.4 FIRST 3000 KRW fraud VISA"}, 1, 0, true,
		},
		"both without a case": {
			[]func(*world){online(noCase), byFile(ofCase(""))}, "", []string{"chargeback c 4540 FIRST 3000 KRW fraud ISO"}, 1, 0, true,
		},
		"on line twice":               {[]func(*world){online(), online()}, "K1", []string{toldOnLine}, 1, 0, false},
		"on line twice, then by file": {[]func(*world){online(), online(), byFile()}, "K1", []string{toldOnLine}, 1, 0, true},
		"by file under two names":     {[]func(*world){online(), byFile(), byFile()}, "K1", []string{toldOnLine}, 1, 1, true},
		"the same case, another amount": {
			[]func(*world){online(), func(w *world) { w.clears(w.record(0, "CHB", -2000, first)) }},
			"K1",
			[]string{toldOnLine},
			1, 1,
			false,
		},
		"two cases": {
			[]func(*world){online(), byFile(ofCase("K2"))},
			"K1",
			[]string{toldOnLine, strings.Replace(toldOfCB1, "K1", "K2", 1)},
			2, 0,
			false,
		},
		"the same case under another name": {
			[]func(*world){online(), func(w *world) { w.told(w.advice("0422/2", 3000)) }}, "K1", []string{toldOnLine}, 1, 1, false,
		},
		"without a case, and other amounts": {
			[]func(*world){online(noCase), func(w *world) { w.clears(w.record(0, "CHB", -2000, first)) }},
			"",
			[]string{"chargeback c 4540 FIRST 3000 KRW fraud ISO", "chargeback c 10.4 FIRST 2000 KRW fraud VISA K1"},
			2, 0, false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.taken("q", "c", 10000)
			for _, tell := range c.tellings {
				tell(w)
			}
			list := w.disputes("q")
			if len(list) != c.stages || list[0].Case != c.caseNo {
				t.Errorf("%+v", list)
			}
			if c.stages == 1 {
				if list[0].ToldTwice != c.twice {
					t.Errorf("told twice: %v", list[0].ToldTwice)
				}
				w.is("q", payment.Captured, disputed, true)
			}
			w.owes(append([]string{"capture-result c SUCCESS 00"}, c.told...)...)
			if got := w.cases(); len(got) != c.cases {
				t.Error(got)
			}
			w.contested("q", slices.Repeat([]payment.DisputeState{payment.CB1Open}, c.stages)...)
		})
	}
}

// A network is told that its chargeback was taken over only when it is on disk, as a case where it fits nothing.
func TestOnLineChargebackThatFitsNothing(t *testing.T) {
	for name, change := range map[string]func(*payment.ChargebackAdvice){
		"unknown capture":        func(a *payment.ChargebackAdvice) { a.Original.RRN = "999999999999" },
		"more than was captured": func(a *payment.ChargebackAdvice) { a.Amount = won(10001) },
		"nothing":                func(a *payment.ChargebackAdvice) { a.Amount = won(0) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.taken("q", "c", 10000)
			a := w.advice("0422/1", 3000, change)
			w.told(a)
			w.told(a) // its repeat
			w.contested("q")
			w.is("q", payment.Captured, taken10, true)
			w.owes("capture-result c SUCCESS 00")
			w.wants("acquirer-record")
			if v := w.event("0422/1"); v.Outcome != "EXCEPTION" || v.Reason == "" || v.Type != "0422" {
				t.Errorf("%+v", v)
			}
		})
	}
	t.Run("not captured", func(t *testing.T) {
		w := newWorld(t)
		w.approved(w.reserve("q", 10000))
		w.told(w.advice("0422/1", 3000))
		w.is("q", payment.Reserved, "acquirer:held=10000 google:held=-10000", true)
		w.wants("acquirer-record")
	})
}

func TestOnLineChargebackThatCannotBeWritten(t *testing.T) {
	w := newWorld(t)
	w.taken("q", "c", 10000)
	w.store.fail = func() error { return errDisk }
	if w.ChargedBack(context.Background(), w.advice("0422/1", 3000)) {
		t.Error("the network was told that it is on disk")
	}
	w.store.fail = nil
	w.told(w.advice("0422/1", 3000))
	w.is("q", payment.Captured, disputed, true)
}

func TestOnLineChargebackAndACrash(t *testing.T) {
	w := newWorld(t)
	w.taken("q", "c", 10000)
	a := w.advice("0422/1", 3000)
	w.die = crash.ChargebackTaken
	if !survives(func() { w.ChargedBack(context.Background(), a) }) {
		t.Fatal("the point was not passed")
	}
	w.start()
	w.told(a) // the network repeats what it heard no answer to
	w.is("q", payment.Captured, disputed, true)
	w.contested("q", payment.CB1Open)
	w.owes("capture-result c SUCCESS 00", "chargeback c 4540 FIRST 3000 KRW fraud ISO K1")
}

// Korea Cards v1 §9.2: a chargeback arrives while a refund is pending.
func TestChargebackWhileARefundIsPending(t *testing.T) {
	for name, c := range map[string]struct {
		refunds []int64 // pending
		before  reply   // what happened to their sending; nil: not sent
		charged int64
		end     []payment.RefundState
		verdict string // of the failed ones
		cases   []string
		books   int64
	}{
		"unsent, both fit": {[]int64{4000}, nil, 6000, []payment.RefundState{payment.Refunded}, "", nil, 0},
		"unsent, one above": {
			[]int64{4001}, nil, 6000, []payment.RefundState{payment.RefundFailed}, "chargeback_in_place", nil, 4000,
		},
		"link down, one above": {
			[]int64{4001}, linkDown, 6000, []payment.RefundState{payment.RefundFailed}, "chargeback_in_place", nil, 4000,
		},
		"oldest first, until fit": {
			[]int64{3000, 4000}, nil, 6000, []payment.RefundState{payment.RefundFailed, payment.Refunded}, "chargeback_in_place", nil, 0,
		},
		"sent, answer lost": {
			[]int64{4001},
			lostReply, 6000,
			[]payment.RefundState{payment.RefundFailed},
			"chargeback_in_place",
			[]string{"chargeback-and-refund"},
			4000,
		},
		"sent, both fit": {[]int64{4000}, lostReply, 6000, []payment.RefundState{payment.Refunded}, "", nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.taken("q", "c", 10000)
			if c.before != nil {
				w.replies(c.before)
			}
			for i, minor := range c.refunds {
				w.yes(w.refund(fmt.Sprint("f", i), "c", minor))
				w.clock.Advance(time.Second)
			}
			if c.before != nil {
				_, err := w.ForwardDue(context.Background())
				w.must(err)
			}
			w.clears(w.record(0, "CHB", -c.charged, first))
			for range 5 {
				w.later(time.Minute)
			}
			for i, want := range c.end {
				f := w.refundOf("q", fmt.Sprint("f", i))
				if f.State != want || want == payment.RefundFailed && string(f.Reason) != c.verdict {
					t.Errorf("%+v", f)
				}
			}
			w.wants(c.cases...)
			w.is("q", payment.Captured, ours(c.books), true)
			w.bank.moved = -c.charged
			w.agrees()
		})
	}
	t.Run("paid at the same time", func(t *testing.T) { // both stand: a case for the dispute desk
		w := newWorld(t)
		w.taken("q", "c", 10000)
		w.yes(w.refund("f", "c", 4001))
		w.replies(func(a *acquirer, o payment.AdviceOrder, repeat bool) payment.AdviceReply {
			w.clears(w.record(0, "CHB", -6000, first))
			return honest(a, o, repeat)
		})
		w.forward()
		w.wants("chargeback-and-refund")
		w.is("q", payment.Captured, "acquirer:receivable=-1 google:payable=1", true)
		w.owes("capture-result c SUCCESS 00", "refund-result f SUCCESS 00", "chargeback c 10.4 FIRST 6000 KRW fraud VISA K1")
		w.bank.moved = -6000
		w.agrees()
	})
	t.Run("while it tries to leave, and cannot", func(t *testing.T) { // nobody is paid twice when the line is back
		w := newWorld(t)
		w.taken("q", "c", 10000)
		w.yes(w.refund("f", "c", 4001))
		w.replies(func(a *acquirer, o payment.AdviceOrder, repeat bool) payment.AdviceReply {
			w.clears(w.record(0, "CHB", -6000, first))
			w.wants("chargeback-and-refund") // it may be leaving
			return linkDown(a, o, repeat)
		})
		_, err := w.ForwardDue(context.Background())
		w.must(err)
		for range 5 {
			w.later(time.Minute)
		}
		if f := w.refundOf("q", "f"); f.State != payment.RefundFailed || f.Reason != payment.RefundChargebackFirst {
			t.Errorf("%+v", f)
		}
		w.wants()
		w.is("q", payment.Captured, ours(4000), true)
		w.bank.moved = -6000
		w.agrees()
	})
	t.Run("of a refunded capture", func(t *testing.T) { // legal (§9.5, last row)
		w := newWorld(t)
		w.taken("q", "c", 10000)
		w.yes(w.refund("f", "c", 10000))
		w.forward()
		w.chb()
		w.contested("q", payment.CB1Open)
		w.wants("chargeback-and-refund")
		w.is("q", payment.Captured, ours(-3000), true)
	})
}

// Korea Cards v1 §4.6: the four results, each an answer for ever.
func TestDefend(t *testing.T) {
	for name, c := range map[string]struct {
		reach    func(*world)
		capture  string
		document string
		want     engine.DefendResult
		evidence int
	}{
		"open":             {func(w *world) { w.chb() }, "c", "%PDF-", engine.DefenceTaken, 1},
		"unknown capture":  {func(w *world) { w.chb() }, "nobody", "%PDF-", engine.DefenceOfUnknownCapture, 0},
		"made elsewhere":   {func(w *world) { w.chb() }, "", "%PDF-", engine.DefenceOfUnknownCapture, 0},
		"no document":      {func(w *world) { w.chb() }, "c", "", engine.DefenceUnreadable, 0},
		"both wrong":       {func(w *world) { w.chb() }, "nobody", "", engine.DefenceOfUnknownCapture, 0},
		"no dispute":       {func(*world) {}, "c", "%PDF-", engine.DefenceOfNothing, 0},
		"lost":             {func(w *world) { w.chb(); w.later(replyTime + 1000) }, "c", "%PDF-", engine.DefenceOfNothing, 0},
		"won":              {func(w *world) { w.chb(); w.cbr() }, "c", "%PDF-", engine.DefenceOfNothing, 0},
		"inquiry closed":   {func(w *world) { w.inq(); w.later(replyTime + 1000) }, "c", "%PDF-", engine.DefenceOfNothing, 0},
		"after the reply":  {func(w *world) { w.chb(); w.clock.Advance(replyTime + 1000) }, "c", "%PDF-", engine.DefenceOfNothing, 0},
		"only fraud":       {func(w *world) { w.clears(w.record(0, "FRD", 0)) }, "c", "%PDF-", engine.DefenceOfNothing, 0},
		"the second stage": {func(w *world) { w.chb(); w.cbr(); w.clock.Advance(1); w.cb2() }, "c", "%PDF-", engine.DefenceTaken, 1},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.taken("q", "c", 10000)
			c.reach(w)
			books, told := w.books(), len(w.notices())
			got := w.yes(w.defend("d", c.capture, c.document))
			if got != fmt.Sprint(c.want) {
				t.Errorf("answered %s, not %d", got, c.want)
			}
			n := 0
			for _, d := range w.disputes("q") {
				w.look(func(v engine.Reader) error {
					list, err := v.EvidenceOf(d.ID)
					n += len(list)
					return err
				})
			}
			if n != c.evidence || w.books() != books || len(w.notices()) != told {
				t.Errorf("%d documents", n)
			}
			w.later(400 * 24 * time.Hour)
			w.cbr()
			if again := w.yes(w.defend("d", c.capture, c.document)); again != got {
				t.Errorf("%q after %q", again, got)
			}
		})
	}
}

// Evidence goes to the newest stage that is open; a second document joins the first. It is sealed where it is stored.
func TestEvidence(t *testing.T) {
	w := newWorld(t)
	w.taken("q", "c", 10000)
	w.chb()
	w.clock.Advance(time.Second)
	w.clears(w.record(0, "CHB", -1000, first, ofCase("K2"))) // another case, newer
	w.clock.Advance(time.Second)
	w.clears(w.record(0, "INQ", 500, inquiry, ofCase("K3"), func(r *engine.ClearingRecord) { r.ReplyBy = r.At.Add(time.Hour) })) // the newest
	defend := func(id, document string) {
		w.Helper()
		if got := w.yes(w.defend(id, "c", document)); got != fmt.Sprint(engine.DefenceTaken) {
			t.Fatal(got)
		}
	}
	documents := func(n int) (list []string) {
		id := w.disputes("q")[n].ID
		var all []engine.Evidence
		w.look(func(v engine.Reader) (err error) { all, err = v.EvidenceOf(id); return err })
		for _, one := range all {
			if one.Document != nil || one.Dispute != id {
				t.Errorf("%+v", one)
			}
			full, err := w.Document(context.Background(), one.ID)
			w.must(err)
			if want := digestOf(string(full.Document)); one.SHA256 != want || one.Size != int64(len(full.Document)) {
				t.Errorf("%+v", one)
			}
			list = append(list, string(full.Document))
		}
		return list
	}
	defend("d1", "%PDF-1 secret words")
	w.contested("q", payment.CB1Open, payment.CB1Open, payment.InquiryDefended)
	w.later(2 * time.Hour) // the inquiry is over
	defend("d2", "%PDF-2")
	w.clock.Advance(time.Second)
	defend("d3", "%PDF-3")
	w.contested("q", payment.CB1Open, payment.CB1Defended, payment.InquiryClosed)
	for n, want := range []string{"[]", "[%PDF-2 %PDF-3]", "[%PDF-1 secret words]"} {
		if got := fmt.Sprint(documents(n)); got != want {
			t.Errorf("stage %d has %s, not %s", n, got, want)
		}
	}
	if _, err := w.Document(context.Background(), "nothing"); err != engine.ErrNotFound {
		t.Error(err)
	}
	var stored engine.Evidence
	last := w.disputes("q")[2].ID
	w.look(func(v engine.Reader) error {
		list, err := v.EvidenceOf(last)
		if err == nil {
			stored, _, err = v.Evidence(list[0].ID)
		}
		return err
	})
	if strings.Contains(string(stored.Document), "secret words") {
		t.Error("a document is stored in clear")
	}
	if plain, err := w.vault.Open(stored.Document, "evidence.document/"+stored.ID); err != nil || string(plain) != "%PDF-1 secret words" {
		t.Error("it is not sealed in its place:", err)
	}
}

func digestOf(document string) string {
	sum := sha256.Sum256([]byte(document))
	return hex.EncodeToString(sum[:])
}

func TestDefenceAndACrash(t *testing.T) {
	w := newWorld(t)
	w.taken("q", "c", 10000)
	w.chb()
	w.die = crash.DefenceTaken
	if !survives(func() { _, _ = w.defend("d", "c", "%PDF-") }) {
		t.Fatal("the point was not passed")
	}
	w.start()
	if got := w.yes(w.defend("d", "c", "%PDF-")); got != fmt.Sprint(engine.DefenceTaken) {
		t.Error(got)
	}
	id := w.disputes("q")[0].ID
	w.look(func(v engine.Reader) error {
		list, err := v.EvidenceOf(id)
		if len(list) != 1 {
			t.Errorf("%d documents of one", len(list))
		}
		return err
	})
}
