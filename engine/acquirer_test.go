package engine_test

import (
	"context"
	"fmt"
	"sync"
	"time"

	"naru/core/fault"
	"naru/core/payment"
)

// acquirer is a card network written by hand: it keeps its own books, and does to every message what the test says. It counts a message by
// its own identity (rails §1.9), as a host does, and trusts nothing of what we remember.
type acquirer struct {
	mu       sync.Mutex
	now      func() time.Time
	auth     []func(*acquirer, payment.AuthOrder) payment.Outcome             // for the next authorisations; approved where empty
	reply    []func(*acquirer, payment.AdviceOrder, bool) payment.AdviceReply // for the next advices; treated honestly where empty
	releases bool
	tooBig   error

	holds   []*hold
	advices map[string]payment.AdviceReply // answered, by the message's identity
	asked   []payment.AuthOrder
	told    []telling
}

// hold is what the acquirer knows of one authorisation it approved.
type hold struct {
	trace    payment.Trace
	order    payment.AuthOrder
	amount   int64
	state    string // held, captured, released, or late: on its way to the host
	captured int64
	times    int // captures
	until    time.Time
	at       time.Time
}

// alive reports whether the money is still held: an acquirer lets go by itself when its time is over.
func (h *hold) alive(now time.Time) bool {
	return h.state == "held" && (h.until.IsZero() || now.Before(h.until))
}

type telling struct {
	payment.AdviceOrder
	repeat bool
}

func (a *acquirer) Trace(n int64, at time.Time) payment.Trace {
	return payment.Trace{STAN: fmt.Sprintf("%06d", n%1_000_000), RRN: fmt.Sprintf("%012d", n), At: at.Truncate(time.Second)}
}

func (a *acquirer) Check(payment.AuthOrder) error { return a.tooBig }

func (a *acquirer) ReleasesRest() bool { return a.releases }

func (a *acquirer) Authorise(_ context.Context, o payment.AuthOrder) payment.Outcome {
	a.mu.Lock()
	a.asked = append(a.asked, o)
	what := approve
	if len(a.auth) > 0 {
		what, a.auth = a.auth[0], a.auth[1:]
	}
	a.mu.Unlock()
	return what(a, o)
}

func (a *acquirer) Advise(_ context.Context, o payment.AdviceOrder, repeat bool) payment.AdviceReply {
	a.mu.Lock()
	a.told = append(a.told, telling{o, repeat})
	what := honest
	if len(a.reply) > 0 {
		what, a.reply = a.reply[0], a.reply[1:]
	}
	a.mu.Unlock()
	return what(a, o, repeat)
}

// hold makes one in the acquirer's own books.
func (a *acquirer) hold(o payment.AuthOrder, amount int64, state string, until time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.holds = append(a.holds, &hold{trace: o.Trace, order: o, amount: amount, state: state, until: until, at: a.now()})
}

// The answers to an authorisation.

func approve(a *acquirer, o payment.AuthOrder) payment.Outcome {
	a.hold(o, o.Amount.Minor(), "held", time.Time{})
	return payment.Outcome{Verdict: payment.Approved, Code: "00", Approval: "A" + o.Trace.STAN, NetworkID: "N" + o.Trace.RRN}
}

func approveUntil(until time.Time) func(*acquirer, payment.AuthOrder) payment.Outcome {
	return func(a *acquirer, o payment.AuthOrder) payment.Outcome {
		a.hold(o, o.Amount.Minor(), "held", until)
		return payment.Outcome{Verdict: payment.Approved, Code: "00", HostUntil: until}
	}
}

func decline(*acquirer, payment.AuthOrder) payment.Outcome {
	return payment.Outcome{Verdict: payment.Refused, Code: "51", Decline: payment.InsufficientFunds}
}

// partial holds a part; the engine has to give it back (rails §1.10, DE39 10).
func partial(a *acquirer, o payment.AuthOrder) payment.Outcome {
	a.hold(o, 1, "held", time.Time{})
	return payment.Outcome{Verdict: payment.Refused, Code: "10", Decline: payment.IssuerDeclined, Undo: payment.UndoPartial}
}

func notSent(*acquirer, payment.AuthOrder) payment.Outcome {
	return payment.Outcome{Verdict: payment.NotSent}
}

func issuerDown(*acquirer, payment.AuthOrder) payment.Outcome {
	return payment.Outcome{Verdict: payment.NothingHeld, Code: "91", Fault: fault.Unavailable}
}

// lostAnswer holds, and nobody hears of it.
func lostAnswer(a *acquirer, o payment.AuthOrder) payment.Outcome {
	a.hold(o, o.Amount.Minor(), "held", time.Time{})
	return payment.Outcome{}
}

func lostRequest(*acquirer, payment.AuthOrder) payment.Outcome { return payment.Outcome{} }

// lateRequest reaches the host half a minute from now: a reversal may overtake it (rails §1.11 T11).
func lateRequest(a *acquirer, o payment.AuthOrder) payment.Outcome {
	a.hold(o, o.Amount.Minor(), "late", time.Time{})
	return payment.Outcome{Verdict: payment.Unclear, Undo: payment.UndoSilence}
}

// The answers to an advice.

// honest books what the advice says. A message that was seen before gets the answer it got then (rails §1.12).
func honest(a *acquirer, o payment.AdviceOrder, _ bool) payment.AdviceReply {
	a.mu.Lock()
	defer a.mu.Unlock()
	if before, ok := a.advices[identity(o)]; ok {
		return before
	}
	r := payment.AdviceReply{Verdict: payment.AdviceUnknown, Code: "25"}
	for _, h := range a.holds {
		switch {
		case h.state == "late" && a.now().Sub(h.at) >= 30*time.Second:
			h.state = "held"
		case h.state == "held" && !h.alive(a.now()):
			h.state = "released"
		}
		if h.trace != o.Original {
			continue
		}
		if o.Kind == payment.Completion && h.state == "captured" {
			h.times++ // another message captures again: a host may refuse it, we must not send it
		}
		if h.state != "held" {
			continue
		}
		r = payment.AdviceReply{Verdict: payment.AdviceAccepted, Code: "00"}
		switch o.Kind {
		case payment.Reversal:
			h.state = "released"
		case payment.ReleaseRest:
			h.amount = o.Amount.Minor()
		case payment.Completion:
			h.state, h.captured = "captured", o.Amount.Minor()
			h.times++
		}
	}
	if r.Verdict == payment.AdviceAccepted { // what it knew nothing of, it does not remember
		a.remember(o, r)
	}
	return r
}

func (a *acquirer) remember(o payment.AdviceOrder, r payment.AdviceReply) {
	if a.advices == nil {
		a.advices = map[string]payment.AdviceReply{}
	}
	a.advices[identity(o)] = r
}

// identity is how a host tells messages apart (rails §1.9); a repeat has that of its original.
func identity(o payment.AdviceOrder) string { return o.Trace.STAN + o.Trace.At.String() }

// answer is a reply that books nothing.
func answer(v payment.AdviceVerdict, code string) func(*acquirer, payment.AdviceOrder, bool) payment.AdviceReply {
	return func(*acquirer, payment.AdviceOrder, bool) payment.AdviceReply {
		return payment.AdviceReply{Verdict: v, Code: code}
	}
}

var (
	silent    = answer(payment.AdviceSilent, "")
	linkDown  = answer(payment.AdviceNotSent, "")
	patience  = answer(payment.AdviceLater, "91")
	unknown   = answer(payment.AdviceUnknown, "25")
	revoked   = answer(payment.AdviceRevoked, "R1")
	collided  = answer(payment.AdviceCollided, "94")
	nonsense  = answer(payment.AdviceRefused, "30")
	lostReply = func(a *acquirer, o payment.AdviceOrder, repeat bool) payment.AdviceReply {
		honest(a, o, repeat)
		return payment.AdviceReply{}
	}
)

// sums are the acquirer's own books: what it holds, and what it will pay for.
func (a *acquirer) sums() (held, captured int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, h := range a.holds {
		if h.alive(a.now()) {
			held += h.amount
		}
		captured += h.captured
	}
	return held, captured
}
