package gsp

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Caller makes one call to the peer, as a Client does.
type Caller interface {
	Call(context.Context, Message) Reply
}

// Attempt makes one attempt, and up to two more where only the clock was wrong (gsp-core §5.5).
func Attempt(ctx context.Context, c Caller, m Message) Reply {
	r := c.Call(ctx, m)
	for tries := 1; r.Class == RetryNow && tries < 3; tries++ {
		r = c.Call(ctx, m)
	}
	return r
}

// Unsent is the reply to what was never sent, because it cannot be said: it waits for a person.
func Unsent(why string) Reply { return Reply{Class: Park, Alert: true, Why: why} }

// NotificationResponse is the peer's answer to a notification (gsp-core §9).
type NotificationResponse struct {
	Result NotificationResult `json:"result"`
}

// NotificationResult is how the peer takes a notification: a word in generation A, an object with one member in generation B.
type NotificationResult string

// NotificationSuccess is its only known value.
const NotificationSuccess NotificationResult = "SUCCESS"

var errNoResult = errors.New("neither a word nor an object with one member")

// UnmarshalJSONFrom reads either shape.
func (r *NotificationResult) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	v, err := dec.ReadValue()
	if err != nil {
		return err
	}
	if v.Kind() == '"' {
		*r = NotificationResult(text(v))
		return nil
	}
	var union map[string]jsontext.Value
	if err := json.Unmarshal(v, &union); err != nil || len(union) != 1 {
		return errNoResult
	}
	for name := range union {
		if *r = NotificationResult(name); name == "success" || name == "accepted" { // gsp-core §9
			*r = NotificationSuccess
		}
	}
	return nil
}

// Taken is what a reply means to a notification: the peer has it where a 200 says SUCCESS, and only there (gsp-core §9).
func Taken(r Reply) Reply {
	if r.Class != Delivered {
		return r
	}
	var answer NotificationResponse
	if err := Decode(r.Body, &answer); err != nil || answer.Result != NotificationSuccess {
		r.Class, r.Alert, r.Why = Park, true, "a 200 that is no SUCCESS"
	}
	return r
}

// AskEcho asks the peer to give a text back and says what it added (gsp-core §7.1). At most one in 10 s and 30 in 15 min are wanted: that
// is for the caller to keep.
func AskEcho(text string, call func(EchoRequest) Reply) (serverMessage string, err error) {
	r := call(EchoRequest{&text})
	if r.Class != Delivered {
		return "", fmt.Errorf("echo: %s (HTTP status %d, %s)", r.Why, r.Status, r.Class)
	}
	var answer EchoResponse
	if err := Decode(r.Body, &answer); err != nil {
		return "", err
	}
	if answer.ClientMessage != text {
		return "", errors.New("echo: another text came back")
	}
	return answer.ServerMessage, nil
}
