package naru_test

import (
	"cmp"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// library is the folders that were read, each once.
type library struct {
	t        *testing.T
	set      *token.FileSet
	sources  map[string]*code
	suites   map[string]*code // the tests, by package
	readings map[string][]*reading
}

func newLibrary(t *testing.T) *library {
	l := &library{t, token.NewFileSet(), map[string]*code{}, map[string]*code{}, map[string][]*reading{}}
	for _, folder := range []string{"protocol/gsp", shared, "core/payment", "core/payout", "engine"} {
		l.sources[path.Base(folder)] = l.parse(folder, false)
	}
	for _, folder := range testFolders {
		suite := l.parse(folder, true)
		for _, from := range []string{"cards", "payout"} {
			for name, value := range l.sources[from].consts {
				suite.consts[from+"."+name] = value
			}
		}
		l.suites[suite.name], l.readings[suite.name] = suite, suite.readings()
	}
	return l
}

// declared is a declaration of a suite that we read by name.
func (l *library) declared(suite, name string) ast.Node {
	d := l.suites[suite].decls[name]
	if d == nil {
		l.t.Fatalf("package %s declares no %s: tell the generator what has taken its place", suite, name)
	}
	return d
}

// code is the sources of one folder, or its tests.
type code struct {
	name    string
	decls   map[string]ast.Node // of the package, by name; methods as (Type).Name
	docs    map[string]string   // of types and variables
	consts  map[string]string   // string constants
	remarks map[int]string      // comments by file and line; see at
	set     *token.FileSet
	methods map[string][]string // of a name, those of all types
}

func (l *library) parse(dir string, tests bool) *code {
	l.t.Helper()
	paths, err := filepath.Glob(dir + "/*.go")
	if err != nil {
		l.t.Fatal(err)
	}
	c := &code{
		name: path.Base(dir), decls: map[string]ast.Node{}, docs: map[string]string{}, consts: map[string]string{},
		remarks: map[int]string{}, set: l.set, methods: map[string][]string{},
	}
	var specs []*ast.ValueSpec
	for _, p := range paths {
		if strings.HasSuffix(p, "_test.go") != tests {
			continue
		}
		file, err := parser.ParseFile(c.set, p, nil, parser.ParseComments)
		if err != nil {
			l.t.Fatal(err)
		}
		for _, d := range file.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				name := d.Name.Name
				if d.Recv != nil {
					name = "(" + strings.Join(idents(d.Recv.List[0].Type), ".") + ")." + name
					c.methods[d.Name.Name] = append(c.methods[d.Name.Name], name)
				}
				c.decls[name] = d
			case *ast.GenDecl:
				for _, s := range d.Specs {
					switch s := s.(type) {
					case *ast.TypeSpec:
						c.decls[s.Name.Name], c.docs[s.Name.Name] = s, d.Doc.Text()
					case *ast.ValueSpec:
						for _, name := range s.Names {
							c.decls[name.Name], c.docs[name.Name] = s, d.Doc.Text()+s.Comment.Text()
						}
						if d.Tok == token.CONST {
							specs = append(specs, s)
						}
					}
				}
			}
		}
		for _, group := range file.Comments {
			for _, remark := range group.List {
				c.remarks[c.at(remark.Pos())] = remark.Text
			}
		}
	}
	for range 3 { // constants are made of constants
		for _, s := range specs {
			note(c.consts, s)
		}
	}
	return c
}

// at is a line of a file, as one number.
func (c *code) at(p token.Pos) int {
	f := c.set.File(p)
	return f.Base() + f.Line(p)
}

// note adds the string constants of a declaration to those that are known.
func note(known map[string]string, s *ast.ValueSpec) {
	for i, name := range s.Names {
		if i < len(s.Values) {
			if v, ok := text(known, s.Values[i]); ok {
				known[name.Name] = v
			}
		}
	}
}

// text is the value of a string expression that needs nothing but constants.
func text(known map[string]string, e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		s, err := strconv.Unquote(e.Value)
		return s, err == nil && e.Kind == token.STRING
	case *ast.Ident:
		s, ok := known[e.Name]
		return s, ok
	case *ast.BinaryExpr:
		a, ok := text(known, e.X)
		b, too := text(known, e.Y)
		return a + b, ok && too && e.Op == token.ADD
	case *ast.CallExpr: // a conversion, such as string(payment.CaptureSuccess)
		if f, ok := e.Fun.(*ast.Ident); ok && f.Name == "string" && len(e.Args) == 1 {
			return text(known, e.Args[0])
		}
	case *ast.SelectorExpr:
		s, ok := known[strings.Join(idents(e), ".")] // of another package
		return s, ok
	}
	return "", false
}

func idents(n ast.Node) (names []string) {
	if n == nil {
		return nil
	}
	ast.Inspect(n, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok {
			names = append(names, id.Name)
		}
		return true
	})
	return names
}

// reading is what a test says, in its own body and in the declarations of its package that it uses.
type reading struct {
	name  string              // package.Test
	words map[string]bool     // its strings, put together as far as they are constant
	names map[string]bool     // its identifiers
	said  map[[2]string]bool  // a member and its value: in JSON, or in a map
	typed map[[2]string]bool  // a type and a value of it
	docs  []map[string]string // JSON objects among the strings, as paths; see walk
}

var jsonPair = regexp.MustCompile(`"(\w+)":"(\w+)"`)

func (c *code) readings() (list []*reading) {
	for _, name := range slices.Sorted(maps.Keys(c.decls)) {
		if _, ok := c.decls[name].(*ast.FuncDecl); !ok || !strings.HasPrefix(name, "Test") || silent.MatchString(name) {
			continue
		}
		r := &reading{
			name: c.name + "." + name, words: map[string]bool{}, names: map[string]bool{}, said: map[[2]string]bool{},
			typed: map[[2]string]bool{},
		}
		c.read(r, name)
		for word := range r.words {
			for _, m := range jsonPair.FindAllStringSubmatch(word, -1) {
				r.said[[2]string{m[1], m[2]}] = true
			}
			for _, form := range []string{word, "{" + word, "{" + word + "}"} {
				var doc map[string]any
				if json.Unmarshal([]byte(form), &doc) == nil && len(doc) > 0 {
					r.docs = append(r.docs, walk(map[string]string{}, "", doc))
					break
				}
			}
		}
		list = append(list, r)
	}
	return list
}

// read adds what a declaration says, and all that it uses.
func (c *code) read(r *reading, name string) {
	if _, ok := c.decls[name]; !ok || r.names["decl "+name] {
		return
	}
	r.names["decl "+name] = true
	known := c.consts
	ast.Inspect(c.decls[name], func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GenDecl:
			if n.Tok == token.CONST {
				known = maps.Clone(known)
				for _, s := range n.Specs {
					note(known, s.(*ast.ValueSpec))
				}
			}
		case *ast.KeyValueExpr:
			key, ok := text(known, n.Key)
			value, too := text(known, n.Value)
			if ok && too {
				r.said[[2]string{last(key), value}] = true
			}
		case *ast.CompositeLit:
			for _, typ := range idents(n.Type) {
				for _, elt := range n.Elts {
					ast.Inspect(elt, func(n ast.Node) bool {
						if e, ok := n.(ast.Expr); ok {
							if s, ok := text(known, e); ok {
								r.typed[[2]string{typ, s}] = true
							}
						}
						return true
					})
				}
			}
		case *ast.SelectorExpr: // a test that is a method: newWorld(t).whole(), or (*world).whole; or the table that one asks
			switch n.X.(type) {
			case *ast.CallExpr, *ast.ParenExpr, *ast.SelectorExpr:
				for _, method := range c.methods[n.Sel.Name] {
					c.read(r, method)
				}
			}
		case *ast.CallExpr:
			if typ := idents(n.Fun); len(typ) > 0 && len(n.Args) == 1 {
				if s, ok := text(known, n.Args[0]); ok {
					r.typed[[2]string{typ[len(typ)-1], s}] = true
				}
			}
		}
		if id, ok := n.(*ast.Ident); ok {
			r.names[id.Name] = true
			c.read(r, id.Name)
		}
		if e, ok := n.(ast.Expr); ok {
			if s, ok := text(known, e); ok {
				r.words[s] = true
				for _, id := range idents(e) {
					r.names[id] = true
				}
				return false // not its parts: the end of a path is another path
			}
		}
		return true
	})
}

// walk lists what stands in a JSON value, by path; items of a list share their path. Texts come with their value.
func walk(into map[string]string, at string, v any) map[string]string {
	switch v := v.(type) {
	case map[string]any:
		for name, inner := range v {
			into[at+name] = cmp.Or(into[at+name], "")
			walk(into, at+name+".", inner)
		}
	case []any:
		for _, inner := range v {
			walk(into, at, inner)
		}
	case string:
		into[strings.TrimSuffix(at, ".")] = v
	}
	return into
}
