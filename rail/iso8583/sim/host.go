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
	"sync"
	"time"

	moov "github.com/moov-io/iso8583"

	"naru/rail/iso8583"
)

// Config is what one host needs to know.
type Config struct {
	Profile  iso8583.Profile
	Address  string                      // "127.0.0.1:0" takes a free port
	TLS      *tls.Config                 // nil is plain TCP
	Seed     int64                       // of every number the host makes up and of its whims
	Now      func() time.Time            // business time: hold expiry, business day; nil is a clock of its own, moved by POST /clock
	After    func(time.Duration, func()) // wall time, for late and slow answers; nil is time.AfterFunc
	Dir      string                      // where the file is kept that survives a restart; "" keeps nothing
	Log      *slog.Logger                // nil is silent
	Unsigned string                      // DE39 for a request on a connection that is not signed on; "" is 91
	Polite   bool                        // answers in order, without whims: for byte-exact comparisons
	Acquirer string                      // its name in files; "" is ACQ0001
	Deliver  string                      // the folder to which it delivers files (rails §4.3); "" delivers none
	Collect  string                      // the folder from which it takes capture files (rails §4.2); "" takes none
	Fees     *Fees                       // what it charges; nil is DefaultFees
}

// Host is an acquirer's host: a listener, a ledger and a record of everything that was said.
type Host struct {
	cfg          Config
	framing      framing
	spec         *moov.MessageSpec
	lengthDigits int
	listener     net.Listener
	stop         func() bool
	running      sync.WaitGroup

	mu      sync.Mutex
	book    *book
	file    *file
	conns   map[*conn]bool
	closed  bool
	serial  int // of connections
	stan    int // of messages that the host starts
	ahead   time.Duration
	rules   []*Rule
	rule    int // serial of rules
	records []record
	parked  map[string]parked // originals that wait for their reversal to overtake them
	whims   *rand.Rand
}

// parked is a request that the host has received and not yet looked at.
type parked struct {
	conn *conn
	tpdu []byte
	m    elements
}

// Start listens and answers until ctx ends or Close is called. What the file in cfg.Dir says is the state it starts from.
func Start(ctx context.Context, cfg Config) (*Host, error) {
	cfg.Log = cmp.Or(cfg.Log, slog.New(slog.DiscardHandler))
	cfg.Unsigned = cmp.Or(cfg.Unsigned, "91")
	cfg.Acquirer = cmp.Or(cfg.Acquirer, "ACQ0001")
	if cfg.Fees == nil {
		cfg.Fees = new(DefaultFees())
	}
	if cfg.Collect != "" && cfg.Deliver == "" {
		return nil, errors.New("capture files are collected, and there is no folder for the answers")
	}
	if cfg.After == nil {
		cfg.After = func(d time.Duration, f func()) { time.AfterFunc(d, f) }
	}
	framing, err := newFraming(cfg.Profile)
	if err != nil {
		return nil, err
	}
	h := &Host{
		cfg: cfg, framing: framing, spec: cfg.Profile.Spec(), lengthDigits: 2, conns: map[*conn]bool{},
		parked: map[string]parked{}, whims: seeded(uint64(cfg.Seed), "whims"), book: newBook(cfg.Seed, cfg.Polite),
	}
	h.book.least = whole(cfg.Profile.AccountVerification) // "zero" is 0
	h.book.noHolds = cfg.Profile.CaptureMode == "single"
	if cfg.Profile.PrivateLayout == "tag2len3" {
		h.lengthDigits = 3
	}
	if h.file, err = openFile(cfg.Dir, h.replay); err != nil {
		return nil, err
	}
	if h.listener, err = net.Listen("tcp", cfg.Address); err != nil {
		return nil, errors.Join(err, h.file.close())
	}
	if cfg.TLS != nil {
		h.listener = tls.NewListener(h.listener, cfg.TLS)
	}
	h.resume()
	h.stop = context.AfterFunc(ctx, func() {
		if err := h.shut(); err != nil {
			cfg.Log.Error("the host does not close well", "cause", err)
		}
	})
	h.running.Go(h.accept)
	return h, nil
}

// Addr is the address it listens on.
func (h *Host) Addr() string { return h.listener.Addr().String() }

// Close hangs up on everybody and returns when nothing runs any more. Nothing is said after it, late answers included.
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
	err := h.listener.Close()
	h.hangUp()
	h.running.Wait()
	return errors.Join(err, h.file.close())
}

func (h *Host) accept() {
	for {
		socket, err := h.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			h.cfg.Log.Warn("a connection was not accepted", "cause", err)
			continue
		}
		if c := h.welcome(socket); c != nil {
			h.running.Go(c.read)
			h.running.Go(c.write)
		} else if err := socket.Close(); err != nil {
			h.cfg.Log.Debug("a refused connection does not close well", "cause", err)
		}
	}
}

// welcome registers a connection, or refuses it when a rule says so.
func (h *Host) welcome(socket net.Conn) *conn {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil
	}
	for _, r := range h.rules {
		if r.Action == "refuse-connection" && r.turn() {
			return nil
		}
	}
	h.serial++
	c := &conn{host: h, id: h.serial, socket: socket, out: make(chan delivery, 64), gone: make(chan struct{})}
	h.conns[c] = true
	return c
}

func (h *Host) forget(c *conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.conns, c)
}

func (h *Host) signedOn(c *conn, on bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c.signedOn = on
}

// connections are those of the moment, for something that is done without holding the lock.
func (h *Host) connections(which func(*conn) bool) (found []*conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for c := range h.conns {
		if which(c) {
			found = append(found, c)
		}
	}
	return found
}

func everyone(*conn) bool { return true }

func (h *Host) hangUp() int {
	all := h.connections(everyone)
	for _, c := range all {
		c.close()
	}
	return len(all)
}

// now is business time.
func (h *Host) now() time.Time {
	if h.cfg.Now != nil {
		return h.cfg.Now()
	}
	return time.Now().Add(h.ahead)
}

// shuffle answers what was asked together in any order, as a pipelining host may (rails §1.2).
func (h *Host) shuffle(answers [][]delivery) {
	if h.cfg.Polite || len(answers) < 2 {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.whims.Shuffle(len(answers), func(i, j int) { answers[i], answers[j] = answers[j], answers[i] })
}

// start is a message that the host sends of its own accord.
func (h *Host) start(m elements) delivery {
	h.stan = h.stan%999_999 + 1
	m[0], m[7], m[11] = "0800", h.now().UTC().Format("0102150405"), fmt.Sprintf("%06d", h.stan)
	return h.framed(h.framing.own, m)
}

// resume is what a host does before it opens: the day that ended while it was away, and what it still owes.
func (h *Host) resume() {
	today := dayOf(h.now())
	if h.book.day != "" && h.book.day < today {
		h.closeDay()
	}
	h.book.day = max(h.book.day, today)
	h.deliverAll()
	for _, d := range h.book.disputes {
		if d.pending() {
			h.cfg.After(claimBackoff[0], func() { h.press(d) })
		}
	}
}

// framed packs a message of ours; that it cannot be packed is a fault of a rule, and then nothing leaves.
func (h *Host) framed(tpdu []byte, m elements) delivery {
	body, err := encode(h.spec, m)
	if err != nil {
		h.cfg.Log.Error("an answer was not sent", "cause", err)
		return delivery{}
	}
	return h.reframed(delivery{tpdu: tpdu}, body)[0]
}

// reframed puts another body into the frame.
func (h *Host) reframed(d delivery, body []byte) []delivery {
	d.body, d.bytes = body, h.framing.write(d.tpdu, body)
	return []delivery{d}
}

func (h *Host) noise(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(h.whims.Uint32())
	}
	return b
}

// seeded is a source of randomness for one purpose.
func seeded(seed uint64, purpose string) *rand.Rand {
	sum := fnv.New64a()
	sum.Write([]byte(purpose)) // never fails
	return rand.New(rand.NewPCG(seed, sum.Sum64()))
}
