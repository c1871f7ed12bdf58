package queue_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"naru/clock"
	"naru/queue"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// row is one thing to do.
type row struct {
	id  string
	due time.Time
}

// list is a durable queue as a slice: a row stays until its work removes or delays it.
type list struct {
	mu    sync.Mutex
	rows  []row
	fails error
}

func (l *list) Due(_ context.Context, now time.Time, limit int) ([]row, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var due []row
	for _, r := range l.rows {
		if !r.due.After(now) {
			due = append(due, r)
		}
	}
	slices.SortStableFunc(due, func(a, b row) int { return a.due.Compare(b.due) })
	return due[:min(limit, len(due))], l.fails
}

func (l *list) Next(context.Context) (time.Time, bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.rows) == 0 {
		return time.Time{}, false, l.fails
	}
	return slices.MinFunc(l.rows, func(a, b row) int { return a.due.Compare(b.due) }).due, true, l.fails
}

func (l *list) add(r ...row) { l.mu.Lock(); l.rows = append(l.rows, r...); l.mu.Unlock() }

func (l *list) remove(id string) {
	l.mu.Lock()
	l.rows = slices.DeleteFunc(l.rows, func(r row) bool { return r.id == id })
	l.mu.Unlock()
}

func (l *list) delay(id string, until time.Time) { l.remove(id); l.add(row{id, until}) }

// bench is a loop over a list, and what it did.
type bench struct {
	list
	clock clock.Movable
	loop  *queue.Loop[row]
	log   strings.Builder

	mu   sync.Mutex
	done []string
	now  map[string]int // workers on an item at this moment
	most int            // items under work at once, at the most

	unwritten error // what the work reports
}

func newBench(lanes int, do func(context.Context, row)) *bench {
	b := &bench{now: map[string]int{}}
	b.loop = &queue.Loop[row]{
		Name: "test", Due: b.Due, Next: b.Next, ID: func(r row) string { return r.id }, Lanes: lanes, Clock: &b.clock, Bell: queue.NewBell(),
		Log: slog.New(slog.NewTextHandler(&b.log, nil)),
		Do: func(ctx context.Context, r row) error {
			b.mu.Lock()
			b.now[r.id]++
			if b.now[r.id] > 1 {
				panic(r.id + " has two workers")
			}
			b.most = max(b.most, len(b.now))
			b.mu.Unlock()
			do(ctx, r)
			b.mu.Lock()
			delete(b.now, r.id)
			b.done = append(b.done, r.id)
			b.mu.Unlock()
			return b.unwritten
		},
	}
	return b
}

// run works until stop is called; stop returns when the loop has ended.
func (b *bench) run(t *testing.T) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- b.loop.Run(ctx) }()
	synctest.Wait()
	return func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

func (b *bench) did() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.done)
}

func want(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("did %v, not %v", got, want)
	}
}

func TestOldestFirstAndOnlyWhatIsDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b *bench
		b = newBench(1, func(_ context.Context, r row) { b.remove(r.id) })
		now := b.clock.Now()
		b.add(row{"later", now.Add(time.Minute)}, row{"second", now}, row{"first", now.Add(-time.Hour)}, row{"much later", now.Add(time.Hour)})
		defer b.run(t)()
		want(t, b.did(), "first", "second")
		b.clock.Advance(59 * time.Second)
		synctest.Wait()
		want(t, b.did(), "first", "second")
		b.clock.Advance(time.Second)
		synctest.Wait()
		want(t, b.did(), "first", "second", "later")
	})
}

func TestBellWakesAnIdleLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b *bench
		b = newBench(2, func(_ context.Context, r row) { b.remove(r.id) })
		defer b.run(t)()
		b.add(row{"new", b.clock.Now()})
		synctest.Wait()
		want(t, b.did())
		for range 3 { // many rings are one
			b.loop.Bell.Ring()
		}
		synctest.Wait()
		want(t, b.did(), "new")
	})
}

func TestEachItemHasOneWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		var b *bench
		b = newBench(3, func(_ context.Context, r row) {
			<-gate
			b.remove(r.id)
		})
		for i := range 10 {
			b.add(row{fmt.Sprint(i), b.clock.Now()})
		}
		stop := b.run(t)
		for range 5 { // rows under work are still due, and are found again and again
			b.loop.Bell.Ring()
			synctest.Wait()
		}
		if b.most != 3 {
			t.Errorf("%d items under work at once", b.most)
		}
		close(gate)
		synctest.Wait()
		got := b.did()
		slices.SortFunc(got, cmp.Compare)
		want(t, got, "0", "1", "2", "3", "4", "5", "6", "7", "8", "9")
		stop()
	})
}

func TestOneSlowItemBlocksNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		var b *bench
		b = newBench(2, func(_ context.Context, r row) {
			if r.id == "slow" {
				<-gate
			}
			b.remove(r.id)
		})
		now := b.clock.Now()
		b.add(row{"slow", now.Add(-time.Second)}, row{"a", now}, row{"b", now}, row{"c", now})
		stop := b.run(t)
		synctest.Wait()
		want(t, b.did(), "a", "b", "c")
		close(gate)
		synctest.Wait()
		want(t, b.did(), "a", "b", "c", "slow")
		stop()
	})
}

func TestDelayedItemComesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b *bench
		b = newBench(1, func(_ context.Context, r row) { b.delay(r.id, b.clock.Now().Add(5*time.Second)) })
		b.add(row{"x", b.clock.Now()})
		defer b.run(t)()
		for n := 1; n <= 3; n++ {
			if got := len(b.did()); got != n {
				t.Fatalf("worked %d times, not %d", got, n)
			}
			b.clock.Advance(5 * time.Second)
			synctest.Wait()
		}
	})
}

func TestShutdownWaitsForWorkUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		var b *bench
		b = newBench(1, func(ctx context.Context, r row) {
			<-gate
			if ctx.Err() != nil {
				t.Error("work under way was cancelled")
			}
			b.remove(r.id)
		})
		b.add(row{"under way", b.clock.Now()}, row{"not begun", b.clock.Now()})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- b.loop.Run(ctx) }()
		synctest.Wait()
		cancel()
		synctest.Wait()
		select {
		case <-ended:
			t.Fatal("the loop left its work behind")
		default:
		}
		close(gate)
		if err := <-ended; err != nil {
			t.Error(err)
		}
		want(t, b.did(), "under way")
	})
}

func TestUnreadableQueueIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b *bench
		b = newBench(1, func(_ context.Context, r row) { b.remove(r.id) })
		b.fails = errors.New("disk on fire")
		stop := b.run(t)
		b.list.mu.Lock()
		b.fails, b.rows = nil, []row{{"x", b.clock.Now()}}
		b.list.mu.Unlock()
		b.clock.Advance(time.Second)
		synctest.Wait()
		want(t, b.did(), "x")
		stop()
		if !strings.Contains(b.log.String(), "disk on fire") {
			t.Error("nobody was told")
		}
	})
}

// What was read before an item's worker had finished is not news: the item is not worked on once more from it.
func TestStaleItemIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate, read := make(chan struct{}), 0
		var b *bench
		b = newBench(2, func(_ context.Context, r row) {
			<-gate
			b.remove(r.id)
		})
		b.add(row{"x", b.clock.Now()})
		b.loop.Due = func(ctx context.Context, now time.Time, limit int) ([]row, error) {
			due, err := b.Due(ctx, now, limit)
			if read++; read == 2 { // the reading takes so long that the worker is done before it ends
				close(gate)
				<-time.After(time.Nanosecond)
			}
			return due, err
		}
		stop := b.run(t)
		b.loop.Bell.Ring()
		<-time.After(time.Minute)
		want(t, b.did(), "x")
		stop()
	})
}

// Work that cannot be written down is due still: it is tried again after a pause, not as fast as the machine can.
func TestWorkThatCannotBeWrittenDownPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(2, func(context.Context, row) {})
		b.unwritten = errors.New("disk on fire")
		b.add(row{"x", b.clock.Now()})
		stop := b.run(t)
		<-time.After(10*time.Second + time.Millisecond)
		stop()
		if n := len(b.did()); n < 5 || n > 11 {
			t.Errorf("tried %d times in ten seconds", n)
		}
	})
}
