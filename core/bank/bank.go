// Package bank knows the institutions of Korea by the codes that transfers name them with (rails §3.8). No list is complete: money that
// comes from an institution that is not here is money all the same. Only what we send needs a bank that can take it.
package bank

import (
	_ "embed"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
)

// Bank is an institution.
type Bank struct {
	Code    string // three digits
	Legacy  string // the two digits that older systems say; empty where there never were any
	Name    string // as the merchant API calls it (merchant-gateway §12); empty where nobody can pay to it
	English string
	Korean  string
	Chinese string // traditional
	Ours    bool   // Name is our own: it stands in no page of the merchant API
	Pays    bool   // it can receive a transfer: what was merged into another, or holds nobody's account, cannot
}

// Table is institutions by code. Its zero value knows nobody.
type Table struct {
	banks   []Bank // by code
	classes []class
}

// class is a range of codes of which only the trade is known.
type class struct {
	first, last string
	Bank
}

//go:embed banks.csv
var shipped string

// Shipped is the table that comes with this program.
var Shipped = func() Table {
	t, err := Table{}.With(strings.NewReader(shipped))
	if err != nil {
		panic("bank: the embedded table is broken: " + err.Error())
	}
	return t
}()

// Lookup finds an institution in the shipped table.
func Lookup(code string) (Bank, bool) { return Shipped.Lookup(code) }

// ByName finds an institution in the shipped table by the merchant API's name.
func ByName(name string) (Bank, bool) { return Shipped.ByName(name) }

// List is every institution of the shipped table.
func List() []Bank { return Shipped.List() }

// Lookup finds an institution by its three-digit code.
func (t Table) Lookup(code string) (Bank, bool) {
	if at, ok := t.find(code); ok {
		return t.banks[at], true
	}
	for _, c := range t.classes {
		if len(code) == len(c.first) && digits.MatchString(code) && c.first <= code && code <= c.last {
			b := c.Bank
			b.Code = code
			return b, true
		}
	}
	return Bank{}, false
}

// ByName finds an institution by the merchant API's name of it.
func (t Table) ByName(name string) (Bank, bool) {
	for _, b := range t.banks {
		if name != "" && b.Name == name {
			return b, true
		}
	}
	return Bank{}, false
}

// List is every institution that has a code of its own, by code.
func (t Table) List() []Bank { return slices.Clone(t.banks) }

func (t Table) find(code string) (int, bool) {
	return slices.BinarySearchFunc(t.banks, code, func(b Bank, code string) int { return strings.Compare(b.Code, code) })
}

var (
	digits = regexp.MustCompile(`^[0-9]{3}$`)
	legal  = regexp.MustCompile(`^[A-Z0-9_]{1,40}$`)
	header = []string{"code", "pays", "ours", "name", "english", "korean", "chinese"}
)

// With is the table with the rows of a file, which has the columns of banks.csv. A row takes the place of the one with its code.
func (t Table) With(file io.Reader) (Table, error) {
	r := csv.NewReader(file)
	r.Comment, r.FieldsPerRecord = '#', len(header)
	rows, err := r.ReadAll()
	if err != nil {
		return t, err
	}
	if len(rows) == 0 || !slices.Equal(rows[0], header) {
		return t, fmt.Errorf("the first line must be %s", strings.Join(header, ","))
	}
	t.banks, t.classes = slices.Clone(t.banks), slices.Clone(t.classes)
	for _, row := range rows[1:] {
		if err := t.set(row); err != nil {
			return t, fmt.Errorf("%s: %w", row[0], err)
		}
	}
	named := map[string]string{}
	for _, b := range t.banks {
		if other, twice := named[b.Name]; twice && b.Name != "" {
			return t, fmt.Errorf("%s and %s have one name: %s", other, b.Code, b.Name)
		}
		named[b.Name] = b.Code
	}
	return t, nil
}

func (t *Table) set(row []string) error {
	b := Bank{Code: row[0], Pays: row[1] == "x", Ours: row[2] == "x", Name: row[3], English: row[4], Korean: row[5], Chinese: row[6]}
	switch {
	case row[1] != "" && !b.Pays, row[2] != "" && !b.Ours:
		return errors.New("pays and ours are x or empty")
	case b.Name != "" && !legal.MatchString(b.Name):
		return errors.New("name: capital letters, digits and _ are wanted")
	case b.English == "" || b.Korean == "" || b.Chinese == "":
		return errors.New("english, korean and chinese are wanted")
	case b.Pays != (b.Name != ""), b.Ours && b.Name == "":
		return errors.New("who can receive a transfer has a name, and nobody else")
	}
	if first, last, isRange := strings.Cut(b.Code, "-"); isRange {
		if !digits.MatchString(first) || !digits.MatchString(last) || first > last || b.Pays {
			return errors.New("a range is two codes of three digits, of institutions that receive no transfer")
		}
		b.Code = ""
		c := class{first, last, b}
		if at := slices.IndexFunc(t.classes, func(o class) bool { return o.first == first && o.last == last }); at >= 0 {
			t.classes[at] = c
		} else {
			t.classes = append(t.classes, c)
		}
		return nil
	}
	if !digits.MatchString(b.Code) {
		return errors.New("a code has three digits")
	}
	if b.Code < "100" {
		b.Legacy = b.Code[1:]
	}
	at, known := t.find(b.Code)
	if known {
		t.banks[at] = b
	} else {
		t.banks = slices.Insert(t.banks, at, b)
	}
	return nil
}
