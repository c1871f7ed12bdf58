package clearing

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"strconv"
	"strings"
	"time"

	"naru/core/money"
)

// CaptureFile asks the acquirer to book what its host has only held, and to refund what it has booked. All of it is in one currency; a
// merchant with several has several files, each with its own sequence number.
type CaptureFile struct {
	Acquirer, Merchant string
	BusinessDate       string // 2026-11-22
	Seq                int    // 1 to 999, without holes per merchant and day
	Currency           money.Currency
	CreatedAt          time.Time
	Items              []CaptureItem // Items[i] is rec_no i+1
}

// CaptureItem is one capture or refund. The card number is not in the file: the acquirer finds it by RRN and AuthCode (rails §4.2).
type CaptureItem struct {
	Op                                         Type // CAP or REF
	PaymentRef                                 string
	RRN, STAN, SentDE7, AuthCode, NetworkTxnID string
	Amount                                     int64 // unsigned minor units of the file's currency
	Installment                                int
	OriginalRRN, OriginalDate                  string // of a refund: the capture it returns; 2026-11-22
	TxnAt                                      time.Time
}

// CaptureName is what the capture file of a business day is called.
func CaptureName(acquirer, merchant, day string, seq int) string {
	return fileName(Captures, acquirer, merchant, day, seq)
}

// AnswerName is what the answer to that capture file is called.
func AnswerName(acquirer, merchant, day string, seq int) string {
	return fileName(CaptureAnswers, acquirer, merchant, day, seq)
}

func fileName(k Kind, acquirer, merchant, day string, seq int) string {
	return fmt.Sprintf("%s_%s_%s_%s_%03d.csv", k, acquirer, merchant, strings.ReplaceAll(day, "-", ""), seq)
}

const captureColumns = "rec_no,op,payment_ref,rrn,stan,transmission_dt,auth_code,network_txn_id,amount,currency,installment," +
	"original_rrn,original_date,txn_ts"

// WriteCapture is the file's bytes. The sheet leaves H and T of this file open (rails §4.2); they follow the settlement file (§4.3), with
// one sum: that of the column amount, captures and refunds alike.
func WriteCapture(f CaptureFile) []byte {
	var b bytes.Buffer
	line := func(fields ...string) {
		for i, text := range fields {
			if strings.ContainsAny(text, "\",\r\n") {
				fields[i] = `"` + strings.ReplaceAll(text, `"`, `""`) + `"`
			}
		}
		b.WriteString(strings.Join(fields, ",") + crlf)
	}
	line("H", "1", f.Acquirer, f.Merchant, f.BusinessDate, fmt.Sprintf("%03d", f.Seq), f.Currency.Code(), f.CreatedAt.Format(time.RFC3339))
	b.WriteString("N," + captureColumns + crlf)
	sum := int64(0)
	for i, it := range f.Items {
		sum += it.Amount
		line("D", strconv.Itoa(i+1), string(it.Op), it.PaymentRef, it.RRN, it.STAN, it.SentDE7, it.AuthCode, it.NetworkTxnID,
			strconv.FormatInt(it.Amount, 10), f.Currency.Code(), fmt.Sprintf("%02d", it.Installment),
			it.OriginalRRN, it.OriginalDate, it.TxnAt.Format(time.RFC3339))
	}
	hash := sha256.Sum256(b.Bytes())
	line("T", strconv.Itoa(len(f.Items)), strconv.FormatInt(sum, 10), fmt.Sprintf("%x", hash))
	return b.Bytes()
}

// CaptureVerdict is what the acquirer did with one record of a capture file.
type CaptureVerdict struct {
	RecNo          int // of the record it answers
	PaymentRef     string
	RRN            string
	Result         string // 00, or why not, as in DE39
	ARN            string
	SettlementDate string // 2026-11-24; empty where it was refused or is not known
	Text           string
}

// Accepted reports whether the acquirer booked the record.
func (v CaptureVerdict) Accepted() bool { return v.Result == "00" }

// CaptureAnswer is the answer to a capture file. Whether every record was answered is for the sender to compare.
type CaptureAnswer struct {
	Head
	Verdicts []CaptureVerdict
	Rejected []Rejected
}

// An answer has no amounts, so T is count and hash.
var answerFile = layout{kinds: []Kind{CaptureAnswers}, columns: "rec_no payment_ref rrn result arn settlement_date text"}

// ParseCaptureAnswer reads the answer to a capture file with the integrity rules of the settlement file. An error is a *Refusal, and then
// every record of the capture file is still unanswered.
func ParseCaptureAnswer(name string, text []byte, c Contract) (CaptureAnswer, error) {
	d, err := open(name, text, c, answerFile)
	if err != nil {
		return CaptureAnswer{}, err
	}
	a := CaptureAnswer{Head: d.Head}
	for _, r := range d.rows {
		v := CaptureVerdict{
			RecNo: r.recNo, PaymentRef: r.text("payment_ref"), RRN: r.text("rrn"), Result: r.text("result"), ARN: r.arn(),
			SettlementDate: r.text("settlement_date"), Text: withoutCards(r.text("text")),
		}
		r.day("settlement_date")
		if len(v.Result) != 2 {
			r.blame(ResultWrong)
		}
		if v.PaymentRef == "" && v.RRN == "" {
			r.blame(ReferenceMissing)
		}
		if r.fault == "" {
			a.Verdicts = append(a.Verdicts, v)
			continue
		}
		a.Rejected = append(a.Rejected, Rejected{Line: r.line, RecNo: r.recNo, Reason: r.fault})
	}
	return a, nil
}
