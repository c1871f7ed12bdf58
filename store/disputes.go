package store

import (
	"encoding/hex"
	"time"

	"naru/core/money"
	"naru/core/payment"
	"naru/engine"
)

const disputeColumns = `
SELECT id, account, reservation_id, case_no, stage, state, currency, amount, won, reason, scope, raw_code, created_us, reply_by_us, due_us,
       done_us, told, event_id, told_twice
  FROM dispute`

func scanDispute(scan scanner) (d payment.Dispute, err error) {
	var currency string
	var amount, won, created int64
	var reply, due, done *int64
	err = scan(&d.ID, &d.Account, &d.Payment, &d.Case, &d.Stage, &d.State, &currency, &amount, &won, &d.Reason, &d.Scope, &d.RawCode, &created,
		&reply, &due, &done, &d.Told, &d.EventID, &d.ToldTwice)
	if err != nil {
		return d, err
	}
	in := money.Of(currency)
	d.Amount, d.Won = money.New(amount, in), money.New(won, in)
	d.At, d.ReplyBy, d.DueAt, d.DoneAt = when(&created), when(reply), when(due), when(done)
	return d, nil
}

const selectDispute = disputeColumns + ` WHERE id = $1`

func (c *session) Dispute(id string) (payment.Dispute, bool, error) {
	return first(all(c, selectDispute, []any{id}, scanDispute))
}

const selectDisputes = disputeColumns + ` WHERE reservation_id = $1 ORDER BY created_us, id`

func (c *session) Disputes(reservation string) ([]payment.Dispute, error) {
	return all(c, selectDisputes, []any{reservation}, scanDispute)
}

const selectDueDisputes = disputeColumns + ` WHERE done_us IS NULL AND due_us <= $1 ORDER BY due_us, id LIMIT $2`

func (c *session) DueDisputes(now time.Time, limit int) ([]payment.Dispute, error) {
	return all(c, selectDueDisputes, []any{us(now), limit}, scanDispute)
}

const selectNextDispute = `SELECT MIN(due_us) FROM dispute WHERE done_us IS NULL`

func (c *session) NextDispute() (time.Time, bool, error) { return c.earliest(selectNextDispute) }

const insertDispute = `
INSERT INTO dispute (id, account, reservation_id, case_no, stage, state, currency, amount, won, reason, scope, raw_code, created_us,
                     reply_by_us, due_us, done_us, told, event_id, told_twice)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)`

func (c *session) InsertDispute(d payment.Dispute) error {
	return c.run(insertDispute, d.ID, d.Account, d.Payment, d.Case, string(d.Stage), string(d.State), d.Amount.Currency().Code(),
		d.Amount.Minor(), d.Won.Minor(), string(d.Reason), d.Scope, d.RawCode, us(d.At), us(d.ReplyBy), us(d.DueAt), us(d.DoneAt), d.Told,
		d.EventID, d.ToldTwice)
}

// updateDispute moves a stage on, or completes it with what a second telling knows. Its money stays; an end stays, but for a late win.
const updateDispute = `
UPDATE dispute
   SET state = $2, won = $3, case_no = $4, reason = $5, scope = $6, raw_code = $7, reply_by_us = $8, due_us = $9, done_us = $10, told = $11,
       event_id = $12, told_twice = $13
 WHERE id = $1 AND (done_us IS NULL OR state = $2 AND done_us = $10
                    OR state IN ('CB1_LOST', 'CB2_LOST') AND $2 IN ('CB1_REVERSED', 'CB2_REVERSED'))`

func (c *session) UpdateDispute(d payment.Dispute) error {
	return c.exactlyOne(updateDispute, d.ID, string(d.State), d.Won.Minor(), d.Case, string(d.Reason), d.Scope, d.RawCode, us(d.ReplyBy),
		us(d.DueAt), us(d.DoneAt), d.Told, d.EventID, d.ToldTwice)
}

const selectEvidence = `SELECT id, dispute_id, size, sha256, created_us, document FROM evidence WHERE id = $1`

func scanEvidence(scan scanner) (e engine.Evidence, err error) {
	var digest []byte
	var created int64
	err = scan(&e.ID, &e.Dispute, &e.Size, &digest, &created, &e.Document)
	e.SHA256, e.At = hex.EncodeToString(digest), when(&created)
	return e, err
}

func (c *session) Evidence(id string) (engine.Evidence, bool, error) {
	return first(all(c, selectEvidence, []any{id}, scanEvidence))
}

const selectEvidenceOf = `SELECT id, dispute_id, size, sha256, created_us, NULL FROM evidence WHERE dispute_id = $1 ORDER BY created_us, id`

func (c *session) EvidenceOf(dispute string) ([]engine.Evidence, error) {
	return all(c, selectEvidenceOf, []any{dispute}, scanEvidence)
}

const insertEvidence = `INSERT INTO evidence (id, dispute_id, size, sha256, created_us, document) VALUES ($1, $2, $3, $4, $5, $6)`

func (c *session) InsertEvidence(e engine.Evidence) error {
	digest, err := hex.DecodeString(e.SHA256)
	if err != nil {
		return describe(insertEvidence, err)
	}
	return c.run(insertEvidence, e.ID, e.Dispute, e.Size, digest, us(e.At), blob(e.Document))
}
