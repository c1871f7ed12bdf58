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

const selectBalances = `
SELECT account, owner, currency, CAST(SUM(amount) AS BIGINT) FROM balance GROUP BY account, owner, currency ORDER BY owner, account, currency`

// Balances lists every account that was ever posted to.
func (s *Store) Balances(ctx context.Context) ([]Balance, error) {
	return listed(ctx, s, selectBalances, func(scan scanner) (b Balance, err error) {
		return b, scan(&b.Account, &b.Owner, &b.Currency, &b.Amount)
	})
}

// Backlog counts what is owed: to the network, to the counterparty, to a person. Unheard is what merchants did not take; nobody waits for
// them. Oldest is when the oldest of each began; zero where none.
type Backlog struct {
	Advices, Batched, Notices, Parked, Unheard, Reconciliations, Cases, Payouts int64
	OldestAdvice, OldestNotice, OldestPayout                                    time.Time
}

const selectBacklog = `
SELECT (SELECT COUNT(*) FROM advice WHERE state = 'QUEUED'), (SELECT MIN(created_us) FROM advice WHERE state = 'QUEUED'),
       (SELECT COUNT(*) FROM advice WHERE state = 'BATCHED'),
       (SELECT COUNT(*) FROM notice WHERE state = 'QUEUED'), (SELECT MIN(created_us) FROM notice WHERE state = 'QUEUED'),
       (SELECT COUNT(*) FROM notice WHERE state = 'PARKED' AND kind NOT IN ('deposit-result', 'transfer-result')),
       (SELECT COUNT(*) FROM notice WHERE state = 'PARKED' AND kind IN ('deposit-result', 'transfer-result')),
       (SELECT COUNT(*) FROM reconciliation WHERE state = 'OPEN'),
       (SELECT COUNT(*) FROM operator_case WHERE closed_us IS NULL),
       (SELECT COUNT(*) FROM payout WHERE done_us IS NULL), (SELECT MIN(created_us) FROM payout WHERE done_us IS NULL)`

// Backlog says what is owed at this moment.
func (s *Store) Backlog(ctx context.Context) (b Backlog, err error) {
	err = s.look(ctx, func(c *session) error {
		var advice, notice, payout *int64
		_, err := c.one(selectBacklog, nil, &b.Advices, &advice, &b.Batched, &b.Notices, &notice, &b.Parked, &b.Unheard, &b.Reconciliations,
			&b.Cases, &b.Payouts, &payout)
		b.OldestAdvice, b.OldestNotice, b.OldestPayout = when(advice), when(notice), when(payout)
		return err
	})
	return b, err
}

// Hold is one reservation as a comparison with the acquirer's own record needs it.
type Hold struct {
	Reservation, Account, RequestID, Purpose, State, Currency, RRN string
	Amount, Captured                                               int64
	Held                                                           bool
}

const selectHolds = `
SELECT r.id, r.account, r.request_id, r.purpose, r.state, r.currency, a.rrn, r.amount, r.captured, r.held
  FROM reservation AS r JOIN attempt AS a ON a.id = r.attempt_id ORDER BY r.id`

// Holds lists every reservation with the reference its present attempt has at the network.
func (s *Store) Holds(ctx context.Context) ([]Hold, error) {
	return listed(ctx, s, selectHolds, func(scan scanner) (h Hold, err error) {
		return h, scan(&h.Reservation, &h.Account, &h.RequestID, &h.Purpose, &h.State, &h.Currency, &h.RRN, &h.Amount, &h.Captured, &h.Held)
	})
}

// CaptureRow is one capture as a comparison needs it.
type CaptureRow struct {
	Account, RequestID, ReservationRequestID, State, Currency, RRN, ARN string
	Amount                                                              int64
}

const selectCaptureRows = `
SELECT c.account, c.request_id, r.request_id, c.state, c.currency, c.rrn, c.arn, c.amount
  FROM capture AS c JOIN reservation AS r ON r.id = c.reservation_id ORDER BY c.id`

// Captures lists every capture.
func (s *Store) Captures(ctx context.Context) ([]CaptureRow, error) {
	return listed(ctx, s, selectCaptureRows, func(scan scanner) (x CaptureRow, err error) {
		return x, scan(&x.Account, &x.RequestID, &x.ReservationRequestID, &x.State, &x.Currency, &x.RRN, &x.ARN, &x.Amount)
	})
}

// RefundRow is one refund as a comparison needs it.
type RefundRow struct {
	Account, RequestID, CaptureRequestID, State, Reason, Currency, RRN, ARN string
	Amount, Returned                                                        int64
}

const selectRefundRows = `
SELECT f.account, f.request_id, c.request_id, f.state, f.reason, f.currency, f.rrn, f.arn, f.amount, f.returned
  FROM refund AS f JOIN capture AS c ON c.reservation_id = f.reservation_id ORDER BY f.id`

// Refunds lists every refund with the capture that it gives back.
func (s *Store) Refunds(ctx context.Context) ([]RefundRow, error) {
	return listed(ctx, s, selectRefundRows, func(scan scanner) (f RefundRow, err error) {
		return f, scan(&f.Account, &f.RequestID, &f.CaptureRequestID, &f.State, &f.Reason, &f.Currency, &f.RRN, &f.ARN, &f.Amount, &f.Returned)
	})
}

// DisputeRow is one stage of a dispute as a comparison needs it. Notice is the id of the notice that told of it.
type DisputeRow struct {
	Account, CaptureRequestID, Stage, State, Currency, Case, Notice string
	Amount, Won                                                     int64
}

const selectDisputeRows = `
SELECT d.account, c.request_id, d.stage, d.state, d.currency, d.case_no, d.told, d.amount, d.won
  FROM dispute AS d JOIN capture AS c ON c.reservation_id = d.reservation_id ORDER BY d.id`

// Disputes lists every stage of every dispute with the capture that it is about.
func (s *Store) Disputes(ctx context.Context) ([]DisputeRow, error) {
	return listed(ctx, s, selectDisputeRows, func(scan scanner) (d DisputeRow, err error) {
		return d, scan(&d.Account, &d.CaptureRequestID, &d.Stage, &d.State, &d.Currency, &d.Case, &d.Notice, &d.Amount, &d.Won)
	})
}

// SettlementRow is one settlement as a comparison needs it.
type SettlementRow struct {
	ID, Account, Currency, Day, State string
	Net, Items                        int64
}

const selectSettlementRows = `SELECT id, account, currency, day, state, net, items FROM settlement ORDER BY day, account, currency`

// SettlementRows lists every settlement, oldest first.
func (s *Store) SettlementRows(ctx context.Context) ([]SettlementRow, error) {
	return listed(ctx, s, selectSettlementRows, func(scan scanner) (r SettlementRow, err error) {
		return r, scan(&r.ID, &r.Account, &r.Currency, &r.Day, &r.State, &r.Net, &r.Items)
	})
}

// OpenPayouts counts the payouts of one bank that stand in one state, none of which is final. Oldest is when the oldest of them began.
type OpenPayouts struct {
	Bank, State string
	Count       int64
	Oldest      time.Time
}

const selectOpenPayouts = `
SELECT bank, state, COUNT(*), MIN(created_us) FROM payout WHERE done_us IS NULL GROUP BY bank, state ORDER BY bank, state`

// OpenPayouts says where the payouts stand that are not final.
func (s *Store) OpenPayouts(ctx context.Context) ([]OpenPayouts, error) {
	return listed(ctx, s, selectOpenPayouts, func(scan scanner) (o OpenPayouts, err error) {
		var oldest int64
		err = scan(&o.Bank, &o.State, &o.Count, &oldest)
		o.Oldest = when(&oldest)
		return o, err
	})
}

// PayoutRow is one payout as a comparison with the payout bank's own record needs it: with its present attempt, if there is one.
type PayoutRow struct {
	Payout, Account, RequestID, Bank, State, Reason, Currency, Reference, BankID, UTR string
	Amount, Attempts, Fees, Tax                                                       int64
}

const selectPayoutRows = `
SELECT p.id, p.account, p.request_id, p.bank, p.state, p.reason, p.currency, COALESCE(a.reference, ''), COALESCE(a.bank_id, ''),
       COALESCE(a.utr, ''), p.amount, p.attempts, COALESCE(a.fees, 0), COALESCE(a.tax, 0)
  FROM payout AS p LEFT JOIN payout_attempt AS a ON a.id = p.attempt_id ORDER BY p.id`

// Payouts lists every payout.
func (s *Store) Payouts(ctx context.Context) ([]PayoutRow, error) {
	return listed(ctx, s, selectPayoutRows, func(scan scanner) (p PayoutRow, err error) {
		return p, scan(&p.Payout, &p.Account, &p.RequestID, &p.Bank, &p.State, &p.Reason, &p.Currency, &p.Reference, &p.BankID, &p.UTR, &p.Amount,
			&p.Attempts, &p.Fees, &p.Tax)
	})
}

// listed is a whole report, read on one of the readers' connections.
func listed[T any](ctx context.Context, s *Store, query string, scan func(scanner) (T, error)) (list []T, err error) {
	err = s.look(ctx, func(c *session) error {
		list, err = all(c, query, nil, scan)
		return err
	})
	return list, err
}

var _ engine.Store = (*Store)(nil)
