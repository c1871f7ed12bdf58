package sandbox

import (
	"context"
	"encoding/base64"
	"maps"

	"naru/core/money"
)

// The cards that are sold to abroad (rail/iso8583/sim says what each does).
const (
	worldCard   = "5555555555554444"
	checkedCard = "9999990000009106" // CVV2 737
	homeCard    = "9999990000009411" // lives at number 8, postal code 12345-6789
	carefulCard = "9999990000009437" // pays where somebody vouches for its holder
	deviceToken = "9999990000009452" // pays with a cryptogram
	storedCard  = "9999990000009460" // pays by itself under a name that this network has given
)

// proofs are what a wallet and a 3-D Secure server hand over for one payment. They are secrets: nobody keeps them.
var (
	cryptogram = base64.StdEncoding.EncodeToString([]byte("one payment by token"))
	cavv       = base64.StdEncoding.EncodeToString([]byte("the holder was there"))
)

var home = fields{
	"addressLine": []string{"Rua das Flores 62"}, "localityName": "Porto", "administrativeAreaName": "Porto",
	"postalCodeNumber": "4050-262", "countryCode": "PT",
}

// sellAbroad plays Card FOP v1: sales in one message, a hold, and what cards bring with them elsewhere. It gives a sale that is contested
// later.
func (t *teller) sellAbroad(ctx context.Context) (sold asked) {
	good := expect{200, "SUCCESS"}
	t.say("A third account speaks Card FOP v1: a sale takes the money in one message, and says what the issuer found of code and address")
	sold = t.sell(ctx, euros(29_90), withCVN(checkedCard, "737"), charge{address: home}, good)
	t.say("A wrong code declines; an address that does not fit is told, and by itself declines nothing")
	t.sell(ctx, euros(31_00), withCVN(checkedCard, "000"), charge{}, expect{200, "CVN_MISMATCH"})
	t.sell(ctx, euros(8_40), plain(homeCard), charge{address: home}, good)

	t.say("The acquirer books a sale and its answer is lost: Naru says 503 and has it undone; the repeat is a new sale, and the only one")
	t.rule(ctx, fields{"action": "silent", "match": fields{"mti": "0200", "de3": "00", "amount": 19_90}, "times": 1})
	again := t.sell(ctx, euros(19_90), plain(worldCard), charge{}, expect{503, ""})
	t.until(ctx, again, good)

	t.say("It knows holds as well: less is captured than was held")
	held := t.charge(ctx, reserve, charge{account: third, amount: euros(1_250_00), from: plain(worldCard)}, good)
	t.verdict(ctx, t.capture(ctx, held, euros(1_199_00), expect{200, "ACKNOWLEDGED"}), "SUCCESS")

	t.say("A sale is given back in part, then the rest; a cent more is refused")
	part := t.refund(ctx, again, euros(5_00), expect{200, "ACKNOWLEDGED"})
	t.verdict(ctx, part, "SUCCESS")
	t.verdict(ctx, t.refund(ctx, again, euros(14_90), expect{200, "ACKNOWLEDGED"}), "SUCCESS")
	t.refund(ctx, again, euros(1), expect{400, "PRECONDITION_VIOLATION"})

	t.say("A yen has no cents, a dinar a thousand fils")
	t.sell(ctx, money.New(1_500, money.Of("JPY")), plain(worldCard), charge{}, good)
	t.sell(ctx, money.New(4_250, money.Of("KWD")), plain(worldCard), charge{}, good)

	t.say("A subscription: the holder pays and stores the card; from then on Google pays with it, under the name the network gave the first")
	begun := t.sell(ctx, euros(9_99), withCVN(storedCard, "123"), charge{options: stored("customerInitiated", fields{
		"instrumentStorageType": "STORED_BY_THIS_PAYMENT",
	})}, good)
	t.sell(ctx, euros(9_99), plain(storedCard), charge{options: stored("merchantInitiated", fields{
		"previousTransactionInformation": fields{"networkTransactionIdentifier": begun.network},
	})}, good)

	t.say("A phone pays with a token, and proof that it was unlocked")
	t.sell(ctx, euros(14_50), fields{"paymentToken": fields{
		"nameOnCard": "INES DUARTE", "paymentTokenAccountNumber": deviceToken, "expiryMonth": "11", "expiryYear": "39",
		"cryptogram": cryptogram, "tokenTypeDeviceToken": fields{},
	}}, charge{}, good)

	t.say("An issuer wants to be sure of its holder: declined, and paid once 3-D Secure has asked")
	t.sell(ctx, euros(89_00), plain(carefulCard), charge{}, expect{200, "STRONG_CUSTOMER_AUTHENTICATION_REQUIRED"})
	t.sell(ctx, euros(89_00), plain(carefulCard), charge{options: fields{
		"electronicCommerceIndicator": "05", "threeDSecureAuthenticationDetails": fields{
			"directoryServerTransactionId": "0f3d6c5e-8a41-4f0e-9f55-2b6f2f0f7c11", "cavv": cavv, "threeDsVersion": "2.2.0",
		},
	}}, good)

	t.say("A card is checked, and let go")
	seen := t.check(ctx, checkLeast, third, "EUR", withCVN(checkedCard, "737")["card"].(fields), good)
	t.verdict(ctx, t.cancel(ctx, seen, expect{200, "ACKNOWLEDGED"}), "SUCCESS")

	t.say("What the contract does not allow: less than it takes, a currency it does not name, an account that speaks the other API")
	t.charge(ctx, reserve, charge{account: third, amount: euros(40), from: plain(worldCard)}, expect{200, "TRANSACTION_UNDER_AMOUNT_LIMIT"})
	t.sell(ctx, money.New(10_00, money.Of("USD")), plain(worldCard), charge{}, expect{400, "INVALID_FIELD_VALUE"})
	t.charge(ctx, sale, charge{api: cardFOP, account: first, amount: won(5_000), from: plain(worldCard)}, expect{403, "FORBIDDEN"})

	t.say("The acquirer's files, one for each currency, settle that; sale and refund get reference numbers")
	t.does(ctx, "settle", nil)
	t.notice(ctx, captureARN, sold, fields{"captureRequestId": sold.id})
	t.notice(ctx, refundARN, part, fields{"refundRequestId": part.id})
	return sold
}

// contestAbroad disputes a sale to the end: what was won is claimed once more, and nobody defends it.
func (t *teller) contestAbroad(ctx context.Context, sold asked) {
	rrn := t.rrn(ctx, "sale", sold.amount)
	t.dispute(ctx, sold, rrn)
	t.say("The bank claims the money once more, and reports fraud; Google lets it stand")
	t.does(ctx, "chargeback", fields{"rrn": rrn, "reason": "4540", "stage": 2})
	t.does(ctx, "fraud", fields{"rrn": rrn})
	t.does(ctx, "dispute-file", nil)
	t.notice(ctx, chargedBack, sold, fields{"captureRequestId": sold.id, "chargebackStage": "SECOND"})
	t.notice(ctx, fraudTold, sold, fields{"captureRequestId": sold.id})
}

func (t *teller) sell(ctx context.Context, amount money.Amount, from fields, c charge, e expect) asked {
	c.account, c.amount, c.from = third, amount, from
	return t.charge(ctx, sale, c, e)
}

func plain(pan string) fields { return fields{"card": cardOf(pan)} }

func withCVN(pan, cvn string) fields {
	with := cardOf(pan)
	with["cvn"] = cvn
	return fields{"card": with}
}

// stored says who pays with a stored card, and what is known of it (Card FOP v1 §3.3).
func stored(initiator string, known fields) fields {
	said := fields{"transactionIntentClassification": "RECURRING"}
	maps.Copy(said, known)
	return fields{"storedCredentialTransactionInformation": fields{initiator: said}}
}
