package sim

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"
)

// issuer is one row of the host's BIN table; the longest prefix wins.
type issuer struct {
	prefix, brand, name, country, kind string // kind: C credit, D debit, P prepaid
	eight                              bool   // approval numbers of eight digits, which DE38 cannot hold (DE48 AN)
}

var issuers = []issuer{
	{prefix: "999999", brand: "BC", name: "EXAMPLE CARD CO", country: "KR", kind: "C"},
	{prefix: "42424242", brand: "BC,VISA", name: "EXAMPLE CARD CO", country: "KR", kind: "C", eight: true},
	{prefix: "41111111", brand: "VISA", name: "SAMPLE BANK KOREA", country: "KR", kind: "D", eight: true},
	{prefix: "4", brand: "VISA", name: "TEST ISSUER", country: "US", kind: "C"},
	{prefix: "4000056655665", brand: "VISA", name: "TEST ISSUER", country: "US", kind: "D"},
	{prefix: "51", brand: "MASTERCARD", name: "TEST ISSUER", country: "US", kind: "P"},
	{prefix: "52", brand: "MASTERCARD", name: "TEST ISSUER", country: "GB", kind: "C"},
	{prefix: "55", brand: "MASTERCARD", name: "TEST ISSUER", country: "US", kind: "C"},
	{prefix: "34", brand: "AMEX", name: "TEST ISSUER", country: "US", kind: "C"},
	{prefix: "37", brand: "AMEX", name: "TEST ISSUER", country: "US", kind: "C"},
	{prefix: "35", brand: "JCB", name: "TEST ISSUER", country: "JP", kind: "C"},
	{prefix: "60", brand: "DISCOVER", name: "TEST ISSUER", country: "US", kind: "C"},
	{prefix: "62", brand: "UNIONPAY", name: "TEST ISSUER", country: "CN", kind: "C"},
	{prefix: "30", brand: "DINERS", name: "TEST ISSUER", country: "US", kind: "C"},
	{prefix: "38", brand: "DINERS", name: "TEST ISSUER", country: "US", kind: "C"},
}

// publicPANs are the test numbers that the world's documentation prints; each is an ordinary card here.
var publicPANs = []string{
	"4242424242424242", "4111111111111111", "4012888888881881", "4000056655665556", "5555555555554444", "5105105105105100",
	"5204240250197840", "378282246310005", "371449635398431", "3530111333300000", "3566002020360505", "6011111111111117",
	"6011000990139424", "6200000000000005", "30569309025904", "38520000023237",
}

// ordinaryRange holds ten million ordinary cards, so that a load does not run over one account.
const ordinaryRange = "99999911"

// unlimited is the balance, and the limit, of a card that has none.
const unlimited = math.MaxInt64

// account is one card as its issuer knows it. An empty expiry, CVV2, PIN or birth date accepts what is sent.
type account struct {
	pan                    string
	status                 string
	expiry                 string // YYMM
	cvv2, pin, birth       string
	business               string
	balance, limit, perDay int64 // in minor units, of any one currency; approvals a day
	life                   time.Duration
	fault                  Rule   // what the host does to this card's requests, whatever the scenarios
	credit                 Rule   // and to its refunds
	creditOnce             bool   // to the first refund of each original only
	house, postal          string // address on file; without one any address is the right one
	speakingCVV2           bool   // the last digit of the CVV2 says which letter it gets
	noReason               bool   // a verification is answered 85, no reason to decline
	issuer                 issuer
}

// statusCodes says what a card that is not in order is told; "active" is not in it.
var statusCodes = map[string]string{"lost": "41", "stolen": "43", "closed": "46", "blocked": "62", "not activated": "78"}

// refusesCredit is the code of a card that cannot take money back any more: lost, stolen, closed. A blocked one can.
func (a *account) refusesCredit() string {
	if code := statusCodes[a.status]; slices.Contains([]string{"41", "43", "46"}, code) {
		return code
	}
	return ""
}

// numbered is the card whose middle digits say what it does: 9999990000000 and, below a thousand, its number, then the check digit.
func numbered(n int) string {
	return checked(fmt.Sprintf("999999000000%03d", n))
}

// checked is the digits with the check digit behind them.
func checked(digits string) string {
	for digit := '0'; ; digit++ {
		if luhn(digits + string(digit)) {
			return digits + string(digit)
		}
	}
}

// holdLife is how long the host keeps a hold where the card does not say otherwise.
const holdLife = 7 * 24 * time.Hour

// mayHide are the codes behind which a hold may stand although they are no approval (rails §1.10, §1.14): the host keeps it.
// honours are those that approve. All others decline.
var mayHide, honours = "09 16 20 22 68 85 94", "00 08 11"

// special are the numbered cards from 900 on; their table stands in doc.go.
var special = map[int]func(*account){
	901: func(a *account) { a.fault = Rule{Action: "silent"} },
	902: func(a *account) { a.fault = Rule{Action: "late", DelayMs: 6000} },
	903: func(a *account) { a.fault = Rule{Action: "close-before-answer"} },
	904: func(a *account) { a.fault = Rule{Action: "partial"} },
	905: func(a *account) { a.fault = Rule{Action: "busy-once"} },
	906: func(a *account) { a.fault = Rule{Action: "wrong-amount"} },
	907: func(a *account) { a.fault = Rule{Action: "decline", Code: "05", Tags: map[string]string{"KB": "N"}} },
	908: func(a *account) { a.pin, a.birth = "47", "910417" },
	909: func(a *account) { a.pin, a.business = "93", "1234567891" },
	910: func(a *account) { a.cvv2 = "737" },
	911: func(a *account) { a.balance = 100_000 },
	912: func(a *account) { a.life = 10 * time.Minute },
	913: func(a *account) { a.fault = Rule{Action: "overtaken"} },
	914: func(a *account) { a.fault = Rule{Action: "revoke"} },
	915: func(a *account) { a.fault = Rule{Action: "answer-then-close"} },
	916: func(a *account) { a.fault = Rule{Action: "close-mid-answer"} },
	917: func(a *account) { a.fault = Rule{Action: "wrong-stan"} },
	918: func(a *account) { a.fault = Rule{Action: "truncated"} },
	919: func(a *account) { a.fault = Rule{Action: "garbage"} },
	920: func(a *account) { a.fault = Rule{Action: "duplicate"} },
	921: func(a *account) { a.fault = Rule{Action: "signoff"} },
	922: func(a *account) { a.fault = Rule{Action: "slow"} },
	923: func(a *account) { a.fault = Rule{Action: "silent-dropped"} },
	924: func(a *account) { a.limit = 50_000 },
	925: func(a *account) { a.perDay = 2 },
	926: func(a *account) { a.expiry = "2912" },
	930: func(a *account) { a.credit = Rule{Action: "decline", Code: "57"} },
	931: func(a *account) { a.credit = Rule{Action: "decline", Code: "41"} },
	932: func(a *account) { a.credit = Rule{Action: "decline", Code: "46"} },
	933: func(a *account) { a.credit = Rule{Action: "decline", Code: "05"} },
	934: func(a *account) { a.credit, a.creditOnce = Rule{Action: "silent"}, true },
	935: func(a *account) { a.credit = Rule{Action: "decline", Code: "13"} },
	936: func(a *account) { a.credit, a.creditOnce = Rule{Action: "decline", Code: "91"}, true },
	940: func(a *account) { a.noReason = true },
	941: func(a *account) { a.house, a.postal = "8", "123456789" },
	942: func(a *account) { a.speakingCVV2 = true },
	943: func(a *account) { a.fault = Rule{Action: "decline", Code: "1A", Match: Match{Lacks: "authentication"}} },
	944: func(a *account) { a.fault = Rule{Action: "decline", Code: "65", Match: Match{Lacks: "authentication"}} },
	945: func(a *account) {
		a.fault = Rule{Action: "decline", Code: "05", Tags: map[string]string{"MC": "04"}, Match: Match{Lacks: "cryptogram"}}
	},
	946: func(a *account) { a.fault = Rule{Action: "decline", Code: "05", Match: Match{Lacks: "network-id"}} },
	947: func(a *account) { a.fault = Rule{Action: "decline", Code: "05", Tags: map[string]string{"MC": "03"}} },
	948: func(a *account) { a.fault = Rule{Action: "decline", Code: "51", Tags: map[string]string{"MC": "24"}} },
}

// natural are the numbered cards whose code follows from the account; the other codes are simply pronounced.
var natural = map[int]func(*account){
	0:  func(*account) {},
	41: func(a *account) { a.status = "lost" },
	43: func(a *account) { a.status = "stolen" },
	46: func(a *account) { a.status = "closed" },
	51: func(a *account) { a.balance = 0 },
	54: func(a *account) { a.expiry = "2001" },
	55: func(a *account) { a.fault = Rule{Action: "decline", Code: "55", Tags: map[string]string{"KP": "N"}} },
	61: func(a *account) { a.limit = 0 },
	62: func(a *account) { a.status = "blocked" },
	65: func(a *account) { a.perDay = 0 },
	78: func(a *account) { a.status = "not activated" },
	82: func(a *account) { a.fault = Rule{Action: "decline", Code: "82", Tags: map[string]string{"CR": "N"}} },
}

func ordinary(pan string) *account {
	a := &account{pan: pan, status: "active", balance: unlimited, limit: unlimited, perDay: unlimited, life: holdLife}
	for _, i := range issuers {
		if strings.HasPrefix(pan, i.prefix) && len(i.prefix) > len(a.issuer.prefix) {
			a.issuer = i
		}
	}
	a.noReason = a.issuer.eight
	return a
}

// cardBase is every account that the host knows beside ordinaryRange.
func cardBase() map[string]*account {
	base := map[string]*account{}
	for _, pan := range publicPANs {
		base[pan] = ordinary(pan)
	}
	for n := range 100 {
		if n == 14 {
			continue // 14 means that the number is in nobody's base
		}
		a, code := ordinary(numbered(n)), fmt.Sprintf("%02d", n)
		switch set := natural[n]; {
		case set != nil:
			set(a)
		case strings.Contains(mayHide+" "+honours, code):
			a.fault = Rule{Action: "approve-as", Code: code}
		case code == "10":
			a.fault = Rule{Action: "partial"}
		default:
			a.fault = Rule{Action: "decline", Code: code}
		}
		base[a.pan] = a
	}
	for n, set := range special {
		a := ordinary(numbered(n))
		set(a)
		base[a.pan] = a
	}
	return base
}

// cvv2Letter is the result of a CVV2 that is not refused (rails §1.15); "" is none.
func (a *account) cvv2Letter(sent string) string {
	if !a.speakingCVV2 || sent == "" {
		return "M"
	}
	return map[byte]string{'1': "M", '2': "N", '3': "P", '4': "S", '5': "U", '6': " "}[sent[len(sent)-1]]
}

// letterWanted is a postal code that says itself which letter it gets; with none behind AVS it gets none.
var letterWanted = regexp.MustCompile(`^AVS[ -]?([A-Z]?)$`)

// avsLetters are what line and postal code were compared to: = the same, x not, - not sent.
var avsLetters = map[string]string{"==": "Y", "=x": "A", "=-": "B", "x=": "Z", "-=": "P", "xx": "N", "x-": "N", "-x": "N"}

// avs is the letter of an address (rails §1.15). Of the line the number in front counts, of the postal code all but blanks and hyphens; a
// code of five digits or more is compared as far as it goes.
func (a *account) avs(line, postal, country string) string {
	postal = strings.ToUpper(postal)
	if wanted := letterWanted.FindStringSubmatch(postal); wanted != nil {
		return wanted[1]
	}
	if a.house == "" {
		return "Y"
	}
	compared := func(sent string, same bool) string {
		switch {
		case sent == "":
			return "-"
		case same:
			return "="
		}
		return "x"
	}
	number, _, _ := strings.Cut(line, " ")
	postal = strings.NewReplacer(" ", "", "-", "").Replace(postal)
	letter := avsLetters[compared(line, number == a.house)+compared(postal, len(postal) >= 5 && strings.HasPrefix(a.postal, postal))]
	switch abroad := country != "" && country != "US"; {
	case letter == "Y" && country == "GB":
		return "F"
	case letter == "Y" && abroad:
		return "D"
	case letter == "Y" && postal == a.postal:
		return "X"
	case letter == "Z" && !abroad && postal == a.postal:
		return "W"
	}
	return letter
}

// luhn tells whether the last digit checks the others.
func luhn(pan string) bool {
	sum := 0
	for i, c := range pan {
		d := int(c - '0')
		if (len(pan)-i)%2 == 0 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}
