package google

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Control is how a person or a test makes Google do something and looks at what it saw (the sandbox mounts it under /google).
//
//	POST   /send      an Order; answers [{status, body}], one a copy
//	GET    /received  [{at, method, piaid, body}], decrypted, oldest first
//	GET    /settlements  what we were told of settlements, by notification and by file, oldest first
//	GET    /files     the settlement files that were uploaded and what is wrong with them, oldest first
//	GET    /faults    the rules there are
//	POST   /faults    adds a rule {"method", "action", "times"}; a list replaces all rules, the empty one clears them
//	DELETE /faults    clears them
func (g *Google) Control() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /send", g.controlSend)
	mux.HandleFunc("GET /received", func(w http.ResponseWriter, _ *http.Request) {
		g.mu.Lock()
		list := append([]Received{}, g.record.received...)
		g.mu.Unlock()
		respond(w, http.StatusOK, list)
	})
	mux.HandleFunc("GET /settlements", func(w http.ResponseWriter, _ *http.Request) { respond(w, http.StatusOK, g.statements()) })
	mux.HandleFunc("GET /files", func(w http.ResponseWriter, _ *http.Request) {
		respond(w, http.StatusOK, append([]SettlementFile{}, g.Files()...))
	})
	mux.HandleFunc("GET /faults", func(w http.ResponseWriter, _ *http.Request) { respond(w, http.StatusOK, g.faultRules()) })
	mux.HandleFunc("POST /faults", g.controlFaults)
	mux.HandleFunc("DELETE /faults", func(w http.ResponseWriter, _ *http.Request) {
		g.mu.Lock()
		g.rules = nil
		g.mu.Unlock()
		respond(w, http.StatusOK, g.faultRules())
	})
	return mux
}

func (g *Google) controlSend(w http.ResponseWriter, r *http.Request) {
	var o Order
	if !read(w, r, &o, maxOrder) {
		return
	}
	answers, err := g.Send(r.Context(), o)
	if err != nil {
		respond(w, http.StatusBadRequest, problem{err.Error()})
		return
	}
	respond(w, http.StatusOK, answers)
}

func (g *Google) controlFaults(w http.ResponseWriter, r *http.Request) {
	var text jsontext.Value
	if !read(w, r, &text, maxBody) {
		return
	}
	var add []*rule
	var err error
	replace := text.Kind() == '['
	if replace {
		err = json.Unmarshal(text, &add, json.RejectUnknownMembers(true))
	} else {
		add = []*rule{{}}
		err = json.Unmarshal(text, add[0], json.RejectUnknownMembers(true))
	}
	if err != nil || slices.Contains(add, nil) {
		respond(w, http.StatusBadRequest, problem{"a fault is an object with method, action, times and delay_ms"})
		return
	}
	for _, rule := range add {
		if err := rule.check(); err != nil {
			respond(w, http.StatusBadRequest, problem{err.Error()})
			return
		}
	}
	g.mu.Lock()
	if replace {
		g.rules = nil
	}
	g.rules = append(g.rules, add...)
	g.mu.Unlock()
	respond(w, http.StatusOK, g.faultRules())
}

func (g *Google) faultRules() []rule {
	g.mu.Lock()
	defer g.mu.Unlock()
	list := []rule{}
	for _, r := range g.rules {
		list = append(list, *r)
	}
	return list
}

// statementView is a settlement as the control port shows it.
type statementView struct {
	At       time.Time      `json:"at"`
	Channel  string         `json:"channel"`
	Account  string         `json:"piaid"`
	ID       string         `json:"settlement_id"`
	Currency string         `json:"currency"`
	Amount   int64          `json:"amount_micros"`
	Events   map[string]int `json:"events"` // by kind
	Complete bool           `json:"complete"`
	Problems []string       `json:"problems"`
}

func (g *Google) statements() []statementView {
	list := []statementView{}
	for _, s := range g.Settlements() {
		events := map[string]int{}
		for _, e := range s.Events {
			events[e.Kind]++
		}
		list = append(list, statementView{
			s.At, s.Channel, s.Account, s.ID, s.Currency, s.AmountMicros, events, s.Complete, append([]string{}, s.Problems...),
		})
	}
	return list
}

type problem struct {
	Error string `json:"error"`
}

// read decodes strictly: a member that is not known is a mistake that would otherwise do nothing.
func read(w http.ResponseWriter, r *http.Request, into any, limit int64) bool {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if err == nil {
		err = json.Unmarshal(bytes.TrimSpace(body), into, json.RejectUnknownMembers(true))
	}
	if err == nil {
		return true
	}
	why := "the body is too large"
	if tooLarge := (*http.MaxBytesError)(nil); !errors.As(err, &tooLarge) {
		why = "the body is not the JSON that this call takes" // the library's error may quote what it read
	}
	respond(w, http.StatusBadRequest, problem{why})
	return false
}

func respond(w http.ResponseWriter, status int, what any) {
	text, err := json.Marshal(what)
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n'))
}
