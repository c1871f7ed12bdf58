package clearing

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"naru/core/money"
)

// Kind is what a file is for: the first part of its name.
type Kind string

// The kinds (rails §4.2, §4.3).
const (
	Settlement     Kind = "PISTL"
	Disputes       Kind = "PIDSP" // a settlement file with disputes only
	Captures       Kind = "PICAP"
	CaptureAnswers Kind = "PICAPR"
)

// Contract is whose files we take. Zone is where the acquirer's days begin and end; it is never nil.
type Contract struct {
	Acquirer, Merchant string
	Zone               *time.Location
}

// Head is what a file says of itself, proven against its name, the contract and its own bytes.
type Head struct {
	Name         string
	Kind         Kind
	BusinessDate string // 2026-11-22
	Seq          int
	Currency     money.Currency
	CreatedAt    time.Time
	SHA256       string // the hash in T: of every byte before that line, in hex
}

// FileFault is why a whole file is refused.
type FileFault string

// The faults of a file. Damage to the bytes is told before what they say, so that it is not blamed on the acquirer's arithmetic.
const (
	EncodingWrong   FileFault = "encoding"  // a byte order mark, not UTF-8, or a line that does not end in CRLF
	Truncated       FileFault = "truncated" // no T line, or T is cut
	NameWrong       FileFault = "name"
	ContractDiffers FileFault = "contract" // another acquirer or merchant, in the name or in H
	VersionUnknown  FileFault = "version"
	HeaderWrong     FileFault = "header"  // H is malformed, or differs from the name
	TrailerWrong    FileFault = "trailer" // T is malformed, or something follows it
	HashDiffers     FileFault = "hash"
	ColumnsWrong    FileFault = "columns" // N lacks a column that we read, or names one twice
	LineForeign     FileFault = "line"    // between N and T stands something that is no D
	CountDiffers    FileFault = "count"
	NumberingBroken FileFault = "numbering" // the rec_no are not 1 to n, each once
	SumsDiffer      FileFault = "sums"
)

// Refusal is the error of a file that books nothing at all. It quotes nothing of the file.
type Refusal struct {
	Reason FileFault
	Line   int // from 1; 0 where no line is to blame
}

func (r *Refusal) Error() string {
	if r.Line == 0 {
		return "file refused: " + string(r.Reason)
	}
	return fmt.Sprintf("file refused: %s, line %d", r.Reason, r.Line)
}

// layout is how one kind of file differs from another.
type layout struct {
	kinds   []Kind
	columns string // those that we read
	totals  int    // sums between the count and the hash of T
}

// document is a file whose frame holds: bytes, name, H, N, T and numbering. What the details say is still to be judged.
type document struct {
	Head
	rows    []row
	count   int64
	totals  []int64
	trailer int // the line of T
}

// open proves everything that does not depend on what a detail means.
func open(name string, text []byte, c Contract, l layout) (document, error) {
	d := document{Head: Head{Name: name}}
	lines, err := split(text)
	if err != nil {
		return d, err
	}
	d.trailer = len(lines)
	last := lines[len(lines)-1]
	body := text[:len(text)-len(last)-len(crlf)]
	for _, check := range []func() error{
		func() error { return d.named(c, l.kinds) },
		func() error { return d.headed(c, lines[0]) },
		func() error { return d.trailed(last, l.totals, body) },
		func() error { return d.detailed(lines, l.columns) },
	} {
		if err := check(); err != nil {
			return d, err
		}
	}
	return d, nil
}

const crlf = "\r\n"

// split cuts a whole file into its lines. A record is one line: RFC 4180 lets a quoted field run over several, but then one lost quote
// would swallow the neighbours.
func split(text []byte) ([]string, error) {
	if bytes.HasPrefix(text, []byte("\xef\xbb\xbf")) {
		return nil, &Refusal{EncodingWrong, 1}
	}
	whole, ended := strings.CutSuffix(string(text), crlf)
	lines := strings.Split(whole, crlf)
	for i, l := range lines {
		if !ended && i == len(lines)-1 {
			l = strings.TrimSuffix(l, "\r") // cut between CR and LF
		}
		if strings.ContainsAny(l, crlf) || !utf8.ValidString(l) {
			return nil, &Refusal{EncodingWrong, i + 1}
		}
	}
	if !ended {
		return nil, &Refusal{Truncated, len(lines)}
	}
	if isTrailer(lines[len(lines)-1]) && len(lines) > 1 {
		return lines, nil
	}
	for i, l := range lines {
		if isTrailer(l) { // something follows the end, or nothing precedes it
			return nil, &Refusal{TrailerWrong, i + 1}
		}
	}
	return nil, &Refusal{Truncated, len(lines)}
}

func isTrailer(line string) bool { return strings.HasPrefix(line, "T,") }

// named reads KIND_acquirer_merchant_YYYYMMDD_seq3.csv.
func (d *document) named(c Contract, kinds []Kind) error {
	stem, csv := strings.CutSuffix(d.Name, ".csv")
	parts := strings.Split(stem, "_")
	n := len(parts)
	if !csv || n < 5 || len(parts[n-1]) != 3 {
		return &Refusal{Reason: NameWrong}
	}
	for _, k := range kinds {
		if parts[0] == string(k) {
			d.Kind = k
		}
	}
	day, badDay := time.Parse("20060102", parts[n-2])
	seq, badSeq := strconv.ParseUint(parts[n-1], 10, 16)
	if d.Kind == "" || badDay != nil || badSeq != nil {
		return &Refusal{Reason: NameWrong}
	}
	if strings.Join(parts[1:n-2], "_") != c.Acquirer+"_"+c.Merchant {
		return &Refusal{Reason: ContractDiffers}
	}
	d.BusinessDate, d.Seq = day.Format(time.DateOnly), int(seq)
	return nil
}

// headed reads H,1,acquirer,merchant,business_date,seq,currency,created_at.
func (d *document) headed(c Contract, line string) error {
	f, ok := cells(line)
	switch {
	case !ok || len(f) < 2 || f[0] != "H":
		return &Refusal{HeaderWrong, 1}
	case f[1] != "1":
		return &Refusal{VersionUnknown, 1}
	case len(f) != 8:
		return &Refusal{HeaderWrong, 1}
	case f[2] != c.Acquirer || f[3] != c.Merchant:
		return &Refusal{ContractDiffers, 1}
	}
	currency, known := money.Lookup(f[6])
	created, err := time.Parse(time.RFC3339, f[7])
	if f[4] != d.BusinessDate || f[5] != fmt.Sprintf("%03d", d.Seq) || !known || err != nil {
		return &Refusal{HeaderWrong, 1}
	}
	d.Currency, d.CreatedAt = currency, created
	return nil
}

// trailed reads T,count,sums...,sha256 and proves the hash.
func (d *document) trailed(line string, totals int, body []byte) error {
	f, ok := cells(line)
	if !ok || len(f) != totals+3 {
		return &Refusal{TrailerWrong, d.trailer}
	}
	for _, text := range f[1 : totals+2] {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return &Refusal{TrailerWrong, d.trailer}
		}
		d.totals = append(d.totals, n)
	}
	d.count, d.totals = d.totals[0], d.totals[1:]
	hash := sha256.Sum256(body)
	d.SHA256 = hex.EncodeToString(hash[:])
	if !strings.EqualFold(f[totals+2], d.SHA256) {
		return &Refusal{HashDiffers, d.trailer}
	}
	return nil
}

// detailed reads N and the frame of every D, and proves the count and the numbering.
func (d *document) detailed(lines []string, needed string) error {
	columns, ok := columnsOf(lines[1], needed)
	if !ok {
		return &Refusal{ColumnsWrong, 2}
	}
	for i, l := range lines[2 : len(lines)-1] {
		if !strings.HasPrefix(l, "D,") {
			return &Refusal{LineForeign, i + 3}
		}
		d.rows = append(d.rows, readRow(l, i+3, columns))
	}
	if d.count != int64(len(d.rows)) {
		return &Refusal{CountDiffers, d.trailer}
	}
	seen := make([]bool, len(d.rows)+1)
	for i := range d.rows {
		r := &d.rows[i]
		if r.fault != "" {
			continue // its number may be anything, so another line has it or nobody
		}
		n, err := strconv.ParseUint(r.text("rec_no"), 10, 32)
		if err != nil || n == 0 || n >= uint64(len(seen)) || seen[n] {
			return &Refusal{NumberingBroken, r.line}
		}
		seen[n], r.recNo = true, int(n)
	}
	return nil
}

// columnsOf finds the columns by the names in N, so that the acquirer may add and move them.
func columnsOf(line, needed string) (map[string]int, bool) {
	names, ok := cells(line)
	if !ok || names[0] != "N" {
		return nil, false
	}
	at := map[string]int{}
	for i, name := range names {
		if _, twice := at[name]; twice {
			return nil, false
		}
		at[name] = i
	}
	for _, name := range strings.Fields(needed) {
		if _, ok := at[name]; !ok {
			return nil, false
		}
	}
	return at, true
}

// cells cuts a line into fields, quoted as in RFC 4180. Blanks belong to their field.
func cells(line string) (fields []string, ok bool) {
	for {
		var field string
		if rest, quoted := strings.CutPrefix(line, `"`); quoted {
			for {
				part, tail, closed := strings.Cut(rest, `"`)
				if !closed {
					return nil, false
				}
				field += part
				if rest, quoted = strings.CutPrefix(tail, `"`); !quoted {
					line = tail
					break
				}
				field += `"`
			}
		} else {
			end := strings.IndexByte(line, ',')
			if end < 0 {
				end = len(line)
			}
			field, line = line[:end], line[end:]
			if strings.Contains(field, `"`) {
				return nil, false
			}
		}
		fields = append(fields, field)
		if line == "" {
			return fields, true
		}
		if line, ok = strings.CutPrefix(line, ","); !ok {
			return nil, false
		}
	}
}

// LineFault is why one line of a good file is rejected. It never holds what the line says.
type LineFault string

// The faults of a line. Of several the first that is met is told.
const (
	Unreadable       LineFault = "unreadable" // quotes do not fit, a control character, or not as many fields as columns
	TypeUnknown      LineFault = "unknown-type"
	EventMissing     LineFault = "no-event-id"
	EventRepeated    LineFault = "repeated-event-id" // within the file; what was booked before is the engine's to know
	NumberWrong      LineFault = "bad-number"
	DateWrong        LineFault = "bad-date"
	CurrencyUnknown  LineFault = "unknown-currency"
	NetDiffers       LineFault = "net-differs"
	SignWrong        LineFault = "wrong-sign" // of the gross amount, for the type
	StageWrong       LineFault = "bad-stage"
	ReplyByMissing   LineFault = "no-reply-by"
	ReferenceMissing LineFault = "no-reference" // nothing says which payment it is about
	ARNWrong         LineFault = "bad-arn"
	ResultWrong      LineFault = "bad-result"
)

// Rejected is a line that is not believed.
type Rejected struct {
	Line    int    // from 1
	RecNo   int    // 0 where the line is unreadable
	EventID string // empty where there is none, or where it could be a card number
	Reason  LineFault
}

// row is one detail. The first thing in it that cannot be read is its fault; reading goes on with zeroes.
type row struct {
	line, recNo int
	fields      []string
	columns     map[string]int
	fault       LineFault
}

func readRow(text string, line int, columns map[string]int) row {
	fields, ok := cells(text)
	r := row{line: line, fields: fields, columns: columns}
	if !ok || len(fields) != len(columns) || strings.ContainsFunc(text, func(c rune) bool { return unicode.IsControl(c) && c != '\t' }) {
		r.fields = make([]string, len(columns))
		r.blame(Unreadable)
	}
	return r
}

func (r *row) blame(f LineFault) {
	if r.fault == "" {
		r.fault = f
	}
}

func (r *row) text(column string) string { return r.fields[r.columns[column]] }

// digest is the SHA-256 of what a line says in the columns that we read, but for its place in the file.
func (r *row) digest(columns string) string {
	sum := sha256.New()
	for _, c := range append(strings.Fields(columns), "case_id") {
		if at, ok := r.columns[c]; ok && c != "rec_no" {
			fmt.Fprintf(sum, "%s=%q\n", c, r.fields[at])
		}
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// largest is far above any amount and far below where adding five of them could overflow.
const largest = 1_000_000_000_000_000

// amount reads a signed number of minor units.
func (r *row) amount(column string) int64 {
	n, err := strconv.ParseInt(r.text(column), 10, 64)
	if err != nil || n > largest || n < -largest {
		r.blame(NumberWrong)
		return 0
	}
	return n
}

// day reads a date that may be absent.
func (r *row) day(column string) time.Time {
	text := r.text(column)
	if text == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		r.blame(DateWrong)
	}
	return t
}

// arn reads 23 digits. Their order is opaque to us (rails open point O7), so the check digit is not computed.
func (r *row) arn() string {
	arn := r.text("arn")
	if arn != "" && (len(arn) != 23 || !digits(arn)) {
		r.blame(ARNWrong)
	}
	return arn
}

func digits(text string) bool { return text != "" && strings.Trim(text, "0123456789") == "" }
