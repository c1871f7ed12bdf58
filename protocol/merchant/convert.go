package merchant

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"naru/core/bank"
	"naru/core/card"
	"naru/core/deposit"
	"naru/core/money"
	"naru/core/payout"
	"naru/engine"
)

var won = money.Of("KRW")

// hundredths is an amount as the merchant API writes it.
func hundredths(a money.Amount) int64 { return 100 * a.Minor() }

// failure is why a call is answered with an error: what the merchant may read, and what only our log may.
type failure struct {
	code  Code
	text  string
	cause error
}

func (f *failure) Error() string {
	if f.cause != nil {
		return f.text + ": " + f.cause.Error()
	}
	return f.text
}

func (f *failure) Unwrap() error { return f.cause }

func refuse(code Code, format string, args ...any) error {
	return &failure{code: code, text: fmt.Sprintf(format, args...)}
}

func invalid(name, why string) error { return refuse(BadParameter, "%s %s", name, why) }

// refusals are the engine's refusals in the API's codes (§15). What has no row is that the order could not be made at all: 0013 or 0017.
var refusals = map[engine.Refusal]failure{
	engine.RefusedService:   {code: WrongService, text: "There is no such service_id"},
	engine.RefusedUnopened:  {code: ServiceUnopened, text: "This service is not open for this merchant"},
	engine.RefusedClosed:    {code: ServiceClosed, text: "This service is switched off, contact our staff"},
	engine.RefusedDuplicate: {code: Duplicate, text: "This order number was used before, query it"},
	engine.RefusedBelow:     {code: BelowMinimum, text: "The amount is below the minimum"},
	engine.RefusedAbove:     {code: AboveMaximum, text: "The amount is above the maximum"},
	engine.RefusedBalance:   {code: BalanceLow, text: "The balance is too low"},
	engine.RefusedPool:      {code: PoolEmpty, text: "No receiving account is available now"},
	engine.RefusedBank:      {code: NoBank, text: "This bank or account cannot be paid to"},
}

// The services that the sheet names for Korea (§13): any other is a wrong one, not one that is not open.
const (
	depositService = "SVC0026"
	payoutService  = "SVC0004"
)

// refusedBy turns what the engine says into a failure. What is no refusal stays what it is: nobody knows.
func refusedBy(err error, service, known string, otherwise Code) error {
	var r engine.Refusal
	if !errors.As(err, &r) {
		return err
	}
	if r == engine.RefusedUnopened && service != known {
		r = engine.RefusedService
	}
	row, ok := refusals[r]
	if !ok {
		row = failure{code: otherwise, text: "The order cannot be made now"}
	}
	row.cause = err
	return &row
}

// statuses are the states of deposit orders in the API's numbers (§14, §17).
var statuses = map[deposit.State]int64{
	deposit.Waiting:   0,
	deposit.Seen:      1,
	deposit.Paid:      2,
	deposit.TakenBack: 2, // no status exists for it (§17)
	deposit.Expired:   3,
	deposit.Cancelled: 3,
	deposit.Failed:    4,
}

// payoutStatuses are the states of payouts in the API's numbers (§14, §17).
var payoutStatuses = map[payout.State]int64{
	payout.Reviewed:  6,
	payout.Asked:     1,
	payout.Sent:      2,
	payout.Waiting:   2,
	payout.Unclear:   2, // never guess
	payout.Reversing: 2,
	payout.Deemed:    2,
	payout.Paid:      3,
	payout.Returned:  3, // the money is back in the balance (§17)
	payout.Cancelled: 4,
	payout.Refused:   5,
}

// reasons are why payouts fail, as a merchant may read it (§9).
var reasons = map[payout.Reason]string{
	payout.BelowLimit:   "The amount is below the limit",
	payout.AboveLimit:   "The amount is above the limit",
	payout.BankLimit:    "The amount is above the bank's limit",
	payout.Closed:       "The account is closed",
	payout.OnHold:       "The account is blocked",
	payout.ClosedFraud:  "The account is closed",
	payout.ClosedStolen: "The account is closed",
	payout.NoAccount:    "There is no such account",
	payout.OtherName:    "The account holder's name is another",
	payout.NoBank:       "The bank cannot be reached",
	payout.NotPermitted: "The account takes no transfers",
	payout.Compliance:   "The bank refuses this transfer",
	payout.Declined:     "The bank refuses this transfer",
}

// check reads the parameters that a request may have: what is missing goes before what is wrong. Parameters that are not in the table are
// signed, and ignored.
func (d document) check(fields []field) (map[string]string, error) {
	in := make(map[string]string, len(fields))
	for _, f := range fields {
		v := d.values[f.name]
		kind := v.Kind()
		switch kind {
		case '"':
			in[f.name] = text(v)
		case '0':
			in[f.name] = string(v)
		}
		if f.required && in[f.name] == "" && (kind == 0 || kind == 'n' || kind == '"') {
			return nil, invalid(f.name, "is required")
		}
	}
	for _, f := range fields {
		switch kind := d.values[f.name].Kind(); {
		case kind != 0 && kind != 'n' && kind != '"' && kind != '0':
			return nil, invalid(f.name, "must be a string or a number")
		case f.most > 0 && utf8.RuneCountInString(in[f.name]) > f.most:
			return nil, invalid(f.name, "must be at most "+strconv.Itoa(f.most)+" characters")
		case strings.ContainsFunc(in[f.name], unicode.IsControl):
			return nil, invalid(f.name, "must not hold control characters")
		}
	}
	return in, nil
}

// parseInteger reads an integer of at most ten digits; a fraction of zeros counts for nothing (§4.4). Nothing is rounded.
func parseInteger(text string) (int64, bool) {
	whole, fraction, dot := strings.Cut(text, ".")
	if len(whole) > 10 || len(whole) > 1 && whole[0] == '0' || dot && (fraction == "" || strings.Trim(fraction, "0") != "") {
		return 0, false
	}
	n, err := strconv.ParseUint(whole, 10, 63)
	return int64(n), err == nil
}

// parseAmount reads hundredths of a won (§5).
func parseAmount(text string) (money.Amount, error) {
	n, ok := parseInteger(text)
	if !ok || n == 0 {
		return money.Amount{}, invalid("amount", "must be a whole number of hundredths of a won, from 100 to 9999999900")
	}
	if n%100 != 0 {
		return money.Amount{}, invalid("amount", "must end in 00: a won has no fraction")
	}
	return money.New(n/100, won), nil
}

// fresh checks request_time against our time (§16).
func (p Profile) fresh(text string, now time.Time) error {
	at, ok := parseInteger(text)
	if !ok {
		return invalid("request_time", "must be Unix seconds")
	}
	if !p.AnyTime && now.Sub(time.Unix(at, 0)).Abs() > time.Duration(p.Window)*time.Second {
		return invalid("request_time", fmt.Sprintf("is more than %d s away from our time", p.Window))
	}
	return nil
}

// algorithm is how a request says that it is signed (§4.2).
func (p Profile) algorithm(signType string) (Algorithm, error) {
	a := Algorithm(cmp.Or(signType, string(MD5)))
	switch {
	case a != MD5 && a != HMAC:
		return a, invalid("sign_type", "must be MD5 or HMAC-SHA256")
	case !slices.Contains(p.Algorithms, a):
		return a, refuse(BadSignature, "Signatures with %s are not taken from this merchant", a)
	}
	return a, nil
}

// account is an account number: digits, which may be grouped by hyphens.
var account = regexp.MustCompile(`^[0-9](-?[0-9])*$`)

func (s *Server) bank(name string) (bank.Bank, error) {
	b, ok := s.cfg.Banks.ByName(name)
	if !ok {
		return b, refuse(NoBank, "This bank_name is not in our list of banks")
	}
	return b, nil
}

// bankName is how people call a bank; a code that no list holds stands for itself.
func (s *Server) bankName(code string) string {
	b, _ := s.cfg.Banks.Lookup(code)
	return cmp.Or(b.Korean, code)
}

// channel checks platform_channel_id (§15).
func (p Profile) channel(id string) error {
	switch {
	case id == "" && p.NeedChannel:
		return refuse(ChannelRequired, "platform_channel_id is required")
	case id != "" && id != p.Channel:
		return refuse(NoChannel, "There is no such platform_channel_id")
	}
	return nil
}

func (s *Server) target(address string) error {
	if why := badTarget(address, s.cfg.Private); why != "" {
		return invalid("notify_url", why)
	}
	return nil
}

// depositAsk reads a deposit order (§5). The required parameters are there, and each has its length.
func (s *Server) depositAsk(c *call, generation deposit.Generation) (ask engine.DepositAsk, err error) {
	in := c.in
	ask = engine.DepositAsk{
		Merchant: c.merchant, Service: in["service_id"], ClientID: in["payment_cl_id"], User: in["user_id"], Generation: generation,
		Payer:     deposit.Payer{Name: card.Conceal(in["name"]), Account: card.Conceal(in["last_number"])},
		NotifyURL: in["notify_url"], SignType: string(c.algorithm),
	}
	if ask.Amount, err = parseAmount(in["amount"]); err != nil {
		return ask, err
	}
	if err := cmp.Or(s.target(ask.NotifyURL), c.profile.channel(in["platform_channel_id"])); err != nil {
		return ask, err
	}
	switch number := in["last_number"]; {
	case number == "" && c.profile.LastNumber:
		return ask, refuse(AccountRequired, "last_number is required")
	case number != "" && !account.MatchString(number):
		return ask, refuse(NoAccount, "last_number is no account number")
	}
	if name := in["bank_name"]; name != "" {
		b, err := s.bank(name)
		if err != nil {
			return ask, err
		}
		ask.Payer.Bank = b.Code
	}
	return ask, nil
}

// payoutAsk reads a payout (§8).
func (s *Server) payoutAsk(c *call) (ask engine.PayoutAsk, err error) {
	in := c.in
	ask = engine.PayoutAsk{
		Merchant: c.merchant, Service: in["service_id"], ClientID: in["payout_cl_id"], NotifyURL: in["notify_url"], SignType: string(c.algorithm),
	}
	if ask.Amount, err = parseAmount(in["amount"]); err != nil {
		return ask, err
	}
	if ask.NotifyURL != "" {
		err = s.target(ask.NotifyURL)
	}
	if err := cmp.Or(err, c.profile.channel(in["platform_channel_id"])); err != nil {
		return ask, err
	}
	if currency := in["currency"]; currency != "" && !strings.EqualFold(currency, won.Code()) {
		return ask, invalid("currency", "must be krw")
	}
	if !account.MatchString(in["number"]) {
		return ask, refuse(NoAccount, "number is no account number")
	}
	b, err := s.bank(in["bank_name"]) // whoever has a name takes transfers
	ask.Target = payout.Target{
		Bank: b.Code, Number: card.Conceal(strings.ReplaceAll(in["number"], "-", "")), Name: card.Conceal(in["name"]),
	}
	return ask, err
}

// page reads which part of a list is wanted (§6.1, §9). A page larger than we give is refused: who counts on it would skip orders.
func page(q url.Values, merchant, number, clientID string) (p engine.Page, err error) {
	p = engine.Page{Merchant: merchant, Number: q.Get(number), ClientID: q.Get(clientID), Limit: 25}
	read := func(name string, least, most int64, into func(int64)) {
		text := q.Get(name)
		if text == "" || err != nil {
			return
		}
		n, ok := parseInteger(text)
		if !ok || n < least || n > most {
			err = invalid(name, fmt.Sprintf("must be a number from %d to %d", least, most))
			return
		}
		into(n)
	}
	const mostTime = 9_999_999_999
	until := func(n int64) { p.Until = time.Unix(n+1, 0) } // the whole second is meant
	read("offset", 0, mostTime, func(n int64) { p.Offset = n })
	read("limit", 1, 500, func(n int64) { p.Limit = n })
	read("create_time__gte", 0, mostTime, func(n int64) { p.From = time.Unix(n, 0) })
	read("carete_time__lte", 0, mostTime, until) // so in the older pages (§6.1)
	read("create_time__lte", 0, mostTime, until)
	return p, err
}

// noToken is the phrase for a transfer that needs no text of the payer (§5).
const noToken = "no note needed"

func masked(account card.Secret) string {
	number := strings.ReplaceAll(account.Reveal(), "-", "")
	if number == "" {
		return ""
	}
	return "******" + number[max(0, len(number)-6):]
}

// deposited is the answer to a new order (§5, §5.4). It stands whatever we cannot read any more: the order is made.
func (s *Server) deposited(c *call, o deposit.Order) any {
	link := s.cfg.PayBase + "/gateway/portal/v1/payments/" + o.Link
	waits := s.cfg.Engine.WaitsForRegistration(o)
	tells := c.profile.PaymentInfo && !waits // who is not registered is not shown where to pay
	if o.Generation == 2 {
		out := DepositV2{Link: link, PaymentID: o.Number, PaymentClID: o.ClientID, Amount: hundredths(o.Amount)}
		if tells && o.Display == o.Amount { // this version has no word for another amount: the page says it
			b, _ := s.cfg.Banks.Lookup(o.Receiver.Bank)
			out.Token, out.CardName, out.CardNumber = o.Token, o.Receiver.Holder, o.Receiver.Number
			out.BankName, out.BankCode = s.bankName(o.Receiver.Bank), b.Name
		}
		return out
	}
	out := DepositV1{Link: link}
	if waits {
		out.RegisterLink = s.cfg.PayBase + "/gateway/register/v1/payments/" + o.Link
	}
	if !tells {
		return out
	}
	payer, err := s.cfg.Engine.PayerOf(o)
	if err != nil {
		c.err = err
	}
	info := PaymentInfo{
		Amount: hundredths(o.Amount), DisplayAmount: hundredths(o.Display), PaymentID: o.Number, PaymentClID: o.ClientID,
		Receiver: Receiver{o.Receiver.Holder, o.Receiver.Number, s.bankName(o.Receiver.Bank), o.Receiver.Branch},
		Sender:   Sender{CardName: payer.Name.Reveal(), CardNumber: masked(payer.Account)},
		Token:    cmp.Or(o.Token, noToken),
	}
	if payer.Bank != "" {
		info.Sender.BankName = s.bankName(payer.Bank)
	}
	out.PaymentInfo = &info
	return out
}

func depositItem(o deposit.Order, p Profile, payer deposit.Payer) DepositItem {
	return DepositItem{
		Amount: hundredths(o.Amount), RealAmount: hundredths(o.Real), Fee: hundredths(o.Fee), PaymentID: o.Number, PaymentClID: o.ClientID,
		PlatformID: o.Merchant, PlatformChannelID: p.Channel, PaymentClName: payer.Name.Reveal(), Status: statuses[o.State],
		CreateTime: o.CreatedAt.Unix(), UpdateTime: o.ChangedAt.Unix(),
	}
}

func depositOrder(o deposit.Order, payer deposit.Payer) DepositOrder {
	return DepositOrder{
		PaymentID: o.Number, PaymentClID: o.ClientID, Amount: hundredths(o.Amount), RealAmount: hundredths(o.Real), Fee: hundredths(o.Fee),
		Status: statuses[o.State], PaymentClName: payer.Name.Reveal(), CreateTime: o.CreatedAt.Unix(), SuccessTime: seconds(o.PaidAt),
	}
}

// seconds is a time that may not have come yet.
func seconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

// paid reports whether a payout counts as done for its merchant. Its fee and its real amount are nothing until then (§16).
func paid(m engine.MerchantPayout) bool {
	return payoutStatuses[m.State] == payoutStatuses[payout.Paid]
}

func payoutFee(m engine.MerchantPayout) int64 {
	if !paid(m) {
		return 0
	}
	return hundredths(m.Fee)
}

// realAmount is what a payout moved, for merchants that ask for it (§10).
func realAmount(m engine.MerchantPayout, p Profile) *int64 {
	if !p.RealAmount {
		return nil
	}
	moved := int64(0)
	if paid(m) {
		moved = hundredths(m.Amount)
	}
	return &moved
}

func payoutItem(m engine.MerchantPayout, p Profile) PayoutItem {
	return PayoutItem{
		Amount: hundredths(m.Amount), RealAmount: realAmount(m, p), Fee: payoutFee(m), PayoutID: m.Number, PayoutClID: m.RequestID,
		PlatformID: m.Account, PlatformChannelID: p.Channel, Status: payoutStatuses[m.State], Memo: reasons[m.Reason],
		CreateTime: m.CreatedAt.Unix(), UpdateTime: m.ChangedAt.Unix(),
	}
}

func payoutOrder(m engine.MerchantPayout) PayoutOrder {
	out := PayoutOrder{
		PayoutID: m.Number, PayoutClID: m.RequestID, Amount: hundredths(m.Amount), Fee: payoutFee(m), Status: payoutStatuses[m.State],
		ErrorMsg: reasons[m.Reason], CreateTime: m.CreatedAt.Unix(),
	}
	if paid(m) {
		out.SuccessTime = seconds(m.DoneAt)
	}
	return out
}

func depositNotification(o deposit.Order, payer deposit.Payer) DepositNotification {
	return DepositNotification{
		PaymentID: o.Number, PaymentClID: o.ClientID, PlatformID: o.Merchant, PaymentClName: payer.Name.Reveal(), Amount: hundredths(o.Amount),
		RealAmount: hundredths(o.Real), Fee: hundredths(o.Fee), Status: statuses[o.State], CreateTime: o.CreatedAt.Unix(),
		UpdateTime: o.ChangedAt.Unix(), SignType: told(o.SignType),
	}
}

func payoutNotification(m engine.MerchantPayout, p Profile) PayoutNotification {
	return PayoutNotification{
		PayoutID: m.Number, PayoutClID: m.RequestID, PlatformID: m.Account, Amount: hundredths(m.Amount), RealAmount: realAmount(m, p),
		Fee: payoutFee(m), Status: payoutStatuses[m.State], CreateTime: m.CreatedAt.Unix(), UpdateTime: m.ChangedAt.Unix(),
		SignType: told(m.SignType),
	}
}

// told is the sign_type of a message of ours: it stands in those that are signed with HMAC, and in no other (§4.2).
func told(signType string) Algorithm {
	if Algorithm(signType) == HMAC {
		return HMAC
	}
	return ""
}
