package sim

import (
	"crypto/hmac"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// window is how far the time of a call may be from the bank's (rails §3.5).
const window = 300 * time.Second

// api is what the accounts' owner may call: it orders payments, as it does by file.
func (h *Host) api() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /payments", h.pay)
	return mux
}

// pay takes one pain.001. 202 says that it has come and is kept, no more: what becomes of it stands in pain.002.
func (h *Host) pay(w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, mostBytes))
	if err != nil {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return
	}
	status := http.StatusUnauthorized
	var said reply
	if h.signed(r, text) {
		status = http.StatusInternalServerError
		h.do(func(now time.Time) {
			for _, rule := range h.rulesFor(subject{kind: paid}, func(a action) bool { return a.call != nil }) {
				rule.act.call(&said)
			}
			switch {
			case said.unheard:
			case h.book.takeOrder(now, text):
				status = http.StatusAccepted
			default:
				status = http.StatusBadRequest
			}
		})
	}
	if h.life.Err() != nil || said.unanswered {
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(status)
}

// signed tells whether a call has the key and the signature that both sides know.
func (h *Host) signed(r *http.Request, body []byte) bool {
	timestamp := r.Header.Get("X-Feed-Timestamp")
	at, err := strconv.ParseInt(timestamp, 10, 64)
	if age := h.cfg.Wall().Sub(time.Unix(at, 0)); err != nil || age.Abs() > window || r.Header.Get("X-Feed-Key") != h.cfg.Key {
		return false
	}
	want := Sign(h.cfg.Secret, timestamp, body)
	return slices.ContainsFunc(strings.Split(r.Header.Get("X-Feed-Signature"), ","), func(one string) bool {
		return hmac.Equal([]byte(strings.TrimSpace(one)), []byte(want))
	})
}
