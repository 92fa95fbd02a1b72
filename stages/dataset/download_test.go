package dataset

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// server serves one file and cuts off as many answers as it is told to.
type server struct {
	mu     sync.Mutex
	data   string
	tag    string
	plain  bool // knows nothing of ranges
	cuts   int  // answers that end in the middle
	status int  // of the next answer, once
	seen   []string
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = append(s.seen, r.Header.Get("Range"))
	if s.status != 0 {
		w.WriteHeader(s.status)
		s.status = 0
		return
	}
	if s.tag != "" {
		w.Header().Set("ETag", s.tag)
	}
	if s.plain {
		r.Header.Del("Range")
	}
	if s.cuts > 0 {
		s.cuts--
		w = &cutting{w, len(s.data) / 3}
	}
	http.ServeContent(w, r, "", time.Time{}, strings.NewReader(s.data))
}

// cutting ends the connection after so many bytes.
type cutting struct {
	http.ResponseWriter
	left int
}

func (c *cutting) Write(p []byte) (int, error) {
	if len(p) > c.left {
		_, _ = c.ResponseWriter.Write(p[:c.left])
		c.ResponseWriter.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
	c.left -= len(p)
	return c.ResponseWriter.Write(p)
}

// cacheIn has downloads in a directory of the test.
func cacheIn(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	switch runtime.GOOS {
	case "windows":
		t.Setenv("LocalAppData", dir)
	case "darwin":
		t.Setenv("HOME", dir)
	default:
		t.Setenv("XDG_CACHE_HOME", dir)
	}
	found, err := downloadDir()
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// manyRows is a source larger than any buffer.
func manyRows(n int) string {
	var b strings.Builder
	b.WriteString("review,sentiment\n")
	for i := range n {
		fmt.Fprintf(&b, "review number %d with some words to fill it,%d\n", i, i%2)
	}
	return b.String()
}

func serve(t testing.TB, s *server) string {
	t.Helper()
	h := httptest.NewServer(s)
	t.Cleanup(h.Close)
	return h.URL + "/reviews.csv"
}

func sum256(t testing.TB, data string) string {
	t.Helper()
	sum, err := fileChecksum(put(t, "x", data), "sha256")
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

func leftovers(t testing.TB, dir string) []string {
	t.Helper()
	var list []string
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if filepath.Ext(e.Name()) != ".lock" {
			list = append(list, e.Name())
		}
	}
	return list
}

func TestDownload(t *testing.T) {
	dir := cacheIn(t)
	data := manyRows(20000)
	for _, tt := range []struct {
		name   string
		server *server
		// ranges are the requests as they should be.
		ranges []string
	}{
		{"whole", &server{data: data, tag: `"v1"`}, []string{""}},
		{"cut twice", &server{data: data, tag: `"v1"`, cuts: 2}, []string{"", "more", "more"}},
		{"cut, without a tag", &server{data: data, cuts: 1}, []string{"", ""}},
		{"cut, with a weak tag", &server{data: data, tag: `W/"v1"`, cuts: 1}, []string{"", ""}},
		{"cut, without ranges", &server{data: data, tag: `"v1"`, plain: true, cuts: 1}, []string{"", "more"}},
		{"busy", &server{data: data, tag: `"v1"`, status: 503}, []string{"", ""}},
	} {
		url := serve(t, tt.server)
		for _, sum := range []string{"", sum256(t, data)} {
			if sum == "" && tt.server.cuts > 0 {
				continue
			}
			tt.server.seen = nil
			var done, total int64
			set, err := Load(context.Background(), Source{Location: url, Checksum: sum}, func(d, n int64, unit string) { done, total = d, n })
			if err != nil {
				t.Errorf("%s: %v", tt.name, err)
				continue
			}
			if set.Checksum != sum256(t, data) {
				t.Errorf("%s: checksum %s", tt.name, set.Checksum)
			}
			if len(set.Rows) != 20000 || done != total || total != int64(len(data)) {
				t.Errorf("%s: %d rows, %d of %d bytes", tt.name, len(set.Rows), done, total)
			}
			if sum == "" {
				continue
			}
			ok := len(tt.server.seen) == len(tt.ranges)
			for i, r := range tt.server.seen {
				ok = ok && (r != "") == (tt.ranges[i] != "")
			}
			if tt.server.status == 0 && !ok && tt.name != "busy" {
				t.Errorf("%s: requests %q, want %q", tt.name, tt.server.seen, tt.ranges)
			}
		}
	}
	if left := leftovers(t, dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// A download that this process gives up goes on in the next.
func TestDownloadGoesOnLater(t *testing.T) {
	dir := cacheIn(t)
	data := manyRows(20000)
	s := &server{data: data, tag: `"v1"`}
	url := serve(t, s)
	source := Source{Location: url, Checksum: sum256(t, data)}
	interrupt := func() {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		_, err := Load(ctx, source, func(done, total int64, _ string) {
			if done > total/4 {
				cancel()
			}
		})
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("interrupted: error %v", err)
		}
		if left := leftovers(t, dir); len(left) != 2 {
			t.Fatalf("kept for later: %v", left)
		}
	}
	finish := func() {
		t.Helper()
		s.seen = nil
		set, err := load(t, source)
		if err != nil {
			t.Fatal(err)
		}
		if len(set.Rows) != 20000 || s.seen[0] == "" {
			t.Fatalf("%d rows, requests %q", len(set.Rows), s.seen)
		}
	}
	interrupt()
	finish()

	// Another file by then: from the beginning.
	interrupt()
	data = strings.ReplaceAll(data, "words", "terms")
	s.data, s.tag, source.Checksum = data, `"v2"`, sum256(t, data)
	finish()

	// What was kept is damaged: once more from the beginning.
	interrupt()
	for _, name := range leftovers(t, dir) {
		if filepath.Ext(name) == "" {
			f, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.WriteAt([]byte("XXXX"), 100); err != nil {
				t.Fatal(err)
			}
			f.Close()
		}
	}
	finish()
	if left := leftovers(t, dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestDownloadFaults(t *testing.T) {
	dir := cacheIn(t)
	data := manyRows(100)
	s := &server{data: data, tag: `"v1"`}
	url := serve(t, s)
	wrong := "sha256:" + strings.Repeat("0", 64)
	_, err := load(t, Source{Location: url, Checksum: wrong})
	var sum *ChecksumError
	if !errors.As(err, &sum) || sum.Have != sum256(t, data) || !strings.Contains(sum.Hint(), sum.Have) {
		t.Errorf("wrong checksum: %v", err)
	}
	for _, tt := range []struct {
		status int
		want   string
	}{{404, "server says 404 Not Found"}, {401, "server says 401"}} {
		s.status, s.seen = tt.status, nil
		_, err := load(t, Source{Location: url})
		var known *SourceError
		if !errors.As(err, &known) || !strings.Contains(err.Error(), tt.want) || len(s.seen) != 1 {
			t.Errorf("%d: error %v after %d requests", tt.status, err, len(s.seen))
		}
		if tt.status == 401 && !strings.Contains(known.Hint(), AuthorizationVariable) {
			t.Errorf("hint %q", known.Hint())
		}
	}
	if _, err := load(t, Source{Location: url, Limits: Limits{Bytes: 100}}); err == nil || !strings.Contains(err.Error(), "larger than 100") {
		t.Errorf("too large: %v", err)
	}
	for _, bad := range []string{"http://", "https://user:secret@127.0.0.1/x", "http://[::1/x", "s3://", "s3://bucket", "s3://b/k?acl=x", "s3://key:secret@b/k"} {
		_, err := load(t, Source{Location: bad})
		var known *SourceError
		if !errors.As(err, &known) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: error %v", bad, err)
		}
	}
	if left := leftovers(t, dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestAuthorizationAndRedirects(t *testing.T) {
	cacheIn(t)
	data := manyRows(10)
	var got string
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Header.Get("Authorization")
		io.WriteString(w, data)
	}))
	defer plain.Close()
	t.Setenv(AuthorizationVariable, "Bearer abc")
	if _, err := load(t, Source{Location: plain.URL + "/a.csv"}); err != nil || got != "Bearer abc" {
		t.Errorf("header %q, error %v", got, err)
	}
	secure := httptest.NewTLSServer(http.RedirectHandler(plain.URL, http.StatusFound))
	defer secure.Close()
	trust := secure.Client().Transport.(*http.Transport)
	old := http.DefaultTransport
	http.DefaultTransport = trust
	defer func() { http.DefaultTransport = old }()
	if _, err := load(t, Source{Location: secure.URL + "/a.csv"}); !errors.Is(err, errDowngrade) {
		t.Errorf("out of https: error %v", err)
	}
}

func TestContentRange(t *testing.T) {
	for s, want := range map[string]string{
		"bytes 5-9/10": "5 10 true", "bytes 5-9/*": "5 -1 true", "": "0 0 false", "bytes x-9/10": "0 0 false",
		"bytes 5-9/3": "5 3 false", "lines 5-9/10": "0 0 false", "bytes -9/10": "0 0 false",
	} {
		start, size, ok := contentRange(s)
		if got := fmt.Sprint(start, size, ok); got != want {
			t.Errorf("%q: %s, want %s", s, got, want)
		}
	}
}

// bucket answers as S3 does for one object.
type bucket struct {
	data, tag string
	cut       int
	ranges    []string
}

func (b *bucket) GetObject(_ context.Context, in *s3.GetObjectInput, _ ...func(*s3.Options)) (*s3.GetObjectOutput, error) {
	b.ranges = append(b.ranges, aws.ToString(in.Range))
	refuse := func(code int) error {
		return &awshttp.ResponseError{ResponseError: &smithyhttp.ResponseError{
			Response: &smithyhttp.Response{Response: &http.Response{StatusCode: code}}, Err: errors.New("refused"),
		}}
	}
	if *in.Bucket != "bucket" || *in.Key != "dir/a.csv" {
		return nil, refuse(404)
	}
	if in.IfMatch != nil && *in.IfMatch != b.tag {
		return nil, refuse(412)
	}
	start := 0
	if in.Range != nil {
		fmt.Sscanf(*in.Range, "bytes=%d-", &start)
	}
	out := &s3.GetObjectOutput{ETag: &b.tag, ContentLength: aws.Int64(int64(len(b.data) - start))}
	if in.Range != nil {
		out.ContentRange = aws.String(fmt.Sprintf("bytes %d-%d/%d", start, len(b.data)-1, len(b.data)))
	}
	var body io.Reader = strings.NewReader(b.data[start:])
	if b.cut > 0 {
		b.cut--
		body = io.MultiReader(io.LimitReader(body, int64(len(b.data)/3)), errorReader{})
	}
	out.Body = io.NopCloser(body)
	return out, nil
}

type errorReader struct{}

func (errorReader) Read([]byte) (int, error) { return 0, errors.New("connection reset") }

func TestS3Object(t *testing.T) {
	b := &bucket{data: manyRows(5000), tag: `"v1"`, cut: 2}
	s := Source{Location: "s3://bucket/dir/a.csv"}
	run := func(s Source) (string, error) {
		o, err := newS3Object(s)
		if err != nil {
			t.Fatal(err)
		}
		o.client = b
		d := &transfer{source: s, object: o, file: filepath.Join(t.TempDir(), "x"), progress: func(int64, int64) {}}
		err = d.run(context.Background())
		data, _ := os.ReadFile(d.file)
		return string(data), err
	}
	got, err := run(s)
	if err != nil || got != b.data || len(b.ranges) != 3 || b.ranges[2] == "" {
		t.Errorf("%d bytes, error %v, requests %q", len(got), err, b.ranges)
	}
	// The object changes between two attempts.
	b.cut, b.ranges = 1, nil
	o, err := newS3Object(s)
	if err != nil {
		t.Fatal(err)
	}
	o.client = b
	body, start, v, err := o.open(context.Background(), 10, `"older"`)
	if err != nil || start != 0 || v.Tag != `"v1"` || v.Size != int64(len(b.data)) {
		t.Errorf("changed object: from %d, %+v, %v", start, v, err)
	} else if head := make([]byte, 6); true {
		if _, err := io.ReadFull(body, head); err != nil || !bytes.Equal(head, []byte("review")) {
			t.Errorf("%q, %v", head, err)
		}
	}
	if _, err := run(Source{Location: "s3://bucket/none"}); err == nil || !strings.Contains(err.Error(), "server says 404") {
		t.Errorf("no such key: %v", err)
	}
}
