package gsp

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
)

const maxDepth = 64 // gsp-core §10: containers inside each other

// errSyntax says nothing more: what the reader could add may quote the document.
var errSyntax = errors.New("not a strict JSON object")

// member is a value that the envelope looks at: nothing, a scalar's text, or the mere presence of a container.
type member struct {
	kind jsontext.Kind // 0 where absent or null
	text string        // of a string or number
}

// document is one request, read once: what the envelope needs of it, and its content.
type document struct {
	got     [slots]member
	foreign string // a top-level member that belongs to a sibling method; its name is from our own table
	content []byte // canonical: equal for two requests exactly if they ask the same (gsp-core §4.3 step 2). It holds secrets.

	dec      jsontext.Decoder
	src      bytes.Buffer
	shape    *shape
	siblings map[string]bool
	spans    []span
	scratch  []byte
}

// span is one member of an object in the canonical text: its name from at to colon, its value up to end.
type span struct{ at, colon, end int }

// documents keeps the working memory of finished calls.
type documents struct{ pool sync.Pool }

// read parses strictly: one object, no duplicate names, no trailing data, comments, BOM or bad UTF-8, at most maxDepth deep.
func (ds *documents) read(plain []byte, g Generation, foreign map[string]bool) (*document, error) {
	d, _ := ds.pool.Get().(*document)
	if d == nil {
		d = &document{}
	}
	d.shape, d.siblings = &shapes[g], foreign
	d.content = d.content[:0]
	d.src = *bytes.NewBuffer(plain)
	d.dec.Reset(&d.src)
	if d.dec.PeekKind() != '{' || d.value(root, 1) != nil {
		ds.release(d)
		return nil, errSyntax
	}
	if _, err := d.dec.ReadToken(); err != io.EOF {
		ds.release(d)
		return nil, errSyntax
	}
	return d, nil
}

// release wipes what a call has left behind and keeps the memory, unless it is unusually much.
func (ds *documents) release(d *document) {
	if cap(d.content)+cap(d.scratch) > 64<<10 {
		return
	}
	clear(d.content[:cap(d.content)])
	clear(d.scratch[:cap(d.scratch)])
	d.got, d.foreign = [slots]member{}, ""
	d.src = bytes.Buffer{}
	d.dec.Reset(&d.src)
	d.spans = d.spans[:0]
	ds.pool.Put(d)
}

// value copies the next value to the content in canonical form.
func (d *document) value(at slot, depth int) error {
	switch d.dec.PeekKind() {
	case '{':
		return d.object(at, depth)
	case '[':
		return d.array(at, depth)
	}
	v, err := d.dec.ReadValue()
	if err != nil {
		return err
	}
	switch v.Kind() {
	case '"':
		d.content, err = appendString(d.content, v)
	case '0':
		d.content = appendNumber(d.content, v)
	default:
		d.content = append(d.content, v...)
	}
	if at != elsewhere {
		d.got[at] = member{kind: v.Kind(), text: text(v)}
	}
	return err
}

// object sorts the members; what is null or does not count is left out. Names are unique: the decoder sees to it.
func (d *document) object(at slot, depth int) error {
	if _, err := d.dec.ReadToken(); err != nil || depth > maxDepth {
		return errSyntax
	}
	d.got[at].kind = '{'
	start, first := len(d.content), len(d.spans)
	d.content = append(d.content, '{')
	for d.dec.PeekKind() != '}' {
		mark := len(d.content)
		if len(d.spans) > first {
			d.content = append(d.content, ',')
		}
		s := span{at: len(d.content)}
		name, err := d.dec.ReadValue()
		if err != nil {
			return err
		}
		if d.content, err = appendString(d.content, name); err != nil {
			return err
		}
		s.colon = len(d.content)
		child := d.child(at, d.content[s.at+1:s.colon-1])
		d.content = append(d.content, ':')
		if d.dec.PeekKind() == 'n' {
			if _, err = d.dec.ReadToken(); err != nil {
				return err
			}
			d.content = d.content[:mark]
			continue
		}
		if at == root && d.foreign == "" && d.siblings[string(d.content[s.at+1:s.colon-1])] {
			d.foreign = string(d.content[s.at+1 : s.colon-1])
		}
		if err = d.value(child, depth+1); err != nil {
			return err
		}
		if dropped[child] {
			d.content = d.content[:mark]
			continue
		}
		s.end = len(d.content)
		d.spans = append(d.spans, s)
	}
	if _, err := d.dec.ReadToken(); err != nil {
		return err
	}
	d.sort(d.spans[first:], start)
	d.spans = d.spans[:first]
	d.content = append(d.content, '}')
	return nil
}

// child is the slot of a member. Names are compared in canonical form, in which ours need no escapes.
func (d *document) child(at slot, name []byte) slot {
	if members := d.shape.members[at]; members != nil {
		return members[string(name)]
	}
	return elsewhere
}

func (d *document) sort(spans []span, start int) {
	byName := func(a, b span) int { return bytes.Compare(d.content[a.at:a.colon], d.content[b.at:b.colon]) }
	if slices.IsSortedFunc(spans, byName) {
		return
	}
	slices.SortFunc(spans, byName)
	d.scratch = append(d.scratch[:0], d.content[start:]...)
	d.content = append(d.content[:start], '{')
	for i, s := range spans {
		if i > 0 {
			d.content = append(d.content, ',')
		}
		d.content = append(d.content, d.scratch[s.at-start:s.end-start]...)
	}
}

func (d *document) array(at slot, depth int) error {
	if _, err := d.dec.ReadToken(); err != nil || depth > maxDepth {
		return errSyntax
	}
	d.got[at].kind = '['
	d.content = append(d.content, '[')
	for n := 0; d.dec.PeekKind() != ']'; n++ {
		if n > 0 {
			d.content = append(d.content, ',')
		}
		if err := d.value(elsewhere, depth+1); err != nil {
			return err
		}
	}
	d.content = append(d.content, ']')
	_, err := d.dec.ReadToken()
	return err
}

// appendString writes a string in the one way that needs the fewest escapes. Without a backslash it has none already.
func appendString(dst, v []byte) ([]byte, error) {
	if bytes.IndexByte(v, '\\') < 0 {
		return append(dst, v...), nil
	}
	plain, err := jsontext.AppendUnquote(nil, v)
	if err != nil {
		return dst, err
	}
	return jsontext.AppendQuote(dst, plain)
}

// appendNumber writes an integer as the string it may also be sent as (gsp-core §8), anything else as it stands.
func appendNumber(dst, v []byte) []byte {
	if bytes.ContainsAny(v, ".eE") {
		return append(dst, v...)
	}
	dst = append(dst, '"')
	return append(append(dst, v...), '"')
}

func text(v jsontext.Value) string {
	switch v.Kind() {
	case '"':
		plain, err := jsontext.AppendUnquote(nil, v)
		if err != nil {
			return ""
		}
		return string(plain)
	case '0':
		return string(v)
	}
	return ""
}
