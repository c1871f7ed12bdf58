package store

import (
	"context"
	"time"

	"naru/engine"
)

const insertNotice = `
INSERT INTO notice (id, kind, account, subject, result, code, after_id, state, tries, created_us, due_us)
VALUES ($1, $2, $3, $4, $5, $6, $7, 'QUEUED', 0, $8, $8)`

func (c *session) InsertNotice(n engine.Notice) error {
	return c.run(insertNotice, n.ID, string(n.Kind), n.Account, n.Subject, n.Result, n.Code, n.After, us(n.CreatedAt))
}

// selectDueNotices leaves out what must wait for a predecessor.
const selectDueNotices = `
SELECT id, kind, account, subject, result, code, after_id, created_us, tries FROM notice AS n
 WHERE state = 'QUEUED' AND due_us <= $1
   AND (after_id = '' OR EXISTS (SELECT 1 FROM notice AS first WHERE first.id = n.after_id AND first.state = 'SENT'))
 ORDER BY due_us, id LIMIT $2`

const selectNextNotice = `
SELECT MIN(due_us) FROM notice AS n
 WHERE state = 'QUEUED'
   AND (after_id = '' OR EXISTS (SELECT 1 FROM notice AS first WHERE first.id = n.after_id AND first.state = 'SENT'))`

// DueNotices implements outbox.Queue.
func (s *Store) DueNotices(ctx context.Context, now time.Time, limit int) (due []engine.DueNotice, err error) {
	err = s.look(ctx, func(c *session) error {
		due, err = all(c, selectDueNotices, []any{us(now), limit}, func(scan scanner) (i engine.DueNotice, err error) {
			var created int64
			err = scan(&i.ID, &i.Kind, &i.Account, &i.Subject, &i.Result, &i.Code, &i.After, &created, &i.Tries)
			i.CreatedAt = when(&created)
			return i, err
		})
		return err
	})
	return due, err
}

// NextNotice implements outbox.Queue.
func (s *Store) NextNotice(ctx context.Context) (at time.Time, ok bool, err error) {
	err = s.look(ctx, func(c *session) error {
		at, ok, err = c.earliest(selectNextNotice)
		return err
	})
	return at, ok, err
}

const insertNoticeTry = `INSERT INTO notice_try (notice_id, n, at_us, status, outcome, took_us) VALUES ($1, $2, $3, $4, $5, $6)`

const updateNotice = `UPDATE notice SET state = $2, tries = $3, due_us = $4, done_us = $5 WHERE id = $1 AND state <> 'SENT'`

// RecordTry implements outbox.Queue.
func (s *Store) RecordTry(ctx context.Context, t engine.NoticeTry) error {
	return s.Update(ctx, func(tx engine.Tx) error {
		c := tx.(*session)
		var done any
		if t.State == engine.NoticeSent {
			done = us(t.At)
		}
		if err := c.run(insertNoticeTry, t.Notice, t.N, us(t.At), t.Status, t.Outcome, t.Took.Microseconds()); err != nil {
			return err
		}
		return c.exactlyOne(updateNotice, t.Notice, string(t.State), t.N, us(t.Due), done)
	})
}

// look runs one read on a reader's connection.
func (s *Store) look(ctx context.Context, read func(*session) error) error {
	return s.View(ctx, func(r engine.Reader) error { return read(r.(*session)) })
}
