package sim

import (
	"crypto/sha256"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"
)

// sold is what the host has booked under an RRN.
func (b *bench) sold(rrn string) (found []booking) {
	b.Helper()
	b.control("GET", "/bookings?rrn="+rrn, "", &found)
	return found
}

// day is the host's own totals of a day as "credits-reversed debits-reversed net", counts only.
func (b *bench) day(mmdd, currency string) string {
	t := b.host.book.totals(mmdd, currency, 0)
	return fmt.Sprintf("%d-%d %d-%d %s%d", whole(t[74]), whole(t[75]), whole(t[76]), whole(t[77]), t[97][:1], whole(t[97][1:]))
}

func TestSale(t *testing.T) {
	b := start(t)
	p := b.join()
	m := with(sale("5555555555554444"), elements{48: "MR05pay-1CV03123AP05ABCDE"})
	got := p.ask(m)
	wantCode(t, got, "0210", "00")
	tags := p.tags(got)
	if got[15] != "1122" || len(got[38]) != 6 || got[4] != m[4] || got[37] != m[37] || got[49] != "410" {
		t.Errorf("%v", got)
	}
	for tag, text := range map[string]string{
		"BR": "MASTERCARD", "IS": "TEST ISSUER", "IC": "US", "CT": "C", "CR": "M", "AR": "Y", "RX": "", "KP": "", "KB": "",
	} {
		if tags[tag] != text {
			t.Errorf("%s is %q, want %q", tag, tags[tag], text)
		}
	}
	if len(tags["NT"]) != 15 || tags["NS"] == "" {
		t.Errorf("tags %v", tags)
	}
	want := booking{"sale", "555555******4444", m[37], 10000, "410", "20261122", false, 0}
	if found := b.sold(m[37]); len(found) != 1 || found[0] != want || len(b.holds(m[37])) != 0 {
		t.Errorf("booked %+v, held %+v", found, b.holds(m[37]))
	}
	eight := p.ask(sale("4111111111111111"))
	if number := p.tags(eight)["AN"]; len(number) != 8 || number[2:] != eight[38] {
		t.Errorf("approval number %q, code %q", number, eight[38])
	}
	wantCode(t, p.ask(with(sale(numbered(0)), elements{4: "000000000000"})), "0210", "13")
	wantCode(t, p.ask(with(sale(numbered(0)), elements{4: "000000000000", 25: "51"})), "0210", "13") // a sale verifies nothing
	if got := b.day("1122", "410"); got != "0-0 2-0 D20000" {
		t.Errorf("totals %s", got)
	}
}

// TestCardsOfSales: a sale gets what a hold would, and where the code leaves it in doubt the money is taken.
func TestCardsOfSales(t *testing.T) {
	b := start(t)
	p := b.join()
	for n := range 100 {
		m := sale(numbered(n))
		code := p.ask(auth(numbered(n)))[39]
		got := p.ask(m)
		wantCode(t, got, "0210", code)
		taken, aside := strings.Contains(honours+" 09 20 22 68 85 94", code), strings.Contains("10 16", code)
		if found := b.sold(m[37]); (len(found) == 1) != taken || (got[15] != "") != taken {
			t.Errorf("%s: booked %+v on %q", code, found, got[15])
		}
		if held := b.held(m[37]) == open; held != aside {
			t.Errorf("%s: set aside is %t", code, held)
		}
		switch undone := p.ask(reversal(m)); {
		case taken && undone[15] != "1122", !taken && undone[15] != "":
			t.Errorf("%s: undone on %q", code, undone[15])
		case taken || aside:
			wantCode(t, undone, "0430", "00")
			wantCode(t, p.ask(reversal(m)), "0430", "25")
		default:
			wantCode(t, undone, "0430", "25")
		}
	}
	if got := b.day("1122", "410"); got != "0-0 9-9 C0" {
		t.Errorf("totals %s", got)
	}

	b = start(t, func(c *Config) { c.Profile.DE39x16 = "approved" })
	m := sale(numbered(16))
	wantCode(t, b.join().ask(m), "0210", "16")
	if found := b.sold(m[37]); len(found) != 1 {
		t.Errorf("16 approves, and %+v is booked", found)
	}
}

// TestPartialSale: what is granted in part is in no total and no file, and goes back whole.
func TestPartialSale(t *testing.T) {
	b := files(t)
	p := b.join()
	m, forgotten := sale(numbered(904)), sale(numbered(904))
	for _, asked := range []elements{m, forgotten} {
		got := p.ask(asked)
		wantCode(t, got, "0210", "10")
		if h := b.holds(asked[37]); got[4] != asked[4] || got[15] != "" || len(h) != 1 || h[0].Amount != 5000 || h[0].State != open {
			t.Errorf("%v, held %+v", got, h)
		}
	}
	wantCode(t, p.ask(refund(m, 1)), "0210", "25")
	wantCode(t, p.ask(with(reversal(m), elements{95: fmt.Sprintf("%012d%030d", 3000, 0)})), "0430", "12")
	wantCode(t, p.ask(with(reversal(m), elements{4: "000000005000"})), "0430", "77")
	undone := p.ask(reversal(m))
	wantCode(t, undone, "0430", "00")
	wantCode(t, p.ask(reversal(m)), "0430", "25")
	b.clock.advance(holdLife)
	if b.held(m[37]) != released || b.held(forgotten[37]) != expired || undone[15] != "" {
		t.Errorf("%s on %q, and %s", b.held(m[37]), undone[15], b.held(forgotten[37]))
	}
	if got := b.day("1122", "410"); got != "0-0 0-0 C0" {
		t.Errorf("totals %s", got)
	}
	if made := b.settle(""); len(made)+len(b.host.book.reports) != 0 {
		t.Errorf("a file tells it: %+v", b.host.book.events)
	}
	whole := sale(numbered(0))
	p.ask(whole)
	b.rule(`{"action":"partial","match":{"mti":"0200"}}`)
	wantCode(t, p.ask(sale(numbered(0))), "0210", "10")
	wantCode(t, p.ask(with(refund(whole, 100), elements{48: "OR12" + whole[37]})), "0210", "00") // a refund is given whole, or not
	b.control("DELETE", "/scenarios", "", nil)
	b.rule(`{"action":"partial","match":{"pan":"5555"}}`) // nor is anything done in part but paying
	held, again := auth("5555555555554444"), sale("5555555555554444")
	for _, asked := range []elements{held, again} {
		p.ask(asked)
		wantCode(t, p.ask(reversal(asked)), "0430", "00")
	}
	b.rule(`{"action":"approve-as","code":"10","match":{"de3":"20"}}`)
	wantCode(t, p.ask(with(refund(whole, 200), elements{48: "OR12" + whole[37]})), "0210", "10")
	if found := b.sold(whole[37]); found[0].Refunded != 300 || b.day(b.host.book.day[4:], "410") != "2-0 1-0 D9700" {
		t.Errorf("%+v, totals %s", found, b.day(b.host.book.day[4:], "410"))
	}
}

// TestSaleUndone is every way in which a sale is undone, or is not.
func TestSaleUndone(t *testing.T) {
	b := files(t)
	p, other := b.join(), b.join()
	take := func() elements {
		m := sale(numbered(0))
		wantCode(t, p.ask(m), "0210", "00")
		return m
	}
	m := take()
	wantCode(t, p.ask(with(reversal(m), elements{4: "000000009999"})), "0430", "77")
	wantCode(t, p.ask(with(reversal(m), elements{95: fmt.Sprintf("%012d%030d", 3000, 0)})), "0430", "12")
	wantCode(t, p.ask(with(reversal(m), elements{90: strings.Repeat("0", 42)})), "0430", "00") // by card, RRN, terminal and amount
	wantCode(t, p.ask(with(reversal(m), elements{0: "0421"})), "0430", "25")

	m = take() // repeated word for word, from another connection
	undo := reversal(m)
	first := p.ask(undo)
	wantCode(t, first, "0430", "00")
	if again := other.ask(with(undo, elements{0: "0421"})); fmt.Sprint(again) != fmt.Sprint(first) {
		t.Errorf("%v, then %v", first, again)
	}
	wantCode(t, p.ask(m), "0210", "00") // the stored answer, and nothing booked
	if found := b.sold(m[37]); len(found) != 1 || !found[0].Undone {
		t.Errorf("booked %+v", found)
	}
	if got := b.day("1122", "410"); got != "0-0 2-2 C0" {
		t.Errorf("totals %s", got)
	}

	never := sale(numbered(0)) // the reversal comes first
	wantCode(t, p.ask(reversal(never)), "0430", "25")
	got := p.ask(never)
	wantCode(t, got, "0210", "12")
	if got[15] != "" || len(b.sold(never[37])) != 0 {
		t.Errorf("booked %+v", b.sold(never[37]))
	}
	late := sale(numbered(913))
	p.say(late)
	p.silence()
	wantCode(t, other.ask(reversal(late)), "0430", "25")
	wantCode(t, p.hear(), "0210", "12")

	refunded, disputed, won := take(), take(), take() // what has gone on is not undone
	r := refund(refunded, 400)
	wantCode(t, p.ask(r), "0210", "00")
	b.do("chargeback", `{"rrn":"`+disputed[37]+`","amount":1}`)
	b.do("chargeback", `{"rrn":"`+won[37]+`"}`)
	b.do("chargeback-reversed", `{"rrn":"`+won[37]+`"}`)
	for of, code := range map[string]string{refunded[37]: "12", disputed[37]: "12", won[37]: "00"} {
		for _, m := range []elements{refunded, disputed, won} {
			if m[37] == of {
				wantCode(t, p.ask(reversal(m)), "0430", code)
			}
		}
	}
	b.do("dispute-lost", `{"rrn":"`+disputed[37]+`"}`)
	wantCode(t, p.ask(with(reversal(disputed), elements{0: "0421"})), "0430", "12")
	wantCode(t, p.ask(reversal(r)), "0430", "00") // the refund is; then the sale can be
	wantCode(t, p.ask(reversal(refunded)), "0430", "00")

	m = take() // on another day: each total has its half
	b.do("cutover", "")
	if got := p.hear(); got[15] != "1123" {
		t.Fatalf("cut-over: %v", got)
	}
	undone := p.ask(reversal(m))
	wantCode(t, undone, "0430", "00")
	if undone[15] != "1123" || b.day("1122", "410") != "1-1 6-4 D20000" || b.day("1123", "410") != "0-0 0-1 C10000" {
		t.Errorf("%s, %s, %s", undone[15], b.day("1122", "410"), b.day("1123", "410"))
	}
}

// TestSaleTwice: the same request has the same answer, and the same identity with other content is 94 (rails §1.12).
func TestSaleTwice(t *testing.T) {
	dir := t.TempDir()
	b := start(t, func(c *Config) { c.Dir = dir })
	p := b.join()
	m := sale(numbered(0))
	first := p.ask(m)
	for _, repeat := range []elements{m, with(m, elements{0: "0201"})} {
		if again := b.join().ask(repeat); fmt.Sprint(again) != fmt.Sprint(first) {
			t.Errorf("%v, then %v", first, again)
		}
	}
	for _, change := range []elements{{2: numbered(1)}, {3: "003000"}, {4: "000000010001"}, {49: "978"}} {
		wantCode(t, p.ask(with(m, change)), "0210", "94")
	}
	for n, code := range map[int]string{51: "51", 68: "68", 22: "22", 905: "91"} { // also where the code asks for patience
		again := sale(numbered(n))
		for range 2 {
			wantCode(t, p.ask(again), "0210", code)
		}
		if found := b.sold(again[37]); len(found) > 1 {
			t.Errorf("%s: booked %+v", code, found)
		}
	}
	lost := sale(numbered(0))
	wantCode(t, p.ask(reversal(lost)), "0430", "25")
	if err := b.host.Close(); err != nil {
		t.Fatal(err)
	}
	b.open()
	p = b.join()
	if again := p.ask(m); fmt.Sprint(again) != fmt.Sprint(first) || len(b.sold(m[37])) != 1 {
		t.Errorf("after a restart %v, the first was %v", again, first)
	}
	wantCode(t, p.ask(lost), "0210", "12")
	wantCode(t, p.ask(reversal(m)), "0430", "00")

	b = start(t, func(c *Config) { c.Profile.DupRRN = "reject" })
	p = b.join()
	wantCode(t, p.ask(m), "0210", "00")
	wantCode(t, p.ask(with(m, elements{11: stan()})), "0210", "94")
	wantCode(t, p.ask(refund(m, 10000)), "0210", "00") // another class of payment
}

// TestSalesThatAreLost is one rule of each kind that keeps an answer from arriving whole: the money is taken, once, and comes back once.
func TestSalesThatAreLost(t *testing.T) {
	for rule, hear := range map[string]func(p *peer){
		`"action":"silent"`:                 (*peer).silence,
		`"action":"silent-dropped"`:         (*peer).silence,
		`"action":"close-before-answer"`:    (*peer).hungUp,
		`"action":"late","delay_ms":9000`:   func(p *peer) { p.silence(); p.bench.later(); wantCode(p.T, p.hear(), "0210", "00") },
		`"action":"answer-then-close"`:      func(p *peer) { wantCode(p.T, p.hear(), "0210", "00"); p.hungUp() },
		`"action":"close-mid-answer"`:       func(p *peer) { _, _ = io.Copy(io.Discard, p) },
		`"action":"duplicate"`:              func(p *peer) { wantCode(p.T, p.hear(), "0210", "00"); wantCode(p.T, p.hear(), "0210", "00") },
		`"action":"truncated"`:              func(p *peer) { p.hearBody() },
		`"action":"garbage"`:                func(p *peer) { p.hearBody() },
		`"action":"wrong-stan"`:             func(p *peer) { p.hear() },
		`"action":"wrong-amount"`:           func(p *peer) { p.hear() },
		`"action":"approve-as","code":"68"`: func(p *peer) { wantCode(p.T, p.hear(), "0210", "68") },
		`"action":"approve-as","code":"85"`: func(p *peer) { wantCode(p.T, p.hear(), "0210", "85") },
	} {
		t.Run(rule, func(t *testing.T) {
			b := start(t)
			b.rule(`{` + rule + `,"match":{"mti":"0200","de3":"00"},"times":1}`)
			p := b.join()
			m := sale(numbered(0))
			p.say(m)
			hear(p)
			p = b.join()
			taken := !strings.Contains(rule, "dropped")
			if found := b.sold(m[37]); (len(found) == 1) != taken {
				t.Errorf("booked %+v", found)
			}
			code, totals := "00", "0-0 1-1 C0"
			if !taken {
				code, totals = "25", "0-0 0-0 C0"
			}
			wantCode(t, p.ask(reversal(m)), "0430", code)
			if got := b.day("1122", "410"); got != totals {
				t.Errorf("totals %s", got)
			}
		})
	}
}

// TestRefundsOfSales is what remains of a sale, however a refund names it.
func TestRefundsOfSales(t *testing.T) {
	b := start(t)
	p := b.join()
	m := sale(numbered(0))
	wantCode(t, p.ask(refund(m, 1)), "0210", "25")
	p.ask(m)
	other := sale(numbered(0))
	p.ask(other)
	or := "OR12" + m[37]
	for name, try := range map[string]struct {
		change elements
		code   string
	}{
		"by reference and date": {elements{}, "00"},
		"by its request":        {elements{48: "", 90: de90(m)}, "00"},
		"by both":               {elements{48: or, 90: de90(m)}, "00"},
		"by the repeat":         {elements{48: or, 90: "0201" + de90(m)[4:]}, "00"},
		"by another sale":       {elements{48: or, 90: de90(other)}, "77"},
		"as if it were a 0220":  {elements{48: or, 90: "0220" + de90(m)[4:]}, "77"},
		"with another date":     {elements{48: or + "OD0820261120"}, "77"},
		"in another currency":   {elements{49: "840"}, "77"},
		"on another card":       {elements{2: numbered(1)}, "25"},
	} {
		t.Run(name, func(t *testing.T) {
			wantCode(t, p.ask(with(refund(m, 10), try.change)), "0210", try.code)
		})
	}
	left := func() int64 { return 10000 - b.sold(m[37])[0].Refunded }
	if left() != 9960 {
		t.Errorf("%d are left", left())
	}
	wantCode(t, p.ask(refund(m, 9961)), "0210", "13")
	rest := refund(m, 9960)
	wantCode(t, p.ask(rest), "0210", "00")
	wantCode(t, p.ask(refund(m, 1)), "0210", "13")
	wantCode(t, p.ask(reversal(rest)), "0430", "00")
	wantCode(t, p.ask(refund(m, 9961)), "0210", "13")
	wantCode(t, p.ask(refund(m, 9960)), "0210", "00")
	wantCode(t, p.ask(reversal(other)), "0430", "00")
	wantCode(t, p.ask(refund(other, 1)), "0210", "25") // there is nothing any more
	if got := b.day("1122", "410"); got != "6-1 2-1 C0" {
		t.Errorf("totals %s", got)
	}
}

// TestRecordsOfSales is one of each kind that a file tells of a sale.
func TestRecordsOfSales(t *testing.T) {
	b := files(t)
	p := b.join()
	m := with(sale("5555555555554444"), elements{48: "MR05pay-1"})
	answer := p.ask(m)
	never, rejected := sale(numbered(0)), sale(numbered(0))
	p.ask(never)
	wantCode(t, p.ask(reversal(never)), "0430", "00")
	p.ask(rejected)
	r := refund(m, 4000)
	p.ask(r)
	on := func(rrn, more string) string { return `{"rrn":"` + rrn + `"` + more + `}` }
	b.do("inquiry", on(m[37], `,"amount":500`))
	b.do("fraud", on(m[37], ""))
	b.do("chargeback", on(m[37], `,"amount":3000,"both":true`))
	b.do("chargeback-reversed", on(m[37], ""))
	b.do("bounce-refund", on(r[37], `,"amount":1000`))
	b.do("reject-capture", on(rejected[37], ""))
	claim := p.hear()
	if claim[0] != "0422" || claim[90] != de90(m) || claim[37] != m[37] || claim[4] != "000000003000" || claim[3] != "000000" {
		t.Errorf("%v", claim)
	}
	p.say(elements{0: "0432", 7: claim[7], 11: claim[11], 39: "00"})
	p.silence()
	s := b.sheet(b.settle(`{"late_arn":true}`)[0])
	if got := s.types(); got != "CAP REF INQ FRD CHB CBR RRF REJ" {
		t.Fatalf("%s", got)
	}
	want(t, s.rows[0], map[string]string{
		"event_id": "P0000001", "rrn": m[37], "stan": m[11], "transmission_dt": m[7], "auth_code": strings.TrimSpace(answer[38]),
		"network_txn_id": p.tags(answer)["NT"], "brand": "MASTERCARD", "card_masked": "555555******4444", "txn_amount": "10000",
		"gross_amount": "10000", "net_amount": "9900", "merchant_ref": "pay-1", "result": "00", "arn": "",
	})
	want(t, s.rows[1], map[string]string{"rrn": r[37], "orig_event_id": "P0000001", "gross_amount": "-4000"})
	want(t, s.rows[4], map[string]string{"rrn": m[37], "orig_event_id": "P0000001", "gross_amount": "-3000"})
	want(t, s.rows[7], map[string]string{"rrn": rejected[37], "gross_amount": "0", "result": "25"})
	next := b.sheet(b.settle("")[0])
	if next.types() != "ARN ARN" || next.rows[0]["rrn"] != m[37] || len(next.rows[0]["arn"]) != 23 {
		t.Errorf("%v", next.rows)
	}
	wantCode(t, p.ask(refund(m, 7000)), "0210", "00") // 6000, and the 1000 that came back
	wantCode(t, p.ask(refund(rejected, 1)), "0210", "25")
	b.do("arn", on(m[37], ""))
	b.do("chargeback", on(m[37], `,"amount":1,"case":"K2"`))
	if code := b.control("POST", "/actions/revoke", on(m[37], ""), nil); code != http.StatusNotFound {
		t.Errorf("a sale is held by nobody: %d", code)
	}
	if again := b.sheet(b.settle("")[0]); again.types() != "REF ARN CHB" { // and no CAP a second time
		t.Errorf("%s", again.types())
	}
	var told []record
	for _, r := range b.records(m[37]) {
		if r.Direction == "seen" && r.MTI == "0200" && r.DE3 == "000000" {
			told = append(told, r)
		}
	}
	if len(told) != 1 || fmt.Sprint(told[0].Tags) != "[MR]" {
		t.Errorf("transactions %+v", told)
	}
	b.control("POST", "/reset", "", nil)
}

// TestCaptureModes: a host without holds holds nothing, and one that captures by file sells on line all the same.
func TestCaptureModes(t *testing.T) {
	b := start(t, func(c *Config) { c.Profile.CaptureMode = "single" })
	p := b.join()
	zero := elements{4: "000000000000", 25: "51"}
	for _, c := range []struct {
		m    elements
		code string
	}{
		{auth(numbered(0)), "40"},
		{auth("4242424242424242"), "40"},
		{with(auth(numbered(0)), elements{42: "CLOSEDMERCHANT0"}), "03"},
		{with(auth(numbered(0)), elements{4: "000000000100", 25: "51"}), "40"},
		{with(auth(numbered(0)), zero), "00"},
		{with(auth("4242424242424242"), zero), "85"},
		{with(auth(numbered(41)), zero), "41"},
		{sale(numbered(0)), "00"},
	} {
		got := p.ask(c.m)
		wantCode(t, got, c.m.answerMTI(), c.code)
		if len(b.holds(c.m[37])) != 0 || p.tags(got)["BR"] == "" {
			t.Errorf("%v, held %+v", got, b.holds(c.m[37]))
		}
	}
	hold := auth(numbered(0))
	wantCode(t, p.ask(reversal(hold)), "0430", "25")
	wantCode(t, p.ask(capture(hold, elements{38: "ABCDEF"})), "0230", "25")

	b = files(t, func(c *Config) { c.Collect, c.Profile = t.TempDir(), profile(t, "pi87-file") })
	p = b.join()
	m := sale(numbered(0))
	answer := p.ask(m)
	wantCode(t, answer, "0210", "00")
	lines := []string{captureLine("pay-1", m, answer, 10000), refundLine("rfd-1", m, 4000), refundLine("rfd-2", m, 6001)}
	b.leave(pending(1), captureText(1, 10000+4000+6001, lines...))
	b.collect()
	codes := ""
	for _, row := range b.sheet(answered(1)).rows {
		codes += row["result"] + " "
	}
	if codes != "25 00 13 " || b.sold(m[37])[0].Refunded != 4000 {
		t.Errorf("results %s, %+v", codes, b.sold(m[37]))
	}
	if s := b.sheet(b.settle("")[0]); s.types() != "CAP REF" || s.rows[1]["orig_event_id"] != s.rows[0]["event_id"] {
		t.Errorf("%v", s.rows)
	}
}

// TestWhatIssuersLookAt is authentication, cryptograms and stored cards, asked by the cards and by rules.
func TestWhatIssuersLookAt(t *testing.T) {
	b := start(t)
	p := b.join()
	first := p.ask(with(sale(numbered(0)), elements{48: "CI01CIR01RSI01S"}))
	known := p.tags(first)["NT"]
	cavv := "CA28AAABBWcSNIdjeUZThmNHAAAAAAA="
	crypt := "CG28AgAAAAAABk4DWZ4C28yUQAAAAAA="
	for _, c := range []struct {
		card       int
		tags, code string
	}{
		{943, "", "1A"},
		{943, "EC0207", "1A"},
		{943, "CI01CIR01RSI01S", "1A"},
		{943, "EC0205" + cavv, "00"},
		{943, "SX01L", "00"},
		{943, "SX01T", "00"},
		{943, "CI01M", "00"},
		{944, "", "65"},
		{944, cavv, "00"},
		{945, "", "00"},
		{945, "TT01D", "05 MC 04"},
		{945, "TT01D" + crypt, "00"},
		{945, "TT01M", "00"},
		{945, "TT01DCI01M", "00"},
		{946, "", "00"},
		{946, "CI01CIR01RSI01U", "00"},
		{946, "CI01MIR01R", "05"},
		{946, "CI01MIR01RNT15000000000000000", "05"},
		{946, "CI01MIR01RNT15" + known, "00"},
		{947, "", "05 MC 03"},
		{948, "", "51 MC 24"},
		{0, "CI01MIR01UNT15000000000000000", "00"},
	} {
		for _, mti := range []string{"0100", "0200"} {
			got := p.ask(with(auth(numbered(c.card)), elements{0: mti, 48: c.tags}))
			code, advice, _ := strings.Cut(c.code, " MC ")
			tags := p.tags(got)
			fresh := len(tags["NT"]) == 15 && tags["NT"] != known
			if got[39] != code || tags["MC"] != advice || tags["BR"] == "" || fresh != (code == "00") {
				t.Errorf("%s, card %d, %q: %s, tags %v, want %s", mti, c.card, c.tags, got[39], tags, c.code)
			}
		}
	}
	m := sale(numbered(943)) // it is the payment that is looked at
	wantCode(t, p.ask(m), "0210", "1A")
	paid := with(sale(numbered(943)), elements{48: "SX01L"})
	wantCode(t, p.ask(paid), "0210", "00")
	wantCode(t, p.ask(refund(paid, 1)), "0210", "00")

	b.rule(`{"action":"decline","code":"1A","match":{"lacks":"authentication","mti":"0200"},"times":1}`)
	b.rule(`{"action":"decline","code":"05","tags":{"MC":"03"},"match":{"tags":{"CI":"M","IR":"R","NS":""}}}`)
	for _, c := range []struct {
		m    elements
		code string
	}{
		{auth(numbered(0)), "00"}, // a hold, to which the first is not, and which is not the merchant's
		{with(sale(numbered(0)), elements{48: "SX01L"}), "00"},
		{refund(paid, 1), "00"},
		{sale(numbered(0)), "1A"},
		{sale(numbered(0)), "00"},
		{with(sale(numbered(0)), elements{48: "CI01MIR01R"}), "05"},
		{with(auth(numbered(0)), elements{48: "CI01MIR01R"}), "05"},
		{with(auth(numbered(0)), elements{48: "CI01MIR01RNS01X"}), "00"},
		{with(auth(numbered(0)), elements{48: "CI01MIR01U"}), "00"},
	} {
		wantCode(t, p.ask(c.m), c.m.answerMTI(), c.code)
	}
	for _, bad := range []string{
		`{"action":"silent","match":{"lacks":"patience"}}`, `{"action":"silent","match":{"tags":{"CV":"737"}}}`,
		`{"action":"silent","match":{"tags":{"long":"x"}}}`,
	} {
		if code := b.control("POST", "/scenarios", bad, nil); code != http.StatusBadRequest {
			t.Errorf("%s: %d", bad, code)
		}
	}
}

// TestSecondaryResults is every letter of rails §1.15, and none.
func TestSecondaryResults(t *testing.T) {
	b := start(t)
	p := b.join()
	asked := func(mti string, card int, tags map[string]string) map[string]string {
		t.Helper()
		got := p.ask(with(auth(numbered(card)), elements{0: mti, 48: private(tags, 2)}))
		if got[39] != "00" {
			t.Errorf("card %d, %v: %s", card, tags, got[39])
		}
		return p.tags(got)
	}
	told := map[string]bool{}
	avs := func(card int, tags map[string]string, letter string) {
		t.Helper()
		for _, mti := range []string{"0100", "0200"} {
			got, there := asked(mti, card, tags)["AR"]
			if got != letter || there != (letter != "") {
				t.Errorf("%s, card %d, %v: %q, want %q", mti, card, tags, got, letter)
			}
		}
		told[letter] = true
	}
	for _, letter := range strings.Split("YMDFXABZWPNCRSUGIE", "") {
		avs(0, map[string]string{"AP": "AVS" + letter}, letter)
		avs(941, map[string]string{"AP": "avs-" + strings.ToLower(letter), "AA": "8 ANY STREET"}, letter)
	}
	if len(told) != 18 {
		t.Errorf("letters %v", told)
	}
	avs(0, map[string]string{"AA": "1 ANY STREET", "AP": "AVS"}, "")
	avs(0, map[string]string{"AC": "US"}, "") // no address
	avs(0, map[string]string{}, "")
	avs(0, map[string]string{"AA": "1 ANY STREET"}, "Y")
	for _, c := range []struct{ line, postal, country, letter string }{
		{"8 ANY STREET", "12345-6789", "US", "X"},
		{"8 ANY STREET", "12345", "US", "Y"},
		{"8", "12345", "", "Y"},
		{"8 ANY STREET", "12345", "GB", "F"},
		{"8 ANY STREET", "12345 6789", "PT", "D"},
		{"8 ANY STREET", "54321", "US", "A"},
		{"8 ANY STREET", "", "US", "B"},
		{"88 ANY STREET", "123456789", "US", "W"},
		{"88 ANY STREET", "12345", "US", "Z"},
		{"88 ANY STREET", "123456789", "PT", "Z"},
		{"", "12345", "US", "P"},
		{"88 ANY STREET", "54321", "US", "N"},
		{"88 ANY STREET", "1234", "US", "N"},
		{"ANY STREET 8", "", "", "N"},
		{"", "54321", "", "N"},
	} {
		tags := map[string]string{"AA": c.line, "AP": c.postal, "AC": c.country}
		maps.DeleteFunc(tags, func(_, text string) bool { return text == "" })
		avs(941, tags, c.letter)
	}
	for cvv2, letter := range map[string]string{
		"731": "M", "732": "N", "733": "P", "734": "S", "735": "U", "7366": " ", "730": "", "": "",
	} {
		tags := map[string]string{"CV": cvv2, "AP": "12345"}
		maps.DeleteFunc(tags, func(_, text string) bool { return text == "" })
		if got := asked("0200", 942, tags)["CR"]; got != letter {
			t.Errorf("the last of %q is %q, want %q", cvv2, got, letter)
		}
	}
	b.rule(`{"action":"decline","code":"51","tags":{"MC":"30","AR":"Z","CR":"N"}}`)
	got := p.ask(sale(numbered(0)))
	if tags := p.tags(got); got[39] != "51" || tags["MC"] != "30" || tags["AR"] != "Z" || tags["CR"] != "N" {
		t.Errorf("%s, tags %v", got[39], tags)
	}
}

// TestCurrencies is one merchant's day in three currencies, of no, two and three decimals: nothing of one is counted in another.
func TestCurrencies(t *testing.T) {
	b := collecting(t)
	p := b.join()
	in := func(m elements, currency string, amount int) elements {
		return with(m, elements{49: currency, 4: fmt.Sprintf("%012d", amount)})
	}
	amounts := map[string]int{"392": 1234, "978": 123456, "048": 1234567}
	sales, holds := map[string]elements{}, map[string]elements{}
	for currency, amount := range amounts {
		s := in(sale(numbered(0)), currency, amount)
		wantCode(t, p.ask(s), "0210", "00")
		m := in(auth(numbered(0)), currency, amount)
		answer := p.ask(m)
		sales[currency], holds[currency] = s, m
		wantCode(t, p.ask(with(capture(m, answer), elements{49: "410"})), "0230", "77")
		wantCode(t, p.ask(in(capture(m, answer), currency, amount+1)), "0230", "13")
		wantCode(t, p.ask(in(capture(m, answer), currency, amount-234)), "0230", "00")
		wantCode(t, p.ask(with(refund(s, 1), elements{49: "410"})), "0210", "77")
		wantCode(t, p.ask(refund(s, 1000)), "0210", "00")
		wantCode(t, p.ask(with(reversal(s), elements{49: "410"})), "0430", "77")
		undone := in(sale(numbered(0)), currency, 5)
		p.ask(undone)
		wantCode(t, p.ask(reversal(undone)), "0430", "00")
	}
	wantCode(t, p.ask(in(auth(numbered(911)), "978", 60000)), "0110", "00") // a balance is of one currency
	wantCode(t, p.ask(in(auth(numbered(911)), "048", 60000)), "0110", "00")
	wantCode(t, p.ask(in(auth(numbered(911)), "978", 60000)), "0110", "51")
	for currency, amount := range amounts {
		want := fmt.Sprintf("1-0 3-1 D%d", 2*amount-234-1000)
		if got := b.day("1122", currency); got != want {
			t.Errorf("%s: totals %s, want %s", currency, got, want)
		}
		own := b.host.book.totals("1122", currency, 0)
		claim := with(own, elements{0: "0500", 7: "1122150000", 11: stan(), 15: "1122", 50: currency, 99: "12345678901"})
		wantCode(t, p.ask(claim), "0510", "00")
		wantCode(t, p.ask(with(claim, elements{11: stan(), 50: "840"})), "0510", "95")
	}
	b.do("chargeback", `{"rrn":"`+sales["048"][37]+`","amount":500}`)
	b.do("fee", `{"amount":15,"currency":"JPY"}`)

	names := b.settle(`{"cutover":true}`)
	got := map[string]string{}
	for i, name := range names { // numbered through
		if want := fmt.Sprintf("PISTL_ACQ0001_PIMERCHANT00001_20261122_%03d.csv", i+1); name != want {
			t.Errorf("%s, want %s", name, want)
		}
		s := b.sheet(name)
		got[s.head[6]] = s.types() + " " + s.tail[2]
		for _, row := range s.rows {
			if row["txn_ccy"] != s.head[6] {
				t.Errorf("%s in a file of %s", row["txn_ccy"], s.head[6])
			}
		}
	}
	if want := map[string]string{
		"BHD": "CAP CAP REF CHB 2467400", "EUR": "CAP CAP REF 245678", "JPY": "CAP CAP REF FEE 1234",
	}; !maps.Equal(got, want) {
		t.Errorf("files %v, want %v", got, want)
	}
	var before []report
	b.control("GET", "/files", "", &before)
	paid := b.settle("")
	if len(paid) != 3 {
		t.Fatalf("paid by %v", paid)
	}
	for i, name := range paid { // each currency for itself
		s := b.sheet(name)
		if s.types() != "PAY" || s.head[6] != before[i].Currency || s.rows[0]["txn_amount"] != fmt.Sprint(before[i].Net) ||
			s.head[5] != fmt.Sprintf("%03d", i+1) {
			t.Errorf("%v, %v", s.head, s.rows)
		}
	}

	line := refundLine("rfd-1", sales["978"], 100) // in a file of won
	other := strings.Replace(refundLine("rfd-2", sales["978"], 200), "KRW", "EUR", 1)
	b.leave(pending(1), captureText(1, 300, line, other))
	text := captureText(2, 200, strings.Replace(refundLine("rfd-3", sales["978"], 200), "KRW", "EUR", 1))
	text = strings.Replace(text[:strings.LastIndex(text, "T,")], ",KRW,2026", ",EUR,2026", 1)
	b.leave(pending(2), text+fmt.Sprintf("T,1,200,%x\r\n", sha256.Sum256([]byte(text))))
	b.collect()
	codes := ""
	for _, seq := range []int{1, 2} {
		s := b.sheet(answered(seq))
		for _, row := range s.rows {
			codes += s.head[6] + " " + row["result"] + " "
		}
	}
	if codes != "KRW 77 KRW 77 EUR 00 " {
		t.Errorf("results %s", codes)
	}
	if h := b.holds(holds["048"][37])[0]; h.Captured != 1234333 || h.Currency != "048" {
		t.Errorf("%+v", h)
	}
	wantCode(t, p.ask(with(sale(numbered(0)), elements{49: "999"})), "0210", "12")
}
