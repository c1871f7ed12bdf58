package store

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"

	"naru/core/deposit"
	"naru/core/money"
	"naru/engine"
)

const orderColumns = `
SELECT id, number, link, merchant, service, client_id, user_id, generation, state, version, currency, amount, display, reserved, receiver,
       receiver_bank, receiver_number, holder, branch, virtual, token, payer, payer_bank, trouble, COALESCE(credit_id, ''), into_account,
       real_amount, fee, notify_url, sign_type, created_us, expires_us, changed_us, due_us, paid_us, chain_length, chain_digest
  FROM deposit_order`

func scanOrder(scan scanner) (o deposit.Order, err error) {
	var currency string
	var amount, display, arrived, fee, created, expires, changed int64
	var due, paid *int64
	err = scan(&o.ID, &o.Number, &o.Link, &o.Merchant, &o.Service, &o.ClientID, &o.User, &o.Generation, &o.State, &o.Version, &currency,
		&amount, &display, &o.Reserved, &o.Receiver.Account, &o.Receiver.Bank, &o.Receiver.Number, &o.Receiver.Holder, &o.Receiver.Branch,
		&o.Receiver.Virtual, &o.Token, &o.Payer, &o.PayerBank, &o.Trouble, &o.Credit, &o.Into, &arrived, &fee, &o.NotifyURL, &o.SignType,
		&created, &expires, &changed, &due, &paid, &o.Chain.Length, &o.Chain.Digest)
	if err != nil {
		return o, err
	}
	in := money.Of(currency)
	o.Amount, o.Display, o.Real, o.Fee = money.New(amount, in), money.New(display, in), money.New(arrived, in), money.New(fee, in)
	o.CreatedAt, o.ExpiresAt, o.ChangedAt, o.DueAt, o.PaidAt = when(&created), when(&expires), when(&changed), when(due), when(paid)
	return o, nil
}

const selectOrder = orderColumns + ` WHERE id = $1`

func (c *session) Order(id string) (deposit.Order, bool, error) {
	return first(all(c, selectOrder, []any{id}, scanOrder))
}

const selectOrderByClient = orderColumns + ` WHERE client_id = $2 AND merchant = $1`

func (c *session) OrderByClient(merchant, clientID string) (deposit.Order, bool, error) {
	return first(all(c, selectOrderByClient, []any{merchant, clientID}, scanOrder))
}

const selectOrderByNumber = orderColumns + ` WHERE number = $1`

func (c *session) OrderByNumber(number string) (deposit.Order, bool, error) {
	return first(all(c, selectOrderByNumber, []any{number}, scanOrder))
}

const selectOrderByLink = orderColumns + ` WHERE link = $1`

func (c *session) OrderByLink(link string) (deposit.Order, bool, error) {
	return first(all(c, selectOrderByLink, []any{link}, scanOrder))
}

// A listing is how a merchant's list is asked for: what of it is wanted, newest first, and how many there are of that. The conditions of
// states, number and clientID are asked only where they are wanted; %s is where what they compare with stands.
type listing struct{ columns, count, wanted, states, number, clientID, newest string }

// pageOf reads a part of a list, and counts the whole of it. What nobody asks for is not looked at: a name that only one row can
// have is found by its index, and counting all reads no row.
func pageOf[T any](c *session, l listing, p engine.Page, scan func(scanner) (T, error)) (list []T, total int64, err error) {
	from, until := span(p.From, p.Until)
	wanted, args := l.wanted, []any{p.Merchant, from, until}
	next := func(arg any) string {
		args = append(args, arg)
		return "$" + strconv.Itoa(len(args))
	}
	if len(p.States) > 0 {
		wanted += fmt.Sprintf(l.states, "SELECT value FROM "+c.words(next(setOf(p.States))))
	}
	if p.Number != "" {
		wanted += fmt.Sprintf(l.number, next(p.Number))
	}
	if p.ClientID != "" {
		wanted += fmt.Sprintf(l.clientID, next(p.ClientID))
	}
	if _, err := c.one(l.count+wanted, args, &total); err != nil {
		return nil, 0, err
	}
	list, err = all(c, l.columns+wanted+l.newest+" LIMIT "+next(p.Limit)+" OFFSET "+next(p.Offset), args, scan)
	return list, total, err
}

// span is a time from a first moment up to, and without, a last one, either of which may be open.
func span(from, until time.Time) (first, end int64) {
	if end = math.MaxInt64; !until.IsZero() {
		end = until.UnixMicro()
	}
	if !from.IsZero() {
		first = from.UnixMicro()
	}
	return first, end
}

// setOf hands words to a statement that takes any number of them.
func setOf(words []string) string {
	text, _ := json.Marshal(append([]string{}, words...)) // cannot fail
	return string(text)
}

var orders = listing{
	columns:  orderColumns,
	count:    `SELECT COUNT(*) FROM deposit_order`,
	wanted:   ` WHERE merchant = $1 AND created_us >= $2 AND created_us < $3`,
	states:   ` AND state IN (%s)`,
	number:   ` AND number = %s`,
	clientID: ` AND client_id = %s`,
	newest:   ` ORDER BY created_us DESC, id DESC`,
}

func (c *session) Orders(p engine.Page) ([]deposit.Order, int64, error) {
	return pageOf(c, orders, p, scanOrder)
}

const selectOrdersShowing = orderColumns + `
 WHERE receiver = $1 AND display = $2 AND currency = $3 AND state IN ('WAITING', 'SEEN', 'EXPIRED', 'CANCELLED')
   AND created_us <= $4 AND expires_us >= $5
 ORDER BY created_us DESC, id DESC`

func (c *session) OrdersShowing(receiver string, a money.Amount, madeBefore, endedAfter time.Time) ([]deposit.Order, error) {
	return all(c, selectOrdersShowing, []any{receiver, a.Minor(), a.Currency().Code(), us(madeBefore), us(endedAfter)}, scanOrder)
}

// selectOrdersNamed asks each of two indexes alone.
const selectOrdersNamed = orderColumns + `
 WHERE id IN (SELECT o.id FROM %s CROSS JOIN deposit_order AS o
               WHERE o.token = word.value AND o.token <> '' AND o.receiver = $1 AND o.state IN ('WAITING', 'SEEN')
               UNION ALL
              SELECT id FROM deposit_order WHERE receiver = $1 AND name_print = $3 AND state IN ('WAITING', 'SEEN'))
 ORDER BY created_us DESC, id DESC LIMIT $4`

func (c *session) OrdersNamed(receiver string, tokens []string, name []byte, limit int) ([]deposit.Order, error) {
	return all(c, fmt.Sprintf(selectOrdersNamed, c.words("$2")), []any{receiver, setOf(tokens), blob(name), limit}, scanOrder)
}

// selectOrdersPassed begins with the money that is nobody's, because there is little of it.
const selectOrdersPassed = orderColumns + `
 WHERE id IN (SELECT o.id FROM bank_credit AS c JOIN deposit_order AS o ON o.receiver = c.receiver AND o.display = c.amount
               WHERE c.state = 'UNMATCHED' AND c.received_us >= $1 AND c.retry_us IS NOT NULL AND o.currency = c.currency
                 AND o.state IN ('WAITING', 'SEEN', 'EXPIRED', 'CANCELLED') AND o.state = 'WAITING'
                 AND o.created_us BETWEEN c.received_us - CAST($2 AS BIGINT) AND c.received_us + CAST($2 AS BIGINT))
 ORDER BY created_us, id LIMIT $3`

func (c *session) OrdersPassed(since time.Time, within time.Duration, limit int) ([]deposit.Order, error) {
	return all(c, selectOrdersPassed, []any{us(since), within.Microseconds(), limit}, scanOrder)
}

const selectOrdersOfVirtual = orderColumns + `
 WHERE receiver_number = $2 AND receiver = $1 AND virtual ORDER BY created_us DESC, id DESC LIMIT $3`

func (c *session) OrdersOfVirtual(receiver, number string, limit int) ([]deposit.Order, error) {
	return all(c, selectOrdersOfVirtual, []any{receiver, number, limit}, scanOrder)
}

const countOpenOrders = `SELECT COUNT(*) FROM deposit_order WHERE receiver = $1 AND state IN ('WAITING', 'SEEN')`

func (c *session) OpenOrders(receiver string) (n int64, err error) {
	_, err = c.one(countOpenOrders, []any{receiver}, &n)
	return n, err
}

const selectReserved = `
SELECT display FROM deposit_order WHERE receiver = $1 AND display BETWEEN $2 AND $3 AND reserved AND NOT virtual ORDER BY display`

func (c *session) Reserved(receiver string, from, to int64) ([]int64, error) {
	return all(c, selectReserved, []any{receiver, from, to}, func(scan scanner) (minor int64, err error) { return minor, scan(&minor) })
}

const countVirtualInUse = `SELECT COUNT(*) FROM deposit_order WHERE receiver_number = $2 AND receiver = $1 AND reserved AND virtual`

func (c *session) VirtualInUse(receiver, number string) (bool, error) {
	var n int64
	_, err := c.one(countVirtualInUse, []any{receiver, number}, &n)
	return n > 0, err
}

const selectDueOrders = orderColumns + ` WHERE due_us <= $1 ORDER BY due_us, id LIMIT $2`

// DueOrders are those whose time is over, and those that rest until their amount is free again.
func (c *session) DueOrders(now time.Time, limit int) ([]deposit.Order, error) {
	return all(c, selectDueOrders, []any{us(now), limit}, scanOrder)
}

const selectNextOrder = `SELECT MIN(due_us) FROM deposit_order WHERE due_us IS NOT NULL`

func (c *session) NextOrder() (time.Time, bool, error) { return c.earliest(selectNextOrder) }

// insertOrder writes nothing where the merchant's number was used, or the amount or the account is somebody else's meanwhile.
const insertOrder = `
INSERT INTO deposit_order (id, number, link, merchant, service, client_id, user_id, generation, state, version, currency, amount, display,
                           reserved, receiver, receiver_bank, receiver_number, holder, branch, virtual, token, payer, payer_bank,
                           name_print, trouble, credit_id, into_account, real_amount, fee, notify_url, sign_type, created_us, expires_us,
                           changed_us, due_us, paid_us, chain_length, chain_digest)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28,
        $29, $30, $31, $32, $33, $34, $35, $36, $37, $38)
ON CONFLICT DO NOTHING`

func (c *session) InsertOrder(o deposit.Order, name []byte) (bool, error) {
	n, err := c.change(insertOrder, o.ID, o.Number, o.Link, o.Merchant, o.Service, o.ClientID, o.User, int64(o.Generation), string(o.State),
		o.Version, o.Amount.Currency().Code(), o.Amount.Minor(), o.Display.Minor(), o.Reserved, o.Receiver.Account, o.Receiver.Bank,
		o.Receiver.Number, o.Receiver.Holder, o.Receiver.Branch, o.Receiver.Virtual, o.Token, blob(o.Payer), o.PayerBank, blob(name),
		string(o.Trouble), reference(o.Credit), o.Into, o.Real.Minor(), o.Fee.Minor(), o.NotifyURL, o.SignType, us(o.CreatedAt),
		us(o.ExpiresAt), us(o.ChangedAt), us(o.DueAt), us(o.PaidAt), o.Chain.Length, o.Chain.Digest)
	return n == 1, err
}

// updateOrder moves an order on from the version before. No row: somebody was faster. Triggers keep what it asks for, and what paid it.
const updateOrder = `
UPDATE deposit_order
   SET state = $3, version = $4, reserved = $5, payer = $6, payer_bank = $7, name_print = COALESCE($8, name_print), trouble = $9,
       credit_id = $10, into_account = $11, real_amount = $12, fee = $13, changed_us = $14, due_us = $15, paid_us = $16, chain_length = $17,
       chain_digest = $18
 WHERE id = $1 AND version = $2`

func (c *session) UpdateOrder(o deposit.Order, name []byte) (bool, error) {
	n, err := c.change(updateOrder, o.ID, o.Version-1, string(o.State), o.Version, o.Reserved, blob(o.Payer), o.PayerBank, blob(name),
		string(o.Trouble), reference(o.Credit), o.Into, o.Real.Minor(), o.Fee.Minor(), us(o.ChangedAt), us(o.DueAt), us(o.PaidAt),
		o.Chain.Length, o.Chain.Digest)
	return n == 1, err
}
