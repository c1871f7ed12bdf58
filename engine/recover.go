package engine

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"naru/core/payment"
	"naru/crash"
)

// Recover gives up every first call that nobody is working on any more: what its attempt may hold is reversed, never adopted, and the next
// repeat is judged afresh (design §3.1). Run before the first request it finds what an earlier process left; among several nodes, what those
// left that do not say any more that they live.
func (e *Engine) Recover(ctx context.Context) (int, error) {
	var left []Idempotency
	err := e.store.View(ctx, func(v Reader) (err error) {
		left, err = v.Abandoned(e.node.ID, e.node.Now())
		return err
	})
	if err != nil {
		return 0, err
	}
	e.unsent.Range(func(attempt, since any) bool { // what is not on disk by now never will be
		if e.clock.Now().Sub(since.(time.Time)) > time.Hour {
			e.unsent.Delete(attempt)
		}
		return true
	})
	given := 0
	for _, row := range left {
		if row.Node == e.node.ID && e.flights.has(row.Key) {
			continue
		}
		e.crash(crash.RecoveryPrepared)
		if err := e.abandon(ctx, row); err != nil {
			return given, err
		}
		given++
	}
	if given > 0 {
		e.crash(crash.RecoveryDone)
		e.log.Warn("abandoned requests were given up", "count", given)
		e.Advices.Ring()
	}
	return given, nil
}

// recoverEvery is how often a running process looks for what a failed write left behind.
const recoverEvery = 15 * time.Second

// KeepRecovering looks again and again, until ctx ends.
func (e *Engine) KeepRecovering(ctx context.Context) error {
	for {
		if err := e.clock.Sleep(ctx, e.clock.Now().Add(cmp.Or(e.LookAgain(), recoverEvery)), nil); err != nil {
			return nil
		}
		if _, err := e.Recover(ctx); err != nil && ctx.Err() == nil {
			e.log.Error("recovery", "error", err)
		}
	}
}

func (e *Engine) abandon(ctx context.Context, left Idempotency) error {
	k := left.Key
	acquirer, err := e.acquirerOf(ctx, k)
	if err != nil {
		return err
	}
	now := e.clock.Now()
	_, trace, err := e.trace(ctx, acquirer, now)
	if err != nil {
		return fmt.Errorf("account %s, an unfinished request: %w", k.Account, err)
	}
	e.meter.Reversed(payment.UndoCrash)
	return e.store.Update(ctx, func(tx Tx) error {
		row, ok, err := tx.Idempotency(k)
		if err != nil || !ok || row.Done || row.Node != left.Node || !row.CreatedAt.Equal(left.CreatedAt) {
			return err // another gave it up meanwhile, and somebody may be working on a repeat
		}
		r, ok, err := tx.ReservationByRequest(k)
		if err != nil {
			return err
		}
		if ok && r.State == payment.Pending {
			a, ok, err := tx.Attempt(r.AttemptID)
			if err != nil {
				return err
			}
			if !ok {
				panic("engine: a reservation without its attempt")
			}
			if _, never := e.unsent.Load(a.ID); never { // its own life knows that nothing left: there is nothing to undo
				if err := e.attempt(tx, a, payment.AttemptFail, now); err != nil {
					return err
				}
				if _, err := e.step(tx, r, payment.Void, change{actor: "recovery", at: now, detail: "never sent"}); err != nil {
					return err
				}
				return tx.DeleteIdempotency(k)
			}
			if err := e.reverse(tx, a, payment.AttemptLose, r.Amount, payment.UndoCrash, trace, now); err != nil {
				return err
			}
			c := change{actor: "recovery", at: now, detail: "undo=" + string(payment.UndoCrash), keepCard: true}
			if _, err := e.step(tx, r, payment.Lose, c); err != nil {
				return err
			}
		}
		return tx.DeleteIdempotency(k)
	})
}
