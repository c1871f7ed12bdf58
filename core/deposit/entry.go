package deposit

import (
	"time"

	"naru/core/card"
	"naru/core/money"
)

// Entry is one booking on an account of ours, the same whoever reports it (rails §3.2). What it tells of a payer is concealed.
type Entry struct {
	Bank        string // our bank's institution code, three digits
	Account     string // ours, digits
	Virtual     string // the virtual account number that was paid into; empty for none
	ID          string // the bank's transaction id: with bank, account and direction it is unique for ever
	Amount      money.Amount
	Debit       bool
	Reversal    bool   // it takes an earlier credit back
	Original    string // of a reversal: the id of what it takes back, where the source names it; else that is ID
	Returned    bool   // a payment of ours that came back: no deposit
	EndToEnd    string // of a payment of ours: how we named it
	Reason      string // of a return: the bank's code
	Name        card.Secret
	FromBank    string // the sender's institution code; empty where it is not told
	FromAccount card.Secret
	Memo        card.Secret
	BookedAt    time.Time
	ValueDay    string // YYYYMMDD; empty where it is not told
}

// MessageKind is how news of an account comes.
type MessageKind string

// The kinds.
const (
	Notification MessageKind = "NOTIFICATION" // camt.054: bookings as they happen
	Statement    MessageKind = "STATEMENT"    // camt.053: every booking of a day, and the balances around them
	Push         MessageKind = "PUSH"         // one JSON event (rails §3.5)
)

// Message is what a bank told at once: a whole file, or one event. It is taken into account whole, and once.
type Message struct {
	Feed    string
	ID      string // the sender's; unique for ever within a feed and kind
	Kind    MessageKind
	Digest  string // SHA-256 of what was received, hex
	Copy    bool   // the sender says that it repeats
	Reports []Report
}

// Report is what a message says of one account.
type Report struct {
	Bank     string
	Account  string
	Seq      int64 // electronic sequence number of the account; 0 where there is none
	Day      string
	Entries  []Entry
	Balances *Balances // of a statement
}

// Balances are what a statement begins and ends with.
type Balances struct{ Opening, Closing money.Amount }
