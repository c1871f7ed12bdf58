package pay

import (
	"net/http"
	"strconv"
	"time"

	"golang.org/x/text/language"

	"naru/core/money"
)

// words is everything the pages say, in one language. A table may leave nothing out.
type words struct {
	Tag, Name, Short string // ko, 한국어, 한

	Won         string            // around a number of won
	Clock       string            // a time of day
	Moment      string            // a day and a time
	States      [states]string    // the state line, and the title
	Beside      [states]string    // in small letters below it; while time runs, the time stands there
	Next        [states][2]string // what happens next
	NextNaming  [2]string         // ... while the form asks for the name
	Titles      [states]string    // above the amount
	Faults      map[Field][faults]string
	Languages   string
	OrderNumber string

	ExactAmount string // why the amount differs from the order; around the ordered amount
	Bank        string
	Account     string
	Holder      string
	Code        string
	CodeHint    string
	From        string
	FromHint    string

	Copy, Copied, CopyOf string // the last around what is copied

	Until    string // around a time of day
	TimeLeft string

	OrderedAmount string
	Reference     string
	At            [states]string // what the last moment of an order was, once there is nothing to send

	NameTitle    string // of the form for name and bank
	NameField    string
	NameHint     string
	BankField    string
	ChooseBank   string
	AccountField string
	AccountHint  string
	Send         string

	RegisterFirst string
	RegisterOpen  string
	RegisterTitle string
	RegisterWhy   [2]string
	RegisterFor   string // whom; around the user name
	RegisterSend  string
	Back          string

	Help    string
	Reload  string
	Lost    string // the connection is gone
	Over    string // the time is over and nobody has answered yet
	Unknown [2]string
	Broken  [2]string
}

var tables = []*words{&korean, &english, &chinese}

var matcher = language.NewMatcher([]language.Tag{language.Korean, language.English, language.TraditionalChinese})

const languageCookie = "lang"

// speak chooses a reader's language: what the link says, what an earlier link said, what the browser asks for. Who asks for none of ours
// reads English, who asks for nothing Korean.
func speak(r *http.Request) *words {
	if chosen := named(r.URL.Query().Get("lang")); chosen != nil {
		return chosen
	}
	if c, err := r.Cookie(languageCookie); err == nil {
		if chosen := named(c.Value); chosen != nil {
			return chosen
		}
	}
	asked, _, err := language.ParseAcceptLanguage(r.Header.Get("Accept-Language"))
	if err != nil || len(asked) == 0 {
		return &korean
	}
	if _, i, sure := matcher.Match(asked...); sure > language.No {
		return tables[i]
	}
	return &english
}

// remember keeps the language that a link on a page chose. It is the only cookie there is.
func remember(w http.ResponseWriter, r *http.Request) {
	if chosen := named(r.URL.Query().Get("lang")); chosen != nil {
		http.SetCookie(w, &http.Cookie{
			Name: languageCookie, Value: chosen.Tag, Path: "/gateway/", MaxAge: 365 * 24 * 3600, HttpOnly: true, SameSite: http.SameSiteLaxMode,
		})
	}
}

func named(tag string) *words {
	for _, t := range tables {
		if t.Tag == tag {
			return t
		}
	}
	return nil
}

// won writes an amount as readers of the language do.
func (t *words) won(a money.Amount) string { return around(t.Won, grouped(a.Minor())) }

// For says whom a registration is for.
func (t *words) For(member string) string { return around(t.RegisterFor, member) }

// bank is the bank's name in the language.
func (t *words) bank(b Bank) string {
	switch t.Tag {
	case english.Tag:
		return b.English
	case chinese.Tag:
		return b.Chinese
	default:
		return b.Korean
	}
}

// seoul has had no other offset since 1988; the banks print no other time.
var seoul = time.FixedZone("KST", 9*3600)

func (t *words) clock(at time.Time) string  { return at.In(seoul).Format(t.Clock) }
func (t *words) moment(at time.Time) string { return at.In(seoul).Format(t.Moment) }

// grouped writes a number in groups of three.
func grouped(n int64) string {
	if n < 1000 {
		return strconv.FormatInt(n, 10)
	}
	rest := strconv.FormatInt(n%1000+1000, 10)[1:]
	return grouped(n/1000) + "," + rest
}
