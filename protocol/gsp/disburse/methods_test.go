package disburse

import (
	"testing"

	"github.com/go-json-experiment/json"

	"naru/core/fault"
	"naru/core/money"
	"naru/core/payout"
	"naru/engine"
	"naru/protocol/gsp/gsptest"
)

// serve puts the method behind the real envelope and a real listener.
func serve(t *testing.T, e Engine) gsptest.Server {
	t.Helper()
	other := engine.Account{ID: "Other_KRW", APIs: []string{"korea-cards-v1"}}
	return gsptest.Serve(t, now, gsptest.Accounts{rewards.ID: rewards, other.ID: other}, NewService(e, nil).API())
}

func TestTheMethodAtItsPath(t *testing.T) {
	e := &listener{payout: done}
	at := serve(t, e)
	const members = `"paymentIntegratorTransactionId":"ptx-0000000917","disburseFundsResult":{"disburseFundsResultCode":"SUCCESS",` +
		`"rawResult":{"scope":"npci-upi","rawCode":"00"}}}`
	for name, body := range map[string][]byte{
		"the example":                    golden(t, "request"),
		"members that nobody knows (18)": edited(t, "request", edits{"bankDetails": edits{"ifsc": "X"}, "upiDetails.name": "Asha", "x": 1}),
		"an amount as a number":          edited(t, "request", edits{"amount": 125500000}),
	} {
		if status, answer := at.Post(t, "/v1/disburseFunds", rewards.ID, string(body)); status != 200 || answer != members {
			t.Errorf("%s: %d %s", name, status, answer)
		}
	}
	if len(e.asked) != 3 || e.asked[2].Amount != money.New(12_550, rupee) {
		t.Errorf("the engine heard %d requests", len(e.asked))
	}
	if status, answer := at.Post(t, "/v1/echo", "", `{"clientMessage":"ping"}`); status != 200 || answer != `"clientMessage":"ping"}` {
		t.Errorf("echo: %d %s", status, answer)
	}
	for _, path := range []string{
		"/v1/disburse", "/v1/disburseFunds/" + rewards.ID, "/v2/disburseFunds", "/v1/disburseFundsResultNotification",
	} {
		if status, answer := at.Post(t, path, rewards.ID, string(golden(t, "request"))); status != 404 || answer != "" {
			t.Errorf("%s: %d %q, want 404 and nothing", path, status, answer)
		}
	}
}

// The rows of §11 that are not the envelope's, and what the engine's faults become.
func TestErrorMatrix(t *testing.T) {
	const missing, invalid = "MISSING_REQUIRED_FIELD", "INVALID_FIELD_VALUE"
	const notContracted, noMicros = "currencyCode is not contracted for this account", "amount must be a number of micros, more than nothing"
	const noAddress, noText = "upiDetails.vpa must be name@handle as UPI writes it", "transactionDescription is required"
	const own, noType = "ACME_PAYOUTS_INR", " has a type or a value that is not supported"
	for name, row := range map[string]struct {
		account string
		edit    edits
		fail    error
		status  int
		code    string
		says    string
	}{
		"6: no account":           {"", nil, nil, 400, missing, "paymentIntegratorAccountId is required"},
		"6: no description":       {own, edits{"transactionDescription": absent}, nil, 400, missing, noText},
		"6: an empty description": {own, edits{"transactionDescription": ""}, nil, 400, missing, noText},
		"6: description null":     {own, edits{"transactionDescription": nil}, nil, 400, missing, noText},
		"6: no currency":          {own, edits{"currencyCode": absent}, nil, 400, missing, "currencyCode is required"},
		"6: an empty currency":    {own, edits{"currencyCode": ""}, nil, 400, missing, "currencyCode is required"},
		"6: no amount":            {own, edits{"amount": absent}, nil, 400, missing, "amount is required"},
		"6: an empty amount":      {own, edits{"amount": ""}, nil, 400, missing, "amount is required"},
		"6: amount null":          {own, edits{"amount": nil}, nil, 400, missing, "amount is required"},
		"6: no target":            {own, edits{"upiDetails": absent}, nil, 400, missing, "upiDetails is required"},
		"6: target null":          {own, edits{"upiDetails": nil}, nil, 400, missing, "upiDetails is required"},
		"6: no address":           {own, edits{"upiDetails": edits{}}, nil, 400, missing, "upiDetails.vpa is required"},
		"6: an empty address":     {own, edits{"upiDetails.vpa": ""}, nil, 400, missing, "upiDetails.vpa is required"},
		"6: address null":         {own, edits{"upiDetails.vpa": nil}, nil, 400, missing, "upiDetails.vpa is required"},
		"8: account unknown":      {"Nobody_INR", nil, nil, 404, "INVALID_IDENTIFIER", "unknown paymentIntegratorAccountId"},
		"9: account of another API": {
			"Other_KRW", nil, nil, 403, "FORBIDDEN", "this paymentIntegratorAccountId is not enabled for disburse-v1",
		},
		"9: account without a bank": {own, nil, fault.New(fault.Forbidden, "pays nothing out"), 403, "FORBIDDEN", "pays nothing out"},
		"10: no such currency":      {own, edits{"currencyCode": "XYZ"}, nil, 400, invalid, notContracted},
		"10: not contracted":        {own, edits{"currencyCode": "USD"}, nil, 400, invalid, notContracted},
		"11: letters":               {own, edits{"amount": "ten"}, nil, 400, invalid, noMicros},
		"11: nothing":               {own, edits{"amount": "0"}, nil, 400, invalid, noMicros},
		"11: above int64":           {own, edits{"amount": "9223372036854775808"}, nil, 400, invalid, noMicros},
		"11: half a paisa":          {own, edits{"amount": "125505000"}, nil, 400, invalid, "amount must be whole minor units of its currency"},
		"13: address malformed":     {own, edits{"upiDetails.vpa": "asha"}, nil, 400, invalid, noAddress},
		"13: a branch":              {own, edits{"upiDetails.vpa": "12@HDFC0000001.ifsc.npci"}, nil, 400, invalid, noAddress},
		"a target of another type":  {own, edits{"upiDetails": "asha@upi"}, nil, 400, invalid, "upiDetails" + noType},
		"an address of another":     {own, edits{"upiDetails.vpa": 12}, nil, 400, invalid, "upiDetails.vpa" + noType},
		"14: key reused":            {own, nil, fault.New(fault.KeyReused, "used before"), 412, "IDEMPOTENCY_VIOLATION", "used before"},
		"15: a copy is running":     {own, nil, fault.New(fault.Aborted, "still running"), 409, "", "still running"},
		"15: not decided":           {own, nil, fault.New(fault.Unavailable, "ask again"), 503, "", "ask again"},
		"17: no database":           {own, nil, fault.New(fault.Unavailable, ""), 503, "", ""},
		"our bug":                   {own, nil, fault.New(fault.Internal, ""), 500, "", ""},
	} {
		e := &listener{payout: done, fail: row.fail}
		status, answer := serve(t, e).Post(t, "/v1/disburseFunds", row.account, string(edited(t, "request", row.edit)))
		var got struct {
			Code   string `json:"errorResponseCode"`
			Says   string `json:"errorDescription"`
			ID     string `json:"paymentIntegratorErrorIdentifier"`
			Result any    `json:"disburseFundsResult"`
			OwnID  string `json:"paymentIntegratorTransactionId"`
		}
		if err := json.Unmarshal([]byte("{"+answer), &got); err != nil {
			t.Fatal(err)
		}
		if status != row.status || got.Code != row.code || got.Says != row.says || got.ID != "e-1" || got.Result != nil || got.OwnID != "" {
			t.Errorf("%s: %d %s", name, status, answer)
		}
		if row.fail == nil && len(e.asked) > 0 {
			t.Errorf("%s: the engine was asked", name)
		}
	}
}

// Row 16: a limit is an answer.
func TestLimitsAreAnswers(t *testing.T) {
	for why, want := range map[payout.Reason]string{
		payout.AboveLimit: `"disburseFundsResultCode":"DISBURSEMENT_EXCEEDS_TRANSACTION_LIMIT","transactionMaxLimit":"100000000000"}}`,
		payout.BelowLimit: `"disburseFundsResultCode":"DISBURSEMENT_UNDER_TRANSACTION_LIMIT","transactionMinLimit":"100000000000"}}`,
	} {
		e := &listener{payout: payout.Payout{ID: "ptx-0000000918", State: payout.Refused, Reason: why, Limit: money.New(10_000_000, rupee)}}
		status, answer := serve(t, e).Post(t, "/v1/disburseFunds", rewards.ID, string(golden(t, "request")))
		if want = `"paymentIntegratorTransactionId":"ptx-0000000918","disburseFundsResult":{` + want; status != 200 || answer != want {
			t.Errorf("%d %s", status, answer)
		}
	}
}

// Each account goes by its own contract.
func TestProfilesAreByAccount(t *testing.T) {
	other := rewards
	other.ID = "Other_INR"
	s := NewService(&listener{payout: done}, map[string]Profile{other.ID: {AllowIFSC: true}})
	at := gsptest.Serve(t, now, gsptest.Accounts{rewards.ID: rewards, other.ID: other}, s.API())
	body := string(edited(t, "request", edits{"upiDetails.vpa": "000123456789@HDFC0000001.ifsc.npci"}))
	for account, want := range map[string]int{rewards.ID: 400, other.ID: 200} {
		if status, answer := at.Post(t, "/v1/disburseFunds", account, body); status != want {
			t.Errorf("%s: %d %s", account, status, answer)
		}
	}
}
