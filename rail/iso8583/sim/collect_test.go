package sim

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// collecting is a host with a folder for captures.
func collecting(t *testing.T) *bench {
	dir := t.TempDir()
	return files(t, func(c *Config) { c.Dir, c.Collect = dir, t.TempDir() })
}

const captureNames = "N,rec_no,op,payment_ref,rrn,stan,transmission_dt,auth_code,network_txn_id,amount,currency,installment," +
	"original_rrn,original_date,txn_ts"

// captureText is a capture file written by hand. A line is what follows its number.
func captureText(seq, sum int, lines ...string) string {
	text := fmt.Sprintf("H,1,ACQ0001,PIMERCHANT00001,2026-11-22,%03d,KRW,2026-11-22T23:00:00+09:00\r\n%s\r\n", seq, captureNames)
	for i, line := range lines {
		text += fmt.Sprintf("D,%d,%s\r\n", i+1, line)
	}
	return text + fmt.Sprintf("T,%d,%d,%x\r\n", len(lines), sum, sha256.Sum256([]byte(text)))
}

func captureLine(ref string, hold, answer elements, amount int) string {
	return fmt.Sprintf("CAP,%s,%s,%s,1122040000,%s,,%d,KRW,00,,,2026-11-22T12:15:00+09:00", ref, hold[37], stan(), answer[38], amount)
}

func refundLine(ref string, hold elements, amount int) string {
	n := stan()
	return fmt.Sprintf("REF,%s,632613%s,%s,1122040100,,,%d,KRW,00,%s,2026-11-22,2026-11-22T13:15:00+09:00", ref, n, n, amount, hold[37])
}

func pending(seq int) string {
	return fmt.Sprintf("PICAP_ACQ0001_PIMERCHANT00001_20261122_%03d.csv", seq)
}

func answered(seq int) string { return strings.Replace(pending(seq), "PICAP", "PICAPR", 1) }

func (b *bench) leave(name, text string) {
	b.Helper()
	if err := os.WriteFile(filepath.Join(b.cfg.Collect, name), []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
}

// where says in which folder a capture file is; "" is where it was left.
func (b *bench) where(name string) string {
	b.Helper()
	for _, dir := range []string{"", "done", "refused"} {
		if _, err := os.Stat(filepath.Join(b.cfg.Collect, dir, name)); err == nil {
			return dir
		}
	}
	return "nowhere"
}

func (b *bench) collect() (found []collected) {
	b.Helper()
	if code := b.control("POST", "/actions/collect", "", &found); code != 200 {
		b.Fatalf("collect: %d", code)
	}
	return found
}

func TestCapturesByFile(t *testing.T) {
	b := collecting(t)
	p := b.join()
	held := func(pan string) (elements, elements) {
		m := auth(pan)
		return m, p.ask(m)
	}
	whole, wholeAnswer := held(numbered(0))
	part, partAnswer := held("4242424242424242")
	gone, goneAnswer := held(numbered(0))
	p.ask(reversal(gone))
	open1, open1Answer := held(numbered(0))
	lost, lostAnswer := held(numbered(931))
	text := captureText(
		1, 10000+4000+10000+10001+1+1000+3001+5+7+10000+7,
		captureLine("pay-1", whole, wholeAnswer, 10000),
		captureLine("pay-2", part, elements{38: p.tags(partAnswer)["AN"]}, 4000), // all eight digits
		captureLine("pay-3", gone, goneAnswer, 10000),
		captureLine("pay-4", open1, open1Answer, 10001),
		captureLine("pay-5", open1, elements{38: "ZZZZZZ"}, 1),
		refundLine("rfd-1", part, 1000),
		refundLine("rfd-2", part, 3001),
		strings.Replace(captureLine("pay-6", open1, open1Answer, 5), "CAP", "VOID", 1),
		strings.Replace(captureLine("pay-7", open1, open1Answer, 7), "KRW", "USD", 1),
		captureLine("pay-8", lost, lostAnswer, 10000),
		refundLine("rfd-3", lost, 7),
	)
	b.leave(pending(1), text)
	got := b.collect()
	if want := []collected{{Name: pending(1), Booked: 4, Refused: 7, Answer: answered(1)}}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("collected %+v", got)
	}
	if got := b.where(pending(1)); got != "done" {
		t.Errorf("it went to %q", got)
	}
	s, codes := b.sheet(answered(1)), ""
	for i, row := range s.rows {
		codes += row["result"] + " "
		accepted := row["result"] == "00"
		if (len(row["arn"]) == 23) != accepted || (row["settlement_date"] == "2026-11-22") != accepted || (row["text"] == "") != accepted {
			t.Errorf("line %d: %v", i+1, row)
		}
	}
	if codes != "00 00 25 13 25 00 13 12 77 00 41 " || fmt.Sprint(s.head[:7]) != "[H 1 ACQ0001 PIMERCHANT00001 2026-11-22 001 KRW]" {
		t.Errorf("results %s, header %v", codes, s.head)
	}
	want(t, s.rows[5], map[string]string{"payment_ref": "rfd-1", "rrn": strings.Split(text, "rfd-1,")[1][:12]})
	if h := b.holds(part[37])[0]; h.State != captured || h.Captured != 4000 || h.Refunded != 1000 {
		t.Errorf("%+v", h)
	}
	wantCode(t, p.ask(capture(whole, wholeAnswer)), "0230", "94") // one ledger, two ways into it
	wantCode(t, p.ask(refund(whole, 10000)), "0210", "00")

	if got := b.host.book.totals("1122", "410", 0); got[76] != "0000000003" || got[74] != "0000000002" {
		t.Errorf("totals %v", got)
	}
	settled := b.sheet(b.settle("")[0])
	if settled.types() != "CAP CAP RSV CAP REF REF" || settled.rows[1]["gross_amount"] != "4000" {
		t.Errorf("%v", settled.rows)
	}
	want(t, settled.rows[0], map[string]string{
		"arn": s.rows[0]["arn"], "transmission_dt": "1122040000", "merchant_ref": "pay-1", "auth_code": wholeAnswer[38],
	})
	want(t, settled.rows[4], map[string]string{"transmission_dt": "1122040100", "merchant_ref": "rfd-1", "orig_event_id": "P0000002"})

	answer, err := os.ReadFile(filepath.Join(b.cfg.Deliver, answered(1)))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(b.cfg.Deliver, answered(1))); err != nil {
		t.Fatal(err)
	}
	if err := b.host.Close(); err != nil {
		t.Fatal(err)
	}
	b.open()
	b.leave(pending(1), text) // the same again: nothing is booked, the same is answered
	b.collect()
	if again, err := os.ReadFile(filepath.Join(b.cfg.Deliver, answered(1))); err != nil || string(again) != string(answer) {
		t.Errorf("the answer is now\n%s, %v", again, err)
	}
	b.leave(pending(1), captureText(1, 9, captureLine("pay-9", open1, open1Answer, 9))) // the same name for something else
	if got := b.collect(); got[0].Problem == "" || b.where(pending(1)) == "" || b.held(open1[37]) != open {
		t.Errorf("%+v, %s", got, b.held(open1[37]))
	}
	b.leave(pending(3), captureText(3, 9, captureLine("pay-9", open1, open1Answer, 9)))
	if got := b.collect(); got[0].Problem == "" || b.where(pending(3)) != "" {
		t.Errorf("there is a hole before it: %+v", got)
	}
	b.leave(pending(2), captureText(2, 4000, captureLine("pay-2", part, partAnswer, 4000))) // another file for what is booked
	b.do("cutover", "")                                                                     // takes what lies there
	if b.where(pending(2))+b.where(pending(3)) != "donedone" || b.sheet(answered(2)).rows[0]["result"] != "94" {
		t.Errorf("%s, %s, %v", b.where(pending(2)), b.where(pending(3)), b.sheet(answered(2)).rows)
	}
	if got := b.holds(open1[37])[0]; got.State != captured || got.Captured != 9 {
		t.Errorf("%+v", got)
	}
}

// TestCapturesOfOthers: a merchant books its own holds only.
func TestCapturesOfOthers(t *testing.T) {
	b := collecting(t)
	p := b.join()
	m := auth(numbered(0))
	text := captureText(1, 10000, captureLine("pay-1", m, p.ask(m), 10000))
	text = strings.Replace(text[:strings.LastIndex(text, "T,")], "PIMERCHANT00001", "ANOTHER", 1)
	b.leave("PICAP_ACQ0001_ANOTHER_20261122_001.csv", text+fmt.Sprintf("T,1,10000,%x\r\n", sha256.Sum256([]byte(text))))
	if got := b.collect(); got[0].Refused != 1 || b.held(m[37]) != open {
		t.Errorf("%+v, %s", got, b.held(m[37]))
	}
}

func TestHoldsExpireForFilesToo(t *testing.T) {
	b := collecting(t)
	p := b.join()
	m := auth(numbered(912))
	answer := p.ask(m)
	b.clock.advance(10 * time.Minute)
	b.leave(pending(1), captureText(1, 10000, captureLine("pay-1", m, answer, 10000)))
	b.collect()
	if got := b.sheet(answered(1)).rows[0]["result"]; got != "25" {
		t.Errorf("result %s", got)
	}
}

// TestBrokenCaptureFiles are refused whole: nothing is booked, and nothing answered.
func TestBrokenCaptureFiles(t *testing.T) {
	b := collecting(t)
	p := b.join()
	m := auth(numbered(0))
	line := captureLine("pay-1", m, p.ask(m), 10000)
	good := captureText(1, 10000, line)
	resealed := func(old, by string) string {
		at := strings.LastIndex(good, "T,")
		text := strings.Replace(good[:at], old, by, 1)
		return text + fmt.Sprintf("T,1,10000,%x\r\n", sha256.Sum256([]byte(text)))
	}
	for name, c := range map[string]struct{ file, text string }{
		"cut":               {pending(1), good[:len(good)/2]},
		"no trailer":        {pending(1), good[:strings.LastIndex(good, "T,")]},
		"hash":              {pending(1), strings.Replace(good, "pay-1", "pay-2", 1)},
		"count":             {pending(1), strings.Replace(good, "T,1,", "T,2,", 1)},
		"sum":               {pending(1), captureText(1, 10001, line)},
		"line feeds":        {pending(1), strings.ReplaceAll(good, "\r\n", "\n")},
		"one line feed":     {pending(1), resealed("KRW,2026-11-22T23:00:00+09:00\r\n", "KRW,2026-11-22T23:00:00+09:00\n")},
		"byte order mark":   {pending(1), "\ufeff" + good},
		"not UTF-8":         {pending(1), resealed("pay-1", "pay-\xff")},
		"version":           {pending(1), resealed("H,1,", "H,2,")},
		"another acquirer":  {pending(1), resealed("ACQ0001", "ACQ0002")},
		"another merchant":  {pending(1), resealed("PIMERCHANT00001", "PIMERCHANT00002")},
		"another day":       {pending(1), resealed("2026-11-22,001", "2026-11-23,001")},
		"another number":    {pending(1), resealed("2026-11-22,001", "2026-11-22,002")},
		"a column less":     {pending(1), resealed(",op,", ",opp,")},
		"wrongly numbered":  {pending(1), resealed("D,1,", "D,2,")},
		"not numbered":      {pending(1), resealed("D,1,", "X,1,")},
		"a field too many":  {pending(1), resealed("D,1,CAP", "D,1,CAP,CAP")},
		"a name of its own": {"PICAP_ACQ0002_PIMERCHANT00001_20261122_001.csv", good},
		"a quote":           {pending(1), resealed("pay-1", `pay"1`)},
		"after the trailer": {pending(1), good + "D,2\r\n"},
	} {
		b.leave(c.file, c.text)
		if got := b.collect(); len(got) != 1 || got[0].Problem == "" || got[0].Booked+got[0].Refused > 0 || b.where(c.file) != "refused" {
			t.Errorf("%s: %+v, it went to %q", name, got, b.where(c.file))
		}
	}
	if entries, err := os.ReadDir(b.cfg.Deliver); err != nil || len(entries) != 0 {
		t.Errorf("answered: %v, %v", entries, err)
	}
	b.leave(pending(1), good)
	b.leave("PICAP_ACQ0001_PIMERCHANT00001_20261122_002.csv.tmp", good) // not there yet
	if got := b.collect(); len(got) != 1 || got[0].Booked != 1 {
		t.Errorf("the good one: %+v", got)
	}
}

// TestBrokenItems are refused one by one.
func TestBrokenItems(t *testing.T) {
	b := collecting(t)
	p := b.join()
	m := auth(numbered(0))
	line := captureLine("pay-1", m, p.ask(m), 10000)
	var lines []string
	for _, change := range []string{"1122040000,112204", "10000,-10000", m[37] + "," + strings.ToLower("ABCDEFGHIJKL"), "10000,1e4"} {
		old, by, _ := strings.Cut(change, ",")
		lines = append(lines, strings.Replace(line, old, by, 1))
	}
	lines = append(lines, line)
	b.leave(pending(1), captureText(1, 20000, lines...))
	if got := b.collect(); got[0].Booked != 1 || got[0].Refused != 4 {
		t.Fatalf("%+v", got)
	}
	for i, row := range b.sheet(answered(1)).rows {
		if want := map[bool]string{true: "00", false: "30"}[i == 4]; row["result"] != want {
			t.Errorf("line %d: %s", i+1, row["result"])
		}
	}
}
