package store

import (
	"time"

	"naru/core/ledger"
	"naru/core/money"
	"naru/core/payment"
	"naru/engine"
)

// Times are microseconds since 1970 UTC; the zero time is NULL.
func us(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMicro()
}

func when(us *int64) time.Time {
	if us == nil {
		return time.Time{}
	}
	return time.UnixMicro(*us).UTC()
}

func blob(b []byte) any {
	if b == nil {
		return nil
	}
	return b
}

type scanner = func(...any) error

const selectIdempotency = `
SELECT account, request_id, method, fingerprint, done, answer, created_us, node FROM idempotency WHERE account = $1 AND request_id = $2`

func scanIdempotency(scan scanner) (i engine.Idempotency, err error) {
	var created int64
	err = scan(&i.Account, &i.RequestID, &i.Method, &i.Fingerprint, &i.Done, &i.Answer, &created, &i.Node)
	i.CreatedAt = when(&created)
	return i, err
}

func (c *session) Idempotency(k engine.Key) (engine.Idempotency, bool, error) {
	return first(all(c, selectIdempotency, []any{k.Account, k.RequestID}, scanIdempotency))
}

func first[T any](rows []T, err error) (T, bool, error) {
	if err != nil || len(rows) == 0 {
		var none T
		return none, false, err
	}
	return rows[0], true, nil
}

const selectAbandoned = `
SELECT account, request_id, method, fingerprint, done, answer, created_us, node FROM idempotency AS i
 WHERE NOT done AND (node = $1 OR NOT EXISTS (SELECT 1 FROM lease WHERE name = 'node/' || i.node AND until_us > $2))
 ORDER BY created_us`

func (c *session) Abandoned(node string, now time.Time) ([]engine.Idempotency, error) {
	return all(c, selectAbandoned, []any{node, us(now)}, scanIdempotency)
}

const insertIdempotency = `
INSERT INTO idempotency (account, request_id, method, fingerprint, done, answer, created_us, done_us, node)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (account, request_id) DO NOTHING`

func (c *session) InsertIdempotency(i engine.Idempotency) (bool, error) {
	var done any
	if i.Done {
		done = us(i.CreatedAt)
	}
	n, err := c.change(insertIdempotency, i.Account, i.RequestID, i.Method, i.Fingerprint, i.Done, blob(i.Answer), us(i.CreatedAt), done, i.Node)
	return n == 1, err
}

const finishIdempotency = `
UPDATE idempotency SET done = TRUE, answer = $3, done_us = $4 WHERE account = $1 AND request_id = $2 AND NOT done`

func (c *session) FinishIdempotency(k engine.Key, answer []byte, at time.Time) error {
	return c.exactlyOne(finishIdempotency, k.Account, k.RequestID, answer, us(at))
}

const deleteIdempotency = `DELETE FROM idempotency WHERE account = $1 AND request_id = $2 AND NOT done`

func (c *session) DeleteIdempotency(k engine.Key) error {
	return c.exactlyOne(deleteIdempotency, k.Account, k.RequestID)
}

const reservationColumns = `
SELECT id, account, request_id, purpose, state, version, currency, amount, captured, held, hold_until_us, host_until_us, attempt_id,
       approval, code, network_id, link_id, mcc, card, card_until_us, chain_length, chain_digest
  FROM reservation`

const selectReservation = reservationColumns + ` WHERE id = $1`

func scanReservation(scan scanner) (r payment.Reservation, err error) {
	var currency string
	var amount, captured int64
	var hold, host, card *int64
	err = scan(&r.ID, &r.Account, &r.RequestID, &r.Purpose, &r.State, &r.Version, &currency, &amount, &captured, &r.Held, &hold, &host,
		&r.AttemptID, &r.Approval, &r.Code, &r.NetworkID, &r.LinkID, &r.MCC, &r.Card, &card, &r.Chain.Length, &r.Chain.Digest)
	if err != nil {
		return r, err
	}
	in := money.Of(currency)
	r.Amount, r.Captured = money.New(amount, in), money.New(captured, in)
	r.HoldUntil, r.HostUntil, r.CardUntil = when(hold), when(host), when(card)
	return r, nil
}

func (c *session) Reservation(id string) (payment.Reservation, bool, error) {
	return first(all(c, selectReservation, []any{id}, scanReservation))
}

const selectReservationByRequest = reservationColumns + ` WHERE account = $1 AND request_id = $2`

func (c *session) ReservationByRequest(k engine.Key) (payment.Reservation, bool, error) {
	return first(all(c, selectReservationByRequest, []any{k.Account, k.RequestID}, scanReservation))
}

const selectExpiring = reservationColumns + `
 WHERE state IN ('RESERVED', 'VERIFY_HELD') AND hold_until_us <= $1 ORDER BY hold_until_us LIMIT $2`

func (c *session) ExpiringReservations(now time.Time, limit int) ([]payment.Reservation, error) {
	return all(c, selectExpiring, []any{us(now), limit}, scanReservation)
}

const selectNextExpiry = `SELECT MIN(hold_until_us) FROM reservation WHERE state IN ('RESERVED', 'VERIFY_HELD')`

func (c *session) NextExpiry() (time.Time, bool, error) { return c.earliest(selectNextExpiry) }

// earliest is the one time that a query gives, or none.
func (c *session) earliest(query string, args ...any) (time.Time, bool, error) {
	var t *int64
	_, err := c.one(query, args, &t)
	return when(t), t != nil, err
}

const selectErasable = reservationColumns + `
 WHERE card IS NOT NULL AND card_until_us IS NOT NULL AND card_until_us <= $1 ORDER BY card_until_us LIMIT $2`

func (c *session) ErasableCards(now time.Time, limit int) ([]payment.Reservation, error) {
	return all(c, selectErasable, []any{us(now), limit}, scanReservation)
}

const selectNextErasure = `SELECT MIN(card_until_us) FROM reservation WHERE card IS NOT NULL AND card_until_us IS NOT NULL`

func (c *session) NextErasure() (time.Time, bool, error) { return c.earliest(selectNextErasure) }

const insertReservation = `
INSERT INTO reservation (id, account, request_id, purpose, state, version, currency, amount, captured, held, hold_until_us, host_until_us,
                         attempt_id, approval, code, network_id, link_id, mcc, card, card_until_us, chain_length, chain_digest, created_us,
                         changed_us)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $23)`

func (c *session) InsertReservation(r payment.Reservation, at time.Time) error {
	return c.run(insertReservation, r.ID, r.Account, r.RequestID, string(r.Purpose), string(r.State), r.Version, r.Amount.Currency().Code(),
		r.Amount.Minor(), r.Captured.Minor(), r.Held, us(r.HoldUntil), us(r.HostUntil), r.AttemptID, r.Approval, r.Code, r.NetworkID,
		r.LinkID, r.MCC, blob(r.Card), us(r.CardUntil), r.Chain.Length, r.Chain.Digest, us(at))
}

// updateReservation moves a reservation on from the version before. No row: somebody was faster.
const updateReservation = `
UPDATE reservation
   SET state = $3, version = $4, amount = $5, currency = $6, captured = $7, held = $8, hold_until_us = $9, host_until_us = $10,
       attempt_id = $11, approval = $12, code = $13, network_id = $14, mcc = $15, card = $16, card_until_us = $17, chain_length = $18,
       chain_digest = $19, changed_us = $20, purpose = $21, link_id = $22
 WHERE id = $1 AND version = $2`

func (c *session) UpdateReservation(r payment.Reservation, at time.Time) (bool, error) {
	n, err := c.change(updateReservation, r.ID, r.Version-1, string(r.State), r.Version, r.Amount.Minor(), r.Amount.Currency().Code(),
		r.Captured.Minor(), r.Held, us(r.HoldUntil), us(r.HostUntil), r.AttemptID, r.Approval, r.Code, r.NetworkID, r.MCC, blob(r.Card),
		us(r.CardUntil), r.Chain.Length, r.Chain.Digest, us(at), string(r.Purpose), r.LinkID)
	return n == 1, err
}

const selectAttempt = `
SELECT id, reservation_id, refund_id, state, version, acquirer, stan, rrn, sent_us, terminal, merchant, code,
       undone_day
  FROM attempt WHERE id = $1`

func (c *session) Attempt(id string) (payment.Attempt, bool, error) {
	return first(all(c, selectAttempt, []any{id}, func(scan scanner) (a payment.Attempt, err error) {
		var sent int64
		var refund *string
		err = scan(&a.ID, &a.Reservation, &refund, &a.State, &a.Version, &a.Acquirer, &a.Trace.STAN, &a.Trace.RRN, &sent, &a.Terminal,
			&a.Merchant, &a.Code, &a.UndoneDay)
		a.Trace.At = when(&sent)
		if refund != nil {
			a.Refund = *refund
		}
		return a, err
	}))
}

const insertAttempt = `
INSERT INTO attempt (id, reservation_id, refund_id, state, version, acquirer, stan, rrn, sent_us, terminal, merchant, code, undone_day,
                     changed_us)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $9)`

func (c *session) InsertAttempt(a payment.Attempt) error {
	return c.run(insertAttempt, a.ID, a.Reservation, reference(a.Refund), string(a.State), a.Version, a.Acquirer, a.Trace.STAN, a.Trace.RRN,
		us(a.Trace.At), a.Terminal, a.Merchant, a.Code, a.UndoneDay)
}

// reference is the name of another row; none is NULL.
func reference(id string) any {
	if id == "" {
		return nil
	}
	return id
}

// updateAttempt moves an attempt on from the version before. No row: somebody was faster.
const updateAttempt = `
UPDATE attempt SET state = $3, version = $4, code = $5, undone_day = $6, changed_us = $7 WHERE id = $1 AND version = $2`

func (c *session) UpdateAttempt(a payment.Attempt, at time.Time) (bool, error) {
	n, err := c.change(updateAttempt, a.ID, a.Version-1, string(a.State), a.Version, a.Code, a.UndoneDay, us(at))
	return n == 1, err
}

const captureColumns = `
SELECT id, account, request_id, reservation_id, currency, amount, state, created_us, done_us, rrn, network_id, approval, arn, day, clearing
  FROM capture`

func scanCapture(scan scanner) (x engine.Capture, err error) {
	var currency string
	var amount, created int64
	var done *int64
	err = scan(&x.ID, &x.Account, &x.RequestID, &x.Reservation, &currency, &amount, &x.State, &created, &done, &x.RRN, &x.NetworkID,
		&x.Approval, &x.ARN, &x.Day, &x.Clearing)
	if err != nil {
		return x, err
	}
	x.Amount, x.At, x.DoneAt = money.New(amount, money.Of(currency)), when(&created), when(done)
	return x, nil
}

const selectCapture = captureColumns + ` WHERE reservation_id = $1`

func (c *session) Capture(reservation string) (engine.Capture, bool, error) {
	return first(all(c, selectCapture, []any{reservation}, scanCapture))
}

const selectCaptureByRequest = captureColumns + ` WHERE account = $1 AND request_id = $2`

func (c *session) CaptureByRequest(k engine.Key) (engine.Capture, bool, error) {
	return first(all(c, selectCaptureByRequest, []any{k.Account, k.RequestID}, scanCapture))
}

const selectCaptureByARN = captureColumns + ` WHERE arn = $1 AND arn <> ''`

func (c *session) CaptureByARN(arn string) (engine.Capture, bool, error) {
	return first(all(c, selectCaptureByARN, []any{arn}, scanCapture))
}

const selectCapturesByRRN = captureColumns + ` WHERE rrn = $1 AND state = 'SUCCESS' ORDER BY created_us, id`

func (c *session) CapturesByRRN(rrn string) ([]engine.Capture, error) {
	return all(c, selectCapturesByRRN, []any{rrn}, scanCapture)
}

const selectCapturesByNetworkID = captureColumns + `
 WHERE network_id = $1 AND network_id <> '' AND state = 'SUCCESS' ORDER BY created_us, id`

func (c *session) CapturesByNetworkID(id string) ([]engine.Capture, error) {
	return all(c, selectCapturesByNetworkID, []any{id}, scanCapture)
}

const insertCapture = `
INSERT INTO capture (id, account, request_id, reservation_id, currency, amount, state, created_us, done_us, rrn, network_id, approval, arn,
                     day, clearing)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)`

func (c *session) InsertCapture(x engine.Capture) error {
	return c.run(insertCapture, x.ID, x.Account, x.RequestID, x.Reservation, x.Amount.Currency().Code(), x.Amount.Minor(), string(x.State),
		us(x.At), us(x.DoneAt), x.RRN, x.NetworkID, x.Approval, x.ARN, x.Day, string(x.Clearing))
}

// updateCapture writes the verdict: once, for ever.
const updateCapture = `UPDATE capture SET state = $2, done_us = $3, day = $4 WHERE id = $1 AND state = 'PENDING'`

func (c *session) UpdateCapture(x engine.Capture) error {
	return c.exactlyOne(updateCapture, x.ID, string(x.State), us(x.DoneAt), x.Day)
}

// updateClearing writes what the acquirer's files said. A trigger keeps an ARN that is there.
const updateClearing = `UPDATE capture SET arn = $2, clearing = $3 WHERE id = $1`

func (c *session) UpdateClearing(x engine.Capture) error {
	return c.exactlyOne(updateClearing, x.ID, x.ARN, string(x.Clearing))
}

const selectOpenCancels = `
SELECT id, account, request_id, reservation_id, state, created_us, done_us FROM cancel
 WHERE reservation_id = $1 AND state = 'PENDING' ORDER BY created_us, id`

func (c *session) OpenCancels(reservation string) ([]engine.Cancel, error) {
	return all(c, selectOpenCancels, []any{reservation}, func(scan scanner) (x engine.Cancel, err error) {
		var created int64
		var done *int64
		err = scan(&x.ID, &x.Account, &x.RequestID, &x.Reservation, &x.State, &created, &done)
		x.At, x.DoneAt = when(&created), when(done)
		return x, err
	})
}

const insertCancel = `
INSERT INTO cancel (id, account, request_id, reservation_id, state, created_us, done_us) VALUES ($1, $2, $3, $4, $5, $6, $7)`

func (c *session) InsertCancel(x engine.Cancel) error {
	return c.run(insertCancel, x.ID, x.Account, x.RequestID, x.Reservation, string(x.State), us(x.At), us(x.DoneAt))
}

const updateCancel = `UPDATE cancel SET state = $2, done_us = $3 WHERE id = $1 AND state = 'PENDING'`

func (c *session) UpdateCancel(x engine.Cancel) error {
	return c.exactlyOne(updateCancel, x.ID, string(x.State), us(x.DoneAt))
}

const adviceColumns = `
SELECT id, reservation_id, attempt_id, kind, state, stan, rrn, sent_us, reason, currency, amount, sends, lost, renewed, created_us, due_us,
       code, file, line
  FROM advice`

func scanAdvice(scan scanner) (a payment.Advice, err error) {
	var currency string
	var amount, sent, created, due int64
	err = scan(&a.ID, &a.Reservation, &a.Attempt, &a.Kind, &a.State, &a.Trace.STAN, &a.Trace.RRN, &sent, &a.Reason, &currency, &amount,
		&a.Sends, &a.Lost, &a.Renewed, &created, &due, &a.Code, &a.File, &a.Line)
	if err != nil {
		return a, err
	}
	a.Amount, a.Trace.At, a.CreatedAt, a.DueAt = money.New(amount, money.Of(currency)), when(&sent), when(&created), when(&due)
	return a, nil
}

const selectAdvice = adviceColumns + ` WHERE id = $1`

func (c *session) Advice(id string) (payment.Advice, bool, error) {
	return first(all(c, selectAdvice, []any{id}, scanAdvice))
}

const selectAdviceOf = adviceColumns + ` WHERE attempt_id = $1 AND kind = $2`

func (c *session) AdviceOf(attempt string, k payment.AdviceKind) (payment.Advice, bool, error) {
	return first(all(c, selectAdviceOf, []any{attempt, string(k)}, scanAdvice))
}

const selectOpenAdvices = adviceColumns + ` WHERE reservation_id = $1 AND state <> 'DONE' ORDER BY created_us, id`

func (c *session) OpenAdvices(reservation string) ([]payment.Advice, error) {
	return all(c, selectOpenAdvices, []any{reservation}, scanAdvice)
}

// selectDueAdvices keeps the order of each payment: what stands behind an older open advice waits for it (rails 1.11 T6).
const selectDueAdvices = adviceColumns + ` AS a
 WHERE state = 'QUEUED' AND due_us <= $1 AND (SELECT acquirer FROM attempt AS t WHERE t.id = a.attempt_id) = $3
   AND NOT EXISTS (SELECT 1 FROM advice AS older WHERE older.reservation_id = a.reservation_id AND older.state <> 'DONE'
                      AND (older.created_us < a.created_us OR older.created_us = a.created_us AND older.id < a.id))
 ORDER BY due_us, id LIMIT $2`

func (c *session) DueAdvices(acquirer string, now time.Time, limit int) ([]payment.Advice, error) {
	return all(c, selectDueAdvices, []any{us(now), limit, acquirer}, scanAdvice)
}

const countOwedAdvices = `
SELECT t.acquirer, COUNT(*) FROM advice AS a JOIN attempt AS t ON t.id = a.attempt_id WHERE a.state = 'QUEUED' GROUP BY t.acquirer`

func (c *session) OwedAdvices() (map[string]int64, error) { return c.counts(countOwedAdvices) }

// counts is a query of names and numbers.
func (c *session) counts(query string) (map[string]int64, error) {
	list := map[string]int64{}
	return list, c.query(query, nil, func(scan scanner) error {
		var name string
		var n int64
		err := scan(&name, &n)
		list[name] = n
		return err
	})
}

const selectNextAdvice = `
SELECT MIN(due_us) FROM advice AS a
 WHERE state = 'QUEUED'
   AND NOT EXISTS (SELECT 1 FROM advice AS older WHERE older.reservation_id = a.reservation_id AND older.state <> 'DONE'
                      AND (older.created_us < a.created_us OR older.created_us = a.created_us AND older.id < a.id))`

func (c *session) NextAdvice() (time.Time, bool, error) { return c.earliest(selectNextAdvice) }

const insertAdvice = `
INSERT INTO advice (id, reservation_id, attempt_id, kind, state, stan, rrn, sent_us, reason, currency, amount, sends, lost, renewed,
                    created_us, due_us, code, file, line)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)`

func (c *session) InsertAdvice(a payment.Advice) error {
	return c.run(insertAdvice, a.ID, a.Reservation, a.Attempt, string(a.Kind), string(a.State), a.Trace.STAN, a.Trace.RRN, us(a.Trace.At),
		string(a.Reason), a.Amount.Currency().Code(), a.Amount.Minor(), a.Sends, a.Lost, a.Renewed, us(a.CreatedAt), us(a.DueAt), a.Code,
		a.File, a.Line)
}

const updateAdvice = `
UPDATE advice SET state = $2, stan = $3, sent_us = $4, sends = $5, lost = $6, renewed = $7, due_us = $8, code = $9, file = $10, line = $11
 WHERE id = $1 AND state <> 'DONE'`

func (c *session) UpdateAdvice(a payment.Advice) error {
	return c.exactlyOne(updateAdvice, a.ID, string(a.State), a.Trace.STAN, us(a.Trace.At), a.Sends, a.Lost, a.Renewed, us(a.DueAt), a.Code,
		a.File, a.Line)
}

const insertEvent = `
INSERT INTO event (payment_id, n, at_us, object, event, state, actor, detail, digest) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`

func (c *session) AppendEvent(e engine.JournalEvent) error {
	return c.run(insertEvent, e.Payment, e.N, us(e.At), e.Object, e.Event, e.State, e.Actor, e.Detail, e.Digest)
}

const selectChain = `SELECT id, digest FROM event WHERE id > $1 AND id <= $3 ORDER BY id LIMIT $2`

// Chain gives no event that another could still be written in front of.
func (c *session) Chain(after int64, limit int) ([]engine.ChainLink, error) {
	upTo, err := c.settled(c)
	if err != nil {
		return nil, err
	}
	return all(c, selectChain, []any{after, limit, upTo}, func(scan scanner) (l engine.ChainLink, err error) {
		return l, scan(&l.ID, &l.Digest)
	})
}

const selectLastCheckpoint = `SELECT n, last_id, events, digest, at_us FROM checkpoint ORDER BY n DESC LIMIT 1`

func (c *session) LastCheckpoint() (engine.Checkpoint, bool, error) {
	return first(all(c, selectLastCheckpoint, nil, func(scan scanner) (p engine.Checkpoint, err error) {
		var at int64
		err = scan(&p.N, &p.LastID, &p.Count, &p.Digest, &at)
		p.At = when(&at)
		return p, err
	}))
}

const insertCheckpoint = `INSERT INTO checkpoint (n, last_id, events, digest, at_us) VALUES ($1, $2, $3, $4, $5)`

func (c *session) InsertCheckpoint(p engine.Checkpoint) error {
	return c.run(insertCheckpoint, p.N, p.LastID, p.Count, p.Digest, us(p.At))
}

const insertPosting = `
INSERT INTO posting (payment_id, event_n, k, owner, debit, credit_owner, credit, currency, amount, at_us)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`

// addToBalances changes both sides of a posting at once.
const addToBalances = `
INSERT INTO balance (account, owner, currency, amount, slot) VALUES ($1, $2, $5, $6, $8), ($3, $4, $5, $7, $8)
ON CONFLICT (account, owner, currency, slot) DO UPDATE SET amount = balance.amount + excluded.amount`

func (c *session) Post(e engine.JournalEvent, postings []ledger.Posting) error {
	for k, p := range postings {
		currency, amount := p.Amount.Currency().Code(), p.Amount.Minor()
		err := c.run(insertPosting, e.Payment, e.N, k, p.Debit.Owner, string(p.Debit.Kind), p.Credit.Owner, string(p.Credit.Kind), currency,
			amount, us(e.At))
		if err != nil {
			return err
		}
		err = c.run(addToBalances, string(p.Debit.Kind), p.Debit.Owner, string(p.Credit.Kind), p.Credit.Owner, currency, amount,
			-amount, c.slot)
		if err != nil {
			return err
		}
	}
	return nil
}

const takeNumbers = `
INSERT INTO series (name, next) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET next = series.next + excluded.next RETURNING next`

func (c *session) TakeNumbers(series string, count int64) (first int64, err error) {
	var next int64
	c.wrote = true
	if _, err := c.one(takeNumbers, []any{series, count}, &next); err != nil {
		return 0, err
	}
	return next - count, nil
}
