package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"naru/clock"
	"naru/engine"
	"naru/rail/iso8583"
	"naru/store"
	"naru/vault"
)

// A cast makes payments from a mould for one database: with its keys, for its accounts.
type cast struct {
	mould    *mould
	keys     *vault.Vault
	accounts []string
	first    time.Time     // when the first of them was asked for
	every    time.Duration // until the next
	tables   []castTable
}

// castTable is a table of the mould, compiled.
type castTable struct {
	name    string
	columns []string
	rows    []castRow
}

type castRow struct {
	cells []func(*casting) (any, error)
	event bool // the last cell of all is its digest, over what the others say
}

// casting is one payment under way.
type casting struct {
	cast  *cast
	words []string
	shift time.Duration
	chain []byte // the digest of the newest event
}

// moment reports whether a column tells a time. How long a try took is none.
func moment(column string) bool { return strings.HasSuffix(column, "_us") && column != "took_us" }

// newCast prepares to make payments: the first at a time, then one after the other.
func newCast(m *mould, keys *vault.Vault, accounts []string, first time.Time, every time.Duration) *cast {
	c := &cast{mould: m, keys: keys, accounts: accounts, first: first, every: every}
	for _, t := range m.tables {
		out := castTable{name: t.name, columns: t.columns}
		for i := range t.rows {
			out.rows = append(out.rows, c.compile(t, i))
		}
		c.tables = append(c.tables, out)
	}
	return c
}

// compile says how each value of a row comes about in another payment.
func (c *cast) compile(t mouldTable, row int) (out castRow) {
	out.event = t.name == "event"
	for i, column := range t.columns {
		value, where := t.rows[row][i], t.name+"."+column
		cell := func(*casting) (any, error) { return value, nil }
		switch v := value.(type) {
		case int64:
			if moment(column) {
				cell = func(p *casting) (any, error) { return v + p.shift.Microseconds(), nil }
			}
		case secret:
			text, seat := c.mould.pieces(where, string(v)), c.mould.pieces("", t.seat(row))
			cell = func(p *casting) (any, error) { return p.cast.keys.Seal([]byte(p.join(text)), p.join(seat)) }
		case []byte:
			switch where {
			case "reservation.chain_digest":
				cell = func(p *casting) (any, error) { return p.chain, nil }
			case "idempotency.fingerprint":
				request := c.mould.pieces("", t.text(row, "request_id"))
				cell = func(p *casting) (any, error) { return p.cast.keys.Digest("request", []byte(p.join(request))) }
			}
		case string:
			text := c.mould.pieces(where, v)
			switch {
			case column == "day" && v != "":
				at := t.rows[row][max(t.column("done_us"), t.column("at_us"))].(int64)
				cell = func(p *casting) (any, error) { return businessDay(time.UnixMicro(at).Add(p.shift)), nil }
			case where == "attempt.acquirer":
				cell = func(*casting) (any, error) { return "main", nil }
			case slices.ContainsFunc(text, func(x piece) bool { return x.word >= 0 }):
				cell = func(p *casting) (any, error) { return p.join(text), nil }
			}
		}
		out.cells = append(out.cells, cell)
	}
	return out
}

var seoul = time.FixedZone("KST", 9*60*60)

func businessDay(t time.Time) string { return t.In(seoul).Format("20060102") }

func (p *casting) join(list []piece) string {
	var b strings.Builder
	for _, x := range list {
		if x.word < 0 {
			b.WriteString(x.text)
		} else {
			b.WriteString(p.words[x.word])
		}
	}
	return b.String()
}

// begin names the nth payment. Request ids are scattered as callers' are; ours follow each other, as always.
func (c *cast) begin(n int) (*casting, error) {
	p := &casting{cast: c, words: make([]string, words)}
	p.shift = c.first.Add(time.Duration(n) * c.every).Sub(c.mould.began).Truncate(time.Second) // the network counts in seconds
	at := c.mould.began.Add(p.shift)
	hold, rrn := iso8583.Identify(int64(2*n), at)
	completion, _ := iso8583.Identify(int64(2*n+1), at)
	for i, w := range map[int]string{
		wordAccount: c.accounts[n%len(c.accounts)], wordReserve: newRequestID(), wordCapture: newRequestID(),
		wordTrace: "stan=" + hold + " rrn=" + rrn, wordSTAN: hold, wordRRN: rrn, wordCompletionSTAN: completion,
		wordNetworkID: fmt.Sprintf("%0*d", len(c.mould.words[wordNetworkID].text), n),
	} {
		p.words[i] = w
	}
	for _, i := range []int{wordReservationID, wordAttemptID, wordCaptureID, wordAdviceID} {
		id, err := uuid.NewV7()
		if err != nil {
			return nil, err
		}
		p.words[i] = id.String()
	}
	end, err := strconv.ParseInt(c.mould.words[wordHoldEnd].text, 10, 64)
	p.words[wordHoldEnd] = strconv.FormatInt(end+p.shift.Milliseconds(), 10)
	return p, err
}

// row casts one row.
func (p *casting) row(t castTable, r castRow) ([]any, error) {
	values := make([]any, len(r.cells))
	var err error
	for i, cell := range r.cells {
		if values[i], err = cell(p); err != nil {
			return nil, err
		}
	}
	if !r.event {
		return values, nil
	}
	at := func(column string) any { return values[slices.Index(t.columns, column)] }
	text := func(column string) string { return at(column).(string) }
	e := engine.JournalEvent{
		Payment: text("payment_id"), N: at("n").(int64), At: time.UnixMicro(at("at_us").(int64)), Object: text("object"), Event: text("event"),
		State: text("state"), Actor: text("actor"), Detail: text("detail"),
	}
	p.chain, err = p.cast.keys.Digest("journal", p.chain, e.Bytes())
	values[slices.Index(t.columns, "digest")] = p.chain
	return values, err
}

// A batch is the rows of many payments, and what they add to the balances.
type batch struct {
	tables []batchTable
	books  map[book]int64
}

type batchTable struct {
	name    string
	columns []string
	rows    [][]any
}

// book is one balance.
type book struct{ account, owner, currency string }

// batch casts payments from one number up to another.
func (c *cast) batch(from, to int) (batch, error) {
	b := batch{books: map[book]int64{}}
	for _, t := range c.tables {
		b.tables = append(b.tables, batchTable{name: t.name, columns: t.columns})
	}
	for n := from; n < to; n++ {
		p, err := c.begin(n)
		if err != nil {
			return b, err
		}
		for i, t := range c.tables {
			for _, r := range t.rows {
				row, err := p.row(t, r)
				if err != nil {
					return b, err
				}
				b.tables[i].rows = append(b.tables[i].rows, row)
			}
		}
	}
	return b, b.post()
}

// post adds up what the postings of a batch move.
func (b batch) post() error {
	for _, t := range b.tables {
		if t.name != "posting" {
			continue
		}
		for _, row := range t.rows {
			text := func(column string) string { return row[slices.Index(t.columns, column)].(string) }
			amount, ok := row[slices.Index(t.columns, "amount")].(int64)
			if !ok {
				return errors.New("a posting without an amount")
			}
			b.books[book{text("debit"), text("owner"), text("currency")}] += amount
			b.books[book{text("credit"), text("credit_owner"), text("currency")}] -= amount
		}
	}
	return nil
}

// bulk writes whole batches, each in one transaction, through the schema as it is: its constraints, references, triggers and indexes.
type bulk interface {
	write(context.Context, batch) error
	close(context.Context) error // leaves the database as one is that has been in use: with statistics
}

// batchOf is how many payments one transaction holds.
const batchOf = 5000

// Payments are spread over this time before now: their cards are kept, and nothing of them is due.
const seedSpan = 30 * 24 * time.Hour

// seed fills an empty database with captured payments, and signs their journal. Nobody else has it open.
func seed(ctx context.Context, h home, place, dir string, m *mould, accounts []string, payments int, progress io.Writer) error {
	kek, err := vault.ReadKEK(filepath.Join(dir, "kek"))
	if err != nil {
		return err
	}
	s, err := store.Open(ctx, place, store.Options{}) // makes the schema
	if err != nil {
		return err
	}
	keys, err := vault.Open(kek, s)
	if err = errors.Join(err, s.Close()); err != nil {
		return err
	}
	out, err := h.bulk(ctx, place)
	if err != nil {
		return err
	}
	c := newCast(m, keys, accounts, time.Now().Add(-seedSpan), (seedSpan-time.Hour)/time.Duration(payments))
	if err := errors.Join(c.pour(ctx, out, payments, progress), out.close(ctx)); err != nil {
		return err
	}
	return signJournal(ctx, place, keys)
}

// pour casts and writes side by side.
func (c *cast) pour(ctx context.Context, out bulk, payments int, progress io.Writer) error {
	ready := make(chan batch, 2)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer close(ready)
		for from := 0; from < payments; from += batchOf {
			b, err := c.batch(from, min(from+batchOf, payments))
			if err != nil {
				return err
			}
			select {
			case ready <- b:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	group.Go(func() error {
		done := 0
		for b := range ready {
			if err := out.write(ctx, b); err != nil {
				return err
			}
			if done++; done%20 == 0 {
				fmt.Fprintf(progress, "%d payments\n", done*batchOf)
			}
		}
		return nil
	})
	return group.Wait()
}

// signJournal signs the events as the server would have done by now.
func signJournal(ctx context.Context, place string, keys *vault.Vault) error {
	s, err := store.Open(ctx, place, store.Options{Settled: -1}) // nobody else writes
	if err != nil {
		return err
	}
	e, err := engine.New(engine.Config{Store: s, Vault: keys, Clock: &clock.Movable{}, Log: slog.New(slog.DiscardHandler), Meter: noMeter{}})
	if err == nil {
		err = e.SignJournal(ctx)
	}
	return errors.Join(err, s.Close())
}
