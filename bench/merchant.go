package bench

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"text/template"
	"time"

	"naru/core/card"
	"naru/protocol/merchant"
)

// MerchantOptions say how long and how wide a run of the merchant gateway is.
type MerchantOptions struct {
	Binary   string        // this program
	Duration time.Duration // of each load phase
	Rounds   int           // how often floor and load alternate; the median counts
	Workers  []int         // requests at once: one measurement for each
	Open     int           // orders that wait when credits come
	Credits  int
	Progress io.Writer
}

// MerchantReport is what one run found. Times are in milliseconds.
type MerchantReport struct {
	Conditions Conditions `json:"conditions"`
	Creates    []Creates  `json:"deposit_create"`
	IdleMiB    float64    `json:"memory_idle_mib"`       // goal: 64
	LoadMiB    float64    `json:"memory_under_load_mib"` // goal: 256
	Stored     int        `json:"deposit_orders_stored"` // by the server
	Matching   Matching   `json:"matching"`              // of credits against open orders
	Page       PageWeight `json:"payment_page"`          // as it is served
}

// Creates is what creating deposit orders costs with so many requests at once.
type Creates struct {
	Workers   int       `json:"requests_at_once"`
	FloorMS   float64   `json:"bare_commit_cpu_ms"` // of the same rows, through the same store, by as many at once
	OrderMS   float64   `json:"order_cpu_ms"`       // server CPU
	ToBareAll []float64 `json:"rate_to_bare_commit_rounds"`
	ToBare    float64   `json:"rate_to_bare_commit"` // orders per CPU second / bare commits per CPU second; goal: at least 0.5
	PerSecond float64   `json:"closed_loop_per_second"`
}

// MerchantGateway measures the merchant gateway on SQLite.
func MerchantGateway(ctx context.Context, o MerchantOptions) (r MerchantReport, err error) {
	if o.Rounds < 1 || o.Open < 1 || o.Credits < 1 {
		return r, errors.New("rounds, open orders and credits: one at least")
	}
	dir, err := os.MkdirTemp("", "naru-bench-*")
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	b := &gateway{server: server{binary: o.Binary, dir: dir}, o: o, key: card.Conceal(rand.Text()), run: rand.Text()[:8]}
	defer func() { err = errors.Join(err, b.stop()) }()
	if err := b.prepare(ctx); err != nil {
		return r, err
	}
	if r.Conditions, err = conditions(); err != nil {
		return r, err
	}
	if _, err := b.start(ctx, time.Minute, func() (bool, error) {
		body, err := b.ask()
		if err != nil {
			return false, err
		}
		return b.create(ctx, body) == nil, nil
	}); err != nil {
		return r, err
	}
	if r.IdleMiB, err = b.memory("VmRSS"); err != nil {
		return r, err
	}
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // the floor is collected as the server is
	bare, err := openFloor(ctx, dir)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, bare.close()) }()
	for _, workers := range o.Workers {
		c, err := b.creates(ctx, bare, workers)
		if err != nil {
			return r, err
		}
		r.Creates = append(r.Creates, c)
	}
	if r.LoadMiB, err = b.memory("VmHWM"); err != nil {
		return r, err
	}
	if r.Page, err = b.page(ctx); err != nil {
		return r, err
	}
	r.Stored = int(b.stored.Load())
	if err := b.stop(); err != nil { // what follows has the machine alone
		return r, err
	}
	r.Matching, err = matching(ctx, o, dir)
	return r, err
}

// gateway is one measurement of the merchant gateway under way.
type gateway struct {
	server
	o      MerchantOptions
	key    card.Secret // the merchant's
	run    string      // in its order numbers
	client *http.Client
	base   string // of the merchant API
	asked  atomic.Int64
	stored atomic.Int64
	link   atomic.Pointer[string] // of the last order's payment page
}

// prepare furnishes the folder and writes the configuration: a merchant whose payers transfer in their own names.
func (b *gateway) prepare(ctx context.Context) error {
	contract, err := furnish(ctx, b.dir)
	if err != nil {
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
	for name, secret := range map[string]string{"merchant.key": b.key.Reveal(), "merchant_query.key": rand.Text()} {
		if err := os.WriteFile(filepath.Join(b.dir, name), []byte(secret+"\n"), 0o600); err != nil {
			return err
		}
	}
	ports := map[string]string{"Platform": platformID, "Service": serviceID}
	for _, name := range []string{"GSP", "Admin", "API", "Page"} {
		if ports[name], err = freePort(); err != nil {
			return err
		}
	}
	b.base = "https://" + ports["API"]
	var text bytes.Buffer
	if err := gatewayConfig.Execute(&text, ports); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(b.dir, configFile), text.Bytes(), 0o600)
}

// The merchant and its service.
const (
	platformID = "PF0901"
	serviceID  = "SVC0026"
)

var gatewayConfig = template.Must(template.New("").Parse(`
environment = "sandbox"
log.level = "info"
store = { path = "bench.db", kek = "kek" }
admin = { listen = "{{.Admin}}" }
merchant_api = { listen = "{{.API}}", cert = "server.pem", key = "server.key" }
pay = { listen = "{{.Page}}" }
[gsp]
listen = "{{.GSP}}"
cert = "server.pem"
key = "server.key"
own_keys = "keys/own"
google_keys = "keys/google"
google_base = "https://127.0.0.1:9"
[[receiving_account]]
id = "main"
bank = "011"
number = "100200300400"
holder = "Bench"
[[merchant]]
id = "{{.Platform}}"
name = "Bench"
brand = "#0b5fff"
time_zone = "Asia/Seoul"
key = "merchant.key"
authorization = "merchant_query.key"
api = { rate = -1 }
[[merchant.deposit]]
service = "{{.Service}}"
receivers = ["main"]
life = "24h"
`))

// ask is the signed body of the next order (merchant-gateway §5): each from another payer.
func (b *gateway) ask() ([]byte, error) {
	n := int(b.asked.Add(1))
	body := map[string]string{
		"platform_id": platformID, "service_id": serviceID, "payment_cl_id": fmt.Sprintf("%s-%d", b.run, n), "name": payerName(n),
		"amount": strconv.FormatInt(100*payerAmount(n), 10), "notify_url": notifyURL,
		"request_time": strconv.FormatInt(time.Now().Unix(), 10), "sign_type": string(merchant.HMAC),
	}
	plain, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	x, err := merchant.Explain(plain)
	if err != nil {
		return nil, err
	}
	body["sign"] = merchant.HMAC.Digest(x.Text, b.key)
	return json.Marshal(body)
}

// notifyURL is where nobody listens: an order that is not paid tells nothing.
const notifyURL = "http://127.0.0.1:9/told"

// create asks for an order; anything but success is an error.
func (b *gateway) create(ctx context.Context, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, b.base+"/gateway/api/v1/payments", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json;charset=utf-8")
	resp, err := b.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	var answer struct {
		Code string             `json:"error_code"`
		Data merchant.DepositV1 `json:"data"`
	}
	if err := json.Unmarshal(text, &answer); err != nil || resp.StatusCode != http.StatusOK || answer.Code != string(merchant.Success) {
		return fmt.Errorf("an order is answered %d %s", resp.StatusCode, text)
	}
	b.stored.Add(1)
	b.link.Store(&answer.Data.Link)
	return nil
}

// creates lets floor and load alternate; the ratio is taken within a round, so that a noisy moment hits both.
func (b *gateway) creates(ctx context.Context, bare *floor, workers int) (Creates, error) {
	c := Creates{Workers: workers}
	if _, err := b.load(ctx, workers, b.o.Duration/4); err != nil { // warms connections and statements
		return c, err
	}
	var floors, orders, rate []float64
	for round := range b.o.Rounds {
		fmt.Fprintf(b.o.Progress, "%d at once: round %d of %d\n", workers, round+1, b.o.Rounds)
		f, err := bare.commits(ctx, workers, b.o.Duration)
		if err != nil {
			return c, err
		}
		p, err := b.load(ctx, workers, b.o.Duration)
		if err != nil {
			return c, err
		}
		floors, orders, rate = append(floors, f), append(orders, p.cpu), append(rate, p.perSecond)
		c.ToBareAll = append(c.ToBareAll, f/p.cpu)
	}
	c.FloorMS, c.OrderMS, c.PerSecond, c.ToBare = median(floors), median(orders), median(rate), median(slices.Clone(c.ToBareAll))
	return c, nil
}

// load keeps workers creating orders.
func (b *gateway) load(ctx context.Context, workers int, d time.Duration) (phase, error) {
	before, err := b.cpu()
	if err != nil {
		return phase{}, err
	}
	n, took, err := together(ctx, workers, d, func(int) error {
		body, err := b.ask()
		if err != nil {
			return err
		}
		return b.create(ctx, body)
	})
	if err != nil {
		return phase{}, err
	}
	after, err := b.cpu()
	return phase{cpu: (after - before).Seconds() * 1000 / float64(n), perSecond: float64(n) / took.Seconds()}, err
}

// together keeps workers doing something for a time, and counts how often it was done. The first error ends it.
func together(ctx context.Context, workers int, d time.Duration, do func(n int) error) (done int, took time.Duration, err error) {
	var next, good atomic.Int64
	var wait sync.WaitGroup
	failed := make(chan error, workers)
	start := time.Now()
	for range workers {
		wait.Go(func() {
			for ctx.Err() == nil && len(failed) == 0 && time.Since(start) < d {
				if err := do(int(next.Add(1) - 1)); err != nil {
					failed <- err
					return
				}
				good.Add(1)
			}
		})
	}
	wait.Wait()
	took = time.Since(start)
	select {
	case err = <-failed:
	default:
		err = ctx.Err()
	}
	return int(good.Load()), took, err
}
