package disburse

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"naru/core/money"
	"naru/core/payout"
	"naru/engine"
	"naru/protocol/gsp"
	"naru/protocol/gsp/gsptest"
)

// onHold is the notice of the sheet's example.
var onHold = engine.Notice{
	ID: "ntf-5b0d9c", Kind: engine.PayoutResult, Account: "ACME_PAYOUTS_INR", Subject: "dsb:2f6c1e07-88a1",
	Result: string(payout.OnHold), Code: "U31:YF", Facts: engine.Facts{OwnID: "ptx-1", Scope: "npci-upi", Currency: "INR"},
}

func with(n engine.Notice, change func(*engine.Notice)) engine.Notice {
	change(&n)
	return n
}

// said is the body of the one message that a Google heard.
func said(t *testing.T, peer *gsptest.Google) string {
	t.Helper()
	if len(peer.Heard) != 1 {
		t.Fatalf("Google heard %d messages", len(peer.Heard))
	}
	body, err := gsp.Encode(peer.Heard[0].Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestTheSheetsNotification(t *testing.T) {
	peer := gsptest.Says("SUCCESS")
	if r := NewNotifier(NotifierConfig{Client: peer}).Send(t.Context(), onHold); r.Class != gsp.Delivered || r.Alert {
		t.Fatalf("%s: %s", r.Class, r.Why)
	}
	if body := said(t, peer); !bytes.Equal(gsptest.Canonical(t, []byte(body)), golden(t, "notification")) {
		t.Errorf("got  %s\nwant %s", body, golden(t, "notification"))
	}
	m := peer.Heard[0]
	m.Body = nil
	if want := (gsp.Message{
		Generation: gsp.A, Version: gsp.Version{Major: 1, Minor: 1}, Account: "ACME_PAYOUTS_INR", Path: "/v1/disburseFundsResultNotification",
		RequestID: "ntf-5b0d9c",
	}); m != want {
		t.Errorf("got  %+v\nwant %+v", m, want)
	}
}

// A notice says what the answer to a repeat says, for every result there is (§5, §7.2).
func TestBothChannelsSayTheSame(t *testing.T) {
	limits := map[payout.Reason]int64{payout.AboveLimit: 10_000_000, payout.BelowLimit: 100}
	for why := range codes {
		for _, code := range []string{"", "U31:YF"} {
			p := payout.Payout{ID: "ptx-1", State: payout.Refused, Reason: why, Limit: money.New(limits[why], rupee), Scope: "npci-upi", Code: code}
			if why == paid {
				p.State, p.Reason = payout.Paid, payout.NoReason
			}
			answer, err := encode(p)
			if err != nil {
				t.Fatal(err)
			}
			peer := gsptest.Says("SUCCESS")
			r := NewNotifier(NotifierConfig{Client: peer}).Send(t.Context(), engine.Notice{ // as the engine makes it
				ID: "n", Kind: engine.PayoutResult, Account: "A", Subject: "dsb:1", Result: string(why), Code: code,
				Facts: engine.Facts{OwnID: p.ID, Scope: p.Scope, Minor: p.Limit.Minor(), Currency: "INR"},
			})
			want := strings.Replace(string(answer), `"paymentIntegratorTransactionId":"ptx-1"`, `"disburseFundsRequestId":"dsb:1"`, 1)
			if body := said(t, peer); r.Class != gsp.Delivered || body != want {
				t.Errorf("%s: %s\ntold     %s\nanswered %s", why, r.Class, body, answer)
			}
		}
	}
}

func TestAttempts(t *testing.T) {
	stale := gsp.Reply{Class: gsp.RetryNow, Alert: true, Code: "REQUEST_TIMESTAMP_OUT_OF_RANGE", Status: 400}
	for name, row := range map[string]struct {
		notice  engine.Notice
		answers []gsp.Reply
		want    gsp.Class
		alert   bool
		calls   int
	}{
		"success":            {onHold, []gsp.Reply{gsptest.Answered("SUCCESS")}, gsp.Delivered, false, 1},
		"another word":       {onHold, []gsp.Reply{gsptest.Answered("UNKNOWN_RESULT")}, gsp.Park, true, 1},
		"no word":            {onHold, []gsp.Reply{{Class: gsp.Delivered, Status: 200, Body: []byte(`{}`)}}, gsp.Park, true, 1},
		"silent":             {onHold, []gsp.Reply{{}}, gsp.Retry, false, 1},
		"unknown there":      {onHold, []gsp.Reply{{Class: gsp.RetryBriefly, Status: 404}}, gsp.RetryBriefly, false, 1},
		"another value":      {onHold, []gsp.Reply{{Class: gsp.Park, Alert: true, Status: 412}}, gsp.Park, true, 1},
		"keys are wrong":     {onHold, []gsp.Reply{{Class: gsp.Misconfigured, Alert: true, Status: 404}}, gsp.Misconfigured, true, 1},
		"clock off once":     {onHold, []gsp.Reply{stale, gsptest.Answered("SUCCESS")}, gsp.Delivered, false, 2},
		"clock off for good": {onHold, []gsp.Reply{stale}, gsp.RetryNow, true, 3},

		"no result":          {with(onHold, func(n *engine.Notice) { n.Result = "" }), nil, gsp.Park, true, 0},
		"an open result":     {with(onHold, func(n *engine.Notice) { n.Result = string(payout.Unclear) }), nil, gsp.Park, true, 0},
		"a word of Google's": {with(onHold, func(n *engine.Notice) { n.Result = "ACCOUNT_ON_HOLD" }), nil, gsp.Park, true, 0},
		"about nothing":      {with(onHold, func(n *engine.Notice) { n.Subject = "" }), nil, gsp.Park, true, 0},
		"a kind of another API": {
			with(onHold, func(n *engine.Notice) { n.Kind, n.Result = engine.RefundResult, "SUCCESS" }), nil, gsp.Park, true, 0,
		},
	} {
		peer := &gsptest.Google{Answers: row.answers}
		r := NewNotifier(NotifierConfig{Client: peer}).Send(t.Context(), row.notice)
		if r.Class != row.want || r.Alert != row.alert || len(peer.Heard) != row.calls {
			t.Errorf("%s: got %s, alert %v, after %d calls", name, r.Class, r.Alert, len(peer.Heard))
		}
		if slices.ContainsFunc(peer.Heard, func(m gsp.Message) bool { return m.RequestID != row.notice.ID }) {
			t.Errorf("%s: a repeat under another id", name)
		}
	}
}

func TestEcho(t *testing.T) {
	peer := &gsptest.Google{Answers: []gsp.Reply{{
		Class: gsp.Delivered, Status: 200,
		Body: []byte(`{"responseHeader":{"responseTimestamp":"1"},"clientMessage":"hello","serverMessage":"text"}`),
	}}}
	n := NewNotifier(NotifierConfig{Client: peer, NewID: func() string { return "7" }})
	if text, err := n.Echo(t.Context(), "ACME_PAYOUTS_INR", "hello"); text != "text" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
	if body := said(t, peer); body != `{"clientMessage":"hello"}` {
		t.Errorf("got %s", body)
	}
	m := peer.Heard[0]
	m.Body = nil
	if want := (gsp.Message{Account: "ACME_PAYOUTS_INR", Path: "/v1/echo", RequestID: "echo-7", NoAccount: true}); m != want {
		t.Errorf("got  %+v\nwant %+v", m, want)
	}
	if text, err := n.Echo(t.Context(), "ACME_PAYOUTS_INR", "another"); text != "" || err == nil {
		t.Errorf("another text came back: %q, %v", text, err)
	}
}
