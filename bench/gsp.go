// Package bench measures a build against what it cannot do without (design §5): calls of GSP against their cryptography, deposit orders
// against bare commits of their rows, both on either store. The server is a process of its own, what it calls is another, its database a
// third, and the load comes from a fourth, which does nothing else meanwhile. Figures are ratios taken in one run, because machines are
// noisy and differ.
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
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"text/template"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"naru/seal"
)

// Options say how long and how wide a run is.
type Options struct {
	Binary   string        // this program
	Store    string        // SQLite or Postgres
	Method   string        // which one is called: one of Methods
	Duration time.Duration // of each load phase
	Rounds   int           // how often floor and load alternate; the median counts
	Workers  int           // requests at once in a closed loop
	Accounts int           // over which the spread load goes
	Paced    int           // calls of the open loop
	Progress io.Writer
}

// Report is what one run found. Times are in milliseconds of one core unless they say otherwise.
type Report struct {
	Method     string     `json:"method"`
	Conditions Conditions `json:"conditions"`

	FloorMS     float64   `json:"crypto_floor_cpu_ms"`      // decrypt, verify, sign, encrypt of one message with plain library calls
	OpenSSLMS   float64   `json:"openssl_two_private_ms"`   // two RSA-2048 private operations
	CallMS      float64   `json:"call_cpu_ms"`              // server CPU per call, load spread over accounts
	DatabaseMS  float64   `json:"call_database_cpu_ms"`     // beside it, of the database's own processes
	HotMS       float64   `json:"call_hot_cpu_ms"`          // server CPU on one account
	ReplayMS    float64   `json:"replay_cpu_ms"`            // server CPU per repeat
	ReplayDBMS  float64   `json:"replay_database_cpu_ms"`   // beside it, of the database
	ToFloorAll  []float64 `json:"call_to_floor_rounds"`     // each round's ratio, in order
	ToFloor     float64   `json:"call_to_floor"`            // goal: at most 1.25, then 1.15
	ToOpenSSL   float64   `json:"call_to_openssl"`          // goal: at most 2.0
	HotToSpread float64   `json:"spread_to_hot"`            // CPU of server and database; goal: at least 0.9
	HotRate     float64   `json:"hot_to_spread_per_second"` // goal: at least 0.9
	PerSecond   float64   `json:"closed_loop_per_second"`   // what this machine did with load, peers and database beside the server
	Latency     Latency   `json:"latency_half_load_ms"`     // open loop at half of that, wall time, with the peer's answer
	RestartMS   float64   `json:"restart_to_first_200_ms"`  // wall time, after a kill under load; goal: 2000
	IdleMiB     float64   `json:"memory_idle_mib"`          // of the server; goal: 64
	LoadMiB     float64   `json:"memory_under_load_mib"`    // goal: 256
	Stored      int       `json:"payments_stored"`
}

// A method is what is called under load: where, with what, and which peer stands behind it.
type method struct{ api, currency, path, body, peer string }

var methods = map[string]method{
	"reserveFunds":  {"korea-cards-v1", "KRW", "/v1/payment-integrator-korea-cards-api/reserveFunds", koreaBody, acquirerPeer},
	"capture":       {"card-fop-v1", "EUR", "/v1/payment-integrator-card-fop-api/capture", fopBody, acquirerPeer},
	"disburseFunds": {"disburse-v1", "INR", "/v1/disburseFunds", payoutBody, payoutBankPeer},
}

// Methods are the names of what can be measured.
func Methods() []string { return slices.Sorted(maps.Keys(methods)) }

// GSP measures one method.
func GSP(ctx context.Context, o Options) (r Report, err error) {
	if o.Rounds < 1 || o.Paced < 1 {
		return r, errors.New("rounds and calls of the open loop: one at least")
	}
	r.Method = o.Method
	b, err := newRun(ctx, o)
	if err != nil {
		return r, err
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("%w%s", err, b.lastWords())
		}
		err = errors.Join(err, b.close())
	}()
	if r.Conditions, err = conditions(b.home); err != nil {
		return r, err
	}
	floor, err := seal.NewFloor(1000)
	if err != nil {
		return r, err
	}
	if r.OpenSSLMS, err = openssl(ctx); err != nil {
		return r, err
	}
	if err := b.warmUp(ctx); err != nil {
		return r, err
	}
	if r.IdleMiB, err = b.memory("VmRSS"); err != nil {
		return r, err
	}
	var floors, spread, database, hot, rate, toFloor, hotToSpread, hotRate []float64
	for round := range o.Rounds { // floor and load alternate, and the ratio is taken within a round, so that a noisy moment hits both
		fmt.Fprintf(o.Progress, "%s on %s: round %d of %d\n", o.Method, o.Store, round+1, o.Rounds)
		f, err := floorCPU(floor, o.Duration)
		if err != nil {
			return r, err
		}
		s, err := b.closedLoop(ctx, o.Accounts)
		if err != nil {
			return r, err
		}
		h, err := b.closedLoop(ctx, 1)
		if err != nil {
			return r, err
		}
		floors, spread, hot, rate = append(floors, f), append(spread, s.cpu), append(hot, h.cpu), append(rate, s.perSecond)
		database, toFloor = append(database, s.database), append(toFloor, s.cpu/f)
		hotToSpread = append(hotToSpread, (s.cpu+s.database)/(h.cpu+h.database))
		hotRate = append(hotRate, h.perSecond/s.perSecond)
	}
	r.FloorMS, r.CallMS, r.DatabaseMS, r.HotMS, r.PerSecond = median(floors), median(spread), median(database), median(hot), median(rate)
	r.ToFloorAll, r.ToFloor, r.ToOpenSSL = toFloor, median(toFloor), r.CallMS/r.OpenSSLMS
	r.HotToSpread, r.HotRate = median(hotToSpread), median(hotRate)
	replay, err := b.replays(ctx)
	if err != nil {
		return r, err
	}
	r.ReplayMS, r.ReplayDBMS = replay.cpu, replay.database
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

// run is one measurement of a method under way.
type run struct {
	server
	o      Options
	method method
	place  string    // of the database
	box    *seal.Box // plays Google
	client *http.Client
	peer   *peer
	base   string // of the GSP listener
	stored atomic.Int64
	last   []message
}

// newRun makes a folder and a home for the database, lets a sandbox furnish the folder, and starts the peer. The server comes later.
func newRun(ctx context.Context, o Options) (b *run, err error) {
	m, ok := methods[o.Method]
	if !ok {
		return nil, fmt.Errorf("method %q cannot be measured; write one of %v", o.Method, Methods())
	}
	b = &run{server: server{binary: o.Binary}, o: o, method: m}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.close())
		}
	}()
	if b.dir, err = os.MkdirTemp("", "naru-bench-*"); err != nil {
		return b, err
	}
	if b.home, err = openHome(ctx, o.Store, b.dir); err != nil {
		return b, err
	}
	if b.place, err = b.home.place(ctx, "bench"); err != nil {
		return b, err
	}
	contract, err := furnish(ctx, b.dir)
	if err != nil {
		return b, err
	}
	google, err := seal.LoadRing(filepath.Join(b.dir, contract.GSP.Google.PGPSecret))
	if err != nil {
		return b, err
	}
	integrator, err := seal.LoadRing(filepath.Join(b.dir, contract.GSP.Integrator.PGPPublic))
	if err != nil {
		return b, err
	}
	if b.box, err = seal.NewBox(seal.Config{Own: google, Peer: integrator}); err != nil {
		return b, err
	}
	if b.client, err = trusting(filepath.Join(b.dir, contract.GSP.CA)); err != nil {
		return b, err
	}
	if b.peer, err = startPeer(ctx, b.binary, m.peer); err != nil {
		return b, err
	}
	return b, b.configure()
}

// configure writes the server's configuration.
func (b *run) configure() error {
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
		"Store": b.home.setting(b.place), "GSP": gsp, "Admin": admin, "Peer": b.peer.address, "Payouts": b.method.peer == payoutBankPeer,
		"Accounts": b.accounts(b.o.Accounts), "API": b.method.api, "Currency": b.method.currency, "User": bankUser, "Account": bankAccount,
	})
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(b.dir, "bank.key"), []byte(bankSecret+"\n"), 0o600); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(b.dir, configFile), text.Bytes(), 0o600)
}

// trusting is a client that trusts the servers of a folder, and holds as many connections as any load needs.
func trusting(ca string) (*http.Client, error) {
	text, err := os.ReadFile(ca)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	return &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, MaxIdleConnsPerHost: 512, DisableCompression: true,
	}}, nil
}

var config = template.Must(template.New("").Parse(`
environment = "sandbox"
log.level = "info"
store = { {{.Store}}, kek = "kek" }
admin = { listen = "{{.Admin}}" }
[gsp]
listen = "{{.GSP}}"
cert = "server.pem"
key = "server.key"
own_keys = "keys/own"
google_keys = "keys/google"
google_base = "https://127.0.0.1:9"
{{if .Payouts}}
[[payout_bank]]
name = "main"
base = "{{.Peer}}"
key_id = "{{.User}}"
key_secret = "bank.key"
account = "{{.Account}}"
{{else}}
[[acquirer]]
name = "main"
addresses = ["{{.Peer}}"]
institution = "12345678901"
city = "SEOUL"
{{end}}
{{range .Accounts}}
[[account]]
id = "{{.}}"
apis = ["{{$.API}}"]
currencies = ["{{$.Currency}}"]
time_zone = "Asia/Seoul"
{{if $.Payouts}}
payout_bank = "main"
{{else}}
acquirer = "main"
terminals = ["PI000001"]
merchant = "PIMERCHANT00001"
mcc = "5816"
{{end}}
{{end}}`))

func (b *run) accounts(n int) (ids []string) {
	for i := range n {
		ids = append(ids, fmt.Sprintf("Bench%d", i))
	}
	return ids
}

// startServer starts the server, and says how long it took until it and the peer behind it answered 200.
func (b *run) startServer(ctx context.Context) (time.Duration, error) {
	return b.start(ctx, time.Minute, func() (bool, error) {
		m := message{account: b.accounts(1)[0], id: newRequestID()}
		if err := b.seal(&m); err != nil {
			return false, err
		}
		if err := b.post(ctx, m); err != nil {
			return false, nil
		}
		b.stored.Add(1)
		return true, nil
	})
}

// warmUp starts the server and fills its connections, prepared statements and parsed keys.
func (b *run) warmUp(ctx context.Context) error {
	if _, err := b.startServer(ctx); err != nil {
		return err
	}
	list, err := b.prepared(b.o.Accounts, 200)
	if err != nil {
		return err
	}
	p, err := b.drive(ctx, list, time.Minute)
	b.stored.Add(int64(p.calls))
	return err
}

// message is a request that is signed and encrypted already, so that the load costs the machine as little as possible.
type message struct {
	account, id string
	wire        []byte
}

// newRequestID is how a caller names a request. No two follow each other in any order, as Google's do not.
func newRequestID() string { return "bench-" + uuid.NewString() }

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

// payoutBody is that of a payout to an address whose bank credits it at once (disburse v1 §4.1; rail/upi/sim, instant).
const payoutBody = `{"requestHeader":{"protocolVersion":{"major":1,"minor":0,"revision":0},"requestId":"%s","requestTimestamp":"%d"},` +
	`"paymentIntegratorAccountId":"%s","currencyCode":"INR","amount":"1250500000","transactionDescription":"Google - Reward 4711",` +
	`"upiDetails":{"vpa":"instant@sim"}}`

// post sends a request; anything but 200 is an error.
func (b *run) post(ctx context.Context, m message) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, b.base+b.method.path, bytes.NewReader(m.wire))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/octet-stream; charset=utf-8")
	resp, err := b.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err = io.Copy(io.Discard, resp.Body); err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s is answered %d", b.o.Method, resp.StatusCode)
	}
	return err
}

// prepared seals n requests, on every core.
func (b *run) prepared(accounts, n int) ([]message, error) {
	ids, list := b.accounts(accounts), make([]message, n)
	for i := range list {
		list[i] = message{account: ids[i%len(ids)], id: newRequestID()}
	}
	return list, b.sealAll(list)
}

func (b *run) sealAll(list []message) error {
	var next atomic.Int64
	var group errgroup.Group
	for range runtime.NumCPU() {
		group.Go(func() error {
			for i := next.Add(1) - 1; i < int64(len(list)); i = next.Add(1) - 1 {
				if err := b.seal(&list[i]); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// mostPerSecond is more than two cores do: so many requests are sealed before a phase, and what is left over is dropped.
const mostPerSecond = 600

// closedLoop keeps workers busy with new requests for the duration.
func (b *run) closedLoop(ctx context.Context, accounts int) (phase, error) {
	list, err := b.prepared(accounts, int(b.o.Duration.Seconds()*mostPerSecond)+b.o.Workers)
	if err != nil {
		return phase{}, err
	}
	p, err := b.drive(ctx, list, b.o.Duration)
	b.last = list[:p.calls]
	b.stored.Add(int64(p.calls))
	return p, err
}

// replays repeats the last phase's requests: the same ids, fresh timestamps.
func (b *run) replays(ctx context.Context) (phase, error) {
	if err := b.sealAll(b.last); err != nil {
		return phase{}, err
	}
	return b.drive(ctx, b.last, b.o.Duration)
}

// drive sends what was prepared, for a time.
func (b *run) drive(ctx context.Context, list []message, d time.Duration) (phase, error) {
	return measured(b.spent, func() (int, time.Duration, error) {
		return together(ctx, b.o.Workers, d, func(n int) error {
			if n >= len(list) {
				return errEnough
			}
			return b.post(ctx, list[n])
		})
	})
}

// openLoop sends at a fixed rate whatever comes back.
func (b *run) openLoop(ctx context.Context, perSecond float64) (Latency, error) {
	list, err := b.prepared(b.o.Accounts, b.o.Paced)
	if err != nil {
		return Latency{}, err
	}
	fmt.Fprintf(b.o.Progress, "%s on %s: %d calls at %.0f a second\n", b.o.Method, b.o.Store, len(list), perSecond)
	took, err := paced(ctx, len(list), perSecond, func(i int) error { return b.post(ctx, list[i]) })
	if err != nil {
		return Latency{}, err
	}
	b.stored.Add(int64(len(list)))
	return latency(took, perSecond), nil
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
				_ = b.post(ctx, list[i]) // the rest of them finds nobody
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

// close ends everything and removes the folder.
func (b *run) close() error {
	err := b.stop()
	if b.peer != nil {
		err = errors.Join(err, b.peer.close())
	}
	if b.home != nil {
		err = errors.Join(err, b.home.close())
	}
	return errors.Join(err, os.RemoveAll(b.dir))
}
