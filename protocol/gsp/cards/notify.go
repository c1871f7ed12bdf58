package cards

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"path"
	"slices"
	"sync"

	"naru/core/money"
	"naru/core/payment"
	"naru/core/settlement"
	"naru/engine"
	"naru/protocol/gsp"
)

// Notification is one method that an API has at Google, and where. Its name is the last part of its path.
type Notification struct {
	Kind engine.NoticeKind // what it tells of; Echo tells of nothing
	Path string
}

// Echo is the kind of the method that only gives a text back.
const Echo engine.NoticeKind = ""

// Notifications are the methods of one API, in its sheet's order (§1.3).
type Notifications []Notification

// Methods are their names, by which their paths may be replaced.
func (n Notifications) Methods() (names []string) {
	for _, row := range n {
		names = append(names, row.method())
	}
	return names
}

func (n Notification) method() string { return path.Base(n.Path) }

// of is the row of a kind.
func (n Notifications) of(kind engine.NoticeKind) (Notification, bool) {
	i := slices.IndexFunc(n, func(row Notification) bool { return row.Kind == kind })
	if i < 0 {
		return Notification{}, false
	}
	return n[i], true
}

// bodies are what we say of each kind of notice, in the words of both APIs. A body is pure, and false for what they have no word for.
var bodies = map[engine.NoticeKind]func(news) (any, bool){
	engine.CaptureResult:      captureVerdict,
	engine.CancelResult:       cancelVerdict,
	engine.RefundResult:       refundVerdict,
	engine.RefundReturned:     refundReturned,
	engine.InquiryRaised:      inquiry,
	engine.ChargebackRaised:   chargeback,
	engine.ChargebackReversed: chargebackReversed,
	engine.FraudReported:      fraud,
	engine.SettlementPart:     settlementNews,
	engine.CaptureARN:         captureARN,
	engine.RefundARN:          refundARN,
}

// generations are the kinds that do not speak generation A (§5.9; FOP §5.11).
var generations = map[engine.NoticeKind]gsp.Generation{engine.SettlementPart: gsp.B}

// ofARN are the kinds that hand over acquirer reference numbers.
var ofARN = map[engine.NoticeKind]bool{engine.CaptureARN: true, engine.RefundARN: true}

// news is a notice with what it takes to say it.
type news struct {
	engine.Notice
	told  Told
	scope string                  // of the network's code, where the notice names none
	part  *SettlementNotification // of a settlement
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

func refundVerdict(n news) (any, bool) { // G3, §5.3
	code, ok := n.told.API.refundCode(n.told.Profile, n.Result)
	return RefundResultNotification{n.Facts.OwnID, n.Subject, code, n.rawIfAny()}, ok
}

func refundReturned(n news) (any, bool) { // G4, §5.4; FOP G10, §5.10
	amount, ok := n.micros()
	return ReverseRefundNotification{n.Facts.Refund, amount, n.raw()}, ok && n.Facts.Refund != ""
}

func refundARN(n news) (any, bool) { // G11, §5.11; FOP G5, §5.5
	return SetAcquirerReferenceNumberForRefundNotification{n.Facts.Refund, n.Facts.ARN}, n.Facts.Refund != "" && n.Facts.ARN != ""
}

// reason is never without a word: who is told too little must still be told in time.
func (n news) reason() PaymentDisputeReasonCode {
	if code, ok := disputeReasons[payment.DisputeReason(n.Facts.Reason)]; ok {
		return code
	}
	return DisputeUnclear
}

func inquiry(n news) (any, bool) { // G5, §5.5; FOP G6, §5.6
	amount, ok := n.micros()
	return InquiryNotification{
		n.Facts.Capture, amount, n.reason(), n.raw(), gsp.TimestampA(n.Facts.AtMs), gsp.TimestampA(n.Facts.ReplyMs), n.Facts.Case,
	}, ok && n.Facts.Capture != "" && n.Facts.AtMs > 0 && n.Facts.ReplyMs > 0
}

func chargeback(n news) (any, bool) { // G6, §5.6; FOP G7, §5.7
	amount, ok := n.micros()
	stage, known := chargebackStages[payment.Stage(n.Facts.Stage)]
	return ChargebackNotification{
		n.Facts.Capture, amount, stage, n.reason(), n.raw(), gsp.TimestampA(n.Facts.AtMs), gsp.TimestampA(n.Facts.ReplyMs), n.Facts.Case,
	}, ok && known && n.Facts.Capture != "" && n.Facts.AtMs > 0 && n.Facts.ReplyMs > 0
}

func chargebackReversed(n news) (any, bool) { // G7, §5.7; FOP G8, §5.8
	amount, ok := n.micros()
	return ChargebackReversedNotification{n.Facts.Earlier, amount, n.raw(), gsp.TimestampA(n.Facts.AtMs)},
		ok && n.Facts.Earlier != "" && n.Facts.AtMs > 0
}

// fraud says FRAUDULENT_USE to every code that the profile has no word for: one word is better than none, and no other can be spelled yet.
func fraud(n news) (any, bool) { // G8, §5.8; FOP G9, §5.9
	word, ok := n.told.Profile.FraudTypes[n.Code]
	if !ok {
		word = FraudulentUse
	}
	return FraudNotification{n.Facts.Capture, word, n.raw()}, n.Facts.Capture != ""
}

func captureARN(n news) (any, bool) { // G10, §5.10; FOP G4, §5.4
	return SetAcquirerReferenceNumberForCaptureNotification{n.Facts.Capture, n.Facts.ARN}, n.Facts.Capture != "" && n.Facts.ARN != ""
}

func settlementNews(n news) (any, bool) { return n.part, n.part != nil } // G9, §5.9; FOP G11, §5.11

// Settlements reads what is settled. Items come in one order, always the same.
type Settlements interface {
	Settlement(ctx context.Context, id string) (settlement.Settlement, error)
	Items(ctx context.Context, id string, offset, limit int64) ([]settlement.Item, error)
}

// NotifierConfig is what a Notifier needs. Client and Accounts are required.
type NotifierConfig struct {
	Client      gsp.Caller
	Settlements Settlements // nil: none is told
	Accounts    map[string]Told
	Paths       map[string]map[string]string // replace the printed ones, by the API's name and the method's
	Network     string                       // whose codes are handed over where a notice does not say; empty: Iso8583Code (§3.9)
	NewID       func() string                // of an echo; default: random
}

// Told is how an account is told: the API that its contract is about, and what else the contract says.
type Told struct {
	API     API
	Profile Profile
}

// Notifier tells Google what we owe it. It makes single attempts; the outbox repeats them until Google has each.
type Notifier struct {
	cfg   NotifierConfig
	known sync.Map // of accounts: whether Google answered the last call of a method that it certainly offers
}

// NewNotifier makes a notifier.
func NewNotifier(c NotifierConfig) (*Notifier, error) {
	for _, told := range c.Accounts {
		for name := range c.Paths[told.API.Name] {
			if !slices.Contains(told.API.Notifications.Methods(), name) {
				return nil, fmt.Errorf("%s: Google has no method %s", told.API.Name, name)
			}
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
	noWord := gsp.Unsent("this API has no word for it")
	say, told := bodies[notice.Kind], n.cfg.Accounts[notice.Account]
	row, ok := told.API.Notifications.of(notice.Kind)
	if say == nil || !ok {
		return noWord
	}
	what := news{Notice: notice, told: told, scope: n.cfg.Network}
	if row.Kind == engine.SettlementPart && n.cfg.Settlements != nil {
		s, items, err := n.read(ctx, notice.Facts)
		if err != nil {
			return gsp.Reply{Alert: true, Why: "the settlement cannot be read"}
		}
		if what.part, err = settlementPart(notice.Account, s, notice.Facts.Part, items); err != nil {
			return gsp.Unsent(err.Error())
		}
	}
	body, ok := say(what)
	if !ok {
		return noWord
	}
	return gsp.Taken(n.call(ctx, row, notice.Account, notice.ID, body))
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

// call makes one attempt.
func (n *Notifier) call(ctx context.Context, row Notification, account, id string, body any) gsp.Reply {
	api := n.cfg.Accounts[account].API
	m := gsp.Message{
		Generation: generations[row.Kind], Account: account, Path: cmp.Or(n.cfg.Paths[api.Name][row.method()], row.Path), RequestID: id,
		Body: body, NoAccount: row.Kind == Echo,
	}
	return n.orNotOffered(api.ARNOptional && ofARN[row.Kind], account, gsp.Attempt(ctx, n.cfg.Client, m))
}

// orNotOffered tells a method that Google does not have from keys or an account that it does not know: both are a 404 without a sealed
// answer. Where Google has answered other methods of this account since, it is the method (§1.3): nothing is gained by asking again.
func (n *Notifier) orNotOffered(optional bool, account string, r gsp.Reply) gsp.Reply {
	if !optional {
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

// Echo asks Google to give a text back (§5.12; FOP §5.13) and says what it added.
func (n *Notifier) Echo(ctx context.Context, account, text string) (serverMessage string, err error) {
	row, ok := n.cfg.Accounts[account].API.Notifications.of(Echo)
	if !ok {
		return "", fmt.Errorf("echo: %s is told nothing", account)
	}
	return gsp.AskEcho(text, func(body gsp.EchoRequest) gsp.Reply { return n.call(ctx, row, account, "echo-"+n.cfg.NewID(), body) })
}
