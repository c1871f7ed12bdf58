package outbox

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

	"naru/clock"
	"naru/crash"
	"naru/engine"
	"naru/queue"
	"naru/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var start = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// hand is business time that only the test moves; nobody sleeps in it.
type hand struct{ now time.Time }

func (h *hand) Now() time.Time                                                  { return h.now }
func (h *hand) Sleep(ctx context.Context, _ time.Time, _ <-chan struct{}) error { return ctx.Err() }

// google answers notices as the test says, and remembers what it was sent.
type google struct {
	mu       sync.Mutex
	answers  []Result
	received []string
}

func (g *google) Send(_ context.Context, n engine.Notice) Result {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.received = append(g.received, n.ID)
	if len(g.answers) == 0 {
		return Result{Class: Delivered, Status: 200, Word: "ok"}
	}
	r := g.answers[0]
	g.answers = g.answers[1:]
	return r
}

type meter struct{ tried []string }

func (m *meter) NoticeTried(k engine.NoticeKind, outcome string) {
	m.tried = append(m.tried, string(k)+" "+outcome)
}

// world is a worker between a real store and a Google in the test's hand.
type world struct {
	*testing.T
	*Worker
	db     *store.Store
	clock  *hand
	google *google
	meter  *meter
	log    bytes.Buffer
	die    crash.Point
}

func newWorld(t *testing.T) *world {
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "naru.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	w := &world{T: t, db: db, clock: &hand{start}, google: &google{}, meter: &meter{}}
	w.Worker = &Worker{
		Queue: db.Notices(store.Everybody, 9, 0), Clock: w.clock, Meter: w.meter, Lanes: 2, Bell: queue.NewBell(), Log: slog.New(slog.NewTextHandler(&w.log, nil)),
		Senders: map[engine.NoticeKind]Sender{engine.CaptureResult: w.google},
		Crash: func(p crash.Point) {
			if p == w.die {
				w.die = ""
				panic(p)
			}
		},
	}
	return w
}

func (w *world) owe(id, after string) {
	w.Helper()
	n := engine.Notice{
		ID: id, Kind: engine.CaptureResult, Account: "P", Subject: "q-" + id, Result: "SUCCESS", After: after,
		CreatedAt: w.clock.now,
	}
	if err := w.db.Update(w.Context(), func(tx engine.Tx) error { return tx.InsertNotice(n) }); err != nil {
		w.Fatal(err)
	}
}

func (w *world) due() []engine.DueNotice {
	w.Helper()
	due, err := w.Queue.DueNotices(w.Context(), w.clock.now, 100)
	if err != nil {
		w.Fatal(err)
	}
	return due
}

// send delivers what is due once, as the loop does.
func (w *world) send() {
	w.Helper()
	for _, n := range w.due() {
		_ = w.deliver(w.Context(), n) // it has told the log
	}
}

// parked counts what waits for an operator, and queued what goes on by itself.
func (w *world) left(queued, parked int64) {
	w.Helper()
	b, err := w.db.Backlog(w.Context())
	if err != nil || b.Notices != queued || b.Parked != parked {
		w.Errorf("%d queued, %d parked, %v; want %d, %d", b.Notices, b.Parked, err, queued, parked)
	}
}

// gsp-core §5.5, §5.6: what an answer means, right after the event and when the race is over.
func TestNext(t *testing.T) {
	three, four := Merchants[:3], Merchants[:4]
	for _, c := range []struct {
		class    Class
		age      time.Duration
		patience []time.Duration
		want     engine.NoticeState
	}{
		{Delivered, 0, nil, engine.NoticeSent},
		{Delivered, 1000 * time.Hour, nil, engine.NoticeSent},
		{Delivered, 0, three, engine.NoticeSent},
		{Park, 0, nil, engine.NoticeParked},
		{Park, 0, four, engine.NoticeParked},
		{Repeat, 0, nil, engine.NoticeQueued},
		{Repeat, 10000 * time.Hour, nil, engine.NoticeQueued}, // money facts have no last attempt
		{Repeat, 10000 * time.Hour, four, engine.NoticeQueued},
		{Repeat, 0, three, engine.NoticeParked},
		{RepeatFor, 0, nil, engine.NoticeQueued},
		{RepeatFor, 15 * time.Minute, nil, engine.NoticeQueued},
		{RepeatFor, 15*time.Minute + 1, nil, engine.NoticeParked},
	} {
		item := engine.DueNotice{Notice: engine.Notice{CreatedAt: start}, Tries: 3}
		now := start.Add(c.age)
		state, due := next(c.class, item, c.patience, now)
		if state != c.want || due.Before(now) || state != engine.NoticeQueued && !due.Equal(now) {
			t.Errorf("class %d after %v: %s, due in %v", c.class, c.age, state, due.Sub(now))
		}
		if c.patience != nil && state == engine.NoticeQueued && due.Sub(now) != 2*time.Minute {
			t.Errorf("after the fourth try it waits %v", due.Sub(now))
		}
	}
	var zero Class
	if zero != Repeat {
		t.Error("what nobody classified is not repeated")
	}
}

// Design §3.3, merchant-gateway §7: a merchant's notification is tried ten times within an hour, and then given up. It stands in the
// delivery log and bothers no operator; whoever asks has all its tries again.
func TestMerchantsHearTenTimesWithinAnHour(t *testing.T) {
	w := newWorld(t)
	w.Patience = map[engine.NoticeKind][]time.Duration{engine.DepositResult: Merchants}
	w.Senders[engine.DepositResult] = w.google
	w.oweMerchant("n")
	round := func() (tries int) {
		begun := w.clock.now
		for at, ok := begun, true; ok; {
			w.clock.now = at
			w.google.answers = []Result{{Status: 500, Word: "error"}}
			w.send()
			tries++
			var err error
			if at, ok, err = w.Queue.NextNotice(t.Context()); err != nil {
				t.Fatal(err)
			}
			if ok && !at.After(w.clock.now) {
				t.Fatal("tried again at once")
			}
		}
		if took := w.clock.now.Sub(begun); took > time.Hour || took < 50*time.Minute {
			t.Errorf("given up after %v", took)
		}
		return tries
	}
	unheard := func(want int64) {
		t.Helper()
		b, err := w.db.Backlog(t.Context())
		if err != nil || b.Unheard != want || b.Parked != 0 || b.Cases != 0 {
			t.Errorf("%+v %v", b, err)
		}
	}
	if n := round(); n != 10 {
		t.Errorf("%d tries", n)
	}
	unheard(1)
	if text := w.log.String(); strings.Contains(text, "level=ERROR") || strings.Count(text, "given up") != 1 {
		t.Error(text)
	}
	w.clock.now = w.clock.now.Add(100 * time.Hour)
	w.resend("n")
	if n := round(); n != 10 {
		t.Errorf("%d tries after it was sent again", n)
	}
	unheard(1)
	w.resend("n")
	w.google.answers = []Result{{Status: 500, Word: "error"}}
	w.send()
	w.clock.now = w.clock.now.Add(time.Minute)
	w.send()
	w.left(0, 0)
	unheard(0)
	if err := w.db.View(t.Context(), func(r engine.Reader) error {
		list, err := r.NoticesOf("M", time.Time{}, time.Time{}, "", 0, 9)
		if len(list) != 1 || list[0].State != engine.NoticeSent || len(list[0].Tries) != 22 {
			t.Errorf("%+v", list)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

// One merchant that hangs takes its share of the lanes and no more; what is owed to Google is another queue.
func TestWhoHangsKeepsNobodyWaiting(t *testing.T) {
	w := newWorld(t)
	for i := range 9 {
		w.oweTo("hangs", fmt.Sprint("h", i))
	}
	w.oweTo("hears", "n")
	w.owe("g", "")
	due := func(q Queue, limit int) (ids []string) {
		t.Helper()
		list, err := q.DueNotices(t.Context(), w.clock.now, limit)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range list {
			ids = append(ids, n.ID)
		}
		slices.Sort(ids)
		return ids
	}
	if got := due(w.db.Notices(store.Merchants, 2, 0), 4); !slices.Equal(got, []string{"h0", "h1", "n"}) {
		t.Errorf("merchants: %v", got)
	}
	if got := due(w.db.Notices(store.Google, 2, 0), 4); !slices.Equal(got, []string{"g"}) {
		t.Errorf("Google: %v", got)
	}
}

func (w *world) oweTo(merchant, id string) {
	w.Helper()
	n := engine.Notice{ID: id, Kind: engine.DepositResult, Account: merchant, Subject: id, Result: "PAID", CreatedAt: w.clock.now}
	if err := w.db.Update(w.Context(), func(tx engine.Tx) error { return tx.InsertNotice(n) }); err != nil {
		w.Fatal(err)
	}
}

func (w *world) oweMerchant(id string) {
	w.Helper()
	n := engine.Notice{ID: id, Kind: engine.DepositResult, Account: "M", Subject: "PM1/PAID", Result: "PAID", CreatedAt: w.clock.now}
	if err := w.db.Update(w.Context(), func(tx engine.Tx) error { return tx.InsertNotice(n) }); err != nil {
		w.Fatal(err)
	}
}

func (w *world) resend(id string) {
	w.Helper()
	if err := w.db.Update(w.Context(), func(tx engine.Tx) error {
		ok, err := tx.ResendNotice(id, w.clock.now)
		if !ok {
			w.Error("not sent again")
		}
		return err
	}); err != nil {
		w.Fatal(err)
	}
}

// Nobody can send it: that is our fault, and an operator's business at once, whoever should have heard it.
func TestNoSenderForAMerchantIsToldAtOnce(t *testing.T) {
	w := newWorld(t)
	w.Patience = map[engine.NoticeKind][]time.Duration{engine.DepositResult: Merchants}
	w.oweMerchant("n")
	w.send()
	if !strings.Contains(w.log.String(), "level=ERROR") {
		t.Error("nobody was told")
	}
}

// Design §3.3: exponential with full jitter, from a second to a quarter of an hour, and never a storm.
func TestBackoff(t *testing.T) {
	for tries, step := range map[int]time.Duration{
		0: time.Second, 1: 2 * time.Second, 5: 32 * time.Second, 9: 512 * time.Second, 10: 15 * time.Minute, 100_000: 15 * time.Minute,
	} {
		least, most := step, time.Duration(0)
		for range 2000 {
			d := backoff(tries)
			if d < step/20 || d >= step {
				t.Fatalf("try %d waits %v, outside %v to %v", tries, d, step/20, step)
			}
			least, most = min(least, d), max(most, d)
		}
		if least > step/5 || most < step*4/5 {
			t.Errorf("try %d waits between %v and %v only: no jitter", tries, least, most)
		}
	}
}

func TestDelivered(t *testing.T) {
	w := newWorld(t)
	w.owe("n", "")
	w.send()
	w.send()
	w.left(0, 0)
	if !slices.Equal(w.google.received, []string{"n"}) || !slices.Equal(w.meter.tried, []string{"capture-result ok"}) {
		t.Error(w.google.received, w.meter.tried)
	}
}

func TestRepeatedUntilDelivered(t *testing.T) {
	w := newWorld(t)
	w.owe("n", "")
	for i := range 12 {
		w.google.answers = []Result{{Status: 503, Word: "unavailable"}}
		w.send()
		if len(w.due()) != 0 {
			t.Fatal("tried again at once")
		}
		w.clock.now = w.clock.now.Add(15 * time.Minute)
		if due := w.due(); len(due) != 1 || due[0].Tries != i+1 {
			t.Fatalf("%+v", due)
		}
	}
	w.send()
	w.left(0, 0)
	if len(w.google.received) != 13 {
		t.Errorf("%d attempts", len(w.google.received))
	}
}

// Our news may overtake Google's own commit: an unknown identifier is repeated for a quarter of an hour, then it is an operator's business.
func TestUnknownIdentifier(t *testing.T) {
	w := newWorld(t)
	w.owe("n", "")
	answer := func() { w.google.answers = []Result{{Class: RepeatFor, Status: 404, Word: "INVALID_IDENTIFIER"}} }
	answer()
	w.send()
	w.left(1, 0)
	w.clock.now = start.Add(15 * time.Minute)
	answer()
	w.send()
	w.left(1, 0)
	w.clock.now = start.Add(31 * time.Minute)
	answer()
	w.send()
	w.left(0, 1)
	if !strings.Contains(w.log.String(), "needs an operator") {
		t.Error("nobody was told")
	}
	w.clock.now = start.Add(1000 * time.Hour)
	w.send()
	if len(w.google.received) != 3 {
		t.Error("a parked notice went out by itself")
	}
}

func TestRefusedIsParked(t *testing.T) {
	w := newWorld(t)
	w.owe("n", "")
	w.owe("m", "")
	w.google.answers = []Result{{Class: Park, Status: 400, Word: "INVALID_FIELD_VALUE"}}
	w.send()
	w.left(0, 1) // one blocks no other
	if !strings.Contains(w.log.String(), "level=ERROR") {
		t.Error("nobody was told")
	}
}

func TestNoSenderIsParked(t *testing.T) {
	w := newWorld(t)
	w.Senders = nil
	w.owe("n", "")
	w.send()
	w.left(0, 1)
}

// Order is free except for an explicit predecessor.
func TestPredecessorComesFirst(t *testing.T) {
	w := newWorld(t)
	w.owe("behind", "first")
	w.owe("first", "")
	w.owe("free", "")
	w.google.answers = []Result{{Status: 500, Word: "error"}}
	w.send()
	w.send()
	if got := w.google.received; !slices.Equal(got, []string{"first", "free"}) {
		t.Fatal(got)
	}
	w.clock.now = w.clock.now.Add(time.Minute)
	w.send()
	w.send()
	if got := w.google.received[2:]; !slices.Equal(got, []string{"first", "behind"}) {
		t.Error(got)
	}
}

// The process dies around a sending: it goes out again under the same id, and is settled once.
func TestCrashAroundASending(t *testing.T) {
	for point, sent := range map[crash.Point]int{crash.NoticeClaimed: 1, crash.NoticeAnswered: 2, crash.NoticeSettled: 1} {
		w := newWorld(t)
		w.owe("n", "")
		w.die = point
		func() {
			defer func() {
				if p := recover(); p != point {
					t.Fatal("the point was not passed:", p)
				}
			}()
			w.send()
		}()
		w.send()
		w.left(0, 0)
		if len(w.google.received) != sent || slices.ContainsFunc(w.google.received, func(id string) bool { return id != "n" }) {
			t.Errorf("%s: %v", point, w.google.received)
		}
	}
}

// failing is a queue that cannot write.
type failing struct{ Queue }

func (failing) RecordTry(context.Context, engine.NoticeTry) error { return errors.New("disk on fire") }

func TestAttemptThatCannotBeWrittenDownIsRepeated(t *testing.T) {
	w := newWorld(t)
	w.owe("n", "")
	disk := w.Queue
	w.Queue = failing{disk}
	w.send()
	if !strings.Contains(w.log.String(), "disk on fire") {
		t.Error("nobody was told")
	}
	w.Queue = disk
	w.send()
	w.left(0, 0)
	if !slices.Equal(w.google.received, []string{"n", "n"}) {
		t.Error(w.google.received)
	}
}

func TestOperatorsLearnOfLateness(t *testing.T) {
	for _, c := range []struct {
		age  time.Duration
		says string
	}{{23 * time.Hour, ""}, {24 * time.Hour, "level=WARN"}, {71 * time.Hour, "level=WARN"}, {72 * time.Hour, "level=ERROR"}} {
		w := newWorld(t)
		w.owe("n", "")
		w.clock.now = start.Add(c.age)
		w.google.answers = []Result{{Status: 503}}
		w.send()
		if text := w.log.String(); (c.says == "") != (text == "") || !strings.Contains(text, c.says) {
			t.Errorf("after %v: %s", c.age, text)
		}
	}
	w := newWorld(t)
	w.owe("n", "")
	w.google.answers = []Result{{Status: 401, Alert: true}}
	w.send()
	if !strings.Contains(w.log.String(), "level=ERROR") {
		t.Error("an alert was not told at once")
	}
}

// The loop itself: woken by its bell, finishing what is under way when it is told to end.
func TestRun(t *testing.T) {
	w := newWorld(t)
	begun, open := make(chan struct{}), make(chan struct{})
	w.Senders[engine.CaptureResult] = sender(func(ctx context.Context, n engine.Notice) Result {
		close(begun)
		<-open
		if ctx.Err() != nil {
			t.Error("a sending under way was cancelled")
		}
		return w.google.Send(ctx, n)
	})
	var moving clock.Movable
	w.Worker.Clock, w.clock.now = &moving, moving.Now()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- w.Worker.Run(ctx) }()
	w.owe("n", "")
	w.Bell.Ring()
	<-begun
	cancel()
	close(open)
	if err := <-ended; err != nil {
		t.Error(err)
	}
	w.left(0, 0)
}

type sender func(context.Context, engine.Notice) Result

func (s sender) Send(ctx context.Context, n engine.Notice) Result { return s(ctx, n) }
