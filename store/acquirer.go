package store

import (
	"encoding/hex"
	"time"

	"naru/core/money"
	"naru/core/payment"
	"naru/engine"
)

const acquirerEventColumns = `
SELECT acquirer, id, file, line, type, digest, payment_id, object, outcome, reason, account, currency, gross, fees, tax, at_us
  FROM acquirer_event`

func scanAcquirerEvent(scan scanner) (e engine.AcquirerEvent, err error) {
	var digest []byte
	var at int64
	err = scan(&e.Acquirer, &e.ID, &e.File, &e.Line, &e.Type, &digest, &e.Payment, &e.Object, &e.Outcome, &e.Reason, &e.Account, &e.Currency,
		&e.Gross, &e.Fees, &e.Tax, &at)
	e.Digest, e.At = hex.EncodeToString(digest), when(&at)
	return e, err
}

const selectAcquirerEvent = acquirerEventColumns + ` WHERE acquirer = $1 AND id = $2`

func (c *session) AcquirerEvent(acquirer, id string) (engine.AcquirerEvent, bool, error) {
	return first(all(c, selectAcquirerEvent, []any{acquirer, id}, scanAcquirerEvent))
}

const selectAcquirerEventOf = acquirerEventColumns + ` WHERE object = $1 AND type = $2 AND object <> '' LIMIT 1`

func (c *session) AcquirerEventOf(object, kind string) (engine.AcquirerEvent, bool, error) {
	return first(all(c, selectAcquirerEventOf, []any{object, kind}, scanAcquirerEvent))
}

const insertAcquirerEvent = `
INSERT INTO acquirer_event (acquirer, id, file, line, type, digest, payment_id, object, outcome, reason, account, currency, gross, fees,
                            tax, at_us)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)`

func (c *session) InsertAcquirerEvent(e engine.AcquirerEvent) error {
	digest, err := hex.DecodeString(e.Digest)
	if err != nil {
		return describe(insertAcquirerEvent, err)
	}
	return c.run(insertAcquirerEvent, e.Acquirer, e.ID, e.File, e.Line, e.Type, digest, e.Payment, e.Object, e.Outcome, e.Reason, e.Account,
		e.Currency, e.Gross, e.Fees, e.Tax, us(e.At))
}

const acquirerFileColumns = `
SELECT acquirer, name, kind, merchant, day, seq, sha256, state, reason, currency, records, exceptions, gross, fees, tax, net, at_us
  FROM acquirer_file`

func scanAcquirerFile(scan scanner) (f engine.AcquirerFile, err error) {
	var digest []byte
	var at int64
	err = scan(&f.Acquirer, &f.Name, &f.Kind, &f.Merchant, &f.Day, &f.Seq, &digest, &f.State, &f.Reason, &f.Currency, &f.Records,
		&f.Exceptions, &f.Gross, &f.Fees, &f.Tax, &f.Net, &at)
	f.SHA256, f.At = hex.EncodeToString(digest), when(&at)
	return f, err
}

const selectAcquirerFile = acquirerFileColumns + ` WHERE acquirer = $1 AND name = $2`

func (c *session) AcquirerFile(acquirer, name string) (engine.AcquirerFile, bool, error) {
	return first(all(c, selectAcquirerFile, []any{acquirer, name}, scanAcquirerFile))
}

const selectAcquirerFileBySeq = acquirerFileColumns + `
 WHERE acquirer = $1 AND merchant = $2 AND kind = $3 AND day = $4 AND seq = $5 AND state = 'LOADED'`

func (c *session) AcquirerFileBySeq(acquirer, merchant, kind, day string, seq int64) (engine.AcquirerFile, bool, error) {
	return first(all(c, selectAcquirerFileBySeq, []any{acquirer, merchant, kind, day, seq}, scanAcquirerFile))
}

// putAcquirerFile writes over a file in quarantine. One that was loaded stays loaded, and only with the content it had.
const putAcquirerFile = `
INSERT INTO acquirer_file (acquirer, name, kind, merchant, day, seq, sha256, state, reason, currency, records, exceptions, gross, fees,
                           tax, net, at_us)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
ON CONFLICT (acquirer, name) DO UPDATE
   SET kind = excluded.kind, merchant = excluded.merchant, day = excluded.day, seq = excluded.seq, sha256 = excluded.sha256,
       state = excluded.state, reason = excluded.reason, currency = excluded.currency, records = excluded.records,
       exceptions = excluded.exceptions, gross = excluded.gross, fees = excluded.fees, tax = excluded.tax, net = excluded.net,
       at_us = excluded.at_us
 WHERE acquirer_file.state = 'QUARANTINED' OR excluded.state = 'LOADED' AND excluded.sha256 = acquirer_file.sha256`

func (c *session) PutAcquirerFile(f engine.AcquirerFile) error {
	digest, err := hex.DecodeString(f.SHA256)
	if err != nil {
		return describe(putAcquirerFile, err)
	}
	return c.exactlyOne(putAcquirerFile, f.Acquirer, f.Name, f.Kind, f.Merchant, f.Day, f.Seq, digest, f.State, f.Reason, f.Currency,
		f.Records, f.Exceptions, f.Gross, f.Fees, f.Tax, f.Net, us(f.At))
}

// selectUncleared is what a file of that day and currency should have named: a file has one currency (rails §4.3). Files name merchants without the padding of DE42.
const selectUncleared = captureColumns + ` AS c
 WHERE state = 'SUCCESS' AND day <> '' AND day = $3 AND currency = $4 AND clearing = ''
   AND EXISTS (SELECT 1 FROM reservation AS r JOIN attempt AS a ON a.id = r.attempt_id
                WHERE r.id = c.reservation_id AND a.acquirer = $1 AND TRIM(a.merchant) = $2)
 ORDER BY created_us, id LIMIT $5`

func (c *session) Uncleared(acquirer, merchant, day, currency string, limit int) ([]engine.Capture, error) {
	return all(c, selectUncleared, []any{acquirer, merchant, day, currency, limit}, scanCapture)
}

// selectBatchedAdvices leaves out what a file carries already.
const selectBatchedAdvices = adviceColumns + ` AS v
 WHERE state = 'BATCHED' AND file = ''
   AND EXISTS (SELECT 1 FROM attempt AS a WHERE a.id = v.attempt_id AND a.acquirer = $1 AND a.merchant = $2)
 ORDER BY created_us, id LIMIT $3`

func (c *session) BatchedAdvices(acquirer, merchant string, limit int) ([]payment.Advice, error) {
	return all(c, selectBatchedAdvices, []any{acquirer, merchant, limit}, scanAdvice)
}

const selectAdviceOfLine = adviceColumns + ` WHERE file = $1 AND line = $2 AND file <> ''`

func (c *session) AdviceOfLine(file string, line int64) (payment.Advice, bool, error) {
	return first(all(c, selectAdviceOfLine, []any{file, line}, scanAdvice))
}

const selectAdvicesOfFile = adviceColumns + ` WHERE file = $1 AND file <> '' ORDER BY line`

func (c *session) AdvicesOfFile(file string) ([]payment.Advice, error) {
	return all(c, selectAdvicesOfFile, []any{file}, scanAdvice)
}

const captureFileColumns = `SELECT acquirer, merchant, name, day, seq, state, items, currency, created_us, done_us FROM capture_file`

func scanCaptureFile(scan scanner) (f engine.CaptureFile, err error) {
	var created int64
	var done *int64
	err = scan(&f.Acquirer, &f.Merchant, &f.Name, &f.Day, &f.Seq, &f.State, &f.Items, &f.Currency, &created, &done)
	f.At, f.DoneAt = when(&created), when(done)
	return f, err
}

const selectCaptureFile = captureFileColumns + ` WHERE name = $1`

func (c *session) CaptureFile(name string) (engine.CaptureFile, bool, error) {
	return first(all(c, selectCaptureFile, []any{name}, scanCaptureFile))
}

const selectCaptureFiles = captureFileColumns + ` WHERE state = $1 ORDER BY created_us, name LIMIT $2`

func (c *session) CaptureFiles(state string, limit int) ([]engine.CaptureFile, error) {
	return all(c, selectCaptureFiles, []any{state, limit}, scanCaptureFile)
}

const insertCaptureFile = `
INSERT INTO capture_file (acquirer, merchant, name, day, seq, state, items, currency, created_us, done_us)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`

func (c *session) InsertCaptureFile(f engine.CaptureFile) error {
	return c.run(insertCaptureFile, f.Acquirer, f.Merchant, f.Name, f.Day, f.Seq, f.State, f.Items, f.Currency, us(f.At), us(f.DoneAt))
}

// updateCaptureFile moves a file on. What is in it never changes, and an answer is its end.
const updateCaptureFile = `UPDATE capture_file SET state = $2, done_us = $3 WHERE name = $1 AND state <> 'ANSWERED'`

func (c *session) UpdateCaptureFile(f engine.CaptureFile) error {
	return c.exactlyOne(updateCaptureFile, f.Name, f.State, us(f.DoneAt))
}

// selectDayTotals counts what the network counts (rails 1.16): confirmed captures as debits, paid refunds as credits. What it booked and
// then undid is both, a debit or credit and one reversed, on the day on which it was undone. No completion is ever undone: what is undone
// and pays no refund was a sale, of what its reversal names, because a fresh attempt may have other terms.
const selectDayTotals = `
WITH debit AS (
       SELECT COUNT(*) AS n, CAST(COALESCE(SUM(c.amount), 0) AS BIGINT) AS amount
         FROM capture AS c JOIN reservation AS r ON r.id = c.reservation_id JOIN attempt AS a ON a.id = r.attempt_id
        WHERE c.state = 'SUCCESS' AND c.day <> '' AND c.day = $2 AND c.currency = $3 AND a.acquirer = $1),
     credit AS (
       SELECT COUNT(*) AS n, CAST(COALESCE(SUM(f.amount), 0) AS BIGINT) AS amount
         FROM refund AS f JOIN attempt AS a ON a.id = f.attempt_id
        WHERE f.state IN ('REFUNDED', 'REFUND_REVERSED') AND f.day <> '' AND f.day = $2 AND f.currency = $3 AND a.acquirer = $1),
     undone_debit AS (
       SELECT COUNT(*) AS n, CAST(COALESCE(SUM(v.amount), 0) AS BIGINT) AS amount
         FROM attempt AS a JOIN advice AS v ON v.attempt_id = a.id AND v.kind = 'REVERSAL'
        WHERE a.refund_id IS NULL AND a.undone_day <> '' AND a.undone_day = $2 AND v.currency = $3 AND a.acquirer = $1),
     undone_credit AS (
       SELECT COUNT(*) AS n, CAST(COALESCE(SUM(f.amount), 0) AS BIGINT) AS amount
         FROM attempt AS a JOIN refund AS f ON f.id = a.refund_id
        WHERE a.undone_day <> '' AND a.undone_day = $2 AND f.currency = $3 AND a.acquirer = $1)
SELECT credit.n + undone_credit.n, credit.amount + undone_credit.amount, undone_credit.n, undone_credit.amount,
       debit.n + undone_debit.n, debit.amount + undone_debit.amount, undone_debit.n, undone_debit.amount
  FROM debit, credit, undone_debit, undone_credit`

func (c *session) DayTotals(acquirer, day, currency string) (payment.DayTotals, error) {
	t := payment.DayTotals{Day: day, Currency: money.Of(currency)}
	_, err := c.one(selectDayTotals, []any{acquirer, day, currency}, &t.Credits, &t.CreditSum, &t.CreditsReversed, &t.CreditRevSum, &t.Debits,
		&t.DebitSum, &t.DebitsReversed, &t.DebitReverseSum)
	return t, err
}

const selectDayCurrencies = `
SELECT c.currency FROM capture AS c JOIN reservation AS r ON r.id = c.reservation_id JOIN attempt AS a ON a.id = r.attempt_id
 WHERE c.state = 'SUCCESS' AND c.day <> '' AND c.day = $2 AND a.acquirer = $1
UNION
SELECT f.currency FROM refund AS f JOIN attempt AS a ON a.id = f.attempt_id
 WHERE f.state IN ('REFUNDED', 'REFUND_REVERSED') AND f.day <> '' AND f.day = $2 AND a.acquirer = $1
UNION
SELECT v.currency FROM attempt AS a JOIN advice AS v ON v.attempt_id = a.id AND v.kind = 'REVERSAL'
 WHERE a.refund_id IS NULL AND a.undone_day <> '' AND a.undone_day = $2 AND a.acquirer = $1
UNION
SELECT f.currency FROM attempt AS a JOIN refund AS f ON f.id = a.refund_id
 WHERE a.undone_day <> '' AND a.undone_day = $2 AND a.acquirer = $1
 ORDER BY 1`

func (c *session) DayCurrencies(acquirer, day string) ([]string, error) {
	return all(c, selectDayCurrencies, []any{acquirer, day}, func(scan scanner) (code string, err error) { return code, scan(&code) })
}

// countOpenBefore counts what may still be booked on a day that is over: messages without an answer, and sales.
const countOpenBefore = `
SELECT (SELECT COUNT(*) FROM advice AS v JOIN attempt AS a ON a.id = v.attempt_id
         WHERE v.state = 'QUEUED' AND v.created_us < $2 AND a.acquirer = $1)
     + (SELECT COUNT(*) FROM idempotency AS i JOIN reservation AS r ON r.account = i.account AND r.request_id = i.request_id
                             JOIN attempt AS a ON a.id = r.attempt_id
         WHERE NOT i.done AND i.created_us < $2 AND r.purpose = 'SALE' AND a.acquirer = $1)`

func (c *session) OpenBefore(acquirer string, t time.Time) (n int64, err error) {
	_, err = c.one(countOpenBefore, []any{acquirer, us(t)}, &n)
	return n, err
}

const reconciliationColumns = `
SELECT acquirer, day, currency, state, stan, rrn, sent_us, tries, code, created_us, due_us,
       credits, credit_sum, credits_undone, credit_undone_sum, debits, debit_sum, debits_undone, debit_undone_sum,
       host_credits, host_credit_sum, host_credits_undone, host_credit_undone_sum, host_debits, host_debit_sum, host_debits_undone,
       host_debit_undone_sum
  FROM reconciliation`

// figures are the counts and sums of a day, in the order of the columns.
func figures(t *payment.DayTotals) []*int64 {
	return []*int64{
		&t.Credits, &t.CreditSum, &t.CreditsReversed, &t.CreditRevSum, &t.Debits, &t.DebitSum, &t.DebitsReversed, &t.DebitReverseSum,
	}
}

func scanReconciliation(scan scanner) (r engine.Reconciliation, err error) {
	var created int64
	var sent, due *int64
	into := []any{
		&r.Acquirer, &r.Day, &r.Currency, &r.State, &r.Trace.STAN, &r.Trace.RRN, &sent, &r.Tries, &r.Code, &created, &due,
	}
	for _, p := range figures(&r.Ours) {
		into = append(into, p)
	}
	var said [8]*int64
	for i := range said {
		into = append(into, &said[i])
	}
	if err = scan(into...); err != nil {
		return r, err
	}
	r.Trace.At, r.CreatedAt, r.DueAt = when(sent), when(&created), when(due)
	r.Ours.Day, r.Ours.Currency = r.Day, money.Of(r.Currency)
	if said[0] != nil {
		r.Host.Day, r.Host.Currency = r.Day, r.Ours.Currency
		for i, p := range figures(&r.Host) {
			*p = *said[i]
		}
	}
	return r, nil
}

const selectReconciliation = reconciliationColumns + ` WHERE acquirer = $1 AND day = $2 AND currency = $3`

func (c *session) Reconciliation(acquirer, day, currency string) (engine.Reconciliation, bool, error) {
	return first(all(c, selectReconciliation, []any{acquirer, day, currency}, scanReconciliation))
}

const selectDueReconciliations = reconciliationColumns + `
 WHERE state = 'OPEN' AND due_us <= $1 ORDER BY due_us, acquirer, day, currency LIMIT $2`

func (c *session) DueReconciliations(now time.Time, limit int) ([]engine.Reconciliation, error) {
	return all(c, selectDueReconciliations, []any{us(now), limit}, scanReconciliation)
}

const selectNextReconciliation = `SELECT MIN(due_us) FROM reconciliation WHERE state = 'OPEN'`

func (c *session) NextReconciliation() (time.Time, bool, error) {
	return c.earliest(selectNextReconciliation)
}

const putReconciliation = `
INSERT INTO reconciliation (acquirer, day, currency, state, stan, rrn, sent_us, tries, code, created_us, due_us,
       credits, credit_sum, credits_undone, credit_undone_sum, debits, debit_sum, debits_undone, debit_undone_sum,
       host_credits, host_credit_sum, host_credits_undone, host_credit_undone_sum, host_debits, host_debit_sum, host_debits_undone,
       host_debit_undone_sum)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27)
ON CONFLICT (acquirer, day, currency) DO UPDATE
   SET state = excluded.state, stan = excluded.stan, rrn = excluded.rrn, sent_us = excluded.sent_us, tries = excluded.tries,
       code = excluded.code, due_us = excluded.due_us, credits = excluded.credits, credit_sum = excluded.credit_sum,
       credits_undone = excluded.credits_undone, credit_undone_sum = excluded.credit_undone_sum, debits = excluded.debits,
       debit_sum = excluded.debit_sum, debits_undone = excluded.debits_undone, debit_undone_sum = excluded.debit_undone_sum,
       host_credits = excluded.host_credits, host_credit_sum = excluded.host_credit_sum,
       host_credits_undone = excluded.host_credits_undone, host_credit_undone_sum = excluded.host_credit_undone_sum,
       host_debits = excluded.host_debits, host_debit_sum = excluded.host_debit_sum, host_debits_undone = excluded.host_debits_undone,
       host_debit_undone_sum = excluded.host_debit_undone_sum`

func (c *session) PutReconciliation(r engine.Reconciliation) error {
	args := []any{
		r.Acquirer, r.Day, r.Currency, r.State, r.Trace.STAN, r.Trace.RRN, us(r.Trace.At), r.Tries, r.Code, us(r.CreatedAt), us(r.DueAt),
	}
	for _, p := range figures(&r.Ours) {
		args = append(args, *p)
	}
	said := r.Host != payment.DayTotals{}
	for _, p := range figures(&r.Host) {
		if said {
			args = append(args, *p)
		} else {
			args = append(args, nil)
		}
	}
	return c.run(putReconciliation, args...)
}
