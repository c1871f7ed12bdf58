package google

import (
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// Where everything is (Korea §1.2, §1.3; Card FOP §1.2, §1.3 with §12 points 3 and 4).
func TestAddresses(t *testing.T) {
	const shared = `/v1/echo
/v1/payment-integrator-dispute-api/defendChargeback
/v1/payment-integrator-WORD-api/asynchronousCancelFundsReservation
/v1/payment-integrator-WORD-api/asynchronousCaptureFundsReservation
/v1/payment-integrator-WORD-api/asynchronousRefund
/v1/payment-integrator-WORD-api/reserveFunds
/v1/payment-integrator-WORD-api/verifyCardWithMinimumReservation
/google-WORD-api/v1/cancelFundsReservationResultNotification
/google-WORD-api/v1/captureFundsReservationResultNotification
/google-WORD-api/v1/chargebackNotification
/google-WORD-api/v1/chargebackReversedNotification
/google-WORD-api/v1/fraudNotification
/google-WORD-api/v1/inquiryNotification
/google-WORD-api/v1/refundResultNotification
/google-WORD-api/v1/reverseRefundNotification
/google-WORD-api/v1/setAcquirerReferenceNumberForCaptureNotification
/google-WORD-api/v1/setAcquirerReferenceNumberForRefundNotification
/google-WORD-api/v1/settlementNotification
/v1/echo
/v1/payment-integrator-WORD-api/captureFundsReservationResultNotification`
	for name, of := range map[string][2]string{
		koreaCards: {"korea-cards", "/v1/payment-integrator-korea-cards-api/verifyCardWithZeroAmount"},
		cardFOP:    {"card-fop", "/v1/payment-integrator-card-fop-api/capture"},
	} {
		var got []string
		for method, m := range apis[name].sends {
			got = append(got, m.address(method, "A"))
		}
		got = slices.AppendSeq(got, maps.Keys(apis[name].hosts))
		want := strings.Split(strings.ReplaceAll(shared, "WORD", of[0])+"\n"+of[1], "\n")
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s is at\n%s\nwant\n%s", name, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

// Payouts have no prefix and no account in their path (disburse §1).
func TestAddressesOfPayouts(t *testing.T) {
	var got []string
	for method, m := range apis[payouts].sends {
		got = append(got, m.address(method, "A"))
	}
	got = slices.AppendSeq(got, maps.Keys(apis[payouts].hosts))
	slices.Sort(got)
	if want := []string{"/v1/disburseFunds", "/v1/disburseFundsResultNotification", "/v1/echo", "/v1/echo"}; !slices.Equal(got, want) {
		t.Errorf("payouts are at %q", got)
	}
}

// The account chooses the API, unless the order does.
func TestSendChoosesTheAPI(t *testing.T) {
	const korea, fop = "/v1/payment-integrator-korea-cards-api/", "/v1/payment-integrator-card-fop-api/"
	var h heard
	s := meet(t, "", h.then(t, reply(`{"result":"SUCCESS","paymentIntegratorCaptureId":"own-s"}`)))
	for i, c := range []struct{ order, path, account string }{
		{`{"method":"reserveFunds"}`, korea + "reserveFunds", piaid},
		{`{"method":"reserveFunds","body":{"paymentIntegratorAccountId":"Test_FOP"}}`, fop + "reserveFunds", shop},
		{`{"method":"reserveFunds","body":{"paymentIntegratorAccountId":"Nobody"}}`, korea + "reserveFunds", "Nobody"},
		{`{"method":"reserveFunds","body":{"paymentIntegratorAccountId":7}}`, korea + "reserveFunds", "7"},
		{`{"method":"asynchronousRefund","api":"card-fop-v1"}`, fop + "asynchronousRefund", piaid},
		{
			`{"method":"asynchronousRefund","api":"korea-cards-v1","body":{"paymentIntegratorAccountId":"Test_FOP"}}`,
			korea + "asynchronousRefund", shop,
		},
		{`{"method":"capture","api":"card-fop-v1","body":{"paymentIntegratorAccountId":"Other_KRW"}}`, fop + "capture", "Other_KRW"},
		{
			`{"method":"defendChargeback","body":{"paymentIntegratorAccountId":"Test_FOP"}}`,
			"/v1/payment-integrator-dispute-api/defendChargeback", shop,
		},
		{`{"method":"echo","api":"card-fop-v1"}`, "/v1/echo", ""},
		{
			`{"method":"capture","body":{"paymentIntegratorAccountId":"Test_FOP","amount":"4990000","currencyCode":"EUR",` +
				`"accountDetails":{"card":{"accountNumber":"4111111111111111"}}}}`, fop + "capture", shop,
		},
	} {
		s.control("POST", "/send", c.order, http.StatusOK)
		if want := "POST " + c.path + " application/octet-stream; charset=utf-8"; h.paths[i] != want {
			t.Errorf("%s went to %s, want %s", c.order, h.paths[i], want)
		}
		if exchanges, _ := s.google.Record(); exchanges[i].Account != c.account {
			t.Errorf("%s is recorded for %q, want %q", c.order, exchanges[i].Account, c.account)
		}
	}
	exchanges, _ := s.google.Record()
	got := exchanges[len(exchanges)-1]
	want := Exchange{
		At: got.At, Method: "capture", Account: shop, RequestID: "g7-1-10", Currency: "EUR", AmountMicros: 4_990_000, Status: 200,
		Result: "SUCCESS", Digest: got.Digest,
	}
	if got != want || got.Digest == "" {
		t.Errorf("the sale is recorded as %+v, want %+v", got, want)
	}
}

// fopAt is where a method of ours is for the account of Card FOP.
func fopAt(method string) string { return "/google-card-fop-api/v1/" + method + "/" + shop }

// sold is a Google that sold and reserved in several currencies. Sales: s done, in euros; b done, in dinars; y done, in yen; d declined;
// u without an answer. Captures of the hold r, in dollars: c done; e without a verdict. Refunds: f of the sale s; g of the capture c; k of
// the sale s, without a verdict.
func sold(t *testing.T, file string) *side {
	status, result := 200, "SUCCESS"
	s := meet(t, file, func(w http.ResponseWriter, r *http.Request) {
		answering(status, "integrator", `{"result":"`+result+`"}`, 0)(w, r)
	})
	asks := func(method, id, members string) {
		s.asks(method, id, `,"paymentIntegratorAccountId":"Test_FOP"`+members)
	}
	asks("capture", "s", `,"amount":"4990000","currencyCode":"EUR"`)
	asks("capture", "b", `,"amount":"1234000","currencyCode":"BHD"`)
	asks("capture", "y", `,"amount":"500000000","currencyCode":"JPY"`)
	asks("reserveFunds", "r", `,"amount":"10500000","currencyCode":"USD"`)
	result = "INSUFFICIENT_FUNDS"
	asks("capture", "d", `,"amount":"4990000","currencyCode":"EUR"`)
	status = 503
	asks("capture", "u", `,"amount":"4990000","currencyCode":"EUR"`)
	status, result = 200, "ACKNOWLEDGED"
	asks("asynchronousCaptureFundsReservation", "c", `,"reservationRequestId":"r","amount":"10500000"`)
	asks("asynchronousCaptureFundsReservation", "e", `,"reservationRequestId":"r","amount":"10500000"`)
	asks("asynchronousRefund", "f", `,"captureRequestId":"s","refundAmount":"1500000"`)
	asks("asynchronousRefund", "g", `,"captureRequestId":"c","refundAmount":"1500000"`)
	asks("asynchronousRefund", "k", `,"captureRequestId":"s","refundAmount":"1500000"`)
	for id, told := range map[string]struct {
		method  string
		members map[string]string
	}{
		"v1": {"captureFundsReservationResultNotification", captured("c", "SUCCESS")},
		"v2": {"refundResultNotification", refundTold},
		"v3": {"refundResultNotification", but(refundTold, "refundRequestId", "g")},
	} {
		if got := s.tell(fopAt(told.method), ofShop(id, told.members)); got != "200 SUCCESS" {
			t.Fatal(got)
		}
	}
	return s
}

func ofShop(id string, members map[string]string) string {
	return notice(id, but(members, "paymentIntegratorAccountId", shop))
}

// An account has one API: in the other it is as unknown as nobody. Every printed address leads to the same (Card FOP §12 points 3 to 5).
func TestAddressesOfAnAccount(t *testing.T) {
	const (
		pi, own    = "/v1/payment-integrator-card-fop-api/", "/google-card-fop-api/v1/"
		g1, g2, g9 = "captureFundsReservationResultNotification", "cancelFundsReservationResultNotification", "fraudNotification"
		stranger   = "404 unsealed 43 bytes"
	)
	s := sold(t, "")
	base := s.base
	fraud := but(defrauded, "captureRequestId", "s")
	for i, c := range []struct {
		why, path, account string
		members            map[string]string
		want               string
	}{
		{"as printed", pi + g1, shop, captured("e", "SUCCESS"), "200 SUCCESS"},
		{"as all others", own + g1, shop, captured("e", "SUCCESS"), "200 SUCCESS"},
		{"only the first is irregular", pi + g2, shop, cancelled("x", "SUCCESS"), "404 unsealed 0 bytes"},
		{"on Korea's path", "/v1/payment-integrator-korea-cards-api/" + g1, shop, captured("e", "SUCCESS"), stranger},
		{"on Korea's other path", regular + g2, shop, cancelled("x", "SUCCESS"), stranger},
		{"Korea's account here", own + g2, piaid, cancelled("x", "SUCCESS"), stranger},
		{"nobody's account", own + g2, "Nobody", cancelled("x", "SUCCESS"), stranger},
		{"echo is everybody's", "/v1/echo", shop, says("clientMessage", "hi", "paymentIntegratorAccountId", "-"), "200 hi"},
		{"a fraud", own + g9, shop, fraud, "200 SUCCESS"},
		{"a fraud where an inquiry belongs", own + "inquiryNotification", shop, fraud, "400 INVALID_FIELD_VALUE"},
		{
			"even with all that an inquiry has", own + "inquiryNotification", shop,
			but(inquired, "captureRequestId", "s", "amount", "1000000", "fraudType", "FRAUDULENT_USE"), "400 INVALID_FIELD_VALUE",
		},
	} {
		for _, front := range []string{"/secure-serving", ""} {
			s.base = strings.Replace(base, "/secure-serving", front, 1)
			message := but(c.members, "paymentIntegratorAccountId", c.account)
			if c.members["paymentIntegratorAccountId"] != "" {
				message = c.members
			}
			if got := s.tell(c.path+"/"+c.account, notice("n"+strconv.Itoa(i), message)); got != c.want {
				t.Errorf("%s, under %q: got %q, want %q", c.why, front, got, c.want)
			}
		}
	}
	s.base = base
	if got := s.tell(own+g2+"/"+shop, notice("x", cancelled("x", "SUCCESS"))); got != "400 INVALID_FIELD_VALUE" {
		t.Errorf("another account in the body: %s", got)
	}
	for _, m := range s.received() {
		if m["piaid"] == "Nobody" || m["piaid"] == piaid {
			t.Errorf("a stranger's message stands in the record: %v", m)
		}
	}
}

// What follows from what Google knows in Card FOP, with its sales, its currencies and its stages (Card FOP §8.3 to §8.5).
func TestStatesOfSales(t *testing.T) {
	const (
		g1, g2, g3 = "captureFundsReservationResultNotification", "cancelFundsReservationResultNotification", "refundResultNotification"
		g4, g5     = "setAcquirerReferenceNumberForCaptureNotification", "setAcquirerReferenceNumberForRefundNotification"
		g6, g7, g8 = "inquiryNotification", "chargebackNotification", "chargebackReversedNotification"
		g9, g10    = "fraudNotification", "reverseRefundNotification"
		ok, broken = "200 SUCCESS", "400 INVALID_FIELD_VALUE"
		refused    = "400 PRECONDITION_VIOLATION"
		nobody     = "404 INVALID_IDENTIFIER"
	)
	number := but(captureNumber, "captureRequestId", "s")
	ask := but(inquired, "captureRequestId", "s", "amount", "4990000")
	back := but(chargedBack, "captureRequestId", "s", "amount", "4990000")
	again := but(back, "chargebackStage", "SECOND")
	win := but(won, "amount", "4990000")
	s := sold(t, "")
	for i, c := range []struct {
		why, method, id string
		members         map[string]string
		want            string
	}{
		{"a sale's answer was its verdict", g1, "", captured("s", "SUCCESS"), nobody},
		{"a sale is no hold", g2, "", cancelled("s", "SUCCESS"), nobody},
		{"a sale is no refund", g3, "", but(refundTold, "refundRequestId", "s"), nobody},
		{"another verdict", g1, "", captured("c", "RESERVATION_EXPIRED"), refused},
		{"the same verdict", g1, "", captured("c", "SUCCESS"), ok},

		{"a number at once", g4, "", number, ok},
		{"the same", g4, "", number, ok},
		{"another", g4, "", but(number, "acquirerReferenceNumber", "1"), refused},
		{"of a declined sale", g4, "", but(number, "captureRequestId", "d"), refused},
		{"of a sale without an answer", g4, "", but(number, "captureRequestId", "u"), refused},
		{"of a capture", g4, "", but(number, "captureRequestId", "c"), ok},
		{"of a capture without a verdict", g4, "", but(number, "captureRequestId", "e"), refused},
		{"of a hold", g4, "", but(number, "captureRequestId", "r"), nobody},
		{
			"in the words of Korea", g4, "", but(number, "captureRequestId", "-", "captureFundsReservationRequestId", "s"),
			"400 MISSING_REQUIRED_FIELD",
		},
		{"of a refund", g5, "", refundNumber, ok},
		{"of a refund, another", g5, "", but(refundNumber, "acquirerReferenceNumber", "1"), refused},
		{"of a refund without a verdict", g5, "", but(refundNumber, "refundRequestId", "k"), refused},
		{"of a sale as a refund", g5, "", but(refundNumber, "refundRequestId", "s"), nobody},

		{"a refund of cents comes back", g10, "", but(refundBack, "amount", "10000"), ok},
		{"less than a cent", g10, "", but(refundBack, "amount", "5000"), broken},
		{"more than it was", g10, "", but(refundBack, "amount", "1500000"), refused},
		{"a cent of a captured hold's refund", g10, "", but(refundBack, "refundRequestId", "g", "amount", "10000"), ok},
		{"less than a cent of it", g10, "", but(refundBack, "refundRequestId", "g", "amount", "1000"), broken},
		{"a sale comes back", g10, "", but(refundBack, "refundRequestId", "s"), nobody},

		{"an inquiry", g6, "", ask, ok},
		{"about less than a cent", g6, "", but(ask, "amount", "4995000"), broken},
		{"about a declined sale", g6, "", but(ask, "captureRequestId", "d"), refused},
		{"about a sale without an answer", g6, "", but(ask, "captureRequestId", "u"), refused},
		{"about a thousandth of a dinar", g6, "", but(ask, "captureRequestId", "b", "amount", "1234000"), ok},
		{"about less", g6, "", but(ask, "captureRequestId", "b", "amount", "1234500"), broken},
		{"about a yen", g6, "", but(ask, "captureRequestId", "y", "amount", "1000000"), ok},
		{"about less than a yen", g6, "", but(ask, "captureRequestId", "y", "amount", "10000"), broken},
		{"about somebody's capture, in whatever currency", g6, "", but(ask, "captureRequestId", "z", "amount", "1"), ok},
		{"a fraud", g9, "", but(defrauded, "captureRequestId", "s"), ok},
		{"a fraud of a declined sale", g9, "", but(defrauded, "captureRequestId", "d"), refused},

		{"a second stage before the first", g7, "", again, refused},
		{"the first", g7, "b", back, ok},
		{"a second while the first stands", g7, "", again, refused},
		{"a chargeback of a sale without an answer", g7, "", but(back, "captureRequestId", "u"), refused},
		{"a chargeback of less than a cent", g7, "", but(back, "amount", "1"), broken},
		{"one that was never told is won", g8, "", but(win, "chargebackRequestId", "n24"), nobody},
		{"more is won than was lost", g8, "", but(win, "amount", "5000000"), refused},
		{"less than a cent is won", g8, "", but(win, "amount", "1000"), broken},
		{"it is won", g8, "", win, ok},
		{"and again", g8, "", win, refused},
		{"the second stage of another case", g7, "", but(again, "caseId", "CB-2"), refused},
		{"the second stage of another capture", g7, "", but(again, "captureRequestId", "c"), refused},
		{"the second stage", g7, "b2", again, ok},
		{"a third", g7, "", again, refused},
		{"the second is won", g8, "", but(win, "chargebackRequestId", "b2"), ok},
		{"and comes once more", g7, "", again, refused},
		{"another first, in another case without a number", g7, "b3", but(back, "caseId", "-", "amount", "10000"), ok},
		{"it is won too", g8, "", but(win, "chargebackRequestId", "b3", "amount", "10000"), ok},
		{"and charged back again", g7, "", but(again, "caseId", "-", "amount", "10000"), ok},
	} {
		id := c.id
		if id == "" {
			id = "n" + strconv.Itoa(i)
		}
		if got := s.tell(fopAt(c.method), ofShop(id, c.members)); got != c.want {
			t.Errorf("%s: got %q, want %q", c.why, got, c.want)
		}
	}
	var told []string
	for _, d := range s.google.Disputes() {
		told = append(told, strings.TrimSuffix(d.Method, "Notification")+" "+d.Capture+" "+strconv.FormatInt(d.AmountMicros, 10)+d.Stage)
	}
	if want := []string{
		"inquiry s 4990000", "inquiry b 1234000", "inquiry y 1000000", "inquiry z 1", "fraud s 0", "chargeback s 4990000FIRST",
		"chargebackReversed s 4990000", "chargeback s 4990000SECOND", "chargebackReversed s 4990000", "chargeback s 10000FIRST",
		"chargebackReversed s 10000", "chargeback s 10000SECOND",
	}; !slices.Equal(told, want) {
		t.Errorf("told:\n%q\nwant\n%q", told, want)
	}
}

// The answer of a sale counts: not before it is there, not if it is a 503, and after a restart as before.
func TestSaleAnswers(t *testing.T) {
	const path = "setAcquirerReferenceNumberForCaptureNotification"
	const members = `,"paymentIntegratorAccountId":"Test_FOP","amount":"4990000","currencyCode":"EUR"`
	file := filepath.Join(t.TempDir(), "google.jsonl")
	var got []string
	for _, status := range []int{503, 200, 200} {
		var s *side
		s = meet(t, file, func(w http.ResponseWriter, r *http.Request) {
			got = append(got, s.tell(fopAt(path), ofShop("n", but(captureNumber, "captureRequestId", "s"))))
			answering(status, "integrator", `{"result":"SUCCESS"}`, 0)(w, r)
		})
		s.asks("capture", "s", members)
		must(t, s.google.Close())
	}
	if want := []string{"400 PRECONDITION_VIOLATION", "400 PRECONDITION_VIOLATION", "200 SUCCESS"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Every call of Card FOP is offered, whatever a rule for those that Korea may lack says (Card FOP §1.3).
func TestAlwaysOffered(t *testing.T) {
	s := sold(t, "")
	const g4 = "setAcquirerReferenceNumberForCaptureNotification"
	rules := `[{"method":"` + g4 + `","action":"not-offered"},{"method":"fraudNotification","action":"503","times":1}]`
	s.control("POST", "/faults", rules, http.StatusOK)
	for _, c := range []struct{ path, message, want string }{
		{at(g4), notice("a", captureNumber), "404 unsealed 0 bytes"},
		{fopAt(g4), ofShop("a", but(captureNumber, "captureRequestId", "s")), "200 SUCCESS"},
		{fopAt("fraudNotification"), ofShop("b", but(defrauded, "captureRequestId", "s")), "503 unsealed 0 bytes"},
		{fopAt("fraudNotification"), ofShop("b", but(defrauded, "captureRequestId", "s")), "200 SUCCESS"},
	} {
		if got := s.tell(c.path, c.message); got != c.want {
			t.Errorf("%s: got %q, want %q", c.path, got, c.want)
		}
	}
}

// in makes the won of a test other money.
func in(currency string, members map[string]string) map[string]string {
	members = maps.Clone(members)
	for name, value := range members {
		members[name] = strings.ReplaceAll(value, "KRW", currency)
	}
	return members
}

// One account settles in each of its currencies, and no payment in another than its own (Card FOP §5.11).
func TestSettlementsInCurrencies(t *testing.T) {
	s := sold(t, "")
	for _, m := range []struct {
		method, id string
		members    map[string]string
	}{
		{"chargebackNotification", "b", but(chargedBack, "captureRequestId", "s", "amount", "10000")},
		{"chargebackReversedNotification", "w", but(won, "amount", "10000")},
	} {
		if got := s.tell(fopAt(m.method), ofShop(m.id, m.members)); got != "200 SUCCESS" {
			t.Fatal(got)
		}
	}
	one := func(list, event, micros string) map[string]string {
		return but(statementOf("x", 0, 1, micros), list+"s", `[`+event+`]`)
	}
	sale := func(id, charge string) string {
		return `{"captureRequestId":"` + id + `","paymentIntegratorCaptureId":"own",` + money(charge, "0", "0") + `}`
	}
	seen := func(currency, event string) string { // by the holder
		return `{` + strings.Replace(presented, "KRW", currency, 1) + `,` + event[1:]
	}
	reversal := `{"paymentIntegratorChargebackReversedNotificationRequestId":"w",` + money("10000", "0", "0") + `}`
	hold := `{"fundsReservationRequestId":"r","eventFee":` + inWon("-10000") + `,` + presented + `}`
	const differs = "preconditionViolation"
	for i, c := range []struct {
		why, id, currency string
		members           map[string]string
		want              string
	}{
		{"a sale in euros", "eur", "EUR", one("captureEvent", sale("s", "4990000"), "4990000"), yes},
		{"a sale in dinars", "bhd", "BHD", one("captureEvent", sale("b", "1234000"), "1234000"), yes},
		{"a sale in yen", "jpy", "JPY", one("captureEvent", sale("y", "500000000"), "500000000"), yes},
		{"a captured hold in dollars", "usd", "USD", one("captureEvent", sale("c", "10500000"), "10500000"), yes},
		{"a statement again, in another currency", "eur", "USD", statementOf("x", 0, 1, "4990000"), newerCode(differs)},
		{"a sale twice", "eur2", "EUR", one("captureEvent", sale("s", "4990000"), "4990000"), newerCode(differs)},
		{
			"a sale as a hold", "h", "EUR", one("fundsReservationEvent", strings.Replace(hold, `"r"`, `"s"`, 1), "-10000"),
			newerCode("invalidIdentifier"),
		},
		{"half a cent", "c", "EUR", one("captureEvent", sale("z", "5000"), "5000"), newerField("captureEvents[0].eventCharge")},
		{"half a thousandth", "c", "BHD", one("captureEvent", sale("z", "500"), "500"), newerField("captureEvents[0].eventCharge")},
		{"a hundredth of a yen", "c", "JPY", one("captureEvent", sale("z", "10000"), "10000"), newerField("captureEvents[0].eventCharge")},
		{
			"euros among dollars", "m", "USD", but(one("captureEvent", sale("z", "10000"), "0"), "refundEvents",
				`[`+strings.ReplaceAll(refundEvent("z", "-10000"), "KRW", "EUR")+`]`), newerField("refundEvents[0].eventFee.currencyCode"),
		},
		{"a declined sale's euros as dollars", "d", "USD", one("captureEvent", sale("d", "10000"), "10000"), newerCode(differs)},
		{"a refund of a sale as dollars", "f", "USD", one("refundEvent", refundEvent("f", "-10000"), "-10000"), newerCode(differs)},
		{"a refund of a captured hold as euros", "g", "EUR", one("refundEvent", refundEvent("g", "-10000"), "-10000"), newerCode(differs)},
		{
			"a reversed refund as dollars", "rr", "USD",
			one("reverseRefundEvent", `{"asynchronousRefundRequestId":"f",`+money("10000", "0", "0")+`}`, "10000"), newerCode(differs),
		},
		{
			"a chargeback as dollars", "b", "USD", one("chargebackEvent",
				`{"captureRequestId":"s","paymentIntegratorChargebackNotificationRequestId":"b",`+money("-10000", "0", "0")+`}`, "-10000"),
			newerCode(differs),
		},
		{"a won chargeback as dollars", "w", "USD", one("reverseChargebackEvent", reversal, "10000"), newerCode(differs)},
		{"a won chargeback", "w", "EUR", one("reverseChargebackEvent", reversal, "10000"), yes},
		{"a hold as euros", "r", "EUR", one("fundsReservationEvent", hold, "-10000"), newerCode(differs)},
		{"a hold", "r", "USD", one("fundsReservationEvent", hold, "-10000"), yes},
		{"dollars to the holder", "p", "EUR", one("captureEvent", seen("USD", sale("e", "10000")), "10000"), yes},
		{"yen to the holder", "q", "EUR", one("refundEvent", seen("JPY", refundEvent("g", "-10000")), "-10000"), newerCode(differs)},
	} {
		members := in(c.currency, but(c.members, "settlementId", c.id))
		if got := s.tell(fopAt("settlementNotification"), newerOf(shop, "n"+strconv.Itoa(i), members)); got != c.want {
			t.Errorf("%s: got %s, want %s", c.why, got, c.want)
		}
	}
	name, plain := fileOf("file", "1490000", "refundEvent:"+refundEvent("f", "-1500000"), adjustment("2990000"))
	plain = strings.NewReplacer("KRW", "EUR", piaid, shop).Replace(plain)
	s.google.takeFile(s.sealedFile(strings.Replace(name, piaid, shop, 1), plain))
	s.google.takeFile(s.sealedFile(strings.Replace(name, piaid, shop, 1), strings.ReplaceAll(plain, "EUR", "JPY")))
	var files []string
	for _, f := range s.google.Files() {
		files = append(files, fmt.Sprint(f.Account, " ", f.Currency, " ", f.Amount, " ", f.Problems))
	}
	if want := []string{
		"Test_FOP EUR 1490000 []",
		"Test_FOP JPY 1490000 [line 3: refundEvent.eventCharge has a value that is not supported " +
			"this settlement is complete, with another content]",
	}; !slices.Equal(files, want) {
		t.Errorf("the files are\n%q, want\n%q", files, want)
	}
	var settled []string
	for _, one := range s.google.Settlements() {
		if one.Complete {
			settled = append(settled, fmt.Sprint(one.ID, " ", one.Currency, " ", one.AmountMicros))
		}
	}
	if want := []string{
		"eur EUR 4990000", "bhd BHD 1234000", "jpy JPY 500000000", "usd USD 10500000", "w EUR 10000", "r USD -10000", "p EUR 10000",
		"file EUR 1490000",
	}; !slices.Equal(settled, want) {
		t.Errorf("settled is\n%q, want\n%q", settled, want)
	}
}

// A request without an id stands for nothing: what is without a payment is not taken for it.
func TestNoID(t *testing.T) {
	s := meet(t, "", reply(`{"result":"SUCCESS"}`))
	body := jsontext.Value(`{"requestHeader":{"requestId":null},"amount":"1000000","currencyCode":"EUR"}`)
	if _, err := s.google.Send(t.Context(), Order{Method: "reserveFunds", Body: body}); err != nil {
		t.Fatal(err)
	}
	part := but(statementOf("a", 0, 1, "12616000000"), "captureEvents", `[`+captureEvent("c", "12900000000")+`]`)
	if got := s.tell(at("settlementNotification"), newer("n", part)); got != yes {
		t.Errorf("got %s", got)
	}
}
