package sim

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestFaults is one rule of each kind on a create call: what the caller hears, and whether the payout was made. The same call once more has
// the truth, and there is one payout all the same.
func TestFaults(t *testing.T) {
	for rule, c := range map[string]struct {
		status int // nought: no answer that can be read
		stored bool
		kind   string // of the answer in the record of truth
	}{
		`"500-before"`:   {500, false, ""},
		`"503-before"`:   {503, false, ""},
		`"429"`:          {429, false, ""},
		`"close-before"`: {0, false, ""},
		`"500-after"`:    {500, true, "kept"},
		`"close-after"`:  {0, true, "kept"},
		`"half-answer"`:  {0, true, "kept"},
		`"garbage"`:      {200, true, "kept"},
		`"nonsense"`:     {200, true, "kept"},
	} {
		t.Run(strings.Trim(rule, `"`), func(t *testing.T) {
			b := start(t)
			b.rule(`{"action":` + rule + `,"match":{"call":"create","amount":5000,"vpa":"success@","reference":"R1","key":"key R1"},"times":1}`)
			b.pay("success@sim", "R2", 5000)
			got := b.send("POST", "/payouts", "key R1", order("success@sim", "R1", 5000))
			if got.status != c.status || got.status == 200 && got.body["id"] != nil || got.status > 200 && got.str("error.code") == "<nil>" {
				t.Errorf("%d %s", got.status, got.raw)
			}
			if n := len(shown[payout](b, "/payouts?reference=R1")); (n == 1) != c.stored {
				t.Errorf("%d payouts", n)
			}
			kind := ""
			for _, r := range shown[record](b, "/transactions?reference=R1&call=create") {
				if r.Kind != "seen" {
					kind = r.Kind
				}
			}
			if kind != c.kind {
				t.Errorf("the answer is %q in the record", kind)
			}
			b.pay("success@sim", "R1", 5000)
			if n := len(shown[payout](b, "/payouts?reference=R1")); n != 1 {
				t.Errorf("%d payouts", n)
			}
		})
	}
}

func TestHang(t *testing.T) {
	for action, stored := range map[string]int{"hang-before": 0, "hang-after": 1} {
		b := start(t)
		b.rule(`{"action":"` + action + `","times":1}`)
		done := make(chan answer)
		go func() { done <- b.send("POST", "/payouts", "key 1", order("success@sim", "R1", 5000)) }()
		for len(shown[record](b, "/transactions?kind=seen")) == 0 { // it has arrived
		}
		select {
		case got := <-done:
			t.Errorf("%s: %d %s", action, got.status, got.raw)
		default:
		}
		if n := len(shown[payout](b, "/payouts")); n != stored {
			t.Errorf("%s: %d payouts", action, n)
		}
		if err := b.host.Close(); err != nil { // frees the caller
			t.Error(err)
		}
		if got := <-done; got.status != 0 {
			t.Errorf("%s: %d", action, got.status)
		}
	}
}

func TestSlow(t *testing.T) {
	b := start(t)
	b.rule(`{"action":"slow","delay_ms":9000,"times":1}`)
	done := make(chan answer)
	go func() { done <- b.send("POST", "/payouts", "key 1", order("success@sim", "R1", 5000)) }()
	go (<-b.timers)()
	if got := <-done; got.status != 200 || got.str("status") != "processing" {
		t.Errorf("%d %s", got.status, got.raw)
	}
}

func TestTheEventOvertakesTheAnswer(t *testing.T) {
	for to, want := range map[string]string{
		"success": "initiated updated processed", "frozen": "initiated failed",
		"pending": "initiated processed",
	} {
		b := start(t)
		v := b.receiver()
		b.host.Tick()
		v.heard()
		b.rule(`{"action":"webhook-first","match":{"call":"create"},"times":1}`)
		got := b.pay(to+"@sim", "R1", 5000)
		if heard := namesOf(v.heard()); heard != want || got.str("status") != "processing" {
			t.Errorf("%s: %s, and then %s", to, heard, got.raw)
		}
		if b.one("R1").Status == processing {
			t.Errorf("%s is not over", to)
		}
	}
}

func TestReadsThatFail(t *testing.T) {
	b := start(t)
	id := b.pay("success@sim", "R1", 5000).str("id")
	b.pay("success@sim", "R2", 5000)
	b.rule(`{"action":"500-before","match":{"call":"get","reference":"R1","nth":2},"times":2}`)
	var all []int
	for range 5 {
		all = append(all, b.get(id).status)
	}
	if fmt.Sprint(all) != "[200 500 500 200 200]" || b.get(b.one("R2").ID).status != 200 {
		t.Error(all)
	}
	b.rule(`{"action":"unlisted","match":{"call":"list"},"times":1}`)
	for _, want := range []string{"0", "1"} {
		if got := b.send("GET", "/payouts?account_number="+ours+"&reference_id=R1", "", ""); got.str("count") != want {
			t.Error(got.raw)
		}
	}
	b.rule(`{"action":"garbage","match":{"call":"transactions"}}`)
	if got := b.send("GET", "/transactions?account_number="+ours, "", ""); got.body != nil {
		t.Error(got.raw)
	}
}

func TestActAs(t *testing.T) {
	b := start(t)
	b.rule(`{"action":"act-as","as":"frozen@sim","match":{"amount":777},"times":1}`)
	b.rule(`{"action":"500-after","match":{"amount":777},"times":1}`) // both apply
	if got := b.send("POST", "/payouts", "key R1", order("anna@okbank", "R1", 777)); got.status != 500 {
		t.Error(got.raw)
	}
	b.pay("anna@okbank", "R2", 777)
	b.later(3 * time.Second)
	if b.one("R1").Reason != "bank_account_frozen" || b.one("R2").Status != processed {
		t.Error("anna acts as somebody else once")
	}
}

func TestWrongRules(t *testing.T) {
	b := start(t)
	for _, text := range []string{
		``, `[]`, `{"action":"dance"}`, `{"action":"429","times":-1}`, `{"action":"slow","delay_ms":-1}`, `{"action":"429","match":{"nth":-1}}`,
		`{"action":"act-as"}`, `{"action":"429","as":"a@sim"}`, `{"action":"429","match":{"call":"pay"}}`, `{"action":"429","tims":1}`,
		`{"action":"429","match":{"event":"payout.failed"}}`, `{"action":"webhook-never","match":{"call":"create"}}`,
	} {
		if code, got := b.control("POST", "/sim/scenarios", text); code != 400 || !strings.Contains(got, "error") {
			t.Errorf("%s: %d %s", text, code, got)
		}
	}
	b.rule(`{"action":"429","id":9,"used":9,"seen":9}`)
	if all := shown[Rule](b, "/sim/scenarios"); len(all) != 1 || all[0].ID != 1 || all[0].Used != 0 {
		t.Errorf("%+v", all)
	}
	if code, _ := b.control("DELETE", "/scenarios", ""); code != 200 || len(shown[Rule](b, "/scenarios")) != 0 {
		t.Error("the rules are still there")
	}
}

func TestCommands(t *testing.T) {
	b := start(t)
	b.pay("pending@sim", "A", 5000)
	b.pay("success@sim", "B", 5000)
	b.pay("approval@sim", "C", 5000)
	b.pay("deemed@sim", "D", 5000)
	b.pay("returned@sim", "E", 5000)
	b.pay("approval@sim", "F", 5000)
	for _, c := range []struct {
		path, text string
		code       int
		ref        string
		is         state
	}{
		{"settle", `{"reference":"A"}`, 200, "A", processed},
		{"settle", `{"reference":"A"}`, 409, "A", processed},
		{"settle", `{"reference":"A","as":"failed"}`, 409, "A", processed},
		{"settle", `{"reference":"B","as":"failed","reason":"gateway_down"}`, 200, "B", failed},
		{"settle", `{"reference":"C","as":"processing"}`, 200, "C", processing},
		{"settle", `{"reference":"none"}`, 404, "C", processing},
		{"reverse", `{"reference":"C"}`, 200, "C", reversed},
		{"reverse", `{"reference":"A"}`, 404, "A", processed},
		{"reverse", `{}`, 404, "A", processed},
		{"return", `{"reference":"A","reason":"bank_account_closed"}`, 200, "A", reversed},
		{"return", `{"reference":"B"}`, 404, "B", failed},
		{"reverse", `{"reference":"B"}`, 200, "B", reversed},
		{"settle", ``, 200, "D", processed},
		{"settle", ``, 200, "E", processed},
		{"settle", ``, 200, "F", rejected},
		{"redeliver", `{}`, 404, "D", processed},
		{"settle", `{"x":1}`, 400, "D", processed},
	} {
		if code, got := b.control("POST", "/actions/"+c.path, c.text); code != c.code {
			t.Errorf("%s %s: %d %s", c.path, c.text, code, got)
		}
		if got := b.one(c.ref).Status; got != c.is {
			t.Errorf("%s %s: %s is %s", c.path, c.text, c.ref, got)
		}
	}
	if b.one("A").Reason != "bank_account_closed" || b.moved(b.one("B").ID) != 0 {
		t.Error("a reason is kept, and what failed cost nothing")
	}
	b.later(3 * day)
	if got := b.one("E").Status; got != reversed { // its script goes on after the end of it
		t.Errorf("E is %s", got)
	}
	code, got := b.control("GET", "/transactions?after=x", "")
	if code != 400 {
		t.Errorf("%d %s", code, got)
	}
	all := shown[record](b, "/transactions")
	if last := shown[record](b, fmt.Sprintf("/transactions?after=%d", len(all)-1)); len(last) != 1 || last[0].Seq != len(all) {
		t.Errorf("%+v", last)
	}
}

// TestTheRecordNamesNobody: neither address nor payee nor secret stands in the record of truth or in the log.
func TestTheRecordNamesNobody(t *testing.T) {
	b := start(t)
	b.receiver()
	b.pay("frozen@sim", "R1", 5000)
	b.send("POST", "/payouts", "key 2", order("frozen_@sim", "R2", 5000))
	b.later(day)
	_, got := b.control("GET", "/transactions", "")
	for _, secret := range []string{"frozen@sim", "frozen_@", "Asha Rao", "open sesame", `"first"`} {
		if strings.Contains(got, secret) {
			t.Errorf("%s stands in the record", secret)
		}
	}
}

func TestRestart(t *testing.T) {
	b := start(t, func(c *Config) { c.Dir = t.TempDir() })
	text := order("success@sim", "R1", 5000)
	first := b.send("POST", "/payouts", "key 1", text)
	b.pay("returned@sim", "R2", 5000)
	b.pay("deemed@sim", "R3", 5000)
	b.do("/actions/rotate-secret", `{"secret":"second"}`)
	v := b.receiver()
	b.later(0)
	v.heard()
	everything := func() string {
		whole := ""
		for _, path := range []string{"/payouts", "/statement", "/events", "/paid", "/transactions"} {
			_, got := b.control("GET", path, "")
			whole += got
		}
		return whole
	}
	before := everything()
	again := func() {
		t.Helper()
		if err := b.host.Close(); err != nil {
			t.Fatal(err)
		}
		b.open()
	}
	again()
	if got := everything(); got != before {
		t.Errorf("after a restart\n%s, before\n%s", got, before)
	}
	if got := b.send("POST", "/payouts", "key 1", text); got.raw != first.raw {
		t.Error(got.raw)
	}
	if got := b.send("POST", "/payouts", "key 1", order("success@sim", "R1", 5001)); got.status != 400 {
		t.Error(got.raw)
	}
	b.later(3 * time.Second)
	if got := namesOf(v.heard()); got == "" || b.one("R1").Status != processed {
		t.Error("what was due did not happen")
	}
	b.clock.advance(3 * day)
	again()
	if b.one("R2").Status != reversed || b.one("R3").Status != processed {
		t.Error("what became due while the bank was closed did not happen")
	}

	name := filepath.Join(b.cfg.Dir, fileName)
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.host.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, append(whole, `{"payouts":[{"id"`...), 0o600); err != nil { // death in the middle of a line
		t.Fatal(err)
	}
	b.open()
	if n := len(shown[payout](b, "/payouts")); n != 3 {
		t.Errorf("%d payouts", n)
	}
	b.do("/reset", "")
	again()
	if n, s := len(shown[payout](b, "/payouts")), b.host.book.secrets; n != 0 || fmt.Sprint(s) != "[first second]" {
		t.Errorf("%d payouts after a reset, secrets %v", n, s)
	}
	if got := b.send("GET", "/transactions?account_number="+theirs, "", ""); got.str("count") != "1" || !strings.Contains(got.raw,
		`"balance":50000`) {
		t.Error(got.raw)
	}
	if err := b.host.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte("nonsense\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Start(t.Context(), b.cfg); err == nil {
		t.Error("a file that cannot be read was taken")
	}
}

func TestStartRefuses(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"no key": func(c *Config) { c.KeyID = "" }, "no secret": func(c *Config) { c.KeySecret = "" },
		"no account": func(c *Config) { c.Accounts = nil }, "no address": func(c *Config) { c.Address = "nowhere" },
	} {
		cfg := Config{Address: "127.0.0.1:0", KeyID: "k", KeySecret: "s", Accounts: []Account{{ours, 0}}, Now: (&clock{now: noon}).Now}
		change(&cfg)
		if _, err := Start(t.Context(), cfg); err == nil {
			t.Error(name)
		}
	}
}

func TestTheSameSeedTellsTheSameStory(t *testing.T) {
	story := func(seed int64) string {
		b := start(t, func(c *Config) { c.Seed = seed })
		b.pay("success@sim", "R1", 5000)
		b.pay("frozen@sim", "R2", 5000)
		b.later(day)
		_, payouts := b.control("GET", "/payouts", "")
		_, events := b.control("GET", "/events", "")
		return payouts + events
	}
	if first, again := story(1), story(1); first != again || first == story(2) {
		t.Error("ids come from the seed and from nothing else")
	}
}

func TestContextEndsTheHost(t *testing.T) {
	b := start(t, func(c *Config) { c.Now = nil })
	if err := b.host.Close(); err != nil {
		t.Error(err)
	}
	if err := b.host.Close(); err != nil {
		t.Error(err)
	}
	if got := b.send("GET", "/banking_balances", "", ""); got.status != 0 {
		t.Errorf("%d after the end", got.status)
	}
	b.host.Tick() // harmless
	if got := http.StatusText(b.get("pout_x").status); got != "" {
		t.Error(got)
	}
}
