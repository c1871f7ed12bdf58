// Package clock is business time: hold expiry, back-off, settlement days. It is passed in, and a sandbox may move it.
// Wall time (TLS, header timestamps, network time-outs) is another matter and stays with the standard library.
package clock

import (
	"context"
	"sync"
	"time"
)

// A Clock tells business time.
type Clock interface {
	Now() time.Time
	// Sleep returns at business time until, or as soon as wake delivers, or with ctx's error. A zero until waits for wake alone.
	Sleep(ctx context.Context, until time.Time, wake <-chan struct{}) error
}

// Movable is the wall clock plus an offset that only grows. Its zero value is the wall clock itself.
type Movable struct {
	mu     sync.Mutex
	offset time.Duration
	moved  chan struct{}
}

// Now is the business time, in UTC.
func (c *Movable) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().UTC().Add(c.offset)
}

// Advance moves the clock forward and wakes whoever waits for a time that has now come. Negative steps are ignored: time does not go back.
func (c *Movable) Advance(d time.Duration) time.Time {
	c.mu.Lock()
	if d > 0 {
		c.offset += d
		if c.moved != nil {
			close(c.moved)
			c.moved = nil
		}
	}
	c.mu.Unlock()
	return c.Now()
}

func (c *Movable) changed() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.moved == nil {
		c.moved = make(chan struct{})
	}
	return c.moved
}

// Sleep implements Clock.
func (c *Movable) Sleep(ctx context.Context, until time.Time, wake <-chan struct{}) error {
	for {
		moved := c.changed()
		var due <-chan time.Time
		if !until.IsZero() {
			left := until.Sub(c.Now())
			if left <= 0 {
				return ctx.Err()
			}
			t := time.NewTimer(left)
			defer t.Stop()
			due = t.C
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-wake:
			return nil
		case <-due:
			return nil
		case <-moved:
		}
	}
}
