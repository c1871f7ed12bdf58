package google

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Exchange is one request that we sent and what came back. It holds no card data.
type Exchange struct {
	At           time.Time `json:"at"` // business time
	Method       string    `json:"method"`
	Account      string    `json:"piaid"`
	RequestID    string    `json:"request_id"`
	Reservation  string    `json:"reservation_request_id,omitzero"` // of a capture or a cancel
	Currency     string    `json:"currency,omitzero"`
	AmountMicros int64     `json:"amount_micros,omitzero"`
	Status       int       `json:"status"`              // 0: no answer that can be believed
	Result       string    `json:"result,omitzero"`     // of a 200
	Code         string    `json:"code,omitzero"`       // of an error
	HeldUntil    time.Time `json:"held_until,omitzero"` // of an approved reservation
	Digest       string    `json:"digest,omitzero"`     // of the answer without its header: equal answers have equal digests
}

// Verdict is the final result of one of the integrator's asynchronous jobs, as it was first told. It never changes (Korea §9.3).
type Verdict struct {
	At      time.Time `json:"at"`     // business time
	Method  string    `json:"method"` // of the notification
	Account string    `json:"piaid"`
	Subject string    `json:"subject"` // the request id that it ends
	Result  string    `json:"result"`
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
	exchanges []Exchange
	received  []Received
	verdicts  []Verdict
	byVerdict map[subject]string
	accepted  map[key]string
}

// subject is what a verdict is about: verdicts of one kind end requests of one kind.
type subject struct{ method, account, id string }

func newRecord() record { return record{byVerdict: map[subject]string{}, accepted: map[key]string{}} }

// line is one step of the record on disk: all that it names happened together.
type line struct {
	Run      int       `json:"run,omitzero"`
	Exchange *Exchange `json:"exchange,omitzero"`
	Received *Received `json:"received,omitzero"`
	Verdict  *Verdict  `json:"verdict,omitzero"`
	Accepted *accepted `json:"accepted,omitzero"`
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
		g.ask(key{e.Account, e.RequestID}, e.Method)
	}
	if l.Received != nil {
		r.received = append(r.received, *l.Received)
	}
	if v := l.Verdict; v != nil {
		r.verdicts = append(r.verdicts, *v)
		r.byVerdict[subject{v.Method, v.Account, v.Subject}] = v.Result
	}
	if a := l.Accepted; a != nil {
		r.accepted[key{a.Account, a.RequestID}] = a.Digest
	}
}

// ask notes the first use of a request id.
func (g *Google) ask(k key, method string) {
	if _, known := g.asked[k]; !known {
		g.asked[k] = method
	}
}

// note remembers a line, here and on disk. Under mu.
func (g *Google) note(l line) {
	g.recall(l)
	if err := g.file.append(l); err != nil {
		g.cfg.Log.Error("the record of Google cannot be written", "error", err)
	}
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
