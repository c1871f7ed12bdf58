package fsck

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"naru/core/card"
)

// ranges are the first digits of card numbers: the networks' own, Korean local ones, and those of test cards.
var ranges = []string{"30", "34", "35", "36", "37", "38", "39", "4", "51", "52", "53", "54", "55", "6", "9410", "9999"}

// members are the names under which a document would carry a card secret (Korea Cards v1 §3.1, §3.2).
var members = []string{
	"accountNumber", "paymentTokenAccountNumber", "cvn", "cvc", "cvv", "cryptogram", "pin", "connectingInformation",
	"dateOfBirth", "businessIdentifier",
}

// foreign are the columns whose text others chose. A number in them may look like a card's by chance, so it is a warning.
var foreign = map[string][]string{
	"idempotency":    {"request_id"},
	"reservation":    {"request_id", "approval", "network_id", "link_id"},
	"attempt":        {"stan", "rrn", "terminal", "merchant"},
	"capture":        {"request_id", "rrn", "arn", "approval", "network_id"},
	"cancel":         {"request_id"},
	"refund":         {"request_id", "rrn", "arn"},
	"advice":         {"stan", "rrn", "file"},
	"dispute":        {"case_no", "event_id"},
	"notice":         {"subject"},
	"acquirer_event": {"id", "file"},
	"acquirer_file":  {"name", "merchant"},
	"capture_file":   {"name", "merchant"},
	"reconciliation": {"stan", "rrn"},
	"settlement":     {"id", "reference"},
	"payout":         {"request_id", "scope", "code"},
	"payout_attempt": {"bank_id", "utr", "status", "code"},

	"deposit_order":      {"client_id", "user_id", "notify_url"},
	"merchant_payout":    {"notify_url"},
	"payer_registration": {"user_id"},
	"bank_credit":        {"bank_id", "message"},
	"bank_entry":         {"id", "message", "original"},
	"bank_message":       {"id"},

	"statement_entry": {"id", "bank_id", "kind", "reference"},
}

// sealed are the columns that must be opaque.
var sealed = map[string]string{
	"keyset": "sealed", "idempotency": "answer", "reservation": "card", "evidence": "document", "payout": "target", "payout_attempt": "body",
	"deposit_order": "payer", "bank_credit": "sender", "payer_registration": "payer", "merchant_key": "sealed",
}

// cardLike reports whether digits may be a card number: 13 to 19 of them, the check digit, a known range.
func cardLike(digits []byte) bool {
	if len(digits) < 13 || len(digits) > 19 {
		return false
	}
	series := string(digits[:4])
	known := "2221" <= series && series <= "2720" || slices.ContainsFunc(ranges, func(r string) bool { return strings.HasPrefix(series, r) })
	return known && card.Luhn(string(digits))
}

// runs finds the runs of digits in b that may be card numbers. A cut ends a run: what stands behind it is another value.
func runs(b []byte, cut []bool) (found []span) {
	start := -1
	end := func(i int) {
		if start >= 0 && cardLike(b[start:i]) {
			found = append(found, span{start, i})
		}
		start = -1
	}
	for i, c := range b {
		if c < '0' || c > '9' {
			if start >= 0 {
				end(i)
			}
			continue
		}
		if cut != nil && cut[i] {
			end(i)
		}
		if start < 0 {
			start = i
		}
	}
	end(len(b))
	return found
}

// named finds names of members that would carry a card secret.
func named(b []byte) (found []string) {
	for i := bytes.IndexByte(b, '"'); i >= 0 && i+1 < len(b); {
		for _, name := range members {
			rest := b[i+1:]
			if len(rest) <= len(name) || rest[len(name)] != '"' || !strings.EqualFold(string(rest[:len(name)]), name) {
				continue
			}
			if after := bytes.TrimLeft(rest[len(name)+1:], " \t\r\n"); len(after) > 0 && after[0] == ':' {
				found = append(found, name)
			}
		}
		next := bytes.IndexByte(b[i+1:], '"')
		if next < 0 {
			break
		}
		i += 1 + next
	}
	return found
}

// addressLike is a virtual payment address wherever it stands (disburse v1 §8.1), one with a dot in its handle too.
var addressLike = regexp.MustCompile(`[A-Za-z0-9][A-Za-z0-9._-]+@[A-Za-z][A-Za-z0-9]+`)

// addresses finds what may be the address of a payee.
func addresses(b []byte) [][]byte {
	if bytes.IndexByte(b, '@') < 0 {
		return nil
	}
	return addressLike.FindAll(b, -1)
}

// forbidden counts the values among those that the caller named that stand in b. Digits count only where no digit stands beside them.
func (x *run) forbidden(b []byte, cut []bool) (n int) {
	for _, value := range x.Forbidden {
		if len(value) == 0 {
			continue
		}
		for from := 0; ; {
			i := bytes.Index(b[from:], value)
			if i < 0 {
				break
			}
			i += from
			from = i + 1
			to := i + len(value)
			if whole(b, i, to, cut) {
				n++
			}
		}
	}
	return n
}

func digit(b []byte, i int) bool { return i >= 0 && i < len(b) && b[i] >= '0' && b[i] <= '9' }

// secretsIn says what stands in b that must not, without saying it.
func (x *run) secretsIn(b []byte, cut []bool) (what []string) {
	n := 0
	for _, at := range runs(b, cut) {
		if _, known := x.opaque[string(at.of(b))]; !known { // reported where it stands
			n++
		}
	}
	if n > 0 {
		what = append(what, fmt.Sprintf("%d card numbers", n))
	}
	for _, name := range named(b) {
		what = append(what, "a member "+name)
	}
	if n := len(addresses(b)); n > 0 && utf8.Valid(b) { // by chance ciphertext may look like one
		what = append(what, fmt.Sprintf("%d payment addresses", n))
	}
	if n := len(x.persons.in(b, cut)); n > 0 {
		what = append(what, fmt.Sprintf("%d values about people, or secrets of merchants", n))
	}
	if n := x.forbidden(b, cut); n > 0 {
		what = append(what, fmt.Sprintf("%d forbidden values", n))
	}
	return what
}

// masked hides in a report what must not stand in it.
func (x *run) masked(s string) string {
	b := []byte(s)
	for _, at := range append(runs(b, nil), x.persons.in(b, nil)...) {
		copy(at.of(b), bytes.Repeat([]byte("*"), at.to-at.from))
	}
	for _, a := range addresses(b) {
		copy(a, bytes.Repeat([]byte("*"), len(a)))
	}
	for _, value := range x.Forbidden {
		if len(value) > 0 {
			b = bytes.ReplaceAll(b, value, bytes.Repeat([]byte("*"), len(value)))
		}
	}
	return string(b)
}

// ownAccounts are the accounts of ours that payers are shown, which look like card numbers and like payers' accounts, and their holders.
const ownAccounts = `
SELECT receiver_number FROM deposit_order UNION SELECT holder FROM deposit_order UNION SELECT branch FROM deposit_order
 UNION SELECT account FROM bank_credit UNION SELECT virtual FROM bank_credit UNION SELECT account FROM bank_entry
 UNION SELECT SUBSTR(account, INSTR(account, '/') + 1) FROM bank_sequence`

// ownReferences are our own names of orders to payout banks: they come from identifiers of ours, whose digits may look like a card number,
// and the journal repeats them.
const ownReferences = `
SELECT reference FROM payout_attempt
 WHERE reference = REPLACE(payout_id, '-', '') || CASE WHEN n < 10 THEN '0' ELSE '' END || CAST(n AS TEXT)`

// columns looks at every text and blob of every table, whatever the column is declared to hold.
func (x *run) columns() error {
	var tables []string
	err := x.each(x.engine.tables, func(scan func(...any) error) error {
		var name string
		err := scan(&name)
		tables = append(tables, name)
		return err
	})
	for _, own := range []string{ownReferences, ownAccounts} {
		if err == nil {
			err = x.each(own, func(scan func(...any) error) error {
				var name []byte
				err := scan(&name)
				for _, at := range runs(name, nil) {
					x.opaque[string(at.of(name))] = struct{}{}
				}
				x.persons.forget(name)
				return err
			})
		}
	}
	for _, identifiers := range []bool{true, false} { // first what others chose: we repeat it in texts of our own, where it is the same number
		for _, table := range tables {
			if err == nil {
				err = x.table(table, identifiers)
			}
		}
	}
	if err != nil {
		return err
	}
	if x.persons.more {
		x.skip("secrets-files", fmt.Sprintf("there are more than %d values about people: the others were not looked for", mostPersons))
	}
	// These stand side by side, and where the beginning of their record is overwritten nothing tells where the one ends.
	return x.each("SELECT DISTINCT merchant || code FROM attempt UNION SELECT DISTINCT terminal || merchant || code FROM attempt",
		func(scan func(...any) error) error {
			var digits string
			err := scan(&digits)
			if cardLike([]byte(digits)) {
				x.opaque[digits] = struct{}{}
			}
			return err
		})
}

// table looks at the identifiers in a table that others chose, or at all its other columns.
func (x *run) table(table string, identifiers bool) error {
	row, all, err := x.columnsOf(table)
	var names, exprs []string
	for _, c := range all {
		if slices.Contains(foreign[table], c.name) == identifiers {
			names, exprs = append(names, c.name), append(exprs, c.stored)
		}
	}
	if err != nil || len(names) == 0 {
		return err
	}
	var name string
	values, into := make([]any, len(names)), []any{&name}
	for i := range values {
		into = append(into, &values[i])
	}
	if !identifiers {
		x.report.Rows[table] = 0
	}
	some := many
	if sealed[table] == "document" {
		some = few
	}
	return x.eachOf(some, "SELECT "+row+", "+strings.Join(exprs, ", ")+" FROM "+quoted(table), func(scan func(...any) error) error {
		if err := scan(into...); err != nil {
			return err
		}
		if !identifiers {
			x.report.Rows[table]++
		}
		for i, v := range values {
			b, ok := v.([]byte)
			if s, is := v.(string); is {
				b, ok = []byte(s), true
			}
			if !ok || len(b) == 0 && sealed[table] != names[i] {
				continue
			}
			x.did("secrets-columns")
			if identifiers {
				for _, at := range runs(b, nil) {
					x.opaque[string(at.of(b))] = struct{}{}
					x.warn("secrets-columns", table, name, "%s is an identifier that others chose, and looks like a card number", names[i])
				}
				if named := len(addresses(b)) > 0; named || len(x.persons.in(b, nil)) > 0 {
					x.warn("secrets-columns", table, name, "%s is what others wrote, and names somebody, or looks like a payment address", names[i])
					x.persons.forget(b) // it is told once
				}
				continue
			}
			if sealed[table] == names[i] && !opaque(table, b) {
				x.bad("secrets-columns", table, name, "%s is not sealed", names[i])
			}
			for _, what := range x.secretsIn(b, nil) {
				x.bad("secrets-columns", table, name, "%s holds %s", names[i], what)
			}
		}
		return nil
	})
}

// rowNames are the names of rows of tables without a key.
var rowNames = map[string]string{"bank_entry": "receiver || '/' || id"}

// column is one of a table, with an expression for what is stored there.
type column struct{ name, stored string }

// columnsOf gives the columns of a table, and an expression that names its rows.
func (x *run) columnsOf(table string) (row string, list []column, err error) {
	var keys []string
	err = x.each(x.engine.columns, func(scan func(...any) error) error {
		var c column
		var key bool
		err := scan(&c.name, &key, &c.stored)
		if key {
			keys = append(keys, "COALESCE(CAST("+quoted(c.name)+" AS TEXT), '')")
		}
		list = append(list, c)
		return err
	}, table)
	switch {
	case rowNames[table] != "":
		return rowNames[table], list, err
	case keys == nil:
		return "'-'", list, err
	}
	return strings.Join(keys, " || '/' || "), list, err
}

func quoted(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// opaque reports whether a value has the shape of ciphertext: the keyset's container, or a key's prefix (1, key id), nonce and tag.
func opaque(table string, b []byte) bool {
	if table == "keyset" {
		return len(b) > 32 && bytes.ContainsFunc(b, func(r rune) bool { return r == '\uFFFD' || r < ' ' })
	}
	return len(b) > 1+4+12+16 && b[0] == 1
}
