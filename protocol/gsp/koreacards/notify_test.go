package koreacards

import (
	"bytes"
	"context"
	"slices"
	"testing"

	"naru/engine"
	"naru/protocol/gsp"
)

// google answers as it is told and remembers what it was told.
type google struct {
	answers []gsp.Reply
	heard   []gsp.Message
}

func (g *google) Call(_ context.Context, m gsp.Message) gsp.Reply {
	g.heard = append(g.heard, m)
	r := g.answers[0]
	if len(g.answers) > 1 {
		g.answers = g.answers[1:]
	}
	return r
}

func success(result string) gsp.Reply {
	return gsp.Reply{Class: gsp.Delivered, Status: 200, Body: []byte(`{"responseHeader":{"responseTimestamp":"1"},"result":"` + result + `"}`)}
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
	const g1, g2 = "/v1/payment-integrator-korea-cards-api/captureFundsReservationResultNotification",
		"/google-korea-cards-api/v1/cancelFundsReservationResultNotification"
	with := func(n engine.Notice, result, code string) engine.Notice { n.Result, n.Code = result, code; return n }
	for name, row := range map[string]struct {
		notice  engine.Notice
		network string
		paths   map[string]string
		path    string
		body    string
	}{
		"the sheet's G1": {with(capture, "SUCCESS", "0000"), "BC", nil, g1, string(golden(t, "g1-request"))},
		"the sheet's G2": {cancel, "BC", nil, g2, string(golden(t, "g2-request"))},
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
			peer := &google{answers: []gsp.Reply{success("SUCCESS")}}
			n, err := NewNotifier(peer, row.paths, row.network)
			if err != nil {
				t.Fatal(err)
			}
			if r := n.Send(context.Background(), row.notice); r.Class != gsp.Delivered || r.Alert {
				t.Errorf("got %s: %s", r.Class, r.Why)
			}
			m := peer.heard[0]
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
		"success":                          {notice, []gsp.Reply{success("SUCCESS")}, gsp.Delivered, false, 1},
		"another word":                     {notice, []gsp.Reply{success("REFUSED")}, gsp.Park, true, 1},
		"no word":                          {notice, []gsp.Reply{{Class: gsp.Delivered, Status: 200, Body: []byte(`{}`)}}, gsp.Park, true, 1},
		"silent":                           {notice, []gsp.Reply{{}}, gsp.Retry, false, 1},
		"unknown there":                    {notice, []gsp.Reply{{Class: gsp.RetryBriefly, Status: 404}}, gsp.RetryBriefly, false, 1},
		"refused":                          {notice, []gsp.Reply{{Class: gsp.Park, Status: 400, Alert: true}}, gsp.Park, true, 1},
		"clock off once":                   {notice, []gsp.Reply{stale, success("SUCCESS")}, gsp.Delivered, false, 2},
		"clock off for good":               {notice, []gsp.Reply{stale}, gsp.RetryNow, true, 3},
		"a capture's verdict that is none": {engine.Notice{Kind: engine.CaptureResult, Result: "PENDING"}, nil, gsp.Park, true, 0},
		"a cancel's verdict that is none":  {engine.Notice{Kind: engine.CancelResult, Result: "PENDING"}, nil, gsp.Park, true, 0},
		"a kind of another API":            {engine.Notice{Kind: "payout-result", Result: "SUCCESS"}, nil, gsp.Park, true, 0},
	} {
		peer := &google{answers: row.answers}
		n, err := NewNotifier(peer, nil, "")
		if err != nil {
			t.Fatal(err)
		}
		if r := n.Send(context.Background(), row.notice); r.Class != row.want || r.Alert != row.alert || len(peer.heard) != row.calls {
			t.Errorf("%s: got %s, alert %v, after %d calls", name, r.Class, r.Alert, len(peer.heard))
		}
		if other := func(m gsp.Message) bool { return m.RequestID != row.notice.ID }; slices.ContainsFunc(peer.heard, other) {
			t.Errorf("%s: a repeat under another id", name)
		}
	}
	if _, err := NewNotifier(nil, map[string]string{"refundResultNotifications": "/x"}, ""); err == nil {
		t.Error("a path for a method that Google does not have is taken")
	}
}
