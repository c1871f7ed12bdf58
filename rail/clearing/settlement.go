package clearing

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"naru/core/card"
	"naru/core/money"
	"naru/core/payment"
)

// Type is what a record of a settlement or dispute file tells.
type Type string

// The types (rails §4.3).
const (
	CAP Type = "CAP" // capture settled
	REF Type = "REF" // refund settled
	RRF Type = "RRF" // refund came back
	RSV Type = "RSV" // hold without capture, fee only
	INQ Type = "INQ" // retrieval, inquiry
	CHB Type = "CHB" // chargeback
	CBR Type = "CBR" // chargeback reversed
	FRD Type = "FRD" // fraud report
	ARN Type = "ARN" // the ARN of an earlier CAP or REF that came without one
	REJ Type = "REJ" // capture refused in clearing
	FEE Type = "FEE" // fee not tied to a payment
	ADJ Type = "ADJ" // manual correction
	PAY Type = "PAY" // money sent to our account: Txn is how much, Text the bank's reference
)

// sign is what the gross amount of a type must be; plus is money that the acquirer owes us.
type sign uint8

const (
	nothing sign = iota
	plus
	minus
	either
)

func (s sign) fits(n int64) bool {
	return s == either || s == nothing && n == 0 || s == plus && n > 0 || s == minus && n < 0
}

// rule is what a record of one type must hold.
type rule struct {
	gross   sign
	payment bool // it is about a payment, so something must say which
	amount  bool // money moves, so how much it is in the purchase currency must be there
	stage   bool
	replyBy bool // somebody may answer, so the last day must be known
	arn     bool
}

var rules = map[Type]rule{
	CAP: {gross: plus, payment: true, amount: true},
	REF: {gross: minus, payment: true, amount: true},
	RRF: {gross: plus, payment: true, amount: true},
	RSV: {payment: true},
	INQ: {payment: true, replyBy: true},
	CHB: {gross: minus, payment: true, amount: true, stage: true, replyBy: true},
	CBR: {gross: plus, payment: true, amount: true},
	FRD: {payment: true},
	ARN: {payment: true, arn: true},
	REJ: {payment: true},
	FEE: {},
	ADJ: {gross: either},
	PAY: {amount: true},
}

// Record is one event of a settlement or dispute file. Text fields are empty where the acquirer said nothing.
type Record struct {
	RecNo       int
	Type        Type
	EventID     string // the acquirer's, unique for ever
	OrigEventID string // the event it belongs to

	RRN, STAN, SentDE7, AuthCode string // DE37, 11, 7 and 38 of the message that caused it
	ARN                          string // 23 digits
	NetworkTxnID, Brand          string
	At                           time.Time

	Txn         int64 // unsigned minor units of TxnCurrency
	TxnCurrency money.Currency
	FXRate      string // decimal

	// Signed minor units of the file's currency; plus: the acquirer owes us.
	Gross, Interchange, Scheme, AcquirerFee, Tax, Net int64

	Installment int
	MerchantRef string // DE48 MR

	Stage   payment.Stage // First, Second or empty
	Reason  string        // the scheme's code
	ReplyBy time.Time     // the last millisecond of that day where the acquirer is
	Case    string        // the scheme's case number: column case_id, where the acquirer has one (the sheet lets columns be added)

	Result, Text string
	Line         int
	Digest       string // of all that it says: the same event told again, in whatever place of whatever file, has the same
}

// DisputeReason is what the scheme's code means. A retrieval with a code that no table knows still says that somebody does not
// recognize the charge (rails §1.16).
func (r Record) DisputeReason() payment.DisputeReason {
	reason := Reasons.Lookup(r.Brand, r.Reason, r.Text)
	if reason == payment.UnclearReason && r.Type == INQ {
		return payment.ChargeNotRecognized
	}
	return reason
}

// File is a settlement or dispute file that holds: Gross, Fees, Tax and Net are the totals of all its lines, the rejected ones too.
type File struct {
	Head
	Records               []Record
	Rejected              []Rejected
	Gross, Fees, Tax, Net int64
}

// totalOf says in which total of T an amount is counted.
var totalOf = []struct {
	column string
	total  int
}{{"gross_amount", 0}, {"interchange_fee", 1}, {"scheme_fee", 1}, {"acquirer_fee", 1}, {"tax", 2}, {"net_amount", 3}}

var settlementFile = layout{
	kinds:  []Kind{Settlement, Disputes},
	totals: 4,
	columns: `rec_no rec_type event_id orig_event_id rrn stan transmission_dt auth_code arn network_txn_id brand txn_ts txn_amount txn_ccy
		fx_rate gross_amount interchange_fee scheme_fee acquirer_fee tax net_amount installment merchant_ref dispute_stage reason_code
		reply_by result text`,
}

// Parse reads a settlement or dispute file (rails §4.3). An error is a *Refusal, and then nothing of the file may be booked.
func Parse(name string, text []byte, c Contract) (File, error) {
	d, err := open(name, text, c, settlementFile)
	if err != nil {
		return File{}, err
	}
	if !d.addsUp() {
		return File{}, &Refusal{SumsDiffer, d.trailer}
	}
	f := File{Head: d.Head, Gross: d.totals[0], Fees: d.totals[1], Tax: d.totals[2], Net: d.totals[3]}
	seen := map[string]bool{}
	for _, r := range d.rows {
		rec := r.record(c.Zone)
		if rec.EventID != "" && seen[rec.EventID] {
			r.blame(EventRepeated)
		}
		seen[rec.EventID] = true
		if r.fault == "" {
			f.Records = append(f.Records, rec)
			continue
		}
		f.Rejected = append(f.Rejected, Rejected{Line: r.line, RecNo: r.recNo, EventID: presentable(rec.EventID), Reason: r.fault})
	}
	return f, nil
}

// addsUp proves the sums of T. An amount that cannot be read leaves its total unproven: its line is rejected and somebody will look at it,
// and the hash vouches for all others.
func (d document) addsUp() bool {
	var sum [4]int64
	var unproven [4]bool
	for _, r := range d.rows { // copies: what is wrong with an amount is told when the record is read
		for _, a := range totalOf {
			r.fault = ""
			sum[a.total] += r.amount(a.column)
			unproven[a.total] = unproven[a.total] || r.fault != ""
		}
	}
	for i, want := range d.totals {
		if sum[i] != want && !unproven[i] {
			return false
		}
	}
	return true
}

// record reads a line and blames the row for what is wrong with it.
func (r *row) record(zone *time.Location) Record {
	rec := Record{
		RecNo: r.recNo, Type: Type(r.text("rec_type")), EventID: r.text("event_id"), OrigEventID: r.text("orig_event_id"),
		RRN: r.text("rrn"), STAN: r.text("stan"), SentDE7: r.text("transmission_dt"), AuthCode: r.text("auth_code"),
		NetworkTxnID: r.text("network_txn_id"), Brand: r.text("brand"), FXRate: r.text("fx_rate"),
		MerchantRef: r.text("merchant_ref"), Stage: payment.Stage(r.text("dispute_stage")), Reason: r.text("reason_code"),
		Result: r.text("result"), Text: r.text("text"), Line: r.line, Digest: r.digest(settlementFile.columns),
	}
	if at, ok := r.columns["case_id"]; ok {
		rec.Case = r.fields[at]
	}
	must, known := rules[rec.Type]
	if !known {
		r.blame(TypeUnknown)
	}
	if rec.EventID == "" {
		r.blame(EventMissing)
	}
	rec.Gross, rec.Net, rec.Tax = r.amount("gross_amount"), r.amount("net_amount"), r.amount("tax")
	rec.Interchange, rec.Scheme, rec.AcquirerFee = r.amount("interchange_fee"), r.amount("scheme_fee"), r.amount("acquirer_fee")
	rec.Txn, rec.TxnCurrency = r.purchase(must.amount)
	rec.Installment = r.installment()
	if !decimal(rec.FXRate) {
		r.blame(NumberWrong)
	}
	at, err := time.Parse(time.RFC3339, r.text("txn_ts"))
	if err != nil {
		r.blame(DateWrong)
	}
	rec.At = at
	if day := r.day("reply_by"); !day.IsZero() {
		rec.ReplyBy = time.Date(day.Year(), day.Month(), day.Day(), 23, 59, 59, 999e6, zone)
	}
	rec.ARN = r.arn()

	switch {
	case rec.Net != rec.Gross+rec.Interchange+rec.Scheme+rec.AcquirerFee+rec.Tax:
		r.blame(NetDiffers)
	case !must.gross.fits(rec.Gross):
		r.blame(SignWrong)
	case rec.Stage != "" && rec.Stage != payment.First && rec.Stage != payment.Second, must.stage && rec.Stage == "":
		r.blame(StageWrong)
	case must.replyBy && rec.ReplyBy.IsZero():
		r.blame(ReplyByMissing)
	case must.arn && rec.ARN == "":
		r.blame(ARNWrong)
	case must.payment && rec.RRN == "" && rec.ARN == "" && rec.MerchantRef == "":
		r.blame(ReferenceMissing)
	}
	if rec.Type != PAY { // where the text is the bank's reference, to the letter
		rec.Text = withoutCards(rec.Text)
	}
	return rec
}

// purchase reads the amount in the purchase currency: unsigned, and absent only where no money moves.
func (r *row) purchase(needed bool) (int64, money.Currency) {
	if r.text("txn_amount") == "" && r.text("txn_ccy") == "" && !needed {
		return 0, money.Currency{}
	}
	n := r.amount("txn_amount")
	if n < 0 {
		r.blame(NumberWrong)
	}
	currency, known := money.Lookup(r.text("txn_ccy"))
	if !known {
		r.blame(CurrencyUnknown)
	}
	return n, currency
}

// installment reads two digits; nothing is no installments.
func (r *row) installment() int {
	text := r.text("installment")
	if text == "" {
		return 0
	}
	n, err := strconv.ParseUint(text, 10, 8)
	if err != nil || len(text) != 2 {
		r.blame(NumberWrong)
	}
	return int(n)
}

// decimal reports whether a rate is absent or reads as digits with at most one point between them.
func decimal(text string) bool {
	whole, fraction, point := strings.Cut(text, ".")
	return text == "" || digits(whole) && (!point || digits(fraction))
}

var maybeCard = regexp.MustCompile(`[0-9]{4}(?:[ -][0-9]{4}){3}|[0-9]+`)

// withoutCards masks what could be a card number in text that a person wrote: it will be shown and kept.
func withoutCards(text string) string {
	return maybeCard.ReplaceAllStringFunc(text, func(found string) string {
		pan, err := card.ParsePAN(strings.NewReplacer(" ", "", "-", "").Replace(found))
		if err != nil || !pan.Luhn() {
			return found
		}
		return pan.Masked()
	})
}

// presentable is the id of a line that is not believed, unless a shifted column may have put a card number there.
func presentable(id string) string {
	if withoutCards(id) != id {
		return ""
	}
	return id
}
