package upi

import (
	"context"
	"errors"
	"net/http"
	"time"

	"naru/core/card"
	"naru/core/payout"
)

// A Bank pays money to an account that we do not hold, out of a float that it keeps for us.
//
// It never guesses: silence, nonsense, a server's error and an answer that contradicts the order are Unknown. It keeps nothing, makes no
// key and changes no bytes: the order is on disk before it is called, and whatever it sends of one order is the same. Answer.Alert is for
// an operator and holds nothing about a person.
type Bank interface {
	// Check says whether the bank's own format can carry the order, before anything of it is stored; its error names the field, never its
	// content. Such an order is not the caller's fault (rails O9). Key and reference are checked where the order has them.
	Check(payout.Order) error
	// Compose writes the exact bytes of an order. Pure: the same order gives the same bytes.
	Compose(payout.Order) ([]byte, error)
	// Pay sends order.Body under order.Key, once, and waits for the answer. Safe to call again with the same order: the bank pays one key
	// once. Later than its memory of keys lasts after FirstSent nothing is sent, and the answer is Unknown.
	//
	// NotSent, Later and Misfit speak of this call alone: what an earlier one of the same order did they do not know.
	// Rejected without a Reason is certainly not paid, through no fault of the payee: only a person may order it anew.
	// CameBack is said whether or not the bank was ever heard to credit it: who took it as paid has it back, for everybody else it is
	// not paid, as Rejected where there is a Reason, as Failed where there is none.
	Pay(context.Context, payout.Order) payout.Answer
	// Enquire asks what became of an order: by the bank's name of it, else by our reference. Whatever teaches nothing is Unknown. Absent is
	// said only of a reference, and of this moment: what the bank does not list yet may still be on its way in.
	Enquire(context.Context, payout.Order) payout.Answer
	// Validate asks whether an address can be paid: a new question where id is empty, else how the question of that id stands. A question
	// may cost money.
	Validate(ctx context.Context, vpa card.Secret, id string) Validation
	// Float is what the bank says that it holds for us.
	Float(context.Context) (payout.Float, error)
	// Statement lists movements of that account between two times, as many as count, after the first skip of them.
	Statement(ctx context.Context, from, to time.Time, skip, count int) ([]payout.StatementLine, error)
	// Hear reads an event that the bank sent: false where it is none about a payout, which is acknowledged and forgotten. It fails with
	// ErrSignature where nobody proves that the bank sent it, and nothing of it was read; with ErrEvent where the bank did send it, but it
	// says nothing that can be understood: that one is acknowledged too, as a bank stops telling who refuses.
	Hear(header http.Header, raw []byte) (news payout.News, about bool, err error)
}

// Why Hear fails.
var (
	ErrSignature = errors.New("upi: the signature is not the bank's")
	ErrEvent     = errors.New("upi: the bank sent an event that cannot be read")
)

// Standing is what a bank says of an address. Its zero value is that it does not say.
type Standing uint8

// The standings.
const (
	Unsaid  Standing = iota // no answer, or none that says anything
	Asking                  // the bank is asking: Validation.ID asks it again
	Active                  // it can be paid
	Invalid                 // nobody has this address
)

// Validation is what came of a question about an address.
type Validation struct {
	ID       string
	Standing Standing
	Name     card.Secret // who holds it
	Alert    string
}
