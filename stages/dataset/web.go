package dataset

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"time"
)

// WebFile is a file behind http:// or https://, whatever is in it. It may be used
// by several goroutines at once.
type WebFile struct{ source Source }

// NewWebFile returns the file at a URL. Nothing is asked before it is used. A URL
// with a password is refused, as [Load] refuses it.
func NewWebFile(location string) (*WebFile, error) {
	w := &WebFile{Source{Location: location, Limits: Limits{Bytes: math.MaxInt64}}}
	if u, err := url.Parse(location); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, w.source.fail("write it as https://HOST/PATH", "is no URL")
	}
	return w, w.source.Check()
}

// Stat asks which content the file has: the ETag, or else the Content-MD5, as the
// server writes it, "" when it tells neither, and the size in bytes, -1 when that
// is not told. Nothing is downloaded. It tries several times, and the error says
// what the server answered.
func (w *WebFile) Stat(ctx context.Context) (tag string, size int64, err error) {
	for attempt := 0; ; attempt++ {
		tag, size, err = w.stat(ctx)
		var permanent *permanentError
		switch {
		case err == nil, ctx.Err() != nil:
			return tag, size, err
		case errors.As(err, &permanent):
			return "", -1, permanent.err
		case attempt == retries:
			return "", -1, fmt.Errorf("ask %s: given up after %d attempts: %w", redact(w.source.Location), attempt+1, err)
		}
		select {
		case <-time.After(firstPause << attempt):
		case <-ctx.Done():
			return "", -1, ctx.Err()
		}
	}
}

func (w *WebFile) stat(ctx context.Context) (string, int64, error) {
	ctx, cancel := context.WithTimeout(ctx, stall)
	defer cancel()
	obj, err := openObject(w.source)
	if err != nil {
		return "", -1, &permanentError{err}
	}
	o, ok := obj.(*httpObject)
	if !ok {
		return "", -1, &permanentError{w.source.fail("write it as https://HOST/PATH", "is no URL")}
	}
	resp, err := o.ask(ctx, http.MethodHead, 0, "")
	if err == nil && (resp.StatusCode == http.StatusMethodNotAllowed || resp.StatusCode == http.StatusNotImplemented) {
		_ = resp.Body.Close()
		resp, err = o.ask(ctx, http.MethodGet, 0, "") // only the header is read
	}
	if err != nil {
		return "", -1, err
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return "", -1, o.refusal(resp)
	}
	tag := resp.Header.Get("ETag")
	if tag == "" {
		tag = resp.Header.Get("Content-MD5")
	}
	return tag, resp.ContentLength, nil
}

// Download brings the file and gives use its path, which is only good until use
// returns. What was cut off, in this process or an earlier one, is resumed as
// long as the server says that the file is the same. Progress is told the bytes
// that are there and all, 0 when that is unknown.
func (w *WebFile) Download(ctx context.Context, progress func(done, total int64), use func(file string) error) error {
	file, release, err := download(ctx, w.source, progress)
	if err != nil {
		return err
	}
	defer release()
	return use(file)
}
