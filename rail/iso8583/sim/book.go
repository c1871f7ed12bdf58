package sim

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// state is where the money of one payment is.
type state string

const (
	open     state = "open"     // held, not booked
	captured state = "captured" // booked: a completed hold, a sale, or a refund
	released state = "released" // given back by a reversal
	expired  state = "expired"  // given back because nobody completed it in time
	revoked  state = "revoked"  // taken back by the issuer
	rejected state = "rejected" // booked, and then refused in clearing
)

// onCapture and onReverse are what a hold answers in each state; "" is done now.
// A reversal of a completed hold is refused loudly: 25 would let the other side believe that the money is free.
var (
	onCapture = map[state]string{open: "", captured: "94", released: "25", expired: "25", revoked: "R1", rejected: "94"}
	onReverse = map[state]string{open: "", captured: "12", released: "25", expired: "25", revoked: "25", rejected: "25"}
)

// payment is one authorisation, sale or refund and what became of it. It holds the card number: the file is the host's own.
type payment struct {
	ID         int       `json:"id"`
	Kind       string    `json:"kind"` // hold, sale, refund, verification; stray: nobody paid, somebody quarrels all the same
	PAN        string    `json:"pan"`
	RRN        string    `json:"rrn"`
	Terminal   string    `json:"terminal"`
	Merchant   string    `json:"merchant"`            // DE42 as it came
	Reference  string    `json:"reference,omitempty"` // DE48 MR
	Instalment string    `json:"instalment,omitempty"`
	Network    string    `json:"network,omitempty"` // DE48 NT of the approval
	Amount     int64     `json:"amount"`            // held now: less than asked after a partial approval or reversal
	Asked      int64     `json:"asked"`
	Currency   string    `json:"currency"`
	Approval   string    `json:"approval"`
	Approval8  string    `json:"approval8,omitempty"`
	State      state     `json:"state"`
	Name       string    `json:"name"`         // the request that made it, as a DE90 would call it
	Completion string    `json:"completion"`   // the completion, likewise
	Booked     int64     `json:"booked"`       // amount captured, sold or refunded
	BookedDay  string    `json:"booked_day"`   // business day YYYYMMDD
	UndoneDay  string    `json:"undone_day"`   // business day of the reversal of a booking
	Refunded   int64     `json:"refunded"`     // of this payment
	Original   int       `json:"original"`     // the payment that a refund gives back
	Bounced    int64     `json:"bounced"`      // of this refund: it came back to the merchant
	Filed      string    `json:"filed"`        // the file that told the merchant
	Withdrawn  string    `json:"withdrawn"`    // the file that told that the booking was undone after all
	Made       time.Time `json:"made"`         // business time
	Expires    time.Time `json:"hold_expires"` // business time, whole seconds
}

// remembered is an answer that was given, and to what (rails §1.12).
type remembered struct {
	Key     string    `json:"key"`
	Content string    `json:"content"` // DE2, 3, 4, 49
	Payment string    `json:"payment"` // class, DE2, 3, 4, 37, for requests
	Answer  elements  `json:"answer"`
	At      time.Time `json:"at"`
}

// retention is how long an answer is repeated word for word. After it the states above still refuse a second booking.
const retention = 72 * time.Hour

// book is the host's ledger. It is touched under Host.mu only, and everything in it can be rebuilt from the file.
type book struct {
	seed     uint64
	rude     int   // 1, or 0 for a polite host
	least    int64 // amount of a verification, where the dialect knows none over nought
	noHolds  bool  // money is taken in one message or not at all (rails §1.3, capture_mode single)
	cards    map[string]*account
	payments []*payment
	byName   map[string]*payment
	byRRN    map[string][]*payment
	answers  map[string]*remembered
	order    []*remembered   // oldest first
	seen     map[string]bool // remembered.Payment
	refused  map[string]bool // names of originals whose reversal came first (rails §1.11 T11)
	busy     map[string]bool // who was told to come again (action busy-once)
	day      string          // business day YYYYMMDD

	disputes []*dispute
	events   []*event // what the files told and will tell
	reports  []*report
	captures map[string]string // capture files taken, by name: their hash
	serial   int               // of events and cases
}

func newBook(seed int64, polite bool) *book {
	b := &book{seed: uint64(seed), rude: 1, cards: cardBase()}
	if polite {
		b.rude = 0
	}
	b.clear()
	return b
}

func (b *book) clear() {
	b.payments, b.order, b.day = nil, nil, ""
	b.disputes, b.events, b.reports, b.captures, b.serial = nil, nil, nil, map[string]string{}, 0
	b.byName, b.byRRN = map[string]*payment{}, map[string][]*payment{}
	b.answers, b.seen = map[string]*remembered{}, map[string]bool{}
	b.refused, b.busy = map[string]bool{}, map[string]bool{}
}

// ask is one request on its way through the book.
type ask struct {
	m    elements
	tags map[string]string
	card *account
	now  time.Time
}

// verdict is what the book says: a code, what else the answer carries, and the payment it touched.
type verdict struct {
	code     string
	elements elements
	tags     map[string]string
	payment  *payment
	touched  []*payment
	refused  string // the name of an original to be refused from now on
	busy     string // who was told 91 and will not be again
	final    bool   // to be remembered
}

func refuse(code string) verdict { return verdict{code: code} }

// put makes a payment findable, new or changed, live or read from the file.
func (b *book) put(p *payment) {
	if p.ID > len(b.payments) {
		b.payments = append(b.payments, p)
		b.byRRN[p.RRN] = append(b.byRRN[p.RRN], p)
	} else {
		b.payments[p.ID-1] = p
		rrn := b.byRRN[p.RRN]
		rrn[slices.IndexFunc(rrn, func(o *payment) bool { return o.ID == p.ID })] = p
	}
	b.byName[p.Name] = p
	if p.Completion != "" {
		b.byName[p.Completion] = p
	}
}

func (b *book) remember(r *remembered) {
	for len(b.order) > 0 && r.At.Sub(b.order[0].At) > retention {
		delete(b.answers, b.order[0].Key)
		delete(b.seen, b.order[0].Payment)
		b.order = b.order[1:]
	}
	b.answers[r.Key], b.order = r, append(b.order, r)
	if r.Payment != "" {
		b.seen[r.Payment] = true
	}
}

// after lets time pass for one payment: a hold that nobody completed is no hold any more, and no more is what a sale has set aside.
func (p *payment) after(now time.Time) {
	if p.State == open && !p.Expires.IsZero() && !now.Before(p.Expires) {
		p.State = expired
	}
}

// kinds is what the host does, by MTI: mandatory elements (rails §1.7) and the verb.
var kinds = map[string]struct {
	need []int
	do   func(*book, *ask) verdict
}{
	"0100": {[]int{2, 3, 4, 7, 11, 12, 13, 14, 18, 19, 22, 25, 32, 37, 41, 42, 43, 49}, (*book).authorise},
	"0200": {[]int{2, 3, 4, 7, 11, 12, 13, 14, 18, 19, 22, 25, 32, 37, 41, 42, 43, 49}, (*book).financial},
	"0220": {[]int{2, 3, 4, 7, 11, 12, 13, 14, 18, 19, 25, 32, 37, 38, 41, 42, 49, 90}, (*book).complete},
	"0400": {[]int{2, 3, 4, 7, 11, 12, 13, 32, 37, 41, 42, 49, 90}, (*book).reverse},
	"0420": {[]int{2, 3, 4, 7, 11, 12, 13, 32, 37, 41, 42, 49, 90}, (*book).reverse},
	"0500": {[]int{7, 11, 15, 50, 74, 75, 76, 77, 86, 87, 88, 89, 97, 99}, (*book).reconcile},
}

// checks are made in this order; the first that objects is the answer (rails §1.19).
var checks = []func(*book, *ask) verdict{
	(*book).checkMerchant, (*book).checkService, (*book).checkCurrency, (*book).checkNumber, (*book).checkExpiry, (*book).checkStatus,
	(*book).checkHolder, (*book).checkCVV2, (*book).checkLimits, (*book).checkBalance,
}

func (b *book) checkMerchant(a *ask) verdict {
	switch {
	case strings.HasPrefix(a.m[42], "CLOSED"):
		return refuse("03")
	case strings.HasPrefix(a.m[41], "CLOSED"):
		return refuse("58")
	}
	return verdict{}
}

// checkService refuses to hold money where there are sales only.
func (b *book) checkService(a *ask) verdict {
	if b.noHolds && a.m.base() == "0100" && a.m.amount() > 0 {
		return refuse("40")
	}
	return verdict{}
}

func (b *book) checkCurrency(a *ask) verdict {
	if letters[a.m[49]] == "" {
		return refuse("12")
	}
	return verdict{}
}

// lookup finds the account of a card number. The code says why there is none.
func (b *book) lookup(pan string) (*account, string) {
	if !luhn(pan) {
		return nil, "14"
	}
	if a := b.cards[pan]; a != nil {
		return a, ""
	}
	a := ordinary(pan)
	switch {
	case a.issuer.prefix == "":
		return nil, "15"
	case strings.HasPrefix(pan, ordinaryRange):
		return a, ""
	}
	return nil, "14"
}

func (b *book) checkNumber(a *ask) verdict {
	card, code := b.lookup(a.m[2])
	a.card = card
	return refuse(code)
}

func (b *book) checkExpiry(a *ask) verdict {
	month := func(yymm string) (time.Time, error) { return time.ParseInLocation("0601", yymm, hostZone) }
	sent, err := month(a.m[14])
	known, _ := month(cmp.Or(a.card.expiry, a.m[14]))
	switch {
	case err != nil:
		return refuse("80")
	case !a.now.Before(known.AddDate(0, 1, 0)), !a.now.Before(sent.AddDate(0, 1, 0)):
		return refuse("54")
	case !sent.Equal(known):
		return refuse("80")
	}
	return verdict{}
}

func (b *book) checkStatus(a *ask) verdict { return refuse(statusCodes[a.card.status]) }

// checkHolder compares birth date or business number (KB), then the PIN digits (KP). What the issuer has not on file fits.
func (b *book) checkHolder(a *ask) verdict {
	fits := func(known, sent string) bool { return known == "" || known == sent }
	switch {
	case !fits(a.card.birth, a.tags["BD"]), !fits(a.card.business, a.tags["BN"]):
		return verdict{code: "05", tags: map[string]string{"KB": "N"}}
	case !fits(a.card.pin, a.tags["PW"]):
		return verdict{code: "55", tags: map[string]string{"KP": "N"}}
	}
	return verdict{}
}

func (b *book) checkCVV2(a *ask) verdict {
	if sent := a.tags["CV"]; sent != "" && a.card.cvv2 != "" && sent != a.card.cvv2 {
		return verdict{code: "82", tags: map[string]string{"CR": "N"}}
	}
	return verdict{}
}

func (b *book) checkLimits(a *ask) verdict {
	switch amount := a.m.amount(); {
	case amount > a.card.limit:
		return refuse("61")
	case a.card.perDay < unlimited && b.approvals(a.card.pan, a.now) >= a.card.perDay:
		return refuse("65")
	case amount == 0 && !a.verification(), a.m[25] == "51" && amount < b.least:
		return refuse("13")
	}
	return verdict{}
}

func (b *book) checkBalance(a *ask) verdict {
	if a.card.balance < unlimited && b.spent(a.card.pan, a.m[49], a.now)+a.m.amount() > a.card.balance {
		return refuse("51")
	}
	return verdict{}
}

// verification is a question about the card that moves no money (rails §1.10).
func (a *ask) verification() bool {
	return a.m.base() == "0100" && a.m.amount() == 0 && a.m[25] == "51"
}

// approvals counts what a card was granted on the host's day. Only cards with a limit are counted, so the walk is rare.
func (b *book) approvals(pan string, now time.Time) (n int64) {
	for _, p := range b.payments {
		if p.PAN == pan && p.Kind != "refund" && dayOf(p.Made) == dayOf(now) {
			n++
		}
	}
	return n
}

// spent is what a card has held and booked less what it got back.
func (b *book) spent(pan, currency string, now time.Time) (sum int64) {
	for _, p := range b.payments {
		if p.PAN != pan || p.Currency != currency {
			continue
		}
		switch p.after(now); {
		case p.State == open:
			sum += p.Amount
		case p.State == captured && p.Kind == "refund":
			sum -= p.Booked - p.Bounced
		case p.State == captured:
			sum += p.Booked
		}
	}
	return sum
}

// authorise holds the money (0100).
func (b *book) authorise(a *ask) verdict { return b.decide(a, "hold") }

// financial is a sale or, with DE3 20, a refund (0200).
func (b *book) financial(a *ask) verdict {
	switch a.m[3][:2] {
	case "00":
		return b.decide(a, "sale")
	case "20":
		return b.refund(a)
	}
	return refuse("12")
}

func (b *book) decide(a *ask, kind string) verdict {
	for _, check := range checks {
		if v := check(b, a); v.code != "" {
			v.tags = merged(b.metadata(a), v.tags)
			return v
		}
	}
	if a.verification() {
		kind = "verification"
	}
	p := b.open(a, kind)
	v := verdict{
		code: "00", payment: p, touched: []*payment{p}, tags: merged(b.metadata(a), b.approvalTags(a, p)),
		elements: elements{38: p.Approval},
	}
	p.Network = v.tags["NT"]
	switch kind {
	case "verification":
		if a.card.noReason {
			v.code = "85"
		}
	case "hold":
		p.Expires = a.now.Add(a.card.life).Truncate(time.Second)
		v.tags["RX"] = p.Expires.UTC().Format("20060102150405")
	case "sale":
		p.State, p.Booked, p.BookedDay = captured, p.Amount, b.day
	}
	return v
}

// open starts a payment from the request that asks for it.
func (b *book) open(a *ask, kind string) *payment {
	p := &payment{
		ID: len(b.payments) + 1, Kind: kind, PAN: a.m[2], RRN: a.m[37], Terminal: a.m[41], Merchant: a.m[42], Amount: a.m.amount(),
		Asked: a.m.amount(), Currency: a.m[49], State: open, Name: a.m.name(), Made: a.now,
		Reference: a.tags["MR"], Instalment: a.tags["IN"],
	}
	switch {
	case kind == "refund":
	case a.card.issuer.eight: // DE38 has room for the end of it
		p.Approval8 = fmt.Sprintf("%08d", b.chance(a.m, "approval number").IntN(1e8))
		p.Approval = p.Approval8[2:]
	default:
		p.Approval = b.approval(a.m)
	}
	return p
}

// approval is six characters, now and then in lower case or with a blank at the end: they must come back as they went.
func (b *book) approval(m elements) string {
	const letters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	draw, code := b.chance(m, "approval code"), make([]byte, 6)
	for i := range code {
		code[i] = letters[draw.IntN(len(letters))]
	}
	switch draw.IntN(8) * b.rude {
	case 1:
		code[5] = ' '
	case 2:
		return strings.ToLower(string(code))
	}
	return string(code)
}

// metadata is what the host's BIN table knows about the card; approved or not, the answer to a request for its money tells it.
func (b *book) metadata(a *ask) map[string]string {
	card, _ := b.lookup(a.m[2])
	if card == nil || sameness(a.m) == "" {
		return nil
	}
	i := card.issuer
	return map[string]string{"BR": i.brand, "IS": i.name, "IC": i.country, "CT": i.kind}
}

// transactionID is fifteen digits that are no card number, so that who looks for leaked card numbers does not stumble over one.
func transactionID(n int64) string {
	id := fmt.Sprintf("%015d", n)
	if luhn(id) {
		id = id[:14] + string('0'+(id[14]-'0'+1)%10)
	}
	return id
}

func (b *book) approvalTags(a *ask, p *payment) map[string]string {
	found := map[string]string{"NT": transactionID(b.chance(a.m, "network transaction").Int64N(1e15))}
	if p.Approval8 != "" {
		found["AN"] = p.Approval8
	}
	if a.card.issuer.brand == "MASTERCARD" {
		found["NS"] = fmt.Sprintf("%022d", b.chance(a.m, "network link").Int64N(1e18))
	}
	avs, cvv2 := a.card.avs(a.tags["AA"], a.tags["AP"], a.tags["AC"]), a.card.cvv2Letter(a.tags["CV"])
	for _, check := range []struct{ sent, result, letter string }{
		{"CV", "CR", cvv2}, {"PW", "KP", "M"}, {"BD", "KB", "M"}, {"BN", "KB", "M"}, {"AA", "AR", avs}, {"AP", "AR", avs},
	} {
		if a.tags[check.sent] != "" && check.letter != "" {
			found[check.result] = check.letter
		}
	}
	return found
}

// locate finds the payment that a message speaks of, by DE90, else by card, RRN and terminal, and for a reversal the amount
// (rails §1.9). It also tells the name under which it was found.
func (b *book) locate(a *ask, withAmount bool) (*payment, string) {
	name := a.m.original()
	if p := b.byName[name]; p != nil {
		return p, name
	}
	for _, p := range b.byRRN[a.m[37]] {
		if p.Kind != "stray" && p.PAN == a.m[2] && p.Terminal == a.m[41] && (!withAmount || p.Asked == a.m.amount()) {
			return p, p.Name
		}
	}
	return nil, name
}

// complete books a hold; the rest of it is given back (0220).
func (b *book) complete(a *ask) verdict {
	p, _ := b.locate(a, false)
	if p == nil || p.Kind != "hold" {
		return refuse("25")
	}
	p.after(a.now)
	number, sent := a.tags["AN"]
	switch code := onCapture[p.State]; {
	case code != "":
		return refuse(code)
	case p.PAN != a.m[2], p.RRN != a.m[37], p.Approval != a.m[38], sent && number != p.Approval8:
		return refuse("77")
	}
	if code := p.refusesCapture(a.m[49], a.m.amount()); code != "" {
		return refuse(code)
	}
	p.State, p.Booked, p.BookedDay, p.Completion = captured, a.m.amount(), b.day, a.m.name()
	return verdict{code: "00", payment: p, touched: []*payment{p}}
}

func (p *payment) refusesCapture(currency string, amount int64) string {
	switch {
	case p.Currency != currency:
		return "77"
	case amount == 0, amount > p.Amount:
		return "13"
	}
	return ""
}

// reverse gives a hold back, in part if DE95 says so, or undoes a booking (0400, 0420). An original that is not known is
// remembered: should it come after all, it is refused (rails §1.11 T11).
func (b *book) reverse(a *ask) verdict {
	p, name := b.locate(a, true)
	if p == nil {
		return verdict{code: "25", refused: name}
	}
	p.after(a.now)
	booking := name == p.Completion || p.Kind != "hold" && p.BookedDay != ""
	if p.PAN != a.m[2] || p.Currency != a.m[49] || p.RRN != a.m[37] {
		return refuse("77")
	}
	v := verdict{code: "00", payment: p, touched: []*payment{p}}
	switch {
	case booking && p.State != captured:
		return refuse("25")
	case booking && (p.Refunded+p.Bounced > 0 || b.disputed(p)), a.m[95] != "" && (booking || p.Kind != "hold"):
		return refuse("12")
	case booking && p.Booked != a.m.amount():
		return refuse("77")
	case booking:
		p.State, p.UndoneDay = released, b.day
		if p.Kind == "refund" {
			original := b.payments[p.Original-1]
			original.Refunded -= p.Booked
			v.touched = append(v.touched, original)
		}
	case onReverse[p.State] != "":
		return refuse(onReverse[p.State])
	case a.m[95] != "":
		return b.reduce(a, p)
	case p.Asked != a.m.amount():
		return refuse("77")
	default:
		p.State = released
	}
	return v
}

// disputed tells whether the issuer has taken a booking back and the merchant has not won it again.
func (b *book) disputed(p *payment) bool {
	return slices.ContainsFunc(b.disputes, func(d *dispute) bool { return d.Payment == p.ID && d.State != "reversed" })
}

// setAside takes the booking out of a sale whose answer is no approval, though it comes with an approval code: what it grants is held
// until it is given back, or for the life of a hold, and is in no total and no file.
func (p *payment) setAside(now time.Time, life time.Duration) {
	p.State, p.Booked, p.BookedDay, p.Expires = open, 0, "", now.Add(life).Truncate(time.Second)
}

// aside tells whether a sale was never booked.
func (p *payment) aside() bool { return p.Kind == "sale" && p.BookedDay == "" }

// gave tells whether a network transaction id is one of an approval of this host.
func (b *book) gave(id string) bool {
	return id != "" && slices.ContainsFunc(b.payments, func(p *payment) bool { return p.Network == id })
}

// reduce is the partial reversal: the hold stays open over the smaller amount of DE95.
func (b *book) reduce(a *ask, p *payment) verdict {
	switch actual := whole(a.m[95][:12]); {
	case actual == 0 || actual > p.Amount:
		return refuse("13")
	case actual == p.Amount:
		return refuse("25")
	default:
		p.Amount = actual
	}
	return verdict{code: "00", payment: p, touched: []*payment{p}}
}

// refund gives back a booking, named by DE48 OR and OD, by DE90, or by both; all refunds together never exceed it.
func (b *book) refund(a *ask) verdict {
	for _, check := range []func(*book, *ask) verdict{(*book).checkMerchant, (*book).checkCurrency, (*book).checkNumber} {
		if v := check(b, a); v.code != "" {
			return v
		}
	}
	if code := a.card.refusesCredit(); code != "" {
		return refuse(code)
	}
	original, code := b.refunded(a)
	if code == "" {
		code = original.refusesRefund(a.m[49], a.m.amount())
	}
	if code != "" {
		return refuse(code)
	}
	p := b.open(a, "refund")
	return verdict{code: "00", payment: p, touched: []*payment{original, b.giveBack(p, original)}}
}

// refunded finds the booking that a refund names. Where DE48 and DE90 disagree it is neither (77).
func (b *book) refunded(a *ask) (*payment, string) {
	rrn, date, name := a.tags["OR"], a.tags["OD"], a.m.original()
	if _, err := time.Parse("20060102", date); err != nil && date != "" || rrn == "" && name == "" {
		return nil, "30"
	}
	if named := b.byName[name]; rrn == "" && named != nil {
		rrn = named.RRN
	}
	of := slices.IndexFunc(b.byRRN[rrn], func(p *payment) bool { return p.PAN == a.m[2] && p.booked() })
	if of < 0 {
		return nil, "25"
	}
	p := b.byRRN[rrn][of]
	early, late := dayOf(p.Made.AddDate(0, 0, -1)), dayOf(dayStart(p.BookedDay).AddDate(0, 0, 1)) // whatever zone it was said in
	if name != "" && !p.named(name) || date != "" && (date < early || date > late) {
		return nil, "77"
	}
	return p, ""
}

// named tells whether a DE90 means this payment, by its request or its completion, from whatever terminal it is asked.
func (p *payment) named(original string) bool {
	return strings.HasPrefix(p.Name, original[:31]) || strings.HasPrefix(p.Completion, original[:31])
}

// booked tells whether there is something to refund or to quarrel about.
func (p *payment) booked() bool { return p.State == captured && p.Kind != "refund" }

func (p *payment) refusesRefund(currency string, amount int64) string {
	switch {
	case p.Currency != currency:
		return "77"
	case amount == 0, p.Refunded+amount > p.Booked:
		return "13"
	}
	return ""
}

// giveBack books a refund.
func (b *book) giveBack(refund, original *payment) *payment {
	refund.State, refund.Booked, refund.BookedDay = captured, refund.Amount, b.day
	refund.Original, refund.Network = original.ID, original.Network
	original.Refunded += refund.Amount
	return refund
}

// reconcile compares the day's totals with the host's own and states those where they differ (0500).
func (b *book) reconcile(a *ask) verdict {
	own := b.totals(a.m[15], a.m[50], 0)
	for de, text := range own {
		if a.m[de] != text {
			own[66] = "2"
			return verdict{code: "95", elements: own}
		}
	}
	return verdict{code: "00", elements: elements{66: "1"}}
}

// totals are elements 74-77, 86-89 and 97 of one business day (MMDD) and currency, with so many debits of one unit that nobody
// made. A booking that was undone counts on both sides; a refund that bounced and a chargeback are no messages of ours and count nowhere.
func (b *book) totals(day, currency string, phantoms int64) elements {
	count, sum := [4]int64{2: phantoms}, [4]int64{2: phantoms} // credits, credits reversed, debits, debits reversed
	add := func(i int, on string, amount int64) {
		if strings.HasSuffix(on, day) && on != "" {
			count[i]++
			sum[i] += amount
		}
	}
	for _, p := range b.payments {
		if p.Currency != currency {
			continue
		}
		side := 2
		if p.Kind == "refund" {
			side = 0
		}
		add(side, p.BookedDay, p.Booked)
		add(side+1, p.UndoneDay, p.Booked)
	}
	found := elements{}
	for i := range 4 {
		found[74+i] = fmt.Sprintf("%010d", count[i])
		found[86+i] = fmt.Sprintf("%016d", sum[i])
	}
	net := sum[0] + sum[3] - sum[2] - sum[1]
	found[97] = fmt.Sprintf("C%016d", net)
	if net < 0 {
		found[97] = fmt.Sprintf("D%016d", -net)
	}
	return found
}

// chance is a source of randomness that depends on the seed and the message alone, not on what else arrives meanwhile.
func (b *book) chance(m elements, purpose string) *rand.Rand { return seeded(b.seed, m.key()+purpose) }

// merged is both maps in a new one; the second wins.
func merged(under, over map[string]string) map[string]string {
	all := map[string]string{}
	maps.Copy(all, under)
	maps.Copy(all, over)
	return all
}

// hostZone is where the host keeps its business day.
var hostZone = time.FixedZone("KST", 9*60*60)

// dayStart is the first instant of a business day YYYYMMDD.
func dayStart(day string) time.Time {
	t, err := time.ParseInLocation("20060102", day, hostZone)
	if err != nil {
		panic(fmt.Sprintf("sim: the business day is %q", day))
	}
	return t
}

func dayOf(t time.Time) string { return t.In(hostZone).Format("20060102") }
