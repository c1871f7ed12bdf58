package sim

import (
	"cmp"
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Statuses of a payment (rails §4.4).
const (
	actc = "ACTC"
	accp = "ACCP"
	acsc = "ACSC"
	accc = "ACCC"
	rjct = "RJCT"
)

var reasonCode = regexp.MustCompile(`^[A-Z]{2}[0-9]{2}$`)

// Payment is one payment that the bank was asked for.
type Payment struct {
	N           int       `json:"n"`
	Order       string    `json:"order"` // MsgId
	Part        string    `json:"part"`  // PmtInfId
	InstrID     string    `json:"instr_id"`
	EndToEnd    string    `json:"end_to_end"`
	Account     string    `json:"account"` // ours
	Amount      int64     `json:"amount"`  // won
	Name        string    `json:"name"`    // of the payee
	Bank        string    `json:"bank"`
	Number      string    `json:"number"`
	Memo        string    `json:"memo"`
	Status      string    `json:"status"`
	Reason      string    `json:"reason,omitzero"`
	Transaction string    `json:"bank_txn_id,omitzero"` // the debit
	Returned    bool      `json:"returned,omitzero"`
	At          time.Time `json:"at"`
	History     []string  `json:"history"`
	Script      []move    `json:"script,omitzero"`
	Due         time.Time `json:"due"` // of the next move; zero where none is to come
}

// move is what becomes of a payment next. No status is its return.
type move struct {
	To     string `json:"to,omitzero"`
	Reason string `json:"reason,omitzero"`
	After  span   `json:"after,omitzero"`
}

// span is business time; in the file it is a number of nanoseconds.
type span int64

// order is one pain.001.
type order struct {
	ID       string   `json:"id"`
	Payments []int    `json:"payments"` // by their N
	Statuses []string `json:"statuses"` // theirs
	Refused  string   `json:"refused,omitzero"`
	Silent   bool     `json:"silent,omitzero"` // nothing is reported, unless it is asked for again
	Levels   string   `json:"levels,omitzero"`
	Times    int      `json:"times"` // it was received
}

// standing is the status of an order, and whether all its payments have it.
func (o *order) standing() (status string, same bool) {
	if o.Refused != "" {
		return rjct, true
	}
	if len(slices.Compact(slices.Clone(o.Statuses))) == 1 {
		return o.Statuses[0], true
	}
	return "PART", false
}

func (b *book) touchOrder(o *order) {
	b.orders[o.ID] = o
	b.changed.Orders = mark(b.changed.Orders, o)
}

func (b *book) touchPayment(p *Payment) {
	b.payments = set(b.payments, p.N, p)
	await(b.moving, p.N, p.Due)
	b.changed.Payments = mark(b.changed.Payments, p)
}

// state owes pain.002 about an order.
func (b *book) state(o *order, at time.Time) {
	serial := b.nextSerial()
	id := fmt.Sprintf("%s-STS-%d", b.cfg.Prefix, serial)
	b.owe(report{
		ID: id, Kind: "pain.002", Channel: File, Body: b.answer(o, id, at), Made: at, Due: at,
		Name: fmt.Sprintf("PAIN002_%s_%s_%d.xml", b.cfg.Code, at.In(kst).Format("20060102150405"), serial),
	})
}

// takeOrder reads an order and does what it says, once for each MsgId: one that comes again is answered as things stand. It says whether
// the order could be read.
func (b *book) takeOrder(now time.Time, text []byte) bool {
	in, err := readOrder(text)
	if err != nil {
		b.state(&order{ID: "NOTPROVIDED", Refused: "FF01"}, now)
		return false
	}
	if o := b.orders[in.ID]; o != nil {
		o.Times++
		b.touchOrder(o)
		b.state(o, now)
		return true
	}
	o := &order{ID: in.ID, Times: 1, Refused: b.findFault(in)}
	var fates []fate
	var list []*Payment
	for _, part := range in.Parts {
		for _, w := range part.Wishes {
			p := &Payment{
				Order: in.ID, Part: part.ID, InstrID: w.InstrID, EndToEnd: w.EndToEnd, Account: part.Account, Name: w.Name, Bank: w.Bank,
				Number: w.Number, Memo: strings.Join(w.Memo, " "), At: now,
			}
			p.Amount, _ = won(w.Amount) // judged below
			f := b.fateOf(p)
			f.first = cmp.Or(b.refusal(part, w, now), f.first)
			f.twice = !b.cfg.Polite && seeded(b.cfg.Seed, "steps", w.EndToEnd).IntN(2) == 0
			p.Script = f.script(max(b.cfg.Delay, f.slow, until(part, now)))
			list, fates = append(list, p), append(fates, f)
			o.Silent, o.Levels, o.Refused = o.Silent || f.silent, cmp.Or(o.Levels, f.levels), cmp.Or(o.Refused, f.group)
		}
	}
	if slices.ContainsFunc(fates, func(f fate) bool { return f.lost }) {
		return true
	}
	if o.Refused == "" {
		b.begin(o, list, now)
	}
	b.touchOrder(o)
	if !o.Silent {
		b.state(o, now)
	}
	return true
}

// begin makes the payments of an order known and their first moves.
func (b *book) begin(o *order, list []*Payment, now time.Time) {
	first := actc
	if !b.cfg.Polite && seeded(b.cfg.Seed, "first", o.ID).IntN(2) == 0 {
		first = accp
	}
	for _, p := range list {
		p.N = len(b.payments) + 1
		p.Status = first
		if p.Script[0].After == 0 {
			p.Status, p.Reason, p.Script = p.Script[0].To, p.Script[0].Reason, nil
		}
		p.History = []string{p.Status}
		p.wait(now)
		b.touchPayment(p)
		o.Payments, o.Statuses = append(o.Payments, p.N), append(o.Statuses, p.Status)
	}
}

func (p *Payment) wait(at time.Time) {
	if p.Due = (time.Time{}); len(p.Script) > 0 {
		p.Due = at.Add(time.Duration(p.Script[0].After))
	}
}

// script is how a payment will go on. A refusal at once takes no time.
func (f fate) script(delay time.Duration) []move {
	if f.first != "" {
		return []move{{To: rjct, Reason: f.first}}
	}
	var all []move
	if f.pending > 0 {
		all = append(all, move{To: pdng, After: span(delay)})
		delay = f.pending
	}
	if f.then != "" {
		return append(all, move{To: rjct, Reason: f.then, After: span(delay)})
	}
	if f.end == "" && f.twice {
		all = append(all, move{To: acsc, After: span(delay)})
	}
	all = append(all, move{To: cmp.Or(f.end, accc), After: span(delay)})
	if f.back > 0 {
		all = append(all, move{Reason: f.why, After: span(f.back)})
	}
	return all
}

// advance makes the next move of a payment at its time, and of those of the same order whose time it is, and reports them together.
func (b *book) advance(first *Payment) {
	at, o, told := first.Due, b.orders[first.Order], false
	for i, n := range o.Payments {
		p := b.payments[n-1]
		if !p.Due.Equal(at) {
			continue
		}
		m := p.Script[0]
		p.Script = p.Script[1:]
		if m.To != "" {
			b.pass(p, m, at)
			o.Statuses[i], told = p.Status, true
		} else if _, err := b.giveBack(at, p, m.Reason); err != nil {
			p.Script = nil // somebody was faster
		}
		p.wait(at)
		b.touchPayment(p)
	}
	b.touchOrder(o)
	if told && !o.Silent {
		b.state(o, at)
	}
}

// pass is the one step of a payment: where it is made the account pays, or cannot.
func (b *book) pass(p *Payment, m move, at time.Time) {
	if (m.To == acsc || m.To == accc) && p.Transaction == "" {
		if b.balance[p.Account] < p.Amount {
			m, p.Script = move{To: rjct, Reason: "AM04"}, nil
		} else {
			t := &Transaction{
				ID: b.name(at), Kind: paid, Account: p.Account, Amount: p.Amount, Direction: dbit, Name: p.Name, Bank: p.Bank,
				Number: p.Number, Memo: p.Memo, EndToEnd: p.EndToEnd, InstrID: p.InstrID, At: at,
			}
			p.Transaction = t.ID
			b.enter(at, []*Transaction{t})
		}
	}
	p.Status, p.Reason, p.At = m.To, m.Reason, at
	p.History = append(p.History, m.To)
}

// won reads an amount, and says what is wrong with it.
func won(a camtAmount) (int64, string) {
	n := decimal(a.Text)
	switch {
	case a.Ccy != "KRW":
		return 0, "AM03"
	case !decimals.MatchString(a.Text) || !n.IsInt() || n.Num().Int64() > mostWon: // of 18 digits at most
		return 0, "AM12"
	case n.Sign() == 0:
		return 0, "AM01"
	}
	return n.Num().Int64(), ""
}

// total is what is wrong with the count and the sum of some payments; a sum may be missing.
func total(count, sum string, wishes []orderWanted) string {
	if n, err := strconv.Atoi(count); count != "" && (err != nil || n != len(wishes)) {
		return "FF01"
	}
	all := new(big.Rat)
	for _, w := range wishes {
		all.Add(all, decimal(w.Amount.Text))
	}
	if sum != "" && (!decimals.MatchString(sum) || decimal(sum).Cmp(all) != 0) {
		return "AM10"
	}
	return ""
}

var decimals = regexp.MustCompile(`^[0-9]{1,18}(\.[0-9]{1,5})?$`)

// decimal is a number as the schema has it; nought where it is none: the amount itself is judged elsewhere.
func decimal(text string) *big.Rat {
	n := new(big.Rat)
	if decimals.MatchString(text) {
		n.SetString(text) // cannot fail now
	}
	return n
}

// findFault is the reason for which all of an order is refused.
func (b *book) findFault(in orderMessage) string {
	var all []orderWanted
	parts := map[string]bool{}
	for _, part := range in.Parts {
		all = append(all, part.Wishes...)
		if fault := total(part.NbOfTxs, part.CtrlSum, part.Wishes); fault != "" {
			return fault
		}
		if parts[part.ID] || part.ID == "" || len(part.ID) > 35 || part.Method != "TRF" || len(part.Wishes) == 0 {
			return "FF01"
		}
		parts[part.ID] = true
	}
	_, err := time.Parse(time.RFC3339, in.Made)
	switch {
	case len(in.ID) > 35 || len(all) == 0 || in.NbOfTxs == "" || err != nil:
		return "FF01"
	case b.cfg.Customer != "" && in.Customer != b.cfg.Customer:
		return "BE05"
	}
	seen := map[string]bool{}
	for _, w := range all {
		if seen[w.EndToEnd] {
			return "AM05"
		}
		seen[w.EndToEnd] = true
	}
	return total(in.NbOfTxs, in.CtrlSum, all)
}

// refusal is the reason for which one payment is refused at once.
func (b *book) refusal(part orderPart, w orderWanted, now time.Time) string {
	_, virtual, known := b.owner(part.Account)
	_, wrong := won(w.Amount)
	for _, c := range []struct {
		bad  bool
		code string
	}{
		{!known || virtual != "", "AC02"},
		{part.Bank != b.cfg.Code, "RC03"},
		{!day(part, now), "DT01"},
		{w.EndToEnd == "" || len(w.EndToEnd) > 35 || len(w.InstrID) > 35, "FF01"},
		{wrong != "", wrong},
		{!threeDigits.MatchString(w.Bank), "RC04"},
		{!digits.MatchString(w.Number), "AC03"},
	} {
		if c.bad {
			return c.code
		}
	}
	return ""
}

// execution is when a part is to be paid.
func execution(part orderPart) (time.Time, error) {
	if part.Time != "" {
		return time.Parse(time.RFC3339, part.Time)
	}
	return time.ParseInLocation(time.DateOnly, part.Day, kst)
}

// day tells whether a part is for today or a day to come.
func day(part orderPart, now time.Time) bool {
	at, err := execution(part)
	return err == nil && dayOf(at) >= dayOf(now)
}

// until is how long a part has to wait for its day.
func until(part orderPart, now time.Time) time.Duration {
	at, err := execution(part)
	if err != nil {
		return 0
	}
	return at.Sub(now)
}
