package store

import (
	"time"

	"naru/engine"
)

const caseColumns = `SELECT id, kind, payment_id, subject, detail, created_us, closed_us, note FROM operator_case`

func scanCase(scan scanner) (x engine.Case, err error) {
	var created int64
	var closed *int64
	err = scan(&x.ID, &x.Kind, &x.Payment, &x.Subject, &x.Detail, &created, &closed, &x.Note)
	x.At, x.ClosedAt = when(&created), when(closed)
	return x, err
}

const selectCase = caseColumns + ` WHERE id = $1`

func (c *session) Case(id string) (engine.Case, bool, error) {
	return first(all(c, selectCase, []any{id}, scanCase))
}

const selectCases = caseColumns + ` ORDER BY created_us, id LIMIT $1`

const selectOpenCases = caseColumns + ` WHERE closed_us IS NULL ORDER BY created_us, id LIMIT $1`

// Cases lists the open ones only, or all.
func (c *session) Cases(open bool, limit int) ([]engine.Case, error) {
	query := selectCases
	if open {
		query = selectOpenCases
	}
	return all(c, query, []any{limit}, scanCase)
}

const insertCase = `
INSERT INTO operator_case (id, kind, payment_id, subject, detail, created_us) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (id) DO NOTHING`

func (c *session) OpenCase(x engine.Case) error {
	return c.run(insertCase, x.ID, x.Kind, x.Payment, x.Subject, x.Detail, us(x.At))
}

const closeCase = `UPDATE operator_case SET closed_us = $3, note = $2 WHERE id = $1 AND closed_us IS NULL`

func (c *session) CloseCase(id, note string, at time.Time) (bool, error) {
	n, err := c.change(closeCase, id, note, us(at))
	return n == 1, err
}
