package sim

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
)

// Control is the bank's second entrance, for tests and demonstrations: rules, its own record, commands. The same paths also stand under
// /sim (rails §5). Whoever mounts it decides who may reach it.
func (h *Host) Control() http.Handler {
	mux := http.NewServeMux()
	for pattern, serve := range map[string]func(*http.Request) (any, error){
		"GET /scenarios":    h.look(func(*http.Request) any { return h.shownRules() }),
		"POST /scenarios":   h.addRule,
		"DELETE /scenarios": h.look(func(*http.Request) any { h.rules = nil; return h.shownRules() }),
		"GET /transactions": h.look(h.listTransactions),
		"GET /accounts":     h.look(h.listAccounts),
		"GET /payments":     h.look(h.listPayments),
		"GET /orders":       h.look(h.listOrders),
		"GET /twice":        h.look(func(*http.Request) any { return append([]string{}, h.book.twice()...) }),
		"GET /reports":      h.look(h.listReports),
		"GET /clock":        h.look(func(*http.Request) any { return map[string]any{"now": h.now()} }),
		"POST /clock":       h.moveClock,
		"POST /reset":       command(h.reset),

		"POST /actions/deposit": command(func(d Deposit) (any, error) {
			list, err := h.Deposit(d)
			if err != nil {
				return nil, err
			}
			id := list[0].ID
			if list[0].Batch != "" {
				id = list[0].Batch
			}
			return map[string]any{"bank_txn_id": id, "transactions": list}, nil
		}),
		"POST /actions/reversal":  command(func(w which) (any, error) { return h.Reverse(w.ID) }),
		"POST /actions/return":    command(func(w which) (any, error) { return h.Return(w.EndToEnd, w.Reason) }),
		"POST /actions/statement": command(func(w which) (any, error) { return h.Statement(w.Account, w.Day) }),
		"POST /actions/report":    command(func(w which) (any, error) { return h.Report(w.ID, w.Channels...) }),
		"POST /actions/tick":      h.tick,
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { h.respond(w, r, serve) })
	}
	mux.Handle("/sim/", http.StripPrefix("/sim", mux))
	return mux
}

// which is what an action is about.
type which struct {
	ID       string   `json:"id"`
	EndToEnd string   `json:"end_to_end"`
	Reason   string   `json:"reason"`
	Account  string   `json:"account"`
	Day      string   `json:"day"`
	Channels []string `json:"channels"`
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
	_, _ = w.Write(append(encoded(answer), '\n'))
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
func (h *Host) look(what func(*http.Request) any) func(*http.Request) (any, error) {
	return func(r *http.Request) (answer any, _ error) {
		h.do(func(time.Time) { answer = what(r) })
		return answer, nil
	}
}

// command reads what it is told and does it.
func command[T any](do func(T) (any, error)) func(*http.Request) (any, error) {
	return func(r *http.Request) (any, error) {
		var told T
		if err := body(r, &told); err != nil {
			return nil, err
		}
		return do(told)
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
	return h.AddRule(rule)
}

// AddRule adds a line to the scenario.
func (h *Host) AddRule(rule Rule) (Rule, error) {
	if err := rule.validate(); err != nil {
		return Rule{}, refusal{http.StatusBadRequest, err}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.rule++
	rule.ID, rule.Seen, rule.Used, rule.act = h.rule, 0, 0, actions()[rule.Action]
	h.rules = append(h.rules, &rule)
	return rule, nil
}

// wanted tells whether a value is the one that a query asks for, if it asks.
func wanted(r *http.Request, name, value string) bool {
	asked := r.FormValue(name)
	return asked == "" || asked == value
}

// shown are copies of what a query asks for.
func shown[T any](list []*T, fits func(*T) bool) []T {
	found := []T{}
	for _, one := range list {
		if fits(one) {
			found = append(found, *one)
		}
	}
	return found
}

func (h *Host) listTransactions(r *http.Request) any {
	return shown(h.book.transactions, func(t *Transaction) bool {
		return wanted(r, "id", t.ID) && wanted(r, "account", t.Account) && wanted(r, "virtual", t.Virtual) && wanted(r, "kind", t.Kind) &&
			wanted(r, "end_to_end", t.EndToEnd)
	})
}

func (h *Host) listAccounts(*http.Request) any {
	type account struct {
		Number  string `json:"account"`
		Holder  string `json:"holder"`
		Balance int64  `json:"balance"`
	}
	all := []account{}
	for _, a := range h.cfg.Accounts {
		all = append(all, account{a.Number, a.Holder, h.book.balance[a.Number]})
	}
	return all
}

func (h *Host) listPayments(r *http.Request) any {
	return shown(h.book.payments, func(p *Payment) bool {
		return wanted(r, "order", p.Order) && wanted(r, "end_to_end", p.EndToEnd) && wanted(r, "status", p.Status)
	})
}

func (h *Host) listOrders(r *http.Request) any {
	found := []order{}
	for _, o := range h.book.orders {
		if wanted(r, "id", o.ID) {
			one := *o
			one.Statuses = slices.Clone(o.Statuses) // they change in place
			found = append(found, one)
		}
	}
	slices.SortFunc(found, func(a, b order) int { return strings.Compare(a.ID, b.ID) })
	return found
}

func (h *Host) listReports(r *http.Request) any {
	return shown(h.book.reports, func(one *report) bool {
		return wanted(r, "id", one.ID) && wanted(r, "kind", one.Kind) && wanted(r, "channel", one.Channel)
	})
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

// reset forgets all but the accounts and which ids and numbers are used up. Files that lie in the folders stay.
func (h *Host) reset(struct{}) (answer any, err error) {
	h.do(func(time.Time) {
		h.book.clear()
		h.rules = nil
		err = h.file.empty()
		h.book.changed = &step{Serial: h.book.serial, Numbers: h.book.numbers}
	})
	return map[string]bool{"reset": true}, err
}

// act does something to the book, or says why it cannot be done.
func act[T any](h *Host, what func(now time.Time) (T, error)) (done T, err error) {
	err = no(http.StatusServiceUnavailable, "the bank is closed")
	h.do(func(now time.Time) {
		if done, err = what(now); err != nil {
			err = refusal{http.StatusConflict, err}
		}
	})
	return done, err
}

// Deposit books money that comes in, and reports it as a bank does. It gives back what was booked, one for each payer.
func (h *Host) Deposit(d Deposit) ([]Transaction, error) {
	return act(h, func(now time.Time) ([]Transaction, error) {
		list, err := h.book.deposit(now, d)
		return shown(list, func(*Transaction) bool { return true }), err
	})
}

// Reverse takes a deposit back and reports that.
func (h *Host) Reverse(id string) (Transaction, error) {
	return act(h, func(now time.Time) (Transaction, error) { return copied(h.book.reverse(now, id)) })
}

// Return has the payee's bank send back a payment that was made. The reason is AC04 where none is given.
func (h *Host) Return(endToEnd, reason string) (Transaction, error) {
	return act(h, func(now time.Time) (Transaction, error) {
		at := slices.IndexFunc(h.book.payments, func(p *Payment) bool {
			return p.EndToEnd == endToEnd && p.Transaction != "" && !p.Returned
		})
		switch {
		case at < 0:
			return Transaction{}, errors.New("there is no such payment that was made and has not come back")
		case reason != "" && !reasonCode.MatchString(reason):
			return Transaction{}, errors.New("a reason has four characters")
		}
		return copied(h.book.giveBack(now, h.book.payments[at], reason))
	})
}

func copied(t *Transaction, err error) (Transaction, error) {
	if err != nil {
		return Transaction{}, err
	}
	return *t, nil
}

// Statement makes the camt.053 of one account, or of all, for a day of Korea, or today. It gives back the names of the files.
func (h *Host) Statement(account, day string) ([]string, error) {
	return act(h, func(now time.Time) (names []string, err error) {
		if day == "" {
			day = dayOf(now)
		}
		if _, err := time.Parse(time.DateOnly, day); err != nil {
			return nil, errors.New("a day is such as 2026-11-22")
		}
		for _, a := range h.cfg.Accounts {
			if account == "" || account == a.Number {
				names = append(names, h.book.statement(now, a, day))
			}
		}
		if names == nil {
			return nil, errors.New("there is no such account")
		}
		return names, nil
	})
}

// Report reports a transaction, or those of a batch, in another message. No channels are those of the transaction.
func (h *Host) Report(id string, channels ...string) ([]Transaction, error) {
	return act(h, func(now time.Time) ([]Transaction, error) {
		list := slices.DeleteFunc(slices.Clone(h.book.transactions), func(t *Transaction) bool {
			return id == "" || t.ID != id && t.Batch != id
		})
		if len(list) == 0 {
			return nil, errors.New("there is no such transaction")
		}
		if err := knownChannels(channels); err != nil {
			return nil, err
		}
		h.book.report(now, list, channels)
		return shown(list, func(*Transaction) bool { return true }), nil
	})
}

// Transactions is everything that the bank has booked or seen, the oldest first.
func (h *Host) Transactions() (list []Transaction) {
	h.do(func(time.Time) { list = shown(h.book.transactions, func(*Transaction) bool { return true }) })
	return list
}

// Payments is everything that the bank was asked to pay and did not refuse as a whole, the oldest first.
func (h *Host) Payments() (list []Payment) {
	h.do(func(time.Time) { list = shown(h.book.payments, func(*Payment) bool { return true }) })
	return list
}

// Balance is what an account holds.
func (h *Host) Balance(account string) (won int64) {
	h.do(func(time.Time) { won = h.book.balance[account] })
	return won
}

// Twice is the EndToEndIds under which more than one payment was made that has not come back.
func (h *Host) Twice() (ids []string) {
	h.do(func(time.Time) { ids = h.book.twice() })
	return ids
}
