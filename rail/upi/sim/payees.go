package sim

import (
	"slices"
	"strings"
	"time"
)

// payee is an address that the bank knows by name. An address at another handle than @sim and @simrev is an ordinary person's.
type payee struct {
	name    string
	invalid bool                // the network does not know it; validations say so
	limit   int64               // paise a payout; 0 is none
	script  func(*story) []move // what becomes of a payout to it
}

// story is what a script may look at.
type story struct {
	delay time.Duration // from processing to the end
	first bool          // no payout of this reference's root was made before
	late  state         // failed, or reversed for an address at @simrev
}

func begun(rest ...move) []move {
	return append([]move{{To: processing, Reason: "payout_bank_processing"}}, rest...)
}

func credited(s *story) []move {
	return begun(
		move{After: span(s.delay / 2), Reason: "payout_bank_processing", UTR: true}, move{
			After: span(s.delay - s.delay/2), To: processed,
			Reason: "payout_processed",
		})
}

func refused(reason, code string) func(*story) []move {
	return func(s *story) []move {
		return begun(move{After: span(s.delay), To: s.late, Reason: reason, Code: code})
	}
}

// waiting is a payout of which nothing is known before it is credited.
func waiting(reason, code string, how time.Duration) func(*story) []move {
	return func(*story) []move {
		return []move{{To: processing, Reason: reason, Code: code}, {After: span(how), To: processed, Reason: "payout_processed", UTR: true}}
	}
}

// deemed is a payout whose credit nobody has answered; it ends in one of two ways.
func deemed(code string, how time.Duration, end state, reason string) func(*story) []move {
	return func(s *story) []move {
		return begun(
			move{After: span(s.delay), Reason: "beneficiary_bank_confirmation_pending", Code: code, UTR: true},
			move{After: span(how), To: end, Reason: reason})
	}
}

func held(reason string) func(*story) []move {
	return func(s *story) []move {
		rest := credited(s)
		rest[0].After = span(30 * time.Minute)
		return append([]move{{To: queued, Reason: reason}}, rest...)
	}
}

const day = 24 * time.Hour

// people are the addresses that a story is told with. Those that end unpaid do so in failed at @sim and in reversed at @simrev.
var people = map[string]payee{
	"success": {name: "Asha Rao", script: credited},
	"instant": {name: "Asha Rao", script: func(*story) []move {
		return begun(move{To: processed, Reason: "payout_processed", UTR: true})
	}},
	"late": {name: "Ravi Iyer", script: waiting("payout_bank_processing", "", 30*time.Minute)},
	"late-utr": {name: "Ravi Iyer", script: func(s *story) []move {
		return begun(move{After: span(s.delay), To: processed, Reason: "payout_processed"}, move{
			After:  span(time.Hour),
			Reason: "payout_processed", UTR: true,
		})
	}},
	"pending": {name: "Meera Nair", script: func(*story) []move {
		return []move{{To: processing, Reason: "partner_bank_pending", Code: "01"}}
	}},
	"approval": {name: "Meera Nair", script: func(*story) []move {
		return []move{{To: pending, Reason: "pending_approval"}, {After: span(quarter), To: rejected, Reason: "approval_rejected"}}
	}},
	"deemed":          {name: "Vikram Das", script: deemed("RB", 2*day, processed, "payout_processed")},
	"deemed-reversed": {name: "Vikram Das", script: deemed("RB", 3*day, reversed, "beneficiary_bank_rejected")},
	"returned": {name: "Leela Menon", script: func(s *story) []move {
		return append(credited(s), move{After: span(2 * day), To: reversed, Reason: "bank_account_closed"})
	}},
	"failed-reversed": {name: "Leela Menon", script: func(s *story) []move {
		return begun(move{After: span(s.delay), To: failed, Reason: "gateway_technical_error", Keep: true},
			move{After: span(day), To: reversed, Reason: "payout_reversed"})
	}},
	"again": {name: "Asha Rao", script: func(s *story) []move {
		if s.first {
			return refused("beneficiary_bank_failure", "")(s)
		}
		return credited(s)
	}},
	"queued":     {name: "Kiran Shah", script: held("gateway_degraded")},
	"cap":        {name: "Kiran Shah", limit: 5_000_00, script: credited},
	"invalid":    {invalid: true, script: refused("beneficiary_vpa_invalid", "ZH")},
	"frozen":     {name: "Om Prakash", script: refused("bank_account_frozen", "YF")},
	"dormant":    {name: "Om Prakash", script: refused("beneficiary_account_dormant", "ZY")},
	"closed":     {name: "Om Prakash", script: refused("bank_account_closed", "XI")},
	"bankdown":   {name: "Nisha Gill", script: refused("beneficiary_bank_offline", "U78")},
	"timeout":    {name: "Nisha Gill", script: refused("npci_beneficiary_timeout", "")},
	"limit":      {name: "Nisha Gill", script: refused("transaction_limit_exceeded", "")},
	"unheard-of": {name: "Nisha Gill", script: refused("moon_in_the_wrong_house", "")},
}

// network is what the product makes of NPCI's codes (rails §2.10). The code itself is told in the description alone.
var network = map[string]func(string) func(*story) []move{
	"00": func(string) func(*story) []move { return credited },
	"RB": inDoubt, "96": inDoubt, "BT": inDoubt, "U68": inDoubt, "U82": inDoubt, "U88": inDoubt,
	"01": unsaid, "U27": unsaid, "U30": unsaid, "U67": unsaid, "UT": unsaid, "UP": unsaid, "U85": unsaid,
	"21": func(code string) func(*story) []move {
		return func(s *story) []move {
			return begun(move{After: span(s.delay), To: reversed, Reason: "payout_reversed", Code: code})
		}
	},
	"ZH": as("beneficiary_vpa_invalid"), "UX": as("beneficiary_vpa_invalid"), "U29": as("beneficiary_vpa_invalid"),
	"ZE": as("invalid_beneficiary"), "ZG": as("beneficiary_bank_rejected"), "ZI": as("beneficiary_bank_rejected"),
	"U95": as("invalid_beneficiary"),
	"XI":  as("bank_account_invalid"), "MB": as("bank_account_invalid"), "MJ": as("invalid_ifsc_code"),
	"YF": as("bank_account_frozen"), "ZY": as("beneficiary_account_dormant"),
	"B3": as("beneficiary_bank_rejected"), "PS": as("beneficiary_bank_rejected"), "XW": as("beneficiary_bank_rejected"),
	"YD": as("beneficiary_bank_rejected"), "Z5": as("invalid_beneficiary"), "U02": as("transaction_limit_exceeded"),
	"Z8":  as("transaction_limit_exceeded"),
	"U78": as("beneficiary_bank_offline"), "XU": as("beneficiary_bank_offline"), "Y1": as("beneficiary_bank_offline"),
	"U28": as("beneficiary_psp_offline"), "U17": as("beneficiary_psp_offline"), "UB": as("beneficiary_bank_technical_error"),
	"U80": as("gateway_down"), "U08": as("gateway_technical_error"), "U03": as("gateway_technical_error"), "U09": as("gateway_timeout"),
	"Z9": as("insufficient_funds"), "XY": as("gateway_down"), "U48": as("server_error_temporary"),
}

func inDoubt(code string) func(*story) []move {
	return deemed(code, 2*day, processed, "payout_processed")
}

func unsaid(code string) func(*story) []move { return waiting("partner_bank_pending", code, time.Hour) }

func as(reason string) func(string) func(*story) []move {
	return func(code string) func(*story) []move { return refused(reason, code) }
}

// names are the people of everybody else's addresses.
var names = []string{"Anjali Verma", "Deepak Joshi", "Farah Khan", "Gopal Reddy", "Ishita Bose", "Manoj Pillai"}

// find says who is behind an address, and what becomes of a payout to it.
func find(address string, seed int64) payee {
	user, handle, _ := strings.Cut(strings.ToLower(address), "@")
	if handle != "sim" && handle != "simrev" {
		return payee{name: names[seeded(seed, "name", strings.ToLower(address)).IntN(len(names))], script: credited}
	}
	if p, known := people[user]; known {
		return p
	}
	if code, is := strings.CutPrefix(user, "npci-"); is {
		code = strings.ToUpper(code)
		if make, known := network[code]; known {
			return payee{name: names[0], invalid: slices.Contains([]string{"ZH", "UX"}, code), script: make(code)}
		}
	}
	reason := strings.ReplaceAll(user, "-", "_")
	switch reasons[reason].in {
	case failed:
		return payee{name: names[1], script: refused(reason, "")}
	case processing:
		return payee{name: names[2], script: waiting(reason, "", time.Hour)}
	case queued:
		return payee{name: names[3], script: held(reason)}
	}
	return people["invalid"]
}

// plan is what becomes of one payout.
func (p payee) plan(s *story, address string, amount int64) []move {
	s.late = failed
	if strings.HasSuffix(strings.ToLower(address), "@simrev") {
		s.late = reversed
	}
	if p.limit > 0 && amount > p.limit {
		return refused("transaction_limit_exceeded", "")(s)
	}
	return p.script(s)
}
