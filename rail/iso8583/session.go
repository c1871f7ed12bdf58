package iso8583

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// session is one connection. Three goroutines: keep supervises, read reads, write writes. They meet in channels and share no lock
// while one of them waits for the network, so that no state of the socket can stop a Send from timing out.
type session struct {
	link *Link
	conn net.Conn
	out  chan []byte // unbuffered: a frame that was taken may have left, one that was not has not
	back chan reply  // answers to the host; the reader's that does not fit ends the connection
	work sync.WaitGroup

	heard chan struct{} // something arrived
	gone  chan struct{} // closed by bye
	bye   func()        // the host has our answer to its sign-off; it may sign off twice
	dead  chan struct{} // closed when the connection is over
	once  sync.Once
	cause error // why it is over; written before dead is closed

	mu      sync.Mutex
	pending map[string]chan result
	leaving bool          // takes no new work
	empty   chan struct{} // closed when leaving and nothing is pending
}

type result struct {
	answer *Message
	err    error
}

// reply is an answer to the host and what follows when it has left.
type reply struct {
	frame []byte
	then  func()
}

var (
	errNotTaken = errors.New("no connection took it")
	errFull     = fmt.Errorf("%w: too many messages are without an answer", errNotTaken)
	errSignOff  = errors.New("the host signed off")
	errSilent   = errors.New("two echoes unanswered")
	errLeaving  = errors.New("signed off")
	errFlood    = errors.New("the host asks faster than it reads")
)

func newSession(l *Link, conn net.Conn) *session {
	s := &session{
		link: l, conn: conn, out: make(chan []byte), back: make(chan reply, 16), heard: make(chan struct{}, 1),
		gone: make(chan struct{}), dead: make(chan struct{}), pending: map[string]chan result{}, empty: make(chan struct{}),
	}
	s.bye = sync.OnceFunc(func() { close(s.gone) })
	s.work.Go(s.read)
	s.work.Go(s.write)
	return s
}

// fail ends the connection for everybody who uses it. The first reason counts.
func (s *session) fail(cause error) {
	s.once.Do(func() {
		s.cause = cause
		close(s.dead)
		_ = s.conn.Close() // nobody is left to tell
	})
}

// end waits until nothing of the session is left.
func (s *session) end(cause error) {
	s.fail(cause)
	s.work.Wait()
}

// purpose is what a message is for: it says how much room there is for it.
type purpose uint8

const (
	asked  purpose = iota // something new, and somebody waits
	owed                  // it undoes or ends what was begun: an eighth of the room is kept for it
	upkeep                // sign-on, echo and sign-off: one at a time, and they pass while the session takes no other work
)

// room is how many messages may be without an answer for one more to be taken.
func (p Pool) room(why purpose) int {
	if why == asked {
		return p.InFlight - max(1, p.InFlight/8)
	}
	return p.InFlight
}

// exchange sends a message and waits for its answer. Before a frame is taken by write every failure is ErrNotSent; from then on
// none is.
func (s *session) exchange(ctx context.Context, m *Message, timeout <-chan time.Time, why purpose) (*Message, error) {
	frame, err := s.link.frame(m)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotSent, err)
	}
	key, wait := s.link.cfg.Profile.key(m), make(chan result, 1)
	if err := s.expect(key, wait, why); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotSent, err)
	}
	select {
	case s.out <- frame:
		s.link.cfg.Counters.Sent.Add(1)
	case <-s.dead:
		s.forget(key)
		return nil, fmt.Errorf("%w: %w", ErrNotSent, errNotTaken)
	case <-timeout:
		s.forget(key)
		return nil, fmt.Errorf("%w: the host reads too slowly", ErrNotSent)
	case <-ctx.Done():
		s.forget(key)
		return nil, fmt.Errorf("%w: %w", ErrNotSent, ctx.Err())
	}
	var r result
	select {
	case r = <-wait:
	case <-s.dead:
		r.err = ErrLost
	case <-timeout:
		r.err = ErrNoAnswer
	case <-ctx.Done():
		r.err = fmt.Errorf("%w: %w", ErrNoAnswer, ctx.Err())
	}
	if r.answer == nil && !errors.Is(r.err, ErrGarbled) && !s.forget(key) {
		r = <-wait // it came at the same moment
	}
	switch {
	case r.answer != nil:
		s.link.cfg.Counters.Answered.Add(1)
		return r.answer, s.link.cfg.Profile.contradiction(m, r.answer)
	case !errors.Is(r.err, ErrGarbled):
		s.link.cfg.Counters.Unanswered.Add(1)
	}
	return nil, r.err
}

// expect registers for an answer. Two messages with one key must never be out together: their answers could be swapped.
func (s *session) expect(key string, wait chan result, why purpose) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case why == upkeep:
	case s.leaving:
		return errNotTaken
	case len(s.pending) >= s.link.cfg.Profile.Pool.room(why):
		return errFull
	}
	if _, taken := s.pending[key]; taken {
		return errors.New("a message with the same identity is outstanding")
	}
	s.pending[key] = wait
	return nil
}

// forget reports whether nobody had answered yet.
func (s *session) forget(key string) bool { return s.take(key) != nil }

func (s *session) take(key string) chan result {
	s.mu.Lock()
	defer s.mu.Unlock()
	wait := s.pending[key]
	delete(s.pending, key)
	s.settle()
	return wait
}

// settle, under the lock, notes that a leaving session has nothing left to wait for.
func (s *session) settle() {
	if s.leaving && len(s.pending) == 0 {
		select {
		case <-s.empty:
		default:
			close(s.empty)
		}
	}
}

// leave takes no more work.
func (s *session) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leaving = true
	s.settle()
}

// write owns the socket's sending side: one write per frame, bounded in time. A frame that is cut off ends the connection.
func (s *session) write() {
	for {
		var next reply
		select {
		case <-s.dead:
			return
		case next.frame = <-s.out:
		case next = <-s.back:
		}
		err := s.conn.SetWriteDeadline(time.Now().Add(s.link.cfg.Profile.Timeouts.Write.Duration))
		if err == nil {
			_, err = s.conn.Write(next.frame)
		}
		if err != nil {
			s.fail(err)
			return
		}
		if next.then != nil {
			next.then()
		}
	}
}

// read owns the receiving side: answers go to whoever waits, requests are answered.
func (s *session) read() {
	in := bufio.NewReader(s.conn)
	for {
		raw, err := s.link.cfg.Profile.readFrame(in)
		if err != nil {
			s.fail(err)
			return
		}
		select {
		case s.heard <- struct{}{}:
		default:
		}
		m, err := unpack(s.link.spec, raw)
		known := len(m.mti) == 4 && all(m.mti, isDigit) && m.mti[0] == '0'
		if err != nil || !known {
			s.link.cfg.Counters.Garbled.Add(1)
		}
		switch {
		case !known: // nothing to be done with it, and the next frame may be good
		case m.mti[2]%2 == 1:
			s.answered(m, err)
		case err == nil:
			s.link.cfg.Counters.HostRequests.Add(1)
			s.requested(m)
		}
	}
}

// answered hands an answer to whoever waits for it. If it is unreadable past its identity, that much is known at once.
func (s *session) answered(m *Message, unreadable error) {
	wait := s.take(s.link.cfg.Profile.key(m))
	switch {
	case wait != nil && unreadable != nil:
		wait <- result{err: ErrGarbled}
	case wait != nil:
		wait <- result{answer: m}
	case unreadable == nil:
		s.link.cfg.Counters.Late.Add(1)
		s.link.cfg.Late(m)
	}
}

// requested answers what the host asks (rails §1.13). We exchange no keys and know no other request: 12, invalid transaction.
func (s *session) requested(m *Message) {
	codes := s.link.cfg.Profile.NetworkCodes
	switch {
	case (m.mti == "0422" || m.mti == "0423") && s.link.hearsDisputes():
		select {
		case s.link.disputes <- told{s, m}:
		default:
			s.link.cfg.Log.Warn("too many chargebacks at once: the host must repeat", "profile", s.link.cfg.Profile.Name, "message", m)
		}
	case m.mti[1] != '8':
		s.respond(m, "12", nil)
	case m.mti[2] != '0': // 0820 informs and is not answered
	case m.Get(70) == "":
		s.respond(m, "00", nil)
	case m.Get(70) == codes.SignOff:
		s.leave()
		s.respond(m, "00", s.bye)
	case m.Get(70) == codes.KeyChange:
		s.respond(m, "12", nil)
	default:
		day := businessDay(m.Get(15), s.link.cfg.Now())
		if m.Get(70) == codes.Cutover && day != "" && s.link.cfg.Cutover != nil {
			s.link.cfg.Cutover(day)
		}
		s.respond(m, "00", nil)
	}
}

// respond answers the host; then follows when the answer has left.
func (s *session) respond(m *Message, code string, then func()) {
	frame, err := s.link.frame(replyTo(m, code))
	if err != nil { // what the host sent cannot be repeated to it
		if then != nil {
			then()
		}
		return
	}
	select {
	case s.back <- reply{frame, then}:
	default:
		s.fail(errFlood)
	}
}

// tell exchanges a network message.
func (s *session) tell(ctx context.Context, code string) (*Message, error) {
	timer := time.NewTimer(s.link.cfg.Profile.Timeouts.Network.Duration)
	defer timer.Stop()
	stan, at := s.link.networkTrace()
	return s.exchange(ctx, networkMessage(code, stan, at), timer.C, upkeep)
}

// serve watches over a signed-on connection until it is over or the context ends.
func (s *session) serve(ctx context.Context) error {
	silence := s.link.cfg.Profile.Timeouts.Idle.Duration
	idle := time.NewTimer(silence)
	defer idle.Stop()
	for missed := 0; ; {
		select {
		case <-s.dead:
			return s.cause
		case <-s.gone:
			s.drain()
			return errSignOff
		case <-ctx.Done():
			s.leave()
			s.drain()
			if code := s.link.cfg.Profile.NetworkCodes.SignOff; code != "" {
				_, _ = s.tell(context.WithoutCancel(ctx), code) // courtesy: we close whatever it answers
			}
			return errLeaving
		case <-s.heard:
			missed = 0
			idle.Reset(silence)
		case <-idle.C:
			if _, err := s.tell(ctx, s.link.cfg.Profile.NetworkCodes.Echo); err == nil {
				continue // it was heard
			}
			if missed++; missed >= 2 && ctx.Err() == nil {
				return errSilent
			}
			idle.Reset(0)
		}
	}
}

// drain waits for outstanding answers, for a while.
func (s *session) drain() {
	timer := time.NewTimer(s.link.cfg.Profile.Timeouts.Drain.Duration)
	defer timer.Stop()
	select {
	case <-s.empty:
	case <-s.dead:
	case <-timer.C:
	}
}
