// Package stories plays payments as their parties see them, from files that read as what happened: testdata/*/*.txtar, one spec section
// each. Every story runs against the whole integrator with its peers on real sockets, on SQLite and on PostgreSQL; afterwards the three
// records are compared, the database is checked, and everything that was written is searched for card data.
package stories

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the drivers of the look at erased cards
	"github.com/rogpeppe/go-internal/testscript"
	_ "modernc.org/sqlite"

	"naru/fsck"
	"naru/pgserver/pgtest"
	"naru/sandbox"
	"naru/vault"
)

// impatient is a dialect whose network time-outs are short: nothing here waits for the clock on the wall longer than it must.
const impatient = `name = "%s"
%s
[timeouts]
authorise = "400ms"
advice = "400ms"
[saf]
backoff = ["200ms", "400ms", "1s"]
[pool]
reconnect_min = "50ms"
reconnect_max = "200ms"
`

// plays are the stories of a folder in a dialect, with the engine that keeps the books. Those of file need a host that books by file; those
// of long let years pass, and every day of them is settled; those of payout and merchant have no host in them. What a second dialect says
// otherwise is nothing to the books: one engine plays it.
var plays = []struct{ dialect, folder, engine string }{
	{"pi87-default", "script", sqlite},
	{"pi87-default", "script", postgres},
	{"pi87-alt", "script", sqlite},
	{"pi87-file", "file", sqlite},
	{"pi87-file", "file", postgres},
	{"pi87-default", "long", sqlite},
	{"pi87-default", "long", postgres},
	{"pi87-default", "payout", sqlite},
	{"pi87-default", "payout", postgres},
	{"pi87-default", "merchant", sqlite},
	{"pi87-default", "merchant", postgres},
}

const sqlite, postgres = "sqlite", "postgres"

func TestMain(m *testing.M) { os.Exit(pgtest.Run(m)) }

func TestStories(t *testing.T) {
	for _, p := range plays {
		t.Run(p.folder+"/"+p.dialect+"/"+p.engine, func(t *testing.T) {
			t.Parallel()
			play(t, p.dialect, p.folder, p.engine)
		})
	}
}

// play runs every story of a folder in one sandbox, one after the other: their payments share the books, the queues and the clock. It
// begins in the morning, so that no day ends but where a story says so.
func play(t *testing.T, dialect, folder, engine string) {
	dir := t.TempDir()
	profile := filepath.Join(dir, "profile.toml")
	shipped, err := os.ReadFile("../rail/iso8583/profiles/" + dialect + ".toml")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(profile, []byte(withTimes(string(shipped), dialect)), 0o600); err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(dir, "data")
	o := sandbox.Options{Dir: data, Seed: 1, Profile: profile, LogLevel: "debug"}
	books, driver, written := filepath.Join(data, "naru.db"), "sqlite", []string{"naru.log", "google.jsonl"}
	source := "file:" + books + "?mode=ro&_pragma=busy_timeout(5000)"
	if engine == postgres {
		o.Store = pgtest.URL(t)
		books, driver, source = o.Store, "pgx", o.Store
	} else {
		written = append(written, "naru.db") // as bytes: of what a server keeps fsck reads every row
	}
	s, err := sandbox.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	w := &world{
		control: s.Contract.Control.Base, admin: s.Contract.Admin.Base, data: data, driver: driver, source: source,
		told: map[string]string{}, mark: map[string]int64{}, deals: map[string]*deal{},
	}
	files, err := filepath.Glob("testdata/" + folder + "/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	if err := w.move("10:00"); err != nil {
		t.Fatal(err)
	}
	for _, file := range files { // one after the other: some break the line, move the clock, or put Google down
		if t.Failed() {
			return // what one has left broken says nothing about the next
		}
		t.Run("story", func(t *testing.T) {
			testscript.Run(t, testscript.Params{
				Files: []string{file}, RequireUniqueNames: true,
				Cmds: map[string]func(*testscript.TestScript, bool, []string){
					"google": w.google, "until": w.until, "verdict": w.verdict, "acquirer": w.acquirer, "clock": w.clock, "fault": w.fault,
					"ledger": w.ledger, "received": w.received, "uploaded": w.uploaded, "cases": w.cases, "close": w.closeCases, "card": w.card,
					"line": w.line, "answer": w.answer, "bank": w.bank, "merchant": w.merchant, "payer": w.payer, "till": w.till, "person": w.person,
				},
			})
		})
	}
	if t.Failed() {
		return
	}
	metrics, err := http.Get(s.Contract.Admin.Base + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(metrics.Body)
	if err := metrics.Body.Close(); err != nil {
		t.Fatal(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	var agreed bytes.Buffer
	if err := s.Compare(t.Context(), &agreed); err != nil { // drains, ends the integrator, compares the three records
		t.Errorf("%v\n%s", err, agreed.String())
	}
	kek, err := vault.ReadKEK(filepath.Join(data, "kek"))
	if err != nil {
		t.Fatal(err)
	}
	report, err := fsck.Run(context.Background(), fsck.Options{Database: books, KEK: kek, Forbidden: secrets()})
	if err != nil {
		t.Fatal(err)
	}
	if !report.OK() {
		var b strings.Builder
		_, _ = report.WriteTo(&b)
		t.Error(b.String())
	}
	for _, secret := range secrets() { // rails §5, I7
		if bytes.Contains(text, secret) {
			t.Errorf("/metrics shows %q", secret)
		}
		for _, name := range written {
			text, err := os.ReadFile(filepath.Join(data, name))
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(text, secret) {
				t.Errorf("%s shows %q", name, secret)
			}
		}
		for id, answer := range w.told {
			if strings.Contains(answer, string(secret)) {
				t.Errorf("the answer to %s shows %q", id, secret)
			}
		}
	}
}

// withTimes shortens the time-outs of a shipped dialect and keeps all else.
func withTimes(shipped, name string) string {
	var kept []string
	section := ""
	for line := range strings.Lines(shipped) {
		if strings.HasPrefix(line, "[") {
			section = strings.Trim(strings.TrimSpace(line), "[]")
		}
		if section == "timeouts" || section == "saf" || section == "pool" || section == "response_map" || strings.HasPrefix(line, "name =") {
			continue
		}
		kept = append(kept, line)
	}
	return fmt.Sprintf(impatient, name, strings.Join(kept, ""))
}

// secrets are what the stories send and nobody may ever write down.
func secrets() (list [][]byte) {
	for _, s := range []string{
		"4111111111111111", "4242424242424242", "9999990000000006", "9999990000000055", "9999990000000519", "9999990000000683",
		"9999990000000857", "9999990000000949", "9999990000009015", "9999990000009023", "9999990000009031", "9999990000009049",
		"9999990000009056", "9999990000009064", "9999990000009072", "9999990000009080", "9999990000009106", "9999990000009114",
		"9999990000009122", "9999990000009130", "9999990000009148", "9999990000009155", "9999990000009163", "9999990000009171",
		"9999990000009189", "9999990000009197", "9999990000009205", "9999990000009213", "9999990000009239", "9999990000009304",
		"9999990000009312", "9999990000009320", "9999990000009338", "9999990000009346", "9999990000009353", "9999990000009361",
		"9999990000009403", "9999990000000824", "9999990000009429", "9999990000009437", "9999990000009452", "9999990000009460",
		cryptogram, cavv, street, "LENA VOSS", `"cryptogram"`, `"cavv"`,
		"5wLdXA7VRrU6q/dXllJKbBBD2FUJ92h83TNuE/S9vE5sBEF+4XI0H0SGt13GirZjl1/XFPNLLrWFUxgm19E4/g==", "1991-04-17", "BD06910417",
		"PW0247", "PW0293", "CV03737", "PW00247", "CV003737", `"pin"`, `"cvn"`, "SEO JIHUN", paper,
		base64.RawURLEncoding.EncodeToString([]byte(paper)),
		"success@sim", "closed@sim", "frozen@sim", "deemed@sim", "deemed-reversed@sim", "returned@sim", `"vpa"`, memo,
		payer, stranger, payee, payerAccount, payeeAccount,
	} {
		list = append(list, []byte(s))
	}
	return list
}

// What the stories of Card FOP say of holders; paper is the evidence of every defence, and memo is to stand on the statement of a payee.
const (
	memo       = "Reward 4711 for Asha"
	paper      = "%PDF-1.7 what the holder of the card has signed"
	cryptogram = "AgAAAAAABk4DWZ4C28yUQAAAAAA="
	cavv       = "kBMI1mH9wqAAAAAAAAAAAAAAAAA="
	street     = "Rua das Flores 8"
)

// world is what the commands of a story act on. Google's requests are named by short ids, unique over all stories.
type world struct {
	control, admin string
	data           string            // the sandbox's folder
	driver, source string            // of its database
	told           map[string]string // the first 200 of each request: every later one must be the same (gsp-core §4.1)
	mark           map[string]int64  // the balances when a story last looked
	owned          int64             // and what the merchant could pay out then
	deals          map[string]*deal  // the merchant's orders and payouts
}

// patience bounds waits for what other processes' queues will do; reaching it is a failure, never a pass.
const patience = 20 * time.Second

type answer struct {
	Status int             `json:"status"`
	Body   json.RawMessage `json:"body"`
}

// google METHOD ID STATUS [WORD] [KEY=VALUE...]: Google sends a request of Korea Cards, or, as fop/METHOD, of Card FOP, or, as upi/METHOD, of
// disburseFunds. WORD stands in the answer as result or error code. Keys change the sheet's example: pan, won, eur, jpy, kwd, inr (the
// amount, in minor units), to (the name of an address at the bank's @sim), of (the reservation or the capture), piaid, pin, birth, business, expiry (MMYY), cvn, paper (the document), token (the number of one of a
// device), address (its postal code), stored=REQUEST (the card was stored by that request; by this one without), secured (3-D Secure),
// exempt; copies sends that many at once, clock moves business time before it.
func (w *world) google(ts *testscript.TestScript, neg bool, args []string) {
	if got, ok := w.send(ts, args); !ok {
		ts.Fatalf("%s %s: got %s", args[0], args[1], got)
	}
}

// until is google, again and again, until the answer is the one: what is undecided is repeated with the same id.
func (w *world) until(ts *testscript.TestScript, neg bool, args []string) {
	w.wait(ts, func() (string, bool) { return w.send(ts, args) })
}

func (w *world) wait(ts *testscript.TestScript, look func() (string, bool)) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); ; <-tick.C {
		got, ok := look()
		if ok {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("still: %s", got)
		}
	}
}

// requests are the sheets' examples (Korea Cards v1 §4, Card FOP v1 §4).
var requests = map[string]string{
	"reserveFunds": `{"paymentIntegratorAccountId": "NaruPG_KRW",
		"accountDetails": {"card": {"accountNumber": "9999990000000006", "nameOnCard": "SEO JIHUN", "expiryMonth": "12", "expiryYear": "29"}},
		"currencyCode": "KRW", "amount": "12900000000", "transactionDescription": "GOOGLE*Star Farm", "merchantCategoryCode": "5816",
		"additionalTransactionProcessingOptions": {"userSelectedProcessingNetworkTypeNotApplicable": {},
			"electronicCommerceIndicatorNotApplicable": {}, "threeDSecureNotAppplicable": {},
			"storedCredentialTransactionInformationNotApplicable": {},
			"pin": "47", "dateOfBirth": "1991-04-17",
			"connectingInformation": "5wLdXA7VRrU6q/dXllJKbBBD2FUJ92h83TNuE/S9vE5sBEF+4XI0H0SGt13GirZjl1/XFPNLLrWFUxgm19E4/g=="}}`,
	"asynchronousCaptureFundsReservation": `{"paymentIntegratorAccountId": "NaruPG_KRW", "reservationRequestId": "", "amount": "12900000000"}`,
	"asynchronousCancelFundsReservation":  `{"paymentIntegratorAccountId": "NaruPG_KRW", "reservationRequestId": ""}`,
	"asynchronousRefund": `{"paymentIntegratorAccountId": "NaruPG_KRW", "captureRequestId": "",
		"refundAmount": "4000000000"}`,
	"verifyCardWithMinimumReservation": `{"paymentIntegratorAccountId": "NaruPG_KRW",
		"card": {"accountNumber": "9999990000000006", "nameOnCard": "SEO JIHUN", "expiryMonth": "12", "expiryYear": "29"},
		"currencyCode": "KRW", "transactionDescription": "GOOGLE*Card check", "merchantCategoryCode": "5815",
		"pin": "47", "dateOfBirth": "1991-04-17",
		"connectingInformation": "5wLdXA7VRrU6q/dXllJKbBBD2FUJ92h83TNuE/S9vE5sBEF+4XI0H0SGt13GirZjl1/XFPNLLrWFUxgm19E4/g=="}`,
	"verifyCardWithZeroAmount": `{"paymentIntegratorAccountId": "NaruPG_KRW",
		"card": {"accountNumber": "9999990000000006", "nameOnCard": "SEO JIHUN", "expiryMonth": "12", "expiryYear": "29"},
		"merchantCategoryCodeNotPresent": {}, "pin": "47", "dateOfBirth": "1991-04-17"}`,
	"defendChargeback": `{"paymentIntegratorAccountId": "NaruPG_KRW", "captureRequestId": "",
		"defenseMaterialDocument": {"mimeType": "APPLICATION_PDF", "payload": ""}}`,

	"fop/reserveFunds": fopPayment,
	"fop/capture":      fopPayment,
	"fop/asynchronousCaptureFundsReservation": `{"paymentIntegratorAccountId": "NaruPG_EUR", "reservationRequestId": "",
		"amount": "39990000"}`,
	"fop/asynchronousCancelFundsReservation": `{"paymentIntegratorAccountId": "NaruPG_EUR", "reservationRequestId": ""}`,
	"fop/asynchronousRefund": `{"paymentIntegratorAccountId": "NaruPG_EUR", "captureRequestId": "",
		"refundAmount": "15000000"}`,
	"fop/verifyCardWithMinimumReservation": `{"paymentIntegratorAccountId": "NaruPG_EUR",
		"card": {"accountNumber": "9999990000000006", "nameOnCard": "LENA VOSS", "expiryMonth": "12", "expiryYear": "29"},
		"currencyCode": "EUR", "transactionDescription": "GOOGLE*Card check", "merchantCategoryCode": "5815"}`,
	"upi/disburseFunds": `{"paymentIntegratorAccountId": "NaruPay_INR", "transactionDescription": "` + memo + `", "currencyCode": "INR",
		"amount": "125500000", "upiDetails": {"vpa": "success@sim"}}`,

	"fop/defendChargeback": `{"paymentIntegratorAccountId": "NaruPG_EUR", "captureRequestId": "",
		"defenseMaterialDocument": {"mimeType": "APPLICATION_PDF", "payload": ""}}`,
}

// fopPayment is a hold or a sale: they are asked for alike (Card FOP v1 §4.1, §4.4).
const fopPayment = `{"paymentIntegratorAccountId": "NaruPG_EUR",
	"accountDetails": {"card": {"accountNumber": "9999990000000006", "nameOnCard": "LENA VOSS", "expiryMonth": "12", "expiryYear": "29"}},
	"currencyCode": "EUR", "amount": "4990000", "transactionDescription": "GOOGLE*Cloud Save", "merchantCategoryCode": "5817",
	"additionalTransactionProcessingOptions": {"userSelectedProcessingNetworkTypeNotApplicable": {},
		"electronicCommerceIndicatorNotApplicable": {}, "threeDSecureNotAppplicable": {},
		"storedCredentialTransactionInformationNotApplicable": {}}}`

// micros is how many of them a minor unit has, by the key that names an amount in it.
var micros = map[string]string{"won": "000000", "jpy": "000000", "eur": "0000", "inr": "0000", "kwd": "000"}

func (w *world) send(ts *testscript.TestScript, args []string) (string, bool) {
	if len(args) < 3 || requests[args[0]] == "" {
		ts.Fatalf("usage: METHOD ID STATUS [WORD] [KEY=VALUE...]")
	}
	id, status := args[1], args[2]
	var body map[string]any
	ts.Check(json.Unmarshal([]byte(requests[args[0]]), &body))
	method, api := args[0], "korea-cards-v1"
	if fop, ok := strings.CutPrefix(method, "fop/"); ok {
		method, api = fop, "card-fop-v1"
	}
	if upi, ok := strings.CutPrefix(method, "upi/"); ok {
		method, api = upi, "disburse-v1"
	}
	body["requestHeader"] = map[string]any{"requestId": id}
	card, holder, named, sum := body["card"], any(body), "captureRequestId", "amount" // a card check has the holder at the top (Korea §11)
	if details, ok := body["accountDetails"].(map[string]any); ok {
		card, holder = details["card"], body["additionalTransactionProcessingOptions"]
	}
	if _, ok := body["reservationRequestId"]; ok {
		named = "reservationRequestId"
	}
	if _, ok := body["refundAmount"]; ok {
		sum = "refundAmount"
	}
	document, _ := body["defenseMaterialDocument"].(map[string]any)
	if document != nil {
		document["payload"] = base64.RawURLEncoding.EncodeToString([]byte(paper))
	}
	copies, word := 1, ""
	for _, a := range args[3:] {
		key, value, _ := strings.Cut(a, "=")
		switch key {
		case "pan":
			set(card, "accountNumber", value)
		case "cvn":
			set(card, "cvn", value)
		case "expiry":
			set(card, "expiryMonth", value[:2])
			set(card, "expiryYear", value[2:])
		case "won", "eur", "jpy", "kwd", "inr":
			body[sum] = value + micros[key]
			if _, named := body["currencyCode"]; named && key != "won" {
				body["currencyCode"] = strings.ToUpper(key)
			}
		case "to":
			set(body["upiDetails"], "vpa", value+"@sim")
		case "of":
			body[named] = value
		case "piaid":
			body["paymentIntegratorAccountId"] = value
		case "pin":
			set(holder, "pin", value)
		case "birth":
			set(holder, "dateOfBirth", value)
		case "business":
			delete(holder.(map[string]any), "dateOfBirth")
			set(holder, "businessIdentifier", value)
		case "token":
			body["accountDetails"] = map[string]any{"paymentToken": map[string]any{
				"nameOnCard": "LENA VOSS", "paymentTokenAccountNumber": value, "expiryMonth": "12", "expiryYear": "29",
				"cryptogram": cryptogram, "tokenTypeDeviceToken": map[string]any{},
			}}
		case "address":
			body["addressVerificationData"] = map[string]any{
				"addressLine": []string{street}, "postalCodeNumber": value, "countryCode": "PT",
			}
		case "stored":
			set(holder, "storedCredentialTransactionInformation", w.stored(ts, value))
			delete(holder.(map[string]any), "storedCredentialTransactionInformationNotApplicable")
		case "secured":
			set(holder, "threeDSecureAuthenticationDetails", map[string]any{
				"directoryServerTransactionId": "0f3d6c5e-8a41-4f0e-9f55-2b6f2f0f7c11", "cavv": cavv, "threeDsVersion": "2.2.0",
			})
			delete(holder.(map[string]any), "threeDSecureNotAppplicable")
		case "exempt":
			set(holder, "scaLowValueTransaction", map[string]any{})
		case "paper":
			document["payload"] = base64.RawURLEncoding.EncodeToString([]byte(value))
		case "clock": // business time moves before each asking
			w.clock(ts, false, []string{value})
		case "copies":
			copies, _ = strconv.Atoi(value)
		default:
			word = a
		}
	}
	var answers []answer
	w.call(ts, http.MethodPost, "/google/send", map[string]any{
		"method": method, "api": api, "body": body, "copies": copies,
	}, &answers)
	if len(answers) != copies {
		ts.Fatalf("%d answers to %d copies", len(answers), copies)
	}
	for _, a := range answers {
		var members map[string]any
		if len(a.Body) > 0 {
			ts.Check(json.Unmarshal(a.Body, &members))
		}
		delete(members, "responseHeader")
		plain, err := json.Marshal(members)
		ts.Check(err)
		if a.Status == http.StatusOK {
			account, _ := body["paymentIntegratorAccountId"].(string)
			if before, ok := w.told[account+"/"+id]; ok && before != string(plain) {
				ts.Fatalf("%s got two answers:\n%s\n%s", id, before, plain)
			}
			w.told[account+"/"+id] = string(plain)
		}
		said := fmt.Sprint(members["result"])
		if payout, ok := members["disburseFundsResult"].(map[string]any); ok {
			said = fmt.Sprint(payout["disburseFundsResultCode"])
		} else if members["result"] == nil {
			said = fmt.Sprint(members["errorResponseCode"])
		}
		if strconv.Itoa(a.Status) != status || word != "" && said != word {
			return fmt.Sprintf("%d %s", a.Status, plain), false
		}
	}
	return "", true
}

func set(object any, name string, value any) { object.(map[string]any)[name] = value }

// stored is what Google says of a card that is stored: by this payment, or by one whose identifier the network gave out.
func (w *world) stored(ts *testscript.TestScript, by string) map[string]any {
	const intent = "transactionIntentClassification"
	if by == "" {
		return map[string]any{"customerInitiated": map[string]any{intent: "RECURRING", "instrumentStorageType": "STORED_BY_THIS_PAYMENT"}}
	}
	var before struct {
		Result struct {
			Successful struct {
				Network string `json:"networkTransactionIdentifier"`
			} `json:"storedCredentialInformationSuccessful"`
		} `json:"additionalTransactionProcessingResult"`
	}
	ts.Check(json.Unmarshal([]byte(w.told["NaruPG_EUR/"+by]), &before))
	return map[string]any{"merchantInitiated": map[string]any{
		intent: "RECURRING", "previousTransactionInformation": map[string]any{"networkTransactionIdentifier": before.Result.Successful.Network},
	}}
}

// answer ID PATH=VALUE...: the answer of Card FOP, or of disburseFunds, to a request has these members.
func (w *world) answer(ts *testscript.TestScript, neg bool, args []string) {
	said := w.told["NaruPG_EUR/"+args[0]] + w.told["NaruPay_INR/"+args[0]]
	var body any
	ts.Check(json.Unmarshal([]byte(said), &body))
	for _, a := range args[1:] {
		path, value, _ := strings.Cut(a, "=")
		if holds(body, strings.Split(path, "."), value) == neg {
			ts.Fatalf("%s: got %s", a, said)
		}
	}
}

// message is what Google was sent.
type message struct {
	Method string         `json:"method"`
	Body   map[string]any `json:"body"`
}

func (m message) id() string {
	header, _ := m.Body["requestHeader"].(map[string]any)
	return fmt.Sprint(header["requestId"])
}

// verdict METHOD ID RESULT [clock=1s]: Google has been told, under one request id of ours and with one result. clock moves business time
// before each look.
func (w *world) verdict(ts *testscript.TestScript, neg bool, args []string) {
	step := ""
	if last, ok := strings.CutPrefix(args[len(args)-1], "clock="); ok {
		args, step = args[:len(args)-1], last
	}
	look := func() (string, bool) {
		if step != "" {
			w.clock(ts, false, []string{step})
		}
		var list []message
		w.call(ts, http.MethodGet, "/google/received", nil, &list)
		ids, results := map[string]bool{}, map[string]bool{}
		for _, m := range list {
			if m.Method != args[0] {
				continue
			}
			for _, subject := range []string{"captureFundsReservation", "cancelFundsReservation", "refund", "disburseFunds"} {
				if m.Body[subject+"RequestId"] != args[1] {
					continue
				}
				result := m.Body[subject+"Result"]
				if payout, ok := result.(map[string]any); ok {
					result = payout["disburseFundsResultCode"]
				}
				ids[m.id()], results[fmt.Sprint(result)] = true, true
			}
		}
		if len(ids) > 1 || len(results) > 1 {
			ts.Fatalf("%s was told as %v under %v", args[1], results, ids)
		}
		return fmt.Sprint(results), len(args) < 3 && len(ids) == 1 || len(args) == 3 && results[args[2]]
	}
	if neg {
		if got, told := look(); told {
			ts.Fatalf("%s was told: %s", args[1], got)
		}
		return
	}
	w.wait(ts, look)
}

// received METHOD [times=N] [PATH=VALUE...]: Google was sent a message with these members, or with times exactly so many under different
// request ids. A path goes through lists: captureEvents.captureRequestId=x is any of them.
func (w *world) received(ts *testscript.TestScript, neg bool, args []string) {
	look := func() (string, bool) {
		var list []message
		w.call(ts, http.MethodGet, "/google/received", nil, &list)
		ids, times, last := map[string]bool{}, "", map[string]any{}
		for _, m := range list {
			fits := m.Method == args[0]
			if fits {
				last = m.Body
			}
			for _, a := range args[1:] {
				path, value, _ := strings.Cut(a, "=")
				if path == "times" {
					times = value
				} else if fits {
					fits = holds(m.Body, strings.Split(path, "."), value)
				}
			}
			if fits {
				ids[m.id()] = true
			}
		}
		got := fmt.Sprintf("%d such messages; the last of the method is %v", len(ids), last)
		return got, times == "" && len(ids) > 0 || times == strconv.Itoa(len(ids))
	}
	if neg {
		if got, there := look(); there {
			ts.Fatalf("%s", got)
		}
		return
	}
	w.wait(ts, look)
}

// holds reports whether something in v at the path is the value.
func holds(v any, path []string, value string) bool {
	switch v := v.(type) {
	case []any:
		return slices.ContainsFunc(v, func(one any) bool { return holds(one, path, value) })
	case map[string]any:
		return len(path) > 0 && holds(v[path[0]], path[1:], value)
	}
	return len(path) == 0 && fmt.Sprint(v) == value
}

// uploaded PIAID: Google has a settlement file of the account that settles something and has no fault.
func (w *world) uploaded(ts *testscript.TestScript, neg bool, args []string) {
	w.wait(ts, func() (string, bool) {
		var list []struct {
			PIAID    string   `json:"piaid"`
			Items    int      `json:"items"`
			Problems []string `json:"problems"`
		}
		w.call(ts, http.MethodGet, "/google/files", nil, &list)
		for _, f := range list {
			if f.PIAID == args[0] && f.Items > 0 && f.Problems == nil {
				return "", true
			}
		}
		return fmt.Sprint(list), false
	})
}

// open is the cases that wait for a person, by kind.
func (w *world) open(ts *testscript.TestScript) (ids map[string][]string, kinds []string) {
	var list []struct{ ID, Kind string }
	w.ask(ts, http.MethodGet, w.admin+"/cases", nil, &list)
	ids = map[string][]string{}
	for _, c := range list {
		ids[c.Kind], kinds = append(ids[c.Kind], c.ID), append(kinds, c.Kind)
	}
	slices.Sort(kinds)
	return ids, kinds
}

// cases [KIND...]: these cases wait for a person, and no others.
func (w *world) cases(ts *testscript.TestScript, neg bool, args []string) {
	w.wait(ts, func() (string, bool) {
		_, kinds := w.open(ts)
		return fmt.Sprint(kinds), slices.Equal(kinds, slices.Sorted(slices.Values(args)))
	})
}

// close KIND: a person has seen to them.
func (w *world) closeCases(ts *testscript.TestScript, neg bool, args []string) {
	ids, _ := w.open(ts)
	for _, id := range ids[args[0]] {
		w.ask(ts, http.MethodPost, w.admin+"/cases/close", map[string]string{"id": id, "note": "seen to in a story"}, nil)
	}
}

// card ID kept | erased: the card of a reservation is in the database, or is not any more.
func (w *world) card(ts *testscript.TestScript, neg bool, args []string) {
	db, err := sql.Open(w.driver, w.source)
	ts.Check(err)
	defer db.Close()
	w.wait(ts, func() (string, bool) {
		kept := false
		ts.Check(db.QueryRow("SELECT card IS NOT NULL FROM reservation WHERE request_id = $1", args[0]).Scan(&kept))
		return fmt.Sprint("the card is kept: ", kept), kept == (args[1] == "kept")
	})
}

// line down | up: the acquirer takes no connection any more, or obeys again; it lasts until the integrator has noticed.
func (w *world) line(ts *testscript.TestScript, neg bool, args []string) {
	if args[0] == "down" {
		w.call(ts, http.MethodPost, "/acquirer/scenarios", map[string]any{"action": "refuse-connection"}, nil)
		w.call(ts, http.MethodPost, "/acquirer/actions/drop", map[string]any{}, nil)
	} else {
		w.call(ts, http.MethodDelete, "/acquirer/scenarios", nil, nil)
	}
	w.wait(ts, func() (string, bool) {
		resp, err := http.Get(w.admin + "/metrics")
		ts.Check(err)
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		ts.Check(err)
		down := bytes.Contains(text, []byte("naru_rail_connections{acquirer=\"simulator\"} 0\n"))
		return fmt.Sprint("the line is down: ", down), down == (args[0] == "down")
	})
}

// acquirer rule FILE | clear | holds AMOUNT STATE... | booked AMOUNT KIND... | count MTI AMOUNT N | ACTION [AMOUNT] [KEY=VALUE...]: what
// the host does, and what it knows of an amount. An action about a booking finds it by its amount; one that makes files waits until they
// are taken. Amounts name payments: each is used by one story only.
func (w *world) acquirer(ts *testscript.TestScript, neg bool, args []string) {
	switch args[0] {
	case "rule":
		w.call(ts, http.MethodPost, "/acquirer/scenarios", json.RawMessage(ts.ReadFile(args[1])), nil)
	case "clear":
		w.call(ts, http.MethodDelete, "/acquirer/scenarios", nil, nil)
	case "holds":
		w.wait(ts, func() (string, bool) {
			var list []struct {
				Amount, Captured int64
				State            string
			}
			w.call(ts, http.MethodGet, "/acquirer/holds", nil, &list)
			var states []string
			for _, h := range list {
				if strconv.FormatInt(h.Amount, 10) == args[1] {
					state := h.State
					if h.Captured > 0 {
						state += ":" + strconv.FormatInt(h.Captured, 10)
					}
					states = append(states, state)
				}
			}
			return fmt.Sprint(states), slices.Equal(states, args[2:])
		})
	case "booked":
		w.wait(ts, func() (string, bool) {
			var kinds []string
			for _, b := range w.bookings(ts, args[1]) {
				if b.Undone {
					b.Kind += ":undone"
				}
				kinds = append(kinds, b.Kind)
			}
			return fmt.Sprint(kinds), slices.Equal(kinds, args[2:])
		})
	case "count":
		var list []map[string]any
		w.call(ts, http.MethodGet, "/acquirer/transactions", nil, &list)
		n := 0
		for _, m := range list {
			amount, _ := strconv.ParseInt(fmt.Sprint(m["de4"]), 10, 64)
			if m["direction"] == "seen" && m["mti"] == args[1] && strconv.FormatInt(amount, 10) == args[2] {
				n++
			}
		}
		if strconv.Itoa(n) != args[3] {
			ts.Fatalf("the acquirer saw %d messages %s of %s", n, args[1], args[2])
		}
	default:
		said := map[string]any{}
		for _, a := range args[1:] {
			key, value, named := strings.Cut(a, "=")
			switch {
			case !named:
				for _, b := range w.bookings(ts, a) {
					if (b.Kind == "refund") == (args[0] == "bounce-refund") {
						said["rrn"] = b.RRN
					}
				}
			case slices.Contains([]string{"amount", "stage"}, key):
				said[key], _ = strconv.ParseInt(value, 10, 64)
			case value == "true":
				said[key] = true
			default:
				said[key] = value
			}
		}
		if args[0] == "collect" { // there must be something
			w.wait(ts, func() (string, bool) { return "no capture file", len(w.files(ts, "from-naru", "PICAP_*.csv")) > 0 })
		}
		w.call(ts, http.MethodPost, "/acquirer/actions/"+args[0], said, nil)
		if slices.Contains([]string{"settle", "dispute-file", "redeliver", "cutover", "collect"}, args[0]) {
			w.wait(ts, func() (string, bool) {
				left := w.files(ts, "to-naru", "*.csv")
				return fmt.Sprint("not taken: ", left), len(left) == 0
			})
		}
	}
}

// bank rule FILE | clear | orders AMOUNT STATUS... | count CALL AMOUNT N | ACTION AMOUNT [KEY=VALUE...]: what the payout bank does, and what
// it knows of an amount, in paise. An action finds the newest order by its amount; amounts name payouts, each of one story only.
func (w *world) bank(ts *testscript.TestScript, neg bool, args []string) {
	type order struct {
		ID, Status string
		Amount     int64
	}
	of := func(amount string) (found []order) {
		var list []order
		w.call(ts, http.MethodGet, "/upi/payouts", nil, &list)
		return slices.DeleteFunc(list, func(o order) bool { return strconv.FormatInt(o.Amount, 10) != amount })
	}
	switch args[0] {
	case "rule":
		w.call(ts, http.MethodPost, "/upi/scenarios", json.RawMessage(ts.ReadFile(args[1])), nil)
	case "clear":
		w.call(ts, http.MethodDelete, "/upi/scenarios", nil, nil)
	case "orders":
		w.wait(ts, func() (string, bool) {
			var states []string
			for _, o := range of(args[1]) {
				states = append(states, o.Status)
			}
			return fmt.Sprint(states), slices.Equal(states, args[2:])
		})
	case "count":
		var list []struct{ Amount int64 }
		w.call(ts, http.MethodGet, "/upi/transactions?kind=seen&call="+args[1], nil, &list)
		n := 0
		for _, m := range list {
			if strconv.FormatInt(m.Amount, 10) == args[2] {
				n++
			}
		}
		if strconv.Itoa(n) != args[3] {
			ts.Fatalf("the payout bank heard %d calls %s about %s", n, args[1], args[2])
		}
	default:
		list := of(args[1])
		if len(list) == 0 {
			ts.Fatalf("the payout bank has no order of %s", args[1])
		}
		said := map[string]any{"id": list[len(list)-1].ID}
		for _, a := range args[2:] {
			key, value, _ := strings.Cut(a, "=")
			said[key] = value
		}
		w.call(ts, http.MethodPost, "/upi/actions/"+args[0], said, nil)
	}
}

func (w *world) files(ts *testscript.TestScript, folder, pattern string) []string {
	found, err := filepath.Glob(filepath.Join(w.data, "acquirer", folder, pattern))
	ts.Check(err)
	return found
}

// booking is money that moved at the acquirer.
type booking struct {
	Kind, RRN string
	Amount    int64
	Undone    bool
}

func (w *world) bookings(ts *testscript.TestScript, amount string) []booking {
	var list []booking
	w.call(ts, http.MethodGet, "/acquirer/bookings", nil, &list)
	return slices.DeleteFunc(list, func(b booking) bool { return strconv.FormatInt(b.Amount, 10) != amount })
}

// clock +30s, or 00:30: business time moves, by so much or to that time of the day in Seoul when it comes next.
func (w *world) clock(ts *testscript.TestScript, neg bool, args []string) { ts.Check(w.move(args[0])) }

func (w *world) move(to string) error {
	if day, err := time.Parse("15:04", to); err == nil {
		var at struct{ Now time.Time }
		if err := call(http.MethodGet, w.control+"/clock", nil, &at); err != nil {
			return err
		}
		seoul := time.FixedZone("KST", 9*60*60)
		now := at.Now.In(seoul)
		next := time.Date(now.Year(), now.Month(), now.Day(), day.Hour(), day.Minute(), 0, 0, seoul)
		if !next.After(now) {
			next = next.AddDate(0, 0, 1)
		}
		to = next.Sub(now).String()
	}
	return call(http.MethodPost, w.control+"/clock", map[string]any{"advance": strings.TrimPrefix(to, "+")}, nil)
}

// fault METHOD ACTION TIMES, or fault none: how Google misbehaves when it is called.
func (w *world) fault(ts *testscript.TestScript, neg bool, args []string) {
	if args[0] == "none" {
		w.call(ts, http.MethodPost, "/google/faults", []any{}, nil)
		return
	}
	times, _ := strconv.Atoi(args[2])
	w.call(ts, http.MethodPost, "/google/faults", map[string]any{"method": args[0], "action": args[1], "times": times}, nil)
}

// ledger mark, or ledger ACCOUNT CHANGE: debits less credits since the mark, once the queues have done their work. An account ends with its
// currency where that is not the won.
func (w *world) ledger(ts *testscript.TestScript, neg bool, args []string) {
	balances := func() map[string]int64 {
		var list []struct {
			Account, Currency string
			Balance           int64
		}
		w.call(ts, http.MethodGet, "/ledger", nil, &list)
		at := map[string]int64{}
		for _, b := range list {
			at[strings.TrimSuffix(b.Account+"/"+b.Currency, "/KRW")] = b.Balance
		}
		return at
	}
	if args[0] == "mark" {
		w.mark, w.owned = balances(), w.balance(ts)
		return
	}
	w.wait(ts, func() (string, bool) {
		moved := strconv.FormatInt(balances()[args[0]]-w.mark[args[0]], 10)
		return moved, moved == args[1]
	})
}

func (w *world) call(ts *testscript.TestScript, verb, path string, in, out any) {
	w.ask(ts, verb, w.control+path, in, out)
}

func (w *world) ask(ts *testscript.TestScript, verb, url string, in, out any) {
	ts.Check(call(verb, url, in, out))
}

func call(verb, url string, in, out any) error {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequest(verb, url, body)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %d %s", verb, url, resp.StatusCode, text)
	}
	if out != nil {
		return json.Unmarshal(text, out)
	}
	return nil
}
