package naru_test

import (
	"cmp"
	"go/ast"
	"go/token"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// ofCards are the columns of the card sheets' tables that say what is answered.
var ofCards = []string{"Answer", "HTTP", "Code", "To", "To / answer", "Rule", "Detail", "Use", "Wire form"}

// violations lists every row of the sheet's tables of errors, situations and states.
func (c *coverage) violations() {
	c.line("\n## Violations and situations")
	seen := map[string]bool{}
	for _, section := range slices.SortedFunc(maps.Keys(c.sheet), compareSections) {
		for _, tab := range c.sheet[section] {
			first := 1 + slices.IndexFunc(tab.head[1:], func(h string) bool { return slices.Contains(c.answers, h) })
			if !slices.Contains(c.situations, tab.head[0]) && !slices.Contains(c.situations, section+" "+tab.head[0]) || first == 0 {
				continue
			}
			c.heading("### "+section, strings.Join(tab.head[:first], ": "), "answer", "test")
			for _, row := range tab.rows {
				what, answer := strings.Join(row[:first], ": "), ""
				for i, cell := range row[first:] {
					if i += first; i < len(tab.head) && slices.Contains(c.answers, tab.head[i]) {
						answer = strings.TrimSpace(answer + " " + cell)
					}
				}
				key := section + " " + strings.ReplaceAll(what, "`", "")
				seen[key] = true
				c.row(what, answer, c.byHand(key, c.violated[key], answer))
			}
		}
	}
	if c.cards() {
		for _, row := range c.wordsOfCodes() {
			seen["§7.2 "+row[0]] = true
		}
	}
	for key := range c.violated {
		if !seen[key] {
			c.t.Errorf("%s: stands in violated, and not in the sheet", key)
		}
	}
}

// byHand is the tests that are named by hand for a row, each held against its source, or the reason why there is none.
func (c *coverage) byHand(key string, named []string, answer string) string {
	c.t.Helper()
	var tests []string
	for _, test := range named {
		tests = append(tests, quoted(c.mustExist(key, test, answer)))
	}
	if len(tests) == 0 {
		return c.proof(key, "")
	}
	return strings.Join(tests, ", ")
}

// stated is what the sheet says outside its tables, in its own words: where they change, it must.
type stated struct {
	section, words string
	tests          []string
}

// rules lists what the sheet says outside its tables.
func (c *coverage) rules() {
	if len(c.inWords) == 0 {
		return
	}
	c.heading("## Rules in words", "rule", "spec", "test")
	for _, r := range c.inWords {
		if !strings.Contains(c.prose[r.section], r.words) {
			c.t.Errorf("%s does not say %q", r.section, r.words)
		}
		c.row(r.words, r.section, c.byHand(r.section+" "+r.words, r.tests, ""))
	}
}

// statusIn finds the status of an answer that names one.
var statusIn = regexp.MustCompile(`\b[2-5]\d\d\b`)

// mustExist holds a test that was named by hand against its source: the function, the row, and in a matrix the row's answer. It is named as
// it runs: by API, where it plays both.
func (c *coverage) mustExist(key, test, answer string) string {
	name, row, _ := strings.Cut(test, "/")
	suite, function, _ := strings.Cut(name, ".")
	i := slices.IndexFunc(c.readings[suite], func(r *reading) bool { return r.name == name })
	if i < 0 {
		c.t.Errorf("%s: there is no test %s", key, name)
		return test
	}
	has := row == "" || c.hasRow(c.readings[suite][i], row)
	if told, _ := filepath.Glob("stories/testdata/*/" + row + ".txtar"); !has && (suite != "stories" || len(told) == 0) {
		c.t.Errorf("%s: %s has no row %q", key, name, row)
	}
	for _, m := range c.matrices {
		if m.test != name {
			continue
		}
		for _, r := range c.matrix(m.function) {
			if r.name == row && statusIn.MatchString(answer) && !(strings.Contains(answer, r.status) && strings.Contains(answer, r.code)) {
				c.t.Errorf("%s: %q is answered with %s %s, and should be with %s", key, row, r.status, r.code, answer)
			}
		}
	}
	if row != "" && playsBoth(c.suites[suite].decls[function]) {
		return name + "/" + c.name + "/" + row
	}
	return test
}

// hasRow says whether a test has a row: a text of its own, or one that a method and a text make up.
func (c *coverage) hasRow(r *reading, row string) bool {
	if r.words[row] {
		return true
	}
	for word := range r.words {
		if c.numbers.Replace(word) == row {
			return true
		}
		for _, m := range c.calls { // a row that several methods share
			for _, begins := range []string{", ", ", Korea §10: "} {
				if r.words[m.name] && strings.HasPrefix(row, m.name) && c.numbers.Replace(m.name+begins+word) == row {
					return true
				}
			}
		}
	}
	return false
}

// playsBoth says whether a test runs once for each API, under its name.
func playsBoth(test ast.Node) (both bool) {
	ast.Inspect(test, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		called := last(strings.Join(idents(call.Fun), "."))
		each := called == "each"
		if called == "Run" && len(call.Args) == 2 {
			each = strings.Join(idents(call.Args[0]), ".") == "a.name"
		}
		both = both || each
		return true
	})
	return both
}

// readNumbers reads what stands for Korea's sections in the tests that both APIs share.
func (c *coverage) readNumbers() {
	c.numbers = strings.NewReplacer()
	if c.play == "" {
		return
	}
	ast.Inspect(c.declared("e2e", c.play), func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || !slices.Equal(idents(call.Fun), []string{"strings", "NewReplacer"}) {
			return true
		}
		var pairs []string
		for _, arg := range call.Args {
			s, _ := text(nil, arg)
			pairs = append(pairs, s)
		}
		c.numbers = strings.NewReplacer(pairs...)
		return false
	})
}

// refusal is a row of an error matrix of package e2e.
type refusal struct{ name, status, code string }

// matrix reads the rows of an error matrix that stand in it as they are, but those of the other API alone.
func (c *coverage) matrix(function string) (rows []refusal) {
	known := c.suites["e2e"].consts
	ast.Inspect(c.declared("e2e", function), func(n ast.Node) bool {
		var cells []ast.Expr // name, what is sent, status, code
		switch n := n.(type) {
		case *ast.IfStmt:
			if is := strings.Join(idents(n.Cond), "."); strings.HasPrefix(is, "w.api.") {
				return is == "w.api."+c.play
			}
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
			rows = append(rows, refusal{c.numbers.Replace(name), status.Value, code})
		}
		return true
	})
	return rows
}

// errorMatrices lists the rows of the error matrices that are sent to the real listener.
func (c *coverage) errorMatrices() {
	if len(c.matrices) > 0 {
		c.line("\n## Rows of the error matrices")
	}
	for _, m := range c.matrices {
		c.heading("### "+m.test+m.methods, "row", "answer")
		for _, r := range c.matrix(m.function) {
			c.row(r.name, strings.TrimSpace(r.status+" "+r.code))
		}
	}
}

// heardOf is what each method hears of the network's codes, as the table of package e2e holds it; where it says nothing of a method, that
// hears what the first does.
func (c *coverage) heardOf() map[string][]string {
	out := map[string][]string{}
	for _, elt := range c.declared("e2e", c.codes.table).(*ast.ValueSpec).Values[0].(*ast.CompositeLit).Elts {
		row := elt.(*ast.CompositeLit).Elts
		list, _ := text(nil, row[0])
		var heard []string
		for i := range c.codes.heard {
			word, _ := text(nil, row[2+i])
			if i == 0 {
				heard = append(heard, strings.TrimSpace(row[1].(*ast.BasicLit).Value+" "+word))
			} else if word != "" {
				heard = append(heard, "200 "+word)
			} else {
				heard = append(heard, heard[0])
			}
		}
		for code := range strings.FieldsSeq(list) {
			out[code] = heard
		}
	}
	return out
}

// codeRows are the rows of §7.2: the codes and what is answered.
func (c *coverage) codeRows() (rows [][]string) {
	for _, tab := range c.sheet["§7.2"] {
		for _, row := range tab.rows {
			for i := 0; i+c.codes.answer < len(row); i += c.codes.width {
				rows = append(rows, []string{strings.TrimSuffix(row[i], " `[2nd]`"), row[i+c.codes.answer]})
			}
		}
	}
	return rows
}

func twoDigits(text string) string {
	if len(text) == 1 {
		return "0" + text
	}
	return text
}

// wordsOfCodes are the rows of §7.2 that name codes in words. Korea's name nothing that the others do not.
func (c *coverage) wordsOfCodes() (rows [][]string) {
	for _, row := range c.codeRows() {
		if len(strings.SplitN(row[0], ", ", 2)[0]) > 2 && c.marked {
			rows = append(rows, row)
		}
	}
	return rows
}

// responseCodes lists the network's codes of §7.2 with what Google hears.
func (c *coverage) responseCodes() {
	heard := c.heardOf()
	said := map[string]bool{} // whatever the account lists
	for _, row := range c.results() {
		said[row[1]] = row[2] == "yes"
	}
	var rows [][]string
	for _, row := range c.codeRows() {
		for one := range strings.SplitSeq(row[0], ", ") {
			if one = twoDigits(one); len(one) == 2 { // not the rows in words that end the table
				rows = append(rows, []string{one, row[1]})
			}
		}
	}
	slices.SortFunc(rows, slices.Compare)
	c.heading("## The network's codes (§7.2)", slices.Concat([]string{"code", "the sheet"}, c.codes.heard, []string{"test"})...)
	for _, row := range rows {
		tests := c.codes.tests
		if heard[row[0]] == nil {
			tests = nil
		}
		for _, answer := range heard[row[0]] {
			_, word, isWord := strings.Cut(answer, " ")
			words := spans(row[1])
			if !strings.Contains(row[1], cmp.Or(word, answer)) && !strings.Contains(row[1], answer[:3]) &&
				!(isWord && word == "ISSUER_DECLINED" && !said[words[0]]) {
				c.t.Errorf("§7.2 %s: Google hears %q, and the sheet says %s", row[0], answer, row[1])
			}
		}
		c.row(slices.Concat(row, heard[row[0]], []string{c.byHand("§7.2 "+row[0], tests, "")})...)
	}
	if words := c.wordsOfCodes(); len(words) > 0 {
		c.heading("### Codes in words (§7.2)", "code", "the sheet", "test")
		for _, row := range words {
			c.row(row[0], row[1], c.byHand("§7.2 "+row[0], c.violated["§7.2 "+row[0]], ""))
		}
	}
}

// refuses finds the test that sends what we take from nobody.
func (c *coverage) refuses(value string) string {
	var tests []string
	for _, r := range c.readings[c.own] {
		if r.words[value] {
			tests = append(tests, r.name)
		}
	}
	return best(tests)
}

var memberLike = regexp.MustCompile(`^[a-z][A-Za-z0-9]+(\[\])?$`)

// restOfTheSheet lists the names in the sheet's tables of fields and values that the code does not have.
func (c *coverage) restOfTheSheet() {
	known := map[string]bool{}
	for _, name := range c.foreign {
		known[name] = true
	}
	for name := range c.wire.decls {
		known[last(name)] = true
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
	for _, section := range c.headings {
		for _, tab := range c.sheet[section] {
			for _, row := range tab.rows {
				for _, p := range tab.names(0, row[0]) {
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
					for _, name := range tab.names(i, cell) {
						isValue := regexp.MustCompile(`^[A-Z][A-Z0-9_]{2,}$`).MatchString(name)
						isMember := (i == 0 && !strings.HasPrefix(cell, "union") || section == c.events) && memberLike.MatchString(name)
						if name = strings.TrimSuffix(name, "[]"); (isValue || isMember) && !known[name] && !told[name] {
							told[name] = true
							c.row(quoted(name), section, c.proof(section+" "+name, cmp.Or(c.refuses(name), best(c.naming(`"`+name+`":`)))))
						}
					}
				}
			}
		}
	}
}
