package google

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// rule asks for a fault on the messages of one method. Of several that fit, the oldest acts.
type rule struct {
	Method  string `json:"method"`   // "" and "*" are any
	Action  string `json:"action"`   // a name of faults; blanks, underscores and capitals do not matter
	Times   int    `json:"times"`    // 0 is always
	DelayMs int    `json:"delay_ms"` // of delay; a second where 0
	Used    int    `json:"used"`
}

// notOffered is a fault that only an API has whose sheet leaves open what is hosted.
const notOffered = "not-offered"

// faults is every way in which Google may answer badly. Who judges takes the message into account: only its answer suffers.
var faults = map[string]func(*visit){
	// the message is as good as not received
	"drop":               func(*visit) { panic(http.ErrAbortHandler) }, // closes the connection
	"hang":               (*visit).hang,
	"500":                func(v *visit) { v.raw(http.StatusInternalServerError, "", nil) },
	"503":                func(v *visit) { v.raw(http.StatusServiceUnavailable, "", nil) },
	"404-empty":          func(v *visit) { v.raw(http.StatusNotFound, "", nil) },
	notOffered:           func(v *visit) { v.raw(http.StatusNotFound, "", nil) }, // how a method looks that we do not host (Korea §1.3)
	"generic-text":       (*visit).generic,
	"invalid-identifier": func(v *visit) { v.answer(unknown(v.what.subject)) },
	// the message is taken, the answer is late or lost or wrong
	"delay":           (*visit).delay,
	"drop-answer":     func(v *visit) { _, _ = v.judge(); panic(http.ErrAbortHandler) },
	"bad-signature":   (*visit).forge,
	"stale-timestamp": func(v *visit) { members, no := v.judge(); v.write(members, no, -5*time.Minute.Milliseconds(), nil) },
	"garbage": func(v *visit) {
		_, _ = v.judge()
		v.raw(http.StatusOK, contentType, []byte(strings.Repeat("bm90IHBncA", 40)))
	},
}

func normal(v *visit) {
	members, no := v.judge()
	v.write(members, no, 0, nil)
}

// hang keeps the caller waiting until it goes away.
func (v *visit) hang() {
	<-v.r.Context().Done()
	panic(http.ErrAbortHandler)
}

func (v *visit) delay() {
	members, no := v.judge()
	late := time.NewTimer(time.Duration(cmp.Or(v.rule.DelayMs, 1000)) * time.Millisecond)
	defer late.Stop()
	select {
	case <-late.C:
		v.write(members, no, 0, nil)
	case <-v.r.Context().Done():
		panic(http.ErrAbortHandler)
	}
}

// forge signs the answer with a key that the integrator does not know.
func (v *visit) forge() {
	members, no := v.judge()
	stranger, err := v.g.stranger()
	if err != nil {
		v.g.cfg.Log.Error("there is no stranger's key", "error", err)
		panic(http.ErrAbortHandler)
	}
	v.write(members, no, 0, stranger.Seal)
}

// meddle picks what happens to a message. Under mu.
func (g *Google) meddle(v *visit) func(*visit) {
	for _, r := range g.rules {
		fits := r.Method == "" || r.Method == "*" || r.Method == v.what.name
		if r.Action == notOffered && v.api.offered {
			fits = false
		}
		if fits && (r.Times == 0 || r.Used < r.Times) {
			r.Used++
			v.rule = *r
			return faults[r.Action]
		}
	}
	return normal
}

// named makes one spelling of an action out of many.
func named(action string) string {
	return strings.NewReplacer(" ", "-", "_", "-").Replace(strings.ToLower(strings.TrimSpace(action)))
}

func (r *rule) check() error {
	r.Action, r.Used = named(r.Action), 0
	var problems []error
	if faults[r.Action] == nil {
		problems = append(problems, fmt.Errorf("action is one of %s", strings.Join(slices.Sorted(maps.Keys(faults)), ", ")))
	}
	if r.Times < 0 || r.DelayMs < 0 {
		problems = append(problems, errors.New("times and delay_ms are never negative"))
	}
	known := r.Method == "" || r.Method == "*"
	for _, a := range apis {
		for _, n := range a.hosts {
			known = known || n.name == r.Method
		}
	}
	if !known {
		problems = append(problems, fmt.Errorf("Google hosts no method %q", r.Method))
	}
	return errors.Join(problems...)
}
