package desk

import (
	"cmp"
	"errors"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"naru/core/bank"
	"naru/core/card"
	"naru/core/deposit"
	"naru/core/money"
	"naru/core/payout"
	"naru/engine"
)

// detail is the page of one order: what is known of it, and what happened.
type detail struct {
	Number  string
	From    string // the list it stands in
	Mark    mark
	Means   string
	Page    string // the hosted page's address; empty where it is not known
	Facts   []fact
	Line    []happening
	Pay     *payForm // of a sandbox
	NoTells string   // why nobody is told; empty where somebody is
}

// fact is a line about an order; Copy is what its button copies.
type fact struct{ Name, Value, Hint, Copy string }

// happening is something that happened to an order, with the money that moved with it.
type happening struct {
	At     time.Time
	What   string
	Why    string
	Who    string
	Lines  []ledgerLine
	Notice *notice
	Ahead  bool // it has not happened yet
}

// ledgerLine is what an event did to the merchant's money.
type ledgerLine struct {
	Name   string
	Amount money.Amount
}

// notice is a notification with its attempts.
type notice struct {
	engine.NoticeLog
	Mark   mark
	Tries  []try
	Order  string
	Target string
	CSRF   string
	Resend bool // it may be sent again
}

type try struct {
	engine.NoticeTry
	Took   string
	Answer string
}

// answered says what an attempt met.
func answered(t engine.NoticeTry) string {
	if t.Status == 0 {
		return t.Outcome
	}
	return "HTTP " + strconv.Itoa(t.Status) + ", " + t.Outcome
}

const mostNotices = 100 // shown with one order

// happenings puts an order's notices among its events, oldest first.
func (d *Desk) happenings(c *call, number, target string, events []happening) ([]happening, error) {
	told, err := d.cfg.Engine.NoticesOf(c.ctx(), c.merchant.ID, time.Time{}, time.Time{}, number, 0, mostNotices)
	if err != nil {
		return nil, err
	}
	for _, n := range told {
		v := &notice{
			NoticeLog: n, Mark: kindOf(noticeKinds, n.State).mark, Order: number, Target: target, CSRF: c.session.csrf,
			Resend: n.State != engine.NoticeQueued,
		}
		for _, t := range n.Tries {
			v.Tries = append(v.Tries, try{t, took(t.Took), answered(t)})
		}
		events = append(events, happening{At: n.CreatedAt, What: "Notification: " + about(n.Result), Notice: v})
	}
	slices.SortStableFunc(events, func(a, b happening) int { return a.At.Compare(b.At) })
	return events, nil
}

// about is the state that a notification tells of, in the words of the lists.
func about(result string) string {
	for _, k := range depositKinds {
		if slices.Contains(k.States, deposit.State(result)) {
			return k.Word
		}
	}
	for _, k := range payoutKinds {
		if slices.Contains(k.States, payout.State(result)) {
			return k.Word
		}
	}
	return result
}

const nobodyTold = "No notify_url was given: nobody is told of this one. Ask the API for its state."

func (d *Desk) findDeposit(c *call) (o deposit.Order, ok bool) {
	list, _, err := d.cfg.Engine.Deposits(c.ctx(), engine.Page{Merchant: c.merchant.ID, Number: c.r.PathValue("number"), Limit: 1})
	switch {
	case err != nil:
		d.fail(c, err)
	case len(list) == 0:
		d.unknown(c)
	default:
		return list[0], true
	}
	return o, false
}

func (d *Desk) deposit(c *call) {
	if o, ok := d.findDeposit(c); ok {
		d.showDeposit(c, http.StatusOK, o, d.payForm(o))
	}
}

func (d *Desk) showDeposit(c *call, status int, o deposit.Order, form *payForm) {
	k := kindOf(depositKinds, o.State)
	v := detail{Number: o.Number, From: "deposits/", Mark: k.mark, Means: k.Means, Facts: depositFacts(o), Pay: form}
	if d.cfg.PaymentPage != nil {
		v.Page = d.cfg.PaymentPage(o)
	}
	if o.NotifyURL == "" {
		v.NoTells = nobodyTold
	}
	var err error
	if v.Line, err = d.happenings(c, o.Number, o.NotifyURL, depositEvents(o)); err != nil {
		d.fail(c, err)
		return
	}
	d.show(c, status, "deposit", o.Number, v)
}

func depositFacts(o deposit.Order) []fact {
	facts := []fact{
		{"Your number", o.ClientID, "", o.ClientID},
		{"Ordered", won(o.Amount), "", ""},
		{"To transfer", won(o.Display), differs(o), strconv.FormatInt(o.Display.Minor(), 10)},
	}
	if !o.PaidAt.IsZero() {
		facts = append(facts, fact{"Arrived", won(o.Real), "", ""}, fact{"Fee", won(o.Fee), "", ""})
	}
	facts = append(facts, fact{"Pay to", o.Receiver.Number, named(o.Receiver.Bank) + " · " + o.Receiver.Holder, o.Receiver.Number})
	if o.Token != "" {
		facts = append(facts, fact{"Code in the transfer", o.Token, "", o.Token})
	}
	payer := "not known: the hosted page asks for it"
	if len(o.Payer) > 0 {
		payer = "known"
	}
	facts = append(facts, fact{"Payer's name", payer, named(o.PayerBank), ""})
	if o.User != "" {
		facts = append(facts, fact{"User", o.User, "", ""})
	}
	return append(facts,
		fact{"Service", o.Service, "v" + strconv.FormatInt(int64(o.Generation), 10), ""},
		fact{"Signed with", signedWith(o.SignType), "", ""},
		fact{"Told at", cmp.Or(o.NotifyURL, "nobody"), "", o.NotifyURL})
}

func differs(o deposit.Order) string {
	if o.Display == o.Amount {
		return ""
	}
	return "lowered, so that it can be told from others"
}

func signedWith(signType string) string { return cmp.Or(signType, "MD5") }

// named is a bank in words; its code where it is not known.
func named(code string) string {
	if b, ok := bank.Lookup(code); ok {
		return b.English
	}
	return code
}

// depositEvents are what the order itself remembers.
func depositEvents(o deposit.Order) []happening {
	events := []happening{{
		At: o.CreatedAt, What: "Ordered", Who: "you",
		Why: won(o.Amount) + ", " + won(o.Display) + " to be transferred.",
	}}
	add := func(at time.Time, what, why, who string, lines ...ledgerLine) {
		events = append(events, happening{At: at, What: what, Why: why, Who: who, Lines: lines})
	}
	if !o.PaidAt.IsZero() {
		add(o.PaidAt, "Paid", "", "bank",
			ledgerLine{"arrived", o.Real}, ledgerLine{"fee", o.Fee.Negated()}, ledgerLine{"into your balance", o.Real.Less(o.Fee)})
	}
	switch o.State {
	case deposit.Waiting:
		events = append(events, happening{At: o.ExpiresAt, What: "Expires", Why: "unless it is paid before", Ahead: true})
	case deposit.Seen:
		add(o.ChangedAt, "Seen", troubles[o.Trouble], "bank")
	case deposit.Expired:
		add(o.ExpiresAt, "Expired", troubles[o.Trouble], "clock")
	case deposit.Cancelled:
		add(o.ChangedAt, "Cancelled", troubles[o.Trouble], "operator")
	case deposit.Failed:
		add(o.ChangedAt, "Failed", troubles[o.Trouble], "operator")
	case deposit.TakenBack:
		add(o.ChangedAt, "Taken back", "", "bank", ledgerLine{"out of your balance", o.Real.Negated()})
	}
	return events
}

func (d *Desk) payout(c *call) {
	list, _, err := d.cfg.Engine.MerchantPayouts(c.ctx(), engine.Page{Merchant: c.merchant.ID, Number: c.r.PathValue("number"), Limit: 1})
	switch {
	case err != nil:
		d.fail(c, err)
		return
	case len(list) == 0:
		d.unknown(c)
		return
	}
	m := list[0]
	k := kindOf(payoutKinds, m.State)
	v := detail{Number: m.Number, From: "payouts/", Mark: k.mark, Means: k.Means, Facts: []fact{
		{"Your number", m.RequestID, "", m.RequestID},
		{"Amount", won(m.Amount), "", ""},
		{"Fee", won(m.Fee), "on top", ""},
		{"Service", m.Service, "", ""},
		{"Signed with", signedWith(m.SignType), "", ""},
		{"Told at", cmp.Or(m.NotifyURL, "nobody"), "", m.NotifyURL},
	}}
	if m.NotifyURL == "" {
		v.NoTells = nobodyTold
	}
	if v.Line, err = d.happenings(c, m.Number, m.NotifyURL, payoutEvents(m)); err != nil {
		d.fail(c, err)
		return
	}
	d.show(c, http.StatusOK, "payout", m.Number, v)
}

// payoutEvents are what the payout itself remembers.
func payoutEvents(m engine.MerchantPayout) []happening {
	both := m.Amount.Plus(m.Fee)
	events := []happening{{
		At: m.CreatedAt, What: "Taken on", Who: "you",
		Lines: []ledgerLine{{"amount", m.Amount}, {"fee", m.Fee}, {"frozen", both}},
	}}
	add := func(at time.Time, what, why, who string, lines ...ledgerLine) {
		events = append(events, happening{At: at, What: what, Why: why, Who: who, Lines: lines})
	}
	k := kindOf(payoutKinds, m.State)
	switch m.State {
	case payout.Asked:
	case payout.Paid, payout.Returned:
		add(m.DoneAt, "Paid", "", "bank",
			ledgerLine{"paid out", m.Amount.Negated()}, ledgerLine{"fee", m.Fee.Negated()}, ledgerLine{"no longer frozen", both})
		if m.State == payout.Returned {
			add(m.BackAt, k.Word, "", "bank", ledgerLine{"into your balance", m.Amount})
		}
	case payout.Refused:
		why, ok := reasons[m.Reason]
		if !ok {
			why = noReason
		}
		add(m.DoneAt, k.Word, why, "bank", ledgerLine{"free again", both})
	case payout.Cancelled:
		add(m.DoneAt, k.Word, "", "operator", ledgerLine{"free again", both})
	default:
		add(m.ChangedAt, k.Word, "", "")
	}
	return events
}

// payForm lets the simulated bank of a sandbox book a transfer for an order.
type payForm struct {
	Action, CSRF    string
	Amount, Name    string
	Account         string
	Late, Again     bool
	CanSkip, IsOver bool
	NameKnown       bool
	Wrong           string
	amount          int64
}

// payForm is absent outside a sandbox.
func (d *Desk) payForm(o deposit.Order) *payForm {
	if d.cfg.Bank == nil {
		return nil
	}
	return &payForm{
		Action: root + "deposits/" + o.Number + "/pay", Amount: strconv.FormatInt(o.Display.Minor(), 10), Account: o.Receiver.Number,
		CanSkip: d.cfg.Skip != nil && o.State == deposit.Waiting, IsOver: o.State.Final(), NameKnown: len(o.Payer) > 0,
	}
}

func (f *payForm) read(c *call) {
	f.Amount, f.Name = strings.TrimSpace(c.r.PostForm.Get("amount")), strings.TrimSpace(c.r.PostForm.Get("name"))
	f.Late, f.Again = f.CanSkip && c.r.PostForm.Get("late") != "", c.r.PostForm.Get("again") != ""
	n, err := strconv.ParseInt(strings.ReplaceAll(f.Amount, ",", ""), 10, 64)
	switch {
	case err != nil || n <= 0 || n > math.MaxInt32:
		f.Wrong = "The amount is whole won, more than none."
	case f.Name == "" && !f.NameKnown:
		f.Wrong = "Say from whose name the transfer comes: nobody has told it yet."
	}
	f.amount = n
}

// pay lets the simulated bank book a transfer: late, where its order's time shall be over before, and twice, where it shall come again.
func (d *Desk) pay(c *call) {
	if d.cfg.Bank == nil {
		d.unknown(c)
		return
	}
	o, ok := d.findDeposit(c)
	if !ok {
		return
	}
	f := d.payForm(o)
	if f.read(c); f.Wrong != "" {
		d.showDeposit(c, http.StatusUnprocessableEntity, o, f)
		return
	}
	if err := d.transfer(c, o, f); err != nil {
		d.fail(c, err)
		return
	}
	c.redirect(root + "deposits/" + o.Number + "?done=paid")
}

func (d *Desk) transfer(c *call, o deposit.Order, f *payForm) error {
	from := card.Conceal(f.Name)
	if from.IsZero() {
		p, err := d.cfg.Engine.PayerOf(o)
		if err != nil {
			return err
		}
		from = p.Name
	}
	if from.IsZero() {
		return errors.New("a transfer without a name")
	}
	if f.Late {
		if err := d.cfg.Skip(c.ctx(), o.DueAt.Sub(d.cfg.Business())+time.Second); err != nil {
			return err
		}
	}
	times := 1
	if f.Again {
		times = 2
	}
	for range times {
		if err := d.cfg.Bank.Deposit(c.ctx(), o.Receiver.Number, f.amount, from.Reveal()); err != nil {
			return err
		}
	}
	return nil
}
