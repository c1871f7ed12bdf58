package desk

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"naru/core/fault"
	"naru/engine"
)

const (
	mostLooked = 2_000 // notifications of a range that are looked at
	usualDays  = 7     // of the delivery log, where no range is asked for
)

// resendAll is the offer to send every parked notification of a range again. The number stands in the form: what was said is what is done.
type resendAll struct {
	Count       int
	From, Until string
	Number      string
	CSRF        string
	Changed     bool
}

var noticeColumns = []column{
	{"State", "state", false},
	{"About", "about", false},
	{"Tells", "tells", false},
	{"Tries", "tries", true},
	{"Last answer", "last_answer", false},
	{"Took", "took", true},
	{"Owed since", "owed_since", true},
	{"Last try", "last_try", true},
	{"Next try", "next_try", true},
}

func (d *Desk) notices(c *call) {
	d.showNotices(c, http.StatusOK, noticeFilter(c, d.cfg.Business()), false)
}

// noticeFilter is the filter of the delivery log: the last days, where no range and no order is asked for.
func noticeFilter(c *call, now time.Time) *filter {
	f := c.filter()
	if f.From == "" && f.Until == "" && f.Number == "" {
		f.setFrom(c, now.In(c.merchant.Location).AddDate(0, 0, 1-usualDays).Format(day))
	}
	return f
}

func (f *filter) setFrom(c *call, text string) {
	f.From = text
	f.query.Set("from", text)
	f.from, _ = dayOf(text, c.merchant.Location, 0) // we have just written it
}

// look reads the notifications of a range, newest first, and whether there are more than are looked at.
func (d *Desk) look(ctx context.Context, merchant string, f *filter) (all []engine.NoticeLog, more bool, err error) {
	for len(all) < mostLooked {
		part, err := d.cfg.Engine.NoticesOf(ctx, merchant, f.from, f.until, f.Number, int64(len(all)), atOnce)
		if err != nil {
			return nil, false, err
		}
		all = append(all, part...)
		if len(part) < atOnce {
			return all, false, nil
		}
	}
	return all, true, nil
}

func parked(n engine.NoticeLog) bool { return n.State == engine.NoticeParked }

func (d *Desk) showNotices(c *call, status int, f *filter, changed bool) {
	states := offer(f, noticeKinds)
	l := list{
		Filter: f, Path: root + "notices", Columns: noticeColumns, Filtered: f.State != "" || f.Number != "",
		Empty: "You were told nothing in these days. A notification appears here when an order with a notify_url reaches its end.",
	}
	if f.Wrong != "" {
		d.show(c, http.StatusBadRequest, "notices", "Notifications", l)
		return
	}
	all, more, err := d.look(c.ctx(), c.merchant.ID, f)
	if err != nil {
		d.fail(c, err)
		return
	}
	if more {
		l.Cut = mostLooked
	}
	for _, n := range all {
		if parked(n) {
			if l.Resend == nil {
				l.Resend = &resendAll{From: f.From, Until: f.Until, Number: f.Number, CSRF: c.session.csrf, Changed: changed}
			}
			l.Resend.Count++
		}
	}
	rows := noticeRows(all, states)
	l.Total = int64(len(rows))
	first := min((f.page-1)*onPage, l.Total)
	l.Rows = rows[first:min(first+onPage, l.Total)]
	l.turn(first)
	d.show(c, status, "notices", "Notifications", l)
}

func noticeRows(all []engine.NoticeLog, states []string) (rows [][]cell) {
	for _, n := range all {
		if len(states) == 0 || slices.Contains(states, string(n.State)) {
			rows = append(rows, noticeRow(n))
		}
	}
	return rows
}

func noticeRow(n engine.NoticeLog) []cell {
	number, path := orderOf(n.Notice)
	row := []cell{
		marked(kindOf(noticeKinds, n.State).mark), linked(number, path), words(about(n.Result)), words(strconv.Itoa(len(n.Tries))),
		words("not tried yet"), words(""), moment(n.CreatedAt), words(""), words(""),
	}
	if len(n.Tries) > 0 {
		t := n.Tries[len(n.Tries)-1]
		row[4], row[5], row[7] = words(answered(t)), words(took(t.Took)), moment(t.At)
	}
	if n.State == engine.NoticeQueued && !n.Due.IsZero() {
		row[8] = moment(n.Due)
	}
	return row
}

// orderOf is the number of what a notification is about, and where it is shown.
func orderOf(n engine.Notice) (number, path string) {
	number, _, _ = strings.Cut(n.Subject, "/")
	path = "deposits/"
	if n.Kind == engine.TransferResult {
		path = "payouts/"
	}
	return number, root + path + number + "#" + n.ID
}

func (d *Desk) noticesCSV(c *call) {
	f := noticeFilter(c, d.cfg.Business())
	states := offer(f, noticeKinds)
	var rows [][]cell
	if f.Wrong == "" {
		all, more, err := d.look(c.ctx(), c.merchant.ID, f)
		switch {
		case err != nil:
			d.fail(c, err)
			return
		case more:
			f.Wrong = "These are more than " + count(mostLooked) + " notifications: choose a shorter range."
		}
		rows = noticeRows(all, states)
	}
	d.write(c, f, "notices", noticeColumns, func(int64) ([][]cell, int64, error) { return rows, int64(len(rows)), nil })
}

// resend sends one notification again. That it is the merchant's own is the engine's to know.
func (d *Desk) resend(c *call) {
	id, number := c.r.PostForm.Get("id"), c.r.PostForm.Get("number")
	if err := d.cfg.Engine.ResendNotice(c.ctx(), c.merchant.ID, id); err != nil {
		d.fail(c, err)
		return
	}
	to := root + "notices?done=resent"
	for _, path := range []string{"deposits/", "payouts/"} {
		if c.r.PostForm.Get("from") == path && plainNumber(number) {
			to = root + path + number + "?done=resent#" + id
		}
	}
	c.redirect(to)
}

// plainNumber reports whether a text can be an order's number: nothing that means anything in an address.
func plainNumber(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool { return !('0' <= r && r <= '9' || 'A' <= r && r <= 'Z') })
}

// resendAll sends every parked notification of a range again, if there are still as many as the form said.
func (d *Desk) resendAll(c *call) {
	q := c.r.URL.Query()
	for _, name := range []string{"from", "until", "number"} {
		q.Set(name, c.r.PostForm.Get(name))
	}
	c.r.URL.RawQuery = q.Encode()
	f := c.filter()
	if f.Wrong != "" {
		d.showNotices(c, http.StatusBadRequest, f, false)
		return
	}
	all, _, err := d.look(c.ctx(), c.merchant.ID, f)
	if err != nil {
		d.fail(c, err)
		return
	}
	all = slices.DeleteFunc(all, func(n engine.NoticeLog) bool { return !parked(n) })
	if said, err := strconv.Atoi(c.r.PostForm.Get("count")); err != nil || said != len(all) {
		d.showNotices(c, http.StatusConflict, f, true)
		return
	}
	for _, n := range all {
		err := d.cfg.Engine.ResendNotice(c.ctx(), c.merchant.ID, n.ID)
		if kind, _ := fault.Of(err); err != nil && kind != fault.Precondition { // it may be on its way by now
			d.fail(c, err)
			return
		}
	}
	c.redirect(root + "notices?" + url.Values{"from": {f.From}, "until": {f.Until}, "number": {f.Number}, "done": {"resentn"}}.Encode())
}
