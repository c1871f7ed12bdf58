// Package storetest is the contract of a store as tests: whatever keeps payments must pass it.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"naru/core/ledger"
	"naru/core/money"
	"naru/core/payment"
	"naru/engine"
	"naru/store"
)

// Run tells whether what open opens is a store. Each test opens an empty one.
func Run(t *testing.T, open func(*testing.T) engine.Store) {
	for _, c := range []struct {
		name string
		test func(*world)
	}{
		{"idempotency rows are written once, answered once and then stay", idempotency},
		{"a reservation is kept whole and moves on from the version that was seen", reservations},
		{"holds end in the order of their time", expiring},
		{"a card check may hold nothing, and a payment not", checks},
		{"a sale holds nothing, and is taken whole or not at all", sales},
		{"a sale is open until it has its answer", underWay},
		{"a sale is found, refunded and disputed as any capture is", soldNames},
		{"cards are erased in the order of their time", erasing},
		{"an attempt moves on from the version that was seen", attempts},
		{"a payment has one live attempt, and so has a refund", liveAttempts},
		{"a hold is captured once and its verdict written once", captures},
		{"a capture is found by every name it has", captureNames},
		{"a hold is cancelled by many, each told once", cancels},
		{"advices are due in order within a payment and freely between payments", advices},
		{"an attempt is completed once and given back once", advicesOnce},
		{"what goes by file is not due and holds back what is younger", batched},
		{"a refund is kept whole and its verdict written once", refunds},
		{"a refund is found by every name it has", refundNames},
		{"a stage of a dispute is kept whole, and its end stays", disputes},
		{"stages end in the order of their time", dueDisputes},
		{"evidence stays as it was handed over", evidence},
		{"an acquirer's event is taken once", acquirerEvents},
		{"a file is loaded once", acquirerFiles},
		{"capture files go out, and are answered once", captureFiles},
		{"a day's totals are what is booked on it", dayTotals},
		{"totals are compared until the network has answered", reconciliations},
		{"the book of an account is one chain", accountBooks},
		{"an event is settled once", items},
		{"a settlement is closed once and paid once", settlements},
		{"a payout is kept whole and moves on from the version that was seen", payouts},
		{"what a payout came to stays", payoutResults},
		{"an attempt to pay out moves on from the version that was seen", payoutAttempts},
		{"a payout has one attempt that may pay it", onePayingAttempt},
		{"open payouts are due in the order of their time", duePayouts},
		{"what a bank never named is found by when it left", unacknowledged},
		{"a line of a statement is taken once", statements},
		{"a bank holds what the books say, and is quiet where nothing is open", floats},
		{"a deposit order is kept whole and moves on from the version that was seen", depositOrders},
		{"numbers, links, amounts and virtual accounts are given out once", givenOnce},
		{"one credit pays one order, and one order takes one credit", paidOnce},
		{"orders are found by the amount that they show, in their time", candidates},
		{"orders are found by their token and by their payer's name", namedOrders},
		{"the orders of a virtual account are found, newest first", virtualOrders},
		{"orders are due in the order of their time", dueOrders},
		{"a merchant's orders are listed in parts", orderPages},
		{"a credit is kept whole and moves on from the version that was seen", credits},
		{"money that is nobody's is found by what it may be for", openCredits},
		{"a booking is taken once, whoever tells it", bankEntries},
		{"a bank's message is taken once, and its numbers are remembered", bankMessages},
		{"a merchant has what the books say", merchantBalance},
		{"a merchant's payout is kept whole", merchantPayouts},
		{"a merchant's payouts are listed in parts", payoutPages},
		{"a payer registers once", registrations},
		{"a receiving account rests", pauses},
		{"a merchant's keys are listed and ended", merchantKeys},
		{"a merchant's notices are logged, and sent again", merchantNotices},
		{"the journal is a chain in one order", journal},
		{"the newest checkpoint is the last", checkpoints},
		{"balances follow postings", postings},
		{"one fact is one notice", noticesOnce},
		{"notices are tried until they are sent", notices},
		{"a notice says what it knows, and goes out again when it was parked", facts},
		{"a case is opened once and closed once", cases},
		{"no number is handed out twice", numbers},
		{"a failed transaction leaves nothing", atomic},
		{"a failing or panicking transaction leaves its neighbours alone", neighbours},
		{"nothing is seen before its commit", isolation},
		{"a call that was given up before it began has no effect", givenUp},
		{"of many writers of one key one wins", racers},
		{"a lease has one holder, and each new one a higher fence", leases},
		{"who guards a name runs alone", guards},
		{"how calls went is the sum of what every node counted", callTallies},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(&world{t, open(t)}) })
	}
}

type world struct {
	*testing.T
	engine.Store
}

// start is the business time of the tests, in microseconds as stores keep it.
var start = time.Date(2026, 3, 2, 9, 0, 0, 123000, time.UTC)

var krw, usd = money.Of("KRW"), money.Of("USD")

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// do is a transaction that must succeed.
func (w *world) do(work func(engine.Tx) error) {
	w.Helper()
	w.must(w.Update(context.Background(), work))
}

// refuses is a transaction that must fail, and leave nothing.
func (w *world) refuses(what string, work func(engine.Tx) error) {
	w.Helper()
	if err := w.Update(context.Background(), work); err == nil {
		w.Errorf("%s was accepted", what)
	}
}

// look reads outside any transaction.
func (w *world) look(read func(engine.Reader) error) {
	w.Helper()
	w.must(w.View(context.Background(), read))
}

func same(w *world, what string, got, want any) {
	w.Helper()
	if !reflect.DeepEqual(got, want) {
		w.Errorf("%s:\n got %+v\nwant %+v", what, got, want)
	}
}

// ids reads a list's names.
func ids[T any](list []T, id func(T) string) []string {
	names := []string{}
	for _, x := range list {
		names = append(names, id(x))
	}
	return names
}

func adviceID(a payment.Advice) string { return a.ID }

func reservation(id string) payment.Reservation {
	return payment.Reservation{
		ID: id, Account: "P", RequestID: "q-" + id, State: payment.Pending, Version: 1, Amount: money.New(12900, krw),
		Captured:  money.New(0, krw),
		AttemptID: "a-" + id, MCC: "5816", Card: []byte{1, 2, 3}, Chain: payment.Chain{Length: 1, Digest: []byte{7}},
	}
}

var stan int

func attempt(id, reservation string, state payment.AttemptState) payment.Attempt {
	stan++
	return payment.Attempt{
		ID: id, Reservation: reservation, State: state, Version: 1, Acquirer: "bc",
		Trace: payment.Trace{STAN: fmt.Sprintf("%06d", stan), RRN: "606109000001", At: start}, Terminal: "T1", Merchant: "M1",
	}
}

func advice(id, attempt, reservation string, at time.Time) payment.Advice {
	return payment.Advice{
		ID: id, Reservation: reservation, Attempt: attempt, Kind: payment.Reversal, State: payment.AdviceQueued,
		Trace: payment.Trace{STAN: "000777", RRN: "606109000001", At: at}, Reason: payment.UndoSilence, Amount: money.New(12900, krw),
		CreatedAt: at, DueAt: at,
	}
}

// hold writes a reservation with an approved attempt.
func (w *world) hold(id string) (payment.Reservation, payment.Attempt) {
	w.Helper()
	r, a := reservation(id), attempt("a-"+id, id, payment.AttemptApproved)
	w.do(func(tx engine.Tx) error {
		if err := tx.InsertReservation(r, start); err != nil {
			return err
		}
		return tx.InsertAttempt(a)
	})
	return r, a
}

func idempotency(w *world) {
	k := engine.Key{Account: "P", RequestID: "q"}
	running := engine.Idempotency{Key: k, Method: "m", Fingerprint: []byte{1, 2}, CreatedAt: start}
	find := func() (row engine.Idempotency, ok bool) {
		w.Helper()
		w.look(func(v engine.Reader) (err error) { row, ok, err = v.Idempotency(k); return err })
		again, known, err := w.Recall(context.Background(), k)
		w.must(err)
		same(w, "recalled", again, row)
		same(w, "known", known, ok)
		return row, ok
	}
	insert := func(row engine.Idempotency) (mine bool) {
		w.do(func(tx engine.Tx) (err error) { mine, err = tx.InsertIdempotency(row); return err })
		return mine
	}
	abandoned := func() (list []engine.Idempotency) {
		w.look(func(v engine.Reader) (err error) { list, err = v.Abandoned("", start); return err })
		return list
	}
	if _, ok := find(); ok {
		w.Error("a row was there before")
	}
	if !insert(running) {
		w.Error("the first was refused")
	}
	if insert(engine.Idempotency{Key: k, Method: "other", Fingerprint: []byte{9}, CreatedAt: start}) {
		w.Error("the key was taken twice")
	}
	if row, _ := find(); !reflect.DeepEqual(row, running) {
		same(w, "running", row, running)
	}
	older := engine.Idempotency{
		Key: engine.Key{Account: "P2", RequestID: "q"}, Method: "m", Fingerprint: []byte{3},
		CreatedAt: start.Add(-time.Second),
	}
	if !insert(older) {
		w.Error("another account's key was refused")
	}
	same(w, "abandoned", abandoned(), []engine.Idempotency{older, running})

	w.do(func(tx engine.Tx) error { return tx.DeleteIdempotency(older.Key) })
	w.do(func(tx engine.Tx) error { return tx.FinishIdempotency(k, []byte("answer"), start.Add(time.Second)) })
	answered := running
	answered.Done, answered.Answer = true, []byte("answer")
	row, _ := find()
	same(w, "answered", row, answered)
	same(w, "abandoned", len(abandoned()), 0)

	w.refuses("a second answer", func(tx engine.Tx) error { return tx.FinishIdempotency(k, []byte("other"), start) })
	w.refuses("deleting an answer", func(tx engine.Tx) error { return tx.DeleteIdempotency(k) })
	w.refuses("answering nothing", func(tx engine.Tx) error { return tx.FinishIdempotency(older.Key, []byte("x"), start) })
	row, _ = find()
	same(w, "answered for ever", row, answered)

	at := engine.Idempotency{
		Key: engine.Key{Account: "P", RequestID: "at once"}, Method: "m", Fingerprint: []byte{1}, Done: true, Answer: []byte("a"),
		CreatedAt: start,
	}
	if k = at.Key; !insert(at) {
		w.Error("an answered row was refused")
	}
	row, _ = find()
	same(w, "answered at once", row, at)
}

func reservations(w *world) {
	r := reservation("r")
	w.do(func(tx engine.Tx) error { return tx.InsertReservation(r, start) })
	find := func(what string, want payment.Reservation) {
		w.Helper()
		w.look(func(v engine.Reader) error {
			byID, ok, err := v.Reservation("r")
			if err != nil || !ok {
				w.Fatal(ok, err)
			}
			byRequest, ok, err := v.ReservationByRequest(engine.Key{Account: "P", RequestID: "q-r"})
			if err != nil || !ok {
				w.Fatal(ok, err)
			}
			same(w, what, byID, want)
			same(w, what+" by request", byRequest, want)
			for _, other := range []engine.Key{{Account: "P2", RequestID: "q-r"}, {Account: "P", RequestID: "q-s"}} {
				if _, ok, err := v.ReservationByRequest(other); ok || err != nil {
					w.Errorf("%v finds another's: %v", other, err)
				}
			}
			_, ok, err = v.Reservation("none")
			if ok {
				w.Error("what is not there was found")
			}
			return err
		})
	}
	find("fresh", r)

	full := r
	full.State, full.Version, full.Amount, full.Captured, full.Held = payment.CapturePending, 2, money.New(500, usd), money.New(400, usd), true
	full.HoldUntil, full.HostUntil, full.AttemptID = start.Add(time.Hour), start.Add(2*time.Hour), "other"
	full.Approval, full.Code, full.NetworkID, full.LinkID, full.MCC, full.Card = "A12345", "00", "NET1", "LINK1", "7995", nil
	full.CardUntil = start.Add(3 * time.Hour)
	full.Chain = payment.Chain{Length: 2, Digest: []byte{8, 8}}
	update := func(r payment.Reservation) (ok bool) {
		w.do(func(tx engine.Tx) (err error) { ok, err = tx.UpdateReservation(r, start); return err })
		return ok
	}
	if !update(full) {
		w.Error("the next version was refused")
	}
	find("every column", full)

	late := r
	late.Version, late.State = 2, payment.Declined
	if update(late) {
		w.Error("a version that somebody else had made was overwritten")
	}
	skipping := full
	skipping.Version = 4
	if update(skipping) {
		w.Error("a version was skipped")
	}
	find("the faster one", full)

	twice := reservation("s")
	twice.RequestID = "q-r"
	w.refuses("a second reservation of one request", func(tx engine.Tx) error { return tx.InsertReservation(twice, start) })
	for what, bad := range map[string]func(*payment.Reservation){
		"nothing":               func(r *payment.Reservation) { r.Amount = money.New(0, krw) },
		"more than was held":    func(r *payment.Reservation) { r.Captured = money.New(12901, krw) },
		"less than nothing":     func(r *payment.Reservation) { r.Captured = money.New(-1, krw) },
		"an unknown state":      func(r *payment.Reservation) { r.State = "GONE" },
		"a hold that is denied": func(r *payment.Reservation) { r.State, r.Held = payment.Declined, true },
		"an unknown purpose":    func(r *payment.Reservation) { r.Purpose = "PARK" },
	} {
		r := reservation("bad")
		bad(&r)
		w.refuses(what, func(tx engine.Tx) error { return tx.InsertReservation(r, start) })
	}
}

func expiring(w *world) {
	for i, c := range []struct {
		id    string
		state payment.State
		until time.Time
	}{
		{"third", payment.Reserved, start.Add(3 * time.Hour)},
		{"first", payment.Reserved, start.Add(time.Hour)},
		{"second", payment.VerifyHeld, start.Add(2 * time.Hour)},
		{"captured", payment.Captured, start.Add(time.Minute)},
		{"expired", payment.Expired, start.Add(time.Minute)},
		{"open", payment.Reserved, time.Time{}},
	} {
		r := reservation(fmt.Sprint(i))
		r.ID, r.State, r.HoldUntil = c.id, c.state, c.until
		w.do(func(tx engine.Tx) error { return tx.InsertReservation(r, start) })
	}
	for _, c := range []struct {
		now   time.Time
		limit int
		want  []string
	}{
		{start, 9, []string{}},
		{start.Add(time.Hour - time.Microsecond), 9, []string{}},
		{start.Add(time.Hour), 9, []string{"first"}},
		{start.Add(24 * time.Hour), 9, []string{"first", "second", "third"}},
		{start.Add(24 * time.Hour), 2, []string{"first", "second"}},
	} {
		w.look(func(v engine.Reader) error {
			due, err := v.ExpiringReservations(c.now, c.limit)
			same(w, "due at "+c.now.String(), ids(due, func(r payment.Reservation) string { return r.ID }), c.want)
			return err
		})
	}
	w.look(func(v engine.Reader) error {
		at, ok, err := v.NextExpiry()
		if !ok || !at.Equal(start.Add(time.Hour)) {
			w.Errorf("next: %v %v", at, ok)
		}
		return err
	})
	for _, id := range []string{"first", "second", "third"} {
		w.do(func(tx engine.Tx) error {
			r, _, err := tx.Reservation(id)
			if err != nil {
				return err
			}
			r.State, r.Version = payment.Expired, r.Version+1
			_, err = tx.UpdateReservation(r, start)
			return err
		})
	}
	w.look(func(v engine.Reader) error {
		_, ok, err := v.NextExpiry()
		if ok {
			w.Error("a hold without an end ends")
		}
		return err
	})
}

func attempts(w *world) {
	r, a := w.hold("r")
	find := func(want payment.Attempt) {
		w.Helper()
		w.look(func(v engine.Reader) error {
			got, ok, err := v.Attempt(a.ID)
			same(w, "attempt", got, want)
			if _, none, _ := v.Attempt("none"); !ok || none {
				w.Error("found", ok, none)
			}
			return err
		})
	}
	find(a)
	update := func(a payment.Attempt) (ok bool) {
		w.do(func(tx engine.Tx) (err error) { ok, err = tx.UpdateAttempt(a, start); return err })
		return ok
	}
	next := a
	next.State, next.Version, next.Code, next.UndoneDay = payment.AttemptReversed, 2, "00", "20260302"
	if !update(next) {
		w.Error("the next version was refused")
	}
	late := a
	late.State, late.Version = payment.AttemptCaptured, 2
	if update(late) {
		w.Error("a version that somebody else had made was overwritten")
	}
	find(next)

	twin := attempt("twin", r.ID, payment.AttemptVoid)
	twin.Trace = a.Trace
	w.refuses("two requests that the network cannot tell apart (rails §1.9)", func(tx engine.Tx) error { return tx.InsertAttempt(twin) })
	twin.Terminal = "T2"
	w.do(func(tx engine.Tx) error { return tx.InsertAttempt(twin) })
	w.refuses("an attempt of no reservation", func(tx engine.Tx) error { return tx.InsertAttempt(attempt("x", "none", payment.AttemptVoid)) })
	w.refuses("an unknown state", func(tx engine.Tx) error { return tx.InsertAttempt(attempt("x", r.ID, "SENT")) })
	w.refuses("undone, and not given back", func(tx engine.Tx) error {
		x := attempt("x", r.ID, payment.AttemptVoid)
		x.UndoneDay = "20260302"
		return tx.InsertAttempt(x)
	})
	w.refuses("an attempt of no refund", func(tx engine.Tx) error {
		x := attempt("x", r.ID, payment.AttemptVoid)
		x.Refund = "none"
		return tx.InsertAttempt(x)
	})
}

func liveAttempts(w *world) {
	live := map[payment.AttemptState]bool{payment.AttemptPrepared: true, payment.AttemptApproved: true, payment.AttemptReversing: true}
	w.do(func(tx engine.Tx) error { return tx.InsertReservation(reservation("r"), start) })
	first := attempt("first", "r", payment.AttemptPrepared)
	w.do(func(tx engine.Tx) error { return tx.InsertAttempt(first) })
	for i, s := range payment.AttemptRules.States() {
		work := func(tx engine.Tx) error { return tx.InsertAttempt(attempt(fmt.Sprint(i), "r", s)) }
		if live[s] {
			w.refuses("a second attempt that is "+string(s), work)
		} else {
			w.do(work)
		}
	}
	first.State, first.Version = payment.AttemptReversed, 2
	w.do(func(tx engine.Tx) error { _, err := tx.UpdateAttempt(first, start); return err })
	w.do(func(tx engine.Tx) error { return tx.InsertAttempt(attempt("fresh", "r", payment.AttemptPrepared)) })

	for _, id := range []string{"f", "g"} { // each beside the hold, and beside the other
		w.do(func(tx engine.Tx) error { return tx.InsertRefund(refund(id, "r")) })
	}
	paying := func(id, refund string, s payment.AttemptState) payment.Attempt {
		a := attempt(id, "r", s)
		a.Refund = refund
		return a
	}
	order := paying("pay-f", "f", payment.AttemptPrepared)
	w.do(func(tx engine.Tx) error {
		return errors.Join(tx.InsertAttempt(order), tx.InsertAttempt(paying("pay-g", "g", payment.AttemptPrepared)))
	})
	for i, s := range payment.AttemptRules.States() {
		work := func(tx engine.Tx) error { return tx.InsertAttempt(paying("f"+fmt.Sprint(i), "f", s)) }
		if live[s] {
			w.refuses("a second attempt to pay a refund that is "+string(s), work)
		} else {
			w.do(work)
		}
	}
	order.State, order.Version = payment.AttemptBooked, 2
	w.do(func(tx engine.Tx) error { _, err := tx.UpdateAttempt(order, start); return err })
	w.do(func(tx engine.Tx) error { return tx.InsertAttempt(paying("again-f", "f", payment.AttemptPrepared)) })
	w.look(func(v engine.Reader) error {
		got, _, err := v.Attempt(order.ID)
		same(w, "an attempt to pay a refund", got, order)
		return err
	})
}

func captures(w *world) {
	w.hold("r")
	w.hold("s")
	x := engine.Capture{
		ID: "c", Key: engine.Key{Account: "P", RequestID: "qc"}, Reservation: "r", Amount: money.New(9900, krw),
		State: payment.CaptureOpen, At: start, RRN: "606109000001", NetworkID: "N1", Approval: "A12345",
	}
	find := func(want engine.Capture) {
		w.Helper()
		w.look(func(v engine.Reader) error {
			got, ok, err := v.Capture("r")
			same(w, "capture", got, want)
			if _, none, _ := v.Capture("s"); !ok || none {
				w.Error("found", ok, none)
			}
			return err
		})
	}
	w.do(func(tx engine.Tx) error { return tx.InsertCapture(x) })
	find(x)
	second := x
	second.ID, second.RequestID = "d", "qd"
	w.refuses("a second capture of one hold", func(tx engine.Tx) error { return tx.InsertCapture(second) })
	named := x
	named.ID, named.Reservation = "e", "s"
	w.refuses("a second capture of one request", func(tx engine.Tx) error { return tx.InsertCapture(named) })

	x.State, x.DoneAt, x.Day = payment.CaptureSuccess, start.Add(time.Second), "20260302"
	w.do(func(tx engine.Tx) error { return tx.UpdateCapture(x) })
	find(x)
	other := x
	other.State = payment.CaptureLapsed
	w.refuses("a second verdict", func(tx engine.Tx) error { return tx.UpdateCapture(other) })
	w.refuses("the same verdict twice", func(tx engine.Tx) error { return tx.UpdateCapture(x) })
	find(x)

	x.Clearing, x.ARN = engine.ClearedCapture, arn(1)
	w.do(func(tx engine.Tx) error { return tx.UpdateClearing(x) })
	find(x)
	x.Clearing = engine.RejectedCapture
	w.do(func(tx engine.Tx) error { return tx.UpdateClearing(x) })
	find(x)
	for what, bad := range map[string]func(*engine.Capture){
		"another reference number": func(x *engine.Capture) { x.ARN = arn(2) },
		"none any more":            func(x *engine.Capture) { x.ARN = "" },
		"an unknown clearing":      func(x *engine.Capture) { x.Clearing = "LOST" },
		"a capture that is not":    func(x *engine.Capture) { x.ID = "none" },
	} {
		y := x
		bad(&y)
		w.refuses(what, func(tx engine.Tx) error { return tx.UpdateClearing(y) })
	}
	find(x)
	w.refuses("a reference number that is none", func(tx engine.Tx) error {
		return tx.InsertCapture(engine.Capture{
			ID: "e", Key: engine.Key{Account: "P", RequestID: "qe"}, Reservation: "s", Amount: money.New(1, krw), State: payment.CaptureOpen,
			At:  start,
			ARN: arn(3)[1:],
		})
	})
	for _, s := range []payment.CaptureState{payment.CaptureLapsed, payment.CaptureRevoked} { // the schema knows every verdict
		id := string(s)
		w.hold(id)
		y := engine.Capture{
			ID: id, Key: engine.Key{Account: "P", RequestID: id}, Reservation: id, Amount: money.New(1, krw),
			State: payment.CaptureOpen, At: start,
		}
		w.do(func(tx engine.Tx) error { return tx.InsertCapture(y) })
		y.State, y.DoneAt = s, start
		w.do(func(tx engine.Tx) error { return tx.UpdateCapture(y) })
	}
}

func cancels(w *world) {
	w.hold("r")
	w.hold("s")
	cancel := func(id, reservation string, at time.Time) engine.Cancel {
		return engine.Cancel{
			ID: id, Key: engine.Key{Account: "P", RequestID: "q" + id}, Reservation: reservation,
			State: payment.CancelOpen, At: at,
		}
	}
	first, second, elsewhere := cancel("2", "r", start), cancel("1", "r", start.Add(time.Second)), cancel("3", "s", start)
	for _, x := range []engine.Cancel{second, first, elsewhere} {
		w.do(func(tx engine.Tx) error { return tx.InsertCancel(x) })
	}
	open := func() (list []engine.Cancel) {
		w.look(func(v engine.Reader) (err error) { list, err = v.OpenCancels("r"); return err })
		return list
	}
	same(w, "open", open(), []engine.Cancel{first, second})
	twin := cancel("4", "s", start)
	twin.RequestID = first.RequestID
	w.refuses("a second cancel of one request", func(tx engine.Tx) error { return tx.InsertCancel(twin) })
	done := first
	done.State, done.DoneAt = payment.CancelSuccess, start.Add(time.Minute)
	w.do(func(tx engine.Tx) error { return tx.UpdateCancel(done) })
	same(w, "open", open(), []engine.Cancel{second})
	w.refuses("a second verdict", func(tx engine.Tx) error { return tx.UpdateCancel(done) })
}

func advices(w *world) {
	for _, id := range []string{"r", "s", "t"} {
		w.hold(id)
	}
	rest, completion := advice("1", "a-r", "r", start), advice("2", "a-r", "r", start) // equal times: the id decides
	rest.Kind, completion.Kind = payment.ReleaseRest, payment.Completion
	elsewhere := advice("0", "a-s", "s", start.Add(time.Second))
	for _, a := range []payment.Advice{completion, rest, elsewhere} {
		w.do(func(tx engine.Tx) error { return tx.InsertAdvice(a) })
	}
	due := func(now time.Time, limit int, want ...string) {
		w.Helper()
		w.look(func(v engine.Reader) error {
			list, err := v.DueAdvices("bc", now, limit)
			same(w, "due", fmt.Sprint(ids(list, adviceID)), fmt.Sprint(want))
			if other, err := v.DueAdvices("kb", now, limit); err != nil || len(other) > 0 {
				w.Errorf("due to another acquirer: %d, %v", len(other), err)
			}
			return err
		})
	}
	next := func(want time.Time) {
		w.Helper()
		w.look(func(v engine.Reader) error {
			at, ok, err := v.NextAdvice()
			if ok == want.IsZero() || ok && !at.Equal(want) {
				w.Errorf("next: %v %v, not %v", at, ok, want)
			}
			return err
		})
	}
	open := func(want ...payment.Advice) {
		w.Helper()
		w.look(func(v engine.Reader) error {
			list, err := v.OpenAdvices("r")
			same(w, "open", list, want)
			return err
		})
	}
	open(rest, completion)
	next(start)
	due(start.Add(-time.Microsecond), 9)
	due(start, 9, "1")
	due(start.Add(time.Second), 9, "1", "0")
	due(start.Add(time.Second), 1, "1")

	rest.Trace.STAN, rest.Trace.At = "000888", start.Add(time.Minute)
	rest.Sends, rest.Lost, rest.Renewed, rest.DueAt, rest.Code = 3, 1, true, start.Add(time.Minute), "91"
	w.do(func(tx engine.Tx) error { return tx.UpdateAdvice(rest) })
	open(rest, completion)
	due(start.Add(time.Second), 9, "0") // what stands behind waits too (rails §1.11 T6)
	due(start.Add(time.Hour), 9, "0", "1")

	rest.State = payment.AdviceStopped
	w.do(func(tx engine.Tx) error { return tx.UpdateAdvice(rest) })
	open(rest, completion)
	due(start.Add(time.Hour), 9, "0")
	rest.State = payment.AdviceQueued // an operator sends it again
	w.do(func(tx engine.Tx) error { return tx.UpdateAdvice(rest) })
	rest.State = payment.AdviceDone
	w.do(func(tx engine.Tx) error { return tx.UpdateAdvice(rest) })
	open(completion)
	due(start, 9, "2")
	w.look(func(v engine.Reader) error {
		got, ok, err := v.Advice("1")
		same(w, "done", got, rest)
		if _, none, _ := v.Advice("none"); !ok || none {
			w.Error("found", ok, none)
		}
		return err
	})
	w.refuses("changing what is done", func(tx engine.Tx) error { return tx.UpdateAdvice(rest) })

	for _, a := range []payment.Advice{completion, elsewhere} {
		a.State = payment.AdviceDone
		w.do(func(tx engine.Tx) error { return tx.UpdateAdvice(a) })
	}
	next(time.Time{})
	open()
}

func advicesOnce(w *world) {
	w.hold("r")
	for i, k := range []payment.AdviceKind{payment.Reversal, payment.ReleaseRest, payment.Completion, payment.RefundOrder} {
		a := advice(fmt.Sprint(i), "a-r", "r", start)
		a.Kind = k
		w.do(func(tx engine.Tx) error { return tx.InsertAdvice(a) })
		w.look(func(v engine.Reader) error {
			got, ok, err := v.AdviceOf("a-r", k)
			same(w, "the "+string(k), got, a)
			if _, none, _ := v.AdviceOf("none", k); !ok || none {
				w.Error("found", ok, none)
			}
			return err
		})
		a.ID, a.State = a.ID+"'", payment.AdviceDone
		w.refuses("a second "+string(k), func(tx engine.Tx) error { return tx.InsertAdvice(a) })
	}
	w.hold("nothing")
	w.do(func(tx engine.Tx) error { // a card check of nothing is undone too
		a := advice("8", "a-nothing", "nothing", start)
		a.Amount = money.New(0, krw)
		return tx.InsertAdvice(a)
	})
	w.refuses("a capture of nothing", func(tx engine.Tx) error {
		a := advice("9", "a-nothing", "nothing", start)
		a.Kind, a.Amount = payment.Completion, money.New(0, krw)
		return tx.InsertAdvice(a)
	})
	w.refuses("an advice of no attempt", func(tx engine.Tx) error { return tx.InsertAdvice(advice("9", "none", "r", start)) })
}

func event(payment string, n int64) engine.JournalEvent {
	return engine.JournalEvent{
		Payment: payment, N: n, At: start, Object: "refund/f", Event: "refund-book", State: "REFUNDED", Actor: "acquirer", Detail: "code=00",
		Digest: []byte(fmt.Sprint(payment, n)),
	}
}

func journal(w *world) {
	for _, e := range []engine.JournalEvent{event("r", 1), event("s", 1), event("r", 2), event("s", 2)} {
		w.do(func(tx engine.Tx) error { return tx.AppendEvent(e) })
	}
	w.refuses("a second event in one place", func(tx engine.Tx) error { return tx.AppendEvent(event("r", 2)) })
	w.refuses("an event before the first", func(tx engine.Tx) error { return tx.AppendEvent(event("r", 0)) })
	var all []engine.ChainLink
	w.look(func(v engine.Reader) (err error) { all, err = v.Chain(0, 9); return err })
	got := ids(all, func(l engine.ChainLink) string { return string(l.Digest) })
	same(w, "chain", got, []string{"r1", "s1", "r2", "s2"})
	w.look(func(v engine.Reader) error {
		some, err := v.Chain(all[0].ID, 2)
		same(w, "part", some, all[1:3])
		none, err2 := v.Chain(all[3].ID, 9)
		same(w, "after the end", len(none), 0)
		return errors.Join(err, err2)
	})
	for i := 1; i < len(all); i++ {
		if all[i].ID <= all[i-1].ID {
			w.Error("the order is not that of the writing")
		}
	}
}

func checkpoints(w *world) {
	last := func() (p engine.Checkpoint, ok bool) {
		w.look(func(v engine.Reader) (err error) { p, ok, err = v.LastCheckpoint(); return err })
		return p, ok
	}
	if p, ok := last(); ok || !reflect.DeepEqual(p, engine.Checkpoint{}) {
		w.Error("a checkpoint of nothing", p)
	}
	for n := int64(1); n <= 3; n++ {
		p := engine.Checkpoint{N: n, LastID: 10 * n, Count: 10, Digest: []byte{byte(n)}, At: start.Add(time.Duration(n) * time.Second)}
		w.do(func(tx engine.Tx) error { return tx.InsertCheckpoint(p) })
		got, ok := last()
		same(w, "last", got, p)
		w.refuses("a second one of that number", func(tx engine.Tx) error { return tx.InsertCheckpoint(p) })
		if !ok {
			w.Error("lost")
		}
	}
}

func postings(w *world) {
	a, b := money.New(12900, krw), money.New(9900, krw)
	for n, list := range [][]ledger.Posting{
		{ledger.Hold("P", a)},
		{ledger.ReleaseHold("P", a), ledger.Capture("P", b)},
		{ledger.Hold("P2", a), ledger.Hold("P2", money.New(100, usd))},
		nil,
	} {
		w.do(func(tx engine.Tx) error { return tx.Post(event("r", int64(n+1)), list) })
	}
	w.refuses("the postings of one event twice", func(tx engine.Tx) error {
		return tx.Post(event("r", 1),
			[]ledger.Posting{ledger.Hold("P", a)})
	})
	w.refuses("a posting between two owners", func(tx engine.Tx) error {
		p := ledger.Hold("P", a)
		p.Credit.Owner = "P2"
		return tx.Post(event("r", 9), []ledger.Posting{p})
	})
	w.refuses("a posting to itself", func(tx engine.Tx) error {
		p := ledger.Hold("P", a)
		p.Credit = p.Debit
		return tx.Post(event("r", 9), []ledger.Posting{p})
	})
	w.refuses("a posting of nothing", func(tx engine.Tx) error {
		return tx.Post(event("r", 9), []ledger.Posting{{Debit: ledger.Account{Kind: "a", Owner: "P"}, Credit: ledger.Account{
			Kind:  "b",
			Owner: "P",
		}, Amount: money.New(0, krw)}})
	})
	got, err := w.Store.(interface {
		Balances(context.Context) ([]store.Balance, error)
	}).Balances(context.Background())
	w.must(err)
	same(w, "balances", got, []store.Balance{
		{Account: "acquirer:held", Owner: "P", Currency: "KRW", Amount: 0},
		{Account: "acquirer:receivable", Owner: "P", Currency: "KRW", Amount: 9900},
		{Account: "google:held", Owner: "P", Currency: "KRW", Amount: 0},
		{Account: "google:payable", Owner: "P", Currency: "KRW", Amount: -9900},
		{Account: "acquirer:held", Owner: "P2", Currency: "KRW", Amount: 12900},
		{Account: "acquirer:held", Owner: "P2", Currency: "USD", Amount: 100},
		{Account: "google:held", Owner: "P2", Currency: "KRW", Amount: -12900},
		{Account: "google:held", Owner: "P2", Currency: "USD", Amount: -100},
	})
}

// outbox is the other half of the contract: what the outbox asks of a store.
type outbox interface {
	DueNotices(ctx context.Context, now time.Time, limit int) ([]engine.DueNotice, error)
	NextNotice(ctx context.Context) (time.Time, bool, error)
	RecordTry(context.Context, engine.NoticeTry) error
}

// owed is what is owed to everybody, of any account as much as there is.
func (w *world) owed() outbox { return w.Store.(*store.Store).Notices(store.Everybody, 1000, 0) }

func notice(id string) engine.Notice {
	return engine.Notice{ID: id, Kind: engine.CaptureResult, Account: "P", Subject: "q-" + id, Result: "SUCCESS", Code: "00", CreatedAt: start}
}

func noticesOnce(w *world) {
	w.do(func(tx engine.Tx) error { return tx.InsertNotice(notice("n")) })
	w.refuses("a second notice of one id", func(tx engine.Tx) error {
		n := notice("n")
		n.Subject = "other"
		return tx.InsertNotice(n)
	})
	w.refuses("a second notice of one fact", func(tx engine.Tx) error {
		n := notice("m")
		n.Subject = "q-n"
		return tx.InsertNotice(n)
	})
	for what, n := range map[string]engine.Notice{
		"another kind":    {ID: "k", Kind: engine.CancelResult, Account: "P", Subject: "q-n", CreatedAt: start},
		"another account": {ID: "a", Kind: engine.CaptureResult, Account: "P2", Subject: "q-n", CreatedAt: start},
	} {
		if err := w.Update(context.Background(), func(tx engine.Tx) error { return tx.InsertNotice(n) }); err != nil {
			w.Errorf("%s: %v", what, err)
		}
	}
}

func notices(w *world) {
	box, ctx := w.owed(), context.Background()
	first, second, behind := notice("1"), notice("2"), notice("3")
	second.CreatedAt, behind.After = start.Add(time.Second), first.ID
	for _, n := range []engine.Notice{behind, second, first} {
		w.do(func(tx engine.Tx) error { return tx.InsertNotice(n) })
	}
	due := func(now time.Time, limit int, want ...engine.DueNotice) {
		w.Helper()
		got, err := box.DueNotices(ctx, now, limit)
		w.must(err)
		same(w, "due", fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want))
	}
	next := func(want time.Time) {
		w.Helper()
		at, ok, err := box.NextNotice(ctx)
		w.must(err)
		if ok == want.IsZero() || ok && !at.Equal(want) {
			w.Errorf("next: %v %v, not %v", at, ok, want)
		}
	}
	try := func(id string, n int, s engine.NoticeState, due time.Time) error {
		return box.RecordTry(ctx, engine.NoticeTry{
			Notice: id, N: n, At: start, Status: 503, Outcome: "UNAVAILABLE",
			Took: time.Millisecond, State: s, Due: due,
		})
	}
	due(start, 9, engine.DueNotice{Notice: first})
	due(start.Add(time.Second), 9, engine.DueNotice{Notice: first}, engine.DueNotice{Notice: second})
	due(start.Add(time.Second), 1, engine.DueNotice{Notice: first})
	next(start)

	w.must(try("1", 1, engine.NoticeQueued, start.Add(time.Minute)))
	due(start.Add(time.Second), 9, engine.DueNotice{Notice: second})
	due(start.Add(time.Minute), 9, engine.DueNotice{Notice: second}, engine.DueNotice{Notice: first, Tries: 1})
	next(start.Add(time.Second))
	if err := try("1", 1, engine.NoticeQueued, start); err == nil {
		w.Error("one attempt was written down twice")
	}
	w.must(try("2", 1, engine.NoticeParked, start))
	due(start.Add(time.Hour), 9, engine.DueNotice{Notice: first, Tries: 1})
	next(start.Add(time.Minute))

	w.must(try("1", 2, engine.NoticeSent, start))
	due(start.Add(time.Hour), 9, engine.DueNotice{Notice: behind}) // its predecessor has arrived
	next(start)
	if err := try("1", 3, engine.NoticeQueued, start); err == nil {
		w.Error("what was sent is owed again")
	}
	if err := try("none", 1, engine.NoticeSent, start); err == nil {
		w.Error("a notice that is not there was sent")
	}
	w.must(try("3", 1, engine.NoticeSent, start))
	w.must(try("2", 2, engine.NoticeSent, start)) // an operator let the parked one go out
	due(start.Add(time.Hour), 9)
	next(time.Time{})
}

func facts(w *world) {
	box, ctx := w.owed(), context.Background()
	for i, k := range engine.NoticeKinds { // the schema knows every kind
		n := notice(fmt.Sprint(i))
		n.Kind = k
		w.do(func(tx engine.Tx) error { return tx.InsertNotice(n) })
	}
	w.refuses("an unknown kind", func(tx engine.Tx) error {
		n := notice("x")
		n.Kind = "rumour"
		return tx.InsertNotice(n)
	})
	n := notice("n")
	n.Kind, n.CreatedAt = engine.ChargebackReversed, start.Add(-time.Hour)
	n.Facts = engine.Facts{
		Capture: "qc", Refund: "qf", OwnID: "o", Earlier: "e", Minor: -3, Currency: "KRW", Stage: "FIRST", Reason: "fraud", Scope: "VISA",
		Case: "C\"1", ARN: arn(1), AtMs: 1, ReplyMs: 2, Part: 3,
	}
	w.do(func(tx engine.Tx) error { return tx.InsertNotice(n) })
	find := func(state engine.NoticeState) {
		w.Helper()
		w.look(func(v engine.Reader) error {
			got, at, ok, err := v.Notice("n")
			same(w, "notice", got, n)
			if _, _, none, _ := v.Notice("none"); !ok || none || at != state {
				w.Error("found", ok, none, at)
			}
			return err
		})
	}
	resume := func(at time.Time) (ok bool) {
		w.do(func(tx engine.Tx) (err error) { ok, err = tx.ResumeNotice("n", at); return err })
		return ok
	}
	find(engine.NoticeQueued)
	due, err := box.DueNotices(ctx, start, 1)
	w.must(err)
	same(w, "due", due, []engine.DueNotice{{Notice: n}})
	if resume(start) {
		w.Error("what was not parked was resumed")
	}
	w.must(box.RecordTry(ctx, engine.NoticeTry{
		Notice: "n", N: 1, At: start, Status: 400, Outcome: "INVALID", State: engine.NoticeParked, Due: start,
	}))
	find(engine.NoticeParked)
	w.look(func(v engine.Reader) error { // a person is told, and can send it again
		got, err := v.Cases(true, 9)
		same(w, "cases", got, []engine.Case{{
			ID: "notice-parked/n/1", Kind: "notice-parked", Subject: "notice/n", Detail: "status=400: INVALID", At: start,
		}})
		return err
	})
	if !resume(start.Add(-time.Minute)) || resume(start) {
		w.Error("what was parked is resumed once")
	}
	find(engine.NoticeQueued)
	at, _, err := box.NextNotice(ctx)
	w.must(err)
	same(w, "next", at, start.Add(-time.Minute))
}

func cases(w *world) {
	first := engine.Case{ID: "k/r", Kind: "k", Payment: "r", Subject: "advice/a", Detail: "code=30", At: start.Add(time.Second)}
	older := engine.Case{ID: "k/s", Kind: "k", Detail: "file=x", At: start}
	for _, c := range []engine.Case{first, older, {ID: "k/r", Kind: "other", At: start}} { // the last is known
		w.do(func(tx engine.Tx) error { return tx.OpenCase(c) })
	}
	listed := func(open bool, limit int, want ...engine.Case) {
		w.Helper()
		w.look(func(v engine.Reader) error {
			got, err := v.Cases(open, limit)
			same(w, "cases", got, want)
			return err
		})
	}
	closed := func(id string) (ok bool) {
		w.do(func(tx engine.Tx) (err error) {
			ok, err = tx.CloseCase(id, "seen to", start.Add(time.Hour))
			return err
		})
		return ok
	}
	listed(true, 9, older, first)
	listed(true, 1, older)
	if !closed("k/s") || closed("k/s") || closed("none") {
		w.Error("a case that is open is closed once")
	}
	older.ClosedAt, older.Note = start.Add(time.Hour), "seen to"
	listed(true, 9, first)
	listed(false, 9, older, first)
	w.look(func(v engine.Reader) error {
		got, ok, err := v.Case("k/s")
		same(w, "case", got, older)
		if _, none, _ := v.Case("none"); !ok || none {
			w.Error("found", ok, none)
		}
		return err
	})
	got, err := w.Store.(interface {
		Backlog(context.Context) (store.Backlog, error)
	}).Backlog(context.Background())
	w.must(err)
	same(w, "backlog", got, store.Backlog{Cases: 1})
}

func numbers(w *world) {
	take := func(series string, count int64) (first int64) {
		w.do(func(tx engine.Tx) (err error) { first, err = tx.TakeNumbers(series, count); return err })
		return first
	}
	a := take("x", 500)
	if b := take("x", 500); b != a+500 {
		w.Errorf("%d after %d", b, a)
	}
	if c := take("x", 1); c != a+1000 {
		w.Errorf("%d after %d", c, a)
	}
	if other := take("y", 500); other != a {
		w.Errorf("another series starts at %d", other)
	}
	_ = w.Update(context.Background(), func(tx engine.Tx) error {
		if _, err := tx.TakeNumbers("x", 500); err != nil {
			return err
		}
		return errors.New("not needed after all")
	})
	if d := take("x", 1); d != a+1001 {
		w.Errorf("a failed transaction kept its numbers: %d", d)
	}
}

func atomic(w *world) {
	r := reservation("r")
	wanted := errors.New("changed my mind")
	fill := func(tx engine.Tx) error {
		return errors.Join(tx.InsertReservation(r, start), tx.InsertAttempt(attempt("a", "r", payment.AttemptPrepared)),
			tx.AppendEvent(event("r", 1)), tx.Post(event("r", 1), []ledger.Posting{ledger.Hold("P", r.Amount)}), tx.InsertNotice(notice("n")))
	}
	err := w.Update(context.Background(), func(tx engine.Tx) error {
		w.must(fill(tx))
		return wanted
	})
	if !errors.Is(err, wanted) {
		w.Error("the reason was lost:", err)
	}
	w.look(func(v engine.Reader) error {
		_, ok, err := v.Reservation("r")
		links, err2 := v.Chain(0, 9)
		if ok || len(links) > 0 {
			w.Error("half of a transaction stayed")
		}
		return errors.Join(err, err2)
	})
	w.do(fill) // a closure may run again
	w.look(func(v engine.Reader) error {
		_, ok, err := v.Reservation("r")
		if !ok {
			w.Error("lost")
		}
		return err
	})
}

// neighbours runs good, failing and panicking transactions at the same time, so that a store that gathers them has them in one commit.
func neighbours(w *world) {
	var all sync.WaitGroup
	failed := errors.New("failed on purpose")
	for i := range 60 {
		all.Go(func() {
			r := reservation(fmt.Sprint(i))
			err := w.Update(context.Background(), func(tx engine.Tx) error {
				if err := tx.InsertReservation(r, start); err != nil {
					return err
				}
				switch i % 3 {
				case 1:
					return failed
				case 2:
					panic("on purpose")
				}
				return nil
			})
			switch i % 3 {
			case 0:
				if err != nil {
					w.Errorf("%d: %v", i, err)
				}
			case 1:
				if !errors.Is(err, failed) {
					w.Errorf("%d: %v", i, err)
				}
			case 2:
				if err == nil {
					w.Errorf("%d: a panic was committed", i)
				}
			}
		})
	}
	all.Wait()
	w.look(func(v engine.Reader) error {
		for i := range 60 {
			if _, ok, err := v.Reservation(fmt.Sprint(i)); ok != (i%3 == 0) || err != nil {
				w.Errorf("%d: %v, %v", i, ok, err)
			}
		}
		return nil
	})
}

func isolation(w *world) {
	w.do(func(tx engine.Tx) error { return tx.InsertReservation(reservation("before"), start) })
	w.do(func(tx engine.Tx) error {
		if err := tx.InsertReservation(reservation("r"), start); err != nil {
			return err
		}
		if _, ok, err := tx.Reservation("r"); !ok {
			w.Error("a transaction does not see its own writing", err)
		}
		w.look(func(v engine.Reader) error {
			_, ok, err := v.Reservation("r")
			if ok {
				w.Error("seen before its commit")
			}
			return err
		})
		return nil
	})
	w.look(func(v engine.Reader) error {
		if _, ok, err := v.Reservation("before"); !ok || err != nil {
			w.Fatal(ok, err)
		}
		w.do(func(tx engine.Tx) error { return tx.InsertReservation(reservation("meanwhile"), start) })
		_, ok, err := v.Reservation("meanwhile")
		if ok {
			w.Error("a view changed while it was looked at")
		}
		return err
	})
}

func givenUp(w *world) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for i := range 20 {
		ran := false
		err := w.Update(ctx, func(tx engine.Tx) error {
			ran = true
			return tx.InsertReservation(reservation(fmt.Sprint(i)), start)
		})
		if !errors.Is(err, context.Canceled) || ran {
			w.Fatalf("ran %v, %v", ran, err)
		}
	}
	running, cancel := context.WithCancel(context.Background())
	w.must(w.Update(running, func(tx engine.Tx) error {
		cancel() // too late: it has begun
		return tx.InsertReservation(reservation("begun"), start)
	}))
	w.look(func(v engine.Reader) error {
		_, ok, err := v.Reservation("begun")
		if !ok {
			w.Error("lost")
		}
		return err
	})
}

func racers(w *world) {
	r, _ := w.hold("r")
	var all sync.WaitGroup
	var mu sync.Mutex
	keys, versions, blocks := 0, 0, map[int64]bool{}
	for range 20 {
		all.Go(func() {
			var mine, moved bool
			var first int64
			err := w.Update(context.Background(), func(tx engine.Tx) (err error) {
				row := engine.Idempotency{Key: engine.Key{Account: "P", RequestID: "q"}, Method: "m", Fingerprint: []byte{1}, CreatedAt: start}
				if mine, err = tx.InsertIdempotency(row); err != nil {
					return err
				}
				next := r
				next.Version, next.State = 2, payment.Reserved
				if moved, err = tx.UpdateReservation(next, start); err != nil {
					return err
				}
				first, err = tx.TakeNumbers("x", 7)
				return err
			})
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				w.Error(err)
			}
			if mine {
				keys++
			}
			if moved {
				versions++
			}
			blocks[first] = true
		})
	}
	if all.Wait(); keys != 1 || versions != 1 || len(blocks) != 20 {
		w.Errorf("%d took the key, %d the version, %d blocks of 20", keys, versions, len(blocks))
	}
}
