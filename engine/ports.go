package engine

import (
	"context"
	"time"

	"naru/core/ledger"
	"naru/core/money"
	"naru/core/payment"
)

// A CardRail asks a card network to hold money, and tells it what became of a hold.
//
// It never guesses: an answer that cannot be read, contradicts the request, or does not come in time is Unclear. NotSent only if no byte
// can have left the house. It sends an authorisation once and never again. It keeps nothing: what must survive is on disk before it is called.
type CardRail interface {
	// Trace names message n of this link's life at the given time (rails §1.9). Pure: the same n and time give the same trace.
	Trace(n int64, at time.Time) payment.Trace
	// Check says whether the order fits the network's format; its error names the field, never its content.
	Check(payment.AuthOrder) error
	// Authorise asks for a hold and waits for the answer, at most as long as the link's profile says.
	Authorise(context.Context, payment.AuthOrder) payment.Outcome
	// Advise sends an advice once; repeat tells that bytes of it may have left before. Safe to call again, always with the same trace.
	Advise(ctx context.Context, a payment.AdviceOrder, repeat bool) payment.AdviceReply
	// ReleasesRest reports whether this network wants the rest of a hold given back before a smaller capture.
	ReleasesRest() bool
}

// A Vault holds the keys of what is stored: it seals what must not be read and digests what must not be changed.
type Vault interface {
	// Seal encrypts plain bound to where it is stored; Open gives it back only for the same place.
	Seal(plain []byte, place string) ([]byte, error)
	Open(sealed []byte, place string) ([]byte, error)
	// Digest is a keyed digest, with the key's id in front; Verify recomputes it with that same key.
	Digest(purpose string, data ...[]byte) ([]byte, error)
	Verify(digest []byte, purpose string, data ...[]byte) (bool, error)
}

// A Store keeps everything. Update runs a closure as one transaction: all of it or nothing, durable when Update returns nil.
// The closure may run more than once and must have no effect outside the transaction. View runs reads on one consistent state.
type Store interface {
	Update(context.Context, func(Tx) error) error
	View(context.Context, func(Reader) error) error
	Recall(context.Context, Key) (Idempotency, bool, error) // one row by one statement: every call begins with it
}

// A Reader reads one consistent state. A row that does not exist is no error: the second value is false.
type Reader interface {
	Idempotency(Key) (Idempotency, bool, error)
	Reservation(id string) (payment.Reservation, bool, error)
	ReservationByRequest(Key) (payment.Reservation, bool, error)
	Attempt(id string) (payment.Attempt, bool, error)
	Capture(reservation string) (Capture, bool, error)
	OpenCancels(reservation string) ([]Cancel, error)
	Advice(id string) (payment.Advice, bool, error)
	OpenAdvices(reservation string) ([]payment.Advice, error)
	// DueAdvices lists queued advices that are due, oldest first, leaving out those behind an older open one of the same reservation.
	DueAdvices(now time.Time, limit int) ([]payment.Advice, error)
	NextAdvice() (time.Time, bool, error) // when the earliest queued advice is due
	ExpiringReservations(now time.Time, limit int) ([]payment.Reservation, error)
	NextExpiry() (time.Time, bool, error)
	Abandoned() ([]Idempotency, error) // every first call that has no answer yet
	Chain(after int64, limit int) ([]ChainLink, error)
	LastCheckpoint() (Checkpoint, bool, error)
}

// A Tx reads and writes. Updates name the version they were made from and report false where somebody was faster.
type Tx interface {
	Reader
	InsertIdempotency(Idempotency) (bool, error) // false: the key is taken
	FinishIdempotency(k Key, answer []byte, at time.Time) error
	DeleteIdempotency(Key) error
	InsertReservation(payment.Reservation, time.Time) error
	UpdateReservation(r payment.Reservation, at time.Time) (bool, error) // from version r.Version-1
	InsertAttempt(payment.Attempt) error
	UpdateAttempt(a payment.Attempt, at time.Time) (bool, error) // from version a.Version-1
	InsertCapture(Capture) error
	UpdateCapture(Capture) error
	InsertCancel(Cancel) error
	UpdateCancel(Cancel) error
	InsertAdvice(payment.Advice) error
	UpdateAdvice(payment.Advice) error
	AppendEvent(JournalEvent) error
	Post(e JournalEvent, p []ledger.Posting) error // the postings of one event
	InsertNotice(Notice) error
	OpenCase(Case) error
	TakeNumbers(series string, count int64) (first int64, err error)
	InsertCheckpoint(Checkpoint) error
}

// Key names one request of one account, whatever its method (design §3.2).
type Key struct{ Account, RequestID string }

// Idempotency is the memory of one request: running, or answered for ever.
type Idempotency struct {
	Key
	Method      string
	Fingerprint []byte // keyed digest of the content
	Done        bool
	Answer      []byte // sealed: the exact answer without its timestamp
	CreatedAt   time.Time
}

// Capture is a capture that was acknowledged. Its RequestID is how the caller names it from now on.
type Capture struct {
	ID string
	Key
	Reservation string
	Amount      money.Amount
	State       payment.CaptureState
	At          time.Time // accepted
	DoneAt      time.Time // zero while open
}

// Cancel is a cancel that was acknowledged. Several may name one reservation; each is told its result.
type Cancel struct {
	ID string
	Key
	Reservation string
	State       payment.CancelState
	At          time.Time
	DoneAt      time.Time
}

// JournalEvent is one state change: what, when, who, why. Detail holds no secret.
type JournalEvent struct {
	Payment string
	N       int64 // position in the journal of its payment, from 1
	At      time.Time
	Event   payment.Event
	State   payment.State // after it
	Actor   string        // who caused it: google, acquirer, clock, recovery, operator
	Detail  string        // what is worth knowing, as key=value words
	Digest  []byte        // keyed digest over the previous one and this event
}

// ChainLink is the digest of one event, in the order of the whole journal.
type ChainLink struct {
	ID     int64
	Digest []byte
}

// Checkpoint signs the journal up to an event, so that its end cannot be cut off unnoticed (design §3.5).
type Checkpoint struct {
	N      int64 // from 1
	LastID int64 // the newest event it covers
	Count  int64 // events since the checkpoint before
	Digest []byte
	At     time.Time
}

// NoticeKind is what we owe the counterparty to tell.
type NoticeKind string

// The kinds of notice.
const (
	CaptureResult NoticeKind = "capture-result"
	CancelResult  NoticeKind = "cancel-result"
)

// Notice is a notification that we owe, written in the transaction that made it true (design §3.3). Its ID comes from the business event:
// a crash cannot make two of one.
type Notice struct {
	ID        string // also the requestId on the wire
	Kind      NoticeKind
	Account   string
	Subject   string // the request it answers: requestId of the capture or cancel
	Result    string // the verdict, in the domain's word
	Code      string // the network's response code, if any
	After     string // the notice that must be delivered first; empty for none
	CreatedAt time.Time
}

// Case is something only a person can resolve.
type Case struct {
	ID      string
	Kind    string
	Payment string
	Detail  string
	At      time.Time
}

// NoticeState is where a notice stands.
type NoticeState string

// The states of a notice.
const (
	NoticeQueued NoticeState = "QUEUED"
	NoticeSent   NoticeState = "SENT"
	NoticeParked NoticeState = "PARKED" // the other side refused it: an operator must look, then it goes out again under the same id
)

// DueNotice is a notice that is due, and how often it was tried.
type DueNotice struct {
	Notice
	Tries int
}

// NoticeTry is one attempt to deliver a notice, and what becomes of the notice.
type NoticeTry struct {
	Notice  string
	N       int
	At      time.Time
	Status  int    // HTTP status; 0 where there was no answer
	Outcome string // in a word or two; never the answer's content
	Took    time.Duration
	State   NoticeState
	Due     time.Time // when it is tried next
}
