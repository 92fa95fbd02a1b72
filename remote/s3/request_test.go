package s3_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flowrepro/flow/remote"
)

// TestRequests looks at what is sent for each setting, whose effect no server
// at hand shows: the headers of requests for objects are those that S3's
// reference gives.
func TestRequests(t *testing.T) {
	const key = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
	customer := map[string]string{
		"X-Amz-Server-Side-Encryption-Customer-Algorithm": "AES256",
		"X-Amz-Server-Side-Encryption-Customer-Key":       key,
		"X-Amz-Server-Side-Encryption-Customer-Key-Md5":   "KYvwGXoFFJ42a2u2GDWhwQ==",
	}
	for _, c := range []struct {
		name     string
		settings map[string]string
		// always are headers of all requests, storing of PUT only.
		always, storing map[string]string
	}{
		{name: "signed", settings: map[string]string{"session_token": "token"}, always: map[string]string{"X-Amz-Security-Token": "token"}},
		{name: "anonymous", settings: map[string]string{"allow_anonymous_login": "true"}, always: map[string]string{"Authorization": ""}},
		{name: "encrypted", settings: map[string]string{"sse": "AES256"}, storing: map[string]string{"X-Amz-Server-Side-Encryption": "AES256"}},
		{name: "with a key of KMS", settings: map[string]string{"sse": "aws:kms", "sse_kms_key_id": "k"},
			storing: map[string]string{"X-Amz-Server-Side-Encryption": "aws:kms", "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id": "k"}},
		{name: "with a customer's key", settings: map[string]string{"sse_customer_key": key}, always: customer},
		{name: "canned", settings: map[string]string{"acl": "bucket-owner-full-control"}, storing: map[string]string{"X-Amz-Acl": "bucket-owner-full-control"}},
		{name: "granted",
			settings: map[string]string{"grant_read": "id=1", "grant_read_acp": "id=2", "grant_write_acp": "id=3", "grant_full_control": "id=4"},
			storing: map[string]string{"X-Amz-Grant-Read": "id=1", "X-Amz-Grant-Read-Acp": "id=2",
				"X-Amz-Grant-Write-Acp": "id=3", "X-Amz-Grant-Full-Control": "id=4"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var mu sync.Mutex
			seen := map[string]http.Header{}
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				mu.Lock()
				seen[r.Method] = r.Header.Clone()
				mu.Unlock()
				if want := "/bucket/some%20where/a%2Bb%27/%C3%A9"; r.URL.EscapedPath() != want {
					t.Errorf("%s %s, want %s", r.Method, r.URL.EscapedPath(), want)
				}
				w.Header().Set("Content-Length", strconv.Itoa(int(max(r.ContentLength, 0))))
			}))
			defer server.Close()
			settings := map[string]string{"endpointurl": server.URL, "region": "eu-central-1"}
			if c.name != "anonymous" {
				settings["access_key_id"], settings["secret_access_key"] = "id", "secret"
			}
			for k, v := range c.settings {
				settings[k] = v
			}
			s := open(t, "s3://bucket/some where", settings)
			const name = "a+b'/é"
			if err := s.Put(t.Context(), name, remote.Bytes(nil)); err != nil {
				t.Fatal(err)
			}
			if r, err := s.Get(t.Context(), name, remote.Range{}); err != nil {
				t.Fatal(err)
			} else {
				_ = r.Close()
			}
			if _, err := s.Stat(t.Context(), name); err != nil {
				t.Fatal(err)
			}
			for _, method := range []string{http.MethodPut, http.MethodGet, http.MethodHead} {
				h := seen[method]
				if signed := strings.HasPrefix(h.Get("Authorization"), "AWS4-HMAC-SHA256 Credential=id/"); signed == (c.name == "anonymous") {
					t.Errorf("%s: signed: %t", method, signed)
				}
				for k, want := range c.always {
					if got := h.Get(k); got != want {
						t.Errorf("%s: %s is %q, want %q", method, k, got, want)
					}
				}
				for k, want := range c.storing {
					if method != http.MethodPut {
						want = ""
					}
					if got := h.Get(k); got != want {
						t.Errorf("%s: %s is %q, want %q", method, k, got, want)
					}
				}
			}
		})
	}
}

// TestSkewedHead is about a server that refuses the first request for its time
// when that is a HEAD, whose answer does not say why.
func TestSkewedHead(t *testing.T) {
	ahead := 20 * time.Minute
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		now := time.Now().Add(ahead)
		w.Header().Set("Date", now.UTC().Format(http.TimeFormat))
		at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
		if err != nil || now.Sub(at).Abs() > 15*time.Minute {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		if strings.HasSuffix(r.URL.Path, "/denied") {
			w.WriteHeader(http.StatusForbidden)
		}
	}))
	defer server.Close()
	s := open(t, "s3://bucket", map[string]string{
		"endpointurl": server.URL, "region": "us-east-1", "access_key_id": "id", "secret_access_key": "secret",
	})
	if _, err := s.Stat(t.Context(), "a"); remote.KindOf(err) != remote.Skewed {
		t.Errorf("the first: %v", err)
	}
	if _, err := s.Stat(t.Context(), "a"); err != nil {
		t.Errorf("the second: %v", err)
	}
	if _, err := s.Stat(t.Context(), "denied"); remote.KindOf(err) != remote.Denied {
		t.Errorf("what is denied: %v", err)
	}
}
