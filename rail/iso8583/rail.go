package iso8583

import (
	"context"
	"errors"
	"fmt"
	"time"

	"naru/core/fault"
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

// Authorise asks for a hold, once, and waits for the answer.
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
		return a.codec.outcome(answer)
	case errors.Is(err, ErrNotSent):
		return payment.Outcome{Verdict: payment.NotSent, Fault: fault.Unavailable}
	case errors.Is(err, ErrGarbled):
		return unclear(payment.UndoGarbled)
	case errors.Is(err, ErrContradiction):
		o := unclear(payment.UndoInvalid)
		o.Alert = fmt.Sprintf("acquirer: %v", err)
		return o
	default:
		return unclear(payment.UndoSilence)
	}
}

// Advise sends an advice once and waits for the answer. One that cannot be read is silence: the repeat will be answered.
func (a *Acquirer) Advise(ctx context.Context, o payment.AdviceOrder, repeat bool) payment.AdviceReply {
	m, err := a.codec.advice(o, repeat)
	if err != nil {
		return payment.AdviceReply{Verdict: payment.AdviceRefused} // it will not get better by waiting
	}
	answer, err := a.Send(ctx, m, a.codec.profile.Timeouts.Advice.Duration)
	switch {
	case err == nil:
		return adviceReply(answer, o.Kind, repeat)
	case errors.Is(err, ErrNotSent):
		return payment.AdviceReply{Verdict: payment.AdviceNotSent}
	default:
		return payment.AdviceReply{Verdict: payment.AdviceSilent}
	}
}
