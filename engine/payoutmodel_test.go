package engine_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"naru/core/fault"
	"naru/core/payout"
	"naru/crash"
	"naru/engine"
)

// payoutModel is a caller's memory: what it asked under each of its names, and what it heard, be it as an answer or as a notice. Together with
// the bank's own books it is the truth that the engine is measured by (disburse v1 §2, §7, §10; rails §2.7).
type payoutModel struct {
	*paying
	asked  map[string]int64  // paise
	heard  map[string]string // the verdict: SUCCESS or a reason
	answer map[string]string // in full
	notice map[string]int
	steps  map[string]int
}

var (
	payoutWires = []fate{
		through, through, through, through, through, lostSaying, lostSaying, lostAsk, slowly, unsent, busy,
	}
	payoutAsks  = []fate{through, through, through, lostAsk, unsent, busy, hidden}
	payoutMakes = []making{
		credits, credits, credits, keeps, keeps, queues, deems, undoes, passing, passing, closed, tooMuch, wrongly,
	}
	payoutPoints = []crash.Point{crash.PayoutAccepted, crash.PayoutClaimed, crash.PayoutAnswered, crash.PayoutSettled}
)

// payoutNext is where an order may go from a state, by the bank's own rules (rails §2.5).
var payoutNext = map[string][]making{
	"queued": {keeps, {state: "failed", code: "low_balance"}},
	"processing": {
		credits, deems, undoes, passing, closed, {state: "reversed", code: "bank"}, {state: "reversed", why: payout.OnHold, code: "bank"},
	},
	"deemed":    {credits, {state: "reversed", why: payout.OnHold, code: "RET"}, passing},
	"reversing": {credits, {state: "reversed", code: "OC"}, deems, closed},
	"processed": {{state: "reversed", code: "RET"}},
	"failed":    {{state: "reversed", code: "late"}},
}

// some draws a few of what may happen next.
func some[T any](t *rapid.T, all []T, name string) []T {
	return rapid.SliceOfN(rapid.SampledFrom(all), 0, 4).Draw(t, name)
}

// faults of the bank and of the line, for what comes next.
func (m *payoutModel) faults(t *rapid.T) {
	m.payer.mu.Lock()
	defer m.payer.mu.Unlock()
	m.payer.wire, m.payer.asks, m.payer.makes = some(t, payoutWires, "wire"), some(t, payoutAsks, "asks"), some(t, payoutMakes, "makes")
	m.payer.during = nil
	if rapid.IntRange(0, 5).Draw(t, "during") == 0 { // the bank tells of it before it answers
		m.payer.during = func() { m.mayFail(m.news(m.payer.mail())) }
	}
}

// breaks fails one of the next transactions, now and then.
func (w *world) breaks(t *rapid.T, steps map[string]int) {
	if n := rapid.IntRange(0, 20).Draw(t, "disk"); n < 3 {
		w.store.mu.Lock()
		w.store.fail = func() error {
			w.store.mu.Lock()
			defer w.store.mu.Unlock()
			if n--; n < 0 {
				w.store.fail = nil
				steps["disk failed"]++
				return errDisk
			}
			return nil
		}
		w.store.mu.Unlock()
	}
}

// dies runs what may die on the way, at one of these points.
func (w *world) dies(t *rapid.T, points []crash.Point, steps map[string]int, run func()) {
	if rapid.IntRange(0, 4).Draw(t, "dies") == 0 {
		w.die = rapid.SampledFrom(points).Draw(t, "point")
	}
	died := survives(run)
	w.die = ""
	w.store.mu.Lock()
	w.store.fail = nil
	w.store.mu.Unlock()
	if died {
		steps["died"]++
		w.start()
	}
}

// mayFail accepts that the disk failed: the bank tells it again.
func (m *payoutModel) mayFail(err error) {
	if err != nil && !strings.Contains(err.Error(), errDisk.Error()) {
		m.Fatal(err)
	}
}

func (m *payoutModel) news(list []payout.News) error {
	for i, n := range list {
		if err := m.PayoutNews(context.Background(), "pb", n); err != nil {
			m.payer.mu.Lock()
			m.payer.news = append(m.payer.news, list[i:]...)
			m.payer.mu.Unlock()
			return err
		}
	}
	return nil
}

var payoutNames = []string{"q0", "q1", "q2", "q3", "q4", "q5"}

func (m *payoutModel) asksAny(t *rapid.T) {
	id := rapid.SampledFrom(payoutNames).Draw(t, "id")
	minor, again := m.asked[id]
	if !again {
		minor = rapid.SampledFrom([]int64{50, 100, 12_550, 5_000_000, 20_000_000}).Draw(t, "minor")
		m.asked[id] = minor
	}
	m.faults(t)
	m.breaks(t, m.steps)
	copies := rapid.SampledFrom([]int{1, 1, 1, 3}).Draw(t, "copies")
	if copies == 1 {
		m.dies(t, payoutPoints, m.steps, func() { m.hearsAnswer(t, id, minor, m.Engine) })
		return
	}
	two := m.Engine // repeats in parallel, on two nodes
	m.start()
	nodes := []*engine.Engine{two, m.Engine}
	m.clock.sleep = m.tick
	var all sync.WaitGroup
	got, errs := make([]string, copies), make([]error, copies)
	for i := range copies {
		all.Go(func() { got[i], errs[i] = m.disburseOn(context.Background(), nodes[i%2], id, minor) })
	}
	all.Wait()
	m.store.fail, m.clock.sleep = nil, nil
	for i := range copies {
		if errs[i] == nil || m.answer[id] == "" { // of copies one may hear what another one was too early for
			m.hear(t, id, got[i], errs[i])
		}
	}
}

// tick lets the time pass for which one node leaves a key to another one.
func (w *paying) tick() { w.clock.Advance(20 * time.Millisecond) }

func (m *payoutModel) hearsAnswer(t *rapid.T, id string, minor int64, e *engine.Engine) {
	got, err := m.disburseOn(context.Background(), e, id, minor)
	m.hear(t, id, got, err)
}

// hear compares an answer with what was heard before, in whatever way.
func (m *payoutModel) hear(t *rapid.T, id, got string, err error) {
	if err != nil {
		if k, _ := fault.Of(err); k != fault.Unavailable && k != fault.Aborted {
			t.Fatalf("%s: %v (kind %d)", id, err, k)
		}
		if m.answer[id] != "" && !strings.Contains(err.Error(), errDisk.Error()) {
			t.Fatalf("%s: %v after %q", id, err, m.answer[id])
		}
		return
	}
	if before := m.answer[id]; before != "" && before != got {
		t.Fatalf("%s: %q after %q", id, got, before)
	}
	m.answer[id] = got
	words := strings.Fields(got)
	m.learn(t, id, map[string]string{"YES": "SUCCESS", "NO": words[1]}[words[0]])
}

func (m *payoutModel) learn(t *rapid.T, id, verdict string) {
	if before := m.heard[id]; before != "" && before != verdict {
		t.Fatalf("%s: told %s after %s", id, verdict, before)
	}
	m.heard[id] = verdict
}

// listen takes the notices that are owed now.
func (m *payoutModel) listen(t *rapid.T) {
	before := len(m.sent)
	m.notices()
	for _, n := range m.sent[before:] {
		if n.Kind != engine.PayoutResult {
			t.Fatalf("told %+v", n)
		}
		if m.notice[n.Subject]++; m.notice[n.Subject] > 1 {
			t.Fatalf("%s was told twice", n.Subject)
		}
		m.learn(t, n.Subject, n.Result)
	}
}

func (m *payoutModel) otherBody(t *rapid.T) {
	id := rapid.SampledFrom(payoutNames).Draw(t, "id")
	if minor, ok := m.asked[id]; ok {
		known := false
		m.look(func(v engine.Reader) (err error) { _, known, err = v.PayoutByRequest(key(id)); return err })
		if known {
			m.no(fault.KeyReused)(m.disburse(id, minor+1))
		}
	}
}

func (m *payoutModel) passes(t *rapid.T) {
	d := rapid.SampledFrom([]time.Duration{
		10 * time.Second, 30 * time.Second, time.Minute, 3 * time.Minute, 20 * time.Minute, time.Hour, 26 * time.Hour, 8 * 24 * time.Hour,
	}).Draw(t, "time")
	m.clock.Advance(d)
	if rapid.Bool().Draw(t, "dark") { // nobody was there to work meanwhile
		m.start()
	}
}

func (m *payoutModel) worksOn(t *rapid.T) {
	m.faults(t)
	m.breaks(t, m.steps)
	m.dies(t, payoutPoints, m.steps, func() { _ = m.PayDue(context.Background()) })
}

// bankMoves takes an order on, and delivers some of the news, in any order, some of them twice.
func (m *payoutModel) bankMoves(t *rapid.T) {
	m.payer.mu.Lock()
	m.payer.arrivals()
	if n := len(m.payer.orders); n > 0 {
		r := m.payer.orders[rapid.IntRange(0, n-1).Draw(t, "order")]
		ways := payoutNext[r.state]
		if len(ways) > 0 && (!r.credited || r.state == "processed" && rapid.IntRange(0, 3).Draw(t, "returns") == 0) {
			m.payer.become(r, rapid.SampledFrom(ways).Draw(t, "way"))
		}
	}
	m.payer.mu.Unlock()
}

func (m *payoutModel) newsAny(t *rapid.T) {
	mail := m.payer.mail()
	if len(mail) == 0 {
		return
	}
	m.faults(t)
	m.breaks(t, m.steps)
	order := rapid.Permutation(mail).Draw(t, "order")
	order = order[:rapid.IntRange(0, len(order)).Draw(t, "delivered")] // the rest is lost
	if rapid.Bool().Draw(t, "again") {
		order = append(order, order...)
	}
	m.dies(t, payoutPoints, m.steps, func() { m.mayFail(m.news(order)) })
}

func (m *payoutModel) statement(t *rapid.T) {
	m.faults(t)
	m.breaks(t, m.steps)
	m.dies(t, payoutPoints, m.steps, func() { _ = m.ReadStatement(context.Background(), "pb") })
}

// desk is the operators at work.
func (m *payoutModel) desk(t *rapid.T) {
	list, err := m.ListCases(context.Background(), true, 100)
	m.must(err)
	for _, c := range list {
		switch c.Kind {
		case "payout-stuck", "payout-misfit", "payout-absent":
			_ = m.ResumeCase(context.Background(), c.ID, "again") // it may be over
		case "payout-returned":
			m.must(m.CloseCase(context.Background(), c.ID, "settled"))
		case "float-differs":
			if m.kept() == 0 {
				t.Fatalf("the float differs: %+v", c)
			}
			m.must(m.CloseCase(context.Background(), c.ID, "fees"))
		default:
			t.Fatalf("a case that an honest bank does not make: %+v", c)
		}
	}
}

// kept is what the bank took for orders that were credited and came back before anybody heard of it: for us they failed, and cost nothing.
func (m *payoutModel) kept() (sum int64) {
	for _, r := range m.payer.orders {
		m.look(func(v engine.Reader) error {
			a, _, err := v.PayoutAttemptByReference("pb", r.ref)
			if r.credited && r.dead() && a.State == payout.AttemptFailed && !m.payer.feesBack {
				sum += m.payer.fees + m.payer.tax
			}
			return err
		})
	}
	return sum
}

func (m *payoutModel) refuses(t *rapid.T) {
	id := rapid.SampledFrom(payoutNames).Draw(t, "id")
	if _, ok := m.asked[id]; !ok {
		return
	}
	m.look(func(v engine.Reader) error {
		p, ok, err := v.PayoutByRequest(key(id))
		if ok && p.State == payout.Waiting {
			defer func() { m.must(m.RefusePayout(context.Background(), p.ID, payout.OnHold, "note")) }()
		}
		return err
	})
}

// drain ends all faults, and lets the bank end all orders and time pass until nothing is open.
func (m *payoutModel) drain(t *rapid.T) {
	m.payer.mu.Lock()
	m.payer.wire, m.payer.asks, m.payer.makes, m.payer.during = nil, nil, nil, nil
	m.payer.mu.Unlock()
	ends := rapid.Bool().Draw(t, "the rest is paid")
	for range 60 {
		m.payer.mu.Lock()
		m.payer.arrivals()
		for _, r := range m.payer.orders {
			switch {
			case r.state == "processed" || r.dead():
			case ends:
				m.payer.become(r, credits)
			default:
				m.payer.become(r, closed)
			}
		}
		m.payer.mu.Unlock()
		if m.clock.Now().Second()%2 == 0 {
			m.must(m.news(m.payer.mail()))
		}
		m.must(m.PayDue(context.Background()))
		m.must(m.ReadStatement(context.Background(), "pb"))
		m.desk(t)
		if m.isOver() {
			return
		}
		m.clock.Advance(35*time.Minute + time.Second)
		if m.steps["drained"]++; m.clock.Now().Minute()%3 == 0 {
			m.clock.Advance(20 * time.Hour)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(m.asked)) {
		p, a := m.payout(id)
		t.Logf("%s: %+v %+v", id, p, a)
	}
	t.Fatal("a payout is open for ever")
}

func (m *payoutModel) isOver() (over bool) {
	over = true
	m.look(func(v engine.Reader) error {
		for id := range m.asked {
			p, ok, err := v.PayoutByRequest(key(id))
			if over = over && (!ok || p.State.Final()); err != nil {
				return err
			}
		}
		return nil
	})
	return over
}

// check is what must be true in the end.
func (m *payoutModel) check(t *rapid.T) {
	for _, wrong := range m.payer.wrong {
		t.Fatalf("the bank was sent %s", wrong)
	}
	receivable, suspense := int64(0), int64(0)
	for _, id := range slices.Sorted(maps.Keys(m.asked)) {
		m.isTold(t, id)
		got, err := m.disburse(id, m.asked[id]) // the caller asks until it hears
		m.hear(t, id, got, err)
		p, _ := m.payout(id)
		paid, back := m.payer.standing(p.ID)
		told := m.heard[id]
		switch {
		case paid > 1:
			t.Fatalf("%s was paid %d times", id, paid)
		case told == "SUCCESS" && p.State == payout.Paid && paid == 1:
			receivable += p.Amount.Minor()
		case told == "SUCCESS" && p.State == payout.Returned && paid == 0 && back > 0:
			receivable, suspense = receivable+p.Amount.Minor(), suspense-p.Amount.Minor()
		case told != "SUCCESS" && p.State == payout.Refused && paid == 0:
		default:
			t.Fatalf("%s: the caller heard %q, we say %s; paid %d, back %d", id, told, p.State, paid, back)
		}
		if told != "SUCCESS" && told != string(p.Reason) {
			t.Fatalf("%s: told %s, and it was %s", id, told, p.Reason)
		}
		m.steps[string(p.State)]++
		m.steps["attempts"] += int(p.Attempts)
	}
	m.listen(t) // and nothing more is told
	m.checkBooks(t, map[string]int64{"google:receivable": receivable, "suspense:returned": suspense})
}

// isTold: what ended without an answer to the caller was told by a notice (disburse v1 §7.2).
func (m *payoutModel) isTold(t *rapid.T, id string) {
	m.look(func(v engine.Reader) error {
		_, known, err := v.PayoutByRequest(key(id))
		_, answered, err2 := v.Idempotency(key(id))
		if known && !answered && m.notice[id] == 0 {
			t.Fatalf("nobody was told how %s ended", id)
		}
		return errors.Join(err, err2)
	})
}

// checkBooks: what follows from the payouts, what the bank says that it holds for us, and nothing together.
func (m *payoutModel) checkBooks(t *rapid.T, want map[string]int64) {
	want["payout:float"] = m.payer.float + m.kept()
	list, err := m.db.Balances(context.Background())
	m.must(err)
	total := int64(0)
	for _, b := range list {
		total += b.Amount
		if amount, ok := want[b.Account]; ok && b.Amount != amount || b.Account == "payout:inflight" && b.Amount != 0 {
			t.Fatalf("%s of %s is %d, not %d", b.Account, b.Owner, b.Amount, amount)
		}
		delete(want, b.Account)
	}
	for account, amount := range want {
		if amount != 0 {
			t.Fatalf("%s is nothing, not %d", account, amount)
		}
	}
	if total != 0 {
		t.Fatalf("the books are %d off", total)
	}
}

func TestAnyHistoryPaysOnce(t *testing.T) {
	const payoutScripts, payoutParts = 240, 4
	inParts(t, payoutParts, payoutScripts, payoutHistories, onFiles)
}

func TestAnyHistoryOnPostgresPaysOnce(t *testing.T) { inParts(t, 2, 24, payoutHistories, onPostgres) }

// payoutHistories plays one script after the other.
func payoutHistories(t *testing.T, where func(*testing.T) places) (scripts int, total map[string]int) {
	place, total := where(t), map[string]int{}
	rapid.Check(t, func(rt *rapid.T) {
		scripts++
		var cleanup []func()
		defer func() {
			for _, c := range cleanup {
				c()
			}
		}()
		path := place(scripts)
		m := &payoutModel{
			asked: map[string]int64{}, heard: map[string]string{}, answer: map[string]string{}, notice: map[string]int{}, steps: total,
		}
		guard := rapid.SampledFrom([]engine.FloatGuard{engine.NoGuard, engine.NoGuard, engine.GuardRefuse, engine.GuardQueue}).Draw(rt, "guard")
		m.paying = payingAt(rt, path, func(c func()) { cleanup = append(cleanup, c, func() { _ = os.Remove(path) }) },
			bank(func(b *engine.Bank) { b.Guard = guard }))
		m.store.Store = m.db
		m.payer.fees, m.payer.tax, m.payer.feesBack = 300, 54, rapid.Bool().Draw(rt, "fees back")
		m.payer.fund(100_000_000, "bank_transfer")
		m.must(m.ReadStatement(context.Background(), "pb"))
		steps := map[string]func(*rapid.T){}
		for i, s := range []struct { // rapid likes the first ones best
			name string
			step func(*rapid.T)
		}{
			{"disburse", m.asksAny},
			{"pay", m.worksOn},
			{"clock", m.passes},
			{"bank", m.bankMoves},
			{"news", m.newsAny},
			{"disburse", m.asksAny},
			{"statement", m.statement},
			{"other body", m.otherBody},
			{"desk", m.desk},
			{"refuse", m.refuses},
		} {
			steps[fmt.Sprintf("%02d %s", i, s.name)] = func(t *rapid.T) {
				total[s.name]++
				m.tb = t
				s.step(t)
				m.listen(t)
			}
		}
		m.tb = rt
		rt.Repeat(steps)
		m.drain(rt)
		m.listen(rt)
		m.check(rt)
		total["payouts"] += len(m.asked)
		total["orders at the bank"] += len(m.payer.orders)
	})
	return scripts, total
}
