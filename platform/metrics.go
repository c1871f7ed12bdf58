package platform

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/pprof"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"naru/core/payment"
	"naru/engine"
	"naru/rail/iso8583"
	"naru/store"
)

// metrics is what an operator can watch. Labels have few values: never an id, never anything a stranger can choose.
type metrics struct {
	registry *prometheus.Registry
	calls    *prometheus.HistogramVec
	replays  *prometheus.CounterVec
	reversed *prometheus.CounterVec
	unmapped *prometheus.CounterVec
	cases    *prometheus.CounterVec
	notices  *prometheus.CounterVec
	refusals *prometheus.CounterVec
	told     *prometheus.CounterVec
	refused  *prometheus.CounterVec

	performance *performance
}

func newMetrics() *metrics {
	m := &metrics{registry: prometheus.NewRegistry()}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
		m.registry.MustRegister(c)
		return c
	}
	m.calls = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "naru_call_seconds", Help: "Calls of counterparties by API, method and HTTP status, from first byte to last.",
		Buckets: []float64{.002, .005, .01, .02, .05, .1, .25, .5, 1, 2, 3, 4, 5, 7}, // 3, 5 and 7 s are what the counterparty measures
	}, []string{"api", "method", "status"})
	m.registry.MustRegister(m.calls, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.replays = counter("naru_replays_total", "Requests answered from memory.", "account")
	m.reversed = counter("naru_reversals_total", "Holds given back, by reason.", "reason")
	m.unmapped = counter("naru_network_surprises_total", "Answers of networks and payout banks that need a look.", "acquirer", "code")
	m.told = counter("naru_bank_events_total", "What payout banks told by themselves.", "bank", "what")
	m.refused = counter("naru_refused_total", "What was refused early because too much was under way, by where and why.", "where", "reason")
	m.cases = counter("naru_cases_total", "Cases opened for an operator.", "kind")
	m.notices = counter("naru_notices_total", "Attempts to deliver a notification.", "kind", "outcome")
	m.refusals = counter("naru_sealing_refusals_total", "Messages that could not be opened, by reason.", "reason")
	return m
}

func (m *metrics) Called(api, method string, status int, seconds float64) {
	m.called(api, method, status, ofGoogle(status), seconds)
}

func (m *metrics) called(api, method string, status int, v verdict, seconds float64) {
	m.calls.WithLabelValues(api, method, strconv.Itoa(status)).Observe(seconds)
	m.performance.called(api, method, v, seconds)
}
func (m *metrics) Replayed(account string) { m.replays.WithLabelValues(account).Inc() }
func (m *metrics) Reversed(reason payment.UndoReason) {
	m.reversed.WithLabelValues(string(reason)).Inc()
}
func (m *metrics) Unmapped(link, code string) { m.unmapped.WithLabelValues(link, code).Inc() }
func (m *metrics) CaseOpened(kind string)     { m.cases.WithLabelValues(kind).Inc() }
func (m *metrics) Told(bank, what string)     { m.told.WithLabelValues(bank, what).Inc() }

// refusing counts what is refused early somewhere.
func (m *metrics) refusing(where string) func(string) {
	return func(reason string) { m.refused.WithLabelValues(where, reason).Inc() }
}

func (m *metrics) Refused(reason string) { m.refusals.WithLabelValues(reason).Inc() }
func (m *metrics) NoticeTried(k engine.NoticeKind, outcome string) {
	m.notices.WithLabelValues(string(k), outcome).Inc()
}

// backlog is what is owed at the moment of scraping.
type backlog struct {
	store *store.Store
	now   func() time.Time
}

var (
	owed   = prometheus.NewDesc("naru_owed", "What is owed and not done yet.", []string{"what"}, nil)
	oldest = prometheus.NewDesc("naru_owed_oldest_seconds", "Age of the oldest of what is owed.", []string{"what"}, nil)

	openPayouts = prometheus.NewDesc("naru_open_payouts", "Payouts that are not final, by where they stand.", []string{"bank", "state"}, nil)
)

func (b backlog) Describe(ch chan<- *prometheus.Desc) { ch <- owed; ch <- oldest; ch <- openPayouts }

func (b backlog) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	at, err := b.store.Backlog(ctx)
	if err != nil {
		ch <- prometheus.NewInvalidMetric(owed, err)
		return
	}
	age := func(t time.Time) float64 {
		if t.IsZero() {
			return 0
		}
		return b.now().Sub(t).Seconds()
	}
	for what, n := range map[string]int64{
		"advice": at.Advices, "notice": at.Notices, "parked-notice": at.Parked, "unheard-notice": at.Unheard, "case": at.Cases,
		"batched-advice": at.Batched, "day-totals": at.Reconciliations, "payout": at.Payouts,
	} {
		ch <- prometheus.MustNewConstMetric(owed, prometheus.GaugeValue, float64(n), what)
	}
	ch <- prometheus.MustNewConstMetric(oldest, prometheus.GaugeValue, age(at.OldestAdvice), "advice")
	ch <- prometheus.MustNewConstMetric(oldest, prometheus.GaugeValue, age(at.OldestNotice), "notice")
	ch <- prometheus.MustNewConstMetric(oldest, prometheus.GaugeValue, age(at.OldestPayout), "payout")
	open, err := b.store.OpenPayouts(ctx)
	if err != nil {
		ch <- prometheus.NewInvalidMetric(openPayouts, err)
		return
	}
	for _, o := range open {
		ch <- prometheus.MustNewConstMetric(openPayouts, prometheus.GaugeValue, float64(o.Count), o.Bank, o.State)
	}
}

// held is what payout banks hold for us, as they said last.
type held struct{ engine *engine.Engine }

var heldFloat = prometheus.NewDesc("naru_float", "What a payout bank holds for us and lets us pay, in minor units.", []string{"bank", "currency"}, nil)

func (h held) Describe(ch chan<- *prometheus.Desc) { ch <- heldFloat }

func (h held) Collect(ch chan<- prometheus.Metric) {
	for bank, f := range h.engine.Floats() {
		ch <- prometheus.MustNewConstMetric(heldFloat, prometheus.GaugeValue, float64(f.Available.Minor()), bank, f.Available.Currency().Code())
	}
}

// rail is what happened on one link, and how many of its connections are signed on.
type rail struct {
	name     string
	link     *iso8583.Acquirer
	counters *iso8583.Counters
}

var (
	railEvents = prometheus.NewDesc("naru_rail_events_total", "What happened on the links to the acquirers.", []string{"acquirer", "event"}, nil)
	railReady  = prometheus.NewDesc("naru_rail_connections", "Connections that are signed on.", []string{"acquirer"}, nil)
)

func (r rail) collect(ch chan<- prometheus.Metric) {
	for event, n := range map[string]*atomic.Int64{
		"sent": &r.counters.Sent, "answered": &r.counters.Answered, "unanswered": &r.counters.Unanswered, "late": &r.counters.Late,
		"garbled": &r.counters.Garbled, "reconnect": &r.counters.Reconnects, "host-request": &r.counters.HostRequests, "refused": &r.counters.Refused,
	} {
		ch <- prometheus.MustNewConstMetric(railEvents, prometheus.CounterValue, float64(n.Load()), r.name, event)
	}
	ch <- prometheus.MustNewConstMetric(railReady, prometheus.GaugeValue, float64(r.link.Ready()), r.name)
}

// rails collects all links at once: one collector may describe a metric, not one for each link.
type rails []rail

func (r rails) Describe(ch chan<- *prometheus.Desc) { ch <- railEvents; ch <- railReady }

func (r rails) Collect(ch chan<- prometheus.Metric) {
	for _, one := range r {
		one.collect(ch)
	}
}

// admin serves what operators and their machines ask. Ready is store and keys: a rail that is down is a metric and 503s, not an unready
// node, because finished requests must stay replayable (design §3.10).
func (p *Platform) admin() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if err := p.ready(r.Context()); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte("ok\n"))
	})
	if p.sandbox { // profiles name functions, never data; still, not beside real money
		mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
		mux.Handle("GET /debug/pprof/allocs", pprof.Handler("allocs"))
		mux.Handle("GET /debug/pprof/heap", pprof.Handler("heap"))
	}
	p.cases(mux)
	mux.Handle("GET /slo", p.metrics.performance)
	mux.Handle("GET /metrics", promhttp.HandlerFor(p.metrics.registry, promhttp.HandlerOpts{}))
	return mux
}

// signOnTime is how long a node beside others that starts is unready while its links sign on, so that nobody is sent there to hear 503.
const signOnTime = 5 * time.Second

func (p *Platform) ready(ctx context.Context) error {
	if p.draining.Load() {
		return errors.New("this node is ending")
	}
	if p.Store.Shared() && time.Since(p.started) < signOnTime { // after that a rail that is down is no reason: finished requests must stay replayable
		for name, l := range p.links {
			if l.Ready() == 0 {
				return fmt.Errorf("the link to acquirer %s is not signed on yet", name)
			}
		}
	}
	if _, err := p.Store.Backlog(ctx); err != nil {
		return err
	}
	return p.box.Ready()
}
