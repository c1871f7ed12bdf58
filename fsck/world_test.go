package fsck_test

import (
	"context"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"naru/core/card"
	"naru/core/money"
	"naru/core/payment"
	"naru/core/settlement"
	"naru/crash"
	"naru/engine"
	"naru/outbox"
	"naru/store"
	"naru/vault"
)

// world is an engine on a real store, with a network that answers what the test says.
type world struct {
	t      *testing.T
	place  string // of the database
	kek    []byte
	store  *store.Store
	engine *engine.Engine
	outbox outbox.Worker
	clock  *manual
	rail   *rail
	tray   *tray
	bank   *bank
	wire   *wire
	die    bool // the next call ends as its process would

	seq, events int64 // of the acquirer's files, and of its records
	messages    int64 // of the banks that payers transfer to
}

// manual is a clock that a test sets. Loops that have nothing due are at their end: when the last of them goes to sleep, all are stopped.
type manual struct {
	mu             sync.Mutex
	at             time.Time
	loops, resting int
	idle           context.CancelFunc
}

func (c *manual) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *manual) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func (c *manual) Sleep(ctx context.Context, until time.Time, wake <-chan struct{}) error {
	select {
	case <-wake:
		return ctx.Err()
	default:
	}
	if until.Sub(c.Now()) == time.Second { // a loop that waits for work that is under way looks again after a second
		runtime.Gosched()
		return ctx.Err()
	}
	c.rest(1)
	defer c.rest(-1)
	select {
	case <-wake:
	case <-ctx.Done():
	}
	return ctx.Err()
}

func (c *manual) rest(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.resting += n; c.resting == c.loops {
		c.idle()
	}
}

// drain runs a worker until it finds nothing due.
func (w *world) drain(run func(context.Context) error) {
	w.t.Helper()
	w.drainAll(1, run)
}

// drainAll does that where a worker has so many loops.
func (w *world) drainAll(loops int, run func(context.Context) error) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.t.Context())
	defer cancel()
	w.clock.loops, w.clock.idle = loops, cancel
	if err := run(ctx); err != nil {
		w.t.Fatal(err)
	}
}

// forward and keepPaying have a loop for each acquirer and for each payout bank, and one that tells of those that nobody knows any more.
func (w *world) forward() {
	w.t.Helper()
	w.drainAll(3, w.engine.Forward)
}

func (w *world) keepPaying() {
	w.t.Helper()
	w.drainAll(3, w.engine.KeepPaying)
}

func (w *world) settle() {
	w.forward()
	w.drain(w.outbox.Run)
}

type rail struct {
	outcome payment.Outcome
	replies map[payment.AdviceKind]payment.AdviceReply // accepted where nothing is said
	totals  payment.TotalsReply
	least   int64 // what a card check holds
	byFile  bool
}

// Trace makes numbers that look like a card's where the two stand side by side in a record: they must not be taken for one.
func (*rail) Trace(n int64, at time.Time) payment.Trace {
	stan := fmt.Sprintf("4%05d", n)
	for i := range 10 {
		if rrn := fmt.Sprintf("%d%03d%02d%05d%d", at.Year()%10, at.YearDay(), at.Hour(), n, i); card.Luhn(stan + rrn) {
			return payment.Trace{STAN: stan, RRN: rrn, At: at.Truncate(time.Second)}
		}
	}
	panic("no digit fits")
}

func (*rail) Check(payment.AuthOrder) error { return nil }

func (r *rail) Authorise(context.Context, payment.AuthOrder) payment.Outcome { return r.outcome }

func (r *rail) Advise(_ context.Context, a payment.AdviceOrder, _ bool) payment.AdviceReply {
	if reply, ok := r.replies[a.Kind]; ok {
		return reply
	}
	return payment.AdviceReply{Verdict: payment.AdviceAccepted, Code: "00"}
}

func (*rail) ReleasesRest() bool { return true }

func (r *rail) VerifyWith(c money.Currency) money.Amount { return money.New(r.least, c) }

func (r *rail) CapturesByFile() bool { return r.byFile }

func (r *rail) SellsOnly() bool { return false }

func (*rail) Judge(_ payment.AdviceKind, code string) payment.AdviceReply {
	verdicts := map[string]payment.AdviceVerdict{"00": payment.AdviceAccepted, "30": payment.AdviceRefused, "91": payment.AdviceLater}
	return payment.AdviceReply{Verdict: verdicts[code], Code: code}
}

func (r *rail) Reconcile(context.Context, payment.DayTotals, payment.Trace, bool) payment.TotalsReply {
	return r.totals
}

// tray takes capture files, unless it is full.
type tray struct{ full bool }

func (*tray) Name(merchant, day string, seq int64) string {
	return fmt.Sprintf("PICAP_acq8_%s_%s_%03d.csv", merchant, day, seq)
}

func (t *tray) Put(context.Context, engine.CaptureFile, []engine.CaptureLine) error {
	if t.full {
		return errors.New("the tray is full")
	}
	return nil
}

type silentMeter struct{}

func (silentMeter) Replayed(string)                       {}
func (silentMeter) Reversed(payment.UndoReason)           {}
func (silentMeter) Unmapped(string, string)               {}
func (silentMeter) CaseOpened(string)                     {}
func (silentMeter) NoticeTried(engine.NoticeKind, string) {}

// google takes each notice at the second try.
type google map[string]bool

func (g google) Send(_ context.Context, n engine.Notice) outbox.Result {
	if !g[n.ID] {
		g[n.ID] = true
		return outbox.Result{Class: outbox.Repeat, Status: 500, Word: "server error"}
	}
	if n.Kind == engine.SettlementFile {
		return outbox.Result{Class: outbox.Delivered, Word: "handed over"}
	}
	return outbox.Result{Class: outbox.Delivered, Status: 200, Word: "delivered"}
}

func newWorld(t *testing.T) *world {
	t.Helper()
	return newWorldAt(t, filepath.Join(t.TempDir(), "naru.db"), newKEK(t), store.Options{})
}

func newKEK(t *testing.T) []byte {
	t.Helper()
	kek, err := base64.StdEncoding.DecodeString(strings.TrimSpace(vault.NewKEK()))
	if err != nil {
		t.Fatal(err)
	}
	return kek
}

// careless is for a server that tests alone write to.
var careless = store.Options{Careless: true, Settled: -1, Connections: 4}

func newWorldAt(t *testing.T, place string, kek []byte, o store.Options) *world {
	t.Helper()
	start := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
	w := &world{
		t: t, place: place, kek: kek, clock: &manual{at: start}, rail: &rail{}, tray: &tray{}, bank: &bank{}, wire: &wire{},
	}
	var err error
	if w.store, err = store.Open(t.Context(), w.place, o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.store.Close() })
	v, err := vault.Open(w.kek, w.store)
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	w.engine, err = engine.New(engine.Config{
		Store: w.store, Vault: v, Clock: w.clock, Log: log, Meter: silentMeter{}, Lanes: 1,
		Links: map[string]engine.Link{
			"acq7": {Rail: w.rail, Totals: true}, "acq8": {Rail: &rail{outcome: approved, byFile: true}, Files: w.tray},
		},
		Banks:     map[string]engine.Bank{"rzp": {Rail: w.bank}, "shinhan": {Rail: w.wire}},
		Merchants: merchants(), Receivers: receivers,
		Crash: func(p crash.Point) {
			if w.die && (p == crash.ReserveAccepted || p == crash.SaleAccepted) {
				runtime.Goexit()
			}
		},
		Accounts: []engine.Account{{
			ID: "PG_KRW", Currencies: []money.Currency{money.Of("KRW")}, Acquirer: "acq7", Terminals: []string{"40000001"},
			Merchant: "000000000000042", MCC: "5732", Location: time.UTC, SettleBy: engine.SettleByNotice, PartSize: 5,
			Terms: settlement.Terms{
				CaptureBP: 200, CaptureFixed: 10, RefundFixed: 20, DisputeFixed: 500, ReserveFixed: 15, VATBP: 1000, ReturnFee: true, PassFeesOn: true,
				PassAdjustsOn: true,
			},
		}, {
			ID: "PG2_KRW", Currencies: []money.Currency{money.Of("KRW")}, Acquirer: "acq7", Terminals: []string{"40000002"},
			Merchant: "000000000000043", MCC: "5732", Location: time.FixedZone("KST", 9*3600), SettleBy: engine.SettleByFile, NoARN: true,
			RefundWindow: day, DisputeWindow: 2 * day, SkipEmptyDays: true,
		}, {
			ID: "PG3_KRW", Currencies: []money.Currency{money.Of("KRW")}, Acquirer: "acq8", Terminals: []string{"40000003"},
			Merchant: "000000000000044", MCC: "5732", Location: time.UTC,
		}, {
			ID: "PG4", Currencies: []money.Currency{money.Of("KRW"), money.Of("USD")}, Acquirer: "acq7", Terminals: []string{"40000004"},
			Merchant: "000000000000045", MCC: "5732", Location: time.UTC, SettleBy: engine.SettleByNotice, RefundWindow: day, DisputeWindow: 2 * day,
			Terms:   settlement.Terms{CaptureBP: 200, CaptureFixed: 10, RefundFixed: 20, DisputeFixed: 500, VATBP: 1000},
			TermsIn: map[string]settlement.Terms{"USD": {CaptureBP: 350, CaptureFixed: 7, RefundFixed: 5, ReturnFee: true}},
		}, {
			ID: "PAY_INR", Currencies: []money.Currency{money.Of("INR")}, Bank: "rzp", Location: time.UTC,
			Limits: []engine.Limits{{Least: rupees(100), Most: rupees(10_000_000)}},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	g, senders := google{}, map[engine.NoticeKind]outbox.Sender{}
	for _, kind := range engine.NoticeKinds {
		senders[kind] = g
	}
	w.outbox = outbox.Worker{
		Queue: w.store.Notices(store.Everybody, 100, 0), Senders: senders, Clock: w.clock, Crash: crash.Never, Log: log,
		Meter: silentMeter{}, Bell: w.engine.Notices[0], Lanes: 1,
	}
	return w
}

var (
	approved = payment.Outcome{Verdict: payment.Approved, Code: "00", Approval: "ABC123", NetworkID: "MCC0001231122"}
	booked   = payment.Outcome{Verdict: payment.Approved, Code: "00", Approval: "ABC124", NetworkID: "MCC0001231123", LinkID: "TL01"}
	refused  = payment.Outcome{Verdict: payment.Refused, Decline: payment.IssuerDeclined, Code: "05"}
	partial  = payment.Outcome{Verdict: payment.Refused, Decline: payment.IssuerDeclined, Code: "10", Undo: payment.UndoPartial}
	silent   = payment.Outcome{}
	busy     = payment.Outcome{Verdict: payment.NothingHeld, Code: "91"}
)

func (w *world) once(account, request, method, content string, work func(context.Context, engine.Turn) ([]byte, error)) error {
	r := engine.Request{Key: engine.Key{Account: account, RequestID: request}, Method: method, Content: []byte(method + content)}
	_, err := w.engine.Once(w.t.Context(), r, work)
	return err
}

const testPAN = "4111111111111111"

// reserve asks for a hold; the network answers out. It reports whether there was an answer.
func (w *world) reserve(account, request string, out payment.Outcome, decided *payment.Outcome) bool {
	w.t.Helper()
	return w.ask(account, request, "reserveFunds", payment.ToPay, won(12_900), out, decided)
}

// sell asks for money in one message; the network answers out. A sale is a capture, so it is called capture-NAME.
func (w *world) sell(account, name string, amount money.Amount, out payment.Outcome) bool {
	w.t.Helper()
	return w.ask(account, "capture-"+name, "capture", payment.ToSell, amount, out, nil)
}

// check asks about a card, which the network answers with out.
func (w *world) check(account, request string, why payment.Purpose, out payment.Outcome) {
	w.t.Helper()
	method := map[payment.Purpose]string{
		payment.ToVerify: "verifyCardWithMinimumReservation", payment.ToCheck: "verifyCardWithZeroAmount",
	}[why]
	w.must(true, w.ask(account, request, method, why, won(12_900), out, nil))
}

func (w *world) ask(
	account, request, method string, why payment.Purpose, amount money.Amount, out payment.Outcome, decided *payment.Outcome,
) bool {
	w.t.Helper()
	w.rail.outcome = out
	pan, err := card.ParsePAN(testPAN)
	if err != nil {
		w.t.Fatal(err)
	}
	ask := engine.ReserveAsk{
		Order: payment.AuthOrder{
			Purpose: why, Amount: amount, PAN: pan, Expiry: card.Expiry{Year: 2030, Month: 12}, CVN: card.Conceal("737"),
		},
		Decided: decided,
		Encode: func(r engine.ReserveResult) ([]byte, error) {
			if r.Outcome.Verdict != payment.Approved {
				return []byte(`{"result":"ISSUER_DECLINED"}`), nil
			}
			if why == payment.ToSell {
				return fmt.Appendf(nil, `{"result":"SUCCESS","paymentIntegratorCaptureId":%q}`, r.CaptureID), nil
			}
			return fmt.Appendf(nil, `{"result":"SUCCESS","paymentIntegratorFundsReservationId":%q,"reservationExpirationTimestamp":"%d"}`,
				r.ReservationID, r.HoldUntil.UnixMilli()), nil
		},
	}
	err = w.once(account, request, method, testPAN, func(ctx context.Context, t engine.Turn) ([]byte, error) {
		return w.engine.Reserve(ctx, t, ask)
	})
	return err == nil
}

func (w *world) capture(account, reservation string, minor int64) {
	w.t.Helper()
	err := w.once(account, "capture-"+reservation, "asynchronousCaptureFundsReservation", reservation,
		func(ctx context.Context, t engine.Turn) ([]byte, error) {
			return w.engine.Capture(ctx, t, engine.CaptureAsk{
				Reservation: engine.Key{Account: account, RequestID: reservation},
				Amount:      func(c money.Currency) (money.Amount, error) { return money.New(minor, c), nil },
				Encode:      func(string) ([]byte, error) { return []byte(`{"result":"ACKNOWLEDGED"}`), nil },
			})
		})
	if err != nil {
		w.t.Fatal("capture", reservation, err)
	}
}

func (w *world) cancel(account, reservation, request string) {
	w.t.Helper()
	err := w.once(account, request, "asynchronousCancelFundsReservation", reservation,
		func(ctx context.Context, t engine.Turn) ([]byte, error) {
			return w.engine.Cancel(ctx, t, engine.CancelAsk{
				Reservation: engine.Key{Account: account, RequestID: reservation},
				Encode:      func() ([]byte, error) { return []byte(`{"result":"ACKNOWLEDGED"}`), nil },
			})
		})
	if err != nil {
		w.t.Fatal("cancel", reservation, err)
	}
}

// must fails where a call had an answer and must not have, or the other way round.
func (w *world) must(want, answered bool) {
	w.t.Helper()
	if want != answered {
		w.t.Fatalf("answered=%t", answered)
	}
}

// play is every life that a payment can have, some of them still going on.
func (w *world) play() {
	const a, b = "PG_KRW", "PG2_KRW"
	began := w.clock.Now()
	w.clock.advance(-3 * day)
	w.disburse()
	w.collect()
	w.clock.advance(began.Sub(w.clock.Now()))
	w.must(true, w.reserve(a, "captured", approved, nil))
	w.capture(a, "captured", 12_900)
	w.must(true, w.reserve(b, "captured-in-part", approved, nil))
	w.capture(b, "captured-in-part", 9_900)
	w.must(true, w.reserve(a, "declined", refused, nil))
	w.must(true, w.reserve(a, "mistyped", silent, &refused))
	w.must(true, w.reserve(a, "approved-in-part", partial, nil))
	w.cancel(a, "approved-in-part", "cancel-approved-in-part")
	w.must(false, w.reserve(a, "not-held", silent, nil))
	w.must(false, w.reserve(a, "held-at-last", silent, nil))
	w.must(false, w.reserve(a, "held-again", silent, nil))
	w.must(false, w.reserve(a, "not-held-cancelled", silent, nil))
	w.must(false, w.reserve(b, "busy", busy, nil))
	w.must(false, w.reserve(b, "busy-cancelled", busy, nil))
	w.cancel(b, "busy-cancelled", "cancel-busy-cancelled")
	w.must(true, w.reserve(a, "cancelled", approved, nil))
	w.cancel(a, "cancelled", "cancel-cancelled-1")
	w.cancel(a, "cancelled", "cancel-cancelled-2")
	w.settle()
	w.must(true, w.reserve(a, "held-at-last", approved, nil))
	w.capture(a, "held-at-last", 12_900)
	w.settle()
	w.cancel(a, "not-held-cancelled", "cancel-not-held")
	w.must(true, w.reserve(a, "revoked", approved, nil))
	w.capture(a, "revoked", 12_900)
	w.rail.replies = map[payment.AdviceKind]payment.AdviceReply{payment.Completion: {Verdict: payment.AdviceRevoked, Code: "R1"}}
	w.forward()
	w.rail.replies = nil

	short := approved
	short.HostUntil = w.clock.Now().Add(time.Hour)
	for _, request := range []string{"freed", "freed-cancelled", "freed-captured"} {
		w.must(true, w.reserve(b, request, short, nil))
	}
	for _, request := range []string{"expired", "expired-cancelled", "expired-captured"} {
		w.must(true, w.reserve(b, request, approved, nil))
	}
	w.clock.advance(8 * 24 * time.Hour)
	w.drain(w.engine.Expire)
	for _, request := range []string{"freed", "expired"} {
		w.cancel(b, request+"-cancelled", "cancel-"+request+"-cancelled")
		w.capture(b, request+"-captured", 12_900)
	}
	w.settle()
	w.must(true, w.reserve(a, "not-held-cancelled", approved, nil)) // declines: it was cleaned up
	w.clock.advance(time.Hour)
	w.settle()
	w.sign()
	w.afterwards()
	w.sign()

	w.must(true, w.reserve(a, "stopped", approved, nil))
	w.capture(a, "stopped", 12_900)
	w.rail.replies = map[payment.AdviceKind]payment.AdviceReply{payment.Completion: {Verdict: payment.AdviceRefused, Code: "30"}}
	w.forward()
	w.rail.replies = nil
	w.sign()

	w.must(true, w.reserve(a, "held", approved, nil))
	w.must(true, w.reserve(b, "held", approved, nil))
	w.must(true, w.reserve(a, "held-again", approved, nil))
	w.must(true, w.reserve(a, "capturing", approved, nil))
	w.capture(a, "capturing", 900)
	w.must(true, w.reserve(a, "cancelling", approved, nil))
	w.cancel(a, "cancelling", "cancel-cancelling-1")
	w.cancel(a, "cancelling", "cancel-cancelling-2")
	w.must(false, w.reserve(a, "reversing", silent, nil))
	w.must(true, w.reserve(a, "undoing", partial, nil))
	w.underWay()
	w.die = true
	var gone sync.WaitGroup
	gone.Go(func() { w.reserve(a, "pending", approved, nil) })
	gone.Wait()
	gone.Go(func() { w.sell("PG4", "sale-pending", won(12_900), booked) })
	gone.Wait()
	w.die = false
}

func (w *world) sign() {
	w.t.Helper()
	if err := w.engine.SignJournal(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

// played is a finished world's database: a file of the test's own, with everything in it.
func played(t *testing.T) (path string, kek []byte) {
	t.Helper()
	finished.once.Do(func() {
		w := newWorld(t)
		w.play()
		w.do(w.store.Close())
		edit(t, w.place, "PRAGMA wal_checkpoint(TRUNCATE)")
		b, err := os.ReadFile(w.place)
		w.do(err)
		finished.db, finished.kek = b, w.kek
	})
	path = filepath.Join(t.TempDir(), "naru.db")
	if err := os.WriteFile(path, finished.db, 0o600); err != nil {
		t.Fatal(err)
	}
	return path, slices.Clone(finished.kek)
}

// finished is the world as it is played once, for all tests that only look at its database.
var finished struct {
	once    sync.Once
	db, kek []byte
}

// copied is a database of its own for one test: the file and, where there is one, its log.
func copied(t *testing.T, from string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "copy.db")
	for _, part := range []string{"", "-wal"} {
		b, err := os.ReadFile(from + part)
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to+part, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return to
}

// corrupt runs statements behind everybody's back: without triggers, constraints on references, or a trace in freed pages.
func corrupt(t *testing.T, place string, statements ...string) {
	t.Helper()
	if onServer(place) {
		corruptServer(t, place, statements)
		return
	}
	db, err := sql.Open("sqlite", "file:"+place+"?_pragma=foreign_keys(OFF)&_pragma=secure_delete(ON)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	rows, err := db.Query("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'")
	if err != nil {
		t.Fatal(err)
	}
	var drop, again []string
	for rows.Next() {
		var name, text string
		if err := rows.Scan(&name, &text); err != nil {
			t.Fatal(err)
		}
		drop, again = append(drop, "DROP TRIGGER "+name), append(again, text)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	for _, s := range append(append(drop, statements...), again...) {
		r, err := db.Exec(s)
		if err != nil {
			t.Fatal(s, err)
		}
		if n, err := r.RowsAffected(); err == nil && n == 0 && strings.HasPrefix(s, "UPDATE") {
			t.Fatalf("nothing to change: %s", s)
		}
	}
}
