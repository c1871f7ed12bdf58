package merchant

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"naru/core/card"
	"naru/core/deposit"
	"naru/core/money"
	"naru/core/payout"
	"naru/engine"
)

const payPage = "https://pay.example.test/gateway/portal/v1/payments/ZK3VQ0AXW1"

// The sheet's order, answered in every way (§5).
func TestDepositAnswers(t *testing.T) {
	link := `{"link":"` + payPage + `"}`
	info := `{"link":"` + payPage + `","payment_info":{"amount":3000000,"display_amount":2990000,"payment_id":"PM00000451",
		"payment_cl_id":"KRW-20260101-0001","receiver":{"card_name":"주식회사 받음","card_number":"100200300400","bank_name":"농협은행","bank_branch":""},
		"sender":{"card_name":"김하늘","card_number":"******333444","bank_name":"국민은행"},"token":"no note needed"}}`
	told := Profile{PaymentInfo: true}
	t.Run("link only", func(t *testing.T) {
		w := newWorld(t, Profile{})
		same(t, w.create(payments1, depositFields()).data, link)
		want := engine.DepositAsk{
			Merchant: us, Service: "SVC0026", ClientID: "KRW-20260101-0001", User: "member77", Generation: 1, Amount: money.New(30_000, won),
			Payer:     deposit.Payer{Name: card.Conceal("김하늘"), Bank: "004", Account: card.Conceal("110222333444")},
			NotifyURL: "http://127.0.0.1:9701/cb/deposit", SignType: "MD5",
		}
		if got := w.engine.deposits[0]; !reflect.DeepEqual(got, want) {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
	})
	t.Run("details", func(t *testing.T) { same(t, newWorld(t, told).create(payments1, depositFields()).data, info) })
	t.Run("a payer who must register sees no account", func(t *testing.T) {
		w := newWorld(t, told)
		w.engine.waits = true
		same(t, w.create(payments1, depositFields()).data,
			`{"link":"`+payPage+`","register_link":"https://pay.example.test/gateway/register/v1/payments/ZK3VQ0AXW1"}`)
	})
	t.Run("nobody said who pays", func(t *testing.T) {
		a := newWorld(t, told).create(payments1, depositFields().without("name").without("last_number").without("bank_name"))
		same(t, a.data, strings.NewReplacer("김하늘", "", "******333444", "", "국민은행", "").Replace(info))
	})
	t.Run("an order stands although its payer cannot be read", func(t *testing.T) {
		w := newWorld(t, told)
		w.engine.payerErr = io.ErrUnexpectedEOF
		a := w.create(payments1, depositFields())
		a.want(t, Success)
		if !strings.Contains(w.log.String(), "level=ERROR") {
			t.Error("nobody is told")
		}
	})
	flat := `{"link":"` + payPage + `","payment_id":"PM00000451","payment_cl_id":"KRW-20260101-0001","amount":3000000}`
	t.Run("v2", func(t *testing.T) {
		w := newWorld(t, Profile{})
		same(t, w.send("POST", payments2, depositFields().signed(HMAC, testKey)).data, flat)
		if got := w.engine.deposits[0]; got.Generation != 2 || got.SignType != "HMAC-SHA256" {
			t.Errorf("%+v", got)
		}
	})
	t.Run("v2 tells no account where another amount must be transferred", func(t *testing.T) {
		same(t, newWorld(t, told).create(payments2, depositFields()).data, flat)
	})
	t.Run("v2 with details", func(t *testing.T) {
		same(t, newWorld(t, told).create(payments2, depositFields().with("amount", 2990000)).data,
			`{"link":"`+payPage+`","payment_id":"PM00000451","payment_cl_id":"KRW-20260101-0001","amount":2990000,"card_name":"주식회사 받음",
			"card_number":"100200300400","bank_name":"농협은행","bank_code":"NHBANK_KR"}`)
	})
}

func TestPayoutAnswer(t *testing.T) {
	w := newWorld(t, Profile{})
	same(t, w.create(payouts2, payoutFields().with("number", "302-1234567891")).data, `{"payout_id":"POT00000088"}`)
	want := engine.PayoutAsk{
		Merchant: us, Service: "SVC0004", ClientID: "WD-20260101-0001", Amount: money.New(50_000, won),
		Target:    payout.Target{Bank: "011", Number: card.Conceal("3021234567891"), Name: card.Conceal("이도윤")},
		NotifyURL: "http://127.0.0.1:9701/cb/payout", SignType: "MD5",
	}
	if got := w.engine.transfers[0]; !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// V10 and §6.1: the list, and what a merchant may have in it.
func TestDepositList(t *testing.T) {
	item := `{"amount":3000000,"real_amount":0,"fee":0,"payment_id":"PM00000451","payment_cl_id":"KRW-20260101-0001","platform_id":"PF0901",
		"platform_channel_id":"PFC00000001","status":0,"create_time":1767225601,"update_time":1767225601,
		"sign":"6dab56c30061f451d83f2500ce4f36d0"}`
	w := newWorld(t, Profile{})
	a := w.query(payments1)
	a.want(t, Success)
	if same(t, a.data, `[]`); a.total == nil || *a.total != 0 {
		t.Error("an empty list has a total of 0")
	}
	w.engine.orders[theOrder.ClientID] = theOrder
	if a = w.query(payments1); *a.total != 1 {
		t.Errorf("total %d", *a.total)
	}
	same(t, a.data, "["+item+"]")
	w = newWorld(t, Profile{PayerName: true, Algorithms: []Algorithm{HMAC}})
	w.engine.orders[theOrder.ClientID], w.engine.payers[theOrder.ID] = theOrder, deposit.Payer{Name: card.Conceal("김하늘")}
	var items []DepositItem
	if err := json.Unmarshal(w.query(payments1).data, &items); err != nil {
		t.Fatal(err)
	}
	got := items[0]
	got.Sign = ""
	if want, _ := sign(got, HMAC, card.Conceal(testKey)); items[0].Sign != want || got.PaymentClName != "김하늘" {
		t.Errorf("%+v", items[0])
	}
}

func TestPages(t *testing.T) {
	at := func(s int64) time.Time { return time.Unix(s, 0) }
	for query, want := range map[string]engine.Page{
		"": {Limit: 25},
		"?offset=50&limit=500&payment_id=PM1&payment_cl_id=K1":              {Offset: 50, Limit: 500, Number: "PM1", ClientID: "K1"},
		"?create_time__gte=1767225600&create_time__lte=1767225700":          {Limit: 25, From: at(1767225600), Until: at(1767225701)},
		"?carete_time__lte=1767225700&limit=&offset=&unknown=1&payment_id=": {Limit: 25, Until: at(1767225701)},
	} {
		w := newWorld(t, Profile{})
		w.query(payments1+query).want(t, Success)
		if want.Merchant = us; !reflect.DeepEqual(w.engine.pages[0], want) {
			t.Errorf("%s: %+v", query, w.engine.pages[0])
		}
	}
	w := newWorld(t, Profile{})
	w.query(payouts1+"?payout_id=POT1&payout_cl_id=W1&payment_id=PM1").want(t, Success)
	if want := (engine.Page{Merchant: us, Number: "POT1", ClientID: "W1", Limit: 25}); !reflect.DeepEqual(w.engine.pages[0], want) {
		t.Errorf("%+v", w.engine.pages[0])
	}
}

// Both paths list payouts alike (§9).
func TestPayoutList(t *testing.T) {
	plain := `"amount":5000000,"fee":100000,"payout_id":"POT00000088","payout_cl_id":"WD-20260101-0001","platform_id":"PF0901",
		"platform_channel_id":"PFC00000001","status":3,"create_time":1767225601,"update_time":1767226001`
	for _, c := range []struct {
		profile Profile
		want    string
	}{
		{Profile{}, plain},
		{Profile{RealAmount: true}, plain + `,"real_amount":5000000`},
		{Profile{Channel: "PFC00000009"}, strings.Replace(plain, "00000001", "00000009", 1)},
	} {
		w := newWorld(t, c.profile)
		m := paidPayout()
		w.engine.payouts[m.RequestID] = m
		signature, err := sign(json.RawMessage("{"+c.want+"}"), MD5, card.Conceal(testKey))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{payouts1, payouts2} {
			same(t, w.query(path).data, "[{"+c.want+`,"sign":"`+signature+`"}]`)
		}
	}
}

func TestSingleOrders(t *testing.T) {
	w := newWorld(t, Profile{})
	w.engine.orders["waiting"], w.engine.orders["paid"] = theOrder, paidOrder()
	w.engine.payers[theOrder.ID] = deposit.Payer{Name: card.Conceal("김하늘")}
	order := `{"payment_id":"PM00000451","payment_cl_id":"KRW-20260101-0001","amount":3000000,"real_amount":0,"fee":0,"status":0,
		"payment_cl_name":"김하늘","create_time":1767225601}`
	same(t, w.query(payments2+"/waiting").data, order)
	same(t, w.query(payments2+"/paid").data, strings.NewReplacer(`"real_amount":0,"fee":0,"status":0`,
		`"real_amount":2990000,"fee":23900,"status":2,"success_time":1767225733`).Replace(order))
	refused := thePayout
	refused.State, refused.Reason, refused.DoneAt = payout.Refused, payout.NoAccount, time.Unix(1767226001, 0)
	w.engine.payouts["asked"], w.engine.payouts["paid"], w.engine.payouts["refused"] = thePayout, paidPayout(), refused
	asked := `{"payout_id":"POT00000088","payout_cl_id":"WD-20260101-0001","amount":5000000,"fee":0,"status":1,"create_time":1767225601}`
	same(t, w.query(payouts2+"/asked").data, asked)
	same(t, w.query(payouts2+"/paid").data, strings.Replace(asked, `"fee":0,"status":1`,
		`"fee":100000,"status":3,"success_time":1767226001`, 1))
	same(t, w.query(payouts2+"/refused").data, strings.Replace(asked, `"status":1`, `"status":5,"error_msg":"There is no such account"`, 1))
	theirs := theOrder
	theirs.Merchant = "PF0902"
	w.engine.orders["theirs"] = theirs
	w.query(payments2+"/theirs").want(t, NotFound)
}

// V8, V9 and §19: the frozen part is in neither signature.
func TestBalances(t *testing.T) {
	w := newWorld(t, Profile{})
	w.engine.balances.Frozen = money.New(7, won)
	want := `{"platform_id":"PF0901","platform_channels":[{"platform_channel_id":"PFC00000001","channel_name":"KRW main","balance":5000000,
		"frozen_balance":700,"sign":"ee82fdd1a3d9cb06525e6615fd595290"}],"total":1,"total_balance":5000000,"total_frozen_balance":700,
		"request_time":1767225600,"sign":"97b7ade8a720b463e0268b9535e22724"}`
	same(t, w.query(balance1).data, want)
	same(t, w.query(balance2).data, `{"platform_id":"PF0901","total_balance":5000000,"total_frozen_balance":700}`)
	w = newWorld(t, Profile{NoFrozen: true})
	same(t, w.query(balance1).data, strings.NewReplacer(`"frozen_balance":700,`, "", `"total_frozen_balance":700,`, "").Replace(want))
	same(t, w.query(balance2).data, `{"platform_id":"PF0901","total_balance":5000000}`)
	w.engine.balances.Free = money.New(-3, won) // the bank took a paid credit back
	same(t, w.query(balance2).data, `{"platform_id":"PF0901","total_balance":-300}`)
}

// Every state has a number, and what is owed is told for those of §14 alone.
func TestStatuses(t *testing.T) {
	for state := range deposit.Rules {
		if _, ok := statuses[state]; !ok {
			t.Errorf("a deposit that is %s has no status", state)
		}
	}
	for state := range payout.Rules {
		if _, ok := payoutStatuses[state]; !ok {
			t.Errorf("a payout that is %s has no status", state)
		}
	}
	for state, want := range map[payout.State][3]int64{ // status, fee, real amount
		payout.Reviewed: {6, 0, 0}, payout.Asked: {1, 0, 0}, payout.Unclear: {2, 0, 0}, payout.Paid: {3, 100_000, 5_000_000},
		payout.Returned: {3, 100_000, 5_000_000}, payout.Cancelled: {4, 0, 0}, payout.Refused: {5, 0, 0},
	} {
		m := thePayout
		m.State = state
		i := payoutItem(m, Profile{RealAmount: true})
		if got := [3]int64{i.Status, i.Fee, *i.RealAmount}; got != want {
			t.Errorf("%s: %v", state, got)
		}
	}
	for _, r := range []payout.Reason{
		payout.BelowLimit, payout.AboveLimit, payout.Closed, payout.OnHold, payout.ClosedFraud, payout.ClosedStolen, payout.NoAccount,
		payout.OtherName, payout.NoBank, payout.NotPermitted, payout.BankLimit, payout.Compliance, payout.Declined,
	} {
		if reasons[r] == "" {
			t.Errorf("%s has no words", r)
		}
	}
}

// A payout that its merchant does not confirm in time is not taken on (§11).
func TestPrecheck(t *testing.T) {
	never := make(chan bool)
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		code   Code
	}{
		"confirmed":   {says(200, `{"error_code":"0000"}`), Success},
		"refused":     {says(200, `{"error_code":"0002"}`), PayoutFailed},
		"201":         {says(201, `{"error_code":"0000"}`), PayoutFailed},
		"500":         {says(500, `{"error_code":"0000"}`), PayoutFailed},
		"empty":       {says(200, ``), PayoutFailed},
		"success":     {says(200, `success`), PayoutFailed},
		"no JSON":     {says(200, `<html>`), PayoutFailed},
		"a redirect":  {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/there", http.StatusFound) }, PayoutFailed},
		"no answer":   {func(_ http.ResponseWriter, r *http.Request) { hang(r, never) }, PayoutFailed},
		"much answer": {says(200, `{"error_code":"0000","x":"`+strings.Repeat("x", mostAnswer)+`"}`), PayoutFailed},
	} {
		t.Run(name, func(t *testing.T) {
			heard := make(chan string, 1)
			merchant := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				heard <- string(body)
				c.answer(w, r)
			}))
			defer merchant.Close()
			w := newWorld(t, Profile{PrecheckURL: merchant.URL, Acks: []Ack{AckSuccess, AckEmpty}}, func(cfg *Config) {
				if name == "no answer" {
					cfg.Precheck = time.Millisecond * 50
				}
			})
			w.create(payouts2, payoutFields()).want(t, c.code)
			same(t, []byte(<-heard), `{"platform_id":"PF0901","payout_cl_id":"WD-20260101-0001","amount":5000000,"name":"이도윤",
				"number":"3021234567891","sign":"4779f557f67f9a97d70e9c6b3ccc031a"}`)
			if took := len(w.engine.transfers); took != 1 && c.code == Success || took != 0 && c.code != Success {
				t.Errorf("%d payouts were taken on", took)
			}
			w.quiet()
		})
	}
	w := newWorld(t, Profile{PrecheckURL: "http://127.0.0.1:1/"})
	w.create(payouts2, payoutFields()).want(t, PayoutFailed)
}

// says answers with a status and a text.
func says(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// hang waits until the caller is gone.
func hang(r *http.Request, never <-chan bool) {
	select {
	case <-r.Context().Done():
	case <-never:
	}
}

func TestProfiles(t *testing.T) {
	for _, p := range []Profile{
		{Algorithms: []Algorithm{"SHA1"}},
		{Acks: []Ack{"fine"}},
		{AllowIPs: []string{"everywhere"}},
		{AllowIPs: []string{"10.0.0.0/33"}},
		{Window: -1},
		{Window: 86_401},
		{Burst: -1},
		{PrecheckURL: "merchant.example.test"},
	} {
		if p.Check() == nil {
			t.Errorf("%+v is taken", p)
		}
		if _, err := NewServer(Config{PayBase: "https://pay.example.test", Merchants: map[string]Profile{us: p}}); err == nil {
			t.Errorf("%+v makes a server", p)
		}
		if _, err := NewNotifier(NotifierConfig{Merchants: map[string]Profile{us: p}}); err == nil {
			t.Errorf("%+v makes a notifier", p)
		}
	}
	if err := (Profile{}).Check(); err != nil {
		t.Error(err)
	}
	p := newWorld(t, Profile{}).server.Profile(us)
	if p.Channel != "PFC00000001" || p.Rate != perSecond || p.Burst != 2*perSecond || p.Window != 300 || len(p.Algorithms) != 2 {
		t.Errorf("%+v", p)
	}
	for _, c := range []Config{
		{},
		{PayBase: "pay.example.test"},
		{PayBase: "ftp://pay.example.test"},
		{PayBase: "https://pay.example.test/there"},
		{PayBase: "https://pay.example.test", Proxies: []string{"x"}},
		{PayBase: "https://pay.example.test", Merchants: map[string]Profile{us: {PrecheckURL: "http://127.0.0.1/"}}},
	} {
		if _, err := NewServer(c); err == nil {
			t.Errorf("%+v makes a server", c)
		}
	}
}

// What people are paid with never prints.
func TestSecretsDoNotPrint(t *testing.T) {
	check := PayoutCheck{Name: revealed{card.Conceal("이도윤")}, Number: revealed{card.Conceal("3021234567891")}}
	text := fmt.Sprintf("%v %+v %#v %s", check, check, check, check.Number)
	if strings.Contains(text, "이도윤") || strings.Contains(text, "3021234567891") {
		t.Error("a payee prints")
	}
}
