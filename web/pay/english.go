package pay

var english = words{
	Tag: "en", Name: "English", Short: "EN",

	Won: "₩%s", Clock: "15:04", Moment: "2 Jan 2006, 15:04 KST",
	States: [states]string{
		Waiting:     "Waiting for your transfer",
		Seen:        "Transfer seen, checking it",
		Received:    "Payment received",
		OtherAmount: "The amount differs from the order. The merchant is checking it",
		Expired:     "This order has expired. Please do not transfer now",
		Late:        "A late transfer arrived and is being checked",
		Cancelled:   "Cancelled",
		TakenBack:   "The bank took the transfer back",
		Refused:     "This payment could not be completed",
	},
	Beside: [states]string{
		Seen:        "Please do not send again",
		Received:    "You may close this page",
		OtherAmount: "Please do not send again",
		Expired:     "If you have sent it, do not send again",
		Late:        "Please do not send again",
		Cancelled:   "Please do not transfer for this order",
		TakenBack:   "Please do not send it again",
		Refused:     "Please do not send it again",
	},
	Next: [states][2]string{
		Waiting:     {"This page changes by itself when your money arrives.", "You may close it: money you have sent is still found."},
		Seen:        {"This page changes by itself when the check is done.", "You may close it: money you have sent is still found."},
		Received:    {"The merchant is told about your payment.", "If you have a question, give the reference."},
		OtherAmount: {"Your money is not lost.", "The merchant checks it and will get back to you."},
		Expired:     {"Money you have sent is checked when it arrives.", "If you have not sent any, please order again at the merchant."},
		Late:        {"Your money is not lost.", "The merchant checks it and will get back to you."},
		Cancelled:   {"If you have already sent money, please ask the merchant.", "Give the reference when you ask."},
		TakenBack:   {"Your bank can tell you where the money is.", "Please ask the merchant about your order."},
		Refused:     {"If you have already sent money, please ask the merchant.", "Give the reference when you ask."},
	},
	NextNaming: [2]string{"Name and bank serve only to recognise your transfer.", "The account to pay into appears next."},
	Titles: [states]string{
		Waiting: "Amount to transfer", Seen: "Amount being checked", Received: "Amount paid", OtherAmount: "Amount received",
		Expired: "Order amount", Late: "Amount received", Cancelled: "Order amount", TakenBack: "Amount taken back", Refused: "Order amount",
	},
	Faults: map[Field][faults]string{
		NameField: {
			Missing:   "Please enter the sender's name.",
			Malformed: "Please enter the name of the account, up to 16 characters.",
			Differs:   "This is not the registered name. Enter your own name, or ask the merchant.",
		},
		BankField: {
			Missing:   "Please choose a bank.",
			Malformed: "Please choose a bank from the list.",
			Differs:   "This is not the registered bank. Choose that one, or ask the merchant.",
		},
		AccountField: {
			Missing:   "Please enter the account number.",
			Malformed: "Please enter 7 to 16 digits.",
			Differs:   "This is not the registered account. Enter that one, or ask the merchant.",
		},
	},
	Languages: "Language", OrderNumber: "Order",

	ExactAmount: "Your order is %s. Send exactly this amount, so that it is recognised at once",
	Bank:        "Bank",
	Account:     "Account number",
	Holder:      "Account holder",
	Code:        "Deposit code",
	CodeHint:    "Enter it as the text shown to the recipient",
	From:        "From",
	FromHint:    "Send from an account in this name",

	Copy: "Copy", Copied: "Copied", CopyOf: "Copy %s",

	Until: "until %s KST", TimeLeft: "Time left",

	OrderedAmount: "Order amount", Reference: "Reference",
	At: [states]string{
		Received: "Arrived", OtherAmount: "Arrived", Expired: "Expired", Late: "Arrived",
		Cancelled: "Cancelled", TakenBack: "Taken back", Refused: "Ended",
	},

	NameTitle:    "Who is sending?",
	NameField:    "Sender's name",
	NameHint:     "As on the bank account",
	BankField:    "Sender's bank",
	ChooseBank:   "Choose a bank",
	AccountField: "Sender's account number",
	AccountHint:  "Digits are enough",
	Send:         "Show the account",

	RegisterFirst: "Please register the account you send from, once",
	RegisterOpen:  "Register account",
	RegisterTitle: "Register your account",
	RegisterWhy:   [2]string{"You do this only once.", "Transfers from this account are then recognised at once."},
	RegisterFor:   "Member %s",
	RegisterSend:  "Register and continue",
	Back:          "Back to the payment",

	Help:    "Ask the merchant",
	Reload:  "Reload",
	Lost:    "Connection lost, trying again. Money you have sent is still found.",
	Over:    "The time is over. Please do not transfer now.",
	Unknown: [2]string{"Page not found", "Please check the address."},
	Broken:  [2]string{"This page cannot be shown now", "Please open it again in a moment. If you have sent money, do not send again."},
}
