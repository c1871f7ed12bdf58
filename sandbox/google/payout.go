package google

import (
	"net/http"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// disbursed is the member that says what became of a payout, in an answer and in a message.
const disbursed = "disburseFundsResult"

// payoutAnswer is what a 200 to a payout says, and payoutMembers its result (disburse §4.2).
var (
	payoutAnswer  = []field{{name: "paymentIntegratorTransactionId", is: requestName}, {name: disbursed, is: payoutValue}}
	payoutMembers = []field{
		{name: "disburseFundsResultCode", is: word("SUCCESS", tooLittle, tooMuch, "ACCOUNT_CLOSED", "ACCOUNT_CLOSED_ACCOUNT_TAKEN_OVER",
			"ACCOUNT_CLOSED_FRAUD", "ACCOUNT_ON_HOLD")},
		{name: "rawResult", is: raw, optional: true},
		{name: "transactionMinLimit", is: positive, optional: true},
		{name: "transactionMaxLimit", is: positive, optional: true},
	}
)

// The results that a limit may stand beside (disburse §4.3).
const (
	tooLittle = "DISBURSEMENT_UNDER_TRANSACTION_LIMIT"
	tooMuch   = "DISBURSEMENT_EXCEEDS_TRANSACTION_LIMIT"
)

// payoutResultOf is a result of a payout.
type payoutResultOf struct {
	code  string
	limit int64  // micros, 0 where there is none
	value string // digest of all of it: another one is another result
}

// readPayout reads the result of a payout, or says what is wrong with it.
func readPayout(name string, v jsontext.Value) (p payoutResultOf, no *refusal) {
	members := map[string]jsontext.Value{}
	if json.Unmarshal(v, &members) != nil {
		return p, invalid(name)
	}
	if no := checkFields(name+".", members, payoutMembers); no != nil {
		return p, no
	}
	p.code = text(members["disburseFundsResultCode"])
	for _, limit := range []struct{ member, beside string }{{"transactionMinLimit", tooLittle}, {"transactionMaxLimit", tooMuch}} {
		switch there := members[limit.member] != nil; {
		case there && p.code != limit.beside:
			return p, invalid(name + "." + limit.member)
		case there:
			p.limit, _ = integer(members[limit.member])
		}
	}
	all, err := json.Marshal(members)
	if err != nil {
		return p, invalid(name)
	}
	p.value = digest(all)
	return p, nil
}

func payoutValue(name string, v jsontext.Value) *refusal {
	_, no := readPayout(name, v)
	return no
}

// paidOut reads the verdict in the answer of a payout. An answer of another form is none (disburse §4.2).
func (e *Exchange) paidOut(answer jsontext.Value) *refusal {
	e.Result = "" // whatever other methods call so
	members := map[string]jsontext.Value{}
	if json.Unmarshal(answer, &members) != nil {
		return invalid("the answer")
	}
	if no := checkFields("", members, payoutAnswer); no != nil {
		return no
	}
	p, no := readPayout(disbursed, members[disbursed])
	if no != nil {
		return no
	}
	e.Result, e.Value, e.OwnID = p.code, p.value, text(members["paymentIntegratorTransactionId"])
	return nil
}

// takePayout hears the result of a payout. The first one stays, whichever channel carries it: the answer, or a message (disburse §5, OP-7).
func takePayout(v *visit) (line, *refusal) {
	id := v.text(v.what.subject)
	e, ours := v.g.asked[key{v.piaid, id}]
	if ours && e.Method != disbursement.sold {
		return line{}, unknown(v.what.subject)
	}
	said, no := readPayout(disbursed, v.in.Rest[disbursed])
	if no != nil {
		return line{}, no
	}
	if e.Currency != "" && !whole(said.limit, e.Currency) {
		return line{}, invalid(disbursed)
	}
	fixed, told := v.g.record.byVerdict[subject{v.what.name, v.piaid, id}]
	if !told && e.Status == http.StatusOK {
		fixed = e.Value
	}
	switch {
	case fixed != "" && fixed != said.value:
		return line{}, conflict("another result was given before")
	case told:
		return line{}, nil
	}
	return line{Verdict: &Verdict{
		At: v.g.cfg.Business(), Method: v.what.name, Account: v.piaid, Subject: id, Result: said.code, Value: said.value,
	}}, nil
}
