package google

import (
	"cmp"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// refusal is an ErrorResponse of ours (gsp-core §5.3).
type refusal struct {
	status    int
	code, why string
	field     string // of INVALID_FIELD_VALUE
}

// message is what we read of a request.
type message struct {
	Header *struct {
		Account   *string        `json:"paymentIntegratorAccountId"` // of generation B
		ID        *string        `json:"requestId"`
		Timestamp jsontext.Value `json:"requestTimestamp"`
		Version   *struct {
			Major *int `json:"major"`
		} `json:"protocolVersion"`
	} `json:"requestHeader"`
	Account *string                   `json:"paymentIntegratorAccountId"`
	Rest    map[string]jsontext.Value `json:",embed"`
}

// visit is one call of the integrator while we answer it.
type visit struct {
	g     *Google
	w     http.ResponseWriter
	r     *http.Request
	what  *notification
	path  string // of the address, between base and account
	piaid string // of the address
	api   *api   // of the account
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
	// Who is not known hears one sentence for every cause (gsp-core §5.5): whose accounts exist, and in which API, is nobody's business.
	opened, err := g.box.Open(r.Context(), wire)
	v.api = g.apis[v.piaid]
	if err != nil || v.api == nil || v.api.hosts[v.path] == nil {
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

// secure is in front of the base on some pages and not on others: both lead here (Card FOP §12 point 5).
const secure = "/secure-serving"

// route takes the address apart: base, method, account.
func (v *visit) route() bool {
	path, ok := strings.CutPrefix(strings.TrimPrefix(v.r.URL.EscapedPath(), secure), strings.TrimPrefix(v.g.cfg.BasePath, secure))
	at := strings.LastIndexByte(path, '/')
	if !ok || at < 0 {
		return false
	}
	var err error
	v.path = path[:at]
	for _, a := range apis {
		v.what = cmp.Or(v.what, a.hosts[v.path])
	}
	v.piaid, err = url.PathUnescape(path[at+1:])
	return err == nil && v.what != nil && v.piaid != ""
}

// judge decides on a message: the members of our answer, or a refusal.
func (v *visit) judge() (map[string]jsontext.Value, *refusal) {
	if no := v.check(); no != nil {
		return nil, no
	}
	if no := checkFields("", v.in.Rest, v.what.fields); no != nil {
		return nil, no
	}
	if v.what == echo {
		return map[string]jsontext.Value{"clientMessage": v.in.Rest["clientMessage"], "serverMessage": jsontext.Value(`"simulated Google"`)}, nil
	}
	if no := v.take(); no != nil {
		return nil, no
	}
	if v.what.newer {
		return map[string]jsontext.Value{"result": jsontext.Value(`{"success":{}}`)}, nil
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
	case err != nil || v.what.newer != (v.in.Header.Timestamp.Kind() == '{'):
		return invalid("requestHeader.requestTimestamp")
	case !fresh(at, v.g.cfg.Now()):
		return refuse(http.StatusBadRequest, "REQUEST_TIMESTAMP_OUT_OF_RANGE", "requestTimestamp is more than 60 s away from our time")
	}
	account, name := v.in.Account, "paymentIntegratorAccountId"
	if v.what.newer {
		account, name = v.in.Header.Account, "requestHeader."+name
	}
	switch {
	case v.what == echo: // which names the account in the address only
		return nil
	case account == nil:
		return missing(name)
	case *account != v.piaid:
		return refuse(http.StatusBadRequest, "INVALID_FIELD_VALUE", name+" is not that of the address")
	}
	return nil
}

// checkFields is the members of an object that stands at a path. Null is as good as absent (gsp-core §8): it is taken away.
func checkFields(at string, in map[string]jsontext.Value, fields []field) *refusal {
	maps.DeleteFunc(in, func(_ string, value jsontext.Value) bool { return value.Kind() == 'n' })
	for _, f := range fields {
		value, there := in[f.name]
		if other := in[f.also]; other != nil && f.also != "" {
			if there && text(other) != text(value) {
				return invalid(at + f.also)
			}
			value, there = other, true
			in[f.name] = other
		}
		switch {
		case there:
			if no := f.is(at+f.name, value); no != nil {
				return no
			}
		case !f.optional:
			return missing(at + f.name)
		}
	}
	return nil
}

// take answers a repeat as before (gsp-core §4.1) and lets the method judge what is new. A refusal is not remembered: what was refused may
// be judged otherwise next time.
func (v *visit) take() *refusal {
	content := v.what.name + " " + digest(v.plain, "requestHeader")
	own := key{v.piaid, *v.in.Header.ID}
	v.g.mu.Lock()
	defer v.g.mu.Unlock()
	if before, known := v.g.record.accepted[own]; known {
		if before != content {
			return conflict("this requestId had another content before")
		}
		return nil
	}
	l, no := v.what.take(v)
	if no != nil {
		return no
	}
	l.Accepted = &accepted{v.piaid, *v.in.Header.ID, content}
	v.g.note(l)
	return nil
}

// answer seals and writes members or a refusal, with a header of this moment.
func (v *visit) answer(no *refusal) { v.write(nil, no, 0, nil) }

// sealer turns an answer into bytes; a fault may bring another.
type sealer func([]byte) ([]byte, error)

// members is a refusal as either generation writes it.
func (no *refusal) members(newer bool) map[string]jsontext.Value {
	why, _ := jsontext.AppendQuote(nil, no.why)
	if !newer {
		return map[string]jsontext.Value{"errorResponseCode": jsontext.Value(strconv.Quote(no.code)), "errorDescription": why}
	}
	about := "{}"
	if no.field != "" {
		about = `{"invalidFieldName":` + strconv.Quote(no.field) + `}`
	}
	words := strings.Split(strings.ToLower(no.code), "_")
	for i, w := range words[1:] {
		words[i+1] = strings.ToUpper(w[:1]) + w[1:]
	}
	one := `{"` + strings.Join(words, "") + `":` + about + `}`
	return map[string]jsontext.Value{"errorResponseResult": jsontext.Value(one), "errorDescription": why}
}

// write is the one place that answers. millis is added to the time of the answer.
func (v *visit) write(members map[string]jsontext.Value, no *refusal, millis int64, with sealer) {
	status := http.StatusOK
	if no != nil {
		status = no.status
		members = no.members(v.what.newer)
	}
	at := strconv.Quote(strconv.FormatInt(v.g.cfg.Now().UnixMilli()+millis, 10))
	if v.what.newer {
		at = `{"epochMillis":` + at + `}`
	}
	members["responseHeader"] = jsontext.Value(`{"responseTimestamp":` + at + `}`)
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
