package nodetest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// balancer hands every call to any node that is up, and to the next one where that node cannot be reached.
type balancer struct {
	nodes []*node
	only  atomic.Pointer[node] // if any, all calls go there

	refused, closed atomic.Int64 // calls that went on to another node

	mu     sync.Mutex
	chance *rand.Rand
}

// order is in which order a call tries the nodes: those that are up, or all where none is.
func (b *balancer) order() []*node {
	if n := b.only.Load(); n != nil {
		return []*node{n}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	var up, down []*node
	for _, i := range b.chance.Perm(len(b.nodes)) {
		if n := b.nodes[i]; n.up.Load() {
			up = append(up, n)
		} else {
			down = append(down, n)
		}
	}
	if up == nil {
		return down
	}
	return up
}

// door is one listener of all nodes.
type door struct {
	*balancer
	of   func(addresses) string
	once bool // a call that was perhaps heard is not repeated: whoever calls must find out himself
}

func (d door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	for _, n := range d.order() {
		status, answer, err := n.forward(r, d.of(n.at()), body)
		switch {
		case err == nil:
			w.WriteHeader(status)
			_, _ = w.Write(answer)
			return
		case r.Context().Err() != nil: // nobody waits any more
			return
		case errors.Is(err, syscall.ECONNREFUSED):
			d.refused.Add(1)
			continue
		}
		d.closed.Add(1)
		if d.once {
			break
		}
	}
	w.WriteHeader(http.StatusBadGateway)
}

// forward sends a call to the node. One that is stopped keeps it waiting.
func (n *node) forward(r *http.Request, base string, body []byte) (status int, answer []byte, err error) {
	req, err := http.NewRequestWithContext(r.Context(), r.Method, base+r.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header = r.Header.Clone()
	resp, err := n.http.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	answer, err = io.ReadAll(resp.Body)
	return resp.StatusCode, answer, err
}

// looking is how long a node may take to say that it is up.
const looking = time.Second

// watch asks a node again and again whether it takes calls, as a balancer does. It does while it says so and its link to the acquirer
// stands.
func (c *cluster) watch(n *node) {
	for look := time.NewTicker(100 * time.Millisecond); ; {
		n.up.Store(n.healthy(c.ctx))
		select {
		case <-look.C:
		case <-c.ctx.Done():
			return
		}
	}
}

func (n *node) healthy(ctx context.Context) bool {
	at := n.at()
	if at.admin == "" {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, looking)
	defer cancel()
	text := ""
	for _, path := range []string{"/readyz", "/metrics"} {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+at.admin+path, nil)
		if err != nil {
			return false
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return false
		}
		body, err := io.ReadAll(resp.Body)
		if resp.Body.Close() != nil || err != nil || resp.StatusCode != http.StatusOK {
			return false
		}
		text = string(body)
	}
	return strings.Contains(text, "naru_rail_connections{") && !strings.Contains(text, `naru_rail_connections{acquirer="simulator"} 0`)
}
