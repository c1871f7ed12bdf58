package engine_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"naru/core/fault"
	"naru/core/money"
	"naru/core/payment"
	"naru/engine"
)

// acquirer is a card network written by hand: it keeps its own books, and does to every message what the test says. It counts a message by
// its own identity (rails §1.9), as a host does, and trusts nothing of what we remember.
type acquirer struct {
	mu        sync.Mutex
	now       func() time.Time
	auth      []func(*acquirer, payment.AuthOrder) payment.Outcome             // for the next authorisations; approved where empty
	reply     []func(*acquirer, payment.AdviceOrder, bool) payment.AdviceReply // for the next advices; treated honestly where empty
	totals    []func(*acquirer, payment.DayTotals) payment.TotalsReply         // for the next comparisons; compared honestly where empty
	releases  bool
	sellsOnly bool
	byFile    bool  // takes captures and refunds by file
	least     int64 // what a card check holds; nothing where 0
	tooBig    error

	holds    []*hold
	paid     []*paid
	advices  map[string]payment.AdviceReply // answered, by the message's identity
	asked    []payment.AuthOrder
	told     []telling
	compared []comparison
	events   int
	moved    int64    // what chargebacks took and wins and returned refunds gave back: plus = it owes us
	wrong    []string // what nobody may ask of a network
}

// hold is what the acquirer knows of one authorisation it approved. A sale is one that is captured with its answer (rails §1.10).
type hold struct {
	trace    payment.Trace
	order    payment.AuthOrder
	amount   int64
	state    string // held, captured, released, undone, or late: on its way to the host
	captured int64
	times    int // captures
	until    time.Time
	at       time.Time

	completion payment.Trace // of the capture that was booked: of a sale its own
	day        string        // on which it was booked
	undone     string        // and, of a sale, on which it was undone
}

func (h *hold) sale() bool { return h.order.Purpose == payment.ToSell }

// arrive is what an approved request comes to at the host.
func (h *hold) arrive(today string) {
	h.state = "held"
	if h.sale() {
		h.state, h.captured, h.completion, h.day = "captured", h.amount, h.trace, today
		h.times++
	}
}

// paid is what the acquirer knows of one refund it was asked for.
type paid struct {
	trace    payment.Trace
	hold     *hold
	attempt  string // of ours, where it came over the line
	refund   string // ours, where it came in a file
	amount   int64
	state    string // booked, undone, or late: on its way to the host
	at       time.Time
	day      string // on which it was booked
	undone   string // and on which it was undone
	returned int64
}

// alive reports whether the money is still held: an acquirer lets go by itself when its time is over.
func (h *hold) alive(now time.Time) bool {
	return h.state == "held" && (h.until.IsZero() || now.Before(h.until))
}

type telling struct {
	payment.AdviceOrder
	repeat bool
}

type comparison struct {
	payment.DayTotals
	trace  payment.Trace
	repeat bool
}

func (a *acquirer) Trace(n int64, at time.Time) payment.Trace {
	return payment.Trace{STAN: fmt.Sprintf("%06d", n%1_000_000), RRN: fmt.Sprintf("%012d", n), At: at.Truncate(time.Second)}
}

func (a *acquirer) Check(payment.AuthOrder) error { return a.tooBig }

func (a *acquirer) ReleasesRest() bool { return a.releases }

func (a *acquirer) CapturesByFile() bool { return a.byFile }

func (a *acquirer) SellsOnly() bool { return a.sellsOnly }

func (a *acquirer) VerifyWith(c money.Currency) money.Amount { return money.New(a.least, c) }

// judgements are what a file's codes mean (rails §4.2).
var judgements = map[string]payment.AdviceVerdict{
	"00": payment.AdviceAccepted, "91": payment.AdviceLater, "R1": payment.AdviceRevoked, "30": payment.AdviceRefused,
	"51": payment.AdviceDeclined,
	"25": payment.AdviceUnknown,
}

func (a *acquirer) Judge(k payment.AdviceKind, code string) payment.AdviceReply {
	v := judgements[code]
	if v == payment.AdviceDeclined && k != payment.RefundOrder {
		v = payment.AdviceRefused
	}
	return payment.AdviceReply{Verdict: v, Code: code}
}

func (a *acquirer) Reconcile(_ context.Context, t payment.DayTotals, trace payment.Trace, repeat bool) payment.TotalsReply {
	a.mu.Lock()
	a.compared = append(a.compared, comparison{t, trace, repeat})
	what := compare
	if len(a.totals) > 0 {
		what, a.totals = a.totals[0], a.totals[1:]
	}
	a.mu.Unlock()
	return what(a, t)
}

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

// hold makes one in the acquirer's own books, or books a sale. A question about a card holds nothing.
func (a *acquirer) hold(o payment.AuthOrder, amount int64, until time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if amount == 0 {
		return
	}
	if a.sellsOnly && o.Purpose != payment.ToSell {
		a.wrong = append(a.wrong, "a hold, and it knows none")
	}
	h := &hold{trace: o.Trace, order: o, amount: amount, until: until, at: a.now()}
	h.arrive(a.today())
	a.holds = append(a.holds, h)
}

// The answers to an authorisation.

func approve(a *acquirer, o payment.AuthOrder) payment.Outcome {
	a.hold(o, o.Amount.Minor(), time.Time{})
	return payment.Outcome{
		Verdict: payment.Approved, Code: "00", Approval: "A" + o.Trace.STAN, NetworkID: "N" + o.Trace.RRN, LinkID: "L" + o.Trace.RRN,
		Day: a.today(),
	}
}

func approveUntil(until time.Time) func(*acquirer, payment.AuthOrder) payment.Outcome {
	return func(a *acquirer, o payment.AuthOrder) payment.Outcome {
		a.hold(o, o.Amount.Minor(), until)
		return payment.Outcome{Verdict: payment.Approved, Code: "00", HostUntil: until}
	}
}

func decline(*acquirer, payment.AuthOrder) payment.Outcome {
	return payment.Outcome{Verdict: payment.Refused, Code: "51", Decline: payment.InsufficientFunds}
}

// partial holds or takes a part; the engine has to give it back (rails §1.10, DE39 10).
func partial(a *acquirer, o payment.AuthOrder) payment.Outcome {
	a.hold(o, 1, time.Time{})
	return payment.Outcome{Verdict: payment.Refused, Code: "10", Decline: payment.IssuerDeclined, Undo: payment.UndoPartial}
}

func notSent(*acquirer, payment.AuthOrder) payment.Outcome {
	return payment.Outcome{Verdict: payment.NotSent}
}

func issuerDown(*acquirer, payment.AuthOrder) payment.Outcome {
	return payment.Outcome{Verdict: payment.NothingHeld, Code: "91", Fault: fault.Unavailable}
}

// lostAnswer holds, or takes, and nobody hears of it.
func lostAnswer(a *acquirer, o payment.AuthOrder) payment.Outcome {
	a.hold(o, o.Amount.Minor(), time.Time{})
	return payment.Outcome{}
}

func lostRequest(*acquirer, payment.AuthOrder) payment.Outcome { return payment.Outcome{} }

// lateRequest reaches the host half a minute from now: a reversal may overtake it (rails §1.11 T11).
func lateRequest(a *acquirer, o payment.AuthOrder) payment.Outcome {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !o.Amount.IsZero() {
		a.holds = append(a.holds, &hold{trace: o.Trace, order: o, amount: o.Amount.Minor(), state: "late", at: a.now()})
	}
	return payment.Outcome{Verdict: payment.Unclear, Undo: payment.UndoSilence}
}

// The answers to an advice.

// honest books what the advice says. A message that was seen before gets the answer it got then (rails §1.12).
func honest(a *acquirer, o payment.AdviceOrder, repeat bool) payment.AdviceReply {
	a.mu.Lock()
	defer a.mu.Unlock()
	if before, ok := a.advices[identity(o)]; ok {
		return before
	}
	a.arrivals()
	r := payment.AdviceReply{Verdict: payment.AdviceUnknown, Code: "25", Day: a.today()}
	switch {
	case o.Kind == payment.RefundOrder:
		r = a.pay(o, repeat, "booked")
	case o.About == payment.OfRefund:
		for _, p := range a.paid {
			if p.trace == o.Original && p.state == "booked" {
				p.state, p.undone, r.Verdict, r.Code = "undone", a.today(), payment.AdviceAccepted, "00"
			}
		}
	default:
		for _, h := range a.holds {
			if h.trace == o.Original {
				r = a.about(h, o, r)
			}
		}
	}
	if r.Verdict == payment.AdviceAccepted { // what it knew nothing of, it does not remember
		a.remember(o, r)
	}
	return r
}

// arrivals is what reaches the host late, and what it lets go by itself.
func (a *acquirer) arrivals() {
	for _, h := range a.holds {
		switch {
		case h.state == "late" && a.now().Sub(h.at) >= 30*time.Second:
			h.arrive(a.today())
		case h.state == "held" && !h.alive(a.now()):
			h.state = "released"
		}
	}
	for _, p := range a.paid {
		if p.state == "late" && a.now().Sub(p.at) >= 30*time.Second {
			p.state, p.day = "booked", a.today()
		}
	}
}

// about does to a hold what an advice says.
func (a *acquirer) about(h *hold, o payment.AdviceOrder, r payment.AdviceReply) payment.AdviceReply {
	if o.Kind == payment.Completion && h.state == "captured" {
		h.times++ // another message captures again: a host may refuse it, we must not send it
	}
	if (o.About == payment.OfSale) != h.sale() {
		a.wrong = append(a.wrong, fmt.Sprintf("a %s that names its original wrongly", o.Kind))
		return r
	}
	if h.sale() && h.state == "captured" && o.Kind == payment.Reversal { // it counts the day's debit, and the debit that it undid
		h.state, h.captured, h.times, h.undone = "undone", 0, 0, a.today()
		r.Verdict, r.Code = payment.AdviceAccepted, "00"
	}
	if h.state != "held" {
		return r
	}
	r.Verdict, r.Code = payment.AdviceAccepted, "00"
	switch o.Kind {
	case payment.Reversal:
		h.state = "released"
	case payment.ReleaseRest:
		h.amount = o.Amount.Minor()
	case payment.Completion:
		h.state, h.captured, h.completion, h.day = "captured", o.Amount.Minor(), o.Trace, a.today()
		h.times++
	}
	return r
}

// pay gives captured money back. It is the one who knows what is left.
func (a *acquirer) pay(o payment.AdviceOrder, repeat bool, state string) payment.AdviceReply {
	if repeat {
		a.wrong = append(a.wrong, "a refund was sent twice")
	}
	for _, h := range a.holds {
		if h.captured == 0 || h.completion != o.Original && !(a.byFile && h.trace.RRN == o.HeldRRN) {
			continue
		}
		if !a.byFile && (o.About == payment.OfSale) != h.sale() { // a file's record names neither message
			a.wrong = append(a.wrong, "a refund that names its original wrongly")
		}
		left := h.captured
		for _, p := range a.paid {
			if p.hold == h && p.state != "undone" {
				left -= p.amount - p.returned
			}
		}
		if left < o.Amount.Minor() {
			a.wrong = append(a.wrong, fmt.Sprintf("a refund of %s where %d is left", o.Amount, left))
			return payment.AdviceReply{Verdict: payment.AdviceDeclined, Code: "13", Why: payment.RefundNothingLeft}
		}
		p := &paid{trace: o.Trace, hold: h, attempt: o.Attempt, amount: o.Amount.Minor(), state: state, at: a.now()}
		if state == "booked" {
			p.day = a.today()
		}
		a.paid = append(a.paid, p)
		return payment.AdviceReply{Verdict: payment.AdviceAccepted, Code: "00", Day: a.today()}
	}
	a.wrong = append(a.wrong, "a refund of what was not captured")
	return payment.AdviceReply{Verdict: payment.AdviceUnknown, Code: "25"}
}

// today is its business day.
func (a *acquirer) today() string { return a.now().Format("20060102") }

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

// refuses a refund for good; other messages are treated honestly.
func refuses(why payment.RefundReason, code string) func(*acquirer, payment.AdviceOrder, bool) payment.AdviceReply {
	return func(a *acquirer, o payment.AdviceOrder, repeat bool) payment.AdviceReply {
		if o.Kind != payment.RefundOrder {
			return honest(a, o, repeat)
		}
		return payment.AdviceReply{Verdict: payment.AdviceDeclined, Code: code, Why: why}
	}
}

// lateOrder to pay reaches the host half a minute from now: its reversal may overtake it.
func lateOrder(a *acquirer, o payment.AdviceOrder, repeat bool) payment.AdviceReply {
	if o.Kind != payment.RefundOrder {
		return silent(a, o, repeat)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.pay(o, repeat, "late")
	return payment.AdviceReply{Verdict: payment.AdviceUnclear, Undo: payment.UndoSilence}
}

// What it says to totals.

func compare(a *acquirer, t payment.DayTotals) payment.TotalsReply {
	a.mu.Lock()
	defer a.mu.Unlock()
	if own := a.day(t.Day, t.Currency); own != t {
		return payment.TotalsReply{Verdict: payment.TotalsBreak, Code: "95", Host: own}
	}
	return payment.TotalsReply{Verdict: payment.TotalsAgreed, Code: "00"}
}

func noTotals(*acquirer, payment.DayTotals) payment.TotalsReply { return payment.TotalsReply{} }

// day is what it booked on one of its days, in one currency.
func (a *acquirer) day(day string, in money.Currency) payment.DayTotals {
	t := payment.DayTotals{Day: day, Currency: in}
	for _, h := range a.holds {
		if h.order.Amount.Currency() != in {
			continue
		}
		if h.day == day {
			t.Debits++
			t.DebitSum += h.captured
			if h.state == "undone" {
				t.DebitSum += h.amount
			}
		}
		if h.undone == day {
			t.DebitsReversed++
			t.DebitReverseSum += h.amount
		}
	}
	for _, p := range a.paid {
		if p.hold.order.Amount.Currency() != in {
			continue
		}
		if p.day == day {
			t.Credits++
			t.CreditSum += p.amount
		}
		if p.undone == day {
			t.CreditsReversed++
			t.CreditRevSum += p.amount
		}
	}
	return t
}

// tray is where capture files go, and the acquirer's desk that works them off.
type tray struct {
	bank  *acquirer
	fail  error
	files map[string][]engine.CaptureLine
	puts  int
}

func (*tray) Name(merchant, day string, seq int64) string {
	return fmt.Sprintf("PICAP_bc_%s_%s_%03d.csv", merchant, day, seq)
}

// Put takes a file over. The same name again has the same content (rails §4.2).
func (t *tray) Put(_ context.Context, f engine.CaptureFile, lines []engine.CaptureLine) error {
	if t.fail != nil {
		return t.fail
	}
	t.puts++
	if old, ok := t.files[f.Name]; ok && !slices.Equal(old, lines) {
		return fmt.Errorf("%s has other content than before", f.Name)
	}
	t.files[f.Name] = slices.Clone(lines)
	return nil
}

// answer works a file off. What says is the code for a line; "00" books it, once.
func (t *tray) answer(name string, says func(engine.CaptureLine) string) engine.CaptureAnswer {
	a := t.bank
	a.mu.Lock()
	defer a.mu.Unlock()
	a.arrivals()
	answer := engine.CaptureAnswer{Acquirer: "bc", File: name}
	for _, l := range t.files[name] {
		line := engine.CaptureAnswerLine{Line: l.Line, Code: says(l)}
		id := payment.AdviceOrder{Advice: payment.Advice{Trace: l.Trace}}
		if _, known := a.advices[identity(id)]; known {
			line.Code = "00"
		}
		if line.Code == "00" {
			if r := a.bookLine(l, id); r.Verdict == payment.AdviceAccepted {
				line.Day, line.ARN = a.today(), arn(len(a.advices))
			} else {
				line.Code = r.Code
			}
		}
		answer.Lines = append(answer.Lines, line)
	}
	return answer
}

func (a *acquirer) bookLine(l engine.CaptureLine, id payment.AdviceOrder) payment.AdviceReply {
	if before, ok := a.advices[identity(id)]; ok {
		return before
	}
	r := payment.AdviceReply{Verdict: payment.AdviceUnknown, Code: "25"}
	if l.Refund {
		o := payment.AdviceOrder{Advice: payment.Advice{Trace: l.Trace, Amount: l.Amount}, HeldRRN: l.OriginalRRN}
		if r = a.pay(o, false, "booked"); r.Verdict == payment.AdviceAccepted {
			a.paid[len(a.paid)-1].refund = l.Payment
		}
	} else {
		for _, h := range a.holds {
			if h.trace.RRN == l.Trace.RRN {
				r = a.about(h, payment.AdviceOrder{Advice: payment.Advice{Kind: payment.Completion, Amount: l.Amount, Trace: l.Trace}}, r)
			}
		}
	}
	if r.Verdict == payment.AdviceAccepted {
		a.remember(id, r)
	}
	return r
}

// arn is an acquirer reference number.
func arn(n int) string { return fmt.Sprintf("7%022d", n) }

// sums are the acquirer's own books: what it holds, and what it will pay for after all that went back.
func (a *acquirer) sums() (held, captured int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, h := range a.holds {
		if h.alive(a.now()) {
			held += h.amount
		}
		captured += h.captured
	}
	for _, p := range a.paid {
		if p.state == "booked" {
			captured -= p.amount
		}
	}
	return held, captured + a.moved
}
