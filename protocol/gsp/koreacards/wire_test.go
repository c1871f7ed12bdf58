package koreacards

import (
	"bytes"
	stdjson "encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"naru/protocol/gsp"
)

// golden reads one of the sheet's examples without the members that are the envelope's.
func golden(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	return canonical(t, text, "requestHeader", "responseHeader", "paymentIntegratorAccountId")
}

func canonical(t testing.TB, text []byte, without ...string) []byte {
	t.Helper()
	var members map[string]jsontext.Value
	if err := json.Unmarshal(text, &members); err != nil {
		t.Fatal(err)
	}
	for _, name := range without {
		delete(members, name)
	}
	out, err := json.Marshal(members, json.Deterministic(true))
	if err != nil {
		t.Fatal(err)
	}
	v := jsontext.Value(out)
	if err := v.Canonicalize(); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestTheSheetsExamplesSurviveTheWireTypes(t *testing.T) {
	for name, into := range map[string]any{
		"p1-request":      &ReserveFundsRequest{},
		"p1-token":        &AccountDetails{},
		"p1-full":         &ReserveFundsRequest{},
		"p1-approved":     &ReserveFundsResponse{},
		"p1-declined":     &ReserveFundsResponse{},
		"p1-other":        &ReserveFundsRequest{},
		"p1-all":          &ReserveFundsResponse{},
		"p1-answer-other": &ReserveFundsResponse{},
		"p1-answer-1993":  &ReserveFundsResponse{},
		"p2-request":      &AsynchronousCaptureFundsReservationRequest{},
		"p2-response":     &AsynchronousCaptureFundsReservationResponse{},
		"p3-request":      &AsynchronousCancelFundsReservationRequest{},
		"p3-response":     &AsynchronousCancelFundsReservationResponse{},
		"p4-request":      &AsynchronousRefundRequest{},
		"p4-response":     &AsynchronousRefundResponse{},
		"p5-request":      &VerifyCardWithMinimumReservationRequest{},
		"p5-full":         &VerifyCardWithMinimumReservationRequest{},
		"p5-response":     &VerifyCardWithMinimumReservationResponse{},
		"p6-request":      &DefendChargebackRequest{},
		"p6-elsewhere":    &DefendChargebackRequest{},
		"p6-response":     &DefendChargebackResponse{},
		"p8-request":      &VerifyCardWithZeroAmountRequest{},
		"p8-full":         &VerifyCardWithZeroAmountRequest{},
		"p8-response":     &VerifyCardWithZeroAmountResponse{},
		"g1-request":      &CaptureFundsReservationResultNotification{},
		"g1-response":     &NotificationResponse{},
		"g2-request":      &CancelFundsReservationResultNotification{},
		"g2-response":     &NotificationResponse{},
		"g3-request":      &RefundResultNotification{},
		"g3-response":     &NotificationResponse{},
		"g4-request":      &ReverseRefundNotification{},
		"g4-response":     &NotificationResponse{},
		"g5-request":      &InquiryNotification{},
		"g5-response":     &NotificationResponse{},
		"g6-request":      &ChargebackNotification{},
		"g6-response":     &NotificationResponse{},
		"g7-request":      &ChargebackReversedNotification{},
		"g7-response":     &NotificationResponse{},
		"g8-request":      &FraudNotification{},
		"g8-response":     &NotificationResponse{},
		"g10-request":     &SetAcquirerReferenceNumberForCaptureNotification{},
		"g10-response":    &NotificationResponse{},
		"g11-request":     &SetAcquirerReferenceNumberForRefundNotification{},
		"g11-response":    &NotificationResponse{},
		"g12-request":     &EchoRequest{},
		"g12-response":    &EchoResponse{},
	} {
		t.Run(name, func(t *testing.T) {
			want := golden(t, name)
			if err := gsp.Decode(want, into); err != nil {
				t.Fatal(err)
			}
			again, err := gsp.Encode(into)
			if err != nil {
				t.Fatal(err)
			}
			if got := canonical(t, again); !bytes.Equal(got, want) {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

func TestEveryMemberIsInAnExample(t *testing.T) {
	var seen []byte
	for _, name := range []string{
		"p1-request", "p1-token", "p1-full", "p1-all", "p1-approved", "p1-other", "p1-answer-other",
		"p1-answer-1993", "p4-request", "p5-request", "p5-full", "p5-response", "p6-request", "p6-elsewhere", "p8-request", "p8-full",
		"g3-request", "g5-request", "g6-request", "g7-request", "g8-request", "g9-request", "g10-request",
	} {
		text, err := os.ReadFile("testdata/" + name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, text...)
	}
	var walk func(reflect.Type)
	walk = func(typ reflect.Type) {
		for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice {
			typ = typ.Elem()
		}
		if typ.Kind() != reflect.Struct || typ == reflect.TypeFor[Secret]() {
			return
		}
		for i := range typ.NumField() {
			name, _, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
			if name == "" { // its members stand beside the others
				if typ.Field(i).Anonymous {
					walk(typ.Field(i).Type)
				}
				continue
			}
			if !bytes.Contains(seen, []byte(`"`+name+`"`)) {
				t.Errorf("%s.%s stands in no example", typ.Name(), name)
			}
			walk(typ.Field(i).Type)
		}
	}
	walk(reflect.TypeFor[ReserveFundsRequest]())
	walk(reflect.TypeFor[ReserveFundsResponse]())
	walk(reflect.TypeFor[AsynchronousRefundRequest]())
	walk(reflect.TypeFor[VerifyCardWithMinimumReservationRequest]())
	walk(reflect.TypeFor[VerifyCardWithMinimumReservationResponse]())
	walk(reflect.TypeFor[DefendChargebackRequest]())
	walk(reflect.TypeFor[VerifyCardWithZeroAmountRequest]())
	walk(reflect.TypeFor[VerifyCardWithZeroAmountResponse]())
	walk(reflect.TypeFor[RefundResultNotification]())
	walk(reflect.TypeFor[ReverseRefundNotification]())
	walk(reflect.TypeFor[InquiryNotification]())
	walk(reflect.TypeFor[ChargebackNotification]())
	walk(reflect.TypeFor[ChargebackReversedNotification]())
	walk(reflect.TypeFor[FraudNotification]())
	walk(reflect.TypeFor[SettlementNotification]())
	walk(reflect.TypeFor[SetAcquirerReferenceNumberForCaptureNotification]())
}

func TestNotificationResultIsReadInBothShapes(t *testing.T) {
	for text, want := range map[string]NotificationResult{
		`"SUCCESS"`: "SUCCESS", `{"success":{}}`: "SUCCESS", `{"accepted":{}}`: "SUCCESS", `"REFUSED"`: "REFUSED",
		`{"refused":{"why":1}}`: "refused",
	} {
		var got NotificationResult
		if err := json.Unmarshal([]byte(text), &got); err != nil || got != want {
			t.Errorf("%s: got %q, %v", text, got, err)
		}
	}
	for _, text := range []string{`5`, `{}`, `{"success":{},"refused":{}}`, `["SUCCESS"]`, `true`} {
		var got NotificationResult
		if err := json.Unmarshal([]byte(text), &got); err == nil {
			t.Errorf("%s: got %q, want an error", text, got)
		}
	}
}

func TestResponseCodeIsReadInBothShapes(t *testing.T) {
	for text, want := range map[string]ResponseCode{`"05"`: "05", `{"code":"N4"}`: "N4", `{"anything":"116"}`: "116"} {
		var got ResponseCode
		if err := json.Unmarshal([]byte(text), &got); err != nil || got != want {
			t.Errorf("%s: got %q, %v", text, got, err)
		}
	}
	for _, text := range []string{`5`, `{}`, `{"a":"1","b":"2"}`, `{"a":1}`, `["05"]`, `true`} {
		var got ResponseCode
		if err := json.Unmarshal([]byte(text), &got); err == nil {
			t.Errorf("%s: got %q, want an error", text, got)
		}
	}
}

// secretsIn lists every secret text of an example.
var secretsIn = map[string][]string{
	"p1-full":    {"4242424242424242", "SEO JIHUN", "737", "AJkBBkhgQQAAAE4gSEJydQAAAAA=", "473", "910417", "123-45-67891", ci},
	"p1-request": {"4242424242424242", "SEO JIHUN", "1991-04-17", ci},
}

const ci = "5wLdXA7VRrU6q/dXllJKbBBD2FUJ92h83TNuE/S9vE5sBEF+4XI0H0SGt13GirZjl1/XFPNLLrWFUxgm19E4/g=="

func TestNothingPrintsASecret(t *testing.T) {
	for name, secrets := range secretsIn {
		var in ReserveFundsRequest
		if err := gsp.Decode(golden(t, name), &in); err != nil {
			t.Fatal(err)
		}
		ask, err := korea.reserveAsk(in)
		if err != nil {
			t.Fatal(err)
		}
		c, o := in.AccountDetails.Card, in.AdditionalTransactionProcessingOptions
		var leaves []any
		for _, s := range []*Secret{c.AccountNumber, c.NameOnCard, c.CVN, o.PIN, o.ConnectingInformation, o.DateOfBirth, o.BusinessIdentifier} {
			if s != nil {
				leaves = append(leaves, s, *s, []any{s}, struct{ S Secret }{*s})
			}
		}
		wholes := []any{in, &in, *in.AccountDetails, *c, *o, ask, ask.Order}
		short := prints(leaves, "%d", "%b", "%U", "%o", "%t") + prints([]any{ask.Order.Holder, ask.Order.CVN, ask.Order.PAN})
		long := prints(wholes)
		for _, secret := range secrets {
			for _, text := range []string{secret, fmt.Sprintf("%x", secret)} {
				// A short one may stand in an address or a time by chance, but not in what is printed of the members alone.
				if strings.Contains(short, text) || len(text) > 5 && strings.Contains(long, text) {
					t.Errorf("%s: %d characters of a secret were printed", name, len(secret))
				}
			}
		}
	}
}

func TestNothingPrintsASecretOfACheckATokenOrADefence(t *testing.T) {
	var token ReserveFundsRequest
	var whole edits
	if err := json.Unmarshal(golden(t, "p1-token"), &whole); err != nil {
		t.Fatal(err)
	}
	if err := gsp.Decode(edited(t, "p1-request", edits{"accountDetails": whole}), &token); err != nil {
		t.Fatal(err)
	}
	var hold VerifyCardWithMinimumReservationRequest
	var check VerifyCardWithZeroAmountRequest
	var defence DefendChargebackRequest
	for name, into := range map[string]any{"p5-request": &hold, "p8-full": &check, "p6-request": &defence} {
		if err := gsp.Decode(golden(t, name), into); err != nil {
			t.Fatal(err)
		}
	}
	first, err1 := korea.reserveAsk(token)
	second, err2 := korea.verifyHoldAsk(hold)
	third, err3 := korea.checkAsk(check)
	if err1 != nil || err2 != nil || err3 != nil {
		t.Fatal(err1, err2, err3)
	}
	printed := prints([]any{
		token, *token.AccountDetails.PaymentToken, hold, *hold.Card, check, hold.HolderData, check.HolderData, defence,
		*defence.DefenseMaterialDocument, first.Order, second.Order, third.Order, first.Order.Token,
	})
	for _, secret := range []string{
		"5555555555554444", "AgAAAAAABk4DWZ4C28yUQAAAAAA=", "SEO JIHUN", "4111111111111111", "HANBIT TRADING", "1234567891", ci, "1991-04-17",
		"910417", "4242424242424242", "JVBERi0xLjcKJcK1wrYKCg",
	} {
		if strings.Contains(printed, secret) || strings.Contains(printed, fmt.Sprintf("%x", secret)) {
			t.Errorf("%d characters of a secret were printed", len(secret))
		}
	}
}

// prints shows values in every way we can think of.
func prints(values []any, verbs ...string) string {
	var out strings.Builder
	text := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: withoutTime}))
	object := slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{ReplaceAttr: withoutTime}))
	for _, v := range values {
		for _, verb := range append(verbs, "%v", "%+v", "%#v", "%s", "%q", "%x", "%X") {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		fmt.Fprintln(&out, fmt.Errorf("wrapped: %v", v))
		text.Info("call", "body", v)
		object.Info("call", "body", v)
		if text, err := stdjson.Marshal(v); err == nil {
			out.Write(text)
		}
		if text, err := xml.Marshal(v); err == nil {
			out.Write(text)
		}
	}
	return regexp.MustCompile(`(?i)0x[0-9a-f]+|c[0-9a-f]{9}`).ReplaceAllString(out.String(), "address")
}

func withoutTime(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}
