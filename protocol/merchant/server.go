package merchant

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"naru/core/bank"
	"naru/room"
)

// A Meter counts calls. Method is one of ours or "none", so its values are few.
type Meter interface {
	Called(method string, status int, code Code, seconds float64)
}

// Config is what a Server needs. Zero limits take the defaults named here.
type Config struct {
	Environment string // for the log
	Engine      Engine
	Merchants   map[string]Profile // by platform_id: who is not here is unknown
	Banks       bank.Table         // default: bank.Shipped
	PayBase     string             // where payers reach the payment page: http or https, without a path
	Proxies     []string           // addresses or networks whose X-Forwarded-For is believed
	Private     bool               // calls to private addresses are allowed: in a sandbox only
	Sources     []string           // the addresses that our notifications come from, for merchants to know (§16)
	Now         func() time.Time   // wall time: request_time and rates
	Business    func() time.Time   // business time, as orders have it
	NewID       func() string      // ids of calls in our log; default: random
	Log         *slog.Logger
	Meter       Meter               // optional
	Refused     func(reason string) // hears why a call was refused early, one word from a fixed list; optional

	BodyLimit int64         // bytes, 1 MiB
	MaxCalls  int           // calls in work at a time, and beside them calls on their way in, 1024
	Deadline  time.Duration // for a whole call, 20 s
	Precheck  time.Duration // for a merchant's own check of a payout, 10 s (§11)
}

// Server answers what merchants call.
type Server struct {
	cfg         Config
	merchants   map[string]Profile
	proxies     []netip.Prefix
	tokens      tokens
	signers     signers
	rates       rates
	out         outgoing
	arriving    *room.Room // calls on their way in, by where they come from: nobody has proven yet who he is
	working     *room.Room // calls in work, by merchant
	checking    *room.Room // those of them that wait for their merchant: a part, so that others get through
	description []byte
}

//go:embed openapi.json
var description []byte

// NewServer makes a server. Every problem of its configuration is an error here, and none later.
func NewServer(cfg Config) (*Server, error) {
	cfg.BodyLimit = cmp.Or(cfg.BodyLimit, 1<<20)
	cfg.MaxCalls = cmp.Or(cfg.MaxCalls, 1024)
	cfg.Deadline = cmp.Or(cfg.Deadline, 20*time.Second)
	cfg.Precheck = cmp.Or(cfg.Precheck, 10*time.Second)
	if len(cfg.Banks.List()) == 0 {
		cfg.Banks = bank.Shipped
	}
	if cfg.NewID == nil {
		cfg.NewID = rand.Text
	}
	if cfg.Meter == nil {
		cfg.Meter = noMeter{}
	}
	if cfg.Refused == nil {
		cfg.Refused = func(string) {}
	}
	base, err := url.Parse(cfg.PayBase)
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" || strings.Trim(base.Path, "/") != "" ||
		base.RawQuery != "" || base.User != nil {
		return nil, errors.New("merchant: the base of payment pages is an http or https address without a path")
	}
	cfg.PayBase = strings.TrimRight(cfg.PayBase, "/")
	s := &Server{
		cfg: cfg, out: newOutgoing(cfg.Private),
		arriving: room.New(cfg.MaxCalls), working: room.New(cfg.MaxCalls), checking: room.New(max(1, cfg.MaxCalls/4)),
	}
	if s.merchants, err = profiles(cfg.Merchants, cfg.Private); err != nil {
		return nil, err
	}
	for _, text := range cfg.Proxies {
		network, err := parseNetwork(text)
		if err != nil {
			return nil, fmt.Errorf("merchant: proxy %q is neither an address nor a network", text)
		}
		s.proxies = append(s.proxies, network)
	}
	sources, err := json.Marshal(cfg.Sources)
	const place = `"x-notification-sources": `
	s.description = bytes.Replace(description, []byte(place+"[]"), append([]byte(place), sources...), 1)
	return s, err
}

// Profile is a merchant's profile with the defaults that count where it says nothing.
func (s *Server) Profile(merchant string) Profile { return s.merchants[merchant] }

// Close lets go of idle connections to merchants.
func (s *Server) Close() { s.out.http.CloseIdleConnections() }

type noMeter struct{}

func (noMeter) Called(string, int, Code, float64) {}

const contentType = "application/json;charset=utf-8"

// The paths: all of the API's begin with base (§1); its description stands beside them.
const (
	base            = "/gateway/api/"
	descriptionPath = "/gateway/openapi.json"
)

// call is one request on its way through the pipeline, and what the log may know of it.
type call struct {
	id        string
	start     time.Time
	operation string
	merchant  string // set when it is proven who calls
	clientID  string // the order number in the path
	profile   Profile
	query     url.Values
	in        map[string]string // the parameters of the body
	algorithm Algorithm
	bytes     int
	err       error
}

// ServeHTTP is the receive pipeline, in the order of §15. Whatever happens, exactly one answer is written, here.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := &call{id: s.cfg.NewID(), start: s.cfg.Now(), operation: "none"}
	status, answer := s.serve(r, c)
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(answer)))
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(answer) // a merchant that is gone asks for its number
}

func (s *Server) serve(r *http.Request, c *call) (status int, answer []byte) {
	if r.URL.Path == descriptionPath && r.Method == http.MethodGet {
		return http.StatusOK, s.description
	}
	data, err := s.decide(r, c)
	e := Envelope{ErrorCode: Success, Data: data}
	if l, ok := data.(list); ok {
		e.Data, e.Total = l.data, &l.total
	}
	status = http.StatusOK
	if err != nil {
		c.err = err
		status, e = said(err)
	}
	answer, err = json.Marshal(e)
	if err != nil {
		c.err, status, answer = err, http.StatusInternalServerError, []byte(`{}`)
	}
	s.report(r.Context(), c, status, e.ErrorCode)
	return status, answer
}

var errNoPath = errors.New("no such path")

// said is how the wire says an error (§3, §15). What is no failure that has a code is an outcome that nobody knows: HTTP 500, which tells
// the merchant to query before it does anything else (§8).
func said(err error) (int, Envelope) {
	var f *failure
	switch {
	case errors.As(err, &f):
		return http.StatusOK, Envelope{ErrorCode: f.code, ErrorMsg: f.text}
	case errors.Is(err, errNoPath):
		return http.StatusNotFound, Envelope{ErrorCode: BadParameter, ErrorMsg: "There is no such path"}
	}
	const unknown = "The outcome is not known: query the order before you ask again"
	return http.StatusInternalServerError, Envelope{ErrorCode: NetworkDelay, ErrorMsg: unknown}
}

// decide proves who calls and does what is asked.
func (s *Server) decide(r *http.Request, c *call) (data any, err error) {
	defer recovered(&err)
	op, id, err := find(r.Method, r.URL.EscapedPath())
	if err != nil {
		return nil, err
	}
	c.operation, c.clientID, c.query = op.name, id, r.URL.Query()
	source := room.From(s.from(r))
	if !s.arriving.Enter(source) {
		return nil, s.early(crowded)
	}
	leave := sync.OnceFunc(func() { s.arriving.Leave(source) })
	defer leave()
	var body []byte
	if op.fields != nil {
		if body, err = s.body(r, c); err != nil {
			return nil, err
		}
	}
	// The caller hanging up cancels nothing: money may be on its way (design §3.1).
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), s.cfg.Deadline)
	defer cancel()
	if op.fields != nil {
		err = s.proveBody(ctx, r, c, op.fields, body)
	} else {
		err = s.proveToken(ctx, r, c)
	}
	if err != nil {
		return nil, err
	}
	if !s.rates.take(c.merchant, c.profile, c.start) {
		return nil, s.early(rate)
	}
	own := room.Guest{Party: c.merchant}
	if !s.working.Enter(own) {
		return nil, s.early(share)
	}
	defer s.working.Leave(own)
	leave()
	return op.run(s, ctx, c)
}

// Why a call is refused early. Nothing of it was done: the merchant may ask again.
const (
	crowded  = "crowded"  // too many calls are on their way in, or too many from there
	rate     = "rate"     // the merchant calls too often
	share    = "share"    // the merchant has all the places that it may have
	precheck = "precheck" // likewise of those who wait for their merchants
)

var early = map[string]error{
	crowded:  refuse(NetworkDelay, "Too many calls: nothing was done, ask again later"),
	rate:     refuse(NetworkDelay, "Too many calls of this merchant: nothing was done, ask again later"),
	share:    refuse(NetworkDelay, "Too many calls of this merchant at once: nothing was done, ask again later"),
	precheck: refuse(NetworkDelay, "Too many payouts wait for their merchants: nothing was done, ask again later"),
}

// early is the answer to a call that is refused before anything is done (§15: no code is nearer than 0001).
func (s *Server) early(why string) error {
	s.cfg.Refused(why)
	return early[why]
}

var versions = regexp.MustCompile(`^v[0-9]+$`)

// find is the operation at a path. A path that only the other version has is a wrong version (0020).
func find(verb, path string) (op operation, id string, err error) {
	rest, ok := strings.CutPrefix(path, base)
	version, what, found := strings.Cut(rest, "/")
	if !ok || !found || !versions.MatchString(version) {
		return op, "", errNoPath
	}
	here := false
	elsewhere := !slices.ContainsFunc(operations, func(o operation) bool { return strings.HasPrefix(o.path, version+"/") })
	for _, o := range operations {
		its, pattern, _ := strings.Cut(o.path, "/")
		id, ok := matches(pattern, what)
		switch {
		case !ok:
		case its == version && o.verb == verb:
			return o, id, nil
		case its == version:
			here = true
		case o.verb == verb:
			elsewhere = true
		}
	}
	switch {
	case elsewhere:
		return op, "", refuse(WrongVersion, "This version of the API does not serve this call")
	case here:
		return op, "", refuse(BadMethod, "This HTTP method is not served here")
	}
	return op, "", errNoPath
}

// matches compares a path with one that may end in a parameter.
func matches(pattern, path string) (id string, ok bool) {
	fixed, _, open := strings.Cut(pattern, "{")
	if !open {
		return "", path == pattern
	}
	id, ok = strings.CutPrefix(path, fixed)
	if !ok || id == "" || strings.Contains(id, "/") {
		return "", false
	}
	id, err := url.PathUnescape(id)
	return id, err == nil
}

// body reads the body of a signed request. It takes no place among the calls in work meanwhile: a merchant may be slow.
func (s *Server) body(r *http.Request, c *call) ([]byte, error) {
	kind, parameters, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	charset := strings.ToLower(parameters["charset"])
	if err != nil || kind != "application/json" || charset != "" && charset != "utf-8" && charset != "utf8" {
		return nil, refuse(BadContentType, "Content-Type must be application/json;charset=utf-8")
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, s.cfg.BodyLimit+1))
	c.bytes = len(body)
	switch {
	case err != nil:
		return nil, refuse(BadJSON, "The body broke off")
	case int64(len(body)) > s.cfg.BodyLimit:
		return nil, refuse(BadParameter, "The body is larger than %d bytes", s.cfg.BodyLimit)
	}
	return body, nil
}

// proveBody reads a signed request, in the order of §15: what is required, who it is, from where, the signature, the time.
func (s *Server) proveBody(ctx context.Context, r *http.Request, c *call, fields []field, body []byte) error {
	d, err := read(body)
	if err != nil {
		return refuse(BadJSON, "The body must be one JSON object in UTF-8 whose names occur once")
	}
	if c.in, err = d.check(fields); err != nil {
		return err
	}
	id := c.in["platform_id"]
	p, known := s.merchants[id]
	if !known {
		return refuse(BadSignature, wrongSignature)
	}
	if !p.admits(s.from(r)) {
		return refuse(HostNotAllowed, "This address may not call for this merchant")
	}
	if c.algorithm, err = p.algorithm(c.in["sign_type"]); err != nil {
		return err
	}
	proven, err := s.signers.proven(ctx, s, id, c.in["sign"], d.explain().Text, c.algorithm)
	if err != nil {
		return err
	}
	if !proven {
		return refuse(BadSignature, wrongSignature)
	}
	c.merchant, c.profile = id, p
	return p.fresh(c.in["request_time"], c.start)
}

const wrongSignature = "Signature check failed" // the same for a merchant that we do not know

// proveToken reads the Authorization header (§1): the token alone.
func (s *Server) proveToken(ctx context.Context, r *http.Request, c *call) error {
	given := r.Header.Get("Authorization")
	if given == "" {
		return refuse(NoToken, "The Authorization header is missing")
	}
	id, ok, err := s.tokens.owner(ctx, s, given)
	if bare, prefixed := strings.CutPrefix(given, "Bearer "); err == nil && !ok && prefixed {
		id, ok, err = s.tokens.owner(ctx, s, bare)
		ok = ok && s.merchants[id].Bearer
	}
	switch {
	case err != nil:
		return err
	case !ok:
		return refuse(BadToken, "The Authorization header is not valid")
	case !s.merchants[id].admits(s.from(r)):
		return refuse(HostNotAllowed, "This address may not call for this merchant")
	}
	c.merchant, c.profile = id, s.merchants[id]
	return nil
}

// from is the address that a call comes from: that of the connection, unless it is a proxy of ours, which says for whom it calls.
func (s *Server) from(r *http.Request) netip.Addr {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	from := at.Addr().Unmap().WithZone("")
	ours := func(a netip.Addr) bool {
		return slices.ContainsFunc(s.proxies, func(n netip.Prefix) bool { return n.Contains(a) })
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && ours(from); i-- { // the last one that is not ours; what stands before it anybody may have written
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		from = hop.Unmap().WithZone("")
	}
	return from
}

var errPanic = errors.New("panic")

// recovered turns a panic into an error that says where it happened. What was thrown may hold what must not be logged.
func recovered(err *error) {
	if thrown := recover(); thrown != nil {
		*err = fmt.Errorf("%w of a %T at %s", errPanic, thrown, debug.Stack())
	}
}

// report writes the one line a call leaves: never what a body holds beside the order number.
func (s *Server) report(ctx context.Context, c *call, status int, code Code) {
	took := s.cfg.Now().Sub(c.start)
	s.cfg.Meter.Called(c.operation, status, code, took.Seconds())
	level, order, cause := slog.LevelInfo, "", ""
	if c.merchant != "" { // what a stranger writes is not kept
		order = cmp.Or(c.clientID, c.in["payment_cl_id"], c.in["payout_cl_id"])
	}
	if status >= http.StatusInternalServerError || code == Success && c.err != nil {
		level, cause = slog.LevelError, c.err.Error()
	}
	s.cfg.Log.LogAttrs(ctx, level, "merchant call",
		slog.String("environment", s.cfg.Environment), slog.String("method", c.operation), slog.String("merchant", c.merchant),
		slog.String("order", order), slog.Int("status", status),
		slog.String("code", string(code)), slog.Float64("seconds", took.Seconds()), slog.Int("body_bytes", c.bytes),
		slog.String("call_id", c.id), slog.String("cause", cause))
}
