package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/flowrepro/flow/remote"
)

// answered returns status and headers of the response that an error is about; the
// status is 0 if there was none.
func answered(err error) (status int, header http.Header) {
	var re *smithyhttp.ResponseError
	if errors.As(err, &re) && re.Response != nil && re.Response.Response != nil {
		return re.Response.StatusCode, re.Response.Header
	}
	return 0, nil
}

// wrap gives an error of the SDK its kind and a text of one line.
func (s *Store) wrap(ctx context.Context, op, name string, err error) error {
	if err == nil {
		return nil
	}
	var already *remote.Error
	if errors.As(err, &already) {
		return err
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	e := &remote.Error{Op: op, Name: name, Err: plain(err)}
	var api smithy.APIError
	status, header := answered(err)
	var signing *v4.SigningError
	switch {
	case errors.As(err, &api) && s.classify(e, api.ErrorCode()):
	case status != 0:
		e.Kind = kindOfStatus(status)
	case errors.As(err, &signing), strings.Contains(err.Error(), "get credentials"), strings.Contains(err.Error(), "get identity"):
		e.Kind = remote.Credentials
	case unreachable(err):
		e.Kind = remote.Unavailable
	}
	if status != 0 {
		e.Wait = retryAfter(header.Get("Retry-After"))
		if region := header.Get("X-Amz-Bucket-Region"); region != "" && status == http.StatusMovedPermanently {
			e.Kind, e.Err = remote.Setup, fmt.Errorf("the bucket is in the region %s: set the remote's region", region)
		}
	}
	return e
}

// classify sets the kind of an error by S3's code; false when the code says
// less than the status.
func (s *Store) classify(e *remote.Error, code string) bool {
	switch code {
	case "NoSuchKey", "NotFound", "NoSuchUpload", "NoSuchVersion":
		e.Kind = remote.NotFound
	case "NoSuchBucket":
		e.Kind, e.Err = remote.Setup, fmt.Errorf("bucket '%s' does not exist", s.o.Bucket)
	case "InvalidBucketName", "PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "MethodNotAllowed",
		"InvalidRequest", "InvalidArgument", "NotImplemented":
		e.Kind = remote.Setup
	case "AccessDenied", "AllAccessDisabled", "AccountProblem", "KMS.AccessDeniedException":
		e.Kind = remote.Denied
	case "ExpiredToken", "ExpiredTokenException", "InvalidAccessKeyId", "InvalidToken", "SignatureDoesNotMatch", "TokenRefreshRequired",
		"InvalidSecurity", "UnauthorizedAccess", "NotSignedUp":
		e.Kind = remote.Credentials
	case "RequestTimeTooSkewed", "RequestExpired":
		e.Kind = remote.Skewed
	case "SlowDown", "Throttling", "ThrottlingException", "ThrottledException", "RequestLimitExceeded", "TooManyRequests", "TooManyRequestsException",
		"BandwidthLimitExceeded", "RequestThrottled":
		e.Kind = remote.Throttled
	case "InternalError", "ServiceUnavailable", "RequestTimeout", "OperationAborted", "InternalServerError":
		e.Kind = remote.Unavailable
	case "ExistingObjectIsDirectory":
		// A server that keeps objects in files says so also when it loses the
		// directory of a new object to a removal at the same time, which passes.
		e.Kind = remote.Unavailable
	case "BadDigest", "InvalidDigest", "XAmzContentSHA256Mismatch", "XAmzContentChecksumMismatch", "IncompleteBody", "InvalidPart", "InvalidPartOrder":
		// Damaged on the way, and noticed.
		e.Kind = remote.Unavailable
	case "QuotaExceeded", "XMinioStorageFull", "InsufficientStorage", "InsufficientCapacity", "StorageFull":
		e.Kind = remote.Full
	default:
		return false
	}
	return true
}

func kindOfStatus(status int) remote.Kind {
	switch status {
	case http.StatusNotFound, http.StatusGone:
		return remote.NotFound
	case http.StatusUnauthorized:
		return remote.Credentials
	case http.StatusForbidden:
		return remote.Denied
	case http.StatusTooManyRequests:
		return remote.Throttled
	case http.StatusRequestTimeout:
		return remote.Unavailable
	case http.StatusInsufficientStorage:
		return remote.Full
	case http.StatusMovedPermanently, http.StatusTemporaryRedirect:
		return remote.Setup
	}
	if status >= 500 {
		return remote.Unavailable
	}
	return remote.Other
}

// retryAfter reads the header of that name: seconds or a date.
func retryAfter(value string) time.Duration {
	if value == "" {
		return 0
	}
	if n, err := strconv.Atoi(strings.TrimSpace(value)); err == nil {
		return max(time.Duration(n)*time.Second, 0)
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(time.Until(at), 0)
	}
	return 0
}

// unreachable reports whether the network is to blame.
func unreachable(err error) bool {
	var ne net.Error
	var sent *smithyhttp.RequestSendError
	var bad *smithy.DeserializationError
	return errors.As(err, &ne) || errors.As(err, &sent) || errors.As(err, &bad) ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF)
}

// plain shortens an error of the SDK, which tells of every layer it went
// through, to what people need.
func plain(err error) error {
	var api smithy.APIError
	if errors.As(err, &api) {
		text := api.ErrorCode()
		if m := api.ErrorMessage(); m != "" && m != text {
			text += ": " + strings.TrimSuffix(m, ".")
		}
		if text == "" || text == "UnknownError" || strings.HasPrefix(text, "UnknownError") {
			if status, _ := answered(err); status != 0 {
				text = statusText(status)
			}
		}
		return &shortError{text, err}
	}
	var sent *smithyhttp.RequestSendError
	if errors.As(err, &sent) {
		return &shortError{sent.Err.Error(), err}
	}
	if status, _ := answered(err); status != 0 {
		return &shortError{statusText(status), err}
	}
	return err
}

type shortError struct {
	text string
	err  error
}

func (e *shortError) Error() string { return e.text }
func (e *shortError) Unwrap() error { return e.err }

func statusText(status int) string { return fmt.Sprintf("%d %s", status, http.StatusText(status)) }
