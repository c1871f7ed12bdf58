package fsck

import (
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"naru/core/card"
	"naru/core/ledger"
	"naru/core/money"
	"naru/core/payment"
	"naru/core/settlement"
)

// life is all that the database says about one payment.
type life struct {
	journal
	request          string
	purpose          payment.Purpose
	state            payment.State
	version          int64
	currency         string
	amount, captured int64
	held             bool
	holdUntil        sql.NullInt64
	attempt          string // the present one; empty where the network was never asked
	card             []byte
	cardUntil        sql.NullInt64

	attempts  []attempt
	captures  []capture
	cancels   []cancel
	advices   []advice
	refunds   []refund
	disputes  []dispute
	documents []document
	cases     []string

	now    payment.Reservation // where the events that were told so far lead
	erased bool                // and whether they erased the card
}

type attempt struct {
	id, rrn, refund string // refund is what it is to pay; empty for a hold or a sale
	state           payment.AttemptState
	undoneDay       string
}

type capture struct {
	id, account, request string
	state                payment.CaptureState
	currency             string
	amount               int64
	rrn, arn, day        string
	clearing             string
	createdUS            int64
	doneUS               sql.NullInt64
}

type cancel struct {
	id, account string
	state       payment.CancelState
}

type advice struct {
	id, attempt string
	kind        payment.AdviceKind
	state       payment.AdviceState
	currency    string
	amount      int64
	file        string // that carries it; empty for none
}

// The tables side by side, each in the order of the payment.
const (
	lives = `SELECT id, account, request_id, purpose, state, version, currency, amount, captured, held, hold_until_us, attempt_id, card,
	                card_until_us, chain_length, chain_digest
	           FROM reservation ORDER BY id`
	lifeAttempts = `SELECT reservation_id, id, rrn, COALESCE(refund_id, ''), state, undone_day FROM attempt ORDER BY reservation_id, id`
	lifeCaptures = `SELECT reservation_id, id, account, request_id, state, currency, amount, rrn, arn, day, clearing, created_us, done_us
	                  FROM capture ORDER BY reservation_id, id`
	lifeCancels = `SELECT reservation_id, id, account, state FROM cancel ORDER BY reservation_id, id`
	lifeAdvices = `SELECT reservation_id, id, attempt_id, kind, state, currency, amount, file FROM advice ORDER BY reservation_id, id`
	lifeRefunds = `SELECT reservation_id, id, account, request_id, state, currency, amount, returned, reason, attempt_id, rrn, arn, day,
	                      created_us, done_us, back_us
	                 FROM refund ORDER BY reservation_id, created_us, id`
	lifeDisputes = `SELECT reservation_id, id, account, stage, case_no, state, currency, amount, won, done_us, told
	                  FROM dispute ORDER BY reservation_id, created_us, id`
	lifeDocuments = `SELECT d.reservation_id, v.id, v.dispute_id FROM evidence AS v JOIN dispute AS d ON d.id = v.dispute_id
	                  ORDER BY d.reservation_id, v.id`
	lifeCases = `SELECT payment_id, id FROM operator_case ORDER BY payment_id, id`
)

// payments reads every payment with all that belongs to it, then the payouts, the deposit orders, the money that came by transfer and the
// books of the accounts, and then what they all add up to. Tables whose references to a payment the database itself keeps have no strays of
// their own here: the check of references finds them.
func (x *run) payments() error {
	b := newBooks()
	if err := x.readClosings(); err != nil {
		return err
	}
	err := x.each("SELECT at_us FROM event ORDER BY id DESC LIMIT 1", func(scan func(...any) error) error { return scan(&x.newestUS) })
	if err == nil {
		err = x.lives(b)
	}
	if err == nil {
		err = x.payouts(b)
	}
	if err == nil {
		err = x.orders(b)
	}
	if err == nil {
		err = x.credits(b)
	}
	if err == nil {
		err = x.collected(b)
	}
	if err == nil {
		err = x.secretsOfMerchants()
	}
	if err == nil {
		err = x.accounts(b)
	}
	if err == nil {
		err = x.exceptions()
	}
	if err != nil {
		return err
	}
	x.settlements(b)
	return x.balances(b)
}

func (x *run) lives(b *books) error {
	m := &merge{run: x}
	defer m.close()
	tables := x.journals(m, b, ofPayments)
	attempts := open(m, lifeAttempts, func(a *attempt) []any { return []any{&a.id, &a.rrn, &a.refund, &a.state, &a.undoneDay} }, nil)
	captures := open(m, lifeCaptures, func(c *capture) []any {
		return []any{
			&c.id, &c.account, &c.request, &c.state, &c.currency, &c.amount, &c.rrn, &c.arn, &c.day, &c.clearing, &c.createdUS, &c.doneUS,
		}
	}, nil)
	cancels := open(m, lifeCancels, func(c *cancel) []any { return []any{&c.id, &c.account, &c.state} }, nil)
	advices := open(m, lifeAdvices, func(a *advice) []any {
		return []any{&a.id, &a.attempt, &a.kind, &a.state, &a.currency, &a.amount, &a.file}
	}, nil)
	refunds := open(m, lifeRefunds, (*refund).columns, nil)
	disputes := open(m, lifeDisputes, (*dispute).columns, nil)
	documents := open(m, lifeDocuments, func(d *document) []any { return []any{&d.id, &d.dispute} }, nil)
	cases := open(m, lifeCases, func(id *string) []any { return []any{id} }, nil)
	if m.err != nil {
		return m.err
	}
	err := x.each(lives, func(scan func(...any) error) error {
		p := life{journal: journal{table: "reservation"}}
		err := scan(&p.id, &p.account, &p.request, &p.purpose, &p.state, &p.version, &p.currency, &p.amount, &p.captured, &p.held, &p.holdUntil,
			&p.attempt, &p.card, &p.cardUntil, &p.length, &p.digest)
		if err != nil {
			return err
		}
		tables.of(&p.journal)
		p.attempts, p.captures, p.cancels, p.advices = attempts.of(p.id), captures.of(p.id), cancels.of(p.id), advices.of(p.id)
		p.refunds, p.disputes, p.documents, p.cases = refunds.of(p.id), disputes.of(p.id), documents.of(p.id), cases.of(p.id)
		if m.err != nil {
			return m.err
		}
		x.chain(&p.journal)
		if p.version != p.length {
			x.bad("journal-chain", "reservation", p.id, "was changed %d times with %d events", p.version, p.length)
		}
		x.replay(&p, b)
		x.attempts(&p)
		x.advices(&p)
		x.jobs(&p)
		x.card(&p)
		return nil
	})
	if err != nil {
		return err
	}
	tables.end()
	return m.err
}

// happened counts an event of the reservation itself.
func (p *life) happened(e payment.Event) (n int) {
	for _, have := range p.events {
		if have.object == "" && have.event == string(e) {
			n++
		}
	}
	return n
}

// approvals is the event by which each purpose succeeds, and leaves the others to what they are for.
var approvals = map[payment.Purpose]payment.Event{
	payment.ToPay: payment.Approve, payment.ToSell: payment.Sell, payment.ToVerify: payment.Verify, payment.ToCheck: payment.Pass,
}

// refused are the events that a purpose has no use for: a sale never holds, a card check cannot be captured, and one that leaves nothing
// cannot be named.
var refused = map[payment.Purpose][]payment.Event{
	payment.ToPay:    {payment.Verify, payment.Pass, payment.Sell},
	payment.ToSell:   {payment.Approve, payment.Verify, payment.Pass, payment.Capture},
	payment.ToVerify: {payment.Approve, payment.Pass, payment.Sell, payment.Capture},
	payment.ToCheck:  {payment.Approve, payment.Verify, payment.Sell, payment.Capture, payment.Cancel},
}

// steps tell an event to what it is of, by the kind of that.
var steps = map[string]func(*life, event, string) (effect, error){
	"":         (*life).reserveStep,
	"refund":   (*life).refundStep,
	"dispute":  (*life).disputeStep,
	"acquirer": (*life).acquirerStep,
	"card":     (*life).cardStep,
}

// replay tells a payment its events from the beginning: it and all that hangs on it must come to where they are, and exactly the money that
// moves on the way must be booked.
func (x *run) replay(p *life, b *books) {
	currency, known := money.Lookup(p.currency)
	if !known || p.amount < 0 || p.amount == 0 && p.purpose.Pays() || approvals[p.purpose] == "" {
		x.noAmount(&p.journal, b, p.amount, p.currency)
		for _, i := range p.items {
			b.settle(i, i.charge)
		}
		return
	}
	if p.held {
		b.held[place{string(ledger.AcquirerHeld), p.account, p.currency}] += p.amount
	}
	x.did("states")
	p.now = payment.Reservation{
		ID: p.id, Purpose: p.purpose, Account: p.account, State: payment.Pending, Amount: money.New(p.amount, currency),
		Captured: money.New(p.captured, currency),
	}
	if len(p.captures) == 1 {
		p.now.Captured = money.New(p.captures[0].amount, currency)
	}
	p.begin(currency)
	whole := x.walk(&p.journal, b, func(e event) (effect, error) {
		kind, id, _ := strings.Cut(e.object, "/")
		step, ok := steps[kind]
		if !ok {
			return effect{}, fmt.Errorf("is of %q, which there is not", e.object)
		}
		f, err := step(p, e, id)
		for _, i := range []*item{f.item, f.may} {
			if i != nil {
				i.currency = p.currency
			}
		}
		return f, err
	})
	if !whole {
		return
	}
	switch {
	case p.now.State != p.state:
		x.bad("states", "reservation", p.id, "is %s and its events lead to %s", p.state, p.now.State)
	case p.now.Held != p.held:
		x.bad("states", "reservation", p.id, "says held=%t and its events say held=%t", p.held, p.now.Held)
	}
	x.refunds(p)
	x.disputes(p)
	x.recorded(p)
}

// reserveStep is an event of the reservation itself.
func (p *life) reserveStep(e event, _ string) (f effect, err error) {
	ev := payment.Event(e.event)
	if e.n == 1 {
		if ev != payment.Ask {
			return f, fmt.Errorf("a payment begins with %s, not with %s", payment.Ask, e.event)
		}
		return effect{state: string(p.now.State)}, nil
	}
	before := p.now
	switch {
	case slices.Contains(refused[p.purpose], ev):
		return f, fmt.Errorf("a reservation for %q cannot %s", p.purpose, ev)
	case ev == payment.Confirm && !p.now.Captured.IsPositive():
		return f, fmt.Errorf("confirms a capture that there is not")
	case ev == payment.Sell && (len(p.captures) != 1 || !p.now.Captured.IsPositive()):
		return f, fmt.Errorf("takes the money of a capture that there is not")
	case ev == payment.Capture && len(p.captures) == 1:
		f.wrong = e.agrees("amount", p.now.Captured.String())
	}
	if p.now, f.moved, err = p.now.After(ev); err != nil {
		return f, err
	}
	f.state = string(p.now.State)
	switch c := p.taken(); {
	case ev == payment.Sell:
		if c.createdUS != e.atUS || c.doneUS.Int64 != e.atUS {
			f.wrong = "sells at another time than its capture says"
		}
		f.item = due(settlement.Capture, c.request, c.id, "", c.amount)
	case ev == payment.Confirm && c.day != "": // a capture without a business day is older than settlements
		f.item = due(settlement.Capture, c.request, c.id, "", c.amount)
	case ev == payment.Verify, ev == payment.Pass, p.purpose == payment.ToPay && before.Held && !p.now.Held && ev != payment.Confirm:
		f.may = due(settlement.FundsReservation, p.request, p.id, "", 0)
	}
	return f, nil
}

// taken is the capture, or none.
func (p *life) taken() (c capture) {
	if len(p.captures) == 1 {
		c = p.captures[0]
	}
	return c
}

// acquirerStep is a record of the acquirer's that names the payment.
func (p *life) acquirerStep(e event, id string) (f effect, err error) {
	r, err := p.cleared(e, id)
	if err != nil {
		return f, err
	}
	in, known := money.Lookup(r.currency)
	if e.event != "clear" || !known {
		return f, fmt.Errorf("a record of the acquirer in %s cannot %s", r.currency, e.event)
	}
	f = effect{state: r.kind, moved: ledger.Cleared(p.account, money.New(r.fees, in), money.New(r.tax, in))}
	if r.kind == "REJ" {
		if !p.now.Captured.IsPositive() {
			return f, fmt.Errorf("rejects a capture that there is not")
		}
		f.moved = append(f.moved, ledger.Rejected(p.account, p.now.Captured))
	}
	return f, nil
}

// cardStep is what became of the card of a captured payment, when its time was over.
func (p *life) cardStep(e event, _ string) (effect, error) {
	if p.now.State != payment.Captured || p.erased || e.event != "erase-card" && e.event != "keep-card" {
		return effect{}, fmt.Errorf("the card of a payment that is %s cannot %s", p.now.State, e.event)
	}
	p.erased = e.event == "erase-card"
	return effect{state: string(p.now.State)}, nil
}

// attemptFits says where the present attempt may stand while its reservation stands somewhere; empty is none.
var attemptFits = map[payment.State][]payment.AttemptState{
	payment.Pending:        {payment.AttemptPrepared},
	payment.Reserved:       {payment.AttemptApproved},
	payment.Declined:       {payment.AttemptDeclined, payment.AttemptReversing, payment.AttemptReversed, ""}, // refused, and yet to be undone
	payment.Reversing:      {payment.AttemptReversing},
	payment.NotHeld:        {payment.AttemptVoid, payment.AttemptReversed},
	payment.CapturePending: {payment.AttemptApproved},
	payment.Captured:       {payment.AttemptCaptured},
	payment.CaptureFailed:  {payment.AttemptGone, payment.AttemptReversing, payment.AttemptReversed}, // captured after its end: being undone
	payment.CancelPending:  {payment.AttemptReversing},
	payment.Cancelled:      {payment.AttemptReversed, payment.AttemptVoid, payment.AttemptGone, payment.AttemptPassed},
	payment.Expired:        {payment.AttemptReversing, payment.AttemptReversed, payment.AttemptGone, payment.AttemptPassed},
	payment.VerifyHeld:     {payment.AttemptApproved, payment.AttemptPassed},
	payment.Verified:       {payment.AttemptPassed, payment.AttemptReversing, payment.AttemptReversed}, // a check with money gives it back
}

// fits is where the present attempt may stand: what a hold's completion does for it, a sale's own answer does.
func (p *life) fits() []payment.AttemptState {
	if p.purpose == payment.ToSell && p.state == payment.Captured {
		return []payment.AttemptState{payment.AttemptBooked}
	}
	return attemptFits[p.state]
}

// attempts checks what may be held or booked at the network (rails §1.10): at most one attempt may be, because the earlier ones must not.
func (x *run) attempts(p *life) {
	var present payment.AttemptState
	holds := 0
	for _, a := range p.attempts {
		x.did("attempts")
		if a.refund != "" {
			continue // beside the other attempts of its refund
		}
		holds++
		switch {
		case a.id == p.attempt:
			present = a.state
		case a.state != payment.AttemptVoid && a.state != payment.AttemptReversed:
			x.bad("attempts", "attempt", a.id, "is %s, and may hold money beside the attempt that came after it", a.state)
		}
		switch { // a hold books nothing that could be undone; before the last asking its request may have come as a sale
		case a.undoneDay == "" || p.purpose == payment.ToSell:
		case a.id == p.attempt:
			x.bad("attempts", "attempt", a.id, "was a hold, and the network undid on %s what it had booked", a.undoneDay)
		default:
			x.warn("attempts", "attempt", a.id, "came before the attempt of a hold, and the network undid on %s what it had booked", a.undoneDay)
		}
	}
	if want := p.fits(); !slices.Contains(want, present) {
		x.bad("attempts", "reservation", p.id, "is %s and its attempt is %s, not %s", p.state, list([]payment.AttemptState{present}), list(want))
	}
	asked := p.happened(payment.Ask)
	if p.attempt == "" {
		asked-- // the last answer was known without the network
	}
	if present == payment.AttemptPassed && p.amount > 0 {
		x.bad("attempts", "reservation", p.id, "its attempt holds nothing, and %d must be held", p.amount)
	}
	if holds != asked {
		x.bad("attempts", "reservation", p.id, "the network was asked %d times with %d attempts", asked, holds)
	}
}

// told is what must be known of an advice: nothing of that kind, one that waits, or one that was answered.
type told string

const (
	never   told = "none"
	waiting told = "one open"
	closed  told = "one answered"
)

// advices checks what the network must still hear: exactly what is unsettled is queued, and what is settled was told (rails §1.11).
func (x *run) advices(p *life) {
	amounts, byFile := map[string]int64{}, false // of each attempt, and whether its capture went by file
	for _, f := range p.refunds {
		for _, a := range p.attempts {
			if a.refund == f.id {
				amounts[a.id] = f.amount
			}
		}
	}
	amounts[p.attempt] = p.amount
	for _, a := range p.attempts {
		if a.refund != "" {
			continue
		}
		reversal, completion := never, never
		switch a.state {
		case payment.AttemptReversing:
			reversal = waiting
		case payment.AttemptReversed:
			reversal = closed
		case payment.AttemptCaptured:
			completion = closed
		case payment.AttemptApproved:
			if p.state == payment.CapturePending {
				completion = waiting
			}
		case payment.AttemptGone:
			if p.happened(payment.Expire) == 0 { // the network let it go as it heard of the capture
				completion = closed
			}
		}
		x.told(p, a, payment.Reversal, reversal)
		x.told(p, a, payment.Completion, completion)
		x.told(p, a, payment.RefundOrder, never)
		if p.purpose == payment.ToSell { // it has no rest
			x.told(p, a, payment.ReleaseRest, never)
		}
	}
	for _, a := range p.advices {
		byFile = byFile || a.kind == payment.Completion && a.file != ""
	}
	for _, a := range p.advices {
		x.did("advices")
		amount, known := amounts[a.attempt] // an earlier attempt may have had other terms
		if (a.kind == payment.ReleaseRest || a.kind == payment.Completion) && len(p.captures) == 1 {
			amount = p.captures[0].amount
		}
		switch {
		case a.kind == payment.ReleaseRest && len(p.captures) == 0:
			x.bad("advices", "advice", a.id, "gives back the rest of a capture that there is not")
		case a.kind == payment.ReleaseRest && p.state == payment.Captured && a.state != payment.AdviceDone && !byFile:
			x.bad("advices", "advice", a.id, "must be answered before the capture is, and is %s", a.state)
		case known && (a.amount != amount || a.currency != p.currency):
			x.bad("advices", "advice", a.id, "names %d %s where the payment has %d %s", a.amount, a.currency, amount, p.currency)
		}
		if a.state == payment.AdviceStopped && len(p.cases) == 0 {
			x.bad("advices", "advice", a.id, "is stopped, and no case tells anybody")
		}
	}
}

func (x *run) told(p *life, a attempt, kind payment.AdviceKind, want told) {
	have, others := never, 0
	for _, v := range p.advices {
		if v.attempt != a.id || v.kind != kind {
			continue
		}
		others++
		if have = closed; v.state != payment.AdviceDone {
			have = waiting
		}
	}
	switch {
	case others > 1:
		x.bad("advices", "attempt", a.id, "has %d messages of the kind %s", others, kind)
	case have != want:
		x.bad("advices", "attempt", a.id, "is %s: of messages of the kind %s there must be %s, and there is %s", a.state, kind, want, have)
	}
}

// captureEnds is what a capture is where its reservation stands there.
var captureEnds = map[payment.State]payment.CaptureState{
	payment.CapturePending: payment.CaptureOpen,
	payment.Captured:       payment.CaptureSuccess,
}

// jobs checks captures and cancels against the events of their reservation.
func (x *run) jobs(p *life) {
	if n := p.happened(payment.Capture) + p.happened(payment.Sell); n != len(p.captures) {
		x.bad("jobs", "reservation", p.id, "was captured or sold %d times by its events, with %d captures", n, len(p.captures))
	}
	if n := p.happened(payment.Cancel); n != len(p.cancels) {
		x.bad("jobs", "reservation", p.id, "was cancelled %d times by its events, with %d cancels", n, len(p.cancels))
	}
	moved := int64(0)
	for _, c := range p.captures {
		x.did("jobs")
		want, ok := captureEnds[p.state]
		switch {
		case ok:
		case p.happened(payment.Revoke) > 0:
			want = payment.CaptureRevoked
		case p.happened(payment.Lapse) > 0:
			want = payment.CaptureLapsed
		}
		if c.state != want {
			x.bad("jobs", "capture", c.id, "is %s where its reservation says %s", c.state, list([]payment.CaptureState{want}))
		}
		if c.account != p.account || c.currency != p.currency || c.amount > p.amount {
			x.bad("jobs", "capture", c.id, "is not of the account, the currency or the size of its reservation")
		}
		if p.purpose == payment.ToSell && (c.request != p.request || c.amount != p.amount || c.day == "") {
			x.bad("jobs", "capture", c.id, "is a sale's, and has not its request, its amount and a business day")
		}
		if p.state == payment.Captured {
			moved += c.amount
		}
		if hold := p.rrn(); hold != "" && c.rrn != hold {
			x.bad("jobs", "capture", c.id, "has the reference %s, and the hold has %s", c.rrn, hold)
		}
		if success := c.state == payment.CaptureSuccess; !success && c.arn+c.day != "" || !arnLike(c.arn) {
			x.bad("jobs", "capture", c.id, "is %s, with the reference number %q and the business day %q", c.state, c.arn, c.day)
		}
	}
	if p.captured != moved {
		x.bad("jobs", "reservation", p.id, "moved %d and its capture says %d", p.captured, moved)
	}
	for _, c := range p.cancels {
		x.did("jobs")
		if (c.state == payment.CancelOpen) != (p.state == payment.CancelPending) || c.account != p.account {
			x.bad("jobs", "cancel", c.id, "is %s where its reservation is %s", c.state, p.state)
		}
	}
	if p.purpose != payment.ToSell && p.happened(approvals[p.purpose]) > 0 && !p.holdUntil.Valid {
		x.bad("jobs", "reservation", p.id, "was approved and the hold has no end")
	}
}

// open counts the messages that the network must still hear.
func (p *life) open() (n int) {
	for _, a := range p.advices {
		if a.state != payment.AdviceDone {
			n++
		}
	}
	return n
}

// rrn is how the network names the hold or the sale.
func (p *life) rrn() string {
	for _, a := range p.attempts {
		if a.id == p.attempt {
			return a.rrn
		}
	}
	return ""
}

// eraseWithinUS is how long erasing may take: the loop that does it may have been down for a night.
const eraseWithinUS = 24 * 3600 * 1_000_000

// card checks that card data is there exactly as long as a later message may need it (design §3.6), and is that reservation's.
func (x *run) card(p *life) {
	x.did("cards")
	needed := payment.Reservation{State: p.state, Held: p.held}.NeedsCard() || p.open() > 0
	if p.erased {
		needed = false
	}
	if captured := p.state == payment.Captured; p.cardUntil.Valid != (captured && !p.erased) {
		x.bad("cards", "reservation", p.id, "is %s, erased=%t, and its card has an end: %t", p.state, p.erased, p.cardUntil.Valid)
	} else if p.card != nil && p.cardUntil.Valid && x.newestUS-p.cardUntil.Int64 > eraseWithinUS {
		x.warn("cards", "reservation", p.id, "its windows were over long before the newest event, and its card is kept")
	}
	switch {
	case p.erased && p.open() > 0:
		x.bad("cards", "reservation", p.id, "its card was erased, and %d messages still need it", p.open())
	case needed && p.card == nil:
		x.bad("cards", "reservation", p.id, "is %s and a message may need the card, which is gone", p.state)
	case !needed && p.card != nil:
		x.bad("cards", "reservation", p.id, "is %s: no message needs the card any more, and it is kept", p.state)
	}
	if p.card == nil || x.vault == nil {
		return
	}
	x.did("cards-open")
	plain, err := x.vault.Open(p.card, "reservation.card/"+p.id)
	if err != nil {
		x.bad("cards-open", "reservation", p.id, "the card does not open here")
		return
	}
	number, _, _ := strings.Cut(string(plain), "|")
	clear(plain)
	if _, err := card.ParsePAN(number); err != nil {
		x.bad("cards-open", "reservation", p.id, "what is kept as a card is none")
	}
}
