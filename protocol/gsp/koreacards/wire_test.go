package koreacards

import (
	"bytes"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"naru/protocol/gsp"
	"naru/protocol/gsp/cards"
	"naru/protocol/gsp/gsptest"
)

func TestTheSheetsExamplesSurviveTheWireTypes(t *testing.T) {
	for name, into := range map[string]any{
		"p1-request":      &ReserveFundsRequest{},
		"p1-token":        &cards.AccountDetails{},
		"p1-full":         &ReserveFundsRequest{},
		"p1-approved":     &cards.ReserveFundsResponse{},
		"p1-declined":     &cards.ReserveFundsResponse{},
		"p1-other":        &ReserveFundsRequest{},
		"p1-all":          &cards.ReserveFundsResponse{},
		"p1-answer-other": &cards.ReserveFundsResponse{},
		"p1-answer-1993":  &cards.ReserveFundsResponse{},
		"p2-request":      &cards.AsynchronousCaptureFundsReservationRequest{},
		"p2-response":     &cards.AsynchronousCaptureFundsReservationResponse{},
		"p3-request":      &cards.AsynchronousCancelFundsReservationRequest{},
		"p3-response":     &cards.AsynchronousCancelFundsReservationResponse{},
		"p4-request":      &cards.AsynchronousRefundRequest{},
		"p4-response":     &cards.AsynchronousRefundResponse{},
		"p5-request":      &VerifyCardWithMinimumReservationRequest{},
		"p5-full":         &VerifyCardWithMinimumReservationRequest{},
		"p5-response":     &cards.VerifyCardWithMinimumReservationResponse{},
		"p6-request":      &cards.DefendChargebackRequest{},
		"p6-elsewhere":    &cards.DefendChargebackRequest{},
		"p6-response":     &cards.DefendChargebackResponse{},
		"p8-request":      &VerifyCardWithZeroAmountRequest{},
		"p8-full":         &VerifyCardWithZeroAmountRequest{},
		"p8-response":     &VerifyCardWithZeroAmountResponse{},
		"g1-request":      &cards.CaptureFundsReservationResultNotification{},
		"g1-response":     &gsp.NotificationResponse{},
		"g2-request":      &cards.CancelFundsReservationResultNotification{},
		"g2-response":     &gsp.NotificationResponse{},
		"g3-request":      &cards.RefundResultNotification{},
		"g3-response":     &gsp.NotificationResponse{},
		"g4-request":      &cards.ReverseRefundNotification{},
		"g4-response":     &gsp.NotificationResponse{},
		"g5-request":      &cards.InquiryNotification{},
		"g5-response":     &gsp.NotificationResponse{},
		"g6-request":      &cards.ChargebackNotification{},
		"g6-response":     &gsp.NotificationResponse{},
		"g7-request":      &cards.ChargebackReversedNotification{},
		"g7-response":     &gsp.NotificationResponse{},
		"g8-request":      &cards.FraudNotification{},
		"g8-response":     &gsp.NotificationResponse{},
		"g10-request":     &cards.SetAcquirerReferenceNumberForCaptureNotification{},
		"g10-response":    &gsp.NotificationResponse{},
		"g11-request":     &cards.SetAcquirerReferenceNumberForRefundNotification{},
		"g11-response":    &gsp.NotificationResponse{},
		"g12-request":     &gsp.EchoRequest{},
		"g12-response":    &gsp.EchoResponse{},
	} {
		t.Run(name, func(t *testing.T) {
			gsptest.RoundTrip(t, name, into)
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
		if typ.Kind() != reflect.Struct || typ == reflect.TypeFor[gsp.Secret]() {
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
	walk(reflect.TypeFor[cards.ReserveFundsResponse]())
	walk(reflect.TypeFor[cards.AsynchronousRefundRequest]())
	walk(reflect.TypeFor[VerifyCardWithMinimumReservationRequest]())
	walk(reflect.TypeFor[cards.VerifyCardWithMinimumReservationResponse]())
	walk(reflect.TypeFor[cards.DefendChargebackRequest]())
	walk(reflect.TypeFor[VerifyCardWithZeroAmountRequest]())
	walk(reflect.TypeFor[VerifyCardWithZeroAmountResponse]())
	walk(reflect.TypeFor[cards.RefundResultNotification]())
	walk(reflect.TypeFor[cards.ReverseRefundNotification]())
	walk(reflect.TypeFor[cards.InquiryNotification]())
	walk(reflect.TypeFor[cards.ChargebackNotification]())
	walk(reflect.TypeFor[cards.ChargebackReversedNotification]())
	walk(reflect.TypeFor[cards.FraudNotification]())
	walk(reflect.TypeFor[cards.SettlementNotification]())
	walk(reflect.TypeFor[cards.SetAcquirerReferenceNumberForCaptureNotification]())
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
		c, o := in.AccountDetails.Card, in.Options
		var leaves []any
		for _, s := range []*gsp.Secret{
			c.AccountNumber, c.NameOnCard, c.CVN, o.PIN, o.ConnectingInformation, o.DateOfBirth, o.BusinessIdentifier,
		} {
			if s != nil {
				leaves = append(leaves, s, *s, []any{s}, struct{ S gsp.Secret }{*s})
			}
		}
		wholes := []any{in, &in, *in.AccountDetails, *c, *o, ask, ask.Order}
		short := gsptest.Prints(leaves, "%d", "%b", "%U", "%o", "%t") + gsptest.Prints([]any{ask.Order.Holder, ask.Order.CVN, ask.Order.PAN})
		long := gsptest.Prints(wholes)
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
	var defence cards.DefendChargebackRequest
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
	printed := gsptest.Prints([]any{
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
