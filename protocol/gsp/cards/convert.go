package cards

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"slices"
	"strings"
	"time"

	"naru/core/card"
	"naru/core/fault"
	"naru/core/money"
	"naru/core/payment"
	"naru/engine"
	"naru/protocol/gsp"
)

// Terms are what a message is read against.
type Terms struct {
	API     API
	Account engine.Account
	Profile Profile
	Now     time.Time // business time
}

// Reading is a question about a card on its way to the engine: the order that comes of it, and what is wrong with the message.
type Reading struct {
	Faults
	Order payment.AuthOrder

	answer Answer
}

// Answer is what an answer about a card depends on, beside the network's.
type Answer struct {
	Terms
	purpose              payment.Purpose
	cvn, address, stored bool // what the request sent
}

// Read begins a reading.
func (t Terms) Read(p payment.Purpose) *Reading {
	return &Reading{Order: payment.AuthOrder{Purpose: p}, answer: Answer{Terms: t, purpose: p}}
}

// Ask ends the reading of a message: a fault, or a question with the way its answer is written.
func Ask[T any](r *Reading, response func(Answer, engine.ReserveResult) (T, error)) (engine.ReserveAsk, error) {
	if err := r.err(); err != nil {
		return engine.ReserveAsk{}, err
	}
	ask, with := engine.ReserveAsk{Order: r.Order}, r.answer
	if r.decline != "" {
		ask.Decided = &payment.Outcome{Verdict: payment.Refused, Decline: r.decline}
	}
	ask.Encode = func(result engine.ReserveResult) ([]byte, error) {
		out, err := response(with, result)
		if err != nil {
			return nil, err
		}
		return gsp.Encode(out)
	}
	return ask, nil
}

// Faults collects what is wrong with a message. A missing member goes before a wrong value (§10), and both go before a decline.
type Faults struct {
	missing, invalid error
	decline          payment.Reason // what the holder mistyped: an answer, not an error (§4.1)
}

// Note keeps the first fault of each kind.
func (f *Faults) Note(err error) {
	switch kind, _ := fault.Of(err); {
	case err == nil:
	case kind == fault.Missing && f.missing == nil:
		f.missing = err
	case kind != fault.Missing && f.invalid == nil:
		f.invalid = err
	}
}

// Wrong is a member whose value is not supported.
func (f *Faults) Wrong(path, rule string) { f.Note(gsp.Invalid(path, rule)) }

// Mistyped is a value that a holder got wrong.
func (f *Faults) Mistyped(why payment.Reason) {
	if f.decline == "" {
		f.decline = why
	}
}

func (f *Faults) err() error {
	if f.missing != nil {
		return f.missing
	}
	return f.invalid
}

// Required is the value of a member that must be there.
func Required[T any](f *Faults, path string, member *T) (v T) {
	f.Note(gsp.Required(path, member != nil))
	if member == nil {
		return v
	}
	return *member
}

// open is a value of an enum whose list is open: anything but its zero value (§3: "..._UNSPECIFIED", "UNKNOWN_..." or "..._UNKNOWN").
func open[T ~string](f *Faults, path string, v T) T {
	s := string(v)
	if s == "" || strings.HasSuffix(s, "_UNSPECIFIED") || strings.HasPrefix(s, "UNKNOWN_") || strings.HasSuffix(s, "_UNKNOWN") {
		f.Wrong(path, "must be a value of its list")
	}
	return v
}

// Digits reports whether a text is that many digits and nothing else.
func Digits(text string, least, most int) bool {
	return len(text) >= least && len(text) <= most && strings.Trim(text, "0123456789") == ""
}

// Payment reads what every request for a payment has (P1, §4.1; FOP P4, §4.4).
func (r *Reading) Payment(in PaymentRequest, options *AdditionalTransactionProcessingOptions) {
	f := &r.Faults
	r.Order.Amount = r.answer.amount(f, Required(f, "currencyCode", in.CurrencyCode), Required(f, "amount", in.Amount))
	r.purchase(in.TransactionDescription, in.MerchantCategoryCode)
	account := Required(f, "accountDetails", in.AccountDetails)
	f.Note(gsp.ExactlyOne("accountDetails", account.Card != nil, account.PaymentToken != nil))
	if account.Card != nil {
		r.card("accountDetails.card.", *account.Card)
	}
	if account.PaymentToken != nil {
		r.paymentToken(*account.PaymentToken)
	}
	r.Address(in.AddressVerificationData)
	r.options(Required(f, optionsAt, options), gsp.ExactlyOne)
}

// Verification reads what a check of a card by a hold has in both APIs (P5, §4.5; FOP P6, §4.6). Nobody names an amount: the engine asks
// for the least that the network takes.
func (r *Reading) Verification(in VerificationRequest, options *AdditionalTransactionProcessingOptions) {
	f := &r.Faults
	currency, _ := r.answer.currency(f, Required(f, "currencyCode", in.CurrencyCode))
	r.Order.Amount = money.New(0, currency)
	r.purchase(in.TransactionDescription, in.MerchantCategoryCode)
	r.Card(in.Card)
	r.Address(in.AddressVerificationData)
	var inOptions *StoredCredentialTransactionInformation
	if options != nil {
		r.options(*options, gsp.AtMostOne)
		inOptions = options.StoredCredential
	}
	if in.StoredCredential != nil {
		r.stored("storedCredentialTransactionInformation", *in.StoredCredential)
	}
	Either(f, "storedCredentialTransactionInformation", in.StoredCredential, inOptions)
}

// purchase reads what the holder's statement and the network say of what is bought. The text may have any length: the network gets what
// fits.
func (r *Reading) purchase(description, category *string) {
	r.Order.Statement = Required(&r.Faults, "transactionDescription", description)
	r.Category(Required(&r.Faults, "merchantCategoryCode", category))
}

// Category reads a merchant category.
func (r *Reading) Category(code string) {
	if r.Order.MCC = code; !Digits(code, 4, 4) {
		r.Wrong("merchantCategoryCode", "must be four digits")
	}
}

// Card reads the plain card of a check, which has no token form.
func (r *Reading) Card(in *Card) { r.card("card.", Required(&r.Faults, "card", in)) }

// amount reads micros of a contracted currency: more than nothing, no fraction of its minor unit (§2.2).
func (t Terms) amount(f *Faults, code string, micros gsp.Int64) money.Amount {
	c, ok := t.currency(f, code)
	if !ok {
		return money.Amount{}
	}
	a, err := amountIn("amount", c, micros)
	f.Note(err)
	return a
}

func (t Terms) currency(f *Faults, code string) (money.Currency, bool) {
	c, known := money.Lookup(code)
	if !known || !t.Account.Accepts(c) {
		f.Wrong("currencyCode", "is not contracted for this account")
		return c, false
	}
	return c, true
}

func amountIn(path string, c money.Currency, micros gsp.Int64) (money.Amount, error) {
	a, err := money.FromMicros(int64(micros), c)
	switch {
	case micros <= 0:
		return money.Amount{}, gsp.Invalid(path, "must be more than nothing")
	case err != nil:
		return money.Amount{}, gsp.Invalid(path, "must be whole minor units of its currency")
	}
	return a, nil
}

// later reads an amount whose currency the wire does not repeat: it must fit one of the account's now, and the payment's once it is known.
func (t Terms) later(f *Faults, path string, micros gsp.Int64) func(money.Currency) (money.Amount, error) {
	fits := func(c money.Currency) bool { _, err := amountIn(path, c, micros); return err == nil }
	if !slices.ContainsFunc(t.Account.Currencies, fits) {
		f.Wrong(path, "must be more than nothing and whole minor units")
	}
	return func(c money.Currency) (money.Amount, error) { return amountIn(path, c, micros) }
}

// card reads a plain card (§3.1). What a holder can mistype declines, what no holder can have typed is refused (§4.1).
func (r *Reading) card(at string, in Card) {
	f := &r.Faults
	Required(f, at+"nameOnCard", in.NameOnCard) // no network of ours takes it
	pan, err := card.ParsePAN(Required(f, at+"accountNumber", in.AccountNumber).Reveal())
	switch {
	case err != nil:
		f.Wrong(at+"accountNumber", "must be 13 to 19 digits")
	case !r.answer.Profile.SkipLuhn && !pan.Luhn():
		f.Mistyped(payment.CardNumberInvalid)
	}
	r.Order.PAN = pan
	if in.ExpiryMonth != nil || in.ExpiryYear != nil {
		r.Order.Expiry = r.answer.expiry(f, at, in.ExpiryMonth, in.ExpiryYear)
	}
	if in.CVN != nil {
		if !Digits(in.CVN.Reveal(), 3, 4) {
			f.Wrong(at+"cvn", "must be 3 or 4 digits")
		}
		r.Order.CVN, r.answer.cvn = in.CVN.Secret, true
	}
}

// expiry reads MM and YY. A card is good through the last day of its month, where the account is.
func (t Terms) expiry(f *Faults, at string, month, year *string) card.Expiry {
	if month == nil || year == nil || !Digits(*month, 2, 2) || !Digits(*year, 2, 2) {
		f.Wrong(at+"expiryMonth, expiryYear", "must be two digits each, and both or none")
		return card.Expiry{}
	}
	e := card.Expiry{Year: 2000 + number(*year), Month: number(*month)}
	today := t.Now.In(t.Account.Location)
	switch {
	case e.Month < 1 || e.Month > 12:
		f.Mistyped(payment.ExpiryInvalid)
	case e.Year < today.Year() || e.Year == today.Year() && e.Month < int(today.Month()):
		f.Mistyped(payment.CardExpired)
	}
	return e
}

func number(twoDigits string) int { return int(twoDigits[0]-'0')*10 + int(twoDigits[1]-'0') }

// paymentToken reads a network token (§3.1). Nobody types its number: a wrong check digit is the network's to refuse.
func (r *Reading) paymentToken(in PaymentToken) {
	f := &r.Faults
	const at = "accountDetails.paymentToken."
	Required(f, at+"nameOnCard", in.NameOnCard)
	pan, err := card.ParsePAN(Required(f, at+"paymentTokenAccountNumber", in.PaymentTokenAccountNumber).Reveal())
	if err != nil {
		f.Wrong(at+"paymentTokenAccountNumber", "must be 13 to 19 digits")
	}
	r.Order.PAN = pan
	if in.ExpiryMonth != nil || in.ExpiryYear != nil {
		r.Order.Expiry = r.answer.expiry(f, at, in.ExpiryMonth, in.ExpiryYear)
	}
	kind := gsp.AtMostOne
	if r.answer.API.TokenTypes {
		kind = gsp.ExactlyOne
	}
	f.Note(kind(at+"token_type", in.TokenTypeDeviceToken != nil, in.TokenTypeMerchantToken != nil,
		in.TokenTypeUnsupported != nil, in.TokenTypeNotApplicable != nil))
	r.Order.Token.Kind = payment.OtherToken
	switch {
	case in.TokenTypeDeviceToken != nil:
		r.Order.Token.Kind = payment.DeviceToken
	case in.TokenTypeMerchantToken != nil:
		r.Order.Token.Kind = payment.MerchantToken
	}
	if in.Cryptogram != nil {
		r.Order.Token.Cryptogram = in.Cryptogram.Secret
	}
}

// Address reads where the card's bills go. Parts that no network of ours looks at are dropped; all of them empty is no address.
func (r *Reading) Address(in *AddressVerificationData) {
	if in == nil {
		return
	}
	a := payment.Address{Lines: in.AddressLine, PostalCode: text(in.PostalCodeNumber), Country: text(in.CountryCode)}
	if a.Country != "" && (len(a.Country) != 2 || strings.Trim(a.Country, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "") {
		r.Wrong("addressVerificationData.countryCode", "must be two capital letters")
	}
	r.Order.Address, r.answer.address = a, !in.empty()
}

func (in AddressVerificationData) empty() bool {
	return strings.Join(in.AddressLine, "")+text(in.LocalityName)+text(in.AdministrativeAreaName)+
		text(in.PostalCodeNumber)+text(in.CountryCode) == ""
}

// text is the value of an optional member.
func text(member *string) string {
	if member == nil {
		return ""
	}
	return *member
}

var (
	wishes = map[UserSelectedProcessingNetworkType]payment.NetworkWish{
		NetworkTypeCredit: payment.WishCredit,
		NetworkTypeDebit:  payment.WishDebit,
	}
	intents = map[TransactionIntentClassification]payment.Intent{
		IntentInstallment: payment.Instalment,
		IntentRecurring:   payment.Recurring,
		IntentUnscheduled: payment.Unscheduled,
	}
)

const optionsAt = "additionalTransactionProcessingOptions"

// options reads the four unions that a payment requires and a card check does not, and the one that is optional everywhere (§3.2).
func (r *Reading) options(in AdditionalTransactionProcessingOptions, union func(string, ...bool) error) {
	const at = optionsAt + "."
	f := &r.Faults
	f.Note(union(at+"processing_network_type", in.ProcessingNetworkType != nil, in.ProcessingNetworkTypeNotApplicable != nil))
	f.Note(union(at+"electronic_commerce_indicator_option",
		in.ElectronicCommerceIndicator != nil, in.ElectronicCommerceIndicatorNotApplicable != nil))
	f.Note(union(at+"authentication_details",
		in.ThreeDSecureAuthenticationDetails != nil, in.ThreeDSecureNotAppplicable != nil || in.ThreeDSecureNotApplicable != nil))
	f.Note(union(at+"stored_credentials",
		in.StoredCredential != nil, in.StoredCredentialNotApplicable != nil))
	f.Note(gsp.AtMostOne(at+"sca_exemption_type",
		in.ScaExemptionNotApplicable != nil, in.ScaLowValueTransaction != nil, in.ScaTransactionRiskAnalysis != nil))

	if v := in.ProcessingNetworkType; v != nil {
		r.Order.Network = wishes[open(f, at+"userSelectedProcessingNetworkType", *v)] // a rail we do not know is no wish
	}
	if v := in.ElectronicCommerceIndicator; v != nil {
		if r.Order.ECI = *v; !Digits(*v, 1, 2) {
			f.Wrong(at+"electronicCommerceIndicator", "must be one or two digits")
		}
	}
	if v := in.ThreeDSecureAuthenticationDetails; v != nil {
		const at = at + "threeDSecureAuthenticationDetails."
		r.Order.ThreeDS = payment.ThreeDS{
			DirectoryServerID: Required(f, at+"directoryServerTransactionId", v.DirectoryServerTransactionID),
			CAVV:              Required(f, at+"cavv", v.CAVV).Secret,
			Version:           text(v.ThreeDSVersion),
			ServerID:          text(v.ThreeDSServerTransactionID),
		}
	}
	if v := in.StoredCredential; v != nil {
		r.stored(at+"storedCredentialTransactionInformation", *v)
	}
	switch {
	case !r.answer.API.Exemptions:
	case in.ScaLowValueTransaction != nil:
		r.Order.Exemption = payment.LowValue
	case in.ScaTransactionRiskAnalysis != nil:
		r.Order.Exemption = payment.RiskAnalysis
	}
}

func (r *Reading) stored(at string, in StoredCredentialTransactionInformation) {
	f, s := &r.Faults, payment.StoredCredential{}
	f.Note(gsp.ExactlyOne(at, in.CustomerInitiated != nil, in.MerchantInitiated != nil))
	intent := func(at string, v *TransactionIntentClassification) payment.Intent {
		at += ".transactionIntentClassification"
		return intents[open(f, at, Required(f, at, v))]
	}
	if v := in.CustomerInitiated; v != nil {
		at := at + ".customerInitiated"
		s.Initiator, s.Intent = payment.ByCustomer, intent(at, v.TransactionIntentClassification)
		s.StorageAsStated = string(open(f, at+".instrumentStorageType", Required(f, at+".instrumentStorageType", v.InstrumentStorageType)))
	}
	if v := in.MerchantInitiated; v != nil {
		at := at + ".merchantInitiated"
		s.Initiator, s.Intent, s.StoredBefore = payment.ByMerchant, intent(at, v.TransactionIntentClassification), true
		f.Note(gsp.ExactlyOne(at+".previousTransactionInformation",
			v.PreviousTransactionInformation != nil, v.PreviousTransactionInformationNotProvided != nil))
		if v.PreviousTransactionInformation != nil {
			s.EarlierNetwork = text(v.PreviousTransactionInformation.NetworkTransactionIdentifier)
		}
	}
	r.Order.Stored, r.answer.stored = s, true
}

// Either is a member that has two places and stands in one of them at most.
func Either[T any](f *Faults, path string, top, inOptions *T) *T {
	if top != nil && inOptions != nil {
		f.Wrong(path, "must not stand at the top and in "+optionsAt+" too")
	}
	return cmp.Or(top, inOptions)
}

// captureAsk reads P2 (§4.2). Its amount is in the currency of the hold, which only the engine knows.
func (t Terms) captureAsk(in AsynchronousCaptureFundsReservationRequest) (engine.CaptureAsk, error) {
	var f Faults
	return engine.CaptureAsk{
		Reservation: engine.Key{Account: t.Account.ID, RequestID: Required(&f, "reservationRequestId", in.ReservationRequestID)},
		Amount:      t.later(&f, "amount", Required(&f, "amount", in.Amount)),
		Encode: func(captureID string) ([]byte, error) {
			out := AsynchronousCaptureFundsReservationResponse{Result: Acknowledged}
			if t.API.CaptureIDs {
				out.PaymentIntegratorCaptureID = captureID
			}
			return gsp.Encode(out)
		},
	}, f.err()
}

// cancelAsk reads P3 (§4.3).
func (t Terms) cancelAsk(in AsynchronousCancelFundsReservationRequest) (engine.CancelAsk, error) {
	var f Faults
	id := Required(&f, "reservationRequestId", in.ReservationRequestID)
	return engine.CancelAsk{
		Reservation: engine.Key{Account: t.Account.ID, RequestID: id},
		Encode: func() ([]byte, error) {
			return gsp.Encode(AsynchronousCancelFundsReservationResponse{Result: Acknowledged})
		},
	}, f.err()
}

// refundAsk reads P4 (§4.4; FOP P5, §4.5). Its amount is in the currency of the payment, which only the engine knows.
func (t Terms) refundAsk(in AsynchronousRefundRequest) (engine.RefundAsk, error) {
	var f Faults
	return engine.RefundAsk{
		Capture: engine.Key{Account: t.Account.ID, RequestID: Required(&f, "captureRequestId", in.CaptureRequestID)},
		Amount:  t.later(&f, "refundAmount", Required(&f, "refundAmount", in.RefundAmount)),
		Encode: func(string) ([]byte, error) {
			return gsp.Encode(AsynchronousRefundResponse{Result: Acknowledged})
		},
	}, f.err()
}

// The bounds of a defence (§4.6; FOP §4.7): a document, and the body around it, which base64 makes larger twice.
const (
	maxDocument    = 16 << 20
	MaxDefenceBody = 32 << 20
)

// defendAsk reads P6 (§4.6; FOP P7, §4.7). A document that is no PDF is an answer, not a fault; so is a capture that nobody knows.
func (t Terms) defendAsk(in DefendChargebackRequest) (engine.DefendAsk, error) {
	var f Faults
	const at = "defenseMaterialDocument."
	doc := Required(&f, "defenseMaterialDocument", in.DefenseMaterialDocument)
	ask := engine.DefendAsk{Capture: engine.Key{Account: t.Account.ID, RequestID: text(in.CaptureRequestID)}}
	mime, payload := open(&f, at+"mimeType", Required(&f, at+"mimeType", doc.MimeType)), Required(&f, at+"payload", doc.Payload)
	f.Note(gsp.ExactlyOne("criteria", in.CaptureRequestID != nil, in.MrnPaymentDetails != nil))
	if in.CaptureRequestID != nil && *in.CaptureRequestID == "" {
		f.Wrong("captureRequestId", "must not be empty") // it would be a payment made elsewhere
	}
	document, fits := readPDF(payload.Reveal())
	if !fits {
		f.Wrong(at+"payload", "must be at most 16 MiB")
	}
	if mime == MimePDF {
		ask.Document = document
	}
	ask.Encode = func(r engine.DefendResult) ([]byte, error) {
		return gsp.Encode(DefendChargebackResponse{defendResults[r]})
	}
	return ask, f.err()
}

// readPDF decodes base64url or base64, padded or not. It is nil for what is no PDF, and says whether the size is one that we take.
func readPDF(payload string) (document []byte, fits bool) {
	payload = strings.TrimRight(payload, "=")
	alphabet := base64.RawURLEncoding
	if strings.ContainsAny(payload, "+/") {
		alphabet = base64.RawStdEncoding
	}
	if alphabet.DecodedLen(len(payload)) > maxDocument {
		return nil, false
	}
	document, err := alphabet.DecodeString(payload)
	if err != nil || !bytes.HasPrefix(document, []byte("%PDF-")) {
		return nil, true
	}
	return document, true
}

var defendResults = map[engine.DefendResult]DefendChargebackResultCode{
	engine.DefenceTaken:            DefendSuccess,
	engine.DefenceOfUnknownCapture: DefendCaptureRequestIDNotFound,
	engine.DefenceUnreadable:       DefendInvalidDocumentFormat,
	engine.DefenceOfNothing:        DefendChargebackNotDefendable,
}

// Reserved writes P1's answer (§4.1). It fails where this account has no word for the outcome but "not now" (§7.2, code 91).
func (a Answer) Reserved(r engine.ReserveResult) (ReserveFundsResponse, error) {
	code, err := a.Code(r.Outcome)
	out := ReserveFundsResponse{CheckResults: a.Checks(r.Outcome), CardMetadata: Metadata(r.Outcome), Result: code}
	if r.Outcome.Verdict == payment.Approved {
		out.PaymentIntegratorFundsReservationID = r.ReservationID
		out.ReservationExpirationTimestamp = gsp.Int64(r.HoldUntil.UnixMilli())
		out.AdditionalTransactionProcessingResult = a.StoredCredential(r.Outcome)
	}
	return out, err
}

// Verified writes the answer to a check by a hold (P5, §4.5; FOP P6, §4.6). A card that was refused is told to work with no flow.
func (a Answer) Verified(r engine.ReserveResult) (VerifyCardWithMinimumReservationResponse, error) {
	code, err := a.Code(r.Outcome)
	out := VerifyCardWithMinimumReservationResponse{
		CheckResults: a.Checks(r.Outcome), CardMetadata: Metadata(r.Outcome), FundsTransferFlow: FlowNotSupported,
		ReserveCaptureFlow: FlowNotSupported, Result: code,
	}
	if r.Outcome.Verdict == payment.Approved {
		out.FundsTransferFlow, out.ReserveCaptureFlow = flow(a.API.Sells), flow(!r.SellsOnly)
		out.AdditionalTransactionProcessingResult = a.StoredCredential(r.Outcome)
	}
	return out, err
}

func flow(works bool) CapabilitySupport {
	if works {
		return FlowSupported
	}
	return FlowNotSupported
}

// Code says what came of a question about a card (§7.1).
func (a Answer) Code(o payment.Outcome) (ReserveFundsResultCode, error) {
	if o.Verdict == payment.Approved {
		return ReserveFundsSuccess, nil
	}
	i := slices.IndexFunc(a.API.Declines, func(d Decline) bool { return d.reason == o.Decline })
	if i < 0 {
		return ReserveFundsIssuerDeclined, nil // the raw code goes with it
	}
	row := a.API.Declines[i]
	switch said := row.said[a.purpose]; {
	case said == proven, said == listed && slices.Contains(a.Profile.Emit, row.code):
		return row.code, nil
	case row.otherwise == "503":
		return "", fault.New(fault.Unavailable, "the card network cannot decide now")
	default:
		return ReserveFundsResultCode(row.otherwise), nil
	}
}

// Checks says what the network did with what the request sent.
func (a Answer) Checks(o payment.Outcome) CheckResults {
	return CheckResults{a.Profile.networkResult(o), a.addressResult(o.AVS), a.cvnResult(o)}
}

// networkResult hands the network's own codes over, untouched (§3.9).
func (p Profile) networkResult(o payment.Outcome) (out CardNetworkResult) {
	out.AuthorizationCode = o.Approval
	code := ResponseCode(o.Code)
	switch {
	case o.Code == "":
		out.CardNetworkResultNotAvailable = &gsp.Empty{}
	case p.NetworkResult != PassThroughForm:
		out.RawResult = &RawResult{Scope: ScopeISO8583Code, RawCode: o.Code}
	case len(o.Code) == 3: // the 1993 edition has three digits
		out.PassThroughResponseCodes = &PassThroughResponseCodes{Iso8583V1993ResponseCode: code, MerchantAdviceCode: ResponseCode(o.AdviceCode)}
	default:
		out.PassThroughResponseCodes = &PassThroughResponseCodes{Iso8583V1987ResponseCode: code, MerchantAdviceCode: ResponseCode(o.AdviceCode)}
	}
	return out
}

var cvnResults = map[payment.CVNCheck]CvnResult{ // rails §1.15
	payment.CVNNoResult:          CvnNotSpecified,
	payment.CVNMatch:             CvnMatch,
	payment.CVNNoMatch:           CvnMismatch,
	payment.CVNSkippedByNetwork:  CvnSkippedByNetwork,
	payment.CVNNotSpecified:      CvnNotSpecified,
	payment.CVNNotVerified:       CvnNotVerified,
	payment.CVNIssuerUnsupported: CvnUnsupportedByIssuer,
}

func (a Answer) cvnResult(o payment.Outcome) CvnResult {
	switch {
	case !a.cvn:
		return cmp.Or(a.Profile.CVNNotSent, a.API.CVN)
	case o.Code == "": // no network was asked
		return CvnNotVerified
	}
	return cvnResults[o.CVN]
}

var avsParts = map[payment.AVSPart]VerificationResult{
	payment.AVSNoResult:   VerificationNotSpecified,
	payment.AVSMatch:      VerificationMatch,
	payment.AVSNoMatch:    VerificationMismatch,
	payment.AVSNotChecked: VerificationSkippedByNetwork,
}

// addressResult says what the network did with the address (§3.7; FOP §3.6).
func (a Answer) addressResult(check payment.AVSCheck) AddressVerificationResult {
	switch {
	case !a.address:
		return AddressVerificationResult{NotSent: &AddressNotSent{cmp.Or(a.Profile.AVSNotSent, a.API.AVS)}}
	case check.Raw == "":
		return AddressVerificationResult{SentUnsupported: &AddressSentUnsupported{AvsUnsupportedByNetwork}}
	case check.Unsupported:
		return AddressVerificationResult{SentUnsupported: &AddressSentUnsupported{AvsUnsupportedByIssuer}}
	}
	return AddressVerificationResult{Result: &AddressResult{
		RawAvsResult:     check.Raw,
		AddressLine:      avsParts[check.Line],
		PostalCodeNumber: avsParts[check.PostalCode],
		// no network of ours looks at these
		LocalityName: VerificationSkippedByNetwork, AdministrativeAreaName: VerificationSkippedByNetwork,
		CountryCode: VerificationSkippedByNetwork, NameOnCard: VerificationSkippedByNetwork,
	}}
}

// Metadata says what is known about the card.
func Metadata(o payment.Outcome) CardMetadata {
	return CardMetadata{IssuerName: o.Issuer, IssuingCountryCode: o.IssuerCountry, Networks: o.Brands, CardType: cardTypes[o.CardKind]}
}

var cardTypes = map[payment.CardKind]CardType{
	payment.CardKindUnknown: CardTypeUnknown,
	payment.Credit:          CardTypeCredit,
	payment.Debit:           CardTypeDebit,
	payment.Prepaid:         CardTypePrepaid,
}

// StoredCredential says what became of the stored credential (§3.5; FOP §3.4).
func (a Answer) StoredCredential(o payment.Outcome) *AdditionalTransactionProcessingResult {
	switch {
	case !a.stored:
		return &AdditionalTransactionProcessingResult{StoredCredentialInformationNotSent: &gsp.Empty{}}
	case o.NetworkID == "":
		return &AdditionalTransactionProcessingResult{StoredCredentialInformationUnsupported: &StoredCredentialInformationUnsupported{
			ReasonDescription: "the network gave no transaction identifier",
		}}
	}
	return &AdditionalTransactionProcessingResult{StoredCredentialInformationSuccessful: &StoredCredentialInformationSuccessful{
		NetworkTransactionIdentifier: o.NetworkID, SupplementaryNetworkTransactionIdentifier: o.LinkID,
	}}
}

// refundResult is how a verdict on a refund is said, and what stands in for the word where neither the API's evidence nor the account has
// it. Where nobody can be paid, "too late" is the nearest of the Korean words that does not say that the money is gone.
type refundResult struct {
	verdict   string
	code      RefundResultCode
	otherwise RefundResultCode
}

var refundResults = []refundResult{ // §5.3
	{"SUCCESS", RefundResultSuccess, ""},
	{string(payment.RefundNothingLeft), RefundResultNoMoneyLeft, ""},
	{string(payment.RefundTooLate), RefundResultWindowExceeded, ""},
	{string(payment.RefundUnsupported), RefundResultNotSupported, RefundResultWindowExceeded},
	{string(payment.RefundIssuerDeclined), RefundResultIssuerDeclined, RefundResultWindowExceeded},
	{string(payment.RefundLostOrStolen), RefundResultCardLostOrStolen, RefundResultWindowExceeded},
	{string(payment.RefundCardCancelled), RefundResultCardCancelled, RefundResultWindowExceeded},
	{string(payment.RefundChargebackFirst), RefundResultChargebackInPlace, RefundResultNoMoneyLeft},
}

// refundCode says a verdict in Google's words. What is not listed is no verdict.
func (a API) refundCode(p Profile, verdict string) (RefundResultCode, bool) {
	i := slices.IndexFunc(refundResults, func(r refundResult) bool { return r.verdict == verdict })
	if i < 0 {
		return "", false
	}
	r := refundResults[i]
	if p.RefundCodes == nil || slices.Contains(a.Refunds, r.code) || slices.Contains(p.RefundCodes, r.code) {
		return r.code, true
	}
	return r.otherwise, true
}

var disputeReasons = map[payment.DisputeReason]PaymentDisputeReasonCode{ // §5.13; FOP §5.12: complete
	payment.Fraud:                     "FRAUD",
	payment.FamiliarFraud:             "FAMILIAR_FRAUD",
	payment.Suspicious:                "SUSPICIOUS",
	payment.ChargeNotRecognized:       "CHARGE_NOT_RECOGNIZED",
	payment.CreditNotProcessed:        "CREDIT_NOT_PROCESSED",
	payment.DuplicatePayment:          "DUPLICATE_PAYMENT",
	payment.SubscriptionCanceled:      "SUBSCRIPTION_CANCELED",
	payment.InputError:                "INPUT_ERROR",
	payment.NoFunds:                   "INSUFFICIENT_FUNDS",
	payment.NotDelivered:              "NOT_DELIVERED",
	payment.DefectiveOrNotAsDescribed: "DEFECTIVE_OR_NOT_AS_DESCRIBED",
	payment.IncorrectMerchandise:      "INCORRECT_MERCHANDISE",
	payment.UnwantedMerchandise:       "UNWANTED_MERCHANDISE",
	payment.UnclearReason:             DisputeUnclear,
	payment.OtherReason:               "OTHER",
	payment.AmountDiffers:             "TRANSACTION_AMOUNT_DIFFER",
	payment.PaidByOtherMeans:          "PAID_BY_OTHER_MEANS",
	payment.LatePresentment:           "LATE_PRESENTMENT",
}

var chargebackStages = map[payment.Stage]ChargebackStage{
	payment.First:  ChargebackFirst,
	payment.Second: ChargebackSecond,
}
