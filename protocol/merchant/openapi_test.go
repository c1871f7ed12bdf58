package merchant

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"naru/core/card"
)

// node is a part of the description.
type node = map[string]any

const book = "openapi.json"

var described = sync.OnceValues(func() (node, *jsonschema.Compiler) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(description))
	if err != nil {
		panic(err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	if err := c.AddResource(book, doc); err != nil {
		panic(err)
	}
	return doc.(node), c
})

var compiling sync.Mutex

// fits says why a value does not fit the schema at a place of the description.
func fits(value any, place ...string) error {
	_, c := described()
	pointer := ""
	for _, p := range place {
		pointer += "/" + strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace(p)
	}
	compiling.Lock()
	schema, err := c.Compile(book + "#" + pointer)
	compiling.Unlock()
	if err != nil {
		return err
	}
	return schema.Validate(value)
}

// resolve follows a $ref inside the description.
func resolve(v any) node {
	n := v.(node)
	ref, ok := n["$ref"].(string)
	if !ok {
		return n
	}
	doc, _ := described()
	var at any = doc
	for _, p := range strings.Split(strings.TrimPrefix(ref, "#/"), "/") {
		at = at.(node)[p]
	}
	return at.(node)
}

// described calls by verb and path, those of webhooks with their names for paths.
func eachOperation(visit func(section, path, verb string, op node)) {
	doc, _ := described()
	for _, section := range []string{"paths", "webhooks"} {
		for path, item := range doc[section].(node) {
			for verb, op := range item.(node) {
				visit(section, path, verb, op.(node))
			}
		}
	}
}

func TestDescriptionIsSound(t *testing.T) {
	doc, _ := described()
	if doc["openapi"] != "3.1.0" {
		t.Error("it must be OpenAPI 3.1")
	}
	used := map[string]bool{}
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case node:
			if ref, ok := v["$ref"].(string); ok {
				used[ref] = true
				if resolve(v) == nil {
					t.Errorf("%s leads nowhere", ref)
				}
			}
			for _, child := range v {
				walk(child)
			}
		case []any:
			for _, child := range v {
				walk(child)
			}
		}
	}
	walk(doc)
	for kind, list := range doc["components"].(node) {
		for name := range list.(node) {
			if kind != "securitySchemes" && !used["#/components/"+kind+"/"+name] {
				t.Errorf("%s %s is used nowhere", kind, name)
			}
		}
	}
	for name := range doc["components"].(node)["schemas"].(node) {
		if err := fits(json.Number("0"), "components", "schemas", name); err == nil {
			t.Errorf("schema %s takes a number", name)
		}
	}
	ids := map[string]bool{}
	eachOperation(func(section, path, verb string, op node) {
		id, _ := op["operationId"].(string)
		if id == "" || ids[id] || op["summary"] == "" || op["description"] == "" {
			t.Errorf("%s %s: an operation has an id of its own, a summary and a description", verb, path)
		}
		ids[id] = true
		inPath := strings.Count(path, "{")
		parameters, _ := op["parameters"].([]any)
		for _, p := range parameters {
			p := p.(node)
			if p["in"] == "path" {
				if inPath--; p["required"] != true || !strings.Contains(path, "{"+p["name"].(string)+"}") {
					t.Errorf("%s: parameter %v", id, p["name"])
				}
			}
		}
		if inPath != 0 {
			t.Errorf("%s: parameters of the path are not described", id)
		}
		if section == "paths" && (op["security"] == nil || op["responses"].(node)["500"] == nil) {
			t.Errorf("%s: security and the unknown outcome are described", id)
		}
	})
}

// Every example fits its schema, and every signature in them is real.
func TestExamples(t *testing.T) {
	seen := map[Code]bool{}
	check := func(id string, examples any, place ...string) {
		if len(examples.(node)) == 0 {
			t.Errorf("%s has no example", id)
		}
		for name, e := range examples.(node) {
			value := resolve(e)["value"]
			if err := fits(value, append(place, "schema")...); err != nil {
				t.Errorf("%s: example %s: %v", id, name, err)
			}
			if code, ok := value.(node)["error_code"].(string); ok {
				seen[Code(code)] = true
			}
			verify(t, id+" "+name, value)
		}
	}
	const media = "application/json"
	eachOperation(func(section, path, verb string, op node) {
		id := op["operationId"].(string)
		if body, ok := op["requestBody"]; ok {
			check(id, body.(node)["content"].(node)[media].(node)["examples"], section, path, verb, "requestBody", "content", media)
		}
		for status, r := range op["responses"].(node) {
			place := []string{section, path, verb, "responses", status, "content", media}
			if ref, ok := r.(node)["$ref"].(string); ok {
				place = append(strings.Split(strings.TrimPrefix(ref, "#/"), "/"), "content", media)
			}
			check(id, resolve(r)["content"].(node)[media].(node)["examples"], place...)
		}
	})
	for _, code := range reachable {
		if !seen[code] {
			t.Errorf("%s has no example", code)
		}
	}
}

// verify checks every signature in an example, those of balances over their fixed members.
func verify(t *testing.T, name string, v any) {
	n, ok := v.(node)
	if !ok {
		return
	}
	if list, ok := n["data"].([]any); ok {
		for _, item := range list {
			verify(t, name, item)
		}
		return
	}
	if data, ok := n["data"].(node); ok && data["platform_channels"] != nil {
		for _, c := range data["platform_channels"].([]any) {
			c := maps.Clone(c.(node))
			delete(c, "frozen_balance")
			verify(t, name, c)
		}
		data = maps.Clone(data)
		delete(data, "platform_channels")
		delete(data, "total_frozen_balance")
		verify(t, name, data)
	}
	signature, ok := n["sign"].(string)
	if !ok {
		return
	}
	plain, err := json.Marshal(n)
	if err != nil {
		t.Fatal(err)
	}
	x, err := Explain(plain)
	if err != nil {
		t.Fatal(err)
	}
	a := MD5
	if len(signature) == 64 {
		a = HMAC
	}
	if got := a.Digest(x.Text, card.Conceal(testKey)); got != signature {
		t.Errorf("%s: the signature of %s is %s", name, x.Text, got)
	}
}

// What is described is served, what is served is described, with the same parameters (§2).
func TestDescriptionIsServed(t *testing.T) {
	served := map[string]bool{}
	doc, _ := described()
	paths := doc["paths"].(node)
	for _, o := range operations {
		served[strings.ToLower(o.verb)+" "+base+o.path] = true
		item, _ := paths[base+o.path].(node)
		op, ok := item[strings.ToLower(o.verb)].(node)
		if !ok || op["operationId"] != o.name {
			t.Errorf("%s %s is served and not described as %s", o.verb, o.path, o.name)
			continue
		}
		if o.fields == nil {
			continue
		}
		schema := resolve(op["requestBody"].(node)["content"].(node)["application/json"].(node)["schema"])
		properties := schema["properties"].(node)
		for _, f := range o.fields {
			p, ok := properties[f.name].(node)
			if !ok {
				t.Errorf("%s: %s is not described", o.name, f.name)
				continue
			}
			if most, ok := p["maxLength"]; ok && fmt.Sprint(most) != fmt.Sprint(f.most) {
				t.Errorf("%s: %s has %v characters here and %d there", o.name, f.name, most, f.most)
			}
			if f.required != slices.Contains(schema["required"].([]any), any(f.name)) {
				t.Errorf("%s: whether %s is required differs", o.name, f.name)
			}
		}
		if len(properties) != len(o.fields) {
			t.Errorf("%s: parameters are described that are not read", o.name)
		}
	}
	eachOperation(func(section, path, verb string, _ node) {
		if section == "paths" && !served[verb+" "+path] {
			t.Errorf("%s %s is described and not served", verb, path)
		}
	})
	w := newWorld(t, Profile{})
	resp, err := http.Get(w.http.URL + descriptionPath)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	got, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatal(resp.StatusCode, err)
	}
	want := bytes.Replace(description, []byte(`"x-notification-sources": []`), []byte(`"x-notification-sources": ["192.0.2.7"]`), 1)
	if !bytes.Equal(got, want) || bytes.Equal(got, description) {
		t.Error("the description is served with the addresses that our calls come from")
	}
}

// conforms holds an answer of the server against the description.
func conforms(t *testing.T, verb, path string, a answer) {
	t.Helper()
	path, _, _ = strings.Cut(path, "?")
	op, _, err := find(verb, path)
	if err != nil {
		return
	}
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(a.body))
	if err != nil {
		t.Fatal(err)
	}
	place := []string{"paths", base + op.path, strings.ToLower(verb), "responses", "200", "content", "application/json", "schema"}
	if a.status == http.StatusInternalServerError {
		place = []string{"components", "schemas", "Error"}
	}
	if err := fits(value, place...); err != nil {
		t.Errorf("%s %s: %s is not as described: %v", verb, path, a.body, err)
	}
}
