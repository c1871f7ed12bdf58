package iso8583

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"naru/core/fault"
	"naru/core/payment"
)

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Every code that the sheets name, with what it does to the money. Written from rails §1.14 and Korea Cards v1 §7.2, not from de39.csv.
const wanted = `
00 08 11: approved
01 02 10! 17 18 23 32! 38 60 64 66 6P 70 71 72 74 75 81 84 86 87 88 89 XA XD: issuer_declined
05: do_not_honor
04 07 35 37 41 43 67: lost_or_stolen
12: transaction_invalid
13: above_amount_limit
14 21 25 39 42 44 52 53 56: card_number_invalid
15 31 92: no_route
16 51: insufficient_funds
33 54: card_expired
34 59 83: suspected_fraud
36: card_restricted
40 57 58* 5C 62 93 9G N3: not_allowed
46 79: card_cancelled
55: pin_mismatch
61 N4: period_amount_limit
63 82 N7: cvn_mismatch
65: period_count_limit
78: card_not_activated
80: expiry_invalid
1A: authentication_required
Q1: authentication_failed
R0: stop_payment
R1 R3: consent_revoked
ZZ* 47* 73*: issuer_declined
09 22 68 85: unclear 503
20 76* 94* 95*: unclear 500
19 28 90 91 96 N0 Z3: nothing 503
06* 24* 26* 27* 29* 30* 77* 97* 98* 99*: nothing 500
03* P2*: nothing 400`

func TestEveryResponseCode(t *testing.T) {
	c := mustCodec(t, mustProfile(t, DefaultProfile))
	kind := map[string]fault.Kind{"503": fault.Unavailable, "500": fault.Internal, "400": fault.Precondition}
	seen := map[string]bool{}
	for line := range strings.Lines(strings.TrimSpace(wanted)) {
		codes, means, _ := strings.Cut(strings.TrimSpace(line), ": ")
		for _, word := range strings.Fields(codes) {
			code := word[:2]
			seen[code] = true
			got := c.outcome(NewMessage("0110").Set(39, code), false)
			want := payment.Outcome{Code: code}
			switch what, status, _ := strings.Cut(means, " "); what {
			case "approved":
				want.Verdict = payment.Approved
			case "unclear":
				want.Verdict, want.Fault, want.Undo = payment.Unclear, kind[status], payment.UndoSilence
			case "nothing":
				want.Verdict, want.Fault = payment.NothingHeld, kind[status]
			default:
				want.Verdict, want.Decline = payment.Refused, payment.Reason(what)
			}
			if strings.HasSuffix(word, "!") {
				want.Undo = payment.UndoPartial
			}
			if (got.Alert != "") != strings.HasSuffix(word, "*") {
				t.Errorf("%s: alert %q", code, got.Alert)
			}
			if (got.Detail != "") != (want.Fault == fault.Precondition) {
				t.Errorf("%s: detail %q", code, got.Detail)
			}
			want.Alert, want.Detail = got.Alert, got.Detail
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%s:\n%+v, want\n%+v", code, got, want)
			}
		}
	}
	r := csv.NewReader(strings.NewReader(de39))
	r.Comment = '#'
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows[1:] {
		if !seen[row[0]] {
			t.Errorf("%s is in the table, but in no sheet", row[0])
		}
	}
	if len(rows)-1 != len(c.answers) {
		t.Errorf("%d rows, %d codes: one stands twice", len(rows)-1, len(c.answers))
	}
}

// A check without money is answered like a hold, but for the code that approves nothing else (rails §1.14).
func TestResponseCodesToCardChecks(t *testing.T) {
	c := mustCodec(t, mustProfile(t, DefaultProfile))
	for code := range c.answers {
		m := NewMessage("0110").Set(39, code)
		want := c.outcome(m, false)
		if code == "85" {
			want = payment.Outcome{Verdict: payment.Approved, Code: "85"}
		}
		if got := c.outcome(m, true); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, want\n%+v", code, got, want)
		}
	}
}

// Every code in the answer to a refund. Written from Korea Cards v1 §5.3 and §7.2 and rails §1.14, not from de39.csv.
const wantedOfRefunds = `
00 08 11 85: accepted
04 07 41 43 67: lost_or_stolen
14 46 56 79: card_cancelled
12 40 57 58*: unsupported
13: nothing_left
01 02 05 15 16 17 18 21 23 31 33 34 35 36 37 38 39 42 44 51 52 53 54 55 59 60 61 62 63 64 65 66: issuer_declined
70 71 72 74 75 78 80 81 82 83 84 86 87 88 89 92 93: issuer_declined
1A 5C 6P 9G N3 N4 N7 Q1 R0 R1 R3 XA XD ZZ* 47* 73*: issuer_declined
10* 32*: PARTIAL
09 19 20 22 28 68 90 91 96 N0 Z3: TIMEOUT
03* 06* 24* 26* 27* 29* 30* 77* 94* 95* 97* 98* 99* P2*: TIMEOUT
25* 76*: person`

func TestEveryResponseCodeToARefund(t *testing.T) {
	c := mustCodec(t, mustProfile(t, DefaultProfile))
	seen := map[string]bool{}
	for line := range strings.Lines(strings.TrimSpace(wantedOfRefunds)) {
		codes, means, _ := strings.Cut(strings.TrimSpace(line), ": ")
		for _, word := range strings.Fields(codes) {
			code := word[:2]
			seen[code] = true
			want := payment.AdviceReply{Code: code}
			switch means {
			case "accepted":
				want.Verdict = payment.AdviceAccepted
			case "person":
				want.Verdict = payment.AdviceRefused
			case "TIMEOUT", "PARTIAL":
				want.Verdict, want.Undo = payment.AdviceUnclear, payment.UndoReason(means)
			default:
				want.Verdict, want.Why = payment.AdviceDeclined, payment.RefundReason(means)
			}
			got := c.refundReply(NewMessage("0210").Set(39, code))
			if (got.Alert != "") != strings.HasSuffix(word, "*") {
				t.Errorf("%s: alert %q", code, got.Alert)
			}
			if want.Alert = got.Alert; got != want {
				t.Errorf("%s: %+v, want\n%+v", code, got, want)
			}
		}
	}
	for code := range c.answers {
		if !seen[code] {
			t.Errorf("%s is in the table, and nobody says what it does to a refund", code)
		}
	}

	// Where a hold might be hidden behind a no, so might a refund.
	invalid := payment.AdviceReply{
		Verdict: payment.AdviceUnclear, Code: "16", Undo: payment.UndoInvalid, Alert: "response code 16 came with an approval code",
	}
	own := mustProfile(t, DefaultProfile)
	own.DE39x16, own.ResponseMap = "approved", map[string]Override{"05": {Verdict: "undecided"}, "Y1": {Verdict: "approved"}}
	accepted := func(code string) payment.AdviceReply {
		return payment.AdviceReply{Verdict: payment.AdviceAccepted, Code: code}
	}
	garbled := payment.AdviceReply{Verdict: payment.AdviceUnclear, Undo: payment.UndoGarbled}
	for _, x := range []struct {
		p    Profile
		m    *Message
		want payment.AdviceReply
	}{
		{c.profile, NewMessage("0210").Set(39, "16").Set(38, "A1B2C3"), invalid},
		{c.profile, NewMessage("0210").Set(39, "16").Set(48, "AN0830118842"), invalid},
		{own, NewMessage("0210").Set(39, "16").Set(38, "A1B2C3"), accepted("16")},
		{own, NewMessage("0210").Set(39, "Y1"), accepted("Y1")},
		{own, NewMessage("0210").Set(39, "05"), payment.AdviceReply{Verdict: payment.AdviceUnclear, Code: "05", Undo: payment.UndoSilence}},
		{c.profile, NewMessage("0210"), garbled},
		{c.profile, NewMessage("0210").Set(39, "\x00\x01"), garbled},
	} {
		if got := mustCodec(t, x.p).refundReply(x.m); got != x.want {
			t.Errorf("%v: %+v, want\n%+v", x.m, got, x.want)
		}
	}
}

// What results in a file mean. Nothing that may be booked goes into another file.
func TestJudge(t *testing.T) {
	a := &Acquirer{codec: mustCodec(t, mustProfile(t, "pi87-file"))}
	const both = "both"
	for _, c := range []struct {
		codes string
		kind  payment.AdviceKind
		want  payment.AdviceReply
		alert bool
	}{
		{"00 08 11", both, payment.AdviceReply{Verdict: payment.AdviceAccepted}, false},
		{"85", payment.RefundOrder, payment.AdviceReply{Verdict: payment.AdviceAccepted}, false},
		{"13", payment.RefundOrder, payment.AdviceReply{Verdict: payment.AdviceDeclined, Why: payment.RefundNothingLeft}, false},
		{"41", payment.RefundOrder, payment.AdviceReply{Verdict: payment.AdviceDeclined, Why: payment.RefundLostOrStolen}, false},
		{"ZZ", payment.RefundOrder, payment.AdviceReply{Verdict: payment.AdviceDeclined, Why: payment.RefundIssuerDeclined}, true},
		{"91 96 90 19", both, payment.AdviceReply{Verdict: payment.AdviceLater}, false},
		{"03 30 77", payment.RefundOrder, payment.AdviceReply{Verdict: payment.AdviceLater}, true},
		{"94 \x00 A", both, payment.AdviceReply{Verdict: payment.AdviceRefused}, true},
		{"09 20 22 68 95 10 32 25 76", payment.RefundOrder, payment.AdviceReply{Verdict: payment.AdviceRefused}, true},
		{"09 22 68", payment.Completion, payment.AdviceReply{Verdict: payment.AdviceLater}, false},
		{"25 76", payment.Completion, payment.AdviceReply{Verdict: payment.AdviceUnknown}, false},
		{"R0 R1 R3", payment.Completion, payment.AdviceReply{Verdict: payment.AdviceRevoked}, false},
		{"12 13 30 85", payment.Completion, payment.AdviceReply{Verdict: payment.AdviceRefused}, false},
	} {
		kinds := []payment.AdviceKind{c.kind}
		if c.kind == both {
			kinds = []payment.AdviceKind{payment.Completion, payment.RefundOrder}
		}
		for _, code := range strings.Fields(c.codes) {
			for _, kind := range kinds {
				got, want := a.Judge(kind, code), c.want
				if (got.Alert != "") != c.alert {
					t.Errorf("%q to %s: alert %q", code, kind, got.Alert)
				}
				if want.Alert = got.Alert; len(code) == 2 {
					want.Code = code
				}
				if got != want {
					t.Errorf("%q to %s: %+v, want\n%+v", code, kind, got, want)
				}
			}
		}
	}
}

func TestAnswerInFull(t *testing.T) {
	c := mustCodec(t, mustProfile(t, DefaultProfile))
	m := golden["V4"].Clone().Set(48, "CR01MAR01YAN0830118842MC0203BR07bc/VISAIS10EXAMPLE CIIC02KRCT01CNT05net-1NS03abcRX1420261129031500")
	want := payment.Outcome{
		Verdict: payment.Approved, Code: "00", AdviceCode: "03", Approval: "30118842", CVN: payment.CVNMatch,
		AVS:    payment.AVSCheck{Raw: "Y", Line: payment.AVSMatch, PostalCode: payment.AVSMatch},
		Brands: []string{"BC", "VISA"}, Issuer: "EXAMPLE CI", IssuerCountry: "KR", CardKind: payment.Credit, NetworkID: "net-1",
		LinkID: "abc", HostUntil: time.Date(2026, 11, 29, 3, 15, 0, 0, time.UTC),
	}
	if got := c.outcome(m, false); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want\n%+v", got, want)
	}
	if got := c.outcome(golden["V4"].Clone().Set(38, "a1 b2 "), false).Approval; got != "a1 b2 " {
		t.Errorf("approval %q", got)
	}
}

func TestSpecialAnswers(t *testing.T) {
	def := mustProfile(t, DefaultProfile)
	yes := def
	yes.DE39x16 = "approved"
	own := def
	own.ResponseMap = map[string]Override{"05": {Decline: "card_restricted"}, "96": {Verdict: "undecided"}, "Y1": {Verdict: "approved"}}
	for name, c := range map[string]struct {
		p    Profile
		m    *Message
		want payment.Outcome
	}{
		"16 with approval code": {def, NewMessage("0110").Set(39, "16").Set(38, "A1B2C3"), payment.Outcome{
			Verdict: payment.Refused,
			Decline: payment.InsufficientFunds, Undo: payment.UndoInvalid,
			Alert: "response code 16 came with an approval code", Code: "16", Approval: "A1B2C3",
		}},
		"16 at a host that approves": {yes, NewMessage("0110").Set(39, "16"), payment.Outcome{Verdict: payment.Approved, Code: "16"}},
		"birth date wrong": {def, NewMessage("0110").Set(39, "05").Set(48, "KB01N"), payment.Outcome{
			Verdict: payment.Refused,
			Decline: payment.BirthOrBusinessNo, Code: "05",
		}},
		"PIN wrong": {def, NewMessage("0110").Set(39, "05").Set(48, "KP01NKB01N"), payment.Outcome{
			Verdict: payment.Refused,
			Decline: payment.PINMismatch, Code: "05",
		}},
		"PIN wrong, approved all the same": {
			def, NewMessage("0110").Set(39, "00").Set(48, "KP01NKB01N"),
			payment.Outcome{Verdict: payment.Approved, Code: "00"},
		},
		"PIN unclear": {
			def, NewMessage("0110").Set(39, "91").Set(48, "KP01N"),
			payment.Outcome{Verdict: payment.NothingHeld, Fault: fault.Unavailable, Code: "91"},
		},
		"no response code":               {def, NewMessage("0110"), unclear(payment.UndoGarbled)},
		"response code of foreign bytes": {def, NewMessage("0110").Set(39, "\x00\x01"), unclear(payment.UndoGarbled)},
		"own reason": {
			own, NewMessage("0110").Set(39, "05"),
			payment.Outcome{Verdict: payment.Refused, Decline: payment.CardRestricted, Code: "05"},
		},
		"own verdict": {own, NewMessage("0110").Set(39, "96"), payment.Outcome{
			Verdict: payment.Unclear, Fault: fault.Unavailable,
			Undo: payment.UndoSilence, Code: "96",
		}},
		"own code": {own, NewMessage("0110").Set(39, "Y1"), payment.Outcome{Verdict: payment.Approved, Code: "Y1"}},
	} {
		if got := mustCodec(t, c.p).outcome(c.m, false); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s:\n%+v, want\n%+v", name, got, c.want)
		}
	}
}

func TestLetters(t *testing.T) {
	c := mustCodec(t, mustProfile(t, DefaultProfile))
	for letter, want := range map[string]payment.CVNCheck{
		"M": "match", "N": "no_match", "P": "skipped_by_network", "S": "not_specified",
		"U": "issuer_unsupported", " ": "not_specified", "F": "not_verified", "Q": "not_specified",
	} {
		if got := c.outcome(NewMessage("0110").Set(39, "05").Set(48, "CR01"+letter), false).CVN; got != want {
			t.Errorf("CVV2 %q: %s", letter, got)
		}
	}
	for letters, want := range map[string]payment.AVSCheck{
		"YMDFX": {Line: "match", PostalCode: "match"}, "A": {Line: "match", PostalCode: "no_match"},
		"B": {Line: "match", PostalCode: "not_checked"}, "ZW": {Line: "no_match", PostalCode: "match"},
		"P": {Line: "not_checked", PostalCode: "match"},
		"N": {Line: "no_match", PostalCode: "no_match"}, "CR": {Line: "not_checked", PostalCode: "not_checked"},
		"SUGIE": {Unsupported: true}, "?": {},
	} {
		for _, letter := range strings.Split(letters, "") {
			want.Raw = letter
			if got := c.outcome(NewMessage("0110").Set(39, "00").Set(48, "AR01"+letter), false).AVS; got != want {
				t.Errorf("AVS %q: %+v", letter, got)
			}
		}
	}
	for _, nothing := range []string{"", "CR00AR00MC00", "AR01 MC02  "} { // a blank is no letter; a blank CR is in the sheet's table
		want := payment.Outcome{Verdict: payment.Approved, Code: "00"}
		if got := c.outcome(NewMessage("0210").Set(39, "00").Set(48, nothing), false); !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %+v", nothing, got)
		}
	}
}

func TestAdviceReplies(t *testing.T) {
	both := []payment.AdviceKind{payment.Completion, payment.Reversal, payment.ReleaseRest}
	for _, c := range []struct {
		codes  string
		kinds  []payment.AdviceKind
		repeat bool
		want   payment.AdviceVerdict
	}{
		{"00 08 11", both, false, payment.AdviceAccepted},
		{"25 76", both, true, payment.AdviceUnknown},
		{"09 19 22 28 68 90 91 96 N0 Z3", both, false, payment.AdviceLater},
		{"R0 R1 R3", both[:1], false, payment.AdviceRevoked},
		{"R0 R1 R3", both[1:], false, payment.AdviceRefused},
		{"94", both, false, payment.AdviceCollided},
		{"94", both, true, payment.AdviceAccepted},
		{"30 12 13 77 05 51 XX", both, false, payment.AdviceRefused},
		{"30 12", both, true, payment.AdviceRefused},
	} {
		for _, code := range strings.Fields(c.codes) {
			for _, kind := range c.kinds {
				want := payment.AdviceReply{Verdict: c.want, Code: code}
				if got := adviceReply(NewMessage("0430").Set(39, code), kind, c.repeat); got != want {
					t.Errorf("%s to %s: %+v", code, kind, got)
				}
			}
		}
	}
	if got := adviceReply(NewMessage("0430"), payment.Reversal, false); got != (payment.AdviceReply{}) {
		t.Errorf("no code: %+v", got)
	}
}
