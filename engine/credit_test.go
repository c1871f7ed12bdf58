package engine_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"naru/core/card"
	"naru/core/deposit"
	"naru/core/fault"
	"naru/core/money"
	"naru/core/payout"
	"naru/crash"
	"naru/engine"
)

// booking is money that comes to an account of ours, now, from 홍길동.
func (s *shop) booking(receiver string, amount money.Amount, with ...func(*deposit.Entry)) deposit.Entry {
	s.entries++
	b := deposit.Entry{
		Bank: accounts[receiver].Bank, Account: accounts[receiver].Number, ID: fmt.Sprintf("TX-%d", s.entries), Amount: amount,
		Name: card.Conceal("홍길동"), FromBank: "088", FromAccount: card.Conceal("110222333444"), BookedAt: s.clock.Now(),
	}
	for _, w := range with {
		w(&b)
	}
	return b
}

// credit is the money that an order asks for.
func (s *shop) credit(o deposit.Order, with ...func(*deposit.Entry)) deposit.Entry {
	b := s.booking(o.Receiver.Account, o.Display, with...)
	if o.Receiver.Virtual {
		b.Virtual = o.Receiver.Number
	}
	return b
}

func from(name string) func(*deposit.Entry) {
	return func(b *deposit.Entry) { b.Name = card.Conceal(name) }
}

func saying(memo string) func(*deposit.Entry) {
	return func(b *deposit.Entry) { b.Memo = card.Conceal(memo) }
}

func of(amount int64) func(*deposit.Entry) {
	return func(b *deposit.Entry) { b.Amount = won(amount) }
}

func booked(ago time.Duration) func(*deposit.Entry) {
	return func(b *deposit.Entry) { b.BookedAt = b.BookedAt.Add(-ago) }
}

// takenBack is that the bank takes a credit back.
func takenBack(b deposit.Entry) deposit.Entry {
	b.Debit, b.Reversal, b.Original, b.ID = true, true, b.ID, b.ID+"-back"
	return b
}

// message is a message with a name of its own that tells of bookings; those of one account are one report.
func (s *shop) message(kind deposit.MessageKind, list ...deposit.Entry) deposit.Message {
	s.messages++
	m := deposit.Message{Feed: "feed", ID: fmt.Sprintf("MSG-%d", s.messages), Kind: kind}
	for _, b := range list {
		i := slices.IndexFunc(m.Reports, func(r deposit.Report) bool { return r.Account == b.Account })
		if i < 0 {
			i, m.Reports = len(m.Reports), append(m.Reports, deposit.Report{Bank: b.Bank, Account: b.Account, Day: "20260302"})
		}
		m.Reports[i].Entries = append(m.Reports[i].Entries, b)
	}
	sum := sha256.Sum256([]byte(m.ID))
	m.Digest = hex.EncodeToString(sum[:])
	return m
}

// take tells of bookings as they happen; receive tells a message.
func (s *shop) take(list ...deposit.Entry) {
	s.Helper()
	s.receive(s.message(deposit.Notification, list...), len(list), 0)
}

// receive wants so many bookings of a message to be new, and so many to be known.
func (s *shop) receive(m deposit.Message, fresh, known int) {
	s.Helper()
	got, err := s.TakeMessage(context.Background(), m)
	if err != nil || got.Accepted != int64(fresh) || got.Duplicates != int64(known) || got.Entries != int64(fresh+known) {
		s.Errorf("%+v, %v; not %d new and %d known", got, err, fresh, known)
	}
}

// creditOf is what became of a booking.
func (s *shop) creditOf(b deposit.Entry) (x deposit.Credit) {
	s.Helper()
	s.look(func(v engine.Reader) (err error) { x, _, err = v.CreditByBankID(b.Bank, b.Account, b.ID); return err })
	return x
}

// lateAt is when an order has ended.
const lateAt = 12 * time.Minute

// rails §3.7, row by row, from the booking to the books. Which order it pays, or why none; the rest follows.
func TestMoneyFindsItsOrder(t *testing.T) {
	type orders = []func(*shop) deposit.Order
	on := func(service string, amount int64, with ...func(*engine.DepositAsk)) func(*shop) deposit.Order {
		return func(s *shop) deposit.Order {
			s.Helper()
			return s.order(service, fmt.Sprint("o", s.entries), amount, append(with, func(a *engine.DepositAsk) {
				s.entries++
				a.ClientID = fmt.Sprint("o", s.entries)
			})...)
		}
	}
	type edits = []func(*deposit.Entry)
	const nobody = -1
	for name, c := range map[string]struct {
		orders orders
		wait   time.Duration // between the orders and the booking
		told   time.Duration // between the booking and the news of it
		money  edits         // the money of the first order, and how it is not
		rule   string
		pays   int // which order
		why    deposit.Trouble
		hints  int // which order it is probably for
	}{
		"1: the number of the account": {orders{on(onVirtual, 30_000)}, 0, 0, nil, "1", 0, "", nobody},
		"1: another amount":            {orders{on(onVirtual, 30_000)}, 0, 0, edits{of(29_000)}, "1", 0, "", nobody},
		"1: a larger amount":           {orders{on(onVirtual, 30_000)}, 0, 0, edits{of(31_000)}, "1", 0, "", nobody},
		"1: another amount, and the merchant asks first": {
			orders{on(onExact, 30_000)}, 0, 0, edits{of(29_000)}, "1", nobody, deposit.AmountMismatch, 0,
		},
		"1: another name": {orders{on(onVirtual, 30_000)}, 0, 0, edits{from("김철수")}, "1", 0, "", nobody},
		"1: another name where it must be his own": {
			orders{on(onOwnName, 30_000)}, 0, 0, edits{from("김철수")}, "1", nobody, deposit.NameMismatch, 0,
		},
		"1: his own name where it must be": {orders{on(onOwnName, 30_000)}, 0, 0, nil, "1", 0, "", nobody},
		"2: booked before the order": {
			orders{on(onReal, 30_000)}, 0, 0, edits{booked(5 * time.Minute)}, "3", 0, "", nobody,
		},
		"2: booked long before the order": {
			orders{on(onReal, 30_000)}, 0, 0, edits{booked(5*time.Minute + time.Second)}, "6", nobody, deposit.NoOrder, nobody,
		},
		"2: booked in the grace":      {orders{on(onReal, 30_000)}, 10*time.Minute + 30*time.Second, 0, nil, "3", 0, "", nobody},
		"2: on another account":       {orders{on(onReal, 30_000)}, 0, 0, edits{toSH}, "6", nobody, deposit.NoOrder, nobody},
		"3: amount and name":          {orders{on(onReal, 30_000)}, 0, 0, nil, "3", 0, "", nobody},
		"3: a name that a bank wrote": {orders{on(onReal, 30_000, by("(주) 나루"))}, 0, 0, edits{from("주식회사나루")}, "3", 0, "", nobody},
		"4: another name":             {orders{on(onReal, 30_000)}, 0, 0, edits{from("김철수")}, "4", nobody, deposit.NameMismatch, 0},
		"4: no name":                  {orders{on(onReal, 30_000)}, 0, 0, edits{from("")}, "4", nobody, deposit.NameMismatch, 0},
		"4: no name known":            {orders{on(onReal, 30_000, nameless)}, 0, 0, nil, "4", nobody, deposit.NameMismatch, 0},
		"4: the amount alone":         {orders{on(onAnyone, 30_000)}, 0, 0, edits{from("김철수")}, "4", 0, "", nobody},
		"4: the amount alone, of money that is older": {
			orders{on(onAnyone, 30_000)}, 0, 0, edits{from("김철수"), booked(time.Second)}, "4", nobody, deposit.NameMismatch, 0,
		},
		"4: an amount that is not unique": {orders{on(onOpen, 30_000)}, 0, 0, edits{from("김철수")}, "4", nobody, deposit.NameMismatch, 0},
		"5: one of the names": {
			orders{on(onShared, 30_000, by("김철수")), on(onShared, 30_000)}, 0, 0, nil, "5", 1, "", nobody,
		},
		"5: homonyms": {orders{on(onShared, 30_000), on(onShared, 30_000)}, 0, 0, nil, "5", nobody, deposit.Ambiguous, nobody},
		"5: none of the names": {
			orders{on(onShared, 30_000), on(onShared, 30_000)}, 0, 0, edits{from("김철수")}, "5", nobody, deposit.Ambiguous, nobody,
		},
		"6: its code in the memo, and another amount": {
			orders{on(onCode, 30_000)}, 0, 0, edits{of(29_000), from("김철수"), itsCode}, "6", 0, "", nobody,
		},
		"6: a code that is part of a word": {
			orders{on(onCode, 30_000)}, 0, 0, edits{of(29_000), from("김철수"), itsCode, glued}, "6", nobody, deposit.NoOrder, nobody,
		},
		"6: the one order of that name": {
			orders{on(onReal, 30_000), on(onReal, 50_000, by("김철수"))}, 0, 0, edits{of(20_000)}, "6", 0, "", nobody,
		},
		"6: two of that name": {
			orders{on(onReal, 30_000), on(onReal, 50_000)}, 0, 0, edits{of(20_000)}, "6", nobody, deposit.Ambiguous, nobody,
		},
		"6: another amount, where he wants to ask": {
			orders{on(onCareful, 30_000)}, 0, 0, edits{of(20_000)}, "6", nobody, deposit.AmountMismatch, 0,
		},
		"6: nobody's": {
			orders{on(onReal, 30_000)}, 0, 0, edits{of(20_000), from("김철수")}, "6", nobody, deposit.NoOrder, nobody,
		},
		"8: booked late":                             {orders{on(onReal, 30_000)}, lateAt, 0, nil, "8", nobody, deposit.Late, 0},
		"8: booked late, to a number of its own":     {orders{on(onVirtual, 30_000)}, lateAt, 0, nil, "8", nobody, deposit.Late, 0},
		"8: booked in time, and told late":           {orders{on(onReal, 30_000)}, 0, lateAt, nil, "3", 0, "", nobody},
		"8: told late, by the number of the account": {orders{on(onVirtual, 30_000)}, 0, lateAt, nil, "1", 0, "", nobody},
		"8: told late, and another name": {
			orders{on(onReal, 30_000)}, 0, lateAt, edits{from("김철수")}, "4", nobody, deposit.NameMismatch, 0,
		},
		"8: a day later nobody knows any more whose": {
			orders{on(onReal, 30_000)}, 24*time.Hour + lateAt, 0, nil, "6", nobody, deposit.NoOrder, nobody,
		},
		"8: of two that ended, nobody can tell whose": {
			orders{on(onShared, 30_000), on(onShared, 30_000)}, lateAt, 0, nil, "8", nobody, deposit.Late, nobody,
		},
		"8: late for one, and in time for another one": {orders{on(onShared, 30_000), lastly(onShared)}, 0, 0, nil, "3", 1, "", nobody},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t)
			var all []deposit.Order
			for _, make := range c.orders {
				all = append(all, make(s))
			}
			s.passes(c.wait)
			b := s.credit(all[0])
			for _, edit := range c.money {
				edit(&b)
			}
			if strings.Contains(b.Memo.Reveal(), "CODE") {
				b.Memo = card.Conceal(strings.ReplaceAll(b.Memo.Reveal(), "CODE", all[0].Token))
			}
			s.passes(c.told)
			before := s.notices()
			s.take(b)
			receiver := "kb"
			for id, r := range accounts {
				if r.Number == b.Account {
					receiver = id
				}
			}
			x := s.creditOf(b)
			if x.Rule != c.rule || x.Trouble != c.why || x.Receiver != receiver || x.Amount != b.Amount ||
				!strings.Contains(x.Inputs, fmt.Sprintf("amount=%d ", b.Amount.Minor())) {
				t.Errorf("rule %s, trouble %q, inputs %q", x.Rule, x.Trouble, x.Inputs)
			}
			for i, o := range all {
				got := s.now(o)
				if (got.State == deposit.Paid) != (i == c.pays) || (got.Trouble == c.why && c.why != "") != (i == c.hints) ||
					(got.State == deposit.Seen) != (i == c.hints && !s.clock.Now().After(o.DueAt)) {
					t.Errorf("order %d is %s, trouble %q", i, got.State, got.Trouble)
				}
			}
			if c.pays == nobody {
				s.hold(fmt.Sprintf("bank:collection/%s=%d deposit:unmatched/%s=%d", receiver, b.Amount.Minor(), receiver, -b.Amount.Minor()))
				s.wants("deposit-" + strings.ToLower(strings.ReplaceAll(string(c.why), "_", "-")))
				if x.State != deposit.Unmatched || (x.Suspect != "") != (c.hints != nobody) || c.hints != nobody && x.Suspect != all[c.hints].ID {
					t.Errorf("%s, probably for %q", x.State, x.Suspect)
				}
				if got := s.notices(); !slices.Equal(got, before) {
					t.Errorf("told %q", got)
				}
				return
			}
			o := s.now(all[c.pays])
			fee := (b.Amount.Minor()*80 + 5_000) / 10_000
			if x.State != deposit.Matched || x.Order != o.ID || o.Credit != x.ID || o.Real != b.Amount || o.Fee != won(fee) || o.Into != receiver ||
				!o.PaidAt.Equal(s.clock.Now()) || !strings.Contains(x.Inputs, o.Number+"/") {
				t.Errorf("%+v pays %+v", x, o)
			}
			came := b.Amount.Minor()
			s.hold(fmt.Sprintf("bank:collection/%s=%d income:fees/M=%d merchant:payable/M=%d", receiver, came, -fee, fee-came))
			s.wants()
			told := s.notices()
			if len(told) != len(before)+1 || !slices.Contains(told, "deposit-result "+became(o, deposit.Paid)) {
				t.Errorf("told %q", told)
			}
		})
	}
}

func toSH(b *deposit.Entry)    { b.Bank, b.Account = accounts["sh"].Bank, accounts["sh"].Number }
func itsCode(b *deposit.Entry) { b.Memo = card.Conceal("for CODE, thanks") }
func glued(b *deposit.Entry)   { b.Memo = card.Conceal("forCODE") }

// lastly is an order that is made when those before it have ended.
func lastly(service string) func(*shop) deposit.Order {
	return func(s *shop) deposit.Order {
		s.passes(lateAt)
		return s.order(service, "last", 30_000)
	}
}

// Money that comes a little before its order waits for it, and is placed by its name only.
func TestMoneyBeforeItsOrder(t *testing.T) {
	for name, c := range map[string]struct {
		before time.Duration
		from   string
		with   []func(*engine.DepositAsk)
		amount int64
		paid   bool
	}{
		"just before":    {5 * time.Minute, "홍길동", nil, 30_000, true},
		"too long":       {5*time.Minute + time.Second, "홍길동", nil, 30_000, false},
		"another name":   {time.Minute, "김철수", nil, 30_000, false},
		"no name":        {time.Minute, "홍길동", []func(*engine.DepositAsk){nameless}, 30_000, false},
		"another amount": {time.Minute, "홍길동", nil, 30_001, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t)
			b := s.booking("kb", won(30_000), from(c.from))
			s.take(b)
			s.wants("deposit-unmatched")
			s.passes(c.before)
			before := s.creditOf(b)
			o := s.order(onShared, "a", c.amount, c.with...)
			if got := s.now(o); fmt.Sprint(got) != fmt.Sprint(o) {
				t.Errorf("answered %+v, and it is %+v", o, got)
			}
			if !c.paid {
				s.are(deposit.Waiting, o)
				s.wants("deposit-unmatched")
				s.tells()
				if got := s.creditOf(b); fmt.Sprint(got) != fmt.Sprint(before) {
					t.Errorf("%+v was %+v", got, before)
				}
				return
			}
			s.are(deposit.Paid, o)
			s.wants()
			s.tells(became(o, deposit.Paid))
			s.hold("bank:collection/kb=30000 income:fees/M=-240 merchant:payable/M=-29760")
			if x := s.creditOf(b); x.Rule != "3" || !x.RetryUntil.IsZero() {
				t.Errorf("%+v", x)
			}
			again := s.order(onShared, "b", 30_000) // it pays once
			s.are(deposit.Waiting, again)
		})
	}
}

// Where the bank's clock is ahead, money seems to come after an order that was made later: it is placed by its name only all the same.
func TestMoneyBeforeItsOrderByABankThatIsAhead(t *testing.T) {
	s := newShop(t, service(onAnyone, func(d *engine.DepositService) { d.Limits.Least = won(30_000) }))
	b := s.booking("kb", won(30_000), from("김철수"), booked(-10*time.Minute))
	s.take(b)
	o := s.order(onAnyone, "a", 30_000)
	s.are(deposit.Waiting, o)
	s.must(s.CancelDeposit(context.Background(), o.Number, "n"))
	s.passes(12 * time.Minute)
	o = s.order(onShared, "b", 30_000, by("김철수"))
	s.are(deposit.Paid, o)
}

// rails §3.2: a booking counts once, by whatever way and however often it is told.
func TestBookingsThatAreToldAgain(t *testing.T) {
	s := newShop(t)
	o := s.order(onReal, "a", 30_000)
	b := s.credit(o)
	m := s.message(deposit.Notification, b, s.booking("sh", won(7_000)))
	s.receive(m, 2, 0)
	want, told := s.ledger(), s.notices()
	same := func() {
		t.Helper()
		if got := s.notices(); s.ledger() != want || !slices.Equal(got, told) {
			t.Errorf("books %q, told %q", s.ledger(), got)
		}
		s.wants("deposit-unmatched")
	}
	s.receive(m, 0, 2) // the same file
	same()
	s.receive(s.message(deposit.Push, b), 0, 1) // by another channel, with another name of the message
	same()
	s.receive(s.message(deposit.Notification, b, b), 0, 2)
	same()
	m.Copy, m.Digest = true, strings.Repeat("ab", 32) // it says that it repeats
	s.receive(m, 0, 2)
	same()
	m.Copy = false
	s.receive(m, 0, 2)
	s.wants("bank-message", "deposit-unmatched")
	s.receive(m, 0, 2)
	s.wants("bank-message", "deposit-unmatched")
	m.Kind = deposit.Statement // each kind of message has its own names
	m.Digest = strings.Repeat("cd", 32)
	s.receive(m, 0, 2)
	s.wants("bank-message", "deposit-unmatched")
	if s.ledger() != want {
		t.Errorf("books %q", s.ledger())
	}
	debit := b
	debit.Debit = true // and a debit with the same id is another booking
	s.receive(s.message(deposit.Push, debit), 1, 0)
	s.wants("bank-message", "bank-unexplained", "deposit-unmatched")
}

// The same transaction with another amount: the first stands. A file is taken, with a case; an event is refused (rails §3.5).
func TestBookingWithAnotherAmount(t *testing.T) {
	for _, kind := range []deposit.MessageKind{deposit.Notification, deposit.Push} {
		t.Run(string(kind), func(t *testing.T) {
			s := newShop(t)
			o := s.order(onReal, "a", 30_000)
			b := s.credit(o)
			s.take(b)
			want := s.ledger()
			b.Amount = won(1)
			m := s.message(kind, b)
			if kind == deposit.Push {
				if _, err := s.TakeMessage(context.Background(), m); !errors.Is(err, engine.Conflict) {
					t.Error(err)
				}
				s.wants()
			} else {
				s.receive(m, 0, 1)
				s.wants("bank-conflict")
			}
			if s.ledger() != want {
				t.Errorf("books %q, not %q", s.ledger(), want)
			}
			s.tells(became(o, deposit.Paid))
		})
	}
}

// rails §3.4: one booking that cannot be ours refuses the whole message, and nothing of it is there.
func TestMessagesThatAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		edit func(*deposit.Entry, *deposit.Report)
		want engine.EntryRefusal
	}{
		"unknown account":   {func(_ *deposit.Entry, r *deposit.Report) { r.Account = "99999" }, engine.UnknownAccount},
		"of another bank":   {func(_ *deposit.Entry, r *deposit.Report) { r.Bank = "020" }, engine.UnknownAccount},
		"another account":   {func(b *deposit.Entry, _ *deposit.Report) { b.Account = accounts["kb"].Number }, engine.UnknownAccount},
		"nothing":           {func(b *deposit.Entry, _ *deposit.Report) { b.Amount = won(0) }, engine.InvalidAmount},
		"less than nothing": {func(b *deposit.Entry, _ *deposit.Report) { b.Amount = won(-5) }, engine.InvalidAmount},
		"another currency":  {func(b *deposit.Entry, _ *deposit.Report) { b.Amount = paise(5) }, engine.WrongCurrency},
		"tomorrow": {
			func(b *deposit.Entry, _ *deposit.Report) { b.BookedAt = b.BookedAt.Add(time.Hour + time.Second) }, engine.FutureDate,
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t)
			o := s.order(onReal, "a", 30_000)
			good := s.credit(o)
			m := s.message(deposit.Notification, good, s.booking("sh", won(5_000)))
			c.edit(&m.Reports[1].Entries[0], &m.Reports[1])
			got, err := s.TakeMessage(context.Background(), m)
			if !errors.Is(err, c.want) || got.Accepted != 0 {
				t.Error(got, err)
			}
			s.hold()
			s.are(deposit.Waiting, o)
			s.wants()
			s.look(func(v engine.Reader) error {
				_, seen, err := v.BankMessage(m.Feed, m.Kind, m.ID)
				_, booked, err2 := v.BankEntry(good.Bank, good.Account, good.ID, false)
				if seen || booked {
					t.Error("something of it is there")
				}
				return errors.Join(err, err2)
			})
			s.take(good) // told again, well made
			s.are(deposit.Paid, o)
		})
	}
	s := newShop(t)
	b := s.booking("kb", won(5_000), booked(-time.Hour)) // clocks differ
	s.take(b)
}

// Of a process that dies with the bank's message on disk nobody knows at the bank: it tells again, and nothing counts twice.
func TestMessageThatTheBankTellsAgain(t *testing.T) {
	s := newShop(t)
	o := s.order(onReal, "a", 30_000)
	m := s.message(deposit.Notification, s.credit(o))
	s.die = crash.CreditTaken
	if !survives(func() { s.receive(m, 1, 0) }) {
		t.Fatal("it did not die")
	}
	s.start()
	s.receive(m, 0, 1)
	s.are(deposit.Paid, o)
	s.hold("bank:collection/kb="+fmt.Sprint(o.Display.Minor()), fmt.Sprintf("income:fees/M=%d", -s.now(o).Fee.Minor()),
		fmt.Sprintf("merchant:payable/M=%d", s.now(o).Fee.Minor()-o.Display.Minor()))
	s.tells(became(o, deposit.Paid))
}

// Who looks at an order's page hears at once that it is paid.
func TestPageHearsOfThePayment(t *testing.T) {
	s := newShop(t)
	o, other := s.order(onReal, "a", 30_000), s.order(onReal, "b", 30_000)
	changed, forget := s.WatchDeposit(o.ID, o.Version)
	defer forget()
	quiet, drop := s.WatchDeposit(other.ID, other.Version)
	defer drop()
	s.take(s.credit(o))
	<-changed
	select {
	case <-quiet:
		t.Error("another order is told of it")
	default:
	}
}

// rails §3.4: a missing notification is a case, and blocks nothing.
func TestSequenceOfNotifications(t *testing.T) {
	s := newShop(t)
	say := func(seq int64, receiver string) {
		t.Helper()
		m := s.message(deposit.Notification, s.booking(receiver, won(5_000)))
		m.Reports[0].Seq = seq
		s.receive(m, 1, 0)
	}
	gaps := func(want int) {
		t.Helper()
		n := 0
		for _, kind := range s.cases() {
			if kind == "bank-gap" {
				n++
			}
		}
		if n != want {
			t.Errorf("%d gaps, not %d", n, want)
		}
	}
	say(17, "kb") // wherever it begins
	say(18, "kb")
	say(3, "sh") // each account counts alone
	gaps(0)
	say(21, "kb")
	gaps(2)
	say(19, "kb") // it comes after all
	gaps(1)
	say(22, "kb")
	say(0, "kb") // no number
	gaps(1)
	say(24, "kb")
	gaps(2)
}

// A statement is compared with what was told that day: what nobody told is taken now, what it lacks is a case.
func TestStatementOfADay(t *testing.T) {
	s := newShop(t)
	o, unheard := s.order(onReal, "a", 30_000), s.order(onReal, "b", 30_000)
	told, missing := s.credit(o), s.credit(unheard)
	s.take(told)
	statement := func(balances *deposit.Balances, list ...deposit.Entry) deposit.Message {
		m := s.message(deposit.Statement, list...)
		m.Reports[0].Balances = balances
		return m
	}
	sum := o.Display.Plus(unheard.Display)
	s.receive(statement(&deposit.Balances{Opening: won(100), Closing: won(100).Plus(sum)}, told, missing), 1, 1)
	s.are(deposit.Paid, o, unheard)
	s.wants("bank-unheard")
	s.receive(s.message(deposit.Notification, missing), 0, 1) // the notification is late
	s.receive(s.message(deposit.Notification, s.booking("kb", won(9_000), from("김철수"))), 1, 0)
	s.receive(s.message(deposit.Notification, s.booking("kb", won(9_000), from("김철수"), booked(-20*time.Minute))), 1, 0)
	s.wants("bank-unheard", "deposit-unmatched", "deposit-unmatched")
	s.receive(statement(nil, told, missing), 0, 2) // it lacks both, and says nothing of balances
	s.wants("bank-unheard", "bank-unstated", "deposit-unmatched", "deposit-unmatched")
	debit := s.booking("kb", won(400))
	debit.Debit = true
	m := statement(&deposit.Balances{Opening: won(1_000), Closing: won(601)}, debit)
	m.Reports[0].Day = "20260304" // nothing else was told of that day
	s.receive(m, 1, 0)
	s.wants("bank-balance", "bank-unexplained", "bank-unheard", "bank-unheard", "bank-unstated", "deposit-unmatched", "deposit-unmatched")
	m = statement(&deposit.Balances{Opening: won(1_000), Closing: won(600)}, debit)
	m.Reports[0].Day = "20260305"
	s.receive(m, 0, 1)
	s.wants("bank-balance", "bank-unexplained", "bank-unheard", "bank-unheard", "bank-unstated", "deposit-unmatched", "deposit-unmatched")
}

// rails §3.7 step 7: what the bank takes back. What was told as paid stays told; the merchant's balance pays, and may be less than nothing.
func TestMoneyThatTheBankTakesBack(t *testing.T) {
	t.Run("paid", func(t *testing.T) {
		s := newShop(t)
		o := s.order(onShared, "a", 30_000)
		b := s.credit(o)
		s.take(b)
		s.take(takenBack(b))
		s.are(deposit.TakenBack, o)
		s.hold("income:fees/M=-240 merchant:payable/M=240")
		s.wants("deposit-taken-back")
		s.tells(became(o, deposit.Paid), became(o, deposit.TakenBack))
		s.has(won(-240), won(0))
		if x := s.creditOf(b); x.State != deposit.Reversed || x.Order != o.ID {
			t.Errorf("%+v", x)
		}
		if got := s.now(o); got.Real != won(30_000) || got.Fee != won(240) {
			t.Errorf("%+v", got)
		}
		twice := takenBack(b)
		twice.ID += "2"
		s.take(twice) // once only
		s.hold("bank:collection/kb=-30000 income:fees/M=-240 merchant:payable/M=240 suspense:bank/kb=30000")
		s.wants("bank-unexplained", "deposit-taken-back")
	})
	t.Run("by the id of the credit", func(t *testing.T) {
		s := newShop(t)
		o := s.order(onShared, "a", 30_000)
		b := s.credit(o)
		s.take(b)
		back := takenBack(b)
		back.ID, back.Original = b.ID, ""
		s.take(back)
		s.are(deposit.TakenBack, o)
		s.receive(s.message(deposit.Push, b, back), 0, 2)
	})
	t.Run("nobody's yet", func(t *testing.T) {
		s := newShop(t)
		o := s.order(onShared, "a", 30_000)
		b := s.credit(o, from("김철수"))
		s.take(b)
		s.are(deposit.Seen, o)
		s.take(takenBack(b))
		s.are(deposit.Waiting, o)
		if got := s.now(o); got.Trouble != deposit.NoTrouble {
			t.Errorf("%+v", got)
		}
		s.hold()
		s.wants()
		s.tells()
		s.passes(lateAt)
		s.are(deposit.Expired, o) // it is not held any more
	})
	t.Run("of an order that has ended", func(t *testing.T) {
		s := newShop(t)
		o := s.order(onShared, "a", 30_000)
		s.passes(lateAt)
		b := s.credit(o)
		s.take(b)
		s.wants("deposit-late")
		s.take(takenBack(b))
		s.are(deposit.Expired, o)
		if got := s.now(o); got.Trouble != deposit.NoTrouble {
			t.Errorf("%+v", got)
		}
		s.wants()
	})
	t.Run("two of one order", func(t *testing.T) {
		s := newShop(t)
		o := s.order(onShared, "a", 30_000)
		first, second := s.credit(o, from("김철수")), s.credit(o, from("이영희"))
		s.take(first, second)
		s.take(takenBack(first))
		s.are(deposit.Seen, o) // the other one is still there
		s.take(takenBack(second))
		s.are(deposit.Waiting, o)
		s.wants()
	})
	t.Run("another amount", func(t *testing.T) {
		s := newShop(t)
		o := s.order(onShared, "a", 30_000)
		b := s.credit(o)
		s.take(b)
		back := takenBack(b)
		back.Amount = won(10_000)
		s.take(back)
		s.are(deposit.Paid, o)
		s.hold("bank:collection/kb=20000 income:fees/M=-240 merchant:payable/M=-29760 suspense:bank/kb=10000")
		s.wants("bank-unexplained")
	})
	t.Run("told before its credit", func(t *testing.T) {
		s := newShop(t)
		o := s.order(onShared, "a", 30_000)
		b := s.credit(o)
		s.take(takenBack(b))
		s.hold("bank:collection/kb=-30000 suspense:bank/kb=30000")
		s.wants("bank-unexplained")
		s.take(b)
		s.hold()
		s.are(deposit.Waiting, o)
		s.wants()
		if x := s.creditOf(b); x.State != deposit.Reversed {
			t.Errorf("%+v", x)
		}
	})
	t.Run("told before its credit, and another amount", func(t *testing.T) {
		s := newShop(t)
		o := s.order(onShared, "a", 30_000)
		b := s.credit(o)
		back := takenBack(b)
		back.Amount = won(10_000)
		s.take(back)
		s.take(b)
		s.are(deposit.Paid, o)
		s.hold("bank:collection/kb=20000 income:fees/M=-240 merchant:payable/M=-29760 suspense:bank/kb=10000")
		s.wants("bank-unexplained")
	})
}

// What the bank moves and nobody asked for is booked, and a person must say what it is.
func TestWhatNobodyCanExplain(t *testing.T) {
	for name, c := range map[string]struct {
		edit func(*deposit.Entry)
		want string
	}{
		"a debit": {func(b *deposit.Entry) { b.Debit = true }, "bank:collection/kb=-400 suspense:bank/kb=400"},
		"a debit under a name not ours": {
			func(b *deposit.Entry) { b.Debit, b.EndToEnd = true, "NOBODY" }, "bank:collection/kb=-400 suspense:bank/kb=400",
		},
		"a return under a name not ours": {
			func(b *deposit.Entry) { b.Returned, b.EndToEnd = true, "NOBODY" }, "bank:collection/kb=400 suspense:bank/kb=-400",
		},
		"a return without a name": {
			func(b *deposit.Entry) { b.Returned = true }, "bank:collection/kb=400 suspense:bank/kb=-400",
		},
		"a debit taken back": {
			func(b *deposit.Entry) { b.Reversal = true }, "bank:collection/kb=400 suspense:bank/kb=-400",
		},
		"a credit taken back that nobody told": {
			func(b *deposit.Entry) { b.Reversal, b.Debit, b.Original = true, true, "NONE" }, "bank:collection/kb=-400 suspense:bank/kb=400",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t)
			o := s.order(onOpen, "a", 1_000)
			b := s.booking("kb", won(400), c.edit)
			s.take(b)
			s.hold(c.want)
			s.wants("bank-unexplained")
			s.receive(s.message(deposit.Push, b), 0, 1)
			s.hold(c.want)
			s.are(deposit.Waiting, o)
		})
	}
}

// A second payment for a number that was paid for is a person's business.
func TestSecondPayment(t *testing.T) {
	s := newShop(t)
	o := s.order(onVirtual, "a", 30_000)
	first, second := s.credit(o), s.credit(o)
	s.take(first)
	s.take(second)
	s.are(deposit.Paid, o)
	s.wants("deposit-stopped")
	if x := s.creditOf(second); x.State != deposit.Unmatched || x.Trouble != deposit.Stopped || x.Suspect != o.ID {
		t.Errorf("%+v", x)
	}
	s.hold("bank:collection/va=60000 deposit:unmatched/va=-30000 income:fees/M=-240 merchant:payable/M=-29760")
	stopped := s.order(onVirtual, "b", 30_000)
	s.must(s.CancelDeposit(context.Background(), stopped.Number, "n"))
	s.take(s.credit(stopped))
	s.are(deposit.Cancelled, stopped)
	s.wants("deposit-stopped", "deposit-stopped")
	never := s.credit(stopped)
	never.Virtual = "900" // a number that was given to nobody
	s.take(never)
	if x := s.creditOf(never); x.Rule != "1" || x.Trouble != deposit.NoOrder || x.Virtual != "900" {
		t.Errorf("%+v", x)
	}
	beyond := s.credit(stopped)
	beyond.Virtual = "70011" // and one that leads nowhere: it came to the account itself
	s.take(beyond)
	if x := s.creditOf(beyond); x.Virtual != "" {
		t.Errorf("%+v", x)
	}
}

// A person says whose money is: once, with a note, and only where nothing is decided.
func TestMoneyThatAPersonAssigns(t *testing.T) {
	ctx := context.Background()
	s := newShop(t)
	first, second := s.order(onShared, "a", 30_000), s.order(onShared, "b", 50_000)
	b := s.credit(first, from("김철수"))
	s.take(b)
	s.are(deposit.Seen, first)
	x := s.creditOf(b)
	s.fails(s.AssignCredit(ctx, x.ID, second.Number, ""), fault.Invalid)
	s.missing(s.AssignCredit(ctx, x.ID, "PM99999999", "n"))
	s.missing(s.AssignCredit(ctx, "none", second.Number, "n"))
	s.must(s.AssignCredit(ctx, x.ID, second.Number, "he called"))
	s.are(deposit.Paid, second)
	s.are(deposit.Waiting, first) // the money was not its
	s.wants()
	s.hold("bank:collection/kb=30000 income:fees/M=-240 merchant:payable/M=-29760")
	if x = s.creditOf(b); x.Rule != "person" || x.Order != second.ID {
		t.Errorf("%+v", x)
	}
	s.fails(s.AssignCredit(ctx, x.ID, first.Number, "n"), fault.Precondition)
	s.fails(s.GiveBackCredit(ctx, x.ID, "pb", "n"), fault.Precondition)
	s.tells(became(second, deposit.Paid))

	ended, cancelled, failed := s.order(onShared, "c", 60_000), s.order(onShared, "d", 61_000), s.order(onShared, "e", 62_000)
	s.must(s.CancelDeposit(ctx, cancelled.Number, "n"))
	s.must(s.FailDeposit(ctx, failed.Number, "n"))
	s.passes(lateAt)
	for _, o := range []deposit.Order{ended, cancelled} { // late money can still pay
		b := s.credit(o)
		s.take(b)
		s.must(s.AssignCredit(ctx, s.creditOf(b).ID, o.Number, "n"))
		s.are(deposit.Paid, o)
	}
	b = s.credit(failed)
	s.take(b)
	s.fails(s.AssignCredit(ctx, s.creditOf(b).ID, failed.Number, "n"), fault.Precondition)
	s.fails(s.AssignCredit(ctx, s.creditOf(b).ID, second.Number, "n"), fault.Precondition)
	s.are(deposit.Failed, failed)
	s.wants("deposit-unmatched")
}

// A person sends money back: it is on its way until the bank has said what became of it.
func TestMoneyThatGoesBack(t *testing.T) {
	ctx := context.Background()
	begin := func(t *testing.T) (*shop, deposit.Entry, deposit.Order) {
		s := newShop(t)
		o := s.order(onShared, "a", 30_000)
		b := s.credit(o, from("김철수"))
		s.take(b)
		s.payer.script(nil, keeps)
		s.must(s.GiveBackCredit(ctx, s.creditOf(b).ID, "pb", "not his"))
		s.are(deposit.Waiting, o)
		s.wants()
		s.hold("bank:collection/kb=30000 payout:inflight/kb=-30000")
		s.after(0)
		s.wasSent(1, 1)
		return s, b, o
	}
	t.Run("paid", func(t *testing.T) {
		s, b, o := begin(t)
		if to := s.payer.sent[0].Target; to.Name.Reveal() != "김철수" || to.Number.Reveal() != "110222333444" || to.Bank != "088" {
			t.Error("it goes to somebody else")
		}
		s.payer.goes(0, credits)
		s.hears(s.payer.mail()...)
		s.hold("bank:collection/kb=30000 payout:float/pb=-30000")
		s.take(takenBack(b)) // the bank wants it too: that cannot be booked against anybody
		s.hold("payout:float/pb=-30000 suspense:bank/kb=30000")
		s.wants("bank-unexplained")
		s.tells()
		s.are(deposit.Waiting, o)
	})
	for name, ends := range map[string]func(*shop){
		"refused": func(s *shop) { s.payer.goes(0, closed) },
		"returned": func(s *shop) {
			s.payer.goes(0, credits)
			s.payer.goes(0, making{state: "reversed", code: "AC04"})
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, b, o := begin(t)
			ends(s)
			s.hears(s.payer.mail()...)
			s.hold("bank:collection/kb=30000 deposit:unmatched/kb=-30000")
			want := []string{"deposit-not-given-back"}
			if name == "returned" {
				want = append(want, "payout-returned")
			}
			s.wants(want...)
			if x := s.creditOf(b); x.State != deposit.Unmatched || x.Payout != "" || x.Trouble != deposit.NoOrder {
				t.Errorf("%+v", x)
			}
			s.must(s.AssignCredit(ctx, s.creditOf(b).ID, o.Number, "then his"))
			s.are(deposit.Paid, o)
			s.wants(want[1:]...)
			s.hold("bank:collection/kb=30000 income:fees/M=-240 merchant:payable/M=-29760")
			s.tells(became(o, deposit.Paid))
		})
	}
	t.Run("once more", func(t *testing.T) {
		s, b, _ := begin(t)
		for range 2 {
			s.payer.goes(len(s.payer.orders)-1, closed)
			s.hears(s.payer.mail()...)
			s.wants("deposit-not-given-back")
			s.payer.script(nil, keeps)
			s.must(s.GiveBackCredit(ctx, s.creditOf(b).ID, "pb", "again"))
			s.wants()
			s.after(0)
		}
		s.wasSent(3, 3)
		s.hold("bank:collection/kb=30000 payout:inflight/kb=-30000")
	})
	t.Run("taken back by the bank after it was refused", func(t *testing.T) {
		s, b, o := begin(t)
		s.payer.goes(0, closed)
		s.hears(s.payer.mail()...)
		s.take(takenBack(b))
		s.hold()
		s.wants()
		s.are(deposit.Waiting, o)
	})
	t.Run("impossible", func(t *testing.T) {
		s := newShop(t)
		b := s.booking("kb", won(5_000))
		s.take(b)
		x := s.creditOf(b)
		s.fails(s.GiveBackCredit(ctx, x.ID, "pb", ""), fault.Invalid)
		s.fails(s.GiveBackCredit(ctx, x.ID, "none", "n"), fault.Invalid)
		s.missing(s.GiveBackCredit(ctx, "none", "pb", "n"))
		s.payer.cannot = errors.New("no account number")
		s.fails(s.GiveBackCredit(ctx, x.ID, "pb", "n"), fault.Precondition)
		s.hold("bank:collection/kb=5000 deposit:unmatched/kb=-5000")
		s.wants("deposit-unmatched")
	})
}

// The bank books a payout of ours: by its name it has left, or come back (rails §4.4).
func TestPayoutsThatTheFeedBooks(t *testing.T) {
	begin := func(t *testing.T) (*shop, deposit.Entry, payout.Payout) {
		s := newShop(t)
		s.earn(100_000)
		s.payer.script(nil, keeps)
		s.must(s.pays(outNow, "p", 10_000))
		s.after(0)
		p, a := s.payoutOf("p")
		debit := s.booking("kb", won(10_000), func(b *deposit.Entry) { b.Debit, b.EndToEnd = true, a.Reference })
		return s, debit, p
	}
	returned := func(s *shop, debit deposit.Entry) deposit.Entry {
		return s.booking("kb", won(10_000), func(b *deposit.Entry) { b.Returned, b.EndToEnd, b.Reason = true, debit.EndToEnd, "AC04" })
	}
	const earned, left = "bank:collection/kb=100000 income:fees/M=-1300 merchant:payable/M=-88700", " payout:float/pb=-10000"
	t.Run("left", func(t *testing.T) {
		s, debit, _ := begin(t)
		s.take(debit)
		s.hold(earned + left)
		s.receive(s.message(deposit.Push, debit), 0, 1)
		debit.ID += "x"
		s.take(debit) // once more under another id: it is paid already
		s.hold(earned + left)
		s.wants()
		s.tells("POT00000000/SUCCEEDED SUCCEEDED")
	})
	t.Run("came back", func(t *testing.T) {
		s, debit, p := begin(t)
		s.take(debit)
		s.take(returned(s, debit))
		s.hold("bank:collection/kb=100000 income:fees/M=-1300 merchant:payable/M=-98700")
		s.wants("payout-returned")
		s.tells("POT00000000/SUCCEEDED SUCCEEDED")
		if p, _ = s.payoutOf("p"); p.State != payout.Returned {
			t.Error(p.State)
		}
		s.take(returned(s, debit)) // once more: nothing moves
		s.hold("bank:collection/kb=100000 income:fees/M=-1300 merchant:payable/M=-98700")
	})
	t.Run("came back, and nobody told that it left", func(t *testing.T) {
		s, debit, _ := begin(t)
		s.take(returned(s, debit))
		s.hold("bank:collection/kb=100000 income:fees/M=-1300 merchant:payable/M=-98700")
		s.tells("POT00000000/SUCCEEDED SUCCEEDED")
		s.take(debit)
		s.hold("bank:collection/kb=100000 income:fees/M=-1300 merchant:payable/M=-98700")
		s.wants("payout-returned")
	})
	t.Run("another amount", func(t *testing.T) {
		s, debit, _ := begin(t)
		debit.Amount = won(9_000)
		s.take(debit)
		s.wants("payout-contradiction")
		s.tells()
		s.hold("bank:collection/kb=100000 income:fees/M=-800 merchant:payable/M=-88700 payout:inflight/M=-10500")
	})
	t.Run("after it was refused", func(t *testing.T) {
		s, debit, _ := begin(t)
		s.payer.goes(0, closed)
		s.hears(s.payer.mail()...)
		s.take(debit)
		s.wants("payout-contradiction")
		s.tells("POT00000000/DECLINED DECLINED bank_account_closed")
	})
}
