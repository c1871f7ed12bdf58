package iso8583

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// A frame is the length header, the TPDU if there is one, and the message (rails §1.2).
const (
	minFrame = 20
	maxFrame = 8192
	tpduSize = 5
)

// errGarbage says that the host's bytes are no frames: the connection cannot be trusted any further.
var errGarbage = errors.New("garbage on the line")

// lengthHeader writes and reads one kind of header.
type lengthHeader struct {
	size int
	max  int
	put  func(n int) []byte
	get  func(header []byte) (n int, ok bool)
}

var lengthHeaders = map[string]lengthHeader{
	"bin2": {
		2, maxFrame,
		func(n int) []byte { return binary.BigEndian.AppendUint16(nil, uint16(n)) },
		func(h []byte) (int, bool) { return int(binary.BigEndian.Uint16(h)), true },
	},
	"ascii4": {
		4, maxFrame,
		func(n int) []byte { return fmt.Appendf(nil, "%04d", n) },
		func(h []byte) (int, bool) { return decimal(string(h)) },
	},
	"bcd2": {
		2, maxFrame,
		func(n int) []byte { return []byte{byte(n/1000<<4 | n/100%10), byte(n/10%10<<4 | n%10)} },
		func(h []byte) (int, bool) { return decimal(hex.EncodeToString(h)) },
	},
	"vml": {
		4, 2048, // length and two reserved bytes; the low nibble of the last one marks a heartbeat
		func(n int) []byte { return []byte{byte(n >> 8), byte(n), 0, 0} },
		func(h []byte) (int, bool) { return int(binary.BigEndian.Uint16(h)), true },
	},
}

func decimal(digits string) (int, bool) {
	n, err := strconv.Atoi(digits)
	return n, err == nil && all(digits, isDigit)
}

// frame makes one buffer of a message, so that it leaves in one write.
func (p Profile) frame(message []byte) ([]byte, error) {
	h, body := lengthHeaders[p.Header], message
	if p.TPDU.Enabled {
		tpdu, err := hex.DecodeString("60" + p.TPDU.Dest + p.TPDU.Src)
		if err != nil {
			return nil, fmt.Errorf("tpdu: %w", err)
		}
		body = append(tpdu, message...)
	}
	if len(body) > h.max {
		return nil, fmt.Errorf("a message of %d bytes does not fit the header", len(body))
	}
	return append(h.put(len(body)), body...), nil
}

// readFrame reads the next message. Empty frames are heartbeats and are passed over.
func (p Profile) readFrame(r *bufio.Reader) ([]byte, error) {
	h := lengthHeaders[p.Header]
	header := make([]byte, h.size)
	for {
		if _, err := io.ReadFull(r, header); err != nil {
			return nil, err
		}
		n, ok := h.get(header)
		if ok && n == 0 {
			continue
		}
		if !ok || n < minFrame || n > h.max {
			return nil, errGarbage
		}
		body := make([]byte, n)
		if _, err := io.ReadFull(r, body); err != nil {
			return nil, err
		}
		if !p.TPDU.Enabled {
			return body, nil
		}
		if body[0] != 0x60 {
			return nil, errGarbage
		}
		return body[tpduSize:], nil
	}
}
