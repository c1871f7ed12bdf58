package killtest

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"naru/crash"
)

// later is a second, later passing of each point. A point that a process passes once in its life has none.
var later = map[crash.Point]int{
	crash.ReserveAccepted: 3, crash.ReserveSent: 3, crash.ReserveSettled: 3, crash.CaptureAccepted: 3, crash.CancelAccepted: 3,
	crash.AdviceClaimed: 3, crash.AdviceAnswered: 4, crash.AdviceSettled: 5, crash.NoticeClaimed: 3, crash.NoticeAnswered: 4,
	crash.NoticeSettled: 5, crash.RecoveryPrepared: 3, crash.ExpiryApplied: 3, crash.CommitBefore: 12, crash.CommitAfter: 17,
}

// before is the death that a point needs to be reached at all: recovery needs something to recover.
var before = map[crash.Point]string{
	crash.RecoveryPrepared: at(crash.ReserveSent, 1),
	crash.RecoveryDone:     at(crash.ReserveSent, 1),
}

func at(p crash.Point, n int) string { return fmt.Sprintf("%s:%d", p, n) }

const (
	livesAtOnce  = 10 // each waits most of its time
	lives        = 10
	killsPerLife = 5
	longest      = 1200 * time.Millisecond // from the start of a victim to a random instant of its death
)

// tally is what the whole test did.
type tally struct{ runs, payments, kills, starts atomic.Int64 }

// TestKilledAnywhere kills the process at every point there is, and at random instants (issue "One Korean card payment", design §3.8).
// NARU_KILLTEST=quick passes each point once and dies at five instants; NARU_KILLTEST_SEED repeats the instants of an earlier run.
func TestKilledAnywhere(t *testing.T) {
	quick := os.Getenv("NARU_KILLTEST") == "quick"
	seed, err := strconv.ParseUint(cmp.Or(os.Getenv("NARU_KILLTEST_SEED"), strconv.FormatInt(time.Now().UnixNano(), 10)), 10, 64)
	if err != nil {
		t.Fatal("NARU_KILLTEST_SEED is a number:", err)
	}
	var (
		shop = openWorkshop(t)
		did  tally
		all  sync.WaitGroup
		room = make(chan struct{}, livesAtOnce)
	)
	run := func(name, dialect string, seed uint64, live func(*life)) {
		all.Go(func() {
			room <- struct{}{}
			defer func() { <-room }()
			t.Run(name, func(t *testing.T) {
				did.runs.Add(1)
				l := shop.begin(t, dialect, seed, &did)
				live(l)
				l.audit()
			})
		})
	}
	for i, p := range crash.Points {
		spec := at(p, 1)
		run(spec, dialects[i%2], seed, func(l *life) { l.dieAt(before[p], spec) })
		if n, more := later[p]; more && !quick {
			spec := at(p, n)
			run(spec, dialects[(i+1)%2], seed, func(l *life) { l.dieAt(before[p], spec) })
		}
	}
	random := lives
	if quick {
		random = 1
	}
	for i := range random {
		own := seed + uint64(i)
		run(fmt.Sprintf("instants-%d", own), dialects[i%2], own, func(l *life) { l.dieAnywhere(killsPerLife, rand.New(rand.NewPCG(own, 0))) })
	}
	all.Wait()
	t.Logf("seed %d: %d kill points and %d random instants; %d runs, %d payments, %d kills, %d restarts", seed, len(crash.Points),
		random*killsPerLife, did.runs.Load(), did.payments.Load(), did.kills.Load(), did.starts.Load()-did.runs.Load())
}

// dieAt lives through one death at each point named, in this order, and then in peace.
func (l *life) dieAt(points ...string) {
	points = slices.DeleteFunc(points, func(p string) bool { return p == "" })
	v := l.start(points[0])
	traffic := l.traffic(true)
	for _, next := range append(points[1:], "") {
		select {
		case <-v.gone:
		case <-traffic: // what is left to pass is passed on the way out
			l.settle(v)
			v.stop()
		}
		if !l.died(v) {
			return
		}
		v = l.start(next)
	}
	l.finish(v, traffic)
}

// dieAnywhere is killed at random instants while payments are under way.
func (l *life) dieAnywhere(kills int, chance *rand.Rand) {
	var traffic []<-chan struct{}
	v := l.start("")
	for range kills {
		traffic = append(traffic, l.traffic(false))
		instant := time.NewTimer(time.Duration(chance.Int64N(int64(longest))))
		select {
		case <-instant.C:
		case <-v.gone:
		}
		v.kill()
		if !l.died(v) {
			return
		}
		v = l.start("")
	}
	l.finish(v, traffic...)
}

// finish lets the last victim bring everything to its end, asks for every answer once more, and stops it in good order.
func (l *life) finish(v *victim, traffic ...<-chan struct{}) {
	for _, t := range traffic {
		select {
		case <-t:
		case <-v.gone:
			l.t.Errorf("victim %d ended by itself with status %d", v.n, v.status)
			l.cancel()
			return
		}
	}
	if !l.settle(v) {
		return
	}
	l.askAgain(v)
	l.keepMetrics(v)
	v.stop()
	if v.status != 0 {
		l.t.Errorf("victim %d was asked to end and ended with status %d", v.n, v.status)
	}
}
