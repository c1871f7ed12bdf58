// Package bench measures a build against what it cannot do without (design §5): calls of GSP against their cryptography, deposit orders
// against bare commits of their rows. The server is a process of its own, the acquirer another, and the load comes from a third. Figures are
// ratios taken in one run, because machines are noisy and differ.
package bench

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"text/template"
	"time"

	"github.com/google/uuid"

	"naru/seal"
)

// Options say how long and how wide a run is.
type Options struct {
	Binary   string        // this program
	Method   string        // which one is called: one of Methods
	Duration time.Duration // of each load phase
	Rounds   int           // how often floor and load alternate; the median counts
	Workers  int           // requests at once in a closed loop
	Accounts int           // over which the spread load goes
	Progress io.Writer
}

// Report is what one run found. Times are in milliseconds of one core unless they say otherwise.
type Report struct {
	Method     string     `json:"method"`
	Conditions Conditions `json:"conditions"`

	FloorMS     float64   `json:"crypto_floor_cpu_ms"`     // decrypt, verify, sign, encrypt of one message with plain library calls
	OpenSSLMS   float64   `json:"openssl_two_private_ms"`  // two RSA-2048 private operations
	CallMS      float64   `json:"call_cpu_ms"`             // server CPU per call, load spread over accounts
	HotMS       float64   `json:"call_hot_cpu_ms"`         // the same on one account
	ReplayMS    float64   `json:"replay_cpu_ms"`           // server CPU per repeat
	ToFloorAll  []float64 `json:"call_to_floor_rounds"`    // each round's ratio, in order
	ToFloor     float64   `json:"call_to_floor"`           // goal: at most 1.25
	ToOpenSSL   float64   `json:"call_to_openssl"`         // goal: at most 2.0
	HotToSpread float64   `json:"spread_to_hot"`           // goal: at least 0.9
	PerSecond   float64   `json:"closed_loop_per_second"`  // what this machine did with load and acquirer beside the server
	Latency     Latency   `json:"latency_half_load_ms"`    // open loop at half of that, wall time, with the acquirer's answer
	RestartMS   float64   `json:"restart_to_first_200_ms"` // wall time, after a kill under load; goal: 2000
	IdleMiB     float64   `json:"memory_idle_mib"`         // goal: 64
	LoadMiB     float64   `json:"memory_under_load_mib"`   // goal: 256
	Stored      int       `json:"payments_stored"`
}

// Latency is measured from when a request was due, not from when it could be sent.
type Latency struct {
	PerSecond float64 `json:"per_second"`
	P50       float64 `json:"p50"`
	P99       float64 `json:"p99"`
	P999      float64 `json:"p99_9"`
}

// A method is what is called under load: where, and with what.
type method struct{ api, currency, path, body string }

const (
	koreaCards = "korea-cards-v1"
	cardFOP    = "card-fop-v1"
)

var methods = map[string]method{
	"reserveFunds": {koreaCards, "KRW", "/v1/payment-integrator-korea-cards-api/reserveFunds", koreaBody},
	"capture":      {cardFOP, "EUR", "/v1/payment-integrator-card-fop-api/capture", fopBody},
}

// Methods are the names of what can be measured.
func Methods() []string { return slices.Sorted(maps.Keys(methods)) }

// GSP measures one method on SQLite.
func GSP(ctx context.Context, o Options) (r Report, err error) {
	m, ok := methods[o.Method]
	if !ok {
		return r, fmt.Errorf("method %q cannot be measured; write one of %v", o.Method, Methods())
	}
	r.Method = o.Method
	dir, err := os.MkdirTemp("", "naru-bench-*")
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	b := &run{server: server{binary: o.Binary, dir: dir}, o: o, method: m}
	defer b.close()
	if err := b.prepare(ctx); err != nil {
		return r, err
	}
	if r.Conditions, err = conditions(); err != nil {
		return r, err
	}
	floor, err := seal.NewFloor(1000)
	if err != nil {
		return r, err
	}
	if r.OpenSSLMS, err = openssl(ctx); err != nil {
		return r, err
	}
	if _, err := b.startServer(ctx); err != nil {
		return r, err
	}
	if _, err := b.closedLoop(ctx, b.o.Accounts, 200); err != nil { // warms connections, statements, keys
		return r, err
	}
	if r.IdleMiB, err = b.memory("VmRSS"); err != nil {
		return r, err
	}
	var floors, spread, hot, rate, toFloor, hotToSpread []float64
	for round := range o.Rounds { // floor and load alternate, and the ratio is taken within a round, so that a noisy moment hits both
		fmt.Fprintf(o.Progress, "round %d of %d\n", round+1, o.Rounds)
		f, err := floorCPU(floor, o.Duration)
		if err != nil {
			return r, err
		}
		s, err := b.closedLoop(ctx, o.Accounts, 0)
		if err != nil {
			return r, err
		}
		h, err := b.closedLoop(ctx, 1, 0)
		if err != nil {
			return r, err
		}
		floors, spread, hot, rate = append(floors, f), append(spread, s.cpu), append(hot, h.cpu), append(rate, s.perSecond)
		toFloor, hotToSpread = append(toFloor, s.cpu/f), append(hotToSpread, s.cpu/h.cpu)
	}
	r.ToFloorAll = slices.Clone(toFloor)
	r.FloorMS, r.CallMS, r.HotMS, r.PerSecond = median(floors), median(spread), median(hot), median(rate)
	r.ToFloor, r.ToOpenSSL, r.HotToSpread = median(toFloor), r.CallMS/r.OpenSSLMS, median(hotToSpread)
	replay, err := b.replays(ctx)
	if err != nil {
		return r, err
	}
	r.ReplayMS = replay.cpu
	if r.Latency, err = b.openLoop(ctx, r.PerSecond/2); err != nil {
		return r, err
	}
	if r.LoadMiB, err = b.memory("VmHWM"); err != nil {
		return r, err
	}
	if r.RestartMS, err = b.restart(ctx); err != nil {
		return r, err
	}
	r.Stored = int(b.stored.Load())
	return r, nil
}

func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}

// run is one measurement under way.
type run struct {
	server
	o        Options
	method   method
	box      *seal.Box // plays Google
	client   *http.Client
	acquirer *exec.Cmd
	hangUp   io.Closer // ends the acquirer
	base     string    // of the GSP listener
	stored   atomic.Int64
	last     []message
}

// prepare lets a sandbox furnish the folder and starts the acquirer.
func (b *run) prepare(ctx context.Context) error {
	contract, err := furnish(ctx, b.dir)
	if err != nil {
		return err
	}
	google, err := seal.LoadRing(filepath.Join(b.dir, contract.GSP.Google.PGPSecret))
	if err != nil {
		return err
	}
	integrator, err := seal.LoadRing(filepath.Join(b.dir, contract.GSP.Integrator.PGPPublic))
	if err != nil {
		return err
	}
	if b.box, err = seal.NewBox(seal.Config{Own: google, Peer: integrator}); err != nil {
		return err
	}
	ca, err := os.ReadFile(filepath.Join(b.dir, contract.GSP.CA))
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	b.client = &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, MaxIdleConnsPerHost: 512, DisableCompression: true,
	}}
	b.acquirer = exec.CommandContext(ctx, b.binary, "bench", "acquirer")
	in, err := b.acquirer.StdinPipe()
	if err != nil {
		return err
	}
	b.hangUp = in
	out, err := b.acquirer.StdoutPipe()
	if err != nil {
		return err
	}
	if err := b.acquirer.Start(); err != nil {
		return err
	}
	var acquirer string
	if _, err := fmt.Fscanln(out, &acquirer); err != nil {
		return fmt.Errorf("the acquirer did not start: %w", err)
	}
	gsp, err := freePort()
	if err != nil {
		return err
	}
	admin, err := freePort()
	if err != nil {
		return err
	}
	b.base = "https://" + gsp
	var text bytes.Buffer
	err = config.Execute(&text, map[string]any{
		"GSP": gsp, "Admin": admin, "Acquirer": acquirer, "Accounts": b.accounts(b.o.Accounts),
		"API": b.method.api, "Currency": b.method.currency,
	})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(b.dir, configFile), text.Bytes(), 0o600)
}

var config = template.Must(template.New("").Parse(`
environment = "sandbox"
log.level = "info"
store = { path = "bench.db", kek = "kek" }
admin = { listen = "{{.Admin}}" }
[gsp]
listen = "{{.GSP}}"
cert = "server.pem"
key = "server.key"
own_keys = "keys/own"
google_keys = "keys/google"
google_base = "https://127.0.0.1:9"
[[acquirer]]
name = "main"
addresses = ["{{.Acquirer}}"]
institution = "12345678901"
city = "SEOUL"
{{range .Accounts}}
[[account]]
id = "{{.}}"
apis = ["{{$.API}}"]
currencies = ["{{$.Currency}}"]
acquirer = "main"
terminals = ["PI000001"]
merchant = "PIMERCHANT00001"
mcc = "5816"
time_zone = "Asia/Seoul"
{{end}}`))

func (b *run) accounts(n int) (ids []string) {
	for i := range n {
		ids = append(ids, fmt.Sprintf("Bench%d", i))
	}
	return ids
}

// startServer starts the server, and says how long it took until it and the acquirer behind it answered 200.
func (b *run) startServer(ctx context.Context) (time.Duration, error) {
	return b.start(ctx, time.Minute, func() (bool, error) {
		m, err := b.call(b.accounts(1)[0])
		if err != nil {
			return false, err
		}
		status, _ := b.post(ctx, m)
		if status == http.StatusOK {
			b.stored.Add(1)
		}
		return status == http.StatusOK, nil
	})
}

// message is a request that is signed and encrypted already, so that the load costs the machine as little as possible.
type message struct {
	account, id string
	wire        []byte
}

func (b *run) call(account string) (message, error) {
	m := message{account: account, id: "bench-" + uuid.NewString()}
	return m, b.seal(&m)
}

// seal gives a request a fresh timestamp and seal: a new one, or the repeat of an old one.
func (b *run) seal(m *message) (err error) {
	m.wire, err = b.box.Seal(fmt.Appendf(nil, b.method.body, m.id, time.Now().UnixMilli(), m.account))
	return err
}

// koreaBody is the sheet's example of a reservation, about 1 kB (Korea Cards v1 §4.1).
const koreaBody = `{"requestHeader":{"protocolVersion":{"major":1,"minor":0,"revision":0},"requestId":"%s","requestTimestamp":"%d"},` +
	`"paymentIntegratorAccountId":"%s","accountDetails":{"card":{"accountNumber":"4242424242424242","nameOnCard":"SEO JIHUN",` +
	`"expiryMonth":"08","expiryYear":"49"}},"currencyCode":"KRW","amount":"12900000000","transactionDescription":"GOOGLE*Star Farm",` +
	`"merchantCategoryCode":"5816","additionalTransactionProcessingOptions":{"userSelectedProcessingNetworkTypeNotApplicable":{},` +
	`"electronicCommerceIndicatorNotApplicable":{},"threeDSecureNotAppplicable":{},"storedCredentialTransactionInformationNotApplicable":{},` +
	`"pin":"47","connectingInformation":"5wLdXA7VRrU6q/dXllJKbBBD2FUJ92h83TNuE/S9vE5sBEF+4XI0H0SGt13GirZjl1/XFPNLLrWFUxgm19E4/g==",` +
	`"dateOfBirth":"1991-04-17"}}`

// fopBody is that of a sale with a stored card and an address, about 1 kB (Card FOP v1 §4.1, §4.4).
const fopBody = `{"requestHeader":{"protocolVersion":{"major":1,"minor":0,"revision":0},"requestId":"%s","requestTimestamp":"%d"},` +
	`"paymentIntegratorAccountId":"%s","accountDetails":{"card":{"accountNumber":"4242424242424242","nameOnCard":"Ines Duarte",` +
	`"expiryMonth":"11","expiryYear":"49"}},"currencyCode":"EUR","amount":"4990000","transactionDescription":"GOOGLE*Cloud Save",` +
	`"merchantCategoryCode":"5817","addressVerificationData":{"addressLine":["Rua das Flores 8"],"localityName":"Porto",` +
	`"administrativeAreaName":"Porto","postalCodeNumber":"4050-262","countryCode":"PT"},"additionalTransactionProcessingOptions":{` +
	`"userSelectedProcessingNetworkTypeNotApplicable":{},"electronicCommerceIndicatorNotApplicable":{},"threeDSecureNotAppplicable":{},` +
	`"storedCredentialTransactionInformation":{"merchantInitiated":{"transactionIntentClassification":"RECURRING",` +
	`"previousTransactionInformation":{"networkTransactionIdentifier":"583103536844190"}}},"scaExemptionNotApplicable":{}}}`

func (b *run) post(ctx context.Context, m message) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, b.base+b.method.path, bytes.NewReader(m.wire))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/octet-stream; charset=utf-8")
	resp, err := b.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

// prepared seals n requests, on every core.
func (b *run) prepared(accounts, n int) ([]message, error) {
	ids, list := b.accounts(accounts), make([]message, n)
	for i := range list {
		list[i] = message{account: ids[i%len(ids)], id: "bench-" + uuid.NewString()}
	}
	return list, b.sealAll(list)
}

func (b *run) sealAll(list []message) error {
	var next atomic.Int64
	var wait sync.WaitGroup
	failed := make(chan error, 1)
	for range 2 {
		wait.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(list)); i = next.Add(1) - 1 {
				if err := b.seal(&list[i]); err != nil {
					select {
					case failed <- err:
					default:
					}
					return
				}
			}
		})
	}
	wait.Wait()
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

// phase is what a load phase came to.
type phase struct {
	cpu       float64 // milliseconds of the server's CPU time per successful call
	perSecond float64
}

// expected is how many requests a phase needs at the most; what is left over is dropped.
func (b *run) expected() int { return int(b.o.Duration.Seconds()*600) + 200 }

// closedLoop keeps workers busy for the duration, or for n requests.
func (b *run) closedLoop(ctx context.Context, accounts, n int) (phase, error) {
	want := n
	if n == 0 {
		want = b.expected()
	}
	list, err := b.prepared(accounts, want)
	if err != nil {
		return phase{}, err
	}
	p, used, err := b.drive(ctx, list, n == 0)
	b.stored.Add(int64(used))
	b.last = list[:used]
	return p, err
}

// replays repeats the last phase's requests: the same ids, fresh timestamps.
func (b *run) replays(ctx context.Context) (phase, error) {
	if err := b.sealAll(b.last); err != nil {
		return phase{}, err
	}
	p, _, err := b.drive(ctx, b.last, true)
	return p, err
}

func (b *run) drive(ctx context.Context, list []message, timed bool) (phase, int, error) {
	var next, good atomic.Int64
	var wait sync.WaitGroup
	var firstBad atomic.Pointer[string]
	before, err := b.cpu()
	if err != nil {
		return phase{}, 0, err
	}
	start := time.Now()
	for range b.o.Workers {
		wait.Go(func() {
			for ctx.Err() == nil && (!timed || time.Since(start) < b.o.Duration) {
				i := next.Add(1) - 1
				if i >= int64(len(list)) {
					return
				}
				status, err := b.post(ctx, list[i])
				if status == http.StatusOK {
					good.Add(1)
					continue
				}
				bad := fmt.Sprintf("status %d, %v", status, err)
				firstBad.CompareAndSwap(nil, &bad)
			}
		})
	}
	wait.Wait()
	took := time.Since(start)
	after, err := b.cpu()
	if err != nil {
		return phase{}, 0, err
	}
	if bad := firstBad.Load(); bad != nil {
		return phase{}, 0, fmt.Errorf("a call under load failed: %s", *bad)
	}
	n := good.Load()
	return phase{cpu: (after - before).Seconds() * 1000 / float64(n), perSecond: float64(n) / took.Seconds()}, int(n), ctx.Err()
}

// openLoop sends at a fixed rate whatever comes back, and measures from when each request was due.
func (b *run) openLoop(ctx context.Context, perSecond float64) (Latency, error) {
	n := int(perSecond * b.o.Duration.Seconds())
	list, err := b.prepared(b.o.Accounts, n)
	if err != nil {
		return Latency{}, err
	}
	took := make([]float64, n)
	var wait sync.WaitGroup
	var failed atomic.Int64
	start := time.Now()
	for i := range list {
		due := start.Add(time.Duration(float64(i) / perSecond * float64(time.Second)))
		select {
		case <-ctx.Done():
			return Latency{}, ctx.Err()
		case <-time.After(time.Until(due)):
		}
		wait.Go(func() {
			if status, err := b.post(ctx, list[i]); err != nil || status != http.StatusOK {
				failed.Add(1)
			}
			took[i] = time.Since(due).Seconds() * 1000
		})
	}
	wait.Wait()
	if n := failed.Load(); n > 0 {
		return Latency{}, fmt.Errorf("%d calls of the open loop failed", n)
	}
	b.stored.Add(int64(n))
	slices.Sort(took)
	at := func(q float64) float64 { return took[min(n-1, int(q*float64(n)))] }
	return Latency{PerSecond: perSecond, P50: at(.5), P99: at(.99), P999: at(.999)}, nil
}

// restart kills the server under load and starts it again on the same database.
func (b *run) restart(ctx context.Context) (float64, error) {
	list, err := b.prepared(b.o.Accounts, 200)
	if err != nil {
		return 0, err
	}
	var sent atomic.Int64
	var wait sync.WaitGroup
	killed := make(chan struct{})
	for w := range b.o.Workers {
		wait.Go(func() {
			for i := w; i < len(list); i += b.o.Workers {
				_, _ = b.post(ctx, list[i]) // the rest of them finds nobody
				if sent.Add(1) == 60 {
					close(killed)
				}
			}
		})
	}
	<-killed
	if err := b.kill(); err != nil {
		return 0, err
	}
	wait.Wait()
	took, err := b.startServer(ctx)
	return took.Seconds() * 1000, err
}

func (b *run) close() {
	_ = b.stop() // its folder goes too
	if b.hangUp != nil {
		_ = b.hangUp.Close()
		_ = b.acquirer.Wait()
	}
}
