package koreacards

import (
	_ "embed"
	"encoding/base64"
	"fmt"
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

// Profile is what one account's contract changes. Its zero value is what the sheet recommends.
type Profile struct {
	Emit          []ReserveFundsResultCode `toml:"emit"`           // result codes without Korea evidence that may be sent (§7.1)
	NetworkResult NetworkResultForm        `toml:"network_result"` // how the network's code is handed over (§3.9)
	HolderFields  HolderFields             `toml:"holder_fields"`  // how the four Korea-only members are read (§3.2)
	SkipLuhn      bool                     `toml:"skip_luhn"`      // leave the check digit to the network (§3.1)

	VerifyPlainCodes bool                 `toml:"verify_plain_codes"` // card checks say ISSUER_DECLINED to a wrong PIN or birth date (§14.9)
	RefundCodes      []RefundResultCode   `toml:"refund_codes"`       // those without Korea evidence that may be sent; absent: all (§5.3)
	FraudTypes       map[string]FraudType `toml:"fraud_types"`        // words for the network's fraud codes, once they can be spelled (§5.8)
}

// NetworkResultForm is the member of cardNetworkResult that carries the network's code.
type NetworkResultForm string

// The forms.
const (
	RawForm         NetworkResultForm = "" // rawResult: deprecated, but the only one whose shape is fully known
	PassThroughForm NetworkResultForm = "passThrough"
)

// HolderFields is how pin, dateOfBirth, businessIdentifier and connectingInformation are read. Their formats are inferred (§3.2).
type HolderFields string

// The readings.
const (
	LenientHolder HolderFields = ""       // every form that §3.2 knows
	StrictHolder  HolderFields = "strict" // the first form only; birth date or business number, not both
	AnyHolder     HolderFields = "any"    // never refuses: what has no known form is left out, and the network decides
)

// Check says what is wrong with a profile.
func (p Profile) Check() error {
	for _, code := range p.Emit {
		if !slices.ContainsFunc(results, func(r result) bool { return r.code == code }) {
			return fmt.Errorf("emit: %s is no result code of reserveFunds", code)
		}
	}
	for _, code := range p.RefundCodes {
		if !slices.ContainsFunc(refundResults, func(r refundResult) bool { return r.code == code && r.otherwise != "" }) {
			return fmt.Errorf("refund_codes: %s is no result code of a refund that may be left out", code)
		}
	}
	for code, word := range p.FraudTypes {
		if word == "" || code == "" {
			return fmt.Errorf("fraud_types: %q = %q says nothing", code, word)
		}
	}
	if !slices.Contains([]NetworkResultForm{RawForm, "raw", PassThroughForm}, p.NetworkResult) {
		return fmt.Errorf("network_result: %q is neither raw nor passThrough", p.NetworkResult)
	}
	if !slices.Contains([]HolderFields{LenientHolder, "lenient", StrictHolder, AnyHolder}, p.HolderFields) {
		return fmt.Errorf("holder_fields: %q is neither lenient, strict nor any", p.HolderFields)
	}
	return nil
}

// terms are what a message is read against.
type terms struct {
	account engine.Account
	profile Profile
	now     time.Time // business time
}

// finding collects what is wrong with a message. A missing member goes before a wrong value (§10), and both go before a decline.
type finding struct {
	missing, invalid error
	decline          payment.Reason // what the holder mistyped: an answer, not an error (§4.1)
}

// note keeps the first fault of each kind.
func (f *finding) note(err error) {
	switch kind, _ := fault.Of(err); {
	case err == nil:
	case kind == fault.Missing && f.missing == nil:
		f.missing = err
	case kind != fault.Missing && f.invalid == nil:
		f.invalid = err
	}
}

func (f *finding) wrong(path, rule string) { f.note(gsp.Invalid(path, rule)) }

func (f *finding) mistyped(why payment.Reason) {
	if f.decline == "" {
		f.decline = why
	}
}

func (f *finding) err() error {
	if f.missing != nil {
		return f.missing
	}
	return f.invalid
}

// required is the value of a member that must be there.
func required[T any](f *finding, path string, member *T) (v T) {
	f.note(gsp.Required(path, member != nil))
	if member == nil {
		return v
	}
	return *member
}

// open is a value of an enum whose list is open: anything but its zero value (§3: "..._UNSPECIFIED", "UNKNOWN_..." or "..._UNKNOWN").
func open[T ~string](f *finding, path string, v T) T {
	s := string(v)
	if s == "" || strings.HasSuffix(s, "_UNSPECIFIED") || strings.HasPrefix(s, "UNKNOWN_") || strings.HasSuffix(s, "_UNKNOWN") {
		f.wrong(path, "must be a value of its list")
	}
	return v
}

func digits(text string, least, most int) bool {
	return len(text) >= least && len(text) <= most && strings.Trim(text, "0123456789") == ""
}

// reserveAsk reads P1 (§4.1).
func (t terms) reserveAsk(in ReserveFundsRequest) (engine.ReserveAsk, error) {
	var f finding
	order := payment.AuthOrder{
		Amount:    t.amount(&f, required(&f, "currencyCode", in.CurrencyCode), required(&f, "amount", in.Amount)),
		Statement: required(&f, "transactionDescription", in.TransactionDescription), // any length: the network gets what fits
		MCC:       category(&f, required(&f, "merchantCategoryCode", in.MerchantCategoryCode)),
	}
	account := required(&f, "accountDetails", in.AccountDetails)
	f.note(gsp.ExactlyOne("accountDetails", account.Card != nil, account.PaymentToken != nil))
	if account.Card != nil {
		t.card(&f, "accountDetails.card.", *account.Card, &order)
	}
	if account.PaymentToken != nil {
		t.paymentToken(&f, *account.PaymentToken, &order)
	}
	if in.AddressVerificationData != nil {
		order.Address = address(&f, *in.AddressVerificationData)
	}
	options := required(&f, "additionalTransactionProcessingOptions", in.AdditionalTransactionProcessingOptions)
	readOptions(&f, options, &order, gsp.ExactlyOne)
	order.Holder = t.holder(&f, optionsAt, options.HolderData)
	return holdAsk(&f, order, sent(order, in.AddressVerificationData, options.StoredCredential), t.reserveResponse)
}

// holdAsk ends the reading of a message that asks a network about a card: a fault, or a question with the way its answer is written.
func holdAsk[T any](
	f *finding, order payment.AuthOrder, with sentParts, response func(sentParts, engine.ReserveResult) (T, error),
) (engine.ReserveAsk, error) {
	if err := f.err(); err != nil {
		return engine.ReserveAsk{}, err
	}
	ask := engine.ReserveAsk{Order: order}
	if f.decline != "" {
		ask.Decided = &payment.Outcome{Verdict: payment.Refused, Decline: f.decline}
	}
	ask.Encode = func(r engine.ReserveResult) ([]byte, error) {
		out, err := response(with, r)
		if err != nil {
			return nil, err
		}
		return gsp.Encode(out)
	}
	return ask, nil
}

func category(f *finding, code string) string {
	if !digits(code, 4, 4) {
		f.wrong("merchantCategoryCode", "must be four digits")
	}
	return code
}

// amount reads micros of a contracted currency: more than nothing, no fraction of its minor unit (§2.2).
func (t terms) amount(f *finding, code string, micros gsp.Int64) money.Amount {
	c, ok := t.currency(f, code)
	if !ok {
		return money.Amount{}
	}
	a, err := amountIn("amount", c, micros)
	f.note(err)
	return a
}

func (t terms) currency(f *finding, code string) (money.Currency, bool) {
	c, known := money.Lookup(code)
	if !known || !t.account.Accepts(c) {
		f.wrong("currencyCode", "is not contracted for this account")
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
func (t terms) later(f *finding, path string, micros gsp.Int64) func(money.Currency) (money.Amount, error) {
	fits := func(c money.Currency) bool { _, err := amountIn(path, c, micros); return err == nil }
	if !slices.ContainsFunc(t.account.Currencies, fits) {
		f.wrong(path, "must be more than nothing and whole minor units")
	}
	return func(c money.Currency) (money.Amount, error) { return amountIn(path, c, micros) }
}

// card reads a plain card (§3.1). What a holder can mistype declines, what no holder can have typed is refused (§4.1).
func (t terms) card(f *finding, at string, in Card, order *payment.AuthOrder) {
	required(f, at+"nameOnCard", in.NameOnCard) // no network of ours takes it
	pan, err := card.ParsePAN(required(f, at+"accountNumber", in.AccountNumber).Reveal())
	switch {
	case err != nil:
		f.wrong(at+"accountNumber", "must be 13 to 19 digits")
	case !t.profile.SkipLuhn && !pan.Luhn():
		f.mistyped(payment.CardNumberInvalid)
	}
	order.PAN = pan
	if in.ExpiryMonth != nil || in.ExpiryYear != nil {
		order.Expiry = t.expiry(f, at, in.ExpiryMonth, in.ExpiryYear)
	}
	if in.CVN != nil {
		if !digits(in.CVN.Reveal(), 3, 4) {
			f.wrong(at+"cvn", "must be 3 or 4 digits")
		}
		order.CVN = in.CVN.Secret
	}
}

// expiry reads MM and YY. A card is good through the last day of its month, where the account is.
func (t terms) expiry(f *finding, at string, month, year *string) card.Expiry {
	if month == nil || year == nil || !digits(*month, 2, 2) || !digits(*year, 2, 2) {
		f.wrong(at+"expiryMonth, expiryYear", "must be two digits each, and both or none")
		return card.Expiry{}
	}
	e := card.Expiry{Year: 2000 + number(*year), Month: number(*month)}
	today := t.now.In(t.account.Location)
	switch {
	case e.Month < 1 || e.Month > 12:
		f.mistyped(payment.ExpiryInvalid)
	case e.Year < today.Year() || e.Year == today.Year() && e.Month < int(today.Month()):
		f.mistyped(payment.CardExpired)
	}
	return e
}

func number(twoDigits string) int { return int(twoDigits[0]-'0')*10 + int(twoDigits[1]-'0') }

// paymentToken reads a network token (§3.1). Nobody types its number: a wrong check digit is the network's to refuse.
func (t terms) paymentToken(f *finding, in PaymentToken, order *payment.AuthOrder) {
	const at = "accountDetails.paymentToken."
	required(f, at+"nameOnCard", in.NameOnCard)
	pan, err := card.ParsePAN(required(f, at+"paymentTokenAccountNumber", in.PaymentTokenAccountNumber).Reveal())
	if err != nil {
		f.wrong(at+"paymentTokenAccountNumber", "must be 13 to 19 digits")
	}
	order.PAN = pan
	if in.ExpiryMonth != nil || in.ExpiryYear != nil {
		order.Expiry = t.expiry(f, at, in.ExpiryMonth, in.ExpiryYear)
	}
	f.note(gsp.AtMostOne(at+"token_type", in.TokenTypeDeviceToken != nil, in.TokenTypeMerchantToken != nil,
		in.TokenTypeUnsupported != nil, in.TokenTypeNotApplicable != nil))
	order.Token.Kind = payment.OtherToken
	switch {
	case in.TokenTypeDeviceToken != nil:
		order.Token.Kind = payment.DeviceToken
	case in.TokenTypeMerchantToken != nil:
		order.Token.Kind = payment.MerchantToken
	}
	if in.Cryptogram != nil {
		order.Token.Cryptogram = in.Cryptogram.Secret
	}
}

func address(f *finding, in AddressVerificationData) payment.Address {
	a := payment.Address{Lines: in.AddressLine, PostalCode: text(in.PostalCodeNumber), Country: text(in.CountryCode)}
	if a.Country != "" && (len(a.Country) != 2 || strings.Trim(a.Country, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "") {
		f.wrong("addressVerificationData.countryCode", "must be two capital letters")
	}
	return a
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

const optionsAt = "additionalTransactionProcessingOptions."

// readOptions reads the four unions that P1 requires and P5 does not, and the one that is optional everywhere (§3.2).
func readOptions(f *finding, in AdditionalTransactionProcessingOptions, order *payment.AuthOrder, union func(string, ...bool) error) {
	const at = optionsAt
	f.note(union(at+"processing_network_type", in.ProcessingNetworkType != nil, in.ProcessingNetworkTypeNotApplicable != nil))
	f.note(union(at+"electronic_commerce_indicator_option",
		in.ElectronicCommerceIndicator != nil, in.ElectronicCommerceIndicatorNotApplicable != nil))
	f.note(union(at+"authentication_details",
		in.ThreeDSecureAuthenticationDetails != nil, in.ThreeDSecureNotAppplicable != nil || in.ThreeDSecureNotApplicable != nil))
	f.note(union(at+"stored_credentials",
		in.StoredCredential != nil, in.StoredCredentialNotApplicable != nil))
	f.note(gsp.AtMostOne(at+"sca_exemption_type",
		in.ScaExemptionNotApplicable != nil, in.ScaLowValueTransaction != nil, in.ScaTransactionRiskAnalysis != nil))

	if v := in.ProcessingNetworkType; v != nil {
		order.Network = wishes[open(f, at+"userSelectedProcessingNetworkType", *v)] // a rail we do not know is no wish
	}
	if v := in.ElectronicCommerceIndicator; v != nil {
		if order.ECI = *v; !digits(*v, 1, 2) {
			f.wrong(at+"electronicCommerceIndicator", "must be one or two digits")
		}
	}
	if v := in.ThreeDSecureAuthenticationDetails; v != nil {
		const at = at + "threeDSecureAuthenticationDetails."
		order.ThreeDS = payment.ThreeDS{
			DirectoryServerID: required(f, at+"directoryServerTransactionId", v.DirectoryServerTransactionID),
			CAVV:              required(f, at+"cavv", v.CAVV).Secret,
			Version:           text(v.ThreeDSVersion),
			ServerID:          text(v.ThreeDSServerTransactionID),
		}
	}
	if v := in.StoredCredential; v != nil {
		order.Stored = storedCredential(f, at+"storedCredentialTransactionInformation", *v)
	}
}

func storedCredential(f *finding, at string, in StoredCredentialTransactionInformation) (s payment.StoredCredential) {
	f.note(gsp.ExactlyOne(at, in.CustomerInitiated != nil, in.MerchantInitiated != nil))
	intent := func(at string, v *TransactionIntentClassification) payment.Intent {
		at += ".transactionIntentClassification"
		return intents[open(f, at, required(f, at, v))]
	}
	if v := in.CustomerInitiated; v != nil {
		at := at + ".customerInitiated"
		s.Initiator, s.Intent = payment.ByCustomer, intent(at, v.TransactionIntentClassification)
		s.StorageAsStated = string(open(f, at+".instrumentStorageType", required(f, at+".instrumentStorageType", v.InstrumentStorageType)))
	}
	if v := in.MerchantInitiated; v != nil {
		at := at + ".merchantInitiated"
		s.Initiator, s.Intent, s.StoredBefore = payment.ByMerchant, intent(at, v.TransactionIntentClassification), true
		f.note(gsp.ExactlyOne(at+".previousTransactionInformation",
			v.PreviousTransactionInformation != nil, v.PreviousTransactionInformationNotProvided != nil))
		if v.PreviousTransactionInformation != nil {
			s.EarlierNetwork = text(v.PreviousTransactionInformation.NetworkTransactionIdentifier)
		}
	}
	return s
}

// holder reads the members that only Korea has (§3.2). Who sends none lets the network decide (§14 point 7).
func (t terms) holder(f *finding, at string, in HolderData) (h payment.Holder) {
	mode := t.profile.HolderFields
	read := func(name string, member *Secret, parse func(HolderFields, string) (string, payment.Reason, bool), rule string) (v card.Secret) {
		if member == nil {
			return v
		}
		value, decline, ok := parse(mode, member.Reveal())
		switch {
		case ok && decline == "":
			return card.Conceal(value)
		case mode == AnyHolder: // left out
		case !ok:
			f.wrong(at+name, rule)
		default:
			f.mistyped(decline)
		}
		return v
	}
	h.PINDigits = read("pin", in.PIN, pinDigits, "must be digits")
	h.BirthDate = read("dateOfBirth", in.DateOfBirth, birthDate, "must be a date, YYYY-MM-DD")
	h.BusinessNumber = read("businessIdentifier", in.BusinessIdentifier, businessNumber, "must be ten digits")
	h.CI = read("connectingInformation", in.ConnectingInformation, connectingInformation, "must be 64 bytes in base64")
	if mode == StrictHolder && in.DateOfBirth != nil && in.BusinessIdentifier != nil {
		f.wrong(at+"dateOfBirth", "must not come with businessIdentifier")
	}
	return h
}

// pinDigits are the first two digits of the card password; no more leave this function.
func pinDigits(mode HolderFields, s string) (string, payment.Reason, bool) {
	most := 4
	if mode == StrictHolder {
		most = 2
	}
	switch {
	case !digits(s, 1, len(s)):
		return "", "", false
	case len(s) < 2 || len(s) > most:
		return "", payment.PINMismatch, true
	}
	return s[:2], "", true
}

// birthDate is YYMMDD, which is what the networks take.
func birthDate(mode HolderFields, s string) (string, payment.Reason, bool) {
	forms := []string{"2006-01-02", "20060102", "060102"}
	if mode == StrictHolder {
		forms = forms[:1]
	}
	for _, form := range forms {
		if !sameShape(s, form) {
			continue
		}
		day, err := time.Parse(form, s)
		if err != nil { // the thirtieth of February
			return "", payment.BirthOrBusinessNo, true
		}
		return day.Format("060102"), "", true
	}
	return "", "", false
}

// sameShape reports whether s has digits where the form has, and the form's own signs elsewhere.
func sameShape(s, form string) bool {
	return strings.Map(zero, s) == strings.Map(zero, form)
}

func zero(r rune) rune {
	if r >= '0' && r <= '9' {
		return '0'
	}
	return r
}

func businessNumber(_ HolderFields, s string) (string, payment.Reason, bool) {
	s = strings.ReplaceAll(s, "-", "")
	return s, "", digits(s, 10, 10)
}

func connectingInformation(_ HolderFields, s string) (string, payment.Reason, bool) {
	raw, err := base64.StdEncoding.Strict().DecodeString(s)
	return s, "", err == nil && len(raw) == 64 && len(s) == 88
}

// captureAsk reads P2 (§4.2). Its amount is in the currency of the hold, which only the engine knows.
func (t terms) captureAsk(in AsynchronousCaptureFundsReservationRequest) (engine.CaptureAsk, error) {
	var f finding
	return engine.CaptureAsk{
		Reservation: engine.Key{Account: t.account.ID, RequestID: required(&f, "reservationRequestId", in.ReservationRequestID)},
		Amount:      t.later(&f, "amount", required(&f, "amount", in.Amount)),
		Encode: func(string) ([]byte, error) {
			return gsp.Encode(AsynchronousCaptureFundsReservationResponse{Result: Acknowledged})
		},
	}, f.err()
}

// cancelAsk reads P3 (§4.3).
func (t terms) cancelAsk(in AsynchronousCancelFundsReservationRequest) (engine.CancelAsk, error) {
	var f finding
	id := required(&f, "reservationRequestId", in.ReservationRequestID)
	return engine.CancelAsk{
		Reservation: engine.Key{Account: t.account.ID, RequestID: id},
		Encode: func() ([]byte, error) {
			return gsp.Encode(AsynchronousCancelFundsReservationResponse{Result: Acknowledged})
		},
	}, f.err()
}

// sentParts are the parts of a request that its answer speaks about.
type sentParts struct{ cvn, address, stored bool }

func sent(order payment.AuthOrder, a *AddressVerificationData, stored *StoredCredentialTransactionInformation) sentParts {
	return sentParts{cvn: !order.CVN.IsZero(), address: a != nil && !a.empty(), stored: stored != nil}
}

// reserveResponse writes P1's answer (§4.1). It fails where this account has no word for the outcome but "not now" (§7.2, code 91).
func (t terms) reserveResponse(sent sentParts, r engine.ReserveResult) (ReserveFundsResponse, error) {
	o := r.Outcome
	out := ReserveFundsResponse{
		CardNetworkResult:         t.profile.networkResult(o),
		AddressVerificationResult: addressResult(sent, o.AVS),
		CvnResult:                 cvnResult(sent, o),
		CardMetadata:              metadata(o),
		Result:                    ReserveFundsSuccess,
	}
	if o.Verdict != payment.Approved {
		code, err := t.profile.resultCode(o.Decline)
		out.Result = code
		return out, err
	}
	out.PaymentIntegratorFundsReservationID = r.ReservationID
	out.ReservationExpirationTimestamp = gsp.Int64(r.HoldUntil.UnixMilli())
	out.AdditionalTransactionProcessingResult = storedResult(sent, o)
	return out, nil
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
	payment.CVNIssuerUnsupported: CvnUnsupportedByIssuer,
}

func cvnResult(sent sentParts, o payment.Outcome) CvnResult {
	switch {
	case !sent.cvn:
		return CvnNotSentUnsupportedByNetwork // Korean domestic networks check none (§11)
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

// addressResult says what the network did with the address: Korean domestic networks do nothing with it (§3.7).
func addressResult(sent sentParts, check payment.AVSCheck) AddressVerificationResult {
	switch {
	case !sent.address:
		return AddressVerificationResult{NotSent: &AddressNotSent{NotSentUnsupportedByNetwork}}
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

func metadata(o payment.Outcome) CardMetadata {
	return CardMetadata{IssuerName: o.Issuer, IssuingCountryCode: o.IssuerCountry, Networks: o.Brands, CardType: cardTypes[o.CardKind]}
}

var cardTypes = map[payment.CardKind]CardType{
	payment.CardKindUnknown: CardTypeUnknown,
	payment.Credit:          CardTypeCredit,
	payment.Debit:           CardTypeDebit,
	payment.Prepaid:         CardTypePrepaid,
}

func storedResult(sent sentParts, o payment.Outcome) *AdditionalTransactionProcessingResult {
	switch {
	case !sent.stored:
		return &AdditionalTransactionProcessingResult{StoredCredentialInformationNotSent: &gsp.Empty{}}
	case o.NetworkID == "":
		return &AdditionalTransactionProcessingResult{StoredCredentialInformationUnsupported: &StoredCredentialInformationUnsupported{
			ReasonDescription: "the network gave no transaction identifier",
		}}
	}
	return &AdditionalTransactionProcessingResult{StoredCredentialInformationSuccessful: &StoredCredentialInformationSuccessful{
		NetworkTransactionIdentifier: o.NetworkID, SupplementaryNetworkTransactionIdentifier: o.NetworkID2,
	}}
}

// result is one row of results.csv: how a decline is said, how well that word is proven, and what stands in for it where it is not sent.
type result struct {
	reason    payment.Reason
	code      ReserveFundsResultCode
	evidence  string // korea: free; rev (a revision history), 2nd (a third-party copy): only where the profile lists the code
	otherwise string // ISSUER_DECLINED, or 503
}

//go:embed results.csv
var resultsCSV string

var results = readResults(resultsCSV)

func readResults(csv string) (rows []result) {
	for i, line := range strings.Split(strings.TrimSpace(csv), "\n") {
		f := strings.Split(strings.TrimSpace(line), ",")
		if len(f) != 4 {
			panic("koreacards: results.csv: every row has four columns: " + line)
		}
		if i > 0 {
			rows = append(rows, result{payment.Reason(f[0]), ReserveFundsResultCode(f[1]), f[2], f[3]})
		}
	}
	return rows
}

// resultCode says a decline in Google's words (§7.1).
func (p Profile) resultCode(why payment.Reason) (ReserveFundsResultCode, error) {
	i := slices.IndexFunc(results, func(r result) bool { return r.reason == why })
	if i < 0 {
		return ReserveFundsIssuerDeclined, nil // the raw code goes with it
	}
	switch r := results[i]; {
	case r.evidence == "korea", slices.Contains(p.Emit, r.code):
		return r.code, nil
	case r.otherwise == "503":
		return "", fault.New(fault.Unavailable, "the card network cannot decide now")
	default:
		return ReserveFundsResultCode(r.otherwise), nil
	}
}
