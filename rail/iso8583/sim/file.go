package sim

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// record is one message in the record of truth. It shows no card number and no value of DE48.
type record struct {
	Seq        int       `json:"seq"`
	At         time.Time `json:"at"`        // business time
	Direction  string    `json:"direction"` // seen, sent, or kept: an answer that was decided and did not leave as it was
	Connection int       `json:"connection"`
	MTI        string    `json:"mti"`
	PAN        string    `json:"pan,omitempty"`
	DE3        string    `json:"de3,omitempty"`
	DE4        string    `json:"de4,omitempty"`
	DE7        string    `json:"de7,omitempty"`
	DE11       string    `json:"de11,omitempty"`
	DE32       string    `json:"de32,omitempty"`
	DE37       string    `json:"de37,omitempty"`
	DE38       string    `json:"de38,omitempty"`
	DE39       string    `json:"de39,omitempty"`
	DE41       string    `json:"de41,omitempty"`
	DE42       string    `json:"de42,omitempty"`
	DE49       string    `json:"de49,omitempty"`
	Reason     string    `json:"reason,omitempty"` // of a reversal, wherever the dialect puts it
	DE70       string    `json:"de70,omitempty"`
	DE90       string    `json:"de90,omitempty"`
	DE95       string    `json:"de95,omitempty"`
	RRN        string    `json:"rrn,omitempty"`
	Tags       []string  `json:"tags,omitempty"`     // names in DE48
	Action     string    `json:"action,omitempty"`   // what a rule or the card made of it
	Note       string    `json:"note,omitempty"`     // why it was refused, where the code does not say
	Repeated   bool      `json:"repeated,omitempty"` // the answer was given before
}

// step is everything that one message changed. It is one line of the file, written before the answer leaves: a host that dies
// has either not seen the message or knows all about it. A line cut off by death is dropped.
type step struct {
	Day      string      `json:"day,omitempty"`
	Payments []*payment  `json:"payments,omitempty"`
	Answer   *remembered `json:"answer,omitempty"`
	Refused  string      `json:"refused,omitempty"`
	Busy     string      `json:"busy,omitempty"`
	Stan     int         `json:"stan,omitempty"`
	Serial   int         `json:"serial,omitempty"`
	Events   []*event    `json:"events,omitempty"` // new or changed, like all of these
	Disputes []*dispute  `json:"disputes,omitempty"`
	Reports  []*report   `json:"reports,omitempty"`
	Paid     []string    `json:"paid,omitempty"`      // names of reports
	Arrived  string      `json:"delivered,omitempty"` // the name of a report
	Capture  *taken      `json:"capture,omitempty"`
	Records  []record    `json:"records,omitempty"`
}

// fileName is the host's own record under Config.Dir. It holds card numbers, never CVV2, PIN digits or personal data.
const fileName = "acquirer.jsonl"

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
		line, err := r.ReadBytes('\n')
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		var s step
		if err := json.Unmarshal(line, &s); err != nil {
			return fmt.Errorf("%s: byte %d begins a line that is no step", fileName, whole)
		}
		replay(s)
		whole += int64(len(line))
	}
	if err := f.Truncate(whole); err != nil {
		return err
	}
	_, err := f.Seek(whole, io.SeekStart)
	return err
}

func (f *file) append(s step) error {
	if f.f == nil {
		return nil
	}
	line, err := json.Marshal(s)
	if err != nil {
		return err
	}
	_, err = f.f.Write(append(line, '\n'))
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
