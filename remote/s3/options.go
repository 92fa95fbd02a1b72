package s3

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"os"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/flowrepro/flow/remote"
)

// Options say where a store is and how to reach it. Only Bucket is required.
type Options struct {
	Bucket string
	// Prefix is what all names in the bucket begin with, without slashes
	// around it.
	Prefix string

	// Endpoint is the URL of another server than Amazon's.
	Endpoint string
	Region   string
	// NoTLS uses HTTP where the endpoint leaves it open.
	NoTLS bool
	// Insecure does not verify the server's certificate; CAFile holds the
	// certificates to verify it with.
	Insecure bool
	CAFile   string
	// ConnectTimeout bounds making a connection, ReadTimeout the time on a
	// connection without a byte moving. 0 means a minute.
	ConnectTimeout, ReadTimeout time.Duration

	// Profile chooses one from the shared files, which are CredentialFile and
	// ConfigFile unless the environment names others.
	Profile                    string
	CredentialFile, ConfigFile string
	// The keys come before everything else.
	AccessKeyID, SecretAccessKey, SessionToken string
	// Anonymous does not sign requests.
	Anonymous bool

	// SSE is AES256 or aws:kms, with SSEKMSKeyID. The customer's key is raw.
	SSE, SSEKMSKeyID                string
	SSECustomerKey                  []byte
	SSECustomerAlgorithm            string
	ACL                             string
	GrantRead, GrantReadACP         string
	GrantWriteACP, GrantFullControl string

	// PartSize is that of the parts of a multipart upload, which begins above
	// Threshold; Parts is how many are sent at once. 0 means 16 MiB, 32 MiB and
	// 5, or what the profile says.
	PartSize, Threshold int64
	Parts               int
	// Abandoned is how long nothing must have come for an upload to be taken for
	// interrupted, and gone on with: two processes that send the same object must
	// not share one. 0 means 10 s.
	Abandoned time.Duration
	// Connections is how many are kept open; 0 means 64.
	Connections int
	// Retry is for the parts of uploads; nil means the default.
	Retry *remote.Retrier
}

// Parse reads a URL, s3://bucket/prefix, and the settings of a remote, whose
// keys are DVC's. Keys that are not about S3 are passed over.
func Parse(address string, settings map[string]string) (Options, error) {
	o := Options{}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "s3" || u.Host == "" {
		return o, setup("'%s' is no URL of a bucket such as s3://bucket/path", address)
	}
	// The path is taken from the text: a name may hold what a URL would escape.
	rest := strings.TrimPrefix(address, "s3://")
	bucket, prefix, _ := strings.Cut(rest, "/")
	o.Bucket = bucket
	if o.Prefix = strings.Trim(path.Clean("/"+prefix), "/"); o.Prefix == "." {
		o.Prefix = ""
	}
	text := func(key string) string { return settings[key] }
	flag := func(key string, def bool) bool {
		if v, ok := settings[key]; ok {
			return strings.EqualFold(v, "true")
		}
		return def
	}
	o.Endpoint, o.Region, o.Profile = text("endpointurl"), text("region"), text("profile")
	o.CredentialFile, o.ConfigFile = text("credentialpath"), text("configpath")
	o.AccessKeyID, o.SecretAccessKey, o.SessionToken = text("access_key_id"), text("secret_access_key"), text("session_token")
	o.Anonymous, o.NoTLS = flag("allow_anonymous_login", false), !flag("use_ssl", true)
	switch v := text("ssl_verify"); strings.ToLower(v) {
	case "", "true":
	case "false":
		o.Insecure = true
	default:
		o.CAFile = expand(v)
	}
	for key, into := range map[string]*time.Duration{"connect_timeout": &o.ConnectTimeout, "read_timeout": &o.ReadTimeout} {
		if v := text(key); v != "" {
			n, err := strconv.Atoi(strings.TrimSpace(v))
			if err != nil || n <= 0 {
				return o, setup("%s = %s: must be a number of seconds", key, v)
			}
			*into = time.Duration(n) * time.Second
		}
	}
	o.SSE, o.SSEKMSKeyID, o.ACL = text("sse"), text("sse_kms_key_id"), text("acl")
	o.GrantRead, o.GrantReadACP = text("grant_read"), text("grant_read_acp")
	o.GrantWriteACP, o.GrantFullControl = text("grant_write_acp"), text("grant_full_control")
	if v := text("sse_customer_key"); v != "" {
		if o.SSECustomerKey, err = base64.StdEncoding.DecodeString(v); err != nil {
			return o, setup("sse_customer_key: must be in base64: %v", err)
		}
		if o.SSECustomerAlgorithm = text("sse_customer_algorithm"); o.SSECustomerAlgorithm == "" {
			o.SSECustomerAlgorithm = "AES256"
		}
	}
	return o, o.check()
}

// check refuses settings that exclude each other, as DVC does.
func (o *Options) check() error {
	if o.SSEKMSKeyID != "" && o.SSECustomerKey != nil {
		return setup("`sse_kms_key_id` and `sse_customer_key` AWS S3 config options are mutually exclusive")
	}
	if o.ACL != "" && o.GrantRead+o.GrantReadACP+o.GrantWriteACP+o.GrantFullControl != "" {
		return setup("`acl` and `grant_*` AWS S3 config options are mutually exclusive")
	}
	if (o.AccessKeyID == "") != (o.SecretAccessKey == "") {
		return setup("access_key_id and secret_access_key must be given together")
	}
	if o.Endpoint != "" {
		scheme := "https://"
		if o.NoTLS {
			scheme = "http://"
		}
		if !strings.Contains(o.Endpoint, "://") {
			o.Endpoint = scheme + o.Endpoint
		}
		if u, err := url.Parse(o.Endpoint); err != nil || u.Host == "" {
			return setup("endpointurl '%s' is no URL", o.Endpoint)
		}
	}
	return nil
}

func setup(format string, args ...any) error {
	return &remote.Error{Op: "open remote", Kind: remote.Setup, Err: fmt.Errorf(format, args...)}
}

// expand replaces a leading "~/".
func expand(p string) string {
	if rest, ok := strings.CutPrefix(p, "~/"); ok {
		if home, err := os.UserHomeDir(); err == nil {
			return home + "/" + rest
		}
	}
	return p
}
