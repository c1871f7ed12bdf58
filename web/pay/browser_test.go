package pay

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

var screenshots = flag.String("screenshots", "", "a folder to put a picture of every page into")

// One browser for all tests; each test has a tab, with cookies of its own.
var browser = struct {
	once  sync.Once
	ctx   context.Context
	close []context.CancelFunc
	err   error
}{}

func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	for i := len(browser.close) - 1; i >= 0; i-- {
		browser.close[i]()
	}
	os.Exit(code)
}

// How long a browser may take on a busy machine: for one test, and to show what is awaited.
const (
	testTime = 4 * time.Minute
	patience = 30 * time.Second
)

// tab is one reader.
type tab struct {
	*site
	ctx context.Context
}

// visit opens a tab on a site, without going anywhere.
func visit(s *site) *tab {
	s.Helper()
	browser.once.Do(func() {
		options := append(chromedp.DefaultExecAllocatorOptions[:],
			chromedp.NoSandbox, chromedp.DisableGPU, chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
			chromedp.Flag("hide-scrollbars", true), chromedp.Flag("accept-lang", "ko-KR"))
		alloc, end := chromedp.NewExecAllocator(context.Background(), options...)
		ctx, last := chromedp.NewContext(alloc)
		browser.ctx, browser.close, browser.err = ctx, []context.CancelFunc{end, last}, chromedp.Do(ctx)
	})
	if browser.err != nil {
		s.Fatalf("the tests of the page need Chromium; install the package chromium (make need): %v", browser.err)
	}
	ctx, end := chromedp.NewContext(browser.ctx, chromedp.WithNewBrowserContext())
	s.Cleanup(end)
	ctx, cancel := context.WithTimeout(ctx, testTime)
	s.Cleanup(cancel)
	return &tab{s, ctx}
}

func (t *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(t.ctx, actions...); err != nil {
		t.Fatal(err)
	}
}

// get runs an action for its value.
func get[T any](t *tab, action chromedp.Action[T]) T {
	t.Helper()
	v, err := chromedp.Run(t.ctx, action)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// command calls the browser's protocol.
func command[P, R any](t *tab, c cdp.Command[P, R], params P) R {
	t.Helper()
	v, err := chromedp.Call(t.ctx, c, params)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// eval is the value of an expression in the page.
func eval[T any](t *tab, expression string, options ...chromedp.EvaluateOption) T {
	t.Helper()
	return get(t, chromedp.Evaluate[T](expression, options...))
}

// until waits until an expression is true in the page, or in the one that follows it.
func (t *tab) until(expression string) {
	t.Helper()
	look := fmt.Sprintf(`new Promise((done) => {
		const look = () => {
			let is = false;
			try { is = %s; } catch { /* not there yet */ }
			is ? done(true) : requestAnimationFrame(look);
		};
		look();
	})`, expression)
	ctx, cancel := context.WithTimeout(t.ctx, patience)
	defer cancel()
	for {
		_, err := chromedp.Run(ctx, chromedp.Evaluate[bool](look, chromedp.EvalAwaitPromise))
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("it never came to %s", expression)
		}
	}
}

// open goes to a page of the site.
func (t *tab) open(path string) {
	t.Helper()
	t.do(chromedp.Navigate(t.server.URL + path))
}

// size is the window's.
func (t *tab) size(width, height int64) {
	t.Helper()
	t.do(chromedp.EmulateViewport(width, height))
}

// media sets the scheme the reader's device prefers, and that it keeps still.
func (t *tab) media(scheme string) {
	t.Helper()
	command(t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}})
}

// picture keeps what the tab shows, where pictures are wanted.
func (t *tab) picture(name string) {
	t.Helper()
	if *screenshots == "" {
		return
	}
	whole := true
	shot := command(t, page.CaptureScreenshot, page.CaptureScreenshotParams{CaptureBeyondViewport: &whole})
	if err := os.MkdirAll(*screenshots, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(*screenshots, name+".png"), shot.Data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// Every page in every language can be read by day and by night, on a small phone, with letters twice as large, and on a desk.
func TestEveryPageCanBeRead(t *testing.T) {
	s := open(t, sample(Waiting))
	b := visit(s)
	look := func(name, path string) {
		for _, table := range tables {
			b.open(path + "?lang=" + table.Tag)
			for _, scheme := range []string{"light", "dark"} {
				b.media(scheme)
				for _, width := range []int64{320, 360, 1280} {
					b.size(width, 780)
					what := fmt.Sprintf("%s-%s-%d-%s", name, table.Tag, width, scheme)
					b.audit(what)
					if width != 320 {
						b.picture(what)
					}
				}
				b.size(360, 780)
				eval[string](b, `document.documentElement.style.fontSize = "200%"`)
				b.audit(name + " with large letters")
				eval[string](b, `document.documentElement.style.fontSize = ""`)
			}
		}
	}
	for name, o := range everyPage() {
		s.orders.set(func(now *Order) { *now = o })
		look(name, portal+link)
		if o.NeedsRegistration {
			look("register", register+link)
		}
	}
	look("unknown", portal+"nothing")
	s.orders.fail(errDown)
	look("broken", portal+link)
}

// audit fails for whatever cannot be read or hit.
func (t *tab) audit(what string) {
	t.Helper()
	for _, wrong := range eval[[]string](t, audit) {
		t.Errorf("%s: %s", what, wrong)
	}
}

// shows is true where the page says a text to the reader.
func shows(text string) string { return fmt.Sprintf("document.body.innerText.includes(%q)", text) }

// The page follows the order without being loaded again: words, title, icon, and nothing jumps.
func TestThePageFollowsTheOrder(t *testing.T) {
	for name, refuse := range map[string]bool{"by the stream": false, "by asking, where streams are refused": true} {
		t.Run(name, func(t *testing.T) {
			s := open(t, everyPage()["code"], func(next http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if refuse && strings.HasSuffix(r.URL.Path, "/events") {
						w.WriteHeader(http.StatusServiceUnavailable)
						return
					}
					next.ServeHTTP(w, r)
				})
			})
			b := visit(s)
			b.size(360, 900)
			b.media("light")
			b.open(portal + link)
			eval[bool](b, `window.same = true`)
			eval[bool](b, `window.jumps = [], new PerformanceObserver((l) => { for (const e of l.getEntries().filter((e) => !e.hadRecentInput)) {
				jumps.push(...e.sources.map((s) => (s.node?.outerHTML ?? "gone") + JSON.stringify([s.previousRect, s.currentRect])));
			} }).observe({ type: "layout-shift" }), true`)
			top := eval[float64](b, `document.getElementById("state").getBoundingClientRect().top`)
			for _, state := range []State{Seen, Received} {
				s.orders.set(func(o *Order) { v := o.Version; *o = sample(state); o.Version = v })
				b.until(shows(korean.States[state]))
				if got := get(b, chromedp.Title()); got != korean.States[state]+" · 하늘상점" {
					t.Errorf("the title is %s", got)
				}
				if icon := eval[string](b, `document.getElementById("tab").href`); !strings.Contains(icon, "/"+manners[state].Name+"-") {
					t.Errorf("the icon is %s", icon)
				}
				if now := eval[float64](b, `document.getElementById("state").getBoundingClientRect().top`); now != top {
					t.Errorf("%s: the state moved from %v to %v", manners[state].Name, top, now)
				}
				if eval[int](b, `document.querySelectorAll("[data-copy='29900'], [data-copy='3021234567891']").length`) != 0 {
					t.Errorf("%s: the page invites to pay again", manners[state].Name)
				}
				b.audit(manners[state].Name)
			}
			if !eval[bool](b, `window.same === true`) {
				t.Error("the page was loaded again")
			}
			frame := `new Promise((done) => requestAnimationFrame(() => setTimeout(() => done(jumps))))`
			if jumps := eval[[]string](b, frame, chromedp.EvalAwaitPromise); len(jumps) != 0 {
				t.Errorf("the page jumped: %s", jumps)
			}
		})
	}
}

// At zero the page takes the account away before anybody answers, and believes the server when it does.
func TestTheCountdownEndsAtTheServersZero(t *testing.T) {
	o := sample(Waiting)
	o.Now = o.Expires.Add(-61 * time.Second) // whatever the reader's clock says
	var down atomic.Bool
	s := open(t, o, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if down.Load() && strings.HasSuffix(r.URL.Path, "/state") {
				w.WriteHeader(http.StatusBadGateway)
				return
			}
			next.ServeHTTP(w, r)
		})
	})
	b := visit(s)
	b.size(360, 780)
	b.media("light")
	// The reader's clock is a day fast, and runs as fast as the test says.
	command(b, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{
		Source: `window.passed = 0; const real = Date.now; Date.now = () => 1e12 + passed;`,
	})
	b.open(portal + link)
	pass := func(ms int) { eval[int](b, fmt.Sprintf("window.passed += %d", ms)) }
	b.until(`document.querySelector(".left").textContent === "1:01" && !document.querySelector(".soon")`)
	pass(2000)
	b.until(`document.querySelector(".soon .left").textContent === "0:59"`)
	b.audit("the last minute")
	b.picture("last-minute-ko-360-light")
	down.Store(true)
	pass(60_000)
	b.until(shows(korean.Over))
	if eval[bool](b, shows("302-1234-5678-91")) {
		t.Error("nobody answers, and the account is still there")
	}
	b.audit("time is over")
	b.picture("over-ko-360-light")
	down.Store(false)
	s.orders.set(func(o *Order) { o.Version--; o.Now = o.Expires }) // the sweep has not come: no new version, no event
	eval[bool](b, `document.dispatchEvent(new Event("visibilitychange"))`)
	b.until(`document.getElementById("order").dataset.state === "expired"`)
	if eval[bool](b, `document.querySelector(".over") !== null || !document.getElementById("notice").hidden`) {
		t.Error("the page still waits for an answer")
	}
}

// By keyboard alone: Tab comes to every row that copies, Enter copies the raw value and says so, and takes it back after two seconds.
func TestCopyingByKeyboard(t *testing.T) {
	b := visit(open(t, everyPage()["code"]))
	b.open(portal + link)
	b.until(`!document.querySelector("[data-copy]").hidden`)
	eval[bool](b, `window.copied = [], navigator.clipboard.writeText = (text) => { copied.push(text); return Promise.resolve(); }, true`)
	want := []string{"29900", "농협은행", "3021234567891", "주식회사 받음", "26022"}
	for range 9 { // three languages, five to copy, and where to ask
		b.do(chromedp.KeyEvent(kb.Tab))
		if eval[bool](b, `document.activeElement.matches("[data-copy]")`) {
			if outline := eval[string](b, `getComputedStyle(document.activeElement).outline`); !strings.HasSuffix(outline, "solid 2px") {
				t.Errorf("the focus is drawn as %s", outline)
			}
			b.do(chromedp.KeyEvent(kb.Enter))
			b.until(`document.activeElement.textContent === "복사됨" && document.getElementById("said").textContent.endsWith("복사: 복사됨")`)
		}
	}
	if got := eval[[]string](b, `copied`); !slices.Equal(got, want) {
		t.Errorf("copied is %q", got)
	}
	b.until(`document.getElementById("said").textContent === "" && !document.querySelector(".done")`)
	// A browser in an app that has no clipboard of its own.
	eval[bool](b, `Object.defineProperty(navigator, "clipboard", { value: undefined }), document.addEventListener("copy", (e) => {
		window.old = getSelection().toString() || document.activeElement.value; }), true`)
	b.do(chromedp.Click(chromedp.CSS(`#copy-account`)))
	b.until(`document.querySelector("#copy-account.done") && window.old === "3021234567891"`)
}

// Without a script it is the same page, with a button to load it again, and it does so by itself.
func TestWithoutScript(t *testing.T) {
	s := open(t, sample(Waiting))
	b := visit(s)
	b.size(360, 900)
	command(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	b.open(portal + link)
	if name := b.names("link"); !slices.Contains(name, korean.Reload) {
		t.Errorf("the links are %q", name)
	}
	if got := b.names("button"); len(got) != 0 {
		t.Errorf("buttons that do nothing: %q", got)
	}
	b.audit("without a script")
	b.picture("noscript-ko-360-light")
	s.orders.set(func(o *Order) { v := o.Version; *o = sample(Received); o.Version = v })
	b.do(chromedp.Click(chromedp.CSS(`.reload a`)))
	b.do(chromedp.WaitVisible(chromedp.CSS(`[data-state="received"]`)))
}

// names are what a screen reader calls the controls of a role.
func (t *tab) names(role string) (list []string) {
	t.Helper()
	for _, n := range command(t, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{}).Nodes {
		var is, name string
		if n.Ignored || n.Role == nil || json.Unmarshal(n.Role.Value, &is) != nil || is != role {
			continue
		}
		if n.Name != nil {
			_ = json.Unmarshal(n.Name.Value, &name) // a control without a name has none here either
		}
		list = append(list, name)
	}
	return list
}

func TestEveryControlHasAName(t *testing.T) {
	s := open(t, everyPage()["code"])
	b := visit(s)
	languages := []string{"한국어", "English", "繁體中文"}
	check := func(role string, want ...string) {
		t.Helper()
		if got := b.names(role); !slices.Equal(got, want) {
			t.Errorf("%s: %q", role, got)
		}
	}
	b.open(portal + link)
	b.until(`!document.querySelector("[data-copy]").hidden`)
	check("link", append(languages, "판매자에게 문의하기")...)
	check("button", "보낼 금액 복사", "은행 복사", "계좌번호 복사", "예금주 복사", "입금 코드 복사")
	check("heading", "보낼 금액")
	s.orders.set(func(o *Order) { *o = everyPage()["first"] })
	b.open(register + link)
	check("link", append(languages, "결제 화면으로 돌아가기")...)
	check("textbox", "보내는 분 이름", "보내는 계좌번호")
	check("combobox", "보내는 은행")
	check("button", "등록하고 계속하기")
}

// Who fills the form in sees where to pay; a language chosen stays chosen.
func TestFillingTheFormIn(t *testing.T) {
	s := open(t, everyPage()["name"])
	b := visit(s)
	b.size(360, 900)
	b.media("light")
	b.open(portal + link)
	b.do(chromedp.Click(chromedp.CSS(`a[hreflang="en"]`)), chromedp.WaitVisible(chromedp.CSS(`html[lang="en"]`)))
	b.do(chromedp.SendKeys(chromedp.CSS("#name"), "12"), chromedp.Click(chromedp.CSS(".form .act")))
	b.until(shows(english.Faults[NameField][Malformed]) + " && " + shows(english.Faults[BankField][Missing]))
	b.audit("wrong")
	b.picture("wrong-en-360-light")
	b.do(chromedp.SetValue(chromedp.CSS("#name"), "김하늘"), chromedp.SetValue(chromedp.CSS("#bank"), "004"))
	b.do(chromedp.Click(chromedp.CSS(".form .act")))
	b.until(shows("302-1234-5678-91") + " && " + shows("김*늘 · KB Kookmin Bank"))
}

// Typing is not disturbed by what happens meanwhile, and no other host hears of the page.
func TestTheFormStaysWhileTheOrderChanges(t *testing.T) {
	s := open(t, everyPage()["name"])
	b := visit(s)
	var mu sync.Mutex
	var foreign []string
	if err := chromedp.Listen(b.ctx, func(ev any) {
		if r, ok := ev.(*network.EventRequestWillBeSent); ok && !strings.HasPrefix(r.Request.URL, s.server.URL+"/gateway/") {
			mu.Lock()
			defer mu.Unlock()
			foreign = append(foreign, r.Request.URL)
		}
	}); err != nil {
		t.Fatal(err)
	}
	b.open(portal + link)
	b.do(chromedp.SendKeys(chromedp.CSS("#name"), "Kim"))
	s.orders.set(func(o *Order) { o.Expires = o.Expires.Add(5 * time.Minute) })
	b.until(shows(around(korean.Until, "15:45")))
	if got := eval[string](b, `document.activeElement.id + " " + document.activeElement.value`); got != "name Kim" {
		t.Errorf("the form has %q", got)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(foreign) != 0 {
		t.Errorf("the page asked %q", foreign)
	}
}

// On paper it is one clean page.
func TestPrinting(t *testing.T) {
	b := visit(open(t, sample(Received)))
	b.open(portal + link)
	b.until(`document.readyState === "complete"`)
	if *screenshots != "" {
		if err := os.WriteFile(filepath.Join(*screenshots, "received-ko.pdf"), get(b, chromedp.PrintToPDF()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	command(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: "print"})
	if !eval[bool](b, shows("PM00000451")+" && "+shows("29,900원")) {
		t.Error("the paper does not say what was paid")
	}
	if eval[bool](b, `[...document.querySelectorAll("button, nav, .help")].some((e) => e.checkVisibility())`) {
		t.Error("the paper has buttons")
	}
	pages := regexp.MustCompile(`/Type\s*/Page\b`).FindAll(get(b, chromedp.PrintToPDF()), -1)
	if len(pages) != 1 {
		t.Errorf("%d sheets of paper", len(pages))
	}
}
