package upi

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
)

// said is what came of one call.
type said struct {
	left   bool // a connection stood: something may have left, whatever went wrong later
	status int  // 0: no answer, or none to its end
	body   []byte
	alert  string
}

// newClient makes the connections to one bank. HTTP/1.1 only: one request at a time on a connection, so that one which breaks takes no
// other with it. No proxy of the environment, no redirects: the order goes to the bank or nowhere.
func newClient(cfg Config) *http.Client {
	return &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext:            (&net.Dialer{Timeout: cfg.ConnectTimeout}).DialContext,
			TLSHandshakeTimeout:    cfg.ConnectTimeout,
			TLSClientConfig:        &tls.Config{RootCAs: cfg.Roots, MinVersion: tls.VersionTLS12},
			DisableCompression:     true,
			MaxIdleConnsPerHost:    16,
			IdleConnTimeout:        cfg.Idle,
			MaxResponseHeaderBytes: 64 << 10,
		},
	}
}

// call makes one call. The transport repeats one by itself only where it has written none of it, and then with the same key and bytes.
// A bank that does not answer is called no more often than cfg.Calls allows: nothing leaves for what is beyond.
func (r *RazorpayX) call(ctx context.Context, method, path string, query url.Values, key string, body []byte) (s said) {
	most := r.cfg.Calls
	if method == http.MethodPost { // what is new leaves room for asking what became of the rest
		most -= max(1, most/8)
	}
	if !r.enter(most) {
		r.cfg.Refused()
		return s
	}
	defer r.calls.Add(-1)
	ctx, cancel := context.WithTimeout(ctx, r.cfg.Timeout)
	defer cancel()
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { s.left = true }})
	address := r.cfg.Base + path
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		s.alert = "a call to the bank cannot be written"
		return s
	}
	req.SetBasicAuth(r.cfg.KeyID, r.cfg.Secret.Reveal())
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		req.Header.Set("X-Payout-Idempotency", key)
	}
	resp, err := r.http.Do(req)
	if err != nil {
		if distrust := (*tls.CertificateVerificationError)(nil); errors.As(err, &distrust) {
			s.alert = "the bank's certificate is not trusted"
		}
		return s
	}
	defer func() { _ = resp.Body.Close() }()
	s.body, err = io.ReadAll(io.LimitReader(resp.Body, r.cfg.MaxResponse+1))
	switch {
	case err != nil:
	case int64(len(s.body)) > r.cfg.MaxResponse:
		s.alert = "the bank's answer is too large"
	default:
		s.status = resp.StatusCode
	}
	return s
}

func (r *RazorpayX) enter(most int64) bool {
	for {
		under := r.calls.Load()
		if under >= most {
			return false
		}
		if r.calls.CompareAndSwap(under, under+1) {
			return true
		}
	}
}
