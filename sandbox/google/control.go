package google

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Control is how a person or a test makes Google do something and looks at what it saw (the sandbox mounts it under /google).
//
//	POST   /send      an Order; answers [{status, body}], one a copy
//	GET    /received  [{at, method, piaid, body}], decrypted, oldest first
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
	if !read(w, r, &o) {
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
	if !read(w, r, &text) {
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

type problem struct {
	Error string `json:"error"`
}

// read decodes strictly: a member that is not known is a mistake that would otherwise do nothing.
func read(w http.ResponseWriter, r *http.Request, into any) bool {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
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
