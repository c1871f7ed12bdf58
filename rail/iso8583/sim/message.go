package sim

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	moov "github.com/moov-io/iso8583"
)

// elements is one message: the text of each data element by its number; 0 is the MTI.
type elements map[int]string

// decode reads a body as far as it can be read. The error says where it stops, never what stood there.
func decode(spec *moov.MessageSpec, body []byte) (elements, error) {
	message := moov.NewMessage(spec)
	broken := message.Unpack(body)
	m := elements{}
	for de := range message.GetFields() {
		if text, err := message.GetString(de); err == nil && de != 1 {
			m[de] = text
		}
	}
	if broken != nil {
		return m, errors.New("the message breaks off")
	}
	if again, err := message.Pack(); err != nil || len(again) != len(body) {
		return m, errors.New("bytes follow the last element")
	}
	return m, nil
}

func encode(spec *moov.MessageSpec, m elements) ([]byte, error) {
	message := moov.NewMessage(spec)
	for de, text := range m {
		if err := message.Field(de, text); err != nil {
			return nil, fmt.Errorf("DE%d cannot be set", de)
		}
	}
	body, err := message.Pack()
	if err != nil {
		return nil, errors.New("the message cannot be packed")
	}
	return body, nil
}

// base is the MTI without the mark of a repeat: 0421 is a 0420 (rails §1.6).
func (m elements) base() string {
	mti := m[0]
	if len(mti) == 4 && (mti[3] == '1' || mti[3] == '3') {
		return mti[:3] + string(mti[3]-1)
	}
	return mti
}

func (m elements) repeat() bool { return m.base() != m[0] }

// request tells whether the message asks for an answer: its function digit is even.
func (m elements) request() bool { return len(m[0]) == 4 && (m[0][2]-'0')%2 == 0 }

// answerMTI is function + 1 without the repeat mark.
func (m elements) answerMTI() string {
	b := m.base()
	return b[:2] + string(b[2]+1) + b[3:]
}

// key is what makes a message itself and no other (rails §1.12).
func (m elements) key() string {
	return strings.Join([]string{m.base(), m[11], m[7], m[32], m[41], m[42]}, "|")
}

// name is how a later message calls this one: the first 31 digits of its DE90, and the terminal.
func (m elements) name() string { return m.base() + m[11] + m[7] + zeroFilled(m[32]) + "|" + m[41] }

// original is the name of the message that DE90 points at.
func (m elements) original() string {
	if len(m[90]) != 42 {
		return ""
	}
	return elements{0: m[90][:4]}.base() + m[90][4:31] + "|" + m[41]
}

// wantsMoney tells whether a message asks for the holder's money, now or later, or whether it would be there: a 0100, or a sale.
func (m elements) wantsMoney() bool {
	return m.base() == "0100" || m.base() == "0200" && strings.HasPrefix(m[3], "00")
}

func zeroFilled(de32 string) string { return strings.Repeat("0", max(0, 11-len(de32))) + de32 }

func (m elements) amount() int64 { return whole(m[4]) }

func whole(digits string) int64 {
	n, _ := strconv.ParseInt(digits, 10, 64) // the format check has seen to it that there are at most 16 digits
	return n
}

// tags takes DE48 apart; lengthDigits is 2 or 3 (rails §1.5).
func tags(de48 string, lengthDigits int) (map[string]string, error) {
	found := map[string]string{}
	for rest := de48; rest != ""; {
		if len(rest) < 2+lengthDigits {
			return nil, errors.New("DE48 breaks off")
		}
		tag, digits := rest[:2], rest[2:2+lengthDigits]
		n, err := decimal(digits)
		rest = rest[2+lengthDigits:]
		if _, twice := found[tag]; err != nil || n > len(rest) || twice {
			return nil, errors.New("DE48 has a broken or repeated tag")
		}
		found[tag], rest = rest[:n], rest[n:]
	}
	return found, nil
}

// private puts DE48 together, in the order of the tags.
func private(tags map[string]string, lengthDigits int) string {
	var b strings.Builder
	for _, tag := range slices.Sorted(maps.Keys(tags)) {
		fmt.Fprintf(&b, "%s%0*d%s", tag, lengthDigits, len(tags[tag]), tags[tag])
	}
	return b.String()
}

// secretTags may stand in the first transmission of 0100 and 0200 only (rails §1.5).
var secretTags = []string{"CV", "PW", "CG", "BD", "BN", "CN"}

var onlyDigits = regexp.MustCompile(`^[0-9]+$`)

// shapes is what an element must look like; the codec has already seen to the width of the fixed ones.
var shapes = map[int]*regexp.Regexp{
	2: regexp.MustCompile(`^[0-9]{13,19}$`), 3: onlyDigits, 4: onlyDigits, 7: onlyDigits, 11: onlyDigits, 12: onlyDigits,
	13: onlyDigits, 14: onlyDigits, 18: onlyDigits, 19: onlyDigits, 22: onlyDigits, 25: onlyDigits, 32: onlyDigits,
	37: regexp.MustCompile(`^[0-9A-Z]{12}$`), 41: printable, 42: printable, 43: printable, 48: printable, 49: onlyDigits,
	50: onlyDigits, 70: onlyDigits, 74: onlyDigits, 75: onlyDigits, 76: onlyDigits, 77: onlyDigits, 86: onlyDigits, 87: onlyDigits,
	88: onlyDigits, 89: onlyDigits, 90: onlyDigits, 95: onlyDigits, 97: regexp.MustCompile(`^[CD][0-9]{16}$`), 99: onlyDigits,
}

var printable = regexp.MustCompile(`^[ -~]+$`)

// wellFormed is the first check of rails §1.19: mandatory elements there, every element of its kind, secrets only where they may be.
func wellFormed(m elements, need []int, lengthDigits int) error {
	for _, de := range need {
		if m[de] == "" {
			return fmt.Errorf("DE%d is missing", de)
		}
	}
	for de, text := range m {
		if shape := shapes[de]; shape != nil && !shape.MatchString(text) {
			return fmt.Errorf("DE%d is not of its kind", de)
		}
	}
	if _, err := time.Parse("0102150405", m[7]); err != nil {
		return errors.New("DE7 is no date and time")
	}
	private, err := tags(m[48], lengthDigits)
	if err != nil {
		return err
	}
	if first := m[0] == "0100" || m[0] == "0200"; !first {
		for _, tag := range secretTags {
			if _, there := private[tag]; there {
				return fmt.Errorf("DE48 %s may not be sent again", tag)
			}
		}
	}
	return nil
}

// masked shows a card number as its first six and last four digits.
func masked(pan string) string {
	if len(pan) < 13 {
		return strings.Repeat("*", len(pan))
	}
	return pan[:6] + strings.Repeat("*", len(pan)-10) + pan[len(pan)-4:]
}
