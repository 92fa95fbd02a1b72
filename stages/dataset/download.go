package dataset

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"github.com/flowrepro/flow/internal/atomicfile"
)

// object is one remote file.
type object interface {
	// open returns the bytes from offset on. With an offset it asks for those
	// of the version that tag names, and when there is another one by now it
	// returns that from its beginning: start says where the bytes begin.
	open(ctx context.Context, offset int64, tag string) (body io.ReadCloser, start int64, v version, err error)
}

// version says which bytes a remote file has.
type version struct {
	// Tag names them; "" when the server does not.
	Tag string `json:"tag"`
	// Size is their number, -1 when unknown.
	Size int64 `json:"size"`
}

// permanentError is one that another attempt would not mend.
type permanentError struct{ err error }

func (e *permanentError) Error() string { return e.err.Error() }
func (e *permanentError) Unwrap() error { return e.err }

// retries is how often a download is resumed without any byte having come,
// firstPause the time before the first of them, which doubles, and stall how
// long a server may send nothing. A transfer may take however long it takes.
const (
	retries    = 5
	firstPause = 250 * time.Millisecond
	stall      = time.Minute
)

// download fetches a remote file and verifies it. A download that was cut off,
// in this process or an earlier one, goes on where it stopped, as long as the
// server says that the file is still the same. The caller reads the file and
// then calls release, which removes it.
func download(ctx context.Context, s Source, progress func(done, total int64)) (file string, release func(), err error) {
	obj, err := openObject(s)
	if err != nil {
		return "", nil, err
	}
	dir, err := downloadDir()
	if err != nil {
		return "", nil, fmt.Errorf("download source %s: %w", redact(s.Location), err)
	}
	name := sha256.Sum256([]byte(s.Location))
	d := &transfer{source: s, object: obj, file: filepath.Join(dir, hex.EncodeToString(name[:16])), progress: progress}
	lock := flock.New(d.file + ".lock")
	if ok, err := lock.TryLockContext(ctx, 100*time.Millisecond); err != nil || !ok {
		return "", nil, fmt.Errorf("download source %s: lock: %w", redact(s.Location), err)
	}
	release = func() {
		d.remove()
		_ = lock.Unlock()
	}
	if err := d.run(ctx); err != nil {
		// What has come stays for the next attempt, if that can go on from it.
		if fi, statErr := os.Stat(d.file); statErr != nil || fi.Size() == 0 || d.version.Tag == "" {
			d.remove()
		}
		_ = lock.Unlock()
		return "", nil, err
	}
	return d.file, release, nil
}

// downloadDir is where downloads are while they are under way.
func downloadDir() (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		dir = os.TempDir()
	}
	dir = filepath.Join(dir, "flow", "downloads")
	return dir, os.MkdirAll(dir, 0o700)
}

type transfer struct {
	source   Source
	object   object
	file     string
	progress func(done, total int64)
	version  version
}

func (d *transfer) remove() {
	_ = os.Remove(d.file)
	_ = os.Remove(d.file + ".json")
}

func (d *transfer) run(ctx context.Context) error {
	resumed := d.restore() > 0
	for {
		if err := d.fetch(ctx); err != nil {
			var known *SourceError
			if errors.As(err, &known) || ctx.Err() != nil {
				return err
			}
			return fmt.Errorf("download source %s: %w", redact(d.source.Location), err)
		}
		if d.source.Checksum == "" {
			return nil
		}
		algorithm, digest, err := parseChecksum(d.source.Checksum)
		if err != nil {
			return err
		}
		have, err := fileChecksum(d.file, algorithm)
		if err != nil {
			return fmt.Errorf("verify source %s: %w", redact(d.source.Location), err)
		}
		if have == algorithm+":"+digest {
			return nil
		}
		d.remove()
		d.version = version{}
		if !resumed {
			return &ChecksumError{Location: redact(d.source.Location), Want: algorithm + ":" + digest, Have: have}
		}
		resumed = false // what an earlier process left may be at fault
	}
}

// restore looks for what an earlier process left, and returns its size.
func (d *transfer) restore() int64 {
	data, err := os.ReadFile(d.file + ".json")
	if err == nil {
		err = json.Unmarshal(data, &d.version)
	}
	fi, statErr := os.Stat(d.file)
	if err != nil || statErr != nil || d.version.Tag == "" {
		d.remove()
		d.version = version{}
		return 0
	}
	return fi.Size()
}

// fetch brings the file to its full size.
func (d *transfer) fetch(ctx context.Context) error {
	f, err := os.OpenFile(d.file, os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // a file of ours
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // closed below where it matters
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	for failures := 0; ; {
		before := size
		size, err = d.attempt(ctx, f, size)
		if err == nil {
			return f.Close()
		}
		var permanent *permanentError
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if errors.As(err, &permanent) {
			return permanent.err
		}
		if failures++; size > before {
			failures = 1
		}
		if failures > retries {
			return fmt.Errorf("given up after %d attempts: %w", failures, err)
		}
		select {
		case <-time.After(firstPause << (failures - 1)):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// attempt reads on from size and returns the new size; nil means all is there.
func (d *transfer) attempt(ctx context.Context, f *os.File, size int64) (int64, error) {
	if size > 0 && d.version.Tag == "" {
		size = 0 // nothing says that the rest belongs to the beginning
	}
	if size > 0 && size == d.version.Size {
		return size, nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	timer := time.AfterFunc(stall, cancel)
	defer timer.Stop()
	body, start, v, err := d.object.open(ctx, size, d.version.Tag)
	if err != nil {
		return size, err
	}
	defer body.Close() //nolint:errcheck // opened for reading
	if start != size && start != 0 {
		return size, &permanentError{fmt.Errorf("server sent bytes from %d on, asked for those from %d on", start, size)}
	}
	if limit := d.source.Limits.withDefaults().Bytes; v.Size > limit {
		return size, &permanentError{fmt.Errorf("file of %d bytes is larger than %d", v.Size, limit)}
	}
	if start < size || v != d.version {
		d.version = v
		if err := d.remember(); err != nil {
			return size, &permanentError{err}
		}
	}
	if err := f.Truncate(start); err != nil {
		return size, &permanentError{err}
	}
	if _, err := f.Seek(start, io.SeekStart); err != nil {
		return size, &permanentError{err}
	}
	return d.copy(ctx, f, body, start, func() { timer.Reset(stall) })
}

func (d *transfer) remember() error {
	if d.version.Tag == "" {
		return nil
	}
	data, err := json.Marshal(d.version)
	if err != nil {
		return err
	}
	return atomicfile.Write(d.file+".json", data, atomicfile.Options{})
}

func (d *transfer) copy(ctx context.Context, f *os.File, body io.Reader, size int64, alive func()) (int64, error) {
	limit := d.source.Limits.withDefaults().Bytes
	buf := make([]byte, 1<<18)
	for {
		if err := ctx.Err(); err != nil {
			return size, err
		}
		n, err := body.Read(buf)
		alive()
		if n > 0 {
			if _, err := f.Write(buf[:n]); err != nil {
				return size, &permanentError{err}
			}
			size += int64(n)
			d.progress(size, max(d.version.Size, 0))
		}
		switch {
		case size > limit:
			return size, &permanentError{fmt.Errorf("file is larger than %d bytes", limit)}
		case d.version.Size >= 0 && size > d.version.Size:
			return size, &permanentError{fmt.Errorf("server sent more than the %d bytes it announced", d.version.Size)}
		case errors.Is(err, io.EOF) && d.version.Size >= 0 && size < d.version.Size:
			return size, fmt.Errorf("cut off after %d of %d bytes", size, d.version.Size)
		case errors.Is(err, io.EOF):
			return size, nil
		case err != nil:
			return size, err
		}
	}
}

func openObject(s Source) (object, error) {
	if s.scheme() == "s3" {
		return newS3Object(s)
	}
	u, err := url.Parse(s.Location)
	if err != nil || u.Host == "" {
		return nil, s.fail("write it as https://HOST/PATH", "is no URL")
	}
	return &httpObject{source: s, url: u}, nil
}
