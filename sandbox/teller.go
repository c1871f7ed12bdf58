package sandbox

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"naru/core/card"
	"naru/core/money"
	"naru/rail/iso8583"
)

// teller tells the story. It is an outside client: it knows the control port, the operators' listener, and nothing else.
type teller struct {
	*client
	admin    string
	merchant MerchantContract
	dialect  iso8583.Profile
	out      io.Writer
	id       string // begins every request id of this telling
	serial   int
	seen     int // of the acquirer's record
	wrong    int // what went otherwise than told

	paidBefore int               // payouts at the bank before the story
	shown      map[string]string // what was told of each payout at the bank
}

// fields is a JSON object.
type fields = map[string]any

// expect is how a step should end: status, and result or error code; "" is any.
type expect struct {
	status int
	word   string
}

// asked is a request that can be repeated and referred to.
type asked struct {
	id, method, account string
	api                 string       // that is called instead of the account's own
	amount              money.Amount // zero where it names none
	body                fields
	network             string // the network's name of the payment, where a card was stored with it
}

// reply is what came back on one copy.
type reply struct {
	Status int `json:"status"`
	Body   struct {
		Result string `json:"result"`
		Code   string `json:"errorResponseCode"`
		CVN    string `json:"cvnResult"`
		Payout struct {
			Code  string `json:"disburseFundsResultCode"`
			Least string `json:"transactionMinLimit"`
			Most  string `json:"transactionMaxLimit"`
		} `json:"disburseFundsResult"`
		Address struct {
			Result struct {
				Letter string `json:"rawAvsResult"`
			} `json:"result"`
		} `json:"addressVerificationResult"`
		Processing struct {
			Stored struct {
				Network string `json:"networkTransactionIdentifier"`
			} `json:"storedCredentialInformationSuccessful"`
		} `json:"additionalTransactionProcessingResult"`
	} `json:"body"`
}

func (r reply) word() string { return r.Body.Result + r.Body.Payout.Code + r.Body.Code }

// end is how the answer is told: with what the issuer found of what was sent to be checked, the name to pay again under, and the
// limit that a payout broke.
func (r reply) end() string {
	text := strings.TrimSpace(fmt.Sprint(r.Status, " ", r.word()))
	if cvn := r.Body.CVN; cvn != "" && !strings.HasPrefix(cvn, "NOT_SENT") {
		text += ", CVN " + cvn
	}
	if letter := r.Body.Address.Result.Letter; letter != "" {
		text += ", AVS " + letter
	}
	if id := r.Body.Processing.Stored.Network; id != "" {
		text += ", network id " + id
	}
	for bound, micros := range map[string]string{"at least ": r.Body.Payout.Least, "at most ": r.Body.Payout.Most} {
		if n, err := strconv.ParseInt(micros, 10, 64); err == nil {
			text += ", " + bound + priced(minor(n, "INR"), "INR")
		}
	}
	return text
}

func (t *teller) say(format string, args ...any) { fmt.Fprintf(t.out, "\n"+format+".\n", args...) }

// charge is a request for the money of a card, as both APIs know it: a hold, or a sale (Card FOP v1 §4.1, §4.4).
type charge struct {
	api, account string // api only where it is not the account's
	amount       money.Amount
	from         fields // accountDetails
	address      fields
	options      fields // beside what does not apply
}

// without is what stands in additionalTransactionProcessingOptions where the member that it is about does not (Card FOP v1 §3.2).
var without = map[string]string{
	"userSelectedProcessingNetworkType":      "userSelectedProcessingNetworkTypeNotApplicable",
	"electronicCommerceIndicator":            "electronicCommerceIndicatorNotApplicable",
	"threeDSecureAuthenticationDetails":      "threeDSecureNotAppplicable",
	"storedCredentialTransactionInformation": "storedCredentialTransactionInformationNotApplicable",
}

func (t *teller) charge(ctx context.Context, method string, c charge, e expect) asked {
	options := fields{}
	for member, none := range without {
		if c.options[member] == nil {
			options[none] = fields{}
		}
	}
	maps.Copy(options, c.options)
	body := fields{
		"currencyCode": c.amount.Currency().Code(), "accountDetails": c.from, "transactionDescription": "GOOGLE*Star Farm",
		"merchantCategoryCode": "5816", "additionalTransactionProcessingOptions": options,
	}
	if c.address != nil {
		body["addressVerificationData"] = c.address
	}
	return t.ask(ctx, asked{api: c.api, method: method, account: c.account, amount: c.amount, body: body}, e)
}

// reserve holds money in Korea. The members that only Korea has stand with every request: a card that knows no PIN takes any.
func (t *teller) reserve(ctx context.Context, account, pan string, amount money.Amount, korea fields, e expect) asked {
	options := fields{
		"pin": "47", "dateOfBirth": "1991-04-17",
		"connectingInformation": base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("Naru"), 16)),
	}
	maps.Copy(options, korea)
	return t.charge(ctx, reserve, charge{account: account, amount: amount, from: fields{"card": cardOf(pan)}, options: options}, e)
}

func (t *teller) capture(ctx context.Context, of asked, amount money.Amount, e expect) asked {
	return t.ask(ctx, asked{method: captureOf, account: of.account, amount: amount, body: fields{"reservationRequestId": of.id}}, e)
}

// cancel is repeated while nobody knows what it would have to give back.
func (t *teller) cancel(ctx context.Context, of asked, e expect) asked {
	return t.ask(ctx, asked{method: cancelOf, account: of.account, body: fields{"reservationRequestId": of.id}}, e)
}

// repeat sends a request again, with another amount if it is one.
func (t *teller) repeat(ctx context.Context, a asked, amount money.Amount, e expect) {
	a.amount = amount
	t.report(ctx, a, t.send(ctx, a), e)
}

// ask sends a request under a new id. Where it should fail for want of an answer it is sent once.
func (t *teller) ask(ctx context.Context, a asked, e expect) asked {
	t.serial++
	a.id = fmt.Sprintf("%s-%d", t.id, t.serial)
	if e.status == http.StatusServiceUnavailable {
		t.report(ctx, a, t.send(ctx, a), e)
		return a
	}
	return t.until(ctx, a, e)
}

// until repeats a request as Google does: as long as the answer is 503, which decides nothing.
func (t *teller) until(ctx context.Context, a asked, e expect) asked {
	var r reply
	t.poll(ctx, func() bool {
		r = t.send(ctx, a)
		return r.Status != http.StatusServiceUnavailable
	})
	t.report(ctx, a, r, e)
	a.network = r.Body.Processing.Stored.Network
	return a
}

// verdicts is where the end of each job is told.
var verdicts = map[string]struct{ told, subject, result string }{
	captureOf: {captureEnd, "captureFundsReservationRequestId", "captureFundsReservationResult"},
	cancelOf:  {cancelEnd, "cancelFundsReservationRequestId", "cancelFundsReservationResult"},
	refundOf:  {refundEnd, "refundRequestId", "refundResult"},
}

// verdict waits for what the integrator reports about a capture, a cancel or a refund. What goes by file must be collected first.
func (t *teller) verdict(ctx context.Context, a asked, want string) {
	if t.byFile() && a.method != cancelOf {
		t.call(ctx, http.MethodPost, "/clock", fields{"advance": captureEvery}, nil)
		t.poll(ctx, func() bool {
			var taken []struct{ Booked, Refused int }
			t.call(ctx, http.MethodPost, "/acquirer/actions/collect", nil, &taken)
			return len(taken) > 0
		})
	}
	end := verdicts[a.method]
	if body := t.wait(ctx, end.told, fields{end.subject: a.id}); body != nil {
		word := fmt.Sprint(body[end.result])
		t.line("Naru", end.told, word, t.iso(ctx), word == want)
	}
}

// notice waits for something that the integrator tells by itself of a payment, which says what its amounts are in.
func (t *teller) notice(ctx context.Context, method string, of asked, with fields) {
	body := t.wait(ctx, method, with)
	if body == nil {
		return
	}
	what := method
	if micros, err := strconv.ParseInt(fmt.Sprint(body["amount"]), 10, 64); err == nil {
		in := of.amount.Currency().Code()
		what += " " + priced(minor(micros, in), in)
	}
	for _, member := range []string{"chargebackStage", "reasonCode", "fraudType", "acquirerReferenceNumber"} {
		if word, ok := body[member].(string); ok {
			what += " " + word
		}
	}
	t.line("Naru", what, "told", t.iso(ctx), true)
}

// wait looks for a message to Google that has these members until it is there.
func (t *teller) wait(ctx context.Context, method string, with fields) (body fields) {
	t.poll(ctx, func() bool {
		var list []received
		t.call(ctx, http.MethodGet, "/google/received", nil, &list)
		for _, m := range list {
			fits := m.Method == method
			for member, value := range with {
				fits = fits && m.Body[member] == value
			}
			if fits {
				body = m.Body
			}
		}
		return body != nil
	})
	if body == nil {
		t.line("Naru", "no "+method, "", t.iso(ctx), false)
	}
	return body
}

// chargebackID is the name that the chargeback of a capture was told under.
func (t *teller) chargebackID(ctx context.Context, of asked) string {
	header, _ := t.wait(ctx, chargedBack, fields{"captureRequestId": of.id})["requestHeader"].(map[string]any)
	id, _ := header["requestId"].(string)
	return id
}

func (t *teller) refund(ctx context.Context, of asked, amount money.Amount, e expect) asked {
	return t.ask(ctx, asked{method: refundOf, account: of.account, amount: amount, body: fields{"captureRequestId": of.id}}, e)
}

// check asks whether a card can be used. The two methods say the same in different members (Korea Cards v1 §4.5, §4.8).
func (t *teller) check(ctx context.Context, method, account, currency string, card fields, e expect) asked {
	body := fields{"merchantCategoryCode": "5816", "card": card}
	if method == checkLeast {
		body["currencyCode"], body["transactionDescription"] = currency, "GOOGLE*Verification"
	}
	return t.ask(ctx, asked{method: method, account: account, body: body}, e)
}

func (t *teller) defend(ctx context.Context, of asked, e expect) {
	t.ask(ctx, asked{method: defendOf, account: of.account, body: fields{
		"captureRequestId":        of.id,
		"defenseMaterialDocument": fields{"mimeType": "APPLICATION_PDF", "payload": evidencePDF},
	}}, e)
}

func cardOf(pan string) fields {
	return fields{"accountNumber": pan, "nameOnCard": "SEO JIHUN", "expiryMonth": "08", "expiryYear": "39"}
}

// does gives the acquirer a command, and names the files that it makes.
func (t *teller) does(ctx context.Context, command string, how fields) (names []string) {
	var answer json.RawMessage
	t.call(ctx, http.MethodPost, "/acquirer/actions/"+command, how, &answer)
	t.line("Host", command, "done", t.iso(ctx), true)
	var files []struct {
		Name, Currency string
		Records        int
		Net            int64
	}
	if json.Unmarshal(answer, &files) != nil {
		return nil
	}
	for _, f := range files {
		t.line("Host", f.Name, fmt.Sprintf("records: %d, together %s", f.Records, priced(f.Net, f.Currency)), "", true)
		names = append(names, f.Name)
	}
	return names
}

// payouts tells what files say that the acquirer paid, or drew.
func (t *teller) payouts(ctx context.Context, files []string) {
	var all []hostRecord
	t.call(ctx, http.MethodGet, "/acquirer/records?type=PAY", nil, &all)
	for _, r := range all {
		if slices.Contains(files, r.File) {
			t.line("Host", r.Merchant+" "+priced(r.Amount, r.Currency), map[string]string{"C": "paid", "D": "drawn"}[r.Result], "", true)
		}
	}
}

// rrn is the reference number of the acquirer's newest booking of a kind and an amount.
func (t *teller) rrn(ctx context.Context, kind string, amount money.Amount) (rrn string) {
	var all []hostBooking
	t.call(ctx, http.MethodGet, "/acquirer/bookings", nil, &all)
	for _, b := range all {
		if b.Kind == kind && b.Amount == amount.Minor() && b.Currency == amount.Currency().Numeric() && !b.Undone {
			rrn = b.RRN
		}
	}
	return rrn
}

// hear waits until the acquirer's record shows so many messages of a type after a place in it, whatever was printed of it already.
func (t *teller) hear(ctx context.Context, after int, mti string, times int, means string) {
	heard := t.poll(ctx, func() bool {
		var list []hostMessage
		t.call(ctx, http.MethodGet, "/acquirer/transactions?after="+strconv.Itoa(after), nil, &list)
		list = slices.DeleteFunc(list, func(m hostMessage) bool { return m.MTI != mti || m.DE39 != "00" })
		return len(list) >= times
	})
	t.line("Host", means, "done", t.iso(ctx), heard)
}

// advance moves business time.
func (t *teller) advance(ctx context.Context, by time.Duration) {
	t.call(ctx, http.MethodPost, "/clock", fields{"advance": by.String()}, nil)
}

var seoul = time.FixedZone("KST", 9*60*60)

// untilMidnight is how long the business day of all accounts still is.
func (t *teller) untilMidnight(ctx context.Context) time.Duration {
	var clock struct{ Now time.Time }
	t.call(ctx, http.MethodGet, "/clock", nil, &clock)
	now := clock.Now.In(seoul)
	return time.Date(now.Year(), now.Month(), now.Day()+1, 0, 0, 0, 0, seoul).Sub(now)
}

// statement is a settlement as Google's control port shows it.
type statement struct {
	Channel  string         `json:"channel"`
	Account  string         `json:"piaid"`
	ID       string         `json:"settlement_id"`
	Currency string         `json:"currency"`
	Amount   int64          `json:"amount_micros"`
	Events   map[string]int `json:"events"`
	Complete bool           `json:"complete"`
	Problems []string       `json:"problems"`
}

func (s statement) count() (n int) {
	for _, of := range s.Events {
		n += of
	}
	return n
}

func (t *teller) settlements(ctx context.Context) (list []statement) {
	t.call(ctx, http.MethodGet, "/google/settlements", nil, &list)
	return list
}

// balance is that of one account of the ledger which has one currency.
func (t *teller) balance(ctx context.Context, account string) (amount int64) {
	var all []struct {
		Account string
		Balance int64
	}
	t.call(ctx, http.MethodGet, "/ledger", nil, &all)
	for _, b := range all {
		if b.Account == account {
			amount = b.Balance
		}
	}
	return amount
}

// seenTo closes the cases of a kind, as an operator does. The file that opens them may still be on its way.
func (t *teller) seenTo(ctx context.Context, kind, note string) {
	closed := t.poll(ctx, func() bool {
		var cases []struct{ ID, Kind string }
		t.operate(ctx, http.MethodGet, "/cases", nil, &cases)
		found := false
		for _, c := range cases {
			if c.Kind == kind {
				t.operate(ctx, http.MethodPost, "/cases/close", fields{"id": c.ID, "note": note}, nil)
				found = true
			}
		}
		return found
	})
	t.line("Person", "case "+kind, "closed", "", closed)
}

// operate does what an operator does, on the operators' listener.
func (t *teller) operate(ctx context.Context, method, path string, in, out any) {
	t.exchange(ctx, method, t.admin+path, in, out)
}

// undone is the answer to the first transmission of a reversal.
func (t *teller) undone() string {
	if t.dialect.ReversalMTI == "0400" {
		return "0410"
	}
	return "0430"
}

func (t *teller) byFile() bool { return t.dialect.CaptureMode == "file" }

func (t *teller) rule(ctx context.Context, rule fields) {
	t.call(ctx, http.MethodPost, "/acquirer/scenarios", rule, nil)
}

func (t *teller) report(ctx context.Context, a asked, r reply, e expect) {
	what := strings.TrimSpace(a.account + " " + a.method)
	if !a.amount.IsZero() {
		what += " " + sum(a.amount)
	}
	holder := a.body
	if details, ok := a.body["accountDetails"].(fields); ok {
		holder = details
	}
	for kind, number := range map[string]string{"card": "accountNumber", "paymentToken": "paymentTokenAccountNumber"} {
		if plain, ok := holder[kind].(fields); ok {
			if pan, err := card.ParsePAN(plain[number].(string)); err == nil {
				what += " on " + pan.Masked()
			}
		}
	}
	heard := t.iso(ctx)
	if e.status == http.StatusServiceUnavailable && a.method != payOut { // the hold is given back beside the answer, a moment later
		t.poll(ctx, func() bool {
			heard = joined(heard, t.iso(ctx))
			return strings.Contains(heard, t.undone())
		})
	}
	if a.method == payOut {
		heard = t.history(ctx, a)
	}
	asTold := r.Status == e.status && (e.word == "" || e.word == r.word())
	t.line("Google", what, r.end(), heard, asTold)
}

// joined is what was heard, and what was heard after it: an answer goes on with its request.
func joined(heard, more string) string {
	more = strings.TrimPrefix(more, isoPrefix)
	switch {
	case more == "":
		return heard
	case heard == "":
		return isoPrefix + more
	case strings.HasPrefix(more, ">"), strings.HasPrefix(more, "<"):
		return heard + " " + more
	}
	return heard + ", " + more
}

const isoPrefix = "ISO 8583: "

// line is one thing that happened: who, what, how it ended, and what the acquirer heard and said meanwhile.
func (t *teller) line(who, what, end, iso string, asTold bool) {
	if t.err != nil {
		return
	}
	mark := ""
	if !asTold {
		t.wrong++
		mark = "   <- not what should have happened"
	}
	fmt.Fprintf(t.out, "  %-7s %-72s %s%s\n", who, what, end, mark)
	if iso != "" {
		fmt.Fprintf(t.out, "  %-7s %s\n", "", iso)
	}
}

// iso is what the acquirer heard and said since it was last looked at.
func (t *teller) iso(ctx context.Context) string {
	var news []struct {
		Seq       int    `json:"seq"`
		Direction string `json:"direction"`
		MTI       string `json:"mti"`
		DE39      string `json:"de39"`
	}
	t.call(ctx, http.MethodGet, "/acquirer/transactions?after="+strconv.Itoa(t.seen), nil, &news)
	var said []string
	answer := func(text string) {
		if len(said) == 0 {
			said = []string{text[1:]}
		} else {
			said[len(said)-1] += text
		}
	}
	for _, m := range news {
		t.seen = m.Seq
		switch {
		case strings.HasPrefix(m.MTI, "08"): // the link's own life
		case (m.MTI[2]-'0')%2 == 0: // a request, of whichever side
			said = append(said, m.MTI)
		case m.Direction == "kept":
			answer(" > silence")
		case m.Direction == "seen":
			answer(" < " + m.MTI + " " + m.DE39)
		default:
			answer(" > " + m.MTI + " " + m.DE39)
		}
	}
	if len(said) == 0 {
		return ""
	}
	return isoPrefix + strings.Join(said, ", ")
}

func (t *teller) send(ctx context.Context, a asked) reply {
	body := maps.Clone(a.body)
	body["requestHeader"] = fields{"requestId": a.id}
	if a.account != "" {
		body["paymentIntegratorAccountId"] = a.account
	}
	if member := "amount"; !a.amount.IsZero() {
		if a.method == refundOf {
			member = "refundAmount"
		}
		body[member] = strconv.FormatInt(a.amount.Micros(), 10)
	}
	order := fields{"method": a.method, "body": body}
	if a.api != "" {
		order["api"] = a.api
	}
	var replies []reply
	t.call(ctx, http.MethodPost, "/google/send", order, &replies)
	if len(replies) == 0 {
		return reply{}
	}
	return replies[0]
}

// won and its like are amounts of the story, in minor units.
func won(n int64) money.Amount   { return money.New(n, money.Of("KRW")) }
func euros(n int64) money.Amount { return money.New(n, money.Of("EUR")) }

// figures writes minor units as people do: 12,900 of won, 1,299.00 of euros.
func figures(minor int64, currency string) string {
	text := strconv.FormatInt(minor, 10)
	if in, ok := money.Lookup(currency); ok {
		text, _, _ = strings.Cut(money.New(minor, in).String(), " ")
	}
	whole, _, _ := strings.Cut(text, ".")
	for at := len(whole) - 3; at > 0 && text[at-1] != '-'; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}

// priced is figures with the currency behind them.
func priced(minor int64, currency string) string { return figures(minor, currency) + " " + currency }

func sum(a money.Amount) string { return priced(a.Minor(), a.Currency().Code()) }
