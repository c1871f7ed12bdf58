package naru_test

import (
	"cmp"
	"flag"
	"fmt"
	"go/ast"
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/coverage anew")

// shared is what both card APIs have.
const shared = "protocol/gsp/cards"

var testFolders = []string{
	"protocol/gsp/koreacards", "protocol/gsp/cardfop", shared, "protocol/gsp/disburse", "protocol/gsp", "engine", "rail/iso8583",
	"rail/clearing", "rail/upi", "core/payout", "store/storetest", "seal", "outbox", "e2e", "stories", "sandbox/google", "sandbox",
}

// surface is an API whose coverage is written down.
type surface struct {
	title  string
	name   string // of its sheet and of its page, and among the APIs of package e2e
	folder string // of what it has alone
	play   string // what package e2e calls it

	shares    []string          // the packages of its other messages
	domain    []string          // the packages with the words that its tables translate
	echo      call              // the envelope's
	paths     []string          // the constants of what we call, where no table of notifications has them
	marked    bool              // its sections are those after "FOP" where shared code names two
	elsewhere map[string]string // what its sheet leaves to Korea's: the section there, and the one that says so
	events    string            // the section with the events of a settlement: the card APIs have one
	headings  []string          // the sections of headers and errors; the last has the codes

	situations  []string       // the first columns of the tables that say what is answered, with their section where others are called alike
	answers     []string       // the columns that say it; those before them say to what
	columns     map[string]int // of results.csv, for the methods that §7.1 marks
	inWords     []stated
	codes       codes
	matrices    []matrixOf
	foreign     []string // in the sheet's tables, and no word of the wire
	violated    map[string][]string
	unexercised map[string]string
}

// codes is where the network's codes stand: the columns of the sheet's table, how many they are until the next code, and the table of
// package e2e with the columns that say what each method hears.
type codes struct {
	answer, width int
	table         string
	heard         []string
	tests         []string
}

// matrixOf is an error matrix of package e2e: the test, the function that has the rows, and the methods that share them.
type matrixOf struct{ test, function, methods string }

// cards says whether an API has cards.
func (s surface) cards() bool { return s.events != "" }

// TestCoverage writes what of each API is exercised by which test: methods, members and words as the code lists them, violations and
// rules as the sheet does. What no test exercises must have its reason in unexercised; a reason for what is exercised is stale.
func TestCoverage(t *testing.T) {
	l := newLibrary(t)
	korea, fop := newCoverage(l, koreaCards), newCoverage(l, cardFOP)
	korea.sibling, fop.sibling = fop, korea
	for _, c := range []*coverage{korea, fop, newCoverage(l, disburseFunds)} {
		t.Run(c.name, func(t *testing.T) {
			c.t = t
			c.write()
		})
	}
}

func (c *coverage) write() {
	c.line("# Coverage of %s\n\nGenerated from the code, its tests and `%s` by `go test . -run Coverage -update`; do not edit.\n\n"+
		"A test is named with the file or the row in which the item stands, where there is one. %sWhat is not exercised says why, in *italics*.",
		c.title, c.sheetFile(), c.ofBoth())
	c.methods()
	c.messages()
	c.headers()
	c.enums()
	c.mappings()
	c.violations()
	c.rules()
	c.errorMatrices()
	if c.cards() {
		c.responseCodes()
	} else {
		c.openPoints()
	}
	c.restOfTheSheet()
	for key := range c.unexercised {
		if !c.excused[key] {
			c.t.Errorf("%s: has a reason in unexercised, and is exercised or gone", key)
		}
	}
	page := "docs/coverage/" + c.name + ".md"
	if *update {
		if err := os.WriteFile(page, []byte(c.page.String()), 0o644); err != nil {
			c.t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(page); err != nil || string(got) != c.page.String() {
		c.t.Errorf("%s is stale: judge the change, then run go test . -run Coverage -update (%v)", page, err)
	}
}

func (s surface) ofBoth() string {
	if !s.cards() {
		return ""
	}
	return "What both card APIs have in one place may be exercised by a test of the other. "
}

func (s surface) sheetFile() string { return "docs/spec/gsp-" + s.name + ".md" }

// coverage is the page under way, and what it is made of.
type coverage struct {
	*library
	surface
	t        *testing.T
	page     strings.Builder
	own      string // its package
	sibling  *coverage
	wire     *code // its own sources, and those that it shares
	goldens  []golden
	calls    []call
	settled  map[string][]member // of each event of a settlement, by its name in the file and in the notification
	sheet    map[string][]table
	prose    map[string]string   // of the sheet, by section
	values   map[string][]string // of the enums: their words
	constant map[word]string     // the words' names in Go
	said     map[word]*sayings
	excused  map[string]bool
	numbers  *strings.Replacer // package e2e's tables have Korea's sections; these are this API's
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

func newCoverage(l *library, s surface) *coverage {
	c := &coverage{
		library: l, surface: s, t: l.t, own: path.Base(s.folder), wire: l.parse(s.folder, false), settled: map[string][]member{},
		sheet: map[string][]table{}, prose: map[string]string{}, values: map[string][]string{}, constant: map[word]string{},
		excused: map[string]bool{},
	}
	for _, from := range c.shares { // as the messages call them
		for name, spec := range l.sources[from].decls {
			c.wire.decls[from+"."+name], c.wire.docs[from+"."+name] = spec, l.sources[from].docs[name]
		}
	}
	if c.cards() {
		maps.Copy(c.wire.consts, l.sources["cards"].consts)
	}
	for _, from := range slices.Concat(c.shares, c.domain) {
		for name, value := range l.sources[from].consts {
			c.wire.consts[from+"."+name] = value
		}
	}
	c.readSheet()
	c.readNumbers()
	c.readCalls()
	c.readEnums()
	if c.cards() {
		c.readSettled()
	}
	c.readGoldens()
	c.readWords()
	return c
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
var (
	whole = regexp.MustCompile("Read|Answers|OnTheWire|TheSheets|Path|EveryKind|InFull")
	part  = regexp.MustCompile("LimitsAreAnswers") // sounds like one, and looks at what is answered to a limit alone
)

// best is the first by name of the first kind of evidence that there is, those of whole messages before others.
func best(kinds ...[]string) string {
	for _, kind := range kinds {
		slices.Sort(kind)
		if i := slices.IndexFunc(kind, func(name string) bool { return whole.MatchString(name) && !part.MatchString(name) }); i >= 0 {
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
	reason, excused := c.unexercised[key]
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

// about are the tests that have a message of a method in hand, or its name.
func (c *coverage) about(m call) map[*reading]bool {
	set := map[*reading]bool{}
	for _, g := range c.goldens {
		if g.of(m) {
			for _, r := range g.readers {
				set[r] = true
			}
		}
	}
	for _, r := range c.tests(m, c.own) {
		if r.words[m.name] {
			set[r] = true
		}
	}
	return set
}

// tests are those of a suite that can say something about a method: an echo that is served is not the one that we send. Of the card APIs
// one test has both in hand.
func (c *coverage) tests(m call, suite string) []*reading {
	return slices.DeleteFunc(slices.Clone(c.readings[suite]), func(r *reading) bool {
		return !c.cards() && strings.HasPrefix(m.id, "G") && r.names["serve"]
	})
}

var numberedFile = regexp.MustCompile(`^[pg]\d+-`)

// of says whether a message is one of a method: by the number in the name of its file, or by its type.
func (g golden) of(m call) bool {
	if numberedFile.MatchString(g.name) {
		return strings.HasPrefix(g.name, strings.ToLower(m.id)+"-")
	}
	return slices.Contains([]string{last(m.request), last(m.response)}, g.typ)
}

func (c *coverage) methods() {
	c.heading("## Methods", "method", "spec", "path", "test")
	for _, m := range c.calls {
		var here, path, far []string
		about := c.about(m)
		for _, suite := range []string{c.own, "e2e"} {
			for _, r := range c.tests(m, suite) {
				switch {
				case !r.words[m.path]:
				case about[r]:
					here = append(here, r.name)
				case suite == c.own:
					path = append(path, r.name)
				default:
					far = append(far, r.name)
				}
			}
		}
		c.row(m.id+" "+quoted(m.name), m.section, quoted(m.path), c.proof(m.id, best(here, path, far)))
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
	if !c.cards() {
		return
	}
	c.line("\n## Settlement file")
	for i, typ := range lines {
		c.message(call{id: "line " + strconv.Itoa(i+1), name: last(typ), section: c.section(typ)}, "", typ)
	}
}

func (c *coverage) message(m call, direction, typ string) {
	title := strings.TrimSpace(m.id + " " + m.name + " " + direction)
	c.heading("### "+title+" ("+m.section+")", "member", "spec", "test")
	list := c.members(typ, "")
	for _, one := range list {
		at := cmp.Or(one.section, m.section)
		if c.cards() && strings.HasPrefix(at, "§4.") { // what several methods have stands with the first of them
			at = m.section
		}
		if last(one.path) == "epochMillis" {
			at = "§2.2"
		}
		key := strings.TrimSpace(m.id+" "+direction) + " " + one.path
		test, vague := c.exercises(m, typ, one, list)
		switch {
		case test != "" || c.unexercised[key] != "":
			test = cmp.Or(test, vague)
		case m.path == "": // of a file, whose example stands with one of the APIs
			test = c.siblings(m, typ, one, list)
		default:
			test = cmp.Or(c.twins(m, typ, one, list), vague, c.exercisesFar(m, one, list), c.siblings(m, typ, one, list), c.inPieces(m, typ, one))
		}
		c.row(quoted(one.path), at, c.proof(key, test))
	}
}

// twin is the method whose request another takes under a name of its own: they are read by the same code.
func (c *coverage) twin(m call, typ string) (call, string) {
	if spec, _ := c.wire.decls[typ].(*ast.TypeSpec); spec != nil && spec.Assign.IsValid() {
		typ = c.known(strings.Join(idents(spec.Type), "."))
		m = c.calls[slices.IndexFunc(c.calls, func(o call) bool { return o.request == typ })]
	}
	return m, typ
}

// twins finds the test of a member with the twin of its method.
func (c *coverage) twins(m call, typ string, one member, list []member) string {
	m, typ = c.twin(m, typ)
	clear, _ := c.exercises(m, typ, one, list)
	return clear
}

// siblings finds the other API's test of a member that both have from one place, in the method of the same name.
func (c *coverage) siblings(m call, typ string, one member, list []member) string {
	if c.sibling == nil {
		return ""
	}
	m, typ = c.twin(m, typ)
	other, theirs, members := m, typ, list // of a settlement file
	if m.path != "" {
		i := slices.IndexFunc(c.sibling.calls, func(o call) bool { return o.name == m.name && o.id[0] == m.id[0] })
		if i < 0 {
			return ""
		}
		other = c.sibling.calls[i]
		theirs = map[string]string{m.request: other.request, m.response: other.response}[typ]
		members = c.sibling.members(theirs, "")
	}
	i := slices.IndexFunc(members, func(t member) bool {
		return t.path == one.path && t.owner == one.owner && (t.owner == "" || strings.Contains(t.owner, "."))
	})
	if i < 0 {
		return ""
	}
	clear, vague := c.sibling.exercises(other, theirs, members[i], members)
	return cmp.Or(clear, vague)
}

// exercisesFar finds the test of package e2e that names a method and has the member: by its path, or in an object that it names.
func (c *coverage) exercisesFar(m call, one member, list []member) string {
	var paths, sources []string
	for _, r := range c.readings["e2e"] {
		if !r.words[m.name] {
			continue
		}
		if r.words[one.path] {
			paths = append(paths, r.name)
		}
		for _, outer := range list {
			rest, inside := strings.CutPrefix(one.path, outer.path+".")
			if !inside || !r.words[outer.path] {
				continue
			}
			for _, doc := range r.docs {
				inner := map[string]string{}
				for p := range doc {
					inner[outer.path+"."+p] = ""
				}
				if _, has := doc[rest]; has && fits(inner, list) {
					sources = append(sources, r.name)
				}
			}
		}
	}
	return best(sources, paths)
}

// exercises finds the tests of one member in its own method. Clear are a message from testdata that has it, one in a test's source, its
// path in a test's table; vague are its name inside its parent's, its name where it is the only one, its field in Go, and the round trip.
func (c *coverage) exercises(m call, typ string, one member, list []member) (clear, vague string) {
	var read, files, sources, paths, inside, loose, back []string
	parent := strings.TrimSuffix(one.path, "."+last(one.path))
	namesakes, parents := 0, 0
	for _, other := range list {
		if last(other.path) == last(one.path) {
			namesakes++
		}
		if last(other.path) == last(parent) {
			parents++
		}
	}
	for _, g := range c.goldens {
		if m.path != "" && !g.of(m) {
			continue
		}
		rest, ok := one.path, g.typ == last(typ)
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
			case last(r.name) == roundTrip:
				back = append(back, at)
			case strings.Contains(r.name, "Read"):
				read = append(read, at)
			default:
				files = append(files, at)
			}
		}
	}
	about := c.about(m)
	for _, suite := range []string{c.own, "cards", "gsp"} {
		for _, r := range c.tests(m, suite) {
			if last(r.name) == roundTrip {
				continue
			}
			if about[r] && r.has(one.path) ||
				strings.Contains(one.path, ".adjustmentType.") && r.words[last(one.path)] && r.names["AggregateAdjusting"] {
				paths = append(paths, r.name)
			} else if about[r] && r.words[last(one.path)] && parents == 1 && r.words[last(parent)] {
				inside = append(inside, r.name)
			} else if about[r] && r.words[last(one.path)] && namesakes == 1 || r.names[last(one.owner)] && r.names[one.field] {
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
	return best(read, files, sources, paths), best(inside, loose, back)
}

// inPieces finds the test that has the type of a message, or one of its messages, and a member in a piece of JSON.
func (c *coverage) inPieces(m call, typ string, one member) string {
	about := c.about(m)
	var tests []string
	for _, r := range c.readings[c.own] {
		if (about[r] || r.names[last(typ)]) && r.writes(`"`+last(one.path)+`":`) {
			tests = append(tests, r.name)
		}
	}
	return best(tests)
}

// writes says whether a text stands in one of a test's strings.
func (r *reading) writes(text string) bool {
	for word := range r.words {
		if strings.Contains(word, text) {
			return true
		}
	}
	return false
}

// has says whether a test names a member, or one inside it.
func (r *reading) has(path string) bool {
	for word := range r.words {
		if word == path || strings.HasPrefix(word, path+".") {
			return true
		}
	}
	return false
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
	for _, section := range c.headings {
		tab := c.sheet[section][0]
		for _, row := range tab.rows {
			if row[0] == zeroCode { // no header
				break
			}
			for _, p := range tab.names(0, row[0]) {
				named := c.naming(`"` + last(p) + `"`)
				stepwise := slices.DeleteFunc(slices.Clone(named), func(test string) bool { return !headerTests.MatchString(test) })
				c.row(quoted(p), section, c.proof(p, best(stepwise, named)))
			}
		}
	}
	c.heading("### errorResponseCode", "value", "HTTP", "test")
	tables := c.sheet[c.headings[len(c.headings)-1]]
	codes := tables[len(tables)-1]
	for _, row := range codes.rows {
		code := codes.names(0, row[0])[0]
		test := best(c.naming(code))
		for _, r := range c.matrix(c.matrices[0].function) {
			if r.code == code {
				test = c.mustExist(code, c.matrices[0].test+"/"+r.name, "")
				break
			}
		}
		c.row(quoted(code), row[1], c.proof("errorResponseCode "+code, test))
	}
}

// zeroCode is the first of the error codes.
const zeroCode = "UNKNOWN_ERROR_RESPONSE_CODE"

// headerTests go through the members of a header one by one.
var headerTests = regexp.MustCompile("Steps|BothGenerations")

// naming are the envelope's tests in whose strings a text stands.
func (c *coverage) naming(text string) (tests []string) {
	for _, r := range c.readings["gsp"] {
		if r.writes(text) {
			tests = append(tests, r.name)
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

// sayings is who says a word: in a message, or as a value of its type; in a test that has its table or its type; beside a message that has
// a member of its type; in the round trip; and, where no other type has it, in a piece of JSON.
type sayings struct{ told, table, loose, near, back, pieces []string }

// readWords finds the tests of every word.
func (c *coverage) readWords() {
	c.said = map[word]*sayings{}
	for typ, values := range c.values {
		for _, v := range values {
			c.said[word{typ, v}] = &sayings{}
		}
	}
	members := map[string]string{}            // member to its type, where all members of that name have it
	holding := map[string]map[*reading]bool{} // of a type, the tests that have a message with it
	for _, m := range c.calls {
		about := c.about(m)
		for _, typ := range []string{m.request, m.response} {
			for _, one := range c.members(typ, "") {
				if holding[one.typ] == nil {
					holding[one.typ] = map[*reading]bool{}
				}
				for _, r := range c.readings[c.own] {
					if about[r] || r.names[last(typ)] {
						holding[one.typ][r] = true
					}
				}
				name := last(one.path)
				if before, ok := members[name]; ok && before != one.typ {
					members[name] = ""
				} else {
					members[name] = one.typ
				}
				for _, g := range c.goldens {
					s := c.said[word{one.typ, g.has[one.path]}]
					if s == nil || g.typ != last(typ) || !g.of(m) {
						continue
					}
					for _, r := range g.readers {
						if at := r.name + "/" + g.name; last(r.name) == roundTrip {
							s.back = append(s.back, at)
						} else {
							s.told = append(s.told, at)
						}
					}
				}
			}
		}
	}
	alike := map[string][]string{} // of a word, the types that have it
	for w := range c.said {
		alike[w.value] = append(alike[w.value], w.typ)
	}
	for w, s := range c.said {
		for _, r := range c.readings[c.own] {
			if last(r.name) == roundTrip {
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
			case r.words[w.value] && r.names[w.typ] && !slices.ContainsFunc(alike[w.value], func(typ string) bool {
				return typ != w.typ && r.names[c.constant[word{typ, w.value}]]
			}):
				s.loose = append(s.loose, r.name)
			case r.words[w.value] && holding[w.typ][r] && !slices.ContainsFunc(alike[w.value], func(typ string) bool {
				return typ != w.typ && holding[typ][r]
			}):
				s.near = append(s.near, r.name)
			case w.typ == notificationResult && r.typed[[2]string{"Says", w.value}]:
				s.near = append(s.near, r.name)
			case len(alike[w.value]) == 1 && r.writes(`"`+w.value+`"`):
				s.pieces = append(s.pieces, r.name)
			}
		}
	}
}

func (c *coverage) enums() {
	c.line("\n## Words")
	for _, typ := range slices.SortedFunc(maps.Keys(c.values), func(a, b string) int {
		return cmp.Or(compareSections(c.sectionOf(a), c.sectionOf(b)), cmp.Compare(a, b))
	}) {
		c.heading("### "+typ+" ("+c.sectionOf(typ)+")", "value", "test")
		for _, v := range c.values[typ] {
			w, key := word{typ, v}, typ+" "+v
			test := c.said[w].best()
			if test == "" && c.sibling != nil && c.sibling.said[w] != nil && typ != resultCode && c.unexercised[key] == "" {
				test = c.sibling.said[w].best()
			}
			if test == "" && c.unexercised[key] == "" {
				test = best(c.said[w].pieces)
			}
			c.row(quoted(v), c.proof(key, test))
		}
	}
}

func (s sayings) best() string { return best(s.told, s.table, s.loose, s.near, s.back) }

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
	if !c.cards() {
		c.payoutTables()
		return
	}
	c.heading("### results.csv (§7.1)", "reason", "result", "reserve", "capture", "verify", "otherwise", "test")
	for _, row := range c.results() {
		clear, vague := c.says("results", pair{row[0], row[1]})
		c.row(row[0], quoted(row[1]), row[2], row[3], row[4], row[5], c.proof("results.csv "+row[0], cmp.Or(clear, vague)))
		c.asMarked(row)
	}
	var tables []string
	for name, d := range c.wire.decls {
		if s, ok := d.(*ast.ValueSpec); ok && len(s.Values) == 1 {
			if list, ok := s.Values[0].(*ast.CompositeLit); ok {
				if typ, ok := list.Type.(*ast.MapType); ok && (c.isWord(typ.Key) || c.isWord(typ.Value)) || name == "cards.refundResults" {
					tables = append(tables, name)
				}
			}
		}
	}
	slices.Sort(tables)
	for _, full := range tables {
		name := last(full)
		c.heading("### "+name, "from", "to", "test")
		for _, row := range c.mapping(full) {
			c.row(quoted(row.from), quoted(row.to), c.proof(name+" "+row.from, c.saysTheRow(name, row)))
		}
	}
}

// markings is what results.csv must have for the marks of §7.1: free, only where the account lists it, never.
var markings = map[string]string{"x": "yes", "?": "listed", "-": "no"}

// asMarked holds a row of results.csv against the sheet's marks of its word, where the sheet marks methods one by one.
func (c *coverage) asMarked(row []string) {
	for _, tab := range c.sheet["§7.1"] {
		for _, marks := range tab.rows {
			for i, method := range tab.head {
				column := c.columns[method]
				if column > 0 && slices.Equal(spans(marks[0]), row[1:2]) && row[column] != markings[marks[i]] {
					c.t.Errorf("results.csv: %s says %s for %s, and the sheet marks it %s", row[0], row[column], method, marks[i])
				}
			}
		}
	}
}

// isWord says whether a type is that of words on the wire.
func (c *coverage) isWord(e ast.Expr) bool {
	typ := idents(e)
	return len(typ) > 0 && (c.values[typ[0]] != nil || typ[0] == "string")
}

// saysTheRow finds the test of a row of a table that both APIs share.
func (c *coverage) saysTheRow(table string, row pair) string {
	clear, vague := c.says(table, row)
	theirs, likely := c.sibling.says(table, row)
	return cmp.Or(clear, theirs, vague, likely)
}

// says finds the tests that have a row in hand. Clear are those that have a side of it and the table, or go through all of it, or have the
// word in a message; vague are those that have both sides, the one as a word of some type.
func (c *coverage) says(table string, row pair) (clear, vague string) {
	var in, told, both, whole []string
	for _, r := range c.readings[c.own] {
		every, to := c.goesThrough(r, table), c.mentions(r, row.to)
		from := every || c.mentions(r, row.from) || table == "adjustmentTypes" && r.notes(row.from)
		switch {
		case last(r.name) == roundTrip:
		case (from || to) && r.names[table], every && to:
			in = append(in, r.name)
		case from && c.tells(r, table, row):
			told = append(told, r.name)
		case from && to && c.isSaid(r, row):
			whole = append(whole, r.name)
		case from && to:
			both = append(both, r.name)
		}
	}
	return best(in, told), best(whole, both)
}

// tells says whether a test has the word of a row in a message, or beside its type.
func (c *coverage) tells(r *reading, table string, row pair) bool {
	var types []string
	for typ, name := range tableOf {
		if name == table {
			types = append(types, typ)
		}
	}
	if spec := c.wire.decls["cards."+table]; spec == nil { // a file
		return false
	} else if typ, ok := c.table("cards." + table).Type.(*ast.MapType); ok {
		types = append(types, idents(typ.Key)[0], idents(typ.Value)[0])
	}
	for _, typ := range types {
		for _, value := range []string{row.from, row.to} {
			s := c.said[word{typ, value}]
			if s != nil && slices.ContainsFunc(slices.Concat(s.told, s.loose), func(at string) bool {
				name, _, _ := strings.Cut(at, "/")
				return name == r.name
			}) {
				return true
			}
		}
	}
	return false
}

// goesThrough says whether a test reads the domain's constants of a table from their source: it has every row.
func (c *coverage) goesThrough(r *reading, table string) bool {
	if table == "results" {
		return r.names["Reasons"]
	}
	typ, ok := c.table("cards." + table).Type.(*ast.MapType)
	return ok && r.names["Constants"] && r.words[last(strings.Join(idents(typ.Key), "."))]
}

// notes says whether a test has an adjustment's note of a kind: its first word, however written.
func (r *reading) notes(kind string) bool {
	for word := range r.words {
		if first, _, _ := strings.Cut(word, " "); strings.EqualFold(first, kind) {
			return true
		}
	}
	return false
}

// isSaid says whether a test has one of two texts as a word of the wire.
func (c *coverage) isSaid(r *reading, row pair) bool {
	for w, s := range c.said {
		if w.value == row.from || w.value == row.to || c.constant[w] == row.from {
			for _, at := range slices.Concat(s.told, s.table, s.near) {
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
