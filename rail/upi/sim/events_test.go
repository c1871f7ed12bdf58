package sim

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
)

// worked is the example of rails §2.7, whose signature others have computed.
const worked = `{"entity":"event","account_id":"acc_TEST0000000001","event":"payout.processed","contains":["payout"],` +
	`"payload":{"payout":{"entity":{"id":"pout_TEST0000000001","entity":"payout","fund_account_id":"fa_TEST0000000001",` +
	`"amount":125000,"currency":"INR","notes":[],` +
	`"fees":0,"tax":0,"status":"processed","purpose":"payout","utr":"632600000123","mode":"UPI",` +
	`"reference_id":"PID26K1X0000000000000000000000000001",` +
	`"narration":"Google payout","batch_id":null,"status_details":{"description":"credited","source":"beneficiary_bank","reason":` +
	`"payout_processed"},"created_at":1795317300,"fee_type":null}}},"created_at":1795317305}`

func TestWorkedEvent(t *testing.T) {
	if len(worked) != 615 {
		t.Fatalf("%d bytes", len(worked))
	}
	if got := Sign("wh_secret_example", []byte(worked)); got != "d0957d56b99c17c2c85aa465f23966f0bb8c504f1c846647776568acc6876a67" {
		t.Errorf("the signature is %s", got)
	}
	b := newBook(Config{Owner: "acc_TEST0000000001", Polite: true})
	p := &payout{
		ID: "pout_TEST0000000001", FundAccount: "fa_TEST0000000001", Amount: 125000, Status: processed, Purpose: "payout", UTR: "632600000123",
		Reference: "PID26K1X0000000000000000000000000001", Narration: "Google payout", Reason: "payout_processed", Made: time.Unix(1795317300, 0),
	}
	b.emit("payout.processed", p.ID, time.Unix(1795317305, 0), map[string]any{"payout": b.entity(p, false)}, subject{})
	if got := b.events[0].Body; got != worked {
		t.Errorf("the event is\n%s, want\n%s", got, worked)
	}
}

func TestEvents(t *testing.T) {
	b := start(t)
	v := b.receiver()
	for to, want := range map[string]string{
		"success": "initiated updated processed", "late-utr": "initiated processed updated", "returned": "initiated updated processed reversed",
		"frozen": "initiated failed", "approval": "pending rejected", "deemed": "initiated updated processed",
		"deemed-reversed": "initiated updated reversed", "failed-reversed": "initiated failed reversed",
		"queued": "queued initiated updated processed",
	} {
		b.pay(to+"@sim", to, 5000)
		b.later(quarter)
		list := v.heard()
		if got := namesOf(list); got != want {
			t.Errorf("%s: %s, want %s", to, got, want)
		}
		ids := map[string]bool{}
		for _, a := range list {
			ids[a.id] = true
			if a.signature != Sign("first", []byte(a.raw)) {
				t.Errorf("%s: wrong signature", a.name)
			}
			e := dig(a.body, "payload.payout.entity").(map[string]any)
			if now := state(fmt.Sprint(e["status"])); told[now] != a.name && a.name != "payout.updated" {
				t.Errorf("%s says %v", a.name, e["status"])
			}
		}
		if len(ids) != len(list) {
			t.Errorf("%s: event ids are not unique", to)
		}
	}
}

func TestEventsWaitForAPlace(t *testing.T) {
	b := start(t)
	b.pay("instant@sim", "R1", 5000)
	b.host.Tick()
	v := b.receiver()
	b.host.Tick()
	if got := namesOf(v.heard()); got != "initiated processed" {
		t.Error(got)
	}
	b.host.Tick()
	if got := namesOf(v.heard()); got != "" {
		t.Errorf("%s, once more", got)
	}
}

func TestRetries(t *testing.T) {
	b := start(t)
	v := b.receiver()
	b.host.Tick()
	v.answers = []int{500, 302, 404}
	b.pay("pending@sim", "R1", 5000)
	b.host.Tick() // 500 for one, 302 for another: the payout's own events come one after the other, the movement beside them
	b.later(59 * time.Second)
	early := len(v.heard())
	for range 10 {
		b.later(5 * time.Minute)
	}
	if n := len(v.heard()); early+n < 2 {
		t.Errorf("%d and %d deliveries", early, n)
	}
	for _, e := range shown[event](b, "/events") {
		if !e.Delivered {
			t.Errorf("%s was not delivered", e.Name)
		}
	}
	tries := 0
	for _, r := range shown[record](b, "/transactions?kind=told") {
		if r.Status != 200 {
			tries++
		}
	}
	if tries != 3 {
		t.Errorf("%d deliveries failed, want 3", tries)
	}
}

func TestBackOffAndTheEndOfPatience(t *testing.T) {
	b := start(t, func(c *Config) { c.RetryScale = 0.5 })
	v := b.receiver()
	b.host.Tick()
	v.heard()
	v.answers = slices.Repeat([]int{500}, 1000)
	b.rule(`{"action":"webhook-never","match":{"event":"transaction.created"}}`)
	b.pay("pending@sim", "R1", 5000)
	var at []time.Duration
	for d := time.Duration(0); d <= persistence+time.Hour; d += 30 * time.Second {
		b.host.Tick()
		if len(v.heard()) > 0 {
			at = append(at, d)
		}
		b.clock.advance(30 * time.Second)
	}
	want := []time.Duration{
		0, 30 * time.Second, 90 * time.Second, 4 * time.Minute, 11*time.Minute + 30*time.Second,
		26*time.Minute + 30*time.Second,
	}
	if !slices.Equal(at[:6], want) || at[7]-at[6] != 30*time.Minute {
		t.Errorf("told after %v", at[:8])
	}
	v.answers = nil
	b.later(day)
	if got := v.heard(); len(got) != 0 || !b.host.book.endpoint.Off {
		t.Errorf("the endpoint is not switched off: %v", namesOf(got))
	}
	b.do("/actions/webhook", fmt.Sprintf(`{"url":%q}`, v.URL))
	b.pay("instant@sim", "R2", 5000)
	b.host.Tick()
	if got := namesOf(v.heard()); got != "initiated processed" {
		t.Errorf("switched on again: %s", got)
	}
	b.do("/actions/redeliver", fmt.Sprintf(`{"id":%q}`, b.one("R1").ID))
	b.host.Tick()
	if got := namesOf(v.heard()); got != "initiated" {
		t.Errorf("redelivered: %s", got)
	}
}

func TestAReceiverThatHangs(t *testing.T) {
	b := start(t, func(c *Config) { c.Patience = 20 * time.Millisecond })
	gone := make(chan struct{})
	v := b.receiver()
	b.host.Tick()
	v.listen(func(arrival) { <-gone })
	b.pay("pending@sim", "R1", 5000)
	b.host.Tick()
	close(gone)
	if e := shown[event](b, "/events?event=payout.initiated")[0]; e.Delivered || e.Tries != 1 {
		t.Errorf("%+v", e)
	}
	b.later(time.Minute)
	if e := shown[event](b, "/events?event=payout.initiated")[0]; !e.Delivered {
		t.Errorf("%+v", e)
	}
}

func TestRotation(t *testing.T) {
	b := start(t)
	v := b.receiver()
	b.host.Tick()
	v.answers = []int{500, 500}
	b.pay("pending@sim", "old", 5000)
	b.host.Tick()
	v.heard()
	if code, _ := b.control("POST", "/actions/rotate-secret", `{}`); code != 400 {
		t.Error("a rotation to nothing")
	}
	b.do("/actions/rotate-secret", `{"secret":"second"}`)
	b.pay("pending@sim", "new", 5000)
	b.later(time.Minute)
	secrets := map[string]string{"old": "first", "new": "second"}
	list := v.heard()
	for _, a := range list {
		ref := fmt.Sprint(dig(a.body, "payload.payout.entity.reference_id"))
		if a.signature != Sign(secrets[ref], []byte(a.raw)) {
			t.Errorf("the event of the %s payout has the wrong signature", ref)
		}
	}
	if len(list) != 2 {
		t.Errorf("%d events", len(list))
	}
}

func TestRulesOfEvents(t *testing.T) {
	const match = `"match":{"event":"payout.initiated"},"times":1`
	for action, see := range map[string]func(*bench, *receiver){
		"webhook-never": func(b *bench, v *receiver) {
			b.later(day)
			if got := namesOf(v.heard()); got != "updated processed" {
				b.Error(got)
			}
		},
		`webhook-late","delay_ms":5000,"x":"`: func(b *bench, v *receiver) {
			b.later(3 * time.Second)
			b.later(3 * time.Second)
			if got := namesOf(v.heard()); got != "updated processed initiated" {
				b.Error(got)
			}
		},
		"webhook-duplicate": func(b *bench, v *receiver) {
			b.later(3 * time.Second)
			list := v.heard()
			if namesOf(list) != "initiated initiated updated processed" || list[0].id != list[1].id || list[0].raw != list[1].raw {
				b.Error(namesOf(list))
			}
		},
		"webhook-wrong-signature": func(b *bench, v *receiver) {
			v.answers = []int{401}
			b.later(0)
			first := v.heard()
			b.later(time.Minute)
			again := v.heard()
			if namesOf(again) != "initiated updated processed" && namesOf(again) != "updated processed initiated" {
				b.Error(namesOf(again))
			}
			at := slices.IndexFunc(again, func(a arrival) bool { return a.id == first[0].id })
			if first[0].signature == Sign("first", []byte(first[0].raw)) || again[at].signature != Sign("first", []byte(again[at].raw)) {
				b.Error("wrong once, then right")
			}
		},
		"webhook-old-secret": func(b *bench, v *receiver) {
			b.later(0)
			if a := v.heard()[0]; a.signature != Sign("first", []byte(a.raw)) || b.host.book.secrets[1] != "second" {
				b.Error("not the old secret")
			}
		},
		"webhook-unknown-fields": func(b *bench, v *receiver) {
			b.later(0)
			if a := v.heard()[0]; a.body["unheard_of"] == nil || dig(a.body, "payload.payout.entity.id") == nil ||
				a.signature != Sign("first", []byte(a.raw)) {
				b.Error(a.raw)
			}
		},
	} {
		name, _, _ := strings.Cut(action, `"`)
		t.Run(name, func(t *testing.T) {
			b := start(t)
			v := b.receiver()
			b.do("/scenarios", strings.Replace(`{"action":"`+action+`",`+match+`}`, `,"x":""`, ``, 1))
			if name == "webhook-old-secret" {
				b.do("/actions/rotate-secret", `{"secret":"second"}`)
			}
			b.rule(`{"action":"webhook-never","match":{"event":"transaction.created"}}`)
			b.host.Tick()
			v.heard()
			b.pay("success@sim", "R1", 5000)
			see(b, v)
		})
	}
}

// TestWhims: a rude bank says it late, twice and with more than was asked for, and every event comes all the same.
func TestWhims(t *testing.T) {
	count := func(seed int64) (all, copies, more, late int, order string) {
		b := start(t, func(c *Config) { c.Polite, c.Seed = false, seed })
		v := b.receiver()
		ids := map[string]bool{}
		for i := range 30 {
			b.pay("success@sim", fmt.Sprintf("R%d", i), 5000)
			for range 3 {
				b.later(time.Second)
			}
			b.later(5 * time.Second)
			list := v.heard()
			order += namesOf(list) + "\n"
			if !slices.ContainsFunc(strings.Split("initiated updated processed", " "),
				func(n string) bool { return strings.Contains(namesOf(list), n) }) {
				t.Errorf("%s", namesOf(list))
			}
			if at := strings.Fields(namesOf(list)); at[len(at)-1] != "processed" {
				late++
			}
			for _, a := range list {
				if ids[a.id] {
					copies++
				}
				ids[a.id] = true
				if a.body["unheard_of"] != nil {
					more++
				}
			}
		}
		return len(ids), copies, more, late, order
	}
	all, copies, more, late, order := count(3)
	if all != 90 || copies == 0 || more == 0 || late == 0 {
		t.Errorf("%d events, %d twice, %d with more, %d late", all, copies, more, late)
	}
	if _, _, _, _, again := count(3); again != order {
		t.Error("the same seed tells another story")
	}
}

func TestBusinessTimeOfItsOwn(t *testing.T) {
	b := start(t, func(c *Config) { c.Now = nil })
	arrived := make(chan string, 100)
	v := b.receiver()
	v.listen(func(a arrival) { arrived <- a.name })
	b.pay("late@sim", "R1", 5000)
	if got := b.do("/clock", `{"advance":"31m"}`); !strings.Contains(got, "now") {
		t.Error(got)
	}
	for name := ""; name != "payout.processed"; {
		select {
		case name = <-arrived:
		case <-t.Context().Done():
			t.Fatal("never told")
		}
	}
	if code, _ := start(t).control("POST", "/clock", `{"advance":"1s"}`); code != http.StatusConflict {
		t.Error("somebody else's clock was moved")
	}
	for _, text := range []string{`{"advance":"-1s"}`, `{"advance":"x"}`, `{}`} {
		if code, _ := b.control("POST", "/clock", text); code != 400 {
			t.Errorf("%s: %d", text, code)
		}
	}
}

// TestTimeIsWaitedFor: with Config.Sleep nobody has to say Tick.
func TestTimeIsWaitedFor(t *testing.T) {
	var c *clock
	moved := make(chan struct{}, 1)
	arrived := make(chan string, 100)
	b := start(t, func(cfg *Config) {
		cfg.Sleep = func(ctx context.Context, until time.Time, wake <-chan struct{}) error {
			for until.IsZero() || c.Now().Before(until) {
				select {
				case <-ctx.Done():
					return ctx.Err()
				case <-wake:
					return nil
				case <-moved:
				}
			}
			return nil
		}
		c = &clock{now: noon}
		cfg.Now = c.Now
	})
	v := b.receiver()
	v.listen(func(a arrival) { arrived <- a.name })
	b.pay("late@sim", "R1", 5000)
	c.advance(31 * time.Minute)
	moved <- struct{}{}
	for name := ""; name != "payout.processed"; name = <-arrived {
	}
}

func TestNotes(t *testing.T) {
	for text, want := range map[string]string{`[]`: `[]`, `{}`: `[]`, `null`: `[]`, `{"b":"1","a":"2"}`: `{"a":"2","b":"1"}`} {
		var n notes
		if err := json.Unmarshal([]byte(text), &n); err != nil {
			t.Error(err)
		}
		if got, err := json.Marshal(n); err != nil || string(got) != want {
			t.Errorf("%s: %s %v", text, got, err)
		}
	}
}
