package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"naru/engine"
)

const insertNotice = `
INSERT INTO notice (id, kind, account, subject, result, code, after_id, facts, state, tries, created_us, due_us)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'QUEUED', 0, $9, $9)`

func (c *session) InsertNotice(n engine.Notice) error {
	facts := ""
	if n.Facts != (engine.Facts{}) {
		text, err := json.Marshal(n.Facts)
		if err != nil {
			return describe(insertNotice, err)
		}
		facts = string(text)
	}
	return c.run(insertNotice, n.ID, string(n.Kind), n.Account, n.Subject, n.Result, n.Code, n.After, facts, us(n.CreatedAt))
}

const noticeColumns = `SELECT id, kind, account, subject, result, code, after_id, facts, created_us, tries, state FROM notice AS n`

// A standing is a notice and where it stands.
type standing struct {
	engine.DueNotice
	state engine.NoticeState
}

func scanNotice(scan scanner) (n standing, err error) {
	var facts string
	var created int64
	err = scan(&n.ID, &n.Kind, &n.Account, &n.Subject, &n.Result, &n.Code, &n.After, &facts, &created, &n.Tries, &n.state)
	if err == nil && facts != "" {
		err = json.Unmarshal([]byte(facts), &n.Facts)
	}
	n.CreatedAt = when(&created)
	return n, err
}

const selectNotice = noticeColumns + ` WHERE id = $1`

func (c *session) Notice(id string) (engine.Notice, engine.NoticeState, bool, error) {
	n, ok, err := first(all(c, selectNotice, []any{id}, scanNotice))
	return n.Notice, n.state, ok, err
}

const resumeNotice = `UPDATE notice SET state = 'QUEUED', due_us = $2 WHERE id = $1 AND state = 'PARKED'`

func (c *session) ResumeNotice(id string, at time.Time) (bool, error) {
	n, err := c.change(resumeNotice, id, us(at))
	return n == 1, err
}

// selectDueNotices leaves out what must wait for a predecessor.
const selectDueNotices = noticeColumns + `
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
		due, err = all(c, selectDueNotices, []any{us(now), limit}, func(scan scanner) (engine.DueNotice, error) {
			n, err := scanNotice(scan)
			return n.DueNotice, err
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

// RecordTry implements outbox.Queue. What is parked waits for a person: it is a case from that moment.
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
		if t.State == engine.NoticeParked {
			err := c.OpenCase(engine.Case{
				ID: fmt.Sprintf("notice-parked/%s/%d", t.Notice, t.N), Kind: "notice-parked", Subject: "notice/" + t.Notice, At: t.At,
				Detail: fmt.Sprintf("status=%d: %s", t.Status, t.Outcome),
			})
			if err != nil {
				return err
			}
		}
		return c.exactlyOne(updateNotice, t.Notice, string(t.State), t.N, us(t.Due), done)
	})
}

// look runs one read on a reader's connection.
func (s *Store) look(ctx context.Context, read func(*session) error) error {
	return s.View(ctx, func(r engine.Reader) error { return read(r.(*session)) })
}
