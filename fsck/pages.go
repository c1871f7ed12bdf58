package fsck

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// files looks at the bytes of the database and of its logs: also at what was deleted or overwritten and is still there.
func (x *run) files() error {
	if err := x.layouts(); err != nil {
		return err
	}
	size, usable := 0, 0
	for _, part := range []struct {
		suffix       string
		head, before int // bytes in front of the first page, and of each
	}{{"", 0, 0}, {"-wal", 32, 24}, {"-journal", 0, 0}} {
		f, err := os.Open(x.Database + part.suffix)
		if part.suffix != "" && errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if part.suffix == "" {
			size, usable, err = geometry(f)
		}
		if err == nil {
			err = x.pages(bufio.NewReaderSize(f, 1<<20), "database"+part.suffix, part.head, part.before, size, usable)
		}
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
	return nil
}

// geometry reads the size of a page, and how much of it is used, from the head of the database.
func geometry(f *os.File) (size, usable int, err error) {
	var head [100]byte
	if _, err := f.ReadAt(head[:], 0); err != nil {
		return 0, 0, fmt.Errorf("the database has no head: %w", err)
	}
	if size = int(binary.BigEndian.Uint16(head[16:])); size == 1 {
		size = 1 << 16
	}
	usable = size - int(head[20])
	if size < 512 || size&(size-1) != 0 || usable < 480 {
		return 0, 0, errors.New("the database's head is no head")
	}
	return size, usable, nil
}

func (x *run) pages(r io.Reader, file string, head, before, size, usable int) error {
	if _, err := io.CopyN(io.Discard, r, int64(head)); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	buf, cut, known := make([]byte, before+size), make([]bool, size+1), make([]bool, size+1)
	for n := 1; ; n++ {
		got, err := io.ReadFull(r, buf)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) { // a log that grows as we read ends in the middle of a page
			return err
		}
		page := buf[min(before, got):got]
		clear(cut)
		clear(known)
		if len(page) == size {
			start := 0
			if file == "database" && n == 1 || before > 0 && binary.BigEndian.Uint32(buf) == 1 { // the first page begins with the head
				start = 100
			}
			cells(page, start, usable, cut, known)
		}
		x.leftovers(page, known, cut)
		x.did("secrets-files")
		row := fmt.Sprintf("page %d", n)
		for _, at := range runs(page, cut) {
			digits := at.of(page)
			switch _, foreign := x.opaque[string(digits)]; {
			case foreign: // reported where it stands
			case traceLike(digits):
				x.warn("secrets-files", file, row, "holds digits that look like a card number, and like two numbers of a network message")
			default:
				x.bad("secrets-files", file, row, "holds a card number")
			}
		}
		for _, name := range named(page) {
			x.bad("secrets-files", file, row, "holds a member %s", name)
		}
		if n := len(x.persons.in(page, cut)); n > 0 {
			x.bad("secrets-files", file, row, "holds %d values about people, or secrets of merchants", n)
		}
		if n := x.forbidden(page, cut); n > 0 {
			x.bad("secrets-files", file, row, "holds %d forbidden values", n)
		}
	}
}

// traceLike reports whether digits may be an audit number and a retrieval reference (rails §1.9) that stand side by side, as they did in a
// record whose beginning was overwritten.
func traceLike(digits []byte) bool {
	if len(digits) != 6+12 {
		return false
	}
	day, hour := string(digits[7:10]), string(digits[10:12])
	return "001" <= day && day <= "366" && hour <= "23"
}

// cells marks in cut where each value of each record of a b-tree page begins, so that neighbours are not read as one, and in known where
// there are records. The layout is that of the SQLite file format; a page that does not keep to it marks less.
func cells(page []byte, start, usable int, cut, known []bool) {
	kind, table := page[start], false
	first := start + 8
	child := 0 // bytes of the pointer in front of a cell
	switch kind {
	case 0x0d:
		table = true
	case 0x0a:
	case 0x02:
		first, child = start+12, 4
	default:
		return // an interior table page, an overflow page, or free: no records
	}
	for i := range int(binary.BigEndian.Uint16(page[start+3:])) {
		at := first + 2*i
		if at+2 > usable {
			return
		}
		cell := int(binary.BigEndian.Uint16(page[at:]))
		if cell+child >= usable {
			continue
		}
		cut[cell] = true
		end := mark(page[:usable], cell+child, usable, table, cut)
		for i := cell; i < end; i++ {
			known[i] = true
		}
	}
}

// mark does that for the record of one cell, and gives its end.
func mark(page []byte, at, usable int, table bool, cut []bool) (end int) {
	size, at := varint(page, at)
	if table {
		_, at = varint(page, at) // row id
	}
	end = min(at+local(size, usable, table), len(page))
	cut[end] = true
	length, next := varint(page, at)
	head := min(at+length, end)
	for value := head; next < head && value <= end; {
		cut[value] = true
		var serial int
		serial, next = varint(page, next)
		value += width(serial)
	}
	return end
}

// local is how much of a record stands on the page itself.
func local(size, usable int, table bool) int {
	most := usable - 35
	if !table {
		most = (usable-12)*64/255 - 23
	}
	if size <= most {
		return size
	}
	least := (usable-12)*32/255 - 23
	if k := least + (size-least)%(usable-4); k <= most {
		return k
	}
	return least
}

// width is the size of a value by its serial type.
func width(serial int) int {
	switch {
	case serial >= 12:
		return (serial - 12) / 2
	case serial < 8:
		return []int{0, 1, 2, 3, 4, 6, 8, 8}[serial]
	}
	return 0
}

// varint reads a variable-length integer; one that is larger than any page, or leaves this one, reads as some large number.
func varint(page []byte, at int) (value, next int) {
	const large = 1 << 31
	for i := 0; i < 9 && at+i < len(page); i++ {
		value = min(value, large)<<7 | int(page[at+i]&0x7f)
		if page[at+i] < 0x80 || i == 8 {
			return value, at + i + 1
		}
	}
	return large, len(page)
}
