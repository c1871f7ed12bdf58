package bench

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os/exec"
	"regexp"
	"time"

	"github.com/chromedp/chromedp"
)

// PageWeight is what a payer's browser must fetch before it shows where to pay, and how soon it shows it. Times are milliseconds.
type PageWeight struct {
	Page    int     `json:"page_bytes"`  // as it is served
	Files   int     `json:"files_bytes"` // style sheets, script and icon, as they are served
	Fetched int     `json:"files"`
	Gzip    bool    `json:"gzip"`
	Plain   int     `json:"plain_bytes"`                        // all of it, unpacked
	PaintMS float64 `json:"first_contentful_paint_ms,omitzero"` // median of new visits; absent where there is no Chromium
	Visits  int     `json:"visits,omitzero"`
}

// part is what a page names: what its browser fetches by itself.
var part = regexp.MustCompile(`<(?:link[^>]*rel="(?:stylesheet|icon)"[^>]*href|script[^>]*src|img[^>]*src)="([^"]+)"`)

// page weighs the payment page of the last order.
func (b *gateway) page(ctx context.Context) (w PageWeight, err error) {
	address := *b.link.Load()
	text, served, packed, err := b.fetch(ctx, address)
	if err != nil {
		return w, err
	}
	w = PageWeight{Page: served, Plain: len(text), Gzip: packed}
	at, err := url.Parse(address)
	if err != nil {
		return w, err
	}
	for _, m := range part.FindAllSubmatch(text, -1) {
		to, err := at.Parse(string(m[1]))
		if err != nil {
			return w, err
		}
		file, served, _, err := b.fetch(ctx, to.String())
		if err != nil {
			return w, err
		}
		w.Fetched, w.Files, w.Plain = w.Fetched+1, w.Files+served, w.Plain+len(file)
	}
	w.PaintMS, err = firstPaint(ctx, address)
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return w, nil
	case err != nil:
		return w, err
	}
	w.Visits = visits
	return w, nil
}

// fetch gets what a browser would, and says how many bytes came and whether they were packed.
func (b *gateway) fetch(ctx context.Context, address string) (text []byte, served int, packed bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, 0, false, err
	}
	req.Header.Set("Accept-Encoding", "gzip")
	resp, err := b.client.Do(req)
	if err != nil {
		return nil, 0, false, err
	}
	defer resp.Body.Close()
	text, err = io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return nil, 0, false, errors.Join(err, fmt.Errorf("a file of the payment page is answered %d", resp.StatusCode))
	}
	served, packed = len(text), resp.Header.Get("Content-Encoding") == "gzip"
	if packed {
		in, err := gzip.NewReader(bytes.NewReader(text))
		if err != nil {
			return nil, 0, false, err
		}
		if text, err = io.ReadAll(in); err != nil {
			return nil, 0, false, err
		}
	}
	return text, served, packed, nil
}

// visits is how many new visitors look at the page, each with nothing in its cache.
const visits = 9

// firstPaint is when a browser first shows anything of a page after it was sent there, in milliseconds.
func firstPaint(ctx context.Context, address string) (float64, error) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.DisableGPU)
	alloc, end := chromedp.NewExecAllocator(ctx, options...)
	defer end()
	browser, last := chromedp.NewContext(alloc)
	defer last()
	if err := chromedp.Do(browser); err != nil {
		return 0, err
	}
	const painted = `new Promise((done) => new PerformanceObserver((list) => {
		for (const e of list.getEntriesByName("first-contentful-paint")) done(e.startTime);
	}).observe({type: "paint", buffered: true}))`
	var took []float64
	for range visits {
		tab, leave := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
		err := chromedp.Do(tab, chromedp.Navigate(address))
		if err == nil {
			var at float64
			at, err = chromedp.Run(tab, chromedp.Evaluate[float64](painted, chromedp.EvalAwaitPromise))
			took = append(took, at)
		}
		leave()
		if err != nil {
			return 0, err
		}
	}
	return median(took), nil
}
