package gsp_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"naru/core/fault"
	"naru/engine"
	"naru/protocol/gsp"
	"naru/seal"
)

// start is the moment at which tests play unless they move it.
var start = time.Now().Truncate(time.Second)

type pair struct{ private, public []byte }

// keys are made once: ours and Google's, each before and after a rotation.
var keys = sync.OnceValue(func() (k struct{ ours, oursNext, google, googleNext pair }) {
	for _, p := range []*pair{&k.ours, &k.oursNext, &k.google, &k.googleNext} {
		var err error
		if p.private, p.public, err = seal.GenerateKey(seal.KeyOptions{Name: "test", Now: start.Add(-time.Hour)}); err != nil {
			panic(err)
		}
	}
	return k
})

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// box holds the private halves of its owner and the public halves of its peer.
func box(now func() time.Time, own, peer []pair) *seal.Box {
	return boxWithin(seal.Limits{}, now, own, peer)
}

func boxWithin(l seal.Limits, now func() time.Time, own, peer []pair) *seal.Box {
	var private, public [][]byte
	for _, p := range own {
		private = append(private, p.private)
	}
	for _, p := range peer {
		public = append(public, p.public)
	}
	return must(seal.NewBox(seal.Config{
		Own: must(seal.ParseRing(private...)), Peer: must(seal.ParseRing(public...)), Now: now, Pause: func(context.Context) {}, Limits: l,
	}))
}

// world is a server behind a real TLS listener, and Google's side of it.
type world struct {
	t       *testing.T
	now     atomic.Int64 // wall time, Unix milliseconds
	server  *gsp.Server
	address string
	url     string
	http    *http.Client
	google  gsp.Box
	once    *once
	log     *syncBuffer

	holds  atomic.Int64          // how often the method really held money
	fail   atomic.Pointer[error] // what the method answers instead
	inside chan struct{}         // told when the method is stuck
	stuck  chan struct{}         // keeps the method until it is closed
}

type options struct {
	config func(*gsp.Config)
	maxTLS uint16
	ourBox gsp.Box
	routes []gsp.Method
}

func newWorld(t *testing.T, o options) *world {
	w := &world{
		t: t, once: &once{answered: map[engine.Key]answered{}, running: map[engine.Key]chan struct{}{}},
		log: &syncBuffer{}, inside: make(chan struct{}, 100), stuck: make(chan struct{}),
	}
	w.now.Store(start.UnixMilli())
	w.google = box(w.time, []pair{keys().google}, []pair{keys().ours})
	cfg := gsp.Config{
		Environment: "test", ServerMessage: "node 1", Box: o.ourBox, Idempotency: w.once,
		Accounts: accounts{
			"NaruPG_KRW":  {ID: "NaruPG_KRW", APIs: []string{"test-v1"}},
			"NaruPG2_KRW": {ID: "NaruPG2_KRW", APIs: []string{"test-v1", "test-v2"}},
			"NaruNone":    {ID: "NaruNone"},
		},
		Now: w.time, Business: w.time, Log: slog.New(slog.NewJSONHandler(w.log, nil)),
	}
	if cfg.Box == nil {
		cfg.Box = box(w.time, []pair{keys().ours}, []pair{keys().google})
	}
	if o.config != nil {
		o.config(&cfg)
	}
	w.server = gsp.NewServer(cfg)
	methods := append(o.routes, gsp.Handle("hold", w.hold), gsp.Handle("free", w.free))
	w.server.Serve(gsp.API{Name: "test-v1", Generation: gsp.A, Major: 1, Prefix: "/v1/test-api/", Methods: methods})
	w.server.Serve(gsp.API{Name: "test-v2", Generation: gsp.B, Major: 2, Prefix: "/v2/test-api/", Methods: methods[len(o.routes):]})

	cert, roots := certificate()
	if o.maxTLS == 0 {
		o.maxTLS = tls.VersionTLS13
	}
	inner := must(net.Listen("tcp", "127.0.0.1:0"))
	srv := gsp.HTTPServer(w.server, slog.New(slog.DiscardHandler))
	done := make(chan error, 1)
	go func() { done <- srv.Serve(gsp.Listen(inner, must(gsp.TLSConfig(cert, tls.VersionTLS12, o.maxTLS)))) }()
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		if err := srv.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
		w.server.Drain()
	})
	w.address = inner.Addr().String()
	w.url = "https://" + w.address
	w.http = &http.Client{Transport: transport}
	return w
}

func (w *world) time() time.Time { return time.UnixMilli(w.now.Load()) }

var certificate = sync.OnceValues(func() (tls.Certificate, *x509.CertPool) {
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der := must(x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key))
	pool := x509.NewCertPool()
	pool.AddCert(must(x509.ParseCertificate(der)))
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
})

type holdRequest struct {
	Amount     *gsp.Int64 `json:"amount"`
	CardNumber *string    `json:"cardNumber"`
	Decline    *gsp.Empty `json:"decline"`
}

type holdResponse struct {
	Result string `json:"result"`
	Hold   int64  `json:"hold,omitzero"`
}

// hold is a method that moves money.
func (w *world) hold(ctx context.Context, call gsp.Call, _ engine.Turn, in holdRequest) ([]byte, error) {
	err := gsp.First(gsp.Required("amount", in.Amount != nil), gsp.Required("cardNumber", in.CardNumber != nil))
	if err != nil {
		return nil, err
	}
	if strings.Trim(*in.CardNumber, "0123456789") != "" {
		return nil, gsp.Invalid("cardNumber", "is not 13 to 19 digits")
	}
	if p := w.fail.Load(); p != nil {
		switch err := *p; err {
		case errThrow:
			panic("4111111111111111 must not be logged")
		case errStuck: // deaf to the deadline
			w.inside <- struct{}{}
			<-w.stuck
		case errSlow:
			<-ctx.Done()
			return nil, ctx.Err()
		default:
			return nil, err
		}
	}
	if in.Decline != nil {
		return gsp.Encode(holdResponse{Result: "DECLINED", Hold: w.holds.Add(1)})
	}
	return gsp.Encode(holdResponse{Result: "SUCCESS", Hold: w.holds.Add(1)})
}

var (
	errThrow = errors.New("throw")
	errStuck = errors.New("stuck")
	errSlow  = errors.New("slow")
)

func (w *world) failing(err error) { w.fail.Store(&err) }
func (w *world) healthy()          { w.fail.Store(nil) }

type freeRequest struct {
	HoldRequestID *string    `json:"holdRequestId"`
	Amount        *gsp.Int64 `json:"amount"`
}

func (w *world) free(_ context.Context, _ gsp.Call, _ engine.Turn, in freeRequest) ([]byte, error) {
	return gsp.Encode(holdResponse{Result: "ACKNOWLEDGED"})
}

type accounts map[string]engine.Account

func (a accounts) Account(id string) (engine.Account, bool) {
	found, ok := a[id]
	return found, ok
}

// once is the idempotency that the engine has, without its store.
type once struct {
	mu       sync.Mutex
	answered map[engine.Key]answered
	running  map[engine.Key]chan struct{}
}

type answered struct{ content, answer []byte }

func (o *once) Once(ctx context.Context, r engine.Request, fn func(context.Context, engine.Turn) ([]byte, error)) ([]byte, error) {
	for {
		o.mu.Lock()
		if a, ok := o.answered[r.Key]; ok {
			o.mu.Unlock()
			if !bytes.Equal(a.content, r.Content) {
				return nil, fault.New(fault.KeyReused, "requestId was used before with other content")
			}
			return a.answer, nil
		}
		if done, ok := o.running[r.Key]; ok {
			o.mu.Unlock()
			select {
			case <-done:
				continue
			case <-ctx.Done():
				return nil, fault.New(fault.Aborted, "the first copy is still being worked on")
			}
		}
		done := make(chan struct{})
		o.running[r.Key] = done
		o.mu.Unlock()
		answer, err := fn(ctx, engine.Turn{})
		o.mu.Lock()
		if err == nil {
			o.answered[r.Key] = answered{bytes.Clone(r.Content), answer}
		}
		delete(o.running, r.Key)
		close(done)
		o.mu.Unlock()
		return answer, err
	}
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// last is the newest line of the log.
func (b *syncBuffer) last(t *testing.T) map[string]any {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	var fields map[string]any
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &fields); err != nil {
		t.Fatal(err)
	}
	return fields
}

// ask writes generation A's request around members such as `"amount":"5"`.
func (w *world) ask(id, members string) string {
	return `{"requestHeader":{"requestId":"` + id + `","requestTimestamp":"` + strconv.FormatInt(w.now.Load(), 10) +
		`","protocolVersion":{"major":1,"minor":0,"revision":0}},"paymentIntegratorAccountId":"NaruPG_KRW",` + members + `}`
}

func (w *world) askB(id, members string) string {
	return `{"requestHeader":{"requestId":"` + id + `","requestTimestamp":{"epochMillis":"` + strconv.FormatInt(w.now.Load(), 10) +
		`"},"protocolVersion":{"major":2},"paymentIntegratorAccountId":"NaruPG2_KRW"},` + members + `}`
}

// send seals a request, posts it and opens the answer. An empty answer is "".
func (w *world) send(path, plain string) (status int, body string) {
	w.t.Helper()
	return w.sendBy(w.google, path, plain)
}

func (w *world) sendBy(b gsp.Box, path, plain string) (int, string) {
	w.t.Helper()
	return w.post(path, must(b.Seal([]byte(plain))))
}

func (w *world) post(path string, wire []byte) (int, string) {
	w.t.Helper()
	resp, err := w.http.Post(w.url+path, "application/octet-stream", bytes.NewReader(wire))
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body := must(io.ReadAll(resp.Body))
	if got := resp.Header.Get("Content-Length"); got != strconv.Itoa(len(body)) {
		w.t.Errorf("Content-Length %q for %d bytes", got, len(body))
	}
	if len(body) == 0 {
		return resp.StatusCode, ""
	}
	if got := resp.Header.Get("Content-Type"); got != "application/octet-stream; charset=utf-8" {
		w.t.Errorf("Content-Type %q", got)
	}
	opened, err := w.google.Open(context.Background(), body)
	if err != nil {
		w.t.Fatalf("status %d, answer of %d bytes: %v", resp.StatusCode, len(body), err)
	}
	return resp.StatusCode, string(opened.Plain)
}

// stamped is the wanted answer of generation A with the header of this moment in front.
func (w *world) stamped(members string) string {
	return `{"responseHeader":{"responseTimestamp":"` + strconv.FormatInt(w.now.Load(), 10) + `"},` + members + `}`
}

func (w *world) stampedB(members string) string {
	return `{"responseHeader":{"responseTimestamp":{"epochMillis":"` + strconv.FormatInt(w.now.Load(), 10) + `"}},` + members + `}`
}

// errorID is the id of the call that the log calls last.
func (w *world) errorID() string { return w.log.last(w.t)["error_id"].(string) }

// want compares a whole answer. In members, ID stands for our own id of the call.
func (w *world) want(what string, status int, body string, wantStatus int, want string) {
	w.t.Helper()
	want = strings.ReplaceAll(want, `"ID"`, `"`+w.errorID()+`"`)
	if status != wantStatus || body != want {
		w.t.Errorf("%s:\n got %d %s\nwant %d %s", what, status, body, wantStatus, want)
	}
}
