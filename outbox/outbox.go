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

// Queue keeps notices. Notices that wait for a predecessor are not due. Tries are counted from when a notice was last sent again.
type Queue interface {
	DueNotices(ctx context.Context, now time.Time, limit int) ([]engine.DueNotice, error)
	NextNotice(ctx context.Context) (time.Time, bool, error)
	RecordTry(context.Context, engine.NoticeTry) error
}

// Class is what an answer means for what is owed.
type Class uint8

// The classes (gsp-core §5.5, §5.6). The zero value repeats.
const (
	Repeat    Class = iota // no answer, 5xx, 409, 429, stale or unreadable answer: again, for ever, or as long as patience lasts
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

	// Most is how long it sleeps at the most, and Claims that what is due is taken from other nodes by being read; see queue.Loop.
	Most   time.Duration
	Claims bool

	// Patience is how long to wait after each try of a kind; after the try behind the last wait it is given up, and no operator is bothered:
	// who did not listen finds it in the delivery log. A kind that has none here waits by the back-off, for ever.
	Patience map[engine.NoticeKind][]time.Duration
}

// Merchants is the patience with merchants: ten tries within an hour (design §3.3, merchant-gateway §7).
var Merchants = []time.Duration{
	15 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute, 6 * time.Minute, 10 * time.Minute, 15 * time.Minute,
	20 * time.Minute,
}

// Run delivers until ctx ends, and returns when the attempts under way are written down.
func (w *Worker) Run(ctx context.Context) error {
	loop := queue.Loop[engine.DueNotice]{
		Name: "outbox", Due: w.Queue.DueNotices, Next: w.Queue.NextNotice, ID: func(i engine.DueNotice) string { return i.ID },
		Do: w.deliver, Lanes: w.Lanes, Clock: w.Clock, Bell: w.Bell, Log: w.Log,
		Most: w.Most, Claims: w.Claims,
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
	t := engine.NoticeTry{Notice: item.ID, N: item.Tries + 1, At: now, Status: r.Status, Outcome: r.Word, Took: time.Since(started), Fence: item.Fence}
	patience := w.Patience[item.Kind]
	t.State, t.Due = next(r.Class, item, patience, now)
	log := w.Log.With("notice", item.ID, "kind", item.Kind, "account", item.Account, "try", t.N, "status", r.Status, "outcome", r.Word)
	switch age := now.Sub(item.CreatedAt); {
	case patience != nil && !r.Alert:
		if t.State == engine.NoticeParked {
			log.Warn("a notification is given up", "age", age.Round(time.Second))
		}
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
func next(c Class, item engine.DueNotice, patience []time.Duration, now time.Time) (engine.NoticeState, time.Time) {
	switch {
	case c == Delivered:
		return engine.NoticeSent, now
	case c == Park, c == RepeatFor && now.Sub(item.CreatedAt) > raceWindow, patience != nil && item.Tries >= len(patience):
		return engine.NoticeParked, now
	case patience != nil:
		return engine.NoticeQueued, now.Add(patience[item.Tries])
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
