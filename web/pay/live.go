package pay

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"naru/room"
)

// change is what an open page hears: the state, and the parts of the page as the server writes them.
type change struct {
	Version int64             `json:"version"`
	State   string            `json:"state"`
	Last    bool              `json:"last"` // nothing more will come
	Title   string            `json:"title"`
	Icon    string            `json:"icon"`
	Now     int64             `json:"now"`     // the server's time, milliseconds
	Expires int64             `json:"expires"` // nought where no time runs
	Parts   map[string]string `json:"parts"`
}

// parts are the templates that a change may replace.
var parts = []string{"amount", "details", "status", "timer", "next"}

func (p *Pages) change(v view) ([]byte, error) {
	c := change{
		Version: v.Order.Version, State: v.Manner.Name, Last: v.Manner.Last, Title: v.Title(), Icon: p.files.Path(v.Manner.Name + ".svg"),
		Now: v.Now(), Expires: v.Expires(), Parts: map[string]string{},
	}
	for _, name := range parts {
		var b strings.Builder
		if err := templates.ExecuteTemplate(&b, name, v); err != nil {
			return nil, err
		}
		c.Parts[name] = b.String()
	}
	return json.Marshal(c, json.Deterministic(true))
}

// state answers once what the stream would say.
func (p *Pages) state(c *call) {
	o, ok := p.find(c)
	if !ok {
		return
	}
	body, err := p.change(viewOf(o, c.t, c.paths(), p.form(c, false)))
	if err != nil {
		p.broken(c, err)
		return
	}
	c.w.Header().Set("Content-Type", "application/json")
	_, _ = c.w.Write(body) // the reader has gone: nobody to tell
}

// events is the stream of an order's changes. It begins with the present where the page has not seen it, and ends with the last state; a
// page that comes back after that is told not to (204).
func (p *Pages) events(c *call) {
	o, ok := p.find(c)
	if !ok {
		return
	}
	seen, err := strconv.ParseInt(c.r.Header.Get("Last-Event-ID"), 10, 64)
	if err != nil {
		seen, err = strconv.ParseInt(c.r.URL.Query().Get("seen"), 10, 64)
	}
	known := err == nil && seen == o.Version
	if known && manners[o.shown()].Last {
		c.w.WriteHeader(http.StatusNoContent)
		return
	}
	guest := room.Guest{Party: o.Merchant.Name, Name: c.link}
	if !p.streams.enter(guest) {
		c.w.Header().Set("Retry-After", "5")
		c.w.WriteHeader(http.StatusServiceUnavailable) // the page asks every few seconds instead
		return
	}
	defer p.streams.leave(guest)
	c.leave() // it may stay for minutes, and does next to nothing

	h := c.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no") // a proxy that gathers would hold the news back
	if c.r.Method == http.MethodHead {
		return
	}
	ctx, cancel := context.WithTimeout(c.r.Context(), p.cfg.StreamLife)
	defer cancel()
	s := stream{p: p, http: http.NewResponseController(c.w), w: c.w}
	_ = s.http.SetReadDeadline(time.Time{}) // the server's bound is for requests; a writer without it has no bound either
	s.send("retry: %d\n\n", retry.Milliseconds())
	for s.err == nil {
		if !known {
			body, err := p.change(viewOf(o, c.t, c.paths(), p.form(c, false)))
			if err != nil {
				c.cause = err
				return
			}
			s.send("id: %d\nevent: change\ndata: %s\n\n", o.Version, body)
			if manners[o.shown()].Last {
				return
			}
		}
		if known = true; !s.wait(ctx, p.cfg.Orders.Changed(ctx, c.link, o.Version)) {
			return
		}
		next, ok, err := p.cfg.Orders.Order(ctx, c.link)
		if err != nil || !ok {
			c.cause = err
			return // the page connects again
		}
		known, o = next.Version == o.Version, next
	}
}

const (
	retry      = 3 * time.Second  // when a page whose stream ended connects again
	sendWithin = 10 * time.Second // a reader who takes longer has gone
)

// stream is one open page.
type stream struct {
	p    *Pages
	http *http.ResponseController
	w    http.ResponseWriter
	err  error
}

func (s *stream) send(format string, args ...any) {
	_ = s.http.SetWriteDeadline(s.p.cfg.Now().Add(sendWithin)) // as for reading
	if _, s.err = fmt.Fprintf(s.w, format, args...); s.err == nil {
		s.err = s.http.Flush()
	}
}

// wait keeps the page company until the order changes. It reports false when the stream is over.
func (s *stream) wait(ctx context.Context, changed <-chan struct{}) bool {
	beat := time.NewTicker(s.p.cfg.Heartbeat)
	defer beat.Stop()
	for s.err == nil {
		select {
		case <-changed:
			return ctx.Err() == nil
		case <-beat.C:
			s.send("event: beat\ndata: 0\n\n")
		case <-ctx.Done():
			return false
		case <-s.p.closed:
			return false
		}
	}
	return false
}

// streams counts the open pages, so that neither one link nor the links of one merchant take every place.
type streams struct {
	all *room.Room

	mu    sync.Mutex
	each  map[string]int
	ofOne int
}

func (s *streams) enter(g room.Guest) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.each[g.Name] >= s.ofOne || !s.all.Enter(g) {
		return false
	}
	s.each[g.Name]++
	return true
}

func (s *streams) leave(g room.Guest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all.Leave(g)
	if s.each[g.Name]--; s.each[g.Name] == 0 {
		delete(s.each, g.Name)
	}
}
