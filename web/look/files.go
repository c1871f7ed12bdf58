package look

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"path"
	"strings"
)

// Files are served under names that carry a hash of their content, so that a browser may keep them for ever.
type Files struct {
	prefix string
	paths  map[string]string // the name in the program to the path
	bodies map[string]string // by path
}

var types = map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}

// NewFiles names the files below a path that ends in a slash; their kinds are css, js and svg.
func NewFiles(prefix string, files map[string]string) *Files {
	f := &Files{prefix: prefix, paths: map[string]string{}, bodies: map[string]string{}}
	for name, body := range files {
		kind := path.Ext(name)
		if types[kind] == "" {
			panic("look: no content type for " + name)
		}
		sum := sha256.Sum256([]byte(body))
		f.paths[name] = prefix + strings.TrimSuffix(name, kind) + "-" + hex.EncodeToString(sum[:6]) + kind
		f.bodies[f.paths[name]] = body
	}
	return f
}

// Path is where a file is served.
func (f *Files) Path(name string) string {
	p, ok := f.paths[name]
	if !ok {
		panic("look: no file " + name)
	}
	return p
}

func (f *Files) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, ok := f.bodies[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	WriteForever(w, path.Ext(r.URL.Path), body)
}

// WriteForever answers with a file of a kind (".css") whose content never changes at its path.
func WriteForever(w http.ResponseWriter, kind, body string) {
	h := w.Header()
	h.Set("Content-Type", types[kind])
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	_, _ = w.Write([]byte(body)) // the reader has gone: nobody to tell
}
