package e2e

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestEveryNotificationOfCardFOP: each of G1 to G12 arrives at the path of Card FOP v1 §1.3, under the account's id, with the members of §5
// and no others, whether the money was taken in one message or in two.
func TestEveryNotificationOfCardFOP(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{api: fop, authorise: "4s", files: true, fop: "[account.settle]\nby = \"notification\""})
	visa := edits{pan: leakPAN} // whose reasons have names
	dual := w.sold("dual", 55_001, visa)
	w.want(sell, "sale", visa.and(edits{"amount": sum(55_002)}), 200, "SUCCESS")
	sale := w.reference("sale")
	w.want(reserve, "held", edits{"amount": sum(55_003)}, 200, "SUCCESS")
	w.want(cancel, "cancel", edits{of: "held"}, 200, "ACKNOWLEDGED")
	w.verdict("cancel", "SUCCESS")
	for _, id := range []string{"sale", "dual-capture"} {
		w.want(refund, id+"-refund", edits{paid: id, back: sum(15_001)}, 200, "ACKNOWLEDGED")
		w.verdict(id+"-refund", "SUCCESS")
	}
	for _, rrn := range []string{dual, sale} {
		w.quarrel("inquiry", rrn, "")
		w.quarrel("fraud", rrn, `, "code": "6"`)
		w.quarrel("chargeback", rrn, `, "amount": 10000, "reason": "13.1"`)
		w.quarrel("chargeback-reversed", rrn, "")
	}
	w.deliver() // and with it the reference numbers
	w.bounce("sale-refund", 5_000)
	w.bounce("dual-capture-refund", 5_000)
	resp, err := http.Post("http://"+w.platform.AdminAddr+"/echo", "application/json", strings.NewReader(`{"id": "`+firstFOP+`"}`))
	w.check(err)
	if w.check(resp.Body.Close()); resp.StatusCode != http.StatusOK {
		t.Errorf("the echo: %s", resp.Status)
	}
	w.until("the day is settled", func() bool { w.clock.Advance(time.Hour); return len(w.received("settlementNotification")) > 0 })
	w.drain()

	const google, own = "/google-card-fop-api/v1/", "/v1/payment-integrator-card-fop-api/"
	visits := strings.Fields(string(w.visits.text()))
	for _, c := range []struct {
		g, path  string
		members  string
		optional string
		subjects map[string]string // what it is about, by the member that says so
	}{
		{
			"G1", own + "captureFundsReservationResultNotification", "captureFundsReservationRequestId captureFundsReservationResult", "rawResult",
			map[string]string{"captureFundsReservationRequestId": "dual-capture"},
		},
		{
			"G2", google + "cancelFundsReservationResultNotification", "cancelFundsReservationRequestId cancelFundsReservationResult", "rawResult",
			map[string]string{"cancelFundsReservationRequestId": "cancel"},
		},
		{
			"G3", google + "refundResultNotification", "refundRequestId refundResult", "paymentIntegratorRefundId rawResult",
			map[string]string{"refundRequestId": "dual-capture-refund sale-refund"},
		},
		{
			"G4", google + "setAcquirerReferenceNumberForCaptureNotification", "captureRequestId acquirerReferenceNumber", "",
			map[string]string{"captureRequestId": "dual-capture sale"},
		},
		{
			"G5", google + "setAcquirerReferenceNumberForRefundNotification", "refundRequestId acquirerReferenceNumber", "",
			map[string]string{"refundRequestId": "dual-capture-refund sale-refund"},
		},
		{
			"G6", google + "inquiryNotification", "captureRequestId amount reasonCode rawResult inquiryDate replyByDate", "caseId",
			map[string]string{"captureRequestId": "dual-capture sale"},
		},
		{
			"G7", google + "chargebackNotification",
			"captureRequestId amount chargebackStage reasonCode rawResult chargebackDate replyByDate", "caseId",
			map[string]string{
				"captureRequestId": "dual-capture sale", "amount": "100000000", "chargebackStage": "FIRST", "reasonCode": "NOT_DELIVERED",
			},
		},
		{
			"G8", google + "chargebackReversedNotification", "chargebackRequestId amount rawResult chargebackReversalDate", "",
			map[string]string{"amount": "100000000"},
		},
		{
			"G9", google + "fraudNotification", "captureRequestId fraudType rawResult", "",
			map[string]string{"captureRequestId": "dual-capture sale"},
		},
		{
			"G10", google + "reverseRefundNotification", "refundRequestId amount rawResult", "",
			map[string]string{"refundRequestId": "dual-capture-refund sale-refund", "amount": "50000000"},
		},
		{
			"G11", google + "settlementNotification", "generatedTimestamp settlementPeriod settlementAmount settlementId notificationOffset " +
				"notificationTotal captureEvents refundEvents reverseRefundEvents chargebackEvents reverseChargebackEvents",
			"fundsReservationEvents", nil,
		},
		{"G12", "/v1/echo", "clientMessage", "", nil},
	} {
		if !slices.Contains(visits, googlePath+c.path+"/"+firstFOP) {
			t.Errorf("%s: nothing came to %s: %v", c.g, c.path, visits)
		}
		found := map[string]map[string]bool{}
		bodies := w.received(c.path[strings.LastIndex(c.path, "/")+1:])
		for _, body := range bodies {
			header, _ := body["requestHeader"].(map[string]any)
			at := body
			if c.g == "G11" { // the other message generation
				at = header
			}
			if c.g != "G12" && at[account] != firstFOP {
				t.Errorf("%s is of account %v", c.g, at[account])
			}
			must, may := strings.Fields(c.members), append(strings.Fields(c.optional), "requestHeader", account)
			for _, name := range must {
				if _, there := body[name]; !there {
					t.Errorf("%s has no %s: %v", c.g, name, body)
				}
			}
			for name, value := range body {
				if !slices.Contains(must, name) && !slices.Contains(may, name) {
					t.Errorf("%s has %s, which is not printed", c.g, name)
				}
				if found[name] == nil {
					found[name] = map[string]bool{}
				}
				found[name][fmt.Sprint(value)] = true
			}
		}
		for member, want := range c.subjects {
			if got := strings.Join(slices.Sorted(maps.Keys(found[member])), " "); got != want {
				t.Errorf("%s: %s is %q, want %q", c.g, member, got, want)
			}
		}
	}
	for _, path := range visits { // nothing goes where Korea Cards has it
		if strings.Contains(path, "korea") {
			t.Errorf("Google was called at %s", path)
		}
	}
	seen := map[string]bool{} // what is settled of either way to pay
	for _, body := range w.received("settlementNotification") {
		for _, list := range []string{"captureEvents", "refundEvents"} {
			events, _ := body[list].([]any)
			for _, e := range events {
				event := e.(map[string]any)
				charge, _ := event["eventCharge"].(map[string]any)
				id := event["captureRequestId"]
				if id == nil {
					id = event["asynchronousRefundRequestId"]
				}
				seen[fmt.Sprint(id, " ", charge["amountMicros"], " ", charge["currencyCode"])] = true
			}
		}
	}
	for _, want := range []string{
		"dual-capture 550010000 EUR", "sale 550020000 EUR", "dual-capture-refund -150010000 EUR", "sale-refund -150010000 EUR",
	} {
		if !seen[want] {
			t.Errorf("%s is not settled: %v", want, seen)
		}
	}
}

// TestNoVerdictOnASale: the answer to a sale is its verdict, and nothing is told of it but what comes later (Card FOP §4.4, §6.2).
func TestNoVerdictOnASale(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{api: fop})
	w.want(sell, "quiet", edits{"amount": sum(55_101)}, 200, "SUCCESS")
	w.want(sell, "quiet-declined", edits{"amount": sum(55_102), pan: numbered("51")}, 200, "INSUFFICIENT_FUNDS")
	w.drain()
	w.clock.Advance(10 * time.Minute)
	w.drain()
	if got := string(w.visits.text()); got != "" {
		t.Errorf("Google was called at %s", got)
	}
}
