package disburse

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"naru/protocol/gsp"
	"naru/protocol/gsp/gsptest"
)

func TestTheSheetsExamplesSurviveTheWireTypes(t *testing.T) {
	for name, into := range map[string]any{
		"request":               &DisburseFundsRequest{},
		"paid":                  &DisburseFundsResponse{},
		"above-limit":           &DisburseFundsResponse{},
		"notification":          &DisburseFundsResultNotification{},
		"notification-response": &gsp.NotificationResponse{},
	} {
		t.Run(name, func(t *testing.T) {
			gsptest.RoundTrip(t, name, into)
		})
	}
}

// What must never be said is not written, in an answer and in a notification (§10).
func TestResultsThatAreNotWritten(t *testing.T) {
	raw, bare := &RawResult{"npci-upi", "00"}, &RawResult{"", "00"}
	const whole = `{"scope":"npci-upi","rawCode":"00"}}`
	const code = `{"disburseFundsResultCode":`
	const tooLittle, tooMuch = `"DISBURSEMENT_UNDER_TRANSACTION_LIMIT"`, `"DISBURSEMENT_EXCEEDS_TRANSACTION_LIMIT"`
	for name, row := range map[string]struct {
		result DisburseFundsResult
		want   string // "" is refused
	}{
		"a success":            {DisburseFundsResult{ResultSuccess, raw, 0, 0}, code + `"SUCCESS","rawResult":` + whole},
		"no scope":             {DisburseFundsResult{ResultSuccess, bare, 0, 0}, code + `"SUCCESS","rawResult":{"rawCode":"00"}}`},
		"a maximum":            {DisburseFundsResult{ResultExceedsLimit, nil, 7, 0}, code + tooMuch + `,"transactionMaxLimit":"7"}`},
		"a minimum":            {DisburseFundsResult{ResultUnderLimit, nil, 0, 7}, code + tooLittle + `,"transactionMinLimit":"7"}`},
		"a limit nobody knows": {DisburseFundsResult{ResultUnderLimit, nil, 0, 0}, code + tooLittle + `}`},

		"nothing":                     {DisburseFundsResult{}, ""},
		"nobody knows":                {DisburseFundsResult{"UNKNOWN_RESULT", raw, 0, 0}, ""},
		"a word of tomorrow":          {DisburseFundsResult{"PENDING", nil, 0, 0}, ""},
		"a success with a maximum":    {DisburseFundsResult{ResultSuccess, raw, 7, 0}, ""},
		"a success with a minimum":    {DisburseFundsResult{ResultSuccess, raw, 0, 7}, ""},
		"a maximum beside the other":  {DisburseFundsResult{ResultUnderLimit, nil, 7, 0}, ""},
		"a minimum beside the other":  {DisburseFundsResult{ResultExceedsLimit, nil, 0, 7}, ""},
		"both limits, too much":       {DisburseFundsResult{ResultExceedsLimit, nil, 7, 7}, ""},
		"both limits, too little":     {DisburseFundsResult{ResultUnderLimit, nil, 7, 7}, ""},
		"a refusal with both limits":  {DisburseFundsResult{ResultAccountOnHold, nil, 7, 7}, ""},
		"a refusal with a low limit":  {DisburseFundsResult{ResultAccountClosed, nil, 0, 7}, ""},
		"a refusal with a high limit": {DisburseFundsResult{ResultAccountClosed, nil, 7, 0}, ""},
	} {
		answer, answerErr := gsp.Encode(DisburseFundsResponse{"ptx-1", row.result})
		notice, noticeErr := gsp.Encode(DisburseFundsResultNotification{"dsb:1", row.result})
		if row.want == "" {
			if answerErr == nil || noticeErr == nil {
				t.Errorf("%s: said as %s and %s", name, answer, notice)
			}
			continue
		}
		const own = `{"paymentIntegratorTransactionId":"ptx-1","disburseFundsResult":`
		if want := own + row.want + `}`; string(answer) != want || answerErr != nil {
			t.Errorf("%s: got  %s\nwant %s (%v)", name, answer, want, answerErr)
		}
		if want := `{"disburseFundsRequestId":"dsb:1","disburseFundsResult":` + row.want + `}`; string(notice) != want || noticeErr != nil {
			t.Errorf("%s: got  %s\nwant %s (%v)", name, notice, want, noticeErr)
		}
	}
}

func TestNothingPrintsAnAddress(t *testing.T) {
	var in DisburseFundsRequest
	if err := gsp.Decode(golden(t, "request"), &in); err != nil {
		t.Fatal(err)
	}
	ask, err := asked(t, Profile{}, golden(t, "request"))
	if err != nil {
		t.Fatal(err)
	}
	printed := gsptest.Prints([]any{in, *in.UpiDetails, in.UpiDetails.VPA, ask, ask.Target})
	for _, secret := range []string{"asha.r@examplebank", "asha.r"} {
		if strings.Contains(printed, secret) || strings.Contains(printed, fmt.Sprintf("%x", secret)) {
			t.Errorf("%d characters of an address were printed", len(secret))
		}
	}
}

// Whatever comes: no panic, and what was accepted asks the same after a round trip.
func FuzzDisburseFunds(f *testing.F) {
	f.Add(golden(f, "request"))
	f.Add([]byte(`{"transactionDescription":"d","currencyCode":"INR","amount":10000,"upiDetails":{"vpa":"12345@HDFC0000001.ifsc.npci"}}`))
	f.Add([]byte(`{"transactionDescription":null,"currencyCode":"inr","amount":"01","upiDetails":{}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var in DisburseFundsRequest
		first, err := asked(t, Profile{true}, body)
		if err != nil || gsp.Decode(body, &in) != nil {
			return
		}
		if amount := first.Amount; !amount.IsPositive() || !rewards.Accepts(amount.Currency()) {
			t.Errorf("%s is asked for", amount)
		}
		address := first.Target.VPA.Reveal()
		if len(address) > 255 || strings.Count(address, "@") != 1 || strings.ContainsAny(address, " \t\r\n") {
			t.Errorf("%q is paid", address)
		}
		again, err := gsp.Encode(in)
		if err != nil {
			t.Fatal(err)
		}
		second, err := asked(t, Profile{true}, again)
		if err != nil || first.Amount != second.Amount || !reflect.DeepEqual(first.Target, second.Target) {
			t.Errorf("a round trip changes the order: %v", err)
		}
	})
}
