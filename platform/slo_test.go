package platform

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"naru/clock"
	"naru/protocol/merchant"
	"naru/store"
)

// monday is when the tests' first day begins.
var monday = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

// went is n calls of a method in the hour so many hours behind monday, of which so many had no answer; the others were fast.
func went(method string, hour int, n, unanswered int64) store.Tally {
	good := n - unanswered
	at := monday.Add(time.Duration(hour) * time.Hour)
	return store.Tally{Method: method, Hour: at, Calls: n, Answered: good, Within5s: good, Within3s: good}
}

// spelt writes periods in a line each: how long, when, what, calls, answers.
func spelt(list []period) string {
	var text strings.Builder
	for _, p := range list {
		fmt.Fprintf(&text, "%dh %s %s %d %d\n", p.hours, p.Hour.Format("02T15"), p.Method, p.Calls, p.Answered)
	}
	return text.String()
}

func TestMeasuringPeriods(t *testing.T) {
	list := []store.Tally{
		went("a/x", -1, 5, 0), // the last hour of Sunday
		went("a/x", 0, 1000, 1),
		went("a/x", 9, 1001, 2),
		went("a/x", 23, 10, 3),
		went("a/x", 24, 20, 0),
		went("a/y", 9, 999, 4),
		went("b/x", 0, 5000, 0),
	}
	const want = `24h 01T00 a/x 5 5
24h 02T00 a/x 1010 1006
24h 02T00 a/y 999 995
1h 02T00 b/x 5000 5000
1h 02T09 a/x 1001 999
24h 03T00 a/x 20 20
`
	if got := spelt(periods(list)); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestPresentPeriod(t *testing.T) {
	today := []store.Tally{
		went("early/busy", 0, 2000, 0),
		went("early/busy", 9, 7, 0),
		went("now/busy", 0, 2000, 0),
		went("now/busy", 3, 4, 0),
		went("now/busy", 9, 1001, 0),
		went("gone/busy", 8, 2000, 0),
	}
	const want = `1h 02T09 now/busy 1001 1001
24h 02T00 early/busy 7 7
`
	got := present(today, monday.Add(9*time.Hour+59*time.Minute))
	slices.SortFunc(got, func(a, b period) int { return a.hours - b.hours })
	if got := spelt(got); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestWorstDay(t *testing.T) {
	for name, c := range map[string]struct {
		list  []store.Tally
		hours int
		want  string
	}{
		"nothing": {nil, 48, ""},
		"less than a day": {
			[]store.Tally{went("a/x", 0, 10, 1), went("a/x", 5, 10, 1)}, 6, "24h 02T00 a/x 20 18\n",
		},
		"a day": {
			[]store.Tally{went("a/x", 0, 10, 1), went("a/x", 23, 10, 1)}, 24, "24h 02T00 a/x 20 18\n",
		},
		"over midnight": { // only from Monday 13 h on both bad hours are in it, and no good one
			[]store.Tally{went("a/x", 12, 100, 0), went("a/x", 13, 100, 5), went("a/x", 36, 100, 5), went("a/x", 37, 100, 0)},
			48, "24h 02T13 a/x 200 190\n",
		},
		"24 hours apart": {
			[]store.Tally{went("a/x", 12, 100, 5), went("a/x", 20, 900, 0), went("a/x", 30, 900, 0), went("a/x", 36, 100, 4)},
			48, "24h 02T00 a/x 1000 995\n",
		},
		"each method by itself": {
			[]store.Tally{went("a/x", 0, 10, 0), went("a/y", 30, 10, 9), went("b/x", 3, 7, 7)},
			48, "24h 02T00 a/x 10 10\n24h 02T07 a/y 10 1\n24h 02T00 b/x 7 0\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := spelt(worst(c.list, monday, monday.Add(time.Duration(c.hours)*time.Hour))); got != c.want {
				t.Errorf("got\n%swant\n%s", got, c.want)
			}
		})
	}
}

func TestGoals(t *testing.T) {
	for _, c := range []struct {
		calls, answered, within5s, within3s int64
		missed                              string
	}{
		{1, 1, 1, 1, ""},
		{1000, 999, 950, 900, ""},
		{100_000, 99_900, 95_000, 90_000, ""},
		{100_000, 99_899, 95_000, 90_000, "availability"},
		{100_000, 99_900, 94_999, 90_000, "within 5 s"},
		{100_000, 99_900, 95_000, 89_999, "within 3 s"},
		{1, 0, 0, 0, "availability, within 5 s, within 3 s"},
	} {
		p := period{store.Tally{Method: "a/x", Calls: c.calls, Answered: c.answered, Within5s: c.within5s, Within3s: c.within3s}, 24}
		got, met := judged([]period{p}, len(goals))
		if missed := strings.Join(got[0].Missed, ", "); missed != c.missed || met != (c.missed == "") {
			t.Errorf("%+v: missed %q, met: %t", c, missed, met)
		}
		only, met := judged([]period{p}, 1)
		if unavailable := strings.HasPrefix(c.missed, "availability"); met == unavailable || len(only[0].Missed) != int(count(unavailable)) {
			t.Errorf("%+v by availability alone: %q, met: %t", c, only[0].Missed, met)
		}
	}
	if list, _ := judged([]period{{went("merchant/x", 0, 1, 0), 24}, {went("v1/echo", 0, 1, 0), 24}}, 1); !list[0].Ours || list[1].Ours {
		t.Error("the goals for merchants are ours, and those of Google are not")
	}
}

// Where every day of the calendar is good, 24 hours that begin within one may not be.
func TestAnyDayMustBeGood(t *testing.T) {
	kept := &memory{list: []store.Tally{went("a/x", 2, 900, 0), went("a/x", 20, 100, 1), went("a/x", 30, 100, 1), went("a/x", 47, 900, 0)}}
	r, err := newMeasure("a", kept).report(t.Context(), monday, monday.Add(48*time.Hour), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range r.Periods {
		if len(p.Missed) > 0 {
			t.Errorf("%+v", p)
		}
	}
	w := r.Worst[0]
	if r.Met || !slices.Equal(w.Missed, []string{"availability"}) || w.Calls != 100 || !w.From.Equal(monday.Add(3*time.Hour)) {
		t.Errorf("%+v", r)
	}
}

func TestVerdicts(t *testing.T) {
	for status, want := range map[int]verdict{
		200: answered, 500: failed, 503: failed, 409: failed,
		400: beside, 401: beside, 403: beside, 404: beside, 405: beside, 412: beside, 413: beside, 429: beside,
	} {
		if got := ofGoogle(status); got != want {
			t.Errorf("Google's %d: %d, not %d", status, got, want)
		}
	}
	for _, c := range []struct {
		status int
		code   merchant.Code
		want   verdict
	}{
		{200, merchant.Success, answered},
		{200, merchant.BalanceLow, answered},
		{200, merchant.PoolEmpty, answered},
		{200, merchant.NetworkDelay, failed},
		{500, merchant.NetworkDelay, failed},
		{200, merchant.BadSignature, beside},
		{200, merchant.BelowMinimum, beside},
		{200, merchant.NotFound, beside},
		{404, merchant.BadParameter, beside},
	} {
		if got := ofMerchants(c.status, c.code); got != c.want {
			t.Errorf("a merchant's %d %s: %d, not %d", c.status, c.code, got, c.want)
		}
	}
}

// A call counts in the hour in which it began, and what comes at the last moment is in time.
func TestCallsAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // it is midnight
		kept := &memory{}
		m := newMeasure("a", kept)
		for _, c := range []struct {
			method  string
			v       verdict
			seconds float64
		}{
			{"x", answered, 0},
			{"x", beside, 0},
			{"none", failed, 0},
			{"x", answered, 3},
			{"x", answered, 3.001},
			{"x", answered, 5},
			{"x", answered, 5.001},
			{"x", answered, 7},
			{"x", answered, 7.001},
			{"x", failed, 0},
		} {
			m.called("a", c.method, c.v, c.seconds)
		}
		m.write(t.Context())
		now := m.clock.Now()
		want := []store.Tally{
			{Method: "a/x", Hour: now.Add(-time.Hour), Calls: 6, Answered: 5, Within5s: 3, Within3s: 1},
			{Method: "a/x", Hour: now, Calls: 2, Answered: 1, Within5s: 1, Within3s: 1},
		}
		slices.SortFunc(kept.list, func(a, b store.Tally) int { return a.Hour.Compare(b.Hour) })
		if !reflect.DeepEqual(kept.list, want) {
			t.Errorf("got %+v\nwant %+v", kept.list, want)
		}
	})
}

// Sums are written every few seconds and at the end; what the database does not take is not lost.
func TestCountsAreWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kept := &memory{}
		m := newMeasure("a", kept)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- m.Run(ctx) }()
		call := func() { m.called("a", "x", answered, 0) }
		wait := func(d time.Duration, writes int, calls int64) {
			t.Helper()
			time.Sleep(d) // of the bubble
			synctest.Wait()
			if w, c := kept.written(); w != writes || c != calls {
				t.Errorf("%d writes of %d calls, not %d of %d", w, c, writes, calls)
			}
		}
		call()
		wait(writeEvery-1, 0, 0)
		wait(1, 1, 1)
		wait(3*writeEvery, 1, 1) // there is nothing to write
		call()
		kept.breaks(errors.New("the database is away"))
		wait(writeEvery, 2, 1)
		call()
		wait(writeEvery, 3, 1)
		kept.breaks(nil)
		wait(writeEvery, 4, 3)
		call()
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		wait(0, 5, 4)
	})
}

// memory keeps tallies, or does not.
type memory struct {
	mu     sync.Mutex
	list   []store.Tally
	writes int
	broken error
}

func (m *memory) AddTallies(ctx context.Context, _ string, list []store.Tally) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.writes++
	if err := errors.Join(m.broken, ctx.Err()); err != nil {
		return err
	}
	m.list = append(m.list, list...)
	return nil
}

func (m *memory) Tallies(context.Context, time.Time, time.Time) ([]store.Tally, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.list), m.broken
}

// written says how often it was written to, and how many calls that told.
func (m *memory) written() (writes int, calls int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, t := range m.list {
		calls += t.Calls
	}
	return m.writes, calls
}

func (m *memory) breaks(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.broken = err
}

func newMeasure(node string, kept tallies) *performance {
	return newPerformance(node, kept, &clock.Movable{}, slog.New(slog.DiscardHandler))
}

// still is a clock that stands.
type still struct {
	clock.Clock
	at time.Time
}

func (s still) Now() time.Time { return s.at }

// Whichever node is asked, the answer is the sum of all.
func TestEveryNodeSaysTheSame(t *testing.T) {
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "naru.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	at, quiet := still{at: monday.Add(9*time.Hour + 30*time.Minute)}, slog.New(slog.DiscardHandler)
	a, b := newPerformance("a", db, at, quiet), newPerformance("b", db, at, quiet)
	for range 600 {
		a.called("korea-cards-v1", "reserveFunds", answered, 0.2)
		b.called("korea-cards-v1", "reserveFunds", answered, 4)
	}
	a.called("card-fop-v1", "reserveFunds", failed, 0.1)
	b.called("merchant", "createPayout", answered, 0.1)
	for _, m := range []*performance{a, b} {
		m.write(t.Context())
	}
	got := answer(t, a, "", http.StatusOK)
	if other := answer(t, b, "", http.StatusOK); got != other {
		t.Errorf("one node says\n%sthe other\n%s", got, other)
	}
	var r sloJSON
	if err := json.Unmarshal([]byte(got), &r); err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	for _, p := range append(r.Periods, r.Worst...) {
		fmt.Fprintf(&said, "%dh %s %s %s %d/%d %d %d %q\n",
			p.Hours, p.From.Format("02T15"), p.API, p.Method, p.Answered, p.Calls, p.Within5s, p.Within3s, p.Missed)
	}
	const want = `24h 02T00 card-fop-v1 reserveFunds 0/1 0 0 ["availability" "within 5 s" "within 3 s"]
24h 02T00 merchant createPayout 1/1 1 1 []
1h 02T09 korea-cards-v1 reserveFunds 1200/1200 1200 600 ["within 3 s"]
24h 01T10 card-fop-v1 reserveFunds 0/1 0 0 ["availability"]
24h 01T10 korea-cards-v1 reserveFunds 1200/1200 1200 600 []
24h 01T10 merchant createPayout 1/1 1 1 []
`
	if said.String() != want || r.Met {
		t.Errorf("said\n%swant\n%smet: %t", &said, want, r.Met)
	}
	scraped := scrape(t, a)
	if scraped != scrape(t, b) || !strings.Contains(scraped, `naru_slo_within_3s_ratio{api="korea-cards-v1",method="reserveFunds"} 0.5`) {
		t.Errorf("scraped\n%s", scraped)
	}
}

func TestScrape(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kept := &memory{list: []store.Tally{{
			Method: "korea-cards-v1/reserveFunds", Hour: time.Now().UTC(), Calls: 2000, Answered: 1999, Within5s: 1900, Within3s: 1000,
		}}}
		const want = `# HELP naru_slo_availability_ratio Share of them with a valid answer within 7 s.
# TYPE naru_slo_availability_ratio gauge
naru_slo_availability_ratio{api="korea-cards-v1",method="reserveFunds"} 0.9995
# HELP naru_slo_calls Valid requests in the present measuring period.
# TYPE naru_slo_calls gauge
naru_slo_calls{api="korea-cards-v1",method="reserveFunds"} 2000
# HELP naru_slo_within_3s_ratio Share of them with a valid answer within 3 s.
# TYPE naru_slo_within_3s_ratio gauge
naru_slo_within_3s_ratio{api="korea-cards-v1",method="reserveFunds"} 0.5
# HELP naru_slo_within_5s_ratio Share of them with a valid answer within 5 s.
# TYPE naru_slo_within_5s_ratio gauge
naru_slo_within_5s_ratio{api="korea-cards-v1",method="reserveFunds"} 0.95
`
		if got := scrape(t, newMeasure("a", kept)); got != want {
			t.Errorf("got\n%s", got)
		}
	})
}

func scrape(t *testing.T, m *performance) string {
	t.Helper()
	r := prometheus.NewRegistry()
	r.MustRegister(m)
	w := httptest.NewRecorder()
	promhttp.HandlerFor(r, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	return w.Body.String()
}

func answer(t *testing.T, m *performance, query string, status int) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/slo?"+query, nil))
	if w.Code != status {
		t.Errorf("%s: %d, not %d", query, w.Code, status)
	}
	return w.Body.String()
}

// What is asked for is what is judged: days of UTC up to the present hour, without announced maintenance.
func TestWhatIsJudged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(monday.Add(33*time.Hour + 30*time.Minute))) // of the bubble: Tuesday, half past nine
		kept := &memory{list: []store.Tally{went("a/x", 0, 10, 0), went("a/x", 1, 10, 10), went("a/x", 2, 10, 10), went("a/x", 3, 10, 0)}}
		m := newMeasure("a", kept)
		for _, c := range []struct {
			query, from, until string
			calls              int64
			met                bool
		}{
			{"", "2026-02-25T00", "2026-03-03T10", 40, false},
			{"days=1", "2026-03-03T00", "2026-03-03T10", 40, false}, // memory gives what it has
			{"from=2026-03-02", "2026-03-02T00", "2026-03-03T10", 40, false},
			{"from=2026-03-02&days=1", "2026-03-02T00", "2026-03-03T00", 40, false},
			{"from=2026-03-02&except=2026-03-02T01:00Z/2026-03-02T03:00Z", "2026-03-02T00", "2026-03-03T10", 20, true},
			{"from=2026-03-02&except=2026-03-02T10:00%2B09:00/2026-03-02T11:00%2B09:00", "2026-03-02T00", "2026-03-03T10", 30, false},
			{
				"from=2026-03-02&except=2026-03-02T01:00Z/2026-03-02T02:00Z&except=2026-03-02T02:00Z/2026-03-02T03:00Z",
				"2026-03-02T00", "2026-03-03T10", 20, true,
			},
			{"from=2026-03-02&except=2026-03-02T00:00Z/2026-03-03T00:00Z", "2026-03-02T00", "2026-03-03T10", 0, true},
		} {
			var r sloJSON
			if err := json.Unmarshal([]byte(answer(t, m, c.query, http.StatusOK)), &r); err != nil {
				t.Fatal(err)
			}
			const hour = "2006-01-02T15"
			var calls int64
			for _, p := range r.Periods {
				calls += p.Calls
			}
			if r.From.Format(hour) != c.from || r.Until.Format(hour) != c.until || calls != c.calls || r.Met != c.met {
				t.Errorf("%s: from %s until %s, %d calls, met: %t", c.query, r.From.Format(hour), r.Until.Format(hour), calls, r.Met)
			}
		}
		for query, why := range map[string]string{
			"days=0":   "days are 1 to 366",
			"days=367": "days are 1 to 366",
			"days=x":   "days are 1 to 366",
			"from=2.3": "a day is written as 2026-03-02",
			"from=" + url.QueryEscape("2026-03-02T00:00Z"): "a day is written as 2026-03-02",
			"from=2026-03-04":                                 "that day has not begun",
			"except=tonight":                                  "maintenance is written as",
			"except=2026-03-02T01:00Z":                        "maintenance is written as",
			"except=2026-03-02T01:00Z/2026-03-02T02:30Z":      "full hour",
			"except=2026-03-02T01:00Z/2026-03-02T03:00-0330":  "maintenance is written as",
			"except=2026-03-02T01:00Z/2026-03-02T03:00-03:30": "full hour",
			"except=2026-03-02T01:00Z/2026-03-02T01:00Z":      "ends after it begins",
		} {
			if said := answer(t, m, query, http.StatusBadRequest); !strings.Contains(said, why) {
				t.Errorf("%s: %s", query, said)
			}
		}
		kept.breaks(errors.New("the database is away"))
		answer(t, m, "", http.StatusInternalServerError)
	})
}
