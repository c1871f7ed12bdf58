package engine_test

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
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
	"naru/pgserver/pgtest"
	"naru/store"
	"naru/vault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(servers{m}) }

// servers runs the tests, and stops the server that some of them use.
type servers struct{ *testing.M }

func (m servers) Run() int { return pgtest.Run(m.M) }

// places says where the worlds of a test are: the nth of them.
type places func(n int) string

func onFiles(t *testing.T) places {
	dir := t.TempDir()
	return func(n int) string { return filepath.Join(dir, fmt.Sprint(n)) }
}

func onPostgres(t *testing.T) places {
	return func(int) string {
		return pgtest.Copy(t, "naru", func(url string) error {
			db, err := store.Open(t.Context(), url, store.Options{Careless: true})
			if err != nil {
				return err
			}
			_, err = vault.Open(masterKey(), db)
			return errors.Join(err, db.Close())
		})
	}
}

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
	tray  *tray
	db    *store.Store
	store *flaky
	vault *vault.Vault
	*engine.Engine
	meter *meter
	log   *bytes.Buffer
	die   crash.Point // the next time this is passed, the process dies
	with  []func(*engine.Config)
	sent  []engine.Notice // what the counterparty has heard, in order
	seq   int64           // of the acquirer's files
}

var krw = money.Of("KRW")

const pan = "9999990000000006"

func newWorld(t *testing.T, with ...func(*engine.Config)) *world {
	return worldAt(t, filepath.Join(t.TempDir(), "naru.db"), t.Cleanup, with...)
}

func worldAt(t tb, path string, cleanup func(func()), with ...func(*engine.Config)) *world {
	t.Helper()
	w := &world{tb: t, clock: newHand(), meter: &meter{}, log: &bytes.Buffer{}, with: with}
	w.bank = &acquirer{now: w.clock.Now}
	w.tray = &tray{bank: w.bank, files: map[string][]engine.CaptureLine{}}
	var err error
	if !store.IsPostgres(path) {
		empty, err := blank()
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, empty, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if w.db, err = store.Open(context.Background(), path, store.Options{Readers: 1, Connections: 4, Careless: true, Settled: -1}); err != nil {
		t.Fatal(err)
	}
	cleanup(func() { _ = w.db.Close() })
	w.store = &flaky{Store: twice{w.db}}
	if w.vault, err = vault.Open(masterKey(), w.db); err != nil {
		t.Fatal(err)
	}
	w.start()
	return w
}

func masterKey() []byte { return bytes.Repeat([]byte{1}, 32) }

// blank is a database in which nothing has happened. Every world begins with a copy: making one takes longer than most tests.
var blank = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "naru")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "naru.db")
	db, err := store.Open(context.Background(), path, store.Options{})
	if err != nil {
		return nil, err
	}
	_, err = vault.Open(masterKey(), db)
	if err = errors.Join(err, db.Close()); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

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
	c := engine.Config{
		Store: w.store, Vault: w.vault, Clock: w.clock, Log: slog.New(slog.NewTextHandler(&locked{b: w.log}, nil)), Meter: w.meter, Lanes: 4,
		Links: map[string]engine.Link{"bc": {Rail: w.bank, Totals: true, Files: w.tray}}, Crash: func(p crash.Point) {
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
	}
	for _, change := range w.with {
		change(&c)
	}
	e, err := engine.New(c)
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
	if r.CaptureID != "" {
		return fmt.Appendf(nil, "YES %s %s %s", r.Outcome.Approval, r.ReservationID, r.CaptureID), nil
	}
	return fmt.Appendf(nil, "YES %s %s %s", r.Outcome.Approval, r.ReservationID, r.HoldUntil.Format(time.RFC3339)), nil
}

func (w *world) reserveAs(ctx context.Context, id string, ask engine.ReserveAsk) (string, error) {
	method := cmp.Or(string(ask.Order.Purpose), "reserveFunds")
	got, err := w.Once(ctx, request(id, method, ask.Order.Amount.String()), func(ctx context.Context, t engine.Turn) ([]byte, error) {
		return w.Reserve(ctx, t, ask)
	})
	return string(got), err
}

func (w *world) reserve(id string, won int64) (string, error) {
	return w.reserveAs(context.Background(), id, engine.ReserveAsk{Order: order(won), Encode: said})
}

// sale asks for money in one message (Card FOP v1 §4.4).
func sale(m money.Amount) engine.ReserveAsk {
	o := order(0)
	o.Amount, o.Purpose = m, payment.ToSell
	return engine.ReserveAsk{Order: o, Encode: said}
}

func (w *world) sell(id string, minor int64) (string, error) {
	return w.reserveAs(context.Background(), id, sale(won(minor)))
}

func (w *world) capture(id, reservation string, won int64) (string, error) {
	ask := engine.CaptureAsk{
		Reservation: key(reservation), Amount: exactly(won),
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

// check asks about a card: ToVerify holds the least, ToCheck nothing.
func (w *world) check(id string, what payment.Purpose) (string, error) {
	o := order(0)
	o.Purpose = what
	return w.reserveAs(context.Background(), id, engine.ReserveAsk{Order: o, Encode: said})
}

func (w *world) refund(id, capture string, won int64) (string, error) {
	ask := engine.RefundAsk{
		Capture: key(capture), Amount: exactly(won),
		Encode: func(id string) ([]byte, error) { return []byte("ACKNOWLEDGED " + id), nil },
	}
	got, err := w.Once(context.Background(), request(id, "refund", fmt.Sprint(capture, " ", won)), func(ctx context.Context,
		t engine.Turn,
	) ([]byte, error) {
		return w.Refund(ctx, t, ask)
	})
	return string(got), err
}

func (w *world) defend(id, capture, document string) (string, error) {
	ask := engine.DefendAsk{Capture: key(capture), Encode: func(r engine.DefendResult) ([]byte, error) { return fmt.Append(nil, r), nil }}
	if document != "" {
		ask.Document = []byte(document)
	}
	got, err := w.Once(context.Background(), request(id, "defend", capture+document), func(ctx context.Context,
		t engine.Turn,
	) ([]byte, error) {
		return w.Defend(ctx, t, ask)
	})
	return string(got), err
}

// file is what the acquirer says of today, to the merchant M1, in won.
func (w *world) file(kind string, records ...engine.ClearingRecord) engine.ClearingFile {
	w.seq++
	f := engine.ClearingFile{
		Acquirer: "bc", Kind: kind, Merchant: "M1", Day: w.clock.Now().Format("20060102"), Seq: w.seq, Currency: krw, Records: records,
	}
	f.Name = fmt.Sprintf("%s_bc_M1_%s_%03d.csv", kind, f.Day, f.Seq)
	var all []string
	for i, r := range f.Records {
		f.Records[i].Line = int64(i + 1)
		f.Gross, f.Fees, f.Tax = f.Gross+r.Gross.Minor(), f.Fees+r.Fees.Minor(), f.Tax+r.Tax.Minor()
		all = append(all, r.Digest)
	}
	f.Net = f.Gross + f.Fees + f.Tax
	f.SHA256 = digest(all)
	return f
}

func digest(v any) string {
	sum := sha256.Sum256(fmt.Append(nil, v))
	return hex.EncodeToString(sum[:])
}

// record is one line of such a file about the nth hold that the acquirer made, with amounts as the type of the record signs them.
func (w *world) record(n int, typ string, gross int64, changes ...func(*engine.ClearingRecord)) engine.ClearingRecord {
	w.bank.events++
	r := engine.ClearingRecord{
		Type: typ, ID: fmt.Sprintf("E%05d", w.bank.events), At: w.clock.Now(), Gross: won(gross), Txn: won(max(gross, -gross)),
		Fees: money.New(0, krw), Tax: money.New(0, krw), Brand: "VISA",
	}
	if n >= 0 {
		r.RRN = w.bank.holds[n].trace.RRN
	}
	for _, change := range changes {
		change(&r)
	}
	r.Digest = digest(fmt.Sprint(r))
	return r
}

func (w *world) take(f engine.ClearingFile) engine.AcquirerFile {
	w.Helper()
	got, err := w.TakeFile(context.Background(), f)
	if err != nil {
		w.Fatal(err)
	}
	return got
}

// clears takes records in a file of disputes: no capture is missed there.
func (w *world) clears(records ...engine.ClearingRecord) engine.AcquirerFile {
	w.Helper()
	return w.take(w.file(engine.DisputeFileKind, records...))
}

// event is what became of a record.
func (w *world) event(id string) (v engine.AcquirerEvent) {
	w.Helper()
	w.look(func(r engine.Reader) (err error) { v, _, err = r.AcquirerEvent("bc", id); return err })
	return v
}

// cases are the kinds of the open ones.
func (w *world) cases() (kinds []string) {
	w.Helper()
	list, err := w.ListCases(context.Background(), true, 1000)
	if err != nil {
		w.Fatal(err)
	}
	for _, c := range list {
		kinds = append(kinds, c.Kind)
	}
	slices.Sort(kinds)
	return kinds
}

func (w *world) wants(kinds ...string) {
	w.Helper()
	if got := w.cases(); !slices.Equal(got, kinds) {
		w.Errorf("cases %q, not %q", got, kinds)
	}
}

// refundOf is the refund that the caller named so.
func (w *world) refundOf(reservation, id string) (f payment.Refund) {
	w.Helper()
	r := w.reservation(reservation)
	w.look(func(v engine.Reader) error {
		list, err := v.Refunds(r.ID)
		for _, one := range list {
			if one.RequestID == id {
				f = one
			}
		}
		return err
	})
	return f
}

func (w *world) disputes(reservation string) (list []payment.Dispute) {
	w.Helper()
	r := w.reservation(reservation)
	w.look(func(v engine.Reader) (err error) { list, err = v.Disputes(r.ID); return err })
	return list
}

// contested wants the stages of a reservation's disputes, oldest first.
func (w *world) contested(reservation string, want ...payment.DisputeState) {
	w.Helper()
	var got []payment.DisputeState
	for _, d := range w.disputes(reservation) {
		got = append(got, d.State)
	}
	if !slices.Equal(got, want) {
		w.Errorf("stages %v, not %v", got, want)
	}
}

// taken makes a captured payment.
func (w *world) taken(reservation, capture string, won int64) {
	w.Helper()
	w.approved(w.reserve(reservation, won))
	w.yes(w.capture(capture, reservation, won))
	w.forward()
	if got := w.reservation(reservation).State; got != payment.Captured {
		w.Fatal(got)
	}
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
	w.must(w.LapseDue(context.Background()))
	w.must(w.EraseDue(context.Background()))
	w.forward()
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
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

// notices are all that the counterparty was told, in order of their words. Telling it is part of looking: what must wait for another notice
// can be told only then.
func (w *world) notices() []string {
	w.Helper()
	for {
		due, err := w.db.Notices(store.Everybody, 10000, 0).DueNotices(context.Background(), w.clock.Now().Add(100_000*time.Hour), 10000)
		if err != nil {
			w.Fatal(err)
		}
		if len(due) == 0 {
			break
		}
		errs := make([]error, len(due))
		var all sync.WaitGroup
		for i, n := range due {
			w.sent = append(w.sent, n.Notice)
			all.Go(func() {
				errs[i] = w.db.RecordTry(context.Background(), engine.NoticeTry{
					Notice: n.ID, N: n.Tries + 1, At: w.clock.Now(), Status: 200, Outcome: "ok", State: engine.NoticeSent, Due: w.clock.Now(),
				})
			})
		}
		all.Wait()
		w.must(errors.Join(errs...))
	}
	var list []string
	for _, n := range w.sent {
		list = append(list, inWords(n))
	}
	slices.Sort(list)
	return list
}

// inWords is what a notice says, with names that a test knows.
func inWords(n engine.Notice) string {
	f := n.Facts
	words := []string{string(n.Kind), cmp.Or(f.Capture, f.Refund, n.Subject), n.Result, n.Code, f.Stage}
	if n.Kind == engine.SettlementPart || n.Kind == engine.SettlementFile { // naru-stl-20260302-KRW-…/0
		words[1] = strings.Split(n.Subject, "-")[2] + "/" + fmt.Sprint(f.Part)
	}
	if f.Minor != 0 {
		words = append(words, fmt.Sprint(f.Minor), f.Currency)
	}
	return strings.Join(strings.Fields(strings.Join(append(words, f.Reason, f.Scope, f.Case, f.ARN), " ")), " ")
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
	for _, wrong := range w.bank.wrong {
		w.Errorf("the acquirer was asked for %s", wrong)
	}
	if got := w.books(); got != strings.Join(want, " ") {
		w.Errorf("our books say %q, the acquirer %q", got, strings.Join(want, " "))
	}
}

func (w *world) owes(want ...string) {
	w.Helper()
	slices.Sort(want)
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

// exactly is an amount of whole won, whatever the currency.
func exactly(minor int64) func(money.Currency) (money.Amount, error) {
	return func(c money.Currency) (money.Amount, error) { return money.New(minor, c), nil }
}
