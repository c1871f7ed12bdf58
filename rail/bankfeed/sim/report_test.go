package sim

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func (b *bench) example(name string) string {
	b.Helper()
	text, err := os.ReadFile("testdata/" + name)
	b.must(err)
	return string(text)
}

// TestWorkedNotification makes the sheet's own example (rails §3.3): every element, attribute and text, in its order.
func TestWorkedNotification(t *testing.T) {
	b := start(t)
	at := time.Date(2026, 11, 22, 3, 15, 3, 0, time.UTC)
	got := b.host.book.write(message{
		id: "KB20261122-000017", number: 17, made: noon, account: b.cfg.Accounts[0], list: []*Transaction{{
			ID: "KB20261122000000917", Kind: deposit, Account: ours, Virtual: virtual, Amount: 50003, Direction: crdt, Status: booked,
			Name: "홍길동", Bank: "090", Number: payee, Memo: "홍길동", At: at,
		}},
	})
	if is, want := b.parse(string(got)), b.parse(b.example("camt054.xml")); !reflect.DeepEqual(is, want) {
		t.Errorf("the message is\n%s\nwant\n%s", strings.Join(is, "\n"), strings.Join(want, "\n"))
	}
}

func TestDepositByFile(t *testing.T) {
	b := start(t)
	id := b.deposit(virtual, 29900, "김하늘")
	if got := list[Transaction](b, "/transactions"); len(got) != 1 || got[0].ID != id || got[0].Account != ours || got[0].Virtual != virtual ||
		got[0].Status != "BOOK" || got[0].Amount != 29900 {
		t.Errorf("%+v", got)
	}
	if names, _ := b.fresh(); names != nil {
		t.Errorf("%v before its time", names)
	}
	b.host.Tick()
	names, content := b.fresh()
	if want := []string{"CAMT054_004_" + ours + "_20261122121505_1.xml"}; !reflect.DeepEqual(names, want) {
		t.Fatalf("%v, want %v", names, want)
	}
	b.want(b.parse(content[0]), "Ntfctn/ElctrncSeqNb", "1", "Ntry/Amt", "29900", "Refs/AcctSvcrRef", id, "Dbtr/Pty/Nm", "김하늘",
		"CdtrAcct/Id/Othr/Id", virtual, "Ntry/Sts/Cd", "BOOK", "Document@xmlns", "urn:iso:std:iso:20022:tech:xsd:camt.054.001.08")
	b.deposit(theirs, 1, "")
	b.deposit(ours, 2, "a<b&c")
	b.host.Tick()
	all := b.messages()
	b.want(all[0], "Ntfctn/ElctrncSeqNb", "2", "Dbtr/Pty/Nm", "a<b&c", "CdtrAcct/Id/Othr/Id", "")
	b.want(all[1], "Ntfctn/ElctrncSeqNb", "1", "Dbtr/Pty/Nm", "", "Acct/Id/Othr/Id", theirs)
	if all[0].one("MsgId") == all[1].one("MsgId") || b.host.Balance(ours) != 1_029_902 || b.host.Balance(theirs) != 1 {
		t.Errorf("%d and %d won, MsgId %s twice", b.host.Balance(ours), b.host.Balance(theirs), all[0].one("MsgId"))
	}
}

// TestWorkedSignature is the example of rails §3.5, whose signature others have computed.
func TestWorkedSignature(t *testing.T) {
	const body = `{"feed_id":"kb-main","events":[{"event_id":"01JDA0000000000000000000A1","type":"credit","bank_code":"004",` +
		`"account_number":"12345604123456","bank_txn_id":"KB20261122000000917","amount":"50003","currency":"KRW",` +
		`"depositor_name":"홍길동","booked_at":"2026-11-22T12:15:03+09:00"}]}`
	if got := Sign("feed_secret_example", "1795317303", []byte(body)); len(body) != 281 ||
		got != "v1=4f10c7630000b855816f650a3dcb51c8545e45b9000dc1fed807ea824a38bd43" {
		t.Errorf("%d bytes, %s", len(body), got)
	}
}

// TestAllChannels is one deposit that is reported three times: one message, one id.
func TestAllChannels(t *testing.T) {
	b := start(t)
	v := b.receiver()
	id := b.deposit(virtual, 50003, "홍길동", File, Push, JSON)
	b.host.Tick()
	file, got := b.message(), v.heard()
	if len(got) != 2 || !got[0].good || !got[1].good {
		t.Fatalf("%+v", got)
	}
	if pushed := b.parse(got[0].raw); !reflect.DeepEqual(pushed, file) || got[0].path != "/v1/bank-feeds/kb-main/camt054" ||
		got[0].kind != "application/xml" {
		t.Errorf("%s %s", got[0].path, got[0].raw)
	}
	sent := b.host.Transactions()[0]
	want := fmt.Sprintf(`{"feed_id":"kb-main","events":[{"event_id":%q,"type":"credit","bank_code":"004","account_number":%q,`+
		`"virtual_account_number":%q,"bank_txn_id":%q,"amount":"50003","currency":"KRW","depositor_name":"홍길동",`+
		`"depositor_bank_code":%q,"depositor_account":%q,"booked_at":"2026-11-22T12:15:05+09:00","memo":"홍길동"}]}`,
		events(t, got[1].raw)[0].EventID, ours, virtual, id, sent.Bank, sent.Number)
	if got[1].raw != want || got[1].path != "/v1/bank-credits" || got[1].kind != "application/json" {
		t.Errorf("%s\n%s, want\n%s", got[1].path, got[1].raw, want)
	}
}

func events(t *testing.T, raw string) []credit {
	t.Helper()
	var body credits
	if err := json.Unmarshal([]byte(raw), &body); err != nil {
		t.Fatal(err)
	}
	return body.Events
}

func TestDepositCommand(t *testing.T) {
	b := start(t)
	var told struct {
		ID string `json:"bank_txn_id"`
	}
	got := b.do("/sim/actions/deposit", `{"account":"`+ours+`","amount":29900,"name":"김하늘"}`)
	if err := json.Unmarshal([]byte(got), &told); err != nil || told.ID != b.host.Transactions()[0].ID {
		t.Errorf("%s", got)
	}
	for _, text := range []string{
		`{"account":"1","amount":5}`, `{"account":"` + ours + `"}`, `{"account":"` + ours + `","amount":-1}`,
		`{"account":"` + ours + `","amount":10000000000000}`, `{"account":"` + ours + `","amount":5,"bank":"KB"}`,
		`{"account":"` + ours + `","amount":5,"number":"1-2"}`, `{"account":"` + ours + `","amount":5,"channels":["fax"]}`,
		`{"account":"` + ours + `","amount":5,"booked_at":"2026-11-23T00:00:00Z"}`, `{"account":"56200012350000","amount":5}`,
		`{"account":"` + ours + `","amount":5,"credits":[{"amount":5}]}`,
		`{"account":"` + ours + `","amount":5,"name":"` + strings.Repeat("가", 141) + `"}`, `{"colour":"red"}`, `[]`,
	} {
		if code, got := b.control("POST", "/actions/deposit", text); code/100 != 4 {
			t.Errorf("%s: %d %s", text, code, got)
		}
	}
	if n := len(b.host.Transactions()); n != 1 {
		t.Errorf("%d transactions", n)
	}
}

// TestPushAgain is what the bank does with each answer to a push.
func TestPushAgain(t *testing.T) {
	for _, c := range []struct {
		answers []int
		wait    time.Duration
		tries   int
	}{
		{nil, time.Hour, 1},
		{[]int{500, 429}, 36 * time.Second, 3},
		{[]int{503, 503}, 34 * time.Second, 2},
		{[]int{400}, time.Hour, 1},
		{[]int{401}, time.Hour, 1},
	} {
		b := start(t, func(c *Config) { c.Channels = []string{JSON} })
		v := b.receiver(c.answers...)
		b.deposit(ours, 5, "A")
		b.host.Tick()
		b.later(min(c.wait, 5*time.Second))
		b.later(c.wait - min(c.wait, 5*time.Second))
		got := v.heard()
		if len(got) != c.tries {
			t.Errorf("%v: %d tries", c.answers, len(got))
		}
		for _, one := range got {
			if one.raw != got[0].raw || !one.good {
				t.Errorf("%v: %+v", c.answers, one)
			}
		}
	}
}

// TestPushUnheard is the receiver that has committed, and the bank that does not know.
func TestPushUnheard(t *testing.T) {
	b := start(t)
	v := b.receiver()
	b.rule(`{"action":"push-unheard","match":{"channel":"push","account":"` + virtual + `"},"times":1}`)
	b.deposit(virtual, 5, "A", Push, JSON)
	b.host.Tick()
	first := v.heard()
	b.later(5 * time.Second)
	again := v.heard()
	if len(first) != 2 || len(again) != 1 || again[0].raw != first[0].raw {
		t.Errorf("%d and %d pushes", len(first), len(again))
	}
	b.later(time.Hour)
	if got := v.heard(); len(got) != 0 {
		t.Errorf("%d more", len(got))
	}
}

func TestPushSpoilt(t *testing.T) {
	for _, action := range []string{"push-unsigned", "push-yesterday"} {
		b := start(t)
		v := b.receiver(401)
		b.rule(`{"action":"` + action + `","times":1}`)
		b.deposit(ours, 5, "A", JSON)
		b.host.Tick()
		b.later(5 * time.Second)
		if got := v.heard(); len(got) != 2 || got[0].good || !got[1].good {
			t.Errorf("%s: %+v", action, got)
		}
	}
}

func TestPushesWaitForAPlace(t *testing.T) {
	b := start(t)
	b.deposit(ours, 5, "A", Push)
	b.host.Tick()
	v := b.receiver()
	b.host.Tick()
	if got := v.heard(); len(got) != 1 {
		t.Errorf("%d pushes", len(got))
	}
}

// TestSameMoneyTwice is one transaction that arrives again, in each of the ways there are.
func TestSameMoneyTwice(t *testing.T) {
	for action, same := range map[string]struct{ message, number, copy bool }{
		"duplicate-message": {true, true, false}, "twice": {false, false, false}, "copy": {false, true, true},
	} {
		b := start(t)
		v := b.receiver()
		b.rule(`{"action":"` + action + `","match":{"kind":"deposit","amount":77},"times":1}`)
		id := b.deposit(ours, 77, "A", File, Push, JSON)
		b.host.Tick()
		all := b.messages()
		if len(all) != 2 {
			t.Fatalf("%s: %d files", action, len(all))
		}
		slices.SortFunc(all, func(a, b tree) int { return strings.Compare(a.one("MsgId"), b.one("MsgId")) })
		for _, name := range []string{"Refs/AcctSvcrRef", "Ntry/Amt"} {
			if all[0].one(name) != all[1].one(name) {
				t.Errorf("%s: %s differs", action, name)
			}
		}
		if (all[0].one("MsgId") == all[1].one("MsgId")) != same.message || (all[1].one("CpyDplctInd") == "DUPL") != same.copy ||
			(all[0].one("Ntfctn/ElctrncSeqNb") == all[1].one("Ntfctn/ElctrncSeqNb")) != same.number || all[0].one("CpyDplctInd") != "" {
			t.Errorf("%s: %v and %v", action, all[0], all[1])
		}
		pushes, told := 0, map[string]int{}
		for _, a := range v.heard() {
			if a.kind == "application/xml" {
				pushes++
				continue
			}
			e := events(t, a.raw)[0]
			if told[e.EventID]++; e.ID != id {
				t.Errorf("%s: %s", action, a.raw)
			}
		}
		if want := map[string]int{"duplicate-message": 1, "twice": 2, "copy": 1}[action]; pushes != 2 || len(told) != want {
			t.Errorf("%s: %d pushes of files, %v", action, pushes, told)
		}
		if n, won := len(b.host.Transactions()), b.host.Balance(ours); n != 1 || won != 1_000_077 {
			t.Errorf("%s: %d transactions, %d won", action, n, won)
		}
	}
}

func TestWrongSums(t *testing.T) {
	b := start(t)
	b.rule(`{"action":"wrong-sums","delay_ms":60000,"times":1}`)
	b.deposit(ours, 50003, "A")
	b.host.Tick()
	wrong := b.message()
	b.want(wrong, "TtlCdtNtries/Sum", "50004", "TtlCdtNtries/NbOfNtries", "1", "Ntry/Amt", "50003")
	b.later(time.Minute)
	right := b.message()
	b.want(right, "TtlCdtNtries/Sum", "50003", "Refs/AcctSvcrRef", wrong.one("Refs/AcctSvcrRef"))
	if right.one("MsgId") == wrong.one("MsgId") {
		t.Error("a message that was refused cannot come again under its id")
	}
}

func TestReversal(t *testing.T) {
	b := start(t)
	v := b.receiver()
	id := b.deposit(virtual, 50003, "홍길동", File, JSON)
	b.host.Tick()
	b.message()
	v.heard()
	b.do("/actions/reversal", `{"id":"`+id+`"}`)
	b.host.Tick()
	b.want(b.message(), "Ntry/CdtDbtInd", "DBIT", "RvslInd", "true", "Refs/AcctSvcrRef", id, "Ntry/AcctSvcrRef", id, "Ntry/Amt", "50003",
		"TtlDbtNtries/Sum", "50003", "TtlCdtNtries/Sum", "", "Ntfctn/ElctrncSeqNb", "2", "CdtrAcct/Id/Othr/Id", virtual)
	if e := events(t, v.heard()[0].raw)[0]; e.Type != "reversal" || e.Original != id || e.ID != id || e.Amount != "50003" {
		t.Errorf("%+v", e)
	}
	for _, again := range []string{id, "nothing", ""} {
		if code, _ := b.control("POST", "/actions/reversal", `{"id":"`+again+`"}`); code != 409 {
			t.Errorf("%q: %d", again, code)
		}
	}
	if won := b.host.Balance(ours); won != 1_000_000 {
		t.Errorf("%d won", won)
	}
}

func TestLate(t *testing.T) {
	b := start(t)
	b.rule(`{"action":"late","times":1}`)
	b.do("/actions/deposit", `{"account":"`+ours+`","amount":5,"booked_at":"2026-11-22T01:00:00Z"}`)
	b.later(time.Hour - 1)
	if got := b.messages(); got != nil {
		t.Error("too early")
	}
	b.later(1)
	b.want(b.message(), "BookgDt/DtTm", "2026-11-22T10:00:00+09:00", "GrpHdr/CreDtTm", "2026-11-22T13:15:05+09:00", "TxDtTm",
		"2026-11-22T10:00:00+09:00")
}

func TestOtherCharactersAndForms(t *testing.T) {
	b := start(t)
	v := b.receiver()
	for _, action := range []string{"euc-kr", "byte-order-mark", "version-02", "short-name"} {
		b.rule(`{"action":"` + action + `","match":{"name":"` + action + `똠방각하힣남궁"}}`)
		b.deposit(virtual, 5, action+"똠방각하힣남궁", File, JSON)
		b.host.Tick()
		_, content := b.fresh()
		got := b.parse(content[0])
		name := got.one("Dbtr/Pty/Nm")
		switch action {
		case "euc-kr":
			if utf8.ValidString(content[0]) || !strings.HasPrefix(content[0], `<?xml version="1.0" encoding="EUC-KR"?>`) {
				t.Error("these are other bytes")
			}
		case "byte-order-mark":
			if !strings.HasPrefix(content[0], "\xef\xbb\xbf<?xml") {
				t.Error("no mark")
			}
		case "version-02":
			b.want(got, "Document@xmlns", "urn:iso:std:iso:20022:tech:xsd:camt.054.001.02", "Ntry/Sts", "BOOK", "Dbtr/Pty/Nm", "",
				"TxDtls/Amt", "", "TxDtls/AmtDtls/TxAmt/Amt", "5", "TxDtls/CdtDbtInd", "")
			name = got.one("Dbtr/Nm")
		case "short-name":
			pushed := v.heard()
			e := events(t, pushed[len(pushed)-1].raw)[0]
			if name != "short-name똠방" || e.Name != name || e.Memo != name { // 14 bytes of CP949
				t.Errorf("%q, %+v", name, e)
			}
			continue
		}
		if name != action+"똠방각하힣남궁" {
			t.Errorf("%s: %q", action, name)
		}
	}
	if got := shortened("가나다라마바사아"); got != "가나다라마바사" {
		t.Error(got)
	}
	if got := shortened("a가나다라마바사"); got != "a가나다라마바" {
		t.Error(got)
	}
}

func TestForeignCharactersInEUCKR(t *testing.T) {
	b := start(t)
	b.rule(`{"action":"euc-kr"}`)
	b.deposit(ours, 5, "Zoë 😀")
	b.host.Tick()
	b.want(b.message(), "Dbtr/Pty/Nm", "Zoë 😀")
}

func TestBatch(t *testing.T) {
	b := start(t)
	v := b.receiver()
	got, err := b.host.Deposit(Deposit{Account: ours, Channels: []string{File, JSON}, Credits: []Credit{
		{Amount: 100, Name: "가"}, {Amount: 20, Name: "나"}, {Amount: 3, Name: "다"},
	}})
	b.must(err)
	b.host.Tick()
	one := b.message()
	ids := []string{got[0].ID, got[1].ID, got[2].ID}
	b.want(one, "NbOfNtries", "1", "TtlCdtNtries/Sum", "123", "Ntry/Amt", "123", "TxDtls/Amt", "100 20 3", "Dbtr/Pty/Nm", "가 나 다",
		"Ntry/AcctSvcrRef", got[0].Batch, "Refs/AcctSvcrRef", strings.Join(ids, " "))
	if e := events(t, v.heard()[0].raw); len(e) != 3 || e[2].ID != ids[2] || e[2].Amount != "3" {
		t.Errorf("%+v", e)
	}
	if slices.Contains(ids, got[0].Batch) || b.host.Balance(ours) != 1_000_123 {
		t.Errorf("%v in %s, %d won", ids, got[0].Batch, b.host.Balance(ours))
	}
}

// TestHalfFile is a bank that dies while it writes: half a file under its own name or a temporary one, and all of it later.
func TestHalfFile(t *testing.T) {
	for action, end := range map[string]string{"half-file": ".xml", "half-temporary": ".xml.tmp"} {
		b := start(t)
		b.rule(`{"action":"` + action + `","times":1}`)
		b.deposit(ours, 5, "A")
		b.host.Tick()
		names, content := b.fresh()
		if len(names) != 1 || !strings.HasSuffix(names[0], end) {
			t.Fatalf("%s: %v", action, names)
		}
		if _, err := parse(content[0]); err == nil {
			t.Errorf("%s: it is whole", action)
		}
		b.later(5*time.Second - 1)
		if again, _ := b.fresh(); again != nil {
			t.Errorf("%s: %v too early", action, again)
		}
		clear(b.taken)
		b.later(1)
		names, content = b.fresh()
		if len(names) != 1 || !strings.HasSuffix(names[0], ".xml") {
			t.Fatalf("%s: %v", action, names)
		}
		b.want(b.parse(content[0]), "Ntry/Amt", "5")
	}
}

func TestPending(t *testing.T) {
	b := start(t)
	v := b.receiver()
	b.rule(`{"action":"pending","times":1}`)
	id := b.deposit(ours, 5, "A", File, JSON)
	b.host.Tick()
	b.want(b.message(), "Sts/Cd", "PDNG", "Refs/AcctSvcrRef", id, "BookgDt/DtTm", "")
	if won := b.host.Balance(ours); won != 1_000_000 || len(v.heard()) != 0 {
		t.Errorf("%d won, or a push", won)
	}
	b.later(time.Minute)
	b.want(b.message(), "Sts/Cd", "BOOK", "Refs/AcctSvcrRef", id, "BookgDt/DtTm", "2026-11-22T12:16:05+09:00")
	if won := b.host.Balance(ours); won != 1_000_005 || len(v.heard()) != 1 {
		t.Errorf("%d won, or no push", won)
	}
}

// TestSkipped is a notification that is never sent: its number is missing, and only the statement has it.
func TestSkipped(t *testing.T) {
	b := start(t)
	b.rule(`{"action":"skip","match":{"nth":2},"times":1}`)
	for won := range int64(3) {
		b.deposit(ours, won+1, "A")
	}
	b.host.Tick()
	var numbers []string
	for _, m := range b.messages() {
		numbers = append(numbers, m.one("Ntfctn/ElctrncSeqNb")+":"+m.one("Ntry/Amt"))
	}
	if fmt.Sprint(numbers) != "[1:1 3:3]" {
		t.Error(numbers)
	}
	lost := b.host.Transactions()[1]
	if lost.Reported != 0 {
		t.Error("it was reported")
	}
	b.do("/actions/statement", `{"account":"`+ours+`"}`)
	b.host.Tick()
	b.want(b.message(), "Stmt/Ntry/Amt", "1 2 3", "Bal/Amt", "1000000 1000006")
	b.do("/actions/report", `{"id":"`+lost.ID+`","channels":["file"]}`)
	b.host.Tick()
	b.want(b.message(), "Ntfctn/ElctrncSeqNb", "4", "Refs/AcctSvcrRef", lost.ID)
	if code, _ := b.control("POST", "/actions/report", `{"id":"nothing"}`); code != 409 {
		t.Error(code)
	}
}

func TestSwapped(t *testing.T) {
	b := start(t)
	v := b.receiver()
	b.rule(`{"action":"swap","times":1}`)
	b.deposit(ours, 1, "A", Push)
	b.host.Tick()
	b.deposit(theirs, 9, "C", Push) // another account's do not count
	b.host.Tick()
	b.deposit(ours, 2, "B", Push)
	b.host.Tick()
	var order []string
	for _, a := range v.heard() {
		m := b.parse(a.raw)
		order = append(order, m.one("Ntfctn/ElctrncSeqNb")+":"+m.one("Ntry/Amt"))
	}
	if fmt.Sprint(order) != "[1:9 2:2 1:1]" {
		t.Error(order)
	}
}

func TestStatement(t *testing.T) {
	b := start(t)
	b.deposit(ours, 5, "A")
	b.later(12 * time.Hour) // a quarter past midnight in Korea
	id := b.deposit(ours, 7, "B")
	b.put("1.xml", strings.ReplaceAll(pain001("M1", "E1", 2), "2026-11-22</Dt>", "2026-11-23</Dt>"))
	b.later(2 * time.Second)
	_, err := b.host.Reverse(id)
	b.must(err)
	b.rule(`{"action":"pending"}`)
	b.deposit(ours, 11, "C")
	b.host.Tick()
	b.messages()
	b.do("/actions/statement", `{}`)
	b.do("/actions/statement", `{"day":"2026-11-22","account":"`+ours+`"}`)
	b.host.Tick()
	names, content := b.fresh()
	if len(names) != 3 || names[1] != "CAMT053_004_"+ours+"_20261123001507_2.xml" {
		t.Fatal(names)
	}
	today, before, other := b.parse(content[0]), b.parse(content[1]), b.parse(content[2])
	b.want(today, "Document@xmlns", "urn:iso:std:iso:20022:tech:xsd:camt.053.001.08", "Stmt/ElctrncSeqNb", "1",
		"Bal/Tp/CdOrPrtry/Cd", "OPBD CLBD",
		"Bal/Amt", "1000005 1000003", "Bal/CdtDbtInd", "CRDT CRDT", "Bal/Dt/Dt", "2026-11-23 2026-11-23", "Stmt/Ntry/Amt", "7 2 7",
		"Stmt/Ntry/CdtDbtInd", "CRDT DBIT DBIT", "TtlCdtNtries/Sum", "7", "TtlDbtNtries/Sum", "9", "TtlDbtNtries/NbOfNtries", "2",
		"Acct/Ownr/Nm", "Example Integrator", "FrToDt/FrDtTm", "2026-11-23T00:00:00+09:00", "Acct/Id/Othr/Id", ours)
	b.want(before, "Bal/Amt", "1000000 1000005", "Stmt/Ntry/Amt", "5", "Bal/Dt/Dt", "2026-11-22 2026-11-22")
	b.want(other, "Bal/Amt", "0 0", "Stmt/Ntry/Amt", "", "Acct/Id/Othr/Id", theirs)
	for _, text := range []string{`{"day":"yesterday"}`, `{"account":"1"}`} {
		if code, _ := b.control("POST", "/actions/statement", text); code != 409 {
			t.Errorf("%s: %d", text, code)
		}
	}
}

// TestRude is the bank as it is by default: much comes twice, late or in its own spelling, and nothing is lost.
func TestRude(t *testing.T) {
	b := start(t, func(c *Config) { c.Polite = false })
	const n = 60
	for range n {
		b.deposit(ours, 50003, "A")
	}
	b.host.Tick()
	early := b.messages()
	b.later(3 * time.Second)
	late := b.messages()
	ids, decimals := map[string]bool{}, 0
	for _, m := range append(early, late...) {
		ids[m.one("Refs/AcctSvcrRef")] = true
		if m.one("Ntry/Amt") == "50003.00" {
			decimals++
		}
	}
	if len(ids) != n || len(late) == 0 || len(early)+len(late) == n || decimals == 0 || decimals == n {
		t.Errorf("%d of them, %d early, %d late, %d with decimals", len(ids), len(early), len(late), decimals)
	}
}
