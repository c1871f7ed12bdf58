package shop

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// The published vectors, and the sheet's own (merchant-gateway §4.6).
func TestSignatures(t *testing.T) {
	const key = "k3yForTestsOnly01"
	deposit := `{"platform_id":"PF0901","service_id":"SVC0026","payment_cl_id":"KRW-20260101-0001","user_id":%s,"name":"김하늘",` +
		`"last_number":%s,"bank_name":%s,"amount":"3000000","notify_url":"http://127.0.0.1:9701/cb/deposit","request_time":1767225600,` +
		`"sign":"x"%s}`
	notice := `{"amount":3000000,"create_time":1767225601,"fee":%d,"payment_cl_id":"KRW-20260101-0001","payment_id":"PM00000451",` +
		`"platform_id":"PF0901","real_amount":%d,"status":%d,"update_time":%d,"nested":{"not":"signed"}}`
	for name, c := range map[string]struct{ body, key, kind, want string }{
		"B1": {
			`{"amount":4754378,"name":"王小头","notify_url":"http://localhost:52595/gateway/test-notification",` +
				`"payment_cl_id":"test_1707220575_1","platform_id":"PF0001","request_time":1707220575,"service_id":"SVC0001"}`,
			"2I9Q4nExEddsH6zo", "", "559444c72051d4feab4d840cc39c5b84",
		},
		"C1": {
			`{"amount":50000,"notify_url":"https://your-domain.com/callback","payment_cl_id":"DEVPM00014581","platform_id":"PF0002",` +
				`"request_time":1595504136,"service_id":"SVC0001","sign_type":"HMAC-SHA256"}`,
			"ThisIsYourSecretKey123", HMAC, "d8857715eece9c4b52b5e128ba541ee918effdc052c1152f6d1db0be7f1db509",
		},
		"V1": {fmt.Sprintf(deposit, `"member77"`, `"110222333444"`, `"KBSTAR_KR"`, ""), key, MD5, "1cf800ad8fb6e71a59542fedff370317"},
		"V1h": {
			fmt.Sprintf(deposit, `"member77"`, `"110222333444"`, `"KBSTAR_KR"`, `,"sign_type":"HMAC-SHA256"`), key, HMAC,
			"5f1f2154b2c48125f004ec6931c69a5a1e2c62e5c659b2062a1026d3a5568359",
		},
		"V2": {fmt.Sprintf(deposit, `""`, `""`, `null`, ""), key, MD5, "1c963f688c08a544035693b2f7fa6bc5"},
		"V3": {fmt.Sprintf(notice, 23920, 2990000, 2, 1767225733), key, MD5, "4a3c507fae6058f7193dea79d39b5cde"},
		"V3h": {
			fmt.Sprintf(notice, 23920, 2990000, 2, 1767225733), key, HMAC,
			"2633be555af0ed9e98db3c6bc235e64d32da52234d7cfa04f853b5350962b30d",
		},
		"V4": {fmt.Sprintf(notice, 0, 0, 3, 1767226231), key, MD5, "c7db569c2ef9549206abe159db62a608"},
		"V7": {
			`{"amount":100000,"last_numbers":[ "12345", "008-67890" ],"name":"王小明","notify_url":"http://127.0.0.1:9701/cb/deposit",` +
				`"payment_cl_id":"TW-1","platform_id":"DEMO01","request_time":1767225600,"service_id":"SVC0025"}`,
			key, HMAC, "92651be283367f831d1d156d2e4e89f994be7e872cf2e61a2e2c7ddf588d4ea0",
		},
		"V8": {
			`{"platform_id":"PF0901","request_time":1767225600,"total":1,"total_balance":5000000}`, key, MD5,
			"97b7ade8a720b463e0268b9535e22724",
		},
	} {
		m, ok := parse([]byte(c.body))
		if got := digest(joined(m.values()), c.key, c.kind); !ok || got != c.want {
			t.Errorf("%s is %s, want %s", name, got, c.want)
		}
	}
}

// gateway is what the shop knows of one: it answers queries with what a test puts there, and can tell the shop.
type gateway struct {
	*testing.T
	shop  *Shop
	own   *httptest.Server // the shop's listener
	file  string
	mu    sync.Mutex
	items map[string]map[string]any // what a query finds, by the merchant's number
	asked []string                  // methods, paths and bodies
	reply string                    // to creations
}

const testKey = "k3yForTestsOnly01"

var (
	testWebhook = []byte("a secret of two")
	noon        = time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
)

func open(t *testing.T) *gateway {
	g := &gateway{
		T: t, items: map[string]map[string]any{}, reply: `{"error_code":"0000","data":{"link":"x"}}`,
		file: filepath.Join(t.TempDir(), "shop.jsonl"),
	}
	api := httptest.NewServer(http.HandlerFunc(g.answer))
	t.Cleanup(api.Close)
	g.own = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { g.shop.ServeHTTP(w, r) }))
	t.Cleanup(g.own.Close)
	g.start(api.URL)
	t.Cleanup(func() { g.must(g.shop.Close()) })
	return g
}

func (g *gateway) start(api string) {
	s, err := New(Config{
		API: api, PlatformID: "PF0901", Key: testKey, Authorization: "token", Own: g.own.URL, File: g.file,
		Webhook: "whsec_" + base64.StdEncoding.EncodeToString(testWebhook),
		Now:     func() time.Time { return noon }, Business: func() time.Time { return noon.Add(time.Hour) },
	})
	g.must(err)
	g.shop = s
}

func (g *gateway) must(err error) {
	g.Helper()
	if err != nil {
		g.Fatal(err)
	}
}

func (g *gateway) answer(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.asked = append(g.asked, r.Method+" "+r.URL.String()+" "+r.Header.Get("Authorization")+" "+string(body))
	if r.Method == http.MethodPost {
		_, _ = io.WriteString(w, g.reply)
		return
	}
	data := []any{}
	if item := g.items[r.URL.Query().Get("payment_cl_id")+r.URL.Query().Get("payout_cl_id")]; item != nil {
		data = append(data, item)
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"error_code": "0000", "total": len(data), "data": data})
}

func signed(m map[string]any, kind string) map[string]any {
	delete(m, "sign")
	values := map[string]string{}
	for name, v := range m {
		values[name] = fmt.Sprint(v)
	}
	m["sign"] = digest(joined(values), testKey, kind)
	return m
}

func deposit(id string, status int) map[string]any {
	return map[string]any{
		"payment_id": "PM" + id, "payment_cl_id": id, "platform_id": "PF0901", "amount": 3000000, "real_amount": 2990000, "fee": 23900,
		"status": status, "create_time": 1767225601, "update_time": 1767225733,
	}
}

func payout(id string, status int) map[string]any {
	return map[string]any{
		"payout_id": "POT" + id, "payout_cl_id": id, "platform_id": "PF0901", "amount": 5000000, "fee": 100000,
		"status": status, "create_time": 1767225601, "update_time": 1767226001,
	}
}

// finds lets queries find an order as it is now.
func (g *gateway) finds(id string, m map[string]any) {
	item := map[string]any{"platform_channel_id": "PFC00000001"}
	for name, v := range m {
		if name != "sign" && name != "sign_type" {
			item[name] = v
		}
	}
	g.mu.Lock()
	g.items[id] = signed(item, MD5)
	g.mu.Unlock()
}

// tells sends the shop a message, and gives the answer: status 0 is none.
func (g *gateway) tells(path string, m map[string]any, headers ...func(http.Header)) (int, string) {
	g.Helper()
	body, err := json.Marshal(m)
	g.must(err)
	req, err := http.NewRequest(http.MethodPost, g.own.URL+path, strings.NewReader(string(body)))
	g.must(err)
	at := strconv.FormatInt(noon.Unix(), 10)
	mac := hmac.New(sha256.New, testWebhook)
	mac.Write([]byte("msg_1." + at + "." + string(body)))
	req.Header.Set("Webhook-Id", "msg_1")
	req.Header.Set("Webhook-Timestamp", at)
	req.Header.Set("Webhook-Signature", "v1,b3RoZXI= v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	for _, change := range headers {
		change(req.Header)
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		return 0, ""
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	g.must(err)
	return resp.StatusCode, strings.TrimSpace(string(answer))
}

const acknowledged = `{"error_code":"0000"}`

// News that are signed twice over and confirmed by a query are booked, once, and acknowledged.
func TestHear(t *testing.T) {
	g := open(t)
	for i, m := range []map[string]any{signed(deposit("a", 2), MD5), signed(deposit("a", 2), MD5), signed(payout("b", 3), MD5)} {
		id, path := "a", depositPath
		if i == 2 {
			id, path = "b", payoutPath
		}
		g.finds(id, m)
		if status, answer := g.tells(path, m); status != http.StatusOK || answer != acknowledged {
			t.Errorf("message %d is answered %d %s", i, status, answer)
		}
	}
	with := deposit("c", 2)
	with["sign_type"] = HMAC
	g.finds("c", with)
	if status, answer := g.tells(depositPath, signed(with, HMAC)); status != http.StatusOK || answer != acknowledged {
		t.Errorf("HMAC is answered %d %s", status, answer)
	}
	want := []Booking{{Deposit, "PMa", "a", 2990000, 23900}, {Payout, "POTb", "b", 5000000, 100000}, {Deposit, "PMc", "c", 2990000, 23900}}
	if got := g.shop.Bookings(); !reflect.DeepEqual(got, want) {
		t.Errorf("the books are %+v", got)
	}
	if want[0].Net() != 2966100 || want[1].Net() != -5100000 {
		t.Errorf("the balance moves by %d and %d", want[0].Net(), want[1].Net())
	}
	heard := g.shop.Heard()
	if want := (Heard{
		At: noon.Add(time.Hour), Kind: Deposit, ID: "PMa", ClientID: "a", Status: 2, Amount: 3000000, Real: 2990000, Fee: 23900,
		Updated: 1767225733, SignOK: true, WebhookOK: true, Queried: true, Acked: true,
	}); len(heard) != 4 || heard[0] != want || heard[2].Real != -1 {
		t.Errorf("heard %+v", heard)
	}
	if !strings.HasPrefix(g.asked[0], "GET /gateway/api/v1/payments?payment_cl_id=a token ") ||
		!strings.HasPrefix(g.asked[2], "GET /gateway/api/v2/payouts?payout_cl_id=b token ") {
		t.Errorf("asked %q", g.asked)
	}

	// What is not a success books nothing, and is acknowledged all the same.
	ended := deposit("d", 3)
	ended["real_amount"], ended["fee"] = 0, 0
	g.finds("d", ended)
	if _, answer := g.tells(depositPath, signed(ended, MD5)); answer != acknowledged || len(g.shop.Bookings()) != 3 {
		t.Errorf("an expired order is answered %s, the books are %+v", answer, g.shop.Bookings())
	}
}

// What cannot be proven books nothing and is not acknowledged.
func TestDistrust(t *testing.T) {
	const unproven = `400 {"error_code":"0004","error_msg":"Signature check failed"}`
	const unconfirmed = `200 {"error_code":"0007","error_msg":"The query says otherwise"}`
	for name, c := range map[string]struct {
		change func(m map[string]any)
		header func(http.Header)
		found  func(m map[string]any) // otherwise than told
		want   string
	}{
		"sign":           {change: func(m map[string]any) { m["fee"] = 0 }, want: unproven},
		"no sign":        {change: func(m map[string]any) { delete(m, "sign") }, want: unproven},
		"webhook":        {header: func(h http.Header) { h.Set("Webhook-Signature", "v1,b3RoZXI=") }, want: unproven},
		"webhook's age":  {header: func(h http.Header) { h.Set("Webhook-Timestamp", "1") }, want: unproven},
		"webhook's id":   {header: func(h http.Header) { h.Set("Webhook-Id", "msg_2") }, want: unproven},
		"another status": {found: func(m map[string]any) { m["status"] = 0 }, want: unconfirmed},
		"another amount": {found: func(m map[string]any) { m["real_amount"] = 1 }, want: unconfirmed},
		"another order":  {found: func(m map[string]any) { m["payment_id"] = "PMz" }, want: unconfirmed},
	} {
		g := open(t)
		m := signed(deposit("a", 2), MD5)
		item := deposit("a", 2)
		if c.found != nil {
			c.found(item)
		}
		g.finds("a", item)
		if c.change != nil {
			c.change(m)
		}
		header := func(http.Header) {}
		if c.header != nil {
			header = c.header
		}
		status, answer := g.tells(depositPath, m, header)
		if got := fmt.Sprint(status, " ", answer); got != c.want || len(g.shop.Bookings()) != 0 || g.shop.Heard()[0].Acked {
			t.Errorf("%s: %s, want %s; the books are %+v", name, got, c.want, g.shop.Bookings())
		}
	}
	g := open(t)
	unsigned := signed(deposit("a", 2), MD5)
	g.finds("a", unsigned)
	g.items["a"]["sign"] = strings.Repeat("0", 32)
	if _, answer := g.tells(depositPath, unsigned); answer == acknowledged {
		t.Error("an item without a right signature confirms")
	}
}

// Every fault, what the gateway hears, and whether the news was booked.
func TestFaults(t *testing.T) {
	for action, c := range map[string]struct {
		want   string
		booked int
	}{
		"drop": {"0 ", 0}, "500": {`500 {"error_code":"0001","error_msg":"Later"}`, 0},
		"400":    {`400 {"error_code":"0002","error_msg":"What is this"}`, 0},
		"refuse": {`200 {"error_code":"0017","error_msg":"Not ours"}`, 0}, "redirect": {"302 ", 0}, "large": {`200 {"error_code":"0000"}`, 0},
		"empty": {"200 ", 1}, "0000": {"200 0000", 1}, "success": {"200 success", 1}, "lost": {"0 ", 1}, "delay": {"200 " + acknowledged, 1},
	} {
		g := open(t)
		g.control("POST", "/faults", `{"kind":"deposit","action":"`+action+`","times":1,"delay_ms":1}`, http.StatusOK)
		m := signed(deposit("a", 2), MD5)
		g.finds("a", m)
		status, answer := g.tells(depositPath, m)
		if got := fmt.Sprint(status, " ", answer); got != c.want || len(g.shop.Bookings()) != c.booked {
			t.Errorf("%s: %q, want %q; %d booked", action, got, c.want, len(g.shop.Bookings()))
		}
		if h := g.shop.Heard()[0]; h.Fault != action || h.Acked {
			t.Errorf("%s: heard %+v", action, h)
		}
		if _, answer := g.tells(depositPath, m); answer != acknowledged || len(g.shop.Bookings()) != 1 {
			t.Errorf("%s: the next delivery is answered %s", action, answer)
		}
	}
	g := open(t)
	g.control("POST", "/faults", `{"action":"hang","times":1}`, http.StatusOK)
	ctx, giveUp := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, g.own.URL+payoutPath, strings.NewReader("{}"))
	g.must(err)
	done := make(chan error)
	go func() {
		_, err := http.DefaultClient.Do(req)
		done <- err
	}()
	for len(g.shop.Heard()) == 0 {
		g.must(t.Context().Err())
	}
	giveUp()
	if err := <-done; err == nil {
		t.Error("a shop that hangs answers")
	}
}

// The pre-check (§11): signed like everything, approved unless a rule says otherwise.
func TestCheck(t *testing.T) {
	g := open(t)
	m := signed(map[string]any{"platform_id": "PF0901", "payout_cl_id": "b", "amount": 5000000, "name": "이도윤", "number": "3021234567891"}, MD5)
	if status, answer := g.tells(checkPath, m); status != http.StatusOK || answer != acknowledged {
		t.Errorf("it is answered %d %s", status, answer)
	}
	m["amount"] = 1
	if status, _ := g.tells(checkPath, m); status != http.StatusBadRequest {
		t.Errorf("a wrong signature is answered %d", status)
	}
	if len(g.shop.Bookings()) != 0 || len(g.asked) != 0 {
		t.Errorf("the books are %+v, asked %q", g.shop.Bookings(), g.asked)
	}
	text, err := os.ReadFile(g.file)
	g.must(err)
	if strings.Contains(string(text), "이도윤") || strings.Contains(string(text), "3021234567891") {
		t.Error("the record holds a name or an account")
	}
}

// What is sent, what is remembered of it, and that a restart remembers it too.
func TestSend(t *testing.T) {
	g := open(t)
	got := g.control("POST", "/send", `{"call":"createDeposit","sign_type":"HMAC-SHA256","fields":{"service_id":"SVC0026",`+
		`"payment_cl_id":"a","amount":"3000000","name":"김하늘"}}`, http.StatusOK)
	if want := `{"status":200,"body":{"error_code":"0000","data":{"link":"x"}},"sign_ok":true}`; got != want {
		t.Errorf("the answer is %s", got)
	}
	verb, body, _ := strings.Cut(g.asked[0], "{")
	m, ok := parse([]byte("{" + body))
	if verb != "POST /gateway/api/v1/payments  " || !ok || !m.signedBy(testKey) || m.text("sign_type") != HMAC ||
		m.text("request_time") != strconv.FormatInt(noon.Unix(), 10) || m.text("notify_url") != g.own.URL+depositPath {
		t.Errorf("asked %q", g.asked[0])
	}
	g.reply = `{"error_code":"0014","error_msg":"again"}`
	g.control("POST", "/send", `{"call":"createPayout","fields":{"service_id":"SVC0004","payout_cl_id":"b","amount":"100"}}`, http.StatusOK)
	g.reply = `not JSON`
	g.control("POST", "/send", `{"call":"createDepositV2","fields":{"payment_cl_id":"c","amount":"x"}}`, http.StatusOK)
	at := noon.Add(time.Hour)
	want := []Asked{
		{at, "createDeposit", "a", "SVC0026", HMAC, 3000000, 200, "0000"},
		{at, "createPayout", "b", "SVC0004", "", 100, 200, "0014"},
		{at, "createDepositV2", "c", "", "", 0, 200, ""},
	}
	if got := g.shop.Asked(); !reflect.DeepEqual(got, want) {
		t.Errorf("it remembers %+v", got)
	}
	m2 := signed(deposit("a", 2), MD5)
	g.finds("a", m2)
	g.tells(depositPath, m2)

	// Queries, with their signatures proven.
	lists := func(id string, proven bool) {
		t.Helper()
		got := g.control("POST", "/send", `{"call":"listDeposits","fields":{"payment_cl_id":"`+id+`"}}`, http.StatusOK)
		if !strings.Contains(got, fmt.Sprintf(`"sign_ok":%t`, proven)) {
			t.Errorf("%s: %s", id, got)
		}
	}
	lists("a", true)
	lists("none", true)
	g.items["a"]["amount"] = 1
	lists("a", false)
	g.control("POST", "/send", `{"call":"getDeposit","fields":{"payment_cl_id":"a/b","limit":"1"}}`, http.StatusOK)
	if last := g.asked[len(g.asked)-1]; last != "GET /gateway/api/v2/payments/a%2Fb?limit=1 token " {
		t.Errorf("asked %q", last)
	}

	// A restart, after a line that was cut off.
	g.must(g.shop.Close())
	f, err := os.OpenFile(g.file, os.O_APPEND|os.O_WRONLY, 0)
	g.must(err)
	_, err = f.WriteString(`{"heard":{"kind":"dep`)
	g.must(err)
	g.must(f.Close())
	heard := g.shop.Heard()
	g.start("http://127.0.0.1:1")
	if !reflect.DeepEqual(g.shop.Asked(), want) || !reflect.DeepEqual(g.shop.Heard(), heard) || len(g.shop.Bookings()) != 1 {
		t.Errorf("after a restart: %+v %+v", g.shop.Asked(), g.shop.Heard())
	}
	got = g.control("POST", "/send", `{"call":"createDeposit","fields":{"payment_cl_id":"d"}}`, http.StatusOK)
	if got != `{"status":0,"sign_ok":true}` {
		t.Errorf("nobody answers: %s", got)
	}
}

// The balance of version 1 is signed inside and out (§4.3, vectors V8 and V9).
func TestBalance(t *testing.T) {
	g := open(t)
	const right = `{"error_code":"0000","data":{"platform_id":"PF0901","platform_channels":[{"platform_channel_id":"PFC00000001",` +
		`"channel_name":"KRW main","balance":5000000,"frozen_balance":7,"sign":"ee82fdd1a3d9cb06525e6615fd595290"}],"total":1,` +
		`"total_balance":5000000,"total_frozen_balance":7,"request_time":1767225600,"sign":"97b7ade8a720b463e0268b9535e22724"}}`
	for body, proven := range map[string]bool{
		right: true, strings.Replace(right, `"balance":5`, `"balance":6`, 1): false,
		strings.Replace(right, `"total_balance":5`, `"total_balance":6`, 1): false,
		`{"error_code":"0006","error_msg":"no"}`:                            true,
	} {
		if got := g.shop.proven("getBalance", []byte(body)); got != proven {
			t.Errorf("%t: %s", got, body)
		}
	}
}

// control asks the control port.
func (g *gateway) control(method, path, body string, status int) string {
	g.Helper()
	w := httptest.NewRecorder()
	g.shop.Control().ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(body)))
	if w.Code != status {
		g.Errorf("%s %s %s: %d %s, want %d", method, path, body, w.Code, w.Body, status)
	}
	return strings.TrimSpace(w.Body.String())
}

func TestControl(t *testing.T) {
	g := open(t)
	for _, path := range []string{"/asked", "/received", "/books", "/faults"} {
		if got := g.control("GET", path, "", http.StatusOK); got != "[]" {
			t.Errorf("%s is %s", path, got)
		}
	}
	for _, bad := range []string{
		``, `{}`, `{"action":"nothing"}`, `{"action":"500","times":-1}`, `{"action":"500","kind":"x"}`, `{"act":"500"}`, `[null]`,
		`[{"action":"x"}]`,
	} {
		g.control("POST", "/faults", bad, http.StatusBadRequest)
	}
	for _, bad := range []string{``, `{}`, `{"call":"nothing"}`, `{"call":"getBalance","more":1}`} {
		g.control("POST", "/send", bad, http.StatusBadRequest)
	}
	g.control("POST", "/faults", `{"action":"500"}`, http.StatusOK)
	want := `[{"kind":"payout","action":"drop","times":2,"delay_ms":0,"used":0}]`
	if got := g.control("POST", "/faults", `[{"kind":"payout","action":"drop","times":2,"used":9}]`, http.StatusOK); got != want {
		t.Errorf("the rules are %s", got)
	}
	if got := g.control("DELETE", "/faults", "", http.StatusOK); got != "[]" {
		t.Errorf("the rules are %s", got)
	}
	g.tells(checkPath, map[string]any{"platform_id": "PF0901"})
	var list []map[string]any
	g.must(json.Unmarshal([]byte(g.control("GET", "/received", "", http.StatusOK)), &list))
	for _, member := range []string{"at", "kind", "id", "client_id", "status", "real_amount", "sign_ok", "webhook_ok", "acked"} {
		if _, ok := list[0][member]; !ok {
			t.Errorf("an entry has no %s", member)
		}
	}
	for _, cfg := range []Config{{}, {API: "x", PlatformID: "y", Key: "z"}} {
		if _, err := New(cfg); err == nil {
			t.Error("a shop without what it needs")
		}
	}
}
