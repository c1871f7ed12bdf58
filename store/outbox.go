package store

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
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

const noticeColumns = `
SELECT id, kind, account, subject, result, code, after_id, facts, created_us, tries - base_tries, state, due_us, fence FROM notice AS n`

// A standing is a notice and where it stands.
type standing struct {
	engine.DueNotice
	state engine.NoticeState
	due   time.Time
}

func scanNotice(scan scanner) (n standing, err error) {
	var facts string
	var created, due int64
	err = scan(&n.ID, &n.Kind, &n.Account, &n.Subject, &n.Result, &n.Code, &n.After, &facts, &created, &n.Tries, &n.state, &due, &n.Fence)
	if err == nil && facts != "" {
		err = json.Unmarshal([]byte(facts), &n.Facts)
	}
	n.CreatedAt, n.due = when(&created), when(&due)
	return n, err
}

// forMerchants are the kinds that merchants are told. Nobody there is obliged to listen: what they did not take stands in their delivery
// log, and is sent again when they ask.
var forMerchants = []engine.NoticeKind{engine.DepositResult, engine.TransferResult}

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

// resendNotice keeps the tries that there were, and counts from there.
const resendNotice = `
UPDATE notice SET state = 'QUEUED', due_us = $2, done_us = NULL, base_tries = tries WHERE id = $1 AND state IN ('SENT', 'PARKED')`

func (c *session) ResendNotice(id string, at time.Time) (bool, error) {
	n, err := c.change(resendNotice, id, us(at))
	return n == 1, err
}

// selectNoticesOf finds a subject whole, or by what stands before a slash in it: '0' is the character behind the slash.
const selectNoticesOf = noticeColumns + `
 WHERE account = $1 AND kind IN ('deposit-result', 'transfer-result') AND created_us >= $2 AND created_us < $3
   AND ($4 = '' OR subject = $4 OR subject >= $4 || '/' AND subject < $4 || '0')
 ORDER BY created_us DESC, id DESC LIMIT $5 OFFSET $6`

const selectNoticeTries = `SELECT notice_id, n, at_us, status, outcome, took_us FROM notice_try WHERE notice_id = $1 ORDER BY n`

// NoticesOf lists what a merchant was told, or should have been.
func (c *session) NoticesOf(
	account string, from, until time.Time, subject string, offset, limit int64,
) (list []engine.NoticeLog, err error) {
	first, end := span(from, until)
	rows, err := all(c, selectNoticesOf, []any{account, first, end, subject, limit, offset}, scanNotice)
	for _, n := range rows {
		tries, failed := all(c, selectNoticeTries, []any{n.ID}, scanNoticeTry)
		if failed != nil {
			return nil, failed
		}
		list = append(list, engine.NoticeLog{Notice: n.Notice, State: n.state, Due: n.due, Tries: tries})
	}
	return list, err
}

func scanNoticeTry(scan scanner) (t engine.NoticeTry, err error) {
	var at, took int64
	err = scan(&t.Notice, &t.N, &at, &t.Status, &t.Outcome, &took)
	t.At, t.Took = when(&at), time.Duration(took)*time.Microsecond
	return t, err
}

// dueNotices leaves out what must wait for a predecessor, and of each account all but its oldest: one that does not answer keeps nobody
// waiting but itself.
const dueNotices = `
SELECT id
  FROM (SELECT id, ROW_NUMBER() OVER (PARTITION BY account ORDER BY due_us, id) AS turn
          FROM notice AS d
         WHERE state = 'QUEUED' AND due_us <= $1 AND ($3 = 'everybody' OR (kind IN ('deposit-result', 'transfer-result')) = ($3 = 'merchants'))
           AND (after_id = '' OR EXISTS (SELECT 1 FROM notice AS first WHERE first.id = d.after_id AND first.state = 'SENT'))) AS own
 WHERE turn <= $2`

const selectDueNotices = noticeColumns + ` WHERE id IN (` + dueNotices + `) ORDER BY due_us, id LIMIT $4`

// claimNotices takes what is due: nobody else finds it due for the time of a claim, and who took it before can write no more.
const claimNotices = `
UPDATE notice SET due_us = $5, fence = fence + 1
 WHERE id IN (SELECT id FROM notice WHERE id IN (` + dueNotices + `) ORDER BY due_us, id LIMIT $4)
RETURNING id, kind, account, subject, result, code, after_id, facts, created_us, tries - base_tries, state, due_us, fence`

const selectNextNotice = `
SELECT MIN(due_us) FROM notice AS n
 WHERE state = 'QUEUED' AND ($1 = 'everybody' OR (kind IN ('deposit-result', 'transfer-result')) = ($1 = 'merchants'))
   AND (after_id = '' OR EXISTS (SELECT 1 FROM notice AS first WHERE first.id = n.after_id AND first.state = 'SENT'))`

// Side is to whom something is owed.
type Side string

// The sides.
const (
	Everybody Side = "everybody"
	Google    Side = "google"
	Merchants Side = "merchants"
)

// Notices is what is owed to a side. It implements outbox.Queue.
type Notices struct {
	*Store
	to    Side
	share int
	claim time.Duration
}

// Notices gives what is owed to a side; of each account no more than share is due at once. Where a claim takes time, what is due is taken from
// other nodes for so long.
func (s *Store) Notices(to Side, share int, claim time.Duration) Notices {
	return Notices{s, to, share, claim}
}

// DueNotices lists what is due, oldest first; of an account no more than its share.
func (n Notices) DueNotices(ctx context.Context, now time.Time, limit int) (due []engine.DueNotice, err error) {
	one := func(scan scanner) (engine.DueNotice, error) {
		n, err := scanNotice(scan)
		return n.DueNotice, err
	}
	if n.claim == 0 {
		err = n.look(ctx, func(c *session) error {
			due, err = all(c, selectDueNotices, []any{us(now), n.share, string(n.to), limit}, one)
			return err
		})
		return due, err
	}
	if _, some, err := n.dueBy(ctx, now); err != nil || !some { // nearly always there is none, and looking writes nothing
		return nil, err
	}
	err = n.Update(ctx, func(tx engine.Tx) error {
		due, err = all(tx.(*session), claimNotices, []any{us(now), n.share, string(n.to), limit, us(now.Add(n.claim))}, one)
		return err
	})
	return due, err
}

// dueBy reports whether anything is due.
func (n Notices) dueBy(ctx context.Context, now time.Time) (time.Time, bool, error) {
	at, some, err := n.NextNotice(ctx)
	return at, some && !at.After(now), err
}

// NextNotice is when the earliest of it is due.
func (n Notices) NextNotice(ctx context.Context) (at time.Time, ok bool, err error) {
	err = n.look(ctx, func(c *session) error {
		at, ok, err = c.earliest(selectNextNotice, string(n.to))
		return err
	})
	return at, ok, err
}

// insertNoticeTry numbers a try behind those that there were before the notice was last sent again.
const insertNoticeTry = `
INSERT INTO notice_try (notice_id, n, at_us, status, outcome, took_us)
SELECT id, base_tries + CAST($2 AS BIGINT), CAST($3 AS BIGINT), CAST($4 AS BIGINT), CAST($5 AS TEXT), CAST($6 AS BIGINT) FROM notice
 WHERE id = $1`

const updateNotice = `
UPDATE notice SET state = $2, tries = base_tries + $3, due_us = $4, done_us = $5
 WHERE id = $1 AND state <> 'SENT' AND fence = $6 RETURNING kind`

// RecordTry implements outbox.Queue. What is parked waits for a person: it is a case from that moment, but where a merchant did not listen.
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
		var kind engine.NoticeKind
		if ok, err := c.one(updateNotice, []any{t.Notice, string(t.State), t.N, us(t.Due), done, t.Fence}, &kind); err != nil || !ok {
			return cmp.Or(err, describe(updateNotice, errors.New("it is not owed, or another node has taken it over")))
		}
		if t.State != engine.NoticeParked || slices.Contains(forMerchants, kind) {
			return nil
		}
		return c.OpenCase(engine.Case{
			ID: fmt.Sprintf("notice-parked/%s/%d", t.Notice, t.N), Kind: "notice-parked", Subject: "notice/" + t.Notice, At: t.At,
			Detail: fmt.Sprintf("status=%d: %s", t.Status, t.Outcome),
		})
	})
}

// look runs one read on a reader's connection.
func (s *Store) look(ctx context.Context, read func(*session) error) error {
	return s.View(ctx, func(r engine.Reader) error { return read(r.(*session)) })
}
