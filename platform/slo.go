package platform

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"naru/clock"
	"naru/protocol/merchant"
	"naru/store"
)

// What the counterparty measures (gsp-core §6), in seconds: no valid answer to a valid request by then is none; latency has two goals.
const (
	answeredBy = 7
	mostBy     = 5
	manyBy     = 3
)

// busyHour is how many calls of a method in an hour are not yet more than make the hour a measuring period of its own (gsp-core §6).
const busyHour = 1000

// goals are the shares that must be reached of a period's calls, in thousandths (gsp-core §6).
var goals = []struct {
	name  string
	least int64
	of    func(store.Tally) int64
}{
	{"availability", 999, func(t store.Tally) int64 { return t.Answered }},
	{"within 5 s", 950, func(t store.Tally) int64 { return t.Within5s }},
	{"within 3 s", 900, func(t store.Tally) int64 { return t.Within3s }},
}

// merchantAPI names the merchants' API in what is measured: nobody but us sets goals for it, and they are the same.
const merchantAPI = "merchant"

// verdict is what an answer is to who measures.
type verdict int

const (
	beside   verdict = iota // not a valid request, so not measured
	failed                  // no valid answer
	answered                // a valid one, if it came in time
)

// ofGoogle judges by the HTTP status (gsp-core §5.2): a 200 is valid, a decline too; 409 is an answer that we still owe. The other 4xx are
// answers to requests that were wrong, or to strangers (429).
func ofGoogle(status int) verdict {
	switch {
	case status == http.StatusOK:
		return answered
	case status == http.StatusConflict, status >= http.StatusInternalServerError:
		return failed
	}
	return beside
}

// declined are the refusals that a faultless order may meet (merchant-gateway §15).
var declined = []merchant.Code{
	merchant.ServiceClosed, merchant.PoolEmpty, merchant.DepositFailed, merchant.PayoutFailed, merchant.BalanceLow,
}

// ofMerchants judges by HTTP status and code (merchant-gateway §3, §15): 0001 says that nothing was done, or that nobody knows.
func ofMerchants(status int, code merchant.Code) verdict {
	switch {
	case status >= http.StatusInternalServerError, code == merchant.NetworkDelay:
		return failed
	case status == http.StatusOK && (code == merchant.Success || slices.Contains(declined, code)):
		return answered
	}
	return beside
}

// tallies keeps how calls went, the sum of what every node counted.
type tallies interface {
	AddTallies(ctx context.Context, node string, list []store.Tally) error
	Tallies(ctx context.Context, from, until time.Time) ([]store.Tally, error)
}

// performance measures how calls go, as the counterparty does. It counts in memory and adds to the database every few seconds, so that what
// it says is the same on every node. A process that dies takes along what it counted since it last wrote.
type performance struct {
	node    string
	tallies tallies
	clock   clock.Clock // wall time, as callers have it
	log     *slog.Logger

	mu   sync.Mutex
	sums map[hourOf]store.Tally // not written yet
}

// hourOf is a method in an hour.
type hourOf struct {
	api, method string
	hour        int64
}

func newPerformance(node string, kept tallies, wall clock.Clock, log *slog.Logger) *performance {
	return &performance{node: node, tallies: kept, clock: wall, log: log, sums: map[hourOf]store.Tally{}}
}

// measure makes the meter of this node and shows it to operators.
func (p *Platform) measure(node string) *performance {
	m := newPerformance(node, p.Store, &clock.Movable{}, p.log)
	p.metrics.performance = m
	p.metrics.registry.MustRegister(m)
	return m
}

// called counts a call in the hour in which it began.
func (m *performance) called(api, method string, v verdict, seconds float64) {
	if v == beside || method == "none" {
		return
	}
	one := store.Tally{Calls: 1}
	if v == answered && seconds <= answeredBy {
		one.Answered = 1
		one.Within5s = count(seconds <= mostBy)
		one.Within3s = count(seconds <= manyBy)
	}
	hour := m.clock.Now().Add(-time.Duration(seconds * float64(time.Second))).Truncate(time.Hour)
	m.mu.Lock()
	defer m.mu.Unlock()
	key := hourOf{api, method, hour.Unix()}
	m.sums[key] = plus(m.sums[key], one)
}

func count(is bool) int64 {
	if is {
		return 1
	}
	return 0
}

// plus adds what b counted to a, which keeps its method and hour.
func plus(a, b store.Tally) store.Tally {
	a.Calls += b.Calls
	a.Answered += b.Answered
	a.Within5s += b.Within5s
	a.Within3s += b.Within3s
	return a
}

// How often sums are written, and how long the last time may take.
const (
	writeEvery = 5 * time.Second
	lastWrite  = 5 * time.Second
)

// Run writes what was counted, again and again, and once more when ctx ends.
func (m *performance) Run(ctx context.Context) error {
	for m.clock.Sleep(ctx, m.clock.Now().Add(writeEvery), nil) == nil {
		m.write(ctx)
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWrite)
	defer cancel()
	m.write(last)
	return nil
}

// write adds what was counted to the database. What could not be written is kept for the next time; where only the answer to the commit was
// lost, a few seconds count twice.
func (m *performance) write(ctx context.Context) {
	m.mu.Lock()
	sums := m.sums
	m.sums = map[hourOf]store.Tally{}
	m.mu.Unlock()
	if len(sums) == 0 {
		return
	}
	list := make([]store.Tally, 0, len(sums))
	for key, t := range sums {
		t.Method, t.Hour = key.api+"/"+key.method, time.Unix(key.hour, 0).UTC()
		list = append(list, t)
	}
	if err := m.tallies.AddTallies(ctx, m.node, list); err != nil {
		m.log.Error("how calls went could not be written; it is tried again", "error", err)
		m.mu.Lock()
		defer m.mu.Unlock()
		for key, t := range sums {
			m.sums[key] = plus(m.sums[key], t)
		}
	}
}

// period is how the calls of a method went in one measuring period, or in a window of 24 hours.
type period struct {
	store.Tally     // Hour is when it begins
	hours       int // 1, or 24: then without the hours that are periods of their own
}

// periods parts tallies into measuring periods, all in UTC: an hour with more than 1000 calls of a method is one, and what the other hours
// of a day saw is another (gsp-core §6). Every call is in one period. They come in the order of their time.
func periods(list []store.Tally) (out []period) {
	type dayOf struct {
		method string
		day    time.Time
	}
	days := map[dayOf]period{}
	for _, t := range list {
		if t.Calls > busyHour {
			out = append(out, period{t, 1})
			continue
		}
		at := dayOf{t.Method, t.Hour.Truncate(24 * time.Hour)}
		day, ok := days[at]
		if !ok {
			day = period{store.Tally{Method: at.method, Hour: at.day}, 24}
		}
		day.Tally = plus(day.Tally, t)
		days[at] = day
	}
	out = slices.AppendSeq(out, maps.Values(days))
	slices.SortFunc(out, func(a, b period) int {
		return cmp.Or(a.Hour.Compare(b.Hour), strings.Compare(a.Method, b.Method), b.hours-a.hours)
	})
	return out
}

// present is the measuring period of each method that a time is in, of the tallies of its day. A method without calls in it has none.
func present(today []store.Tally, now time.Time) (out []period) {
	busy := map[string]bool{}
	for _, p := range slices.Backward(periods(today)) { // the hours of a day come before the day itself
		switch {
		case p.hours == 1 && p.Hour.Equal(now.Truncate(time.Hour)):
			busy[p.Method] = true
			out = append(out, p)
		case p.hours == 24 && !busy[p.Method]:
			out = append(out, p)
		}
	}
	return out
}

// worst is for each method the 24 hours, from any hour on, with the smallest share of answers: the first of them where several have it.
// Windows lie between from and until; where there is less between them, that is the window.
func worst(list []store.Tally, from, until time.Time) (out []period) {
	byMethod := map[string]map[time.Time]store.Tally{}
	for _, t := range list {
		if byMethod[t.Method] == nil {
			byMethod[t.Method] = map[time.Time]store.Tally{}
		}
		byMethod[t.Method][t.Hour] = t
	}
	for _, method := range slices.Sorted(maps.Keys(byMethod)) {
		window, found := store.Tally{Method: method}, period{hours: 24}
		for end := from; end.Before(until); end = end.Add(time.Hour) {
			begin := end.Add(-23 * time.Hour)
			window = plus(window, byMethod[method][end])
			window.Hour = begin
			if begin.Before(from) {
				window.Hour = from
				if !end.Add(time.Hour).Equal(until) {
					continue // the first window is not whole yet
				}
			}
			if window.Calls > 0 && (found.Calls == 0 || window.Answered*found.Calls < found.Answered*window.Calls) {
				found.Tally = window
			}
			window = minus(window, byMethod[method][begin])
		}
		if found.Calls > 0 {
			out = append(out, found)
		}
	}
	return out
}

func minus(a, b store.Tally) store.Tally {
	return plus(a, store.Tally{Calls: -b.Calls, Answered: -b.Answered, Within5s: -b.Within5s, Within3s: -b.Within3s})
}

// periodJSON is a period as operators see it. Shares are of its calls.
type periodJSON struct {
	From         time.Time `json:"from"`
	Hours        int       `json:"hours"`
	API          string    `json:"api"`
	Method       string    `json:"method"`
	Ours         bool      `json:"ours,omitempty"` // the goals are our own
	Calls        int64     `json:"calls"`
	Answered     int64     `json:"answered"`
	Within5s     int64     `json:"within_5s"`
	Within3s     int64     `json:"within_3s"`
	Availability float64   `json:"availability"`
	Share5s      float64   `json:"within_5s_share"`
	Share3s      float64   `json:"within_3s_share"`
	Missed       []string  `json:"missed"` // goals
}

// sloJSON is what was measured, as operators see it.
type sloJSON struct {
	From    time.Time    `json:"from"`
	Until   time.Time    `json:"until"`
	Periods []periodJSON `json:"periods"`
	Worst   []periodJSON `json:"worst_24h"` // of each method; judged by availability alone
	Met     bool         `json:"met"`
}

// judged says how many of the first goals a period was to meet and did not.
func judged(list []period, of int) (out []periodJSON, met bool) {
	out, met = []periodJSON{}, true
	for _, p := range list {
		api, method, _ := strings.Cut(p.Method, "/")
		j := periodJSON{
			From: p.Hour, Hours: p.hours, API: api, Method: method, Ours: api == merchantAPI, Missed: []string{},
			Calls: p.Calls, Answered: p.Answered, Within5s: p.Within5s, Within3s: p.Within3s,
			Availability: share(p.Answered, p.Calls), Share5s: share(p.Within5s, p.Calls), Share3s: share(p.Within3s, p.Calls),
		}
		for _, g := range goals[:of] {
			if g.of(p.Tally)*1000 < p.Calls*g.least {
				j.Missed, met = append(j.Missed, g.name), false
			}
		}
		out = append(out, j)
	}
	return out, met
}

func share(part, whole int64) float64 { return float64(part) / float64(whole) }

// report judges the hours from a time until another, without those that are excepted.
func (m *performance) report(ctx context.Context, from, until time.Time, except []spell) (sloJSON, error) {
	list, err := m.tallies.Tallies(ctx, from, until)
	if err != nil {
		return sloJSON{}, err
	}
	list = slices.DeleteFunc(list, func(t store.Tally) bool {
		return slices.ContainsFunc(except, func(s spell) bool { return !t.Hour.Before(s.from) && t.Hour.Before(s.until) })
	})
	out := sloJSON{From: from, Until: until}
	var always bool
	out.Periods, out.Met = judged(periods(list), len(goals))
	out.Worst, always = judged(worst(list, from, until), 1)
	out.Met = out.Met && always
	return out, nil
}

// spell is a time of announced maintenance: calls in it do not count (gsp-core §6).
type spell struct{ from, until time.Time }

// minute is how the ends of maintenance are written.
const minute = "2006-01-02T15:04Z07:00"

// readSpell reads FROM/TO. What is counted is counted by the hour, so no part of an hour can be left out.
func readSpell(text string) (s spell, err error) {
	from, until, _ := strings.Cut(text, "/")
	if s.from, err = time.Parse(minute, from); err == nil {
		s.until, err = time.Parse(minute, until)
	}
	switch whole := func(t time.Time) bool { return t.Equal(t.Truncate(time.Hour)) }; {
	case err != nil:
		return s, errors.New("maintenance is written as 2026-03-02T01:00Z/2026-03-02T03:00Z")
	case !whole(s.from) || !whole(s.until):
		return s, errors.New("maintenance begins and ends at a full hour of UTC: calls are counted by the hour")
	case !s.from.Before(s.until):
		return s, errors.New("maintenance ends after it begins")
	}
	return s, nil
}

// How many days are judged: where nothing is said, and at the most.
const (
	usualDays = 7
	mostDays  = 366
)

// asked reads which hours to judge: from a day of UTC, so many days, up to the present hour.
func (m *performance) asked(r *http.Request) (from, until time.Time, except []spell, err error) {
	now, days := m.clock.Now().UTC(), usualDays
	if text := r.FormValue("days"); text != "" {
		if days, err = strconv.Atoi(text); err != nil || days < 1 || days > mostDays {
			return from, until, nil, fmt.Errorf("days are 1 to %d", mostDays)
		}
	}
	from = now.Truncate(24*time.Hour).AddDate(0, 0, 1-days)
	if text := r.FormValue("from"); text != "" {
		if from, err = time.Parse(time.DateOnly, text); err != nil {
			return from, until, nil, errors.New("a day is written as 2026-03-02")
		}
	}
	until = from.AddDate(0, 0, days)
	if ends := now.Truncate(time.Hour).Add(time.Hour); ends.Before(until) {
		until = ends
	}
	if !from.Before(until) {
		return from, until, nil, errors.New("that day has not begun")
	}
	for _, text := range r.Form["except"] {
		s, err := readSpell(text)
		if err != nil {
			return from, until, nil, err
		}
		except = append(except, s)
	}
	return from, until, except, nil
}

// ServeHTTP tells operators how calls went.
//
//	GET /slo?from=2026-03-02&days=7&except=FROM/TO
func (m *performance) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	from, until, except, err := m.asked(r)
	if err != nil {
		say(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
		return
	}
	out, err := m.report(r.Context(), from, until, except)
	if err != nil {
		m.log.Error("how calls went could not be read", "error", err)
		tell(w, err)
		return
	}
	say(w, http.StatusOK, out)
}

var (
	sloCalls     = ofPeriod("naru_slo_calls", "Valid requests in the present measuring period.")
	sloAvailable = ofPeriod("naru_slo_availability_ratio", "Share of them with a valid answer within 7 s.")
	sloWithin5s  = ofPeriod("naru_slo_within_5s_ratio", "Share of them with a valid answer within 5 s.")
	sloWithin3s  = ofPeriod("naru_slo_within_3s_ratio", "Share of them with a valid answer within 3 s.")
)

func ofPeriod(name, help string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, []string{"api", "method"}, nil)
}

// Describe implements prometheus.Collector.
func (m *performance) Describe(ch chan<- *prometheus.Desc) {
	ch <- sloCalls
	ch <- sloAvailable
	ch <- sloWithin5s
	ch <- sloWithin3s
}

// Collect implements prometheus.Collector: how calls of all nodes go in the present measuring period of each method.
func (m *performance) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	now := m.clock.Now().UTC()
	today, err := m.tallies.Tallies(ctx, now.Truncate(24*time.Hour), now.Truncate(time.Hour).Add(time.Hour))
	if err != nil {
		ch <- prometheus.NewInvalidMetric(sloCalls, err)
		return
	}
	for _, p := range present(today, now) {
		api, method, _ := strings.Cut(p.Method, "/")
		gauge := func(d *prometheus.Desc, value float64) {
			ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, api, method)
		}
		gauge(sloCalls, float64(p.Calls))
		gauge(sloAvailable, share(p.Answered, p.Calls))
		gauge(sloWithin5s, share(p.Within5s, p.Calls))
		gauge(sloWithin3s, share(p.Within3s, p.Calls))
	}
}

// forMerchants counts what merchants call.
type forMerchants struct{ *metrics }

// Called implements merchant.Meter.
func (m forMerchants) Called(method string, status int, code merchant.Code, seconds float64) {
	m.called(merchantAPI, method, status, ofMerchants(status, code), seconds)
}
