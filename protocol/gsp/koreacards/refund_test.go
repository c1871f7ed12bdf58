package koreacards

import (
	"strings"
	"testing"

	"naru/core/fault"
	"naru/core/money"
	"naru/core/payment"
	"naru/engine"
	"naru/protocol/gsp/cards"
	"naru/protocol/gsp/gsptest"
)

func refundAsk(t testing.TB, body []byte) (engine.RefundAsk, error) {
	t.Helper()
	s, e, call := heard(t, korea)
	_, err := gsptest.Call(t, call, s.AsynchronousRefund, body)
	return e.Refunded, err
}

func TestRefundsAreRead(t *testing.T) {
	ask, err := refundAsk(t, golden(t, "p4-request"))
	if err != nil {
		t.Fatal(err)
	}
	if want := (engine.Key{Account: "HanbitPG_KRW", RequestID: "KR-CAP-77b0-0001"}); ask.Capture != want {
		t.Errorf("capture %v", ask.Capture)
	}
	if amount, err := ask.Amount(won); amount != money.New(4000, won) || err != nil {
		t.Errorf("amount %v, %v", amount, err)
	}
	if got, err := ask.Encode("rfd-1"); string(got) != string(golden(t, "p4-response")) || err != nil {
		t.Errorf("answer %s, %v", got, err)
	}
	for _, row := range []struct {
		edit edits
		kind fault.Kind
		says string
	}{
		{edits{"captureRequestId": absent, "refundAmount": "0"}, fault.Missing, "captureRequestId"},
		{edits{"captureRequestId": nil}, fault.Missing, "captureRequestId"},
		{edits{"captureRequestId": 5}, fault.Invalid, "captureRequestId"},
		{edits{"refundAmount": absent}, fault.Missing, "refundAmount"},
		{edits{"refundAmount": nil}, fault.Missing, "refundAmount"},
		{edits{"refundAmount": absent, "amount": "4000000000"}, fault.Missing, "refundAmount"}, // the trap of §11
		{edits{"refundAmount": "0"}, fault.Invalid, "refundAmount"},
		{edits{"refundAmount": "-4000000000"}, fault.Invalid, "refundAmount"},
		{edits{"refundAmount": "4000500000"}, fault.Invalid, "refundAmount"},
		{edits{"refundAmount": "all"}, fault.Invalid, "refundAmount"},
	} {
		_, err := refundAsk(t, edited(t, "p4-request", row.edit))
		if kind, says := fault.Of(err); err == nil || kind != row.kind || !strings.Contains(says, row.says) {
			t.Errorf("%v: got %v %q", row.edit, kind, says)
		}
	}
	// The currency is the payment's: an amount that fits another currency of the account is refused when that is known.
	two := korea
	two.Account.Currencies = []money.Currency{won, money.Of("USD")}
	service, e, call := heard(t, two)
	e.In = money.Of("USD")
	half := []byte(`{"captureRequestId":"c","refundAmount":"4500000"}`)
	if _, err := gsptest.Call(t, call, service.AsynchronousRefund, half); err != nil {
		t.Fatal(err)
	}
	ask = e.Refunded
	if a, err := ask.Amount(money.Of("USD")); a != money.New(450, money.Of("USD")) || err != nil {
		t.Errorf("%v, %v", a, err)
	}
	if _, err := ask.Amount(won); !isKind(err, fault.Invalid) {
		t.Errorf("half a won: %v", err)
	}
}

// The whole table of §5.3: every reason of the domain, and what is said where the profile does not list the word.
func TestRefundCodes(t *testing.T) {
	for verdict, want := range map[string]struct{ code, fallback cards.RefundResultCode }{
		"SUCCESS":             {"SUCCESS", "SUCCESS"},
		"nothing_left":        {"NO_MONEY_LEFT_ON_TRANSACTION", "NO_MONEY_LEFT_ON_TRANSACTION"},
		"window_exceeded":     {"REFUND_WINDOW_EXCEEDED", "REFUND_WINDOW_EXCEEDED"},
		"unsupported":         {"NOT_SUPPORTED_BY_NETWORK", "REFUND_WINDOW_EXCEEDED"},
		"issuer_declined":     {"ISSUER_DECLINED", "REFUND_WINDOW_EXCEEDED"},
		"lost_or_stolen":      {"CARD_LOST_OR_STOLEN", "REFUND_WINDOW_EXCEEDED"},
		"card_cancelled":      {"CARD_CANCELLED", "REFUND_WINDOW_EXCEEDED"},
		"chargeback_in_place": {"CHARGEBACK_IN_PLACE", "NO_MONEY_LEFT_ON_TRANSACTION"},
	} {
		for _, row := range []struct {
			profile Profile
			want    cards.RefundResultCode
		}{
			{Profile{}, want.code},
			{Profile{Profile: cards.Profile{RefundCodes: []cards.RefundResultCode{}}}, want.fallback},
			{Profile{Profile: cards.Profile{RefundCodes: []cards.RefundResultCode{want.code}}}, want.code},
		} {
			if got, ok := refundCode(t, row.profile, verdict); got != row.want || !ok {
				t.Errorf("%s with %v: %s, %v", verdict, row.profile.RefundCodes, got, ok)
			}
		}
	}
	for _, verdict := range []string{"", "REFUND_PENDING", "REFUNDED", "success"} {
		if got, ok := refundCode(t, Profile{}, verdict); ok {
			t.Errorf("%q is said as %s", verdict, got)
		}
	}
	for _, why := range gsptest.Constants(t, "../../../core/payment/refund.go", "RefundReason") {
		if _, ok := refundCode(t, Profile{}, why); !ok && why != string(payment.RefundDone) {
			t.Errorf("%s has no word", why)
		}
	}
}

// refundCode is how G3 says a verdict, if it does.
func refundCode(t *testing.T, p Profile, verdict string) (cards.RefundResultCode, bool) {
	t.Helper()
	var said cards.RefundResultNotification
	ok := tell(t, p, engine.Notice{Kind: engine.RefundResult, Subject: "r", Result: verdict}, &said)
	return said.RefundResult, ok
}
