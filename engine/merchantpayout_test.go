package engine_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"naru/core/fault"
	"naru/core/payout"
	"naru/crash"
	"naru/engine"
)

// earn gives M what an order of so much leaves it.
func (s *shop) earn(amount int64) {
	s.Helper()
	o := s.order(onShared, fmt.Sprint("earn", s.messages), amount)
	s.take(s.credit(o))
	s.must(s.EndDepositsDue(context.Background()))
	s.notices()
	s.sent = nil // what is told of it is another test's
}

// payoutOf is a payout of M, and its present attempt.
func (s *shop) payoutOf(id string) (p payout.Payout, a payout.Attempt) {
	s.Helper()
	m, ok, err := s.MerchantPayoutByClient(context.Background(), "M", id)
	if s.must(err); !ok {
		s.Fatal("no payout " + id)
	}
	return s.payoutNamed(m.ID)
}

// payoutNamed is a payout by our own name of it, and its present attempt.
func (s *shop) payoutNamed(id string) (p payout.Payout, a payout.Attempt) {
	s.Helper()
	s.look(func(v engine.Reader) (err error) {
		if p, _, err = v.Payout(id); err == nil && p.AttemptID != "" {
			a, _, err = v.PayoutAttempt(p.AttemptID)
		}
		return err
	})
	return p, a
}

// What 100 000 won leave in the books of a payout of 10 000, and a fee of 500.
const (
	earnedOnly = "bank:collection/kb=100000 income:fees/M=-800 merchant:payable/M=-99200"
	frozenToo  = "bank:collection/kb=100000 income:fees/M=-800 merchant:payable/M=-88700 payout:inflight/M=-10500"
	paidToo    = "bank:collection/kb=100000 income:fees/M=-1300 merchant:payable/M=-88700 payout:float/pb=-10000"
	backToo    = "bank:collection/kb=100000 income:fees/M=-1300 merchant:payable/M=-98700"
)

// merchant-gateway §15, §16: each refusal, and that its number can be used again.
func TestPayoutsThatAreRefused(t *testing.T) {
	ctx := context.Background()
	s := newShop(t)
	refusal := func(why error, ask engine.PayoutAsk) {
		t.Helper()
		before := s.ledger()
		if _, err := s.CreatePayout(ctx, ask); !errors.Is(err, why) {
			t.Errorf("%v, not %q", err, why)
		}
		if s.ledger() != before {
			t.Errorf("the books say %q", s.ledger())
		}
	}
	refusal(engine.RefusedBalance, transfer(outNow, "p", 10_000))
	s.earn(11_000) // less 88
	refusal(engine.RefusedUnopened, transfer("NONE", "p", 10_000))
	stranger := transfer(outNow, "p", 10_000)
	stranger.Merchant = "nobody"
	refusal(engine.RefusedUnopened, stranger)
	stranger.Merchant = "Q"
	refusal(engine.RefusedUnopened, stranger)
	refusal(engine.RefusedClosed, transfer(outOff, "p", 10_000))
	refusal(engine.RefusedBelow, transfer(outNow, "p", 999))
	refusal(engine.RefusedAbove, transfer(outNow, "p", 1_000_001))
	refusal(engine.RefusedBalance, transfer(outNow, "p", 10_413)) // the fee is on top
	s.payer.cannot = errors.New("bank 999")
	refusal(engine.RefusedBank, transfer(outNow, "p", 10_000))
	s.payer.cannot = nil
	refused := errors.New("the merchant says no")
	ask := transfer(outNow, "p", 10_000)
	ask.Confirm = func(context.Context) error { return refused }
	refusal(refused, ask) // merchant-gateway §11
	if _, known, err := s.MerchantPayoutByClient(ctx, "M", "p"); known || err != nil {
		t.Error("a refused payout is there", err)
	}
	asked := false
	ask = transfer(outNow, "q", 100_000)
	ask.Confirm = func(context.Context) error { asked = true; return nil }
	refusal(engine.RefusedBalance, ask)
	if asked {
		t.Error("the merchant was asked about what cannot be")
	}
	s.must(s.pays(outNow, "p", 10_412)) // to the last won
	s.has(won(0), won(10_912))
	refusal(engine.RefusedDuplicate, transfer(outNow, "p", 10_412))
	refusal(engine.RefusedDuplicate, transfer(outAgreed, "p", 1_000))
	s.wasSent(0, 0)
}

// A payout is asked about with its merchant outside any transaction: what others take of the balance meanwhile counts.
func TestBalanceThatGoesWhileTheMerchantIsAsked(t *testing.T) {
	s := newShop(t)
	s.earn(100_000)
	ask := transfer(outNow, "p", 90_000)
	ask.Confirm = func(context.Context) error { return s.pays(outNow, "other", 90_000) }
	if _, err := s.CreatePayout(context.Background(), ask); !errors.Is(err, engine.RefusedBalance) {
		t.Error(err)
	}
	s.has(won(8_700), won(90_500))
	ask = transfer(outNow, "twice", 1_000)
	ask.Confirm = func(context.Context) error { return s.pays(outNow, "twice", 1_000) }
	if _, err := s.CreatePayout(context.Background(), ask); !errors.Is(err, engine.RefusedDuplicate) {
		t.Error(err)
	}
	s.has(won(7_200), won(92_000))
}

// A payout is on disk with its money frozen before it leaves, goes out with what the merchant asked for, and is listed.
func TestNewPayout(t *testing.T) {
	ctx := context.Background()
	s := newShop(t)
	s.earn(100_000)
	m, err := s.CreatePayout(ctx, transfer(outNow, "p", 10_000))
	s.must(err)
	s.hold(frozenToo)
	s.wasSent(0, 0)
	if m.Number != "POT00000000" || m.State != payout.Asked || m.Fee != won(500) || m.Service != outNow || m.NotifyURL == "" {
		t.Errorf("%+v", m)
	}
	got, ok, err := s.MerchantPayout(ctx, m.ID)
	if fmt.Sprint(got) != fmt.Sprint(m) || !ok || err != nil {
		t.Errorf("stored %+v, not %+v (%v)", got, m, err)
	}
	s.after(0)
	sent := s.payer.sent[0]
	if to := sent.Target; sent.Amount != won(10_000) || to.Name.Reveal() != "김철수" || to.Bank != "090" || to.Number.Reveal() != "3333012345678" {
		t.Error("something else was sent")
	}
	s.hold(paidToo)
	s.tells("POT00000000/SUCCEEDED SUCCEEDED payout_processed")
	s.must(s.pays(outNow, "r", 1_000))
	list, total, err := s.MerchantPayouts(ctx, engine.Page{Merchant: "M", Limit: 1})
	if err != nil || total != 2 || len(list) != 1 || list[0].RequestID != "r" {
		t.Error(list, total, err)
	}
}

// What follows from each verdict of the bank: money is released or gone only where it is certain (merchant-gateway §17).
func TestVerdictsOnPayouts(t *testing.T) {
	for v, want := range map[payout.Verdict]struct {
		state payout.State
		books string
		told  string
		cases []string
	}{
		payout.Unknown:   {payout.Unclear, frozenToo, "", nil},
		payout.NotSent:   {payout.Asked, frozenToo, "", nil},
		payout.Later:     {payout.Asked, frozenToo, "", nil},
		payout.Absent:    {payout.Unclear, frozenToo, "", nil},
		payout.Open:      {payout.Sent, frozenToo, "", nil},
		payout.Queued:    {payout.Sent, frozenToo, "", nil},
		payout.InDoubt:   {payout.Deemed, frozenToo, "", nil},
		payout.TakenBack: {payout.Reversing, frozenToo, "", nil},
		payout.Credited:  {payout.Paid, paidToo, "POT00000000/SUCCEEDED SUCCEEDED code", nil},
		payout.Rejected:  {payout.Refused, earnedOnly, "POT00000000/DECLINED DECLINED code", nil},
		payout.Failed:    {payout.Waiting, frozenToo, "", nil},
		payout.Misfit:    {payout.Waiting, frozenToo, "", []string{"payout-stuck"}},
		payout.CameBack:  {payout.Waiting, frozenToo, "", nil},
	} {
		t.Run(fmt.Sprint(v), func(t *testing.T) {
			s := newShop(t)
			s.earn(100_000)
			s.must(s.pays(outNow, "p", 10_000))
			s.payer.said(verdict(v))
			s.after(0)
			if p, _ := s.payoutOf("p"); p.State != want.state {
				t.Errorf("%s, not %s", p.State, want.state)
			}
			s.hold(want.books)
			s.wants(want.cases...)
			if want.told == "" {
				s.tells()
			} else {
				s.tells(want.told)
			}
		})
	}
	if len(verdicts) != int(payout.Absent)+1 {
		t.Error("there is another verdict")
	}
}

// What came back after it was told as paid is the merchant's again, and its fee is not; nobody is told anew.
func TestPayoutThatComesBack(t *testing.T) {
	s := newShop(t)
	s.earn(100_000)
	s.must(s.pays(outNow, "p", 10_000))
	s.after(0)
	s.payer.goes(0, making{state: "reversed", code: "AC04"})
	s.hears(s.payer.mail()...)
	s.hold(backToo)
	s.wants("payout-returned")
	s.tells("POT00000000/SUCCEEDED SUCCEEDED payout_processed")
	s.has(won(98_700), won(0))
}

// A payout that nobody wants to hear of is not told.
func TestPayoutWithoutANotification(t *testing.T) {
	s := newShop(t)
	s.earn(100_000)
	ask := transfer(outNow, "p", 10_000)
	ask.NotifyURL = ""
	_, err := s.CreatePayout(context.Background(), ask)
	s.must(err)
	s.after(0)
	s.hold(paidToo)
	s.tells()
}

// A large payout waits for a person, with its money frozen.
func TestPayoutThatAPersonJudges(t *testing.T) {
	ctx := context.Background()
	begin := func(t *testing.T, amount int64) (*shop, payout.Payout) {
		s := newShop(t)
		s.earn(300_000)
		s.must(s.pays(outAgreed, "p", amount))
		s.after(24 * time.Hour)
		p, _ := s.payoutOf("p")
		return s, p
	}
	t.Run("small", func(t *testing.T) {
		s, p := begin(t, 99_999)
		if p.State != payout.Paid {
			t.Error(p.State)
		}
		s.wants()
		s.fails(s.ApprovePayout(ctx, p.ID, "n"), fault.Precondition)
		s.fails(s.CancelPayout(ctx, p.ID, "n"), fault.Precondition)
	})
	t.Run("approved", func(t *testing.T) {
		s, p := begin(t, 100_000)
		if p.State != payout.Reviewed {
			t.Error(p.State)
		}
		s.wasSent(0, 0)
		s.wants("payout-review")
		s.has(won(197_100), won(100_500))
		s.fails(s.ApprovePayout(ctx, p.ID, ""), fault.Invalid)
		s.missing(s.ApprovePayout(ctx, "none", "n"))
		s.must(s.ApprovePayout(ctx, p.ID, "seen"))
		s.wants()
		s.tells()
		s.fails(s.ApprovePayout(ctx, p.ID, "n"), fault.Precondition)
		s.after(0)
		s.wasSent(1, 1)
		s.has(won(197_100), won(0))
		s.tells("POT00000000/SUCCEEDED SUCCEEDED payout_processed")
	})
	t.Run("cancelled", func(t *testing.T) {
		s, p := begin(t, 100_000)
		s.must(s.CancelPayout(ctx, p.ID, "no"))
		s.wants()
		s.has(won(297_600), won(0))
		s.tells("POT00000000/CANCELLED CANCELLED")
		s.after(24 * time.Hour)
		s.wasSent(0, 0)
		s.fails(s.CancelPayout(ctx, p.ID, "n"), fault.Precondition)
		s.fails(s.ApprovePayout(ctx, p.ID, "n"), fault.Precondition)
	})
	t.Run("approved, and cancelled before it left", func(t *testing.T) {
		s, p := begin(t, 100_000)
		s.must(s.ApprovePayout(ctx, p.ID, "seen"))
		s.must(s.CancelPayout(ctx, p.ID, "no"))
		s.after(0)
		s.wasSent(0, 0)
		s.has(won(297_600), won(0))
	})
	t.Run("may have left", func(t *testing.T) {
		s := newShop(t)
		s.earn(100_000)
		s.must(s.pays(outNow, "p", 10_000))
		s.payer.script([]fate{unsent})
		s.after(0)
		p, _ := s.payoutOf("p")
		if p.State != payout.Asked {
			t.Error(p.State)
		}
		s.fails(s.CancelPayout(ctx, p.ID, "n"), fault.Precondition) // an attempt is there: only the bank can tell
		s.hold(frozenToo)
	})
	t.Run("refused by hand", func(t *testing.T) {
		s := newShop(t)
		s.earn(100_000)
		s.must(s.pays(outNow, "p", 10_000))
		s.payer.script(nil, wronglyInWon)
		s.after(0)
		p, _ := s.payoutOf("p")
		s.fails(s.RefusePayout(ctx, p.ID, payout.OnHold, "n"), fault.Invalid)
		s.must(s.RefusePayout(ctx, p.ID, payout.Declined, "n"))
		s.hold(earnedOnly)
		s.tells("POT00000000/DECLINED DECLINED")
	})
	t.Run("Google's", func(t *testing.T) {
		w := newPaying(t)
		w.payer.script(nil, passing)
		w.open(w.asks())
		p, _ := w.payout("q")
		w.fails(w.CancelPayout(ctx, p.ID, "n"), fault.Precondition)
		w.fails(w.ApprovePayout(ctx, p.ID, "n"), fault.Precondition)
		w.fails(w.RefusePayout(ctx, p.ID, payout.Declined, "n"), fault.Invalid)
	})
}

var wronglyInWon = making{state: "misfit", code: "FF01"}

// A creation whose answer is lost has happened: it is paid once, and its number is used.
func TestPayoutWhoseAnswerIsLost(t *testing.T) {
	for _, point := range []crash.Point{crash.TransferAccepted, crash.PayoutClaimed, crash.PayoutAnswered, crash.PayoutSettled} {
		t.Run(string(point), func(t *testing.T) {
			s := newShop(t)
			s.earn(100_000)
			s.die = point
			if !survives(func() {
				s.must(s.pays(outNow, "p", 10_000))
				s.after(0)
			}) {
				t.Fatal("it did not die")
			}
			s.start()
			if err := s.pays(outNow, "p", 10_000); !errors.Is(err, engine.RefusedDuplicate) {
				t.Error(err)
			}
			s.after(time.Minute)
			s.hold(paidToo)
			s.tells("POT00000000/SUCCEEDED SUCCEEDED payout_processed")
			p, _ := s.payoutOf("p")
			if paid, _ := s.payer.standing(p.ID); paid != 1 {
				t.Errorf("paid %d times", paid)
			}
		})
	}
}

// A bank that cannot be asked, and never speaks of an order, leaves it open with its money frozen until a person has asked by other ways
// (rails §4.4).
func TestPayoutThatTheBankIsSilentAbout(t *testing.T) {
	ctx := context.Background()
	for _, c := range []struct {
		paid  bool
		books string
		told  string
	}{
		{true, paidToo, "POT00000000/SUCCEEDED SUCCEEDED"},
		{false, earnedOnly, "POT00000000/DECLINED DECLINED"},
	} {
		t.Run(fmt.Sprint(c.paid), func(t *testing.T) {
			s := newShop(t)
			s.earn(100_000)
			s.must(s.pays(outNow, "p", 10_000))
			for range 20 {
				s.payer.said(verdict(payout.Unknown))
				s.after(30 * time.Minute)
			}
			p, a := s.payoutOf("p")
			if p.State != payout.Unclear || a.Sends != 4 {
				t.Errorf("%s after %d sendings", p.State, a.Sends)
			}
			s.hold(frozenToo)
			s.wants("payout-silent")
			if err := s.SettlePayout(ctx, p.ID, c.paid, ""); !isKind(err, fault.Invalid) {
				t.Errorf("without a note: %v", err)
			}
			s.must(s.SettlePayout(ctx, p.ID, c.paid, "the bank's clerk says so"))
			s.hold(c.books)
			s.wants()
			s.tells(c.told)
			if err := s.SettlePayout(ctx, p.ID, !c.paid, "n"); !isKind(err, fault.Precondition) {
				t.Errorf("settled twice: %v", err)
			}
			if err := s.SettlePayout(ctx, "none", true, "n"); !errors.Is(err, engine.ErrNotFound) {
				t.Errorf("of none: %v", err)
			}
		})
	}
}

// A refusal that may be of the second message alone, for the day is over or the funds are gone, says nothing of the first: nothing new is sent.
func TestSecondMessageThatIsRefused(t *testing.T) {
	for _, v := range []payout.Verdict{payout.Failed, payout.Misfit} {
		s := newShop(t)
		s.earn(100_000)
		s.must(s.pays(outNow, "p", 10_000))
		s.payer.said(verdict(payout.Unknown))
		s.after(0)
		s.payer.said(verdict(v))
		s.after(30 * time.Minute)
		p, a := s.payoutOf("p")
		if p.State != payout.Unclear || p.Attempts != 1 || a.Sends != 2 {
			t.Errorf("%s, attempt %d, sent %d times", p.State, p.Attempts, a.Sends)
		}
		s.hold(frozenToo)
		s.wants("payout-misfit")
	}
}

func isKind(err error, want fault.Kind) bool {
	kind, _ := fault.Of(err)
	return err != nil && kind == want
}

// Of payouts that are asked for at once only as many are made as the balance covers.
func TestManyPayoutsAtOnce(t *testing.T) {
	s := newShop(t)
	s.earn(32_000) // 31 744: three of 10 000 and their fees
	s.store.Store = s.db
	const asked = 50
	errs := make([]error, asked)
	var all sync.WaitGroup
	for i := range asked {
		all.Go(func() { errs[i] = s.pays(outNow, fmt.Sprint("p", i), 10_000) })
	}
	all.Wait()
	made := 0
	for _, err := range errs {
		switch {
		case err == nil:
			made++
		case !errors.Is(err, engine.RefusedBalance):
			t.Error(err)
		}
	}
	if made != 3 {
		t.Errorf("%d made", made)
	}
	s.has(won(244), won(31_500))
	list, total, err := s.MerchantPayouts(context.Background(), engine.Page{Merchant: "M", Limit: 100})
	if err != nil || total != 3 {
		t.Error(total, err)
	}
	var numbers []string
	for _, m := range list {
		numbers = append(numbers, m.Number)
	}
	if slices.Sort(numbers); len(slices.Compact(numbers)) != 3 {
		t.Errorf("numbers %q", numbers)
	}
}

// A balance that was taken back covers nothing.
func TestBalanceBelowNothing(t *testing.T) {
	s := newShop(t)
	o := s.order(onShared, "a", 30_000)
	b := s.credit(o)
	s.take(b)
	s.must(s.pays(outNow, "p", 20_000))
	s.take(takenBack(b))
	s.has(won(-20_740), won(20_500))
	if err := s.pays(outNow, "q", 1_000); !errors.Is(err, engine.RefusedBalance) {
		t.Error(err)
	}
	s.after(0) // what was taken on is paid
	s.has(won(-20_740), won(0))
}
