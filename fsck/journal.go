package fsck

import (
	"bytes"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"naru/core/ledger"
	"naru/core/settlement"
)

// A journal is the events of one payment, payout, deposit order or credit, or of the book of one account, with the money, the settlement
// items and the records of others that hang on them.
type journal struct {
	id, account string
	table       string // whose row knows its end
	length      int64
	digest      []byte

	events   []event
	postings []posting
	items    []item
	records  []record // of the acquirer, that were applied here
	lines    []line   // of statements of payout banks
}

// bookOf is the name of the journal of what belongs to an account and to none of its payments.
const bookOf = "account/"

type event struct {
	id, n, atUS          int64 // id is its place in the whole journal: who was written first
	object, event, state string
	actor, detail        string
	digest               []byte
}

// What a journal is of.
const (
	ofPayments = "payment" // and whatever is of nothing else
	ofPayouts  = "payout"
	ofOrders   = "order"
	ofCredits  = "credit"
	ofAccounts = "account"
)

// The tables of journals, those of one kind.
const (
	journalKind = `CASE WHEN payment_id >= 'account/' AND payment_id < 'account0' THEN 'account'
	                    WHEN EXISTS (SELECT 1 FROM payout AS p WHERE p.id = payment_id) THEN 'payout'
	                    WHEN EXISTS (SELECT 1 FROM deposit_order AS o WHERE o.id = payment_id) THEN 'order'
	                    WHEN EXISTS (SELECT 1 FROM bank_credit AS c WHERE c.id = payment_id) THEN 'credit' ELSE 'payment' END = $1`
	journalEvents = `SELECT payment_id, id, n, at_us, object, event, state, actor, detail, digest FROM event
	                  WHERE ` + journalKind + ` ORDER BY payment_id, n`
	journalPostings = `SELECT payment_id, event_n, k, owner, debit, credit_owner, credit, currency, amount, at_us FROM posting
	                    WHERE ` + journalKind + ` ORDER BY payment_id, event_n, k`
	journalItems = `SELECT payment_id, event_n, account, kind, day, currency, subject, own_id, link, charge, fee, vat, at_us, settlement_id
	                  FROM settlement_item WHERE ` + journalKind + ` ORDER BY payment_id, event_n`
	journalRecords = `SELECT payment_id, acquirer, id, type, file, line, object, account, currency, gross, fees, tax, at_us FROM acquirer_event
	                   WHERE outcome = 'APPLIED' AND ` + journalKind + ` ORDER BY payment_id, acquirer, id`
	journalLines = `SELECT COALESCE(a.payout_id, 'account/' || s.bank) AS journal, s.id, s.kind, s.currency, COALESCE(s.attempt_id, ''),
	                       s.amount
	                  FROM statement_entry AS s LEFT JOIN payout_attempt AS a ON a.id = s.attempt_id
	                 WHERE CASE WHEN s.attempt_id IS NOT NULL THEN 'payout' WHEN s.bank_id = '' THEN 'account' END = $1 ORDER BY journal, s.id`
)

// journals reads the tables of journals side by side.
type journals struct {
	events   *cursor[event]
	postings *cursor[posting]
	items    *cursor[item]
	records  *cursor[record]
	lines    *cursor[line]
}

func (x *run) journals(m *merge, b *books, of string) journals {
	return journals{
		open(m, journalEvents, func(e *event) []any {
			return []any{&e.id, &e.n, &e.atUS, &e.object, &e.event, &e.state, &e.actor, &e.detail, &e.digest}
		}, func(id string, e event) { x.bad("journal-chain", "event", e.row(id), "belongs to nothing") }, of),
		open(m, journalPostings, func(p *posting) []any {
			return []any{&p.n, &p.k, &p.owner, &p.debit, &p.creditOwner, &p.credit, &p.currency, &p.amount, &p.atUS}
		}, func(id string, p posting) {
			x.bad("postings", "posting", p.row(id), "belongs to nothing")
			b.add(x, id, p)
		}, of),
		open(m, journalItems, func(i *item) []any {
			return []any{
				&i.n, &i.account, &i.kind, &i.day, &i.currency, &i.subject, &i.ownID, &i.link, &i.charge, &i.fee, &i.vat, &i.atUS, &i.settlement,
			}
		}, func(id string, i item) {
			x.bad("items", "settlement_item", i.row(id), "settles an event of nothing")
			b.settle(i, i.charge)
		}, of),
		open(m, journalRecords, func(r *record) []any {
			return []any{
				&r.acquirer, &r.id, &r.kind, &r.file, &r.line, &r.object, &r.account, &r.currency, &r.gross, &r.fees, &r.tax, &r.atUS,
			}
		}, func(id string, r record) {
			x.bad("acquirer-records", "acquirer_event", r.row(), "was applied to %q, which there is not", id)
		}, of),
		open(m, journalLines, func(l *line) []any { return []any{&l.id, &l.kind, &l.currency, &l.attempt, &l.amount} }, nil, of),
	}
}

// of fills a journal; journals are asked for in order.
func (c journals) of(j *journal) {
	j.events, j.postings, j.items, j.records = c.events.of(j.id), c.postings.of(j.id), c.items.of(j.id), c.records.of(j.id)
	j.lines = c.lines.of(j.id)
}

func (c journals) end() {
	c.events.end()
	c.postings.end()
	c.items.end()
	c.records.end()
}

func (e event) row(journal string) string { return fmt.Sprintf("%s/%d", journal, e.n) }

// amounts are the words of details that are followed by an amount and its currency.
var amounts = []string{"amount", "net", "display", "real", "fee"}

// said is a word of an event's detail: what stands behind name= up to the next space. An amount has two words.
func (e event) said(name string) (word string, ok bool) {
	for rest := e.detail; ; {
		at := strings.Index(rest, name+"=")
		if at < 0 {
			return "", false
		}
		if at == 0 || rest[at-1] == ' ' {
			words := strings.Fields(rest[at+len(name)+1:])
			n := 1
			if slices.Contains(amounts, name) {
				n = 2
			}
			return strings.Join(words[:min(n, len(words))], " "), true
		}
		rest = rest[at+1:]
	}
}

// agrees compares a word of the detail, which nobody can change unnoticed, with what a row says. An event may leave it out.
func (e event) agrees(name, want string) (wrong string) {
	if have, ok := e.said(name); ok && have != want {
		return fmt.Sprintf("%s with %s=%s, and its row says %s", e.event, name, have, want)
	}
	return ""
}

// chain checks that a journal is whole: design §3.5.
func (x *run) chain(j *journal) {
	var before []byte
	for i, e := range j.events {
		row := e.row(j.id)
		if e.n != int64(i+1) {
			x.bad("journal-chain", "event", row, "comes where event %d must", i+1)
			return
		}
		if x.vault != nil {
			x.did("journal-digests")
			covered := fmt.Appendf(nil, "%s\x00%d\x00%d\x00%s\x00%s\x00%s\x00%s", j.id, e.n, e.atUS, e.event, e.state, e.actor, e.detail)
			if e.object != "" {
				covered = append(append(covered, 0), e.object...)
			}
			if ok, err := x.vault.Verify(e.digest, "journal", before, covered); err != nil || !ok {
				x.bad("journal-digests", "event", row, "is not what was written, or does not follow the event before it")
			}
		}
		before = e.digest
	}
	x.did("journal-chain")
	switch {
	case j.length != int64(len(j.events)):
		x.bad("journal-chain", j.table, j.id, "has %d events and counts %d", len(j.events), j.length)
	case !bytes.Equal(j.digest, before):
		x.bad("journal-chain", j.table, j.id, "knows another last event than the journal's")
	}
}

// An effect is what must come with an event.
type effect struct {
	state string           // of the object, after it
	moved []ledger.Posting // the money
	item  *item            // what is to be settled; nil for nothing
	may   *item            // what is settled where a contract says so
	wrong string           // what its rows say otherwise than the event; empty for nothing
}

// walk tells a journal's events one by one, in order, and compares what each must come with with what stands there. It reports whether all
// of them can have happened: after one of a reservation that cannot, nothing can be said of what follows.
func (x *run) walk(j *journal, b *books, step func(event) (effect, error)) bool {
	for _, p := range j.postings {
		b.add(x, j.id, p)
	}
	moved, items, all := j.postings, j.items, true
	for _, e := range j.events {
		f, err := step(e)
		if err != nil {
			x.bad("states", "event", e.row(j.id), "%s", err)
			if all = false; e.object == "" {
				break
			}
		}
		money, due := 0, 0
		for money < len(moved) && moved[money].n <= e.n {
			money++
		}
		for due < len(items) && items[due].n <= e.n {
			due++
		}
		if err == nil {
			if e.state != f.state {
				x.bad("states", "event", e.row(j.id), "leads to %s and says %s", f.state, e.state)
			}
			if f.wrong != "" {
				x.bad("states", "event", e.row(j.id), "%s", f.wrong)
			}
			x.booked(j, e, f.moved, moved[:money])
			x.itemised(j, b, e, f, items[:due])
		} else {
			for _, i := range items[:due] {
				b.settle(i, i.charge)
			}
		}
		moved, items = moved[money:], items[due:]
	}
	for _, i := range items {
		b.settle(i, i.charge)
		if all {
			x.bad("items", "settlement_item", i.row(j.id), "settles no event")
		}
	}
	if !all {
		return false
	}
	for _, p := range moved {
		x.bad("postings", "posting", p.row(j.id), "belongs to no event")
	}
	for _, r := range j.records {
		x.did("acquirer-records")
		if r.file != "" && !r.seen {
			x.bad("acquirer-records", "acquirer_event", r.row(), "was applied, and its journal does not know it")
		}
	}
	return true
}

// record is what an acquirer told and we applied: a line of a file, or, where there is no file, a message.
type record struct {
	acquirer, id, kind, file, object, account, currency string
	line, gross, fees, tax, atUS                        int64
	seen                                                bool // its event was found
}

func (r record) row() string { return r.acquirer + "/" + r.id }

// cleared finds the record that an event tells of, once.
func (j *journal) cleared(e event, id string) (*record, error) {
	for i := range j.records {
		r := &j.records[i]
		line := fmt.Sprintf("file=%s line=%d", r.file, r.line)
		if r.id != id || r.seen || r.file == "" || e.detail != line && !strings.HasPrefix(e.detail, line+" ") {
			continue
		}
		if r.seen = true; r.account != j.account || r.atUS != e.atUS {
			return nil, fmt.Errorf("the acquirer's record %s is of another account or time", id)
		}
		return r, nil
	}
	return nil, fmt.Errorf("tells of the acquirer's record %s, which was not applied here", id)
}

// item is what is to be settled with the counterparty. Plus = we owe it.
type item struct {
	n                                                  int64
	account, kind, day, currency, subject, ownID, link string
	charge, fee, vat, atUS                             int64
	settlement                                         sql.NullString
}

func (i item) row(journal string) string { return fmt.Sprintf("%s/%d", journal, i.n) }

// due is an item that must be there.
func due(k settlement.Kind, subject, ownID, link string, charge int64) *item {
	return &item{kind: string(k), subject: subject, ownID: ownID, link: link, charge: charge}
}
