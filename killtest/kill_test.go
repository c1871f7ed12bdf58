package killtest

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"naru/crash"
	"naru/pgserver/pgtest"
)

// fate is what is played in one life, and where its victims die, one after the other: today, and when the business day is over.
type fate struct {
	play            programme
	today, tomorrow []string
}

// first is the first passing of every point. Whoever survives a point is killed at the next one. Recovery needs something to recover.
var first = []fate{
	{holds, firsts(crash.ReserveAccepted, crash.CaptureAccepted, crash.CancelAccepted), nil},
	{holds, firsts(crash.ReserveSent, crash.RecoveryPrepared, crash.RecoveryDone, crash.ExpiryApplied), nil},
	{holds, firsts(crash.NoticeClaimed, crash.NoticeAnswered, crash.NoticeSettled, crash.CheckpointSigned), nil},
	{aftermath, firsts(crash.SaleSettled, crash.AdviceClaimed, crash.AdviceAnswered, crash.AdviceSettled), nil},
	{aftermath, firsts(crash.ChargebackTaken, crash.RefundAccepted, crash.RecordTaken), firsts(crash.SettlementClosed)},
	{aftermath, firsts(crash.SaleAccepted, crash.SaleSent, crash.DefenceTaken, crash.FileTaken), nil},
	{away, firsts(crash.PayoutAccepted, crash.PayoutClaimed, crash.PayoutAnswered, crash.PayoutSettled), nil},
	{market, firsts(crash.DepositAccepted, crash.CreditTaken, crash.TransferAccepted), nil},
	{market, firsts(crash.DepositExpired), nil},
}

func firsts(points ...crash.Point) (all []string) {
	for _, p := range points {
		all = append(all, at(p, 1))
	}
	return all
}

// later is a later passing of each point. A point that a process passes once in its life has none.
var later = []fate{
	{holds, []string{at(crash.ReserveAccepted, 3)}, nil},
	{holds, []string{at(crash.ReserveSent, 3)}, nil},
	{holds, []string{at(crash.ReserveSettled, 3)}, nil},
	{holds, []string{at(crash.CaptureAccepted, 3)}, nil},
	{holds, []string{at(crash.CancelAccepted, 3)}, nil},
	{holds, []string{at(crash.ExpiryApplied, 3)}, nil},
	{holds, []string{at(crash.ReserveSent, 1), at(crash.RecoveryPrepared, 3)}, nil},
	{away, []string{at(crash.PayoutAccepted, 3), at(crash.PayoutSettled, 3)}, nil},
	{away, []string{at(crash.PayoutAnswered, 3), at(crash.PayoutClaimed, 3)}, nil},
	{market, []string{at(crash.DepositAccepted, 4), at(crash.CreditTaken, 5)}, nil},
	{market, []string{at(crash.TransferAccepted, 3)}, nil},
	{market, []string{at(crash.DepositExpired, 2)}, nil},
	{aftermath, []string{at(crash.RefundAccepted, 4)}, nil},
	{aftermath, []string{at(crash.DefenceTaken, 2)}, nil},
	{aftermath, []string{at(crash.ChargebackTaken, 3)}, nil},
	{aftermath, []string{at(crash.SaleAccepted, 3), at(crash.RecordTaken, 9)}, nil},
	{aftermath, []string{at(crash.SaleSent, 3), at(crash.FileTaken, 5)}, nil},
	{aftermath, nil, []string{at(crash.SettlementClosed, 2)}},
	{aftermath, []string{at(crash.AdviceClaimed, 3)}, nil},
	{holds, []string{at(crash.AdviceAnswered, 4)}, nil},
	{aftermath, []string{at(crash.AdviceSettled, 12)}, nil},
	{holds, []string{at(crash.NoticeClaimed, 3)}, nil},
	{aftermath, []string{at(crash.NoticeAnswered, 14)}, nil},
	{holds, []string{at(crash.NoticeSettled, 5)}, nil},
	{holds, []string{at(crash.CommitBefore, 12)}, nil},
	{aftermath, []string{at(crash.SaleSettled, 3), at(crash.CommitAfter, 40)}, nil},
}

func at(p crash.Point, n int) string { return fmt.Sprintf("%s:%d", p, n) }

const (
	livesAtOnce  = 10 // each waits most of its time
	killsPerLife = 5
	enough       = 8 // processors to live on both grounds at the same time; with two it saves nothing
)

// ground is a kind of database that lives stand on.
type ground struct {
	name    string
	place   func(t *testing.T, dir string) string // of a fresh one
	served  bool                                  // by a server, which survives; every victim is a new node
	lives   int                                   // that end at random instants
	longest time.Duration                         // from the start of a victim to such an instant
	erasing []fate                                // of victims that die when a card was erased, the first time first
	beside  []fate                                // of victims that die beside another node
	unread  []string                              // what fsck cannot look at there
}

// grounds are the two engines of the store. Among nodes, what a victim leaves waits until its lease is over: so victims live longer there,
// and fewer of them die at random.
var grounds = []ground{
	{
		name: "sqlite", place: func(_ *testing.T, dir string) string { return filepath.Join(dir, "naru.db") },
		lives: 10, longest: 1200 * time.Millisecond,
		erasing: []fate{ // at a start: no death may come between the captures and the next day
			{aftermath, firsts(crash.ReserveSettled, crash.CommitBefore, crash.CommitAfter), firsts(crash.CardErased)},
			{aftermath, nil, []string{at(crash.CardErased, 2)}},
		},
	},
	{
		name: "postgres", place: func(t *testing.T, _ string) string { return pgtest.URL(t) }, served: true,
		lives: 2, longest: 2400 * time.Millisecond,
		erasing: []fate{ // as soon as the windows are over: the loops of nodes look again and again
			{aftermath, firsts(crash.ReserveSettled, crash.CommitBefore, crash.CommitAfter, crash.CardErased), nil},
			{aftermath, []string{at(crash.CardErased, 2)}, nil},
		},
		beside: []fate{{holds, []string{at(crash.ReserveSent, 3)}, nil}},
		// Pages are the server's own, and scan looks into its files. What was written in the last minute no node signs.
		unread: []string{"integrity", "secrets-files", "checkpoints"},
	},
}

func TestMain(m *testing.M) { os.Exit(pgtest.Run(m)) }

// tally is what the whole test did.
type tally struct {
	runs, payments, sales, undone, refunds, disputes, files, settlements, totals, kills, starts atomic.Int64

	payouts, paid, told, orders, sendings atomic.Int64

	deposits, credits, reports, wires, resent, news, newsAgain atomic.Int64
}

// TestKilledAnywhere kills the process at every point there is, and at random instants (design §3.8), on each engine of the store.
// NARU_QUICK dies at each point once and at five instants; NARU_KILLTEST_SEED repeats the instants and the
// dialects of an earlier run.
func TestKilledAnywhere(t *testing.T) {
	quick := os.Getenv("NARU_QUICK") != ""
	seed, err := strconv.ParseUint(cmp.Or(os.Getenv("NARU_KILLTEST_SEED"), strconv.FormatInt(time.Now().UnixNano(), 10)), 10, 64)
	if err != nil {
		t.Fatal("NARU_KILLTEST_SEED is a number:", err)
	}
	shop := openWorkshop(t)
	for _, on := range grounds {
		t.Run(on.name, func(t *testing.T) {
			if runtime.NumCPU() >= enough {
				t.Parallel()
			}
			shop.killAnywhere(t, on, seed, quick)
		})
	}
}

// killAnywhere lives all lives on one ground.
func (w *workshop) killAnywhere(t *testing.T, on ground, seed uint64, quick bool) {
	var (
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
				l := w.begin(t, on, dialect, seed, &did)
				live(l)
				l.audit()
			})
		})
	}
	fates := append(slices.Clone(first), on.erasing[0])
	if !quick {
		fates = slices.Concat(first, later, on.erasing)
	}
	passed := map[string]bool{}
	for i, f := range fates {
		points := slices.Concat(f.today, f.tomorrow)
		for _, p := range points {
			passed[p] = true
		}
		run(strings.Join(points, ","), dialects[(seed+uint64(i))%2], seed, func(l *life) { l.dieAt(f) })
	}
	for _, p := range firsts(crash.Points...) {
		if !passed[p] {
			t.Errorf("nobody dies at %s", p)
		}
	}
	for i, f := range on.beside {
		run("beside-"+strings.Join(f.today, ","), dialects[(seed+uint64(i))%2], seed, func(l *life) { l.dieBeside(f) })
	}
	random := on.lives
	if quick {
		random = 1
	}
	for i := range random {
		own := seed + uint64(i)
		run(fmt.Sprintf("instants-%d", own), everywhere[i%len(everywhere)], own, func(l *life) {
			l.dieAnywhere(killsPerLife, rand.New(rand.NewPCG(own, 0)))
		})
	}
	all.Wait()
	t.Logf("%s, seed %d: %d kill points and %d random instants; %d runs, %d kills, %d restarts", on.name, seed, len(crash.Points),
		random*killsPerLife, did.runs.Load(), did.kills.Load(), did.starts.Load()-did.runs.Load())
	t.Logf("%d payments, %d of them sales, %d bookings of sales undone; %d refunds, %d disputes", did.payments.Load(), did.sales.Load(),
		did.undone.Load(), did.refunds.Load(), did.disputes.Load())
	t.Logf("%d files of the acquirer, %d settlements, %d totals of a day compared",
		did.files.Load(), did.settlements.Load(), did.totals.Load())
	again := did.sendings.Load() - did.orders.Load()
	t.Logf("%d payouts, %d of them paid, none twice, and %d told by a message as well; %d orders to the bank, %d times sent again",
		did.payouts.Load(), did.paid.Load(), did.told.Load(), did.orders.Load(), again)
	t.Logf("%d deposit orders; %d credits, told %d times; %d payouts of a merchant, %d orders sent again; %d times it heard news, %d again",
		did.deposits.Load(), did.credits.Load(), did.reports.Load(), did.wires.Load(), did.resent.Load(), did.news.Load(), did.newsAgain.Load())
	if whole := did.runs.Load() == int64(len(fates)+len(on.beside)+random); whole && (did.totals.Load() == 0 || did.undone.Load() == 0) {
		t.Error("no totals of a day were ever compared, or no sale was ever undone")
	} else if whole && (did.told.Load() == 0 || again == 0) {
		t.Error("no payout was ever told by a message, or no order was ever sent again")
	} else if whole && (did.resent.Load() == 0 || did.reports.Load() <= did.credits.Load()) {
		t.Error("no order of a merchant was ever sent again, or no credit was ever told twice")
	}
}

// dieAt lives through the deaths that are its fate, and then in peace.
func (l *life) dieAt(f fate) {
	points := append(slices.Clone(f.today), "")
	v := l.start(points[0])
	day := l.day(f.play)
	for _, next := range points[1:] {
		select {
		case <-v.gone:
		case <-day: // what is left to pass is passed on the way out
			v.stop()
		}
		if !l.died(v) {
			return
		}
		v = l.start(next)
	}
	if l.over(v, day) {
		l.finish(v, f.tomorrow...)
	}
}

// day is everything that happens until the business day has ended. What it gives closes then.
func (l *life) day(play programme) <-chan struct{} {
	done := make(chan struct{})
	l.busy.Go(func() {
		defer close(done)
		<-l.traffic(true, play)
		if l.rest(nil) {
			l.endDay()
			l.rest(nil)
		}
	})
	return done
}

// dieAnywhere is killed at random instants: while payments are under way, and the last time after the acquirer's day has ended.
func (l *life) dieAnywhere(kills int, chance *rand.Rand) {
	var traffic []<-chan struct{}
	v := l.start("")
	for n := range kills {
		if n < kills-1 {
			traffic = append(traffic, l.traffic(false, []programme{aftermath, holds}[n%2]))
		} else {
			for _, t := range traffic {
				if !l.over(v, t) {
					return
				}
			}
			if !l.rest(v) {
				return
			}
			l.endDay()
		}
		instant := time.NewTimer(time.Duration(chance.Int64N(int64(l.on.longest))))
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
	l.finish(v)
}

// over waits for the end of what the victim must survive.
func (l *life) over(v *victim, end <-chan struct{}) bool {
	select {
	case <-end:
		return !l.t.Failed()
	case <-v.gone:
		l.t.Errorf("victim %d ended by itself with status %d:\n%s", v.n, v.status, l.lastWords(v))
		l.cancel()
		return false
	}
}

// finish brings the day to its end and lives through the deaths of the next one. The last victim brings everything to rest, is asked for
// every answer once more, and is stopped in good order.
func (l *life) finish(v *victim, points ...string) {
	if !l.rest(v) || !l.ended(v) {
		return
	}
	l.config, l.tomorrow = l.nextConfig, true
	for _, p := range points {
		v = l.start(p)
		l.rest(v)
		v.stop()
		if !l.died(v) {
			return
		}
	}
	v = l.start("")
	if !l.rest(v) {
		return
	}
	l.askAgain(v)
	l.keepMetrics(v)
	l.ended(v)
}

// ended asks a victim to end, which must be the end of it.
func (l *life) ended(v *victim) bool {
	v.stop()
	if v.status != 0 {
		l.t.Errorf("victim %d was asked to end and ended with status %d:\n%s", v.n, v.status, l.lastWords(v))
	}
	return v.status == 0
}
