package s3

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	smithyauth "github.com/aws/smithy-go/auth"
	"github.com/aws/smithy-go/encoding/httpbinding"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// objects sends the requests of which a transfer makes many: GET, HEAD and PUT of
// objects, and listings. The SDK assembles some forty layers anew for each request,
// which costs more than the server's work on a small object; here the endpoint
// and the headers are found once, and what is left is signing and sending. The
// client, its credentials and the signer are the SDK's. It is safe for
// concurrent use.
type objects struct {
	client  s3.HTTPClient
	base    url.URL                 // of the bucket
	creds   aws.CredentialsProvider // nil when requests are not signed
	signer  *v4.Signer
	region  string
	always  http.Header // of every request
	storing http.Header // of those that store, in addition
	// skew is how far the server's clock is ahead, as far as it matters.
	skew atomic.Int64
}

// newObjects resolves the endpoint that c uses for the bucket.
func (s *Store) newObjects(ctx context.Context, c *s3.Client) (*objects, error) {
	o := c.Options()
	params := s3.EndpointParameters{
		Bucket: &s.o.Bucket, Region: &o.Region, Endpoint: o.BaseEndpoint, ForcePathStyle: &o.UsePathStyle, Accelerate: &o.UseAccelerate,
		UseFIPS:                        aws.Bool(o.EndpointOptions.UseFIPSEndpoint == aws.FIPSEndpointStateEnabled),
		UseDualStack:                   aws.Bool(o.EndpointOptions.UseDualStackEndpoint == aws.DualStackEndpointStateEnabled),
		DisableMultiRegionAccessPoints: &o.DisableMultiRegionAccessPoints, UseArnRegion: &o.UseARNRegion,
		DisableS3ExpressSessionAuth: o.DisableS3ExpressSessionAuth,
	}
	at, err := o.EndpointResolverV2.ResolveEndpoint(ctx, params)
	if err != nil {
		return nil, setup("find the endpoint of bucket '%s': %w", s.o.Bucket, err)
	}
	x := &objects{
		client: o.HTTPClient, base: at.URI, creds: o.Credentials, region: o.Region,
		signer: v4.NewSigner(func(so *v4.SignerOptions) { so.DisableURIPathEscaping = true }), // S3's paths are escaped once
	}
	if o.EndpointOptions.DisableHTTPS {
		x.base.Scheme = "http"
	}
	x.base.Path = strings.TrimSuffix(x.base.Path, "/")
	if options, ok := smithyauth.GetAuthOptions(&at.Properties); ok && len(options) > 0 {
		sign := options[0]
		name, _ := smithyhttp.GetSigV4SigningName(&sign.SignerProperties)
		if sign.SchemeID != "sigv4" || name != "s3" {
			return nil, setup("bucket '%s': directory buckets and access points of several regions are not supported", s.o.Bucket)
		}
		if region, ok := smithyhttp.GetSigV4SigningRegion(&sign.SignerProperties); ok {
			x.region = region
		}
	}
	x.setHeaders(s)
	return x, nil
}

func (x *objects) setHeaders(s *Store) {
	add := func(h http.Header, name string, value *string) {
		if value != nil && *value != "" {
			h.Set(name, *value)
		}
	}
	x.always, x.storing = http.Header{}, http.Header{}
	algorithm, key, sum := s.customerKey()
	add(x.always, "X-Amz-Server-Side-Encryption-Customer-Algorithm", algorithm)
	add(x.always, "X-Amz-Server-Side-Encryption-Customer-Key", key)
	add(x.always, "X-Amz-Server-Side-Encryption-Customer-Key-Md5", sum)
	add(x.storing, "X-Amz-Server-Side-Encryption", &s.o.SSE)
	add(x.storing, "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id", &s.o.SSEKMSKeyID)
	add(x.storing, "X-Amz-Acl", &s.o.ACL)
	add(x.storing, "X-Amz-Grant-Read", &s.o.GrantRead)
	add(x.storing, "X-Amz-Grant-Read-Acp", &s.o.GrantReadACP)
	add(x.storing, "X-Amz-Grant-Write-Acp", &s.o.GrantWriteACP)
	add(x.storing, "X-Amz-Grant-Full-Control", &s.o.GrantFullControl)
}

// emptyHash is the SHA-256 of nothing.
const emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// waitAbove is from what size on the server is asked before a body is sent
// whether it takes it.
const waitAbove = 2 << 20

// object is what a request is for: the current version of an object unless one
// is named, the whole unless there is a span.
type object struct{ key, version, span string }

// send sends a request for an object. The answer is one of success, and its
// body is the caller's to close.
func (x *objects) send(ctx context.Context, method string, o object) (*http.Response, error) {
	r := x.request(ctx, method, o.key)
	if o.version != "" {
		r.URL.RawQuery = url.Values{"versionId": {o.version}}.Encode()
	}
	if o.span != "" {
		r.Header.Set("Range", o.span)
	}
	return x.do(r, emptyHash)
}

// put stores the size bytes that open yields each time, whose SHA-256 in hex is
// hash.
func (x *objects) put(ctx context.Context, key string, open func() io.ReadCloser, size int64, hash string) error {
	r := x.request(ctx, http.MethodPut, key)
	for name, values := range x.storing {
		r.Header[name] = values
	}
	r.Header["Content-Type"] = []string{"application/octet-stream"}
	if size > waitAbove {
		r.Header["Expect"] = []string{"100-continue"}
	}
	if r.ContentLength = size; size > 0 {
		r.GetBody = func() (io.ReadCloser, error) { return open(), nil }
		r.Body = open()
	}
	answer, err := x.do(r, hash)
	if err != nil {
		return err
	}
	discard(answer)
	return nil
}

// request is one for an object, or for the bucket when key is empty.
func (x *objects) request(ctx context.Context, method, key string) *http.Request {
	u := x.base
	u.RawPath = httpbinding.EscapePath(u.Path+"/"+key, false)
	u.Path += "/" + key
	r := &http.Request{Method: method, URL: &u, Host: u.Host, Header: make(http.Header, 8), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}
	for name, values := range x.always {
		r.Header[name] = values
	}
	return r.WithContext(ctx)
}

func (x *objects) do(r *http.Request, hash string) (*http.Response, error) {
	ctx := r.Context()
	r.Header["User-Agent"] = []string{"flow"}
	skew := time.Duration(x.skew.Load())
	if x.creds != nil {
		r.Header["X-Amz-Content-Sha256"] = []string{hash}
		c, err := x.creds.Retrieve(ctx)
		if err != nil {
			return nil, fmt.Errorf("get credentials: %w", err)
		}
		if err := x.signer.SignHTTP(ctx, c, r, hash, "s3", x.region, time.Now().Add(skew)); err != nil {
			return nil, &v4.SigningError{Err: err}
		}
	}
	answer, err := x.client.Do(r)
	if err != nil {
		return nil, &smithyhttp.RequestSendError{Err: err}
	}
	if answer.StatusCode/100 == 2 {
		return answer, nil
	}
	return nil, x.refused(answer, skew)
}

// discard reads a short rest of a body, so that the connection can be used again.
func discard(answer *http.Response) {
	_, _ = io.CopyN(io.Discard, answer.Body, 64<<10) // that it fails costs the connection
	_ = answer.Body.Close()
}

// skewAllowed is how far apart the clocks can be without the server minding;
// S3 allows 15 minutes, others less.
const skewAllowed = 4 * time.Minute

// refused makes an error of an answer, as the SDK would.
func (x *objects) refused(answer *http.Response, skew time.Duration) error {
	defer discard(answer)
	var said struct {
		Code    string
		Message string
	}
	// What is no XML leaves the status to tell.
	text, _ := io.ReadAll(io.LimitReader(answer.Body, 64<<10))
	_ = xml.NewDecoder(bytes.NewReader(text)).Decode(&said)
	if at, err := http.ParseTime(answer.Header.Get("Date")); err == nil && (answer.StatusCode == http.StatusForbidden || answer.StatusCode == http.StatusBadRequest) {
		// A request that was signed by the server's time was not refused for it.
		if ahead := time.Until(at); (ahead - skew).Abs() > skewAllowed {
			x.skew.Store(int64(ahead))
			if said.Code == "" {
				said.Code = "RequestTimeTooSkewed" // the answer to HEAD does not say
			}
		}
	}
	err := errors.New(statusText(answer.StatusCode))
	if said.Code != "" {
		err = &smithy.GenericAPIError{Code: said.Code, Message: said.Message}
	}
	return &smithyhttp.ResponseError{Response: &smithyhttp.Response{Response: answer}, Err: err}
}
