package engine_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"naru/core/fault"
	"naru/core/payment"
	"naru/core/settlement"
	"naru/crash"
	"naru/engine"
)

// model is the caller's memory: what it asked under each of its names, what it was told, and what follows from that by the spec alone.
// Together with the acquirer's own books it is the truth that the engine is measured by (Korea Cards v1 §9; rails §5, I1-I3).
type model struct {
	*world
	reserves, captures, cancels, refunds, defences map[string]*asked // by requestId
	bills                                          map[string]*bill  // captured payments and sales, by the capture's requestId
	order                                          []string          // the refunds, oldest first
	said                                           map[string]int    // what must be told now, in words
	verdicts                                       map[string]string // of captures and cancels
	kinds                                          map[string]int    // cases
	old                                            []engine.ClearingRecord
	evidence, heard, parts, online                 int

	charge, fee, vat, items                      int64 // what is to be settled
	feesIn, taxIn, lost, suspense, paidIn, moved int64 // what files say beside that
	byFile, returnFee, skip                      bool
	answered                                     map[string]bool // capture files

	steps map[string]int
}

// asked is one request of the caller.
type asked struct {
	of     string // what it is about
	won    int64
	answer string // the one answer it has had; empty while there were only errors

	// of a refund
	state    string // pending, paid or failed
	must     string // the verdict that it must have; empty where the network decides
	returned int64
	arn      string
	cleared  bool
}

// bill is a captured payment as the spec sees it.
type bill struct {
	reservation string
	amount      int64
	at          time.Time
	stages      []*stage // oldest first
	cleared     string
	arn         string
}

// stage is one stage of a dispute (Korea Cards v1 §9.5).
type stage struct {
	name       string
	stage      payment.Stage
	state      string // open, defended, closed, lost, reversed
	amount     int64
	reply, due time.Time
	byFile     string // the record that told of it
	onLine     bool
	twice      bool
}

func (s *stage) stands() bool {
	return s.stage != payment.Inquiry && (s.state == "open" || s.state == "defended" || s.state == "lost")
}

// The acquirer's moods. Only what a network can do: it does not withdraw what it has captured, nor call a repeat a collision.
var (
	authMoods = []func(*acquirer, payment.AuthOrder) payment.Outcome{
		approve, approve, approve, approve, approve, decline, partial, notSent, issuerDown, lostAnswer, lostRequest, lateRequest, untilHours(1),
		untilHours(24 * 10),
	}
	adviceMoods = []reply{
		honest, honest, honest, honest, honest, honest, lostReply, silent, linkDown, patience, taken, withdrawn, lateOrder, refuses("", "05"),
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

// The contract of the model: windows that a sequence can outlive, and fees that have to be rounded.
const (
	modelRefunds  = 60 * 24 * time.Hour
	modelDisputes = 90 * 24 * time.Hour
	modelPatience = 30 * 24 * time.Hour
	modelPart     = 3
)

func (m *model) contract(c *engine.Config) {
	a := &c.Accounts[0]
	a.RefundWindow, a.DisputeWindow, a.DisputeWait = modelRefunds, modelDisputes, modelPatience
	a.SettleBy, a.PartSize, a.SkipEmptyDays = engine.SettleByNotice, modelPart, m.skip
	a.Terms = settlement.Terms{CaptureBP: 333, CaptureFixed: 7, RefundFixed: 3, DisputeFixed: 50, VATBP: 1000, ReturnFee: m.returnFee}
}

// bp is hundredths of a percent of an amount, rounded half up, away from nothing.
func bp(amount, rate int64) int64 {
	if amount < 0 {
		return -bp(-amount, rate)
	}
	return (amount*rate + 5000) / 10000
}

// settles notes an event that the counterparty must find in a settlement: plus = we owe Google (§6.3).
func (m *model) settles(charge, fee int64) {
	m.items++
	m.charge += charge
	m.fee -= fee
	m.vat -= bp(fee, 1000)
}

// dies may kill the process at one of the points.
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

// asks calls a verb that answers at once. What nobody heard, because somebody died or the disk failed, is asked again, as the caller does.
func (m *model) asks(t *rapid.T, id string, q *asked, verb func() (string, error), point crash.Point) (got string, err error) {
	m.disk(t)
	died := m.dies(t, func() { got, err = verb() }, point)
	if kind, _ := fault.Of(err); died || kind == fault.Unavailable && errors.Is(err, errDisk) {
		got, err = verb()
	}
	m.told(t, id, q, got, err)
	return got, err
}

// opening takes some payments without trouble, so that something is there to be disputed.
func (m *model) opening(t *rapid.T) {
	for i := range rapid.IntRange(0, 3).Draw(t, "payments") {
		r, c := fmt.Sprint("r", i), captureNames[i]
		m.reserves[r] = &asked{of: r, won: 300}
		m.captures[c] = &asked{of: r, won: 300 - int64(i)*50}
		m.reserves[r].answer = m.approved(m.ask(context.Background(), r, 300))
		m.captures[c].answer = m.yes(m.capture(c, r, m.captures[c].won))
	}
	if rapid.Bool().Draw(t, "a sale") {
		m.reserves["s0"] = &asked{of: "s0", won: 250}
		got, err := m.ask(context.Background(), "s0", 250)
		m.decided(t, "s0", m.reserves["s0"], got, err)
	}
	m.forward()
	if m.byFile {
		m.batch()
		for _, name := range slices.Sorted(maps.Keys(m.tray.files)) {
			m.takes(m.answers(name, says("00")))
		}
	}
	m.listen(t)
}

// reservations are payments, both kinds of card check, and sales.
var reservations = []string{"r0", "r1", "r2", "r3", "r0", "r1", "v0", "z0", "s0", "s1", "s0"}

func (m *model) ask(ctx context.Context, id string, won int64) (string, error) {
	o := order(won)
	switch id[0] {
	case 'v':
		o = order(0)
		o.Purpose = payment.ToVerify
	case 'z':
		o = order(0)
		o.Purpose = payment.ToCheck
	case 's':
		o.Purpose = payment.ToSell
	}
	return m.reserveAs(ctx, id, engine.ReserveAsk{Order: o, Encode: said})
}

func (m *model) reserveAny(t *rapid.T) {
	id, won := rapid.SampledFrom(reservations).Draw(t, "id"), rapid.Int64Range(1, 3).Draw(t, "won")*100
	if id[0] == 'v' || id[0] == 'z' {
		won = 0
	}
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
	ask := func() {
		ctx, cancel := context.WithCancel(context.Background()) // its deadline comes as soon as it has to wait for somebody
		defer cancel()
		m.clock.sleep = cancel
		got, err := m.ask(ctx, id, won)
		if k, _ := fault.Of(err); k == fault.KeyReused && won != before { // an answer we did not hear, or a call that is not recovered yet
			q.won = before
			return
		}
		m.decided(t, id, q, got, err)
	}
	points := []crash.Point{crash.ReserveAccepted, crash.ReserveSent, crash.ReserveSettled}
	if id[0] == 's' {
		points = []crash.Point{crash.SaleAccepted, crash.SaleSent, crash.SaleSettled}
	}
	if died := m.dies(t, ask, points...); died && id[0] == 's' {
		ask() // nothing else tells of a sale: the caller asks until it hears
	}
	m.auth()
	m.clock.sleep = nil
}

// decided hears an answer. That of a sale is its verdict: the money is taken, and is to be settled (Card FOP v1 §4.4).
func (m *model) decided(t *rapid.T, id string, q *asked, got string, err error) {
	m.told(t, id, q, got, err)
	if id[0] == 's' && strings.HasPrefix(q.answer, "YES") && m.bills[id] == nil {
		m.bills[id] = &bill{reservation: id, amount: q.won, at: m.clock.Now()}
		m.settles(q.won, bp(q.won, 333)+7)
	}
}

// requested finds what the caller asked under a name, or asks it now.
func requested(all map[string]*asked, id string, fresh func() *asked) *asked {
	if all[id] == nil {
		all[id] = fresh()
	}
	return all[id]
}

func (m *model) captureAny(t *rapid.T) {
	id, of := rapid.SampledFrom([]string{"c0", "c1", "c2", "c3"}).Draw(t, "id"), rapid.SampledFrom(reservations).Draw(t, "of")
	won := rapid.Int64Range(1, 3).Draw(t, "won") * 100
	q := requested(m.captures, id, func() *asked { return &asked{of: of, won: won} })
	_, err := m.asks(t, id, q, func() (string, error) { return m.capture(id, q.of, q.won) }, crash.CaptureAccepted)
	if err == nil && q.of[0] != 'r' {
		t.Fatalf("%s captures %s, which is no hold of a payment", id, q.of)
	} else if kind, _ := fault.Of(err); q.of[0] == 'z' && kind != fault.Unknown {
		t.Fatalf("%s: a zero check can be named: %v", id, err)
	}
}

func (m *model) cancelAny(t *rapid.T) {
	id, of := rapid.SampledFrom([]string{"x0", "x1", "x2"}).Draw(t, "id"), rapid.SampledFrom(reservations).Draw(t, "of")
	q := requested(m.cancels, id, func() *asked { return &asked{of: of} })
	_, err := m.asks(t, id, q, func() (string, error) { return m.cancel(id, q.of) }, crash.CancelAccepted)
	if kind, _ := fault.Of(err); q.of[0] == 'z' && kind != fault.Unknown {
		t.Fatalf("%s: a zero check can be named: %v", id, err)
	}
}

// left is what can still be refunded of a capture, and standing what chargebacks keep of it (§4.4).
func (m *model) left(capture string) int64 {
	left := m.bills[capture].amount
	for _, id := range m.order {
		if f := m.refunds[id]; f.of == capture && f.answer != "" && f.state != "failed" {
			left -= f.won - f.returned
		}
	}
	return left
}

func (b *bill) standing() (sum int64) {
	for _, s := range b.stages {
		if s.stands() {
			sum += s.amount
		}
	}
	return sum
}

var captureNames = []string{"c0", "c1", "c2", "c3", "s0", "s1"}

// named reports whether the caller may speak of a capture: of one that was acknowledged, or of a sale that took the money.
func (m *model) named(capture string) bool {
	q := m.captures[capture]
	return m.bills[capture] != nil || q != nil && q.answer != ""
}

func (m *model) refundAny(t *rapid.T) {
	id, of := rapid.SampledFrom([]string{"f0", "f1", "f2", "f3", "f4", "f5"}).Draw(t, "id"), rapid.SampledFrom(captureNames).Draw(t, "of")
	won := rapid.Int64Range(1, 6).Draw(t, "won") * 50
	q := requested(m.refunds, id, func() *asked { return &asked{of: of, won: won} })
	if q.answer == "" {
		q.of, q.won = of, won // errors are not stored
	}
	var want fault.Kind
	b, must := m.bills[q.of], ""
	switch {
	case q.answer != "":
	case !m.named(q.of):
		want = fault.Unknown
	case b == nil || q.won > m.left(q.of):
		want = fault.Precondition
	case m.clock.Now().After(b.at.Add(modelRefunds)):
		must = string(payment.RefundTooLate)
	case q.won > m.left(q.of)-b.standing():
		must = string(payment.RefundChargebackFirst)
	}
	again := q.answer != ""
	_, err := m.asks(t, id, q, func() (string, error) { return m.refund(id, q.of, q.won) }, crash.RefundAccepted)
	if kind, _ := fault.Of(err); (err != nil) != (want != 0) || err != nil && kind != want {
		t.Fatalf("%s of %d of %s: %v, kind %d; want kind %d", id, q.won, q.of, err, kind, want)
	}
	if err == nil && !again {
		q.state, q.must = "pending", must
		m.order = append(m.order, id)
	}
}

func (m *model) defendAny(t *rapid.T) {
	id, of := rapid.SampledFrom([]string{"d0", "d1", "d2", "d3", "d4", "d5"}).Draw(t, "id"), rapid.SampledFrom(captureNames).Draw(t, "of")
	document := rapid.SampledFrom([]string{"%PDF-1", "%PDF-2", "%PDF-3", ""}).Draw(t, "document")
	q := m.defences[id]
	if q != nil { // the same again
		m.told(t, id, q, m.yes(m.defend(id, q.of, q.arn)), nil)
		return
	}
	q = &asked{of: of, arn: document}
	m.defences[id] = q
	want := engine.DefenceOfNothing
	switch b := m.bills[of]; {
	case !m.named(of):
		want = engine.DefenceOfUnknownCapture
	case document == "":
		want = engine.DefenceUnreadable
	case b != nil:
		for _, s := range slices.Backward(b.stages) {
			if (s.state == "open" || s.state == "defended") && !m.clock.Now().After(s.reply) {
				want, s.state = engine.DefenceTaken, "defended"
				if s.stage != payment.Inquiry {
					s.due = m.clock.Now().Add(modelPatience)
				}
				m.evidence++
				break
			}
		}
	}
	got, err := m.asks(t, id, q, func() (string, error) { return m.defend(id, of, document) }, crash.DefenceTaken)
	if err != nil || got != fmt.Sprint(want) {
		t.Fatalf("%s of %s: %q, %v; want %d", id, of, got, err, want)
	}
}

// anyBill draws a captured payment; nil where there is none.
func (m *model) anyBill(t *rapid.T) (string, *bill) {
	names := slices.Sorted(maps.Keys(m.bills))
	if len(names) == 0 {
		return "", nil
	}
	name := rapid.SampledFrom(names).Draw(t, "capture")
	return name, m.bills[name]
}

// about makes a record about a captured payment.
func (m *model) about(b *bill, typ string, gross int64, changes ...func(*engine.ClearingRecord)) engine.ClearingRecord {
	r := m.reservation(b.reservation)
	x := m.clearing(b.reservation)
	changes = append([]func(*engine.ClearingRecord){func(c *engine.ClearingRecord) { c.RRN, c.Approval = x.RRN, r.Approval }}, changes...)
	return m.record(-1, typ, gross, changes...)
}

// begins is a stage of a dispute that an acquirer tells of, and what the spec makes of it. Wrong: it fits nothing.
func (m *model) begins(capture string, b *bill, s stage) (wrong bool) {
	if s.amount > b.amount {
		return true
	}
	for _, o := range b.stages {
		if o.stage == s.stage && o.name == s.name {
			if o.twice || o.onLine == s.onLine || o.amount != s.amount {
				return true
			}
			o.twice = true
			if s.byFile != "" {
				o.byFile = s.byFile
			}
			return false
		}
	}
	for _, o := range b.stages {
		if o.name == s.name && o.stage == payment.Inquiry && (o.state == "open" || o.state == "defended") && s.stage != payment.Inquiry {
			o.state = "closed"
		}
	}
	s.state, s.reply = "open", m.clock.Now().Add(replyTime)
	s.due = s.reply
	b.stages = append(b.stages, &s)
	scope, kind := "10.4 %s %d KRW fraud VISA %s", "chargeback"
	if s.onLine {
		scope = "4540 %s %d KRW fraud ISO %s"
	}
	if s.stage == payment.Inquiry {
		kind = "inquiry"
	}
	m.said[fmt.Sprintf(kind+" "+capture+" "+scope, s.stage, s.amount, s.name)]++
	if s.stage == payment.Inquiry {
		return false
	}
	m.settles(-s.amount, 50)
	m.moved -= s.amount
	for _, id := range m.order { // §9.2: what was not sent is taken back, oldest first
		f := m.refunds[id]
		if f.of == capture && f.state == "pending" && f.must == "" && b.standing() > m.left(capture) && m.unsent(b, id) {
			f.state, f.must = "failed", string(payment.RefundChargebackFirst)
		}
	}
	if b.standing() > m.left(capture) {
		m.kinds["chargeback-and-refund"]++
	}
	return false
}

// unsent reports whether the order to pay a refund is certainly still in the house.
func (m *model) unsent(b *bill, refund string) (unsent bool) {
	f := m.refundOf(b.reservation, refund)
	m.look(func(v engine.Reader) error {
		a, ok, err := v.AdviceOf(f.AttemptID, payment.RefundOrder)
		unsent = ok && (a.State == payment.AdviceQueued && a.Sends == 0 || a.State == payment.AdviceBatched && a.File == "")
		return err
	})
	return unsent
}

// The records that an acquirer may send, each with what follows from it by the spec. Nil: there is nothing to send one about.
var recordMoods = []func(*model, *rapid.T) *engine.ClearingRecord{
	(*model).disputeRecord, (*model).disputeRecord, (*model).disputeRecord, (*model).winRecord, (*model).winRecord, (*model).captureRecord,
	(*model).refundRecord, (*model).returnRecord, (*model).fraudRecord, (*model).otherRecord, (*model).oldRecord,
}

func (m *model) odd(wrong bool) {
	if wrong {
		m.kinds["acquirer-record"]++
	}
}

func (m *model) disputeRecord(t *rapid.T) *engine.ClearingRecord {
	capture, b := m.anyBill(t)
	if b == nil {
		return nil
	}
	s := stage{
		name: rapid.SampledFrom([]string{"K1", "K2"}).Draw(t, "case"), amount: rapid.Int64Range(1, 7).Draw(t, "amount") * 50,
		stage: rapid.SampledFrom([]payment.Stage{payment.Inquiry, payment.First, payment.First, payment.Second}).Draw(t, "stage"),
	}
	typ, gross, part := "CHB", -s.amount, first
	switch s.stage {
	case payment.Inquiry:
		typ, gross, part = "INQ", s.amount, inquiry
	case payment.Second:
		part = second
	}
	r := m.about(b, typ, gross, part, ofCase(s.name))
	s.byFile = r.ID
	m.odd(m.begins(capture, b, s))
	return &r
}

func (m *model) winRecord(t *rapid.T) *engine.ClearingRecord {
	capture, b := m.anyBill(t)
	if b == nil || len(b.stages) == 0 {
		return nil
	}
	amount := rapid.Int64Range(1, 6).Draw(t, "amount") * 50
	var won *stage
	var name func(*engine.ClearingRecord)
	if s := rapid.SampledFrom(b.stages).Draw(t, "stage"); s.byFile != "" && rapid.Bool().Draw(t, "by record") {
		name = original(s.byFile)
		if s.stands() {
			won = s
		}
	} else {
		name = ofCase(s.name)
		for _, o := range slices.Backward(b.stages) {
			if o.stands() && o.name == s.name {
				won = o
				break
			}
		}
	}
	r := m.about(b, "CBR", amount, name)
	if wrong := won == nil || amount > won.amount; wrong {
		m.odd(true)
		return &r
	}
	won.state = "reversed"
	m.settles(amount, 0)
	m.moved += amount
	words := fmt.Sprintf("chargeback-reversed %s %d KRW VISA %s", capture, amount, won.name)
	m.said[words]++
	return &r
}

// names notes an acquirer reference number that a record brings: told the first time, a case where it changes.
func (m *model) names(kind, id, number string, has *string) {
	switch {
	case number == "" || number == *has:
	case *has != "":
		m.kinds["arn-changed"]++
	default:
		*has = number
		m.said[kind+" "+id+" "+number]++
	}
}

func (m *model) number(t *rapid.T) (string, func(*engine.ClearingRecord)) {
	if rapid.Bool().Draw(t, "numbered") {
		return "", withText
	}
	number := arn(1000 + m.bank.events)
	return number, func(r *engine.ClearingRecord) { r.ARN = number }
}

func withText(r *engine.ClearingRecord) { r.Text = "no number" }

func (m *model) captureRecord(t *rapid.T) *engine.ClearingRecord {
	capture, b := m.anyBill(t)
	if b == nil {
		return nil
	}
	number, part := m.number(t)
	cost := rapid.Int64Range(-3, 1).Draw(t, "fee")
	switch typ := rapid.SampledFrom([]string{"CAP", "CAP", "CAP", "ARN", "REJ"}).Draw(t, "type"); typ {
	case "ARN":
		r := m.about(b, "ARN", 0, part)
		m.names("capture-arn", capture, number, &b.arn)
		return &r
	case "REJ":
		r := m.about(b, "REJ", 0)
		if b.cleared == "rejected" {
			m.odd(true)
			return &r
		}
		b.cleared = "rejected"
		m.lost += b.amount
		m.kinds["capture-rejected"]++
		return &r
	}
	r := m.about(b, "CAP", b.amount, part, fees(cost, cost))
	if b.cleared != "" {
		m.odd(true)
		return &r
	}
	b.cleared = "cleared"
	m.feesIn += cost
	m.taxIn += cost
	m.names("capture-arn", capture, number, &b.arn)
	return &r
}

// paidRefund draws a refund that the network paid, by our reference at the network.
func (m *model) paidRefund(t *rapid.T) (id, rrn string, f *asked) {
	var paid []string
	for _, id := range m.order {
		if m.refunds[id].state == "paid" {
			paid = append(paid, id)
		}
	}
	if len(paid) == 0 {
		return "", "", nil
	}
	id = rapid.SampledFrom(paid).Draw(t, "refund")
	f = m.refunds[id]
	return id, m.refundOf(m.bills[f.of].reservation, id).RRN, f
}

func (m *model) refundRecord(t *rapid.T) *engine.ClearingRecord {
	id, rrn, f := m.paidRefund(t)
	if f == nil || f.cleared {
		return nil
	}
	f.cleared = true
	number, part := m.number(t)
	r := m.record(-1, "REF", -f.won, part, func(r *engine.ClearingRecord) { r.RRN = rrn })
	m.names("refund-arn", id, number, &f.arn)
	return &r
}

func (m *model) returnRecord(t *rapid.T) *engine.ClearingRecord {
	id, rrn, f := m.paidRefund(t)
	if f == nil {
		return nil
	}
	back := rapid.Int64Range(1, f.won+20).Draw(t, "back")
	r := m.record(-1, "RRF", back, func(r *engine.ClearingRecord) { r.RRN, r.RawCode = rrn, "8350" })
	if f.returned != 0 || back > f.won {
		m.odd(true)
		return &r
	}
	f.returned = back
	m.moved += back
	for _, p := range m.bank.paid {
		if p.state == "booked" && p.trace.RRN == rrn {
			p.returned = back
		}
	}
	fee := int64(0)
	if m.returnFee {
		fee = bp(back, 333)
	}
	m.settles(back, fee)
	m.said[fmt.Sprintf("refund-returned %s 8350 %d KRW VISA", id, back)]++
	return &r
}

func (m *model) fraudRecord(t *rapid.T) *engine.ClearingRecord {
	capture, b := m.anyBill(t)
	if b == nil {
		return nil
	}
	r := m.about(b, "FRD", 0, func(r *engine.ClearingRecord) { r.RawCode = "TC40" })
	m.said["fraud "+capture+" TC40 VISA"]++
	return &r
}

func (m *model) otherRecord(t *rapid.T) *engine.ClearingRecord {
	amount := rapid.Int64Range(-9, 9).Draw(t, "amount")
	var r engine.ClearingRecord
	switch rapid.IntRange(0, 3).Draw(t, "type") {
	case 0:
		r = m.record(-1, "FEE", 0, fees(amount, 0))
		m.feesIn += amount
	case 1:
		r = m.record(-1, "ADJ", amount)
		m.suspense += amount
		m.kinds["acquirer-adjustment"]++
	case 2:
		r = m.record(-1, "PAY", 0, txn(max(amount, -amount)), func(r *engine.ClearingRecord) {
			if amount < 0 {
				r.Result = "D"
			}
		})
		m.paidIn += amount
	default:
		typ := rapid.SampledFrom([]string{"CAP", "REF", "RRF", "INQ", "CHB", "CBR", "FRD", "ARN", "REJ", "RSV", "???"}).Draw(t, "stray")
		r = m.record(-1, typ, amount, first, func(r *engine.ClearingRecord) { r.RRN = "999999999999" })
		m.odd(true)
	}
	return &r
}

// oldRecord is one that was told before: for nothing, or with other content, which is a case.
func (m *model) oldRecord(t *rapid.T) *engine.ClearingRecord {
	if len(m.old) == 0 {
		return nil
	}
	r := rapid.SampledFrom(m.old).Draw(t, "old")
	if rapid.Bool().Draw(t, "changed") {
		m.bank.events++
		r.Gross, r.Digest = won(77777), digest(m.bank.events)
		m.kinds["acquirer-event-changed"]++
	}
	return &r
}

func (m *model) fileAny(t *rapid.T) {
	var records []engine.ClearingRecord
	for range rapid.IntRange(1, 3).Draw(t, "records") {
		if r := rapid.SampledFrom(recordMoods).Draw(t, "record")(m, t); r != nil {
			records = append(records, *r)
			m.old = append(m.old, *r)
		}
	}
	f := m.file(engine.DisputeFileKind, records...)
	var err error
	m.disk(t)
	died := m.dies(t, func() { _, err = m.TakeFile(context.Background(), f) }, crash.RecordTaken, crash.FileTaken)
	if died || errors.Is(err, errDisk) || rapid.Bool().Draw(t, "again") {
		_, err = m.TakeFile(context.Background(), f) // the file still lies in the inbox
	}
	if err != nil {
		t.Fatal(err)
	}
	m.steps["records"] += len(records)
}

// lineAny is a chargeback that a network tells on line, until it hears that it was taken over, and sometimes once more.
func (m *model) lineAny(t *rapid.T) {
	capture, b := m.anyBill(t)
	if b == nil {
		return
	}
	s := stage{
		name: rapid.SampledFrom([]string{"K1", "K2"}).Draw(t, "case"), amount: rapid.Int64Range(1, 7).Draw(t, "amount") * 50, onLine: true,
		stage: rapid.SampledFrom([]payment.Stage{payment.First, payment.First, payment.Second}).Draw(t, "stage"),
	}
	m.online++
	a := payment.ChargebackAdvice{
		Acquirer: "bc", Name: fmt.Sprint("0422/", m.online), Amount: won(s.amount), Stage: s.stage, Reason: payment.Fraud, Scope: "ISO",
		RawCode: "4540", Case: s.name, At: m.clock.Now(), ReplyBy: m.clock.Now().Add(replyTime),
		Original: payment.Trace{RRN: m.clearing(b.reservation).RRN},
	}
	m.odd(m.begins(capture, b, s))
	m.disk(t)
	ok := false
	m.dies(t, func() { ok = m.ChargedBack(context.Background(), a) }, crash.ChargebackTaken)
	for range 2 {
		if !ok || rapid.Bool().Draw(t, "again") {
			ok = m.ChargedBack(context.Background(), a)
		}
	}
	if !ok {
		t.Fatal("a chargeback is never taken over")
	}
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

// batchAny makes capture files, and lets the acquirer answer some of those it has.
func (m *model) batchAny(t *rapid.T) {
	if !m.byFile {
		return
	}
	if rapid.IntRange(0, 4).Draw(t, "full") == 0 {
		m.tray.fail = errDisk
	}
	m.disk(t)
	if err := m.MakeCaptureFiles(context.Background(), "bc"); err != nil && !errors.Is(err, errDisk) {
		t.Fatal(err)
	}
	m.tray.fail, m.store.fail = nil, nil
	for _, name := range slices.Sorted(maps.Keys(m.tray.files)) {
		if m.answered[name] || rapid.Bool().Draw(t, "later") {
			continue
		}
		a := m.answers(name, func(l engine.CaptureLine) string {
			if l.Refund {
				return rapid.SampledFrom([]string{"00", "00", "91", "51"}).Draw(t, "code")
			}
			return rapid.SampledFrom([]string{"00", "00", "00", "91", "R1"}).Draw(t, "code")
		})
		m.disk(t)
		m.dies(t, func() { _ = m.TakeAnswer(context.Background(), a) }, crash.AdviceSettled)
		m.must(m.TakeAnswer(context.Background(), a)) // it is read until nothing is left of it
	}
}

// answers lets the acquirer work a file off. What it withdraws, it lets go.
func (m *model) answers(name string, code func(engine.CaptureLine) string) engine.CaptureAnswer {
	m.answered[name] = true
	codes := map[int64]string{}
	for _, l := range m.tray.files[name] {
		codes[l.Line] = code(l)
	}
	a := m.tray.answer(name, func(l engine.CaptureLine) string { return codes[l.Line] })
	for i, l := range a.Lines {
		a.Lines[i].ARN = "" // the number comes with the settlement
		for _, h := range m.bank.holds {
			if l.Code == "R1" && h.trace.RRN == m.tray.files[name][i].Trace.RRN && h.state == "held" {
				h.state = "released"
			}
		}
	}
	return a
}

func (m *model) expireAny(t *rapid.T) {
	m.disk(t)
	m.dies(t, m.expire, crash.ExpiryApplied)
}

func (m *model) clockAny(t *rapid.T) {
	const day = 24 * time.Hour
	m.passes(rapid.SampledFrom([]time.Duration{time.Second, 5 * time.Second, time.Minute, time.Hour, day, week, 21 * day}).Draw(t, "step"))
	m.dies(t, func() { m.must(m.EraseDue(context.Background())) }, crash.CardErased)
}

// passes lets time go by. Stages of disputes end with it (§9.5).
func (m *model) passes(d time.Duration) {
	m.clock.Advance(d)
	m.must(m.LapseDue(context.Background()))
	for _, b := range m.bills {
		for _, s := range b.stages {
			if (s.state == "open" || s.state == "defended") && !m.clock.Now().Before(s.due) {
				s.state = map[bool]string{true: "closed", false: "lost"}[s.stage == payment.Inquiry]
			}
		}
	}
}

func (m *model) settleAny(t *rapid.T) {
	m.disk(t)
	m.dies(t, func() {
		if _, err := m.SettleDue(context.Background()); err != nil && !errors.Is(err, errDisk) {
			t.Fatal(err)
		}
	}, crash.SettlementClosed)
	if list := m.settlements(); len(list) > 0 && rapid.Bool().Draw(t, "paid") {
		m.must(m.PaySettlement(context.Background(), rapid.SampledFrom(list).Draw(t, "settlement").ID, "wire", "operator"))
	}
}

func (m *model) recoverAny(t *rapid.T) {
	if _, err := m.Recover(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// listen is what the caller does with all that it is told: verdicts come once and fit, and nothing else is told than what must be.
func (m *model) listen(t *rapid.T) {
	m.notices()
	for ; m.heard < len(m.sent); m.heard++ {
		n := m.sent[m.heard]
		words := inWords(n)
		if m.said[words] > 0 {
			m.said[words]--
			continue
		}
		switch n.Kind {
		case engine.CaptureResult, engine.CancelResult:
			q := m.captures[n.Subject]
			if n.Kind == engine.CancelResult {
				q = m.cancels[n.Subject]
			}
			if q == nil || m.verdicts[n.Subject] != "" {
				t.Fatalf("told %q", words)
			}
			m.verdicts[n.Subject] = n.Result
			if n.Kind == engine.CaptureResult && n.Result == "SUCCESS" {
				m.bills[n.Subject] = &bill{reservation: q.of, amount: q.won, at: n.CreatedAt}
				m.settles(q.won, bp(q.won, 333)+7)
			}
		case engine.RefundResult:
			m.refunded(t, n.Subject, n.Result)
		case engine.SettlementPart:
			m.parts++
		default:
			t.Fatalf("told %q, which nobody caused", words)
		}
	}
	for words, n := range m.said {
		if n > 0 {
			t.Fatalf("nobody was told %q", words)
		}
	}
}

// refunded is the verdict of a refund.
func (m *model) refunded(t *rapid.T, id, result string) {
	f := m.refunds[id]
	if f == nil || f.answer == "" || f.state == "paid" || f.state == "failed" && f.must == "" {
		t.Fatalf("%s: %s, which nobody awaits", id, result)
	}
	may := result == "SUCCESS" || result == string(payment.RefundIssuerDeclined) ||
		result == string(payment.RefundChargebackFirst) && f.won > m.left(f.of)+f.won-m.bills[f.of].standing()
	if f.must != "" && result != f.must || f.must == "" && !may {
		t.Fatalf("%s: %s, not %s", id, result, f.must)
	}
	f.must = ""
	if f.state = "failed"; result != "SUCCESS" {
		return
	}
	f.state = "paid"
	fee := int64(3)
	if m.returnFee {
		fee -= bp(f.won, 333)
	}
	m.settles(-f.won, fee)
}

// drain lets everything that is owed to the network arrive, with the network in a good mood.
func (m *model) drain(t *rapid.T) {
	m.start()
	for range 15 {
		m.passes(time.Minute)
		m.expire()
		m.forward()
		if m.byFile {
			m.batch()
			for _, name := range slices.Sorted(maps.Keys(m.tray.files)) {
				if !m.answered[name] {
					m.takes(m.answers(name, says("00")))
				}
			}
		}
		m.listen(t)
		if !m.owing() {
			break
		}
	}
	for _, d := range []time.Duration{24*time.Hour + 10*time.Minute, time.Minute, time.Minute} { // the day ends, and with it some holds
		m.passes(d)
		m.expire()
		m.forward()
	}
	m.settle()
	m.must(m.EraseDue(context.Background()))
	m.listen(t)
	if m.owing() {
		t.Fatalf("something is owed for ever")
	}
	kinds := map[string]int{}
	for _, k := range m.cases() {
		if k != "capture-file-unanswered" { // the acquirer's mood
			kinds[k]++
		}
	}
	if !maps.Equal(kinds, m.kinds) {
		t.Fatalf("cases %v, not %v", kinds, m.kinds)
	}
}

// owing reports whether the network has still to hear of something.
func (m *model) owing() (owing bool) {
	owed, err := m.db.Backlog(context.Background())
	m.must(err)
	if m.byFile {
		m.look(func(v engine.Reader) error {
			waiting, err := v.BatchedAdvices("bc", "M1", 1)
			owing = len(waiting) > 0
			return err
		})
	}
	return owing || owed.Advices != 0
}

func (m *model) takes(a engine.CaptureAnswer) { m.must(m.TakeAnswer(context.Background(), a)) }

// check compares the records once everything is quiet: ours, the acquirer's and the caller's.
func (m *model) check(t *rapid.T) {
	for _, wrong := range m.bank.wrong {
		t.Fatalf("the acquirer was asked for %s", wrong)
	}
	for _, id := range slices.Sorted(maps.Keys(m.reserves)) {
		m.checkHold(t, id, m.reserves[id])
	}
	for id, q := range m.captures {
		if q.answer == "" {
			continue
		}
		r := m.reservation(q.of)
		if success := r.State == payment.Captured; m.verdicts[id] == "" || success != (m.verdicts[id] == "SUCCESS") {
			t.Fatalf("capture %s of %s, which is %s: told %q", id, q.of, r.State, m.verdicts[id])
		}
	}
	for id, q := range m.cancels {
		if q.answer == "" {
			continue
		}
		s := m.reservation(q.of).State
		if m.verdicts[id] != "SUCCESS" || s == payment.Captured || s == payment.Reserved || s == payment.VerifyHeld {
			t.Fatalf("cancel %s of %s, which is %s: told %q", id, q.of, s, m.verdicts[id])
		}
	}
	m.checkRefunds(t)
	evidence := 0
	for capture, b := range m.bills {
		evidence += m.checkDisputes(t, capture, b)
		r, over := m.reservation(b.reservation), !m.clock.Now().Before(b.at.Add(modelDisputes))
		if r.Card == nil && !over || r.Card != nil && over && !r.CardUntil.After(m.clock.Now()) { // it may have been put off
			t.Fatalf("%s was captured at %s: card %v at %s", capture, b.at, r.Card != nil, m.clock.Now())
		}
	}
	if evidence != m.evidence {
		t.Fatalf("%d documents, not %d", evidence, m.evidence)
	}
	m.checkBooks(t)
}

func (m *model) checkHold(t *rapid.T, id string, q *asked) {
	var r payment.Reservation
	var known bool
	m.look(func(v engine.Reader) (err error) { r, known, err = v.ReservationByRequest(key(id)); return err })
	if !known && q.answer != "" {
		t.Fatalf("%s was answered and is not known", id)
	}
	var open, captured, times int64 // of a sale that was undone nothing is left
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
	yes, wantOpen := strings.HasPrefix(q.answer, "YES"), int64(0)
	switch r.State {
	case payment.Reserved:
		wantOpen = q.won
	case payment.VerifyHeld:
		wantOpen = m.bank.least
	case payment.Verified:
		if id[0] != 'z' {
			t.Fatalf("%s is %s", id, r.State)
		}
	}
	if open != wantOpen || open > 0 && !yes && r.State != payment.Reserved && r.State != payment.VerifyHeld {
		t.Fatalf("%s is %s, answered %q: the acquirer holds %d", id, r.State, q.answer, open)
	}
	if strings.HasPrefix(q.answer, "NO") && open+captured != 0 {
		t.Fatalf("%s was refused, yet %d is held and %d captured", id, open, captured)
	}
	if bill := m.bills[id]; id[0] == 's' && ((r.State == payment.Captured) != yes || (bill != nil) != yes || yes && captured != q.won) {
		t.Fatalf("%s is %s, answered %q: the acquirer took %d", id, r.State, q.answer, captured)
	}
	if times > 1 || captured != 0 && (r.State != payment.Captured || r.Captured.Minor() != captured) {
		t.Fatalf("%s is %s: captured %d times, %d in all", id, r.State, times, captured)
	}
}

// checkRefunds: what the caller was told, what we have on disk, and what the acquirer paid, once and for all.
func (m *model) checkRefunds(t *rapid.T) {
	paid := map[string]int64{}
	for _, p := range m.bank.paid {
		var f payment.Refund
		m.look(func(v engine.Reader) (err error) {
			if f, _, err = v.Refund(p.refund); p.refund == "" && err == nil {
				f, _, err = v.RefundByAttempt(p.attempt)
			}
			return err
		})
		if p.state == "late" {
			t.Fatalf("%s: an order to pay is still under way", f.RequestID)
		}
		if p.state == "booked" {
			if paid[f.RequestID] += p.amount; paid[f.RequestID] != f.Amount.Minor() {
				t.Fatalf("%s of %s was paid with %d", f.RequestID, f.Amount, paid[f.RequestID])
			}
		}
	}
	states := map[string]payment.RefundState{"paid": payment.Refunded, "failed": payment.RefundFailed}
	for _, id := range m.order {
		f := m.refunds[id]
		want := states[f.state]
		if f.returned > 0 {
			want = payment.RefundReversed
		}
		have := m.refundOf(m.bills[f.of].reservation, id)
		if have.State != want || have.Returned.Minor() != f.returned || have.ARN != f.arn || (paid[id] != 0) != (f.state == "paid") {
			t.Fatalf("%s is %s with the caller, %+v with us, and %d was paid", id, f.state, have, paid[id])
		}
		delete(paid, id)
	}
	if len(paid) > 0 {
		t.Fatalf("paid for nobody: %v", paid)
	}
}

func (m *model) checkDisputes(t *rapid.T, capture string, b *bill) (evidence int) {
	words := func(s payment.Stage, state string) payment.DisputeState {
		return payment.DisputeState(map[payment.Stage]string{payment.Inquiry: "INQUIRY_", payment.First: "CB1_", payment.Second: "CB2_"}[s] +
			strings.ToUpper(state))
	}
	list := m.disputes(b.reservation)
	if len(list) != len(b.stages) {
		t.Fatalf("%s has the stages %+v, not %d", capture, list, len(b.stages))
	}
	for i, d := range list {
		s := b.stages[i]
		if d.Case != s.name || d.Stage != s.stage || d.State != words(s.stage, s.state) || d.Amount.Minor() != s.amount ||
			d.ToldTwice != s.twice || !d.ReplyBy.Equal(s.reply) || !d.DueAt.Equal(s.due) {
			t.Fatalf("%s has the stage %+v, not %+v", capture, d, s)
		}
		m.look(func(v engine.Reader) error {
			documents, err := v.EvidenceOf(d.ID)
			evidence += len(documents)
			return err
		})
	}
	x := m.clearing(b.reservation)
	want := map[string]engine.Clearing{"cleared": engine.ClearedCapture, "rejected": engine.RejectedCapture}[b.cleared]
	if x.Clearing != want || x.ARN != b.arn {
		t.Fatalf("%s is %+v, not %+v", capture, x, b)
	}
	return evidence
}

// checkBooks: every balance follows from what happened, all of them are nothing together, and settlements hold every event once.
func (m *model) checkBooks(t *rapid.T) {
	var items, charge, fee, vat, paid, parts int64
	for _, s := range m.settlements() {
		m.world.items(s)
		items, charge, fee, vat, parts = items+s.Items, charge+s.Charge.Minor(), fee+s.Fee.Minor(), vat+s.VAT.Minor(), parts+s.Parts
		if s.State == settlement.Paid {
			paid += s.Net.Minor()
		}
	}
	if items != m.items || charge != m.charge || fee != m.fee || vat != m.vat || parts != int64(m.parts) {
		t.Fatalf("settled %d of %d, fees %d and %d, told in %d parts; not %d of %d, %d and %d, in %d", items, charge, fee, vat, m.parts,
			m.items, m.charge, m.fee, m.vat, parts)
	}
	m.bank.moved = m.moved
	held, taken := m.bank.sums()
	want := map[string]int64{
		"acquirer:held": held, "google:held": -held, "acquirer:receivable": taken + m.feesIn + m.taxIn - m.lost + m.suspense - m.paidIn,
		"google:payable": -charge - fee - vat + paid, "income:fees": fee, "tax:output": vat, "bank:settlement": m.paidIn - paid,
		"fee:acquirer": -m.feesIn, "tax:input": -m.taxIn, "loss:acquirer": m.lost, "suspense:acquirer": -m.suspense,
	}
	if taken != charge {
		t.Fatalf("the acquirer owes %d, and %d is for Google", taken, charge)
	}
	list, err := m.db.Balances(context.Background())
	m.must(err)
	sum := int64(0)
	for _, b := range list {
		if sum += b.Amount; b.Amount != want[b.Account] || b.Owner != "P" {
			t.Fatalf("%s of %s is %d, not %d", b.Account, b.Owner, b.Amount, want[b.Account])
		}
		delete(want, b.Account)
	}
	for account, amount := range want {
		if amount != 0 {
			t.Fatalf("%s is nothing, not %d", account, amount)
		}
	}
	if sum != 0 {
		t.Fatalf("the books are %d off", sum)
	}
	m.checkTotals(t)
}

// checkTotals compares what both sides count of all the network's days. What was undone is counted on the day of its undoing, so only the
// days together agree (rails §1.16). A part that was taken we cannot know; where there was one, what is left of the debits agrees.
func (m *model) checkTotals(t *rapid.T) {
	days := map[string]bool{}
	var ours, theirs payment.DayTotals
	parts := false
	for _, h := range m.bank.holds {
		days[h.day], days[h.undone] = true, true
		parts = parts || h.sale() && h.amount != h.order.Amount.Minor()
	}
	for _, p := range m.bank.paid {
		days[p.day], days[p.undone] = true, true
	}
	delete(days, "")
	for day := range days {
		sum(&theirs, m.bank.day(day, krw))
		m.look(func(v engine.Reader) error {
			d, err := v.DayTotals("bc", day, "KRW")
			sum(&ours, d)
			return err
		})
	}
	for _, d := range []*payment.DayTotals{&ours, &theirs} {
		if parts {
			d.Debits, d.DebitSum, d.DebitsReversed, d.DebitReverseSum = d.Debits-d.DebitsReversed, d.DebitSum-d.DebitReverseSum, 0, 0
		}
	}
	if ours != theirs {
		t.Fatalf("we count %+v, the network %+v", ours, theirs)
	}
}

// sum adds a day to others.
func sum(all *payment.DayTotals, d payment.DayTotals) {
	all.Debits, all.DebitSum = all.Debits+d.Debits, all.DebitSum+d.DebitSum
	all.Credits, all.CreditSum = all.Credits+d.Credits, all.CreditSum+d.CreditSum
	all.DebitsReversed, all.DebitReverseSum = all.DebitsReversed+d.DebitsReversed, all.DebitReverseSum+d.DebitReverseSum
	all.CreditsReversed, all.CreditRevSum = all.CreditsReversed+d.CreditsReversed, all.CreditRevSum+d.CreditRevSum
}

// repeat asks everything again: what was answered is answered the same, and what never was gets its answer now.
func (m *model) repeat(t *rapid.T) {
	for _, id := range slices.Sorted(maps.Keys(m.reserves)) {
		q := m.reserves[id]
		m.auth(decline)
		got, err := m.ask(context.Background(), id, q.won)
		if err != nil {
			t.Fatalf("%s is never answered: %v", id, err)
		}
		m.decided(t, id, q, got, err)
	}
	m.auth()
	for _, verb := range []struct {
		all map[string]*asked
		do  func(id string, q *asked) (string, error)
	}{
		{m.captures, func(id string, q *asked) (string, error) { return m.capture(id, q.of, q.won) }},
		{m.cancels, func(id string, q *asked) (string, error) { return m.cancel(id, q.of) }},
		{m.refunds, func(id string, q *asked) (string, error) { return m.refund(id, q.of, q.won) }},
		{m.defences, func(id string, q *asked) (string, error) { return m.defend(id, q.of, q.arn) }},
	} {
		for id, q := range verb.all {
			if q.answer == "" {
				continue // it may be possible now; that is another sequence
			}
			got, err := verb.do(id, q)
			if err != nil {
				t.Fatalf("%s: %v after %q", id, err, q.answer)
			}
			m.told(t, id, q, got, err)
		}
	}
}

// inParts plays a number of scripts in parts at a time, and says what they did; NARU_QUICK=N plays an Nth of them. There are more parts than
// processors: they wait for the disk.
func inParts(t *testing.T, parts, scripts int, play func(*testing.T, func(*testing.T) places) (int, map[string]int), where func(*testing.T) places) {
	t.Helper()
	if quick := os.Getenv("NARU_QUICK"); quick != "" {
		part, err := strconv.Atoi(quick)
		if err != nil || part < 1 {
			t.Fatalf("NARU_QUICK = %q: say which part of the scripts is played, such as 8", quick)
		}
		scripts /= part
	}
	if err := flag.Set("rapid.checks", fmt.Sprint((scripts+parts-1)/parts)); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var all sync.WaitGroup
	done, total := 0, map[string]int{}
	for part := range parts {
		all.Go(func() {
			t.Run(fmt.Sprint(part), func(t *testing.T) {
				played, steps := play(t, where)
				mu.Lock()
				defer mu.Unlock()
				done += played
				for k, n := range steps {
					total[k] += n
				}
			})
		})
	}
	all.Wait()
	t.Logf("%d scripts: %v", done, total)
}

func TestAnyHistoryEndsInAgreement(t *testing.T) {
	const modelSequences, modelParts = 510, 6
	inParts(t, modelParts, modelSequences, histories, onFiles)
}

// The same on PostgreSQL: fewer, because making a database takes longer than most histories.
func TestAnyHistoryOnPostgresEndsInAgreement(t *testing.T) { inParts(t, 2, 40, histories, onPostgres) }

// histories plays one sequence after the other.
func histories(t *testing.T, where func(*testing.T) places) (sequences int, total map[string]int) {
	place, total := where(t), map[string]int{}
	rapid.Check(t, func(rt *rapid.T) {
		sequences++
		var cleanup []func()
		defer func() {
			for _, c := range cleanup {
				c()
			}
		}()
		path := place(sequences)
		m := &model{
			reserves: map[string]*asked{}, captures: map[string]*asked{}, cancels: map[string]*asked{}, refunds: map[string]*asked{},
			defences: map[string]*asked{}, bills: map[string]*bill{}, said: map[string]int{}, verdicts: map[string]string{}, kinds: map[string]int{},
			answered: map[string]bool{}, steps: total, byFile: rapid.IntRange(0, 3).Draw(rt, "by file") == 0,
			returnFee: rapid.Bool().Draw(rt, "return fee"), skip: rapid.IntRange(0, 3).Draw(rt, "empty days") < 3,
		}
		m.world = worldAt(rt, path, func(c func()) { cleanup = append(cleanup, c, func() { _ = os.Remove(path) }) }, m.contract)
		m.store.Store, m.bank.byFile = m.db, m.byFile
		m.bank.releases = !m.byFile && rapid.Bool().Draw(rt, "releases")
		m.bank.least = rapid.SampledFrom([]int64{0, 100}).Draw(rt, "least")
		counted := func(name string, step func(*rapid.T)) func(*rapid.T) {
			return func(t *rapid.T) {
				total[name]++
				m.tb = t
				step(t)
				m.listen(t)
			}
		}
		steps := map[string]func(*rapid.T){}
		for i, s := range []struct { // rapid likes the first ones best
			name string
			step func(*rapid.T)
		}{
			{
				"refund", m.refundAny,
			},
			{"file", m.fileAny},
			{"forward", m.forwardAny},
			{"clock", m.clockAny},
			{
				"file",
				m.fileAny,
			},
			{"on line", m.lineAny},
			{"batch", m.batchAny},
			{"defend", m.defendAny},
			{"capture", m.captureAny},
			{"reserve", m.reserveAny},
			{"refund", m.refundAny},
			{"forward", m.forwardAny},
			{"settle", m.settleAny},
			{"cancel", m.cancelAny},
			{"reserve", m.reserveAny},
			{"clock", m.clockAny},
			{"capture", m.captureAny},
			{"expire", m.expireAny},
			{"refund", m.refundAny},
			{"restart", func(*rapid.T) { m.start() }},
			{"recover", m.recoverAny},
			{"file", m.fileAny},
			{"reserve", m.reserveAny},
			{"forward", m.forwardAny},
		} {
			steps[fmt.Sprintf("%02d %s", i, s.name)] = counted(s.name, s.step)
		}
		m.tb = rt
		m.opening(rt)
		rt.Repeat(steps)
		m.drain(rt)
		m.check(rt)
		m.repeat(rt)
		m.drain(rt)
		m.check(rt)
		total["captured payments"] += len(m.bills)
		for _, id := range []string{"s0", "s1"} {
			if m.bills[id] != nil {
				total["sales"]++
			}
		}
		for _, h := range m.bank.holds {
			if h.undone != "" {
				total["undone sales"]++
			}
		}
		total["refunds"] += len(m.order)
	})
	return sequences, total
}
