package crash_test

import (
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"

	. "naru/crash"
)

func TestAtCountsOnlyItsPoint(t *testing.T) {
	died := 0
	hook, err := At("advice-answered:3", func() { died++ })
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		for _, p := range Points {
			hook(p)
		}
	}
	if died != 0 {
		t.Fatal("died before the third time")
	}
	hook(AdviceAnswered)
	if died != 1 {
		t.Fatal("survived the third time")
	}
	hook(AdviceAnswered)
	if died != 1 {
		t.Fatal("died twice")
	}
}

func TestAtCountsAcrossGoroutines(t *testing.T) {
	var mu sync.Mutex
	died := 0
	hook, err := At("commit-after:50", func() { mu.Lock(); died++; mu.Unlock() })
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			for range 10 {
				hook(CommitAfter)
			}
		})
	}
	if all.Wait(); died != 1 {
		t.Fatal(died)
	}
}

func TestSpecsThatAreRefused(t *testing.T) {
	for _, spec := range []string{
		"", ":", "reserve-sent", "reserve-sent:", "reserve-sent:0", "reserve-sent:-1", "reserve-sent:x", "reserve-sent:1:1", "reserve-sent:1.5",
		"reserve-gone:1", ":1", "RESERVE-SENT:1", " reserve-sent:1", "reserve-sent:99999999999999999999",
	} {
		hook, err := At(spec, func() { t.Error("died") })
		if err == nil || hook != nil || !strings.Contains(err.Error(), "crash point") {
			t.Errorf("%q: %v", spec, err)
		}
	}
}

func TestEveryPointCanBeNamedOnce(t *testing.T) {
	source, err := os.ReadFile("crash.go")
	if err != nil {
		t.Fatal(err)
	}
	if n := len(regexp.MustCompile(`(?m)^\t\w+ +Point = "`).FindAll(source, -1)); n != len(Points) {
		t.Errorf("%d points are named, %d are listed", n, len(Points))
	}
	seen := map[Point]bool{}
	for _, p := range Points {
		if seen[p] {
			t.Errorf("%s stands twice in the list", p)
		}
		seen[p] = true
		died := false
		hook, err := At(string(p)+":1", func() { died = true })
		if err != nil {
			t.Fatal(err)
		}
		if hook(p); !died {
			t.Errorf("%s was passed", p)
		}
		Never(p)
	}
}
