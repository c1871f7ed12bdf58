package gsp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"naru/core/fault"
)

// outcome is what the log says about how a call ended.
type outcome string

const (
	fresh      outcome = "fresh"       // done now
	replay     outcome = "replay"      // answered as before
	faulty     outcome = "fault"       // see status and code
	rejected   outcome = "rejected"    // no such route, wrong verb, too large, unreadable
	stranger   outcome = "stranger"    // nobody we know
	turnedAway outcome = "turned-away" // a stranger, too often
	overload   outcome = "overload"    // too many calls in work
	late       outcome = "late"        // the work did not end in time, and goes on
	panicked   outcome = "panic"       // see cause
	unsealed   outcome = "unsealed"    // the answer could not be signed or encrypted
)

var errPanic = errors.New("panic")

// recovered turns a panic into an error that says where it happened. What was thrown may hold what must not be logged.
func recovered(err *error) {
	thrown := recover()
	if thrown == nil {
		return
	}
	var where strings.Builder
	pcs := make([]uintptr, 32)
	for frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs)]); where.Len() < 400; {
		f, more := frames.Next()
		if !strings.HasPrefix(f.Function, "runtime.") {
			fmt.Fprintf(&where, " %s:%d", f.Function, f.Line)
		}
		if !more {
			break
		}
	}
	*err = fmt.Errorf("%w of a %T at%s", errPanic, thrown, where.String())
}

// report writes the one line a call leaves, from the fields that gsp-core §10 allows.
func (s *Server) report(ctx context.Context, c *call, status int) {
	api, method, took := "none", "none", s.cfg.Now().Sub(c.start)
	if c.route != nil {
		api, method = c.route.api.Name, c.route.method.name
		if api == "" { // echo belongs to every API of its path
			api = "v" + strconv.Itoa(c.route.api.Major)
		}
	}
	s.cfg.Meter.Called(api, method, status, took.Seconds())
	level, code, cause := slog.LevelInfo, "", ""
	if c.err != nil {
		kind, _ := fault.Of(c.err)
		code = answerTo(kind).a
	}
	if status >= http.StatusInternalServerError {
		level, cause = slog.LevelError, printable(c.err)
	}
	s.cfg.Log.LogAttrs(ctx, level, "gsp call",
		slog.String("environment", s.cfg.Environment), slog.String("method", method), slog.String("piaid", c.account.ID),
		slog.String("request_id", c.requestID), slog.Int("status", status), slog.String("code", code),
		slog.String("outcome", string(c.outcome)), slog.Float64("seconds", took.Seconds()), slog.String("signer", c.opened.Signer),
		slog.String("recipient", c.opened.Recipient), slog.Int("body_bytes", c.bytes), slog.String("error_id", c.id),
		slog.String("cause", cause))
}

// printable is an error without what a JSON library may quote from a document.
func printable(err error) string {
	semantic, syntactic := (*json.SemanticError)(nil), (*jsontext.SyntacticError)(nil)
	switch {
	case err == nil:
		return ""
	case errors.As(err, &semantic), errors.As(err, &syntactic):
		return "a JSON document that does not fit its type"
	}
	return err.Error()
}
