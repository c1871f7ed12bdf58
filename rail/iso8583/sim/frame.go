package sim

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"

	"naru/rail/iso8583"
)

// A frame is what stands between two length headers (rails §1.2). Shorter or longer ones are garbage and end the connection.
const (
	shortest = 20
	longest  = 8192
)

var errGarbage = errors.New("not a frame of this dialect")

// framing reads and writes frames as the profile says. It is written apart from the connector's, so that one mistake cannot
// be made, and missed, on both ends.
type framing struct {
	header header
	tpdu   bool
	own    []byte // the TPDU of a message that the host starts
}

type frame struct {
	tpdu []byte // nil where the profile has none
	body []byte // nil is a keep-alive
}

type header struct {
	width int
	put   func(length int) []byte
	get   func(head []byte) (int, error)
}

var headers = map[string]header{
	"bin2": {
		2,
		func(n int) []byte { return binary.BigEndian.AppendUint16(nil, uint16(n)) },
		func(b []byte) (int, error) { return int(binary.BigEndian.Uint16(b)), nil },
	},
	"ascii4": {
		4,
		func(n int) []byte { return fmt.Appendf(nil, "%04d", n) },
		func(b []byte) (int, error) { return decimal(string(b)) },
	},
	"bcd2": {
		2,
		func(n int) []byte { return bcd(fmt.Sprintf("%04d", n)) },
		func(b []byte) (int, error) { return decimal(hex.EncodeToString(b)) },
	},
	"vml": {
		4, // two bytes of length, two of format and session control, which we leave empty
		func(n int) []byte { return append(binary.BigEndian.AppendUint16(nil, uint16(n)), 0, 0) },
		func(b []byte) (int, error) { return int(binary.BigEndian.Uint16(b)), nil },
	},
}

func newFraming(p iso8583.Profile) (framing, error) {
	h, ok := headers[p.Header]
	if !ok {
		return framing{}, fmt.Errorf("length header %q is not known", p.Header)
	}
	f := framing{header: h, tpdu: p.TPDU.Enabled}
	if f.tpdu {
		f.own = swapped(append([]byte{0x60}, bcd(p.TPDU.Dest+p.TPDU.Src)...))
	}
	return f, nil
}

// read takes one whole frame, however the network cut it.
func (f framing) read(r *bufio.Reader) (frame, error) {
	head := make([]byte, f.header.width)
	if _, err := io.ReadFull(r, head); err != nil {
		return frame{}, err
	}
	length, err := f.header.get(head)
	if err != nil || length == 0 {
		return frame{}, err
	}
	if length < shortest || length > longest {
		return frame{}, errGarbage
	}
	body := make([]byte, length)
	if _, err := io.ReadFull(r, body); err != nil {
		return frame{}, err
	}
	if !f.tpdu {
		return frame{body: body}, nil
	}
	if body[0] != 0x60 {
		return frame{}, errGarbage
	}
	return frame{tpdu: body[:5], body: body[5:]}, nil
}

// waiting tells whether another whole frame has arrived already: then the peer pipelines.
func (f framing) waiting(r *bufio.Reader) bool {
	if r.Buffered() < f.header.width {
		return false
	}
	head, err := r.Peek(f.header.width)
	if err != nil {
		return false
	}
	length, err := f.header.get(head)
	return err == nil && r.Buffered() >= f.header.width+length
}

// write is the bytes of one frame: header, TPDU, body.
func (f framing) write(tpdu, body []byte) []byte {
	return bytes.Join([][]byte{f.header.put(len(tpdu) + len(body)), tpdu, body}, nil)
}

// swapped is the TPDU of the answer: destination and source change places.
func swapped(tpdu []byte) []byte {
	if tpdu == nil {
		return nil
	}
	return bytes.Join([][]byte{tpdu[:1], tpdu[3:5], tpdu[1:3]}, nil)
}

func decimal(digits string) (int, error) {
	if !onlyDigits.MatchString(digits) {
		return 0, errGarbage
	}
	return strconv.Atoi(digits)
}

// bcd packs an even number of digits, two to a byte; text that is no digits packs to nothing.
func bcd(digits string) []byte {
	packed, _ := hex.DecodeString(digits)
	return packed
}
