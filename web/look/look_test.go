package look

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestParseColour(t *testing.T) {
	if c, ok := ParseColour("#e4572E"); !ok || c != (Colour{0xe4, 0x57, 0x2e}) || c.String() != "#e4572e" {
		t.Error(c, ok)
	}
	for _, text := range []string{"", "#fff", "e4572e", "#e4572", "#e4572ee", "#+45723", "#e457 2", "red;}"} {
		if c, ok := ParseColour(text); ok {
			t.Errorf("%q is %s", text, c)
		}
	}
}

// The ratios are those that the definition of WCAG 2.2 gives.
func TestContrast(t *testing.T) {
	white, black := Colour{0xff, 0xff, 0xff}, Colour{}
	for _, c := range []struct {
		a, b Colour
		want float64
	}{
		{white, black, 21},
		{white, white, 1},
		{Colour{0x76, 0x76, 0x76}, white, 4.54},
		{Colour{0xff, 0, 0}, white, 4},
		{Colour{0, 0, 0xff}, white, 8.59},
	} {
		for _, got := range []float64{Contrast(c.a, c.b), Contrast(c.b, c.a)} {
			if got < c.want-0.005 || got > c.want+0.005 {
				t.Errorf("%s on %s: %.3f, not %.2f", c.a, c.b, got, c.want)
			}
		}
	}
}

// Whatever colour a merchant has, it can be read on every surface, our words can be read on it, and a colour that can be read stays.
func TestEveryBrandBecomesReadable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := Colour{rapid.Byte().Draw(t, "red"), rapid.Byte().Draw(t, "green"), rapid.Byte().Draw(t, "blue")}
		b := Readable(c)
		for _, on := range append(lightSurfaces, token(t, 0, "on-brand")) {
			if Contrast(b.Light, on) < enough {
				t.Fatalf("%s becomes %s, which has %.2f with %s", c, b.Light, Contrast(b.Light, on), on)
			}
		}
		for _, on := range append(darkSurfaces, token(t, 1, "on-brand")) {
			if Contrast(b.Dark, on) < enough {
				t.Fatalf("%s becomes %s, which has %.2f with %s", c, b.Dark, Contrast(b.Dark, on), on)
			}
		}
		if readable(c, lightSurfaces) && b.Light != c || readable(c, darkSurfaces) && b.Dark != c {
			t.Fatalf("%s could be read and became %v", c, b)
		}
	})
}

// token is a colour of tokens.css: of the light scheme (0) or the dark one (1).
func token(t rapid.TB, scheme int, name string) Colour {
	all := regexp.MustCompile(`--`+name+`: (#[0-9a-f]{6});`).FindAllStringSubmatch(Tokens, -1)
	if len(all) != 2 {
		t.Fatalf("--%s stands %d times in tokens.css", name, len(all))
	}
	c, _ := ParseColour(all[scheme][1])
	return c
}

// Every colour that carries text can be read on every surface it may stand on.
func TestTokensCanBeRead(t *testing.T) {
	for scheme, surfaces := range [][]Colour{lightSurfaces, darkSurfaces} {
		if surfaces[0] != token(t, scheme, "paper") || surfaces[1] != token(t, scheme, "card") {
			t.Error("the surfaces are not those of tokens.css")
		}
		for _, name := range []string{"ink", "ink-2", "brand", "news", "ok", "wait", "bad"} {
			if c := token(t, scheme, name); !readable(c, surfaces) {
				t.Errorf("--%s is %s", name, c)
			}
		}
		for _, name := range []string{"ok", "wait", "bad"} {
			soft := token(t, scheme, name+"-soft")
			for _, on := range []string{name, "ink", "ink-2"} {
				if got := Contrast(token(t, scheme, on), soft); got < enough {
					t.Errorf("--%s has %.2f on --%s-soft", on, got, name)
				}
			}
		}
	}
}

func TestFiles(t *testing.T) {
	f := NewFiles("/assets/", map[string]string{"a.css": "a{}", "b.js": "1"})
	if p := f.Path("a.css"); !regexp.MustCompile(`^/assets/a-[0-9a-f]{12}\.css$`).MatchString(p) {
		t.Error(p)
	}
	if NewFiles("/assets/", map[string]string{"a.css": "b{}"}).Path("a.css") == f.Path("a.css") {
		t.Error("another content has the same name")
	}
	for path, want := range map[string]int{f.Path("a.css"): 200, f.Path("b.js"): 200, "/assets/a.css": 404, "/assets/": 404} {
		w := httptest.NewRecorder()
		f.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		if w.Code != want || (want == 200) != strings.Contains(w.Header().Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %d %v", path, w.Code, w.Header())
		}
	}
}

// What may be kept says so itself; nothing else is.
func TestGuard(t *testing.T) {
	for kept, want := range map[bool]string{false: "no-store", true: "public, max-age=31536000, immutable"} {
		w := httptest.NewRecorder()
		Guard(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if kept {
				WriteForever(w, ".css", "a{}")
			}
		})).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
		h := w.Header()
		if h.Get("Cache-Control") != want || h.Get("Content-Security-Policy") != policy || h.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%v", h)
		}
	}
}
