package deposit_test

import (
	"testing"
	"time"

	. "naru/core/deposit"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// order is an open order of 30 000 won on a shared account, made at noon, for ten minutes and a grace, whose payer is known.
func order(id string, with ...func(*Candidate)) Candidate {
	c := Candidate{
		Order: id, State: Waiting, Display: won(30_000), CreatedAt: noon, ExpiresAt: noon.Add(10*time.Minute + 30*time.Second),
		RealName: true, Unique: true, NameKnown: true,
	}
	for _, w := range with {
		w(&c)
	}
	return c
}

func named(c *Candidate)     { c.NameAgrees = true }
func account(c *Candidate)   { c.SamePayer = true }
func unknown(c *Candidate)   { c.NameKnown = false }
func code(c *Candidate)      { c.TokenFound = true }
func anyName(c *Candidate)   { c.RealName = false }
func shared(c *Candidate)    { c.Unique = false }
func strict(c *Candidate)    { c.OtherAmount = AskPerson }
func other(c *Candidate)     { c.Display = won(31_000) }
func seen(c *Candidate)      { c.State = Seen }
func expired(c *Candidate)   { c.State = Expired }
func cancelled(c *Candidate) { c.State = Cancelled }
func paid(c *Candidate)      { c.State = Paid }
func newer(c *Candidate) {
	c.CreatedAt, c.ExpiresAt = c.CreatedAt.Add(time.Hour), c.ExpiresAt.Add(time.Hour)
}

// The rules of rails §3.7, row by row.
func TestDecide(t *testing.T) {
	at := func(d time.Duration, with ...func(*Incoming)) Incoming {
		in := Incoming{Amount: won(30_000), BookedAt: noon.Add(d)}
		for _, w := range with {
			w(&in)
		}
		return in
	}
	virtual := func(in *Incoming) { in.Virtual = true }
	fresh := func(in *Incoming) { in.NewOrder = true }
	crowded := func(in *Incoming) { in.Crowded = true }
	for name, c := range map[string]struct {
		in   Incoming
		list []Candidate
		want Decision
	}{
		"1: the account number names the order":             {at(time.Minute, virtual), []Candidate{order("a", named)}, Decision{Rule: "1", Order: "a"}},
		"1: another amount pays with what arrived":          {at(time.Minute, virtual), []Candidate{order("a", named, other)}, Decision{Rule: "1", Order: "a"}},
		"1: another amount, and the merchant asks first":    {at(time.Minute, virtual), []Candidate{order("a", named, other, strict)}, Decision{Rule: "1", Trouble: AmountMismatch, Suspect: "a"}},
		"1: another name on a real-name service":            {at(time.Minute, virtual), []Candidate{order("a")}, Decision{Rule: "1", Trouble: NameMismatch, Suspect: "a"}},
		"1: another name elsewhere":                         {at(time.Minute, virtual), []Candidate{order("a", anyName)}, Decision{Rule: "1", Order: "a"}},
		"1: the second payment":                             {at(time.Minute, virtual), []Candidate{order("a", named, paid)}, Decision{Rule: "1", Trouble: Stopped, Suspect: "a"}},
		"1: to whom the number was given then":              {at(time.Minute, virtual), []Candidate{order("b", named, newer), order("a", named)}, Decision{Rule: "1", Order: "a"}},
		"1: a number that nobody has":                       {at(time.Minute, virtual), nil, Decision{Rule: "1", Trouble: NoOrder}},
		"1: booked after its end":                           {at(11*time.Minute, virtual), []Candidate{order("a", named, expired)}, Decision{Rule: "8", Trouble: Late, Suspect: "a"}},
		"3: one order, and the name agrees":                 {at(time.Minute), []Candidate{order("a", named)}, Decision{Rule: "3", Order: "a"}},
		"3: a person was asked already, and now it is sure": {at(time.Minute), []Candidate{order("a", named, seen)}, Decision{Rule: "3", Order: "a"}},
		"3: booked in time, told after the end":             {at(time.Minute), []Candidate{order("a", named, expired)}, Decision{Rule: "3", Order: "a"}},
		"3: booked in the grace":                            {at(10*time.Minute + 29*time.Second), []Candidate{order("a", named)}, Decision{Rule: "3", Order: "a"}},
		"3: booked five minutes early":                      {at(-5 * time.Minute), []Candidate{order("a", named)}, Decision{Rule: "3", Order: "a"}},
		"3: of an order that was cancelled":                 {at(time.Minute), []Candidate{order("a", named, cancelled)}, Decision{Rule: "3", Trouble: Stopped, Suspect: "a"}},
		"4: one order, and another name":                    {at(time.Minute), []Candidate{order("a")}, Decision{Rule: "4", Trouble: NameMismatch, Suspect: "a"}},
		"4: one order, and nobody told whose it must be":    {at(time.Minute), []Candidate{order("a", unknown)}, Decision{Rule: "4", Trouble: NameMismatch, Suspect: "a"}},
		"4: the amount alone, where it is unique":           {at(time.Minute), []Candidate{order("a", anyName)}, Decision{Rule: "4", Order: "a", Flag: "another name, or none"}},
		"4: not where it is not":                            {at(time.Minute), []Candidate{order("a", anyName, shared)}, Decision{Rule: "4", Trouble: NameMismatch, Suspect: "a"}},
		"4: not of money that is older than the order":      {at(-time.Minute), []Candidate{order("a", anyName)}, Decision{Rule: "4", Trouble: NameMismatch, Suspect: "a"}},
		"5: several, and one name agrees":                   {at(time.Minute), []Candidate{order("a", shared), order("b", shared, named)}, Decision{Rule: "5", Order: "b"}},
		"5: homonyms":                                       {at(time.Minute), []Candidate{order("a", shared, named), order("b", shared, named)}, Decision{Rule: "5", Trouble: Ambiguous}},
		"3: its code, where any name will do":               {at(time.Minute), []Candidate{order("a", code, anyName)}, Decision{Rule: "3", Order: "a"}},
		"4: its code, and another name where it counts":     {at(time.Minute), []Candidate{order("a", code)}, Decision{Rule: "4", Trouble: NameMismatch, Suspect: "a"}},
		"5: a code says more than a name":                   {at(time.Minute), []Candidate{order("a", anyName, named), order("b", anyName, code)}, Decision{Rule: "5", Order: "b"}},
		"5: two codes":                                      {at(time.Minute), []Candidate{order("a", anyName, code), order("b", anyName, code, named)}, Decision{Rule: "5", Trouble: Ambiguous}},
		"5: several, and no name agrees":                    {at(time.Minute), []Candidate{order("a", shared), order("b", shared)}, Decision{Rule: "5", Trouble: Ambiguous}},
		"6: another amount, and its code":                   {at(time.Minute), []Candidate{order("a", other, code, anyName)}, Decision{Rule: "6", Order: "a"}},
		"6: its code, and another name":                     {at(time.Minute), []Candidate{order("a", other, code)}, Decision{Rule: "6", Trouble: NameMismatch, Suspect: "a"}},
		"6: another amount, and the one order of that name": {at(time.Minute), []Candidate{order("a", other, named, account)}, Decision{Rule: "6", Order: "a"}},
		"6: where the merchant asks first":                  {at(time.Minute), []Candidate{order("a", other, named, strict)}, Decision{Rule: "6", Trouble: AmountMismatch, Suspect: "a"}},
		"6: two of that name":                               {at(time.Minute), []Candidate{order("a", other, named), order("b", other, named)}, Decision{Rule: "6", Trouble: Ambiguous}},
		"6: more of that name than can be looked at":        {at(time.Minute, crowded), []Candidate{order("a", other, named)}, Decision{Rule: "6", Trouble: Ambiguous}},
		"6: not of an order that is over":                   {at(time.Minute), []Candidate{order("a", other, named, expired)}, Decision{Rule: "6", Trouble: NoOrder, Wait: true}},
		"6: nothing fits":                                   {at(time.Minute), nil, Decision{Rule: "6", Trouble: NoOrder, Wait: true}},
		"6: an order that came later, by its name":          {at(-time.Minute, fresh), []Candidate{order("a", named)}, Decision{Rule: "3", Order: "a"}},
		"6: and not without":                                {at(-time.Minute, fresh), []Candidate{order("a", anyName)}, Decision{Rule: "6", Trouble: NoOrder, Wait: true}},
		"6: nor by its name with another amount":            {at(-time.Minute, fresh), []Candidate{order("a", named, other)}, Decision{Rule: "6", Trouble: NoOrder, Wait: true}},
		"8: booked after the end":                           {at(11 * time.Minute), []Candidate{order("a", named, expired)}, Decision{Rule: "8", Trouble: Late, Suspect: "a"}},
		"8: of several":                                     {at(11 * time.Minute), []Candidate{order("a", expired), order("b", expired)}, Decision{Rule: "8", Trouble: Late}},
	} {
		if got := Decide(c.in, c.list); got != c.want {
			t.Errorf("%s:\n got %+v\nwant %+v", name, got, c.want)
		}
	}
}
