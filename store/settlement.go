package store

import (
	"naru/core/money"
	"naru/core/payment"
	"naru/core/settlement"
)

const selectAccountBook = `SELECT chain_length, chain_digest FROM account_book WHERE account = $1`

func (c *session) AccountBook(account string) (chain payment.Chain, err error) {
	_, err = c.one(selectAccountBook, []any{account}, &chain.Length, &chain.Digest)
	return chain, err
}

const beginAccountBook = `
INSERT INTO account_book (account, chain_length, chain_digest) VALUES ($1, $2, $3) ON CONFLICT (account) DO NOTHING`

// updateAccountBook moves a book on from a chain one shorter. No row: somebody was faster.
const updateAccountBook = `UPDATE account_book SET chain_length = $2, chain_digest = $3 WHERE account = $1 AND chain_length = $2 - 1`

func (c *session) UpdateAccountBook(account string, chain payment.Chain) (bool, error) {
	query := updateAccountBook
	if chain.Length == 1 {
		query = beginAccountBook
	}
	n, err := c.change(query, account, chain.Length, chain.Digest)
	return n == 1, err
}

const itemColumns = `
SELECT payment_id, event_n, account, kind, day, currency, subject, own_id, link, note, charge, fee, vat, at_us FROM settlement_item`

func scanItem(scan scanner) (i settlement.Item, err error) {
	var currency string
	var charge, fee, vat, at int64
	err = scan(&i.Payment, &i.EventN, &i.Account, &i.Kind, &i.Day, &currency, &i.Subject, &i.OwnID, &i.Link, &i.Note, &charge, &fee, &vat, &at)
	if err != nil {
		return i, err
	}
	in := money.Of(currency)
	i.Charge, i.Fee, i.VAT, i.At = money.New(charge, in), money.New(fee, in), money.New(vat, in), when(&at)
	return i, nil
}

const selectItems = itemColumns + ` WHERE settlement_id = $1 ORDER BY day, payment_id, event_n LIMIT $3 OFFSET $2`

func (c *session) Items(id string, offset, limit int64) ([]settlement.Item, error) {
	return all(c, selectItems, []any{id, offset, limit}, scanItem)
}

const insertItem = `
INSERT INTO settlement_item (payment_id, event_n, account, kind, day, currency, subject, own_id, link, note, charge, fee, vat, at_us)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`

func (c *session) InsertItem(i settlement.Item) error {
	return c.run(insertItem, i.Payment, i.EventN, i.Account, string(i.Kind), i.Day, i.Charge.Currency().Code(), i.Subject, i.OwnID, i.Link,
		i.Note, i.Charge.Minor(), i.Fee.Minor(), i.VAT.Minor(), us(i.At))
}

// selectOpenTotal adds up as settlement.Total does: corrections ($4) stand beside the charges.
const selectOpenTotal = `
SELECT COUNT(*), CAST(COALESCE(SUM(CASE kind WHEN $4 THEN 0 ELSE charge END), 0) AS BIGINT),
       CAST(COALESCE(SUM(CASE kind WHEN $4 THEN charge ELSE 0 END), 0) AS BIGINT),
       CAST(COALESCE(SUM(fee), 0) AS BIGINT), CAST(COALESCE(SUM(vat), 0) AS BIGINT)
  FROM settlement_item WHERE account = $1 AND currency = $2 AND day <= $3 AND settlement_id IS NULL`

func (c *session) OpenItemsTotal(account, currency, day string) (t settlement.Totals, err error) {
	var charge, adjusted, fee, vat int64
	args := []any{account, currency, day, string(settlement.MiscAdjusting)}
	if _, err = c.one(selectOpenTotal, args, &t.Items, &charge, &adjusted, &fee, &vat); err != nil {
		return t, err
	}
	in := money.Of(currency)
	t.Charge, t.Adjusted, t.Fee, t.VAT = money.New(charge, in), money.New(adjusted, in), money.New(fee, in), money.New(vat, in)
	t.Net = money.New(charge+adjusted+fee+vat, in)
	return t, nil
}

const assignItems = `
UPDATE settlement_item SET settlement_id = $1 WHERE account = $2 AND currency = $3 AND day <= $4 AND settlement_id IS NULL`

func (c *session) AssignItems(id, account, currency, day string) (int64, error) {
	return c.change(assignItems, id, account, currency, day)
}

const settlementColumns = `
SELECT id, account, currency, day, start_us, end_us, closed_us, items, charge, fee, vat, net, adjusted, parts, state, reference, paid_us
  FROM settlement`

func scanSettlement(scan scanner) (s settlement.Settlement, err error) {
	var currency string
	var start, end, closed, charge, fee, vat, net, adjusted int64
	var paid *int64
	err = scan(&s.ID, &s.Account, &currency, &s.Day, &start, &end, &closed, &s.Items, &charge, &fee, &vat, &net, &adjusted, &s.Parts, &s.State,
		&s.Reference, &paid)
	if err != nil {
		return s, err
	}
	in := money.Of(currency)
	s.Currency, s.Charge, s.Fee, s.VAT = in, money.New(charge, in), money.New(fee, in), money.New(vat, in)
	s.Net, s.Adjusted = money.New(net, in), money.New(adjusted, in)
	s.Start, s.End, s.ClosedAt, s.PaidAt = when(&start), when(&end), when(&closed), when(paid)
	return s, nil
}

const selectSettlement = settlementColumns + ` WHERE id = $1`

func (c *session) Settlement(id string) (settlement.Settlement, bool, error) {
	return first(all(c, selectSettlement, []any{id}, scanSettlement))
}

const selectSettlements = settlementColumns + ` WHERE account = $1 ORDER BY day DESC, currency LIMIT $2`

func (c *session) Settlements(account string, limit int) ([]settlement.Settlement, error) {
	return all(c, selectSettlements, []any{account, limit}, scanSettlement)
}

const selectLastSettlement = settlementColumns + ` WHERE account = $1 AND currency = $2 ORDER BY day DESC LIMIT 1`

func (c *session) LastSettlement(account, currency string) (settlement.Settlement, bool, error) {
	return first(all(c, selectLastSettlement, []any{account, currency}, scanSettlement))
}

const insertSettlement = `
INSERT INTO settlement (id, account, currency, day, start_us, end_us, closed_us, items, charge, fee, vat, net, adjusted, parts, state,
                        reference, paid_us)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)`

func (c *session) InsertSettlement(s settlement.Settlement) error {
	return c.run(insertSettlement, s.ID, s.Account, s.Currency.Code(), s.Day, us(s.Start), us(s.End), us(s.ClosedAt), s.Items,
		s.Charge.Minor(), s.Fee.Minor(), s.VAT.Minor(), s.Net.Minor(), s.Adjusted.Minor(), s.Parts, string(s.State), s.Reference, us(s.PaidAt))
}

// updateSettlement writes that it was paid: once. What it says of its items never changes.
const updateSettlement = `UPDATE settlement SET state = $2, reference = $3, paid_us = $4 WHERE id = $1 AND state = 'CLOSED'`

func (c *session) UpdateSettlement(s settlement.Settlement) error {
	return c.exactlyOne(updateSettlement, s.ID, string(s.State), s.Reference, us(s.PaidAt))
}

const selectOldestItem = `SELECT MIN(day) FROM settlement_item WHERE account = $1 AND currency = $2 AND settlement_id IS NULL`

func (c *session) OldestItem(account, currency string) (day string, ok bool, err error) {
	var first *string
	_, err = c.one(selectOldestItem, []any{account, currency}, &first)
	if first == nil {
		return "", false, err
	}
	return *first, true, err
}
