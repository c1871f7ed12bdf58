package sandbox

import (
	"context"
	"encoding/csv"
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// desk is the merchant's page in somebody's browser, signed in.
type desk struct {
	base  string
	http  *http.Client
	token string // of its forms
}

var formToken = regexp.MustCompile(`name="csrf" value="([^"]+)"`)

// signsIn opens the merchant's page with what the merchant knows.
func (t *teller) signsIn(ctx context.Context) *desk {
	jar, err := cookiejar.New(nil)
	d := &desk{base: t.merchant.Desk, http: &http.Client{Jar: jar, Transport: t.http.Transport, Timeout: patience}}
	if t.err == nil {
		t.err = err
	}
	t.reads(ctx, d, "login", nil)
	t.reads(ctx, d, "login", url.Values{"platform_id": {t.merchant.PlatformID}, "platform_key": {t.merchant.PlatformKey}})
	return d
}

// reads shows a page of the desk, or sends a form.
func (t *teller) reads(ctx context.Context, d *desk, path string, form url.Values) (page string) {
	if t.err != nil {
		return ""
	}
	method := http.MethodGet
	if form != nil {
		method = http.MethodPost
		form.Set("csrf", d.token)
	}
	t.err = func() error {
		req, err := http.NewRequestWithContext(ctx, method, d.base+path, strings.NewReader(form.Encode()))
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		resp, err := d.http.Do(req)
		if err != nil {
			return err
		}
		text, err := io.ReadAll(resp.Body)
		if err = errors.Join(err, resp.Body.Close()); err == nil && resp.StatusCode != http.StatusOK {
			err = errors.New("the merchant's page " + path + ": " + resp.Status)
		}
		page = string(text)
		return err
	}()
	if m := formToken.FindStringSubmatch(page); m != nil {
		d.token = m[1]
	}
	return page
}

// tries is what the delivery log has of an order: the number of attempts of each notification, newest first.
func (t *teller) tries(ctx context.Context, d *desk, o order) (list []string) {
	rows, err := csv.NewReader(strings.NewReader(t.reads(ctx, d, "notices.csv?number="+o.number, nil))).ReadAll()
	if err != nil || len(rows) == 0 {
		return nil
	}
	at := slices.Index(rows[0], "tries")
	if at < 0 {
		return nil
	}
	for _, row := range rows[1:] {
		list = append(list, row[at])
	}
	return list
}
