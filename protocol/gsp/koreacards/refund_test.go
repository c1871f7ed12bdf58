package koreacards

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"

	"naru/core/fault"
	"naru/core/money"
	"naru/core/payment"
	"naru/engine"
	"naru/protocol/gsp"
)

func refundAsk(t testing.TB, body []byte) (engine.RefundAsk, error) {
	t.Helper()
	var in AsynchronousRefundRequest
	if err := gsp.Decode(body, &in); err != nil {
		return engine.RefundAsk{}, err
	}
	return korea.refundAsk(in)
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
	two.account.Currencies = []money.Currency{won, money.Of("USD")}
	half, id := gsp.Int64(4_500_000), "c"
	ask, err = two.refundAsk(AsynchronousRefundRequest{&id, &half})
	if err != nil {
		t.Fatal(err)
	}
	if a, err := ask.Amount(money.Of("USD")); a != money.New(450, money.Of("USD")) || err != nil {
		t.Errorf("%v, %v", a, err)
	}
	if _, err := ask.Amount(won); !isKind(err, fault.Invalid) {
		t.Errorf("half a won: %v", err)
	}
}

// The whole table of §5.3: every reason of the domain, and what is said where the profile does not list the word.
func TestRefundCodes(t *testing.T) {
	for verdict, want := range map[string]struct{ code, fallback RefundResultCode }{
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
			want    RefundResultCode
		}{
			{Profile{}, want.code},
			{Profile{RefundCodes: []RefundResultCode{}}, want.fallback},
			{Profile{RefundCodes: []RefundResultCode{want.code}}, want.code},
		} {
			if got, ok := row.profile.refundCode(verdict); got != row.want || !ok {
				t.Errorf("%s with %v: %s, %v", verdict, row.profile.RefundCodes, got, ok)
			}
		}
	}
	for _, verdict := range []string{"", "REFUND_PENDING", "REFUNDED", "success"} {
		if got, ok := (Profile{}).refundCode(verdict); ok {
			t.Errorf("%q is said as %s", verdict, got)
		}
	}
	for _, why := range constants(t, "../../../core/payment/refund.go", "RefundReason") {
		if _, ok := (Profile{}).refundCode(why); !ok && why != string(payment.RefundDone) {
			t.Errorf("%s has no word", why)
		}
	}
}

// constants reads a type's constants from the domain's source: a new one must not be forgotten here.
func constants(t *testing.T, path, typ string) (list []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		v, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if name, ok := v.Type.(*ast.Ident); ok && name.Name == typ && len(v.Values) == 1 {
			text, err := strconv.Unquote(v.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, text)
		}
		return true
	})
	if len(list) < 3 {
		t.Fatalf("%s: found %d constants of %s", path, len(list), typ)
	}
	return list
}
