package sim

import (
	"cmp"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// taken is a capture file that the host has booked.
type taken struct {
	Name   string `json:"name"`
	SHA256 string `json:"sha256"`
}

// captureFile is one PICAP file, taken apart (rails §4.2).
type captureFile struct {
	merchant, day, currency string
	seq                     int
	items                   []captureItem
}

// captureItem is a detail line by the names of its columns.
type captureItem map[string]string

var (
	captureName = regexp.MustCompile(`^PICAP_([0-9A-Za-z-]+)_([0-9A-Za-z-]+)_([0-9]{8})_([0-9]{3})\.csv$`)
	sixDigits   = regexp.MustCompile(`^[0-9]{6}$`)
	tenDigits   = regexp.MustCompile(`^[0-9]{10}$`)
	upTo12      = regexp.MustCompile(`^[0-9]{1,12}$`)
)

// captureColumns are those that a detail line must have.
var captureColumns = []string{
	"rec_no", "op", "payment_ref", "rrn", "stan", "transmission_dt", "auth_code", "network_txn_id", "amount", "currency",
	"installment", "original_rrn", "original_date", "txn_ts",
}

// readCapture takes a capture file apart. An error refuses it as a whole.
func readCapture(acquirer, name, text string) (f captureFile, err error) {
	named := captureName.FindStringSubmatch(name)
	if named == nil || named[1] != acquirer {
		return f, errors.New("the name is not one of a capture file for this acquirer")
	}
	at := strings.LastIndex(text, "\r\nT,") + 2
	switch {
	case !utf8.ValidString(text) || strings.HasPrefix(text, "\ufeff"):
		return f, errors.New("it is not UTF-8, or it has a byte order mark")
	case at < 2 || !strings.HasSuffix(text, "\r\n") || strings.Count(text[at:], "\n") != 1:
		return f, errors.New("there is no trailer at the end")
	case strings.Count(text, "\n") != strings.Count(text, "\r\n"):
		return f, errors.New("a line does not end with CRLF")
	}
	r := csv.NewReader(strings.NewReader(text))
	r.FieldsPerRecord = -1
	rows, err := r.ReadAll()
	if err != nil || len(rows) < 3 {
		return f, errors.New("it is no CSV of header, names and trailer")
	}
	head, columns, details, tail := rows[0], rows[1], rows[2:len(rows)-1], rows[len(rows)-1]
	switch {
	case len(head) != 8 || head[0] != "H" || head[1] != "1":
		return f, errors.New("the header is not that of version 1")
	case head[2] != acquirer, notInNames.ReplaceAllString(head[3], "-") != named[2], strings.ReplaceAll(head[4], "-", "") != named[3],
		head[5] != named[4]:
		return f, errors.New("header and name differ")
	case len(tail) != 4 || tail[0] != "T":
		return f, errors.New("the trailer has not four fields")
	}
	f.merchant, f.day, f.currency, f.seq = head[3], named[3], numeric(head[6]), int(whole(named[4]))
	sum, count, hash := int64(0), int64(len(details)), sha256.Sum256([]byte(text[:at]))
	for i, row := range details {
		item := captureItem{}
		for n, name := range columns {
			if n < len(row) {
				item[name] = row[n]
			}
		}
		if item["N"] != "D" || item["rec_no"] != strconv.Itoa(i+1) || len(row) != len(columns) {
			return f, errors.New("the detail lines are not numbered 1, 2, 3")
		}
		sum += whole(item["amount"])
		f.items = append(f.items, item)
	}
	for _, needed := range captureColumns {
		if columns[0] != "N" || !slices.Contains(columns, needed) {
			return f, fmt.Errorf("column %s is missing", needed)
		}
	}
	switch {
	case tail[1] != strconv.FormatInt(count, 10) || tail[2] != strconv.FormatInt(sum, 10):
		return f, errors.New("count or sum differ from the trailer")
	case tail[3] != hex.EncodeToString(hash[:]):
		return f, errors.New("the hash differs from the trailer")
	}
	return f, nil
}

// numeric is a currency as messages call it, however it was called.
func numeric(currency string) string {
	for code, name := range letters {
		if name == currency {
			return code
		}
	}
	return currency
}

// collected is what became of one capture file.
type collected struct {
	Name    string `json:"name"`
	Booked  int    `json:"booked"`
	Refused int    `json:"refused"`
	Answer  string `json:"answer,omitempty"`
	Problem string `json:"problem,omitempty"`
}

// collect takes every capture file in the folder, in the order of the names. What it has done with goes to done/, what it does not
// take to refused/; a file whose predecessor is missing stays and waits for it.
func (h *Host) collect() []collected {
	found := []collected{}
	names, err := filepath.Glob(filepath.Join(h.cfg.Collect, "PICAP_*.csv"))
	if err != nil {
		h.cfg.Log.Error("the capture folder cannot be read", "cause", err)
	}
	slices.Sort(names)
	for _, path := range names {
		c, to := h.collectFile(path)
		if c.Problem != "" {
			h.cfg.Log.Warn("a capture file is not taken", "file", c.Name, "cause", c.Problem)
		}
		if to != "" {
			if err := move(path, to); err != nil {
				h.cfg.Log.Error("a capture file stays where it is", "file", c.Name, "cause", err)
			}
		}
		found = append(found, c)
	}
	return found
}

func move(path, to string) error {
	dir := filepath.Join(filepath.Dir(path), to)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return os.Rename(path, filepath.Join(dir, filepath.Base(path)))
}

// collectFile books one file, and says where it goes from here.
func (h *Host) collectFile(path string) (collected, string) {
	c, b := collected{Name: filepath.Base(path)}, h.book
	refused := func(why string) (collected, string) {
		c.Problem = why
		return c, "refused"
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		c.Problem = "it cannot be read"
		return c, ""
	}
	sum := sha256.Sum256(raw)
	hash, answer := hex.EncodeToString(sum[:]), "PICAPR"+strings.TrimPrefix(c.Name, "PICAP")
	if known := b.captures[c.Name]; known == hash { // the same again: the same answer again
		c.Answer = answer
		h.deliver(b.report(answer), b.report(answer))
		return c, "done"
	} else if known != "" {
		return refused("the name is known, with other content")
	}
	f, err := readCapture(h.cfg.Acquirer, c.Name, string(raw))
	if err != nil {
		return refused(err.Error())
	}
	prefix := c.Name[:len(c.Name)-len("001.csv")]
	if f.seq > 1 && b.captures[fmt.Sprintf("%s%03d.csv", prefix, f.seq-1)] == "" {
		c.Problem = "its predecessor has not come"
		return c, ""
	}
	r := &report{
		Name: answer, Kind: "PICAPR", Merchant: f.merchant, Currency: cmp.Or(letters[f.currency], f.currency), Day: f.day, Seq: f.seq,
		Created: h.now(), Records: len(f.items),
	}
	rows, touched := captureAnswer(h.cfg.Acquirer, r), map[int]*payment{}
	for _, item := range f.items {
		p, code, changed := b.bookItem(item, f, h.now())
		line := []string{"D", item["rec_no"], item["payment_ref"], item["rrn"], code, "", "", ""}
		if code == "00" {
			line[5], line[6] = p.arn(), isoDay(p.BookedDay)
			c.Booked++
		} else {
			line[7] = cmp.Or(refusals[code], "refused by the issuer")
			c.Refused++
		}
		for _, p := range changed {
			b.put(p)
			touched[p.ID] = p
		}
		rows = append(rows, line)
	}
	r.Text = sealed(rows, strconv.Itoa(len(f.items)))
	s := step{Day: b.day, Reports: []*report{r}, Capture: &taken{c.Name, hash}}
	for _, id := range slices.Sorted(maps.Keys(touched)) {
		s.Payments = append(s.Payments, touched[id])
	}
	if b.reports, b.captures[c.Name] = append(b.reports, r), hash; h.keep(s) {
		h.deliver(r, b.before(r))
	}
	c.Answer = answer
	return c, "done"
}

// captureAnswer is the head of an answer: the header as in every file, and the names.
func captureAnswer(acquirer string, r *report) [][]string {
	return [][]string{
		{"H", "1", acquirer, r.Merchant, isoDay(r.Day), fmt.Sprintf("%03d", r.Seq), r.Currency, r.Created.In(hostZone).Format(time.RFC3339)},
		{"N", "rec_no", "payment_ref", "rrn", "result", "arn", "settlement_date", "text"},
	}
}

// refusals is what the codes of an answer mean in words.
var refusals = map[string]string{
	"12": "no such operation", "13": "amount above what is held or booked", "25": "no such approval", "30": "broken field",
	"77": "currency differs", "94": "booked before", "R1": "revoked",
}

// bookItem books one line, by the rules of the message that it stands for.
func (b *book) bookItem(item captureItem, f captureFile, now time.Time) (*payment, string, []*payment) {
	amount := whole(item["amount"])
	switch {
	case !shapeDE37.MatchString(item["rrn"]), !upTo12.MatchString(item["amount"]), !sixDigits.MatchString(item["stan"]),
		!tenDigits.MatchString(item["transmission_dt"]):
		return nil, "30", nil
	case numeric(item["currency"]) != f.currency: // a file has one
		return nil, "77", nil
	case item["op"] == "CAP":
		return b.bookCapture(item, f, amount, now)
	case item["op"] == "REF":
		return b.bookRefund(item, f, amount, now)
	}
	return nil, "12", nil
}

// lineSubject finds the payment that a line is about: a file holds no card number (rails §4.2).
func (b *book) lineSubject(rrn string, f captureFile, which func(*payment) bool) *payment {
	for _, p := range b.byRRN[rrn] {
		if p.merchant() == f.merchant && which(p) {
			return p
		}
	}
	return nil
}

// approvedWith compares approval codes. Blanks at the end may be lost in a file; of eight digits the last six will do, as in DE38.
func (p *payment) approvedWith(code string) bool {
	code = strings.TrimRight(code, " ")
	return code == strings.TrimRight(p.Approval, " ") || code != "" && code == p.Approval8
}

func (b *book) bookCapture(item captureItem, f captureFile, amount int64, now time.Time) (*payment, string, []*payment) {
	p := b.lineSubject(item["rrn"], f, func(p *payment) bool { return p.Kind == "hold" && p.approvedWith(item["auth_code"]) })
	if p == nil {
		return nil, "25", nil
	}
	p.after(now)
	if code := cmp.Or(onCapture[p.State], p.refusesCapture(numeric(item["currency"]), amount)); code != "" {
		return p, code, nil
	}
	p.State, p.Booked, p.BookedDay, p.Reference = captured, amount, b.day, cmp.Or(p.Reference, item["payment_ref"])
	p.Completion = "0220" + item["stan"] + item["transmission_dt"] + p.Name[20:]
	return p, "00", []*payment{p}
}

func (b *book) bookRefund(item captureItem, f captureFile, amount int64, now time.Time) (*payment, string, []*payment) {
	original := b.lineSubject(item["original_rrn"], f, func(p *payment) bool {
		return p.booked() && (item["auth_code"] == "" || p.approvedWith(item["auth_code"])) // a refund need not know the code
	})
	if original == nil {
		return nil, "25", nil
	}
	name := "0200" + item["stan"] + item["transmission_dt"] + original.Name[20:]
	before := b.lineSubject(item["rrn"], f, func(p *payment) bool { return p.Kind == "refund" && p.State == captured })
	if before != nil || b.byName[name] != nil {
		return nil, "94", nil
	}
	currency := numeric(item["currency"])
	card, code := b.lookup(original.PAN)
	if code == "" {
		code = cmp.Or(card.refusesCredit(), original.refusesRefund(currency, amount))
	}
	if code == "" && card.credit.Action == "decline" && !card.creditOnce {
		code = card.credit.Code
	}
	if code != "" {
		return nil, code, nil
	}
	p := &payment{
		ID: len(b.payments) + 1, Kind: "refund", PAN: original.PAN, RRN: item["rrn"], Terminal: original.Terminal,
		Merchant: original.Merchant, Amount: amount, Asked: amount, Currency: currency, Name: name, Made: now,
		Reference: item["payment_ref"], Instalment: item["installment"],
	}
	return p, "00", []*payment{original, b.giveBack(p, original)}
}

// collectNow is the command.
func (h *Host) collectNow(struct{}) (any, error) {
	if h.cfg.Collect == "" {
		return nil, refusal{http.StatusConflict, errors.New("this host collects no files")}
	}
	return h.collect(), nil
}
