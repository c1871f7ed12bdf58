package gsp

import (
	"errors"
	"net/http"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"naru/core/fault"
)

// answer is how the wire says a fault.
type answer struct {
	status int
	a, b   string // errorResponseCode (A), the key of errorResponseResult (B); empty: the status says all
}

// answers turns kinds into the wire (gsp-core §5.2, §5.3). USER_ACTION_IN_PROGRESS is not in it: it must not stand for faults of our own.
var answers = [...]answer{
	fault.Internal:      {status: http.StatusInternalServerError}, // §5.2: Google repeats
	fault.Unavailable:   {status: http.StatusServiceUnavailable},  // §4.2 example 2
	fault.Aborted:       {status: http.StatusConflict},            // §4.3 step 5
	fault.TooMany:       {status: http.StatusTooManyRequests},     // §5.2
	fault.Missing:       {http.StatusBadRequest, "MISSING_REQUIRED_FIELD", "missingRequiredField"},
	fault.Invalid:       {http.StatusBadRequest, "INVALID_FIELD_VALUE", "invalidFieldValue"},
	fault.Unknown:       {http.StatusNotFound, "INVALID_IDENTIFIER", "invalidIdentifier"},
	fault.Precondition:  {http.StatusBadRequest, "PRECONDITION_VIOLATION", "preconditionViolation"},
	fault.KeyReused:     {http.StatusPreconditionFailed, "IDEMPOTENCY_VIOLATION", "idempotencyViolation"}, // §4.1 I10
	fault.Forbidden:     {http.StatusForbidden, "FORBIDDEN", "forbidden"},
	fault.BadVersion:    {http.StatusBadRequest, "INVALID_API_VERSION", "invalidApiVersion"},                     // §5.4 step 8
	fault.StaleTime:     {http.StatusBadRequest, "REQUEST_TIMESTAMP_OUT_OF_RANGE", "requestTimestampOutOfRange"}, // step 10
	fault.BadSignature:  {http.StatusUnauthorized, "INVALID_PAYLOAD_SIGNATURE", "invalidPayloadSignature"},       // step 5
	fault.BadEncryption: {http.StatusBadRequest, "INVALID_PAYLOAD_ENCRYPTION", "invalidPayloadEncryption"},       // steps 3, 4
	fault.BadSyntax:     {http.StatusBadRequest, "INVALID_DECRYPTED_REQUEST", "invalidDecryptedRequest"},         // step 6
}

// answerTo is the row of a kind; a kind without a row says nothing, as Internal does.
func answerTo(k fault.Kind) answer {
	if int(k) < len(answers) && answers[k].status != 0 {
		return answers[k]
	}
	return answers[fault.Internal]
}

// failure is a fault with what generation B tells beside its code.
type failure struct {
	fault  *fault.Error
	detail string // a JSON object (gsp-core §5.3, O5)
}

func (f *failure) Error() string { return f.fault.Error() }
func (f *failure) Unwrap() error { return f.fault }

// Missing is the fault of a member that must be there. Field is its path, such as accountDetails.accountNumber.
func Missing(field string) error { return fault.New(fault.Missing, "%s is required", field) }

// Invalid is the fault of a member whose value is not supported. Why says what would be; it never repeats the value.
func Invalid(field, why string) error {
	quoted, _ := jsontext.AppendQuote(nil, field)
	return &failure{fault.New(fault.Invalid, "%s %s", field, why), `{"invalidFieldName":` + string(quoted) + `}`}
}

// appendError writes an ErrorResponse (gsp-core §5.3). An empty id is left out.
func (g Generation) appendError(dst []byte, now time.Time, err error, id string) []byte {
	kind, public := fault.Of(err)
	row := answerTo(kind)
	m := []byte{'{'}
	switch {
	case row.a == "":
	case g == A:
		m = appendText(m, "errorResponseCode", row.a)
	default:
		detail := `{}`
		if f := (*failure)(nil); errors.As(err, &f) {
			detail = f.detail
		}
		m = append(m, `"errorResponseResult":{"`+row.b+`":`+detail+`}`...)
	}
	m = appendText(m, "errorDescription", public)
	m = appendText(m, "paymentIntegratorErrorIdentifier", id)
	return g.appendResponse(dst, now, append(m, '}'))
}

// appendText adds a string member to an object that is still open, unless the string is empty.
func appendText(dst []byte, name, value string) []byte {
	if value == "" {
		return dst
	}
	if dst[len(dst)-1] != '{' {
		dst = append(dst, ',')
	}
	dst = append(append(append(dst, '"'), name...), '"', ':')
	dst, _ = jsontext.AppendQuote(dst, value) // bad UTF-8 is replaced, which is right here
	return dst
}
