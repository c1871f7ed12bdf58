package bankfeed

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"golang.org/x/text/encoding/htmlindex"

	"naru/core/deposit"
	"naru/core/payout"
)

// Feed is who tells us of an account.
type Feed struct {
	ID      string
	Bank    string            // institution code of the bank, where its messages do not say
	BICs    map[string]string // institution codes by the first eight letters of a BIC, for banks that name others by nothing else
	Payouts string            // the payout bank of ours whose orders it reports on; empty for none
}

// Document is what one XML document told: of bookings, or of orders.
type Document struct {
	ID       string
	Bookings *deposit.Message // camt.054, camt.053
	News     []payout.News    // pain.002
}

// Limits of a document (rails §3.3).
const (
	largestDocument = 16 << 20
	deepest         = 32
)

// ErrUnfinished says that a document is not well formed, as one is that somebody still writes.
var ErrUnfinished = errors.New("not a well-formed document")

// document is every document that we take, by local names: the version stands in the name space, and does not matter (rails §3.3).
type document struct {
	XMLName      xml.Name
	Notification *cashMessage  `xml:"BkToCstmrDbtCdtNtfctn"`
	Statement    *cashMessage  `xml:"BkToCstmrStmt"`
	Report       *statusReport `xml:"CstmrPmtStsRpt"`
}

// Read reads a document of a feed. Its errors say where something is wrong, and never quote what stands there.
func Read(f Feed, body []byte) (Document, error) {
	if len(body) > largestDocument {
		return Document{}, errors.New("the document is larger than 16 MiB")
	}
	var d document
	if err := parse(body, &d); err != nil {
		return Document{}, err
	}
	switch {
	case d.XMLName.Local != "Document":
	case d.Notification != nil && d.Statement == nil && d.Report == nil:
		return f.bookings(deposit.Notification, *d.Notification, body)
	case d.Statement != nil && d.Notification == nil && d.Report == nil:
		return f.bookings(deposit.Statement, *d.Statement, body)
	case d.Report != nil && d.Notification == nil && d.Statement == nil:
		return f.answers(*d.Report)
	}
	return Document{}, errors.New("the document is none of camt.054, camt.053 and pain.002")
}

// parse reads exactly one root element.
func parse(body []byte, into any) error {
	s := &shallow{d: xml.NewDecoder(bytes.NewReader(body))}
	s.d.CharsetReader = charset
	err := xml.NewTokenDecoder(s).Decode(into)
	for err == nil {
		var t xml.Token
		switch t, err = s.Token(); t := t.(type) {
		case xml.CharData:
			if len(bytes.TrimSpace(t)) > 0 {
				err = errors.New("text behind the document")
			}
		case xml.StartElement, xml.EndElement:
			err = errors.New("elements behind the document")
		}
	}
	if s.refused != nil {
		return s.refused
	}
	if err != io.EOF || !s.any {
		line, _ := s.d.InputPos()
		return fmt.Errorf("%w: line %d", ErrUnfinished, line)
	}
	return nil
}

// shallow gives the tokens of a document that is not too deep and declares no types of its own.
type shallow struct {
	d       *xml.Decoder
	depth   int
	any     bool
	refused error
}

func (s *shallow) Token() (xml.Token, error) {
	t, err := s.d.RawToken()
	switch t.(type) {
	case xml.StartElement:
		s.any = true
		if s.depth++; s.depth > deepest {
			s.refused = fmt.Errorf("the document is more than %d elements deep", deepest)
		}
	case xml.EndElement:
		s.depth--
	case xml.Directive:
		s.refused = errors.New("the document has a type declaration")
	}
	if s.refused != nil {
		return nil, s.refused
	}
	return t, err
}

// spoken are names of Korea's character set that no standard knows, and banks use.
var spoken = map[string]string{"cp949": "euc-kr", "ms949": "euc-kr", "uhc": "euc-kr"}

func charset(label string, in io.Reader) (io.Reader, error) {
	label = strings.ToLower(label)
	if known, ok := spoken[label]; ok {
		label = known
	}
	e, err := htmlindex.Get(label)
	if err != nil {
		return nil, err
	}
	return e.NewDecoder().Reader(in), nil
}

// clean is a text without line breaks and blanks that nobody meant, and no longer than most characters.
func clean(text string, most int) string {
	list := []rune(strings.Join(strings.Fields(text), " "))
	return string(list[:min(most, len(list))])
}

// kst is the time of a bank that names no zone (rails §3.3). Korea has no summer time.
var kst = time.FixedZone("KST", 9*60*60)

// moment reads a date and time.
func moment(text string) (time.Time, error) {
	text = strings.TrimSpace(text)
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		at, err = time.ParseInLocation("2006-01-02T15:04:05", text, kst)
	}
	if err != nil {
		return time.Time{}, errors.New("no date and time")
	}
	return at.UTC(), nil
}

// day reads a date, with or without a zone, as its first moment.
func day(text string) (time.Time, error) {
	text = strings.TrimSpace(text)
	at, err := time.ParseInLocation(time.DateOnly, text, kst)
	if err != nil {
		at, err = time.Parse("2006-01-02Z07:00", text)
	}
	if err != nil {
		return time.Time{}, errors.New("no date")
	}
	return at.UTC(), nil
}

// compact writes the Korean day of a time.
func compact(at time.Time) string { return at.In(kst).Format("20060102") }
