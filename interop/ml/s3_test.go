//go:build interop

package ml

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/flowrepro/flow/stages/dataset"
)

// gateway starts an S3 server over a directory and returns its address and the
// directory of a bucket.
func gateway(t *testing.T) (endpoint, bucket string) {
	t.Helper()
	program := peer(t, "FLOW_TEST_VERSITYGW")
	root, port := t.TempDir(), freePort(t)
	bucket = filepath.Join(root, "films")
	if err := os.Mkdir(bucket, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "--port", "127.0.0.1:"+port, "--access", "flow", "--secret", "s3cret", "posix", "--sidecar", t.TempDir(), root)
	start(t, cmd, port)
	t.Setenv("AWS_ACCESS_KEY_ID", "flow")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "s3cret")
	t.Setenv("AWS_REGION", "us-east-1")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	return "http://" + net.JoinHostPort("127.0.0.1", port), bucket
}

func rows(n int) []byte {
	var b bytes.Buffer
	b.WriteString("review,sentiment\n")
	for i := range n {
		fmt.Fprintf(&b, "review number %d with some words,%d\n", i, i%2)
	}
	return b.Bytes()
}

func TestS3(t *testing.T) {
	endpoint, bucket := gateway(t)
	if err := os.MkdirAll(filepath.Join(bucket, "dir"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(bucket, "dir", "a b.csv"), rows(50000), 0o644); err != nil {
		t.Fatal(err)
	}
	load := func(location string) (*dataset.Set, error) {
		return dataset.Load(context.Background(), dataset.Source{Location: location}, nil)
	}
	set, err := load("s3://films/dir/a%20b.csv?endpoint=" + url.QueryEscape(endpoint))
	if err != nil || len(set.Rows) != 50000 {
		t.Fatalf("endpoint in the address: %v", err)
	}
	t.Setenv("AWS_ENDPOINT_URL", endpoint)
	if set, err = load("s3://films/dir/a%20b.csv"); err != nil || len(set.Rows) != 50000 {
		t.Fatalf("endpoint in the environment: %v", err)
	}
	for location, want := range map[string]string{
		"s3://films/none.csv": "NoSuchKey", "s3://none/a.csv": "NoSuchBucket",
	} {
		if _, err := load(location); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v", location, err)
		}
	}

	// A connection that breaks twice in the middle.
	target, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	var cuts, requests atomic.Int32
	cuts.Store(2)
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target); r.Out.Host = r.In.Host },
		ModifyResponse: func(r *http.Response) error {
			requests.Add(1)
			if cuts.Add(-1) >= 0 {
				r.Body = struct {
					io.Reader
					io.Closer
				}{io.LimitReader(r.Body, 300000), r.Body}
			}
			return nil
		},
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: proxy} //nolint:gosec // for one client on this machine
	go func() { _ = server.Serve(l) }()
	defer server.Close()
	t.Setenv("AWS_ENDPOINT_URL", "http://"+l.Addr().String())
	if set, err = load("s3://films/dir/a%20b.csv"); err != nil || len(set.Rows) != 50000 || requests.Load() != 3 {
		t.Errorf("cut off: %v, %d requests", err, requests.Load())
	}

	t.Setenv("AWS_SECRET_ACCESS_KEY", "wrong")
	t.Setenv("AWS_ENDPOINT_URL", endpoint)
	if _, err := load("s3://films/dir/a%20b.csv"); err == nil || !strings.Contains(err.Error(), "SignatureDoesNotMatch") {
		t.Errorf("wrong secret: %v", err)
	}
}
