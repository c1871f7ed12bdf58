package sim

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	temporary = ".tmp"   // ends the name of a file that is not complete (rails §3.4)
	mostBytes = 16 << 20 // of a message
)

// backoff is the business time between deliveries, the last one again and again.
var backoff = []time.Duration{5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute}

// Tick takes what lies in In, lets everything happen that is due, and returns when whoever had to be told was told, or did not listen.
func (h *Host) Tick() {
	h.telling.Lock()
	defer h.telling.Unlock()
	h.scan()
	for h.life.Err() == nil && h.tell() {
	}
}

// tell delivers the report that is due first. It says whether there was one.
func (h *Host) tell() (more bool) {
	var r report
	var base string
	h.do(func(now time.Time) {
		due := slices.DeleteFunc(slices.Clone(h.book.outbox), func(r *report) bool {
			return r.Held || r.Due.After(now) || r.Channel != File && h.push == ""
		})
		if more = len(due) > 0; more {
			r = *slices.MinFunc(due, func(a, b *report) int { return cmp.Or(a.Due.Compare(b.Due), cmp.Compare(a.Place, b.Place)) })
			base = h.push
		}
	})
	if !more {
		return false
	}
	if r.Channel == File {
		h.drop(r)
	} else {
		h.pushOut(r, base)
	}
	return true
}

// after keeps what came of a delivery, unless everything was forgotten in the meantime.
func (h *Host) after(r report, what func(*report, time.Time)) {
	h.do(func(now time.Time) {
		at := slices.IndexFunc(h.book.outbox, func(o *report) bool { return o.N == r.N && o.ID == r.ID })
		if at < 0 {
			return
		}
		one := h.book.outbox[at]
		one.Tries++
		what(one, now)
		h.book.repost(one)
	})
}

func (r *report) again(now time.Time) { r.Due = now.Add(backoff[min(r.Tries, len(backoff))-1]) }

// drop puts a file into Out: under a temporary name, and then its own; or as a rule will have it the first half, and all of it later.
func (h *Host) drop(r report) {
	target := filepath.Join(h.cfg.Out, r.Name)
	var err error
	if r.Half != "" {
		err = os.WriteFile(filepath.Join(h.cfg.Out, r.Half), r.Body[:len(r.Body)/2], 0o600)
	} else if err = os.WriteFile(target+temporary, r.Body, 0o600); err == nil {
		err = os.Rename(target+temporary, target)
	}
	if err != nil {
		h.cfg.Log.Error("a file of the bank's cannot be written", "cause", err)
	}
	h.after(r, func(r *report, now time.Time) {
		switch {
		case err != nil:
			r.again(now)
		case r.Half != "":
			r.Half, r.Due = "", now.Add(time.Duration(r.Mend))
		default:
			r.Done = true
		}
	})
}

// pushOut sends a report once. No answer, 429 and 5xx: the same body again; another refusal is for good (rails §3.4, §3.5).
func (h *Host) pushOut(r report, base string) {
	var heard hearing
	h.do(func(time.Time) {
		about := subject{channel: r.Channel}
		if len(r.Transactions) > 0 && r.Transactions[0] <= len(h.book.transactions) {
			about = h.book.transactions[r.Transactions[0]-1].subject()
			about.channel = r.Channel
		}
		for _, rule := range h.rulesFor(about, func(a action) bool { return a.push != nil }) {
			rule.act.push(&heard)
		}
	})
	status, answer := h.post(r, base, heard)
	if h.life.Err() != nil {
		return
	}
	if heard.unheard {
		status, answer = 0, ""
	}
	h.after(r, func(r *report, now time.Time) {
		r.Status, r.Answer = status, answer
		spoilt := heard.unsigned || heard.early // by ourselves: the next one is as it should be
		switch {
		case status/100 == 2:
			r.Done = true
		case status == 0 || status == http.StatusTooManyRequests || status/100 == 5 || spoilt:
			r.again(now)
		default:
			r.Never = true
		}
	})
}

// post is one request. Nought is no answer.
func (h *Host) post(r report, base string, heard hearing) (status int, text string) {
	path, kind := "/v1/bank-credits", "application/json"
	if r.Channel == Push {
		path, kind = "/v1/bank-feeds/"+h.cfg.Feed+"/camt054", "application/xml"
	}
	ctx, cancel := context.WithTimeout(h.life, h.cfg.Patience)
	defer cancel()
	ask, err := http.NewRequestWithContext(ctx, http.MethodPost, base+path, bytes.NewReader(r.Body))
	if err != nil {
		return 0, ""
	}
	at := h.cfg.Wall()
	if heard.early {
		at = at.AddDate(0, 0, -1)
	}
	secret := h.cfg.Secret
	if heard.unsigned {
		secret = "nobody's secret"
	}
	timestamp := strconv.FormatInt(at.Unix(), 10)
	ask.Header.Set("Content-Type", kind)
	ask.Header.Set("X-Feed-Key", h.cfg.Key)
	ask.Header.Set("X-Feed-Timestamp", timestamp)
	ask.Header.Set("X-Feed-Signature", Sign(secret, timestamp, r.Body))
	got, err := h.client.Do(ask)
	if err != nil {
		return 0, ""
	}
	defer got.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(got.Body, 1<<16))
	if err != nil {
		return 0, ""
	}
	return got.StatusCode, string(answer)
}

// scan takes every order that lies in In, by name, and puts it away. A bank that dies between the two meets it again, and knows its MsgId.
func (h *Host) scan() {
	if h.cfg.In == "" {
		return
	}
	list, err := os.ReadDir(h.cfg.In)
	if err != nil {
		h.cfg.Log.Error("the bank's folder cannot be read", "cause", err)
		return
	}
	for _, e := range list {
		if !e.Type().IsRegular() || !strings.HasSuffix(e.Name(), ".xml") || h.life.Err() != nil {
			continue
		}
		if err := h.takeFile(e.Name()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			h.cfg.Log.Error("an order cannot be taken", "cause", err)
		}
	}
}

func (h *Host) takeFile(name string) error {
	from := filepath.Join(h.cfg.In, name)
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(io.LimitReader(f, mostBytes))
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	taken, put := false, "done"
	h.do(func(now time.Time) {
		if !h.book.takeOrder(now, text) {
			put = "failed"
		}
		taken = true
	})
	if !taken { // closed meanwhile
		return nil
	}
	if err := os.MkdirAll(filepath.Join(h.cfg.In, put), 0o700); err != nil {
		return err
	}
	return os.Rename(from, filepath.Join(h.cfg.In, put, name))
}
