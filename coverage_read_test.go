package naru_test

import (
	"cmp"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/token"
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// goldensUntyped are the messages in testdata that are no round trip's: those of the settlement, which are of the other generation.
func (c *coverage) goldensUntyped() map[string]string {
	for _, m := range c.calls {
		if m.name == "settlementNotification" {
			at := strings.ToLower(m.id)
			return map[string]string{at + "-request": last(m.request), at + "-response": last(m.response)}
		}
	}
	return map[string]string{}
}

// roundTrip only says that a type can hold a message; it counts where no other test has it. Those of silent exercise nothing: they look at
// what examples have, at what is not said, at what an operator may configure.
const roundTrip = "TestTheSheetsExamplesSurviveTheWireTypes"

var silent = regexp.MustCompile("TestEveryMemberIsInAnExample|TestNothingPrints|TestProfileCheck")

// readGoldens takes the type of a file from the test that sends each through its type and back.
func (c *coverage) readGoldens() {
	types := c.goldensUntyped()
	ast.Inspect(c.declared(c.own, roundTrip), func(n ast.Node) bool {
		if kv, ok := n.(*ast.KeyValueExpr); ok {
			if name, ok := text(nil, kv.Key); ok {
				typ := idents(kv.Value)
				types[name] = typ[len(typ)-1]
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
		for _, r := range c.readings[c.own] {
			if r.words[name] || r.words["testdata/"+name] || r.words["testdata/"+name+".json"] ||
				isRequest && r.words["-request"] && r.words[prefix] {
				g.readers = append(g.readers, r)
			}
		}
		c.goldens = append(c.goldens, g)
	}
	for _, name := range slices.Sorted(maps.Keys(types)) {
		text, err := os.ReadFile(c.folder + "/testdata/" + name + ".json")
		if err != nil {
			c.t.Fatal(err)
		}
		add(name, types[name], text)
	}
	file, err := os.ReadFile(c.folder + "/testdata/settlement.ndjson")
	if err != nil { // one is enough: both APIs write the same
		return
	}
	for i, line := range strings.Split(strings.TrimSpace(string(file)), "\n") {
		add("settlement.ndjson", last(lines[min(i, len(lines)-1)]), []byte(line))
	}
}

// lines are the types of a settlement file's lines; all after the second are of the last (§6.2).
var lines = []string{"cards.GspFileHeader", "cards.GspCardSettlementHeader", "cards.GspCardSettlementEntry"}

var (
	numbered  = regexp.MustCompile(`\b([PG]\d+)\b[^§]*(§[\d.]*\d)`)
	inSection = regexp.MustCompile(`§[\d.]*\d`)
	inFOP     = regexp.MustCompile(`FOP [^§)]*(§[\d.]*\d)`)
)

// readCalls reads the list of methods and the table of notifications. Their remarks have number and section.
func (c *coverage) readCalls() {
	remark := func(from, to token.Pos) (id, section string) {
		for at := c.wire.at(from); at <= c.wire.at(to); at++ {
			if m := numbered.FindStringSubmatch(c.wire.remarks[at]); m != nil {
				return m[1], m[2]
			}
			if at := inSection.FindString(c.wire.remarks[at]); at != "" && !c.cards() { // a sheet without numbers
				return fmt.Sprint("P", len(c.calls)+1), at
			}
		}
		c.t.Fatalf("%s: no remark has a section, and a number where the sheet has", c.wire.set.Position(from))
		return "", ""
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
					m.request = c.requestOf(last(strings.Join(idents(e.Args[1]), ".")))
				}
				return true
			})
			m.id, m.section = remark(elt.Pos(), elt.End())
			m.path = cmp.Or(m.path, prefix+m.name)
			m.response = c.known(last(strings.TrimSuffix(m.request, "Request") + "Response"))
			c.calls = append(c.calls, m)
		}
		return false
	})
	c.calls = append(c.calls, c.echo)
	notify := func(id, section, at string) {
		m := call{id, section, path.Base(at), at, "", "gsp.NotificationResponse"}
		m.request = c.known(strings.ToUpper(m.name[:1]) + m.name[1:])
		if m.name == "echo" {
			m.request, m.response = "gsp.EchoRequest", "gsp.EchoResponse"
		}
		c.calls = append(c.calls, m)
	}
	for i, name := range c.paths {
		at := c.wire.at(c.wire.decls[name].Pos())
		notify(fmt.Sprint("G", i+1), inSection.FindString(c.wire.remarks[at]), c.wire.consts[name])
	}
	if len(c.paths) == 0 {
		for _, elt := range c.table("Notifications").Elts {
			row := elt.(*ast.CompositeLit)
			id, section := remark(row.Pos(), row.End())
			at, _ := text(c.wire.consts, row.Elts[1].(*ast.KeyValueExpr).Value)
			notify(id, section, at)
		}
	}
	slices.SortStableFunc(c.calls, func(a, b call) int {
		return cmp.Or(-cmp.Compare(a.id[0], b.id[0]), cmp.Compare(len(a.id), len(b.id)), cmp.Compare(a.id, b.id))
	})
}

// requestOf is what a method takes, its own or one that both APIs have.
func (c *coverage) requestOf(method string) string {
	own, ok := c.wire.decls["(Service)."+method].(*ast.FuncDecl)
	if !ok {
		own = c.wire.decls["cards.(Service.T)."+method].(*ast.FuncDecl)
	}
	in := own.Type.Params.List
	return c.known(strings.Join(idents(in[len(in)-1].Type), "."))
}

// known is the full name of a type that its own package may call by a shorter one.
func (c *coverage) known(typ string) string {
	if _, own := c.wire.decls[typ]; !own && c.wire.decls["cards."+typ] != nil {
		return "cards." + typ
	}
	return typ
}

// table is a list or a map of the code.
func (c *coverage) table(name string) *ast.CompositeLit {
	list, ok := c.wire.decls[name].(*ast.ValueSpec).Values[0].(*ast.CompositeLit)
	if !ok {
		c.t.Fatalf("%s is no table", name)
	}
	return list
}

// section is the sheet's section that a declaration names. What both APIs share names Korea's first, and then that of Card FOP where it
// differs.
func (c *coverage) section(name string) string {
	if strings.HasPrefix(name, "gsp.") { // the envelope's own are in gsp-core; every sheet has the answers where its notifications begin
		return map[string]string{"gsp.NotificationResponse": "§5", "gsp." + notificationResult: "§5"}[name]
	}
	if fop := inFOP.FindStringSubmatch(c.wire.docs[name]); c.marked && fop != nil {
		return fop[1]
	}
	at := inSection.FindString(c.wire.docs[name])
	return cmp.Or(c.elsewhere[at], at)
}

// readEnums collects the words of the string types of wire.go: their constants, and what the tables of the code say.
func (c *coverage) readEnums() {
	for name, d := range c.wire.decls {
		s, ok := d.(*ast.ValueSpec)
		if !ok || s.Type == nil || len(idents(s.Type)) != 1 || c.sectionOf(idents(s.Type)[0]) == "" {
			continue
		}
		typ := idents(s.Type)[0]
		file := path.Base(c.wire.set.Position(c.wire.decls[c.enum(typ)].Pos()).Filename)
		if len(s.Values) == 1 && (file == "wire.go" || typ == notificationResult) {
			c.values[typ] = append(c.values[typ], c.wire.consts[name])
			c.constant[word{typ, c.wire.consts[name]}] = last(name)
		}
	}
	if c.cards() {
		for _, row := range c.mapping("cards.disputeReasons") {
			c.values["PaymentDisputeReasonCode"] = append(c.values["PaymentDisputeReasonCode"], row.to)
		}
		for _, row := range c.results() {
			if row[1] != "" { // a reason without a word
				c.values[resultCode] = append(c.values[resultCode], row[1])
			}
		}
	}
	for typ := range c.values {
		slices.Sort(c.values[typ])
		c.values[typ] = slices.Compact(c.values[typ])
	}
}

// notificationResult is the enum of the envelope.
const notificationResult = "NotificationResult"

// sectionOf is the sheet's section of an enum.
func (c *coverage) sectionOf(typ string) string { return c.section(c.enum(typ)) }

// enum is the full name of an enum.
func (c *coverage) enum(typ string) string {
	for _, from := range c.shares {
		if c.wire.decls[from+"."+typ] != nil {
			return from + "." + typ
		}
	}
	return typ
}

// resultCode is the enum whose words each API has in a file of its own.
const resultCode = "ReserveFundsResultCode"

// results are the rows of results.csv.
func (c *coverage) results() [][]string {
	file, err := os.Open(c.folder + "/results.csv")
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
	side := func(e ast.Expr) string {
		if s, ok := text(c.wire.consts, e); ok {
			return s
		}
		return strings.Join(idents(e), ".")
	}
	for _, elt := range c.table(name).Elts {
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
	at := c.section("cards.settled")
	var money func(prefix string, list *ast.CompositeLit) []member
	money = func(prefix string, list *ast.CompositeLit) (out []member) {
		for _, elt := range list.Elts {
			row := elt.(*ast.CompositeLit).Elts
			names := []string{""}
			if name, ok := text(c.wire.consts, row[0]); ok {
				names[0] = name
			} else { // the kind of an adjustment
				names = names[:0]
				for _, r := range c.mapping("cards.adjustmentTypes") {
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
						out = append(out, c.members("cards.Amount", prefix+name+".")...)
					}
				case *ast.CompositeLit:
					if typ := idents(v.Type); typ[0] == "object" {
						out = append(out, money(prefix+name+".", v)...)
					} else {
						out = append(out, c.members(c.known(strings.Join(typ, ".")), prefix+name+".")...)
					}
				}
			}
		}
		return out
	}
	for _, elt := range c.table("cards.settledKinds").Elts {
		row := elt.(*ast.CompositeLit).Elts
		var inner []member
		if ids, ok := row[3].(*ast.CompositeLit); ok {
			for _, id := range ids.Elts {
				name, _ := text(c.wire.consts, id.(*ast.CompositeLit).Elts[0])
				inner = append(inner, member{path: name, section: at})
			}
		}
		ast.Inspect(c.wire.decls["cards."+idents(row[4])[0]], func(n ast.Node) bool {
			if list, ok := n.(*ast.CompositeLit); ok && len(idents(list.Type)) > 0 && idents(list.Type)[0] == "object" {
				inner = append(inner, money("", list)...)
				return false
			}
			return true
		})
		for i, of := range []string{"cards.GspCardSettlementEntry", "cards.SettlementNotification"} {
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
	if spec.Assign.IsValid() { // another name of a type
		return c.members(c.known(strings.Join(idents(spec.Type), ".")), prefix)
	}
	body, ok := spec.Type.(*ast.StructType)
	if !ok {
		return nil
	}
	for _, f := range body.Fields.List {
		inner := strings.Join(idents(f.Type), ".")
		if strings.HasPrefix(typ, "cards.") && c.wire.decls["cards."+inner] != nil {
			inner = "cards." + inner
		}
		if len(f.Names) == 0 && f.Tag == nil { // a secret is a leaf
			out = append(out, c.members(inner, prefix)...)
			continue
		}
		name := jsonName(f)
		switch {
		case name == "" && strings.Contains(inner, "object"):
			out = append(out, prefixed(prefix, c.settled[typ])...)
		case last(inner) == "object":
			out = append(out, member{path: prefix + name, section: c.section(typ)})
			out = append(out, prefixed(prefix+name+".", c.settled[typ])...)
		default:
			out = append(out, member{prefix + name, c.section(typ), last(inner), typ, f.Names[0].Name})
			out = append(out, c.members(inner, prefix+name+".")...)
			if at := last(inner); c.wire.decls[inner] != nil { // a text that is written as an object of the same name
				out = append(out, c.members("cards."+strings.ToLower(at[:1])+at[1:], prefix+name+".")...)
			}
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

// table is one of the sheet's.
type table struct {
	head []string
	rows [][]string
}

// names are those in a cell: what is marked as code or, first in a table of names that marks nothing, the cell.
func (t table) names(i int, cell string) []string {
	list := spans(cell)
	if len(list) == 0 && i == 0 && (t.head[0] == "field" || t.head[0] == "value") {
		list = append(list, strings.TrimPrefix(cell, "↳ "))
	}
	return list
}

func spans(cell string) (list []string) {
	for _, m := range codeSpan.FindAllStringSubmatch(cell, -1) {
		list = append(list, m[1])
	}
	return list
}

var sectionHead = regexp.MustCompile(`^#{2,3} (\d+(?:\.\d+)?)\.? `)

// readSheet reads every table of the sheet, by section.
func (c *coverage) readSheet() { c.sheet, c.prose = sheetOf(c.t, c.sheetFile()) }

// sheetOf is the tables of a sheet by section, and what it says outside tables and examples.
func sheetOf(t *testing.T, file string) (tables map[string][]table, prose map[string]string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	tables, prose = map[string][]table{}, map[string]string{}
	section, inside, example := "", false, false
	for line := range strings.Lines(string(text)) {
		if m := sectionHead.FindStringSubmatch(line); m != nil {
			section = "§" + m[1]
		}
		if strings.HasPrefix(line, "```") {
			example = !example
		}
		if !strings.HasPrefix(line, "|") {
			inside = false
			if !example {
				prose[section] += strings.TrimSpace(line) + " "
			}
			continue
		}
		var cells []string
		for cell := range strings.SplitSeq(strings.Trim(strings.TrimSpace(line), "|"), "|") {
			cells = append(cells, strings.TrimSpace(cell))
		}
		list := tables[section]
		switch {
		case !inside:
			tables[section] = append(list, table{head: cells})
		case !strings.HasPrefix(line, "|--") && !strings.HasPrefix(line, "| --"):
			last := &list[len(list)-1]
			last.rows = append(last.rows, cells)
		}
		inside = true
	}
	return tables, prose
}
