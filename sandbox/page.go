package sandbox

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"os/exec"
	"strings"

	"github.com/chromedp/chromedp"
)

// watched is the payment page of an order, open somewhere.
type watched struct {
	shows func(state string) // waits for it
	close func()
}

// browsers are the names under which Chromium is installed.
var browsers = []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"}

// watch opens a payment page in Chromium, and where there is none follows it as the page itself does: over HTTP.
func (t *teller) watch(ctx context.Context, link string) watched {
	for _, name := range browsers {
		path, err := exec.LookPath(name)
		if err != nil || t.err != nil {
			continue
		}
		if w, ok := t.browse(ctx, path, link); ok {
			return w
		}
	}
	t.line("Payer", "opens "+link, "no Chromium here: followed over HTTP and server-sent events", "", true)
	return watched{
		shows: func(state string) {
			is := t.soon(ctx, 0, func() bool { return t.streamed(ctx, link, state) })
			t.line("Payer", "the page turns to "+state, "without a reload", "", is)
		},
		close: func() {},
	}
}

// browse opens the page in a browser of its own. It does not matter why one cannot be started.
func (t *teller) browse(ctx context.Context, path, link string) (watched, bool) {
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true))
	alloc, end := chromedp.NewExecAllocator(ctx, options...)
	tab, last := chromedp.NewContext(alloc)
	tab, cancel := context.WithTimeout(tab, 2*patience)
	stop := func() {
		_ = chromedp.Cancel(tab) // with its files; how a browser ends is no part of the story
		cancel()
		last()
		end()
	}
	if err := chromedp.Do(tab, chromedp.Navigate(link)); err != nil {
		stop()
		return watched{}, false
	}
	_, err := chromedp.Run(tab, chromedp.Evaluate[string](`window.opened = "once"`)) // is gone after a reload
	t.line("Payer", "opens "+link, "in Chromium", "", err == nil)
	return watched{
		shows: func(state string) {
			_, err := chromedp.Run(tab, chromedp.Poll[bool](
				`window.opened === "once" && document.getElementById("order").dataset.state === "`+state+`"`, chromedp.WithPollingTimeout(patience),
			))
			t.line("Payer", "the page turns to "+state, "without a reload", "", err == nil)
		},
		close: stop,
	}, true
}

// streamed follows the events of a page until they end, and reports whether they come to a state.
func (t *teller) streamed(ctx context.Context, link, state string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, link+"/events", nil)
	if err != nil {
		return false
	}
	resp, err := t.http.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		var news struct {
			State string `json:"state"`
		}
		if ok && json.Unmarshal([]byte(data), &news) == nil && news.State == state {
			return true
		}
	}
	return false
}
