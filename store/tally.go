package store

import (
	"context"
	"time"

	"naru/engine"
)

// Tally is how the valid requests of a method went that began in one hour, as the counterparty measures (gsp-core §6): those that had a
// valid answer within 7 s, and of these the ones within 5 s and 3 s.
type Tally struct {
	Method                              string // with its API, such as korea-cards-v1/reserveFunds
	Hour                                time.Time
	Calls, Answered, Within5s, Within3s int64
}

const addTally = `
INSERT INTO call_tally (method, hour_us, node, calls, answered, within_5s, within_3s) VALUES ($1, $2, $3, $4, $5, $6, $7)
    ON CONFLICT (method, hour_us, node) DO UPDATE
   SET calls = call_tally.calls + excluded.calls, answered = call_tally.answered + excluded.answered,
       within_5s = call_tally.within_5s + excluded.within_5s, within_3s = call_tally.within_3s + excluded.within_3s`

// AddTallies adds what a node counted since it last did to what it counted before: all of it or nothing.
func (s *Store) AddTallies(ctx context.Context, node string, list []Tally) error {
	return s.Update(ctx, func(tx engine.Tx) error {
		for _, t := range list {
			if err := tx.(*session).run(addTally, t.Method, us(t.Hour), node, t.Calls, t.Answered, t.Within5s, t.Within3s); err != nil {
				return err
			}
		}
		return nil
	})
}

// selectTallies goes from method to method by the key, and reads of each the hours that are asked for: the years before cost nothing.
const selectTallies = `
WITH RECURSIVE each (method) AS (
  SELECT MIN(method) FROM call_tally
   UNION ALL
  SELECT (SELECT MIN(method) FROM call_tally WHERE method > each.method) FROM each WHERE each.method IS NOT NULL)
SELECT t.method, t.hour_us, CAST(SUM(t.calls) AS BIGINT), CAST(SUM(t.answered) AS BIGINT), CAST(SUM(t.within_5s) AS BIGINT),
       CAST(SUM(t.within_3s) AS BIGINT)
  FROM each CROSS JOIN call_tally AS t
 WHERE t.method = each.method AND t.hour_us >= $1 AND t.hour_us < $2
 GROUP BY t.method, t.hour_us ORDER BY t.method, t.hour_us`

// Tallies sums what all nodes counted in the hours from a time until another, by method and then by hour.
func (s *Store) Tallies(ctx context.Context, from, until time.Time) (list []Tally, err error) {
	err = s.look(ctx, func(c *session) error {
		list, err = all(c, selectTallies, []any{us(from), us(until)}, func(scan scanner) (t Tally, err error) {
			var hour int64
			err = scan(&t.Method, &hour, &t.Calls, &t.Answered, &t.Within5s, &t.Within3s)
			t.Hour = when(&hour)
			return t, err
		})
		return err
	})
	return list, err
}
