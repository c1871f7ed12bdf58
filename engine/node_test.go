package engine_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"naru/clock"
	"naru/core/deposit"
	"naru/core/fault"
	"naru/core/money"
	"naru/core/payment"
	"naru/crash"
	"naru/engine"
)

const lease = 10 * time.Second

func asNode(id string) func(*engine.Config) {
	return func(c *engine.Config) { c.Node = engine.Node{ID: id, Lease: lease, Now: c.Clock.Now} }
}

// neighbours are two nodes on one store, with one network behind them. Each says that it lives.
func neighbours(t *testing.T) (a, b *world) {
	a = newWorld(t, asNode("a"))
	b = a.beside("b")
	return a, b
}

// beside is another node on the same store.
func (w *world) beside(id string) *world {
	w.Helper()
	w.joins()
	other := *w
	other.store = &flaky{Store: twice{w.db}}
	other.with = []func(*engine.Config){asNode(id)}
	other.start()
	other.joins()
	return &other
}

func (w *world) joins() {
	w.Helper()
	if err := w.Join(context.Background()); err != nil {
		w.Fatal(err)
	}
}

func (w *world) recovers(want int) {
	w.Helper()
	if n, err := w.Recover(context.Background()); err != nil || n != want {
		w.Errorf("%d were given up, not %d: %v", n, want, err)
	}
}

// meanwhile is what happens while the network thinks about an authorisation that it approves.
func meanwhile(happens func()) func(*acquirer, payment.AuthOrder) payment.Outcome {
	return func(a *acquirer, o payment.AuthOrder) payment.Outcome {
		happens()
		return approve(a, o)
	}
}

func TestARequestInWorkIsLeftToItsNodeWhileThatLives(t *testing.T) {
	a, b := neighbours(t)
	a.auth(meanwhile(func() {
		a.clock.Advance(lease - time.Second)
		a.joins()
		a.clock.Advance(lease - time.Second)
		b.recovers(0)
	}))
	answer := a.approved(a.reserve("q", 12900))
	if again := b.yes(b.reserve("q", 12900)); again != answer || len(a.bank.asked) != 1 {
		t.Errorf("the other node answered %q after %q, and the network was asked %d times", again, answer, len(a.bank.asked))
	}
	b.is("q", payment.Reserved, held, true)
	b.agrees()
}

// What happens to the money when a node is stopped for longer than its lease in the midst of a call: the other gives the attempt up and has it
// reversed; the one that wakes up can write nothing.
func TestAStoppedNodeLosesItsRequest(t *testing.T) {
	a, b := neighbours(t)
	a.auth(meanwhile(func() {
		a.clock.Advance(lease)
		b.recovers(1)
	}))
	a.no(fault.Unavailable)(a.reserve("q", 12900))
	b.is("q", payment.Reversing, nothing, true)
	b.joins()
	b.forward()
	b.is("q", payment.NotHeld, nothing, false)
	b.agrees()
	b.approved(b.reserve("q", 12900))
	b.is("q", payment.Reserved, held, true)
	b.agrees()
	if got := b.cases(); len(got) > 0 {
		t.Errorf("cases %q", got)
	}
}

// inPassing runs something when a point is passed.
func inPassing(p crash.Point, happens *func()) func(*engine.Config) {
	return func(c *engine.Config) {
		c.Crash = func(passed crash.Point) {
			if passed == p && *happens != nil {
				do := *happens
				*happens = nil
				do()
			}
		}
	}
}

// Two nodes find what a dead one left; one gives it up, and a repeat begins there. The slower one must leave that alone.
func TestWhatWasGivenUpAlreadyIsLeftAlone(t *testing.T) {
	var prepared func()
	a := newWorld(t, asNode("a"))
	c := a.beside("c")
	b := a.beside("b")
	b.with = append(b.with, inPassing(crash.RecoveryPrepared, &prepared))
	b.start()
	reached, gate, recovered := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	prepared = func() { close(reached); <-gate }
	a.auth(func(bank *acquirer, o payment.AuthOrder) payment.Outcome {
		a.clock.Advance(lease)
		go func() {
			_, err := b.Recover(context.Background())
			recovered <- err
		}()
		<-reached
		c.joins()
		c.recovers(1)
		c.forward()
		a.clock.Advance(2 * time.Minute) // the network knows nothing of it, and was asked twice
		c.joins()
		c.forward()
		return decline(bank, o)
	}, meanwhile(func() {
		close(gate)
		if err := <-recovered; err != nil {
			t.Error(err)
		}
	}))
	a.no(fault.Unavailable)(a.reserve("q", 12900))
	c.approved(c.reserve("q", 12900))
	c.is("q", payment.Reserved, held, true)
	c.agrees()
}

// A node that was stopped between its intent and its sending sends no more: the reversal has gone before.
func TestAStoppedNodeSendsNothing(t *testing.T) {
	var accepted func()
	a := newWorld(t, asNode("a"), inPassing(crash.ReserveAccepted, &accepted))
	b := a.beside("b")
	accepted = func() {
		a.clock.Advance(lease)
		b.recovers(1)
		b.joins()
		b.forward()
	}
	a.no(fault.Unavailable)(a.reserve("q", 12900))
	if accepted != nil || len(a.bank.asked) != 0 {
		t.Errorf("the network was asked %d times", len(a.bank.asked))
	}
	a.clock.Advance(2 * time.Minute)
	b.joins()
	b.forward()
	b.is("q", payment.NotHeld, nothing, false)
	b.agrees()
}

// Where nobody knows whether the intent was written down, nothing was sent, and this life knows: there is nothing to undo at the network.
func TestAnIntentThatWasPerhapsWrittenDownIsNotUndoneAtTheNetwork(t *testing.T) {
	w := newWorld(t, asNode("a"))
	w.joins()
	w.auth(decline)
	w.declined(payment.InsufficientFunds)(w.reserve("first", 100)) // takes a block of numbers
	both := w.store.Store
	w.store.Store = forgetful{both}
	w.no(fault.Unavailable)(w.reserve("q", 12900))
	w.store.Store = both
	w.recovers(1)
	w.is("q", payment.NotHeld, nothing, false)
	if len(w.open("q")) != 0 || len(w.bank.asked) != 1 {
		t.Errorf("the network was asked %d times, and %d advices are owed", len(w.bank.asked), len(w.open("q")))
	}
	w.approved(w.reserve("q", 12900))
	w.agrees()
}

// forgetful is a store whose commits are done, and nobody hears of it.
type forgetful struct{ engine.Store }

func (s forgetful) Update(ctx context.Context, work func(engine.Tx) error) error {
	return errors.Join(s.Store.Update(ctx, work), errDisk)
}

// Should it be stopped in the very moment of sending, the network approves what it was told to reverse before: a person must see to it.
func TestAnApprovalBehindItsReversalIsForAPerson(t *testing.T) {
	a, b := neighbours(t)
	a.auth(func(bank *acquirer, o payment.AuthOrder) payment.Outcome {
		a.clock.Advance(lease)
		b.recovers(1)
		b.joins()
		b.forward() // unknown to the network
		a.clock.Advance(2 * time.Minute)
		b.joins()
		b.forward() // still
		return approve(bank, o)
	})
	a.no(fault.Unavailable)(a.reserve("q", 12900))
	if got := b.cases(); !slices.Equal(got, []string{"late-approval"}) {
		t.Errorf("cases %q", got)
	}
}

// A repeat at another node waits while the first is working, and hears the same.
func TestARepeatElsewhereWaits(t *testing.T) {
	a, b := neighbours(t)
	var repeat string
	var failed error
	var all sync.WaitGroup
	a.auth(meanwhile(func() {
		looked := make(chan struct{})
		b.clock.sleep = sync.OnceFunc(func() { close(looked) })
		all.Go(func() { repeat, failed = b.reserve("q", 12900) })
		<-looked
		b.clock.sleep = nil
	}))
	answer := a.approved(a.reserve("q", 12900))
	a.clock.Advance(time.Second)
	all.Wait()
	if failed != nil || repeat != answer || len(a.bank.asked) != 1 {
		t.Errorf("%q, %v after %q", repeat, failed, answer)
	}
	b.no(fault.KeyReused)(b.reserve("q", 12800))
}

// A copy that looks before another node has answered, and judges after it, must not be judged against what the other did: it hears the same.
func TestCopiesOnTwoNodesHearOneAnswer(t *testing.T) {
	a, b := neighbours(t)
	a.approved(a.reserve("q", 12900))
	var first string
	b.store.Store = between{b.store.Store, sync.OnceFunc(func() { first = a.yes(a.capture("c", "q", 12900)) })}
	sleeping := b.clock.sleep
	b.clock.sleep = func() { b.clock.Advance(time.Second) }
	again := b.yes(b.capture("c", "q", 12900))
	b.clock.sleep = sleeping
	if again != first || first == "" {
		t.Errorf("%q, and elsewhere %q", first, again)
	}
	b.no(fault.Precondition)(b.capture("c2", "q", 12900)) // what is wrong stays wrong
}

// between is a store behind whose first look something happens.
type between struct {
	engine.Store
	happens func()
}

func (s between) Recall(ctx context.Context, k engine.Key) (engine.Idempotency, bool, error) {
	row, ok, err := s.Store.Recall(ctx, k)
	s.happens()
	return row, ok, err
}

// An advice that a node took is not due for others until its claim is over. Then the count of sendings is the fence: the first one's answer is
// not written any more.
func TestAnAdviceHasOneSender(t *testing.T) {
	a, b := neighbours(t)
	a.approved(a.reserve("q", 12900))
	a.yes(a.capture("c", "q", 12900))
	a.replies(func(bank *acquirer, o payment.AdviceOrder, repeat bool) payment.AdviceReply {
		if n, err := b.ForwardDue(t.Context()); n != 0 || err != nil {
			t.Errorf("%d advices were due for the other node: %v", n, err)
		}
		a.clock.Advance(3 * lease)
		b.joins()
		b.forward()
		b.owes("capture-result c SUCCESS 00")
		return payment.AdviceReply{Verdict: payment.AdviceUnknown, Code: "25"} // nonsense of a late one
	})
	a.forward()
	if len(a.bank.told) != 2 || !a.bank.told[1].repeat {
		t.Errorf("the network was told %+v", a.bank.told)
	}
	b.is("q", payment.Captured, "acquirer:receivable=12900 google:payable=-12900", true)
	b.owes("capture-result c SUCCESS 00")
	b.agrees()
	if got := b.cases(); len(got) > 0 {
		t.Errorf("cases %q", got)
	}
}

// What one node does for all is done by one; when it is silent for longer than its lease another does it, and the first can write nothing more.
func TestADutyHasOneHolder(t *testing.T) {
	a, b := neighbours(t)
	touch := func(ctx context.Context, w *world) error {
		return w.CloseCase(ctx, "x", "seen to") // any transaction: it finds no such case, if it may look
	}
	type shift struct {
		ctx  context.Context
		over chan struct{}
	}
	work := func(w *world) (start chan shift, ended chan error, stop func()) {
		start, ended = make(chan shift), make(chan error, 1)
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			ended <- w.Duty(ctx, "sweep", func(ctx context.Context) error {
				s := shift{ctx, make(chan struct{})}
				select {
				case start <- s:
				case <-ctx.Done():
					return nil
				}
				<-s.over
				return nil
			})
		}()
		return start, ended, cancel
	}
	atA, endedA, stopA := work(a)
	first := <-atA
	if err := touch(first.ctx, a); !errors.Is(err, engine.ErrNotFound) {
		t.Errorf("on duty: %v", err)
	}
	atB, endedB, stopB := work(b)
	select {
	case <-atB:
		t.Fatal("two nodes have one duty")
	default:
	}
	a.store.mu.Lock()
	a.store.fail = func() error { return errDisk } // a cannot renew it
	a.store.mu.Unlock()
	var second shift
	for second.ctx == nil {
		select {
		case second = <-atB:
		default:
			a.clock.Advance(lease / 4)
		}
	}
	<-first.ctx.Done()
	a.store.mu.Lock()
	a.store.fail = nil
	a.store.mu.Unlock()
	if err := touch(context.WithoutCancel(first.ctx), a); err == nil || errors.Is(err, engine.ErrNotFound) {
		t.Errorf("relieved, and it could work: %v", err)
	}
	if err := touch(second.ctx, b); !errors.Is(err, engine.ErrNotFound) {
		t.Errorf("on duty: %v", err)
	}
	stopA()
	stopB()
	close(first.over)
	close(second.over)
	if err := errors.Join(<-endedA, <-endedB); err != nil {
		t.Error(err)
	}
}

// Money that one node takes in and an order that another makes at the same moment do not see each other; somebody brings them together.
func TestMoneyAndOrderThatPassedEachOther(t *testing.T) {
	s := newShop(t, asNode("a"))
	s.joins()
	s.take(s.booking("kb", money.New(29900, krw), from("홍길동")))
	both := s.store.Store
	s.store.Store = blind{both}
	o := s.order(onShared, "q", 29900)
	s.store.Store = both
	if got := s.now(o); got.State != deposit.Waiting {
		t.Fatalf("the order is %s", got.State)
	}
	s.must(s.RematchDue(context.Background()))
	if got := s.now(o); got.State != deposit.Paid {
		t.Errorf("the order is %s", got.State)
	}
}

// blind is a store in which transactions do not see money that waits, as where it is taken in by another at the same moment.
type blind struct{ engine.Store }

func (s blind) Update(ctx context.Context, work func(engine.Tx) error) error {
	return s.Store.Update(ctx, func(tx engine.Tx) error { return work(blindTx{tx}) })
}

type blindTx struct{ engine.Tx }

func (blindTx) WaitingCredits(string, money.Amount, time.Time) ([]deposit.Credit, error) {
	return nil, nil
}

func TestANodeSaysThatItLivesUntilItEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &leases{}
		e, err := engine.New(engine.Config{Store: s, Clock: &clock.Movable{}, Log: slog.New(slog.DiscardHandler), Node: engine.Node{ID: "a", Lease: lease}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- e.Live(ctx) }()
		synctest.Wait()
		begun := time.Now()
		time.Sleep(time.Minute) // of the test's own time
		synctest.Wait()         // what it does now is done
		if name, until, taken := s.state(); name != "node/a" || time.Until(until) < lease/2 || taken < 20 {
			t.Errorf("after %s the lease %q lasts until %s, taken %d times", time.Since(begun), name, until, taken)
		}
		stop()
		err = <-ended
		if _, until, _ := s.state(); err != nil || until.After(time.Now()) {
			t.Errorf("it ended, and its lease lasts until %s: %v", until, err)
		}
	})
}

// leases is a store that keeps one lease and nothing else.
type leases struct {
	engine.Store
	engine.Tx
	mu    sync.Mutex
	name  string
	until time.Time
	taken int
}

func (s *leases) state() (string, time.Time, int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.name, s.until, s.taken
}

func (s *leases) Update(_ context.Context, work func(engine.Tx) error) error { return work(s) }

func (s *leases) TakeLease(name, _ string, _, until time.Time) (int64, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.name, s.until = name, until
	s.taken++
	return 1, true, nil
}
