package cards

import (
	"bytes"
	"encoding/base64"
	"testing"

	"github.com/go-json-experiment/json"
)

func TestDocumentSize(t *testing.T) {
	whole := append([]byte("%PDF-1.7"), make([]byte, maxDocument-len("%PDF-1.7"))...)
	if got, fits := readPDF(base64.URLEncoding.EncodeToString(whole)); !fits || !bytes.Equal(got, whole) {
		t.Errorf("16 MiB: %d bytes, %v", len(got), fits)
	}
	if got, fits := readPDF(base64.URLEncoding.EncodeToString(append(whole, 0))); fits || got != nil {
		t.Errorf("a byte more: %d bytes, %v", len(got), fits)
	}
	// What fits must arrive: it is in base64 inside the message and once more around it.
	if body := base64.RawURLEncoding.EncodedLen(base64.RawURLEncoding.EncodedLen(maxDocument) + 64<<10); body > MaxDefenceBody {
		t.Errorf("a whole document needs a body of %d bytes", body)
	}
}

// Whatever comes: no panic, and a document is a PDF within its bounds.
func FuzzReadPDF(f *testing.F) {
	f.Add("JVBERi0xLjcKJcK1wrYKCg")
	f.Add("JVBERi0-Pz8_==")
	f.Add("")
	f.Fuzz(func(t *testing.T, payload string) {
		document, fits := readPDF(payload)
		if document != nil && (!fits || !bytes.HasPrefix(document, []byte("%PDF-"))) {
			t.Errorf("%q: %d bytes, %v", payload, len(document), fits)
		}
		again, _ := readPDF(base64.StdEncoding.EncodeToString(document))
		if document != nil && !bytes.Equal(again, document) {
			t.Errorf("%q does not survive", payload)
		}
	})
}

// Both forms are read, one is written (§3.9).
func TestResponseCodeIsReadInBothShapes(t *testing.T) {
	for text, want := range map[string]ResponseCode{
		`"05"`: "05", `{"code":"N4"}`: "N4", `{"anything":"116"}`: "116", `{"value":"51"}`: "51",
	} {
		var got ResponseCode
		if err := json.Unmarshal([]byte(text), &got); err != nil || got != want {
			t.Errorf("%s: got %q, %v", text, got, err)
		}
		again, err := json.Marshal(got)
		if want := `{"value":"` + string(want) + `"}`; string(again) != want || err != nil {
			t.Errorf("%s: written as %s, %v", text, again, err)
		}
	}
	for _, text := range []string{`5`, `{}`, `{"a":"1","b":"2"}`, `{"a":1}`, `["05"]`, `true`} {
		var got ResponseCode
		if err := json.Unmarshal([]byte(text), &got); err == nil {
			t.Errorf("%s: got %q, want an error", text, got)
		}
	}
}
