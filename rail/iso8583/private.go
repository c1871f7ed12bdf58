package iso8583

import (
	"fmt"
	"strconv"
	"strings"
)

// privateTags is rails §1.5: the tags that we send in DE48, in the order in which we send them, with the lengths allowed.
// Minimum lengths are those of values that we make or that are fixed; what others make is only bounded from above.
var privateTags = []struct {
	tag      string
	min, max int
}{
	{"IN", 2, 2},
	{"BD", 6, 6},
	{"BN", 10, 10},
	{"PW", 2, 2},
	{"CN", 1, 88},
	{"CV", 3, 4},
	{"EC", 2, 2},
	{"CA", 1, 40},
	{"DS", 1, 36},
	{"TV", 1, 8},
	{"TS", 1, 36},
	{"CG", 1, 56},
	{"TT", 1, 1},
	{"CI", 1, 1},
	{"IR", 1, 1},
	{"SI", 1, 1},
	{"NT", 1, 36},
	{"SX", 1, 1},
	{"PR", 1, 1},
	{"AA", 1, 40},
	{"AP", 1, 10},
	{"AC", 2, 2},
	{"MR", 1, 40},
	{"OR", 12, 12},
	{"OD", 8, 8},
	{"AN", 1, 12},
}

func (p Profile) privateDigits() int {
	if p.PrivateLayout == "tag2len3" {
		return 3
	}
	return 2
}

// packPrivate writes DE48; empty values are left out. An error names the tag, never the value.
func (p Profile) packPrivate(values map[string]string) (string, error) {
	var b strings.Builder
	known := 0
	for _, t := range privateTags {
		v, given := values[t.tag]
		if given {
			known++
		}
		switch {
		case v == "":
			continue
		case len(v) < t.min || len(v) > t.max:
			return "", &FieldError{48, fmt.Sprintf("%s must be %d to %d long, is %d", t.tag, t.min, t.max, len(v))}
		case !all(v, isPrintable):
			return "", &FieldError{48, t.tag + " must be printable ASCII"}
		}
		length := strconv.Itoa(len(v))
		for _, text := range [...]string{t.tag, "000"[:p.privateDigits()-len(length)], length, v} {
			b.WriteString(text)
		}
	}
	if known != len(values) {
		panic("iso8583: DE48 is given a tag that the table does not know")
	}
	return b.String(), nil
}

// readPrivate takes DE48 of an answer apart. Unknown tags are kept and do no harm; what follows a broken length is dropped, because
// an approval must not be lost over a remark. Of a tag that comes twice the first counts.
func (p Profile) readPrivate(de48 string) map[string]string {
	values, digits := map[string]string{}, p.privateDigits()
	for len(de48) >= 2+digits {
		tag, rest := de48[:2], de48[2+digits:]
		n, err := strconv.ParseUint(de48[2:2+digits], 10, 16)
		if err != nil || int(n) > len(rest) {
			break
		}
		if _, twice := values[tag]; !twice {
			values[tag] = printable(rest[:n])
		}
		de48 = rest[n:]
	}
	return values
}

// printable replaces what is not printable ASCII, so that a host's bytes cannot become anything else further on.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7E {
			return '?'
		}
		return r
	}, text)
}
