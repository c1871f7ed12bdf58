package merchant

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"naru/core/card"
	"naru/core/fault"
	"naru/core/money"
	"naru/engine"
)

// reachable are the codes of §15 that a merchant can meet.
var reachable = []Code{
	Success, NetworkDelay, BadParameter, ServiceClosed, BadSignature, NoToken, BadToken, NoAccount, WrongService, ServiceUnopened, PoolEmpty,
	NoBank, DepositFailed, Duplicate, NoChannel, PayoutFailed, BalanceLow, ChannelRequired, WrongVersion, BadJSON, BadContentType, BadMethod,
	AccountRequired, HostNotAllowed, BelowMinimum, AboveMaximum, NotFound,
}

// never are the others, and why nobody meets them.
var never = map[Code]string{
	"0007": "a list without a match is empty (§6.1), a single order has 0050 (§6.2)",
	"0016": "rates are checked with the configuration",
	"0024": "no call of the API updates a deposit",
	"0025": "no call of the API updates a channel",
}

func TestEveryCode(t *testing.T) {
	refusing := func(r engine.Refusal) func(*world) { return func(w *world) { w.engine.err = r } }
	deposit := func(w *world) answer { return w.create(payments1, depositFields()) }
	payout := func(w *world) answer { return w.create(payouts2, payoutFields()) }
	depositWith := func(name string, value any) func(*world) answer {
		return func(w *world) answer { return w.create(payments1, depositFields().with(name, value)) }
	}
	payoutWith := func(name string, value any) func(*world) answer {
		return func(w *world) answer { return w.create(payouts2, payoutFields().with(name, value)) }
	}
	get := func(path string) func(*world) answer { return func(w *world) answer { return w.query(path) } }
	depositWithout := func(name string) func(*world) answer {
		return func(w *world) answer { return w.create(payments1, depositFields().without(name)) }
	}
	authorized := func(value string) func(*world) answer {
		return func(w *world) answer { return w.send("GET", payments1, nil, "Authorization", value) }
	}
	typed := func(value string) func(*world) answer {
		return func(w *world) answer {
			return w.send("POST", payments1, depositFields().signed(MD5, testKey), "Content-Type", value)
		}
	}
	ordered := func(w *world) { deposit(w) }
	raw := func(verb, path, body string, header ...string) func(*world) answer {
		return func(w *world) answer { return w.send(verb, path, []byte(body), header...) }
	}
	met := map[Code]bool{}
	for name, c := range map[string]struct {
		profile Profile
		before  func(*world)
		call    func(*world) answer
		code    Code
	}{
		"a deposit":                 {call: deposit, code: Success},
		"a deposit, v2":             {call: func(w *world) answer { return w.create(payments2, depositFields()) }, code: Success},
		"a payout":                  {call: payout, code: Success},
		"its list":                  {call: get(payments1), code: Success},
		"a list of payouts":         {call: get(payouts1), code: Success},
		"too many calls":            {profile: Profile{Rate: 1, Burst: 1}, before: ordered, call: get(balance1), code: NetworkDelay},
		"no such service":           {before: refusing(engine.RefusedUnopened), call: depositWith("service_id", "SVC0004"), code: WrongService},
		"no such payout service":    {before: refusing(engine.RefusedUnopened), call: payoutWith("service_id", "SVC0026"), code: WrongService},
		"said by the engine":        {before: refusing(engine.RefusedService), call: deposit, code: WrongService},
		"not open":                  {before: refusing(engine.RefusedUnopened), call: deposit, code: ServiceUnopened},
		"not open for payouts":      {before: refusing(engine.RefusedUnopened), call: payout, code: ServiceUnopened},
		"closed":                    {before: refusing(engine.RefusedClosed), call: deposit, code: ServiceClosed},
		"below":                     {before: refusing(engine.RefusedBelow), call: deposit, code: BelowMinimum},
		"above":                     {before: refusing(engine.RefusedAbove), call: payout, code: AboveMaximum},
		"no account free":           {before: refusing(engine.RefusedPool), call: deposit, code: PoolEmpty},
		"balance":                   {before: refusing(engine.RefusedBalance), call: payout, code: BalanceLow},
		"the bank's own refusal":    {before: refusing(engine.RefusedBank), call: payout, code: NoBank},
		"no deposit possible":       {before: refusing(engine.RefusedState), call: deposit, code: DepositFailed},
		"no payout possible":        {before: refusing(engine.RefusedState), call: payout, code: PayoutFailed},
		"the same deposit":          {before: ordered, call: deposit, code: Duplicate},
		"the same payout":           {before: func(w *world) { payout(w) }, call: payout, code: Duplicate},
		"unknown bank":              {call: payoutWith("bank_name", "NOBANK_KR"), code: NoBank},
		"unknown bank of a payer":   {call: depositWith("bank_name", "NOBANK_KR"), code: NoBank},
		"no account number":         {call: payoutWith("number", "12-34x"), code: NoAccount},
		"no account of a payer":     {call: depositWith("last_number", "12345-"), code: NoAccount},
		"account wanted":            {profile: Profile{LastNumber: true}, call: depositWithout("last_number"), code: AccountRequired},
		"account given":             {profile: Profile{LastNumber: true}, call: deposit, code: Success},
		"another channel":           {call: depositWith("platform_channel_id", "PFC00000002"), code: NoChannel},
		"its channel":               {call: payoutWith("platform_channel_id", "PFC00000001"), code: Success},
		"channel wanted":            {profile: Profile{NeedChannel: true}, call: payout, code: ChannelRequired},
		"channel wanted, deposit":   {profile: Profile{NeedChannel: true}, call: deposit, code: ChannelRequired},
		"v3":                        {call: raw("POST", "/gateway/api/v3/payments", "{}"), code: WrongVersion},
		"v1 payout":                 {call: raw("POST", payouts1, "{}"), code: WrongVersion},
		"v1 single":                 {call: get(payments1 + "/KRW-1"), code: WrongVersion},
		"v2 list of deposits":       {call: get(payments2), code: WrongVersion},
		"no JSON":                   {call: raw("POST", payments1, "platform_id=PF0901"), code: BadJSON},
		"a name twice":              {call: raw("POST", payments1, `{"amount":1,"amount":1}`), code: BadJSON},
		"form":                      {call: typed("application/x-www-form-urlencoded"), code: BadContentType},
		"no content type":           {call: typed(""), code: BadContentType},
		"another charset":           {call: typed("application/json; charset=euc-kr"), code: BadContentType},
		"content type, spelled so":  {call: typed(`Application/JSON; Charset="UTF-8"`), code: Success},
		"content type alone":        {call: typed("application/json"), code: Success},
		"PUT":                       {call: raw("PUT", payments1, "{}"), code: BadMethod},
		"DELETE of an order":        {call: raw("DELETE", payments2+"/KRW-1", ""), code: BadMethod},
		"POST of a balance":         {call: raw("POST", balance2, "{}"), code: BadMethod},
		"too long a body":           {call: raw("POST", payments1, `{"x":"`+strings.Repeat("x", 1<<20)+`"}`), code: BadParameter},
		"no token":                  {call: authorized(""), code: NoToken},
		"another token":             {call: authorized(token + "x"), code: BadToken},
		"a prefix":                  {call: authorized("Bearer " + token), code: BadToken},
		"a prefix that is taken":    {profile: Profile{Bearer: true}, call: authorized("Bearer " + token), code: Success},
		"a prefix and no token":     {profile: Profile{Bearer: true}, call: authorized("Bearer x"), code: BadToken},
		"the token without prefix":  {profile: Profile{Bearer: true}, call: get(payments1), code: Success},
		"from elsewhere":            {profile: Profile{AllowIPs: []string{"192.0.2.0/24"}}, call: deposit, code: HostNotAllowed},
		"a query from elsewhere":    {profile: Profile{AllowIPs: []string{"192.0.2.1"}}, call: get(balance1), code: HostNotAllowed},
		"from where it should":      {profile: Profile{AllowIPs: []string{"192.0.2.1", "127.0.0.1"}}, call: deposit, code: Success},
		"no such order":             {call: get(payments2 + "/KRW-1"), code: NotFound},
		"no such payout":            {call: get(payouts2 + "/WD-1"), code: NotFound},
		"an order":                  {before: ordered, call: get(payments2 + "/KRW-20260101-0001"), code: Success},
		"another merchant":          {call: depositWith("platform_id", "PF0902"), code: BadSignature},
		"unsigned":                  {call: raw("POST", payments1, `{}`), code: BadParameter},
		"MD5 is over":               {profile: Profile{Algorithms: []Algorithm{HMAC}}, call: deposit, code: BadSignature},
		"other currency":            {call: payoutWith("currency", "usd"), code: BadParameter},
		"no currency":               {call: payoutWith("currency", nil), code: Success},
		"a limit that is too large": {call: get(payments1 + "?limit=501"), code: BadParameter},
		"no limit":                  {call: get(payouts2 + "?limit=0"), code: BadParameter},
		"an offset before the list": {call: get(payouts2 + "?offset=-1"), code: BadParameter},
		"a time that is none":       {call: get(payouts2 + "?create_time__gte=today"), code: BadParameter},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, c.profile)
			if c.before != nil {
				c.before(w)
			}
			w.t = t
			a := c.call(w)
			a.want(t, c.code)
			met[c.code] = true
			w.quiet()
		})
	}
	for _, code := range reachable {
		if !met[code] {
			t.Errorf("nobody meets %s", code)
		}
	}
	for number := range 30 {
		code := Code([]byte{'0', '0', byte('0' + number/10), byte('0' + number%10)})
		if _, out := never[code]; met[code] == out {
			t.Errorf("%s is met: %v, and its reason never to be met: %q", code, met[code], never[code])
		}
	}
}

// What is no path of the API is no business error.
func TestPaths(t *testing.T) {
	w := newWorld(t, Profile{})
	for _, path := range []string{
		"/", "/gateway/api/v1", "/gateway/api/v1/refunds", "/gateway/api/v2/payments/a/b", "/gateway/api/v2/payments/",
		"/gateway/api/x/payments/y",
	} {
		if a := w.query(path); a.status != http.StatusNotFound || a.code != BadParameter || a.msg == "" {
			t.Errorf("%s: HTTP %d %s", path, a.status, a.body)
		}
	}
	w.engine.orders["a/b ?"] = theOrder
	w.query(payments2+escaped("a/b ?")).want(t, Success)
}

// Numbers on the wire (§4.4, §5): the digits are signed as they were written, and nothing is rounded.
func TestAmounts(t *testing.T) {
	for text, won := range map[string]int64{
		`"3000000"`: 30_000, `3000000`: 30_000, `"50000000.00"`: 500_000, `50000000.0`: 500_000, `100`: 1, `9999999900`: 99_999_999,
		`"9999999999"`: 0, `0`: 0, `"0"`: 0, `-100`: 0, `"-100"`: 0, `"+100"`: 0, `100.5`: 0, `"100.01"`: 0, `150`: 0, `1`: 0, `"1e6"`: 0,
		`1e6`: 0, `10000000000`: 0, `999999999999999999999999999900`: 0, `1998.9999999999998`: 0,
		`"0100"`: 0, `" 100"`: 0, `"100 "`: 0, `"1,000,000"`: 0,
		`"100."`: 0, `".00"`: 0, `"０１００"`: 0, `true`: 0, `[100]`: 0, `{"a":100}`: 0, `""`: 0, `null`: 0, `"abc"`: 0,
	} {
		w := newWorld(t, Profile{})
		a := w.create(payments1, depositFields().with("amount", json.RawMessage(text)))
		if won == 0 {
			a.want(t, BadParameter)
			continue
		}
		a.want(t, Success)
		if got := w.engine.deposits[0].Amount; got != money.New(won, money.Of("KRW")) {
			t.Errorf("%s is %s", text, got)
		}
	}
}

// What PHP makes of 19.99*100 was signed as 1999: it does not verify, and is never rounded until it does (§4.4).
func TestFractionSignedRounded(t *testing.T) {
	w := newWorld(t, Profile{})
	body := bytes.Replace(depositFields().with("amount", 1999).signed(MD5, testKey), []byte("1999"), []byte("1998.9999999999998"), 1)
	w.send("POST", payments1, body).want(t, BadSignature)
}

// What a stranger writes is not kept; whose order it was is.
func TestLog(t *testing.T) {
	w := newWorld(t, Profile{})
	w.send("POST", payments1, depositFields().signed(MD5, otherKey)).want(t, BadSignature)
	if strings.Contains(w.log.String(), "KRW-20260101-0001") {
		t.Errorf("a stranger's order: %s", w.log)
	}
	w.create(payments1, depositFields()).want(t, Success)
	if !strings.Contains(w.log.String(),
		`environment=test method=createDeposit merchant=PF0901 order=KRW-20260101-0001 status=200 code=0000`) {
		t.Errorf("the line of a call: %s", w.log)
	}
	w.quiet()
}

func TestSignatures(t *testing.T) {
	w := newWorld(t, Profile{})
	number := 0
	next := func() fields { number++; return depositFields().with("payment_cl_id", strings.Repeat("n", number)) }
	for name, c := range map[string]struct {
		body []byte
		code Code
	}{
		"MD5":                     {next().signed(MD5, testKey), Success},
		"MD5, said":               {next().with("sign_type", "MD5").signed(MD5, testKey), Success},
		"HMAC":                    {next().signed(HMAC, testKey), Success},
		"the older key":           {next().signed(MD5, oldKey), Success},
		"another's key":           {next().signed(MD5, otherKey), BadSignature},
		"no key":                  {next().signed(HMAC, ""), BadSignature},
		"unknown text":            {next().with("extra", "김 &=").signed(MD5, testKey), Success},
		"an unknown list":         {next().with("list", []string{"1", "김"}).with("nested", fields{"a": 1}).signed(MD5, testKey), Success},
		"empty and null":          {next().with("user_id", "").with("bank_name", nil).signed(MD5, testKey), Success},
		"a changed field":         {bytes.Replace(next().signed(MD5, testKey), []byte("3000000"), []byte("4000000"), 1), BadSignature},
		"an added field":          {bytes.Replace(next().signed(MD5, testKey), []byte("{"), []byte(`{"extra":1,`), 1), BadSignature},
		"capitals":                {bytes.Replace(next().signed(MD5, testKey), []byte(`"sign":"`), []byte(`"sign":"A`), 1), BadSignature},
		"HMAC under MD5's name":   {bytes.Replace(next().signed(HMAC, testKey), []byte("HMAC-SHA256"), []byte("MD5"), 1), BadSignature},
		"an algorithm of its own": {next().with("sign_type", "SHA1").signed(MD5, testKey), BadParameter},
	} {
		a := w.send("POST", payments1, c.body)
		if a.code != c.code {
			t.Errorf("%s: %s", name, a.body)
		}
	}
	w.now = w.now.Add(keepKeys)
	w.engine.keys[engine.SigningKey] = nil
	w.create(payments1, next()).want(t, BadSignature) // who has no key signs nothing
}

// A key that is new counts at once, and one that was ended only for a moment more, though keys are not read for every call.
func TestKeysAreKeptForAMoment(t *testing.T) {
	w := newWorld(t, Profile{})
	number := 0
	with := func(key string) answer {
		number++
		return w.send("POST", payments1, depositFields().with("payment_cl_id", strings.Repeat("k", number)).signed(HMAC, key))
	}
	w.engine.keys[engine.SigningKey] = []card.Secret{card.Conceal(testKey)}
	with(testKey).want(t, Success)
	w.engine.keysErr = errors.New("the store is gone")
	with(testKey).want(t, Success)
	w.engine.keysErr = nil
	w.engine.keys[engine.SigningKey] = []card.Secret{card.Conceal("new"), card.Conceal(testKey)}
	with("new").want(t, Success)
	w.engine.keys[engine.SigningKey] = []card.Secret{card.Conceal("new")}
	with(testKey).want(t, Success)
	w.now = w.now.Add(keepKeys)
	with(testKey).want(t, BadSignature)
	with("new").want(t, Success)
}

// Whole numbers have one form, and a fraction of zeros changes nothing (§4.4).
func TestIntegers(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "7": 7, "9999999999": 9_999_999_999, "100.0": 100, "100.000": 100,
		"": -1, "-1": -1, "+1": -1, "01": -1, "00": -1, "1.": -1, ".0": -1, "1.5": -1, "1.00.0": -1,
		"1e3": -1, "1_0": -1, "12345678901": -1, " 1": -1, "１": -1,
	} {
		n, ok := parseInteger(text)
		if ok != (want >= 0) || ok && n != want {
			t.Errorf("%q is %d, %t", text, n, ok)
		}
	}
}

// A request may be a little old or new, and is worth nothing later (§16).
func TestFreshness(t *testing.T) {
	for _, c := range []struct {
		profile Profile
		off     time.Duration
		code    Code
	}{
		{Profile{}, 300 * time.Second, Success},
		{Profile{}, -300 * time.Second, Success},
		{Profile{}, 301 * time.Second, BadParameter},
		{Profile{}, -301 * time.Second, BadParameter},
		{Profile{Window: 60}, 61 * time.Second, BadParameter},
		{Profile{AnyTime: true}, 90 * 24 * time.Hour, Success},
	} {
		w := newWorld(t, c.profile)
		w.now = start.Add(c.off)
		w.create(payments1, depositFields()).want(t, c.code)
	}
	w := newWorld(t, Profile{})
	for _, text := range []any{"now", "1767225600123", -1, 1767225600.5} {
		w.create(payments1, depositFields().with("request_time", text)).want(t, BadParameter)
	}
}

// §15 says which check goes first.
func TestPrecedence(t *testing.T) {
	strict := Profile{AllowIPs: []string{"192.0.2.1"}}
	late := func(w *world) { w.now = start.Add(time.Hour) }
	closed := func(w *world) { late(w); w.engine.err = engine.RefusedClosed }
	stranger := func() fields { return depositFields().with("platform_id", "PF0902") }
	for name, c := range map[string]struct {
		profile Profile
		before  func(*world)
		body    []byte
		code    Code
	}{
		"a required field before the merchant": {strict, late, stranger().without("amount").signed(MD5, otherKey), BadParameter},
		"the merchant before the address":      {strict, late, stranger().signed(MD5, otherKey), BadSignature},
		"the address before the signature":     {strict, late, depositFields().signed(MD5, otherKey), HostNotAllowed},
		"the signature before the time":        {Profile{}, late, depositFields().signed(MD5, otherKey), BadSignature},
		"the time before the service":          {Profile{}, closed, depositFields().signed(MD5, testKey), BadParameter},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, c.profile)
			c.before(w)
			w.send("POST", payments1, c.body).want(t, c.code)
		})
	}
}

func TestFieldsOfRequests(t *testing.T) {
	long := strings.Repeat("가", 33)
	for _, c := range []struct {
		path  string
		f     fields
		code  Code
		names string
	}{
		{payments1, depositFields().with("payment_cl_id", long[:32*3]), Success, ""},
		{payments1, depositFields().with("payment_cl_id", long), BadParameter, "payment_cl_id"},
		{payments2, depositFields().with("payment_cl_id", long), Success, ""},
		{payments2, depositFields().with("payment_cl_id", long+long), BadParameter, "payment_cl_id"},
		{payments1, depositFields().with("payment_cl_id", 1001), Success, ""},
		{payments1, depositFields().with("payment_cl_id", ""), BadParameter, "payment_cl_id"},
		{payments1, depositFields().with("payment_cl_id", nil), BadParameter, "payment_cl_id"},
		{payments1, depositFields().with("payment_cl_id", true), BadParameter, "payment_cl_id"},
		{payments1, depositFields().with("payment_cl_id", "a\nb"), BadParameter, "payment_cl_id"},
		{payments1, depositFields().with("name", long[:17*3]), BadParameter, "name"},
		{payments1, depositFields().with("name", "a\nb"), BadParameter, "name"},
		{payments1, depositFields().with("user_id", long[:17*3]), BadParameter, "user_id"},
		{payments1, depositFields().with("platform_id", "PF090100"), BadParameter, "platform_id"},
		{payments1, depositFields().with("notify_url", "https://shop.example.test/"+strings.Repeat("x", 240)), BadParameter, "notify_url"},
		{payments1, depositFields().without("notify_url"), BadParameter, "notify_url"},
		{payouts2, payoutFields().without("notify_url"), Success, ""},
		{payouts2, payoutFields().without("name"), BadParameter, "name"},
		{payouts2, payoutFields().without("bank_name"), BadParameter, "bank_name"},
		{payouts2, payoutFields().with("phone_number", "010123456789"), BadParameter, "phone_number"},
		{payouts2, payoutFields().with("number", "302-1234-5678-91"), Success, ""},
	} {
		w := newWorld(t, Profile{})
		a := w.create(c.path, c.f)
		a.want(t, c.code)
		if !strings.Contains(a.msg, c.names) {
			t.Errorf("%s does not name %s", a.msg, c.names)
		}
	}
}

// Where a notification may go is looked at when the order is made (§16), in production.
func TestNotifyURLs(t *testing.T) {
	for address, good := range map[string]bool{
		"https://shop.example.test/cb": true, "http://8.8.8.8/cb": true, "https://[2606:4700::1111]:8443/": true,
		"HTTPS://shop.example.test": true, "ftp://shop.example.test/": false, "shop.example.test/cb": false, "https://": false,
		"https:///cb": false, "javascript:alert(1)": false, "http://127.0.0.1/": false, "http://localhost:80/": false,
		"http://LOCALHOST./": false, "http://a.localhost/": false, "http://[::1]/": false, "http://10.1.2.3/": false,
		"http://192.168.0.1/": false, "http://172.16.0.1/": false, "http://169.254.169.254/": false, "http://0.0.0.0/": false,
		"http://100.64.0.1/": false, "http://[fe80::1%25eth0]/": false, "http://[fd00::1]/": false,
		"http://[::ffff:127.0.0.1]/": false, "http://[64:ff9b::7f00:1]/": false, "http://2130706433/": false, "http://127.1/": false,
		"http://224.0.0.1/": false, "http://255.255.255.255/": false, "https://user@shop.example.test/": false,
	} {
		w := newWorld(t, Profile{}, func(c *Config) { c.Private = false })
		want := BadParameter
		if good {
			want = Success
		}
		w.create(payments1, depositFields().with("notify_url", address)).want(t, want)
		w.create(payouts2, payoutFields().with("notify_url", address)).want(t, want)
	}
}

// Fifty identical requests at once make one order.
func TestFiftyAtOnce(t *testing.T) {
	w := newWorld(t, Profile{})
	for path, f := range map[string]fields{payments1: depositFields(), payouts2: payoutFields()} {
		body := f.signed(MD5, testKey)
		var group sync.WaitGroup
		got := make(chan answer, 50)
		for range 50 {
			group.Go(func() {
				req, err := http.NewRequest("POST", w.http.URL+path, bytes.NewReader(body))
				if err != nil {
					t.Error(err)
					return
				}
				req.Header.Set("Content-Type", "application/json")
				a, err := read1(req)
				if err != nil {
					t.Error(err)
				}
				got <- a
			})
		}
		group.Wait()
		close(got)
		codes := map[Code]int{}
		for a := range got {
			codes[a.code]++
		}
		if codes[Success] != 1 || codes[Duplicate] != 49 {
			t.Errorf("%s: %v", path, codes)
		}
	}
}

// A burst is let through, then so many a second; nothing is done for those that are turned away.
func TestRate(t *testing.T) {
	w := newWorld(t, Profile{Rate: 2, Burst: 3})
	count := func() (done int) {
		for range 10 {
			if a := w.query(balance2); a.code == Success {
				done++
			} else {
				a.want(t, NetworkDelay)
			}
		}
		return done
	}
	for i, c := range []struct {
		wait time.Duration
		done int
	}{{0, 3}, {0, 0}, {time.Second, 2}, {time.Hour, 3}, {-time.Hour, 0}, {time.Second, 2}} {
		w.now = w.now.Add(c.wait)
		if got := count(); got != c.done {
			t.Errorf("round %d: %d calls, want %d", i, got, c.done)
		}
	}
	w = newWorld(t, Profile{Rate: -1})
	for range 300 {
		w.query(balance2).want(t, Success)
	}
}

// Beyond the calls in work nothing is done, and that is said.
func TestOverload(t *testing.T) {
	asked, release := make(chan bool), make(chan bool)
	merchant := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked <- true
		<-release
		_, _ = io.WriteString(w, `{"error_code":"0000"}`)
	}))
	defer merchant.Close()
	w := newWorld(t, Profile{PrecheckURL: merchant.URL}, func(c *Config) { c.MaxCalls = 1 })
	body := payoutFields().signed(MD5, testKey)
	done := make(chan answer)
	go func() {
		req, _ := http.NewRequest("POST", w.http.URL+payouts2, bytes.NewReader(body))
		req.Header.Set("Content-Type", "application/json")
		a, _ := read1(req)
		done <- a
	}()
	<-asked
	w.query(balance1).want(t, NetworkDelay)
	release <- true
	(<-done).want(t, Success)
}

// Who calls through a proxy of ours is who the proxy says, and nobody else's word counts (§16).
func TestFrom(t *testing.T) {
	w := newWorld(t, Profile{}, func(c *Config) { c.Proxies = []string{"10.0.0.0/8", "::1"} })
	for _, c := range []struct{ remote, forwarded, want string }{
		{"192.0.2.9:1", "", "192.0.2.9"},
		{"192.0.2.9:1", "198.51.100.1", "192.0.2.9"},
		{"10.0.0.1:1", "", "10.0.0.1"},
		{"10.0.0.1:1", "198.51.100.1", "198.51.100.1"},
		{"10.0.0.1:1", "6.6.6.6, 198.51.100.1", "198.51.100.1"},
		{"10.0.0.1:1", "6.6.6.6, 198.51.100.1, 10.0.0.2", "198.51.100.1"},
		{"[::1]:1", "::ffff:198.51.100.1", "198.51.100.1"},
		{"[::ffff:10.0.0.1]:1", "2001:db8::1", "2001:db8::1"},
		{"10.0.0.1:1", "6.6.6.6, nonsense", "10.0.0.1"},
		{"@", "", "invalid IP"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = c.remote
		if c.forwarded != "" {
			r.Header.Set("X-Forwarded-For", c.forwarded)
		}
		if got := w.server.from(r); got.String() != c.want {
			t.Errorf("%s, %s: %s", c.remote, c.forwarded, got)
		}
	}
	p, err := (Profile{AllowIPs: []string{"192.0.2.77/24"}}).ready(false)
	if err != nil || !p.admits(netip.MustParseAddr("192.0.2.1")) || p.admits(netip.Addr{}) {
		t.Error("a network is its addresses, and no address is in none", err)
	}
}

// A token that was withdrawn counts no more; a new one counts at once, but for who guesses.
func TestTokens(t *testing.T) {
	w := newWorld(t, Profile{})
	with := func(token string) answer { return w.send("GET", balance1, nil, "Authorization", token) }
	with(token).want(t, Success)
	with("guessed").want(t, BadToken)
	w.engine.keys[engine.QueryToken] = []card.Secret{card.Conceal("new"), card.Conceal(token)}
	w.now = w.now.Add(lookAgain)
	with("new").want(t, Success)
	with(token).want(t, Success)
	w.engine.keys[engine.QueryToken] = []card.Secret{card.Conceal("new")}
	w.now = w.now.Add(keepTokens)
	with(token).want(t, BadToken)
	with("new").want(t, Success)
	w.engine.keysErr = errors.New("the store is gone")
	w.now = w.now.Add(keepTokens)
	if a := with("new"); a.status != http.StatusInternalServerError || a.code != NetworkDelay {
		t.Errorf("HTTP %d %s", a.status, a.body)
	}
}

// Where nobody can tell what became of a call the answer says so: HTTP 500, which makes merchants query (§8).
func TestNobodyKnows(t *testing.T) {
	for name, c := range map[string]func(*fakeEngine){
		"the store fails": func(e *fakeEngine) { e.err = fault.Wrap(fault.Unavailable, errors.New("disk of "+testKey), "") },
		"a panic":         func(e *fakeEngine) { e.panics = true },
		"no keys":         func(e *fakeEngine) { e.keysErr = errors.New("vault") },
	} {
		w := newWorld(t, Profile{})
		c(w.engine)
		a := w.create(payments1, depositFields())
		if a.status != http.StatusInternalServerError || a.code != NetworkDelay || a.data != nil || strings.Contains(a.body, testKey) {
			t.Errorf("%s: HTTP %d %s", name, a.status, a.body)
		}
		if name == "a panic" && strings.Contains(w.log.String(), testKey) {
			t.Error("the log holds what was thrown")
		}
		if !strings.Contains(w.log.String(), "level=ERROR") {
			t.Errorf("%s: nobody is told: %s", name, w.log)
		}
	}
	w := newWorld(t, Profile{})
	w.engine.err = fault.New(fault.Unavailable, "")
	for _, path := range []string{payments1, payments2 + "/x", payouts1, payouts2 + "/x", balance1, balance2} {
		if a := w.query(path); a.status != http.StatusInternalServerError {
			t.Errorf("%s: HTTP %d %s", path, a.status, a.body)
		}
	}
}

// A payout that was taken on is answered 200 although the engine's word was lost: some merchants count anything else as failed, and pay
// again (§8). One that stood there before is not taken for it.
func TestTakenOnIsAnswered(t *testing.T) {
	lose := map[string]func(*fakeEngine){
		"an error": func(e *fakeEngine) { e.after = fault.New(fault.Unavailable, "") },
		"a panic":  func(e *fakeEngine) { e.panics = true },
	}
	for name, c := range lose {
		w := newWorld(t, Profile{})
		c(w.engine)
		a := w.create(payouts2, payoutFields())
		a.want(t, Success)
		same(t, a.data, `{"payout_id":"POT00000088"}`)
		if !strings.Contains(w.log.String(), "level=ERROR") {
			t.Errorf("%s: nobody is told", name)
		}
	}
	for name, change := range map[string]func(*engine.MerchantPayout){
		"older":   func(m *engine.MerchantPayout) { m.CreatedAt = start.Add(-time.Second) },
		"other":   func(m *engine.MerchantPayout) { m.Amount = money.New(1, money.Of("KRW")) },
		"service": func(m *engine.MerchantPayout) { m.Service = "SVC0062" },
	} {
		w := newWorld(t, Profile{})
		old := thePayout
		change(&old)
		w.engine.payouts["WD-20260101-0001"] = old
		w.server.cfg.Engine = deaf{w.engine}
		if a := w.create(payouts2, payoutFields()); a.status != http.StatusInternalServerError || a.code != NetworkDelay {
			t.Errorf("%s: HTTP %d %s", name, a.status, a.body)
		}
	}
}

// deaf is an engine that answers queries and cannot say what became of a payout.
type deaf struct{ *fakeEngine }

func (deaf) CreatePayout(context.Context, engine.PayoutAsk) (engine.MerchantPayout, error) {
	return engine.MerchantPayout{}, fault.New(fault.Unavailable, "")
}
