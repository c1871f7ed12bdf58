package drill

import (
	"errors"
	"io"
	"net"
	"sync"
)

// line is a way to a server that can be cut. While it is, nothing arrives and nobody is told: connections stay open, as where a network
// loses everything. What was sent arrives when it is mended, as TCP would have it.
type line struct {
	to       string
	listener net.Listener
	running  sync.WaitGroup
	gone     chan struct{}

	mu    sync.Mutex
	whole chan struct{} // closed while the line is not cut
	ends  map[net.Conn]bool
}

// lay opens a line to a server's address.
func lay(to string) (*line, error) {
	l := &line{to: to, gone: make(chan struct{}), whole: make(chan struct{}), ends: map[net.Conn]bool{}}
	close(l.whole)
	var err error
	if l.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, err
	}
	l.running.Go(func() {
		for {
			near, err := l.listener.Accept()
			if err != nil {
				return
			}
			l.running.Go(func() { l.carry(near) })
		}
	})
	return l, nil
}

func (l *line) addr() string { return l.listener.Addr().String() }

func (l *line) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.whole = make(chan struct{})
}

func (l *line) mend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.whole)
}

// passes waits while the line is cut, and reports whether there still is one.
func (l *line) passes() bool {
	l.mu.Lock()
	whole := l.whole
	l.mu.Unlock()
	select {
	case <-l.gone:
		return false
	case <-whole:
		return true
	}
}

// carry connects one caller.
func (l *line) carry(near net.Conn) {
	if !l.keep(near) || !l.passes() {
		return
	}
	far, err := net.Dial("tcp", l.to)
	if err != nil {
		l.hangUp(near)
		return
	}
	if !l.keep(far) {
		return
	}
	l.running.Go(func() { l.copy(near, far) })
	l.copy(far, near)
}

func (l *line) copy(to, from net.Conn) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if !l.passes() {
			return
		}
		if n > 0 {
			if _, err := to.Write(buffer[:n]); err != nil {
				break
			}
		}
		if err != nil {
			break
		}
	}
	l.hangUp(to)
	l.hangUp(from)
}

// keep remembers an end of a connection, unless all is over.
func (l *line) keep(c net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.gone:
		_ = c.Close()
		return false
	default:
		l.ends[c] = true
		return true
	}
}

func (l *line) hangUp(c net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.ends, c)
	_ = c.Close()
}

// close takes the line away with all that is on the way.
func (l *line) close() (err error) {
	l.mu.Lock()
	select {
	case <-l.gone:
	default:
		close(l.gone)
		err = l.listener.Close()
	}
	for c := range l.ends {
		if failed := c.Close(); !errors.Is(failed, net.ErrClosed) && !errors.Is(failed, io.EOF) {
			err = errors.Join(err, failed)
		}
	}
	l.mu.Unlock()
	l.running.Wait()
	return err
}
