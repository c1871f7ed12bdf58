package sim

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Match says which messages a rule is for; what is empty matches all. An MTI without a repeat mark matches repeats too.
// Nth is the first message, counted from 1 among those that fit, on which the rule acts.
type Match struct {
	PAN    string `json:"pan,omitempty"` // whole, or the first digits
	MTI    string `json:"mti,omitempty"`
	DE3    string `json:"de3,omitempty"` // whole, or the first digits: "20" is a refund
	RRN    string `json:"rrn,omitempty"`
	Amount int64  `json:"amount,omitempty"` // minor units
	File   string `json:"file,omitempty"`   // first letters of a file's name: for the actions on files, and for nothing else
	Nth    int    `json:"nth,omitempty"`

	Tags  map[string]string `json:"tags,omitempty"`  // DE48 tags with their values; "" is a tag that is not there
	Lacks string            `json:"lacks,omitempty"` // what a 0100 or a sale does without: authentication, cryptogram, network-id
}

// lacking is what Match.Lacks may name. A payment that the merchant starts needs neither authentication nor a cryptogram: nobody is there
// who could give them.
var lacking = map[string]func(*book, *ask) bool{
	"authentication": func(_ *book, a *ask) bool { return a.tags["CI"] != "M" && a.tags["CA"] == "" && a.tags["SX"] == "" },
	"cryptogram":     func(_ *book, a *ask) bool { return a.tags["CI"] != "M" && a.tags["TT"] == "D" && a.tags["CG"] == "" },
	"network-id":     func(b *book, a *ask) bool { return a.tags["CI"] == "M" && !b.gave(a.tags["NT"]) },
}

// Rule is one line of a scenario: what happens to which messages, and how often. See the package comment for the actions.
type Rule struct {
	ID       int               `json:"id"`
	Match    Match             `json:"match"`
	Action   string            `json:"action"`
	Times    int               `json:"times,omitempty"`    // 0 is always
	Code     string            `json:"code,omitempty"`     // DE39 of decline, approve-as
	DelayMs  int               `json:"delay_ms,omitempty"` // of late; between the bytes of slow
	Elements map[string]string `json:"elements,omitempty"` // of set, by number
	Tags     map[string]string `json:"tags,omitempty"`     // of set and decline: DE48
	Seen     int               `json:"seen"`
	Used     int               `json:"used"`

	once string // who is spared it next time
}

// action is how a rule meddles, in up to four places. A nil place is left alone.
type action struct {
	instead func(b *book, r Rule, a *ask) *verdict            // decides instead of the book
	judge   func(r Rule, v *verdict)                          // changes the decision; what it says is remembered and true
	alter   func(h *Host, m elements)                         // changes the one copy that leaves
	leave   func(h *Host, r Rule, answer delivery) []delivery // how it leaves
	file    bool                                              // it is about a file that the host delivers (files.go), not about a message
}

// actions is every action by its name.
var actions = map[string]action{
	// what the host decides
	"decline":    {instead: decline},
	"busy-once":  {instead: busyOnce},
	"approve-as": {judge: approveAs},
	"partial":    {judge: partial},
	"revoke":     {judge: revoke, instead: revokeHeld},
	"set":        {judge: set},
	"totals-off": {instead: totalsOff},
	// what never arrives, or too late: the host has booked, except for silent-dropped and overtaken
	"silent":              {leave: nothing},
	"silent-dropped":      {leave: nothing},
	"overtaken":           {},
	"refuse-connection":   {},
	"late":                {leave: late},
	"close-before-answer": {leave: func(*Host, Rule, delivery) []delivery { return []delivery{{close: true}} }},
	"answer-then-close":   {leave: func(_ *Host, _ Rule, d delivery) []delivery { d.close = true; return []delivery{d} }},
	"close-mid-answer": {leave: func(_ *Host, _ Rule, d delivery) []delivery {
		return []delivery{{bytes: d.bytes[:len(d.bytes)/2], close: true}}
	}},
	"slow":      {leave: slow},
	"duplicate": {leave: func(_ *Host, _ Rule, d delivery) []delivery { return []delivery{d, d} }},
	"signoff":   {leave: signOffFirst},
	// what arrives wrong
	"wrong-stan":   {alter: func(_ *Host, m elements) { m[11] = fmt.Sprintf("%06d", (whole(m[11])+1)%1_000_000) }},
	"wrong-amount": {alter: func(_ *Host, m elements) { m[4] = fmt.Sprintf("%012d", whole(m[4])+1) }},
	"unknown-tag":  {alter: func(h *Host, m elements) { m[48] += private(map[string]string{"ZZ": "UNHEARD OF"}, h.lengthDigits) }},
	"extra-elements": {alter: func(h *Host, m elements) {
		maps.Copy(m, elements{5: "000000000001", 54: "0002410C000000009999", 63: "EXTRA", 102: "ACCOUNT", 127: "EXTRA"})
	}},
	"truncated": {leave: func(h *Host, _ Rule, d delivery) []delivery { return h.reframed(d, d.body[:len(d.body)/2]) }},
	"garbage":   {leave: func(h *Host, _ Rule, d delivery) []delivery { return h.reframed(d, h.noise(len(d.body))) }},
	"bad-length": {leave: func(h *Host, _ Rule, d delivery) []delivery {
		d.bytes = h.framing.header.put(9999)
		return []delivery{d}
	}},
	// what is wrong with a file
	"file-cut": {file: true}, "file-bad-hash": {file: true}, "file-bad-count": {file: true}, "file-bad-sum": {file: true},
	"file-bad-line": {file: true}, "file-duplicate": {file: true}, "file-again": {file: true},
}

func decline(b *book, r Rule, a *ask) *verdict {
	return &verdict{code: r.Code, tags: merged(b.metadata(a), r.Tags)}
}

// busyOnce is 91 for the first attempt of a payment (DE48 MR; without it, of the card) and nothing special afterwards.
func busyOnce(b *book, _ Rule, a *ask) *verdict {
	if key := a.m[2] + "|" + a.tags["MR"]; !b.busy[key] {
		return &verdict{code: "91", busy: key, tags: b.metadata(a)}
	}
	return nil
}

// totalsOff has the host count one debit of one unit that nobody else knows (0500).
func totalsOff(b *book, _ Rule, a *ask) *verdict {
	if a.m.base() != "0500" {
		return nil
	}
	own := b.totals(a.m[15], a.m[50], 1)
	own[66] = "2"
	return &verdict{code: "95", elements: own}
}

// approveAs books as usual and answers with another code: the host holds money that the code does not admit.
func approveAs(r Rule, v *verdict) {
	if v.code != "00" {
		return
	}
	v.code = r.Code
	if strings.Contains(honours+" 16 85", r.Code) {
		return // these come with an approval code
	}
	v.elements = nil
	maps.DeleteFunc(v.tags, func(tag, _ string) bool { return slices.Contains([]string{"AN", "NT", "NS", "RX"}, tag) })
}

// partial grants half. DE4 is echoed whole all the same (rails §1.7).
func partial(_ Rule, v *verdict) {
	p := v.payment
	if v.code == "00" && p != nil && (p.State == open || p.Kind == "sale" && p.State == captured) && p.Amount > 1 {
		v.code, p.Amount = "10", p.Amount/2
	}
}

// revoke approves and takes the hold back at once.
func revoke(_ Rule, v *verdict) {
	if v.payment != nil && v.payment.State == open {
		v.payment.State = revoked
	}
}

// revokeHeld takes the hold back when its completion comes.
func revokeHeld(b *book, _ Rule, a *ask) *verdict {
	if a.m.base() != "0220" {
		return nil
	}
	v := &verdict{code: "R1"}
	p, _ := b.locate(a, false)
	if p == nil {
		return v
	}
	if p.after(a.now); p.State == open {
		p.State, v.touched = revoked, []*payment{p}
	}
	return v
}

// set writes elements and DE48 tags into the answer; an approval code set here is the payment's own from then on.
func set(r Rule, v *verdict) {
	if v.elements == nil {
		v.elements = elements{}
	}
	for de, text := range r.Elements {
		n, _ := strconv.Atoi(de)
		v.elements[n] = text
	}
	v.tags = merged(v.tags, r.Tags)
	if v.payment != nil && v.payment.Approval != "" && v.elements[38] != "" {
		v.payment.Approval, v.payment.Approval8 = v.elements[38], v.tags["AN"]
	}
	if v.payment != nil && r.Tags["NT"] != "" {
		v.payment.Network = r.Tags["NT"]
	}
}

func nothing(*Host, Rule, delivery) []delivery { return nil }

func late(_ *Host, r Rule, d delivery) []delivery {
	d.after = time.Duration(max(r.DelayMs, 1)) * time.Millisecond
	return []delivery{d}
}

func slow(_ *Host, r Rule, d delivery) []delivery {
	d.gap = time.Duration(max(r.DelayMs, 1)) * time.Millisecond
	return []delivery{d}
}

// signOffFirst ends the session in front of the answer: the next request must sign on again.
func signOffFirst(h *Host, _ Rule, d delivery) []delivery {
	off := h.start(elements{70: h.cfg.Profile.NetworkCodes.SignOff})
	off.signsOff = true
	return []delivery{off, d}
}

var alphanumeric = regexp.MustCompile(`^[0-9A-Z]{2}$`)

func (r Rule) validate() error {
	var problems []error
	if _, known := actions[r.Action]; !known {
		problems = append(problems, fmt.Errorf("action %q is not one of %s", r.Action,
			strings.Join(slices.Sorted(maps.Keys(actions)), ", ")))
	}
	if needs := r.Action == "decline" || r.Action == "approve-as"; needs && !alphanumeric.MatchString(r.Code) {
		problems = append(problems, errors.New("code must be two digits or capital letters"))
	}
	if r.Times < 0 || r.Match.Nth < 0 || r.DelayMs < 0 {
		problems = append(problems, errors.New("times, nth and delay_ms are never negative"))
	}
	for de := range r.Elements {
		if n, err := strconv.Atoi(de); err != nil || n < 2 || n > 128 {
			problems = append(problems, fmt.Errorf("there is no element %q to set", de))
		}
	}
	for tag := range merged(r.Tags, r.Match.Tags) {
		if !alphanumeric.MatchString(tag) {
			problems = append(problems, fmt.Errorf("%q is no DE48 tag", tag))
		}
	}
	for _, tag := range secretTags {
		if _, named := r.Match.Tags[tag]; named {
			problems = append(problems, fmt.Errorf("a rule is shown to everybody, and %s is a secret", tag))
		}
	}
	if _, known := lacking[r.Match.Lacks]; r.Match.Lacks != "" && !known {
		problems = append(problems, fmt.Errorf("lacks %q is not one of %s", r.Match.Lacks, strings.Join(slices.Sorted(maps.Keys(lacking)), ", ")))
	}
	return errors.Join(problems...)
}

// fits tells whether the rule is for this message and its turn has come. It counts.
func (r *Rule) fits(b *book, a *ask) bool {
	if r.Action == "refuse-connection" || actions[r.Action].file {
		return false
	}
	return r.Match.covers(b, a) && r.turn()
}

// covers tells whether a message is one of those that the match means.
func (w Match) covers(b *book, a *ask) bool {
	m := a.m
	switch {
	case w.File != "", !strings.HasPrefix(m[2], w.PAN), !strings.HasPrefix(m[3], w.DE3), w.MTI != "" && w.MTI != m[0] && w.MTI != m.base(),
		w.RRN != "" && w.RRN != m[37], w.Amount != 0 && w.Amount != m.amount():
		return false
	case w.Lacks != "" && !(m.wantsMoney() && lacking[w.Lacks](b, a)):
		return false
	}
	for tag, value := range w.Tags {
		if a.tags[tag] != value {
			return false
		}
	}
	return true
}

func (r *Rule) turn() bool {
	r.Seen++
	if r.Seen < r.Match.Nth || r.Times > 0 && r.Used >= r.Times {
		return false
	}
	r.Used++
	return true
}
