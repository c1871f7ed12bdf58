package desk

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"naru/core/card"
	"naru/engine"
)

// The algorithms, as sign_type names them (merchant-gateway §4.2).
const (
	md5Sum = "MD5"
	hmac   = "HMAC-SHA256"
)

// tester is the page that says how a message is signed, and where a given signature or string differs. No key is ever shown, and one that
// was pasted by mistake is not shown again.
type tester struct {
	CSRF               string
	Body, Sign, String string
	Wrong              string
	Answer             *finding
}

// finding is what the tester found.
type finding struct {
	Explanation
	Digests []digestLine
	Verdict *verdict // of the signature; nil where none was given
	Compare *compare // of the string; nil where none was given
}

type digestLine struct{ Algorithm, Key, Value string }

// verdict is what a given signature is.
type verdict struct {
	Right bool
	Says  string
	Next  string
}

// compare is where two strings part.
type compare struct {
	Same             bool
	At               int // the first character that differs, from 1
	Head             string
	Ours, Theirs     string // that character
	OursRest, Beyond string
	Says             string
}

func (d *Desk) signature(c *call) {
	d.show(c, http.StatusOK, "signature", "Signature", tester{CSRF: c.session.csrf})
}

func (d *Desk) explain(c *call) {
	t := tester{
		CSRF: c.session.csrf, Body: c.r.PostForm.Get("body"), Sign: strings.TrimSpace(c.r.PostForm.Get("sign")),
		String: strings.Trim(c.r.PostForm.Get("string"), "\r\n"),
	}
	keys, err := d.cfg.Engine.MerchantSecrets(c.ctx(), c.merchant.ID, engine.SigningKey)
	if err != nil {
		d.fail(c, err)
		return
	}
	status := http.StatusOK
	if t.Answer, t.Wrong = d.find(t, keys); t.Wrong != "" {
		status = http.StatusUnprocessableEntity
	}
	t.Body, t.Sign, t.String = without(t.Body, keys), without(t.Sign, keys), without(t.String, keys)
	d.show(c, status, "signature", "Signature", t)
}

// without is a text in which no key stands.
func without(text string, keys []card.Secret) string {
	for _, k := range keys {
		if !k.IsZero() {
			text = strings.ReplaceAll(text, k.Reveal(), "[your key]")
		}
	}
	return text
}

// find explains a message, and what was given with it.
func (d *Desk) find(t tester, keys []card.Secret) (*finding, string) {
	fields, body, wrong := written(t.Body)
	if wrong != "" {
		return nil, wrong
	}
	x, err := d.cfg.Signing.Explain(body)
	if err != nil {
		return nil, "That is not one JSON object, or a name stands in it twice. The API answers 0021 to such a body."
	}
	f := &finding{Explanation: x}
	for i, k := range keys {
		for _, a := range []string{md5Sum, hmac} {
			f.Digests = append(f.Digests, digestLine{a, aged(i), d.cfg.Signing.Digest(a, x.Text, k)})
		}
	}
	given := t.Sign
	for _, w := range fields {
		if given == "" && w.Name == "sign" {
			given = w.Value
		}
	}
	if given != "" {
		f.Verdict = d.judge(given, x, fields, keys)
	}
	if t.String != "" {
		f.Compare = compared(x.Text, t.String, keys)
	}
	f.Text = without(f.Text, keys)
	for i := range f.Signed {
		f.Signed[i].Value = without(f.Signed[i].Value, keys)
	}
	return f, ""
}

// aged names a key without showing it: the newest one signs.
func aged(i int) string {
	if i == 0 {
		return "newest key"
	}
	return "older key"
}

// parameter is one as it was written.
type parameter struct {
	Field
	Null, Text bool
}

const notRead = "That is neither a JSON object nor lines of name=value. Paste the body as it was sent."

// written reads what was pasted: a JSON object, lines of name=value, or those in one line with & between. It gives the parameters in the
// order written, and the body as JSON.
func written(pasted string) (fields []parameter, body []byte, wrong string) {
	pasted = strings.TrimSpace(pasted)
	if strings.HasPrefix(pasted, "{") {
		fields, ok := members([]byte(pasted))
		if !ok {
			return nil, nil, "That is not one JSON object, or a name stands in it twice. The API answers 0021 to such a body."
		}
		return fields, []byte(pasted), ""
	}
	lines := strings.FieldsFunc(pasted, func(r rune) bool { return r == '\n' || r == '\r' })
	if len(lines) == 1 {
		lines = strings.Split(pasted, "&")
	}
	var b bytes.Buffer
	for _, line := range lines {
		name, value, ok := strings.Cut(line, "=")
		if name = strings.TrimSpace(name); !ok || name == "" {
			return nil, nil, notRead
		}
		if slices.ContainsFunc(fields, func(f parameter) bool { return f.Name == name }) {
			return nil, nil, "The name " + name + " stands there twice."
		}
		fields = append(fields, parameter{Field: Field{name, value}, Text: true})
		if b.Len() == 0 {
			b.WriteByte('{')
		} else {
			b.WriteByte(',')
		}
		b.Write(quoted(name))
		b.WriteByte(':')
		b.Write(quoted(value))
	}
	if len(fields) == 0 {
		return nil, nil, "Paste a message first."
	}
	b.WriteByte('}')
	return fields, b.Bytes(), ""
}

// quoted is a text as a JSON string.
func quoted(text string) []byte {
	b, err := json.Marshal(strings.ToValidUTF8(text, "\uFFFD"))
	if err != nil {
		panic("desk: " + err.Error()) // a string always marshals
	}
	return b
}

// members are the top members of a JSON object in the order written.
func members(body []byte) (list []parameter, ok bool) {
	in := json.NewDecoder(bytes.NewReader(body))
	if t, err := in.Token(); err != nil || t != json.Delim('{') {
		return nil, false
	}
	for in.More() {
		t, err := in.Token()
		name, isName := t.(string)
		var raw json.RawMessage
		if err != nil || !isName || in.Decode(&raw) != nil {
			return nil, false
		}
		p := parameter{Field: Field{name, string(raw)}, Null: string(raw) == "null"}
		if p.Null {
			p.Value = ""
		}
		if raw[0] == '"' {
			p.Text = true
			if json.Unmarshal(raw, &p.Value) != nil {
				return nil, false
			}
		}
		list = append(list, p)
	}
	_, err := in.Token()
	return list, err == nil
}

// slip is a way in which signers go wrong: the string, or the key, that they sign with instead.
type slip struct {
	text string
	key  func(card.Secret) card.Secret // nil: the key as it is
	says string
	next string
}

// slips are the known ones (merchant-gateway §4.1, §4.5).
func slips(x Explanation, fields []parameter) []slip {
	value := map[string]string{}
	for _, f := range x.Signed {
		value[f.Name] = f.Value
	}
	joined := func(names []string, of func(name string) (string, bool)) string {
		var parts []string
		for _, n := range names {
			if v, ok := of(n); ok {
				parts = append(parts, n+"="+v)
			}
		}
		return strings.Join(parts, "&")
	}
	given := map[string]parameter{}
	var written []string
	for _, f := range fields {
		written = append(written, f.Name)
		given[f.Name] = f
	}
	sorted := slices.Sorted(slices.Values(written))
	folded := slices.SortedFunc(slices.Values(written), func(a, b string) int {
		return strings.Compare(strings.ToLower(a), strings.ToLower(b))
	})
	plain := func(n string) (string, bool) { v, ok := value[n]; return v, ok }
	withEmpty := func(n string) (string, bool) { v, ok := value[n]; return v, ok || given[n].Value == "" }
	withNull := func(n string) (string, bool) {
		if given[n].Null {
			return "null", true
		}
		return withEmpty(n)
	}
	withoutZero := func(n string) (string, bool) { v, ok := value[n]; return v, ok && v != "0" }
	withType := func(n string) (string, bool) {
		if n == "sign_type" {
			return given[n].Value, true
		}
		return plain(n)
	}
	escaped := func(escape func(string) string) string {
		return joined(sorted, func(n string) (string, bool) { v, ok := value[n]; return escape(v), ok })
	}
	const (
		encoded, raw = "It is the signature of URL-encoded values.", "Sign the values as they are: no URL encoding."
		kept, drop   = "It is the signature with empty parameters kept.", "Leave out every parameter whose value is empty."
	)
	return []slip{
		{joined(written, plain), nil, "It is the signature of the parameters in the order written.", "Sort them by name first."},
		{joined(folded, plain), nil, "It is the signature of parameters sorted without regard to case.", "Sort by ASCII: capitals come first."},
		{joined(sorted, withEmpty), nil, kept, drop},
		{joined(written, withEmpty), nil, kept, drop + " Then sort by name."},
		{joined(sorted, withNull), nil, "It is the signature with null written out.", "Leave out every parameter that is null."},
		{escaped(url.QueryEscape), nil, encoded, raw},
		{escaped(url.PathEscape), nil, encoded, raw},
		{escaped(encodeURIComponent), nil, encoded, raw},
		{escaped(strings.TrimSpace), nil, "It is the signature of trimmed values.", "Sign the values as they are, with the spaces around them."},
		{escaped(slashed), nil, "It is the signature of values in which / was written \\/.", "Sign the values, not their JSON form."},
		{joined(sorted, withoutZero), nil, "It is the signature without the zeros.", "A zero is a value: keep it."},
		{joined(sorted, withType), nil, "It is the signature with sign_type in it.", "Leave sign_type out of the string."},
		{x.Text, keyEquals, "It is the signature with key= before the key.", "The key stands alone after the last &."},
	}
}

func keyEquals(k card.Secret) card.Secret { return card.Conceal("key=" + k.Reveal()) }

func slashed(v string) string { return strings.ReplaceAll(v, "/", `\/`) }

// encodeURIComponent is that of JavaScript.
func encodeURIComponent(v string) string {
	return strings.NewReplacer("+", "%20", "%21", "!", "%27", "'", "%28", "(", "%29", ")", "%2A", "*").Replace(url.QueryEscape(v))
}

// judge says what a given signature is: right, or which mistake it comes from.
func (d *Desk) judge(given string, x Explanation, fields []parameter, keys []card.Secret) *verdict {
	lower := strings.ToLower(given)
	made := func(s slip) (algorithm, age string, ok bool) {
		for i, k := range keys {
			if s.key != nil {
				k = s.key(k)
			}
			for _, a := range []string{md5Sum, hmac} {
				if d.cfg.Signing.Digest(a, s.text, k) == lower {
					return a, aged(i), true
				}
			}
		}
		return "", "", false
	}
	if a, age, ok := made(slip{text: x.Text}); ok && given == lower {
		return right(a, age, fields)
	} else if ok {
		return &verdict{Says: "It is the right signature in capitals.", Next: "Write it in lower-case hex."}
	}
	for _, s := range slips(x, fields) {
		if a, age, ok := made(s); ok {
			return &verdict{Says: s.says, Next: s.next + " (" + a + ", " + age + ")"}
		}
	}
	for _, k := range keys {
		if d.cfg.Signing.Digest(hmac, x.Text+"&"+k.Reveal(), k) == lower {
			return &verdict{Says: "It is the HMAC of the string with the key behind it.", Next: "For HMAC-SHA256 the key is not appended."}
		}
	}
	return &verdict{Says: unlike(lower), Next: "Compare your string to sign with ours below; if they are the same, it is another key."}
}

// right is a signature that the API takes, if sign_type names its algorithm.
func right(algorithm, age string, fields []parameter) *verdict {
	named := md5Sum
	for _, f := range fields {
		if f.Name == "sign_type" && f.Value != "" {
			named = f.Value
		}
	}
	v := &verdict{Right: true, Says: "The signature is right: " + algorithm + " with the " + age + "."}
	if named != algorithm {
		v.Right = false
		v.Says = "The signature is right for " + algorithm + ", and sign_type says " + named + "."
		v.Next = "Send sign_type " + hmac + " with an HMAC, and none with MD5. A notification carries sign_type only where its order did."
	}
	return v
}

func unlike(given string) string {
	hex := strings.Trim(given, "0123456789abcdef") == ""
	switch {
	case !hex:
		return "It is not hex: an MD5 is 32 characters of 0-9 and a-f, an HMAC-SHA256 64."
	case len(given) != 32 && len(given) != 64:
		return "It has " + strconv.Itoa(len(given)) + " characters: an MD5 has 32, an HMAC-SHA256 64."
	}
	return "It is none of the signatures that these parameters can have, and none of the usual mistakes."
}

// compared says where a given string parts from ours. The key may stand behind it, as for MD5: that is no difference.
func compared(ours, theirs string, keys []card.Secret) *compare {
	for _, k := range keys {
		theirs = strings.TrimSuffix(theirs, "&"+k.Reveal())
	}
	c := &compare{Same: ours == theirs}
	if c.Same {
		c.Says = "Your string is the one that is signed."
		return c
	}
	at := 0
	for at < len(ours) && at < len(theirs) {
		r, size := utf8.DecodeRuneInString(ours[at:])
		if other, _ := utf8.DecodeRuneInString(theirs[at:]); r != other {
			break
		}
		at += size
	}
	at = min(at, len(ours), len(theirs))
	c.At = utf8.RuneCountInString(ours[:at]) + 1
	c.Head = without(ours[:at], keys)
	c.Ours, c.OursRest = split(without(ours[at:], keys))
	c.Theirs, c.Beyond = split(without(theirs[at:], keys))
	c.Says = "They part at character " + strconv.Itoa(c.At) + in(ours, at) + "."
	return c
}

func split(text string) (first, rest string) {
	_, size := utf8.DecodeRuneInString(text)
	return text[:size], text[size:]
}

// in names the parameter that a place of the string belongs to.
func in(text string, at int) string {
	start := strings.LastIndexByte(text[:at], '&') + 1
	name, _, ok := strings.Cut(text[start:], "=")
	if !ok {
		return ""
	}
	return ", in " + name
}
