package engine_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"naru/core/fault"
	"naru/core/payment"
	"naru/crash"
	"naru/engine"
)

// model is the caller's memory: what it asked under each of its names, and what it was told. Together with the acquirer's own books it is
// the truth that the engine is measured by (rails §5, I1-I3).
type model struct {
	*world
	reserves map[string]*asked // by requestId
	captures map[string]*asked
	cancels  map[string]*asked
	steps    map[string]int
}

// asked is one request of the caller.
type asked struct {
	of     string // the reservation it is about
	won    int64
	answer string // the one answer it has had; empty while there were only errors
}

// The acquirer's moods. Only what a network can do: it does not withdraw what it has captured, nor call a repeat a collision.
var (
	authMoods = []func(*acquirer, payment.AuthOrder) payment.Outcome{
		approve, approve, approve, decline, partial, notSent, issuerDown, lostAnswer, lostRequest, lateRequest, untilHours(1),
		untilHours(24 * 10),
	}
	adviceMoods = []func(*acquirer, payment.AdviceOrder, bool) payment.AdviceReply{
		honest, honest, honest, lostReply, silent, linkDown, patience, taken, withdrawn,
	}
)

func untilHours(n int) func(*acquirer, payment.AuthOrder) payment.Outcome {
	return func(a *acquirer, o payment.AuthOrder) payment.Outcome {
		return approveUntil(a.now().Add(time.Duration(n)*time.Hour))(a, o)
	}
}

// taken says that another message has our number, also of what it has booked itself; a repeat it knows.
func taken(a *acquirer, o payment.AdviceOrder, repeat bool) payment.AdviceReply {
	if repeat || o.Renewed {
		return honest(a, o, repeat)
	}
	return collided(a, o, repeat)
}

// withdrawn lets a hold go at the issuer's wish, and refuses its capture.
func withdrawn(a *acquirer, o payment.AdviceOrder, repeat bool) payment.AdviceReply {
	a.mu.Lock()
	for _, h := range a.holds {
		if o.Kind == payment.Completion && h.trace == o.Original && h.state == "held" {
			h.state = "released"
			r := revoked(a, o, repeat)
			a.remember(o, r)
			a.mu.Unlock()
			return r
		}
	}
	a.mu.Unlock()
	return honest(a, o, repeat)
}

// dies may kill the process at one of the points, and the store may fail once.
func (m *model) dies(t *rapid.T, run func(), points ...crash.Point) (died bool) {
	if rapid.IntRange(0, 5).Draw(t, "dies") == 0 {
		m.die = rapid.SampledFrom(points).Draw(t, "point")
	}
	died = survives(run)
	m.die, m.store.fail = "", nil
	if died {
		m.steps["died"]++
		m.start()
	}
	return died
}

// disk fails one of the next transactions, now and then.
func (m *model) disk(t *rapid.T) {
	if n := rapid.IntRange(0, 20).Draw(t, "disk"); n < 3 {
		m.store.fail = func() error {
			if n--; n < 0 {
				m.store.fail = nil
				m.steps["disk failed"]++
				return errDisk
			}
			return nil
		}
	}
}

// told compares an answer with what was said before.
func (m *model) told(t *rapid.T, id string, q *asked, got string, err error) {
	switch k, _ := fault.Of(err); {
	case err == nil && q.answer != "" && got != q.answer:
		t.Fatalf("%s: %q after %q", id, got, q.answer)
	case err == nil:
		q.answer = got
	case q.answer != "" && k != fault.Unavailable && k != fault.Aborted:
		t.Fatalf("%s: %v after %q", id, err, q.answer)
	case k == fault.Internal:
		t.Fatalf("%s: %v", id, err)
	}
}

func (m *model) reserveAny(t *rapid.T) {
	id, won := rapid.SampledFrom([]string{"r0", "r1", "r2", "r3"}).Draw(t, "id"), rapid.Int64Range(1, 3).Draw(t, "won")*100
	q := m.reserves[id]
	if q == nil {
		q = &asked{of: id}
		m.reserves[id] = q
	}
	if q.answer != "" && won != q.won {
		m.no(fault.KeyReused)(m.reserve(id, won))
		return
	}
	before := q.won
	q.won = won // without an answer the terms may change
	m.auth(rapid.SampledFrom(authMoods).Draw(t, "mood"))
	m.disk(t)
	m.dies(t, func() {
		ctx, cancel := context.WithCancel(context.Background()) // its deadline comes as soon as it has to wait for somebody
		defer cancel()
		m.clock.sleep = cancel
		got, err := m.reserveAs(ctx, id, engine.ReserveAsk{Order: order(won), Encode: said})
		if k, _ := fault.Of(err); k == fault.KeyReused && won != before { // an answer we did not hear, or a call that is not recovered yet
			q.won = before
			return
		}
		m.told(t, id, q, got, err)
	}, crash.ReserveAccepted, crash.ReserveSent, crash.ReserveSettled)
	m.auth()
	m.clock.sleep = nil
}

func (m *model) captureAny(t *rapid.T) {
	id, of := rapid.SampledFrom([]string{"c0", "c1", "c2"}).Draw(t, "id"), rapid.SampledFrom([]string{"r0", "r1", "r2", "r3"}).Draw(t, "of")
	q := m.captures[id]
	if q == nil {
		q = &asked{of: of, won: rapid.Int64Range(1, 3).Draw(t, "won") * 100}
		m.captures[id] = q
	}
	m.disk(t)
	m.dies(t, func() {
		got, err := m.capture(id, q.of, q.won)
		m.told(t, id, q, got, err)
	}, crash.CaptureAccepted)
}

func (m *model) cancelAny(t *rapid.T) {
	id, of := rapid.SampledFrom([]string{"x0", "x1", "x2"}).Draw(t, "id"), rapid.SampledFrom([]string{"r0", "r1", "r2", "r3"}).Draw(t, "of")
	q := m.cancels[id]
	if q == nil {
		q = &asked{of: of}
		m.cancels[id] = q
	}
	m.disk(t)
	m.dies(t, func() {
		got, err := m.cancel(id, q.of)
		m.told(t, id, q, got, err)
	}, crash.CancelAccepted)
}

// advicePoints are where the sender of advices may die.
var advicePoints = []crash.Point{crash.AdviceClaimed, crash.AdviceAnswered, crash.AdviceSettled}

func (m *model) forwardAny(t *rapid.T) {
	for range rapid.IntRange(1, 3).Draw(t, "messages") {
		m.bank.reply = append(m.bank.reply, rapid.SampledFrom(adviceMoods).Draw(t, "mood"))
	}
	m.disk(t)
	m.dies(t, func() {
		if _, err := m.ForwardDue(context.Background()); err != nil {
			t.Fatal(err)
		}
	}, advicePoints...)
	m.replies()
}

func (m *model) expireAny(t *rapid.T) {
	m.disk(t)
	m.dies(t, m.expire, crash.ExpiryApplied)
}

func (m *model) clockAny(t *rapid.T) {
	m.clock.Advance(rapid.SampledFrom([]time.Duration{
		time.Second, 5 * time.Second, time.Minute, time.Hour, 24 * time.Hour,
		week,
	}).Draw(t, "step"))
}

func (m *model) recoverAny(t *rapid.T) {
	if _, err := m.Recover(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// drain lets everything that is owed to the network arrive, with the network in a good mood.
func (m *model) drain(t *rapid.T) {
	m.start()
	for range 10 {
		m.later(time.Minute)
	}
	owed, err := m.db.Backlog(context.Background())
	if err != nil || owed.Advices != 0 || owed.Cases != 0 {
		t.Fatalf("still owed: %+v, %v", owed, err)
	}
}

// check compares the three records once everything is quiet.
func (m *model) check(t *rapid.T) {
	m.agrees()
	notices := map[string]string{} // what the caller is told of each of its requests
	for _, n := range m.notices() {
		f := strings.Fields(n)
		if notices[f[1]] != "" {
			t.Fatalf("told twice of %s", f[1])
		}
		notices[f[1]] = f[2]
	}
	for id, q := range m.reserves {
		var r payment.Reservation
		var known bool
		m.look(func(v engine.Reader) (err error) { r, known, err = v.ReservationByRequest(key(id)); return err })
		if !known && q.answer != "" {
			t.Fatalf("%s was answered and is not known", id)
		}
		var open, captured, times int64
		for _, h := range m.bank.holds {
			if h.order.Reference == r.ID && known {
				if h.state == "late" {
					t.Fatalf("%s: a request is still under way", id)
				}
				if h.alive(m.clock.Now()) {
					open += h.amount
				}
				captured += h.captured
				times += int64(h.times)
			}
		}
		yes := strings.HasPrefix(q.answer, "YES")
		wantOpen := int64(0)
		if r.State == payment.Reserved {
			wantOpen = q.won
		}
		if open != wantOpen || open > 0 && !yes && r.State != payment.Reserved {
			t.Fatalf("%s is %s, answered %q: the acquirer holds %d", id, r.State, q.answer, open)
		}
		if strings.HasPrefix(q.answer, "NO") && open+captured != 0 {
			t.Fatalf("%s was refused, yet %d is held and %d captured", id, open, captured)
		}
		if times > 1 || captured != 0 && (r.State != payment.Captured || r.Captured.Minor() != captured) {
			t.Fatalf("%s is %s: captured %d times, %d in all", id, r.State, times, captured)
		}
	}
	for id, q := range m.captures {
		if q.answer == "" {
			continue
		}
		r := m.reservation(q.of)
		if success := r.State == payment.Captured; notices[id] == "" || success != (notices[id] == "SUCCESS") {
			t.Fatalf("capture %s of %s, which is %s: told %q", id, q.of, r.State, notices[id])
		}
	}
	for id, q := range m.cancels {
		if q.answer == "" {
			continue
		}
		if s := m.reservation(q.of).State; notices[id] != "SUCCESS" || s == payment.Captured || s == payment.Reserved {
			t.Fatalf("cancel %s of %s, which is %s: told %q", id, q.of, s, notices[id])
		}
	}
	for subject := range notices {
		if m.captures[subject] == nil && m.cancels[subject] == nil {
			t.Fatalf("told of %s, which nobody asked for", subject)
		}
	}
}

// repeat asks everything again: what was answered is answered the same, and what never was gets its answer now.
func (m *model) repeat(t *rapid.T) {
	for _, id := range slices.Sorted(maps.Keys(m.reserves)) {
		q := m.reserves[id]
		m.auth(decline)
		got, err := m.reserve(id, q.won)
		if err != nil {
			t.Fatalf("%s is never answered: %v", id, err)
		}
		m.told(t, id, q, got, err)
	}
	m.auth()
	for id, q := range m.captures {
		got, err := m.capture(id, q.of, q.won)
		if q.answer != "" && err != nil {
			t.Fatalf("%s: %v after %q", id, err, q.answer)
		}
		m.told(t, id, q, got, err)
	}
	for id, q := range m.cancels {
		got, err := m.cancel(id, q.of)
		if q.answer != "" && err != nil {
			t.Fatalf("%s: %v after %q", id, err, q.answer)
		}
		m.told(t, id, q, got, err)
	}
}

func TestAnyHistoryEndsInAgreement(t *testing.T) {
	dir, total, sequences := t.TempDir(), map[string]int{}, 0
	rapid.Check(t, func(rt *rapid.T) {
		sequences++
		var cleanup []func()
		defer func() {
			for _, c := range cleanup {
				c()
			}
		}()
		path := filepath.Join(dir, fmt.Sprint(sequences))
		m := &model{
			world:    worldAt(rt, path, func(c func()) { cleanup = append(cleanup, c, func() { _ = os.Remove(path) }) }),
			reserves: map[string]*asked{}, captures: map[string]*asked{}, cancels: map[string]*asked{}, steps: total,
		}
		m.store.Store = m.db
		m.bank.releases = rapid.Bool().Draw(rt, "releases")
		counted := func(name string, step func(*rapid.T)) func(*rapid.T) {
			return func(t *rapid.T) {
				total[name]++
				m.tb = t
				step(t)
			}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"reserve": counted("reserve", m.reserveAny), "reserve again": counted("reserve", m.reserveAny), "capture": counted("capture",
				m.captureAny),
			"cancel": counted("cancel", m.cancelAny), "forward": counted("forward", m.forwardAny), "expire": counted("expire", m.expireAny),
			"clock": counted("clock", m.clockAny), "restart": counted("restart", func(*rapid.T) { m.start() }),
			"recover": counted("recover", m.recoverAny),
		})
		m.drain(rt)
		m.check(rt)
		m.repeat(rt)
		m.drain(rt)
		m.check(rt)
	})
	t.Logf("%d sequences: %v", sequences, total)
}
