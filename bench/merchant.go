package bench

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"sync/atomic"
	"text/template"
	"time"

	"naru/core/card"
	"naru/protocol/merchant"
)

// MerchantOptions say how long and how wide a run of the merchant gateway is.
type MerchantOptions struct {
	Binary   string        // this program
	Store    string        // SQLite or Postgres
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
	Workers    int       `json:"requests_at_once"`
	FloorMS    float64   `json:"bare_commit_cpu_ms"`          // of the same rows, through the same kind of store, by as many at once
	FloorDBMS  float64   `json:"bare_commit_database_cpu_ms"` // beside it, of the database's own processes
	OrderMS    float64   `json:"order_cpu_ms"`                // server CPU
	OrderDBMS  float64   `json:"order_database_cpu_ms"`
	ToBareAll  []float64 `json:"rate_to_bare_commit_rounds"`
	ToBare     float64   `json:"rate_to_bare_commit"`      // orders / bare commits, per CPU second of our process
	WithDBBare float64   `json:"rate_to_bare_commit_both"` // the same per CPU second of process and database; goal: at least 0.5
	PerSecond  float64   `json:"closed_loop_per_second"`

	HotRate     float64 `json:"hot_to_spread_per_second"` // one merchant / several; goal: at least 0.9
	HotToSpread float64 `json:"spread_to_hot"`            // the same per CPU second of server and database
}

// MerchantGateway measures the merchant gateway.
func MerchantGateway(ctx context.Context, o MerchantOptions) (r MerchantReport, err error) {
	if o.Rounds < 1 || o.Open < 1 || o.Credits < 1 {
		return r, errors.New("rounds, open orders and credits: one at least")
	}
	b := &gateway{server: server{binary: o.Binary}, o: o, key: card.Conceal(rand.Text()), run: rand.Text()[:8]}
	defer func() { err = errors.Join(err, b.close()) }()
	if err := b.prepare(ctx); err != nil {
		return r, err
	}
	if r.Conditions, err = conditions(b.home); err != nil {
		return r, err
	}
	if _, err := b.start(ctx, time.Minute, func() (bool, error) {
		body, err := b.ask(1)
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
	bare, err := openFloor(ctx, &b.server)
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
	r.Matching, err = matching(ctx, o, &b.server)
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

	merchants []string // the first is the hot one
	asked     atomic.Int64
	stored    atomic.Int64
	link      atomic.Pointer[string] // of the last order's payment page
}

// prepare makes the folder and a home for the database, and lets a sandbox furnish the folder.
func (b *gateway) prepare(ctx context.Context) error {
	var err error
	if b.dir, err = os.MkdirTemp("", "naru-bench-*"); err != nil {
		return err
	}
	if b.home, err = openHome(ctx, b.o.Store, b.dir); err != nil {
		return err
	}
	place, err := b.home.place(ctx, "bench")
	if err != nil {
		return err
	}
	contract, err := furnish(ctx, b.dir)
	if err != nil {
		return err
	}
	if b.client, err = trusting(filepath.Join(b.dir, contract.GSP.CA)); err != nil {
		return err
	}
	return b.configure(place)
}

// configure writes the server's configuration: merchants whose payers transfer in their own names.
func (b *gateway) configure(place string) (err error) {
	for name, secret := range map[string]string{"merchant.key": b.key.Reveal(), "merchant_query.key": rand.Text()} {
		if err := os.WriteFile(filepath.Join(b.dir, name), []byte(secret+"\n"), 0o600); err != nil {
			return err
		}
	}
	b.merchants = append(b.merchants, platformID)
	for i := range 7 { // spread is over eight
		b.merchants = append(b.merchants, fmt.Sprintf("PF1%03d", i))
	}
	ports := map[string]any{"Store": b.home.setting(place), "Merchants": b.merchants, "Service": serviceID}
	for _, name := range []string{"GSP", "Admin", "API", "Page"} {
		if ports[name], err = freePort(); err != nil {
			return err
		}
	}
	b.base = fmt.Sprintf("https://%s", ports["API"])
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
store = { {{.Store}}, kek = "kek" }
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
{{range .Merchants}}
[[merchant]]
id = "{{.}}"
name = "Bench"
brand = "#0b5fff"
time_zone = "Asia/Seoul"
key = "merchant.key"
authorization = "merchant_query.key"
api = { rate = -1 }
[[merchant.deposit]]
service = "{{$.Service}}"
receivers = ["main"]
life = "24h"
{{end}}
`))

// ask is the signed body of the next order (merchant-gateway §5): each from another payer.
func (b *gateway) ask(merchants int) ([]byte, error) {
	n := int(b.asked.Add(1))
	id := b.merchants[n%merchants]
	body := map[string]string{
		"platform_id": id, "service_id": serviceID, "payment_cl_id": fmt.Sprintf("%s-%d", b.run, n), "name": payerName(n),
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

// close ends everything and removes the folder.
func (b *gateway) close() error {
	err := b.stop()
	if b.home != nil {
		err = errors.Join(err, b.home.close())
	}
	return errors.Join(err, os.RemoveAll(b.dir))
}

// creates lets floor and load alternate; the ratio is taken within a round, so that a noisy moment hits both.
func (b *gateway) creates(ctx context.Context, bare *floor, workers int) (Creates, error) {
	c := Creates{Workers: workers}
	if _, err := b.load(ctx, len(b.merchants), workers, b.o.Duration/4); err != nil { // warms connections and statements
		return c, err
	}
	var floors, floorDBs, orders, orderDBs, rate, both, hotRate, hotCPU []float64
	for round := range b.o.Rounds {
		fmt.Fprintf(b.o.Progress, "deposit orders on %s, %d at once: round %d of %d\n", b.o.Store, workers, round+1, b.o.Rounds)
		f, err := bare.commits(ctx, workers, b.o.Duration)
		if err != nil {
			return c, err
		}
		p, err := b.load(ctx, 1, workers, b.o.Duration)
		if err != nil {
			return c, err
		}
		s, err := b.load(ctx, len(b.merchants), workers, b.o.Duration)
		if err != nil {
			return c, err
		}
		hotRate, hotCPU = append(hotRate, p.perSecond/s.perSecond), append(hotCPU, (s.cpu+s.database)/(p.cpu+p.database))
		floors, floorDBs, rate = append(floors, f.cpu), append(floorDBs, f.database), append(rate, p.perSecond)
		orders, orderDBs = append(orders, p.cpu), append(orderDBs, p.database)
		c.ToBareAll, both = append(c.ToBareAll, f.cpu/p.cpu), append(both, (f.cpu+f.database)/(p.cpu+p.database))
	}
	c.FloorMS, c.FloorDBMS, c.OrderMS, c.OrderDBMS = median(floors), median(floorDBs), median(orders), median(orderDBs)
	c.PerSecond, c.ToBare, c.WithDBBare = median(rate), median(c.ToBareAll), median(both)
	c.HotRate, c.HotToSpread = median(hotRate), median(hotCPU)
	return c, nil
}

// load keeps workers creating orders.
func (b *gateway) load(ctx context.Context, merchants, workers int, d time.Duration) (phase, error) {
	return measured(b.spent, func() (int, time.Duration, error) {
		return together(ctx, workers, d, func(int) error {
			body, err := b.ask(merchants)
			if err != nil {
				return err
			}
			return b.create(ctx, body)
		})
	})
}
