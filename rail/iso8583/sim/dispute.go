package sim

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

// dispute is one stage of a chargeback. It is told by 0422, by a record of a file, or by both; it is one dispute all the same.
type dispute struct {
	Case     string   `json:"case"`
	Stage    int      `json:"stage"` // 1 or 2
	RRN      string   `json:"rrn"`
	State    string   `json:"state"` // open, reversed (the merchant has won), lost
	Amount   int64    `json:"amount"`
	Currency string   `json:"currency"`
	Reason   string   `json:"reason"` // scheme code
	ReplyBy  string   `json:"reply_by"`
	Told     []string `json:"told"`             // 0422, CHB
	Answer   string   `json:"answer,omitempty"` // DE39 of the 0432
	Event    string   `json:"event_id"`         // of its CHB
	STAN     string   `json:"stan,omitempty"`   // of its 0422, which keeps them when it is repeated
	Sent     string   `json:"transmission_dt,omitempty"`
	Payment  int      `json:"payment"`

	tries int
}

// replyTime is how many days the merchant has to answer a dispute.
const replyTime = 20

// stages are the names of the stages in files.
var stages = map[int]string{1: "FIRST", 2: "SECOND"}

// pending tells whether a 0422 waits for its answer.
func (d *dispute) pending() bool { return d.STAN != "" && d.Answer == "" }

// claimReasons is what a scheme's reason is called in DE60 (rails §1.16); the longest prefix counts, and what is not here is 4554.
var claimReasons = map[string]string{
	"10": "4540", "11.1": "4507", "11.2": "4508", "11.3": "4508", "12.1": "4542", "12.2": "4546", "12.3": "4546", "12.4": "4546",
	"12.5": "4531", "12.6.1": "4534", "12.6.2": "4554", "12.7": "4546", "13.1": "4555", "13.2": "4541", "13.3": "4553", "13.4": "4553",
	"13.5": "4553", "13.6": "4560", "13.7": "4560", "4808": "4508", "4834": "4534", "4837": "4540", "4849": "4540", "4870": "4562",
	"4871": "4562", "4841": "4541", "4853": "4553", "4860": "4560",
}

func claimReason(scheme string) string {
	if isoReason.MatchString(scheme) {
		return scheme
	}
	for n := len(scheme); n > 1; n-- {
		if code := claimReasons[scheme[:n]]; code != "" {
			return code
		}
	}
	return "4554"
}

var isoReason = regexp.MustCompile(`^45[0-9]{2}$`)

// claim is the 0422, or its repeat: an issuer's reversal of what was booked (rails §1.6, §1.16).
func (h *Host) claim(d *dispute) elements {
	p, why := h.book.payments[d.Payment-1], claimReason(d.Reason)
	original := cmp.Or(p.Completion, p.Name)
	m := elements{
		0: "0422", 2: p.PAN, 3: "000000", 4: fmt.Sprintf("%012d", d.Amount), 7: d.Sent, 11: d.STAN,
		32: strings.TrimLeft(original[20:31], "0"), 37: p.RRN, 41: p.Terminal, 42: p.Merchant, 49: p.Currency, 60: why,
		90: original[:31] + strings.Repeat("0", 11),
		48: private(map[string]string{"DC": d.Case, "DG": fmt.Sprint(d.Stage), "DR": d.ReplyBy}, h.lengthDigits),
	}
	if de := h.cfg.Profile.ReversalReasonElement; de != 0 {
		m[de] = why
	}
	if slices.Contains(d.Told, "0422") && h.cfg.Profile.RepeatMTI {
		m[0] = "0423"
	}
	return m
}

// claimBackoff are the waits between the transmissions of a 0422; the last one repeats until it is answered.
var claimBackoff = []time.Duration{5 * time.Second, 15 * time.Second, time.Minute}

// press sends a chargeback to a connection that is signed on, each time to the next, until it is answered.
func (h *Host) press(d *dispute) {
	all := h.connections(func(c *conn) bool { return c.signedOn })
	slices.SortFunc(all, func(a, b *conn) int { return cmp.Compare(a.id, b.id) })
	h.mu.Lock()
	if h.closed || !d.pending() || !slices.Contains(h.book.disputes, d) {
		h.mu.Unlock()
		return
	}
	to, said := (*conn)(nil), delivery{}
	if len(all) > 0 {
		c, m := all[d.tries%len(all)], h.claim(d)
		if !slices.Contains(d.Told, "0422") {
			d.Told = append(slices.Clone(d.Told), "0422")
		}
		if h.keep(step{Disputes: []*dispute{d}, Records: []record{h.recorded("sent", c, m)}}) {
			to, said = c, h.framed(h.framing.own, m)
		}
	}
	wait := claimBackoff[min(d.tries, len(claimBackoff)-1)]
	d.tries++
	h.mu.Unlock()
	if to != nil {
		to.enqueue(said)
	}
	h.cfg.After(wait, func() { h.press(d) })
}

// answered takes the answer to a 0422. A code that asks for patience is none.
func (b *book) answered(m elements) []*dispute {
	if m[0] != "0432" || strings.Contains(askAgain, m[39]) {
		return nil
	}
	for _, d := range b.disputes {
		if d.pending() && d.STAN == m[11] && d.Sent == m[7] {
			d.Answer = m[39]
			return []*dispute{d}
		}
	}
	return nil
}

// quarrel is what a command about somebody's booking may say.
type quarrel struct {
	RRN    string `json:"rrn"`
	Case   string `json:"case"`
	Amount int64  `json:"amount"`
	Reason string `json:"reason"`
	Text   string `json:"text"`
	Code   string `json:"code"`
	Stage  int    `json:"stage"`
	Online bool   `json:"online"`
	Both   bool   `json:"both"`
	Stray  bool   `json:"stray"` // about a booking that nobody knows, or over any amount
}

var (
	caseID    = regexp.MustCompile(`^[0-9A-Za-z-]{1,30}$`)
	oneLine   = regexp.MustCompile(`^[^\pC]{0,200}$`)
	shapeDE37 = shapes[37]
)

func (q quarrel) check() error {
	switch {
	case q.Amount < 0:
		return refusal{http.StatusBadRequest, errors.New("amount is never negative")}
	case q.Case != "" && !caseID.MatchString(q.Case), !oneLine.MatchString(q.Reason + q.Text + q.Code):
		return refusal{http.StatusBadRequest, errors.New("case is up to 30 letters and digits; reason, text and code are short lines")}
	case q.Stage < 0 || q.Stage > 2:
		return refusal{http.StatusBadRequest, errors.New("stage is 1 or 2")}
	case q.Stray && !shapeDE37.MatchString(q.RRN):
		return refusal{http.StatusBadRequest, errors.New("an rrn has twelve digits or capital letters")}
	}
	return nil
}

// subject finds the booking that a command is about, and how much of it; a stray one is made up.
func (h *Host) subject(q quarrel) (*payment, int64, error) {
	if err := q.check(); err != nil {
		return nil, 0, err
	}
	p := h.newest(q.RRN, (*payment).booked)
	if p == nil && q.Stray && q.Amount > 0 {
		p = h.stray(q.RRN)
	}
	if p == nil {
		return nil, 0, refusal{http.StatusNotFound, errors.New("there is no booking of that rrn")}
	}
	whole := p.Booked - p.Refunded
	if whole <= 0 {
		whole = p.Booked
	}
	amount := cmp.Or(q.Amount, whole)
	if amount > p.Booked && !q.Stray {
		return nil, 0, refusal{http.StatusBadRequest, errors.New("the amount is more than was booked; stray allows any")}
	}
	return p, amount, nil
}

func (h *Host) newest(rrn string, which func(*payment) bool) *payment {
	for _, p := range slices.Backward(h.book.byRRN[rrn]) {
		if which(p) {
			return p
		}
	}
	return nil
}

// stray is a payment that never was, at the merchant who paid last. nil if nobody ever has.
func (h *Host) stray(rrn string) *payment {
	b := h.book
	if p := h.newest(rrn, func(p *payment) bool { return p.Kind == "stray" }); p != nil || len(b.payments) == 0 {
		return p
	}
	last := b.payments[len(b.payments)-1]
	p := &payment{
		ID: len(b.payments) + 1, Kind: "stray", PAN: numbered(0), RRN: rrn, Terminal: last.Terminal, Merchant: last.Merchant,
		Currency: last.Currency, Name: "0200000000" + h.now().UTC().Format("0102150405") + last.Name[20:], Made: h.now(),
	}
	b.put(p)
	h.keep(step{Day: b.day, Payments: []*payment{p}})
	return p
}

// chargeback opens a dispute. Unless it says otherwise a file tells it.
func (h *Host) chargeback(r *http.Request) (any, error) {
	var q quarrel
	if err := optional(r, &q); err != nil {
		return nil, err
	}
	h.followClock()
	d, err := h.openDispute(q)
	if err != nil {
		return nil, err
	}
	if d.STAN != "" {
		h.press(d)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return *d, nil
}

func (h *Host) openDispute(q quarrel) (*dispute, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	p, amount, err := h.subject(q)
	if err != nil {
		return nil, err
	}
	b := h.book
	d := &dispute{
		Case: q.Case, Stage: max(q.Stage, 1), RRN: p.RRN, State: "open", Amount: amount, Currency: p.Currency, Payment: p.ID,
		Reason: cmp.Or(q.Reason, "10.4"), ReplyBy: dayOf(dayStart(b.day).AddDate(0, 0, replyTime)), Told: []string{},
	}
	disputed := int64(0)
	for _, o := range b.disputes {
		switch {
		case o.Payment != p.ID || o.Stage > d.Stage:
		case o.Stage < d.Stage:
			d.Case = cmp.Or(q.Case, o.Case) // a second stage goes on with the case, if nobody says otherwise
		case o.State != "reversed":
			disputed += o.Amount
		}
	}
	switch {
	case slices.ContainsFunc(b.disputes, func(o *dispute) bool { return o.Case == d.Case && o.Stage == d.Stage }):
		return nil, refusal{http.StatusConflict, errors.New("that case has that stage already")}
	case disputed+amount > p.Booked && !q.Stray:
		return nil, refusal{http.StatusConflict, errors.New("more is disputed than was booked")}
	}
	d.Event = b.eventID()
	d.Case = cmp.Or(d.Case, "C"+d.Event[1:])
	s := step{Day: b.day, Payments: []*payment{p}}
	if q.Online || q.Both {
		h.stan = h.stan%999_999 + 1
		d.STAN, d.Sent = fmt.Sprintf("%06d", h.stan), h.now().UTC().Format("0102150405")
	}
	if !q.Online || q.Both {
		e := h.about(p, "CHB", amount)
		e.ID, e.Of, e.Case, e.Stage, e.Reason, e.ReplyBy = d.Event, p.event(), d.Case, stages[d.Stage], d.Reason, isoDay(d.ReplyBy)
		e.Text = q.Text
		s.Events = append(s.Events, b.queue(e))
	}
	b.disputes, s.Disputes = append(b.disputes, d), []*dispute{d}
	h.keep(s)
	return d, nil
}

// endDispute finds the newest stage of a case, or of an RRN, that is open, and ends it. A won one gives the money back.
func (h *Host) endDispute(state string) func(quarrel) (any, error) {
	return func(q quarrel) (any, error) {
		for _, d := range slices.Backward(h.book.disputes) {
			if d.State != "open" || q.Case != "" && q.Case != d.Case || q.Case == "" && q.RRN != d.RRN {
				continue
			}
			s := step{Day: h.book.day, Disputes: []*dispute{d}}
			if d.State = state; state == "reversed" {
				e := h.about(h.book.payments[d.Payment-1], "CBR", d.Amount)
				e.Of, e.Case, e.Stage, e.Reason = d.Event, d.Case, stages[d.Stage], d.Reason
				s.Events = []*event{h.book.queue(e)}
			}
			h.keep(s)
			return *d, nil
		}
		return nil, refusal{http.StatusNotFound, errors.New("there is no open dispute of that case or rrn")}
	}
}

// remark queues a record about a booking that moves no money.
func (h *Host) remark(kind string, fill func(q quarrel, e *event)) func(quarrel) (any, error) {
	return func(q quarrel) (any, error) {
		p, amount, err := h.subject(q)
		if err != nil {
			return nil, err
		}
		e := h.about(p, kind, amount)
		e.Of, e.Text = p.event(), q.Text
		fill(q, e)
		return h.queued(p, e), nil
	}
}

func (h *Host) inquiry(q quarrel, e *event) {
	e.Reason, e.ReplyBy = cmp.Or(q.Reason, "6305"), isoDay(dayOf(dayStart(h.book.day).AddDate(0, 0, replyTime)))
}

func fraudReport(q quarrel, e *event) { e.Reason = cmp.Or(q.Code, "6") } // 6: use of an account number

// bounceRefund is a refund that the card could not take: the money comes back (RRF).
func (h *Host) bounceRefund(q quarrel) (any, error) {
	if err := q.check(); err != nil {
		return nil, err
	}
	p := h.newest(q.RRN, func(p *payment) bool { return p.Kind == "refund" && p.State == captured })
	if p == nil {
		return nil, refusal{http.StatusNotFound, errors.New("there is no refund of that rrn")}
	}
	amount := cmp.Or(q.Amount, p.Booked-p.Bounced)
	if amount == 0 || amount > p.Booked-p.Bounced {
		return nil, refusal{http.StatusBadRequest, errors.New("the amount is not within what was refunded")}
	}
	p.Bounced += amount
	original := h.book.payments[p.Original-1]
	original.Refunded -= amount
	e := h.about(p, "RRF", amount)
	e.Of, e.Reason, e.Text = p.event(), q.Reason, q.Text
	return h.queued(p, e, original), nil
}

// rejectCapture refuses in clearing what was booked (REJ): it never settles. What a file has settled cannot be refused any more.
func (h *Host) rejectCapture(q quarrel) (any, error) {
	p, _, err := h.subject(q)
	switch {
	case err != nil:
		return nil, err
	case p.Filed != "" || p.Refunded > 0:
		return nil, refusal{http.StatusConflict, errors.New("it is settled, or refunded")}
	}
	p.State = rejected
	e := h.about(p, "REJ", p.Booked)
	e.ID, e.Result, e.Text = p.event(), cmp.Or(q.Code, "25"), q.Text
	return h.queued(p, e), nil
}

// lateARN tells an ARN in a record of its own, however often (ARN).
func (h *Host) lateARN(q quarrel) (any, error) {
	p := h.newest(q.RRN, func(p *payment) bool { return p.Filed != "" && p.BookedDay != "" })
	if p == nil {
		return nil, refusal{http.StatusNotFound, errors.New("no file has told a booking of that rrn")}
	}
	return h.queued(p, h.arnRecord(p)), nil
}

func (h *Host) arnRecord(p *payment) *event {
	e := h.about(p, "ARN", p.Booked)
	e.Of, e.ARN = p.event(), p.arn()
	return e
}

// charge is a fee, or a correction, that belongs to no payment.
type charge struct {
	Merchant string `json:"merchant"` // "" is who paid last
	Currency string `json:"currency"` // letters
	Amount   int64  `json:"amount"`
	Code     string `json:"code"`
	Text     string `json:"text"`
}

func (h *Host) levy(kind string) func(charge) (any, error) {
	return func(c charge) (any, error) {
		b := h.book
		e := &event{
			Type: kind, Reason: c.Code, Text: c.Text, At: h.now(), Day: b.day, Merchant: c.Merchant, Currency: c.Currency, Instalment: "00",
		}
		if len(b.payments) > 0 {
			last := b.payments[len(b.payments)-1]
			e.Merchant, e.Currency = cmp.Or(e.Merchant, last.merchant()), cmp.Or(e.Currency, letters[last.Currency])
		}
		switch {
		case e.Merchant == "" || !slices.Contains(slices.Collect(maps.Values(letters)), e.Currency):
			return nil, refusal{http.StatusBadRequest, errors.New("merchant and currency are needed while nobody has paid")}
		case c.Amount == 0 || kind == "FEE" && c.Amount < 0:
			return nil, refusal{http.StatusBadRequest, errors.New("amount is what is charged (fee) or given, if need be below nought (adjust)")}
		case !oneLine.MatchString(c.Code + c.Text + c.Merchant):
			return nil, refusal{http.StatusBadRequest, errors.New("code and text are short lines")}
		}
		e.price(*h.cfg.Fees, c.Amount)
		return h.queued(nil, e), nil
	}
}

// queued puts a record where the next file takes it from, with the payments that it changed.
func (h *Host) queued(p *payment, e *event, others ...*payment) event {
	s := step{Day: h.book.day, Payments: others, Events: []*event{h.book.queue(e)}}
	if p != nil {
		s.Payments = append(s.Payments, p)
	}
	h.keep(s)
	return *e
}
