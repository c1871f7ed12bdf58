package engine

import (
	"context"
	"slices"
	"time"

	"naru/core/fault"
)

// ReceiverHealth is how a receiving account does.
type ReceiverHealth struct {
	Receiver
	Pause      Pause // zero: it does not rest
	Open       int64 // orders that are to be paid there
	Today      int64 // what has come since the day began in Korea, in minor units
	LastCredit time.Time
}

// ReceiverHealths says how every receiving account does, by its id.
func (e *Engine) ReceiverHealths(ctx context.Context) (list []ReceiverHealth, err error) {
	now := e.clock.Now()
	err = e.store.View(ctx, func(v Reader) error {
		list = nil
		pauses, err := v.Pauses()
		if err != nil {
			return err
		}
		for _, r := range e.receivers {
			h := ReceiverHealth{Receiver: r}
			if i := slices.IndexFunc(pauses, func(p Pause) bool { return p.Receiver == r.ID }); i >= 0 {
				h.Pause = pauses[i]
			}
			if h.Open, err = v.OpenOrders(r.ID); err != nil {
				return err
			}
			if h.Today, err = v.Received(r.ID, startOfDay(now, korea)); err != nil {
				return err
			}
			if h.LastCredit, _, err = v.LastCredit(r.ID); err != nil {
				return err
			}
			list = append(list, h)
		}
		return nil
	})
	slices.SortFunc(list, func(a, b ReceiverHealth) int {
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
	return list, err
}

// PauseReceiver lets a receiving account rest, because an operator says so: its bank is being maintained, or stopped telling.
func (e *Engine) PauseReceiver(ctx context.Context, id, note string) error {
	return e.setPause(ctx, id, note, "pause", func(tx Tx, p Pause) (bool, error) { return tx.PutPause(p) })
}

// ResumeReceiver lets it be paid into again.
func (e *Engine) ResumeReceiver(ctx context.Context, id, note string) error {
	return e.setPause(ctx, id, note, "resume", func(tx Tx, p Pause) (bool, error) { return tx.DeletePause(p.Receiver) })
}

func (e *Engine) setPause(ctx context.Context, id, note, event string, set func(Tx, Pause) (bool, error)) error {
	if _, ok := e.receivers[id]; !ok {
		return ErrNotFound
	}
	if note == "" {
		return fault.New(fault.Invalid, "say in a note why")
	}
	now := e.clock.Now()
	return e.store.Update(ctx, func(tx Tx) error {
		changed, err := set(tx, Pause{Receiver: id, Note: note, Since: now})
		if err != nil {
			return err
		}
		if !changed {
			return fault.New(fault.Precondition, "it is so already")
		}
		_, err = e.enter(tx, id, "receiver/"+id, event, "", nil, change{actor: "operator", at: now, detail: "note=" + note})
		return err
	})
}
