package sim

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// noon is some business time.
var noon = time.Date(2026, 11, 22, 6, 30, 0, 0, time.UTC)

const (
	ours   = "7878780080316316"
	theirs = "7878780080316317"
)

// clock is business time that a test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// timers collects what the bank wants to do later; the test says when later is.
type timers chan func()

func (w timers) After(_ time.Duration, f func()) { w <- f }

// bench is one bank under test and how to reach it.
type bench struct {
	*testing.T
	host   *Host
	clock  *clock
	timers timers
	cfg    Config
	client *http.Client
}

func start(t *testing.T, change ...func(*Config)) *bench {
	t.Helper()
	b := &bench{T: t, clock: &clock{now: noon}, timers: make(timers, 100), client: &http.Client{Transport: &http.Transport{}}}
	b.cfg = Config{
		Address: "127.0.0.1:0", KeyID: "rzp_test_1", KeySecret: "open sesame", Accounts: []Account{{ours, 10_000_00}, {theirs, 500_00}},
		WebhookSecret: "first", Delay: 2 * time.Second, Seed: 7, Now: b.clock.Now, After: b.timers.After, Polite: true,
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
	for _, c := range change {
		c(&b.cfg)
	}
	b.open()
	return b
}

// open starts the bank; after a Close, again.
func (b *bench) open() {
	b.Helper()
	host, err := Start(context.Background(), b.cfg)
	if err != nil {
		b.Fatal(err)
	}
	b.host = host
	b.Cleanup(func() {
		b.client.CloseIdleConnections()
		if err := host.Close(); err != nil {
			b.Error(err)
		}
	})
}

// answer is what came back: nought and an error text where nothing did.
type answer struct {
	status int
	raw    string
	body   map[string]any
}

func (a answer) str(path string) string { return fmt.Sprint(dig(a.body, path)) }

func dig(from any, path string) any {
	for _, name := range strings.Split(path, ".") {
		m, _ := from.(map[string]any)
		from = m[name]
	}
	return from
}

func (b *bench) send(method, path, key, text string, change ...func(*http.Request)) answer {
	r, err := http.NewRequestWithContext(b.Context(), method, b.host.URL()+path, strings.NewReader(text))
	if err != nil {
		b.Fatal(err)
	}
	r.SetBasicAuth(b.cfg.KeyID, b.cfg.KeySecret)
	if text != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		r.Header.Set(idempotencyHeader, key)
	}
	for _, c := range change {
		c(r)
	}
	got, err := b.client.Do(r)
	if err != nil {
		return answer{raw: err.Error()}
	}
	defer got.Body.Close()
	raw, err := io.ReadAll(got.Body)
	if err != nil {
		return answer{raw: err.Error()}
	}
	a := answer{status: got.StatusCode, raw: string(raw)}
	_ = json.Unmarshal(raw, &a.body)
	return a
}

// order is the body of a payout.
func order(to, reference string, amount int64) string {
	return fmt.Sprintf(`{"account_number":%q,"amount":%d,"currency":"INR","mode":"UPI","purpose":"payout",`+
		`"fund_account":{"account_type":"vpa","vpa":{"address":%q},"contact":{"name":"Asha Rao"}},`+
		`"queue_if_low_balance":false,"reference_id":%q,"narration":"Google payout"}`,
		ours, amount, to, reference)
}

// pay makes a payout that has to be taken.
func (b *bench) pay(to, reference string, amount int64) answer {
	b.Helper()
	got := b.send("POST", "/payouts", "key "+strings.NewReplacer(".", "_", "/", "_").Replace(reference), order(to, reference, amount))
	if got.status != http.StatusOK {
		b.Fatalf("%s is answered %d %s", to, got.status, got.raw)
	}
	return got
}

func (b *bench) get(id string) answer { return b.send("GET", "/payouts/"+id, "", "") }

// later moves business time and lets happen what is due.
func (b *bench) later(d time.Duration) {
	b.clock.advance(d)
	b.host.Tick()
}

// control calls the control port.
func (b *bench) control(method, path, text string) (int, string) {
	w := httptest.NewRecorder()
	b.host.Control().ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(text)))
	return w.Code, w.Body.String()
}

func (b *bench) do(path, text string) string {
	b.Helper()
	code, got := b.control("POST", path, text)
	if code != http.StatusOK {
		b.Fatalf("%s %s: %d %s", path, text, code, got)
	}
	return got
}

// shown reads a list of the control port.
func shown[T any](b *bench, path string) (list []T) {
	b.Helper()
	code, got := b.control("GET", path, "")
	if err := json.Unmarshal([]byte(got), &list); code != http.StatusOK || err != nil {
		b.Fatalf("%s: %d %v %s", path, code, err, got)
	}
	return list
}

func (b *bench) rule(text string) { b.Helper(); b.do("/scenarios", text) }

// one is the payout of a reference.
func (b *bench) one(reference string) payout {
	b.Helper()
	all := shown[payout](b, "/payouts?reference="+reference)
	if len(all) != 1 {
		b.Fatalf("%d payouts of %s", len(all), reference)
	}
	return all[0]
}

// arrival is one event as it came.
type arrival struct {
	id, signature, raw, name string
	body                     map[string]any
}

// receiver is where events go. It answers with the status that is next, and 200 when there is none.
type receiver struct {
	*httptest.Server
	mu       sync.Mutex
	arrivals []arrival
	answers  []int
	on       func(arrival)
}

func (b *bench) receiver() *receiver {
	v := &receiver{}
	v.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		got := arrival{id: r.Header.Get("x-razorpay-event-id"), signature: r.Header.Get("X-Razorpay-Signature"), raw: string(raw)}
		_ = json.Unmarshal(raw, &got.body)
		got.name = fmt.Sprint(got.body["event"])
		v.mu.Lock()
		status := http.StatusOK
		if len(v.answers) > 0 {
			status, v.answers = v.answers[0], v.answers[1:]
		}
		v.arrivals = append(v.arrivals, got)
		on := v.on
		v.mu.Unlock()
		if on != nil {
			on(got)
		}
		w.WriteHeader(status)
	}))
	b.Cleanup(v.Close)
	b.host.SetWebhook(v.URL)
	return v
}

// listen has somebody look at what arrives.
func (v *receiver) listen(on func(arrival)) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.on = on
}

// heard are the events about payouts that have arrived since it was last asked.
func (v *receiver) heard() (list []arrival) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, a := range v.arrivals {
		if strings.HasPrefix(a.name, "payout.") {
			list = append(list, a)
		}
	}
	v.arrivals = nil
	return list
}

func namesOf(list []arrival) string {
	var all []string
	for _, a := range list {
		all = append(all, strings.TrimPrefix(a.name, "payout."))
	}
	return strings.Join(all, " ")
}
