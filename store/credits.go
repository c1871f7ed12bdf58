package store

import (
	"encoding/hex"
	"time"

	"naru/core/deposit"
	"naru/core/money"
	"naru/engine"
)

const creditColumns = `
SELECT id, receiver, bank, account, virtual, bank_id, feed, message, state, version, currency, amount, sender, COALESCE(order_id, ''),
       COALESCE(suspect_id, ''), COALESCE(payout_id, ''), rule, trouble, inputs, booked_us, received_us, retry_us, chain_length,
       chain_digest
  FROM bank_credit`

func scanCredit(scan scanner) (x deposit.Credit, err error) {
	var currency string
	var amount, booked, received int64
	var retry *int64
	err = scan(&x.ID, &x.Receiver, &x.Bank, &x.Account, &x.Virtual, &x.BankID, &x.Feed, &x.Message, &x.State, &x.Version, &currency, &amount,
		&x.Sender, &x.Order, &x.Suspect, &x.Payout, &x.Rule, &x.Trouble, &x.Inputs, &booked, &received, &retry, &x.Chain.Length, &x.Chain.Digest)
	if err != nil {
		return x, err
	}
	x.Amount, x.BookedAt, x.ReceivedAt, x.RetryUntil = money.New(amount, money.Of(currency)), when(&booked), when(&received), when(retry)
	return x, nil
}

const selectCredit = creditColumns + ` WHERE id = $1`

func (c *session) Credit(id string) (deposit.Credit, bool, error) {
	return first(all(c, selectCredit, []any{id}, scanCredit))
}

const selectCreditByBankID = creditColumns + ` WHERE bank || '/' || account || '/' || bank_id = $1 || '/' || $2 || '/' || $3`

func (c *session) CreditByBankID(bank, account, bankID string) (deposit.Credit, bool, error) {
	return first(all(c, selectCreditByBankID, []any{bank, account, bankID}, scanCredit))
}

const selectCreditsSuspecting = creditColumns + ` WHERE suspect_id = $1 ORDER BY received_us, id`

// CreditsSuspecting are unmatched: no other credit suspects an order.
func (c *session) CreditsSuspecting(order string) ([]deposit.Credit, error) {
	return all(c, selectCreditsSuspecting, []any{order}, scanCredit)
}

const selectCredits = creditColumns + ` ORDER BY received_us, id LIMIT $1`

const selectOpenCredits = creditColumns + ` WHERE state = 'UNMATCHED' ORDER BY received_us, id LIMIT $1`

// Credits lists what is nobody's yet, or all, oldest first.
func (c *session) Credits(open bool, limit int) ([]deposit.Credit, error) {
	query := selectCredits
	if open {
		query = selectOpenCredits
	}
	return all(c, query, []any{limit}, scanCredit)
}

const selectWaitingCredits = creditColumns + `
 WHERE receiver = $1 AND amount = $2 AND currency = $3 AND retry_us >= $4 ORDER BY received_us, id`

// anyWaitingCredit asks one column: nearly always there is none, and every new order asks.
const anyWaitingCredit = `SELECT 1 FROM bank_credit WHERE receiver = $1 AND amount = $2 AND currency = $3 AND retry_us >= $4 LIMIT 1`

// WaitingCredits are unmatched: no other credit may be claimed.
func (c *session) WaitingCredits(receiver string, a money.Amount, now time.Time) ([]deposit.Credit, error) {
	var one int64
	if some, err := c.one(anyWaitingCredit, []any{receiver, a.Minor(), a.Currency().Code(), us(now)}, &one); err != nil || !some {
		return nil, err
	}
	return all(c, selectWaitingCredits, []any{receiver, a.Minor(), a.Currency().Code(), us(now)}, scanCredit)
}

const sumReceived = `
SELECT COALESCE(SUM(amount), 0) FROM bank_credit WHERE receiver = $1 AND booked_us >= $2 AND state <> 'REVERSED'`

// Received leaves out what the bank took back.
func (c *session) Received(receiver string, since time.Time) (minor int64, err error) {
	_, err = c.one(sumReceived, []any{receiver, us(since)}, &minor)
	return minor, err
}

const selectLastCredit = `SELECT MAX(booked_us) FROM bank_credit WHERE receiver = $1`

func (c *session) LastCredit(receiver string) (time.Time, bool, error) {
	return c.earliest(selectLastCredit, receiver)
}

const insertCredit = `
INSERT INTO bank_credit (id, receiver, bank, account, virtual, bank_id, feed, message, state, version, currency, amount, sender, order_id,
                         suspect_id, payout_id, rule, trouble, inputs, booked_us, received_us, retry_us, chain_length, chain_digest)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24)`

func (c *session) InsertCredit(x deposit.Credit) error {
	return c.run(insertCredit, x.ID, x.Receiver, x.Bank, x.Account, x.Virtual, x.BankID, x.Feed, x.Message, string(x.State), x.Version,
		x.Amount.Currency().Code(), x.Amount.Minor(), x.Sender, reference(x.Order), reference(x.Suspect), reference(x.Payout), x.Rule,
		string(x.Trouble), x.Inputs, us(x.BookedAt), us(x.ReceivedAt), us(x.RetryUntil), x.Chain.Length, x.Chain.Digest)
}

// updateCredit moves a credit on from the version before. No row: somebody was faster. Triggers keep what was booked, and what it paid.
const updateCredit = `
UPDATE bank_credit
   SET state = $3, version = $4, order_id = $5, suspect_id = $6, payout_id = $7, rule = $8, trouble = $9, inputs = $10, retry_us = $11,
       chain_length = $12, chain_digest = $13
 WHERE id = $1 AND version = $2`

func (c *session) UpdateCredit(x deposit.Credit) (bool, error) {
	n, err := c.change(updateCredit, x.ID, x.Version-1, string(x.State), x.Version, reference(x.Order), reference(x.Suspect),
		reference(x.Payout), x.Rule, string(x.Trouble), x.Inputs, us(x.RetryUntil), x.Chain.Length, x.Chain.Digest)
	return n == 1, err
}

const bankEntryColumns = `
SELECT bank, account, id, debit, currency, amount, receiver, COALESCE(credit_id, ''), COALESCE(payout_id, ''), message, original, notified,
       stated, day, at_us
  FROM bank_entry`

func scanBankEntry(scan scanner) (b engine.BankEntry, err error) {
	var currency string
	var amount, at int64
	err = scan(&b.Bank, &b.Account, &b.ID, &b.Debit, &currency, &amount, &b.Receiver, &b.Credit, &b.Payout, &b.Message, &b.Original,
		&b.Notified, &b.Stated, &b.Day, &at)
	if err != nil {
		return b, err
	}
	b.Amount, b.At = money.New(amount, money.Of(currency)), when(&at)
	return b, nil
}

// theBankEntry is the one booking with a name: of a credit and a debit with one transaction id, each is its own.
const theBankEntry = `
 WHERE bank || '/' || account || CASE WHEN debit THEN '/D/' ELSE '/C/' END || id
       = $1 || '/' || $2 || CASE WHEN $4 THEN '/D/' ELSE '/C/' END || $3`

const selectBankEntry = bankEntryColumns + theBankEntry

func (c *session) BankEntry(bank, account, id string, debit bool) (engine.BankEntry, bool, error) {
	return first(all(c, selectBankEntry, []any{bank, account, id, debit}, scanBankEntry))
}

const selectReversalOf = bankEntryColumns + `
 WHERE bank || '/' || account || '/' || original = $1 || '/' || $2 || '/' || $3 AND original <> '' AND debit ORDER BY at_us, id LIMIT 1`

// ReversalOf is the first booking that takes a credit back.
func (c *session) ReversalOf(bank, account, original string) (engine.BankEntry, bool, error) {
	return first(all(c, selectReversalOf, []any{bank, account, original}, scanBankEntry))
}

const selectUntoldEntries = bankEntryColumns + `
 WHERE bank || '/' || account || '/' || day = $1 || '/' || $2 || '/' || $3 AND NOT stated ORDER BY at_us, id, debit`

func (c *session) UntoldEntries(bank, account, day string) ([]engine.BankEntry, error) {
	return all(c, selectUntoldEntries, []any{bank, account, day}, scanBankEntry)
}

const insertBankEntry = `
INSERT INTO bank_entry (bank, account, id, debit, currency, amount, receiver, credit_id, payout_id, message, original, notified, stated,
                        day, at_us)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) ON CONFLICT DO NOTHING`

func (c *session) InsertBankEntry(b engine.BankEntry) (bool, error) {
	n, err := c.change(insertBankEntry, b.Bank, b.Account, b.ID, b.Debit, b.Amount.Currency().Code(), b.Amount.Minor(), b.Receiver,
		reference(b.Credit), reference(b.Payout), b.Message, b.Original, b.Notified, b.Stated, b.Day, us(b.At))
	return n == 1, err
}

const updateBankEntry = `UPDATE bank_entry SET notified = $5, stated = $6` + theBankEntry

// UpdateBankEntry notes by what a booking was told. Everything else of it stays.
func (c *session) UpdateBankEntry(b engine.BankEntry) error {
	return c.exactlyOne(updateBankEntry, b.Bank, b.Account, b.ID, b.Debit, b.Notified, b.Stated)
}

const selectBankMessage = `
SELECT feed, kind, id, sha256, entries, accepted, repeated, at_us FROM bank_message WHERE feed = $1 AND kind = $2 AND id = $3`

func (c *session) BankMessage(feed string, kind deposit.MessageKind, id string) (engine.BankMessage, bool, error) {
	return first(all(c, selectBankMessage, []any{feed, string(kind), id}, func(scan scanner) (m engine.BankMessage, err error) {
		var digest []byte
		var at int64
		err = scan(&m.Feed, &m.Kind, &m.ID, &digest, &m.Entries, &m.Accepted, &m.Repeated, &at)
		m.Digest, m.At = hex.EncodeToString(digest), when(&at)
		return m, err
	}))
}

const insertBankMessage = `
INSERT INTO bank_message (feed, kind, id, sha256, entries, accepted, repeated, at_us) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (feed, kind, id) DO NOTHING`

func (c *session) InsertBankMessage(m engine.BankMessage) (bool, error) {
	digest, err := hex.DecodeString(m.Digest)
	if err != nil {
		return false, describe(insertBankMessage, err)
	}
	n, err := c.change(insertBankMessage, m.Feed, string(m.Kind), m.ID, digest, m.Entries, m.Accepted, m.Repeated, us(m.At))
	return n == 1, err
}

const selectSequence = `SELECT seq FROM bank_sequence WHERE account = $1`

func (c *session) LastSequence(bank, account string) (seq int64, some bool, err error) {
	some, err = c.one(selectSequence, []any{bank + "/" + account}, &seq)
	return seq, some, err
}

const putSequence = `INSERT INTO bank_sequence (account, seq) VALUES ($1, $2) ON CONFLICT (account) DO UPDATE SET seq = excluded.seq`

func (c *session) PutSequence(bank, account string, seq int64) error {
	return c.run(putSequence, bank+"/"+account, seq)
}
