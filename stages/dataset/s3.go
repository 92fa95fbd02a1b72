package dataset

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// getter is the one call that is made of S3.
type getter interface {
	GetObject(ctx context.Context, in *s3.GetObjectInput, optFns ...func(*s3.Options)) (*s3.GetObjectOutput, error)
}

// s3Object is an object behind s3://BUCKET/KEY?endpoint=URL&region=NAME. The
// client is made when the object is first opened, from the environment and the
// files that the AWS tools use; both parameters may be left out.
type s3Object struct {
	source           Source
	bucket, key      string
	endpoint, region string
	client           getter
}

func newS3Object(s Source) (*s3Object, error) {
	u, err := url.Parse(s.Location)
	key := ""
	if err == nil {
		key = strings.TrimPrefix(u.Path, "/")
	}
	if err != nil || u.Host == "" || key == "" {
		return nil, s.fail("write it as s3://BUCKET/KEY", "is no address of an S3 object")
	}
	q := u.Query()
	for name := range q {
		if name != "endpoint" && name != "region" {
			return nil, s.fail("parameters: endpoint, region", "parameter %q is unknown", name)
		}
	}
	return &s3Object{source: s, bucket: u.Host, key: key, endpoint: q.Get("endpoint"), region: q.Get("region")}, nil
}

func (o *s3Object) connect(ctx context.Context) error {
	if o.client != nil {
		return nil
	}
	var options []func(*config.LoadOptions) error
	if o.region != "" {
		options = append(options, config.WithRegion(o.region))
	}
	// Retries are the download's business, which resumes.
	options = append(options, config.WithRetryMaxAttempts(1))
	c, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return fmt.Errorf("configure S3: %w", err)
	}
	o.client = s3.NewFromConfig(c, func(so *s3.Options) {
		if o.endpoint != "" {
			so.BaseEndpoint = aws.String(o.endpoint)
		}
		if so.BaseEndpoint != nil {
			// Servers other than Amazon's rarely have a name for each bucket.
			so.UsePathStyle = true
			if so.Region == "" {
				so.Region = "us-east-1"
			}
		}
		so.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
	})
	return nil
}

func (o *s3Object) open(ctx context.Context, offset int64, tag string) (io.ReadCloser, int64, version, error) {
	none := version{Size: -1}
	if err := o.connect(ctx); err != nil {
		return nil, 0, none, &permanentError{err}
	}
	in := &s3.GetObjectInput{Bucket: &o.bucket, Key: &o.key}
	if offset > 0 {
		in.Range = aws.String(fmt.Sprintf("bytes=%d-", offset))
		in.IfMatch = &tag
	}
	out, err := o.client.GetObject(ctx, in)
	if err != nil {
		var status *smithyhttp.ResponseError
		if offset > 0 && errors.As(err, &status) && (status.HTTPStatusCode() == 412 || status.HTTPStatusCode() == 416) {
			return o.open(ctx, 0, "") // another object by now
		}
		return nil, 0, none, o.refusal(err)
	}
	v := version{Tag: aws.ToString(out.ETag), Size: -1}
	if out.ContentLength != nil {
		v.Size = *out.ContentLength
	}
	if offset == 0 {
		return out.Body, 0, v, nil
	}
	start, size, ok := contentRange(aws.ToString(out.ContentRange))
	if !ok {
		return out.Body, 0, v, nil // the server does not know ranges
	}
	v.Size = size
	return out.Body, start, v, nil
}

// refusal tells errors that a further attempt may mend from others.
func (o *s3Object) refusal(err error) error {
	var api smithy.APIError
	var status *smithyhttp.ResponseError
	code := 0
	if errors.As(err, &status) {
		code = status.HTTPStatusCode()
	}
	if code == 0 || code == 429 || code >= 500 {
		var region *aws.MissingRegionError
		if errors.As(err, &region) || strings.Contains(err.Error(), "get identity: get credentials") || strings.Contains(err.Error(), "Invalid Configuration") {
			return &permanentError{o.source.fail("set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION, and AWS_ENDPOINT_URL for a server other than Amazon's; or AWS_PROFILE", "S3 is not configured: %v", err)}
		}
		return err
	}
	help := "see whether bucket and key are right"
	if code == 401 || code == 403 {
		help = "see whether AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, may read the object"
	}
	what := fmt.Sprintf("server says %d", code)
	if errors.As(err, &api) {
		what = fmt.Sprintf("server says %s", api.ErrorCode())
		if api.ErrorMessage() != "" {
			what += ": " + api.ErrorMessage()
		}
	}
	return &permanentError{o.source.fail(help, "%s", what)}
}
