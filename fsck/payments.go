package fsck

import (
	"bytes"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"naru/core/card"
	"naru/core/payment"
)

// life is all that the database says about one payment.
type life struct {
	id, account      string
	state            payment.State
	version          int64
	currency         string
	amount, captured int64
	held             bool
	holdUntil        sql.NullInt64
	attempt          string // the present one; empty where the network was never asked
	card             []byte
	length           int64
	digest           []byte

	events   []event
	postings []posting
	attempts []attempt
	captures []capture
	cancels  []cancel
	advices  []advice
	cases    int
}

type event struct {
	n, atUS       int64
	event         payment.Event
	state         payment.State
	actor, detail string
	digest        []byte
}

type posting struct {
	n, k                           int64
	owner, debit, credit, currency string
	amount, atUS                   int64
}

type attempt struct {
	id    string
	state payment.AttemptState
}

type capture struct {
	id, account string
	state       payment.CaptureState
	currency    string
	amount      int64
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
}

// The tables side by side, each in the order of the payment.
const (
	lives = `SELECT id, account, state, version, currency, amount, captured, held, hold_until_us, attempt_id, card, chain_length, chain_digest
	           FROM reservation ORDER BY id`
	lifeEvents   = `SELECT payment_id, n, at_us, event, state, actor, detail, digest FROM event ORDER BY payment_id, n`
	lifePostings = `SELECT payment_id, event_n, k, owner, debit, credit, currency, amount, at_us FROM posting ORDER BY payment_id, event_n, k`
	lifeAttempts = `SELECT reservation_id, id, state FROM attempt ORDER BY reservation_id, id`
	lifeCaptures = `SELECT reservation_id, id, account, state, currency, amount FROM capture ORDER BY reservation_id, id`
	lifeCancels  = `SELECT reservation_id, id, account, state FROM cancel ORDER BY reservation_id, id`
	lifeAdvices  = `SELECT reservation_id, id, attempt_id, kind, state, currency, amount FROM advice ORDER BY reservation_id, id`
	lifeCases    = `SELECT payment_id, COUNT(*) FROM operator_case GROUP BY payment_id ORDER BY payment_id`
)

// payments reads every payment with all that belongs to it, and then the books that they add up to. Tables whose references to a payment
// the database itself keeps have no strays of their own here: the check of references finds them.
func (x *run) payments() error {
	b, m := newBooks(), &merge{run: x}
	defer m.close()
	events := open(m, lifeEvents, func(e *event) []any {
		return []any{&e.n, &e.atUS, &e.event, &e.state, &e.actor, &e.detail, &e.digest}
	}, func(id string, e event) {
		x.bad("journal-chain", "event", e.row(id), "belongs to no payment")
	})
	postings := open(m, lifePostings, func(p *posting) []any {
		return []any{&p.n, &p.k, &p.owner, &p.debit, &p.credit, &p.currency, &p.amount, &p.atUS}
	}, func(id string, p posting) {
		x.bad("postings", "posting", p.row(id), "belongs to no payment")
		b.add(x, id, p)
	})
	attempts := open(m, lifeAttempts, func(a *attempt) []any { return []any{&a.id, &a.state} }, nil)
	captures := open(m, lifeCaptures, func(c *capture) []any { return []any{&c.id, &c.account, &c.state, &c.currency, &c.amount} }, nil)
	cancels := open(m, lifeCancels, func(c *cancel) []any { return []any{&c.id, &c.account, &c.state} }, nil)
	advices := open(m, lifeAdvices, func(a *advice) []any {
		return []any{&a.id, &a.attempt, &a.kind, &a.state, &a.currency, &a.amount}
	}, nil)
	cases := open(m, lifeCases, func(n *int) []any { return []any{n} }, nil)
	if m.err != nil {
		return m.err
	}
	err := x.each(lives, func(scan func(...any) error) error {
		var p life
		err := scan(&p.id, &p.account, &p.state, &p.version, &p.currency, &p.amount, &p.captured, &p.held, &p.holdUntil, &p.attempt, &p.card,
			&p.length, &p.digest)
		if err != nil {
			return err
		}
		p.events, p.postings, p.attempts, p.captures = events.of(p.id), postings.of(p.id), attempts.of(p.id), captures.of(p.id)
		p.cancels, p.advices, p.cases = cancels.of(p.id), advices.of(p.id), len(cases.of(p.id))
		if m.err != nil {
			return m.err
		}
		x.journal(&p)
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
	events.end()
	postings.end()
	if m.err != nil {
		return m.err
	}
	return x.balances(b)
}

func (e event) row(payment string) string { return fmt.Sprintf("%s/%d", payment, e.n) }

// happened counts an event of the payment.
func (p *life) happened(e payment.Event) (n int) {
	for _, have := range p.events {
		if have.event == e {
			n++
		}
	}
	return n
}

// journal checks that the chain is whole: design §3.5.
func (x *run) journal(p *life) {
	var before []byte
	for i, e := range p.events {
		row := e.row(p.id)
		if e.n != int64(i+1) {
			x.bad("journal-chain", "event", row, "comes where event %d must", i+1)
			return
		}
		if x.vault != nil {
			x.did("journal-digests")
			covered := fmt.Appendf(nil, "%s\x00%d\x00%d\x00%s\x00%s\x00%s\x00%s", p.id, e.n, e.atUS, e.event, e.state, e.actor, e.detail)
			if ok, err := x.vault.Verify(e.digest, "journal", before, covered); err != nil || !ok {
				x.bad("journal-digests", "event", row, "is not what was written, or does not follow the event before it")
			}
		}
		before = e.digest
	}
	x.did("journal-chain")
	switch {
	case p.length != int64(len(p.events)):
		x.bad("journal-chain", "reservation", p.id, "has %d events and counts %d", len(p.events), p.length)
	case !bytes.Equal(p.digest, before):
		x.bad("journal-chain", "reservation", p.id, "knows another last event than the journal's")
	}
	if p.version != p.length {
		x.bad("journal-chain", "reservation", p.id, "was changed %d times with %d events", p.version, p.length)
	}
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
	payment.Cancelled:      {payment.AttemptReversed, payment.AttemptVoid, payment.AttemptGone},
	payment.Expired:        {payment.AttemptReversing, payment.AttemptReversed, payment.AttemptGone},
}

// attempts checks what may be held at the network (rails §1.10): at most one attempt may hold money, because the earlier ones must not.
func (x *run) attempts(p *life) {
	var present payment.AttemptState
	for _, a := range p.attempts {
		x.did("attempts")
		switch {
		case a.id == p.attempt:
			present = a.state
		case a.state != payment.AttemptVoid && a.state != payment.AttemptReversed:
			x.bad("attempts", "attempt", a.id, "is %s, and may hold money beside the attempt that came after it", a.state)
		}
	}
	if want := attemptFits[p.state]; !slices.Contains(want, present) {
		x.bad("attempts", "reservation", p.id, "is %s and its attempt is %s, not %s", p.state, list([]payment.AttemptState{present}), list(want))
	}
	asked := p.happened(payment.Ask)
	if p.attempt == "" {
		asked-- // the last answer was known without the network
	}
	if len(p.attempts) != asked {
		x.bad("attempts", "reservation", p.id, "the network was asked %d times with %d attempts", asked, len(p.attempts))
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
	for _, a := range p.attempts {
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
	}
	for _, a := range p.advices {
		x.did("advices")
		amount := p.amount
		if a.kind != payment.Reversal && len(p.captures) == 1 {
			amount = p.captures[0].amount
		}
		switch {
		case a.kind == payment.ReleaseRest && len(p.captures) == 0:
			x.bad("advices", "advice", a.id, "gives back the rest of a capture that there is not")
		case a.kind == payment.ReleaseRest && p.state == payment.Captured && a.state != payment.AdviceDone:
			x.bad("advices", "advice", a.id, "must be answered before the capture is, and is %s", a.state)
		case a.attempt == p.attempt && (a.amount != amount || a.currency != p.currency): // an earlier attempt may have had other terms
			x.bad("advices", "advice", a.id, "names %d %s where the payment has %d %s", a.amount, a.currency, amount, p.currency)
		}
		if a.state == payment.AdviceStopped && p.cases == 0 {
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
	if n := p.happened(payment.Capture); n != len(p.captures) {
		x.bad("jobs", "reservation", p.id, "was captured %d times by its events, with %d captures", n, len(p.captures))
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
		if p.state == payment.Captured {
			moved += c.amount
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
	if p.happened(payment.Approve) > 0 && !p.holdUntil.Valid {
		x.bad("jobs", "reservation", p.id, "was approved and the hold has no end")
	}
}

// card checks that card data is there exactly as long as a later message may need it (design §3.6), and is that reservation's.
func (x *run) card(p *life) {
	x.did("cards")
	needed := payment.Reservation{State: p.state, Held: p.held}.NeedsCard()
	for _, a := range p.advices {
		needed = needed || a.state != payment.AdviceDone
	}
	switch {
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
