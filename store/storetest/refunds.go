package storetest

import (
	"errors"
	"fmt"
	"time"

	"naru/core/money"
	"naru/core/payment"
	"naru/engine"
)

// arn is an acquirer reference number.
func arn(n int) string { return fmt.Sprintf("7%022d", n) }

func checks(w *world) {
	none := money.New(0, krw)
	for _, p := range []payment.Purpose{payment.ToVerify, payment.ToCheck} {
		r := reservation(string(p))
		r.Purpose, r.Amount, r.Captured = p, none, none
		w.do(func(tx engine.Tx) error { return tx.InsertReservation(r, start) })
		r.State, r.Version = payment.Verified, 2
		w.do(func(tx engine.Tx) error {
			_, err := tx.UpdateReservation(r, start)
			return err
		})
		w.look(func(v engine.Reader) error {
			got, _, err := v.Reservation(r.ID)
			same(w, "check", got, r)
			return err
		})
	}
	w.refuses("a payment of nothing", func(tx engine.Tx) error { // the same request may come again as another method (engine.ask)
		r := reservation(string(payment.ToCheck))
		r.Purpose, r.Amount, r.Captured, r.State, r.Version = payment.ToPay, none, none, payment.Pending, 3
		_, err := tx.UpdateReservation(r, start)
		return err
	})
	held := reservation("held")
	held.Purpose, held.State, held.Held = payment.ToVerify, payment.VerifyHeld, true
	w.do(func(tx engine.Tx) error { return tx.InsertReservation(held, start) })
	w.refuses("a check that is over and holds money", func(tx engine.Tx) error {
		r := reservation("over")
		r.Purpose, r.State, r.Held = payment.ToCheck, payment.Verified, true
		return tx.InsertReservation(r, start)
	})
}

func erasing(w *world) {
	for _, c := range []struct {
		id    string
		card  []byte
		until time.Time
	}{
		{"second", []byte{1}, start.Add(2 * time.Hour)},
		{"first", []byte{1}, start.Add(time.Hour)},
		{"gone", nil, start.Add(time.Minute)},
		{"open", []byte{1}, time.Time{}},
	} {
		r := reservation(c.id)
		r.State, r.Card, r.CardUntil = payment.Captured, c.card, c.until
		w.do(func(tx engine.Tx) error { return tx.InsertReservation(r, start) })
	}
	due := func(now time.Time, limit int, want ...string) {
		w.Helper()
		w.look(func(v engine.Reader) error {
			list, err := v.ErasableCards(now, limit)
			same(w, "due", fmt.Sprint(ids(list, func(r payment.Reservation) string { return r.ID })), fmt.Sprint(want))
			return err
		})
	}
	next := func(want time.Time) {
		w.Helper()
		w.look(func(v engine.Reader) error {
			at, ok, err := v.NextErasure()
			if ok == want.IsZero() || ok && !at.Equal(want) {
				w.Errorf("next: %v %v, not %v", at, ok, want)
			}
			return err
		})
	}
	next(start.Add(time.Hour))
	due(start.Add(time.Hour-time.Microsecond), 9)
	due(start.Add(time.Hour), 9, "first")
	due(start.Add(9*time.Hour), 9, "first", "second")
	due(start.Add(9*time.Hour), 1, "first")
	for _, id := range []string{"first", "second"} {
		w.do(func(tx engine.Tx) error {
			r, _, err := tx.Reservation(id)
			if err != nil {
				return err
			}
			r.Card, r.CardUntil, r.Version = nil, time.Time{}, r.Version+1
			_, err = tx.UpdateReservation(r, start)
			return err
		})
		if id == "first" {
			next(start.Add(2 * time.Hour))
		}
	}
	next(time.Time{})
	due(start.Add(9*time.Hour), 9)
}

// captured writes a hold that was captured whole.
func (w *world) captured(id string, change func(*engine.Capture)) engine.Capture {
	w.Helper()
	w.hold(id)
	x := engine.Capture{
		ID: "c-" + id, Key: engine.Key{Account: "P", RequestID: "qc-" + id}, Reservation: id, Amount: money.New(12900, krw),
		State: payment.CaptureSuccess, At: start, DoneAt: start, RRN: "606109000001", NetworkID: "N1", Approval: "A12345", Day: "20260302",
	}
	if change != nil {
		change(&x)
	}
	w.do(func(tx engine.Tx) error { return tx.InsertCapture(x) })
	return x
}

func captureNames(w *world) {
	first := w.captured("1", func(x *engine.Capture) { x.ARN = arn(1) })
	second := w.captured("2", func(x *engine.Capture) { x.At = start.Add(-time.Second) })
	w.captured("3", func(x *engine.Capture) { x.RRN, x.NetworkID = "606109000003", "" })
	w.captured("4", func(x *engine.Capture) { x.State, x.DoneAt, x.Day = payment.CaptureOpen, time.Time{}, "" })
	w.look(func(v engine.Reader) error {
		byRequest, ok1, err1 := v.CaptureByRequest(engine.Key{Account: "P", RequestID: "qc-1"})
		byARN, ok2, err2 := v.CaptureByARN(arn(1))
		byRRN, err3 := v.CapturesByRRN("606109000001")
		byNetwork, err4 := v.CapturesByNetworkID("N1")
		same(w, "by request", byRequest, first)
		same(w, "by reference number", byARN, first)
		same(w, "by the hold's reference", byRRN, []engine.Capture{second, first})
		same(w, "by the network's name", byNetwork, []engine.Capture{second, first})
		_, other, err5 := v.CaptureByRequest(engine.Key{Account: "P2", RequestID: "qc-1"})
		_, unset, err6 := v.CaptureByARN("")
		unnamed, err7 := v.CapturesByNetworkID("")
		if !ok1 || !ok2 || other || unset || len(unnamed) > 0 {
			w.Error("found", ok1, ok2, other, unset, unnamed)
		}
		return errors.Join(err1, err2, err3, err4, err5, err6, err7)
	})
	w.refuses("one reference number for two captures", func(tx engine.Tx) error {
		second.ARN = arn(1)
		return tx.UpdateClearing(second)
	})
}

// refund is one that was taken over and is to be paid.
func refund(id, reservation string) payment.Refund {
	return payment.Refund{
		ID: id, Account: "P", RequestID: "q-" + id, Payment: reservation, State: payment.RefundPending, Amount: money.New(500, krw),
		Returned: money.New(0, krw), At: start,
	}
}

func refunds(w *world) {
	w.hold("r")
	f := refund("f", "r")
	find := func(want payment.Refund) {
		w.Helper()
		w.look(func(v engine.Reader) error {
			got, ok, err := v.Refund("f")
			same(w, "refund", got, want)
			if _, none, _ := v.Refund("none"); !ok || none {
				w.Error("found", ok, none)
			}
			return err
		})
	}
	update := func(f payment.Refund) func(engine.Tx) error {
		return func(tx engine.Tx) error { return tx.UpdateRefund(f) }
	}
	w.do(func(tx engine.Tx) error { return tx.InsertRefund(f) })
	find(f)
	twin := refund("g", "r")
	twin.RequestID = f.RequestID
	w.refuses("a second refund of one request", func(tx engine.Tx) error { return tx.InsertRefund(twin) })
	w.refuses("a refund of no payment", func(tx engine.Tx) error { return tx.InsertRefund(refund("g", "none")) })

	f.AttemptID, f.RRN = "a1", "606109000009"
	w.do(update(f))
	find(f)
	paid := f
	paid.State, paid.Code, paid.Day, paid.DoneAt = payment.Refunded, "00", "20260302", start.Add(time.Second)
	w.do(update(paid))
	find(paid)
	for what, change := range map[string]func(*payment.Refund){
		"a second verdict": func(f *payment.Refund) { f.State, f.Reason = payment.RefundFailed, payment.RefundTooLate },
		"no verdict":       func(f *payment.Refund) { f.State, f.DoneAt = payment.RefundPending, time.Time{} },
		"another time":     func(f *payment.Refund) { f.DoneAt = start.Add(time.Minute) },
	} {
		x := paid
		change(&x)
		w.refuses(what, update(x))
	}
	paid.ARN = arn(1)
	w.do(update(paid))
	find(paid)
	other := paid
	other.ARN = arn(2)
	w.refuses("another reference number", update(other))

	back := paid
	back.State, back.Returned, back.BackAt = payment.RefundReversed, money.New(300, krw), start.Add(time.Hour)
	w.do(update(back))
	find(back)
	w.refuses("money that comes back twice", update(paid))

	for what, change := range map[string]func(*payment.Refund){
		"nothing":                        func(f *payment.Refund) { f.Amount = money.New(0, krw) },
		"an unknown state":               func(f *payment.Refund) { f.State = "LOST" },
		"a failure without a reason":     func(f *payment.Refund) { f.State, f.DoneAt = payment.RefundFailed, start },
		"a reason without a failure":     func(f *payment.Refund) { f.Reason = payment.RefundTooLate },
		"a verdict without its time":     func(f *payment.Refund) { f.State = payment.Refunded },
		"a time without a verdict":       func(f *payment.Refund) { f.DoneAt = start },
		"more back than was given":       func(f *payment.Refund) { *f = back; f.Returned = money.New(501, krw) },
		"a return of nothing":            func(f *payment.Refund) { *f = back; f.Returned = money.New(0, krw) },
		"money back that nobody noticed": func(f *payment.Refund) { f.Returned = money.New(1, krw) },
		"a reference number that is one": func(f *payment.Refund) { f.ARN = arn(1) },
		"half a reference number":        func(f *payment.Refund) { f.ARN = arn(3)[12:] },
	} {
		x := refund("bad", "r")
		change(&x)
		x.ID, x.RequestID = "bad", "q-bad"
		if what == "more back than was given" || what == "a return of nothing" {
			x.ARN = ""
		}
		w.refuses(what, func(tx engine.Tx) error { return tx.InsertRefund(x) })
	}
}

func refundNames(w *world) {
	w.hold("r")
	w.hold("s")
	first, second, elsewhere := refund("2", "r"), refund("1", "r"), refund("3", "s")
	first.RRN, first.ARN, first.AttemptID = "606109000009", arn(1), "now"
	second.RRN, second.At = "606109000009", start.Add(time.Second)
	gaveUp, now := attempt("gave-up", "r", payment.AttemptReversed), attempt("now", "r", payment.AttemptBooked)
	gaveUp.Refund, now.Refund = first.ID, first.ID
	w.do(func(tx engine.Tx) error {
		return errors.Join(tx.InsertRefund(second), tx.InsertRefund(first), tx.InsertRefund(elsewhere), tx.InsertAttempt(gaveUp),
			tx.InsertAttempt(now))
	})
	w.look(func(v engine.Reader) error {
		all, err1 := v.Refunds("r")
		byRRN, err2 := v.RefundsByRRN("606109000009")
		unset, err3 := v.RefundsByRRN("")
		byARN, ok, err4 := v.RefundByARN(arn(1))
		_, none, err5 := v.RefundByARN("")
		same(w, "of a payment", all, []payment.Refund{first, second})
		same(w, "by reference", byRRN, []payment.Refund{first, second})
		same(w, "by reference number", byARN, first)
		if !ok || none || len(unset) > 0 {
			w.Error("found", ok, none, unset)
		}
		for _, a := range []string{"gave-up", "now"} {
			byAttempt, _, err := v.RefundByAttempt(a)
			same(w, "by attempt "+a, byAttempt, first)
			if err != nil {
				return err
			}
		}
		_, none, err6 := v.RefundByAttempt("a-r")
		if none {
			w.Error("a hold pays a refund")
		}
		return errors.Join(err1, err2, err3, err4, err5, err6)
	})
}

func batched(w *world) {
	for _, id := range []string{"r", "s", "t"} {
		w.hold(id)
	}
	other := attempt("other", "t", payment.AttemptGone)
	other.Merchant = "M2"
	w.do(func(tx engine.Tx) error { return tx.InsertAttempt(other) })
	first, second := advice("2", "a-r", "r", start), advice("1", "a-s", "s", start)
	third, elsewhere := advice("3", "a-r", "r", start.Add(time.Second)), advice("4", "other", "t", start)
	for _, a := range []*payment.Advice{&first, &second, &elsewhere} {
		a.Kind, a.State = payment.Completion, payment.AdviceBatched
	}
	for _, a := range []payment.Advice{first, second, third, elsewhere} {
		w.do(func(tx engine.Tx) error { return tx.InsertAdvice(a) })
	}
	waiting := func(limit int, want ...payment.Advice) {
		w.Helper()
		w.look(func(v engine.Reader) error {
			got, err := v.BatchedAdvices("bc", "M1", limit)
			same(w, "waiting", got, want)
			return err
		})
	}
	due := func(want ...string) {
		w.Helper()
		w.look(func(v engine.Reader) error {
			list, err := v.DueAdvices("bc", start.Add(time.Hour), 9)
			_, some, err2 := v.NextAdvice()
			if some != (len(want) > 0) {
				w.Error("next", some)
			}
			same(w, "due", fmt.Sprint(ids(list, adviceID)), fmt.Sprint(want))
			return errors.Join(err, err2)
		})
	}
	waiting(9, second, first)
	waiting(1, second)
	due() // the reversal waits for the file
	first.File, first.Line = "PICAP_1", 2
	second.File, second.Line = "PICAP_1", 1
	w.do(func(tx engine.Tx) error { return errors.Join(tx.UpdateAdvice(first), tx.UpdateAdvice(second)) })
	waiting(9)
	due()
	w.look(func(v engine.Reader) error {
		list, err1 := v.AdvicesOfFile("PICAP_1")
		none, err2 := v.AdvicesOfFile("")
		line, ok, err3 := v.AdviceOfLine("PICAP_1", 2)
		_, unset, err4 := v.AdviceOfLine("", 0)
		same(w, "by line", list, []payment.Advice{second, first})
		same(w, "the line", line, first)
		if !ok || unset || len(none) > 0 {
			w.Error("found", ok, unset, none)
		}
		before, err5 := v.OpenBefore("bc", start.Add(time.Second))
		until, err6 := v.OpenBefore("bc", start.Add(time.Second+time.Microsecond))
		others, err7 := v.OpenBefore("kb", start.Add(time.Hour))
		same(w, "queued before", []int64{before, until, others}, []int64{0, 1, 0})
		return errors.Join(err1, err2, err3, err4, err5, err6, err7)
	})
	elsewhere.File, elsewhere.Line = "PICAP_1", 2
	w.refuses("two advices on one line", func(tx engine.Tx) error { return tx.UpdateAdvice(elsewhere) })
	elsewhere.Line = 0
	w.refuses("a file without a line", func(tx engine.Tx) error { return tx.UpdateAdvice(elsewhere) })
	first.State = payment.AdviceDone
	w.do(func(tx engine.Tx) error { return tx.UpdateAdvice(first) })
	due("3")
}
