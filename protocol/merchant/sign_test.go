package merchant

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"naru/core/card"
)

// The vectors of §4.6. Bodies are written as a merchant may send them: out of order, numbers as numbers or as strings.
func TestVectors(t *testing.T) {
	const b, c = "2I9Q4nExEddsH6zo", "ThisIsYourSecretKey123"
	c1 := `{"platform_id":"PF0002","service_id":"SVC0001","payment_cl_id":"DEVPM00014581","amount":50000,
		"notify_url":"https://your-domain.com/callback","request_time":1595504136,"sign":"x"}`
	v1 := `{"platform_id":"PF0901","service_id":"SVC0026","payment_cl_id":"KRW-20260101-0001","user_id":"member77","name":"김하늘",
		"last_number":"110222333444","bank_name":"KBSTAR_KR","amount":"3000000","notify_url":"http://127.0.0.1:9701/cb/deposit",
		"request_time":"1767225600","sign_type":"HMAC-SHA256","sign":"1cf800ad8fb6e71a59542fedff370317"}`
	v3 := `{"payment_id":"PM00000451","payment_cl_id":"KRW-20260101-0001","platform_id":"PF0901","amount":3000000,"real_amount":2990000,
		"fee":23920,"status":2,"create_time":1767225601,"update_time":1767225733,"sign":"4a3c507fae6058f7193dea79d39b5cde"}`
	for _, v := range []struct {
		name, key string
		a         Algorithm
		body      string
		digest    string
	}{
		{
			"B1", b, MD5, `{"amount":"4754378","name":"王小头","notify_url":"http://localhost:52595/gateway/test-notification",
			"payment_cl_id":"test_1707220575_1","platform_id":"PF0001","request_time":"1707220575","service_id":"SVC0001"}`,
			"559444c72051d4feab4d840cc39c5b84",
		},
		{
			"B2", b, MD5, `{"amount":100000,"name":"王小头","notify_url":"http://localhost:52630/gateway/test-notification",
			"number":"6216667451674374","payout_cl_id":"test_gateway_1707220674","platform_id":"PF0001","request_time":1707220674,
			"service_id":"SVC0004"}`,
			"bc29e8a132edf819431227154c2586c6",
		},
		{"C1", c, HMAC, c1, "d8857715eece9c4b52b5e128ba541ee918effdc052c1152f6d1db0be7f1db509"},
		{"C2", c, MD5, c1, "49be5fa304b5f536c6e2ea89435e211a"},
		{"V1", testKey, MD5, v1, "1cf800ad8fb6e71a59542fedff370317"},
		{"V1h", testKey, HMAC, v1, "5f1f2154b2c48125f004ec6931c69a5a1e2c62e5c659b2062a1026d3a5568359"},
		{
			"V2", testKey, MD5, strings.NewReplacer(`"member77"`, `""`, `"110222333444"`, `""`, `"KBSTAR_KR"`, `null`).Replace(v1),
			"1c963f688c08a544035693b2f7fa6bc5",
		},
		{"V3", testKey, MD5, v3, "4a3c507fae6058f7193dea79d39b5cde"},
		{"V3h", testKey, HMAC, v3, "2633be555af0ed9e98db3c6bc235e64d32da52234d7cfa04f853b5350962b30d"},
		{
			"V4", testKey, MD5, strings.NewReplacer("2990000", "0", "23920", "0", `:2,`, `:3,`, "1767225733", "1767226231").Replace(v3),
			"c7db569c2ef9549206abe159db62a608",
		},
		{"V5", testKey, MD5, `{"platform_id":"PF0901","service_id":"SVC0004","payout_cl_id":"WD-20260101-0001","amount":"5000000",
			"notify_url":"http://127.0.0.1:9701/cb/payout","bank_name":"NHBANK_KR","name":"이도윤","number":"3021234567891","currency":"krw",
			"request_time":"1767225600"}`, "37c1ca632ed1e498f896921c1560b29f"},
		{"V6", testKey, MD5, `{"payout_id":"POT00000088","payout_cl_id":"WD-20260101-0001","platform_id":"PF0901","amount":5000000,"fee":100000,
			"status":3,"create_time":1767225601,"update_time":1767226001}`, "ef460565a20febf7abd7a7f534099dd8"},
		{
			"V7", testKey, HMAC, `{"platform_id":"DEMO01","service_id":"SVC0025","payment_cl_id":"TW-1","name":"王小明","amount":100000,
			"last_numbers":[ "12345", "008-67890" ],"notify_url":"http://127.0.0.1:9701/cb/deposit","request_time":1767225600}`,
			"92651be283367f831d1d156d2e4e89f994be7e872cf2e61a2e2c7ddf588d4ea0",
		},
		{
			"V8", testKey, MD5, `{"platform_id":"PF0901","total":1,"total_balance":5000000,"request_time":1767225600}`,
			"97b7ade8a720b463e0268b9535e22724",
		},
		{
			"V9", testKey, MD5, `{"platform_channel_id":"PFC00000001","channel_name":"KRW main","balance":5000000}`,
			"ee82fdd1a3d9cb06525e6615fd595290",
		},
		{
			"V10", testKey, MD5, `{"amount":3000000,"real_amount":0,"fee":0,"payment_id":"PM00000451","payment_cl_id":"KRW-20260101-0001",
			"platform_id":"PF0901","platform_channel_id":"PFC00000001","status":0,"memo":"","create_time":1767225601,"update_time":1767225601}`,
			"6dab56c30061f451d83f2500ce4f36d0",
		},
	} {
		x, err := Explain([]byte(v.body))
		if err != nil {
			t.Fatalf("%s: %v", v.name, err)
		}
		if got := v.a.Digest(x.Text, card.Conceal(v.key)); got != v.digest {
			t.Errorf("%s: %s of %s", v.name, got, x.Text)
		}
	}
}

// An explanation names every parameter, signed or not (§4.1, §4.3 to §4.5).
func TestExplanation(t *testing.T) {
	x, err := Explain([]byte(`{"z":" a&b=c+d ","sign":"s","sign_type":"MD5","n":50000000.00,"e":"","nil":null,"o":{"x":1},"f":0,
		"b":true,"l":[ 1, "\uAE40", {"k": []} ],"r":1998.9999999999998,"A":"capitals first"}`))
	if err != nil {
		t.Fatal(err)
	}
	want := `A=capitals first&b=true&f=0&l=[1,"\uAE40",{"k":[]}]&n=50000000.00&r=1998.9999999999998&z= a&b=c+d `
	if x.Text != want {
		t.Errorf("got  %s\nwant %s", x.Text, want)
	}
	left := []Field{{"e", leftEmpty}, {"nil", leftEmpty}, {"o", leftObject}, {"sign", leftSign}, {"sign_type", leftSign}}
	if !slices.Equal(x.Left, left) || len(x.Signed) != 7 {
		t.Errorf("%v %v", x.Left, x.Signed)
	}
}

func TestStrictBodies(t *testing.T) {
	for _, body := range []string{
		"", "null", "[]", `"x"`, "{", `{"a":1,"a":2}`, `{"a":1} {}`, `{"a":1}x`, "{\"a\":\"\xff\"}", `{"a":{"b":1,"b":2}}`,
		`{a:1}`, `{"a":01}`, `{"a":1,}`,
	} {
		if _, err := Explain([]byte(body)); err == nil {
			t.Errorf("%q is read", body)
		} else if err.Error() != errSyntax.Error() {
			t.Errorf("%q: an error that may quote: %v", body, err)
		}
	}
}

// Whatever names and texts a merchant signs, we read the same ones.
func FuzzStringToSign(f *testing.F) {
	f.Add("amount", "3000000", "name", "김하늘", "user_id", "")
	f.Add("a&b", "=+&", "a", "\n", "sign", "x")
	f.Fuzz(func(t *testing.T, n1, v1, n2, v2, n3, v3 string) {
		in := map[string]string{n1: v1, n2: v2, n3: v3}
		var want []Field
		for _, name := range slices.Sorted(maps.Keys(in)) {
			if !utf8.ValidString(name) || !utf8.ValidString(in[name]) {
				return
			}
			if in[name] != "" && name != "sign" && name != "sign_type" {
				want = append(want, Field{name, in[name]})
			}
		}
		body, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		x, err := Explain(body)
		if err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		if !slices.Equal(x.Signed, want) {
			t.Fatalf("%s: %v", body, x.Signed)
		}
		var parts []string
		for _, f := range want {
			parts = append(parts, f.Name+"="+f.Value)
		}
		if x.Text != strings.Join(parts, "&") {
			t.Fatalf("%s: %s", body, x.Text)
		}
	})
}
