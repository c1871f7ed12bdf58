package iso8583

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"
)

func framed(header string, tpdu bool) Profile {
	return Profile{Header: header, TPDU: TPDU{Enabled: tpdu, Dest: "0012", Src: "0034"}}
}

func TestFrameBytes(t *testing.T) {
	body := bytes.Repeat([]byte("x"), 0x0123-tpduSize)
	for header, want := range map[string]string{"bin2": "0123", "ascii4": "30323931", "bcd2": "0291", "vml": "01230000"} {
		raw, err := framed(header, true).frame(body)
		if got := hex.EncodeToString(raw[:len(raw)-len(body)]); err != nil || got != want+"6000120034" {
			t.Errorf("%s: %s, %v", header, got, err)
		}
		if _, err := framed(header, false).frame(make([]byte, maxFrame+1)); err == nil {
			t.Errorf("%s: a message too long was framed", header)
		}
	}
}

// Frames survive any splitting and gluing, with heartbeats between them.
func TestFramesRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := framed(rapid.SampledFrom([]string{"bin2", "ascii4", "bcd2", "vml"}).Draw(t, "header"), rapid.Bool().Draw(t, "tpdu"))
		bodies := rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), minFrame, 300), 1, 4).Draw(t, "bodies")
		var line []byte
		for _, body := range bodies {
			raw, err := p.frame(body)
			if err != nil {
				t.Fatal(err)
			}
			for range rapid.IntRange(0, 2).Draw(t, "heartbeats") {
				line = append(line, lengthHeaders[p.Header].put(0)...)
			}
			line = append(line, raw...)
		}
		for _, split := range []func(io.Reader) io.Reader{iotest.OneByteReader, iotest.HalfReader, iotest.DataErrReader} {
			r := bufio.NewReader(split(bytes.NewReader(line)))
			for _, want := range bodies {
				if got, err := p.readFrame(r); err != nil || !bytes.Equal(got, want) {
					t.Fatalf("%x, %v; want %x", got, err, want)
				}
			}
			if _, err := p.readFrame(r); !errors.Is(err, io.EOF) {
				t.Fatal(err)
			}
		}
	})
}

func TestGarbageFrames(t *testing.T) {
	for line, p := range map[string]Profile{
		"\x00\x13" + "1234567890123456789": framed("bin2", false), "\x20\x01": framed("bin2", false), "GET / HT": framed("ascii4", false),
		"+100": framed("ascii4", false), "-001": framed("ascii4", false),
		"\x1A\x00": framed("bcd2", false), "\x08\x01\x00\x00": framed("vml", false),
		"\x00\x18" + "0800abcdefghijklmnopqrst": framed("bin2", true),
	} {
		if _, err := p.readFrame(bufio.NewReader(bytes.NewReader([]byte(line)))); !errors.Is(err, errGarbage) {
			t.Errorf("%q: %v", line, err)
		}
	}
	half := bufio.NewReader(bytes.NewReader([]byte("\x00\x40half")))
	if _, err := framed("bin2", false).readFrame(half); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a frame cut off: %v", err)
	}
}
