package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"time"

	"naru/core/money"
	"naru/core/payment"
	"naru/core/settlement"
	"naru/crash"
	"naru/queue"
)

// A telling is a dispute as the acquirer told it, on line or in a file.
type telling struct {
	stage   payment.Stage
	amount  money.Amount
	caseNo  string
	reason  payment.DisputeReason
	scope   string
	code    string
	at      time.Time
	replyBy time.Time
	event   string // the acquirer's name for it; empty where it came on line
}

// replyTime is how long evidence may be handed over where the acquirer names no day.
const replyTime = 10 * day

// begins is the event that each stage begins with.
var begins = map[payment.Stage]payment.DisputeEvent{
	payment.Inquiry: payment.Inquire, payment.First: payment.ChargeBack, payment.Second: payment.ChargeBackAgain,
}

// raise writes a stage of a dispute. What was told on line and by file is one event: the second telling only completes the first, and the
// counterparty hears of it once (rails §1.16). The word says why it cannot be; empty where it could.
func (e *Engine) raise(tx Tx, p taken, t telling, actor string, now time.Time) (d payment.Dispute, wrong string, err error) {
	if t.amount.Exceeds(p.capture.Amount) || !t.amount.IsPositive() {
		return d, "amount differs: more than was captured", nil
	}
	if d, known := sameDispute(p.disputes, t); known {
		if d.ToldTwice || (d.EventID == "") == (t.event == "") {
			return d, "this stage was told before", nil
		}
		if d.Amount != t.amount {
			return d, "amount differs: this stage was told with another", nil
		}
		d.ToldTwice = true
		if t.event != "" {
			d.EventID = t.event
		}
		if d.Case == "" {
			d.Case = t.caseNo
		}
		return d, "", tx.UpdateDispute(d)
	}
	none := money.New(0, t.amount.Currency())
	d = payment.Dispute{
		ID: newID(), Account: p.r.Account, Payment: p.r.ID, Case: t.caseNo, Stage: t.stage, State: payment.DisputeNone, Amount: t.amount, Won: none,
		Reason: t.reason, Scope: t.scope, RawCode: t.code, At: t.at, ReplyBy: t.replyBy, EventID: t.event,
	}
	if d.ReplyBy.IsZero() {
		d.ReplyBy = now.Add(replyTime)
	}
	d.DueAt = d.ReplyBy
	kind := ChargebackRaised
	if t.stage == payment.Inquiry {
		kind = InquiryRaised
	}
	d.Told = noticeID(kind, d.ID)
	after := p.verdict()
	for _, o := range p.disputes { // an earlier stage of the same case ends with the new one; an inquiry may have no case number
		if o.Case != d.Case && !(o.Stage == payment.Inquiry && (o.Case == "" || d.Case == "")) {
			continue
		}
		after = o.Told
		if o.State == payment.CB1Reversed || o.State == payment.CB2Reversed {
			after = noticeID(ChargebackReversed, o.ID)
		}
		if _, open := payment.DisputeRules.Next(o.State, payment.CloseInquiry); open && t.stage != payment.Inquiry {
			if err := e.contested(tx, &p.r, o, payment.CloseInquiry, change{actor: actor, at: now, detail: "stage=" + string(t.stage)}); err != nil {
				return d, "", err
			}
		}
	}
	if t.stage == payment.Second && !won(p.disputes) {
		e.log.Warn("a second chargeback came without a first that was reversed", "payment", p.r.ID, "case", t.caseNo)
	}
	d, moved, err := d.After(begins[t.stage])
	if err != nil {
		return d, "", err
	}
	c := change{actor: actor, at: now, detail: "amount=" + d.Amount.String() + " code=" + d.RawCode}
	if _, err := e.note(tx, &p.r, disputeObject(d), string(begins[t.stage]), string(d.State), moved, c); err != nil {
		return d, "", err
	}
	if err := tx.InsertDispute(d); err != nil {
		return d, "", err
	}
	err = tx.InsertNotice(Notice{
		ID: d.Told, Kind: kind, Account: d.Account, Subject: d.ID, Code: d.RawCode, After: after, CreatedAt: now,
		Facts: Facts{
			Capture: p.capture.RequestID, OwnID: d.ID, Minor: d.Amount.Minor(), Currency: d.Amount.Currency().Code(), Stage: string(d.Stage),
			Reason: string(d.Reason), Scope: d.Scope, Case: d.Case, AtMs: d.At.UnixMilli(), ReplyMs: d.ReplyBy.UnixMilli(),
		},
	})
	if err != nil || t.stage == payment.Inquiry {
		return d, "", err
	}
	if err := e.item(tx, p.r, settlement.Chargeback, p.capture.RequestID, d.ID, d.Told, d.Amount.Negated(), now); err != nil {
		return d, "", err
	}
	p.disputes = append(p.disputes, d)
	tooMuch, err := e.withdrawn(tx, &p, now)
	if err == nil && tooMuch { // both stand (Korea Cards v1 §9.2)
		err = e.openNow(tx, Case{
			ID: "chargeback-and-refund/" + d.ID, Kind: "chargeback-and-refund", Payment: p.r.ID, Subject: disputeObject(d), At: now,
			Detail: "refunds and chargebacks together are more than was captured: defend the chargeback with the refund",
		})
	}
	return d, "", err
}

func disputeObject(d payment.Dispute) string { return "dispute/" + d.ID }

// sameDispute finds what was told already: by case and stage, else by stage and amount where one of the two tellings had no case number.
func sameDispute(all []payment.Dispute, t telling) (payment.Dispute, bool) {
	for _, d := range all {
		if d.Stage == t.stage && t.caseNo != "" && d.Case == t.caseNo {
			return d, true
		}
	}
	for _, d := range all {
		if d.Stage == t.stage && d.Amount == t.amount && !d.ToldTwice && (d.Case == "" || t.caseNo == "") && (d.EventID == "") != (t.event == "") {
			return d, true
		}
	}
	return payment.Dispute{}, false
}

func won(all []payment.Dispute) bool {
	for _, d := range all {
		if d.Stage == payment.First && d.State == payment.CB1Reversed {
			return true
		}
	}
	return false
}

// contested moves a stage on.
func (e *Engine) contested(tx Tx, r *payment.Reservation, d payment.Dispute, ev payment.DisputeEvent, c change) error {
	d, moved, err := d.After(ev)
	if err != nil {
		return err
	}
	if !d.Open() {
		d.DoneAt = c.at
	}
	if _, err := e.note(tx, r, disputeObject(d), string(ev), string(d.State), moved, c); err != nil {
		return err
	}
	return tx.UpdateDispute(d)
}

// winBack is a chargeback whose money returned (Korea Cards v1 §5.7).
func (e *Engine) winBack(tx Tx, p taken, d payment.Dispute, back money.Amount, scope, code string, at, now time.Time) (wrong string, err error) {
	switch _, ok := payment.DisputeRules.Next(d.State, payment.WinBack); {
	case !ok:
		return "the chargeback is " + string(d.State) + " and cannot be reversed", nil
	case back.Exceeds(d.Amount) || !back.IsPositive():
		return "amount differs: more than was charged back", nil
	}
	d.Won = back
	id := noticeID(ChargebackReversed, d.ID)
	if err := e.contested(tx, &p.r, d, payment.WinBack, change{actor: "acquirer", at: now, detail: "amount=" + back.String()}); err != nil {
		return "", err
	}
	if err := e.item(tx, p.r, settlement.ReverseChargeback, p.capture.RequestID, d.ID, id, back, now); err != nil {
		return "", err
	}
	return "", tx.InsertNotice(Notice{
		ID: id, Kind: ChargebackReversed, Account: d.Account, Subject: d.ID, Code: code, After: d.Told, CreatedAt: now,
		Facts: Facts{
			Capture: p.capture.RequestID, OwnID: d.ID, Earlier: d.Told, Minor: back.Minor(), Currency: back.Currency().Code(), Scope: scope,
			Case: d.Case, AtMs: at.UnixMilli(),
		},
	})
}

// Defend takes evidence over against the newest stage of a capture's disputes that is open. It is stored sealed; handing it on is the
// dispute desk's work (rails §1.16). Whatever becomes of it is an answer for ever.
func (e *Engine) Defend(ctx context.Context, t Turn, ask DefendAsk) ([]byte, error) {
	ctx = context.WithoutCancel(ctx)
	now := e.clock.Now()
	v := Evidence{ID: newID(), Size: int64(len(ask.Document)), At: now}
	if ask.Document != nil { // outside the transaction: it may be large
		sum := sha256.Sum256(ask.Document)
		v.SHA256 = hex.EncodeToString(sum[:])
		sealed, err := e.vault.Seal(ask.Document, evidencePlace(v.ID))
		if err != nil {
			return nil, err
		}
		v.Document = sealed
	}
	var answer []byte
	err := e.store.Update(ctx, func(tx Tx) error {
		result, err := e.defend(tx, ask, v, now)
		if err != nil {
			return err
		}
		if answer, err = ask.Encode(result); err != nil {
			return err
		}
		return e.open(tx, t, now, answer)
	})
	if err != nil {
		return nil, unavailable(err)
	}
	e.crash(crash.DefenceTaken)
	e.contest.Ring()
	return answer, nil
}

func evidencePlace(id string) string { return "evidence.document/" + id }

func (e *Engine) defend(tx Tx, ask DefendAsk, v Evidence, now time.Time) (DefendResult, error) {
	x, ok, err := tx.CaptureByRequest(ask.Capture)
	switch {
	case err != nil:
		return 0, err
	case !ok:
		return DefenceOfUnknownCapture, nil
	case ask.Document == nil:
		return DefenceUnreadable, nil
	}
	p, err := e.take(tx, x)
	if err != nil {
		return 0, err
	}
	for i := len(p.disputes) - 1; i >= 0; i-- { // the newest stage that is open (Korea Cards v1 §4.6)
		d := p.disputes[i]
		if !d.Open() || now.After(d.ReplyBy) {
			continue
		}
		v.Dispute = d.ID
		if d.Stage != payment.Inquiry {
			d.DueAt = now.Add(e.accounts[d.Account].DisputeWait)
		}
		if err := e.contested(tx, &p.r, d, payment.Defend, change{actor: "google", at: now, detail: "evidence=" + v.ID}); err != nil {
			return 0, err
		}
		return DefenceTaken, tx.InsertEvidence(v)
	}
	return DefenceOfNothing, nil
}

// ErrNotFound says that there is no such thing.
var ErrNotFound = errors.New("there is no such thing")

// Document gives evidence back in clear, for the dispute desk.
func (e *Engine) Document(ctx context.Context, id string) (v Evidence, err error) {
	err = e.store.View(ctx, func(r Reader) error {
		var ok bool
		if v, ok, err = r.Evidence(id); err == nil && !ok {
			err = ErrNotFound
		}
		return err
	})
	if err != nil {
		return v, err
	}
	v.Document, err = e.vault.Open(v.Document, evidencePlace(id))
	return v, err
}

// Contest ends stages whose time is over. Nobody is told (Korea Cards v1 §9.5). It runs until ctx ends.
func (e *Engine) Contest(ctx context.Context) error {
	loop := queue.Loop[payment.Dispute]{
		Name: "disputes",
		Due: func(ctx context.Context, now time.Time, limit int) (due []payment.Dispute, err error) {
			err = e.store.View(ctx, func(v Reader) error {
				due, err = v.DueDisputes(now, limit)
				return err
			})
			return due, err
		},
		Next:  func(ctx context.Context) (time.Time, bool, error) { return e.earliest(ctx, Reader.NextDispute) },
		ID:    func(d payment.Dispute) string { return d.Payment },
		Do:    e.lapse,
		Lanes: 1, Clock: e.clock, Bell: e.contest, Most: e.LookAgain(), Log: e.log,
	}
	return loop.Run(ctx)
}

func (e *Engine) lapse(ctx context.Context, d payment.Dispute) error {
	now := e.clock.Now()
	err := e.store.Update(ctx, func(tx Tx) error {
		fresh, ok, err := tx.Dispute(d.ID)
		if err != nil || !ok || !fresh.Open() || now.Before(fresh.DueAt) {
			return err
		}
		r, ok, err := tx.Reservation(fresh.Payment)
		if err != nil {
			return err
		}
		if !ok {
			panic("engine: a dispute without its payment")
		}
		ev := payment.LapseDispute
		if fresh.Stage == payment.Inquiry {
			ev = payment.CloseInquiry
		}
		return e.contested(tx, &r, fresh, ev, change{actor: "clock", at: now})
	})
	if err != nil {
		e.log.Error("a dispute's end cannot be written down", "dispute", d.ID, "error", err)
	}
	return err
}

// ChargedBack takes over a chargeback that a network told on line. It reports whether it is on disk, or known already: only then may the
// network be told so. What no capture fits is a case for a person, and on disk too.
func (e *Engine) ChargedBack(ctx context.Context, a payment.ChargebackAdvice) bool {
	ctx, now := context.WithoutCancel(ctx), e.clock.Now()
	err := e.store.Update(ctx, func(tx Tx) error {
		if _, known, err := tx.AcquirerEvent(a.Acquirer, a.Name); err != nil || known {
			return err
		}
		done := AcquirerEvent{
			Acquirer: a.Acquirer, ID: a.Name, Type: "0422", Outcome: applied, At: now, Currency: a.Amount.Currency().Code(), Gross: -a.Amount.Minor(),
		}
		list, err := tx.CapturesByRRN(a.Original.RRN)
		if err == nil {
			list, err = e.overLink(tx, list, a.Acquirer)
		}
		if err != nil {
			return err
		}
		if len(list) != 1 {
			return e.except(tx, done, "unknown rrn", "")
		}
		p, err := e.take(tx, list[0])
		if err != nil {
			return err
		}
		if p.capture.Amount.Currency() != a.Amount.Currency() {
			return e.except(tx, done, "currency differs", p.r.ID)
		}
		d, wrong, err := e.raise(tx, p, telling{
			stage: a.Stage, amount: a.Amount, caseNo: a.Case, reason: a.Reason, scope: a.Scope, code: a.RawCode, at: a.At, replyBy: a.ReplyBy,
		}, "acquirer", now)
		switch {
		case err != nil:
			return err
		case wrong != "":
			return e.except(tx, done, wrong, p.r.ID)
		}
		done.Payment, done.Object, done.Account = p.r.ID, disputeObject(d), p.r.Account
		return tx.InsertAcquirerEvent(done)
	})
	if err != nil {
		e.log.Error("a chargeback cannot be written down; the network repeats it", "acquirer", a.Acquirer, "error", err)
		return false
	}
	e.crash(crash.ChargebackTaken)
	e.Notices.Ring()
	e.contest.Ring()
	return true
}
