package shop

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// rule asks for a fault on messages of one kind. Of several that fit, the oldest acts.
type rule struct {
	Kind    string `json:"kind"`     // deposit, payout, check; "" is any
	Action  string `json:"action"`   // a name of faults
	Times   int    `json:"times"`    // 0 is always
	DelayMs int    `json:"delay_ms"` // of delay; a second where 0
	Used    int    `json:"used"`
}

// act is what becomes of one message: before, it is as good as not received; after, it is booked, and the answer is another.
type act struct {
	name          string
	before, after http.HandlerFunc
}

// faults is every way in which a merchant answers badly, or otherwise than the page says (§7).
var faults = map[string]func(rule) act{
	"drop":     before(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }),
	"hang":     before(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done(); panic(http.ErrAbortHandler) }),
	"500":      before(func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusInternalServerError, "0001", "Later") }),
	"400":      before(func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusBadRequest, "0002", "What is this") }),
	"refuse":   before(func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "0017", "Not ours") }),
	"redirect": before(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) }),
	"large":    before(large),
	"empty":    after(func(http.ResponseWriter, *http.Request) {}),
	"0000":     after(func(w http.ResponseWriter, _ *http.Request) { text(w, "0000") }),
	"success":  after(func(w http.ResponseWriter, _ *http.Request) { text(w, "success") }),
	"lost":     after(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }),
	"delay": func(r rule) act {
		return act{after: func(w http.ResponseWriter, req *http.Request) {
			late := time.NewTimer(time.Duration(cmp.Or(r.DelayMs, 1000)) * time.Millisecond)
			defer late.Stop()
			select {
			case <-late.C:
				say(w, http.StatusOK, "0000", "")
			case <-req.Context().Done():
			}
		}}
	},
}

func before(f http.HandlerFunc) func(rule) act { return func(rule) act { return act{before: f} } }
func after(f http.HandlerFunc) func(rule) act  { return func(rule) act { return act{after: f} } }

// large answers with 10 MB that begin like an acknowledgement.
func large(w http.ResponseWriter, _ *http.Request) {
	block := bytes.Repeat([]byte(" "), 1<<20)
	_, err := w.Write([]byte(`{"error_code":"0000"}`))
	for i := 0; i < 10 && err == nil; i++ {
		_, err = w.Write(block)
	}
}

func text(w http.ResponseWriter, words string) {
	w.Header().Set("Content-Type", "text/plain")
	_, _ = w.Write([]byte(words)) // a gateway that is gone tells again
}

// meddle picks what happens to a message.
func (s *Shop) meddle(kind string) act {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.rules {
		if (r.Kind == "" || r.Kind == kind) && (r.Times == 0 || r.Used < r.Times) {
			r.Used++
			a := faults[r.Action](*r)
			a.name = r.Action
			return a
		}
	}
	return act{}
}

func (r *rule) check() error {
	r.Used = 0
	var problems []error
	if faults[r.Action] == nil {
		problems = append(problems, fmt.Errorf("action is one of %s", strings.Join(slices.Sorted(maps.Keys(faults)), ", ")))
	}
	if r.Times < 0 || r.DelayMs < 0 {
		problems = append(problems, errors.New("times and delay_ms are never negative"))
	}
	if !slices.Contains([]string{"", Deposit, Payout, Check}, r.Kind) {
		problems = append(problems, errors.New("kind is deposit, payout or check"))
	}
	return errors.Join(problems...)
}
