package google

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Exchange is one request that we sent and what came back. It holds no card data, no document and no address. The result of a sale or of a
// payout is its verdict.
type Exchange struct {
	At             time.Time `json:"at"` // business time
	Method         string    `json:"method"`
	Account        string    `json:"piaid"`
	RequestID      string    `json:"request_id"`
	Reservation    string    `json:"reservation_request_id,omitzero"` // of a capture or a cancel
	Capture        string    `json:"capture_request_id,omitzero"`     // of a refund or a defence
	Currency       string    `json:"currency,omitzero"`
	AmountMicros   int64     `json:"amount_micros,omitzero"`
	DocumentBytes  int       `json:"document_bytes,omitzero"` // of a defence
	DocumentSHA256 string    `json:"document_sha256,omitzero"`
	Status         int       `json:"status"`              // 0: no answer that can be believed
	Result         string    `json:"result,omitzero"`     // of a 200
	Code           string    `json:"code,omitzero"`       // of an error
	HeldUntil      time.Time `json:"held_until,omitzero"` // of an approved reservation
	OwnID          string    `json:"own_id,omitzero"`     // the integrator's, of a payout
	Value          string    `json:"value,omitzero"`      // digest of a payout's result: equal results have equal digests
	Digest         string    `json:"digest,omitzero"`     // of the answer without its header: equal answers have equal digests
}

// Verdict is the final result of one of the integrator's asynchronous jobs, or of a payout, as it was first told by a message. It never
// changes (Korea §9.3, disburse §5).
type Verdict struct {
	At      time.Time `json:"at"`     // business time
	Method  string    `json:"method"` // of the notification
	Account string    `json:"piaid"`
	Subject string    `json:"subject"` // the request id that it ends
	Result  string    `json:"result"`
	OwnID   string    `json:"own_id,omitzero"` // the integrator's, of a refund
	Value   string    `json:"value,omitzero"`  // as that of an Exchange
}

// Reversal is money of a successful refund that came back. One refund may have several, up to its amount.
type Reversal struct {
	At           time.Time `json:"at"` // business time
	Account      string    `json:"piaid"`
	RequestID    string    `json:"request_id"` // the integrator's
	Refund       string    `json:"refund_request_id"`
	AmountMicros int64     `json:"amount_micros"`
}

// Refund is everything that we know of one refund: what we asked for and what we were told.
type Refund struct {
	Account        string
	RequestID      string
	Capture        string // "" where we did not send it, as with the amount and the status
	AmountMicros   int64
	Status         int    // of the answer that took it over, else of the last
	Result         string // the verdict; "" is none yet
	OwnID          string // the integrator's
	ReversedMicros int64
	ARN            string
}

// Dispute is one thing that we were told about a contested capture.
type Dispute struct {
	At           time.Time `json:"at"` // business time
	Method       string    `json:"method"`
	Account      string    `json:"piaid"`
	RequestID    string    `json:"request_id"` // the integrator's; it names a chargeback from then on
	Capture      string    `json:"capture_request_id"`
	Chargeback   string    `json:"chargeback_request_id,omitzero"` // that a reversal undoes
	AmountMicros int64     `json:"amount_micros,omitzero"`
	Stage        string    `json:"stage,omitzero"`
	Reason       string    `json:"reason,omitzero"` // of a dispute, or the type of a fraud
	Scope        string    `json:"scope,omitzero"`  // of rawResult
	RawCode      string    `json:"raw_code,omitzero"`
	Case         string    `json:"case_id,omitzero"`
	Date         time.Time `json:"date,omitzero"` // raised or reversed
	ReplyBy      time.Time `json:"reply_by,omitzero"`
}

// ARN is the acquirer reference number of one capture or refund, written once (Korea §9.4, Card FOP §8.4).
type ARN struct {
	At      time.Time `json:"at"`     // business time
	Method  string    `json:"method"` // of the notification
	Account string    `json:"piaid"`
	Subject string    `json:"subject"` // the request id of the capture or refund
	Number  string    `json:"number"`
}

// Received is one message of the integrator, decrypted and verified, whatever we answered.
type Received struct {
	At     time.Time      `json:"at"` // business time
	Method string         `json:"method"`
	PIAID  string         `json:"piaid"` // as the address says
	Body   jsontext.Value `json:"body"`
}

// record is everything that we know. What was accepted under a request id is kept as a digest of its content.
type record struct {
	exchanges   []Exchange
	received    []Received
	verdicts    []Verdict
	reversals   []Reversal
	disputes    []Dispute
	arns        []ARN
	settlements []*Settlement
	files       []SettlementFile

	byVerdict map[subject]string
	byARN     map[subject]string
	contested map[key]Dispute // by the request id that told of it
	reversed  map[key]int64   // by the refund
	undone    map[key]bool    // chargebacks
	accepted  map[key]string
	announced map[statement]*Settlement
	settled   map[settledEvent]string // the settlement in which it stands
}

// subject is what a notification is about: those of one method speak of requests of one kind.
type subject struct{ method, account, id string }

func newRecord() record {
	return record{
		byVerdict: map[subject]string{}, byARN: map[subject]string{}, contested: map[key]Dispute{}, reversed: map[key]int64{},
		undone: map[key]bool{}, accepted: map[key]string{}, announced: map[statement]*Settlement{}, settled: map[settledEvent]string{},
	}
}

// line is one step of the record on disk: all that it names happened together.
type line struct {
	Run      int             `json:"run,omitzero"`
	Exchange *Exchange       `json:"exchange,omitzero"`
	Received *Received       `json:"received,omitzero"`
	Verdict  *Verdict        `json:"verdict,omitzero"`
	Reversal *Reversal       `json:"reversal,omitzero"`
	Dispute  *Dispute        `json:"dispute,omitzero"`
	ARN      *ARN            `json:"arn,omitzero"`
	Part     *part           `json:"part,omitzero"`
	File     *SettlementFile `json:"file,omitzero"`
	Accepted *accepted       `json:"accepted,omitzero"`
}

type accepted struct {
	Account   string `json:"piaid"`
	RequestID string `json:"request_id"`
	Digest    string `json:"digest"`
}

// recall makes a line part of what we know.
func (g *Google) recall(l line) {
	r := &g.record
	g.run = max(g.run, l.Run)
	if e := l.Exchange; e != nil {
		r.exchanges = append(r.exchanges, *e)
		g.ask(*e)
	}
	if l.Received != nil {
		r.received = append(r.received, *l.Received)
	}
	if v := l.Verdict; v != nil {
		r.verdicts = append(r.verdicts, *v)
		r.byVerdict[subject{v.Method, v.Account, v.Subject}] = cmp.Or(v.Value, v.Result)
	}
	if b := l.Reversal; b != nil {
		r.reversals = append(r.reversals, *b)
		r.reversed[key{b.Account, b.Refund}] += b.AmountMicros
	}
	if d := l.Dispute; d != nil {
		r.disputes = append(r.disputes, *d)
		r.contested[key{d.Account, d.RequestID}] = *d
		if d.Method == chargebackReversed.name {
			r.undone[key{d.Account, d.Chargeback}] = true
		}
	}
	if a := l.ARN; a != nil {
		r.arns = append(r.arns, *a)
		r.byARN[subject{a.Method, a.Account, a.Subject}] = a.Number
	}
	if l.Part != nil {
		r.join(l.Part)
	}
	if l.File != nil {
		r.files = append(r.files, *l.File)
	}
	if a := l.Accepted; a != nil {
		r.accepted[key{a.Account, a.RequestID}] = a.Digest
	}
}

// reopens reports whether a second stage may follow: a first one of that capture, and of that case where both name theirs, was reversed and
// has none yet (Card FOP §8.5).
func (r *record) reopens(d *Dispute) bool {
	left := 0
	for k, c := range r.contested {
		switch {
		case c.Account != d.Account || c.Capture != d.Capture || c.Case != "" && d.Case != "" && c.Case != d.Case:
		case c.Stage == "SECOND":
			left--
		case r.undone[k]:
			left++
		}
	}
	return left > 0
}

// ask notes what a request id stands for: its first use, or the first that got a 200, since an error decides nothing (gsp-core §4.1).
// A request without one stands for nothing.
func (g *Google) ask(e Exchange) {
	if e.RequestID == "" {
		return
	}
	k := key{e.Account, e.RequestID}
	if first, known := g.asked[k]; !known || first.Status != http.StatusOK && e.Status == http.StatusOK {
		g.asked[k] = e
	}
}

// note remembers a line, here and on disk. Under mu.
func (g *Google) note(l line) {
	g.recall(l)
	if err := g.file.append(l); err != nil {
		g.cfg.Log.Error("the record of Google cannot be written", "error", err)
	}
}

// Record is what was sent with what came back, and every verdict, oldest first.
func (g *Google) Record() ([]Exchange, []Verdict) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.record.exchanges), slices.Clone(g.record.verdicts)
}

// Refunds is every refund that we asked for or were told of, in the order in which we first heard of each.
func (g *Google) Refunds() (list []Refund) {
	g.mu.Lock()
	defer g.mu.Unlock()
	at := map[key]int{}
	of := func(account, id string) *Refund {
		k := key{account, id}
		if _, known := at[k]; !known {
			at[k], list = len(list), append(list, Refund{Account: account, RequestID: id})
		}
		return &list[at[k]]
	}
	for _, e := range g.record.exchanges {
		if e.Method != refunds.asked {
			continue
		}
		if r := of(e.Account, e.RequestID); r.Status != http.StatusOK {
			r.Capture, r.AmountMicros, r.Status = e.Capture, e.AmountMicros, e.Status
		}
	}
	for _, v := range g.record.verdicts {
		if v.Method == refunds.told {
			r := of(v.Account, v.Subject)
			r.Result, r.OwnID = v.Result, v.OwnID
		}
	}
	for _, b := range g.record.reversals {
		of(b.Account, b.Refund).ReversedMicros += b.AmountMicros
	}
	for _, a := range g.record.arns {
		if a.Method == refundARN.name {
			of(a.Account, a.Subject).ARN = a.Number
		}
	}
	return list
}

// Disputes is everything that we were told of contested captures, oldest first.
func (g *Google) Disputes() []Dispute {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.record.disputes)
}

// ARNs is every acquirer reference number, oldest first.
func (g *Google) ARNs() []ARN {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.record.arns)
}

// Settlements is every settlement of either channel, whole or not, oldest first.
func (g *Google) Settlements() (list []Settlement) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, s := range g.record.settlements {
		one := *s
		one.Events, one.Problems = slices.Clone(s.Events), slices.Clone(s.Problems)
		list = append(list, one)
	}
	return list
}

// Files is every settlement file that was uploaded to its end, oldest first.
func (g *Google) Files() []SettlementFile {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.record.files)
}

// file appends lines. It is not synced: it survives the death of the process, not of the machine.
type file struct{ f *os.File }

func openFile(name string, recall func(line)) (*file, error) {
	if name == "" {
		return &file{}, nil
	}
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	var whole int64
	for r := bufio.NewReader(f); ; {
		text, err := r.ReadBytes('\n')
		if err == io.EOF { // a line cut off by death is dropped
			break
		}
		var l line
		if err == nil {
			err = json.Unmarshal(text, &l)
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s: byte %d begins a line that cannot be read", name, whole), f.Close())
		}
		recall(l)
		whole += int64(len(text))
	}
	_, err = f.Seek(whole, io.SeekStart)
	if err = errors.Join(f.Truncate(whole), err); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &file{f}, nil
}

func (f *file) append(l line) error {
	if f.f == nil {
		return nil
	}
	text, err := json.Marshal(l)
	if err != nil {
		return err
	}
	_, err = f.f.Write(append(text, '\n'))
	return err
}

func (f *file) close() error {
	if f.f == nil {
		return nil
	}
	err := f.f.Close()
	f.f = nil
	return err
}
