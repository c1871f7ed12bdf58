package sim

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestAnswerToTheMember(t *testing.T) {
	b := start(t)
	got := b.send("POST", "/payouts", "key 1", strings.Replace(order("Success@sim", "R1", 125000), `"narration"`,
		`"notes":{"b":"2","a":"1"},"narration"`, 1))
	at := fmt.Sprint(noon.Unix())
	id, fa, cont := named(7, "pout_", 1), named(7, "fa_", 1), named(7, "cont_", 1)
	want := `{"id":"` + id + `","entity":"payout","fund_account_id":"` + fa + `","fund_account":{"id":"` + fa +
		`","entity":"fund_account","contact_id":"` + cont + `","contact":{"id":"` + cont +
		`","entity":"contact","name":"Asha Rao","contact":null,"email":null,"type":null,"reference_id":null,"batch_id":null,"active":true,` +
		`"notes":[],"created_at":` + at + `},"account_type":"vpa","vpa":{"username":"Success","handle":"sim","address":"Success@sim"},` +
		`"batch_id":null,"active":true,"created_at":` + at + `},"amount":125000,"currency":"INR","notes":{"a":"1","b":"2"},"fees":118,"tax":18,` +
		`"status":"processing","purpose":"payout","utr":null,"mode":"UPI","reference_id":"R1","narration":"Google payout","batch_id":null,` +
		`"status_details":{"description":"the partner bank is at it","source":"gateway","reason":"payout_bank_processing"},"created_at":` + at +
		`,"fee_type":null,"debit_account_number":"` + ours + `"}`
	if got.status != http.StatusOK || got.raw != want {
		t.Errorf("%d\n%s, want\n%s", got.status, got.raw, want)
	}
	if again := b.get(id); again.raw != want {
		t.Errorf("the enquiry says\n%s", again.raw)
	}
}

func TestValidation(t *testing.T) {
	b := start(t, func(c *Config) { c.Purposes = []string{"disbursal"} })
	long := strings.Repeat("x", 300)
	many := `{"0":"x"`
	for i := 1; i < 16; i++ {
		many += fmt.Sprintf(`,"%d":"x"`, i)
	}
	for _, c := range []struct{ old, new, field string }{
		{`"account_number":"` + ours + `",`, ``, "account_number"},
		{ours, "12", "account_number"},
		{`"amount":5000,`, ``, "amount"},
		{`5000`, `99`, "amount"},
		{`5000`, `"5000"`, "amount"},
		{`5000`, `5000.5`, "amount"},
		{`5000`, `-5000`, "amount"},
		{`5000`, `10000001`, "amount"},
		{`5000`, `10000000`, ""},
		{`"currency":"INR",`, ``, "currency"},
		{`INR`, `inr`, "currency"},
		{`"mode":"UPI",`, ``, "mode"},
		{`"mode":"UPI"`, `"mode":"upi"`, "mode"},
		{`"purpose":"payout",`, ``, "purpose"},
		{`"purpose":"payout"`, `"purpose":"gift"`, "purpose"},
		{`"purpose":"payout"`, `"purpose":"disbursal"`, ""},
		{`"account_type":"vpa",`, ``, "fund_account.account_type"},
		{`"account_type":"vpa"`, `"account_type":"card"`, "fund_account.account_type"},
		{`{"address":"success@sim"}`, `{}`, "fund_account.vpa.address"},
		{`success@sim`, `a@`, "fund_account.vpa.address"},
		{`success@sim`, `under_score@sim`, "fund_account.vpa.address"},
		{`success@sim`, `two@at@sim`, "fund_account.vpa.address"},
		{`success@sim`, `nobody`, "fund_account.vpa.address"},
		{`success@sim`, strings.Repeat("x", 97) + "@sim", "fund_account.vpa.address"},
		{`success@sim`, strings.Repeat("x", 96) + "@sim", ""},
		{`"name":"Asha Rao"`, `"type":"customer"`, "fund_account.contact.name"},
		{`Asha Rao`, `Al`, "fund_account.contact.name"},
		{`Asha Rao`, strings.Repeat("x", 51), "fund_account.contact.name"},
		{`Asha Rao`, `Asha Rao-`, "fund_account.contact.name"},
		{`Asha Rao`, `Asha Rao.`, ""},
		{`Asha Rao`, `O'Neil_(a/b) c`, ""},
		{`Asha Rao`, `Asha & Rao`, "fund_account.contact.name"},
		{`"name":"Asha Rao"`, `"name":"Asha Rao","email":"nobody"`, "fund_account.contact.email"},
		{`"name":"Asha Rao"`, `"name":"Asha Rao","contact":"phone"`, "fund_account.contact.contact"},
		{`"name":"Asha Rao"`, `"name":"Asha Rao","type":"` + long + `"`, "fund_account.contact.type"},
		{`"name":"Asha Rao"`, `"name":"Asha Rao","reference_id":"` + long[:41] + `"`, "fund_account.contact.reference_id"},
		{`"name":"Asha Rao"`, `"name":"Asha Rao","notes":{"a":"` + long + `"}`, "fund_account.contact.notes"},
		{`"name":"Asha Rao"`, `"name":"Asha Rao","email":"a@b.in","contact":"+919876543210","type":"customer","reference_id":"c","notes":[]`, ""},
		{`"R%d"`, `"` + long[:41] + `"`, "reference_id"},
		{`Google payout`, long[:31], "narration"},
		{`Google payout`, `Google-payout`, "narration"},
		{`"queue_if_low_balance":false`, `"queue_if_low_balance":"no"`, "queue_if_low_balance"},
		{`"narration"`, `"notes":{"a":1},"narration"`, "notes.a"},
		{`"narration"`, `"notes":{"a":"` + long + `"},"narration"`, "notes"},
		{`"narration"`, `"notes":` + many + `},"narration"`, "notes"},
		{`"narration"`, `"notes":[],"narration"`, ""},
		{`"narration"`, `"currancy":"INR","narration"`, "currancy"},
		{`"narration"`, `"fund_account_id":"fa_1","narration"`, "fund_account_id"},
		{`"narration"`, `"amount":1,"narration"`, "amount"},
	} {
		text := order("success@sim", "R%d", 5000)
		if !strings.Contains(text, c.old) {
			t.Fatalf("%s is not in the order", c.old)
		}
		b.clock.advance(retention) // forgets the key of those that were taken
		b.do("/actions/fund", `{"amount":20000000}`)
		before := len(shown[payout](b, "/payouts"))
		got := b.send("POST", "/payouts", "the key", strings.Replace(text, c.old, c.new, 1))
		made := len(shown[payout](b, "/payouts")) - before
		switch {
		case c.field == "" && (got.status != http.StatusOK || made != 1):
			t.Errorf("%s -> %.60s: %d %s", c.old, c.new, got.status, got.raw)
		case c.field == "":
		case got.status != http.StatusBadRequest || got.str("error.code") != badRequest || got.str("error.source") != business || made != 0 ||
			got.str("error.field") != c.field && !(c.new == `"amount":1,"narration"` && got.str("error.field") == "<nil>"):
			t.Errorf("%s -> %.60s: %d %s, want %s", c.old, c.new, got.status, got.raw, c.field)
		}
	}
	for _, text := range []string{``, `[]`, `null`, `{`, `{"amount":100}{}`, "\xff"} {
		if got := b.send("POST", "/payouts", "the key", text, func(r *http.Request) {
			r.Header.Set("Content-Type",
				"application/json")
		}); got.status != 400 {
			t.Errorf("%q: %d %s", text, got.status, got.raw)
		}
	}
	if got := b.send("POST", "/payouts", "the key", order("success@sim", "R", 5000), func(r *http.Request) {
		r.Header.Set("Content-Type", "text/plain")
	}); got.str("error.field") != "Content-Type" {
		t.Error(got.raw)
	}
}

func TestFundAccounts(t *testing.T) {
	b := start(t)
	first := b.pay("success@sim", "R1", 5000)
	again := b.pay("success@sim", "R2", 5000)
	other := b.pay("late@sim", "R3", 5000)
	if fa := first.str("fund_account_id"); fa != again.str("fund_account_id") || fa == other.str("fund_account_id") {
		t.Error("the same payee has one fund account, another one has another")
	}
	text := order("success@sim", "R4", 5000)
	from, to := strings.Index(text, `"fund_account":`), strings.Index(text, `"queue_if`)
	byID := func(id string) string { return text[:from] + `"fund_account_id":"` + id + `",` + text[to:] }
	if got := b.send("POST", "/payouts", "key 4", byID(other.str("fund_account_id"))); got.str("fund_account.vpa.address") != "late@sim" {
		t.Error(got.raw)
	}
	for id, field := range map[string]string{"fa_unknown": "fund_account_id", "": "fund_account_id"} {
		if got := b.send("POST", "/payouts", "key 5", byID(id)); got.status != 400 || got.str("error.field") != field {
			t.Error(got.raw)
		}
	}
	if got := b.send("POST", "/payouts", "key 6", text[:from]+text[to:]); got.str("error.field") != "fund_account" {
		t.Error(got.raw)
	}
}

func TestWhoMayCall(t *testing.T) {
	b := start(t)
	for _, c := range []struct{ user, secret string }{{"", ""}, {b.cfg.KeyID, ""}, {b.cfg.KeyID, "Open sesame"}, {
		"rzp_test_2",
		b.cfg.KeySecret,
	}} {
		got := b.send("POST", "/payouts", "key 1", order("success@sim", "R1", 5000), func(r *http.Request) { r.SetBasicAuth(c.user, c.secret) })
		if got.status != http.StatusUnauthorized || got.str("error.reason") != "authentication_failed" {
			t.Error(got.raw)
		}
	}
	if got := b.send("GET", "/contacts", "", ""); got.status != 400 {
		t.Error(got.raw)
	}
	far := start(t, func(c *Config) { c.Allowed = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")} })
	if got := far.send("GET", "/banking_balances", "", ""); got.status != 400 || got.str("error.reason") != "ip_not_allowed" {
		t.Error(got.raw)
	}
	near := start(t, func(c *Config) { c.Allowed = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} })
	if got := near.send("GET", "/banking_balances", "", ""); got.status != 200 {
		t.Error(got.raw)
	}
}

func TestRate(t *testing.T) {
	b := start(t, func(c *Config) { c.PerSecond = 2 })
	statuses := func(n int) (all []int) {
		for range n {
			all = append(all, b.send("GET", "/banking_balances", "", "").status)
		}
		return all
	}
	if got := fmt.Sprint(statuses(4)); got != "[200 200 429 429]" {
		t.Error(got)
	}
	b.clock.advance(time.Second)
	if got := fmt.Sprint(statuses(3)); got != "[200 200 429]" {
		t.Error(got)
	}
	b.do("/actions/limit", `{"per_second":0}`)
	if got := fmt.Sprint(statuses(3)); got != "[200 200 200]" {
		t.Error(got)
	}
}

func TestIdempotency(t *testing.T) {
	b := start(t)
	text := order("success@sim", "R1", 5000)
	for key, good := range map[string]bool{
		"": false, "abc": false, "abcd": true, strings.Repeat("a", 36): true, strings.Repeat("a", 37): false, "ab.cd": false, "ab cd_e-F1": true,
	} {
		if got := b.send("POST", "/payouts", key, text); (got.status == 200) != good || !good && got.str("error.field") != idempotencyHeader {
			t.Errorf("%q: %d %s", key, got.status, got.raw)
		}
	}
	if got := b.send("POST", "/payouts", "", text, func(r *http.Request) {
		r.Header.Set(idempotencyHeader,
			"")
	}); !strings.Contains(got.raw, "4 to 36") {
		t.Error(got.raw)
	}

	b = start(t)
	first := b.send("POST", "/payouts", "the key", text)
	b.later(b.cfg.Delay + 2*time.Second)
	shuffled := strings.Replace(text, `"mode":"UPI",`, ``, 1)
	shuffled = "{ \"mode\" :\n\"\\u0055PI\"," + shuffled[1:]
	for _, same := range []string{text, shuffled} {
		if got := b.send("POST", "/payouts", "the key", same); got.str("id") != first.str("id") || got.str("status") != "processed" {
			t.Errorf("%d %s", got.status, got.raw)
		}
	}
	if got := b.send("POST", "/payouts", "the key", order("success@sim", "R1", 5001)); got.status != 400 ||
		got.str("error.field") != idempotencyHeader {
		t.Error(got.raw)
	}
	if got := b.send("POST", "/payouts", "the key", strings.Replace(text, ours, theirs, 1)); got.str("id") == first.str("id") {
		t.Error("a key belongs to an account")
	}
	b.clock.advance(retention - time.Minute)
	if got := b.send("POST", "/payouts", "the key", text); got.str("id") != first.str("id") {
		t.Error("a key was forgotten too early")
	}
	b.clock.advance(time.Minute)
	if got := b.send("POST", "/payouts", "the key", text); got.status != 200 || got.str("id") == first.str("id") {
		t.Error("a key is forgotten after seven days")
	}
}

func TestEqualCallsAtOnceMakeOnePayout(t *testing.T) {
	b := start(t, func(c *Config) { c.Dir = t.TempDir() })
	const keys, copies = 10, 8
	ids := make([]map[string]bool, keys)
	var mu sync.Mutex
	var all sync.WaitGroup
	for k := range keys {
		ids[k] = map[string]bool{}
		for range copies {
			all.Go(func() {
				got := b.send("POST", "/payouts", fmt.Sprintf("key %d", k), order("success@sim", fmt.Sprintf("R%d", k), 5000))
				mu.Lock()
				defer mu.Unlock()
				ids[k][got.str("id")] = true
			})
		}
	}
	all.Wait()
	for k := range keys {
		if len(ids[k]) != 1 {
			t.Errorf("key %d made %v", k, ids[k])
		}
	}
	if n := len(shown[payout](b, "/payouts")); n != keys {
		t.Errorf("%d payouts", n)
	}
	if n := len(shown[line](b, "/statement?account="+ours)); n != keys+1 {
		t.Errorf("%d lines", n)
	}
	if n := len(shown[record](b, "/transactions?kind=seen&call=create")); n != keys*copies {
		t.Errorf("%d calls seen", n)
	}
}

func TestLists(t *testing.T) {
	b := start(t)
	var ids []string
	for i := range 12 {
		to := []string{"success@sim", "pending@sim"}[i%2]
		ids = append(ids, b.pay(to, fmt.Sprintf("R%d", i), 5000).str("id"))
		b.clock.advance(time.Minute)
	}
	list := func(path, query string) (found []string) {
		got := b.send("GET", path+"?account_number="+ours+query, "", "")
		items, _ := got.body["items"].([]any)
		if got.status != 200 || got.str("entity") != "collection" || got.str("count") != fmt.Sprint(len(items)) {
			t.Fatalf("%s: %d %s", query, got.status, got.raw)
		}
		for _, i := range items {
			found = append(found, fmt.Sprint(dig(i, "id")))
		}
		return found
	}
	contact := b.get(ids[0]).str("fund_account.contact_id")
	for query, want := range map[string]string{
		"": fmt.Sprint([]string{
			ids[11], ids[10], ids[9], ids[8], ids[7], ids[6], ids[5], ids[4], ids[3],
			ids[2],
		}),
		"&skip=10":                            fmt.Sprint([]string{ids[1], ids[0]}),
		"&count=2&skip=1":                     fmt.Sprint([]string{ids[10], ids[9]}),
		"&reference_id=R3":                    fmt.Sprint([]string{ids[3]}),
		"&reference_id=R":                     "[]",
		"&status=processed&skip=5":            fmt.Sprint([]string{ids[0]}),
		"&mode=IMPS":                          "[]",
		"&mode=UPI&count=1":                   fmt.Sprint([]string{ids[11]}),
		"&contact_id=" + contact + "&count=1": fmt.Sprint([]string{ids[10]}),
		"&fund_account_id=" + b.get(ids[1]).str("fund_account_id") + "&count=1": fmt.Sprint([]string{ids[11]}),
		fmt.Sprintf("&from=%d&to=%d", noon.Unix()+60, noon.Unix()+2*60):         fmt.Sprint([]string{ids[2], ids[1]}),
	} {
		if got := fmt.Sprint(list("/payouts", query)); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
	if n := len(list("/transactions", "&count=100")); n != 13 {
		t.Errorf("%d lines", n)
	}
	if got := list("/transactions", "&skip=12"); len(got) != 1 || got[0] != named(7, "txn_", 1) {
		t.Errorf("the opening is the oldest line: %v", got)
	}
	for query, field := range map[string]string{
		"": "account_number", "?account_number=12": "account_number", "?account_number=" + ours + "&count=101": "count",
		"?account_number=" + ours + "&count=0": "count", "?account_number=" + ours + "&skip=x": "skip",
		"?account_number=" + ours + "&from=-1": "from",
	} {
		for _, path := range []string{"/payouts", "/transactions"} {
			if got := b.send("GET", path+query, "", ""); got.status != 400 || got.str("error.field") != field {
				t.Errorf("%s%s: %s", path, query, got.raw)
			}
		}
	}
	if got := b.get("pout_unknown"); got.status != 400 || got.str("error.description") != "The id provided does not exist" {
		t.Error(got.raw)
	}
}

func TestValidationOfAddresses(t *testing.T) {
	b := start(t)
	v := b.receiver()
	b.host.Tick()
	ask := func(to, name string) string {
		return fmt.Sprintf(`{"source_account_number":%q,"fund_account":{"account_type":"vpa","vpa":{"address":%q},"contact":{"name":%q}},`+
			`"reference_id":"V1","notes":{"a":"b"}}`, ours, to, name)
	}
	for _, c := range []struct{ to, name, status, account, registered, score string }{
		{"success@sim", "Asha Rao", "completed", "active", "Asha Rao", "100"},
		{"success@sim", "Ravi Iyer", "completed", "active", "Asha Rao", "0"},
		{"frozen@sim", "Ravi Iyer", "completed", "active", "Om Prakash", "0"},
		{"invalid@sim", "Ravi Iyer", "completed", "invalid", "<nil>", "<nil>"},
		{"no.such.name@sim", "Ravi Iyer", "completed", "invalid", "<nil>", "<nil>"},
		{"unvalidated@sim", "Ravi Iyer", "failed", "<nil>", "<nil>", "<nil>"},
	} {
		got := b.send("POST", "/fund_accounts/validations", "", ask(c.to, c.name))
		if got.status != 200 || got.str("status") != "created" || got.str("status_details.reason") != "validation_request_created" ||
			got.str("reference_id") != "V1" || !strings.HasPrefix(got.str("id"), "fav_") {
			t.Fatal(got.raw)
		}
		b.later(b.cfg.Delay)
		got = b.send("GET", "/fund_accounts/validations/"+got.str("id"), "", "")
		if got.str("status") != c.status || got.str("validation_results.account_status") != c.account ||
			got.str("validation_results.registered_name") != c.registered || got.str("validation_results.name_match_score") != c.score {
			t.Errorf("%s: %s", c.to, got.raw)
		}
		v.mu.Lock()
		if last := v.arrivals[len(v.arrivals)-1]; last.name != "fund_account.validation."+c.status {
			t.Error(last.raw)
		}
		v.mu.Unlock()
	}
	for text, field := range map[string]string{
		`{}`: "source_account_number", `{"source_account_number":"` + ours + `"}`: "fund_account", ask("a_b@sim",
			"Asha Rao"): "fund_account.vpa.address",
	} {
		if got := b.send("POST", "/fund_accounts/validations", "", text); got.status != 400 || got.str("error.field") != field {
			t.Error(got.raw)
		}
	}
	if got := b.send("GET", "/fund_accounts/validations/fav_unknown", "", ""); got.status != 400 {
		t.Error(got.raw)
	}
}
