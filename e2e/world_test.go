// Package e2e breaks the rules of the wire against the whole integrator: the real platform between a simulated Google, a simulated acquirer
// and a simulated payout bank, on real sockets. What a sandbox can play is told in package stories; here stands what needs other keys, other
// accounts, raw bytes, or ends with an operator. After each test the three records agree, the database is sound, and no card data was written.
package e2e

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"naru/clock"
	"naru/platform"
	"naru/rail/iso8583"
	"naru/rail/iso8583/sim"
	upisim "naru/rail/upi/sim"
	"naru/sandbox/google"
	"naru/seal"
)

// Of each card API two accounts are contracted alike; one has a merchant number that the host calls closed (rails §1.19). One more is
// enabled for nothing.
const (
	first, second, closed          = "NaruPG_KRW", "NaruPG2_KRW", "NaruClosed_KRW"
	firstFOP, secondFOP, closedFOP = "NaruPG_EUR", "NaruPG2_EUR", "NaruClosed_EUR"
	disabled                       = "NaruOff_KRW"

	googlePath = "/secure-serving/gsp"

	settings = `
environment = "sandbox"
store = { path = "naru.db", kek = %q }
admin = { listen = "127.0.0.1:0" }
[gsp]
listen = "127.0.0.1:0"
cert = %q
key = %q
own_keys = %q
google_keys = %q
google_base = "https://%s` + googlePath + `"
google_ca = %q
max_failures = 10000
%s
[[acquirer]]
name = "host"
profile = "profile.toml"
addresses = [%q]
institution = "12345678901"
city = "SEOUL"
%s
[[account]]
id = "` + first + `"
apis = ["korea-cards-v1"]
currencies = ["KRW"]
acquirer = "host"
terminals = ["PI000001"]
merchant = "PIMERCHANT00001"
mcc = "5816"
%s
[[account]]
id = "` + second + `"
apis = ["korea-cards-v1"]
currencies = ["KRW"]
acquirer = "host"
terminals = ["PI000002"]
merchant = "PIMERCHANT00002"
mcc = "5816"
[[account]]
id = "` + disabled + `"
apis = []
currencies = ["KRW"]
acquirer = "host"
terminals = ["PI000003"]
merchant = "PIMERCHANT00003"
mcc = "5816"
[[account]]
id = "` + closed + `"
apis = ["korea-cards-v1"]
currencies = ["KRW"]
acquirer = "host"
terminals = ["PI000004"]
merchant = "CLOSED000000001"
mcc = "5816"
[[account]]
id = "` + firstFOP + `"
apis = ["card-fop-v1"]
currencies = ["EUR", "USD", "JPY", "KWD"]
acquirer = "host"
terminals = ["PI000005"]
merchant = "PIMERCHANT00005"
mcc = "5816"
time_zone = "Asia/Seoul"
%s
[[account]]
id = "` + secondFOP + `"
apis = ["card-fop-v1"]
currencies = ["EUR"]
acquirer = "host"
terminals = ["PI000006"]
merchant = "PIMERCHANT00006"
mcc = "5816"
time_zone = "Asia/Seoul"
[[account]]
id = "` + closedFOP + `"
apis = ["card-fop-v1"]
currencies = ["EUR"]
acquirer = "host"
terminals = ["PI000007"]
merchant = "CLOSED000000002"
mcc = "5816"
time_zone = "Asia/Seoul"
`

	// What the acquirer tells of a day, and what it takes by file, lies in two folders (rails §4).
	exchange = `
[acquirer.files]
acquirer = "ACQ0001"
inbox = "` + inbox + `"
outbox = "` + outbox + `"
scan = "50ms"
capture_every = "1m"
`
	inbox, outbox = "to-us", "from-us"

	// Nothing here waits for the clock on the wall longer than it must.
	haste = `
[timeouts]
authorise = %q
advice = "400ms"
network = "1s"
[saf]
backoff = ["200ms", "400ms", "1s"]
[pool]
reconnect_min = "30ms"
reconnect_max = "100ms"
`
)

// options are what a world has of its own.
type options struct {
	api        *api              // that Google speaks where nothing else is said; korea where nil
	dialect    string            // pi87-default where empty
	authorise  string            // how long a request waits for the host; 1s where empty
	gsp        string            // more of the configuration
	account    string            // and of the first account of Korea Cards
	fop        string            // and of that of Card FOP
	pays       bool              // there is a payout bank, as there is where Google speaks disburseFunds
	bank       string            // more of its configuration
	payer      string            // and of the first account that pays out
	rude       bool              // it tells what it tells twice, late and out of turn
	files      bool              // the acquirer gives us files, and takes ours
	replace    map[string]string // in the dialect
	googleKeys string            // Google's keys as we have them; all of the workshop where empty
	before     func(*world)      // done when the host is there and the integrator is not
}

// world is one integrator and its peers.
type world struct {
	t       *testing.T
	dir     string
	options options
	api     *api // that Google speaks
	single  bool // payments are sales: money is taken in one message
	clock   *clock.Movable
	host    *sim.Host
	control http.Handler // the host's second entrance
	bank    *upisim.Host // the payout bank; nil where nobody pays out
	teller  http.Handler // its second entrance
	google  *atomic.Pointer[google.Google]
	where   string // Google's address

	platform *platform.Platform
	stop     context.CancelFunc
	running  bool

	http   *http.Client
	box    *seal.Box // Google's, for bytes that Google would not send
	log    *record   // what the integrator logs
	said   *record   // every answer, decrypted, and the metrics
	visits *record   // where Google was called, a path a line

	serial *atomic.Int64 // of requests that have no name of their own

	secrets map[string]bool // what was sent and must be written nowhere
	cases   int64           // what is left for an operator when the test ends
	parked  int64
	open    map[string]bool // reservations that such a case leaves in dispute
	strange map[string]bool // the acquirer's records that fit nothing, by event id
}

// record is a buffer that many may write to.
type record struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.b.Write(p)
}

func (r *record) text() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return bytes.Clone(r.b.Bytes())
}

func newWorld(t *testing.T, o options) *world {
	t.Helper()
	w := &world{
		t: t, dir: t.TempDir(), options: o, clock: &clock.Movable{}, google: &atomic.Pointer[google.Google]{},
		log: &record{}, said: &record{}, visits: &record{},
		serial: &atomic.Int64{}, secrets: map[string]bool{}, open: map[string]bool{}, strange: map[string]bool{},
	}
	for _, s := range always {
		w.secrets[s] = true
	}
	if w.api = w.options.api; w.api == nil {
		w.api = korea
	}
	if w.options.dialect == "" {
		w.options.dialect = iso8583.DefaultProfile
	}
	if w.options.authorise == "" {
		w.options.authorise = "1s"
	}
	if w.options.googleKeys == "" {
		w.options.googleKeys = shop().file("google-keys")
	}
	shipped := must(os.ReadFile("../rail/iso8583/profiles/" + w.options.dialect + ".toml"))
	text := shortened(string(shipped))
	for from, to := range w.options.replace {
		text = strings.ReplaceAll(text, from, to)
	}
	w.write("profile.toml", text+fmt.Sprintf(haste, w.options.authorise))

	var err error
	host := sim.Config{Profile: must(iso8583.LoadProfile(w.file("profile.toml"))), Address: "127.0.0.1:0", Seed: 1, Now: w.clock.Now}
	if w.options.files { // it is morning: no day ends, and no file is made, but where a test says so
		host.Deliver, host.Collect = w.file(inbox), w.file(outbox)
		now := w.clock.Now().In(time.FixedZone("KST", 9*60*60))
		w.clock.Advance(time.Date(now.Year(), now.Month(), now.Day()+1, 10, 0, 0, 0, now.Location()).Sub(now))
	}
	w.host, err = sim.Start(context.Background(), host)
	w.check(err)
	t.Cleanup(func() { w.check(w.host.Close()) })
	w.control = w.host.Control()
	if w.options.pays = w.options.pays || w.api == upi; w.options.pays {
		w.openBank()
	}
	if o.before != nil {
		o.before(w)
	}

	side := tls.NewListener(must(net.Listen("tcp", "127.0.0.1:0")), &tls.Config{
		Certificates: []tls.Certificate{shop().cert}, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"},
	})
	w.where = side.Addr().String()
	server := &http.Server{
		Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			fmt.Fprintln(w.visits, r.URL.Path)
			w.google.Load().ServeHTTP(rw, r)
		}),
		ReadHeaderTimeout: time.Second, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug),
	}
	go func() { _ = server.Serve(side) }() // ends with Close
	t.Cleanup(func() { w.check(server.Close()) })

	w.box = box([]string{"google"}, []string{"ours"})
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: shop().roots}, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 32}
	w.http = &http.Client{Transport: transport}
	t.Cleanup(transport.CloseIdleConnections)
	w.start()
	t.Cleanup(w.audit)
	return w
}

// start starts the integrator, again if need be, and Google towards its new address.
func (w *world) start() {
	w.t.Helper()
	s := shop()
	cert, files := s.file("server.pem"), "" // its own authority, and Google's
	if w.options.files {
		files = exchange
	}
	w.write("naru.toml", fmt.Sprintf(settings, s.file("kek"), cert, s.file("server.key"), s.file("own-keys"), w.options.googleKeys,
		w.where, cert, w.options.gsp, w.host.Addr(), files, w.options.account, w.options.fop)+w.payouts())
	config, err := platform.Load(w.file("naru.toml"))
	w.check(err)
	ctx, stop := context.WithCancel(context.Background())
	w.platform, err = platform.Start(ctx, config, platform.World{Clock: w.clock, Log: platform.Logger(w.log, platform.Log{Level: "debug"})})
	w.check(err)
	w.stop, w.running = stop, true
	if w.bank != nil {
		w.bank.SetWebhook("http://" + w.platform.HookAddr + "/payouts/bank")
	}
	g, err := google.New(google.Config{
		Integrator: w.url(""), Roots: s.roots, Keys: parse("google", true), Peer: parse("ours", false),
		Accounts: []string{first, second, closed, firstFOP, secondFOP, closedFOP, firstPay, secondPay},
		APIs: map[string]string{
			firstFOP: fop.name, secondFOP: fop.name, closedFOP: fop.name, firstPay: upi.name, secondPay: upi.name,
		},
		BasePath: googlePath, Now: time.Now, Business: w.clock.Now, File: w.file("google.jsonl"),
	})
	w.check(err)
	w.google.Store(g)
	if w.options.before == nil {
		w.ready()
	}
}

// end stops the integrator as an operator does, calls under way included.
func (w *world) end() {
	w.t.Helper()
	if !w.running {
		return
	}
	w.running = false
	w.stop()
	w.check(w.platform.Wait())
	w.check(w.google.Load().Close())
}

func (w *world) restart() {
	w.t.Helper()
	w.end()
	w.start()
}

func (w *world) url(path string) string   { return "https://" + w.platform.GSPAddr + path }
func (w *world) file(name string) string  { return filepath.Join(w.dir, name) }
func (w *world) write(name, text string)  { w.check(os.WriteFile(w.file(name), []byte(text), 0o600)) }
func (w *world) note(what string, of any) { fmt.Fprintf(w.said, "%s %v\n", what, of) }

func (w *world) check(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// shortened is a shipped dialect without its times.
func shortened(text string) string {
	var kept strings.Builder
	section := ""
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "[") {
			section = strings.Trim(strings.TrimSpace(line), "[]")
		}
		switch section {
		case "timeouts", "saf", "pool":
		default:
			kept.WriteString(line)
		}
	}
	return kept.String()
}

// patience bounds every wait for what somebody else's queue will do; reaching it is a failure, never a pass.
const patience = 20 * time.Second

func (w *world) until(what string, seen func() bool) {
	w.t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); !seen(); <-tick.C {
		if time.Now().After(end) {
			w.t.Fatalf("never: %s", what)
		}
	}
}

// edits are changes of a request by path, such as accountDetails.card.cvn. Absent takes a member away.
type edits map[string]any

type gone struct{}

var absent gone

const (
	reserve = "reserveFunds"
	capture = "asynchronousCaptureFundsReservation"
	cancel  = "asynchronousCancelFundsReservation"
	sell    = "capture"
	refund  = "asynchronousRefund"
	verify  = "verifyCardWithMinimumReservation"
	inspect = "verifyCardWithZeroAmount"
	defend  = "defendChargeback"

	pan       = "accountDetails.card.accountNumber"
	number    = "card.accountNumber" // of a card check
	options_  = "additionalTransactionProcessingOptions."
	requestID = "requestHeader.requestId"
	account   = "paymentIntegratorAccountId"
	of        = "reservationRequestId"
	paid      = "captureRequestId"
	back      = "refundAmount"
	document  = "defenseMaterialDocument"
)

// request is a method's example with changes. What must not be written down anywhere is noted.
func (w *world) request(method string, changes ...edits) map[string]any {
	w.t.Helper()
	var body map[string]any
	w.check(json.Unmarshal([]byte(w.api.examples[method]), &body))
	if method != "echo" {
		body[account] = w.api.first
	}
	for _, e := range changes {
		for path, value := range e {
			change(body, strings.Split(path, "."), value)
		}
	}
	for name, value := range body {
		if amount, ok := value.(sum); ok {
			body[name] = amount.in(w.api, body["currencyCode"])
		}
	}
	for _, at := range numbers {
		var here any = body
		for _, name := range strings.Split(at, ".") {
			inside, _ := here.(map[string]any)
			here = inside[name]
		}
		if found, ok := here.(string); ok && (len(found) >= 13 || strings.Contains(found, "@sim")) {
			w.secrets[found] = true
		}
	}
	return body
}

// numbers is where a request may have a card number, or the address of a payee.
var numbers = []string{pan, number, "accountDetails.paymentToken.paymentTokenAccountNumber", vpa}

// and is more changes on top.
func (e edits) and(more edits) edits {
	sum := edits{}
	maps.Copy(sum, e)
	maps.Copy(sum, more)
	return sum
}

func change(at map[string]any, path []string, value any) {
	if object, ok := value.(map[string]any); ok {
		value = maps.Clone(object) // a later change must not reach back
	}
	if len(path) > 1 {
		inner, ok := at[path[0]].(map[string]any)
		if !ok {
			inner = map[string]any{}
			at[path[0]] = inner
		}
		change(inner, path[1:], value)
	} else if at[path[0]] = value; value == absent {
		delete(at, path[0])
	}
}

// answer is what came back: the status, the members without their header, and the one that says how it ended.
type answer struct {
	status int
	word   string // result, of a payout too, or errorResponseCode
	body   string
}

func (a answer) is(status int, word string) bool { return a.status == status && a.word == word }

func (w *world) read(status int, plain []byte) answer {
	w.note("answer", string(plain))
	a := answer{status: status}
	if len(plain) == 0 {
		return a
	}
	var m map[string]any
	if err := json.Unmarshal(plain, &m); err != nil {
		w.t.Errorf("an answer is no JSON object: %v", err)
	}
	delete(m, "responseHeader")
	result, _ := m["disburseFundsResult"].(map[string]any)
	for _, said := range []any{m["result"], m["errorResponseCode"], result["disburseFundsResultCode"]} {
		if said, ok := said.(string); ok {
			a.word = said
		}
	}
	a.body = string(must(json.Marshal(m)))
	return a
}

// ask lets Google send a request under an id; all copies at once.
func (w *world) ask(method, id string, e edits) answer {
	w.t.Helper()
	return w.copies(1, method, id, e)[0]
}

func (w *world) copies(n int, method, id string, e edits) []answer {
	w.t.Helper()
	list, err := w.send(n, method, w.request(method, edits{requestID: id}, e))
	w.check(err)
	return list
}

func (w *world) send(n int, method string, body map[string]any) (list []answer, err error) {
	got, err := w.google.Load().Send(context.Background(), google.Order{
		Method: method, API: w.api.name, Body: must(json.Marshal(body)), Copies: n,
	})
	for _, a := range got {
		list = append(list, w.read(a.Status, a.Body))
	}
	return list, err
}

// meanwhile asks and does not wait: the answers come when there are any.
func (w *world) meanwhile(n int, method, id string, e edits) <-chan []answer {
	w.t.Helper()
	body, come := w.request(method, edits{requestID: id}, e), make(chan []answer, 1)
	go func() {
		list, err := w.send(n, method, body)
		if err != nil {
			w.t.Error(err)
		}
		come <- list
	}()
	return come
}

func (w *world) want(method, id string, e edits, status int, word string) answer {
	w.t.Helper()
	a := w.ask(method, id, e)
	if !a.is(status, word) {
		w.t.Fatalf("%s %s: got %d %s, want %d %s", method, id, a.status, a.body, status, word)
	}
	return a
}

// decided asks until the answer is no 503.
func (w *world) decided(method, id string, e edits, status int, word string) {
	w.t.Helper()
	var a answer
	w.until(method+" "+id+" is decided", func() bool { a = w.ask(method, id, e); return a.status != http.StatusServiceUnavailable })
	if !a.is(status, word) {
		w.t.Fatalf("%s %s: got %d %s, want %d %s", method, id, a.status, a.body, status, word)
	}
}

// told is what Google knows of a capture, a cancel or a refund.
func (w *world) told(id string) (result string) {
	_, verdicts := w.google.Load().Record()
	for _, v := range verdicts {
		if v.Subject == id && w.api.owns(v.Account) {
			result = v.Result
		}
	}
	return result
}

func (w *world) verdict(id, result string) {
	w.t.Helper()
	w.until("a verdict on "+id, func() bool { return w.told(id) != "" })
	if got := w.told(id); got != result {
		w.t.Fatalf("Google was told %s of %s, want %s", got, id, result)
	}
}

// command uses a control port, the host's or Google's.
func (w *world) command(c http.Handler, method, path, in string, out any) {
	w.t.Helper()
	rec := httptest.NewRecorder()
	c.ServeHTTP(rec, httptest.NewRequest(method, path, strings.NewReader(in)))
	if rec.Code != http.StatusOK {
		w.t.Fatalf("%s %s: %d %s", method, path, rec.Code, rec.Body)
	}
	if out != nil {
		w.check(json.Unmarshal(rec.Body.Bytes(), out))
	}
}

// received is what Google was sent under a method.
func (w *world) received(method string) (bodies []map[string]any) {
	w.t.Helper()
	var list []struct {
		Method string
		Body   map[string]any
	}
	w.command(w.google.Load().Control(), "GET", "/received", "", &list)
	for _, m := range list {
		if m.Method == method {
			bodies = append(bodies, m.Body)
		}
	}
	return bodies
}

// rule tells the host to misbehave; fault tells Google.
func (w *world) rule(text string) {
	w.t.Helper()
	w.command(w.control, "POST", "/scenarios", text, nil)
}

func (w *world) fault(text string) {
	w.t.Helper()
	w.command(w.google.Load().Control(), "POST", "/faults", text, nil)
}
func (w *world) obey() { w.t.Helper(); w.command(w.control, "DELETE", "/scenarios", "", nil) }

// hostHold is a hold in the host's own record.
type hostHold struct {
	RRN      string `json:"rrn"`
	State    string `json:"state"`
	Amount   int64  `json:"amount"`
	Captured int64  `json:"captured"`
	Refunded int64  `json:"refunded"`
}

func (w *world) hostHolds() (list []hostHold) {
	w.t.Helper()
	w.command(w.control, "GET", "/holds", "", &list)
	return list
}

// hostPayments is all that the host holds, held, or took at once.
func (w *world) hostPayments() []hostHold {
	w.t.Helper()
	list := w.hostHolds()
	var bookings []struct {
		hostHold
		Kind   string `json:"kind"`
		Undone bool   `json:"undone"`
	}
	w.command(w.control, "GET", "/bookings", "", &bookings)
	for _, b := range bookings {
		if b.Kind == "sale" && !b.Undone {
			list = append(list, hostHold{RRN: b.RRN, Captured: b.Amount, Refunded: b.Refunded})
		}
	}
	return list
}

// seen counts the messages of a type and an amount that the host received.
func (w *world) seen(mti string, amount int64) (n int) {
	w.t.Helper()
	var list []struct{ Direction, MTI, DE4 string }
	w.command(w.control, "GET", "/transactions", "", &list)
	for _, m := range list {
		if m.Direction == "seen" && m.MTI == mti && m.DE4 == fmt.Sprintf("%012d", amount) {
			n++
		}
	}
	return n
}

// reference finds the RRN of a reservation's present attempt.
func (w *world) reference(id string) string {
	w.t.Helper()
	holds, err := w.platform.Store.Holds(context.Background())
	w.check(err)
	for _, h := range holds {
		if h.RequestID == id && w.api.owns(h.Account) {
			return h.RRN
		}
	}
	w.t.Fatalf("there is no reservation %s", id)
	return ""
}

// state is where a reservation stands.
func (w *world) state(id string) string {
	w.t.Helper()
	holds, err := w.platform.Store.Holds(context.Background())
	w.check(err)
	for _, h := range holds {
		if h.RequestID == id && w.api.owns(h.Account) {
			return h.State
		}
	}
	return ""
}

// post sends raw bytes to the real listener and opens what comes back.
func (w *world) post(path string, wire []byte) answer {
	w.t.Helper()
	resp, err := w.http.Post(w.url(path), "application/octet-stream; charset=utf-8", bytes.NewReader(wire))
	w.check(err)
	body, err := io.ReadAll(resp.Body)
	w.check(errors.Join(err, resp.Body.Close()))
	if len(body) == 0 {
		return w.read(resp.StatusCode, nil)
	}
	opened, err := w.box.Open(context.Background(), body)
	w.check(err)
	return w.read(resp.StatusCode, opened.Plain)
}

func (w *world) metrics() string {
	w.t.Helper()
	resp, err := http.Get("http://" + w.platform.AdminAddr + "/metrics")
	w.check(err)
	text, err := io.ReadAll(resp.Body)
	w.check(errors.Join(err, resp.Body.Close()))
	return string(text)
}
