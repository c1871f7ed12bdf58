package sim

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Match says which calls, or which events, a rule is for; what is empty matches all. Nth is the first, counted from 1 among those that fit,
// on which the rule acts.
type Match struct {
	Call      string `json:"call,omitzero"`  // create, get, list, cancel, validate, validation, balances, transactions
	Event     string `json:"event,omitzero"` // payout.processed ...
	VPA       string `json:"vpa,omitzero"`   // whole, or the first letters
	Reference string `json:"reference,omitzero"`
	Key       string `json:"key,omitzero"`
	Amount    int64  `json:"amount,omitzero"` // paise
	Nth       int    `json:"nth,omitzero"`
}

// Rule is one line of a scenario: what happens to which calls or events, and how often. See the package comment for the actions.
type Rule struct {
	ID      int    `json:"id"`
	Match   Match  `json:"match,omitzero"`
	Action  string `json:"action"`
	Times   int    `json:"times,omitzero"`    // 0 is always
	DelayMs int    `json:"delay_ms,omitzero"` // of slow (wall time) and webhook-late (business time)
	As      string `json:"as,omitzero"`       // of act-as: the address
	Seen    int    `json:"seen"`
	Used    int    `json:"used"`

	act action
}

// subject is what a call or an event is about.
type subject struct {
	call, event, vpa, reference, key string
	amount                           int64
}

// action is how a rule meddles. A nil place is left alone.
type action struct {
	leave   func(*visit)                                 // how an answer leaves
	unheard bool                                         // the call is not even looked at
	lost    bool                                         // what was decided does not arrive
	cast    bool                                         // another payee's script
	emit    func(Rule, *event)                           // an event that is about to be kept
	spoil   func(*Host, []byte, *event) ([]byte, string) // an event that is about to leave, and what signs it
}

// actions is every action by its name.
func actions() map[string]action {
	return map[string]action{
		// nothing is stored
		"500-before":   {unheard: true, leave: func(v *visit) { v.fail(trouble) }},
		"503-before":   {unheard: true, leave: func(v *visit) { v.fail(away) }},
		"429":          {unheard: true, leave: func(v *visit) { v.fail(tooMany) }},
		"hang-before":  {unheard: true, leave: (*visit).hang},
		"close-before": {unheard: true, leave: func(*visit) { panic(http.ErrAbortHandler) }},
		// it is stored, and the answer does not arrive as it was
		"500-after":   {lost: true, leave: func(v *visit) { v.fail(trouble) }},
		"hang-after":  {lost: true, leave: (*visit).hang},
		"close-after": {lost: true, leave: func(*visit) { panic(http.ErrAbortHandler) }},
		"half-answer": {lost: true, leave: (*visit).half},
		"garbage":     {lost: true, leave: func(v *visit) { v.status, v.answer = http.StatusOK, []byte("<html>Welcome</html>"); v.write() }},
		"nonsense":    {lost: true, leave: func(v *visit) { v.status, v.answer = http.StatusOK, []byte(`{"status":"ok"}`); v.write() }},
		// it arrives in its own way
		"slow":          {leave: (*visit).slow},
		"webhook-first": {leave: (*visit).toldFirst},
		"unlisted":      {leave: (*visit).write},
		"act-as":        {cast: true},
		// events
		"webhook-never":           {emit: func(_ Rule, e *event) { e.Never = true }},
		"webhook-late":            {emit: func(r Rule, e *event) { e.Due = e.Made.Add(time.Duration(max(r.DelayMs, 1)) * time.Millisecond) }},
		"webhook-duplicate":       {emit: func(_ Rule, e *event) { e.Copies = 2 }},
		"webhook-old-secret":      {spoil: oldSecret},
		"webhook-wrong-signature": {spoil: func(_ *Host, body []byte, e *event) ([]byte, string) { return body, "nobody's secret " + e.ID }},
		"webhook-unknown-fields":  {spoil: func(h *Host, body []byte, e *event) ([]byte, string) { return more(body), h.book.secrets[e.Secret] }},
	}
}

// oldSecret signs with the secret before, if there was one.
func oldSecret(h *Host, body []byte, e *event) ([]byte, string) {
	return body, h.book.secrets[max(e.Secret-1, 0)]
}

func (v *visit) fail(p *problem) {
	v.status, v.answer = p.status, written(p.body())
	v.write()
}

// hang keeps the caller waiting until it goes away, or the bank does.
func (v *visit) hang() {
	<-v.r.Context().Done()
	panic(http.ErrAbortHandler)
}

// half promises more bytes than come.
func (v *visit) half() {
	v.w.Header().Set("Content-Type", "application/json")
	v.w.Header().Set("Content-Length", fmt.Sprint(len(v.answer)))
	v.w.WriteHeader(v.status)
	_, _ = v.w.Write(v.answer[:len(v.answer)/2])
	panic(http.ErrAbortHandler)
}

func (v *visit) slow() {
	passed := make(chan struct{})
	v.h.cfg.After(time.Duration(max(v.rule.DelayMs, 1))*time.Millisecond, func() { close(passed) })
	select {
	case <-passed:
		v.write()
	case <-v.r.Context().Done():
		panic(http.ErrAbortHandler)
	}
}

// toldFirst ends the payout and tells its owner so, and only then answers as things stood when it was made.
func (v *visit) toldFirst() {
	if v.payout != nil {
		v.h.do(func(now time.Time) { _ = v.h.book.finish(v.payout, "", "", now) }) // what is over stays as it is
		v.h.telling.Lock()
		v.h.tell(func(e *event, _ time.Time) bool { return e.Subject == v.payout.ID })
		v.h.telling.Unlock()
	}
	v.write()
}

// finish ends a payout now: as its script will have it, or as somebody says.
func (b *book) finish(p *payout, as state, reason string, now time.Time) error {
	switch {
	case as != "" && !slices.Contains(legal[p.Status], as):
		return fmt.Errorf("a payout that is %s does not become %s", p.Status, as)
	case as == "" && !p.open():
		return fmt.Errorf("a payout that is %s is over", p.Status)
	case (as == processing || as == "" && p.Status != processing) && !b.covered(p):
		return errors.New("the account cannot pay it")
	}
	p.Short = false
	if as != "" {
		p.Script = nil
		b.pass(p, move{To: as, Reason: cmp.Or(reason, end[as]), UTR: as == processed}, now)
		return nil
	}
	for p.open() && len(p.Script) > 0 {
		b.move(p, now)
	}
	if p.open() {
		if p.Status != processing {
			b.pass(p, move{To: processing, Reason: end[processing]}, now)
		}
		b.pass(p, move{To: processed, Reason: end[processed], UTR: true}, now)
	}
	return nil
}

// end is the reason of a state to which somebody brought a payout.
var end = map[state]string{
	processing: "payout_bank_processing", processed: "payout_processed", reversed: "payout_reversed", failed: "beneficiary_bank_rejected",
	rejected: "approval_rejected", cancelled: "payout_cancelled", queued: "gateway_degraded",
}

func (r Rule) validate() error {
	var problems []error
	a, known := actions()[r.Action]
	if !known {
		problems = append(problems, fmt.Errorf("action %q is not one of %s", r.Action, strings.Join(slices.Sorted(maps.Keys(actions())), ", ")))
	}
	if r.Times < 0 || r.Match.Nth < 0 || r.DelayMs < 0 {
		problems = append(problems, errors.New("times, nth and delay_ms are never negative"))
	}
	if a.cast != addressShape.MatchString(r.As) {
		problems = append(problems, errors.New("as is an address, and act-as needs one"))
	}
	calls := []string{"", "create", "get", "list", "cancel", "validate", "validation", "balances", "transactions"}
	if !slices.Contains(calls, r.Match.Call) {
		problems = append(problems, fmt.Errorf("there is no call %q", r.Match.Call))
	}
	if telling := a.emit != nil || a.spoil != nil; known && (telling && r.Match.Call != "" || !telling && r.Match.Event != "") {
		problems = append(problems, errors.New("a rule is about calls or about events"))
	}
	return errors.Join(problems...)
}

// pick finds the first rule of a kind for something whose turn has come. It counts. Under mu.
func (h *Host) pick(s subject, kind func(action) bool) *Rule {
	for _, r := range h.rules {
		if kind(r.act) && r.Match.covers(s) && r.turn() {
			return r
		}
	}
	return nil
}

// meddle is what a rule makes of an event that is about to be kept.
func (h *Host) meddle(e *event, s subject) {
	if r := h.pick(s, func(a action) bool { return a.emit != nil }); r != nil {
		r.act.emit(*r, e)
	}
}

func (w Match) covers(s subject) bool {
	return (w.Call == "" || w.Call == s.call) && (w.Event == "" || w.Event == s.event) && (w.Key == "" || w.Key == s.key) &&
		(w.Amount == 0 || w.Amount == s.amount) && strings.HasPrefix(strings.ToLower(s.vpa), strings.ToLower(w.VPA)) &&
		strings.HasPrefix(s.reference, w.Reference)
}

func (r *Rule) turn() bool {
	r.Seen++
	if r.Seen < r.Match.Nth || r.Times > 0 && r.Used >= r.Times {
		return false
	}
	r.Used++
	return true
}
