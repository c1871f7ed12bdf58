package store

import (
	"time"

	"naru/core/money"
	"naru/core/payout"
	"naru/engine"
)

const payoutFields = `
       p.id, p.purpose, p.account, p.bank, p.request_id, p.state, p.version, p.currency, p.amount, p.fee, p.target, p.print, p.reason,
       p.limit_broken, p.scope, p.code, p.attempt_id, p.attempts, p.created_us, p.changed_us, p.due_us, p.done_us, p.back_us,
       p.chain_length, p.chain_digest`

const payoutColumns = `
SELECT ` + payoutFields + ` FROM payout AS p`

func scanPayout(scan scanner) (p payout.Payout, err error) {
	var currency string
	var amount, fee, limit, created, changed int64
	var due, done, back *int64
	err = scan(&p.ID, &p.Purpose, &p.Account, &p.Bank, &p.RequestID, &p.State, &p.Version, &currency, &amount, &fee, &p.Target, &p.Print,
		&p.Reason, &limit, &p.Scope, &p.Code, &p.AttemptID, &p.Attempts, &created, &changed, &due, &done, &back, &p.Chain.Length, &p.Chain.Digest)
	if err != nil {
		return p, err
	}
	in := money.Of(currency)
	p.Amount, p.Fee, p.Limit = money.New(amount, in), money.New(fee, in), money.New(limit, in)
	p.CreatedAt, p.ChangedAt, p.DueAt, p.DoneAt, p.BackAt = when(&created), when(&changed), when(due), when(done), when(back)
	return p, nil
}

const selectPayout = payoutColumns + ` WHERE p.id = $1`

func (c *session) Payout(id string) (payout.Payout, bool, error) {
	return first(all(c, selectPayout, []any{id}, scanPayout))
}

const selectPayoutByRequest = payoutColumns + ` WHERE p.account = $1 AND p.request_id = $2`

func (c *session) PayoutByRequest(k engine.Key) (payout.Payout, bool, error) {
	return first(all(c, selectPayoutByRequest, []any{k.Account, k.RequestID}, scanPayout))
}

const selectDuePayouts = payoutColumns + ` WHERE p.due_us <= $1 AND p.bank = $3 ORDER BY p.due_us, p.id LIMIT $2`

// DuePayouts are open ones: what is final is due for nothing.
func (c *session) DuePayouts(bank string, now time.Time, limit int) ([]payout.Payout, error) {
	return all(c, selectDuePayouts, []any{us(now), limit, bank}, scanPayout)
}

const countOwedPayouts = `SELECT bank, COUNT(*) FROM payout WHERE done_us IS NULL GROUP BY bank`

func (c *session) OwedPayouts() (map[string]int64, error) { return c.counts(countOwedPayouts) }

const selectNextPayout = `SELECT MIN(due_us) FROM payout WHERE due_us IS NOT NULL`

func (c *session) NextPayout() (time.Time, bool, error) { return c.earliest(selectNextPayout) }

// selectUnacknowledged finds what may have left and was never named: nobody but the bank's statement can tell what became of it.
const selectUnacknowledged = payoutColumns + `
  JOIN payout_attempt AS a ON a.id = p.attempt_id
 WHERE a.state = 'PREPARED' AND a.bank_id = '' AND a.bank = $1 AND a.first_sent_us < $2 AND p.state IN ('SUBMITTED', 'UNKNOWN')
 ORDER BY a.first_sent_us, p.id LIMIT $3`

func (c *session) UnacknowledgedPayouts(bank string, before time.Time, limit int) ([]payout.Payout, error) {
	return all(c, selectUnacknowledged, []any{bank, us(before), limit}, scanPayout)
}

// selectOldestOpenPayout counts in what ended since a day before the newest line of the statement: a bank books late.
const selectOldestOpenPayout = `
SELECT MIN(asked_us)
  FROM (SELECT MIN(created_us) AS asked_us FROM payout WHERE bank = $1 AND done_us IS NULL
         UNION ALL
        SELECT MIN(created_us) FROM payout
         WHERE bank = $1 AND done_us >= (SELECT MAX(at_us) FROM statement_entry WHERE bank = $1) - 86400000000) AS either`

func (c *session) OldestOpenPayout(bank string) (time.Time, bool, error) {
	return c.earliest(selectOldestOpenPayout, bank)
}

const insertPayout = `
INSERT INTO payout (id, purpose, account, bank, request_id, state, version, currency, amount, fee, target, print, reason, limit_broken,
                    scope, code, attempt_id, attempts, created_us, changed_us, due_us, done_us, back_us, chain_length, chain_digest)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25)`

func (c *session) InsertPayout(p payout.Payout) error {
	return c.run(insertPayout, p.ID, string(p.Purpose), p.Account, p.Bank, p.RequestID, string(p.State), p.Version, p.Amount.Currency().Code(),
		p.Amount.Minor(), p.Fee.Minor(), p.Target, p.Print, string(p.Reason), p.Limit.Minor(), p.Scope, p.Code, p.AttemptID, p.Attempts,
		us(p.CreatedAt), us(p.ChangedAt), us(p.DueAt), us(p.DoneAt), us(p.BackAt), p.Chain.Length, p.Chain.Digest)
}

// updatePayout moves a payout on from the version before. No row: somebody was faster. A trigger keeps a result that is there.
const updatePayout = `
UPDATE payout
   SET state = $3, version = $4, reason = $5, limit_broken = $6, scope = $7, code = $8, attempt_id = $9, attempts = $10, changed_us = $11,
       due_us = $12, done_us = $13, back_us = $14, chain_length = $15, chain_digest = $16
 WHERE id = $1 AND version = $2`

func (c *session) UpdatePayout(p payout.Payout) (bool, error) {
	n, err := c.change(updatePayout, p.ID, p.Version-1, string(p.State), p.Version, string(p.Reason), p.Limit.Minor(), p.Scope, p.Code,
		p.AttemptID, p.Attempts, us(p.ChangedAt), us(p.DueAt), us(p.DoneAt), us(p.BackAt), p.Chain.Length, p.Chain.Digest)
	return n == 1, err
}

const payoutAttemptColumns = `
SELECT id, payout_id, n, state, version, bank, reference, currency, body, bank_id, utr, status, code, fees, tax, first_sent_us, sends, asks,
       created_us
  FROM payout_attempt`

func scanPayoutAttempt(scan scanner) (a payout.Attempt, err error) {
	var currency string
	var fees, tax, created int64
	var sent *int64
	err = scan(&a.ID, &a.Payout, &a.N, &a.State, &a.Version, &a.Bank, &a.Reference, &currency, &a.Body, &a.BankID, &a.UTR, &a.Status, &a.Code,
		&fees, &tax, &sent, &a.Sends, &a.Asks, &created)
	if err != nil {
		return a, err
	}
	in := money.Of(currency)
	a.Fees, a.Tax, a.FirstSent, a.At = money.New(fees, in), money.New(tax, in), when(sent), when(&created)
	return a, nil
}

const selectPayoutAttempt = payoutAttemptColumns + ` WHERE id = $1`

func (c *session) PayoutAttempt(id string) (payout.Attempt, bool, error) {
	return first(all(c, selectPayoutAttempt, []any{id}, scanPayoutAttempt))
}

const selectPayoutAttemptByReference = payoutAttemptColumns + ` WHERE reference = $2 AND bank = $1`

func (c *session) PayoutAttemptByReference(bank, reference string) (payout.Attempt, bool, error) {
	return first(all(c, selectPayoutAttemptByReference, []any{bank, reference}, scanPayoutAttempt))
}

const selectPayoutAttemptByBankID = payoutAttemptColumns + ` WHERE bank_id = $2 AND bank_id <> '' AND bank = $1`

func (c *session) PayoutAttemptByBankID(bank, id string) (payout.Attempt, bool, error) {
	return first(all(c, selectPayoutAttemptByBankID, []any{bank, id}, scanPayoutAttempt))
}

const insertPayoutAttempt = `
INSERT INTO payout_attempt (id, payout_id, n, state, version, bank, reference, currency, body, bank_id, utr, status, code, fees, tax,
                            first_sent_us, sends, asks, created_us)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)`

func (c *session) InsertPayoutAttempt(a payout.Attempt) error {
	return c.run(insertPayoutAttempt, a.ID, a.Payout, a.N, string(a.State), a.Version, a.Bank, a.Reference, a.Fees.Currency().Code(), a.Body,
		a.BankID, a.UTR, a.Status, a.Code, a.Fees.Minor(), a.Tax.Minor(), us(a.FirstSent), a.Sends, a.Asks, us(a.At))
}

// updatePayoutAttempt moves an attempt on from the version before. No row: somebody was faster. What was sent of it never changes.
const updatePayoutAttempt = `
UPDATE payout_attempt
   SET state = $3, version = $4, bank_id = $5, utr = $6, status = $7, code = $8, fees = $9, tax = $10, first_sent_us = $11, sends = $12,
       asks = $13
 WHERE id = $1 AND version = $2`

func (c *session) UpdatePayoutAttempt(a payout.Attempt) (bool, error) {
	n, err := c.change(updatePayoutAttempt, a.ID, a.Version-1, string(a.State), a.Version, a.BankID, a.UTR, a.Status, a.Code, a.Fees.Minor(),
		a.Tax.Minor(), us(a.FirstSent), a.Sends, a.Asks)
	return n == 1, err
}

const countStatementEntry = `SELECT COUNT(*) FROM statement_entry WHERE bank = $1 AND id = $2`

func (c *session) HasStatementEntry(bank, id string) (bool, error) {
	var n int64
	_, err := c.one(countStatementEntry, []any{bank, id}, &n)
	return n > 0, err
}

const selectLastStatement = `SELECT MAX(at_us) FROM statement_entry WHERE bank = $1`

func (c *session) LastStatement(bank string) (time.Time, bool, error) {
	return c.earliest(selectLastStatement, bank)
}

// countUnknownEntries leaves out what a person has seen to: its case is closed.
const countUnknownEntries = `
SELECT COUNT(*) FROM statement_entry AS s
 WHERE bank = $1 AND known = FALSE
   AND NOT EXISTS (SELECT 1 FROM operator_case AS x
                    WHERE x.id = 'payout-unknown-debit/' || s.bank || '/' || s.id AND x.closed_us IS NOT NULL)`

func (c *session) UnknownStatementEntries(bank string) (n int64, err error) {
	_, err = c.one(countUnknownEntries, []any{bank}, &n)
	return n, err
}

const insertStatementEntry = `
INSERT INTO statement_entry (bank, id, at_us, bank_id, currency, attempt_id, kind, reference, amount, balance, known)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (bank, id) DO NOTHING`

func (c *session) InsertStatementEntry(s engine.StatementEntry) (bool, error) {
	n, err := c.change(insertStatementEntry, s.Bank, s.ID, us(s.At), s.BankID, s.Amount.Currency().Code(), reference(s.Attempt), s.Kind,
		s.Reference, s.Amount.Minor(), s.Balance.Minor(), s.Known)
	return n == 1, err
}

// selectFloatBalance is quiet where no order is at the bank, or may be: what is not sent yet moves nothing.
const selectFloatBalance = `
SELECT (SELECT CAST(COALESCE(SUM(amount), 0) AS BIGINT) FROM balance WHERE account = 'payout:float' AND owner = $1 AND currency = $2),
       NOT EXISTS (SELECT 1 FROM payout WHERE bank = $1 AND done_us IS NULL AND state IN ('SUBMITTED', 'UNKNOWN', 'DEEMED', 'REVERSING'))`

func (c *session) FloatBalance(bank, currency string) (minor int64, quiet bool, err error) {
	_, err = c.one(selectFloatBalance, []any{bank, currency}, &minor, &quiet)
	return minor, quiet, err
}
