package engine_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"naru/core/payment"
	"naru/core/settlement"
	"naru/crash"
	"naru/engine"
)

// byFile makes the acquirer one that takes captures and refunds by file (rails §4.2).
func byFile(c *engine.Config) { c.Links["bc"].Rail.(*acquirer).byFile = true }

func (w *world) batch() {
	w.Helper()
	w.must(w.MakeCaptureFiles(context.Background(), "bc"))
}

func (w *world) heard(a engine.CaptureAnswer) {
	w.Helper()
	w.must(w.TakeAnswer(context.Background(), a))
}

func says(code string) func(engine.CaptureLine) string {
	return func(engine.CaptureLine) string { return code }
}

func (w *world) captureFile(name string) (f engine.CaptureFile) {
	w.Helper()
	w.look(func(v engine.Reader) (err error) { f, _, err = v.CaptureFile(name); return err })
	return f
}

// The names of the first day's files of the merchant M1.
const (
	file1 = "PICAP_bc_M1_20260302_001.csv"
	file2 = "PICAP_bc_M1_20260302_002.csv"
)

func TestCaptureByFile(t *testing.T) {
	w := newWorld(t, byFile)
	w.approved(w.reserve("q", 12900))
	w.clock.Advance(time.Hour)
	accepted := w.clock.Now()
	w.yes(w.capture("c", "q", 10000))
	w.forward()
	w.is("q", payment.CapturePending, held, true)
	w.owes()
	if len(w.bank.told) != 0 {
		t.Error("it went over the line")
	}
	w.clock.Advance(time.Minute)
	for range 3 {
		w.batch()
	}
	x, r := w.clearing("q"), w.reservation("q")
	lines := w.tray.files[file1]
	if len(lines) != 1 || w.tray.puts != 1 {
		t.Fatalf("%+v, put %d times", w.tray.files, w.tray.puts)
	}
	if want := (engine.CaptureLine{
		Line: 1, Payment: x.ID, Trace: lines[0].Trace, Approval: r.Approval, NetworkID: r.NetworkID, Amount: won(10000), At: accepted,
	}); lines[0] != want || lines[0].Trace.RRN != w.bank.asked[0].Trace.RRN || lines[0].Trace.STAN == w.bank.asked[0].Trace.STAN {
		t.Errorf("%+v, not %+v", lines[0], want)
	}
	want := engine.CaptureFile{
		Acquirer: "bc", Merchant: "M1", Name: file1, Day: "20260302", Seq: 1, State: engine.CaptureFileSent, Items: 1, Currency: "KRW",
		At: w.clock.Now(),
	}
	if got := w.captureFile(file1); got != want {
		t.Errorf("%+v, not %+v", got, want)
	}
	w.is("q", payment.CapturePending, held, true) // the verdict is the answer's, not the upload's
	w.owes()
	w.clock.Advance(time.Hour)
	a := w.tray.answer(file1, says("00"))
	number := a.Lines[0].ARN
	for range 3 { // and again, for nothing
		w.heard(a)
		w.is("q", payment.Captured, "acquirer:receivable=10000 google:payable=-10000", true)
		w.owes("capture-result c SUCCESS 00", "capture-arn c "+number)
	}
	want.State, want.DoneAt = engine.CaptureFileAnswered, w.clock.Now()
	if got := w.captureFile(file1); got != want {
		t.Errorf("%+v, not %+v", got, want)
	}
	if x := w.clearing("q"); x.ARN != number || x.Day != "20260302" {
		t.Errorf("%+v", x)
	}
	w.agrees()
	w.wants()
}

func TestRefundByFile(t *testing.T) {
	w := newWorld(t, byFile)
	w.approved(w.reserve("q", 10000))
	w.yes(w.capture("c", "q", 10000))
	w.batch()
	w.heard(w.tray.answer(file1, says("00")))
	w.clock.Advance(24 * time.Hour)
	w.yes(w.refund("f", "c", 4000))
	w.yes(w.refund("g", "c", 1000))
	w.forward()
	w.batch()
	const next = "PICAP_bc_M1_20260303_001.csv" // each day begins with number one
	lines, f := w.tray.files[next], w.refundOf("q", "f")
	if len(lines) != 2 {
		t.Fatalf("%+v", w.tray.files)
	}
	if want := (engine.CaptureLine{
		Line: 1, Refund: true, Payment: f.ID, Trace: lines[0].Trace, Approval: w.reservation("q").Approval,
		NetworkID: w.reservation("q").NetworkID, Amount: won(4000), OriginalRRN: w.bank.holds[0].trace.RRN, OriginalDay: "20260302", At: f.At,
	}); lines[0] != want || lines[0].Trace.RRN != f.RRN {
		t.Errorf("%+v, not %+v", lines[0], want)
	}
	a := w.tray.answer(next, func(l engine.CaptureLine) string {
		if l.Amount == won(1000) {
			return "51"
		}
		return "00"
	})
	for range 2 {
		w.heard(a)
		w.is("q", payment.Captured, ours(6000), true)
	}
	told := w.notices()
	want := "refund-arn f " + a.Lines[0].ARN + ", refund-result f SUCCESS 00, refund-result g issuer_declined 51"
	if got := strings.Join(told[2:], ", "); got != want {
		t.Error(got)
	}
	if f := w.refundOf("q", "f"); f.ARN != a.Lines[0].ARN || f.Day != "20260303" {
		t.Errorf("%+v", f)
	}
	w.agrees()
	if len(w.bank.told) != 0 {
		t.Error("something went over the line")
	}
}

// A file that was made is handed over with the same content, whatever happens in between; what came later goes into the next one.
func TestFileThatIsHandedOverLater(t *testing.T) {
	w := newWorld(t, byFile)
	for i := range 2 {
		w.approved(w.reserve(fmt.Sprint("q", i), 100))
		w.yes(w.capture(fmt.Sprint("c", i), fmt.Sprint("q", i), 100))
	}
	w.tray.fail = errDisk
	if err := w.MakeCaptureFiles(context.Background(), "bc"); !errors.Is(err, errDisk) {
		t.Fatal(err)
	}
	if f := w.captureFile(file1); f.State != engine.CaptureFileMade || f.Items != 2 {
		t.Errorf("%+v", f)
	}
	w.approved(w.reserve("q2", 100))
	w.yes(w.capture("c2", "q2", 100))
	w.start()
	w.tray.fail = nil
	w.store.fail = func() error { // it is handed over, and nobody writes that down
		if w.tray.puts == 1 {
			w.store.fail = nil
			return errDisk
		}
		return nil
	}
	if err := w.MakeCaptureFiles(context.Background(), "bc"); !errors.Is(err, errDisk) {
		t.Fatal(err)
	}
	w.start()
	w.batch()
	if len(w.tray.files[file1]) != 2 || len(w.tray.files[file2]) != 1 || w.tray.puts != 3 {
		t.Errorf("%+v, put %d times", w.tray.files, w.tray.puts)
	}
	w.heard(w.tray.answer(file2, says("00"))) // in any order
	w.heard(w.tray.answer(file1, says("00")))
	for i := range 3 {
		if s := w.reservation(fmt.Sprint("q", i)).State; s != payment.Captured {
			t.Error(i, s)
		}
	}
	w.agrees()
}

// Rails §4.2 and §1.10: what each result does to a capture.
func TestResultsOfACaptureByFile(t *testing.T) {
	for code, c := range map[string]struct {
		state payment.State
		told  []string
		kind  string
		books string
	}{
		"00": {payment.Captured, []string{"capture-result c SUCCESS 00"}, "", moved},
		"91": {payment.CapturePending, nil, "", held},
		"R1": {payment.CaptureFailed, []string{"capture-result c REVOKED R1"}, "", nothing},
		"30": {payment.CapturePending, nil, "advice-refused", held},
		"25": {payment.CapturePending, nil, "capture-unknown", held},
	} {
		t.Run(code, func(t *testing.T) {
			w := newWorld(t, byFile, func(c *engine.Config) { c.Accounts[0].NoARN = true })
			w.approved(w.reserve("q", 12900))
			w.yes(w.capture("c", "q", 12900))
			w.batch()
			answer := w.tray.answer(file1, says(code))
			for range 2 {
				w.heard(answer)
			}
			w.is("q", c.state, c.books, c.state != payment.CaptureFailed)
			w.owes(c.told...)
			if c.kind == "" {
				w.wants()
			} else {
				w.wants(c.kind)
				list, err := w.ListCases(context.Background(), true, 9)
				w.must(err)
				w.must(w.ResumeCase(context.Background(), list[0].ID, "mended"))
			}
			w.forward()
			if len(w.bank.told) != 0 {
				t.Error("it went over the line")
			}
			w.batch()
			if again := c.state == payment.CapturePending; (len(w.tray.files[file2]) == 1) != again {
				t.Errorf("%+v", w.tray.files)
			} else if again {
				w.heard(w.tray.answer(file1, says("00"))) // the old file says nothing any more
				w.is("q", payment.CapturePending, held, true)
				w.heard(w.tray.answer(file2, says("00")))
				w.is("q", payment.Captured, moved, true)
				w.owes("capture-result c SUCCESS 00")
				if a, b := w.tray.files[file1][0], w.tray.files[file2][0]; a != b {
					t.Errorf("the record changed from %+v to %+v", a, b)
				}
			}
		})
	}
}

func TestAnswerThatFitsNothing(t *testing.T) {
	w := newWorld(t, byFile)
	w.approved(w.reserve("q", 12900))
	w.yes(w.capture("c", "q", 12900))
	w.batch()
	w.heard(engine.CaptureAnswer{Acquirer: "bc", File: "PICAP_unknown", Lines: []engine.CaptureAnswerLine{{Line: 1, Code: "00"}}})
	w.heard(engine.CaptureAnswer{Acquirer: "bc", File: file1, Lines: []engine.CaptureAnswerLine{{Line: 2, Code: "00"}}})
	w.is("q", payment.CapturePending, held, true)
	if err := w.TakeAnswer(context.Background(), engine.CaptureAnswer{Acquirer: "nobody", File: file1}); err == nil {
		t.Error("an answer of an acquirer that there is not")
	}
}

// The process dies while it reads an answer: the next reading goes on, and nothing of it is lost.
func TestAnswerAndACrash(t *testing.T) {
	for n := range 2 {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			w := newWorld(t, byFile)
			for i := range 2 {
				w.approved(w.reserve(fmt.Sprint("q", i), 100))
				w.yes(w.capture(fmt.Sprint("c", i), fmt.Sprint("q", i), 100))
			}
			w.batch()
			a := w.tray.answer(file1, says("00"))
			for range n + 1 {
				w.die = crash.AdviceSettled
				if !survives(func() { _ = w.TakeAnswer(context.Background(), a) }) {
					t.Fatal("the point was not passed")
				}
				w.start()
			}
			w.heard(a)
			w.owes("capture-result c0 SUCCESS 00", "capture-result c1 SUCCESS 00", "capture-arn c0 "+a.Lines[0].ARN,
				"capture-arn c1 "+a.Lines[1].ARN)
			w.agrees()
		})
	}
}

func TestAnswerThatCannotBeWritten(t *testing.T) {
	w := newWorld(t, byFile)
	w.approved(w.reserve("q", 12900))
	w.yes(w.capture("c", "q", 12900))
	w.batch()
	a := w.tray.answer(file1, says("00"))
	w.store.fail = func() error { return errDisk }
	if err := w.TakeAnswer(context.Background(), a); !errors.Is(err, errDisk) {
		t.Fatal(err)
	}
	w.store.fail = nil
	if got := w.captureFile(file1).State; got != engine.CaptureFileSent {
		t.Error(got)
	}
	w.heard(a)
	w.is("q", payment.Captured, moved, true)
}

// Rails §4.2: no answer at noon of the next day is an operator's business, once.
func TestFileWithoutAnAnswer(t *testing.T) {
	w := newWorld(t, byFile)
	for _, id := range []string{"a", "b"} {
		w.approved(w.reserve(id, 100))
		w.yes(w.capture("c"+id, id, 100))
		w.batch()
	}
	w.heard(w.tray.answer(file2, says("00")))
	w.clock.Advance(27*time.Hour - time.Microsecond)
	w.batch()
	w.wants()
	w.clock.Advance(time.Microsecond)
	for range 2 {
		w.batch()
		w.wants("capture-file-unanswered")
	}
	w.heard(w.tray.answer(file1, says("00"))) // late, and still taken
	w.agrees()
}

// A chargeback takes back a refund that no file carries yet; one that is in a file may be paid, so both stand.
func TestChargebackAndARefundByFile(t *testing.T) {
	for _, inFile := range []bool{false, true} {
		w := newWorld(t, byFile)
		w.approved(w.reserve("q", 10000))
		w.yes(w.capture("c", "q", 10000))
		w.batch()
		w.heard(w.tray.answer(file1, says("00")))
		w.yes(w.refund("f", "c", 8000))
		if inFile {
			w.batch()
		}
		w.chb()
		w.batch()
		if inFile {
			w.wants("chargeback-and-refund")
			w.heard(w.tray.answer(file2, says("00")))
			w.is("q", payment.Captured, ours(-1000), true)
		} else {
			w.wants()
			w.is("q", payment.Captured, ours(7000), true)
			if f := w.refundOf("q", "f"); f.State != payment.RefundFailed || f.Reason != payment.RefundChargebackFirst || len(w.tray.files) != 1 {
				t.Errorf("%+v, %v", f, w.tray.files)
			}
		}
		w.bank.moved = -3000
		w.agrees()
	}
}

// Each merchant has files of its own, numbered for itself.
func TestFilesOfMerchants(t *testing.T) {
	w := newWorld(t, byFile)
	w.atP2(77)
	w.approved(w.reserve("q", 100))
	w.yes(w.capture("c", "q", 100))
	w.batch()
	if len(w.tray.files[file1]) != 1 || len(w.tray.files["PICAP_bc_M2_20260302_001.csv"]) != 1 || len(w.tray.files) != 2 {
		t.Errorf("%+v", w.tray.files)
	}
}

// Holds and their reversals go over the line all the same.
func TestCancelWhereCapturesGoByFile(t *testing.T) {
	w := newWorld(t, byFile)
	w.approved(w.reserve("q", 100))
	w.yes(w.cancel("x", "q"))
	w.forward()
	w.is("q", payment.Cancelled, nothing, false)
	w.agrees()
}

func TestFilesNeedAPlace(t *testing.T) {
	rail := &acquirer{byFile: true}
	_, err := engine.New(engine.Config{Links: map[string]engine.Link{"bc": {Rail: rail}}})
	if err == nil || !strings.Contains(err.Error(), "bc") {
		t.Error(err)
	}
	for name, c := range map[string]engine.Account{
		"no acquirer": {ID: "P", Acquirer: "kb", Terminals: []string{"T"}}, "no terminal": {ID: "P", Acquirer: "bc"},
		"terms": {ID: "P", Acquirer: "bc", Terminals: []string{"T"}, Terms: settlement.Terms{CaptureBP: -1}},
	} {
		if _, err := engine.New(engine.Config{
			Links: map[string]engine.Link{"bc": {Rail: &acquirer{}}}, Accounts: []engine.Account{c},
		}); err == nil || !strings.Contains(err.Error(), "account P") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
