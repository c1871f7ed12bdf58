package pay

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/color"
	"image/png"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"naru/core/card"
	"naru/core/money"
)

// noon is some business time.
var noon = time.Date(2026, 11, 22, 6, 30, 0, 0, time.UTC)

const link = "Zk3vQ0aXw1"

var (
	krw      = money.Of("KRW")
	kookmin  = Bank{"004", "국민은행", "KB Kookmin Bank", "國民銀行"}
	nonghyup = Bank{"011", "농협은행", "NongHyup Bank", "農協銀行"}
)

// orders is a platform with one order.
type orders struct {
	mu      sync.Mutex
	order   Order
	changed chan struct{} // closed by the next change
	named   []Payer
	members []Payer
	refuse  error
	broken  error
	asked   int
}

// sample is an order in a state, as the platform would show it.
func sample(s State) Order {
	o := Order{
		Version: 7, State: s, Merchant: Merchant{Name: "하늘상점", Logo: picture(), Colour: "#e4572e"},
		Number: "KRW-20260101-0001", Reference: "PM00000451", Member: "member77",
		Ordered: won(30000), Transfer: won(29900), Account: Account{nonghyup, "3021234567891", "주식회사 받음"},
		Payer: card.Conceal("김하늘"), PayerBank: kookmin,
		Expires: noon.Add(10 * time.Minute), Updated: noon.Add(2 * time.Minute), Now: noon.Add(19 * time.Second),
		Help: "https://shop.example.test/help",
	}
	switch s {
	case Received, TakenBack:
		o.Received, o.Done = o.Transfer, noon.Add(2*time.Minute)
	case OtherAmount:
		o.Received = won(29000)
	case Late:
		o.Received = o.Transfer
	}
	return o
}

// everyPage is an order for every page there is.
func everyPage() map[string]Order {
	all := map[string]Order{}
	for s := Waiting; s < states; s++ {
		all[manners[s].Name] = sample(s)
	}
	code, plain, name, first := sample(Waiting), sample(Waiting), sample(Waiting), sample(Waiting)
	code.Code = "26022"
	plain.Merchant, plain.Transfer, plain.Help = Merchant{Name: "하늘상점"}, plain.Ordered, ""
	name.NeedsName, name.Payer, name.PayerBank = true, card.Secret{}, Bank{}
	first.NeedsRegistration = true
	all["code"], all["plain"], all["name"], all["first"] = code, plain, name, first
	return all
}

func won(n int64) money.Amount { return money.New(n, krw) }

// picture is a small logo.
func picture() []byte {
	img := image.NewRGBA(image.Rect(0, 0, 80, 80))
	for i := range 80 * 80 {
		img.Set(i%80, i/80, color.RGBA{0xe4, 0x57, 0x2e, 0xff})
	}
	for i := range 24 * 24 {
		img.Set(28+i%24, 28+i/24, color.White)
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func newOrders(o Order) *orders { return &orders{order: o, changed: make(chan struct{})} }

// set changes the order, and says so.
func (f *orders) set(change func(*Order)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(&f.order)
	f.order.Version++
	close(f.changed)
	f.changed = make(chan struct{})
}

// fail makes every question fail, until told nil.
func (f *orders) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.broken = err
}

func (f *orders) Order(_ context.Context, id string) (Order, bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked++
	return f.order, id == link, f.broken
}

func (f *orders) NamePayer(_ context.Context, _ string, p Payer) error {
	return f.take(&f.named, p, func(o *Order) { o.NeedsName, o.Payer, o.PayerBank = false, p.Name, kookmin })
}

func (f *orders) Register(_ context.Context, _ string, p Payer) error {
	return f.take(&f.members, p, func(o *Order) { o.NeedsRegistration, o.NeedsName, o.Payer, o.PayerBank = false, false, p.Name, kookmin })
}

func (f *orders) take(list *[]Payer, p Payer, change func(*Order)) error {
	f.mu.Lock()
	*list = append(*list, p)
	err := f.refuse
	f.mu.Unlock()
	if err == nil {
		f.set(change)
	}
	return err
}

func (f *orders) Changed(ctx context.Context, _ string, seen int64) <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.order.Version != seen {
		now := make(chan struct{})
		close(now)
		return now
	}
	return f.changed
}

var errDown = errors.New("the store is down")

// site is the pages on a server of their own.
type site struct {
	*testing.T
	orders *orders
	pages  *Pages
	server *httptest.Server
	log    *bytes.Buffer
}

func open(t *testing.T, o Order, around ...func(http.Handler) http.Handler) *site {
	t.Helper()
	s := &site{T: t, orders: newOrders(o), log: &bytes.Buffer{}}
	s.pages = New(Config{
		Orders: s.orders, Banks: func() []Bank { return []Bank{kookmin, nonghyup} }, Now: time.Now,
		Log: slog.New(slog.NewTextHandler(&locked{b: s.log}, nil)), StreamsPerLink: 2,
	})
	var h http.Handler = s.pages
	for _, a := range around {
		h = a(h)
	}
	s.server = httptest.NewServer(h)
	t.Cleanup(func() {
		s.pages.Close()
		s.server.Close()
	})
	return s
}

// locked is a log that many may write.
type locked struct {
	mu sync.Mutex
	b  *bytes.Buffer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// call sends one request to the handler itself.
func (s *site) call(method, path string, form url.Values, change ...func(*http.Request)) *httptest.ResponseRecorder {
	s.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(form.Encode()))
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	for _, c := range change {
		c(r)
	}
	w := httptest.NewRecorder()
	s.pages.ServeHTTP(w, r)
	return w
}

func asking(language string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("Accept-Language", language) }
}
