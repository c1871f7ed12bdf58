package engine_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"naru/core/card"
	"naru/core/deposit"
	"naru/core/fault"
	"naru/core/ledger"
	"naru/core/money"
	"naru/core/payout"
	"naru/crash"
	"naru/engine"
)

// shop is a world with merchants that are paid by transfer and pay out, on three accounts of ours and through one payout bank.
type shop struct {
	*paying
	entries, messages int
}

// The services of the merchant M: what each of them is there to show is in its name.
const (
	onReal    = "REAL"    // unique amounts, and only the payer's own name
	onAnyone  = "ANYONE"  // unique amounts
	onShared  = "SHARED"  // one amount for all, and the payer's own name
	onCareful = "CAREFUL" // likewise, and another amount is for a person
	onOpen    = "OPEN"    // one amount for all, and any name
	onCode    = "CODE"    // likewise, and a code
	onVirtual = "VIRTUAL" // an account number for each
	onOwnName = "OWNNAME" // likewise, and the payer's own name
	onExact   = "EXACT"   // likewise, and another amount is for a person
	onMember  = "MEMBER"  // payers register
	onOff     = "OFF"     // switched off
	outNow    = "OUT"     // a payout
	outAgreed = "AGREED"  // a payout that a person must agree to
	outOff    = "OUTOFF"  // switched off
)

var accounts = map[string]engine.Receiver{
	"kb": {ID: "kb", Bank: "004", Number: "11020030040050", Holder: "나루", Branch: "역삼"},
	"sh": {ID: "sh", Bank: "088", Number: "22030040050060", Holder: "나루"},
	"va": {
		ID: "va", Bank: "011", Number: "33040050060070", Holder: "나루", Virtual: []engine.Range{{First: "70009", Last: "70010"}, {First: "900", Last: "900"}},
	},
}

func newShop(t *testing.T, with ...func(*engine.Config)) *shop {
	return shopAt(t, filepath.Join(t.TempDir(), "naru.db"), t.Cleanup, with...)
}

func shopAt(t tb, path string, cleanup func(func()), with ...func(*engine.Config)) *shop {
	s := &shop{}
	s.paying = payingAt(t, path, cleanup, append([]func(*engine.Config){openShop}, with...)...)
	return s
}

func openShop(c *engine.Config) {
	c.Banks["pb"] = engine.Bank{Rail: struct{ engine.PayoutRail }{c.Banks["pb"].Rail}} // it keeps no books that could be read
	limits := engine.Limits{Least: won(1_000), Most: won(1_000_000)}
	takes := func(id string, change func(*engine.DepositService)) engine.DepositService {
		s := engine.DepositService{ID: id, Limits: limits, Fee: engine.Fee{BP: 80}, Receivers: []string{"kb"}}
		change(&s)
		return s
	}
	large := won(100_000)
	m := engine.Merchant{
		ID: "M", Location: time.FixedZone("KST", 9*60*60), TellReversals: true, TellEnds: true,
		Deposits: []engine.DepositService{
			takes(onReal, func(s *engine.DepositService) { s.Unique, s.RealName = true, true }),
			takes(onAnyone, func(s *engine.DepositService) { s.Unique = true }),
			takes(onShared, func(s *engine.DepositService) { s.RealName = true }),
			takes(onCareful, func(s *engine.DepositService) { s.RealName, s.Other = true, deposit.AskPerson }),
			takes(onOpen, func(*engine.DepositService) {}),
			takes(onCode, func(s *engine.DepositService) { s.Tokens = true }),
			takes(onVirtual, func(s *engine.DepositService) { s.Receivers = []string{"va"} }),
			takes(onOwnName, func(s *engine.DepositService) { s.Receivers, s.RealName = []string{"va"}, true }),
			takes(onExact, func(s *engine.DepositService) { s.Receivers, s.Other = []string{"va"}, deposit.AskPerson }),
			takes(onMember, func(s *engine.DepositService) { s.RealName, s.Register = true, true }),
			takes(onOff, func(s *engine.DepositService) { s.Closed = true }),
		},
		Payouts: []engine.PayoutService{
			{ID: outNow, Limits: limits, Fee: engine.Fee{Fixed: 500}, Bank: "pb"},
			{ID: outAgreed, Limits: limits, Fee: engine.Fee{Fixed: 500}, Bank: "pb", Review: &large},
			{ID: outOff, Limits: limits, Bank: "pb", Closed: true},
		},
	}
	quiet := m // tells less, and takes no fee
	quiet.ID, quiet.TellReversals, quiet.TellEnds = "Q", false, false
	quiet.Payouts = nil
	quiet.Deposits = []engine.DepositService{{ID: onReal, Limits: limits, Receivers: []string{"kb"}, RealName: true, Unique: true}}
	c.Merchants = []engine.Merchant{m, quiet}
	for _, id := range []string{"kb", "sh", "va"} {
		c.Receivers = append(c.Receivers, accounts[id])
	}
}

// service changes a service of M.
func service(id string, change func(*engine.DepositService)) func(*engine.Config) {
	return func(c *engine.Config) {
		for i := range c.Merchants[0].Deposits {
			if s := &c.Merchants[0].Deposits[i]; s.ID == id {
				change(s)
			}
		}
	}
}

// receiver changes an account of ours.
func receiver(id string, change func(*engine.Receiver)) func(*engine.Config) {
	return func(c *engine.Config) {
		for i := range c.Receivers {
			if c.Receivers[i].ID == id {
				change(&c.Receivers[i])
			}
		}
	}
}

func named(name string) deposit.Payer {
	return deposit.Payer{Name: card.Conceal(name), Bank: "088", Account: card.Conceal("110-222-333444")}
}

// wish is an order of M that 홍길동 will pay.
func wish(service, id string, amount int64, with ...func(*engine.DepositAsk)) engine.DepositAsk {
	ask := engine.DepositAsk{
		Merchant: "M", Service: service, ClientID: id, Amount: won(amount), Payer: named("홍길동"),
		NotifyURL: "https://m.example/n", SignType: "MD5",
	}
	for _, w := range with {
		w(&ask)
	}
	return ask
}

func nameless(a *engine.DepositAsk) { a.Payer = deposit.Payer{} }
func by(name string) func(*engine.DepositAsk) {
	return func(a *engine.DepositAsk) { a.Payer = named(name) }
}

func (s *shop) order(service, id string, amount int64, with ...func(*engine.DepositAsk)) deposit.Order {
	s.Helper()
	o, err := s.CreateDeposit(context.Background(), wish(service, id, amount, with...))
	s.must(err)
	return o
}

// refusal wants a creation to be refused, with nothing left of it.
func (s *shop) refusal(why engine.Refusal, ask engine.DepositAsk) {
	s.Helper()
	_, used, err := s.DepositByClient(context.Background(), ask.Merchant, ask.ClientID)
	s.must(err)
	if _, err := s.CreateDeposit(context.Background(), ask); !errors.Is(err, why) {
		s.Errorf("%v, not %q", err, why)
	}
	if _, known, err := s.DepositByClient(context.Background(), ask.Merchant, ask.ClientID); err != nil || known != used {
		s.Errorf("a refused order is there: %v", err)
	}
}

func (s *shop) now(o deposit.Order) deposit.Order {
	s.Helper()
	o, ok, err := s.Deposit(context.Background(), o.ID)
	if s.must(err); !ok {
		s.Fatal("no such order")
	}
	return o
}

// fails wants a failure of a kind, missing that there is no such thing.
func (w *paying) fails(err error, k fault.Kind) {
	w.Helper()
	w.no(k)("", err)
}

func (w *paying) missing(err error) {
	w.Helper()
	if !errors.Is(err, engine.ErrNotFound) {
		w.Errorf("%v, and nothing was to be found", err)
	}
}

// are wants an order to be in a state.
func (s *shop) are(want deposit.State, orders ...deposit.Order) {
	s.Helper()
	for _, o := range orders {
		if got := s.now(o); got.State != want {
			s.Errorf("%s is %s, not %s", o.ClientID, got.State, want)
		}
	}
}

// passes lets time pass, and orders end.
func (s *shop) passes(d time.Duration) {
	s.Helper()
	s.clock.Advance(d)
	s.must(s.EndDepositsDue(context.Background()))
}

// ledger are all balances that are not zero, with whose they are.
func (s *shop) ledger() string {
	s.Helper()
	list, err := s.db.Balances(context.Background())
	s.must(err)
	var words []string
	for _, b := range list {
		if b.Amount != 0 {
			words = append(words, fmt.Sprintf("%s/%s=%d", b.Account, b.Owner, b.Amount))
		}
	}
	slices.Sort(words)
	return strings.Join(words, " ")
}

// hold wants the books to say so.
func (s *shop) hold(want ...string) {
	s.Helper()
	if got := s.ledger(); got != strings.Join(want, " ") {
		s.Errorf("the books say %q, not %q", got, strings.Join(want, " "))
	}
}

// tells wants the merchants to have been told so, in whatever order: of a deposit its number and state.
func (s *shop) tells(want ...string) {
	s.Helper()
	got := s.notices()
	for i, n := range got {
		got[i] = strings.Join(strings.Fields(n)[1:], " ")
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		s.Errorf("told %q, not %q", got, want)
	}
}

// became is what a merchant is told of an order.
func became(o deposit.Order, state deposit.State) string {
	return fmt.Sprintf("%s/%s %s", o.Number, state, state)
}

// A new order is on disk with everything that it was asked with, and nothing has moved.
func TestANewOrder(t *testing.T) {
	s := newShop(t)
	o := s.order(onReal, "a", 30_000)
	want := o // what the store gives back
	if got := s.now(o); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("stored %+v, not %+v", got, want)
	}
	at := s.clock.Now()
	if o.Number != "PM00000000" || o.State != deposit.Waiting || o.Amount != won(30_000) || o.Real != won(0) || o.Fee != won(0) ||
		!o.Reserved || o.Display.Exceeds(o.Amount) || won(29_900).Exceeds(o.Display) || o.Receiver.Number != accounts["kb"].Number ||
		o.Receiver.Holder != "나루" || !o.ExpiresAt.Equal(at.Add(10*time.Minute)) || !o.DueAt.Equal(at.Add(10*time.Minute+30*time.Second)) || len(o.Link) < 26 {
		t.Errorf("%+v", o)
	}
	if p, err := s.PayerOf(o); err != nil || p.Name.Reveal() != "홍길동" || p.Bank != "088" || p.Account.Reveal() != "110-222-333444" {
		t.Error(p.Bank, err)
	}
	for _, find := range []func() (deposit.Order, bool, error){
		func() (deposit.Order, bool, error) { return s.DepositByLink(context.Background(), o.Link) },
		func() (deposit.Order, bool, error) { return s.DepositByClient(context.Background(), "M", "a") },
	} {
		if got, ok, err := find(); err != nil || !ok || got.ID != o.ID {
			t.Error(got, ok, err)
		}
	}
	for _, secret := range []string{"홍길동", "222-333444", o.Link} {
		if strings.Contains(s.log.String(), secret) {
			t.Error("a secret is in the log")
		}
	}
	next := s.order(onReal, "b", 30_000)
	list, total, err := s.Deposits(context.Background(), engine.Page{Merchant: "M", Limit: 1})
	if err != nil || total != 2 || len(list) != 1 || list[0].ID != next.ID {
		t.Error(list, total, err)
	}
	s.hold()
	s.tells()
	s.wants()
}

// merchant-gateway §15: each refusal, and that its number can be used again.
func TestOrdersThatAreRefused(t *testing.T) {
	s := newShop(t)
	s.refusal(engine.RefusedUnopened, wish("NONE", "a", 30_000))
	s.refusal(engine.RefusedUnopened, wish(onShared, "a", 30_000, func(a *engine.DepositAsk) { a.Merchant = "Q" }))
	s.refusal(engine.RefusedUnopened, wish(onReal, "a", 30_000, func(a *engine.DepositAsk) { a.Merchant = "nobody" }))
	s.refusal(engine.RefusedClosed, wish(onOff, "a", 30_000))
	s.refusal(engine.RefusedBelow, wish(onReal, "a", 999))
	s.refusal(engine.RefusedAbove, wish(onReal, "a", 1_000_001))
	first := s.order(onReal, "a", 1_000)
	s.refusal(engine.RefusedDuplicate, wish(onReal, "a", 1_000))
	s.refusal(engine.RefusedDuplicate, wish(onShared, "a", 5_000))
	s.order(onReal, "a", 30_000, func(a *engine.DepositAsk) { a.Merchant = "Q" }) // each merchant has its own numbers
	s.are(deposit.Waiting, first)
	s.passes(48 * time.Hour)
	s.refusal(engine.RefusedDuplicate, wish(onReal, "a", 1_000)) // for ever
}

// rails §3.7: no two open orders show one amount on one account; where none is left, the next account is tried, and then it is refused.
func TestAmountsThatOnlyOneOrderShows(t *testing.T) {
	s := newShop(t, service(onReal, func(d *engine.DepositService) { d.Receivers, d.Range = []string{"kb", "sh"}, 4 }))
	seen := map[string]bool{}
	for i := range 10 {
		o := s.order(onReal, fmt.Sprint(i), 30_000)
		key := fmt.Sprint(o.Receiver.Account, o.Display)
		if seen[key] || o.Display.Exceeds(won(30_000)) || won(29_996).Exceeds(o.Display) {
			t.Errorf("%s is shown twice, or out of range", key)
		}
		seen[key] = true
	}
	s.refusal(engine.RefusedPool, wish(onReal, "x", 30_000))
	s.order(onAnyone, "other", 30_010) // an order of any service counts: 30_000 is taken on kb
	if n := len(seen); n != 10 {
		t.Error(n)
	}
	quiet := s.order(onReal, "q", 30_003, func(a *engine.DepositAsk) { a.Merchant = "Q" }) // and of any merchant
	if seen[fmt.Sprint("kb", quiet.Display)] {
		t.Errorf("%s is shown twice", quiet.Display)
	}
	s.order(onReal, "least", 1_000) // and never below the least
	s.refusal(engine.RefusedPool, wish(onReal, "least2", 1_000, func(a *engine.DepositAsk) { a.Merchant = "Q" }))
}

// An amount rests for a day after its order has ended unpaid, and is free at once where it was paid.
func TestAmountsRest(t *testing.T) {
	s := newShop(t, service(onReal, func(d *engine.DepositService) { d.Limits.Least = won(30_000) }))
	o := s.order(onReal, "a", 30_000)
	s.passes(10*time.Minute + 29*time.Second)
	s.are(deposit.Waiting, o)
	s.tells()
	s.passes(time.Second)
	s.are(deposit.Expired, o)
	s.tells(became(o, deposit.Expired))
	s.passes(24*time.Hour - time.Second)
	s.refusal(engine.RefusedPool, wish(onReal, "b", 30_000))
	s.refusal(engine.RefusedDuplicate, wish(onReal, "a", 30_000)) // that nothing is free says nothing of an order that there is
	s.passes(time.Second)
	b := s.order(onReal, "b", 30_000)
	s.take(s.credit(b))
	s.are(deposit.Paid, b)
	s.are(deposit.Expired, o)
	c := s.order(onReal, "c", 30_000)
	s.must(s.CancelDeposit(context.Background(), c.Number, "wrong"))
	s.passes(23 * time.Hour)
	s.refusal(engine.RefusedPool, wish(onReal, "d", 30_000))
	s.passes(time.Hour)
	s.order(onReal, "d", 30_000)
	s.tells(became(o, deposit.Expired), became(b, deposit.Paid), became(c, deposit.Cancelled))
}

// The engine's own loop ends orders when their time has come, and frees what has rested, also where that is nearer than it knew.
func TestTheLoopOfOrders(t *testing.T) {
	ended, asleep := make(chan struct{}, 10), make(chan struct{}, 100)
	s := newShop(t, func(c *engine.Config) {
		c.Crash = func(p crash.Point) {
			if p == crash.DepositExpired {
				ended <- struct{}{}
			}
		}
	})
	s.clock.sleep = func() {
		select {
		case asleep <- struct{}{}:
		default:
		}
	}
	seen := s.order(onReal, "a", 30_000)
	s.take(s.credit(seen, from("김철수"))) // nothing is due
	ctx, stop := context.WithCancel(context.Background())
	var loop sync.WaitGroup
	loop.Go(func() { _ = s.ExpireDeposits(ctx) })
	<-asleep
	o := s.order(onReal, "b", 30_000)
	changed, forget := s.WatchDeposit(o.ID, o.Version)
	defer forget()
	s.clock.Advance(11 * time.Minute)
	<-changed
	<-ended
	s.are(deposit.Expired, o)
	s.clock.Advance(25 * time.Hour)
	<-ended
	for len(asleep) > 0 {
		<-asleep
	}
	s.clock.Advance(0)
	<-asleep
	s.must(s.CancelDeposit(context.Background(), seen.Number, "n"))
	s.clock.Advance(25 * time.Hour)
	<-ended
	if s.now(o).Reserved || s.now(seen).Reserved {
		t.Error("what has rested is not free")
	}
	stop()
	loop.Wait()
}

// Who pays is in no log, no case and no journal, and stands on disk sealed.
func TestWhoPaysIsASecret(t *testing.T) {
	s := newShop(t)
	o := s.order(onReal, "a", 30_000)
	b := s.credit(o, from("김철수"), saying("제발 돌려주세요"))
	s.take(b)
	s.must(s.GiveBackCredit(context.Background(), s.creditOf(b).ID, "pb", "n"))
	s.after(0)
	late := s.credit(o, from("이영희"))
	s.take(late)
	p, a := s.payoutNamed(s.creditOf(b).Payout)
	for name, text := range map[string]string{
		"log": s.log.String(), "cases": fmt.Sprint(s.ListCases(context.Background(), false, 10)),
		"order": fmt.Sprintf("%+v %s", s.now(o), s.now(o).Payer), "money": fmt.Sprintf("%+v %s", s.creditOf(b), s.creditOf(b).Sender),
		"other money": fmt.Sprintf("%+v", s.creditOf(late)), "payout": fmt.Sprintf("%+v %s %+v %s", p, p.Target, a, a.Body),
	} {
		for _, secret := range []string{"홍길동", "김철수", "이영희", "제발", "110-222-333444", "110222333444"} {
			if strings.Contains(text, secret) {
				t.Errorf("%s tells of the payer", name)
			}
		}
	}
	got, err := s.SenderOf(s.creditOf(b))
	if err != nil || got.Name.Reveal() != "김철수" || got.Memo.Reveal() != "제발 돌려주세요" || got.Account.Reveal() != "110222333444" {
		t.Error("who sent it is lost", err)
	}
}

// An account that is switched off, has enough open orders, or enough money of the day, is passed over.
func TestAccountsThatTakeNoMore(t *testing.T) {
	both := service(onReal, func(d *engine.DepositService) { d.Receivers = []string{"kb", "sh"} })
	t.Run("disabled", func(t *testing.T) {
		s := newShop(t, both, receiver("kb", func(r *engine.Receiver) { r.Disabled = true }))
		if o := s.order(onReal, "a", 30_000); o.Receiver.Account != "sh" {
			t.Error(o.Receiver.Account)
		}
		s.refusal(engine.RefusedPool, wish(onAnyone, "b", 30_000))
	})
	t.Run("paused", func(t *testing.T) {
		ctx := context.Background()
		s := newShop(t, both)
		if err := s.PauseReceiver(ctx, "kb", ""); !isKind(err, fault.Invalid) {
			t.Errorf("without a note: %v", err)
		}
		if err := s.PauseReceiver(ctx, "none", "n"); !errors.Is(err, engine.ErrNotFound) {
			t.Errorf("none: %v", err)
		}
		before := s.order(onReal, "a", 30_000)
		s.must(s.PauseReceiver(ctx, "kb", "the bank is being maintained"))
		if err := s.PauseReceiver(ctx, "kb", "n"); !isKind(err, fault.Precondition) {
			t.Errorf("paused twice: %v", err)
		}
		if o := s.order(onReal, "b", 30_000); o.Receiver.Account != "sh" {
			t.Error(o.Receiver.Account)
		}
		s.refusal(engine.RefusedPool, wish(onAnyone, "c", 30_000))
		s.take(s.credit(before)) // what comes is still taken
		s.are(deposit.Paid, before)
		list, err := s.ReceiverHealths(ctx)
		if s.must(err); len(list) != 3 || list[0].ID != "kb" || list[0].Pause.Note == "" || list[0].Today != before.Display.Minor() ||
			list[0].LastCredit.IsZero() || list[1].ID != "sh" || list[1].Open != 1 || !list[1].Pause.Since.IsZero() {
			t.Errorf("%+v", list)
		}
		s.must(s.ResumeReceiver(ctx, "kb", "it is back"))
		if err := s.ResumeReceiver(ctx, "kb", "n"); !isKind(err, fault.Precondition) {
			t.Errorf("resumed twice: %v", err)
		}
		s.order(onAnyone, "c", 30_000)
	})
	t.Run("most open", func(t *testing.T) {
		s := newShop(t, both, receiver("kb", func(r *engine.Receiver) { r.MostOpen = 2 }))
		var got []string
		for i := range 3 {
			got = append(got, s.order(onReal, fmt.Sprint(i), 30_000).Receiver.Account)
		}
		if !slices.Equal(got, []string{"kb", "kb", "sh"}) {
			t.Error(got)
		}
		s.refusal(engine.RefusedPool, wish(onAnyone, "b", 30_000))
		s.passes(11 * time.Minute) // those that ended count no more
		s.order(onAnyone, "b", 50_000)
	})
	t.Run("day limit", func(t *testing.T) {
		s := newShop(t, both, receiver("kb", func(r *engine.Receiver) { r.DayLimit = won(100_000) }))
		a := s.order(onReal, "a", 60_000)
		s.take(s.credit(a))
		s.are(deposit.Paid, a)
		if o := s.order(onReal, "b", 40_000); o.Receiver.Account != "kb" {
			t.Error("what fits is refused")
		}
		if o := s.order(onReal, "c", 41_000); o.Receiver.Account != "sh" {
			t.Error("what does not fit is taken")
		}
		s.refusal(engine.RefusedPool, wish(onAnyone, "d", 41_000))
		s.passes(6 * time.Hour) // 00:00 in Seoul: another day
		if o := s.order(onReal, "e", 41_000); o.Receiver.Account != "kb" {
			t.Error("yesterday's money counts today")
		}
	})
}

// Each order has an account number of its own, which rests when it has ended, paid or not; the one that rested longest is given next.
func TestVirtualAccounts(t *testing.T) {
	s := newShop(t)
	given := func(id string) string { return s.order(onVirtual, id, 30_000).Receiver.Number }
	if got := []string{given("a"), given("b"), given("c")}; !slices.Equal(got, []string{"70009", "70010", "900"}) {
		t.Error(got)
	}
	s.refusal(engine.RefusedPool, wish(onVirtual, "d", 30_000))
	s.refusal(engine.RefusedDuplicate, wish(onVirtual, "a", 30_000))
	b, _, err := s.DepositByClient(context.Background(), "M", "b")
	s.must(err)
	s.passes(5 * time.Minute)
	s.take(s.credit(b))
	s.are(deposit.Paid, b)
	s.passes(10 * time.Minute) // a and c end at 11
	s.refusal(engine.RefusedPool, wish(onVirtual, "d", 30_000))
	s.passes(24*time.Hour - 10*time.Minute) // since b was paid
	if got := given("d"); got != "70010" {
		t.Error(got)
	}
	s.refusal(engine.RefusedPool, wish(onVirtual, "e", 30_000))
	s.passes(10 * time.Minute)
	if got := []string{given("e"), given("f")}; !slices.Equal(got, []string{"900", "70009"}) {
		t.Error(got)
	}
}

// A code is six letters that nobody mistakes, and hardly ever the same.
func TestCodes(t *testing.T) {
	s := newShop(t)
	seen := map[string]bool{}
	for i := range 30 {
		token := s.order(onCode, fmt.Sprint(i), 30_000).Token
		if seen[token] || len(token) != 6 || strings.Trim(token, "23456789ABCDEFGHJKLMNPQRSTUVWXYZ") != "" {
			t.Errorf("code %q", token)
		}
		seen[token] = true
	}
	if got := s.order(onReal, "x", 30_000).Token; got != "" {
		t.Errorf("a service without codes gives %q", got)
	}
}

// Who pays is said once: by the merchant, or by the payer; a user who has registered is known from then on (merchant-gateway §16).
func TestPayersThatTellTheirName(t *testing.T) {
	ctx := context.Background()
	user := func(a *engine.DepositAsk) { a.User = "u1" }
	wants := func(s *shop, err error, why error) {
		s.Helper()
		if !errors.Is(err, why) {
			s.Errorf("%v, not %v", err, why)
		}
	}
	t.Run("name", func(t *testing.T) {
		s := newShop(t)
		a, known := s.order(onReal, "a", 30_000, nameless), s.order(onReal, "b", 30_000)
		if !s.WaitsForName(a) || s.WaitsForName(known) || s.WaitsForRegistration(a) {
			t.Error("wrong about who waits for a name")
		}
		wants(s, s.NamePayer(ctx, "nobody's link", named("홍길동")), engine.ErrNotFound)
		wants(s, s.NamePayer(ctx, known.Link, named("김철수")), engine.RefusedPayer)
		wants(s, s.RegisterPayer(ctx, a.Link, named("김철수")), engine.RefusedState) // it has no user
		s.must(s.NamePayer(ctx, a.Link, named("홍길동")))
		wants(s, s.NamePayer(ctx, a.Link, named("김철수")), engine.RefusedPayer)
		if s.WaitsForName(s.now(a)) {
			t.Error("it still waits for a name")
		}
		s.take(s.credit(a))
		s.are(deposit.Paid, a)
		c := s.order(onReal, "c", 30_000, nameless)
		s.passes(11 * time.Minute)
		wants(s, s.NamePayer(ctx, c.Link, named("홍길동")), engine.RefusedState)
	})
	t.Run("registration", func(t *testing.T) {
		s := newShop(t)
		a, b := s.order(onMember, "a", 30_000, nameless, user), s.order(onMember, "b", 30_000, nameless, user)
		if !s.WaitsForRegistration(a) || s.WaitsForName(a) {
			t.Error("it does not wait for a registration")
		}
		s.must(s.RegisterPayer(ctx, a.Link, named("홍길동")))
		wants(s, s.RegisterPayer(ctx, b.Link, named("김철수")), engine.RefusedPayer)
		c := s.order(onMember, "c", 30_000, nameless, user)
		if s.WaitsForRegistration(c) || c.PayerBank != "088" {
			t.Error("who registered is not known")
		}
		if p, err := s.PayerOf(c); err != nil || p.Name.Reveal() != "홍길동" || p.Account.Reveal() != "110-222-333444" {
			t.Error("another payer is known")
		}
		if d := s.order(onMember, "d", 30_000, nameless, func(a *engine.DepositAsk) { a.User = "u2" }); !s.WaitsForRegistration(d) {
			t.Error("another user is known")
		}
		if e := s.order(onMember, "e", 30_000, by("김철수"), user); e.PayerBank == "" {
			t.Error("what the merchant says of the payer is lost")
		} else if p, err := s.PayerOf(e); err != nil || p.Name.Reveal() != "김철수" {
			t.Error("the merchant's word does not count")
		}
	})
}

// Money that came under no known name is placed as soon as the payer tells it, on the page.
func TestNameThatComesAfterTheMoney(t *testing.T) {
	for name, c := range map[string]struct {
		says  string
		want  deposit.State
		money deposit.CreditState
		rule  string
		then  []string
	}{
		"his":       {"홍길동", deposit.Paid, deposit.Matched, "3", nil},
		"another's": {"김철수", deposit.Seen, deposit.Unmatched, "4", []string{"deposit-name-mismatch"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t)
			o := s.order(onReal, "a", 30_000, nameless)
			e := s.credit(o)
			s.take(e)
			s.are(deposit.Seen, o)
			s.wants("deposit-name-mismatch")
			s.passes(time.Hour) // it does not expire with money in our hands
			s.must(s.NamePayer(context.Background(), o.Link, named(c.says)))
			s.are(c.want, o)
			s.wants(c.then...)
			if x := s.creditOf(e); x.State != c.money || x.Rule != c.rule {
				t.Errorf("%s by rule %s", x.State, x.Rule)
			}
		})
	}
}

// A person ends orders: with a note, and only such as nobody has paid. What is told of it is told once.
func TestOrdersThatAPersonEnds(t *testing.T) {
	ctx := context.Background()
	s := newShop(t)
	waiting, failing, paid := s.order(onReal, "a", 30_000), s.order(onReal, "b", 30_000), s.order(onReal, "c", 30_000)
	unheard := s.order(onReal, "d", 30_000, func(a *engine.DepositAsk) { a.NotifyURL = "" })
	s.take(s.credit(paid))
	s.fails(s.CancelDeposit(ctx, waiting.Number, ""), fault.Invalid)
	s.fails(s.CancelDeposit(ctx, paid.Number, "n"), fault.Precondition)
	s.fails(s.FailDeposit(ctx, paid.Number, "n"), fault.Precondition)
	s.missing(s.FailDeposit(ctx, "PM99999999", "n"))
	s.must(s.CancelDeposit(ctx, waiting.Number, "n"))
	s.must(s.FailDeposit(ctx, failing.Number, "n"))
	s.must(s.CancelDeposit(ctx, unheard.Number, "n"))
	s.fails(s.CancelDeposit(ctx, waiting.Number, "n"), fault.Precondition)
	s.fails(s.FailDeposit(ctx, failing.Number, "n"), fault.Precondition)
	s.are(deposit.Cancelled, waiting, unheard)
	s.are(deposit.Failed, failing)
	s.are(deposit.Paid, paid)
	s.tells(became(paid, deposit.Paid), became(waiting, deposit.Cancelled), became(failing, deposit.Failed))
	s.passes(11 * time.Minute) // and they do not end once more
	s.are(deposit.Cancelled, waiting)
	s.tells(became(paid, deposit.Paid), became(waiting, deposit.Cancelled), became(failing, deposit.Failed))
}

// A merchant that wants to hear of success only hears of nothing else.
func TestMerchantsThatHearLess(t *testing.T) {
	s := newShop(t)
	quiet := func(a *engine.DepositAsk) { a.Merchant = "Q" }
	expired, cancelled, paid := s.order(onReal, "a", 30_000, quiet), s.order(onReal, "b", 30_000, quiet), s.order(onReal, "c", 30_000, quiet)
	s.must(s.CancelDeposit(context.Background(), cancelled.Number, "n"))
	e := s.credit(paid)
	s.take(e)
	s.take(takenBack(e))
	s.passes(11 * time.Minute)
	s.are(deposit.Expired, expired)
	s.are(deposit.Cancelled, cancelled)
	s.are(deposit.TakenBack, paid)
	s.tells(became(paid, deposit.Paid))
	s.wants("deposit-taken-back")
	s.hold()
}

// A creation whose answer is lost has happened: its number is used, and money finds it.
func TestOrderWhoseAnswerIsLost(t *testing.T) {
	s := newShop(t)
	s.die = crash.DepositAccepted
	if !survives(func() { s.order(onReal, "a", 30_000) }) {
		t.Fatal("it did not die")
	}
	s.start()
	s.refusal(engine.RefusedDuplicate, wish(onReal, "a", 30_000))
	o, ok, err := s.DepositByClient(context.Background(), "M", "a")
	if s.must(err); !ok {
		t.Fatal("it is lost")
	}
	s.take(s.credit(o))
	s.are(deposit.Paid, o)
}

// What the disk does not take has not happened.
func TestOrderThatTheDiskRefuses(t *testing.T) {
	s := newShop(t)
	o := s.order(onReal, "a", 30_000)
	e := s.credit(o)
	s.store.fail = func() error { return errDisk }
	if _, err := s.CreateDeposit(context.Background(), wish(onReal, "b", 30_000)); !isUnavailable(err) {
		t.Error(err)
	}
	if _, err := s.TakeMessage(context.Background(), s.message(deposit.Notification, e)); !isUnavailable(err) {
		t.Error(err)
	}
	if _, err := s.CreatePayout(context.Background(), transfer(outNow, "p", 1_000)); !errors.Is(err, engine.RefusedBalance) {
		t.Error(err)
	}
	s.store.fail = nil
	s.hold()
	s.are(deposit.Waiting, o)
	s.take(e)
	s.are(deposit.Paid, o)
}

func isUnavailable(err error) bool {
	k, _ := fault.Of(err)
	return err != nil && k == fault.Unavailable
}

// Of any number of copies at once one is an order, and every other one hears that its number is used.
func TestCopiesOfOneCreation(t *testing.T) {
	s := newShop(t)
	s.store.Store = s.db
	const copies = 50
	errs := make([]error, copies)
	var all sync.WaitGroup
	for i := range copies {
		all.Go(func() { _, errs[i] = s.CreateDeposit(context.Background(), wish(onReal, "a", 30_000)) })
	}
	all.Wait()
	made, used := 0, 0
	for _, err := range errs {
		switch {
		case err == nil:
			made++
		case errors.Is(err, engine.RefusedDuplicate):
			used++
		default:
			t.Error(err)
		}
	}
	_, total, err := s.Deposits(context.Background(), engine.Page{Merchant: "M", Limit: 10})
	if err != nil || made != 1 || used != copies-1 || total != 1 {
		t.Errorf("%d made, %d refused, %d there (%v)", made, used, total, err)
	}
}

// Of orders that are made at once no two show one amount on one account.
func TestManyOrdersAtOnce(t *testing.T) {
	s := newShop(t, service(onReal, func(d *engine.DepositService) { d.Range = 40 }))
	s.store.Store = s.db
	const asked = 50
	orders, errs := make([]deposit.Order, asked), make([]error, asked)
	var all sync.WaitGroup
	for i := range asked {
		all.Go(func() {
			orders[i], errs[i] = s.CreateDeposit(context.Background(), wish(onReal, fmt.Sprint(i), 30_000))
		})
	}
	all.Wait()
	seen := map[money.Amount]bool{}
	for i, o := range orders {
		if errs[i] != nil {
			if !errors.Is(errs[i], engine.RefusedPool) {
				t.Error(errs[i])
			}
			continue
		}
		if seen[o.Display] {
			t.Errorf("%s is shown twice", o.Display)
		}
		seen[o.Display] = true
	}
	if len(seen) != 41 {
		t.Errorf("%d orders, and there are 41 amounts", len(seen))
	}
}

// What no engine can be made of.
func TestMerchantsThatCannotBe(t *testing.T) {
	s := newShop(t)
	for name, c := range map[string]struct {
		change func(*engine.Config)
		says   string
	}{
		"receiver without a number": {receiver("kb", func(r *engine.Receiver) { r.Number = "" }), "a bank and a number"},
		"receiver twice":            {func(c *engine.Config) { c.Receivers = append(c.Receivers, accounts["kb"]) }, "an id of its own"},
		"range backwards": {
			receiver("va", func(r *engine.Receiver) { r.Virtual = []engine.Range{{First: "9", Last: "8"}} }), "of the same length",
		},
		"range of two lengths": {
			receiver("va", func(r *engine.Receiver) { r.Virtual = []engine.Range{{First: "9", Last: "10"}} }), "of the same length",
		},
		"merchant twice": {func(c *engine.Config) { c.Merchants = append(c.Merchants, c.Merchants[0]) }, "an id of its own"},
		"no time zone":   {func(c *engine.Config) { c.Merchants[1].Location = nil }, "no time zone"},
		"unknown account": {
			service(onReal, func(d *engine.DepositService) { d.Receivers = []string{"none"} }), "no receiving account",
		},
		"limits in another money": {
			service(onReal, func(d *engine.DepositService) { d.Limits.Most = paise(1) }), "limits are in KRW",
		},
		"unknown payout bank": {func(c *engine.Config) { c.Merchants[0].Payouts[0].Bank = "none" }, "no payout bank"},
		"payouts in another money": {
			func(c *engine.Config) { c.Merchants[0].Payouts[0].Limits.Least = paise(1) }, "limits are in KRW",
		},
	} {
		cfg := engine.Config{Store: s.store, Vault: s.vault, Clock: s.clock, Banks: map[string]engine.Bank{"pb": {Rail: s.payer}}}
		openShop(&cfg)
		c.change(&cfg)
		if _, err := engine.New(cfg); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A merchant's balance is what the books owe it; what is frozen stands beside it.
func TestBalances(t *testing.T) {
	s := newShop(t)
	o := s.order(onReal, "a", 30_000)
	s.take(s.credit(o))
	free := o.Display.Less(s.now(o).Fee)
	s.has(free, won(0))
	s.must(s.pays(outNow, "p", 10_000))
	s.has(free.Less(won(10_500)), won(10_500))
}

func (s *shop) has(free, frozen money.Amount) {
	s.Helper()
	if b, err := s.BalanceOf(context.Background(), "M"); err != nil || b.Free != free || b.Frozen != frozen {
		s.Errorf("%+v, not %s and %s (%v)", b, free, frozen, err)
	}
	s.look(func(v engine.Reader) error {
		minor, err := v.Balance(ledger.Account{Kind: ledger.MerchantPayable, Owner: "M"}, krw)
		if minor != -free.Minor() {
			s.Errorf("the books owe %d", -minor)
		}
		return err
	})
}

// What cannot be read is not said to be missing.
func TestMerchantsWhileTheDiskIsGone(t *testing.T) {
	ctx := context.Background()
	s := newShop(t)
	s.must(s.db.Close())
	for name, read := range map[string]func() error{
		"orders":        func() error { _, _, err := s.Deposits(ctx, engine.Page{Merchant: "M"}); return err },
		"order":         func() error { _, _, err := s.Deposit(ctx, "id"); return err },
		"order by link": func() error { _, _, err := s.DepositByLink(ctx, "link"); return err },
		"payouts":       func() error { _, _, err := s.MerchantPayouts(ctx, engine.Page{Merchant: "M"}); return err },
		"payout":        func() error { _, _, err := s.MerchantPayout(ctx, "id"); return err },
		"its number":    func() error { _, _, err := s.MerchantPayoutByClient(ctx, "M", "id"); return err },
		"secrets":       func() error { _, err := s.MerchantSecrets(ctx, "M", engine.SigningKey); return err },
		"notices":       func() error { _, err := s.NoticesOf(ctx, "M", time.Time{}, time.Time{}, "", 0, 1); return err },
		"balance":       func() error { _, err := s.BalanceOf(ctx, "M"); return err },
		"new order":     func() error { _, err := s.CreateDeposit(ctx, wish(onReal, "a", 30_000)); return err },
		"new payout":    func() error { return s.pays(outNow, "p", 10_000) },
		"payer":         func() error { return s.NamePayer(ctx, "link", named("홍길동")) },
		"message": func() error {
			_, err := s.TakeMessage(ctx, s.message(deposit.Push, s.booking("kb", won(1))))
			return err
		},
	} {
		if err := read(); !isUnavailable(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// transfer is a payout of M to 김철수.
func transfer(service, id string, amount int64) engine.PayoutAsk {
	return engine.PayoutAsk{
		Merchant: "M", Service: service, ClientID: id, Amount: won(amount), NotifyURL: "https://m.example/p",
		Target: payout.Target{Bank: "090", Number: card.Conceal("3333012345678"), Name: card.Conceal("김철수"), Text: cmp.Or(id, "t")},
	}
}

func (s *shop) pays(service, id string, amount int64) error {
	_, err := s.CreatePayout(context.Background(), transfer(service, id, amount))
	return err
}
