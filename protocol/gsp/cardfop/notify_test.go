package cardfop

import (
	"bytes"
	"context"
	"os"
	"slices"
	"testing"
	"time"

	"naru/core/money"
	"naru/core/settlement"
	"naru/engine"
	"naru/protocol/gsp"
	"naru/protocol/gsp/cards"
	"naru/protocol/gsp/gsptest"
	"naru/protocol/gsp/koreacards"
)

// notifier tells of the account of the sheet's examples, and of one of the other API.
func notifier(t testing.TB, c cards.NotifierConfig) *cards.Notifier {
	t.Helper()
	c.Accounts = map[string]cards.Told{"NorthwindPSP_EUR": {API: API}, "Other_KRW": {API: koreacards.API}}
	n, err := cards.NewNotifier(c)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestTheSheetsNotifications(t *testing.T) {
	const api = "/google-card-fop-api/v1/"
	of := func(kind engine.NoticeKind, id, subject, result, code string, f engine.Facts) engine.Notice {
		return engine.Notice{ID: id, Kind: kind, Account: "NorthwindPSP_EUR", Subject: subject, Result: result, Code: code, Facts: f}
	}
	const capture, refund = "CAP-77b0d3f4", "RFD-b61d9920"
	for name, row := range map[string]struct {
		notice engine.Notice
		scope  string
		path   string
	}{
		"g1": {
			of(engine.CaptureResult, "nw-ntf-5b1c7a10", capture, "SUCCESS", "00", engine.Facts{}), "MASTERCARD",
			"/v1/payment-integrator-card-fop-api/captureFundsReservationResultNotification",
		},
		"g2": {
			of(engine.CancelResult, "nw-ntf-0f7722cd", "CXL-0a91ee37", "SUCCESS", "", engine.Facts{}), "",
			api + "cancelFundsReservationResultNotification",
		},
		"g3": {
			of(engine.RefundResult, "nw-ntf-91aa03e5", refund, "SUCCESS", "00", engine.Facts{OwnID: "nw-rfd-000077"}), "MASTERCARD",
			api + "refundResultNotification",
		},
		"g4": {
			of(engine.CaptureARN, "nw-arn-c-000455", capture, "", "", engine.Facts{Capture: capture, ARN: "85219046003000123456789"}), "",
			api + "setAcquirerReferenceNumberForCaptureNotification",
		},
		"g5": {
			of(engine.RefundARN, "nw-arn-r-000077", refund, "", "", engine.Facts{Refund: refund, ARN: "85219046010000987654321"}), "",
			api + "setAcquirerReferenceNumberForRefundNotification",
		},
		"g6": {
			of(engine.InquiryRaised, "nw-inq-3f20", "d", "", "6305", engine.Facts{
				Capture: capture, Minor: 3999, Currency: "EUR", Reason: "charge_not_recognized", Scope: "MASTERCARD", Case: "RR-2026-004417",
				AtMs: 1769212800000, ReplyMs: 1770422400000,
			}), "", api + "inquiryNotification",
		},
		"g7": {
			of(engine.ChargebackRaised, "nw-cbk-88c1", "d", "", "4853", engine.Facts{
				Capture: capture, Minor: 3999, Currency: "EUR", Stage: "FIRST", Reason: "not_delivered", Scope: "MASTERCARD",
				Case: "CB-2026-000981", AtMs: 1769904000000, ReplyMs: 1773792000000,
			}), "", api + "chargebackNotification",
		},
		"g8": {
			of(engine.ChargebackReversed, "nw-cbr-1209", "d", "", "2713", engine.Facts{
				Earlier: "nw-cbk-88c1", Minor: 3999, Currency: "EUR", Scope: "MASTERCARD", AtMs: 1772928000000,
			}), "", api + "chargebackReversedNotification",
		},
		"g9": {
			of(engine.FraudReported, "nw-frd-0042", "d", "", "6", engine.Facts{Capture: capture, Scope: "VISA"}), "", api + "fraudNotification",
		},
		"g10": {
			of(engine.RefundReturned, "nw-rrf-0007", refund, "", "14", engine.Facts{Refund: refund, Minor: 1500, Currency: "EUR"}), "MASTERCARD",
			api + "reverseRefundNotification",
		},
	} {
		peer := gsptest.Says("SUCCESS")
		n := notifier(t, cards.NotifierConfig{Client: peer, Network: row.scope})
		if r := n.Send(t.Context(), row.notice); r.Class != gsp.Delivered || r.Alert {
			t.Errorf("%s: got %s: %s", name, r.Class, r.Why)
			continue
		}
		m := peer.Heard[0]
		body, err := gsp.Encode(m.Body)
		if err != nil {
			t.Fatal(err)
		}
		if want := golden(t, name+"-request"); !bytes.Equal(gsptest.Canonical(t, body), want) {
			t.Errorf("%s: got  %s\nwant %s", name, body, want)
		}
		m.Body = nil
		if want := (gsp.Message{Generation: gsp.A, Account: "NorthwindPSP_EUR", Path: row.path, RequestID: row.notice.ID}); m != want {
			t.Errorf("%s: got  %+v\nwant %+v", name, m, want)
		}
	}
}

// The methods, in the sheet's order (§1.3).
func TestNotifiedMethods(t *testing.T) {
	want := []string{
		"captureFundsReservationResultNotification", "cancelFundsReservationResultNotification", "refundResultNotification",
		"setAcquirerReferenceNumberForCaptureNotification", "setAcquirerReferenceNumberForRefundNotification", "inquiryNotification",
		"chargebackNotification", "chargebackReversedNotification", "fraudNotification", "reverseRefundNotification", "settlementNotification",
		"echo",
	}
	if got := Notifications.Methods(); !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
}

// Every refund code has evidence here (§5.3).
func TestRefundCodes(t *testing.T) {
	for verdict, want := range map[string]string{
		"SUCCESS": "SUCCESS", "nothing_left": "NO_MONEY_LEFT_ON_TRANSACTION", "window_exceeded": "REFUND_WINDOW_EXCEEDED",
		"unsupported": "NOT_SUPPORTED_BY_NETWORK", "issuer_declined": "ISSUER_DECLINED", "lost_or_stolen": "CARD_LOST_OR_STOLEN",
		"card_cancelled": "CARD_CANCELLED", "chargeback_in_place": "CHARGEBACK_IN_PLACE",
	} {
		peer := gsptest.Says("SUCCESS")
		n, err := cards.NewNotifier(cards.NotifierConfig{Client: peer, Accounts: map[string]cards.Told{
			"NorthwindPSP_EUR": {API: API, Profile: cards.Profile{RefundCodes: []cards.RefundResultCode{}}},
		}})
		if err != nil {
			t.Fatal(err)
		}
		n.Send(t.Context(), engine.Notice{ID: "n", Kind: engine.RefundResult, Account: "NorthwindPSP_EUR", Subject: "r", Result: verdict})
		if got := peer.Heard[0].Body.(cards.RefundResultNotification).RefundResult; string(got) != want {
			t.Errorf("%s is said as %s", verdict, got)
		}
	}
}

// Acquirer reference numbers are required here: whatever else works, a 404 is never "not offered" (§5.4). Korea's may be.
func TestARNsAreAlwaysOffered(t *testing.T) {
	nobody := gsp.Reply{Class: gsp.Misconfigured, Alert: true, Status: 404, Why: "the peer does not know us"}
	for account, want := range map[string]gsp.Class{"NorthwindPSP_EUR": gsp.Misconfigured, "Other_KRW": gsp.Park} {
		peer := gsptest.Says("SUCCESS")
		n := notifier(t, cards.NotifierConfig{Client: peer})
		n.Send(t.Context(), engine.Notice{ID: "c", Kind: engine.CancelResult, Account: account, Subject: "c", Result: "SUCCESS"})
		peer.Answers = []gsp.Reply{nobody}
		r := n.Send(t.Context(), engine.Notice{ID: "a", Kind: engine.CaptureARN, Account: account, Facts: engine.Facts{Capture: "c", ARN: "7"}})
		if r.Class != want || !r.Alert {
			t.Errorf("%s: %s %q", account, r.Class, r.Why)
		}
	}
}

// One notifier tells every account at the paths of its own API, and replaces those of one API alone.
func TestEachAccountAtItsPaths(t *testing.T) {
	peer := gsptest.Says("SUCCESS")
	n := notifier(t, cards.NotifierConfig{Client: peer, Paths: map[string]map[string]string{Name: {"fraudNotification": "/x"}}})
	for _, account := range []string{"NorthwindPSP_EUR", "Other_KRW"} {
		for kind, f := range map[engine.NoticeKind]engine.Facts{engine.FraudReported: {Capture: "c"}, engine.RefundARN: {Refund: "r", ARN: "7"}} {
			n.Send(t.Context(), engine.Notice{ID: "n", Kind: kind, Account: account, Facts: f})
		}
	}
	var paths []string
	for _, m := range peer.Heard {
		paths = append(paths, m.Account+" "+m.Path)
	}
	slices.Sort(paths)
	if want := []string{
		"NorthwindPSP_EUR /google-card-fop-api/v1/setAcquirerReferenceNumberForRefundNotification", "NorthwindPSP_EUR /x",
		"Other_KRW /google-korea-cards-api/v1/fraudNotification",
		"Other_KRW /google-korea-cards-api/v1/setAcquirerReferenceNumberForRefundNotification",
	}; !slices.Equal(paths, want) {
		t.Errorf("got %v", paths)
	}
	if _, err := n.Echo(t.Context(), "Nobody", "hello"); err == nil {
		t.Error("an account of nobody is told")
	}
	if _, err := cards.NewNotifier(cards.NotifierConfig{
		Accounts: map[string]cards.Told{"A": {API: API}}, Paths: map[string]map[string]string{Name: {"inquiry": "/x"}},
	}); err == nil {
		t.Error("a path for a method that Google does not have is taken")
	}
}

// shelf keeps one settlement of one item.
type shelf struct {
	settlement.Settlement
	item settlement.Item
}

func (s shelf) Items(context.Context, string, int64, int64) ([]settlement.Item, error) {
	return []settlement.Item{s.item}, nil
}

type settlements struct{ shelf }

func (s settlements) Settlement(context.Context, string) (settlement.Settlement, error) {
	return s.shelf.Settlement, nil
}

// The sheet's G11, in generation B, and its answer (§5.11).
func TestTheSheetsSettlement(t *testing.T) {
	text, err := os.ReadFile("testdata/g11-response.json")
	if err != nil {
		t.Fatal(err)
	}
	item := settlement.Item{
		Account: "NorthwindPSP_EUR", Kind: settlement.Capture, Subject: "CAP-77b0d3f4", OwnID: "nw-cap-000455",
		Charge: money.New(3999, euro), Fee: money.New(-80, euro), VAT: money.New(0, euro),
	}
	totals, err := settlement.Total(euro, []settlement.Item{item})
	if err != nil {
		t.Fatal(err)
	}
	whole := settlement.Settlement{
		ID: "nw-stl-20260105", Account: "NorthwindPSP_EUR", Currency: euro,
		Start: time.UnixMilli(1767225600000), End: time.UnixMilli(1767571200000),
		ClosedAt: time.UnixMilli(1767657500000), Totals: totals, Parts: 1,
	}
	peer := &gsptest.Google{Answers: []gsp.Reply{{Class: gsp.Delivered, Status: 200, Body: text}}}
	n := notifier(t, cards.NotifierConfig{Client: peer, Settlements: settlements{shelf{whole, item}}})
	notice := engine.Notice{
		ID: "nw-stl-20260105-0", Kind: engine.SettlementPart, Account: "NorthwindPSP_EUR", Facts: engine.Facts{OwnID: "nw-stl-20260105"},
	}
	if r := n.Send(t.Context(), notice); r.Class != gsp.Delivered {
		t.Fatalf("%s: %s", r.Class, r.Why)
	}
	m := peer.Heard[0]
	body, err := gsp.Encode(m.Body)
	if err != nil {
		t.Fatal(err)
	}
	cents := func(micros string) edits { return edits{"amountMicros": micros, "currencyCode": "EUR"} }
	want := gsptest.Canonical(t, edited(t, "g11-request", edits{ // the example's fee has a fraction of a cent; our books have none
		"settlementAmount": cents("39190000"), "captureEvents": []any{edits{
			"captureRequestId": "CAP-77b0d3f4", "paymentIntegratorCaptureId": "nw-cap-000455", "eventCharge": cents("39990000"),
			"eventFee": cents("-800000"), "eventVat": cents("0"),
		}},
	}))
	if got := gsptest.Canonical(t, body); !bytes.Equal(got, want) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	m.Body = nil
	if want := (gsp.Message{
		Generation: gsp.B, Account: "NorthwindPSP_EUR", Path: "/google-card-fop-api/v1/settlementNotification", RequestID: "nw-stl-20260105-0",
	}); m != want {
		t.Errorf("got  %+v\nwant %+v", m, want)
	}
}
