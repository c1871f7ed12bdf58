package sandbox

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"naru/clock"
	"naru/platform"
	collecting "naru/rail/bankfeed/sim"
	"naru/rail/iso8583"
	"naru/rail/iso8583/sim"
	upi "naru/rail/upi/sim"
	"naru/sandbox/google"
	"naru/sandbox/shop"
	"naru/store"
)

// Options are what a person chooses.
type Options struct {
	Dir      string    // where everything is kept; "" is a temporary folder that is removed at the end
	Store    string    // a postgres:// database instead of the one in the folder, for this sandbox alone
	PortBase int       // first of the ports; 0 takes free ones
	Seed     int64     // of the simulators and the story, never of keys
	Demo     bool      // play the story
	Once     bool      // play the story, compare the records, and end
	Out      io.Writer // where the story is told
	Profile  string    // the dialect that the acquirer speaks: a shipped one or a file; pi87-default where empty
	LogLevel string    // of naru.log; info where empty
}

// Sandbox is a running integrator with everything around it.
type Sandbox struct {
	Contract Contract
	Dir      string

	folder     *folder
	clock      *clock.Movable
	moving     sync.Mutex
	ahead      time.Duration // of the wall clock
	log        *slog.Logger
	platform   *platform.Platform
	ended      chan struct{} // closed when the platform has ended, with why
	why        error
	stop       context.CancelFunc
	google     *google.Google
	shop       *shop.Shop
	acquirer   *sim.Host
	bank       *upi.Host
	collecting *collecting.Host
	database   string         // where the books are
	closers    []func() error // in the order of starting
	closed     bool
}

// Start runs a sandbox until Close. When it returns, everything answers and sandbox.json stands in the folder.
func Start(ctx context.Context, o Options) (s *Sandbox, err error) {
	s = &Sandbox{clock: &clock.Movable{}, ended: make(chan struct{})}
	running, stop := context.WithCancel(context.WithoutCancel(ctx)) // Close decides who ends when
	s.stop = stop
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("sandbox: %w", err), s.Close())
			s = nil
		}
	}()

	// The folder, and the keys in it.
	if o.Store != "" && !store.IsPostgres(o.Store) {
		return s, errors.New("the database is none of PostgreSQL: the address begins with postgres://")
	}
	if s.folder, err = openFolder(o.Dir); err != nil {
		return s, err
	}
	s.Dir = s.folder.path
	s.later(s.folder.close)
	if err = os.Remove(s.folder.file(contractFile)); err != nil && !errors.Is(err, fs.ErrNotExist) { // of an earlier start
		return s, err
	}
	keys, err := s.folder.furnish(time.Now())
	if err != nil {
		return s, err
	}
	log, err := os.OpenFile(s.folder.file(logFile), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return s, err
	}
	s.later(log.Close)
	s.log = platform.Logger(log, platform.Log{Level: o.LogLevel})
	if err = s.resumeClock(); err != nil {
		return s, err
	}

	// The peers' sockets, before anybody needs to know where they are.
	profile := cmp.Or(o.Profile, iso8583.DefaultProfile)
	dialect, err := iso8583.LoadProfile(profile)
	if err != nil {
		return s, err
	}
	s.acquirer, err = sim.Start(context.WithoutCancel(ctx), sim.Config{
		Profile: dialect, Address: acquirerPort.at(o.PortBase), Seed: o.Seed, Now: s.clock.Now, Dir: s.folder.path,
		Deliver: s.folder.file(acquirerInbox), Collect: s.folder.file(acquirerOutbox), Log: s.log.With("peer", "acquirer"),
	})
	if err != nil {
		return s, err
	}
	s.later(s.acquirer.Close)
	s.bank, err = upi.Start(context.WithoutCancel(ctx), upi.Config{
		Address: bankPort.at(o.PortBase), KeyID: bankUser, KeySecret: keys.bank, WebhookSecret: keys.hooks,
		Accounts: []upi.Account{{Number: bankAccount, Opening: opening}}, Delay: bankDelay, Root: rootOf, Seed: o.Seed,
		Now: s.clock.Now, Sleep: s.clock.Sleep, Dir: s.folder.path, Log: s.log.With("peer", "bank"),
	})
	if err != nil {
		return s, err
	}
	s.later(s.bank.Close)
	s.collecting, err = collecting.Start(context.WithoutCancel(ctx), collecting.Config{
		Address: collectingPort.at(o.PortBase), Code: collectingCode, Prefix: collectingPrefix, Accounts: collectingAccounts,
		Customer: collectingCustomer, Out: s.folder.file(collectingInbox), In: s.folder.file(collectingOutbox), ScanEvery: collectingScan,
		Feed: feedName, Key: feedKey, Secret: keys.feed, Seed: o.Seed, Now: s.clock.Now, Sleep: s.clock.Sleep, Dir: s.folder.path,
		Log: s.log.With("peer", "deposit bank"),
	})
	if err != nil {
		return s, err
	}
	s.later(s.collecting.Close)
	googleSide, err := s.listen(googlePort.at(o.PortBase))
	if err != nil {
		return s, err
	}
	filesSide, err := s.listen(filesPort.at(o.PortBase))
	if err != nil {
		return s, err
	}
	controlSide, err := s.listen(controlPort.at(o.PortBase))
	if err != nil {
		return s, err
	}
	shopSide, err := s.listen(shopPort.at(o.PortBase))
	if err != nil {
		return s, err
	}

	// The integrator, from its configuration file as anywhere else. The file is written again with the ports that it got.
	where := addresses{
		GSP: gspPort.at(o.PortBase), Admin: adminPort.at(o.PortBase), Hooks: hooksPort.at(o.PortBase), API: apiPort.at(o.PortBase),
		Page: pagePort.at(o.PortBase), Google: googleSide.Addr().String(), Files: filesSide.Addr().String(),
		Control: controlSide.Addr().String(), Shop: shopSide.Addr().String(), Acquirer: s.acquirer.Addr(),
		Bank: strings.TrimSuffix(s.bank.URL(), "/v1"), Collecting: s.collecting.URL(), Profile: profile,
		Store: o.Store,
	}
	if err = s.configure(where); err != nil {
		return s, err
	}
	config, err := platform.Load(s.folder.file(configFile))
	if err != nil {
		return s, err
	}
	s.database = config.Database()
	s.platform, err = platform.Start(running, config, platform.World{
		Clock: s.clock, Log: s.log, TestBank: cashier{s.collecting},
		Skip: func(_ context.Context, by time.Duration) error { return s.advance(by) },
	})
	if err != nil {
		return s, err
	}
	go func() {
		s.why = s.platform.Wait()
		close(s.ended)
	}()
	where.GSP, where.Admin, where.Hooks = s.platform.GSPAddr, s.platform.AdminAddr, s.platform.HookAddr
	where.API, where.Page = s.platform.APIAddr, s.platform.PayAddr
	s.bank.SetWebhook("http://" + where.Hooks + "/payouts/" + payoutBank)
	s.collecting.SetPush("http://" + where.Hooks)
	if err = s.platform.Engine.ReadStatement(running, payoutBank); err != nil { // what it holds for us is in the books from the beginning
		return s, err
	}
	if err = s.configure(where); err != nil {
		return s, err
	}

	// The sample merchant, Google, and the control port.
	s.shop, err = shop.New(shop.Config{
		API: "http://" + where.API, PlatformID: shopID, Key: keys.shop.sign, Authorization: keys.shop.query, Webhook: keys.shop.webhook,
		Own: "http://" + where.Shop, Now: time.Now, Business: s.clock.Now, File: s.folder.file(shopRecord), Log: s.log.With("peer", "merchant"),
	})
	if err != nil {
		return s, err
	}
	s.later(s.shop.Close)
	s.serve(s.shop, shopSide)
	s.google, err = google.New(google.Config{
		Integrator: "https://" + where.GSP, Roots: keys.roots, Keys: keys.google, Peer: keys.integrator, Accounts: names(accounts), APIs: apiOf(),
		BasePath: googlePath, Now: time.Now, Business: s.clock.Now, Seed: o.Seed, File: s.folder.file(googleRecord),
		Files: s.folder.file(googleFiles),
		Log:   s.log.With("peer", "google"),
	})
	if err != nil {
		return s, err
	}
	s.later(s.google.Close)
	uploads := make(chan struct{})
	go func() {
		defer close(uploads)
		if err := s.google.ServeFiles(filesSide, keys.filesHost, keys.files); err != nil {
			s.log.Error("Google's SFTP server has ended", "error", err)
		}
	}()
	s.later(func() error {
		err := filesSide.Close()
		<-uploads
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		return err
	})
	s.serve(s.google, tls.NewListener(googleSide, &tls.Config{
		Certificates: []tls.Certificate{keys.tls}, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"},
	}))
	s.serve(s.control(), controlSide)
	if err = s.endow(running); err != nil {
		return s, err
	}

	s.Contract = where.contract(keys.shop)
	text, err := s.Contract.text()
	if err != nil {
		return s, err
	}
	return s, s.folder.write(contractFile, text)
}

// later does something when the sandbox ends, after everything that was started later.
func (s *Sandbox) later(close func() error) { s.closers = append(s.closers, close) }

func (s *Sandbox) listen(address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	s.later(func() error {
		if err := l.Close(); !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil // its server has closed it
	})
	return l, nil
}

func (s *Sandbox) serve(h http.Handler, l net.Listener) {
	server := &http.Server{
		Handler: h, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 2 * time.Minute,
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	go func() {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.log.Error("a server of the sandbox has ended", "error", err)
		}
	}()
	s.later(server.Close)
}

func (s *Sandbox) configure(where addresses) error {
	text, err := where.config()
	if err != nil {
		return err
	}
	return s.folder.write(configFile, text)
}

// Close ends the integrator first, while its peers still answer it, and then everything else.
func (s *Sandbox) Close() error {
	if s.closed {
		return nil
	}
	s.closed = true
	err := s.closePlatform()
	for i := len(s.closers) - 1; i >= 0; i-- {
		err = errors.Join(err, s.closers[i]())
	}
	return err
}

func (s *Sandbox) closePlatform() error {
	s.stop()
	if s.platform == nil {
		return nil
	}
	<-s.ended
	return s.why
}

func names(list []Account) (ids []string) {
	for _, a := range list {
		ids = append(ids, a.PIAID)
	}
	return ids
}

// Run starts a sandbox, plays the story, and stays until ctx ends; or, with Once, until the records are compared. An interrupted sandbox is
// no failure; an interrupted comparison is one.
func Run(ctx context.Context, o Options) (err error) {
	o.Out = cmp.Or[io.Writer](o.Out, io.Discard)
	started := false
	if o.Dir == "" {
		if o.Dir, err = os.MkdirTemp("", "naru-sandbox-*"); err != nil {
			return err
		}
		defer func() {
			if err == nil || !started { // else somebody wants to look at it
				err = errors.Join(err, os.RemoveAll(o.Dir))
			}
		}()
	}
	s, err := Start(ctx, o)
	if err != nil {
		return err
	}
	started = true
	defer func() { err = errors.Join(err, s.Close()) }()
	s.introduce(o)
	if o.Once {
		return s.once(ctx, o)
	}
	if o.Demo {
		if err := s.tell(ctx, o); err != nil && ctx.Err() == nil {
			fmt.Fprintln(o.Out, "\nThe story ended early:", err)
		}
	}
	if ctx.Err() == nil {
		fmt.Fprintln(o.Out, "\nEverything stays up until interrupted.")
	}
	select {
	case <-ctx.Done():
		return nil
	case <-s.ended: // why, Close says
		return errors.New("sandbox: the integrator has ended by itself")
	}
}

// introduce prints where everything is.
func (s *Sandbox) introduce(o Options) {
	c := s.Contract
	fmt.Fprintf(o.Out, `Naru sandbox. Everything is on loopback, no money is real.

  GSP       %s   accounts %v
  Google    %s
  merchants %s   merchant %s; its page is %s
  payers    %s
  acquirer  %s   ISO 8583, dialect %s
  banks     %s   RazorpayX, which pays out to UPI
            %s   a Korean bank, which payers transfer to
  control   %s
  admin     %s/metrics
  folder    %s   sandbox.json for clients, naru.toml for naru serve, naru.log
  seed      %d
`, c.GSP.Base, names(accounts), c.GSP.Google.Base, c.Merchant.Base, c.Merchant.PlatformID, c.Merchant.Desk, c.Pay.Base,
		c.Acquirer.Address, cmp.Or(o.Profile, iso8583.DefaultProfile), c.UPI.Base, c.Bank.Base, c.Control.Base, c.Admin.Base, s.Dir, o.Seed)
}
