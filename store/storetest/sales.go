package storetest

import (
	"errors"
	"slices"
	"time"

	"naru/core/money"
	"naru/core/payment"
	"naru/engine"
)

// sale is one that was asked for; the network has not answered.
func sale(id string) payment.Reservation {
	r := reservation(id)
	r.Purpose, r.LinkID = payment.ToSell, "L0"
	return r
}

// asked writes a sale with its attempt.
func (w *world) asked(id string) (payment.Reservation, payment.Attempt) {
	w.Helper()
	r, a := sale(id), attempt("a-"+id, id, payment.AttemptPrepared)
	w.do(func(tx engine.Tx) error { return errors.Join(tx.InsertReservation(r, start), tx.InsertAttempt(a)) })
	return r, a
}

// sold writes a sale that the network booked: it is captured under its own key, and done at once.
func (w *world) sold(id string, change func(*engine.Capture)) (payment.Reservation, engine.Capture) {
	w.Helper()
	r, a := w.asked(id)
	r.State, r.Version, r.Captured, r.NetworkID, r.LinkID, r.CardUntil = payment.Captured, 2, r.Amount, "N1", "L1", start.Add(time.Hour)
	a.State, a.Version, a.Code = payment.AttemptBooked, 2, "00"
	x := engine.Capture{
		ID: "c-" + id, Key: engine.Key{Account: "P", RequestID: r.RequestID}, Reservation: id, Amount: r.Amount, State: payment.CaptureSuccess,
		At: start, DoneAt: start, RRN: a.Trace.RRN, NetworkID: "N1", Approval: "A12345", Day: "20260302",
	}
	if change != nil {
		change(&x)
	}
	w.do(func(tx engine.Tx) error {
		moved, err1 := tx.UpdateReservation(r, start)
		booked, err2 := tx.UpdateAttempt(a, start)
		if !moved || !booked {
			w.Error("somebody was faster", moved, booked)
		}
		return errors.Join(err1, err2, tx.InsertCapture(x))
	})
	return r, x
}

// undone writes a sale whose answer was lost, and that was given back. Where the network had booked it, it names the day.
func (w *world) undone(id string, of money.Amount, day, acquirer string) {
	w.Helper()
	r, a := sale(id), attempt("a-"+id, id, payment.AttemptReversed)
	r.State, r.Amount = payment.NotHeld, of
	a.UndoneDay, a.Acquirer = day, acquirer
	v := advice("v-"+id, a.ID, id, start)
	v.State, v.Amount = payment.AdviceDone, of
	w.do(func(tx engine.Tx) error {
		return errors.Join(tx.InsertReservation(r, start), tx.InsertAttempt(a), tx.InsertAdvice(v))
	})
}

func sales(w *world) {
	r, x := w.sold("r", nil)
	w.look(func(v engine.Reader) error {
		got, _, err1 := v.ReservationByRequest(x.Key)
		same(w, "sale", got, r)
		capture, _, err2 := v.Capture("r")
		same(w, "capture", capture, x)
		_, held, err3 := v.NextExpiry()
		if held {
			w.Error("a sale ends as a hold does")
		}
		due, err4 := v.ErasableCards(r.CardUntil, 9)
		same(w, "cards", due, []payment.Reservation{r})
		return errors.Join(err1, err2, err3, err4)
	})
	w.refuses("a sale that is taken twice", func(tx engine.Tx) error {
		x.ID, x.RequestID = "again", "again"
		return tx.InsertCapture(x)
	})

	may := []payment.State{
		payment.Pending, payment.Captured, payment.Declined, payment.Reversing, payment.NotHeld, payment.CancelPending, payment.Cancelled,
	}
	for _, s := range payment.Rules.States() {
		r := sale(string(s))
		if r.State = s; s == payment.Captured {
			r.Captured = r.Amount
		}
		insert := func(tx engine.Tx) error { return tx.InsertReservation(r, start) }
		if slices.Contains(may, s) {
			w.do(insert)
		} else {
			w.refuses("a sale that is "+string(s), insert)
		}
	}
	for what, change := range map[string]func(*payment.Reservation){
		"a sale of nothing":             func(r *payment.Reservation) { r.Amount = money.New(0, krw) },
		"a sale that holds":             func(r *payment.Reservation) { r.State, r.Held = payment.CancelPending, true },
		"a sale that ends":              func(r *payment.Reservation) { r.HoldUntil = start },
		"a sale that took a part":       func(r *payment.Reservation) { r.State, r.Captured = payment.Captured, money.New(1, krw) },
		"a sale that took nothing":      func(r *payment.Reservation) { r.State = payment.Captured },
		"a refused sale that took some": func(r *payment.Reservation) { r.State, r.Captured = payment.Declined, r.Amount },
	} {
		r := sale("bad")
		change(&r)
		w.refuses(what, func(tx engine.Tx) error { return tx.InsertReservation(r, start) })
	}

	// What was lost is given back, and asked again with other terms; then it may come as a hold, and a hold as a sale (engine.ask).
	s, a := w.asked("s")
	next := func(state payment.State, change func(*payment.Reservation)) {
		w.Helper()
		s.State, s.Version = state, s.Version+1
		if change != nil {
			change(&s)
		}
		w.do(func(tx engine.Tx) error { _, err := tx.UpdateReservation(s, start); return err })
		w.look(func(v engine.Reader) error {
			got, _, err := v.Reservation(s.ID)
			same(w, "sale that is "+string(state), got, s)
			return err
		})
	}
	next(payment.Reversing, nil)
	a.State, a.Version = payment.AttemptReversing, 2
	w.do(func(tx engine.Tx) error { _, err := tx.UpdateAttempt(a, start); return err })
	w.refuses("a fresh attempt while another may have been booked", func(tx engine.Tx) error {
		return tx.InsertAttempt(attempt("fresh", "s", payment.AttemptPrepared))
	})
	a.State, a.Version, a.UndoneDay = payment.AttemptReversed, 3, "20260302"
	w.do(func(tx engine.Tx) error {
		_, err := tx.UpdateAttempt(a, start)
		return errors.Join(err, tx.InsertAttempt(attempt("fresh", "s", payment.AttemptPrepared)))
	})
	next(payment.NotHeld, nil)
	next(payment.Pending, func(r *payment.Reservation) {
		r.Amount, r.Captured, r.AttemptID = money.New(5, usd), money.New(0, usd), "fresh"
	})
	next(payment.NotHeld, nil)
	next(payment.Pending, func(r *payment.Reservation) { r.Purpose = payment.ToPay })
	next(payment.NotHeld, nil)
	next(payment.Pending, func(r *payment.Reservation) { r.Purpose = payment.ToSell })
	w.look(func(v engine.Reader) error {
		got, _, err := v.Attempt(a.ID)
		same(w, "given back", got, a)
		return err
	})
}

// underWay is what may still be booked on a day that is over: a sale that the network has not answered, and nothing else that waits.
func underWay(w *world) {
	for i, id := range []string{"s", "t"} {
		r, _ := w.asked(id)
		w.do(func(tx engine.Tx) error {
			_, err := tx.InsertIdempotency(engine.Idempotency{
				Key: engine.Key{Account: "P", RequestID: r.RequestID}, Method: "m", Fingerprint: []byte{1},
				CreatedAt: start.Add(time.Duration(i) * time.Second),
			})
			return err
		})
	}
	r := reservation("hold")
	w.do(func(tx engine.Tx) error {
		_, err := tx.InsertIdempotency(engine.Idempotency{
			Key: engine.Key{Account: "P", RequestID: r.RequestID}, Method: "m", Fingerprint: []byte{1}, CreatedAt: start,
		})
		return errors.Join(err, tx.InsertReservation(r, start), tx.InsertAttempt(attempt("a-hold", "hold", payment.AttemptPrepared)))
	})
	open := func(want ...int64) {
		w.Helper()
		w.look(func(v engine.Reader) error {
			at, err1 := v.OpenBefore("bc", start)
			after, err2 := v.OpenBefore("bc", start.Add(time.Microsecond))
			later, err3 := v.OpenBefore("bc", start.Add(time.Hour))
			other, err4 := v.OpenBefore("kb", start.Add(time.Hour))
			same(w, "open", []int64{at, after, later, other}, want)
			return errors.Join(err1, err2, err3, err4)
		})
	}
	open(0, 1, 2, 0)
	w.do(func(tx engine.Tx) error {
		return tx.FinishIdempotency(engine.Key{Account: "P", RequestID: "q-s"}, []byte("answer"), start)
	})
	open(0, 0, 1, 0)
	w.do(func(tx engine.Tx) error { return tx.DeleteIdempotency(engine.Key{Account: "P", RequestID: "q-t"}) })
	open(0, 0, 0, 0)
}

func soldNames(w *world) {
	hold := w.captured("1", nil)
	r, x := w.sold("2", func(x *engine.Capture) { x.At, x.DoneAt = start.Add(time.Second), start.Add(time.Second) })
	names := func(what string, want []engine.Capture, list []engine.Capture, err error) {
		w.Helper()
		w.must(err)
		same(w, what, list, want)
	}
	w.look(func(v engine.Reader) error {
		byRRN, err1 := v.CapturesByRRN(x.RRN)
		names("by the reference", []engine.Capture{hold, x}, byRRN, err1)
		byNetwork, err2 := v.CapturesByNetworkID("N1")
		names("by the network's name", []engine.Capture{hold, x}, byNetwork, err2)
		uncleared, err3 := v.Uncleared("bc", "M1", "20260302", hold.Amount.Currency().Code(), 9)
		names("not in a file", []engine.Capture{hold, x}, uncleared, err3)
		byRequest, ok, err4 := v.CaptureByRequest(engine.Key{Account: "P", RequestID: r.RequestID})
		same(w, "by its own request", byRequest, x)
		if !ok {
			w.Error("a sale is no capture")
		}
		return err4
	})
	x.ARN, x.Clearing = arn(1), engine.ClearedCapture
	w.do(func(tx engine.Tx) error { return tx.UpdateClearing(x) })
	w.look(func(v engine.Reader) error {
		byARN, _, err1 := v.CaptureByARN(arn(1))
		same(w, "by its reference number", byARN, x)
		uncleared, err2 := v.Uncleared("bc", "M1", "20260302", hold.Amount.Currency().Code(), 9)
		names("in no file yet", []engine.Capture{hold}, uncleared, err2)
		return err1
	})
	w.refuses("a second verdict", func(tx engine.Tx) error { return tx.UpdateCapture(x) })

	f, d, pay := refund("f", "2"), dispute("d", "2", payment.CB1Open), attempt("pay", "2", payment.AttemptPrepared)
	pay.Refund = f.ID
	order := advice("order", pay.ID, "2", start)
	order.Kind, order.State = payment.RefundOrder, payment.AdviceBatched
	w.do(func(tx engine.Tx) error { // beside the attempt that was booked
		return errors.Join(tx.InsertRefund(f), tx.InsertAttempt(pay), tx.InsertAdvice(order), tx.InsertDispute(d))
	})
	w.look(func(v engine.Reader) error {
		given, err1 := v.Refunds("2")
		same(w, "refunds", given, []payment.Refund{f})
		raised, err2 := v.Disputes("2")
		same(w, "disputes", raised, []payment.Dispute{d})
		batched, err3 := v.BatchedAdvices("bc", "M1", 9)
		same(w, "waiting for a file", batched, []payment.Advice{order})
		return errors.Join(err1, err2, err3)
	})
}
