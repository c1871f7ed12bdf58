package e2e

import (
	"context"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"naru/engine"
	"naru/platform"
	seller "naru/sandbox/shop"
	"naru/store"
)

// met are the codes of merchant-gateway §15 that calls can lead to. 0013 has no way there: what refuses an order has a code of its own.
var met = []string{
	"0000", "0001", "0002", "0003", "0004", "0005", "0006", "0008", "0009", "0010", "0011", "0012", "0014", "0015", "0017", "0018", "0019",
	"0020", "0021", "0022", "0023", "0026", "0027", "0028", "0029", "0050",
}

// TestErrorMatrixOfMerchants is merchant-gateway §15 on the wire: each code by HTTP, of both versions and with both signatures where a
// request is signed.
func TestErrorMatrixOfMerchants(t *testing.T) {
	t.Parallel()
	m := openMarket(t, "sandbox")
	m.earns(plainShop, 100_000)
	m.earns(strictShop, 50_000)
	seen := map[string]bool{}
	want := func(name, code string, got heardBack) {
		t.Helper()
		if seen[got.Code] = true; got.Code != code {
			t.Errorf("%s: got %s %q, want %s", name, got.Code, got.Text, code)
		}
	}
	type change = map[string]string
	old := fmt.Sprint(time.Now().Add(-time.Hour).Unix())
	for _, signType := range []string{"", seller.MD5, seller.HMAC} {
		for _, call := range []string{"createDeposit", "createDepositV2"} {
			for _, row := range []struct {
				name, code string
				change     change
			}{
				{"an order", "0000", change{"user_id": "member77", "last_number": payerAccount, "bank_name": "KBSTAR_KR"}},
				{"no amount", "0002", change{"amount": ""}},
				{"half a won", "0002", change{"amount": "3000050"}},
				{"an address that is none", "0002", change{"notify_url": "ftp://127.0.0.1/cb"}},
				{"an hour ago", "0002", change{"request_time": old}},
				{"no time", "0002", change{"request_time": "now"}},
				{"switched off", "0003", change{"service_id": "SVC9003"}},
				{"another signature", "0004", change{"sign": strings.Repeat("0", 32)}},
				{"nobody we know", "0004", change{"platform_id": "PF0999"}},
				{"another's key", "0004", change{"platform_id": strictShop}},
				{"no account", "0008", change{"last_number": "1234-x"}},
				{"a payout's service", "0009", change{"service_id": "SVC0004"}},
				{"no such service", "0009", change{"service_id": "SVC0015"}},
				{"no such bank", "0012", change{"bank_name": "NOBANK_KR"}},
				{"another channel", "0015", change{"platform_channel_id": "PFC00000002"}},
				{"too little", "0028", change{"amount": "99900"}},
				{"too much", "0029", change{"amount": "1000000100"}},
			} {
				if row.code == "0004" && row.change["platform_id"] == strictShop && signType != seller.HMAC {
					continue // it takes nothing else, and says so with the same code
				}
				want(call+" "+signType+": "+row.name, row.code, m.ask(plainShop, m.deposits(call, signType, row.change)))
			}
			again := m.deposits(call, signType, nil)
			want("the first", "0000", m.ask(plainShop, again))
			want("the same number", "0014", m.ask(plainShop, again))
			again.Fields["amount"] = "4000000"
			want("the same number for more", "0014", m.ask(plainShop, again))
			want("from elsewhere", "0027", m.ask(farShop, m.deposits(call, signType, nil)))
			want("not opened", "0010", m.ask(bareShop, m.deposits(call, signType, nil)))
		}
		for _, row := range []struct {
			name, code string
			change     change
		}{
			{"a payout", "0000", nil},
			{"nobody is told", "0000", change{"notify_url": ""}},
			{"in dollars", "0002", change{"currency": "usd"}},
			{"no name", "0002", change{"name": ""}},
			{"switched off", "0003", change{"service_id": "SVC9403"}},
			{"another signature", "0004", change{"sign": strings.Repeat("0", 64)}},
			{"no account", "0008", change{"number": "12-34x"}},
			{"a deposit's service", "0009", change{"service_id": "SVC0026"}},
			{"no such service", "0009", change{"service_id": "SVC0062"}},
			{"no such bank", "0012", change{"bank_name": "NOBANK_KR"}},
			{"another channel", "0015", change{"platform_channel_id": "PFC00000002"}},
			{"more than there is", "0018", change{"amount": "100000000"}},
			{"too little", "0028", change{"amount": "99900"}},
			{"too much", "0029", change{"amount": "1000000100"}},
		} {
			want("createPayout "+signType+": "+row.name, row.code, m.ask(plainShop, m.payouts(signType, row.change)))
		}
		again := m.payouts(signType, change{"amount": "100000"})
		want("the first payout", "0000", m.ask(plainShop, again))
		want("the same payout", "0014", m.ask(plainShop, again))
		want("a payout from elsewhere", "0027", m.ask(farShop, m.payouts(signType, nil)))
		want("payouts not opened", "0010", m.ask(bareShop, m.payouts(signType, nil)))
	}

	pool := change{"service_id": "SVC9011"}
	want("the only place", "0000", m.ask(plainShop, m.deposits("createDeposit", "", pool)))
	want("no place is left", "0011", m.ask(plainShop, m.deposits("createDepositV2", seller.HMAC, pool)))
	channel := change{"platform_channel_id": "PFC00000001"}
	want("MD5 is over", "0004", m.ask(strictShop, m.deposits("createDeposit", seller.MD5, channel)))
	want("its payer's account", "0026", m.ask(strictShop, m.deposits("createDeposit", seller.HMAC, channel)))
	want("its channel", "0019", m.ask(strictShop, m.deposits("createDeposit", seller.HMAC, change{"last_number": payerAccount})))
	want("its channel, for a payout", "0019", m.ask(strictShop, m.payouts(seller.HMAC, nil)))
	m.fails(strictShop, seller.Check, "refuse", 1)
	want("not its own", "0017", m.ask(strictShop, m.payouts(seller.HMAC, channel)))

	for _, call := range []string{"listDeposits", "listPayouts", "listPayoutsV1", "getBalance", "getBalanceV2"} {
		want(call, "0000", m.ask(plainShop, seller.Order{Call: call}))
		want(call+" from elsewhere", "0027", m.ask(farShop, seller.Order{Call: call}))
	}
	for call, number := range map[string]string{"getDeposit": "payment_cl_id", "getPayout": "payout_cl_id"} {
		want(call+" of nothing", "0050", m.ask(plainShop, seller.Order{Call: call, Fields: change{number: "nothing"}}))
	}
	none := m.ask(plainShop, seller.Order{Call: "listDeposits", Fields: change{"payment_cl_id": "nothing"}})
	if string(none.Data) != "[]" || none.Total != 0 {
		t.Errorf("a list of nothing is %s of %d", none.Data, none.Total)
	}
	want("a page too long", "0002", m.ask(plainShop, seller.Order{Call: "listPayouts", Fields: change{"limit": "501"}}))

	const payments, payouts, typed = "/gateway/api/v1/payments", "/gateway/api/v2/payouts", "application/json;charset=utf-8"
	token := m.secrets(plainShop)["token"]
	want("no token", "0005", m.raw("GET", payments, ""))
	want("another token", "0006", m.raw("GET", payments, "", "Authorization", token+"x"))
	want("a prefix", "0006", m.raw("GET", payouts, "", "Authorization", "Bearer "+token))
	want("version 3", "0020", m.raw("POST", "/gateway/api/v3/payments", "{}", "Content-Type", typed))
	want("a payout of version 1", "0020", m.raw("POST", "/gateway/api/v1/payouts", "{}", "Content-Type", typed))
	want("no JSON", "0021", m.raw("POST", payments, "platform_id=PF0901", "Content-Type", typed))
	want("a name twice", "0021", m.raw("POST", payouts, `{"amount":1,"amount":1}`, "Content-Type", typed))
	want("cut off", "0021", m.raw("POST", payments, `{"amount":1`, "Content-Type", typed))
	want("a form", "0022", m.raw("POST", payments, "{}", "Content-Type", "application/x-www-form-urlencoded"))
	want("PUT", "0023", m.raw("PUT", payments, "{}", "Content-Type", typed))
	want("DELETE", "0023", m.raw("DELETE", payouts, ""))
	want("nothing in it", "0002", m.raw("POST", payments, "{}", "Content-Type", typed))
	want("more than it may be", "0002", m.raw("POST", payments, `{"x":"`+strings.Repeat("x", 1<<20)+`"}`, "Content-Type", typed))
	m.ask(quietShop, seller.Order{Call: "getBalance"})
	want("too often", "0001", m.ask(quietShop, seller.Order{Call: "getBalance"}))

	for _, code := range met {
		if !seen[code] {
			t.Errorf("nobody meets %s", code)
		}
	}
	if len(seen) != len(met) {
		t.Errorf("%v were met", seen)
	}
}

// TestOneOfFifty: of many that ask for one number at once, one gets it (§16), and nothing is frozen for the others.
func TestOneOfFifty(t *testing.T) {
	t.Parallel()
	m := openMarket(t, "sandbox")
	m.earns(plainShop, 100_000)
	for _, o := range []seller.Order{
		m.deposits("createDeposit", "", nil), m.deposits("createDepositV2", seller.HMAC, nil), m.payouts(seller.HMAC, nil),
	} {
		const copies = 50
		var codes [copies]string
		var all sync.WaitGroup
		for i := range copies {
			all.Go(func() { codes[i] = m.ask(plainShop, o).Code })
		}
		all.Wait()
		slices.Sort(codes[:])
		if codes[0] != "0000" || codes[1] != "0014" || codes[copies-1] != "0014" {
			t.Errorf("%s: the codes are %v", o.Call, codes)
		}
	}
	for call, total := range map[string]int{"listDeposits": 3, "listPayouts": 1} {
		if h := m.ask(plainShop, seller.Order{Call: call}); h.Total != total {
			t.Errorf("%s: %d, not %d", call, h.Total, total)
		}
	}
	if free, _ := m.owns(plainShop); free != 88_700 { // less one payout and its fee
		t.Errorf("%d are free", free)
	}
}

// TestReplayedBody: who repeats a body to the byte gets nothing for it (§16).
func TestReplayedBody(t *testing.T) {
	t.Parallel()
	m := openMarket(t, "sandbox")
	var body []byte
	tap := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ = io.ReadAll(r.Body) // what is not read whole cannot be replayed below
		w.WriteHeader(http.StatusBadGateway)
	}))
	defer tap.Close()
	own := m.secrets(plainShop)
	s, err := seller.New(seller.Config{
		API: tap.URL, PlatformID: plainShop, Key: own["key"], Authorization: own["token"], Own: m.stall(plainShop), Now: time.Now,
		Business: time.Now,
	})
	m.check(err)
	defer func() { m.check(s.Close()) }()
	send := func(call, signType string) []byte {
		_, err := s.Send(context.Background(), m.deposits(call, signType, nil))
		m.check(err)
		return body
	}
	for call, path := range map[string]string{"createDeposit": "v1/payments", "createDepositV2": "v2/payments"} {
		for _, signType := range []string{"", seller.HMAC} {
			text := string(send(call, signType))
			for _, step := range []struct{ text, code string }{
				{text, "0000"},
				{text, "0014"},
				{strings.Replace(text, "3000000", "4000000", 1), "0004"},
				{text, "0014"},
				{strings.Replace(text, "order-", "other-", 1), "0004"},
			} {
				if h := m.raw("POST", "/gateway/api/"+path, step.text, "Content-Type", "application/json"); h.Code != step.code {
					t.Errorf("%s %s: got %s, want %s", call, signType, h.Code, step.code)
				}
			}
		}
	}
	if h := m.ask(plainShop, seller.Order{Call: "listDeposits"}); h.Total != 4 {
		t.Errorf("there are %d orders, not 4", h.Total)
	}
}

// TestBadEndpoints: what a merchant's endpoint does to a notification changes nothing but when it is told again (§7).
func TestBadEndpoints(t *testing.T) {
	t.Parallel()
	m := openMarket(t, "sandbox")
	for i, action := range []string{"hang", "500", "400", "redirect", "large", "drop", "refuse", "empty", "0000", "success"} {
		m.fails(plainShop, seller.Deposit, action, 1)
		o := m.deposits("createDeposit", "", map[string]string{"amount": fmt.Sprint(2_000_000 + 100_000*i)})
		m.ask(plainShop, o)
		m.transfers(20_000 + 1_000*int64(i))
		id := o.Fields["payment_cl_id"]
		m.until(action, func() bool { return len(m.news(plainShop, id)) == 1 })
		if first := m.news(plainShop, id)[0]; first.Acked || first.Fault != action {
			t.Errorf("%s: the first was %+v", action, first)
		}
		if action == "hang" {
			continue // the gateway gives it time: the second delivery is for the end of the test
		}
		m.until(action+" is told again", func() bool {
			m.clock.Advance(15 * time.Second)
			return len(m.news(plainShop, id)) == 2
		})
		if second := m.news(plainShop, id)[1]; !second.Acked || second.Status != seller.DepositPaid {
			t.Errorf("%s: the second was %+v", action, second)
		}
	}
	m.until("what hung is given up, and told again", func() bool {
		m.clock.Advance(15 * time.Second)
		return len(m.shops[plainShop].Bookings()) == 10
	})
}

// TestTenTries: who never acknowledges is told ten times within an hour, then no more; and again when he asks for it on his page (§7).
func TestTenTries(t *testing.T) {
	t.Parallel()
	m := openMarket(t, "sandbox")
	m.fails(plainShop, seller.Deposit, "refuse", 0)
	o := m.deposits("createDeposit", seller.HMAC, nil)
	m.ask(plainShop, o)
	m.transfers(30_000)
	id := o.Fields["payment_cl_id"]
	tries := func() int { return len(m.news(plainShop, id)) }
	m.until("the tenth try", func() bool {
		due, waits, err := m.platform.Store.Notices(store.Merchants, 1, 0).NextNotice(context.Background())
		if m.check(err); waits {
			m.clock.Advance(due.Sub(m.clock.Now())) // which does not go back while a try is under way
		}
		return tries() == 10
	})
	all := m.news(plainShop, id)
	if took := all[9].At.Sub(all[0].At); took > time.Hour || took < 50*time.Minute {
		t.Errorf("ten tries took %s", took)
	}
	m.until("it is given up", func() bool {
		m.clock.Advance(time.Hour)
		owed, err := m.platform.Store.Backlog(context.Background())
		m.check(err)
		return owed.Unheard == 1 && owed.Notices == 0
	})
	if tries() != 10 {
		t.Errorf("it was told %d times", tries())
	}
	if free, _ := m.owns(plainShop); free != 29_760 { // it is the merchant's all the same
		t.Errorf("the balance is %d", free)
	}
	m.listens(plainShop)
	page := m.desk(plainShop)
	page.submit("notices", "/desk/notices/resend-all", nil)
	m.until("it is told once more", func() bool { return tries() == 11 })
	if last := m.news(plainShop, id)[10]; !last.Acked {
		t.Errorf("the last was %+v", last)
	}
}

// browser is a merchant at its page.
type browser struct {
	m    *market
	http *http.Client
}

// desk signs a merchant in.
func (m *market) desk(id string) *browser {
	m.t.Helper()
	b := &browser{m, &http.Client{Jar: must(cookiejar.New(nil))}}
	b.submit("login", "/desk/login", url.Values{"platform_id": {id}, "platform_key": {m.secrets(id)["key"]}})
	return b
}

var (
	formAt = `(?s)<form method="post" action="%s".*?</form>`
	hidden = regexp.MustCompile(`<input type="hidden" name="([a-z]+)" value="([^"]*)">`)
)

// submit fills in the form of a page that leads to an address, and sends it.
func (b *browser) submit(page, action string, with url.Values) {
	b.m.t.Helper()
	shown := b.fetch(b.http.Get(b.m.url("/desk/" + page)))
	form := regexp.MustCompile(fmt.Sprintf(formAt, action)).FindString(shown)
	if form == "" {
		b.m.t.Fatalf("the page %s has no form to %s", page, action)
	}
	said := url.Values{}
	for _, f := range hidden.FindAllStringSubmatch(form, -1) {
		said.Set(f[1], html.UnescapeString(f[2]))
	}
	for name, values := range with {
		said[name] = values
	}
	b.fetch(b.http.PostForm(b.m.url(action), said))
}

func (b *browser) fetch(resp *http.Response, err error) string {
	b.m.t.Helper()
	b.m.check(err)
	defer func() { b.m.check(resp.Body.Close()) }()
	text, err := io.ReadAll(resp.Body)
	b.m.check(err)
	if resp.StatusCode != http.StatusOK {
		b.m.t.Fatalf("%s: %d", resp.Request.URL.Path, resp.StatusCode)
	}
	return string(text)
}

// TestPrecheck: a payout goes only where its merchant says that it is its own; whatever else is said, nothing is frozen, and the number is
// not used up (§11, §16).
func TestPrecheck(t *testing.T) {
	t.Parallel()
	m := openMarket(t, "sandbox")
	m.earns(strictShop, 100_000)
	own := map[string]string{"platform_channel_id": "PFC00000001"}
	o := m.payouts(seller.HMAC, own)
	for _, action := range []string{"refuse", "500", "400", "redirect", "large", "drop", "lost", "empty", "0000", "success"} {
		m.fails(strictShop, seller.Check, action, 1)
		if h := m.ask(strictShop, o); h.Code != "0017" {
			t.Errorf("%s: %s", action, h.Code)
		}
	}
	if free, frozen := m.owns(strictShop); free != 99_200 || frozen != 0 {
		t.Errorf("%d are free and %d frozen", free, frozen)
	}
	if h := m.ask(strictShop, o); h.Code != "0000" {
		t.Fatalf("the same number, confirmed: %s", h.Code)
	}
	m.until("it is paid, and told", func() bool {
		m.clock.Advance(time.Second)
		return len(m.shops[strictShop].Bookings()) == 2
	})
	checks := 0
	for _, h := range m.shops[strictShop].Heard() {
		if h.Kind != seller.Check {
			continue
		}
		if checks++; !h.SignOK || h.ClientID != o.Fields["payout_cl_id"] || h.Amount != 1_000_000 {
			t.Errorf("it was asked %+v", h)
		}
	}
	if free, frozen := m.owns(strictShop); checks != 11 || free != 88_700 || frozen != 0 {
		t.Errorf("asked %d times; %d are free and %d frozen", checks, free, frozen)
	}
	if n := len(m.bank.Payments()); n != 1 {
		t.Errorf("the bank was asked for %d payments", n)
	}
}

// TestTwoKeys: while a key is replaced both sign requests, and the new one signs what we say; then the old one is worth nothing (§1).
func TestTwoKeys(t *testing.T) {
	t.Parallel()
	m := openMarket(t, "sandbox")
	ctx, own := context.Background(), m.secrets(plainShop)
	m.desk(plainShop).submit("keys", "/desk/keys/new", nil)
	keys, err := m.platform.Engine.MerchantSecrets(ctx, plainShop, engine.SigningKey)
	m.check(err)
	if len(keys) != 2 || keys[1].Reveal() != own["key"] {
		t.Fatalf("%d keys are valid", len(keys))
	}
	old := m.shops[plainShop]
	renewed, err := seller.New(seller.Config{
		API: m.url(""), PlatformID: plainShop, Key: keys[0].Reveal(), Authorization: own["token"], Webhook: own["hook"], Own: m.stall(plainShop),
		Now: time.Now, Business: m.clock.Now,
	})
	m.check(err)
	defer func() { m.check(renewed.Close()) }()
	code := func(s *seller.Shop, o seller.Order) string {
		a, err := s.Send(ctx, o)
		m.check(err)
		return m.read(a.Status, a.Body).Code
	}
	for _, signType := range []string{"", seller.HMAC} {
		for name, s := range map[string]*seller.Shop{"old": old, "new": renewed} {
			if got := code(s, m.deposits("createDeposit", signType, map[string]string{"amount": "3100000"})); got != "0000" {
				t.Errorf("the %s key: %s", name, got)
			}
		}
	}
	list, err := renewed.Send(ctx, seller.Order{Call: "listDeposits"})
	m.check(err)
	if stale, err := old.Send(ctx, seller.Order{Call: "listDeposits"}); err != nil || stale.SignOK || !list.SignOK {
		t.Errorf("lists are signed with the old key: %t, with the new: %t: %v", stale.SignOK, list.SignOK, err)
	}

	m.shops[plainShop] = renewed // what was ordered with the old key is told with the new one
	o := m.deposits("createDeposit", "", nil)
	if got := code(old, o); got != "0000" {
		t.Fatal(got)
	}
	m.transfers(30_000)
	m.until("it is told", func() bool { return len(m.news(plainShop, o.Fields["payment_cl_id"])) == 1 })
	if h := m.news(plainShop, o.Fields["payment_cl_id"])[0]; !h.SignOK || !h.Acked {
		t.Errorf("it was told %+v", h)
	}

	all, err := m.platform.Engine.MerchantKeys(ctx, plainShop)
	m.check(err)
	all = slices.DeleteFunc(all, func(k engine.MerchantKey) bool { return k.Purpose != engine.SigningKey })
	m.check(m.platform.Engine.EndMerchantKey(ctx, plainShop, all[1].ID, m.clock.Now()))
	for _, signType := range []string{"", seller.HMAC} {
		m.until("the old key counts no more", func() bool { return code(old, m.deposits("createDepositV2", signType, nil)) == "0004" })
		if got := code(renewed, m.deposits("createDepositV2", signType, nil)); got != "0000" {
			t.Errorf("the new key: %s", got)
		}
	}
}

// TestOneMerchantsRate: a merchant that calls too often takes nothing from another one (§16).
func TestOneMerchantsRate(t *testing.T) {
	t.Parallel()
	m := openMarket(t, "sandbox")
	var all sync.WaitGroup
	refused := [100]string{}
	for i := range refused {
		all.Go(func() { refused[i] = m.ask(quietShop, seller.Order{Call: "getBalance"}).Code })
	}
	for range 50 {
		all.Go(func() {
			if h := m.ask(plainShop, m.deposits("createDeposit", "", nil)); h.Code != "0000" {
				t.Errorf("the other merchant hears %s", h.Code)
			}
		})
	}
	all.Wait()
	if !slices.Contains(refused[:], "0001") {
		t.Error("nothing was refused")
	}
	for _, code := range refused {
		if code != "0001" && code != "0000" {
			t.Errorf("who calls too often hears %s", code)
		}
	}
}

// TestPrivateTargets: in production nobody is told, or asked, at an address of a private network (§16).
func TestPrivateTargets(t *testing.T) {
	t.Parallel()
	m := openMarket(t, "production")
	for _, address := range []string{
		"http://127.0.0.1:9701/cb", "http://localhost/cb", "http://10.0.0.1/cb", "http://192.168.1.1/cb", "http://169.254.169.254/latest",
		"http://[::1]/cb", "http://2130706433/cb", "http://0.0.0.0/cb",
	} {
		for _, o := range []seller.Order{
			m.deposits("createDeposit", "", map[string]string{"notify_url": address}),
			m.deposits("createDepositV2", seller.HMAC, map[string]string{"notify_url": address}),
			m.payouts(seller.HMAC, map[string]string{"notify_url": address}),
		} {
			if h := m.ask(plainShop, o); h.Code != "0002" {
				t.Errorf("%s %s: %s", o.Call, address, h.Code)
			}
		}
	}
	if h := m.ask(plainShop, m.deposits("createDeposit", "", map[string]string{"notify_url": "https://example.com/cb"})); h.Code != "0000" {
		t.Errorf("a public address: %s", h.Code)
	}

	text := m.settings("production") + fmt.Sprintf(merchantSettings, plainShop, `precheck_url = "http://127.0.0.1:9701/check"`)
	text = strings.Replace(text, `"naru.db"`, `"other.db"`, 1)
	m.write("other.toml", text)
	config, err := platform.Load(m.file("other.toml"))
	if err == nil {
		_, err = platform.Start(context.Background(), config, platform.World{Clock: m.clock, Log: platform.Logger(m.log, platform.Log{})})
	}
	if err == nil || !strings.Contains(err.Error(), "precheck_url must be public") {
		t.Errorf("a private precheck_url: %v", err)
	}
}
