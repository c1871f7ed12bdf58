package koreacards

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"naru/core/fault"
	"naru/core/payment"
	"naru/protocol/gsp/cards"
	"naru/protocol/gsp/gsptest"
)

// serve puts the methods behind the real envelope and a real listener.
func serve(t *testing.T, e *gsptest.Engine) gsptest.Server {
	t.Helper()
	s, err := NewService(e, nil)
	if err != nil {
		t.Fatal(err)
	}
	e.In, e.Result.ReservationID, e.Result.HoldUntil = won, "r-1", time.UnixMilli(1773014401240)
	e.Result.Outcome = payment.Outcome{Verdict: payment.Approved, Code: "00"}
	own, other := korea.Account, korea.Account
	own.APIs, other.APIs = []string{Name}, []string{"card-fop-v1"}
	other.ID = "Other_KRW"
	return gsptest.Serve(t, korea.Now, gsptest.Accounts{own.ID: own, other.ID: other}, s.API())
}

const apiPath = "/v1/payment-integrator-korea-cards-api/"

func TestMethodsAtTheirPaths(t *testing.T) {
	v := &gsptest.Engine{}
	base := serve(t, v)
	const checked = `"cardNetworkResult":{"rawResult":{"scope":"Iso8583Code","rawCode":"00"}},` +
		`"addressVerificationResult":{"notSent":{"support":"UNSUPPORTED_BY_NETWORK"}},"cvnResult":"NOT_SENT_UNSUPPORTED_BY_NETWORK"}`
	approved := `"paymentIntegratorFundsReservationId":"r-1","cardNetworkResult":{"rawResult":{"scope":"Iso8583Code","rawCode":"00"}},` +
		`"addressVerificationResult":{"notSent":{"support":"UNSUPPORTED_BY_NETWORK"}},"cvnResult":"NOT_SENT_UNSUPPORTED_BY_NETWORK",` +
		`"cardMetadata":{"cardType":"INTEGRATOR_CANNOT_SPECIFY_CARD_TYPE"},"reservationExpirationTimestamp":"1773014401240",` +
		`"additionalTransactionProcessingResult":{"storedCredentialInformationNotSent":{}},"result":"SUCCESS"}`
	for _, row := range []struct{ path, example, account, asked, answer string }{
		{apiPath + "reserveFunds", "p1-request", "HanbitPG_KRW", "reserve 12900 KRW decided=false", approved},
		{
			apiPath + "asynchronousCaptureFundsReservation", "p2-request", "HanbitPG_KRW", "capture 12900 KRW of KR-RSV-a3f9-0001",
			`"result":"ACKNOWLEDGED"}`,
		},
		{apiPath + "asynchronousCancelFundsReservation", "p3-request", "HanbitPG_KRW", "cancel KR-RSV-91d2-0002", `"result":"ACKNOWLEDGED"}`},
		{apiPath + "asynchronousRefund", "p4-request", "HanbitPG_KRW", "refund 4000 KRW of KR-CAP-77b0-0001", `"result":"ACKNOWLEDGED"}`},
		{
			apiPath + "verifyCardWithMinimumReservation", "p5-request", "HanbitPG_KRW", "reserveVERIFY 0 KRW decided=false",
			checked[:len(checked)-1] + `,"cardMetadata":{"cardType":"INTEGRATOR_CANNOT_SPECIFY_CARD_TYPE"},"fundsTransferFlow":"NOT_SUPPORTED",` +
				`"reserveCaptureFlow":"SUPPORTED","additionalTransactionProcessingResult":{"storedCredentialInformationNotSent":{}},` +
				`"result":"SUCCESS"}`,
		},
		{
			"/v1/payment-integrator-dispute-api/defendChargeback", "p6-request", "HanbitPG_KRW",
			"defend KR-CAP-77b0-0001 with 16 bytes", `"result":"SUCCESS"}`,
		},
		{
			apiPath + "verifyCardWithZeroAmount", "p8-request", "HanbitPG_KRW", "reserveCHECK 0 KRW decided=false",
			checked[:len(checked)-1] + `,"result":"SUCCESS"}`,
		},
	} {
		v.Asked = nil
		status, answer := base.Post(t, row.path, row.account, string(golden(t, row.example)))
		if status != 200 || answer != row.answer || fmt.Sprint(v.Asked) != "["+row.asked+"]" {
			t.Errorf("%s: %d %s\nwant %s\nasked %v", row.path, status, answer, row.answer, v.Asked)
		}
	}
	if status, answer := base.Post(t, "/v1/echo", "", `{"clientMessage":"annyeong 0001"}`); status != 200 ||
		!strings.HasSuffix(answer, `"clientMessage":"annyeong 0001"}`) {
		t.Errorf("echo: %d %s", status, answer)
	}
	for _, path := range []string{
		apiPath + "capture", apiPath + "reservefunds", "/v1/reserveFunds", apiPath + "echo",
		apiPath + "reserveFunds/HanbitPG_KRW", apiPath + "defendChargeback", "/v1/payment-integrator-dispute-api/asynchronousRefund",
	} {
		if status, answer := base.Post(t, path, "HanbitPG_KRW", string(golden(t, "p2-request"))); status != 404 || answer != "" {
			t.Errorf("%s: %d %q, want 404 and nothing", path, status, answer)
		}
	}
}

// The rows of §10 that need no reservation, and what the engine's faults become.
func TestErrorMatrix(t *testing.T) {
	const reserve, capture, cancel = apiPath + "reserveFunds", apiPath + "asynchronousCaptureFundsReservation",
		apiPath + "asynchronousCancelFundsReservation"
	const refund, verify, check, defend = apiPath + "asynchronousRefund", apiPath + "verifyCardWithMinimumReservation",
		apiPath + "verifyCardWithZeroAmount", "/v1/payment-integrator-dispute-api/defendChargeback"
	for name, row := range map[string]struct {
		path, example, account string
		edit                   edits
		fail                   error
		status                 int
		code                   string
	}{
		"account absent":         {reserve, "p1-full", "", nil, nil, 400, "MISSING_REQUIRED_FIELD"},
		"account unknown":        {capture, "p2-request", "Nobody_KRW", nil, nil, 404, "INVALID_IDENTIFIER"},
		"account of another API": {cancel, "p3-request", "Other_KRW", nil, nil, 403, "FORBIDDEN"},
		"member missing, P1":     {reserve, "p1-full", "HanbitPG_KRW", edits{"amount": absent}, nil, 400, "MISSING_REQUIRED_FIELD"},
		"member missing, P2":     {capture, "p2-request", "HanbitPG_KRW", edits{"amount": absent}, nil, 400, "MISSING_REQUIRED_FIELD"},
		"member missing, P3": {
			cancel, "p3-request", "HanbitPG_KRW", edits{"reservationRequestId": absent}, nil, 400, "MISSING_REQUIRED_FIELD",
		},
		"union missing": {
			reserve, "p1-full", "HanbitPG_KRW", edits{options + "electronicCommerceIndicator": absent}, nil, 400, "MISSING_REQUIRED_FIELD",
		},
		"two members of a union": {
			reserve, "p1-full", "HanbitPG_KRW",
			edits{options + "electronicCommerceIndicatorNotApplicable": edits{}},
			nil, 400,
			"INVALID_FIELD_VALUE",
		},
		"zero value of an enum": {
			reserve, "p1-full", "HanbitPG_KRW",
			edits{options + "userSelectedProcessingNetworkType": "PROCESSING_NETWORK_TYPE_UNSPECIFIED"},
			nil, 400, "INVALID_FIELD_VALUE",
		},
		"amount no int64":         {reserve, "p1-full", "HanbitPG_KRW", edits{"amount": "12.5"}, nil, 400, "INVALID_FIELD_VALUE"},
		"amount nothing":          {capture, "p2-request", "HanbitPG_KRW", edits{"amount": "0"}, nil, 400, "INVALID_FIELD_VALUE"},
		"fraction of a won":       {capture, "p2-request", "HanbitPG_KRW", edits{"amount": "1500000"}, nil, 400, "INVALID_FIELD_VALUE"},
		"currency not contracted": {reserve, "p1-full", "HanbitPG_KRW", edits{"currencyCode": "INR"}, nil, 400, "INVALID_FIELD_VALUE"},
		"card number of letters": {
			reserve, "p1-full", "HanbitPG_KRW", edits{cardAt + "accountNumber": "abcdefghijklmnop"}, nil, 400, "INVALID_FIELD_VALUE",
		},
		"a member of a sibling": {cancel, "p3-request", "HanbitPG_KRW", edits{"amount": "1000000"}, nil, 400, "INVALID_FIELD_VALUE"},
		"member missing, P4":    {refund, "p4-request", "HanbitPG_KRW", edits{"refundAmount": absent}, nil, 400, "MISSING_REQUIRED_FIELD"},
		"member missing, P5":    {verify, "p5-request", "HanbitPG_KRW", edits{"card": absent}, nil, 400, "MISSING_REQUIRED_FIELD"},
		"union missing, P6":     {defend, "p6-request", "HanbitPG_KRW", edits{"captureRequestId": absent}, nil, 400, "MISSING_REQUIRED_FIELD"},
		"union missing, P8": {
			check, "p8-request", "HanbitPG_KRW", edits{"merchantCategoryCodeNotPresent": absent}, nil, 400, "MISSING_REQUIRED_FIELD",
		},
		"two members of a union, P6": {
			defend, "p6-request", "HanbitPG_KRW", edits{"mrnPaymentDetails": edits{"merchantId": "m"}}, nil, 400, "INVALID_FIELD_VALUE",
		},
		"refund under the name of a capture's amount": {
			refund, "p4-request", "HanbitPG_KRW", edits{"refundAmount": absent, "amount": "4000000000"}, nil, 400, "INVALID_FIELD_VALUE",
		},
		"a capture at the refund's route":   {refund, "p2-request", "HanbitPG_KRW", nil, nil, 400, "INVALID_FIELD_VALUE"},
		"a refund at the capture's route":   {capture, "p4-request", "HanbitPG_KRW", nil, nil, 400, "INVALID_FIELD_VALUE"},
		"a check at the payment's route":    {reserve, "p5-request", "HanbitPG_KRW", nil, nil, 400, "INVALID_FIELD_VALUE"},
		"a payment at the check's route":    {verify, "p1-request", "HanbitPG_KRW", nil, nil, 400, "INVALID_FIELD_VALUE"},
		"a zero check at the check's route": {verify, "p8-request", "HanbitPG_KRW", nil, nil, 400, "INVALID_FIELD_VALUE"},
		"a check at the zero check's route": {check, "p5-request", "HanbitPG_KRW", nil, nil, 400, "INVALID_FIELD_VALUE"},
		"a defence at the refund's route":   {refund, "p6-request", "HanbitPG_KRW", nil, nil, 400, "INVALID_FIELD_VALUE"},
		"a refund at the defence's route":   {defend, "p4-request", "HanbitPG_KRW", nil, nil, 400, "INVALID_FIELD_VALUE"},
		"Korea's members at the top of P1":  {reserve, "p1-request", "HanbitPG_KRW", edits{"pin": "47"}, nil, 400, "INVALID_FIELD_VALUE"},
		"document too large": {
			defend, "p6-request", "HanbitPG_KRW",
			edits{"defenseMaterialDocument.payload": strings.Repeat("A", (16<<20)/3*4+8)},
			nil, 400, "INVALID_FIELD_VALUE",
		},
		"capture unknown": {
			refund, "p4-request", "HanbitPG_KRW", nil, fault.New(fault.Unknown, "captureRequestId"), 404, "INVALID_IDENTIFIER",
		},
		"more than is left to refund": {
			refund, "p4-request", "HanbitPG_KRW", nil, fault.New(fault.Precondition, "left"), 400, "PRECONDITION_VIOLATION",
		},
		"silent network, P5": {verify, "p5-request", "HanbitPG_KRW", nil, fault.New(fault.Unavailable, "no verdict"), 503, ""},
		"silent network, P8": {check, "p8-request", "HanbitPG_KRW", nil, fault.New(fault.Unavailable, "no verdict"), 503, ""},
		"reservation unknown": {
			capture, "p2-request", "HanbitPG_KRW", nil, fault.New(fault.Unknown, "reservationRequestId"), 404, "INVALID_IDENTIFIER",
		},
		"state or amount rule broken": {
			cancel, "p3-request", "HanbitPG_KRW", nil, fault.New(fault.Precondition, "captured"), 400, "PRECONDITION_VIOLATION",
		},
		"ISO 3": {
			reserve, "p1-full", "HanbitPG_KRW", nil, fault.New(fault.Precondition, "merchant unknown"), 400, "PRECONDITION_VIOLATION",
		},
		"key reused": {
			reserve, "p1-full", "HanbitPG_KRW", nil, fault.New(fault.KeyReused, "requestId"), 412, "IDEMPOTENCY_VIOLATION",
		},
		"ISO 6, 20, 30":               {reserve, "p1-full", "HanbitPG_KRW", nil, fault.New(fault.Internal, ""), 500, ""},
		"ISO 9, 19, 22, 28, time-out": {reserve, "p1-full", "HanbitPG_KRW", nil, fault.New(fault.Unavailable, "no verdict"), 503, ""},
		"parallel copy at deadline":   {reserve, "p1-full", "HanbitPG_KRW", nil, fault.New(fault.Aborted, "still running"), 409, ""},
	} {
		t.Run(name, func(t *testing.T) {
			v := &gsptest.Engine{Fail: row.fail}
			status, answer := serve(t, v).Post(t, row.path, row.account, string(edited(t, row.example, row.edit)))
			var got struct {
				Code   string `json:"errorResponseCode"`
				ID     string `json:"paymentIntegratorErrorIdentifier"`
				Result string `json:"result"`
			}
			if err := json.Unmarshal([]byte("{"+answer), &got); err != nil {
				t.Fatal(err)
			}
			if status != row.status || got.Code != row.code || got.ID != "e-1" || got.Result != "" {
				t.Errorf("got %d %s", status, answer)
			}
			if row.fail == nil && len(v.Asked) > 0 {
				t.Errorf("the engine was asked: %v", v.Asked)
			}
		})
	}
}

func TestMistypedNumberIsA200(t *testing.T) {
	v := &gsptest.Engine{}
	status, answer := serve(t, v).Post(t, apiPath+"reserveFunds", "HanbitPG_KRW",
		string(edited(t, "p1-full", edits{cardAt + "accountNumber": "4242424242424241"})))
	if status != 200 || !strings.HasSuffix(answer, `"result":"CARD_NUMBER_INVALID"}`) ||
		fmt.Sprint(v.Asked) != "[reserve 12900 KRW decided=true]" {
		t.Errorf("%d %s, asked %v", status, answer, v.Asked)
	}
}

// The largest document arrives whole, through the bounds of the envelope.
func TestLargestDocument(t *testing.T) {
	v := &gsptest.Engine{}
	pdf := append([]byte("%PDF-1.7"), make([]byte, 16<<20-len("%PDF-1.7"))...)
	status, answer := serve(t, v).Post(t, cards.DisputePath, "HanbitPG_KRW",
		string(edited(t, "p6-request", edits{document + "payload": base64.URLEncoding.EncodeToString(pdf)})))
	if want := "[defend KR-CAP-77b0-0001 with 16777216 bytes]"; status != 200 || fmt.Sprint(v.Asked) != want {
		t.Errorf("%d %.200s, asked %v", status, answer, v.Asked)
	}
}
