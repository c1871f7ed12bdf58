package engine

import (
	"context"
	"fmt"
	"time"

	"naru/core/money"
	"naru/core/payment"
	"naru/core/settlement"
)

// CaptureFiles is where captures and refunds go that an acquirer takes by file (rails §4.2).
type CaptureFiles interface {
	// Name names a file.
	Name(merchant, day string, seq int64) string
	// Put hands a file over, whole or not at all. Putting the same file twice changes nothing.
	Put(ctx context.Context, f CaptureFile, lines []CaptureLine) error
}

// CaptureLine is one record of a capture file.
type CaptureLine struct {
	Line                int64
	Refund              bool
	Payment             string // our id of what is paid: the capture or the refund
	Trace               payment.Trace
	Approval, NetworkID string
	Amount              money.Amount
	OriginalRRN         string // of a refund: the reference of the hold
	OriginalDay         string // and the day of its capture, YYYYMMDD
	At                  time.Time
}

// CaptureAnswer is what an acquirer said to a capture file.
type CaptureAnswer struct {
	Acquirer string
	File     string // the capture file that it answers
	Lines    []CaptureAnswerLine
}

// CaptureAnswerLine is what it said to one record.
type CaptureAnswerLine struct {
	Line   int64
	Code   string // as in DE39
	ARN    string
	Day    string // the business day on which it was booked, YYYYMMDD
	Reason string
}

// The states of a capture file.
const (
	CaptureFileMade     = "MADE"
	CaptureFileSent     = "SENT"
	CaptureFileAnswered = "ANSWERED"
)

// maxLines is the most that one capture file carries; the next goes with the rest.
const maxLines = 10_000

// Batch makes capture files for the links that want them. It runs until ctx ends.
func (e *Engine) Batch(ctx context.Context) error {
	for {
		began := e.clock.Now() // what comes while files are made waits an hour at most, not two
		next := began.Add(day)
		for name, l := range e.links {
			if l.Files == nil || !l.Rail.CapturesByFile() {
				continue
			}
			if err := e.MakeCaptureFiles(ctx, name); err != nil && ctx.Err() == nil {
				e.log.Error("a capture file cannot be made; it is tried again", "acquirer", name, "error", err)
			}
			if at := began.Add(l.FileEvery); at.Before(next) {
				next = at
			}
		}
		if err := e.clock.Sleep(ctx, next, nil); err != nil {
			return nil
		}
	}
}

// MakeCaptureFiles puts everything that waits into files and hands them over. A file that was made and not handed over, because the process
// died, is handed over first, with the same content.
func (e *Engine) MakeCaptureFiles(ctx context.Context, acquirer string) error {
	l := e.links[acquirer]
	var left []CaptureFile
	err := e.store.View(ctx, func(v Reader) (err error) {
		left, err = v.CaptureFiles(CaptureFileMade, 100)
		return err
	})
	if err != nil {
		return err
	}
	for _, f := range left {
		if f.Acquirer == acquirer {
			if err := e.handOver(ctx, l, f); err != nil {
				return err
			}
		}
	}
	merchants := map[string]bool{}
	for _, a := range e.accounts {
		if a.Acquirer == acquirer {
			merchants[a.Merchant] = true
		}
	}
	for m := range merchants {
		for more := true; more; {
			f, made, err := e.makeCaptureFile(ctx, acquirer, m)
			if err != nil {
				return err
			}
			if more = made; made {
				if err := e.handOver(ctx, l, f); err != nil {
					return err
				}
			}
		}
	}
	return e.unanswered(ctx, acquirer)
}

// makeCaptureFile gives everything of a merchant that waits, in one currency, its place in a file.
func (e *Engine) makeCaptureFile(ctx context.Context, acquirer, merchant string) (f CaptureFile, made bool, err error) {
	l, now := e.links[acquirer], e.clock.Now()
	today := settlement.DayOf(now, l.Zone)
	err = e.store.Update(ctx, func(tx Tx) error {
		made = false
		waiting, err := tx.BatchedAdvices(acquirer, merchant, maxLines)
		if err != nil || len(waiting) == 0 {
			return err
		}
		seq, err := tx.TakeNumbers("capture-file/"+acquirer+"/"+merchant+"/"+today, 1)
		if err != nil {
			return err
		}
		in := waiting[0].Amount.Currency()
		f = CaptureFile{
			Acquirer: acquirer, Merchant: merchant, Name: l.Files.Name(merchant, today, seq+1), Day: today, Seq: seq + 1, State: CaptureFileMade,
			Currency: in.Code(), At: now,
		}
		for _, a := range waiting {
			if a.Amount.Currency() != in {
				continue // in a file of its own
			}
			f.Items++
			a.File, a.Line = f.Name, f.Items
			if err := tx.UpdateAdvice(a); err != nil {
				return err
			}
		}
		made = true
		return tx.InsertCaptureFile(f)
	})
	return f, made, err
}

// handOver writes a file where the acquirer takes it from, and notes that.
func (e *Engine) handOver(ctx context.Context, l Link, f CaptureFile) error {
	var lines []CaptureLine
	err := e.store.View(ctx, func(v Reader) error {
		advices, err := v.AdvicesOfFile(f.Name)
		if err != nil {
			return err
		}
		lines = lines[:0]
		for _, a := range advices {
			line, err := captureLine(v, a, e.zoneOf(a.Reservation, v))
			if err != nil {
				return err
			}
			lines = append(lines, line)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := l.Files.Put(ctx, f, lines); err != nil {
		return err
	}
	return e.store.Update(ctx, func(tx Tx) error {
		f.State = CaptureFileSent
		return tx.UpdateCaptureFile(f)
	})
}

func (e *Engine) zoneOf(reservation string, v Reader) *time.Location {
	if r, ok, err := v.Reservation(reservation); err == nil && ok {
		if a, known := e.accounts[r.Account]; known {
			return a.Location
		}
	}
	return time.UTC
}

func captureLine(v Reader, a payment.Advice, in *time.Location) (CaptureLine, error) {
	x, _, err := v.Capture(a.Reservation)
	if err != nil {
		return CaptureLine{}, err
	}
	line := CaptureLine{
		Line: a.Line, Payment: x.ID, Trace: a.Trace, Approval: x.Approval, NetworkID: x.NetworkID, Amount: a.Amount, At: a.CreatedAt,
	}
	if a.Kind == payment.RefundOrder {
		f, _, err := v.RefundByAttempt(a.Attempt)
		if err != nil {
			return line, err
		}
		line.Refund, line.Payment, line.OriginalRRN, line.OriginalDay = true, f.ID, x.RRN, settlement.DayOf(x.DoneAt, in)
	}
	return line, nil
}

// TakeAnswer takes an answer to a capture file into account. What was answered before is skipped.
func (e *Engine) TakeAnswer(ctx context.Context, answer CaptureAnswer) error {
	l, ok := e.links[answer.Acquirer]
	if !ok {
		return fmt.Errorf("acquirer %q is not configured", answer.Acquirer)
	}
	for _, line := range answer.Lines {
		var a payment.Advice
		var known bool
		err := e.store.View(ctx, func(v Reader) (err error) {
			a, known, err = v.AdviceOfLine(answer.File, line.Line)
			return err
		})
		if err != nil {
			return err
		}
		if !known {
			continue
		}
		if a.State == payment.AdviceBatched {
			reply := l.Rail.Judge(a.Kind, line.Code)
			reply.Day = line.Day
			if err := e.hear(ctx, answer.Acquirer, a, payment.OfHold, reply); err != nil {
				return err
			}
		} // else it was heard, and the process may have died before it kept the reference number
		if err := e.answeredARN(ctx, a, line.ARN); err != nil {
			return err
		}
	}
	return e.store.Update(ctx, func(tx Tx) error {
		f, ok, err := tx.CaptureFile(answer.File)
		if err != nil || !ok || f.State == CaptureFileAnswered {
			return err
		}
		f.State, f.DoneAt = CaptureFileAnswered, e.clock.Now()
		if err := tx.UpdateCaptureFile(f); err != nil {
			return err
		}
		list, err := tx.AdvicesOfFile(f.Name)
		if err != nil {
			return err
		}
		left := len(keep(list, func(a payment.Advice) bool { return a.State == payment.AdviceBatched }))
		if left == 0 {
			return nil
		}
		return e.openNow(tx, Case{ // every record must be answered (rails §4.2)
			ID: "capture-file-incomplete/" + f.Name, Kind: "capture-file-incomplete", At: f.DoneAt,
			Detail: fmt.Sprintf("file=%s: its answer leaves %d records out", f.Name, left),
		})
	})
}

// answeredARN keeps the reference number that came with an answer.
func (e *Engine) answeredARN(ctx context.Context, a payment.Advice, arn string) error {
	if arn == "" {
		return nil
	}
	defer e.Notices.Ring()
	return e.store.Update(ctx, func(tx Tx) error {
		r := record{ClearingRecord: ClearingRecord{ARN: arn, ID: a.ID}, now: e.clock.Now()}
		if a.Kind == payment.RefundOrder {
			f, ok, err := tx.RefundByAttempt(a.Attempt)
			if err != nil || !ok || f.State != payment.Refunded {
				return err
			}
			_, err = e.refundARN(tx, f, r)
			return err
		}
		x, ok, err := tx.Capture(a.Reservation)
		if err != nil || !ok || x.State != payment.CaptureSuccess {
			return err
		}
		p, err := e.take(tx, x)
		if err != nil {
			return err
		}
		_, err = e.captureARN(tx, p, r)
		return err
	})
}

// unanswered opens a case for a file that has no answer at noon of the next day (rails §4.2).
func (e *Engine) unanswered(ctx context.Context, acquirer string) error {
	l, now := e.links[acquirer], e.clock.Now()
	return e.store.Update(ctx, func(tx Tx) error {
		list, err := tx.CaptureFiles(CaptureFileSent, 100)
		if err != nil {
			return err
		}
		for _, f := range list {
			_, end, err := settlement.Period(f.Day, l.Zone)
			if err != nil || f.Acquirer != acquirer || now.Before(end.Add(12*time.Hour)) {
				continue
			}
			if err := e.openNow(tx, Case{
				ID: "capture-file-unanswered/" + f.Name, Kind: "capture-file-unanswered", At: now, Detail: "file=" + f.Name + " has no answer",
			}); err != nil {
				return err
			}
		}
		return nil
	})
}
