// Package banktest is the contract of a payout bank (upi.Bank) as tests, for any adapter and a peer that plays its bank on a real socket.
package banktest

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"naru/core/card"
	"naru/core/money"
	"naru/core/payout"
	"naru/rail/upi"
)

// Ending is what becomes of payouts to an address.
type Ending uint8

// The endings. All of them begin open.
const (
	Pays    Ending = iota // credited within a minute
	Closed                // refused within a minute: the account is closed
	Held                  // refused within a minute: the account is blocked
	Bounces               // not paid within a minute, for a reason that passes
	Deemed                // in doubt within a minute, credited within four days
	Returns               // credited within a minute, back within four days
)

// Trouble is what goes wrong with one call.
type Trouble uint8

// The troubles.
const (
	FailBefore   Trouble = iota // a server's error, and nothing is stored
	FailAfter                   // a server's error, and all is stored
	HangUpBefore                // the connection breaks, and nothing is stored
	HangUpAfter                 // the connection breaks, and all is stored
	SilentBefore                // no answer, and nothing is stored
	SilentAfter                 // no answer, and all is stored
	Nonsense                    // an answer that is none, and all is stored
	Busy                        // too many calls, and nothing is stored
)

// stored is whether the bank has the order all the same.
var stored = map[Trouble]bool{FailAfter: true, HangUpAfter: true, SilentAfter: true, Nonsense: true}

// Event is one thing that the bank tells by itself, as it arrived.
type Event struct {
	Header http.Header
	Body   []byte
}

// Peer drives the bank at the other end, by another way than the wire.
type Peer interface {
	// Payee is an address to which payouts end so.
	Payee(Ending) card.Secret
	// Nobody is an address that nobody has.
	Nobody() card.Secret
	// Disturb makes the next order to pay go wrong. What it returns waits until it has.
	Disturb(Trouble) (happened func())
	// Obscure makes the next enquiry go wrong with a server's error.
	Obscure()
	// Pass lets time pass at the bank; what became due has happened, and its events have arrived, when it returns.
	Pass(time.Duration)
	// Count is how many payouts of a reference the bank has in its own books, and how many of them it ever credited.
	Count(reference string) (known, credited int)
	// Events are the events that arrived, oldest first.
	Events() []Event
}

// World is one bank and adapters to it. Unreachable is configured for an address where nobody listens, Stranger with a key that the bank
// does not know.
type World struct {
	Bank, Unreachable, Stranger upi.Bank
	Peer                        Peer
	Now                         func() time.Time // of the adapters
	KeyLife                     time.Duration    // for how long they send an order again
}

// Run plays the whole contract, each part in a world of its own.
func Run(t *testing.T, start func(*testing.T) World) {
	for name, play := range map[string]func(*world){
		"an order is paid once":                  paidOnce,
		"everybody at once":                      together,
		"what becomes of payouts":                endings,
		"trouble on the way":                     troubles,
		"nobody there":                           unreachable,
		"a key that the bank does not know":      stranger,
		"the same key for another order":         collision,
		"an order that the bank may have forgot": old,
		"orders that cannot be sent":             misshapen,
		"enquiries that teach nothing":           obscured,
		"news":                                   news,
		"addresses":                              addresses,
		"float and statement":                    books,
	} {
		t.Run(name, func(t *testing.T) { play(&world{t, start(t), 0}) })
	}
}

type world struct {
	*testing.T
	World
	n int
}

// order is a new order to an address.
func (w *world) order(to card.Secret) payout.Order {
	w.Helper()
	w.n++
	name := "banktest-" + string(rune('a'+w.n))
	o := payout.Order{
		Key: "key-" + name, Reference: name, Amount: money.New(1250_00, money.Of("INR")), Target: payout.Target{VPA: to, Text: "Reward - 4711"},
	}
	if err := w.Bank.Check(o); err != nil {
		w.Fatal(err)
	}
	body, err := w.Bank.Compose(o)
	if err != nil {
		w.Fatal(err)
	}
	if again, err := w.Bank.Compose(o); err != nil || !bytes.Equal(body, again) {
		w.Fatalf("the same order in other bytes: %v", err)
	}
	o.Body = body
	return o
}

func (w *world) pay(o payout.Order) payout.Answer { return w.Bank.Pay(w.Context(), o) }

// has fails unless the bank has so many payouts of an order.
func (w *world) has(o payout.Order, known, credited int) {
	w.Helper()
	if k, c := w.Peer.Count(o.Reference); k != known || c != credited {
		w.Errorf("the bank has %d payouts and credited %d, want %d and %d", k, c, known, credited)
	}
}

// asked is what the bank says of an order by its own name and by ours, which is the same.
func (w *world) asked(o payout.Order, id string) payout.Answer {
	w.Helper()
	ours := w.Bank.Enquire(w.Context(), o)
	if o.BankID = id; id != "" {
		if its := w.Bank.Enquire(w.Context(), o); its != ours {
			w.Errorf("by the bank's name %+v, by ours %+v", its, ours)
		}
	}
	return ours
}

func (w *world) want(what string, got payout.Answer, v payout.Verdict, alert bool) {
	w.Helper()
	if got.Verdict != v || (got.Alert != "") != alert {
		w.Errorf("%s: %+v, want verdict %d", what, got, v)
	}
}

func paidOnce(w *world) {
	o := w.order(w.Peer.Payee(Pays))
	w.want("before", w.asked(o, ""), payout.Absent, false)
	first := w.pay(o)
	w.want("first", first, payout.Open, false)
	o.FirstSent = w.Now()
	if again := w.pay(o); again != first || first.BankID == "" {
		w.Errorf("%+v, and again %+v", first, again)
	}
	w.Peer.Pass(time.Minute)
	paid := w.pay(o)
	w.want("paid", paid, payout.Credited, false)
	if asked := w.asked(o, first.BankID); asked != paid || paid.BankID != first.BankID || paid.UTR == "" {
		w.Errorf("sent again %+v, asked %+v", paid, asked)
	}
	w.has(o, 1, 1)
}

func together(w *world) {
	o := w.order(w.Peer.Payee(Pays))
	var all sync.WaitGroup
	answers := make([]payout.Answer, 8)
	for i := range answers {
		all.Go(func() { answers[i] = w.pay(o) })
	}
	all.Wait()
	for _, a := range answers {
		w.want("one of many", a, payout.Open, false)
		if a.BankID != answers[0].BankID {
			w.Error("one key, two payouts")
		}
	}
	w.Peer.Pass(time.Minute)
	w.has(o, 1, 1)
}

func endings(w *world) {
	for ending, steps := range map[Ending][2]payout.Answer{
		Pays:    {{Verdict: payout.Credited}, {Verdict: payout.Credited}},
		Closed:  {{Verdict: payout.Rejected, Reason: payout.Closed}, {Verdict: payout.Rejected, Reason: payout.Closed}},
		Held:    {{Verdict: payout.Rejected, Reason: payout.OnHold}, {Verdict: payout.Rejected, Reason: payout.OnHold}},
		Bounces: {{Verdict: payout.Failed}, {Verdict: payout.Failed}},
		Deemed:  {{Verdict: payout.InDoubt}, {Verdict: payout.Credited}},
		Returns: {{Verdict: payout.Credited}, {Verdict: payout.CameBack, Reason: payout.Closed}},
	} {
		o := w.order(w.Peer.Payee(ending))
		a := w.pay(o)
		w.want("begun", a, payout.Open, false)
		for i, pass := range []time.Duration{time.Minute, 4 * 24 * time.Hour} {
			w.Peer.Pass(pass)
			got := w.asked(o, a.BankID)
			if got.Verdict != steps[i].Verdict || got.Reason != steps[i].Reason || got.BankID != a.BankID || got.Status == "" {
				w.Errorf("ending %d after %s: %+v", ending, pass, got)
			}
			if got.Verdict == payout.InDoubt && !got.Deadline.After(w.Now()) {
				w.Errorf("in doubt until %s", got.Deadline)
			}
			if rupees := money.Of("INR"); got.Fees.Currency() != rupees || got.Tax.Currency() != rupees {
				w.Errorf("fees %s, tax %s", got.Fees, got.Tax)
			}
		}
		w.has(o, 1, map[Ending]int{Pays: 1, Deemed: 1, Returns: 1}[ending])
	}
}

func troubles(w *world) {
	for trouble := FailBefore; trouble <= Busy; trouble++ {
		o := w.order(w.Peer.Payee(Pays))
		ctx, cancel := context.WithCancel(w.Context())
		happened := w.Peer.Disturb(trouble)
		if trouble == SilentBefore || trouble == SilentAfter {
			go func() { happened(); cancel() }() // patience is over once the bank has gone quiet
		}
		a := w.Bank.Pay(ctx, o)
		cancel()
		verdict, known := payout.Unknown, 0
		if trouble == Busy {
			verdict = payout.Later
		}
		if stored[trouble] {
			known = 1
		}
		w.want("in trouble", a, verdict, trouble == Nonsense)
		w.has(o, known, 0)
		w.want("asked", w.asked(o, ""), map[bool]payout.Verdict{true: payout.Open, false: payout.Absent}[stored[trouble]], false)
		o.FirstSent = w.Now()
		w.want("sent again", w.pay(o), payout.Open, false)
		w.Peer.Pass(time.Minute)
		w.want("in the end", w.asked(o, ""), payout.Credited, false)
		w.has(o, 1, 1)
	}
}

func unreachable(w *world) {
	o := w.order(w.Peer.Payee(Pays))
	w.want("pay", w.Unreachable.Pay(w.Context(), o), payout.NotSent, false)
	w.want("enquire", w.Unreachable.Enquire(w.Context(), o), payout.Unknown, false) // not absent: nobody was asked
	if v := w.Unreachable.Validate(w.Context(), o.Target.VPA, ""); v != (upi.Validation{}) {
		w.Errorf("validate: %+v", v)
	}
	if _, err := w.Unreachable.Float(w.Context()); err == nil {
		w.Error("a float that nobody has said")
	}
	if _, err := w.Unreachable.Statement(w.Context(), w.Now(), w.Now(), 0, 10); err == nil {
		w.Error("a statement that nobody has made")
	}
	w.has(o, 0, 0)
}

func stranger(w *world) {
	o := w.order(w.Peer.Payee(Pays))
	w.want("pay", w.Stranger.Pay(w.Context(), o), payout.Later, true)
	w.want("enquire", w.Stranger.Enquire(w.Context(), o), payout.Unknown, true)
	w.has(o, 0, 0)
	w.want("as ourselves", w.pay(o), payout.Open, false)
	w.has(o, 1, 0)
}

func collision(w *world) {
	o := w.order(w.Peer.Payee(Pays))
	w.want("pay", w.pay(o), payout.Open, false)
	other := w.order(w.Peer.Payee(Closed))
	other.Key = o.Key
	w.want("another", w.pay(other), payout.Misfit, true)
	w.has(o, 1, 0)
	w.has(other, 0, 0)

	mine := o // the answer is about another order than it should be
	mine.Amount = money.New(1, money.Of("INR"))
	w.want("another amount", w.pay(mine), payout.Unknown, true)
	w.want("another amount", w.Bank.Enquire(w.Context(), mine), payout.Unknown, true)
	mine = o
	mine.Target.VPA = other.Target.VPA
	w.want("another payee", w.pay(mine), payout.Unknown, true)
	mine = o
	mine.Reference = other.Reference
	w.want("another reference", w.pay(mine), payout.Unknown, true)
	w.has(o, 1, 0)
}

func old(w *world) {
	o := w.order(w.Peer.Payee(Pays))
	o.FirstSent = w.Now().Add(-w.KeyLife)
	w.want("too old", w.pay(o), payout.Unknown, true)
	w.has(o, 0, 0)
	o.FirstSent = o.FirstSent.Add(time.Second)
	w.want("just in time", w.pay(o), payout.Open, false)
}

func misshapen(w *world) {
	o := w.order(w.Peer.Payee(Pays))
	for what, spoil := range map[string]func(*payout.Order){
		"no bytes": func(o *payout.Order) { o.Body = nil },
		"no key":   func(o *payout.Order) { o.Key = "" },
	} {
		one := o
		spoil(&one)
		w.want(what, w.pay(one), payout.NotSent, true)
	}
	for what, spoil := range map[string]func(*payout.Order){
		"foreign money": func(o *payout.Order) { o.Amount = money.New(1250_00, money.Of("USD")) },
		"no money":      func(o *payout.Order) { o.Amount = money.New(0, money.Of("INR")) },
		"no payee":      func(o *payout.Order) { o.Target.VPA = card.Secret{} },
		"blanks":        func(o *payout.Order) { o.Target.VPA = card.Conceal("asha r@bank") },
		"no handle":     func(o *payout.Order) { o.Target.VPA = card.Conceal("asha.r") },
	} {
		one := o
		spoil(&one)
		err := w.Bank.Check(one)
		if _, composed := w.Bank.Compose(one); err == nil || composed == nil {
			w.Errorf("%s: nothing is wrong with it", what)
		} else if strings.Contains(err.Error(), "asha") {
			w.Errorf("%s: %q names the payee", what, err)
		}
	}
	w.has(o, 0, 0)
}

func obscured(w *world) {
	o := w.order(w.Peer.Payee(Pays))
	a := w.pay(o)
	for _, id := range []string{"", a.BankID} {
		o.BankID = id
		w.Peer.Obscure()
		w.want("asked", w.Bank.Enquire(w.Context(), o), payout.Unknown, false)
	}
	o.BankID = "pout_00000000000000"
	w.want("a name that the bank does not know", w.Bank.Enquire(w.Context(), o), payout.Unknown, true)
	o.BankID, o.Reference = "", ""
	w.want("nothing to ask by", w.Bank.Enquire(w.Context(), o), payout.Unknown, true)
}

func news(w *world) {
	o := w.order(w.Peer.Payee(Returns))
	a := w.pay(o)
	var last payout.Answer
	var heard []payout.Verdict
	names, told := map[string]bool{}, 0
	for _, pass := range []time.Duration{time.Minute, 4 * 24 * time.Hour} {
		w.Peer.Pass(pass)
		last = w.asked(o, a.BankID)
		heard = nil
		for _, e := range w.Peer.Events() {
			n, about, err := w.Bank.Hear(e.Header, e.Body)
			if err != nil {
				w.Fatal(err)
			}
			if !about {
				continue
			}
			told++
			names[n.ID] = true
			if n.Reference != o.Reference || n.BankID != a.BankID || n.At.IsZero() {
				w.Errorf("%+v", n)
			}
			if heard = append(heard, n.Verdict); n.Verdict == last.Verdict && n.Answer != last {
				w.Errorf("told %+v, asked %+v", n.Answer, last)
			}
			again, _, err := w.Bank.Hear(e.Header, e.Body)
			if again != n || err != nil {
				w.Errorf("told twice: %+v and %+v, %v", n, again, err)
			}
			for what, spoil := range map[string]func(*Event){
				"changed":  func(e *Event) { e.Body = append(e.Body, ' ') },
				"unsigned": func(e *Event) { e.Header = http.Header{} },
				"empty":    func(e *Event) { e.Body = nil },
			} {
				one := Event{e.Header.Clone(), bytes.Clone(e.Body)}
				spoil(&one)
				if n, about, err := w.Bank.Hear(one.Header, one.Body); !errors.Is(err, upi.ErrSignature) || about || n != (payout.News{}) {
					w.Errorf("%s: %+v, %v", what, n, err)
				}
			}
			if _, _, err := w.Stranger.Hear(e.Header, e.Body); !errors.Is(err, upi.ErrSignature) {
				w.Errorf("by another's secret: %v", err)
			}
		}
		if !slices.Contains(heard, last.Verdict) {
			w.Errorf("told %d, asked %d", heard, last.Verdict)
		}
	}
	if last.Verdict != payout.CameBack {
		w.Errorf("at last %+v", last)
	}
	if len(names) < 3 { // begun, credited, back
		w.Errorf("%d names for %d events", len(names), told)
	}
}

func addresses(w *world) {
	for to, standing := range map[card.Secret]upi.Standing{w.Peer.Payee(Pays): upi.Active, w.Peer.Nobody(): upi.Invalid} {
		v := w.Bank.Validate(w.Context(), to, "")
		if v.Standing == upi.Asking {
			if v = w.Bank.Validate(w.Context(), to, v.ID); v.Standing != upi.Asking {
				w.Errorf("%+v before its time", v)
			}
			w.Peer.Pass(time.Minute)
			v = w.Bank.Validate(w.Context(), to, v.ID)
		}
		if v.Standing != standing || v.ID == "" || v.Alert != "" || v.Name.IsZero() != (standing == upi.Invalid) {
			w.Errorf("%+v", v)
		}
		if other := w.Bank.Validate(w.Context(), card.Conceal("somebody.else@bank"), v.ID); other.Standing != upi.Unsaid || other.Alert == "" {
			w.Errorf("another's address: %+v", other)
		}
	}
	if v := w.Stranger.Validate(w.Context(), w.Peer.Nobody(), ""); v.Standing != upi.Unsaid || v.Alert == "" {
		w.Errorf("%+v", v)
	}
}

func books(w *world) {
	from := w.Now().Add(-time.Hour)
	before, err := w.Bank.Float(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	o := w.order(w.Peer.Payee(Returns))
	a := w.pay(o)
	w.Peer.Pass(time.Minute)
	paid := w.asked(o, a.BankID)
	after, err := w.Bank.Float(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	cost := o.Amount.Plus(paid.Fees).Plus(paid.Tax)
	if left := before.Balance.Less(cost); after.Balance != left || after.Available != left || after.At.IsZero() {
		w.Errorf("%+v before, %+v after %s", before, after, cost)
	}
	w.Peer.Pass(4 * 24 * time.Hour)
	to := w.Now().Add(time.Hour)
	whole, err := w.Bank.Statement(w.Context(), from, to, 0, 100)
	if err != nil {
		w.Fatal(err)
	}
	moved, balance := money.New(0, cost.Currency()), money.Amount{}
	for _, l := range whole {
		if l.ID == "" || l.At.IsZero() || l.Kind == "" {
			w.Errorf("%+v", l)
		}
		if l.BankID == a.BankID {
			moved = moved.Plus(l.Amount)
			if l.Amount == cost.Negated() {
				balance = l.Balance
			}
		}
	}
	if !moved.IsZero() || balance != after.Balance {
		w.Errorf("the payout that came back moved %s, and the balance after it was %s, want %s", moved, balance, after.Balance)
	}
	var parts []payout.StatementLine
	for skip := range len(whole) + 1 {
		part, err := w.Bank.Statement(w.Context(), from, to, skip, 1)
		if err != nil {
			w.Fatal(err)
		}
		parts = append(parts, part...)
	}
	if !slices.Equal(parts, whole) {
		w.Errorf("in parts\n%+v, whole\n%+v", parts, whole)
	}
}
