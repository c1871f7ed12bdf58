package sim

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/go-json-experiment/json"
)

// step is everything that happened at once. It is one line of the file, written before anybody hears of it: a bank that dies has either not
// seen an order or knows all about it. A line cut off by death is dropped.
type step struct {
	Transactions []*Transaction `json:"transactions,omitzero"` // new or changed, like all of these
	Orders       []*order       `json:"orders,omitzero"`
	Payments     []*Payment     `json:"payments,omitzero"`
	Reports      []*report      `json:"reports,omitzero"`
	Serial       int            `json:"serial,omitzero"` // of ids
	Numbers      map[string]int `json:"numbers,omitzero"`
}

// fileName is the bank's own record under Config.Dir. It holds payers' names and accounts, as a bank's does.
const fileName = "deposits.jsonl"

// file appends steps. It is not synced: it survives the death of the process, not of the machine.
type file struct{ f *os.File }

func openFile(dir string, replay func(step)) (*file, error) {
	if dir == "" {
		return &file{}, nil
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
	return cut(f, whole)
}

// cut drops what follows the first bytes and goes on from there.
func cut(f *os.File, whole int64) error {
	if err := f.Truncate(whole); err != nil {
		return err
	}
	_, err := f.Seek(whole, io.SeekStart)
	return err
}

func (f *file) append(s *step) error {
	if f.f == nil {
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
	return cut(f.f, 0)
}

func (f *file) close() error {
	if f.f == nil {
		return nil
	}
	return f.f.Close()
}
