package koreacards

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"naru/core/payment"
	"naru/engine"
	"naru/protocol/gsp"
)

// notifications lists what we call at Google, in the spec's order (§1.3). The paths are irregular and may be replaced by configuration.
var notifications = []struct {
	kind engine.NoticeKind
	name string
	path string
	body func(engine.Notice, *RawResult) (any, bool)
}{
	{ // G1, §5.1: under our own prefix, version first
		engine.CaptureResult, "captureFundsReservationResultNotification",
		"/v1/payment-integrator-korea-cards-api/captureFundsReservationResultNotification", captureVerdict,
	},
	{ // G2, §5.2
		engine.CancelResult, "cancelFundsReservationResultNotification",
		"/google-korea-cards-api/v1/cancelFundsReservationResultNotification", cancelVerdict,
	},
}

// NotifiedMethods are the names of the methods that we call at Google, by which their paths may be replaced.
func NotifiedMethods() (names []string) {
	for _, row := range notifications {
		names = append(names, row.name)
	}
	return names
}

// The verdicts in Google's words. What is not listed is no verdict, and nobody is told of it.
var (
	captureVerdicts = map[string]CaptureFundsReservationResultCode{
		string(payment.CaptureSuccess): CaptureResultSuccess,
		string(payment.CaptureLapsed):  CaptureResultExpired,
		string(payment.CaptureRevoked): CaptureResultRevoked,
	}
	cancelVerdicts = map[string]CancelFundsReservationResultCode{
		string(payment.CancelSuccess): CancelResultSuccess,
	}
)

func captureVerdict(n engine.Notice, raw *RawResult) (any, bool) {
	word, ok := captureVerdicts[n.Result]
	return CaptureFundsReservationResultNotification{n.Subject, word, raw}, ok
}

func cancelVerdict(n engine.Notice, raw *RawResult) (any, bool) {
	word, ok := cancelVerdicts[n.Result]
	return CancelFundsReservationResultNotification{n.Subject, word, raw}, ok
}

// Client makes one call to Google.
type Client interface {
	Call(context.Context, gsp.Message) gsp.Reply
}

// Notifier tells Google the verdicts that we owe it. It makes single attempts; the outbox repeats them until Google has each.
type Notifier struct {
	client Client
	paths  map[engine.NoticeKind]string
	scope  string
}

// NewNotifier makes a notifier. paths replace the printed ones, by the method's name. network is the name under which the card network's
// codes are handed over; empty: Iso8583Code (§3.9).
func NewNotifier(c Client, paths map[string]string, network string) (*Notifier, error) {
	n := &Notifier{c, map[engine.NoticeKind]string{}, cmp.Or(network, ScopeISO8583Code)}
	for _, row := range notifications {
		n.paths[row.kind] = cmp.Or(paths[row.name], row.path)
	}
	for name := range paths {
		if !slices.Contains(NotifiedMethods(), name) {
			return nil, fmt.Errorf("%s: Google has no method %s", Name, name)
		}
	}
	return n, nil
}

// Send makes one attempt to deliver a notice. Google has it where the reply is Delivered, and only there: otherwise it stays owed.
func (n *Notifier) Send(ctx context.Context, notice engine.Notice) gsp.Reply {
	m, ok := n.message(notice)
	if !ok {
		return gsp.Reply{Class: gsp.Park, Alert: true, Why: "this API has no word for it"}
	}
	r := n.client.Call(ctx, m)
	for tries := 1; r.Class == gsp.RetryNow && tries < 3; tries++ { // with a new timestamp (gsp-core §5.5)
		r = n.client.Call(ctx, m)
	}
	if r.Class != gsp.Delivered {
		return r
	}
	var answer NotificationResponse
	if err := gsp.Decode(r.Body, &answer); err != nil || answer.Result != NotificationSuccess { // gsp-core §9
		r.Class, r.Alert, r.Why = gsp.Park, true, "a 200 that is no SUCCESS"
	}
	return r
}

func (n *Notifier) message(notice engine.Notice) (gsp.Message, bool) {
	for _, row := range notifications {
		if row.kind != notice.Kind {
			continue
		}
		var raw *RawResult
		if notice.Code != "" {
			raw = &RawResult{Scope: n.scope, RawCode: notice.Code}
		}
		body, ok := row.body(notice, raw)
		return gsp.Message{
			Generation: gsp.A, Account: notice.Account, Path: n.paths[row.kind], RequestID: notice.ID, Body: body,
		}, ok
	}
	return gsp.Message{}, false
}
