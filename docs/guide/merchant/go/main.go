// A merchant's first hour with the gateway, in Go and its standard library: a deposit order, its payment, the notification, the balance, a
// payout. It needs a running sandbox:
//
//	naru sandbox --data box
//	go run ./docs/guide/merchant/go box/sandbox.json
package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// gateway is what a merchant is given. Here it comes from sandbox.json; yours belongs into your secrets.
type gateway struct {
	Base          string `json:"base"`
	PlatformID    string `json:"platform_id"`
	Key           string `json:"platform_key"`
	Authorization string `json:"authorization"`
	Webhook       string `json:"webhook_secret"`
}

// stringToSign is every parameter that is not empty, sorted by name. Nothing is encoded, and a zero is not empty.
func stringToSign(fields map[string]string) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if name != "sign" && name != "sign_type" && fields[name] != "" {
			parts = append(parts, name+"="+fields[name])
		}
	}
	return strings.Join(parts, "&")
}

func (g gateway) sign(fields map[string]string) string {
	mac := hmac.New(sha256.New, []byte(g.Key))
	mac.Write([]byte(stringToSign(fields)))
	return hex.EncodeToString(mac.Sum(nil))
}

// fieldsOf reads a message as it is signed: texts without quotes, numbers as they came, lists compact; objects and null are nothing.
func fieldsOf(body []byte) (map[string]string, error) {
	var values map[string]json.RawMessage
	if err := json.Unmarshal(body, &values); err != nil {
		return nil, err
	}
	fields := map[string]string{}
	for name, raw := range values {
		var text string
		switch {
		case json.Unmarshal(raw, &text) == nil: // a string, or null
		case raw[0] == '{':
		default:
			var dense bytes.Buffer
			_ = json.Compact(&dense, raw)
			text = dense.String()
		}
		fields[name] = text
	}
	return fields, nil
}

var client = &http.Client{Timeout: 30 * time.Second}

// answer is what the gateway says.
type answer struct {
	Code string          `json:"error_code"`
	Text string          `json:"error_msg"`
	Data json.RawMessage `json:"data"`
}

// errUnknown is no failure: what was asked for may be done all the same.
var errUnknown = errors.New("nobody knows what became of the request")

// call sends a request. HTTP 200 with a code is certain, whatever the code; anything else is errUnknown.
func (g gateway) call(verb, path string, body []byte) (a answer, err error) {
	req, err := http.NewRequest(verb, g.Base+"/gateway/api/"+path, bytes.NewReader(body))
	if err != nil {
		return a, err
	}
	req.Header.Set("Content-Type", "application/json;charset=utf-8")
	req.Header.Set("Authorization", g.Authorization)
	resp, err := client.Do(req)
	if err != nil {
		return a, fmt.Errorf("%w: %w", errUnknown, err)
	}
	defer resp.Body.Close()
	err = json.NewDecoder(resp.Body).Decode(&a)
	if err != nil || resp.StatusCode != http.StatusOK || a.Code == "" {
		return a, fmt.Errorf("%w: HTTP %d", errUnknown, resp.StatusCode)
	}
	return a, nil
}

// post signs a request and sends it.
func (g gateway) post(path string, fields map[string]string) (answer, error) {
	fields = maps.Clone(fields)
	fields["platform_id"] = g.PlatformID
	fields["request_time"] = strconv.FormatInt(time.Now().Unix(), 10)
	fields["sign_type"] = "HMAC-SHA256"
	fields["sign"] = g.sign(fields)
	body, err := json.Marshal(fields)
	if err != nil {
		return answer{}, err
	}
	return g.call(http.MethodPost, path, body)
}

// query asks for one thing; a code that is not 0000 is an error.
func (g gateway) query(path string) (map[string]string, error) {
	a, err := g.call(http.MethodGet, path, nil)
	if err == nil && a.Code != "0000" {
		err = fmt.Errorf("%s %s", a.Code, a.Text)
	}
	if err != nil {
		return nil, err
	}
	return fieldsOf(a.Data)
}

// payOut asks until the answer is certain, always with the same number: it counts once, so nothing can be paid twice.
func (g gateway) payOut(fields map[string]string) (payoutID string, err error) {
	for wait := time.Second; wait < time.Minute; wait *= 2 {
		a, err := g.post("v2/payouts", fields)
		switch {
		case errors.Is(err, errUnknown) || a.Code == "0001":
			time.Sleep(wait)
		case err != nil:
			return "", err
		case a.Code == "0014": // an earlier try was taken on, and its answer was lost
			p, err := g.query("v2/payouts/" + fields["payout_cl_id"])
			return p["payout_id"], err
		case a.Code != "0000":
			return "", fmt.Errorf("refused, nothing is paid: %s %s", a.Code, a.Text)
		default:
			p, err := fieldsOf(a.Data)
			return p["payout_id"], err
		}
	}
	return "", fmt.Errorf("%w: ask for %s again later", errUnknown, fields["payout_cl_id"])
}

// shop takes notifications.
type shop struct {
	gateway
	mu     sync.Mutex
	booked map[string]bool // yours is a table with a unique key, written before the answer
	news   chan map[string]string
}

// ServeHTTP acknowledges what is genuine, confirmed and booked. Anything else comes again.
func (s *shop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		return
	}
	told, err := fieldsOf(body)
	if err != nil || !hmac.Equal([]byte(told["sign"]), []byte(s.sign(told))) || !s.genuine(r.Header, body) {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"error_code":"0004"}`)
		return
	}
	path := "v2/payments/" + told["payment_cl_id"]
	if told["payout_cl_id"] != "" {
		path = "v2/payouts/" + told["payout_cl_id"]
	}
	order, err := s.query(path)
	if err != nil || order["status"] != told["status"] || order["amount"] != told["amount"] || order["real_amount"] != told["real_amount"] {
		fmt.Fprint(w, `{"error_code":"0001"}`)
		return
	}
	s.mu.Lock()
	event := path + " " + told["status"]
	first := !s.booked[event]
	s.booked[event] = true
	s.mu.Unlock()
	fmt.Fprint(w, `{"error_code":"0000"}`)
	if first {
		s.news <- told
	}
}

// genuine checks the Standard Webhooks headers: one of the signatures is over id, time and body, and the time is now.
func (s *shop) genuine(h http.Header, body []byte) bool {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(s.Webhook, "whsec_"))
	at, notTime := strconv.ParseInt(h.Get("webhook-timestamp"), 10, 64)
	if err != nil || notTime != nil || time.Since(time.Unix(at, 0)).Abs() > 5*time.Minute {
		return false
	}
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%d.%s", h.Get("webhook-id"), at, body)
	want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	return slices.ContainsFunc(strings.Fields(h.Get("webhook-signature")), func(one string) bool {
		return hmac.Equal([]byte(one), []byte(want))
	})
}

// won is an amount of the API, which counts in hundredths.
func won(amount string) string { return cmp.Or(strings.TrimSuffix(amount, "00"), "0") }

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("say where sandbox.json is")
	}
	if err := run(os.Args[1]); err != nil {
		log.Fatal(err)
	}
}

func run(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var box struct {
		Merchant gateway
		Control  struct{ Base string }
	}
	if err := json.Unmarshal(text, &box); err != nil {
		return err
	}

	// Our own little server.
	s := &shop{gateway: box.Merchant, booked: map[string]bool{}, news: make(chan map[string]string, 8)}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: s, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = server.Serve(listener) }()
	defer func() { _ = server.Shutdown(context.Background()) }() // after its last answer
	own := "http://" + listener.Addr().String()
	number := "GO-" + strconv.FormatInt(time.Now().UnixNano(), 10)

	// 1. A deposit order of 30,000 won.
	a, err := s.post("v1/payments", map[string]string{
		"service_id": "SVC0026", "payment_cl_id": number, "name": "김하늘", "amount": "3000000", "notify_url": own + "/deposits",
	})
	if err != nil || a.Code != "0000" {
		return fmt.Errorf("the order: %s %s %w", a.Code, a.Text, err)
	}
	var order struct {
		Link string `json:"link"`
		Info struct {
			PaymentID string `json:"payment_id"`
			Display   int64  `json:"display_amount"`
			Receiver  struct {
				Number string `json:"card_number"`
			} `json:"receiver"`
		} `json:"payment_info"`
	}
	if err := json.Unmarshal(a.Data, &order); err != nil {
		return err
	}
	to, due := order.Info.Receiver.Number, order.Info.Display/100
	fmt.Printf("order %s: transfer %d won to %s, %s\n", order.Info.PaymentID, due, to, order.Link)

	// 2. The payer transfers it. In the sandbox the control port plays the bank.
	transfer := fmt.Sprintf(`{"account":%q,"amount":%d,"name":"김하늘"}`, to, due)
	resp, err := client.Post(box.Control.Base+"/bank/credits", "application/json", strings.NewReader(transfer))
	if err != nil {
		return err
	}
	if err := resp.Body.Close(); err != nil || resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the transfer: HTTP %d", resp.StatusCode)
	}

	// 3. The notification is verified, confirmed by a query, booked and acknowledged in ServeHTTP.
	told := <-s.news
	fmt.Printf("told: deposit %s status %s, %s won came, fee %s won\n",
		told["payment_cl_id"], told["status"], won(told["real_amount"]), won(told["fee"]))

	// 4. The balance.
	balance, err := s.query("v2/platforms/balance")
	if err != nil {
		return err
	}
	fmt.Printf("balance: %s won\n", won(balance["total_balance"]))

	// 5. A payout of 50,000 won.
	id, err := s.payOut(map[string]string{
		"service_id": "SVC0004", "payout_cl_id": number, "amount": "5000000", "currency": "krw", "bank_name": "NHBANK_KR", "name": "이도윤",
		"number": "3021234567891", "notify_url": own + "/payouts",
	})
	if err != nil {
		return err
	}
	fmt.Printf("payout %s is taken on\n", id)
	told = <-s.news
	fmt.Printf("told: payout %s status %s, fee %s won\n", told["payout_cl_id"], told["status"], won(told["fee"]))
	return nil
}
