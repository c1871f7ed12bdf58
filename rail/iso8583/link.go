package iso8583

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	moov "github.com/moov-io/iso8583"

	"naru/core/payment"
)

// What Send may fail with. After ErrNotSent nothing can have happened at the host; after every other one anything can.
var (
	ErrNotSent       = errors.New("not sent")                       // no byte can have left the house
	ErrNoAnswer      = errors.New("no answer in time")              // a late one goes to LinkConfig.Late
	ErrLost          = errors.New("connection lost before answer")  // closed by either side, or broken
	ErrGarbled       = errors.New("the answer is unreadable")       // but it was the answer to this message
	ErrContradiction = errors.New("the answer contradicts request") // it repeats an element with another value (rails §1.11 T9)
)

// Counters is what a link counts; the caller publishes it.
type Counters struct {
	Sent         atomic.Int64 // handed to a connection
	Refused      atomic.Int64 // not sent, because too many are without an answer
	Answered     atomic.Int64 // answered in time
	Unanswered   atomic.Int64 // sent, then time-out or broken connection
	Late         atomic.Int64 // answers that nobody waits for: late, twice, or to nothing
	Garbled      atomic.Int64 // frames that are no message
	Reconnects   atomic.Int64
	HostRequests atomic.Int64
}

// LinkConfig is a profile and what a link needs of its surroundings.
type LinkConfig struct {
	Profile  Profile
	TLS      *tls.Config      // nil: what the profile says
	Now      func() time.Time // wall time, for DE7 of network messages
	Jitter   func() float64   // evenly from 0 to 1, spreads reconnects
	Late     func(*Message)   // hears answers that nobody waits for, must return at once; nil: they are logged, masked
	Zone     *time.Location   // where the host's days end; nil: UTC
	Log      *slog.Logger     // nil: silent
	Counters *Counters        // nil: uncounted

	// Cutover hears that the host began a business day (YYYYMMDD). Every connection may tell it; it must return at once.
	Cutover func(day string)
	// Disputed hears a chargeback and reports whether it is written down; until it is, the host tells it again, perhaps while nobody
	// remembers the first time. Acquirer is left empty, because a link does not know its name. It must end with its context.
	Disputed func(context.Context, payment.ChargebackAdvice) bool
}

// Link keeps the connections to one acquirer's host: signed on, alive, many requests outstanding, answers in any order
// (rails §1.2, §1.13). It sends a message once. What becomes of a message whose answer does not come is its caller's business.
type Link struct {
	cfg  LinkConfig
	spec *moov.MessageSpec
	stan atomic.Int64 // of network messages; they share no key with others
	turn atomic.Int64 // round robin

	disputes chan told // to be written down

	mu    sync.Mutex
	ready map[string][]*session // by address
}

// NewLink checks the configuration. Connections are made by Run.
func NewLink(cfg LinkConfig) (*Link, error) {
	p := cfg.Profile
	if err := p.Validate(); err != nil {
		return nil, err
	}
	if len(p.Pool.Addresses) == 0 {
		return nil, errors.New("pool.addresses is empty")
	}
	if cfg.Now == nil || cfg.Jitter == nil {
		return nil, errors.New("a link needs Now and Jitter")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Late == nil { // a late answer changes nothing (rails §1.11 T1)
		cfg.Late = func(m *Message) {
			cfg.Log.Warn("acquirer answered what nobody waits for", "profile", p.Name, "message", m)
		}
	}
	if cfg.Zone == nil {
		cfg.Zone = time.UTC
	}
	if cfg.Counters == nil {
		cfg.Counters = &Counters{}
	}
	if p.TLS.Enabled && cfg.TLS == nil {
		var err error
		if cfg.TLS, err = p.TLS.config(); err != nil {
			return nil, err
		}
	}
	for _, address := range p.Pool.Addresses {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, fmt.Errorf("pool.addresses: %w", err)
		}
		if cfg.TLS == nil && !p.Pool.Plaintext && !isLoopback(host) {
			return nil, fmt.Errorf("pool.addresses: %s is not on loopback; enable tls, or allow pool.plaintext", address)
		}
	}
	return &Link{cfg: cfg, spec: p.Spec(), disputes: make(chan told, maxDisputes), ready: map[string][]*session{}}, nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func (t TLS) config() (*tls.Config, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	if t.CA != "" {
		pem, err := os.ReadFile(t.CA)
		if err != nil {
			return nil, fmt.Errorf("tls.ca: %w", err)
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("tls.ca: no certificate in %s", t.CA)
		}
	}
	if t.Cert != "" {
		pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
		if err != nil {
			return nil, fmt.Errorf("tls.cert: %w", err)
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	return cfg, nil
}

// Run keeps the connections until the context ends; then it takes no new work, waits for outstanding answers, signs off and closes.
func (l *Link) Run(ctx context.Context) error {
	var all sync.WaitGroup
	if l.hearsDisputes() {
		all.Go(func() { l.dispute(ctx) })
	}
	for _, address := range l.cfg.Profile.Pool.Addresses {
		for range l.cfg.Profile.Pool.Connections {
			all.Go(func() { l.keep(ctx, address) })
		}
	}
	all.Wait()
	return nil
}

// Ready is the number of connections that are signed on.
func (l *Link) Ready() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, s := range l.ready {
		n += len(s)
	}
	return n
}

// Send sends a message once and waits for its answer. A connection that breaks before it took the message is passed over, as is one with
// too many messages out; where all of them are full, that is said at once: a host that does not answer is asked no more than it can bear.
func (l *Link) Send(ctx context.Context, m *Message, timeout time.Duration) (*Message, error) {
	return l.send(ctx, m, timeout, asked)
}

func (l *Link) send(ctx context.Context, m *Message, timeout time.Duration, why purpose) (*Message, error) {
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	failure := fmt.Errorf("%w: no connection is signed on", ErrNotSent)
	for _, s := range l.candidates() {
		answer, err := s.exchange(ctx, m, timer.C, why)
		if failure = err; !errors.Is(err, errNotTaken) {
			return answer, err
		}
	}
	if errors.Is(failure, errFull) {
		l.cfg.Counters.Refused.Add(1)
	}
	return nil, failure
}

// candidates are the signed-on connections: addresses in order of preference, within one address in turn.
func (l *Link) candidates() []*session {
	turn := int(l.turn.Add(1))
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []*session
	for _, address := range l.cfg.Profile.Pool.Addresses {
		if s := l.ready[address]; len(s) > 0 {
			at := turn % len(s)
			all = append(append(all, s[at:]...), s[:at]...)
		}
	}
	return all
}

// keep holds one connection to one address, again and again.
func (l *Link) keep(ctx context.Context, address string) {
	least, most := l.cfg.Profile.Pool.ReconnectMin.Duration, l.cfg.Profile.Pool.ReconnectMax.Duration
	for wait := least; ; wait = min(2*wait, most) {
		s, err := l.open(ctx, address)
		if err == nil {
			wait = least
			l.enlist(address, s)
			l.cfg.Log.InfoContext(ctx, "acquirer signed on", "profile", l.cfg.Profile.Name, "address", address)
			err = s.serve(ctx)
			l.delist(address, s)
			s.end(err)
		}
		if ctx.Err() != nil {
			l.cfg.Log.InfoContext(ctx, "acquirer connection closed", "profile", l.cfg.Profile.Name, "address", address)
			return
		}
		l.cfg.Log.WarnContext(ctx, "acquirer not connected", "profile", l.cfg.Profile.Name, "address", address, "err", err)
		l.cfg.Counters.Reconnects.Add(1)
		pause := time.NewTimer(wait/2 + time.Duration(l.cfg.Jitter()*float64(wait/2)))
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return
		}
	}
}

func (l *Link) enlist(address string, s *session) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ready[address] = append(l.ready[address], s)
}

func (l *Link) delist(address string, s *session) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ready[address] = slices.DeleteFunc(slices.Clone(l.ready[address]), func(other *session) bool { return other == s })
}

// open connects and signs on; only an 0810 with 00 makes a connection usable (rails §1.13).
func (l *Link) open(ctx context.Context, address string) (*session, error) {
	dialling, cancel := context.WithTimeout(ctx, l.cfg.Profile.Timeouts.Connect.Duration)
	defer cancel()
	dialer := net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 15 * time.Second, Count: 3}}
	conn, err := dialer.DialContext(dialling, "tcp", address)
	if err != nil {
		return nil, err
	}
	if l.cfg.TLS != nil {
		cfg := l.cfg.TLS.Clone()
		if cfg.ServerName == "" {
			cfg.ServerName, _, _ = net.SplitHostPort(address)
		}
		secured := tls.Client(conn, cfg)
		if err := secured.HandshakeContext(dialling); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
		conn = secured
	}
	s := newSession(l, conn)
	answer, err := s.tell(ctx, l.cfg.Profile.NetworkCodes.SignOn)
	if err == nil && answer.Get(39) != "00" {
		err = errors.New("the host refuses our sign-on")
	}
	if err != nil {
		s.end(err)
		return nil, err
	}
	return s, nil
}

// networkTrace is the identity of a network message.
func (l *Link) networkTrace() (stan string, at time.Time) {
	return fmt.Sprintf("%06d", l.stan.Add(1)%stans+1), l.cfg.Now()
}

// frame is a message as it leaves.
func (l *Link) frame(m *Message) ([]byte, error) {
	raw, err := m.pack(l.spec)
	if err != nil {
		return nil, err
	}
	return l.cfg.Profile.frame(raw)
}

// key ties an answer to its request: class, function of the request, and the elements of the profile's match_key. Network
// messages have no more than DE7 and DE11.
func (p Profile) key(m *Message) string {
	key := []byte{m.mti[1], m.mti[2] &^ 1}
	for _, de := range p.MatchKey {
		if m.mti[1] != '8' || de == 7 || de == 11 {
			key = append(append(key, '|'), m.Get(de)...)
		}
	}
	return string(key)
}

// contradiction finds an element that the answer repeats with another value. An answer for a part of the amount says how much in DE4.
func (p Profile) contradiction(request, answer *Message) error {
	for _, de := range slices.Concat([]int{2, 4}, p.EchoSet) {
		partial := de == 4 && (answer.Get(39) == "10" || answer.Get(39) == "32")
		if !partial && answer.Has(de) && request.Has(de) && answer.Get(de) != request.Get(de) {
			return fmt.Errorf("%w: %w", ErrContradiction, &FieldError{de, "differs"})
		}
	}
	return nil
}
