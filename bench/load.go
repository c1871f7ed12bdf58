package bench

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// phase is what a load phase came to. Times are milliseconds of one core for one successful call.
type phase struct {
	calls     int
	cpu       float64 // of the server
	database  float64 // of the database's own processes; 0 where it has none
	perSecond float64
}

// spent is CPU time so far.
type spent struct{ server, database time.Duration }

// measured runs a load and reads beside it what it cost.
func measured(read func() (spent, error), load func() (calls int, took time.Duration, err error)) (p phase, err error) {
	before, err := read()
	if err != nil {
		return p, err
	}
	calls, took, err := load()
	if err != nil {
		return p, err
	}
	if calls == 0 {
		return p, errors.New("nothing was called")
	}
	after, err := read()
	each := func(d time.Duration) float64 { return d.Seconds() * 1000 / float64(calls) }
	return phase{
		calls: calls, cpu: each(after.server - before.server), database: each(after.database - before.database),
		perSecond: float64(calls) / took.Seconds(),
	}, err
}

// errEnough ends a closed loop: there is no more to do.
var errEnough = errors.New("enough")

// together keeps workers doing something for a time, and counts how often it was done: a closed loop. The first error ends it.
func together(ctx context.Context, workers int, d time.Duration, do func(n int) error) (done int, took time.Duration, err error) {
	var next, good atomic.Int64
	var wait sync.WaitGroup
	failed := make(chan error, workers)
	start := time.Now()
	for range workers {
		wait.Go(func() {
			for ctx.Err() == nil && len(failed) == 0 && time.Since(start) < d {
				if err := do(int(next.Add(1) - 1)); err != nil {
					failed <- err
					return
				}
				good.Add(1)
			}
		})
	}
	wait.Wait()
	took = time.Since(start)
	select {
	case err = <-failed:
	default:
		err = ctx.Err()
	}
	if errors.Is(err, errEnough) {
		err = nil
	}
	return int(good.Load()), took, err
}

// paced begins n calls at a fixed rate whatever comes back, and gives how many milliseconds each took from when it was due: an open loop. A
// server that stands still makes all those wait that were due meanwhile, and each of them counts.
func paced(ctx context.Context, n int, perSecond float64, call func(i int) error) ([]float64, error) {
	took := make([]float64, n)
	var wait sync.WaitGroup
	failed := make(chan error, n)
	start := time.Now()
	for i := range n {
		due := start.Add(time.Duration(float64(i) / perSecond * float64(time.Second)))
		select {
		case <-ctx.Done():
			wait.Wait()
			return nil, ctx.Err()
		case <-time.After(time.Until(due)):
		}
		wait.Go(func() {
			if err := call(i); err != nil {
				failed <- err
			}
			took[i] = time.Since(due).Seconds() * 1000
		})
	}
	wait.Wait()
	select {
	case err := <-failed:
		return nil, err
	default:
		return took, nil
	}
}

// Latency is measured from when a request was due, not from when it could be sent. Milliseconds of wall time.
type Latency struct {
	PerSecond float64    `json:"per_second"`
	Calls     int        `json:"calls"`
	P50       float64    `json:"p50"`
	P99       float64    `json:"p99"`
	P999      float64    `json:"p99_9"`
	Curve     []Quantile `json:"curve"`
}

// Quantile is how long the fastest share of calls took at the most.
type Quantile struct {
	Share float64 `json:"share"`
	MS    float64 `json:"ms"`
}

// shares are the points of a latency's curve.
var shares = []float64{0, .1, .25, .5, .75, .9, .95, .98, .99, .995, .998, .999, 1}

func latency(took []float64, perSecond float64) Latency {
	took = slices.Sorted(slices.Values(took))
	at := func(share float64) float64 { return took[min(len(took)-1, int(share*float64(len(took))))] }
	l := Latency{PerSecond: perSecond, Calls: len(took), P50: at(.5), P99: at(.99), P999: at(.999)}
	for _, s := range shares {
		l.Curve = append(l.Curve, Quantile{s, at(s)})
	}
	return l
}

// median is the middle of an odd number of rounds, and the upper middle of an even one.
func median(v []float64) float64 { return slices.Sorted(slices.Values(v))[len(v)/2] }
