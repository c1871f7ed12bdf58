package bankfeed

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"naru/core/card"
	"naru/core/deposit"
	"naru/core/money"
	"naru/engine"
)

// The headers by which a caller proves who it is (rails §3.5). We call a bank with the same ones.
const (
	headerKey       = "X-Feed-Key"
	headerTimestamp = "X-Feed-Timestamp"
	headerSignature = "X-Feed-Signature"
)

// window is how far a caller's clock may be from ours.
const window = 300 * time.Second

// Sign is the signature of a body at a time, in Unix seconds (rails §3.5).
func Sign(secret card.Secret, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret.Reveal()))
	mac.Write([]byte(timestamp + "."))
	mac.Write(body)
	return "v1=" + hex.EncodeToString(mac.Sum(nil))
}

// signed reports whether one of the secrets has signed exactly this body, now. How long it takes says nothing about any of them.
func signed(h http.Header, secrets []card.Secret, body []byte, now time.Time) bool {
	timestamp := h.Get(headerTimestamp)
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil || now.Sub(time.Unix(seconds, 0)).Abs() > window {
		return false
	}
	found := false
	for _, value := range h.Values(headerSignature) {
		for one := range strings.SplitSeq(value, ",") {
			for _, secret := range secrets {
				found = hmac.Equal([]byte(strings.TrimSpace(one)), []byte(Sign(secret, timestamp, body))) && !secret.IsZero() || found
			}
		}
	}
	return found
}

// The body of POST /v1/bank-credits, as the sheet spells it (rails §3.5).
type pushRequest struct {
	FeedID string           `json:"feed_id"`
	Events []jsontext.Value `json:"events"`
}

type pushEvent struct {
	EventID       string  `json:"event_id"`
	Type          string  `json:"type"`
	Bank          string  `json:"bank_code"`
	Account       string  `json:"account_number"`
	Virtual       string  `json:"virtual_account_number"`
	ID            string  `json:"bank_txn_id"`
	Original      string  `json:"original_bank_txn_id"`
	Amount        string  `json:"amount"`
	Currency      string  `json:"currency"`
	Name          *string `json:"depositor_name"`
	SenderBank    string  `json:"depositor_bank_code"`
	SenderAccount string  `json:"depositor_account"`
	BookedAt      string  `json:"booked_at"`
	ValueDate     string  `json:"value_date"`
	Balance       string  `json:"balance_after"` // for people: nothing is compared with it
	Memo          string  `json:"memo"`
}

type pushResponse struct {
	Results []pushResult `json:"results"`
}

type pushResult struct {
	EventID string              `json:"event_id"`
	Status  string              `json:"status"`
	Reason  engine.EntryRefusal `json:"reason,omitzero"`
}

const mostEvents = 500

// event is one event of a push, and why it is not taken, if that can be seen from it alone.
type event struct {
	id      string
	message deposit.Message
	refused engine.EntryRefusal
}

// readPush reads a push. A mistake of form refuses all of it, and says where; each event is judged alone for what it says.
func readPush(body []byte) (feed string, events []event, err error) {
	var in pushRequest
	if json.Unmarshal(body, &in, json.RejectUnknownMembers(true)) != nil {
		return "", nil, errors.New("the body is not the JSON of a push")
	}
	if in.FeedID == "" || len(in.Events) == 0 || len(in.Events) > mostEvents {
		return "", nil, fmt.Errorf("feed_id and 1 to %d events are wanted", mostEvents)
	}
	for i, raw := range in.Events {
		e, err := readEvent(in.FeedID, raw)
		if err != nil {
			return "", nil, fmt.Errorf("events[%d]: %w", i, err)
		}
		events = append(events, e)
	}
	return in.FeedID, events, nil
}

var (
	legalID      = regexp.MustCompile(`^[!-~]{1,64}$`)
	legalAccount = regexp.MustCompile(`^[0-9]{1,20}$`)
	legalVirtual = regexp.MustCompile(`^[0-9]{0,20}$`)
	legalAmount  = regexp.MustCompile(`^[0-9]{1,12}$`)
)

func readEvent(feed string, raw jsontext.Value) (event, error) {
	var in pushEvent
	if json.Unmarshal(raw, &in, json.RejectUnknownMembers(true)) != nil {
		return event{}, errors.New("not an event")
	}
	if err := raw.Canonicalize(); err != nil { // the same event is the same, however it is written
		return event{}, errors.New("not an event")
	}
	at, err := time.Parse(time.RFC3339, in.BookedAt)
	switch {
	case !legalID.MatchString(in.EventID):
		return event{}, errors.New("event_id: 1 to 64 characters are wanted")
	case in.Type != "credit" && in.Type != "reversal":
		return event{}, errors.New("type: credit or reversal is wanted")
	case !threeDigits.MatchString(in.Bank):
		return event{}, errors.New("bank_code: three digits are wanted")
	case !legalAccount.MatchString(in.Account) || !legalVirtual.MatchString(in.Virtual):
		return event{}, errors.New("account_number, virtual_account_number: up to 20 digits are wanted")
	case !legalID.MatchString(in.ID):
		return event{}, errors.New("bank_txn_id: 1 to 64 characters are wanted")
	case in.Type == "reversal" && !legalID.MatchString(in.Original), in.Type == "credit" && in.Original != "":
		return event{}, errors.New("original_bank_txn_id: a reversal has one, and nothing else")
	case in.Name == nil || utf8.RuneCountInString(*in.Name) > mostName || utf8.RuneCountInString(in.Memo) > mostName:
		return event{}, errors.New("depositor_name, memo: up to 140 characters are wanted, and a name, which may be empty")
	case in.SenderBank != "" && !threeDigits.MatchString(in.SenderBank), len(in.SenderAccount) > mostID:
		return event{}, errors.New("depositor_bank_code, depositor_account: three digits, and a number, are wanted")
	case err != nil:
		return event{}, errors.New("booked_at: a time with its zone is wanted")
	}
	entry := deposit.Entry{
		Bank: in.Bank, Account: in.Account, ID: in.ID, Debit: in.Type == "reversal", Reversal: in.Type == "reversal", Original: in.Original,
		BookedAt: at.UTC(),
	}
	if in.Type == "credit" {
		entry.Name, entry.Memo = card.Conceal(clean(*in.Name, mostName)), card.Conceal(clean(in.Memo, mostName))
		entry.FromBank, entry.FromAccount, entry.Virtual = in.SenderBank, card.Conceal(number{Other: in.SenderAccount}.text()), in.Virtual
	}
	if in.ValueDate != "" {
		value, err := time.Parse(time.DateOnly, in.ValueDate)
		if err != nil {
			return event{}, errors.New("value_date: a day is wanted")
		}
		entry.ValueDay = value.Format("20060102")
	}
	sum := sha256.Sum256(raw)
	out := event{id: in.EventID, message: deposit.Message{
		Feed: feed, ID: in.EventID, Kind: deposit.Push, Digest: hex.EncodeToString(sum[:]),
	}}
	minor, err := strconv.ParseInt(in.Amount, 10, 64)
	switch {
	case in.Currency != won.Code():
		out.refused = engine.WrongCurrency
	case err != nil || minor == 0 || !legalAmount.MatchString(in.Amount):
		out.refused = engine.InvalidAmount
	}
	entry.Amount = money.New(minor, won)
	out.message.Reports = []deposit.Report{{Bank: in.Bank, Account: in.Account, Entries: []deposit.Entry{entry}}}
	return out, nil
}
