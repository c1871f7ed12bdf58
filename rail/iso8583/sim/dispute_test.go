package sim

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// quarrels is GET /disputes.
func (b *bench) quarrels() (found []dispute) {
	b.Helper()
	b.control("GET", "/disputes", "", &found)
	return found
}

// later runs what the host wanted to do later, and tells after how long.
func (b *bench) later() { (<-b.timers)() }

// unprompted proves that the host has started nothing of its own accord.
func (p *peer) unprompted() {
	p.Helper()
	p.say(p.manage("301"))
	if got := p.hear(); got[0] != "0810" {
		p.Fatalf("the host says %v", got)
	}
}

func TestChargebackOnLine(t *testing.T) {
	b := files(t)
	p := b.join()
	m, c := p.booked(with(auth("4242424242424242"), elements{48: "MR02P1"}))
	b.do("chargeback", `{"rrn":"`+m[37]+`","amount":4000,"reason":"13.1","online":true}`)
	first := p.hear()
	want := elements{
		0: "0422", 2: m[2], 3: "000000", 4: "000000004000", 7: "1122031500", 11: first[11], 32: m[32], 37: m[37], 41: m[41], 42: m[42],
		49: "410", 60: "4555", 90: de90(c), 48: "DC08C0000001DG011DR0820261212",
	}
	if fmt.Sprint(first) != fmt.Sprint(want) {
		t.Errorf("the chargeback is\n%v, want\n%v", first, want)
	}
	b.later()
	again := p.hear()
	if fmt.Sprint(again) != fmt.Sprint(with(first, elements{0: "0423"})) {
		t.Errorf("again it is %v", again)
	}
	answer := elements{0: "0432", 4: first[4], 7: first[7], 11: first[11], 37: first[37]}
	for _, code := range []string{"96", "91"} { // patience is no answer
		p.say(with(answer, elements{39: code}))
	}
	p.say(with(answer, elements{11: "999999", 39: "00"})) // nor is what belongs to nothing
	p.silence()
	b.later()
	if got := p.hear(); got[0] != "0423" {
		t.Errorf("%v", got)
	}
	if got := b.quarrels()[0]; got.Answer != "" || fmt.Sprint(got.Told) != "[0422]" {
		t.Errorf("%+v", got)
	}
	p.say(with(answer, elements{39: "00"}))
	p.silence()
	got := b.quarrels()[0]
	if got.Answer != "00" || got.State != "open" || got.Amount != 4000 || got.RRN != m[37] || got.ReplyBy != "20261212" {
		t.Errorf("%+v", got)
	}
	b.later()
	p.unprompted()
	if s := b.sheet(b.settle("")[0]); s.types() != "CAP" {
		t.Errorf("on line only, and yet the file says %s", s.types())
	}
	b.do("dispute-lost", `{"case":"C0000001"}`)
	if got := b.quarrels()[0]; got.State != "lost" {
		t.Errorf("%+v", got)
	}
}

// TestClaimGoesRound sends a chargeback when somebody is there to hear it, to one connection after the other, and after a restart.
func TestClaimGoesRound(t *testing.T) {
	dir := t.TempDir()
	b := files(t, func(c *Config) { c.Dir, c.Profile = dir, profile(t, "pi87-alt") })
	p := b.join()
	s := sale(numbered(0))
	wantCode(t, p.ask(s), "0210", "00")
	b.control("POST", "/actions/drop", "", nil)
	p.hungUp()
	b.do("chargeback", `{"rrn":"`+s[37]+`","both":true,"case":"CASE-77"}`)
	if got := b.quarrels()[0]; len(got.Told) != 0 {
		t.Errorf("nobody was there, and it was told by %v", got.Told)
	}
	p, other := b.join(), b.join()
	b.later()
	b.later()
	first, second := p.hear(), other.hear()
	if second[0] == "0423" || first[0] != "0422" { // repeat_mti = false
		t.Errorf("%s, then %s", first[0], second[0])
	}
	if fmt.Sprint(first) != fmt.Sprint(second) || first[56] != "4540" || first[60] != "4540" || first[90] != de90(s) {
		t.Errorf("%v, then %v", first, second)
	}
	if got := p.tags(first); got["DC"] != "CASE-77" || got["DG"] != "1" || got["DR"] != "20261212" {
		t.Errorf("tags %v", got)
	}
	told := b.sheet(b.settle("")[0])
	if chb := told.of("CHB"); len(chb) != 1 || chb[0]["case_id"] != "CASE-77" || chb[0]["txn_amount"] != "10000" {
		t.Errorf("%v", told.rows)
	}
	if err := b.host.Close(); err != nil {
		t.Fatal(err)
	}
	for len(b.timers) > 0 {
		b.later() // it says nothing any more
	}
	b.open()
	p = b.join()
	b.later()
	third := p.hear()
	if fmt.Sprint(third) != fmt.Sprint(first) {
		t.Errorf("after the restart %v", third)
	}
	p.say(elements{0: "0432", 7: third[7], 11: third[11], 39: "25"})
	p.silence()
	got := b.quarrels()
	if len(got) != 1 || got[0].Answer != "25" || fmt.Sprint(got[0].Told) != "[0422 CHB]" {
		t.Errorf("%+v", got)
	}
	if err := b.host.Close(); err != nil {
		t.Fatal(err)
	}
	for len(b.timers) > 0 {
		b.later()
	}
	b.open()
	if len(b.timers) != 0 {
		t.Error("what is answered is asked again after a restart")
	}
	b.control("POST", "/reset", "", nil)
}

func TestStages(t *testing.T) {
	b := files(t)
	p := b.join()
	m, _ := p.booked(auth(numbered(0)))
	on := `{"rrn":"` + m[37] + `"`
	b.do("chargeback", on+`,"amount":6000}`)
	b.do("chargeback", on+`,"amount":4000,"case":"K2"}`)
	if code := b.control("POST", "/actions/chargeback", on+`,"amount":1}`, nil); code != 409 {
		t.Errorf("more than was booked: %d", code)
	}
	b.do("chargeback-reversed", `{"case":"C0000001"}`)
	b.do("chargeback", on+`,"amount":6000,"stage":2,"case":"C0000001"}`)
	if code := b.control("POST", "/actions/chargeback", on+`,"amount":10,"stage":2,"case":"C0000001"}`, nil); code != 409 {
		t.Errorf("the same stage twice: %d", code)
	}
	b.do("dispute-lost", on+`}`) // the newest
	b.do("chargeback", on+`,"amount":4000,"stage":2}`)
	text := ""
	for _, d := range b.quarrels() {
		text += fmt.Sprintln(d.Case, d.Stage, d.State, d.Amount)
	}
	b.do("chargeback", on+`,"amount":6000,"case":"K3"}`) // what was won can be quarrelled about anew
	if want := "C0000001 1 reversed 6000\nK2 1 open 4000\nC0000001 2 lost 6000\nK2 2 open 4000\n"; text != want {
		t.Errorf("disputes\n%s, want\n%s", text, want)
	}
	s := b.sheet(b.settle("")[0])
	if s.types() != "CAP CHB CHB CBR CHB CHB CHB" || s.rows[4]["dispute_stage"] != "SECOND" {
		t.Errorf("%v", s.rows)
	}
	b.control("POST", "/reset", "", nil)
}

func TestDisputeFile(t *testing.T) {
	b := files(t)
	p := b.join()
	m, _ := p.booked(auth(numbered(0)))
	on := `{"rrn":"` + m[37] + `"}`
	for _, action := range []string{"inquiry", "chargeback", "fraud"} {
		b.do(action, on)
	}
	b.do("fee", `{"amount":1}`)
	name := b.written("/actions/dispute-file", "")[0]
	if s := b.sheet(name); name != "PIDSP_ACQ0001_PIMERCHANT00001_20261122_001.csv" || s.types() != "INQ CHB FRD" {
		t.Errorf("%s: %s", name, s.types())
	}
	if got := b.quarrels()[0].Told; fmt.Sprint(got) != "[CHB]" {
		t.Errorf("told by %v", got)
	}
	rest := b.sheet(b.settle(`{"cutover":true}`)[0])
	if rest.types() != "CAP FEE" || rest.head[5] != "001" {
		t.Errorf("%v", rest.rows)
	}
	paid := b.sheet(b.settle("")[0]) // 9900 - 1 - 11000: both files count, and the acquirer draws the rest
	if paid.types() != "PAY" || paid.rows[0]["txn_amount"] != "1101" || paid.rows[0]["result"] != "D" {
		t.Errorf("%v", paid.rows)
	}
}

// TestStrays is about bookings that nobody knows.
func TestStrays(t *testing.T) {
	b := files(t)
	on := `{"rrn":"632612STRAY1","amount":700,"stray":true,"online":true,"both":true}`
	if code := b.control("POST", "/actions/chargeback", on, nil); code != 404 {
		t.Errorf("before anybody paid: %d", code)
	}
	p := b.join()
	m, _ := p.booked(auth(numbered(0)))
	b.do("chargeback", on)
	if got := p.hear(); got[0] != "0422" || got[37] != "632612STRAY1" || got[32] != m[32] || got[42] != m[42] || got[4] != "000000000700" {
		t.Errorf("%v", got)
	}
	b.do("fraud", `{"rrn":"632612STRAY1","amount":700,"stray":true}`)
	b.do("chargeback", `{"rrn":"`+m[37]+`","amount":10001,"stray":true}`)
	s := b.sheet(b.settle("")[0])
	if s.types() != "CAP CHB FRD CHB" || s.rows[1]["rrn"] != "632612STRAY1" || s.rows[1]["orig_event_id"] != s.rows[2]["orig_event_id"] {
		t.Errorf("%v", s.rows)
	}
	wantCode(t, p.ask(with(refund(m, 1), elements{48: "OR12632612STRAY1"})), "0210", "25")
	b.control("POST", "/reset", "", nil)
	b.later() // the claim is forgotten
	p.unprompted()
}

func TestCommandsRefused(t *testing.T) {
	b := files(t)
	b.rule(`{"action":"silent","match":{"mti":"0100","nth":99}}`)
	p := b.join()
	m, _ := p.booked(auth(numbered(0)))
	r := refund(m, 500)
	p.ask(r)
	settled, _ := p.booked(auth(numbered(0)))
	b.settle("")
	held := auth(numbered(0))
	p.ask(held)
	on := func(rrn, more string) string { return `{"rrn":"` + rrn + `"` + more + `}` }
	for _, c := range []struct {
		action, body string
		want         int
	}{
		{"chargeback", ``, 404},
		{"chargeback", `[]`, 400},
		{"chargeback", on(m[37], `,"who":"me"`), 400},
		{"chargeback", on(m[37], `,"amount":10001`), 400},
		{"chargeback", on(m[37], `,"amount":-1`), 400},
		{"chargeback", on(m[37], `,"stage":3`), 400},
		{"chargeback", on(m[37], `,"case":"has blanks"`), 400},
		{"chargeback", on(m[37], `,"text":"two\nlines"`), 400},
		{"chargeback", on(r[37], ""), 404},
		{"chargeback", on(held[37], ""), 404},
		{"chargeback", on("short", `,"stray":true,"amount":1`), 400},
		{"chargeback-reversed", on(m[37], ""), 404},
		{"dispute-lost", `{"case":"C0000009"}`, 404},
		{"inquiry", on("000000000000", ""), 404},
		{"fraud", on(held[37], ""), 404},
		{"bounce-refund", on(m[37], ""), 404},
		{"bounce-refund", on(r[37], `,"amount":501`), 400},
		{"reject-capture", on(settled[37], ""), 409},
		{"reject-capture", on(held[37], ""), 404},
		{"arn", on(held[37], ""), 404},
		{"fee", `{"amount":0}`, 400},
		{"fee", `{"amount":-1}`, 400},
		{"adjust", `{"amount":1,"currency":"XXX"}`, 400},
		{"settle", `{"day":"20261123"}`, 400},
		{"settle", `{"day":"yesterday"}`, 400},
		{"redeliver", `{"name":"nothing.csv"}`, 404},
		{"collect", ``, 409},
	} {
		if got := b.control("POST", "/actions/"+c.action, c.body, nil); got != c.want {
			t.Errorf("%s %s: %d, want %d", c.action, c.body, got, c.want)
		}
	}
	b.do("bounce-refund", on(r[37], ""))
	if got := b.control("POST", "/actions/bounce-refund", on(r[37], ""), nil); got != 400 {
		t.Errorf("a refund bounced twice: %d", got)
	}
	poor := start(t)
	for _, action := range []string{"settle", "dispute-file", "redeliver", "collect"} {
		if got := poor.control("POST", "/actions/"+action, "", nil); got != 409 {
			t.Errorf("%s without a folder: %d", action, got)
		}
	}
	for _, path := range []string{"/sim/disputes", "/sim/files", "/sim/records?rrn=0"} {
		var found []any
		if code := poor.control("GET", path, "", &found); code != 200 || found == nil {
			t.Errorf("%s: %d, %v", path, code, found)
		}
	}
	if got := poor.control("POST", "/actions/fee", `{"amount":1}`, nil); got != 400 {
		t.Errorf("a fee for nobody: %d", got)
	}
	poor.do("fee", `{"amount":1,"merchant":"SHOP","currency":"KRW"}`)
	if _, err := Start(t.Context(), Config{Profile: poor.cfg.Profile, Address: "127.0.0.1:0", Collect: t.TempDir()}); err == nil {
		t.Error("captures are collected, and their answers go nowhere")
	}
}

func TestClaimReasons(t *testing.T) {
	for scheme, want := range map[string]string{
		"10.4": "4540", "10.1": "4540", "11.2": "4508", "12.6.1": "4534", "12.6.2": "4554", "12.5": "4531", "13.1": "4555", "13.7": "4560",
		"4837": "4540", "4553": "4553", "4999": "4554", "": "4554", "9": "4554",
	} {
		if got := claimReason(scheme); got != want {
			t.Errorf("%q is %s, want %s", scheme, got, want)
		}
	}
}

// TestNoCardsInFiles reads all that the host delivers and serves about a card, and its log.
func TestNoCardsInFiles(t *testing.T) {
	b := files(t)
	p := b.join()
	m, _ := p.booked(with(auth("4242424242424242"), elements{48: "CV03951PW0286"}))
	p.ask(refund(m, 100))
	b.do("chargeback", `{"rrn":"`+m[37]+`","both":true}`)
	p.hear()
	text := ""
	for _, name := range b.settle("") {
		for _, row := range b.sheet(name).rows {
			text += fmt.Sprintln(row)
		}
	}
	for _, path := range []string{"/disputes", "/records", "/files"} {
		var served []map[string]any
		b.control("GET", path, "", &served)
		text += fmt.Sprintln(served)
	}
	b.control("POST", "/reset", "", nil)
	if err := b.host.Close(); err != nil {
		t.Fatal(err)
	}
	text += b.log.String()
	for secret, there := range map[string]bool{"4242424242424242": false, "PW02": false, "424242******4242": true} {
		if strings.Contains(text, secret) != there {
			t.Errorf("%s is there to read: %t", secret, !there)
		}
	}
}

// TestClaimWaits are the waits between the transmissions of a 0422.
func TestClaimWaits(t *testing.T) {
	var waits []time.Duration
	b := start(t, func(c *Config) {
		next := c.After
		c.After = func(d time.Duration, f func()) { waits = append(waits, d); next(d, f) }
	})
	p := b.join()
	m, _ := p.booked(auth(numbered(0)))
	b.do("chargeback", `{"rrn":"`+m[37]+`","online":true}`)
	for range 3 {
		b.later()
	}
	if got := fmt.Sprint(waits); got != "[5s 15s 1m0s 1m0s]" {
		t.Errorf("waits %s", got)
	}
	b.control("POST", "/reset", "", nil)
}
