package sim

import (
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// sampleFees are those of the sample, which knows no tax.
var sampleFees = Fees{InterchangeBP: 60, SchemeBP: 10, AcquirerBP: 30, Chargeback: 1000}

func TestSampleToTheByte(t *testing.T) {
	at := func(clock string) time.Time {
		when, err := time.Parse(time.RFC3339, clock+"+09:00")
		if err != nil {
			t.Fatal(err)
		}
		return when
	}
	on := event{Network: "NTI0001", Brand: "VISA", Card: "999999******0006", Currency: "KRW", Instalment: "00"}
	capture, refund, dispute := on, on, on
	capture.Type, capture.ID, capture.RRN, capture.STAN, capture.Sent = "CAP", "E0000001", "632612000123", "000125", "1122040000"
	capture.Approval, capture.ARN, capture.At = "A1B2C3", "79999996326000000001233", at("2026-11-22T12:15:00")
	capture.Instalment, capture.Reference, capture.Result = "03", "pay-0000731", "00"
	refund.Type, refund.ID, refund.Of, refund.RRN, refund.STAN = "REF", "E0000002", "E0000001", "632613000126", "000126"
	refund.Sent, refund.ARN, refund.At = "1122040100", "79999996327000000000770", at("2026-11-22T13:01:00")
	refund.Reference, refund.Result = "rfd-0000088", "00"
	dispute.Type, dispute.ID, dispute.Of, dispute.RRN, dispute.ARN = "CHB", "E0000003", "E0000001", capture.RRN, capture.ARN
	dispute.At, dispute.Reference, dispute.Stage, dispute.Reason = at("2026-11-22T23:00:00"), "pay-0000731", "FIRST", "10.4"
	dispute.ReplyBy, dispute.Text = "2026-12-10", "card-absent fraud"
	fee := event{
		Type: "FEE", ID: "E0000004", At: at("2026-11-22T23:59:59"), Currency: "KRW", Instalment: "00", Reason: "AUTHFEE",
		Text: "authorisation fees",
	}
	capture.price(sampleFees, 10000)
	refund.price(sampleFees, 4000)
	dispute.price(sampleFees, 3000)
	fee.price(sampleFees, 15)
	r := &report{Merchant: "PIMERCHANT00001", Day: "20261122", Seq: 1, Currency: "KRW", Created: at("2026-11-23T02:00:00")}
	published := slices.DeleteFunc(slices.Clone(columns), func(name string) bool { return name == "case_id" })
	got := settlement("ACQ0001", r, published, []*event{&capture, &refund, &dispute, &fee})
	sample, err := os.ReadFile("testdata/settlement.csv") // of rails §4.3, with its published hash; git keeps no CRLF
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.ReplaceAll(string(sample), "\n", "\r\n"); got != want {
		t.Errorf("the file is\n%s, want\n%s", got, want)
	}
}

// files is a host that delivers into a folder.
func files(t *testing.T, change ...func(*Config)) *bench {
	return start(t, append([]func(*Config){func(c *Config) { c.Deliver, c.Fees = t.TempDir(), &sampleFees }}, change...)...)
}

// sheetOf is a file of the host as somebody else reads it, who checks what rails §4.3 has readers check.
type sheetOf struct {
	head, tail []string
	rows       []map[string]string
}

func (b *bench) sheet(name string) (s sheetOf) {
	b.Helper()
	raw, err := os.ReadFile(filepath.Join(b.cfg.Deliver, name))
	if err != nil {
		b.Fatal(err)
	}
	if s, err = readSheet(string(raw)); err != nil {
		b.Fatalf("%s: %v\n%s", name, err, raw)
	}
	kind, _, _ := strings.Cut(name, "_")
	day := strings.ReplaceAll(s.head[4], "-", "")
	if want := fmt.Sprintf("%s_%s_%s_%s_%s.csv", kind, s.head[2], s.head[3], day, s.head[5]); name != want {
		b.Errorf("the header of %s would be that of %s", name, want)
	}
	return s
}

func readSheet(text string) (s sheetOf, err error) {
	if strings.Count(text, "\r\n") != strings.Count(text, "\n") || !strings.HasSuffix(text, "\r\n") {
		return s, fmt.Errorf("lines do not end with CRLF")
	}
	at := strings.LastIndex(text[:len(text)-2], "\r\n") + 2
	r := csv.NewReader(strings.NewReader(text))
	r.FieldsPerRecord = -1
	rows, err := r.ReadAll()
	if err != nil || len(rows) < 3 {
		return s, fmt.Errorf("%d lines: %w", len(rows), err)
	}
	s.head, s.tail = rows[0], rows[len(rows)-1]
	hash, sums := sha256.Sum256([]byte(text[:at])), map[string]int64{}
	for i, row := range rows[2 : len(rows)-1] {
		named := map[string]string{}
		for n, name := range rows[1] {
			named[name] = row[n]
		}
		if named["N"] != "D" || named["rec_no"] != strconv.Itoa(i+1) {
			return s, fmt.Errorf("line %d is %v", i+1, row)
		}
		line := int64(0)
		for column, total := range map[string]string{
			"gross_amount": "gross", "interchange_fee": "fees", "scheme_fee": "fees", "acquirer_fee": "fees", "tax": "tax", "net_amount": "net",
		} {
			n, err := strconv.ParseInt(named[column], 10, 64)
			if sums[total] += n; err != nil && named[column] != "" {
				return s, err
			}
			if line += n; column == "net_amount" {
				line -= 2 * n
			}
		}
		if line != 0 {
			return s, fmt.Errorf("the net of line %d is not its sum", i+1)
		}
		s.rows = append(s.rows, named)
	}
	want := []string{"T", strconv.Itoa(len(s.rows))}
	if len(s.tail) == 7 {
		want = append(want, fmt.Sprint(sums["gross"]), fmt.Sprint(sums["fees"]), fmt.Sprint(sums["tax"]), fmt.Sprint(sums["net"]))
	}
	if want = append(want, hex.EncodeToString(hash[:])); !slices.Equal(s.tail, want) {
		return s, fmt.Errorf("the trailer is %v, want %v", s.tail, want)
	}
	return s, nil
}

// of is the lines of one type.
func (s sheetOf) of(kind string) (found []map[string]string) {
	for _, row := range s.rows {
		if row["rec_type"] == kind {
			found = append(found, row)
		}
	}
	return found
}

// types is what the file tells, line by line.
func (s sheetOf) types() string {
	var all []string
	for _, row := range s.rows {
		all = append(all, row["rec_type"])
	}
	return strings.Join(all, " ")
}

func (b *bench) settle(how string) (names []string) {
	b.Helper()
	return b.written("/actions/settle", how)
}

func (b *bench) written(path, how string) (names []string) {
	b.Helper()
	var made []report
	if code := b.control("POST", path, how, &made); code != 200 {
		b.Fatalf("%s %s: %d", path, how, code)
	}
	for _, r := range made {
		names = append(names, r.Name)
	}
	return names
}

// do gives a command that must be obeyed.
func (b *bench) do(action, body string) {
	b.Helper()
	if code := b.control("POST", "/actions/"+action, body, nil); code != 200 {
		b.Fatalf("%s %s: %d", action, body, code)
	}
}

// booked is a capture of 10000 won: the hold and its completion.
func (p *peer) booked(m elements) (hold, completion elements) {
	p.Helper()
	c := capture(m, p.ask(m))
	wantCode(p.T, p.ask(c), "0230", "00")
	return m, c
}

func want(t *testing.T, row map[string]string, fields map[string]string) {
	t.Helper()
	for name, text := range fields {
		if row[name] != text {
			t.Errorf("%s is %q, want %q", name, row[name], text)
		}
	}
}

// TestSettlement is the day of the sample, message by message.
func TestSettlement(t *testing.T) {
	b := files(t)
	b.rule(`{"action": "set", "elements": {"38": "A1B2C3"}, "tags": {"NT": "NTI0001"}, "match": {"mti": "0100"}}`)
	p := b.join()
	hold, completion := p.booked(with(auth(numbered(0)), elements{48: "IN0203MR11pay-0000731"}))
	r := with(refund(hold, 4000), elements{48: "OR12" + hold[37] + "OD0820261122MR11rfd-0000088"})
	wantCode(t, p.ask(r), "0210", "00")
	b.do("chargeback", `{"rrn":"`+hold[37]+`","amount":3000,"text":"card-absent fraud"}`)
	b.do("fee", `{"amount":15,"code":"AUTHFEE","text":"authorisation fees"}`)

	name := "PISTL_ACQ0001_PIMERCHANT00001_20261122_001.csv"
	if got := b.settle(""); fmt.Sprint(got) != "["+name+"]" {
		t.Fatalf("files %v", got)
	}
	s := b.sheet(name)
	if got := fmt.Sprint(s.tail[:6]); got != "[T 4 3000 -1091 0 1909]" || s.types() != "CAP REF CHB FEE" {
		t.Errorf("%s, trailer %v", s.types(), got)
	}
	want(t, s.rows[0], map[string]string{
		"event_id": "P0000001", "orig_event_id": "", "rrn": hold[37], "stan": completion[11], "transmission_dt": completion[7],
		"auth_code": "A1B2C3", "network_txn_id": "NTI0001", "brand": "BC", "card_masked": "999999******0006",
		"txn_ts":     "2026-11-22T12:15:00+09:00",
		"txn_amount": "10000", "txn_ccy": "KRW", "fx_rate": "1", "net_amount": "9900", "installment": "03", "merchant_ref": "pay-0000731",
		"result": "00", "arn": "79999996326000000000011",
	})
	want(t, s.rows[1], map[string]string{
		"event_id": "P0000002", "orig_event_id": "P0000001", "rrn": r[37], "stan": r[11], "transmission_dt": r[7], "auth_code": "",
		"network_txn_id": "NTI0001", "txn_amount": "4000", "interchange_fee": "24", "net_amount": "-3976", "merchant_ref": "rfd-0000088",
		"arn": "79999996326000000000029",
	})
	want(t, s.rows[2], map[string]string{
		"event_id": "E0000001", "orig_event_id": "P0000001", "rrn": hold[37], "stan": "", "auth_code": "", "arn": s.rows[0]["arn"],
		"txn_amount": "3000", "net_amount": "-4000", "merchant_ref": "pay-0000731", "dispute_stage": "FIRST", "reason_code": "10.4",
		"reply_by": "2026-12-12", "text": "card-absent fraud", "case_id": "C0000001",
	})
	want(t, s.rows[3], map[string]string{"event_id": "E0000002", "rrn": "", "txn_amount": "0", "scheme_fee": "-15", "reason_code": "AUTHFEE"})
	if again := b.settle(""); len(again) != 0 {
		t.Errorf("the same again: %v", again)
	}

	got := b.settle(`{"cutover":true}`) // nothing is due, and a day ends
	if got = append(got, b.settle("")...); fmt.Sprint(got) != "[PISTL_ACQ0001_PIMERCHANT00001_20261123_001.csv]" {
		t.Fatalf("files %v", got)
	}
	paid := b.sheet(got[0])
	if paid.types() != "PAY" {
		t.Fatalf("the next day: %s", paid.types())
	}
	want(t, paid.rows[0], map[string]string{
		"txn_amount": "1909", "net_amount": "0", "gross_amount": "0", "reason_code": "20261122", "result": "C",
	})
	if !regexp.MustCompile(`^BK20261122-[0-9]{6}$`).MatchString(paid.rows[0]["text"]) {
		t.Errorf("reference %q", paid.rows[0]["text"])
	}
	var list []report
	b.control("GET", "/files", "", &list)
	if len(list) != 2 || list[0].Net != 1909 || list[0].Records != 4 || !list[0].Paid || list[1].Seq != 1 || list[1].Day != "20261123" {
		t.Errorf("files %+v", list)
	}
	var records []event
	b.control("GET", "/records?type=CHB", "", &records)
	if len(records) != 1 || records[0].Net != -4000 || records[0].File != name {
		t.Errorf("records %+v", records)
	}
}

// TestEveryRecord is one of each kind that needs no file before it, and what it costs.
func TestEveryRecord(t *testing.T) {
	fees := Fees{InterchangeBP: 60, SchemeBP: 10, AcquirerBP: 35, TaxPercent: 10, Chargeback: 1000, Reservation: 7}
	b := files(t, func(c *Config) { c.Fees = &fees })
	p := b.join()
	m, _ := p.booked(with(auth(numbered(0)), elements{4: "000000010001"}))
	refunded := refund(m, 5000)
	p.ask(refunded)
	p.ask(with(auth(numbered(0)), elements{4: "000000000000", 25: "51"}))
	gone, late, taken := auth(numbered(0)), auth(numbered(912)), auth(numbered(0))
	for _, m := range []elements{gone, late, taken} {
		p.ask(m)
	}
	p.ask(reversal(gone))
	b.do("revoke", `{"rrn":"`+taken[37]+`"}`)
	b.clock.advance(10 * time.Minute)
	p.ask(auth(numbered(0))) // held, and nobody's business yet
	rejected, _ := p.booked(auth(numbered(0)))
	on := func(rrn, more string) string { return `{"rrn":"` + rrn + `"` + more + `}` }
	b.do("inquiry", on(m[37], `,"amount":500`))
	b.do("fraud", on(m[37], `,"code":"3"`))
	b.do("fraud", on(m[37], ""))
	b.do("chargeback", on(m[37], `,"case":"K-1"`))
	b.do("chargeback-reversed", on(m[37], ""))
	b.do("bounce-refund", on(refunded[37], `,"amount":2000`))
	b.do("reject-capture", on(rejected[37], ""))
	b.do("fee", `{"amount":15}`)
	b.do("adjust", `{"amount":-250,"text":"a mistake, and \"more\""}`)
	name := b.settle("")[0]
	s := b.sheet(name)
	if got := s.types(); got != "CAP REF RSV RSV RSV RSV INQ FRD FRD CHB CBR RRF REJ FEE ADJ" {
		t.Fatalf("%s", got)
	}
	text := ""
	for _, row := range s.rows {
		text += fmt.Sprintln(row["rec_type"], row["orig_event_id"], row["txn_amount"], row["gross_amount"], row["interchange_fee"],
			row["scheme_fee"], row["acquirer_fee"], row["tax"], row["net_amount"],
			row["dispute_stage"]+row["reason_code"]+row["result"], row["case_id"])
	}
	if want := `CAP  10001 10001 -60 -10 -35 -4 9892 00 
REF P0000001 5000 -5000 30 0 0 0 -4970 00 
RSV  0 0 0 -7 0 0 -7 00 
RSV  10000 0 0 -7 0 0 -7 00 
RSV  10000 0 0 -7 0 0 -7 00 
RSV  10000 0 0 -7 0 0 -7 00 
INQ P0000001 500 0 0 0 0 0 0 6305 
FRD P0000001 5001 0 0 0 0 0 0 3 
FRD P0000001 5001 0 0 0 0 0 0 6 
CHB P0000001 5001 -5001 0 0 -1000 -100 -6101 FIRST10.4 K-1
CBR E0000004 5001 5001 0 0 0 0 5001 FIRST10.4 K-1
RRF P0000002 2000 2000 -12 0 0 0 1988  
REJ  10000 0 0 0 0 0 0 25 
FEE  0 0 0 -15 0 0 -15  
ADJ  250 -250 0 0 0 0 -250  
`; text != want {
		t.Errorf("records\n%s, want\n%s", text, want)
	}
	want(t, s.of("ADJ")[0], map[string]string{"text": `a mistake, and "more"`})
	wantCode(t, p.ask(with(refund(m, 7001), nil)), "0210", "00") // the 2000 that came back can be refunded again
	wantCode(t, p.ask(refund(m, 1)), "0210", "13")
	wantCode(t, p.ask(reversal(refunded)), "0430", "12")
	wantCode(t, p.ask(refund(rejected, 1)), "0210", "25")
}

func TestLateARN(t *testing.T) {
	b := files(t)
	p := b.join()
	m, _ := p.booked(auth(numbered(0)))
	r := refund(m, 1000)
	p.ask(r)
	if code := b.control("POST", "/actions/arn", `{"rrn":"`+m[37]+`"}`, nil); code != 404 {
		t.Errorf("an ARN before its CAP: %d", code)
	}
	first := b.sheet(b.settle(`{"late_arn":true}`)[0])
	second := b.sheet(b.settle("")[0])
	if first.types() != "CAP REF" || first.rows[0]["arn"]+first.rows[1]["arn"] != "" || second.types() != "ARN ARN" {
		t.Fatalf("%v, then %v", first.rows, second.rows)
	}
	for i, rrn := range []string{m[37], r[37]} {
		want(t, second.rows[i], map[string]string{"rrn": rrn, "orig_event_id": first.rows[i]["event_id"], "net_amount": "0"})
		if arn := second.rows[i]["arn"]; len(arn) != 23 || !luhn(arn) {
			t.Errorf("ARN %q", arn)
		}
	}
	again, _ := p.booked(auth(numbered(0)))
	if over := b.settle(`{"late_arn":true,"cutover":true}`); len(over) != 1 || b.sheet(over[0]).rows[0]["arn"] != "" {
		t.Errorf("at a cut-over: %v", over)
	}
	next := b.sheet(b.settle("")[0])
	if next.types() != "ARN PAY" || next.rows[0]["rrn"] != again[37] || next.head[4] != "2026-11-23" {
		t.Errorf("on the next day: %v", next.rows)
	}
	b.do("arn", `{"rrn":"`+m[37]+`"}`)
	third := b.sheet(b.settle("")[0])
	if third.types() != "ARN" || third.rows[0]["arn"] != second.rows[0]["arn"] || third.head[5] != "002" {
		t.Errorf("%v", third.rows)
	}
}

// TestUndone is a booking that was reversed: before the file nothing is said of it, after the file it is taken back to the won.
func TestUndone(t *testing.T) {
	b := files(t)
	p := b.join()
	m, _ := p.booked(auth(numbered(0)))
	never, r, sold := refund(m, 100), refund(m, 4001), sale(numbered(0))
	for _, asked := range []elements{never, r, sold} {
		wantCode(t, p.ask(asked), "0210", "00")
	}
	wantCode(t, p.ask(reversal(never)), "0430", "00")
	told := b.sheet(b.settle(`{"cutover":true}`)[0])
	if told.types() != "CAP REF CAP" {
		t.Fatalf("%s", told.types())
	}
	wantCode(t, p.ask(reversal(r)), "0430", "00")
	got := p.ask(reversal(sold))
	wantCode(t, got, "0430", "00")
	if got[15] != "1123" {
		t.Errorf("undone on %s", got[15])
	}
	if early := b.settle(`{"day":"20261122"}`); len(early) != 0 {
		t.Errorf("the day before knows of it: %v", early)
	}
	s := b.sheet(b.settle("")[0])
	if s.types() != "ADJ ADJ PAY" {
		t.Fatalf("%s", s.types())
	}
	for i, of := range []int{1, 2} {
		want(t, s.rows[i], map[string]string{"orig_event_id": told.rows[of]["event_id"], "rrn": told.rows[of]["rrn"]})
		for _, column := range []string{"gross_amount", "interchange_fee", "scheme_fee", "acquirer_fee", "net_amount"} {
			if was, is := told.rows[of][column], s.rows[i][column]; was != "0" && is != "-"+was && "-"+is != was {
				t.Errorf("%s was %s, and is taken back with %s", column, was, is)
			}
		}
	}
	if again := b.settle(""); len(again) != 0 {
		t.Errorf("taken back twice: %v", again)
	}
	p.booked(auth(numbered(0)))
	b.do("fee", `{"amount":1}`)
	if early := b.settle(`{"day":"20261122"}`); len(early) != 0 {
		t.Errorf("the day before has %v", early)
	}
}

func TestManyParties(t *testing.T) {
	b := files(t)
	p := b.join()
	for _, m := range []elements{
		{42: "SHOP/2         ", 49: "840"}, {42: "SHOP/2         "}, {},
	} {
		p.booked(with(auth(numbered(0)), m))
	}
	got := strings.Join(b.settle(""), " ")
	if got != "PISTL_ACQ0001_PIMERCHANT00001_20261122_001.csv PISTL_ACQ0001_SHOP-2_20261122_001.csv PISTL_ACQ0001_SHOP-2_20261122_002.csv" {
		t.Fatalf("files %s", got)
	}
	raw, err := os.ReadFile(filepath.Join(b.cfg.Deliver, "PISTL_ACQ0001_SHOP-2_20261122_002.csv"))
	if err != nil || !strings.HasPrefix(string(raw), "H,1,ACQ0001,SHOP/2,2026-11-22,002,USD,2026-11-22T12:15:00+09:00\r\n") {
		t.Errorf("%v, %.100s", err, raw)
	}
}

// TestDayEnds has the host deliver of its own accord: on command, by the clock, and for the day that ended while it was down.
func TestDayEnds(t *testing.T) {
	dir := t.TempDir()
	b := files(t, func(c *Config) { c.Dir = dir })
	p := b.join()
	delivered := func() (names []string) {
		var list []report
		b.control("GET", "/files", "", &list)
		for _, r := range list {
			names = append(names, r.Day)
			b.sheet(r.Name)
		}
		return names
	}
	p.booked(auth(numbered(0)))
	b.do("cutover", "")
	if got := delivered(); fmt.Sprint(got) != "[20261122]" {
		t.Errorf("commanded: %v", got)
	}
	p.booked(auth(numbered(0)))
	b.clock.advance(48 * time.Hour)
	p.ask(p.manage("301"))
	if got := delivered(); fmt.Sprint(got) != "[20261122 20261123]" {
		t.Errorf("by the clock: %v", got)
	}
	p.booked(auth(numbered(0)))
	if err := b.host.Close(); err != nil {
		t.Fatal(err)
	}
	b.clock.advance(24 * time.Hour)
	b.open()
	if got := delivered(); fmt.Sprint(got) != "[20261122 20261123 20261124]" {
		t.Errorf("while it was down: %v", got)
	}
}

// TestFilesSurvive delivers what a host that died had written down and not delivered, and tells nothing twice.
func TestFilesSurvive(t *testing.T) {
	dir := t.TempDir()
	b := files(t, func(c *Config) { c.Dir = dir })
	p := b.join()
	m, _ := p.booked(auth(numbered(0)))
	b.do("chargeback", `{"rrn":"`+m[37]+`"}`)
	in := b.cfg.Deliver
	blocked := filepath.Join(in, "in-the-way")
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	b.host.cfg.Deliver = filepath.Join(blocked, "folder") // cannot be made
	name := b.settle(`{"late_arn":true}`)[0]
	var before []report
	b.control("GET", "/files", "", &before)
	if before[0].Delivered {
		t.Error("delivered into nowhere")
	}
	if err := b.host.Close(); err != nil {
		t.Fatal(err)
	}
	b.cfg.Deliver = in
	b.open()
	s := b.sheet(name)
	if s.types() != "CAP CHB" {
		t.Errorf("%s", s.types())
	}
	b.do("chargeback-reversed", `{"case":"C0000001"}`)
	next := b.sheet(b.settle("")[0])
	if next.types() != "ARN CBR" || next.rows[1]["orig_event_id"] != s.rows[1]["event_id"] || next.rows[1]["event_id"] != "E0000003" {
		t.Errorf("%v", next.rows)
	}
	if err := os.Remove(filepath.Join(in, name)); err != nil {
		t.Fatal(err)
	}
	if err := b.host.Close(); err != nil {
		t.Fatal(err)
	}
	b.open()
	if _, err := os.Stat(filepath.Join(in, name)); err == nil {
		t.Error("what was taken out of the folder came back")
	}
	var all []event
	if b.control("GET", "/records", "", &all); len(all) != 4 {
		t.Errorf("records %+v", all)
	}
	b.control("POST", "/reset", "", nil)
	for _, path := range []string{"/records", "/files", "/disputes"} {
		var left []any
		if b.control("GET", path, "", &left); len(left) != 0 {
			t.Errorf("%s after the reset: %v", path, left)
		}
	}
}

// TestFolderComesBack delivers with the next file what could not be delivered before.
func TestFolderComesBack(t *testing.T) {
	b := files(t)
	b.join().booked(auth(numbered(0)))
	in := b.cfg.Deliver
	b.host.cfg.Deliver = filepath.Join(in, "PISTL_ACQ0001_PIMERCHANT00001_20261122_001.csv", "folder")
	if err := os.WriteFile(filepath.Dir(b.host.cfg.Deliver), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	name := b.settle("")[0]
	b.host.cfg.Deliver = in
	if again := b.settle(""); len(again) != 0 || b.sheet(name).types() != "CAP" {
		t.Errorf("%v", again)
	}
}

// TestFileFaults is one rule of each kind; the good file follows.
func TestFileFaults(t *testing.T) {
	for action, why := range map[string]string{
		"file-cut": "", "file-bad-hash": "the trailer is", "file-bad-count": "the trailer is", "file-bad-sum": "the trailer is",
	} {
		t.Run(action, func(t *testing.T) {
			b := files(t)
			b.rule(`{"action":"` + action + `","times":1,"match":{"file":"PISTL"}}`)
			b.join().booked(auth(numbered(0)))
			name := b.settle("")[0]
			raw, err := os.ReadFile(filepath.Join(b.cfg.Deliver, name))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := readSheet(string(raw)); err == nil || !strings.Contains(err.Error(), why) {
				t.Errorf("the file is read with %v", err)
			}
			b.do("redeliver", "")
			if s := b.sheet(name); s.types() != "CAP" {
				t.Errorf("%s", s.types())
			}
		})
	}
	b := files(t)
	p := b.join()
	b.rule(`{"action":"file-bad-line","times":1}`)
	p.booked(auth(numbered(0)))
	p.booked(auth(numbered(0)))
	spoiled := b.sheet(b.settle("")[0])
	right := b.sheet(b.settle("")[0])
	if spoiled.types() != "ZZZ CAP" || spoiled.rows[0]["net_amount"] != "0" || right.types() != "CAP" {
		t.Errorf("%v, then %v", spoiled.rows, right.rows)
	}
	if id := right.rows[0]["event_id"]; id != "P0000001" || spoiled.rows[0]["event_id"] != id {
		t.Errorf("%v, then %v", spoiled.rows, right.rows)
	}
}

func TestFilesComeAgain(t *testing.T) {
	for action, same := range map[string]bool{"file-again": true, "file-duplicate": false} {
		t.Run(action, func(t *testing.T) {
			b := files(t)
			p := b.join()
			read := func(name string) string {
				raw, err := os.ReadFile(filepath.Join(b.cfg.Deliver, name))
				if err != nil {
					t.Fatal(err)
				}
				return string(raw)
			}
			p.booked(auth(numbered(0)))
			first := b.settle("")[0]
			good := read(first)
			b.rule(`{"action":"` + action + `","times":2}`)
			p.booked(auth(numbered(0)))
			second := b.settle("")[0]
			if s := b.sheet(first); (read(first) == good) != same || (s.rows[0]["event_id"] == "P0000001") != same {
				t.Errorf("the first comes again as %v", s.rows)
			}
			fine := read(second)
			b.do("redeliver", `{"name":"`+second+`"}`)
			if b.sheet(second); (read(second) == fine) != same {
				t.Errorf("redelivered: %s", read(second))
			}
			b.do("redeliver", `{"name":"`+second+`"}`)
			if read(second) != fine {
				t.Error("the rule is used up, and the file still not itself")
			}
		})
	}
}

// TestTotalsAndFiles: what files tell moves no total of the day, and a totals-off host disagrees once.
func TestTotalsAndFiles(t *testing.T) {
	b := files(t)
	p := b.join()
	m, _ := p.booked(auth(numbered(0)))
	r := refund(m, 4000)
	p.ask(r)
	claim := b.host.book.totals("1122", "410", 0)
	b.do("chargeback", `{"rrn":"`+m[37]+`","amount":1000}`)
	b.do("bounce-refund", `{"rrn":"`+r[37]+`"}`)
	b.do("fee", `{"amount":15}`)
	b.settle("")
	ask := func() elements {
		asked := with(claim, elements{0: "0500", 7: "1122150000", 11: stan(), 15: "1122", 50: "410", 99: "12345678901"})
		return p.ask(asked)
	}
	wantCode(t, ask(), "0510", "00")
	if claim[74] != "0000000001" || claim[76] != "0000000001" || claim[97] != "D0000000000006000" {
		t.Errorf("totals %v", claim)
	}
	b.rule(`{"action":"totals-off","times":1,"match":{"mti":"0500"}}`)
	got := ask()
	wantCode(t, got, "0510", "95")
	if got[66] != "2" || got[76] != "0000000002" || got[88] != "0000000000010001" || got[97] != "D0000000000006001" {
		t.Errorf("%v", got)
	}
	wantCode(t, ask(), "0510", "00")
}
