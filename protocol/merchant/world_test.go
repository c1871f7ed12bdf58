package merchant

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"naru/core/card"
	"naru/core/deposit"
	"naru/core/money"
	"naru/core/payout"
	"naru/engine"
)

const (
	us       = "PF0901"
	testKey  = "k3yForTestsOnly01"
	oldKey   = "k3yThatWasNewOnce"
	token    = "token-of-PF0901"
	otherKey = "k3yOfSomebodyElse"
)

// start is the moment of the sheet's examples.
var start = time.Unix(1767225600, 0).UTC()

// fakeEngine behaves like the engine in what the API can see: an order number counts once.
type fakeEngine struct {
	mu        sync.Mutex
	orders    map[string]deposit.Order
	payouts   map[string]engine.MerchantPayout
	deposits  []engine.DepositAsk
	transfers []engine.PayoutAsk
	pages     []engine.Page
	payers    map[string]deposit.Payer
	keys      map[engine.KeyPurpose][]card.Secret
	balances  engine.Balances
	waits     bool
	err       error // of creations and queries
	keysErr   error
	payerErr  error
	after     error // said although the payout was taken on
	panics    bool
}

func newEngine() *fakeEngine {
	return &fakeEngine{
		orders: map[string]deposit.Order{}, payouts: map[string]engine.MerchantPayout{}, payers: map[string]deposit.Payer{},
		keys: map[engine.KeyPurpose][]card.Secret{
			engine.SigningKey: {card.Conceal(testKey), card.Conceal(oldKey)}, engine.QueryToken: {card.Conceal(token)},
		},
		balances: engine.Balances{Free: money.New(50_000, won), Frozen: money.New(0, won)},
	}
}

func (e *fakeEngine) CreateDeposit(_ context.Context, ask engine.DepositAsk) (deposit.Order, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.panics {
		panic("a secret " + testKey)
	}
	if _, used := e.orders[ask.ClientID]; used && e.err == nil {
		return deposit.Order{}, engine.RefusedDuplicate
	}
	if e.err != nil {
		return deposit.Order{}, e.err
	}
	e.deposits = append(e.deposits, ask)
	o := theOrder
	o.Merchant, o.Service, o.ClientID, o.Generation = ask.Merchant, ask.Service, ask.ClientID, ask.Generation
	o.Amount, o.SignType, o.NotifyURL = ask.Amount, ask.SignType, ask.NotifyURL
	e.payers[o.ID] = ask.Payer
	e.orders[ask.ClientID] = o
	return o, nil
}

func (e *fakeEngine) Deposits(_ context.Context, p engine.Page) ([]deposit.Order, int64, error) {
	e.pages = append(e.pages, p)
	list := slices.Collect(maps.Values(e.orders))
	return list, int64(len(list)), e.err
}

func (e *fakeEngine) DepositByClient(_ context.Context, merchant, clientID string) (deposit.Order, bool, error) {
	o, ok := e.orders[clientID]
	return o, ok && o.Merchant == merchant, e.err
}

func (e *fakeEngine) Deposit(_ context.Context, id string) (deposit.Order, bool, error) {
	for _, o := range e.orders {
		if o.ID == id {
			return o, true, e.err
		}
	}
	return deposit.Order{}, false, e.err
}

func (e *fakeEngine) PayerOf(o deposit.Order) (deposit.Payer, error) {
	return e.payers[o.ID], e.payerErr
}
func (e *fakeEngine) WaitsForRegistration(deposit.Order) bool { return e.waits }

func (e *fakeEngine) CreatePayout(ctx context.Context, ask engine.PayoutAsk) (engine.MerchantPayout, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, used := e.payouts[ask.ClientID]; used && e.err == nil {
		return engine.MerchantPayout{}, engine.RefusedDuplicate
	}
	if e.err != nil {
		return engine.MerchantPayout{}, e.err
	}
	if ask.Confirm != nil {
		if err := ask.Confirm(ctx); err != nil {
			return engine.MerchantPayout{}, err
		}
	}
	e.transfers = append(e.transfers, ask)
	m := thePayout
	m.Account, m.RequestID, m.Amount = ask.Merchant, ask.ClientID, ask.Amount
	m.Service, m.NotifyURL, m.SignType = ask.Service, ask.NotifyURL, ask.SignType
	e.payouts[ask.ClientID] = m
	if e.panics {
		panic("a secret " + testKey)
	}
	if e.after != nil {
		return engine.MerchantPayout{}, e.after
	}
	return m, nil
}

func (e *fakeEngine) MerchantPayouts(_ context.Context, p engine.Page) ([]engine.MerchantPayout, int64, error) {
	e.pages = append(e.pages, p)
	list := slices.Collect(maps.Values(e.payouts))
	return list, int64(len(list)), e.err
}

func (e *fakeEngine) MerchantPayoutByClient(_ context.Context, merchant, clientID string) (engine.MerchantPayout, bool, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	m, ok := e.payouts[clientID]
	return m, ok && m.Account == merchant, e.err
}

func (e *fakeEngine) MerchantPayout(_ context.Context, id string) (engine.MerchantPayout, bool, error) {
	for _, m := range e.payouts {
		if m.ID == id {
			return m, true, e.err
		}
	}
	return engine.MerchantPayout{}, false, e.err
}

func (e *fakeEngine) BalanceOf(context.Context, string) (engine.Balances, error) {
	return e.balances, e.err
}

func (e *fakeEngine) MerchantSecrets(_ context.Context, merchant string, p engine.KeyPurpose) ([]card.Secret, error) {
	if merchant != us {
		return nil, e.keysErr
	}
	return e.keys[p], e.keysErr
}

// theOrder is that of the sheet's example, not paid yet (§5, V10).
var theOrder = deposit.Order{
	ID: "order-1", Number: "PM00000451", Link: "ZK3VQ0AXW1", Merchant: us, Service: "SVC0026", ClientID: "KRW-20260101-0001",
	Generation: 1, State: deposit.Waiting, Amount: money.New(30_000, won), Display: money.New(29_900, won),
	Receiver: deposit.Receiver{Account: "main", Bank: "011", Number: "100200300400", Holder: "주식회사 받음"},
	Real:     money.New(0, won), Fee: money.New(0, won), CreatedAt: time.Unix(1767225601, 5e8), ChangedAt: time.Unix(1767225601, 5e8),
}

// paidOrder is the same, paid (V3, with a fee in whole won).
func paidOrder() deposit.Order {
	o := theOrder
	o.State, o.Real, o.Fee = deposit.Paid, money.New(29_900, won), money.New(239, won)
	o.PaidAt, o.ChangedAt = time.Unix(1767225733, 0), time.Unix(1767225733, 0)
	return o
}

// thePayout is that of the sheet's example, just taken on (§8).
var thePayout = engine.MerchantPayout{
	Payout: payout.Payout{
		ID: "payout-1", Purpose: payout.ForMerchant, Account: us, RequestID: "WD-20260101-0001", State: payout.Asked,
		Amount: money.New(50_000, won), Fee: money.New(1_000, won), CreatedAt: time.Unix(1767225601, 0), ChangedAt: time.Unix(1767225601, 0),
	},
	Number: "POT00000088", Service: "SVC0004",
}

// paidPayout is the same, paid (V6).
func paidPayout() engine.MerchantPayout {
	m := thePayout
	m.State, m.DoneAt, m.ChangedAt = payout.Paid, time.Unix(1767226001, 0), time.Unix(1767226001, 0)
	return m
}

// world is a server on a real socket.
type world struct {
	t      *testing.T
	engine *fakeEngine
	server *Server
	http   *httptest.Server
	log    *bytes.Buffer
	now    time.Time
}

func newWorld(t *testing.T, p Profile, change ...func(*Config)) *world {
	t.Helper()
	w := &world{t: t, engine: newEngine(), log: &bytes.Buffer{}, now: start}
	cfg := Config{
		Environment: "test", Engine: w.engine, Merchants: map[string]Profile{us: p}, PayBase: "https://pay.example.test/", Private: true,
		Now: func() time.Time { return w.now }, Business: func() time.Time { return start }, NewID: func() string { return "call" },
		Log: slog.New(slog.NewTextHandler(w.log, nil)), Sources: []string{"192.0.2.7"},
	}
	for _, c := range change {
		c(&cfg)
	}
	var err error
	if w.server, err = NewServer(cfg); err != nil {
		t.Fatal(err)
	}
	w.http = httptest.NewServer(w.server)
	t.Cleanup(w.http.Close)
	return w
}

// answer is an answer as a merchant reads it.
type answer struct {
	status int
	code   Code
	msg    string
	total  *int64
	data   json.RawMessage
	body   string
}

// fields is a request's body.
type fields map[string]any

func depositFields() fields {
	return fields{
		"platform_id": us, "service_id": "SVC0026", "payment_cl_id": "KRW-20260101-0001", "user_id": "member77", "name": "김하늘",
		"last_number": "110222333444", "bank_name": "KBSTAR_KR", "amount": "3000000", "notify_url": "http://127.0.0.1:9701/cb/deposit",
		"request_time": "1767225600",
	}
}

func payoutFields() fields {
	return fields{
		"platform_id": us, "service_id": "SVC0004", "payout_cl_id": "WD-20260101-0001", "amount": "5000000",
		"notify_url": "http://127.0.0.1:9701/cb/payout", "bank_name": "NHBANK_KR", "name": "이도윤", "number": "3021234567891",
		"currency": "krw", "request_time": "1767225600",
	}
}

func (f fields) with(name string, value any) fields {
	f[name] = value
	return f
}

func (f fields) without(name string) fields {
	delete(f, name)
	return f
}

// signed is a body with its signature.
func (f fields) signed(a Algorithm, key string) []byte {
	if a == HMAC {
		f["sign_type"] = a
	}
	delete(f, "sign")
	plain, err := json.Marshal(f)
	if err != nil {
		panic(err)
	}
	x, err := Explain(plain)
	if err != nil {
		panic(err)
	}
	f["sign"] = a.Digest(x.Text, card.Conceal(key))
	plain, _ = json.Marshal(f)
	return plain
}

const (
	payments1 = "/gateway/api/v1/payments"
	payments2 = "/gateway/api/v2/payments"
	payouts1  = "/gateway/api/v1/payouts"
	payouts2  = "/gateway/api/v2/payouts"
	balance1  = "/gateway/api/v1/platforms/balance"
	balance2  = "/gateway/api/v2/platforms/balance"
)

func (w *world) create(path string, f fields) answer {
	w.t.Helper()
	return w.send("POST", path, f.signed(MD5, testKey))
}

func (w *world) query(path string) answer {
	w.t.Helper()
	return w.send("GET", path, nil)
}

// send makes a call like a merchant; header are pairs, an empty value takes one away.
func (w *world) send(verb, path string, body []byte, header ...string) answer {
	w.t.Helper()
	req, err := http.NewRequest(verb, w.http.URL+path, bytes.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	if verb == "GET" {
		req.Header.Set("Authorization", token)
	} else {
		req.Header.Set("Content-Type", "application/json;charset=utf-8")
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
		if header[i+1] == "" {
			req.Header.Del(header[i])
		}
	}
	a, err := read1(req)
	if err != nil {
		w.t.Fatal(err)
	}
	conforms(w.t, verb, path, a)
	return a
}

func read1(req *http.Request) (answer, error) {
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	plain, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer{}, err
	}
	if got := resp.Header.Get("Content-Type"); got != "application/json;charset=utf-8" {
		return answer{}, fmt.Errorf("content type %q", got)
	}
	var in struct {
		ErrorCode Code            `json:"error_code"`
		ErrorMsg  string          `json:"error_msg"`
		Total     *int64          `json:"total"`
		Data      json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(plain, &in); err != nil {
		return answer{}, err
	}
	return answer{resp.StatusCode, in.ErrorCode, in.ErrorMsg, in.Total, in.Data, string(plain)}, nil
}

// want checks the envelope's promises and the code.
func (a answer) want(t *testing.T, code Code) {
	t.Helper()
	if a.status != http.StatusOK || a.code != code {
		t.Fatalf("HTTP %d %s, want 200 and %s", a.status, a.body, code)
	}
	if (a.code == Success) == (a.msg != "") || (a.code == Success) != (a.data != nil) {
		t.Fatalf("data stands beside success and error_msg beside errors: %s", a.body)
	}
}

// same compares JSON values.
func same(t *testing.T, got []byte, want string) {
	t.Helper()
	var g, w any
	if err := json.Unmarshal(got, &g); err != nil {
		t.Fatalf("%v: %s", err, got)
	}
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		t.Fatal(err)
	}
	gotText, _ := json.Marshal(g)
	wantText, _ := json.Marshal(w)
	if string(gotText) != string(wantText) {
		t.Errorf("got  %s\nwant %s", gotText, wantText)
	}
}

func escaped(id string) string { return "/" + url.PathEscape(id) }

// quiet fails where a log tells what it must not.
func (w *world) quiet() {
	w.t.Helper()
	for _, secret := range []string{testKey, token, "110222333444", "3021234567891", "김하늘", "이도윤"} {
		if strings.Contains(w.log.String(), secret) {
			w.t.Error("the log holds a secret")
		}
	}
}
