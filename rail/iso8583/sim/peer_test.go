package sim

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"naru/rail/iso8583"
)

// noon is the time of the golden vectors (rails §1.18).
var noon = time.Date(2026, 11, 22, 3, 15, 0, 0, time.UTC)

// clock is business time that a test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// timers collects what the host wants to do later; the test says when later is.
type timers chan func()

func (w timers) After(_ time.Duration, f func()) { w <- f }

// bench is one host under test and how to reach it.
type bench struct {
	*testing.T
	host   *Host
	clock  *clock
	timers timers
	log    *bytes.Buffer
	cfg    Config
}

func start(t *testing.T, change ...func(*Config)) *bench {
	t.Helper()
	b := &bench{T: t, clock: &clock{now: noon}, timers: make(timers, 10_000), log: &bytes.Buffer{}}
	b.cfg = Config{
		Profile: profile(t, iso8583.DefaultProfile), Address: "127.0.0.1:0", Seed: 7, Now: b.clock.Now, After: b.timers.After,
		Polite: true, Log: slog.New(slog.NewJSONHandler(&lockedWriter{w: b.log}, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, c := range change {
		c(&b.cfg)
	}
	b.open()
	return b
}

type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

// open starts the host; after a Close, again.
func (b *bench) open() {
	b.Helper()
	host, err := Start(context.Background(), b.cfg)
	if err != nil {
		b.Fatal(err)
	}
	b.host = host
	b.Cleanup(func() {
		if err := host.Close(); err != nil {
			b.Error(err)
		}
	})
}

func profile(t *testing.T, name string) iso8583.Profile {
	t.Helper()
	p, err := iso8583.LoadProfile(name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// peer is the other end of one connection. Its framing is written here by hand, for the two shipped dialects.
type peer struct {
	*testing.T
	net.Conn
	bench *bench
}

func (b *bench) dial() *peer {
	b.Helper()
	conn, err := net.Dial("tcp", b.host.Addr())
	if err != nil {
		b.Fatal(err)
	}
	return b.peer(conn)
}

func (b *bench) peer(conn net.Conn) *peer {
	b.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil { // so that a silent host fails the test
		b.Fatal(err)
	}
	return &peer{T: b.T, Conn: conn, bench: b}
}

// join is a peer that is signed on.
func (b *bench) join() *peer {
	b.Helper()
	p := b.dial()
	if got := p.ask(p.manage(b.cfg.Profile.NetworkCodes.SignOn)); got[39] != "00" {
		b.Fatalf("sign-on: %v", got)
	}
	return p
}

func (p *peer) frame(body []byte) []byte {
	if p.bench.cfg.Profile.Header == "ascii4" {
		tpdu := []byte{0x60, 0x00, 0x12, 0x00, 0x34}
		return bytes.Join([][]byte{fmt.Appendf(nil, "%04d", len(body)+5), tpdu, body}, nil)
	}
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(body))), body...)
}

func (p *peer) write(raw []byte) {
	p.Helper()
	if _, err := p.Write(raw); err != nil {
		p.Fatal(err)
	}
}

func (p *peer) say(m elements) {
	p.Helper()
	p.write(p.frame(p.pack(m)))
}

func (p *peer) pack(m elements) []byte {
	p.Helper()
	body, err := encode(p.bench.cfg.Profile.Spec(), m)
	if err != nil {
		p.Fatal(err)
	}
	return body
}

// hearBody is the body of the next frame.
func (p *peer) hearBody() []byte {
	p.Helper()
	body, err := p.next()
	if err != nil {
		p.Fatal(err)
	}
	return body
}

func (p *peer) next() ([]byte, error) {
	width, length, skip := 2, func(b []byte) int { return int(binary.BigEndian.Uint16(b)) }, 0
	if p.bench.cfg.Profile.Header == "ascii4" {
		width, length, skip = 4, func(b []byte) int { n, _ := strconv.Atoi(string(b)); return n }, 5
	}
	head := make([]byte, width)
	if _, err := io.ReadFull(p, head); err != nil {
		return nil, err
	}
	body := make([]byte, length(head))
	if _, err := io.ReadFull(p, body); err != nil {
		return nil, err
	}
	if skip > 0 && !bytes.Equal(body[:skip], []byte{0x60, 0x00, 0x34, 0x00, 0x12}) {
		return nil, fmt.Errorf("the TPDU is %x, not the request's with its ends swapped", body[:skip])
	}
	return body[skip:], nil
}

func (p *peer) hear() elements {
	p.Helper()
	m, err := decode(p.bench.cfg.Profile.Spec(), p.hearBody())
	if err != nil {
		p.Fatal(err)
	}
	return m
}

// ask sends a message and hears the next answer; what the host starts of its own accord meanwhile is passed over.
func (p *peer) ask(m elements) elements {
	p.Helper()
	p.say(m)
	for {
		if got := p.hear(); !got.request() {
			return got
		}
	}
}

// silence proves that nothing was answered so far: an echo comes first.
func (p *peer) silence() {
	p.Helper()
	if got := p.ask(p.manage(p.bench.cfg.Profile.NetworkCodes.Echo)); got[0] != "0810" {
		p.Fatalf("the host was to be silent, and said %v", got)
	}
}

func (p *peer) hungUp() {
	p.Helper()
	if body, err := p.next(); err == nil {
		p.Fatalf("the host was to hang up, and said %q", body)
	}
}

var stans struct {
	sync.Mutex
	n int
}

// stan is a number that no other message of the test run has.
func stan() string {
	stans.Lock()
	defer stans.Unlock()
	stans.n++
	return fmt.Sprintf("%06d", stans.n)
}

func (p *peer) manage(code string) elements {
	return elements{0: "0800", 7: "1122031500", 11: stan(), 70: code}
}

// with is a copy of a message with other elements; "" takes one out.
func with(m elements, changes elements) elements {
	c := maps.Clone(m)
	maps.Copy(c, changes)
	maps.DeleteFunc(c, func(_ int, text string) bool { return text == "" })
	return c
}

// auth is a 0100 over 10000 won, as in V3.
func auth(pan string) elements {
	n := stan()
	return elements{
		0: "0100", 2: pan, 3: "000000", 4: "000000010000", 7: "1122031500", 11: n, 12: "121500", 13: "1122", 14: "2912",
		18: "5816", 19: "410", 22: "812", 25: "59", 32: "12345678901", 37: "632612" + n, 41: "PI000001", 42: "PIMERCHANT00001",
		43: "GOOGLE*TEST              SEOUL        KR", 49: "410",
	}
}

func sale(pan string) elements { return with(auth(pan), elements{0: "0200"}) }

func de90(m elements) string {
	return m[0] + m[11] + m[7] + fmt.Sprintf("%011s", m[32]) + "00000000000"
}

// capture completes what was approved.
func capture(of, answer elements) elements {
	return with(of, elements{0: "0220", 7: "1122040000", 11: stan(), 22: "", 38: answer[38], 43: "", 48: "", 90: de90(of)})
}

func reversal(of elements) elements {
	return with(of, elements{
		0: "0420", 7: "1122031531", 11: stan(), 14: "", 18: "", 19: "", 22: "", 25: "", 38: "", 43: "", 48: "",
		60: "4021", 90: de90(of),
	})
}

// refund gives money back; it has an RRN of its own.
func refund(of elements, amount int64) elements {
	n := stan()
	return with(of, elements{
		0: "0200", 3: "200000", 4: fmt.Sprintf("%012d", amount), 7: "1122040100", 11: n, 22: "812", 37: "632613" + n,
		38: "", 43: auth(of[2])[43], 48: "OR12" + of[37] + "OD0820261122", 90: "",
	})
}

// control speaks to the control port and reads the answer into what.
func (b *bench) control(method, path, body string, into any) int {
	b.Helper()
	r, w := httptest.NewRequest(method, path, strings.NewReader(body)), httptest.NewRecorder()
	b.host.Control().ServeHTTP(w, r)
	if into != nil {
		if err := json.Unmarshal(w.Body.Bytes(), into); err != nil {
			b.Fatalf("%s %s: %v", method, path, err)
		}
	}
	return w.Code
}

func (b *bench) rule(text string) {
	b.Helper()
	if code := b.control("POST", "/scenarios", text, nil); code != 200 {
		b.Fatalf("rule %s: %d", text, code)
	}
}

func (b *bench) holds(rrn string) (found []hold) {
	b.Helper()
	b.control("GET", "/holds?rrn="+rrn, "", &found)
	return found
}

// held is the state of the one hold of an RRN; "" if there is none.
func (b *bench) held(rrn string) state {
	b.Helper()
	switch found := b.holds(rrn); len(found) {
	case 0:
		return ""
	case 1:
		return found[0].State
	default:
		b.Fatalf("%d holds for one RRN", len(found))
		return ""
	}
}

func (b *bench) records(rrn string) (found []record) {
	b.Helper()
	b.control("GET", "/transactions?rrn="+rrn, "", &found)
	return found
}

func (p *peer) tags(m elements) map[string]string {
	p.Helper()
	width := 2
	if p.bench.cfg.Profile.PrivateLayout == "tag2len3" {
		width = 3
	}
	found, err := tags(m[48], width)
	if err != nil {
		p.Fatal(err)
	}
	return found
}

func wantCode(t *testing.T, got elements, mti, code string) {
	t.Helper()
	if got[0] != mti || got[39] != code {
		t.Fatalf("got %s with %s, want %s with %s", got[0], got[39], mti, code)
	}
}

// vectors are the bytes of rails §1.18.
func vectors(t *testing.T) map[string][]byte {
	t.Helper()
	text, err := os.ReadFile("testdata/vectors.txt")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string][]byte{}
	for line := range strings.Lines(string(text)) {
		name, digits, _ := strings.Cut(strings.TrimSpace(line), " ")
		if found[name], err = hex.DecodeString(digits); err != nil {
			t.Fatal(err)
		}
	}
	if len(found) != 10 {
		t.Fatalf("%d vectors: %v", len(found), slices.Sorted(maps.Keys(found)))
	}
	return found
}
