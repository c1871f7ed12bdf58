package engine_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"naru/core/payment"
	"naru/crash"
	"naru/engine"
)

// clearing is what the acquirer's files have said of a capture.
func (w *world) clearing(reservation string) (x engine.Capture) {
	w.Helper()
	r := w.reservation(reservation)
	w.look(func(v engine.Reader) (err error) { x, _, err = v.Capture(r.ID); return err })
	return x
}

// The parts of a record.

func fees(minor, tax int64) func(*engine.ClearingRecord) {
	return func(r *engine.ClearingRecord) { r.Fees, r.Tax = won(minor), won(tax) }
}

func withARN(n int) func(*engine.ClearingRecord) {
	return func(r *engine.ClearingRecord) { r.ARN = arn(n) }
}

func original(id string) func(*engine.ClearingRecord) {
	return func(r *engine.ClearingRecord) { r.Original = id }
}

// ofRefund names the nth refund that the acquirer paid instead of a hold.
func (w *world) ofRefund(n int) func(*engine.ClearingRecord) {
	return func(r *engine.ClearingRecord) { r.RRN = w.bank.paid[n].trace.RRN }
}

// Rails §4.3: what each type of record does to the books, and whom we tell. The world has a capture of 10000 and a refund of 4000.
func TestEveryTypeOfRecord(t *testing.T) {
	type part = func(*engine.ClearingRecord)
	for name, c := range map[string]struct {
		typ     string
		gross   int64
		of      func(*world) part // nil: the capture
		parts   []part
		books   string
		told    string
		kind    string // of the case, if one
		object  string // what it is about
		account bool   // it went into the account's book
	}{
		"CAP": {
			"CAP", 10000, nil,
			[]part{fees(-100, -10)},
			"acquirer:receivable=5890 fee:acquirer=100 google:payable=-6000 tax:input=10", "",
			"", "capture", false,
		},
		"CAP, ARN": {"CAP", 10000, nil, []part{withARN(7)}, ours(6000), "capture-arn c " + arn(7), "", "capture", false},
		"REF": {
			"REF", -4000, func(w *world) part { return w.ofRefund(0) },
			[]part{fees(24, 0)},
			"acquirer:receivable=6024 fee:acquirer=-24 google:payable=-6000", "", "", "refund", false,
		},
		"REF, ARN": {
			"REF", -4000, func(w *world) part { return w.ofRefund(0) },
			[]part{withARN(8)},
			ours(6000), "refund-arn f " + arn(8), "",
			"refund", false,
		},
		"RRF": {
			"RRF", 4000, func(w *world) part { return w.ofRefund(0) },
			[]part{fees(-5, 0)},
			"acquirer:receivable=9995 fee:acquirer=5 google:payable=-10000", "refund-returned f 4000 KRW VISA", "", "refund", false,
		},
		"RRF in part": {
			"RRF", 1, func(w *world) part { return w.ofRefund(0) }, nil, ours(6001), "refund-returned f 1 KRW VISA", "", "refund", false,
		},
		"INQ": {
			"INQ", 3000, nil,
			[]part{inquiry, fees(-15, 0)},
			"acquirer:receivable=5985 fee:acquirer=15 google:payable=-6000", toldOfInq,
			"", "dispute", false,
		},
		"CHB": {"CHB", -3000, nil, []part{first}, ours(3000), toldOfCB1, "", "dispute", false},
		"FRD": {
			"FRD", 0, nil,
			[]part{func(r *engine.ClearingRecord) { r.RawCode, r.Reason = "TC40", payment.Fraud }},
			ours(6000),
			"fraud c TC40 fraud VISA", "", "capture", false,
		},
		"ARN": {"ARN", 0, nil, []part{withARN(9)}, ours(6000), "capture-arn c " + arn(9), "", "capture", false},
		"ARN, refund": {
			"ARN", 0, func(w *world) part { return w.ofRefund(0) },
			[]part{withARN(9)},
			ours(6000), "refund-arn f " + arn(9), "",
			"refund", false,
		},
		"RSV": {"RSV", 0, func(w *world) part {
			return func(r *engine.ClearingRecord) { r.RRN, r.Reference = "", w.reservation("lapsed").ID }
		}, []part{fees(-20, -2)}, "acquirer:receivable=5978 fee:acquirer=20 google:payable=-6000 tax:input=2", "", "", "reservation", false},
		"REJ": {
			"REJ", 0, nil,
			[]part{func(r *engine.ClearingRecord) { r.Result = "30" }},
			"acquirer:receivable=-4000 google:payable=-6000 loss:acquirer=10000", "", "capture-rejected", "capture", false,
		},
		"FEE": {
			"FEE", 0, nothingOf,
			[]part{fees(-15, -1)},
			"acquirer:receivable=5984 fee:acquirer=15 google:payable=-6000 tax:input=1", "",
			"", "", true,
		},
		"ADJ": {
			"ADJ", 700, nothingOf, nil, "acquirer:receivable=6700 google:payable=-6000 suspense:acquirer=-700", "", "acquirer-adjustment",
			"", true,
		},
		"ADJ, to us": {
			"ADJ", -700, nothingOf, nil, "acquirer:receivable=5300 google:payable=-6000 suspense:acquirer=700", "", "acquirer-adjustment",
			"", true,
		},
		"PAY": {
			"PAY", 0, nothingOf,
			[]part{func(r *engine.ClearingRecord) { r.Txn = won(5900) }},
			"acquirer:receivable=100 bank:settlement=5900 google:payable=-6000", "", "", "", true,
		},
		"PAY, drawn": {
			"PAY", 0, nothingOf,
			[]part{func(r *engine.ClearingRecord) { r.Txn, r.Result = won(100), "D" }},
			"acquirer:receivable=6100 bank:settlement=-100 google:payable=-6000", "", "", "", true,
		},
		"PAY, nothing":  {"PAY", 0, nothingOf, nil, ours(6000), "", "", "", true},
		"FEE, nothing":  {"FEE", 0, nothingOf, nil, ours(6000), "", "", "", true},
		"lower letters": {"cap", 10000, nil, nil, ours(6000), "", "acquirer-record", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.taken("q", "c", 10000)
			w.yes(w.refund("f", "c", 4000))
			w.forward()
			w.approved(w.reserve("lapsed", 1))
			w.later(week)
			parts := c.parts
			if c.of != nil {
				parts = append([]part{c.of(w)}, parts...)
			}
			r := w.record(0, c.typ, c.gross, parts...)
			for range 3 { // and again, for nothing
				w.take(engine.ClearingFile{
					Acquirer: "bc", Name: "PIDSP", Kind: engine.DisputeFileKind, Merchant: "M1", Day: "20260303", Seq: 1, Currency: krw,
					Records: []engine.ClearingRecord{r}, SHA256: digest(1),
				})
			}
			if w.books() != c.books {
				t.Errorf("books %q, not %q", w.books(), c.books)
			}
			told := []string{"capture-result c SUCCESS 00", "refund-result f SUCCESS 00"}
			if c.told != "" {
				told = append(told, c.told)
			}
			w.owes(told...)
			if c.kind == "" {
				w.wants()
			} else {
				w.wants(c.kind)
			}
			v, about := w.event(r.ID), w.reservation("q").ID
			switch {
			case c.kind == "acquirer-record":
				if v.Outcome != "EXCEPTION" || v.Reason == "" || v.Payment != "" || v.Object != "" {
					t.Errorf("%+v", v)
				}
				return
			case c.account:
				about = "account/P"
			case c.object == "reservation":
				about = w.reservation("lapsed").ID
			}
			kind, _, _ := strings.Cut(v.Object, "/")
			if v.Outcome != "APPLIED" || v.Payment != about || kind != c.object || v.Account != "P" || v.Gross != r.Gross.Minor() ||
				v.Fees != r.Fees.Minor() || v.Tax != r.Tax.Minor() {
				t.Errorf("%+v, of %q", v, about)
			}
		})
	}
}

func nothingOf(*world) func(*engine.ClearingRecord) {
	return func(r *engine.ClearingRecord) { r.RRN = "" }
}

// Rails §4.3, exceptions per line: nothing moves, a person learns of it, and the next record is taken all the same.
func TestRecordsThatFitNothing(t *testing.T) {
	type part = func(*engine.ClearingRecord)
	of := func(rrn string) part { return func(r *engine.ClearingRecord) { r.RRN = rrn } }
	foreign := func(r *engine.ClearingRecord) { r.Approval = "OTHER1" }
	for name, c := range map[string]struct {
		before func(*world)
		make   func(*world) engine.ClearingRecord
		reason string
	}{
		"unknown RRN": {
			nil, func(w *world) engine.ClearingRecord { return w.record(0, "CAP", 10000, of("999999999999")) }, "unknown rrn",
		},
		"no name at all": {
			nil, func(w *world) engine.ClearingRecord { return w.record(0, "CAP", 10000, of("")) }, "unknown rrn",
		},
		"another approval": {
			nil, func(w *world) engine.ClearingRecord { return w.record(0, "CAP", 10000, foreign) }, "unknown rrn",
		},
		"of another merchant": {nil, func(w *world) engine.ClearingRecord { return w.record(3, "CAP", 77) }, "unknown rrn"},
		"of another merchant, by our reference": {
			nil, func(w *world) engine.ClearingRecord { return w.record(-1, "CAP", 77, w.referenceAtP2) }, "unknown rrn",
		},
		"dispute of another merchant, by our reference": {
			nil, func(w *world) engine.ClearingRecord { return w.record(-1, "CHB", -77, first, w.referenceAtP2) }, "unknown rrn",
		},
		"of another merchant, by the network's name": {
			nil, func(w *world) engine.ClearingRecord {
				return w.record(-1, "CAP", 77, func(r *engine.ClearingRecord) { r.NetworkID = "N" + w.bank.holds[3].trace.RRN })
			}, "unknown rrn",
		},
		"of a hold": {nil, func(w *world) engine.ClearingRecord { return w.record(1, "CAP", 500) }, "unknown rrn"},
		"amount":    {nil, func(w *world) engine.ClearingRecord { return w.record(0, "CAP", 9999) }, "amount differs"},
		"amount in won": {
			nil, func(w *world) engine.ClearingRecord { return w.record(0, "CAP", 9999, txn(10000)) }, "amount differs",
		},
		"cleared twice": {
			func(w *world) { w.clears(w.record(0, "CAP", 10000)) },
			func(w *world) engine.ClearingRecord { return w.record(0, "CAP", 10000) }, "the capture is CLEARED already",
		},
		"cleared after refusal": {
			func(w *world) { w.clears(w.record(0, "REJ", 0)) }, func(w *world) engine.ClearingRecord { return w.record(0, "CAP", 10000) },
			"the capture is REJECTED already",
		},
		"refused twice": {
			func(w *world) { w.clears(w.record(0, "REJ", 0)) }, func(w *world) engine.ClearingRecord { return w.record(0, "REJ", 0) },
			"the capture is rejected already",
		},
		"refund of nobody": {nil, func(w *world) engine.ClearingRecord { return w.record(0, "REF", -10) }, "unknown rrn"},
		"refund's amount": {
			nil, func(w *world) engine.ClearingRecord { return w.record(0, "REF", -3999, w.ofRefund(0)) }, "amount differs",
		},
		"refund's amount in won": {
			nil, func(w *world) engine.ClearingRecord { return w.record(0, "REF", -3999, w.ofRefund(0), txn(4000)) }, "amount differs",
		},
		"refund settled twice": {
			func(w *world) { w.clears(w.record(0, "REF", -4000, w.ofRefund(0))) },
			func(w *world) engine.ClearingRecord { return w.record(0, "REF", -4000, w.ofRefund(0)) }, "the refund is settled already",
		},
		"refund that waits": {
			func(w *world) { w.yes(w.refund("g", "c", 10)) },
			func(w *world) engine.ClearingRecord { return w.record(0, "REF", -10, of(w.refundOf("q", "g").RRN)) },
			"the refund is REFUND_PENDING with us",
		},
		"refund that failed": {
			failedRefund, func(w *world) engine.ClearingRecord { return w.record(0, "REF", -10, of(w.refundOf("q", "g").RRN)) },
			"the refund is REFUND_FAILED with us",
		},
		"return that waits": {
			func(w *world) { w.yes(w.refund("g", "c", 10)) },
			func(w *world) engine.ClearingRecord { return w.record(0, "RRF", 10, of(w.refundOf("q", "g").RRN)) },
			"the refund is REFUND_PENDING with us",
		},
		"return of more": {
			nil, func(w *world) engine.ClearingRecord { return w.record(0, "RRF", 4001, w.ofRefund(0)) }, "amount differs",
		},
		"return of nothing": {
			nil, func(w *world) engine.ClearingRecord { return w.record(0, "RRF", 0, w.ofRefund(0)) }, "amount differs",
		},
		"returned twice": {
			func(w *world) { w.clears(w.record(0, "RRF", 1, w.ofRefund(0))) },
			func(w *world) engine.ClearingRecord { return w.record(0, "RRF", 1, w.ofRefund(0)) }, "the refund is REFUND_REVERSED with us",
		},
		"return of nobody": {nil, func(w *world) engine.ClearingRecord { return w.record(0, "RRF", 10) }, "unknown rrn"},
		"chargeback of nobody": {
			nil, func(w *world) engine.ClearingRecord { return w.record(0, "CHB", -1, first, of("999999999999")) }, "unknown rrn",
		},
		"chargeback of more": {
			nil, func(w *world) engine.ClearingRecord { return w.record(0, "CHB", -10001, first) }, "amount differs",
		},
		"chargeback told before": {
			func(w *world) { w.chb() }, func(w *world) engine.ClearingRecord { return w.record(0, "CHB", -3000, first) },
			"this stage was told before",
		},
		"inquiry of nobody": {
			nil, func(w *world) engine.ClearingRecord { return w.record(0, "INQ", 1, inquiry, of("999999999999")) }, "unknown rrn",
		},
		"win without a chargeback": {
			nil, func(w *world) engine.ClearingRecord { return w.record(0, "CBR", 1) }, "no chargeback of ours fits",
		},
		"win of more": {
			func(w *world) { w.chb() }, func(w *world) engine.ClearingRecord { return w.record(0, "CBR", 3001) }, "amount differs",
		},
		"win of nothing": {
			func(w *world) { w.chb() }, func(w *world) engine.ClearingRecord { return w.record(0, "CBR", 0) }, "amount differs",
		},
		"win of another case": {
			func(w *world) { w.chb() }, func(w *world) engine.ClearingRecord { return w.record(0, "CBR", 3000, ofCase("K9")) },
			"no chargeback of ours fits",
		},
		"win of nobody": {
			nil, func(w *world) engine.ClearingRecord { return w.record(0, "CBR", 1, of("999999999999")) }, "unknown rrn",
		},
		"fraud of nobody": {
			nil, func(w *world) engine.ClearingRecord { return w.record(0, "FRD", 0, of("999999999999")) }, "unknown rrn",
		},
		"ARN of nobody": {
			nil, func(w *world) engine.ClearingRecord { return w.record(0, "ARN", 0, of("999999999999"), withARN(1)) }, "unknown rrn",
		},
		"refusal of nobody": {
			nil, func(w *world) engine.ClearingRecord { return w.record(0, "REJ", 0, of("999999999999")) }, "unknown rrn",
		},
		"fee of no reservation": {
			nil, func(w *world) engine.ClearingRecord { return w.record(0, "RSV", 0, of(""), fees(-1, 0)) }, "unknown rrn",
		},
		"unknown type": {nil, func(w *world) engine.ClearingRecord { return w.record(0, "XYZ", 0) }, "unknown record type"},
		"an event that fits nothing": {
			nil, func(w *world) engine.ClearingRecord { return w.record(0, "CBR", 1, of(""), original("E99999")) }, "unknown rrn",
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.taken("q", "c", 10000)
			w.yes(w.refund("f", "c", 4000))
			w.approved(w.reserve("held", 500))
			w.taken("other", "o", 5)
			w.atP2(77)
			if c.before != nil {
				c.before(w)
			}
			books, told, cases := w.books(), len(w.notices()), len(w.cases())
			bad, good := c.make(w), w.record(2, "CAP", 5)
			got := w.clears(bad, good)
			if got.Records != 2 || got.Exceptions != 1 || got.State != engine.FileLoaded {
				t.Errorf("%+v", got)
			}
			if w.books() != books || len(w.notices()) != told || len(w.cases()) != cases+1 || !slices.Contains(w.cases(), "acquirer-record") {
				t.Errorf("books %q, cases %v", w.books(), w.cases())
			}
			if v := w.event(bad.ID); v.Outcome != "EXCEPTION" || !strings.HasPrefix(v.Reason, c.reason) || v.Payment != "" || v.Object != "" {
				t.Errorf("%+v", v)
			}
			if w.clearing("other").Clearing != engine.ClearedCapture {
				t.Error("the next record was not taken")
			}
			w.clears(bad, good) // the same records in another file: told once
			if len(w.cases()) != cases+1 {
				t.Error(w.cases())
			}
		})
	}
}

func txn(minor int64) func(*engine.ClearingRecord) {
	return func(r *engine.ClearingRecord) { r.Txn = won(minor) }
}

func failedRefund(w *world) {
	w.yes(w.refund("g", "c", 10))
	w.replies(refuses("", "05"))
	w.forward()
}

// atP2 makes a captured payment of the other account, whose merchant is M2.
func (w *world) atP2(minor int64) {
	w.Helper()
	do := func(id string, work func(context.Context, engine.Turn) ([]byte, error)) {
		w.Helper()
		_, err := w.Once(context.Background(), engine.Request{Key: engine.Key{Account: "P2", RequestID: id}, Method: id}, work)
		w.must(err)
	}
	do("q2", func(ctx context.Context, turn engine.Turn) ([]byte, error) {
		return w.Reserve(ctx, turn, engine.ReserveAsk{Order: order(minor), Encode: said})
	})
	do("c2", func(ctx context.Context, turn engine.Turn) ([]byte, error) {
		return w.Capture(ctx, turn, engine.CaptureAsk{
			Reservation: engine.Key{Account: "P2", RequestID: "q2"}, Amount: exactly(minor),
			Encode: func(string) ([]byte, error) { return []byte("ok"), nil },
		})
	})
	w.forward()
}

func (w *world) referenceAtP2(r *engine.ClearingRecord) {
	w.look(func(v engine.Reader) error {
		p, _, err := v.ReservationByRequest(engine.Key{Account: "P2", RequestID: "q2"})
		r.Reference = p.ID
		return err
	})
}

// Rails §4.3: how a record finds its capture, in this order.
func TestMatching(t *testing.T) {
	type part = func(*engine.ClearingRecord)
	for name, parts := range map[string]func(*world) []part{
		"RRN": func(*world) []part { return nil },
		"RRN and approval": func(w *world) []part {
			return []part{func(r *engine.ClearingRecord) { r.Approval = w.reservation("q").Approval }}
		},
		"RRN and six of eight": func(w *world) []part { // a Korean approval code shows its last six in DE38 (rails §1.5)
			return []part{func(r *engine.ClearingRecord) { r.Approval = "118799" }}
		},
		"ARN": func(w *world) []part {
			w.clears(w.record(0, "ARN", 0, withARN(5)))
			return []part{nothingOf(w), withARN(5)}
		},
		"our reference": func(w *world) []part {
			return []part{nothingOf(w), func(r *engine.ClearingRecord) { r.Reference = w.reservation("q").ID }}
		},
		"the network's name and the amount": func(w *world) []part {
			return []part{nothingOf(w), func(r *engine.ClearingRecord) { r.NetworkID = w.reservation("q").NetworkID }}
		},
		"an earlier record": func(w *world) []part {
			early := w.record(0, "FRD", 0)
			w.clears(early)
			return []part{nothingOf(w), original(early.ID)}
		},
		"a wrong RRN and the right reference": func(w *world) []part {
			return []part{func(r *engine.ClearingRecord) { r.RRN, r.Reference = "999999999999", w.reservation("q").ID }}
		},
		"an unknown ARN and the right reference": func(w *world) []part {
			return []part{nothingOf(w), withARN(6), func(r *engine.ClearingRecord) { r.Reference = w.reservation("q").ID }}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.taken("other", "o", 10000)
			w.auth(func(a *acquirer, o payment.AuthOrder) payment.Outcome {
				out := approve(a, o)
				out.Approval = "30118799"
				return out
			})
			w.taken("q", "c", 10000)
			w.bank.holds[0], w.bank.holds[1] = w.bank.holds[1], w.bank.holds[0]
			w.clears(w.record(0, "CAP", 10000, parts(w)...))
			if w.clearing("q").Clearing != engine.ClearedCapture || w.clearing("other").Clearing != engine.NotCleared {
				t.Errorf("%+v, %+v", w.clearing("q"), w.clearing("other"))
			}
			for _, kind := range w.cases() {
				t.Error(kind)
			}
		})
	}
}

// A reversal of a chargeback names the record that raised it, its case, or nothing: then it is about the newest that stands.
func TestWhichChargebackWasWon(t *testing.T) {
	two := func(w *world) (a, b engine.ClearingRecord) {
		a = w.record(0, "CHB", -3000, first)
		w.clears(a)
		w.clock.Advance(time.Second)
		w.clears(w.record(0, "CHB", -1, first, ofCase("K3")), w.record(0, "CBR", 1, ofCase("K3"))) // over
		b = w.record(0, "CHB", -3000, first, ofCase("K2"))
		w.clears(b)
		return a, b
	}
	for name, c := range map[string]struct {
		parts func(a, b engine.ClearingRecord) []func(*engine.ClearingRecord)
		older bool
	}{
		"by its record": {func(a, _ engine.ClearingRecord) []func(*engine.ClearingRecord) {
			return []func(*engine.ClearingRecord){original(a.ID)}
		}, true},
		"by its case": {func(_, _ engine.ClearingRecord) []func(*engine.ClearingRecord) {
			return []func(*engine.ClearingRecord){ofCase("K1")}
		}, true},
		"the newest": {func(_, _ engine.ClearingRecord) []func(*engine.ClearingRecord) { return nil }, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.taken("q", "c", 10000)
			a, b := two(w)
			w.clears(w.record(0, "CBR", 2000, c.parts(a, b)...))
			states := map[string]payment.DisputeState{}
			for _, d := range w.disputes("q") {
				if states[d.Case] = d.State; d.State == payment.CB1Reversed && d.Case != "K3" && d.Won != won(2000) {
					t.Errorf("%+v", d)
				}
			}
			if (states["K1"] == payment.CB1Reversed) != c.older || (states["K2"] == payment.CB1Reversed) == c.older {
				t.Error(states)
			}
			w.is("q", payment.Captured, ours(6000), true)
			w.wants()
		})
	}
}

// Two reports of fraud are two; the same one told again is one (§9.5, last row: no stage moves).
func TestFraudTwice(t *testing.T) {
	w := newWorld(t)
	w.taken("q", "c", 10000)
	r := w.record(0, "FRD", 0, func(r *engine.ClearingRecord) { r.RawCode = "a" })
	w.clears(r, r)
	w.clears(r)
	w.owes("capture-result c SUCCESS 00", "fraud c a VISA")
	w.clears(w.record(0, "FRD", 0, func(r *engine.ClearingRecord) { r.RawCode = "b" }))
	w.owes("capture-result c SUCCESS 00", "fraud c a VISA", "fraud c b VISA")
	w.is("q", payment.Captured, taken10, true)
	w.wants()
}

// An event id says the same for ever. Where it does not, nothing is booked, and a person learns of it, once.
func TestEventToldWithOtherContent(t *testing.T) {
	w := newWorld(t)
	w.taken("q", "c", 10000)
	a := w.record(0, "CHB", -3000, first)
	w.clears(a)
	b := w.record(0, "CHB", -4000, first, ofCase("K2"), event(a.ID))
	got := w.clears(b)
	w.clears(b)
	w.is("q", payment.Captured, disputed, true)
	w.contested("q", payment.CB1Open)
	w.wants("acquirer-event-changed")
	if v := w.event(a.ID); v.Digest != a.Digest || v.Gross != -3000 || got.Exceptions != 1 {
		t.Errorf("%+v, %+v", v, got)
	}
}

// A file may be read any number of times, and a reading that died goes on where it ended.
func TestReadingAFileAgain(t *testing.T) {
	expect := func(t *testing.T, w *world, f engine.ClearingFile) {
		t.Helper()
		w.is("q", payment.Captured, "acquirer:receivable=6900 fee:acquirer=100 google:payable=-7000", true)
		w.owes("capture-result c SUCCESS 00", "capture-arn c "+arn(1), toldOfCB1, "fraud c VISA")
		w.wants("acquirer-line", "acquirer-record")
		var kept engine.AcquirerFile
		w.look(func(v engine.Reader) (err error) { kept, _, err = v.AcquirerFile("bc", f.Name); return err })
		if want := (engine.AcquirerFile{
			Acquirer: "bc", Name: f.Name, Kind: "PISTL", Merchant: "M1", Day: "20260302", Seq: 1, SHA256: f.SHA256, State: "LOADED",
			Currency: "KRW", Records: 4, Exceptions: 2, Gross: 17000, Fees: -100, Net: 16900, At: w.clock.Now(),
		}); kept != want {
			t.Errorf("%+v, not %+v", kept, want)
		}
	}
	whole := func(t *testing.T) (*world, engine.ClearingFile) {
		w := newWorld(t)
		w.taken("q", "c", 10000)
		f := w.file(engine.SettlementFileKind,
			w.record(0, "CAP", 10000, withARN(1), fees(-100, 0)), w.record(0, "CHB", -3000, first), w.record(0, "CAP", 10000),
			w.record(0, "FRD", 0))
		f.Rejected = []engine.ClearingReject{{Line: 5, ID: "E77", Reason: "net does not fit"}}
		return w, f
	}
	t.Run("three times", func(t *testing.T) {
		w, f := whole(t)
		for range 3 {
			w.take(f)
			expect(t, w, f)
		}
	})
	for point, times := range map[crash.Point]int{crash.RecordTaken: 4, crash.FileTaken: 1} {
		for n := range times {
			t.Run(fmt.Sprint(point, n), func(t *testing.T) {
				w, f := whole(t)
				for range n + 1 { // it dies again and again, a record further each time
					w.die = point
					if !survives(func() { _, _ = w.TakeFile(context.Background(), f) }) {
						t.Fatal("the point was not passed")
					}
					w.start()
				}
				w.take(f)
				expect(t, w, f)
			})
		}
	}
	t.Run("disk", func(t *testing.T) {
		w, f := whole(t)
		for n := range 4 {
			left := n
			w.store.fail = func() error {
				if left--; left < 0 {
					return errDisk
				}
				return nil
			}
			if _, err := w.TakeFile(context.Background(), f); !errors.Is(err, errDisk) {
				t.Fatal(err)
			}
		}
		w.store.fail = nil
		w.take(f)
		expect(t, w, f)
	})
}

// A file must not be taken where its name or its number was loaded with other content (rails §4.3). What was loaded stays.
func TestQuarantine(t *testing.T) {
	for name, change := range map[string]func(*engine.ClearingFile){
		"name":   func(f *engine.ClearingFile) {},
		"number": func(f *engine.ClearingFile) { f.Name = "another" },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.taken("q", "c", 10000)
			good := w.file(engine.DisputeFileKind, w.record(0, "FRD", 0))
			w.take(good)
			bad := good
			bad.Records, bad.SHA256 = []engine.ClearingRecord{w.record(0, "CHB", -3000, first)}, digest("other")
			change(&bad)
			for range 2 {
				if got := w.take(bad); got.State != engine.FileQuarantined || got.Reason == "" {
					t.Errorf("%+v", got)
				}
			}
			w.is("q", payment.Captured, taken10, true)
			w.wants("acquirer-file")
			var kept engine.AcquirerFile
			w.look(func(v engine.Reader) (err error) { kept, _, err = v.AcquirerFile("bc", good.Name); return err })
			if kept.State != engine.FileLoaded || kept.SHA256 != good.SHA256 {
				t.Errorf("%+v", kept)
			}
			w.take(good)
			w.wants("acquirer-file")
		})
	}
	t.Run("mended", func(t *testing.T) { // a broken file comes again under its name, whole
		w := newWorld(t)
		w.taken("q", "c", 10000)
		good := w.file(engine.DisputeFileKind, w.record(0, "CHB", -3000, first))
		bad := engine.ClearingFile{
			Acquirer: "bc", Name: good.Name, Kind: good.Kind, Merchant: "M1", Day: good.Day, Seq: good.Seq, SHA256: digest("cut"), Currency: krw,
		}
		got, err := w.Quarantine(context.Background(), bad, "the sums differ")
		w.must(err)
		if got.State != engine.FileQuarantined || got.Reason != "the sums differ" {
			t.Errorf("%+v", got)
		}
		w.is("q", payment.Captured, taken10, true)
		if got := w.take(good); got.State != engine.FileLoaded {
			t.Errorf("%+v", got)
		}
		w.is("q", payment.Captured, disputed, true)
		w.wants("acquirer-file")
	})
}

// Rails §4.3: each capture of a settled day is in the file of that day, or a person learns of it.
func TestMissingAtTheAcquirer(t *testing.T) {
	start := func(t *testing.T) *world {
		w := newWorld(t)
		w.taken("a", "c1", 10000)
		w.taken("b", "c2", 500)
		w.taken("d", "c3", 700)
		w.atP2(77) // another merchant's file knows it
		w.approved(w.reserve("open", 1))
		return w
	}
	t.Run("a settlement", func(t *testing.T) {
		w := start(t)
		w.clears(w.record(0, "CAP", 10000)) // by whatever file
		f := w.file(engine.SettlementFileKind, w.record(1, "CAP", 500))
		for range 2 {
			w.take(f)
			w.wants("missing-at-acquirer")
		}
		list, err := w.ListCases(context.Background(), true, 9)
		w.must(err)
		if list[0].Payment != w.reservation("d").ID || !strings.Contains(list[0].Detail, "700") {
			t.Errorf("%+v", list)
		}
	})
	t.Run("a file of disputes", func(t *testing.T) {
		w := start(t)
		w.clears(w.record(0, "FRD", 0))
		w.wants()
	})
	t.Run("another day", func(t *testing.T) {
		w := start(t)
		w.clock.Advance(24 * time.Hour)
		w.take(w.file(engine.SettlementFileKind, w.record(0, "CAP", 10000)))
		w.wants()
	})
	t.Run("all there", func(t *testing.T) {
		w := start(t)
		w.take(w.file(engine.SettlementFileKind, w.record(0, "CAP", 10000), w.record(1, "CAP", 500), w.record(2, "REJ", 0)))
		w.wants("capture-rejected")
	})
	t.Run("the process dies before it looked", func(t *testing.T) {
		w := start(t)
		f := w.file(engine.SettlementFileKind, w.record(0, "CAP", 10000), w.record(1, "CAP", 500))
		w.die = crash.FileTaken
		if !survives(func() { _, _ = w.TakeFile(context.Background(), f) }) {
			t.Fatal("the point was not passed")
		}
		w.start()
		w.take(f) // the file still lies in the inbox
		w.wants("missing-at-acquirer")
	})
}

// Korea Cards v1 §9.4: an acquirer reference number is set once and told once, after the verdict. Another one is a person's business.
func TestReferenceNumbers(t *testing.T) {
	type part = func(*engine.ClearingRecord)
	for name, c := range map[string]struct {
		typ, again string // the records that name it
		of         func(*world) part
		got        func(*world) string
		told       string
	}{
		"of a capture": {
			"CAP", "ARN", func(*world) part { return txn(10000) }, func(w *world) string { return w.clearing("q").ARN }, "capture-arn c ",
		},
		"of a refund": {
			"REF", "ARN", func(w *world) part { return w.ofRefund(0) }, func(w *world) string { return w.refundOf("q", "f").ARN },
			"refund-arn f ",
		},
		"later, capture": {
			"ARN", "ARN", func(*world) part { return txn(0) }, func(w *world) string { return w.clearing("q").ARN }, "capture-arn c ",
		},
		"later, refund": {
			"ARN", "REF", func(w *world) part { return w.ofRefund(0) }, func(w *world) string { return w.refundOf("q", "f").ARN },
			"refund-arn f ",
		},
		"in the CAP later": {
			"ARN", "CAP", func(*world) part { return txn(10000) }, func(w *world) string { return w.clearing("q").ARN }, "capture-arn c ",
		},
	} {
		gross := map[string]int64{"CAP": 10000, "REF": -4000}
		for _, silent := range []bool{false, true} { // the counterparty does not offer the call
			t.Run(fmt.Sprint(name, "/", silent), func(t *testing.T) {
				w := newWorld(t, func(e *engine.Config) { e.Accounts[0].NoARN = silent })
				w.taken("q", "c", 10000)
				w.yes(w.refund("f", "c", 4000))
				w.forward()
				w.clears(w.record(0, c.typ, gross[c.typ], c.of(w), withARN(1)))
				told := []string{"capture-result c SUCCESS 00", "refund-result f SUCCESS 00"}
				if !silent {
					told = append(told, c.told+arn(1))
				}
				w.clears(w.record(0, c.again, gross[c.again], c.of(w), withARN(1))) // the same once more
				w.owes(told...)
				w.wants()
				w.clears(w.record(0, "ARN", 0, c.of(w), withARN(2)))
				w.owes(told...)
				w.wants("arn-changed")
				if got := c.got(w); got != arn(1) {
					t.Error(got)
				}
			})
		}
	}
}

// A reference number that another capture has already fits nothing, and spoils no other record.
func TestReferenceNumberOfAnother(t *testing.T) {
	w := newWorld(t)
	w.taken("a", "c1", 100)
	w.taken("b", "c2", 200)
	w.taken("d", "c3", 300)
	w.clears(w.record(0, "CAP", 100, withARN(1)))
	f := w.file(engine.DisputeFileKind, w.record(1, "CAP", 200, withARN(1)), w.record(2, "CAP", 300, withARN(3)))
	got, err := w.TakeFile(context.Background(), f)
	if err != nil || got.State != engine.FileLoaded {
		t.Errorf("%+v, %v", got, err)
	}
	if a, b, d := w.clearing("a"), w.clearing("b"), w.clearing("d"); d.Clearing != engine.ClearedCapture || a.ARN != arn(1) || b.ARN != "" {
		t.Errorf("%+v, %+v, %+v", a, b, d)
	}
	if len(w.cases()) != 1 {
		t.Error(w.cases())
	}
}

// What a file says of one acquirer is about its captures only, also where two networks use the same reference numbers.
func TestNetworksDoNotShareReferences(t *testing.T) {
	other := &acquirer{}
	w := newWorld(t, func(c *engine.Config) {
		c.Links["kb"] = engine.Link{Rail: other}
		c.Accounts = append(c.Accounts, engine.Account{
			ID: "P3", Acquirer: "kb", Terminals: []string{"T7"}, Merchant: "M1", MCC: "5816", Currencies: c.Accounts[0].Currencies,
			Location: time.UTC,
		})
	})
	other.now = w.clock.Now
	w.taken("q", "c", 10000)
	do := func(id string, work func(context.Context, engine.Turn) ([]byte, error)) {
		t.Helper()
		_, err := w.Once(context.Background(), engine.Request{Key: engine.Key{Account: "P3", RequestID: id}, Method: id}, work)
		w.must(err)
	}
	do("q3", func(ctx context.Context, turn engine.Turn) ([]byte, error) {
		return w.Reserve(ctx, turn, engine.ReserveAsk{Order: order(5000), Encode: said})
	})
	do("c3", func(ctx context.Context, turn engine.Turn) ([]byte, error) {
		return w.Capture(ctx, turn, engine.CaptureAsk{
			Reservation: engine.Key{Account: "P3", RequestID: "q3"}, Amount: exactly(5000),
			Encode: func(string) ([]byte, error) { return []byte("ok"), nil },
		})
	})
	w.forward()
	if w.bank.holds[0].trace.RRN != other.holds[0].trace.RRN {
		t.Fatal("the networks use other references")
	}
	w.clears(w.record(0, "FRD", 0))
	w.told(w.advice("0422/1", 3000))
	w.contested("q", payment.CB1Open)
	w.wants()
	w.owes("capture-result c SUCCESS 00", "capture-result c3 SUCCESS 00", "fraud c VISA", "chargeback c 4540 FIRST 3000 KRW fraud ISO K1")
}
