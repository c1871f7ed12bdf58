package sim

import (
	"bytes"
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
)

// event is one thing that the account's owner is told, as often as it takes (rails §2.7).
type event struct {
	ID        string    `json:"id"`
	N         int       `json:"n"`
	Name      string    `json:"name"`
	Subject   string    `json:"subject"` // the payout or validation that it is about
	Body      string    `json:"body"`    // to the byte, whenever it is told
	Secret    int       `json:"secret"`  // which one signs it: that of its birth
	Copies    int       `json:"copies"`  // each time it is told
	Due       time.Time `json:"due"`
	Made      time.Time `json:"made"`
	Tries     int       `json:"tries"`
	Delivered bool      `json:"delivered"`
	Never     bool      `json:"never"` // a rule keeps it back, or everybody has given up
}

// endpoint is where events go. One that fails for a day is switched off.
type endpoint struct {
	URL string `json:"url"`
	Off bool   `json:"off"`
}

func (e endpoint) open() bool { return e.URL != "" && !e.Off }

// tellers is how many are told something at the same time; of one payout it is one thing after the other.
const tellers = 8

// backoff is the time between deliveries, the last one again and again; patience ends after a day.
var backoff = []time.Duration{time.Minute, 2 * time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour}

const persistence = 24 * time.Hour

// Sign is how an event is signed: lower case hex of HMAC-SHA256 over the raw body.
func Sign(secret string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body) // never fails
	return hex.EncodeToString(mac.Sum(nil))
}

type entityOf struct {
	Entity any `json:"entity"`
}

type envelope struct {
	Entity    string              `json:"entity"`
	AccountID string              `json:"account_id"`
	Event     string              `json:"event"`
	Contains  []string            `json:"contains"`
	Payload   map[string]entityOf `json:"payload"`
	CreatedAt int64               `json:"created_at"`
}

// emit keeps an event. A caller of the bank hears of it when its time has come.
func (b *book) emit(name, about string, at time.Time, payload map[string]any, s subject) {
	env := envelope{Entity: "event", AccountID: b.cfg.Owner, Event: name, Payload: map[string]entityOf{}, CreatedAt: at.Unix()}
	for what, entity := range payload {
		env.Contains, env.Payload[what] = append(env.Contains, what), entityOf{entity}
	}
	body, err := json.Marshal(env)
	if err != nil {
		panic("an event of the bank's own making cannot be written: " + err.Error())
	}
	n := len(b.events) + 1
	e := &event{
		ID: b.name("evt_", n), N: n, Name: name, Subject: about, Body: string(body), Secret: len(b.secrets) - 1, Copies: 1,
		Due: at, Made: at,
	}
	if !b.cfg.Polite {
		switch seeded(b.cfg.Seed, "whim", n).IntN(8) {
		case 0:
			e.Copies = 2
		case 1:
			e.Due = at.Add(3 * time.Second) // and the next one overtakes it
		}
	}
	s.event = name
	b.meddle(e, s)
	b.post(e)
	b.changed.Events = append(b.changed.Events, e)
}

// post makes an event findable, new or changed.
func (b *book) post(e *event) {
	if e.N > len(b.events) {
		b.events = append(b.events, e)
	} else {
		b.events[e.N-1] = e
	}
	at := slices.IndexFunc(b.outbox, func(o *event) bool { return o.N == e.N })
	switch owed := !e.Delivered && !e.Never; {
	case at >= 0 && owed:
		b.outbox[at] = e
	case at >= 0:
		b.outbox = slices.Delete(b.outbox, at, at+1)
	case owed:
		b.outbox = append(b.outbox, e)
	}
}

// knows tells whether an event is still owed: everything may have been forgotten in the meantime.
func (b *book) knows(e *event) bool { return slices.Contains(b.outbox, e) }

func (b *book) repost(e *event) {
	b.post(e)
	if !slices.Contains(b.changed.Events, e) {
		b.changed.Events = append(b.changed.Events, e)
	}
}

// Tick lets everything happen that is due, and returns when whoever had to be told of it was told, or did not listen.
func (h *Host) Tick() {
	h.telling.Lock()
	defer h.telling.Unlock()
	for h.life.Err() == nil && h.tell(func(e *event, now time.Time) bool { return !e.Due.After(now) }) > 0 {
	}
}

// tell delivers the events that are owed and meant, those of one subject one after the other. It says how many there were.
func (h *Host) tell(which func(*event, time.Time) bool) (n int) {
	var lines [][]*event
	h.do(func(now time.Time) {
		if !h.book.endpoint.open() {
			return
		}
		due := slices.DeleteFunc(slices.Clone(h.book.outbox), func(e *event) bool { return !which(e, now) })
		slices.SortFunc(due, func(a, b *event) int { return cmp.Or(a.Due.Compare(b.Due), cmp.Compare(a.N, b.N)) })
		at := map[string]int{}
		for _, e := range due {
			if _, known := at[e.Subject]; !known {
				at[e.Subject], lines = len(lines), append(lines, nil)
			}
			lines[at[e.Subject]] = append(lines[at[e.Subject]], e)
		}
		n = len(due)
	})
	var all sync.WaitGroup
	room := make(chan struct{}, tellers)
	for _, line := range lines {
		room <- struct{}{}
		all.Go(func() {
			defer func() { <-room }()
			for _, e := range line {
				h.deliver(e)
			}
		})
	}
	all.Wait()
	return n
}

// deliver tells one event once, or as often as a whim or a rule wants it.
func (h *Host) deliver(e *event) {
	var url, secret string
	var body []byte
	copies := 1
	h.do(func(now time.Time) {
		if !h.book.endpoint.open() || !h.book.knows(e) {
			return
		}
		url, copies = h.book.endpoint.URL, e.Copies
		body, secret = h.dress(e)
	})
	if url == "" {
		return
	}
	status := 0
	for range copies {
		status = h.post(url, e.ID, body, Sign(secret, body))
		if h.life.Err() != nil {
			return
		}
	}
	h.do(func(now time.Time) {
		if !h.book.knows(e) {
			return
		}
		e.Tries++
		h.book.record(record{At: now, Kind: "told", Event: e.Name, EventID: e.ID, Payout: e.Subject, Status: status})
		switch {
		case status/100 == 2:
			e.Delivered = true
		case now.Sub(e.Made) >= persistence:
			e.Never, h.book.endpoint.Off = true, true
			h.book.changed.Endpoint = new(h.book.endpoint)
		default:
			wait := float64(backoff[min(e.Tries, len(backoff))-1]) * h.cfg.RetryScale
			e.Due = now.Add(max(time.Duration(wait), 1))
		}
		h.book.repost(e)
	})
}

// post is one request. Nought is no answer.
func (h *Host) post(url, id string, body []byte, signature string) int {
	ctx, cancel := context.WithTimeout(h.life, h.cfg.Patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return 0
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Razorpay-Signature", signature)
	r.Header.Set("x-razorpay-event-id", id)
	answer, err := h.client.Do(r)
	if err != nil {
		return 0
	}
	defer answer.Body.Close()
	_, _ = io.CopyN(io.Discard, answer.Body, 1<<16)
	return answer.StatusCode
}

// dress is an event as it leaves, unless a rule spoils it, and the secret that signs it. Under mu.
func (h *Host) dress(e *event) ([]byte, string) {
	body, secret := []byte(e.Body), h.book.secrets[e.Secret]
	s := subject{event: e.Name}
	if p := h.book.byID[e.Subject]; p != nil {
		s.amount, s.vpa, s.reference, s.key = p.Amount, p.Address, p.Reference, p.Key
	}
	r := h.pick(s, func(a action) bool { return a.spoil != nil })
	switch {
	case r != nil:
		return r.act.spoil(h, body, e)
	case !h.cfg.Polite && seeded(h.cfg.Seed, "more", e.N).IntN(4) == 0:
		return more(body), secret
	}
	return body, secret
}

// more puts members into a body that no document names.
func more(body []byte) []byte {
	return append([]byte(`{"unheard_of":{"since":[2031,null]},`), body[1:]...)
}
