package engine

import (
	"context"

	"naru/core/payment"
)

// ForwardDue sends every advice that is due at this moment once, as the loop of Forward does, and says how many those were.
func (e *Engine) ForwardDue(ctx context.Context) (int, error) {
	due, err := e.dueAdvices(ctx, e.clock.Now(), 1000)
	for _, a := range due {
		_ = e.forward(ctx, a) // it has told the log
	}
	return len(due), err
}

// ForwardOne sends one advice as it was read some time ago.
func (e *Engine) ForwardOne(ctx context.Context, a payment.Advice) { _ = e.forward(ctx, a) }

// ExpireDue ends every hold that is due at this moment, as the loop of Expire does.
func (e *Engine) ExpireDue(ctx context.Context) error {
	var due []payment.Reservation
	err := e.store.View(ctx, func(v Reader) (err error) {
		due, err = v.ExpiringReservations(e.clock.Now(), 1000)
		return err
	})
	for _, r := range due {
		_ = e.expireOne(ctx, r)
	}
	return err
}

// Flights are what keeps parallel copies apart.
type Flights = flights

// Join, Leave let tests order what otherwise only chance does.
func (f *flights) Join(r Request) (first, same bool, done <-chan struct{}) { return f.join(r) }
func (f *flights) Leave(k Key)                                             { f.leave(k) }
