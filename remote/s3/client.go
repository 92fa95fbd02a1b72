package s3

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// connect makes the client: it finds credentials and region.
func (s *Store) connect(ctx context.Context) (*s3.Client, error) {
	o := &s.o
	load := []func(*config.LoadOptions) error{
		config.WithHTTPClient(httpClient(o)),
		// Attempts are remote.Retry's business.
		config.WithRetryer(func() aws.Retryer { return aws.NopRetryer{} }),
	}
	// As in DVC, the files of the remote count only where the environment
	// names none.
	if o.CredentialFile != "" && os.Getenv("AWS_SHARED_CREDENTIALS_FILE") == "" {
		load = append(load, config.WithSharedCredentialsFiles([]string{expand(o.CredentialFile)}))
	}
	if o.ConfigFile != "" && os.Getenv("AWS_CONFIG_FILE") == "" {
		load = append(load, config.WithSharedConfigFiles([]string{expand(o.ConfigFile)}))
	}
	if o.CAFile != "" {
		pem, err := os.ReadFile(o.CAFile)
		if err != nil {
			return nil, setup("read certificates: %w", err)
		}
		load = append(load, config.WithCustomCABundle(bytes.NewReader(pem)))
	}
	if o.Profile != "" {
		load = append(load, config.WithSharedConfigProfile(o.Profile))
	}
	if o.Region != "" {
		load = append(load, config.WithRegion(o.Region))
	}
	switch {
	case o.Anonymous:
		load = append(load, config.WithCredentialsProvider(aws.AnonymousCredentials{}))
	case o.AccessKeyID != "":
		load = append(load, config.WithCredentialsProvider(
			credentials.NewStaticCredentialsProvider(o.AccessKeyID, o.SecretAccessKey, o.SessionToken)))
	}
	cfg, err := config.LoadDefaultConfig(ctx, load...)
	if err != nil {
		return nil, setup("load the AWS configuration: %w", err)
	}
	s.tune()
	style := s.tuned.addressing
	guessed := cfg.Region == ""
	if guessed {
		cfg.Region = "us-east-1"
	}
	foreign := false
	client := s3.NewFromConfig(cfg, func(so *s3.Options) {
		if o.Endpoint != "" {
			so.BaseEndpoint = aws.String(o.Endpoint)
		}
		so.EndpointOptions.DisableHTTPS = o.NoTLS
		if foreign = so.BaseEndpoint != nil; foreign {
			// Other servers seldom have a name for each bucket, and not all
			// know Amazon's newer checksums.
			so.UsePathStyle = style != "virtual"
			so.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		} else {
			so.UsePathStyle = style == "path"
		}
		// What arrives is verified by its digest.
		so.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
		so.DisableLogOutputChecksumValidationSkipped = true
	})
	s.foreign = foreign
	if !guessed || foreign {
		return client, nil
	}
	if region := bucketRegion(ctx, client, o.Bucket); region != "" && region != cfg.Region {
		at := client.Options()
		at.Region = region
		return s3.New(at), nil
	}
	return client, nil
}

// bucketRegion asks where a bucket is; "" when nobody tells.
func bucketRegion(ctx context.Context, c *s3.Client, bucket string) string {
	out, err := c.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &bucket})
	if err == nil {
		return aws.ToString(out.BucketRegion)
	}
	_, header := answered(err)
	return header.Get("X-Amz-Bucket-Region")
}

// tune fills in what the profile says of transfers, then the defaults.
func (s *Store) tune() {
	o := &s.o
	profile := o.Profile
	for _, name := range []string{"AWS_PROFILE", "AWS_DEFAULT_PROFILE"} {
		if profile == "" {
			profile = os.Getenv(name)
		}
	}
	if profile == "" {
		profile = "default"
	}
	s.tuned = readTuning(configFile(o), profile)
	first := func(into *int64, values ...int64) {
		for _, v := range values {
			if *into <= 0 {
				*into = v
			}
		}
	}
	first(&o.PartSize, s.tuned.chunk, 16<<20)
	first(&o.Threshold, s.tuned.threshold, 32<<20)
	o.PartSize = min(max(o.PartSize, 5<<20), 5<<30) // what S3 allows
	if o.Abandoned == 0 {
		o.Abandoned = defaultAbandoned
	}
	if o.Parts <= 0 {
		o.Parts = s.tuned.requests
	}
	if o.Parts <= 0 {
		o.Parts = 5
	}
}

const defaultTimeout = time.Minute

// httpClient is the SDK's own, to which it can add the certificates that the
// environment names, with our connections.
func httpClient(o *Options) *awshttp.BuildableClient {
	connect, read := o.ConnectTimeout, o.ReadTimeout
	if connect == 0 {
		connect = defaultTimeout
	}
	if read == 0 {
		read = defaultTimeout
	}
	connections := o.Connections
	if connections == 0 {
		connections = 64
	}
	dialer := &net.Dialer{Timeout: connect}
	return awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		t.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			c, err := dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return &movingConn{c, read}, nil
		}
		if o.Insecure {
			if t.TLSClientConfig == nil {
				t.TLSClientConfig = new(tls.Config)
			}
			t.TLSClientConfig.InsecureSkipVerify = true //nolint:gosec // ssl_verify = false asks for it
		}
		t.TLSHandshakeTimeout = connect
		t.MaxIdleConns, t.MaxIdleConnsPerHost = connections, connections
		t.IdleConnTimeout = 30 * time.Second
		t.WriteBufferSize, t.ReadBufferSize = 64<<10, 64<<10
		t.DisableCompression = true
		t.ForceAttemptHTTP2 = false
	})
}

// movingConn is a connection that fails when nothing moves on it for a while,
// in whatever phase of a request.
type movingConn struct {
	net.Conn
	idle time.Duration
}

func (c *movingConn) Read(p []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(c.idle)); err != nil {
		return 0, err
	}
	n, err := c.Conn.Read(p)
	return n, c.explain(err)
}

func (c *movingConn) Write(p []byte) (int, error) {
	// Somebody is waiting for the response to what is being sent.
	if err := c.SetDeadline(time.Now().Add(c.idle)); err != nil {
		return 0, err
	}
	n, err := c.Conn.Write(p)
	return n, c.explain(err)
}

func (c *movingConn) explain(err error) error {
	var ne net.Error
	if errors.As(err, &ne) && ne.Timeout() {
		return &stalledError{c.idle}
	}
	return err
}

// stalledError says that a connection was given up. It is a net.Error.
type stalledError struct{ idle time.Duration }

func (e *stalledError) Error() string {
	return fmt.Sprintf("nothing moved on the connection for %s", e.idle)
}
func (e *stalledError) Timeout() bool   { return true }
func (e *stalledError) Temporary() bool { return true }
