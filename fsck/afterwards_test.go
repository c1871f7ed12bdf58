package fsck_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"naru/core/money"
	"naru/core/payment"
	"naru/engine"
)

const day = 24 * time.Hour

func won(minor int64) money.Amount { return money.New(minor, money.Of("KRW")) }

func (w *world) do(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// paid makes a captured payment; its capture is called capture-NAME.
func (w *world) paid(account, name string) {
	w.t.Helper()
	w.must(true, w.reserve(account, name, approved, nil))
	w.capture(account, name, 12_900)
	w.forward()
}

// refund asks for money back; the network answers reply when it hears of it.
func (w *world) refund(account, request, payment string, minor int64) {
	w.t.Helper()
	w.do(w.once(account, request, "asynchronousRefund", payment, func(ctx context.Context, t engine.Turn) ([]byte, error) {
		return w.engine.Refund(ctx, t, engine.RefundAsk{
			Capture: engine.Key{Account: account, RequestID: "capture-" + payment},
			Amount:  func(c money.Currency) (money.Amount, error) { return money.New(minor, c), nil },
			Encode:  func(string) ([]byte, error) { return []byte(`{"result":"ACKNOWLEDGED"}`), nil },
		})
	}))
}

// refunded asks for money back, and the network answers at once.
func (w *world) refunded(account, request, name string, minor int64, reply payment.AdviceReply) {
	w.t.Helper()
	w.refund(account, request, name, minor)
	w.rail.replies = map[payment.AdviceKind]payment.AdviceReply{payment.RefundOrder: reply}
	w.forward()
	w.rail.replies = nil
}

func (w *world) defend(account, request, name, document string) {
	w.t.Helper()
	w.do(w.once(account, request, "defendChargeback", name+document, func(ctx context.Context, t engine.Turn) ([]byte, error) {
		return w.engine.Defend(ctx, t, engine.DefendAsk{
			Capture: engine.Key{Account: account, RequestID: "capture-" + name}, Document: []byte(document),
			Encode: func(r engine.DefendResult) ([]byte, error) {
				words := []string{"SUCCESS", "CAPTURE_REQUEST_ID_NOT_FOUND", "INVALID_DOCUMENT_FORMAT", "CHARGEBACK_NOT_DEFENDABLE"}
				return fmt.Appendf(nil, `{"result":%q}`, words[r]), nil
			},
		})
	}))
}

// rrn is how the network names a hold.
func (w *world) rrn(account, request string) string {
	w.t.Helper()
	holds, err := w.store.Holds(w.t.Context())
	w.do(err)
	for _, h := range holds {
		if h.Account == account && h.RequestID == request {
			return h.RRN
		}
	}
	w.t.Fatal("no hold of", request)
	return ""
}

func (w *world) refundRRN(request string) string {
	w.t.Helper()
	rows, err := w.store.Refunds(w.t.Context())
	w.do(err)
	for _, f := range rows {
		if f.RequestID == request {
			return f.RRN
		}
	}
	w.t.Fatal("no refund", request)
	return ""
}

// record is a line of an acquirer's file about a reference, with the gross amount as its type signs it.
func (w *world) record(kind, rrn string, gross int64, more ...func(*engine.ClearingRecord)) engine.ClearingRecord {
	w.events++
	r := engine.ClearingRecord{
		Type: kind, ID: fmt.Sprintf("E%07d", w.events), RRN: rrn, At: w.clock.Now(), Txn: won(max(gross, -gross)), Gross: won(gross),
		Fees: won(0), Tax: won(0), Brand: "VISA", RawCode: "10.4", Reason: payment.Fraud,
	}
	for _, change := range more {
		change(&r)
	}
	r.Digest = digest(fmt.Sprint(r.ID, r.Type, r.Gross))
	return r
}

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

func fees(fee, tax int64) func(*engine.ClearingRecord) {
	return func(r *engine.ClearingRecord) { r.Fees, r.Tax = won(fee), won(tax) }
}

func dispute(s payment.Stage, number string) func(*engine.ClearingRecord) {
	return func(r *engine.ClearingRecord) { r.Stage, r.Case, r.ReplyBy = s, number, r.At.Add(3*day) }
}

func arn(n int) func(*engine.ClearingRecord) {
	return func(r *engine.ClearingRecord) { r.ARN = fmt.Sprintf("7999999632600000000%04d", n) }
}

// take takes a file of the merchant of PG_KRW into account, or of another.
func (w *world) take(kind string, records ...engine.ClearingRecord) {
	w.takeOf("000000000000042", kind, nil, records...)
}

func (w *world) takeOf(merchant, kind string, rejected []engine.ClearingReject, records ...engine.ClearingRecord) {
	w.t.Helper()
	w.seq++
	f := engine.ClearingFile{
		Acquirer: "acq7", Kind: kind, Merchant: merchant, Day: w.clock.Now().Format("20060102"), Seq: w.seq, Currency: money.Of("KRW"),
		Records: records, Rejected: rejected,
	}
	f.Name = fmt.Sprintf("%s_acq7_%s_%s_%03d.csv", kind, merchant, f.Day, f.Seq)
	for i := range f.Records {
		r := &f.Records[i]
		r.Line = int64(i + 3)
		f.Gross, f.Fees, f.Tax = f.Gross+r.Gross.Minor(), f.Fees+r.Fees.Minor(), f.Tax+r.Tax.Minor()
	}
	f.Net, f.SHA256 = f.Gross+f.Fees+f.Tax, digest(f.Name)
	_, err := w.engine.TakeFile(w.t.Context(), f)
	w.do(err)
}

const (
	stl = engine.SettlementFileKind
	dsp = engine.DisputeFileKind
)

// afterwards is all that can happen to captured money, and to a card that was only asked about.
func (w *world) afterwards() {
	const a, b = "PG_KRW", "PG2_KRW"
	w.checks()
	w.sales()
	for _, name := range []string{"refunds", "lost-twice", "won", "inquired", "on-line", "withdrawn", "clash", "rejected", "silent-refund"} {
		w.paid(a, name)
	}
	w.paid(b, "kept")
	w.paid(b, "erased")
	accepted := payment.AdviceReply{Verdict: payment.AdviceAccepted, Code: "00"}
	w.refunded(a, "refund-paid", "refunds", 4_000, accepted)
	w.refunded(a, "refund-returned", "refunds", 3_000, accepted)
	w.refunded(a, "refund-declined", "refunds", 1_000, payment.AdviceReply{Verdict: payment.AdviceDeclined, Code: "05"})
	w.refunded(a, "refund-repeated", "silent-refund", 2_000, payment.AdviceReply{Verdict: payment.AdviceSilent})
	w.clock.advance(time.Minute)
	w.forward()
	w.refunded(b, "refund-stopped", "kept", 2_000, payment.AdviceReply{Verdict: payment.AdviceRefused, Code: "30"})
	w.refunded(a, "refund-clash", "clash", 12_900, payment.AdviceReply{Verdict: payment.AdviceRefused, Code: "30"})
	w.refund(a, "refund-withdrawn", "withdrawn", 9_000)
	w.take(
		dsp,
		w.record("INQ", w.rrn(a, "won"), 0, dispute("", "C1"), func(r *engine.ClearingRecord) { r.Txn = won(5_000) }),
		w.record("INQ", w.rrn(a, "inquired"), 0, dispute("", "C2"), func(r *engine.ClearingRecord) { r.Txn = won(5_000) }),
		w.record("CHB", w.rrn(a, "withdrawn"), -12_900, dispute(payment.First, "C3")),
		w.record("CHB", w.rrn(a, "clash"), -12_900, dispute(payment.First, "C4")),
	)
	w.refund(a, "refund-too-much", "withdrawn", 100)
	w.defend(a, "defend-1", "won", "%PDF-1.7 of the inquiry")
	w.take(dsp, w.record("CHB", w.rrn(a, "won"), -5_000, dispute(payment.First, "C1"), fees(-1_000, -100)))
	w.defend(a, "defend-2", "won", "%PDF-1.7 of the chargeback")
	w.defend(a, "defend-3", "refunds", "%PDF-1.7 of nothing")
	w.must(true, w.engine.ChargedBack(w.t.Context(), payment.ChargebackAdvice{
		Acquirer: "acq7", Original: payment.Trace{RRN: w.rrn(a, "on-line")}, Name: "0422-1", Amount: won(6_000), Stage: payment.First,
		Reason: payment.Fraud, Scope: "VISA", RawCode: "10.4", At: w.clock.Now(), ReplyBy: w.clock.Now().Add(3 * day),
	}))
	w.take(
		stl,
		w.record("CAP", w.rrn(a, "refunds"), 12_900, fees(-100, -10), arn(1)),
		w.record("CAP", w.rrn(a, "won"), 12_900, fees(-100, -10)),
		w.record("REF", w.refundRRN("refund-paid"), -4_000, fees(24, 0), arn(2)),
		w.record("RRF", w.refundRRN("refund-returned"), 2_500),
		w.record("RSV", "", 0, fees(-5, 0), func(r *engine.ClearingRecord) { r.Reference = w.reservation(a, "cancelled") }),
		w.record("CHB", w.rrn(a, "on-line"), -6_000, dispute(payment.First, "C5")),
		w.record("CBR", w.rrn(a, "won"), 4_000, dispute("", "C1")),
		w.record("FRD", w.rrn(a, "won"), 0),
		w.record("ARN", w.rrn(a, "won"), 0, arn(3)),
		w.record("REJ", w.rrn(a, "rejected"), 0, fees(-7, 0)),
		w.record("FEE", "", 0, fees(-15, -1)),
		w.record("ADJ", "", 300),
		w.record("ADJ", "", -120),
		w.record("PAY", "", 0, func(r *engine.ClearingRecord) { r.Txn, r.Text = won(20_000), "bank reference" }),
		w.record("PAY", "", 0, func(r *engine.ClearingRecord) { r.Txn, r.Result = won(500), "D" }),
		w.record("CAP", "999999999999", 100),
	)
	w.take(dsp, w.record("CHB", w.rrn(a, "won"), -4_000, dispute(payment.Second, "C1")))
	bad := []engine.ClearingReject{{Line: 4, Reason: "bad-number"}}
	w.takeOf("000000000000043", stl, bad, w.record("CAP", w.rrn(b, "erased"), 12_900, arn(4)))
	_, err := w.engine.Quarantine(w.t.Context(), engine.ClearingFile{
		Acquirer: "acq7", Kind: stl, Merchant: "000000000000042", Name: "cut.csv", SHA256: digest("cut"), Currency: money.Of("KRW"),
	}, "truncated")
	w.do(err)
	w.files()
	w.deliver()

	w.rail.totals = payment.TotalsReply{Verdict: payment.TotalsAgreed, Code: "00"}
	w.clock.advance(day)
	w.drain(w.engine.Totals)
	w.drain(w.engine.Settle)
	w.paid(a, "late")
	w.rail.totals = payment.TotalsReply{Verdict: payment.TotalsBreak, Code: "95", Host: payment.DayTotals{Debits: 1, DebitSum: 1}}
	w.clock.advance(day)
	w.drain(w.engine.Totals)
	w.clock.advance(2 * day)
	w.drain(w.engine.Contest) // what was not defended is lost
	w.take(stl, w.record("CBR", w.rrn(a, "on-line"), 6_000, dispute("", "C5")))
	w.drain(w.engine.Settle)
	rows, err := w.store.SettlementRows(w.t.Context())
	w.do(err)
	for _, s := range rows {
		if s.Net < 0 || s.Net > 60_000 {
			w.do(w.engine.PaySettlement(w.t.Context(), s.ID, "wire 1", "operator"))
		}
	}
	w.drain(w.engine.Erase)
	w.refund(b, "refund-too-late", "erased", 100)
	w.refund("PG4", "refund-of-sale-too-late", "sold", 100)
	w.paid(a, "newest")
	w.rail.totals = payment.TotalsReply{}
	w.clock.advance(day)
	w.drain(w.engine.Totals)
	w.drain(w.engine.Settle)
	w.deliver()
}

// deliver sends what is owed until only news of news is left.
func (w *world) deliver() {
	for range 4 {
		w.drain(w.outbox.Run)
		w.clock.advance(15 * time.Minute)
	}
}

// checks are questions about cards.
func (w *world) checks() {
	const a = "PG_KRW"
	w.check(a, "checked", payment.ToCheck, approved)
	w.check(a, "unchecked", payment.ToCheck, refused)
	w.check(a, "verified-nothing", payment.ToVerify, approved)
	w.check(a, "verified-nothing-cancelled", payment.ToVerify, approved)
	w.cancel(a, "verified-nothing-cancelled", "cancel-verified-nothing")
	w.rail.least = 100
	w.check(a, "checked-with-money", payment.ToCheck, approved)
	w.check(a, "verified", payment.ToVerify, approved)
	w.check(a, "verified-cancelled", payment.ToVerify, approved)
	w.check(a, "verified-expired", payment.ToVerify, approved)
	w.cancel(a, "verified-cancelled", "cancel-verified")
	w.settle()
	w.clock.advance(2 * day)
	w.drain(w.engine.Expire)
	w.settle()
}

// sales are payments in one message, in two currencies, and what becomes of them.
func (w *world) sales() {
	const d, merchant = "PG4", "000000000000045"
	w.must(true, w.sell(d, "sold", won(12_900), booked))
	w.must(true, w.sell(d, "sold-disputed", won(12_900), booked))
	w.must(true, w.sell(d, "sold-dollars", money.New(1_999, money.Of("USD")), booked))
	w.must(true, w.sell(d, "sale-declined", won(12_900), refused))
	w.must(true, w.sell(d, "sale-in-part", won(12_900), partial))
	w.must(false, w.sell(d, "sale-not-held", won(12_900), silent))
	w.must(false, w.sell(d, "sale-at-last", money.New(500, money.Of("USD")), silent))
	w.must(false, w.sell(d, "sale-busy", won(12_900), busy))
	w.must(false, w.sell(d, "sale-cancelled", won(12_900), silent))
	w.settle()
	w.must(true, w.sell(d, "sale-at-last", won(7_000), booked)) // with other terms
	w.cancel(d, "capture-sale-cancelled", "cancel-sale")
	w.cancel(d, "capture-sale-declined", "cancel-sale-declined")
	w.must(true, w.sell(d, "sale-cancelled", won(12_900), booked)) // declines: it was cleaned up
	accepted := payment.AdviceReply{Verdict: payment.AdviceAccepted, Code: "00"}
	w.refunded(d, "refund-of-sale", "sold", 4_000, accepted)
	w.refunded(d, "refund-of-dollars", "sold-dollars", 999, accepted)
	w.refunded(d, "refund-of-sale-repeated", "sold", 2_000, payment.AdviceReply{Verdict: payment.AdviceSilent})
	w.clock.advance(time.Minute)
	w.forward()
	sale := w.rrn(d, "capture-sold-disputed")
	w.takeOf(merchant, dsp, nil, w.record("INQ", sale, 0, dispute("", "S1"), func(r *engine.ClearingRecord) { r.Txn = won(5_000) }))
	w.defend(d, "defend-sale", "sold-disputed", "%PDF-1.7 of a sale")
	w.takeOf(merchant, dsp, nil, w.record("CHB", sale, -5_000, dispute(payment.First, "S1")))
	w.takeOf(merchant, dsp, nil, w.record("CHB", w.rrn(d, "capture-sale-at-last"), -7_000, dispute(payment.First, "S2")))
	w.takeOf(
		merchant, stl, nil,
		w.record("CAP", w.rrn(d, "capture-sold"), 12_900, fees(-100, -10), arn(11)),
		w.record("REF", w.refundRRN("refund-of-sale"), -4_000, arn(12)),
		w.record("CBR", sale, 5_000, dispute("", "S1")),
		w.record("FRD", sale, 0),
	)
}

// files are captures and refunds that an acquirer takes by file.
func (w *world) files() {
	const c = "PG3_KRW"
	batch := func(names ...string) {
		for _, name := range names {
			w.must(true, w.reserve(c, name, approved, nil))
			w.capture(c, name, 12_900)
		}
		w.do(w.engine.MakeCaptureFiles(w.t.Context(), "acq8"))
	}
	answer := func(file int, codes ...string) {
		a := engine.CaptureAnswer{Acquirer: "acq8", File: w.tray.Name("000000000000044", w.clock.Now().Format("20060102"), int64(file))}
		for i, code := range codes {
			line := engine.CaptureAnswerLine{Line: int64(i + 1), Code: code}
			if code == "00" {
				line.ARN, line.Day = fmt.Sprintf("799999963270000%04d%04d", file, i), w.clock.Now().Format("20060102")
			}
			a.Lines = append(a.Lines, line)
		}
		w.do(w.engine.TakeAnswer(w.t.Context(), a))
	}
	batch("by-file", "by-file-later", "by-file-refused")
	answer(1, "00", "91", "30")
	w.refund(c, "refund-by-file", "by-file", 900)
	w.do(w.engine.MakeCaptureFiles(w.t.Context(), "acq8"))
	answer(2, "00", "00")
	batch("by-file-sent")
	w.tray.full = true
	w.must(true, w.reserve(c, "by-file-made", approved, nil))
	w.capture(c, "by-file-made", 900)
	if err := w.engine.MakeCaptureFiles(w.t.Context(), "acq8"); err == nil {
		w.t.Fatal("a full tray took a file")
	}
	w.must(true, w.reserve(c, "by-file-waiting", approved, nil))
	w.capture(c, "by-file-waiting", 900)
}

// reservation is our name of one.
func (w *world) reservation(account, request string) string {
	w.t.Helper()
	holds, err := w.store.Holds(w.t.Context())
	w.do(err)
	for _, h := range holds {
		if h.Account == account && h.RequestID == request {
			return h.Reservation
		}
	}
	w.t.Fatal("no reservation", request)
	return ""
}

// underWay is what is not at its end when everybody stops.
func (w *world) underWay() {
	const a, b = "PG_KRW", "PG2_KRW"
	w.check(a, "verify-held", payment.ToVerify, approved)
	w.check(a, "checked-undoing", payment.ToCheck, approved)
	w.refund(a, "refund-queued", "late", 1_000)
	w.take(dsp, w.record("CHB", w.rrn(a, "late"), -2_000, dispute(payment.First, "C9")))
	w.defend(a, "defend-4", "late", "%PDF-1.7 of what is not decided")
	w.must(true, w.sell("PG4", "sold-late", won(12_900), booked))
	w.refund("PG4", "refund-of-sale-queued", "sold-late", 1_000)
	w.must(true, w.sell("PG4", "sold-newest", won(12_900), booked))
	w.must(false, w.sell("PG4", "sale-reversing", won(12_900), silent))
	w.disbursing()
	w.collecting()
}
