package bankfeed_test

import (
	"encoding/xml"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	"naru/core/bank"
	"naru/core/card"
	"naru/core/money"
	"naru/core/payout"
	"naru/rail/bankfeed"
)

// elements are the leaves of a document, in order: their path, attributes and text.
func elements(t *testing.T, text string) (list []string) {
	t.Helper()
	var path []string
	leaf, chars := "", ""
	for d := xml.NewDecoder(strings.NewReader(text)); ; {
		token, err := d.Token()
		if err == io.EOF {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			if path = append(path, token.Name.Local); len(path) == 1 {
				list = append(list, token.Name.Space)
			}
			leaf, chars = strings.Join(path, "/"), ""
			for _, a := range token.Attr {
				leaf += " " + a.Name.Local + "=" + a.Value
			}
		case xml.CharData:
			chars += string(token)
		case xml.EndElement:
			if leaf != "" {
				list = append(list, leaf+": "+chars)
			}
			path, leaf = path[:len(path)-1], ""
		}
	}
}

const ordered = "0198f0a1b2c3d4e5f60718293a4b5c6d01"

func order() payout.Order {
	return payout.Order{
		Key: "0198f0a1-b2c3-7d4e-8f60-718293a4b5c6", Reference: ordered, Amount: won(50003),
		Target: payout.Target{Bank: "090", Number: card.Conceal("3333011234567"), Name: card.Conceal("홍길동"), Text: "환불 ORDER-77"},
	}
}

// at is the time of the sheet's example.
var at = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)

func transfers() *bankfeed.Transfers {
	return &bankfeed.Transfers{
		Payer: bankfeed.Payer{Name: "Example Integrator", Customer: "1234567890", Bank: "004", Account: "12345604123456", Service: "URGP"},
		Banks: bank.Shipped, Now: func() time.Time { return at }, Wall: func() time.Time { return at },
	}
}

// What we write is the sheet's example, element by element (rails §4.4); the names of the order are ours.
func TestComposeExample(t *testing.T) {
	got, err := transfers().Compose(order())
	if err != nil {
		t.Fatal(err)
	}
	want := strings.NewReplacer(
		"PI-REFUND-20261122-01-A", ordered, "PI-REFUND-20261122-01", ordered, "RF-0001", ordered, "DEP-ORDER-77-RF1", ordered,
	).Replace(file(t, "pain.001-10.xml"))
	if a, b := elements(t, string(got)), elements(t, want); !reflect.DeepEqual(a, b) {
		t.Errorf("\n got %s\nwant %s", strings.Join(a, "\n     "), strings.Join(b, "\n     "))
	}
	again, _ := transfers().Compose(order())
	if string(again) != string(got) {
		t.Error("the same order is written in two ways")
	}
}

func value(t *testing.T, text []byte, end string) string {
	t.Helper()
	for _, e := range elements(t, string(text)) {
		if path, is, ok := strings.Cut(e, ": "); ok && strings.HasSuffix(path, end) {
			return is
		}
	}
	return "none"
}

func TestComposeTexts(t *testing.T) {
	for text, want := range map[string]string{
		"": "none", " \n\t ": "none", "환불 ORDER-77": "환불 ORDER-77", "가나다라마바사아자차카": "가나다라마바사아자차", "a\u0000b\u0007": "ab",
		"abcdefghijklmnopqrstuvwxyz": "abcdefghijklmnopqrst", "가나다라마바사아자차 끝": "가나다라마바사아자차", "<&>": "<&>", "a\n b": "a b",
		"aㄱ가나다라마바사아자": "aㄱ가나다라마바사아",
	} {
		o := order()
		o.Target.Text = text
		body, err := transfers().Compose(o)
		if got := value(t, body, "Ustrd"); err != nil || got != want {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}

// The day of execution is the Korean one.
func TestComposeDay(t *testing.T) {
	r := transfers()
	r.Now = func() time.Time { return time.Date(2026, 11, 22, 15, 0, 0, 0, time.UTC) }
	body, err := r.Compose(order())
	if got := value(t, body, "ReqdExctnDt/Dt"); err != nil || got != "2026-11-23" {
		t.Errorf("%s, %v", got, err)
	}
}

func TestCheck(t *testing.T) {
	if err := transfers().Check(order()); err != nil {
		t.Fatal(err)
	}
	for field, change := range map[string]func(*payout.Order){
		"amount: nothing":     func(o *payout.Order) { o.Amount = won(0) },
		"amount: negative":    func(o *payout.Order) { o.Amount = won(-1) },
		"amount: no won":      func(o *payout.Order) { o.Amount = money.New(100, money.Of("USD")) },
		"bank: none":          func(o *payout.Order) { o.Target.Bank = "" },
		"bank: unknown":       func(o *payout.Order) { o.Target.Bank = "999" },
		"bank: merged":        func(o *payout.Order) { o.Target.Bank = "005" },
		"bank: a card firm":   func(o *payout.Order) { o.Target.Bank = "361" },
		"account: none":       func(o *payout.Order) { o.Target.Number = card.Secret{} },
		"account: no digits":  func(o *payout.Order) { o.Target.Number = card.Conceal("3333-01-1234567") },
		"account: long":       func(o *payout.Order) { o.Target.Number = card.Conceal(strings.Repeat("3", 21)) },
		"name: none":          func(o *payout.Order) { o.Target.Name = card.Conceal(" ") },
		"name: long":          func(o *payout.Order) { o.Target.Name = card.Conceal(strings.Repeat("홍", 141)) },
		"name: a line break":  func(o *payout.Order) { o.Target.Name = card.Conceal("홍\n길동") },
		"name: no UTF-8":      func(o *payout.Order) { o.Target.Name = card.Conceal("\xc8") },
		"reference: none":     func(o *payout.Order) { o.Reference = "" },
		"reference: too long": func(o *payout.Order) { o.Reference = strings.Repeat("a", 36) },
	} {
		o := order()
		change(&o)
		name, _, _ := strings.Cut(field, ":")
		_, err := transfers().Compose(o)
		if err == nil || !strings.HasPrefix(err.Error(), name+":") || strings.Contains(err.Error(), "333") {
			t.Errorf("%s: %v", field, err)
		}
	}
}

func news(t *testing.T, text string) []payout.News {
	t.Helper()
	d, err := bankfeed.Read(feed, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if d.Bookings != nil {
		t.Fatal("bookings")
	}
	return d.News
}

func TestStatusExample(t *testing.T) {
	want := []payout.News{{ID: "KB-STS-1/DEP-ORDER-77-RF1", At: at.Add(4 * time.Second), Answer: payout.Answer{
		Verdict: payout.Rejected, Reference: "DEP-ORDER-77-RF1", Status: "RJCT", Reason: payout.NoAccount, Scope: bankfeed.ScopeISO, Code: "AC01",
	}}}
	if got := news(t, file(t, "pain.002-11.xml")); !reflect.DeepEqual(got, want) {
		t.Errorf("\n got %+v\nwant %+v", got, want)
	}
}

// report is a pain.002 of some version with these levels below its header.
func report(version, levels string) string {
	return `<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.002.001.` + version + `"><CstmrPmtStsRpt><GrpHdr><MsgId>S1</MsgId>` +
		`<CreDtTm>2026-11-22T18:00:04</CreDtTm></GrpHdr>` + levels + `</CstmrPmtStsRpt></Document>`
}

func group(inside string) string {
	return "<OrgnlGrpInfAndSts><OrgnlMsgId>M1</OrgnlMsgId>" + inside + "</OrgnlGrpInfAndSts>"
}

func part(inside string) string {
	return "<OrgnlPmtInfAndSts><OrgnlPmtInfId>P1</OrgnlPmtInfId>" + inside + "</OrgnlPmtInfAndSts>"
}

func transfer(name, inside string) string {
	return "<TxInfAndSts><OrgnlInstrId>I" + name + "</OrgnlInstrId><OrgnlEndToEndId>E" + name + "</OrgnlEndToEndId>" + inside +
		"</TxInfAndSts>"
}

func because(code string) string { return "<StsRsnInf><Rsn><Cd>" + code + "</Cd></Rsn></StsRsnInf>" }

func status(element, code, reason string) string {
	if reason != "" {
		reason = because(reason)
	}
	return "<" + element + ">" + code + "</" + element + ">" + reason
}

// A level that says nothing inherits from the one above (rails §4.4).
func TestLevels(t *testing.T) {
	rejected, partly := status("GrpSts", "RJCT", "BE01"), status("GrpSts", "PART", "BE01")
	for name, row := range map[string]struct {
		levels string
		want   []string // reference, status, code
	}{
		"group alone":             {group(rejected), []string{"M1 RJCT BE01"}},
		"payment alone":           {group("") + part(status("PmtInfSts", "ACSP", "")), []string{"P1 ACSP "}},
		"group over a payment":    {group(status("GrpSts", "ACTC", "")) + part(""), []string{"P1 ACTC "}},
		"group over a transfer":   {group(rejected) + part(transfer("1", "")), []string{"E1 RJCT BE01"}},
		"payment over a transfer": {group(partly) + part(status("PmtInfSts", "RJCT", "AC04")+transfer("1", "")), []string{"E1 RJCT AC04"}},
		"a transfer's own": {
			group(partly) + part(transfer("1", status("TxSts", "ACCC", ""))+transfer("2", status("TxSts", "RJCT", "AC06"))),
			[]string{"E1 ACCC ", "E2 RJCT AC06"},
		},
		"the reason above": {group(rejected) + part(transfer("1", status("TxSts", "RJCT", ""))), []string{"E1 RJCT BE01"}},
		"another status's": {group(partly) + part(transfer("1", status("TxSts", "RJCT", ""))), []string{"E1 RJCT "}},
		"by instruction": {
			group("") + part(strings.Replace(transfer("1", status("TxSts", "PDNG", "")), ">E1<", ">NOTPROVIDED<", 1)), []string{"I1 PDNG "},
		},
		"by payment": {group("") + part("<TxInfAndSts>"+status("TxSts", "PDNG", "")+"</TxInfAndSts>"), []string{"P1 PDNG "}},
		"two payments": {
			group(status("GrpSts", "ACCP", "")) + part(transfer("1", "")) + part(transfer("2", "")), []string{"E1 ACCP ", "E2 ACCP "},
		},
		"a proprietary reason": {
			group(strings.ReplaceAll(strings.Replace(rejected, "BE01", "X 홍", 1), "Cd>", "Prtry>")), []string{"M1 RJCT X??"},
		},
		"nothing but the header": {group(""), []string{"M1  "}},
	} {
		var got []string
		for _, n := range news(t, report("11", row.levels)) {
			got = append(got, n.Reference+" "+n.Status+" "+n.Code)
			if n.ID != "S1/"+n.Reference || !n.At.Equal(at.Add(4*time.Second)) {
				t.Errorf("%s: %+v", name, n)
			}
		}
		if !reflect.DeepEqual(got, row.want) {
			t.Errorf("%s: %q", name, got)
		}
	}
	for _, version := range []string{"03", "04", "05", "06", "07", "08", "09", "10", "11"} {
		if got := news(t, report(version, group("<GrpSts>ACSC</GrpSts>"))); got[0].Verdict != payout.Open {
			t.Errorf(".%s: %+v", version, got)
		}
	}
}

// Every row of the two tables of rails §4.4.
func TestAnswers(t *testing.T) {
	for code, want := range map[string]payout.Verdict{
		"ACTC": payout.Open, "ACCP": payout.Open, "ACSP": payout.Open, "ACSC": payout.Open, "ACCC": payout.Credited, "ACWC": payout.Open,
		"PDNG": payout.Open, "PART": payout.Unknown, "XXXX": payout.Unknown, "": payout.Unknown,
	} {
		got := news(t, report("11", group("<GrpSts>"+code+"</GrpSts>")))[0]
		quiet := want != payout.Unknown && code != "ACWC"
		if got.Verdict != want || got.Status != code || (got.Alert == "") != quiet || got.Code != "" || got.Scope != "" {
			t.Errorf("%s: %+v", code, got)
		}
	}
	for codes, want := range map[string]payout.Answer{
		"AC01 AC03 AC08":                {Verdict: payout.Rejected, Reason: payout.NoAccount},
		"AC04 AC07":                     {Verdict: payout.Rejected, Reason: payout.Closed},
		"AC06":                          {Verdict: payout.Rejected, Reason: payout.OnHold},
		"BE01":                          {Verdict: payout.Rejected, Reason: payout.OtherName},
		"RC01 RC04":                     {Verdict: payout.Rejected, Reason: payout.NoBank},
		"AG01 AG03 MD07":                {Verdict: payout.Rejected, Reason: payout.NotPermitted},
		"AM01 AM02 AM06 AM12 AM13 AM14": {Verdict: payout.Rejected, Reason: payout.BankLimit},
		"RR01 RR02 RR03 RR04":           {Verdict: payout.Rejected, Reason: payout.Compliance},
		"MS02 MS03":                     {Verdict: payout.Rejected, Reason: payout.Declined},
		"AM04":                          {Verdict: payout.Failed, Alert: "x"},
		"TM01":                          {Verdict: payout.Failed}, "DT01": {Verdict: payout.Failed},
		"AB05 AB06 AB07 AB08 AB09 AB10 AB11":           {Verdict: payout.Failed},
		"AC02 AC05 AC13 BE05 FF01 AM03 AM09 AM10 RC03": {Verdict: payout.Misfit, Alert: "x"},
		"AM05 ZZ99 NARR": {Verdict: payout.Unknown, Alert: "x"},
	} {
		for _, code := range strings.Fields(codes) {
			got := news(t, report("11", group("<GrpSts>RJCT</GrpSts>"+because(code))))[0]
			same := got.Verdict == want.Verdict && got.Reason == want.Reason && (got.Alert == "") == (want.Alert == "")
			if !same || got.Code != code || got.Scope != bankfeed.ScopeISO {
				t.Errorf("%s: %+v", code, got)
			}
		}
	}
	if got := news(t, report("11", group("<GrpSts>RJCT</GrpSts>")))[0]; got.Verdict != payout.Unknown || got.Alert == "" {
		t.Errorf("a refusal without a reason: %+v", got)
	}
}

// After the cut-off another attempt waits until banks work again.
func TestCutOff(t *testing.T) {
	for made, want := range map[string]string{
		"2026-11-19T18:00:00+09:00": "2026-11-20T09:00:00+09:00", // Thursday
		"2026-11-20T18:00:00+09:00": "2026-11-23T09:00:00+09:00", // Friday
		"2026-11-21T15:30:00Z":      "2026-11-23T09:00:00+09:00", // Sunday in Korea
	} {
		got := news(t, strings.Replace(report("11", group("<GrpSts>RJCT</GrpSts>"+because("TM01"))), "2026-11-22T18:00:04", made, 1))[0]
		until, err := time.Parse(time.RFC3339, want)
		if err != nil {
			t.Fatal(err)
		}
		if !got.At.Add(got.Wait).Equal(until) {
			t.Errorf("%s: %s", made, got.At.Add(got.Wait))
		}
	}
}

// What the bank repeats of an order goes to whoever knows the order.
func TestRepeated(t *testing.T) {
	amount := func(text string) string {
		return report("11", group("")+part(transfer("1", status("TxSts", "ACCC", "")+"<AcctSvcrRef>KB1</AcctSvcrRef>"+
			`<OrgnlTxRef><Amt><InstdAmt Ccy="KRW">`+text+`</InstdAmt></Amt></OrgnlTxRef>`)))
	}
	if got := news(t, amount("50003.00"))[0]; got.Amount != won(50003) || got.UTR != "KB1" || got.Verdict != payout.Credited {
		t.Errorf("%+v", got)
	}
	if got := news(t, amount("5.5"))[0]; got.Verdict != payout.Unknown || got.Alert == "" {
		t.Errorf("%+v", got)
	}
}

func TestRefusedReports(t *testing.T) {
	text := report("11", group("<GrpSts>ACTC</GrpSts>"))
	for name, broken := range map[string]string{
		"GrpHdr/MsgId":   strings.Replace(text, "<MsgId>S1</MsgId>", "", 1),
		"GrpHdr/CreDtTm": strings.Replace(text, "2026-", "26-", 1),
	} {
		if _, err := bankfeed.Read(feed, []byte(broken)); err == nil || !strings.HasPrefix(err.Error(), name+":") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
