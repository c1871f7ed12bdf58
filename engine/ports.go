package engine

import (
	"context"
	"time"

	"naru/core/ledger"
	"naru/core/money"
	"naru/core/payment"
	"naru/core/payout"
	"naru/core/settlement"
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
	// VerifyWith is what a card check asks for: nothing where the network can check without money, else the least it takes (rails §1.3).
	VerifyWith(money.Currency) money.Amount
	// SellsOnly reports whether the network knows no holds: money is taken in one message, or not at all (rails §1.3, capture_mode single).
	SellsOnly() bool
	// CapturesByFile reports whether captures and refunds go into a file instead of over the line (rails §4.2).
	CapturesByFile() bool
	// Judge says what a response code means for a capture or refund that went by file.
	Judge(k payment.AdviceKind, code string) payment.AdviceReply
	// Reconcile tells the network our totals of one of its business days and waits for what it says to them (rails §1.16).
	Reconcile(ctx context.Context, t payment.DayTotals, trace payment.Trace, repeat bool) payment.TotalsReply
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
// The closure may run more than once and must have no effect outside the transaction. View runs reads on one consistent state, likewise perhaps
// more than once.
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
	CaptureByRequest(Key) (Capture, bool, error)
	CaptureByARN(arn string) (Capture, bool, error)
	CapturesByRRN(rrn string) ([]Capture, error) // the reference of the hold; SUCCESS ones only
	CapturesByNetworkID(id string) ([]Capture, error)
	Refund(id string) (payment.Refund, bool, error)
	RefundByAttempt(attempt string) (payment.Refund, bool, error)
	RefundsByRRN(rrn string) ([]payment.Refund, error)
	RefundByARN(arn string) (payment.Refund, bool, error)
	Refunds(reservation string) ([]payment.Refund, error)   // oldest first
	Disputes(reservation string) ([]payment.Dispute, error) // oldest first
	Dispute(id string) (payment.Dispute, bool, error)
	Evidence(id string) (Evidence, bool, error)
	EvidenceOf(dispute string) ([]Evidence, error)                         // without the documents
	DueDisputes(now time.Time, limit int) ([]payment.Dispute, error)       // open ones whose DueAt has come
	NextDispute() (time.Time, bool, error)                                 // the earliest DueAt of an open one
	ErasableCards(now time.Time, limit int) ([]payment.Reservation, error) // with a card and a CardUntil that has come
	NextErasure() (time.Time, bool, error)
	AcquirerEvent(acquirer, id string) (AcquirerEvent, bool, error)
	AcquirerEventOf(object, kind string) (AcquirerEvent, bool, error) // a record that was applied to an object of ours
	AcquirerFile(acquirer, name string) (AcquirerFile, bool, error)
	AcquirerFileBySeq(acquirer, merchant, kind, day string, seq int64) (AcquirerFile, bool, error) // a LOADED one
	Uncleared(acquirer, merchant, day, currency string, limit int) ([]Capture, error)              // booked on that day, and no file has said so
	AccountBook(account string) (payment.Chain, error)                                             // zero where nothing was written yet
	Settlement(id string) (settlement.Settlement, bool, error)
	Settlements(account string, limit int) ([]settlement.Settlement, error) // newest first
	LastSettlement(account, currency string) (settlement.Settlement, bool, error)
	OldestItem(account, currency string) (day string, ok bool, err error)    // the first day of an item that no settlement has
	OpenItemsTotal(account, currency, day string) (settlement.Totals, error) // of every item up to that day that no settlement has
	Items(settlement string, offset, limit int64) ([]settlement.Item, error) // in the order (day, payment, event)
	DayTotals(acquirer, day, currency string) (payment.DayTotals, error)     // of what is booked, from captures and refunds
	DayCurrencies(acquirer, day string) ([]string, error)                    // with anything booked that day
	OpenBefore(acquirer string, t time.Time) (int64, error)                  // queued advices created before, and sales without an answer
	DueReconciliations(now time.Time, limit int) ([]Reconciliation, error)
	NextReconciliation() (time.Time, bool, error)
	Reconciliation(acquirer, day, currency string) (Reconciliation, bool, error)
	BatchedAdvices(acquirer, merchant string, limit int) ([]payment.Advice, error) // batched and in no file yet, oldest first
	AdviceOfLine(file string, line int64) (payment.Advice, bool, error)
	AdvicesOfFile(file string) ([]payment.Advice, error) // by line
	CaptureFile(name string) (CaptureFile, bool, error)
	CaptureFiles(state string, limit int) ([]CaptureFile, error)
	Case(id string) (Case, bool, error)
	Cases(open bool, limit int) ([]Case, error) // oldest first
	Payout(id string) (payout.Payout, bool, error)
	PayoutByRequest(Key) (payout.Payout, bool, error)
	PayoutAttempt(id string) (payout.Attempt, bool, error)
	PayoutAttemptByReference(bank, reference string) (payout.Attempt, bool, error)
	PayoutAttemptByBankID(bank, id string) (payout.Attempt, bool, error)
	DuePayouts(bank string, now time.Time, limit int) ([]payout.Payout, error) // open ones whose DueAt has come
	NextPayout() (time.Time, bool, error)
	OwedPayouts() (map[string]int64, error) // how many are open, by bank
	// UnacknowledgedPayouts are those whose order the bank has never named, first sent before a time.
	UnacknowledgedPayouts(bank string, before time.Time, limit int) ([]payout.Payout, error)
	HasStatementEntry(bank, id string) (bool, error)
	LastStatement(bank string) (time.Time, bool, error)
	UnknownStatementEntries(bank string) (int64, error)    // of orders that are not ours, and no person has seen to their case
	OldestOpenPayout(bank string) (time.Time, bool, error) // when the oldest was asked for that is open, or ended since a day before the newest line
	// FloatBalance is what the books say that a bank holds for us; quiet says that no payout of it is open.
	FloatBalance(bank, currency string) (minor int64, quiet bool, err error)
	Notice(id string) (Notice, NoticeState, bool, error)
	MerchantReader
	OpenCancels(reservation string) ([]Cancel, error)
	Advice(id string) (payment.Advice, bool, error)
	OpenAdvices(reservation string) ([]payment.Advice, error)
	AdviceOf(attempt string, k payment.AdviceKind) (payment.Advice, bool, error)
	// DueAdvices lists queued advices to an acquirer that are due, oldest first, leaving out those behind an older open one of the same reservation.
	DueAdvices(acquirer string, now time.Time, limit int) ([]payment.Advice, error)
	OwedAdvices() (map[string]int64, error) // how many are queued, by acquirer
	NextAdvice() (time.Time, bool, error)   // when the earliest queued advice is due
	ExpiringReservations(now time.Time, limit int) ([]payment.Reservation, error)
	NextExpiry() (time.Time, bool, error)
	// Abandoned is every first call without an answer that a node has, or one that does not live any more.
	Abandoned(node string, now time.Time) ([]Idempotency, error)
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
	UpdateCapture(Capture) error  // the verdict and the network's business day, once
	UpdateClearing(Capture) error // what the acquirer's files said: ARN and clearing
	InsertCancel(Cancel) error
	UpdateCancel(Cancel) error
	InsertAdvice(payment.Advice) error
	UpdateAdvice(payment.Advice) error
	AppendEvent(JournalEvent) error
	Post(e JournalEvent, p []ledger.Posting) error // the postings of one event
	InsertNotice(Notice) error
	ResumeNotice(id string, at time.Time) (bool, error) // a parked one is due again; false: it was not parked
	InsertRefund(payment.Refund) error
	UpdateRefund(payment.Refund) error
	InsertDispute(payment.Dispute) error
	UpdateDispute(payment.Dispute) error
	InsertEvidence(Evidence) error
	InsertAcquirerEvent(AcquirerEvent) error
	PutAcquirerFile(AcquirerFile) error                              // by acquirer and name
	UpdateAccountBook(account string, c payment.Chain) (bool, error) // from a chain one shorter
	InsertItem(settlement.Item) error
	InsertSettlement(settlement.Settlement) error
	AssignItems(id, account, currency, day string) (int64, error) // gives every open item up to that day to a settlement
	UpdateSettlement(settlement.Settlement) error
	PutReconciliation(Reconciliation) error
	InsertCaptureFile(CaptureFile) error
	UpdateCaptureFile(CaptureFile) error
	InsertPayout(payout.Payout) error
	UpdatePayout(payout.Payout) (bool, error) // from version p.Version-1
	InsertPayoutAttempt(payout.Attempt) error
	UpdatePayoutAttempt(payout.Attempt) (bool, error)  // from version a.Version-1
	InsertStatementEntry(StatementEntry) (bool, error) // false: it is there
	MerchantWriter
	OpenCase(Case) error
	CloseCase(id, note string, at time.Time) (bool, error) // false: it was not open
	TakeNumbers(series string, count int64) (first int64, err error)
	// Guard lets no other transaction that guards the same name run beside this one. It comes before everything else in a transaction, for those
	// that decide on what they read and change no row that the other changes too.
	Guard(name string) error
	// TakeLease takes a lease that is free, over, or the holder's own, until a time; false where somebody else has it. A new holder has a higher
	// fence.
	TakeLease(name, holder string, now, until time.Time) (fence int64, mine bool, err error)
	HoldsLease(name, holder string, fence int64) (bool, error) // nobody else takes it before the transaction ends
	ForgetNodes(before time.Time) error                        // those whose lease ended before, and that have no request in work
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
	Node        string // that works on it; empty where one process owns the store
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
	RRN         string    // how the network names the hold; what its files and disputes speak of
	NetworkID   string    // the network's transaction identifier, as of the hold
	Approval    string    // its approval code, likewise
	ARN         string    // acquirer reference number, 23 digits; set once
	Day         string    // the network's business day on which it was booked, YYYYMMDD
	Clearing    Clearing
}

// Clearing is what the acquirer's files have said of a capture.
type Clearing string

// What they may have said.
const (
	NotCleared      Clearing = ""
	ClearedCapture  Clearing = "CLEARED"
	RejectedCapture Clearing = "REJECTED"
)

// Evidence is a document that defends against a dispute. It is sealed where it is stored.
type Evidence struct {
	ID       string
	Dispute  string
	Size     int64
	SHA256   string // of the document, hex
	Document []byte // sealed
	At       time.Time
}

// AcquirerEvent is one record of an acquirer's file, or one message, that was taken into account once (rails §4.3).
type AcquirerEvent struct {
	Acquirer string
	ID       string // the acquirer's own, unique for ever
	File     string
	Line     int64
	Type     string // CAP, REF, ... (rails §4.3)
	Digest   string // SHA-256 of its content, hex: the same event told again says the same
	Payment  string // the journal it was written to; empty for an exception
	Object   string // what it is about there: capture/…, refund/…, dispute/…
	Outcome  string // APPLIED, or EXCEPTION with a case
	Reason   string
	Account  string
	Currency string
	Gross    int64 // signed as in the file: plus = the acquirer owes us
	Fees     int64
	Tax      int64
	At       time.Time
}

// AcquirerFile is a file that an acquirer gave us.
type AcquirerFile struct {
	Acquirer, Name, Kind, Merchant string
	Day                            string // YYYYMMDD
	Seq                            int64
	SHA256                         string // of the whole file, hex
	State                          string // LOADED or QUARANTINED
	Reason                         string
	Currency                       string
	Records, Exceptions            int64
	Gross, Fees, Tax, Net          int64
	At                             time.Time
}

// Reconciliation is the comparison of one business day's totals with the network (rails §1.16).
type Reconciliation struct {
	Acquirer, Day, Currency string
	State                   string // OPEN, AGREED or BREAK
	Trace                   payment.Trace
	Ours, Host              payment.DayTotals
	Tries                   int64
	Code                    string
	CreatedAt, DueAt        time.Time
}

// CaptureFile is a file of captures and refunds for an acquirer (rails §4.2).
type CaptureFile struct {
	Acquirer, Merchant, Name string
	Day                      string // YYYYMMDD
	Seq                      int64
	State                    string // MADE, SENT (handed over), ANSWERED
	Items                    int64
	Currency                 string
	At, DoneAt               time.Time
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
	Payment string // a reservation's id, or the book of an account for what belongs to no payment (AccountJournal)
	N       int64  // position in the journal of its payment, from 1
	At      time.Time
	Object  string // whose event it is: empty for the reservation itself, otherwise a kind, a slash and an id, such as refund/…
	Event   string
	State   string // of the object, after it
	Actor   string // who caused it: google, acquirer, clock, recovery, operator
	Detail  string // what is worth knowing, as key=value words
	Digest  []byte // keyed digest over the previous one and this event
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
	CaptureResult      NoticeKind = "capture-result"
	CancelResult       NoticeKind = "cancel-result"
	RefundResult       NoticeKind = "refund-result"
	RefundReturned     NoticeKind = "refund-returned"
	InquiryRaised      NoticeKind = "inquiry"
	ChargebackRaised   NoticeKind = "chargeback"
	ChargebackReversed NoticeKind = "chargeback-reversed"
	FraudReported      NoticeKind = "fraud"
	SettlementPart     NoticeKind = "settlement"
	SettlementFile     NoticeKind = "settlement-file"
	CaptureARN         NoticeKind = "capture-arn"
	RefundARN          NoticeKind = "refund-arn"
	PayoutResult       NoticeKind = "payout-result"
	DepositResult      NoticeKind = "deposit-result"  // to a merchant
	TransferResult     NoticeKind = "transfer-result" // of a merchant's payout, to the merchant
)

// NoticeKinds is every kind there is.
var NoticeKinds = []NoticeKind{
	CaptureResult, CancelResult, RefundResult, RefundReturned, InquiryRaised, ChargebackRaised, ChargebackReversed, FraudReported,
	SettlementPart, SettlementFile, CaptureARN, RefundARN, PayoutResult, DepositResult, TransferResult,
}

// AboutCards reports whether a kind is what Google hosts a method of its card APIs for.
func (k NoticeKind) AboutCards() bool {
	switch k {
	case SettlementFile, PayoutResult, DepositResult, TransferResult: // uploaded; of payouts; to merchants
		return false
	}
	return true
}

// Facts is what a notice says beside its verdict. What a kind has no use for is empty.
type Facts struct {
	Capture  string `json:",omitempty"` // the request id of the capture it is about
	Refund   string `json:",omitempty"` // the request id of the refund it is about
	OwnID    string `json:",omitempty"` // our own name of it
	Earlier  string `json:",omitempty"` // the notice whose id names what it is about: of a chargeback that is reversed
	Minor    int64  `json:",omitempty"` // an amount, in whole minor units of Currency
	Currency string `json:",omitempty"`
	Stage    string `json:",omitempty"`
	Reason   string `json:",omitempty"`
	Scope    string `json:",omitempty"` // whose code Notice.Code is
	Case     string `json:",omitempty"`
	ARN      string `json:",omitempty"`
	AtMs     int64  `json:",omitempty"` // when it happened, milliseconds since 1970
	ReplyMs  int64  `json:",omitempty"` // last moment for evidence, likewise
	Part     int64  `json:",omitempty"` // of a settlement, from 0
}

// Notice is a notification that we owe, written in the transaction that made it true (design §3.3). Its ID comes from the business event:
// a crash cannot make two of one.
type Notice struct {
	ID        string // also the requestId on the wire
	Kind      NoticeKind
	Account   string
	Subject   string // what it is about, once per kind and account: the request it answers, or our name of the event
	Result    string // the verdict, in the domain's word
	Code      string // the network's response code, if any
	After     string // the notice that must be delivered first; empty for none
	Facts     Facts
	CreatedAt time.Time
}

// Case is something only a person can resolve.
type Case struct {
	ID       string
	Kind     string
	Payment  string // the payment it is about; empty where it is about none
	Subject  string // what can be sent again for it: advice/… or notice/…; empty for nothing
	Detail   string
	At       time.Time
	ClosedAt time.Time
	Note     string // why it was closed
}

// NoticeState is where a notice stands.
type NoticeState string

// The states of a notice.
const (
	NoticeQueued NoticeState = "QUEUED"
	NoticeSent   NoticeState = "SENT"
	NoticeParked NoticeState = "PARKED" // the other side refused it: an operator must look, then it goes out again under the same id
)

// DueNotice is a notice that is due, and how often it was tried since it was last sent again.
type DueNotice struct {
	Notice
	Tries int
	Fence int64 // of whoever took it to be sent; 0 where nobody must
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
	Fence   int64     // as it was taken
}
