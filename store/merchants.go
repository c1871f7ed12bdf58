package store

import (
	"time"

	"naru/core/ledger"
	"naru/core/money"
	"naru/engine"
)

const selectBalance = `SELECT CAST(COALESCE(SUM(amount), 0) AS BIGINT) FROM balance WHERE account = $1 AND owner = $2 AND currency = $3`

// Balance is debits less credits; an account that was never posted to holds nothing.
func (c *session) Balance(a ledger.Account, in money.Currency) (minor int64, err error) {
	_, err = c.one(selectBalance, []any{string(a.Kind), a.Owner, in.Code()}, &minor)
	return minor, err
}

const merchantPayoutColumns = `
SELECT ` + payoutFields + `, m.number, m.service, m.notify_url, m.sign_type
  FROM payout AS p JOIN merchant_payout AS m ON m.payout_id = p.id`

func scanMerchantPayout(scan scanner) (m engine.MerchantPayout, err error) {
	m.Payout, err = scanPayout(func(into ...any) error {
		return scan(append(into, &m.Number, &m.Service, &m.NotifyURL, &m.SignType)...)
	})
	return m, err
}

const selectMerchantPayout = merchantPayoutColumns + ` WHERE p.id = $1`

func (c *session) MerchantPayout(id string) (engine.MerchantPayout, bool, error) {
	return first(all(c, selectMerchantPayout, []any{id}, scanMerchantPayout))
}

const selectMerchantPayoutByClient = merchantPayoutColumns + ` WHERE p.account = $1 AND p.request_id = $2`

func (c *session) MerchantPayoutByClient(merchant, clientID string) (engine.MerchantPayout, bool, error) {
	return first(all(c, selectMerchantPayoutByClient, []any{merchant, clientID}, scanMerchantPayout))
}

var merchantPayouts = listing{
	columns:  merchantPayoutColumns,
	count:    `SELECT COUNT(*) FROM payout AS p`,
	wanted:   ` WHERE p.account = $1 AND p.purpose = 'MERCHANT' AND p.created_us >= $2 AND p.created_us < $3`,
	states:   ` AND p.state IN (%s)`,
	number:   ` AND p.id = (SELECT payout_id FROM merchant_payout WHERE number = %s)`,
	clientID: ` AND p.request_id = %s`,
	newest:   ` ORDER BY p.created_us DESC, p.id DESC`,
}

func (c *session) MerchantPayouts(p engine.Page) ([]engine.MerchantPayout, int64, error) {
	return pageOf(c, merchantPayouts, p, scanMerchantPayout)
}

const insertMerchantPayout = `INSERT INTO merchant_payout (payout_id, number, service, notify_url, sign_type) VALUES ($1, $2, $3, $4, $5)`

// InsertMerchantPayout writes what a merchant knows of a payout that is there.
func (c *session) InsertMerchantPayout(m engine.MerchantPayout) error {
	return c.run(insertMerchantPayout, m.ID, m.Number, m.Service, m.NotifyURL, m.SignType)
}

const selectRegistration = `SELECT merchant, user_id, payer, bank, at_us FROM payer_registration WHERE merchant = $1 AND user_id = $2`

func (c *session) Registration(merchant, user string) (engine.Registration, bool, error) {
	return first(all(c, selectRegistration, []any{merchant, user}, func(scan scanner) (r engine.Registration, err error) {
		var at int64
		err = scan(&r.Merchant, &r.User, &r.Payer, &r.Bank, &at)
		r.At = when(&at)
		return r, err
	}))
}

const putRegistration = `INSERT INTO payer_registration (merchant, user_id, payer, bank, at_us) VALUES ($1, $2, $3, $4, $5)`

// PutRegistration keeps what a payer told; what was told is not told anew.
func (c *session) PutRegistration(r engine.Registration) error {
	return c.run(putRegistration, r.Merchant, r.User, r.Payer, r.Bank, us(r.At))
}

const selectMerchantKeys = `
SELECT id, merchant, purpose, sealed, created_us, ends_us FROM merchant_key WHERE merchant = $1 ORDER BY created_us DESC, id DESC`

func (c *session) MerchantKeys(merchant string) ([]engine.MerchantKey, error) {
	return all(c, selectMerchantKeys, []any{merchant}, func(scan scanner) (k engine.MerchantKey, err error) {
		var created int64
		var ends *int64
		err = scan(&k.ID, &k.Merchant, &k.Purpose, &k.Sealed, &created, &ends)
		k.CreatedAt, k.EndsAt = when(&created), when(ends)
		return k, err
	})
}

const insertMerchantKey = `INSERT INTO merchant_key (id, merchant, purpose, sealed, created_us, ends_us) VALUES ($1, $2, $3, $4, $5, $6)`

func (c *session) InsertMerchantKey(k engine.MerchantKey) error {
	return c.run(insertMerchantKey, k.ID, k.Merchant, string(k.Purpose), k.Sealed, us(k.CreatedAt), us(k.EndsAt))
}

const endMerchantKey = `UPDATE merchant_key SET ends_us = $3 WHERE merchant = $1 AND id = $2 AND (ends_us IS NULL OR ends_us > $3)`

// EndMerchantKey never lengthens the life of a key.
func (c *session) EndMerchantKey(merchant, id string, at time.Time) (bool, error) {
	n, err := c.change(endMerchantKey, merchant, id, us(at))
	return n == 1, err
}

const selectPauses = `SELECT receiver, note, since_us FROM receiver_pause ORDER BY receiver`

func (c *session) Pauses() ([]engine.Pause, error) {
	return all(c, selectPauses, nil, func(scan scanner) (p engine.Pause, err error) {
		var since int64
		err = scan(&p.Receiver, &p.Note, &since)
		p.Since = when(&since)
		return p, err
	})
}

const insertPause = `INSERT INTO receiver_pause (receiver, note, since_us) VALUES ($1, $2, $3) ON CONFLICT (receiver) DO NOTHING`

func (c *session) PutPause(p engine.Pause) (bool, error) {
	n, err := c.change(insertPause, p.Receiver, p.Note, us(p.Since))
	return n == 1, err
}

const deletePause = `DELETE FROM receiver_pause WHERE receiver = $1`

func (c *session) DeletePause(receiver string) (bool, error) {
	n, err := c.change(deletePause, receiver)
	return n == 1, err
}
