package sim

import (
	"bytes"
	"cmp"
	"errors"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// take is one message from the wire to the deliveries that answer it. All that it changes is one step of the file.
func (h *Host) take(c *conn, f frame) []delivery {
	if f.body == nil {
		return nil // keep-alive
	}
	h.followClock()
	m, broken := decode(h.spec, f.body)
	h.mu.Lock()
	defer h.mu.Unlock()
	if !m.request() || m[11] == "" {
		in := h.recorded("seen", c, m) // an answer to us, or nothing that could be answered
		in.Note = text(broken)
		h.keep(step{Disputes: h.book.answered(m), Records: []record{in}})
		return nil
	}
	r := h.ruleFor(c, m)
	aside := r.Action == "overtaken" && sameness(m) != "" && !h.book.refused[m.name()]
	if aside || r.Action == "silent-dropped" {
		in := h.recorded("seen", c, m)
		in.Action = r.Action
		h.keep(step{Records: []record{in}})
		if aside {
			h.parked[m.name()] = parked{c, f.tpdu, m}
		}
		return nil
	}
	deliveries := h.answer(parked{c, f.tpdu, m}, r, broken)
	if name := m.original(); h.book.refused[name] {
		if p, waits := h.parked[name]; waits { // its reversal is through: now the original arrives
			delete(h.parked, name)
			for _, d := range h.answer(p, Rule{}, nil) {
				d.to = p.conn
				deliveries = append(deliveries, d)
			}
		}
	}
	return deliveries
}

// answer decides, remembers, and only then says it.
func (h *Host) answer(p parked, r Rule, broken error) []delivery {
	m, act, b := p.m, actions[r.Action], h.book
	in := h.recorded("seen", p.conn, m)
	s := step{Day: b.day}
	answer, repeated := h.repeat(p, broken)
	if !repeated {
		v, err := h.judge(p, r, broken)
		in.Note = text(err)
		answer = h.compose(m, v)
		for _, changed := range v.touched {
			b.put(changed)
		}
		if v.refused != "" {
			b.refused[v.refused] = true
		}
		if v.busy = cmp.Or(v.busy, r.once); v.busy != "" {
			b.busy[v.busy] = true
		}
		s.Payments, s.Refused, s.Busy = v.touched, v.refused, v.busy
		if v.final {
			s.Answer = &remembered{Key: m.key(), Content: content(m), Payment: sameness(m), Answer: answer, At: h.now()}
			b.remember(s.Answer)
		}
	}
	leaving := answer
	if act.alter != nil {
		leaving = maps.Clone(answer)
		act.alter(h, leaving)
	}
	said := h.framed(swapped(p.tpdu), leaving)
	deliveries := []delivery{said}
	if act.leave != nil {
		deliveries = act.leave(h, r, said)
	}
	out := h.recorded("kept", p.conn, leaving)
	if slices.ContainsFunc(deliveries, func(d delivery) bool { return bytes.Equal(d.bytes, said.bytes) }) {
		out.Direction = "sent"
	}
	out.Action, out.Repeated = r.Action, repeated
	s.Records = []record{in, out}
	if !h.keep(s) {
		return nil // what is not on file is not said
	}
	return deliveries
}

// repeat finds the answer that this very request was given before (rails §1.12).
func (h *Host) repeat(p parked, broken error) (elements, bool) {
	old := h.book.answers[p.m.key()]
	if old == nil || broken != nil || !p.conn.signedOn || old.Content != content(p.m) || p.m.repeat() && !h.cfg.Profile.RepeatMTI {
		return nil, false
	}
	return old.Answer, true
}

// judge is what stands between the wire and the book: session, type, format, duplicates, late originals. A verdict that the
// book gave is final; the others are not remembered, so the same request may come again in better shape.
func (h *Host) judge(p parked, r Rule, broken error) (verdict, error) {
	m, b := p.m, h.book
	if m.base() == "0800" {
		return h.manage(p.conn, m, r, broken)
	}
	kind, known := kinds[m.base()]
	switch {
	case !p.conn.signedOn:
		return refuse(h.cfg.Unsigned), errors.New("not signed on")
	case broken != nil:
		return refuse("30"), broken
	case !known, m.repeat() && !h.cfg.Profile.RepeatMTI:
		return refuse("12"), errors.New("this message type is not spoken here")
	}
	err := wellFormed(m, kind.need, h.lengthDigits)
	if de := h.cfg.Profile.ReversalReasonElement; err == nil && m[0][1] == '4' && de != 0 && !reason.MatchString(m[de]) {
		err = errors.New("the reason of the reversal is not four digits")
	}
	switch {
	case err != nil:
		return refuse("30"), err
	case b.answers[m.key()] != nil:
		return refuse("94"), errors.New("the same identity with other content")
	case h.cfg.Profile.DupRRN == "reject" && sameness(m) != "" && b.seen[sameness(m)]:
		return refuse("94"), errors.New("the same payment with another identity")
	}
	found, _ := tags(m[48], h.lengthDigits) // wellFormed has taken it apart before
	a := &ask{m: m, tags: found, now: h.now()}
	v, act := verdict{}, actions[r.Action]
	var decided *verdict
	if b.refused[m.name()] {
		decided, err = &verdict{code: "12"}, errors.New("its reversal came first")
	} else if act.instead != nil {
		decided = act.instead(b, r, a)
	}
	if decided != nil {
		v = *decided
	} else {
		v = kind.do(b, a)
	}
	if act.judge != nil {
		act.judge(r, &v)
	}
	if m.base() == "0200" && v.payment != nil && v.payment.Kind == "sale" && h.grants(v.code) {
		v.payment.setAside(a.now, a.card.life)
	}
	v.final = sameness(m) != "" || !strings.Contains(askAgain, v.code)
	return v, err
}

// grants tells whether a code says no to a sale although money is granted behind it (rails §1.10, §1.14): in part, or, unless the dialect
// approves with it, with 16. The caller gives it back.
func (h *Host) grants(code string) bool {
	return code == "10" || code == "32" || code == "16" && h.cfg.Profile.DE39x16 != "approved"
}

// askAgain are the codes after which an advice comes again (rails §1.11 T4): they are no answer for ever, or nothing would ever be booked.
// A request never comes again: its answer is, or what was booked behind it would be booked twice.
const askAgain = "09 19 22 28 68 90 91 96"

var reason = regexp.MustCompile(`^4[0-9]{3}$`)

// manage answers 0800 in the codes of the profile (rails §1.13).
func (h *Host) manage(c *conn, m elements, r Rule, broken error) (verdict, error) {
	if broken == nil {
		broken = wellFormed(m, []int{7, 11, 70}, h.lengthDigits)
	}
	if broken != nil {
		return refuse("30"), broken
	}
	if r.Action == "decline" {
		return refuse(r.Code), nil
	}
	switch codes := h.cfg.Profile.NetworkCodes; m[70] {
	case codes.SignOn:
		c.signedOn = true
	case codes.SignOff:
		c.signedOn = false
	case codes.Echo, codes.KeyChange:
	default:
		return refuse("12"), nil
	}
	return verdict{code: "00"}, nil
}

// echoes is what an answer repeats of its request, by message class; classes that are not named follow the profile.
var echoes = map[byte][]int{'5': {7, 11, 15, 50, 99}, '8': {7, 11, 70}}

// compose is the answer: echo, verdict, settlement date of what was booked, and, from an impolite host, what nobody asked for.
func (h *Host) compose(m elements, v verdict) elements {
	answer := elements{0: m.answerMTI(), 39: v.code}
	echo, special := echoes[m[0][1]]
	if !special {
		echo = h.cfg.Profile.EchoSet
	}
	for _, de := range echo {
		if m[de] != "" {
			answer[de] = m[de]
		}
	}
	if p := v.payment; p != nil && p.BookedDay != "" {
		answer[15] = max(p.BookedDay, p.UndoneDay)[4:]
	}
	told := merged(v.tags, nil)
	if whims := h.book.chance(m, "whims"); !h.cfg.Polite && v.final && strings.Contains("12", m[0][1:2]) {
		if whims.IntN(4) == 0 {
			told["QX"] = "NOT IN ANY TABLE"
		}
		if whims.IntN(8) == 0 {
			answer[63] = "SEQ" + m[11]
		}
	}
	if len(told) > 0 {
		answer[48] = private(told, h.lengthDigits)
	}
	maps.Copy(answer, v.elements)
	return answer
}

// content is what a repeat must not change.
func content(m elements) string { return strings.Join([]string{m[2], m[3], m[4], m[49]}, "|") }

// sameness is what two requests of one payment have in common although their keys differ; advices have none.
func sameness(m elements) string {
	if b := m.base(); b != "0100" && b != "0200" {
		return ""
	}
	return strings.Join([]string{m[0][1:2], m[2], m[3], m[4], m[37]}, "|")
}

// ruleFor is the first rule of the scenarios that fits, else what the card does to requests for its money.
func (h *Host) ruleFor(c *conn, m elements) Rule {
	if !c.signedOn && m.base() != "0800" {
		return Rule{}
	}
	found, _ := tags(m[48], h.lengthDigits) // a message that is broken is refused later
	a := &ask{m: m, tags: found}
	for _, r := range h.rules {
		if r.fits(h.book, a) {
			return *r
		}
	}
	card := h.book.cards[m[2]]
	switch {
	case card == nil:
	case m.base() == "0200" && strings.HasPrefix(m[3], "20"):
		return h.creditRule(card, a)
	case m.wantsMoney() && card.fault.Match.covers(h.book, a):
		return card.fault
	}
	return Rule{}
}

// creditRule is what the card does to refunds; where that is for once, the original payment tells the second from the first.
func (h *Host) creditRule(card *account, a *ask) Rule {
	r := card.credit
	if card.creditOnce {
		r.once = "credit " + a.m[2] + "|" + a.tags["OR"] + a.m.original()
	}
	if r.once != "" && h.book.busy[r.once] {
		return Rule{}
	}
	return r
}

// recorded is a line for the record of truth.
func (h *Host) recorded(direction string, c *conn, m elements) record {
	r := record{
		At: h.now().UTC(), Direction: direction, Connection: c.id, MTI: m[0], PAN: masked(m[2]), DE3: m[3], DE4: m[4], DE7: m[7],
		DE11: m[11], DE32: m[32], DE37: m[37], DE38: m[38], DE39: m[39], DE41: m[41], DE42: m[42], DE49: m[49], DE70: m[70],
		DE90: m[90], DE95: m[95], RRN: m[37],
	}
	if de := h.cfg.Profile.ReversalReasonElement; de != 0 {
		r.Reason = m[de]
	}
	found, err := tags(m[48], h.lengthDigits)
	if err == nil {
		r.Tags = slices.Sorted(maps.Keys(found))
	}
	return r
}

// keep writes a step to the file and the record. It tells whether that worked.
func (h *Host) keep(s step) bool {
	for i := range s.Records {
		s.Records[i].Seq = len(h.records) + 1
		h.records = append(h.records, s.Records[i])
	}
	s.Stan, s.Serial = h.stan, h.book.serial
	if err := h.file.append(s); err != nil {
		h.cfg.Log.Error("a step was not written; nothing is answered", "cause", err)
		return false
	}
	for _, r := range s.Records {
		h.cfg.Log.Debug(r.Direction, "mti", r.MTI, "pan", r.PAN, "stan", r.DE11, "rrn", r.RRN, "de39", r.DE39, "action", r.Action)
	}
	return true
}

// replay is a step that was written before.
func (h *Host) replay(s step) {
	b := h.book
	b.day, h.stan, b.serial = max(b.day, s.Day), s.Stan, s.Serial
	for _, p := range s.Payments {
		b.put(p)
	}
	if s.Answer != nil {
		b.remember(s.Answer)
	}
	if s.Refused != "" {
		b.refused[s.Refused] = true
	}
	if s.Busy != "" {
		b.busy[s.Busy] = true
	}
	b.replayFiles(s)
	h.records = append(h.records, s.Records...)
}

// followClock closes the business day and begins a new one when the calendar has.
func (h *Host) followClock() {
	h.mu.Lock()
	today := dayOf(h.now())
	begins := today > h.book.day
	if begins {
		h.closeDay()
		h.book.day = today
	}
	h.mu.Unlock()
	if begins {
		h.announceDay()
	}
}

// announceDay tells everybody the new business day, where the dialect has a code for it.
func (h *Host) announceDay() int {
	h.mu.Lock()
	day := h.book.day[4:]
	h.mu.Unlock()
	return h.broadcast(h.cfg.Profile.NetworkCodes.Cutover, elements{15: day})
}

// broadcast sends a network message to every connection that is signed on, and counts them.
func (h *Host) broadcast(code string, m elements) int {
	if code == "" {
		return 0
	}
	all := h.connections(func(c *conn) bool { return c.signedOn })
	for _, c := range all {
		h.mu.Lock()
		said := maps.Clone(m)
		said[70] = code
		d := h.start(said)
		d.signsOff = code == h.cfg.Profile.NetworkCodes.SignOff
		h.keep(step{Day: h.book.day, Records: []record{h.recorded("sent", c, said)}})
		h.mu.Unlock()
		c.enqueue(d)
	}
	return len(all)
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
