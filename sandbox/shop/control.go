package shop

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
)

// Control is how a person or a test makes the shop do something and looks at what it knows (the sandbox mounts it under /merchant).
//
//	POST   /send      an Order; answers {status, body, sign_ok}
//	GET    /asked     what moved money or would have: [{at, call, client_id, amount, status, error_code}], oldest first
//	GET    /received  [{at, kind, id, client_id, status, real_amount, sign_ok, webhook_ok, acked}] and more, oldest first
//	GET    /books     [{kind, id, client_id, amount, fee}]: each success once
//	GET    /faults    the rules there are
//	POST   /faults    adds a rule {"kind", "action", "times"}; a list replaces all rules, the empty one clears them
//	DELETE /faults    clears them
func (s *Shop) Control() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /send", s.controlSend)
	mux.HandleFunc("GET /asked", func(w http.ResponseWriter, _ *http.Request) {
		respond(w, http.StatusOK, append([]Asked{}, s.Asked()...))
	})
	mux.HandleFunc("GET /received", func(w http.ResponseWriter, _ *http.Request) {
		respond(w, http.StatusOK, append([]Heard{}, s.Heard()...))
	})
	mux.HandleFunc("GET /books", func(w http.ResponseWriter, _ *http.Request) {
		respond(w, http.StatusOK, append([]Booking{}, s.Bookings()...))
	})
	mux.HandleFunc("GET /faults", func(w http.ResponseWriter, _ *http.Request) { respond(w, http.StatusOK, s.faultRules()) })
	mux.HandleFunc("POST /faults", s.controlFaults)
	mux.HandleFunc("DELETE /faults", func(w http.ResponseWriter, _ *http.Request) {
		s.mu.Lock()
		s.rules = nil
		s.mu.Unlock()
		respond(w, http.StatusOK, s.faultRules())
	})
	return mux
}

func (s *Shop) controlSend(w http.ResponseWriter, r *http.Request) {
	var o Order
	if !read(w, r, &o) {
		return
	}
	a, err := s.Send(r.Context(), o)
	if err != nil {
		respond(w, http.StatusBadRequest, problem{err.Error()})
		return
	}
	respond(w, http.StatusOK, a)
}

func (s *Shop) controlFaults(w http.ResponseWriter, r *http.Request) {
	var text json.RawMessage
	if !read(w, r, &text) {
		return
	}
	add, replace := []*rule{{}}, text[0] == '['
	into := any(add[0])
	if replace {
		add = nil
		into = &add
	}
	if strictly(text, into) != nil {
		respond(w, http.StatusBadRequest, problem{"a fault is an object with kind, action, times and delay_ms"})
		return
	}
	for _, one := range add {
		if one == nil {
			one = &rule{}
		}
		if err := one.check(); err != nil {
			respond(w, http.StatusBadRequest, problem{err.Error()})
			return
		}
	}
	s.mu.Lock()
	if replace {
		s.rules = nil
	}
	s.rules = append(s.rules, add...)
	s.mu.Unlock()
	respond(w, http.StatusOK, s.faultRules())
}

func (s *Shop) faultRules() []rule {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []rule{}
	for _, r := range s.rules {
		list = append(list, *r)
	}
	return list
}

type problem struct {
	Error string `json:"error"`
}

// read decodes strictly: a member that is not known is a mistake that would otherwise do nothing.
func read(w http.ResponseWriter, r *http.Request, into any) bool {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, mostNews))
	if err == nil {
		err = strictly(body, into)
	}
	if err != nil {
		respond(w, http.StatusBadRequest, problem{"the body is not the JSON that this call takes"})
	}
	return err == nil
}

func strictly(text []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	return d.Decode(into)
}

func respond(w http.ResponseWriter, status int, what any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(what) // a caller that is gone does not matter
}
