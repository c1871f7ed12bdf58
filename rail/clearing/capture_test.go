package clearing_test

import (
	"crypto/sha256"
	"encoding/csv"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	. "naru/rail/clearing"
)

const captureN = "N,rec_no,op,payment_ref,rrn,stan,transmission_dt,auth_code,network_txn_id,amount,currency,installment,original_rrn," +
	"original_date,txn_ts"

func captureFile(items ...CaptureItem) CaptureFile {
	return CaptureFile{
		Acquirer: "ACQ0001", Merchant: "PIMERCHANT00001", BusinessDate: "2026-11-22", Seq: 7, Currency: krw, CreatedAt: kst(23, 0, 5, 0),
		Items: items,
	}
}

var (
	aCapture = CaptureItem{
		Op: CAP, PaymentRef: "pay-0000731", RRN: "632612000123", STAN: "000125", SentDE7: "1122040000", AuthCode: " A1B2 ",
		NetworkTxnID: "NTI0001", Amount: 10000, Installment: 3, TxnAt: kst(22, 12, 15, 0),
	}
	aRefund = CaptureItem{
		Op: REF, PaymentRef: `rfd "88", part`, RRN: "632613000126", STAN: "000126", SentDE7: "1122040100", Amount: 4000,
		OriginalRRN: "632612000123", OriginalDate: "2026-11-22", TxnAt: kst(22, 13, 1, 0),
	}
)

func TestCaptureFileIsWritten(t *testing.T) {
	lines := []string{
		"H,1,ACQ0001,PIMERCHANT00001,2026-11-22,007,KRW,2026-11-23T00:05:00+09:00",
		captureN,
		"D,1,CAP,pay-0000731,632612000123,000125,1122040000, A1B2 ,NTI0001,10000,KRW,03,,,2026-11-22T12:15:00+09:00",
		`D,2,REF,"rfd ""88"", part",632613000126,000126,1122040100,,,4000,KRW,00,632612000123,2026-11-22,2026-11-22T13:01:00+09:00`,
	}
	same(t, string(WriteCapture(captureFile(aCapture, aRefund))), seal(lines, "T,2,14000"))
	same(t, string(WriteCapture(captureFile())), seal([]string{lines[0], captureN}, "T,0,0"))
}

func TestNames(t *testing.T) {
	same(t, CaptureName("ACQ0001", "PIMERCHANT00001", "2026-11-22", 7), "PICAP_ACQ0001_PIMERCHANT00001_20261122_007.csv")
	same(t, AnswerName("ACQ0001", "PIMERCHANT00001", "2026-11-22", 12), "PICAPR_ACQ0001_PIMERCHANT00001_20261122_012.csv")
}

// readCapture is a reader of the file that shares nothing with its writer.
func readCapture(text string) (CaptureFile, error) {
	at := strings.LastIndex(text, "T,")
	if want := fmt.Sprintf(",%x\r\n", sha256.Sum256([]byte(text[:at]))); !strings.HasSuffix(text, want) {
		return CaptureFile{}, fmt.Errorf("no %q at the end", want)
	}
	r := csv.NewReader(strings.NewReader(text))
	r.FieldsPerRecord = -1
	rows, err := r.ReadAll()
	if err != nil || len(rows) < 3 || strings.Join(rows[1], ",") != captureN {
		return CaptureFile{}, fmt.Errorf("%v %v", rows, err)
	}
	h, end := rows[0], rows[len(rows)-1]
	f := captureFile()
	f.Acquirer, f.Merchant, f.BusinessDate = h[2], h[3], h[4]
	f.Seq, _ = strconv.Atoi(h[5])
	sum := int64(0)
	for _, d := range rows[2 : len(rows)-1] {
		it := CaptureItem{
			Op: Type(d[2]), PaymentRef: d[3], RRN: d[4], STAN: d[5], SentDE7: d[6], AuthCode: d[7], NetworkTxnID: d[8],
			OriginalRRN: d[12], OriginalDate: d[13],
		}
		it.Amount, _ = strconv.ParseInt(d[9], 10, 64)
		it.Installment, _ = strconv.Atoi(d[11])
		it.TxnAt, _ = time.Parse(time.RFC3339, d[14])
		it.TxnAt = it.TxnAt.In(seoul)
		sum += it.Amount
		f.Items = append(f.Items, it)
		if d[0] != "D" || d[1] != strconv.Itoa(len(f.Items)) || d[10] != f.Currency.Code() {
			return f, fmt.Errorf("%q", d)
		}
	}
	if end[0] != "T" || end[1] != strconv.Itoa(len(f.Items)) || end[2] != strconv.FormatInt(sum, 10) {
		return f, fmt.Errorf("%q", end)
	}
	return f, nil
}

func FuzzCaptureFileReadsBack(f *testing.F) {
	f.Add("pay-0000731", "632612000123", "A1B2C3", "NTI0001", int64(10000), uint8(3), int64(1795317300))
	f.Add(`a"b,c`, "", " x ", `"`, int64(0), uint8(0), int64(0))
	f.Fuzz(func(t *testing.T, ref, rrn, auth, network string, amount int64, installment uint8, at int64) {
		if strings.Contains(ref+rrn+auth+network, "\r") {
			return // encoding/csv reads CRLF inside quotes as LF
		}
		const year3000 = 32_503_680_000
		it := CaptureItem{
			Op: CAP, PaymentRef: ref, RRN: rrn, AuthCode: auth, NetworkTxnID: network, Amount: amount, Installment: int(installment % 100),
			TxnAt: time.Unix(at%year3000, 0).In(seoul),
		}
		want := captureFile(it, aRefund)
		got, err := readCapture(string(WriteCapture(want)))
		if err != nil {
			t.Fatal(err)
		}
		same(t, got, want)
	})
}

const (
	answerName = "PICAPR_ACQ0001_PIMERCHANT00001_20261122_007.csv"
	answerN    = "N,rec_no,payment_ref,rrn,result,arn,settlement_date,text"
)

var answer = []string{
	"H,1,ACQ0001,PIMERCHANT00001,2026-11-22,007,KRW,2026-11-23T09:00:00+09:00",
	answerN,
	"D,1,pay-0000731,632612000123,00,79999996326000000001233,2026-11-24,",
	"D,2,pay-0000732,632612000124,13,,,amount above the hold",
	"D,3,pay-0000733,632612000125,00,,,",
}

func TestCaptureAnswer(t *testing.T) {
	text := seal(answer, "T,3")
	a, err := ParseCaptureAnswer(answerName, []byte(text), contract)
	if err != nil {
		t.Fatal(err)
	}
	if !a.CreatedAt.Equal(kst(23, 9, 0, 0)) {
		t.Error(a.CreatedAt)
	}
	a.CreatedAt = time.Time{}
	same(t, a, CaptureAnswer{
		Head: Head{
			Name: answerName, Kind: CaptureAnswers, BusinessDate: "2026-11-22", Seq: 7, Currency: krw,
			SHA256: strings.TrimSuffix(text[strings.LastIndex(text, ",")+1:], "\r\n"),
		},
		Verdicts: []CaptureVerdict{
			{RecNo: 1, PaymentRef: "pay-0000731", RRN: "632612000123", Result: "00", ARN: "79999996326000000001233", SettlementDate: "2026-11-24"},
			{RecNo: 2, PaymentRef: "pay-0000732", RRN: "632612000124", Result: "13", Text: "amount above the hold"},
			{RecNo: 3, PaymentRef: "pay-0000733", RRN: "632612000125", Result: "00"},
		},
	})
	if !a.Verdicts[0].Accepted() || a.Verdicts[1].Accepted() {
		t.Error("00 is accepted, 13 is not")
	}
}

func TestCaptureAnswerIsRefused(t *testing.T) {
	text := seal(answer, "T,3")
	line := func(i int, new string) []string {
		lines := append([]string{}, answer...)
		lines[i-1] = new
		return lines
	}
	for _, c := range []struct {
		what, name, text string
		want             Refusal
	}{
		{"a settlement file", sampleName, sampleText(), Refusal{NameWrong, 0}},
		{"the capture file itself", "PICAP_ACQ0001_PIMERCHANT00001_20261122_007.csv", text, Refusal{NameWrong, 0}},
		{"another merchant", answerName, seal(line(1, strings.Replace(answer[0], "PIM", "PIN", 1)), "T,3"), Refusal{ContractDiffers, 1}},
		{"version", answerName, seal(line(1, strings.Replace(answer[0], "H,1", "H,2", 1)), "T,3"), Refusal{VersionUnknown, 1}},
		{"sequence", answerName, seal(line(1, strings.Replace(answer[0], "007", "008", 1)), "T,3"), Refusal{HeaderWrong, 1}},
		{"column", answerName, seal(line(2, strings.Replace(answerN, "result", "verdict", 1)), "T,3"), Refusal{ColumnsWrong, 2}},
		{"count", answerName, seal(answer, "T,4"), Refusal{CountDiffers, 6}},
		{"sums", answerName, seal(answer, "T,3,0"), Refusal{TrailerWrong, 6}},
		{"hash", answerName, strings.Replace(text, ",13,", ",00,", 1), Refusal{HashDiffers, 6}},
		{"numbering", answerName, seal(line(5, strings.Replace(answer[4], "D,3", "D,2", 1)), "T,3"), Refusal{NumberingBroken, 5}},
		{"encoding", answerName, strings.ReplaceAll(text, "\r", ""), Refusal{EncodingWrong, 1}},
	} {
		t.Run(c.what, func(t *testing.T) {
			a, err := ParseCaptureAnswer(c.name, []byte(c.text), contract)
			same(t, refusal(t, err), c.want)
			same(t, a, CaptureAnswer{})
		})
	}
	for i := range text {
		if _, err := ParseCaptureAnswer(answerName, []byte(text[:i]), contract); refusal(t, err).Reason != Truncated {
			t.Fatalf("cut at byte %d: %v", i, err)
		}
	}
}

func TestBadAnswerIsRejectedAlone(t *testing.T) {
	for bad, want := range map[string]Rejected{
		"D,2,pay-0000732,632612000124,,,,":                              {Line: 4, RecNo: 2, Reason: ResultWrong},
		"D,2,pay-0000732,632612000124,000,,,":                           {Line: 4, RecNo: 2, Reason: ResultWrong},
		"D,2,,,00,,,":                                                   {Line: 4, RecNo: 2, Reason: ReferenceMissing},
		"D,2,pay-0000732,632612000124,00,123,,":                         {Line: 4, RecNo: 2, Reason: ARNWrong},
		"D,2,pay-0000732,632612000124,00,,20261124,":                    {Line: 4, RecNo: 2, Reason: DateWrong},
		"D,2,pay-0000732,632612000124,00,,":                             {Line: 4, Reason: Unreadable},
		`D,2,pay-0000732,632612000124,13,,,"amount above the hold`:      {Line: 4, Reason: Unreadable},
		"D,2,pay-0000732,,00,,2026-11-24,":                              {},
		"D,2,,632612000124,00,,2026-11-24,":                             {},
		"D,2,pay-0000732,632612000124,00,79999996326000000001233,,9999": {},
	} {
		lines := []string{answer[0], answer[1], answer[2], bad, answer[4]}
		a, err := ParseCaptureAnswer(answerName, []byte(seal(lines, "T,3")), contract)
		if err != nil {
			t.Fatal(err)
		}
		if want == (Rejected{}) {
			if len(a.Verdicts) != 3 || a.Rejected != nil {
				t.Errorf("%s: %+v", bad, a.Rejected)
			}
			continue
		}
		same(t, a.Rejected, []Rejected{want})
		if len(a.Verdicts) != 2 || a.Verdicts[0].RecNo != 1 || a.Verdicts[1].RecNo != 3 {
			t.Errorf("%s: %+v", bad, a.Verdicts)
		}
	}
}
