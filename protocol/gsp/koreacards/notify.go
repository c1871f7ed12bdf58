package koreacards

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"

	"naru/core/money"
	"naru/core/payment"
	"naru/core/settlement"
	"naru/engine"
	"naru/protocol/gsp"
)

// notification is one method that we call at Google. body is pure, and false for what the method has no word for.
type notification struct {
	kind       engine.NoticeKind
	name       string
	path       string
	generation gsp.Generation
	body       func(news) (any, bool)
}

const googleAPI = "/google-korea-cards-api/v1/"

// notifications lists what we call at Google, in the spec's order (§1.3). The paths are irregular and mostly inferred; configuration may
// replace each of them.
var notifications = []notification{
	{ // G1, §5.1: under our own prefix, version first
		engine.CaptureResult, "captureFundsReservationResultNotification",
		"/v1/payment-integrator-korea-cards-api/captureFundsReservationResultNotification", gsp.A, captureVerdict,
	},
	{ // G2, §5.2
		engine.CancelResult, "cancelFundsReservationResultNotification",
		googleAPI + "cancelFundsReservationResultNotification", gsp.A, cancelVerdict,
	},
	{engine.RefundResult, "refundResultNotification", googleAPI + "refundResultNotification", gsp.A, refundVerdict},      // G3, §5.3
	{engine.RefundReturned, "reverseRefundNotification", googleAPI + "reverseRefundNotification", gsp.A, refundReturned}, // G4, §5.4
	{engine.InquiryRaised, "inquiryNotification", googleAPI + "inquiryNotification", gsp.A, inquiry},                     // G5, §5.5
	{engine.ChargebackRaised, "chargebackNotification", googleAPI + "chargebackNotification", gsp.A, chargeback},         // G6, §5.6
	{ // G7, §5.7
		engine.ChargebackReversed, "chargebackReversedNotification",
		googleAPI + "chargebackReversedNotification", gsp.A, chargebackReversed,
	},
	{engine.FraudReported, "fraudNotification", googleAPI + "fraudNotification", gsp.A, fraud},                     // G8, §5.8
	{engine.SettlementPart, "settlementNotification", googleAPI + "settlementNotification", gsp.B, settlementNews}, // G9, §5.9
	{ // G10, §5.10
		engine.CaptureARN, "setAcquirerReferenceNumberForCaptureNotification",
		googleAPI + "setAcquirerReferenceNumberForCaptureNotification", gsp.A, captureARN,
	},
	{ // G11, §5.11
		engine.RefundARN, "setAcquirerReferenceNumberForRefundNotification",
		googleAPI + "setAcquirerReferenceNumberForRefundNotification", gsp.A, refundARN,
	},
	echo,
}

var echo = notification{name: "echo", path: "/v1/echo"} // G12, §5.12: tells of nothing; its path is that of all these APIs

// offeredOrNot are the kinds that Google may not offer for Korea at all (§14 point 2).
var offeredOrNot = map[engine.NoticeKind]bool{engine.CaptureARN: true, engine.RefundARN: true}

// NotifiedMethods are the names of the methods that we call at Google, by which their paths may be replaced.
func NotifiedMethods() (names []string) {
	for _, row := range notifications {
		names = append(names, row.name)
	}
	return names
}

// news is a notice with what it takes to say it.
type news struct {
	engine.Notice
	profile Profile
	scope   string                  // of the network's code, where the notice names none
	part    *SettlementNotification // of a settlement
}

// rawIfAny is the network's code, nil where there is none.
func (n news) rawIfAny() *RawResult {
	if n.Code == "" {
		return nil
	}
	raw := n.raw()
	return &raw
}

// noCode stands where a code is required and the network gave none.
const noCode = "NONE"

func (n news) raw() RawResult {
	return RawResult{Scope: cmp.Or(n.Facts.Scope, n.scope), RawCode: cmp.Or(n.Code, noCode)}
}

// micros is the amount of the notice, more than nothing.
func (n news) micros() (gsp.Int64, bool) {
	c, ok := money.Lookup(n.Facts.Currency)
	if !ok || n.Facts.Minor <= 0 || !inMicros(n.Facts.Minor) {
		return 0, false
	}
	return gsp.Int64(money.New(n.Facts.Minor, c).Micros()), true
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

func captureVerdict(n news) (any, bool) {
	word, ok := captureVerdicts[n.Result]
	return CaptureFundsReservationResultNotification{n.Subject, word, n.rawIfAny()}, ok
}

func cancelVerdict(n news) (any, bool) {
	word, ok := cancelVerdicts[n.Result]
	return CancelFundsReservationResultNotification{n.Subject, word, n.rawIfAny()}, ok
}

func settlementNews(n news) (any, bool) { return n.part, n.part != nil } // G9, §5.9

// Client makes one call to Google.
type Client interface {
	Call(context.Context, gsp.Message) gsp.Reply
}

// Settlements reads what is settled. Items come in one order, always the same.
type Settlements interface {
	Settlement(ctx context.Context, id string) (settlement.Settlement, error)
	Items(ctx context.Context, id string, offset, limit int64) ([]settlement.Item, error)
}

// NotifierConfig is what a Notifier needs. Only Client is required.
type NotifierConfig struct {
	Client      Client
	Settlements Settlements        // nil: none is told
	Profiles    map[string]Profile // by account
	Paths       map[string]string  // replace the printed ones, by the method's name
	Network     string             // whose codes are handed over where a notice does not say; empty: Iso8583Code (§3.9)
	NewID       func() string      // of an echo; default: random
}

// Notifier tells Google what we owe it. It makes single attempts; the outbox repeats them until Google has each.
type Notifier struct {
	cfg   NotifierConfig
	known sync.Map // of accounts: whether Google answered the last call of a method that it certainly offers
}

// NewNotifier makes a notifier.
func NewNotifier(c NotifierConfig) (*Notifier, error) {
	for name := range c.Paths {
		if !slices.Contains(NotifiedMethods(), name) {
			return nil, fmt.Errorf("%s: Google has no method %s", Name, name)
		}
	}
	c.Network = cmp.Or(c.Network, ScopeISO8583Code)
	if c.NewID == nil {
		c.NewID = rand.Text
	}
	return &Notifier{cfg: c}, nil
}

// Send makes one attempt to deliver a notice. Google has it where the reply is Delivered, and only there: otherwise it stays owed.
func (n *Notifier) Send(ctx context.Context, notice engine.Notice) gsp.Reply {
	noWord := gsp.Reply{Class: gsp.Park, Alert: true, Why: "this API has no word for it"}
	i := slices.IndexFunc(notifications, func(row notification) bool { return row.body != nil && row.kind == notice.Kind })
	if i < 0 {
		return noWord
	}
	row, what := notifications[i], news{Notice: notice, profile: n.cfg.Profiles[notice.Account], scope: n.cfg.Network}
	if row.kind == engine.SettlementPart && n.cfg.Settlements != nil {
		s, items, err := n.read(ctx, notice.Facts)
		if err != nil {
			return gsp.Reply{Alert: true, Why: "the settlement cannot be read"}
		}
		if what.part, err = settlementPart(notice.Account, s, notice.Facts.Part, items); err != nil {
			return gsp.Reply{Class: gsp.Park, Alert: true, Why: err.Error()}
		}
	}
	body, ok := row.body(what)
	if !ok {
		return noWord
	}
	r := n.call(ctx, row, notice.Account, notice.ID, body)
	if r.Class != gsp.Delivered {
		return r
	}
	var answer NotificationResponse
	if err := gsp.Decode(r.Body, &answer); err != nil || answer.Result != NotificationSuccess { // gsp-core §9
		r.Class, r.Alert, r.Why = gsp.Park, true, "a 200 that is no SUCCESS"
	}
	return r
}

// read finds the items of one part of a settlement.
func (n *Notifier) read(ctx context.Context, f engine.Facts) (settlement.Settlement, []settlement.Item, error) {
	s, err := n.cfg.Settlements.Settlement(ctx, f.OwnID)
	if err != nil {
		return s, nil, err
	}
	offset, count, _ := partOf(s, f.Part)
	if count == 0 {
		return s, nil, nil
	}
	items, err := n.cfg.Settlements.Items(ctx, f.OwnID, offset, count)
	return s, items, err
}

// call makes one attempt, and up to two more where only the clock was wrong (gsp-core §5.5).
func (n *Notifier) call(ctx context.Context, row notification, account, id string, body any) gsp.Reply {
	m := gsp.Message{
		Generation: row.generation, Account: account, Path: cmp.Or(n.cfg.Paths[row.name], row.path), RequestID: id, Body: body,
		NoAccount: row.body == nil,
	}
	r := n.cfg.Client.Call(ctx, m)
	for tries := 1; r.Class == gsp.RetryNow && tries < 3; tries++ {
		r = n.cfg.Client.Call(ctx, m)
	}
	return n.orNotOffered(row, account, r)
}

// orNotOffered tells a method that Google does not have from keys or an account that it does not know: both are a 404 without a sealed
// answer. Where Google has answered other methods of this account since, it is the method (§1.3): nothing is gained by asking again.
func (n *Notifier) orNotOffered(row notification, account string, r gsp.Reply) gsp.Reply {
	if !offeredOrNot[row.kind] {
		if r.Class == gsp.Delivered || r.Class == gsp.Misconfigured {
			n.known.Store(account, r.Class == gsp.Delivered)
		}
		return r
	}
	if known, _ := n.known.Load(account); r.Class == gsp.Misconfigured && r.Status == http.StatusNotFound && r.Code == "" && known == true {
		r.Class, r.Alert, r.Why = gsp.Park, true, "not offered"
	}
	return r
}

// Echo asks Google to give a text back (§5.12) and says what it added. At most one in 10 s and 30 in 15 min are wanted: that is for the
// caller to keep.
func (n *Notifier) Echo(ctx context.Context, account, text string) (serverMessage string, err error) {
	r := n.call(ctx, echo, account, "echo-"+n.cfg.NewID(), EchoRequest{text})
	if r.Class != gsp.Delivered {
		return "", fmt.Errorf("echo: %s (HTTP status %d, %s)", r.Why, r.Status, r.Class)
	}
	var answer EchoResponse
	if err := gsp.Decode(r.Body, &answer); err != nil {
		return "", err
	}
	if answer.ClientMessage != text {
		return "", errors.New("echo: another text came back")
	}
	return answer.ServerMessage, nil
}
