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

// forgetNodes keeps those that have left a request: somebody must know whose it was. '0' is the character behind the slash.
const forgetNodes = `
DELETE FROM lease
 WHERE name >= 'node/' AND name < 'node0' AND until_us < $1
   AND NOT EXISTS (SELECT 1 FROM idempotency AS i WHERE NOT i.done AND 'node/' || i.node = lease.name)`

func (c *session) ForgetNodes(before time.Time) error { return c.run(forgetNodes, us(before)) }
