package storetest

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"naru/core/money"
	"naru/core/payment"
	"naru/core/settlement"
	"naru/engine"
)

var digest = strings.Repeat("0f", 32)

func acquirerEvents(w *world) {
	e := engine.AcquirerEvent{
		Acquirer: "bc", ID: "E1", File: "PISTL_1", Line: 3, Type: "CHB", Digest: digest, Payment: "r", Object: "dispute/d", Outcome: "APPLIED",
		Account: "P", Currency: "KRW", Gross: -3000, Fees: -1000, Tax: -1, At: start,
	}
	online := engine.AcquirerEvent{
		Acquirer: "kb", ID: "E1", Type: "0422", Outcome: "EXCEPTION", Reason: "unknown rrn", Currency: "KRW",
		At: start,
	}
	w.do(func(tx engine.Tx) error {
		return errors.Join(tx.InsertAcquirerEvent(e), tx.InsertAcquirerEvent(online))
	})
	w.look(func(v engine.Reader) error {
		got, ok, err := v.AcquirerEvent("bc", "E1")
		same(w, "event", got, e)
		other, _, err2 := v.AcquirerEvent("kb", "E1")
		same(w, "on line", other, online)
		if _, none, _ := v.AcquirerEvent("bc", "E2"); !ok || none {
			w.Error("found", ok, none)
		}
		of, ok, err3 := v.AcquirerEventOf("dispute/d", "CHB")
		same(w, "event of a dispute", of, e)
		for _, other := range [][2]string{{"dispute/x", "CHB"}, {"dispute/d", "CBR"}, {"", "0422"}} {
			if _, none, _ := v.AcquirerEventOf(other[0], other[1]); !ok || none {
				w.Error("found", other)
			}
		}
		return errors.Join(err, err2, err3)
	})
	for what, change := range map[string]func(*engine.AcquirerEvent){
		"the same event twice":            func(e *engine.AcquirerEvent) { e.ID = "E1" },
		"an unknown outcome":              func(e *engine.AcquirerEvent) { e.Outcome = "LOST" },
		"an exception without a reason":   func(e *engine.AcquirerEvent) { e.Outcome = "EXCEPTION" },
		"a digest that is no hexadecimal": func(e *engine.AcquirerEvent) { e.Digest = "digest" },
	} {
		x := e
		x.ID = "E2"
		change(&x)
		w.refuses(what, func(tx engine.Tx) error { return tx.InsertAcquirerEvent(x) })
	}
}

func acquirerFiles(w *world) {
	f := engine.AcquirerFile{
		Acquirer: "bc", Name: "PISTL_bc_M1_20260302_001.csv", Kind: "PISTL", Merchant: "M1", Day: "20260302", Seq: 1, SHA256: digest,
		State: "QUARANTINED", Reason: "hash", At: start,
	}
	put := func(f engine.AcquirerFile) func(engine.Tx) error {
		return func(tx engine.Tx) error { return tx.PutAcquirerFile(f) }
	}
	find := func(want engine.AcquirerFile) {
		w.Helper()
		w.look(func(v engine.Reader) error {
			got, ok, err := v.AcquirerFile("bc", f.Name)
			same(w, "file", got, want)
			_, none, err2 := v.AcquirerFile("kb", f.Name)
			bySeq, loaded, err3 := v.AcquirerFileBySeq("bc", "M1", "PISTL", "20260302", 1)
			if !ok || none || loaded != (want.State == "LOADED") {
				w.Error("found", ok, none, loaded)
			}
			if loaded {
				same(w, "by number", bySeq, want)
			}
			return errors.Join(err, err2, err3)
		})
	}
	w.do(put(f))
	find(f)
	good := f
	good.SHA256, good.State, good.Reason, good.At = strings.Repeat("ab", 32), "LOADED", "", start.Add(time.Minute)
	good.Currency, good.Records, good.Exceptions, good.Gross, good.Fees, good.Tax, good.Net = "KRW", 4, 1, 3000, -1091, -9, 1900
	w.do(put(good))
	find(good)
	w.do(put(good)) // read again
	w.refuses("quarantine for what was loaded", put(f))
	other := good
	other.SHA256 = digest
	w.refuses("other content under a loaded name", put(other))
	other.Name = "PISTL_bc_M1_20260302_01.csv"
	w.refuses("other content under a loaded number", put(other))
	other.State, other.Reason = "QUARANTINED", "sequence"
	w.do(put(other))
	find(good)
	for what, change := range map[string]func(*engine.AcquirerFile){
		"an unknown state":      func(f *engine.AcquirerFile) { f.State = "READ" },
		"sums that differ":      func(f *engine.AcquirerFile) { f.Net++ },
		"a digest that is none": func(f *engine.AcquirerFile) { f.SHA256 = "x" },
	} {
		x := good
		x.Name, x.Seq = "other", 2
		change(&x)
		w.refuses(what, put(x))
	}
}

func captureFiles(w *world) {
	file := func(seq int64, at time.Time) engine.CaptureFile {
		return engine.CaptureFile{
			Acquirer: "bc", Merchant: "M1", Name: fmt.Sprint("PICAP_", seq), Day: "20260302", Seq: seq, State: "MADE", Items: 2, Currency: "KRW",
			At: at,
		}
	}
	second, first := file(1, start.Add(time.Second)), file(2, start)
	insert := func(f engine.CaptureFile) func(engine.Tx) error {
		return func(tx engine.Tx) error { return tx.InsertCaptureFile(f) }
	}
	update := func(f engine.CaptureFile) func(engine.Tx) error {
		return func(tx engine.Tx) error { return tx.UpdateCaptureFile(f) }
	}
	w.do(insert(second))
	w.do(insert(first))
	in := func(state string, limit int, want ...engine.CaptureFile) {
		w.Helper()
		w.look(func(v engine.Reader) error {
			got, err := v.CaptureFiles(state, limit)
			same(w, state, got, want)
			return err
		})
	}
	in("MADE", 9, first, second)
	in("MADE", 1, first)
	first.State = "SENT"
	w.do(update(first))
	in("SENT", 9, first)
	in("MADE", 9, second)
	first.State, first.DoneAt = "ANSWERED", start.Add(time.Hour)
	w.do(update(first))
	w.refuses("a second answer", update(first))
	w.look(func(v engine.Reader) error {
		got, ok, err := v.CaptureFile(first.Name)
		same(w, "file", got, first)
		if _, none, _ := v.CaptureFile("none"); !ok || none {
			w.Error("found", ok, none)
		}
		return err
	})
	for what, change := range map[string]func(*engine.CaptureFile){
		"one name twice":   func(f *engine.CaptureFile) { f.Name = "PICAP_1" },
		"one number twice": func(f *engine.CaptureFile) { f.Seq = 1 },
		"an unknown state": func(f *engine.CaptureFile) { f.State = "LOST" },
		"an empty file":    func(f *engine.CaptureFile) { f.Items = 0 },
	} {
		x := file(3, start)
		change(&x)
		w.refuses(what, insert(x))
	}
}

func dayTotals(w *world) {
	const day, other = "20260302", "20260303"
	w.captured("1", nil)
	w.captured("2", func(x *engine.Capture) { x.Amount = money.New(100, krw) })
	w.captured("3", func(x *engine.Capture) { x.Amount = money.New(7, usd) })
	w.captured("4", func(x *engine.Capture) { x.Day = other })
	w.captured("5", func(x *engine.Capture) { x.State, x.Day = payment.CaptureLapsed, "" })
	cleared := w.captured("6", func(x *engine.Capture) { x.Amount, x.Clearing = money.New(1, krw), engine.ClearedCapture })
	pay := func(id string, s payment.RefundState, day string, state payment.AttemptState, undone string, acquirer string) {
		f := refund(id, "1")
		f.State, f.AttemptID, f.Day = s, "pay-"+id, day
		if s != payment.RefundPending {
			f.DoneAt = start
		}
		if s == payment.RefundReversed {
			f.Returned, f.BackAt = f.Amount, start
		}
		a := attempt("pay-"+id, "1", state)
		a.Refund, a.UndoneDay, a.Acquirer = id, undone, acquirer
		w.do(func(tx engine.Tx) error { return errors.Join(tx.InsertRefund(f), tx.InsertAttempt(a)) })
	}
	pay("paid", payment.Refunded, day, payment.AttemptBooked, "", "bc")
	pay("back", payment.RefundReversed, day, payment.AttemptBooked, "", "bc") // the holder's bank is not the network
	pay("next", payment.Refunded, other, payment.AttemptBooked, "", "bc")
	pay("open", payment.RefundPending, "", payment.AttemptPrepared, "", "bc")
	pay("undone", payment.RefundPending, "", payment.AttemptReversed, day, "bc") // booked, then undone: both count
	pay("never", payment.RefundPending, "", payment.AttemptReversed, "", "bc")   // undone, and never booked
	pay("elsewhere", payment.Refunded, day, payment.AttemptBooked, "", "kb")
	w.do(func(tx engine.Tx) error { // a hold is no money, and was booked on no day
		v := advice("given-back", "given-back", "2", start)
		v.State = payment.AdviceDone
		return errors.Join(tx.InsertAttempt(attempt("given-back", "2", payment.AttemptReversed)), tx.InsertAdvice(v))
	})
	w.sold("sold", func(x *engine.Capture) { x.RRN = "606109000008" })
	w.undone("lost", money.New(40, krw), day, "bc") // a sale that was booked, then undone: both count
	w.undone("lost-dollars", money.New(3, usd), day, "bc")
	w.undone("never-booked", money.New(50, krw), "", "bc")
	w.undone("lost-elsewhere", money.New(60, krw), day, "kb")
	w.undone("lost-next", money.New(70, krw), other, "bc")
	w.undone("lost-yen", money.New(2, money.Of("JPY")), "20260305", "bc")
	w.do(func(tx engine.Tx) error { // a fresh attempt may have other terms: what was undone counts as it was
		r, _, err := tx.Reservation("lost")
		r.State, r.Version, r.Amount, r.AttemptID = payment.Pending, r.Version+1, money.New(9999, usd), "a-lost-fresh"
		_, err2 := tx.UpdateReservation(r, start)
		return errors.Join(err, err2, tx.InsertAttempt(attempt("a-lost-fresh", "lost", payment.AttemptPrepared)))
	})
	totals := func(acquirer, day string, in money.Currency, want payment.DayTotals) {
		w.Helper()
		want.Day, want.Currency = day, in
		w.look(func(v engine.Reader) error {
			got, err := v.DayTotals(acquirer, day, in.Code())
			same(w, acquirer+" on "+day, got, want)
			return err
		})
	}
	totals("bc", day, krw, payment.DayTotals{
		Debits: 5, DebitSum: 12900 + 100 + 1 + 12900 + 40, DebitsReversed: 1, DebitReverseSum: 40,
		Credits: 3, CreditSum: 1500, CreditsReversed: 1, CreditRevSum: 500,
	})
	totals("bc", day, usd, payment.DayTotals{Debits: 2, DebitSum: 7 + 3, DebitsReversed: 1, DebitReverseSum: 3})
	totals("bc", other, krw, payment.DayTotals{
		Debits: 2, DebitSum: 12900 + 70, DebitsReversed: 1, DebitReverseSum: 70, Credits: 1, CreditSum: 500,
	})
	totals("kb", day, krw, payment.DayTotals{Debits: 1, DebitSum: 60, DebitsReversed: 1, DebitReverseSum: 60, Credits: 1, CreditSum: 500})
	totals("kb", other, krw, payment.DayTotals{})
	pay("only undone", payment.RefundPending, "", payment.AttemptReversed, "20260304", "bc")
	currencies := func(acquirer, day string, want ...string) {
		w.Helper()
		w.look(func(v engine.Reader) error {
			got, err := v.DayCurrencies(acquirer, day)
			same(w, "currencies of "+acquirer+" on "+day, got, want)
			return err
		})
	}
	currencies("bc", day, "KRW", "USD")
	currencies("bc", "20260304", "KRW")
	currencies("bc", "20260305", "JPY")
	currencies("kb", day, "KRW")
	currencies("kb", other)

	uncleared := func(acquirer, merchant, day, currency string, limit int, want ...string) {
		w.Helper()
		w.look(func(v engine.Reader) error {
			list, err := v.Uncleared(acquirer, merchant, day, currency, limit)
			same(w, "uncleared", fmt.Sprint(ids(list, func(x engine.Capture) string { return x.ID })), fmt.Sprint(want))
			return err
		})
	}
	uncleared("bc", "M1", day, "KRW", 9, "c-1", "c-2", "c-sold")
	uncleared("bc", "M1", day, "USD", 9, "c-3")
	uncleared("bc", "M1", day, "KRW", 2, "c-1", "c-2")
	uncleared("bc", "M2", day, "KRW", 9)
	uncleared("kb", "M1", day, "KRW", 9)
	cleared.Clearing = engine.NotCleared
	w.do(func(tx engine.Tx) error { return tx.UpdateClearing(cleared) })
	uncleared("bc", "M1", day, "KRW", 9, "c-1", "c-2", "c-6", "c-sold")
}

func reconciliations(w *world) {
	put := func(r engine.Reconciliation) func(engine.Tx) error {
		return func(tx engine.Tx) error { return tx.PutReconciliation(r) }
	}
	first := engine.Reconciliation{
		Acquirer: "bc", Day: "20260302", Currency: "KRW", State: "OPEN", CreatedAt: start,
		DueAt: start.Add(time.Hour),
	}
	second := first
	second.Currency, second.DueAt = "USD", start.Add(2*time.Hour)
	w.do(put(second))
	w.do(put(first))
	first.Ours, second.Ours = payment.DayTotals{Day: first.Day, Currency: krw}, payment.DayTotals{Day: first.Day, Currency: usd}
	due := func(now time.Time, limit int, want ...engine.Reconciliation) {
		w.Helper()
		w.look(func(v engine.Reader) error {
			got, err := v.DueReconciliations(now, limit)
			same(w, "due", got, want)
			return err
		})
	}
	next := func(want time.Time) {
		w.Helper()
		w.look(func(v engine.Reader) error {
			at, ok, err := v.NextReconciliation()
			if ok == want.IsZero() || ok && !at.Equal(want) {
				w.Errorf("next: %v %v, not %v", at, ok, want)
			}
			return err
		})
	}
	due(start.Add(time.Hour-time.Microsecond), 9)
	due(start.Add(time.Hour), 9, first)
	due(start.Add(2*time.Hour), 9, first, second)
	due(start.Add(2*time.Hour), 1, first)
	next(start.Add(time.Hour))

	first.State, first.Tries, first.Code, first.DueAt = "BREAK", 2, "95", time.Time{}
	first.Trace = payment.Trace{STAN: "000777", RRN: "606109000001", At: start}
	first.Ours = payment.DayTotals{
		Day: first.Day, Currency: krw, Credits: 1, CreditSum: 2, CreditsReversed: 3, CreditRevSum: 4, Debits: 5, DebitSum: 6, DebitsReversed: 7,
		DebitReverseSum: 8,
	}
	first.Host = payment.DayTotals{
		Day: first.Day, Currency: krw, Credits: 9, CreditSum: 10, CreditsReversed: 11, CreditRevSum: 12, Debits: 13, DebitSum: 14,
		DebitsReversed: 15, DebitReverseSum: 16,
	}
	w.do(put(first))
	w.look(func(v engine.Reader) error {
		got, ok, err := v.Reconciliation("bc", "20260302", "KRW")
		same(w, "broken", got, first)
		if _, none, _ := v.Reconciliation("kb", "20260302", "KRW"); !ok || none {
			w.Error("found", ok, none)
		}
		return err
	})
	due(start.Add(9*time.Hour), 9, second)
	second.State = "AGREED"
	w.do(put(second))
	due(start.Add(9*time.Hour), 9)
	next(time.Time{})
	second.State = "PERHAPS"
	w.refuses("an unknown state", put(second))
}

func accountBooks(w *world) {
	book := func() (c payment.Chain) {
		w.look(func(v engine.Reader) (err error) { c, err = v.AccountBook("P"); return err })
		return c
	}
	move := func(c payment.Chain) (ok bool) {
		w.do(func(tx engine.Tx) (err error) { ok, err = tx.UpdateAccountBook("P", c); return err })
		return ok
	}
	chain := func(n int64) payment.Chain { return payment.Chain{Length: n, Digest: []byte{byte(n)}} }
	same(w, "empty", book(), payment.Chain{})
	if move(chain(2)) {
		w.Error("a book began with its second event")
	}
	if !move(chain(1)) || move(chain(1)) || !move(chain(2)) || move(chain(2)) || move(chain(4)) {
		w.Error("a book moves on from a chain one shorter, and only from that")
	}
	same(w, "two events", book(), chain(2))
	w.look(func(v engine.Reader) error {
		other, err := v.AccountBook("P2")
		same(w, "another's", other, payment.Chain{})
		return err
	})
}

func item(payment string, n int64, k settlement.Kind, day string) settlement.Item {
	return settlement.Item{
		Payment: payment, EventN: n, Account: "P", Kind: k, Day: day, Subject: "q", OwnID: "o", Link: "l", Note: "n", At: start,
		Charge: money.New(100*n, krw), Fee: money.New(-n, krw), VAT: money.New(-1, krw),
	}
}

func closed(account string, in money.Currency, day string) settlement.Settlement {
	none := money.New(0, in)
	return settlement.Settlement{
		ID: account + in.Code() + day, Account: account, Currency: in, Day: day, Start: start, End: start.Add(24 * time.Hour), ClosedAt: start,
		Parts: 1, State: settlement.Closed, Totals: settlement.Totals{Charge: none, Fee: none, VAT: none, Net: none, Adjusted: none},
	}
}

func items(w *world) {
	insert := func(i settlement.Item) func(engine.Tx) error {
		return func(tx engine.Tx) error { return tx.InsertItem(i) }
	}
	kinds := []settlement.Kind{
		settlement.Capture, settlement.Refund, settlement.ReverseRefund, settlement.Chargeback, settlement.ReverseChargeback,
		settlement.FundsReservation, settlement.AggregateAdjusting, settlement.MiscAdjusting,
	}
	var want []settlement.Item
	for n, k := range kinds {
		i := item("r", int64(n+1), k, "20260302")
		want = append(want, i)
		w.do(insert(i))
	}
	before, account := item("s", 1, settlement.Capture, "20260301"), item("account/P", 1, settlement.AggregateAdjusting, "20260302")
	later, dollars, other := item("s", 2, settlement.Refund, "20260303"), item("s", 3, settlement.Capture, "20260302"),
		item("t", 1, settlement.Capture, "20260302")
	dollars.Charge, dollars.Fee, dollars.VAT, other.Account = money.New(5, usd), money.New(0, usd), money.New(0, usd), "P2"
	for _, i := range []settlement.Item{later, dollars, other, account, before} {
		w.do(insert(i))
	}
	want = append([]settlement.Item{before, account}, want...) // by day, journal and event
	w.refuses("an event that is settled twice", insert(item("r", 1, settlement.Refund, "20260302")))
	w.refuses("an unknown kind", insert(item("x", 1, "gift", "20260302")))
	w.refuses("an event before the first", insert(item("x", 0, settlement.Capture, "20260302")))

	total, err := settlement.Total(krw, want)
	w.must(err)
	open := func(day string, want settlement.Totals) {
		w.Helper()
		w.look(func(v engine.Reader) error {
			got, err := v.OpenItemsTotal("P", "KRW", day)
			same(w, "open up to "+day, got, want)
			return err
		})
	}
	none, err := settlement.Total(krw, nil)
	w.must(err)
	open("20260228", none)
	open("20260302", total)

	s := closed("P", krw, "20260302")
	s.Totals = total
	assign := func(id string) (n int64) {
		w.do(func(tx engine.Tx) (err error) { n, err = tx.AssignItems(id, "P", "KRW", "20260302"); return err })
		return n
	}
	w.refuses("items of no settlement", func(tx engine.Tx) error {
		_, err := tx.AssignItems("none", "P", "KRW", "20260302")
		return err
	})
	w.do(func(tx engine.Tx) error { return tx.InsertSettlement(s) })
	same(w, "assigned", assign(s.ID), total.Items)
	same(w, "assigned again", assign(s.ID), int64(0))
	open("20260302", none)
	rest, err := settlement.Total(krw, []settlement.Item{later})
	w.must(err)
	open("20260303", rest)
	part := func(offset, limit int64, want []settlement.Item) {
		w.Helper()
		w.look(func(v engine.Reader) error {
			got, err := v.Items(s.ID, offset, limit)
			same(w, fmt.Sprint(limit, " from ", offset), got, want)
			return err
		})
	}
	part(0, 99, want)
	part(0, 3, want[:3])
	part(3, 3, want[3:6])
	part(9, 3, want[9:])
	part(99, 3, nil)
}

func settlements(w *world) {
	insert := func(s settlement.Settlement) func(engine.Tx) error {
		return func(tx engine.Tx) error { return tx.InsertSettlement(s) }
	}
	first, second, dollars, other := closed("P", krw, "20260301"), closed("P", krw, "20260302"), closed("P", usd, "20260302"),
		closed("P2", krw, "20260303")
	second.Totals = settlement.Totals{
		Items: 3, Charge: money.New(1000, krw), Adjusted: money.New(-7, krw), Fee: money.New(-30, krw), VAT: money.New(-3, krw),
		Net: money.New(960, krw),
	}
	second.Parts, second.ClosedAt = 2, start.Add(time.Minute)
	for _, s := range []settlement.Settlement{second, first, dollars, other} {
		w.do(insert(s))
	}
	find := func() {
		w.Helper()
		w.look(func(v engine.Reader) error {
			got, ok, err1 := v.Settlement(second.ID)
			same(w, "settlement", got, second)
			all, err2 := v.Settlements("P", 9)
			same(w, "all", all, []settlement.Settlement{second, dollars, first})
			some, err3 := v.Settlements("P", 1)
			same(w, "newest", some, []settlement.Settlement{second})
			last, _, err4 := v.LastSettlement("P", "KRW")
			same(w, "last", last, second)
			_, none, err5 := v.LastSettlement("P2", "USD")
			_, unknown, err6 := v.Settlement("none")
			if !ok || none || unknown {
				w.Error("found", ok, none, unknown)
			}
			return errors.Join(err1, err2, err3, err4, err5, err6)
		})
	}
	find()
	w.refuses("one day settled twice", func(tx engine.Tx) error {
		s := first
		s.ID = "other"
		return tx.InsertSettlement(s)
	})
	for what, change := range map[string]func(*settlement.Settlement){
		"a sum that is not the sum":     func(s *settlement.Settlement) { s.Net = money.New(1, krw) },
		"an unknown state":              func(s *settlement.Settlement) { s.State = "SENT" },
		"a payment without its time":    func(s *settlement.Settlement) { s.State = settlement.Paid },
		"a period that ends before it":  func(s *settlement.Settlement) { s.End = s.Start },
		"a settlement that nobody told": func(s *settlement.Settlement) { s.Parts = 0 },
	} {
		s := closed("P", krw, "20260304")
		change(&s)
		w.refuses(what, insert(s))
	}
	second.State, second.Reference, second.PaidAt = settlement.Paid, "BANK-1", start.Add(time.Hour)
	w.do(func(tx engine.Tx) error {
		s := second
		s.Net, s.Parts = money.New(1, krw), 9 // what it says of its items is not written again
		return tx.UpdateSettlement(s)
	})
	find()
	w.refuses("a second payment", func(tx engine.Tx) error { return tx.UpdateSettlement(second) })
}
