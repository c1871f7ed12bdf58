package naru_test

import (
	"cmp"
	"fmt"
	"go/token"
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The folders that the merchant gateway is made of, and those that play it.
var (
	gatewayFolders = []string{
		"protocol/merchant", "engine", "core/deposit", "core/payout", "core/bank", "core/ledger", "names", "rail/bankfeed", "rail/bankfeed/sim",
		"web/pay", "web/desk", "outbox", "platform", "sandbox", "sandbox/shop",
	}
	gatewayTests = []string{
		"protocol/merchant", "engine", "core/deposit", "core/payout", "core/bank", "names", "rail/bankfeed", "rail/bankfeed/sim",
		"rail/bankfeed/contract", "web/pay", "web/desk", "outbox", "platform", "sandbox", "sandbox/shop", "store", "docs/guide",
	}
)

const gatewaySheet, railsSheet = "docs/spec/merchant-gateway.md", "docs/spec/rails.md"

// listed is a table of a sheet whose rows the page lists: which of the section's it is, from one, how many cells make an item where a
// row holds several, which cell names the item, and which say what it is. Usual is where its rows are built and proven as far as their
// names stand there; it may end in a slash before the row's first word. The others have lines of their own in evidence.
type listed struct {
	section string
	table   int
	cells   int
	name    int
	says    []int
	usual   string
}

var listings = []listed{
	{"§1", 1, 0, 0, []int{2}, ""},
	{"§2", 1, 0, 0, []int{1, 2}, ""},
	{"§4.2", 1, 0, 0, []int{2}, ""},
	{"§4.3", 1, 0, 0, []int{1}, ""},
	{"§4.5", 1, 0, 0, nil, ""},
	{"§4.6", 1, 0, 0, nil, "merchant.(Algorithm).Digest; merchant.TestVectors/"},
	{"§4.6", 2, 0, 0, nil, "merchant.(Algorithm).Digest; merchant.TestVectors/"},
	{"§4.6", 3, 0, 0, nil, "merchant.(Algorithm).Digest; merchant.TestVectors/"},
	{"§5", 1, 0, 0, []int{1, 3}, "merchant.depositV1; merchant.TestFieldsOfRequests; merchant.TestDepositAnswers"},
	{"§5", 2, 0, 0, []int{2}, "merchant.DepositV1; merchant.TestDepositAnswers"},
	{"§5.1", 1, 0, 0, []int{1}, ""},
	{"§5.5", 1, 0, 0, []int{1}, "- not built: another country; only won is paid"},
	{"§6.1", 1, 0, 0, []int{2, 3}, "merchant.page; merchant.TestPages"},
	{"§7", 1, 0, 0, []int{2}, "merchant.DepositNotification; merchant.TestNotifications"},
	{"§8", 1, 0, 0, []int{3}, "merchant.payoutV2; merchant.TestFieldsOfRequests; merchant.TestPayoutAnswer"},
	{"§10", 1, 0, 0, []int{1, 2}, ""},
	{"§12", 1, 3, 0, []int{1}, "bank.shipped; bank.TestDocumentedNames"},
	{"§13", 1, 0, 0, []int{1, 2}, "- not built: another country or another channel"},
	{"§14", 1, 0, 0, []int{1, 2}, "merchant.statuses; merchant.TestStatuses; desk.TestEveryStateHasWords"},
	{"§15", 1, 2, 0, []int{1}, ""},
	{"§16", 1, 0, 0, []int{1}, ""},
	{"§18", 1, 0, 0, []int{3}, ""},
	{"rails §3.1", 1, 0, 0, []int{5}, ""},
	{"rails §3.2", 1, 0, 0, []int{2}, ""},
	{"rails §3.3", 1, 0, 0, []int{3}, "bankfeed.cashMessage; bankfeed.TestExample; bankfeed.TestOneMeaning; bankfeed.TestRefusedDocuments"},
	{"rails §3.3", 2, 0, 0, []int{1}, "bankfeed.Read; bankfeed.TestOneMeaning"},
	{"rails §3.3", 3, 0, 0, []int{1}, ""},
	{"rails §3.4", 1, 0, 0, nil, ""},
	{"rails §3.5", 1, 0, 0, nil, "bankfeed.signed; bankfeed.TestSignatures"},
	{"rails §3.5", 2, 0, 0, []int{3}, "bankfeed.pushEvent; bankfeed.TestEvents; bankfeed.TestPush"},
	{"rails §3.7", 1, 0, 0, nil, ""},
	{"rails §3.7", 2, 0, 0, nil, ""},
	{"rails §3.7", 3, 0, 0, nil, ""},
	{"rails §3.8", 1, 2, 0, []int{1}, "bank.shipped; bank.TestEveryCode"},
	{"rails §3.8", 2, 2, 0, []int{1}, "bank.shipped; bank.TestEveryCode"},
	{"rails §3.9", 1, 0, 0, []int{1}, ""},
	{"rails §4.4", 1, 0, 0, []int{2}, "bankfeed.compose; bankfeed.TestComposeExample"},
	{"rails §4.4", 2, 0, 1, []int{2, 3}, "bankfeed.statuses; bankfeed.TestAnswers"},
	{"rails §4.4", 3, 0, 0, []int{2}, "bankfeed.reasons; bankfeed.TestAnswers"},
}

// reads is a rule that the sheets have outside their tables, in their own words, and its evidence.
type reads struct{ section, words, evidence string }

// TestCoverageOfMerchants writes where each row of the merchant gateway's sheet, and of the bank's, is built and which test proves it.
// What is not built must say so.
func TestCoverageOfMerchants(t *testing.T) {
	l := &library{t, token.NewFileSet(), map[string]*code{}, map[string]*code{}, map[string][]*reading{}}
	for _, folder := range gatewayFolders {
		l.sources[path.Base(folder)] = l.parse(folder, false)
	}
	for _, folder := range gatewayTests {
		suite := l.parse(folder, true)
		l.suites[suite.name], l.readings[suite.name] = suite, suite.readings()
	}
	c := &gateway{coverage: &coverage{
		library: l, surface: surface{name: "merchant-gateway"}, t: t, excused: map[string]bool{}, numbers: strings.NewReplacer(),
	}, used: map[string]bool{}, whole: map[string]string{}, titles: map[string]string{}}
	c.sheet, c.prose = sheetOf(t, gatewaySheet)
	rails, _ := sheetOf(t, railsSheet)
	for section, tables := range rails {
		c.sheet["rails "+section] = tables
	}
	c.readWhole("", gatewaySheet)
	c.readWhole("rails ", railsSheet)
	c.write()
}

// gateway is the page under way.
type gateway struct {
	*coverage
	used   map[string]bool   // of evidence
	whole  map[string]string // the text of each section, blanks as one
	titles map[string]string
}

// readWhole reads the sections of a sheet, with their tables and examples.
func (c *gateway) readWhole(prefix, file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		c.t.Fatal(err)
	}
	section := ""
	for line := range strings.Lines(string(text)) {
		if m := sectionHead.FindStringSubmatch(line); m != nil {
			section = prefix + "§" + m[1]
			c.titles[section] = strings.TrimSpace(line[len(m[0]):])
		}
		c.whole[section] += strings.Join(strings.Fields(line), " ") + " "
	}
}

func (c *gateway) write() {
	c.line("# Coverage of the merchant gateway\n\nGenerated from `%s`, the rows of `%s` that it rests on, the code and its tests by "+
		"`go test . -run Coverage -update`; do not edit.\n\nEach row names where it is built, as package and declaration, and the tests that "+
		"prove it, with the row of a test's table where there is one. What is not built says so, in *italics*.", gatewaySheet, railsSheet)
	for _, list := range listings {
		c.list(list)
	}
	c.heading("## Rules in words", "rule", "spec", "code", "test")
	for _, r := range inProse {
		if !strings.Contains(c.whole[r.section], r.words) {
			c.t.Errorf("%s does not say %q", r.section, r.words)
		}
		c.evident(r.section+" "+r.words, r.evidence, nil, r.words, r.section)
	}
	c.openPoints()
	for key := range evidence {
		if !c.used[key] {
			c.t.Errorf("%s: stands in evidence, and not in the sheets", key)
		}
	}
	const page = "docs/coverage/merchant-gateway.md"
	if *update {
		if err := os.WriteFile(page, []byte(c.page.String()), 0o644); err != nil {
			c.t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(page); err != nil || string(got) != c.page.String() {
		c.t.Errorf("%s is stale: judge the change, then run go test . -run Coverage -update (%v)", page, err)
	}
}

// list lists one table.
func (c *gateway) list(of listed) {
	tables := c.sheet[of.section]
	if len(tables) < of.table {
		c.t.Fatalf("%s has %d tables", of.section, len(tables))
	}
	tab := tables[of.table-1]
	head := []string{cmp.Or(strings.ReplaceAll(tab.head[of.name], "`", ""), "side")}
	for _, i := range of.says {
		head = append(head, strings.ReplaceAll(tab.head[i], "`", ""))
	}
	title := "## " + of.section + " " + c.titles[of.section]
	if of.table > 1 {
		title = fmt.Sprintf("### %s, table %d", of.section, of.table)
	}
	c.heading(title, append(head, "code", "test")...)
	for _, row := range tab.rows {
		step := len(row)
		if of.cells > 0 {
			step = of.cells
		}
		for at := 0; at < len(row); at += step {
			item := row[at:min(at+step, len(row))]
			if len(item) > 1 && item[0] == "" && item[1] == "" || strings.HasPrefix(item[0], "(cut") || len(item) == 1 {
				continue
			}
			name := cmp.Or(item[of.name], item[0])
			cells := []string{name}
			for _, i := range of.says {
				cells = append(cells, item[i])
			}
			key := of.section + " " + strings.Trim(strings.NewReplacer("`", "", "**", "").Replace(name), " ")
			own, has := evidence[key]
			if has {
				c.used[key] = true
				c.evident(key, own, nil, cells...)
			} else {
				usual := of.usual
				if strings.HasSuffix(usual, "/") { // each is a row of that test
					usual += strings.Fields(name)[0]
				}
				c.evident(key, usual, nameParts(name), cells...)
			}
		}
	}
}

var namePart = regexp.MustCompile(`[A-Za-z0-9_]+`)

// nameParts are the names that a row is about: the last word of each path in its first cell.
func nameParts(cell string) (list []string) {
	parts := spans(cell)
	if len(parts) == 0 {
		parts = []string{cell}
	}
	for _, p := range parts {
		for one := range strings.SplitSeq(p, ",") {
			if words := namePart.FindAllString(strings.TrimSuffix(one, "[]"), -1); len(words) > 0 {
				list = append(list, words[len(words)-1])
			}
		}
	}
	return list
}

// evident writes one row with its evidence: where it is built and the tests that prove it, or why it is not built. Each declaration and
// test must exist; where names are given, each must stand in one of them. What of a row is not built may stand behind a dash at the end.
func (c *gateway) evident(key, evidence string, names []string, cells ...string) {
	reason, unbuilt := strings.CutPrefix(evidence, "- ")
	if unbuilt || evidence == "" {
		if evidence == "" {
			c.t.Errorf("%s: no evidence, and no reason why there is none", key)
		}
		c.row(append(cells, "", "*"+reason+"*")...)
		return
	}
	evidence, remark, remarked := strings.Cut(evidence, "; - ") // what of it is not built
	all := strings.Split(evidence, "; ")
	place, tests := all[0], all[1:]
	read := []*reading{c.placed(key, place)}
	for i, test := range tests {
		name, _, _ := strings.Cut(test, "/")
		suite, _, _ := strings.Cut(name, ".")
		for _, r := range c.readings[suite] {
			if r.name == name {
				read = append(read, r)
			}
		}
		tests[i] = quoted(c.mustExist(key, test, ""))
	}
	if len(tests) == 0 {
		c.t.Errorf("%s: built in %s, and no test proves it", key, place)
	}
	for _, name := range names {
		if !slices.ContainsFunc(read, func(r *reading) bool { return r.names[name] || r.writes(name) }) {
			c.t.Errorf("%s: %s stands neither in %s nor in its tests", key, name, place)
		}
	}
	proof := strings.Join(tests, ", ")
	if remarked {
		proof += "; *" + remark + "*"
	}
	c.row(append(cells, quoted(place), proof)...)
}

// placed reads a declaration that a row names, with all of its package that it uses.
func (c *gateway) placed(key, place string) *reading {
	from, name, _ := strings.Cut(place, ".")
	source := c.sources[from]
	if source == nil || source.decls[name] == nil {
		c.t.Errorf("%s: there is no %s", key, place)
		return &reading{}
	}
	r := &reading{
		name: place, words: map[string]bool{}, names: map[string]bool{}, said: map[[2]string]bool{}, typed: map[[2]string]bool{},
	}
	source.read(r, name)
	return r
}

var (
	ofMerchants   = regexp.MustCompile(`(?ms)^## merchant-gateway.*?(?:\n\n|\z)`)
	merchantPoint = regexp.MustCompile(`\([^()]*§20\.\d+[^()]*\)[^.]*\.`)
	pointOf20     = regexp.MustCompile(`§20\.\d+`)
)

// openPoints lists what the sheet leaves open, with our decision in the words of docs/divergences.md.
func (c *gateway) openPoints() {
	told := decisionsIn(c.coverage, ofMerchants, merchantPoint, pointOf20)
	c.heading("## Open points (§20)", "id", "the pages leave open", "our decision", "code", "test")
	text, _, _ := strings.Cut(c.whole["§20"], "Recommended reading")
	text = strings.TrimPrefix(text, "## 20. Open points ")
	seen := map[string]bool{}
	for n := 1; ; n++ {
		_, rest, more := strings.Cut(text, fmt.Sprintf("%d. ", n))
		if !more {
			break
		}
		item, _, _ := strings.Cut(rest, fmt.Sprintf(" %d. ", n+1))
		id := fmt.Sprintf("§20.%d", n)
		seen[id] = true
		if told[id] == "" {
			c.t.Errorf("docs/divergences.md does not decide %s", id)
		}
		c.evident(id, openAt20[id], nil, id, strings.TrimSpace(item), told[id])
		text = rest
	}
	for _, id := range slices.Sorted(maps.Keys(openAt20)) {
		if !seen[id] {
			c.t.Errorf("%s: stands in openAt20, and not in the sheet", id)
		}
	}
}

// openAt20 is the evidence of the decisions.
var openAt20 = map[string]string{
	"§20.1": "bank.shipped; bank.TestDocumentedNames; merchant.TestEveryCode",
	"§20.2": "merchant.Profile; merchant.TestFreshness; merchant.TestRate; merchant.TestFrom; merchant.TestDescriptionIsServed",
	"§20.3": "deposit.Decide; deposit.TestDecide; engine.TestMoneyFindsItsOrder; engine.TestANewOrder",
	"§20.4": "outbox.Merchants; outbox.TestMerchantsHearTenTimesWithinAnHour; merchant.TestAcknowledgements; " +
		"engine.TestMerchantsThatHearLess",
	"§20.5": "merchant.(Server).precheck; merchant.TestPrecheck",
	"§20.6": "merchant.(Server).deposited; merchant.TestDepositAnswers/details; " +
		"merchant.TestDepositAnswers/a payer who must register sees no account",
	"§20.7": "engine.(Fee).of; engine.TestBalances; engine.TestPayoutsThatAreRefused",
	"§20.8": "engine.(Engine).CreatePayout; engine.TestOrdersThatAreRefused; engine.TestPayoutsThatAreRefused; " +
		"engine.TestPayoutWhoseAnswerIsLost",
	"§20.9":  "merchant.Explain; merchant.TestExplanation; merchant.TestVectors/V7; merchant.TestAmounts",
	"§20.10": "merchant.(Algorithm).Digest; merchant.TestVectors/C1",
	"§20.11": "merchant.Explain; merchant.TestExplanation; merchant.TestSignatures/empty and null",
}
