package desk

import (
	"context"
	"flag"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"naru/core/deposit"
	"naru/core/payout"
	"naru/engine"
)

var screenshots = flag.String("screenshots", "", "a folder to put a picture of every page into")

// patience is how long a browser may take for one test, on a busy machine.
const patience = 3 * time.Minute

// reader is a browser at a desk.
type reader struct {
	*place
	ctx  context.Context
	base string
	away []string // addresses of other hosts that were asked for
}

func visit(t *testing.T, change ...func(*Config)) *reader {
	t.Helper()
	r := &reader{place: front(t, append(change, func(cfg *Config) { cfg.Plain = true })...)}
	r.fill()
	server := httptest.NewServer(r.desk)
	t.Cleanup(server.Close)
	r.base = server.URL
	alloc, end := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.NoSandbox, chromedp.DisableGPU, chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("hide-scrollbars", true))...)
	t.Cleanup(end)
	ctx, end := chromedp.NewContext(alloc)
	t.Cleanup(end)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("the tests of the page need Chromium; install the package chromium (make need): %v", err)
	}
	r.ctx, end = context.WithTimeout(ctx, patience)
	t.Cleanup(end)
	err := chromedp.Listen(r.ctx, func(event any) {
		e, ok := event.(*network.EventRequestWillBeSent)
		if !ok || strings.HasPrefix(e.Request.URL, r.base+"/") || strings.HasPrefix(e.Request.URL, "data:") { // the browser's own icons
			return
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.away = append(r.away, e.Request.URL)
	})
	if err != nil {
		t.Fatal(err)
	}
	command(r, emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: "Asia/Seoul"})
	r.do(chromedp.EmulateViewport(1280, 800))
	return r
}

// fill puts a day's work into the world.
func (w *world) fill() {
	states := []deposit.State{
		deposit.Waiting, deposit.Paid, deposit.Paid, deposit.Seen, deposit.Paid, deposit.Expired, deposit.Paid, deposit.TakenBack,
		deposit.Cancelled, deposit.Failed, deposit.Paid,
	}
	for i := range 64 {
		w.order(i+1, states[i%len(states)], func(o *deposit.Order) {
			o.Amount, o.Display = krwOf(int64(10_000+i*12_500)), krwOf(int64(10_000+i*12_500-i%3))
			if !o.PaidAt.IsZero() {
				o.Real = o.Display
			}
		})
	}
	w.orders[3].Trouble = deposit.NameMismatch
	for i, s := range []payout.State{
		payout.Paid, payout.Unclear, payout.Sent, payout.Reviewed, payout.Refused, payout.Returned, payout.Cancelled,
	} {
		w.transfer(i+1, s, func(m *engine.MerchantPayout) {
			if s == payout.Returned {
				m.BackAt = m.DoneAt.Add(10 * time.Minute)
			}
		})
	}
	w.notice("PM00000002", engine.DepositResult, "PAID", engine.NoticeSent, 500, 0, 200)
	w.notice("PM00000003", engine.DepositResult, "PAID", engine.NoticeParked, 500, 0, 500, 500, 500, 500, 500, 500, 500, 500)
	w.notice("PM00000005", engine.DepositResult, "PAID", engine.NoticeQueued, 500, 500)
	w.notice("PM00000006", engine.DepositResult, "EXPIRED", engine.NoticeParked, 0)
	w.notice("POT00000001", engine.TransferResult, "SUCCEEDED", engine.NoticeSent, 200)
	w.keyring = append(w.keyring,
		engine.MerchantKey{
			ID: "key-3", Merchant: "PF0901", Purpose: engine.SigningKey, CreatedAt: noon.AddDate(0, -9, 0), EndsAt: noon.AddDate(0, -2, 1),
		},
		engine.MerchantKey{ID: "key-4", Merchant: "PF0901", Purpose: engine.QueryToken, CreatedAt: noon.AddDate(0, -9, 0)},
	)
}

func (r *reader) do(actions ...chromedp.Action[chromedp.Void]) {
	r.Helper()
	if err := chromedp.Do(r.ctx, actions...); err != nil {
		r.Fatal(err)
	}
}

// open goes to a page of the desk.
func (r *reader) open(path string) {
	r.Helper()
	r.do(chromedp.Navigate(r.base + root + path))
}

// follow does what leads to another page, and waits for that.
func (r *reader) follow(action chromedp.Action[chromedp.Void]) {
	r.Helper()
	if _, err := chromedp.RunResponse(r.ctx, action); err != nil {
		r.Fatal(err)
	}
}

func (r *reader) signIn() {
	r.Helper()
	r.open("login")
	r.do(chromedp.SendKeys(chromedp.CSS("#platform_id"), "PF0901"), chromedp.SendKeys(chromedp.CSS("#platform_key"), ownKey.Reveal()))
	r.follow(chromedp.Submit(chromedp.CSS("#platform_key")))
}

func eval[T any](r *reader, expression string) (v T) {
	r.Helper()
	v, err := chromedp.Run(r.ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		r.Fatal(err)
	}
	return v
}

// command calls the browser's protocol.
func command[P, R any](r *reader, c cdp.Command[P, R], params P) R {
	r.Helper()
	v, err := chromedp.Call(r.ctx, c, params)
	if err != nil {
		r.Fatal(err)
	}
	return v
}

// reads fails where the page does not say a phrase.
func (r *reader) reads(phrases ...string) {
	r.Helper()
	got := eval[string](r, "document.body.innerText.replace(/\\s+/g, ' ')")
	for _, p := range phrases {
		if !strings.Contains(got, p) {
			r.Errorf("the page does not say %q:\n%s", p, got)
		}
	}
}

// controls are those that nobody can name, or on a phone hit.
const controls = `[...document.querySelectorAll("button, input:not([type=hidden]), select, textarea")].filter((c) => c.offsetParent).flatMap((c) => {
	const box = (c.type === "checkbox" ? c.parentElement : c).getBoundingClientRect();
	const name = c.getAttribute("aria-label") || (c.labels && c.labels.length ? c.labels[0].innerText : c.innerText);
	const small = innerWidth < 720 && c.type !== "checkbox" && (box.height < 44 || box.width < 44);
	return [name ? "" : "no name: ", small ? "too small: " : ""].filter(Boolean).map((why) => why + c.outerHTML.slice(0, 120));
})`

// picture looks at the page on a desk and on a phone, where it must not be wider than the screen, and keeps both where pictures are wanted.
func (r *reader) picture(name string) {
	r.Helper()
	for _, size := range []struct {
		name          string
		width, height int64
	}{{"1280", 1280, 800}, {"360", 360, 740}} {
		r.do(chromedp.EmulateViewport(size.width, size.height))
		if wide := eval[int64](r, "document.documentElement.scrollWidth"); wide > size.width {
			r.Errorf("%s at %s px is %d px wide", name, size.name, wide)
		}
		if bad := eval[[]string](r, controls); len(bad) > 0 {
			r.Errorf("%s at %s px: %v", name, size.name, bad)
		}
		if *screenshots == "" {
			continue
		}
		for _, scheme := range []string{"light", "dark"} {
			command(r, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
				{Name: "prefers-color-scheme", Value: scheme},
			}})
			whole := true
			shot := command(r, page.CaptureScreenshot, page.CaptureScreenshotParams{CaptureBeyondViewport: &whole})
			if err := os.MkdirAll(*screenshots, 0o755); err != nil {
				r.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(*screenshots, "desk-"+name+"-"+size.name+"-"+scheme+".png"), shot.Data, 0o600); err != nil {
				r.Fatal(err)
			}
		}
	}
	r.do(chromedp.EmulateViewport(1280, 800))
}

// A day at the desk: sign in, look around, find an order, send again, test a signature, change a key, sign out.
func TestADayAtTheDesk(t *testing.T) {
	r := visit(t)
	r.open("login")
	r.picture("login")
	r.signIn()
	r.reads("₩12,345,678", "₩51,000", "Parked notifications 2")
	r.picture("overview")

	r.open("deposits")
	r.reads("1–50 of 64")
	r.picture("deposits")
	r.do(chromedp.SetValue(chromedp.CSS("#state"), "taken-back"))
	r.follow(chromedp.Submit(chromedp.CSS("#state")))
	r.reads("1–6 of 6")
	r.open("deposits?client=nobody")
	r.picture("deposits-none")

	r.open("deposits/PM00000003")
	r.reads("Paid", "fee", "into your balance", "Parked")
	r.picture("deposit")
	r.follow(chromedp.Click(chromedp.CSS(".again button")))
	r.reads("is on its way again")
	r.open("deposits/PM00000004")
	r.picture("deposit-seen")
	r.open("payouts")
	r.picture("payouts")
	r.open("payouts/POT00000006")
	r.reads("Came back", "no longer frozen", "into your balance")
	r.picture("payout")

	r.open("notices")
	r.reads("Send 1 again")
	r.picture("notices")
	r.follow(chromedp.Click(chromedp.CSS(".offer button")))
	r.reads("are on their way again")

	r.open("signature")
	r.do(chromedp.SetValue(chromedp.CSS("#body"), bodyV3), chromedp.SetValue(chromedp.CSS("#sign"), strings.Repeat("0", 32)),
		chromedp.SetValue(chromedp.CSS("#string"), strings.Replace(textV3, "status=2", "status=3", 1)))
	r.follow(chromedp.Submit(chromedp.CSS("#body")))
	r.reads("none of the signatures", "They part at character")
	r.picture("signature")

	r.open("keys")
	r.follow(chromedp.Click(chromedp.CSS("form[action$='keys/new'] button")))
	r.reads(newSecret)
	r.picture("keys")
	r.open("settings")
	r.picture("settings")
	r.open("deposits/PM99999999")
	r.picture("nothing")

	r.follow(chromedp.Click(chromedp.CSS(".bar form button")))
	r.reads("You are signed out")
	r.open("keys")
	r.reads("Sign in")
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.away) > 0 {
		t.Errorf("asked other hosts: %v", r.away)
	}
}

func TestPayNowInTheBrowser(t *testing.T) {
	r := visit(t, withBank)
	r.signIn()
	r.open("deposits/PM00000001")
	r.picture("pay")
	r.do(chromedp.Click(chromedp.CSS("#again")))
	r.follow(chromedp.Click(chromedp.CSS(".pay .act")))
	r.reads("The bank has booked the transfer")
	if len(r.booked) != 2 {
		t.Errorf("booked %d times", len(r.booked))
	}
}

// Without a script everything is there but copying and the reader's own zone.
func TestWithoutScript(t *testing.T) {
	r := visit(t)
	command(r, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	r.signIn()
	r.open("deposits/PM00000003")
	r.follow(chromedp.Click(chromedp.CSS(".again button")))
	if len(r.resent) != 1 {
		t.Errorf("sent again: %v", r.resent)
	}
}
