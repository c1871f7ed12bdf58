package payout

// What banks say of an account that is paid by transfer (rails §4.4), beside that it is closed or on hold.
const (
	NoAccount    Reason = "no_such_account"
	OtherName    Reason = "name_does_not_match"
	NoBank       Reason = "no_such_bank"
	NotPermitted Reason = "not_permitted"
	BankLimit    Reason = "above_bank_limit"
	Compliance   Reason = "compliance"
	Declined     Reason = "declined" // the bank gives no reason
)
