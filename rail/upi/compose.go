package upi

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"

	"github.com/go-json-experiment/json"
	"golang.org/x/text/unicode/norm"

	"naru/core/payout"
)

// What RazorpayX takes (rails §2.3). An underscore in a VPA is legal elsewhere, and not here.
var (
	legalVPA     = regexp.MustCompile(`^[A-Za-z0-9.-]+@[A-Za-z0-9.-]+$`)
	legalKey     = regexp.MustCompile(`^[A-Za-z0-9_ -]{4,36}$`)
	legalName    = regexp.MustCompile(`^[A-Za-z0-9 '_/().-]{2,49}[A-Za-z0-9.]$`)
	legalPurpose = regexp.MustCompile(`^[A-Za-z0-9 _-]{1,64}$`)
)

const (
	leastPaise   = 100
	maxReference = 40
	maxNarration = 30
)

// Check says whether the product's format can carry an order (rails §2.3).
func (r *RazorpayX) Check(o payout.Order) error {
	address := o.Target.VPA.Reveal()
	switch {
	case o.Amount.Currency() != inr:
		return errors.New("currency: this bank pays rupees only")
	case o.Amount.Minor() < leastPaise:
		return fmt.Errorf("amount: this bank pays %d paise or more", leastPaise)
	case len(address) < 3 || len(address) > 100:
		return errors.New("vpa: this bank takes 3 to 100 characters")
	case !legalVPA.MatchString(address):
		return errors.New("vpa: this bank takes letters, digits, dots, hyphens and one @")
	case o.Key != "" && !legalKey.MatchString(o.Key):
		return errors.New("key: this bank takes 4 to 36 letters, digits, hyphens, underscores and blanks")
	case len(o.Reference) > maxReference:
		return fmt.Errorf("reference: this bank takes %d characters", maxReference)
	}
	return nil
}

// Compose writes the body of POST /payouts.
func (r *RazorpayX) Compose(o payout.Order) ([]byte, error) {
	if err := r.Check(o); err != nil {
		return nil, err
	}
	if o.Reference == "" { // without one a lost answer could not be looked for
		return nil, errors.New("reference: an order needs one")
	}
	return json.Marshal(payoutRequest{
		AccountNumber: r.cfg.Account,
		Amount:        o.Amount.Minor(),
		Currency:      inr.Code(),
		Mode:          modeUPI,
		Purpose:       r.cfg.Purpose,
		FundAccount:   r.payee(o.Target.VPA.Reveal()),
		Queue:         r.cfg.QueueIfLowBalance,
		ReferenceID:   o.Reference,
		Narration:     narration(o.Target.Text),
	})
}

// payee is whom the money goes to. Nobody tells us a name, and the product wants one (rails O10).
func (r *RazorpayX) payee(address string) fundAccountRequest {
	return fundAccountRequest{
		AccountType: "vpa", VPA: vpa{address}, Contact: contactRequest{Name: r.cfg.ContactName, Type: r.cfg.ContactType},
	}
}

// narration writes any text as the network takes it: letters, digits and blanks (disburse v1 §8.2), 30 of them (rails §2.3). Accents are
// dropped, letters of other scripts are left out, and whatever else separates words does.
func narration(text string) string {
	var b strings.Builder
	for _, c := range norm.NFKD.String(text) {
		switch {
		case c < unicode.MaxASCII && (unicode.IsLetter(c) || unicode.IsDigit(c)):
			b.WriteRune(c)
		case !unicode.IsLetter(c) && !unicode.IsMark(c):
			b.WriteByte(' ')
		}
	}
	words := strings.Join(strings.Fields(b.String()), " ")
	return strings.TrimSpace(words[:min(maxNarration, len(words))])
}
