package nodetest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"naru/fsck"
	"naru/store"
)

// place is where the money of a payment is in somebody's eyes: held, taken, and given back.
type place struct{ held, booked, back int64 }

// expected is where Google believes the money to be, from the answers and verdicts that it got.
func (p *payment) expected() (at place) {
	switch {
	case p.card == poorCard, p.then == cancel:
	case p.by == sell, p.then == capture:
		at = place{booked: p.amount, back: p.given}
	default:
		at.held = p.amount
	}
	return at
}

// reference is what a retrieval reference number of ours stands for.
type reference struct{ hold, refund string }

const selectReferences = `
SELECT a.rrn, r.request_id, COALESCE(f.request_id, '')
  FROM attempt AS a JOIN reservation AS r ON r.id = a.reservation_id LEFT JOIN refund AS f ON f.id = a.refund_id`

// audit compares the books, the acquirer and Google once the last node has ended.
func (c *cluster) audit() {
	c.t.Helper()
	c.scan()
	told := c.news()
	for _, p := range c.payments {
		for _, a := range p.asks() {
			if verdict := told[a.id]; (verdict == success) != (a.want == acknowledged) {
				c.t.Errorf("%s was to be told as %s, and its verdict is %q", a.id, success, verdict)
			}
		}
	}
	atHost, live := c.acquirer()
	books, current := c.books()
	if len(books) != len(c.payments) {
		c.t.Errorf("the books know %d reservations and sales of %d", len(books), len(c.payments))
	}
	for _, p := range c.payments {
		want, id := p.expected(), p.hold.id
		if books[id] != want {
			c.t.Errorf("%s: Google believes %+v, the books say %+v", id, want, books[id])
		}
		if atHost[id] != want {
			c.t.Errorf("%s: Google believes %+v, the acquirer did %+v", id, want, atHost[id])
		}
		if want != (place{}) && !slices.Equal(live[id], []string{current[id]}) {
			c.t.Errorf("%s: the acquirer keeps money under %v, the books under RRN %s", id, live[id], current[id])
		}
		if p.gives != nil && len(live[p.gives.id]) != 1 {
			c.t.Errorf("%s: the acquirer gave it back %d times", p.gives.id, len(live[p.gives.id]))
		}
	}
	c.market()
	report, err := fsck.Run(c.ctx, fsck.Options{Database: c.url, KEK: c.kek, Forbidden: forbidden()})
	must(c.t, err)
	if !report.OK() {
		var text strings.Builder
		_, _ = report.WriteTo(&text)
		c.t.Error(text.String())
	}
}

// acquirer is where the money of each reservation and sale is by its own record, by the request id, and the reference numbers under which
// there is some; of a refund those under which it was given back. What it knows must have been written down before it was sent.
func (c *cluster) acquirer() (at map[string]place, live map[string][]string) {
	c.t.Helper()
	of := map[string]reference{}
	rows, err := c.db.QueryContext(c.ctx, selectReferences)
	must(c.t, err)
	defer rows.Close()
	for rows.Next() {
		var rrn string
		var r reference
		must(c.t, rows.Scan(&rrn, &r.hold, &r.refund))
		if other, twice := of[rrn]; twice {
			c.t.Errorf("RRN %s belongs to %s and to %s", rrn, other, r)
		}
		of[rrn] = r
	}
	must(c.t, rows.Err())

	var holds []struct {
		RRN, State       string
		Amount, Captured int64
	}
	var bookings []struct {
		Kind, RRN string
		Amount    int64
		Undone    bool
	}
	c.hear(c.host.Control(), "/holds", &holds)
	c.hear(c.host.Control(), "/bookings", &bookings)
	at, live = map[string]place{}, map[string][]string{}
	add := func(rrn string, more place) {
		by, known := of[rrn]
		if !known {
			c.t.Errorf("the acquirer knows RRN %s, which is on no record of ours", rrn)
		}
		if more == (place{}) {
			return
		}
		was := at[by.hold]
		at[by.hold] = place{was.held + more.held, was.booked + more.booked, was.back + more.back}
		id := by.hold
		if more.back > 0 {
			id = by.refund
		}
		live[id] = append(live[id], rrn)
	}
	for _, h := range holds {
		switch h.State {
		case "open":
			add(h.RRN, place{held: h.Amount})
		case "captured": // the booking follows
			if h.Captured != h.Amount {
				c.t.Errorf("RRN %s: the acquirer took %d of %d", h.RRN, h.Captured, h.Amount)
			}
		default: // given back, one way or another
			add(h.RRN, place{})
		}
	}
	for _, b := range bookings {
		switch {
		case b.Undone:
			c.seen.undone++
			add(b.RRN, place{})
		case b.Kind == "refund":
			add(b.RRN, place{back: b.Amount})
		default: // a capture or a sale
			add(b.RRN, place{booked: b.Amount})
		}
	}
	return at, live
}

// books is where the money of each reservation and sale is by ours, by the request id, and the reference number of the attempt that counts.
func (c *cluster) books() (at map[string]place, current map[string]string) {
	c.t.Helper()
	db, err := store.Open(c.ctx, c.url, store.Options{Node: "audit", Careless: true})
	must(c.t, err)
	defer db.Close()
	holds, err := db.Holds(c.ctx)
	must(c.t, err)
	refunds, err := db.Refunds(c.ctx)
	must(c.t, err)
	captures, err := db.Captures(c.ctx)
	must(c.t, err)
	at, current = map[string]place{}, map[string]string{}
	for _, h := range holds {
		p := place{booked: h.Captured}
		if h.Held {
			p.held = h.Amount
		}
		at[h.RequestID], current[h.RequestID] = p, h.RRN
	}
	of := map[string]string{} // the reservation or sale, by the capture
	for _, k := range captures {
		of[k.RequestID] = k.ReservationRequestID
	}
	for _, f := range refunds {
		p := at[of[f.CaptureRequestID]]
		if f.State == "REFUNDED" {
			p.back += f.Amount
		}
		at[of[f.CaptureRequestID]] = p
	}
	return at, current
}

// news reads every notification that Google received: on each subject any number of copies of one message, under one request id. It gives
// the verdicts by what they are about.
func (c *cluster) news() map[string]string {
	c.t.Helper()
	var received []struct {
		Method, PIAID string
		Body          fields
	}
	c.hear(c.google.Control(), "/received", &received)
	told, byID, bySubject := map[string]string{}, map[string]string{}, map[string]string{}
	for _, m := range received {
		id, _ := m.Body["requestHeader"].(fields)["requestId"].(string)
		delete(m.Body, "requestHeader")
		subject := m.Method + " " + m.PIAID
		for _, name := range slices.Sorted(maps.Keys(m.Body)) {
			if strings.HasSuffix(name, "RequestId") {
				subject += fmt.Sprintf(" %v", m.Body[name])
			}
			if result, ours := strings.CutSuffix(name, "Result"); ours && m.Body[result+"RequestId"] != nil {
				told[fmt.Sprint(m.Body[result+"RequestId"])] = fmt.Sprint(m.Body[name])
			}
		}
		content, err := json.Marshal(m.Body)
		must(c.t, err)
		if before, again := byID[id]; again && before != subject+string(content) {
			c.t.Errorf("%q said %s and then %s", id, before, content)
		}
		if before, again := bySubject[subject]; again && before != id {
			c.t.Errorf("%s was told under %q and again under %q", subject, before, id)
		}
		byID[id], bySubject[subject] = subject+string(content), id
	}
	c.seen.notices, c.seen.copies = len(byID), len(received)-len(byID)
	return told
}

// forbidden is what must stand nowhere in clear.
func forbidden() (all [][]byte) {
	for _, text := range []string{
		goodCard, poorCard, birthDate, strings.ReplaceAll(birthDate, "-", ""), holderCI, "SEO JIHUN", familyName, payerAccount,
	} {
		all = append(all, []byte(text))
	}
	return all
}

// scan looks for secrets in the nodes' logs.
func (c *cluster) scan() {
	c.t.Helper()
	for _, n := range c.nodes {
		text, err := os.ReadFile(n.diary())
		must(c.t, err)
		for i, secret := range forbidden() {
			if bytes.Contains(text, secret) {
				c.t.Errorf("%s: secret %d of the list stands in clear", filepath.Base(n.diary()), i)
			}
		}
	}
}

// report says in a line what was played. Whoever is killed at work cuts somebody off.
func (c *cluster) report() {
	if c.balancer.closed.Load() == 0 {
		c.t.Error("no call was ever cut off")
	}
	var statuses []string
	for _, status := range slices.Sorted(maps.Keys(c.seen.statuses)) {
		statuses = append(statuses, fmt.Sprintf("%d times %d", c.seen.statuses[status], status))
	}
	c.t.Logf("%d nodes, %d payments, %d deposit orders; %d calls, of them %d repeats, answered %s; 1 node killed, 1 stopped, "+
		"%d restarted in good order; %d calls went on to another node (%d refused, %d cut off); %d notices, told again %d times; "+
		"%d bookings undone",
		len(c.nodes), len(c.payments), len(c.orders), c.seen.calls.Load(), c.seen.repeats.Load(), strings.Join(statuses, ", "), len(c.nodes),
		c.balancer.refused.Load()+c.balancer.closed.Load(), c.balancer.refused.Load(), c.balancer.closed.Load(), c.seen.notices, c.seen.copies,
		c.seen.undone)
}
