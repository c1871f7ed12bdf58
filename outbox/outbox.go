// Package outbox is what we still owe the other side: every notification is a row written in the transaction that made it true, and is
// sent until the other side has it (design §3.3). Sending twice is harmless, because the request id comes from the business event.
package outbox

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"time"

	"naru/clock"
	"naru/crash"
	"naru/engine"
	"naru/queue"
)

// Queue keeps notices. Notices that wait for a predecessor are not due.
type Queue interface {
	DueNotices(ctx context.Context, now time.Time, limit int) ([]engine.DueNotice, error)
	NextNotice(ctx context.Context) (time.Time, bool, error)
	RecordTry(context.Context, engine.NoticeTry) error
}

// Class is what an answer means for what is owed.
type Class uint8

// The classes (gsp-core §5.5, §5.6). The zero value repeats.
const (
	Repeat    Class = iota // no answer, 5xx, 409, 429, stale or unreadable answer: again, for ever
	Delivered              // the other side has it
	RepeatFor              // an identifier it does not know: our news may have overtaken its own commit; again for a quarter of an hour, then park
	Park                   // it understood and refused: an operator must look
)

// Result is what came of one attempt to deliver.
type Result struct {
	Class  Class
	Status int
	Word   string // why, in a word or two
	Alert  bool   // an operator should know at once
}

// A Sender delivers one notice once. Each protocol has one.
type Sender interface {
	Send(context.Context, engine.Notice) Result
}

// Meter counts attempts to deliver.
type Meter interface {
	NoticeTried(kind engine.NoticeKind, outcome string)
}

// Worker delivers what is owed, each notice on its own: none blocks another.
type Worker struct {
	Queue   Queue
	Senders map[engine.NoticeKind]Sender
	Clock   clock.Clock
	Crash   crash.Hook
	Log     *slog.Logger
	Meter   Meter
	Bell    queue.Bell // rung when something was queued
	Lanes   int        // how many are sent at once
}

// Run delivers until ctx ends, and returns when the attempts under way are written down.
func (w *Worker) Run(ctx context.Context) error {
	loop := queue.Loop[engine.DueNotice]{
		Name: "outbox", Due: w.Queue.DueNotices, Next: w.Queue.NextNotice, ID: func(i engine.DueNotice) string { return i.ID },
		Do: w.deliver, Lanes: w.Lanes, Clock: w.Clock, Bell: w.Bell, Log: w.Log,
	}
	return loop.Run(ctx)
}

func (w *Worker) deliver(ctx context.Context, item engine.DueNotice) error {
	w.Crash(crash.NoticeClaimed)
	started := time.Now()
	var r Result
	if sender, ok := w.Senders[item.Kind]; ok {
		r = sender.Send(ctx, item.Notice)
	} else {
		r = Result{Class: Park, Word: "no sender", Alert: true}
	}
	w.Crash(crash.NoticeAnswered)
	now := w.Clock.Now()
	t := engine.NoticeTry{Notice: item.ID, N: item.Tries + 1, At: now, Status: r.Status, Outcome: r.Word, Took: time.Since(started)}
	t.State, t.Due = next(r.Class, item, now)
	log := w.Log.With("notice", item.ID, "kind", item.Kind, "account", item.Account, "try", t.N, "status", r.Status, "outcome", r.Word)
	switch age := now.Sub(item.CreatedAt); {
	case t.State == engine.NoticeParked, r.Alert, t.State == engine.NoticeQueued && age >= alarmAfter:
		log.Error("a notification needs an operator", "state", t.State, "age", age.Round(time.Second))
	case t.State == engine.NoticeQueued && age >= warnAfter:
		log.Warn("a notification is late", "age", age.Round(time.Second))
	}
	w.Meter.NoticeTried(item.Kind, r.Word)
	if err := w.Queue.RecordTry(ctx, t); err != nil {
		log.Error("outbox: writing down an attempt; it will be repeated", "error", err)
		return err
	}
	w.Crash(crash.NoticeSettled)
	return nil
}

// The waits between attempts (gsp-core §5.6). Money facts have no last attempt.
const (
	firstWait   = time.Second
	longestWait = 15 * time.Minute
	raceWindow  = 15 * time.Minute // how long an unknown identifier may be a race
	warnAfter   = 24 * time.Hour
	alarmAfter  = 72 * time.Hour
)

// next says what becomes of a notice after an attempt. Pure but for the jitter.
func next(c Class, item engine.DueNotice, now time.Time) (engine.NoticeState, time.Time) {
	switch {
	case c == Delivered:
		return engine.NoticeSent, now
	case c == Park, c == RepeatFor && now.Sub(item.CreatedAt) > raceWindow:
		return engine.NoticeParked, now
	}
	return engine.NoticeQueued, now.Add(backoff(item.Tries))
}

// backoff doubles from a second to a quarter of an hour, with full jitter but never less than a twentieth of the step.
func backoff(tries int) time.Duration {
	step := longestWait
	if tries < 10 {
		step = min(longestWait, firstWait<<tries)
	}
	return step/20 + rand.N(step-step/20)
}
