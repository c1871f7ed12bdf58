package engine

import (
	"cmp"
	"context"
	"errors"
	"time"
)

// Node says who works here, where several nodes share one store. The zero value is one process that owns its store: nobody else is waited for.
//
// Safety never rests on a clock. What a node does to a payment is tied to the version that it saw, what it sends to the count of sendings that
// it took, what it does for all nodes to the fence of a lease: whoever was taken for dead and wakes up again finds that it can write nothing.
// Leases only decide who tries.
type Node struct {
	ID    string        // of this life of the process: never used again
	Lease time.Duration // after how long a silence others take over

	// Now is the time of leases, which every node must agree on: that of the wall where nil. Business time may be moved on one node alone.
	Now func() time.Time
}

// shared reports whether there may be other nodes.
func (e *Engine) shared() bool { return e.node.ID != "" }

// LookAgain is how long a loop sleeps at the most: what other nodes leave behind rings no bell here. 0 is for ever.
func (e *Engine) LookAgain() time.Duration {
	if e.shared() {
		return time.Second
	}
	return 0
}

// nodeLease is the name of the lease that says that a node lives.
func nodeLease(id string) string { return "node/" + id }

// beats is how often a lease is renewed within its time.
const beats = 4

// Live says again and again that this node lives. It runs until ctx ends, and then says that it does not: nothing of it need be waited for.
func (e *Engine) Live(ctx context.Context) error {
	if !e.shared() {
		return nil
	}
	for {
		if err := e.beat(ctx); err != nil && ctx.Err() == nil {
			e.log.Error("this node cannot say that it lives", "error", err)
		}
		if err := e.clock.Sleep(ctx, e.clock.Now().Add(e.node.Lease/beats), nil); err != nil {
			break
		}
	}
	e.alive.Store(0)
	ended, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	now := e.node.Now()
	_ = e.store.Update(ended, func(tx Tx) error {
		_, _, err := tx.TakeLease(nodeLease(e.node.ID), e.node.ID, now, now)
		return err
	})
	return nil
}

// Join says for the first time that this node lives: before it takes its first request, or others would give that up.
func (e *Engine) Join(ctx context.Context) error {
	if !e.shared() {
		return nil
	}
	long := e.node.Now().Add(-day)
	if err := e.store.Update(ctx, func(tx Tx) error { return tx.ForgetNodes(long) }); err != nil {
		return err
	}
	return e.beat(ctx)
}

func (e *Engine) beat(ctx context.Context) error {
	now := e.node.Now()
	until := now.Add(e.node.Lease)
	err := e.store.Update(ctx, func(tx Tx) error {
		_, mine, err := tx.TakeLease(nodeLease(e.node.ID), e.node.ID, now, until)
		if err == nil && !mine {
			err = errors.New("engine: two nodes have one id")
		}
		return err
	})
	if err == nil {
		e.alive.Store(until.UnixMicro())
	}
	return err
}

// lives reports whether others still count on this node. One that was stopped for longer than its lease must not send what it had in hand: its
// request is somebody else's by now.
func (e *Engine) lives() bool {
	return !e.shared() || e.node.Now().UnixMicro() < e.alive.Load()
}

// ClaimTime is how long what was taken to be sent is left to whoever took it: longer than any answer is waited for.
func (e *Engine) ClaimTime() time.Duration {
	if e.shared() {
		return 3 * e.node.Lease
	}
	return 0
}

// duty is something that one node does for all, and the proof that it is this one.
type duty struct {
	name, holder string
	fence        int64
}

type dutyKey struct{}

var errRelieved = errors.New("engine: another node has taken this over")

// Duty does for all nodes what one of them must do, while this one holds the lease of that name: work's context ends when it is lost, and
// every transaction of work proves that the lease is still held. It runs until ctx ends, or work ends by itself.
func (e *Engine) Duty(ctx context.Context, name string, work func(context.Context) error) error {
	if !e.shared() {
		return work(ctx)
	}
	for {
		d, until, mine, err := e.takeDuty(ctx, name)
		if err != nil && ctx.Err() == nil {
			e.log.Error("a lease cannot be taken", "lease", name, "error", err)
		}
		if mine {
			if err, over := e.onDuty(ctx, d, until, work); over {
				return err
			}
		}
		if err := e.clock.Sleep(ctx, e.clock.Now().Add(e.node.Lease/beats), nil); err != nil {
			return nil
		}
	}
}

// onDuty works until the lease is lost; over says that there is nothing more to do.
func (e *Engine) onDuty(ctx context.Context, d duty, until time.Time, work func(context.Context) error) (err error, over bool) {
	on, stop := context.WithCancel(context.WithValue(ctx, dutyKey{}, d))
	defer stop()
	var result error
	done := make(chan struct{}) // a bell for the clock too
	go func() {
		defer close(done)
		result = work(on)
	}()
	for {
		_ = e.clock.Sleep(ctx, e.clock.Now().Add(e.node.Lease/beats), done)
		select {
		case <-done:
			return result, on.Err() == nil || ctx.Err() != nil
		default:
		}
		if ctx.Err() != nil {
			<-done
			e.leave(ctx, d)
			return result, true
		}
		again, more, mine, err := e.takeDuty(ctx, d.name)
		switch {
		case err != nil && e.node.Now().Before(until): // the store may come back in time
		case err != nil, !mine, again.fence != d.fence:
			e.log.Warn("another node takes over", "lease", d.name)
			stop()
			<-done
			return nil, false
		default:
			until = more
		}
	}
}

func (e *Engine) takeDuty(ctx context.Context, name string) (d duty, until time.Time, mine bool, err error) {
	now := e.node.Now()
	d, until = duty{name: name, holder: e.node.ID}, now.Add(e.node.Lease)
	err = e.store.Update(ctx, func(tx Tx) error {
		d.fence, mine, err = tx.TakeLease(name, d.holder, now, until)
		return err
	})
	return d, until, mine && err == nil, err
}

// leave lets others take over at once.
func (e *Engine) leave(ctx context.Context, d duty) {
	ended, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	now := e.node.Now()
	_ = e.store.Update(ended, func(tx Tx) error {
		_, _, err := tx.TakeLease(d.name, d.holder, now, now)
		return err
	})
}

// fenced is a store whose transactions on a duty prove that the lease is still held.
type fenced struct{ Store }

func (s fenced) Update(ctx context.Context, work func(Tx) error) error {
	d, on := ctx.Value(dutyKey{}).(duty)
	if !on {
		return s.Store.Update(ctx, work)
	}
	return s.Store.Update(ctx, func(tx Tx) error {
		if mine, err := tx.HoldsLease(d.name, d.holder, d.fence); err != nil || !mine {
			return cmp.Or(err, errRelieved)
		}
		return work(tx)
	})
}

// await waits for what a bell of this node tells, or another node writes down: look is asked now and then where there are others.
func (e *Engine) await(ctx context.Context, bell <-chan struct{}, look func() (bool, error)) {
	if !e.shared() {
		select {
		case <-bell:
		case <-ctx.Done():
		}
		return
	}
	tick := time.NewTicker(awaitEvery)
	defer tick.Stop()
	for {
		select {
		case <-bell:
			return
		case <-ctx.Done():
			return
		case <-tick.C:
			if done, err := look(); done && err == nil {
				return
			}
		}
	}
}

const awaitEvery = 200 * time.Millisecond
