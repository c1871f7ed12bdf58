package killtest

import (
	"bytes"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"naru/store"
)

// The three records speak of each payment and must say the same: what Google was told, what our books say, what the acquirer did.

// place is where the money of a payment is in somebody's eyes.
type place struct{ held, booked int64 }

// attempt is what the acquirer has of one of its requests.
type attempt struct {
	rrn string
	place
}

// expected is where Google believes the money to be, from the answers and verdicts that it got.
func (p *payment) expected(verdict string) (at place) {
	switch {
	case p.result != success || p.next == nil && p.late: // insist has seen this result
	case p.by == sell, p.then == capture && verdict == success:
		at.booked = p.take
	case p.by == "" && p.next == nil:
		at.held = p.amount
	}
	return at
}

// audit compares everything once the last victim has ended.
func (l *life) audit() {
	l.t.Helper()
	l.scan() // whatever else went wrong
	if l.t.Failed() {
		return
	}
	l.hurry.Store(true)
	if !l.check("in the end") {
		l.t.Error("fsck could not check everything, although the last victim ended in good order")
	}
	r, ok := l.collect()
	if !ok {
		return
	}
	for _, agree := range []func(*life, *records){
		(*life).news, (*life).payment, (*life).refunds, (*life).disputes, (*life).files, (*life).settlements, (*life).payouts, (*life).trade,
		(*life).ledger, (*life).leftovers,
	} {
		agree(l, r)
	}
}

// payment compares each payment's verdict, and where its money is. The verdict of a sale is its answer: nobody ever tells it another way.
func (l *life) payment(r *records) {
	atHost := map[string][]attempt{} // by the request id of the reservation or sale
	add := func(rrn string, at place) {
		by, known := r.references[rrn]
		if !known {
			l.t.Errorf("the acquirer knows RRN %s, which is on no record of ours: its request left before it was written down", rrn)
		}
		atHost[by.hold] = append(atHost[by.hold], attempt{rrn, at})
	}
	for _, h := range r.holds {
		switch h.State {
		case "open":
			add(h.RRN, place{held: h.Amount})
		case "captured":
			add(h.RRN, place{booked: h.Captured})
		default: // given back, one way or another
			add(h.RRN, place{})
		}
	}
	for _, b := range r.bookings {
		switch {
		case b.Kind != "sale":
		case b.Undone:
			l.did.undone.Add(1)
			add(b.RRN, place{})
		default:
			add(b.RRN, place{booked: b.Amount})
		}
	}
	books := map[string]store.Hold{}
	for _, h := range r.ourHolds {
		books[h.RequestID] = h
	}
	for _, p := range l.payments {
		verdict := ""
		if p.next != nil {
			if verdict = r.verdicts[p.next.id]; verdict != p.verdict {
				l.t.Errorf("%s: the verdict is %q, not %q", p.next.id, verdict, p.verdict)
			}
		}
		if other, told := r.verdicts[p.hold.id]; told {
			l.t.Errorf("%s was answered, and Google got the verdict %q as well", p.hold.id, other)
		}
		want, b := p.expected(verdict), books[p.hold.id]
		delete(books, p.hold.id)
		ours := place{booked: b.Captured}
		if b.Held {
			ours.held = b.Amount
		}
		if ours != want || b.Account != p.account || b.Currency != p.in {
			l.t.Errorf("%s: Google believes %+v, the books say %+v (%s of %s in %s)", p.hold.id, want, ours, b.State, b.Account, b.Currency)
		}
		l.compare(p, want, b.RRN, atHost[p.hold.id])
	}
	for id := range books {
		l.t.Errorf("the books know a reservation or sale %q that Google never made", id)
	}
}

// compare looks at what the acquirer has of one payment: of all its attempts one at the most may have kept money, and as much as we say.
func (l *life) compare(p *payment, want place, current string, attempts []attempt) {
	var at place
	live := 0
	for _, a := range attempts {
		if a.place == (place{}) {
			continue
		}
		at.held, at.booked = at.held+a.held, at.booked+a.booked
		if live++; a.rrn != current {
			l.t.Errorf("%s: the acquirer keeps money under RRN %s, an attempt that we gave up", p.hold.id, a.rrn)
		}
	}
	if live > 1 {
		l.t.Errorf("%s: %d attempts keep money at the acquirer: %+v", p.hold.id, live, attempts)
	}
	if at != want {
		l.t.Errorf("%s: Google believes %+v, the acquirer did %+v: %+v", p.hold.id, want, at, attempts)
	}
}

// news reads every notification that Google received: on each subject any number of copies of one message, under one request id.
func (l *life) news(*records) {
	var received []struct {
		Method string         `json:"method"`
		PIAID  string         `json:"piaid"`
		Body   map[string]any `json:"body"`
	}
	l.hear(l.google.Control(), "/received", &received)
	asked := map[string]*ask{}
	for _, a := range l.asks() {
		asked[a.id] = a
	}
	byID, bySubject := map[string]string{}, map[string]string{}
	for _, m := range received {
		id, _ := m.Body["requestHeader"].(fields)["requestId"].(string)
		delete(m.Body, "requestHeader")
		subject := m.Method + " " + m.PIAID
		for _, name := range slices.Sorted(maps.Keys(subjects)) {
			value, there := m.Body[name]
			if !there {
				continue
			}
			subject += fmt.Sprintf(" %v", value)
			id, _ := value.(string)
			if a, of := asked[id], subjects[name]; of != nil && (a == nil || a.account != m.PIAID || !slices.Contains(of, a.method)) {
				l.t.Errorf("%s on %q of %s: Google asked for nothing of the kind", m.Method, value, m.PIAID)
			}
		}
		content, err := json.Marshal(m.Body)
		if err != nil {
			l.t.Error(err)
		}
		whole := subject + " " + string(content)
		if before, again := byID[id]; again && before != whole {
			l.t.Errorf("%q said %s and then %s", id, before, whole)
		}
		if before, again := bySubject[subject]; again && before != id {
			l.t.Errorf("%s was told under %q and again under %q", subject, before, id)
		}
		byID[id], bySubject[subject] = whole, id
	}
}

// subjects are the members that say what a notification is about, and the methods of Google whose request each may name; nil is none.
var subjects = map[string][]string{
	"captureFundsReservationRequestId": {capture}, "cancelFundsReservationRequestId": {cancel}, "refundRequestId": {refund},
	"captureRequestId": {capture, sell}, "chargebackRequestId": nil, "chargebackStage": nil, "settlementId": nil, "notificationOffset": nil,
	"disburseFundsRequestId": {payOut},
}

// reference is what a retrieval reference number of ours stands for.
type reference struct{ hold, refund string }

const selectReferences = `
SELECT a.rrn, r.request_id, COALESCE(f.request_id, '')
  FROM attempt AS a JOIN reservation AS r ON r.id = a.reservation_id LEFT JOIN refund AS f ON f.id = a.refund_id`

// references is what each reference number belongs to, given-up attempts included.
func (l *life) references() map[string]reference {
	all := map[string]reference{}
	l.list(selectReferences, func(scan func(...any) error) error {
		var rrn string
		var of reference
		if err := scan(&rrn, &of.hold, &of.refund); err != nil {
			return err
		}
		if other, twice := all[rrn]; twice {
			l.t.Errorf("RRN %s belongs to %s and to %s", rrn, other, of)
		}
		all[rrn] = of
		return nil
	})
	return all
}

// list reads rows of the victim's database.
func (l *life) list(query string, row func(scan func(...any) error) error) {
	err := l.query(func(db *sql.DB) error {
		rows, err := db.QueryContext(l.ctx, query)
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			if err := row(rows.Scan); err != nil {
				return err
			}
		}
		return rows.Err()
	})
	if err != nil {
		l.t.Error(err)
	}
}

// forbidden is what must stand nowhere in clear, as it came and as it went to the rail (rails §1.5, DE48).
func (w *workshop) forbidden() (all [][]byte) {
	day := strings.ReplaceAll(birthDate, "-", "")
	for _, text := range []string{
		goodCard, poorCard, silentCard, shortCard, oneWayCard, badCard, birthDate, day, "BD06" + day[2:], "BD006" + day[2:], holderCI,
		"PW02" + pin, "PW002" + pin,
		"CV04" + cvn, "CV004" + cvn, `"cvn"`, `"pin"`, "SEO JIHUN", evidence, base64.RawURLEncoding.EncodeToString([]byte(evidence)),
		salary.to, instant.to, closed.to, frozen.to, deemed.to, purpose, w.bankKey, w.bankSigns,
		familyName, payee, payerAccount, payeeAccount, w.keyring.PlatformKey, w.keyring.Authorization, w.keyring.Webhook, w.feedKey[1],
	} {
		all = append(all, []byte(text))
	}
	return all
}

// keepMetrics writes down what the victim tells its operators, for scan.
func (l *life) keepMetrics(v *victim) {
	r, err := http.Get("http://" + v.admin + "/metrics")
	if err != nil {
		l.t.Error(err)
		return
	}
	text, err := io.ReadAll(r.Body)
	if err := errors.Join(err, r.Body.Close(), os.WriteFile(filepath.Join(l.dir, metrics), text, 0o600)); err != nil {
		l.t.Error(err)
	}
}

const metrics = "metrics.txt"

// servedFiles are those in which a database of a server stands.
func (l *life) servedFiles() []string {
	_, err := l.reader.ExecContext(l.t.Context(), `CHECKPOINT`)
	must(l.t, err)
	var names string
	must(l.t, l.reader.QueryRowContext(l.t.Context(), selectFiles).Scan(&names))
	return strings.Fields(names)
}

// selectFiles are those of a server in which our tables, their long values and their indexes stand.
const selectFiles = `
SELECT string_agg(current_setting('data_directory') || '/' || pg_relation_filepath(oid), ' ') FROM pg_class
 WHERE relkind IN ('r', 't', 'i') AND oid >= 16384` // what comes with PostgreSQL has lower numbers

// scan looks for secrets in the victims' logs and metrics and in the raw bytes of the database.
func (l *life) scan() {
	l.t.Helper()
	found := func(pattern string) []string {
		files, err := filepath.Glob(pattern)
		must(l.t, err)
		return files
	}
	logs, kept := found(filepath.Join(l.dir, "victim-*")), found(l.database+"*")
	if l.on.served {
		kept = l.servedFiles()
	}
	if len(logs) != l.starts || len(kept) == 0 {
		l.t.Errorf("%d of %d logs are searched, and %d files of the database", len(logs), l.starts, len(kept))
	}
	for _, file := range slices.Concat(logs, kept, found(filepath.Join(l.dir, metrics))) {
		text, err := os.ReadFile(file)
		if err != nil {
			l.t.Error(err)
		}
		for i, secret := range l.shop.forbidden() {
			if at := bytes.Index(text, secret); at >= 0 {
				l.t.Errorf("%s: secret %d of the list stands in clear at byte %d", filepath.Base(file), i, at)
			}
		}
	}
}
