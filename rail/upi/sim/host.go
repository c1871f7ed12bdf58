package sim

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// Account is one account from which payouts are made.
type Account struct {
	Number  string
	Opening int64 // paise, when the bank sees it for the first time
}

// Fees is what a payout costs. As in the product's own samples, fees contain the tax.
type Fees struct {
	Net   int64 // paise
	TaxBP int64 // hundredths of a per cent of Net
}

// DefaultFees is Rs 1.00 and 18 per cent of tax.
func DefaultFees() Fees { return Fees{Net: 100, TaxBP: 1800} }

// Sleep returns at business time until, or as soon as wake delivers, or with ctx's error. A zero until waits for wake alone.
type Sleep func(ctx context.Context, until time.Time, wake <-chan struct{}) error

// Config is what one payout bank needs to know.
type Config struct {
	Address   string      // "127.0.0.1:0" takes a free port
	TLS       *tls.Config // nil is plain HTTP
	KeyID     string      // user of Basic authentication
	KeySecret string
	Owner     string // account_id of events; "" is acc_SIM00000000001
	Accounts  []Account
	Purposes  []string       // created in the dashboard, beside the six that everybody has (rails §2.3)
	Allowed   []netip.Prefix // who may call; empty is everybody
	PerSecond int            // calls in one second of business time, then 429; 0 is no limit
	Cap       int64          // paise a payout; 0 is Rs 1,00,000 (rails §2.7)
	Fees      *Fees          // nil is DefaultFees
	Delay     time.Duration  // business time from processing to the end of an ordinary payout; 0 is 2 s

	Webhook       string        // where events go; "" keeps them until POST /actions/webhook names a place
	WebhookSecret string        // signs them, until POST /actions/rotate-secret
	Patience      time.Duration // wall time that a receiver has to answer; 0 is 5 s
	RetryScale    float64       // of the time between deliveries; 0 is 1

	Seed   int64                         // of every number the bank makes up and of its whims
	Now    func() time.Time              // business time; nil is a clock of its own, moved by POST /clock
	Sleep  Sleep                         // business time; see the package comment
	After  func(time.Duration, func())   // wall time, for slow answers; nil is time.AfterFunc
	Dir    string                        // where the file is kept that survives a restart; "" keeps nothing
	Log    *slog.Logger                  // nil is silent
	Root   func(reference string) string // what references of one request have in common; nil is Root
	Polite bool                          // events once, in order, without whims
}

// Host is a payout bank: a listener, accounts, and a record of everything that it was asked and decided.
type Host struct {
	cfg      Config
	listener net.Listener
	server   *http.Server
	client   *http.Client
	stop     func() bool
	cancel   context.CancelFunc
	life     context.Context
	running  sync.WaitGroup
	wake     chan struct{}
	telling  sync.Mutex // one Tick at a time, so that who waits for one has seen all that was due

	mu     sync.Mutex
	book   *book
	file   *file
	closed bool
	ahead  time.Duration
	rules  []*Rule
	rule   int // serial of rules
	second int64
	calls  int // in that second
}

// Start listens and answers until ctx ends or Close is called. What the file in cfg.Dir says is the state it starts from.
func Start(ctx context.Context, cfg Config) (*Host, error) {
	cfg.Log = cmp.Or(cfg.Log, slog.New(slog.DiscardHandler))
	cfg.Owner = cmp.Or(cfg.Owner, "acc_SIM00000000001")
	cfg.Cap = cmp.Or(cfg.Cap, 1_00_000_00)
	cfg.Delay = cmp.Or(cfg.Delay, 2*time.Second)
	cfg.Patience = cmp.Or(cfg.Patience, 5*time.Second)
	cfg.RetryScale = cmp.Or(cfg.RetryScale, 1)
	if cfg.Fees == nil {
		cfg.Fees = new(DefaultFees())
	}
	if cfg.After == nil {
		cfg.After = func(d time.Duration, f func()) { time.AfterFunc(d, f) }
	}
	if cfg.Root == nil {
		cfg.Root = Root
	}
	if cfg.KeyID == "" || cfg.KeySecret == "" || len(cfg.Accounts) == 0 {
		return nil, errors.New("a payout bank needs a key, its secret, and an account")
	}
	h := &Host{
		cfg: cfg, wake: make(chan struct{}, 1), book: newBook(cfg),
		client: &http.Client{
			Timeout:       cfg.Patience,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Transport:     &http.Transport{MaxIdleConnsPerHost: tellers, DisableCompression: true},
		},
	}
	h.book.meddle = h.meddle
	var err error
	if h.file, err = openFile(cfg.Dir, h.book.replay); err != nil {
		return nil, err
	}
	if h.listener, err = net.Listen("tcp", cfg.Address); err != nil {
		return nil, errors.Join(err, h.file.close())
	}
	if cfg.TLS != nil {
		h.listener = tls.NewListener(h.listener, cfg.TLS)
	}
	h.open()
	h.life, h.cancel = context.WithCancel(context.WithoutCancel(ctx))
	h.server = &http.Server{
		Handler: h.api(), ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(cfg.Log.Handler(), slog.LevelWarn),
		BaseContext: func(net.Listener) context.Context { return h.life },
	}
	h.stop = context.AfterFunc(ctx, func() {
		if err := h.shut(); err != nil {
			cfg.Log.Error("the payout bank does not close well", "cause", err)
		}
	})
	h.running.Go(func() {
		if err := h.server.Serve(h.listener); !errors.Is(err, http.ErrServerClosed) {
			cfg.Log.Error("the payout bank does not listen any more", "cause", err)
		}
	})
	if sleep := h.sleeper(); sleep != nil {
		h.running.Go(func() { h.keepTime(sleep) })
	}
	return h, nil
}

// open books what the accounts begin with, and moves on what became due while the bank was closed.
func (h *Host) open() {
	h.mu.Lock()
	defer h.mu.Unlock()
	b := h.book
	if len(b.secrets) == 0 {
		b.secrets = []string{h.cfg.WebhookSecret}
		b.changed.Secret = &b.secrets[0]
	}
	b.openAccounts(h.now())
	b.follow(h.now())
	h.keep()
}

// URL is the base in front of every path, /v1 included.
func (h *Host) URL() string {
	scheme := "http"
	if h.cfg.TLS != nil {
		scheme = "https"
	}
	return fmt.Sprintf("%s://%s/v1", scheme, h.listener.Addr())
}

// Close hangs up on everybody and returns when nothing runs any more. Nothing is said or told after it.
func (h *Host) Close() error {
	h.stop()
	return h.shut()
}

func (h *Host) shut() error {
	h.mu.Lock()
	again := h.closed
	h.closed = true
	h.mu.Unlock()
	if again {
		h.running.Wait()
		return nil
	}
	h.cancel()
	err := h.server.Close()
	h.running.Wait()
	h.telling.Lock() // a Tick of somebody else is over
	defer h.telling.Unlock()
	h.client.CloseIdleConnections()
	h.mu.Lock()
	defer h.mu.Unlock()
	return errors.Join(err, h.file.close())
}

// now is business time. Under mu, unless Config.Now is set.
func (h *Host) now() time.Time {
	if h.cfg.Now != nil {
		return h.cfg.Now().UTC()
	}
	return time.Now().UTC().Add(h.ahead)
}

// Now is business time.
func (h *Host) Now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now()
}

// sleeper is how the bank waits for business time: as it is told to; on its own clock; or not at all, and then somebody says Tick.
func (h *Host) sleeper() Sleep {
	if h.cfg.Sleep != nil || h.cfg.Now != nil {
		return h.cfg.Sleep
	}
	return func(ctx context.Context, until time.Time, wake <-chan struct{}) error {
		var due <-chan time.Time
		if !until.IsZero() {
			t := time.NewTimer(until.Sub(h.Now()))
			defer t.Stop()
			due = t.C
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-wake: // also when the clock is moved
		case <-due:
		}
		return nil
	}
}

func (h *Host) keepTime(sleep Sleep) {
	for h.life.Err() == nil {
		h.mu.Lock()
		until := h.book.next()
		h.mu.Unlock()
		if err := sleep(h.life, until, h.wake); err != nil {
			return
		}
		h.Tick()
	}
}

// do is one step: time goes on, something happens, and it is on disk before anybody hears of it.
func (h *Host) do(what func(now time.Time)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return
	}
	now := h.now()
	h.book.follow(now)
	what(now)
	h.keep()
}

// keep writes down what has changed. Under mu.
func (h *Host) keep() {
	changed := h.book.take()
	if changed == nil {
		return
	}
	if err := h.file.append(changed); err != nil {
		h.cfg.Log.Error("the bank's record cannot be written", "cause", err)
	}
	h.stir()
}

// stir has whoever waits for time look again at when something is due.
func (h *Host) stir() {
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// seeded is a source of randomness for one purpose.
func seeded(seed int64, purpose ...any) *rand.Rand {
	sum := fnv.New64a()
	fmt.Fprint(sum, purpose...) // never fails
	return rand.New(rand.NewPCG(uint64(seed), sum.Sum64()))
}

const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// named makes an id: the prefix and 14 characters (rails §2.2).
func named(seed int64, prefix string, serial int) string {
	draw, text := seeded(seed, prefix, serial), slices.Repeat([]byte{'0'}, 14)
	for i := range text {
		text[i] = alphabet[draw.IntN(len(alphabet))]
	}
	return prefix + string(text)
}
