package killtest

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/pelletier/go-toml/v2"
	"golang.org/x/crypto/ssh"

	"naru/crash"
	"naru/fsck"
	"naru/platform"
	"naru/protocol/gsp/cardfop"
	collecting "naru/rail/bankfeed/sim"
	"naru/rail/iso8583"
	"naru/rail/iso8583/sim"
	upi "naru/rail/upi/sim"
	"naru/sandbox"
	"naru/sandbox/google"
	"naru/sandbox/shop"
	"naru/seal"
	"naru/vault"
)

// workshop is what all lives share: the binary, and the folder of a sandbox with its keys and configuration.
type workshop struct {
	binary, dir string
	config      []byte            // naru.toml
	apis        map[string]string // by account
	usual       []string          // the accounts of Korea Cards v1, but for the brief one
	abroad      string            // the account of Card FOP v1
	payer       string            // that of disburseFunds v1
	bank        platform.Bank     // which pays for it
	bankKey     string
	bankSigns   string // its webhooks, with this secret
	merchants   map[string]string
	terminals   map[string]string // whose they are
	merchant    platform.Merchant // is paid by transfer, and pays out
	keyring     sandbox.MerchantContract
	transfers   platform.TransferBank // by which it does
	feed        string                // of that bank, and the key that signs what it pushes
	feedKey     [2]string
	receiving   []platform.Receiver // accounts there
	keys, peer  *seal.Ring
	roots       *x509.CertPool
	certificate tls.Certificate
	kek         []byte
	uploads     ssh.Signer // the key of Google's SFTP server
	uploader    ssh.PublicKey
	uploadKey   string // and of whoever may upload
}

// brief is an account whose refund and dispute windows are over, and whose cards are erased, a second after a capture. It tells its
// settlements two events at a time.
var brief = fields{
	"id": "NaruPG3_KRW", "terminals": []string{"PI000009"}, "merchant": "PIMERCHANT00009", "refund_window": "1s", "dispute_window": "1s",
	"settle": fields{"by": "notification", "part_size": 2}, "fees": fields{"capture_rate": 150, "refund": 30, "vat_rate": 1000},
}

const window = time.Second

// hastyService is the one that is hasty.
var hastyService = fields{
	"service": hasty, "receivers": []string{"nonghyup-main"}, "unique_amount": true, "life": "2s", "grace": "200ms", "rate": 80,
}

// openWorkshop builds the binary and lets a sandbox make keys, certificates and configuration: once, because RSA keys are slow.
func openWorkshop(t *testing.T) *workshop {
	t.Helper()
	w := &workshop{dir: t.TempDir()}
	w.binary = filepath.Join(w.dir, "naru")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", w.binary, "naru/cmd/naru").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	s, err := sandbox.Start(t.Context(), sandbox.Options{Dir: w.dir})
	must(t, err)
	must(t, s.Close())
	text, err := os.ReadFile(filepath.Join(w.dir, "naru.toml"))
	must(t, err)
	config := fields{}
	must(t, toml.Unmarshal(text, &config))
	accounts := config["account"].([]any)
	short := maps.Clone(accounts[0].(fields))
	maps.Copy(short, brief)
	config["account"] = append(accounts, short)
	seller := config["merchant"].([]any)[0].(fields)
	for _, service := range seller["deposit"].([]any) {
		service.(fields)["life"] = "2h" // the bank's clock runs ahead
	}
	seller["deposit"] = append(seller["deposit"].([]any), maps.Clone(hastyService))
	w.config, err = toml.Marshal(config)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(w.dir, "naru.toml"), w.config, 0o600))
	w.keys, err = seal.LoadRing(filepath.Join(w.dir, s.Contract.GSP.Google.PGPSecret))
	must(t, err)
	w.peer, err = seal.LoadRing(filepath.Join(w.dir, s.Contract.GSP.Integrator.PGPPublic))
	must(t, err)
	w.certificate, err = tls.LoadX509KeyPair(filepath.Join(w.dir, "google.pem"), filepath.Join(w.dir, "google.key"))
	must(t, err)
	ca, err := os.ReadFile(filepath.Join(w.dir, s.Contract.GSP.CA))
	must(t, err)
	w.roots = x509.NewCertPool()
	if !w.roots.AppendCertsFromPEM(ca) {
		t.Fatal("the sandbox's authority is no certificate")
	}
	c, err := platform.Load(filepath.Join(w.dir, "naru.toml"))
	must(t, err)
	w.kek, err = vault.ReadKEK(c.KEK())
	must(t, err)
	w.merchants, w.terminals, w.apis = map[string]string{}, map[string]string{}, map[string]string{}
	for _, a := range c.Accounts {
		if w.apis[a.ID] = a.APIs[0]; a.Bank != "" {
			w.payer = a.ID
			continue
		}
		w.merchants[a.Merchant], w.terminals[a.Terminals[0]] = a.ID, a.ID
		switch {
		case a.APIs[0] == cardfop.Name:
			w.abroad = a.ID
		case a.ID != brief["id"]:
			w.usual = append(w.usual, a.ID)
		}
	}
	w.bank = c.Banks[0]
	w.merchant, w.keyring, w.receiving = c.Merchants[0], s.Contract.Merchant, c.Receivers
	w.transfers, w.feed = c.Transfers[0], c.Feeds[0].Name
	secrets := map[string]*string{w.bank.Secret: &w.bankKey, w.bank.Signing[0]: &w.bankSigns}
	for id, files := range c.Feeds[0].Keys {
		w.feedKey[0], secrets[files[0]] = id, &w.feedKey[1]
	}
	for file, secret := range secrets {
		text, err := os.ReadFile(filepath.Join(w.dir, file))
		must(t, err)
		*secret = strings.TrimSpace(string(text))
	}
	_, host, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	w.uploads, err = ssh.NewSignerFromSigner(host)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(w.dir, uploadsKey), ssh.MarshalAuthorizedKey(w.uploads.PublicKey()), 0o600))
	w.uploadKey = c.GSP.Settlements.Key
	text, err = os.ReadFile(filepath.Join(w.dir, w.uploadKey))
	must(t, err)
	user, err := ssh.ParsePrivateKey(text)
	must(t, err)
	w.uploader = user.PublicKey()
	return w
}

// accounts are those of ours at the deposit bank.
func (w *workshop) accounts() (all []collecting.Account) {
	for _, r := range w.receiving {
		a := collecting.Account{Number: r.Number, Holder: r.Holder}
		for _, span := range r.Virtual {
			from, to, _ := strings.Cut(span, "-")
			a.Virtual = append(a.Virtual, collecting.Range{From: from, To: to})
		}
		all = append(all, a)
	}
	return all
}

// uploadsKey is the file with the public half of the key of Google's SFTP server.
const uploadsKey = "uploads.pub"

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// The dialects of networks that hear of captures on line, of one that takes them by file, and all of them.
var (
	dialects   = []string{"pi87-default", "pi87-alt"}
	everywhere = append([]string{byFile}, dialects...)
)

const byFile = "pi87-file"

// patience is how long the victim waits: a silent card costs two seconds.
var patience = fields{
	"timeouts": fields{"connect": "1s", "authorise": "2s", "advice": "300ms", "network": "1s", "drain": "500ms"},
	"saf":      fields{"backoff": []string{"100ms", "300ms"}, "overtaken": "2s"},
	"pool":     fields{"reconnect_min": "20ms", "reconnect_max": "100ms"},

	"chargeback_online": true,
}

// bankPatience is how long it waits for the payout bank, and between two orders, or questions about one. A death after a claim uses a
// sending up, and a slow machine the time for it; what is not sent again then waits for an hour, or for a person.
var bankPatience = fields{
	"timeout": "2s", "again": "300ms", "look": []string{"500ms", "2s"},
	"resend": []string{"300ms", "1s", "3s", "6s", "12s", "24s", "48s", "96s"},
}

// checksWithMoney makes the second dialect's network one that checks cards with a hold of a hundred won.
var checksWithMoney = map[string]fields{"pi87-alt": {"account_verification": "100"}}

// fields is a TOML table or a JSON object.
type fields = map[string]any

// life is one database, the peers around it, and the victims that die on it.
type life struct {
	t        *testing.T
	ctx      context.Context // ends when the life must be over
	cancel   context.CancelFunc
	shop     *workshop
	on       ground
	dir      string
	database string  // its place, on that ground
	reader   *sql.DB // of a database on a server
	inbox    string  // where the acquirer's files arrive

	config, nextConfig string // of today, and of tomorrow
	tomorrow           bool   // the business day is over
	did                *tally
	at                 doors // where every victim listens
	google             *google.Google
	host               *sim.Host
	bank               *upi.Host
	till               *collecting.Host // the deposit bank
	seller             *shop.Shop       // the merchant
	dialect            iso8583.Profile
	hurry              atomic.Bool // the acquirer's clock has caught up with ours
	starts             int
	made               atomic.Bool // a victim has opened the database and answered
	deaths             atomic.Int64
	busy               sync.WaitGroup // the traffic

	mu        sync.Mutex
	serial    int
	payments  []*payment
	outgoings []*outgoing
	incomings []*incoming
	wires     []*wired
	post      sync.Mutex // one file of disputes at a time
	spoiled   string     // the file that came cut off, and then whole
}

// doors are the addresses at which a process is called.
type doors struct{ gsp, hooks, api, pages string }

func (d doors) all() []string { return []string{d.gsp, d.hooks, d.api, d.pages} }

func keepDoors(t *testing.T) doors {
	t.Helper()
	return doors{keepPort(t), keepPort(t), keepPort(t), keepPort(t)}
}

// listening is what a configuration says of them.
func (d doors) listening() fields {
	return fields{
		"gsp": fields{"listen": d.gsp}, "webhooks": fields{"listen": d.hooks}, "merchant_api": fields{"listen": d.api},
		"pay": fields{"listen": d.pages},
	}
}

// bound is more than any life takes; one that is not over by then is stuck.
const bound = 4 * time.Minute

// lag is how far the acquirer's clock is behind ours: its ten-minute holds end for us after seconds. It catches up before the records are
// compared.
const lag = 10*time.Minute - 3*time.Second

func (w *workshop) begin(t *testing.T, on ground, dialect string, seed uint64, did *tally) *life {
	t.Helper()
	l := &life{t: t, shop: w, on: on, dir: t.TempDir(), did: did}
	if keep := os.Getenv("NARU_KILLTEST_KEEP"); keep != "" { // a folder where the evidence stays
		l.dir = filepath.Join(keep, t.Name())
		must(t, os.MkdirAll(l.dir, 0o700))
	}
	l.ctx, l.cancel = context.WithTimeout(t.Context(), bound)
	t.Cleanup(func() { l.cancel(); l.busy.Wait() })
	l.database = on.place(t, l.dir)
	if on.served {
		var err error
		l.reader, err = sql.Open("pgx", l.database)
		must(t, err)
		t.Cleanup(func() { _ = l.reader.Close() })
	}

	l.inbox = filepath.Join(l.dir, "inbox")
	shipped, err := os.ReadFile(filepath.Join("..", "rail", "iso8583", "profiles", dialect+".toml"))
	must(t, err)
	own := maps.Clone(patience)
	maps.Copy(own, checksWithMoney[dialect])
	profile := l.write(l.dir, shipped, own)
	l.dialect, err = iso8583.LoadProfile(profile)
	must(t, err)
	outbox := filepath.Join(l.dir, "outbox")
	l.host, err = sim.Start(t.Context(), sim.Config{
		Profile: l.dialect, Address: "127.0.0.1:0", Seed: int64(seed), Now: l.hostTime, Deliver: l.inbox, Collect: outbox,
		After: func(d time.Duration, f func()) { time.AfterFunc(d/10, f) }, // an unanswered chargeback comes again sooner
	})
	must(t, err)
	t.Cleanup(func() { _ = l.host.Close() })
	if dialect == byFile {
		l.busy.Go(func() { l.until(func() bool { return !l.tell(l.host.Control(), "/actions/collect", fields{}) }) })
	}
	l.tell(l.host.Control(), "/scenarios", sim.Rule{Action: "file-cut", Match: sim.Match{File: "PIDSP"}, Times: 1})

	l.at = keepDoors(t)
	l.bank, err = upi.Start(t.Context(), upi.Config{
		Address: "127.0.0.1:0", KeyID: w.bank.KeyID, KeySecret: w.bankKey, Accounts: []upi.Account{{Number: w.bank.Account, Opening: opening}},
		Webhook: "http://" + l.at.hooks + "/payouts/" + w.bank.Name, WebhookSecret: w.bankSigns, RetryScale: 0.003,
		Delay: time.Second, Seed: int64(seed), Root: root,
	})
	must(t, err)
	t.Cleanup(func() { _ = l.bank.Close() })
	for _, action := range []string{"webhook-wrong-signature", "webhook-duplicate", "webhook-unknown-fields"} { // once each
		l.tell(l.bank.Control(), "/scenarios", upi.Rule{Action: action, Times: 1})
	}
	fromBank, toBank := filepath.Join(l.dir, "bank", "from"), filepath.Join(l.dir, "bank", "to")
	l.till, err = collecting.Start(t.Context(), collecting.Config{
		Address: "127.0.0.1:0", Code: w.transfers.Bank, Accounts: w.accounts(), Customer: w.transfers.Customer,
		Out: fromBank, In: toBank, ScanEvery: 100 * time.Millisecond, Push: "http://" + l.at.hooks, Feed: w.feed, Key: w.feedKey[0],
		Secret: w.feedKey[1], Delay: time.Second, Seed: int64(seed),
	})
	must(t, err)
	t.Cleanup(func() { _ = l.till.Close() })
	trader := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { l.seller.ServeHTTP(w, r) }))
	t.Cleanup(trader.Close)
	l.seller, err = shop.New(shop.Config{
		API: "http://" + l.at.api, PlatformID: w.keyring.PlatformID, Key: w.keyring.PlatformKey, Authorization: w.keyring.Authorization,
		Webhook: w.keyring.Webhook, Own: trader.URL, Now: time.Now, Business: time.Now,
	})
	must(t, err)
	t.Cleanup(func() { _ = l.seller.Close() })
	l.google, err = google.New(google.Config{
		Integrator: "https://" + l.at.gsp, Roots: w.roots, Keys: w.keys, Peer: w.peer,
		Accounts: slices.Sorted(maps.Keys(w.apis)), APIs: w.apis,
		BasePath: "/gsp", Now: time.Now, Business: time.Now, Seed: int64(seed), Files: filepath.Join(l.dir, "uploads"),
	})
	must(t, err)
	t.Cleanup(func() { _ = l.google.Close() })
	uploads, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	l.busy.Go(func() {
		if err := l.google.ServeFiles(uploads, w.uploads, w.uploader); err != nil {
			t.Error(err)
		}
	})
	context.AfterFunc(l.ctx, func() { _ = uploads.Close() })
	hosted := httptest.NewUnstartedServer(l.google)
	hosted.TLS = &tls.Config{Certificates: []tls.Certificate{w.certificate}}
	hosted.EnableHTTP2, hosted.Config.ErrorLog = true, log.New(io.Discard, "", 0) // victims hang up in the middle of everything
	hosted.StartTLS()
	t.Cleanup(hosted.Close)
	for _, action := range []string{"drop-answer", "500"} { // once each: the same news must come again
		l.tell(l.google.Control(), "/faults", fields{"action": action, "times": 1})
	}

	with := fields{ // beside the keys that it names
		"node": fields{"lease": "1s"}, // what a node leaves is waited for; a file has no other nodes
		"gsp": fields{
			"listen": l.at.gsp, "google_base": hosted.URL + "/gsp", "settlements": fields{
				"sftp": uploads.Addr().String(), "user": "naru", "key": w.uploadKey, "host_key": uploadsKey,
			},
		},
		"admin": fields{"listen": "127.0.0.1:0"},
		"log":   fields{"format": "json", "level": "debug"},
		"acquirer": fields{
			"addresses": []string{l.host.Addr()}, "profile": profile, "files": fields{
				"acquirer": "ACQ0001", "inbox": l.inbox, "outbox": outbox, "scan": "100ms", "capture_every": "300ms",
			},
		},
		"account":     fields{"verify_hold": "3s", "time_zone": today},
		"webhooks":    fields{"listen": l.at.hooks},
		"payout_bank": maps.Clone(bankPatience),

		"merchant_api":  fields{"listen": l.at.api},
		"pay":           fields{"listen": l.at.pages},
		"bank_feed":     fields{"inbox": fields{"folder": fromBank, "scan": "100ms"}},
		"transfer_bank": fields{"outbox": fields{"folder": toBank}, "resend": bankPatience["resend"], "again": bankPatience["again"]},
		"merchant":      fields{"api": fields{"payment_info": true, "precheck_url": shop.CheckURL(trader.URL)}},
	}
	with["payout_bank"].(fields)["base"] = l.bank.URL()
	l.config = l.write(w.dir, w.config, with)
	with["account"].(fields)["time_zone"] = tomorrow
	l.nextConfig = l.write(w.dir, w.config, with)
	return l
}

// No time zone has two dates at once, but where today is, tomorrow has begun in the other: that is how a business day ends without waiting.
const today, tomorrow = "Etc/GMT+11", "Etc/GMT-14"

// write makes a TOML file in dir: the text with other values. Those of a list of tables go into each of them.
func (l *life) write(dir string, text []byte, with fields) (name string) {
	l.t.Helper()
	base := fields{}
	must(l.t, toml.Unmarshal(text, &base))
	for key, value := range with {
		more, table := value.(fields)
		switch old := base[key].(type) {
		case []any:
			for _, each := range old {
				maps.Copy(each.(fields), more)
			}
		case fields:
			maps.Copy(old, more)
		default:
			if base[key] = value; table {
				base[key] = maps.Clone(more)
			}
		}
	}
	text, err := toml.Marshal(base)
	must(l.t, err)
	f, err := os.CreateTemp(dir, "life-*.toml")
	must(l.t, err)
	_, err = f.Write(text)
	must(l.t, errors.Join(err, f.Close()))
	return f.Name()
}

// hostTime is the acquirer's business time.
func (l *life) hostTime() time.Time {
	if l.hurry.Load() {
		return time.Now()
	}
	return time.Now().Add(-lag)
}

// tell posts to a peer's control port, and reads the answer if somebody wants it.
func (l *life) tell(control http.Handler, path string, what any, into ...any) bool {
	body, err := json.Marshal(what)
	if err != nil {
		panic(err)
	}
	w := httptest.NewRecorder()
	control.ServeHTTP(w, httptest.NewRequest(http.MethodPost, path, bytes.NewReader(body)))
	if w.Code != http.StatusOK {
		l.t.Errorf("%s: %d %s", path, w.Code, w.Body)
		return false
	}
	for _, to := range into {
		if err := json.Unmarshal(w.Body.Bytes(), to); err != nil {
			l.t.Errorf("%s: %v", path, err)
			return false
		}
	}
	return true
}

// hear reads from a peer's control port.
func (l *life) hear(control http.Handler, path string, into any) {
	w := httptest.NewRecorder()
	control.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	if err := json.Unmarshal(w.Body.Bytes(), into); err != nil {
		l.t.Errorf("%s: %v", path, err)
	}
}

// until looks again and again until it has seen it; false where the life is over before.
func (l *life) until(seen func() bool) bool {
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for !seen() {
		select {
		case <-look.C:
		case <-l.ctx.Done():
			return false
		}
	}
	return true
}

// await is until, and an error where it never happens.
func (l *life) await(what string, seen func() bool) bool {
	ok := l.until(seen)
	if !ok && errors.Is(l.ctx.Err(), context.DeadlineExceeded) {
		l.t.Errorf("%s: it never happened", what)
	}
	return ok
}

// victim is one run of the binary.
type victim struct {
	n      int
	point  string // where it is to die; empty: nowhere, or by a signal
	cmd    *exec.Cmd
	admin  string        // its admin listener, once it is ready
	ready  chan struct{} // closed when it answers
	gone   chan struct{} // closed when it is dead
	status int           // then: its exit status, -1 after a signal
}

// start runs the binary on the life's database. Its log is kept.
func (l *life) start(point string) *victim {
	l.t.Helper()
	return l.startWith(l.config, point)
}

func (l *life) startWith(config, point string) *victim {
	l.t.Helper()
	l.starts++
	l.did.starts.Add(1)
	v := &victim{n: l.starts, point: point, ready: make(chan struct{}), gone: make(chan struct{})}
	args := []string{"serve", "--config", config, "--store", l.database}
	if point != "" {
		args = append(args, "--crash-at", point)
	}
	v.cmd = exec.Command(l.shop.binary, args...)
	diary, err := os.Create(l.diary(v))
	must(l.t, err)
	v.cmd.Stdout = diary
	says, err := v.cmd.StderrPipe()
	must(l.t, err)
	must(l.t, v.cmd.Start())
	l.t.Cleanup(func() { v.kill(); <-v.gone })
	go func() {
		defer close(v.gone)
		for lines := bufio.NewReader(says); ; {
			line, err := lines.ReadBytes('\n')
			_, _ = diary.Write(line)
			var event struct{ Msg, Admin string }
			if json.Unmarshal(line, &event) == nil && event.Msg == "ready" {
				l.made.Store(true)
				l.tell(l.till.Control(), "/clock", fields{"advance": "2m5s"}) // what the dead one did not hear is told to the new one at once
				v.admin = event.Admin
				close(v.ready)
			}
			if err != nil {
				break
			}
		}
		_ = v.cmd.Wait() // its status says more
		v.status = v.cmd.ProcessState.ExitCode()
		_ = diary.Close()
	}()
	return v
}

func (v *victim) kill() { _ = v.cmd.Process.Kill() }

// stop asks the victim to end, and waits for it.
func (v *victim) stop() {
	_ = v.cmd.Process.Signal(syscall.SIGTERM)
	<-v.gone
}

// died waits for the death that was meant and looks at the database that it left. A point that was never passed is no death.
func (l *life) died(v *victim) bool {
	l.t.Helper()
	<-v.gone
	l.deaths.Add(1)
	l.did.kills.Add(1)
	want := -1
	if v.point != "" {
		want = crash.Status
	}
	if v.status != want {
		l.t.Errorf("victim %d was to die at %q and ended with status %d, not %d:\n%s", v.n, v.point, v.status, want, l.lastWords(v))
		l.cancel()
		return false
	}
	l.check(fmt.Sprintf("after the death of victim %d", v.n))
	l.oncePaid()
	return true
}

func (l *life) diary(v *victim) string {
	return filepath.Join(l.dir, fmt.Sprintf("victim-%d.log", v.n))
}

// lastWords is the end of a victim's log.
func (l *life) lastWords(v *victim) string {
	text, err := os.ReadFile(l.diary(v))
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-20):], "\n")
}

// check runs fsck on the database that a victim left, and tells whether everything could be checked that can be on this ground. Before the
// first commit there is nothing to check.
func (l *life) check(when string) (whole bool) {
	l.t.Helper()
	report, err := fsck.Run(l.ctx, fsck.Options{Database: l.database, KEK: l.shop.kek, Forbidden: l.shop.forbidden()})
	if err != nil {
		if l.made.Load() { // before that a death may leave no database, or one without its schema, which fsck refuses to read
			l.t.Errorf("fsck %s: %v", when, err)
		}
		return false
	}
	if !report.OK() {
		var text strings.Builder
		_, _ = report.WriteTo(&text)
		l.t.Errorf("fsck %s:\n%s", when, &text)
	}
	return !slices.ContainsFunc(report.NotChecked, func(n fsck.NotChecked) bool { return !slices.Contains(l.on.unread, n.Check) })
}

// keepPort takes a port for a life. Its victims listen there, one after the other; between them nobody does: a socket that is bound and
// never listens keeps the kernel (Linux) from giving the port to whoever takes any, such as another life's victim.
func keepPort(t *testing.T) (address string) {
	t.Helper()
	syscall.ForkLock.RLock() // no victim inherits it
	s, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(s)
	}
	syscall.ForkLock.RUnlock()
	must(t, err)
	t.Cleanup(func() { _ = syscall.Close(s) })
	must(t, syscall.SetsockoptInt(s, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1)) // beside us, who says which
	must(t, syscall.Bind(s, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	at, err := syscall.Getsockname(s)
	must(t, err)
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(at.(*syscall.SockaddrInet4).Port))
}
