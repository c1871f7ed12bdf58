package sim

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// report is one file for a merchant.
type report struct {
	Name      string    `json:"name"`
	Kind      string    `json:"kind"` // PISTL, PIDSP, PICAPR
	Merchant  string    `json:"merchant"`
	Currency  string    `json:"currency"`
	Day       string    `json:"day"`
	Seq       int       `json:"seq"`
	Records   int       `json:"records"`
	Net       int64     `json:"net"`
	Created   time.Time `json:"created"`
	Paid      bool      `json:"paid"`      // a PAY record has told so
	Delivered bool      `json:"delivered"` // into the folder, well or badly
	Text      string    `json:"text,omitempty"`
}

// notInNames is what a merchant's id may have and the name of a file may not.
var notInNames = regexp.MustCompile(`[^0-9A-Za-z-]`)

func (h *Host) newReport(kind string, to party, day string) *report {
	r := &report{Kind: kind, Merchant: to.merchant, Currency: to.currency, Day: day, Seq: 1, Created: h.now()}
	for _, o := range h.book.reports {
		if o.Kind == kind && o.Merchant == to.merchant && o.Day == day {
			r.Seq = o.Seq + 1
		}
	}
	r.Name = fmt.Sprintf("%s_%s_%s_%s_%03d.csv", kind, h.cfg.Acquirer, notInNames.ReplaceAllString(to.merchant, "-"), day, r.Seq)
	return r
}

func (b *book) report(name string) *report {
	if at := slices.IndexFunc(b.reports, func(r *report) bool { return r.Name == name }); at >= 0 {
		return b.reports[at]
	}
	return nil
}

// before is the file of the same kind and merchant that came last before this one.
func (b *book) before(r *report) (found *report) {
	for _, o := range b.reports {
		if o == r {
			return found
		}
		if o.Kind == r.Kind && o.Merchant == r.Merchant {
			found = o
		}
	}
	return found
}

// spoils is what may be wrong with a file that is delivered; the host keeps the good one.
var spoils = map[string]func(text string) string{
	"file-cut": func(text string) string { return text[:len(text)/2] },
	"file-bad-hash": func(text string) string {
		at := len(text) - len("0\r\n")
		return text[:at] + map[bool]string{true: "1", false: "0"}[text[at] == '0'] + text[at+1:]
	},
	"file-bad-count": func(text string) string { return trailer(text, 1) },
	"file-bad-sum":   func(text string) string { return trailer(text, 2) },
}

// copies is what an earlier file looks like when it comes again.
var copies = map[string]func(text string) string{
	"file-again":     func(text string) string { return text },
	"file-duplicate": renamed,
}

// trailer adds one to a number of the T line.
func trailer(text string, field int) string {
	at := strings.LastIndex(text, "T,")
	fields := strings.Split(text[at:], ",")
	fields[field] = fmt.Sprint(whole(strings.TrimPrefix(fields[field], "-")) + 1)
	return text[:at] + strings.Join(fields, ",")
}

// renamed is a file in which every event has another id: who takes it books everything twice. Its hash is right.
func renamed(text string) string {
	at := strings.LastIndex(text, "T,")
	var b strings.Builder
	for line := range strings.Lines(text[:at]) {
		fields := strings.SplitN(line, ",", 5)
		if fields[0] == "D" {
			fields[3] += "X"
		}
		b.WriteString(strings.Join(fields, ","))
	}
	sum := sha256.Sum256([]byte(b.String()))
	fields := strings.Split(text[at:], ",")
	fields[len(fields)-1] = hex.EncodeToString(sum[:]) + "\r\n"
	return b.String() + strings.Join(fields, ",")
}

// fileRule is the action of the first rule for this file among those named; "" is none. The rule is used.
func (h *Host) fileRule(name string, among ...string) string {
	for _, r := range h.rules {
		if slices.Contains(among, r.Action) && strings.HasPrefix(name, r.Match.File) && r.turn() {
			return r.Action
		}
	}
	return ""
}

// deliver puts a file into the folder, and another one again if a rule says so.
func (h *Host) deliver(r, other *report) {
	text, action := r.Text, h.fileRule(r.Name, "file-cut", "file-bad-hash", "file-bad-count", "file-bad-sum", "file-again", "file-duplicate")
	if spoil := spoils[action]; spoil != nil {
		text = spoil(text)
	}
	err := put(h.cfg.Deliver, r.Name, text)
	if again := copies[action]; again != nil && other != nil {
		err = errors.Join(err, put(h.cfg.Deliver, other.Name, again(other.Text)))
	}
	if err != nil {
		h.cfg.Log.Error("a file was not delivered", "file", r.Name, "cause", err)
		return
	}
	h.cfg.Log.Debug("delivered", "file", r.Name, "records", r.Records, "net", r.Net, "action", action)
	if !r.Delivered {
		r.Delivered = true
		h.keep(step{Day: h.book.day, Arrived: r.Name})
	}
}

// put writes a file so that nobody sees half of it.
func put(dir, name, text string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path+".tmp", []byte(text), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".tmp", path)
}

// deliverAll delivers what a host that died, or a folder that was not there, has left undelivered.
func (h *Host) deliverAll() {
	for _, r := range h.book.reports {
		if !r.Delivered && h.cfg.Deliver != "" {
			h.deliver(r, nil)
		}
	}
}

// closeDay is what happens at a cut-over before the day is another one: captures are taken, everybody is told.
func (h *Host) closeDay() {
	if h.cfg.Collect != "" {
		h.collect()
	}
	if h.cfg.Deliver != "" {
		h.deliverAll()
		h.settle(h.book.day, false)
	}
}

// replayFiles is that part of a step that is about files and disputes.
func (b *book) replayFiles(s step) {
	for _, d := range s.Disputes {
		at := slices.IndexFunc(b.disputes, func(o *dispute) bool { return o.Event == d.Event })
		b.disputes = replaced(b.disputes, at, d)
	}
	for _, e := range s.Events {
		at := slices.IndexFunc(b.events, func(o *event) bool { return o.ID == e.ID })
		b.events = replaced(b.events, at, e)
	}
	b.reports = append(b.reports, s.Reports...)
	for _, name := range s.Paid {
		b.report(name).Paid = true
	}
	if s.Arrived != "" {
		b.report(s.Arrived).Delivered = true
	}
	if s.Capture != nil {
		b.captures[s.Capture.Name] = s.Capture.SHA256
	}
}

func replaced[T any](all []*T, at int, by *T) []*T {
	if at < 0 {
		return append(all, by)
	}
	all[at] = by
	return all
}

// settleOrder says what a file is to tell, and whether it ends the day.
type settleOrder struct {
	Day     string `json:"day"` // "" is today
	Cutover bool   `json:"cutover"`
	LateARN bool   `json:"late_arn"`
}

// settleNow is the command; with a cut-over the next day begins behind the file.
func (h *Host) settleNow(r *http.Request) (any, error) {
	var how settleOrder
	if err := optional(r, &how); err != nil {
		return nil, err
	}
	h.followClock()
	made, err := h.settleDay(how)
	if err == nil && how.Cutover {
		h.announceDay()
	}
	return made, err
}

func (h *Host) settleDay(how settleOrder) ([]report, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	today := h.book.day
	day := cmp.Or(how.Day, today)
	switch _, err := time.Parse("20060102", day); {
	case err != nil || day > today:
		return nil, refusal{http.StatusBadRequest, errors.New(`day is a day such as "20261122", and not one to come`)}
	case h.cfg.Deliver == "":
		return nil, errNoFolder
	}
	if how.Cutover && h.cfg.Collect != "" {
		h.collect()
	}
	h.deliverAll()
	made := h.settle(day, how.LateARN)
	if how.Cutover {
		if day < today {
			made = append(made, h.settle(today, how.LateARN)...)
		}
		h.nextDay()
	}
	return shownReports(made), nil
}

// nextDay begins the next business day, whatever the calendar says.
func (h *Host) nextDay() {
	h.book.day = dayOf(dayStart(h.book.day).AddDate(0, 0, 1))
	h.keep(step{Day: h.book.day})
}

var errNoFolder = refusal{http.StatusConflict, errors.New("this host delivers no files")}

func (h *Host) disputesNow(struct{}) (any, error) {
	if h.cfg.Deliver == "" {
		return nil, errNoFolder
	}
	return shownReports(h.disputeFile()), nil
}

// redeliver delivers a file once more, the last one if none is named.
func (h *Host) redeliver(which struct {
	Name string `json:"name"`
},
) (any, error) {
	if h.cfg.Deliver == "" {
		return nil, errNoFolder
	}
	for _, r := range slices.Backward(h.book.reports) {
		if which.Name == "" || r.Name == which.Name {
			h.deliver(r, r)
			return shownReports([]*report{r}), nil
		}
	}
	return nil, refusal{http.StatusNotFound, errors.New("there is no such file")}
}

// shownReports are files without their text.
func shownReports(all []*report) []report {
	found := []report{}
	for _, r := range all {
		shown := *r
		shown.Text = ""
		found = append(found, shown)
	}
	return found
}

func (h *Host) listFiles(*http.Request) (any, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return shownReports(h.book.reports), nil
}

func (h *Host) listDisputes(*http.Request) (any, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	found := []dispute{}
	for _, d := range h.book.disputes {
		found = append(found, *d)
	}
	return found, nil
}

// listEvents is every record told or queued; ?rrn= and ?type= narrow it.
func (h *Host) listEvents(r *http.Request) (any, error) {
	rrn, kind := r.FormValue("rrn"), r.FormValue("type")
	h.mu.Lock()
	defer h.mu.Unlock()
	found := []event{}
	for _, e := range h.book.events {
		if (rrn == "" || e.RRN == rrn) && (kind == "" || e.Type == kind) {
			found = append(found, *e)
		}
	}
	return found, nil
}
