package bench

import (
	"errors"
	"math"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A server that stands still for a second makes ten calls wait that were due meanwhile, each from when it was due: none is left out, and none
// is sent later so that it looks fast.
func TestOpenLoopCountsFromWhenCallsWereDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		took, err := paced(t.Context(), 15, 10, func(i int) error {
			if at := time.Since(start); at != time.Duration(i)*100*time.Millisecond {
				t.Errorf("call %d began after %v", i, at)
			}
			time.Sleep(time.Second - time.Since(start)) // it answers from then on, at once
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for i, ms := range took {
			if want := max(0, 1000-100*float64(i)); math.Abs(ms-want) > .001 {
				t.Errorf("call %d took %v ms, not %v", i, ms, want)
			}
		}
		wrong := errors.New("wrong")
		if _, err := paced(t.Context(), 3, 10, func(i int) error {
			if i == 1 {
				return wrong
			}
			return nil
		}); !errors.Is(err, wrong) {
			t.Errorf("a call that failed was counted: %v", err)
		}
	})
}

func TestLatencyNamesTheSlowest(t *testing.T) {
	var took []float64
	for i := range 1000 {
		took = append(took, float64(1000-i)) // 1 to 1000 ms, the slowest first
	}
	l := latency(took, 100)
	if l.Calls != 1000 || l.P50 != 501 || l.P99 != 991 || l.P999 != 1000 {
		t.Errorf("%+v", l)
	}
	if first, last := l.Curve[0], l.Curve[len(l.Curve)-1]; first != (Quantile{0, 1}) || last != (Quantile{1, 1000}) {
		t.Errorf("the curve goes from %v to %v", first, last)
	}
	if !slices.IsSortedFunc(l.Curve, func(a, b Quantile) int { return int(a.MS - b.MS) }) {
		t.Errorf("the curve falls: %v", l.Curve)
	}
}

func TestClosedLoopCountsWhatWasDone(t *testing.T) {
	var calls atomic.Int64
	done, _, err := together(t.Context(), 4, time.Hour, func(n int) error {
		if n >= 100 {
			return errEnough
		}
		calls.Add(1)
		return nil
	})
	if err != nil || done != 100 || calls.Load() != 100 {
		t.Errorf("%d counted, %d called, %v", done, calls.Load(), err)
	}
	wrong := errors.New("wrong")
	if _, _, err := together(t.Context(), 4, time.Hour, func(n int) error { return wrong }); !errors.Is(err, wrong) {
		t.Errorf("got %v", err)
	}
}

// What a load cost is what its processes cost meanwhile, over its calls.
func TestCostIsTakenOverTheCalls(t *testing.T) {
	at := []spent{{time.Second, 0}, {3 * time.Second, 500 * time.Millisecond}}
	read := func() (s spent, err error) { s, at = at[0], at[1:]; return s, nil }
	p, err := measured(read, func() (int, time.Duration, error) { return 1000, 4 * time.Second, nil })
	if want := (phase{calls: 1000, cpu: 2, database: .5, perSecond: 250}); err != nil || p != want {
		t.Errorf("%+v, %v; want %+v", p, err, want)
	}
	at = []spent{{}, {}}
	if _, err := measured(read, func() (int, time.Duration, error) { return 0, time.Second, nil }); err == nil {
		t.Error("nothing was called, and that cost something")
	}
}
