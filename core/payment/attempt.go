package payment

import (
	"time"

	"naru/core/flow"
)

type rules = flow.Rules[State, Event]

// AttemptState is where one authorisation request to the network stands (rails §1.10).
type AttemptState string

// The states of an attempt.
const (
	AttemptPrepared  AttemptState = "PREPARED"        // on disk; its bytes may have left, or not
	AttemptVoid      AttemptState = "VOID"            // certainly without effect
	AttemptApproved  AttemptState = "APPROVED"        // holds money
	AttemptDeclined  AttemptState = "DECLINED"        // holds nothing
	AttemptReversing AttemptState = "REVERSE_PENDING" // a reversal is on its way until the network answers it
	AttemptReversed  AttemptState = "REVERSED"        // given back
	AttemptCaptured  AttemptState = "CAPTURED"        // completed by a confirmed capture
	AttemptGone      AttemptState = "GONE"            // the network let the hold go by itself
	AttemptPassed    AttemptState = "PASSED"          // a question about the card was answered with yes; nothing is held
	AttemptBooked    AttemptState = "BOOKED"          // its money moved with the answer: a sale, or a refund
)

// AttemptEvent is what may happen to an attempt.
type AttemptEvent string

// The events of an attempt.
const (
	AttemptApprove  AttemptEvent = "approve"
	AttemptDecline  AttemptEvent = "decline"
	AttemptFail     AttemptEvent = "fail"    // nothing can have been held
	AttemptLose     AttemptEvent = "lose"    // something may be held that must not be
	AttemptReverse  AttemptEvent = "reverse" // an approved hold is to be given back
	AttemptUndone   AttemptEvent = "undone"  // the reversal was answered
	AttemptComplete AttemptEvent = "complete"
	AttemptVanish   AttemptEvent = "vanish" // the hold ended at the network without us
	AttemptPass     AttemptEvent = "pass"   // approved, and nothing is held
	AttemptBook     AttemptEvent = "book"   // approved, and the money moved
)

// AttemptRules is the whole life of an attempt. Reversed never becomes approved.
var AttemptRules = flow.Rules[AttemptState, AttemptEvent]{
	AttemptPrepared: {
		AttemptApprove: AttemptApproved, AttemptDecline: AttemptDeclined, AttemptFail: AttemptVoid, AttemptLose: AttemptReversing,
		AttemptPass: AttemptPassed, AttemptBook: AttemptBooked,
	},
	AttemptVoid:      {},
	AttemptApproved:  {AttemptReverse: AttemptReversing, AttemptComplete: AttemptCaptured, AttemptVanish: AttemptGone},
	AttemptDeclined:  {},
	AttemptReversing: {AttemptUndone: AttemptReversed},
	AttemptReversed:  {},
	AttemptCaptured:  {},
	AttemptGone:      {},
	AttemptPassed:    {},
	AttemptBooked:    {},
}

// Trace is how a network names one of our messages (rails §1.9).
type Trace struct {
	STAN string    // system trace audit number, six digits
	RRN  string    // retrieval reference number, twelve characters; a hold, its completion and its reversal share one
	At   time.Time // the second of the first transmission; with the STAN, institution and terminal it is the message's identity
}

// Attempt is one request to the network that may move or hold money, on disk before its bytes leave the house.
type Attempt struct {
	ID          string
	Reservation string
	Refund      string // the refund it is to pay; empty for a hold
	State       AttemptState
	Version     int64
	Acquirer    string // which link it goes over
	Trace       Trace
	Terminal    string
	Merchant    string
	Code        string // the network's response code, once there was one
	UndoneDay   string // the network's business day on which it undid what it had booked, YYYYMMDD; empty where it had booked nothing
}

// AdviceKind is what an advice tells the network. An advice is repeated until it is answered.
type AdviceKind string

// The kinds of advice.
const (
	Reversal    AdviceKind = "REVERSAL"     // give the whole hold back (0420)
	ReleaseRest AdviceKind = "RELEASE_REST" // give back what a smaller capture will not take (0420 with replacement amounts)
	Completion  AdviceKind = "COMPLETION"   // capture the hold (0220)
	RefundOrder AdviceKind = "REFUND"       // give captured money back (0200): a request, sent once; what is unclear is reversed and asked anew
)

// AdviceState is where an advice stands in the store-and-forward queue (rails §1.11).
type AdviceState string

// The states of an advice.
const (
	AdviceQueued  AdviceState = "QUEUED"
	AdviceDone    AdviceState = "DONE"
	AdviceStopped AdviceState = "STOPPED" // the network refused it in a way only a person can resolve
	AdviceBatched AdviceState = "BATCHED" // it waits for a file, or for the file's answer (rails §4.2)
)

// AdviceEvent is what may happen to an advice.
type AdviceEvent string

// The events of an advice.
const (
	AdviceAnswer AdviceEvent = "answer"
	AdviceWait   AdviceEvent = "wait" // no answer, or "later"
	AdviceStop   AdviceEvent = "stop"
	AdviceResume AdviceEvent = "resume" // an operator sends it again
	AdviceBatch  AdviceEvent = "batch"  // it goes by file
)

// AdviceRules is the whole life of an advice.
var AdviceRules = flow.Rules[AdviceState, AdviceEvent]{
	AdviceQueued:  {AdviceAnswer: AdviceDone, AdviceWait: AdviceQueued, AdviceStop: AdviceStopped, AdviceBatch: AdviceBatched},
	AdviceDone:    {},
	AdviceStopped: {AdviceResume: AdviceQueued, AdviceAnswer: AdviceDone},
	AdviceBatched: {AdviceAnswer: AdviceDone, AdviceWait: AdviceBatched, AdviceStop: AdviceStopped},
}

// CaptureState is where a capture stands.
type CaptureState string

// The states of a capture. All but the first are verdicts: told once, for ever.
const (
	CaptureOpen    CaptureState = "PENDING"
	CaptureSuccess CaptureState = "SUCCESS"
	CaptureLapsed  CaptureState = "EXPIRED" // the hold had ended
	CaptureRevoked CaptureState = "REVOKED" // the authorisation was withdrawn
)

// CancelState is where a cancel stands. A cancel never fails: it is tried until the hold is released (Korea Cards v1 §14 point 12).
type CancelState string

// The states of a cancel.
const (
	CancelOpen    CancelState = "PENDING"
	CancelSuccess CancelState = "SUCCESS"
)
