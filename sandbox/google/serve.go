package google

import (
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// notification is one method that we host: which request it ends, and in which words. Echo ends none.
type notification struct {
	name    string
	ends    string   // the method of the request that it is about
	subject string   // the member that names that request
	result  string   // the member with the verdict
	words   []string // the verdicts there are
}

var (
	echo    = &notification{name: "echo"} // G12
	capture = &notification{              // G1
		name: "captureFundsReservationResultNotification", ends: "asynchronousCaptureFundsReservation",
		subject: "captureFundsReservationRequestId", result: "captureFundsReservationResult",
		words: []string{"SUCCESS", "RESERVATION_EXPIRED", "REVOCATION_OF_AUTHORIZATION"},
	}
	cancel = &notification{ // G2
		name: "cancelFundsReservationResultNotification", ends: "asynchronousCancelFundsReservation",
		subject: "cancelFundsReservationRequestId", result: "cancelFundsReservationResult", words: []string{"SUCCESS"},
	}
)

// routes is where we host it (Korea §1.3). The path of G1 is irregular; the regular one leads to the same.
var routes = map[string]*notification{
	"/v1/payment-integrator-korea-cards-api/captureFundsReservationResultNotification": capture,
	"/google-korea-cards-api/v1/captureFundsReservationResultNotification":             capture,
	"/google-korea-cards-api/v1/cancelFundsReservationResultNotification":              cancel,
	"/v1/echo": echo,
}

// refusal is an ErrorResponse of ours (gsp-core §5.3).
type refusal struct {
	status    int
	code, why string
}

// message is what we read of a request.
type message struct {
	Header *struct {
		ID        *string        `json:"requestId"`
		Timestamp jsontext.Value `json:"requestTimestamp"`
		Version   *struct {
			Major *int `json:"major"`
		} `json:"protocolVersion"`
	} `json:"requestHeader"`
	Account *string                   `json:"paymentIntegratorAccountId"`
	Echo    *string                   `json:"clientMessage"`
	Rest    map[string]jsontext.Value `json:",embed"`
}

// visit is one call of the integrator while we answer it.
type visit struct {
	g     *Google
	w     http.ResponseWriter
	r     *http.Request
	what  *notification
	piaid string // of the address
	plain []byte
	in    message
	rule  rule // what a fault rule asks for
}

// ServeHTTP opens, records, and answers, unless a fault rule has something else in mind.
func (g *Google) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v := &visit{g: g, w: w, r: r}
	if !v.route() {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	wire, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return
	}
	// Who is not known hears one sentence for every cause (gsp-core §5.5): whose accounts exist is nobody's business.
	opened, err := g.box.Open(r.Context(), wire)
	if err != nil || !slices.Contains(g.cfg.Accounts, v.piaid) {
		g.cfg.Log.Warn("a call was turned away", "method", v.what.name, "readable", err == nil)
		v.generic()
		return
	}
	v.plain = opened.Plain
	if json.Unmarshal(v.plain, &v.in) != nil {
		v.answer(refuse(http.StatusBadRequest, "INVALID_DECRYPTED_REQUEST", "the request is not a strict JSON object of the expected form"))
		return
	}
	g.mu.Lock()
	g.note(line{Received: &Received{g.cfg.Business(), v.what.name, v.piaid, slices.Clone(v.plain)}})
	do := g.meddle(v)
	g.mu.Unlock()
	do(v)
}

// route takes the address apart: base, method, account.
func (v *visit) route() bool {
	path, ok := strings.CutPrefix(v.r.URL.EscapedPath(), v.g.cfg.BasePath)
	at := strings.LastIndexByte(path, '/')
	if !ok || at < 0 {
		return false
	}
	var err error
	v.what = routes[path[:at]]
	v.piaid, err = url.PathUnescape(path[at+1:])
	return err == nil && v.what != nil && v.piaid != ""
}

// judge decides on a message: the members of our answer, or a refusal.
func (v *visit) judge() (map[string]jsontext.Value, *refusal) {
	if no := v.check(); no != nil {
		return nil, no
	}
	if v.what == echo {
		if v.in.Echo == nil {
			return nil, missing("clientMessage")
		}
		said, _ := jsontext.AppendQuote(nil, *v.in.Echo)
		return map[string]jsontext.Value{"clientMessage": said, "serverMessage": jsontext.Value(`"simulated Google"`)}, nil
	}
	if no := v.take(); no != nil {
		return nil, no
	}
	return map[string]jsontext.Value{"result": jsontext.Value(`"SUCCESS"`)}, nil
}

var requestID = regexp.MustCompile(`^[A-Za-z0-9:_-]{1,100}$`)

// check is the header, and the account that stands twice (Korea §5).
func (v *visit) check() *refusal {
	switch h := v.in.Header; {
	case h == nil:
		return missing("requestHeader")
	case h.ID == nil:
		return missing("requestHeader.requestId")
	case h.Timestamp == nil:
		return missing("requestHeader.requestTimestamp")
	case h.Version == nil || h.Version.Major == nil:
		return missing("requestHeader.protocolVersion")
	case *h.Version.Major != 1:
		return refuse(http.StatusBadRequest, "INVALID_API_VERSION", "major version 1 is served here")
	case !requestID.MatchString(*h.ID):
		return invalid("requestHeader.requestId")
	}
	switch at, err := millis(v.in.Header.Timestamp); {
	case err != nil:
		return invalid("requestHeader.requestTimestamp")
	case !fresh(at, v.g.cfg.Now()):
		return refuse(http.StatusBadRequest, "REQUEST_TIMESTAMP_OUT_OF_RANGE", "requestTimestamp is more than 60 s away from our time")
	case v.what == echo: // which names the account in the address only
		return nil
	case v.in.Account == nil:
		return missing("paymentIntegratorAccountId")
	case *v.in.Account != v.piaid:
		return refuse(http.StatusBadRequest, "INVALID_FIELD_VALUE", "paymentIntegratorAccountId is not that of the address")
	}
	return nil
}

// take fixes a verdict, or finds that it is fixed already (Korea §9.3). A request may still be in flight (§8.5), or not be ours: somebody
// else may have sent it with our key. A refusal is not remembered: what was refused may be judged otherwise next time.
func (v *visit) take() *refusal {
	id, verdict := text(v.in.Rest[v.what.subject]), text(v.in.Rest[v.what.result])
	switch {
	case id == "":
		return missing(v.what.subject)
	case verdict == "":
		return missing(v.what.result)
	case !slices.Contains(v.what.words, verdict):
		return invalid(v.what.result)
	}
	content := v.what.name + " " + digest(v.plain, "requestHeader")
	own, of := key{v.piaid, *v.in.Header.ID}, subject{v.what.name, v.piaid, id}

	g := v.g
	g.mu.Lock()
	defer g.mu.Unlock()
	if before, known := g.record.accepted[own]; known {
		if before != content {
			return refuse(http.StatusPreconditionFailed, "IDEMPOTENCY_VIOLATION", "this requestId had another content before")
		}
		return nil
	}
	if method, ours := g.asked[key{v.piaid, id}]; ours && method != v.what.ends {
		return refuse(http.StatusNotFound, "INVALID_IDENTIFIER", "unknown "+v.what.subject)
	}
	l := line{Accepted: &accepted{v.piaid, *v.in.Header.ID, content}}
	switch fixed, known := g.record.byVerdict[of]; {
	case known && fixed != verdict:
		return refuse(http.StatusBadRequest, "PRECONDITION_VIOLATION", "another verdict was given before")
	case !known:
		l.Verdict = &Verdict{g.cfg.Business(), v.what.name, v.piaid, id, verdict}
	}
	g.note(l)
	return nil
}

func refuse(status int, code, why string) *refusal { return &refusal{status, code, why} }
func missing(field string) *refusal {
	return refuse(http.StatusBadRequest, "MISSING_REQUIRED_FIELD", field+" is required")
}

func invalid(field string) *refusal {
	return refuse(http.StatusBadRequest, "INVALID_FIELD_VALUE", field+" has a value that is not supported")
}

// answer seals and writes members or a refusal, with a header of this moment.
func (v *visit) answer(no *refusal) { v.write(nil, no, 0, nil) }

// sealer turns an answer into bytes; a fault may bring another.
type sealer func([]byte) ([]byte, error)

// write is the one place that answers. millis is added to the time of the answer.
func (v *visit) write(members map[string]jsontext.Value, no *refusal, millis int64, with sealer) {
	status := http.StatusOK
	if no != nil {
		status = no.status
		why, _ := jsontext.AppendQuote(nil, no.why)
		members = map[string]jsontext.Value{"errorResponseCode": jsontext.Value(strconv.Quote(no.code)), "errorDescription": why}
	}
	at := strconv.FormatInt(v.g.cfg.Now().UnixMilli()+millis, 10)
	members["responseHeader"] = jsontext.Value(`{"responseTimestamp":"` + at + `"}`)
	plain, err := json.Marshal(members, json.Deterministic(true))
	if with == nil {
		with = v.g.box.Seal
	}
	var wire []byte
	if err == nil {
		wire, err = with(plain)
	}
	if err != nil {
		v.g.cfg.Log.Error("an answer of Google cannot be sealed", "error", err)
		v.w.WriteHeader(http.StatusInternalServerError)
		return
	}
	v.raw(status, contentType, wire)
}

func (v *visit) raw(status int, media string, body []byte) {
	if media != "" {
		v.w.Header().Set("Content-Type", media)
	}
	v.w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	v.w.WriteHeader(status)
	_, _ = v.w.Write(body) // a caller that is gone asks again
}

// generic is what Google says to strangers, in the open (gsp-core §5.5).
func (v *visit) generic() {
	v.raw(http.StatusNotFound, "text/plain; charset=utf-8", []byte("An error occurred. Please try again later.\n"))
}
