package storetest

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"naru/core/money"
	"naru/core/payment"
	"naru/engine"
)

func dispute(id, reservation string, s payment.DisputeState) payment.Dispute {
	d := payment.Dispute{
		ID: id, Account: "P", Payment: reservation, Stage: payment.Second, State: s, Amount: money.New(900, krw), Won: money.New(0, krw),
		Reason: payment.Fraud, Scope: "VISA", RawCode: "10.4", At: start, ReplyBy: start.Add(time.Hour), DueAt: start.Add(time.Hour),
		Told: "n-" + id,
	}
	if !d.Open() {
		d.DoneAt = start
	}
	switch {
	case strings.HasPrefix(string(s), "INQUIRY"):
		d.Stage = payment.Inquiry
	case strings.HasPrefix(string(s), "CB1"):
		d.Stage = payment.First
	}
	if s == payment.CB1Reversed || s == payment.CB2Reversed {
		d.Won = money.New(1, krw)
	}
	return d
}

func disputes(w *world) {
	w.hold("r")
	w.hold("s")
	insert := func(d payment.Dispute) func(engine.Tx) error {
		return func(tx engine.Tx) error { return tx.InsertDispute(d) }
	}
	update := func(d payment.Dispute) func(engine.Tx) error {
		return func(tx engine.Tx) error { return tx.UpdateDispute(d) }
	}
	inquiry, d := dispute("2", "r", payment.InquiryOpen), dispute("1", "r", payment.CB1Open)
	inquiry.Amount, d.At = money.New(0, krw), start.Add(time.Second)
	w.do(insert(d))
	w.do(insert(inquiry))
	w.do(insert(dispute("3", "s", payment.CB2Open)))
	find := func(want payment.Dispute) {
		w.Helper()
		w.look(func(v engine.Reader) error {
			got, ok, err := v.Dispute("1")
			same(w, "dispute", got, want)
			all, err2 := v.Disputes("r")
			same(w, "of the payment", all, []payment.Dispute{inquiry, want})
			if _, none, _ := v.Dispute("none"); !ok || none {
				w.Error("found", ok, none)
			}
			return errors.Join(err, err2)
		})
	}
	find(d)
	d.Case, d.Reason, d.Scope, d.RawCode, d.EventID, d.ToldTwice = "C1", payment.OtherReason, "MASTERCARD", "4853", "E1", true
	d.State, d.DueAt, d.ReplyBy = payment.CB1Defended, start.Add(3*time.Hour), start.Add(2*time.Hour)
	w.do(update(d))
	find(d)
	d.State, d.DoneAt = payment.CB1Lost, start.Add(time.Minute)
	w.do(update(d))
	find(d)
	opened := d
	opened.State, opened.DoneAt = payment.CB1Open, time.Time{}
	w.refuses("an end that is taken back", update(opened))
	d.State, d.DoneAt, d.Won = payment.CB1Reversed, start.Add(time.Hour), money.New(800, krw)
	w.do(update(d)) // a late win
	d.Told = "other"
	w.do(update(d))
	find(d)
	lost := d
	lost.State, lost.Won = payment.CB1Lost, money.New(0, krw)
	w.refuses("a win that is taken back", update(lost))

	again := dispute("4", "r", payment.CB1Open)
	again.Case = "C1"
	w.refuses("one stage of a case twice", insert(again))
	again.Stage, again.State = payment.Second, payment.CB2Open
	w.do(insert(again))
	again.ID, again.Payment = "5", "s"
	w.do(insert(again))

	for i, s := range payment.DisputeRules.States() { // the schema knows every state but that of nothing
		if s == payment.DisputeNone {
			w.refuses("a stage that was never told", insert(dispute("none", "s", s)))
			continue
		}
		w.do(insert(dispute("s"+fmt.Sprint(i), "s", s)))
	}
	for what, change := range map[string]func(*payment.Dispute){
		"a dispute of no payment":      func(d *payment.Dispute) { d.Payment = "none" },
		"an unknown state":             func(d *payment.Dispute) { d.State = "CB3_OPEN" },
		"an unknown stage":             func(d *payment.Dispute) { d.Stage = "THIRD" },
		"a state of another stage":     func(d *payment.Dispute) { d.State = payment.CB2Open },
		"a chargeback of nothing":      func(d *payment.Dispute) { d.Amount = money.New(0, krw) },
		"more won than was disputed":   func(d *payment.Dispute) { d.State, d.DoneAt, d.Won = payment.CB1Reversed, start, money.New(901, krw) },
		"a win of nothing":             func(d *payment.Dispute) { d.State, d.DoneAt = payment.CB1Reversed, start },
		"a win that is not over":       func(d *payment.Dispute) { d.Won = money.New(1, krw) },
		"an end without its time":      func(d *payment.Dispute) { d.State = payment.CB1Lost },
		"an open one with its end set": func(d *payment.Dispute) { d.DoneAt = start },
	} {
		x := dispute("bad", "s", payment.CB1Open)
		change(&x)
		w.refuses(what, insert(x))
	}
}

func dueDisputes(w *world) {
	w.hold("r")
	for id, c := range map[string]struct {
		state payment.DisputeState
		due   time.Time
	}{
		"second":  {payment.CB1Defended, start.Add(2 * time.Hour)},
		"first":   {payment.InquiryOpen, start.Add(time.Hour)},
		"third":   {payment.CB2Open, start.Add(3 * time.Hour)},
		"over":    {payment.CB1Lost, start},
		"endless": {payment.InquiryDefended, time.Time{}},
	} {
		d := dispute(id, "r", c.state)
		d.DueAt = c.due
		w.do(func(tx engine.Tx) error { return tx.InsertDispute(d) })
	}
	due := func(now time.Time, limit int, want ...string) {
		w.Helper()
		w.look(func(v engine.Reader) error {
			list, err := v.DueDisputes(now, limit)
			same(w, "due", fmt.Sprint(ids(list, func(d payment.Dispute) string { return d.ID })), fmt.Sprint(want))
			return err
		})
	}
	due(start.Add(time.Hour-time.Microsecond), 9)
	due(start.Add(time.Hour), 9, "first")
	due(start.Add(9*time.Hour), 9, "first", "second", "third")
	due(start.Add(9*time.Hour), 2, "first", "second")
	next := func() (at time.Time, ok bool) {
		w.look(func(v engine.Reader) (err error) { at, ok, err = v.NextDispute(); return err })
		return at, ok
	}
	if at, ok := next(); !ok || !at.Equal(start.Add(time.Hour)) {
		w.Error("next", at, ok)
	}
	for _, id := range []string{"first", "second", "third"} {
		w.do(func(tx engine.Tx) error {
			d, _, err := tx.Dispute(id)
			if err != nil {
				return err
			}
			d.State = map[payment.Stage]payment.DisputeState{
				payment.Inquiry: payment.InquiryClosed, payment.First: payment.CB1Lost, payment.Second: payment.CB2Lost,
			}[d.Stage]
			d.DoneAt = start
			return tx.UpdateDispute(d)
		})
	}
	if at, ok := next(); ok {
		w.Error("a stage without an end ends", at)
	}
}

func evidence(w *world) {
	w.hold("r")
	w.do(func(tx engine.Tx) error { return tx.InsertDispute(dispute("d", "r", payment.CB1Open)) })
	first := engine.Evidence{ID: "2", Dispute: "d", Size: 5, SHA256: strings.Repeat("0a", 32), Document: []byte("sealed"), At: start}
	second := first
	second.ID, second.At, second.SHA256 = "1", start.Add(time.Second), strings.Repeat("f0", 32)
	w.do(func(tx engine.Tx) error { return errors.Join(tx.InsertEvidence(second), tx.InsertEvidence(first)) })
	w.look(func(v engine.Reader) error {
		got, ok, err := v.Evidence("2")
		same(w, "evidence", got, first)
		list, err2 := v.EvidenceOf("d")
		a, b := first, second
		a.Document, b.Document = nil, nil
		same(w, "of the dispute", list, []engine.Evidence{a, b})
		if _, none, _ := v.Evidence("none"); !ok || none {
			w.Error("found", ok, none)
		}
		return errors.Join(err, err2)
	})
	for what, change := range map[string]func(*engine.Evidence){
		"a second document of one name": func(e *engine.Evidence) { e.ID = "1" },
		"a document about nothing":      func(e *engine.Evidence) { e.Dispute = "none" },
		"no document":                   func(e *engine.Evidence) { e.Document = nil },
		"an empty document":             func(e *engine.Evidence) { e.Size = 0 },
		"a digest that is none":         func(e *engine.Evidence) { e.SHA256 = "digest" },
	} {
		x := first
		x.ID = "3"
		change(&x)
		w.refuses(what, func(tx engine.Tx) error { return tx.InsertEvidence(x) })
	}
}
