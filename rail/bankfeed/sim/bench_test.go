package sim

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/text/encoding/htmlindex"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// noon is some business time: 12:15:05 in Korea.
var noon = time.Date(2026, 11, 22, 3, 15, 5, 0, time.UTC)

// ours is the account of the sheet's examples, and virtual a number that leads to it.
const (
	ours    = "12345604123456"
	theirs  = "12345604123457"
	virtual = "56200012345678"
	payee   = "3333011234567"
)

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

// bench is one bank under test and how to reach it.
type bench struct {
	*testing.T
	host  *Host
	clock *clock
	cfg   Config
	taken map[string]bool // files that were looked at
}

func start(t *testing.T, change ...func(*Config)) *bench {
	t.Helper()
	b := &bench{T: t, clock: &clock{now: noon}, taken: map[string]bool{}}
	dir := t.TempDir()
	b.cfg = Config{
		Address: "127.0.0.1:0", Code: "004", Prefix: "KB", Customer: "1234567890",
		Out: filepath.Join(dir, "out"), In: filepath.Join(dir, "in"),
		Accounts: []Account{
			{ours, "Example Integrator", 1_000_000, []Range{{"56200012340000", "56200012349999"}}}, {theirs, "Example Integrator", 0, nil},
		},
		Feed: "kb-main", Key: "feed-1", Secret: "feed_secret_example", Seed: 7, Now: b.clock.Now, Wall: b.clock.Now, Polite: true,
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
	for _, c := range change {
		c(&b.cfg)
	}
	b.open()
	return b
}

// open starts the bank; after a Close, again.
func (b *bench) open() {
	b.Helper()
	host, err := Start(context.Background(), b.cfg)
	b.must(err)
	b.host = host
	b.Cleanup(func() { b.must(host.Close()) })
}

func (b *bench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// later moves business time and lets happen what is due.
func (b *bench) later(d time.Duration) {
	b.clock.advance(d)
	b.host.Tick()
}

func (b *bench) control(method, path, text string) (int, string) {
	w := httptest.NewRecorder()
	b.host.Control().ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(text)))
	return w.Code, w.Body.String()
}

func (b *bench) do(path, text string) string {
	b.Helper()
	code, got := b.control("POST", path, text)
	if code != http.StatusOK {
		b.Fatalf("%s %s: %d %s", path, text, code, got)
	}
	return got
}

// list reads a list of the control port.
func list[T any](b *bench, path string) (all []T) {
	b.Helper()
	code, got := b.control("GET", path, "")
	if err := json.Unmarshal([]byte(got), &all); code != http.StatusOK || err != nil {
		b.Fatalf("%s: %d %v %s", path, code, err, got)
	}
	return all
}

func (b *bench) rule(text string) { b.Helper(); b.do("/scenarios", text) }

// deposit books money and gives back its id.
func (b *bench) deposit(account string, amount int64, name string, channels ...string) string {
	b.Helper()
	got, err := b.host.Deposit(Deposit{Account: account, Credit: Credit{Amount: amount, Name: name}, Channels: channels})
	b.must(err)
	return got[0].ID
}

// fresh are the names of files in Out that were not there before, by name, and what is in them. Temporary ones are among them.
func (b *bench) fresh() (names []string, content []string) {
	b.Helper()
	entries, err := os.ReadDir(b.cfg.Out)
	b.must(err)
	for _, e := range entries {
		if b.taken[e.Name()] {
			continue
		}
		b.taken[e.Name()] = true
		text, err := os.ReadFile(filepath.Join(b.cfg.Out, e.Name()))
		b.must(err)
		names, content = append(names, e.Name()), append(content, string(text))
	}
	return names, content
}

// messages are the files in Out that were not there before, read as a stranger reads them, in the order of their names.
func (b *bench) messages() (all []tree) {
	b.Helper()
	_, content := b.fresh()
	for _, text := range content {
		all = append(all, b.parse(text))
	}
	return all
}

// message is the one file that is new.
func (b *bench) message() tree {
	b.Helper()
	all := b.messages()
	if len(all) != 1 {
		b.Fatalf("%d new files", len(all))
	}
	return all[0]
}

// tree is an XML document as a list of its leaves and attributes, "a/b/c=text", in their order.
type tree []string

// parse reads XML knowing nothing but XML.
func (b *bench) parse(text string) tree {
	b.Helper()
	got, err := parse(text)
	if err != nil {
		b.Fatalf("%v in\n%s", err, text)
	}
	return got
}

func parse(text string) (all tree, err error) {
	d := xml.NewDecoder(strings.NewReader(text))
	d.CharsetReader = func(label string, in io.Reader) (io.Reader, error) {
		known, err := htmlindex.Get(label)
		if err != nil {
			return nil, err
		}
		return known.NewDecoder().Reader(in), nil
	}
	var path []string
	leaf, chars := false, ""
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		switch at := token.(type) {
		case xml.StartElement:
			path, leaf, chars = append(path, at.Name.Local), true, ""
			for _, a := range at.Attr {
				all = append(all, strings.Join(path, "/")+"@"+a.Name.Local+"="+a.Value)
			}
		case xml.CharData:
			chars += string(at)
		case xml.EndElement:
			if leaf {
				all = append(all, strings.Join(path, "/")+"="+strings.TrimSpace(chars))
			}
			path, leaf = path[:len(path)-1], false
		}
	}
}

// all are the texts of the leaves whose path ends so.
func (t tree) all(end string) (texts []string) {
	for _, line := range t {
		path, text, _ := strings.Cut(line, "=")
		if path == end || strings.HasSuffix(path, "/"+end) {
			texts = append(texts, text)
		}
	}
	return texts
}

func (t tree) one(end string) string { return strings.Join(t.all(end), " ") }

// want compares leaves with what they should be, in pairs of path and text.
func (b *bench) want(got tree, pairs ...string) {
	b.Helper()
	for pair := range slices.Chunk(pairs, 2) {
		if is := got.one(pair[0]); is != pair[1] {
			b.Errorf("%s is %q, want %q", pair[0], is, pair[1])
		}
	}
}

// pain001 is the sheet's pain.001 (rails §4.4), with a MsgId, EndToEndIds and amounts in won of its own.
func pain001(id string, payments ...any) string {
	var inner strings.Builder
	sum := 0
	for pair := range slices.Chunk(payments, 2) {
		sum += pair[1].(int)
		fmt.Fprintf(&inner, `<CdtTrfTxInf><PmtId><InstrId>I-%[1]s</InstrId><EndToEndId>%[1]s</EndToEndId></PmtId>`+
			`<Amt><InstdAmt Ccy="KRW">%[2]d</InstdAmt></Amt>`+
			`<CdtrAgt><FinInstnId><ClrSysMmbId><MmbId>090</MmbId></ClrSysMmbId></FinInstnId></CdtrAgt><Cdtr><Nm>홍길동</Nm></Cdtr>`+
			`<CdtrAcct><Id><Othr><Id>`+payee+`</Id></Othr></Id></CdtrAcct><RmtInf><Ustrd>환불</Ustrd></RmtInf></CdtTrfTxInf>`, pair[0], pair[1])
	}
	count := fmt.Sprintf("<NbOfTxs>%d</NbOfTxs><CtrlSum>%d</CtrlSum>", len(payments)/2, sum)
	return `<?xml version="1.0" encoding="UTF-8"?><Document xmlns="` + orderSpace + `"><CstmrCdtTrfInitn><GrpHdr><MsgId>` + id +
		`</MsgId><CreDtTm>2026-11-22T12:15:00+09:00</CreDtTm>` + count +
		`<InitgPty><Nm>Example Integrator</Nm><Id><OrgId><Othr><Id>1234567890</Id></Othr></OrgId></Id></InitgPty></GrpHdr>` +
		`<PmtInf><PmtInfId>` + id + `-A</PmtInfId><PmtMtd>TRF</PmtMtd>` + count + `<ReqdExctnDt><Dt>2026-11-22</Dt></ReqdExctnDt>` +
		`<Dbtr><Nm>Example Integrator</Nm></Dbtr><DbtrAcct><Id><Othr><Id>` + ours + `</Id></Othr></Id></DbtrAcct>` +
		`<DbtrAgt><FinInstnId><ClrSysMmbId><MmbId>004</MmbId></ClrSysMmbId></FinInstnId></DbtrAgt>` + inner.String() +
		`</PmtInf></CstmrCdtTrfInitn></Document>`
}

// lay puts an order into In, whole.
func (b *bench) lay(name, text string) {
	b.Helper()
	b.must(os.WriteFile(filepath.Join(b.cfg.In, name+".tmp"), []byte(text), 0o600))
	b.must(os.Rename(filepath.Join(b.cfg.In, name+".tmp"), filepath.Join(b.cfg.In, name)))
}

// put has the bank look at an order.
func (b *bench) put(name, text string) {
	b.Helper()
	b.lay(name, text)
	b.host.Tick()
}

// arrival is one push as it came.
type arrival struct {
	path, kind, raw string
	good            bool // key, signature, time
}

// receiver is where pushes go. It answers with the status that is next, and 200 when there is none.
type receiver struct {
	*httptest.Server
	mu       sync.Mutex
	arrivals []arrival
	answers  []int
}

func (b *bench) receiver(answers ...int) *receiver {
	v := &receiver{answers: answers}
	v.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		stamp := r.Header.Get("X-Feed-Timestamp")
		at, _ := strconv.ParseInt(stamp, 10, 64)
		age := b.clock.Now().Sub(time.Unix(at, 0)).Abs()
		v.mu.Lock()
		defer v.mu.Unlock()
		v.arrivals = append(v.arrivals, arrival{
			r.URL.Path, r.Header.Get("Content-Type"), string(raw), r.Header.Get("X-Feed-Key") == "feed-1" && age <= 300*time.Second &&
				r.Header.Get("X-Feed-Signature") == Sign("feed_secret_example", stamp, raw),
		})
		status := http.StatusOK
		if len(v.answers) > 0 {
			status, v.answers = v.answers[0], v.answers[1:]
		}
		w.WriteHeader(status)
	}))
	b.Cleanup(v.Close)
	b.host.SetPush(v.URL)
	return v
}

// heard is what has arrived since it was last asked.
func (v *receiver) heard() []arrival {
	v.mu.Lock()
	defer v.mu.Unlock()
	got := v.arrivals
	v.arrivals = nil
	return got
}
