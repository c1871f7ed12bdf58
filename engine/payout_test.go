package engine_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"naru/core/card"
	"naru/core/fault"
	"naru/core/money"
	"naru/core/payout"
	"naru/crash"
	"naru/engine"
)

// paying is a world with a payout bank behind it.
type paying struct {
	*world
	payer *payer
}

func newPaying(t *testing.T, with ...func(*engine.Config)) *paying {
	return payingAt(t, filepath.Join(t.TempDir(), "naru.db"), t.Cleanup, with...)
}

func payingAt(t tb, path string, cleanup func(func()), with ...func(*engine.Config)) *paying {
	p := &paying{payer: &payer{}}
	p.world = worldAt(t, path, cleanup, append([]func(*engine.Config){p.contract}, with...)...)
	return p
}

func (w *paying) contract(c *engine.Config) {
	w.payer.now = c.Clock.Now
	c.Banks = map[string]engine.Bank{"pb": {Rail: w.payer}}
	c.Accounts = []engine.Account{
		{
			ID: "P", Bank: "pb", Currencies: []money.Currency{inr}, Location: time.UTC,
			Limits: []engine.Limits{{Least: paise(100), Most: paise(10_000_000)}},
		},
		{ID: "P2", Acquirer: "bc", Terminals: []string{"T9"}, Merchant: "M2", MCC: "5817", Currencies: []money.Currency{krw}, Location: time.UTC},
	}
}

// bank changes how patient we are with it.
func bank(change func(*engine.Bank)) func(*engine.Config) {
	return func(c *engine.Config) {
		b := c.Banks["pb"]
		change(&b)
		c.Banks["pb"] = b
	}
}

const vpa = "asha.r@examplebank"

// answered is what a caller reads of a payout. Nobody reads of one that is open.
func answered(p payout.Payout) ([]byte, error) {
	switch {
	case !p.State.Final():
		return nil, fmt.Errorf("an answer about a payout that is %s", p.State)
	case p.State != payout.Refused:
		return fmt.Appendf(nil, "YES %s %s:%s", p.ID, p.Scope, p.Code), nil
	}
	return fmt.Appendf(nil, "NO %s %s %s:%s limit %s", p.Reason, p.ID, p.Scope, p.Code, p.Limit), nil
}

func (w *paying) disburseOn(ctx context.Context, e *engine.Engine, id string, minor int64) (string, error) {
	ask := engine.DisburseAsk{
		Amount: paise(minor), Target: payout.Target{VPA: card.Conceal(vpa), Text: "Reward 4711\nfür März"}, Encode: answered,
	}
	got, err := e.Once(ctx, request(id, "disburseFunds", fmt.Sprint(minor, vpa)), func(ctx context.Context, t engine.Turn) ([]byte, error) {
		return e.Disburse(ctx, t, ask)
	})
	return string(got), err
}

func (w *paying) disburse(id string, minor int64) (string, error) {
	return w.disburseOn(context.Background(), w.Engine, id, minor)
}

const price = 12550

// asks for the payout q.
func (w *paying) asks() (string, error) { return w.disburse("q", price) }

// paid wants the answer that it was credited, refusedFor that it was not.
func (w *paying) paid(got string, err error) string {
	w.Helper()
	if w.yes(got, err); !strings.HasPrefix(got, "YES ") {
		w.Fatalf("answered %q", got)
	}
	return got
}

func (w *paying) refusedFor(why payout.Reason) func(string, error) string {
	return func(got string, err error) string {
		w.Helper()
		if w.yes(got, err); !strings.HasPrefix(got, "NO "+string(why)+" ") {
			w.Fatalf("answered %q", got)
		}
		return got
	}
}

func (w *paying) open(got string, err error) {
	w.Helper()
	w.no(fault.Unavailable)(got, err)
	w.look(func(v engine.Reader) error {
		if row, stored, err := v.Idempotency(key("q")); stored || err != nil {
			w.Errorf("an open payout has an answer: %+v, %v", row, err)
		}
		return nil
	})
}

// payout is the one that was asked for under a name, and its present attempt.
func (w *paying) payout(id string) (p payout.Payout, a payout.Attempt) {
	w.Helper()
	w.look(func(v engine.Reader) (err error) {
		var ok bool
		if p, ok, err = v.PayoutByRequest(key(id)); err != nil || !ok {
			w.Fatalf("no payout %s: %v", id, err)
		}
		if p.AttemptID != "" {
			a, _, err = v.PayoutAttempt(p.AttemptID)
		}
		return err
	})
	return p, a
}

// What the books say of one payout of the price.
const (
	inFlight = "google:receivable=12550 payout:inflight=-12550"
	paidOut  = "google:receivable=12550 payout:float=-12550"
	cameBack = "google:receivable=12550 suspense:returned=-12550"
)

var booksOf = map[payout.State]string{payout.Paid: paidOut, payout.Refused: nothing, payout.Returned: cameBack}

// stands compares where the payout q and its present attempt are, and what the books say of it.
func (w *paying) stands(s payout.State, as payout.AttemptState) {
	w.Helper()
	p, a := w.payout("q")
	books, final := booksOf[s]
	if !final {
		books = inFlight
	}
	if p.State != s || a.State != as || w.books() != books {
		w.Errorf("%s, attempt %s, books %q; want %s, %s, %q", p.State, a.State, w.books(), s, as, books)
	}
	w.honest()
}

// honest wants that the bank was asked for nothing that is wrong, and has paid nobody twice.
func (w *paying) honest() {
	w.Helper()
	for _, wrong := range w.payer.wrong {
		w.Errorf("the payout bank was sent %s", wrong)
	}
	for _, r := range w.payer.orders {
		w.look(func(v engine.Reader) error {
			a, ok, err := v.PayoutAttemptByReference("pb", r.ref)
			if paid, _ := w.payer.standing(a.Payout); ok && paid > 1 {
				w.Errorf("%s was paid %d times", a.Payout, paid)
			}
			return err
		})
	}
}

// due wants the payout q to be looked at so long from now; never where nothing.
func (w *paying) due(want time.Duration) {
	w.Helper()
	p, _ := w.payout("q")
	if never := want == 0; p.DueAt.IsZero() != never || !never && !p.DueAt.Equal(w.clock.Now().Add(want)) {
		w.Errorf("due at %s, not %s from %s", p.DueAt, want, w.clock.Now())
	}
}

// after lets time pass and does what is due then.
func (w *paying) after(d time.Duration) {
	w.Helper()
	w.clock.Advance(d)
	w.must(w.PayDue(context.Background()))
}

// hears takes news of the bank.
func (w *paying) hears(news ...payout.News) {
	w.Helper()
	for _, n := range news {
		w.must(w.PayoutNews(context.Background(), "pb", n))
	}
}

// told makes the bank tell something of the present order of q, and say the same where it is asked.
func (w *paying) told(said payout.Answer) {
	w.Helper()
	_, a := w.payout("q")
	said.Reference = a.Reference
	w.payer.said(said)
	w.hears(payout.News{ID: "ev", At: w.clock.Now(), Answer: said})
	w.payer.said()
}

func (w *paying) wasSent(sent, keys int) {
	w.Helper()
	if s, k, _ := w.payer.counts(); s != sent || k != keys {
		w.Errorf("%d messages left the house with %d keys, not %d with %d", s, k, sent, keys)
	}
}

func verdict(v payout.Verdict) payout.Answer {
	a := payout.Answer{Verdict: v, Scope: "razorpayx", Code: "code", Status: "status"}
	if v == payout.Rejected {
		a.Reason = payout.Closed
	}
	return a
}

var verdicts = []payout.Verdict{
	payout.Unknown, payout.NotSent, payout.Later, payout.Absent, payout.Open, payout.Queued, payout.InDoubt, payout.TakenBack, payout.Credited,
	payout.Rejected, payout.Failed, payout.Misfit, payout.CameBack,
}

// firstAnswers is what follows from each verdict about an order that left the house for the first time (disburse v1 §7, §10).
var firstAnswers = map[payout.Verdict]struct {
	state   payout.State
	attempt payout.AttemptState
	due     time.Duration
	words   string // of the answer; empty: Unavailable
	cases   []string
}{
	payout.Unknown:   {payout.Unclear, payout.AttemptPrepared, time.Minute, "", nil},
	payout.NotSent:   {payout.Asked, payout.AttemptPrepared, 30 * time.Second, "", nil},
	payout.Later:     {payout.Asked, payout.AttemptPrepared, 30 * time.Second, "", nil},
	payout.Absent:    {payout.Unclear, payout.AttemptPrepared, time.Minute, "", nil},
	payout.Open:      {payout.Sent, payout.AttemptOpen, 30 * time.Second, "", nil},
	payout.Queued:    {payout.Sent, payout.AttemptOpen, 30 * time.Second, "", nil},
	payout.InDoubt:   {payout.Deemed, payout.AttemptOpen, 30 * time.Second, "", nil},
	payout.TakenBack: {payout.Reversing, payout.AttemptOpen, 30 * time.Second, "", nil},
	payout.Credited:  {payout.Paid, payout.AttemptPaid, 0, "YES %s razorpayx:code", nil},
	payout.Rejected:  {payout.Refused, payout.AttemptFailed, 0, "NO account_closed %s razorpayx:code limit 0.00 INR", nil},
	payout.Failed:    {payout.Waiting, payout.AttemptFailed, 30 * time.Minute, "", nil},
	payout.Misfit:    {payout.Waiting, payout.AttemptFailed, 0, "", []string{"payout-stuck"}},
	payout.CameBack:  {payout.Waiting, payout.AttemptFailed, 30 * time.Minute, "", nil},
}

// disburse v1 §7.1 step 5, §10: a result is answered at once and for ever; anything else is Unavailable, and nothing of it is stored.
func TestFirstAnswers(t *testing.T) {
	for v, want := range firstAnswers {
		t.Run(fmt.Sprint(v), func(t *testing.T) {
			w := newPaying(t)
			w.payer.said(verdict(v))
			got, err := w.asks()
			w.stands(want.state, want.attempt)
			w.due(want.due)
			w.wants(want.cases...)
			w.owes() // nobody is told what he was answered, or what is open
			w.no(fault.KeyReused)(w.disburse("q", price+1))
			if want.words == "" {
				w.open(got, err)
				return
			}
			p, _ := w.payout("q")
			if text := fmt.Sprintf(want.words, p.ID); got != text || err != nil {
				t.Errorf("answered %q, %v; not %q", got, err, text)
			}
			if again := w.yes(w.asks()); again != got || w.meter.replayed != 1 {
				t.Errorf("%q after %q", again, got)
			}
			w.wasSent(1, 1)
		})
	}
}

// at brings the payout q to a state.
var at = map[payout.State][]payout.Verdict{
	payout.Asked: {payout.NotSent}, payout.Sent: {payout.Open}, payout.Waiting: {payout.Failed}, payout.Unclear: {payout.Unknown},
	payout.Reversing: {payout.TakenBack}, payout.Deemed: {payout.InDoubt}, payout.Paid: {payout.Credited}, payout.Refused: {payout.Rejected},
	payout.Returned: {payout.Credited, payout.CameBack},
}

func (w *paying) reach(s payout.State) {
	w.Helper()
	w.payer.said(verdict(at[s][0]))
	_, _ = w.asks()
	for _, v := range at[s][1:] {
		w.told(verdict(v))
	}
	if p, _ := w.payout("q"); p.State != s {
		w.Fatalf("reached %s, not %s", p.State, s)
	}
	w.notices() // told before
	w.sent = nil
}

// laterWords is what follows from each verdict, in the order of verdicts, in each state: - is nothing; ! is a case beside it: the bank
// contradicts itself, or what it says needs a person.
var laterWords = map[payout.State]string{
	//                 Unknown NotSent Later Absent Open Queued InDoubt TakenBack Credited   Rejected  Failed     Misfit      CameBack
	payout.Asked:     "-       -       -     -      -    -      -       -         !          DECLINED  !          !           !",
	payout.Sent:      "-       -       -     -      -    -      DEEMED  REVERSING SUCCEEDED  DECLINED  RETRYABLE  !RETRYABLE  RETRYABLE",
	payout.Waiting:   "-       -       -     -      -    -      -       -         !          DECLINED  -          -           -",
	payout.Unclear:   "-       -       -     -      -    -      DEEMED  REVERSING SUCCEEDED  DECLINED  RETRYABLE  !RETRYABLE  RETRYABLE",
	payout.Reversing: "-       -       -     -      -    -      DEEMED  -         SUCCEEDED  DECLINED  RETRYABLE  !RETRYABLE  RETRYABLE",
	payout.Deemed:    "-       -       -     -      -    -      -       REVERSING SUCCEEDED  DECLINED  RETRYABLE  !RETRYABLE  RETRYABLE",
	payout.Paid:      "-       -       -     -      -    -      -       -         -          !         !          !           !RETURNED",
	payout.Refused:   "-       -       -     -      -    -      -       -         !          -         -          -           -",
	payout.Returned:  "-       -       -     -      -    -      -       -         -          !         !          !           -",
}

// disburse v1 §10, whichever way the bank says it: by itself, or when it is asked or sent the order again.
func TestEveryVerdictInEveryState(t *testing.T) {
	cells := 0
	for s, words := range laterWords {
		for i, word := range strings.Fields(words) {
			v := verdicts[i]
			for _, way := range []string{"news", "loop"} {
				if way == "loop" && (s == payout.Asked || s == payout.Waiting || s.Final()) {
					continue // nothing is asked about these; what is sent has a test of its own
				}
				cells++
				t.Run(fmt.Sprint(s, "/", v, "/", way), func(t *testing.T) {
					w := newPaying(t)
					w.reach(s)
					cases, owed := len(w.cases()), len(w.notices())
					end, isCase := strings.CutPrefix(word, "!")
					if end == "-" || end == "" {
						end = string(s)
					}
					if v == payout.Misfit && way == "loop" && s == payout.Unclear {
						end = string(s) // this sending was none; the one before it may have been
					}
					said := verdict(v)
					if way == "news" {
						w.told(said)
					} else {
						p, _ := w.payout("q")
						w.payer.said(said)
						w.after(p.DueAt.Sub(w.clock.Now()))
					}
					p, _ := w.payout("q")
					books, final := booksOf[p.State]
					if !final {
						books = inFlight
					}
					if string(p.State) != end || w.books() != books || len(w.cases()) > cases != isCase {
						t.Errorf("%s, books %q, cases %q; want %s, %q", p.State, w.books(), w.cases(), word, books)
					}
					want := 0
					if p.State.Final() && !s.Final() { // it ended without anybody who was answered
						want = 1
					}
					if got := w.notices(); len(got) != owed+want {
						t.Errorf("told %q", got)
					}
					if open := !p.State.Final(); open != p.DoneAt.IsZero() || !open && !p.DueAt.IsZero() {
						t.Errorf("%+v", p)
					}
				})
			}
		}
	}
	t.Logf("%d cells", cells)
}

// disburse v1 §7.1, §7.2: the answer is lost, the bank has paid. Nothing is told while nobody knows; then it is, once, and repeats hear it.
func TestALostAnswer(t *testing.T) {
	w := newPaying(t)
	w.payer.script([]fate{lostSaying})
	w.open(w.asks())
	w.open(w.asks()) // a repeat sends nothing
	w.wasSent(1, 1)
	w.stands(payout.Unclear, payout.AttemptPrepared)
	w.owes()
	w.after(time.Minute) // the same key, the same bytes
	w.stands(payout.Paid, payout.AttemptPaid)
	w.owes("payout-result q SUCCESS payout_processed razorpayx")
	first := w.paid(w.asks())
	for range 3 {
		if again := w.paid(w.asks()); again != first {
			t.Errorf("%q after %q", again, first)
		}
	}
	w.no(fault.KeyReused)(w.disburse("q", price+1))
	w.wasSent(2, 1)
	w.owes("payout-result q SUCCESS payout_processed razorpayx")
}

// rails §2.7: after 1, 2 and 5 minutes the same again; then it is only asked about, and never sent again after a day.
func TestWhenAnOrderIsSentAgain(t *testing.T) {
	w := newPaying(t)
	silence := slices.Repeat([]fate{lostAsk}, 20)
	w.payer.wire, w.payer.asks = slices.Clone(silence), slices.Clone(silence)
	w.open(w.asks())
	begin := w.clock.Now()
	var sendings, questions []time.Duration
	for range 12 {
		p, _ := w.payout("q")
		sent, _, asked := w.payer.counts()
		w.after(p.DueAt.Sub(w.clock.Now()))
		age := w.clock.Now().Sub(begin)
		if s, _, q := w.payer.counts(); s > sent {
			sendings = append(sendings, age)
		} else if q > asked {
			questions = append(questions, age)
		}
	}
	minutes := func(list ...float64) string {
		var out []time.Duration
		for _, m := range list {
			out = append(out, time.Duration(m*float64(time.Minute)))
		}
		return fmt.Sprint(out)
	}
	if fmt.Sprint(sendings) != minutes(1, 2, 5) {
		t.Error("sent again after", sendings)
	}
	if fmt.Sprint(questions) != minutes(5.5, 7.5, 12.5, 22.5, 37.5, 52.5, 67.5, 82.5, 97.5) {
		t.Error("asked after", questions)
	}
	w.wasSent(4, 1)
	w.stands(payout.Unclear, payout.AttemptPrepared)
	w.owes()
}

// A house that was dark for more than a day sends nothing again: the bank forgets keys.
func TestNothingIsSentAgainAfterADay(t *testing.T) {
	for _, end := range []struct {
		asks  fate
		state payout.State
	}{{through, payout.Paid}, {lostAsk, payout.Unclear}, {unsent, payout.Unclear}, {busy, payout.Unclear}} {
		t.Run(string(end.asks), func(t *testing.T) {
			w := newPaying(t)
			w.payer.script([]fate{lostSaying})
			w.open(w.asks())
			w.clock.Advance(8 * 24 * time.Hour)
			w.start()
			w.payer.asks = []fate{end.asks, end.asks}
			for range 2 {
				w.after(time.Minute)
				_, _ = w.asks()
			}
			if p, _ := w.payout("q"); p.State != end.state {
				t.Errorf("%s, not %s", p.State, end.state)
			}
			w.wasSent(1, 1)
			w.honest()
		})
	}
}

// An enquiry that did not get through says nothing about the order, however often it was sent.
func TestAnEnquiryThatFailsSaysNothing(t *testing.T) {
	for _, f := range []fate{unsent, busy, lostAsk} {
		w := newPaying(t)
		w.payer.script([]fate{lostSaying}, keeps)
		w.open(w.asks())
		w.clock.Advance(25 * time.Hour)
		w.payer.asks = slices.Repeat([]fate{f}, 5)
		for range 5 {
			w.after(15 * time.Minute)
		}
		w.stands(payout.Unclear, payout.AttemptPrepared)
		w.wasSent(1, 1)
	}
}

// rails §2.7: another attempt only after the bank has said that nothing moved, with a key and a reference of its own.
func TestAnotherAttempt(t *testing.T) {
	w := newPaying(t)
	w.payer.script(nil, passing, passing, credits)
	w.open(w.asks())
	w.stands(payout.Waiting, payout.AttemptFailed)
	w.after(29 * time.Minute)
	w.open(w.asks())
	w.wasSent(1, 1)
	w.after(time.Minute)
	w.stands(payout.Waiting, payout.AttemptFailed)
	w.after(30 * time.Minute)
	w.stands(payout.Paid, payout.AttemptPaid)
	w.wasSent(3, 3)
	p, a := w.payout("q")
	for i, o := range w.payer.sent {
		if want := fmt.Sprintf("%s%02d", strings.ReplaceAll(p.ID, "-", ""), i+1); o.Reference != want {
			t.Errorf("reference %s, not %s", o.Reference, want)
		}
	}
	if a.N != 3 || p.Attempts != 3 || a.ID != w.payer.sent[2].Key {
		t.Errorf("%+v %+v", p, a)
	}
	w.owes("payout-result q SUCCESS payout_processed razorpayx")
	w.paid(w.asks())
}

// A wait that the bank names goes before ours.
func TestTheBankNamesAWait(t *testing.T) {
	w := newPaying(t)
	said := verdict(payout.Failed)
	said.Wait = 5 * time.Minute
	w.payer.said(said)
	w.open(w.asks())
	w.due(5 * time.Minute)
}

// disburse v1 §10: the budget of attempts is spent. Only a person goes on, or ends it (OP-2).
func TestAStuckPayout(t *testing.T) {
	stuck := func(t *testing.T) *paying {
		w := newPaying(t)
		w.payer.script(nil, passing, passing, passing, credits)
		w.open(w.asks())
		for range 6 {
			w.after(30 * time.Minute)
		}
		w.stands(payout.Waiting, payout.AttemptFailed)
		w.due(0)
		w.wasSent(3, 3)
		w.wants("payout-stuck")
		return w
	}
	t.Run("goes on", func(t *testing.T) {
		w := stuck(t)
		list, _ := w.ListCases(context.Background(), true, 10)
		w.must(w.ResumeCase(context.Background(), list[0].ID, "the bank is well again"))
		w.after(0)
		w.stands(payout.Paid, payout.AttemptPaid)
		w.wants()
		w.owes("payout-result q SUCCESS payout_processed razorpayx")
	})
	t.Run("ends", func(t *testing.T) {
		w := stuck(t)
		p, _ := w.payout("q")
		w.must(w.RefusePayout(context.Background(), p.ID, payout.OnHold, "agreed with Google"))
		w.stands(payout.Refused, payout.AttemptFailed)
		w.owes("payout-result q account_on_hold")
		w.refusedFor(payout.OnHold)(w.asks())
		w.after(48 * time.Hour)
		w.wasSent(3, 3)
	})
}

// A person may end what certainly moved nothing, and nothing else.
func TestRefuseByHand(t *testing.T) {
	for s := range at {
		t.Run(string(s), func(t *testing.T) {
			w := newPaying(t)
			w.reach(s)
			before, _ := w.payout("q")
			err := w.RefusePayout(context.Background(), before.ID, payout.ClosedFraud, "our own finding")
			if s == payout.Waiting {
				w.must(err)
				w.stands(payout.Refused, payout.AttemptFailed)
				w.owes("payout-result q account_closed_fraud")
				return
			}
			w.no(fault.Precondition)("", err)
			if after, _ := w.payout("q"); after.Version != before.Version || len(w.notices()) != 0 {
				t.Errorf("changed: %+v", after)
			}
		})
	}
	w := newPaying(t)
	w.reach(payout.Waiting)
	p, _ := w.payout("q")
	w.no(fault.Invalid)("", w.RefusePayout(context.Background(), p.ID, payout.AboveLimit, "note"))
	w.no(fault.Invalid)("", w.RefusePayout(context.Background(), p.ID, payout.OnHold, ""))
	if err := w.RefusePayout(context.Background(), "nobody", payout.OnHold, "note"); err == nil {
		t.Error("nobody's payout is refused")
	}
}

// disburse v1 §4.3, §7.1 step 3: what is outside the limits is answered without the bank; what is on them is paid.
func TestPayoutLimits(t *testing.T) {
	for _, c := range []struct {
		minor int64
		words string
	}{
		{99, "NO below_limit %s : limit 1.00 INR"},
		{100, "YES %s razorpayx:payout_processed"},
		{10_000_000, "YES %s razorpayx:payout_processed"},
		{10_000_001, "NO above_limit %s : limit 100000.00 INR"},
	} {
		w := newPaying(t)
		w.payer.cannot = errNever(c.words) // what is refused is not even checked
		got := w.yes(w.disburse("q", c.minor))
		p, _ := w.payout("q")
		if want := fmt.Sprintf(c.words, p.ID); got != want {
			t.Errorf("%d: answered %q, not %q", c.minor, got, want)
		}
		if again := w.yes(w.disburse("q", c.minor)); again != got {
			t.Errorf("%q after %q", again, got)
		}
		if strings.HasPrefix(got, "NO") {
			w.wasSent(0, 0)
			if w.books() != nothing {
				t.Errorf("books %q", w.books())
			}
		}
		w.owes()
	}
}

func errNever(words string) error {
	if strings.HasPrefix(words, "NO") {
		return errDisk
	}
	return nil
}

// A limit that the bank found is told with ours (disburse v1 §9: U02, Z8).
func TestALimitOfTheBank(t *testing.T) {
	w := newPaying(t)
	w.payer.script(nil, tooMuch)
	got := w.refusedFor(payout.AboveLimit)(w.asks())
	if !strings.HasSuffix(got, " razorpayx:transaction_limit_exceeded limit 100000.00 INR") {
		t.Errorf("answered %q", got)
	}
	w = newPaying(t, func(c *engine.Config) { c.Accounts[0].Limits = nil }) // nobody has said how much is too much
	w.payer.script([]fate{lostSaying}, tooMuch)
	w.open(w.asks())
	w.after(time.Minute)
	w.owes("payout-result q above_limit transaction_limit_exceeded razorpayx")
}

// disburse v1 §9: an order that only the adapter cannot take is not the payee's fault, and leaves nothing behind.
func TestTheAdapterCannot(t *testing.T) {
	w := newPaying(t)
	w.payer.cannot = errDeaf
	w.open(w.asks())
	w.look(func(v engine.Reader) error {
		if _, ok, err := v.PayoutByRequest(key("q")); ok || err != nil {
			t.Error("it was taken on", err)
		}
		return nil
	})
	if !strings.Contains(w.log.String(), "cannot take an order") {
		t.Error("nobody was told")
	}
	w.payer.cannot = nil
	w.paid(w.asks()) // another bank, another day
}

func TestAnAccountThatPaysNothingOut(t *testing.T) {
	w := newPaying(t)
	ask := engine.DisburseAsk{Amount: paise(price), Encode: answered}
	r := engine.Request{Key: engine.Key{Account: "P2", RequestID: "q"}, Method: "disburseFunds"}
	_, err := w.Once(context.Background(), r, func(ctx context.Context, t engine.Turn) ([]byte, error) { return w.Disburse(ctx, t, ask) })
	w.no(fault.Forbidden)("", err)
}

// A guard that refuses takes nothing on that the float does not cover, and counts what is on its way.
func TestTheFloatGuardRefuses(t *testing.T) {
	w := newPaying(t, bank(func(b *engine.Bank) { b.Guard = engine.GuardRefuse }))
	w.payer.makes = []making{keeps, keeps, keeps}
	w.open(w.disburse("first", 9_000_000)) // nothing is known of the float: the bank decides
	w.payer.fund(9_000_000+2*price, "bank_transfer")
	w.must(w.ReadFloat(context.Background(), "pb"))
	w.open(w.asks())
	w.open(w.disburse("r", price))
	w.no(fault.Unavailable)(w.disburse("s", 100))
	w.look(func(v engine.Reader) error {
		if _, ok, err := v.PayoutByRequest(key("s")); ok || err != nil {
			t.Error("it was taken on", err)
		}
		return nil
	})
	w.refusedFor(payout.BelowLimit)(w.disburse("t", 1)) // not the float's matter
	w.wasSent(3, 3)
	w.payer.fund(100, "bank_transfer")
	w.must(w.ReadFloat(context.Background(), "pb"))
	if f := w.Floats()["pb"]; f.Available != paise(100) {
		t.Errorf("%+v", f)
	}
	w.paid(w.disburse("s", 100))
	w.honest()
}

// A guard that queues takes it on; it is sent when there is money, and its result is told.
func TestTheFloatGuardQueues(t *testing.T) {
	w := newPaying(t, bank(func(b *engine.Bank) { b.Guard = engine.GuardQueue }))
	w.must(w.ReadFloat(context.Background(), "pb")) // nothing there
	w.open(w.asks())
	w.open(w.asks())
	for range 130 {
		w.after(time.Minute)
	}
	if p, a := w.payout("q"); p.State != payout.Asked || p.Attempts != 0 || a.ID != "" || w.books() != inFlight {
		t.Errorf("%+v %+v %q", p, a, w.books())
	}
	if n := strings.Count(w.log.String(), "a payout is still open"); n != 1 { // after an hour
		t.Errorf("%d alarms", n)
	}
	w.wasSent(0, 0)
	w.payer.fund(price, "bank_transfer")
	w.must(w.ReadFloat(context.Background(), "pb"))
	w.after(time.Minute)
	w.stands(payout.Paid, payout.AttemptPaid)
	w.owes("payout-result q SUCCESS payout_processed razorpayx")
	w.paid(w.asks())

	w = newPaying(t, bank(func(b *engine.Bank) { b.Guard = engine.GuardQueue }))
	w.must(w.ReadFloat(context.Background(), "pb"))
	w.open(w.asks())
	p, _ := w.payout("q")
	w.must(w.RefusePayout(context.Background(), p.ID, payout.OnHold, "there will be no money")) // nothing of it ever left
	w.refusedFor(payout.OnHold)(w.asks())
	w.owes("payout-result q account_on_hold")
	if w.books() != nothing {
		t.Errorf("books %q", w.books())
	}
}

// An order that waits at the bank for our float is an operator's business, and pays when there is money.
func TestLowBalanceAtTheBank(t *testing.T) {
	w := newPaying(t)
	w.payer.script(nil, queues)
	w.open(w.asks())
	w.stands(payout.Sent, payout.AttemptOpen)
	for range 100 {
		w.after(15 * time.Minute)
	}
	w.stands(payout.Sent, payout.AttemptOpen)
	if n := strings.Count(w.log.String(), "a payout is still open"); n != 2 { // after an hour, after a day
		t.Errorf("%d alarms", n)
	}
	w.payer.goes(0, keeps)
	w.payer.goes(0, credits)
	w.hears(w.payer.mail()...)
	w.stands(payout.Paid, payout.AttemptPaid)
	w.wasSent(1, 1)
	w.owes("payout-result q SUCCESS payout_processed razorpayx")
}

// design §3.11: the bank is asked after 30 s, 2, 5 and 10 minutes, then every 15.
func TestWhenTheBankIsAsked(t *testing.T) {
	w := newPaying(t)
	w.payer.script(nil, deems)
	w.open(w.asks())
	w.stands(payout.Deemed, payout.AttemptOpen)
	for _, seconds := range []time.Duration{30, 120, 300, 600, 900, 900} {
		want := seconds * time.Second
		w.due(want)
		w.after(want - time.Second)
		_, _, before := w.payer.counts()
		w.after(time.Second)
		if _, _, asked := w.payer.counts(); asked != before+1 {
			t.Errorf("not asked after %s", want)
		}
	}
	w.owes() // deemed is no success
	w.payer.goes(0, making{state: "reversed", why: payout.OnHold, code: "beneficiary_bank_rejected"})
	w.after(15 * time.Minute)
	w.stands(payout.Refused, payout.AttemptFailed)
	w.owes("payout-result q account_on_hold beneficiary_bank_rejected razorpayx")
	w.refusedFor(payout.OnHold)(w.asks())
	w.wasSent(1, 1)
}

// disburse v1 §7.2, OP-6: the money is back after it was told as paid. What was told stays; the rest is for a person.
func TestReturnedAfterSuccess(t *testing.T) {
	w := newPaying(t)
	first := w.paid(w.asks())
	w.hears(w.payer.mail()...)
	w.clock.Advance(3 * 24 * time.Hour)
	w.payer.goes(0, making{state: "reversed", code: "beneficiary_bank_rejected"})
	back := w.clock.Now()
	news := w.payer.mail()
	w.hears(news...)
	w.stands(payout.Returned, payout.AttemptReturned)
	w.wants("payout-returned")
	w.clock.Advance(time.Hour)
	w.hears(news...)      // again
	w.told(w.credited(0)) // and out of order
	if p, _ := w.payout("q"); !p.BackAt.Equal(back) || w.meter.cases != 1 || !p.DoneAt.Before(p.BackAt) {
		t.Errorf("%+v, %d cases reported", p, w.meter.cases)
	}
	w.stands(payout.Returned, payout.AttemptReturned)
	w.wants("payout-returned")
	w.owes()
	if again := w.paid(w.asks()); again != first {
		t.Errorf("%q after %q", again, first)
	}
	list, _ := w.ListCases(context.Background(), true, 10)
	w.no(fault.Precondition)("", w.ResumeCase(context.Background(), list[0].ID, "again")) // there is nothing to send
	w.must(w.CloseCase(context.Background(), list[0].ID, "settled with Google"))
	w.after(48 * time.Hour)
	w.wasSent(1, 1)
}

// credited is what the bank said of its nth order when it had paid it.
func (w *paying) credited(n int) payout.Answer {
	return w.payer.says(&remittance{id: w.payer.orders[n].id, ref: w.payer.orders[n].ref, state: "processed", code: credits.code})
}

// rails §2.7: at least once, in any order. What cannot follow is asked about before it is believed.
func TestNewsInAnyOrder(t *testing.T) {
	for _, order := range [][]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
		w := newPaying(t)
		w.payer.script([]fate{lostSaying}, keeps)
		w.open(w.asks())
		w.payer.goes(0, credits)
		w.payer.goes(0, making{state: "reversed"})
		news := w.payer.mail()
		for _, n := range slices.Concat(order, order) {
			w.hears(news[n])
		}
		p, a := w.payout("q")
		told := w.notices()
		switch {
		case p.State == payout.Returned && a.State == payout.AttemptReturned && len(told) == 1: // it was heard as paid first
		case p.State == payout.Waiting && a.State == payout.AttemptFailed && len(told) == 0: // nobody ever heard that it was paid
		default:
			t.Errorf("%v: %s, %s, told %q", order, p.State, a.State, told)
		}
		w.honest()
	}
}

// settles calls something as soon as what a bank said of a payout is on disk.
func settles(do func()) func(*engine.Config) {
	return func(c *engine.Config) {
		die := c.Crash
		c.Crash = func(p crash.Point) {
			die(p)
			if p == crash.PayoutSettled {
				do()
			}
		}
	}
}

// News before the answer: the caller hears of it, and what he hears is what was told.
func TestNewsBeforeTheAnswer(t *testing.T) {
	for _, f := range []fate{through, lostSaying} {
		w := newPaying(t)
		w.payer.script([]fate{f})
		w.payer.during = func() { w.hears(w.payer.mail()...) }
		w.paid(w.asks())
		w.stands(payout.Paid, payout.AttemptPaid)
		w.owes("payout-result q SUCCESS payout_processed razorpayx")
		w.wasSent(1, 1)
	}
}

// A caller who waits hears the result as soon as the bank tells it, and so do the copies of his request (disburse v1 OP-12).
func TestTheCallerWaits(t *testing.T) {
	open := make(chan struct{}, 10)
	w := newPaying(t, settles(func() { open <- struct{}{} }))
	w.payer.makes = []making{keeps}
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	answers := make([]string, 5)
	var all sync.WaitGroup
	for i := range answers {
		all.Go(func() {
			got, err := w.disburseOn(ctx, w.Engine, "q", price)
			if answers[i] = got; err != nil {
				t.Error(err)
			}
		})
	}
	<-open // the bank has it, and everybody waits
	w.payer.goes(0, credits)
	w.hears(w.payer.mail()...)
	all.Wait()
	if w.paid(answers[0], nil); len(slices.Compact(answers)) != 1 {
		t.Errorf("answered %q", answers)
	}
	w.wasSent(1, 1)
	w.owes("payout-result q SUCCESS payout_processed razorpayx")

	w.payer.makes = []making{keeps}
	w.no(fault.Unavailable)(w.disburse("r", price)) // nobody waits here, and then somebody does
	heard := make(chan string)
	waits, stop := context.WithCancel(ctx)
	go func() {
		got, _ := w.disburseOn(waits, w.Engine, "r", price)
		heard <- got
	}()
	w.payer.goes(1, closed)
	w.hears(w.payer.mail()...)
	w.refusedFor(payout.Closed)(<-heard, nil)
	stop()
}

// A caller whose time is over hears Unavailable; what he asked for goes on.
func TestTheCallerHangsUp(t *testing.T) {
	ctx, hangUp := context.WithCancel(context.Background())
	w := newPaying(t, settles(hangUp))
	w.payer.makes = []making{keeps}
	w.open(w.disburseOn(ctx, w.Engine, "q", price))
	w.stands(payout.Sent, payout.AttemptOpen)
	w.open(w.disburseOn(ctx, w.Engine, "q", price))
	w.payer.goes(0, credits)
	w.hears(w.payer.mail()...)
	w.paid(w.asks())

	ctx, hangUp = context.WithCancel(context.Background())
	w.payer.during = hangUp // before the bank answers
	w.paid(w.disburseOn(ctx, w.Engine, "r", price))
}

// Any number of copies, on two nodes: one order.
func TestCopiesOnTwoNodes(t *testing.T) {
	w := newPaying(t)
	w.payer.makes = []making{keeps}
	w.clock.sleep = w.tick
	one := w.Engine
	w.start()
	nodes := []*engine.Engine{one, w.Engine}
	everybody := func() (answers []string) {
		answers = make([]string, 12)
		var all sync.WaitGroup
		for i := range answers {
			all.Go(func() {
				got, err := w.disburseOn(context.Background(), nodes[i%2], "q", price)
				if k, _ := fault.Of(err); err != nil && k != fault.Unavailable && k != fault.Aborted {
					t.Error(err)
				}
				answers[i] = got
			})
		}
		all.Wait()
		return answers
	}
	everybody()
	w.stands(payout.Sent, payout.AttemptOpen)
	w.wasSent(1, 1)
	w.payer.goes(0, credits)
	var all sync.WaitGroup
	for i, news := range slices.Repeat(w.payer.mail(), 4) {
		all.Go(func() { w.must(nodes[i%2].PayoutNews(context.Background(), "pb", news)) })
	}
	all.Wait()
	if answers := slices.Compact(everybody()); len(answers) != 1 || !strings.HasPrefix(answers[0], "YES ") {
		t.Errorf("answered %q", answers)
	}
	w.stands(payout.Paid, payout.AttemptPaid)
	w.owes("payout-result q SUCCESS payout_processed razorpayx")
}

// What is on disk when the process dies is enough, wherever it dies: the bank pays once, and the result is told.
func TestPayoutDies(t *testing.T) {
	for _, end := range []struct {
		name string
		m    making
		want payout.State
	}{
		{"paid", credits, payout.Paid},
		{"refused", closed, payout.Refused},
		{"open", keeps, payout.Sent},
		{"passing", passing, payout.Waiting},
	} {
		for _, point := range []crash.Point{crash.PayoutAccepted, crash.PayoutAnswered, crash.PayoutSettled} {
			t.Run(fmt.Sprint(end.name, "/", point), func(t *testing.T) {
				w := newPaying(t)
				w.payer.makes = []making{end.m}
				w.die = point
				if !survives(func() { _, _ = w.asks() }) {
					t.Fatal("nobody died")
				}
				w.start()
				_, _ = w.asks() // nothing is sent for it: somebody may be waiting for the bank
				sent, _, _ := w.payer.counts()
				if point == crash.PayoutAccepted != (sent == 0) {
					t.Errorf("%d messages left the house", sent)
				}
				w.after(time.Minute)
				p, a := w.payout("q")
				w.stands(end.want, a.State)
				got, err := w.asks()
				if !end.want.Final() {
					w.open(got, err)
					w.owes()
					return
				}
				w.yes(got, err)
				told := w.notices()
				if point == crash.PayoutSettled && len(told) != 0 || point != crash.PayoutSettled && len(told) != 1 {
					t.Errorf("told %q", told) // what was settled for the caller is his answer
				}
				if p.Attempts != 1 {
					t.Errorf("%d attempts", p.Attempts)
				}
			})
		}
	}
}

// The loop dies, too: before it sends or asks, and after.
func TestTheLoopDies(t *testing.T) {
	for _, point := range []crash.Point{crash.PayoutClaimed, crash.PayoutAnswered, crash.PayoutSettled} {
		for name, m := range map[string]making{"sends": {}, "asks": keeps} {
			t.Run(fmt.Sprint(name, "/", point), func(t *testing.T) {
				w := newPaying(t)
				if m.state == "" {
					w.payer.wire = []fate{lostAsk}
				} else {
					w.payer.makes = []making{m}
				}
				w.open(w.asks())
				if m.state != "" {
					w.payer.goes(0, credits)
				}
				w.clock.Advance(time.Minute)
				w.die = point
				if !survives(func() { _ = w.PayDue(context.Background()) }) {
					t.Fatal("nobody died")
				}
				w.start()
				for range 6 {
					w.after(time.Minute)
				}
				w.stands(payout.Paid, payout.AttemptPaid)
				w.owes("payout-result q SUCCESS payout_processed razorpayx")
				w.paid(w.asks())
				if _, keys, _ := w.payer.counts(); keys != 1 {
					t.Errorf("%d keys", keys)
				}
			})
		}
	}
}

// What the bank said cannot be written down: it is asked again.
func TestTheDiskFailsOnAnAnswer(t *testing.T) {
	for _, m := range []making{credits, closed, keeps} {
		w := newPaying(t)
		w.payer.makes = []making{m}
		w.payer.during = func() { w.store.fail = func() error { return errDisk } }
		w.open(w.asks())
		w.store.fail = nil
		w.stands(payout.Sent, payout.AttemptPrepared)
		w.after(time.Minute)
		if _, a := w.payout("q"); a.State == payout.AttemptPrepared {
			t.Errorf("%+v", a)
		}
		w.wasSent(2, 1)
		w.honest()
	}
	w := newPaying(t)
	w.store.fail = func() error { return errDisk }
	w.no(fault.Unavailable)(w.asks())
	w.wasSent(0, 0)
	w.store.fail = nil
	w.paid(w.asks())
}

// The bank asks for patience, and did nothing: the same order follows soon, however long that lasts.
func TestTooManyRequests(t *testing.T) {
	for _, f := range []fate{busy, unsent} {
		w := newPaying(t)
		w.payer.wire = slices.Repeat([]fate{f}, 8)
		w.open(w.asks())
		for range 8 {
			w.stands(payout.Asked, payout.AttemptPrepared)
			w.after(time.Minute)
		}
		w.stands(payout.Paid, payout.AttemptPaid)
		if _, keys, _ := w.payer.counts(); keys != 1 {
			t.Errorf("%d keys", keys)
		}
		w.owes("payout-result q SUCCESS payout_processed razorpayx")
	}
	w := newPaying(t) // and the caller's own repeat is as good as the loop
	w.payer.wire = []fate{unsent, busy}
	w.open(w.asks())
	w.open(w.asks())
	w.paid(w.asks())
	w.owes()
}

// An earlier sending may have done what this one did not.
func TestASendingThatDidNothingAfterOneThatMay(t *testing.T) {
	for _, f := range []fate{unsent, busy} {
		w := newPaying(t)
		w.payer.script([]fate{lostSaying, f, f}, deems)
		w.open(w.asks())
		w.after(time.Minute)
		w.stands(payout.Unclear, payout.AttemptPrepared)
		w.after(time.Minute)
		w.after(3 * time.Minute)
		w.stands(payout.Deemed, payout.AttemptOpen)
		w.honest()
	}
	for _, f := range []fate{unsent, busy} { // also where we died before we heard of the first one
		w := newPaying(t)
		w.payer.script(nil, queues)
		w.die = crash.PayoutAnswered
		survives(func() { _, _ = w.asks() })
		w.start()
		w.payer.wire = []fate{f}
		w.after(time.Minute)
		w.stands(payout.Unclear, payout.AttemptPrepared)
		w.clock.Advance(8 * 24 * time.Hour) // until the bank has forgotten the key
		w.after(0)
		w.stands(payout.Unclear, payout.AttemptOpen)
		w.wasSent(map[fate]int{unsent: 1, busy: 2}[f], 1)
	}
	w := newPaying(t)
	w.payer.script([]fate{lostSaying}, keeps)
	w.open(w.asks())
	w.payer.said(verdict(payout.Misfit)) // it never saw the second one as an order; of the first one that says nothing
	w.after(time.Minute)
	if p, a := w.payout("q"); p.State != payout.Unclear || a.State != payout.AttemptPrepared || len(w.cases()) != 1 {
		t.Errorf("%s, %s, cases %q", p.State, a.State, w.cases())
	}
}

// The bank tells that it works on what never left, as far as we know: the order is sent again under its key, and no other one.
func TestNewsOfWhatNeverLeft(t *testing.T) {
	w := newPaying(t)
	w.payer.said(verdict(payout.Later))
	w.open(w.asks())
	w.told(verdict(payout.Open))
	w.payer.makes = []making{keeps}
	for range 3 {
		w.after(time.Minute)
	}
	w.stands(payout.Sent, payout.AttemptOpen)
	if _, keys, _ := w.payer.counts(); keys != 1 {
		t.Errorf("%d keys", keys)
	}
}

// The bank says of an order that it failed, and later that it paid: nothing else is sent until a person has looked.
func TestAFailedOrderThatPays(t *testing.T) {
	w := newPaying(t)
	w.payer.script(nil, passing)
	w.open(w.asks())
	w.told(w.credited(0))
	w.wants("payout-contradiction")
	w.due(0)
	for range 5 {
		w.after(time.Hour)
	}
	w.wasSent(1, 1)
	w.stands(payout.Waiting, payout.AttemptFailed)
	list, _ := w.ListCases(context.Background(), true, 10)
	w.must(w.ResumeCase(context.Background(), list[0].ID, "the bank was wrong"))
	w.after(0)
	w.stands(payout.Paid, payout.AttemptPaid)
	w.wasSent(2, 2)
}

// It says so again after a person went on: a case is open whenever nothing moves.
func TestAContradictionIsHeardAgain(t *testing.T) {
	w := newPaying(t)
	w.payer.script(nil, passing, passing)
	w.open(w.asks())
	paid := w.credited(0)
	w.told(paid)
	list, _ := w.ListCases(context.Background(), true, 10)
	w.must(w.ResumeCase(context.Background(), list[0].ID, "the bank was wrong"))
	w.after(0)
	w.wasSent(2, 2)
	w.payer.said(paid)
	w.hears(payout.News{ID: "ev", Answer: paid})
	w.payer.said()
	if p, _ := w.payout("q"); p.State != payout.Waiting || p.DueAt.IsZero() == (len(w.cases()) == 0) {
		t.Errorf("%s, due %s, cases %q", p.State, p.DueAt, w.cases())
	}
}

// An attempt that was given up for another one stays so, whatever the bank says; that it came back is no news.
func TestNewsOfAnEarlierAttempt(t *testing.T) {
	for v, want := range map[payout.Verdict][]string{
		payout.Credited: {"payout-contradiction"}, payout.Failed: nil, payout.Rejected: nil, payout.CameBack: nil, payout.Unknown: nil,
		payout.Open: nil,
	} {
		w := newPaying(t)
		w.payer.script(nil, passing, keeps)
		w.open(w.asks())
		w.after(30 * time.Minute)
		said := verdict(v)
		said.Reference = w.payer.sent[0].Reference
		w.payer.said(said)
		w.hears(payout.News{ID: "ev", Answer: said})
		w.payer.said()
		w.stands(payout.Sent, payout.AttemptOpen)
		w.wants(want...)
		w.owes()
	}
}

// News about nothing of ours, and about two orders where there is one.
func TestStrangeNews(t *testing.T) {
	w := newPaying(t)
	w.hears(payout.News{ID: "ev", Answer: payout.Answer{Verdict: payout.Credited, Reference: "other"}})
	w.payer.makes = []making{keeps}
	w.open(w.asks())
	w.wants()
	_, a := w.payout("q")
	w.hears(payout.News{ID: "ev2", Answer: payout.Answer{Verdict: payout.Credited, Reference: a.Reference, BankID: "pout_other"}})
	w.wants("payout-contradiction")
	w.stands(payout.Sent, payout.AttemptOpen)
}

// An operator hears of codes that need a look.
func TestAnAlert(t *testing.T) {
	w := newPaying(t)
	said := verdict(payout.Unknown)
	said.Alert = "a state that is in no sheet"
	w.payer.said(said)
	w.open(w.asks())
	if !strings.Contains(w.log.String(), "a state that is in no sheet") {
		t.Error("nobody was told")
	}
}

// The proof for the payee, and what the bank took for its work.
func TestWhatABankTellsOfAPayment(t *testing.T) {
	w := newPaying(t)
	w.payer.fees, w.payer.tax = 300, 54
	w.payer.makes = []making{keeps}
	w.open(w.asks())
	w.payer.goes(0, credits)
	w.hears(w.payer.mail()...)
	_, a := w.payout("q")
	if a.UTR == "" || a.BankID == "" || a.Status != "processed" || a.Fees != paise(300) || a.Tax != paise(54) {
		t.Errorf("%+v", a)
	}
	for range 2 {
		if got, want := sorted(w.books()), "fee:rail=300 google:receivable=12550 payout:float=-12904 tax:input=54"; got != want {
			t.Errorf("books %q, not %q", got, want)
		}
		w.told(w.credited(0)) // heard again, it costs nothing again
	}
}

// To whom money goes is in no log and no journal, and stands on disk sealed.
func TestAPayoutKeepsItsSecrets(t *testing.T) {
	w := newPaying(t)
	w.payer.script(nil, passing, wrongly)
	w.open(w.asks())
	w.after(30 * time.Minute)
	p, a := w.payout("q")
	for name, text := range map[string]string{
		"log": w.log.String(), "cases": fmt.Sprint(w.ListCases(context.Background(), false, 10)), "payout": fmt.Sprintf("%+v %s", p, p.Target),
		"attempt": fmt.Sprintf("%+v %s", a, a.Body),
	} {
		if strings.Contains(text, "asha") || strings.Contains(text, "Reward") {
			t.Errorf("%s: %s", name, text)
		}
	}
	if got := w.payer.sent[1].Target; got.VPA.Reveal() != vpa || got.Text != "Reward 4711\nfür März" {
		t.Errorf("the bank was told %q", got.Text)
	}
}

// A bank that is not configured any more is put back; until then its payouts stay where they are.
func TestABankThatIsGone(t *testing.T) {
	w := newPaying(t)
	w.payer.makes = []making{keeps}
	w.open(w.asks())
	w.with = append(w.with, func(c *engine.Config) { c.Banks, c.Accounts = nil, c.Accounts[1:] })
	w.start()
	w.after(time.Hour)
	w.stands(payout.Sent, payout.AttemptOpen)
	if !strings.Contains(w.log.String(), "not configured") {
		t.Error("nobody was told")
	}
	_, err := engine.New(engine.Config{Accounts: []engine.Account{{ID: "P", Bank: "pb"}}})
	if err == nil || !strings.Contains(err.Error(), "payout bank") {
		t.Error(err)
	}
}

// The loops work by themselves, and stop.
func TestTheLoopsOfPayouts(t *testing.T) {
	w := newPaying(t)
	w.payer.wire = []fate{lostAsk}
	w.open(w.asks())
	asleep := make(chan struct{}, 100)
	w.clock.sleep = func() {
		select {
		case asleep <- struct{}{}:
		default:
		}
	}
	ctx, stop := context.WithCancel(context.Background())
	var all sync.WaitGroup
	for _, loop := range []func(context.Context) error{w.KeepPaying, w.WatchFloats, w.Statements} {
		all.Go(func() {
			if err := loop(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	<-asleep
	w.clock.Advance(time.Minute)
	<-w.Notices[0] // the result is to be told
	stop()
	all.Wait()
	w.stands(payout.Paid, payout.AttemptPaid)
	if len(w.Floats()) != 1 {
		t.Error("nobody asked for the float")
	}
}

// A transaction that a store runs twice spends the float once.
func TestTheFloatIsSpentOnce(t *testing.T) {
	w := newPaying(t, bank(func(b *engine.Bank) { b.Guard = engine.GuardRefuse }))
	w.payer.fund(2*price, "bank_transfer")
	w.must(w.ReadFloat(context.Background(), "pb"))
	w.payer.makes = []making{keeps, keeps}
	w.open(w.asks())
	w.no(fault.Unavailable)(w.disburse("r", price))
	w.wasSent(2, 2)
}

// Where it is configured, a new address is asked about: one that nobody has is refused before anything leaves, and what the bank does not say
// in time pays (rails §2.4, disburse v1 §9: ZH). A repeat asks nothing.
func TestANewAddressIsAskedAbout(t *testing.T) {
	asked, said := 0, payout.Answer{Verdict: payout.Rejected, Reason: payout.Closed, Scope: "razorpayx", Code: "vpa_invalid"}
	w := newPaying(t, bank(func(b *engine.Bank) {
		b.Validate = func(_ context.Context, to payout.Target) payout.Answer {
			if to.VPA.IsZero() {
				t.Error("about nobody")
			}
			asked++
			return said
		}
	}))
	got := w.refusedFor(payout.Closed)(w.asks())
	if again := w.refusedFor(payout.Closed)(w.asks()); again != got || !strings.Contains(got, "razorpayx:vpa_invalid") || asked != 1 {
		t.Errorf("answered %q, then %q; asked %d times", got, again, asked)
	}
	w.wasSent(0, 0)
	w.wants()
	said = payout.Answer{} // nothing: it pays
	w.paid(w.disburse("q2", price))
	w.wasSent(1, 1)
	w.payer.script([]fate{lostSaying})
	for range 2 {
		if got, err := w.disburse("q3", price); err == nil || asked != 3 {
			t.Errorf("answered %q; asked %d times", got, asked)
		}
	}
}
