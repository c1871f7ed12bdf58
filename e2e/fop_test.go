package e2e

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// none is an empty union member.
var none = map[string]any{}

// TestErrorMatrixOfCardFOP is what Card FOP v1 §9 refuses and Korea Cards has not: the members of a sale and of both unions of §3 that only
// Card FOP requires, and what a sale is not.
func TestErrorMatrixOfCardFOP(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{api: fop, authorise: "4s"})
	w.want(sell, "sale", edits{"amount": sum(22_001)}, 200, "SUCCESS")
	w.want(sell, "others", edits{"amount": sum(22_002), account: secondFOP}, 200, "SUCCESS")
	w.want(sell, "declined", edits{"amount": sum(22_003), pan: numbered("51")}, 200, "INSUFFICIENT_FUNDS")
	w.want(reserve, "held", edits{"amount": sum(22_004)}, 200, "SUCCESS")
	w.want(refund, "refund", edits{paid: "sale", back: sum(1_001)}, 200, "ACKNOWLEDGED")
	w.verdict("refund", "SUCCESS")
	w.drain()
	rows := []row{
		{"§1.2: verifyCardWithZeroAmount is not offered", signed(w.api.path(inspect), "{}"), 404, ""},
		{"§1.2: a sale under the other prefix", signed("/v1/payment-integrator-dispute-api/"+sell, "{}"), 404, ""},

		{"§8.1: P2 of a sale", edited(capture, edits{of: "sale", "amount": sum(1)}), 400, precondition},
		{"§8.1: P3 of a sale", edited(cancel, edits{of: "sale"}), 400, precondition},
		{"§8.1: P2 of another account's sale", edited(capture, edits{of: "others", "amount": sum(1)}), 404, identifier},
		{"§8.1: P3 of another account's sale", edited(cancel, edits{of: "others"}), 404, identifier},
		{"§8.1: P2 of a declined sale", edited(capture, edits{of: "declined", "amount": sum(1)}), 400, precondition},
		{"§8.2: P5 of another account's sale", edited(refund, edits{paid: "others", back: sum(1)}), 404, identifier},
		{"§8.2: P5 of a declined sale", edited(refund, edits{paid: "declined", back: sum(1)}), 404, identifier},
		{"§8.2: P5 of a hold", edited(refund, edits{paid: "held", back: sum(1)}), 404, identifier},
		{"§8.2: P5 above what is left of a sale", edited(refund, edits{paid: "sale", back: sum(21_001)}), 400, precondition},
		{"§4.4: P5 finer than the currency of the sale", edited(refund, edits{paid: "sale", back: "1000"}), 400, invalid},
		{"§4.2: P2 finer than the currency of the hold", edited(capture, edits{of: "held", "amount": "1000"}), 400, invalid},
		{"§2.4: a sale with another amount", edited(sell, edits{requestID: "sale", "amount": sum(22_009)}), 412, violation},
		{"§2.4: a sale that is sent as a reservation", edited(reserve, edits{requestID: "sale", "amount": sum(22_001)}), 412, violation},
		{"§2.4: a decline with another card", edited(sell, edits{requestID: "declined", "amount": sum(22_003)}), 412, violation},
	}
	const intent = "transactionIntentClassification"
	stored := func(e map[string]any) edits {
		return edits{
			options_ + "storedCredentialTransactionInformation": e, options_ + "storedCredentialTransactionInformationNotApplicable": absent,
		}
	}
	before := func(e map[string]any) edits { return stored(map[string]any{"merchantInitiated": e}) }
	token := func(e map[string]any) edits {
		body := tokenForm()
		maps.Copy(body, e)
		return edits{"accountDetails": map[string]any{"paymentToken": body}}
	}
	secure := map[string]any{"directoryServerTransactionId": "0f3d6c5e-8a41-4f0e-9f55-2b6f2f0f7c11", "cavv": leakCAVV}
	doubled := map[string]edits{
		"§3.2: two rails": {
			options_ + "userSelectedProcessingNetworkType": "CREDIT", options_ + "userSelectedProcessingNetworkTypeNotApplicable": none,
		},
		"§3.2: an ECI and none": {options_ + "electronicCommerceIndicator": "05", options_ + "electronicCommerceIndicatorNotApplicable": none},
		"§3.2: 3-D Secure and none": {
			options_ + "threeDSecureAuthenticationDetails": secure, options_ + "threeDSecureNotAppplicable": none,
		},
		"§3.2: stored credentials and none": stored(map[string]any{
			"customerInitiated": map[string]any{intent: "RECURRING", "instrumentStorageType": "STORED"},
		}).and(edits{options_ + "storedCredentialTransactionInformationNotApplicable": none}),
		"§3.2: two exemptions":        {options_ + "scaLowValueTransaction": none, options_ + "scaTransactionRiskAnalysis": none},
		"§3.2: an exemption and none": {options_ + "scaLowValueTransaction": none, options_ + "scaExemptionNotApplicable": none},
		"§3.2: ECI of letters": {
			options_ + "electronicCommerceIndicator": "xy", options_ + "electronicCommerceIndicatorNotApplicable": absent,
		},
		"§3.2: zero value of the rail": {
			options_ + "userSelectedProcessingNetworkType":              "PROCESSING_NETWORK_TYPE_UNSPECIFIED",
			options_ + "userSelectedProcessingNetworkTypeNotApplicable": absent,
		},
		"§3.3: by the customer and by the merchant": stored(map[string]any{
			"customerInitiated": map[string]any{intent: "RECURRING", "instrumentStorageType": "STORED"},
			"merchantInitiated": map[string]any{intent: "RECURRING", "previousTransactionInformationNotProvided": none},
		}),
		"§3.3: zero value of the intent": before(map[string]any{
			intent: "TRANSACTION_INTENT_CLASSIFICATION_UNKNOWN", "previousTransactionInformationNotProvided": none,
		}),
		"§3.3: a payment before, and none": before(map[string]any{
			intent: "RECURRING", "previousTransactionInformation": map[string]any{"networkTransactionIdentifier": "1"},
			"previousTransactionInformationNotProvided": none,
		}),
		"§3.1: a token of two kinds":     token(map[string]any{"tokenTypeDeviceToken": none, "tokenTypeMerchantToken": none}),
		"§3.5: country of three letters": {"addressVerificationData": map[string]any{"countryCode": "PRT"}},
		"§2.2: fraction of a cent":       {"amount": "4990001"},
		"§2.2: nothing":                  {"amount": "0"},
		"§2.2: below nothing":            {"amount": sum(-1)},
		"§9: currency not contracted":    {"currencyCode": "CHF"},
		"§9: currency unknown":           {"currencyCode": "XQQ"},
		"§9: currency in small letters":  {"currencyCode": "eur"},
		"§9: merchant category in words": {"merchantCategoryCode": "food"},
		"§4.6: the card of a check":      {"card": map[string]any{"accountNumber": "9999990000000006", "nameOnCard": "TOMAS BERG"}},
	}
	for name, e := range ofCards {
		for at, value := range e {
			if inner, ok := strings.CutPrefix(at, "card."); ok {
				doubled[name+", "+inner] = edits{"accountDetails.card." + inner: value}
			}
		}
	}
	lacking := map[string]edits{
		"§3.2: no rail":       {options_ + "userSelectedProcessingNetworkTypeNotApplicable": absent},
		"§3.2: no ECI":        {options_ + "electronicCommerceIndicator": absent, options_ + "electronicCommerceIndicatorNotApplicable": absent},
		"§3.2: no 3-D Secure": {options_ + "threeDSecureAuthenticationDetails": absent, options_ + "threeDSecureNotAppplicable": absent},
		"§3.2: no stored credentials": {
			options_ + "storedCredentialTransactionInformation": absent, options_ + "storedCredentialTransactionInformationNotApplicable": absent,
		},
		"§3.2: 3-D Secure without its proof": {
			options_ + "threeDSecureAuthenticationDetails": map[string]any{"threeDsVersion": "2.2.0"},
			options_ + "threeDSecureNotAppplicable":        absent,
		},
		"§3.3: by nobody":                  stored(map[string]any{}),
		"§3.3: no payment before":          before(map[string]any{intent: "RECURRING"}),
		"§3.3: no intent":                  before(map[string]any{"previousTransactionInformationNotProvided": none}),
		"§3.1: a token of no kind":         token(nil),
		"§3.1: a token without a number":   token(map[string]any{"tokenTypeDeviceToken": none, "paymentTokenAccountNumber": nil}),
		"§3.1: neither a card nor a token": {"accountDetails": map[string]any{}},
	}
	for _, method := range []string{reserve, sell} {
		rows = append(rows, members(method, nil, []string{
			"accountDetails", pan, "accountDetails.card.nameOnCard", "currencyCode", "amount", "transactionDescription", "merchantCategoryCode",
			"additionalTransactionProcessingOptions",
		}, doubled)...)
		for _, name := range slices.Sorted(maps.Keys(lacking)) {
			rows = append(rows, row{method + ", " + name, edited(method, lacking[name]), 400, missing})
		}
	}
	w.refused(rows)
}

// TestWrongAPI: what an account is not contracted for it is refused, whatever it names (Card FOP §2.6, §9; Korea §10). P7 stands at one
// path for both: there the account decides.
func TestWrongAPI(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{pays: true})
	for _, a := range apis {
		other := map[*api]*api{korea: fop, fop: korea}[a]
		w, rows := w.as(a), []row{}
		own, others := "own-"+a.name, "others-"+a.name
		w.sold(own, 22_101, nil)
		w.as(other).sold(others, 22_102, nil)
		for _, method := range slices.Sorted(maps.Keys(a.examples)) {
			if method == "echo" || method == defend {
				continue
			}
			for _, stranger := range []string{other.first, other.second, other.closed, disabled, firstPay} {
				rows = append(rows, row{a.name + ", " + method + " of " + stranger, edited(method, edits{account: stranger}), 403, "FORBIDDEN"})
			}
			rows = append(rows,
				row{a.name + ", " + method + " of the other's payment", edited(method, edits{
					account: other.first, of: others, paid: others + "-capture",
				}), 403, "FORBIDDEN"},
				row{a.name + ", " + method + " of nobody", edited(method, edits{account: "Nobody_EUR"}), 404, identifier})
		}
		rows = append(rows,
			row{a.name + ", P2 of a reservation that the other API made", edited(capture, edits{of: others, "amount": sum(1)}), 404, identifier},
			row{a.name + ", P3 of a reservation that the other API made", edited(cancel, edits{of: others}), 404, identifier},
			row{a.name + ", a refund of what the other API took", edited(refund, edits{paid: others + "-capture", back: sum(1)}), 404, identifier},
			row{a.name + ", a defence of nobody's", edited(defend, edits{account: disabled, paid: own + "-capture"}), 403, "FORBIDDEN"})
		w.drain()
		w.refused(rows)
		w.want(defend, "theirs-"+a.name, edits{paid: others + "-capture"}, 200, "CAPTURE_REQUEST_ID_NOT_FOUND")
		w.want(defend, "ours-"+a.name, edits{paid: own + "-capture"}, 200, "CHARGEBACK_NOT_DEFENDABLE")
	}
}

// TestEveryCurrency: micros are whole minor units of each currency, with no, two and three decimals, to the network and back (Card FOP
// §2.2).
func TestEveryCurrency(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{api: fop, authorise: "4s"})
	numeric := map[string]string{"JPY": "392", "EUR": "978", "USD": "840", "KWD": "414"}
	for i, c := range []struct {
		currency, micros string
		minor            int64 // 0: refused
	}{
		{"JPY", "1000000", 1},
		{"JPY", "1500000000", 1_500},
		{"JPY", "999999", 0},
		{"JPY", "1500000", 0},
		{"EUR", "10000", 1},
		{"EUR", "12340000", 1_234},
		{"EUR", "9999", 0},
		{"EUR", "12341000", 0},
		{"USD", "1230000", 123},
		{"USD", "1234500", 0},
		{"KWD", "1000", 1},
		{"KWD", "1234000", 1_234},
		{"KWD", "999", 0},
		{"KWD", "1234500", 0},
		{"EUR", "9223372036854770000", 0}, // DE4 has twelve digits
	} {
		e := edits{"currencyCode": c.currency, "amount": c.micros}
		for _, method := range []string{reserve, sell} {
			id := fmt.Sprint(method, "-", i)
			switch got := w.ask(method, id, e); {
			case c.micros == "9223372036854770000":
				if !got.is(200, "TRANSACTION_EXCEEDS_AMOUNT_LIMIT") {
					t.Errorf("%s of %s micros: got %d %s", method, c.micros, got.status, got.body)
				}
				continue
			case c.minor == 0:
				if !got.is(400, invalid) {
					t.Errorf("%s of %s %s micros: got %d %s", method, c.currency, c.micros, got.status, got.body)
				}
				continue
			case !got.is(200, "SUCCESS"):
				t.Errorf("%s of %s %s micros: got %d %s", method, c.currency, c.micros, got.status, got.body)
				continue
			}
			taken := id
			if method == reserve {
				taken = id + "-capture"
				w.want(capture, taken, edits{of: id, "amount": c.micros}, 200, "ACKNOWLEDGED")
				w.verdict(taken, "SUCCESS")
			}
			w.want(refund, id+"-refund", edits{paid: taken, back: c.micros}, 200, "ACKNOWLEDGED")
			w.verdict(id+"-refund", "SUCCESS")
			w.want(refund, id+"-more", edits{paid: taken, back: c.micros}, 400, precondition)
			var booked []struct {
				Kind, Currency   string
				Amount, Refunded int64
			}
			w.command(w.control, "GET", "/bookings?rrn="+w.reference(id), "", &booked)
			if len(booked) != 1 || booked[0].Amount != c.minor || booked[0].Refunded != c.minor || booked[0].Currency != numeric[c.currency] {
				t.Errorf("%s of %s %s micros: the host booked %+v", method, c.currency, c.micros, booked)
			}
		}
	}
}

// TestLimits: what is beyond an account's limits is an answer that needs no network; what is at them is asked for. Currencies without
// limits have none (Card FOP §7.1).
func TestLimits(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{api: fop, authorise: "4s", fop: `
[account.limits]
EUR = { least = 50, most = 100000 }
JPY = { least = 100 }
[account.card_fop]
emit = ["TRANSACTION_UNDER_AMOUNT_LIMIT"]`})
	const below, above = "TRANSACTION_UNDER_AMOUNT_LIMIT", "TRANSACTION_EXCEEDS_AMOUNT_LIMIT"
	for i, c := range []struct {
		currency string
		minor    int64
		word     string
	}{
		{"EUR", 49, below},
		{"EUR", 50, "SUCCESS"},
		{"EUR", 100_000, "SUCCESS"},
		{"EUR", 100_001, above},
		{"JPY", 99, below},
		{"JPY", 100_002, "SUCCESS"},
		{"KWD", 1, "SUCCESS"},
	} {
		for method, mti := range map[string]string{reserve: "0100", sell: "0200"} {
			id, before := fmt.Sprint("limit-", method, i), w.seen(mti, c.minor)
			got := w.want(method, id, edits{"currencyCode": c.currency, "amount": sum(c.minor)}, 200, c.word)
			if again := w.ask(method, id, edits{"currencyCode": c.currency, "amount": sum(c.minor)}); again != got {
				t.Errorf("%s of %d %s: then %s", method, c.minor, c.currency, again.body)
			}
			asked := w.seen(mti, c.minor) - before
			if want := map[bool]int{true: 1, false: 0}[c.word == "SUCCESS"]; asked != want {
				t.Errorf("%s of %d %s: the host was asked %d times", method, c.minor, c.currency, asked)
			}
			if c.word != "SUCCESS" && !strings.Contains(got.body, `"cardNetworkResult":{"cardNetworkResultNotAvailable":{}}`) {
				t.Errorf("%s of %d %s: %s", method, c.minor, c.currency, got.body)
			}
		}
	}
	w.want(verify, "limit-verify", nil, 200, "SUCCESS") // names no amount, and has no limit
}

// TestSalesAnswerOnce is gsp-core §7.4 X1-X6 for sales: copies at once, repeats, repeats after a restart, other content. Money is taken
// once; where nobody can tell whether it was, it is given back before it is asked for again (Card FOP §4.4, rails §1.11 T1).
func TestSalesAnswerOnce(t *testing.T) {
	t.Parallel()
	for dialect, reversal := range dialects {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, options{api: fop, dialect: dialect})
			w.rule(`{"action": "late", "delay_ms": 100, "match": {"mti": "0200", "amount": 53101}}`) // so that all copies have arrived
			good, poor := edits{"amount": sum(53_101)}, edits{"amount": sum(53_102), pan: numbered("51")}
			same := map[answer]bool{}
			for _, got := range w.copies(12, sell, "once", good) {
				same[got] = true
			}
			approved := w.want(sell, "once", good, 200, "SUCCESS")
			if len(same) != 1 || !same[approved] {
				t.Errorf("the copies heard %v", same)
			}
			declined := w.want(sell, "poor", poor, 200, "INSUFFICIENT_FUNDS")
			other := w.want(sell, "once", edits{"amount": sum(53_103), account: secondFOP}, 200, "SUCCESS") // X6
			for _, when := range []string{"at once", "after a restart"} {
				for i, c := range []struct {
					id   string
					e    edits
					want answer
				}{
					{"once", good, approved},
					{"once", good.and(edits{"amount": 531_010_000}), approved}, // a number for a string
					{"poor", poor, declined},
					{"once", edits{"amount": sum(53_103), account: secondFOP}, other},
				} {
					if got := w.ask(sell, c.id, c.e); got != c.want {
						t.Errorf("%d %s: got %d %s, want %s", i, when, got.status, got.body, c.want.body)
					}
				}
				w.want(sell, "once", edits{"amount": sum(53_104)}, 412, violation)
				w.want(sell, "once", good.and(edits{"novel": 1}), 412, violation)
				for _, method := range []string{reserve, capture, cancel, refund, verify, defend} {
					w.want(method, "once", nil, 412, violation)
				}
				w.restart()
			}
			for amount, n := range map[int64]int{53_101: 1, 53_102: 1, 53_103: 1, 53_104: 0} {
				if got := w.seen("0200", amount); got != n {
					t.Errorf("the host saw %d sales of %d, want %d", got, amount, n)
				}
			}
			// The answer is lost: the sale is given back, and the same request is a new one.
			lost := edits{"amount": sum(53_105)}
			w.rule(`{"action": "silent", "match": {"mti": "0200", "amount": 53105}, "times": 1}`)
			w.want(sell, "lost", lost, 503, "")
			w.decided(sell, "lost", lost, 200, "SUCCESS")
			if sales, undone := w.seen("0200", 53_105), w.seen(reversal, 53_105); sales != 2 || undone != 1 {
				t.Errorf("the host saw %d sales and %d reversals, want 2 and 1", sales, undone)
			}
			w.want(refund, "lost-refund", edits{paid: "lost", back: sum(53_105)}, 200, "ACKNOWLEDGED")
			w.verdict("lost-refund", "SUCCESS")
			var list []struct{ Direction, MTI, DE4, DE90 string } // what follows a sale names it as one (rails §1.9)
			w.command(w.control, "GET", "/transactions", "", &list)
			named := 0
			for _, m := range list {
				if m.Direction == "seen" && m.DE4 == "000000053105" && m.DE90 != "" {
					if named++; !strings.HasPrefix(m.DE90, "0200") {
						t.Errorf("a %s is about %s", m.MTI, m.DE90)
					}
				}
			}
			if named != 2 {
				t.Errorf("%d messages name the sale, want a reversal and a refund", named)
			}
			// It is lost, and Google cleans up instead: nothing is held, and the repeat is told so (§4.3).
			w.rule(`{"action": "silent", "match": {"mti": "0200", "amount": 53106}, "times": 1}`)
			w.want(sell, "left", edits{"amount": sum(53_106)}, 503, "")
			w.decided(cancel, "left-cancel", edits{of: "left"}, 200, "ACKNOWLEDGED")
			w.verdict("left-cancel", "SUCCESS")
			if got := w.ask(sell, "left", edits{"amount": sum(53_106)}); got.status != 200 || got.word == "SUCCESS" {
				t.Errorf("then got %d %s", got.status, got.body)
			}
			if n := w.seen("0200", 53_106); n != 1 {
				t.Errorf("the host saw %d sales", n)
			}
		})
	}
}

// TestSaleWithoutALine: what cannot have left the house is no attempt (design §3.1), and what was held up there is asked for when the line
// is back.
func TestSaleWithoutALine(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{api: fop})
	w.cut()
	w.want(sell, "down", edits{"amount": sum(53_201)}, 503, "")
	if got := w.state("down"); got != "NOT_HELD" {
		t.Errorf("the sale is %s", got)
	}
	w.mend()
	w.decided(sell, "down", edits{"amount": sum(53_202)}, 200, "SUCCESS")
	seen := func(mti string) int { return w.seen(mti, 53_201) + w.seen(mti, 53_202) }
	if sales, undone := seen("0200"), seen("0420"); sales != 1 || undone != 0 {
		t.Errorf("the host saw %d sales and %d reversals, want 1 and none", sales, undone)
	}
}

// TestSalesOnly: where the network takes money in one message only, holds are declined without asking it, and a card check says so (rails
// §1.3, Card FOP §4.6).
func TestSalesOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{api: fop, replace: map[string]string{`capture_mode = "advice"`: `capture_mode = "single"`}})
	w.want(reserve, "only-hold", edits{"amount": sum(53_301)}, 200, "TRANSACTION_NOT_ALLOWED")
	w.want(sell, "only-sale", edits{"amount": sum(53_302)}, 200, "SUCCESS")
	w.want(refund, "only-refund", edits{paid: "only-sale", back: sum(53_302)}, 200, "ACKNOWLEDGED")
	w.verdict("only-refund", "SUCCESS")
	got := w.want(verify, "only-verify", nil, 200, "SUCCESS")
	if !strings.Contains(got.body, `"fundsTransferFlow":"SUPPORTED"`) || !strings.Contains(got.body, `"reserveCaptureFlow":"NOT_SUPPORTED"`) {
		t.Errorf("got %s", got.body)
	}
	w.want(cancel, "only-cancel", edits{of: "only-verify"}, 200, "ACKNOWLEDGED")
	w.verdict("only-cancel", "SUCCESS")
	if n := w.seen("0100", 53_301); n != 0 {
		t.Errorf("the host was asked for %d holds", n)
	}
}

// TestSaleWindow: the card of a sale is kept as long as that of a capture, and then erased (design §3.6).
func TestSaleWindow(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{api: fop, fop: "refund_window = \"240h\"\ndispute_window = \"480h\""})
	w.want(sell, "window", edits{"amount": sum(53_401)}, 200, "SUCCESS")
	w.clock.Advance(11 * day)
	w.want(refund, "window-out", edits{paid: "window", back: sum(1_002)}, 200, "ACKNOWLEDGED")
	w.verdict("window-out", "REFUND_WINDOW_EXCEEDED")
	if !w.keepsCard("window") {
		t.Error("the card is gone before the dispute window is over")
	}
	w.clock.Advance(10 * day)
	w.until("the card is erased", func() bool { return !w.keepsCard("window") })
	w.clock.Advance(time.Hour)
	w.want(refund, "window-gone", edits{paid: "window", back: sum(52_000)}, 200, "ACKNOWLEDGED")
	w.verdict("window-gone", "REFUND_WINDOW_EXCEEDED")
}

// TestSaleUndoneAfterACrash: the machine goes down between a sale and its answer. What is on the disk says that money may have been taken:
// it is given back before anything else, whatever Google asks for meanwhile, and the same request takes it anew (rails §1.10, Card FOP
// §4.4).
func TestSaleUndoneAfterACrash(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{api: fop, authorise: "4s"})
	e := edits{"amount": sum(53_501)}
	w.rule(`{"action": "silent", "match": {"mti": "0200", "amount": 53501}, "times": 1}`)
	w.rule(`{"action": "silent-dropped", "match": {"mti": "0420", "amount": 53501}}`)
	come := w.meanwhile(1, sell, "crashed", e)
	w.until("the host has taken the money", func() bool { return w.seen("0200", 53_501) == 1 })
	w.query("VACUUM INTO '"+w.file("then.db")+"'", func([]any) {})
	<-come
	w.end()
	for _, name := range []string{"naru.db-wal", "naru.db-shm"} {
		if err := os.Remove(w.file(name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
	w.check(os.Rename(w.file("then.db"), w.file("naru.db")))
	w.start()
	w.until("the reversal is under way", func() bool { return w.seen("0420", 53_501)+w.seen("0421", 53_501) > 0 })
	w.want(sell, "crashed", e, 503, "")
	w.want(refund, "crashed-refund", edits{paid: "crashed", back: sum(1)}, 404, identifier)
	if n := w.seen("0200", 53_501); n != 1 {
		t.Errorf("the host saw %d sales before the first was undone", n)
	}
	w.obey()
	w.until("it is undone", func() bool { w.clock.Advance(time.Second); return w.state("crashed") == "NOT_HELD" })
	w.want(sell, "crashed", e, 200, "SUCCESS")
	if n := w.seen("0200", 53_501); n != 2 {
		t.Errorf("the host saw %d sales", n)
	}
}
