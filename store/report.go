package store

import (
	"context"
	"time"

	"naru/engine"
)

// Balance is what one account of one owner holds: debits less credits, in whole minor units.
type Balance struct {
	Account  string
	Owner    string
	Currency string
	Amount   int64
}

const selectBalances = `SELECT account, owner, currency, amount FROM balance ORDER BY owner, account, currency`

// Balances lists every account that was ever posted to.
func (s *Store) Balances(ctx context.Context) (list []Balance, err error) {
	err = s.look(ctx, func(c *session) error {
		list, err = all(c, selectBalances, nil, func(scan scanner) (b Balance, err error) {
			return b, scan(&b.Account, &b.Owner, &b.Currency, &b.Amount)
		})
		return err
	})
	return list, err
}

// Backlog counts what is owed: to the network, to the counterparty, to a person. Oldest is the age of the oldest of each; zero where none.
type Backlog struct {
	Advices, Notices, Parked, Cases int64
	OldestAdvice, OldestNotice      time.Time
}

const selectBacklog = `
SELECT (SELECT COUNT(*) FROM advice WHERE state = 'QUEUED'), (SELECT MIN(created_us) FROM advice WHERE state = 'QUEUED'),
       (SELECT COUNT(*) FROM notice WHERE state = 'QUEUED'), (SELECT MIN(created_us) FROM notice WHERE state = 'QUEUED'),
       (SELECT COUNT(*) FROM notice WHERE state = 'PARKED'),
       (SELECT COUNT(*) FROM operator_case WHERE closed_us IS NULL)`

// Backlog says what is owed at this moment.
func (s *Store) Backlog(ctx context.Context) (b Backlog, err error) {
	err = s.look(ctx, func(c *session) error {
		var advice, notice *int64
		_, err := c.one(selectBacklog, nil, &b.Advices, &advice, &b.Notices, &notice, &b.Parked, &b.Cases)
		b.OldestAdvice, b.OldestNotice = when(advice), when(notice)
		return err
	})
	return b, err
}

// Hold is one reservation as a comparison with the acquirer's own record needs it.
type Hold struct {
	Reservation, Account, RequestID, State, Currency, RRN string
	Amount, Captured                                      int64
	Held                                                  bool
}

const selectHolds = `
SELECT r.id, r.account, r.request_id, r.state, r.currency, a.rrn, r.amount, r.captured, r.held
  FROM reservation AS r JOIN attempt AS a ON a.id = r.attempt_id ORDER BY r.id`

// Holds lists every reservation with the reference its present attempt has at the network.
func (s *Store) Holds(ctx context.Context) (list []Hold, err error) {
	err = s.look(ctx, func(c *session) error {
		list, err = all(c, selectHolds, nil, func(scan scanner) (h Hold, err error) {
			return h, scan(&h.Reservation, &h.Account, &h.RequestID, &h.State, &h.Currency, &h.RRN, &h.Amount, &h.Captured, &h.Held)
		})
		return err
	})
	return list, err
}

var _ engine.Store = (*Store)(nil)
