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
	"os"
	"regexp"
	"slices"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// Account is one account that the bank keeps for us.
type Account struct {
	Number  string
	Holder  string
	Opening int64   // won, on the day before everything
	Virtual []Range // numbers that lead to it
}

// Range is virtual account numbers of one length, both ends included.
type Range struct{ From, To string }

func (r Range) has(number string) bool {
	return len(number) == len(r.From) && r.From <= number && number <= r.To
}

// Sleep returns at business time until, or as soon as wake delivers, or with ctx's error. A zero until waits for wake alone.
type Sleep func(ctx context.Context, until time.Time, wake <-chan struct{}) error

// The channels by which the bank reports what it has booked (rails §3.4, §3.5).
const (
	File = "file" // camt.054 in the folder Out
	Push = "push" // camt.054 by HTTP
	JSON = "json" // bank-credits by HTTP: credits and reversals alone
)

// Config is what one deposit bank needs to know.
type Config struct {
	Address  string      // "127.0.0.1:0" takes a free port
	TLS      *tls.Config // nil is plain HTTP
	Code     string      // its institution code, three digits (rails §3.8)
	Prefix   string      // of every id it makes up; "" is SIM
	Accounts []Account
	Customer string // our number at the bank, in every order to pay; "" takes any

	Out       string        // folder where the bank puts files for us: camt.054, camt.053, pain.002
	In        string        // folder where it finds ours: pain.001; "" looks nowhere
	ScanEvery time.Duration // wall time between two looks into In; 0 looks only when something else is due, or at Tick

	Files    string        // address of an SFTP server that has the two folders as /out and /in; "" is none
	FilesKey ssh.PublicKey // who may log in there

	Channels []string      // by which a deposit is reported that names none; empty is File
	Push     string        // base of Push and JSON; "" keeps them until SetPush names one
	Feed     string        // our name of this bank's feed
	Key      string        // X-Feed-Key, of what it sends and of POST /payments
	Secret   string        // signs both
	Patience time.Duration // wall time that a receiver has to answer; 0 is 5 s
	Delay    time.Duration // business time from the first report on a payment to its end; 0 is 2 s
	Seed     int64         // of its whims and of what a deposit leaves open
	Now      func() time.Time
	Wall     func() time.Time            // of signatures (rails §3.5); nil is time.Now
	Sleep    Sleep                       // business time; see the package comment
	After    func(time.Duration, func()) // wall time, between two looks; nil is time.AfterFunc
	Dir      string                      // where the record is kept that survives a restart, and the SFTP server's key; "" keeps nothing
	Log      *slog.Logger                // nil is silent
	Polite   bool                        // reports once, at once, without whims
}

// Host is a deposit bank: a listener, folders, accounts, and a record of everything that it booked, was asked to pay, and reported.
type Host struct {
	cfg      Config
	listener net.Listener
	server   *http.Server
	client   *http.Client
	files    *files
	stop     func() bool
	cancel   context.CancelFunc
	life     context.Context
	running  sync.WaitGroup
	wake     chan struct{}
	telling  sync.Mutex // one Tick at a time, so that who waits for one has seen all that was due

	mu     sync.Mutex
	book   *book
	file   *file
	push   string
	closed bool
	ahead  time.Duration
	rules  []*Rule
	rule   int // serial of rules
}

var (
	threeDigits = regexp.MustCompile(`^[0-9]{3}$`)
	digits      = regexp.MustCompile(`^[0-9]{1,20}$`)
)

func (cfg *Config) validate() error {
	var problems []error
	if !threeDigits.MatchString(cfg.Code) || len(cfg.Accounts) == 0 || cfg.Out == "" {
		problems = append(problems, errors.New("a deposit bank needs a code of three digits, an account, and a folder for its files"))
	}
	for _, a := range cfg.Accounts {
		if !digits.MatchString(a.Number) || a.Opening < 0 {
			problems = append(problems, errors.New("an account number is up to 20 digits, and nobody begins below nought"))
		}
		for _, r := range a.Virtual {
			if !digits.MatchString(r.From) || !r.has(r.From) || !r.has(r.To) {
				problems = append(problems, errors.New("a range of virtual accounts runs upwards, in digits of one length"))
			}
		}
	}
	if cfg.Files != "" && cfg.FilesKey == nil {
		problems = append(problems, errors.New("a file server needs to know who may log in"))
	}
	return errors.Join(append(problems, knownChannels(cfg.Channels))...)
}

func knownChannels(list []string) error {
	for _, c := range list {
		if !slices.Contains([]string{File, Push, JSON}, c) {
			return fmt.Errorf("there is no channel %q", c)
		}
	}
	return nil
}

// Start listens and answers until ctx ends or Close is called. What the file in cfg.Dir says is the state it starts from.
func Start(ctx context.Context, cfg Config) (*Host, error) {
	cfg.Log = cmp.Or(cfg.Log, slog.New(slog.DiscardHandler))
	cfg.Prefix = cmp.Or(cfg.Prefix, "SIM")
	cfg.Delay = cmp.Or(cfg.Delay, 2*time.Second)
	cfg.Patience = cmp.Or(cfg.Patience, 5*time.Second)
	if len(cfg.Channels) == 0 {
		cfg.Channels = []string{File}
	}
	if cfg.Wall == nil {
		cfg.Wall = time.Now
	}
	if cfg.After == nil {
		cfg.After = func(d time.Duration, f func()) { time.AfterFunc(d, f) }
	}
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	for _, dir := range []string{cfg.Out, cfg.In, cfg.Dir} {
		if dir == "" {
			continue
		}
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
	}
	h := &Host{
		cfg: cfg, push: cfg.Push, wake: make(chan struct{}, 1), book: newBook(cfg),
		client: &http.Client{
			Timeout:       cfg.Patience,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Transport:     &http.Transport{DisableCompression: true},
		},
	}
	h.book.rulesFor = h.rulesFor
	var err error
	if h.file, err = openFile(cfg.Dir, h.book.replay); err != nil {
		return nil, err
	}
	if h.listener, err = net.Listen("tcp", cfg.Address); err != nil {
		return nil, errors.Join(err, h.file.close())
	}
	if h.files, err = openFiles(cfg); err != nil {
		return nil, errors.Join(err, h.listener.Close(), h.file.close())
	}
	if cfg.TLS != nil {
		h.listener = tls.NewListener(h.listener, cfg.TLS)
	}
	h.life, h.cancel = context.WithCancel(context.WithoutCancel(ctx))
	h.do(func(time.Time) {}) // what became due while the bank was closed
	h.server = &http.Server{
		Handler: h.api(), ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(cfg.Log.Handler(), slog.LevelWarn),
		BaseContext: func(net.Listener) context.Context { return h.life },
	}
	h.stop = context.AfterFunc(ctx, func() {
		if err := h.shut(); err != nil {
			cfg.Log.Error("the deposit bank does not close well", "cause", err)
		}
	})
	h.run()
	return h, nil
}

func (h *Host) run() {
	h.running.Go(func() {
		if err := h.server.Serve(h.listener); !errors.Is(err, http.ErrServerClosed) {
			h.cfg.Log.Error("the deposit bank does not listen any more", "cause", err)
		}
	})
	if h.files != nil {
		h.running.Go(h.files.serve)
	}
	if sleep := h.sleeper(); sleep != nil {
		h.running.Go(func() { h.keepTime(sleep) })
	}
	if h.cfg.ScanEvery > 0 {
		h.running.Go(h.watch)
	}
}

// URL is the base in front of every path.
func (h *Host) URL() string {
	scheme := "http"
	if h.cfg.TLS != nil {
		scheme = "https"
	}
	return fmt.Sprintf("%s://%s", scheme, h.listener.Addr())
}

// Close hangs up on everybody and returns when nothing runs any more. Nothing is said or written after it.
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
	err := errors.Join(h.server.Close(), h.files.close())
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

// SetPush says where pushes go from now on, those that wait included: the base in front of /v1.
func (h *Host) SetPush(base string) {
	h.mu.Lock()
	h.push = base
	h.mu.Unlock()
	h.stir()
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
		until := h.book.next(h.push != "")
		h.mu.Unlock()
		if err := sleep(h.life, until, h.wake); err != nil {
			return
		}
		h.Tick()
	}
}

// watch looks into In again and again.
func (h *Host) watch() {
	for h.life.Err() == nil {
		passed := make(chan struct{})
		h.cfg.After(h.cfg.ScanEvery, func() { close(passed) })
		select {
		case <-h.life.Done():
		case <-passed:
			h.Tick()
		}
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
