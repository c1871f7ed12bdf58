package cards

import (
	"fmt"
	"slices"
	"strings"

	"naru/core/payment"
)

// API is what one of the two card APIs can do and say, beside the messages of its own (Card FOP v1 §10).
type API struct {
	Name          string             // how an account names it among those it is enabled for
	Declines      []Decline          // its results.csv
	Refunds       []RefundResultCode // the verdicts on a refund that are proven; others are sent unless the account leaves them out (§5.3)
	CVN           CvnResult          // what is said of a CVN that did not come (§3.8; FOP §3.7)
	AVS           NotSentAvsSupport  // what is said of an address that did not come (§3.7; FOP §3.6)
	Notifications Notifications

	Sells       bool // it has a payment in one message (FOP §4.4)
	CaptureIDs  bool // the answer to the capture of a hold carries our name of it (§14 point 26; FOP §4.2)
	TokenTypes  bool // a token must say of which kind it is (FOP §3.1)
	Exemptions  bool // an exemption from strong authentication is asked of the network; without, it is accepted and ignored (§3.2)
	ARNOptional bool // Google may not offer the calls that take acquirer reference numbers (§14 point 2)
}

// Profile is what one account's contract changes. Its zero value is what the sheets recommend.
type Profile struct {
	Emit          []ReserveFundsResultCode `toml:"emit"`           // result codes that are sent only where they are listed here (§7.1)
	NetworkResult NetworkResultForm        `toml:"network_result"` // how the network's code is handed over (§3.9)
	SkipLuhn      bool                     `toml:"skip_luhn"`      // leave the check digit to the network (§3.1)
	CVNNotSent    CvnResult                `toml:"cvn_not_sent"`   // instead of the API's word (§3.8; FOP §3.7)
	AVSNotSent    NotSentAvsSupport        `toml:"avs_not_sent"`   // instead of the API's word (§3.7; FOP §3.6)
	RefundCodes   []RefundResultCode       `toml:"refund_codes"`   // those without evidence that may be sent; absent: all (§5.3)
	FraudTypes    map[string]FraudType     `toml:"fraud_types"`    // words for the network's fraud codes, once they can be spelled (§5.8)
}

// NetworkResultForm is the member of cardNetworkResult that carries the network's code.
type NetworkResultForm string

// The forms.
const (
	RawForm         NetworkResultForm = "" // rawResult: deprecated, but the only one whose shape is fully known
	PassThroughForm NetworkResultForm = "passThrough"
)

// Shared is the profile itself: the profile of either API has one inside.
func (p Profile) Shared() Profile { return p }

// Check says what is wrong with a profile.
func (a API) Check(p Profile) error {
	for _, code := range p.Emit {
		if code == "" || !slices.ContainsFunc(a.Declines, func(d Decline) bool { return d.code == code }) {
			return fmt.Errorf("emit: %s is no result code of reserveFunds", code)
		}
	}
	for _, code := range p.RefundCodes {
		known := slices.ContainsFunc(refundResults, func(r refundResult) bool { return r.code == code })
		if !known || slices.Contains(a.Refunds, code) {
			return fmt.Errorf("refund_codes: %s is no result code of a refund that may be left out", code)
		}
	}
	for code, word := range p.FraudTypes {
		if word == "" || code == "" {
			return fmt.Errorf("fraud_types: %q = %q says nothing", code, word)
		}
	}
	if !slices.Contains([]NetworkResultForm{RawForm, "raw", PassThroughForm}, p.NetworkResult) {
		return fmt.Errorf("network_result: %q is neither raw nor passThrough", p.NetworkResult)
	}
	if !slices.Contains([]CvnResult{
		"", CvnNotSentUnsupportedByIntegrator, CvnNotSentUnsupportedByNetwork, CvnNotSentUnsupportedByIssuer, CvnNotSentSupported,
	}, p.CVNNotSent) {
		return fmt.Errorf("cvn_not_sent: %q is no word for a number that was not sent", p.CVNNotSent)
	}
	if !slices.Contains([]NotSentAvsSupport{
		"", NotSentUnsupportedByIntegrator, NotSentUnsupportedByNetwork, NotSentUnsupportedByIssuer, NotSentSupported, NotSentSupportNotKnown,
	}, p.AVSNotSent) {
		return fmt.Errorf("avs_not_sent: %q is no word for an address that was not sent", p.AVSNotSent)
	}
	return nil
}

// Decline is one row of a results.csv: how a reason is said, how well the word is proven in each method, and what stands in for it where it
// is not sent.
type Decline struct {
	reason    payment.Reason
	code      ReserveFundsResultCode // empty: this API has no word for it
	said      map[payment.Purpose]proof
	otherwise string // ISSUER_DECLINED, or 503
}

// proof is whether a method may say a word.
type proof string

const (
	proven proof = "yes"
	listed proof = "listed" // a revision history or a third-party copy has it: only where the account's emit lists it
	unsaid proof = "no"     // this method has no such word
	absent proof = "-"      // this API has no such method
)

// Declines reads a results.csv. Its column verify is for checks with a hold and without. A mistake in it is one in the program.
func Declines(csv string) (rows []Decline) {
	lines := strings.Split(strings.TrimSpace(csv), "\n")
	if strings.TrimSpace(lines[0]) != "reason,code,reserve,capture,verify,otherwise" {
		panic("cards: results.csv: not the columns we read: " + lines[0])
	}
	for _, line := range lines[1:] {
		f := strings.Split(strings.TrimSpace(line), ",")
		if len(f) != 6 {
			panic("cards: results.csv: every row has six columns: " + line)
		}
		d := Decline{payment.Reason(f[0]), ReserveFundsResultCode(f[1]), map[payment.Purpose]proof{
			payment.ToPay: proof(f[2]), payment.ToSell: proof(f[3]), payment.ToVerify: proof(f[4]), payment.ToCheck: proof(f[4]),
		}, f[5]}
		if err := d.check(rows); err != "" {
			panic("cards: results.csv: " + err + ": " + line)
		}
		rows = append(rows, d)
	}
	return rows
}

// check says what is wrong with a row below others.
func (d Decline) check(above []Decline) string {
	if slices.ContainsFunc(above, func(o Decline) bool { return o.reason == d.reason }) {
		return "the reason stands twice"
	}
	if !slices.Contains([]string{"", string(ReserveFundsIssuerDeclined), "503"}, d.otherwise) {
		return "otherwise is ISSUER_DECLINED, or 503"
	}
	for _, p := range d.said {
		switch p {
		case proven, listed, unsaid, absent:
		default:
			return "a word is said (yes, listed, no), or there is no such method (-)"
		}
		if spoken := p == proven || p == listed; spoken && d.code == "" || (p == listed || p == unsaid) && d.otherwise == "" {
			return "where a word is not said, something stands in its place"
		}
	}
	return ""
}
