package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	upisim "naru/rail/upi/sim"
)

// Nothing of a message that is lost arrives: either it was not heard, or its answer is lost.
var (
	unheard = []string{"500-before", "503-before", "429", "hang-before", "close-before"}
	unsaid  = []string{"500-after", "hang-after", "close-after", "half-answer", "garbage", "nonsense"}
)

// silence keeps back all that the bank would tell of a payout by itself.
const silence = `{"action": "webhook-never", "match": {"amount": %d}}`

// TestPayoutFaults loses calls and answers, once and several times, with events and without: what may have left is sent again under the same
// key with the same bytes, or asked about, and the bank has one order. While nobody knows, nobody is told (disburse v1 §7, rails §2.7).
func TestPayoutFaults(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{api: upi, gsp: notYet})
	amount := int64(50_000)
	type script struct {
		id    string
		e     edits
		word  string
		sends int // at least
		mute  bool
		come  <-chan []answer
	}
	var scripts []*script
	play := func(name, address, word string, sends int, mute bool, rules ...string) {
		amount++
		s := &script{id: name, e: to(address, amount), word: word, sends: sends, mute: mute}
		if mute {
			w.meddle(silence, amount)
		}
		for _, r := range rules {
			w.meddle(r, amount)
		}
		s.come = w.meanwhile(1, pay, name, s.e)
		scripts = append(scripts, s)
	}
	calls := func(call, action string, times int) string {
		return `{"action": "` + action + `", "times": ` + fmt.Sprint(times) + `, "match": {"amount": %d, "call": "` + call + `"}}`
	}
	for _, action := range unheard {
		play(action, "success@sim", "SUCCESS", 2, true, calls("create", action, 1))
		play(action+"-thrice", "frozen@sim", "ACCOUNT_ON_HOLD", 4, true, calls("create", action, 3))
	}
	for _, action := range unsaid {
		play(action, "success@sim", "SUCCESS", 1, false, calls("create", action, 1))
		play(action+"-refused", "closed@sim", "ACCOUNT_CLOSED", 1, false, calls("create", action, 2))
		play(action+"-mute", "success@sim", "SUCCESS", 2, true, calls("create", action, 1))
		play(action+"-always", "success@sim", "SUCCESS", 2, true, calls("create", action, 0))
		play("ask-"+action, "success@sim", "SUCCESS", 1, true, calls("get", action, 2))
	}
	play("slow", "success@sim", "SUCCESS", 1, true, `{"action": "slow", "delay_ms": 1500, "match": {"amount": %d, "call": "create"}}`)
	play("again", "again@sim", "SUCCESS", 2, false)
	play("again-lost", "again@sim", "SUCCESS", 3, true, calls("create", "close-after", 1))
	for _, s := range scripts {
		a := (<-s.come)[0]
		if s.mute && s.sends > 1 && !a.is(503, "") || a.status != 503 && !a.is(200, s.word) {
			t.Errorf("%s: got %d %s", s.id, a.status, a.body)
		}
		if told := w.told(s.id); s.mute && s.sends > 1 && told != "" {
			t.Errorf("%s: Google was told %s of what nobody knew", s.id, told)
		}
	}
	w.until("all is known", func() bool {
		w.clock.Advance(time.Minute)
		owed, err := w.platform.Store.Backlog(t.Context())
		w.check(err)
		return owed.Payouts == 0
	})
	atBank := w.tallies()
	for _, s := range scripts {
		w.ends(s.id, s.e, s.word)
		_, keys := w.calls(s.id)
		sent, orders := 0, len(atBank[rooted(w.payout(s.id))].Payouts)
		for _, n := range keys {
			sent += n
		}
		attempts := 1
		if strings.HasPrefix(s.id, "again") {
			attempts = 2
		}
		if len(keys) != attempts || sent < s.sends || orders != attempts {
			t.Errorf("%s: sent %d times under %d keys, and the bank has %d orders; want %d times or more, and %d", s.id, sent, len(keys), orders,
				s.sends, attempts)
		}
	}
	w.until("all is told", func() bool {
		return !slices.ContainsFunc(scripts, func(s *script) bool { return s.mute && s.sends > 1 && w.told(s.id) != s.word })
	})
	w.once()
}

// TestPayoutThatNobodyHeard: the bank never had it, and only its statement can prove that. Until then nothing new leaves, and nobody is told.
func TestPayoutThatNobodyHeard(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{api: upi, gsp: notYet})
	e := to("success@sim", 60_001)
	w.meddle(`{"action": "close-before", "match": {"amount": 60001, "call": "create"}}`)
	w.want(pay, "unheard", e, 503, "")
	w.until("a person hears of it", func() bool {
		w.clock.Advance(time.Minute)
		owed, err := w.platform.Store.Backlog(t.Context())
		w.check(err)
		return owed.Cases > 0
	})
	w.cased(1)
	w.want(pay, "unheard", e, 503, "")
	w.behave()
	w.clock.Advance(20 * time.Hour)
	w.want(pay, "unheard", e, 503, "")
	if _, keys := w.calls("unheard"); len(keys) != 1 {
		t.Errorf("it was sent under %d keys before anything was proven", len(keys))
	}
	if w.told("unheard") != "" || len(w.tallies()) != 0 {
		t.Error("somebody was told, or paid")
	}
	w.until("it is paid", func() bool { w.clock.Advance(30 * time.Minute); return w.told("unheard") != "" })
	w.ends("unheard", e, "SUCCESS")
	if _, keys := w.calls("unheard"); len(keys) != 2 {
		t.Errorf("it was sent under %d keys, want two", len(keys))
	}
}

// TestPayoutEvents: events come before the answer, twice, late, never, with more in them, signed by the old secret or by nobody. Those that
// prove to be the bank's are believed, once; the others hear 401 and change nothing (rails §2.7).
func TestPayoutEvents(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{api: upi, gsp: notYet, rude: true})
	ends := func(id, address, word string, e ...string) {
		t.Helper()
		for _, rule := range e {
			w.meddle(rule, w.amountOf(id))
		}
		a := w.ask(pay, id, to(address, w.amountOf(id)))
		if a.status != 503 && !a.is(200, word) {
			t.Errorf("%s: got %d %s", id, a.status, a.body)
		}
		w.until(id+" is known", func() bool {
			w.clock.Advance(15 * time.Second)
			return w.ask(pay, id, to(address, w.amountOf(id))).is(200, word)
		})
		if n := len(w.notified(id)); n > 1 {
			t.Errorf("%s was told under %d ids", id, n)
		}
		if n := len(w.tallies()[rooted(w.payout(id))].Payouts); n != 1 {
			t.Errorf("%s: the bank has %d orders", id, n)
		}
	}
	event := func(action string) string {
		return `{"action": "` + action + `", "delay_ms": 90000, "match": {"amount": %d}}`
	}
	ends("first", "success@sim", "SUCCESS", `{"action": "webhook-first", "match": {"amount": %d, "call": "create"}}`)
	ends("first-refused", "frozen@sim", "ACCOUNT_ON_HOLD", `{"action": "webhook-first", "match": {"amount": %d, "call": "create"}}`)
	for _, action := range []string{"webhook-never", "webhook-late", "webhook-duplicate", "webhook-unknown-fields", "webhook-wrong-signature"} {
		ends(action, "success@sim", "SUCCESS", event(action))
		ends(action+"-refused", "closed@simrev", "ACCOUNT_CLOSED", event(action))
	}
	ends("both-lost", "success@sim", "SUCCESS", event("webhook-never"),
		`{"action": "close-after", "times": 1, "match": {"amount": %d, "call": "create"}}`)

	// The secret is replaced: for a while both count, then only those that we have.
	w.counter("rotate-secret", `{"secret": %q}`, nextBankHook)
	ends("rotated", "success@sim", "SUCCESS")
	ends("rotated-old", "success@sim", "SUCCESS", event("webhook-old-secret"))
	w.until("no event was refused", func() bool { return w.events("unsigned") > 0 }) // those of the wrong signature
	before := w.events("unsigned")
	w.counter("rotate-secret", `{"secret": "nobody has told us"}`)
	ends("rotated-unknown", "success@sim", "SUCCESS")
	w.until("strangers are refused", func() bool { w.clock.Advance(time.Minute); return w.events("unsigned") > before })
	w.counter("rotate-secret", `{"secret": %q}`, bankHook)

	// Forged, and what is true and nothing to us.
	w.want(pay, "forged", to("pending@sim", 61_000), 503, "")
	p := w.payout("forged")
	body := fmt.Sprintf(`{"entity":"event","account_id":"acc_1","event":"payout.processed","contains":["payout"],"created_at":1790000000,`+
		`"payload":{"payout":{"entity":{"id":%q,"entity":"payout","amount":61000,"currency":"INR","status":"processed","mode":"UPI",`+
		`"reference_id":%q,"utr":"000011112222","fees":118,"tax":18}}}}`, p.BankID, p.Reference)
	for name, c := range map[string]struct {
		path, signature, body string
		status                int
	}{
		"nobody's secret":     {"bank", upisim.Sign("nobody's", []byte(body)), body, 401},
		"no signature":        {"bank", "", body, 401},
		"another text":        {"bank", upisim.Sign(bankHook, []byte(body+" ")), body, 401},
		"another bank":        {"other", upisim.Sign(bankHook, []byte(body)), body, 404},
		"no event":            {"bank", upisim.Sign(bankHook, []byte("[]")), "[]", 204},
		"another's reference": {"bank", "", strings.Replace(body, p.Reference, "somebody-else-01", 1), 204},
		"another amount":      {"bank", "", strings.Replace(body, "61000", "61001", 1), 204},
		"two states":          {"bank", "", strings.Replace(body, "payout.processed", "payout.failed", 1), 204},
	} {
		if c.status == 204 {
			c.signature = upisim.Sign(bankHook, []byte(c.body))
		}
		if got := w.hook(c.path, c.signature, c.body); got != c.status {
			t.Errorf("%s: got %d, want %d", name, got, c.status)
		}
		if got := w.payout("forged").State; got != "SUBMITTED" {
			t.Errorf("%s: the payout is %s", name, got)
		}
	}
	w.cased(1) // two amounts for one order
	w.counter("settle", `{"id": %q, "as": "processed"}`, p.BankID)
	w.until("it is told", func() bool { w.clock.Advance(time.Second); return w.told("forged") == "SUCCESS" })

	// Processed and then reversed, told in the wrong order, and again.
	back := w.settled("back", to("success@sim", 62_000))
	w.counter("return", `{"reference": %q}`, w.payout("back").Reference)
	w.until("it is back", func() bool { w.clock.Advance(time.Second); return w.payout("back").State == "RETURNED" })
	w.counter("redeliver", `{"id": %q}`, w.payout("back").BankID)
	w.clock.Advance(time.Minute)
	if got := w.ask(pay, "back", to("success@sim", 62_000)); got != back || !got.is(200, "SUCCESS") {
		t.Errorf("what came back is answered as %d %s", got.status, got.body)
	}
	w.cased(2)
}

// amountOf makes an amount of a name, the same whenever it is asked.
func (w *world) amountOf(name string) int64 {
	sum := int64(0)
	for _, c := range []byte(name) {
		sum = (sum*31 + int64(c)) % 900_000
	}
	return 100_000 + sum
}

// hook calls the listener for events of payout banks.
func (w *world) hook(bank, signature, body string) int {
	w.t.Helper()
	at := "http://" + w.platform.HookAddr + "/payouts/" + bank
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, at, strings.NewReader(body))
	w.check(err)
	req.Header.Set("X-Razorpay-Signature", signature)
	req.Header.Set("X-Razorpay-Event-Id", fmt.Sprint("evt_e2e", w.serial.Add(1)))
	resp, err := http.DefaultClient.Do(req)
	w.check(err)
	_, err = io.Copy(w.said, resp.Body)
	w.check(err)
	w.check(resp.Body.Close())
	return resp.StatusCode
}

// events counts what the payout bank told, by what came of it.
func (w *world) events(what string) (n int) {
	w.t.Helper()
	for line := range strings.Lines(w.metrics()) {
		if rest, ok := strings.CutPrefix(line, `naru_bank_events_total{bank="bank",what="`+what+`"} `); ok {
			_, err := fmt.Sscan(rest, &n)
			w.check(err)
		}
	}
	return n
}

// TestPayoutCopies is disburse v1 §11 row 15 and OP-12: many copies at once, whatever becomes of the order, are one payout with one answer.
// Who waits in vain hears 503 or 409 without a code.
func TestPayoutCopies(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{api: upi, gsp: notYet})
	for i, c := range []struct{ name, address, word, rule string }{
		{"paid", "success@sim", "SUCCESS", ""},
		{"refused", "frozen@sim", "ACCOUNT_ON_HOLD", ""},
		{"above", "success@sim", "DISBURSEMENT_EXCEEDS_TRANSACTION_LIMIT", ""},
		{"lost", "success@sim", "SUCCESS", `{"action": "close-after", "times": 1, "match": {"amount": %d, "call": "create"}}`},
		{"unheard", "success@sim", "SUCCESS", `{"action": "503-before", "times": 2, "match": {"amount": %d, "call": "create"}}`},
		{"too-many", "success@sim", "SUCCESS", `{"action": "429", "times": 3, "match": {"amount": %d, "call": "create"}}`},
		{"pending", "pending@sim", "SUCCESS", ""},
	} {
		amount, orders := int64(63_001+i), 1
		if c.name == "above" {
			amount, orders = 1_00_000_01, 0
		}
		if c.rule != "" {
			w.meddle(silence, amount)
			w.meddle(c.rule, amount)
		}
		e := to(c.address, amount)
		first, others := w.meanwhile(16, pay, c.name, e), w.meanwhile(4, pay, c.name, e.and(edits{"transactionDescription": "another"}))
		answers := <-first
		refused := 0
		for _, a := range <-others { // one of the two came first, and the other is another request
			if a.is(412, violation) {
				refused++
			} else if answers = append(answers, a); !a.is(200, c.word) && a.word != "" {
				t.Errorf("%s: another content got %d %s", c.name, a.status, a.body)
			}
		}
		if w.ask(pay, c.name, e).is(412, violation) { // the other one won
			e = e.and(edits{"transactionDescription": "another"})
		} else if refused == 0 && c.name == "above" {
			t.Errorf("%s: nobody was refused", c.name)
		}
		if c.name == "pending" {
			w.counter("settle", `{"reference": %q, "as": "processed"}`, w.payout(c.name).Reference)
		}
		var end answer
		w.until(c.name+" is decided", func() bool {
			w.clock.Advance(30 * time.Second)
			end = w.ask(pay, c.name, e)
			return end.status == http.StatusOK
		})
		for _, a := range append(answers, w.copies(8, pay, c.name, e)...) {
			open := a.word == "" && (a.status == http.StatusServiceUnavailable || a.status == http.StatusConflict)
			if a != end && !open && !a.is(412, violation) || !end.is(200, c.word) {
				t.Errorf("%s: got %d %s, and in the end %s", c.name, a.status, a.body, end.body)
			}
		}
		_, keys := w.calls(c.name)
		if got := len(w.tallies()[rooted(w.payout(c.name))].Payouts); got != orders || len(keys) != orders {
			t.Errorf("%s: the bank has %d orders under %d keys, want %d", c.name, got, len(keys), orders)
		}
	}
	w.once()
}

// TestPayoutFloat: what the float does not cover is refused without a trace, or waits for money, as configured (§11 row 17, design §3.11).
func TestPayoutFloat(t *testing.T) {
	t.Parallel()
	for guard, state := range map[string]string{"refuse": "", "queue": "RECORDED", "": "RETRYABLE"} {
		t.Run("guard "+guard, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, options{api: upi, gsp: notYet, bank: fmt.Sprintf("guard = %q", guard)})
			e := to("success@sim", 90_000_00)
			w.counter("fund", `{"amount": %d}`, -(opening - 50_000_00))
			w.float(50_000_00)
			w.want(pay, "short", e, 503, "")
			if got := w.payout("short").State; got != state {
				t.Errorf("the payout is %q, want %q", got, state)
			}
			w.want(pay, "short", e, 503, "")
			w.ends("small", to("success@sim", 40_000_00), "SUCCESS")
			w.counter("fund", `{"amount": %d}`, opening)
			w.float(opening + 10_000_00 - 118)
			var a answer
			w.until("it is paid", func() bool {
				w.clock.Advance(10 * time.Minute)
				a = w.ask(pay, "short", e)
				return a.status == http.StatusOK
			})
			if _, keys := w.calls("short"); !a.is(200, "SUCCESS") || guard != "" && len(keys) != 1 {
				t.Errorf("it ended in %s under %d keys", a.body, len(keys))
			}
		})
	}
}

// float waits until the metrics show what the bank holds for us.
func (w *world) float(paise float64) {
	w.t.Helper()
	want := fmt.Sprintf("naru_float{bank=\"bank\",currency=\"INR\"} %v\n", paise)
	w.until(want, func() bool { w.clock.Advance(time.Minute); return strings.Contains(w.metrics(), want) })
}

// TestPayoutWithoutABank: row 17. The bank is away for hours: what was asked for waits, everything else is served, and when it is back each
// is paid once.
func TestPayoutWithoutABank(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{api: upi, gsp: notYet})
	e := to("success@sim", 64_001)
	w.meddle(`{"action": "503-before"}`)
	w.want(pay, "down", e, 503, "")
	for range 3 {
		w.clock.Advance(time.Hour)
		w.want(pay, "down", e, 503, "")
	}
	w.ends("limit", to("success@sim", 99), "DISBURSEMENT_UNDER_TRANSACTION_LIMIT")
	w.want("echo", "echo", nil, 200, "")
	w.restart()
	w.behave()
	w.until("it is paid", func() bool { w.clock.Advance(20 * time.Minute); return w.told("down") == "SUCCESS" })
	w.ends("down", e, "SUCCESS")
	owed, err := w.platform.Store.Backlog(t.Context())
	w.check(err)
	w.cases = owed.Cases // whether a person has heard of it is a matter of time
}

// TestRandomPayoutFaults plays random scripts of one to three faults, several at a time, in one world: whatever is lost, late, repeated,
// undone or forged, the bank pays at most one order of a request, and all records agree in the end. How many there were is in the log;
// NARU_QUICK plays one round of them.
func TestRandomPayoutFaults(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{api: upi, gsp: notYet, rude: true})
	const seed, together = 1, 32
	rounds := 8
	if os.Getenv("NARU_QUICK") != "" {
		rounds = 1
	}
	r := rand.New(rand.NewPCG(seed, 2))
	addresses := strings.Fields("success instant late late-utr pending queued deemed deemed-reversed returned failed-reversed again " +
		"frozen closed bankdown timeout unheard-of npci-21 npci-01 npci-u68 npci-zh bank-window-closed low-balance cap")
	played, amount, ended, expected := 0, int64(1_00_000), map[string]int{}, []string(nil)
	for range rounds {
		scripts := map[string]edits{}
		var come []<-chan []answer
		for range together {
			amount++
			for range r.IntN(4) {
				w.meddle("%s", randomFault(r, amount))
			}
			name := addresses[r.IntN(len(addresses))]
			if name == "failed-reversed" { // fails, and the debit stays for a day: then the float does differ
				expected = []string{"float-differs"}
			}
			id, e := fmt.Sprint("random-", amount), to(name+[]string{"@sim", "@simrev"}[r.IntN(2)], amount)
			scripts[id] = e
			come = append(come, w.meanwhile(1+r.IntN(4), pay, id, e))
		}
		for _, c := range come {
			<-c
		}
		w.until("all of the scripts have ended", func() bool {
			w.clock.Advance(time.Duration(1+r.IntN(90)) * time.Minute)
			w.person(r, expected...)
			if r.IntN(20) == 0 {
				w.counter("settle", "{}") // what would be open for ever
			}
			owed, err := w.platform.Store.Backlog(t.Context())
			w.check(err)
			return owed.Payouts == 0
		})
		w.behave()
		w.once()
		for id, e := range scripts {
			a := w.settled(id, e)
			if a.status != http.StatusOK {
				t.Errorf("%s: got %d %s", id, a.status, a.body)
			}
			ended[a.word]++
		}
		played += len(scripts)
		w.once()
	}
	w.until("the books are even", func() bool { w.clock.Advance(time.Hour); return w.even() })
	w.person(r, expected...)
	t.Logf("seed %d: %d random scripts of faults, no payout twice; they ended in %v", seed, played, ended)
}

// randomFault is something that goes wrong with the payout of an amount.
func randomFault(r *rand.Rand, amount int64) string {
	one := func(of ...string) string { return of[r.IntN(len(of))] }
	times := 1 + r.IntN(5)
	switch r.IntN(5) {
	case 0, 1:
		action := one(slices.Concat(unheard, unsaid)...)
		return fmt.Sprintf(`{"action": %q, "times": %d, "match": {"amount": %d, "call": %q}}`, action, times, amount, one("create", "get"))
	case 2:
		action := "webhook-" + one("never", "late", "duplicate", "old-secret", "wrong-signature", "unknown-fields")
		return fmt.Sprintf(`{"action": %q, "delay_ms": %d, "match": {"amount": %d}}`, action, 1+r.IntN(7_200_000), amount)
	case 3:
		return fmt.Sprintf(`{"action": "webhook-first", "match": {"amount": %d, "call": "create"}}`, amount)
	}
	return fmt.Sprintf(`{"action": %q, "times": %d, "match": {"call": "list"}}`, one("unlisted", "500-before", "garbage", "close-after"), times)
}

// person does what an operator does about cases of payouts: what is stuck goes on or is given up, all others that may be are noted. A
// contradiction is nothing that anybody expects here.
func (w *world) person(r *rand.Rand, expected ...string) {
	w.t.Helper()
	resp, err := http.Get("http://" + w.platform.AdminAddr + "/cases")
	w.check(err)
	var list []struct{ ID, Kind, Payment, Detail string }
	err = json.NewDecoder(resp.Body).Decode(&list)
	w.check(errors.Join(err, resp.Body.Close()))
	for _, c := range list {
		switch {
		case c.Kind == "payout-stuck":
			if r.IntN(2) == 0 {
				w.operator("/cases/resume", map[string]string{"id": c.ID, "note": "once more"})
				continue
			}
			w.operator("/payouts/refuse", map[string]string{"id": c.Payment, "reason": "account_on_hold", "note": "three times is enough"})
		case !slices.Contains(append(expected, "payout-absent", "payout-returned"), c.Kind):
			w.t.Errorf("nobody expects %s: %s", c.Kind, c.Detail)
		}
		w.operator("/cases/close", map[string]string{"id": c.ID, "note": "seen to"})
	}
}
