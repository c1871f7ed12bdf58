package cardfop

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"naru/protocol/gsp"
	"naru/protocol/gsp/cards"
	"naru/protocol/gsp/gsptest"
)

func TestTheSheetsExamplesSurviveTheWireTypes(t *testing.T) {
	for name, into := range map[string]any{
		"p1-request":   &ReserveFundsRequest{},
		"p1-token":     &cards.AccountDetails{},
		"p1-response":  &cards.ReserveFundsResponse{},
		"p2-request":   &cards.AsynchronousCaptureFundsReservationRequest{},
		"p2-response":  &cards.AsynchronousCaptureFundsReservationResponse{},
		"p3-request":   &cards.AsynchronousCancelFundsReservationRequest{},
		"p3-response":  &cards.AsynchronousCancelFundsReservationResponse{},
		"p4-request":   &CaptureRequest{},
		"p4-response":  &CaptureResponse{},
		"p5-request":   &cards.AsynchronousRefundRequest{},
		"p5-response":  &cards.AsynchronousRefundResponse{},
		"p6-request":   &VerifyCardWithMinimumReservationRequest{},
		"p6-response":  &cards.VerifyCardWithMinimumReservationResponse{},
		"p7-request":   &cards.DefendChargebackRequest{},
		"p7-response":  &cards.DefendChargebackResponse{},
		"p8-request":   &gsp.EchoRequest{},
		"p8-response":  &gsp.EchoResponse{},
		"g1-request":   &cards.CaptureFundsReservationResultNotification{},
		"g1-response":  &gsp.NotificationResponse{},
		"g2-request":   &cards.CancelFundsReservationResultNotification{},
		"g2-response":  &gsp.NotificationResponse{},
		"g3-request":   &cards.RefundResultNotification{},
		"g3-response":  &gsp.NotificationResponse{},
		"g4-request":   &cards.SetAcquirerReferenceNumberForCaptureNotification{},
		"g4-response":  &gsp.NotificationResponse{},
		"g5-request":   &cards.SetAcquirerReferenceNumberForRefundNotification{},
		"g5-response":  &gsp.NotificationResponse{},
		"g6-request":   &cards.InquiryNotification{},
		"g6-response":  &gsp.NotificationResponse{},
		"g7-request":   &cards.ChargebackNotification{},
		"g7-response":  &gsp.NotificationResponse{},
		"g8-request":   &cards.ChargebackReversedNotification{},
		"g8-response":  &gsp.NotificationResponse{},
		"g9-request":   &cards.FraudNotification{},
		"g9-response":  &gsp.NotificationResponse{},
		"g10-request":  &cards.ReverseRefundNotification{},
		"g10-response": &gsp.NotificationResponse{},
	} {
		t.Run(name, func(t *testing.T) {
			gsptest.RoundTrip(t, name, into)
		})
	}
}

func TestNothingPrintsASecret(t *testing.T) {
	var whole edits
	if err := gsp.Decode(golden(t, "p1-token"), &whole); err != nil {
		t.Fatal(err)
	}
	var pay, token ReserveFundsRequest
	var check VerifyCardWithMinimumReservationRequest
	for _, row := range []struct {
		body []byte
		into any
	}{
		{golden(t, "p1-request"), &pay}, {edited(t, "p1-request", edits{"accountDetails": whole}), &token}, {golden(t, "p6-request"), &check},
	} {
		if err := gsp.Decode(row.body, row.into); err != nil {
			t.Fatal(err)
		}
	}
	asks := []any{pay, *pay.AccountDetails.Card, *pay.Options, token, check, *check.Card}
	for method, name := range map[string]string{"reserveFunds": "p1-request", "capture": "p4-request", "verify": "p6-request"} {
		ask, err := asked(t, europe, method, golden(t, name))
		if err != nil {
			t.Fatal(err)
		}
		asks = append(asks, ask, ask.Order)
	}
	printed := gsptest.Prints(asks)
	for _, secret := range []string{
		"5555555555554444", "Ines Duarte", "kBMI1mH9wqAAAAAAAAAAAAAAAAA=", "5204240250197840", "AAEBAgMEBQYHCAkKCwwNDg8=", "4111111111111111",
		"378282246310005", "Lena Voss",
	} {
		if strings.Contains(printed, secret) || strings.Contains(printed, fmt.Sprintf("%x", secret)) {
			t.Errorf("%d characters of a secret were printed", len(secret))
		}
	}
}

// Whatever comes: no panic, and what was accepted asks the same after a round trip.
func FuzzPayments(f *testing.F) {
	for _, name := range []string{"p1-request", "p4-request", "p6-request"} {
		f.Add(golden(f, name))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		survives[ReserveFundsRequest](t, "reserveFunds", body)
		survives[CaptureRequest](t, "capture", body)
		survives[VerifyCardWithMinimumReservationRequest](t, "verify", body)
	})
}

func survives[T any](t *testing.T, method string, body []byte) {
	t.Helper()
	var in T
	first, err := asked(t, europe, method, body)
	if err != nil || gsp.Decode(body, &in) != nil {
		return
	}
	again, err := gsp.Encode(in)
	if err != nil {
		t.Fatal(err)
	}
	second, err := asked(t, europe, method, again)
	if err != nil || !reflect.DeepEqual(first.Order, second.Order) || !reflect.DeepEqual(first.Decided, second.Decided) {
		t.Errorf("%s: a round trip changes the order: %v", method, err)
	}
}
