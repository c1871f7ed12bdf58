package nodetest

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"encoding/json"
	"io"
	"log"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver of the look from outside
	"github.com/pelletier/go-toml/v2"

	"naru/pgserver/pgtest"
	"naru/platform"
	"naru/protocol/gsp/cardfop"
	collecting "naru/rail/bankfeed/sim"
	"naru/rail/iso8583"
	"naru/rail/iso8583/sim"
	"naru/sandbox"
	"naru/sandbox/google"
	"naru/sandbox/shop"
	"naru/seal"
	"naru/vault"
)

// fields is a TOML table or a JSON object.
type fields = map[string]any

// cluster is one database, the nodes on it, and what is around them.
type cluster struct {
	t        *testing.T
	ctx      context.Context // ends when the story must be over
	seed     uint64
	dir      string // of the nodes' configuration, keys and logs
	binary   string
	url      string
	kek      []byte
	db       *sql.DB
	host     *sim.Host
	google   *google.Google
	till     *collecting.Host // the deposit bank
	seller   *shop.Shop       // the merchant
	nodes    []*node
	balancer *balancer
	korean   []string    // accounts of Korea Cards v1
	abroad   string      // that of Card FOP v1
	calm     atomic.Bool // from now on nodes are only restarted in good order
	seen     tally

	mu       sync.Mutex
	payments []*payment
	orders   []*order
}

// lease is after how long a silence the others take over.
const lease = "2s"

// hasty is how long the nodes wait for the acquirer.
var hasty = fields{
	"timeouts": fields{"connect": "1s", "authorise": "2s", "advice": "1s", "network": "1s", "drain": "500ms"},
	"saf":      fields{"backoff": []string{"100ms", "300ms"}, "overtaken": "2s"},
	"pool":     fields{"reconnect_min": "20ms", "reconnect_max": "100ms"},
}

// open makes a database, everything around the nodes, and the nodes, which do not run yet.
func open(ctx context.Context, t *testing.T, seed uint64) *cluster {
	t.Helper()
	c := &cluster{t: t, ctx: ctx, seed: seed, dir: os.Getenv("NARU_NODETEST_KEEP"), url: pgtest.URL(t)}
	if c.dir == "" {
		c.dir = t.TempDir()
	}
	c.binary = filepath.Join(c.dir, "naru")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", c.binary, "naru/cmd/naru").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	s, err := sandbox.Start(ctx, sandbox.Options{Dir: c.dir}) // for its keys, certificates and configuration
	must(t, err)
	must(t, s.Close())
	c.db, err = sql.Open("pgx", c.url)
	must(t, err)
	t.Cleanup(func() { _ = c.db.Close() })

	profile := c.write("profile.toml", filepath.Join("..", "rail", "iso8583", "profiles", iso8583.DefaultProfile+".toml"), func(p fields) {
		maps.Copy(p, hasty)
	})
	dialect, err := iso8583.LoadProfile(profile)
	must(t, err)
	c.host, err = sim.Start(ctx, sim.Config{Profile: dialect, Address: "127.0.0.1:0", Seed: int64(seed)})
	must(t, err)
	t.Cleanup(func() { _ = c.host.Close() })
	for _, mti := range []string{"0100", "0200"} { // so that something is in work at every moment
		c.tell(c.host.Control(), "/scenarios", sim.Rule{Action: "late", DelayMs: 60, Match: sim.Match{MTI: mti}})
	}

	c.balancer = &balancer{chance: rand.New(rand.NewPCG(seed, 1))}
	front := c.serve(door{c.balancer, func(a addresses) string { return "https://" + a.gsp }, false}, "server.pem", "server.key")
	apis := map[string]string{}
	config := filepath.Join(c.dir, "naru.toml")
	base, err := platform.Load(config)
	must(t, err)
	c.kek, err = vault.ReadKEK(base.KEK())
	must(t, err)
	for _, a := range base.Accounts {
		switch {
		case a.Bank != "":
			continue
		case a.APIs[0] == cardfop.Name:
			c.abroad = a.ID
		default:
			c.korean = append(c.korean, a.ID)
		}
		apis[a.ID] = a.APIs[0]
	}
	keys, err := seal.LoadRing(filepath.Join(c.dir, s.Contract.GSP.Google.PGPSecret))
	must(t, err)
	peer, err := seal.LoadRing(filepath.Join(c.dir, s.Contract.GSP.Integrator.PGPPublic))
	must(t, err)
	ca, err := os.ReadFile(filepath.Join(c.dir, s.Contract.GSP.CA))
	must(t, err)
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca) {
		t.Fatal("the sandbox's authority is no certificate")
	}
	c.google, err = google.New(google.Config{
		Integrator: front.URL, Roots: roots, Keys: keys, Peer: peer, Accounts: slices.Sorted(maps.Keys(apis)), APIs: apis, BasePath: "/gsp",
		Now: time.Now, Business: time.Now, Seed: int64(seed),
	})
	must(t, err)
	t.Cleanup(func() { _ = c.google.Close() })
	hosted := c.serve(c.google, "google.pem", "google.key")
	for _, action := range []string{"drop-answer", "500"} { // once each: the same news must come again
		c.tell(c.google.Control(), "/faults", fields{"action": action, "times": 1})
	}

	for _, name := range []string{"a", "b", "c"} {
		n := &node{c: c, name: name, http: &http.Client{Transport: &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true,
		}}}
		n.config = c.write(name+".toml", config, func(f fields) {
			delete(f, "payout_bank") // of those who are paid nobody is in this story
			f["account"] = slices.DeleteFunc(f["account"].([]any), func(a any) bool { return a.(fields)["payout_bank"] != nil })
			f["store"] = fields{"url": c.url, "kek": "kek", "connections": 8}
			f["node"] = fields{"name": name, "lease": lease}
			f["log"] = fields{"format": "json", "level": "debug"}
			for _, listener := range []string{"admin", "webhooks", "merchant_api", "pay"} {
				f[listener] = fields{"listen": "127.0.0.1:0"}
			}
			trade(f)
			maps.Copy(f["gsp"].(fields), fields{
				"listen": "127.0.0.1:0", "google_base": hosted.URL + "/gsp", "settlements": fields{"folder": "settlements"},
			})
			link := f["acquirer"].([]any)[0].(fields)
			delete(link, "files")
			maps.Copy(link, fields{"addresses": []string{c.host.Addr()}, "profile": profile, "day_totals": false})
		})
		c.nodes = append(c.nodes, n)
		go c.watch(n)
	}
	must(t, os.Mkdir(filepath.Join(c.dir, "settlements"), 0o700))
	c.balancer.nodes = c.nodes
	c.openMarket(base, s.Contract.Merchant)
	return c
}

// write makes a TOML file of another one.
func (c *cluster) write(name, from string, change func(fields)) string {
	c.t.Helper()
	text, err := os.ReadFile(from)
	must(c.t, err)
	table := fields{}
	must(c.t, toml.Unmarshal(text, &table))
	change(table)
	text, err = toml.Marshal(table)
	must(c.t, err)
	file := filepath.Join(c.dir, name)
	must(c.t, os.WriteFile(file, text, 0o600))
	return file
}

// serve is a server with a certificate of the sandbox.
func (c *cluster) serve(h http.Handler, cert, key string) *httptest.Server {
	c.t.Helper()
	pair, err := tls.LoadX509KeyPair(filepath.Join(c.dir, cert), filepath.Join(c.dir, key))
	must(c.t, err)
	s := httptest.NewUnstartedServer(h)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	s.EnableHTTP2, s.Config.ErrorLog = true, log.New(io.Discard, "", 0) // nodes hang up in the middle of everything
	s.StartTLS()
	c.t.Cleanup(s.Close)
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// tell posts to a peer's control port.
func (c *cluster) tell(control http.Handler, path string, what any) {
	c.t.Helper()
	body, err := json.Marshal(what)
	must(c.t, err)
	w := httptest.NewRecorder()
	control.ServeHTTP(w, httptest.NewRequest(http.MethodPost, path, bytes.NewReader(body)))
	if w.Code != http.StatusOK {
		c.t.Fatalf("%s: %d %s", path, w.Code, w.Body)
	}
}

// hear reads from a peer's control port.
func (c *cluster) hear(control http.Handler, path string, into any) {
	c.t.Helper()
	w := httptest.NewRecorder()
	control.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	must(c.t, json.Unmarshal(w.Body.Bytes(), into))
}

// until looks again and again until it has seen it; false where the story is over before.
func (c *cluster) until(seen func() bool) bool {
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for !seen() {
		select {
		case <-look.C:
		case <-c.ctx.Done():
			return false
		}
	}
	return true
}

// await is until, and the end of the test where it never happens, or something else has failed.
func (c *cluster) await(what string, seen func() bool) {
	c.t.Helper()
	if !c.until(func() bool { return seen() || c.t.Failed() }) {
		c.t.Errorf("%s: it never happened", what)
	}
	if c.t.Failed() {
		c.t.FailNow()
	}
}

// What a life of a node has in work, and whether it still counts as living.
const (
	owned  = `SELECT COUNT(*) FROM idempotency WHERE NOT done AND node = $1`
	leased = `SELECT COUNT(*) FROM lease WHERE name = 'node/' || $1 AND until_us > $2`
)

// none reports whether a query counts nothing.
func (c *cluster) none(query string, args ...any) bool {
	n := -1
	if err := c.db.QueryRowContext(c.ctx, query, args...).Scan(&n); err != nil && c.ctx.Err() == nil {
		c.t.Errorf("the look into the database: %v", err)
	}
	return n == 0
}

// node is one place in the cluster, and the process that has it at present.
type node struct {
	c            *cluster
	name, config string
	http         *http.Client
	up           atomic.Bool // the balancer sends it calls

	mu   sync.Mutex
	addr addresses

	cmd  *exec.Cmd
	gone chan struct{} // closed when the process has ended
}

// addresses are where a process listens; empty before it is ready.
type addresses struct{ gsp, admin, merchants, hooks string }

func (n *node) at() addresses {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.addr
}

func (n *node) listen(at addresses) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.addr = at
}

// start runs the binary. Its log is kept.
func (n *node) start() {
	n.c.t.Helper()
	n.cmd = exec.Command(n.c.binary, "serve", "--config", n.config)
	n.gone = make(chan struct{})
	diary, err := os.OpenFile(n.diary(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	must(n.c.t, err)
	n.cmd.Stdout = diary
	says, err := n.cmd.StderrPipe()
	must(n.c.t, err)
	must(n.c.t, n.cmd.Start())
	cmd, gone := n.cmd, n.gone
	n.c.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-gone
	})
	go func() {
		defer close(gone)
		for lines := bufio.NewReader(says); ; {
			line, err := lines.ReadBytes('\n')
			_, _ = diary.Write(line)
			var event struct{ Msg, GSP, Admin, Merchants, Webhooks string }
			if json.Unmarshal(line, &event) == nil && event.Msg == "ready" {
				n.listen(addresses{event.GSP, event.Admin, event.Merchants, event.Webhooks})
			}
			if err != nil {
				break
			}
		}
		_ = cmd.Wait() // its status says more
		_ = diary.Close()
		n.listen(addresses{})
		n.up.Store(false)
	}()
}

func (n *node) diary() string { return filepath.Join(n.c.dir, "node-"+n.name+".log") }

// awaitUp waits until the balancer sends the node calls.
func (n *node) awaitUp() {
	n.c.t.Helper()
	n.c.await("node "+n.name+" takes calls", func() bool {
		select {
		case <-n.gone:
			n.c.t.Errorf("node %s ended by itself:\n%s", n.name, n.lastWords())
		default:
		}
		return n.up.Load()
	})
}

const inWork = `SELECT COALESCE(MAX(node), '') FROM idempotency WHERE NOT done AND node LIKE $1 || '/%'`

// seize stops the process at a moment when it has something in work, and says which life of the node that is.
func (n *node) seize() (life string) {
	n.c.t.Helper()
	n.c.await("node "+n.name+" has something in work", func() bool {
		working := func() bool {
			err := n.c.db.QueryRowContext(n.c.ctx, inWork, n.name).Scan(&life)
			return err == nil && life != ""
		}
		if !working() {
			return false
		}
		n.signal(syscall.SIGSTOP)
		if working() {
			return true
		}
		n.signal(syscall.SIGCONT)
		return false
	})
	return life
}

func (n *node) signal(s syscall.Signal) {
	n.c.t.Helper()
	must(n.c.t, n.cmd.Process.Signal(s))
}

// end asks the node to end, which it must do in good order.
func (n *node) end() {
	n.c.t.Helper()
	n.signal(syscall.SIGTERM)
	select {
	case <-n.gone:
	case <-n.c.ctx.Done():
	}
	if status := n.cmd.ProcessState.ExitCode(); status != 0 {
		n.c.t.Fatalf("node %s was asked to end and ended with status %d:\n%s", n.name, status, n.lastWords())
	}
}

// lastWords is the end of the node's log.
func (n *node) lastWords() string {
	text, err := os.ReadFile(n.diary())
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-20):], "\n")
}
