package google

import (
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

const regular = "/google-korea-cards-api/v1/"

// at is where a method of ours is for the first account.
func at(method string) string { return regular + method + "/" + piaid }

// says makes members of pairs of names and texts; a value that begins with { or [ stays as it is, and "-" leaves the member out.
func says(pairs ...string) map[string]string {
	all := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		if all[pairs[i]] = pairs[i+1]; !strings.ContainsAny(pairs[i+1][:1], "{[-") {
			all[pairs[i]] = strconv.Quote(pairs[i+1])
		}
	}
	return all
}

// but is a copy with other members.
func but(members map[string]string, pairs ...string) map[string]string {
	members = maps.Clone(members)
	maps.Copy(members, says(pairs...))
	return members
}

// asks makes Google send a request, which the integrator of the test answers.
func (s *side) asks(method, id, members string) {
	s.t.Helper()
	body := jsontext.Value(`{"requestHeader":{"requestId":` + strconv.Quote(id) + `}` + members + `}`)
	if answers, err := s.google.Send(s.t.Context(), Order{Method: method, Body: body}); err != nil || answers[0].Status == 0 {
		s.t.Fatalf("%s %s: %+v %v", method, id, answers, err)
	}
}

const scheme = `{"scope":"VISA","rawCode":"13.1"}`

// A complete message of each method.
var (
	refundTold = says("refundRequestId", "f", "refundResult", "SUCCESS")
	refundBack = says("refundRequestId", "f", "amount", "4000000000", "rawResult", scheme)
	inquired   = says("captureRequestId", "c", "amount", "8900000000", "reasonCode", "FRAUD", "rawResult", scheme,
		"inquiryDate", "1774828800000", "replyByDate", "1775779200000", "caseId", "INQ-1")
	chargedBack = says("captureRequestId", "c", "amount", "8900000000", "chargebackStage", "FIRST", "reasonCode", "NOT_DELIVERED",
		"rawResult", scheme, "chargebackDate", "1774915200000", "replyByDate", "1776988800000", "caseId", "CB-1")
	won = says("chargebackRequestId", "b", "amount", "8900000000", "rawResult", `{"rawCode":"WON"}`,
		"chargebackReversalDate", "1779148800000")
	defrauded     = says("captureRequestId", "c", "fraudType", "FRAUDULENT_USE", "rawResult", scheme)
	captureNumber = says("captureRequestId", "c", "acquirerReferenceNumber", "74410996062000731000017")
	refundNumber  = says("refundRequestId", "f", "acquirerReferenceNumber", "74410996073000088000029")
)

// Every member of every method: it must be there or may be absent, and what it cannot be (Korea §5).
func TestMembers(t *testing.T) {
	s := meet(t, "", reply(`{}`))
	if got := s.tell(at("chargebackNotification"), notice("b", chargedBack)); got != "200 SUCCESS" {
		t.Fatal(got)
	}
	amounts := []string{"0", "-4000000000", "1.5", "x", "1500000", "+4000000000", "{}", "99999999999999999999"}
	moments := []string{"0", "-1", "soon", "{}"}
	raws := []string{"[]", `{"rawCode":7}`}
	noReasons := []string{"UNKNOWN_REASON", "fraud", "NO_REASON"}
	n := 0
	for _, c := range []struct {
		method string
		whole  map[string]string
		must   string
		bad    map[string][]string
	}{
		{
			"captureFundsReservationResultNotification", captured("m1", "SUCCESS"), "captureFundsReservationRequestId captureFundsReservationResult",
			map[string][]string{"captureFundsReservationResult": {"FAILED", "success"}, "rawResult": raws},
		},
		{
			"cancelFundsReservationResultNotification", cancelled("m2", "SUCCESS"), "cancelFundsReservationRequestId cancelFundsReservationResult",
			map[string][]string{"cancelFundsReservationResult": {"RESERVATION_EXPIRED"}, "rawResult": raws},
		},
		{
			"refundResultNotification", refundTold, "refundRequestId refundResult",
			map[string][]string{"refundResult": {"FAILED", "RESERVATION_EXPIRED"}, "rawResult": raws},
		},
		{
			"reverseRefundNotification", refundBack, "refundRequestId amount rawResult",
			map[string][]string{"amount": amounts, "rawResult": raws},
		},
		{
			"inquiryNotification", inquired, "captureRequestId amount reasonCode rawResult inquiryDate replyByDate",
			map[string][]string{"amount": amounts, "reasonCode": noReasons, "rawResult": raws, "inquiryDate": moments, "replyByDate": moments},
		},
		{
			"chargebackNotification", chargedBack, "captureRequestId amount chargebackStage reasonCode rawResult chargebackDate replyByDate",
			map[string][]string{
				"amount": amounts, "chargebackStage": {"THIRD", "first"}, "reasonCode": noReasons, "rawResult": raws,
				"chargebackDate": moments, "replyByDate": moments,
			},
		},
		{
			"chargebackReversedNotification", won, "chargebackRequestId amount rawResult chargebackReversalDate",
			map[string][]string{"amount": amounts, "rawResult": raws, "chargebackReversalDate": moments},
		},
		{"fraudNotification", defrauded, "captureRequestId fraudType rawResult", map[string][]string{"rawResult": raws}},
		{"setAcquirerReferenceNumberForCaptureNotification", captureNumber, "captureRequestId acquirerReferenceNumber", nil},
		{"setAcquirerReferenceNumberForRefundNotification", refundNumber, "refundRequestId acquirerReferenceNumber", nil},
	} {
		tell := func(members map[string]string) string {
			n++
			return s.tell(at(c.method), notice("m-"+strconv.Itoa(n), members))
		}
		for _, member := range strings.Fields(c.must) {
			nothing := []string{"-", "null", `""`}
			if member == "rawResult" || member == "amount" || strings.HasSuffix(member, "Date") {
				nothing = nothing[:2] // an empty text is no amount, which is another matter
			}
			for _, absent := range nothing {
				members := maps.Clone(c.whole)
				members[member] = absent
				if got := tell(members); got != "400 MISSING_REQUIRED_FIELD" {
					t.Errorf("%s with %s for %s: %s", c.method, absent, member, got)
				}
			}
		}
		for member, values := range c.bad {
			for _, value := range values {
				if got := tell(but(c.whole, member, value)); got != "400 INVALID_FIELD_VALUE" {
					t.Errorf("%s with %s %s: %s", c.method, member, value, got)
				}
			}
		}
		if _, there := c.bad["rawResult"]; there {
			if got := tell(but(c.whole, "rawResult", `{"scope":"VISA"}`)); got != "400 MISSING_REQUIRED_FIELD" {
				t.Errorf("%s without rawCode: %s", c.method, got)
			}
		}
		for _, member := range slices.Sorted(maps.Keys(c.whole)) { // a number is as good as its text, and what may be absent may be absent
			members := c.whole
			if !strings.Contains(c.must, member) {
				members = but(c.whole, member, "-")
			} else if member == "amount" || strings.HasSuffix(member, "Date") {
				members = maps.Clone(c.whole)
				members[member] = strings.Trim(members[member], `"`)
			}
			want := "200 SUCCESS"
			if c.method == "chargebackReversedNotification" && member != "amount" { // the first, which came before
				want = "400 PRECONDITION_VIOLATION"
			}
			if got := tell(members); got != want {
				t.Errorf("%s, %s in another form or absent: %s, want %s", c.method, member, got, want)
			}
		}
	}
}

// Every word of a closed list is taken, and nothing else is (Korea §5.3, §5.6, §5.13).
func TestWords(t *testing.T) {
	s := meet(t, "", reply(`{}`))
	for _, c := range []struct {
		method, member, words string
		whole                 map[string]string
	}{
		{
			"refundResultNotification", "refundResult", "SUCCESS NO_MONEY_LEFT_ON_TRANSACTION REFUND_WINDOW_EXCEEDED NOT_SUPPORTED_BY_NETWORK " +
				"ISSUER_DECLINED CARD_LOST_OR_STOLEN CARD_CANCELLED CHARGEBACK_IN_PLACE", refundTold,
		},
		{
			"inquiryNotification", "reasonCode", "FRAUD FAMILIAR_FRAUD SUSPICIOUS CHARGE_NOT_RECOGNIZED CREDIT_NOT_PROCESSED DUPLICATE_PAYMENT " +
				"SUBSCRIPTION_CANCELED INPUT_ERROR INSUFFICIENT_FUNDS NOT_DELIVERED DEFECTIVE_OR_NOT_AS_DESCRIBED INCORRECT_MERCHANDISE " +
				"UNWANTED_MERCHANDISE UNCLEAR OTHER TRANSACTION_AMOUNT_DIFFER PAID_BY_OTHER_MEANS LATE_PRESENTMENT", inquired,
		},
		{"chargebackNotification", "chargebackStage", "FIRST SECOND", chargedBack},
		{"fraudNotification", "fraudType", "FRAUDULENT_USE COUNTERFEIT SOMETHING_NEW", defrauded},
	} {
		for i, word := range strings.Fields(c.words) {
			members := but(c.whole, c.member, word)
			if c.method == "refundResultNotification" {
				members = but(members, "refundRequestId", "w"+strconv.Itoa(i))
			}
			if got := s.tell(at(c.method), notice(c.member+word, members)); got != "200 SUCCESS" {
				t.Errorf("%s %s: %s", c.method, word, got)
			}
		}
	}
}

// paid is a Google with requests of every kind. Captures: c done, d lapsed, e without a verdict. Refunds of c: f done, g refused, h without
// a verdict. r is a reservation.
func paid(t *testing.T, file string) *side {
	s := meet(t, file, reply(`{"result":"ACKNOWLEDGED"}`))
	s.asks("reserveFunds", "r", `,"amount":"12900000000","currencyCode":"KRW"`)
	for _, c := range []string{"c", "d", "e"} {
		s.asks("asynchronousCaptureFundsReservation", c, `,"reservationRequestId":"r","amount":"12900000000"`)
	}
	for _, f := range []string{"f", "g", "h"} {
		s.asks("asynchronousRefund", f, `,"captureRequestId":"c","refundAmount":"4000000000"`)
	}
	for id, members := range map[string]map[string]string{
		"v1": captured("c", "SUCCESS"), "v2": captured("d", "RESERVATION_EXPIRED"),
	} {
		if got := s.tell(g1, notice(id, members)); got != "200 SUCCESS" {
			t.Fatal(got)
		}
	}
	for id, members := range map[string]map[string]string{
		"v3": but(refundTold, "paymentIntegratorRefundId", "own-f"),
		"v4": but(refundTold, "refundRequestId", "g", "refundResult", "ISSUER_DECLINED"),
	} {
		if got := s.tell(at("refundResultNotification"), notice(id, members)); got != "200 SUCCESS" {
			t.Fatal(got)
		}
	}
	return s
}

// What follows from what Google knows (Korea §9.2 to §9.5), one message after the other.
func TestStates(t *testing.T) {
	const (
		g3, g4, g5, g6, g7 = "refundResultNotification", "reverseRefundNotification", "inquiryNotification", "chargebackNotification",
			"chargebackReversedNotification"
		g8, g10, g11 = "fraudNotification", "setAcquirerReferenceNumberForCaptureNotification", "setAcquirerReferenceNumberForRefundNotification"
		ok, refused  = "200 SUCCESS", "400 PRECONDITION_VIOLATION"
		nobody, used = "404 INVALID_IDENTIFIER", "412 IDEMPOTENCY_VIOLATION"
	)
	s := paid(t, "")
	for i, c := range []struct {
		why, method, id string
		members         map[string]string
		want            string
	}{
		{"a verdict again, under another id", g3, "", refundTold, ok},
		{"another verdict", g3, "", but(refundTold, "refundResult", "CARD_CANCELLED"), refused},
		{"its id with another verdict", g3, "v3", but(refundTold, "refundResult", "CARD_CANCELLED"), used},
		{"a refund's verdict on a capture", g3, "", but(refundTold, "refundRequestId", "c"), nobody},
		{"a verdict on somebody's refund", g3, "", but(refundTold, "refundRequestId", "z"), ok},
		{"another on the same", g3, "", but(refundTold, "refundRequestId", "z", "refundResult", "ISSUER_DECLINED"), refused},

		{"more comes back than was refunded", g4, "", but(refundBack, "amount", "4001000000"), refused},
		{"part of it comes back", g4, "back1", but(refundBack, "amount", "3000000000"), ok},
		{"again", g4, "back1", but(refundBack, "amount", "3000000000"), ok},
		{"again with another amount", g4, "back1", but(refundBack, "amount", "2000000000"), used},
		{"more than is left", g4, "", but(refundBack, "amount", "2000000000"), refused},
		{"what is left", g4, "back2", but(refundBack, "amount", "1000000000"), ok},
		{"one won more", g4, "", but(refundBack, "amount", "1000000"), refused},
		{"a refund that was refused comes back", g4, "", but(refundBack, "refundRequestId", "g"), refused},
		{"a refund that is not done comes back", g4, "", but(refundBack, "refundRequestId", "h"), refused},
		{"a capture comes back", g4, "", but(refundBack, "refundRequestId", "c"), nobody},
		{"somebody's refund comes back", g4, "", but(refundBack, "refundRequestId", "z", "amount", "99000000000"), ok},
		{"one that Google never heard of", g4, "", but(refundBack, "refundRequestId", "y"), ok},

		{"an inquiry", g5, "i1", inquired, ok},
		{"about a lapsed capture", g5, "", but(inquired, "captureRequestId", "d"), refused},
		{"about one that is not done", g5, "", but(inquired, "captureRequestId", "e"), refused},
		{"about a reservation", g5, "", but(inquired, "captureRequestId", "r"), nobody},
		{"about a refund", g5, "", but(inquired, "captureRequestId", "f"), nobody},
		{"about somebody's capture", g5, "", but(inquired, "captureRequestId", "z"), ok},

		{"a chargeback", g6, "b", chargedBack, ok},
		{"of a lapsed capture", g6, "", but(chargedBack, "captureRequestId", "d"), refused},
		{"of one that is not done", g6, "", but(chargedBack, "captureRequestId", "e"), refused},
		{"of a reservation", g6, "", but(chargedBack, "captureRequestId", "r"), nobody},
		{"of somebody's capture", g6, "", but(chargedBack, "captureRequestId", "z"), ok},
		{"a second stage though the first stands", g6, "b2", but(chargedBack, "chargebackStage", "SECOND"), ok},
		{"its id with another amount", g6, "b", but(chargedBack, "amount", "1000000"), used},

		{"a chargeback that was never told is won", g7, "", but(won, "chargebackRequestId", "nothing"), nobody},
		{"an inquiry is won", g7, "", but(won, "chargebackRequestId", "i1"), nobody},
		{"a capture is won", g7, "", but(won, "chargebackRequestId", "c"), nobody},
		{"more is won than was lost", g7, "", but(won, "amount", "8901000000"), refused},
		{"it is won", g7, "w1", won, ok},
		{"again, the same message", g7, "w1", won, ok},
		{"again, another message", g7, "", won, refused},
		{"the second stage is won in part", g7, "w2", but(won, "chargebackRequestId", "b2", "amount", "1000000"), ok},

		{"a fraud", g8, "", defrauded, ok},
		{"of a lapsed capture", g8, "", but(defrauded, "captureRequestId", "d"), refused},
		{"of a refund", g8, "", but(defrauded, "captureRequestId", "f"), nobody},
		{"of somebody's capture", g8, "", but(defrauded, "captureRequestId", "z"), ok},

		{"a number of a capture that is not done", g10, "", but(captureNumber, "captureRequestId", "e"), refused},
		{"of a lapsed one", g10, "", but(captureNumber, "captureRequestId", "d"), refused},
		{"of a refund", g10, "", but(captureNumber, "captureRequestId", "f"), nobody},
		{"a number", g10, "", captureNumber, ok},
		{"the same", g10, "", captureNumber, ok},
		{"the same, in the words of the text", g10, "", but(captureNumber, "captureRequestId", "-", "captureFundsReservationRequestId", "c"), ok},
		{"two captures", g10, "", but(captureNumber, "captureFundsReservationRequestId", "d"), "400 INVALID_FIELD_VALUE"},
		{"another number", g10, "", but(captureNumber, "acquirerReferenceNumber", "1"), refused},
		{
			"another number, in the words of the text", g10, "",
			says("captureFundsReservationRequestId", "c", "acquirerReferenceNumber", "1"), refused,
		},
		{"a number of somebody's capture", g10, "", but(captureNumber, "captureRequestId", "z"), ok},
		{"another number of it", g10, "", but(captureNumber, "captureRequestId", "z", "acquirerReferenceNumber", "1"), refused},

		{"a number of a refund that is not done", g11, "", but(refundNumber, "refundRequestId", "h"), refused},
		{"of one that was refused", g11, "", but(refundNumber, "refundRequestId", "g"), refused},
		{"of a capture", g11, "", but(refundNumber, "refundRequestId", "c"), nobody},
		{"a refund's number", g11, "", refundNumber, ok},
		{"the same", g11, "", refundNumber, ok},
		{"another", g11, "", but(refundNumber, "acquirerReferenceNumber", "1"), refused},

		{"somebody's capture lapses", "captureFundsReservationResultNotification", "", captured("q", "RESERVATION_EXPIRED"), ok},
		{"and is contested", g5, "", but(inquired, "captureRequestId", "q"), refused},
		{"and gets a number", g10, "", but(captureNumber, "captureRequestId", "q"), refused},
	} {
		id := c.id
		if id == "" {
			id = "n" + strconv.Itoa(i)
		}
		if got := s.tell(at(c.method), notice(id, c.members)); got != c.want {
			t.Errorf("%s: got %q, want %q", c.why, got, c.want)
		}
	}

	refunded := s.google.Refunds()
	want := []Refund{
		{piaid, "f", "c", 4_000_000_000, 200, "SUCCESS", "own-f", 4_000_000_000, "74410996073000088000029"},
		{piaid, "g", "c", 4_000_000_000, 200, "ISSUER_DECLINED", "", 0, ""},
		{piaid, "h", "c", 4_000_000_000, 200, "", "", 0, ""},
		{piaid, "z", "", 0, 0, "SUCCESS", "", 99_000_000_000, ""},
		{piaid, "y", "", 0, 0, "", "", 4_000_000_000, ""},
	}
	if !reflect.DeepEqual(refunded, want) {
		t.Errorf("the refunds are\n%+v, want\n%+v", refunded, want)
	}
	var told []string
	for _, d := range s.google.Disputes() {
		told = append(told, fmt.Sprintf("%s %s %s %d %s%s %s", d.Method, d.RequestID, d.Capture, d.AmountMicros, d.Stage, d.Reason, d.Chargeback))
	}
	if got, want := strings.Join(told, "\n"), strings.TrimSpace(`
inquiryNotification i1 c 8900000000 FRAUD 
inquiryNotification n23 z 8900000000 FRAUD 
chargebackNotification b c 8900000000 FIRSTNOT_DELIVERED 
chargebackNotification n28 z 8900000000 FIRSTNOT_DELIVERED 
chargebackNotification b2 c 8900000000 SECONDNOT_DELIVERED 
chargebackReversedNotification w1 c 8900000000  b
chargebackReversedNotification w2 c 1000000  b2
fraudNotification n39 c 0 FRAUDULENT_USE 
fraudNotification n42 z 0 FRAUDULENT_USE `)+" "; got != want {
		t.Errorf("told:\n%s\nwant\n%s", got, want)
	}
	first := s.google.Disputes()[0]
	first.At = time.Time{}
	if first != (Dispute{
		Method: g5, Account: piaid, RequestID: "i1", Capture: "c", AmountMicros: 8_900_000_000, Reason: "FRAUD", Scope: "VISA", RawCode: "13.1",
		Case: "INQ-1", Date: time.UnixMilli(1774828800000).UTC(), ReplyBy: time.UnixMilli(1775779200000).UTC(),
	}) {
		t.Errorf("the inquiry is %+v", first)
	}
	var numbers []string
	for _, a := range s.google.ARNs() {
		numbers = append(numbers, a.Method[len("setAcquirerReferenceNumberFor"):]+" "+a.Account+" "+a.Subject+" "+a.Number)
	}
	if !slices.Equal(numbers, []string{
		"CaptureNotification Test_KRW c 74410996062000731000017", "CaptureNotification Test_KRW z 74410996062000731000017",
		"RefundNotification Test_KRW f 74410996073000088000029",
	}) {
		t.Errorf("the numbers are %v", numbers)
	}
}

// A request id stands for its first use until another use of it got a 200.
func TestWhatAnIDStandsFor(t *testing.T) {
	status := 400
	s := meet(t, "", func(w http.ResponseWriter, r *http.Request) {
		answering(status, "integrator", `{"result":"ACKNOWLEDGED"}`, 0)(w, r)
	})
	s.asks("asynchronousRefund", "f", `,"captureRequestId":"c","refundAmount":"1000000"`)
	status = 200
	s.asks("asynchronousRefund", "f", `,"captureRequestId":"c","refundAmount":"9000000"`)
	status = 412
	s.asks("asynchronousRefund", "f", `,"captureRequestId":"c","refundAmount":"5000000"`)
	s.asks("asynchronousCaptureFundsReservation", "f", `,"reservationRequestId":"r","amount":"1000000"`)
	for i, c := range []struct {
		method  string
		members map[string]string
		want    string
	}{
		{"captureFundsReservationResultNotification", captured("f", "SUCCESS"), "404 INVALID_IDENTIFIER"},
		{"refundResultNotification", refundTold, "200 SUCCESS"},
		{"reverseRefundNotification", but(refundBack, "amount", "10000000"), "400 PRECONDITION_VIOLATION"},
		{"reverseRefundNotification", but(refundBack, "amount", "9000000"), "200 SUCCESS"},
	} {
		if got := s.tell(at(c.method), notice("n"+strconv.Itoa(i), c.members)); got != c.want {
			t.Errorf("%s: %s, want %s", c.method, got, c.want)
		}
	}
	want := []Refund{{
		Account: piaid, RequestID: "f", Capture: "c", AmountMicros: 9_000_000, Status: 200, Result: "SUCCESS", ReversedMicros: 9_000_000,
	}}
	if got := s.google.Refunds(); !reflect.DeepEqual(got, want) {
		t.Errorf("the refunds are %+v, want %+v", got, want)
	}
}

// What a method of Google's looks like that is not offered, until the rule goes (Korea §1.3).
func TestNotOffered(t *testing.T) {
	s := paid(t, "")
	const g10, g11 = "setAcquirerReferenceNumberForCaptureNotification", "setAcquirerReferenceNumberForRefundNotification"
	s.control("POST", "/faults", `[{"method":"`+g10+`","action":"not-offered"},{"method":"`+g11+`","action":"404-empty"}]`, 200)
	for range 3 {
		if got := s.tell(at(g10), notice("a", captureNumber)); got != "404 unsealed 0 bytes" {
			t.Errorf("G10: %s", got)
		}
		if got := s.tell(at(g11), notice("b", refundNumber)); got != "404 unsealed 0 bytes" {
			t.Errorf("G11: %s", got)
		}
		if got := s.tell(at("fraudNotification"), notice("c", defrauded)); got != "200 SUCCESS" {
			t.Errorf("G8: %s", got)
		}
	}
	s.control("DELETE", "/faults", "", 200)
	if got := s.tell(at(g10), notice("a", captureNumber)); got != "200 SUCCESS" {
		t.Errorf("without the rule: %s", got)
	}
}

// Every fault works on every method: the message is judged where it says so, and the repeat is answered as if nothing had happened.
func TestFaultsOfEveryMethod(t *testing.T) {
	s := paid(t, "")
	if got := s.tell(at("chargebackNotification"), notice("b", chargedBack)); got != "200 SUCCESS" {
		t.Fatal(got)
	}
	whole := map[string]map[string]string{
		"captureFundsReservationResultNotification": captured("c", "SUCCESS"),
		"cancelFundsReservationResultNotification":  cancelled("x", "SUCCESS"),
		"refundResultNotification":                  refundTold, "reverseRefundNotification": refundBack, "inquiryNotification": inquired,
		"chargebackNotification": chargedBack, "chargebackReversedNotification": won, "fraudNotification": defrauded,
		"settlementNotification": statementOf("s", 0, 1, "0"), "setAcquirerReferenceNumberForCaptureNotification": captureNumber,
		"setAcquirerReferenceNumberForRefundNotification": refundNumber,
	}
	for _, n := range apis[koreaCards].hosts {
		if whole[n.name] == nil && n != echo {
			t.Errorf("%s has no row", n.name)
		}
	}
	for method, members := range whole {
		say := func() string {
			if method == "settlementNotification" {
				return s.tell(at(method), newer("n"+method, members))
			}
			return s.tell(at(method), notice("n"+method, members))
		}
		for action, sees := range map[string]string{
			"drop": "0 ", "500": "500 ", "404-empty": "404 unsealed 0", "generic-text": "404 unsealed 43", "invalid-identifier": "404 ",
			"drop-answer": "0 ", "bad-signature": "200 unsealed", "garbage": "200 unsealed 400",
		} {
			s.control("POST", "/faults", fmt.Sprintf(`[{"method":%q,"action":%q,"times":1}]`, method, action), 200)
			if got := say(); !strings.HasPrefix(got, sees) {
				t.Errorf("%s, %s: %s, want %s", method, action, got, sees)
			}
		}
		if got := say(); !strings.HasPrefix(got, "200 ") {
			t.Errorf("%s in the end: %s", method, got)
		}
	}
	if got := len(s.google.Disputes()); got != 1+4 {
		t.Errorf("%d disputes are recorded: something counted twice", got)
	}
}

// Everything that Google was told is known after a restart, and its rules hold on.
func TestAllSurvives(t *testing.T) {
	file := filepath.Join(t.TempDir(), "google.jsonl")
	first := paid(t, file)
	for i, m := range []struct {
		method  string
		members map[string]string
	}{
		{"reverseRefundNotification", but(refundBack, "amount", "3000000000")},
		{"inquiryNotification", inquired},
		{"chargebackNotification", chargedBack},
		{"chargebackReversedNotification", but(won, "chargebackRequestId", "n2")},
		{"fraudNotification", defrauded},
		{"setAcquirerReferenceNumberForCaptureNotification", captureNumber},
		{"setAcquirerReferenceNumberForRefundNotification", refundNumber},
	} {
		if got := first.tell(at(m.method), notice("n"+strconv.Itoa(i), m.members)); got != "200 SUCCESS" {
			t.Fatalf("%s: %s", m.method, got)
		}
	}
	events := `[` + captureEvent("c", "12900000000") + `]`
	part := but(statementOf("s", 0, 2, "12616000000"), "captureEvents", events)
	if got := first.tell(at("settlementNotification"), newer("s0", part)); got != yes {
		t.Fatal(got)
	}
	name, content := first.sealedFile(fileOf("t", "-1000000", adjustment("-1000000")))
	first.google.takeFile(name, content)
	first.google.takeFile("rubbish", []byte("rubbish"))
	must(t, first.google.Close())

	second := meet(t, file, reply(`{}`))
	for what, both := range map[string][2]any{
		"refunds":     {first.google.Refunds(), second.google.Refunds()},
		"disputes":    {first.google.Disputes(), second.google.Disputes()},
		"numbers":     {first.google.ARNs(), second.google.ARNs()},
		"settlements": {first.google.Settlements(), second.google.Settlements()},
		"files":       {first.google.Files(), second.google.Files()},
	} {
		if !reflect.DeepEqual(both[0], both[1]) || reflect.ValueOf(both[0]).Len() == 0 {
			t.Errorf("the %s were\n%+v, are\n%+v", what, both[0], both[1])
		}
	}
	for i, m := range []struct {
		method  string
		members map[string]string
	}{
		{"refundResultNotification", but(refundTold, "refundResult", "ISSUER_DECLINED")},
		{"reverseRefundNotification", but(refundBack, "amount", "2000000000")},
		{"inquiryNotification", but(inquired, "captureRequestId", "d")},
		{"chargebackReversedNotification", but(won, "chargebackRequestId", "n2")},
		{"setAcquirerReferenceNumberForCaptureNotification", but(captureNumber, "acquirerReferenceNumber", "1")},
		{"setAcquirerReferenceNumberForRefundNotification", but(refundNumber, "acquirerReferenceNumber", "1")},
	} {
		if got := second.tell(at(m.method), notice("m"+strconv.Itoa(i), m.members)); got != "400 PRECONDITION_VIOLATION" {
			t.Errorf("%s: %s", m.method, got)
		}
	}
	for i, c := range []struct {
		members map[string]string
		want    string
	}{
		{but(statementOf("s", 0, 2, "12616000000"), "captureEvents", `[`+captureEvent("x", "1000000")+`]`), newerCode("idempotencyViolation")},
		{but(statementOf("s", 1, 2, "12616000000"), "captureEvents", events), newerCode("preconditionViolation")},
		{statementOf("s", 1, 2, "12616000000"), yes},
	} {
		if got := second.tell(at("settlementNotification"), newer("s"+strconv.Itoa(i+1), c.members)); got != c.want {
			t.Errorf("part %d: %s, want %s", i, got, c.want)
		}
	}
}
