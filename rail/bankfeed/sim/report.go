package sim

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
)

// report is one message on one channel, to be delivered as often as it takes.
type report struct {
	N            int       `json:"n"`
	ID           string    `json:"id"`   // MsgId; a push of credits has that of its message
	Kind         string    `json:"kind"` // camt.054, camt.053, pain.002, credits
	Channel      string    `json:"channel"`
	Name         string    `json:"name,omitzero"` // of the file
	Body         []byte    `json:"body"`          // to the byte, whenever it is delivered
	Account      string    `json:"account,omitzero"`
	Transactions []int     `json:"transactions,omitzero"` // by their N
	Made         time.Time `json:"made"`
	Due          time.Time `json:"due"`
	Place        int       `json:"place"`          // among those that are due together
	Held         bool      `json:"held,omitzero"`  // until the next one of the account is made
	Half         string    `json:"half,omitzero"`  // what the first half is written as: the name itself, or a temporary one
	Mend         span      `json:"mend,omitzero"`  // and how long until the whole
	Tries        int       `json:"tries,omitzero"` // deliveries
	Status       int       `json:"status,omitzero"`
	Answer       string    `json:"answer,omitzero"`
	Done         bool      `json:"done,omitzero"`
	Never        bool      `json:"never,omitzero"` // the receiver has refused it for good
}

// post makes a report findable, new or changed.
func (b *book) post(r *report) {
	b.reports = set(b.reports, r.N, r)
	at := slices.IndexFunc(b.outbox, func(o *report) bool { return o.N == r.N })
	switch owed := !r.Done && !r.Never; {
	case at >= 0 && owed:
		b.outbox[at] = r
	case at >= 0:
		b.outbox = slices.Delete(b.outbox, at, at+1)
	case owed:
		b.outbox = append(b.outbox, r)
	}
}

func (b *book) repost(r *report) {
	b.post(r)
	b.changed.Reports = mark(b.changed.Reports, r)
}

// owe keeps a report of the bank's.
func (b *book) owe(r report) *report {
	r.N = len(b.reports) + 1
	r.Place = b.nextSerial()
	b.repost(&r)
	return &r
}

// notify reports what was booked together, to each channel that was asked for: the same message on all of them (rails §3.3).
func (b *book) notify(at time.Time, list []*Transaction, p plan) {
	account, _, _ := b.owner(list[0].Account)
	released := slices.DeleteFunc(slices.Clone(b.outbox), func(r *report) bool { return !r.Held || r.Account != account.Number })
	m := message{
		number: b.number(numberOf("camt.054", account.Number)), made: at.Add(p.late), account: account, list: list, plan: p,
		channels: list[0].Channels,
	}
	if !p.skip { // a number that nobody ever hears of
		b.tell(m)
	}
	for _, r := range released {
		r.Held, r.Due, r.Place = false, later(r.Due, m.made), b.nextSerial()
		b.repost(r)
	}
}

// report tells of what was booked before once more, plainly.
func (b *book) report(now time.Time, list []*Transaction, channels []string) {
	for _, together := range entriesOf(list) {
		account, _, _ := b.owner(together[0].Account)
		m := message{
			number: b.number(numberOf("camt.054", account.Number)), made: now, account: account, list: together, channels: channels,
		}
		if len(channels) == 0 {
			m.channels = together[0].Channels
		}
		b.send(m, 1)
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// tell makes the message of a booking and whatever a plan makes of it.
func (b *book) tell(m message) {
	p := m.plan
	for _, r := range b.send(m, 1) {
		if p.again {
			b.resend(m, *r)
		}
	}
	if p.copy {
		c := m
		c.copy = true
		b.send(c, 2)
	}
	if p.twice {
		c := m
		c.number = b.number(numberOf("camt.054", m.account.Number))
		b.send(c, 1)
	}
	if p.wrong && p.mend > 0 {
		c := m
		c.plan.wrong, c.number, c.made = false, b.number(numberOf("camt.054", m.account.Number)), m.made.Add(p.mend)
		b.send(c, 1)
	}
}

// send makes one message and owes it to its channels.
func (b *book) send(m message, part int) (sent []*report) {
	serial := b.nextSerial()
	m.id = fmt.Sprintf("%s%s-%06d", b.cfg.Prefix, m.made.In(kst).Format("20060102"), serial)
	m.decimals = !b.cfg.Polite && seeded(b.cfg.Seed, "decimals", serial).IntN(4) == 0
	r := report{ID: m.id, Kind: "camt.054", Account: m.account.Number, Made: m.made, Due: m.made, Held: m.plan.swap}
	for _, t := range m.list {
		r.Transactions = append(r.Transactions, t.N)
		t.Reported++
		b.touch(t)
	}
	var events []byte
	if !m.copy {
		events = b.events(m)
	}
	for _, channel := range m.channels {
		one := r
		one.Channel = channel
		switch channel {
		case File:
			one.Name, one.Body = b.fileName("CAMT054", m, part), b.write(m)
			if m.plan.half {
				one.Half, one.Mend = one.Name, span(m.plan.mend)
			} else if m.plan.temporary {
				one.Half, one.Mend = one.Name+temporary, span(m.plan.mend)
			}
		case Push:
			one.Body = b.write(m)
		case JSON:
			if one.Kind, one.Body = "credits", events; events == nil {
				continue
			}
		}
		sent = append(sent, b.owe(one))
	}
	return sent
}

// resend owes a message once more, to the byte; a file has another name.
func (b *book) resend(m message, r report) {
	if r.Half = ""; r.Channel == File {
		r.Name = b.fileName("CAMT054", m, 2)
	}
	b.owe(r)
}

// fileName is as rails §3.4 proposes. A second file of one number says so.
func (b *book) fileName(kind string, m message, part int) string {
	name := fmt.Sprintf("%s_%s_%s_%s_%d", kind, b.cfg.Code, m.account.Number, m.made.In(kst).Format("20060102150405"), m.number)
	if part > 1 {
		name += "-" + strconv.Itoa(part)
	}
	return name + ".xml"
}

// credit is one event of the JSON push (rails §3.5).
type credit struct {
	EventID   string `json:"event_id"`
	Type      string `json:"type"`
	Bank      string `json:"bank_code"`
	Account   string `json:"account_number"`
	Virtual   string `json:"virtual_account_number,omitzero"`
	ID        string `json:"bank_txn_id"`
	Original  string `json:"original_bank_txn_id,omitzero"`
	Amount    string `json:"amount"`
	Currency  string `json:"currency"`
	Name      string `json:"depositor_name"`
	OtherBank string `json:"depositor_bank_code,omitzero"`
	Number    string `json:"depositor_account,omitzero"`
	At        string `json:"booked_at"`
	Memo      string `json:"memo,omitzero"`
}

// credits is the body of the JSON push.
type credits struct {
	Feed   string   `json:"feed_id"`
	Events []credit `json:"events"`
}

// events is the body of the JSON push; none where nothing of it can be told so: a payment, its return, what is pending.
func (b *book) events(m message) []byte {
	all := credits{Feed: b.cfg.Feed}
	for _, t := range m.list {
		if t.Status != booked || t.Kind == paid || t.Kind == returned {
			continue
		}
		e := credit{
			EventID: fmt.Sprintf("%s-EVENT-%d", b.cfg.Prefix, b.nextSerial()), Type: "credit", Bank: b.cfg.Code, Account: t.Account,
			Virtual: t.Virtual, ID: t.ID, Amount: strconv.FormatInt(t.Amount, 10), Currency: "KRW", Name: t.Name, OtherBank: t.Bank,
			Number: t.Number, At: stamp(t.At), Memo: t.Memo,
		}
		if m.plan.short {
			e.Name, e.Memo = shortened(e.Name), shortened(e.Memo)
		}
		if t.Kind == reversal {
			e.Type, e.Original = "reversal", t.ID
		}
		all.Events = append(all.Events, e)
	}
	if all.Events == nil {
		return nil
	}
	return encoded(all)
}

func encoded(v any) []byte {
	text, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		panic("an answer of the bank's own making cannot be written: " + err.Error())
	}
	return text
}

// Sign is X-Feed-Signature: HMAC-SHA256 over the timestamp, a dot and the raw body (rails §3.5).
func Sign(secret, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(timestamp + ".")) // never fails
	mac.Write(body)
	return "v1=" + hex.EncodeToString(mac.Sum(nil))
}

// statement makes the camt.053 of one account and one day: what nobody was told of stands there, too.
func (b *book) statement(now time.Time, a Account, day string) string {
	opening, list, closing := b.dayEnd(a, day)
	m := message{
		id:     fmt.Sprintf("%sS%s-%06d", b.cfg.Prefix, now.In(kst).Format("20060102"), b.nextSerial()),
		number: b.number(numberOf("camt.053", a.Number)), made: now, account: a, list: list, day: day, balances: [2]int64{opening, closing},
	}
	r := report{
		ID: m.id, Kind: "camt.053", Channel: File, Name: b.fileName("CAMT053", m, 1), Body: b.write(m), Account: a.Number, Made: now,
		Due: now,
	}
	b.owe(r)
	return r.Name
}
