package mlflow

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/flowrepro/flow/track"
	"github.com/flowrepro/flow/track/internal/localfiles"
)

// Store is a client of a server. It is safe for concurrent use.
type Store struct {
	options  Options
	tracking *endpoint
	registry *endpoint
	http     *http.Client
	files    localfiles.Files

	mu sync.Mutex
	// noModels is set once the server turned out not to have the routes.
	noModels bool
}

// endpoint is a server's address with the credentials for it.
type endpoint struct {
	base               *url.URL // without user, without a slash at the end
	username, password string
	token              string
}

// New returns a client. It does not connect.
func New(o Options) (*Store, error) {
	if o.RegistryURI == "" {
		o.RegistryURI = o.TrackingURI
	}
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	if o.Backoff <= 0 {
		o.Backoff = defaultBackoff
	}
	if o.UserAgent == "" {
		o.UserAgent = "flow"
	}
	s := &Store{options: o}
	var err error
	if s.tracking, err = newEndpoint("MLFLOW_TRACKING_URI", o.TrackingURI, &o); err != nil {
		return nil, err
	}
	if s.registry, err = newEndpoint("MLFLOW_REGISTRY_URI", o.RegistryURI, &o); err != nil {
		return nil, err
	}
	transport, err := newTransport(&o)
	if err != nil {
		return nil, err
	}
	s.http = &http.Client{Transport: transport, CheckRedirect: s.redirect}
	return s, nil
}

func newEndpoint(setting, uri string, o *Options) (*endpoint, error) {
	u, err := url.Parse(uri)
	if err != nil {
		return nil, settingError(setting, "it is not a URL") // which may hold a password
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, settingError(setting, "'"+u.Redacted()+"' is not an http or https address")
	}
	e := &endpoint{base: u, username: o.Username, password: o.Password}
	if e.username == "" || e.password == "" {
		e.username = u.User.Username()
		e.password, _ = u.User.Password()
	}
	if e.username == "" {
		e.token = o.Token
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	u.Path = strings.TrimRight(u.Path, "/")
	u.RawPath = ""
	return e, nil
}

func newTransport(o *Options) (http.RoundTripper, error) {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = 8
	t.DialContext = (&net.Dialer{Timeout: 15 * time.Second, KeepAlive: 30 * time.Second}).DialContext
	t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: o.Insecure} //nolint:gosec // asked for
	if o.CAFile != "" {
		pem, err := os.ReadFile(o.CAFile)
		if err != nil {
			return nil, &track.Error{Op: "read certificates", Err: err}
		}
		t.TLSClientConfig.RootCAs = x509.NewCertPool()
		if !t.TLSClientConfig.RootCAs.AppendCertsFromPEM(pem) {
			return nil, settingError("MLFLOW_TRACKING_SERVER_CERT_PATH", "'"+o.CAFile+"' holds no certificate")
		}
	}
	if o.ClientCert != "" {
		cert, err := tls.LoadX509KeyPair(o.ClientCert, o.ClientCert)
		if err != nil {
			return nil, &track.Error{Op: "read MLFLOW_TRACKING_CLIENT_CERT_PATH", Err: err}
		}
		t.TLSClientConfig.Certificates = []tls.Certificate{cert}
	}
	return t, nil
}

// errRedirect says that a server wants to be talked to at another address.
var errRedirect = errors.New("the server redirects to another address")

// redirect follows redirects of reads. A write would be repeated as a read, and
// then look as if it had succeeded. On the way to another host, or from https
// to http, credentials stay behind.
func (s *Store) redirect(req *http.Request, via []*http.Request) error {
	first := via[0]
	switch {
	case len(via) > 5:
		return errors.New("more than 5 redirects")
	case first.Method != http.MethodGet:
		return fmt.Errorf("%w: %s://%s", errRedirect, req.URL.Scheme, req.URL.Host)
	case !sameOrigin(req.URL, first.URL):
		req.Header.Del("Authorization")
		req.Header.Del("Cookie")
		req.Header.Del("X-MLFLOW-WORKSPACE")
	}
	req.Header.Del("Referer")
	return nil
}

func sameOrigin(a, b *url.URL) bool { return a.Scheme == b.Scheme && strings.EqualFold(a.Host, b.Host) }

// endpointOf returns the endpoint whose credentials an address may have.
func (s *Store) endpointOf(u *url.URL) *endpoint {
	for _, e := range []*endpoint{s.tracking, s.registry} {
		if sameOrigin(e.base, u) {
			return e
		}
	}
	return nil
}

func (e *endpoint) authorize(req *http.Request) {
	switch {
	case e == nil:
	case e.username != "":
		req.SetBasicAuth(e.username, e.password)
	case e.token != "":
		req.Header.Set("Authorization", "Bearer "+e.token)
	}
}

// Location is the tracking server's address without credentials.
func (s *Store) Location() string { return s.tracking.base.String() }

// Close closes idle connections.
func (s *Store) Close() error {
	s.http.CloseIdleConnections()
	return nil
}

func (s *Store) flag(f *bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return *f
}

func (s *Store) setFlag(f *bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*f = true
}
