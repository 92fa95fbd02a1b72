package s3

import (
	"bytes"
	"context"
	"crypto/md5" //nolint:gosec // S3's tags and key fingerprints are MD5
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/flowrepro/flow/remote"
)

// Store is a remote.Store in a bucket. It is safe for concurrent use.
type Store struct {
	o Options

	mu      sync.Mutex
	client  *s3.Client // nil until the first operation
	objects *objects   // with client
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
		if s.objects, err = s.newObjects(ctx, c); err != nil {
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

// beginObject is begin for an operation on one object.
func (s *Store) beginObject(ctx context.Context, op, name string) (*objects, error) {
	if _, err := s.begin(ctx, op, name); err != nil {
		return nil, err
	}
	return s.objects, nil
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
	return s.StatVersion(ctx, name, "")
}

// explain wraps an error of HEAD. Its answer has no body to say why it is
// refused; that of another request has.
func (s *Store) explain(ctx context.Context, x *objects, name, version string, err error) error {
	werr := s.wrap(ctx, "stat", name, err)
	if status, _ := answered(err); status != http.StatusForbidden && status != http.StatusBadRequest || remote.KindOf(werr) == remote.Skewed {
		return werr
	}
	answer, gerr := x.send(ctx, http.MethodGet, object{key: *s.key(name), version: version, span: "bytes=0-0"})
	if gerr != nil {
		if gerr = s.wrap(ctx, "stat", name, gerr); remote.KindOf(gerr) != remote.NotFound {
			return gerr
		}
		return werr
	}
	_ = answer.Body.Close() // it was only asked for to hear a refusal
	return werr
}

// Get implements remote.Store.
func (s *Store) Get(ctx context.Context, name string, r remote.Range) (io.ReadCloser, error) {
	return s.GetVersion(ctx, name, "", r)
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
	x, err := s.beginObject(ctx, "put", name)
	if err != nil {
		return err
	}
	if b.Size() > s.o.Threshold {
		return s.putParts(ctx, s.client, name, b)
	}
	// Reading it all, for the signature, comes before sending any of it.
	open, sum, err := digested(b)
	if err = errors.Join(err, b.Check()); err != nil {
		return &remote.Error{Op: "put", Name: name, Err: err}
	}
	return s.wrap(ctx, "put", name, x.put(ctx, *s.key(name), open, b.Size(), sum))
}

// inMemory is up to what size a body is read once, and not twice.
const inMemory = 1 << 20

// digested returns what opens the bytes of a body and their SHA-256 in hex.
// Those in memory are of a type that net/http knows: it sends them with the
// headers, where of other readers it sends the headers first, which costs both
// sides a system call more and the server a wait.
func digested(b remote.Body) (open func() io.ReadCloser, hash string, err error) {
	size := b.Size()
	if size > inMemory {
		sum := sha256.New()
		n, err := io.Copy(sum, io.NewSectionReader(b, 0, size))
		if err == nil && n != size {
			err = io.ErrUnexpectedEOF
		}
		return func() io.ReadCloser { return io.NopCloser(io.NewSectionReader(b, 0, size)) }, hex.EncodeToString(sum.Sum(nil)), err
	}
	data := make([]byte, size)
	n, err := b.ReadAt(data, 0)
	if n == len(data) {
		err = nil
	} else if err == nil || err == io.EOF { //nolint:errorlint // the end is io.EOF itself
		err = io.ErrUnexpectedEOF
	}
	sum := sha256.Sum256(data)
	return func() io.ReadCloser { return io.NopCloser(bytes.NewReader(data)) }, hex.EncodeToString(sum[:]), err
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

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
