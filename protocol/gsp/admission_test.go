package gsp

import (
	"context"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"naru/engine"
	"naru/room"
	"naru/seal"
)

// crowd is a server of few places, and gates that hold back what a test wants to last.
type crowd struct {
	*testing.T
	*Server
	inside chan string              // told whenever the work of an account waits at its gate
	gates  map[string]chan struct{} // by acquirer or bank

	mu      sync.Mutex
	refused map[string]int
}

// Account knows accounts by what they are called: an acquirer or a bank, and a number.
func (c *crowd) Account(id string) (engine.Account, bool) {
	a := engine.Account{ID: id, APIs: []string{"toy-v1"}}
	rail, _, _ := strings.Cut(id, "-")
	if strings.HasSuffix(rail, "bank") {
		a.Bank = rail
	} else {
		a.Acquirer = rail
	}
	return a, true
}

func newCrowd(t *testing.T, change func(*Config)) *crowd {
	c := &crowd{T: t, inside: make(chan string), gates: map[string]chan struct{}{}, refused: map[string]int{}}
	now := func() time.Time { return time.UnixMilli(1772409400000) }
	cfg := Config{
		Box: glass{}, Idempotency: everyTime{}, Accounts: c, Now: now, Business: now, Log: slog.New(slog.DiscardHandler),
		Deadline: time.Hour, MaxCalls: 16, Refused: func(reason string) {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.refused[reason]++
		},
	}
	if change != nil {
		change(&cfg)
	}
	c.Server = NewServer(cfg)
	c.Serve(API{Name: "toy-v1", Generation: A, Major: 1, Prefix: "/v1/", Methods: []Method{
		Handle("work", func(_ context.Context, call Call, _ engine.Turn, _ struct{}) ([]byte, error) {
			rail, _, _ := strings.Cut(call.Account.ID, "-")
			if gate := c.gates[rail]; gate != nil {
				c.inside <- call.Account.ID
				<-gate
			}
			return []byte(`{}`), nil
		}),
		Handle("document", func(context.Context, Call, engine.Turn, struct{}) ([]byte, error) { return []byte(`{}`), nil }).Limit(9 << 20),
	}})
	return c
}

func request(account string) io.Reader {
	return strings.NewReader(strings.Replace(upload, `"x"`, `"`+account+`"`, 1) + `"}`)
}

func (c *crowd) call(path string, body io.Reader, from string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, path, body)
	if from != "" {
		r.RemoteAddr = from
	}
	w := httptest.NewRecorder()
	c.ServeHTTP(w, r)
	return w
}

// work is a call of an account that nothing holds back.
func (c *crowd) work(account string) *httptest.ResponseRecorder {
	return c.call("/v1/work", request(account), "")
}

// fill lets an account call, each call waiting at the gate, until one of them is answered: that it may not.
func (c *crowd) fill(account string, done chan int) (held int, refusal *httptest.ResponseRecorder) {
	c.Helper()
	for {
		answer := make(chan *httptest.ResponseRecorder, 1)
		go func() {
			w := c.work(account)
			answer <- w
			done <- w.Code
		}()
		select {
		case <-c.inside:
			held++
		case w := <-answer:
			<-done
			return held, w
		}
	}
}

func (c *crowd) reasons(want map[string]int) {
	c.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if !maps.Equal(c.refused, want) {
		c.Errorf("refused %v, want %v", c.refused, want)
	}
}

// A rail that hangs, and an account that calls too much, take their share of the places and no more: what is beyond is refused at once,
// sealed, and before the work begins; everybody else is answered as ever.
func TestOneRailDoesNotStarveTheOthers(t *testing.T) {
	seals := &countedSeals{}
	c := newCrowd(t, func(cfg *Config) { cfg.Box = seals })
	c.gates["hung"] = make(chan struct{})
	done := make(chan int, 100)
	first, refusal := c.fill("hung-1", done)
	const want = `{"responseHeader":{"responseTimestamp":"1772409400000"},"errorDescription":"too much is under way, ask again later"}`
	if first != 9 || refusal.Code != 503 || refusal.Body.String() != want {
		t.Errorf("%d calls of one account are in work, and the next is answered %d %s", first, refusal.Code, refusal.Body)
	}
	second, refusal := c.fill("hung-2", done)
	if second != 3 || refusal.Code != 503 {
		t.Errorf("%d calls of the next account of that rail are in work, and the next is answered %d", second, refusal.Code)
	}
	for _, account := range []string{"well-1", "well-2", "bank-1"} {
		for range 20 {
			if w := c.work(account); w.Code != 200 {
				t.Fatalf("%s is answered %d %s", account, w.Code, w.Body)
			}
		}
	}
	if w := c.call("/v1/echo", strings.NewReader(strings.Replace(upload, `"document"`, `"clientMessage"`, 1)+`"}`), ""); w.Code != 200 {
		t.Errorf("echo is answered %d %s", w.Code, w.Body)
	}
	if seals.count() != 1 {
		t.Errorf("the refusals of one second are sealed %d times", seals.count())
	}
	c.reasons(map[string]int{share: 2})

	close(c.gates["hung"])
	for range first + second {
		if code := <-done; code != 200 {
			t.Errorf("who was in work is answered %d", code)
		}
	}
	c.gates["hung"] = nil
	if w := c.work("hung-1"); w.Code != 200 {
		t.Errorf("afterwards: %d", w.Code)
	}
	if c.working.Taken() != 0 || c.arriving.Taken() != 0 {
		t.Errorf("%d and %d places are still taken", c.working.Taken(), c.arriving.Taken())
	}
}

// countedSeals counts what it seals by what it says.
type countedSeals struct {
	glass
	mu       sync.Mutex
	refusals int
}

func (b *countedSeals) Seal(plain []byte) ([]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if strings.Contains(string(plain), "under way") {
		b.refusals++
	}
	return plain, nil
}

func (b *countedSeals) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.refusals
}

// narrow is a box that opens one message after another, each when it may.
type narrow struct {
	glass
	opening chan struct{}
	may     chan struct{}
}

func (b narrow) Open(ctx context.Context, wire []byte) (seal.Opened, error) {
	b.opening <- struct{}{}
	<-b.may
	return b.glass.Open(ctx, wire)
}

// In front of the cryptography calls wait in a line. Who could not be served in time does not wait at all.
func TestLine(t *testing.T) {
	b := narrow{opening: make(chan struct{}, 9), may: make(chan struct{})}
	c := newCrowd(t, func(cfg *Config) { cfg.Box, cfg.Openings = b, 1 })
	done := make(chan int, 9)
	send := func() { done <- c.work("well-1").Code }
	go send()
	<-b.opening

	c.line.cost.Store(int64(time.Hour))
	if w := c.work("well-1"); w.Code != 503 || w.Body.Len() != 0 {
		t.Errorf("who would wait for an hour is answered %d %s", w.Code, w.Body)
	}
	c.reasons(map[string]int{slow: 1})

	c.line.cost.Store(0)
	for range 3 {
		go send()
	}
	for c.line.waiting.Load() < 3 {
		if len(b.opening) > 0 {
			t.Fatal("two messages are being opened at a time")
		}
		runtime.Gosched()
	}
	for range 4 {
		b.may <- struct{}{}
		if code := <-done; code != 200 {
			t.Errorf("who waited is answered %d", code)
		}
	}
	if len(c.line.slots) != 0 || c.line.waiting.Load() != 0 {
		t.Errorf("%d slots taken, %d waiting", len(c.line.slots), c.line.waiting.Load())
	}
}

// sleepy is a box that takes all the time there is.
type sleepy struct{ glass }

func (b sleepy) Open(ctx context.Context, wire []byte) (seal.Opened, error) {
	<-ctx.Done()
	return b.glass.Open(ctx, wire)
}

// A call whose time is half over when its work could begin is refused, and nothing of it is done. Uploads go to no rail, and may take
// longer.
func TestTooLateToBegin(t *testing.T) {
	worked := false
	c := newCrowd(t, func(cfg *Config) { cfg.Box, cfg.LargeBox, cfg.Deadline = sleepy{}, glass{}, 10*time.Millisecond })
	c.Serve(API{Name: "toy-v1", Generation: A, Major: 1, Prefix: "/v1/", Methods: []Method{
		Handle("effect", func(context.Context, Call, engine.Turn, struct{}) ([]byte, error) {
			worked = true
			return []byte(`{}`), nil
		}),
	}})
	w := c.call("/v1/effect", request("well-1"), "")
	if w.Code != 503 || w.Body.Len() == 0 || worked {
		t.Errorf("%d %s, worked: %t", w.Code, w.Body, worked)
	}
	c.reasons(map[string]int{halved: 1})
	if w := c.call("/v1/document", request("well-1"), ""); w.Code != 200 {
		t.Errorf("an upload is answered %d", w.Code)
	}
}

// Who waits because its message failed holds up nobody in the line.
func TestPauseLeavesTheLine(t *testing.T) {
	b := &pausing{}
	c := newCrowd(t, func(cfg *Config) { cfg.Box = b })
	b.line = &c.line
	if w := c.work("well-1"); w.Code != 400 || b.taken != 0 {
		t.Errorf("%d, and %d slots are taken during the pause", w.Code, b.taken)
	}
	Pause(ended()) // outside of any line
	if len(c.line.slots) != 0 {
		t.Errorf("%d slots are taken at the end", len(c.line.slots))
	}
}

type pausing struct {
	glass
	line  *line
	taken int
}

func (b *pausing) Open(ctx context.Context, _ []byte) (seal.Opened, error) {
	gone, hangUp := context.WithCancel(ctx)
	hangUp()
	Pause(gone)
	b.taken = len(b.line.slots)
	return seal.Opened{}, seal.ErrEncryption
}

func ended() context.Context {
	ctx, end := context.WithCancel(context.Background())
	end()
	return ctx
}

// A source that sends slowly takes its share of those on their way in. What is beyond is refused before anything of it is read.
func TestOneSourceDoesNotStarveTheOthers(t *testing.T) {
	c := newCrowd(t, func(cfg *Config) { cfg.MaxCalls = 4 })
	const crawler, other = "192.0.2.1:1", "192.0.2.2:1"
	reading, end, done := make(chan struct{}), make(chan struct{}), make(chan int, 9)
	crawl := func() io.Reader { return io.MultiReader(&gate{reading, end}, request("well-1")) }
	for range 3 {
		go func() { done <- c.call("/v1/work", crawl(), crawler).Code }()
		<-reading
	}
	if w := c.call("/v1/work", crawl(), crawler); w.Code != 503 || w.Body.Len() != 0 {
		t.Errorf("the fourth is answered %d %s", w.Code, w.Body)
	}
	for range 9 {
		if w := c.call("/v1/work", request("well-1"), other); w.Code != 200 {
			t.Fatalf("another source is answered %d", w.Code)
		}
	}
	c.reasons(map[string]int{crowded: 1})
	close(end)
	for range 3 {
		if code := <-done; code != 200 {
			t.Errorf("who came in is answered %d", code)
		}
	}
	if w := c.call("/v1/work", request("well-1"), crawler); w.Code != 200 {
		t.Errorf("afterwards: %d", w.Code)
	}
}

// gate is a body that says when it is read, and ends when it may.
type gate struct{ reading, end chan struct{} }

func (g *gate) Read([]byte) (int, error) {
	g.reading <- struct{}{}
	<-g.end
	return 0, io.EOF
}

// Uploads have a line of their own, and it is short.
func TestUploadsHaveALineOfTheirOwn(t *testing.T) {
	c := newCrowd(t, nil)
	c.uploads = room.New(1)
	c.uploads.Enter(room.Guest{Party: "192.0.2.9/32"})
	if w := c.call("/v1/document", request("well-1"), ""); w.Code != 503 || w.Body.Len() != 0 {
		t.Errorf("an upload too much is answered %d %s", w.Code, w.Body)
	}
	if w := c.work("well-1"); w.Code != 200 {
		t.Errorf("another method is answered %d", w.Code)
	}
	c.uploads.Leave(room.Guest{Party: "192.0.2.9/32"})
	if w := c.call("/v1/document", request("well-1"), ""); w.Code != 200 || c.uploads.Taken() != 0 {
		t.Errorf("afterwards: %d, %d places taken", w.Code, c.uploads.Taken())
	}
}

// A connection beyond the bound is closed at once, and a place comes free when one ends.
func TestBound(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refused := make(chan struct{}, 9)
	l := Bound(inner, 1, func() { refused <- struct{}{} })
	accepted := make(chan net.Conn)
	go func() {
		defer close(accepted)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			accepted <- conn
		}
	}()
	dial := func() net.Conn {
		conn, err := net.Dial("tcp", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		return conn
	}
	for range 2 {
		dial()
		first := <-accepted
		if n, err := dial().Read(make([]byte, 1)); n != 0 || err == nil {
			t.Errorf("a connection too much: %d, %v", n, err)
		}
		<-refused
		_ = first.Close()
		_ = first.Close() // twice, as net/http does: the place is given back once
	}
	_ = l.Close()
	if _, open := <-accepted; open {
		t.Error("a connection came after the end")
	}
}
