package sandbox

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"naru/core/card"
)

// teller tells the story. It is an outside client: it knows the control port and nothing else.
type teller struct {
	control string
	http    *http.Client
	out     io.Writer
	id      string // begins every request id of this telling
	serial  int
	seen    int // of the acquirer's record
	wrong   int // what went otherwise than told
	err     error
}

// The cards of the story (rails §1.19).
const (
	goodCard   = "9999990000000006"
	poorCard   = "9999990000000519"
	pinCard    = "9999990000009080" // PIN 47, born 1991-04-17
	silentCard = "9999990000009015" // every request for its money is booked and never answered
)

// tell plays one payment of each kind through the real wires.
func (s *Sandbox) tell(ctx context.Context, o Options) error {
	t := &teller{
		control: s.Contract.Control.Base, out: o.Out, http: &http.Client{Timeout: time.Minute},
		id: fmt.Sprintf("demo-%d-%s", o.Seed, s.clock.Now().Format("20060102-150405")), // the same folder may hear it again
	}
	defer t.http.CloseIdleConnections()
	first, second := accounts[0].PIAID, accounts[1].PIAID
	_ = t.iso(ctx) // what was said before the story

	t.say("An echo, to see that the keys fit")
	t.ask(ctx, "echo", fields{"clientMessage": "annyeong"}, expect{status: 200})

	t.say("A purchase: %s won are held, then captured", won(12_900))
	bought := t.reserve(ctx, first, goodCard, 12_900, nil, expect{200, "SUCCESS"})
	captured := t.capture(ctx, first, bought, 12_900, expect{200, "ACKNOWLEDGED"})
	t.verdict(ctx, captured, "SUCCESS")

	t.say("Google asks again, as if it had not heard the answer: the same answer, nothing new at the acquirer")
	t.repeat(ctx, bought, 12_900, expect{200, "SUCCESS"})
	t.say("The same request id with another amount is refused")
	t.repeat(ctx, bought, 13_900, expect{412, "IDEMPOTENCY_VIOLATION"})

	t.say("A hold that is given back")
	dropped := t.reserve(ctx, first, goodCard, 33_000, nil, expect{200, "SUCCESS"})
	t.verdict(ctx, t.cancel(ctx, first, dropped, expect{200, "ACKNOWLEDGED"}), "SUCCESS")

	t.say("A card without money, and a wrong PIN: declines are answers")
	t.reserve(ctx, first, poorCard, 45_000, nil, expect{200, "INSUFFICIENT_FUNDS"})
	t.reserve(ctx, first, pinCard, 21_500, fields{"pin": "11", "dateOfBirth": "1991-04-17"}, expect{200, "PIN_MISMATCH"})

	t.say("A smaller capture: the rest of the hold is free again")
	partly := t.reserve(ctx, first, goodCard, 50_000, nil, expect{200, "SUCCESS"})
	t.verdict(ctx, t.capture(ctx, first, partly, 20_000, expect{200, "ACKNOWLEDGED"}), "SUCCESS")

	t.say("The acquirer holds the money and its answer is lost: Naru says 503 and takes the hold back; the repeat is a new attempt")
	t.rule(ctx, fields{"action": "silent", "match": fields{"pan": goodCard, "mti": "0100", "amount": 15_000}, "times": 1})
	lost := t.reserve(ctx, first, goodCard, 15_000, nil, expect{503, ""})
	t.until(ctx, lost, expect{200, "SUCCESS"})
	t.verdict(ctx, t.capture(ctx, first, lost, 15_000, expect{200, "ACKNOWLEDGED"}), "SUCCESS")

	t.say("A card that never answers: Google gives up and cancels; should the purchase come again after that, it holds nothing")
	never := t.reserve(ctx, first, silentCard, 9_900, nil, expect{503, ""})
	t.verdict(ctx, t.cancel(ctx, first, never, expect{200, "ACKNOWLEDGED"}), "SUCCESS")
	t.repeat(ctx, never, 9_900, expect{200, "ISSUER_DECLINED"})

	t.say("The second account has books of its own")
	other := t.reserve(ctx, second, goodCard, 7_700, nil, expect{200, "SUCCESS"})
	t.verdict(ctx, t.capture(ctx, second, other, 7_700, expect{200, "ACKNOWLEDGED"}), "SUCCESS")

	switch {
	case t.err != nil:
		return t.err
	case t.wrong > 0:
		return fmt.Errorf("%d steps of the story went otherwise than told", t.wrong)
	}
	return nil
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
	id     string
	method string
	body   fields
}

// reply is what came back on one copy.
type reply struct {
	Status int `json:"status"`
	Body   struct {
		Result string `json:"result"`
		Code   string `json:"errorResponseCode"`
	} `json:"body"`
}

func (r reply) word() string { return r.Body.Result + r.Body.Code }

func (t *teller) say(format string, args ...any) { fmt.Fprintf(t.out, "\n"+format+".\n", args...) }

// reserve holds money. The members that only Korea has stand with every request: a card that knows no PIN takes any.
func (t *teller) reserve(ctx context.Context, account, pan string, amount int64, korea fields, e expect) asked {
	options := fields{
		"userSelectedProcessingNetworkTypeNotApplicable": fields{}, "electronicCommerceIndicatorNotApplicable": fields{},
		"threeDSecureNotAppplicable": fields{}, "storedCredentialTransactionInformationNotApplicable": fields{},
		"pin": "47", "dateOfBirth": "1991-04-17",
		"connectingInformation": base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("Naru"), 16)),
	}
	for name, value := range korea {
		options[name] = value
	}
	return t.ask(ctx, "reserveFunds", fields{
		"paymentIntegratorAccountId": account, "currencyCode": "KRW", "amount": micros(amount),
		"accountDetails": fields{
			"card": fields{"accountNumber": pan, "nameOnCard": "SEO JIHUN", "expiryMonth": "08", "expiryYear": "39"},
		},
		"transactionDescription": "GOOGLE*Star Farm", "merchantCategoryCode": "5816", "additionalTransactionProcessingOptions": options,
	}, e)
}

func (t *teller) capture(ctx context.Context, account string, of asked, amount int64, e expect) asked {
	return t.ask(ctx, "asynchronousCaptureFundsReservation",
		fields{"paymentIntegratorAccountId": account, "reservationRequestId": of.id, "amount": micros(amount)}, e)
}

// cancel is repeated while nobody knows what it would have to give back.
func (t *teller) cancel(ctx context.Context, account string, of asked, e expect) asked {
	a := t.named("asynchronousCancelFundsReservation", fields{"paymentIntegratorAccountId": account, "reservationRequestId": of.id})
	t.until(ctx, a, e)
	return a
}

// repeat sends a request again, with another amount if it is one.
func (t *teller) repeat(ctx context.Context, a asked, amount int64, e expect) {
	a.body["amount"] = micros(amount)
	t.report(ctx, a, t.send(ctx, a), e)
}

func (t *teller) ask(ctx context.Context, method string, body fields, e expect) asked {
	a := t.named(method, body)
	if e.status == http.StatusServiceUnavailable {
		t.report(ctx, a, t.send(ctx, a), e)
	} else {
		t.until(ctx, a, e)
	}
	return a
}

func (t *teller) named(method string, body fields) asked {
	t.serial++
	id := fmt.Sprintf("%s-%d", t.id, t.serial)
	body["requestHeader"] = fields{"requestId": id}
	return asked{id, method, body}
}

// until repeats a request as Google does: as long as the answer is 503, which decides nothing.
func (t *teller) until(ctx context.Context, a asked, e expect) {
	var r reply
	t.poll(ctx, func() bool {
		r = t.send(ctx, a)
		return r.Status != http.StatusServiceUnavailable
	})
	t.report(ctx, a, r, e)
}

// verdict waits for what the integrator reports about a capture or a cancel.
func (t *teller) verdict(ctx context.Context, a asked, want string) {
	found := t.poll(ctx, func() bool {
		var received []struct {
			Method string         `json:"method"`
			Body   map[string]any `json:"body"`
		}
		t.call(ctx, http.MethodGet, "/google/received", nil, &received)
		for _, m := range received {
			if m.Body["captureFundsReservationRequestId"] != a.id && m.Body["cancelFundsReservationRequestId"] != a.id {
				continue
			}
			word := fmt.Sprint(m.Body["captureFundsReservationResult"])
			if m.Body["cancelFundsReservationRequestId"] == a.id {
				word = fmt.Sprint(m.Body["cancelFundsReservationResult"])
			}
			t.line("Naru", m.Method, word, t.iso(ctx), word == want)
			return true
		}
		return false
	})
	if !found && t.err == nil {
		t.line("Naru", "no verdict on "+a.method, "", t.iso(ctx), false)
	}
}

func (t *teller) rule(ctx context.Context, rule fields) {
	t.call(ctx, http.MethodPost, "/acquirer/scenarios", rule, nil)
}

func (t *teller) report(ctx context.Context, a asked, r reply, e expect) {
	what := a.method
	if text, ok := a.body["amount"].(string); ok {
		amount, _ := strconv.ParseInt(text, 10, 64) // written by micros
		what += " " + won(amount/1_000_000)
	}
	if account, ok := a.body["paymentIntegratorAccountId"].(string); ok {
		what = account + " " + what
	}
	if details, ok := a.body["accountDetails"].(fields); ok {
		pan, err := card.ParsePAN(details["card"].(fields)["accountNumber"].(string))
		if err == nil {
			what += " on " + pan.Masked()
		}
	}
	heard := t.iso(ctx)
	if e.status == http.StatusServiceUnavailable { // the hold is given back beside the answer, a moment later
		t.poll(ctx, func() bool {
			if more := t.iso(ctx); more != "" {
				more = strings.TrimPrefix(more, "ISO 8583: ")
				if !strings.HasPrefix(more, ">") {
					more = ", " + more
				}
				heard = strings.Replace(heard+" "+more, " , ", ", ", 1)
			}
			return strings.Contains(heard, "0430")
		})
	}
	asTold := r.Status == e.status && (e.word == "" || e.word == r.word())
	t.line("Google", what, strings.TrimSpace(fmt.Sprint(r.Status, " ", r.word())), heard, asTold)
}

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
	for _, m := range news {
		t.seen = m.Seq
		switch {
		case strings.HasPrefix(m.MTI, "08"): // the link's own life
		case m.Direction == "seen":
			said = append(said, m.MTI)
		case len(said) == 0:
			said = append(said, "> "+m.MTI+" "+m.DE39)
		case m.Direction == "kept":
			said[len(said)-1] += " > silence"
		default:
			said[len(said)-1] += " > " + m.MTI + " " + m.DE39
		}
	}
	if len(said) == 0 {
		return ""
	}
	return "ISO 8583: " + strings.Join(said, ", ")
}

// patience is how long the story waits for something that must happen.
const patience = 30 * time.Second

// poll looks again and again, and says whether it saw it.
func (t *teller) poll(ctx context.Context, look func() bool) bool {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for t.err == nil {
		if look() {
			return true
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return false
		}
	}
	return false
}

func (t *teller) send(ctx context.Context, a asked) reply {
	var replies []reply
	t.call(ctx, http.MethodPost, "/google/send", fields{"method": a.method, "body": a.body}, &replies)
	if len(replies) == 0 {
		return reply{}
	}
	return replies[0]
}

// call asks the control port. After a failure the story is over, and nothing more is asked.
func (t *teller) call(ctx context.Context, method, path string, in, out any) {
	if t.err != nil {
		return
	}
	t.err = func() error {
		var body []byte
		var err error
		if in != nil {
			if body, err = json.Marshal(in); err != nil {
				return err
			}
		}
		req, err := http.NewRequestWithContext(ctx, method, t.control+path, bytes.NewReader(body))
		if err != nil {
			return err
		}
		resp, err := t.http.Do(req)
		if err != nil {
			return err
		}
		text, err := io.ReadAll(resp.Body)
		if err = errors.Join(err, resp.Body.Close()); err != nil {
			return err
		}
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("%s %s: %s", method, path, resp.Status)
		}
		if out == nil {
			return nil
		}
		return json.Unmarshal(text, out)
	}()
}

func micros(won int64) string { return strconv.FormatInt(won*1_000_000, 10) }

// won writes an amount as people do: 12,900.
func won(amount int64) string {
	text := strconv.FormatInt(amount, 10)
	for at := len(text) - 3; at > 0 && text[at-1] != '-'; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}
