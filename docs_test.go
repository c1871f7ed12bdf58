package naru_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	codeSpan = regexp.MustCompile("`([^`\n]+)`")
	link     = regexp.MustCompile(`\]\(([^)#:]+)\)`)
	pathLike = regexp.MustCompile(`^[a-z0-9_.]+(/[A-Za-z0-9_.]+)+$`)
	nameLike = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]*$`)
)

// A document that names a file or a name that is gone leads newcomers astray.
func TestTourNamesWhatExists(t *testing.T) {
	text, err := os.ReadFile("docs/tour.md")
	if err != nil {
		t.Fatal(err)
	}
	stops := regexp.MustCompile(`(?m)^\d+\. `).Split(string(text), -1)[1:]
	if tours := strings.Count(string(text), "\n# ") + 1; len(stops) == 0 || len(stops) > 10*tours {
		t.Fatalf("the tours have %d stops", len(stops))
	}
	for i, stop := range stops {
		var sources strings.Builder
		for _, m := range codeSpan.FindAllStringSubmatch(stop, -1) {
			if pathLike.MatchString(m[1]) {
				source, err := os.ReadFile(m[1])
				if err != nil {
					t.Errorf("stop %d: %v", i+1, err)
				}
				sources.Write(source)
			}
		}
		if sources.Len() == 0 {
			t.Errorf("stop %d names no file", i+1)
		}
		for _, m := range codeSpan.FindAllStringSubmatch(stop, -1) {
			if nameLike.MatchString(m[1]) && !regexp.MustCompile(`\b`+m[1]+`\b`).MatchString(sources.String()) {
				t.Errorf("stop %d: %s stands in none of its files", i+1, m[1])
			}
		}
	}
}

func TestLinksLeadSomewhere(t *testing.T) {
	docs, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, doc := range append(docs, "README.md") {
		text, err := os.ReadFile(doc)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(doc), m[1])); err != nil {
				t.Errorf("%s: %v", doc, err)
			}
		}
	}
}
