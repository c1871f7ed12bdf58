package gsp

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Class is what one attempt means for the next. Its zero value is Retry: when nobody knows, the same request goes out again later.
type Class uint8

// The classes.
const (
	Retry         Class = iota // nobody knows: again with the same request id, with back-off
	Delivered                  // a verified 200
	RetryNow                   // our clock was off: at once, with a new timestamp, at most twice
	RetryBriefly               // they may not know yet what we speak of: for 15 minutes, then as Park
	Misconfigured              // keys, account or address are wrong: again, slowly, and tell an operator
	Park                       // the request is refused: an operator repairs it and sends it again with the same request id
)

func (c Class) String() string {
	return [...]string{"retry", "delivered", "retry-now", "retry-briefly", "misconfigured", "park"}[c]
}

// A Reply is what came of one attempt.
type Reply struct {
	Class  Class
	Alert  bool   // a person should look at it
	Why    string // ours; never the peer's text
	Status int    // 0: no answer
	Code   string // the peer's error code, as generation A spells it; only one that we know
	Body   []byte // the verified response, if Delivered
	At     time.Time
	Took   time.Duration
}

// A Message is one request of ours. Its id is the same on every attempt.
type Message struct {
	Generation Generation
	Version    Version // sent as it is; its zero value means 1
	Account    string
	Path       string // of the method, below the base; the account is appended
	RequestID  string
	Body       any  // the members beside the header and the account; nil for none
	NoAccount  bool // generation A's echo: the account stands in the URL only
}

// ClientConfig is what a Client needs. Zero limits take the defaults named here.
type ClientConfig struct {
	Base           string // https, such as https://vgw.googleapis.com/secure-serving/gsp
	Box            Box
	Now            func() time.Time // wall time
	Roots          *x509.CertPool   // nil: those of the system
	ConnectTimeout time.Duration    // 5 s (gsp-core §6)
	Timeout        time.Duration    // of an attempt, 20 s
	MaxResponse    int64            // bytes, 1 MiB
}

// Client calls what Google hosts. It makes single attempts; when to make the next is the caller's business. Safe for concurrent use.
type Client struct {
	cfg  ClientConfig
	http *http.Client
}

// NewClient checks the base address. It keeps connections alive and follows no redirects.
func NewClient(cfg ClientConfig) (*Client, error) {
	base, err := url.Parse(cfg.Base)
	if err != nil || base.Scheme != "https" || base.Host == "" || base.RawQuery != "" || base.User != nil {
		return nil, errors.New("gsp: the base of the peer's methods is an https URL without query")
	}
	cfg.Base = strings.TrimRight(cfg.Base, "/")
	cfg.ConnectTimeout = cmp.Or(cfg.ConnectTimeout, 5*time.Second)
	cfg.Timeout = cmp.Or(cfg.Timeout, 20*time.Second)
	cfg.MaxResponse = cmp.Or(cfg.MaxResponse, 1<<20)
	return &Client{cfg, &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext:            (&net.Dialer{Timeout: cfg.ConnectTimeout}).DialContext,
			TLSHandshakeTimeout:    cfg.ConnectTimeout,
			TLSClientConfig:        &tls.Config{RootCAs: cfg.Roots, MinVersion: tls.VersionTLS12},
			ForceAttemptHTTP2:      true,
			DisableCompression:     true, // gsp-core §1.5
			MaxIdleConnsPerHost:    16,
			IdleConnTimeout:        90 * time.Second,
			MaxResponseHeaderBytes: 64 << 10,
		},
	}}, nil
}

// Close lets go of idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Call makes one attempt: a fresh timestamp, a fresh seal, the same request.
func (c *Client) Call(ctx context.Context, m Message) Reply {
	start := c.cfg.Now()
	r := c.attempt(ctx, m, start)
	r.At, r.Took = start, c.cfg.Now().Sub(start)
	return r
}

func (c *Client) attempt(ctx context.Context, m Message, now time.Time) Reply {
	plain, err := m.encode(now)
	if err != nil {
		return Reply{Class: Park, Alert: true, Why: "the request cannot be written"}
	}
	wire, err := c.cfg.Box.Seal(plain)
	if err != nil {
		return Reply{Class: Misconfigured, Alert: true, Why: "no key to sign with or to encrypt to"}
	}
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	address := c.cfg.Base + "/" + strings.Trim(m.Path, "/") + "/" + url.PathEscape(m.Account)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(wire))
	if err != nil {
		return Reply{Class: Park, Alert: true, Why: "the path of the method is no path"}
	}
	req.Header.Set("Content-Type", contentType)
	resp, err := c.http.Do(req)
	if err != nil {
		unknown := (*tls.CertificateVerificationError)(nil)
		if errors.As(err, &unknown) {
			return Reply{Class: Misconfigured, Alert: true, Why: "the peer's certificate is not trusted"}
		}
		return Reply{Why: "no answer"}
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, c.cfg.MaxResponse+1))
	r := Reply{Status: resp.StatusCode}
	switch {
	case err != nil:
		r.Why = "the answer broke off"
	case int64(len(body)) > c.cfg.MaxResponse:
		r.Alert, r.Why = true, "the answer is too large"
	case sealedBody(resp.Header.Get("Content-Type"), body):
		c.judgeSealed(ctx, &r, body)
	default:
		judgeOpen(&r, len(body))
	}
	return r
}

// encode writes a request in its generation's shape (gsp-core §3.1).
func (m Message) encode(now time.Time) ([]byte, error) {
	members := []byte(`{}`)
	if m.Body != nil {
		var err error
		if members, err = Encode(m.Body); err != nil {
			return nil, err
		}
	}
	if !bytes.HasPrefix(members, []byte("{")) {
		return nil, errors.New("the body of a message is a JSON object")
	}
	v := m.Version
	v.Major = cmp.Or(v.Major, 1)
	millis := strconv.FormatInt(now.UnixMilli(), 10)
	out := appendText([]byte(`{"requestHeader":{`), "requestId", m.RequestID)
	if m.Generation == A {
		out = appendText(out, "requestTimestamp", millis)
		out = append(out, `,"protocolVersion":{"major":`+strconv.Itoa(v.Major)+`,"minor":`+strconv.Itoa(v.Minor)+
			`,"revision":`+strconv.Itoa(v.Revision)+`}}`...)
		if !m.NoAccount {
			out = appendText(out, "paymentIntegratorAccountId", m.Account)
		}
	} else {
		out = append(out, `,"requestTimestamp":{"epochMillis":"`+millis+`"},"protocolVersion":{"major":`+strconv.Itoa(v.Major)+`}`...)
		out = append(appendText(out, "paymentIntegratorAccountId", m.Account), '}')
	}
	return appendMembers(out, members), nil
}

// sealedBody reports whether a body can be one of the protocol's. A generic text must not be given to a decoder (gsp-core §5.5).
func sealedBody(media string, body []byte) bool {
	kind, _, err := mime.ParseMediaType(media)
	if err != nil || kind != "application/octet-stream" {
		return false
	}
	text := bytes.TrimRight(body, "\r\n ")
	return len(text) > 0 && bytes.IndexFunc(text, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-' || r == '_' || r == '=')
	}) < 0
}

// judgeOpen classifies what is empty or in the open: nobody has proven that it comes from the peer (gsp-core §5.5).
func judgeOpen(r *Reply, length int) {
	switch s := r.Status; {
	case s >= 500 && length == 0, s == http.StatusConflict, s == http.StatusLocked, s == http.StatusTooManyRequests,
		s == http.StatusRequestTimeout:
		r.Why = "the peer has a fault, or is busy"
	case s == http.StatusOK:
		r.Alert, r.Why = true, "200 without a sealed body: the outcome is unknown"
	case length == 0 && s >= 400 && s != http.StatusUnauthorized && s != http.StatusForbidden && s != http.StatusNotFound:
		r.Class, r.Alert, r.Why = Park, true, "refused without a word"
	default:
		r.Class, r.Alert, r.Why = Misconfigured, true, "the peer does not know our key, our account or this address"
	}
}

// reply is what we read of an answer. The members of a method's response are the caller's to read.
type reply struct {
	Header *struct {
		Timestamp jsontext.Value `json:"responseTimestamp"`
	} `json:"responseHeader"`
	CodeA *string                   `json:"errorResponseCode"`
	CodeB map[string]jsontext.Value `json:"errorResponseResult"`
}

// judgeSealed classifies an answer that looks like one of the protocol's. Only what is verified and of this minute is believed.
func (c *Client) judgeSealed(ctx context.Context, r *Reply, body []byte) {
	r.Alert = true
	opened, err := c.cfg.Box.Open(ctx, body)
	if err != nil {
		r.Why = "the answer cannot be decrypted and verified: the outcome is unknown"
		return
	}
	var in reply
	if json.Unmarshal(opened.Plain, &in) != nil || in.Header == nil {
		r.Why = "the answer is no strict JSON object with a responseHeader: the outcome is unknown"
		return
	}
	if at, err := anyTimestamp(in.Header.Timestamp); err != nil || !within(at, c.cfg.Now(), window) {
		r.Why = "responseTimestamp is more than 60 s away from our time: the outcome is unknown"
		return
	}
	if r.Status == http.StatusOK {
		r.Class, r.Alert, r.Why, r.Body = Delivered, false, "", opened.Plain
		return
	}
	row := reactionTo(in)
	if row.code == "" && (r.Status >= 500 || r.Status == http.StatusConflict || r.Status == http.StatusTooManyRequests) {
		row.class = Retry
	}
	r.Code, r.Class, r.Alert, r.Why = row.code, row.class, row.alert, "the peer answered an error"
}

// anyTimestamp reads either generation's timestamp.
func anyTimestamp(v jsontext.Value) (int64, error) {
	if v.Kind() == '{' {
		var b TimestampB
		if err := json.Unmarshal(v, &b); err != nil || b.EpochMillis == nil {
			return 0, errInt64
		}
		return int64(*b.EpochMillis), nil
	}
	return parseInt64(text(v))
}

// reaction is what we do about an error code.
type reaction struct {
	code  string
	class Class
	alert bool
}

// reactions is gsp-core §5.5, second table. Both generations' spellings come from the table of faults.
var reactions = []reaction{
	{"REQUEST_TIMESTAMP_OUT_OF_RANGE", RetryNow, true},
	{"INVALID_IDENTIFIER", RetryBriefly, false},
	{"USER_ACTION_IN_PROGRESS", Retry, false},
	{"INVALID_PAYLOAD_SIGNATURE", Misconfigured, true},
	{"INVALID_PAYLOAD_ENCRYPTION", Misconfigured, true},
	{"IDEMPOTENCY_VIOLATION", Park, true},
	{"INVALID_FIELD_VALUE", Park, true},
	{"MISSING_REQUIRED_FIELD", Park, true},
	{"INVALID_DECRYPTED_REQUEST", Park, true},
	{"INVALID_API_VERSION", Park, true},
	{"PRECONDITION_VIOLATION", Park, true},
	{"FORBIDDEN", Park, true},
}

// reactionTo parks what it does not know.
func reactionTo(in reply) reaction {
	code := ""
	if in.CodeA != nil {
		code = *in.CodeA
	}
	for _, row := range answers {
		if _, ok := in.CodeB[row.b]; ok && row.b != "" {
			code = row.a
		}
	}
	if _, ok := in.CodeB["userActionInProgress"]; ok {
		code = "USER_ACTION_IN_PROGRESS"
	}
	for _, row := range reactions {
		if row.code == code {
			return row
		}
	}
	return reaction{"", Park, true}
}
