// Package queue works off durable queues: rows in a database that say what is still to be done and when.
// What is done, and what is tried again later, the work itself writes down; the loop only finds what is due and keeps each item to one worker.
package queue

import (
	"context"
	"log/slog"
	"maps"
	"sync"
	"time"

	"naru/clock"
)

// A Bell tells a loop that something may be due. Ringing it never blocks, and many rings while the loop is busy are one.
type Bell chan struct{}

// NewBell makes a bell.
func NewBell() Bell { return make(Bell, 1) }

// Ring wakes the loop.
func (b Bell) Ring() {
	select {
	case b <- struct{}{}:
	default:
	}
}

// Chime is the bells of several loops that work off parts of one queue.
type Chime []Bell

// NewChime makes a chime of so many bells.
func NewChime(bells int) Chime {
	c := make(Chime, bells)
	for i := range c {
		c[i] = NewBell()
	}
	return c
}

// Bells are the bells of loops that share one queue, by the part of it that each works off.
type Bells map[string]Bell

// NewBells makes a bell for each part.
func NewBells[T any](parts map[string]T) Bells {
	b := Bells{}
	for part := range parts {
		b[part] = NewBell()
	}
	return b
}

// Ring wakes every loop.
func (b Bells) Ring() {
	for _, one := range b {
		one.Ring()
	}
}

// Ring wakes every loop.
func (c Chime) Ring() {
	for _, b := range c {
		b.Ring()
	}
}

// Loop works off one queue.
type Loop[T any] struct {
	Name  string
	Due   func(ctx context.Context, now time.Time, limit int) ([]T, error) // oldest first; items under work may be among them
	Next  func(context.Context) (time.Time, bool, error)                   // when the earliest item is due
	ID    func(T) string
	Do    func(context.Context, T) error // finishes what it began even when ctx ends; an error: that could not be written down
	Lanes int                            // how many items are under work at once
	Clock clock.Clock
	Bell  Bell
	Most  time.Duration // how long it sleeps at the most: what others do rings no bell here; for ever where 0
	Log   *slog.Logger

	// Claims says that Due takes what it gives, so that no other node has it too: no more is asked for than can be worked on at once.
	Claims bool

	mu   sync.Mutex
	busy map[string]bool
}

// pause is how long the loop waits where what is due is under work already, or cannot be read.
const pause = time.Second

// Run works until ctx ends, and returns when the items under work are done.
func (l *Loop[T]) Run(ctx context.Context) error {
	l.busy = map[string]bool{}
	lanes := make(chan struct{}, max(1, l.Lanes))
	var workers sync.WaitGroup
	defer workers.Wait()
	for ctx.Err() == nil {
		now := l.Clock.Now()
		under := l.underWork() // what these leave behind is not in what is read now
		limit := 4*cap(lanes) + len(under)
		if l.Claims {
			limit = max(1, cap(lanes)-len(under))
		}
		due, err := l.Due(ctx, now, limit)
		if err != nil && ctx.Err() == nil {
			l.Log.Error("reading what is due", "queue", l.Name, "error", err)
		}
		for _, item := range due {
			id := l.ID(item)
			if under[id] || !l.claim(id) {
				continue
			}
			select {
			case lanes <- struct{}{}:
			case <-ctx.Done():
				return nil
			}
			workers.Go(func() {
				defer func() {
					l.free(id)
					<-lanes
					l.Bell.Ring()
				}()
				if err := l.Do(context.WithoutCancel(ctx), item); err != nil { // it is due still: not again at once
					_ = l.Clock.Sleep(ctx, l.Clock.Now().Add(pause), nil)
				}
			})
		}
		until, some, err := l.Next(ctx)
		switch {
		case err != nil, some && !until.After(now):
			until = now.Add(pause)
		case !some:
			until = time.Time{}
		}
		if l.Most > 0 && (until.IsZero() || until.Sub(now) > l.Most) {
			until = now.Add(l.Most)
		}
		_ = l.Clock.Sleep(ctx, until, l.Bell)
	}
	return nil
}

func (l *Loop[T]) underWork() map[string]bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.busy)
}

func (l *Loop[T]) claim(id string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.busy[id] {
		return false
	}
	l.busy[id] = true
	return true
}

func (l *Loop[T]) free(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.busy, id)
}
