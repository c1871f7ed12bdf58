// Package fault names the few kinds of failure the outside may hear about. A decline is a result, not a fault.
package fault

import (
	"errors"
	"fmt"
)

// Kind is what went wrong, in the words of nobody's wire. Its zero value is Internal: what nobody classified tells nobody anything.
type Kind uint8

// The kinds.
const (
	Internal      Kind = iota // our bug, or a network that answers nonsense
	Unavailable               // no verdict yet, or a dependency is down: ask again with the same key
	Aborted                   // a parallel copy was still running when the time was up
	Missing                   // a required member is absent
	Invalid                   // a value outside what is supported
	Unknown                   // an identifier that names nothing here
	Precondition              // a rule of the operation is broken
	KeyReused                 // an idempotency key came with other content
	Forbidden                 // the caller may not do this
	BadVersion                // a protocol version we do not serve
	StaleTime                 // a timestamp outside its window
	BadSignature              // signed by nobody we know
	BadEncryption             // not readable with any key of ours
	BadSyntax                 // readable, but not a strict document
	TooMany                   // more work than we take from a stranger
)

// Error is a failure: what the counterparty may hear, and what only our log may.
type Error struct {
	Kind   Kind
	Public string // for the counterparty's support staff: never a secret, never card data
	cause  error
}

// New makes a failure the counterparty may read.
func New(k Kind, format string, args ...any) *Error {
	return &Error{Kind: k, Public: fmt.Sprintf(format, args...)}
}

// Wrap keeps the cause for our own log beside what the counterparty may read.
func Wrap(k Kind, cause error, public string) *Error {
	return &Error{Kind: k, Public: public, cause: cause}
}

func (e *Error) Error() string {
	if e.cause != nil {
		return e.Public + ": " + e.cause.Error()
	}
	return e.Public
}

func (e *Error) Unwrap() error { return e.cause }

// Of is the kind of an error and what may be said of it. An error that is no Error is Internal and says nothing.
func Of(err error) (Kind, string) {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind, e.Public
	}
	return Internal, ""
}
