package engine_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"naru/core/card"
	"naru/core/deposit"
	"naru/core/payout"
	"naru/crash"
	"naru/engine"
)

// tillModel is a memory of what merchants asked for, what banks booked, and what a person decided, with rails §3.7 read once more: it says
// of every booking which order it pays, and so what everybody must be told and what the books must say. It knows nothing of how the engine
// finds out.
type tillModel struct {
	*shop
	orders  []*pledge
	money   []*inflow
	told    map[string]*inflow // bookings that were taken into account, by their ids
	backs   []*inflow          // reversals that were, and fit no credit then
	moved   map[string]int64
	mail    []deposit.Message // every message that a bank made
	payouts []string          // the numbers under which M asked for payouts
	owed    map[string]int    // what must have been told, by subject
	heard   map[string]int
	asked   int
	steps   map[string]int
}

// pledge is an order.
type pledge struct {
	deposit.Order // as it was made
	state         deposit.State
	payer         string
	hinted        bool // money came that is probably its
	reserved      bool
	due           time.Time
	paid          *inflow
}

// inflow is money that came, or, of a reversal, that left.
type inflow struct {
	b        deposit.Entry
	receiver string
	state    deposit.CreditState
	order    *pledge
	hint     *pledge
	until    time.Time // until when a new order may claim it
}

// end is when an order takes no more money, with the grace that banks need.
func (p *pledge) end() time.Time { return p.ExpiresAt.Add(30 * time.Second) }

func (p *pledge) is(services ...string) bool { return slices.Contains(services, p.Service) }

// agrees: here names are equal or others.
func (p *pledge) agrees(x *inflow) bool { return p.payer != "" && p.payer == x.b.Name.Reveal() }

// judgement is what rails §3.7 says of a booking.
type judgement struct {
	pays, hint *pledge
	waits      bool
}

func (m *tillModel) judge(x *inflow, newOrder bool) judgement {
	at := x.b.BookedAt
	take := func(p *pledge) judgement {
		if slices.Contains([]deposit.State{deposit.Waiting, deposit.Seen, deposit.Expired}, p.state) {
			return judgement{pays: p}
		}
		return judgement{hint: p}
	}
	begun := func(p *pledge) bool { return !at.Before(p.CreatedAt.Add(-5 * time.Minute)) }
	if x.b.Virtual != "" {
		for _, p := range slices.Backward(m.orders) {
			if p.Receiver.Number != x.b.Virtual || !begun(p) {
				continue
			}
			if at.After(p.end()) || p.is(onOwnName) && !p.agrees(x) || p.is(onExact) && p.Display != x.b.Amount {
				return judgement{hint: p}
			}
			return take(p)
		}
		return judgement{}
	}
	var fit, agree, late, named []*pledge
	for _, p := range m.orders {
		if p.Receiver.Account != x.receiver || slices.Contains([]deposit.State{deposit.Paid, deposit.TakenBack, deposit.Failed}, p.state) {
			continue
		}
		inTime := begun(p) && !at.After(p.end())
		coded := p.Token != "" && p.Token == x.b.Memo.Reveal()
		open := p.state == deposit.Waiting || p.state == deposit.Seen
		if inTime && p.Display == x.b.Amount {
			if fit = append(fit, p); p.agrees(x) {
				agree = append(agree, p)
			}
		}
		known := open && (coded || p.agrees(x)) // however long ago it was to be paid
		if p.Display == x.b.Amount && at.After(p.end()) && (known || !at.After(p.ExpiresAt.Add(24*time.Hour))) {
			late = append(late, p)
		}
		if inTime && known {
			named = append(named, p)
		}
	}
	switch {
	case len(fit) > 0 && len(agree) == 1:
		return take(agree[0])
	case len(fit) > 0 && newOrder:
		return judgement{waits: true}
	case len(fit) > 1:
		return judgement{}
	case len(fit) == 1 && fit[0].is(onAnyone) && !at.Before(fit[0].CreatedAt):
		return take(fit[0])
	case len(fit) == 1:
		return judgement{hint: fit[0]}
	case newOrder:
		return judgement{waits: true}
	case len(named) > 1:
		return judgement{}
	case len(named) == 1 && (named[0].is(onReal, onShared, onCareful) && !named[0].agrees(x) || named[0].is(onCareful)):
		return judgement{hint: named[0]}
	case len(named) == 1:
		return take(named[0])
	case len(late) == 1:
		return judgement{hint: late[0]}
	case len(late) > 1:
		return judgement{}
	}
	return judgement{waits: true}
}

// place does what the judgement says.
func (m *tillModel) place(x *inflow, newOrder bool) bool {
	j := m.judge(x, newOrder)
	if j.pays != nil {
		m.pay(j.pays, x)
		return true
	}
	if newOrder {
		return false
	}
	if x.until = (time.Time{}); j.waits {
		x.until = x.b.BookedAt.Add(5 * time.Minute)
	}
	before := x.hint
	x.hint = j.hint
	m.unhint(before, x.hint)
	if p := x.hint; p != nil && slices.Contains([]deposit.State{deposit.Waiting, deposit.Seen, deposit.Expired, deposit.Cancelled}, p.state) {
		if p.hinted = true; p.state == deposit.Waiting {
			p.state, p.due = deposit.Seen, time.Time{}
		}
	}
	return false
}

func (m *tillModel) unhint(p, except *pledge) {
	if p == nil || p == except || !p.hinted || slices.ContainsFunc(m.money, func(x *inflow) bool { return x.hint == p }) {
		return
	}
	switch p.state {
	case deposit.Seen:
		p.state, p.due, p.hinted = deposit.Waiting, p.end(), false
	case deposit.Expired, deposit.Cancelled:
		p.hinted = false
	}
}

func (m *tillModel) pay(p *pledge, x *inflow) {
	before := x.hint
	x.state, x.order, x.hint, x.until = deposit.Matched, p, nil, time.Time{}
	p.state, p.paid, p.hinted, p.due = deposit.Paid, x, false, time.Time{}
	if p.Receiver.Virtual && p.reserved {
		p.due = m.clock.Now().Add(24 * time.Hour)
	} else {
		p.reserved = false
	}
	m.tell(p)
	m.unhint(before, p)
	m.steps["paid"]++
}

// tell notes that a merchant must hear of the state of an order: Q hears of success only.
func (m *tillModel) tell(p *pledge) {
	if p.Merchant == "M" || p.state == deposit.Paid {
		m.owed[fmt.Sprintf("%s/%s", p.Number, p.state)]++
	}
}

func (m *tillModel) ends(p *pledge, s deposit.State) {
	if p.state, p.due = s, (time.Time{}); p.reserved {
		p.due = m.clock.Now().Add(24 * time.Hour)
	}
	m.tell(p)
}

// fee is 0.8 % for M, and nothing for Q.
func (p *pledge) fee() int64 {
	if p.Merchant == "Q" {
		return 0
	}
	return (p.paid.b.Amount.Minor()*80 + 5_000) / 10_000
}

var (
	payers      = []string{"홍길동", "김철수", "나루상사"}
	tillAmounts = []int64{5_000, 5_001, 9_000}
	onServices  = []string{onReal, onReal, onAnyone, onShared, onShared, onCareful, onCode, onVirtual, onOwnName, onExact}
	tillPoints  = []crash.Point{
		crash.DepositAccepted, crash.DepositExpired, crash.CreditTaken, crash.TransferAccepted, crash.PayoutClaimed, crash.PayoutAnswered,
		crash.PayoutSettled,
	}
	kinds = []deposit.MessageKind{deposit.Notification, deposit.Notification, deposit.Push, deposit.Statement}
)

// does runs a step in which the disk may fail and the process may die.
func (m *tillModel) does(t *rapid.T, run func()) {
	m.breaks(t, m.steps)
	m.dies(t, tillPoints, m.steps, run)
}

// makesOrder asks for an order. What became of it is on disk, whether or not anybody heard.
func (m *tillModel) makesOrder(t *rapid.T) {
	m.asked++
	payer := rapid.SampledFrom(append(payers, "")).Draw(t, "payer")
	with := nameless
	if payer != "" {
		with = by(payer)
	}
	amount := rapid.SampledFrom(tillAmounts).Draw(t, "amount")
	ask := wish(rapid.SampledFrom(onServices).Draw(t, "service"), fmt.Sprint("o", m.asked), amount, with)
	if ask.Service == onReal && rapid.IntRange(0, 3).Draw(t, "merchant") == 0 {
		ask.Merchant = "Q"
	}
	var err error
	m.does(t, func() { _, err = m.CreateDeposit(context.Background(), ask) })
	o, made, err2 := m.DepositByClient(context.Background(), ask.Merchant, ask.ClientID)
	if m.must(err2); !made {
		if err == nil || errors.Is(err, engine.RefusedPool) != m.full(ask) && !errors.Is(err, errDisk) {
			t.Fatalf("%+v: %v", ask, err)
		}
		m.steps["no order"]++
		return
	}
	p := &pledge{Order: o, state: deposit.Waiting, payer: payer, due: o.ExpiresAt.Add(30 * time.Second)}
	if p.reserved = o.Receiver.Virtual || p.is(onReal, onAnyone); p.is(onReal, onAnyone) {
		for _, other := range m.orders {
			if other.reserved && other.Receiver == o.Receiver && other.Display == o.Display {
				t.Fatalf("%s is shown twice", o.Display)
			}
		}
	} else if o.Receiver.Virtual {
		for _, other := range m.orders {
			if other.reserved && other.Receiver == o.Receiver {
				t.Fatal("an account number was given twice")
			}
		}
	} else if o.Display != o.Amount {
		t.Fatalf("%s for %s", o.Display, o.Amount)
	}
	m.orders = append(m.orders, p)
	if o.Receiver.Virtual {
		return
	}
	for _, x := range m.money { // what came before it
		if x.state == deposit.Unmatched && x.receiver == o.Receiver.Account && x.b.Amount == o.Display && !x.until.IsZero() &&
			!x.until.Before(m.clock.Now()) && m.place(x, true) {
			m.steps["paid before it was made"]++
			return
		}
	}
}

// full: no amount and no account number is left for an order.
func (m *tillModel) full(ask engine.DepositAsk) bool {
	numbers, amounts := 0, map[int64]bool{}
	for _, p := range m.orders {
		if top := ask.Amount.Minor(); p.reserved && p.Receiver.Virtual {
			numbers++
		} else if p.reserved && p.Display.Minor() <= top && p.Display.Minor() >= top-2 {
			amounts[p.Display.Minor()] = true
		}
	}
	switch ask.Service {
	case onVirtual, onOwnName, onExact:
		return numbers == 3
	case onReal, onAnyone:
		return len(amounts) == 3
	}
	return false
}

// oneOf draws one of a list; nothing of an empty one.
func oneOf[T any](t *rapid.T, list []T, name string) (one T, ok bool) {
	if len(list) == 0 {
		return one, false
	}
	return list[rapid.IntRange(0, len(list)-1).Draw(t, name)], true
}

// comes is money for an order, right or nearly so, or for none.
func (m *tillModel) comes(t *rapid.T) deposit.Entry {
	ago := rapid.SampledFrom([]time.Duration{0, 0, 0, 0, time.Minute, 4 * time.Minute, 6 * time.Minute, 15 * time.Minute, -2 * time.Minute}).Draw(t, "ago")
	recent := m.orders[max(0, len(m.orders)-6):]
	p, some := oneOf(t, recent, "for")
	var b deposit.Entry
	if !some || rapid.IntRange(0, 7).Draw(t, "nobody") == 0 {
		amount, payer := rapid.SampledFrom(tillAmounts).Draw(t, "amount"), rapid.SampledFrom(payers).Draw(t, "from")
		return m.booking("kb", won(amount), booked(ago), from(payer))
	}
	b = m.credit(p.Order, booked(ago), from(p.payer))
	switch rapid.IntRange(0, 6).Draw(t, "wrong") {
	case 0:
		b.Amount = won(rapid.SampledFrom([]int64{4_000, 5_000, 5_001, 9_000}).Draw(t, "amount"))
	case 1:
		b.Name = card.Conceal(rapid.SampledFrom(payers).Draw(t, "from"))
	case 2:
		b.Amount, b.Memo = b.Amount.Plus(won(1)), card.Conceal(p.Token)
	}
	return b
}

func (m *tillModel) moneyAny(t *rapid.T) {
	list := []deposit.Entry{m.comes(t)}
	if rapid.IntRange(0, 3).Draw(t, "more") == 0 {
		list = append(list, m.comes(t))
	}
	m.bankTells(t, list...)
}

// bankTells makes a message; sometimes it is lost on the way, until it is told again.
func (m *tillModel) bankTells(t *rapid.T, list ...deposit.Entry) {
	msg := m.message(rapid.SampledFrom(kinds).Draw(t, "kind"), list...)
	m.mail = append(m.mail, msg)
	if rapid.IntRange(0, 5).Draw(t, "lost") > 0 {
		m.hearsBank(t, msg)
	}
}

// hearsBank takes a message, and the model does where the engine has: whole, or not at all.
func (m *tillModel) hearsBank(t *rapid.T, msg deposit.Message) {
	var err error
	m.does(t, func() { _, err = m.TakeMessage(context.Background(), msg) })
	m.mayFail(err)
	if err != nil {
		return
	}
	for _, r := range msg.Reports {
		for _, b := range r.Entries {
			m.enters(t, b)
		}
	}
}

func (m *tillModel) mayFail(err error) {
	if err != nil && !errors.Is(err, errDisk) {
		m.Fatal(err)
	}
}

// enters is one booking in the model's own words.
func (m *tillModel) enters(t *rapid.T, b deposit.Entry) {
	id := fmt.Sprint(b.ID, b.Debit)
	if m.told[id] != nil {
		m.steps["told again"]++
		return
	}
	x := &inflow{b: b, receiver: "kb", state: deposit.Unmatched}
	if b.Account == accounts["va"].Number {
		x.receiver = "va"
	}
	m.told[id] = x
	switch {
	case b.EndToEnd != "":
		m.sync(t)
	case b.Debit:
		m.moved[x.receiver] -= b.Amount.Minor()
		original := m.told[fmt.Sprint(b.Original, false)]
		if b.Original == "" || original == nil || original.state != deposit.Unmatched && original.state != deposit.Matched {
			m.backs = append(m.backs, x)
			return
		}
		m.reverse(original)
	default:
		m.moved[x.receiver] += b.Amount.Minor()
		m.money = append(m.money, x)
		for i, back := range m.backs {
			if back.b.Original == b.ID && back.b.Account == b.Account {
				m.backs = slices.Delete(m.backs, i, i+1)
				x.state = deposit.Reversed
				m.steps["taken back before it was told"]++
				return
			}
		}
		m.place(x, false)
	}
}

func (m *tillModel) reverse(x *inflow) {
	before := x.hint
	x.state, x.hint, x.until = deposit.Reversed, nil, time.Time{}
	if x.order == nil {
		m.unhint(before, nil)
		return
	}
	x.order.state = deposit.TakenBack
	if x.order.Merchant == "M" {
		m.tell(x.order)
	}
	m.steps["taken back"]++
}

// again tells a message, or what was in it by another way.
func (m *tillModel) again(t *rapid.T) {
	msg, ok := oneOf(t, m.mail, "message")
	if !ok {
		return
	}
	if rapid.Bool().Draw(t, "another way") {
		var list []deposit.Entry
		for _, r := range msg.Reports {
			list = append(list, r.Entries...)
		}
		m.bankTells(t, list...)
		return
	}
	m.hearsBank(t, msg)
}

// otherAmount tells a booking with an amount that it has not: the first one stands.
func (m *tillModel) otherAmount(t *rapid.T) {
	if x, ok := oneOf(t, m.money, "booking"); ok {
		b := x.b
		b.Amount = b.Amount.Plus(won(7))
		_, err := m.TakeMessage(context.Background(), m.message(deposit.Notification, b))
		m.must(err)
	}
}

// bankTakes takes a credit back, told or not, once or twice; or it takes what nobody can explain.
func (m *tillModel) bankTakes(t *rapid.T) {
	var credits []deposit.Entry
	for _, msg := range m.mail[max(0, len(m.mail)-8):] {
		for _, r := range msg.Reports {
			for _, b := range r.Entries {
				if !b.Debit && b.EndToEnd == "" {
					credits = append(credits, b)
				}
			}
		}
	}
	b, ok := oneOf(t, credits, "which")
	if !ok || rapid.IntRange(0, 4).Draw(t, "unexplained") == 0 {
		m.bankTells(t, m.booking("kb", won(300), func(b *deposit.Entry) { b.Debit = true }))
		return
	}
	back := takenBack(b)
	if rapid.IntRange(0, 5).Draw(t, "twice") == 0 {
		back.ID += "2"
	}
	m.bankTells(t, back)
}

// passes lets time pass, and orders end.
func (m *tillModel) passes(t *rapid.T) {
	m.clock.Advance(rapid.SampledFrom([]time.Duration{
		time.Second, time.Minute, time.Minute, 3 * time.Minute, 3 * time.Minute, 6 * time.Minute, 6 * time.Minute, 11 * time.Minute,
		25 * time.Hour,
	}).Draw(t, "time"))
	if rapid.Bool().Draw(t, "dark") {
		m.start()
	}
	m.does(t, func() { _ = m.EndDepositsDue(context.Background()) })
	m.must(m.EndDepositsDue(context.Background()))
	m.over()
}

func (m *tillModel) over() {
	for _, p := range m.orders {
		if p.due.IsZero() || p.due.After(m.clock.Now()) {
			continue
		}
		if p.state == deposit.Waiting {
			m.ends(p, deposit.Expired)
			m.steps["expired"]++
		} else {
			p.due, p.reserved = time.Time{}, false
		}
	}
}

// saysName is a payer at the page.
func (m *tillModel) saysName(t *rapid.T) {
	p, ok := oneOf(t, m.orders, "order")
	if !ok {
		return
	}
	name := rapid.SampledFrom(payers).Draw(t, "name")
	err := m.NamePayer(context.Background(), p.Link, named(name))
	may := p.payer == "" && (p.state == deposit.Waiting || p.state == deposit.Seen)
	if (err == nil) != may {
		t.Fatalf("%s of %q: %v", p.state, p.payer, err)
	}
	if !may {
		return
	}
	p.payer = name
	for _, x := range m.money {
		if x.hint == p {
			m.place(x, false)
		}
	}
}

// desk is a person who decides.
func (m *tillModel) desk(t *rapid.T) {
	ctx := context.Background()
	var open []*inflow
	for _, x := range m.money {
		if x.state == deposit.Unmatched {
			open = append(open, x)
		}
	}
	x, some := oneOf(t, open, "money")
	p, any := oneOf(t, m.orders, "order")
	what := rapid.SampledFrom([]string{"assign", "assign", "give back", "cancel", "fail", "close"}).Draw(t, "what")
	may := any && !slices.Contains([]deposit.State{deposit.Paid, deposit.TakenBack, deposit.Failed}, p.state)
	done := func(err error, want bool) bool {
		if (err == nil) != want {
			t.Fatalf("%s: %v", what, err)
		}
		return want
	}
	switch {
	case what == "assign" && some && any:
		if done(m.AssignCredit(ctx, m.creditOf(x.b).ID, p.Number, "n"), may) {
			m.pay(p, x)
		}
	case what == "give back" && some:
		m.must(m.GiveBackCredit(ctx, m.creditOf(x.b).ID, "pb", "n"))
		before := x.hint
		x.state, x.hint, x.until = deposit.GoingBack, nil, time.Time{}
		m.unhint(before, nil)
	case what == "cancel" && any:
		if done(m.CancelDeposit(ctx, p.Number, "n"), p.state == deposit.Waiting || p.state == deposit.Seen) {
			m.ends(p, deposit.Cancelled)
		}
	case what == "fail" && any:
		may := p.state == deposit.Waiting || p.state == deposit.Seen || p.state == deposit.Expired
		if done(m.FailDeposit(ctx, p.Number, "n"), may) {
			m.ends(p, deposit.Failed)
		}
	}
}

// free is what M may pay out.
func (m *tillModel) free() int64 { return -m.expected()["merchant:payable/M"] }

func (m *tillModel) paysOut(t *rapid.T) {
	m.asked++
	id, amount := fmt.Sprint("p", m.asked), rapid.SampledFrom([]int64{1_000, 3_000, 8_000}).Draw(t, "amount")
	covered := m.free() >= amount+500
	var err error
	m.does(t, func() { err = m.pays(outNow, id, amount) })
	_, made, err2 := m.MerchantPayoutByClient(context.Background(), "M", id)
	m.must(err2)
	if made && !covered || !made && covered && !errors.Is(err, errDisk) {
		t.Fatalf("a payout of %d with %d: %v", amount, m.free(), err)
	}
	if made {
		m.payouts = append(m.payouts, id)
		m.steps["payouts"]++
	}
}

// bankPays works on payouts, and lets the bank do with them what banks do; it tells by itself, or with a booking.
func (m *tillModel) bankPays(t *rapid.T) {
	m.payer.mu.Lock()
	m.payer.wire = some(t, []fate{through, through, through, lostSaying, unsent}, "wire")
	m.payer.makes = some(t, []making{credits, keeps, keeps, passing, closed}, "makes")
	m.payer.mu.Unlock()
	m.does(t, func() { _ = m.PayDue(context.Background()) })
	m.sync(t)
	m.payer.mu.Lock()
	r, ok := oneOf(t, m.payer.orders, "remittance")
	m.payer.mu.Unlock()
	if !ok {
		return
	}
	var at payout.Attempt
	m.look(func(v engine.Reader) (err error) { at, _, err = v.PayoutAttemptByReference("pb", r.ref); return err })
	feed := m.booking("kb", won(r.amount), func(b *deposit.Entry) { b.EndToEnd = r.ref })
	m.payer.mu.Lock()
	switch {
	case r.state == "processing":
		m.payer.become(r, rapid.SampledFrom([]making{credits, credits, closed, passing}).Draw(t, "ends"))
		feed.Debit = true
	case r.state == "processed" && at.State == payout.AttemptPaid && rapid.IntRange(0, 2).Draw(t, "returns") == 0:
		m.payer.become(r, making{state: "reversed", code: "AC04"})
		feed.Returned = true
		m.steps["returned"]++
	}
	m.payer.mu.Unlock()
	if feed.Debit && r.state == "processed" || feed.Returned {
		m.bankTells(t, feed)
	}
	m.mayFail(m.hearsNews())
	m.sync(t)
}

func (m *tillModel) hearsNews() (err error) {
	for _, n := range m.payer.mail() {
		err = errors.Join(err, m.PayoutNews(context.Background(), "pb", n))
	}
	return err
}

// everyPayout is every payout of M, and every one that gives money back.
func (m *tillModel) everyPayout() (list []payout.Payout) {
	for _, id := range m.payouts {
		p, _ := m.payoutOf(id)
		list = append(list, p)
	}
	for _, x := range m.money {
		if id := m.creditOf(x.b).Payout; id != "" {
			p, _ := m.payoutNamed(id)
			list = append(list, p)
		}
	}
	return list
}

// sync takes over what has become of payouts: what could not be given back is nobody's again.
func (m *tillModel) sync(t *rapid.T) {
	for _, x := range m.money {
		if x.state == deposit.GoingBack && m.creditOf(x.b).Payout == "" {
			x.state = deposit.Unmatched
			m.steps["not given back"]++
		}
	}
	for _, p := range m.everyPayout() {
		paid, back := m.payer.standing(p.ID)
		ok := paid <= 1
		switch p.State {
		case payout.Paid:
			ok = paid == 1 || back == 1 // we have not heard
		case payout.Returned:
			ok = paid == 0 && back == 1
		case payout.Refused:
			ok = paid == 0
		}
		if !ok {
			t.Fatalf("%s: paid %d, back %d", p.State, paid, back)
		}
	}
}

// expected is what the books must say: everything that a bank booked, and whose it is. Of payouts it takes their states as they are.
func (m *tillModel) expected() map[string]int64 {
	books := map[string]int64{}
	for receiver, minor := range m.moved {
		books["bank:collection/"+receiver] = minor
	}
	for _, x := range m.backs {
		books["suspense:bank/"+x.receiver] += x.b.Amount.Minor()
	}
	for _, x := range m.money {
		switch x.state {
		case deposit.Unmatched:
			books["deposit:unmatched/"+x.receiver] -= x.b.Amount.Minor()
		case deposit.Reversed:
			if x.order != nil {
				books["merchant:payable/"+x.order.Merchant] += x.b.Amount.Minor()
			}
		}
	}
	for _, p := range m.orders {
		if p.paid != nil {
			books["merchant:payable/"+p.Merchant] -= p.paid.b.Amount.Minor() - p.fee()
			books["income:fees/"+p.Merchant] -= p.fee()
		}
	}
	for _, p := range m.everyPayout() {
		ours, fee := p.Purpose == payout.ForMerchant, p.Fee.Minor()
		switch p.State {
		case payout.Paid:
			books["payout:float/pb"] -= p.Amount.Minor()
			books["income:fees/"+p.Account] -= fee
		case payout.Returned:
			books["income:fees/"+p.Account] -= fee
		case payout.Refused, payout.Cancelled:
		default:
			books["payout:inflight/"+p.Account] -= p.Amount.Minor() + fee
		}
		if ours && p.State != payout.Refused && p.State != payout.Cancelled {
			books["merchant:payable/M"] += fee
			if p.State != payout.Returned {
				books["merchant:payable/M"] += p.Amount.Minor()
			}
		}
	}
	return books
}

// check is what must be true after every step.
func (m *tillModel) check(t *rapid.T) {
	for _, wrong := range m.payer.wrong {
		t.Fatalf("the bank was sent %s", wrong)
	}
	for _, p := range m.orders {
		got := m.now(p.Order)
		id := ""
		if p.paid != nil {
			id = m.creditOf(p.paid.b).ID
		}
		if got.State != p.state || got.Credit != id || (got.Trouble != "") != p.hinted || got.Reserved != p.reserved || !got.DueAt.Equal(p.due) {
			t.Fatalf("%s (%s) is %s, trouble %q, reserved %t, due %s; the model says %+v", p.Number, p.Service, got.State, got.Trouble,
				got.Reserved, got.DueAt, p)
		}
		if p.paid != nil && (got.Real != p.paid.b.Amount || got.Fee.Minor() != p.fee()) {
			t.Fatalf("%s: real %s, fee %s", p.Number, got.Real, got.Fee)
		}
	}
	cases, err := m.ListCases(context.Background(), true, 10_000)
	m.must(err)
	for _, x := range m.money {
		got := m.creditOf(x.b)
		order, hint := "", ""
		if x.order != nil {
			order = x.order.ID
		}
		if x.hint != nil {
			hint = x.hint.ID
		}
		if got.State != x.state || got.Order != order || got.Suspect != hint || !got.RetryUntil.Equal(x.until) || got.Amount != x.b.Amount {
			t.Fatalf("%s of %s is %s by rule %s, %q, inputs %s; the model says %+v, order %+v, hint %+v", x.b.ID, x.b.Amount, got.State,
				got.Rule, got.Trouble, got.Inputs, x, x.order, x.hint)
		}
		about := 0
		for _, c := range cases {
			if c.Payment == got.ID {
				about++
			}
		}
		if about != map[bool]int{true: 1}[x.state == deposit.Unmatched] {
			t.Fatalf("%d cases about money that is %s", about, x.state)
		}
	}
	m.booksAre(t)
	m.listens(t)
}

func (m *tillModel) booksAre(t *rapid.T) {
	want := m.expected()
	list, err := m.db.Balances(context.Background())
	m.must(err)
	total := int64(0)
	for _, b := range list {
		name := b.Account + "/" + b.Owner
		if total += b.Amount; b.Amount != want[name] {
			t.Fatalf("%s is %d, not %d", name, b.Amount, want[name])
		}
		delete(want, name)
	}
	for name, minor := range want {
		if minor != 0 {
			t.Fatalf("%s is nothing, not %d", name, minor)
		}
	}
	if total != 0 {
		t.Fatalf("the books are %d off", total)
	}
}

// listens: everything that must be told is owed once, and nothing else.
func (m *tillModel) listens(t *rapid.T) {
	for _, id := range m.payouts {
		p, _ := m.payoutOf(id)
		x, _, err := m.MerchantPayout(context.Background(), p.ID)
		m.must(err)
		if s := p.State; s.Final() {
			if s == payout.Returned { // told before
				s = payout.Paid
			}
			m.owed[fmt.Sprintf("%s/%s", x.Number, s)] = 1
		}
	}
	before := len(m.sent)
	m.notices()
	for _, n := range m.sent[before:] {
		if m.heard[n.Subject]++; m.heard[n.Subject] > m.owed[n.Subject] {
			t.Fatalf("%s was told %d times", n.Subject, m.heard[n.Subject])
		}
	}
	for subject, n := range m.owed {
		if m.heard[subject] != n || n != 1 {
			t.Fatalf("%s was told %d times, and is owed %d times", subject, m.heard[subject], n)
		}
	}
}

// drain lets banks tell everything that they booked, and payouts end.
func (m *tillModel) drain(t *rapid.T) {
	for _, msg := range m.mail {
		m.hearsBank(t, msg)
		m.check(t)
	}
	for _, msg := range m.mail { // what died or failed on the way
		if _, err := m.TakeMessage(context.Background(), msg); err != nil {
			t.Fatal(err)
		}
		for _, r := range msg.Reports {
			for _, b := range r.Entries {
				m.enters(t, b)
			}
		}
	}
	m.check(t)
	m.payer.script(nil)
	for range 40 {
		m.payer.mu.Lock()
		for _, r := range m.payer.orders {
			if r.state == "processing" {
				m.payer.become(r, credits)
			}
		}
		m.payer.mu.Unlock()
		m.must(m.PayDue(context.Background()))
		m.must(m.hearsNews())
		m.resumes()
		m.sync(t)
		m.check(t)
		if !slices.ContainsFunc(m.everyPayout(), func(p payout.Payout) bool { return !p.State.Final() }) {
			return
		}
		m.clock.Advance(31 * time.Minute)
	}
	t.Fatalf("a payout is open for ever: %+v", m.everyPayout())
}

// resumes is a person who orders anew what moved nothing three times, and lets the bank say that it never had what is missing there.
func (m *tillModel) resumes() {
	list, err := m.ListCases(context.Background(), true, 10_000)
	m.must(err)
	for _, c := range list {
		switch c.Kind {
		case "payout-stuck":
			_ = m.ResumeCase(context.Background(), c.ID, "again") // it may be over
		case "payout-absent":
			if _, a := m.payoutNamed(c.Payment); a.State == payout.AttemptPrepared {
				said := payout.Answer{Verdict: payout.Rejected, Reason: payout.Declined, Reference: a.Reference}
				m.hears(payout.News{ID: "pain.002", At: m.clock.Now(), Answer: said})
				m.steps["never came"]++
			}
		}
	}
}

func TestAnyHistoryFindsItsOrder(t *testing.T) {
	const tillScripts, tillParts = 240, 4
	inParts(t, tillParts, tillScripts, tillHistories, onFiles)
}

func TestAnyHistoryOnPostgresFindsItsOrder(t *testing.T) {
	inParts(t, 2, 24, tillHistories, onPostgres)
}

// tillHistories plays one script after the other.
func tillHistories(t *testing.T, where func(*testing.T) places) (scripts int, total map[string]int) {
	place, total := where(t), map[string]int{}
	rapid.Check(t, func(rt *rapid.T) {
		scripts++
		var cleanup []func()
		defer func() {
			for _, c := range cleanup {
				c()
			}
		}()
		path := place(scripts)
		m := &tillModel{told: map[string]*inflow{}, moved: map[string]int64{}, owed: map[string]int{}, heard: map[string]int{}, steps: total}
		near := func(d *engine.DepositService) { d.Range = 2 }
		m.shop = shopAt(rt, path, func(c func()) { cleanup = append(cleanup, c, func() { _ = os.Remove(path) }) }, service(onReal, near),
			service(onAnyone, near), func(c *engine.Config) { c.Merchants[1].Deposits[0].Range = 2 })
		m.store.Store = m.db
		steps := map[string]func(*rapid.T){}
		for i, s := range []struct { // rapid likes the first ones best
			name string
			step func(*rapid.T)
		}{
			{"order", m.makesOrder},
			{"money", m.moneyAny},
			{"order", m.makesOrder},
			{"money", m.moneyAny},
			{"clock", m.passes},
			{"again", m.again},
			{"desk", m.desk},
			{"reversal", m.bankTakes},
			{"payout", m.paysOut},
			{"bank", m.bankPays},
			{"name", m.saysName},
			{"money", m.moneyAny},
			{"other amount", m.otherAmount},
		} {
			steps[fmt.Sprintf("%02d %s", i, s.name)] = func(t *rapid.T) {
				total[s.name]++
				m.tb = t
				s.step(t)
				m.check(t)
			}
		}
		m.tb = rt
		rt.Repeat(steps)
		m.drain(rt)
		total["orders"] += len(m.orders)
		total["credits"] += len(m.money)
		for _, x := range m.money {
			total["rule "+m.creditOf(x.b).Rule]++
		}
	})
	return scripts, total
}
