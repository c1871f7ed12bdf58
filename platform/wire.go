// Package platform is where everything meets: a plain list of constructors, read from top to bottom.
package platform

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"naru/clock"
	"naru/core/payment"
	"naru/crash"
	"naru/drop"
	"naru/engine"
	"naru/outbox"
	"naru/protocol/gsp"
	"naru/protocol/gsp/cardfop"
	"naru/protocol/gsp/cards"
	"naru/protocol/gsp/disburse"
	"naru/protocol/gsp/koreacards"
	"naru/rail/iso8583"
	"naru/rail/upi"
	"naru/seal"
	"naru/store"
	"naru/vault"
	"naru/web/desk"
)

// World is what a platform does not make itself.
type World struct {
	Clock clock.Clock // business time
	Crash crash.Hook
	Log   *slog.Logger

	TestBank desk.Bank                                  // of a sandbox: a simulated deposit bank that the merchant's page may drive
	Skip     func(context.Context, time.Duration) error // of a sandbox: moves business time forward
}

// Platform is a running integrator.
type Platform struct {
	Store     *store.Store
	Engine    *engine.Engine
	GSPAddr   string // where Google reaches us
	AdminAddr string
	HookAddr  string // where banks reach us; empty where none does
	APIAddr   string // where merchants reach us; empty where there are none
	PayAddr   string // where payers reach us, likewise

	box       *seal.Box
	documents *seal.Box // opens larger messages, with the same keys
	metrics   *metrics
	links     map[string]*iso8583.Acquirer
	banks     map[string]*upi.RazorpayX
	gsp       *gsp.Server
	client    *gsp.Client
	notifier  *cards.Notifier
	payouts   *disburse.Notifier
	counter   *counter
	log       *slog.Logger
	sandbox   bool
	started   time.Time
	drain     time.Duration // between being told to end and taking no more calls
	draining  atomic.Bool
	done      chan error
}

// Start runs the integrator until ctx ends. When it returns without an error, everything abandoned by an earlier process has been given up,
// and calls are answered.
func Start(ctx context.Context, c Config, w World) (*Platform, error) {
	p := &Platform{metrics: newMetrics(), links: map[string]*iso8583.Acquirer{}, banks: map[string]*upi.RazorpayX{}, log: w.Log, sandbox: c.Sandbox(), started: time.Now(), drain: c.Node.Drain.Duration, done: make(chan error, 1)}
	fail := func(err error) (*Platform, error) {
		if p.Store != nil {
			err = errors.Join(err, p.Store.Close())
		}
		return nil, err
	}
	if w.Crash == nil {
		w.Crash = crash.Never
	}

	// What is kept, and the keys of what is kept.
	kek, err := vault.ReadKEK(c.KEK())
	if err != nil {
		return fail(err)
	}
	node, err := c.node()
	if err != nil {
		return fail(err)
	}
	password, err := c.Password()
	if err != nil {
		return fail(err)
	}
	p.Store, err = store.Open(ctx, c.Database(), store.Options{
		Crash: w.Crash, Gather: gather, Node: node.ID, Connections: c.Store.Connections, Password: password, Careless: c.Sandbox(),
		Settled: c.settled(node.Lease),
	})
	if err != nil {
		return fail(err)
	}
	if !p.Store.Shared() {
		node = engine.Node{}
	}
	keys, err := vault.Open(kek, p.Store)
	if err != nil {
		return fail(err)
	}
	p.metrics.registry.MustRegister(backlog{p.Store, w.Clock.Now})
	name, _, _ := strings.Cut(node.ID, "/") // not the life: a restart goes on counting
	measured := p.measure(name)

	// The rails.
	links, watched, exchanges := map[string]engine.Link{}, rails(nil), []*exchange(nil)
	for _, a := range c.Acquirers {
		profile, err := c.profile(a)
		if err != nil {
			return fail(err)
		}
		counters := &iso8583.Counters{}
		zone, err := zone(a.TimeZone)
		if err != nil {
			return fail(err)
		}
		link, err := iso8583.NewAcquirer(iso8583.LinkConfig{
			Profile: profile, Now: w.Clock.Now, Jitter: rand.Float64, Log: w.Log.With("acquirer", a.Name), Counters: counters, Zone: zone,
			Cutover: func(day string) { p.Engine.DayEnded(a.Name, day) },
			Disputed: func(ctx context.Context, told payment.ChargebackAdvice) bool {
				told.Acquirer = a.Name
				return p.Engine.ChargedBack(ctx, told)
			},
			Late: func(m *iso8583.Message) { // what it approved is being reversed already (rails §1.11 T1)
				w.Log.Warn("an answer came that nobody waits for", "acquirer", a.Name, "message", m)
			},
		}, a.contract())
		if err != nil {
			return fail(fmt.Errorf("acquirer %s: %w", a.Name, err))
		}
		p.links[a.Name] = link
		watched = append(watched, rail{a.Name, link, counters})
		behind := engine.Link{
			Rail: link, Backoff: plain(profile.SAF.Backoff), Alarms: plain(profile.SAF.Alarms), Overtaken: profile.SAF.Overtaken.Duration,
			Totals: a.DayTotals, Zone: zone, FileEvery: a.Files.CaptureEvery.Duration,
		}
		if f := a.Files; f != (Files{}) {
			x := &exchange{
				acquirer: a.Name, id: f.Acquirer, zone: zone, inbox: c.file(f.Inbox), outbox: drop.Folder(c.file(f.Outbox)),
				every: cmp.Or(f.Scan.Duration, 2*time.Second), log: w.Log.With("acquirer", a.Name),
			}
			for _, own := range c.Accounts {
				if own.Acquirer == a.Name {
					x.merchants = append(x.merchants, strings.TrimSpace(own.Merchant))
				}
			}
			if err := os.MkdirAll(c.file(f.Outbox), 0o700); err != nil {
				return fail(err)
			}
			behind.Files, exchanges = x, append(exchanges, x)
		}
		links[a.Name] = behind
	}

	p.metrics.registry.MustRegister(watched)
	banks := map[string]engine.Bank{}
	for _, b := range c.Banks {
		rail, err := c.bank(b, w.Clock.Now, p.metrics.refusing("payout-bank"))
		if err != nil {
			return fail(fmt.Errorf("payout_bank %s: %w", b.Name, err))
		}
		p.banks[b.Name], banks[b.Name] = rail, b.behind(rail)
	}
	institutions, err := c.institutions()
	if err == nil {
		err = c.transfers(w, banks, institutions)
	}
	if err != nil {
		return fail(err)
	}

	// The engine.
	accounts, korea, fop := make([]engine.Account, 0, len(c.Accounts)), map[string]koreacards.Profile{}, map[string]cardfop.Profile{}
	told, payers := map[string]cards.Told{}, map[string]disburse.Profile{}
	for _, a := range c.Accounts {
		accounts = append(accounts, a.account())
		switch {
		case slices.Contains(a.APIs, koreacards.Name):
			korea[a.ID], told[a.ID] = a.Korea, cards.Told{API: koreacards.API, Profile: a.Korea.Profile}
		case slices.Contains(a.APIs, cardfop.Name):
			fop[a.ID], told[a.ID] = a.FOP, cards.Told{API: cardfop.API, Profile: a.FOP.Profile}
		case slices.Contains(a.APIs, disburse.Name):
			payers[a.ID] = a.Disburse
		}
	}
	merchants, receivers := c.merchants()
	p.Engine, err = engine.New(engine.Config{
		Store: p.Store, Vault: keys, Clock: w.Clock, Crash: w.Crash, Log: w.Log, Accounts: accounts, Links: links, Banks: banks, Lanes: 32, Meter: p.metrics,
		Merchants: merchants, Receivers: receivers, Node: node,
	})
	if err != nil {
		return fail(err)
	}
	p.metrics.registry.MustRegister(held{p.Engine})
	if err := p.Engine.Join(ctx); err != nil {
		return fail(err)
	}
	if _, err := p.Engine.Recover(ctx); err != nil { // before the first request
		return fail(err)
	}
	for _, x := range exchanges {
		x.engine = p.Engine
	}

	// What Google calls.
	own, err := seal.LoadLockedRing(c.file(c.GSP.OwnKeys), c.file(c.GSP.Passphrase))
	if err != nil {
		return fail(err)
	}
	peer, err := seal.LoadRing(c.file(c.GSP.GoogleKeys))
	if err != nil {
		return fail(err)
	}
	boxed := seal.Config{Own: own, Peer: peer, Refused: p.metrics.Refused, Armor: c.GSP.Armor, AllowNoIntegrity: c.GSP.NoIntegrity, Pause: gsp.Pause}
	if p.box, err = seal.NewBox(boxed); err != nil {
		return fail(err)
	}
	boxed.Limits = seal.Limits{Wire: 32 << 20, Plain: 24 << 20} // for documents: 16 MiB and what base64 adds (design §3.10)
	if p.documents, err = seal.NewBox(boxed); err != nil {
		return fail(err)
	}
	forKorea, err := koreacards.NewService(p.Engine, korea)
	if err != nil {
		return fail(err)
	}
	forFOP, err := cardfop.NewService(p.Engine, fop)
	if err != nil {
		return fail(err)
	}
	p.gsp = gsp.NewServer(gsp.Config{
		Environment: c.Environment, ServerMessage: c.GSP.ServerMessage, BasePath: c.GSP.BasePath, Box: p.box, LargeBox: p.documents, Idempotency: p.Engine,
		Accounts: p.Engine, Now: time.Now, Business: w.Clock.Now, Log: w.Log, Meter: p.metrics, Deadline: c.GSP.Deadline.Duration,
		BodyLimit: c.GSP.BodyLimit, MaxCalls: c.GSP.MaxCalls, Failures: c.GSP.Failures, Refused: p.metrics.refusing("gsp"),
	})
	p.gsp.Serve(forKorea.API())
	p.gsp.Serve(forFOP.API())
	p.gsp.Serve(disburse.NewService(p.Engine, payers).API())

	// What we owe Google.
	roots, err := c.roots(c.GSP.GoogleCA)
	if err != nil {
		return fail(err)
	}
	if p.client, err = gsp.NewClient(gsp.ClientConfig{Base: c.GSP.GoogleBase, Box: p.box, Now: time.Now, Roots: roots}); err != nil {
		return fail(err)
	}
	p.notifier, err = cards.NewNotifier(cards.NotifierConfig{
		Client: p.client, Settlements: settlements{p.Store}, Accounts: told, Paths: c.GSP.Paths, Network: c.GSP.RawScope,
	})
	if err != nil {
		return fail(err)
	}
	p.payouts = disburse.NewNotifier(disburse.NotifierConfig{Client: p.client})
	owed := &outbox.Worker{
		Queue: p.Store.Notices(store.Google, googleLanes, p.Engine.ClaimTime()), Clock: w.Clock, Crash: w.Crash, Log: w.Log, Meter: p.metrics, Bell: p.Engine.Notices[0], Lanes: googleLanes,
		Most: p.Engine.LookAgain(), Claims: p.Store.Shared(),
		Senders: map[engine.NoticeKind]outbox.Sender{},
	}
	for _, kind := range engine.NoticeKinds {
		if kind.AboutCards() {
			owed.Senders[kind] = google{p.notifier}
		}
	}
	owed.Senders[engine.PayoutResult] = google{p.payouts}
	if c.GSP.Settlements != (Drop{}) {
		place, err := c.drop("gsp.settlements", c.GSP.Settlements)
		if err != nil {
			return fail(err)
		}
		owed.Senders[engine.SettlementFile] = files{settlements{p.Store}, p.box, place, c.GSP.Settlements.Name, w.Log}
	}

	// What merchants, payers and deposit banks call, and what we owe merchants.
	p.counter, err = p.openCounter(ctx, c, w, institutions)
	if err != nil {
		return fail(err)
	}

	// The listeners.
	tlsConfig, err := c.tls()
	if err != nil {
		return fail(err)
	}
	front, err := net.Listen("tcp", c.GSP.Listen)
	if err != nil {
		return fail(err)
	}
	back, err := net.Listen("tcp", c.Admin.Listen)
	if err != nil {
		return fail(errors.Join(err, front.Close()))
	}
	p.GSPAddr, p.AdminAddr = front.Addr().String(), back.Addr().String()
	hooks, err := p.openHooks(c)
	if err != nil {
		return fail(errors.Join(err, front.Close(), back.Close()))
	}
	servers := map[*http.Server]net.Listener{
		gsp.HTTPServer(p.gsp, w.Log):     gsp.Listen(p.bound(front), tlsConfig),
		gsp.HTTPServer(p.admin(), w.Log): p.bound(back),
	}
	if hooks != nil {
		p.HookAddr = hooks.Addr().String()
		servers[gsp.HTTPServer(p.news(p.counter.pushed), w.Log)] = hooks
	}
	maps.Copy(servers, p.counter.servers(p))
	if p.counter.api != nil {
		p.APIAddr, p.PayAddr = p.counter.api.Addr().String(), p.counter.pay.Addr().String()
	}
	alone := func(name string, work func(context.Context) error) func(context.Context) error { // of many nodes one does it
		return func(ctx context.Context) error { return p.Engine.Duty(ctx, name, work) }
	}
	workers := []func(context.Context) error{
		p.Engine.Live, p.Engine.Forward, p.Engine.KeepRecovering, owed.Run, p.reloadKeys, measured.Run, p.Engine.KeepPaying,
		p.Engine.WatchFloats,
		alone("holds", p.Engine.Expire), alone("deposits", p.Engine.ExpireDeposits), alone("rematch", p.Engine.Rematch),
		alone("disputes", p.Engine.Contest), alone("cards", p.Engine.Erase), alone("settlements", p.Engine.Settle),
		alone("totals", p.Engine.Totals), alone("captures", p.Engine.Batch), alone("statements", p.Engine.Statements),
		alone("journal", p.Engine.Checkpoint),
	}
	if p.counter.notifier != nil {
		workers = append(workers, p.counter.outbox(p, w).Run)
	}
	for _, i := range p.counter.inboxes {
		workers = append(workers, alone("inbox/"+i.Feed.ID, i.Run))
	}
	for _, x := range exchanges {
		workers = append(workers, alone("files/"+x.acquirer, x.Run))
	}
	for _, l := range p.links {
		workers = append(workers, l.Run)
	}
	go p.run(ctx, servers, workers)
	return p, nil
}

// run keeps everything going until ctx ends, and then ends it in order: no new calls, the calls under way, the workers, the store.
func (p *Platform) run(ctx context.Context, servers map[*http.Server]net.Listener, workers []func(context.Context) error) {
	working, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var group errgroup.Group
	failed := make(chan error, len(servers)+len(workers))
	for _, w := range workers {
		group.Go(func() error {
			err := w(working)
			if err != nil {
				failed <- err
			}
			return err
		})
	}
	for s, l := range servers {
		group.Go(func() error {
			err := s.Serve(l)
			if errors.Is(err, http.ErrServerClosed) {
				return nil
			}
			failed <- err
			return err
		})
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	p.draining.Store(true) // balancers see it, and connections that are open end with their next answer
	for s := range servers {
		s.SetKeepAlivesEnabled(false)
	}
	if err == nil && p.drain > 0 {
		time.Sleep(p.drain)
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
	defer cancel()
	for s := range servers {
		err = errors.Join(err, s.Shutdown(ending))
	}
	p.gsp.Drain()
	stop()
	_ = group.Wait()                                     // its first error is in failed
	err = errors.Join(err, p.Engine.SignJournal(ending)) // what came after the last checkpoint cannot be cut off unnoticed either
	p.client.Close()
	p.counter.close()
	for _, b := range p.banks {
		b.Close()
	}
	p.done <- errors.Join(err, p.Store.Close())
}

// mostConnections is how many connections a listener has open at once; what is beyond is closed at once.
const mostConnections = 8192

func (p *Platform) bound(l net.Listener) net.Listener {
	return gsp.Bound(l, mostConnections, func() { p.metrics.refusing("connections")("full") })
}

// googleLanes is how many notifications to Google are on their way at once.
const googleLanes = 16

// gather is how long a commit may wait for company: little beside a card network's answer, much beside a flush to disk.
const gather = 3 * time.Millisecond

// shutdownTime is more than a call may take.
const shutdownTime = 10 * time.Second

// Wait returns when everything has ended.
func (p *Platform) Wait() error { return <-p.done }

// reloadEvery is how soon a key that was added, or changed its state, counts.
const reloadEvery = 10 * time.Second

// reloadKeys reads the key folders again and again; what cannot be read leaves the keys as they were.
func (p *Platform) reloadKeys(ctx context.Context) error {
	tick := time.NewTicker(reloadEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if err := errors.Join(p.box.Reload(), p.documents.Reload()); err != nil {
				p.log.Error("the key folders cannot be read; the keys stay as they were", "error", err)
			}
		}
	}
}

func plain(list []iso8583.Duration) (out []time.Duration) {
	for _, d := range list {
		out = append(out, d.Duration)
	}
	return out
}

// google lets the outbox deliver what the protocol knows how to say.
type google struct{ notifier notifier }

// A notifier tells Google one notice.
type notifier interface {
	Send(context.Context, engine.Notice) gsp.Reply
}

// classes says what Google's answer means for what we owe (gsp-core §5.5, §5.6).
var classes = map[gsp.Class]outbox.Class{
	gsp.Retry:         outbox.Repeat,
	gsp.Delivered:     outbox.Delivered,
	gsp.RetryNow:      outbox.Repeat,
	gsp.RetryBriefly:  outbox.RepeatFor,
	gsp.Misconfigured: outbox.Repeat,
	gsp.Park:          outbox.Park,
}

func (g google) Send(ctx context.Context, n engine.Notice) outbox.Result {
	r := g.notifier.Send(ctx, n)
	return outbox.Result{Class: classes[r.Class], Status: r.Status, Word: cmp.Or(r.Code, r.Why, r.Class.String()), Alert: r.Alert}
}

// roots reads the authorities of a file; none where it is not named.
func (c Config) roots(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(c.file(file))
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s holds no certificate", file)
	}
	return pool, nil
}

func (c Config) tls() (*tls.Config, error) {
	cert, err := tls.LoadX509KeyPair(c.file(c.GSP.Cert), c.file(c.GSP.Key))
	if err != nil {
		return nil, fmt.Errorf("gsp.cert, gsp.key: %w", err)
	}
	most := uint16(tls.VersionTLS13)
	if c.GSP.TLSMax == "1.2" {
		most = tls.VersionTLS12
	}
	return gsp.TLSConfig(cert, tls.VersionTLS12, most)
}

// Logger writes one line an event.
func Logger(w io.Writer, c Log) *slog.Logger {
	level := slog.LevelInfo
	if c.Level != "" {
		_ = level.UnmarshalText([]byte(c.Level)) // checked with the configuration
	}
	o := &slog.HandlerOptions{Level: level}
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}
