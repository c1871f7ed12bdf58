package disburse

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"naru/core/money"
	"naru/core/payout"
	"naru/engine"
	"naru/protocol/gsp"
)

// Profile is what one account's contract changes. Its zero value is what the sheet recommends.
type Profile struct {
	AllowIFSC bool `toml:"allow_ifsc_addresses"` // pays to account@IFSC.ifsc.npci too (§8.1)
}

// terms are what a request is read against.
type terms struct {
	account engine.Account
	profile Profile
}

// ask reads a request. What is missing goes before what is wrong, in the order of §11.
func (t terms) ask(in DisburseFundsRequest) (ask engine.DisburseAsk, err error) {
	if err := in.required(); err != nil {
		return ask, err
	}
	if ask.Amount, err = t.amount(*in.CurrencyCode, in.Amount); err != nil { // rows 10 and 11
		return ask, err
	}
	ask.Target = payout.Target{VPA: in.UpiDetails.VPA.Secret, Text: *in.TransactionDescription}
	switch { // row 13; OP-10
	case !t.pays(ask.Target.VPA.Reveal()):
		return ask, gsp.Invalid("upiDetails.vpa", "must be name@handle as UPI writes it")
	case utf8.RuneCountInString(ask.Target.Text) > maxDescription:
		return ask, gsp.Invalid("transactionDescription", fmt.Sprintf("must be at most %d characters", maxDescription))
	}
	ask.Encode = encode
	return ask, nil
}

const maxDescription = 255

// required is row 6: what is empty is as good as absent.
func (in DisburseFundsRequest) required() error {
	said := func(text *string) bool { return text != nil && *text != "" }
	return gsp.First(
		gsp.Required("transactionDescription", said(in.TransactionDescription)),
		gsp.Required("currencyCode", said(in.CurrencyCode)),
		gsp.Required("amount", !slices.Contains([]string{"", "null", `""`}, string(in.Amount))),
		gsp.Required("upiDetails", in.UpiDetails != nil),
		gsp.Required("upiDetails.vpa", in.UpiDetails != nil && in.UpiDetails.VPA != nil && !in.UpiDetails.VPA.IsZero()),
	)
}

// amount reads micros of a contracted currency: more than nothing, no fraction of its minor unit (OP-13). The account's limits are the
// engine's: what is beyond them is an answer (row 16).
func (t terms) amount(code string, text jsontext.Value) (a money.Amount, err error) {
	c, known := money.Lookup(code)
	if !known || !t.account.Accepts(c) {
		return a, gsp.Invalid("currencyCode", "is not contracted for this account")
	}
	var micros gsp.Int64
	if err := gsp.Decode(text, &micros); err != nil || micros <= 0 {
		return a, gsp.Invalid("amount", "must be a number of micros, more than nothing")
	}
	if a, err = money.FromMicros(int64(micros), c); err != nil {
		return a, gsp.Invalid("amount", "must be whole minor units of its currency")
	}
	return a, nil
}

// The addresses of UPI (§8.1). Nothing is trimmed, and the case stays. Aadhaar and IIN addresses are neither.
var (
	vpa  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{1,254}@[A-Za-z][A-Za-z0-9]{1,63}$`)
	ifsc = regexp.MustCompile(`^[A-Za-z0-9]{1,35}@(?i:[a-z]{4}0[a-z0-9]{6}\.ifsc\.npci)$`)
)

// pays reports whether an address is one that this account pays to. Whether somebody has it is the network's to say.
func (t terms) pays(address string) bool {
	return len(address) <= 255 && (vpa.MatchString(address) || t.profile.AllowIFSC && ifsc.MatchString(address))
}

// paid is the engine's word for a payout that was credited; refusals have the words of payout.Reason.
const paid payout.Reason = "SUCCESS"

// codes are the results in Google's words (§4.3). What has no row is no result, and nothing else is ever said. Which of the network's codes
// lead to which reason is the rail's table; none leads to fraud or take-over (§9).
var codes = map[payout.Reason]DisburseFundsResultCode{
	paid:                ResultSuccess,
	payout.BelowLimit:   ResultUnderLimit,
	payout.AboveLimit:   ResultExceedsLimit,
	payout.Closed:       ResultAccountClosed,
	payout.OnHold:       ResultAccountOnHold,
	payout.ClosedFraud:  ResultAccountClosedFraud,
	payout.ClosedStolen: ResultAccountClosedStolen,
}

// result is what became of a payout, whichever channel carries it (§5, OP-7).
func result(why payout.Reason, scope, code string, limit money.Amount) DisburseFundsResult {
	out := DisburseFundsResult{DisburseFundsResultCode: codes[why]}
	if code != "" {
		out.RawResult = &RawResult{scope, code}
	}
	if limit.IsPositive() && limit.Minor() <= math.MaxInt64/1_000_000 { // there is one only where it was broken, by an amount that fits
		switch micros := gsp.Int64(limit.Micros()); why {
		case payout.BelowLimit:
			out.TransactionMinLimit = micros
		case payout.AboveLimit:
			out.TransactionMaxLimit = micros
		}
	}
	return out
}

// check says why a result must not be said.
func (r DisburseFundsResult) check() error {
	switch code := r.DisburseFundsResultCode; {
	case !slices.Contains(slices.Collect(maps.Values(codes)), code):
		return fmt.Errorf("disburse: %q is no result", code)
	case r.TransactionMaxLimit != 0 && code != ResultExceedsLimit, r.TransactionMinLimit != 0 && code != ResultUnderLimit:
		return errors.New("disburse: a limit stands beside its own result code only")
	}
	return nil
}

// encode writes the answer of a payout that is final. A payout that came back stays paid: nothing takes an answer back (OP-6).
func encode(p payout.Payout) ([]byte, error) {
	why := p.Reason
	switch p.State {
	case payout.Paid, payout.Returned:
		why = paid
	case payout.Refused:
	default:
		return nil, fmt.Errorf("disburse: a payout that is %s has no answer", p.State)
	}
	return gsp.Encode(DisburseFundsResponse{p.ID, result(why, p.Scope, p.Code, p.Limit)})
}
