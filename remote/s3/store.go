package s3

import (
	"context"
	"crypto/md5" //nolint:gosec // S3's tags and key fingerprints are MD5
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/flowrepro/flow/remote"
)

// Store is a remote.Store in a bucket. It is safe for concurrent use.
type Store struct {
	o Options

	mu     sync.Mutex
	client *s3.Client // nil until the first operation
	// foreign is set for servers that are not Amazon's.
	foreign bool
	tuned   tuning
	buffers chan []byte // for parts: bounds their number and memory
	retry   *remote.Retrier
}

var _ remote.Store = (*Store)(nil)

// New returns a store. Nothing is read or asked before the first operation.
func New(o Options) (*Store, error) {
	if o.Bucket == "" {
		return nil, setup("no bucket")
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	s := &Store{o: o, retry: o.Retry}
	if s.retry == nil {
		s.retry = remote.NewRetrier(remote.RetryOptions{})
	}
	return s, nil
}

// String returns the URL.
func (s *Store) String() string { return "s3://" + strings.TrimSuffix(s.o.Bucket+"/"+s.o.Prefix, "/") }

// api returns the client, connecting on first use. A failed connection is
// tried again by the next operation.
func (s *Store) api(ctx context.Context) (*s3.Client, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.client == nil {
		c, err := s.connect(ctx)
		if err != nil {
			return nil, err
		}
		s.client = c
		s.buffers = make(chan []byte, s.o.Parts)
		for range s.o.Parts {
			s.buffers <- nil // allocated when first used
		}
	}
	return s.client, nil
}

// key is the object's name in the bucket.
func (s *Store) key(name string) *string {
	if s.o.Prefix != "" {
		name = s.o.Prefix + "/" + name
	}
	return &name
}

func (s *Store) begin(ctx context.Context, op, name string) (*s3.Client, error) {
	if err := remote.CheckName(op, name); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c, err := s.api(ctx)
	return c, s.wrap(ctx, op, name, err)
}

// customerKey returns the three fields of a customer's key, nil without one.
func (s *Store) customerKey() (algorithm, key, sum *string) {
	if s.o.SSECustomerKey == nil {
		return nil, nil, nil
	}
	digest := md5.Sum(s.o.SSECustomerKey) //nolint:gosec // as S3 asks for
	return &s.o.SSECustomerAlgorithm,
		aws.String(base64.StdEncoding.EncodeToString(s.o.SSECustomerKey)),
		aws.String(base64.StdEncoding.EncodeToString(digest[:]))
}

// comparable reports whether tags are MD5s of the content.
func (s *Store) comparableTags() bool {
	return s.o.SSECustomerKey == nil && !strings.HasPrefix(s.o.SSE, "aws:kms")
}

// Stat implements remote.Store.
func (s *Store) Stat(ctx context.Context, name string) (remote.Info, error) {
	c, err := s.begin(ctx, "stat", name)
	if err != nil {
		return remote.Info{}, err
	}
	in := &s3.HeadObjectInput{Bucket: &s.o.Bucket, Key: s.key(name)}
	in.SSECustomerAlgorithm, in.SSECustomerKey, in.SSECustomerKeyMD5 = s.customerKey()
	out, err := c.HeadObject(ctx, in)
	if err != nil {
		return remote.Info{}, s.explain(ctx, c, name, err)
	}
	return remote.Info{Name: name, Size: aws.ToInt64(out.ContentLength), Modified: aws.ToTime(out.LastModified), Tag: trimTag(out.ETag)}, nil
}

// explain wraps an error of HeadObject. Its answer has no body to say why it is
// refused; that of another request has.
func (s *Store) explain(ctx context.Context, c *s3.Client, name string, err error) error {
	if status, _ := answered(err); status != http.StatusForbidden && status != http.StatusBadRequest {
		return s.wrap(ctx, "stat", name, err)
	}
	in := &s3.GetObjectInput{Bucket: &s.o.Bucket, Key: s.key(name), Range: aws.String("bytes=0-0")}
	in.SSECustomerAlgorithm, in.SSECustomerKey, in.SSECustomerKeyMD5 = s.customerKey()
	out, gerr := c.GetObject(ctx, in)
	if gerr != nil {
		if werr := s.wrap(ctx, "stat", name, gerr); remote.KindOf(werr) != remote.NotFound {
			return werr
		}
		return s.wrap(ctx, "stat", name, err)
	}
	_ = out.Body.Close() // it was only asked for to hear a refusal
	return s.wrap(ctx, "stat", name, err)
}

// Get implements remote.Store.
func (s *Store) Get(ctx context.Context, name string, r remote.Range) (io.ReadCloser, error) {
	c, err := s.begin(ctx, "get", name)
	if err != nil {
		return nil, err
	}
	in := &s3.GetObjectInput{Bucket: &s.o.Bucket, Key: s.key(name)}
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

// body gives errors of reading their kinds.
type body struct {
	io.ReadCloser
	s    *Store
	ctx  context.Context
	name string
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == nil || err == io.EOF { //nolint:errorlint // the end is io.EOF itself
		return n, err
	}
	if b.ctx.Err() != nil {
		return n, b.ctx.Err()
	}
	return n, &remote.Error{Op: "get", Name: b.name, Kind: remote.Unavailable, Err: err}
}

// Put implements remote.Store.
func (s *Store) Put(ctx context.Context, name string, b remote.Body) error {
	c, err := s.begin(ctx, "put", name)
	if err != nil {
		return err
	}
	if b.Size() > s.o.Threshold {
		return s.putParts(ctx, c, name, b)
	}
	// Reading it all, for the signature, comes before sending any of it.
	sum := sha256.New()
	src := io.NewSectionReader(b, 0, b.Size())
	n, err := io.Copy(sum, src)
	if err == nil && n != b.Size() {
		err = io.ErrUnexpectedEOF
	}
	if err = errors.Join(err, b.Check()); err != nil {
		return &remote.Error{Op: "put", Name: name, Err: err}
	}
	if _, err := src.Seek(0, io.SeekStart); err != nil {
		return &remote.Error{Op: "put", Name: name, Err: err}
	}
	in := &s3.PutObjectInput{Bucket: &s.o.Bucket, Key: s.key(name), Body: src, ContentLength: &n}
	in.SSECustomerAlgorithm, in.SSECustomerKey, in.SSECustomerKeyMD5 = s.customerKey()
	in.ServerSideEncryption, in.SSEKMSKeyId = types.ServerSideEncryption(s.o.SSE), optional(s.o.SSEKMSKeyID)
	in.ACL = types.ObjectCannedACL(s.o.ACL)
	in.GrantRead, in.GrantReadACP = optional(s.o.GrantRead), optional(s.o.GrantReadACP)
	in.GrantWriteACP, in.GrantFullControl = optional(s.o.GrantWriteACP), optional(s.o.GrantFullControl)
	_, err = c.PutObject(v4.SetPayloadHash(ctx, hex.EncodeToString(sum.Sum(nil))), in)
	return s.wrap(ctx, "put", name, err)
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// List implements remote.Store.
func (s *Store) List(ctx context.Context, prefix string) iter.Seq2[remote.Info, error] {
	return func(yield func(remote.Info, error) bool) {
		c, err := s.api(ctx)
		if err != nil {
			yield(remote.Info{}, s.wrap(ctx, "list", prefix, err))
			return
		}
		own := *s.key("")
		in := &s3.ListObjectsV2Input{Bucket: &s.o.Bucket, Prefix: s.key(prefix)}
		for {
			page, err := c.ListObjectsV2(ctx, in)
			if err != nil {
				yield(remote.Info{}, s.wrap(ctx, "list", prefix, err))
				return
			}
			for _, o := range page.Contents {
				name, ok := strings.CutPrefix(aws.ToString(o.Key), own)
				if !ok || !strings.HasPrefix(name, prefix) || remote.CheckName("list", name) != nil {
					continue // a placeholder of a directory, or nothing of ours
				}
				if !yield(remote.Info{Name: name, Size: aws.ToInt64(o.Size), Modified: aws.ToTime(o.LastModified), Tag: trimTag(o.ETag)}, nil) {
					return
				}
			}
			next := aws.ToString(page.NextContinuationToken)
			if !aws.ToBool(page.IsTruncated) || next == "" {
				return
			}
			if next == aws.ToString(in.ContinuationToken) {
				yield(remote.Info{}, &remote.Error{Op: "list", Name: prefix, Kind: remote.Corrupt, Err: errEndless})
				return
			}
			in.ContinuationToken = &next
		}
	}
}

var errEndless = errors.New("the listing does not advance")

// removeBatch is how many names one request may delete.
const removeBatch = 1000

// Remove implements remote.Store.
func (s *Store) Remove(ctx context.Context, names ...string) error {
	for _, name := range names {
		if err := remote.CheckName("remove", name); err != nil {
			return err
		}
	}
	for len(names) > 0 {
		batch := names[:min(len(names), removeBatch)]
		names = names[len(batch):]
		if err := s.removeSome(ctx, batch); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) removeSome(ctx context.Context, names []string) error {
	c, err := s.begin(ctx, "remove", names[0])
	if err != nil {
		return err
	}
	if len(names) > 1 {
		ids := make([]types.ObjectIdentifier, len(names))
		for i, n := range names {
			ids[i].Key = s.key(n)
		}
		out, err := c.DeleteObjects(ctx, &s3.DeleteObjectsInput{
			Bucket: &s.o.Bucket, Delete: &types.Delete{Objects: ids, Quiet: aws.Bool(true)},
		})
		if err == nil && len(out.Errors) == 0 {
			return nil
		}
		werr := s.wrap(ctx, "remove", names[0], err)
		if err != nil && remote.KindOf(werr) != remote.Setup && remote.KindOf(werr) != remote.Other {
			return werr
		}
		// Some servers know only one at a time, or want another checksum; and
		// what failed in a batch tells its reason this way.
	}
	for _, n := range names {
		_, err := c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.o.Bucket, Key: s.key(n)})
		if err = s.wrap(ctx, "remove", n, err); err != nil && !errors.Is(err, remote.ErrNotFound) {
			return err
		}
	}
	return nil
}
