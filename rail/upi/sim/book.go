package sim

import (
	"fmt"
	"regexp"
	"slices"
	"time"
)

// payout is one payout and what became of it.
type payout struct {
	ID          string            `json:"id"`
	N           int               `json:"n"`
	Account     string            `json:"account"`
	Key         string            `json:"key"`
	FundAccount string            `json:"fund_account"`
	Address     string            `json:"vpa"`
	Amount      int64             `json:"amount"` // paise
	Fees        int64             `json:"fees"`   // with tax; nought before processing
	Tax         int64             `json:"tax"`
	Purpose     string            `json:"purpose"`
	Reference   string            `json:"reference"`
	Narration   string            `json:"narration"`
	Notes       map[string]string `json:"notes,omitzero"`
	Queue       bool              `json:"queue"` // queue_if_low_balance
	Status      state             `json:"status"`
	Reason      string            `json:"reason"`
	Code        string            `json:"code,omitzero"`
	UTR         string            `json:"utr"`
	Made        time.Time         `json:"made"`
	Debited     bool              `json:"debited"` // the account has paid amount and fees, and has them not back
	Short       bool              `json:"short"`   // queued until there is enough money
	Script      []move            `json:"script,omitzero"`
	Due         time.Time         `json:"due"` // of the next move; zero where none is to come
	History     []passage         `json:"history"`
}

// was tells whether a payout ever stood there.
func (p *payout) was(s state) bool {
	return slices.ContainsFunc(p.History, func(h passage) bool { return h.To == s })
}

// open tells whether the money may still move to the payee.
func (p *payout) open() bool {
	return slices.Contains([]state{pending, queued, scheduled, processing}, p.Status)
}

// contact and fundAccount are the payee as the caller described it.
type contact struct {
	ID          string  `json:"id"`
	Entity      string  `json:"entity"`
	Name        string  `json:"name"`
	Contact     *string `json:"contact"`
	Email       *string `json:"email"`
	Type        *string `json:"type"`
	ReferenceID *string `json:"reference_id"`
	BatchID     *string `json:"batch_id"`
	Active      bool    `json:"active"`
	Notes       notes   `json:"notes"`
	CreatedAt   int64   `json:"created_at"`
}

type vpa struct {
	Username string `json:"username"`
	Handle   string `json:"handle"`
	Address  string `json:"address"`
}

type fundAccount struct {
	ID          string  `json:"id"`
	Entity      string  `json:"entity"`
	ContactID   string  `json:"contact_id"`
	Contact     contact `json:"contact"`
	AccountType string  `json:"account_type"`
	VPA         vpa     `json:"vpa"`
	BatchID     *string `json:"batch_id"`
	Active      bool    `json:"active"`
	CreatedAt   int64   `json:"created_at"`
}

// same names a fund account by what it was made of: the same payee is not made twice.
func (f *fundAccount) same() string {
	c, none := f.Contact, ""
	for _, text := range []**string{&c.Contact, &c.Email, &c.Type, &c.ReferenceID} {
		if *text == nil {
			*text = &none
		}
	}
	return fmt.Sprintf("%q", []string{
		f.VPA.Address, c.Name, *c.Contact, *c.Email, *c.Type, *c.ReferenceID,
		fmt.Sprint(map[string]string(c.Notes)),
	})
}

// validation is one question whether an address exists.
type validation struct {
	ID          string            `json:"id"`
	Account     string            `json:"account"`
	FundAccount string            `json:"fund_account"`
	Reference   string            `json:"reference"`
	Notes       map[string]string `json:"notes,omitzero"`
	Status      string            `json:"status"` // created, completed, failed
	Made        time.Time         `json:"made"`
	Due         time.Time         `json:"due"`
}

// line is one movement of an account. Less than nought is a debit.
type line struct {
	ID      string    `json:"id"`
	Account string    `json:"account"`
	Amount  int64     `json:"amount"`
	Balance int64     `json:"balance"`
	Kind    string    `json:"kind"`            // payout, reversal, bank_transfer
	Payout  string    `json:"payout,omitzero"` // of the first two
	Payer   string    `json:"payer,omitzero"`  // of the third
	At      time.Time `json:"at"`
}

// spent is an idempotency key and what it stands for.
type spent struct {
	Account string    `json:"account"`
	Key     string    `json:"key"`
	Body    string    `json:"body"` // a hash of what came with it, after canonicalisation
	Payout  string    `json:"payout"`
	At      time.Time `json:"at"`
}

func (s *spent) name() string { return s.Account + "|" + s.Key }

// retention is how long a key is remembered (rails §2.3). After it the same call is another payout.
const retention = 7 * day

// book is everything that the bank knows. It is touched under Host.mu only, and all of it but changed can be rebuilt from the file.
type book struct {
	cfg         Config
	payouts     []*payout
	byID        map[string]*payout
	roots       map[string]int // how many payouts each has
	waiting     []*payout      // something is due
	accounts    map[string]*fundAccount
	byPayee     map[string]*fundAccount
	validations map[string]*validation
	asked       []*validation // and not answered
	lines       []*line
	balance     map[string]int64
	keys        map[string]*spent
	events      []*event
	outbox      []*event // to be told
	secrets     []string // of events, the newest last
	endpoint    endpoint
	records     []record
	era         int // how often everything was forgotten

	meddle  func(*event, subject) // a rule's say about an event that is about to be kept
	changed *step
}

func newBook(cfg Config) *book {
	b := &book{cfg: cfg, changed: &step{}, meddle: func(*event, subject) {}}
	b.endpoint = endpoint{URL: cfg.Webhook}
	b.clear()
	return b
}

// clear forgets everything but where events go and what signs them.
func (b *book) clear() {
	b.payouts, b.waiting, b.asked, b.lines, b.events, b.outbox, b.records = nil, nil, nil, nil, nil, nil, nil
	b.byID, b.roots, b.accounts, b.byPayee = map[string]*payout{}, map[string]int{}, map[string]*fundAccount{}, map[string]*fundAccount{}
	b.validations, b.balance, b.keys = map[string]*validation{}, map[string]int64{}, map[string]*spent{}
}

// replay makes a step of the file part of what is known.
func (b *book) replay(s step) {
	for _, p := range s.Payouts {
		b.put(p)
	}
	for _, f := range s.FundAccounts {
		b.accounts[f.ID], b.byPayee[f.same()] = f, f
	}
	for _, v := range s.Validations {
		b.ask(v)
	}
	for _, l := range s.Lines {
		b.lines, b.balance[l.Account] = append(b.lines, l), l.Balance
	}
	for _, e := range s.Events {
		b.post(e)
	}
	for _, k := range s.Keys {
		b.keys[k.name()] = k
	}
	if s.Secret != nil {
		b.secrets = append(b.secrets, *s.Secret)
	}
	if s.Endpoint != nil {
		b.endpoint = *s.Endpoint
	}
	b.records, b.era = append(b.records, s.Records...), max(b.era, s.Era)
}

// take is what has changed since it was last asked; nil is nothing.
func (b *book) take() *step {
	s := b.changed
	b.changed = &step{}
	if len(s.Payouts)+len(s.FundAccounts)+len(s.Validations)+len(s.Lines)+len(s.Events)+len(s.Keys)+len(s.Records) == 0 &&
		s.Secret == nil && s.Endpoint == nil {
		return nil
	}
	return s
}

// put makes a payout findable, new or changed, live or read from the file.
func (b *book) put(p *payout) {
	if p.N > len(b.payouts) {
		b.payouts = append(b.payouts, p)
		b.roots[b.cfg.Root(p.Reference)]++
	} else {
		b.payouts[p.N-1] = p
	}
	b.byID[p.ID] = p
	at := slices.IndexFunc(b.waiting, func(o *payout) bool { return o.ID == p.ID })
	switch {
	case at >= 0 && p.Due.IsZero():
		b.waiting = slices.Delete(b.waiting, at, at+1)
	case at >= 0:
		b.waiting[at] = p
	case !p.Due.IsZero():
		b.waiting = append(b.waiting, p)
	}
}

// name makes an id that was not used before, not even by what is forgotten.
func (b *book) name(prefix string, n int) string { return named(b.cfg.Seed, prefix, b.era<<32+n) }

// openAccounts books what accounts begin with that the bank sees for the first time.
func (b *book) openAccounts(now time.Time) {
	for _, a := range b.cfg.Accounts {
		if _, known := b.balance[a.Number]; known {
			continue
		}
		if b.balance[a.Number] = 0; a.Opening > 0 {
			b.transfer(now, a.Number, a.Opening, "opening")
		}
	}
}

// touch marks a payout as changed.
func (b *book) touch(p *payout) {
	b.put(p)
	if !slices.Contains(b.changed.Payouts, p) {
		b.changed.Payouts = append(b.changed.Payouts, p)
	}
}

func (b *book) record(r record) {
	r.Seq = len(b.records) + 1
	b.records, b.changed.Records = append(b.records, r), append(b.changed.Records, r)
}

// begin starts a payout on its script.
func (b *book) begin(p *payout, script []move) {
	p.Script = script
	b.move(p, p.Made)
	for !p.Due.IsZero() && !p.Due.After(p.Made) {
		b.move(p, p.Made)
	}
}

// follow lets time pass: whatever is due happens, in its order and at its own time.
func (b *book) follow(now time.Time) {
	for {
		var first *payout
		for _, p := range b.waiting {
			if !p.Due.After(now) && (first == nil || p.Due.Before(first.Due)) {
				first = p
			}
		}
		if first == nil {
			break
		}
		b.move(first, first.Due)
	}
	for len(b.asked) > 0 && !b.asked[0].Due.After(now) {
		b.validated(b.asked[0])
	}
}

// next is when something is due; zero is never.
func (b *book) next() (first time.Time) {
	sooner := func(at time.Time) {
		if !at.IsZero() && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	for _, p := range b.waiting {
		sooner(p.Due)
	}
	for _, v := range b.asked {
		sooner(v.Due)
	}
	if b.endpoint.open() {
		for _, e := range b.outbox {
			sooner(e.Due)
		}
	}
	return first
}

// move makes the next move of a payout's script.
func (b *book) move(p *payout, at time.Time) {
	if p.Short { // a quarter has passed, and the money has not come
		p.Short, p.Script = false, []move{{To: failed, Reason: "insufficient_funds"}}
	}
	m := p.Script[0]
	p.Script = p.Script[1:]
	if m.To == processing && !b.covered(p) {
		b.starve(p, m, at)
		return
	}
	b.pass(p, m, at)
}

// pass is the one step of a payout. Nothing illegal passes.
func (b *book) pass(p *payout, m move, at time.Time) {
	if m.To != "" && !slices.Contains(legal[p.Status], m.To) {
		panic(fmt.Sprintf("a payout that is %q does not become %q", p.Status, m.To))
	}
	p.Reason, p.Code = m.Reason, m.Code
	if m.UTR && p.UTR == "" {
		p.UTR = fmt.Sprintf("%d%03d%08d", at.Year()%10, at.YearDay(), (b.era*1e6+p.N)%1e8)
	}
	name := "payout.updated"
	if m.To != "" {
		p.Status, name = m.To, told[m.To]
		p.History = append(p.History, passage{at, m.To, m.Reason})
		b.record(record{
			At: at, Kind: "decided", Account: p.Account, Key: p.Key, Reference: p.Reference, Payout: p.ID, Amount: p.Amount,
			State: string(m.To), Reason: m.Reason,
		})
	}
	p.Due = time.Time{}
	if len(p.Script) > 0 {
		p.Due = at.Add(time.Duration(p.Script[0].After))
	}
	b.touch(p)
	switch {
	case m.To == processing && b.covered(p):
		p.Fees, p.Tax = b.price()
		p.Debited = true
		b.enter(&line{Account: p.Account, Amount: -(p.Amount + p.Fees), Kind: "payout", Payout: p.ID, At: at})
	case (m.To == failed && !m.Keep || m.To == reversed) && p.Debited:
		p.Debited = false
		b.enter(&line{Account: p.Account, Amount: p.Amount + p.Fees, Kind: "reversal", Payout: p.ID, At: at})
	}
	if name != "" {
		b.emit(name, p.ID, at, map[string]any{"payout": b.entity(p, false)}, subject{
			amount: p.Amount, vpa: p.Address, reference: p.Reference,
			key: p.Key,
		})
	}
	if m.To == failed && !m.Keep || m.To == reversed {
		b.feed(p.Account, at)
	}
}

func (b *book) price() (fees, tax int64) {
	tax = b.cfg.Fees.Net * b.cfg.Fees.TaxBP / 10_000
	return b.cfg.Fees.Net + tax, tax
}

// covered tells whether the account can pay a payout and its fees.
func (b *book) covered(p *payout) bool {
	fees, _ := b.price()
	return b.balance[p.Account] >= p.Amount+fees
}

// starve is what becomes of a payout that the account cannot pay: it waits for money if it was told to, else it fails without a debit.
func (b *book) starve(p *payout, m move, at time.Time) {
	if !p.Queue {
		p.Script = nil
		if p.Status != queued {
			b.pass(p, m, at)
		}
		b.pass(p, move{To: failed, Reason: "insufficient_funds"}, at)
		return
	}
	wait := move{To: queued, Reason: "low_balance"}
	if p.Status == queued {
		wait.To = ""
	}
	p.Short, p.Script = true, append([]move{m}, p.Script...)
	b.pass(p, wait, at)
	p.Due = p.Made.Add(quarter)
	b.touch(p)
}

// feed lets those go on that waited for money, the oldest first. A large one does not hold up a small one.
func (b *book) feed(account string, at time.Time) {
	oldest := slices.SortedFunc(slices.Values(b.waiting), func(p, q *payout) int { return p.N - q.N })
	for _, p := range oldest {
		if p.Short && p.Account == account && b.covered(p) {
			p.Short = false
			b.move(p, at)
		}
	}
}

// transfer is money from outside, or to it.
func (b *book) transfer(at time.Time, account string, amount int64, payer string) *line {
	l := &line{Account: account, Amount: amount, Kind: "bank_transfer", Payer: payer, At: at}
	b.enter(l)
	b.feed(account, at)
	return l
}

// enter books a line.
func (b *book) enter(l *line) {
	b.balance[l.Account] += l.Amount
	l.ID, l.Balance = b.name("txn_", len(b.lines)+1), b.balance[l.Account]
	b.lines, b.changed.Lines = append(b.lines, l), append(b.changed.Lines, l)
	b.record(record{At: l.At, Kind: "booked", Account: l.Account, Amount: l.Amount, Payout: l.Payout, Note: l.Kind})
	b.emit("transaction.created", l.Payout, l.At, map[string]any{"transaction": b.statementLine(l)}, subject{amount: max(l.Amount, -l.Amount)})
}

// attempt is how the references of one request's attempts may end.
var attempt = regexp.MustCompile(`[-./][0-9]{1,3}$`)

// Root is what the references of one request's attempts have in common: a "-2", ".2" or "/2" at the end says which attempt it is.
func Root(reference string) string { return attempt.ReplaceAllString(reference, "") }

// ask makes a question about an address findable, new or answered. They are answered in their order.
func (b *book) ask(v *validation) {
	b.validations[v.ID] = v
	b.asked = slices.DeleteFunc(b.asked, func(o *validation) bool { return o.ID == v.ID })
	if !v.Due.IsZero() {
		b.asked = append(b.asked, v)
	}
}

// validated ends a question about an address.
func (b *book) validated(v *validation) {
	at := v.Due
	v.Status, v.Due = "completed", time.Time{}
	if f := b.accounts[v.FundAccount]; f.VPA.Address == "unvalidated@sim" {
		v.Status = "failed"
	}
	b.ask(v)
	b.changed.Validations = append(b.changed.Validations, v)
	b.emit("fund_account.validation."+v.Status, v.ID, at, map[string]any{"fund_account.validation": b.validationEntity(v)}, subject{})
}
