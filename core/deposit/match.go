package deposit

import (
	"slices"
	"time"

	"naru/core/money"
)

// OtherAmount is what a merchant wants where the order is known and another amount came (design §3.11, rails §3.7 rule 1).
type OtherAmount string

// The wishes.
const (
	PayWithReal OtherAmount = ""     // the order is paid with what arrived, as the API promises
	AskPerson   OtherAmount = "case" // a person decides
)

// Candidate is an open order as the matching sees it, and how the credit at hand compares with it. The names were compared by whoever may
// read them.
type Candidate struct {
	Order       string
	State       State
	Display     money.Amount
	CreatedAt   time.Time
	ExpiresAt   time.Time // with the grace that banks need
	RealName    bool      // its service demands the payer's own name
	Unique      bool      // nobody else was shown its amount on its account
	OtherAmount OtherAmount
	NameKnown   bool // somebody said by whom it must be paid
	NameAgrees  bool // and it is the name on the credit
	SamePayer   bool // the payer's account is known too, and agrees: it decides nothing, and is written down
	TokenFound  bool // its token stands in the name or the memo, as a whole word
}

// Early is how long before an order was made its money may be booked: clocks differ, and people are quick (rails §3.7 step 2).
const Early = 5 * time.Minute

// Incoming is a credit as the matching sees it.
type Incoming struct {
	Amount   money.Amount
	BookedAt time.Time
	Virtual  bool // it was paid into a virtual account
	NewOrder bool // looked at again because an order was made: by the name only, the money may be another merchant's
	Crowded  bool // there are more orders of that name than candidates
}

// Decision is what the rules say of a credit: which order it pays, or why a person must look. Rule is the step of rails §3.7 that decided.
type Decision struct {
	Rule    string
	Order   string  // set: it pays this order
	Trouble Trouble // set: it does not, and this is why
	Suspect string  // the one order that it is probably for; empty where there is none
	Wait    bool    // an order that is made soon may claim it
	Flag    string  // paid, and worth a look
}

// Decide plays the rules of rails §3.7 for one credit. Candidates are, for a virtual account, the orders that it was given to, newest first;
// else the orders on the account that share the amount, and those that the credit names by token or by payer.
func Decide(in Incoming, candidates []Candidate) Decision {
	if in.Virtual {
		return decideVirtual(in, candidates)
	}
	var fit, late []Candidate // step 2
	for _, c := range candidates {
		switch {
		case c.Display != in.Amount:
		case c.inTime(in.BookedAt):
			fit = append(fit, c)
		case in.BookedAt.After(c.ExpiresAt):
			late = append(late, c)
		}
	}
	switch len(fit) {
	case 0:
		return decideByName(in, candidates, late)
	case 1:
		return decideOne(in, fit[0])
	}
	var coded, agree []Candidate
	for _, c := range fit {
		if c.coded() {
			coded = append(coded, c)
		}
		if c.NameAgrees {
			agree = append(agree, c)
		}
	}
	switch {
	case len(coded) == 1: // a code is nobody else's; a name may be
		return coded[0].take("5", Decision{})
	case len(coded) == 0 && len(agree) == 1:
		return agree[0].take("5", Decision{})
	}
	if in.NewOrder {
		return waits
	}
	return Decision{Rule: "5", Trouble: Ambiguous}
}

func (c Candidate) inTime(at time.Time) bool {
	return !at.Before(c.CreatedAt.Add(-Early)) && !at.After(c.ExpiresAt)
}

// coded reports whether a candidate is named by its code, where the name may be any, or agrees.
func (c Candidate) coded() bool { return c.TokenFound && (c.NameAgrees || !c.RealName) }

// take is that a candidate is paid, where its state allows that without a person.
func (c Candidate) take(rule string, d Decision) Decision {
	d.Rule = rule
	if c.State == Waiting || c.State == Seen || c.State == Expired {
		d.Order = c.Order
		return d
	}
	return Decision{Rule: rule, Trouble: Stopped, Suspect: c.Order}
}

// decideVirtual is step 1: the account number names the order.
func decideVirtual(in Incoming, candidates []Candidate) Decision {
	given := slices.IndexFunc(candidates, func(c Candidate) bool { return !in.BookedAt.Before(c.CreatedAt.Add(-Early)) })
	if given < 0 {
		return Decision{Rule: "1", Trouble: NoOrder}
	}
	c := candidates[given]
	switch {
	case in.BookedAt.After(c.ExpiresAt): // step 8
		return Decision{Rule: "8", Trouble: Late, Suspect: c.Order}
	case c.RealName && !c.NameAgrees:
		return Decision{Rule: "1", Trouble: NameMismatch, Suspect: c.Order}
	}
	return c.known("1", in)
}

// known is an order that is known without the amount.
func (c Candidate) known(rule string, in Incoming) Decision {
	if c.Display != in.Amount && c.OtherAmount == AskPerson {
		return Decision{Rule: rule, Trouble: AmountMismatch, Suspect: c.Order}
	}
	return c.take(rule, Decision{})
}

// decideOne is steps 3 and 4: one order has the amount.
func decideOne(in Incoming, c Candidate) Decision {
	switch {
	case c.NameAgrees || c.coded():
		return c.take("3", Decision{})
	case in.NewOrder:
		return waits
	case c.Unique && !c.RealName && !in.BookedAt.Before(c.CreatedAt):
		return c.take("4", Decision{Flag: "another name, or none"})
	}
	return Decision{Rule: "4", Trouble: NameMismatch, Suspect: c.Order}
}

// waits is that no order is known yet.
var waits = Decision{Rule: "6", Trouble: NoOrder, Wait: true}

// decideByName is step 6: no order has the amount, and exactly one open order on the account is named by its token or by its payer's name
// (design §3.11: there the name alone is enough; a homonym makes it two).
func decideByName(in Incoming, candidates, late []Candidate) Decision {
	var named []Candidate
	for _, c := range candidates {
		if !in.NewOrder && c.inTime(in.BookedAt) && (c.State == Waiting || c.State == Seen) && (c.TokenFound || c.NameAgrees) {
			named = append(named, c)
		}
	}
	switch {
	case len(named) == 1 && named[0].RealName && !named[0].NameAgrees:
		return Decision{Rule: "6", Trouble: NameMismatch, Suspect: named[0].Order}
	case len(named) == 1 && !in.Crowded:
		return named[0].known("6", in)
	case len(named) > 0:
		return Decision{Rule: "6", Trouble: Ambiguous}
	case len(late) == 1: // step 8
		return Decision{Rule: "8", Trouble: Late, Suspect: late[0].Order}
	case len(late) > 1:
		return Decision{Rule: "8", Trouble: Late}
	}
	return waits
}
