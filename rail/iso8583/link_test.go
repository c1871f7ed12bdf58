package iso8583

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"naru/core/fault"
	"naru/core/payment"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// host is the other end: a listener with framing of its own. Its script says what happens to every message but 0800/001.
type host struct {
	t       *testing.T
	profile Profile
	ln      net.Listener
	script  func(*peer, *Message)
	signOns chan *peer
	work    sync.WaitGroup
}

type peer struct {
	*host
	net.Conn
}

func listen(t *testing.T, p Profile, script func(*peer, *Message)) *host {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serve(t, p, ln, script)
}

func serve(t *testing.T, p Profile, ln net.Listener, script func(*peer, *Message)) *host {
	h := &host{t: t, profile: p, ln: ln, script: script, signOns: make(chan *peer, 64)}
	h.work.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			c := &peer{h, conn}
			h.work.Go(func() {
				defer conn.Close()
				for m := c.read(); m != nil; m = c.read() {
					if m.mti == "0800" && m.Get(70) == p.NetworkCodes.SignOn {
						c.answer(m, "00")
						h.signOns <- c
						continue
					}
					h.script(c, m)
				}
			})
		}
	})
	t.Cleanup(func() { h.ln.Close(); h.work.Wait() })
	return h
}

// read is nil at the end of the connection.
func (c *peer) read() *Message {
	size := map[string]int{"bin2": 2, "ascii4": 4}[c.profile.Header]
	header := make([]byte, size)
	if _, err := io.ReadFull(c, header); err != nil {
		return nil
	}
	n := int(binary.BigEndian.Uint16(header))
	if size == 4 {
		fmt.Sscanf(string(header), "%04d", &n)
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(c, body); err != nil {
		return nil
	}
	if c.profile.TPDU.Enabled {
		if string(body[:5]) != "\x60\x00\x12\x00\x34" {
			c.t.Errorf("TPDU %x", body[:5])
		}
		body = body[5:]
	}
	m, err := unpack(c.profile.Spec(), body)
	if err != nil {
		c.t.Errorf("the host reads %x: %v", body, err)
		return nil
	}
	return m
}

func (c *peer) frame(m *Message) []byte {
	raw, err := m.pack(c.profile.Spec())
	if err != nil {
		c.t.Error(err)
	}
	return c.wrap(raw)
}

func (c *peer) wrap(raw []byte) []byte {
	if c.profile.TPDU.Enabled {
		raw = append([]byte("\x60\x00\x34\x00\x12"), raw...)
	}
	if c.profile.Header == "ascii4" {
		return append(fmt.Appendf(nil, "%04d", len(raw)), raw...)
	}
	return append([]byte{byte(len(raw) >> 8), byte(len(raw))}, raw...)
}

func (c *peer) send(frame []byte) { _, _ = c.Write(frame) } // the link may be gone by then

// answered is the answer of a good host: everything repeated.
func answered(m *Message, code string) *Message {
	a := m.Clone()
	a.mti = replyTo(m, code).mti
	for _, de := range []int{12, 13, 14, 18, 19, 22, 25, 43, 48, 60, 90} {
		a.Set(de, "")
	}
	return a.Set(39, code)
}

func (c *peer) answer(m *Message, code string) { c.send(c.frame(answered(m, code))) }

// running is a link that has signed on.
type running struct {
	*Acquirer
	stop  func()        // ends Run and waits
	up    chan struct{} // signed on
	down  chan struct{} // could not, or no longer
	late  chan *Message
	count *Counters
}

// signal tells of every sign-on, and of the lack of one, that the link reports.
type signal struct {
	slog.Handler
	up, down chan struct{}
}

func (s signal) Enabled(context.Context, slog.Level) bool { return true }
func (s signal) Handle(_ context.Context, r slog.Record) error {
	switch r.Message {
	case "acquirer signed on":
		s.up <- struct{}{}
	case "acquirer not connected":
		select {
		case s.down <- struct{}{}:
		default:
		}
	}
	return nil
}

func quick(t *testing.T, name string) Profile {
	p := mustProfile(t, name)
	p.Pool.Connections = 1
	p.Pool.ReconnectMin, p.Pool.ReconnectMax = Duration{time.Millisecond}, Duration{5 * time.Millisecond}
	return p
}

func run(t *testing.T, p Profile, secure *tls.Config, addresses ...string) *running {
	t.Helper()
	return runWith(t, p, func(c *LinkConfig) { c.TLS = secure }, addresses...)
}

func runWith(t *testing.T, p Profile, change func(*LinkConfig), addresses ...string) *running {
	t.Helper()
	p.Pool.Addresses = addresses
	r := &running{up: make(chan struct{}, 256), down: make(chan struct{}, 1), late: make(chan *Message, 64), count: &Counters{}}
	cfg := LinkConfig{
		Profile: p, Now: func() time.Time { return holdAt }, Jitter: func() float64 { return 0.5 },
		Late: func(m *Message) { r.late <- m }, Log: slog.New(signal{slog.DiscardHandler, r.up, r.down}), Counters: r.count,
	}
	change(&cfg)
	a, err := NewAcquirer(cfg, contract)
	if err != nil {
		t.Fatal(err)
	}
	r.Acquirer = a
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	r.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(r.stop)
	return r
}

func start(t *testing.T, p Profile, script func(*peer, *Message)) (*running, *host) {
	h := listen(t, p, script)
	r := run(t, p, nil, h.ln.Addr().String())
	<-r.up
	return r, h
}

func startWith(t *testing.T, p Profile, change func(*LinkConfig), script func(*peer, *Message)) (*running, *host) {
	h := listen(t, p, script)
	r := runWith(t, p, change, h.ln.Addr().String())
	<-r.up
	return r, h
}

// ask is V3 with another number.
func ask(n int) *Message {
	m := golden["V3"].Clone()
	return m.Set(11, fmt.Sprintf("%06d", n)).Set(37, fmt.Sprintf("632612%06d", n)).Set(48, "")
}

const long = time.Minute // never reached

func TestAnswersInAnyOrder(t *testing.T) {
	var held *Message
	first := make(chan struct{})
	r, _ := start(t, quick(t, DefaultProfile), func(c *peer, m *Message) {
		switch {
		case m.mti == "0800":
			c.answer(m, "00")
		case held == nil:
			held = m
			close(first)
		default:
			both := append([]byte{0, 0}, c.frame(answered(m, "05"))...) // a heartbeat, then two frames in one write
			c.send(append(both, c.frame(answered(held, "00"))...))
		}
	})
	var all sync.WaitGroup
	codes := make([]string, 2)
	for i := range codes {
		all.Go(func() {
			if i == 1 {
				<-first
			}
			a, err := r.Send(t.Context(), ask(i+1), long)
			if err != nil || a.Get(11) != fmt.Sprintf("%06d", i+1) {
				t.Errorf("%v, %v", a, err)
				return
			}
			codes[i] = a.Get(39)
		})
	}
	all.Wait()
	if !reflect.DeepEqual(codes, []string{"00", "05"}) {
		t.Error(codes)
	}
}

func TestSlowWriter(t *testing.T) {
	for _, name := range []string{DefaultProfile, "pi87-alt"} {
		r, _ := start(t, quick(t, name), func(c *peer, m *Message) {
			for _, b := range c.frame(answered(m, "00")) {
				c.send([]byte{b})
			}
		})
		if a, err := r.Send(t.Context(), ask(1), long); err != nil || a.Get(39) != "00" || a.Get(2) != testPAN {
			t.Errorf("%s: %v, %v", name, a, err)
		}
		r.stop()
	}
}

func TestSilenceAndLateAnswer(t *testing.T) {
	release := make(chan struct{})
	r, _ := start(t, quick(t, DefaultProfile), func(c *peer, m *Message) {
		if m.mti == "0100" {
			<-release
		}
		if m.mti != "0100" || m.Get(11) == "000001" { // the second request is never answered: only its context can end it
			c.answer(m, "00")
		}
	})
	if a, err := r.Send(t.Context(), ask(1), 300*time.Millisecond); !errors.Is(err, ErrNoAnswer) || errors.Is(err, ErrNotSent) || a != nil {
		t.Errorf("silence: %v, %v", a, err)
	}
	close(release)
	if m := <-r.late; m.mti != "0110" || m.Get(11) != "000001" {
		t.Errorf("late: %v", m)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Send(ctx, ask(2), long); err == nil {
		t.Error("a context that has ended was not noticed")
	}
	if r.count.Unanswered.Load() < 1 || r.count.Late.Load() != 1 {
		t.Errorf("%d unanswered, %d late", r.count.Unanswered.Load(), r.count.Late.Load())
	}
}

func TestDuplicateAnswerAndWrongSTAN(t *testing.T) {
	r, _ := start(t, quick(t, DefaultProfile), func(c *peer, m *Message) {
		if m.mti == "0100" {
			c.send(c.frame(answered(m, "00").Set(11, "999999")))
			c.answer(m, "00")
		}
		c.answer(m, "00")
	})
	if a, err := r.Send(t.Context(), ask(1), long); err != nil || a.Get(11) != "000001" {
		t.Errorf("%v, %v", a, err)
	}
	for _, stan := range []string{"999999", "000001"} {
		if m := <-r.late; m.Get(11) != stan {
			t.Errorf("unmatched: %v, want %s", m, stan)
		}
	}
}

// Every way to answer wrongly, and what it means for the money.
// In the answer to a hold and in the answer to a sale.
func TestAnswersThatCannotBeBelieved(t *testing.T) {
	for name, c := range map[string]struct {
		answer func(*peer, *Message)
		err    error
		want   payment.Outcome
	}{
		"wrong amount": {
			func(c *peer, m *Message) { c.send(c.frame(answered(m, "00").Set(4, "000000020000"))) }, ErrContradiction,
			payment.Outcome{Fault: fault.Unavailable, Undo: payment.UndoInvalid, Alert: "acquirer: the answer contradicts request: DE4: differs"},
		},
		"wrong card": {
			func(c *peer, m *Message) { c.send(c.frame(answered(m, "00").Set(2, "9999990000000014"))) }, ErrContradiction,
			payment.Outcome{Fault: fault.Unavailable, Undo: payment.UndoInvalid, Alert: "acquirer: the answer contradicts request: DE2: differs"},
		},
		"wrong terminal": {
			func(c *peer, m *Message) { c.send(c.frame(answered(m, "00").Set(41, "PI000002"))) }, ErrContradiction,
			payment.Outcome{Fault: fault.Unavailable, Undo: payment.UndoInvalid, Alert: "acquirer: the answer contradicts request: DE41: differs"},
		},
		"partial amount": {
			func(c *peer, m *Message) { c.send(c.frame(answered(m, "10").Set(4, "000000005000"))) }, nil,
			payment.Outcome{Verdict: payment.Refused, Decline: payment.IssuerDeclined, Undo: payment.UndoPartial, Code: "10"},
		},
		"garbled behind its identity": {func(c *peer, m *Message) {
			raw, _ := answered(m, "00").Set(63, "abc").pack(c.profile.Spec())
			c.send(c.wrap(raw[:len(raw)-1]))
		}, ErrGarbled, payment.Outcome{Fault: fault.Unavailable, Undo: payment.UndoGarbled}},
		"closed before the answer": {
			func(c *peer, _ *Message) { c.Close() }, ErrLost,
			payment.Outcome{Fault: fault.Unavailable, Undo: payment.UndoSilence},
		},
		"closed inside the answer": {func(c *peer, m *Message) {
			f := c.frame(answered(m, "00"))
			c.send(f[:len(f)/2])
			c.Close()
		}, ErrLost, payment.Outcome{Fault: fault.Unavailable, Undo: payment.UndoSilence}},
		"garbage on the line": {
			func(c *peer, _ *Message) { c.send([]byte("\xff\xffHTTP/1.1 400 Bad Request")) }, ErrLost,
			payment.Outcome{Fault: fault.Unavailable, Undo: payment.UndoSilence},
		},
		"a good frame of garbage, then the answer": {func(c *peer, m *Message) {
			c.send(c.wrap([]byte("this is no message at all")))
			c.answer(m, "51")
		}, nil, payment.Outcome{Verdict: payment.Refused, Decline: payment.InsufficientFunds, Code: "51"}},
		"a few elements only": {func(c *peer, m *Message) {
			f := c.frame(NewMessage(replyTo(m, "").mti).Set(7, m.Get(7)).Set(11, m.Get(11)).Set(39, "05").Set(127, "extra").Set(63, "@@"))
			c.send(bytes.ReplaceAll(f, []byte("@@"), []byte("\xff\x00")))
		}, nil, payment.Outcome{Verdict: payment.Refused, Decline: payment.DoNotHonor, Code: "05"}},
	} {
		for mti, o := range map[string]payment.AuthOrder{"0100": order(t), "0200": saleOrder(t)} {
			t.Run(mti+" "+name, func(t *testing.T) {
				r, _ := start(t, quick(t, DefaultProfile), func(p *peer, m *Message) {
					if m.mti == mti {
						c.answer(p, m)
					} else {
						p.answer(m, "00")
					}
				})
				m := ask(1)
				m.mti = mti
				if _, err := r.Send(t.Context(), m.Set(48, "IN0200"), long); !errors.Is(err, c.err) || errors.Is(err, ErrNotSent) {
					t.Errorf("%v, want %v", err, c.err)
				}
				if errors.Is(c.err, ErrLost) {
					<-r.up // it comes back by itself
				}
				if got := r.Authorise(t.Context(), o); !reflect.DeepEqual(got, c.want) {
					t.Errorf("%+v, want\n%+v", got, c.want)
				}
			})
		}
	}
}

// What only the answer to a sale can say, or must not. A sale leaves once, whatever comes back.
func TestSaleAnswers(t *testing.T) {
	approved := payment.Outcome{Verdict: payment.Approved, Code: "00"}
	booked := approved
	booked.Approval, booked.Day = "A1B2C3", "20261122"
	unsure := func(code string, kind fault.Kind, alert string) payment.Outcome {
		return payment.Outcome{Verdict: payment.Unclear, Code: code, Fault: kind, Undo: payment.UndoSilence, Alert: alert}
	}
	contradicts := func(de string) payment.Outcome {
		return payment.Outcome{
			Fault: fault.Unavailable, Undo: payment.UndoInvalid, Alert: "acquirer: the answer contradicts request: " + de + ": differs",
		}
	}
	for name, c := range map[string]struct {
		answer func(*peer, *Message)
		want   payment.Outcome
	}{
		"V12":                  {func(c *peer, _ *Message) { c.send(c.frame(golden["V12"])) }, booked},
		"no day":               {func(c *peer, m *Message) { c.answer(m, "00") }, approved},
		"a day that is none":   {func(c *peer, m *Message) { c.send(c.frame(answered(m, "00").Set(15, "1331"))) }, approved},
		"the end of a hold":    {func(c *peer, m *Message) { c.send(c.frame(answered(m, "00").Set(48, "RX1420261129031500"))) }, approved},
		"no reason to decline": {func(c *peer, m *Message) { c.answer(m, "85") }, unsure("85", fault.Unavailable, "")},
		"a duplicate":          {func(c *peer, m *Message) { c.answer(m, "94") }, unsure("94", fault.Internal, "response code 94: duplicate")},
		"too late":             {func(c *peer, m *Message) { c.answer(m, "68") }, unsure("68", fault.Unavailable, "")},
		"nobody there": {
			func(c *peer, m *Message) { c.answer(m, "91") },
			payment.Outcome{Verdict: payment.NothingHeld, Code: "91", Fault: fault.Unavailable},
		},
		"sold in part": {
			func(c *peer, m *Message) { c.send(c.frame(answered(m, "10").Set(4, "000000004000").Set(15, "1122"))) },
			payment.Outcome{
				Verdict: payment.Refused, Code: "10", Decline: payment.IssuerDeclined, Undo: payment.UndoPartial, Day: "20261122",
			},
		},
		"a refund":         {func(c *peer, m *Message) { c.send(c.frame(answered(m, "00").Set(3, refundCode))) }, contradicts("DE3")},
		"another currency": {func(c *peer, m *Message) { c.send(c.frame(answered(m, "00").Set(49, "840"))) }, contradicts("DE49")},
		"a hold instead": {func(c *peer, m *Message) {
			a := answered(m, "00")
			a.mti = "0110"
			c.send(c.frame(a))
			c.Close()
		}, payment.Outcome{Fault: fault.Unavailable, Undo: payment.UndoSilence}},
	} {
		t.Run(name, func(t *testing.T) {
			var sent atomic.Int64
			r, _ := start(t, quick(t, DefaultProfile), func(p *peer, m *Message) {
				if m.mti[1] == '2' {
					sent.Add(1)
					c.answer(p, m)
				} else {
					p.answer(m, "00")
				}
			})
			if got := r.Authorise(t.Context(), saleOrder(t)); !reflect.DeepEqual(got, c.want) {
				t.Errorf("%+v, want\n%+v", got, c.want)
			}
			if name == "a hold instead" && (<-r.late).mti != "0110" {
				t.Error("an answer to something else was not put aside")
			}
			r.stop()
			if n := sent.Load(); n != 1 {
				t.Errorf("%d sales left the house", n)
			}
		})
	}
}

func TestNotSent(t *testing.T) {
	p := quick(t, DefaultProfile)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	down := run(t, p, nil, ln.Addr().String()) // nobody accepts: no sign-on
	want := payment.Outcome{Verdict: payment.NotSent, Fault: fault.Unavailable}
	if got := down.Authorise(t.Context(), order(t)); !reflect.DeepEqual(got, want) {
		t.Errorf("down: %+v", got)
	}
	if got := down.Advise(t.Context(), adviceOrder(t, payment.Reversal, "000009", holdAt), true); got.Verdict != payment.AdviceNotSent {
		t.Errorf("down: %+v", got)
	}
	ln.Close()

	held := make(chan *peer, 1)
	r, _ := start(t, p, func(c *peer, m *Message) {
		if m.mti == "0100" {
			held <- c
		} else {
			c.answer(m, "00")
		}
	})
	if _, err := r.Send(t.Context(), NewMessage("0100").Set(4, "1"), long); !errors.Is(err, ErrNotSent) {
		t.Errorf("a message that does not pack: %v", err)
	}
	done := make(chan error)
	go func() { _, err := r.Send(t.Context(), ask(1), long); done <- err }()
	c := <-held
	if _, err := r.Send(t.Context(), ask(1), long); !errors.Is(err, ErrNotSent) {
		t.Errorf("an identity that is outstanding: %v", err)
	}
	c.answer(ask(1), "00")
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// A host that does not answer is asked no more than in_flight allows: what is beyond is not sent, and said so at once. What undoes has
// room of its own, and the line is kept alive.
func TestTooManyOutstanding(t *testing.T) {
	p := quick(t, DefaultProfile)
	p.Pool.Connections, p.Pool.InFlight = 2, 8
	held := make(chan func(), 99)
	r, _ := start(t, p, func(c *peer, m *Message) {
		if m.mti == "0800" {
			c.answer(m, "00")
			return
		}
		held <- func() { c.answer(m, "00") }
	})
	<-r.up // the second connection
	done, n := make(chan error, 99), 0
	send := func(why purpose) {
		n++
		m := ask(n)
		go func() { _, err := r.send(t.Context(), m, long, why); done <- err }()
	}
	refused := func(why purpose) {
		t.Helper()
		n++
		if _, err := r.send(t.Context(), ask(n), long, why); !errors.Is(err, ErrNotSent) || !errors.Is(err, errFull) {
			t.Errorf("one too much: %v", err)
		}
	}
	var answers []func()
	for range 14 {
		send(asked)
		answers = append(answers, <-held)
	}
	refused(asked)
	if _, err := r.Send(t.Context(), ask(99), long); !errors.Is(err, errFull) {
		t.Errorf("Send has more room: %v", err)
	}
	for range 2 {
		send(owed)
		answers = append(answers, <-held)
	}
	refused(owed)
	for _, s := range r.candidates() {
		if a, err := s.tell(t.Context(), p.NetworkCodes.Echo); err != nil || a.Get(39) != "00" {
			t.Errorf("echo: %v", err)
		}
	}
	if got := r.count.Refused.Load(); got != 3 {
		t.Errorf("%d were counted as refused", got)
	}
	for _, answer := range answers {
		answer()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	send(asked)
	(<-held)()
	if err := <-done; err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// With a match_key and an echo_set of its own: an answer with another RRN is no answer, and DE2 is compared in any case.
func TestMatchingOfAnotherDialect(t *testing.T) {
	r, _ := start(t, quick(t, "pi87-alt"), func(c *peer, m *Message) {
		if m.mti == "0100" {
			c.send(c.frame(answered(m, "00").Set(37, "632612999999")))
			c.send(c.frame(answered(m, "00").Set(2, "9999990000000014")))
			return
		}
		c.answer(m, "00")
	})
	if _, err := r.Send(t.Context(), ask(1), long); !errors.Is(err, ErrContradiction) {
		t.Errorf("another card: %v", err)
	}
	if m := <-r.late; m.Get(37) != "632612999999" {
		t.Errorf("another RRN: %v", m)
	}
}

func TestRunEndsWhileWaitingToReconnect(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	p := quick(t, DefaultProfile)
	p.Pool.ReconnectMin, p.Pool.ReconnectMax = Duration{time.Hour}, Duration{time.Hour}
	r := run(t, p, nil, ln.Addr().String())
	<-r.down
	r.stop()
}

func TestSignOnRefused(t *testing.T) {
	tries := make(chan *Message, 64)
	p := quick(t, DefaultProfile)
	other := p
	other.NetworkCodes.SignOn = "999" // so that the script sees the sign-on
	h := listen(t, other, func(c *peer, m *Message) { tries <- m; c.answer(m, "91") })
	r := run(t, p, nil, h.ln.Addr().String())
	for range 3 {
		if m := <-tries; m.Get(70) != "001" {
			t.Errorf("%v", m)
		}
	}
	if _, err := r.Send(t.Context(), ask(1), long); !errors.Is(err, ErrNotSent) || r.Ready() != 0 {
		t.Errorf("%v, %d ready", err, r.Ready())
	}
}

func TestHostRequests(t *testing.T) {
	got := make(chan *Message, 64)
	r, h := start(t, quick(t, DefaultProfile), func(c *peer, m *Message) {
		if got <- m; m.mti == "0800" {
			c.answer(m, "00")
		}
	})
	c := <-h.signOns
	network := func(code string) *Message { return networkMessage(code, "000777", holdAt) }
	c.send(c.frame(NewMessage("0820").Set(7, "1122031500").Set(11, "000001").Set(70, "201"))) // not answered
	c.send(c.frame(NewMessage("0102").Set(7, "1122031500").Set(11, "000001").Set(4, "000000000001")))
	for _, q := range []struct {
		ask  *Message
		want *Message
	}{
		{nil, NewMessage("0112").Set(4, "000000000001").Set(7, "1122031500").Set(11, "000001").Set(39, "12")},
		{network("301"), network("301").Set(39, "00")},
		{network("201"), network("201").Set(39, "00")},
		{network("101"), network("101").Set(39, "12")},
		{NewMessage("0121").Set(7, "1122031500").Set(11, "000001"), NewMessage("0130").Set(7, "1122031500").Set(11, "000001").Set(39, "12")},
		{NewMessage("0422").Set(2, testPAN).Set(11, "000001"), NewMessage("0432").Set(11, "000001").Set(39, "12")},
	} {
		if q.ask != nil {
			c.send(c.frame(q.ask))
		}
		if q.want.mti == "0800" {
			q.want.mti = "0810"
		}
		if a := <-got; !reflect.DeepEqual(a, q.want) {
			t.Errorf("%v, want %v", a, q.want)
		}
	}
	if n := r.count.HostRequests.Load(); n != 7 {
		t.Errorf("%d host requests", n)
	}
}

// The host signs off: what is outstanding is still answered, nothing new goes out, and the link signs on again.
func TestHostSignsOff(t *testing.T) {
	asked, replied := make(chan *peer, 1), make(chan struct{})
	r, _ := start(t, quick(t, DefaultProfile), func(c *peer, m *Message) {
		switch m.mti {
		case "0100":
			asked <- c
			c.send(c.frame(networkMessage("002", "000778", holdAt)))
			c.send(c.frame(networkMessage("002", "000779", holdAt))) // and again: it is told, not asked
		case "0810":
			replied <- struct{}{}
		default:
			c.answer(m, "00")
		}
	})
	done := make(chan error)
	go func() { _, err := r.Send(t.Context(), ask(1), long); done <- err }()
	c := <-asked
	<-replied
	<-replied
	if _, err := r.Send(t.Context(), ask(2), long); !errors.Is(err, ErrNotSent) {
		t.Errorf("new work after sign-off: %v", err)
	}
	c.answer(ask(1), "00")
	if err := <-done; err != nil {
		t.Errorf("outstanding at sign-off: %v", err)
	}
	<-r.up
}

// Run ends: what is outstanding is still answered, then we sign off.
func TestShutdownDrains(t *testing.T) {
	asked, last := make(chan *peer, 1), make(chan string, 1)
	r, _ := start(t, quick(t, DefaultProfile), func(c *peer, m *Message) {
		if m.mti == "0100" {
			asked <- c
			return
		}
		last <- m.mti + "/" + m.Get(70)
		c.answer(m, "00")
	})
	done := make(chan error)
	go func() { _, err := r.Send(t.Context(), ask(1), long); done <- err }()
	c := <-asked
	stopped := make(chan struct{})
	go func() { r.stop(); close(stopped) }()
	for {
		if _, err := r.Send(t.Context(), ask(2), time.Millisecond); errors.Is(err, ErrNotSent) {
			break // it takes no new work
		}
		<-asked
	}
	c.answer(ask(1), "00")
	if err := <-done; err != nil {
		t.Error(err)
	}
	<-stopped
	if got := <-last; got != "0800/002" {
		t.Errorf("last words: %s", got)
	}
}

func TestEchoFindsDeadLink(t *testing.T) {
	p := quick(t, DefaultProfile)
	p.Timeouts.Idle, p.Timeouts.Network = Duration{time.Millisecond}, Duration{500 * time.Millisecond}
	echoes := make(chan *Message, 256)
	r, _ := start(t, p, func(c *peer, m *Message) { // alive for three echoes, then deaf
		if m.Get(70) == "301" {
			if echoes <- m; len(echoes) > 3 {
				return
			}
		}
		c.answer(m, "00")
	})
	<-r.up // signed on anew
	if n := len(echoes); n < 5 || r.count.Reconnects.Load() < 1 {
		t.Errorf("%d echoes, %d reconnects", n, r.count.Reconnects.Load())
	}
}

// A host that stops reading cannot hold a Send longer than its time-out, and what was not taken is known not to be sent.
func TestHostThatDoesNotRead(t *testing.T) {
	p := quick(t, DefaultProfile)
	p.Timeouts.Write = Duration{100 * time.Millisecond}
	p.Pool.Addresses = []string{"127.0.0.1:1"}
	l, err := NewLink(LinkConfig{Profile: p, Now: time.Now, Jitter: func() float64 { return 0 }})
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := net.Pipe() // every write waits for a reader
	defer theirs.Close()
	s := newSession(l, ours)
	defer s.end(errLeaving)
	first, second := make(chan error), make(chan error)
	go func() {
		_, err := s.exchange(t.Context(), ask(1), time.After(long), asked)
		first <- err
	}()
	one := make([]byte, 1)
	if _, err := io.ReadFull(theirs, one); err != nil { // the first frame is on its way
		t.Fatal(err)
	}
	go func() {
		_, err := s.exchange(t.Context(), ask(2), time.After(10*time.Millisecond), asked)
		second <- err
	}()
	if err := <-second; !errors.Is(err, ErrNotSent) {
		t.Errorf("behind a blocked write: %v", err)
	}
	if err := <-first; !errors.Is(err, ErrLost) {
		t.Errorf("blocked write: %v", err)
	}
}

// Sockets break while sends time out: nothing hangs, nothing leaks, every call returns.
func TestBreaksWhileTimingOut(t *testing.T) {
	p := quick(t, DefaultProfile)
	p.Pool.Connections = 2
	r, _ := start(t, p, func(c *peer, m *Message) {
		switch m.Get(11)[5] % 4 {
		case 0:
			c.answer(m, "00")
		case 1:
			c.Close()
		case 2:
			c.send(c.frame(answered(m, "00"))[:9])
			c.Close()
		}
	})
	var all sync.WaitGroup
	for n := range 8 {
		all.Go(func() {
			for i := range 40 {
				a, err := r.Send(t.Context(), ask(n*1000+i+1), time.Millisecond)
				if (a == nil) == (err == nil) {
					t.Errorf("%v, %v", a, err)
				}
			}
		})
	}
	all.Wait()
}

func TestAddressesInOrderOfPreference(t *testing.T) {
	p := quick(t, DefaultProfile)
	answer := func(code string) func(*peer, *Message) { return func(c *peer, m *Message) { c.answer(m, code) } }
	second := listen(t, p, answer("05"))
	first := listen(t, p, func(c *peer, m *Message) {
		if m.Get(11) == "000002" {
			c.ln.Close()
			c.Close()
			return
		}
		c.answer(m, "00")
	})
	r := run(t, p, nil, first.ln.Addr().String(), second.ln.Addr().String())
	<-r.up
	<-r.up
	if a, err := r.Send(t.Context(), ask(1), long); err != nil || a.Get(39) != "00" {
		t.Errorf("first address: %v, %v", a, err)
	}
	if _, err := r.Send(t.Context(), ask(2), long); !errors.Is(err, ErrLost) {
		t.Errorf("first address dies: %v", err)
	}
	if a, err := r.Send(t.Context(), ask(3), long); err != nil || a.Get(39) != "05" {
		t.Errorf("second address: %v, %v", a, err)
	}
}

func TestAdvise(t *testing.T) {
	for _, name := range []string{DefaultProfile, "pi87-alt"} {
		silent := map[string]string{DefaultProfile: "0420", "pi87-alt": "0400"}[name]
		got := make(chan string, 8)
		p := quick(t, name)
		p.Timeouts.Advice = Duration{300 * time.Millisecond}
		r, _ := start(t, p, func(c *peer, m *Message) {
			if m.mti[1] == '4' {
				got <- m.mti + " " + m.Get(7) + m.Get(11) + m.Get(37) + m.Get(90)
			}
			if m.mti != silent {
				c.answer(m, "00")
			}
		})
		o := adviceOrder(t, payment.Reversal, "000124", holdAt.Add(31*time.Second))
		if a := r.Advise(t.Context(), o, false); a != (payment.AdviceReply{}) {
			t.Errorf("%s: silence: %+v", name, a)
		}
		r.codec.profile.Timeouts.Advice = Duration{long}
		if a := r.Advise(t.Context(), o, true); a != (payment.AdviceReply{Verdict: payment.AdviceAccepted, Code: "00"}) {
			t.Errorf("%s: repeat: %+v", name, a)
		}
		if first, repeat := <-got, <-got; first[:4] == repeat[:4] || first[4:] != repeat[4:] {
			t.Errorf("%s: %s, then %s", name, first, repeat)
		}
		o.Terminal = "far too long a terminal"
		o.MCC = "x"
		o.Kind = payment.Completion
		if a := r.Advise(t.Context(), o, true); a.Verdict != payment.AdviceRefused {
			t.Errorf("%s: an advice that cannot be written: %+v", name, a)
		}
		r.stop()
	}
}

// The business day of an advice's answer, and of one that names none.
func TestAdviseHearsTheDay(t *testing.T) {
	r, _ := start(t, quick(t, DefaultProfile), func(c *peer, m *Message) {
		c.send(c.frame(answered(m, "00").Set(15, map[string]string{"000001": "1123", "000002": "1301"}[m.Get(11)])))
	})
	for stan, day := range map[string]string{"000001": "20261123", "000002": "", "000003": ""} {
		for _, kind := range []payment.AdviceKind{payment.Completion, payment.Reversal, payment.ReleaseRest} {
			want := payment.AdviceReply{Verdict: payment.AdviceAccepted, Code: "00", Day: day}
			if got := r.Advise(t.Context(), adviceOrder(t, kind, stan, holdAt), false); got != want {
				t.Errorf("%s %s: %+v", kind, stan, got)
			}
		}
	}
}

// Every way in which a refund may end, and what it means for the money. A refund leaves once, whatever comes back.
func TestRefundAnswers(t *testing.T) {
	unclear := func(why payment.UndoReason) payment.AdviceReply {
		return payment.AdviceReply{Verdict: payment.AdviceUnclear, Undo: why}
	}
	for name, c := range map[string]struct {
		answer func(*peer, *Message)
		want   payment.AdviceReply
	}{
		"booked": {
			func(c *peer, m *Message) { c.send(c.frame(answered(m, "00").Set(15, "1122"))) },
			payment.AdviceReply{Verdict: payment.AdviceAccepted, Code: "00", Day: "20261122"},
		},
		"refused": {
			func(c *peer, m *Message) { c.answer(m, "13") },
			payment.AdviceReply{Verdict: payment.AdviceDeclined, Code: "13", Why: payment.RefundNothingLeft},
		},
		"paid in part": {
			func(c *peer, m *Message) { c.send(c.frame(answered(m, "10").Set(4, "000000004000"))) },
			payment.AdviceReply{
				Verdict: payment.AdviceUnclear, Code: "10", Undo: payment.UndoPartial, Alert: "response code 10 to a refund: paid in part",
			},
		},
		"nothing":                  {func(*peer, *Message) {}, unclear(payment.UndoSilence)},
		"closed before the answer": {func(c *peer, _ *Message) { c.Close() }, unclear(payment.UndoSilence)},
		"garbled": {func(c *peer, m *Message) {
			raw, _ := answered(m, "00").Set(63, "abc").pack(c.profile.Spec())
			c.send(c.wrap(raw[:len(raw)-1]))
		}, unclear(payment.UndoGarbled)},
		"no response code": {func(c *peer, m *Message) { c.send(c.frame(answered(m, "00").Set(39, ""))) }, unclear(payment.UndoGarbled)},
		"wrong amount": {
			func(c *peer, m *Message) { c.send(c.frame(answered(m, "00").Set(4, "000000020000"))) },
			payment.AdviceReply{
				Verdict: payment.AdviceUnclear, Undo: payment.UndoInvalid, Alert: "acquirer: the answer contradicts request: DE4: differs",
			},
		},
		"a sale": {
			func(c *peer, m *Message) { c.send(c.frame(answered(m, "00").Set(3, "000000"))) },
			payment.AdviceReply{
				Verdict: payment.AdviceUnclear, Undo: payment.UndoInvalid, Alert: "acquirer: the answer contradicts request: DE3: differs",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var sent atomic.Int64
			p := quick(t, DefaultProfile)
			if name == "nothing" {
				p.Timeouts.Advice = Duration{200 * time.Millisecond}
			}
			r, _ := start(t, p, func(p *peer, m *Message) {
				if m.mti[1] == '2' {
					sent.Add(1)
					c.answer(p, m)
				} else {
					p.answer(m, "00")
				}
			})
			if got := r.Advise(t.Context(), refundOrder(t), false); got != c.want {
				t.Errorf("%+v, want\n%+v", got, c.want)
			}
			if got := r.Advise(t.Context(), refundOrder(t), true); got != unclear(payment.UndoCrash) {
				t.Errorf("asked to repeat: %+v", got)
			}
			r.stop()
			if n := sent.Load(); n != 1 {
				t.Errorf("%d refunds left the house", n)
			}
		})
	}
}

func TestRefundsThatDoNotLeave(t *testing.T) {
	p := quick(t, DefaultProfile)
	down := run(t, p, nil, "127.0.0.1:1")
	if got := down.Advise(t.Context(), refundOrder(t), false); got != (payment.AdviceReply{Verdict: payment.AdviceNotSent}) {
		t.Errorf("not connected: %+v", got)
	}
	o := refundOrder(t)
	o.Merchant, o.HeldRRN = "PIMERCHANT00001", "too short"
	want := payment.AdviceReply{
		Verdict: payment.AdviceRefused, Alert: "an advice cannot be encoded: DE48: OR must be 12 to 12 long, is 9",
	}
	if got := down.Advise(t.Context(), o, false); got != want {
		t.Errorf("%+v, want\n%+v", got, want)
	}

	seen := make(chan string, 8)
	r, _ := start(t, quick(t, "pi87-file"), func(c *peer, m *Message) { seen <- m.mti; c.answer(m, "00") })
	if !r.CapturesByFile() || down.CapturesByFile() {
		t.Error("the profile says who captures by file")
	}
	for kind, verdict := range map[payment.AdviceKind]payment.AdviceVerdict{
		payment.RefundOrder: payment.AdviceRefused, payment.Completion: payment.AdviceRefused, payment.Reversal: payment.AdviceAccepted,
	} {
		o := refundOrder(t)
		o.Kind = kind
		if got := r.Advise(t.Context(), o, false); got.Verdict != verdict || (got.Alert == "") != (verdict == payment.AdviceAccepted) {
			t.Errorf("%s by file: %+v", kind, got)
		}
	}
	r.stop()
	for len(seen) > 0 {
		if mti := <-seen; mti != "0420" && mti != "0800" {
			t.Errorf("%s left the house", mti)
		}
	}
}

// The host begins a business day; around New Year too. It is answered in any case.
func TestCutover(t *testing.T) {
	days, answers := make(chan string, 8), make(chan *Message, 8)
	now := time.Date(2026, 12, 31, 15, 30, 0, 0, time.UTC)
	change := func(c *LinkConfig) {
		c.Now, c.Cutover = func() time.Time { return now }, func(day string) { days <- day }
	}
	_, h := startWith(t, quick(t, DefaultProfile), change, func(c *peer, m *Message) {
		if m.mti == "0810" {
			answers <- m
		} else {
			c.answer(m, "00")
		}
	})
	c := <-h.signOns
	for _, say := range []struct{ code, day, want string }{
		{"201", "0101", "20270101"}, {"201", "1231", "20261231"}, {"201", "", "none"}, {"201", "0230", "none"}, {"301", "0101", "none"},
	} {
		m := networkMessage(say.code, "000777", now).Set(15, say.day)
		c.send(c.frame(m))
		want := networkMessage(say.code, "000777", now).Set(39, "00")
		want.mti = "0810"
		if a := <-answers; !reflect.DeepEqual(a, want) {
			t.Errorf("%v, want %v", a, want)
		}
		heard := "none"
		if len(days) > 0 {
			heard = <-days
		}
		if heard != say.want {
			t.Errorf("%s on %s: %q", say.code, say.day, heard)
		}
	}
}

func TestTLS(t *testing.T) {
	dir := t.TempDir()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "acquirer"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	},
		&x509.Certificate{Subject: pkix.Name{CommonName: "acquirer"}}, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	p := quick(t, DefaultProfile)
	cert := write(t, dir, "cert.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	private := write(t, dir, "key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})))
	p.TLS = TLS{Enabled: true, CA: cert, Cert: cert, Key: private}
	cfg, err := p.TLS.config()
	if err != nil {
		t.Fatal(err)
	}
	ln, err := tls.Listen("tcp", "127.0.0.1:0",
		&tls.Config{Certificates: cfg.Certificates, ClientCAs: cfg.RootCAs, ClientAuth: tls.RequireAndVerifyClientCert})
	if err != nil {
		t.Fatal(err)
	}
	h := serve(t, p, ln, func(c *peer, m *Message) { c.answer(m, "00") })
	r := run(t, p, nil, h.ln.Addr().String())
	<-r.up
	if a, err := r.Send(t.Context(), ask(1), long); err != nil || a.Get(39) != "00" {
		t.Errorf("%v, %v", a, err)
	}
}

func TestPlaintextOnlyOnLoopback(t *testing.T) {
	cfg := LinkConfig{Profile: mustProfile(t, DefaultProfile), Now: time.Now, Jitter: func() float64 { return 0 }}
	for address, fine := range map[string]bool{
		"127.0.0.1:1": true, "[::1]:1": true, "localhost:1": true, "192.0.2.1:1": false,
		"acquirer.example:1":  false,
		"127.0.0.1.example:1": false, "127.0.0.1": false, "0.0.0.0:1": false,
	} {
		cfg.Profile.Pool.Addresses = []string{address}
		if _, err := NewLink(cfg); (err == nil) != fine {
			t.Errorf("%s: %v", address, err)
		}
	}
	cfg.Profile.Pool.Addresses, cfg.Profile.Pool.Plaintext = []string{"192.0.2.1:1"}, true
	if _, err := NewLink(cfg); err != nil {
		t.Error(err)
	}
}
