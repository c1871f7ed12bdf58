package shop

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The values of sign_type (§4.2).
const (
	MD5  = "MD5"
	HMAC = "HMAC-SHA256"
)

// digest signs a string (§4.2): with HMAC under the key, else MD5 of the string, an ampersand and the key.
func digest(text, key, signType string) string {
	if signType == HMAC {
		mac := hmac.New(sha256.New, []byte(key))
		mac.Write([]byte(text))
		return hex.EncodeToString(mac.Sum(nil))
	}
	sum := md5.Sum([]byte(text + "&" + key))
	return hex.EncodeToString(sum[:])
}

// joined is the string to sign (§4.1).
func joined(values map[string]string) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if values[name] != "" && name != "sign" && name != "sign_type" {
			parts = append(parts, name+"="+values[name])
		}
	}
	return strings.Join(parts, "&")
}

// message is one JSON object as it came.
type message map[string]json.RawMessage

func parse(body []byte) (m message, ok bool) {
	err := json.Unmarshal(body, &m)
	return m, err == nil && m != nil
}

// values is every member that a signature can be about, in the text that it is signed in: objects never are (§4.3).
func (m message) values() map[string]string {
	all := map[string]string{}
	for name, raw := range m {
		switch raw[0] {
		case '"':
			all[name] = m.text(name)
		case '[':
			var dense bytes.Buffer
			if json.Compact(&dense, raw) == nil {
				all[name] = dense.String()
			}
		case '{', 'n':
		default:
			all[name] = string(raw)
		}
	}
	return all
}

// text is a member that is a string.
func (m message) text(name string) (text string) {
	_ = json.Unmarshal(m[name], &text) // what is none is empty
	return text
}

// number is a member that is an integer; -1 where it is none: the gateway sends JSON integers (§4.4).
func (m message) number(name string) int64 {
	n, err := strconv.ParseInt(string(m[name]), 10, 64)
	if err != nil {
		return -1
	}
	return n
}

// signedBy reports whether a message carries the right signature over these members, or over all where none are named (§4.3). The
// algorithm is that of sign_type; what has none, such as the items of lists, shows it by its length.
func (m message) signedBy(key string, members ...string) bool {
	values := m.values()
	if len(members) > 0 {
		maps.DeleteFunc(values, func(name, _ string) bool { return !slices.Contains(members, name) })
	}
	sign, kind := m.text("sign"), m.text("sign_type")
	if kind == "" && len(sign) == sha256.Size*2 {
		kind = HMAC
	}
	return sign != "" && hmac.Equal([]byte(sign), []byte(digest(joined(values), key, kind)))
}

// webhookAge is how old a webhook may be, and how far ahead of us (Standard Webhooks).
const webhookAge = 5 * time.Minute

// webhook reports whether the headers of Standard Webhooks are right: one of their signatures is over id, time and body.
func (s *Shop) webhook(h http.Header, body []byte) bool {
	id, at := h.Get("Webhook-Id"), h.Get("Webhook-Timestamp")
	sent, err := strconv.ParseInt(at, 10, 64)
	if err != nil || id == "" || s.cfg.Now().Sub(time.Unix(sent, 0)).Abs() > webhookAge {
		return false
	}
	key := []byte(s.cfg.Webhook)
	if coded, marked := strings.CutPrefix(s.cfg.Webhook, "whsec_"); marked {
		if key, err = base64.StdEncoding.DecodeString(coded); err != nil {
			return false
		}
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + at + "."))
	mac.Write(body)
	want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	return slices.ContainsFunc(strings.Fields(h.Get("Webhook-Signature")), func(one string) bool {
		return hmac.Equal([]byte(one), []byte(want))
	})
}
