package sandbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"naru/core/ledger"
	"naru/platform"
)

// control is where a person or a test moves the sandbox: time, Google, the sample merchant, the acquirer, the banks, and a look at the
// books. It is for programs on this machine: a page in a browser, which says where it comes from, is refused, and so is a name that only
// pretends to be this machine.
func (s *Sandbox) control() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /clock", func(w http.ResponseWriter, _ *http.Request) { s.showClock(w) })
	mux.HandleFunc("POST /clock", s.moveClock)
	mux.HandleFunc("GET /ledger", s.showLedger)
	mux.Handle("/google/", http.StripPrefix("/google", s.google.Control()))
	mux.Handle("/acquirer/", http.StripPrefix("/acquirer", s.acquirer.Control()))
	mux.Handle("/upi/", http.StripPrefix("/upi", s.bank.Control()))
	mux.Handle("/merchant/", http.StripPrefix("/merchant", s.shop.Control()))
	collecting := s.collecting.Control()
	mux.Handle("/bank/", http.StripPrefix("/bank", collecting))
	mux.HandleFunc("POST /bank/credits", func(w http.ResponseWriter, r *http.Request) { // its shorter name of a deposit
		r.URL.Path = "/actions/deposit"
		collecting.ServeHTTP(w, r)
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.Header["Origin"]) > 0 || !platform.Loopback(r.Host) {
			respond(w, http.StatusForbidden, problem{"the control port does not talk to web pages"})
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func (s *Sandbox) showClock(w http.ResponseWriter) {
	respond(w, http.StatusOK, struct {
		Now time.Time `json:"now"`
	}{s.clock.Now()})
}

// moveClock moves the one business clock of the integrator and its peers. It only goes forward.
func (s *Sandbox) moveClock(w http.ResponseWriter, r *http.Request) {
	var move struct {
		Advance string `json:"advance"`
	}
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<10))
	d.DisallowUnknownFields()
	err := d.Decode(&move)
	var by time.Duration
	if err == nil {
		by, err = time.ParseDuration(move.Advance)
	}
	if err != nil || by < 0 {
		respond(w, http.StatusBadRequest, problem{`say {"advance": "30s"}; time does not go back`})
		return
	}
	if err := s.advance(by); err != nil {
		respond(w, http.StatusInternalServerError, problem{err.Error()})
		return
	}
	s.showClock(w)
}

// advance moves business time, also for the next start: for what is on disk, time must not go back.
func (s *Sandbox) advance(by time.Duration) error {
	s.moving.Lock()
	defer s.moving.Unlock()
	s.ahead += by
	s.clock.Advance(by)
	return s.folder.write(clockFile, []byte(s.ahead.String()+"\n"))
}

func (s *Sandbox) resumeClock() error {
	if !s.folder.has(clockFile) {
		return nil
	}
	text, err := os.ReadFile(s.folder.file(clockFile))
	if err != nil {
		return err
	}
	if s.ahead, err = time.ParseDuration(strings.TrimSpace(string(text))); err != nil {
		return fmt.Errorf("%s: %w", clockFile, err)
	}
	s.clock.Advance(s.ahead)
	return nil
}

// showLedger lists every balance, in whole minor units: debits less credits.
func (s *Sandbox) showLedger(w http.ResponseWriter, r *http.Request) {
	balances, err := s.platform.Store.Balances(r.Context())
	if err != nil {
		respond(w, http.StatusServiceUnavailable, problem{err.Error()})
		return
	}
	type entry struct {
		Account  string `json:"account"`
		Currency string `json:"currency"`
		Balance  int64  `json:"balance"`
	}
	list := []entry{}
	for _, b := range balances {
		list = append(list, entry{ledger.Account{Kind: ledger.Kind(b.Account), Owner: b.Owner}.String(), b.Currency, b.Amount})
	}
	respond(w, http.StatusOK, list)
}

type problem struct {
	Error string `json:"error"`
}

func respond(w http.ResponseWriter, status int, what any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(what) // a caller that is gone does not matter
}
