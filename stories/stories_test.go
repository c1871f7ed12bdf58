// Package stories plays payments as their parties see them, from files that read as what happened: testdata/script/*.txtar, one spec section each.
// Every story runs against the whole integrator with its peers on real sockets; afterwards the three records are compared, the database is
// checked, and everything that was written is searched for card data.
package stories

import (
	"bytes"
	"context"
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

	"github.com/rogpeppe/go-internal/testscript"

	"naru/fsck"
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

func TestStories(t *testing.T) {
	for _, dialect := range []string{"pi87-default", "pi87-alt"} {
		t.Run(dialect, func(t *testing.T) { play(t, dialect) })
	}
}

// play runs every story in one sandbox, one after the other: their payments share the books, the queues and the clock.
func play(t *testing.T, dialect string) {
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
	s, err := sandbox.Start(t.Context(), sandbox.Options{Dir: data, Seed: 1, Profile: profile, LogLevel: "debug"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	w := &world{control: s.Contract.Control.Base, told: map[string]string{}}
	files, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	for _, file := range files { // one after the other: some break the line, move the clock, or put Google down
		t.Run("story", func(t *testing.T) {
			testscript.Run(t, testscript.Params{
				Files: []string{file}, RequireUniqueNames: true,
				Cmds: map[string]func(*testscript.TestScript, bool, []string){
					"google": w.google, "until": w.until, "verdict": w.verdict, "acquirer": w.acquirer, "clock": w.clock, "fault": w.fault,
					"ledger": w.ledger,
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
	report, err := fsck.Run(context.Background(), fsck.Options{Path: filepath.Join(data, "naru.db"), KEK: kek, Forbidden: secrets()})
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
		for _, name := range []string{"naru.log", "naru.db", "google.jsonl"} {
			written, err := os.ReadFile(filepath.Join(data, name))
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(written, secret) {
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
		"9999990000000006", "9999990000000055", "9999990000000519", "9999990000009015", "9999990000009023", "9999990000009031", "9999990000009049",
		"9999990000009056", "9999990000009064", "9999990000009072", "9999990000009080", "9999990000009106", "9999990000009114", "9999990000009122",
		"9999990000009130", "9999990000009148", "9999990000009155", "9999990000009163", "9999990000009171", "9999990000009189", "9999990000009197",
		"9999990000009205", "9999990000009213", "9999990000009239", "9999990000000683", "9999990000000857", "9999990000000949", "4242424242424242",
		"5wLdXA7VRrU6q/dXllJKbBBD2FUJ92h83TNuE/S9vE5sBEF+4XI0H0SGt13GirZjl1/XFPNLLrWFUxgm19E4/g==", "1991-04-17", "BD06910417",
		"PW0247", "PW0293", "CV03737", "PW00247", "CV003737", `"pin"`, `"cvn"`, "SEO JIHUN",
	} {
		list = append(list, []byte(s))
	}
	return list
}

// world is what the commands of a story act on. Google's requests are named by short ids, unique over all stories.
type world struct {
	control string
	told    map[string]string // the first 200 of each request: every later one must be the same (gsp-core §4.1)
}

// patience bounds waits for what other processes' queues will do; reaching it is a failure, never a pass.
const patience = 20 * time.Second

type answer struct {
	Status int             `json:"status"`
	Body   json.RawMessage `json:"body"`
}

// google METHOD ID STATUS [WORD] [KEY=VALUE...]: Google sends a request. WORD stands in the answer as result or error code. Keys change the sheet's
// example: pan, won, of (the reservation), piaid, pin, birth, business, expiry (MMYY), cvn; copies sends that many at once, clock moves
// business time before it.
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

// requests are the sheet's examples (Korea Cards v1 §4.1-4.3).
var requests = map[string]string{
	"reserveFunds": `{"paymentIntegratorAccountId": "NaruPG_KRW",
		"accountDetails": {"card": {"accountNumber": "9999990000000006", "nameOnCard": "SEO JIHUN", "expiryMonth": "12", "expiryYear": "29"}},
		"currencyCode": "KRW", "amount": "12900000000", "transactionDescription": "GOOGLE*Star Farm", "merchantCategoryCode": "5816",
		"additionalTransactionProcessingOptions": {"userSelectedProcessingNetworkTypeNotApplicable": {},
			"electronicCommerceIndicatorNotApplicable": {}, "threeDSecureNotAppplicable": {}, "storedCredentialTransactionInformationNotApplicable": {},
			"pin": "47", "dateOfBirth": "1991-04-17",
			"connectingInformation": "5wLdXA7VRrU6q/dXllJKbBBD2FUJ92h83TNuE/S9vE5sBEF+4XI0H0SGt13GirZjl1/XFPNLLrWFUxgm19E4/g=="}}`,
	"asynchronousCaptureFundsReservation": `{"paymentIntegratorAccountId": "NaruPG_KRW", "reservationRequestId": "", "amount": "12900000000"}`,
	"asynchronousCancelFundsReservation":  `{"paymentIntegratorAccountId": "NaruPG_KRW", "reservationRequestId": ""}`,
}

func (w *world) send(ts *testscript.TestScript, args []string) (string, bool) {
	if len(args) < 3 || requests[args[0]] == "" {
		ts.Fatalf("usage: METHOD ID STATUS [WORD] [KEY=VALUE...]")
	}
	method, id, status := args[0], args[1], args[2]
	var body map[string]any
	ts.Check(json.Unmarshal([]byte(requests[method]), &body))
	body["requestHeader"] = map[string]any{"requestId": id}
	details, _ := body["accountDetails"].(map[string]any)
	card, _ := details["card"].(map[string]any)
	options, _ := body["additionalTransactionProcessingOptions"].(map[string]any)
	copies, word := 1, ""
	for _, a := range args[3:] {
		key, value, _ := strings.Cut(a, "=")
		switch key {
		case "pan":
			card["accountNumber"] = value
		case "cvn":
			card["cvn"] = value
		case "expiry":
			card["expiryMonth"], card["expiryYear"] = value[:2], value[2:]
		case "won":
			body["amount"] = value + "000000"
		case "of":
			body["reservationRequestId"] = value
		case "piaid":
			body["paymentIntegratorAccountId"] = value
		case "pin":
			options["pin"] = value
		case "birth":
			options["dateOfBirth"] = value
		case "clock": // business time moves before each asking
			w.clock(ts, false, []string{value})
		case "copies":
			copies, _ = strconv.Atoi(value)
		default:
			word = a
		}
	}
	var answers []answer
	w.call(ts, http.MethodPost, "/google/send", map[string]any{"method": method, "body": body, "copies": copies}, &answers)
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
		if members["result"] == nil {
			said = fmt.Sprint(members["errorResponseCode"])
		}
		if strconv.Itoa(a.Status) != status || word != "" && said != word {
			return fmt.Sprintf("%d %s", a.Status, plain), false
		}
	}
	return "", true
}

// verdict METHOD ID RESULT: Google has been told, under one request id of ours and with one result.
func (w *world) verdict(ts *testscript.TestScript, neg bool, args []string) {
	look := func() (string, bool) {
		var list []struct {
			Method string         `json:"method"`
			Body   map[string]any `json:"body"`
		}
		w.call(ts, http.MethodGet, "/google/received", nil, &list)
		ids, results := map[string]bool{}, map[string]bool{}
		for _, m := range list {
			if m.Method != args[0] {
				continue
			}
			for _, subject := range []string{"captureFundsReservation", "cancelFundsReservation"} {
				if m.Body[subject+"RequestId"] == args[1] {
					header, _ := m.Body["requestHeader"].(map[string]any)
					ids[fmt.Sprint(header["requestId"])], results[fmt.Sprint(m.Body[subject+"Result"])] = true, true
				}
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

// acquirer rule FILE | clear | holds AMOUNT STATE... | count MTI AMOUNT N | signoff | drop: what the host does, and what it knows of an amount.
// Amounts name payments: each is used by one story only.
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
		w.call(ts, http.MethodPost, "/acquirer/actions/"+args[0], map[string]any{}, nil)
	}
}

// clock +30s: business time moves.
func (w *world) clock(ts *testscript.TestScript, neg bool, args []string) {
	w.call(ts, http.MethodPost, "/clock", map[string]any{"advance": strings.TrimPrefix(args[0], "+")}, nil)
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

// ledger ACCOUNT BALANCE: debits less credits, once the queues have done their work.
func (w *world) ledger(ts *testscript.TestScript, neg bool, args []string) {
	w.wait(ts, func() (string, bool) {
		var list []struct {
			Account string
			Balance int64
		}
		w.call(ts, http.MethodGet, "/ledger", nil, &list)
		for _, b := range list {
			if b.Account == args[0] {
				return fmt.Sprint(b.Balance), strconv.FormatInt(b.Balance, 10) == args[1]
			}
		}
		return "no such account", args[1] == "0"
	})
}

func (w *world) call(ts *testscript.TestScript, verb, path string, in, out any) {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		ts.Check(err)
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequest(verb, w.control+path, body)
	ts.Check(err)
	resp, err := http.DefaultClient.Do(req)
	ts.Check(err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	ts.Check(err)
	if resp.StatusCode != http.StatusOK {
		ts.Fatalf("%s %s: %d %s", verb, path, resp.StatusCode, text)
	}
	if out != nil {
		ts.Check(json.Unmarshal(text, out))
	}
}
