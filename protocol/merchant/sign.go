package merchant

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"naru/core/card"
)

// Algorithm is how a message is signed (§4.2).
type Algorithm string

// The algorithms.
const (
	MD5  Algorithm = "MD5" // also where sign_type is absent
	HMAC Algorithm = "HMAC-SHA256"
)

// Digest is the signature of a text (§4.2): MD5 with the key behind the last &, or HMAC-SHA256 with the text alone.
func (a Algorithm) Digest(text string, key card.Secret) string {
	if a == HMAC {
		mac := hmac.New(sha256.New, []byte(key.Reveal()))
		_, _ = io.WriteString(mac, text) // a hash never fails
		return hex.EncodeToString(mac.Sum(nil))
	}
	sum := md5.Sum([]byte(text + "&" + key.Reveal()))
	return hex.EncodeToString(sum[:])
}

// Explanation is how a body is signed, step by step, for whoever must find out why two signatures differ (§4.1).
type Explanation struct {
	Text   string  // what is signed; the key is not in it
	Signed []Field // in the order of signing
	Left   []Field // left out, and why
}

// Field is a parameter by name and what is signed of it, or why it is not.
type Field struct{ Name, Value string }

// Explain says how a body is signed. The body is one strict JSON object; an error says nothing of what stands in it.
func Explain(body []byte) (Explanation, error) {
	d, err := read(body)
	return d.explain(), err
}

// The reasons why a parameter is not signed (§4.1, §4.3).
const (
	leftSign   = "the signature does not sign itself"
	leftEmpty  = "empty"
	leftObject = "an object is never signed"
)

func (d document) explain() (x Explanation) {
	for _, name := range slices.Sorted(slices.Values(d.names)) {
		v := d.values[name]
		value, left := "", ""
		switch v.Kind() {
		case '"':
			value = text(v)
		case '[':
			compact := v.Clone()
			_ = compact.Compact() // read has seen that it is JSON
			value = string(compact)
		case 'n':
		case '{':
			left = leftObject
		default:
			value = string(v) // the digits as they were written (§4.4)
		}
		switch {
		case name == "sign" || name == "sign_type":
			left = leftSign
		case left == "" && value == "":
			left = leftEmpty
		}
		if left != "" {
			x.Left = append(x.Left, Field{name, left})
			continue
		}
		x.Signed = append(x.Signed, Field{name, value})
	}
	var b strings.Builder
	for i, f := range x.Signed {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(f.Name + "=" + f.Value)
	}
	x.Text = b.String()
	return x
}

// document is one strict JSON object, its values as they were written.
type document struct {
	names  []string
	values map[string]jsontext.Value
}

var errSyntax = errors.New("not one JSON object whose names occur once")

// read takes one JSON object: no name twice, valid UTF-8, nothing behind it.
func read(body []byte) (document, error) {
	d := document{values: map[string]jsontext.Value{}}
	in := jsontext.NewDecoder(bytes.NewReader(body))
	if t, err := in.ReadToken(); err != nil || t.Kind() != '{' {
		return document{}, errSyntax
	}
	for {
		t, err := in.ReadToken()
		if err != nil {
			return document{}, errSyntax
		}
		if t.Kind() == '}' {
			break
		}
		name := t.String()
		v, err := in.ReadValue()
		if err != nil {
			return document{}, errSyntax
		}
		d.names = append(d.names, name)
		d.values[name] = v.Clone()
	}
	if _, err := in.ReadToken(); !errors.Is(err, io.EOF) {
		return document{}, errSyntax
	}
	return d, nil
}

// text is the content of a JSON string.
func text(v jsontext.Value) string {
	plain, _ := jsontext.AppendUnquote(nil, v) // read has seen that it is JSON
	return string(plain)
}

// sign is the signature of a message of ours: over all its members, like that of a request (§4.3).
func sign(message any, a Algorithm, key card.Secret) (string, error) {
	plain, err := json.Marshal(message)
	if err != nil {
		return "", err
	}
	x, err := Explain(plain)
	return a.Digest(x.Text, key), err
}

// signedBy reports whether a signature is that of one of the keys. It takes as long for a wrong one as for a right one.
func signedBy(signature, text string, a Algorithm, keys []card.Secret) bool {
	found := 0
	for _, key := range keys {
		found |= subtle.ConstantTimeCompare([]byte(signature), []byte(a.Digest(text, key)))
	}
	return found == 1
}

// MarshalJSONTo writes the text.
func (r revealed) MarshalJSONTo(enc *jsontext.Encoder) error {
	return enc.WriteToken(jsontext.String(r.Reveal()))
}
