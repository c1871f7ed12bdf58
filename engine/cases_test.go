package engine_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"naru/core/fault"
	"naru/core/payment"
	"naru/engine"
	"naru/store"
)

// stopped makes a case: the network refuses the completion of q in a way that only a person can resolve.
func stopped(t *testing.T) (*world, engine.Case) {
	w := newWorld(t)
	w.approved(w.reserve("q", 12900))
	w.yes(w.capture("c", "q", 12900))
	w.replies(nonsense)
	w.forward()
	list, err := w.ListCases(context.Background(), true, 9)
	w.must(err)
	if len(list) != 1 {
		t.Fatal(list)
	}
	return w, list[0]
}

func TestCaseIsClosedOnce(t *testing.T) {
	w, c := stopped(t)
	w.clock.Advance(time.Hour)
	if want := (engine.Case{
		ID: c.ID, Kind: "advice-refused", Payment: w.reservation("q").ID, Subject: "advice/" + w.open("q")[0].ID,
		Detail: "kind=COMPLETION code=30", At: w.clock.Now().Add(-time.Hour),
	}); c != want {
		t.Errorf("%+v, not %+v", c, want)
	}
	w.no(fault.Invalid)("", w.CloseCase(context.Background(), c.ID, ""))
	if err := w.CloseCase(context.Background(), "nothing", "why"); !errors.Is(err, engine.ErrNotFound) {
		t.Error(err)
	}
	w.must(w.CloseCase(context.Background(), c.ID, "settled by telephone"))
	w.wants()
	for _, again := range []error{w.CloseCase(context.Background(), c.ID, "again"), w.ResumeCase(context.Background(), c.ID, "again")} {
		if !errors.Is(again, engine.ErrNotFound) {
			t.Error(again)
		}
	}
	all, err := w.ListCases(context.Background(), false, 9)
	w.must(err)
	if c.ClosedAt, c.Note = w.clock.Now(), "settled by telephone"; len(all) != 1 || all[0] != c {
		t.Errorf("%+v", all)
	}
	w.is("q", payment.CapturePending, held, true) // closing moves nothing
}

func TestCasesAreListedOldestFirst(t *testing.T) {
	w := newWorld(t)
	w.clears(w.record(-1, "CAP", 1))
	w.clock.Advance(time.Second)
	w.clears(w.record(-1, "ADJ", 1))
	w.clock.Advance(time.Second)
	w.clears(w.record(-1, "REF", -1))
	list, err := w.ListCases(context.Background(), true, 2)
	w.must(err)
	if len(list) != 2 || list[0].Kind != "acquirer-record" || list[1].Kind != "acquirer-adjustment" {
		t.Errorf("%+v", list)
	}
}

func TestAdviceIsSentAgain(t *testing.T) {
	w, c := stopped(t)
	w.clock.Advance(time.Hour)
	w.no(fault.Invalid)("", w.ResumeCase(context.Background(), c.ID, ""))
	w.must(w.ResumeCase(context.Background(), c.ID, "the acquirer has mended it"))
	w.wants()
	w.forward()
	w.is("q", payment.Captured, moved, true)
	w.owes("capture-result c SUCCESS 00")
	if a, b := w.bank.told[0], w.bank.told[1]; a.Trace != b.Trace {
		t.Errorf("%+v became %+v", a.Trace, b.Trace)
	}
	w.agrees()

	w, c = stopped(t)
	w.must(w.ResumeCase(context.Background(), c.ID, "hope"))
	w.replies(nonsense)
	w.forward()
	w.wants("advice-refused") // another refusal is another case
	list, err := w.ListCases(context.Background(), false, 9)
	w.must(err)
	if len(list) != 2 {
		t.Errorf("%+v", list)
	}
}

// An order to pay goes out once. What a person sends again is undone first, for the network may have kept it after all, and ordered anew.
func TestRefusedRefundIsOrderedAnew(t *testing.T) {
	for name, first := range map[string]reply{
		"not booked": nonsense,
		"booked all the same": func(a *acquirer, o payment.AdviceOrder, repeat bool) payment.AdviceReply {
			honest(a, o, repeat)
			return payment.AdviceReply{Verdict: payment.AdviceRefused, Code: "30"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.taken("q", "c", 10000)
			w.yes(w.refund("f", "c", 4000))
			w.replies(first)
			w.forward()
			w.wants("advice-refused")
			list, err := w.ListCases(context.Background(), true, 9)
			w.must(err)
			w.must(w.ResumeCase(context.Background(), list[0].ID, "they have mended it"))
			w.forward()
			for range 3 {
				w.later(time.Minute)
			}
			w.owes("capture-result c SUCCESS 00", "refund-result f SUCCESS 00")
			sent := map[payment.Trace]bool{}
			for _, o := range w.bank.told {
				if o.Kind == payment.RefundOrder {
					if sent[o.Trace] {
						t.Error("one order to pay was sent twice")
					}
					sent[o.Trace] = true
				}
			}
			booked := 0
			for _, p := range w.bank.paid {
				if p.state == "booked" {
					booked++
				}
			}
			if booked != 1 || len(w.bank.wrong) != 0 {
				t.Errorf("paid %d times, %v", booked, w.bank.wrong)
			}
			w.wants()
		})
	}
}

func TestResumingNothing(t *testing.T) {
	w, c := stopped(t)
	open := func(id, subject string) {
		t.Helper()
		w.must(w.db.Update(context.Background(), func(tx engine.Tx) error {
			return tx.OpenCase(engine.Case{ID: id, Kind: "test", Subject: subject, At: w.clock.Now()})
		}))
	}
	open("same", c.Subject)
	open("nothing", "")
	open("else", "settlement/1")
	open("gone", "advice/there-is-not")
	open("lost", "notice/there-is-not")
	if err := w.ResumeCase(context.Background(), "unknown", "why"); !errors.Is(err, engine.ErrNotFound) {
		t.Error(err)
	}
	w.must(w.ResumeCase(context.Background(), c.ID, "first"))
	w.forward()
	w.owes("capture-result c SUCCESS 00")
	for _, id := range []string{"same", "nothing", "else", "gone", "lost"} { // what was decided meanwhile is not sent again
		w.no(fault.Precondition)("", w.ResumeCase(context.Background(), id, "why"))
	}
	w.forward()
	if len(w.bank.told) != 2 || len(w.cases()) != 5 {
		t.Errorf("%d messages, cases %v", len(w.bank.told), w.cases())
	}
}

func TestNoticeIsSentAgain(t *testing.T) {
	w := newWorld(t)
	w.taken("q", "c", 12900)
	due, err := w.db.Notices(store.Everybody, 99, 0).DueNotices(context.Background(), w.clock.Now(), 9)
	w.must(err)
	id := due[0].ID
	w.must(w.db.RecordTry(context.Background(), engine.NoticeTry{
		Notice: id, N: 1, At: w.clock.Now(), Status: 400, Outcome: "refused", State: engine.NoticeParked, Due: w.clock.Now(),
	}))
	w.must(w.db.Update(context.Background(), func(tx engine.Tx) error {
		return tx.OpenCase(engine.Case{ID: "late", Kind: "test", Subject: "notice/" + id, At: w.clock.Now()})
	}))
	w.owes()
	w.wants("notice-parked", "test")
	w.must(w.ResumeCase(context.Background(), "notice-parked/"+id+"/1", "they have mended it"))
	w.no(fault.Precondition)("", w.ResumeCase(context.Background(), "late", "impatience"))
	w.owes("capture-result c SUCCESS 00")
	w.no(fault.Precondition)("", w.ResumeCase(context.Background(), "late", "it was told"))
	if w.sent[0].ID != id {
		t.Error("it goes out under another name")
	}
	w.wants("test")
}
