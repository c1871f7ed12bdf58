package pay

import (
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"naru/core/card"
)

// The bounds of what a payer may enter: the API's own for the name (merchant-gateway §5), what Korean banks give out for the account.
const (
	nameRunes     = 16
	accountDigits = 7
	accountMost   = 16
)

// form is the form for name and bank, with the account number on the registration page.
type form struct {
	T           *words
	Action      string
	WithAccount bool
	Banks       []Bank
	Name        string // as the payer wrote it
	Bank        string
	Account     string
	wrong       map[Field]Fault
}

// Options are the banks by their names in the reader's language.
func (f *form) Options() []option {
	list := make([]option, len(f.Banks))
	for i, b := range f.Banks {
		list[i] = option{b.Code, f.T.bank(b), b.Code == f.Bank}
	}
	return list
}

type option struct {
	Code, Name string
	Chosen     bool
}

// Wrong says in words what is wrong with a field; nothing where it is right.
func (f *form) Wrong(field Field) string {
	if fault := f.wrong[field]; fault != 0 {
		return f.T.Faults[field][fault]
	}
	return ""
}

// read takes what was sent and reports whether it can be a payer.
func (f *form) read(sent url.Values) (Payer, bool) {
	f.Name = strings.Join(strings.Fields(norm.NFC.String(sent.Get(string(NameField)))), " ")
	f.Bank = sent.Get(string(BankField))
	f.Account = strings.TrimSpace(sent.Get(string(AccountField)))
	f.wrong = map[Field]Fault{}
	p := Payer{Name: card.Conceal(f.Name), Bank: f.Bank}

	if f.Name == "" {
		f.wrong[NameField] = Missing
	} else if !aName(f.Name) {
		f.wrong[NameField] = Malformed
	}
	if f.Bank == "" {
		f.wrong[BankField] = Missing
	} else if !f.listed(f.Bank) {
		f.wrong[BankField] = Malformed
	}
	if f.WithAccount {
		digits := strings.NewReplacer("-", "", " ", "").Replace(f.Account)
		p.Account = card.Conceal(digits)
		if digits == "" {
			f.wrong[AccountField] = Missing
		} else if len(digits) < accountDigits || len(digits) > accountMost || strings.Trim(digits, "0123456789") != "" {
			f.wrong[AccountField] = Malformed
		}
	}
	return p, len(f.wrong) == 0
}

func (f *form) listed(code string) bool {
	for _, b := range f.Banks {
		if b.Code == code {
			return true
		}
	}
	return false
}

// aName reports whether a text can be the name of an account: it begins with a letter, and everything in it can be seen.
func aName(text string) bool {
	first, _ := utf8.DecodeRuneInString(strings.TrimLeft(text, "(㈜"))
	if !utf8.ValidString(text) || utf8.RuneCountInString(text) > nameRunes || !unicode.IsLetter(first) {
		return false
	}
	return !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) })
}
