package koreacards

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"naru/core/fault"
	"naru/core/payment"
	"naru/engine"
	"naru/protocol/gsp"
	"naru/seal"
)

var _ Engine = (*engine.Engine)(nil)

// verbs stands in for the engine: it remembers what it was asked and answers, or fails as it is told.
type verbs struct {
	asked []string
	fail  error
}

func (v *verbs) heard(format string, args ...any) error {
	v.asked = append(v.asked, fmt.Sprintf(format, args...))
	return v.fail
}

func (v *verbs) Reserve(_ context.Context, _ engine.Turn, ask engine.ReserveAsk) ([]byte, error) {
	out := payment.Outcome{Verdict: payment.Approved, Code: "00"}
	if ask.Decided != nil {
		out = *ask.Decided
	}
	if err := v.heard("reserve%s %s decided=%v", ask.Order.Purpose, ask.Order.Amount, ask.Decided != nil); err != nil {
		return nil, err
	}
	return ask.Encode(engine.ReserveResult{ReservationID: "r-1", Outcome: out, HoldUntil: time.UnixMilli(1773014401240)})
}

func (v *verbs) Capture(_ context.Context, _ engine.Turn, ask engine.CaptureAsk) ([]byte, error) {
	amount, err := ask.Amount(won)
	if err != nil {
		return nil, err
	}
	if err := v.heard("capture %s of %s", amount, ask.Reservation.RequestID); err != nil {
		return nil, err
	}
	return ask.Encode("c-1")
}

func (v *verbs) Cancel(_ context.Context, _ engine.Turn, ask engine.CancelAsk) ([]byte, error) {
	if err := v.heard("cancel %s", ask.Reservation.RequestID); err != nil {
		return nil, err
	}
	return ask.Encode()
}

func (v *verbs) Refund(_ context.Context, _ engine.Turn, ask engine.RefundAsk) ([]byte, error) {
	amount, err := ask.Amount(won)
	if err != nil {
		return nil, err
	}
	if err := v.heard("refund %s of %s", amount, ask.Capture.RequestID); err != nil {
		return nil, err
	}
	return ask.Encode("f-1")
}

func (v *verbs) Defend(_ context.Context, _ engine.Turn, ask engine.DefendAsk) ([]byte, error) {
	if err := v.heard("defend %s with %d bytes", ask.Capture.RequestID, len(ask.Document)); err != nil {
		return nil, err
	}
	if ask.Document == nil {
		return ask.Encode(engine.DefenceUnreadable)
	}
	return ask.Encode(engine.DefenceTaken)
}

// plainBox seals nothing: sealing has its own tests.
type plainBox struct{}

func (plainBox) Open(_ context.Context, wire []byte) (seal.Opened, error) {
	return seal.Opened{Plain: wire}, nil
}
func (plainBox) Seal(plain []byte) ([]byte, error) { return plain, nil }

// everyTime runs each request as a new one: idempotency has its own tests.
type everyTime struct{}

func (everyTime) Once(ctx context.Context, _ engine.Request, fn func(context.Context, engine.Turn) ([]byte, error)) ([]byte, error) {
	return fn(ctx, engine.Turn{})
}

type accounts struct{}

func (accounts) Account(id string) (engine.Account, bool) {
	a := korea.account
	a.ID = id
	switch id {
	case "HanbitPG_KRW":
		a.APIs = []string{Name}
	case "Other_KRW":
		a.APIs = []string{"card-fop-v1"}
	default:
		return engine.Account{}, false
	}
	return a, true
}

// serve puts the methods behind the real envelope and a real listener.
func serve(t *testing.T, v *verbs) (base string) {
	t.Helper()
	s, err := NewService(v, nil)
	if err != nil {
		t.Fatal(err)
	}
	now := func() time.Time { return korea.now }
	server := gsp.NewServer(gsp.Config{
		Box: plainBox{}, Idempotency: everyTime{}, Accounts: accounts{}, Now: now, Business: now, Log: slog.New(slog.DiscardHandler),
		NewID: func() string { return "e-1" }, Deadline: time.Minute, // the largest documents under the race detector
	})
	server.Serve(s.API())
	listener := httptest.NewServer(server)
	t.Cleanup(listener.Close)
	return listener.URL
}

func post(t *testing.T, address, account, members string) (int, string) {
	t.Helper()
	body := fmt.Sprintf(`{"requestHeader":{"protocolVersion":{"major":1,"minor":0,"revision":0},"requestId":"q-1","requestTimestamp":"%d"},`,
		korea.now.UnixMilli())
	if account != "" {
		body += `"paymentIntegratorAccountId":"` + account + `",`
	}
	if members == "{}" {
		body = strings.TrimSuffix(body, ",")
	}
	resp, err := http.Post(address, "application/octet-stream", strings.NewReader(body+members[1:]))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	opening := fmt.Sprintf(`{"responseHeader":{"responseTimestamp":"%d"}`, korea.now.UnixMilli())
	if len(answer) > 0 && !bytes.HasPrefix(answer, []byte(opening)) {
		t.Errorf("the answer has no header: %s", answer)
	}
	return resp.StatusCode, string(answer)
}

const apiPath = "/v1/payment-integrator-korea-cards-api/"

func TestMethodsAtTheirPaths(t *testing.T) {
	v := &verbs{}
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
		v.asked = nil
		status, answer := post(t, base+row.path, row.account, string(golden(t, row.example)))
		want := fmt.Sprintf(`{"responseHeader":{"responseTimestamp":"%d"},`, korea.now.UnixMilli()) + row.answer
		if status != 200 || answer != want || fmt.Sprint(v.asked) != "["+row.asked+"]" {
			t.Errorf("%s: %d %s\nwant %s\nasked %v", row.path, status, answer, want, v.asked)
		}
	}
	if status, answer := post(t, base+"/v1/echo", "", `{"clientMessage":"annyeong 0001"}`); status != 200 ||
		!strings.HasSuffix(answer, `"clientMessage":"annyeong 0001"}`) {
		t.Errorf("echo: %d %s", status, answer)
	}
	for _, path := range []string{
		apiPath + "capture", apiPath + "reservefunds", "/v1/reserveFunds", apiPath + "echo",
		apiPath + "reserveFunds/HanbitPG_KRW", apiPath + "defendChargeback", "/v1/payment-integrator-dispute-api/asynchronousRefund",
	} {
		if status, answer := post(t, base+path, "HanbitPG_KRW", string(golden(t, "p2-request"))); status != 404 || answer != "" {
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
			v := &verbs{fail: row.fail}
			status, answer := post(t, serve(t, v)+row.path, row.account, string(edited(t, row.example, row.edit)))
			var got struct {
				Code   string `json:"errorResponseCode"`
				ID     string `json:"paymentIntegratorErrorIdentifier"`
				Result string `json:"result"`
			}
			if err := json.Unmarshal([]byte(answer), &got); err != nil {
				t.Fatal(err)
			}
			if status != row.status || got.Code != row.code || got.ID != "e-1" || got.Result != "" {
				t.Errorf("got %d %s", status, answer)
			}
			if row.fail == nil && len(v.asked) > 0 {
				t.Errorf("the engine was asked: %v", v.asked)
			}
		})
	}
}

func TestMistypedNumberIsA200(t *testing.T) {
	v := &verbs{}
	status, answer := post(t, serve(t, v)+apiPath+"reserveFunds", "HanbitPG_KRW",
		string(edited(t, "p1-full", edits{cardAt + "accountNumber": "4242424242424241"})))
	if status != 200 || !strings.HasSuffix(answer, `"result":"CARD_NUMBER_INVALID"}`) ||
		fmt.Sprint(v.asked) != "[reserve 12900 KRW decided=true]" {
		t.Errorf("%d %s, asked %v", status, answer, v.asked)
	}
}

// The largest document arrives whole, through the bounds of the envelope.
func TestLargestDocument(t *testing.T) {
	v := &verbs{}
	pdf := append([]byte("%PDF-1.7"), make([]byte, maxDocument-len("%PDF-1.7"))...)
	status, answer := post(t, serve(t, v)+disputePath, "HanbitPG_KRW",
		string(edited(t, "p6-request", edits{document + "payload": base64.URLEncoding.EncodeToString(pdf)})))
	if want := "[defend KR-CAP-77b0-0001 with 16777216 bytes]"; status != 200 || fmt.Sprint(v.asked) != want {
		t.Errorf("%d %.200s, asked %v", status, answer, v.asked)
	}
}
