package engine_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"naru/core/money"
	"naru/core/payout"
)

var inr = money.Of("INR")

func paise(n int64) money.Amount { return money.New(n, inr) }

// payer is a payout bank written by hand (rails §2.3-2.7): it keeps its own books, remembers keys for a week, and does to every message and
// to every new order what the test says. It trusts nothing of what we remember, and notes what nobody may ask of it.
type payer struct {
	mu      sync.Mutex
	now     func() time.Time
	answer  []payout.Answer // given next, whatever is sent or asked, without a look at the books
	wire    []fate          // of the next orders; they get through where empty
	asks    []fate          // of the next enquiries, likewise
	makes   []making        // what becomes of the next new orders; credited where empty
	during  func()          // what happens between taking the next order and answering it
	reading func()          // and after the next page of its statement was made
	cannot  error           // what Check says
	deaf    error           // what Float and Statement say

	fees, tax int64
	feesBack  bool // a return gives them back too
	float     int64
	orders    []*remittance
	lines     []payout.StatementLine
	news      []payout.News // not delivered yet, oldest first
	events    int
	composed  map[string]string    // bytes, by key
	left      map[string]time.Time // when a key was first seen, be it on the way
	sent      []payout.Order       // everything that left the house, in order
	asked     []payout.Order
	wrong     []string
}

// remittance is what the bank knows of one order.
type remittance struct {
	id, key, ref string
	body         [32]byte
	amount       int64
	at           time.Time
	state        string // of rails §2.5, and late (on its way), deemed, reversing
	why          payout.Reason
	code         string
	debited      bool
	credited     bool // the payee has had it
}

// root is what the references of all attempts of one payout begin with.
func root(ref string) string { return ref[:min(32, len(ref))] }

// dead reports whether an order has moved nothing and never will.
func (r *remittance) dead() bool { return r.state == "failed" || r.state == "reversed" }

// fate is what happens to a message.
type fate string

const (
	through    fate = ""
	unsent     fate = "unsent"      // it never left the house
	lostAsk    fate = "lost ask"    // it never arrived
	lostSaying fate = "lost saying" // it was taken, and nobody hears of it
	slowly     fate = "slowly"      // it arrives half a minute later
	busy       fate = "busy"        // 429: nothing was done
	hidden     fate = "hidden"      // of an enquiry: the list does not show what is younger than an hour
)

// making is what a bank makes of a new order.
type making struct {
	state string
	why   payout.Reason
	code  string
}

var (
	credits = making{state: "processed", code: "payout_processed"}
	keeps   = making{state: "processing"}
	queues  = making{state: "queued", code: "low_balance"}
	deems   = making{state: "deemed", code: "beneficiary_bank_confirmation_pending"}
	undoes  = making{state: "reversing"}
	passing = making{state: "failed", code: "beneficiary_bank_offline"}
	closed  = making{state: "failed", why: payout.Closed, code: "bank_account_closed"}
	tooMuch = making{state: "failed", why: payout.AboveLimit, code: "transaction_limit_exceeded"}
	wrongly = making{state: "misfit", code: "fund_account.vpa.address"}
)

// keyLife is how long a key is remembered, and keyUse how long we may rely on it (rails §2.7).
const keyLife, keyUse = 7 * 24 * time.Hour, 24 * time.Hour

func (b *payer) Check(payout.Order) error { return b.cannot }

// Compose never makes the same bytes twice: what is sent again must be what was stored.
func (b *payer) Compose(o payout.Order) ([]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.events++
	body := fmt.Sprintf("%d %s %s %s %s", b.events, o.Reference, o.Amount, o.Target.VPA.Reveal(), o.Target.Text)
	if b.composed == nil {
		b.composed, b.left = map[string]string{}, map[string]time.Time{}
	}
	b.composed[o.Key] = body
	return []byte(body), nil
}

func next[T any](list *[]T) (one T, ok bool) {
	if len(*list) > 0 {
		one, ok = (*list)[0], true
		*list = (*list)[1:]
	}
	return one, ok
}

func (b *payer) Pay(_ context.Context, o payout.Order) payout.Answer {
	said := b.pay(o)
	b.mu.Lock()
	during := b.during
	b.during = nil
	b.mu.Unlock()
	if during != nil {
		during()
	}
	return said
}

func (b *payer) pay(o payout.Order) payout.Answer {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.arrivals()
	f, _ := next(&b.wire)
	if f == unsent {
		return payout.Answer{Verdict: payout.NotSent}
	}
	b.judge(o, f)
	b.sent = append(b.sent, o)
	if said, ok := next(&b.answer); ok {
		return said
	}
	switch f {
	case busy:
		return payout.Answer{Verdict: payout.Later, Status: "429"}
	case lostAsk:
		return payout.Answer{}
	case slowly:
		if _, known := b.known(o.Key); !known {
			b.orders = append(b.orders, &remittance{
				key: o.Key, ref: o.Reference, body: sha256.Sum256(o.Body), amount: o.Amount.Minor(), at: b.now(), state: "late",
			})
		}
		return payout.Answer{}
	}
	if said := b.take(o); f != lostSaying {
		return said
	}
	return payout.Answer{}
}

// judge notes what may never leave the house.
func (b *payer) judge(o payout.Order, f fate) {
	switch first, seen := b.left[o.Key]; {
	case string(o.Body) != b.composed[o.Key]:
		b.wrong = append(b.wrong, "other bytes than those that were made for the key")
	case len(o.Key) < 4 || len(o.Key) > 36 || len(o.Reference) > 40:
		b.wrong = append(b.wrong, "a key or a reference that is too long")
	case seen && b.now().Sub(first) > keyUse:
		b.wrong = append(b.wrong, "a key sent again after a day")
	}
	if _, seen := b.left[o.Key]; !seen && f != busy {
		b.left[o.Key] = b.now()
	}
	for _, r := range b.orders {
		switch {
		case r.key == o.Key:
		case r.ref == o.Reference:
			b.wrong = append(b.wrong, "a reference under two keys")
		case root(r.ref) == root(o.Reference) && !r.dead():
			b.wrong = append(b.wrong, "another attempt while one is "+r.state)
		}
	}
}

func (b *payer) known(key string) (*remittance, bool) {
	for _, r := range b.orders {
		if r.key == key && b.now().Sub(r.at) < keyLife {
			return r, true
		}
	}
	return nil, false
}

// take is the idempotency of the bank: one key, one order.
func (b *payer) take(o payout.Order) payout.Answer {
	if r, ok := b.known(o.Key); ok {
		if r.body != sha256.Sum256(o.Body) {
			b.wrong = append(b.wrong, "another body under a used key")
			return payout.Answer{Verdict: payout.Misfit, Status: "400"}
		}
		if r.state == "late" {
			b.arrive(r)
		}
		return b.says(r)
	}
	m, some := next(&b.makes)
	if !some {
		m = credits
	}
	if m.state == "misfit" {
		return payout.Answer{Verdict: payout.Misfit, Status: "400", Code: m.code}
	}
	r := &remittance{key: o.Key, ref: o.Reference, body: sha256.Sum256(o.Body), amount: o.Amount.Minor(), at: b.now()}
	b.orders = append(b.orders, r)
	b.become(r, m)
	return b.says(r)
}

// arrivals is what reaches the bank late.
func (b *payer) arrivals() {
	for _, r := range b.orders {
		if r.state == "late" && b.now().Sub(r.at) >= 30*time.Second {
			b.arrive(r)
		}
	}
}

func (b *payer) arrive(r *remittance) {
	m, some := next(&b.makes)
	if !some || m.state == "misfit" {
		m = credits
	}
	b.become(r, m)
}

// become takes an order to another state: the bank's money moves, and it tells of it, now or later.
func (b *payer) become(r *remittance, m making) {
	if r.id == "" {
		b.events++
		r.id = fmt.Sprintf("pout_%d", b.events)
	}
	cost := b.fees + b.tax
	switch m.state {
	case "processing", "deemed", "reversing", "processed":
		if !r.debited {
			r.debited = true
			b.book(r.id, r.ref, "payout", -r.amount-cost)
		}
		r.credited = r.credited || m.state == "processed"
	case "failed", "reversed":
		if r.debited {
			r.debited = false
			back := r.amount
			if !r.credited || b.feesBack {
				back += cost
			}
			b.book(r.id, r.ref, "reversal", back)
		}
	}
	r.state, r.why, r.code = m.state, m.why, m.code
	b.events++
	b.news = append(b.news, payout.News{ID: fmt.Sprintf("ev_%d", b.events), At: b.now(), Answer: b.says(r)})
}

func (b *payer) book(order, ref, kind string, amount int64) {
	b.float += amount
	b.lines = append(b.lines, payout.StatementLine{
		ID: fmt.Sprintf("txn_%d", len(b.lines)+1), At: b.now(), Amount: paise(amount), Balance: paise(b.float), BankID: order, Kind: kind,
		Reference: ref,
	})
}

// says is what its record of an order says now.
func (b *payer) says(r *remittance) payout.Answer {
	a := payout.Answer{
		Reference: r.ref, BankID: r.id, Status: r.state, Scope: "razorpayx", Code: r.code, Reason: r.why,
		Fees: paise(b.fees), Tax: paise(b.tax), Verdict: verdictOf[r.state],
	}
	switch {
	case r.state == "failed" && r.why != payout.NoReason:
		a.Verdict = payout.Rejected
	case r.credited:
		a.UTR = "6326000" + r.id
	}
	return a
}

var verdictOf = map[string]payout.Verdict{
	"queued": payout.Queued, "processing": payout.Open, "deemed": payout.InDoubt, "reversing": payout.TakenBack,
	"processed": payout.Credited, "failed": payout.Failed, "reversed": payout.CameBack,
}

func (b *payer) Enquire(_ context.Context, o payout.Order) payout.Answer {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.arrivals()
	b.asked = append(b.asked, o)
	f, _ := next(&b.asks)
	if said, ok := next(&b.answer); ok {
		return said
	}
	switch f {
	case through, hidden:
	case unsent:
		return payout.Answer{Verdict: payout.NotSent}
	case busy:
		return payout.Answer{Verdict: payout.Later}
	default:
		return payout.Answer{}
	}
	for _, r := range b.orders {
		byName := r.id == o.BankID
		listed := o.BankID == "" && r.ref == o.Reference && (f != hidden || b.now().Sub(r.at) > time.Hour)
		if r.state != "late" && (byName || listed) {
			return b.says(r)
		}
	}
	return payout.Answer{Verdict: payout.Absent}
}

func (b *payer) Float(context.Context) (payout.Float, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return payout.Float{Balance: paise(b.float), Available: paise(b.float), At: b.now()}, b.deaf
}

func (b *payer) Statement(_ context.Context, from, to time.Time, skip, limit int) ([]payout.StatementLine, error) {
	page, err := b.page(from, to, skip, limit)
	if reading := b.reading; reading != nil {
		b.reading = nil
		reading()
	}
	return page, err
}

func (b *payer) page(from, to time.Time, skip, limit int) (page []payout.StatementLine, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range slices.Backward(b.lines) { // newest first
		if !l.At.Before(from) && !l.At.After(to) {
			page = append(page, l)
		}
	}
	page = page[min(skip, len(page)):]
	return slices.Clone(page[:min(limit, len(page))]), b.deaf
}

var errDeaf = errors.New("the bank does not answer")

// fund moves money that is no payout's: plus into the account, minus out of it.
func (b *payer) fund(amount int64, kind string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.book("", "", kind, amount)
}

// goes takes the nth order to another state, as its own way through the network does.
func (b *payer) goes(n int, m making) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.become(b.orders[n], m)
}

// mail takes the news that are not delivered yet.
func (b *payer) mail() (news []payout.News) {
	b.mu.Lock()
	defer b.mu.Unlock()
	news, b.news = b.news, nil
	return news
}

// standing counts, for one payout, the orders that the payee has been paid and that did not come back, and those that did.
func (b *payer) standing(payoutID string) (paid, back int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range b.orders {
		if root(r.ref) == strings.ReplaceAll(payoutID, "-", "") && r.credited {
			if r.dead() {
				back++
			} else {
				paid++
			}
		}
	}
	return paid, back
}

// said makes the bank answer so next, whatever it is sent or asked.
func (b *payer) said(list ...payout.Answer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.answer = list
}

func (b *payer) script(wire []fate, makes ...making) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.wire, b.makes = wire, makes
}

// counts says how many messages left the house, how many keys they had, and how often we asked.
func (b *payer) counts() (sent, keys, asked int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	seen := map[string]bool{}
	for _, o := range b.sent {
		seen[o.Key] = true
	}
	return len(b.sent), len(seen), len(b.asked)
}
