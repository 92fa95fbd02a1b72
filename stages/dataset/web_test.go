package dataset

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
)

func TestWebFile(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	mux := http.NewServeMux()
	mux.HandleFunc("/tagged", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `W/"weak"`)
		w.Header().Set("Content-Length", "5")
		if r.Method != http.MethodHead {
			_, _ = w.Write([]byte("hello"))
		}
	})
	mux.HandleFunc("/summed", func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		w.Header().Set("Content-MD5", "XUFAKrxLKna5cZ2REBfFkg==")
		_, _ = w.Write([]byte("hello"))
	})
	mux.HandleFunc("/busy", func() http.HandlerFunc {
		asked := 0
		return func(w http.ResponseWriter, _ *http.Request) {
			if asked++; asked == 1 {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		}
	}())
	server := httptest.NewServer(mux)
	defer server.Close()
	for _, c := range []struct {
		path, tag string
		size      int64
	}{{"/tagged", `W/"weak"`, 5}, {"/summed", "XUFAKrxLKna5cZ2REBfFkg==", 5}, {"/busy", "", -1}} {
		f, err := NewWebFile(server.URL + c.path)
		if err != nil {
			t.Fatal(err)
		}
		tag, size, err := f.Stat(t.Context())
		if err != nil || tag != c.tag || size != c.size {
			t.Errorf("%s: tag %q, %d bytes, %v; want %q, %d", c.path, tag, size, err, c.tag, c.size)
		}
	}
	f, err := NewWebFile(server.URL + "/tagged")
	if err != nil {
		t.Fatal(err)
	}
	var kept string
	err = f.Download(t.Context(), func(int64, int64) {}, func(file string) error {
		kept = file
		data, err := os.ReadFile(file)
		if string(data) != "hello" {
			t.Errorf("downloaded %q", data)
		}
		return err
	})
	if _, gone := os.Stat(kept); err != nil || kept == "" || !os.IsNotExist(gone) {
		t.Errorf("after the download: %v, %q: %v", err, kept, gone)
	}
	f, err = NewWebFile(server.URL + "/nothing")
	if err != nil {
		t.Fatal(err)
	}
	var known *SourceError
	if _, _, err = f.Stat(t.Context()); !errors.As(err, &known) || !strings.Contains(err.Error(), "404") {
		t.Errorf("of a file that is not there: %v", err)
	}
	for _, bad := range []string{"ftp://host/x", "https:///x", "x", "https://u:secret@host/x"} {
		if _, err := NewWebFile(bad); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}
