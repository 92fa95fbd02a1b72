package s3

import (
	"context"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/flowrepro/flow/remote"
)

var _ remote.VersionReader = (*Store)(nil)

// StatVersion implements remote.VersionReader.
func (s *Store) StatVersion(ctx context.Context, name, version string) (remote.Info, error) {
	c, err := s.begin(ctx, "stat", name)
	if err != nil {
		return remote.Info{}, err
	}
	in := &s3.HeadObjectInput{Bucket: &s.o.Bucket, Key: s.key(name), VersionId: optional(version)}
	in.SSECustomerAlgorithm, in.SSECustomerKey, in.SSECustomerKeyMD5 = s.customerKey()
	out, err := c.HeadObject(ctx, in)
	if err != nil {
		return remote.Info{}, s.wrap(ctx, "stat", name, err)
	}
	return remote.Info{Name: name, Size: aws.ToInt64(out.ContentLength), Modified: aws.ToTime(out.LastModified)}, nil
}

// GetVersion implements remote.VersionReader.
func (s *Store) GetVersion(ctx context.Context, name, version string, r remote.Range) (io.ReadCloser, error) {
	c, err := s.begin(ctx, "get", name)
	if err != nil {
		return nil, err
	}
	in := &s3.GetObjectInput{Bucket: &s.o.Bucket, Key: s.key(name), VersionId: optional(version)}
	in.SSECustomerAlgorithm, in.SSECustomerKey, in.SSECustomerKeyMD5 = s.customerKey()
	switch {
	case r.Length > 0:
		in.Range = aws.String(fmt.Sprintf("bytes=%d-%d", r.Offset, r.Offset+r.Length-1))
	case r.Offset > 0:
		in.Range = aws.String(fmt.Sprintf("bytes=%d-", r.Offset))
	}
	out, err := c.GetObject(ctx, in)
	if err != nil {
		return nil, s.wrap(ctx, "get", name, err)
	}
	if in.Range != nil && aws.ToString(out.ContentRange) == "" {
		// A server that passes over the range sends everything.
		if _, err := io.CopyN(io.Discard, out.Body, r.Offset); err != nil {
			_ = out.Body.Close() // the first error is the one to tell
			return nil, s.wrap(ctx, "get", name, err)
		}
	}
	return &body{out.Body, s, ctx, name}, nil
}
