package sim

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Kinds of a Transaction, and its directions and statuses as the wire has them.
const (
	deposit  = "deposit"
	reversal = "reversal" // a deposit is taken back
	paid     = "payment"
	returned = "return" // a payment comes back

	crdt, dbit = "CRDT", "DBIT"
	booked     = "BOOK"
	pdng       = "PDNG"
)

// Transaction is one movement of an account. A reversal has the id of what it reverses: id and direction name a movement (rails §3.2).
type Transaction struct {
	N         int       `json:"n"`
	ID        string    `json:"id"`
	Kind      string    `json:"kind"` // deposit, reversal, payment, return
	Account   string    `json:"account"`
	Virtual   string    `json:"virtual,omitzero"`
	Amount    int64     `json:"amount"` // won
	Direction string    `json:"direction"`
	Status    string    `json:"status"` // BOOK, PDNG
	Name      string    `json:"name"`   // of who paid, or is paid
	Bank      string    `json:"bank,omitzero"`
	Number    string    `json:"number,omitzero"` // the account there
	Memo      string    `json:"memo,omitzero"`
	EndToEnd  string    `json:"end_to_end,omitzero"`
	InstrID   string    `json:"instr_id,omitzero"`
	Reason    string    `json:"reason,omitzero"` // of a return
	Batch     string    `json:"batch,omitzero"`  // those of one are one entry
	Reversed  bool      `json:"reversed,omitzero"`
	At        time.Time `json:"at"`  // booked, or seen where it is pending
	Due       time.Time `json:"due"` // a pending one is booked then
	Channels  []string  `json:"channels"`
	Reported  int       `json:"reported"` // messages that name it
}

// signed is what a transaction does to the balance.
func (t *Transaction) signed() int64 {
	switch {
	case t.Status != booked:
		return 0
	case t.Direction == dbit:
		return -t.Amount
	}
	return t.Amount
}

// kst is where the bank's days begin and end.
var kst = time.FixedZone("KST", 9*60*60)

func dayOf(t time.Time) string { return t.In(kst).Format(time.DateOnly) }

// book is everything that the bank knows. It is touched under Host.mu only, and all of it but changed can be rebuilt from the file.
type book struct {
	cfg          Config
	serial       int            // of everything that has an id; it never begins again
	numbers      map[string]int // ElctrncSeqNb of each account, notifications and statements apart
	transactions []*Transaction
	balance      map[string]int64
	orders       map[string]*order // by MsgId
	payments     []*Payment
	reports      []*report
	outbox       []*report    // to be written or sent
	pending      map[int]bool // transactions that have a time to come, by N
	moving       map[int]bool // payments that have

	rulesFor func(subject, func(action) bool) []Rule // the rules whose turn it is
	changed  *step
}

func newBook(cfg Config) *book {
	b := &book{
		cfg: cfg, changed: &step{}, numbers: map[string]int{},
		rulesFor: func(subject, func(action) bool) []Rule { return nil },
	}
	b.clear()
	return b
}

// clear forgets everything but which ids and numbers are used up.
func (b *book) clear() {
	b.transactions, b.payments, b.reports, b.outbox = nil, nil, nil, nil
	b.balance, b.orders = map[string]int64{}, map[string]*order{}
	b.pending, b.moving = map[int]bool{}, map[int]bool{}
	for _, a := range b.cfg.Accounts {
		b.balance[a.Number] = a.Opening
	}
}

// replay makes a step of the file part of what is known.
func (b *book) replay(s step) {
	for _, t := range s.Transactions {
		b.put(t)
	}
	for _, o := range s.Orders {
		b.orders[o.ID] = o
	}
	for _, p := range s.Payments {
		b.payments = set(b.payments, p.N, p)
		await(b.moving, p.N, p.Due)
	}
	for _, r := range s.Reports {
		b.post(r)
	}
	b.serial = max(b.serial, s.Serial)
	maps.Copy(b.numbers, s.Numbers)
}

// set replaces the n-th of a list, counted from 1, or appends it.
func set[T any](list []T, n int, one T) []T {
	if n > len(list) {
		return append(list, one)
	}
	list[n-1] = one
	return list
}

// put makes a transaction findable, new or changed, live or read from the file.
func (b *book) put(t *Transaction) {
	if t.N <= len(b.transactions) && b.transactions[t.N-1] != t { // read from the file: it stands for the one before
		b.balance[t.Account] -= b.transactions[t.N-1].signed()
	}
	if t.N > len(b.transactions) || b.transactions[t.N-1] != t {
		b.balance[t.Account] += t.signed()
	}
	b.transactions = set(b.transactions, t.N, t)
	await(b.pending, t.N, t.Due)
}

// await remembers what has a time to come.
func await(waiting map[int]bool, n int, due time.Time) {
	if delete(waiting, n); !due.IsZero() {
		waiting[n] = true
	}
}

// take is what has changed since it was last asked; nil is nothing.
func (b *book) take() *step {
	s := b.changed
	b.changed = &step{}
	if len(s.Transactions)+len(s.Orders)+len(s.Payments)+len(s.Reports)+len(s.Numbers)+s.Serial == 0 {
		return nil
	}
	return s
}

func mark[T comparable](list []T, one T) []T {
	if slices.Contains(list, one) {
		return list
	}
	return append(list, one)
}

func (b *book) touch(t *Transaction) {
	await(b.pending, t.N, t.Due)
	b.changed.Transactions = mark(b.changed.Transactions, t)
}

// nextSerial is a number that was never given before.
func (b *book) nextSerial() int {
	b.serial++
	b.changed.Serial = b.serial
	return b.serial
}

// name makes a bank transaction id, as in the sheet's example: the bank, the day, nine digits.
func (b *book) name(at time.Time) string {
	return fmt.Sprintf("%s%s%09d", b.cfg.Prefix, at.In(kst).Format("20060102"), b.nextSerial())
}

// number is the next ElctrncSeqNb.
func (b *book) number(of string) int {
	b.numbers[of]++
	if b.changed.Numbers == nil {
		b.changed.Numbers = map[string]int{}
	}
	b.changed.Numbers[of] = b.numbers[of]
	return b.numbers[of]
}

// owner finds the account that a number leads to, and the virtual number if it is one.
func (b *book) owner(number string) (account Account, virtual string, known bool) {
	for _, a := range b.cfg.Accounts {
		if a.Number == number {
			return a, "", true
		}
		if slices.ContainsFunc(a.Virtual, func(r Range) bool { return r.has(number) }) {
			return a, number, true
		}
	}
	return Account{}, "", false
}

// Credit is one payer's part of a Deposit of several.
type Credit struct {
	Amount int64  `json:"amount"` // won
	Name   string `json:"name"`
	Bank   string `json:"bank"`   // of the sender; "" is one of Korea's
	Number string `json:"number"` // the sender's account there
	Memo   string `json:"memo"`   // "" is the name
}

// Deposit is money that somebody sends to one of the accounts. What is empty the bank makes up.
type Deposit struct {
	Account  string    `json:"account"` // or a virtual one
	Credit             // of one payer
	Credits  []Credit  `json:"credits"`   // of several, booked as one entry
	BookedAt time.Time `json:"booked_at"` // now, where it is zero
	Channels []string  `json:"channels"`  // by which it is reported; empty is Config.Channels
}

const mostWon = 9_999_999_999_999

func (c Credit) validate() error {
	switch {
	case c.Amount < 1 || c.Amount > mostWon:
		return errors.New("an amount is whole won, from 1 to 13 digits")
	case utf8.RuneCountInString(c.Name) > 140 || utf8.RuneCountInString(c.Memo) > 140:
		return errors.New("a name or a memo has at most 140 characters")
	case c.Bank != "" && !threeDigits.MatchString(c.Bank) || c.Number != "" && !digits.MatchString(c.Number):
		return errors.New("the sender's bank is three digits, its account up to 20")
	}
	return nil
}

var senders = []string{"003", "004", "011", "020", "081", "088", "090", "092"}

// deposit books what came in and reports it.
func (b *book) deposit(now time.Time, d Deposit) ([]*Transaction, error) {
	account, virtual, known := b.owner(d.Account)
	if !known {
		return nil, errors.New("there is no such account")
	}
	credits := d.Credits
	if len(credits) == 0 {
		credits = []Credit{d.Credit}
	} else if d.Credit != (Credit{}) {
		return nil, errors.New("a deposit is of one payer or of several")
	}
	problems := []error{knownChannels(d.Channels)}
	if d.BookedAt.After(now) {
		problems = append(problems, errors.New("nothing is booked before its time"))
	}
	for _, c := range credits {
		problems = append(problems, c.validate())
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	at := now
	if !d.BookedAt.IsZero() {
		at = d.BookedAt.UTC()
	}
	batch := ""
	if len(credits) > 1 {
		batch = b.name(at)
	}
	var list []*Transaction
	for _, c := range credits {
		t := &Transaction{
			ID: b.name(at), Kind: deposit, Account: account.Number, Virtual: virtual, Amount: c.Amount, Direction: crdt, Name: c.Name,
			Bank: c.Bank, Number: c.Number, Memo: cmp.Or(c.Memo, c.Name), Batch: batch, At: at, Channels: d.Channels,
		}
		draw := seeded(b.cfg.Seed, "sender", t.ID)
		t.Bank = cmp.Or(t.Bank, senders[draw.IntN(len(senders))])
		t.Number = cmp.Or(t.Number, fmt.Sprintf("3333%09d", draw.IntN(1e9)))
		list = append(list, t)
	}
	b.enter(now, list)
	return list, nil
}

// enter books what belongs together, and reports it as the rules have it.
func (b *book) enter(now time.Time, list []*Transaction) {
	p := b.planFor(list[0])
	for _, t := range list {
		if len(t.Channels) == 0 {
			t.Channels = b.cfg.Channels
		}
		if t.Status, t.Due = booked, (time.Time{}); p.pending > 0 {
			t.Status, t.Due = pdng, now.Add(p.pending)
		}
		t.N = len(b.transactions) + 1
		b.put(t)
		b.touch(t)
	}
	b.notify(now, list, p)
}

// settle books what was pending, at its time, and reports it again.
func (b *book) settle(t *Transaction) {
	at := t.Due
	list := []*Transaction{t}
	if t.Batch != "" {
		list = slices.DeleteFunc(slices.Clone(b.transactions), func(o *Transaction) bool { return o.Batch != t.Batch })
	}
	for _, one := range list {
		one.Status, one.At, one.Due = booked, at, time.Time{}
		b.balance[one.Account] += one.signed()
		b.touch(one)
	}
	b.notify(at, list, plan{})
}

// one finds a transaction by its id, the deposit before its reversal.
func (b *book) one(id string, kinds ...string) *Transaction {
	at := slices.IndexFunc(b.transactions, func(t *Transaction) bool {
		return t.ID == id && id != "" && (len(kinds) == 0 || slices.Contains(kinds, t.Kind))
	})
	if at < 0 {
		return nil
	}
	return b.transactions[at]
}

// reverse takes a deposit back (rails §3.3 RvslInd, §3.7 step 7).
func (b *book) reverse(now time.Time, id string) (*Transaction, error) {
	of := b.one(id, deposit)
	switch {
	case of == nil:
		return nil, errors.New("there is no such deposit")
	case of.Status != booked || of.Reversed:
		return nil, errors.New("the deposit is pending, or reversed already")
	}
	t := *of
	t.Kind, t.Direction, t.Batch, t.At, t.Reported = reversal, dbit, "", now, 0
	of.Reversed = true
	b.touch(of)
	b.enter(now, []*Transaction{&t})
	return &t, nil
}

// giveBack is a payment that the payee's bank returns (rails §4.4): the money is there again, with a reason and our id.
func (b *book) giveBack(now time.Time, p *Payment, reason string) (*Transaction, error) {
	of := b.one(p.Transaction, paid)
	if of == nil || p.Returned {
		return nil, errors.New("the payment was not made, or has come back already")
	}
	t := *of
	t.ID, t.Kind, t.Direction, t.At, t.Reason, t.Reported = b.name(now), returned, crdt, now, cmp.Or(reason, "AC04"), 0
	p.Returned = true
	b.touchPayment(p)
	b.enter(now, []*Transaction{&t})
	return &t, nil
}

// follow lets time pass: whatever is due happens, in its order and at its own time.
func (b *book) follow(now time.Time) {
	for {
		var first func()
		var at time.Time
		sooner := func(due time.Time, what func()) {
			if !due.After(now) && (first == nil || due.Before(at)) {
				first, at = what, due
			}
		}
		for _, n := range slices.Sorted(maps.Keys(b.pending)) {
			t := b.transactions[n-1]
			sooner(t.Due, func() { b.settle(t) })
		}
		for _, n := range slices.Sorted(maps.Keys(b.moving)) {
			p := b.payments[n-1]
			sooner(p.Due, func() { b.advance(p) })
		}
		if first == nil {
			return
		}
		first()
	}
}

// next is when something is due; zero is never. What waits for an address of pushes is not, while there is none.
func (b *book) next(pushes bool) (first time.Time) {
	sooner := func(at time.Time) {
		if first.IsZero() || at.Before(first) {
			first = at
		}
	}
	for n := range b.pending {
		sooner(b.transactions[n-1].Due)
	}
	for n := range b.moving {
		sooner(b.payments[n-1].Due)
	}
	for _, r := range b.outbox {
		if !r.Held && (pushes || r.Channel == File) {
			sooner(r.Due)
		}
	}
	return first
}

// dayEnd is what a statement says about one account and one day: where it began, what was booked, where it ended.
func (b *book) dayEnd(a Account, day string) (opening int64, list []*Transaction, closing int64) {
	opening = a.Opening
	for _, t := range b.transactions {
		switch on := dayOf(t.At); {
		case t.Account != a.Number || t.Status != booked:
		case on < day:
			opening += t.signed()
		case on == day:
			list = append(list, t)
			closing += t.signed()
		}
	}
	slices.SortStableFunc(list, func(s, t *Transaction) int { return s.At.Compare(t.At) })
	return opening, list, opening + closing
}

// twice is what was paid under one EndToEndId more than once and has not come back.
func (b *book) twice() []string {
	times := map[string]int{}
	for _, p := range b.payments {
		if p.Transaction != "" && !p.Returned {
			times[p.EndToEnd]++
		}
	}
	maps.DeleteFunc(times, func(_ string, n int) bool { return n < 2 })
	return slices.Sorted(maps.Keys(times))
}

// numberOf names a sequence of numbers: the notifications of an account, or its statements.
func numberOf(kind, account string) string { return strings.Join([]string{kind, account}, " ") }
