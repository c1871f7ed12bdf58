package gsp

import (
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"naru/core/fault"
	"naru/room"
)

// Why a call is refused early. Nothing of it was decided or written: a repeat is judged afresh.
const (
	crowded = "crowded" // too many calls are on their way in, or too many from there
	full    = "full"    // every place among the calls in work is taken
	slow    = "slow"    // it would wait too long for the cryptography
	share   = "share"   // the account, or the rail behind it, has all the places that it may have
	halved  = "late"    // half of the deadline is over
)

// maxUploads is how many calls to methods that take large bodies are on their way in at once; one of them is read.
const maxUploads = 16

// early answers 503 before the cryptography. The answer is empty: signing it would cost what it is to save.
func (s *Server) early(c *call, why string) (status int, wire []byte) {
	s.cfg.Refused(why)
	c.outcome, c.err = overload, fault.New(fault.Unavailable, "%s", why)
	return http.StatusServiceUnavailable, nil
}

// admit gives a call whose sender is proven its place among the calls in work, or the answer that there is none.
func (s *Server) admit(begin context.Context, c *call) bool {
	why := halved
	if begin.Err() == nil {
		why = share
		c.seated = s.working.Enter(c.guest())
	}
	if !c.seated {
		s.cfg.Refused(why)
		c.outcome, c.err = overload, fault.New(fault.Unavailable, "too much is under way, ask again later")
	}
	return c.seated
}

// guest is who a call's place belongs to: the account, and with all accounts of one rail that rail, because it is rails that hang.
func (c *call) guest() room.Guest {
	a := c.account
	switch {
	case a.Acquirer != "":
		return room.Guest{Party: "acquirer/" + a.Acquirer, Name: a.ID}
	case a.Bank != "":
		return room.Guest{Party: "bank/" + a.Bank, Name: a.ID}
	}
	return room.Guest{Party: a.ID}
}

// line is where calls wait for the cryptography, which is work for processors alone: more at once would only make all of them late.
type line struct {
	slots   chan struct{}
	waiting atomic.Int64
	cost    atomic.Int64 // of one opening, nanoseconds, as it was of late
}

// enter waits for a slot. It gives up when ctx ends, and at once where it is to be expected that ctx ends before its turn.
func (l *line) enter(ctx context.Context) (leave func(), ok bool) {
	select {
	case l.slots <- struct{}{}:
	default:
		ahead := l.waiting.Add(1)
		defer l.waiting.Add(-1)
		turn := time.Now().Add(time.Duration(ahead * l.cost.Load() / int64(cap(l.slots))))
		if end, bounded := ctx.Deadline(); bounded && turn.After(end) {
			return nil, false
		}
		select {
		case l.slots <- struct{}{}:
		case <-ctx.Done():
			return nil, false
		}
	}
	began := time.Now()
	return sync.OnceFunc(func() {
		was := l.cost.Load()
		l.cost.Store(was + (int64(time.Since(began))-was)/8) // of two at the same moment one counts: it is an estimate
		<-l.slots
	}), true
}

// wayOut is where Pause finds the way out of the line.
type wayOut struct{}

// Pause is the delay before a message is called undecryptable (design §3.9), for seal.Config: who is made to wait holds up nobody in the
// line.
func Pause(ctx context.Context) {
	if leave, ok := ctx.Value(wayOut{}).(func()); ok {
		leave()
	}
	pause := time.NewTimer(pauseTime)
	defer pause.Stop()
	select {
	case <-pause.C:
	case <-ctx.Done():
	}
}

const pauseTime = 25 * time.Millisecond

// Bound bounds the connections of a listener. What is beyond is closed at once, so that an open connection means that somebody answers;
// no address takes all of them. Refused hears of each that was closed.
func Bound(inner net.Listener, connections int, refused func()) net.Listener {
	return bound{inner, room.New(connections), refused}
}

type bound struct {
	net.Listener
	room    *room.Room
	refused func()
}

func (b bound) Accept() (net.Conn, error) {
	for {
		conn, err := b.Listener.Accept()
		if err != nil {
			return nil, err
		}
		guest := room.Guest{Party: source(conn.RemoteAddr().String()).String()}
		if b.room.Enter(guest) {
			return &boundConn{Conn: conn, leave: sync.OnceFunc(func() { b.room.Leave(guest) })}, nil
		}
		b.refused()
		_ = conn.Close() // nobody is left to tell
	}
}

type boundConn struct {
	net.Conn
	leave func()
}

func (c *boundConn) Close() error {
	defer c.leave()
	return c.Conn.Close()
}
