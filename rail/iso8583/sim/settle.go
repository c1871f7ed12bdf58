package sim

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Fees are what the acquirer charges a merchant.
type Fees struct {
	InterchangeBP int64 // hundredths of a percent of a capture, and given back with a refund
	SchemeBP      int64
	AcquirerBP    int64
	TaxPercent    int64 // of the acquirer's part
	Chargeback    int64 // minor units for each stage
	Reservation   int64 // minor units for a hold that was not captured, or a verification
}

// DefaultFees are 0.6, 0.1 and 0.3 percent, ten percent of tax on the last of them, and 1000 for a chargeback.
func DefaultFees() Fees {
	return Fees{InterchangeBP: 60, SchemeBP: 10, AcquirerBP: 30, TaxPercent: 10, Chargeback: 1000}
}

// share is parts of a ten-thousandth of an amount, rounded half up, away from nought on both sides.
func share(amount, parts int64) int64 {
	if amount < 0 {
		return -share(-amount, parts)
	}
	return (amount*parts + 5000) / 10_000
}

// money is what a record moves: plus is owed to the merchant (rails §4.3).
type money struct{ gross, interchange, scheme, acquirer int64 }

// prices is what each kind of record costs. What is not here moves nothing.
var prices = map[string]func(f Fees, n int64) money{
	"CAP": func(f Fees, n int64) money {
		return money{n, -share(n, f.InterchangeBP), -share(n, f.SchemeBP), -share(n, f.AcquirerBP)}
	},
	"REF": func(f Fees, n int64) money { return money{-n, share(n, f.InterchangeBP), 0, 0} },
	"RRF": func(f Fees, n int64) money { return money{n, -share(n, f.InterchangeBP), 0, 0} },
	"RSV": func(f Fees, _ int64) money { return money{0, 0, -f.Reservation, 0} },
	"CHB": func(f Fees, n int64) money { return money{-n, 0, 0, -f.Chargeback} },
	"CBR": func(_ Fees, n int64) money { return money{n, 0, 0, 0} },
	"FEE": func(_ Fees, n int64) money { return money{0, 0, -n, 0} },
	"ADJ": func(_ Fees, n int64) money { return money{n, 0, 0, 0} },
}

// disputeRecords are those that a dispute file tells on its own.
const disputeRecords = "INQ CHB CBR FRD"

// event is something that a merchant is told in a file, and its line there (rails §4.3).
type event struct {
	Type        string    `json:"rec_type"`
	ID          string    `json:"event_id"`
	Of          string    `json:"orig_event_id"`
	RRN         string    `json:"rrn"`
	STAN        string    `json:"stan"`
	Sent        string    `json:"transmission_dt"`
	Approval    string    `json:"auth_code"`
	ARN         string    `json:"arn"`
	Network     string    `json:"network_txn_id"`
	Brand       string    `json:"brand"`
	Card        string    `json:"card_masked"`
	At          time.Time `json:"txn_ts"`
	Amount      int64     `json:"txn_amount"`
	Currency    string    `json:"txn_ccy"`
	Gross       int64     `json:"gross_amount"`
	Interchange int64     `json:"interchange_fee"`
	Scheme      int64     `json:"scheme_fee"`
	Acquirer    int64     `json:"acquirer_fee"`
	Tax         int64     `json:"tax"`
	Net         int64     `json:"net_amount"`
	Instalment  string    `json:"installment"`
	Reference   string    `json:"merchant_ref"`
	Stage       string    `json:"dispute_stage"`
	Reason      string    `json:"reason_code"`
	ReplyBy     string    `json:"reply_by"`
	Result      string    `json:"result"`
	Text        string    `json:"text"`
	Case        string    `json:"case_id"`
	Merchant    string    `json:"merchant"`
	Day         string    `json:"day"`  // business day on which it happened
	File        string    `json:"file"` // that told it; "" is not told yet

	payment *payment // what it is news of, for CAP, REF, RSV, and the withdrawal of one
}

// columns are those of the N line. The case stands behind those of rails §4.3: readers go by the names.
var columns = strings.Split("rec_no,rec_type,event_id,orig_event_id,rrn,stan,transmission_dt,auth_code,arn,network_txn_id,brand,"+
	"card_masked,txn_ts,txn_amount,txn_ccy,fx_rate,gross_amount,interchange_fee,scheme_fee,acquirer_fee,tax,net_amount,installment,"+
	"merchant_ref,dispute_stage,reason_code,reply_by,result,text,case_id", ",")

func (e *event) fields(number int) []string {
	n := func(amount int64) string { return strconv.FormatInt(amount, 10) }
	return []string{
		strconv.Itoa(number), e.Type, e.ID, e.Of, e.RRN, e.STAN, e.Sent, e.Approval, e.ARN, e.Network, e.Brand, e.Card,
		e.At.In(hostZone).Format(time.RFC3339), n(e.Amount), e.Currency, "1", n(e.Gross), n(e.Interchange), n(e.Scheme), n(e.Acquirer),
		n(e.Tax), n(e.Net), e.Instalment, e.Reference, e.Stage, e.Reason, e.ReplyBy, e.Result, e.Text, e.Case,
	}
}

// price fills in the money. What a record is over is unsigned.
func (e *event) price(f Fees, amount int64) {
	e.Amount = max(amount, -amount)
	if price := prices[e.Type]; price != nil {
		m := price(f, amount)
		e.Gross, e.Interchange, e.Scheme, e.Acquirer = m.gross, m.interchange, m.scheme, m.acquirer
		e.Tax = share(m.acquirer, 100*f.TaxPercent)
		e.Net = e.Gross + e.Interchange + e.Scheme + e.Acquirer + e.Tax
	}
	if e.Type == "FEE" {
		e.Amount = 0 // it is over no transaction
	}
}

// letters are the currencies that the host settles, as files call them. It counts minor units and knows no exponent.
var letters = map[string]string{
	"410": "KRW", "356": "INR", "840": "USD", "978": "EUR", "826": "GBP", "392": "JPY", "048": "BHD", "414": "KWD", "036": "AUD",
	"124": "CAD", "152": "CLP", "208": "DKK", "344": "HKD", "400": "JOD", "484": "MXN", "554": "NZD", "578": "NOK", "702": "SGD",
	"704": "VND", "752": "SEK", "756": "CHF", "784": "AED", "788": "TND", "901": "TWD", "985": "PLN", "986": "BRL",
}

// event is the id of the CAP, REF, RSV or REJ of a payment, known before any file tells it.
func (p *payment) event() string { return fmt.Sprintf("P%07d", p.ID) }

// eventID is the id of any other record.
func (b *book) eventID() string {
	b.serial++
	return fmt.Sprintf("E%07d", b.serial)
}

// queue gives an event its id and keeps it for the next file.
func (b *book) queue(e *event) *event {
	if e.ID == "" {
		e.ID = b.eventID()
	}
	b.events = append(b.events, e)
	return e
}

func (p *payment) merchant() string { return strings.TrimSpace(p.Merchant) }

// arn is 23 digits: type, the acquirer's BIN, year and day, a number of our own, and the check digit (rails §1.9).
func (p *payment) arn() string {
	if p.BookedDay == "" {
		return ""
	}
	booked := dayStart(p.BookedDay)
	return checked(fmt.Sprintf("7999999%d%03d%011d", booked.Year()%10, booked.YearDay(), p.ID))
}

// about is a record over a payment.
func (h *Host) about(p *payment, kind string, amount int64) *event {
	e := &event{
		Type: kind, RRN: p.RRN, ARN: p.arn(), Network: p.Network, Card: masked(p.PAN), At: h.now(), Currency: letters[p.Currency],
		Instalment: "00", Reference: p.Reference, Merchant: p.merchant(), Day: h.book.day,
	}
	if card, _ := h.book.lookup(p.PAN); card != nil {
		e.Brand = card.issuer.brand
	}
	e.price(*h.cfg.Fees, amount)
	return e
}

// first is the record that tells a payment at all. The message that caused it is named in it, and in no other.
func (h *Host) first(p *payment, kind string, amount int64) *event {
	e, name := h.about(p, kind, amount), cmp.Or(p.Completion, p.Name)
	e.ID, e.STAN, e.Sent, e.Approval, e.At, e.Result, e.payment = p.event(), name[4:10], name[10:20], p.Approval, p.Made, "00", p
	e.Instalment = cmp.Or(p.Instalment, "00")
	if kind == "REF" {
		e.Of = h.book.payments[p.Original-1].event()
	}
	return e
}

// told is what the next file says of a payment; nil is nothing.
func (h *Host) told(p *payment, day string) *event {
	switch p.after(h.now()); {
	case p.Merchant == "" || p.Kind == "stray": // what was written before merchants were is nobody's
	case p.aside():
	case p.UndoneDay != "":
		return h.withdrawn(p, day)
	case p.Filed != "":
	case p.State == captured && p.BookedDay > day:
	case p.State == captured && p.Kind == "refund":
		return h.first(p, "REF", p.Booked)
	case p.State == captured:
		return h.first(p, "CAP", p.Booked)
	case p.Kind == "verification", slices.Contains([]state{released, expired, revoked}, p.State):
		return h.first(p, "RSV", p.Asked)
	}
	return nil
}

// withdrawn takes a settled booking back, fees and all, because its reversal came after the file.
func (h *Host) withdrawn(p *payment, day string) *event {
	at := slices.IndexFunc(h.book.events, func(e *event) bool { return e.ID == p.event() })
	if p.Filed == "" || p.Withdrawn != "" || p.UndoneDay > day || at < 0 {
		return nil
	}
	e, was := h.about(p, "ADJ", p.Booked), h.book.events[at]
	e.Gross, e.Interchange, e.Scheme, e.Acquirer, e.Tax, e.Net = -was.Gross, -was.Interchange, -was.Scheme, -was.Acquirer, -was.Tax, -was.Net
	e.Of, e.Text, e.payment = was.ID, "reversed after settlement", p
	return e
}

// party is whom a file is for.
type party struct{ merchant, currency string }

// settle writes a file for everybody to whom there is something to say, up to the end of a business day.
func (h *Host) settle(day string, lateARN bool) []*report {
	due := map[party][]*event{}
	add := func(e *event) {
		if e != nil {
			to := party{e.Merchant, e.Currency}
			due[to] = append(due[to], e)
		}
	}
	for _, p := range h.book.payments {
		add(h.told(p, day))
	}
	for _, e := range h.book.events {
		if e.File == "" && e.Day <= day {
			add(e)
		}
	}
	paid, owed := map[party][]string{}, h.owed(day)
	for _, to := range sorted(owed) {
		for _, r := range owed[to].reports {
			paid[to] = append(paid[to], r.Name)
		}
		add(h.payout(to, owed[to]))
	}
	return h.write("PISTL", day, due, paid, lateARN)
}

// sorted are the parties in an order that does not change.
func sorted[T any](of map[party]T) []party {
	return slices.SortedFunc(maps.Keys(of), func(x, y party) int {
		return cmp.Or(cmp.Compare(x.merchant, y.merchant), cmp.Compare(x.currency, y.currency))
	})
}

// disputeFile tells the queued disputes, and nothing else.
func (h *Host) disputeFile() []*report {
	due := map[party][]*event{}
	for _, e := range h.book.events {
		if to := (party{e.Merchant, e.Currency}); e.File == "" && strings.Contains(disputeRecords, e.Type) {
			due[to] = append(due[to], e)
		}
	}
	return h.write("PIDSP", h.book.day, due, nil, false)
}

// balance is what files of earlier days added up to and nobody has paid.
type balance struct {
	net     int64
	day     string // the last of them
	reports []*report
}

func (h *Host) owed(day string) map[party]balance {
	found := map[party]balance{}
	for _, r := range h.book.reports {
		if r.Paid || r.Kind == "PICAPR" || r.Day >= day {
			continue
		}
		to := party{r.Merchant, r.Currency}
		sum := found[to]
		found[to] = balance{sum.net + r.Net, max(sum.day, r.Day), append(sum.reports, r)}
	}
	return found
}

// payout tells that the money is on its way (C), or, below nought, is drawn from the merchant's account (D).
func (h *Host) payout(to party, sum balance) *event {
	if sum.net == 0 {
		return nil
	}
	e := &event{
		Type: "PAY", ID: h.book.eventID(), At: h.now(), Amount: max(sum.net, -sum.net), Currency: to.currency, Instalment: "00",
		Merchant: to.merchant, Day: h.book.day, Reason: sum.day, Result: "C",
	}
	if sum.net < 0 {
		e.Result = "D"
	}
	e.Text = fmt.Sprintf("BK%s-%06d", sum.day, seeded(h.book.seed, e.ID+to.merchant).IntN(1e6))
	return e
}

// write makes one file for each party, remembers what it told, and only then delivers it.
func (h *Host) write(kind, day string, due map[party][]*event, paid map[party][]string, lateARN bool) []*report {
	b, made := h.book, []*report{}
	for _, to := range sorted(due) {
		r, lines := h.newReport(kind, to, day), slices.Clone(due[to])
		s := step{Day: b.day, Reports: []*report{r}, Paid: paid[to]}
		bad := slices.IndexFunc(lines, func(e *event) bool { return e.Type != "PAY" })
		if bad >= 0 && h.fileRule(r.Name, "file-bad-line") == "" {
			bad = -1
		}
		for i, e := range lines {
			if i == bad {
				lines[i] = e.spoiled() // it stays due, and the next file tells it right
			} else {
				h.tell(e, r.Name, lateARN, &s)
			}
		}
		for _, name := range s.Paid {
			b.report(name).Paid = true
		}
		r.Records, r.Net, r.Text = len(lines), sumNet(lines), settlement(h.cfg.Acquirer, r, columns, lines)
		if b.reports = append(b.reports, r); h.keep(s) {
			h.deliver(r, b.before(r))
		}
		made = append(made, r)
	}
	return made
}

// tell notes that a file tells an event, and what that means to its payment or dispute.
func (h *Host) tell(e *event, name string, lateARN bool, s *step) {
	b := h.book
	if e.ID == "" {
		e.ID = b.eventID()
	}
	if e.payment != nil || e.Type == "PAY" { // all others were queued
		b.events = append(b.events, e)
	}
	e.File, s.Events = name, append(s.Events, e)
	switch p := e.payment; {
	case p == nil:
	case e.Type == "ADJ":
		p.Withdrawn = name
	default:
		p.Filed = name
		if lateARN && e.ARN != "" {
			e.ARN = ""
			s.Events = append(s.Events, b.queue(h.arnRecord(p)))
		}
	}
	if e.payment != nil {
		s.Payments = append(s.Payments, e.payment)
	}
	for _, d := range b.disputes {
		if e.Type == "CHB" && d.Event == e.ID {
			d.Told, s.Disputes = append(slices.Clone(d.Told), "CHB"), append(s.Disputes, d)
		}
	}
}

// spoiled is the line of an event as it should not be: of a type that nobody knows, and without its money.
func (e *event) spoiled() *event {
	bad := *e
	bad.Type, bad.ID = "ZZZ", cmp.Or(e.ID, "E0000000")
	bad.Gross, bad.Interchange, bad.Scheme, bad.Acquirer, bad.Tax, bad.Net = 0, 0, 0, 0, 0, 0
	return &bad
}

func sumNet(lines []*event) (sum int64) {
	for _, e := range lines {
		sum += e.Net
	}
	return sum
}

// settlement is the text of a file (rails §4.3).
func settlement(acquirer string, r *report, columns []string, events []*event) string {
	rows := [][]string{
		{"H", "1", acquirer, r.Merchant, isoDay(r.Day), fmt.Sprintf("%03d", r.Seq), r.Currency, r.Created.In(hostZone).Format(time.RFC3339)},
		append([]string{"N"}, columns...),
	}
	var gross, fees, tax int64
	for i, e := range events {
		rows = append(rows, append([]string{"D"}, e.fields(i + 1)[:len(columns)]...))
		gross, fees, tax = gross+e.Gross, fees+e.Interchange+e.Scheme+e.Acquirer, tax+e.Tax
	}
	return sealed(rows, fmt.Sprint(len(events)), fmt.Sprint(gross), fmt.Sprint(fees), fmt.Sprint(tax), fmt.Sprint(sumNet(events)))
}

// sealed puts the trailer, with a hash over all bytes before it, behind the lines.
func sealed(rows [][]string, totals ...string) string {
	text := lines(rows)
	sum := sha256.Sum256([]byte(text))
	return text + lines([][]string{slices.Concat([]string{"T"}, totals, []string{hex.EncodeToString(sum[:])})})
}

func lines(rows [][]string) string {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	w.UseCRLF = true
	if err := w.WriteAll(rows); err != nil {
		panic("sim: a buffer did not take a line: " + err.Error())
	}
	return b.String()
}

func isoDay(day string) string { return day[:4] + "-" + day[4:6] + "-" + day[6:] }
