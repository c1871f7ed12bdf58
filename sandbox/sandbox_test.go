package sandbox

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"naru/clock"
	"naru/core/card"
	"naru/pgserver/pgtest"
	"naru/platform"
	"naru/rail/iso8583"
	"naru/sandbox/google"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Run(m)) }

// started is a sandbox for one test, in a folder of its own unless one is given.
func started(t *testing.T, dir string) *Sandbox {
	t.Helper()
	s, err := Start(t.Context(), Options{Dir: dir, Seed: 1})
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// outsider knows the folder with sandbox.json, the specification, and GnuPG.
type outsider struct {
	t        *testing.T
	contract struct {
		GSP struct {
			Base, CA   string
			Accounts   []struct{ PIAID string }
			Integrator struct {
				Public string `json:"pgp_public"`
			}
			Google struct {
				Secret string `json:"pgp_secret"`
			}
		}
		Control struct{ Base string }
	}
	gpg        []string
	own, peer  string // fingerprints
	http       *http.Client
	controlURL string
}

func outside(t *testing.T, dir string) *outsider {
	t.Helper()
	o := &outsider{t: t}
	text, err := os.ReadFile(filepath.Join(dir, "sandbox.json"))
	must(t, err)
	must(t, json.Unmarshal(text, &o.contract))
	o.controlURL = o.contract.Control.Base

	ca, err := os.ReadFile(filepath.Join(dir, o.contract.GSP.CA))
	must(t, err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	o.http = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	t.Cleanup(o.http.CloseIdleConnections)

	home, err := os.MkdirTemp("", "gpg") // a short name: the agent's socket stands in it
	must(t, err)
	o.gpg = []string{"--homedir", home, "--batch", "--quiet", "--no-tty", "--trust-model", "always"}
	t.Cleanup(func() {
		_ = exec.Command("gpgconf", "--homedir", home, "--kill", "all").Run()
		must(t, os.RemoveAll(home))
	})
	o.own = o.learn(filepath.Join(dir, o.contract.GSP.Google.Secret))
	o.peer = o.learn(filepath.Join(dir, o.contract.GSP.Integrator.Public))
	return o
}

// learn imports a key and gives its fingerprint.
func (o *outsider) learn(file string) string {
	o.t.Helper()
	o.run(nil, "--import", file)
	listing, _ := o.run(nil, "--with-colons", "--show-keys", file)
	for line := range strings.Lines(string(listing)) {
		if f := strings.Split(line, ":"); f[0] == "fpr" {
			return f[9]
		}
	}
	o.t.Fatalf("%s holds no key", file)
	return ""
}

func (o *outsider) run(in []byte, args ...string) (out, report []byte) {
	o.t.Helper()
	cmd := exec.CommandContext(o.t.Context(), "gpg", append(slices.Clone(o.gpg), args...)...)
	cmd.Stdin = bytes.NewReader(in)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		o.t.Fatalf("gpg %v: %v\n%s", args, err, stderr.Bytes())
	}
	return stdout.Bytes(), stderr.Bytes()
}

// call does what the specification says: JSON, signed and encrypted, base64url, HTTPS; and back.
func (o *outsider) call(path, id string, body map[string]any) (int, map[string]any) {
	o.t.Helper()
	body = maps.Clone(body)
	body["requestHeader"] = map[string]any{
		"requestId": id, "requestTimestamp": strconv.FormatInt(time.Now().UnixMilli(), 10),
		"protocolVersion": map[string]any{"major": 1, "minor": 0, "revision": 0},
	}
	plain, err := json.Marshal(body)
	must(o.t, err)
	sealed, _ := o.run(plain, "--digest-algo", "SHA384", "--cipher-algo", "AES256", "-u", o.own, "-r", o.peer, "--sign", "--encrypt")
	resp, err := o.http.Post(o.contract.GSP.Base+path, "application/octet-stream; charset=utf-8",
		strings.NewReader(base64.RawURLEncoding.EncodeToString(sealed)))
	must(o.t, err)
	defer resp.Body.Close()
	wire, err := io.ReadAll(resp.Body)
	must(o.t, err)
	sealed, err = base64.RawURLEncoding.DecodeString(string(wire))
	must(o.t, err)
	plain, report := o.run(sealed, "--status-fd", "2", "--decrypt")
	if !bytes.Contains(report, []byte("VALIDSIG "+o.peer)) {
		o.t.Errorf("the answer is not signed by the integrator:\n%s", report)
	}
	var answer map[string]any
	must(o.t, json.Unmarshal(plain, &answer))
	return resp.StatusCode, answer
}

// Reserve, replay, capture, and the decrypted G1, by a client that knows only sandbox.json and the sheets.
func TestOutsideClient(t *testing.T) {
	t.Parallel()
	s := started(t, t.TempDir())
	o := outside(t, s.Dir)
	account := o.contract.GSP.Accounts[0].PIAID
	const api = "/v1/payment-integrator-korea-cards-api/"
	none := map[string]any{}
	purchase := map[string]any{
		"paymentIntegratorAccountId": account,
		"accountDetails": map[string]any{"card": map[string]any{
			"accountNumber": "4242424242424242", "nameOnCard": "SEO JIHUN", "expiryMonth": "08", "expiryYear": "39",
		}},
		"currencyCode": "KRW", "amount": "12900000000", "transactionDescription": "GOOGLE*Star Farm", "merchantCategoryCode": "5816",
		"additionalTransactionProcessingOptions": map[string]any{
			"userSelectedProcessingNetworkTypeNotApplicable": none, "electronicCommerceIndicatorNotApplicable": none,
			"threeDSecureNotAppplicable": none, "storedCredentialTransactionInformationNotApplicable": none,
		},
	}
	status, approved := o.call(api+"reserveFunds", "out-r1", purchase)
	if status != http.StatusOK || approved["result"] != "SUCCESS" || approved["reservationExpirationTimestamp"] == nil {
		t.Fatalf("reserveFunds: %d %v", status, approved)
	}
	status, again := o.call(api+"reserveFunds", "out-r1", purchase)
	delete(approved, "responseHeader")
	delete(again, "responseHeader")
	if status != http.StatusOK || !reflect.DeepEqual(again, approved) {
		t.Errorf("the replay is %d %v, the first answer was %v", status, again, approved)
	}
	status, taken := o.call(api+"asynchronousCaptureFundsReservation", "out-c1", map[string]any{
		"paymentIntegratorAccountId": account, "reservationRequestId": "out-r1", "amount": "12900000000",
	})
	if status != http.StatusOK || taken["result"] != "ACKNOWLEDGED" {
		t.Fatalf("capture: %d %v", status, taken)
	}
	verdict := o.wait("/google/received", func(m map[string]any) bool {
		return m["body"].(map[string]any)["captureFundsReservationRequestId"] == "out-c1"
	})
	body := verdict["body"].(map[string]any)
	if verdict["method"] != captureEnd || verdict["piaid"] != account || body["captureFundsReservationResult"] != "SUCCESS" ||
		body["paymentIntegratorAccountId"] != account {
		t.Errorf("G1 is %v", verdict)
	}
	if got, want := o.get("/ledger"), `[{"account":"acquirer:held/NaruPG_KRW","currency":"KRW","balance":0},`+
		`{"account":"acquirer:receivable/NaruPG_KRW","currency":"KRW","balance":12900},`+
		`{"account":"google:held/NaruPG_KRW","currency":"KRW","balance":0},`+
		`{"account":"google:payable/NaruPG_KRW","currency":"KRW","balance":-12900},`+opened; got != want {
		t.Errorf("the ledger is\n%s, want\n%s", got, want)
	}
	status, echoed := o.call("/v1/echo", "out-e1", map[string]any{"clientMessage": "안녕"})
	if status != http.StatusOK || echoed["clientMessage"] != "안녕" {
		t.Errorf("echo: %d %v", status, echoed)
	}
}

// opened is the end of the ledger of a new sandbox: the merchant's first deposit, and what the payout bank holds for us.
const opened = `{"account":"income:fees/PF0901","currency":"KRW","balance":-80000},` +
	`{"account":"merchant:payable/PF0901","currency":"KRW","balance":-9920000},` +
	`{"account":"bank:collection/nonghyup-main","currency":"KRW","balance":10000000},` +
	`{"account":"deposit:unmatched/nonghyup-main","currency":"KRW","balance":0},` +
	`{"account":"bank:settlement/razorpayx","currency":"INR","balance":-5000000},` +
	`{"account":"payout:float/razorpayx","currency":"INR","balance":5000000}]`

// sandbox.json is a public interface (design §4): what is not built is absent, and nothing is null.
func TestContract(t *testing.T) {
	where := addresses{
		GSP: "127.0.0.1:7440", Google: "127.0.0.1:7441", Control: "127.0.0.1:7443", Admin: "127.0.0.1:7444", Acquirer: "127.0.0.1:7447",
		Bank: "http://127.0.0.1:7448", Files: "127.0.0.1:7450", API: "127.0.0.1:7442", Page: "127.0.0.1:7445",
		Collecting: "http://127.0.0.1:7449",
	}
	text, err := where.contract(shopKeys{"k", "a", "whsec_dw=="}).text()
	must(t, err)
	var got, want any
	must(t, json.Unmarshal(text, &got))
	must(t, json.Unmarshal([]byte(`{
		"gsp": { "base": "https://127.0.0.1:7440", "ca": "ca.pem",
			"accounts": [ { "piaid": "NaruPG_KRW", "apis": ["korea-cards-v1"], "currencies": ["KRW"] },
			              { "piaid": "NaruPG2_KRW", "apis": ["korea-cards-v1"], "currencies": ["KRW"] },
			              { "piaid": "NaruPG_EUR", "apis": ["card-fop-v1"], "currencies": ["EUR", "JPY", "KWD"] },
			              { "piaid": "NaruPay_INR", "apis": ["disburse-v1"], "currencies": ["INR"] } ],
			"integrator": { "pgp_public": "integrator.pub.asc" },
			"google": { "base": "https://127.0.0.1:7441/secure-serving/gsp",
			            "pgp_secret": "google.sec.asc", "pgp_public": "google.pub.asc",
			            "files": { "sftp": "127.0.0.1:7450", "host_key": "sftp_host.pub", "key": "sftp.key" } } },
		"merchant": { "base": "http://127.0.0.1:7442", "desk": "http://127.0.0.1:7442/desk/", "platform_id": "PF0901",
		              "platform_key": "k", "authorization": "a", "webhook_secret": "whsec_dw==" },
		"admin": { "base": "http://127.0.0.1:7444" },
		"pay": { "base": "http://127.0.0.1:7445" },
		"acquirer": { "address": "127.0.0.1:7447" },
		"upi": { "base": "http://127.0.0.1:7448" },
		"bank": { "base": "http://127.0.0.1:7449" },
		"control": { "base": "http://127.0.0.1:7443" } }`), &want))
	if !reflect.DeepEqual(got, want) {
		t.Errorf("sandbox.json is\n%s", text)
	}
	for o, want := range map[offset]string{
		gspPort: "127.0.0.1:7440", googlePort: "127.0.0.1:7441", controlPort: "127.0.0.1:7443",
		adminPort: "127.0.0.1:7444", acquirerPort: "127.0.0.1:7447", bankPort: "127.0.0.1:7448", filesPort: "127.0.0.1:7450",
		hooksPort: "127.0.0.1:7451", apiPort: "127.0.0.1:7442", pagePort: "127.0.0.1:7445", collectingPort: "127.0.0.1:7449",
		shopPort: "127.0.0.1:7452",
	} {
		if got := o.at(7440); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// control asks the control port.
func (o *outsider) control(method, path, body string, status int, header ...string) string {
	o.t.Helper()
	req, err := http.NewRequestWithContext(o.t.Context(), method, o.controlURL+path, strings.NewReader(body))
	must(o.t, err)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
		if header[i] == "Host" {
			req.Host = header[i+1]
		}
	}
	resp, err := http.DefaultClient.Do(req)
	must(o.t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	must(o.t, err)
	if resp.StatusCode != status {
		o.t.Errorf("%s %s %s: %d %s, want %d", method, path, body, resp.StatusCode, text, status)
	}
	return strings.TrimSpace(string(text))
}

func (o *outsider) get(path string) string { return o.control(http.MethodGet, path, "", http.StatusOK) }

// wait looks at a list until one of it fits.
func (o *outsider) wait(path string, fits func(map[string]any) bool) map[string]any {
	o.t.Helper()
	ctx, cancel := context.WithTimeout(o.t.Context(), 20*time.Second)
	defer cancel()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for {
		var list []map[string]any
		must(o.t, json.Unmarshal([]byte(o.get(path)), &list))
		if i := slices.IndexFunc(list, fits); i >= 0 {
			return list[i]
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			o.t.Fatalf("%s never shows what it should: %v", path, list)
		}
	}
}

// Every call of the control port, its shape, and whom it refuses.
func TestControlPort(t *testing.T) {
	t.Parallel()
	s := started(t, t.TempDir())
	o := &outsider{t: t, controlURL: s.Contract.Control.Base}
	for _, call := range []string{
		"GET /clock", "POST /clock", "POST /google/send", "GET /google/received",
		"GET /google/faults", "POST /google/faults", "DELETE /google/faults",
		"GET /ledger", "GET /acquirer/scenarios", "POST /acquirer/scenarios", "GET /acquirer/transactions", "GET /acquirer/holds",
		"GET /acquirer/bookings", "GET /acquirer/disputes", "GET /acquirer/files", "GET /acquirer/records",
		"GET /upi/scenarios", "POST /upi/scenarios", "GET /upi/transactions", "GET /upi/payouts", "GET /upi/paid", "GET /upi/statement",
		"GET /upi/events", "POST /upi/actions/fund", "POST /upi/actions/return", "POST /upi/reset",
		"POST /acquirer/actions/drop", "POST /acquirer/actions/settle", "POST /acquirer/reset", "GET /google/settlements", "GET /google/files",
		"GET /merchant/received", "GET /merchant/asked", "GET /merchant/books", "POST /merchant/send", "GET /merchant/faults",
		"POST /merchant/faults", "DELETE /merchant/faults", "POST /bank/credits", "GET /bank/transactions", "GET /bank/accounts",
		"GET /bank/payments", "GET /bank/reports", "GET /bank/scenarios", "POST /bank/scenarios", "POST /bank/actions/deposit",
		"POST /bank/actions/reversal", "POST /bank/actions/return", "POST /bank/actions/statement", "POST /bank/reset",
	} {
		method, path, _ := strings.Cut(call, " ")
		for _, header := range [][]string{{"Origin", "http://example.com"}, {"Origin", "null"}, {"Host", "example.com:7443"}} {
			o.control(method, path, "{}", http.StatusForbidden, header...)
		}
	}
	o.control("GET", "/nothing", "", http.StatusNotFound)

	// Time is that of the integrator and of its peers.
	var before, after struct{ Now time.Time }
	must(t, json.Unmarshal([]byte(o.get("/clock")), &before))
	must(t, json.Unmarshal([]byte(o.control("POST", "/clock", `{"advance":"30s"}`, http.StatusOK)), &after))
	if moved := after.Now.Sub(before.Now); moved < 30*time.Second || moved > 50*time.Second {
		t.Errorf("30 s were %s", moved)
	}
	for _, bad := range []string{`{"advance":"-1s"}`, `{"advance":"soon"}`, `{"advanced":"1s"}`, `{}`, ``} {
		o.control("POST", "/clock", bad, http.StatusBadRequest)
	}
	var host struct{ Now time.Time }
	must(t, json.Unmarshal([]byte(o.get("/acquirer/clock")), &host))
	if apart := host.Now.Sub(after.Now); apart < 0 || apart > 20*time.Second {
		t.Errorf("the acquirer lives %s later", apart)
	}
	o.control("POST", "/acquirer/clock", `{"advance":"1s"}`, http.StatusConflict)

	for _, empty := range []string{
		"/google/received", "/google/faults", "/acquirer/scenarios", "/acquirer/holds", "/upi/payouts", "/bank/payments", "/bank/scenarios",
		"/merchant/faults",
	} {
		if got := o.get(empty); got != "[]" {
			t.Errorf("%s is %s at the start", empty, got)
		}
	}

	if got, want := o.get("/ledger"), "["+opened; got != want {
		t.Errorf("the ledger is %s at the start, want %s", got, want)
	}
	must(t, json.Unmarshal([]byte(o.get("/upi/clock")), &host))
	if apart := host.Now.Sub(after.Now); apart < 0 || apart > 20*time.Second {
		t.Errorf("the payout bank lives %s later", apart)
	}
	o.control("POST", "/upi/clock", `{"advance":"1s"}`, http.StatusConflict)
	must(t, json.Unmarshal([]byte(o.get("/bank/clock")), &host))
	if apart := host.Now.Sub(after.Now); apart < 0 || apart > 20*time.Second {
		t.Errorf("the deposit bank lives %s later", apart)
	}
	o.control("POST", "/bank/clock", `{"advance":"1s"}`, http.StatusConflict)
	o.control("POST", "/bank/credits", `{"account":"1","amount":1,"name":"x"}`, http.StatusConflict)
	o.control("POST", "/bank/credits", `{"account":"100200300400","won":1}`, http.StatusBadRequest)

	// A purchase in three copies: one answer, one hold.
	var answers []struct {
		Status int
		Body   map[string]any
	}
	purchase := func(id string) string {
		return `{"method":"reserveFunds","copies":3,"body":{"requestHeader":{"requestId":"` + id + `"},` +
			`"amount":"5000000000","currencyCode":"KRW","transactionDescription":"x","merchantCategoryCode":"5816",` +
			`"accountDetails":{"card":{"accountNumber":"` + goodCard + `","nameOnCard":"SEO JIHUN","expiryMonth":"08","expiryYear":"39"}},` +
			`"additionalTransactionProcessingOptions":{` +
			`"userSelectedProcessingNetworkTypeNotApplicable":{},"electronicCommerceIndicatorNotApplicable":{},` +
			`"threeDSecureNotAppplicable":{},"storedCredentialTransactionInformationNotApplicable":{}}}}`
	}
	must(t, json.Unmarshal([]byte(o.control("POST", "/google/send", purchase("p1"), http.StatusOK)), &answers))
	if len(answers) != 3 {
		t.Fatalf("%d answers", len(answers))
	}
	for _, a := range answers {
		delete(a.Body, "responseHeader")
		if a.Status != http.StatusOK || a.Body["result"] != "SUCCESS" || !reflect.DeepEqual(a.Body, answers[0].Body) {
			t.Errorf("a copy is answered %d %v", a.Status, a.Body)
		}
	}
	if got := strings.Count(o.get("/acquirer/holds"), `"state":"open"`); got != 1 {
		t.Errorf("%d holds", got)
	}

	// A verdict that Google does not take at first comes again, under the same id.
	o.control("POST", "/google/faults", `{"method":"captureFundsReservationResultNotification","action":"drop","times":1}`, http.StatusOK)
	o.control("POST", "/google/send", `{"method":"asynchronousCaptureFundsReservation",`+
		`"body":{"requestHeader":{"requestId":"p2"},"reservationRequestId":"p1","amount":"5000000000"}}`, http.StatusOK)
	var ids []any
	o.wait("/google/received", func(m map[string]any) bool {
		if m["method"] == captureEnd {
			ids = append(ids, m["body"].(map[string]any)["requestHeader"].(map[string]any)["requestId"])
		}
		return m["method"] == captureEnd
	})
	o.control("POST", "/clock", `{"advance":"1m"}`, http.StatusOK) // past the wait between two attempts
	must(t, s.drain(t.Context()))
	var received []map[string]any
	must(t, json.Unmarshal([]byte(o.get("/google/received")), &received))
	if len(received) != 2 || received[1]["body"].(map[string]any)["requestHeader"].(map[string]any)["requestId"] != ids[0] {
		t.Errorf("received is %v", received)
	}
	for _, m := range received {
		if keys := slices.Sorted(maps.Keys(m)); !slices.Equal(keys, []string{"at", "body", "method", "piaid"}) {
			t.Errorf("an entry has %v", keys)
		}
		if _, err := time.Parse(time.RFC3339Nano, m["at"].(string)); err != nil {
			t.Error(err)
		}
	}

	// The comparison sees the world as it is, and sees when one party lies.
	o.control("POST", "/google/send", purchase("p3"), http.StatusOK)
	e, err := s.gather(t.Context())
	must(t, err)
	if c := compare(e); !c.agrees() || len(c.rows) != 2 || c.rows[0].acquirer.booked != 5_000 || c.rows[1].acquirer.held != 5_000 {
		t.Errorf("%+v", c)
	}
	last := e.books.holds[len(e.books.holds)-1]
	o.control("POST", "/acquirer/actions/expire-hold", `{"rrn":"`+last.RRN+`"}`, http.StatusOK)
	e, err = s.gather(t.Context())
	must(t, err)
	if c := compare(e); c.agrees() || !slices.Equal(c.rows[1].problems, []string{"they do not agree"}) {
		t.Errorf("a hold that the acquirer let go is not missed: %+v", c)
	}

	// Nobody is done as long as a file lies in the inbox, or a case waits for a person.
	o.control("POST", "/acquirer/actions/adjust", `{"amount":100}`, http.StatusOK)
	o.control("POST", "/acquirer/actions/settle", `{}`, http.StatusOK)
	if err := s.drain(t.Context()); err == nil || !strings.Contains(err.Error(), "1 cases wait for an operator") {
		t.Fatalf("with a correction on its way: %v", err)
	}
	var cases []struct{ ID string }
	admin := &outsider{t: t, controlURL: s.Contract.Admin.Base}
	must(t, json.Unmarshal([]byte(admin.get("/cases")), &cases))
	admin.control("POST", "/cases/close", `{"id":"`+cases[0].ID+`","note":"goodwill"}`, http.StatusOK)
	must(t, s.drain(t.Context()))
}

// What goes by file is made, collected and answered before nothing is owed.
func TestDrainFiles(t *testing.T) {
	t.Parallel()
	s, err := Start(t.Context(), Options{Dir: t.TempDir(), Seed: 1, Profile: "pi87-file"})
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	tell := &teller{client: s.client(), out: io.Discard, id: "files"}
	defer tell.http.CloseIdleConnections()
	held := tell.reserve(t.Context(), second, goodCard, won(5_000), nil, expect{200, "SUCCESS"})
	captured := tell.capture(t.Context(), held, won(5_000), expect{200, "ACKNOWLEDGED"})
	must(t, s.drain(t.Context()))
	_, verdicts := s.google.Record()
	if len(verdicts) != 1 || verdicts[0].Subject != captured.id || verdicts[0].Result != "SUCCESS" || tell.wrong > 0 {
		t.Errorf("Google heard %+v", verdicts)
	}
}

// What the payout bank has not told yet is waited for, and what it never tells is read in its statement.
func TestDrainPayouts(t *testing.T) {
	t.Parallel()
	s := started(t, t.TempDir())
	tell := &teller{client: s.client(), admin: s.Contract.Admin.Base, out: io.Discard, id: "payouts", shown: map[string]string{}}
	defer tell.http.CloseIdleConnections()
	back := tell.pay(t.Context(), rupees(70_00), goodVPA, expect{200, "SUCCESS"})
	for _, event := range []string{"payout.updated", "payout.processed"} {
		tell.atUPI(t.Context(), fields{"action": "webhook-late", "delay_ms": 20_000, "match": fields{"event": event, "amount": 10_00}})
	}
	late := tell.pay(t.Context(), rupees(10_00), goodVPA, expect{503, ""})
	must(t, s.drain(t.Context()))
	if d, err := s.debts(t.Context(), tell.client); err != nil || d.Payouts != 0 || d.untold != 0 {
		t.Errorf("%+v (%v)", d, err)
	}
	_, verdicts := s.google.Record()
	told := slices.ContainsFunc(verdicts, func(v google.Verdict) bool { return v.Subject == late.id && v.Result == "SUCCESS" })
	if !told || tell.wrong > 0 || tell.err != nil {
		t.Errorf("Google heard %+v (%v)", verdicts, tell.err)
	}

	tell.atUPI(t.Context(), fields{"action": "webhook-never"})
	tell.call(t.Context(), http.MethodPost, "/upi/actions/return", fields{"reference": tell.ofRequest(t.Context(), back)[0].Reference}, nil)
	if err := s.drain(t.Context()); err == nil || !strings.Contains(err.Error(), "1 cases wait for an operator") {
		t.Errorf("money came back, and nobody said so: %v", err)
	}
	e, err := s.gather(t.Context())
	must(t, err)
	if c := compare(e); !c.agrees() || len(c.payouts) != 2 || c.payouts[0].ledger.back != 70_00 {
		t.Errorf("finds %q: %+v", c.found(), c.payouts)
	}
}

// A second start finds keys, books and records; so does the integrator alone; and nobody shares a folder.
func TestSecondStart(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new", "folder")
	s, err := Start(t.Context(), Options{Dir: dir, Seed: 1})
	must(t, err)
	o := &outsider{t: t, controlURL: s.Contract.Control.Base}
	const send = `{"method":"asynchronousCancelFundsReservation","body":{"requestHeader":{"requestId":"x"},"reservationRequestId":"none"}}`
	if got := o.control("POST", "/google/send", send, http.StatusOK); !strings.Contains(got, `"errorResponseCode":"INVALID_IDENTIFIER"`) {
		t.Errorf("a cancel of nothing: %s", got)
	}
	o.control("POST", "/clock", `{"advance":"240h"}`, http.StatusOK)
	if _, err := Start(t.Context(), Options{Dir: dir, Seed: 1}); err == nil || !strings.Contains(err.Error(), "another sandbox uses") {
		t.Errorf("a second sandbox in the folder: %v", err)
	}
	must(t, s.Close())
	kept := keysOf(t, dir)
	if len(kept) != 19 {
		t.Errorf("%d files of keys: %v", len(kept), slices.Sorted(maps.Keys(kept)))
	}

	// A client that waits for sandbox.json must not find the one of an earlier start.
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	port := busy.Addr().(*net.TCPAddr).Port
	if _, err := Start(t.Context(), Options{Dir: dir, PortBase: port - int(acquirerPort)}); err == nil {
		t.Error("a sandbox starts on a port that is taken")
	}
	must(t, busy.Close())
	if _, err := os.Stat(filepath.Join(dir, contractFile)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("sandbox.json stands before all is ready: %v", err)
	}

	config, err := platform.Load(filepath.Join(dir, "naru.toml"))
	must(t, err)
	ctx, stop := context.WithCancel(t.Context())
	alone, err := platform.Start(ctx, config, platform.World{Clock: &clock.Movable{}, Log: platform.Logger(io.Discard, platform.Log{})})
	must(t, err)
	if got := "https://" + alone.GSPAddr; got != s.Contract.GSP.Base {
		t.Errorf("alone it listens on %s, in the sandbox it was %s", got, s.Contract.GSP.Base)
	}
	ready, err := http.Get("http://" + alone.AdminAddr + "/readyz")
	must(t, err)
	if ready.StatusCode != http.StatusOK {
		t.Errorf("alone it is not ready: %s", ready.Status)
	}
	must(t, ready.Body.Close())
	stop()
	must(t, alone.Wait())

	again := started(t, dir)
	if got := keysOf(t, dir); !maps.Equal(got, kept) {
		t.Errorf("the keys are\n%v, were\n%v", got, kept)
	}
	exchanges, _ := again.google.Record()
	if len(exchanges) != 1 || exchanges[0].RequestID != "x" {
		t.Errorf("Google remembers %+v", exchanges)
	}
	if ahead := time.Until(again.clock.Now()); ahead < 239*time.Hour {
		t.Errorf("time went back: %s ahead", ahead)
	}
	o.controlURL = again.Contract.Control.Base
	if n := strings.Count(o.get("/upi/statement"), `"bank_transfer"`); n != 1 {
		t.Errorf("the payout bank was funded %d times", n)
	}
	for path, times := range map[string]int{"/merchant/asked": 1, "/merchant/books": 1, "/bank/transactions": 1} { // of before
		var list []any
		if must(t, json.Unmarshal([]byte(o.get(path)), &list)); len(list) != times {
			t.Errorf("%s shows %v", path, list)
		}
	}
	balance := o.control("POST", "/merchant/send", `{"call":"getBalance"}`, http.StatusOK)
	if !strings.Contains(balance, `"total_balance":992000000,`) || !strings.Contains(balance, `"sign_ok":true`) {
		t.Errorf("the merchant's balance is %s", balance)
	}
	if got := o.control("POST", "/google/send", send, http.StatusOK); !strings.Contains(got, `"status":404`) {
		t.Errorf("the same keys do not fit any more: %s", got)
	}
}

// keysOf is a digest of every file that is made once.
func keysOf(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if ext := filepath.Ext(path); ext == ".pem" || ext == ".key" || ext == ".asc" || d.Name() == kekFile {
			text, err := os.ReadFile(path)
			all[strings.TrimPrefix(path, dir)] = fmt.Sprintf("%x", sha256.Sum256(text))
			return err
		}
		return nil
	}))
	return all
}

// The whole demonstration, in each dialect: everybody agrees, nothing is readable for others, and no card number and no address of a payee
// stands in clear but in the files of the acquirer and of the payout bank. What the story says is the same but for what a dialect does
// otherwise.
func TestOnce(t *testing.T) {
	always := []string{
		"200 SUCCESS", "412 IDEMPOTENCY_VIOLATION", "200 INSUFFICIENT_FUNDS", "200 PIN_MISMATCH", "503",
		"NaruPG2_KRW reserveFunds 7,700 KRW on 999999******0006", "asynchronousRefund 10,001 KRW", "400 PRECONDITION_VIOLATION",
		"ISSUER_DECLINED", captureARN + " 7", refundARN + " 7", refundBack + " 4,000 KRW", checkZero + " on 999999******0006",
		"200 CARD_LOST_OR_STOLEN", inquired + " 12,900 KRW CHARGE_NOT_RECOGNIZED", chargedBack + " 12,900 KRW FIRST NOT_DELIVERED",
		wonBack + " 12,900 KRW", fraudTold + " FRAUDULENT_USE", chargedBack + " 7,700 KRW FIRST FRAUD", "0500 > 0510 00",
		"NaruPG_KRW settlement by notification", "NaruPG2_KRW settlement by file", "nothing is held", "200 CHARGEBACK_NOT_DEFENDABLE",
		"refunded 10,000, returned 4,000",

		"NaruPG_EUR capture 29.90 EUR on 999999******9106", "200 SUCCESS, CVN MATCH, AVS Y", "200 CVN_MISMATCH, CVN MISMATCH",
		"200 SUCCESS, AVS N", "NaruPG_EUR capture 1,500 JPY", "NaruPG_EUR capture 4.250 KWD", "200 SUCCESS, CVN MATCH, network id ",
		"NaruPG_EUR capture 14.50 EUR on 999999******9452", "200 STRONG_CUSTOMER_AUTHENTICATION_REQUIRED",
		"200 TRANSACTION_UNDER_AMOUNT_LIMIT", "400 INVALID_FIELD_VALUE", "403 FORBIDDEN", "booked 1,199.00  ", "booked 19.90, refunded 19.90  ",
		chargedBack + " 29.90 EUR SECOND FRAUD", "booked 29.90, charged back 59.80, won 29.90  ", "booked 1,500  ", "booked 4.250  ",
		"NaruPG_EUR settlement in JPY: the money moved", "NaruPG_EUR settlement in KWD: the money moved",

		"NaruPay_INR disburseFunds 1,250.50 INR", "200 DISBURSEMENT_UNDER_TRANSACTION_LIMIT, at least 1.00 INR",
		"200 DISBURSEMENT_EXCEEDS_TRANSACTION_LIMIT, at most 100,000.00 INR", "200 ACCOUNT_CLOSED\n", "200 ACCOUNT_ON_HOLD",
		"2 orders under 1 key", "paid 1 time\n", payOutEnd + " 50,000.00 INR", "UPI: processing > failed, processing > processed\n",
		"200 ACCOUNT_CLOSED_FRAUD", "200 ACCOUNT_CLOSED_ACCOUNT_TAKEN_OVER", payOutEnd + " 520.00 INR", "UPI: processing > reversed\n",
		"case payout-returned", "UPI: processing > processed > reversed\n", "paid 700.00, came back 700.00  ", "ACCOUNT_CLOSED_FRAUD  ",

		"createDeposit SVC0026 30,000 KRW, MD5", "the page turns to received", "createDepositV2 SVC9226 50,000 KRW, HMAC-SHA256",
		"deposit notification, status 2, 45,000 KRW arrived, fee 360", "deposit notification, status 2, 42,000 KRW arrived, fee 336",
		"both signatures right, queried, acknowledged", "registers, once, on http://127.0.0.1:", "500, drop, acknowledged",
		"200 0014", "200 0004",
		"case deposit-ambiguous", "case deposit-name-mismatch", "case deposit-unmatched", "case deposit-taken-back", "case deposit-late",
		"createPayout SVC0004 120,000 KRW, HMAC-SHA256", "ACCC, and the debit", "200 0017", "200 0018", "payout notification, status 5",
		"changed by -121,000", "changed by -1,000", "case payout-review", "deposit notification, status 3", "frozen 0",
		"/desk/: the delivery log has every attempt", "3 tries",
		"paid 150,000, came back 150,000  ", "taken back  ",

		"29 payments, 12 payouts, 16 deposit orders, 5 merchant payouts, 49 settlements: all three records agree, and fsck finds nothing.",
	}
	dialects := map[string][]string{
		"pi87-default": {"0100 > silence, 0420 > 0430 00", "0200 > silence, 0420 > 0430 00", "booked 15,000, refunded 5,000"},
		"pi87-alt":     {"0100 > silence, 0400 > 0410 00", "0200 > silence, 0400 > 0410 00", "booked 15,000, refunded 5,000", "< 0432 00"},
		"pi87-file":    {"0100 > silence, 0420 > 0430 00", "0200 > silence, 0420 > 0430 00", "booked 15,000  ", "< 0432 00"},
	}
	once := func(name, dialect string, database func(testing.TB) string) {
		its := dialects[dialect]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			dir := t.TempDir()
			err := Run(t.Context(), Options{Dir: dir, Store: database(t), Seed: 1, Once: true, Out: &out, Profile: dialect})
			story := out.String()
			if err != nil {
				t.Fatalf("%v\n%s", err, story)
			}
			for _, want := range slices.Concat(always, its) {
				if !strings.Contains(story, want) {
					t.Errorf("the story does not say %q:\n%s", want, story)
				}
			}
			if strings.Contains(story, "not what should have happened") {
				t.Errorf("the story went otherwise:\n%s", story)
			}
			if byFile := strings.Contains(story, " 0230 "); byFile == (dialect == "pi87-file") {
				t.Errorf("captures do not go as the dialect says:\n%s", story)
			}
			checkSecrets(t, dir, story)
		})
	}
	for dialect := range dialects {
		once(dialect, dialect, func(testing.TB) string { return "" })
	}
	once("postgres", iso8583.DefaultProfile, pgtest.URL)
}

// checkSecrets looks for card numbers where none may be, and for files that others could read.
func checkSecrets(t *testing.T, dir, story string) {
	t.Helper()
	texts := map[string]string{"the story": story}
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s is open to others: %v", path, info.Mode())
		}
		own := []string{"acquirer.jsonl", "payouts.jsonl", "deposits.jsonl", bankSecret, hookSecret, feedSecret, shopSign, shopQuery, shopWebhook}
		if d.IsDir() && d.Name() == "bank" { // names and accounts are what these files are for
			return fs.SkipDir
		}
		if err != nil || d.IsDir() || slices.Contains(own, d.Name()) {
			return err
		}
		text, err := os.ReadFile(path)
		texts[strings.TrimPrefix(path, dir)] = string(text)
		return err
	}))
	secrets := map[string]string{}
	for _, name := range []string{bankSecret, hookSecret, feedSecret, shopSign, shopQuery, shopWebhook} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		must(t, err)
		secrets[name] = strings.TrimSpace(string(text))
	}
	for where, text := range texts {
		for name, secret := range secrets {
			told := strings.HasPrefix(name, "shop") && strings.HasSuffix(where, contractFile) // by contract
			if secret == "" || strings.Contains(text, secret) != told {
				t.Errorf("%s and %s: it shows the secret, or it should", where, name)
			}
		}
		for _, personal := range []string{firstPayer, otherPayer, thirdPayer, stranger, payee, payerAccount, payeeAccount} {
			if strings.Contains(text, personal) {
				t.Errorf("%s shows who pays or is paid", where)
			}
		}
		for _, vpa := range []string{goodVPA, closedVPA, frozenVPA, downVPA, againVPA, deemedVPA, backVPA} {
			if strings.Contains(text, vpa) {
				t.Errorf("%s shows an address", where)
			}
		}
		for _, pan := range []string{
			goodCard, poorCard, lostCard, pinCard, silentCard, oneWayCard,
			worldCard, checkedCard, homeCard, carefulCard, deviceToken, storedCard,
		} {
			if strings.Contains(text, pan) {
				t.Errorf("%s shows %s", where, card.PAN{Secret: card.Conceal(pan)})
			}
		}
		if strings.Contains(text, cryptogram) || strings.Contains(text, cavv) {
			t.Errorf("%s shows a proof of one payment", where)
		}
		if strings.Contains(text, evidencePDF) || strings.Contains(text, "signed by the holder") {
			t.Errorf("%s shows evidence", where)
		}
	}
}

// An interrupt ends a sandbox well, and a temporary folder goes with it.
func TestInterrupt(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	var out said
	out.then("Everything stays up until interrupted.", interrupt)
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	must(t, Run(ctx, Options{Seed: 1, Out: &out}))
	left, err := os.ReadDir(temporary)
	must(t, err)
	if len(left) > 0 {
		t.Errorf("something is left: %v", left)
	}
}

// What is no database of PostgreSQL is not taken for one: the folder's own has its place already.
func TestStoreIsPostgres(t *testing.T) {
	if _, err := Start(t.Context(), Options{Dir: t.TempDir(), Store: "other.db"}); err == nil || !strings.Contains(err.Error(), "postgres://") {
		t.Errorf("a sandbox on a file that is not its own: %v", err)
	}
}

// A sandbox that cannot start leaves nothing behind.
func TestFailedStart(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer busy.Close()
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	if err := Run(t.Context(), Options{PortBase: busy.Addr().(*net.TCPAddr).Port - int(acquirerPort)}); err == nil {
		t.Error("it starts on a port that is taken")
	}
	left, err := os.ReadDir(temporary)
	must(t, err)
	if len(left) > 0 {
		t.Errorf("something is left: %v", left)
	}
}

// said does something as soon as a text is written.
type said struct {
	text string
	do   func()
}

func (s *said) then(text string, do func()) { s.text, s.do = text, do }

func (s *said) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte(s.text)) {
		s.do()
	}
	return len(p), nil
}
