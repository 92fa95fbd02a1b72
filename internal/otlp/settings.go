package otlp

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// defaultTimeout is that of a request, as the specification has it.
const defaultTimeout = 10 * time.Second

// settings are what the environment says about the exporter.
type settings struct {
	url     string
	headers http.Header
	timeout time.Duration // of a request
	gzip    bool
	tls     *tls.Config // nil for the system's
}

// environment reads variables.
type environment func(name string) string

// exporter returns the value of OTEL_EXPORTER_OTLP_TRACES_name, else that of
// OTEL_EXPORTER_OTLP_name, and the name of the variable.
func (get environment) exporter(name string) (value, variable string) {
	for _, variable = range []string{"OTEL_EXPORTER_OTLP_TRACES_" + name, "OTEL_EXPORTER_OTLP_" + name} {
		if value = strings.TrimSpace(get(variable)); value != "" {
			break
		}
	}
	return value, variable
}

// wanted reports whether traces are to be exported.
func (get environment) wanted() bool {
	endpoint, _ := get.exporter("ENDPOINT")
	return endpoint != "" && !strings.EqualFold(get("OTEL_SDK_DISABLED"), "true") && !strings.EqualFold(get("OTEL_TRACES_EXPORTER"), "none")
}

func (get environment) settings() (*settings, error) {
	s := &settings{headers: http.Header{}, timeout: defaultTimeout}
	if e := get("OTEL_TRACES_EXPORTER"); e != "" && !strings.EqualFold(e, "otlp") {
		return nil, fmt.Errorf("OTEL_TRACES_EXPORTER=%s: only otlp and none are there", e)
	}
	if p, name := get.exporter("PROTOCOL"); p != "" && p != "http/protobuf" {
		return nil, fmt.Errorf("%s=%s: only http/protobuf is there, which collectors take at port 4318", name, p)
	}
	endpoint, name := get.exporter("ENDPOINT")
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		// The address may have a password in it.
		return nil, fmt.Errorf("%s: want an address such as http://collector:4318", name)
	}
	if name == "OTEL_EXPORTER_OTLP_ENDPOINT" {
		u = u.JoinPath("v1/traces")
	} else if u.Path == "" {
		u.Path = "/"
	}
	s.url = u.String()

	list, name := get.exporter("HEADERS")
	for pair := range strings.SplitSeq(list, ",") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		key, value, ok := strings.Cut(pair, "=")
		value, err := url.PathUnescape(strings.TrimSpace(value))
		if key = strings.TrimSpace(key); !ok || err != nil || key == "" || strings.ContainsAny(key+value, "\r\n") {
			return nil, fmt.Errorf("%s: want name=value,…", name)
		}
		s.headers.Set(key, value)
	}
	if v, name := get.exporter("TIMEOUT"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n <= 0 {
			return nil, fmt.Errorf("%s=%s: want milliseconds", name, v)
		}
		s.timeout = time.Duration(n) * time.Millisecond
	}
	switch v, name := get.exporter("COMPRESSION"); v {
	case "", "none":
	case "gzip":
		s.gzip = true
	default:
		return nil, fmt.Errorf("%s=%s: want gzip or none", name, v)
	}
	s.tls, err = get.certificates()
	return s, err
}

// certificates reads those of the server and of the client.
func (get environment) certificates() (*tls.Config, error) {
	root, rootName := get.exporter("CERTIFICATE")
	certificate, certificateName := get.exporter("CLIENT_CERTIFICATE")
	key, keyName := get.exporter("CLIENT_KEY")
	if root == "" && certificate == "" && key == "" {
		return nil, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if root != "" {
		pem, err := os.ReadFile(root)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", rootName, err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s: no certificate in %s", rootName, root)
		}
	}
	if certificate != "" || key != "" {
		pair, err := tls.LoadX509KeyPair(certificate, key)
		if err != nil {
			return nil, fmt.Errorf("%s and %s: %w", certificateName, keyName, err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}
