package desk

import (
	"context"
	"encoding/csv"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"naru/core/deposit"
	"naru/core/money"
	"naru/engine"
)

const (
	onPage   = 50
	atOnce   = 500     // rows read in one go for a file
	mostRows = 100_000 // of a file
)

// cell is one field of a list: on the page with its link, its state or its time, in a file as plain text.
type cell struct {
	Text string
	Href string
	Mark *mark
	At   time.Time
	Won  *money.Amount
}

func (c cell) plain() string {
	switch {
	case c.Mark != nil:
		return c.Mark.Word
	case c.Won != nil:
		return strconv.FormatInt(c.Won.Minor(), 10)
	case !c.At.IsZero():
		return c.At.UTC().Format(time.RFC3339)
	case c.Text != "" && strings.ContainsRune("=+-@\t\r", rune(c.Text[0])):
		return "'" + c.Text // a spreadsheet would compute it
	}
	return c.Text
}

func marked(m mark) cell          { return cell{Mark: &m} }
func amount(a money.Amount) cell  { return cell{Won: &a} }
func moment(at time.Time) cell    { return cell{At: at} }
func words(text string) cell      { return cell{Text: text} }
func linked(text, to string) cell { return cell{Text: text, Href: to} }

// shown is a cell as a reader in a zone sees it.
type shown struct {
	cell
	Stamp *stamp
}

// In is the cell in a zone.
func (c cell) In(zone *time.Location) shown {
	v := shown{cell: c}
	if !c.At.IsZero() {
		s := stampOf(c.At, zone)
		v.Stamp = &s
	}
	return v
}

// column is the head of one: Name on the page, File in a file.
type column struct {
	Name, File string
	Figure     bool // right-aligned
}

// option is a choice of a filter.
type option struct {
	ID, Word string
	Chosen   bool
}

// filter is what of a list is wanted, as the address says it.
type filter struct {
	Number, Client, State string
	From, Until           string // days of the merchant's zone
	Options               []option
	Wrong                 string
	page                  int64
	from, until           time.Time // until: the first moment that does not belong to it
	query                 url.Values
}

// day is how a filter names a day.
const day = "2006-01-02"

func (c *call) filter() *filter {
	q := c.r.URL.Query()
	f := &filter{
		Number: strings.TrimSpace(q.Get("number")), Client: strings.TrimSpace(q.Get("client")), State: q.Get("state"),
		From: q.Get("from"), Until: q.Get("until"), page: 1, query: q,
	}
	var err error
	if f.from, err = dayOf(f.From, c.merchant.Location, 0); err != nil {
		f.Wrong = "From is not a day: write it like 2026-01-31."
	}
	if f.until, err = dayOf(f.Until, c.merchant.Location, 1); err != nil {
		f.Wrong = "Until is not a day: write it like 2026-01-31."
	}
	if !f.from.IsZero() && !f.until.IsZero() && !f.from.Before(f.until) {
		f.Wrong = "Until is before from."
	}
	if p := q.Get("page"); p != "" {
		if f.page, err = strconv.ParseInt(p, 10, 32); err != nil || f.page < 1 {
			f.Wrong = "There is no such page."
		}
	}
	return f
}

// dayOf is the beginning of a day, or of one some days later: a merchant's day has 24 hours only where no clock is changed.
func dayOf(text string, in *time.Location, later int) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	at, err := time.ParseInLocation(day, text, in)
	if err != nil {
		return at, err
	}
	return at.AddDate(0, 0, later), nil
}

// offer puts the states of a list into its filter.
func offer[S ~string](f *filter, kinds []kind[S]) (states []string) {
	known := f.State == ""
	for _, k := range kinds {
		chosen := k.ID == f.State
		known = known || chosen
		f.Options = append(f.Options, option{k.ID, k.Word, chosen})
		if chosen {
			for _, s := range k.States {
				states = append(states, string(s))
			}
		}
	}
	if !known && f.Wrong == "" {
		f.Wrong = "There is no such state: choose one of the list."
	}
	return states
}

// Any reports whether something is left out.
func (f *filter) Any() bool {
	return f.Number != "" || f.Client != "" || f.State != "" || f.From != "" || f.Until != ""
}

// address is that of the same list with another page, or of its file.
func (f *filter) address(path string, page int64) string {
	q := url.Values{}
	for _, name := range []string{"number", "client", "state", "from", "until"} {
		if v := f.query.Get(name); v != "" {
			q.Set(name, v)
		}
	}
	if page > 1 {
		q.Set("page", strconv.FormatInt(page, 10))
	}
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

// list is a table with its filter.
type list struct {
	Filter       *filter
	Path         string
	Columns      []column
	Rows         [][]cell
	Total        int64
	First, Last  int64
	Newer, Older string
	Filtered     bool   // somebody chose what to see
	Clients      bool   // the filter knows the merchant's own numbers
	Empty        string // what would appear here, and how to make it appear
	Resend       *resendAll
	Cut          int64 // how many are looked at, where there are more
}

// source is a kind of list: its heads, and how a part of it is read.
type source struct {
	id, title, empty string
	columns          []column
	read             func(ctx context.Context, p engine.Page) (rows [][]cell, total int64, err error)
}

func (d *Desk) depositSource() source {
	return source{
		"deposits", "Deposits", "Nobody has ordered yet. An order appears here as soon as POST /gateway/api/v1/payments has answered 0000.",
		[]column{
			{"State", "state", false},
			{"Number", "number", false},
			{"Your number", "client_number", false},
			{"Ordered", "ordered_won", true},
			{"To transfer", "to_transfer_won", true},
			{"Arrived", "arrived_won", true},
			{"Fee", "fee_won", true},
			{"Created", "created", true},
			{"Changed", "changed", true},
		},
		func(ctx context.Context, p engine.Page) (rows [][]cell, total int64, err error) {
			orders, total, err := d.cfg.Engine.Deposits(ctx, p)
			for _, o := range orders {
				rows = append(rows, []cell{
					marked(kindOf(depositKinds, o.State).mark), linked(o.Number, root+"deposits/"+o.Number), words(o.ClientID), amount(o.Amount),
					amount(o.Display), arrived(o, o.Real), arrived(o, o.Fee), moment(o.CreatedAt), moment(o.ChangedAt),
				})
			}
			return rows, total, err
		},
	}
}

// arrived is an amount of an order that means something only once it was paid.
func arrived(o deposit.Order, a money.Amount) cell {
	if o.PaidAt.IsZero() {
		return words("")
	}
	return amount(a)
}

func (d *Desk) payoutSource() source {
	return source{
		"payouts", "Payouts", "Nothing was paid out yet. A payout appears here as soon as POST /gateway/api/v2/payouts has answered 0000.",
		[]column{
			{"State", "state", false},
			{"Number", "number", false},
			{"Your number", "client_number", false},
			{"Amount", "amount_won", true},
			{"Fee", "fee_won", true},
			{"Created", "created", true},
			{"Changed", "changed", true},
		},
		func(ctx context.Context, p engine.Page) (rows [][]cell, total int64, err error) {
			list, total, err := d.cfg.Engine.MerchantPayouts(ctx, p)
			for _, m := range list {
				rows = append(rows, []cell{
					marked(kindOf(payoutKinds, m.State).mark), linked(m.Number, root+"payouts/"+m.Number), words(m.RequestID), amount(m.Amount),
					amount(m.Fee), moment(m.CreatedAt), moment(m.ChangedAt),
				})
			}
			return rows, total, err
		},
	}
}

func (d *Desk) deposits(c *call) {
	f := c.filter()
	d.table(c, f, offer(f, depositKinds), d.depositSource())
}

func (d *Desk) payouts(c *call) {
	f := c.filter()
	d.table(c, f, offer(f, payoutKinds), d.payoutSource())
}

func (d *Desk) depositsCSV(c *call) {
	f := c.filter()
	d.file(c, f, offer(f, depositKinds), d.depositSource())
}

func (d *Desk) payoutsCSV(c *call) {
	f := c.filter()
	d.file(c, f, offer(f, payoutKinds), d.payoutSource())
}

func (c *call) page(f *filter, states []string) engine.Page {
	return engine.Page{Merchant: c.merchant.ID, Number: f.Number, ClientID: f.Client, From: f.from, Until: f.until, States: states}
}

func (d *Desk) table(c *call, f *filter, states []string, s source) {
	l := list{Filter: f, Path: root + s.id, Columns: s.columns, Empty: s.empty, Clients: true, Filtered: f.Any()}
	if f.Wrong != "" {
		d.show(c, http.StatusBadRequest, s.id, s.title, l)
		return
	}
	p := c.page(f, states)
	p.Offset, p.Limit = (f.page-1)*onPage, onPage
	var err error
	if l.Rows, l.Total, err = s.read(c.ctx(), p); err != nil {
		d.fail(c, err)
		return
	}
	l.turn(p.Offset)
	d.show(c, http.StatusOK, s.id, s.title, l)
}

// turn says which rows these are, and where the others stand.
func (l *list) turn(offset int64) {
	if len(l.Rows) > 0 {
		l.First, l.Last = offset+1, offset+int64(len(l.Rows))
	}
	if l.Filter.page > 1 {
		l.Newer = l.Filter.address(l.Path, l.Filter.page-1)
	}
	if offset+onPage < l.Total {
		l.Older = l.Filter.address(l.Path, l.Filter.page+1)
	}
}

// Counted says how many rows there are and which are shown.
func (l list) Counted() string {
	if l.Total == 0 {
		return "None"
	}
	return count(l.First) + "–" + count(l.Last) + " of " + count(l.Total)
}

// File is the address of the same rows as a file.
func (l list) File() string { return l.Filter.address(l.Path+".csv", 1) }

// file writes every row that the filter lets through, of all pages. What is made meanwhile is left out, so that no row comes twice.
func (d *Desk) file(c *call, f *filter, states []string, s source) {
	p := c.page(f, states)
	if now := d.cfg.Business(); p.Until.IsZero() || p.Until.After(now) {
		p.Until = now
	}
	d.write(c, f, s.id, s.columns, func(offset int64) ([][]cell, int64, error) {
		p.Offset, p.Limit = offset, atOnce
		return s.read(c.ctx(), p)
	})
}

func (d *Desk) write(c *call, f *filter, name string, columns []column, read func(offset int64) ([][]cell, int64, error)) {
	if f.Wrong != "" {
		d.say(c, http.StatusBadRequest, f.Wrong, "Go back and change the filter.")
		return
	}
	rows, total, err := read(0)
	switch {
	case err != nil:
		d.fail(c, err)
		return
	case total > mostRows:
		d.say(c, http.StatusUnprocessableEntity,
			"A file holds at most "+count(mostRows)+" rows, and these are "+count(total)+".", "Go back and choose a shorter range.")
		return
	}
	for int64(len(rows)) < total { // whole before it is sent: a file that ends early looks like one that is complete
		more, _, err := read(int64(len(rows)))
		if err != nil {
			d.fail(c, err)
			return
		}
		if len(more) == 0 {
			break
		}
		rows = append(rows, more...)
	}
	c.w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	c.w.Header().Set("Content-Disposition", `attachment; filename="`+name+`.csv"`)
	out := csv.NewWriter(c.w)
	line := make([]string, len(columns))
	for i, h := range columns {
		line[i] = h.File
	}
	_ = out.Write(line) // the reader has gone: nobody to tell
	for _, r := range rows {
		for i, x := range r {
			line[i] = x.plain()
		}
		_ = out.Write(line)
	}
	out.Flush()
}
