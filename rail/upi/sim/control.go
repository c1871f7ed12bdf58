package sim

import (
	"cmp"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
)

// Control is the bank's second entrance, for tests and demonstrations: rules, the record of truth, commands. The same paths also stand
// under /sim (rails §5). Whoever mounts it decides who may reach it.
func (h *Host) Control() http.Handler {
	mux := http.NewServeMux()
	for pattern, serve := range map[string]func(*http.Request) (any, error){
		"GET /scenarios":    h.look(func(*http.Request) (any, error) { return h.shownRules(), nil }),
		"POST /scenarios":   h.addRule,
		"DELETE /scenarios": h.look(func(*http.Request) (any, error) { h.rules = nil; return h.shownRules(), nil }),
		"GET /transactions": h.look(h.listRecords),
		"GET /payouts":      h.look(h.listPayouts),
		"GET /statement":    h.look(h.listLines),
		"GET /events":       h.look(h.listEvents),
		"GET /paid":         h.look(h.listPaid),
		"GET /clock":        h.look(func(*http.Request) (any, error) { return map[string]any{"now": h.now()}, nil }),
		"POST /clock":       h.moveClock,
		"POST /reset":       command(h, func(*http.Request, struct{}, time.Time) (any, error) { return h.reset() }),

		"POST /actions/settle":        command(h, h.settle),
		"POST /actions/reverse":       command(h, h.backTo(reversed, processing, failed)),
		"POST /actions/return":        command(h, h.backTo(reversed, processed)),
		"POST /actions/fund":          command(h, h.fund),
		"POST /actions/redeliver":     command(h, h.redeliver),
		"POST /actions/rotate-secret": command(h, h.rotate),
		"POST /actions/webhook":       command(h, h.aim),
		"POST /actions/limit":         command(h, h.limit),
		"POST /actions/tick":          h.tick,
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { h.respond(w, r, serve) })
	}
	mux.Handle("/sim/", http.StripPrefix("/sim", mux))
	return mux
}

// refusal is a request to the control port that cannot be granted.
type refusal struct {
	status int
	error
}

func no(status int, text string) error { return refusal{status, errors.New(text)} }

func (h *Host) respond(w http.ResponseWriter, r *http.Request, serve func(*http.Request) (any, error)) {
	status := http.StatusOK
	answer, err := serve(r)
	if err != nil {
		status, answer = http.StatusInternalServerError, map[string]string{"error": err.Error()}
		var no refusal
		if errors.As(err, &no) {
			status = no.status
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(written(answer), '\n'))
}

// body reads one JSON object of known members; none at all is an empty one.
func body(r *http.Request, into any) error {
	text, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, 1<<20))
	if err == nil && len(text) > 0 {
		err = json.Unmarshal(text, into, json.RejectUnknownMembers(true))
	}
	if err != nil {
		return no(http.StatusBadRequest, "the body is not the JSON object that this call takes")
	}
	return nil
}

// look reads something, after what was due has happened.
func (h *Host) look(what func(*http.Request) (any, error)) func(*http.Request) (any, error) {
	return func(r *http.Request) (answer any, err error) {
		h.do(func(time.Time) { answer, err = what(r) })
		return answer, err
	}
}

// command reads what it is told and does it.
func command[T any](h *Host, do func(*http.Request, T, time.Time) (any, error)) func(*http.Request) (any, error) {
	return func(r *http.Request) (answer any, err error) {
		var told T
		if err := body(r, &told); err != nil {
			return nil, err
		}
		h.do(func(now time.Time) { answer, err = do(r, told, now) })
		return answer, err
	}
}

func (h *Host) shownRules() []Rule {
	all := []Rule{}
	for _, r := range h.rules {
		all = append(all, *r)
	}
	return all
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
	rule.ID, rule.Seen, rule.Used, rule.act = h.rule, 0, 0, actions()[rule.Action]
	h.rules = append(h.rules, &rule)
	return rule, nil
}

func (h *Host) listRecords(r *http.Request) (any, error) {
	after, err := strconv.Atoi("0" + r.FormValue("after"))
	if err != nil {
		return nil, no(http.StatusBadRequest, "after is a seq")
	}
	found := []record{}
	for _, one := range h.book.records[min(after, len(h.book.records)):] {
		if wanted(r, "reference", one.Reference) && wanted(r, "kind", one.Kind) && wanted(r, "call", one.Call) && wanted(r, "payout",
			one.Payout) {
			found = append(found, one)
		}
	}
	return found, nil
}

// wanted tells whether a value is the one that a query asks for, if it asks.
func wanted(r *http.Request, name, value string) bool {
	asked := r.FormValue(name)
	return asked == "" || asked == value
}

func (h *Host) listPayouts(r *http.Request) (any, error) {
	found := []payout{}
	for _, p := range h.book.payouts {
		if wanted(r, "reference", p.Reference) && wanted(r, "root", h.cfg.Root(p.Reference)) && wanted(r, "id", p.ID) &&
			wanted(r, "status", string(p.Status)) {
			found = append(found, *p)
		}
	}
	return found, nil
}

func (h *Host) listLines(r *http.Request) (any, error) {
	found := []line{}
	for _, l := range h.book.lines {
		if wanted(r, "account", l.Account) && wanted(r, "payout", l.Payout) {
			found = append(found, *l)
		}
	}
	return found, nil
}

func (h *Host) listEvents(r *http.Request) (any, error) {
	found := []event{}
	for _, e := range h.book.events {
		if wanted(r, "event", e.Name) && wanted(r, "subject", e.Subject) {
			found = append(found, *e)
		}
	}
	return found, nil
}

// paid is what became of all payouts whose references have one root: the attempts of one request.
type paid struct {
	Root     string   `json:"root"`
	Payouts  []string `json:"payouts"`
	Paid     int      `json:"paid"`     // were credited once, and may have come back later
	Returned int      `json:"returned"` // of these
	Open     int      `json:"open"`     // may still be credited
	Amount   int64    `json:"amount"`   // credited and not come back, paise
	Twice    bool     `json:"twice"`    // more than one was or may be credited
}

// listPaid proves, or disproves, that nobody was paid twice.
func (h *Host) listPaid(r *http.Request) (any, error) {
	list, at := []paid{}, map[string]int{}
	for _, p := range h.book.payouts {
		root := h.cfg.Root(p.Reference)
		if _, known := at[root]; !known {
			at[root], list = len(list), append(list, paid{Root: root})
		}
		one := &list[at[root]]
		one.Payouts = append(one.Payouts, p.ID)
		switch {
		case p.was(processed) && p.Status == reversed:
			one.Paid, one.Returned = one.Paid+1, one.Returned+1
		case p.was(processed):
			one.Paid, one.Amount = one.Paid+1, one.Amount+p.Amount
		case p.open():
			one.Open++
		}
		one.Twice = one.Paid+one.Open > 1
	}
	return slices.DeleteFunc(list, func(p paid) bool {
		return !wanted(r, "root", p.Root) || !wanted(r, "twice", strconv.FormatBool(p.Twice))
	}), nil
}

func (h *Host) moveClock(r *http.Request) (any, error) {
	var told struct {
		Advance string `json:"advance"`
	}
	if err := body(r, &told); err != nil {
		return nil, err
	}
	by, err := time.ParseDuration(told.Advance)
	if err != nil || by < 0 {
		return nil, no(http.StatusBadRequest, `advance is a duration such as "30s"`)
	}
	if h.cfg.Now != nil {
		return nil, no(http.StatusConflict, "the clock is not the bank's own; move it where it belongs")
	}
	h.mu.Lock()
	h.ahead += by
	h.mu.Unlock()
	h.stir()
	return h.tick(r)
}

// tick lets everything happen that is due, and says what time it is.
func (h *Host) tick(*http.Request) (any, error) {
	h.Tick()
	return map[string]any{"now": h.Now()}, nil
}

// reset forgets all but the accounts, where events go, what signs them, and which names are used up.
func (h *Host) reset() (any, error) {
	h.book.clear()
	h.rules, h.calls = nil, 0
	err := h.file.empty()
	for _, secret := range h.book.secrets[:len(h.book.secrets)-1] {
		err = errors.Join(err, h.file.append(&step{Secret: &secret}))
	}
	h.book.era++
	h.book.changed = &step{Secret: &h.book.secrets[len(h.book.secrets)-1], Endpoint: &h.book.endpoint, Era: h.book.era}
	h.book.openAccounts(h.now())
	return map[string]bool{"reset": true}, err
}

// which are payouts, named by their id or their reference.
type which struct {
	ID        string `json:"id"`
	Reference string `json:"reference"`
}

func (w which) means(p *payout) bool {
	return (w.ID == "" || w.ID == p.ID) && (w.Reference == "" || w.Reference == p.Reference)
}

type settlement struct {
	which
	As     state  `json:"as"`
	Reason string `json:"reason"`
}

// settle ends open payouts: those that are named, or all.
func (h *Host) settle(_ *http.Request, told settlement, now time.Time) (any, error) {
	named := told.which != which{}
	done := []payout{}
	for _, p := range slices.Clone(h.book.payouts) {
		if !told.means(p) || !named && !p.open() {
			continue
		}
		err := h.book.finish(p, told.As, told.Reason, now)
		if named && err != nil {
			return nil, refusal{http.StatusConflict, err}
		}
		if err == nil {
			done = append(done, *p)
		}
	}
	if named && len(done) == 0 {
		return nil, no(http.StatusNotFound, "there is no such payout")
	}
	return done, nil
}

// backTo makes one payout's money come back, if it stands where that can happen.
func (h *Host) backTo(to state, from ...state) func(*http.Request, settlement, time.Time) (any, error) {
	return func(r *http.Request, told settlement, now time.Time) (any, error) {
		at := slices.IndexFunc(h.book.payouts, func(p *payout) bool { return told.means(p) && slices.Contains(from, p.Status) })
		if at < 0 || told.which == (which{}) {
			return nil, no(http.StatusNotFound, "there is no such payout in such a state")
		}
		p := h.book.payouts[at]
		if err := h.book.finish(p, to, told.Reason, now); err != nil {
			return nil, refusal{http.StatusConflict, err}
		}
		return *p, nil
	}
}

type funding struct {
	Account string `json:"account"`
	Amount  int64  `json:"amount"`
	Payer   string `json:"payer"`
}

// fund is money from outside, or with a minus to it.
func (h *Host) fund(_ *http.Request, told funding, now time.Time) (any, error) {
	number := cmp.Or(told.Account, h.cfg.Accounts[0].Number)
	if balance, known := h.book.balance[number]; !known || balance+told.Amount < 0 || told.Amount == 0 {
		return nil, no(http.StatusConflict, "there is no such account, or it has not so much")
	}
	return *h.book.transfer(now, number, told.Amount, cmp.Or(told.Payer, "Owner")), nil
}

// redeliver owes events once more: one of that id, or all of that payout.
func (h *Host) redeliver(_ *http.Request, told which, now time.Time) (any, error) {
	found := []event{}
	for _, e := range h.book.events {
		if told.ID != "" && (e.ID == told.ID || e.Subject == told.ID) {
			e.Delivered, e.Never, e.Due, e.Made = false, false, now, now
			h.book.repost(e)
			found = append(found, *e)
		}
	}
	if len(found) == 0 {
		return nil, no(http.StatusNotFound, "there is no such event")
	}
	return found, nil
}

type rotation struct {
	Secret string `json:"secret"`
}

// rotate signs what happens from now on with another secret; what happened before keeps its own.
func (h *Host) rotate(_ *http.Request, told rotation, _ time.Time) (any, error) {
	if told.Secret == "" {
		return nil, no(http.StatusBadRequest, "secret is the new one")
	}
	h.book.secrets = append(h.book.secrets, told.Secret)
	h.book.changed.Secret = &told.Secret
	return map[string]int{"secrets": len(h.book.secrets)}, nil
}

// aim says where events go, and switches that place on.
func (h *Host) aim(_ *http.Request, told endpoint, _ time.Time) (any, error) {
	h.book.endpoint = told
	h.book.changed.Endpoint = new(told)
	return told, nil
}

// SetWebhook says where events go from now on, those that wait included.
func (h *Host) SetWebhook(url string) {
	h.do(func(now time.Time) { _, _ = h.aim(nil, endpoint{URL: url}, now) })
}

type pace struct {
	PerSecond int `json:"per_second"`
}

func (h *Host) limit(_ *http.Request, told pace, _ time.Time) (any, error) {
	h.cfg.PerSecond = max(told.PerSecond, 0)
	return pace{h.cfg.PerSecond}, nil
}
