package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"naru/clock"
	"naru/fsck"
	"naru/platform"
	collecting "naru/rail/bankfeed/sim"
	seller "naru/sandbox/shop"
	"naru/store"
	"naru/vault"
)

// Merchants have one bank. The second is strict with itself, the third calls from elsewhere only, the fourth hardly ever, and the fifth has
// no service.
const (
	plainShop, strictShop, farShop, quietShop, bareShop = "PF0901", "PF0902", "PF0903", "PF0904", "PF0905"

	mainAccount, smallAccount  = "100200300400", "100200300500"
	payerAccount, payeeAccount = "110222333444", "3021234567891"
	payerName, payeeName       = "서하늘", "이도윤"

	marketSettings = `
environment = %q
store = { path = "naru.db", kek = %q }
admin = { listen = "127.0.0.1:0" }
merchant_api = { listen = "127.0.0.1:0", notify_timeout = "6s" }
pay = { listen = "127.0.0.1:0" }
[gsp]
listen = "127.0.0.1:0"
cert = %q
key = %q
own_keys = %q
google_keys = %q
google_base = "https://127.0.0.1:1` + googlePath + `"
google_ca = %q
[[bank_feed]]
name = "feed"
bank = "011"
transfers = "transfers"
inbox = { folder = "` + inbox + `", scan = "20ms" }
[[transfer_bank]]
name = "transfers"
bank = "011"
account = "` + mainAccount + `"
holder = "주식회사 받음"
customer = "NARU0001"
outbox = { folder = "` + outbox + `" }
[[receiving_account]]
id = "main"
bank = "011"
number = "` + mainAccount + `"
holder = "주식회사 받음"
[[receiving_account]]
id = "small"
bank = "011"
number = "` + smallAccount + `"
holder = "주식회사 받음"
most_open = 1
`
	merchantSettings = `
[[merchant]]
id = "%[1]s"
name = "나루 상점"
key = "%[1]s.key"
authorization = "%[1]s.token"
webhook = "%[1]s.hook"
[merchant.api]
payment_info = true
%[2]s
`
	services = `
[[merchant.deposit]]
service = "SVC0026"
receivers = ["main"]
least = 1000
most = 10000000
rate = 80
any_name = true
[[merchant.deposit]]
service = "SVC9003"
receivers = ["main"]
closed = true
[[merchant.deposit]]
service = "SVC9011"
receivers = ["small"]
[[merchant.payout]]
service = "SVC0004"
bank = "transfers"
least = 1000
most = 10000000
fixed = 500
[[merchant.payout]]
service = "SVC9403"
bank = "transfers"
closed = true
`
)

// strictly, elsewhere and seldom are what the contracts of three say; the strict one is asked before its payouts go.
const (
	strictly  = "algorithms = [\"HMAC-SHA256\"]\nrequire_last_number = true\nrequire_platform_channel_id = true\nprecheck_url = %q"
	elsewhere = `allow_ips = ["192.0.2.0/24"]`
	seldom    = "rate = 1\nburst = 1"
)

// market is one integrator, its merchants, and their deposit bank.
type market struct {
	t        *testing.T
	dir      string
	clock    *clock.Movable
	bank     *collecting.Host
	shops    map[string]*seller.Shop
	stalls   map[string]string // where each hears
	platform *platform.Platform
	log      *record
	serial   atomic.Int64
}

// openMarket starts a market; in production, where nothing private is called, with the first merchant alone.
func openMarket(t *testing.T, environment string) *market {
	t.Helper()
	m := &market{
		t: t, dir: t.TempDir(), clock: &clock.Movable{}, shops: map[string]*seller.Shop{}, stalls: map[string]string{}, log: &record{},
	}
	var err error
	m.bank, err = collecting.Start(context.Background(), collecting.Config{
		Address: "127.0.0.1:0", Code: "011", Customer: "NARU0001", Out: m.file(inbox), In: m.file(outbox), ScanEvery: 20 * time.Millisecond,
		Accounts: []collecting.Account{{Number: mainAccount}, {Number: smallAccount}}, Delay: time.Second, Seed: 1, Now: m.clock.Now,
		Sleep: m.clock.Sleep, Polite: true,
	})
	m.check(err)
	t.Cleanup(func() { m.check(m.bank.Close()) })
	settings := m.settings(environment)
	profiles := map[string]string{plainShop: ""}
	if environment == "sandbox" {
		profiles[farShop], profiles[quietShop], profiles[bareShop] = elsewhere, seldom, ""
		profiles[strictShop] = fmt.Sprintf(strictly, seller.CheckURL(m.stall(strictShop)))
	}
	for _, id := range slices.Sorted(maps.Keys(profiles)) {
		for name, secret := range m.secrets(id) {
			m.write(id+"."+name, secret+"\n")
		}
		if settings += fmt.Sprintf(merchantSettings, id, profiles[id]); id != bareShop {
			settings += services
		}
	}
	m.write("naru.toml", settings)
	config, err := platform.Load(m.file("naru.toml"))
	m.check(err)
	ctx, stop := context.WithCancel(context.Background())
	m.platform, err = platform.Start(ctx, config, platform.World{Clock: m.clock, Log: platform.Logger(m.log, platform.Log{Level: "debug"})})
	m.check(err)
	for id := range profiles {
		own := m.secrets(id)
		m.shops[id], err = seller.New(seller.Config{
			API: m.url(""), PlatformID: id, Key: own["key"], Authorization: own["token"], Webhook: own["hook"], Own: m.stall(id),
			Now: time.Now, Business: m.clock.Now,
		})
		m.check(err)
		t.Cleanup(func() { m.check(m.shops[id].Close()) })
	}
	t.Cleanup(func() {
		if !t.Failed() {
			m.drain()
		}
		stop()
		m.check(m.platform.Wait())
		m.audit()
	})
	return m
}

func (m *market) settings(environment string) string {
	s := shop()
	cert := s.file("server.pem")
	return fmt.Sprintf(marketSettings, environment, s.file("kek"), cert, s.file("server.key"), s.file("own-keys"), s.file("google-keys"), cert)
}

// secrets are what a merchant and the integrator share.
func (m *market) secrets(id string) map[string]string {
	return map[string]string{"key": "k3yForTestsOnly" + id[4:], "token": "t0kenForTestsOnly-" + id, "hook": "hookForTestsOnly-" + id}
}

// stall is where a merchant hears, from now on.
func (m *market) stall(id string) string {
	if m.stalls[id] == "" {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { m.shops[id].ServeHTTP(w, r) }))
		m.t.Cleanup(s.Close)
		m.stalls[id] = s.URL
	}
	return m.stalls[id]
}

func (m *market) file(name string) string { return filepath.Join(m.dir, name) }
func (m *market) url(path string) string  { return "http://" + m.platform.APIAddr + path }

func (m *market) write(name, text string) {
	m.t.Helper()
	m.check(os.WriteFile(m.file(name), []byte(text), 0o600))
}

func (m *market) check(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

func (m *market) until(what string, seen func() bool) {
	m.t.Helper()
	(&world{t: m.t}).until(what, seen)
}

// drain waits until nothing is owed; the waits between attempts are business time.
func (m *market) drain() {
	m.t.Helper()
	var owed store.Backlog
	m.until("all that is owed is done", func() bool {
		var err error
		owed, err = m.platform.Store.Backlog(context.Background())
		m.check(err)
		left := must(filepath.Glob(m.file("*/*.xml")))
		left = append(left, must(filepath.Glob(m.file("*/processing/*.xml")))...)
		if owed.Notices+owed.Payouts == 0 && len(left) == 0 {
			return true
		}
		m.clock.Advance(5 * time.Second)
		return false
	})
	cases, err := m.platform.Engine.ListCases(context.Background(), true, 10)
	m.check(err)
	if len(cases) > 0 || owed.Unheard > 0 {
		m.t.Errorf("%d notifications are left that nobody took, and the cases %+v", owed.Unheard, cases)
	}
	if twice := m.bank.Twice(); len(twice) > 0 {
		m.t.Errorf("the bank has paid twice: %v", twice)
	}
}

// audit looks at what is left: the database is sound, and nothing that is secret stands in it, or in the log.
func (m *market) audit() {
	forbidden := [][]byte{[]byte(payerName), []byte(payeeName), []byte(payerAccount), []byte(payeeAccount)}
	for id := range m.shops {
		for _, secret := range m.secrets(id) {
			forbidden = append(forbidden, []byte(secret))
		}
	}
	report, err := fsck.Run(context.Background(), fsck.Options{
		Database: m.file("naru.db"), KEK: must(vault.ReadKEK(shop().file("kek"))), Forbidden: forbidden,
	})
	m.check(err)
	if !report.OK() {
		var b strings.Builder
		_, _ = report.WriteTo(&b)
		m.t.Error(b.String())
	}
	for i, secret := range forbidden {
		if strings.Contains(string(m.log.text()), string(secret)) {
			m.t.Errorf("the log shows secret %d of the list", i)
		}
	}
}

// heardBack is an answer of the gateway.
type heardBack struct {
	status int
	Code   string          `json:"error_code"`
	Text   string          `json:"error_msg"`
	Total  int             `json:"total"`
	Data   json.RawMessage `json:"data"`
}

// number is one that no order has.
func (m *market) number() string { return fmt.Sprintf("order-%d", m.serial.Add(1)) }

// deposits and payouts are orders that are taken, with changes.
func (m *market) deposits(call, signType string, changes map[string]string) seller.Order {
	with := map[string]string{"service_id": "SVC0026", "payment_cl_id": m.number(), "amount": "3000000", "name": payerName}
	maps.Copy(with, changes)
	return seller.Order{Call: call, SignType: signType, Fields: with}
}

func (m *market) payouts(signType string, changes map[string]string) seller.Order {
	with := map[string]string{
		"service_id": "SVC0004", "payout_cl_id": m.number(), "amount": "1000000", "currency": "krw", "bank_name": "KBSTAR_KR",
		"name": payeeName, "number": payeeAccount,
	}
	maps.Copy(with, changes)
	return seller.Order{Call: "createPayout", SignType: signType, Fields: with}
}

// ask has a merchant call. Every answer of a business kind is HTTP 200, and says in words what its code means (merchant-gateway §3).
func (m *market) ask(id string, o seller.Order) heardBack {
	m.t.Helper()
	a, err := m.shops[id].Send(context.Background(), o)
	m.check(err)
	if !a.SignOK {
		m.t.Errorf("%s: a signature of the answer is wrong", o.Call)
	}
	return m.read(a.Status, a.Body)
}

func (m *market) read(status int, body []byte) (h heardBack) {
	m.t.Helper()
	m.check(json.Unmarshal(body, &h))
	if h.status = status; status != http.StatusOK || (h.Code == "0000") != (h.Text == "") || (h.Code == "0000") != (h.Data != nil) {
		m.t.Errorf("HTTP %d %s", status, body)
	}
	return h
}

// raw sends what no merchant of ours would; header are pairs.
func (m *market) raw(verb, path, body string, header ...string) heardBack {
	m.t.Helper()
	req := must(http.NewRequest(verb, m.url(path), strings.NewReader(body)))
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	m.check(err)
	text, err := io.ReadAll(resp.Body)
	m.check(errors.Join(err, resp.Body.Close()))
	return m.read(resp.StatusCode, text)
}

// transfers has somebody pay at the bank.
func (m *market) transfers(won int64) {
	m.t.Helper()
	_, err := m.bank.Deposit(collecting.Deposit{
		Account: mainAccount, Credit: collecting.Credit{Amount: won, Name: payerName, Bank: "004", Number: payerAccount},
	})
	m.check(err)
}

// earns gives a merchant a balance: an order that somebody pays.
func (m *market) earns(id string, won int64) {
	m.t.Helper()
	o := m.deposits("createDeposit", seller.HMAC, map[string]string{
		"amount": fmt.Sprint(won * 100), "last_number": payerAccount, "platform_channel_id": "PFC00000001",
	})
	if h := m.ask(id, o); h.Code != "0000" {
		m.t.Fatalf("%s cannot earn: %s", id, h.Code)
	}
	m.transfers(won)
	m.until(id+" has earned", func() bool { return len(m.shops[id].Bookings()) > 0 })
}

// owns is what a merchant has and what of it is frozen, in won.
func (m *market) owns(id string) (free, frozen int64) {
	m.t.Helper()
	var b struct {
		Free   int64 `json:"total_balance"`
		Frozen int64 `json:"total_frozen_balance"`
	}
	m.check(json.Unmarshal(m.ask(id, seller.Order{Call: "getBalance"}).Data, &b))
	return b.Free / 100, b.Frozen / 100
}

// fails makes a merchant answer badly; kind is deposit, payout or check.
func (m *market) fails(id, kind, action string, times int) {
	m.t.Helper()
	rule := fmt.Sprintf(`{"kind":%q,"action":%q,"times":%d}`, kind, action, times)
	(&world{t: m.t}).command(m.shops[id].Control(), "POST", "/faults", rule, nil)
}

// listens lets it answer as it should.
func (m *market) listens(id string) {
	m.t.Helper()
	(&world{t: m.t}).command(m.shops[id].Control(), "DELETE", "/faults", "", nil)
}

// news is what a merchant was told of an order.
func (m *market) news(id, order string) (all []seller.Heard) {
	for _, h := range m.shops[id].Heard() {
		if h.ClientID == order && h.Kind != seller.Check {
			all = append(all, h)
		}
	}
	return all
}
