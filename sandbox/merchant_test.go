package sandbox

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// trader knows sandbox.json and the sheet.
type trader struct {
	*outsider
	contract struct {
		Merchant struct {
			Base, Desk    string
			PlatformID    string `json:"platform_id"`
			PlatformKey   string `json:"platform_key"`
			Authorization string
			Webhook       string `json:"webhook_secret"`
		}
		Pay, Bank, Control struct{ Base string }
	}
	heard chan message
	own   *httptest.Server
}

// message is a notification, its body and its headers.
type message struct {
	fields map[string]any
	body   []byte
	header http.Header
}

func trades(t *testing.T, dir string) *trader {
	t.Helper()
	m := &trader{outsider: &outsider{t: t}, heard: make(chan message, 10)}
	text, err := os.ReadFile(filepath.Join(dir, "sandbox.json"))
	must(t, err)
	must(t, json.Unmarshal(text, &m.contract))
	m.controlURL = m.contract.Control.Base
	m.own = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		in := message{body: body, header: r.Header}
		if err != nil || json.Unmarshal(body, &in.fields) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		m.heard <- in
		_, _ = io.WriteString(w, `{"error_code":"0000"}`)
	}))
	t.Cleanup(m.own.Close)
	return m
}

// sign is MD5 over the sorted members and the key (merchant-gateway §4).
func (m *trader) sign(fields map[string]any) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		text := fmt.Sprint(fields[name])
		if n, ok := fields[name].(float64); ok {
			text = fmt.Sprintf("%.0f", n)
		}
		if name != "sign" && text != "" {
			parts = append(parts, name+"="+text)
		}
	}
	sum := md5.Sum([]byte(strings.Join(parts, "&") + "&" + m.contract.Merchant.PlatformKey))
	return fmt.Sprintf("%x", sum)
}

func (m *trader) ask(method, path string, fields map[string]any) map[string]any {
	m.t.Helper()
	var body []byte
	if fields != nil {
		fields["platform_id"], fields["request_time"] = m.contract.Merchant.PlatformID, fmt.Sprint(time.Now().Unix())
		fields["sign"] = m.sign(fields)
		body, _ = json.Marshal(fields)
	}
	url := m.contract.Merchant.Base + "/gateway/api/" + path
	req, err := http.NewRequestWithContext(m.t.Context(), method, url, bytes.NewReader(body))
	must(m.t, err)
	req.Header.Set("Content-Type", "application/json;charset=utf-8")
	req.Header.Set("Authorization", m.contract.Merchant.Authorization)
	resp, err := http.DefaultClient.Do(req)
	must(m.t, err)
	defer resp.Body.Close()
	var answer map[string]any
	must(m.t, json.NewDecoder(resp.Body).Decode(&answer))
	if resp.StatusCode != http.StatusOK || answer["error_code"] != "0000" {
		m.t.Fatalf("%s %s: %d %v", method, path, resp.StatusCode, answer)
	}
	return answer
}

// hears waits for a notification, and looks at both of its signatures.
func (m *trader) hears() map[string]any {
	m.t.Helper()
	select {
	case in := <-m.heard:
		if in.fields["sign"] != m.sign(in.fields) {
			m.t.Errorf("%s has a wrong sign", in.body)
		}
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(m.contract.Merchant.Webhook, "whsec_"))
		must(m.t, err)
		mac := hmac.New(sha256.New, key)
		fmt.Fprintf(mac, "%s.%s.%s", in.header.Get("Webhook-Id"), in.header.Get("Webhook-Timestamp"), in.body)
		if want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)); in.header.Get("Webhook-Signature") != want {
			m.t.Errorf("webhook-signature is %s, want %s", in.header.Get("Webhook-Signature"), want)
		}
		return in.fields
	case <-time.After(20 * time.Second):
		m.t.Fatal("no notification")
	}
	return nil
}

// An order, its page, its payment, its notification, its query; and a payout: by a client that knows only sandbox.json and the sheets.
func TestOutsideMerchant(t *testing.T) {
	t.Parallel()
	s := started(t, t.TempDir())
	m := trades(t, s.Dir)
	made := m.ask("POST", "v1/payments", map[string]any{
		"service_id": "SVC0026", "payment_cl_id": "out-1", "name": "김하늘", "amount": "3000000", "notify_url": m.own.URL + "/cb",
	})["data"].(map[string]any)
	info := made["payment_info"].(map[string]any)
	receiver := info["receiver"].(map[string]any)
	if receiver["card_number"] != "100200300400" || receiver["card_name"] != "주식회사 받음" || receiver["bank_name"] != "농협은행" {
		t.Errorf("the receiver is %v", receiver)
	}
	page, err := http.Get(made["link"].(string))
	must(t, err)
	must(t, page.Body.Close())
	if page.StatusCode != http.StatusOK || !strings.HasPrefix(made["link"].(string), m.contract.Pay.Base) {
		t.Errorf("the page %s: %s", made["link"], page.Status)
	}
	won := int64(info["display_amount"].(float64)) / 100
	m.control("POST", "/bank/credits", fmt.Sprintf(`{"account":"100200300400","amount":%d,"name":"김하늘"}`, won), http.StatusOK)
	told := m.hears()
	if told["status"] != 2.0 || told["payment_cl_id"] != "out-1" || told["real_amount"] != info["display_amount"] ||
		told["fee"] != float64(feeOf(won)*100) {
		t.Errorf("told %v", told)
	}
	item := m.ask("GET", "v1/payments?payment_cl_id=out-1", nil)["data"].([]any)[0].(map[string]any)
	if item["status"] != 2.0 || item["sign"] != m.sign(item) {
		t.Errorf("the query says %v", item)
	}

	m.ask("POST", "v2/payouts", map[string]any{
		"service_id": "SVC0004", "payout_cl_id": "out-2", "amount": "5000000", "notify_url": m.own.URL, "bank_name": "NHBANK_KR",
		"name": "이도윤", "number": "3021234567891", "currency": "krw",
	})
	m.control("POST", "/clock", `{"advance":"3s"}`, http.StatusOK) // the bank's work
	if told := m.hears(); told["status"] != 3.0 || told["payout_cl_id"] != "out-2" || told["fee"] != 100_000.0 {
		t.Errorf("told %v", told)
	}

	// The desk is there, and the sample merchant was asked whether the payout is its own: what it does not know it lets go.
	desk, err := http.Get(m.contract.Merchant.Desk)
	must(t, err)
	must(t, desk.Body.Close())
	if desk.StatusCode != http.StatusOK {
		t.Errorf("the desk: %s", desk.Status)
	}
	check := m.wait("/merchant/received", func(h map[string]any) bool { return h["kind"] == "check" })
	if check["client_id"] != "out-2" || check["sign_ok"] != true || check["acked"] != true {
		t.Errorf("the check is %v", check)
	}
	must(t, s.drain(t.Context()))
	e, err := s.gather(t.Context())
	must(t, err)
	if c := compare(e); !c.agrees() || len(c.deposits) != 1 || len(c.transfers) != 0 {
		t.Errorf("finds %q: %+v", c.found(), c.deposits)
	}
	if want := s.Contract.Bank.Base; m.contract.Bank.Base != want || want == "" {
		t.Errorf("the bank is at %q", m.contract.Bank.Base)
	}
}

// What the bank has not told yet is waited for, and what it takes back is before a person.
func TestDrainMerchant(t *testing.T) {
	t.Parallel()
	s := started(t, t.TempDir())
	tell := &teller{client: s.client(), admin: s.Contract.Admin.Base, out: io.Discard, id: "merchant", shown: map[string]string{}}
	defer tell.http.CloseIdleConnections()
	ctx := t.Context()
	tell.atBank(ctx, fields{"action": "late", "delay_ms": 20_000, "match": fields{"kind": "deposit"}, "times": 1})
	o := tell.orders(ctx, request{call: "createDeposit", service: codedIn, amount: 50_000, with: map[string]string{"name": firstPayer}})
	id := tell.transfers(ctx, o.account, o.display, firstPayer, nil)
	must(t, s.drain(ctx))
	if list := tell.notices(ctx, o); len(list) == 0 || list[len(list)-1].Status != 2 || tell.wrong > 0 {
		t.Errorf("the merchant heard %+v", list)
	}

	// The bank takes it back: a case, until somebody has seen it.
	tell.call(ctx, http.MethodPost, "/bank/actions/reversal", fields{"id": id}, nil)
	if err := s.drain(ctx); err == nil || !strings.Contains(err.Error(), "1 cases wait for an operator") {
		t.Errorf("money was taken back, and nobody said so: %v", err)
	}
	tell.seenTo(ctx, "deposit-taken-back", "seen")
	must(t, s.drain(ctx))
	e, err := s.gather(ctx)
	must(t, err)
	if c := compare(e); !c.agrees() || len(c.deposits) != 2 || !c.deposits[1].ledger.back {
		t.Errorf("finds %q: %+v", c.found(), c.deposits)
	}
	if tell.err != nil || tell.wrong > 0 {
		t.Errorf("%d steps went otherwise: %v", tell.wrong, tell.err)
	}
}

// Without a browser the page is followed as it follows itself.
func TestWatchWithoutBrowser(t *testing.T) {
	s := started(t, t.TempDir())
	t.Setenv("PATH", t.TempDir())
	var out strings.Builder
	tell := &teller{client: s.client(), admin: s.Contract.Admin.Base, out: &out, id: "page"}
	defer tell.http.CloseIdleConnections()
	payer := map[string]string{"name": firstPayer}
	o := tell.orders(t.Context(), request{call: "createDeposit", service: transferIn, amount: 50_000, with: payer})
	page := tell.watch(t.Context(), o.link)
	defer page.close()
	tell.transfers(t.Context(), o.account, o.display, firstPayer, nil)
	page.shows("received")
	if tell.err != nil || tell.wrong > 0 || !strings.Contains(out.String(), "no Chromium here") {
		t.Errorf("%v\n%s", tell.err, &out)
	}
}
