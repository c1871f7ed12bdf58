package cardfop

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"naru/core/fault"
	"naru/core/payment"
	"naru/engine"
	"naru/protocol/gsp/cards"
	"naru/protocol/gsp/gsptest"
	"naru/protocol/gsp/koreacards"
)

const apiPath = "/v1/payment-integrator-card-fop-api/"

// serve puts the methods of both APIs behind the real envelope and a real listener, as they are served.
func serve(t *testing.T, e *gsptest.Engine) gsptest.Server {
	t.Helper()
	s, err := NewService(e, nil)
	if err != nil {
		t.Fatal(err)
	}
	korea, err := koreacards.NewService(e, nil)
	if err != nil {
		t.Fatal(err)
	}
	e.In = euro
	e.Result = engine.ReserveResult{
		ReservationID: "r-1", CaptureID: "c-1", HoldUntil: time.UnixMilli(1767830401120),
		Outcome: payment.Outcome{Verdict: payment.Approved, Code: "00", CVN: payment.CVNMatch},
	}
	other := europe.account
	other.ID, other.APIs = "Other_KRW", []string{koreacards.Name}
	return gsptest.Serve(t, now, gsptest.Accounts{europe.account.ID: europe.account, other.ID: other}, korea.API(), s.API())
}

func TestMethodsAtTheirPaths(t *testing.T) {
	e := &gsptest.Engine{}
	at := serve(t, e)
	network := `"cardNetworkResult":{"rawResult":{"scope":"Iso8583Code","rawCode":"00"}},`
	unsent := network + `"addressVerificationResult":{"notSent":{"support":"SUPPORTED"}},`
	const metadata = `"cardMetadata":{"cardType":"INTEGRATOR_CANNOT_SPECIFY_CARD_TYPE"},`
	for _, row := range []struct{ path, example, asked, answer string }{
		{
			apiPath + "reserveFunds", "p1-request", "reserve 49.99 EUR decided=false",
			`"paymentIntegratorFundsReservationId":"r-1",` + network +
				`"addressVerificationResult":{"sentUnsupported":{"reason":"UNSUPPORTED_BY_NETWORK"}},"cvnResult":"MATCH",` + metadata +
				`"reservationExpirationTimestamp":"1767830401120","additionalTransactionProcessingResult":` +
				`{"storedCredentialInformationUnsupported":{"reasonDescription":"the network gave no transaction identifier"}},"result":"SUCCESS"}`,
		},
		{
			apiPath + "asynchronousCaptureFundsReservation", "p2-request", "capture 39.99 EUR of RSV-5c1e90a2",
			`"result":"ACKNOWLEDGED","paymentIntegratorCaptureId":"c-1"}`,
		},
		{apiPath + "asynchronousCancelFundsReservation", "p3-request", "cancel RSV-91d2c7b0", `"result":"ACKNOWLEDGED"}`},
		{
			apiPath + "capture", "p4-request", "reserveSALE 4.99 EUR decided=false",
			`"paymentIntegratorCaptureId":"c-1",` + unsent + `"cvnResult":"NOT_SENT_SUPPORTED",` + metadata +
				`"additionalTransactionProcessingResult":{"storedCredentialInformationNotSent":{}},"result":"SUCCESS"}`,
		},
		{apiPath + "asynchronousRefund", "p5-request", "refund 15.00 EUR of CAP-77b0d3f4", `"result":"ACKNOWLEDGED"}`},
		{
			apiPath + "verifyCardWithMinimumReservation", "p6-request", "reserveVERIFY 0.00 EUR decided=false",
			unsent + `"cvnResult":"MATCH",` + metadata + `"fundsTransferFlow":"SUPPORTED","reserveCaptureFlow":"SUPPORTED",` +
				`"additionalTransactionProcessingResult":{"storedCredentialInformationNotSent":{}},"result":"SUCCESS"}`,
		},
		{cards.DisputePath, "p7-request", "defend CAP-77b0d3f4 with 12 bytes", `"result":"SUCCESS"}`},
	} {
		e.Asked = nil
		status, answer := at.Post(t, row.path, europe.account.ID, string(golden(t, row.example)))
		if status != 200 || answer != row.answer || fmt.Sprint(e.Asked) != "["+row.asked+"]" {
			t.Errorf("%s: %d %s\nwant %s\nasked %v", row.path, status, answer, row.answer, e.Asked)
		}
	}
	status, answer := at.Post(t, "/v1/echo", "", string(golden(t, "p8-request")))
	if status != 200 || answer != `"clientMessage":"ping 0001"}` {
		t.Errorf("echo: %d %s", status, answer)
	}
	for _, path := range []string{
		apiPath + "verifyCardWithZeroAmount", apiPath + "Capture", "/v1/capture", apiPath + "echo", apiPath + "capture/NorthwindPSP_EUR",
		apiPath + "defendChargeback", "/google-card-fop-api/v1/capture",
	} {
		if status, answer := at.Post(t, path, europe.account.ID, string(golden(t, "p4-request"))); status != 404 || answer != "" {
			t.Errorf("%s: %d %q, want 404 and nothing", path, status, answer)
		}
	}
}

// The rows of §9 that need no reservation, and what the engine's faults become.
func TestErrorMatrix(t *testing.T) {
	const reserve, sell, capture, cancel = apiPath + "reserveFunds", apiPath + "capture", apiPath + "asynchronousCaptureFundsReservation",
		apiPath + "asynchronousCancelFundsReservation"
	const refund, verify, defend = apiPath + "asynchronousRefund", apiPath + "verifyCardWithMinimumReservation", cards.DisputePath
	const own, other = "NorthwindPSP_EUR", "Other_KRW"
	for name, row := range map[string]struct {
		path, example, account string
		edit                   edits
		fail                   error
		status                 int
		code                   string
	}{
		"account absent":           {sell, "p4-request", "", nil, nil, 400, "MISSING_REQUIRED_FIELD"},
		"account unknown":          {sell, "p4-request", "Nobody_EUR", nil, nil, 404, "INVALID_IDENTIFIER"},
		"account of the other API": {sell, "p4-request", other, nil, nil, 403, "FORBIDDEN"},
		"member missing, P1":       {reserve, "p1-request", own, edits{"amount": absent}, nil, 400, "MISSING_REQUIRED_FIELD"},
		"member missing, P2":       {capture, "p2-request", own, edits{"amount": absent}, nil, 400, "MISSING_REQUIRED_FIELD"},
		"member missing, P3":       {cancel, "p3-request", own, edits{"reservationRequestId": absent}, nil, 400, "MISSING_REQUIRED_FIELD"},
		"member missing, P4":       {sell, "p4-request", own, edits{"currencyCode": absent}, nil, 400, "MISSING_REQUIRED_FIELD"},
		"member missing, P5":       {refund, "p5-request", own, edits{"refundAmount": absent}, nil, 400, "MISSING_REQUIRED_FIELD"},
		"member missing, P6":       {verify, "p6-request", own, edits{"card": absent}, nil, 400, "MISSING_REQUIRED_FIELD"},
		"union missing, P7":        {defend, "p7-request", own, edits{"captureRequestId": absent}, nil, 400, "MISSING_REQUIRED_FIELD"},
		"union missing": {
			sell, "p4-request", own, edits{options + "threeDSecureNotAppplicable": absent}, nil, 400, "MISSING_REQUIRED_FIELD",
		},
		"two members of a union": {
			sell, "p4-request", own, edits{options + "electronicCommerceIndicator": "05"}, nil, 400, "INVALID_FIELD_VALUE",
		},
		"amount nothing, P2":     {capture, "p2-request", own, edits{"amount": "0"}, nil, 400, "INVALID_FIELD_VALUE"},
		"amount nothing, P5":     {refund, "p5-request", own, edits{"refundAmount": "0"}, nil, 400, "INVALID_FIELD_VALUE"},
		"fraction of a cent, P5": {refund, "p5-request", own, edits{"refundAmount": "15000001"}, nil, 400, "INVALID_FIELD_VALUE"},
		"fraction of the payment's": { // fits a dinar
			refund, "p5-request", own, edits{"refundAmount": "15001000"}, nil, 400, "INVALID_FIELD_VALUE",
		},
		"currency not contracted": {sell, "p4-request", own, edits{"currencyCode": "USD"}, nil, 400, "INVALID_FIELD_VALUE"},
		"category of letters":     {sell, "p4-request", own, edits{"merchantCategoryCode": "58x7"}, nil, 400, "INVALID_FIELD_VALUE"},
		"card number of letters": {
			sell, "p4-request", own, edits{cardAt + "accountNumber": "abcdefghijklmnop"}, nil, 400, "INVALID_FIELD_VALUE",
		},
		"a token in a check":          {verify, "p6-request", own, edits{"accountDetails": edits{}}, nil, 400, "INVALID_FIELD_VALUE"},
		"a payment at the check":      {verify, "p4-request", own, nil, nil, 400, "INVALID_FIELD_VALUE"},
		"a check at the payment":      {sell, "p6-request", own, nil, nil, 400, "INVALID_FIELD_VALUE"},
		"a refund at the capture":     {capture, "p5-request", own, nil, nil, 400, "INVALID_FIELD_VALUE"},
		"a sale at the defence":       {defend, "p4-request", own, nil, nil, 400, "INVALID_FIELD_VALUE"},
		"capture unknown":             {refund, "p5-request", own, nil, fault.New(fault.Unknown, "captureRequestId"), 404, "INVALID_IDENTIFIER"},
		"more than is left to refund": {refund, "p5-request", own, nil, fault.New(fault.Precondition, "left"), 400, "PRECONDITION_VIOLATION"},
		"network code 3": {
			sell, "p4-request", own, nil, fault.New(fault.Precondition, "merchant unknown"), 400, "PRECONDITION_VIOLATION",
		},
		"key reused":                {sell, "p4-request", own, nil, fault.New(fault.KeyReused, "requestId"), 412, "IDEMPOTENCY_VIOLATION"},
		"network codes 6, 20, 30":   {sell, "p4-request", own, nil, fault.New(fault.Internal, ""), 500, ""},
		"silent network, P1":        {reserve, "p1-request", own, nil, fault.New(fault.Unavailable, "no verdict"), 503, ""},
		"silent network, P4":        {sell, "p4-request", own, nil, fault.New(fault.Unavailable, "no verdict"), 503, ""},
		"silent network, P6":        {verify, "p6-request", own, nil, fault.New(fault.Unavailable, "no verdict"), 503, ""},
		"parallel copy at deadline": {sell, "p4-request", own, nil, fault.New(fault.Aborted, "still running"), 409, ""},
	} {
		t.Run(name, func(t *testing.T) {
			e := &gsptest.Engine{Fail: row.fail}
			status, answer := serve(t, e).Post(t, row.path, row.account, string(edited(t, row.example, row.edit)))
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
			if row.fail == nil && len(e.Asked) > 0 {
				t.Errorf("the engine was asked: %v", e.Asked)
			}
		})
	}
}

// Both APIs have their defences at one path: each account's goes by its own contract (§10).
func TestOnePathForBothDefences(t *testing.T) {
	e := &gsptest.Engine{}
	at := serve(t, e)
	for _, account := range []string{"NorthwindPSP_EUR", "Other_KRW"} {
		if status, answer := at.Post(t, cards.DisputePath, account, string(golden(t, "p7-request"))); status != 200 {
			t.Errorf("%s: %d %s", account, status, answer)
		}
		if e.Defended.Capture.Account != account {
			t.Errorf("%s: the engine heard of %s", account, e.Defended.Capture.Account)
		}
	}
}

func TestMistypedNumberIsA200(t *testing.T) {
	e := &gsptest.Engine{}
	status, answer := serve(t, e).Post(t, apiPath+"capture", europe.account.ID,
		string(edited(t, "p4-request", edits{cardAt + "accountNumber": "4111111111111112"})))
	if status != 200 || !strings.HasSuffix(answer, `"result":"CARD_NUMBER_INVALID"}`) ||
		fmt.Sprint(e.Asked) != "[reserveSALE 4.99 EUR decided=true]" {
		t.Errorf("%d %s, asked %v", status, answer, e.Asked)
	}
}
