package fsck

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// layout is how the records of one table or index are made: what each value may be, in the order in which they are stored.
type layout struct {
	values []storage
	table  bool // with a row id in front
}

// storage is what a value may be stored as.
type storage uint8

const (
	anything storage = iota
	aText
	aNumber
	aBlob
)

var storages = map[string]storage{"TEXT": aText, "BIGINT": aNumber, "BOOLEAN": aNumber, "INTEGER": aNumber, "BYTEA": aBlob}

// takes reports whether a value of a serial type is that; NULL always is.
func (s storage) takes(serial int) bool {
	switch {
	case serial == 10, serial == 11:
		return false
	case serial == 0, s == anything:
		return true
	case s == aText:
		return serial >= 13 && serial%2 == 1
	case s == aBlob:
		return serial >= 12 && serial%2 == 0
	}
	return serial < 10
}

// recordLayouts are the columns of each table with row ids, and of each index; a table without row ids is the index of its key.
const recordLayouts = `
SELECT t.name, TRUE, c.type FROM pragma_table_list AS t JOIN pragma_table_info(t.name) AS c
 WHERE t.schema = 'main' AND t.type = 'table' AND NOT t.wr
 UNION ALL
SELECT i.name, FALSE, COALESCE((SELECT c.type FROM pragma_table_info(t.name) AS c WHERE c.cid = k.cid),
                                CASE k.cid WHEN -1 THEN 'INTEGER' ELSE '' END)
  FROM pragma_table_list AS t JOIN pragma_index_list(t.name) AS i JOIN pragma_index_xinfo(i.name) AS k
 WHERE t.schema = 'main' AND t.type = 'table'`

// layouts learns how records are made.
func (x *run) layouts() error {
	last := ""
	return x.each(recordLayouts, func(scan func(...any) error) error {
		var name, kind string
		var table bool
		err := scan(&name, &table, &kind)
		if name != last {
			x.shapes = append(x.shapes, layout{table: table})
			last = name
		}
		l := &x.shapes[len(x.shapes)-1]
		l.values = append(l.values, storages[strings.ToUpper(kind)])
		return err
	})
}

// leftovers marks in cut where values begin in records that were on a page before: pages are rebuilt in place, and what is not overwritten
// stays. No pointer leads there, so a record is looked for in front of each number that is long enough, and counts only where it is whole
// up to that: its size, its header, the kind of each value of some table or index, and its texts.
func (x *run) leftovers(page []byte, known, cut []bool) {
	for from, to := 0, 0; from < len(page); from = max(from+1, to) {
		for to = from; digit(page, to) && (to == from || !cut[to]); {
			to++
		}
		if to-from < 13 || known[from] {
			continue
		}
		for at := from - 1; at > 0; at-- {
			if starts, ok := x.record(page, at, from); ok && starts[len(starts)-1] > from {
				for _, i := range starts {
					i = min(i, len(page))
					cut[i] = cut[i] || !known[i]
				}
				break
			}
		}
	}
}

// record reads what may be the header of a record, and gives where its values begin, and the last one ends. Its texts up to a place are
// texts.
func (x *run) record(page []byte, at, upTo int) (starts []int, ok bool) {
	size, next := varint(page, at)
	head := at + size
	if size < 2 || head > upTo {
		return nil, false
	}
	var serials []int
	value := head
	for next < head {
		var serial int
		serial, next = varint(page, next)
		if start := value; serial >= 13 && serial%2 == 1 && start+width(serial) <= upTo && !textual(page[start:start+width(serial)]) {
			return nil, false
		}
		serials, starts = append(serials, serial), append(starts, value)
		value += width(serial)
	}
	if next != head {
		return nil, false
	}
	for _, l := range x.shapes {
		if l.fits(serials) && l.sized(page, at, value-at) {
			return append(starts, value), true
		}
	}
	return nil, false
}

func textual(b []byte) bool {
	return utf8.Valid(b) && !slices.ContainsFunc(b, func(c byte) bool { return c < ' ' && c != '\n' && c != '\t' })
}

func (l layout) fits(serials []int) bool {
	if len(serials) != len(l.values) {
		return false
	}
	for i, s := range l.values {
		if !s.takes(serials[i]) {
			return false
		}
	}
	return true
}

// sized reports whether the size of a record stands in front of it, and of a row id where it has one.
func (l layout) sized(page []byte, at, size int) bool {
	for _, front := range backwards(page, at) {
		before := []int{front}
		if l.table {
			before = backwards(page, front)
		}
		for _, i := range before {
			if have, _ := varint(page, i); have == size {
				return true
			}
		}
	}
	return false
}

// backwards are the places where a variable-length integer may begin that ends in front of another place.
func backwards(page []byte, at int) (list []int) {
	for i := at - 1; i >= max(0, at-9); i-- {
		if _, end := varint(page, i); end == at {
			list = append(list, i)
		}
	}
	return list
}
