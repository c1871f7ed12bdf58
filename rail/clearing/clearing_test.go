package clearing_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"naru/core/money"
	"naru/core/payment"
	. "naru/rail/clearing"
)

// The sample of rails §4.3; its hash is published in §4.5. Nothing of it was made by the code under test.
var sample = []string{
	"H,1,ACQ0001,PIMERCHANT00001,2026-11-22,001,KRW,2026-11-23T02:00:00+09:00",
	"N,rec_no,rec_type,event_id,orig_event_id,rrn,stan,transmission_dt,auth_code,arn,network_txn_id,brand,card_masked,txn_ts,txn_amount," +
		"txn_ccy,fx_rate,gross_amount,interchange_fee,scheme_fee,acquirer_fee,tax,net_amount,installment,merchant_ref,dispute_stage," +
		"reason_code,reply_by,result,text",
	"D,1,CAP,E0000001,,632612000123,000125,1122040000,A1B2C3,79999996326000000001233,NTI0001,VISA,999999******0006," +
		"2026-11-22T12:15:00+09:00,10000,KRW,1,10000,-60,-10,-30,0,9900,03,pay-0000731,,,,00,",
	"D,2,REF,E0000002,E0000001,632613000126,000126,1122040100,,79999996327000000000770,NTI0001,VISA,999999******0006," +
		"2026-11-22T13:01:00+09:00,4000,KRW,1,-4000,24,0,0,0,-3976,00,rfd-0000088,,,,00,",
	"D,3,CHB,E0000003,E0000001,632612000123,,,,79999996326000000001233,NTI0001,VISA,999999******0006," +
		"2026-11-22T23:00:00+09:00,3000,KRW,1,-3000,0,0,-1000,0,-4000,00,pay-0000731,FIRST,10.4,2026-12-10,,card-absent fraud",
	"D,4,FEE,E0000004,,,,,,,,,,2026-11-22T23:59:59+09:00,0,KRW,1,0,0,-15,0,0,-15,00,,,AUTHFEE,,,authorisation fees",
}

const (
	sampleName = "PISTL_ACQ0001_PIMERCHANT00001_20261122_001.csv"
	sampleHash = "24446e3c42d5c83e4a88b9092bded52d43c384091df3edd8f60d5f2e601225dd"
	sampleEnd  = "T,4,3000,-1091,0,1909," + sampleHash + "\r\n"
)

var (
	seoul    = time.FixedZone("KST", 9*3600)
	contract = Contract{"ACQ0001", "PIMERCHANT00001", seoul}
	krw      = money.Of("KRW")
)

func sampleText() string { return body(sample) + sampleEnd }

func body(lines []string) string { return strings.Join(lines, "\r\n") + "\r\n" }

// seal ends lines with a T line whose hash fits and whose other fields are given.
func seal(lines []string, end string) string {
	text := body(lines)
	return text + fmt.Sprintf("%s,%x\r\n", end, sha256.Sum256([]byte(text)))
}

// add up the amounts as an acquirer would; what is no number counts nothing.
func addUp(lines []string) string {
	names := strings.Split(lines[1], ",")
	sum := map[string]int{}
	for _, l := range lines[2:] {
		for i, cell := range strings.Split(l, ",") {
			if i < len(names) {
				n, _ := strconv.Atoi(cell)
				sum[names[i]] += n
			}
		}
	}
	return fmt.Sprintf("T,%d,%d,%d,%d,%d", len(lines)-2, sum["gross_amount"],
		sum["interchange_fee"]+sum["scheme_fee"]+sum["acquirer_fee"], sum["tax"], sum["net_amount"])
}

func resealed(lines []string) string { return seal(lines, addUp(lines)) }

// edit is the sample with some cells of one line changed: "column=value".
func edit(line int, changes ...string) []string {
	lines := append([]string{}, sample...)
	cells, names := strings.Split(lines[line-1], ","), strings.Split(sample[1], ",")
	for _, c := range changes {
		column, value, _ := strings.Cut(c, "=")
		found := false
		for i, n := range names {
			if n == column {
				cells[i], found = value, true
			}
		}
		if !found {
			panic("no such column: " + column)
		}
	}
	lines[line-1] = strings.Join(cells, ",")
	return lines
}

// with is the sample with one line replaced.
func with(line int, text string) []string {
	lines := append([]string{}, sample...)
	lines[line-1] = text
	return lines
}

func without(line int) []string {
	return append(append([]string{}, sample[:line-1]...), sample[line:]...)
}

func same(t *testing.T, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
}

func refusal(t *testing.T, err error) Refusal {
	t.Helper()
	var r *Refusal
	if !errors.As(err, &r) {
		t.Fatalf("got error %v, want a refusal", err)
	}
	return *r
}

func kst(day, hour, minute, second int) time.Time {
	return time.Date(2026, 11, day, hour, minute, second, 0, seoul)
}

// utc makes times comparable whatever zone they were written in.
// utc is a file with its times in UTC, and without what depends on where in a file a record stands.
func utc(f File) File {
	f.CreatedAt = f.CreatedAt.UTC()
	records := append([]Record(nil), f.Records...)
	for i := range records {
		records[i].At, records[i].ReplyBy = records[i].At.UTC(), records[i].ReplyBy.UTC()
		records[i].Line, records[i].Digest = 0, ""
	}
	f.Records = records
	return f
}

func sampleFile() File {
	return File{
		Head: Head{
			Name: sampleName, Kind: Settlement, BusinessDate: "2026-11-22", Seq: 1, Currency: krw, CreatedAt: kst(23, 2, 0, 0),
			SHA256: sampleHash,
		},
		Gross: 3000, Fees: -1091, Tax: 0, Net: 1909,
		Records: []Record{{
			RecNo: 1, Type: CAP, EventID: "E0000001", RRN: "632612000123", STAN: "000125", SentDE7: "1122040000", AuthCode: "A1B2C3",
			ARN: "79999996326000000001233", NetworkTxnID: "NTI0001", Brand: "VISA", At: kst(22, 12, 15, 0), Txn: 10000, TxnCurrency: krw,
			FXRate: "1", Gross: 10000, Interchange: -60, Scheme: -10, AcquirerFee: -30, Net: 9900, Installment: 3,
			MerchantRef: "pay-0000731", Result: "00",
		}, {
			RecNo: 2, Type: REF, EventID: "E0000002", OrigEventID: "E0000001", RRN: "632613000126", STAN: "000126", SentDE7: "1122040100",
			ARN: "79999996327000000000770", NetworkTxnID: "NTI0001", Brand: "VISA", At: kst(22, 13, 1, 0), Txn: 4000, TxnCurrency: krw,
			FXRate: "1", Gross: -4000, Interchange: 24, Net: -3976, MerchantRef: "rfd-0000088", Result: "00",
		}, {
			RecNo: 3, Type: CHB, EventID: "E0000003", OrigEventID: "E0000001", RRN: "632612000123", ARN: "79999996326000000001233",
			NetworkTxnID: "NTI0001", Brand: "VISA", At: kst(22, 23, 0, 0), Txn: 3000, TxnCurrency: krw, FXRate: "1", Gross: -3000,
			AcquirerFee: -1000, Net: -4000, MerchantRef: "pay-0000731", Stage: payment.First, Reason: "10.4",
			ReplyBy: time.Date(2026, 12, 10, 23, 59, 59, 999_000_000, seoul), Text: "card-absent fraud",
		}, {
			RecNo: 4, Type: FEE, EventID: "E0000004", At: kst(22, 23, 59, 59), TxnCurrency: krw, FXRate: "1", Scheme: -15, Net: -15,
			Reason: "AUTHFEE", Text: "authorisation fees",
		}},
	}
}

func TestSample(t *testing.T) {
	f, err := Parse(sampleName, []byte(sampleText()), contract)
	if err != nil {
		t.Fatal(err)
	}
	same(t, utc(f), utc(sampleFile()))
}

func TestWholeFileIsRefused(t *testing.T) {
	text := sampleText()
	swap := func(old, new string) string { return strings.Replace(text, old, new, 1) }
	h := func(old, new string) string {
		return resealed(with(1, strings.Replace(sample[0], old, new, 1)))
	}
	n := func(old, new string) string { return resealed(with(2, strings.Replace(sample[1], old, new, 1))) }
	for _, c := range []struct {
		what, name, text string
		want             Refusal
	}{
		{"byte order mark", "", "\xef\xbb\xbf" + text, Refusal{EncodingWrong, 1}},
		{"not UTF-8", "", swap("authorisation", "authorisati\xf6n"), Refusal{EncodingWrong, 6}},
		{"line feeds only", "", strings.ReplaceAll(text, "\r\n", "\n"), Refusal{EncodingWrong, 1}},
		{"one line feed only", "", swap(",00,\r\nD,2", ",00,\nD,2"), Refusal{EncodingWrong, 3}},
		{"a carriage return inside", "", resealed(edit(6, "text=a\rb")), Refusal{EncodingWrong, 6}},
		{"the last line ends in a line feed", "", strings.TrimSuffix(text, "\r\n") + "\n", Refusal{EncodingWrong, 7}},

		{"the last line has two carriage returns", "", strings.TrimSuffix(text, "\n") + "\r\n", Refusal{EncodingWrong, 7}},

		{"empty", "", "", Refusal{Truncated, 1}},
		{"no trailer", "", body(sample), Refusal{Truncated, 6}},
		{"trailer without its end of line", "", strings.TrimSuffix(text, "\r\n"), Refusal{Truncated, 7}},

		{"name: other ending", "PISTL_ACQ0001_PIMERCHANT00001_20261122_001.txt", text, Refusal{NameWrong, 0}},
		{"name: still being written", sampleName + ".tmp", text, Refusal{NameWrong, 0}},
		{"name: other kind", "PICAPR_ACQ0001_PIMERCHANT00001_20261122_001.csv", text, Refusal{NameWrong, 0}},
		{"name: a path", "in/" + sampleName, text, Refusal{NameWrong, 0}},
		{"name: no such day", "PISTL_ACQ0001_PIMERCHANT00001_20261131_001.csv", text, Refusal{NameWrong, 0}},
		{"name: long sequence", "PISTL_ACQ0001_PIMERCHANT00001_20261122_0001.csv", text, Refusal{NameWrong, 0}},
		{"name: sequence no number", "PISTL_ACQ0001_PIMERCHANT00001_20261122_+01.csv", text, Refusal{NameWrong, 0}},
		{"name: too short", "PISTL_20261122_001.csv", text, Refusal{NameWrong, 0}},
		{"name: other acquirer", "PISTL_ACQ0002_PIMERCHANT00001_20261122_001.csv", text, Refusal{ContractDiffers, 0}},
		{"name: other merchant", "PISTL_ACQ0001_PIMERCHANT00002_20261122_001.csv", text, Refusal{ContractDiffers, 0}},

		{"H: other acquirer", "", h("ACQ0001", "ACQ0002"), Refusal{ContractDiffers, 1}},
		{"H: other merchant", "", h("PIMERCHANT00001", "PIMERCHANT00002"), Refusal{ContractDiffers, 1}},
		{"H: version 2", "", h("H,1,", "H,2,"), Refusal{VersionUnknown, 1}},
		{"H: version 2 with another shape", "", resealed(with(1, "H,2,whatever")), Refusal{VersionUnknown, 1}},
		{"H: missing", "", resealed(without(1)), Refusal{HeaderWrong, 1}},
		{"H: one field more", "", h("H,1", "H,1,1"), Refusal{HeaderWrong, 1}},
		{"H: not the day of the name", "", h("11-22,", "11-21,"), Refusal{HeaderWrong, 1}},
		{"H: not the sequence of the name", "", h(",001,", ",002,"), Refusal{HeaderWrong, 1}},
		{"H: no such currency", "", h("KRW", "XXX"), Refusal{HeaderWrong, 1}},
		{"H: created when?", "", h("T02:00", " 02:00"), Refusal{HeaderWrong, 1}},
		{"H: a lost quote", "", h("KRW", `"KRW`), Refusal{HeaderWrong, 1}},

		{"T: a field less", "", seal(sample, "T,4,3000,-1091,1909"), Refusal{TrailerWrong, 7}},
		{"T: a field more", "", seal(sample, "T,4,3000,-1091,0,0,1909"), Refusal{TrailerWrong, 7}},
		{"T: no number", "", seal(sample, "T,4,3000,-1091,none,1909"), Refusal{TrailerWrong, 7}},
		{"T: something follows", "", text + sample[5] + "\r\n", Refusal{TrailerWrong, 7}},
		{"T: an empty line follows", "", text + "\r\n", Refusal{TrailerWrong, 7}},
		{"T: nothing precedes", "", sampleEnd, Refusal{TrailerWrong, 1}},

		{"hash: one digit of a name", "", swap("pay-0000731", "pay-0000732"), Refusal{HashDiffers, 7}},
		{"hash: an amount", "", swap("-4000,24", "-4001,25"), Refusal{HashDiffers, 7}},
		{"hash: itself", "", swap("24446e3c", "24446e3d"), Refusal{HashDiffers, 7}},
		{"hash: cut", "", swap(sampleHash, sampleHash[:63]), Refusal{HashDiffers, 7}},
		{
			"hash: two lines swapped", "", body([]string{sample[0], sample[1], sample[3], sample[2], sample[4], sample[5]}) + sampleEnd,
			Refusal{HashDiffers, 7},
		},

		{"N: missing", "", resealed(without(2)), Refusal{ColumnsWrong, 2}},
		{"N: nothing else in the file", "", seal(sample[:1], "T,0,0,0,0,0"), Refusal{ColumnsWrong, 2}},
		{"N: a name twice", "", n("card_masked", "arn"), Refusal{ColumnsWrong, 2}},
		{"a line that is no D", "", resealed(with(4, "X"+sample[3][1:])), Refusal{LineForeign, 4}},
		{
			"a second T inside", "", seal(append(append([]string{}, sample...), "T,4,3000,-1091,0,1909,00"), "T,4,3000,-1091,0,1909"),
			Refusal{LineForeign, 7},
		},
		{"an empty line inside", "", resealed(with(4, "")), Refusal{LineForeign, 4}},

		{"count: one less", "", seal(sample, "T,3,3000,-1091,0,1909"), Refusal{CountDiffers, 7}},
		{"count: a line lost before the sums were taken", "", seal(without(4), "T,4,7000,-1115,0,5885"), Refusal{CountDiffers, 6}},
		{"numbering: a hole", "", resealed(edit(6, "rec_no=5")), Refusal{NumberingBroken, 6}},
		{"numbering: a number twice", "", resealed(edit(6, "rec_no=3")), Refusal{NumberingBroken, 6}},
		{"numbering: from 0", "", resealed(edit(3, "rec_no=0")), Refusal{NumberingBroken, 3}},
		{"numbering: no number", "", resealed(edit(4, "rec_no=two")), Refusal{NumberingBroken, 4}},
		{"sums: gross", "", seal(sample, "T,4,3001,-1091,0,1909"), Refusal{SumsDiffer, 7}},
		{"sums: fees", "", seal(sample, "T,4,3000,-1090,0,1909"), Refusal{SumsDiffer, 7}},
		{"sums: tax", "", seal(sample, "T,4,3000,-1091,1,1909"), Refusal{SumsDiffer, 7}},
		{"sums: net", "", seal(sample, "T,4,3000,-1091,0,1908"), Refusal{SumsDiffer, 7}},
	} {
		t.Run(c.what, func(t *testing.T) {
			if c.name == "" {
				c.name = sampleName
			}
			f, err := Parse(c.name, []byte(c.text), contract)
			same(t, refusal(t, err), c.want)
			same(t, f, File{})
		})
	}
}

func TestRefusalSaysWhyAndWhere(t *testing.T) {
	same(t, (&Refusal{HashDiffers, 7}).Error(), "file refused: hash, line 7")
	same(t, (&Refusal{Reason: NameWrong}).Error(), "file refused: name")
}

func TestLargestAmount(t *testing.T) {
	for _, n := range []string{"1000000000000000", "-1000000000000000"} {
		lines := edit(6, "rec_type=ADJ", "gross_amount="+n, "scheme_fee=0", "net_amount="+n)
		if f, err := Parse(sampleName, []byte(resealed(lines)), contract); err != nil || f.Rejected != nil {
			t.Errorf("%s: %+v %v", n, f.Rejected, err)
		}
	}
}

// Every column that is read is needed; the masked card number is not read.
func TestEveryColumnIsNeeded(t *testing.T) {
	for _, name := range strings.Split(sample[1], ",")[1:] {
		text := resealedAs(with(2, strings.Replace(sample[1]+",", ","+name+",", ",other_"+name+",", 1)), "T,4,3000,-1091,0,1909")
		_, err := Parse(sampleName, []byte(text), contract)
		if name == "card_masked" {
			if err != nil {
				t.Errorf("without %s: %v", name, err)
			}
			continue
		}
		if r := refusal(t, err); r != (Refusal{ColumnsWrong, 2}) {
			t.Errorf("without %s: %v", name, r)
		}
	}
}

// resealedAs drops the comma that a replacement at the end of N needed.
func resealedAs(lines []string, end string) string {
	lines[1] = strings.TrimSuffix(lines[1], ",")
	return seal(lines, end)
}

func TestColumnsAreTakenByName(t *testing.T) {
	lines := append([]string{}, sample...)
	for i := 1; i < len(lines); i++ { // the last column comes first, and two unknown ones stand around it
		cut := strings.LastIndexByte(lines[i], ',')
		lines[i] = lines[i][:1] + ",new1" + lines[i][cut:] + lines[i][1:cut] + ",new2"
	}
	f, err := Parse(sampleName, []byte(seal(lines, "T,4,3000,-1091,0,1909")), contract)
	if err != nil {
		t.Fatal(err)
	}
	want := sampleFile()
	want.SHA256 = f.SHA256
	same(t, utc(f), utc(want))
}

func TestRecordsMayComeInAnyOrder(t *testing.T) {
	lines := append([]string{}, sample...)
	lines[2], lines[4] = lines[4], lines[2]
	f, err := Parse(sampleName, []byte(resealed(lines)), contract)
	if err != nil || len(f.Records) != 4 || f.Records[0].RecNo != 3 {
		t.Errorf("%+v %v", f.Records, err)
	}
}

func TestFileCutAnywhereIsRefused(t *testing.T) {
	text := []byte(resealed(edit(6, "text=승인 수수료")))
	for i := range text {
		if _, err := Parse(sampleName, text[:i], contract); err == nil {
			t.Fatalf("cut at byte %d of %d it was taken", i, len(text))
		} else if r := refusal(t, err).Reason; r != Truncated && r != EncodingWrong {
			t.Fatalf("cut at byte %d it was refused for its %s", i, r)
		}
	}
	if _, err := Parse(sampleName, text, contract); err != nil {
		t.Fatal(err)
	}
}

func TestBadLineIsRejectedAlone(t *testing.T) {
	const dup = "event_id=E0000001"
	for _, c := range []struct {
		what  string
		lines []string
		line  int
		want  LineFault
	}{
		{"type", edit(3, "rec_type=XXX"), 3, TypeUnknown},
		{"no type", edit(3, "rec_type="), 3, TypeUnknown},
		{"no event id", edit(3, "event_id="), 3, EventMissing},
		{"event id of an earlier line", edit(4, dup), 4, EventRepeated},
		{"net", edit(3, "net_amount=9901"), 3, NetDiffers},
		{"net without the tax", edit(3, "tax=-3"), 3, NetDiffers},
		{"gross no number", edit(3, "gross_amount=1e4"), 3, NumberWrong},
		{"gross with a fraction", edit(3, "gross_amount=10000.00"), 3, NumberWrong},
		{"interchange no number", edit(3, "interchange_fee="), 3, NumberWrong},
		{"scheme fee no number", edit(3, "scheme_fee=x"), 3, NumberWrong},
		{"acquirer fee no number", edit(3, "acquirer_fee=x"), 3, NumberWrong},
		{"tax no number", edit(3, "tax=x"), 3, NumberWrong},
		{"net no number", edit(3, "net_amount=x"), 3, NumberWrong},
		{"beyond any amount", edit(3, "gross_amount=1000000000000001", "net_amount=999999999999901"), 3, NumberWrong},
		{"purchase amount negative", edit(3, "txn_amount=-10000"), 3, NumberWrong},
		{"purchase amount absent", edit(3, "txn_amount="), 3, NumberWrong},
		{"purchase currency", edit(3, "txn_ccy=410"), 3, CurrencyUnknown},
		{"purchase amount and currency absent", edit(3, "txn_amount=", "txn_ccy="), 3, NumberWrong},
		{"rate", edit(3, "fx_rate=1.2.3"), 3, NumberWrong},
		{"rate without digits", edit(3, "fx_rate=1."), 3, NumberWrong},
		{"installments", edit(3, "installment=3"), 3, NumberWrong},
		{"installments no number", edit(3, "installment=+3"), 3, NumberWrong},
		{"time", edit(3, "txn_ts=2026-11-22 12:15:00"), 3, DateWrong},
		{"no time", edit(3, "txn_ts="), 3, DateWrong},
		{"reply by", edit(5, "reply_by=2026-12-32"), 5, DateWrong},
		{"no reply by", edit(5, "reply_by="), 5, ReplyByMissing},
		{"stage", edit(5, "dispute_stage=THIRD"), 5, StageWrong},
		{"stage that no file tells", edit(5, "dispute_stage=INQUIRY"), 5, StageWrong},
		{"no stage", edit(5, "dispute_stage="), 5, StageWrong},
		{"short ARN", edit(3, "arn=7999999632600000000123"), 3, ARNWrong},
		{"long ARN", edit(3, "arn=799999963260000000012330"), 3, ARNWrong},
		{"ARN with a letter", edit(3, "arn=7999999632600000000123A"), 3, ARNWrong},
		{"no reference", edit(3, "rrn=", "arn=", "merchant_ref="), 3, ReferenceMissing},
		{"a lost quote", with(3, strings.Replace(sample[2], "pay-", `"pay-`, 1)), 3, Unreadable},
		{"a quote inside", with(3, strings.Replace(sample[2], "pay-", `pay"-`, 1)), 3, Unreadable},
		{"something after a quote", with(3, strings.Replace(sample[2], "NTI0001", `"NTI"0001`, 1)), 3, Unreadable},
		{"a field less", with(3, strings.Replace(sample[2], ",NTI0001", "", 1)), 3, Unreadable},
		{"a field more", with(3, sample[2]+","), 3, Unreadable},
		{"a control character", edit(3, "text=a\x00b"), 3, Unreadable},
	} {
		t.Run(c.what, func(t *testing.T) {
			f, err := Parse(sampleName, []byte(resealed(c.lines)), contract)
			if err != nil {
				t.Fatal(err)
			}
			want := Rejected{Line: c.line, RecNo: c.line - 2, EventID: fmt.Sprintf("E%07d", c.line-2), Reason: c.want}
			switch c.want {
			case Unreadable:
				want.RecNo, want.EventID = 0, ""
			case EventMissing:
				want.EventID = ""
			case EventRepeated:
				want.EventID = "E0000001"
			}
			same(t, f.Rejected, []Rejected{want})
			good := sampleFile().Records
			good = append(good[:c.line-3:c.line-3], good[c.line-2:]...)
			same(t, utc(f).Records, utc(File{Records: good}).Records)
		})
	}
}

// An amount that cannot be read leaves its own total unproven and no other.
func TestUnreadableAmountDoesNotHideOtherSums(t *testing.T) {
	lines := edit(3, "tax=x")
	if _, err := Parse(sampleName, []byte(seal(lines, "T,4,3000,-1091,77,1909")), contract); err != nil {
		t.Error(err)
	}
	for _, end := range []string{"T,4,3001,-1091,0,1909", "T,4,3000,-1090,0,1909", "T,4,3000,-1091,0,1910"} {
		_, err := Parse(sampleName, []byte(seal(lines, end)), contract)
		if refusal(t, err).Reason != SumsDiffer {
			t.Errorf("%s: %v", end, err)
		}
	}
}

// What each type must hold, as rails §4.3 has it: sign of gross, reference, purchase amount, stage, last day for an answer, ARN.
func TestTypes(t *testing.T) {
	for _, c := range []struct {
		code                                     Type
		signs                                    string
		reference, amount, stage, replyBy, isARN bool
	}{
		{CAP, "+", true, true, false, false, false},
		{REF, "-", true, true, false, false, false},
		{RRF, "+", true, true, false, false, false},
		{RSV, "0", true, false, false, false, false},
		{INQ, "0", true, false, false, true, false},
		{CHB, "-", true, true, true, true, false},
		{CBR, "+", true, true, false, false, false},
		{FRD, "0", true, false, false, false, false},
		{ARN, "0", true, false, false, false, true},
		{REJ, "0", true, false, false, false, false},
		{FEE, "0", false, false, false, false, false},
		{ADJ, "+-0", false, false, false, false, false},
		{PAY, "0", false, true, false, false, false},
	} {
		gross := map[string]string{"+": "5", "-": "-5", "0": "0"}
		legal := gross[c.signs[:1]]
		full := []string{
			"rec_type=" + string(c.code), "gross_amount=" + legal, "net_amount=" + legal, "interchange_fee=0", "scheme_fee=0",
			"acquirer_fee=0", "dispute_stage=SECOND", "reply_by=2026-12-10",
		}
		fault := func(changes ...string) LineFault {
			f, err := Parse(sampleName, []byte(resealed(edit(3, append(append([]string{}, full...), changes...)...))), contract)
			if err != nil {
				t.Fatal(err)
			}
			if len(f.Rejected) == 0 {
				return ""
			}
			return f.Rejected[0].Reason
		}
		when := func(needed bool, f LineFault) LineFault {
			if needed {
				return f
			}
			return ""
		}
		for s, n := range gross {
			if got, want := fault("gross_amount="+n, "net_amount="+n), when(!strings.Contains(c.signs, s), SignWrong); got != want {
				t.Errorf("%s %s: %q, want %q", c.code, s, got, want)
			}
		}
		for _, m := range []struct {
			changes string
			want    LineFault
		}{
			{"rrn= arn= merchant_ref=", when(c.reference && !c.isARN, ReferenceMissing)},
			{"rrn= merchant_ref=", ""},
			{"rrn= arn=", when(c.isARN, ARNWrong)},
			{"arn= merchant_ref=", when(c.isARN, ARNWrong)},
			{"txn_amount= txn_ccy=", when(c.amount, NumberWrong)},
			{"dispute_stage=", when(c.stage, StageWrong)},
			{"reply_by=", when(c.replyBy, ReplyByMissing)},
		} {
			if m.changes == "rrn= arn= merchant_ref=" && c.isARN {
				m.want = ARNWrong
			}
			if got := fault(strings.Fields(m.changes)...); got != m.want {
				t.Errorf("%s with %s: %q, want %q", c.code, m.changes, got, m.want)
			}
		}
	}
}

func TestDisputeFile(t *testing.T) {
	lines := []string{sample[0], sample[1], strings.Replace(sample[4], "D,3,", "D,1,", 1)}
	f, err := Parse("PIDSP_ACQ0001_PIMERCHANT00001_20261122_001.csv", []byte(resealed(lines)), contract)
	if err != nil || f.Kind != Disputes || len(f.Records) != 1 || f.Records[0].Type != CHB || f.Net != -4000 {
		t.Errorf("%+v %v", f, err)
	}
}

func TestEmptyDay(t *testing.T) {
	f, err := Parse(sampleName, []byte(seal(sample[:2], "T,0,0,0,0,0")), contract)
	if err != nil || f.Records != nil || f.Rejected != nil {
		t.Errorf("%+v %v", f, err)
	}
}

func TestUnderscoresInTheNamesOfParties(t *testing.T) {
	lines := with(1, strings.NewReplacer("ACQ0001", "A_1", "PIMERCHANT00001", "M_2_3").Replace(sample[0]))
	c := Contract{"A_1", "M_2_3", seoul}
	if _, err := Parse("PISTL_A_1_M_2_3_20261122_001.csv", []byte(resealed(lines)), c); err != nil {
		t.Error(err)
	}
}

func TestQuotedFields(t *testing.T) {
	lines := with(6, strings.Replace(sample[5], "authorisation fees", `"fees, ""all"" of them"`, 1))
	f, err := Parse(sampleName, []byte(seal(lines, "T,4,3000,-1091,0,1909")), contract)
	if err != nil || len(f.Records) != 4 || f.Records[3].Text != `fees, "all" of them` {
		t.Errorf("%+v %v", f, err)
	}
}

// The last day for an answer is a day where the acquirer is.
func TestReplyByEndsWithTheDay(t *testing.T) {
	for _, zone := range []*time.Location{time.UTC, seoul, time.FixedZone("", -3*3600)} {
		f, err := Parse(sampleName, []byte(sampleText()), Contract{contract.Acquirer, contract.Merchant, zone})
		if err != nil {
			t.Fatal(err)
		}
		got := f.Records[2].ReplyBy
		if next := got.Add(time.Millisecond); !next.Equal(time.Date(2026, 12, 11, 0, 0, 0, 0, zone)) {
			t.Errorf("%v: %v", zone, got)
		}
	}
}

// A card number that should not be in the file at all shows nowhere: not in a reason, not in the id of a rejected line, not in a text.
func TestCardNumbersDoNotPassThrough(t *testing.T) {
	const pan = "9999990000000006"
	for _, name := range strings.Split(sample[1], ",")[1:] {
		f, err := Parse(sampleName, []byte(resealed(edit(3, "net_amount=1", name+"="+pan))), contract)
		if seen := fmt.Sprint(f.Rejected, err); strings.Contains(seen, pan) {
			t.Errorf("%s: %s", name, seen)
		}
		_, err = Parse(sampleName, []byte(strings.Replace(sampleText(), "KRW", pan, 1)), contract)
		if strings.Contains(fmt.Sprint(err), pan) {
			t.Error(err)
		}
	}
	for text, want := range map[string]string{
		"card 9999990000000006.":      "card 999999******0006.",
		"card 9999 9900 0000 0006":    "card 999999******0006",
		"card 9999-9900-0000-0006":    "card 999999******0006",
		"call 9999990000000007":       "call 9999990000000007",
		"arn 79999996326000000001233": "arn 79999996326000000001233",
		"rrn 632612000123":            "rrn 632612000123",
	} {
		f, err := Parse(sampleName, []byte(resealed(edit(6, "text="+text))), contract)
		if err != nil || f.Records[3].Text != want {
			t.Errorf("%q: %+v %v", text, f.Records, err)
		}
	}
	f, err := Parse(sampleName, []byte(resealed(edit(6, "rec_type=PAY", "text="+pan))), contract)
	if err != nil || len(f.Records) != 4 || f.Records[3].Text != pan {
		t.Errorf("the bank's reference was changed: %+v %v", f, err)
	}
}

// The digest of a record is that of what it says: not of where it stands, and a changed word changes it.
func TestDigest(t *testing.T) {
	read := func(text string) File {
		f, err := Parse(sampleName, []byte(text), contract)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	first := read(sampleText()).Records
	for i, r := range first {
		if r.Line != i+3 || len(r.Digest) != 64 {
			t.Errorf("record %d: line %d, digest %q", i+1, r.Line, r.Digest)
		}
	}
	turned := append([]string(nil), sample...)
	turned[2], turned[3] = strings.Replace(sample[3], "D,2", "D,1", 1), strings.Replace(sample[2], "D,1", "D,2", 1)
	again := read(resealed(turned)).Records
	if again[0].Digest != first[1].Digest || again[1].Digest != first[0].Digest {
		t.Error("the digest depends on the place")
	}
	other := read(resealed(edit(6, "text=other words"))).Records
	if other[3].Digest == first[3].Digest || other[0].Digest != first[0].Digest {
		t.Error("the digest is not that of the content")
	}
}

// A column of case numbers may be added (rails §4.3): it is read where it is there.
func TestCaseNumber(t *testing.T) {
	lines := append([]string(nil), sample...)
	lines[1] += ",case_id"
	for i := 2; i < len(lines); i++ {
		lines[i] += map[bool]string{true: ",CASE-7", false: ","}[i == 4]
	}
	f, err := Parse(sampleName, []byte(resealed(lines)), contract)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range f.Records {
		if want := map[bool]string{true: "CASE-7"}[i == 2]; r.Case != want {
			t.Errorf("record %d: case %q", i+1, r.Case)
		}
	}
}
