package sandbox

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"naru/core/money"
	"naru/engine"
	"naru/sandbox/google"
	"naru/store"
)

var testNow = time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)

// world is a few payments and one settlement in which everybody is right: r1 was captured in part, refunded in part, of which some came
// back, and charged back in vain; r2 was cancelled, r3 is still held, r4 was lost and never held, r5 was declined. Of the checks v1 was
// cancelled, v2 holds money, v3 never did. One payment is of somebody outside. What was sold abroad, what was paid out, and a merchant
// follow.
func world() evidence {
	e := korea()
	sellAbroad(&e)
	payTo(&e)
	tradeHere(&e)
	return e
}

func korea() evidence {
	const k = 1_000_000
	until, day := testNow.AddDate(0, 0, 7), testNow.Add(-2*time.Hour)
	said := func(method, id, reservation string, won int64, status int, result string) google.Exchange {
		x := google.Exchange{
			Method: method, Account: "A_KRW", RequestID: id, AmountMicros: won * k, Status: status, Result: result, Digest: id + result,
		}
		switch method {
		case reserve:
			x.Currency = "KRW"
			if result == "SUCCESS" {
				x.HeldUntil = until
			}
		case refundOf, defendOf:
			x.Capture = reservation
		default:
			x.Reservation = reservation
		}
		return x
	}
	verdict := func(method, subject, result string) google.Verdict {
		return google.Verdict{At: day, Method: method, Account: "A_KRW", Subject: subject, Result: result}
	}
	hold := func(id, purpose, state, rrn string, amount, captured int64, held bool) store.Hold {
		return store.Hold{
			Account: "A_KRW", RequestID: id, Purpose: purpose, State: state, Currency: "KRW", RRN: rrn, Amount: amount, Captured: captured,
			Held: held,
		}
	}
	told := func(kind, id, rrn, arn string, gross, interchange, scheme, acquirer, tax int64) hostRecord {
		return hostRecord{
			Type: kind, ID: id, RRN: rrn, ARN: arn, Amount: max(gross, -gross), Currency: "KRW", Gross: gross,
			Interchange: interchange, Scheme: scheme, Acquirer: acquirer, Tax: tax, Merchant: "M1", File: "PISTL_1",
		}
	}
	event := func(kind, subject string, charge, fee, vat int64) google.Event {
		return google.Event{Kind: kind, Subject: subject, ChargeMicros: charge * k, FeeMicros: fee * k, VATMicros: vat * k}
	}
	balance := func(account string, amount int64) store.Balance {
		return store.Balance{Account: account, Owner: "A_KRW", Currency: "KRW", Amount: amount}
	}
	pay := told("PAY", "E4", "", "", 0, 0, 0, 0, 0)
	pay.Amount, pay.Result = 10_000, "C"
	queued := told("CBR", "E9", "rrn1", "", 5_000, 0, 0, 0, 0)
	queued.File = ""
	return evidence{
		now: testNow, owners: map[string]string{"M1": "A_KRW"},
		google: knowledge{
			exchanges: []google.Exchange{
				said(reserve, "r1", "", 50_000, 200, "SUCCESS"),
				said(captureOf, "c1", "r1", 20_000, 0, ""), // its answer was lost, the repeat was not
				said(captureOf, "c1", "r1", 20_000, 200, "ACKNOWLEDGED"),
				said(reserve, "r2", "", 33_000, 200, "SUCCESS"),
				said(cancelOf, "x2", "r2", 0, 200, "ACKNOWLEDGED"),
				said(reserve, "r3", "", 7_700, 503, ""),
				said(reserve, "r3", "", 7_700, 200, "SUCCESS"),
				said(reserve, "r3", "", 8_800, 412, ""),
				said(reserve, "r4", "", 9_900, 503, ""),
				said(reserve, "r5", "", 1_000, 200, "INSUFFICIENT_FUNDS"),
				said(refundOf, "f1", "c1", 4_000, 200, "ACKNOWLEDGED"),
				said(refundOf, "f2", "c1", 2_000, 200, "ACKNOWLEDGED"),
				said(refundOf, "f3", "c1", 90_000, 400, ""),
				said(defendOf, "d1", "c1", 0, 200, "SUCCESS"),
				said(checkLeast, "v1", "", 0, 200, "SUCCESS"),
				said(cancelOf, "x1", "v1", 0, 200, "ACKNOWLEDGED"),
				said(checkLeast, "v2", "", 0, 200, "SUCCESS"),
				said(checkZero, "v3", "", 0, 200, "SUCCESS"),
				{Method: "echo", RequestID: "e", Status: 200},
			},
			verdicts: []google.Verdict{
				verdict(captureEnd, "c1", "SUCCESS"), verdict(cancelEnd, "x2", "SUCCESS"),
				verdict(captureEnd, "somebody-else's", "RESERVATION_EXPIRED"),
				verdict(refundEnd, "f1", "SUCCESS"), verdict(refundEnd, "f2", "ISSUER_DECLINED"), verdict(cancelEnd, "x1", "SUCCESS"),
			},
			refunds: []google.Refund{
				{Account: "A_KRW", RequestID: "f1", Capture: "c1", AmountMicros: 4_000 * k, Status: 200, Result: "SUCCESS", ReversedMicros: 1_000 * k},
				{Account: "A_KRW", RequestID: "f2", Capture: "c1", AmountMicros: 2_000 * k, Status: 200, Result: "ISSUER_DECLINED"},
			},
			received: []received{{At: day, Method: refundBack, PIAID: "A_KRW", Body: map[string]any{"refundRequestId": "f1"}}},
			disputes: []google.Dispute{
				{At: day, Method: chargedBack, Account: "A_KRW", RequestID: "k1", Capture: "c1", AmountMicros: 5_000 * k},
				{At: day, Method: wonBack, Account: "A_KRW", RequestID: "w1", Capture: "c1", Chargeback: "k1", AmountMicros: 5_000 * k},
				{At: day, Method: fraudTold, Account: "A_KRW", RequestID: "n1", Capture: "c1"},
			},
			arns: []google.ARN{
				{Method: captureARN, Account: "A_KRW", Subject: "c1", Number: "ARN1"},
				{Method: refundARN, Account: "A_KRW", Subject: "f1", Number: "ARN2"},
			},
			settlements: []google.Settlement{{
				Account: "A_KRW", ID: "S1", Currency: "KRW", AmountMicros: -5_457 * k, End: testNow.Add(-time.Hour), Complete: true,
				Events: []google.Event{
					event("captureEvent", "c1", 20_000, -400, -40), event("refundEvent", "f1", -4_000, 0, 0),
					event("reverseRefundEvent", "f1", 1_000, 0, 0),
					event("chargebackEvent", "k1", -5_000, -20_000, -2_000), event("reverseChargebackEvent", "w1", 5_000, 0, 0),
					event("fundsReservationEvent", "r2", 0, -17, 0),
				},
			}},
			files: []google.SettlementFile{{Name: "S1.json", SettlementID: "S1"}},
		},
		books: books{
			holds: []store.Hold{
				hold("r1", "", "CAPTURED", "rrn1", 50_000, 20_000, false), hold("r2", "", "CANCELLED", "rrn2", 33_000, 0, false),
				hold("r3", "", "RESERVED", "rrn3", 7_700, 0, true), hold("r4", "", "NOT_HELD", "rrn4", 9_900, 0, false),
				hold("v1", "VERIFY", "CANCELLED", "rrn5", 100, 0, false), hold("v2", "VERIFY", "VERIFY_HELD", "rrn6", 100, 0, true),
				hold("v3", "CHECK", "VERIFIED", "rrn7", 0, 0, false), hold("outside", "", "RESERVED", "rrn9", 600, 0, true),
			},
			captures: []store.CaptureRow{{
				Account: "A_KRW", RequestID: "c1", ReservationRequestID: "r1", State: "SUCCESS", Currency: "KRW", RRN: "rrn1", ARN: "ARN1",
				Amount: 20_000,
			}},
			refunds: []store.RefundRow{
				{
					Account: "A_KRW", RequestID: "f1", CaptureRequestID: "c1", State: "REFUND_REVERSED", Currency: "KRW", RRN: "rrnf1", ARN: "ARN2",
					Amount: 4_000, Returned: 1_000,
				},
				{Account: "A_KRW", RequestID: "f2", CaptureRequestID: "c1", State: "REFUND_FAILED", Currency: "KRW", RRN: "rrnf2", Amount: 2_000},
			},
			disputes: []store.DisputeRow{
				{Account: "A_KRW", CaptureRequestID: "c1", Stage: "INQUIRY", State: "INQUIRY_CLOSED", Amount: 20_000},
				{Account: "A_KRW", CaptureRequestID: "c1", Stage: "FIRST", State: "CB1_REVERSED", Notice: "k1", Amount: 5_000, Won: 5_000},
			},
			settlements: []store.SettlementRow{{ID: "S1", Account: "A_KRW", Currency: "KRW", Day: "20261122", State: "PAID", Net: -5_457, Items: 6}},
			balances: []store.Balance{
				balance("acquirer:held", 8_400), balance("google:held", -8_400), balance("acquirer:receivable", 6_212), balance("google:payable", 0),
				balance("fee:acquirer", 1_182), balance("tax:input", 106), balance("suspense:acquirer", -500), balance("bank:settlement", 15_457),
				balance("income:fees", -20_417), balance("tax:output", -2_040),
			},
			cases: []engine.Case{{ID: "acquirer-adjustment/a/E3", Kind: "acquirer-adjustment"}},
		},
		acquirer: host{
			holds: []hostHold{
				{RRN: "rrn1", Amount: 50_000, Currency: "410", State: "captured"},
				{RRN: "rrn2", Amount: 33_000, Currency: "410", State: "released"},
				{RRN: "rrn3-lost", Amount: 7_700, Currency: "410", State: "released"},
				{RRN: "rrn3", Amount: 7_700, Currency: "410", State: "open"},
				{RRN: "rrn4", Amount: 9_900, Currency: "410", State: "released"},
				{RRN: "rrn6", Amount: 100, Currency: "410", State: "open"},
				{RRN: "rrn9", Amount: 600, Currency: "410", State: "open"},
			},
			bookings: []hostBooking{
				{Kind: "capture", RRN: "rrn1", Amount: 20_000, Currency: "410"},
				{Kind: "refund", RRN: "rrnf1-lost", Amount: 4_000, Currency: "410", Undone: true},
				{Kind: "refund", RRN: "rrnf1", Amount: 4_000, Currency: "410"},
			},
			disputes: []hostDispute{
				{RRN: "rrn1", Amount: 5_000, Currency: "410", Told: []string{"CHB"}, Event: "E1"},
				{RRN: "rrn1", Amount: 700, Currency: "410", Event: "E8"},
			},
			records: []hostRecord{
				told("CAP", "P1", "rrn1", "ARN1", 20_000, -120, -20, -60, -6), told("REF", "P2", "rrnf1", "ARN2", -4_000, 24, 0, 0, 0),
				told("RRF", "E5", "rrnf1", "ARN2", 1_000, -6, 0, 0, 0), told("CHB", "E1", "rrn1", "ARN1", -5_000, 0, 0, -1_000, -100),
				told("CBR", "E2", "rrn1", "ARN1", 5_000, 0, 0, 0, 0), told("ADJ", "E3", "", "", 500, 0, 0, 0, 0), pay, queued,
			},
			messages: []hostMessage{{MTI: "0510", DE39: "00"}},
		},
	}
}

// sellAbroad adds sales: s1 was undone and made again, refunded in part and charged back, s2 was declined, s3 is in yen, s4 was lost and
// undone.
func sellAbroad(e *evidence) {
	const account, cents, yen = "A_EUR", 10_000, 1_000_000
	day := testNow.Add(-2 * time.Hour)
	sold := func(id, currency string, micros int64, status int, result string) google.Exchange {
		return google.Exchange{
			At: day, Method: sale, Account: account, RequestID: id, Currency: currency, AmountMicros: micros, Status: status, Result: result,
			Digest: id + result,
		}
	}
	hold := func(id, state, currency string, amount, captured int64) store.Hold {
		return store.Hold{
			Account: account, RequestID: id, Purpose: "SALE", State: state, Currency: currency, RRN: "rrn" + id, Amount: amount,
			Captured: captured,
		}
	}
	captured := func(id, currency, number string, amount int64) store.CaptureRow {
		return store.CaptureRow{
			Account: account, RequestID: id, ReservationRequestID: id, State: "SUCCESS", Currency: currency, RRN: "rrn" + id, ARN: number,
			Amount: amount,
		}
	}
	told := func(kind, id, rrn, arn, currency string, gross, fees, tax int64) hostRecord {
		return hostRecord{
			Type: kind, ID: id, RRN: rrn, ARN: arn, Amount: max(gross, -gross), Currency: currency, Gross: gross, Acquirer: fees, Tax: tax,
			Merchant: "M3", File: "PISTL_3",
		}
	}
	settled := func(id, currency string, micros int64, events ...google.Event) google.Settlement {
		return google.Settlement{
			Account: account, ID: id, Currency: currency, AmountMicros: micros, End: testNow.Add(-time.Hour), Complete: true, Events: events,
		}
	}
	balances := func(currency string, of map[string]int64) {
		for _, kind := range slices.Sorted(maps.Keys(of)) {
			e.books.balances = append(e.books.balances, store.Balance{Account: kind, Owner: account, Currency: currency, Amount: of[kind]})
		}
	}
	e.owners["M3"] = account
	g, b, h := &e.google, &e.books, &e.acquirer
	g.exchanges = append(g.exchanges,
		sold("s1", "EUR", 2_990*cents, 503, ""), sold("s1", "EUR", 2_990*cents, 200, "SUCCESS"),
		sold("s2", "EUR", 1_000*cents, 200, "CVN_MISMATCH"), sold("s3", "JPY", 1_500*yen, 200, "SUCCESS"),
		sold("s4", "EUR", 800*cents, 503, ""),
		google.Exchange{
			Method: refundOf, Account: account, RequestID: "f4", Capture: "s1", AmountMicros: 500 * cents, Status: 200, Result: "ACKNOWLEDGED",
		})
	g.verdicts = append(g.verdicts, google.Verdict{At: day, Method: refundEnd, Account: account, Subject: "f4", Result: "SUCCESS"})
	g.refunds = append(g.refunds, google.Refund{
		Account: account, RequestID: "f4", Capture: "s1", AmountMicros: 500 * cents, Status: 200, Result: "SUCCESS",
	})
	g.disputes = append(g.disputes,
		google.Dispute{At: day, Method: chargedBack, Account: account, RequestID: "k2", Capture: "s1", AmountMicros: 1_000 * cents})
	g.arns = append(g.arns,
		google.ARN{Method: captureARN, Account: account, Subject: "s1", Number: "ARN3"},
		google.ARN{Method: captureARN, Account: account, Subject: "s3", Number: "ARN4"},
		google.ARN{Method: refundARN, Account: account, Subject: "f4", Number: "ARN5"})
	g.settlements = append(g.settlements,
		settled("S2", "EUR", 1_314*cents,
			google.Event{Kind: "captureEvent", Subject: "s1", ChargeMicros: 2_990 * cents, FeeMicros: -60 * cents, VATMicros: -6 * cents},
			google.Event{Kind: "refundEvent", Subject: "f4", ChargeMicros: -500 * cents},
			google.Event{Kind: "chargebackEvent", Subject: "k2", ChargeMicros: -1_000 * cents, FeeMicros: -100 * cents, VATMicros: -10 * cents}),
		settled("S3", "JPY", 1_467*yen,
			google.Event{Kind: "captureEvent", Subject: "s3", ChargeMicros: 1_500 * yen, FeeMicros: -30 * yen, VATMicros: -3 * yen}))
	b.holds = append(b.holds, hold("s1", "CAPTURED", "EUR", 2_990, 2_990), hold("s2", "DECLINED", "EUR", 1_000, 0),
		hold("s3", "CAPTURED", "JPY", 1_500, 1_500), hold("s4", "NOT_HELD", "EUR", 800, 0))
	b.captures = append(b.captures, captured("s1", "EUR", "ARN3", 2_990), captured("s3", "JPY", "ARN4", 1_500))
	b.refunds = append(b.refunds, store.RefundRow{
		Account: account, RequestID: "f4", CaptureRequestID: "s1", State: "REFUNDED", Currency: "EUR", RRN: "rrnf4", ARN: "ARN5", Amount: 500,
	})
	b.disputes = append(b.disputes, store.DisputeRow{
		Account: account, CaptureRequestID: "s1", Stage: "FIRST", State: "CB1_OPEN", Currency: "EUR", Notice: "k2", Amount: 1_000,
	})
	b.settlements = append(b.settlements,
		store.SettlementRow{ID: "S2", Account: account, Currency: "EUR", Day: "20261122", State: "CLOSED", Net: 1_314, Items: 3},
		store.SettlementRow{ID: "S3", Account: account, Currency: "JPY", Day: "20261122", State: "PAID", Net: 1_467, Items: 1})
	balances("EUR", map[string]int64{
		"acquirer:receivable": 1_297, "google:payable": -1_314, "fee:acquirer": 177, "tax:input": 16, "income:fees": -160, "tax:output": -16,
	})
	balances("JPY", map[string]int64{
		"acquirer:receivable": 1_483, "google:payable": 0, "fee:acquirer": 16, "tax:input": 1, "income:fees": -30, "tax:output": -3,
		"bank:settlement": -1_467,
	})
	h.bookings = append(h.bookings,
		hostBooking{Kind: "sale", RRN: "rrns1-lost", Amount: 2_990, Currency: "978", Undone: true},
		hostBooking{Kind: "sale", RRN: "rrns1", Amount: 2_990, Currency: "978"},
		hostBooking{Kind: "refund", RRN: "rrnf4", Amount: 500, Currency: "978"},
		hostBooking{Kind: "sale", RRN: "rrns3", Amount: 1_500, Currency: "392"},
		hostBooking{Kind: "sale", RRN: "rrns4", Amount: 800, Currency: "978", Undone: true})
	h.disputes = append(h.disputes, hostDispute{RRN: "rrns1", Amount: 1_000, Currency: "978", Told: []string{"CHB"}, Event: "E11"})
	h.records = append(h.records,
		told("CAP", "P11", "rrns1", "ARN3", "EUR", 2_990, -30, -1), told("REF", "P12", "rrnf4", "ARN5", "EUR", -500, 3, 0),
		told("CHB", "E11", "rrns1", "ARN3", "EUR", -1_000, -150, -15), told("CAP", "P13", "rrns3", "ARN4", "JPY", 1_500, -16, -1))
}

// payTo adds payouts: p1 was paid, p2 refused, p3 paid by a second order and told later, p4 came back, p5 is too small, p6 is open, p7 was
// no request. One is of somebody outside.
func payTo(e *evidence) {
	const account, paisa = "A_INR", 10_000
	said := func(id string, amount int64, status int, result string) google.Exchange {
		x := google.Exchange{
			Method: payOut, Account: account, RequestID: id, Currency: "INR", AmountMicros: amount * paisa, Status: status, Result: result,
			Digest: id + result,
		}
		if result != "" {
			x.OwnID = "id-" + id
		}
		return x
	}
	row := func(id, state, reason string, amount int64) store.PayoutRow {
		return store.PayoutRow{
			Payout: "id-" + id, Account: account, RequestID: id, Bank: payoutBank, State: state, Reason: reason, Currency: "INR", Amount: amount,
		}
	}
	b := &e.bank
	move := func(amount int64, kind, payout string) {
		b.lines = append(b.lines, bankLine{Amount: amount, Kind: kind, Payout: payout})
	}
	order := func(id, n string, amount int64, states ...string) {
		p := bankPayout{ID: "pout_" + id + n, Amount: amount, Fees: 118, Tax: 18, Reference: "id" + id + n}
		for _, s := range states {
			p.Status, p.History = s, append(p.History, step{s})
		}
		b.payouts = append(b.payouts, p)
		if move(-amount-118, "payout", p.ID); p.Status == "failed" || p.Status == "reversed" {
			move(amount+118, "reversal", p.ID)
		}
	}
	e.google.exchanges = append(e.google.exchanges,
		said("p1", 1_250_50, 200, "SUCCESS"), said("p1", 1_250_50, 200, "SUCCESS"), said("p1", 1_250_51, 412, ""),
		said("p2", 75_00, 200, "ACCOUNT_CLOSED"), said("p3", 310_00, 503, ""), said("p4", 700_00, 200, "SUCCESS"),
		said("p5", 50, 200, "DISBURSEMENT_UNDER_TRANSACTION_LIMIT"), said("p6", 520_00, 503, ""), said("p7", 90_00, 400, ""))
	e.google.verdicts = append(e.google.verdicts, google.Verdict{Method: payOutEnd, Account: account, Subject: "p3", Result: "SUCCESS"})
	e.books.payouts = []store.PayoutRow{
		row("p1", "SUCCEEDED", "", 1_250_50), row("p2", "DECLINED", "account_closed", 75_00), row("p3", "SUCCEEDED", "", 310_00),
		row("p4", "RETURNED", "", 700_00), row("p5", "DECLINED", "below_limit", 50), row("p6", "DEEMED", "", 520_00),
		row("aside", "SUCCEEDED", "", 9_00),
	}
	move(100_000_00, "bank_transfer", "")
	order("p1", "01", 1_250_50, "processing", "processed")
	order("p2", "01", 75_00, "processing", "failed")
	order("p3", "01", 310_00, "processing", "failed")
	order("p3", "02", 310_00, "processing", "processed")
	order("p4", "01", 700_00, "processing", "processed", "reversed")
	order("p6", "01", 520_00, "processing")
	order("aside", "01", 9_00, "queued", "processing", "processed")
	for _, balance := range []store.Balance{
		{Account: "google:receivable", Owner: account, Amount: 2_789_50},
		{Account: "payout:inflight", Owner: account, Amount: -520_00},
		{Account: "suspense:returned", Owner: account, Amount: -700_00},
		{Account: "payout:float", Owner: payoutBank, Amount: 98_426_96},
		{Account: "bank:settlement", Owner: payoutBank, Amount: -100_000_00},
		{Account: "fee:rail", Owner: payoutBank, Amount: 3_00},
		{Account: "tax:input", Owner: payoutBank, Amount: 54},
	} {
		balance.Currency = "INR"
		e.books.balances = append(e.books.balances, balance)
	}
}

// found is everything that a comparison complains about, the rows with their names.
func (c comparison) found() (list []string) {
	for _, r := range c.rows {
		for _, p := range r.problems {
			list = append(list, r.id.RequestID+": "+p)
		}
	}
	for _, s := range c.payouts {
		for _, p := range s.problems {
			list = append(list, s.id.id+": "+p)
		}
	}
	for _, s := range c.deposits {
		for _, p := range s.problems {
			list = append(list, s.id+": "+p)
		}
	}
	for _, s := range c.transfers {
		for _, p := range s.problems {
			list = append(list, s.id+": "+p)
		}
	}
	for _, s := range c.settlements {
		for _, p := range s.problems {
			list = append(list, s.row.ID+": "+p)
		}
	}
	return append(list, c.problems...)
}

func TestCompareAgrees(t *testing.T) {
	c := compare(world())
	if !c.agrees() || len(c.found()) > 0 {
		t.Fatalf("finds %q", c.found())
	}
	var out bytes.Buffer
	if err := c.print(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"A_KRW     r1        50,000 KRW   booked 20,000, refunded 4,000, returned 1,000, charged back 5,000, won 5,000   the same   the same",
		"A_KRW     r3        7,700 KRW    holds 7,700  ", "A_KRW     v2        check        holds 100  ",
		"A_KRW     v3        check        nothing  ",
		"A_EUR     s1        29.90 EUR    booked 29.90, refunded 5.00, charged back 10.00  ", "A_EUR     s3        1,500 JPY    booked 1,500  ",
		"A_KRW     S1           6       -5,457 KRW   -5,457 KRW paid    agree",
		"A_EUR     S2           3       13.14 EUR    13.14 EUR closed   agree",
		"A_INR     p1       1,250.50 INR   SUCCESS   ", "   paid 700.00, came back 700.00   the same      agree",
		"A_INR     p6       520.00 INR     nothing   ", "   open 520.00   ",
		"PF0901     d1      30,000 KRW   arrived 29,950   arrived 29,950               the same       agree",
		"PF0901     d4      24,000 KRW   arrived 24,000   arrived 24,000, taken back   the same       agree",
		"PF0901     w3       15,000 KRW   paid 15,000   paid 15,000, came back 15,000   the same       agree",
		"PF0901     w4       7,000 KRW    nothing       open 7,000                      the same       agree",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the tables lack %q:\n%s", want, out.String())
		}
	}
	const all = "12 payments, 7 payouts, 6 deposit orders, 5 merchant payouts, 3 settlements"
	if strings.Contains(out.String(), "DIFFER") || c.String() != all {
		t.Errorf("%s:\n%s", c, out.String())
	}
}

// What fits nothing and is before a person is known to differ: a chargeback of a payment that nobody knows.
func TestCompareKnowsExceptions(t *testing.T) {
	e := world()
	e.acquirer.disputes = append(e.acquirer.disputes,
		hostDispute{RRN: "stray", Amount: 300, Currency: "410", Told: []string{"CHB"}, Event: "E6"})
	e.acquirer.disputes = append(e.acquirer.disputes,
		hostDispute{RRN: "stray", Amount: 400, Currency: "410", Told: []string{"0422"}, Event: "E7", Sent: "1122030000", STAN: "000007"})
	e.acquirer.records = append(e.acquirer.records, hostRecord{
		Type: "CHB", ID: "E6", RRN: "stray", Currency: "KRW", Gross: -300, Acquirer: -1_000, Tax: -100, Merchant: "M1", File: "PISTL_1",
	})
	want := []string{
		"acquirer:receivable/A_KRW says 6,212 KRW, it should be 5,112 KRW", "fee:acquirer/A_KRW says 1,182 KRW, it should be 2,182 KRW",
		"tax:input/A_KRW says 106 KRW, it should be 206 KRW", "the acquirer charged back 300 KRW under RRN stray, which belongs to no payment",
		"the acquirer charged back 400 KRW under RRN stray, which belongs to no payment",
	}
	if c := compare(e); !slices.Equal(c.found(), want) {
		t.Errorf("with nobody told it finds %q", c.found())
	}
	for _, id := range []string{"acquirer-record/a/E6", "acquirer-record/a/0422-20261122030000-000007-1-T"} {
		e.books.cases = append(e.books.cases, engine.Case{ID: id, Kind: "acquirer-record", ClosedAt: testNow})
	}
	if c := compare(e); !c.agrees() {
		t.Errorf("before a person, it finds %q", c.found())
	}
}

// Each lie is told to one party alone, and found.
func TestCompareFinds(t *testing.T) {
	hostRow := func(e *evidence, rrn string) *hostHold {
		return &e.acquirer.holds[slices.IndexFunc(e.acquirer.holds, func(h hostHold) bool { return h.RRN == rrn })]
	}
	hostLine := func(e *evidence, id string) *hostRecord {
		return &e.acquirer.records[slices.IndexFunc(e.acquirer.records, func(r hostRecord) bool { return r.ID == id })]
	}
	booking := func(e *evidence, rrn string) *hostBooking {
		return &e.acquirer.bookings[slices.IndexFunc(e.acquirer.bookings, func(b hostBooking) bool { return b.RRN == rrn })]
	}
	exchange := func(e *evidence, id string) *google.Exchange {
		return &e.google.exchanges[slices.IndexFunc(e.google.exchanges, func(x google.Exchange) bool { return x.RequestID == id })]
	}
	order := func(e *evidence, reference string) *bankPayout {
		return &e.bank.payouts[slices.IndexFunc(e.bank.payouts, func(p bankPayout) bool { return p.Reference == reference })]
	}
	payoutRow := func(e *evidence, id string) *store.PayoutRow {
		return &e.books.payouts[slices.IndexFunc(e.books.payouts, func(p store.PayoutRow) bool { return p.RequestID == id })]
	}
	named := func(id string) func(store.Hold) bool { return func(h store.Hold) bool { return h.RequestID == id } }
	for _, c := range []struct {
		lie  string
		tell func(*evidence)
		want []string
	}{
		{
			"the acquirer booked one capture twice",
			func(e *evidence) {
				e.acquirer.bookings = append(e.acquirer.bookings, hostBooking{Kind: "capture", RRN: "again", Amount: 20_000, Currency: "410"})
			},
			[]string{"the acquirer booked 20,000 KRW under RRN again, which belongs to no payment"},
		},
		{
			"the acquirer booked it twice under one number",
			func(e *evidence) { e.acquirer.bookings = append(e.acquirer.bookings, e.acquirer.bookings[0]) },
			[]string{"r1: they do not agree"},
		},
		{
			"two captures of one hold were accepted",
			func(e *evidence) {
				second := e.google.exchanges[2]
				second.RequestID = "c9"
				e.google.exchanges = append(e.google.exchanges, second)
				e.google.verdicts = append(e.google.verdicts, google.Verdict{
					At: testNow, Method: captureEnd, Account: "A_KRW", Subject: "c9", Result: "SUCCESS",
				})
			},
			[]string{"r1: a second capture, c9, was accepted", "r1: they do not agree"},
		},
		{
			"a capture was acknowledged and never reported",
			func(e *evidence) { e.google.verdicts = e.google.verdicts[1:] },
			[]string{"r1: no verdict on c1", "r1: they do not agree", "settlement S1 has a captureEvent of c1, which never happened"},
		},
		{
			"a cancel was acknowledged and never reported",
			func(e *evidence) { e.google.verdicts = slices.Delete(e.google.verdicts, 1, 2) },
			[]string{"r2: no verdict on x2"},
		},
		{
			"the verdict says that nothing was captured",
			func(e *evidence) { e.google.verdicts[0].Result = "RESERVATION_EXPIRED" },
			[]string{"r1: they do not agree", "settlement S1 has a captureEvent of c1, which never happened"},
		},
		{
			"a verdict on a capture that was refused",
			func(e *evidence) {
				e.google.exchanges = append(e.google.exchanges, google.Exchange{
					Method: captureOf, Account: "A_KRW", RequestID: "c4", Reservation: "r4", Status: 400,
				})
				e.google.verdicts = append(e.google.verdicts, google.Verdict{
					Method: captureEnd, Account: "A_KRW", Subject: "c4", Result: "RESERVATION_EXPIRED",
				})
			},
			[]string{"r4: a verdict on c4, which was refused"},
		},
		{
			"a cancelled hold is still there at the acquirer",
			func(e *evidence) { hostRow(e, "rrn2").State = "open" },
			[]string{"r2: they do not agree"},
		},
		{
			"the first attempt of a repeated purchase is still held",
			func(e *evidence) { hostRow(e, "rrn3-lost").State = "open" },
			[]string{"the acquirer holds 7,700 KRW under RRN rrn3-lost, which belongs to no payment"},
		},
		{
			"money is held although Google was told nothing",
			func(e *evidence) { hostRow(e, "rrn4").State = "open" },
			[]string{"r4: they do not agree"},
		},
		{
			"Google believes in a hold that nobody has",
			func(e *evidence) {
				x := &e.google.exchanges[8]
				x.Status, x.Result, x.HeldUntil = 200, "SUCCESS", testNow.Add(time.Hour)
			},
			[]string{"r4: they do not agree"},
		},
		{
			"a hold that ended long ago is still in the books",
			func(e *evidence) { e.now = testNow.AddDate(0, 0, 8) },
			[]string{"r3: they do not agree"},
		},
		{
			"the same question got two answers",
			func(e *evidence) {
				again := e.google.exchanges[0]
				again.Digest = "another"
				e.google.exchanges = append(e.google.exchanges, again)
			},
			[]string{"r1: r1 got two answers"},
		},
		{
			"a defence got two answers",
			func(e *evidence) {
				again := e.google.exchanges[13]
				again.Digest = "another"
				e.google.exchanges = append(e.google.exchanges, again)
			},
			[]string{"r1: d1 got two answers"},
		},
		{
			"the ledger has another amount",
			func(e *evidence) { e.books.holds[0].Captured = 50_000 },
			[]string{
				"r1: they do not agree", "acquirer:receivable/A_KRW says 6,212 KRW, it should be 36,212 KRW",
				"google:payable/A_KRW says 0 KRW, it should be -30,000 KRW",
			},
		},
		{
			"a balance is off",
			func(e *evidence) { e.books.balances[1].Amount++ },
			[]string{"google:held/A_KRW says -8,399 KRW, it should be -8,400 KRW"},
		},
		{
			"a balance is missing",
			func(e *evidence) { e.books.balances = slices.Delete(e.books.balances, 4, 5) },
			[]string{"fee:acquirer/A_KRW is missing, it should be 1,182 KRW"},
		},
		{
			"a payment that Google did not send differs",
			func(e *evidence) { hostRow(e, "rrn9").State = "released" },
			[]string{"A_KRW outside: the ledger holds 600, the acquirer nothing"},
		},

		// Checks of cards.
		{
			"the hold of a check that Google cancelled is still there at the acquirer",
			func(e *evidence) {
				e.acquirer.holds = append(e.acquirer.holds, hostHold{RRN: "rrn5", Amount: 100, Currency: "410", State: "open"})
			},
			[]string{"v1: they do not agree"},
		},
		{
			"the hold of a check that Google cancelled is in the books and at the acquirer",
			func(e *evidence) {
				e.acquirer.holds = append(e.acquirer.holds, hostHold{RRN: "rrn5", Amount: 100, Currency: "410", State: "open"})
				e.books.holds[4].Held = true
				e.books.balances[0].Amount, e.books.balances[1].Amount = 8_500, -8_500
			},
			[]string{"v1: they do not agree"},
		},
		{
			"a check that holds nothing holds something",
			func(e *evidence) {
				e.acquirer.holds = append(e.acquirer.holds, hostHold{RRN: "rrn7", Amount: 100, Currency: "410", State: "open"})
			},
			[]string{"v3: they do not agree"},
		},

		// Sales.
		{
			"a sale is booked whose answer was lost, and which was made again",
			func(e *evidence) { booking(e, "rrns1-lost").Undone = false },
			[]string{"the acquirer booked 29.90 EUR under RRN rrns1-lost, which belongs to no payment"},
		},
		{
			"a sale is booked of which Google was told nothing",
			func(e *evidence) { booking(e, "rrns4").Undone = false },
			[]string{"s4: they do not agree"},
		},
		{
			"a sale was undone that Google was told of",
			func(e *evidence) { booking(e, "rrns1").Undone = true },
			[]string{"s1: they do not agree"},
		},
		{
			"Google was told that a sale succeeded that nobody made",
			func(e *evidence) {
				x := exchange(e, "s4")
				x.Status, x.Result = 200, "SUCCESS"
			},
			[]string{"s4: they do not agree", "no settlement has the captureEvent of s4"},
		},
		{
			"Google was told that a sale was declined",
			func(e *evidence) { exchange(e, "s3").Result = "DO_NOT_HONOR" },
			[]string{"s3: they do not agree", "settlement S3 has a captureEvent of s3, which never happened"},
		},
		{
			"a sale got two answers",
			func(e *evidence) {
				again := *exchange(e, "s3")
				again.Digest = "another"
				e.google.exchanges = append(e.google.exchanges, again)
			},
			[]string{"s3: s3 got two answers"},
		},
		{
			"a sale got a verdict beside its answer",
			func(e *evidence) {
				e.google.verdicts = append(e.google.verdicts,
					google.Verdict{At: testNow, Method: captureEnd, Account: "A_EUR", Subject: "s1", Result: "SUCCESS"})
			},
			[]string{"s1: a verdict on s1, whose answer was one"},
		},
		{
			"the ledger has another amount of a sale",
			func(e *evidence) { e.books.holds[slices.IndexFunc(e.books.holds, named("s3"))].Captured = 1_600 },
			[]string{
				"s3: they do not agree", "acquirer:receivable/A_EUR says 1,483 JPY, it should be 1,583 JPY",
				"google:payable/A_EUR says 0 JPY, it should be -100 JPY",
			},
		},
		{
			"a sale was booked in another currency",
			func(e *evidence) { booking(e, "rrns3").Currency = "978" },
			[]string{"A_EUR s3 is in JPY, at the acquirer in EUR"},
		},
		{
			"a sale is settled in another currency",
			func(e *evidence) {
				e.google.settlements[1].Events[0].Subject, e.google.settlements[2].Events[0].Subject = "s3", "s1"
			},
			[]string{
				"settlement S2 has 29.90 EUR for the captureEvent of s3, it was 1,500 JPY",
				"settlement S3 has 1,500 JPY for the captureEvent of s1, it was 29.90 EUR",
			},
		},
		{
			"a sale is in no settlement",
			func(e *evidence) {
				s := &e.google.settlements[2]
				s.Events[0].Kind, s.Events[0].Subject, s.Events[0].AdjustmentMicros = "aggregateAdjustment", "", -33_000_000
			},
			[]string{"no settlement has the captureEvent of s3"},
		},
		{
			"a refund of a sale was paid twice",
			func(e *evidence) { e.acquirer.bookings = append(e.acquirer.bookings, *booking(e, "rrnf4")) },
			[]string{"s1: they do not agree"},
		},
		{
			"the refund of a sale has no verdict",
			func(e *evidence) {
				e.google.verdicts = slices.DeleteFunc(e.google.verdicts, func(v google.Verdict) bool { return v.Subject == "f4" })
			},
			[]string{
				"s1: no verdict on f4", "s1: they do not agree", "settlement S2 has a refundEvent of f4, which never happened",
			},
		},
		{
			"Google was not told that a sale was charged back",
			func(e *evidence) { e.google.disputes = e.google.disputes[:len(e.google.disputes)-1] },
			[]string{"s1: they do not agree", "settlement S2 has a chargebackEvent of k2, which never happened"},
		},
		{
			"Google was not told the reference number of a sale",
			func(e *evidence) { e.google.arns = slices.Delete(e.google.arns, 2, 3) },
			[]string{"capture s1 has reference number none at Google, ARN3 in the ledger, ARN3 in the acquirer's files"},
		},
		{
			"the totals of one currency are another's",
			func(e *evidence) {
				for i, b := range e.books.balances {
					if b.Account == "fee:acquirer" && b.Currency == "JPY" {
						e.books.balances[i].Currency = "EUR"
					}
				}
			},
			[]string{
				"fee:acquirer/A_EUR is missing, it should be 16 JPY", "fee:acquirer/A_EUR says 1.93 EUR, it should be 1.77 EUR",
			},
		},

		// Payouts.
		{
			"the bank paid two orders of one payout",
			func(e *evidence) {
				p := order(e, "idp301")
				p.Status, p.History, p.Fees, p.Tax = "processed", []step{{"processed"}}, 0, 0
			},
			[]string{"p3: they do not agree"},
		},
		{
			"the bank may still pay another order of a payout that was paid",
			func(e *evidence) { order(e, "idp301").Status = "processing" },
			[]string{"p3: they do not agree"},
		},
		{
			"the bank paid what nobody ordered",
			func(e *evidence) { order(e, "idp101").Reference = "stray01" },
			[]string{"p1: they do not agree", "the payout bank has a payout of 1,250.50 INR under stray01, which belongs to none of ours"},
		},
		{
			"Google was told that a refused payout was paid",
			func(e *evidence) { exchange(e, "p2").Result = "SUCCESS" },
			[]string{"p2: Google was told SUCCESS, the books say ACCOUNT_CLOSED"},
		},
		{
			"Google was told that a payout was refused that was paid",
			func(e *evidence) {
				p := payoutRow(e, "p1")
				p.State, p.Reason, exchange(e, "p1").Result = "DECLINED", "account_on_hold", "ACCOUNT_ON_HOLD"
				e.google.exchanges = slices.DeleteFunc(e.google.exchanges, func(x google.Exchange) bool {
					return x.RequestID == "p1" && x.Result == "SUCCESS"
				})
			},
			[]string{"p1: they do not agree", "google:receivable/A_INR says 2,789.50 INR, it should be 1,539.00 INR"},
		},
		{
			"Google was told another reason",
			func(e *evidence) { payoutRow(e, "p2").Reason = "account_on_hold" },
			[]string{"p2: Google was told ACCOUNT_CLOSED, the books say ACCOUNT_ON_HOLD"},
		},
		{
			"a payout was refused, and nobody knows why",
			func(e *evidence) { payoutRow(e, "p2").Reason = "" },
			[]string{"p2: Google was told ACCOUNT_CLOSED, the books say a refusal without a reason"},
		},
		{
			"Google was not told of a payout that was paid after it had hung up",
			func(e *evidence) { e.google.verdicts = e.google.verdicts[:len(e.google.verdicts)-1] },
			[]string{"p3: Google was told nothing, the books say SUCCESS"},
		},
		{
			"Google was told that a payout was paid that is deemed",
			func(e *evidence) {
				e.google.verdicts = append(e.google.verdicts, google.Verdict{Method: payOutEnd, Account: "A_INR", Subject: "p6", Result: "SUCCESS"})
			},
			[]string{"p6: Google was told SUCCESS, the books say nothing"},
		},
		{
			"Google was answered one thing and told another",
			func(e *evidence) {
				e.google.verdicts = append(e.google.verdicts,
					google.Verdict{Method: payOutEnd, Account: "A_INR", Subject: "p4", Result: "ACCOUNT_CLOSED"})
			},
			[]string{"p4: Google was answered SUCCESS and told ACCOUNT_CLOSED"},
		},
		{
			"a payout got two answers",
			func(e *evidence) {
				again := *exchange(e, "p2")
				again.Digest = "another"
				e.google.exchanges = append(e.google.exchanges, again)
			},
			[]string{"p2: p2 got two answers"},
		},
		{
			"Google has a result of a payout that the books do not know",
			func(e *evidence) {
				x := exchange(e, "p7")
				x.Status, x.Result = 200, "SUCCESS"
			},
			[]string{"p7: Google was told SUCCESS, the books say nothing"},
		},
		{
			"Google knows a payout by another id",
			func(e *evidence) { exchange(e, "p2").OwnID = "id-p9" },
			[]string{"p2: Google knows it by another id"},
		},
		{
			"the books have another amount of a payout",
			func(e *evidence) { payoutRow(e, "p1").Amount-- },
			[]string{
				"p1: the books have 1,250.49 INR", "p1: they do not agree",
				"google:receivable/A_INR says 2,789.50 INR, it should be 2,789.49 INR",
			},
		},
		{
			"a payout is open in the books that the bank has paid",
			func(e *evidence) { payoutRow(e, "aside").State = "UNKNOWN" },
			[]string{
				"A_INR aside: the ledger open 9.00, the payout bank paid 9.00",
				"payout:inflight/A_INR says -520.00 INR, it should be -529.00 INR",
			},
		},
		{
			"money came back, and the books do not know it",
			func(e *evidence) { payoutRow(e, "p4").State = "SUCCEEDED" },
			[]string{"p4: they do not agree", "suspense:returned/A_INR says -700.00 INR, it should be 0.00 INR"},
		},
		{
			"the bank paid less than it was told",
			func(e *evidence) { order(e, "idp101").Amount = 1_250_00 },
			[]string{"p1: they do not agree"},
		},
		{
			"the fees of the bank are not in the books",
			func(e *evidence) { order(e, "idp101").Fees += 10 },
			[]string{"fee:rail/razorpayx says 3.00 INR, it should be 3.10 INR"},
		},
		{
			"the bank has another float",
			func(e *evidence) { e.bank.lines[0].Amount += 5_00 },
			[]string{
				"bank:settlement/razorpayx says -100,000.00 INR, it should be -100,005.00 INR",
				"payout:float/razorpayx says 98,426.96 INR, it should be 98,431.96 INR",
			},
		},
		{
			"the bank moved money that is in no books",
			func(e *evidence) {
				e.bank.lines = append(e.bank.lines, bankLine{Amount: -1_00, Kind: "payout", Payout: "pout_x"})
			},
			[]string{"payout:float/razorpayx says 98,426.96 INR, it should be 98,425.96 INR"},
		},

		// Refunds.
		{
			"a refund was paid twice under two numbers",
			func(e *evidence) { e.acquirer.bookings[1].Undone = false },
			[]string{"the acquirer refunded 4,000 KRW under RRN rrnf1-lost, which belongs to no payment"},
		},
		{
			"a refund was paid that failed for everybody else",
			func(e *evidence) {
				e.acquirer.bookings = append(e.acquirer.bookings, hostBooking{Kind: "refund", RRN: "rrnf2", Amount: 2_000, Currency: "410"})
			},
			[]string{"r1: they do not agree"},
		},
		{
			"a refund has no verdict",
			func(e *evidence) { e.google.verdicts = slices.Delete(e.google.verdicts, 4, 5) },
			[]string{"r1: no verdict on f2"},
		},
		{
			"a refund that was refused has a verdict",
			func(e *evidence) {
				e.google.verdicts = append(e.google.verdicts,
					google.Verdict{Method: refundEnd, Account: "A_KRW", Subject: "f3", Result: "ISSUER_DECLINED"})
			},
			[]string{"r1: a verdict on f3, which was refused"},
		},
		{
			"Google was told that a failed refund succeeded",
			func(e *evidence) { e.google.verdicts[4].Result = "SUCCESS" },
			[]string{"r1: they do not agree", "no settlement has the refundEvent of f2"},
		},
		{
			"a refund that came back is not known to the acquirer",
			func(e *evidence) { hostLine(e, "E5").File = "" },
			[]string{
				"r1: they do not agree", "acquirer:receivable/A_KRW says 6,212 KRW, it should be 6,218 KRW",
				"fee:acquirer/A_KRW says 1,182 KRW, it should be 1,176 KRW",
			},
		},
		{
			"Google was not told that a refund came back",
			func(e *evidence) { e.google.refunds[0].ReversedMicros = 0 },
			[]string{"r1: they do not agree", "settlement S1 has a reverseRefundEvent of f1, which never happened"},
		},

		// Disputes.
		{
			"a chargeback that the integrator was told of is in no books",
			func(e *evidence) {
				e.acquirer.disputes = append(e.acquirer.disputes,
					hostDispute{RRN: "rrn1", Amount: 900, Currency: "410", Told: []string{"0422"}, Event: "E7"})
			},
			[]string{"r1: they do not agree"},
		},
		{
			"Google was not told of a chargeback",
			func(e *evidence) { e.google.disputes = e.google.disputes[1:] },
			[]string{"r1: they do not agree", "settlement S1 has a chargebackEvent of k1, which never happened"},
		},
		{
			"the acquirer did not lose a chargeback",
			func(e *evidence) { hostLine(e, "E2").File = "" },
			[]string{"r1: they do not agree"},
		},
		{
			"the ledger won more than there was",
			func(e *evidence) { e.books.disputes[1].Won = 6_000 },
			[]string{
				"r1: they do not agree", "acquirer:receivable/A_KRW says 6,212 KRW, it should be 7,212 KRW",
				"google:payable/A_KRW says 0 KRW, it should be -1,000 KRW",
			},
		},

		// What the acquirer keeps, pays and corrects.
		{
			"a fee is not in the books",
			func(e *evidence) { hostLine(e, "P1").Scheme = -30 },
			[]string{
				"acquirer:receivable/A_KRW says 6,212 KRW, it should be 6,202 KRW",
				"fee:acquirer/A_KRW says 1,182 KRW, it should be 1,192 KRW",
			},
		},
		{
			"a tax is not in the books",
			func(e *evidence) { hostLine(e, "P1").Tax = -7 },
			[]string{
				"acquirer:receivable/A_KRW says 6,212 KRW, it should be 6,211 KRW",
				"tax:input/A_KRW says 106 KRW, it should be 107 KRW",
			},
		},
		{
			"the acquirer paid less",
			func(e *evidence) { hostLine(e, "E4").Amount = 9_000 },
			[]string{
				"acquirer:receivable/A_KRW says 6,212 KRW, it should be 7,212 KRW",
				"bank:settlement/A_KRW says 15,457 KRW, it should be 14,457 KRW",
			},
		},
		{
			"the acquirer drew what the books say it paid",
			func(e *evidence) { hostLine(e, "E4").Result = "D" },
			[]string{
				"acquirer:receivable/A_KRW says 6,212 KRW, it should be 26,212 KRW",
				"bank:settlement/A_KRW says 15,457 KRW, it should be -4,543 KRW",
			},
		},
		{
			"a correction is not in suspense",
			func(e *evidence) { hostLine(e, "E3").Gross = 0 },
			[]string{
				"acquirer:receivable/A_KRW says 6,212 KRW, it should be 5,712 KRW",
				"suspense:acquirer/A_KRW says -500 KRW, it should be 0 KRW",
			},
		},
		{
			"the acquirer rejected a capture, and nobody bears the loss",
			func(e *evidence) {
				e.acquirer.records = append(e.acquirer.records, hostRecord{
					Type: "REJ", ID: "P9", RRN: "rrn1", Amount: 20_000, Currency: "KRW", Merchant: "M1", File: "PISTL_2",
				})
			},
			[]string{
				"acquirer:receivable/A_KRW says 6,212 KRW, it should be -13,788 KRW",
				"loss:acquirer/A_KRW is missing, it should be 20,000 KRW",
			},
		},
		{
			"the totals of a day differ, and nobody was told",
			func(e *evidence) { e.acquirer.messages[0].DE39 = "95" },
			[]string{"the acquirer has other totals on 1 days, and only 0 are before a person"},
		},

		// Reference numbers.
		{
			"Google has another reference number",
			func(e *evidence) { e.google.arns[0].Number = "ARN9" },
			[]string{"capture c1 has reference number ARN9 at Google, ARN1 in the ledger, ARN1 in the acquirer's files"},
		},
		{
			"Google was not told a reference number",
			func(e *evidence) { e.google.arns = slices.Delete(e.google.arns, 1, 2) },
			[]string{"refund f1 has reference number none at Google, ARN2 in the ledger, ARN2 in the acquirer's files"},
		},
		{
			"the acquirer never told a reference number",
			func(e *evidence) { hostLine(e, "P2").ARN = "" },
			[]string{"refund f1 has reference number ARN2 at Google, ARN2 in the ledger, none in the acquirer's files"},
		},
		{
			"the ledger forgot a reference number",
			func(e *evidence) { e.books.captures[0].ARN = "" },
			[]string{"capture c1 has reference number ARN1 at Google, none in the ledger, ARN1 in the acquirer's files"},
		},
		{
			"Google has a reference number of nothing",
			func(e *evidence) {
				e.google.arns = append(e.google.arns, google.ARN{Method: refundARN, Account: "A_KRW", Subject: "f7", Number: "ARN7"})
			},
			[]string{"Google has a reference number of refund f7, which nobody knows"},
		},

		// Settlements.
		{
			"Google knows nothing of a settlement",
			func(e *evidence) { e.google.settlements = e.google.settlements[1:] },
			[]string{
				"S1: Google knows nothing of it", "google:payable/A_KRW says 0 KRW, it should be -22,457 KRW",
				"income:fees and tax:output/A_KRW says -22,457 KRW, it should be 0 KRW",
			},
		},
		{
			"Google misses a part of a settlement",
			func(e *evidence) { e.google.settlements[0].Complete = false },
			[]string{
				"S1: Google has not all of it", "google:payable/A_KRW says 0 KRW, it should be -22,457 KRW",
				"income:fees and tax:output/A_KRW says -22,457 KRW, it should be 0 KRW",
			},
		},
		{
			"a settlement has another sum",
			func(e *evidence) { e.google.settlements[0].AmountMicros += 1_000_000 },
			[]string{"S1: they do not agree"},
		},
		{
			"a settlement has more items in the ledger",
			func(e *evidence) { e.books.settlements[0].Items++ },
			[]string{"S1: they do not agree"},
		},
		{
			"Google finds something wrong with a file",
			func(e *evidence) {
				e.google.files = append(e.google.files, google.SettlementFile{Name: "x.json", Problems: []string{"it is empty"}})
				e.google.settlements = append(e.google.settlements, google.Settlement{Account: "A_KRW", ID: "S2", Problems: []string{"a sum is wrong"}})
			},
			[]string{"Google takes exception to file x.json: it is empty", "Google takes exception to settlement S2: a sum is wrong"},
		},
		{
			"Google has a settlement that nobody made",
			func(e *evidence) {
				e.google.settlements = append(e.google.settlements, google.Settlement{Account: "A_KRW", ID: "S2", Currency: "KRW", Complete: true})
			},
			[]string{"Google has a settlement S2 that the ledger does not know"},
		},
		{
			"a settlement is paid, but not in the books",
			func(e *evidence) { e.books.settlements[0].State = "CLOSED" },
			[]string{
				"bank:settlement/A_KRW says 15,457 KRW, it should be 10,000 KRW",
				"google:payable/A_KRW says 0 KRW, it should be 5,457 KRW",
			},
		},
		{
			"an event is in no settlement",
			func(e *evidence) {
				s := &e.google.settlements[0]
				s.Events, e.books.settlements[0].Items = slices.Delete(s.Events, 1, 2), 5
			},
			[]string{"no settlement has the refundEvent of f1"},
		},
		{
			"an event is settled twice",
			func(e *evidence) {
				s := &e.google.settlements[0]
				s.Events, e.books.settlements[0].Items = append(s.Events, s.Events[0]), 7
				s.Events[6].FeeMicros, s.Events[6].VATMicros = 0, 0
			},
			[]string{"the captureEvent of c1 is settled 2 times"},
		},
		{
			"an event is settled with another amount",
			func(e *evidence) { e.google.settlements[0].Events[1].ChargeMicros = -3_000_000_000 },
			[]string{"settlement S1 has -3,000 KRW for the refundEvent of f1, it was -4,000 KRW"},
		},
		{
			"a fee on a hold that became a payment",
			func(e *evidence) { e.google.settlements[0].Events[5].Subject = "r1" },
			[]string{"settlement S1 charges for the hold r1, which is none or became a payment"},
		},
		{
			"our fee is not in the books",
			func(e *evidence) { e.google.settlements[0].Events[0].FeeMicros -= 1_000_000 },
			[]string{
				"google:payable/A_KRW says 0 KRW, it should be 1 KRW",
				"income:fees and tax:output/A_KRW says -22,457 KRW, it should be -22,458 KRW",
			},
		},
	} {
		e := world()
		c.tell(&e)
		got := compare(e)
		if !slices.Equal(got.found(), c.want) || got.agrees() {
			t.Errorf("%s: finds\n%s\nwant\n%s", c.lie, strings.Join(got.found(), "\n"), strings.Join(c.want, "\n"))
		}
	}
}

// What happened after the last period may wait for the next.
func TestCompareWaits(t *testing.T) {
	e := world()
	e.google.verdicts[4].Result, e.google.verdicts[4].At = "SUCCESS", testNow
	if c := compare(e); !slices.Equal(c.found(), []string{"r1: they do not agree"}) {
		t.Errorf("finds %q", c.found())
	}
}

// Who settles every day is waited for until the day that is over is settled, five minutes after its end.
func TestUnsettled(t *testing.T) {
	midnight := time.Date(2027, 3, 1, 0, 0, 0, 0, seoul)
	rows := []store.SettlementRow{{Account: first, Day: "20270226"}, {Account: second, Day: "20270227"}, {Account: third, Day: "20270110"}}
	for now, want := range map[time.Time]int{
		midnight.Add(-time.Second): 1, midnight.Add(4 * time.Minute): 1, midnight.Add(5 * time.Minute): 2,
	} {
		if got := unsettled(rows, now); got != want {
			t.Errorf("at %v %d accounts are not settled, want %d", now, got, want)
		}
	}
	if got := unsettled(nil, midnight); got != 0 {
		t.Errorf("where nothing ever happened %d accounts are not settled", got)
	}
}

func TestPriced(t *testing.T) {
	for want, amount := range map[string]money.Amount{
		"0 KRW": won(0), "999 KRW": won(999), "12,900 KRW": won(12_900), "-12,900 KRW": won(-12_900), "-129 KRW": won(-129),
		"1,000,000 KRW": won(1e6), "0.05 EUR": euros(5), "-0.05 EUR": euros(-5), "999.00 EUR": euros(999_00), "1,299.00 EUR": euros(1_299_00),
		"-1,234,567.89 EUR": euros(-1_234_567_89), "4.250 KWD": money.New(4_250, money.Of("KWD")),
		"12,345.678 KWD": money.New(12_345_678, money.Of("KWD")),
	} {
		if got := sum(amount); got != want {
			t.Errorf("%s is written %q, want %q", amount, got, want)
		}
	}
}
