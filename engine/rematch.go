package engine

import (
	"context"
	"time"

	"naru/core/deposit"
)

// rematchEvery is how often money and orders that passed each other are looked for, and rematchWithin how long ago that may have been: longer
// than any transaction lives.
const (
	rematchEvery  = 2 * time.Second
	rematchWithin = time.Minute
)

// Rematch brings together what passed each other. Money that comes looks at the orders there are, and a new order at the money that waits; where
// two nodes take them in at the same moment, neither sees the other. One process does one after the other, and has nothing to do here. It runs
// until ctx ends.
func (e *Engine) Rematch(ctx context.Context) error {
	if !e.shared() {
		return nil
	}
	looked := map[string]time.Time{}
	for {
		if err := e.clock.Sleep(ctx, e.clock.Now().Add(rematchEvery), nil); err != nil {
			return nil
		}
		if err := e.rematch(ctx, looked); err != nil && ctx.Err() == nil {
			e.log.Error("money and orders that passed each other cannot be looked for", "error", err)
		}
	}
}

func (e *Engine) rematch(ctx context.Context, looked map[string]time.Time) error {
	now := e.clock.Now()
	for id, at := range looked {
		if now.Sub(at) > 4*rematchWithin {
			delete(looked, id)
		}
	}
	var passed []deposit.Order
	err := e.store.View(ctx, func(v Reader) (err error) {
		passed, err = v.OrdersPassed(now.Add(-2*rematchWithin), rematchWithin, 100)
		return err
	})
	if err != nil {
		return err
	}
	for _, o := range passed {
		if _, done := looked[o.ID]; done {
			continue
		}
		var touched []string
		err := e.store.Update(ctx, func(tx Tx) error {
			touched = nil
			fresh, ok, err := tx.Order(o.ID)
			if err != nil || !ok || fresh.State != deposit.Waiting {
				return err
			}
			_, err = e.claimWaiting(tx, fresh, change{actor: "clock", at: now, touched: &touched})
			return err
		})
		if err != nil {
			return err
		}
		looked[o.ID] = now
		e.changed.tell(touched...)
		e.Notices.Ring()
	}
	return nil
}
