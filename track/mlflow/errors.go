package mlflow

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/flowrepro/flow/track"
)

// statusError is an answer other than success.
type statusError struct {
	method, url string
	code        int
	// errorCode and message are MLflow's; both are empty when the answer is not
	// one of its API.
	errorCode, message string
	after              time.Duration
	// foreign is the text of another answer.
	foreign string
}

func newStatusError(req *http.Request, res *http.Response, body []byte) *statusError {
	e := &statusError{method: req.Method, url: req.URL.Redacted(), code: res.StatusCode, after: retryAfter(res.Header, time.Now())}
	var known struct {
		ErrorCode string `json:"error_code"`
		Message   string `json:"message"`
	}
	if json.Unmarshal(body, &known) == nil && known.ErrorCode != "" {
		e.errorCode, e.message = known.ErrorCode, known.Message
		return e
	}
	if !bytes.Contains(bytes.ToLower(body[:min(len(body), 512)]), []byte("<html")) && !bytes.HasPrefix(bytes.TrimSpace(body), []byte("<")) {
		e.foreign = oneLine(string(body))
	}
	return e
}

func (e *statusError) Error() string {
	switch {
	case e.errorCode == "RESOURCE_ALREADY_EXISTS":
		return "it exists already" // the message is the database's
	case e.errorCode != "":
		return fmt.Sprintf("%s (%s)", oneLine(e.message), e.errorCode)
	case e.foreign != "":
		return fmt.Sprintf("status %d: %s", e.code, e.foreign)
	}
	return fmt.Sprintf("status %d %s", e.code, http.StatusText(e.code))
}

// oneLine is the start of a message from elsewhere, without control characters.
func oneLine(text string) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, text)
	text, _, _ = strings.Cut(text, "[SQL:") // servers hand on what their database says
	text = strings.Join(strings.Fields(text), " ")
	if short := track.Shorten(text, 300); short != text {
		return short + "…"
	}
	return text
}

// noRoute reports that the server does not have the route at all.
func (e *statusError) noRoute() bool {
	return e.errorCode == "ENDPOINT_NOT_FOUND" || e.errorCode == "" && (e.code == http.StatusNotFound || e.code == http.StatusMethodNotAllowed)
}

// kind maps MLflow's code, or else the status, to one of track's kinds.
func (e *statusError) kind() error {
	switch e.errorCode {
	case "RESOURCE_DOES_NOT_EXIST", "NOT_FOUND":
		return track.ErrNotFound
	case "INVALID_PARAMETER_VALUE", "BAD_REQUEST", "RESOURCE_ALREADY_EXISTS", "ALREADY_EXISTS", "INVALID_STATE", "MALFORMED_REQUEST":
		return track.ErrInvalid
	case "UNAUTHENTICATED", "CUSTOMER_UNAUTHORIZED", "PERMISSION_DENIED":
		return track.ErrDenied
	case "NOT_IMPLEMENTED", "FEATURE_DISABLED":
		return track.ErrUnsupported
	case "REQUEST_LIMIT_EXCEEDED", "RESOURCE_EXHAUSTED", "RESOURCE_CONFLICT", "ABORTED", "TEMPORARILY_UNAVAILABLE", "DEADLINE_EXCEEDED":
		return track.ErrUnavailable
	}
	switch {
	case e.noRoute():
		return track.ErrUnsupported
	case e.code == http.StatusUnauthorized, e.code == http.StatusForbidden:
		return track.ErrDenied
	case e.code == http.StatusRequestEntityTooLarge, e.code == http.StatusBadRequest:
		return track.ErrInvalid
	case e.code == http.StatusTooManyRequests, e.code == http.StatusRequestTimeout,
		e.code == http.StatusBadGateway, e.code == http.StatusServiceUnavailable, e.code == http.StatusGatewayTimeout:
		return track.ErrUnavailable
	}
	return nil
}

// final reports a failure of the network that will not go away by itself.
func final(err error) bool {
	var (
		unknown *tls.CertificateVerificationError
		host    x509.HostnameError
		record  tls.RecordHeaderError
		dns     *net.DNSError
	)
	return errors.Is(err, errRedirect) || errors.As(err, &unknown) || errors.As(err, &host) || errors.As(err, &record) ||
		errors.As(err, &dns) && dns.IsNotFound
}

// explain gives a failed request its kind and advice.
func (s *Store) explain(op string, err error) error {
	var status *statusError
	var transfer *transferError
	switch {
	case errors.As(err, &status):
		e := &track.Error{Op: op, Err: status, Advice: s.advice(status)}
		if k := status.kind(); k != nil {
			e.Err = &kindError{k, status}
		}
		return e
	case errors.As(err, &transfer):
		e := &track.Error{Op: op, Err: &kindError{track.ErrUnavailable, fmt.Errorf("%s: %w", s.Location(), err)}}
		var unknown *tls.CertificateVerificationError
		var record tls.RecordHeaderError
		switch {
		case errors.Is(err, errRedirect):
			e.Advice = "set MLFLOW_TRACKING_URI to the address that the server redirects to"
		case errors.As(err, &unknown):
			e.Advice = "give the server's certificates in MLFLOW_TRACKING_SERVER_CERT_PATH, or set MLFLOW_TRACKING_INSECURE_TLS=true"
		case errors.As(err, &record):
			e.Advice = "the server does not speak TLS: try http:// in MLFLOW_TRACKING_URI"
		default:
			e.Advice = "is the server running, and MLFLOW_TRACKING_URI its address?"
		}
		return e
	}
	return &track.Error{Op: op, Err: err}
}

// kindError gives an error a kind without changing its text.
type kindError struct{ kind, err error }

func (e *kindError) Error() string   { return e.err.Error() }
func (e *kindError) Unwrap() []error { return []error{e.kind, e.err} }

func (s *Store) advice(e *statusError) string {
	switch {
	case e.code == http.StatusForbidden && strings.Contains(e.foreign, "Invalid Host header"):
		return fmt.Sprintf("start the server with --allowed-hosts '%[1]s', or MLFLOW_SERVER_ALLOWED_HOSTS=%[1]s in its environment", s.tracking.base.Host)
	case e.code == http.StatusUnauthorized:
		return "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
	case e.kind() == track.ErrDenied: //nolint:errorlint // the kinds are plain values
		return "the credentials do not allow it: a token may be missing or only for reading"
	case e.code == http.StatusRequestEntityTooLarge:
		return "a gateway before the server limits the size of uploads"
	case e.noRoute():
		return "the server has no such route: MLFLOW_TRACKING_URI may lack its path (DAGsHub: https://dagshub.com/<owner>/<repo>.mlflow), or the server is too old"
	case e.code == http.StatusTooManyRequests && e.after > maxWait:
		return fmt.Sprintf("the server asks to wait %s", e.after)
	}
	return ""
}
