package iso8583

import (
	"cmp"
	_ "embed"
	"encoding/csv"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"naru/core/fault"
	"naru/core/payment"
)

//go:embed de39.csv
var de39 string

// answer is one row of de39.csv, where its columns are explained.
type answer struct {
	verdict, decline, caller, again string
	alert                           bool
	meaning                         string
}

type answers map[string]answer

// anythingElse is the last row of rails §1.14: a code nobody told us of refuses, and an operator hears of it.
var anythingElse = answer{
	verdict: "declined", decline: string(payment.IssuerDeclined), again: "U", alert: true,
	meaning: "a code that no table knows",
}

// faults is what the caller hears where there is no verdict.
var faults = map[string]fault.Kind{"unavailable": fault.Unavailable, "internal": fault.Internal, "setup": fault.Precondition}

var verdicts = []string{"approved", "declined", "partial", "sixteen", "verification_only", "undecided", "nothing_held"}

// declines are the reasons that a table of codes may name.
var declines = []payment.Reason{
	payment.IssuerDeclined, payment.DoNotHonor, payment.InsufficientFunds, payment.CardNumberInvalid,
	payment.CardExpired, payment.ExpiryInvalid, payment.LostOrStolen, payment.CardCancelled, payment.CardRestricted,
	payment.CardNotActivated, payment.SuspectedFraud, payment.TransactionInvalid, payment.NotAllowed, payment.NoRoute,
	payment.AboveAmountLimit, payment.BelowAmountLimit, payment.PeriodAmountLimit, payment.PeriodCountLimit, payment.CVNMismatch,
	payment.PINMismatch, payment.BirthOrBusinessNo, payment.AuthenticationRequired, payment.AuthenticationFailed,
	payment.AuthenticationExpired, payment.RecurringUnsupported, payment.StopPayment, payment.ConsentRevoked,
	payment.IssuerUnavailable, payment.NetworkTimeout,
}

// answers is the table of codes with the profile's exceptions.
func (p Profile) answers() (answers, error) {
	r := csv.NewReader(strings.NewReader(de39))
	r.Comment, r.FieldsPerRecord = '#', 7
	rows, err := r.ReadAll()
	if err != nil {
		return nil, fmt.Errorf("de39.csv: %w", err)
	}
	table := answers{}
	for _, row := range rows[1:] {
		table[row[0]] = answer{row[1], row[2], row[3], row[4], row[5] == "x", row[6]}
	}
	if p.DE39x16 == "approved" {
		table["16"] = answer{verdict: "approved", again: "-", meaning: table["16"].meaning}
	}
	for code, o := range p.ResponseMap {
		a, ok := table[code]
		if !ok {
			a = anythingElse
			a.alert, a.meaning = false, "a code of this acquirer"
		}
		if o.Verdict != "" {
			a.verdict = o.Verdict
		}
		if o.Decline != "" {
			a.decline = o.Decline
		}
		if a.caller == "" {
			a.caller = "unavailable"
		}
		table[code] = a
	}
	return table, table.validate()
}

func (t answers) validate() error {
	var problems []error
	for code, a := range t {
		refused := a.verdict == "declined" || a.verdict == "partial" || a.verdict == "sixteen"
		_, known := faults[a.caller]
		switch {
		case len(code) != 2:
			problems = append(problems, fmt.Errorf("response code %q: two characters", code))
		case !slices.Contains(verdicts, a.verdict):
			problems = append(problems, fmt.Errorf("response code %s: no such verdict: %q", code, a.verdict))
		case refused && !slices.Contains(declines, payment.Reason(a.decline)):
			problems = append(problems, fmt.Errorf("response code %s: no such decline: %q", code, a.decline))
		case !known && !refused && a.verdict != "approved":
			problems = append(problems, fmt.Errorf("response code %s: no such caller: %q", code, a.caller))
		}
	}
	return errors.Join(problems...)
}

func (t answers) of(code string) answer {
	if a, ok := t[code]; ok {
		return a
	}
	return anythingElse
}

// unclear is the outcome of a 0100 that may hold money, or a 0200 that may have taken it, although nobody approved anything.
func unclear(why payment.UndoReason) payment.Outcome {
	return payment.Outcome{Verdict: payment.Unclear, Fault: fault.Unavailable, Undo: why}
}

// warning is what an operator reads of a code that needs a look.
func (row answer) warning(code string) string {
	if !row.alert {
		return ""
	}
	return "response code " + code + ": " + row.meaning
}

// outcome reads the 0110 to a hold, the 0210 to a sale, or the 0110 to a check that holds nothing. It depends on the code alone whether
// money is held or taken; all else is remarks.
func (c codec) outcome(m *Message, check bool) payment.Outcome {
	code := m.Get(39)
	if elementOf(39).refuses(code) != "" {
		return unclear(payment.UndoGarbled) // an answer that says neither yes nor no
	}
	row, tags := c.answers.of(code), c.profile.readPrivate(m.Get(48))
	o := payment.Outcome{
		Code: code, AdviceCode: strings.TrimSpace(tags["MC"]), Approval: printable(m.Get(38)),
		CVN: cvnLetters[tags["CR"]], AVS: avsLetters[tags["AR"]],
		Brands: brands(tags["BR"]), Issuer: strings.TrimSpace(tags["IS"]), IssuerCountry: tags["IC"], CardKind: kinds[tags["CT"]],
		NetworkID: strings.TrimSpace(tags["NT"]), LinkID: strings.TrimSpace(tags["NS"]), HostUntil: holdEnd(tags["RX"]),
		Alert: row.warning(code),
	}
	o.AVS.Raw = strings.TrimSpace(tags["AR"]) // a letter that no table knows, too; a blank is none
	if letter := tags["CR"]; letter != "" && o.CVN == payment.CVNNoResult {
		o.CVN = payment.CVNNotSpecified
	}
	if tags["AN"] != "" {
		o.Approval = tags["AN"]
	}
	if check && row.verdict == "verification_only" {
		row.verdict = "approved"
	}
	switch row.verdict {
	case "approved":
		o.Verdict = payment.Approved
	case "declined":
		o.Verdict, o.Decline = payment.Refused, payment.Reason(row.decline)
	case "partial":
		o.Verdict, o.Decline, o.Undo = payment.Refused, payment.Reason(row.decline), payment.UndoPartial
	case "sixteen": // open point O3: with an approval code the host may hold the money that it seems to refuse
		o.Verdict, o.Decline = payment.Refused, payment.Reason(row.decline)
		if m.Has(38) || tags["AN"] != "" {
			o.Undo, o.Alert = payment.UndoInvalid, "response code 16 came with an approval code"
		}
	case "undecided", "verification_only": // 85 approves no hold and no sale
		o.Verdict, o.Fault, o.Undo = payment.Unclear, faults[row.caller], payment.UndoSilence
	case "nothing_held":
		o.Verdict, o.Fault = payment.NothingHeld, faults[row.caller]
		if o.Fault == fault.Precondition {
			o.Detail = row.meaning
		}
	}
	if o.Verdict == payment.Refused && tags["KB"] == "N" {
		o.Decline = payment.BirthOrBusinessNo
	}
	if o.Verdict == payment.Refused && tags["KP"] == "N" {
		o.Decline = payment.PINMismatch
	}
	return o
}

// adviceCodes says what ends an advice (rails §1.10, §1.11 T4 and T5); what is not listed needs a person. 94 is not listed because it
// depends on whether it answers a repeat. 28, N0 and Z3 are kin of 91 in rails §1.14.
var adviceCodes = []struct {
	codes   string
	verdict payment.AdviceVerdict
	kinds   []payment.AdviceKind
}{
	{"00 08 11", payment.AdviceAccepted, []payment.AdviceKind{payment.Completion, payment.Reversal, payment.ReleaseRest}},
	{"25 76", payment.AdviceUnknown, []payment.AdviceKind{payment.Completion, payment.Reversal, payment.ReleaseRest}},
	{"09 19 22 28 68 90 91 96 N0 Z3", payment.AdviceLater, []payment.AdviceKind{payment.Completion, payment.Reversal, payment.ReleaseRest}},
	{"R0 R1 R3", payment.AdviceRevoked, []payment.AdviceKind{payment.Completion}},
}

// adviceReply reads a 0230, 0410 or 0430.
func adviceReply(m *Message, kind payment.AdviceKind, repeat bool) payment.AdviceReply {
	code := m.Get(39)
	switch {
	case elementOf(39).refuses(code) != "":
		return payment.AdviceReply{} // says nothing: as if silent
	case code == "94" && repeat: // the first transmission had arrived
		return payment.AdviceReply{Verdict: payment.AdviceAccepted, Code: code}
	case code == "94":
		return payment.AdviceReply{Verdict: payment.AdviceCollided, Code: code}
	}
	for _, row := range adviceCodes {
		if slices.Contains(strings.Fields(row.codes), code) && slices.Contains(row.kinds, kind) {
			return payment.AdviceReply{Verdict: row.verdict, Code: code}
		}
	}
	return payment.AdviceReply{Verdict: payment.AdviceRefused, Code: code}
}

// refundReasons is Korea Cards v1 §5.3: why the network refuses a refund. What is not listed is the issuer's own no.
var refundReasons = map[string]payment.RefundReason{
	"04": payment.RefundLostOrStolen, "07": payment.RefundLostOrStolen, "41": payment.RefundLostOrStolen,
	"43": payment.RefundLostOrStolen, "67": payment.RefundLostOrStolen,
	"14": payment.RefundCardCancelled, "46": payment.RefundCardCancelled, "56": payment.RefundCardCancelled,
	"79": payment.RefundCardCancelled,
	"12": payment.RefundUnsupported, "40": payment.RefundUnsupported, "57": payment.RefundUnsupported, "58": payment.RefundUnsupported,
	"13": payment.RefundNothingLeft,
}

// refundReply reads the 0210 to a refund. A refund is a request: what is neither yes nor no may have been booked, and is undone before
// it is asked anew.
func (c codec) refundReply(m *Message) payment.AdviceReply {
	code := m.Get(39)
	if elementOf(39).refuses(code) != "" {
		return payment.AdviceReply{Verdict: payment.AdviceUnclear, Undo: payment.UndoGarbled}
	}
	row := c.answers.of(code)
	r := payment.AdviceReply{Code: code, Alert: row.warning(code)}
	switch {
	case code == "25" || code == "76": // no sheet says what it means here: nothing was booked, and asking again will not help
		r.Verdict, r.Alert = payment.AdviceRefused, "response code "+code+" to a refund: the host does not know what was captured"
	case row.verdict == "approved", row.verdict == "verification_only":
		r.Verdict = payment.AdviceAccepted
	case row.verdict == "partial":
		r.Verdict, r.Undo, r.Alert = payment.AdviceUnclear, payment.UndoPartial, "response code "+code+" to a refund: paid in part"
	case row.verdict == "sixteen" && (m.Has(38) || c.profile.readPrivate(m.Get(48))["AN"] != ""): // as for a hold: O3
		r.Verdict, r.Undo, r.Alert = payment.AdviceUnclear, payment.UndoInvalid, "response code 16 came with an approval code"
	case row.verdict == "declined", row.verdict == "sixteen":
		r.Verdict, r.Why = payment.AdviceDeclined, cmp.Or(refundReasons[code], payment.RefundIssuerDeclined)
	default:
		r.Verdict, r.Undo = payment.AdviceUnclear, payment.UndoSilence
	}
	return r
}

// cvnLetters is DE48 CR (rails §1.15). A letter that is not here says that there was a check and no more.
var cvnLetters = map[string]payment.CVNCheck{
	"M": payment.CVNMatch, "N": payment.CVNNoMatch, "P": payment.CVNSkippedByNetwork,
	"S": payment.CVNNotSpecified, "U": payment.CVNIssuerUnsupported, " ": payment.CVNNotSpecified,
	"F": payment.CVNNotVerified, // Card FOP v1 §3.7
}

// avsLetters is DE48 AR (rails §1.15).
var avsLetters = func() map[string]payment.AVSCheck {
	table := map[string]payment.AVSCheck{}
	for _, row := range []struct {
		letters string
		means   payment.AVSCheck
	}{
		{"YMDFX", payment.AVSCheck{Line: payment.AVSMatch, PostalCode: payment.AVSMatch}},
		{"A", payment.AVSCheck{Line: payment.AVSMatch, PostalCode: payment.AVSNoMatch}},
		{"B", payment.AVSCheck{Line: payment.AVSMatch, PostalCode: payment.AVSNotChecked}},
		{"ZW", payment.AVSCheck{Line: payment.AVSNoMatch, PostalCode: payment.AVSMatch}},
		{"P", payment.AVSCheck{Line: payment.AVSNotChecked, PostalCode: payment.AVSMatch}},
		{"N", payment.AVSCheck{Line: payment.AVSNoMatch, PostalCode: payment.AVSNoMatch}},
		{"CR", payment.AVSCheck{Line: payment.AVSNotChecked, PostalCode: payment.AVSNotChecked}},
		{"SUGIE", payment.AVSCheck{Unsupported: true}},
	} {
		for _, letter := range strings.Split(row.letters, "") {
			row.means.Raw = letter
			table[letter] = row.means
		}
	}
	return table
}()

var kinds = map[string]payment.CardKind{"C": payment.Credit, "D": payment.Debit, "P": payment.Prepaid}

// brands reads DE48 BR: one brand, or several of a card that belongs to several networks.
func brands(br string) []string {
	if br == "" {
		return nil
	}
	return strings.FieldsFunc(strings.ToUpper(br), func(r rune) bool { return r == '/' || r == ',' || r == ' ' })
}

// holdEnd reads DE48 RX. What cannot be read is as if the host had not said when it lets the hold go.
func holdEnd(rx string) time.Time {
	t, err := time.ParseInLocation("20060102150405", rx, time.UTC)
	if err != nil {
		return time.Time{}
	}
	return t
}
