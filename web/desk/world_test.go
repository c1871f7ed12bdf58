package desk

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"naru/core/card"
	"naru/core/deposit"
	"naru/core/fault"
	"naru/core/money"
	"naru/core/payout"
	"naru/engine"
	"naru/protocol/merchant"
)

// noon is some business time, in the middle of a day in Seoul.
var noon = time.Date(2026, 11, 22, 3, 30, 0, 0, time.UTC)

var (
	krw      = money.Of("KRW")
	seoul    = time.FixedZone("Asia/Seoul", 9*3600)
	errDown  = errors.New("the store is down")
	ownKey   = card.Conceal("k3yForTestsOnly01")
	otherKey = card.Conceal("2I9Q4nExEddsH6zo")
)

func krwOf(n int64) money.Amount { return money.New(n, krw) }

var _ Engine = (*engine.Engine)(nil)

// world is an engine with two merchants: PF0901, and PF0001 that must never be seen by the first.
type world struct {
	mu       sync.Mutex
	now      time.Time
	orders   []deposit.Order
	payouts  []engine.MerchantPayout
	told     []engine.NoticeLog
	keyring  []engine.MerchantKey
	secrets  map[string]card.Secret // by id of the key
	resent   []string
	underWay string // a notice that somebody is about to send
	booked   []string
	skipped  time.Duration
	broken   error
}

func newWorld() *world {
	w := &world{now: noon, secrets: map[string]card.Secret{"key-1": ownKey, "key-2": otherKey}}
	w.keyring = []engine.MerchantKey{
		{ID: "key-1", Merchant: "PF0901", Purpose: engine.SigningKey, CreatedAt: noon.AddDate(0, -2, 0)},
		{ID: "key-2", Merchant: "PF0001", Purpose: engine.SigningKey, CreatedAt: noon.AddDate(0, -2, 0)},
	}
	return w
}

// order makes one of a state, some minutes before noon.
func (w *world) order(n int, s deposit.State, change ...func(*deposit.Order)) deposit.Order {
	at := noon.Add(-time.Duration(n) * time.Minute)
	o := deposit.Order{
		ID: fmt.Sprintf("order-%d", n), Number: fmt.Sprintf("PM%08d", n), Link: fmt.Sprintf("link-%d", n), Merchant: "PF0901", Service: "SVC0026",
		ClientID: fmt.Sprintf("KRW-20261122-%04d", n), Generation: 1, State: s, Version: 1, Amount: krwOf(30_000), Display: krwOf(29_900),
		Receiver:  deposit.Receiver{Account: "main", Bank: "011", Number: "3021234567891", Holder: "주식회사 받음"},
		NotifyURL: "https://shop.example.test/cb/deposit", Payer: []byte("sealed"), PayerBank: "004", User: "member77",
		CreatedAt: at, ExpiresAt: at.Add(10 * time.Minute), ChangedAt: at, DueAt: at.Add(630 * time.Second),
	}
	if s == deposit.Paid || s == deposit.TakenBack {
		o.PaidAt, o.Real, o.Fee, o.ChangedAt = at.Add(2*time.Minute), o.Display, krwOf(239), at.Add(2*time.Minute)
	}
	for _, c := range change {
		c(&o)
	}
	w.orders = append(w.orders, o)
	return o
}

func (w *world) transfer(n int, s payout.State, change ...func(*engine.MerchantPayout)) engine.MerchantPayout {
	at := noon.Add(-time.Duration(n) * time.Minute)
	m := engine.MerchantPayout{
		Payout: payout.Payout{
			ID: fmt.Sprintf("payout-%d", n), Purpose: payout.ForMerchant, Account: "PF0901", RequestID: fmt.Sprintf("WD-20261122-%04d", n), State: s,
			Amount: krwOf(50_000), Fee: krwOf(1_000), CreatedAt: at, ChangedAt: at.Add(time.Minute),
		},
		Number: fmt.Sprintf("POT%08d", n), Service: "SVC0004", NotifyURL: "https://shop.example.test/cb/payout",
	}
	if s.Final() {
		m.DoneAt = at.Add(time.Minute)
	}
	for _, c := range change {
		c(&m)
	}
	w.payouts = append(w.payouts, m)
	return m
}

// notice makes one of an order, with as many tries as there are statuses.
func (w *world) notice(number string, k engine.NoticeKind, result string, s engine.NoticeState, statuses ...int) engine.NoticeLog {
	n := engine.NoticeLog{
		Notice: engine.Notice{
			ID: "notice-" + number + "-" + strings.ToLower(result), Kind: k, Account: "PF0901", Subject: number + "/" + result, Result: result,
			CreatedAt: noon.Add(-time.Hour),
		},
		State: s, Due: noon.Add(time.Minute),
	}
	for _, o := range w.orders {
		if o.Number == number {
			n.CreatedAt = o.ChangedAt
		}
	}
	for _, m := range w.payouts {
		if m.Number == number {
			n.CreatedAt = m.ChangedAt
		}
	}
	for i, status := range statuses {
		word := map[int]string{0: "no answer in time", 200: "acknowledged", 500: "refused"}[status]
		n.Tries = append(n.Tries, engine.NoticeTry{
			Notice: n.ID, N: i + 1, At: n.CreatedAt.Add(time.Duration(i) * time.Minute), Status: status, Outcome: word, Took: 184 * time.Millisecond,
		})
	}
	w.told = append(w.told, n)
	return n
}

func (w *world) Merchant(id string) (engine.Merchant, bool) {
	least, most := krwOf(1_000), krwOf(5_000_000)
	m := engine.Merchant{
		ID: id, Location: seoul, TellEnds: true,
		Deposits: []engine.DepositService{{
			ID: "SVC0026", Limits: engine.Limits{Least: least, Most: most}, Fee: engine.Fee{BP: 80}, Unique: true, Range: 100,
			Life: 10 * time.Minute,
		}},
		Payouts: []engine.PayoutService{{
			ID: "SVC0004", Closed: true, Limits: engine.Limits{Least: least}, Fee: engine.Fee{Fixed: 1_000}, Review: &most,
		}},
	}
	return m, id == "PF0901" || id == "PF0001"
}

func (w *world) MerchantSecrets(_ context.Context, merchant string, p engine.KeyPurpose) (list []card.Secret, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, k := range w.keyring {
		if k.Merchant == merchant && k.Purpose == p && (k.EndsAt.IsZero() || w.now.Before(k.EndsAt)) {
			list = append(list, w.secrets[k.ID])
		}
	}
	return list, w.broken
}

func (w *world) BalanceOf(context.Context, string) (engine.Balances, error) {
	return engine.Balances{Free: krwOf(12_345_678), Frozen: krwOf(51_000)}, w.broken
}

func (w *world) Deposits(_ context.Context, p engine.Page) ([]deposit.Order, int64, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	list, total := paged(p, w.orders, func(o deposit.Order) (string, string, string, string, time.Time) {
		return o.Merchant, o.Number, o.ClientID, string(o.State), o.CreatedAt
	})
	return list, total, w.broken
}

func (w *world) MerchantPayouts(_ context.Context, p engine.Page) ([]engine.MerchantPayout, int64, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	list, total := paged(p, w.payouts, func(m engine.MerchantPayout) (string, string, string, string, time.Time) {
		return m.Account, m.Number, m.RequestID, string(m.State), m.CreatedAt
	})
	return list, total, w.broken
}

// paged is what a store answers: what fits, newest first, and how many there are.
func paged[T any](p engine.Page, all []T, of func(T) (merchant, number, client, state string, at time.Time)) (list []T, total int64) {
	for _, x := range all {
		merchant, number, client, state, at := of(x)
		if merchant == p.Merchant && (p.Number == "" || p.Number == number) && (p.ClientID == "" || p.ClientID == client) &&
			(len(p.States) == 0 || slices.Contains(p.States, state)) && !at.Before(p.From) && (p.Until.IsZero() || at.Before(p.Until)) {
			list = append(list, x)
		}
	}
	slices.SortStableFunc(list, func(a, b T) int {
		_, _, _, _, x := of(a)
		_, _, _, _, y := of(b)
		return y.Compare(x)
	})
	total = int64(len(list))
	first := min(p.Offset, total)
	return list[first:min(first+p.Limit, total)], total
}

func (w *world) PayerOf(deposit.Order) (deposit.Payer, error) {
	return deposit.Payer{Name: card.Conceal("김하늘"), Bank: "004"}, nil
}

func (w *world) NoticesOf(
	_ context.Context, merchant string, from, until time.Time, subject string, offset, limit int64,
) ([]engine.NoticeLog, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	list, _ := paged(engine.Page{Merchant: merchant, Number: subject, From: from, Until: until, Offset: offset, Limit: limit}, w.told,
		func(n engine.NoticeLog) (string, string, string, string, time.Time) {
			number, _, _ := strings.Cut(n.Subject, "/")
			return n.Account, number, "", "", n.CreatedAt
		})
	return list, w.broken
}

func (w *world) ResendNotice(_ context.Context, merchant, id string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, n := range w.told {
		switch {
		case n.ID != id || n.Account != merchant:
		case n.State == engine.NoticeQueued || id == w.underWay:
			return fault.New(fault.Precondition, "it is on its way already")
		default:
			w.told[i].State = engine.NoticeQueued
			w.resent = append(w.resent, id)
			return nil
		}
	}
	return engine.ErrNotFound
}

func (w *world) MerchantKeys(_ context.Context, merchant string) (list []engine.MerchantKey, err error) {
	for _, k := range w.keyring {
		if k.Merchant == merchant {
			list = append(list, k)
		}
	}
	return list, w.broken
}

const newSecret = "NEWSECRETNEWSECRETNEWSECRE"

func (w *world) RenewMerchantKey(_ context.Context, merchant string, p engine.KeyPurpose) (card.Secret, error) {
	if n := slices.IndexFunc(w.keyring, func(k engine.MerchantKey) bool { return k.ID == "key-new" }); n >= 0 {
		return card.Secret{}, fault.New(fault.Precondition, "two are valid already: end the older one first")
	}
	w.secrets["key-new"] = card.Conceal(newSecret)
	w.keyring = slices.Insert(w.keyring, 0, engine.MerchantKey{ID: "key-new", Merchant: merchant, Purpose: p, CreatedAt: w.now})
	return w.secrets["key-new"], nil
}

func (w *world) EndMerchantKey(_ context.Context, merchant, id string, at time.Time) error {
	for i, k := range w.keyring {
		if k.ID == id && k.Merchant == merchant {
			w.keyring[i].EndsAt = at
			return nil
		}
	}
	return engine.ErrNotFound
}

// Deposit is the simulated bank's.
func (w *world) Deposit(_ context.Context, account string, amount int64, name string) error {
	w.booked = append(w.booked, fmt.Sprintf("%s %d %s", account, amount, name))
	return w.broken
}

func (w *world) skip(_ context.Context, d time.Duration) error {
	w.skipped += d
	return nil
}

// signing is the merchant API's.
type signing struct{}

func (signing) Explain(body []byte) (Explanation, error) {
	x, err := merchant.Explain(body)
	fields := func(from []merchant.Field) (list []Field) {
		for _, f := range from {
			list = append(list, Field(f))
		}
		return list
	}
	return Explanation{x.Text, fields(x.Signed), fields(x.Left)}, err
}

func (signing) Digest(algorithm, text string, key card.Secret) string {
	return merchant.Algorithm(algorithm).Digest(text, key)
}

// place is a desk, and a reader with a browser's cookies.
type place struct {
	*testing.T
	*world
	desk    *Desk
	wall    time.Time
	cookies map[string]string
	log     *bytes.Buffer
}

func front(t *testing.T, change ...func(*Config)) *place {
	t.Helper()
	p := &place{
		T: t, world: newWorld(), wall: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC), cookies: map[string]string{}, log: &bytes.Buffer{},
	}
	cfg := Config{
		Engine: p.world, Signing: signing{}, Now: func() time.Time { return p.wall }, Business: func() time.Time { return p.now },
		Settings:    func(string) []Setting { return []Setting{{"Addresses that may call the API", "192.0.2.0/24"}} },
		PaymentPage: func(o deposit.Order) string { return "https://pay.example.test/gateway/portal/v1/payments/" + o.Link },
		Log:         slog.New(slog.NewTextHandler(p.log, nil)),
	}
	for _, c := range change {
		c(&cfg)
	}
	p.desk = New(cfg)
	return p
}

// inSandbox is a desk with a simulated bank and a clock that moves, and PF0901 signed in.
func inSandbox(t *testing.T) *place {
	t.Helper()
	return enter(t, withBank)
}

func withBank(cfg *Config) {
	w := cfg.Engine.(*world)
	cfg.Bank, cfg.Skip = w, w.skip
}

func (p *place) do(method, path string, form url.Values) *httptest.ResponseRecorder {
	p.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(form.Encode()))
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	for name, value := range p.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	w := httptest.NewRecorder()
	p.desk.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		if p.cookies[c.Name] = c.Value; c.MaxAge < 0 {
			delete(p.cookies, c.Name)
		}
	}
	return w
}

func (p *place) get(path string) *httptest.ResponseRecorder {
	p.Helper()
	return p.do(http.MethodGet, path, nil)
}

// read is a page that must be there.
func (p *place) read(path string) string {
	p.Helper()
	w := p.get(path)
	if w.Code != http.StatusOK {
		p.Fatalf("%s: %d\n%s", path, w.Code, w.Body)
	}
	return w.Body.String()
}

var tokenField = regexp.MustCompile(`name="csrf" value="([A-Z0-9]+)"`)

// token is that of the forms of a page.
func (p *place) token(path string) string {
	p.Helper()
	m := tokenField.FindStringSubmatch(p.read(path))
	if m == nil {
		p.Fatalf("%s has no token", path)
	}
	return m[1]
}

// post sends a form as the page would.
func (p *place) post(path string, pairs ...string) *httptest.ResponseRecorder {
	p.Helper()
	form := url.Values{"csrf": {p.token(root + "settings")}}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	return p.do(http.MethodPost, path, form)
}

func (p *place) signIn(id, key, next string) *httptest.ResponseRecorder {
	p.Helper()
	form := url.Values{"csrf": {p.token(root + "login")}, "platform_id": {id}, "platform_key": {key}, "next": {next}}
	return p.do(http.MethodPost, root+"login", form)
}

// enter is a desk with PF0901 signed in.
func enter(t *testing.T, change ...func(*Config)) *place {
	t.Helper()
	p := front(t, change...)
	if w := p.signIn("PF0901", ownKey.Reveal(), ""); w.Code != http.StatusSeeOther {
		t.Fatalf("sign in: %d\n%s", w.Code, w.Body)
	}
	return p
}

var (
	tags   = regexp.MustCompile(`<[^>]*>`)
	spaces = regexp.MustCompile(`\s+`)
)

// text is what a reader reads.
func text(html string) string {
	_, html, _ = strings.Cut(html, "<body>")
	for _, e := range [][2]string{{"&#39;", "'"}, {"&#34;", `"`}, {"&amp;", "&"}, {"&#43;", "+"}} {
		html = strings.ReplaceAll(html, e[0], e[1])
	}
	return strings.TrimSpace(spaces.ReplaceAllString(tags.ReplaceAllString(html, " "), " "))
}

// says fails where a page lacks one of the phrases.
func (p *place) says(w *httptest.ResponseRecorder, status int, phrases ...string) {
	p.Helper()
	if w.Code != status {
		p.Fatalf("status %d instead of %d: %s", w.Code, status, text(w.Body.String()))
	}
	got := text(w.Body.String())
	for _, phrase := range phrases {
		if !strings.Contains(got, phrase) {
			p.Errorf("the page does not say %q:\n%s", phrase, cmp.Or(got, w.Body.String()))
		}
	}
}
