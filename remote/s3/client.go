package s3

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// connect makes the client: it finds credentials and region.
func (s *Store) connect(ctx context.Context) (*s3.Client, error) {
	o := &s.o
	hc, err := httpClient(o)
	if err != nil {
		return nil, err
	}
	load := []func(*config.LoadOptions) error{
		config.WithHTTPClient(hc),
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
	if r := httpResponse(err); r != nil {
		return r.Header.Get("X-Amz-Bucket-Region")
	}
	return ""
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
	if o.Parts <= 0 {
		o.Parts = s.tuned.requests
	}
	if o.Parts <= 0 {
		o.Parts = 5
	}
}

const defaultTimeout = time.Minute

func httpClient(o *Options) (*http.Client, error) {
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
	secure := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: o.Insecure} //nolint:gosec // ssl_verify = false asks for it
	bundle := o.CAFile
	for _, name := range []string{"AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"} {
		if bundle == "" {
			bundle = os.Getenv(name)
		}
	}
	if bundle != "" && !o.Insecure {
		pem, err := os.ReadFile(bundle)
		if err != nil {
			return nil, setup("read certificates: %w", err)
		}
		secure.RootCAs = x509.NewCertPool()
		if !secure.RootCAs.AppendCertsFromPEM(pem) {
			return nil, setup("'%s' holds no certificates", bundle)
		}
	}
	dialer := &net.Dialer{Timeout: connect}
	return &http.Client{
		// A redirect would lose the signature; the server's word about the
		// region is read from the response.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment,
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				c, err := dialer.DialContext(ctx, network, address)
				if err != nil {
					return nil, err
				}
				return &movingConn{c, read}, nil
			},
			TLSClientConfig:     secure,
			TLSHandshakeTimeout: connect,
			MaxIdleConns:        connections,
			MaxIdleConnsPerHost: connections,
			IdleConnTimeout:     30 * time.Second,
			WriteBufferSize:     64 << 10,
			ReadBufferSize:      64 << 10,
			DisableCompression:  true,
		},
	}, nil
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
