package mlflow

import (
	"bufio"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/flowrepro/flow/track"
)

// Options say where a server is and how to talk to it. FromEnvironment fills
// them.
type Options struct {
	// TrackingURI and RegistryURI are http or https addresses, with the path
	// that the server's routes are below. RegistryURI is TrackingURI when empty.
	// A user and password in the address are credentials.
	TrackingURI, RegistryURI string

	// Username and Password are basic authentication; both or none.
	Username, Password string
	// Token is sent as a bearer token when there is no user.
	Token string

	// Insecure accepts any certificate. CAFile verifies by these certificates
	// in PEM form; ClientCert is a PEM file of the client's certificate and key.
	Insecure           bool
	CAFile, ClientCert string
	// Workspace selects one in servers that have several.
	Workspace string

	// Retries bounds the repetitions of a request; Backoff is the first pause,
	// which doubles. Timeout bounds a request other than the transfer of an
	// artifact.
	Retries int
	Backoff time.Duration
	Timeout time.Duration

	// Objects reaches artifact roots in object storage; nil if there is no way.
	// Writing needs track.ObjectWriter.
	Objects track.Objects
	// UserAgent names the program to the server.
	UserAgent string
}

// The defaults, and the bounds of what the environment may ask for.
const (
	defaultRetries = 5
	maxRetries     = 10
	defaultBackoff = 500 * time.Millisecond
	maxBackoff     = 30 * time.Second
	defaultTimeout = 120 * time.Second
)

// DefaultTokenVariables name the variables that hold a token by the end of a
// host's name.
var DefaultTokenVariables = map[string]string{"dagshub.com": "DAGSHUB_USER_TOKEN"}

// FromEnvironment fills the options from the variables of MLflow's client.
// tokenVariable names one more, whose value is both user and password, as
// DAGsHub takes a token; it counts when MLFLOW_TRACKING_USERNAME and
// MLFLOW_TRACKING_PASSWORD are not both known.
func FromEnvironment(getenv func(string) string, tokenVariable string) (Options, error) {
	o := Options{
		TrackingURI: getenv("MLFLOW_TRACKING_URI"), RegistryURI: getenv("MLFLOW_REGISTRY_URI"),
		Username: getenv("MLFLOW_TRACKING_USERNAME"), Password: getenv("MLFLOW_TRACKING_PASSWORD"),
		Token: getenv("MLFLOW_TRACKING_TOKEN"), Workspace: getenv("MLFLOW_WORKSPACE"),
		CAFile: getenv("MLFLOW_TRACKING_SERVER_CERT_PATH"), ClientCert: getenv("MLFLOW_TRACKING_CLIENT_CERT_PATH"),
		Retries: defaultRetries, Backoff: defaultBackoff, Timeout: defaultTimeout,
	}
	insecure := strings.ToLower(getenv("MLFLOW_TRACKING_INSECURE_TLS"))
	o.Insecure = insecure == "true" || insecure == "1"
	if o.Insecure && o.CAFile != "" {
		return o, settingError("MLFLOW_TRACKING_INSECURE_TLS", "it excludes MLFLOW_TRACKING_SERVER_CERT_PATH")
	}
	for _, name := range []string{"MLFLOW_TRACKING_AWS_SIGV4", "MLFLOW_TRACKING_AUTH"} {
		if v := getenv(name); v != "" && !strings.EqualFold(v, "false") {
			return o, settingError(name, "flow has basic authentication and bearer tokens only")
		}
	}
	if v := getenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 0 || n > maxRetries {
			return o, settingError("MLFLOW_HTTP_REQUEST_MAX_RETRIES", fmt.Sprintf("want a number from 0 to %d, have '%s'", maxRetries, v))
		}
		o.Retries = n
	}
	if v := getenv("MLFLOW_HTTP_REQUEST_TIMEOUT"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 {
			return o, settingError("MLFLOW_HTTP_REQUEST_TIMEOUT", fmt.Sprintf("want a number of seconds, have '%s'", v))
		}
		o.Timeout = time.Duration(n) * time.Second
	}
	if o.Username == "" || o.Password == "" {
		o.credentialsFile(getenv)
	}
	if o.Username == "" || o.Password == "" {
		o.Username, o.Password = "", ""
		if tokenVariable == "" && o.Token == "" {
			tokenVariable = defaultTokenVariable(o.TrackingURI)
		}
		if token := getenv(tokenVariable); tokenVariable != "" && token != "" {
			o.Username, o.Password = token, token
		}
	}
	return o, nil
}

func defaultTokenVariable(uri string) string {
	u, err := url.Parse(uri)
	if err != nil {
		return ""
	}
	for host, name := range DefaultTokenVariables {
		if h := u.Hostname(); h == host || strings.HasSuffix(h, "."+host) {
			return name
		}
	}
	return ""
}

func settingError(name, problem string) error {
	return &track.Error{Op: "read " + name, Err: fmt.Errorf("%w: %s", track.ErrInvalid, problem)}
}

// credentialsFile reads what the environment leaves open from the section
// [mlflow] of ~/.mlflow/credentials.
func (o *Options) credentialsFile(getenv func(string) string) {
	home := getenv("HOME")
	if home == "" {
		home, _ = os.UserHomeDir() // without one there is no file
	}
	f, err := os.Open(filepath.Join(home, ".mlflow", "credentials"))
	if err != nil {
		return
	}
	defer f.Close()
	inside := false
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line := strings.TrimSpace(lines.Text())
		if strings.HasPrefix(line, "[") {
			inside = strings.EqualFold(line, "[mlflow]")
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if !ok || !inside || strings.HasPrefix(line, "#") || strings.HasPrefix(line, ";") {
			continue
		}
		value = strings.TrimSpace(value)
		switch strings.ToLower(strings.TrimSpace(key)) {
		case "mlflow_tracking_username":
			if o.Username == "" {
				o.Username = value
			}
		case "mlflow_tracking_password":
			if o.Password == "" {
				o.Password = value
			}
		}
	}
}
