package koreacards

import (
	"bytes"
	"context"
	"os"
	"slices"
	"strings"
	"testing"

	"naru/engine"
	"naru/protocol/gsp"
	"naru/protocol/gsp/cards"
	"naru/protocol/gsp/gsptest"
)

// notifier tells of one account with a profile, and of a few with none.
func notifier(t testing.TB, c cards.NotifierConfig, p Profile) *cards.Notifier {
	t.Helper()
	c.Accounts = map[string]cards.Told{"HanbitPG_KRW": {API: API, Profile: p.Profile}, "A": {API: API}, "B": {API: API}}
	n, err := cards.NewNotifier(c)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// tell sends a notice to a Google that takes all of them, and reads what it heard. It is false where nothing is said.
func tell(t testing.TB, p Profile, notice engine.Notice, said any) bool {
	t.Helper()
	notice.Account = "HanbitPG_KRW"
	peer := gsptest.Says("SUCCESS")
	notifier(t, cards.NotifierConfig{Client: peer}, p).Send(t.Context(), notice)
	if len(peer.Heard) == 0 {
		return false
	}
	body, err := gsp.Encode(peer.Heard[0].Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := gsp.Decode(body, said); err != nil {
		t.Fatal(err)
	}
	return true
}

func TestVerdictsOnTheWire(t *testing.T) {
	capture := engine.Notice{
		ID: "hb-g1-0000731", Kind: engine.CaptureResult, Account: "HanbitPG_KRW", Subject: "KR-CAP-77b0-0001",
		Result: "SUCCESS",
	}
	cancel := engine.Notice{
		ID: "hb-g2-0000732", Kind: engine.CancelResult, Account: "HanbitPG_KRW", Subject: "KR-CXL-0a91-0001",
		Result: "SUCCESS",
	}
	sheets := func(name string) string { return string(golden(t, name+"-request")) }
	const regular = "/google-korea-cards-api/v1/"
	const g1, g2 = "/v1/payment-integrator-korea-cards-api/captureFundsReservationResultNotification",
		"/google-korea-cards-api/v1/cancelFundsReservationResultNotification"
	about := func(kind engine.NoticeKind, id string, f engine.Facts) engine.Notice {
		return engine.Notice{ID: id, Kind: kind, Account: "HanbitPG_KRW", Facts: f}
	}
	of := func(n engine.Notice, subject, result, code string) engine.Notice {
		n.Subject, n.Result, n.Code = subject, result, code
		return n
	}
	refund := about(engine.RefundResult, "hb-g3-0000088", engine.Facts{OwnID: "hb-rfd-0000088"})
	back := about(engine.RefundReturned, "hb-g4-0000088", engine.Facts{Refund: "KR-RFD-b61d-0001", Minor: 4000, Currency: "KRW"})
	asked := about(engine.InquiryRaised, "hb-g5-0000012", engine.Facts{
		Capture: "KR-CAP-77b0-0001", Minor: 12900, Currency: "KRW", Reason: "charge_not_recognized", Case: "INQ-2026-00419", AtMs: 1774828800000,
		ReplyMs: 1775779200000,
	})
	raised := about(engine.ChargebackRaised, "hb-g6-0000005", engine.Facts{
		Capture: "KR-CAP-77b0-0001", Minor: 8900, Currency: "KRW", Stage: "FIRST", Reason: "not_delivered", Scope: "VISA", Case: "CB-2026-00077",
		AtMs: 1774915200000, ReplyMs: 1776988800000,
	})
	won := about(engine.ChargebackReversed, "hb-g7-0000005", engine.Facts{
		Earlier: "hb-g6-0000005", Capture: "KR-CAP-77b0-0001", Minor: 8900, Currency: "KRW", Scope: "VISA", AtMs: 1779148800000,
	})
	suspected := about(engine.FraudReported, "hb-g8-0000003", engine.Facts{Capture: "KR-CAP-77b0-0001", Scope: "VISA"})
	arn := about(engine.CaptureARN, "hb-g10-0000731", engine.Facts{Capture: "KR-CAP-77b0-0001", ARN: "74410996062000731000017"})
	refundedARN := about(engine.RefundARN, "hb-g11-0000088", engine.Facts{Refund: "KR-RFD-b61d-0001", ARN: "74410996073000088000029"})
	with := func(n engine.Notice, result, code string) engine.Notice { n.Result, n.Code = result, code; return n }
	for name, row := range map[string]struct {
		notice  engine.Notice
		network string
		paths   map[string]string
		path    string
		body    string
	}{
		"the sheet's G1":  {with(capture, "SUCCESS", "0000"), "BC", nil, g1, string(golden(t, "g1-request"))},
		"the sheet's G2":  {cancel, "BC", nil, g2, string(golden(t, "g2-request"))},
		"the sheet's G3":  {of(refund, "KR-RFD-b61d-0001", "SUCCESS", "0000"), "BC", nil, regular + "refundResultNotification", sheets("g3")},
		"the sheet's G4":  {of(back, "KR-RFD-b61d-0001", "", "8350"), "BC", nil, regular + "reverseRefundNotification", sheets("g4")},
		"the sheet's G5":  {of(asked, "x", "", "30"), "BC", nil, regular + "inquiryNotification", sheets("g5")},
		"the sheet's G6":  {of(raised, "x", "", "13.1"), "BC", nil, regular + "chargebackNotification", sheets("g6")},
		"the sheet's G7":  {of(won, "x", "", "WON"), "BC", nil, regular + "chargebackReversedNotification", sheets("g7")},
		"the sheet's G8":  {of(suspected, "x", "", "6"), "BC", nil, regular + "fraudNotification", sheets("g8")},
		"the sheet's G10": {arn, "BC", nil, regular + "setAcquirerReferenceNumberForCaptureNotification", sheets("g10")},
		"the sheet's G11": {refundedARN, "BC", nil, regular + "setAcquirerReferenceNumberForRefundNotification", sheets("g11")},
		"a refund that failed without the network": {
			of(about(engine.RefundResult, "n", engine.Facts{}), "KR-RFD-b61d-0001", "window_exceeded", ""), "BC", nil,
			regular + "refundResultNotification", `{"refundRequestId":"KR-RFD-b61d-0001","refundResult":"REFUND_WINDOW_EXCEEDED"}`,
		},
		"a code is required, and there is none": {
			back, "", nil, regular + "reverseRefundNotification",
			`{"amount":"4000000000","rawResult":{"rawCode":"NONE","scope":"Iso8583Code"},"refundRequestId":"KR-RFD-b61d-0001"}`,
		},
		"no case": {
			of(about(engine.InquiryRaised, "n", engine.Facts{
				Capture: "c", Minor: 1, Currency: "KRW", Reason: "of tomorrow", AtMs: 1, ReplyMs: 2,
			}), "x", "", "30"), "BC", nil, regular + "inquiryNotification",
			`{"amount":"1000000","captureRequestId":"c","inquiryDate":"1","rawResult":{"rawCode":"30","scope":"BC"},"reasonCode":"UNCLEAR",` +
				`"replyByDate":"2"}`,
		},
		"a second chargeback at a path of its own": {
			about(engine.ChargebackRaised, "n", engine.Facts{
				Capture: "c", Minor: 1, Currency: "KRW", Stage: "SECOND", Reason: "fraud", AtMs: 1, ReplyMs: 2,
			}), "BC",
			map[string]string{"chargebackNotification": "/x"},
			"/x",
			`{"amount":"1000000","captureRequestId":"c","chargebackDate":"1","chargebackStage":"SECOND",` +
				`"rawResult":{"rawCode":"NONE","scope":"BC"},"reasonCode":"FRAUD","replyByDate":"2"}`,
		},
		"expired": {
			with(capture, "EXPIRED", ""), "", nil, g1,
			`{"captureFundsReservationRequestId":"KR-CAP-77b0-0001","captureFundsReservationResult":"RESERVATION_EXPIRED"}`,
		},
		"revoked, code of no named network": {
			with(capture, "REVOKED", "R1"), "", nil, g1,
			`{"captureFundsReservationRequestId":"KR-CAP-77b0-0001","captureFundsReservationResult":"REVOCATION_OF_AUTHORIZATION",` +
				`"rawResult":{"rawCode":"R1","scope":"Iso8583Code"}}`,
		},
		"G1 at Google's prefix": {
			capture, "",
			map[string]string{"captureFundsReservationResultNotification": "/google-korea-cards-api/v1/x"},
			"/google-korea-cards-api/v1/x",
			`{"captureFundsReservationRequestId":"KR-CAP-77b0-0001","captureFundsReservationResult":"SUCCESS"}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			peer := gsptest.Says("SUCCESS")
			paths := map[string]map[string]string{Name: row.paths}
			n := notifier(t, cards.NotifierConfig{Client: peer, Paths: paths, Network: row.network}, Profile{})
			if r := n.Send(context.Background(), row.notice); r.Class != gsp.Delivered || r.Alert {
				t.Errorf("got %s: %s", r.Class, r.Why)
			}
			m := peer.Heard[0]
			body, err := gsp.Encode(m.Body)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(canonical(t, body), []byte(row.body)) {
				t.Errorf("got  %s\nwant %s", body, row.body)
			}
			m.Body = nil
			if want := (gsp.Message{Generation: gsp.A, Account: "HanbitPG_KRW", Path: row.path, RequestID: row.notice.ID}); m != want {
				t.Errorf("got  %+v\nwant %+v", m, want)
			}
		})
	}
}

func TestWhatGoogleAnswersToAVerdict(t *testing.T) {
	notice := engine.Notice{ID: "n", Kind: engine.CancelResult, Account: "A", Subject: "c", Result: "SUCCESS"}
	stale := gsp.Reply{Class: gsp.RetryNow, Status: 400, Code: "REQUEST_TIMESTAMP_OUT_OF_RANGE", Alert: true}
	for name, row := range map[string]struct {
		notice  engine.Notice
		answers []gsp.Reply
		want    gsp.Class
		alert   bool
		calls   int
	}{
		"success":                          {notice, []gsp.Reply{gsptest.Answered("SUCCESS")}, gsp.Delivered, false, 1},
		"another word":                     {notice, []gsp.Reply{gsptest.Answered("REFUSED")}, gsp.Park, true, 1},
		"no word":                          {notice, []gsp.Reply{{Class: gsp.Delivered, Status: 200, Body: []byte(`{}`)}}, gsp.Park, true, 1},
		"silent":                           {notice, []gsp.Reply{{}}, gsp.Retry, false, 1},
		"unknown there":                    {notice, []gsp.Reply{{Class: gsp.RetryBriefly, Status: 404}}, gsp.RetryBriefly, false, 1},
		"refused":                          {notice, []gsp.Reply{{Class: gsp.Park, Status: 400, Alert: true}}, gsp.Park, true, 1},
		"clock off once":                   {notice, []gsp.Reply{stale, gsptest.Answered("SUCCESS")}, gsp.Delivered, false, 2},
		"clock off for good":               {notice, []gsp.Reply{stale}, gsp.RetryNow, true, 3},
		"a capture's verdict that is none": {engine.Notice{Kind: engine.CaptureResult, Account: "A", Result: "PENDING"}, nil, gsp.Park, true, 0},
		"a cancel's verdict that is none":  {engine.Notice{Kind: engine.CancelResult, Account: "A", Result: "PENDING"}, nil, gsp.Park, true, 0},
		"a refund's verdict that is none":  {engine.Notice{Kind: engine.RefundResult, Account: "A", Result: "PENDING"}, nil, gsp.Park, true, 0},
		"a refund's verdict that is empty": {engine.Notice{Kind: engine.RefundResult, Account: "A"}, nil, gsp.Park, true, 0},
		"a file is nobody's call":          {engine.Notice{Kind: engine.SettlementFile, Account: "A"}, nil, gsp.Park, true, 0},
		"a settlement, and nobody to ask":  {engine.Notice{Kind: engine.SettlementPart, Account: "A"}, nil, gsp.Park, true, 0},
		"no kind":                          {engine.Notice{Account: "A", Subject: "echo"}, nil, gsp.Park, true, 0},
		"nobody's account": {
			engine.Notice{Kind: engine.CancelResult, Account: "Z", Subject: "c", Result: "SUCCESS"}, nil, gsp.Park, true, 0,
		},
		"a kind of another API": {engine.Notice{Kind: engine.PayoutResult, Account: "A", Result: "SUCCESS"}, nil, gsp.Park, true, 0},
	} {
		peer := &gsptest.Google{Answers: row.answers}
		n := notifier(t, cards.NotifierConfig{Client: peer}, Profile{})
		if r := n.Send(context.Background(), row.notice); r.Class != row.want || r.Alert != row.alert || len(peer.Heard) != row.calls {
			t.Errorf("%s: got %s, alert %v, after %d calls", name, r.Class, r.Alert, len(peer.Heard))
		}
		if other := func(m gsp.Message) bool { return m.RequestID != row.notice.ID }; slices.ContainsFunc(peer.Heard, other) {
			t.Errorf("%s: a repeat under another id", name)
		}
	}
	if _, err := cards.NewNotifier(cards.NotifierConfig{
		Accounts: map[string]cards.Told{"A": {API: API}}, Paths: map[string]map[string]string{Name: {"refundResultNotifications": "/x"}},
	}); err == nil {
		t.Error("a path for a method that Google does not have is taken")
	}
}

// Facts without which a notice would say something else, one by one: it waits for a person instead.
func TestNoticesThatSayTooLittle(t *testing.T) {
	whole := engine.Facts{
		Capture: "c", Refund: "r", OwnID: "o", Earlier: "n-0", Minor: 1, Currency: "KRW", Stage: "FIRST", Reason: "fraud", Scope: "VISA",
		Case: "x", ARN: "74410996062000731000017", AtMs: 1, ReplyMs: 2,
	}
	without := map[string]func(*engine.Facts){
		"capture": func(f *engine.Facts) { f.Capture = "" }, "refund": func(f *engine.Facts) { f.Refund = "" },
		"earlier": func(f *engine.Facts) { f.Earlier = "" }, "amount": func(f *engine.Facts) { f.Minor = 0 },
		"debt": func(f *engine.Facts) { f.Minor = -1 }, "space": func(f *engine.Facts) { f.Minor = 1 << 60 },
		"currency": func(f *engine.Facts) { f.Currency = "WON" }, "stage": func(f *engine.Facts) { f.Stage = "INQUIRY" },
		"arn": func(f *engine.Facts) { f.ARN = "" }, "date": func(f *engine.Facts) { f.AtMs = 0 },
		"reply": func(f *engine.Facts) { f.ReplyMs = 0 },
	}
	needs := map[engine.NoticeKind][]string{
		engine.RefundReturned:     {"refund", "amount", "debt", "space", "currency"},
		engine.InquiryRaised:      {"capture", "amount", "debt", "space", "currency", "date", "reply"},
		engine.ChargebackRaised:   {"capture", "amount", "debt", "space", "currency", "stage", "date", "reply"},
		engine.ChargebackReversed: {"earlier", "amount", "debt", "space", "currency", "date"},
		engine.FraudReported:      {"capture"},
		engine.CaptureARN:         {"capture", "arn"},
		engine.RefundARN:          {"refund", "arn"},
	}
	for kind, list := range needs {
		for name, spoil := range without {
			peer := gsptest.Says("SUCCESS")
			n := notifier(t, cards.NotifierConfig{Client: peer}, Profile{})
			f := whole
			spoil(&f)
			want := gsp.Delivered
			if slices.Contains(list, name) {
				want = gsp.Park
			}
			if r := n.Send(t.Context(), engine.Notice{ID: "n", Kind: kind, Account: "A", Subject: "s", Facts: f}); r.Class != want {
				t.Errorf("%s without %s: %s, want %s", kind, name, r.Class, want)
			}
		}
	}
}

// Everything that the engine may owe has a method, and every method its place in the sheet's order.
func TestEveryNoticeHasAMethod(t *testing.T) {
	want := []string{
		"captureFundsReservationResultNotification", "cancelFundsReservationResultNotification", "refundResultNotification",
		"reverseRefundNotification", "inquiryNotification", "chargebackNotification", "chargebackReversedNotification", "fraudNotification",
		"settlementNotification", "setAcquirerReferenceNumberForCaptureNotification", "setAcquirerReferenceNumberForRefundNotification", "echo",
	}
	if got := Notifications.Methods(); !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
	for _, kind := range engine.NoticeKinds {
		has := slices.ContainsFunc(Notifications, func(row cards.Notification) bool { return row.Kind == kind })
		if has != kind.AboutCards() {
			t.Errorf("%s has a method: %v", kind, has)
		}
	}
}

// A 404 without a sealed answer is our keys or our account, unless Google has just answered another method of that account (§1.3).
func TestNotOffered(t *testing.T) {
	nobody := gsp.Reply{Class: gsp.Misconfigured, Alert: true, Status: 404, Why: "the peer does not know us"}
	unsealed := gsp.Reply{Class: gsp.Misconfigured, Alert: true, Status: 401, Why: "the peer does not know us"}
	unknown := gsp.Reply{Class: gsp.RetryBriefly, Status: 404, Code: "INVALID_IDENTIFIER"}
	cancel := engine.Notice{ID: "c", Kind: engine.CancelResult, Account: "A", Subject: "c", Result: "SUCCESS"}
	arn := engine.Notice{ID: "a", Kind: engine.CaptureARN, Account: "A", Facts: engine.Facts{Capture: "c", ARN: "7"}}
	refund := engine.Notice{ID: "r", Kind: engine.RefundARN, Account: "A", Facts: engine.Facts{Refund: "r", ARN: "7"}}
	other := refund
	other.Account = "B"
	type step struct {
		notice engine.Notice
		answer gsp.Reply
		want   gsp.Class
		why    string
	}
	told := step{cancel, gsptest.Answered("SUCCESS"), gsp.Delivered, ""}
	notHeard := func(n engine.Notice) step { return step{n, nobody, gsp.Misconfigured, nobody.Why} }
	notOffered := func(n engine.Notice) step { return step{n, nobody, gsp.Park, "not offered"} }
	for name, steps := range map[string][]step{
		"nothing is known yet":       {notHeard(arn)},
		"others work":                {told, notOffered(arn), notOffered(refund)},
		"of another account":         {told, notHeard(other)},
		"others do not work either":  {told, notHeard(cancel), notHeard(arn)},
		"silence says nothing":       {told, {cancel, gsp.Reply{}, gsp.Retry, ""}, notOffered(arn)},
		"the other ARN says nothing": {{arn, gsptest.Answered("SUCCESS"), gsp.Delivered, ""}, notHeard(refund)},
		"another status":             {told, {arn, unsealed, gsp.Misconfigured, unsealed.Why}},
		"the capture is not known":   {told, {arn, unknown, gsp.RetryBriefly, ""}},
		"a method that is certain":   {told, notHeard(cancel)},
	} {
		peer := &gsptest.Google{}
		n := notifier(t, cards.NotifierConfig{Client: peer}, Profile{})
		for i, s := range steps {
			peer.Answers = []gsp.Reply{s.answer}
			r := n.Send(t.Context(), s.notice)
			if r.Class != s.want || r.Why != s.why || s.why != "" && !r.Alert {
				t.Errorf("%s, step %d: %s %q, alert %v", name, i+1, r.Class, r.Why, r.Alert)
			}
		}
	}
}

func TestEcho(t *testing.T) {
	answered := func(name string) gsp.Reply {
		text, err := os.ReadFile("testdata/" + name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		return gsp.Reply{Class: gsp.Delivered, Status: 200, Body: text}
	}
	peer := &gsptest.Google{Answers: []gsp.Reply{answered("g12-response")}}
	n := notifier(t, cards.NotifierConfig{Client: peer, NewID: func() string { return "7" }}, Profile{})
	if said, err := n.Echo(t.Context(), "HanbitPG_KRW", "hello from hanbit"); said != "server text" || err != nil {
		t.Errorf("%q, %v", said, err)
	}
	got := peer.Heard[0]
	body, err := gsp.Encode(got.Body)
	if err != nil || !bytes.Equal(gsptest.Canonical(t, body), golden(t, "g12-request")) {
		t.Errorf("%s, %v", body, err)
	}
	got.Body = nil
	if want := (gsp.Message{Account: "HanbitPG_KRW", Path: "/v1/echo", RequestID: "echo-7", NoAccount: true}); got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	for name, row := range map[string]struct {
		answer gsp.Reply
		says   string
	}{
		"another text": {answered("p7-response"), "another text"},
		"no text":      {gsptest.Answered("SUCCESS"), "another text"},
		"no JSON":      {gsp.Reply{Class: gsp.Delivered, Body: []byte("x")}, "JSON"},
		"refused": {
			gsp.Reply{Class: gsp.Misconfigured, Status: 404, Why: "the peer does not know us"}, "does not know us (HTTP status 404, misconfigured)",
		},
	} {
		peer.Answers = []gsp.Reply{row.answer}
		if said, err := n.Echo(t.Context(), "A", "hello"); said != "" || err == nil || !strings.Contains(err.Error(), row.says) {
			t.Errorf("%s: %q, %v", name, said, err)
		}
	}
}
