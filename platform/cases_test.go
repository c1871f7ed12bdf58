package platform

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// What does not come from a program of this machine is refused before anything is looked at, and so is what says nothing.
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
		r.RemoteAddr, r.Host = "127.0.0.1:40000", "127.0.0.1:7444"
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

// Where the listener is open to others, they see its figures and no cases; nor does a page that came by a name of its own.
func TestOperatorsAreOnTheSameMachine(t *testing.T) {
	mux := http.NewServeMux()
	(&Platform{}).cases(mux)
	for _, c := range [][2]string{
		{"192.0.2.7:40000", "127.0.0.1:7444"}, {"[2001:db8::1]:40000", "localhost:7444"}, {"127.0.0.1:40000", "rebound.example.com:7444"},
	} {
		for path, method := range map[string]string{
			"/cases": "GET", "/evidence?id=x": "GET", "/cases/close": "POST", "/cases/resume": "POST", "/settlements/paid": "POST", "/echo": "POST",
		} {
			r := httptest.NewRequest(method, path, strings.NewReader(`{"id":"x","note":"y","reference":"z"}`))
			r.RemoteAddr, r.Host = c[0], c[1]
			w := httptest.NewRecorder()
			mux.ServeHTTP(w, r)
			if w.Code != http.StatusForbidden {
				t.Errorf("%s %s from %s by %s: %d", method, path, c[0], c[1], w.Code)
			}
		}
	}
}
