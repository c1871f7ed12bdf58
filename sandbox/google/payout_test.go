package google

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

const (
	credited = `{"disburseFundsResultCode":"SUCCESS","rawResult":{"scope":"npci-upi","rawCode":"00"}}`
	onHold   = `{"disburseFundsResultCode":"ACCOUNT_ON_HOLD","rawResult":{"scope":"npci-upi","rawCode":"U31:YF"}}`
	wantPay  = `{"method":"disburseFunds","body":{"paymentIntegratorAccountId":"Test_INR","transactionDescription":"Reward",` +
		`"currencyCode":"INR","amount":"125500000","upiDetails":{"vpa":"asha.r@examplebank"}}}`
)

// answered is the members of an answer to a payout.
func answered(result string) string {
	return `{"paymentIntegratorTransactionId":"ptx-1","disburseFundsResult":` + result + `}`
}

// payoutAt is where results of payouts are told.
const payoutAt = "/v1/disburseFundsResultNotification/" + rewards

// became is the message that tells a result.
func became(id, subject, result string) string {
	return notice(id, map[string]string{
		"paymentIntegratorAccountId": strconv.Quote(rewards), "disburseFundsRequestId": strconv.Quote(subject), "disburseFundsResult": result,
	})
}

// wants is a request for a payout under an id.
func (s *side) wants(id string) Answer {
	s.t.Helper()
	answers, err := s.google.Send(s.t.Context(), Order{Method: "disburseFunds", Body: jsontext.Value(
		`{"requestHeader":{"requestId":"` + id + `"},"paymentIntegratorAccountId":"Test_INR","currencyCode":"INR","amount":"125500000"}`)})
	must(s.t, err)
	return answers[0]
}

// What leaves, and what the record keeps of it: the verdict, and no address of a person.
func TestSendPayout(t *testing.T) {
	file := filepath.Join(t.TempDir(), "google.jsonl")
	var h heard
	s := meet(t, file, h.then(t, reply(answered(credited))))
	s.control("POST", "/send", wantPay, http.StatusOK)
	if want := "POST /v1/disburseFunds application/octet-stream; charset=utf-8"; h.paths[0] != want {
		t.Errorf("it went to %s, want %s", h.paths[0], want)
	}
	header := h.plain[0]["requestHeader"].(map[string]any)
	version := header["protocolVersion"].(map[string]any)
	if version["major"] != 1. || version["minor"] != 0. || h.plain[0]["upiDetails"].(map[string]any)["vpa"] != "asha.r@examplebank" {
		t.Errorf("it left as %v", h.plain[0])
	}
	exchanges, verdicts := s.google.Record()
	got := exchanges[0]
	want := Exchange{
		At: got.At, Method: "disburseFunds", Account: rewards, RequestID: "g7-1-1", Currency: "INR", AmountMicros: 125_500_000, Status: 200,
		Result: "SUCCESS", OwnID: "ptx-1", Value: got.Value, Digest: got.Digest,
	}
	if got != want || got.Value == "" || got.Digest == "" || len(verdicts) != 0 {
		t.Errorf("the record says %+v, want %+v", got, want)
	}
	s.control("POST", "/send", `{"method":"disburseFunds","api":"korea-cards-v1"}`, http.StatusBadRequest)
	s.control("POST", "/send", `{"method":"disburseFunds"}`, http.StatusBadRequest) // the first account has cards
	s.control("POST", "/send", `{"method":"reserveFunds","body":{"paymentIntegratorAccountId":"Test_INR"}}`, http.StatusBadRequest)
	kept, err := os.ReadFile(file)
	must(t, err)
	if bytes.Contains(kept, []byte("asha")) {
		t.Error("an address stands in the record")
	}
}

// What a 200 must say to be a verdict (disburse §4.2, §4.3), and what an error says nothing about.
func TestPayoutAnswers(t *testing.T) {
	result := func(members string) string { return answered(`{` + members + `}`) }
	const code, low, high = `"disburseFundsResultCode":`, `"transactionMinLimit":"1000000"`, `"transactionMaxLimit":"100000000000"`
	const less, more = `"` + tooLittle + `",`, `"` + tooMuch + `",`
	for name, row := range map[string]struct {
		status         int
		answer, result string
		says           string // what is wrong with it
	}{
		"paid":                     {200, answered(credited), "SUCCESS", ""},
		"refused":                  {200, answered(onHold), "ACCOUNT_ON_HOLD", ""},
		"too little":               {200, result(code + less + low), tooLittle, ""},
		"too much":                 {200, result(code + more + high), tooMuch, ""},
		"a limit that is not told": {200, result(code + `"` + tooMuch + `"`), tooMuch, ""},
		"null is absent":           {200, result(code + `"SUCCESS","transactionMinLimit":null,"rawResult":null`), "SUCCESS", ""},
		"nobody knows":             {200, result(code + `"UNKNOWN_RESULT"`), "", disbursed + ".disburseFundsResultCode has"},
		"pending":                  {200, result(code + `"PENDING"`), "", disbursed + ".disburseFundsResultCode has"},
		"no code":                  {200, result(low), "", disbursed + ".disburseFundsResultCode is required"},
		"a word":                   {200, answered(`"SUCCESS"`), "", disbursed + " has"},
		"no result":                {200, `{"paymentIntegratorTransactionId":"ptx-1"}`, "", disbursed + " is required"},
		"a result of cards":        {200, `{"paymentIntegratorTransactionId":"ptx-1","result":"SUCCESS"}`, "", disbursed + " is required"},
		"no id of theirs":          {200, `{"disburseFundsResult":` + credited + `}`, "", "paymentIntegratorTransactionId is required"},
		"a bad id of theirs":       {200, strings.Replace(answered(credited), "ptx-1", "ptx 1", 1), "", "paymentIntegratorTransactionId has"},
		"a limit without its code": {200, result(code + `"SUCCESS",` + high), "", disbursed + ".transactionMaxLimit has"},
		"the other's limit":        {200, result(code + less + high), "", disbursed + ".transactionMaxLimit has"},
		"both limits":              {200, result(code + more + low + `,` + high), "", disbursed + ".transactionMinLimit has"},
		"a limit of nothing":       {200, result(code + more + `"transactionMaxLimit":"0"`), "", disbursed + ".transactionMaxLimit has"},
		"a raw result without one": {200, result(code + `"SUCCESS","rawResult":{"scope":"x"}`), "", disbursed + ".rawResult.rawCode is"},
		"open":                     {503, `{"errorDescription":"ask again"}`, "", ""},
		"an error that says more":  {503, answered(credited), "", ""},
	} {
		s := meet(t, "", answering(row.status, "integrator", row.answer, 0))
		a := s.wants("p")
		exchanges, _ := s.google.Record()
		e := exchanges[0]
		if e.Status != row.status || e.Result != row.result || (e.Value == "") != (row.result == "") || (e.OwnID == "") != (row.result == "") {
			t.Errorf("%s is recorded as %+v", name, e)
		}
		if !strings.HasPrefix(a.Error, row.says) || (a.Error == "") != (row.says == "") {
			t.Errorf("%s: %q, want %q", name, a.Error, row.says)
		}
	}
}

// What is told of payouts: the first result of each stays, whichever channel carried it (disburse §5, OP-7), also after a restart.
func TestPayoutResults(t *testing.T) {
	const ok, differs, nobody = "200 SUCCESS", "412 IDEMPOTENCY_VIOLATION", "404 INVALID_IDENTIFIER"
	const missing, invalid = "400 MISSING_REQUIRED_FIELD", "400 INVALID_FIELD_VALUE"
	const bare = `{"disburseFundsResultCode":"SUCCESS"}`
	file := filepath.Join(t.TempDir(), "google.jsonl")
	status := 503
	integrator := func(w http.ResponseWriter, r *http.Request) {
		answering(status, "integrator", answered(credited), 0)(w, r)
	}
	s := meet(t, file, integrator)
	s.wants("open")
	s.wants("half")
	status = 200
	s.wants("paid")
	s.google.mu.Lock()
	s.google.note(line{Exchange: &Exchange{Account: rewards, RequestID: "other", Method: "echo"}})
	s.google.mu.Unlock()
	limit := func(micros string) string {
		return `{"disburseFundsResultCode":"DISBURSEMENT_UNDER_TRANSACTION_LIMIT","transactionMinLimit":"` + micros + `"}`
	}
	type step struct{ why, id, subject, result, want string }
	tell := func(s *side, steps []step) {
		t.Helper()
		for i, c := range steps {
			id := c.id
			if id == "" {
				id = "n" + c.subject + strconv.Itoa(i)
			}
			if got := s.tell(payoutAt, became(id, c.subject, c.result)); got != c.want {
				t.Errorf("%s: got %q, want %q", c.why, got, c.want)
			}
		}
	}
	tell(s, []step{
		{"a result after a 503", "n1", "open", onHold, ok},
		{"again", "n1", "open", onHold, ok},
		{"under another id", "n2", "open", onHold, ok},
		{"another result", "", "open", credited, differs},
		{"without the network's code", "", "open", `{"disburseFundsResultCode":"ACCOUNT_ON_HOLD"}`, differs},
		{"another code of the network", "", "open", strings.Replace(onHold, "YF", "ZY", 1), differs},
		{"an id with another content", "n1", "open", credited, differs},
		{"an id with another payout", "n1", "paid", credited, differs},
		{"another thing than the answer", "", "paid", onHold, differs},
		{"what the answer said", "", "paid", credited, ok},
		{"less than the answer", "", "paid", bare, differs},
		{"a payout of somebody", "", "theirs", bare, ok}, // with our key
		{"again, null is absent", "", "theirs", `{"disburseFundsResultCode":"SUCCESS","rawResult":null}`, ok},
		{"another thing of somebody", "", "theirs", onHold, differs},
		{"a request of another kind", "", "other", credited, nobody},

		{"about nothing", "", "", credited, missing},
		{"about what is no id", "", "a b", credited, invalid},
		{"no result", "", "half", "-", missing},
		{"an empty result", "", "half", `{}`, missing},
		{"nobody knows", "", "half", `{"disburseFundsResultCode":"UNKNOWN_RESULT"}`, invalid},
		{"a word", "", "half", `"SUCCESS"`, invalid},
		{"a limit without its code", "", "half", `{"disburseFundsResultCode":"SUCCESS","transactionMinLimit":"10000"}`, invalid},
		{"half a paisa", "", "half", limit("5000"), invalid},
		{"a limit", "", "half", limit("1000000"), ok},
		{"another limit", "", "half", limit("2000000"), differs},
	})
	for path, want := range map[string]string{
		"/v1/disburseFundsResultNotification/" + piaid:                          "404 unsealed 43 bytes", // which has cards
		"/google-korea-cards-api/v1/disburseFundsResultNotification/" + rewards: "404 unsealed 0 bytes",
		capturePath + "/" + rewards:                                             "404 unsealed 43 bytes",
	} {
		if got := s.tell(path, became("x", "open", onHold)); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	_, verdicts := s.google.Record()
	var got []string
	for _, v := range verdicts {
		if v.Method != "disburseFundsResultNotification" || v.Account != rewards || v.Value == "" || v.OwnID != "" {
			t.Errorf("the verdict is %+v", v)
		}
		got = append(got, v.Subject+" "+v.Result)
	}
	want := []string{"open ACCOUNT_ON_HOLD", "paid SUCCESS", "theirs SUCCESS", "half DISBURSEMENT_UNDER_TRANSACTION_LIMIT"}
	if !slices.Equal(got, want) {
		t.Errorf("the verdicts are %q, want %q", got, want)
	}
	must(t, s.google.Close())

	s = meet(t, file, integrator)
	tell(s, []step{
		{"told before", "", "open", onHold, ok},
		{"another thing than was told", "", "open", credited, differs},
		{"answered before", "", "paid", credited, ok},
		{"another thing than was answered", "", "paid", onHold, differs},
	})
}

// A result may be told while its own request is in flight, and an answer that says otherwise does not change what was told first.
func TestPayoutResultInFlight(t *testing.T) {
	var s *side
	var got []string
	s = meet(t, "", func(w http.ResponseWriter, r *http.Request) {
		got = append(got, s.tell(payoutAt, became("n1", "p", onHold)))
		reply(answered(credited))(w, r)
	})
	s.wants("p")
	got = append(got, s.tell(payoutAt, became("n2", "p", onHold)), s.tell(payoutAt, became("n3", "p", credited)))
	if want := []string{"200 SUCCESS", "200 SUCCESS", "412 IDEMPOTENCY_VIOLATION"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	exchanges, verdicts := s.google.Record()
	if exchanges[0].Value == verdicts[0].Value || exchanges[0].Value == "" {
		t.Error("the record does not show the two truths")
	}
}
