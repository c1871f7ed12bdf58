package bankfeed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"slices"
	"time"

	"github.com/go-json-experiment/json"

	"naru/core/card"
	"naru/core/deposit"
	"naru/core/payout"
	"naru/engine"
)

// A Taker takes what banks tell into account. Whatever returns without an error is on disk, and whatever comes again changes nothing.
type Taker interface {
	// CheckMessage says why a message cannot be taken, without taking any of it.
	CheckMessage(deposit.Message) error
	TakeMessage(context.Context, deposit.Message) (engine.FeedReceipt, error)
	PayoutNews(ctx context.Context, bank string, news payout.News) error
}

// Key is somebody who may tell us of accounts.
type Key struct {
	Feed     string        // whose messages these are
	Secrets  []card.Secret // several while one is changed for another
	Accounts []string      // bank/account of what it may report; empty for every account of ours
}

// allows reports whether a key may report on an account.
func (k Key) allows(bank, account string) bool {
	return len(k.Accounts) == 0 || slices.Contains(k.Accounts, bank+"/"+account)
}

// Config is what the routes need.
type Config struct {
	Feeds []Feed
	Keys  map[string]Key // by X-Feed-Key
	Taker Taker
	Now   func() time.Time
	Log   *slog.Logger

	calls map[string]chan struct{} // by key: one place for each call in work
}

// callsOfKey is how many calls of one key are in work at a time. Documents are long, and one feed that sends again and again leaves the
// others alone; what is beyond is to be sent again (rails §3.4).
const callsOfKey = 4

// largestPush bounds the body of a push: 500 events with everything in them.
const largestPush = 1 << 20

// Handler takes messages by HTTP. Whatever it answers with 200 is on disk; 5xx says that nothing is known to be, and that the same body
// should come again (rails §3.4, §3.5).
func Handler(c Config) http.Handler {
	c.calls = map[string]chan struct{}{}
	for key := range c.Keys {
		c.calls[key] = make(chan struct{}, callsOfKey)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/bank-feeds/{feed}/camt054", func(w http.ResponseWriter, r *http.Request) {
		c.serve(w, r, largestDocument, "application/xml", c.document)
	})
	mux.HandleFunc("POST /v1/bank-credits", func(w http.ResponseWriter, r *http.Request) {
		c.serve(w, r, largestPush, "application/json", c.push)
	})
	return mux
}

// problem is an answer that is no success.
type problem struct {
	status int
	why    error
}

func (p problem) Error() string { return p.why.Error() }

func refuse(status int, format string, args ...any) error {
	return problem{status, fmt.Errorf(format, args...)}
}

// serve proves who calls before it reads what is said.
func (c Config) serve(
	w http.ResponseWriter, r *http.Request, most int64, kind string, take func(*http.Request, Key, []byte) (any, error),
) {
	status, answer := http.StatusOK, any(nil)
	leave, err := c.enter(r)
	if err == nil {
		defer leave()
		var k Key
		var body []byte
		if k, body, err = c.admit(w, r, most, kind); err == nil {
			answer, err = take(r, k, body)
		}
	}
	if err != nil {
		status = http.StatusServiceUnavailable
		answer = map[string]string{"reason": "not taken now: send it again"}
		if p := (problem{}); errors.As(err, &p) {
			status, answer = p.status, map[string]string{"reason": p.Error()}
		} else {
			w.Header().Set("Retry-After", "5")
		}
		c.Log.Warn("what a bank told was not taken", "route", r.Pattern, "status", status, "error", err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.MarshalWrite(w, answer, json.Deterministic(true)) // who hung up asks again
}

var errCrowded = errors.New("too many calls of this key are in work")

// enter takes a place for a call before anything of it is read. Who names no key of ours gets none.
func (c Config) enter(r *http.Request) (leave func(), err error) {
	places, known := c.calls[r.Header.Get(headerKey)]
	if !known {
		return nil, errUnsigned
	}
	select {
	case places <- struct{}{}:
		return func() { <-places }, nil
	default:
		return nil, errCrowded
	}
}

var errUnsigned = refuse(http.StatusUnauthorized, "the key, the time or the signature is not right")

func (c Config) admit(w http.ResponseWriter, r *http.Request, most int64, kind string) (Key, []byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, most))
	if large := (*http.MaxBytesError)(nil); errors.As(err, &large) {
		return Key{}, nil, refuse(http.StatusRequestEntityTooLarge, "the body is larger than %d bytes", most)
	} else if err != nil {
		return Key{}, nil, refuse(http.StatusBadRequest, "the body did not come to its end")
	}
	k := c.Keys[r.Header.Get(headerKey)]
	if !signed(r.Header, k.Secrets, body, c.Now()) {
		return k, nil, errUnsigned
	}
	got, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if got == "text/xml" {
		got = "application/xml" // two names of one kind
	}
	if err != nil || got != kind {
		return k, nil, refuse(http.StatusUnsupportedMediaType, "%s is wanted", kind)
	}
	return k, body, nil
}

func (c Config) feed(id string) (Feed, bool) {
	at := slices.IndexFunc(c.Feeds, func(f Feed) bool { return f.ID == id })
	if at < 0 {
		return Feed{}, false
	}
	return c.Feeds[at], true
}

// receipt is what a message came to (rails §3.4).
type receipt struct {
	MessageID  string `json:"message_id"`
	Entries    int64  `json:"entries"`
	Accepted   int64  `json:"accepted"`
	Duplicates int64  `json:"duplicates"`
}

// partSize is how many bookings are taken at once: everybody who writes waits for them.
const partSize = 50

// parts cuts a long notification into messages that are each taken whole; the first one keeps its name. What dies between two of them comes
// again, and counts once (rails §3.4). A statement is compared whole, and hardly ever brings anything.
func parts(m deposit.Message) (list []deposit.Message) {
	if m.Kind != deposit.Notification {
		return []deposit.Message{m}
	}
	next, room := m, partSize
	next.Reports = nil
	for _, r := range m.Reports {
		entries := r.Entries
		for first := true; first || len(entries) > 0; first = false {
			n := min(room, len(entries))
			piece := r
			piece.Entries, entries = entries[:n:n], entries[n:]
			next.Reports = append(next.Reports, piece)
			if room -= n; room == 0 && len(entries) > 0 {
				list = append(list, next)
				next, room = m, partSize
				next.ID, next.Reports = fmt.Sprintf("%s+%d", m.ID, len(list)+1), nil
			}
		}
	}
	return append(list, next)
}

// document takes camt.054, camt.053 or pain.002.
func (c Config) document(r *http.Request, k Key, body []byte) (any, error) {
	f, known := c.feed(r.PathValue("feed"))
	if !known || f.ID != k.Feed {
		return nil, refuse(http.StatusForbidden, "this key has no such feed")
	}
	d, err := Read(f, body)
	if err != nil {
		return nil, problem{http.StatusBadRequest, err}
	}
	if d.Bookings != nil {
		for _, report := range d.Bookings.Reports {
			if !k.allows(report.Bank, report.Account) {
				return nil, problem{http.StatusUnprocessableEntity, engine.UnknownAccount}
			}
		}
	}
	got, err := take(r.Context(), c.Taker, f, d)
	if hopeless(err) {
		return nil, problem{http.StatusUnprocessableEntity, err}
	}
	return got, err
}

var errNobodysOrders = errors.New("this feed reports on no payout bank")

// hopeless reports whether a document is refused for what it says: it will be refused again.
func hopeless(err error) bool {
	var why engine.EntryRefusal
	return errors.As(err, &why) || errors.Is(err, errNobodysOrders)
}

// take hands on a document. What it says of orders is taken one by one, and all of it again if one of them cannot be.
func take(ctx context.Context, to Taker, f Feed, d Document) (receipt, error) {
	if d.Bookings != nil {
		if err := to.CheckMessage(*d.Bookings); err != nil {
			return receipt{}, err
		}
		all := receipt{MessageID: d.ID}
		for _, part := range parts(*d.Bookings) {
			got, err := to.TakeMessage(ctx, part)
			if err != nil {
				return receipt{}, err
			}
			all.Entries, all.Accepted, all.Duplicates = all.Entries+got.Entries, all.Accepted+got.Accepted, all.Duplicates+got.Duplicates
		}
		return all, nil
	}
	if f.Payouts == "" {
		return receipt{}, errNobodysOrders
	}
	for _, news := range d.News {
		if err := to.PayoutNews(ctx, f.Payouts, news); err != nil {
			return receipt{}, err
		}
	}
	n := int64(len(d.News))
	return receipt{MessageID: d.ID, Entries: n, Accepted: n}, nil
}

// push takes events, each alone. One that cannot be taken now makes the sender send all of them again: the others count once.
func (c Config) push(r *http.Request, k Key, body []byte) (any, error) {
	feed, events, err := readPush(body)
	if err != nil {
		return nil, problem{http.StatusBadRequest, err}
	}
	if _, known := c.feed(feed); !known || feed != k.Feed {
		return nil, refuse(http.StatusForbidden, "this key has no such feed")
	}
	var out pushResponse
	for _, e := range events {
		result := pushResult{EventID: e.id, Status: "accepted", Reason: e.refused}
		if report := e.message.Reports[0]; !k.allows(report.Bank, report.Account) {
			result.Reason = engine.UnknownAccount
		}
		if result.Reason == "" {
			got, err := c.Taker.TakeMessage(r.Context(), e.message)
			switch {
			case errors.As(err, &result.Reason):
			case err != nil:
				return nil, err
			case len(got.Refused) > 0:
				result.Reason = got.Refused[0].Why
			case got.Duplicates > 0:
				result.Status = "duplicate"
			}
		}
		if result.Reason != "" {
			result.Status = "rejected"
		}
		out.Results = append(out.Results, result)
	}
	return out, nil
}
