package platform

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// What a page in a browser sends is refused before anything is looked at, and so is what says nothing.
func TestOperatorsListenerTalksToNoPages(t *testing.T) {
	mux := http.NewServeMux()
	(&Platform{}).cases(mux)
	for _, c := range []struct {
		method, path, body, header, value string
		want                              int
	}{
		{"GET", "/cases", "", "Origin", "https://example.com", http.StatusForbidden},
		{"GET", "/evidence?id=x", "", "Sec-Fetch-Site", "cross-site", http.StatusForbidden},
		{"POST", "/cases/close", `{"id":"x","note":"y"}`, "Origin", "null", http.StatusForbidden},
		{"POST", "/settlements/paid", `{"id":"x","reference":"y"}`, "Sec-Fetch-Site", "same-origin", http.StatusForbidden},
		{"POST", "/cases/resume", `{"note":"y"}`, "Sec-Fetch-Site", "none", http.StatusBadRequest},
		{"POST", "/cases/close", `{"id":"x","colour":"y"}`, "", "", http.StatusBadRequest},
		{"POST", "/cases/close", `no JSON`, "", "", http.StatusBadRequest},
		{"GET", "/cases/close", "", "", "", http.StatusMethodNotAllowed},
	} {
		r := httptest.NewRequest(c.method, c.path, strings.NewReader(c.body))
		if c.header != "" {
			r.Header.Set(c.header, c.value)
		}
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		if w.Code != c.want {
			t.Errorf("%s %s with %s %s: %d", c.method, c.path, c.header, c.value, w.Code)
		}
	}
}
