package bankfeed_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"naru/core/card"
	"naru/core/deposit"
	"naru/core/payout"
	"naru/engine"
	"naru/rail/bankfeed"
)

// taker notes what it is given, and answers as it is told to by the id of a message.
type taker struct {
	messages []deposit.Message
	news     []payout.News
	banks    []string
	say      map[string]error
	got      map[string]engine.FeedReceipt
}

func (t *taker) CheckMessage(m deposit.Message) error { return t.say[m.ID] }

func (t *taker) TakeMessage(_ context.Context, m deposit.Message) (engine.FeedReceipt, error) {
	if err := t.say[m.ID]; err != nil {
		return engine.FeedReceipt{}, err
	}
	t.messages = append(t.messages, m)
	if got, ok := t.got[m.ID]; ok {
		return got, nil
	}
	return engine.FeedReceipt{Entries: 1, Accepted: 1}, nil
}

func (t *taker) PayoutNews(_ context.Context, bank string, n payout.News) error {
	if err := t.say[n.ID]; err != nil {
		return err
	}
	t.news, t.banks = append(t.news, n), append(t.banks, bank)
	return nil
}

const (
	secret = "feed_secret_example"
	stamp  = "1795317303"
)

// now is when the sheet's example was signed.
var now = time.Unix(1795317303, 0)

// caller is a call to the routes; its zero fields are those of a good one.
type caller struct {
	path, key, timestamp, kind string
	secrets                    []string
	body                       string
}

func (c caller) call(to http.Handler) (int, string) {
	or := func(text, good string) string {
		switch text {
		case "":
			return good
		case "none":
			return ""
		}
		return text
	}
	kind := "application/xml"
	if strings.HasSuffix(c.path, "bank-credits") {
		kind = "application/json"
	}
	r := httptest.NewRequest(http.MethodPost, c.path, strings.NewReader(c.body))
	r.Header.Set("X-Feed-Key", or(c.key, "kb-1"))
	timestamp := or(c.timestamp, stamp)
	r.Header.Set("X-Feed-Timestamp", timestamp)
	r.Header.Set("Content-Type", or(c.kind, kind))
	var signatures []string
	for _, s := range append([]string(nil), c.secrets...) {
		signatures = append(signatures, bankfeed.Sign(card.Conceal(s), timestamp, []byte(c.body)))
	}
	if c.secrets == nil {
		signatures = []string{bankfeed.Sign(card.Conceal(secret), timestamp, []byte(c.body))}
	}
	r.Header.Set("X-Feed-Signature", strings.Join(signatures, ", "))
	w := httptest.NewRecorder()
	to.ServeHTTP(w, r)
	return w.Code, strings.TrimSpace(w.Body.String())
}

func routes(t *taker) http.Handler { return routesTo(t) }

func routesTo(t bankfeed.Taker) http.Handler {
	other := bankfeed.Feed{ID: "other", Bank: "088"}
	return bankfeed.Handler(bankfeed.Config{
		Feeds: []bankfeed.Feed{feed, other}, Taker: t, Now: func() time.Time { return now }, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Keys: map[string]bankfeed.Key{
			"kb-1": {
				Feed: "kb-main", Secrets: []card.Secret{card.Conceal("new_secret"), card.Conceal(secret)}, Accounts: []string{"004/12345604123456"},
			},
			"narrow":  {Feed: "kb-main", Secrets: []card.Secret{card.Conceal(secret)}, Accounts: []string{"004/1"}},
			"other":   {Feed: "other", Secrets: []card.Secret{card.Conceal(secret)}},
			"keyless": {Feed: "kb-main", Secrets: []card.Secret{{}}},
		},
	})
}

const (
	camt = "/v1/bank-feeds/kb-main/camt054"
	push = "/v1/bank-credits"
)

// The worked signature (rails §3.5).
func TestWorkedSignature(t *testing.T) {
	body := file(t, "push.json")
	const want = "v1=4f10c7630000b855816f650a3dcb51c8545e45b9000dc1fed807ea824a38bd43"
	if got := bankfeed.Sign(card.Conceal(secret), stamp, []byte(body)); got != want {
		t.Errorf("%s", got)
	}
	if len(body) != 281 {
		t.Errorf("%d bytes", len(body))
	}
}

func TestPush(t *testing.T) {
	to := &taker{}
	status, answer := caller{path: push, body: file(t, "push.json")}.call(routes(to))
	if want := `{"results":[{"event_id":"01JDA0000000000000000000A1","status":"accepted"}]}`; status != 200 || answer != want {
		t.Fatalf("%d %s", status, answer)
	}
	want := deposit.Message{
		Feed: "kb-main", ID: "01JDA0000000000000000000A1", Kind: deposit.Push, Digest: to.messages[0].Digest,
		Reports: []deposit.Report{{Bank: "004", Account: "12345604123456", Entries: []deposit.Entry{{
			Bank: "004", Account: "12345604123456", ID: "KB20261122000000917", Amount: won(50003), Name: card.Conceal("홍길동"), BookedAt: booked,
		}}}},
	}
	if !reflect.DeepEqual(to.messages, []deposit.Message{want}) || len(want.Digest) != 64 {
		t.Errorf("\n got %+v\nwant %+v", to.messages, want)
	}
}

// Who signs otherwise is not heard, and nothing that he says is read.
func TestSignatures(t *testing.T) {
	for name, row := range map[string]struct {
		caller
		want int
	}{
		"good":           {caller{}, 200},
		"another secret": {caller{secrets: []string{"new_secret"}}, 200},
		"two values":     {caller{secrets: []string{"old_secret", "new_secret"}}, 200},
		"early":          {caller{timestamp: strconv.FormatInt(now.Unix()-300, 10)}, 200},
		"late":           {caller{timestamp: strconv.FormatInt(now.Unix()+300, 10)}, 200},
		"too early":      {caller{timestamp: strconv.FormatInt(now.Unix()-301, 10)}, 401},
		"too late":       {caller{timestamp: strconv.FormatInt(now.Unix()+301, 10)}, 401},
		"no time":        {caller{timestamp: "none"}, 401},
		"no secret":      {caller{secrets: []string{}}, 401},
		"wrong secret":   {caller{secrets: []string{"old_secret"}}, 401},
		"no key":         {caller{key: "none"}, 401},
		"unknown key":    {caller{key: "kb-2"}, 401},
		"empty secret":   {caller{key: "keyless", secrets: []string{""}}, 401},
		"another's feed": {caller{key: "other"}, 403},
	} {
		for path, body := range map[string]string{push: file(t, "push.json"), camt: file(t, "camt.054-08.xml")} {
			to := &taker{}
			c := row.caller
			c.path, c.body = path, body
			status, answer := c.call(routes(to))
			if status != row.want || (len(to.messages) == 1) != (row.want == 200) {
				t.Errorf("%s: %s: %d %s", path, name, status, answer)
			}
		}
	}
}

// event is one event of a push; edits replace parts of it.
func event(pairs ...string) string {
	return strings.NewReplacer(pairs...).Replace(`{"event_id":"E1","type":"credit","bank_code":"004","account_number":"12345604123456",` +
		`"virtual_account_number":"56200012345678","bank_txn_id":"T1","amount":"50003","currency":"KRW","depositor_name":"홍길동",` +
		`"depositor_bank_code":"090","depositor_account":"3333-01-1234567","booked_at":"2026-11-22T12:15:03+09:00",` +
		`"value_date":"2026-11-22","balance_after":"7","memo":"AB23CD"}`)
}

func events(list ...string) string {
	return `{"feed_id":"kb-main","events":[` + strings.Join(list, ",") + `]}`
}

func TestEvents(t *testing.T) {
	to := &taker{}
	reversal := event(`"credit"`, `"reversal"`, `"bank_txn_id"`, `"original_bank_txn_id":"T0","bank_txn_id"`, "E1", "E2")
	if status, answer := (caller{path: push, body: events(event(), reversal)}).call(routes(to)); status != 200 {
		t.Fatalf("%d %s", status, answer)
	}
	credit := deposit.Entry{
		Bank: "004", Account: "12345604123456", Virtual: "56200012345678", ID: "T1", Amount: won(50003), Name: card.Conceal("홍길동"),
		FromBank: "090", FromAccount: card.Conceal("3333011234567"), Memo: card.Conceal("AB23CD"), BookedAt: booked, ValueDay: "20261122",
	}
	back := deposit.Entry{
		Bank: "004", Account: "12345604123456", ID: "T1", Original: "T0", Amount: won(50003), Debit: true, Reversal: true, BookedAt: booked,
		ValueDay: "20261122",
	}
	var got []deposit.Entry
	for _, m := range to.messages {
		got = append(got, m.Reports[0].Entries...)
	}
	if !same(got, []deposit.Entry{credit, back}) {
		t.Errorf("%+v", got)
	}
}

// The same event is the same, however it is written; another one is not.
func TestEventDigest(t *testing.T) {
	to := &taker{}
	for _, e := range []string{event(), strings.ReplaceAll(event(), ",", " ,\n"), event("50003", "50004")} {
		caller{path: push, body: events(e)}.call(routes(to))
	}
	if m := to.messages; len(m) != 3 || m[0].Digest != m[1].Digest || m[0].Digest == m[2].Digest {
		t.Errorf("%+v", m)
	}
}

// Each event is judged alone (rails §3.5).
func TestJudgedAlone(t *testing.T) {
	to := &taker{
		say: map[string]error{"conflict": fmt.Errorf("told before: %w", engine.Conflict)},
		got: map[string]engine.FeedReceipt{
			"again": {Entries: 1, Duplicates: 1}, "future": {Entries: 1, Refused: []engine.RefusedEntry{{ID: "T1", Why: engine.FutureDate}}},
		},
	}
	body := events(
		event("E1", "nothing", "50003", "0"), event("E1", "signed", "50003", "-1"), event("E1", "fraction", "50003", "1.00"),
		event("E1", "beyond", "50003", "1000000000000"), event("E1", "most", "50003", "999999999999"), event("E1", "dollars", "KRW", "USD"),
		event("E1", "foreign", "12345604123456", "99"), event("E1", "conflict"), event("E1", "again"), event("E1", "future"), event("E1", "good"),
	)
	status, answer := caller{path: push, body: body}.call(routes(to))
	want := ""
	for _, row := range []string{
		"nothing invalid_amount", "signed invalid_amount", "fraction invalid_amount", "beyond invalid_amount", "most ", "dollars currency",
		"foreign unknown_account", "conflict conflict", "again duplicate", "future future_date", "good ",
	} {
		id, reason, _ := strings.Cut(row, " ")
		switch reason {
		case "":
			want += `,{"event_id":"` + id + `","status":"accepted"}`
		case "duplicate":
			want += `,{"event_id":"` + id + `","status":"duplicate"}`
		default:
			want += `,{"event_id":"` + id + `","status":"rejected","reason":"` + reason + `"}`
		}
	}
	if want = `{"results":[` + want[1:] + `]}`; status != 200 || answer != want {
		t.Errorf("%d\n got %s\nwant %s", status, answer, want)
	}
}

// What has not the form of a push is refused as a whole, without a word of its content.
func TestBrokenPushes(t *testing.T) {
	for where, body := range map[string]string{
		"not the JSON": `{"feed_id":`, "not the JSON of": `{"feed_id":"kb-main","events":{}}`, "the JSON": `{"feed":"kb-main","events":[]}`,
		"not the":                   `{"feed_id":"kb-main","feed_id":"kb-main","events":[]}`,
		"1 to 500 events":           events(),
		"events are":                events(slices.Repeat([]string{event()}, 501)...),
		"feed_id and":               `{"feed_id":"","events":[` + event() + `]}`,
		"events[1]: not an event":   events(event(), `{"event_id":1}`),
		"events[0]: not an":         events(event(`"memo"`, `"note"`)),
		"events[0]: event_id":       events(event("E1", "")),
		"[0]: event_id":             events(event("E1", strings.Repeat("E", 65))),
		"type":                      events(event(`"credit"`, `"debit"`)),
		"bank_code":                 events(event(`"004"`, `"4"`)),
		"account_number":            events(event("12345604123456", "12-34")),
		"virtual_account_number":    events(event("56200012345678", "x")),
		"bank_txn_id":               events(event("T1", "")),
		"original_bank_txn_id":      events(event(`"credit"`, `"reversal"`)),
		"original_bank_txn_id: a":   events(event(`"bank_txn_id"`, `"original_bank_txn_id":"T0","bank_txn_id"`)),
		"depositor_name":            events(event(`"depositor_name":"홍길동",`, "")),
		"depositor_name, memo":      events(event("홍길동", strings.Repeat("홍", 141))),
		"memo":                      events(event("AB23CD", strings.Repeat("A", 141))),
		"depositor_bank_code":       events(event(`"090"`, `"90"`)),
		"depositor_account":         events(event("3333-01-1234567", strings.Repeat("3", 65))),
		"booked_at":                 events(event("2026-11-22T12:15:03+09:00", "2026-11-22T12:15:03")),
		"value_date":                events(event(`"2026-11-22"`, `"20261122"`)),
		"events[0]: booked_at: a t": events(event(`"2026-11-22T12:15:03+09:00"`, `""`)),
	} {
		to := &taker{}
		status, answer := caller{path: push, body: body}.call(routes(to))
		if status != 400 || !strings.Contains(answer, where) || len(to.messages) > 0 || strings.Contains(answer, "홍") {
			t.Errorf("%s: %d %s", where, status, answer)
		}
	}
	to := &taker{}
	status, _ := caller{path: push, body: events(event("홍길동", ""))}.call(routes(to))
	if status != 200 || !to.messages[0].Reports[0].Entries[0].Name.IsZero() {
		t.Errorf("an empty name: %d", status)
	}
}

// Nothing is answered with 200 that is not on disk: it is sent again (rails §3.4).
func TestSendAgain(t *testing.T) {
	down := errors.New("the database is away")
	for id, c := range map[string]caller{
		"E2":                        {path: push, body: events(event(), event("E1", "E2"))},
		"KB20261122-000017":         {path: camt, body: file(t, "camt.054-08.xml")},
		"KB-STS-1/DEP-ORDER-77-RF1": {path: camt, body: file(t, "pain.002-11.xml")},
	} {
		to := &taker{say: map[string]error{id: down}}
		status, answer := c.call(routes(to))
		if status != 503 || strings.Contains(answer, "database") {
			t.Errorf("%s: %d %s", id, status, answer)
		}
		to.say = nil
		if status, answer := c.call(routes(to)); status != 200 {
			t.Errorf("%s again: %d %s", id, status, answer)
		}
	}
}

func TestDocuments(t *testing.T) {
	example := file(t, "camt.054-08.xml")
	receipt := func(id string, accepted, duplicates int) string {
		return fmt.Sprintf(`{"message_id":"%s","entries":1,"accepted":%d,"duplicates":%d}`, id, accepted, duplicates)
	}
	known := taker{got: map[string]engine.FeedReceipt{"KB20261122-000017": {Entries: 1, Duplicates: 1}}}
	foreign := taker{say: map[string]error{"KB20261122-000017": fmt.Errorf("entry 1: %w", engine.UnknownAccount)}}
	orders := caller{body: file(t, "pain.002-11.xml")}
	misled := orders
	misled.key, misled.path = "other", "/v1/bank-feeds/other/camt054"
	for name, row := range map[string]struct {
		caller
		to     taker
		status int
		answer string
	}{
		"taken":      {caller{body: example}, taker{}, 200, receipt("KB20261122-000017", 1, 0)},
		"as text":    {caller{body: example, kind: "text/xml; charset=utf-8"}, taker{}, 200, receipt("KB20261122-000017", 1, 0)},
		"known":      {caller{body: example}, known, 200, receipt("KB20261122-000017", 0, 1)},
		"status":     {orders, taker{}, 200, receipt("KB-STS-1", 1, 0)},
		"not ours":   {caller{body: example}, foreign, 422, `{"reason":"entry 1: unknown_account"}`},
		"not his":    {caller{body: example, key: "narrow"}, taker{}, 422, `{"reason":"unknown_account"}`},
		"no orders":  {misled, taker{}, 422, `{"reason":"this feed reports on no payout bank"}`},
		"no feed":    {caller{body: example, path: "/v1/bank-feeds/none/camt054"}, taker{}, 403, `{"reason":"this key has no such feed"}`},
		"half":       {caller{body: example[:500]}, taker{}, 400, `{"reason":"not a well-formed document: line 14"}`},
		"other kind": {caller{body: example, kind: "application/json"}, taker{}, 415, `{"reason":"application/xml is wanted"}`},
		"no kind":    {caller{body: example, kind: "none"}, taker{}, 415, `{"reason":"application/xml is wanted"}`},
		"too large":  {caller{body: strings.Repeat(" ", 16<<20+1)}, taker{}, 413, `{"reason":"the body is larger than 16777216 bytes"}`},
		"large push": {
			caller{path: push, body: strings.Repeat(" ", 1<<20+1)}, taker{}, 413, `{"reason":"the body is larger than 1048576 bytes"}`,
		},
	} {
		if row.path == "" {
			row.path = camt
		}
		status, answer := row.call(routes(&row.to))
		if status != row.status || answer != row.answer {
			t.Errorf("%s: %d %s", name, status, answer)
		}
		if name == "status" && (len(row.to.news) != 1 || row.to.banks[0] != "kb") {
			t.Errorf("%+v of %v", row.to.news, row.to.banks)
		}
	}
}

// A long notification is taken in parts, so that nobody waits for all of it; a part that cannot be taken leaves the bank to send it all
// again, and one that must not be taken refuses all of it before any is (rails §3.4).
func TestLongNotification(t *testing.T) {
	var pairs []string
	for i := range 120 {
		pairs = append(pairs, ref(fmt.Sprint("T", i)), krw("1"))
	}
	text := strings.ReplaceAll(strings.ReplaceAll(batch(t, pairs...), "50003", "120"), "<NbOfTxs>3<", "<NbOfTxs>120<")
	const id = "KB20261122-000017"
	c := caller{path: camt, body: text}
	to := taker{got: map[string]engine.FeedReceipt{id: {Entries: 50, Accepted: 49, Duplicates: 1}, id + "+3": {Entries: 20, Accepted: 20}}}
	status, answer := c.call(routes(&to))
	if want := `{"message_id":"` + id + `","entries":71,"accepted":70,"duplicates":1}`; status != 200 || answer != want {
		t.Errorf("%d %s", status, answer)
	}
	var parts []string
	next := 0
	for _, m := range to.messages {
		for _, r := range m.Reports {
			parts = append(parts, fmt.Sprintf("%s: %d of number %d", m.ID, len(r.Entries), r.Seq))
			for _, e := range r.Entries {
				if e.ID != fmt.Sprint("T", next) {
					t.Fatalf("%s after %d others", e.ID, next)
				}
				next++
			}
		}
	}
	if want := []string{id + ": 50 of number 17", id + "+2: 50 of number 17", id + "+3: 20 of number 17"}; !slices.Equal(parts, want) || next != 120 {
		t.Errorf("%q", parts)
	}
	broken := taker{say: map[string]error{id + "+2": errors.New("the disk is full")}}
	if status, _ := c.call(routes(&broken)); status != 503 || len(broken.messages) != 1 {
		t.Errorf("%d after %d parts", status, len(broken.messages))
	}
	foreign := taker{say: map[string]error{id: fmt.Errorf("entry 70: %w", engine.UnknownAccount)}}
	if status, _ := c.call(routes(&foreign)); status != 422 || len(foreign.messages) != 0 {
		t.Errorf("%d after %d parts", status, len(foreign.messages))
	}
}

// slowTaker takes what comes when its gate opens, but for the feed that it is told to let through.
type slowTaker struct {
	*taker
	inside, gate chan struct{}
	pass         string
}

func (t slowTaker) TakeMessage(_ context.Context, m deposit.Message) (engine.FeedReceipt, error) {
	if m.Feed != t.pass {
		t.inside <- struct{}{}
		<-t.gate
	}
	return engine.FeedReceipt{Entries: 1, Accepted: 1}, nil
}

// A feed that has too much in work is to send again, and holds up no other.
func TestOneFeedDoesNotStarveTheOthers(t *testing.T) {
	slow := slowTaker{&taker{}, make(chan struct{}), make(chan struct{}), "other"}
	to := routesTo(slow)
	call := caller{path: push, body: events(event())}
	done := make(chan int, 9)
	for range 4 {
		go func() {
			status, _ := call.call(to)
			done <- status
		}()
		<-slow.inside
	}
	if status, body := call.call(to); status != 503 || body != `{"reason":"not taken now: send it again"}` {
		t.Errorf("one call too much: %d %s", status, body)
	}
	other := caller{path: push, key: "other", body: strings.Replace(call.body, `"kb-main"`, `"other"`, 1)}
	for range 9 {
		if status, body := other.call(to); status != 200 {
			t.Fatalf("another feed: %d %s", status, body)
		}
	}
	close(slow.gate)
	for range 4 {
		if status := <-done; status != 200 {
			t.Errorf("what was in work: %d", status)
		}
	}
	go func() { <-slow.inside }()
	if status, body := call.call(to); status != 200 {
		t.Errorf("afterwards: %d %s", status, body)
	}
}
