package sim

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestWorkedOrder is the sheet's own order and, by a rule, its own answer (rails §4.4).
func TestWorkedOrder(t *testing.T) {
	b := start(t)
	b.rule(`{"action":"refuse","match":{"end_to_end":"DEP-ORDER-77-RF1"}}`)
	b.put("worked.xml", b.example("pain001.xml"))
	first := b.message()
	b.want(first, "OrgnlMsgId", "PI-REFUND-20261122-01", "GrpSts", "ACTC", "TxSts", "ACTC", "Rsn/Cd", "",
		"OrgnlEndToEndId", "DEP-ORDER-77-RF1")
	b.later(2 * time.Second)
	got, want := b.message(), b.parse(b.example("pain002.xml"))
	for i, line := range want { // what the bank makes up, and the group, which is refused as well here
		for _, name := range []string{"GrpHdr/MsgId", "CreDtTm", "GrpSts"} {
			if strings.Contains(line, name+"=") && i < len(got) {
				want[i] = got[i]
			}
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the answer is\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	b.want(got, "GrpSts", "RJCT")
	if won := b.host.Balance(ours); won != 1_000_000 {
		t.Errorf("%d won", won)
	}
	if _, err := os.Stat(filepath.Join(b.cfg.In, "done", "worked.xml")); err != nil {
		t.Error(err)
	}
}

func TestPaid(t *testing.T) {
	b := start(t)
	b.put("1.xml", pain001("M1", "E1", 50003))
	b.want(b.message(), "TxSts", "ACTC")
	b.later(2*time.Second - 1)
	if got := b.messages(); got != nil {
		t.Error("too early")
	}
	b.later(1)
	all := b.messages() // CAMT054 is before PAIN002
	if len(all) != 2 {
		t.Fatalf("%d files", len(all))
	}
	id := b.host.Payments()[0].Transaction
	b.want(all[0], "Ntry/CdtDbtInd", "DBIT", "RvslInd", "false", "Refs/EndToEndId", "E1", "Refs/InstrId", "I-E1", "Refs/AcctSvcrRef", id,
		"Cdtr/Pty/Nm", "홍길동", "CdtrAcct/Id/Othr/Id", payee, "CdtrAgt/FinInstnId/ClrSysMmbId/MmbId", "090", "Fmly/Cd", "ICDT",
		"DbtrAcct/Id/Othr/Id", ours, "DbtrAgt/FinInstnId/ClrSysMmbId/MmbId", "004", "RmtInf/Ustrd", "환불")
	b.want(all[1], "GrpSts", "ACCC", "TxSts", "ACCC", "TxInfAndSts/AcctSvcrRef", id, "OrgnlPmtInfId", "M1-A", "OrgnlInstrId", "I-E1")
	if won := b.host.Balance(ours); won != 949_997 {
		t.Errorf("%d won", won)
	}
}

// TestSameOrderAgain is the integrator that never saw an answer: it sends the same MsgId, and hears how things stand.
func TestSameOrderAgain(t *testing.T) {
	b := start(t)
	for _, status := range []string{"ACTC", "ACTC", "ACCC", "ACCC"} {
		b.put("1.xml", pain001("M1", "E1", 50003))
		b.want(b.message(), "OrgnlMsgId", "M1", "TxSts", status)
		b.later(time.Second)
		b.messages()
	}
	if got := list[received](b, "/orders?id=M1"); len(got) != 1 || got[0].Times != 4 || len(b.host.Payments()) != 1 ||
		b.host.Balance(ours) != 949_997 {
		t.Errorf("%+v, %d won", got, b.host.Balance(ours))
	}
}

type received struct{ Times int }

// TestPaidTwice is what the bank does not see: another MsgId is another payment. The record says so.
func TestPaidTwice(t *testing.T) {
	b := start(t)
	b.put("1.xml", pain001("M1", "E1", 5))
	b.put("2.xml", pain001("M2", "E1", 5, "E2", 6))
	if got := list[string](b, "/twice"); len(got) != 0 {
		t.Error(got)
	}
	b.later(2 * time.Second)
	if got := list[string](b, "/twice"); !reflect.DeepEqual(got, []string{"E1"}) || !reflect.DeepEqual(b.host.Twice(), got) {
		t.Error(got)
	}
	_, err := b.host.Return("E1", "")
	b.must(err)
	if got := b.host.Twice(); len(got) != 0 {
		t.Error(got)
	}
}

// TestFates is a rule of each kind on a payment: every pain.002 by its group and its transaction, and what it cost in the end.
func TestFates(t *testing.T) {
	for rule, c := range map[string]struct {
		want string
		cost int64
	}{
		`"refuse","code":"BE01"`:         {"ACTC/ACTC RJCT/RJCT:BE01", 0},
		`"refuse"`:                       {"ACTC/ACTC RJCT/RJCT:AC01", 0},
		`"refuse-at-once","code":"AC06"`: {"RJCT/RJCT:AC06", 0},
		`"refuse-all","code":"AM05"`:     {"RJCT/:AM05", 0},
		`"silent"`:                       {"", 5},
		`"silent-refuse"`:                {"", 0},
		`"lost"`:                         {"", 0},
		`"stop-at-acsc"`:                 {"ACTC/ACTC ACSC/ACSC", 5},
		`"group-level"`:                  {"ACTC/ ACCC/", 5},
		`"payment-level"`:                {"/ACTC /ACCC", 5},
		`"pdng"`:                         {"ACTC/ACTC PDNG/PDNG ACCC/ACCC", 5},
		`"slow"`:                         {"ACTC/ACTC ACCC/ACCC", 5},
		`"return"`:                       {"ACTC/ACTC ACCC/ACCC", 0},
	} {
		b := start(t)
		b.rule(`{"action":` + rule + `,"match":{"end_to_end":"E1","number":"` + payee + `"}}`)
		b.put("1.xml", pain001("M1", "E1", 5))
		for range 26 {
			b.later(time.Hour)
		}
		var said []string
		for _, r := range b.host.book.reports {
			if r.Kind == "pain.002" {
				m := b.parse(string(r.Body))
				text := m.one("GrpSts") + "/" + m.one("TxSts") + m.one("PmtInfSts")
				if code := m.one("Rsn/Cd"); code != "" {
					text += ":" + code
				}
				said = append(said, text)
			}
		}
		if got := strings.Join(said, " "); got != c.want || b.host.Balance(ours) != 1_000_000-c.cost {
			t.Errorf("%s: %s, %d won", rule, got, b.host.Balance(ours))
		}
	}
}

// TestSilence is the case of rails §4.4, none within 30 minutes: the same MsgId again gets the truth, whatever it is.
func TestSilence(t *testing.T) {
	for action, c := range map[string]struct {
		status string
		cost   int64
	}{"silent": {"ACCC", 5}, "silent-refuse": {"RJCT", 0}, "lost": {"ACTC", 5}} {
		b := start(t)
		b.rule(`{"action":"` + action + `","times":1}`)
		b.put("1.xml", pain001("M1", "E1", 5))
		b.later(30 * time.Minute)
		for _, r := range list[map[string]any](b, "/reports?kind=pain.002") {
			t.Errorf("%s: %v", action, r["name"])
		}
		b.fresh()
		b.put("1.xml", pain001("M1", "E1", 5))
		b.want(b.message(), "TxSts", c.status)
		b.later(time.Minute)
		if got := b.host.Balance(ours); got != 1_000_000-c.cost {
			t.Errorf("%s: %d won", action, got)
		}
	}
}

func TestPart(t *testing.T) {
	b := start(t)
	b.rule(`{"action":"refuse-at-once","code":"AC04","match":{"end_to_end":"E2"}}`)
	b.rule(`{"action":"slow","match":{"end_to_end":"E3"}}`)
	b.rule(`{"action":"group-level"}`) // cannot be, while they differ
	b.put("1.xml", pain001("M1", "E1", 5, "E2", 6, "E3", 7))
	b.want(b.message(), "GrpSts", "PART", "TxSts", "ACTC RJCT ACTC", "Rsn/Cd", "AC04", "OrgnlEndToEndId", "E1 E2 E3")
	b.later(2 * time.Second)
	b.want(b.messages()[1], "GrpSts", "PART", "TxSts", "ACCC RJCT ACTC")
	b.later(time.Hour)
	b.want(b.messages()[1], "GrpSts", "PART", "TxSts", "ACCC RJCT ACCC")
	if won := b.host.Balance(ours); won != 999_988 {
		t.Errorf("%d won", won)
	}
}

func TestInsufficientFunds(t *testing.T) {
	b := start(t)
	b.put("1.xml", pain001("M1", "E1", 600_000, "E2", 600_000, "E3", 400_000))
	b.later(2 * time.Second)
	all := b.messages()
	b.want(all[len(all)-1], "GrpSts", "PART", "TxSts", "ACCC RJCT ACCC", "Rsn/Cd", "AM04")
	if won := b.host.Balance(ours); won != 0 {
		t.Errorf("%d won", won)
	}
}

// TestReturnOfWhatIsPending is the debit that the bank shows as pending while its return is booked: each moves the balance once.
func TestReturnOfWhatIsPending(t *testing.T) {
	b := start(t)
	b.rule(`{"action":"pending","match":{"kind":"payment"}}`)
	b.put("1.xml", pain001("M1", "E1", 5))
	b.later(2 * time.Second)
	_, err := b.host.Return("E1", "")
	b.must(err)
	for range 3 {
		b.later(time.Hour)
	}
	if won := b.host.Balance(ours); won != 1_000_000 {
		t.Errorf("%d won", won)
	}
}

func TestReturn(t *testing.T) {
	b := start(t)
	b.put("1.xml", pain001("M1", "E1", 5))
	if code, _ := b.control("POST", "/actions/return", `{"end_to_end":"E1"}`); code != 409 {
		t.Errorf("it is not paid yet: %d", code)
	}
	b.later(2 * time.Second)
	b.fresh()
	b.do("/actions/return", `{"end_to_end":"E1","reason":"AC06"}`)
	b.host.Tick()
	b.want(b.message(), "Ntry/CdtDbtInd", "CRDT", "RvslInd", "false", "RtrInf/Rsn/Cd", "AC06", "Refs/EndToEndId", "E1", "Refs/InstrId", "I-E1",
		"Ntry/Amt", "5", "SubFmlyCd", "RRTN", "Cdtr/Pty/Nm", "홍길동", "TtlCdtNtries/Sum", "5")
	if code, _ := b.control("POST", "/actions/return", `{"end_to_end":"E1"}`); code != 409 || b.host.Balance(ours) != 1_000_000 {
		t.Errorf("once more: %d, %d won", code, b.host.Balance(ours))
	}
}

// TestJudgement is an order with one thing wrong, and what the bank says of it.
func TestJudgement(t *testing.T) {
	for _, c := range []struct{ old, new, want string }{
		{"", "", "ACTC "},
		{`<Amt><InstdAmt Ccy="KRW">5<`, `<Amt><InstdAmt Ccy="KRW">5.00<`, "ACTC "},
		{`<CtrlSum>5</CtrlSum>`, `<CtrlSum>5.0</CtrlSum>`, "ACTC "},
		{`<CtrlSum>5</CtrlSum>`, ``, "ACTC "},
		{`<CtrlSum>5</CtrlSum>`, `<CtrlSum>6</CtrlSum>`, "RJCT AM10"},
		{`<CtrlSum>5</CtrlSum>`, `<CtrlSum>5e0</CtrlSum>`, "RJCT AM10"},
		{`<NbOfTxs>1</NbOfTxs>`, `<NbOfTxs>2</NbOfTxs>`, "RJCT FF01"},
		{`<NbOfTxs>1</NbOfTxs>`, ``, "RJCT FF01"},
		{`<PmtMtd>TRF</PmtMtd>`, `<PmtMtd>CHK</PmtMtd>`, "RJCT FF01"},
		{`2026-11-22T12:15:00+09:00`, `today`, "RJCT FF01"},
		{`<PmtInfId>M1-A</PmtInfId>`, ``, "RJCT FF01"},
		{`1234567890`, `1234567891`, "RJCT BE05"},
		{ours, theirs[:13] + "9", "RJCT AC02"},
		{ours, virtual, "RJCT AC02"},
		{`<MmbId>004<`, `<MmbId>088<`, "RJCT RC03"},
		{`<MmbId>090<`, `<MmbId>90<`, "RJCT RC04"},
		{payee, "3333-01", "RJCT AC03"},
		{`<Dt>2026-11-22</Dt>`, `<Dt>2026-11-21</Dt>`, "RJCT DT01"},
		{`<Dt>2026-11-22</Dt>`, `<Dt>22.11.2026</Dt>`, "RJCT DT01"},
		{`<Dt>2026-11-22</Dt>`, `<DtTm>2026-11-22T00:00:00+09:00</DtTm>`, "ACTC "},
		{`Ccy="KRW"`, `Ccy="USD"`, "RJCT AM03"},
		{`<EndToEndId>E1<`, `<EndToEndId><`, "RJCT FF01"},
		{`<EndToEndId>E1<`, `<EndToEndId>` + strings.Repeat("E", 36) + `<`, "RJCT FF01"},
		{`<MsgId>M1<`, `<MsgId>` + strings.Repeat("M", 36) + `<`, "RJCT FF01"},
	} {
		text := pain001("M1", "E1", 5)
		if !strings.Contains(text, c.old) {
			t.Fatalf("%s is not in the order", c.old)
		}
		b := start(t)
		b.put("1.xml", strings.ReplaceAll(text, c.old, c.new))
		got := b.message()
		if is := got.one("GrpSts") + " " + got.one("Rsn/Cd"); is != c.want {
			t.Errorf("%s -> %s: %s, want %s", c.old, c.new, is, c.want)
		}
	}
	for amount, want := range map[string]string{
		"0": "AM01", "5.5": "AM12", "-5": "AM12", "five": "AM12", "10000000000000": "AM12", "5e3": "AM12",
	} {
		b := start(t)
		text := strings.ReplaceAll(pain001("M1", "E1", 5), `<InstdAmt Ccy="KRW">5<`, `<InstdAmt Ccy="KRW">`+amount+`<`)
		b.put("1.xml", strings.ReplaceAll(text, `<CtrlSum>5</CtrlSum>`, ``))
		b.want(b.message(), "Rsn/Cd", want)
	}
	b := start(t)
	b.put("1.xml", pain001("M1", "E1", 5, "E1", 5))
	b.want(b.message(), "GrpSts", "RJCT", "Rsn/Cd", "AM05")
}

func TestWhatIsNoOrder(t *testing.T) {
	for _, text := range []string{
		"", "<a>", "hello", strings.Replace(pain001("M1", "E1", 5), "pain.001.001.10", "pain.001.001.03", 1),
		strings.Replace(pain001("M1", "E1", 5), "<MsgId>M1</MsgId>", "", 1), pain001("M1", "E1", 5)[:600],
	} {
		b := start(t)
		b.put("bad.xml", text)
		b.want(b.message(), "OrgnlMsgId", "NOTPROVIDED", "GrpSts", "RJCT", "Rsn/Cd", "FF01")
		if _, err := os.Stat(filepath.Join(b.cfg.In, "failed", "bad.xml")); err != nil {
			t.Error(err)
		}
	}
	b := start(t)
	b.must(os.WriteFile(filepath.Join(b.cfg.In, "x.xml.tmp"), []byte(pain001("M1", "E1", 5)), 0o600))
	b.host.Tick()
	if got := b.messages(); got != nil || len(b.host.Payments()) != 0 {
		t.Error("a file that is not complete was taken")
	}
}

func TestAnotherDay(t *testing.T) {
	b := start(t)
	b.put("1.xml", strings.ReplaceAll(pain001("M1", "E1", 5), "<Dt>2026-11-22<", "<Dt>2026-11-23<"))
	b.later(11 * time.Hour)
	b.want(b.message(), "TxSts", "ACTC")
	b.later(time.Hour)
	b.want(b.messages()[1], "TxSts", "ACCC")
}

func (b *bench) send(text string, change ...func(*http.Request)) int {
	b.Helper()
	r, err := http.NewRequestWithContext(b.Context(), http.MethodPost, b.host.URL()+"/payments", strings.NewReader(text))
	b.must(err)
	stamp := strconv.FormatInt(b.clock.Now().Unix(), 10)
	r.Header.Set("X-Feed-Key", b.cfg.Key)
	r.Header.Set("X-Feed-Timestamp", stamp)
	r.Header.Set("X-Feed-Signature", "v1=00, "+Sign(b.cfg.Secret, stamp, []byte(text)))
	for _, c := range change {
		c(r)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	got, err := client.Do(r)
	if err != nil {
		return 0
	}
	b.must(got.Body.Close())
	return got.StatusCode
}

func TestOrderByHTTP(t *testing.T) {
	b := start(t)
	b.rule(`{"action":"500-before","times":1}`)
	b.rule(`{"action":"close-after","match":{"nth":2},"times":1}`)
	text := pain001("M1", "E1", 5)
	for i, want := range []struct{ status, payments int }{{500, 0}, {0, 1}, {202, 1}} {
		if got := b.send(text); got != want.status || len(b.host.Payments()) != want.payments {
			t.Errorf("%d: %d, %d payments", i, got, len(b.host.Payments()))
		}
	}
	b.host.Tick()
	if got := b.messages(); len(got) != 2 {
		t.Errorf("%d answers", len(got))
	}
	if got := b.send("<a>"); got != 400 {
		t.Error(got)
	}
	for name, change := range map[string]func(*http.Request){
		"key":       func(r *http.Request) { r.Header.Set("X-Feed-Key", "other") },
		"signature": func(r *http.Request) { r.Header.Set("X-Feed-Signature", "v1=00") },
		"time": func(r *http.Request) {
			stamp := strconv.FormatInt(b.clock.Now().Unix()-301, 10)
			r.Header.Set("X-Feed-Timestamp", stamp)
			r.Header.Set("X-Feed-Signature", Sign(b.cfg.Secret, stamp, []byte(pain001("M2", "E2", 5))))
		},
		"no time": func(r *http.Request) { r.Header.Del("X-Feed-Timestamp") },
	} {
		if got := b.send(pain001("M2", "E2", 5), change); got != 401 {
			t.Errorf("%s: %d", name, got)
		}
	}
	if n := len(b.host.Payments()); n != 1 {
		t.Errorf("%d payments", n)
	}
	if got := b.send(string(bytes.Repeat([]byte(" "), mostBytes+1))); got != 413 && got != 0 {
		t.Error(got)
	}
}

func TestRudeAnswers(t *testing.T) {
	b := start(t, func(c *Config) { c.Polite = false })
	ways := map[string]bool{}
	for i := range 20 {
		b.put("1.xml", pain001(fmt.Sprintf("M%d", i), fmt.Sprintf("E%d", i), 5))
	}
	b.later(2 * time.Second)
	b.later(2 * time.Second)
	for _, p := range b.host.Payments() {
		ways[strings.Join(p.History, " ")] = true
	}
	for _, want := range []string{"ACTC ACCC", "ACCP ACCC", "ACTC ACSC ACCC", "ACCP ACSC ACCC"} {
		if !ways[want] {
			t.Errorf("%s never happens: %v", want, ways)
		}
	}
	if won := b.host.Balance(ours); len(ways) != 4 || won != 999_900 {
		t.Errorf("%v, %d won", ways, won)
	}
}
