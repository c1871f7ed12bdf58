package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"naru/core/card"
	"naru/core/fault"
	"naru/core/money"
	"naru/core/payment"
	"naru/crash"
	"naru/engine"
	"naru/store"
	"naru/vault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// hand is business time that only the test moves.
type hand struct {
	mu    sync.Mutex
	now   time.Time
	moved chan struct{}
	sleep func() // told when somebody begins to sleep
}

func newHand() *hand {
	return &hand{now: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC), moved: make(chan struct{})}
}

func (h *hand) Now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}

func (h *hand) Advance(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = h.now.Add(d)
	close(h.moved)
	h.moved = make(chan struct{})
}

func (h *hand) Sleep(ctx context.Context, until time.Time, wake <-chan struct{}) error {
	for {
		h.mu.Lock()
		moved, due := h.moved, !until.IsZero() && !h.now.Before(until)
		h.mu.Unlock()
		if due {
			return ctx.Err()
		}
		if h.sleep != nil {
			h.sleep()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-wake:
			return nil
		case <-moved:
		}
	}
}

// twice runs every transaction twice, as the contract of a store allows: once for nothing, once for good.
type twice struct{ *store.Store }

var errOnceMore = errors.New("once more")

func (s twice) Update(ctx context.Context, work func(engine.Tx) error) error {
	err := s.Store.Update(ctx, func(tx engine.Tx) error {
		if err := work(tx); err != nil {
			return err
		}
		return errOnceMore
	})
	if !errors.Is(err, errOnceMore) {
		return err
	}
	return s.Store.Update(ctx, work)
}

// flaky fails the transactions that the test chooses.
type flaky struct {
	engine.Store
	mu   sync.Mutex
	fail func() error // nil where the transaction may run
}

var errDisk = errors.New("disk on fire")

func (s *flaky) Update(ctx context.Context, work func(engine.Tx) error) error {
	s.mu.Lock()
	fail := s.fail
	s.mu.Unlock()
	if fail != nil {
		if err := fail(); err != nil {
			return err
		}
	}
	return s.Store.Update(ctx, work)
}

// meter counts what the engine reports.
type meter struct {
	mu                        sync.Mutex
	replayed, reversed, cases int
}

func (m *meter) add(n *int)                  { m.mu.Lock(); *n++; m.mu.Unlock() }
func (m *meter) Replayed(string)             { m.add(&m.replayed) }
func (m *meter) Reversed(payment.UndoReason) { m.add(&m.reversed) }
func (m *meter) Unmapped(string, string)     {}
func (m *meter) CaseOpened(string)           { m.add(&m.cases) }

// tb is what a world needs of a test; rapid's is one too.
type tb interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
	Errorf(string, ...any)
}

// world is an engine between a caller, an acquirer and a clock, all in the test's hand. Only the disk is real.
type world struct {
	tb
	clock *hand
	bank  *acquirer
	db    *store.Store
	store *flaky
	vault *vault.Vault
	*engine.Engine
	meter *meter
	log   *bytes.Buffer
	die   crash.Point // the next time this is passed, the process dies
}

var krw = money.Of("KRW")

const pan = "9999990000000006"

func newWorld(t *testing.T) *world {
	return worldAt(t, filepath.Join(t.TempDir(), "naru.db"), t.Cleanup)
}

func worldAt(t tb, path string, cleanup func(func())) *world {
	t.Helper()
	w := &world{tb: t, clock: newHand(), meter: &meter{}, log: &bytes.Buffer{}}
	w.bank = &acquirer{now: w.clock.Now}
	var err error
	if w.db, err = store.Open(context.Background(), path, store.Options{Readers: 2}); err != nil {
		t.Fatal(err)
	}
	cleanup(func() { _ = w.db.Close() })
	w.store = &flaky{Store: twice{w.db}}
	if w.vault, err = vault.Open(bytes.Repeat([]byte{1}, 32), w.db); err != nil {
		t.Fatal(err)
	}
	w.start()
	return w
}

// locked is a log that many may write.
type locked struct {
	mu sync.Mutex
	b  *bytes.Buffer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// start makes a new engine on the same store, as a new process does: it recovers before it takes requests.
func (w *world) start() {
	w.Helper()
	e, err := engine.New(engine.Config{
		Store: w.store, Vault: w.vault, Clock: w.clock, Log: slog.New(slog.NewTextHandler(&locked{b: w.log}, nil)), Meter: w.meter, Lanes: 4,
		Links: map[string]engine.Link{"bc": {Rail: w.bank}}, Crash: func(p crash.Point) {
			if p == w.die {
				w.die = ""
				panic(p)
			}
		},
		Accounts: []engine.Account{
			{
				ID: "P", Acquirer: "bc", Terminals: []string{"T1", "T2"}, Merchant: "M1", MCC: "5816", Currencies: []money.Currency{krw},
				Location: time.UTC,
			},
			{
				ID: "P2", Acquirer: "bc", Terminals: []string{"T9"}, Merchant: "M2", MCC: "5817", Currencies: []money.Currency{krw},
				Location: time.UTC,
			},
		},
	})
	if err != nil {
		w.Fatal(err)
	}
	w.Engine = e
	if _, err := e.Recover(context.Background()); err != nil {
		w.Fatal(err)
	}
}

// survives runs what may die at a crash point, and reports whether it did.
func survives(run func()) (died bool) {
	defer func() {
		if p := recover(); p != nil {
			if _, ok := p.(crash.Point); !ok {
				panic(p)
			}
			died = true
		}
	}()
	run()
	return false
}

func key(id string) engine.Key { return engine.Key{Account: "P", RequestID: id} }

func request(id, method, content string) engine.Request {
	return engine.Request{Key: key(id), Method: method, Content: []byte(method + "\x00" + content)}
}

func order(won int64) payment.AuthOrder {
	p, err := card.ParsePAN(pan)
	if err != nil {
		panic(err)
	}
	return payment.AuthOrder{Amount: money.New(won, krw), PAN: p, Expiry: card.Expiry{Year: 2030, Month: 12}, CVN: card.Conceal("987")}
}

// said is what a caller reads in an answer, in full: the answer cannot be the same by chance.
func said(r engine.ReserveResult) ([]byte, error) {
	if r.Outcome.Verdict == payment.Refused {
		return fmt.Appendf(nil, "NO %s %s", r.Outcome.Decline, r.ReservationID), nil
	}
	return fmt.Appendf(nil, "YES %s %s %s", r.Outcome.Approval, r.ReservationID, r.HoldUntil.Format(time.RFC3339)), nil
}

func (w *world) reserveAs(ctx context.Context, id string, ask engine.ReserveAsk) (string, error) {
	got, err := w.Once(ctx, request(id, "reserveFunds", ask.Order.Amount.String()), func(ctx context.Context, t engine.Turn) ([]byte, error) {
		return w.Reserve(ctx, t, ask)
	})
	return string(got), err
}

func (w *world) reserve(id string, won int64) (string, error) {
	return w.reserveAs(context.Background(), id, engine.ReserveAsk{Order: order(won), Encode: said})
}

func (w *world) capture(id, reservation string, won int64) (string, error) {
	ask := engine.CaptureAsk{
		Reservation: key(reservation), Amount: func(c money.Currency) (money.Amount, error) { return money.New(won, c), nil },
		Encode: func(id string) ([]byte, error) { return []byte("ACKNOWLEDGED " + id), nil },
	}
	got, err := w.Once(context.Background(), request(id, "capture", fmt.Sprint(reservation, won)), func(ctx context.Context,
		t engine.Turn,
	) ([]byte, error) {
		return w.Capture(ctx, t, ask)
	})
	return string(got), err
}

func (w *world) cancel(id, reservation string) (string, error) {
	ask := engine.CancelAsk{Reservation: key(reservation), Encode: func() ([]byte, error) { return []byte("ACKNOWLEDGED"), nil }}
	got, err := w.Once(context.Background(), request(id, "cancel", reservation), func(ctx context.Context, t engine.Turn) ([]byte, error) {
		return w.Cancel(ctx, t, ask)
	})
	return string(got), err
}

// forward sends what is due, again and again until nothing is.
func (w *world) forward() {
	w.Helper()
	for range 20 {
		if n, err := w.ForwardDue(context.Background()); err != nil {
			w.Fatal(err)
		} else if n == 0 {
			return
		}
	}
	w.Fatal("an advice is due for ever")
}

func (w *world) expire() {
	w.Helper()
	if err := w.ExpireDue(context.Background()); err != nil {
		w.Fatal(err)
	}
}

// later moves the clock and lets everything happen that is due then.
func (w *world) later(d time.Duration) {
	w.Helper()
	w.clock.Advance(d)
	w.expire()
	w.forward()
}

func (w *world) look(read func(engine.Reader) error) {
	w.Helper()
	if err := w.db.View(context.Background(), read); err != nil {
		w.Fatal(err)
	}
}

func (w *world) reservation(id string) (r payment.Reservation) {
	w.Helper()
	w.look(func(v engine.Reader) error {
		got, ok, err := v.ReservationByRequest(key(id))
		if r = got; !ok {
			w.Fatalf("no reservation %s", id)
		}
		return err
	})
	return r
}

func (w *world) open(id string) (list []payment.Advice) {
	w.Helper()
	r := w.reservation(id)
	w.look(func(v engine.Reader) (err error) { list, err = v.OpenAdvices(r.ID); return err })
	return list
}

// notices are all that is owed to the caller, in order of their subjects.
func (w *world) notices() []string {
	w.Helper()
	due, err := w.db.DueNotices(context.Background(), w.clock.Now().Add(1000*time.Hour), 10000)
	if err != nil {
		w.Fatal(err)
	}
	var list []string
	for _, n := range due {
		list = append(list, strings.TrimSpace(fmt.Sprintf("%s %s %s %s", n.Kind, n.Subject, n.Result, n.Code)))
	}
	slices.Sort(list)
	return list
}

// books are all balances that are not zero.
func (w *world) books() string {
	w.Helper()
	list, err := w.db.Balances(context.Background())
	if err != nil {
		w.Fatal(err)
	}
	var words []string
	for _, b := range list {
		if b.Amount != 0 {
			words = append(words, fmt.Sprintf("%s=%d", b.Account, b.Amount))
		}
	}
	return strings.Join(words, " ")
}

const (
	nothing = ""
	held    = "acquirer:held=12900 google:held=-12900"
	moved   = "acquirer:receivable=12900 google:payable=-12900"
)

// is compares where a payment stands: its state, our books and whether we still have the card.
func (w *world) is(id string, s payment.State, books string, withCard bool) {
	w.Helper()
	r := w.reservation(id)
	if r.State != s || w.books() != books || (r.Card != nil) != withCard {
		w.Errorf("%s: %s, card %v, books %q; want %s, %v, %q", id, r.State, r.Card != nil, w.books(), s, withCard, books)
	}
}

// agrees compares our books with the acquirer's.
func (w *world) agrees() {
	w.Helper()
	held, captured := w.bank.sums()
	var want []string
	if held != 0 {
		want = append(want, fmt.Sprintf("acquirer:held=%d", held))
	}
	if captured != 0 {
		want = append(want, fmt.Sprintf("acquirer:receivable=%d", captured))
	}
	if held != 0 {
		want = append(want, fmt.Sprintf("google:held=%d", -held))
	}
	if captured != 0 {
		want = append(want, fmt.Sprintf("google:payable=%d", -captured))
	}
	if got := w.books(); got != strings.Join(want, " ") {
		w.Errorf("our books say %q, the acquirer %q", got, strings.Join(want, " "))
	}
}

func (w *world) owes(want ...string) {
	w.Helper()
	if got := w.notices(); !slices.Equal(got, want) {
		w.Errorf("owed %q, not %q", got, want)
	}
}

// yes wants an answer, no a failure of a kind.
func (w *world) yes(got string, err error) string {
	w.Helper()
	if err != nil {
		w.Fatalf("no answer: %v", err)
	}
	return got
}

func (w *world) approved(got string, err error) string {
	w.Helper()
	if w.yes(got, err); !strings.HasPrefix(got, "YES ") {
		w.Fatalf("answered %q", got)
	}
	return got
}

func (w *world) declined(why payment.Reason) func(string, error) string {
	return func(got string, err error) string {
		w.Helper()
		if w.yes(got, err); !strings.HasPrefix(got, "NO "+string(why)+" ") {
			w.Fatalf("answered %q", got)
		}
		return got
	}
}

func (w *world) no(k fault.Kind) func(string, error) {
	return func(got string, err error) {
		w.Helper()
		if is, _ := fault.Of(err); err == nil || is != k {
			w.Fatalf("answered %q, %v (kind %d), not with kind %d", got, err, is, k)
		}
	}
}

func (w *world) auth(what ...func(*acquirer, payment.AuthOrder) payment.Outcome) { w.bank.auth = what }

func (w *world) replies(what ...func(*acquirer, payment.AdviceOrder, bool) payment.AdviceReply) {
	w.bank.reply = what
}
