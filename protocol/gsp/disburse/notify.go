package disburse

import (
	"context"
	"crypto/rand"

	"naru/core/money"
	"naru/core/payout"
	"naru/engine"
	"naru/protocol/gsp"
)

// What we call at Google (§1).
const (
	resultPath = "/v1/disburseFundsResultNotification" // §5
	echoPath   = "/v1/echo"                            // §6
)

// version is that of the notification's sample (§3.1).
var version = gsp.Version{Major: 1, Minor: 1}

// NotifierConfig is what a Notifier needs. Client is required.
type NotifierConfig struct {
	Client gsp.Caller
	NewID  func() string // of an echo; default: random
}

// Notifier tells Google the results that it was not answered with. It makes single attempts; the outbox repeats them until Google has each.
type Notifier struct{ cfg NotifierConfig }

// NewNotifier makes a notifier.
func NewNotifier(c NotifierConfig) *Notifier {
	if c.NewID == nil {
		c.NewID = rand.Text
	}
	return &Notifier{c}
}

// Send makes one attempt to deliver a notice. Google has it where the reply is Delivered, and only there: otherwise it stays owed. Where
// Google knows another value the reply is Park with an alert: two truths about money are for a person (§5).
func (n *Notifier) Send(ctx context.Context, notice engine.Notice) gsp.Reply {
	limit := money.Amount{}
	if c, ok := money.Lookup(notice.Facts.Currency); ok {
		limit = money.New(notice.Facts.Minor, c)
	}
	told := result(payout.Reason(notice.Result), notice.Facts.Scope, notice.Code, limit)
	if notice.Kind != engine.PayoutResult || notice.Subject == "" || told.check() != nil {
		return gsp.Unsent("this API has no word for it")
	}
	return gsp.Taken(gsp.Attempt(ctx, n.cfg.Client, gsp.Message{
		Generation: gsp.A, Version: version, Account: notice.Account, Path: resultPath, RequestID: notice.ID,
		Body: DisburseFundsResultNotification{notice.Subject, told},
	}))
}

// Echo asks Google to give a text back (§6) and says what it added.
func (n *Notifier) Echo(ctx context.Context, account, text string) (serverMessage string, err error) {
	return gsp.AskEcho(text, func(body gsp.EchoRequest) gsp.Reply {
		return gsp.Attempt(ctx, n.cfg.Client, gsp.Message{
			Generation: gsp.A, Account: account, Path: echoPath, RequestID: "echo-" + n.cfg.NewID(), Body: body, NoAccount: true,
		})
	})
}
