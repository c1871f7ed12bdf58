package sim

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/go-json-experiment/json"
)

// record is one line of the record of truth. It names nobody: no address, no payee, no secret.
type record struct {
	Seq       int       `json:"seq"`
	At        time.Time `json:"at"`   // business time
	Kind      string    `json:"kind"` // seen, sent, kept (an answer that did not leave whole), decided, booked, told
	Call      string    `json:"call,omitzero"`
	Key       string    `json:"key,omitzero"`
	Reference string    `json:"reference,omitzero"`
	Account   string    `json:"account,omitzero"`
	Amount    int64     `json:"amount,omitzero"` // paise; of booked: less than nought is a debit
	Payout    string    `json:"payout,omitzero"`
	State     string    `json:"state,omitzero"`
	Reason    string    `json:"reason,omitzero"`
	Status    int       `json:"status,omitzero"` // of an answer; of told: what the receiver said, 0 is nothing
	Event     string    `json:"event,omitzero"`
	EventID   string    `json:"event_id,omitzero"`
	Action    string    `json:"action,omitzero"` // what a rule made of it
	Note      string    `json:"note,omitzero"`   // why it was refused
	Repeated  bool      `json:"repeated,omitzero"`
}

// step is everything that happened at once. It is one line of the file, written before an answer leaves: a bank that dies has either not
// seen the call or knows all about it. A line cut off by death is dropped.
type step struct {
	Payouts      []*payout      `json:"payouts,omitzero"` // new or changed, like all of these
	FundAccounts []*fundAccount `json:"fund_accounts,omitzero"`
	Validations  []*validation  `json:"validations,omitzero"`
	Lines        []*line        `json:"lines,omitzero"`
	Events       []*event       `json:"events,omitzero"`
	Keys         []*spent       `json:"keys,omitzero"`
	Secret       *string        `json:"secret,omitzero"`
	Endpoint     *endpoint      `json:"endpoint,omitzero"`
	Era          int            `json:"era,omitzero"` // how often everything was forgotten
	Records      []record       `json:"records,omitzero"`
}

// fileName is the bank's own record under Config.Dir. It holds payees' addresses and the secrets of its events, as a bank's does.
const fileName = "payouts.jsonl"

// file appends steps. It is not synced: it survives the death of the process, not of the machine.
type file struct{ f *os.File }

func openFile(dir string, replay func(step)) (*file, error) {
	if dir == "" {
		return &file{}, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, fileName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := load(f, replay); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &file{f: f}, nil
}

// load reads every whole line and cuts off what follows the last one.
func load(f *os.File, replay func(step)) error {
	var whole int64
	for r := bufio.NewReader(f); ; {
		text, err := r.ReadBytes('\n')
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		var s step
		if err := json.Unmarshal(text, &s); err != nil {
			return fmt.Errorf("%s: byte %d begins a line that is no step", fileName, whole)
		}
		replay(s)
		whole += int64(len(text))
	}
	if err := f.Truncate(whole); err != nil {
		return err
	}
	_, err := f.Seek(whole, io.SeekStart)
	return err
}

func (f *file) append(s *step) error {
	if f.f == nil || s == nil {
		return nil
	}
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	_, err = f.f.Write(append(text, '\n'))
	return err
}

func (f *file) empty() error {
	if f.f == nil {
		return nil
	}
	if err := f.f.Truncate(0); err != nil {
		return err
	}
	_, err := f.f.Seek(0, io.SeekStart)
	return err
}

func (f *file) close() error {
	if f.f == nil {
		return nil
	}
	return f.f.Close()
}
