package serve_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/flowrepro/flow/serve"
)

// BenchmarkHandlers is what a review costs without the network. FLOW_TEST_MODEL
// names a model to take instead of the small one.
func BenchmarkHandlers(b *testing.B) {
	s := start(b, func(o *serve.Options) {
		o.NoAccessLog = true
		if dir := os.Getenv("FLOW_TEST_MODEL"); dir != "" {
			o.Model = serve.Directory(dir)
		}
	})
	review := strings.Repeat("It is not a good film; the acting is dull, but a great score saves some of it, and the rest is not bad. ", 13)
	for _, c := range []struct{ name, path, kind, body string }{
		{"page", "/predict", "application/x-www-form-urlencoded", url.Values{"text": {review}}.Encode()},
		{"api", "/api/v1/predict", "application/json", `{"text":"` + review + `"}`},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				r, _ := http.NewRequest("POST", c.path, strings.NewReader(c.body))
				r.Header.Set("Content-Type", c.kind)
				w := httptest.NewRecorder()
				s.Handler().ServeHTTP(w, r)
				if w.Code != 200 {
					b.Fatal(w.Code)
				}
			}
		})
	}
}
