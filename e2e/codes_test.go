package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"naru/core/card"
)

// codes is what Google hears when the host answers a hold with a code: Korea Cards v1 §7.2, and rails §1.14 for what stands there alone.
// A result without Korea evidence (§7.1) is said as ISSUER_DECLINED where the account's profile does not list it, as here.
var codes = []struct {
	codes  string
	status int
	word   string
}{
	{"00 08 11", 200, "SUCCESS"},
	{"01 02 10", 200, "ISSUER_DECLINED"},
	{"03", 400, "PRECONDITION_VIOLATION"},
	{"04 07", 200, "CARD_LOST_OR_STOLEN"},
	{"05", 200, "DO_NOT_HONOR"},
	{"06 20 30", 500, ""},
	{"09 19 22 28", 503, ""},
	{"12", 200, "TRANSACTION_INVALID"},
	{"13", 200, "TRANSACTION_EXCEEDS_AMOUNT_LIMIT"},
	{"14 21 25 52 53", 200, "CARD_NUMBER_INVALID"},
	{"15", 200, "TRANSACTION_COULD_NOT_BE_ROUTED"},
	{"16 51", 200, "INSUFFICIENT_FUNDS"},
	{"41 43", 200, "CARD_LOST_OR_STOLEN"},
	{"54", 200, "CARD_EXPIRED"},
	{"57 58", 200, "TRANSACTION_NOT_ALLOWED"},
	{"59", 200, "SUSPECTED_FRAUD"},
	// beyond 59
	{"55", 200, "PIN_MISMATCH"},
	{"75 61 N4 63 82 N7 65 78 80 Q1 R0 R1 R3 XA XD", 200, "ISSUER_DECLINED"},
	{"62 93 N3", 200, "TRANSACTION_NOT_ALLOWED"},
	{"P2", 400, "PRECONDITION_VIOLATION"},
	{"68 85 91 96 N0 Z3", 503, ""},
	{"92", 200, "TRANSACTION_COULD_NOT_BE_ROUTED"},
	{"94 95", 500, ""},
	// rails §1.14 alone
	{"17 18 23 32 36 38 46 60 64 66 70 71 72 74 79 81 84 86 87 88 89 1A 6P", 200, "ISSUER_DECLINED"},
	{"24 26 27 29 76 77 97 98 99", 500, ""},
	{"31", 200, "TRANSACTION_COULD_NOT_BE_ROUTED"},
	{"33", 200, "CARD_EXPIRED"},
	{"34 83", 200, "SUSPECTED_FRAUD"},
	{"35 37 67", 200, "CARD_LOST_OR_STOLEN"},
	{"39 42 44 56", 200, "CARD_NUMBER_INVALID"},
	{"40 5C 9G", 200, "TRANSACTION_NOT_ALLOWED"},
	{"90", 503, ""},
	{"45 47 48 49 50 69 73 ZZ", 200, "ISSUER_DECLINED"}, // no table knows them
}

// numbered is the test card that the host answers with a code of two digits (rails §1.19).
func numbered(code string) string {
	for digit := '0'; ; digit++ {
		if pan := "9999990000000" + code + string(digit); card.Luhn(pan) {
			return pan
		}
	}
}

// TestResponseCodes asks once for each code. What is no 200 is not stored: the repeat reaches the host as a new attempt, whatever it was
// that was held behind the code.
func TestResponseCodes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	final, digits := 0, map[string]bool{}
	for _, row := range codes {
		for _, code := range strings.Fields(row.codes) {
			amount := int64(30_000 + final + 100*len(digits))
			e := edits{"amount": won(amount)}
			if strings.Trim(code, "0123456789") == "" {
				e[pan] = numbered(code)
			} else {
				w.rule(fmt.Sprintf(`{"action": "decline", "code": %q, "match": {"amount": %d}}`, code, amount))
			}
			got := w.ask(reserve, "code-"+code, e)
			if !got.is(row.status, row.word) {
				t.Errorf("%s: got %d %s, want %d %s", code, got.status, got.body, row.status, row.word)
			}
			if row.status == 200 && !strings.Contains(got.body, `"rawCode":"`+code+`"`) {
				t.Errorf("%s: the network's own code is not in %s", code, got.body)
			}
			digits[code] = true
			if row.status == 200 {
				final++
				continue
			}
			w.until(code+" holds nothing", func() bool {
				w.clock.Advance(time.Second) // where the host knows of nothing, it is told again a minute later (rails §1.11 T11)
				return w.state("code-"+code) == "NOT_HELD"
			})
			w.ask(reserve, "code-"+code, e)
			if n := w.seen("0100", amount); n != 2 {
				t.Errorf("%s: the host saw %d attempts for two requests", code, n)
			}
		}
	}
	for n := range 100 {
		if code := fmt.Sprintf("%02d", n); !digits[code] {
			t.Errorf("%s is in no row", code)
		}
	}
	w.drain()
	if got, want := w.contents()["idempotency"], fmt.Sprintf("%d rows", final); !strings.HasPrefix(got, want) {
		t.Errorf("%s of stored answers, want %s", got, want)
	}
}

// TestMerchantThatTheHostDoesNotKnow: ISO 3 names what is wrong and is not final (Korea §10); 58 is a decline.
func TestMerchantThatTheHostDoesNotKnow(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	got := w.want(reserve, "closed", edits{account: closed, "amount": won(31_001)}, 400, "PRECONDITION_VIOLATION")
	if !strings.Contains(got.body, `"errorDescription":"the acquirer does not know the merchant"`) {
		t.Errorf("got %s", got.body)
	}
	w.want(reserve, "closed", edits{account: closed, "amount": won(31_002)}, 400, "PRECONDITION_VIOLATION")
}
