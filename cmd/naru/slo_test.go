package main

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

const measuredJSON = `{"from": "2026-03-02T00:00:00Z", "until": "2026-03-03T00:00:00Z", "periods": [
	{"from": "2026-03-02T00:00:00Z", "hours": 24, "api": "card-fop-v1", "method": "capture", "calls": 1000, "answered": 999,
	 "within_5s": 950, "within_3s": 900, "missed": []},
	{"from": "2026-03-02T00:00:00Z", "hours": 24, "api": "merchant", "method": "getBalance", "ours": true, "calls": 3, "answered": 3,
	 "within_5s": 3, "within_3s": 2, "missed": ["within 3 s"]},
	{"from": "2026-03-02T09:00:00Z", "hours": 1, "api": "card-fop-v1", "method": "capture", "calls": 200001, "answered": 199800,
	 "within_5s": 199800, "within_3s": 199800, "missed": ["availability"]}], "worst_24h": [
	{"from": "2026-03-02T00:00:00Z", "hours": 24, "api": "card-fop-v1", "method": "capture", "calls": 201001, "answered": 200799,
	 "within_5s": 200750, "within_3s": 200700, "missed": ["availability"]},
	{"from": "2026-03-02T00:00:00Z", "hours": 24, "api": "merchant", "method": "getBalance", "ours": true, "calls": 3, "answered": 3,
	 "within_5s": 3, "within_3s": 2, "missed": []}], "met": false}`

const measuredTable = `period (UTC)      method               calls   availability  within 5 s  within 3 s  goals
2026-03-02        card-fop-v1 capture  1000    99.900 %      95.000 %    90.000 %    met
2026-03-02        merchant getBalance  3       100.000 %     100.000 %   66.666 %    MISSED: within 3 s (our own)
2026-03-02 09:00  card-fop-v1 capture  200001  99.899 %      99.899 %    99.899 %    MISSED: availability

worst 24 hours from (UTC)  method               calls   availability  goal
2026-03-02 00:00           card-fop-v1 capture  201001  99.899 %      MISSED: availability
2026-03-02 00:00           merchant getBalance  3       100.000 %     met (our own)
`

// A missed goal is said in words and by the exit status; a share is never rounded up to its goal.
func TestSLO(t *testing.T) {
	var asked, said string
	status := http.StatusOK
	node := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.Method + " " + r.URL.String()
		w.WriteHeader(status)
		_, _ = w.Write([]byte(said))
	}))
	defer node.Close()
	run := func(c sloCmd) (string, error) {
		c.Admin = node.URL
		var out strings.Builder
		err := c.write(t.Context(), &out)
		return out.String(), err
	}

	said = measuredJSON
	got, err := run(sloCmd{Days: 7})
	if missed := exit(0); !errors.As(err, &missed) || missed != 1 || got != measuredTable || asked != "GET /slo?days=7" {
		t.Errorf("%s: %v\n%s", asked, err, got)
	}
	const night, noon = "2026-03-02T01:00Z/2026-03-02T03:00Z", "2026-03-02T12:00Z/2026-03-02T13:00Z"
	got, err = run(sloCmd{From: "2026-03-02", Days: 1, Except: []string{night, noon}, JSON: true})
	const query = "GET /slo?days=1&except=2026-03-02T01%3A00Z%2F2026-03-02T03%3A00Z" +
		"&except=2026-03-02T12%3A00Z%2F2026-03-02T13%3A00Z&from=2026-03-02"
	if missed := exit(0); !errors.As(err, &missed) || got != said || asked != query {
		t.Errorf("%s: %v\n%s", asked, err, got)
	}
	said = strings.Replace(measuredJSON, `"met": false`, `"met": true`, 1)
	if _, err := run(sloCmd{Days: 7}); err != nil {
		t.Error("every goal was met, and", err)
	}
	said = `{"periods": [], "worst_24h": [], "met": true}`
	if got, err := run(sloCmd{Days: 7}); err != nil || got != "No call was measured.\n" {
		t.Errorf("without calls: %v\n%s", err, got)
	}
	status, said = http.StatusBadRequest, `{"error": "days are 1 to 366"}`
	if got, err := run(sloCmd{}); err == nil || err.Error() != "days are 1 to 366" || got != "" {
		t.Errorf("a question that is refused: %v\n%s", err, got)
	}
	status, said = http.StatusOK, "<html>"
	if got, err := run(sloCmd{Days: 7}); err == nil || got != "" {
		t.Errorf("no answer of a node: %v\n%s", err, got)
	}
}
