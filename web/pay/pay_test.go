package pay

import (
	"bufio"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"naru/core/card"
	"naru/room"
)

// Every state in every language: the page says it, names it in its title, and shows the account to those who may still pay and to nobody
// else.
func TestEveryStateInEveryLanguage(t *testing.T) {
	s := open(t, sample(Waiting))
	for state := Waiting; state < states; state++ {
		s.orders.set(func(o *Order) { *o = sample(state) })
		for _, table := range tables {
			t.Run(manners[state].Name+" "+table.Tag, func(t *testing.T) {
				w := s.call("GET", portal+link, nil, asking(table.Tag))
				page := html.UnescapeString(w.Body.String())
				want := []string{
					`<html lang="` + table.Tag + `">`, "<title>" + table.States[state] + " · 하늘상점</title>", `data-state="` + manners[state].Name + `"`,
					table.Next[state][0], table.Next[state][1], table.Titles[state], "KRW-20260101-0001", manners[state].Name + "-",
				}
				never := []string{"김하늘"} // the name is masked
				shown := map[bool]*[]string{true: &want, false: &never}
				pays := state == Waiting
				*shown[pays] = append(*shown[pays], `data-copy="3021234567891"`, `data-copy="29900"`, `class="left"`)
				*shown[pays || state == Seen] = append(*shown[pays || state == Seen], "302-1234-5678-91", "주식회사 받음", table.bank(nonghyup))
				*shown[!pays && state != Seen] = append(*shown[!pays && state != Seen], "PM00000451")
				*shown[!manners[state].Last] = append(*shown[!manners[state].Last], `http-equiv="refresh"`, table.Reload)
				if w.Code != http.StatusOK {
					t.Fatal(w.Code)
				}
				for _, text := range want {
					if !strings.Contains(page, text) {
						t.Errorf("the page does not say %s", text)
					}
				}
				for _, text := range never {
					if strings.Contains(page, text) {
						t.Errorf("the page says %s", text)
					}
				}
			})
		}
	}
}

// The one large number is what to send, what came, or what the order was about, as the reader's language writes it.
func TestAmounts(t *testing.T) {
	s := open(t, sample(Waiting))
	amount := regexp.MustCompile(`<p class="amount">([^<]*)<`)
	for _, c := range []struct {
		state    State
		language string
		want     string
	}{
		{Waiting, "ko", "29,900원"},
		{Waiting, "en", "₩29,900"},
		{Waiting, "zh-Hant", "29,900 韓元"},
		{Seen, "ko", "29,900원"},
		{Received, "ko", "29,900원"},
		{OtherAmount, "ko", "29,000원"},
		{Late, "en", "₩29,900"},
		{TakenBack, "ko", "29,900원"},
		{Expired, "ko", "30,000원"},
		{Cancelled, "ko", "30,000원"},
		{Refused, "ko", "30,000원"},
	} {
		s.orders.set(func(o *Order) { *o = sample(c.state) })
		got := amount.FindStringSubmatch(s.call("GET", portal+link, nil, asking(c.language)).Body.String())
		if got == nil || got[1] != c.want {
			t.Errorf("%s in %s: %q, not %s", manners[c.state].Name, c.language, got, c.want)
		}
	}
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 29900: "29,900", 1000007: "1,000,007", 99999999: "99,999,999"} {
		if got := grouped(n); got != want {
			t.Errorf("%d is written %s", n, got)
		}
	}
}

// At the end of its time an order shows no account, though the sweep has not come (merchant-gateway §5.3).
func TestTimeIsOverByTheServersClock(t *testing.T) {
	o := sample(Waiting)
	for now, want := range map[time.Time]State{o.Expires.Add(-1): Waiting, o.Expires: Expired, o.Expires.Add(time.Hour): Expired} {
		o.Now = now
		if got := o.shown(); got != want {
			t.Errorf("%v before the end: %v", o.Expires.Sub(now), got)
		}
	}
	for d, want := range map[time.Duration]string{
		10 * time.Minute: "10:00", 9*time.Minute + 40*time.Second + 1: "9:41", 59 * time.Second: "0:59", 1: "0:01", 72 * time.Minute: "72:00",
	} {
		if got := left(d); got != want {
			t.Errorf("%v is written %s", d, got)
		}
	}
}

func TestAccountsAsPrinted(t *testing.T) {
	for _, c := range []struct{ bank, number, want string }{
		{"004", "12345604123456", "123456-04-123456"},
		{"011", "3021234567891", "302-1234-5678-91"},
		{"088", "110222333444", "110-222-333444"},
		{"090", "3333011234567", "3333-01-1234567"},
		{"004", "1234567", "1234-567"},
		{"999", "100200300400", "1002-0030-0400"},
		{"999", "1234567890123", "1234-5678-90123"},
		{"999", "", ""},
		{"999", "12345", "12345"},
	} {
		if got := printed(Account{Bank: Bank{Code: c.bank}, Number: c.number}); got != c.want {
			t.Errorf("%s of %s is printed %s, not %s", c.number, c.bank, got, c.want)
		}
	}
}

func TestMaskedNames(t *testing.T) {
	for name, want := range map[string]string{
		"김하늘": "김*늘", "김늘": "김*", "남궁하늘": "남**늘", "Haneul Kim": "H***** K**", "王小明": "王*明", "김": "김", "": "", "주식회사 받음": "주**사 받*",
	} {
		if got := masked(name); got != want {
			t.Errorf("%s is masked as %s", name, got)
		}
	}
}

// No table of words may leave anything out.
func TestNoWordIsMissing(t *testing.T) {
	var missing func(where string, v reflect.Value)
	missing = func(where string, v reflect.Value) {
		switch v.Kind() {
		case reflect.String:
			if v.String() == "" {
				t.Errorf("%s is missing", where)
			}
		case reflect.Struct:
			for i := range v.NumField() {
				missing(where+" "+v.Type().Field(i).Name, v.Field(i))
			}
		case reflect.Array:
			for i := range v.Len() {
				if i > 0 || v.Len() == 2 { // states and faults begin at one
					missing(fmt.Sprint(where, " ", i), v.Index(i))
				}
			}
		case reflect.Map:
			for _, f := range []Field{NameField, BankField, AccountField} {
				if words := v.MapIndex(reflect.ValueOf(f)); words.IsValid() {
					missing(where+" "+string(f), words)
				} else {
					t.Errorf("%s %s is missing", where, f)
				}
			}
		default:
			t.Errorf("%s is a %s", where, v.Kind())
		}
	}
	for _, table := range tables {
		whole := *table
		whole.Beside[Waiting] = "the time"                       // stands there
		whole.At[Waiting], whole.At[Seen] = "nothing", "nothing" // they have no receipt
		missing(table.Tag, reflect.ValueOf(whole))
		for name, phrase := range map[string]string{
			"Won": table.Won, "ExactAmount": table.ExactAmount, "CopyOf": table.CopyOf, "Until": table.Until, "RegisterFor": table.RegisterFor,
		} {
			if strings.Count(phrase, "%s") != 1 {
				t.Errorf("%s %s has no place for its value", table.Tag, name)
			}
		}
	}
}

func TestLanguages(t *testing.T) {
	s := open(t, sample(Waiting))
	for asked, want := range map[string]string{
		"": "ko", "ko-KR,ko;q=0.9,en;q=0.8": "ko", "en-GB": "en", "zh-TW,zh;q=0.9": "zh-Hant", "zh-HK": "zh-Hant", "fr-FR": "en",
		"fr;q=0.9, ko;q=0.2": "ko", "not a language!": "ko",
	} {
		if got := s.call("GET", portal+link, nil, asking(asked)).Body.String(); !strings.Contains(got, `<html lang="`+want+`">`) {
			t.Errorf("%q does not read %s", asked, want)
		}
	}
	w := s.call("GET", portal+link+"?lang=zh-Hant", nil, asking("ko"))
	cookies := w.Result().Cookies()
	if len(cookies) != 1 || cookies[0].Name != "lang" || cookies[0].Value != "zh-Hant" || !cookies[0].HttpOnly {
		t.Fatalf("the choice is kept as %v", cookies)
	}
	again := s.call("GET", portal+link, nil, asking("ko"), func(r *http.Request) { r.AddCookie(cookies[0]) })
	if !strings.Contains(again.Body.String(), `<html lang="zh-Hant">`) {
		t.Error("the choice is forgotten")
	}
	if len(s.call("GET", portal+link+"/state?lang=en", nil).Result().Cookies()) != 0 {
		t.Error("what the script asks counts as a choice")
	}
	strange := s.call("GET", portal+link+"?lang=<script>", nil, func(r *http.Request) { r.AddCookie(&http.Cookie{Name: "lang", Value: "xx"}) })
	if len(strange.Result().Cookies()) != 0 || !strings.Contains(strange.Body.String(), `<html lang="ko">`) {
		t.Error("a language we do not have is kept")
	}
}

func TestFormForTheName(t *testing.T) {
	needs := everyPage()["name"]
	good := url.Values{"name": {"  김\u1112\u1161늘 "}, "bank": {"004"}} // with a syllable in its parts, as some keyboards send it
	s := open(t, needs)
	page := s.call("GET", portal+link, nil).Body.String()
	for _, text := range []string{"302-1234", "3021234567891", "주식회사 받음", `http-equiv="refresh"`} {
		if strings.Contains(page, text) {
			t.Errorf("before the name is known the page has %s", text)
		}
	}
	if !strings.Contains(page, `<option value="004">국민은행</option>`) || strings.Contains(page, `name="account"`) {
		t.Error("the form does not ask for name and bank")
	}
	w := s.call("POST", portal+link, good)
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != portal+link {
		t.Fatalf("a good form is answered %d %s", w.Code, w.Body)
	}
	if got := s.orders.named; len(got) != 1 || got[0].Name.Reveal() != "김하늘" || got[0].Bank != "004" || !got[0].Account.IsZero() {
		t.Fatal("the payer is not the one of the form")
	}
	if page := s.call("GET", portal+link, nil).Body.String(); !strings.Contains(page, "302-1234-5678-91") || !strings.Contains(page, "김*늘") {
		t.Error("the account does not appear")
	}
	if w := s.call("POST", portal+link, good); w.Code != http.StatusSeeOther || len(s.orders.named) != 1 {
		t.Error("a form that nobody asked for is taken")
	}
	for state := Seen; state < states; state++ {
		s.orders.set(func(o *Order) { *o = sample(state); o.NeedsName = true })
		if w := s.call("POST", portal+link, good); w.Code != http.StatusSeeOther || len(s.orders.named) != 1 {
			t.Errorf("%s: a payer is named", manners[state].Name)
		}
	}
}

func TestFormsAreChecked(t *testing.T) {
	s := open(t, everyPage()["first"])
	good := url.Values{"name": {"김하늘"}, "bank": {"004"}, "account": {"110-222 333444"}}
	for _, c := range []struct {
		field Field
		value string
		fault Fault
	}{
		{NameField, " ", Missing},
		{NameField, "123", Malformed},
		{NameField, strings.Repeat("가", 17), Malformed},
		{NameField, "김\u200e하늘", Malformed},
		{NameField, "김\xff", Malformed},
		{BankField, "", Missing},
		{BankField, "999", Malformed},
		{AccountField, "-", Missing},
		{AccountField, "123456", Malformed},
		{AccountField, "12345678901234567", Malformed},
		{AccountField, "12345678x", Malformed},
		{AccountField, "１２３４５６７８", Malformed},
	} {
		form := url.Values{}
		for name, v := range good {
			form[name] = v
		}
		form.Set(string(c.field), c.value)
		for _, table := range tables {
			w := s.call("POST", register+link, form, asking(table.Tag))
			page := html.UnescapeString(w.Body.String())
			if w.Code != http.StatusUnprocessableEntity || !strings.Contains(page, table.Faults[c.field][c.fault]) {
				t.Errorf("%s %q: %d, and not %s", c.field, c.value, w.Code, table.Faults[c.field][c.fault])
			}
			if !strings.Contains(page, `id="`+string(c.field)+`-hint" class="hint wrong"`) || strings.Count(page, "aria-invalid") != 1 {
				t.Errorf("%s %q: the field is not marked", c.field, c.value)
			}
		}
	}
	if len(s.orders.members) != 0 {
		t.Fatal("a bad form reached the platform")
	}
	if w := s.call("POST", register+link, good); w.Code != http.StatusSeeOther || w.Header().Get("Location") != portal+link {
		t.Fatalf("a good form is answered %d", w.Code)
	}
	if got := s.orders.members; len(got) != 1 || got[0].Account.Reveal() != "110222333444" {
		t.Fatal("the account is not the one of the form")
	}
	if w := s.call("GET", register+link, nil); w.Code != http.StatusSeeOther {
		t.Errorf("who is registered is asked again: %d", w.Code)
	}
}

// What the platform refuses stands at its field; a platform that is down says not to pay twice.
func TestRefusals(t *testing.T) {
	s := open(t, everyPage()["first"])
	form := url.Values{"name": {"김하늘"}, "bank": {"004"}, "account": {"110222333444"}}
	s.orders.refuse = fmt.Errorf("registering: %w", &Refusal{AccountField, Differs})
	if w := s.call("POST", register+link, form); w.Code != http.StatusUnprocessableEntity ||
		!strings.Contains(w.Body.String(), korean.Faults[AccountField][Differs]) || !strings.Contains(w.Body.String(), `value="110222333444"`) {
		t.Errorf("a refusal is answered %d", w.Code)
	}
	s.orders.refuse = errDown
	w := s.call("POST", register+link, form)
	if w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), korean.Broken[1]) {
		t.Errorf("a platform that is down is answered %d", w.Code)
	}
	for _, text := range []string{"김하늘", "110222333444", link} {
		if strings.Contains(s.log.String(), text) {
			t.Errorf("the log has %s", text)
		}
	}
	if !strings.Contains(s.log.String(), errDown.Error()) {
		t.Error("the log does not say why")
	}
}

func TestFormsOfForeignPages(t *testing.T) {
	form := url.Values{"name": {"김하늘"}, "bank": {"004"}}
	for name, c := range map[string]struct {
		site, origin string
		want         int
	}{
		"ours": {"same-origin", "null", 303}, "another site": {"cross-site", "null", 403}, "a sister": {"same-site", "null", 403},
		"an old phone": {"", "null", 303}, "an old phone elsewhere": {"", "https://shop.example.test", 403}, "no browser": {"", "", 303},
	} {
		s := open(t, everyPage()["name"])
		w := s.call("POST", portal+link, form, func(r *http.Request) {
			r.Header.Del("Sec-Fetch-Site")
			for header, v := range map[string]string{"Sec-Fetch-Site": c.site, "Origin": c.origin} {
				if v != "" {
					r.Header.Set(header, v)
				}
			}
		})
		if w.Code != c.want || (len(s.orders.named) == 1) != (c.want == 303) {
			t.Errorf("a form from %s: %d", name, w.Code)
		}
	}
	s := open(t, everyPage()["name"])
	if w := s.call("POST", portal+link, url.Values{"name": {strings.Repeat("x", formLimit)}}); w.Code != http.StatusBadRequest {
		t.Errorf("a form without an end: %d", w.Code)
	}
}

func TestWhatThereIsNot(t *testing.T) {
	s := open(t, sample(Waiting))
	for _, path := range []string{
		"/", "/gateway", portal, portal + "nothing", portal + "nothing/state", portal + "nothing/events", portal + "nothing/logo",
		register + "nothing", portal + link + "/more", portal + strings.Repeat("x", 200), assets + "pay.css",
		brands + "red.css", brands + "e4572e",
	} {
		w := s.call("GET", path, nil)
		if w.Code != http.StatusNotFound || strings.Contains(w.Body.String(), "하늘상점") {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	asked := s.orders.asked
	if s.call("GET", portal+strings.Repeat("x", 200), nil); s.orders.asked != asked {
		t.Error("an endless link is looked up")
	}
	for path, allow := range map[string]string{
		portal + link: "GET, HEAD, POST", register + link: "GET, HEAD, POST", portal + link + "/state": "GET, HEAD",
		portal + link + "/events": "GET, HEAD", portal + link + "/logo": "GET, HEAD",
	} {
		if w := s.call("DELETE", path, nil); w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != allow {
			t.Errorf("DELETE %s: %d %s", path, w.Code, w.Header().Get("Allow"))
		}
	}
	s.orders.fail(errDown)
	if w := s.call("GET", portal+link, nil); w.Code != http.StatusServiceUnavailable || strings.Contains(w.Body.String(), "3021234567891") {
		t.Errorf("without a store: %d", w.Code)
	}
	s.orders.fail(nil)
	s.orders.set(func(o *Order) { o.State = 0 })
	if w := s.call("GET", portal+link, nil); w.Code != http.StatusServiceUnavailable {
		t.Errorf("an order without a state: %d", w.Code)
	}
}

func TestHeaders(t *testing.T) {
	s := open(t, sample(Waiting))
	want := map[string]string{
		"Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Cache-Control": "no-store",
		"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
			"form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
	}
	for _, path := range []string{portal + link, portal + link + "/state", register + link, portal + "nothing"} {
		h := s.call("GET", path, nil).Header()
		for name, v := range want {
			if h.Get(name) != v {
				t.Errorf("%s: %s is %q", path, name, h.Get(name))
			}
		}
		if len(h.Values("Set-Cookie")) != 0 {
			t.Errorf("%s sets a cookie nobody asked for", path)
		}
	}
}

var file = regexp.MustCompile(`(?:href|src)="(/[^"?]*\.(?:css|js|svg))"`)

// Everything a payer's phone loads is small, ours, and may be kept for ever.
func TestWhatThePageWeighs(t *testing.T) {
	s := open(t, everyPage()["code"])
	page := s.call("GET", portal+link, nil).Body.String()
	total, files := len(page), file.FindAllStringSubmatch(page, -1)
	if len(files) != 4 {
		t.Fatalf("the page loads %v", files)
	}
	for _, f := range files {
		w := s.call("GET", f[1], nil)
		if w.Code != http.StatusOK || w.Header().Get("Cache-Control") != "public, max-age=31536000, immutable" {
			t.Errorf("%s: %d %s", f[1], w.Code, w.Header().Get("Cache-Control"))
		}
		total += w.Body.Len()
	}
	for state := Waiting; state < states; state++ { // and what a whole life brings
		s.orders.set(func(o *Order) { *o = sample(state) })
		total += s.call("GET", portal+link+"/state", nil).Body.Len()
	}
	if total >= 60_000 {
		t.Errorf("the page weighs %d bytes", total)
	}
}

func TestLogos(t *testing.T) {
	s := open(t, sample(Waiting))
	if w := s.call("GET", portal+link+"/logo", nil); w.Code != http.StatusOK || w.Header().Get("Content-Type") != "image/png" {
		t.Errorf("%d %s", w.Code, w.Header().Get("Content-Type"))
	}
	for _, bad := range []string{"", `<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`, "<html>", "GIF89a"} {
		s.orders.set(func(o *Order) { o.Merchant.Logo = []byte(bad) })
		if w := s.call("GET", portal+link+"/logo", nil); w.Code != http.StatusNotFound {
			t.Errorf("%.4s: %d", bad, w.Code)
		}
		if strings.Contains(s.call("GET", portal+link, nil).Body.String(), "/logo") {
			t.Errorf("%.4s: the page wants it", bad)
		}
	}
}

// A merchant's words are text, whatever they look like.
func TestNothingOfTheMerchantIsMarkup(t *testing.T) {
	o := sample(Waiting)
	evil := `"><script>alert(1)</script>`
	o.Merchant, o.Number, o.Code, o.Account.Holder, o.Help = Merchant{Name: evil, Colour: evil}, evil, evil, evil, "javascript:alert(1)"
	o.Payer = card.Conceal(evil)
	s := open(t, o)
	var c change
	if err := json.Unmarshal(s.call("GET", portal+link+"/state", nil).Body.Bytes(), &c); err != nil {
		t.Fatal(err)
	}
	c.Parts["page"] = s.call("GET", portal+link, nil).Body.String()
	for name, got := range c.Parts {
		if strings.Contains(got, "<script>") || strings.Contains(got, "javascript:") || strings.Contains(got, "style=") {
			t.Errorf("%s lets it through", name)
		}
	}
}

// next reads one event of a stream.
func next(t *testing.T, from *bufio.Reader) (name string, c change) {
	t.Helper()
	for {
		line, err := from.ReadString('\n')
		if err != nil {
			return "", c
		}
		if v, ok := strings.CutPrefix(line, "event: "); ok {
			name = strings.TrimSpace(v)
		}
		if v, ok := strings.CutPrefix(line, "data: "); ok && name == "change" {
			if err := json.Unmarshal([]byte(v), &c); err != nil {
				t.Fatal(err)
			}
		}
		if line == "\n" && name != "" {
			return name, c
		}
	}
}

func (s *site) stream(query string) (*http.Response, *bufio.Reader) {
	s.Helper()
	r, err := http.NewRequestWithContext(s.Context(), http.MethodGet, s.server.URL+portal+link+"/events"+query, nil)
	if err != nil {
		s.Fatal(err)
	}
	got, err := s.server.Client().Do(r)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { got.Body.Close() })
	return got, bufio.NewReader(got.Body)
}

func TestEvents(t *testing.T) {
	s := open(t, sample(Waiting))
	got, events := s.stream("?lang=en&seen=6")
	if got.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatal(got.Header)
	}
	for i, want := range []struct {
		state State
		last  bool
	}{{Waiting, false}, {Seen, false}, {OtherAmount, false}, {Received, true}} {
		if i > 0 {
			s.orders.set(func(o *Order) { v := o.Version; *o = sample(want.state); o.Version = v })
		}
		name, c := next(t, events)
		if name != "change" || c.State != manners[want.state].Name || c.Last != want.last || c.Version != int64(7+i) ||
			c.Title != english.States[want.state]+" · 하늘상점" || !strings.HasPrefix(c.Icon, assets+c.State+"-") ||
			!strings.Contains(c.Parts["status"], english.States[want.state]) || len(c.Parts) != len(parts) {
			t.Fatalf("event %d: %s %+v", i, name, c)
		}
	}
	if name, _ := next(t, events); name != "" {
		t.Errorf("after the last state comes %s", name)
	}
	if got, _ := s.stream("?seen=10"); got.StatusCode != http.StatusNoContent {
		t.Errorf("who has seen the last state is answered %d", got.StatusCode)
	}
}

// A stream begins with the present only where the page has not seen it, beats while nothing happens, and ends with the server.
func TestStreamsKeepCompany(t *testing.T) {
	s := open(t, sample(Waiting))
	s.pages.cfg.Heartbeat = time.Millisecond
	_, events := s.stream("?seen=7")
	if name, _ := next(t, events); name != "beat" {
		t.Errorf("the stream begins with %q", name)
	}
	s.pages.Close()
	for name := "beat"; name != ""; name, _ = next(t, events) {
		if name != "beat" {
			t.Errorf("the stream ends with %q", name)
		}
	}
}

// A stream does not live for ever: a page that sleeps on somebody's desk comes back by itself, or not at all.
func TestStreamsEnd(t *testing.T) {
	s := open(t, sample(Expired))
	s.pages.cfg.StreamLife = time.Millisecond
	_, events := s.stream("?seen=7")
	if name, _ := next(t, events); name != "" {
		t.Errorf("a stream ends with %q", name)
	}
}

func TestOneLinkDoesNotTakeEveryStream(t *testing.T) {
	s := open(t, sample(Waiting))
	first, _ := s.stream("?seen=6")
	s.stream("?seen=6")
	if got, _ := s.stream("?seen=6"); got.StatusCode != http.StatusServiceUnavailable || got.Header.Get("Retry-After") == "" {
		t.Errorf("the third stream is answered %d", got.StatusCode)
	}
	first.Body.Close()
	s.pages.Close()
	for range 2 { // both places come free; a closed server answers and ends
		got, _ := s.stream("?seen=6")
		for got.StatusCode == http.StatusServiceUnavailable {
			got, _ = s.stream("?seen=6")
		}
		if _, err := io.Copy(io.Discard, got.Body); err != nil {
			t.Error(err)
		}
	}
}

// The open pages of one merchant leave places for those of others, and pages that cannot be shown now say so at once.
func TestOneMerchantDoesNotTakeEveryPlace(t *testing.T) {
	s := open(t, sample(Waiting))
	s.pages.streams.all, s.pages.working = room.New(4), room.New(4)
	ours := room.Guest{Party: sample(Waiting).Merchant.Name, Name: "another link"}
	for range 3 {
		if !s.pages.streams.all.Enter(ours) {
			t.Fatal("one merchant has too few places")
		}
	}
	if got, _ := s.stream("?seen=6"); got.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("one stream too much of a merchant is answered %d", got.StatusCode)
	}
	if other := (room.Guest{Party: "another merchant", Name: "x"}); !s.pages.streams.enter(other) {
		t.Error("another merchant finds no place")
	} else {
		s.pages.streams.leave(other)
	}
	s.pages.streams.all.Leave(ours)
	got, _ := s.stream("?seen=6")
	if got.StatusCode != http.StatusOK || s.pages.working.Taken() != 0 {
		t.Errorf("afterwards: %d, and an open page takes %d places among the calls", got.StatusCode, s.pages.working.Taken())
	}

	from := room.From(netip.MustParseAddr("192.0.2.1")) // as httptest calls
	for s.pages.working.Enter(from) {
	}
	if w := s.call("GET", portal+link, nil); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
		t.Errorf("one call too much is answered %d", w.Code)
	}
	elsewhere := func(r *http.Request) { r.RemoteAddr = "192.0.2.2:1" }
	if w := s.call("GET", portal+link, nil, elsewhere); w.Code != http.StatusOK {
		t.Errorf("somebody else is answered %d", w.Code)
	}
}
