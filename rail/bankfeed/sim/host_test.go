package sim

import (
	"context"
	"crypto/ed25519"
	"io"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
)

// restart closes the bank, has somebody look at what it left, and opens it again.
func (b *bench) restart(meanwhile func()) {
	b.Helper()
	b.must(b.host.Close())
	meanwhile()
	b.open()
}

func kept(c *Config) { c.Dir = filepath.Join(filepath.Dir(c.Out), "book") }

// picture is all that the bank shows of itself.
func (b *bench) picture() (all []string) {
	for _, path := range []string{"/transactions", "/accounts", "/payments", "/orders", "/reports"} {
		_, got := b.control("GET", path, "")
		all = append(all, got)
	}
	return all
}

// TestRestart closes the bank while money is pending, a payment is on its way, a report is held and a push is owed.
func TestRestart(t *testing.T) {
	b := start(t, kept)
	b.rule(`{"action":"pending","match":{"amount":11},"times":1}`)
	b.rule(`{"action":"swap","match":{"amount":13},"times":1}`)
	b.rule(`{"action":"half-file","match":{"amount":17},"times":1}`)
	id := b.deposit(virtual, 50003, "홍길동", File, Push)
	b.deposit(ours, 11, "A")
	b.deposit(ours, 13, "B")
	b.deposit(ours, 17, "C")
	b.deposit(ours, 19, "D")
	_, err := b.host.Reverse(id)
	b.must(err)
	b.put("1.xml", pain001("M1", "E1", 5, "E2", 7))
	b.fresh()
	want := b.picture()
	b.restart(func() {
		name := filepath.Join(b.cfg.Dir, fileName)
		text, err := os.ReadFile(name)
		b.must(err)
		b.must(os.WriteFile(name, append(text, `{"transactions":[{"n":99`...), 0o600)) // a line cut off by death
	})
	if got := b.picture(); !reflect.DeepEqual(got, want) {
		t.Errorf("the bank shows\n%s\nwant\n%s", strings.Join(got, ""), strings.Join(want, ""))
	}
	v := b.receiver()
	b.put("1.xml", pain001("M1", "E1", 5, "E2", 7))
	b.later(time.Minute)
	if n := len(v.heard()); n != 2 {
		t.Errorf("%d pushes", n)
	}
	if got, want := b.host.Balance(ours), int64(1_000_000+11+13+17+19-12); got != want {
		t.Errorf("%d won, want %d", got, want)
	}
	statuses := map[string]int{}
	for _, r := range b.host.book.reports {
		if !r.Done {
			t.Errorf("%s %s is not delivered", r.Kind, r.ID)
		}
		if r.Kind == "pain.002" {
			statuses[b.parse(string(r.Body)).one("TxSts")]++
		}
	}
	if want := map[string]int{"ACTC ACTC": 2, "ACCC ACCC": 1}; !reflect.DeepEqual(statuses, want) {
		t.Errorf("%v, want %v", statuses, want)
	}
	ids := map[string]bool{}
	for _, tx := range b.host.Transactions() {
		if name := tx.ID + tx.Direction; ids[name] {
			t.Errorf("%s twice", name)
		} else {
			ids[name] = true
		}
	}
	want = b.picture()
	b.restart(func() {}) // what was written after the torn line can be read
	if got := b.picture(); !reflect.DeepEqual(got, want) {
		t.Errorf("the bank shows\n%s\nwant\n%s", strings.Join(got, ""), strings.Join(want, ""))
	}
	before := b.host.Transactions()[0]
	b.do("/reset", "")
	if got := b.picture(); got[0] != "[]\n" || b.host.Balance(ours) != 1_000_000 || b.host.Balance(theirs) != 0 {
		t.Errorf("after a reset: %s", got)
	}
	b.restart(func() {})
	b.deposit(ours, 5, "A")
	b.host.Tick()
	if got := b.host.Transactions(); len(got) != 1 || ids[got[0].ID+got[0].Direction] || got[0].ID <= before.ID {
		t.Errorf("an id is used again: %+v", got)
	}
}

// TestDeathBeforeAnOrderIsPutAway finds the file in In once more: it is not paid twice.
func TestDeathBeforeAnOrderIsPutAway(t *testing.T) {
	b := start(t, kept)
	b.put("1.xml", pain001("M1", "E1", 5))
	b.restart(func() {
		b.must(os.Rename(filepath.Join(b.cfg.In, "done", "1.xml"), filepath.Join(b.cfg.In, "1.xml")))
	})
	b.later(2 * time.Second)
	b.later(2 * time.Second)
	if got := b.host.Payments(); len(got) != 1 || b.host.Balance(ours) != 999_995 {
		t.Errorf("%+v, %d won", got, b.host.Balance(ours))
	}
}

func TestABrokenRecord(t *testing.T) {
	b := start(t, kept)
	b.must(b.host.Close())
	b.must(os.WriteFile(filepath.Join(b.cfg.Dir, fileName), []byte("{}\nhello\n{}\n"), 0o600))
	if _, err := Start(context.Background(), b.cfg); err == nil || !strings.Contains(err.Error(), "byte 3 begins a line that is no step") {
		t.Error(err)
	}
}

func TestConfig(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"no code":       func(c *Config) { c.Code = "KB" },
		"no account":    func(c *Config) { c.Accounts = nil },
		"no folder":     func(c *Config) { c.Out = "" },
		"account":       func(c *Config) { c.Accounts[0].Number = "1-2" },
		"opening":       func(c *Config) { c.Accounts[0].Opening = -1 },
		"range":         func(c *Config) { c.Accounts[0].Virtual = []Range{{"9", "1"}} },
		"lengths":       func(c *Config) { c.Accounts[0].Virtual = []Range{{"1", "10"}} },
		"channel":       func(c *Config) { c.Channels = []string{"fax"} },
		"who logs in":   func(c *Config) { c.Files = "127.0.0.1:0" },
		"occupied port": func(c *Config) { c.Address = "256.0.0.1:0" },
	} {
		dir := t.TempDir()
		cfg := Config{Address: "127.0.0.1:0", Code: "004", Out: dir, Accounts: []Account{{Number: ours}}}
		change(&cfg)
		if h, err := Start(context.Background(), cfg); err == nil {
			t.Errorf("%s: it starts", name)
			_ = h.Close()
		}
	}
}

// TestOwnClock is a bank that nobody helps: it waits for time by itself, and looks into its folder.
func TestOwnClock(t *testing.T) {
	looks := make(chan func())
	b := start(t, func(c *Config) {
		c.Now, c.ScanEvery = nil, time.Second
		c.After = func(d time.Duration, f func()) {
			if d == time.Second {
				go func() { looks <- f }()
			}
		}
	})
	v := b.receiver()
	b.rule(`{"action":"late","delay_ms":3600000,"times":1}`)
	b.deposit(ours, 5, "A", JSON)
	if code, _ := b.control("POST", "/clock", `{"advance":"1h"}`); code != 200 {
		t.Error(code)
	}
	if got := v.heard(); len(got) != 1 {
		t.Errorf("%d pushes", len(got))
	}
	today := b.host.Now().In(kst).Format(time.DateOnly)
	b.lay("1.xml", strings.ReplaceAll(pain001("M1", "E1", 5), "2026-11-22</Dt>", today+"</Dt>"))
	(<-looks)()
	f := <-looks // the next look is asked for when this one is over
	if n := len(b.host.Payments()); n != 1 {
		t.Errorf("%d payments", n)
	}
	go func() { looks <- f }()
	for _, text := range []string{`{"advance":"-1s"}`, `{"advance":"soon"}`, `{}`} {
		if code, _ := b.control("POST", "/clock", text); code != 400 {
			t.Errorf("%s: %d", text, code)
		}
	}
	b.must(b.host.Close())
	(<-looks)()
}

func TestRules(t *testing.T) {
	b := start(t)
	if code, _ := b.control("POST", "/clock", `{"advance":"1s"}`); code != 409 {
		t.Error("somebody else's clock was moved")
	}
	for _, text := range []string{
		`{"action":"sing"}`, `{"action":"late","times":-1}`, `{"action":"late","code":"AC01"}`, `{"action":"refuse","code":"no"}`,
		`{"action":"late","match":{"channel":"push"}}`, `{"action":"late","match":{"kind":"gift"}}`, `{"action":"late","colour":"red"}`,
	} {
		if code, got := b.control("POST", "/scenarios", text); code != 400 {
			t.Errorf("%s: %d %s", text, code, got)
		}
	}
	b.rule(`{"action":"euc-kr","match":{"nth":2},"times":1}`)
	b.rule(`{"action":"version-02","match":{"nth":2},"times":1}`)
	for range 3 {
		b.deposit(ours, 5, "A")
	}
	b.host.Tick()
	names, content := b.fresh()
	for i, text := range content { // both act, on the second alone
		got := b.parse(text)
		if both := strings.Contains(text, "EUC-KR") && got.one("Ntry/Sts") == "BOOK"; both != (i == 1) {
			t.Errorf("%s: %v", names[i], both)
		}
	}
	if got := list[Rule](b, "/sim/scenarios"); len(got) != 2 || got[0].Seen != 3 || got[0].Used != 1 {
		t.Errorf("%+v", got)
	}
	if _, got := b.control("DELETE", "/scenarios", ""); got != "[]\n" {
		t.Error(got)
	}
}

// harbour is a client of the bank's file server.
func (b *bench) harbour(key ssh.Signer) (*sftp.Client, error) {
	b.Helper()
	address, host := b.host.FileServer()
	conn, err := ssh.Dial("tcp", address, &ssh.ClientConfig{
		User: "naru", Auth: []ssh.AuthMethod{ssh.PublicKeys(key)}, HostKeyCallback: ssh.FixedHostKey(host),
	})
	if err != nil {
		return nil, err
	}
	client, err := sftp.NewClient(conn)
	b.must(err)
	b.Cleanup(func() {
		_ = client.Close()
		_ = conn.Close()
	})
	return client, nil
}

func newKey(t *testing.T) ssh.Signer {
	t.Helper()
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

func TestFileServer(t *testing.T) {
	key := newKey(t)
	b := start(t, kept, func(c *Config) { c.Files, c.FilesKey = "127.0.0.1:0", key.PublicKey() })
	if _, err := b.harbour(newKey(t)); err == nil {
		t.Error("a stranger is let in")
	}
	c, err := b.harbour(key)
	b.must(err)
	id := b.deposit(virtual, 50003, "홍길동")
	b.host.Tick()

	names := func(dir string) (all []string) {
		t.Helper()
		list, err := c.ReadDir(dir)
		b.must(err)
		for _, one := range list {
			all = append(all, one.Name())
		}
		slices.Sort(all)
		return all
	}
	if got := names("/"); !reflect.DeepEqual(got, []string{"in", "out"}) {
		t.Error(got)
	}
	found := names("/out")
	if len(found) != 1 {
		t.Fatal(found)
	}
	b.must(c.Mkdir("/out/processing"))
	b.must(c.PosixRename("/out/"+found[0], "/out/processing/"+found[0])) // as the integrator claims a file (rails §3.4)
	f, err := c.Open("/out/processing/" + found[0])
	b.must(err)
	text, err := io.ReadAll(f)
	b.must(err)
	b.must(f.Close())
	b.want(b.parse(string(text)), "Refs/AcctSvcrRef", id)
	b.must(c.Remove("/out/processing/" + found[0]))

	up, err := c.Create("/in/1.xml.tmp")
	b.must(err)
	_, err = up.Write([]byte(pain001("M1", "E1", 5)))
	b.must(err)
	b.must(up.Close())
	b.host.Tick()
	if len(b.host.Payments()) != 0 {
		t.Error("it is not complete yet")
	}
	b.must(c.Rename("/in/1.xml.tmp", "/in/1.xml"))
	b.host.Tick()
	if len(b.host.Payments()) != 1 {
		t.Error("it was not taken")
	}
	if info, err := c.Stat("/in/done/1.xml"); err != nil || info.Name() != "1.xml" {
		t.Error(err)
	}
	for what, err := range map[string]error{
		"another folder": c.PosixRename("/in/done/1.xml", "/out/1.xml"), "upwards": c.Rename("/in/done/1.xml", "/in/../../x"),
		"no folder": c.Mkdir("/elsewhere"),
	} {
		if err == nil {
			t.Errorf("%s: it is allowed", what)
		}
	}
	if _, err := c.Open("/out/../../book/" + fileName); err == nil {
		t.Error("the bank's own book can be read")
	}
	_, before := b.host.FileServer()
	b.restart(func() {})
	if _, after := b.host.FileServer(); !slices.Equal(after.Marshal(), before.Marshal()) {
		t.Error("the bank has another key")
	}
}

// TestEverybodyAtOnce is for the race detector: deposits, orders, looks and ticks from all sides, and the books agree.
func TestEverybodyAtOnce(t *testing.T) {
	b := start(t, kept)
	b.receiver()
	const n, each = 4, 20
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			for range each {
				d := Deposit{Account: ours, Credit: Credit{Amount: 3, Name: "A"}, Channels: []string{File, JSON}}
				if _, err := b.host.Deposit(d); err != nil {
					t.Error(err)
				}
				b.host.Tick()
				b.picture()
			}
			if got := b.send(pain001("M"+string(rune('A'+i)), "E", 5)); got != 202 {
				t.Error(got)
			}
		})
	}
	all.Wait()
	b.later(2 * time.Second)
	if got, want := b.host.Balance(ours), int64(1_000_000+n*each*3-n*5); got != want {
		t.Errorf("%d won, want %d", got, want)
	}
	_, files := b.fresh()
	if want := n*each + n + 2*n; len(files) != want {
		t.Errorf("%d files, want %d", len(files), want)
	}
}

func TestCloseTwiceAndContext(t *testing.T) {
	b := start(t)
	b.must(b.host.Close())
	b.must(b.host.Close())
	if _, err := b.host.Deposit(Deposit{Account: ours, Credit: Credit{Amount: 3}}); err == nil {
		t.Error("a bank that is closed books")
	}
	ctx, end := context.WithCancel(context.Background())
	host, err := Start(ctx, b.cfg)
	b.must(err)
	end()
	for {
		conn, err := net.Dial("tcp", host.listener.Addr().String())
		if err != nil {
			break
		}
		_ = conn.Close()
	}
	b.must(host.Close())
}
