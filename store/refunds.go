package store

import (
	"naru/core/money"
	"naru/core/payment"
)

const refundColumns = `
SELECT id, account, request_id, reservation_id, state, currency, amount, returned, reason, attempt_id, rrn, arn, code, day, created_us,
       done_us, back_us
  FROM refund`

func scanRefund(scan scanner) (f payment.Refund, err error) {
	var currency string
	var amount, returned, created int64
	var done, back *int64
	err = scan(&f.ID, &f.Account, &f.RequestID, &f.Payment, &f.State, &currency, &amount, &returned, &f.Reason, &f.AttemptID, &f.RRN, &f.ARN,
		&f.Code, &f.Day, &created, &done, &back)
	if err != nil {
		return f, err
	}
	in := money.Of(currency)
	f.Amount, f.Returned = money.New(amount, in), money.New(returned, in)
	f.At, f.DoneAt, f.BackAt = when(&created), when(done), when(back)
	return f, nil
}

const selectRefund = refundColumns + ` WHERE id = $1`

func (c *session) Refund(id string) (payment.Refund, bool, error) {
	return first(all(c, selectRefund, []any{id}, scanRefund))
}

// selectRefundByAttempt finds it by an attempt that was given up too.
const selectRefundByAttempt = refundColumns + ` WHERE id = (SELECT refund_id FROM attempt WHERE id = $1)`

func (c *session) RefundByAttempt(attempt string) (payment.Refund, bool, error) {
	return first(all(c, selectRefundByAttempt, []any{attempt}, scanRefund))
}

const selectRefundsByRRN = refundColumns + ` WHERE rrn = $1 AND rrn <> '' ORDER BY created_us, id`

func (c *session) RefundsByRRN(rrn string) ([]payment.Refund, error) {
	return all(c, selectRefundsByRRN, []any{rrn}, scanRefund)
}

const selectRefundByARN = refundColumns + ` WHERE arn = $1 AND arn <> ''`

func (c *session) RefundByARN(arn string) (payment.Refund, bool, error) {
	return first(all(c, selectRefundByARN, []any{arn}, scanRefund))
}

const selectRefunds = refundColumns + ` WHERE reservation_id = $1 ORDER BY created_us, id`

func (c *session) Refunds(reservation string) ([]payment.Refund, error) {
	return all(c, selectRefunds, []any{reservation}, scanRefund)
}

const insertRefund = `
INSERT INTO refund (id, account, request_id, reservation_id, state, currency, amount, returned, reason, attempt_id, rrn, arn, code, day,
                    created_us, done_us, back_us)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)`

func (c *session) InsertRefund(f payment.Refund) error {
	return c.run(insertRefund, f.ID, f.Account, f.RequestID, f.Payment, string(f.State), f.Amount.Currency().Code(), f.Amount.Minor(),
		f.Returned.Minor(), string(f.Reason), f.AttemptID, f.RRN, f.ARN, f.Code, f.Day, us(f.At), us(f.DoneAt), us(f.BackAt))
}

// updateRefund leaves a verdict alone: what was paid may come back, nothing else changes a refund that is done.
const updateRefund = `
UPDATE refund
   SET state = $2, returned = $3, reason = $4, attempt_id = $5, rrn = $6, arn = $7, code = $8, day = $9, done_us = $10, back_us = $11
 WHERE id = $1
   AND (state = 'REFUND_PENDING' OR done_us = $10 AND (state = $2 OR state = 'REFUNDED' AND $2 = 'REFUND_REVERSED'))`

func (c *session) UpdateRefund(f payment.Refund) error {
	return c.exactlyOne(updateRefund, f.ID, string(f.State), f.Returned.Minor(), string(f.Reason), f.AttemptID, f.RRN, f.ARN, f.Code, f.Day,
		us(f.DoneAt), us(f.BackAt))
}
