package gsp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"naru/core/fault"
	"naru/engine"
	"naru/room"
	"naru/seal"
)

const (
	window      = 60 * time.Second       // of both header timestamps, ends included (gsp-core §3.1, O13)
	grace       = 500 * time.Millisecond // beyond the deadline, for work that says itself what it is waiting for
	contentType = "application/octet-stream; charset=utf-8"
)

// call is one request on its way through the pipeline, and what the log may know of it (gsp-core §10).
type call struct {
	id        string
	start     time.Time
	route     *route
	from      netip.Prefix
	opened    seal.Opened
	account   engine.Account
	seated    bool   // it has a place among the calls in work
	requestID string // set when it has passed its check
	bytes     int
	outcome   outcome
	err       error
}

// ServeHTTP is the receive pipeline (gsp-core §5.4). Whatever happens, exactly one answer is written, here.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := &call{id: s.cfg.NewID(), start: s.cfg.Now(), from: source(r.RemoteAddr)}
	status, wire := http.StatusInternalServerError, []byte(nil)
	func() {
		defer recovered(&c.err)
		status, wire = s.serve(w, r, c)
	}()
	if errors.Is(c.err, errPanic) {
		c.outcome = panicked
	}
	s.report(r.Context(), c, status)
	h := w.Header()
	if wire != nil {
		h.Set("Content-Type", contentType)
	}
	h.Set("Content-Length", strconv.Itoa(len(wire)))
	w.WriteHeader(status)
	_, _ = w.Write(wire) // a caller that is gone asks again and gets the same
}

// serve does steps 1 and 2 and the bounds: their answers are empty, because an answer that is signed costs what we want to save.
func (s *Server) serve(w http.ResponseWriter, r *http.Request, c *call) (int, []byte) {
	c.outcome = rejected
	if c.route = s.routes[r.URL.Path]; c.route == nil {
		return http.StatusNotFound, nil
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return http.StatusMethodNotAllowed, nil
	}
	// The caller hanging up cancels nothing: money may be on its way (design §3.1).
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), s.cfg.Deadline)
	defer cancel()
	limit := c.route.limit
	if r.ContentLength < 0 {
		limit = min(limit, s.cfg.BodyLimit) // a large body must say so
	}
	if r.ContentLength > limit {
		w.Header().Set("Connection", "close")
		return http.StatusRequestEntityTooLarge, nil
	}
	// What has not begun by then is not begun: half a deadline is too little for a rail. An upload goes to none.
	soon, half := context.WithTimeout(ctx, s.cfg.Deadline/2)
	defer half()
	begin, arriving, guest := soon, s.arriving, room.Guest{Party: c.from.String()}
	large := c.route.limit > s.cfg.BodyLimit // whatever its length: a small body may hide a large message
	if large {
		begin, arriving = ctx, s.uploads
	}
	if !arriving.Enter(guest) {
		return s.early(c, crowded)
	}
	leave := sync.OnceFunc(func() { arriving.Leave(guest) })
	defer leave()
	if large {
		select {
		case s.large <- struct{}{}:
			defer func() { <-s.large }()
		case <-soon.Done():
			return s.early(c, slow)
		}
	}
	body := s.body(r.ContentLength)
	defer s.bodies.Put(body)
	if _, err := body.ReadFrom(http.MaxBytesReader(w, r.Body, limit)); err != nil {
		if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
			return http.StatusRequestEntityTooLarge, nil
		}
		return http.StatusBadRequest, nil // the caller broke off
	}
	c.bytes = body.Len()
	switch {
	case s.strangers.turnedAway(c.from, c.start):
		c.outcome = turnedAway
		return http.StatusTooManyRequests, nil
	case s.working.Full():
		return s.early(c, full)
	}
	defer func() {
		if c.seated && c.outcome != late {
			s.working.Leave(c.guest())
		}
	}()
	if status, wire := s.open(begin, c, body.Bytes()); status != 0 {
		return status, wire
	}
	return s.seal(c, s.decide(ctx, begin, c, leave))
}

func (s *Server) body(expected int64) *bytes.Buffer {
	b, ok := s.bodies.Get().(*bytes.Buffer)
	if !ok || b.Cap() > 64<<10 {
		b = new(bytes.Buffer)
	}
	b.Reset()
	b.Grow(int(min(max(expected, 0), 16<<10)) + bytes.MinRead) // what a caller claims is not reason enough for more
	return b
}

// open does steps 3 to 5. Status 0: the sender is proven.
func (s *Server) open(ctx context.Context, c *call, body []byte) (status int, wire []byte) {
	leave, ok := s.line.enter(ctx)
	if !ok {
		return s.early(c, slow)
	}
	defer leave()
	var err error
	var kind fault.Kind
	c.outcome = stranger
	box := s.cfg.Box
	if c.route.limit > s.cfg.BodyLimit {
		box = s.cfg.LargeBox
	}
	c.opened, err = box.Open(context.WithValue(ctx, wayOut{}, leave), body)
	leave()
	switch {
	case err == nil:
		return 0, nil
	case errors.Is(err, seal.ErrBusy):
		c.outcome = turnedAway
		return http.StatusTooManyRequests, nil
	case errors.Is(err, seal.ErrSignature):
		kind = fault.BadSignature
	case errors.Is(err, seal.ErrEncryption):
		kind = fault.BadEncryption
	default:
		c.outcome, c.err = faulty, err
		return http.StatusInternalServerError, nil
	}
	s.strangers.failed(c.from, s.cfg.Now())
	c.err = fault.New(kind, "") // one text for every cause
	return s.refuse(c)
}

// refuse answers a fault that says nothing of the call, and bears no id of it: several callers get the same bytes.
func (s *Server) refuse(c *call) (status int, wire []byte) {
	kind, _ := fault.Of(c.err)
	now, g := s.cfg.Now(), c.route.api.Generation
	wire, err := s.shared.answer(refusal{g, kind}, now, func() ([]byte, error) {
		return s.cfg.Box.Seal(g.appendError(nil, now, c.err, ""))
	})
	if err != nil {
		c.outcome, c.err = unsealed, err
		return http.StatusInternalServerError, nil
	}
	return answerTo(kind).status, wire
}

// decide does steps 6 to 13: the members of a response, or a fault in c. Before 12, where money begins to move, it takes a place among the
// calls in work; then the call has left those on their way in.
func (s *Server) decide(ctx, begin context.Context, c *call, arrived func()) (members []byte) {
	c.outcome = faulty
	d, err := s.documents.read(c.opened.Plain, c.route.api.Generation, c.route.foreign)
	if err != nil {
		c.err = fault.New(fault.BadSyntax, "the request is not a strict JSON object")
		return nil
	}
	defer s.documents.release(d)
	if c.err = s.check(c, d); c.err != nil {
		return nil
	}
	if !s.admit(begin, c) {
		return nil
	}
	arrived()
	done := make(chan result, 1)
	w := work{
		route: c.route, plain: c.opened.Plain, foreign: d.foreign,
		content: append([]byte(c.route.prefix), d.content...), // a copy: a transaction may still look at it when we have given up waiting
		call: Call{
			ID: c.id, Account: c.account, RequestID: c.requestID, API: c.route.api.Name, Method: c.route.method.name,
			Generation: c.route.api.Generation, Major: c.route.api.Major, At: s.cfg.Business(),
		},
	}
	go func() { done <- s.do(ctx, w) }()
	r := s.await(ctx, c, done)
	c.outcome, c.err = r.outcome, r.err
	return r.members
}

// check does steps 7 to 11.
func (s *Server) check(c *call, d *document) error {
	api, names := &c.route.api, &d.shape.names
	for _, at := range [...]slot{header, requestID, stamp, timestamp, version, major} { // 7
		switch got := d.got[at].kind; {
		case names[at] == "": // a place this generation does not have
		case got == 0:
			return Missing(names[at])
		case d.shape.members[at] != nil && got != '{':
			return Invalid(names[at], "is not an object")
		}
	}
	switch v, err := parseInt64(d.got[major].text); { // 8: minor and revision are never looked at
	case err != nil:
		return Invalid(names[major], "is not an integer")
	case v != int64(api.Major):
		return &failure{
			fault.New(fault.BadVersion, "major version %d is served here", api.Major),
			fmt.Sprintf(`{"requestVersion":{"major":%d},"expectedVersion":{"major":%d}}`, v, api.Major),
		}
	}
	if d.got[requestID].kind != '"' || !validID(d.got[requestID].text) { // 9
		return Invalid(names[requestID], "is not 1 to 100 characters out of a-z A-Z 0-9 : - _")
	}
	c.requestID = d.got[requestID].text
	switch at, err := parseInt64(d.got[timestamp].text); { // 10
	case err != nil:
		return Invalid(names[timestamp], "is not a number of milliseconds")
	case !within(at, s.cfg.Now(), window):
		return fault.New(fault.StaleTime, "%s is more than 60 s away from our time", names[timestamp])
	}
	if c.route.method.free && api.Generation == A { // 11
		return nil
	}
	switch d.got[account].kind {
	case 0:
		return Missing(names[account])
	case '"':
	default:
		return Invalid(names[account], "is not a string")
	}
	found, ok := s.cfg.Accounts.Account(d.got[account].text)
	if !ok {
		return fault.New(fault.Unknown, "unknown paymentIntegratorAccountId")
	}
	c.account = found
	var served []string
	for r := c.route; r != nil; r = r.other {
		if r.api.Name == "" || slices.Contains(found.APIs, r.api.Name) {
			c.route = r
			return nil
		}
		served = append(served, r.api.Name)
	}
	return fault.New(fault.Forbidden, "this paymentIntegratorAccountId is not enabled for %s", strings.Join(served, " or "))
}

// validID is the rule for request ids (gsp-core §3.1).
func validID(id string) bool {
	return id != "" && len(id) <= 100 && !strings.ContainsFunc(id, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == ':' || r == '-' || r == '_')
	})
}

// work is a request that passed every check of the envelope.
type work struct {
	route   *route
	call    Call
	plain   []byte
	content []byte
	foreign string
}

// result is what the work came to: the members of a response, or a fault.
type result struct {
	members []byte
	outcome outcome
	err     error
}

// await waits until the deadline and a little longer, so that the work itself can say what it is waiting for. Then the caller hears 503
// and the work goes on: its place stays taken, and a repeat of the request joins it.
func (s *Server) await(ctx context.Context, c *call, done <-chan result) result {
	select {
	case r := <-done:
		return r
	case <-ctx.Done():
	}
	patience := time.NewTimer(grace)
	defer patience.Stop()
	select {
	case r := <-done:
		return r
	case <-patience.C:
	}
	guest := c.guest()
	s.running.Go(func() {
		<-done
		s.working.Leave(guest)
	})
	return result{outcome: late, err: fault.New(fault.Unavailable, undecided)}
}

const undecided = "not decided in time, ask again"

// do does steps 12 and 13.
func (s *Server) do(ctx context.Context, w work) (r result) {
	var ran atomic.Bool
	run := func(ctx context.Context, turn engine.Turn) (members []byte, err error) {
		ran.Store(true)
		defer recovered(&err) // before the engine sees it: others may be waiting for this turn
		if w.foreign != "" {
			return nil, Invalid(w.foreign, "belongs to another method")
		}
		return w.route.method.run(ctx, w.call, turn, w.plain)
	}
	defer func() {
		switch {
		case r.err != nil:
			r.outcome = faulty
		case ran.Load():
			r.outcome = fresh
		default:
			r.outcome = replay
		}
	}()
	defer recovered(&r.err)
	if w.route.method.once {
		r.members, r.err = s.cfg.Idempotency.Once(ctx, engine.Request{
			Key:    engine.Key{Account: w.call.Account.ID, RequestID: w.call.RequestID},
			Method: w.call.Method, Content: w.content,
		}, run)
	} else {
		r.members, r.err = run(ctx, engine.Turn{})
	}
	if k, _ := fault.Of(r.err); k == fault.Internal && errors.Is(r.err, context.DeadlineExceeded) {
		r.err = fault.Wrap(fault.Unavailable, r.err, undecided)
	}
	return r
}

// seal does step 14.
func (s *Server) seal(c *call, members []byte) (int, []byte) {
	if c.outcome == overload {
		return s.refuse(c)
	}
	g, now, status := c.route.api.Generation, s.cfg.Now(), http.StatusOK
	var plain []byte
	if c.err == nil && !bytes.HasPrefix(members, []byte("{")) {
		c.outcome, c.err = faulty, errors.New("a method returned no JSON object")
	}
	if c.err == nil {
		plain = g.appendResponse(nil, now, members)
	} else {
		kind, _ := fault.Of(c.err)
		status, plain = answerTo(kind).status, g.appendError(nil, now, c.err, c.id)
	}
	wire, err := s.cfg.Box.Seal(plain)
	if err != nil {
		if c.outcome != late {
			c.outcome = unsealed
		}
		c.err = err
		return http.StatusInternalServerError, nil
	}
	return status, wire
}
