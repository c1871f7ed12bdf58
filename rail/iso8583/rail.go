package iso8583

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"naru/core/fault"
	"naru/core/money"
	"naru/core/payment"
)

// Acquirer is a card rail (engine.CardRail): one acquirer's host behind a link. It keeps nothing; a message that was sent is never
// sent again unless the caller says so, and whatever cannot be known is said to be unclear.
type Acquirer struct {
	*Link
	codec codec
}

// NewAcquirer joins a link with the contract it serves.
func NewAcquirer(cfg LinkConfig, c Contract) (*Acquirer, error) {
	link, err := NewLink(cfg)
	if err != nil {
		return nil, err
	}
	codec, err := newCodec(cfg.Profile, c)
	if err != nil {
		return nil, err
	}
	return &Acquirer{link, codec}, nil
}

// Trace names message n of this link's life at the given time.
func (a *Acquirer) Trace(n int64, at time.Time) payment.Trace {
	stan, rrn := Identify(n, at)
	return payment.Trace{STAN: stan, RRN: rrn, At: at.UTC().Truncate(time.Second)}
}

// ReleasesRest reports whether the host wants the rest of a hold given back before a smaller capture.
func (a *Acquirer) ReleasesRest() bool { return a.codec.profile.ReleaseRest }

// CapturesByFile reports whether captures and refunds go into a file; Advise then sends neither (rails §4.2). Sales are no captures.
func (a *Acquirer) CapturesByFile() bool { return a.codec.profile.CaptureMode == "file" }

// SellsOnly reports whether the host knows no holds (rails §1.3).
func (a *Acquirer) SellsOnly() bool { return a.codec.profile.CaptureMode == "single" }

// VerifyWith is what a card check asks for: nothing, or the least that the network takes.
func (a *Acquirer) VerifyWith(c money.Currency) money.Amount {
	return money.New(a.codec.profile.verifyWith(), c)
}

// Check says whether an order can be written as a message, before anything of it is stored (rails §1.17 L4, L5). An order without a
// trace is checked as if it had one; an amount beyond DE4 passes, because Authorise declines it by itself.
func (a *Acquirer) Check(o payment.AuthOrder) error {
	if o.Trace == (payment.Trace{}) {
		o.Trace = payment.Trace{STAN: "000001", RRN: "000000000001", At: time.Unix(0, 0)}
	}
	if o.Amount.Minor() > maxMinor {
		return nil
	}
	_, err := a.codec.authorisation(o)
	return refusal(err)
}

// Authorise asks for a hold, a sale or a check, once, and waits for the answer. A sale that nobody answers may have been booked, as a
// hold may be held: both are unclear.
func (a *Acquirer) Authorise(ctx context.Context, o payment.AuthOrder) payment.Outcome {
	if o.Amount.Minor() > maxMinor { // no network can be asked (design §3.11)
		return payment.Outcome{Verdict: payment.Refused, Decline: payment.AboveAmountLimit}
	}
	m, err := a.codec.authorisation(o)
	if err != nil {
		return payment.Outcome{Verdict: payment.NotSent, Fault: fault.Internal, Alert: "an order cannot be encoded: " + err.Error()}
	}
	answer, err := a.Send(ctx, m, a.codec.profile.Timeouts.Authorise.Duration)
	switch {
	case err == nil:
		out := a.codec.outcome(answer, holdsNothing(o))
		if o.Purpose == payment.ToSell { // nothing is held whose time could end (RX); the money moved on a day of the host
			out.HostUntil, out.Day = time.Time{}, businessDay(answer.Get(15), a.cfg.Now())
		}
		return out
	case errors.Is(err, ErrNotSent):
		return payment.Outcome{Verdict: payment.NotSent, Fault: fault.Unavailable}
	case errors.Is(err, ErrGarbled):
		return unclear(payment.UndoGarbled)
	case errors.Is(err, ErrContradiction):
		out := unclear(payment.UndoInvalid)
		out.Alert = fmt.Sprintf("acquirer: %v", err)
		return out
	default:
		return unclear(payment.UndoSilence)
	}
}

// Advise sends an advice once and waits for the answer. An answer to an advice that cannot be read is silence: the repeat will be
// answered. A refund is a request and has no repeat: whatever leaves it in doubt is unclear.
func (a *Acquirer) Advise(ctx context.Context, o payment.AdviceOrder, repeat bool) payment.AdviceReply {
	refund := o.Kind == payment.RefundOrder
	switch {
	case refund && repeat: // it may have left, and must not leave twice
		return payment.AdviceReply{Verdict: payment.AdviceUnclear, Undo: payment.UndoCrash}
	case a.CapturesByFile() && (refund || o.Kind == payment.Completion):
		return payment.AdviceReply{Verdict: payment.AdviceRefused, Alert: "this acquirer takes captures and refunds by file only"}
	}
	m, err := a.codec.advice(o, repeat)
	if err != nil { // it will not get better by waiting
		return payment.AdviceReply{Verdict: payment.AdviceRefused, Alert: "an advice cannot be encoded: " + err.Error()}
	}
	var r payment.AdviceReply
	answer, err := a.send(ctx, m, a.codec.profile.Timeouts.Advice.Duration, owed)
	switch {
	case errors.Is(err, ErrNotSent):
		return payment.AdviceReply{Verdict: payment.AdviceNotSent}
	case err != nil && refund:
		return doubt(err)
	case err != nil:
		return payment.AdviceReply{Verdict: payment.AdviceSilent}
	case refund:
		r = a.codec.refundReply(answer)
	default:
		r = adviceReply(answer, o.Kind, repeat)
	}
	r.Day = businessDay(answer.Get(15), a.cfg.Now())
	return r
}

// Judge says what a response code means for a capture or refund that went by file (rails §4.2). "Later" means the next file. A file
// has no repeat and no reversal: what may be booked although the code does not say so is for a person.
func (a *Acquirer) Judge(k payment.AdviceKind, code string) payment.AdviceReply {
	m := NewMessage("").Set(39, code)
	r := adviceReply(m, k, false)
	if k == payment.RefundOrder {
		r = a.codec.refundReply(m)
	}
	r.Undo = ""
	doubtful := r.Verdict == payment.AdviceUnclear || r.Verdict == payment.AdviceSilent || r.Verdict == payment.AdviceCollided
	switch {
	case doubtful && a.codec.answers.of(code).verdict == "nothing_held":
		r.Verdict = payment.AdviceLater
	case doubtful:
		r.Verdict, r.Alert = payment.AdviceRefused, cmp.Or(r.Alert, "a result in a file that decides nothing")
	}
	return r
}

// doubt is a refund that may have been booked although no answer says so.
func doubt(err error) payment.AdviceReply {
	r := payment.AdviceReply{Verdict: payment.AdviceUnclear, Undo: payment.UndoSilence}
	switch {
	case errors.Is(err, ErrGarbled):
		r.Undo = payment.UndoGarbled
	case errors.Is(err, ErrContradiction):
		r.Undo, r.Alert = payment.UndoInvalid, fmt.Sprintf("acquirer: %v", err)
	}
	return r
}
