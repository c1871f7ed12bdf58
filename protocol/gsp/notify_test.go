package gsp_test

import (
	"testing"

	"github.com/go-json-experiment/json"

	. "naru/protocol/gsp"
)

func TestNotificationResultIsReadInBothShapes(t *testing.T) {
	for text, want := range map[string]NotificationResult{
		`"SUCCESS"`: "SUCCESS", `{"success":{}}`: "SUCCESS", `{"accepted":{}}`: "SUCCESS", `"REFUSED"`: "REFUSED",
		`{"refused":{"why":1}}`: "refused",
	} {
		var got NotificationResult
		if err := json.Unmarshal([]byte(text), &got); err != nil || got != want {
			t.Errorf("%s: got %q, %v", text, got, err)
		}
	}
	for _, text := range []string{`5`, `{}`, `{"success":{},"refused":{}}`, `["SUCCESS"]`, `true`} {
		var got NotificationResult
		if err := json.Unmarshal([]byte(text), &got); err == nil {
			t.Errorf("%s: got %q, want an error", text, got)
		}
	}
}
