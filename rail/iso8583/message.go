package iso8583

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"

	moov "github.com/moov-io/iso8583"
	moovErrors "github.com/moov-io/iso8583/errors"
)

// Message is one ISO 8583 message as plain values. It formats and logs itself masked, whatever the verb, and refuses to marshal.
// It is not safe for use by several goroutines while it is being filled.
type Message struct {
	mti string
	de  map[int]string // binary elements hold raw bytes
}

// NewMessage makes an empty message of one type, such as 0100.
func NewMessage(mti string) *Message { return &Message{mti, make(map[int]string, usual)} }

// usual is about how many elements a message has.
const usual = 24

// MTI is the message type.
func (m *Message) MTI() string { return m.mti }

// Get is the content of an element, "" if it is absent.
func (m *Message) Get(de int) string { return m.de[de] }

// Has reports whether the element is present.
func (m *Message) Has(de int) bool { _, ok := m.de[de]; return ok }

// Set fills an element; empty text removes it, because an empty element must never be sent (rails §1.17 L8).
func (m *Message) Set(de int, value string) *Message {
	if value == "" {
		delete(m.de, de)
	} else {
		m.de[de] = value
	}
	return m
}

// Clone is an independent copy.
func (m *Message) Clone() *Message { return &Message{m.mti, maps.Clone(m.de)} }

// FieldError says which element of a message is wrong, and never with what content.
type FieldError struct {
	DE     int
	Reason string
}

func (e *FieldError) Error() string { return "DE" + strconv.Itoa(e.DE) + ": " + e.Reason }

// check refuses what the codec would refuse only when packing, or not at all: wrong width, wrong alphabet (rails §1.17 L4, L5).
func (m *Message) check() error {
	if len(m.mti) != 4 || !all(m.mti, isDigit) {
		return &FieldError{0, "a message type has four digits"}
	}
	var first *FieldError // the lowest, whatever the order of the map
	for de, value := range m.de {
		reason := "no such element"
		if de >= 2 && de <= 128 && de != 65 {
			reason = elementOf(de).refuses(value)
		}
		if reason != "" && (first == nil || de < first.DE) {
			first = &FieldError{de, reason}
		}
	}
	if first != nil {
		return first
	}
	return nil
}

func (e element) refuses(value string) string {
	switch {
	case !e.variable && len(value) != e.length:
		return fmt.Sprintf("must be %d long, is %d", e.length, len(value))
	case len(value) > e.length:
		return fmt.Sprintf("may be %d long, is %d", e.length, len(value))
	}
	switch e.kind {
	case "b":
		return ""
	case "n":
		if !all(value, isDigit) {
			return "must be digits"
		}
	case "x+n":
		if value[0] != 'C' && value[0] != 'D' || !all(value[1:], isDigit) {
			return "must be C or D and digits"
		}
	default:
		if !all(value, isPrintable) {
			return "must be printable ASCII"
		}
	}
	return ""
}

func all(text string, is func(byte) bool) bool {
	for i := range len(text) {
		if !is(text[i]) {
			return false
		}
	}
	return true
}

func isDigit(c byte) bool     { return c >= '0' && c <= '9' }
func isPrintable(c byte) bool { return c >= 0x20 && c <= 0x7E }

// pack writes the message in the format of a profile's Spec.
func (m *Message) pack(spec *moov.MessageSpec) ([]byte, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	w := moov.NewMessage(spec)
	w.MTI(m.mti)
	for de, value := range m.de {
		if err := w.BinaryField(de, []byte(value)); err != nil {
			return nil, &FieldError{de, "cannot be set"}
		}
	}
	raw, err := w.Pack()
	if err != nil {
		return nil, &FieldError{0, "cannot be packed"} // the library's error may quote content
	}
	return raw, nil
}

// ErrUnreadable says that bytes are no message of this dialect. It carries no part of them.
var ErrUnreadable = errors.New("unreadable message")

// unpack reads a message. Bytes left over make it unreadable: the host meant something that we did not see. What could be read
// of an unreadable message comes with the error, so that the request it answers can be found.
func unpack(spec *moov.MessageSpec, raw []byte) (*Message, error) {
	r := moov.NewMessage(spec)
	failure := r.Unpack(raw)
	m := NewMessage("")
	for de := range r.GetFields() {
		value, err := r.GetBytes(de)
		switch {
		case err != nil:
			return m, fmt.Errorf("%w: at DE%d", ErrUnreadable, de)
		case de == 0:
			m.mti = string(value)
		case de > 1:
			m.de[de] = string(value)
		}
	}
	if failure != nil { // its text may quote content, its field number cannot
		var at *moovErrors.UnpackError
		if errors.As(failure, &at) {
			return m, fmt.Errorf("%w: at DE%s", ErrUnreadable, at.FieldID)
		}
		return m, ErrUnreadable
	}
	if again, err := r.Pack(); err != nil || len(again) != len(raw) {
		return m, fmt.Errorf("%w: bytes after the last element", ErrUnreadable)
	}
	if len(m.mti) != 4 || !all(m.mti, isDigit) {
		return m, fmt.Errorf("%w: no message type", ErrUnreadable)
	}
	return m, nil
}

// shown are the elements whose content may stand in a log. The list is of what is harmless, so that an element nobody thought
// of stays masked: DE2, 14, 34-36, 38, 45, 48, 52, 55 and every private one (rails §1.17 L6).
var shown = map[int]bool{
	3: true, 4: true, 7: true, 11: true, 12: true, 13: true, 15: true, 18: true, 22: true, 24: true, 25: true,
	32: true, 37: true, 39: true, 41: true, 42: true, 49: true, 66: true, 70: true, 90: true,
}

// String is the masked message: type, harmless elements, and the mere presence of all others.
func (m *Message) String() string {
	if m == nil {
		return "<nil>"
	}
	var b strings.Builder
	b.WriteString(m.mti)
	for _, de := range slices.Sorted(maps.Keys(m.de)) {
		fmt.Fprintf(&b, " %d=%s", de, m.masked(de))
	}
	return b.String()
}

// A harmless element is shown only if its content is what it should be: a host may put anything anywhere.
func (m *Message) masked(de int) string {
	if value := m.de[de]; shown[de] && elementOf(de).refuses(value) == "" {
		return value
	}
	return "***"
}

// Format masks the message under every verb.
func (m *Message) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(m.String())) }

// LogValue is the masked message as a group.
func (m *Message) LogValue() slog.Value {
	if m == nil {
		return slog.StringValue("<nil>")
	}
	attrs := []slog.Attr{slog.String("mti", m.mti)}
	for _, de := range slices.Sorted(maps.Keys(m.de)) {
		attrs = append(attrs, slog.String("de"+strconv.Itoa(de), m.masked(de)))
	}
	return slog.GroupValue(attrs...)
}

var errNoMarshal = errors.New("a card message does not marshal")

// MarshalJSON always fails: a card message in JSON is a leak.
func (m *Message) MarshalJSON() ([]byte, error) { return nil, errNoMarshal }

// MarshalText always fails.
func (m *Message) MarshalText() ([]byte, error) { return nil, errNoMarshal }
