package sim

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestCards(t *testing.T) {
	b := start(t)
	p := b.join()
	listed := []string{ // rails §1.19
		"00 9999990000000006", "05 9999990000000055", "14 9999990000000147", "41 9999990000000410", "43 9999990000000436",
		"51 9999990000000519", "54 9999990000000543", "57 9999990000000576", "59 9999990000000592", "61 9999990000000618",
		"62 9999990000000626", "65 9999990000000659", "78 9999990000000782", "82 9999990000000824", "91 9999990000000915",
		"96 9999990000000964", "10 9999990000009049",
		"00 4242424242424242", "00 4111111111111111", "00 5555555555554444", "00 378282246310005", "00 5204240250197840",
		"00 9999991100000003", "14 9999990000000007", "14 4999999999999996", "15 7000000000000005", "46 " + numbered(46),
		"08 " + numbered(8), "11 " + numbered(11), "03 " + numbered(3), "05 9999990000009072", "55 9999990000000550",
	}
	for _, code := range strings.Fields(mayHide) {
		var n int
		if _, err := fmt.Sscan(strings.TrimPrefix(code, "0"), &n); err != nil {
			t.Fatal(err)
		}
		listed = append(listed, code+" "+numbered(n))
	}
	for _, line := range listed {
		code, pan, _ := strings.Cut(line, " ")
		m := auth(pan)
		got := p.ask(m)
		wantCode(t, got, "0110", code)
		approved, hidden := strings.Contains(honours, code), strings.Contains(mayHide+" 10", code)
		if held := b.held(m[37]) == open; held != (approved || hidden) {
			t.Errorf("%s: held is %t", code, held)
		}
		if told := got[38] != ""; told != (approved || code == "16" || code == "85" || code == "10") {
			t.Errorf("%s: the approval code is %q", code, got[38])
		}
		if found := p.tags(got); code != "14" && code != "15" && found["IC"] == "" {
			t.Errorf("%s: the issuer's country is missing", code)
		} else if approved && (len(found["NT"]) != 15 || found["RX"] != "20261129031500" || found["BR"] == "" || found["CT"] == "") {
			t.Errorf("%s: tags %v", masked(pan), found)
		}
	}
}

func TestChecks(t *testing.T) {
	b := start(t)
	p := b.join()
	ok := auth(numbered(0))
	for name, c := range map[string]struct {
		change elements
		code   string
		tag    string
	}{
		"no merchant":                {elements{42: ""}, "30", ""},
		"no expiry":                  {elements{14: ""}, "30", ""},
		"letters in the amount":      {elements{4: "00000001000X"}, "30", ""},
		"letters in the RRN":         {elements{37: "63261200012a"}, "30", ""},
		"an impossible day":          {elements{7: "1332031500"}, "30", ""},
		"a broken tag":               {elements{48: "IN05"}, "30", ""},
		"a tag twice":                {elements{48: "IN0200IN0200"}, "30", ""},
		"Hangul":                     {elements{43: "상점" + ok[43][:34]}, "30", ""},
		"merchant closed":            {elements{42: "CLOSEDMERCHANT0"}, "03", ""},
		"terminal closed":            {elements{41: "CLOSED01"}, "58", ""},
		"merchant before number":     {elements{42: "CLOSEDMERCHANT0", 2: numbered(14)}, "03", ""},
		"currency":                   {elements{49: "999"}, "12", ""},
		"currency before number":     {elements{49: "999", 2: numbered(14)}, "12", ""},
		"month 13":                   {elements{14: "2813"}, "80", ""},
		"last month":                 {elements{14: "2610"}, "54", ""},
		"this month":                 {elements{14: "2611"}, "00", ""},
		"another month":              {elements{2: numbered(926), 14: "2911"}, "80", ""},
		"the right month":            {elements{2: numbered(926), 14: "2912"}, "00", ""},
		"expiry before status":       {elements{2: numbered(41), 14: "2610"}, "54", ""},
		"holder":                     {elements{2: numbered(908), 48: "BD06910417PW0247"}, "00", "KB M"},
		"another birth date":         {elements{2: numbered(908), 48: "BD06910418PW0247"}, "05", "KB N"},
		"no birth date":              {elements{2: numbered(908), 48: "PW0247"}, "05", "KB N"},
		"another PIN":                {elements{2: numbered(908), 48: "BD06910417PW0248"}, "55", "KP N"},
		"birth date before PIN":      {elements{2: numbered(908), 48: "BD06910418PW0248"}, "05", "KB N"},
		"company":                    {elements{2: numbered(909), 48: "BN101234567891PW0293"}, "00", "KP M"},
		"another company":            {elements{2: numbered(909), 48: "BN101234567892PW0293"}, "05", "KB N"},
		"CVV2":                       {elements{2: numbered(910), 48: "CV03737"}, "00", "CR M"},
		"another CVV2":               {elements{2: numbered(910), 48: "CV03738"}, "82", "CR N"},
		"address":                    {elements{48: "AP0512345"}, "00", "AR Y"},
		"above the limit":            {elements{2: numbered(924), 4: "000000050001"}, "61", ""},
		"at the limit":               {elements{2: numbered(924), 4: "000000050000"}, "00", ""},
		"nothing":                    {elements{4: "000000000000"}, "13", ""},
		"nothing, to verify":         {elements{4: "000000000000", 25: "51"}, "00", ""},
		"decline tells the issuer":   {elements{2: numbered(41)}, "41", "IC KR"},
		"eight digits":               {elements{2: "4242424242424242"}, "00", "BR BC,VISA"},
		"unknown tags are nobody's":  {elements{48: "QQ03ABC"}, "00", ""},
		"cash is not in the product": {elements{0: "0200", 3: "010000"}, "12", ""},
	} {
		t.Run(name, func(t *testing.T) {
			m := with(with(auth(numbered(0)), elements{11: stan()}), c.change)
			got := p.ask(m)
			wantCode(t, got, m.answerMTI(), c.code)
			if tag, value, _ := strings.Cut(c.tag, " "); p.tags(got)[tag] != value {
				t.Errorf("tags %v", p.tags(got))
			}
		})
	}
	got := p.ask(auth("4242424242424242"))
	if found := p.tags(got); len(found["AN"]) != 8 || found["AN"][2:] != got[38] {
		t.Errorf("approval number %q, code %q", found["AN"], got[38])
	}
}

func TestUnreadable(t *testing.T) {
	b := start(t)
	p := b.join()
	m := auth(numbered(0))
	p.write(p.frame(append(p.pack(m), 'X'))) // bytes behind the last element
	wantCode(t, p.hear(), "0110", "30")
	body := p.pack(m)
	p.write(p.frame(body[:len(body)-5]))
	wantCode(t, p.hear(), "0110", "30")
	p.write(p.frame([]byte("there is nothing to read in here")))
	p.silence()
	wantCode(t, p.ask(with(m, elements{0: "0120"})), "0130", "12")
	wantCode(t, p.ask(with(m, elements{0: "1100"})), "1110", "12")
	wantCode(t, p.ask(m), "0110", "00")
}

func TestBalanceAndCount(t *testing.T) {
	b := start(t)
	p := b.join()
	spend := func(amount string) (elements, elements) {
		m := with(auth(numbered(911)), elements{4: amount})
		return m, p.ask(m)
	}
	first, answer := spend("000000060000")
	wantCode(t, answer, "0110", "00")
	_, second := spend("000000060000")
	wantCode(t, second, "0110", "51")
	wantCode(t, p.ask(with(capture(first, answer), elements{4: "000000030000"})), "0230", "00") // the rest is free again
	_, second = spend("000000070001")
	wantCode(t, second, "0110", "51")
	_, second = spend("000000070000")
	wantCode(t, second, "0110", "00")
	b.clock.advance(holdLife) // and so is a hold that ran out
	_, second = spend("000000070000")
	wantCode(t, second, "0110", "00")

	for _, code := range []string{"00", "00", "65"} {
		wantCode(t, p.ask(auth(numbered(925))), "0110", code)
	}
	b.clock.advance(24 * time.Hour)
	wantCode(t, p.ask(auth(numbered(925))), "0110", "00")
}

// TestStates is the grid: what every message does to a hold in every state.
func TestStates(t *testing.T) {
	b := start(t)
	p := b.join()
	reach := map[state]func(m, answer elements){
		open:     func(m, answer elements) {},
		captured: func(m, answer elements) { wantCode(t, p.ask(capture(m, answer)), "0230", "00") },
		released: func(m, answer elements) { wantCode(t, p.ask(reversal(m)), "0430", "00") },
		expired:  func(m, _ elements) { b.control("POST", "/actions/expire-hold", `{"rrn":"`+m[37]+`"}`, nil) },
		revoked:  func(m, _ elements) { b.control("POST", "/actions/revoke", `{"rrn":"`+m[37]+`"}`, nil) },
	}
	for from, capturing := range map[state]string{open: "00", captured: "94", released: "25", expired: "25", revoked: "R1"} {
		reversing := map[state]string{open: "00", captured: "12", released: "25", expired: "25", revoked: "25"}[from]
		for _, try := range []struct {
			name, mti, code string
			message         func(m, answer elements) elements
			then            state
		}{
			{"capture", "0230", capturing, capture, captured},
			{"reverse", "0430", reversing, func(m, _ elements) elements { return reversal(m) }, released},
		} {
			m := auth(numbered(0))
			answer := p.ask(m)
			reach[from](m, answer)
			if got := b.held(m[37]); got != from {
				t.Fatalf("the hold is %s, wanted %s", got, from)
			}
			wantCode(t, p.ask(try.message(m, answer)), try.mti, try.code)
			want := from
			if try.code == "00" {
				want = try.then
			}
			if got := b.held(m[37]); got != want {
				t.Errorf("%s: %s, then %s, want %s", try.name, from, got, want)
			}
		}
	}
}

func TestCapture(t *testing.T) {
	b := start(t)
	p := b.join()
	m := auth("4242424242424242")
	answer := p.ask(m)
	good := capture(m, answer)
	for name, c := range map[string]struct {
		change elements
		code   string
	}{
		"more than is held":       {elements{4: "000000010001"}, "13"},
		"nothing":                 {elements{4: "000000000000"}, "13"},
		"another approval code":   {elements{38: "ZZZZZZ"}, "77"},
		"another approval number": {elements{48: "AN0800000000"}, "77"},
		"another currency":        {elements{49: "840"}, "77"},
		"another card":            {elements{2: numbered(0)}, "77"},
		"no approval code":        {elements{38: ""}, "30"},
		"no original":             {elements{90: ""}, "30"},
		"a secret sent again":     {elements{48: "CV03737"}, "30"},
		"nobody's":                {elements{37: "000000000000", 90: strings.Repeat("0", 42)}, "25"},
	} {
		t.Run(name, func(t *testing.T) {
			wantCode(t, p.ask(with(with(good, elements{11: stan()}), c.change)), "0230", c.code)
		})
	}
	s := sale(numbered(0))
	wantCode(t, p.ask(capture(s, p.ask(s))), "0230", "25") // there is no hold behind a sale
	half := with(good, elements{4: "000000004000", 48: "AN08" + p.tags(answer)["AN"]})
	got := p.ask(half)
	wantCode(t, got, "0230", "00")
	if found := b.holds(m[37])[0]; found.State != captured || found.Captured != 4000 || got[15] != "1122" {
		t.Errorf("%+v, settled on %s", found, got[15])
	}
	for range 2 {
		repeated := p.ask(with(half, elements{0: "0221"}))
		if fmt.Sprint(repeated) != fmt.Sprint(got) {
			t.Errorf("the repeat is answered %v, the first was %v", repeated, got)
		}
	}
	wantCode(t, p.ask(with(half, elements{11: stan()})), "0230", "94") // booked once, whatever the key
	var booked []booking
	want := booking{"capture", "424242******4242", m[37], 4000, "410", "20261122", false, 0}
	if b.control("GET", "/bookings?rrn="+m[37], "", &booked); len(booked) != 1 || booked[0] != want {
		t.Errorf("bookings %+v", booked)
	}
}

func TestReversal(t *testing.T) {
	b := start(t)
	p := b.join()

	m := auth(numbered(0))
	p.ask(m)
	wantCode(t, p.ask(with(reversal(m), elements{60: "X"})), "0430", "30")
	wantCode(t, p.ask(with(reversal(m), elements{4: "000000009999"})), "0430", "77")
	wantCode(t, p.ask(with(reversal(m), elements{90: strings.Repeat("0", 42)})), "0430", "00") // by card, RRN, terminal and amount
	if got := b.held(m[37]); got != released {
		t.Errorf("the hold is %s", got)
	}

	m = auth(numbered(0)) // in part: the hold goes on over 3000
	answer := p.ask(m)
	partly := with(reversal(m), elements{60: "4004", 95: fmt.Sprintf("%012d%030d", 3000, 0)})
	wantCode(t, p.ask(partly), "0430", "00")
	wantCode(t, p.ask(with(partly, elements{0: "0421"})), "0430", "00")
	wantCode(t, p.ask(with(partly, elements{11: stan()})), "0430", "25")
	wantCode(t, p.ask(with(partly, elements{11: stan(), 95: fmt.Sprintf("%012d%030d", 3001, 0)})), "0430", "13")
	wantCode(t, p.ask(with(capture(m, answer), elements{4: "000000003001"})), "0230", "13")
	wantCode(t, p.ask(with(capture(m, answer), elements{4: "000000003000"})), "0230", "00")

	m = auth(numbered(0)) // the reversal comes first: the original is refused
	wantCode(t, p.ask(reversal(m)), "0430", "25")
	wantCode(t, p.ask(reversal(m)), "0430", "25")
	wantCode(t, p.ask(m), "0110", "12")
	if got := b.held(m[37]); got != "" {
		t.Errorf("a reversed original is %s", got)
	}

	m = auth(numbered(0)) // of a capture, a sale and a refund: the booking is undone, once
	c := capture(m, p.ask(m))
	p.ask(c)
	s := sale(numbered(0))
	p.ask(s)
	s2 := sale(numbered(0))
	p.ask(s2)
	r := refund(s2, 10000)
	wantCode(t, p.ask(r), "0210", "00")
	wantCode(t, p.ask(reversal(s2)), "0430", "12") // refunded already
	for _, undone := range []elements{c, s, r, s2} {
		wantCode(t, p.ask(reversal(undone)), "0430", "00")
		wantCode(t, p.ask(reversal(undone)), "0430", "25")
	}
	if got := b.host.book.totals("1122", "410", 0); got[75] != "0000000001" || got[77] != "0000000003" || got[97] != "D0000000000003000" {
		t.Errorf("totals %v", got)
	}
}

func TestDuplicates(t *testing.T) {
	b := start(t)
	p, other := b.join(), b.join()
	m := auth(numbered(0))
	first := p.ask(m)
	if again := other.ask(m); fmt.Sprint(again) != fmt.Sprint(first) { // on another connection too
		t.Errorf("%v, then %v", first, again)
	}
	if again := p.ask(with(m, elements{0: "0101"})); fmt.Sprint(again) != fmt.Sprint(first) {
		t.Errorf("%v, then %v", first, again)
	}
	for _, change := range []elements{{2: numbered(1)}, {3: "003000"}, {4: "000000010001"}, {49: "840"}} {
		wantCode(t, p.ask(with(m, change)), "0110", "94")
	}
	wantCode(t, p.ask(with(m, elements{7: "1122031501"})), "0110", "00") // dup_rrn = accept: another second, another request
	if n := len(b.holds(m[37])); n != 2 {
		t.Errorf("%d holds", n)
	}
	found := b.records(m[37])
	if !found[3].Repeated || !found[5].Repeated || found[1].Repeated {
		t.Errorf("records %+v", found)
	}

	c := capture(m, first) // after the retention the state still knows
	wantCode(t, p.ask(c), "0230", "00")
	b.clock.advance(retention + time.Second)
	p.ask(auth(numbered(0)))
	wantCode(t, p.ask(with(c, elements{0: "0221"})), "0230", "94")
}

func TestHoldExpires(t *testing.T) {
	b := start(t)
	p := b.join()
	m := auth(numbered(912))
	answer := p.ask(m)
	if got := p.tags(answer)["RX"]; got != "20261122032500" {
		t.Errorf("RX is %s", got)
	}
	b.clock.advance(10*time.Minute - time.Second)
	if got := b.held(m[37]); got != open {
		t.Errorf("a second before, the hold is %s", got)
	}
	b.clock.advance(time.Second)
	wantCode(t, p.ask(capture(m, answer)), "0230", "25")
	wantCode(t, p.ask(reversal(m)), "0430", "25")
	if got := b.held(m[37]); got != expired {
		t.Errorf("the hold is %s", got)
	}
}

func TestRefunds(t *testing.T) {
	b := start(t)
	p := b.join()
	m := auth(numbered(0))
	answer := p.ask(m)
	wantCode(t, p.ask(refund(m, 1)), "0210", "25") // nothing is booked yet
	p.ask(capture(m, answer))
	wantCode(t, p.ask(refund(m, 10001)), "0210", "13")
	first := refund(m, 6000)
	for range 2 {
		wantCode(t, p.ask(first), "0210", "00")
	}
	wantCode(t, p.ask(refund(m, 4001)), "0210", "13")
	wantCode(t, p.ask(reversal(first)), "0430", "00")
	wantCode(t, p.ask(refund(m, 10000)), "0210", "00")
	wantCode(t, p.ask(refund(m, 1)), "0210", "13")
	wantCode(t, p.ask(with(refund(m, 1), elements{49: "840"})), "0210", "77")
	wantCode(t, p.ask(with(refund(m, 1), elements{2: numbered(1)})), "0210", "25")
	wantCode(t, p.ask(with(refund(m, 1), elements{48: "OR12000000000000"})), "0210", "25")
	if got := b.holds(m[37])[0]; got.Refunded != 10000 || got.Captured != 10000 {
		t.Errorf("%+v", got)
	}
}

// TestRefundsName is how a refund may name its original, and how not.
func TestRefundsName(t *testing.T) {
	b := start(t)
	p := b.join()
	m := auth(numbered(0))
	c := capture(m, p.ask(m))
	p.ask(c)
	other := sale(numbered(0))
	p.ask(other)
	or := "OR12" + m[37]
	for name, try := range map[string]struct {
		change elements
		code   string
	}{
		"by reference":                {elements{48: or}, "00"},
		"with its date":               {elements{48: or + "OD0820261122"}, "00"},
		"in another zone":             {elements{48: or + "OD0820261121"}, "00"},
		"with another date":           {elements{48: or + "OD0820261120"}, "77"},
		"with no date":                {elements{48: or + "OD08YESTERDA"}, "30"},
		"by its completion":           {elements{48: "", 90: de90(c)}, "00"},
		"by its request":              {elements{48: "", 90: de90(m)}, "00"},
		"by both":                     {elements{48: or, 90: de90(c)}, "00"},
		"by the repeat":               {elements{48: or, 90: "0221" + de90(c)[4:]}, "00"},
		"from another terminal":       {elements{48: or, 90: de90(c), 41: "PI000002"}, "00"},
		"by both, that differ":        {elements{48: or, 90: de90(other)}, "77"},
		"by a name that nobody has":   {elements{48: or, 90: de90(auth(numbered(0)))}, "77"},
		"by nothing":                  {elements{48: "MR02R1"}, "30"},
		"by what is not there":        {elements{48: "", 90: de90(auth(numbered(0)))}, "25"},
		"in a currency nobody has":    {elements{48: or, 49: "999"}, "12"},
		"of another merchant's taste": {elements{48: or, 42: "CLOSEDMERCHANT0"}, "03"},
	} {
		t.Run(name, func(t *testing.T) {
			got := p.ask(with(refund(m, 10), try.change))
			wantCode(t, got, "0210", try.code)
			if (got[15] == "1122") != (try.code == "00") {
				t.Errorf("settled on %q", got[15])
			}
		})
	}
}

// TestCardsThatRefuseRefunds pays with each card, and asks for the money back.
func TestCardsThatRefuseRefunds(t *testing.T) {
	b := start(t)
	p := b.join()
	for n, codes := range map[int][]string{
		0: {"00"}, 930: {"57"}, 931: {"41"}, 932: {"46"}, 933: {"05"}, 934: {"", "00"}, 935: {"13"}, 936: {"91", "00"},
	} {
		m, _ := p.booked(auth(numbered(n)))
		again, _ := p.booked(auth(numbered(n)))
		for _, of := range []elements{m, again} { // once means once for each original
			for _, code := range codes {
				r := with(refund(of, 100), elements{48: "OR12" + of[37] + "MR02R1"})
				if code == "" {
					p.say(r)
					p.silence()
					if h := b.holds(of[37])[0]; h.Refunded != 100 {
						t.Errorf("%d: silent, and %d booked", n, h.Refunded)
					}
					wantCode(t, p.ask(reversal(r)), "0430", "00")
					continue
				}
				got := p.ask(r)
				wantCode(t, got, "0210", code)
				if h := b.holds(of[37])[0]; (h.Refunded == 100) != (code == "00") {
					t.Errorf("%d: %s, and %d is booked", n, code, h.Refunded)
				}
			}
		}
	}
	for status, code := range map[string]string{"lost": "41", "stolen": "43", "closed": "46", "blocked": "00"} {
		m, _ := p.booked(auth("5555555555554444"))
		b.host.book.cards[m[2]].status = status
		wantCode(t, p.ask(refund(m, 1)), "0210", code)
		b.host.book.cards[m[2]].status = "active"
	}
}

// TestRefundRules are the codes that a rule has refunds answer, and what they book.
func TestRefundRules(t *testing.T) {
	b := start(t)
	p := b.join()
	m, _ := p.booked(auth(numbered(0)))
	refunded := func() int64 { return b.holds(m[37])[0].Refunded }
	for _, code := range []string{"12", "13", "40", "57", "58", "91", "96"} {
		b.rule(`{"action":"decline","code":"` + code + `","match":{"mti":"0200","de3":"20"},"times":1}`)
		wantCode(t, p.ask(refund(m, 10)), "0210", code)
	}
	if refunded() != 0 {
		t.Errorf("declined, and %d is booked", refunded())
	}
	b.rule(`{"action":"approve-as","code":"85","match":{"de3":"20"},"times":1}`)
	wantCode(t, p.ask(sale(numbered(0))), "0210", "00") // a sale is none
	wantCode(t, p.ask(refund(m, 10)), "0210", "85")
	b.rule(`{"action":"silent-dropped","match":{"de3":"200000"},"times":1}`)
	dropped := refund(m, 20)
	p.say(dropped)
	p.silence()
	wantCode(t, p.ask(reversal(dropped)), "0430", "25")
	if refunded() != 10 {
		t.Errorf("%d is booked", refunded())
	}
}

// TestBusinessDayOnAnswers is DE15: what was booked or undone has one, and nothing else (rails §1.7).
func TestBusinessDayOnAnswers(t *testing.T) {
	b := start(t)
	p := b.join()
	m, s := auth(numbered(0)), sale(numbered(0))
	answer := p.ask(m)
	c := capture(m, answer)
	r := refund(m, 10)
	held := auth(numbered(0))
	for _, try := range []struct {
		what elements
		day  string
	}{
		{c, "1122"},
		{s, "1122"},
		{r, "1122"},
		{reversal(r), "1122"},
		{refund(m, 99999), ""},
		{held, ""},
		{reversal(held), ""},
		{with(auth(numbered(0)), elements{4: "000000000000", 25: "51"}), ""},
		{elements{0: "cutover"}, ""},
		{reversal(s), "1123"},
		{reversal(s), ""},
		{refund(m, 10), "1123"},
	} {
		if try.what[0] == "cutover" {
			b.do("cutover", "")
			continue
		}
		if got := p.ask(try.what); got[15] != try.day {
			t.Errorf("%s with %s is of %q, want %q", got[0], got[39], got[15], try.day)
		}
	}
	if answer[15] != "" {
		t.Errorf("a hold is of %s", answer[15])
	}
}

func TestVerification(t *testing.T) {
	b := start(t)
	p := b.join()
	zero := elements{4: "000000000000", 25: "51"}
	for pan, code := range map[string]string{
		numbered(0): "00", numbered(940): "85", "4242424242424242": "85", "4111111111111111": "85", "5555555555554444": "00", numbered(41): "41",
	} {
		m := with(auth(pan), zero)
		got := p.ask(m)
		wantCode(t, got, "0110", code)
		if (got[38] != "") != (code != "41") || p.tags(got)["RX"] != "" || len(b.holds(m[37])) != 0 {
			t.Errorf("%s: %v", masked(pan), got)
		}
	}
	wantCode(t, p.ask(auth(numbered(940))), "0110", "00")

	b = start(t, func(c *Config) { c.Profile.AccountVerification = "100" })
	p = b.join()
	for amount, code := range map[string]string{"000000000000": "13", "000000000099": "13", "000000000100": "00"} {
		m := with(auth(numbered(940)), elements{4: amount, 25: "51"})
		wantCode(t, p.ask(m), "0110", code)
		if held := b.held(m[37]) == open; held != (code == "00") {
			t.Errorf("%s: held is %t", amount, held)
		}
	}
	wantCode(t, p.ask(with(auth(numbered(0)), elements{4: "000000000001"})), "0110", "00") // a payment is no verification
}

func TestTotalsOutOfBalance(t *testing.T) {
	b := start(t)
	p := b.join()
	p.ask(sale(numbered(0)))
	claim := elements{0: "0500", 7: "1122150000", 11: stan(), 15: "1122", 50: "410", 99: "12345678901", 97: "C0000000000000000"}
	for i := range 4 {
		claim[74+i], claim[86+i] = fmt.Sprintf("%010d", 0), fmt.Sprintf("%016d", 0)
	}
	got := p.ask(claim)
	wantCode(t, got, "0510", "95")
	want := elements{66: "2", 76: "0000000001", 88: "0000000000010000", 97: "D0000000000010000", 15: "1122", 50: "410"}
	for de, text := range want {
		if got[de] != text {
			t.Errorf("DE%d is %q, want %q", de, got[de], text)
		}
	}
	wantCode(t, p.ask(with(claim, elements{11: stan(), 15: "1121"})), "0510", "00") // a day on which nothing happened
	wantCode(t, p.ask(with(claim, elements{11: stan(), 50: "840"})), "0510", "00")
}

func TestRestart(t *testing.T) {
	dir := t.TempDir()
	b := start(t, func(c *Config) { c.Dir = dir })
	p := b.join()
	held, done, late := auth(numbered(0)), with(auth("4242424242424242"), elements{48: "CV03737PW0247BD06910417"}), auth(numbered(0))
	heldAnswer, doneAnswer := p.ask(held), p.ask(done)
	c := capture(done, doneAnswer)
	completion := p.ask(c)
	r := refund(done, 4000)
	wantCode(t, p.ask(r), "0210", "00")
	wantCode(t, p.ask(reversal(late)), "0430", "25")
	wantCode(t, p.ask(auth(numbered(905))), "0110", "91")
	b.control("POST", "/actions/cutover", "", nil)
	if got := p.hear(); got[70] != "201" || got[15] != "1123" {
		t.Errorf("cut-over: %v", got)
	}
	before := b.records("")
	if err := b.host.Close(); err != nil {
		t.Fatal(err)
	}
	p.hungUp()

	name := filepath.Join(dir, fileName)
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"737", "PW02", "910417"} {
		if strings.Contains(string(text), `"`+secret) || strings.Contains(string(text), "CV03"+secret) {
			t.Errorf("the file holds %s", secret)
		}
	}
	if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	torn := `{"payments":[{"pan":"` + strings.Repeat("9", 1<<16) // died in the middle of a line
	if err := os.WriteFile(name, append(text, torn...), 0o600); err != nil {
		t.Fatal(err)
	}
	b.open()
	if rest, err := os.ReadFile(name); err != nil || string(rest) != string(text) {
		t.Errorf("the broken line is still there: %d bytes, want %d; %v", len(rest), len(text), err)
	}
	if after := b.records(""); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("records\n%v, before\n%v", after, before)
	}
	p = b.join()
	if got := p.ask(with(c, elements{0: "0221"})); fmt.Sprint(got) != fmt.Sprint(completion) {
		t.Errorf("the repeat is answered %v, the first was %v", got, completion)
	}
	wantCode(t, p.ask(with(c, elements{11: stan()})), "0230", "94")
	wantCode(t, p.ask(late), "0110", "12")
	wantCode(t, p.ask(refund(done, 6001)), "0210", "13")
	wantCode(t, p.ask(reversal(r)), "0430", "00")
	wantCode(t, p.ask(auth(numbered(905))), "0110", "00")
	got := p.ask(capture(held, heldAnswer))
	wantCode(t, got, "0230", "00")
	if got[15] != "1123" {
		t.Errorf("settled on %s", got[15])
	}
	if err := b.host.Close(); err != nil {
		t.Fatal(err)
	}
	b.open()
	if found := b.holds(""); len(found) != 3 || found[0].Captured != 10000 || found[1].Refunded != 0 || found[2].State != open {
		t.Errorf("holds %+v", found)
	}
	if err := b.host.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte("not a step\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Start(t.Context(), b.cfg); err == nil {
		t.Error("a file that is not the host's was taken")
	}
}

// TestWhatIsNotOnFileIsNotSaid takes the file away: the host falls silent.
func TestWhatIsNotOnFileIsNotSaid(t *testing.T) {
	b := start(t, func(c *Config) { c.Dir = t.TempDir() })
	kept := b.host.file.f
	gone, err := os.Open(kept.Name()) // read only
	if err != nil {
		t.Fatal(err)
	}
	defer gone.Close()
	b.host.file.f = gone
	defer func() { b.host.file.f = kept }()
	body, err := encode(b.host.spec, auth(numbered(0)))
	if err != nil {
		t.Fatal(err)
	}
	if said := b.host.take(&conn{host: b.host, signedOn: true}, frame{body: body}); said != nil {
		t.Errorf("%d answers left", len(said))
	}
}
