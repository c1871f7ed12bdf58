package gsp

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"naru/engine"
	"naru/seal"
)

// glass is a box that hides nothing.
type glass struct{}

func (glass) Open(_ context.Context, wire []byte) (seal.Opened, error) {
	return seal.Opened{Plain: wire}, nil
}
func (glass) Seal(plain []byte) ([]byte, error) { return plain, nil }

type anyAccount struct{}

func (anyAccount) Account(id string) (engine.Account, bool) {
	return engine.Account{ID: id, APIs: []string{"toy-v1"}}, true
}

type everyTime struct{}

func (everyTime) Once(ctx context.Context, _ engine.Request, fn func(context.Context, engine.Turn) ([]byte, error)) ([]byte, error) {
	return fn(ctx, engine.Turn{})
}

func newTestServer(deadline time.Duration, work func(context.Context, Call, engine.Turn, struct{}) ([]byte, error)) *Server {
	now := func() time.Time { return time.UnixMilli(1772409400000) }
	s := NewServer(Config{
		Box: glass{}, Idempotency: everyTime{}, Accounts: anyAccount{}, Now: now, Business: now, Log: slog.New(slog.DiscardHandler),
		BodyLimit: 1000, Deadline: deadline,
	})
	s.Serve(API{Name: "toy-v1", Generation: A, Major: 1, Prefix: "/v1/", Methods: []Method{
		Handle("work", work),
		Handle("document", func(context.Context, Call, engine.Turn, struct{}) ([]byte, error) { return []byte(`{}`), nil }).Limit(9000),
	}})
	return s
}

const upload = `{"requestHeader":{"requestId":"a","requestTimestamp":"1772409400000","protocolVersion":{"major":1}},` +
	`"paymentIntegratorAccountId":"x","document":"`

// One call to a method that takes large bodies is in work at a time (design §3.10), for a small body may inflate; other methods pass by.
func TestOneLargeBodyAtATime(t *testing.T) {
	s := newTestServer(10*time.Millisecond, func(context.Context, Call, engine.Turn, struct{}) ([]byte, error) { return []byte(`{}`), nil })
	call := func(length int) *httptest.ResponseRecorder {
		body := upload + strings.Repeat("x", length-len(upload)-2) + `"}`
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/v1/document", strings.NewReader(body)))
		return w
	}
	s.large <- struct{}{}
	if w := call(1001); w.Code != 503 || w.Body.Len() != 0 {
		t.Errorf("second large body: %d %s", w.Code, w.Body)
	}
	if w := call(1000); w.Code != 503 {
		t.Errorf("small body: %d", w.Code)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/v1/work", strings.NewReader(upload+`"}`)))
	if w.Code != 200 {
		t.Errorf("another method: %d", w.Code)
	}
	<-s.large
	if w := call(9000); w.Code != 200 {
		t.Errorf("large body afterwards: %d", w.Code)
	}
	if len(s.large) != 0 || s.working.Taken() != 0 {
		t.Errorf("places still taken: %d large, %d working", len(s.large), s.working.Taken())
	}
}

// What comes to a method that takes large bodies is opened by the box with the large limits, and nothing else is.
func TestLargeBox(t *testing.T) {
	s := newTestServer(time.Minute, func(context.Context, Call, engine.Turn, struct{}) ([]byte, error) { return []byte(`{}`), nil })
	for _, c := range []struct {
		path        string
		box, large  Box
		wantRefused bool
	}{
		{"/v1/work", glass{}, shut{}, false},
		{"/v1/work", shut{}, glass{}, true},
		{"/v1/document", shut{}, glass{}, false},
		{"/v1/document", glass{}, shut{}, true},
	} {
		s.cfg.Box, s.cfg.LargeBox = c.box, c.large
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest(http.MethodPost, c.path, strings.NewReader(upload+`"}`)))
		if refused := w.Code != 200; refused != c.wantRefused {
			t.Errorf("%s, box %T, large box %T: %d", c.path, c.box, c.large, w.Code)
		}
	}
}

// shut is a box that opens nothing.
type shut struct{ glass }

func (shut) Open(context.Context, []byte) (seal.Opened, error) {
	return seal.Opened{}, seal.ErrEncryption
}

// A caller that breaks off in its body is not worth a signature, and leaves no place taken.
func TestCallerBreaksOff(t *testing.T) {
	s := newTestServer(time.Minute, nil)
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/v1/document", io.MultiReader(strings.NewReader("AAAA"), broken{})))
	if w.Code != 400 || w.Body.Len() != 0 || s.working.Taken() != 0 {
		t.Errorf("%d %q, %d places taken", w.Code, w.Body, s.working.Taken())
	}
}

// The caller hanging up cancels nothing; the deadline is our own (design §3.1).
func TestMethodDoesNotHearTheCallerHangUp(t *testing.T) {
	s := newTestServer(time.Minute, func(ctx context.Context, _ Call, _ engine.Turn, _ struct{}) ([]byte, error) {
		if _, limited := ctx.Deadline(); !limited {
			t.Error("no deadline")
		}
		return []byte(`{}`), ctx.Err()
	})
	gone, hangUp := context.WithCancel(t.Context())
	hangUp()
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequestWithContext(gone, http.MethodPost, "/v1/work", strings.NewReader(upload+`"}`)))
	if w.Code != 200 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// Work that is late keeps its place until it ends: what is deaf to the deadline cannot pile up.
func TestLateWorkKeepsItsPlace(t *testing.T) {
	end := make(chan struct{})
	s := newTestServer(10*time.Millisecond, func(context.Context, Call, engine.Turn, struct{}) ([]byte, error) {
		<-end
		return []byte(`{}`), nil
	})
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/v1/work", strings.NewReader(upload+`"}`)))
	if w.Code != 503 || s.working.Taken() != 1 {
		t.Errorf("%d, %d places taken", w.Code, s.working.Taken())
	}
	close(end)
	s.Drain()
	if s.working.Taken() != 0 {
		t.Errorf("%d places taken after the end", s.working.Taken())
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("reset") }

// BenchmarkServe is what a call costs beside the network, the cryptography and the method.
func BenchmarkServe(b *testing.B) {
	s := newTestServer(time.Minute, nil)
	body := upload + strings.Repeat("x", 700) + `"}`
	b.ReportAllocs()
	for b.Loop() {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/v1/document", strings.NewReader(body)))
		if w.Code != http.StatusOK {
			b.Fatal(w.Body)
		}
	}
}
