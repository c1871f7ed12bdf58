package sim

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Match says what a rule is for; what is empty matches all. Nth is the first, counted from 1 among those that fit, on which the rule acts.
type Match struct {
	Kind     string `json:"kind,omitzero"`    // deposit, reversal, payment, return: of the transaction that is reported
	Account  string `json:"account,omitzero"` // ours, or a virtual one
	Name     string `json:"name,omitzero"`    // of the payer or the payee, whole
	Number   string `json:"number,omitzero"`  // its account
	EndToEnd string `json:"end_to_end,omitzero"`
	Channel  string `json:"channel,omitzero"` // push or json
	Amount   int64  `json:"amount,omitzero"`  // won
	Nth      int    `json:"nth,omitzero"`
}

// Rule is one line of a scenario: what happens to which reports, payments or pushes, and how often. The package comment has the actions.
type Rule struct {
	ID      int    `json:"id"`
	Match   Match  `json:"match,omitzero"`
	Action  string `json:"action"`
	Times   int    `json:"times,omitzero"`    // 0 is always
	DelayMs int    `json:"delay_ms,omitzero"` // business time; 0 is what the action has
	Code    string `json:"code,omitzero"`     // reason of a refusal or a return
	Seen    int    `json:"seen"`
	Used    int    `json:"used"`

	act action
}

func (r Rule) delay(usual time.Duration) time.Duration {
	return cmp.Or(time.Duration(r.DelayMs)*time.Millisecond, usual)
}

// subject is what a report, a payment or a push is about.
type subject struct {
	kind, account, virtual, name, number, endToEnd, channel string
	amount                                                  int64
}

func (t *Transaction) subject() subject {
	return subject{
		kind: t.Kind, account: t.Account, virtual: t.Virtual, name: t.Name, number: t.Number, endToEnd: t.EndToEnd, amount: t.Amount,
	}
}

// plan is how one booking is reported.
type plan struct {
	again, twice, copy, wrong bool
	skip, swap                bool
	half, temporary           bool
	euckr, mark, old, short   bool
	late, pending, mend       time.Duration
}

// fate is what becomes of one payment.
type fate struct {
	first, then string // codes of a refusal, in the first report or later
	group       string // of a refusal of all
	lost        bool   // the order was never seen
	silent      bool
	levels      string        // group, payment: the only level that has a status
	end         string        // where it stops
	twice       bool          // first ACSC, then ACCC
	pending     time.Duration // said to be PDNG for so long
	slow        time.Duration
	back        time.Duration // until it returns
	why         string        // it returns
}

// reply is how a call is answered.
type reply struct{ unheard, unanswered bool }

// hearing is what the other side of a push makes of it.
type hearing struct{ unheard, unsigned, early bool }

// action is how a rule meddles. It has one place.
type action struct {
	report func(*plan, Rule)
	pay    func(*fate, Rule)
	push   func(*hearing)
	call   func(*reply)
}

// actions is every action by its name.
func actions() map[string]action {
	report := func(do func(*plan, Rule)) action { return action{report: do} }
	pay := func(do func(*fate, Rule)) action { return action{pay: do} }
	return map[string]action{
		"duplicate-message": report(func(p *plan, _ Rule) { p.again = true }),
		"twice":             report(func(p *plan, _ Rule) { p.twice = true }),
		"copy":              report(func(p *plan, _ Rule) { p.copy = true }),
		"wrong-sums":        report(func(p *plan, r Rule) { p.wrong, p.mend = true, r.delay(0) }),
		"late":              report(func(p *plan, r Rule) { p.late = r.delay(time.Hour) }),
		"pending":           report(func(p *plan, r Rule) { p.pending = r.delay(time.Minute) }),
		"skip":              report(func(p *plan, _ Rule) { p.skip = true }),
		"swap":              report(func(p *plan, _ Rule) { p.swap = true }),
		"half-file":         report(func(p *plan, r Rule) { p.half, p.mend = true, r.delay(5*time.Second) }),
		"half-temporary":    report(func(p *plan, r Rule) { p.temporary, p.mend = true, r.delay(5*time.Second) }),
		"euc-kr":            report(func(p *plan, _ Rule) { p.euckr = true }),
		"byte-order-mark":   report(func(p *plan, _ Rule) { p.mark = true }),
		"version-02":        report(func(p *plan, _ Rule) { p.old = true }),
		"short-name":        report(func(p *plan, _ Rule) { p.short = true }),

		"refuse":         pay(func(f *fate, r Rule) { f.then = cmp.Or(r.Code, "AC01") }),
		"refuse-at-once": pay(func(f *fate, r Rule) { f.first = cmp.Or(r.Code, "AC01") }),
		"refuse-all":     pay(func(f *fate, r Rule) { f.group = cmp.Or(r.Code, "FF01") }),
		"lost":           pay(func(f *fate, _ Rule) { f.lost = true }),
		"silent":         pay(func(f *fate, _ Rule) { f.silent = true }),
		"silent-refuse":  pay(func(f *fate, r Rule) { f.silent, f.then = true, cmp.Or(r.Code, "AC01") }),
		"group-level":    pay(func(f *fate, _ Rule) { f.levels = "group" }),
		"payment-level":  pay(func(f *fate, _ Rule) { f.levels = "payment" }),
		"stop-at-acsc":   pay(func(f *fate, _ Rule) { f.end = acsc }),
		"pdng":           pay(func(f *fate, r Rule) { f.pending = r.delay(time.Hour) }),
		"slow":           pay(func(f *fate, r Rule) { f.slow = r.delay(time.Hour) }),
		"return":         pay(func(f *fate, r Rule) { f.back, f.why = r.delay(24*time.Hour), cmp.Or(r.Code, "AC04") }),

		"500-before":  {call: func(r *reply) { r.unheard = true }},
		"close-after": {call: func(r *reply) { r.unanswered = true }},

		"push-unheard":   {push: func(h *hearing) { h.unheard = true }},
		"push-unsigned":  {push: func(h *hearing) { h.unsigned = true }},
		"push-yesterday": {push: func(h *hearing) { h.early = true }},
	}
}

func (r Rule) validate() error {
	var problems []error
	a, known := actions()[r.Action]
	if !known {
		all := slices.Sorted(maps.Keys(actions()))
		problems = append(problems, fmt.Errorf("action %q is not one of %s", r.Action, strings.Join(all, ", ")))
	}
	if r.Times < 0 || r.Match.Nth < 0 || r.DelayMs < 0 {
		problems = append(problems, errors.New("times, nth and delay_ms are never negative"))
	}
	if !slices.Contains([]string{"", deposit, reversal, paid, returned}, r.Match.Kind) {
		problems = append(problems, fmt.Errorf("there is no kind %q", r.Match.Kind))
	}
	if r.Match.Channel != "" && a.push == nil {
		problems = append(problems, errors.New("channel is for pushes"))
	}
	if r.Code != "" && (a.pay == nil || !reasonCode.MatchString(r.Code)) {
		problems = append(problems, errors.New("code is a reason of four characters, for payments"))
	}
	return errors.Join(problems...)
}

// rulesFor are the rules of a kind whose turn has come: all of them act. They count. Under mu.
func (h *Host) rulesFor(s subject, kind func(action) bool) (list []Rule) {
	for _, r := range h.rules {
		if kind(r.act) && r.Match.covers(s) && r.turn() {
			list = append(list, *r)
		}
	}
	return list
}

func (w Match) covers(s subject) bool {
	is := func(want, value string) bool { return want == "" || want == value }
	return is(w.Kind, s.kind) && (is(w.Account, s.account) || is(w.Account, s.virtual)) && is(w.Name, s.name) && is(w.Number, s.number) &&
		is(w.EndToEnd, s.endToEnd) && is(w.Channel, s.channel) && (w.Amount == 0 || w.Amount == s.amount)
}

func (r *Rule) turn() bool {
	r.Seen++
	if r.Seen < r.Match.Nth || r.Times > 0 && r.Used >= r.Times {
		return false
	}
	r.Used++
	return true
}

// planFor is how a booking is reported: plainly, unless rules or whims will have it otherwise.
func (b *book) planFor(t *Transaction) (p plan) {
	if !b.cfg.Polite {
		switch draw := seeded(b.cfg.Seed, "whim", len(b.transactions)); draw.IntN(8) {
		case 0:
			p.again = true
		case 1:
			p.late = 3 * time.Second // and the next one overtakes it
		}
	}
	for _, r := range b.rulesFor(t.subject(), func(a action) bool { return a.report != nil }) {
		r.act.report(&p, r)
	}
	return p
}

// fateOf is what becomes of a payment.
func (b *book) fateOf(p *Payment) (f fate) {
	about := subject{kind: paid, account: p.Account, name: p.Name, number: p.Number, endToEnd: p.EndToEnd, amount: p.Amount}
	for _, r := range b.rulesFor(about, func(a action) bool { return a.pay != nil }) {
		r.act.pay(&f, r)
	}
	return f
}
