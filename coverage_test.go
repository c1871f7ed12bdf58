package naru_test

import (
	"cmp"
	"encoding/csv"
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/coverage anew")

const koreaCards = "protocol/gsp/koreacards"

// TestCoverageOfKoreaCards writes what of Korea Cards v1 is exercised by which test: methods, members and words as the code lists them,
// violations as the sheet does. What no test exercises must have its reason in unexercised; a reason for what is exercised is stale.
func TestCoverageOfKoreaCards(t *testing.T) {
	c := newCoverage(t)
	c.line("# Coverage of Korea Cards v1\n\nGenerated from the code, its tests and `docs/spec/gsp-korea-cards-v1.md` by " +
		"`go test . -run Coverage -update`; do not edit.\n\nA test is named with the file or the row in which the item stands, where " +
		"there is one. What is not exercised says why, in *italics*.")
	c.methods()
	c.messages()
	c.headers()
	c.enums()
	c.mappings()
	c.violations()
	c.matrices()
	c.responseCodes()
	c.restOfTheSheet()
	for key := range unexercised {
		if !c.excused[key] {
			t.Errorf("%s: has a reason in unexercised, and is exercised or gone", key)
		}
	}
	const page = "docs/coverage/korea-cards-v1.md"
	if *update {
		if err := os.WriteFile(page, []byte(c.page.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(page); err != nil || string(got) != c.page.String() {
		t.Errorf("%s is stale: judge the change, then run go test . -run Coverage -update (%v)", page, err)
	}
}

// code is the sources of one folder, or its tests.
type code struct {
	name    string
	decls   map[string]ast.Node // of the package, by name; methods as (Type).Name
	docs    map[string]string   // of types and variables
	consts  map[string]string   // string constants
	remarks map[int]string      // comments by file and line; see at
	set     *token.FileSet
}

func parse(t *testing.T, dir string, tests bool) *code {
	t.Helper()
	paths, err := filepath.Glob(dir + "/*.go")
	if err != nil {
		t.Fatal(err)
	}
	c := &code{
		name: path.Base(dir), decls: map[string]ast.Node{}, docs: map[string]string{}, consts: map[string]string{},
		remarks: map[int]string{}, set: token.NewFileSet(),
	}
	var specs []*ast.ValueSpec
	for _, p := range paths {
		if strings.HasSuffix(p, "_test.go") != tests {
			continue
		}
		file, err := parser.ParseFile(c.set, p, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				name := d.Name.Name
				if d.Recv != nil {
					name = "(" + strings.Join(idents(d.Recv.List[0].Type), ".") + ")." + name
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
		case *ast.CallExpr:
			if typ, ok := n.Fun.(*ast.Ident); ok && len(n.Args) == 1 {
				if s, ok := text(known, n.Args[0]); ok {
					r.typed[[2]string{typ.Name, s}] = true
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

// coverage is the page under way, and what it is made of.
type coverage struct {
	t        *testing.T
	page     strings.Builder
	wire     *code // Korea Cards
	tests    map[string][]*reading
	suites   map[string]*code // the tests, by package
	goldens  []golden
	calls    []call
	settled  map[string][]member // of each event of a settlement, by its name in the file and in the notification
	sheet    map[string][]table
	values   map[string][]string // of the enums: their words
	constant map[word]string     // the words' names in Go
	said     map[word]*sayings
	excused  map[string]bool
}

// golden is a message in testdata: its type, what stands in it, and the tests that read it.
type golden struct {
	name, typ string
	has       map[string]string
	readers   []*reading
}

// call is a method of either side.
type call struct{ id, section, name, path, request, response string }

// member is one name in a message, with its type.
type member struct {
	path, section string
	typ           string
	owner, field  string // in Go
}

var testFolders = []string{
	koreaCards, "protocol/gsp", "engine", "rail/iso8583", "rail/clearing", "store/storetest", "e2e", "stories", "sandbox/google", "sandbox",
}

func newCoverage(t *testing.T) *coverage {
	c := &coverage{
		t: t, wire: parse(t, koreaCards, false), tests: map[string][]*reading{}, suites: map[string]*code{},
		settled: map[string][]member{}, values: map[string][]string{}, constant: map[word]string{}, excused: map[string]bool{},
	}
	for name, spec := range parse(t, "protocol/gsp", false).decls { // the envelope's types as the messages call them
		c.wire.decls["gsp."+name] = spec
	}
	for _, domain := range []string{"core/payment", "engine"} {
		for name, value := range parse(t, domain, false).consts {
			c.wire.consts[path.Base(domain)+"."+name] = value
		}
	}
	for _, folder := range testFolders {
		suite := parse(t, folder, true)
		c.suites[suite.name], c.tests[suite.name] = suite, suite.readings()
	}
	c.readSheet()
	c.readCalls()
	c.readEnums()
	c.readSettled()
	c.readGoldens()
	c.readWords()
	return c
}

// goldensUntyped are messages in testdata that are no round trip's.
var goldensUntyped = map[string]string{
	"g9-request": "SettlementNotification", "g9-response": "NotificationResponse",
}

// roundTrip only says that a type can hold a message; it counts where no other test has it. Those of silent exercise nothing: they look at
// what examples have, at what is not said, at what an operator may configure.
const roundTrip = "koreacards.TestTheSheetsExamplesSurviveTheWireTypes"

var silent = regexp.MustCompile("TestEveryMemberIsInAnExample|TestNothingPrints|TestProfileCheck")

// readGoldens takes the type of a file from the test that sends each through its type and back.
func (c *coverage) readGoldens() {
	types := maps.Clone(goldensUntyped)
	ast.Inspect(c.suites["koreacards"].decls[strings.TrimPrefix(roundTrip, "koreacards.")], func(n ast.Node) bool {
		if kv, ok := n.(*ast.KeyValueExpr); ok {
			if name, ok := text(nil, kv.Key); ok {
				types[name] = idents(kv.Value)[0]
			}
		}
		return true
	})
	add := func(name, typ string, text []byte) {
		var doc map[string]any
		if err := json.Unmarshal(text, &doc); err != nil {
			c.t.Fatal(name, err)
		}
		g := golden{name: name, typ: typ, has: walk(map[string]string{}, "", doc)}
		file := strings.TrimSuffix(name, path.Ext(name))
		prefix, isRequest := strings.CutSuffix(file, "-request")
		for _, r := range c.tests["koreacards"] {
			if r.words[name] || r.words["testdata/"+name] || r.words["testdata/"+name+".json"] ||
				isRequest && r.words["-request"] && r.words[prefix] {
				g.readers = append(g.readers, r)
			}
		}
		c.goldens = append(c.goldens, g)
	}
	for _, name := range slices.Sorted(maps.Keys(types)) {
		text, err := os.ReadFile(koreaCards + "/testdata/" + name + ".json")
		if err != nil {
			c.t.Fatal(err)
		}
		add(name, types[name], text)
	}
	file, err := os.ReadFile(koreaCards + "/testdata/settlement.ndjson")
	if err != nil {
		c.t.Fatal(err)
	}
	for i, line := range strings.Split(strings.TrimSpace(string(file)), "\n") {
		add("settlement.ndjson", lines[min(i, len(lines)-1)], []byte(line))
	}
}

// lines are the types of a settlement file's lines; all after the second are of the last (§6.2).
var lines = []string{"GspFileHeader", "GspCardSettlementHeader", "GspCardSettlementEntry"}

var (
	numbered  = regexp.MustCompile(`\b([PG]\d+)\b[^§]*(§[\d.]*\d)`)
	inSection = regexp.MustCompile(`§[\d.]*\d`)
)

// readCalls reads the list of methods and the table of notifications. Their remarks have number and section.
func (c *coverage) readCalls() {
	remark := func(from, to token.Pos) []string {
		for at := c.wire.at(from); at <= c.wire.at(to); at++ {
			if m := numbered.FindStringSubmatch(c.wire.remarks[at]); m != nil {
				return m[1:]
			}
		}
		c.t.Fatalf("%s: no remark has a number and a section", c.wire.set.Position(from))
		return nil
	}
	api := c.wire.decls["(Service).API"]
	prefix := ""
	ast.Inspect(api, func(n ast.Node) bool {
		if kv, ok := n.(*ast.KeyValueExpr); ok && idents(kv.Key)[0] == "Prefix" {
			prefix, _ = text(c.wire.consts, kv.Value)
		}
		return true
	})
	ast.Inspect(api, func(n ast.Node) bool {
		list, ok := n.(*ast.CompositeLit)
		if !ok || !slices.Equal(idents(list.Type), []string{"gsp", "Method"}) {
			return true
		}
		for _, elt := range list.Elts {
			m := call{}
			ast.Inspect(elt, func(n ast.Node) bool {
				e, ok := n.(*ast.CallExpr)
				if !ok {
					return true
				}
				switch fun := idents(e.Fun); fun[len(fun)-1] {
				case "At":
					m.path, _ = text(c.wire.consts, e.Args[0])
				case "Handle":
					m.name, _ = text(c.wire.consts, e.Args[0])
					in := c.wire.decls["(Service)."+m.name].(*ast.FuncDecl).Type.Params.List
					m.request = idents(in[len(in)-1].Type)[0]
				}
				return true
			})
			number := remark(elt.Pos(), elt.End())
			m.id, m.section, m.path = number[0], number[1], cmp.Or(m.path, prefix+m.name)
			m.response = strings.TrimSuffix(m.request, "Request") + "Response"
			c.calls = append(c.calls, m)
		}
		return false
	})
	c.calls = append(c.calls, call{"P7", "§4.7", "echo", "/v1/echo", "gsp.echoRequest", "gsp.echoResponse"}) // the envelope's
	notify := func(row *ast.CompositeLit) {
		number := remark(row.Pos(), row.End())
		m := call{id: number[0], section: number[1], response: "NotificationResponse"}
		fields := row.Elts[1:] // kind first
		if kv, ok := row.Elts[0].(*ast.KeyValueExpr); ok {
			fields = []ast.Expr{kv.Value, row.Elts[1].(*ast.KeyValueExpr).Value}
		}
		m.name, _ = text(c.wire.consts, fields[0])
		m.path, _ = text(c.wire.consts, fields[1])
		m.request = strings.ToUpper(m.name[:1]) + m.name[1:]
		if m.name == "echo" {
			m.request, m.response = "EchoRequest", "EchoResponse"
		}
		c.calls = append(c.calls, m)
	}
	for _, elt := range c.wire.decls["notifications"].(*ast.ValueSpec).Values[0].(*ast.CompositeLit).Elts {
		if row, ok := elt.(*ast.CompositeLit); ok {
			notify(row)
		}
	}
	notify(c.wire.decls["echo"].(*ast.ValueSpec).Values[0].(*ast.CompositeLit))
	slices.SortStableFunc(c.calls, func(a, b call) int {
		return cmp.Or(-cmp.Compare(a.id[0], b.id[0]), cmp.Compare(len(a.id), len(b.id)), cmp.Compare(a.id, b.id))
	})
}

// section is the sheet's section that a declaration names.
func (c *coverage) section(name string) string { return inSection.FindString(c.wire.docs[name]) }

// readEnums collects the words of the string types of wire.go: their constants, and what the tables of the code say.
func (c *coverage) readEnums() {
	for name, d := range c.wire.decls {
		s, ok := d.(*ast.ValueSpec)
		if !ok || s.Type == nil || len(idents(s.Type)) != 1 || c.section(idents(s.Type)[0]) == "" {
			continue
		}
		typ := idents(s.Type)[0]
		if file := c.wire.set.Position(c.wire.decls[typ].Pos()).Filename; len(s.Values) == 1 && path.Base(file) == "wire.go" {
			c.values[typ] = append(c.values[typ], c.wire.consts[name])
			c.constant[word{typ, c.wire.consts[name]}] = name
		}
	}
	for _, row := range c.mapping("disputeReasons") {
		c.values["PaymentDisputeReasonCode"] = append(c.values["PaymentDisputeReasonCode"], row.to)
	}
	for _, row := range c.results() {
		c.values["ReserveFundsResultCode"] = append(c.values["ReserveFundsResultCode"], row[1])
	}
	for typ := range c.values {
		slices.Sort(c.values[typ])
		c.values[typ] = slices.Compact(c.values[typ])
	}
}

// results are the rows of results.csv.
func (c *coverage) results() [][]string {
	file, err := os.Open(koreaCards + "/results.csv")
	if err != nil {
		c.t.Fatal(err)
	}
	defer file.Close()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil {
		c.t.Fatal(err)
	}
	return rows[1:]
}

// pair is a row of a table of the code: what the domain means, and its word on the wire.
type pair struct{ from, to string }

// mapping reads a map, or a list of rows, whose first two values are texts or names of the domain.
func (c *coverage) mapping(name string) (rows []pair) {
	list, ok := c.wire.decls[name].(*ast.ValueSpec).Values[0].(*ast.CompositeLit)
	if !ok {
		c.t.Fatalf("%s is no table", name)
	}
	side := func(e ast.Expr) string {
		if s, ok := text(c.wire.consts, e); ok {
			return s
		}
		return strings.Join(idents(e), ".")
	}
	for _, elt := range list.Elts {
		switch elt := elt.(type) {
		case *ast.KeyValueExpr:
			rows = append(rows, pair{side(elt.Key), side(elt.Value)})
		case *ast.CompositeLit:
			rows = append(rows, pair{side(elt.Elts[0]), side(elt.Elts[1])})
		}
	}
	return rows
}

// readSettled reads the names in a settlement's events from the table that writes them.
func (c *coverage) readSettled() {
	at := c.section("settled")
	var money func(prefix string, list *ast.CompositeLit) []member
	money = func(prefix string, list *ast.CompositeLit) (out []member) {
		for _, elt := range list.Elts {
			row := elt.(*ast.CompositeLit).Elts
			names := []string{""}
			if name, ok := text(c.wire.consts, row[0]); ok {
				names[0] = name
			} else { // the kind of an adjustment
				names = names[:0]
				for _, r := range c.mapping("adjustmentTypes") {
					names = append(names, r.to)
				}
				slices.Sort(names)
				names = slices.Compact(names)
			}
			for _, name := range names {
				out = append(out, member{path: prefix + name, section: at})
				switch v := row[1].(type) {
				case *ast.CallExpr:
					if idents(v.Fun)[0] == "amountB" {
						out = append(out, c.members("Amount", prefix+name+".")...)
					}
				case *ast.CompositeLit:
					if typ := idents(v.Type); typ[0] == "object" {
						out = append(out, money(prefix+name+".", v)...)
					} else {
						out = append(out, c.members(strings.Join(typ, "."), prefix+name+".")...)
					}
				}
			}
		}
		return out
	}
	for _, elt := range c.wire.decls["settledKinds"].(*ast.ValueSpec).Values[0].(*ast.CompositeLit).Elts {
		row := elt.(*ast.CompositeLit).Elts
		var inner []member
		if ids, ok := row[3].(*ast.CompositeLit); ok {
			for _, id := range ids.Elts {
				name, _ := text(c.wire.consts, id.(*ast.CompositeLit).Elts[0])
				inner = append(inner, member{path: name, section: at})
			}
		}
		ast.Inspect(c.wire.decls[idents(row[4])[0]], func(n ast.Node) bool {
			if list, ok := n.(*ast.CompositeLit); ok && len(idents(list.Type)) > 0 && idents(list.Type)[0] == "object" {
				inner = append(inner, money("", list)...)
				return false
			}
			return true
		})
		for i, of := range []string{"GspCardSettlementEntry", "SettlementNotification"} {
			name, _ := text(c.wire.consts, row[1+i])
			c.settled[of] = append(c.settled[of], member{path: name, section: at})
			for _, m := range inner {
				c.settled[of] = append(c.settled[of], member{path: name + "." + m.path, section: at})
			}
		}
	}
}

// members lists what stands in a type, to the last leaf.
func (c *coverage) members(typ, prefix string) (out []member) {
	spec, _ := c.wire.decls[typ].(*ast.TypeSpec)
	if spec == nil {
		return nil
	}
	body, ok := spec.Type.(*ast.StructType)
	if !ok {
		return nil
	}
	for _, f := range body.Fields.List {
		inner := strings.Join(idents(f.Type), ".")
		if len(f.Names) == 0 && f.Tag == nil {
			if !strings.Contains(inner, ".") { // an embedded struct; a secret is a leaf
				out = append(out, c.members(inner, prefix)...)
			}
			continue
		}
		name := jsonName(f)
		switch {
		case name == "" && strings.Contains(inner, "object"):
			out = append(out, prefixed(prefix, c.settled[typ])...)
		case inner == "object":
			out = append(out, member{path: prefix + name, section: c.section(typ)})
			out = append(out, prefixed(prefix+name+".", c.settled[typ])...)
		default:
			out = append(out, member{prefix + name, c.section(typ), inner, typ, f.Names[0].Name})
			out = append(out, c.members(inner, prefix+name+".")...)
		}
	}
	return out
}

var jsonTag = regexp.MustCompile(`json:"(\w*)`)

func jsonName(f *ast.Field) string {
	if f.Tag == nil {
		return ""
	}
	return jsonTag.FindStringSubmatch(f.Tag.Value)[1]
}

func prefixed(prefix string, list []member) (out []member) {
	for _, m := range list {
		m.path = prefix + m.path
		out = append(out, m)
	}
	return out
}

func (c *coverage) line(format string, args ...any) { fmt.Fprintf(&c.page, format+"\n", args...) }

func (c *coverage) heading(title string, columns ...string) {
	c.line("\n%s\n\n| %s |\n|%s", title, strings.Join(columns, " | "), strings.Repeat("---|", len(columns)))
}

func (c *coverage) row(cells ...string) { c.line("| %s |", strings.Join(cells, " | ")) }

func quoted(s string) string {
	if s == "" {
		return "nothing"
	}
	return "`" + s + "`"
}

// whole is in the names of tests that compare a message in full: they say more about its members than others.
var whole = regexp.MustCompile("Read|Answers|OnTheWire|TheSheets|Paths|EveryKind|InFull")

// best is the first by name of the first kind of evidence that there is, those of whole messages before others.
func best(kinds ...[]string) string {
	for _, kind := range kinds {
		slices.Sort(kind)
		if i := slices.IndexFunc(kind, whole.MatchString); i >= 0 {
			return kind[i]
		}
		if len(kind) > 0 {
			return kind[0]
		}
	}
	return ""
}

// proof is what a row says of its item: the test, or the reason why there is none.
func (c *coverage) proof(key, test string) string {
	c.t.Helper()
	reason, excused := unexercised[key]
	switch {
	case test != "":
		return quoted(test)
	case excused:
		c.excused[key] = true
		return "*" + reason + "*"
	}
	c.t.Errorf("%s: no test exercises it, and unexercised has no reason", key)
	return "?"
}

// about are the tests that have a message of a method in hand.
func (c *coverage) about(id string) map[*reading]bool {
	set := map[*reading]bool{}
	for _, g := range c.goldens {
		if g.of(id) {
			for _, r := range g.readers {
				set[r] = true
			}
		}
	}
	return set
}

// of says whether a message is one of a method, by the name of its file.
func (g golden) of(id string) bool { return strings.HasPrefix(g.name, strings.ToLower(id)+"-") }

func (c *coverage) methods() {
	c.heading("## Methods", "method", "spec", "path", "test")
	for _, m := range c.calls {
		var here, path []string
		about := c.about(m.id)
		for _, r := range c.tests["koreacards"] {
			if r.words[m.path] && about[r] {
				here = append(here, r.name)
			} else if r.words[m.path] {
				path = append(path, r.name)
			}
		}
		c.row(m.id+" "+quoted(m.name), m.section, quoted(m.path), c.proof(m.id, best(here, path)))
	}
}

func (c *coverage) messages() {
	for i, m := range c.calls {
		if i == 0 {
			c.line("\n## Requests and responses of Google's calls to us")
		} else if m.id == "G1" {
			c.line("\n## Notifications: our calls to Google")
		}
		c.message(m, "request", m.request)
		c.message(m, "response", m.response)
	}
	c.line("\n## Settlement file")
	for i, typ := range lines {
		c.message(call{id: "line " + strconv.Itoa(i+1), name: typ, section: "§6.2"}, "", typ)
	}
}

func (c *coverage) message(m call, direction, typ string) {
	title := strings.TrimSpace(m.id + " " + m.name + " " + direction)
	c.heading("### "+title+" ("+m.section+")", "member", "spec", "test")
	list := c.members(typ, "")
	for _, one := range list {
		at := cmp.Or(one.section, m.section)
		if last(one.path) == "epochMillis" {
			at = "§2.2"
		}
		c.row(quoted(one.path), at, c.proof(strings.TrimSpace(m.id+" "+direction)+" "+one.path, c.exercises(m, typ, one, list)))
	}
}

// exercises finds the test of one member: a message from testdata that has it, one in a test's source, its path in a test's table, its name
// where it is the only one of that name, or its field in Go.
func (c *coverage) exercises(m call, typ string, one member, list []member) string {
	var read, files, sources, paths, loose, back []string
	namesakes := 0
	for _, other := range list {
		if last(other.path) == last(one.path) {
			namesakes++
		}
	}
	for _, g := range c.goldens {
		if m.path != "" && !g.of(m.id) {
			continue
		}
		rest, ok := one.path, g.typ == typ
		for _, outer := range list { // a golden of a part
			if inner, is := strings.CutPrefix(one.path, outer.path+"."); is && g.typ == outer.typ {
				rest, ok = inner, true
			}
		}
		if _, has := g.has[rest]; !ok || !has {
			continue
		}
		for _, r := range g.readers {
			switch at := r.name + "/" + g.name; {
			case r.name == roundTrip:
				back = append(back, at)
			case strings.Contains(r.name, "Read"):
				read = append(read, at)
			default:
				files = append(files, at)
			}
		}
	}
	about := c.about(m.id)
	for _, suite := range []string{"koreacards", "gsp"} {
		for _, r := range c.tests[suite] {
			if r.name == roundTrip {
				continue
			}
			if r.words[one.path] && about[r] ||
				strings.Contains(one.path, ".adjustmentType.") && r.words[last(one.path)] && r.names["adjustmentTypes"] {
				paths = append(paths, r.name)
			} else if about[r] && r.words[last(one.path)] && namesakes == 1 || r.names[one.owner] && r.names[one.field] {
				loose = append(loose, r.name)
			}
			for _, doc := range r.docs {
				if _, has := doc[one.path]; has && fits(doc, list) && (about[r] || r.words[m.path] || c.fitsNoOther(doc, typ)) {
					sources = append(sources, r.name)
					break
				}
			}
		}
	}
	return best(read, files, sources, paths, loose, back)
}

func last(path string) string { return path[strings.LastIndex(path, ".")+1:] }

// fits says whether a message has no member that a type does not know.
func fits(doc map[string]string, list []member) bool {
	for p := range doc {
		if !strings.HasPrefix(p, "responseHeader") && !slices.ContainsFunc(list, func(m member) bool { return m.path == p }) {
			return false
		}
	}
	return true
}

// fitsNoOther says whether a message can be of one type alone.
func (c *coverage) fitsNoOther(doc map[string]string, typ string) bool {
	types := slices.Clone(lines)
	for _, m := range c.calls {
		types = append(types, m.request, m.response)
	}
	return !slices.ContainsFunc(types, func(other string) bool { return other != typ && fits(doc, c.members(other, "")) })
}

// headers lists what the sheet says of headers and errors; the envelope's tests speak of them by name.
func (c *coverage) headers() {
	c.heading("## Headers and error answers", "member", "spec", "test")
	for _, section := range []string{"§2.3", "§2.6"} {
		for _, row := range c.sheet[section][0].rows {
			for _, p := range spans(row[0]) {
				named := c.naming(`"` + last(p) + `"`)
				stepwise := slices.DeleteFunc(slices.Clone(named), func(test string) bool { return !headerTests.MatchString(test) })
				c.row(quoted(p), section, c.proof(p, best(stepwise, named)))
			}
		}
	}
	c.heading("### errorResponseCode", "value", "HTTP", "test")
	for _, row := range c.sheet["§2.6"][1].rows {
		code := spans(row[0])[0]
		test := best(c.naming(code))
		for _, r := range c.matrix("TestErrorMatrix") {
			if r.code == code {
				test = "e2e.TestErrorMatrix/" + r.name
				break
			}
		}
		c.row(quoted(code), row[1], c.proof("errorResponseCode "+code, test))
	}
}

// headerTests go through the members of a header one by one.
var headerTests = regexp.MustCompile("Steps|BothGenerations")

// naming are the envelope's tests in whose strings a text stands.
func (c *coverage) naming(text string) (tests []string) {
	for _, r := range c.tests["gsp"] {
		for word := range r.words {
			if strings.Contains(word, text) {
				tests = append(tests, r.name)
				break
			}
		}
	}
	return tests
}

// tableOf is the table of the code that says the words of a type, where it is no constant's.
var tableOf = map[string]string{
	"DefendChargebackResultCode": "defendResults", "ReserveFundsResultCode": "results",
	"RefundResultCode": "refundResults", "PaymentDisputeReasonCode": "disputeReasons",
}

// word is a value of a type.
type word struct{ typ, value string }

// sayings is who says a word: in a message, or as a value of its type; in a test that has its table or its type; in the round trip.
type sayings struct{ told, table, loose, back []string }

// readWords finds the tests of every word.
func (c *coverage) readWords() {
	c.said = map[word]*sayings{}
	for typ, values := range c.values {
		for _, v := range values {
			c.said[word{typ, v}] = &sayings{}
		}
	}
	members := map[string]string{} // member to its type, where all members of that name have it
	for _, m := range c.calls {
		for _, typ := range []string{m.request, m.response} {
			for _, one := range c.members(typ, "") {
				name := last(one.path)
				if before, ok := members[name]; ok && before != one.typ {
					members[name] = ""
				} else {
					members[name] = one.typ
				}
				for _, g := range c.goldens {
					s := c.said[word{one.typ, g.has[one.path]}]
					if s == nil || g.typ != typ || !g.of(m.id) {
						continue
					}
					for _, r := range g.readers {
						if at := r.name + "/" + g.name; r.name == roundTrip {
							s.back = append(s.back, at)
						} else {
							s.told = append(s.told, at)
						}
					}
				}
			}
		}
	}
	for w, s := range c.said {
		for _, r := range c.tests["koreacards"] {
			if r.name == roundTrip {
				continue
			}
			is := r.names[c.constant[w]] || r.typed[[2]string{w.typ, w.value}]
			for name, typ := range members {
				is = is || typ == w.typ && r.said[[2]string{name, w.value}]
			}
			switch {
			case is:
				s.told = append(s.told, r.name)
			case r.words[w.value] && r.names[tableOf[w.typ]]:
				s.table = append(s.table, r.name)
			case r.words[w.value] && r.names[w.typ]:
				s.loose = append(s.loose, r.name)
			}
		}
	}
}

func (c *coverage) enums() {
	c.line("\n## Words")
	for _, typ := range slices.SortedFunc(maps.Keys(c.values), func(a, b string) int {
		return cmp.Or(compareSections(c.section(a), c.section(b)), cmp.Compare(a, b))
	}) {
		c.heading("### "+typ+" ("+c.section(typ)+")", "value", "test")
		for _, v := range c.values[typ] {
			s := c.said[word{typ, v}]
			c.row(quoted(v), c.proof(typ+" "+v, best(s.told, s.table, s.loose, s.back)))
		}
	}
}

func compareSections(a, b string) int {
	number := func(s string) (n []int) {
		for part := range strings.SplitSeq(strings.TrimPrefix(s, "§"), ".") {
			i, _ := strconv.Atoi(part)
			n = append(n, i)
		}
		return n
	}
	return slices.Compare(number(a), number(b))
}

// mappings lists the tables that turn our words into Google's or back.
func (c *coverage) mappings() {
	c.line("\n## Tables between our words and the wire's")
	c.heading("### results.csv (§7.1)", "reason", "result", "evidence", "otherwise", "test")
	for _, row := range c.results() {
		c.row(row[0], quoted(row[1]), row[2], row[3], c.proof("results.csv "+row[0], c.says("results", pair{row[0], row[1]})))
	}
	var tables []string
	for name, d := range c.wire.decls {
		if s, ok := d.(*ast.ValueSpec); ok && len(s.Values) == 1 {
			if list, ok := s.Values[0].(*ast.CompositeLit); ok {
				if typ, ok := list.Type.(*ast.MapType); ok && idents(typ.Value)[0] != "bool" || name == "refundResults" {
					tables = append(tables, name)
				}
			}
		}
	}
	slices.Sort(tables)
	for _, name := range tables {
		c.heading("### "+name, "from", "to", "test")
		for _, row := range c.mapping(name) {
			c.row(quoted(row.from), quoted(row.to), c.proof(name+" "+row.from, c.says(name, row)))
		}
	}
}

// says finds the test that has a row in hand: a side of it and the table, or both sides, the one as a word of its type.
func (c *coverage) says(table string, row pair) string {
	var in, both, whole []string
	for _, r := range c.tests["koreacards"] {
		from, to := c.mentions(r, row.from), c.mentions(r, row.to)
		switch {
		case r.name == roundTrip:
		case (from || to) && r.names[table]:
			in = append(in, r.name)
		case from && to && c.isSaid(r, row):
			whole = append(whole, r.name)
		case from && to:
			both = append(both, r.name)
		}
	}
	return best(in, whole, both)
}

// isSaid says whether a test has one of two texts as a word of the wire.
func (c *coverage) isSaid(r *reading, row pair) bool {
	for w, s := range c.said {
		if w.value == row.from || w.value == row.to || c.constant[w] == row.from {
			for _, at := range slices.Concat(s.told, s.table) {
				if name, _, _ := strings.Cut(at, "/"); name == r.name {
					return true
				}
			}
		}
	}
	return false
}

// mentions says whether a test has a text, or the constant that stands for it, in its source or in a message that it reads.
func (c *coverage) mentions(r *reading, text string) bool {
	if r.words[text] {
		return true
	}
	for pair := range r.said {
		if pair[1] == text {
			return true
		}
	}
	for name, value := range c.wire.consts {
		if value == text && r.names[last(name)] {
			return true
		}
	}
	if strings.Contains(text, ".") && r.names[last(text)] {
		return true
	}
	for _, g := range c.goldens {
		if slices.Contains(g.readers, r) && slices.Contains(slices.Collect(maps.Values(g.has)), text) {
			return true
		}
	}
	return false
}

// table is one of the sheet's.
type table struct {
	head []string
	rows [][]string
}

func spans(cell string) (list []string) {
	for _, m := range codeSpan.FindAllStringSubmatch(cell, -1) {
		list = append(list, m[1])
	}
	return list
}

var sectionHead = regexp.MustCompile(`^#{2,3} (\d+(?:\.\d+)?)\.? `)

// readSheet reads every table of the sheet, by section.
func (c *coverage) readSheet() {
	sheet, err := os.ReadFile("docs/spec/gsp-korea-cards-v1.md")
	if err != nil {
		c.t.Fatal(err)
	}
	c.sheet = map[string][]table{}
	section, inside := "", false
	for line := range strings.Lines(string(sheet)) {
		if m := sectionHead.FindStringSubmatch(line); m != nil {
			section = "§" + m[1]
		}
		if !strings.HasPrefix(line, "|") {
			inside = false
			continue
		}
		var cells []string
		for cell := range strings.SplitSeq(strings.Trim(strings.TrimSpace(line), "|"), "|") {
			cells = append(cells, strings.TrimSpace(cell))
		}
		list := c.sheet[section]
		switch {
		case !inside:
			c.sheet[section] = append(list, table{head: cells})
		case !strings.HasPrefix(line, "|--"):
			last := &list[len(list)-1]
			last.rows = append(last.rows, cells)
		}
		inside = true
	}
}

// violations lists every row of the sheet's error tables.
func (c *coverage) violations() {
	c.line("\n## Violations and situations")
	seen := map[string]bool{}
	for _, section := range slices.SortedFunc(maps.Keys(c.sheet), compareSections) {
		for _, tab := range c.sheet[section] {
			if !slices.Contains([]string{"Violation", "Situation", "`result`"}, tab.head[0]) {
				continue
			}
			c.heading("### "+section, tab.head[0], "answer", "test")
			for _, row := range tab.rows {
				key, answer := section+" "+strings.ReplaceAll(row[0], "`", ""), row[1]
				if len(row) > 3 { // §10: status, code, basis
					answer += " " + row[2]
				}
				var tests []string
				for _, test := range violated[key] {
					c.mustExist(key, test, answer)
					tests = append(tests, quoted(test))
				}
				seen[key] = true
				if len(tests) == 0 {
					tests = []string{c.proof(key, "")}
				}
				c.row(row[0], answer, strings.Join(tests, ", "))
			}
		}
	}
	for key := range violated {
		if !seen[key] {
			c.t.Errorf("%s: stands in violated, and not in the sheet", key)
		}
	}
}

// mustExist holds a test that was named by hand against its source: the function, the row, and in a matrix the row's answer.
func (c *coverage) mustExist(key, test, answer string) {
	name, row, _ := strings.Cut(test, "/")
	suite, _, _ := strings.Cut(name, ".")
	i := slices.IndexFunc(c.tests[suite], func(r *reading) bool { return r.name == name })
	if i < 0 {
		c.t.Errorf("%s: there is no test %s", key, name)
		return
	}
	has := row == "" || c.tests[suite][i].words[row]
	if method, own, ok := strings.Cut(row, ", "); ok { // a row that several methods share
		has = has || c.tests[suite][i].words[method] && c.tests[suite][i].words[own]
	}
	if _, err := os.Stat("stories/testdata/script/" + row + ".txtar"); !has && (suite != "stories" || err != nil) {
		c.t.Errorf("%s: %s has no row %q", key, name, row)
	}
	if function, ok := strings.CutPrefix(name, "e2e.TestErrorMatrix"); ok {
		for _, r := range c.matrix("TestErrorMatrix" + function) {
			if r.name == row && !(strings.Contains(answer, r.status) && strings.Contains(answer, r.code)) {
				c.t.Errorf("%s: %q is answered with %s %s, and should be with %s", key, row, r.status, r.code, answer)
			}
		}
	}
}

// refusal is a row of an error matrix of package e2e.
type refusal struct{ name, status, code string }

// matrix reads the rows of an error matrix that stand in it as they are.
func (c *coverage) matrix(function string) (rows []refusal) {
	known := c.suites["e2e"].consts
	ast.Inspect(c.suites["e2e"].decls[function], func(n ast.Node) bool {
		var cells []ast.Expr // name, what is sent, status, code
		switch n := n.(type) {
		case *ast.CompositeLit:
			cells = n.Elts
		case *ast.CallExpr:
			cells = n.Args
		}
		if len(cells) != 4 {
			return true
		}
		name, named := text(known, cells[0])
		status, is := cells[2].(*ast.BasicLit)
		if code, coded := text(known, cells[3]); named && is && coded && status.Kind == token.INT {
			rows = append(rows, refusal{name, status.Value, code})
		}
		return true
	})
	return rows
}

// matrices lists the rows of the error matrices that are sent to the real listener.
func (c *coverage) matrices() {
	c.line("\n## Rows of the error matrices")
	for _, m := range []struct{ title, function string }{
		{"e2e.TestErrorMatrix", "TestErrorMatrix"},
		{"e2e.TestErrorMatrixOfTheLaterMethods", "TestErrorMatrixOfTheLaterMethods"},
		{"e2e.TestErrorMatrixOfTheLaterMethods, each for P4, P5, P6 and P8", "general"},
	} {
		c.heading("### "+m.title, "row", "answer")
		for _, r := range c.matrix(m.function) {
			c.row(r.name, strings.TrimSpace(r.status+" "+r.code))
		}
	}
}

// responseCodes lists the network's codes of §7.2 with what Google hears, which the table of package e2e holds.
func (c *coverage) responseCodes() {
	answers := map[string]string{}
	for _, elt := range c.suites["e2e"].decls["codes"].(*ast.ValueSpec).Values[0].(*ast.CompositeLit).Elts {
		row := elt.(*ast.CompositeLit).Elts
		list, _ := text(nil, row[0])
		word, _ := text(nil, row[2])
		for code := range strings.FieldsSeq(list) {
			answers[code] = strings.TrimSpace(row[1].(*ast.BasicLit).Value + " " + word)
		}
	}
	evidence := map[string]string{}
	for _, row := range c.results() {
		evidence[row[1]] = row[2]
	}
	var rows [][]string
	for _, tab := range c.sheet["§7.2"] {
		for _, row := range tab.rows {
			for i := 0; i+1 < len(row); i += 3 {
				for code := range strings.SplitSeq(row[i], ", ") {
					if len(code) == 1 {
						code = "0" + code
					}
					if len(code) == 2 { // not the rows in words that end the table
						rows = append(rows, []string{code, row[i+1], answers[code]})
					}
				}
			}
		}
	}
	slices.SortFunc(rows, slices.Compare)
	c.heading("## The network's codes (§7.2)", "code", "the sheet", "heard by Google, nothing in the profile", "test")
	for _, row := range rows {
		test := ""
		if row[2] != "" {
			test = "e2e.TestResponseCodes"
		}
		_, heard, isWord := strings.Cut(row[2], " ")
		words := spans(row[1])
		if !strings.Contains(row[1], cmp.Or(heard, row[2])) && !strings.Contains(row[1], row[2][:3]) &&
			!(isWord && heard == "ISSUER_DECLINED" && evidence[words[0]] != "korea") {
			c.t.Errorf("§7.2 %s: Google hears %q, and the sheet says %s", row[0], row[2], row[1])
		}
		c.row(append(row, c.proof("§7.2 "+row[0], test))...)
	}
}

// refuses finds the test that sends what we take from nobody.
func (c *coverage) refuses(value string) string {
	var tests []string
	for _, r := range c.tests["koreacards"] {
		if r.words[value] {
			tests = append(tests, r.name)
		}
	}
	return best(tests)
}

var memberLike = regexp.MustCompile(`^[a-z][A-Za-z0-9]+(\[\])?$`)

// restOfTheSheet lists the names in the sheet's tables of fields and values that the code does not have.
func (c *coverage) restOfTheSheet() {
	known := map[string]bool{"KRW": true, "NOT_HELD": true} // a currency, and a state of ours
	for name := range c.wire.decls {
		known[name] = true
	}
	for _, list := range c.values {
		for _, v := range list {
			known[v] = true
		}
	}
	for _, m := range c.calls {
		known[m.name] = true
		for _, typ := range append([]string{m.request, m.response}, lines...) {
			for _, one := range c.members(typ, "") {
				known[one.path], known[last(one.path)] = true, true
			}
		}
	}
	for _, section := range []string{"§2.3", "§2.6"} {
		for _, tab := range c.sheet[section] {
			for _, row := range tab.rows {
				for _, p := range spans(row[0]) {
					known[p], known[p[:strings.IndexByte(p+".", '.')]] = true, true
				}
			}
		}
	}
	c.heading("## In the sheet, not in the code", "name", "spec", "test or reason")
	told := map[string]bool{}
	for _, section := range slices.SortedFunc(maps.Keys(c.sheet), compareSections) {
		if section < "§3" || section >= "§8" {
			continue
		}
		for _, tab := range c.sheet[section] {
			for _, row := range tab.rows {
				for i, cell := range row {
					for _, name := range spans(cell) {
						isValue := regexp.MustCompile(`^[A-Z][A-Z0-9_]{2,}$`).MatchString(name)
						isMember := (i == 0 && !strings.HasPrefix(cell, "union") || section == "§6.3") && memberLike.MatchString(name)
						if name = strings.TrimSuffix(name, "[]"); (isValue || isMember) && !known[name] && !told[name] {
							told[name] = true
							c.row(quoted(name), section, c.proof(section+" "+name, c.refuses(name)))
						}
					}
				}
			}
		}
	}
}

// violated names by hand the tests of the rows that the sheet says in words; mustExist looks after it.
var violated = map[string][]string{
	"§4.1 approved in full":                {"stories.TestStories/approved_captured"},
	"§4.1 partial approval by the network": {"stories.TestStories/partial_approval"},
	"§4.1 any decline":                     {"stories.TestStories/declines"},
	"§4.1 PIN wrong / birth date or business number wrong": {
		"stories.TestStories/declines",
	},
	"§4.1 network silent, or an answer that may hide a hold (rails 1.10)": {
		"stories.TestStories/lost_answer", inState + "reversing",
	},
	"§4.1 network answers that it cannot decide now (91 and its kin)": {
		"stories.TestStories/undecided_codes",
	},
	"§4.1 wrong merchant set-up (ISO 3)": {"e2e.TestMerchantThatTheHostDoesNotKnow"},
	"§4.1 currency not contracted, amount <= 0, not whole won, two union members": {
		matrix + "Korea §10: currency not contracted", matrix + "Korea §10: amount nothing", matrix + "Korea §10: fraction of a won",
		matrix + "Korea §10: two members of a union",
	},
	"§4.1 required member or union missing": {
		matrix + "Korea §10: required member missing", matrix + "Korea §10: union missing",
	},
	"§4.1 PAN, expiry, pin as a cardholder can mistype them (Luhn, month 13, expired, too many or too few pin digits)": {
		"koreacards.TestMistypedCardDataDeclines", "koreacards.TestMistypedCardChecksDecline",
	},
	"§4.1 PAN, expiry, pin with letters, empty, or a PAN outside 13-19 digits": {
		matrix + "C8, Korea §4.1: card number of letters", matrix + "C8, Korea §4.1: month of letters",
		matrix + "C8, Korea §4.1: PIN of letters",
		matrix + "C8, Korea §4.1: empty card number", matrix + "C8, Korea §4.1: card number of 12 digits",
		matrix + "C8, Korea §4.1: card number of 20 digits",
	},
	"§4.2 reservationRequestId unknown, or of another PIAID": {
		matrix + "Korea §10: capture of an unknown reservation", matrix + "Korea §10: capture of another account's",
	},
	"§4.2 second P2 (new requestId) in any later state": {
		matrix + "Korea §10: captured twice", inState + "capture pending",
	},
	"§4.2 amount above the reserved amount": {matrix + "Korea §10: more than what is held"},
	"§4.2 amount <= 0, not whole won": {
		matrix + "Korea §4.2: capture of nothing", matrix + "Korea §4.2: capture of a fraction",
	},
	"§4.2 hold cancelled, cancel pending, or declined": {
		inState + "cancelled", inState + "cancel pending", inState + "declined",
	},
	"§4.2 hold made by P5":                  {later + "P2 §4.2: the hold of a card check"},
	"§4.2 hold expired":                     {inState + "expired"},
	"§4.2 issuer revoked the authorization": {"stories.TestStories/revoked"},
	"§4.2 network refuses the completion for any other reason": {
		"e2e.TestCaptureThatTheHostRefuses",
	},
	"§4.2 P1 never got a 200 and its attempt was reversed (NOT_HELD)": {
		inState + "not held",
	},
	"§4.2 P1 still undecided, or its reversal still unanswered": {
		inState + "pending", inState + "reversing",
	},
	"§4.3 hold open": {"stories.TestStories/cancelled"},
	"§4.3 hold already **expired or auto-cancelled**": {
		inState + "expired", inState + "a card check that nobody cancelled",
	},
	"§4.3 hold already cancelled by another requestId": {inState + "cancelled", inState + "cancel pending"},
	"§4.3 reservation declined, capture failed": {
		inState + "declined", inState + "capture failed: revoked",
	},
	"§4.3 P1 or P5 never got a 200 and its attempt was reversed (NOT_HELD)": {
		"stories.TestStories/not_held_cancelled", inState + "a card check, not held",
	},
	"§4.3 capture pending or done": {
		inState + "capture pending", matrix + "Korea §10: cancelled after the capture",
	},
	"§4.3 reservation unknown": {matrix + "Korea §10: cancel of an unknown reservation"},
	"§4.3 P1 still undecided, or its reversal still unanswered": {
		inState + "pending", inState + "reversing",
	},
	"§4.4 captureRequestId unknown": {
		later + "P4 §4.4: capture unknown", later + "P4 §4.4: capture of another account",
	},
	"§4.4 above the remainder known to the PI": {later + "P4 §4.4: above the remainder"},
	"§4.4 above the remainder, found only later downstream": {
		"engine.TestRefundThatTheNetworkRefuses/13", "koreacards.TestRefundCodes/nothing_left",
	},
	"§4.4 capture pending or failed": {inState + "capture pending", inState + "capture failed: revoked"},
	"§4.4 amount <= 0, not whole won": {
		later + "asynchronousRefund, §10: amount nothing", later + "asynchronousRefund, §10: amount below nothing",
		later + "asynchronousRefund, §10: fraction of a won",
	},
	"§4.4 too late for the card product": {"e2e.TestRefundWindow"},
	"§4.4 within the remainder, but above captured - refunds - standing chargebacks": {
		"e2e.TestRefundsInEveryState/charged back in part",
	},
	"§4.4 card lost, stolen, cancelled; issuer refuses; network has no refunds": {
		"engine.TestRefundThatTheNetworkRefuses", "e2e.TestRefundsInEveryState/REFUND_FAILED", "koreacards.TestRefundCodes",
	},
	"§4.6 SUCCESS": {"e2e.TestDefenceIsTaken/base64url", "e2e.TestDefenceInEveryStage/CB1_OPEN"},
	"§4.6 CAPTURE_REQUEST_ID_NOT_FOUND": {
		"e2e.TestDefenceIsTaken/unknown capture", "e2e.TestDefenceIsTaken/a payment made elsewhere",
	},
	"§4.6 INVALID_DOCUMENT_FORMAT": {"e2e.TestDefenceIsTaken/no PDF", "e2e.TestDefenceIsTaken/no base64"},
	"§4.6 CHARGEBACK_NOT_DEFENDABLE": {
		"e2e.TestDefenceIsTaken/no dispute", "e2e.TestDefenceInEveryStage/CB1_LOST",
	},
	"§10 not decryptable, unknown encryption key": {
		matrix + "§5.4 4, C1: no OpenPGP", matrix + "§5.4 4, X16: encrypted to a stranger",
		matrix + "§5.4 4, Korea §10: encrypted to a revoked key of ours",
	},
	"§10 no valid signature": {
		matrix + "§5.4 5, Korea §10: not signed", matrix + "§5.4 5, C2, E4: signed by a stranger",
	},
	"§10 decrypted but not strict JSON": {matrix + "§5.4 6, C3: no JSON", matrix + "X17: duplicate member"},
	"§10 other major version":           {matrix + "§5.4 8, X8, Korea §10: other major version"},
	"§10 timestamp off by more than 60 s": {
		matrix + "§5.4 10, C4, X12: late", matrix + "§5.4 10, X12: early",
	},
	"§10 PIAID unknown": {matrix + "§5.4 11, C6, Korea §10: unknown account"},
	"§10 requestId longer than 100 or bad character": {
		matrix + "§5.4 9, X11: 101 characters", matrix + "X11: a blank in the id",
	},
	"§10 key reused with other content": {
		matrix + "§5.4 12, X2: other amount", matrix + "§4.3: the same id for another method",
	},
	"§10 required member or union missing": {
		matrix + "Korea §10: required member missing", matrix + "Korea §10: union missing",
	},
	"§10 zero value of an enum; unknown text where this sheet calls the list complete": {
		matrix + "Korea §10: zero value of an enum",
	},
	"§10 PIAID known, but not enabled for this API": {matrix + "§5.4 11, Korea §10: account not enabled"},
	"§10 two members of one union":                  {matrix + "Korea §10: two members of a union"},
	"§10 amount not int64, <= 0, fraction of a won; currency not contracted": {
		matrix + "Korea §10: amount no int64", matrix + "Korea §10: amount nothing", matrix + "Korea §10: fraction of a won",
		matrix + "Korea §10: currency not contracted",
	},
	"§10 reservation, capture, refund, chargeback id unknown": {
		matrix + "Korea §10: capture of an unknown reservation", later + "P4 §4.4: capture unknown",
	},
	"§10 state or amount rule broken": {
		matrix + "Korea §10: captured twice", matrix + "Korea §10: more than what is held",
	},
	"§10 other ARN":     {"google.TestStates/another number", "engine.TestReferenceNumberOfAnother"},
	"§10 ISO 3":         {"e2e.TestMerchantThatTheHostDoesNotKnow"},
	"§10 ISO 6, 20, 30": {"e2e.TestResponseCodes/06 20 30"},
	"§10 ISO 9, 19, 22, 28, timeout": {
		"e2e.TestResponseCodes/09 19 22 28", "stories.TestStories/lost_answer",
	},
	"§10 parallel copy still running at deadline": {"e2e.TestCopyStillWaitingAtTheDeadline"},
	"§10 method not offered (e.g. capture)":       {matrix + "Korea §10: method not offered"},
}

const (
	matrix  = "e2e.TestErrorMatrix/"
	later   = "e2e.TestErrorMatrixOfTheLaterMethods/"
	inState = "e2e.TestEveryMethodInEveryState/"
)

// unexercised says of what no test exercises why that is right.
var unexercised = map[string]string{
	"P2 response paymentIntegratorCaptureId": "not sent to Korea until it is confirmed (§4.2)",

	"AvsNotSupportedReason UNSUPPORTED_BY_INTEGRATOR": supported,
	"NotSentAvsSupport UNSUPPORTED_BY_INTEGRATOR":     supported,
	"NotSentAvsSupport UNSUPPORTED_BY_ISSUER":         notSent,
	"NotSentAvsSupport SUPPORTED":                     notSent,
	"NotSentAvsSupport AVS_SUPPORT_NOT_KNOWN":         notSent,
	"VerificationResult SKIPPED_BY_ISSUER":            noLetter,
	"CvnResult NOT_SENT_UNSUPPORTED_BY_INTEGRATOR":    supported,
	"CvnResult NOT_SENT_UNSUPPORTED_BY_ISSUER":        notSent,
	"CvnResult NOT_SENT_SUPPORTED":                    notSent,
	"CvnResult UNSUPPORTED_BY_INTEGRATOR":             supported,
	"CvnResult UNSUPPORTED_BY_NETWORK":                noLetter,
	"CvnResult SKIPPED_BY_ISSUER":                     noLetter,

	"errorResponseCode UNKNOWN_ERROR_RESPONSE_CODE": zeroValue,
	"§4.6 zero value":                           zeroValue,
	"§3.7 NOT_SENT_AVS_SUPPORT_UNSPECIFIED":     zeroValue,
	"§3.7 AVS_NOT_SUPPORTED_REASON_UNSPECIFIED": zeroValue,
	"§3.8 CVN_RESULT_UNSPECIFIED":               zeroValue,
	"§3.10 CARD_TYPE_UNSPECIFIED":               zeroValue,
	"§5.13 UNKNOWN_REASON":                      zeroValue,

	"§10 PIAID in body differs from URL": "cannot happen: our paths name no account (§1.2), and our calls take both from one value",

	"§6.2 openingBalance":           "optional: no balance is carried over",
	"§6.2 closingBalance":           "optional: no balance is carried over",
	"§6.2 settlementPaymentDetails": "optional: the payment comes after the file",
	"§6.3 eventFeeBreakdown":        "optional, informative only: the acquirer's fees are not passed on",
}

const (
	zeroValue = "zero value: never sent"
	supported = "never said: the check is supported"
	notSent   = "never said: where nothing was sent, Korea's networks would not have looked at it (§3.7, §11)"
	noLetter  = "never said: no letter of the networks means it (rails §1.15)"
)
