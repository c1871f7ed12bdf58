package clock_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"naru/clock"
)

func TestZeroIsTheWallClockInUTC(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c clock.Movable
		if got := c.Now(); !got.Equal(time.Now()) || got.Location() != time.UTC {
			t.Error(got)
		}
	})
}

func TestAdvanceOnlyGoesForward(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c clock.Movable
		start := c.Now()
		if got := c.Advance(90 * time.Minute); !got.Equal(start.Add(90*time.Minute)) || !c.Now().Equal(got) {
			t.Error(got)
		}
		c.Advance(-time.Hour)
		c.Advance(0)
		if got := c.Now(); !got.Equal(start.Add(90 * time.Minute)) {
			t.Error("time went back to", got)
		}
	})
}

// sleeper sleeps in the background and says what Sleep returned.
func sleeper(ctx context.Context, c clock.Clock, until time.Time, wake <-chan struct{}) <-chan error {
	woken := make(chan error, 1)
	go func() { woken <- c.Sleep(ctx, until, wake) }()
	synctest.Wait()
	return woken
}

func asleep(t *testing.T, woken <-chan error) {
	t.Helper()
	synctest.Wait()
	select {
	case err := <-woken:
		t.Fatal("woke too early:", err)
	default:
	}
}

func awake(t *testing.T, woken <-chan error, want error) {
	t.Helper()
	synctest.Wait()
	select {
	case err := <-woken:
		if !errors.Is(err, want) {
			t.Fatal(err)
		}
	default:
		t.Fatal("still asleep")
	}
}

func TestAdvanceWakesWhoIsDueAndNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c clock.Movable
		ctx, cancel := context.WithCancel(t.Context())
		soon, late := sleeper(ctx, &c, c.Now().Add(time.Minute), nil), sleeper(ctx, &c, c.Now().Add(time.Hour), nil)
		never := sleeper(ctx, &c, time.Time{}, nil)
		c.Advance(59 * time.Second)
		asleep(t, soon)
		c.Advance(time.Second)
		awake(t, soon, nil)
		asleep(t, late)
		c.Advance(24 * time.Hour)
		awake(t, late, nil)
		asleep(t, never)
		cancel()
		awake(t, never, context.Canceled)
	})
}

func TestWallTimeWakesToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c clock.Movable
		c.Advance(time.Hour)
		woken := sleeper(t.Context(), &c, c.Now().Add(time.Minute), nil)
		c.Advance(30 * time.Second)
		asleep(t, woken)
		<-time.After(30 * time.Second) // the bubble's time, not ours
		awake(t, woken, nil)
	})
}

func TestSleepEndsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c clock.Movable
		rung := make(chan struct{}, 1)
		rung <- struct{}{}
		awake(t, sleeper(t.Context(), &c, time.Time{}, rung), nil)
		awake(t, sleeper(t.Context(), &c, c.Now(), nil), nil)
		awake(t, sleeper(t.Context(), &c, c.Now().Add(-time.Hour), nil), nil)
		over, cancel := context.WithCancel(t.Context())
		cancel()
		awake(t, sleeper(over, &c, c.Now().Add(time.Hour), nil), context.Canceled)
		awake(t, sleeper(over, &c, c.Now(), nil), context.Canceled)
	})
}
