package engine

import (
	"context"
	"fmt"
	"strings"
	"time"

	"naru/core/fault"
	"naru/core/payment"
)

// ListCases lists what waits for a person, or everything that ever did, oldest first.
func (e *Engine) ListCases(ctx context.Context, open bool, limit int) (list []Case, err error) {
	err = e.store.View(ctx, func(v Reader) error {
		list, err = v.Cases(open, limit)
		return err
	})
	return list, err
}

// CloseCase notes that a person has seen to a case.
func (e *Engine) CloseCase(ctx context.Context, id, note string) error {
	if note == "" {
		return fault.New(fault.Invalid, "say in a note why the case is closed")
	}
	return e.store.Update(ctx, func(tx Tx) error {
		if ok, err := tx.CloseCase(id, note, e.clock.Now()); err != nil || ok {
			return err
		}
		return ErrNotFound
	})
}

// ResumeCase sends again what a case is about, a message to the network or a notification, and closes the case. What was decided meanwhile is
// not sent again. An order to pay is a request, and goes out once: it is undone and ordered anew, as after a crash.
func (e *Engine) ResumeCase(ctx context.Context, id, note string) error {
	if note == "" {
		return fault.New(fault.Invalid, "say in a note why it is sent again")
	}
	now := e.clock.Now()
	err := e.store.Update(ctx, func(tx Tx) error {
		c, ok, err := tx.Case(id)
		if err != nil {
			return err
		}
		if !ok || !c.ClosedAt.IsZero() {
			return ErrNotFound
		}
		kind, what, _ := strings.Cut(c.Subject, "/")
		switch kind {
		case "advice":
			err = e.resumeAdvice(tx, what)
		case "payout":
			err = e.resumePayout(tx, what, now)
		case "notice":
			if ok, err = tx.ResumeNotice(what, now); err == nil && !ok {
				err = fault.New(fault.Precondition, "the notification is not parked any more")
			}
		default:
			err = fault.New(fault.Precondition, "there is nothing to send again for a case of the kind %s", c.Kind)
		}
		if err != nil {
			return err
		}
		_, err = tx.CloseCase(id, note, now)
		return err
	})
	e.Advices.Ring()
	e.Notices.Ring()
	e.Payouts.Ring()
	return err
}

// resumePayout lets a payout go on that nothing moved for, or asks once more about one that is open.
func (e *Engine) resumePayout(tx Tx, id string, now time.Time) error {
	p, ok, err := tx.Payout(id)
	if err != nil {
		return err
	}
	if !ok || p.State.Final() {
		return fault.New(fault.Precondition, "the payout is not open any more")
	}
	p.DueAt, p.Version = now, p.Version+1
	return mustChange(tx.UpdatePayout(p))
}

func (e *Engine) resumeAdvice(tx Tx, id string) error {
	a, ok, err := tx.Advice(id)
	if err != nil {
		return err
	}
	next, may := payment.AdviceRules.Next(a.State, payment.AdviceResume)
	if !ok || !may {
		return fault.New(fault.Precondition, "the message is not stopped any more")
	}
	a.State, a.DueAt = next, e.clock.Now()
	if a.File != "" { // it went by file: into the next one
		a.State, a.File, a.Line = payment.AdviceBatched, "", 0
	}
	if err := tx.UpdateAdvice(a); err != nil {
		return fmt.Errorf("resuming advice %s: %w", id, err)
	}
	return nil
}
