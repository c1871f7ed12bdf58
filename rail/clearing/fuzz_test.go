package clearing_test

import (
	"encoding/csv"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	. "naru/rail/clearing"
)

// rewritten is a file with the records that were believed, in the columns of the sample.
func rewritten(t *testing.T, f File) []byte {
	t.Helper()
	var b strings.Builder
	w := csv.NewWriter(&b)
	w.UseCRLF = true
	var gross, fees, tax, net int64
	for i, r := range f.Records {
		amounts := []string{"", ""}
		if r.TxnCurrency.Code() != "" {
			amounts = []string{strconv.FormatInt(r.Txn, 10), r.TxnCurrency.Code()}
		}
		replyBy := ""
		if !r.ReplyBy.IsZero() {
			replyBy = r.ReplyBy.Format(time.DateOnly)
		}
		cells := []string{
			"D", strconv.Itoa(i + 1), string(r.Type), r.EventID, r.OrigEventID, r.RRN, r.STAN, r.SentDE7, r.AuthCode, r.ARN,
			r.NetworkTxnID, r.Brand, "", r.At.Format(time.RFC3339Nano), amounts[0], amounts[1], r.FXRate,
		}
		for _, n := range []int64{r.Gross, r.Interchange, r.Scheme, r.AcquirerFee, r.Tax, r.Net} {
			cells = append(cells, strconv.FormatInt(n, 10))
		}
		cells = append(cells, fmt.Sprintf("%02d", r.Installment), r.MerchantRef, string(r.Stage), r.Reason, replyBy, r.Result, r.Text)
		if err := w.Write(cells); err != nil {
			t.Fatal(err)
		}
		gross, fees, tax, net = gross+r.Gross, fees+r.Interchange+r.Scheme+r.AcquirerFee, tax+r.Tax, net+r.Net
	}
	w.Flush()
	lines := sample[:2]
	if details := strings.TrimSuffix(b.String(), "\r\n"); details != "" {
		lines = append(append([]string{}, lines...), details)
	}
	return []byte(seal(lines, fmt.Sprintf("T,%d,%d,%d,%d,%d", len(f.Records), gross, fees, tax, net)))
}

// Whatever stands in a file whose hash fits: it is refused with a reason, or every record that was believed reads the same when written
// down again, and every line is either a record or rejected.
func FuzzParse(f *testing.F) {
	f.Add(body(sample[2:]), 4, int64(3000), int64(-1091), int64(0), int64(1909))
	f.Add(body(edit(3, "net_amount=x", `text="a, ""b"""`)[2:]), 4, int64(3000), int64(-1091), int64(0), int64(1909))
	f.Add(body(edit(5, "reply_by=", "txn_ts=2026-11-22T23:00:00.5Z")[2:]), 4, int64(3000), int64(-1091), int64(0), int64(1909))
	f.Add("D,1\r\n", 1, int64(0), int64(0), int64(0), int64(0))
	f.Fuzz(func(t *testing.T, details string, count int, gross, fees, tax, net int64) {
		lines := append([]string{}, sample[:2]...)
		if details = strings.TrimSuffix(details, "\r\n"); details != "" {
			lines = append(lines, details)
		}
		file, err := Parse(sampleName, []byte(seal(lines, fmt.Sprintf("T,%d,%d,%d,%d,%d", count, gross, fees, tax, net))), contract)
		if err != nil {
			var r *Refusal
			if !errors.As(err, &r) || r.Reason == "" {
				t.Fatalf("an error that is no refusal: %v", err)
			}
			return
		}
		if len(file.Records)+len(file.Rejected) != count {
			t.Fatalf("%d records and %d rejected of %d", len(file.Records), len(file.Rejected), count)
		}
		again, err := Parse(sampleName, rewritten(t, file), contract)
		if err != nil {
			t.Fatal(err)
		}
		for i := range file.Records {
			file.Records[i].RecNo = i + 1
		}
		same(t, again.Rejected, []Rejected(nil))
		same(t, utc(again).Records, utc(file).Records)
	})
}

// Bytes from anywhere never panic, and only a sealed file is taken.
func FuzzBytes(f *testing.F) {
	f.Add(sampleName, []byte(sampleText()))
	f.Add(answerName, []byte(seal(answer, "T,3")))
	f.Add("", []byte("T,\r\n"))
	f.Fuzz(func(t *testing.T, name string, text []byte) {
		_, errS := Parse(name, text, contract)
		_, errA := ParseCaptureAnswer(name, text, contract)
		for _, err := range []error{errS, errA} {
			if err != nil {
				refusal(t, err)
			}
		}
		if errS == nil && errA == nil {
			t.Error("one file of two kinds")
		}
	})
}
