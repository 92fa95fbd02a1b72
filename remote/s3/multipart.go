package s3

import (
	"bytes"
	"context"
	"crypto/md5" //nolint:gosec // S3's tags are MD5
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/flowrepro/flow/remote"
)

// maxParts is how many parts S3 allows.
const maxParts = 10_000

// upload is a multipart upload in progress.
type upload struct {
	s    *Store
	c    *s3.Client
	name string
	id   string
	part int64 // bytes of all parts but the last
	// there are the parts that an earlier, interrupted upload left, by number.
	there map[int32]types.Part

	mu   sync.Mutex
	done []types.CompletedPart // by number - 1
}

// putParts sends a body in parts. They are read in order, by one goroutine, and
// sent by several, so that a body may compute its digest on the way.
func (s *Store) putParts(ctx context.Context, c *s3.Client, name string, b remote.Body) error {
	u := &upload{s: s, c: c, name: name, part: s.o.PartSize}
	for b.Size() > u.part*maxParts {
		u.part *= 2
	}
	n := int((b.Size() + u.part - 1) / u.part)
	u.done = make([]types.CompletedPart, n)
	if err := u.begin(ctx); err != nil {
		return err
	}
	err := u.send(ctx, b)
	if err == nil {
		if cerr := b.Check(); cerr != nil {
			u.abort(ctx)
			return &remote.Error{Op: "put", Name: name, Err: cerr}
		}
		return u.complete(ctx)
	}
	// What was sent stays for the next attempt, except when there can be none.
	switch remote.KindOf(err) {
	case remote.Unavailable, remote.Throttled, remote.Credentials, remote.Skewed:
	default:
		if ctx.Err() == nil {
			u.abort(ctx)
		}
	}
	return err
}

// begin finds an upload of the same name to go on with, or starts one.
func (u *upload) begin(ctx context.Context) error {
	if u.s.comparableTags() && u.find(ctx) {
		return nil
	}
	s := u.s
	in := &s3.CreateMultipartUploadInput{Bucket: &s.o.Bucket, Key: s.key(u.name)}
	in.SSECustomerAlgorithm, in.SSECustomerKey, in.SSECustomerKeyMD5 = s.customerKey()
	in.ServerSideEncryption, in.SSEKMSKeyId = types.ServerSideEncryption(s.o.SSE), optional(s.o.SSEKMSKeyID)
	in.ACL = types.ObjectCannedACL(s.o.ACL)
	in.GrantRead, in.GrantReadACP = optional(s.o.GrantRead), optional(s.o.GrantReadACP)
	in.GrantWriteACP, in.GrantFullControl = optional(s.o.GrantWriteACP), optional(s.o.GrantFullControl)
	return s.retry.Do(ctx, func() error {
		out, err := u.c.CreateMultipartUpload(ctx, in)
		if err != nil {
			return s.wrap(ctx, "put", u.name, err)
		}
		u.id = aws.ToString(out.UploadId)
		return nil
	})
}

// defaultAbandoned is Options.Abandoned unless it is set.
const defaultAbandoned = 10 * time.Second

// find looks for an abandoned upload of the name with parts of the same size.
// That it finds none costs only sending everything.
func (u *upload) find(ctx context.Context) bool {
	s := u.s
	out, err := u.c.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: &s.o.Bucket, Prefix: s.key(u.name)})
	if err != nil {
		return false
	}
	for _, m := range out.Uploads {
		if aws.ToString(m.Key) != *s.key(u.name) || time.Since(aws.ToTime(m.Initiated)) < s.o.Abandoned {
			continue
		}
		parts, ok := u.parts(ctx, m.UploadId)
		if ok && len(parts) > 0 {
			u.id, u.there = aws.ToString(m.UploadId), parts
			return true
		}
	}
	return false
}

// parts lists what an upload has; ok is false when its parts are of another
// size, or somebody is sending them now.
func (u *upload) parts(ctx context.Context, id *string) (map[int32]types.Part, bool) {
	s := u.s
	found := map[int32]types.Part{}
	in := &s3.ListPartsInput{Bucket: &s.o.Bucket, Key: s.key(u.name), UploadId: id}
	for range maxParts {
		out, err := u.c.ListParts(ctx, in)
		if err != nil {
			return nil, false
		}
		for _, p := range out.Parts {
			n := int(aws.ToInt32(p.PartNumber))
			if n < 1 || n > len(u.done) || n < len(u.done) && aws.ToInt64(p.Size) != u.part ||
				time.Since(aws.ToTime(p.LastModified)) < s.o.Abandoned {
				return nil, false
			}
			found[int32(n)] = p
		}
		next := aws.ToString(out.NextPartNumberMarker)
		if !aws.ToBool(out.IsTruncated) || next == "" || next == aws.ToString(in.PartNumberMarker) {
			return found, true
		}
		in.PartNumberMarker = &next
	}
	return nil, false
}

// send reads the parts and hands them to as many senders as there are buffers.
func (u *upload) send(ctx context.Context, b remote.Body) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	for i := range u.done {
		var buf []byte
		select {
		case buf = <-u.s.buffers:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			if buf != nil {
				u.s.buffers <- buf
			}
			break
		}
		offset := int64(i) * u.part
		size := min(u.part, b.Size()-offset)
		if int64(cap(buf)) < size {
			buf = make([]byte, u.part)
		}
		n, err := b.ReadAt(buf[:size], offset)
		if int64(n) == size {
			err = nil
		} else if err == nil || errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			u.s.buffers <- buf
			cancel(&remote.Error{Op: "put", Name: u.name, Err: err})
			break
		}
		wg.Go(func() {
			defer func() { u.s.buffers <- buf }()
			if err := u.sendPart(ctx, i, buf[:size]); err != nil {
				cancel(err)
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

// sendPart sends a part unless it is there. The server compares what arrives with
// the SHA-256 that is signed. Where nothing is signed, or a part may be there,
// the part's tag is compared here: computing it otherwise would cost more than
// all else that is done for a part.
func (u *upload) sendPart(ctx context.Context, i int, data []byte) error {
	s := u.s
	number := int32(i + 1)
	signed := s.objects.creds != nil
	p, there := u.there[number]
	tag := ""
	if there || !signed {
		tag = fmt.Sprintf("%x", md5.Sum(data)) //nolint:gosec // S3's tag
	}
	if there && aws.ToInt64(p.Size) == int64(len(data)) && trimTag(aws.ToString(p.ETag)) == tag {
		u.finish(i, p.ETag)
		return nil
	}
	in := &s3.UploadPartInput{
		Bucket: &s.o.Bucket, Key: s.key(u.name), UploadId: &u.id, PartNumber: &number,
		ContentLength: aws.Int64(int64(len(data))),
	}
	in.SSECustomerAlgorithm, in.SSECustomerKey, in.SSECustomerKeyMD5 = s.customerKey()
	if signed {
		sum := sha256.Sum256(data)
		ctx = v4.SetPayloadHash(ctx, hex.EncodeToString(sum[:]))
	}
	return s.retry.Do(ctx, func() error {
		in.Body = bytes.NewReader(data)
		out, err := u.c.UploadPart(ctx, in)
		if err != nil {
			return s.wrap(ctx, "put", u.name, err)
		}
		if got := trimTag(aws.ToString(out.ETag)); tag != "" && s.comparableTags() && isMD5(got) && got != tag {
			return &remote.Error{Op: "put", Name: u.name, Kind: remote.Unavailable,
				Err: fmt.Errorf("part %d arrived as %s, not %s", number, got, tag)}
		}
		u.finish(i, out.ETag)
		return nil
	})
}

func (u *upload) finish(i int, tag *string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.done[i] = types.CompletedPart{ETag: tag, PartNumber: aws.Int32(int32(i + 1))}
}

func trimTag(tag string) string { return strings.Trim(tag, `"`) }

// isMD5 reports whether a tag looks like one that can be compared.
func isMD5(tag string) bool {
	_, err := hex.DecodeString(tag)
	return err == nil && len(tag) == 2*md5.Size
}

// complete makes the parts an object, and sees that it is the one that was sent.
func (u *upload) complete(ctx context.Context) error {
	s := u.s
	in := &s3.CompleteMultipartUploadInput{
		Bucket: &s.o.Bucket, Key: s.key(u.name), UploadId: &u.id,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: u.done},
	}
	in.SSECustomerAlgorithm, in.SSECustomerKey, in.SSECustomerKeyMD5 = s.customerKey()
	var tag string
	err := s.retry.Do(ctx, func() error {
		out, err := u.c.CompleteMultipartUpload(ctx, in)
		if err != nil {
			err = s.wrap(ctx, "put", u.name, err)
			if remote.KindOf(err) != remote.NotFound {
				return err
			}
			// An attempt whose answer was lost may have done it.
			head, herr := u.c.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &s.o.Bucket, Key: s.key(u.name)})
			if herr != nil {
				return &remote.Error{Op: "put", Name: u.name, Kind: remote.Unavailable, Err: err}
			}
			tag = trimTag(aws.ToString(head.ETag))
			return nil
		}
		tag = trimTag(aws.ToString(out.ETag))
		return nil
	})
	if err != nil {
		return err
	}
	want, known := u.tag()
	digits, _, composed := strings.Cut(tag, "-")
	if !known || !s.comparableTags() || !composed || !isMD5(digits) || tag == want {
		return nil
	}
	// It must not stay under its good name.
	if rerr := s.Remove(ctx, u.name); rerr != nil {
		return errors.Join(&remote.Error{Op: "put", Name: u.name, Kind: remote.Corrupt, Err: errOther}, rerr)
	}
	return &remote.Error{Op: "put", Name: u.name, Kind: remote.Unavailable, Err: errOther}
}

// tag is that of the object that the parts make, if the tags of the parts tell.
func (u *upload) tag() (tag string, known bool) {
	whole := md5.New() //nolint:gosec // S3's tag
	for i := range u.done {
		part := trimTag(aws.ToString(u.done[i].ETag))
		if !isMD5(part) {
			return "", false
		}
		sum, _ := hex.DecodeString(part) // isMD5 has done it
		whole.Write(sum)
	}
	return fmt.Sprintf("%x-%d", whole.Sum(nil), len(u.done)), true
}

var errOther = errors.New("the server holds other bytes than were sent")

// abort gives up what was sent. That it fails costs space on the server only.
func (u *upload) abort(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	_, _ = u.c.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{
		Bucket: &u.s.o.Bucket, Key: u.s.key(u.name), UploadId: &u.id,
	})
}
