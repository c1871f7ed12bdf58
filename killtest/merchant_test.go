package killtest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	"naru/core/ledger"
	"naru/platform"
	collecting "naru/rail/bankfeed/sim"
	"naru/sandbox/shop"
)

// What payers do about a merchant's orders. The deposit bank tells by file where nothing else is said, and has whims of its own.
var (
	stock     = purchase{won: 1_000_000} // payouts are made of it
	bought    = purchase{}
	thrice    = purchase{signed: shop.HMAC, channels: []string{collecting.File, collecting.Push, collecting.JSON}}
	resent    = purchase{report: "duplicate-message"}
	copied    = purchase{report: "twice", channels: []string{collecting.Push}}
	repushed  = purchase{channels: []string{collecting.File, collecting.JSON}, push: "push-unheard"}
	less      = purchase{service: "SVC9026", share: 70}
	takenBack = purchase{back: true}
	doubled   = purchase{double: true}
	forgotten = purchase{service: hasty, unpaid: true}
	overdue   = purchase{service: hasty, unpaid: true, late: true}
)

// And what becomes of what the merchant pays out.
var (
	wage     = wire{status: shop.PayoutPaid}
	quiet    = wire{status: shop.PayoutPaid, rule: "silent"} // only the booked debit says so
	mislaid  = wire{status: shop.PayoutPaid, rule: "lost"}
	noSuch   = wire{status: 5, rule: "refuse", code: "AC01"}
	sentBack = wire{status: shop.PayoutPaid, back: true}
)

// hasty is a service whose orders expire while a test watches.
const hasty = "SVC9326"

const (
	payerAccount, payeeAccount = "110222333444", "3021234567891"
	familyName, payee          = "한하늘", "이도윤" // every payer has a first name of its own
)

// purchase is a deposit order as its merchant and its payer mean it.
type purchase struct {
	service  string // SVC0026 where empty
	signed   string
	won      int64 // an amount that no other has where 0
	share    int64 // of what is asked for, in hundredths, arrives; all of it where 0
	channels []string
	report   string // what the bank does with its report
	push     string // or with the delivery of that
	unpaid   bool   // nobody transfers in time
	late     bool   // but afterwards: a person's business
	double   bool   // the payer transfers twice: another one
	back     bool   // the bank takes it back when the merchant has heard of it: and another
}

// wire is a payout as its merchant means it.
type wire struct {
	status     int64 // that the merchant hears in the end
	rule, code string
	back       bool // the payee's bank sends it back when the merchant has heard that it is paid
}

// incoming is one deposit order.
type incoming struct {
	purchase
	id, name string
	number   string   // the gateway's
	lost     []string // numbers of ours whose answer was lost: nobody can pay them
	real     int64    // what the payer transfers
	booked   []string // transfers, by the bank's ids
}

// wired is one payout of the merchant.
type wired struct {
	wire
	id     string
	amount int64
	number string
}

// said is an answer of the gateway; without a code, nobody knows what became of the request.
type said struct {
	Code string `json:"error_code"`
	Data struct {
		Payout string `json:"payout_id"`
		Info   struct {
			Payment  string `json:"payment_id"`
			Display  int64  `json:"display_amount"`
			Receiver struct {
				Number string `json:"card_number"`
			} `json:"receiver"`
		} `json:"payment_info"`
	} `json:"data"`
}

// calls has the merchant ask the gateway once.
func (l *life) calls(o shop.Order) (s said) {
	a, err := l.seller.Send(l.ctx, o)
	if err != nil && l.ctx.Err() == nil {
		l.t.Error(err)
	}
	if err != nil || a.Status != http.StatusOK {
		return said{}
	}
	if err := json.Unmarshal(a.Body, &s); err != nil {
		l.t.Errorf("%s: the answer cannot be read: %v", o.Call, err)
	}
	return s
}

func (l *life) newIncoming(p purchase) *incoming {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.serial++
	l.did.deposits.Add(1)
	p.won, p.service = cmp.Or(p.won, 20_000+200*int64(l.serial)), cmp.Or(p.service, "SVC0026")
	in := &incoming{purchase: p, id: fmt.Sprintf("order-%d", l.serial), name: string(rune('가'+28*l.serial)) + familyName}
	l.incomings = append(l.incomings, in)
	return in
}

// buy plays an order until its merchant knows how it ended.
func (l *life) buy(in *incoming) {
	display, account, ok := l.order(in)
	if !ok {
		return
	}
	if in.unpaid && (!l.hears(shop.Deposit, in.id, in.ends()) || !in.late) {
		return
	}
	in.real = display * cmp.Or(in.share, 100) / 100
	if !l.transfer(in, account) || in.late || !l.hears(shop.Deposit, in.id, in.ends()) {
		return
	}
	if in.double {
		l.transfer(in, account)
	}
	if in.back {
		if _, err := l.till.Reverse(in.booked[0]); err != nil {
			l.t.Error(err)
		}
	}
}

// ends is the status of which the merchant hears.
func (in *incoming) ends() int64 {
	if in.unpaid {
		return 3
	}
	return shop.DepositPaid
}

// order asks for an order until there is one that can be paid: where an answer was lost nobody knows where to pay, and the merchant, whose
// number is used up, asks under another one (merchant-gateway §16).
func (l *life) order(in *incoming) (display int64, account string, ok bool) {
	unclear := false
	ok = l.again("order "+in.id, func() bool {
		s := l.calls(shop.Order{Call: "createDeposit", SignType: in.signed, Fields: map[string]string{
			"service_id": in.service, "payment_cl_id": in.id, "amount": fmt.Sprint(100 * in.won), "name": in.name,
			"bank_name": "KBSTAR_KR", "last_number": payerAccount,
		}})
		switch {
		case s.Code == "0000":
			in.number, account, display = s.Data.Info.Payment, s.Data.Info.Receiver.Number, s.Data.Info.Display/100
			return true
		case s.Code == "":
			unclear = true
		case s.Code == "0014" && unclear:
			in.lost, in.id, unclear = append(in.lost, in.id), in.id+"-again", false
			in.name = "새" + in.name // no money is to find the other one
		default:
			l.t.Errorf("%s is refused with %s", in.id, s.Code)
			return true
		}
		return false
	})
	return display, account, ok && account != ""
}

// transfer has the payer pay at the bank.
func (l *life) transfer(in *incoming, account string) bool {
	for action, match := range map[string]collecting.Match{in.report: {Name: in.name}, in.push: {Name: in.name, Channel: collecting.JSON}} {
		if action != "" {
			l.tell(l.till.Control(), "/scenarios", collecting.Rule{Action: action, Match: match, Times: 1})
		}
	}
	list, err := l.till.Deposit(collecting.Deposit{
		Account: account, Credit: collecting.Credit{Amount: in.real, Name: in.name, Bank: "004", Number: payerAccount}, Channels: in.channels,
	})
	if err != nil {
		l.t.Error(err)
		return false
	}
	in.booked = append(in.booked, list[0].ID)
	return true
}

func (l *life) newWired(w wire) *wired {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.serial++
	l.did.wires.Add(1)
	out := &wired{wire: w, id: fmt.Sprintf("wage-%d", l.serial), amount: 5_000 + 10*int64(l.serial)}
	l.wires = append(l.wires, out)
	return out
}

// payWage asks for a payout until it is taken on, and plays it until the merchant knows its end. While nothing was sold yet there is no
// balance to pay from.
func (l *life) payWage(out *wired) {
	if out.rule != "" {
		l.tell(l.till.Control(), "/scenarios", collecting.Rule{
			Action: out.rule, Code: out.code, Match: collecting.Match{Amount: out.amount}, Times: 1,
		})
	}
	unclear := false
	ok := l.again("payout "+out.id, func() bool {
		s := l.calls(shop.Order{Call: "createPayout", SignType: shop.HMAC, Fields: map[string]string{
			"service_id": "SVC0004", "payout_cl_id": out.id, "amount": fmt.Sprint(100 * out.amount), "currency": "krw",
			"bank_name": "KBSTAR_KR", "name": payee, "number": payeeAccount,
		}})
		switch {
		case s.Code == "0000":
			out.number = s.Data.Payout
			return true
		case s.Code == "":
			unclear = true
		case s.Code == "0014" && unclear: // it was taken on: queried, and never asked for anew (§8)
			s = l.calls(shop.Order{Call: "getPayout", Fields: map[string]string{"payout_cl_id": out.id}})
			out.number = s.Data.Payout
			return out.number != ""
		case s.Code != "0018":
			l.t.Errorf("%s is refused with %s", out.id, s.Code)
			return true
		}
		return false
	})
	if ok && l.hears(shop.Payout, out.id, out.status) && out.back {
		paid := slices.DeleteFunc(l.till.Payments(), func(p collecting.Payment) bool {
			return p.Amount != out.amount || p.Transaction == "" // refused, because too little was there yet
		})
		if _, err := l.till.Return(paid[0].EndToEnd, "AC04"); err != nil {
			l.t.Error(err)
		}
	}
}

// hears waits until the merchant has acknowledged the end of an order.
func (l *life) hears(kind, id string, status int64) bool {
	return l.await(fmt.Sprintf("%s is told as %d", id, status), func() bool { return l.acknowledges(kind, id, status) })
}

func (l *life) acknowledges(kind, id string, status int64) bool {
	return slices.ContainsFunc(l.seller.Heard(), func(h shop.Heard) bool {
		return h.Kind == kind && h.ClientID == id && h.Status == status && h.Acked
	})
}

// unsold counts what the merchant still waits to hear.
func (l *life) unsold() (n int) {
	for _, in := range l.incomings {
		if !l.acknowledges(shop.Deposit, in.id, in.ends()) {
			n++
		}
	}
	for _, out := range l.wires {
		if !l.acknowledges(shop.Payout, out.id, out.status) {
			n++
		}
	}
	return n
}

// unreported counts what the deposit bank has still to tell.
func (l *life) unreported() (n int) {
	var all []struct{ Done, Never bool }
	l.hear(l.till.Control(), "/reports", &all)
	for _, r := range all {
		if !r.Done && !r.Never {
			n++
		}
	}
	return n
}

// settled is an order or a payout as the books have it; amounts are in won.
type settled struct {
	number, state     string
	amount, real, fee int64
}

const (
	selectOrders = `SELECT client_id, number, state, amount, real_amount, fee FROM deposit_order`
	selectWires  = `
SELECT p.request_id, m.number, p.state, p.amount, 0, p.fee FROM payout AS p JOIN merchant_payout AS m ON m.payout_id = p.id`
	selectCredits = `
SELECT c.bank_id, COALESCE(o.client_id, ''), c.state, c.amount, 0, 0
  FROM bank_credit AS c LEFT JOIN deposit_order AS o ON o.id = c.order_id`
)

// inBooks reads orders, payouts or credits by their foreign names.
func (l *life) inBooks(query string) map[string]settled {
	all := map[string]settled{}
	l.list(query, func(scan func(...any) error) error {
		var id string
		var s settled
		err := scan(&id, &s.number, &s.state, &s.amount, &s.real, &s.fee)
		if _, twice := all[id]; twice {
			l.t.Errorf("the books have %s twice", id)
		}
		all[id] = s
		return err
	})
	return all
}

// depositFee is what the contract says that an order costs which was paid with so much.
func (w *workshop) depositFee(service string, won int64) int64 {
	i := slices.IndexFunc(w.merchant.Deposits, func(d platform.DepositService) bool { return d.Service == service })
	return (won*w.merchant.Deposits[i].Rate + 5_000) / 10_000
}

func (w *workshop) wireFee() int64 { return w.merchant.Payouts[0].Fixed }

// receiver is our name of an account at the deposit bank.
func (w *workshop) receiver(number string) string {
	i := slices.IndexFunc(w.receiving, func(r platform.Receiver) bool { return r.Number == number })
	return w.receiving[i].ID
}

// trade compares the merchant's books, ours and the deposit bank's: every order that was answered 0000 is there, every credit was taken
// once, every payout was made as often as it is told, and the merchant has booked what we have.
func (l *life) trade(r *records) {
	orders, credits := l.inBooks(selectOrders), l.inBooks(selectCredits)
	want := map[string]settled{} // credits
	for _, in := range l.incomings {
		is := settled{in.number, "PAID", in.won, in.real, l.shop.depositFee(in.service, in.real)}
		switch {
		case in.unpaid:
			is.state, is.real, is.fee = "EXPIRED", 0, 0
		case in.back:
			is.state = "TAKEN_BACK"
		}
		if orders[in.id] != is {
			l.t.Errorf("%s was answered 0000 and should stand as %+v, the books say %+v", in.id, is, orders[in.id])
		}
		delete(orders, in.id)
		for _, id := range in.lost {
			if o := orders[id]; o.state != "WAITING" && (in.service != hasty || o.state != "EXPIRED") {
				l.t.Errorf("%s was answered by nobody, and the books say %+v", id, o)
			}
			delete(orders, id)
		}
		for i, id := range in.booked {
			credit := settled{in.id, "MATCHED", in.real, 0, 0}
			switch {
			case in.back:
				credit.state = "REVERSED"
			case in.late, i > 0:
				credit.number, credit.state = "", "UNMATCHED"
			}
			want[id] = credit
		}
		l.compareBooking(shop.Deposit, in.id, is.real, is.fee)
	}
	for id, o := range orders {
		l.t.Errorf("the books know an order %s that the merchant never asked for: %+v", id, o)
	}
	l.did.credits.Add(int64(len(want)))
	for _, t := range r.moves {
		if t.Kind != "deposit" {
			continue
		}
		if l.did.reports.Add(int64(t.Reported * len(t.Channels))); credits[t.ID] != want[t.ID] || t.Amount != want[t.ID].amount {
			l.t.Errorf("the bank booked %s of %d, which should be taken as %+v, and the books say %+v", t.ID, t.Amount, want[t.ID], credits[t.ID])
		}
		delete(credits, t.ID)
	}
	for id, c := range credits {
		l.t.Errorf("the books know a credit %s that the bank never booked: %+v", id, c)
	}
	l.compareWires()
	l.compareNews()
}

// compareBooking looks whether the merchant has booked what the books say, once, and nothing where there is nothing.
func (l *life) compareBooking(kind, id string, won, fee int64) {
	var has []int64
	for _, b := range l.seller.Bookings() {
		if b.Kind == kind && b.ClientID == id {
			has = append(has, b.Amount, b.Fee)
		}
	}
	var want []int64
	if won > 0 {
		want = []int64{100 * won, 100 * fee}
	}
	if !slices.Equal(has, want) {
		l.t.Errorf("the merchant has booked %v of %s, not %v", has, id, want)
	}
}

// wireStates is how a payout stands when its merchant has heard a status.
var wireStates = map[int64]string{shop.PayoutPaid: "SUCCEEDED", 5: "DECLINED"}

// compareWires holds each payout of the merchant against the bank's payments.
func (l *life) compareWires() {
	books, atBank := l.inBooks(selectWires), map[int64][]collecting.Payment{}
	for _, p := range l.till.Payments() {
		atBank[p.Amount] = append(atBank[p.Amount], p)
	}
	for _, out := range l.wires {
		is := settled{out.number, wireStates[out.status], out.amount, 0, l.shop.wireFee()}
		if out.back {
			is.state = "RETURNED"
		}
		if books[out.id] != is {
			l.t.Errorf("%s was taken on and should stand as %+v, the books say %+v", out.id, is, books[out.id])
		}
		paid := slices.DeleteFunc(atBank[out.amount], func(p collecting.Payment) bool { return p.Transaction == "" })
		delivered := out.status == shop.PayoutPaid
		if len(paid) > 1 || delivered != (len(paid) == 1) || delivered && paid[0].Returned != out.back {
			l.t.Errorf("%s: the merchant was told %d, and the bank paid %+v", out.id, out.status, paid)
		}
		if !delivered {
			is.amount = 0
		}
		l.compareBooking(shop.Payout, out.id, is.amount, is.fee)
		delete(books, out.id)
		delete(atBank, out.amount)
	}
	for id, p := range books {
		l.t.Errorf("the books know a payout %s that the merchant never asked for: %+v", id, p)
	}
	for _, p := range atBank {
		l.t.Errorf("the bank was asked for payments that no merchant asked us for: %+v", p)
	}
	var sent []struct{ Times int64 }
	l.hear(l.till.Control(), "/orders", &sent)
	for _, o := range sent {
		l.did.resent.Add(o.Times - 1)
	}
}

// compareNews reads all that the merchant was told: signed both ways, and of each order the same each time. What is told again may be told
// of an order that has moved on: one that was taken back stays as it was told, and has a later time.
func (l *life) compareNews() {
	before := map[string]shop.Heard{}
	for _, h := range l.seller.Heard() {
		if !h.SignOK || !h.WebhookOK && h.Kind != shop.Check {
			l.t.Errorf("the merchant cannot trust what it heard: %+v", h)
		}
		if h.Kind == shop.Check || !h.Acked {
			continue
		}
		l.did.news.Add(1)
		was, again := before[h.ID]
		if again {
			l.did.newsAgain.Add(1)
		}
		if again && (was.Status != h.Status || was.Updated > h.Updated || was.Real != h.Real || was.Fee != h.Fee) {
			l.t.Errorf("the merchant heard %+v, and then %+v", was, h)
		}
		before[h.ID] = h
	}
}

// merchantBooks makes the ledger of the merchant and of its banks' accounts from what the others know: the merchant's own books, and what
// the deposit bank booked.
func (l *life) merchantBooks(r *records, add func(book, int64)) {
	of := func(owner string, kind ledger.Kind) book { return book{kind, purse{owner, "KRW"}} }
	owed := of(l.shop.merchant.ID, ledger.MerchantPayable)
	for _, b := range l.seller.Bookings() {
		add(owed, -b.Net()/100)
		add(of(l.shop.merchant.ID, ledger.FeeIncome), -b.Fee/100)
	}
	nobodys := map[string]bool{}
	for _, in := range l.incomings {
		for i, id := range in.booked {
			nobodys[id] = in.late || i > 0
		}
	}
	for _, t := range r.moves {
		receiver := l.shop.receiver(t.Account)
		switch t.Kind {
		case "deposit":
			add(of(receiver, ledger.BankCollection), t.Amount)
			if nobodys[t.ID] {
				add(of(receiver, ledger.DepositUnmatched), -t.Amount)
			}
		case "reversal":
			add(of(receiver, ledger.BankCollection), -t.Amount)
			add(owed, t.Amount)
		case "payment":
			add(of(l.shop.transfers.Name, ledger.PayoutFloat), -t.Amount)
		case "return":
			add(of(l.shop.transfers.Name, ledger.PayoutFloat), t.Amount)
			add(owed, -t.Amount)
		}
	}
}

// strays counts what of all this waits for a person. What a message of the bank that came late had left open is closed by then.
func (l *life) strays() (n int64) {
	for _, in := range l.incomings {
		if in.late || in.double || in.back {
			n++
		}
	}
	for _, out := range l.wires {
		if out.back {
			n++
		}
	}
	return n
}
