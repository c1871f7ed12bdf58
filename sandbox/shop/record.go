package shop

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"os"
	"slices"
	"time"
)

// Asked is one order or payout that we asked for, and what the gateway said.
type Asked struct {
	At       time.Time `json:"at"` // business time
	Call     string    `json:"call"`
	ClientID string    `json:"client_id"`
	Service  string    `json:"service_id"`
	SignType string    `json:"sign_type,omitempty"`
	Amount   int64     `json:"amount"` // hundredths of a won
	Status   int       `json:"status"` // 0 is no answer
	Code     string    `json:"error_code"`
}

// Heard is one message of the gateway's, and what we made of it. A number that did not stand in it is -1.
type Heard struct {
	At        time.Time `json:"at"`
	Kind      string    `json:"kind"`
	ID        string    `json:"id"` // the gateway's number
	ClientID  string    `json:"client_id"`
	Status    int64     `json:"status"`
	Amount    int64     `json:"amount"` // hundredths of a won, like the next two
	Real      int64     `json:"real_amount"`
	Fee       int64     `json:"fee"`
	Updated   int64     `json:"update_time"`
	SignType  string    `json:"sign_type,omitempty"`
	SignOK    bool      `json:"sign_ok"`
	WebhookOK bool      `json:"webhook_ok"` // a check has no such headers
	Queried   bool      `json:"queried"`    // a query said the same, and so it is booked
	Acked     bool      `json:"acked"`
	Fault     string    `json:"fault,omitempty"`
}

// The statuses that are a success (§14).
const (
	DepositPaid = 2
	PayoutPaid  = 3
)

// Final reports whether an order that stands so never stands otherwise, by what the page says (§14, §17).
func (h Heard) Final() bool {
	if h.Kind == Deposit {
		return h.Status >= DepositPaid
	}
	return h.Status >= PayoutPaid && h.Status <= 5
}

// Booking is money in our books: what a deposit brought, or what a payout cost, in hundredths of a won.
type Booking struct {
	Kind, ID, ClientID string
	Amount, Fee        int64
}

// Net is what it does to our balance at the gateway.
func (b Booking) Net() int64 {
	if b.Kind == Payout {
		return -b.Amount - b.Fee
	}
	return b.Amount - b.Fee
}

// record is everything that we know.
type record struct {
	asked    []Asked
	heard    []Heard
	bookings []Booking
}

// put takes a line into the record. The first good news of an order is booked, and no other: they may come more than once (§7).
func (r *record) put(l line) {
	if l.Asked != nil {
		r.asked = append(r.asked, *l.Asked)
	}
	if l.Heard == nil {
		return
	}
	h := *l.Heard
	r.heard = append(r.heard, h)
	b := Booking{Kind: h.Kind, ID: h.ID, ClientID: h.ClientID, Fee: h.Fee}
	switch {
	case !h.Queried:
		return
	case h.Kind == Deposit && h.Status == DepositPaid:
		b.Amount = h.Real // what arrived, not what was ordered (§7.1)
	case h.Kind == Payout && h.Status == PayoutPaid:
		b.Amount = h.Amount
	default:
		return
	}
	if !slices.ContainsFunc(r.bookings, func(x Booking) bool { return x.Kind == b.Kind && x.ID == b.ID }) {
		r.bookings = append(r.bookings, b)
	}
}

// Asked is what was asked for, the oldest first.
func (s *Shop) Asked() []Asked {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.record.asked)
}

// Heard is what came, the oldest first.
func (s *Shop) Heard() []Heard {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.record.heard)
}

// Bookings are our books, the oldest first.
func (s *Shop) Bookings() []Booking {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.record.bookings)
}

// line is one entry of the file.
type line struct {
	Asked *Asked `json:"asked,omitempty"`
	Heard *Heard `json:"heard,omitempty"`
}

// keep writes something down before it counts.
func (s *Shop) keep(l line) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.file.append(l); err != nil {
		return err
	}
	s.record.put(l)
	return nil
}

// file is the record on disk: one line an entry. A line that was cut off by death is dropped.
type file struct{ f *os.File }

func openFile(name string, recall func(line)) (*file, error) {
	if name == "" {
		return &file{}, nil
	}
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	var whole int64
	for r := bufio.NewReader(f); err == nil; {
		var text []byte
		if text, err = r.ReadBytes('\n'); err != nil {
			break
		}
		var l line
		if err = json.Unmarshal(text, &l); err == nil {
			recall(l)
			whole += int64(len(text))
		}
	}
	if err == io.EOF {
		if err = f.Truncate(whole); err == nil {
			_, err = f.Seek(whole, io.SeekStart)
		}
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &file{f}, nil
}

func (f *file) append(l line) error {
	if f.f == nil {
		return nil
	}
	text, err := json.Marshal(l)
	if err != nil {
		return err
	}
	_, err = f.f.Write(append(text, '\n'))
	return err
}

func (f *file) close() error {
	if f.f == nil {
		return nil
	}
	return f.f.Close()
}
