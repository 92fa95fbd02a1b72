package s3_test

import (
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/flowrepro/flow/remote"
	"github.com/flowrepro/flow/remote/remotetest"
	"github.com/flowrepro/flow/remote/s3"
)

// TestMain keeps what the machine's user has for AWS out of the tests.
func TestMain(m *testing.M) {
	for _, name := range []string{
		"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION",
		"AWS_ENDPOINT_URL", "AWS_CA_BUNDLE", "HTTP_PROXY", "HTTPS_PROXY",
	} {
		os.Unsetenv(name)
	}
	os.Setenv("AWS_CONFIG_FILE", filepath.Join(os.TempDir(), "no-such-config"))
	os.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(os.TempDir(), "no-such-credentials"))
	os.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	os.Exit(m.Run())
}

func open(t testing.TB, url string, settings map[string]string) *s3.Store {
	t.Helper()
	o, err := s3.Parse(url, settings)
	if err != nil {
		t.Fatal(err)
	}
	s, err := s3.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStore(t *testing.T) {
	server := remotetest.StartS3(t)
	var n atomic.Int32
	remotetest.Store(t, func(t *testing.T) remote.Store {
		return open(t, fmt.Sprintf("s3://%s/some where/%d", remotetest.Bucket, n.Add(1)), server.Settings())
	})
}
