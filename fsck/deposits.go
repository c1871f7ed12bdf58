package fsck

import (
	"cmp"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"naru/core/deposit"
	"naru/core/ledger"
	"naru/core/money"
)

// order is all that the database says about one deposit order; its journal's account is the merchant.
type order struct {
	journal
	state                deposit.State
	version              int64
	currency             string
	amount, display      int64
	reserved, virtual    bool
	trouble              deposit.Trouble
	credit, into         string // what paid it, and where that came to; empty while nothing did
	real, fee            int64
	payerBank            string
	payer, print         []byte
	createdUS, expiresUS int64
	changedUS            int64
	dueUS, paidUS        sql.NullInt64
	by                   credit // what paid it, as far as it is asked for
	suspected            bool   // a credit is probably its
	cases                []opened
	now                  deposit.Order // where the events that were told so far lead
	why                  deposit.Trouble
	named                bool // and whether they say that somebody named the payer
}

const orders = `
SELECT o.id, o.merchant, o.state, o.version, o.currency, o.amount, o.display, o.reserved, o.virtual, o.trouble, COALESCE(o.credit_id, ''),
       o.into_account, o.real_amount, o.fee, o.payer_bank, o.payer, o.name_print, o.created_us, o.expires_us, o.changed_us, o.due_us,
       o.paid_us, o.chain_length, o.chain_digest, COALESCE(c.state, ''), COALESCE(c.order_id, ''), COALESCE(c.receiver, ''),
       COALESCE(c.currency, ''), COALESCE(c.amount, 0), EXISTS (SELECT 1 FROM bank_credit AS s WHERE s.suspect_id = o.id)
  FROM deposit_order AS o LEFT JOIN bank_credit AS c ON c.id = o.credit_id ORDER BY o.id`

// orders reads every deposit order with all that belongs to it.
func (x *run) orders(b *books) error {
	m := &merge{run: x}
	defer m.close()
	tables := x.journals(m, b, ofOrders)
	cases := open(m, journalCases, (*opened).columns, nil)
	if m.err != nil {
		return m.err
	}
	err := x.each(orders, func(scan func(...any) error) error {
		o := order{journal: journal{table: "deposit_order"}}
		err := scan(&o.id, &o.account, &o.state, &o.version, &o.currency, &o.amount, &o.display, &o.reserved, &o.virtual, &o.trouble, &o.credit,
			&o.into, &o.real, &o.fee, &o.payerBank, &o.payer, &o.print, &o.createdUS, &o.expiresUS, &o.changedUS, &o.dueUS, &o.paidUS,
			&o.length, &o.digest, &o.by.state, &o.by.order, &o.by.account, &o.by.currency, &o.by.amount, &o.suspected)
		if err != nil {
			return err
		}
		tables.of(&o.journal)
		if o.cases = cases.of(o.id); m.err != nil {
			return m.err
		}
		x.chain(&o.journal)
		if o.version < o.length { // it also changes without an event: its amount is free again
			x.bad("journal-chain", "deposit_order", o.id, "was changed %d times with %d events", o.version, o.length)
		}
		x.order(&o, b)
		x.payer(&o)
		return nil
	})
	if err != nil {
		return err
	}
	tables.end()
	if m.err != nil {
		return m.err
	}
	return x.each(shownTwice, func(scan func(...any) error) error {
		var id string
		err := scan(&id)
		x.bad("deposits", "deposit_order", id, "shows an amount, or an account number, that is kept for another one too")
		return err
	})
}

// shownTwice are the orders that cannot be told apart by what their payers were shown (rails §3.7).
const shownTwice = `
SELECT o.id FROM deposit_order AS o
  JOIN (SELECT receiver, virtual, CASE WHEN virtual THEN receiver_number ELSE CAST(display AS TEXT) END AS shown
          FROM deposit_order WHERE reserved GROUP BY 1, 2, 3 HAVING COUNT(*) > 1) AS twice
    ON twice.receiver = o.receiver AND twice.virtual = o.virtual
   AND twice.shown = CASE WHEN o.virtual THEN o.receiver_number ELSE CAST(o.display AS TEXT) END
 WHERE o.reserved`

// order tells a deposit order its events from the beginning, and compares where they lead with what its row says.
func (x *run) order(o *order, b *books) {
	in, known := money.Lookup(o.currency)
	if !known || o.amount <= 0 {
		x.noAmount(&o.journal, b, o.amount, o.currency)
		return
	}
	if o.credit != "" {
		b.held[place{string(ledger.MerchantPayable), o.account, o.currency}] -= o.owed()
	}
	x.did("states")
	o.now = deposit.Order{
		ID: o.id, Merchant: o.account, State: deposit.Waiting, Amount: money.New(o.amount, in), Display: money.New(o.display, in), Into: o.into,
		Real: money.New(o.real, in), Fee: money.New(o.fee, in),
	}
	if !x.walk(&o.journal, b, o.step) || len(o.events) == 0 {
		return
	}
	switch last := o.events[len(o.events)-1]; {
	case o.now.State != o.state:
		x.bad("states", "deposit_order", o.id, "is %s and its events lead to %s", o.state, o.now.State)
	case o.why != o.trouble:
		x.bad("states", "deposit_order", o.id, "is in trouble for %q and its events say %q", o.trouble, o.why)
	case o.changedUS != last.atUS:
		x.bad("states", "deposit_order", o.id, "changed at another time than its last event")
	}
	x.paidBy(o)
}

// owed is what a paid order made the merchant's: after the bank took the money back, our fee of it is still ours.
func (o *order) owed() int64 {
	if o.state == deposit.TakenBack {
		return -o.fee
	}
	return o.real - o.fee
}

// step is an event of an order (merchant-gateway §17).
func (o *order) step(e event) (f effect, err error) {
	switch {
	case e.object != "":
		return f, fmt.Errorf("%q has no place in the journal of a deposit order", e.object)
	case e.n == 1 && e.event != "ask":
		return f, fmt.Errorf("a deposit order begins with ask, not with %s", e.event)
	case e.n == 1:
		f.wrong = cmp.Or(e.agrees("amount", o.now.Amount.String()), e.agrees("display", o.now.Display.String()))
		if e.atUS != o.createdUS {
			f.wrong = "asks at another time than the order says"
		}
		f.state = string(o.now.State)
		return f, nil
	case e.event == "name":
		if o.named || o.now.State != deposit.Waiting && o.now.State != deposit.Seen {
			return f, fmt.Errorf("names the payer of an order that is %s, or that has one", o.now.State)
		}
		o.named = true
		return effect{state: string(o.now.State)}, nil
	}
	ev := deposit.Event(e.event)
	if (ev == deposit.Pay || ev == deposit.TakeBack) && !o.now.Real.IsPositive() {
		return f, fmt.Errorf("books a credit of which the order says nothing")
	}
	if o.now, f.moved, err = o.now.After(ev); err != nil {
		return f, err
	}
	f.state = string(o.now.State)
	switch ev {
	case deposit.See:
		why, _ := e.said("why")
		o.why = deposit.Trouble(why)
	case deposit.Clear:
		o.why = deposit.NoTrouble
	case deposit.Pay:
		o.why = deposit.NoTrouble
		f.wrong = cmp.Or(e.agrees("credit", o.credit), e.agrees("real", o.now.Real.String()), e.agrees("fee", o.now.Fee.String()))
		if o.paidUS.Int64 != e.atUS {
			f.wrong = "pays at another time than the order says"
		}
	case deposit.TakeBack:
		f.wrong = e.agrees("credit", o.credit)
	}
	return f, nil
}

// paysAs is how the credit stands that paid an order.
var paysAs = map[deposit.State]deposit.CreditState{deposit.Paid: deposit.Matched, deposit.TakenBack: deposit.Reversed}

// paidBy checks that an order is paid by a credit of its own or not at all, and that somebody looks after it while it is open.
func (x *run) paidBy(o *order) {
	x.did("deposits")
	bad := func(problem string, args ...any) { x.bad("deposits", "deposit_order", o.id, problem, args...) }
	if o.credit != "" {
		c := o.by
		if c.order != o.id || c.state != paysAs[o.state] {
			bad("is %s by a credit that is %s and paid %q", o.state, c.state, c.order)
		}
		if c.amount != o.real || c.currency != o.currency || c.account != o.into {
			bad("is paid with another amount, or into another account, than its credit has")
		}
	}
	over := o.state.Final()
	switch {
	case o.state == deposit.Seen && !o.suspected:
		bad("waits for a person, and no credit is probably its")
	case !over && o.virtual && !o.reserved:
		bad("is open, and its account number may be given to another one")
	case over && o.reserved && !o.dueUS.Valid:
		bad("is over, and what it keeps from others is never free again")
	case o.expiresUS <= o.createdUS:
		bad("was over before it began")
	case o.named && len(o.payer) == 0:
		bad("its payer was named, and is forgotten")
	}
	if o.print != nil && len(o.print) != 4+32 {
		bad("the print of its payer's name is not a digest")
	}
	back := slices.ContainsFunc(o.cases, func(c opened) bool { return c.id == "deposit-taken-back/"+o.id })
	if back != (o.state == deposit.TakenBack) {
		bad("is %s, and a case says that the bank took its money back: %t", o.state, back)
	}
}

// payer checks that who pays opens where it stands, and learns it.
func (x *run) payer(o *order) {
	if x.vault == nil || o.payer == nil {
		return
	}
	if bank := x.person("deposit_order", o.id, o.payer, "deposit_order.payer/"+o.id, 3); bank != o.payerBank {
		x.bad("deposits-open", "deposit_order", o.id, "the payer's bank is another one than the order says")
	}
}

// person opens what is about somebody, in so many lines of which the first is the name, the second the bank and the third the account, and
// learns what must stand nowhere in clear.
func (x *run) person(table, row string, sealed []byte, at string, lines int) (bank string) {
	x.did("deposits-open")
	plain, err := x.vault.Open(sealed, at)
	part := strings.SplitN(string(plain), "\n", lines)
	clear(plain)
	if err != nil || len(part) != lines {
		x.bad("deposits-open", table, row, "who pays does not open here")
		return ""
	}
	x.persons.learn(part[0], part[2])
	return part[1]
}

// credit is all that the database says about money that came by bank transfer; its journal's account is the one of ours that it came to.
type credit struct {
	journal
	bank, number, bankID string
	message              string
	state                deposit.CreditState
	version              int64
	currency             string
	amount               int64
	trouble              deposit.Trouble
	order, suspect       string
	payout, rule, inputs string
	bookedUS, receivedUS int64
	retryUS              sql.NullInt64
	sender               []byte
	paid                 string        // the credit of its order
	orderState           deposit.State // how its order stands
	suspectState         deposit.State
	suspectTrouble       deposit.Trouble
	returns              bool  // its payout gives back what was sent to us, and this
	early                int64 // what the bank had taken back before it told of it; 0 for nothing
	bookings             []booking
	cases                []opened
	now                  deposit.Credit // where the events that were told so far lead
	given                string         // the payout that gives it back, by its events
	decided              event          // by which it was last decided whose it is
}

// booking is what a bank told of an account of ours.
type booking struct {
	bank, number, id, receiver, currency, message, original string
	amount, atUS                                            int64
	debit, seen                                             bool
}

func (k *booking) columns() []any {
	return []any{&k.bank, &k.number, &k.id, &k.receiver, &k.currency, &k.message, &k.original, &k.amount, &k.atUS, &k.debit}
}

func (k booking) row() string { return k.receiver + "/" + k.id }

// signed is what a booking brought.
func (k booking) signed() int64 {
	if k.debit {
		return -k.amount
	}
	return k.amount
}

const (
	bookingColumns = `bank, account, id, receiver, currency, message, original, amount, at_us, debit FROM bank_entry`
	creditBookings = `SELECT credit_id, ` + bookingColumns + ` WHERE credit_id IS NOT NULL ORDER BY credit_id, debit`
	otherBookings  = `SELECT 'account/' || receiver AS journal, ` + bookingColumns + `
	                   WHERE credit_id IS NULL AND payout_id IS NULL ORDER BY journal`
)

const credits = `
SELECT c.id, c.receiver, c.bank, c.account, c.bank_id, c.message, c.state, c.version, c.currency, c.amount, c.trouble,
       COALESCE(c.order_id, ''), COALESCE(c.suspect_id, ''), COALESCE(c.payout_id, ''), c.rule, c.inputs, c.booked_us, c.received_us,
       c.retry_us, c.sender, c.chain_length, c.chain_digest, COALESCE(o.credit_id, ''), COALESCE(o.state, ''), COALESCE(s.state, ''),
       COALESCE(s.trouble, ''), COALESCE(p.purpose = 'SENDER' AND SUBSTR(p.request_id, 1, LENGTH(c.id) + 1) = c.id || '/', FALSE),
       COALESCE((SELECT e.amount FROM bank_entry AS e
                  WHERE e.bank || '/' || e.account || '/' || e.original = c.bank || '/' || c.account || '/' || c.bank_id
                    AND e.original <> '' AND e.debit ORDER BY e.at_us, e.id LIMIT 1), 0)
  FROM bank_credit AS c LEFT JOIN deposit_order AS o ON o.id = c.order_id LEFT JOIN deposit_order AS s ON s.id = c.suspect_id
  LEFT JOIN payout AS p ON p.id = c.payout_id ORDER BY c.id`

// credits reads all money that came by bank transfer, with all that belongs to it.
func (x *run) credits(b *books) error {
	m := &merge{run: x}
	defer m.close()
	tables := x.journals(m, b, ofCredits)
	cases := open(m, journalCases, (*opened).columns, nil)
	bookings := open(m, creditBookings, (*booking).columns, nil)
	if m.err != nil {
		return m.err
	}
	err := x.each(credits, func(scan func(...any) error) error {
		c := credit{journal: journal{table: "bank_credit"}}
		err := scan(&c.id, &c.account, &c.bank, &c.number, &c.bankID, &c.message, &c.state, &c.version, &c.currency, &c.amount, &c.trouble,
			&c.order, &c.suspect, &c.payout, &c.rule, &c.inputs, &c.bookedUS, &c.receivedUS, &c.retryUS, &c.sender, &c.length, &c.digest,
			&c.paid, &c.orderState, &c.suspectState, &c.suspectTrouble, &c.returns, &c.early)
		if err != nil {
			return err
		}
		tables.of(&c.journal)
		if c.cases, c.bookings = cases.of(c.id), bookings.of(c.id); m.err != nil {
			return m.err
		}
		x.chain(&c.journal)
		if c.version != c.length {
			x.bad("journal-chain", "bank_credit", c.id, "was changed %d times with %d events", c.version, c.length)
		}
		x.credit(&c, b)
		if x.vault != nil {
			x.person("bank_credit", c.id, c.sender, "bank_credit.sender/"+c.id, 4)
		}
		return nil
	})
	if err != nil {
		return err
	}
	tables.end()
	return m.err
}

// credit tells a credit its events from the beginning, and compares where they lead with what its row says.
func (x *run) credit(c *credit, b *books) {
	in, known := money.Lookup(c.currency)
	if !known || c.amount <= 0 {
		x.noAmount(&c.journal, b, c.amount, c.currency)
		return
	}
	if c.state == deposit.Unmatched {
		b.held[place{string(ledger.DepositUnmatched), c.account, c.currency}] -= c.amount
	}
	x.did("states")
	c.now = deposit.Credit{ID: c.id, Receiver: c.account, State: deposit.Unmatched, Amount: money.New(c.amount, in)}
	if !x.walk(&c.journal, b, c.step) || len(c.events) == 0 {
		return
	}
	switch last := c.events[len(c.events)-1]; {
	case c.now.State != c.state:
		x.bad("states", "bank_credit", c.id, "is %s and its events lead to %s", c.state, c.now.State)
	case c.given != c.payout:
		x.bad("states", "bank_credit", c.id, "goes back with another payout than its events say")
	case !c.agreesWithDecision():
		x.bad("states", "bank_credit", c.id, "says by rule %q what its events say otherwise", c.rule)
	case c.retryUS.Valid != (last.event == string(deposit.Waits)),
		c.retryUS.Valid && c.retryUS.Int64 != c.bookedUS+deposit.Early.Microseconds():
		x.bad("states", "bank_credit", c.id, "may be claimed by a new order at another time than its events say")
	}
	x.belongs(c)
	x.booking(c)
}

// takenBackEarly is what the journal says of a credit that the bank had taken back before it told of it.
const takenBackEarly = "taken back before it was told"

// step is an event of a credit (rails §3.7).
func (c *credit) step(e event) (f effect, err error) {
	switch {
	case e.object != "":
		return f, fmt.Errorf("%q has no place in the journal of a credit", e.object)
	case e.n == 1 && e.event != "book":
		return f, fmt.Errorf("a credit begins with book, not with %s", e.event)
	case e.n == 1:
		if f.wrong = e.agrees("amount", c.now.Amount.String()); e.atUS != c.receivedUS || !strings.HasSuffix(e.detail, " message="+c.message) {
			f.wrong = "was told at another time, or by another message, than the credit says"
		}
		f.state, f.moved = string(c.now.State), []ledger.Posting{ledger.CreditArrived(c.account, c.now.Amount)}
		return f, nil
	}
	ev := deposit.CreditEvent(e.event)
	if c.now, f.moved, err = c.now.After(ev); err != nil {
		return f, err
	}
	f.state = string(c.now.State)
	switch ev {
	case deposit.Reverse:
		if e.detail == takenBackEarly {
			f.moved = append(f.moved, ledger.BankBooked(c.account, money.New(c.early, c.now.Amount.Currency()))...)
		}
	case deposit.GiveBack:
		c.given, _ = e.said("payout")
	case deposit.NotGiven:
		f.wrong, c.given = e.agrees("payout", c.given), ""
	default:
		c.decided = e
	}
	return f, nil
}

// agreesWithDecision reports whether the row repeats what the journal says of the last decision.
func (c *credit) agreesWithDecision() bool {
	switch c.decided.actor {
	case "":
		return c.rule == "" && c.inputs == ""
	case "operator":
		return c.rule == "person"
	}
	flag, ok := strings.CutPrefix(c.decided.detail, "rule="+c.rule+" "+c.inputs)
	return ok && (flag == "" || strings.HasPrefix(flag, " flag="))
}

// belongs checks whose a credit is: an order's that says so too, its sender's by a payout that says so too, or nobody's, with a person who
// hears of it.
func (x *run) belongs(c *credit) {
	x.did("credits")
	bad := func(problem string, args ...any) { x.bad("credits", "bank_credit", c.id, problem, args...) }
	if c.order != "" && (c.paid != c.id || c.state != paysAs[c.orderState]) {
		bad("is %s, and its order is %s by %q", c.state, c.orderState, c.paid)
	}
	if c.payout != "" && !c.returns {
		bad("goes back to its sender by a payout that is for something else")
	}
	switch c.suspectState {
	case deposit.Waiting:
		bad("is probably for an order that does not know of it")
	case deposit.Seen, deposit.Expired, deposit.Cancelled:
		if c.suspectTrouble == deposit.NoTrouble {
			bad("is probably for an order that does not know of it")
		}
	}
	if (c.state == deposit.Unmatched) != (c.trouble != deposit.NoTrouble) {
		bad("is %s, and in trouble for %q", c.state, c.trouble)
	}
	switch asked := slices.ContainsFunc(c.cases, func(c opened) bool { return c.open }); {
	case c.state != deposit.Unmatched && asked:
		bad("is %s, and a case still asks whose it is", c.state)
	case c.state != deposit.Unmatched:
	case len(c.cases) == 0:
		bad("is nobody's, and no case tells anybody")
	case !asked:
		x.warn("credits", "bank_credit", c.id, "is nobody's, and its cases are closed")
	}
}

// booking checks that the bank booked a credit once, and took it back as often as the credit says.
func (x *run) booking(c *credit) {
	came, went := 0, 0
	for _, k := range c.bookings {
		x.did("bookings")
		name := k.id
		if k.debit {
			name = k.original
			went++
		} else {
			came++
		}
		if name != c.bankID || k.bank != c.bank || k.number != c.number || k.receiver != c.account || k.currency != c.currency ||
			k.amount != c.amount || !k.debit && k.message != c.message {
			x.bad("bookings", "bank_entry", k.row(), "is not what its credit says")
		}
	}
	back := 0
	if c.state == deposit.Reversed && c.events[len(c.events)-1].detail != takenBackEarly {
		back = 1
	}
	if came != 1 || went != back {
		x.bad("bookings", "bank_credit", c.id, "is %s, came %d times and was taken back %d times", c.state, came, went)
	}
}

// unexplained is a booking that was neither a deposit nor a payout of ours.
func (j *journal) unexplained(bookings []booking, e event) (f effect, err error) {
	for i := range bookings {
		k := &bookings[i]
		in, known := money.Lookup(k.currency)
		if !known || k.seen || k.atUS != e.atUS || e.event != "book" {
			continue
		}
		if amount := money.New(k.signed(), in); e.detail == "booking="+k.message+" amount="+amount.String() {
			k.seen = true
			return effect{moved: ledger.BankBooked(j.account, amount)}, nil
		}
	}
	return f, fmt.Errorf("cannot %s what the bank did not tell, or what is known to be something else", e.event)
}

// collected is what bookings leave on the accounts that payers transfer to: those about our payouts moved what a payout bank holds for us.
const collected = `
SELECT receiver, currency, SUM(CASE WHEN debit THEN -amount ELSE amount END)
  FROM bank_entry WHERE payout_id IS NULL GROUP BY receiver, currency`

func (x *run) collected(b *books) error {
	return x.each(collected, func(scan func(...any) error) error {
		at := place{account: string(ledger.BankCollection)}
		var sum int64
		err := scan(&at.owner, &at.currency, &sum)
		b.held[at] = sum
		return err
	})
}

// strangeBookings are what banks told that does not fit: what nobody asked for and no case tells of, and what is about a payout that stands
// otherwise, and no case tells that either.
const strangeBookings = `
SELECT e.receiver || '/' || e.id, CASE
       WHEN e.credit_id IS NULL AND e.payout_id IS NULL AND NOT EXISTS (SELECT 1 FROM operator_case AS x
             WHERE x.id = 'bank-unexplained/' || e.receiver || '/' || e.id || '/' || CASE WHEN e.debit THEN 'true' ELSE 'false' END)
       THEN 'is neither a deposit nor a payout of ours, and no case tells anybody'
       WHEN e.payout_id IS NOT NULL
            AND NOT (p.amount = e.amount AND p.currency = e.currency AND (p.state = 'RETURNED' OR p.state = 'SUCCEEDED' AND e.debit))
            AND NOT EXISTS (SELECT 1 FROM operator_case AS x WHERE x.payment_id = e.payout_id)
       THEN 'is about a payout that stands otherwise, and no case tells anybody'
       ELSE '' END
  FROM bank_entry AS e LEFT JOIN payout AS p ON p.id = e.payout_id`

// strangeMessages are messages of which more was taken than is there, and what bookings say that they came with and was never taken.
const strangeMessages = `
WITH heard AS (SELECT id, SUM(accepted) AS n FROM bank_message GROUP BY id),
     told AS (SELECT message AS id, COUNT(*) AS n FROM bank_entry GROUP BY message)
SELECT heard.id, CASE WHEN heard.n > COALESCE(told.n, 0) THEN 'brought more bookings than are there' ELSE '' END
  FROM heard LEFT JOIN told ON told.id = heard.id
 UNION ALL
SELECT told.id, 'is not there, and bookings came with it' FROM told LEFT JOIN heard ON heard.id = told.id WHERE heard.id IS NULL`

// bookings checks what banks told of the accounts that payers transfer to.
func (x *run) bookings() error {
	for _, strange := range []struct{ table, query string }{{"bank_entry", strangeBookings}, {"bank_message", strangeMessages}} {
		err := x.each(strange.query, func(scan func(...any) error) error {
			var row, problem string
			err := scan(&row, &problem)
			x.did("bookings")
			if problem != "" {
				x.bad("bookings", strange.table, row, "%s", problem)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

const registrations = `SELECT merchant, user_id, bank, payer FROM payer_registration`

const merchantKeys = `SELECT merchant, id, sealed FROM merchant_key`

// secretsOfMerchants checks that what payers told of themselves, and what merchants sign with, opens in its place, and learns it.
func (x *run) secretsOfMerchants() error {
	if x.vault == nil {
		return nil
	}
	err := x.each(registrations, func(scan func(...any) error) error {
		var merchant, user, bank string
		var sealed []byte
		err := scan(&merchant, &user, &bank, &sealed)
		row := merchant + "/" + user
		if x.person("payer_registration", row, sealed, "payer_registration.payer/"+row, 3) != bank {
			x.bad("deposits-open", "payer_registration", row, "the payer's bank is another one than the registration says")
		}
		return err
	})
	if err != nil {
		return err
	}
	return x.each(merchantKeys, func(scan func(...any) error) error {
		var merchant, id string
		var sealed []byte
		err := scan(&merchant, &id, &sealed)
		x.did("deposits-open")
		plain, failed := x.vault.Open(sealed, "merchant_key.sealed/"+id)
		if failed != nil || len(plain) == 0 {
			x.bad("deposits-open", "merchant_key", merchant+"/"+id, "the secret does not open here")
		}
		x.persons.learn(string(plain))
		clear(plain)
		return err
	})
}
