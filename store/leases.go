package store

import "time"

// takeLease writes nothing where somebody else holds it.
const takeLease = `
INSERT INTO lease (name, holder, fence, until_us) VALUES ($1, $2, 1, $4)
ON CONFLICT (name) DO UPDATE
   SET holder = excluded.holder, until_us = excluded.until_us,
       fence = CASE WHEN lease.holder = excluded.holder THEN lease.fence ELSE lease.fence + 1 END
 WHERE lease.holder = excluded.holder OR lease.until_us <= $3
RETURNING fence`

func (c *session) TakeLease(name, holder string, now, until time.Time) (fence int64, mine bool, err error) {
	c.wrote = true
	mine, err = c.one(takeLease, []any{name, holder, us(now), us(until)}, &fence)
	return fence, mine, err
}

// holdLease changes nothing, and keeps others from changing it: who would take it meanwhile runs again, or this transaction does.
const holdLease = `UPDATE lease SET until_us = until_us WHERE name = $1 AND holder = $2 AND fence = $3`

func (c *session) HoldsLease(name, holder string, fence int64) (bool, error) {
	n, err := c.change(holdLease, name, holder, fence)
	return n == 1, err
}
