package sim

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"
)

// Control is the host's second entrance, for tests and demonstrations: rules, the record of truth, commands. The same paths
// also stand under /sim (rails §5). It shows card numbers masked. Whoever mounts it decides who may reach it.
func (h *Host) Control() http.Handler {
	mux := http.NewServeMux()
	for pattern, serve := range map[string]func(*http.Request) (any, error){
		"GET /scenarios":            h.listRules,
		"POST /scenarios":           h.addRule,
		"DELETE /scenarios":         h.dropRules,
		"GET /transactions":         h.listRecords,
		"GET /holds":                h.listHolds,
		"GET /bookings":             h.listBookings,
		"GET /clock":                h.showClock,
		"POST /clock":               h.moveClock,
		"POST /reset":               h.reset,
		"POST /actions/signoff":     h.everybody(func() int { return h.broadcast(h.cfg.Profile.NetworkCodes.SignOff, elements{}) }),
		"POST /actions/echo":        h.everybody(func() int { return h.broadcast(h.cfg.Profile.NetworkCodes.Echo, elements{}) }),
		"POST /actions/drop":        h.everybody(h.hangUp),
		"POST /actions/cutover":     h.everybody(h.cutover),
		"POST /actions/expire-hold": h.toHold(func(p *payment) { p.State = expired }),
		"POST /actions/revoke":      h.toHold(func(p *payment) { p.State = revoked }),

		"GET /disputes":                     h.listDisputes,
		"POST /actions/chargeback":          h.chargeback,
		"POST /actions/chargeback-reversed": command(h, h.endDispute("reversed")),
		"POST /actions/dispute-lost":        command(h, h.endDispute("lost")),
		"POST /actions/inquiry":             command(h, h.remark("INQ", h.inquiry)),
		"POST /actions/fraud":               command(h, h.remark("FRD", fraudReport)),
		"POST /actions/bounce-refund":       command(h, h.bounceRefund),
		"POST /actions/reject-capture":      command(h, h.rejectCapture),
		"POST /actions/arn":                 command(h, h.lateARN),
		"POST /actions/fee":                 command(h, h.levy("FEE")),
		"POST /actions/adjust":              command(h, h.levy("ADJ")),

		"GET /files":                 h.listFiles,
		"GET /records":               h.listEvents,
		"POST /actions/settle":       h.settleNow,
		"POST /actions/dispute-file": command(h, h.disputesNow),
		"POST /actions/redeliver":    command(h, h.redeliver),
		"POST /actions/collect":      command(h, h.collectNow),
	} {
		mux.HandleFunc(pattern, h.serve(serve))
	}
	mux.Handle("/sim/", http.StripPrefix("/sim", mux))
	return mux
}

// refusal is a request to the control port that cannot be granted.
type refusal struct {
	status int
	error
}

func (h *Host) serve(answer func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		status := http.StatusOK
		body, err := answer(r)
		if err != nil {
			status, body = http.StatusInternalServerError, map[string]string{"error": err.Error()}
			var no refusal
			if errors.As(err, &no) {
				status = no.status
			}
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		if err := json.NewEncoder(w).Encode(body); err != nil {
			h.cfg.Log.Debug("a control answer was not read", "cause", err)
		}
	}
}

// body reads one JSON object of known members.
func body(r *http.Request, into any) error {
	d := json.NewDecoder(http.MaxBytesReader(nil, r.Body, 1<<20))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return refusal{http.StatusBadRequest, errors.New("the body is not the JSON object that this call takes")}
	}
	return nil
}

// optional is a body that may be missing.
func optional(r *http.Request, into any) error {
	if r.ContentLength == 0 {
		return nil
	}
	return body(r, into)
}

// command reads what it is told and does it, on the business day that the calendar says.
func command[T any](h *Host, do func(T) (any, error)) func(*http.Request) (any, error) {
	return func(r *http.Request) (any, error) {
		var told T
		if err := optional(r, &told); err != nil {
			return nil, err
		}
		h.followClock()
		h.mu.Lock()
		defer h.mu.Unlock()
		return do(told)
	}
}

func shown(r Rule) Rule {
	if len(r.Match.PAN) >= 13 {
		r.Match.PAN = masked(r.Match.PAN)
	}
	return r
}

func (h *Host) listRules(*http.Request) (any, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := []Rule{}
	for _, r := range h.rules {
		all = append(all, shown(*r))
	}
	return all, nil
}

func (h *Host) addRule(r *http.Request) (any, error) {
	var rule Rule
	if err := body(r, &rule); err != nil {
		return nil, err
	}
	if err := rule.validate(); err != nil {
		return nil, refusal{http.StatusBadRequest, err}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.rule++
	rule.ID, rule.Seen, rule.Used = h.rule, 0, 0
	h.rules = append(h.rules, &rule)
	return shown(rule), nil
}

func (h *Host) dropRules(*http.Request) (any, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.rules = nil
	return []Rule{}, nil
}

// listRecords is every message, oldest first; ?rrn= and ?after= (a seq) narrow it.
func (h *Host) listRecords(r *http.Request) (any, error) {
	after, err := strconv.Atoi("0" + r.FormValue("after"))
	if err != nil {
		return nil, refusal{http.StatusBadRequest, errors.New("after is a seq")}
	}
	rrn := r.FormValue("rrn")
	h.mu.Lock()
	defer h.mu.Unlock()
	found := []record{}
	for _, r := range h.records[min(after, len(h.records)):] {
		if rrn == "" || r.RRN == rrn {
			found = append(found, r)
		}
	}
	return found, nil
}

// hold is a payment as the control port shows it.
type hold struct {
	PAN      string    `json:"pan"`
	RRN      string    `json:"rrn"`
	STAN     string    `json:"stan"` // of the 0100, or of the sale that set it aside
	Terminal string    `json:"terminal"`
	Amount   int64     `json:"amount"` // minor units
	Currency string    `json:"currency"`
	State    state     `json:"state"`
	Captured int64     `json:"captured"`
	Refunded int64     `json:"refunded"`
	Approval string    `json:"approval"`
	Made     time.Time `json:"made"`
	Expires  time.Time `json:"expires"`
}

// listHolds is every authorisation that ever held money, and every sale that set some aside, oldest first; ?rrn= narrows it.
func (h *Host) listHolds(r *http.Request) (any, error) {
	rrn := r.FormValue("rrn")
	h.mu.Lock()
	defer h.mu.Unlock()
	found, now := []hold{}, h.now()
	for _, p := range h.book.payments {
		if p.Kind != "hold" && !p.aside() || rrn != "" && p.RRN != rrn {
			continue
		}
		p.after(now)
		kept := int64(0)
		if p.State == captured {
			kept = p.Booked
		}
		found = append(found, hold{
			masked(p.PAN), p.RRN, p.Name[4:10], p.Terminal, p.Amount, p.Currency, p.State, kept, p.Refunded,
			p.Approval, p.Made.UTC(), p.Expires.UTC(),
		})
	}
	return found, nil
}

// booking is money that moved, or would have, had it not been undone.
type booking struct {
	Kind     string `json:"kind"` // capture, sale, refund
	PAN      string `json:"pan"`
	RRN      string `json:"rrn"`
	Amount   int64  `json:"amount"`
	Currency string `json:"currency"`
	Day      string `json:"day"`
	Undone   bool   `json:"undone"`
	Refunded int64  `json:"refunded"`
}

func (h *Host) listBookings(r *http.Request) (any, error) {
	rrn := r.FormValue("rrn")
	h.mu.Lock()
	defer h.mu.Unlock()
	found := []booking{}
	for _, p := range h.book.payments {
		if p.BookedDay == "" || rrn != "" && p.RRN != rrn {
			continue
		}
		kind := p.Kind
		if kind == "hold" {
			kind = "capture"
		}
		found = append(found, booking{kind, masked(p.PAN), p.RRN, p.Booked, p.Currency, p.BookedDay, p.UndoneDay != "", p.Refunded})
	}
	return found, nil
}

func (h *Host) showClock(*http.Request) (any, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return map[string]any{"now": h.now().UTC(), "business_day": h.book.day}, nil
}

func (h *Host) moveClock(r *http.Request) (any, error) {
	var move struct {
		Advance string `json:"advance"`
	}
	if err := body(r, &move); err != nil {
		return nil, err
	}
	by, err := time.ParseDuration(move.Advance)
	if err != nil || by < 0 {
		return nil, refusal{http.StatusBadRequest, errors.New(`advance is a duration such as "30s"`)}
	}
	if h.cfg.Now != nil {
		return nil, refusal{http.StatusConflict, errors.New("the clock is not the host's own; move it where it belongs")}
	}
	h.mu.Lock()
	h.ahead += by
	h.mu.Unlock()
	h.followClock()
	return h.showClock(r)
}

// reset forgets payments, answers, records and rules. Connections and their sign-on stay.
func (h *Host) reset(*http.Request) (any, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.book.clear()
	h.book.day = dayOf(h.now())
	h.records, h.rules, h.parked = nil, nil, map[string]parked{}
	return map[string]bool{"reset": true}, h.file.empty()
}

func (h *Host) cutover() int {
	h.mu.Lock()
	h.closeDay()
	h.nextDay()
	h.mu.Unlock()
	return h.announceDay()
}

// everybody does something to connections and says to how many.
func (h *Host) everybody(do func() int) func(*http.Request) (any, error) {
	return func(*http.Request) (any, error) { return map[string]int{"connections": do()}, nil }
}

// toHold does something to the open hold of an RRN.
func (h *Host) toHold(do func(*payment)) func(*http.Request) (any, error) {
	return func(r *http.Request) (any, error) {
		var which struct {
			RRN string `json:"rrn"`
		}
		if err := body(r, &which); err != nil {
			return nil, err
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		for _, p := range h.book.byRRN[which.RRN] {
			if p.after(h.now()); p.Kind == "hold" && p.State == open {
				do(p)
				h.keep(step{Day: h.book.day, Payments: []*payment{p}})
				return map[string]any{"rrn": p.RRN, "state": p.State}, nil
			}
		}
		return nil, refusal{http.StatusNotFound, errors.New("there is no open hold of that rrn")}
	}
}
