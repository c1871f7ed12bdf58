package sim

import (
	"bufio"
	"cmp"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// delivery is one way in which bytes leave, or do not.
type delivery struct {
	bytes    []byte        // the whole frame; nil sends nothing
	tpdu     []byte        // of that frame
	body     []byte        // of that frame
	after    time.Duration // wait before it
	gap      time.Duration // wait between its bytes
	close    bool          // hang up behind it
	signsOff bool          // the session ends with it
	to       *conn         // nil is the connection that asked
}

// conn is one connection: a reader that asks the host, and a writer that sends one frame at a time.
type conn struct {
	host     *Host
	id       int
	socket   net.Conn
	out      chan delivery
	gone     chan struct{}
	once     sync.Once
	signedOn bool // under Host.mu
}

// batch is how many requests that arrived together may be answered in another order.
const batch = 8

// patience is how long a peer that does not read may block the writer.
const patience = 10 * time.Second

func (c *conn) read() {
	defer c.close()
	r := bufio.NewReaderSize(c.socket, 2*longest)
	for {
		f, err := c.host.framing.read(r)
		if err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) {
				c.host.cfg.Log.Debug("connection ends", "connection", c.id, "cause", err)
			}
			return
		}
		answers := [][]delivery{c.host.take(c, f)}
		for len(answers) < batch && c.host.framing.waiting(r) {
			if f, err = c.host.framing.read(r); err != nil {
				break // the answers to what came before still leave
			}
			answers = append(answers, c.host.take(c, f))
		}
		c.host.shuffle(answers)
		for _, deliveries := range answers {
			c.queue(deliveries...)
		}
		if err != nil {
			return
		}
	}
}

// queue hands deliveries to the writer, each in its time.
func (c *conn) queue(deliveries ...delivery) {
	for _, d := range deliveries {
		to := cmp.Or(d.to, c)
		if d.after > 0 {
			c.host.cfg.After(d.after, func() { to.enqueue(d) })
			continue
		}
		to.enqueue(d)
	}
}

func (c *conn) enqueue(d delivery) {
	if d.signsOff {
		c.host.signedOn(c, false)
	}
	select {
	case c.out <- d:
	case <-c.gone:
	}
}

func (c *conn) write() {
	defer c.close()
	for {
		var d delivery
		select {
		case d = <-c.out:
		case <-c.gone:
			return
		}
		if err := c.send(d); err != nil || d.close {
			return
		}
	}
}

func (c *conn) send(d delivery) error {
	pieces := [][]byte{d.bytes}
	if d.gap > 0 {
		pieces = pieces[:0]
		for i := range d.bytes {
			pieces = append(pieces, d.bytes[i:i+1])
		}
	}
	for i, piece := range pieces {
		if i > 0 && !c.wait(d.gap) {
			return net.ErrClosed
		}
		if err := c.socket.SetWriteDeadline(time.Now().Add(patience)); err != nil {
			return err
		}
		if _, err := c.socket.Write(piece); err != nil {
			return err
		}
	}
	return nil
}

// wait tells whether the connection is still there afterwards.
func (c *conn) wait(d time.Duration) bool {
	over := make(chan struct{})
	c.host.cfg.After(d, func() { close(over) })
	select {
	case <-over:
		return true
	case <-c.gone:
		return false
	}
}

func (c *conn) close() {
	c.once.Do(func() {
		close(c.gone)
		if err := c.socket.Close(); err != nil {
			c.host.cfg.Log.Debug("connection does not close well", "connection", c.id, "cause", err)
		}
		c.host.forget(c)
	})
}
