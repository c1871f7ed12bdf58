package fsck

import (
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"naru/core/ledger"
	"naru/core/money"
	"naru/core/settlement"
)

// sums is what the items of a settlement add up to.
type sums struct{ items, charge, adjusted, fee, vat int64 }

// settle adds an item to its settlement, with the charge that the journal gives it.
func (b *books) settle(i item, charge int64) {
	if !i.settlement.Valid {
		return
	}
	s := b.settled[i.settlement.String]
	if s == nil {
		s = &sums{}
		b.settled[i.settlement.String] = s
	}
	s.items++
	s.fee += i.fee
	s.vat += i.vat
	if i.kind == string(settlement.MiscAdjusting) {
		s.adjusted += charge
	} else {
		s.charge += charge
	}
}

// A closing is a settlement as its row says it.
type closing struct {
	id, account, currency, day, state, reference string
	startUS, endUS, closedUS                     int64
	paidUS                                       sql.NullInt64
	said                                         sums
	net, parts                                   int64
	written                                      int64 // the place of its closing in the whole journal; 0 where it is not there
	paid                                         bool  // the journal knows of its payment
}

const closings = `
SELECT id, account, currency, day, state, reference, start_us, end_us, closed_us, paid_us, items, charge, adjusted, fee, vat, net, parts
  FROM settlement ORDER BY account, currency, day`

const closingEvents = `
SELECT id, object FROM event WHERE payment_id >= 'account/' AND payment_id < 'account0' AND event = 'settle' AND object LIKE 'settlement/%'`

// readClosings reads the settlements, few beside the payments: items are compared with them.
func (x *run) readClosings() error {
	x.closings, x.closingsOf = map[string]*closing{}, map[string][]*closing{}
	err := x.each(closings, func(scan func(...any) error) error {
		var c closing
		err := scan(&c.id, &c.account, &c.currency, &c.day, &c.state, &c.reference, &c.startUS, &c.endUS, &c.closedUS, &c.paidUS,
			&c.said.items, &c.said.charge, &c.said.adjusted, &c.said.fee, &c.said.vat, &c.net, &c.parts)
		of := c.account + "/" + c.currency
		x.closings[c.id], x.closingsOf[of] = &c, append(x.closingsOf[of], &c)
		return err
	})
	if err != nil {
		return err
	}
	return x.each(closingEvents, func(scan func(...any) error) error {
		var at int64
		var object string
		err := scan(&at, &object)
		if c := x.closings[strings.TrimPrefix(object, "settlement/")]; c != nil && c.written == 0 {
			c.written = at
		}
		return err
	})
}

// settledIn is the settlement that an item must be in: the first of its account that was closed after it and reaches its day. Empty: none.
func (x *run) settledIn(i item, written int64) (id string, known bool) {
	for _, c := range x.closingsOf[i.account+"/"+i.currency] {
		switch {
		case c.day < i.day:
		case c.written == 0:
			return "", false
		case c.written > written:
			return c.id, true
		}
	}
	return "", true
}

// feeSigns is what our fee on an item may be: less than nothing where we earn, more where we give back (Korea Cards v1 §6.3). What is not
// here passes on what the acquirer charged.
var feeSigns = map[settlement.Kind][]int{
	settlement.Capture: {-1, 0}, settlement.Refund: {-1, 0, 1}, settlement.ReverseRefund: {-1, 0}, settlement.Chargeback: {-1, 0},
	settlement.ReverseChargeback: {0}, settlement.FundsReservation: {-1, 0}, settlement.MiscAdjusting: {0},
}

func sign(n int64) int {
	switch {
	case n > 0:
		return 1
	case n < 0:
		return -1
	}
	return 0
}

// itemised compares the settlement item of an event with the one that the event demands.
func (x *run) itemised(j *journal, b *books, e event, f effect, have []item) {
	want := f.item
	if want == nil && len(have) == 1 {
		want = f.may
	}
	if want == nil || len(have) != 1 || have[0].n != e.n {
		for _, i := range have {
			x.bad("items", "settlement_item", i.row(j.id), "%s is not settled by itself", e.event)
			b.settle(i, i.charge)
		}
		if f.item != nil {
			x.bad("items", "event", e.row(j.id), "%s must be settled, and no item says so", e.event)
		}
		return
	}
	x.did("items")
	i := have[0]
	bad := func(problem string, args ...any) { x.bad("items", "settlement_item", i.row(j.id), problem, args...) }
	b.settle(i, want.charge)
	is, must := item{kind: i.kind, account: i.account, subject: i.subject, ownID: i.ownID, link: i.link, atUS: i.atUS}, item{
		kind: want.kind, account: j.account, subject: want.subject, ownID: want.ownID, link: want.link, atUS: e.atUS,
	}
	if is != must {
		bad("is not the %s that the event is", want.kind)
	}
	if i.charge != want.charge {
		bad("charges %d where the event moved %d", i.charge, want.charge)
	}
	if want.currency != "" && i.currency != want.currency {
		bad("is in %s and the event in %s", i.currency, want.currency)
	}
	if signs, ours := feeSigns[settlement.Kind(i.kind)]; !ours {
		if i.fee != want.fee || i.vat != 0 {
			bad("passes on %d where the acquirer charged %d", i.fee+i.vat, want.fee)
		}
	} else if !slices.Contains(signs, sign(i.fee)) || i.vat != 0 && sign(i.vat) != sign(i.fee) || size(i.vat) > size(i.fee) {
		bad("a fee of %d with %d of tax cannot be on a %s", i.fee, i.vat, i.kind)
	}
	if !within(i.day, i.atUS) {
		bad("of day %s is of another day", i.day)
	}
	if in, known := x.settledIn(i, e.id); known && in != i.settlement.String {
		bad("is in settlement %q and belongs into %q", i.settlement.String, in)
	}
}

func size(n int64) int64 { return max(n, -n) }

// within reports whether an instant may lie on a business day, in whatever time zone that is.
func within(day string, atUS int64) bool {
	start, err := time.Parse("20060102", day)
	at := time.UnixMicro(atUS)
	return err == nil && !at.Before(start.Add(-14*time.Hour)) && at.Before(start.Add((24+12)*time.Hour))
}

// settlements compares every settlement with what its items add up to and with the one before it.
func (x *run) settlements(b *books) {
	for _, list := range x.closingsOf {
		var before *closing
		for _, c := range list {
			x.did("settlements")
			bad := func(problem string, args ...any) { x.bad("settlements", "settlement", c.id, problem, args...) }
			have := b.settled[c.id]
			if have == nil {
				have = &sums{}
			}
			if *have != c.said {
				bad("says %+v, and from the journal its items make %+v", c.said, *have)
			}
			if c.net != c.said.charge+c.said.adjusted+c.said.fee+c.said.vat {
				bad("its net %d is not the sum of its totals", c.net)
			}
			if !strings.HasPrefix(c.id, fmt.Sprintf("naru-stl-%s-%s-", c.day, c.currency)) {
				bad("has not the id that comes from its day and currency")
			}
			if before != nil && c.startUS != before.endUS {
				bad("begins at %d us, and the one before it ends at %d us", c.startUS, before.endUS)
			}
			if !within(c.day, c.endUS-1) || c.startUS >= c.endUS {
				bad("its period does not end with its day")
			}
			if c.parts < 1 || c.parts > max(1, c.said.items) {
				bad("cannot be told in %d parts", c.parts)
			}
			if c.written == 0 {
				bad("the journal does not know it")
			}
			if (c.state == string(settlement.Paid)) != c.paid {
				bad("is %s, and the journal says paid=%t", c.state, c.paid)
			}
			before = c
		}
	}
}

// closed is what the journal says of a settlement: that it was closed, and that it was paid.
func (x *run) closed(j *journal, e event, id string) (effect, error) {
	c := x.closings[id]
	if c == nil || c.account != j.account {
		return effect{}, fmt.Errorf("tells of the settlement %s, which this account does not have", id)
	}
	in, known := money.Lookup(c.currency)
	if !known {
		return effect{}, fmt.Errorf("settles in %s, which is no currency", c.currency)
	}
	s := settlement.Settlement{Account: c.account, Totals: settlement.Totals{
		Fee: money.New(c.said.fee, in), VAT: money.New(c.said.vat, in), Net: money.New(c.net, in), Adjusted: money.New(c.said.adjusted, in),
	}}
	switch e.event {
	case "settle":
		if c.written != e.id || e.atUS != c.closedUS {
			return effect{}, fmt.Errorf("closes the settlement %s a second time, or at another time", id)
		}
		for name, want := range map[string]string{"items": fmt.Sprint(c.said.items), "net": s.Net.String()} {
			if wrong := e.agrees(name, want); wrong != "" {
				x.bad("settlements", "settlement", c.id, "%s", wrong)
			}
		}
		return effect{state: string(settlement.Closed), moved: s.Close()}, nil
	case "pay":
		if c.written == 0 || c.written > e.id || c.paid || e.atUS != c.paidUS.Int64 {
			return effect{}, fmt.Errorf("pays the settlement %s before it is closed, twice or at another time", id)
		}
		c.paid = true
		return effect{state: string(settlement.Paid), moved: s.Pay()}, nil
	}
	return effect{}, fmt.Errorf("a settlement cannot %s", e.event)
}

const accountBooks = `SELECT account, chain_length, chain_digest FROM account_book ORDER BY account`

// accounts reads the book of every account: what belongs to none of its payments.
func (x *run) accounts(b *books) error {
	m := &merge{run: x}
	defer m.close()
	tables := x.journals(m, b, ofAccounts)
	unbooked := func(_ string, k booking) { x.bad("bookings", "bank_entry", k.row(), "moved money that is not booked") }
	bookings := open(m, otherBookings, (*booking).columns, unbooked)
	if m.err != nil {
		return m.err
	}
	resting := map[string]bool{}
	err := x.each(accountBooks, func(scan func(...any) error) error {
		j := journal{table: "account_book"}
		if err := scan(&j.account, &j.length, &j.digest); err != nil {
			return err
		}
		j.id = bookOf + j.account
		tables.of(&j)
		told := bookings.of(j.id)
		if m.err != nil {
			return m.err
		}
		x.chain(&j)
		x.walk(&j, b, func(e event) (effect, error) {
			kind, id, _ := strings.Cut(e.object, "/")
			switch kind {
			case "settlement":
				return x.closed(&j, e, id)
			case "acquirer":
				return x.corrected(&j, e, id)
			case "statement":
				return j.funded(e, id)
			case "receiver":
				return rest(resting, e, id, j.account)
			case "":
				return j.unexplained(told, e)
			}
			return effect{}, fmt.Errorf("%q has no place in the book of an account", e.object)
		})
		for _, k := range told {
			x.did("bookings")
			if !k.seen {
				unbooked(j.id, k)
			}
		}
		return nil
	})
	if err == nil {
		tables.end()
		bookings.end()
		err = m.err
	}
	if err == nil {
		err = x.rests(resting)
	}
	return err
}

// rest is that an operator lets a receiving account rest, or be paid into again.
func rest(resting map[string]bool, e event, id, account string) (effect, error) {
	if id != account || e.event != "pause" && e.event != "resume" || resting[id] == (e.event == "pause") {
		return effect{}, fmt.Errorf("the receiving account %s cannot %s", id, e.event)
	}
	resting[id] = e.event == "pause"
	return effect{}, nil
}

// rests compares what rests with what the books of the accounts say.
func (x *run) rests(resting map[string]bool) error {
	err := x.each("SELECT receiver FROM receiver_pause", func(scan func(...any) error) error {
		var id string
		if err := scan(&id); err != nil {
			return err
		}
		if !resting[id] {
			x.bad("states", "receiver_pause", id, "rests, and its book does not say since when")
		}
		delete(resting, id)
		return nil
	})
	for id, rests := range resting {
		if rests {
			x.bad("states", "receiver_pause", id, "rests by its book, and new orders are paid there")
		}
	}
	return err
}

// corrected is a record of the acquirer that belongs to no payment.
func (x *run) corrected(j *journal, e event, id string) (effect, error) {
	r, err := j.cleared(e, id)
	if err != nil {
		return effect{}, err
	}
	in, known := money.Lookup(r.currency)
	if e.event != "clear" || !known {
		return effect{}, fmt.Errorf("a record of the acquirer in %s cannot %s", r.currency, e.event)
	}
	f := effect{state: r.kind, moved: ledger.Cleared(j.account, money.New(r.fees, in), money.New(r.tax, in))}
	switch r.kind {
	case "FEE":
		f.may = due(settlement.AggregateAdjusting, "", r.id, "", 0)
		f.may.fee, f.may.currency = r.fees+r.tax, r.currency
	case "ADJ":
		f.moved = append(f.moved, ledger.Corrected(j.account, money.New(r.gross, in))...)
		f.may = due(settlement.MiscAdjusting, "", r.id, "", r.gross)
		f.may.currency = r.currency
	case "PAY":
		paid := j.paid(e, len(f.moved))
		if len(paid) == 0 {
			x.warn("postings", "event", e.row(j.id), "is a payment of the acquirer that moved nothing")
		} else {
			amount := paid[0].Amount
			if paid[0].Debit.Kind != ledger.BankSettlement { // it drew
				amount = amount.Negated()
			}
			f.wrong = e.agrees("amount", amount.String())
		}
		f.moved = append(f.moved, paid...)
	default:
		return f, fmt.Errorf("a record of the type %s has no place in the book of an account", r.kind)
	}
	return f, nil
}

// paid is what the acquirer's payment must have booked. Only the posting itself knows the amount: the record of a payment has no gross
// amount (rails §4.3).
func (j *journal) paid(e event, k int) []ledger.Posting {
	for _, p := range j.postings {
		in, known := money.Lookup(p.currency)
		if p.n != e.n || p.k != int64(k) || !known {
			continue
		}
		amount := money.New(p.amount, in)
		if p.debit != string(ledger.BankSettlement) {
			amount = amount.Negated()
		}
		return ledger.AcquirerPaid(j.account, amount)
	}
	return nil
}
