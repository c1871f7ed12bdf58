package fsck

import (
	"cmp"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"naru/core/ledger"
	"naru/core/money"
	"naru/core/payout"
)

// outgo is all that the database says about one payout.
type outgo struct {
	journal
	bank, request string
	purpose       payout.Purpose
	state         payout.State
	version       int64
	currency      string
	amount, fee   int64
	reason        payout.Reason
	limit         int64
	attempt       string // the present one; empty while there is none
	attempts      int64
	createdUS     int64
	changedUS     int64
	dueUS         sql.NullInt64
	doneUS        sql.NullInt64
	backUS        sql.NullInt64
	print, target []byte
	merchants     bool   // a merchant knows of it
	gives         bool   // it is as much as the credit that it should give back, from the account that it came to
	giving        string // and what that credit says that gives it back

	tries []try
	cases []opened

	now        payout.Payout // where the events that were told so far lead
	fees       int64         // of the attempt that paid, as far as they were told
	dispatched []dispatch    // by attempt
}

// try is one order to a payout bank.
type try struct {
	id                        string
	state                     payout.AttemptState
	n                         int64
	bank, reference, currency string
	fees, tax                 int64
	sentUS                    sql.NullInt64
	createdUS                 int64
	body                      []byte
}

// dispatch is what the journal says of the sending of an attempt: when it was first about to leave, and when last.
type dispatch struct{ firstUS, lastUS int64 }

// opened is a case about what a journal is of.
type opened struct {
	id   string
	open bool
}

func (c *opened) columns() []any { return []any{&c.id, &c.open} }

// line is a line of a payout bank's statement: of one of our orders, or of none.
type line struct {
	id, kind, currency, attempt string
	amount                      int64
	seen                        bool // its event was found
}

// The tables side by side, each in the order of the payout.
const (
	outgoes = `SELECT p.id, p.account, p.bank, p.request_id, p.purpose, p.state, p.version, p.currency, p.amount, p.fee, p.reason,
	                  p.limit_broken, p.attempt_id, p.attempts, p.created_us, p.changed_us, p.due_us, p.done_us, p.back_us, p.print, p.target,
	                  p.chain_length, p.chain_digest, m.payout_id IS NOT NULL, COALESCE(c.payout_id, ''),
	                  COALESCE(c.receiver = p.account AND c.currency = p.currency AND c.amount = p.amount, FALSE)
	             FROM payout AS p LEFT JOIN merchant_payout AS m ON m.payout_id = p.id
	             LEFT JOIN bank_credit AS c ON p.purpose = 'SENDER'
	                                       AND c.id = SUBSTR(p.request_id || '/', 1, INSTR(p.request_id || '/', '/') - 1)
	            ORDER BY p.id`
	outgoTries = `SELECT payout_id, id, state, n, bank, reference, currency, fees, tax, first_sent_us, created_us, body
	                FROM payout_attempt ORDER BY payout_id, n`
	journalCases = `SELECT payment_id, id, closed_us IS NULL FROM operator_case ORDER BY payment_id, id`
)

// payouts reads every payout with all that belongs to it.
func (x *run) payouts(b *books) error {
	m := &merge{run: x}
	defer m.close()
	tables := x.journals(m, b, ofPayouts)
	tries := open(m, outgoTries, func(t *try) []any {
		return []any{
			&t.id, &t.state, &t.n, &t.bank, &t.reference, &t.currency, &t.fees, &t.tax, &t.sentUS, &t.createdUS, &t.body,
		}
	}, nil)
	cases := open(m, journalCases, (*opened).columns, nil)
	if m.err != nil {
		return m.err
	}
	err := x.each(outgoes, func(scan func(...any) error) error {
		p := outgo{journal: journal{table: "payout"}}
		err := scan(&p.id, &p.account, &p.bank, &p.request, &p.purpose, &p.state, &p.version, &p.currency, &p.amount, &p.fee, &p.reason, &p.limit,
			&p.attempt, &p.attempts, &p.createdUS, &p.changedUS, &p.dueUS, &p.doneUS, &p.backUS, &p.print, &p.target, &p.length, &p.digest,
			&p.merchants, &p.giving, &p.gives)
		if err != nil {
			return err
		}
		tables.of(&p.journal)
		p.tries, p.cases = tries.of(p.id), cases.of(p.id)
		if m.err != nil {
			return m.err
		}
		x.chain(&p.journal)
		if p.version < p.length { // it also changes without an event: somebody looks at it again later
			x.bad("journal-chain", "payout", p.id, "was changed %d times with %d events", p.version, p.length)
		}
		x.payout(&p, b)
		x.target(&p)
		return nil
	})
	if err != nil {
		return err
	}
	tables.end()
	return m.err
}

// payout tells a payout its events from the beginning, and compares where they lead with what its rows say.
func (x *run) payout(p *outgo, b *books) {
	in, known := money.Lookup(p.currency)
	if !known || p.amount <= 0 || p.fee < 0 {
		x.noAmount(&p.journal, b, p.amount, p.currency)
		return
	}
	if !p.state.Final() {
		b.held[place{string(ledger.PayoutInFlight), p.account, p.currency}] -= p.amount + p.fee
	}
	if p.purpose == payout.ForMerchant {
		b.held[place{string(ledger.MerchantPayable), p.account, p.currency}] += p.taken()
	}
	x.did("states")
	p.now = payout.Payout{
		ID: p.id, Purpose: p.purpose, Account: p.account, Bank: p.bank, State: payout.Asked,
		Amount: money.New(p.amount, in), Fee: money.New(p.fee, in),
	}
	p.fees = p.present().fees - p.corrected()
	whole := x.walk(&p.journal, b, func(e event) (effect, error) {
		kind, id, _ := strings.Cut(e.object, "/")
		switch kind {
		case "":
			return p.step(e)
		case "statement":
			return p.differs(e, id)
		}
		return effect{}, fmt.Errorf("%q has no place in the journal of a payout", e.object)
	})
	if !whole {
		return
	}
	if p.now.State != p.state {
		x.bad("states", "payout", p.id, "is %s and its events lead to %s", p.state, p.now.State)
	}
	if !slices.ContainsFunc(p.events, func(e event) bool { return e.atUS == p.changedUS }) {
		x.bad("states", "payout", p.id, "changed when nothing happened to it")
	}
	x.tries(p)
	x.ends(p)
	x.charged(p)
	x.purpose(p)
}

// taken is what a merchant's payout took of the merchant's balance: a return gives the amount back, and our fee stays ours.
func (p *outgo) taken() int64 {
	switch p.state {
	case payout.Refused, payout.Cancelled:
		return 0
	case payout.Returned:
		return p.fee
	}
	return p.amount + p.fee
}

// present is the attempt that the payout names, or none.
func (p *outgo) present() (t try) {
	for _, have := range p.tries {
		if have.id == p.attempt {
			t = have
		}
	}
	return t
}

// corrected is what the bank's statement told later of the fees, as it is booked: what remains of them was told with the payment.
func (p *outgo) corrected() (sum int64) {
	back := map[string]bool{}
	for _, l := range p.lines {
		back["statement/"+l.id] = l.amount > 0 // what came back is no part of what the order cost
	}
	for _, e := range p.events {
		for _, q := range p.postings {
			if e.object == "" || q.n != e.n || back[e.object] {
				continue
			}
			if q.debit == string(ledger.RailFee) {
				sum += q.amount
			} else {
				sum -= q.amount
			}
		}
	}
	return sum
}

// step is an event of the payout itself (disburse v1 §10). Only what changes it is one.
func (p *outgo) step(e event) (f effect, err error) {
	ev, in := payout.Event(e.event), p.now.Amount.Currency()
	if e.n == 1 {
		if e.event != "ask" {
			return f, fmt.Errorf("a payout begins with ask, not with %s", e.event)
		}
		if first := payout.State(e.state); p.purpose == payout.ForMerchant && first == payout.Reviewed {
			p.now.State = first
		}
		f.wrong = cmp.Or(e.agrees("amount", p.now.Amount.String()), e.agrees("fee", p.now.Fee.String()))
		if e.atUS != p.createdUS {
			f.wrong = "asks at another time than the payout says"
		}
		f.state, f.moved = string(p.now.State), []ledger.Posting{p.now.TakenOn()}
		return f, nil
	}
	before := p.now.State
	if p.now, f.moved, err = p.now.After(ev); err != nil {
		return f, err
	}
	f.state = string(p.now.State)
	ended := p.doneUS
	switch ev {
	case payout.Dispatch:
		f.wrong = p.dispatch(e, before)
		return f, nil
	case payout.Confirm:
		f.moved = append(f.moved, ledger.PayoutCost(p.bank, money.New(p.fees, in), money.New(p.present().tax, in))...)
	case payout.Refuse:
		f.wrong = e.agrees("why", string(p.reason))
	case payout.Return:
		ended = p.backUS
	}
	switch {
	case p.now.State == before:
		f.wrong = e.event + " changes nothing, and is no event"
	case p.now.State.Final() && ended.Int64 != e.atUS:
		f.wrong = e.event + " at another time than the payout says"
	}
	return f, nil
}

// dispatch is what must be said of an attempt that is about to leave: it is the one that never left, or the next one.
func (p *outgo) dispatch(e event, before payout.State) (wrong string) {
	if before == payout.Waiting || len(p.dispatched) == 0 {
		p.dispatched = append(p.dispatched, dispatch{firstUS: e.atUS})
	}
	n := len(p.dispatched)
	p.dispatched[n-1].lastUS = e.atUS
	if n > len(p.tries) {
		return fmt.Sprintf("sends the attempt %d, which there is not", n)
	}
	if wrong := e.agrees("attempt", fmt.Sprint(n)); wrong != "" {
		return wrong
	}
	return e.agrees("reference", p.tries[n-1].reference)
}

// differs is a line of the statement with other fees than were known.
func (p *outgo) differs(e event, id string) (f effect, err error) {
	l, err := p.stated(e, id)
	if err != nil {
		return f, err
	}
	if p.now.State != payout.Paid && p.now.State != payout.Returned || l.attempt != p.attempt || l.currency != p.currency {
		return f, fmt.Errorf("takes fees of what was not paid")
	}
	more, tax := -l.amount-p.amount-p.fees-p.present().tax, int64(0)
	switch {
	case l.kind == "fee":
		more = -l.amount
	case l.amount > 0 && p.now.State == payout.Returned: // the fees came back with the rest
		if more = p.amount - l.amount; more == -p.fees-p.present().tax {
			more, tax = -p.fees, -p.present().tax
		}
	case l.amount > 0:
		more = 0
	}
	if more == 0 && tax == 0 {
		return f, fmt.Errorf("takes fees that are not in the line %s", id)
	}
	if l.amount <= 0 {
		p.fees += more
	}
	in := p.now.Amount.Currency()
	return effect{state: string(p.now.State), moved: ledger.PayoutCost(p.bank, money.New(more, in), money.New(tax, in))}, nil
}

// stated finds the line of a statement that an event tells of, once.
func (j *journal) stated(e event, id string) (*line, error) {
	for i := range j.lines {
		if l := &j.lines[i]; l.id == id && !l.seen && e.event == "statement" {
			l.seen = true
			return l, nil
		}
	}
	return nil, fmt.Errorf("cannot %s the line %q of a statement, which there is not or which was told before", e.event, id)
}

// funded is a line of the statement that belongs to no order: what the bank took for itself, or money that came or went.
func (j *journal) funded(e event, id string) (f effect, err error) {
	l, err := j.stated(e, id)
	if err != nil {
		return f, err
	}
	in, known := money.Lookup(l.currency)
	if !known || l.amount == 0 {
		return f, fmt.Errorf("books the line %s, of %d %s", id, l.amount, l.currency)
	}
	if l.kind == "fee" {
		return effect{state: "fee", moved: ledger.PayoutCost(j.account, money.New(-l.amount, in), money.New(0, in))}, nil
	}
	return effect{state: "funded", moved: ledger.Funded(j.account, money.New(l.amount, in))}, nil
}

// tryFits says where the present attempt may stand while its payout stands somewhere; empty is none.
var tryFits = map[payout.State][]payout.AttemptState{
	payout.Reviewed:  {""},
	payout.Asked:     {payout.AttemptPrepared, ""},
	payout.Sent:      {payout.AttemptPrepared, payout.AttemptOpen},
	payout.Waiting:   {payout.AttemptFailed},
	payout.Unclear:   {payout.AttemptPrepared, payout.AttemptOpen},
	payout.Reversing: {payout.AttemptOpen},
	payout.Deemed:    {payout.AttemptOpen},
	payout.Paid:      {payout.AttemptPaid},
	payout.Refused:   {payout.AttemptFailed, ""},
	payout.Returned:  {payout.AttemptReturned},
	payout.Cancelled: {""},
}

// tries checks what the bank was told: one attempt after the other, and only the last one may pay, or have paid (disburse v1 §7).
func (x *run) tries(p *outgo) {
	x.did("payouts")
	bad := func(problem string, args ...any) { x.bad("payouts", "payout", p.id, problem, args...) }
	if want := tryFits[p.state]; !slices.Contains(want, p.present().state) {
		bad("is %s and its attempt is %s, not %s", p.state, list([]payout.AttemptState{p.present().state}), list(want))
	}
	if int64(len(p.tries)) != p.attempts || len(p.tries) != len(p.dispatched) {
		bad("counts %d attempts, of which %d are there and %d were sent", p.attempts, len(p.tries), len(p.dispatched))
		return
	}
	for i, t := range p.tries {
		wrong := func(problem string, args ...any) { x.bad("payouts", "payout_attempt", t.id, problem, args...) }
		last := i == len(p.tries)-1
		if t.n != int64(i+1) || last != (t.id == p.attempt) {
			wrong("is attempt %d, and stands where attempt %d must", t.n, i+1)
		}
		if !last && t.state != payout.AttemptFailed {
			wrong("is %s, and may pay beside the attempt that came after it", t.state)
		}
		if t.bank != p.bank || t.currency != p.currency {
			wrong("is of another bank or currency than its payout")
		}
		if want := fmt.Sprintf("%s%02d", strings.ReplaceAll(p.id, "-", ""), t.n); t.reference != want {
			wrong("has not the reference that comes from its payout")
		}
		d := p.dispatched[i]
		withheld := last && p.state == payout.Asked
		if t.createdUS != d.firstUS || t.sentUS.Valid == withheld || t.sentUS.Valid && t.sentUS.Int64 != d.lastUS {
			wrong("was made and sent at other times than the journal says")
		}
	}
}

// ends checks that somebody looks after what is open, and that what is over is over.
func (x *run) ends(p *outgo) {
	bad := func(problem string, args ...any) { x.bad("payouts", "payout", p.id, problem, args...) }
	if broke := p.reason == payout.BelowLimit || p.reason == payout.AboveLimit; broke != (p.limit > 0) {
		bad("is refused for %q, with a limit of %d", p.reason, p.limit)
	}
	if len(p.print) != 4+32 {
		bad("its print is not a digest")
	}
	returned := slices.ContainsFunc(p.cases, func(c opened) bool { return c.id == "payout-returned/"+p.attempt })
	if returned != (p.state == payout.Returned) {
		bad("is %s, and a case says that its money is back: %t", p.state, returned)
	}
	if p.state.Final() || p.dueUS.Valid {
		return
	}
	switch {
	case p.state != payout.Waiting && p.state != payout.Reviewed || len(p.cases) == 0:
		bad("is %s, and nobody will look at it again", p.state)
	case !slices.ContainsFunc(p.cases, func(c opened) bool { return c.open }):
		x.warn("payouts", "payout", p.id, "waits for a person, and its cases are closed")
	}
}

// charged checks that what the statement took for what was paid is what the books know. Where it tells of one payment in several lines, the
// journal knows them all.
func (x *run) charged(p *outgo) {
	t, taken, lines := p.present(), int64(0), 0
	for _, l := range p.lines {
		if l.attempt == p.attempt && l.amount < 0 {
			taken -= l.amount
			lines++
		}
	}
	if paid := p.state == payout.Paid || p.state == payout.Returned; paid && lines == 1 && taken != p.amount+t.fees+t.tax {
		x.bad("statements", "payout", p.id, "cost %d by the statement, and %d with fees and tax by the books", taken, p.amount+t.fees+t.tax)
	}
}

// purpose checks that for whom a payout is made knows of it: a merchant, or the credit that it gives back.
func (x *run) purpose(p *outgo) {
	bad := func(problem string, args ...any) { x.bad("payouts", "payout", p.id, problem, args...) }
	if p.merchants != (p.purpose == payout.ForMerchant) {
		bad("is for %q, and a merchant knows of it: %t", p.purpose, p.merchants)
	}
	if p.purpose != payout.ForSender {
		return
	}
	given := p.state != payout.Refused && p.state != payout.Cancelled && p.state != payout.Returned
	if !p.gives || given != (p.giving == p.id) {
		bad("is %s, and its credit is another, or goes back by %q", p.state, p.giving)
	}
}

// target checks that what is about a person opens where it stands, and nowhere else.
func (x *run) target(p *outgo) {
	if x.vault == nil {
		return
	}
	x.did("payouts-open")
	plain, err := x.vault.Open(p.target, "payout.target/"+p.id)
	to := strings.SplitN(string(plain), "\n", 5)
	clear(plain)
	switch {
	case err != nil:
		x.bad("payouts-open", "payout", p.id, "the target does not open here")
	case len(to) > 1 && len(addresses([]byte(to[0]))) == 1:
		x.persons.learn(to[0])
	case len(to) == 5 && to[0] == "" && len(figures(to[2])) > 5: // a bank account
		x.persons.learn(to[2], to[3])
	default:
		x.bad("payouts-open", "payout", p.id, "what is kept as a target is none")
	}
	for _, t := range p.tries {
		x.did("payouts-open")
		plain, err := x.vault.Open(t.body, "payout_attempt.body/"+t.id)
		if err != nil || len(plain) == 0 {
			x.bad("payouts-open", "payout_attempt", t.id, "the order does not open here")
		}
		clear(plain)
	}
}

// strangeLines are what a statement says that does not fit: lines of our orders with other names, unknown ones that no case tells of, and
// ones of no order that the bank's book does not know.
const strangeLines = `
SELECT s.bank || '/' || s.id, CASE
       WHEN s.attempt_id IS NOT NULL AND (a.id IS NULL OR a.bank <> s.bank OR a.bank_id <> s.bank_id OR a.currency <> s.currency)
       THEN 'is of an attempt of another bank, name or currency'
       WHEN NOT s.known AND NOT EXISTS (SELECT 1 FROM operator_case AS x WHERE x.id = 'payout-unknown-debit/' || s.bank || '/' || s.id)
       THEN 'is of an order that is not ours, and no case tells anybody'
       WHEN s.known <> (s.attempt_id IS NOT NULL OR s.bank_id = '')
       THEN 'is said to be known, or not to be, against what it is'
       WHEN s.bank_id = '' AND s.amount <> 0
            AND NOT EXISTS (SELECT 1 FROM event AS e WHERE e.payment_id = 'account/' || s.bank AND e.object = 'statement/' || s.id)
       THEN 'moved money that is not booked'
       ELSE '' END
  FROM statement_entry AS s LEFT JOIN payout_attempt AS a ON a.id = s.attempt_id`

// statements checks what payout banks say of the money that they hold for us.
func (x *run) statements() error {
	return x.each(strangeLines, func(scan func(...any) error) error {
		var row, problem string
		err := scan(&row, &problem)
		x.did("statements")
		if problem != "" {
			x.bad("statements", "statement_entry", row, "%s", problem)
		}
		return err
	})
}
