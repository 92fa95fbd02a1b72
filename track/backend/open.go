package backend

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/flowrepro/flow/track"
	"github.com/flowrepro/flow/track/mlflow"
	"github.com/flowrepro/flow/track/sqlite"
)

// TokenVariable names the variable that in turn names the one with a token: for
// services such as DAGsHub, which take a token as user and password.
const TokenVariable = "FLOW_MLFLOW_TOKEN_ENV"

// Options say which store to open.
type Options struct {
	// Root is the project's root, where the embedded store is.
	Root string
	// URI overrides MLFLOW_TRACKING_URI: http, https, or sqlite:///path.
	URI string
	// RegistryURI overrides MLFLOW_REGISTRY_URI.
	RegistryURI string
	// TokenEnv names the variable that holds a token; empty means what
	// TokenVariable says.
	TokenEnv string
	// Getenv looks up variables; nil is os.Getenv.
	Getenv func(string) string
	// Objects reaches artifacts in object storage; nil if there is no way.
	Objects track.Objects
	// UserAgent names the program to a server.
	UserAgent string
}

// Open returns the store.
func Open(o Options) (track.Store, error) {
	if o.Getenv == nil {
		o.Getenv = os.Getenv
	}
	uri := o.URI
	if uri == "" {
		uri = o.Getenv("MLFLOW_TRACKING_URI")
	}
	scheme, _, _ := strings.Cut(uri, ":")
	switch {
	case uri == "":
		return Embedded(o.Root)
	case scheme == "http" || scheme == "https":
		return server(o, uri)
	case scheme == "sqlite":
		file, err := sqliteFile(uri, o.Root)
		if err != nil {
			return nil, err
		}
		return sqlite.Open(sqlite.Options{File: file, Root: o.Root})
	}
	advice := "write http://…, https://… or sqlite:///mlflow.db, or leave it empty for the project's own store"
	if u, err := url.Parse(uri); err == nil {
		uri = u.Redacted()
	}
	return nil, &track.Error{Op: "open the tracking store", Err: fmt.Errorf("%w: '%s' is no address of one", track.ErrInvalid, uri), Advice: advice}
}

// Embedded returns the project's own store, whatever the environment says.
func Embedded(root string) (*sqlite.Store, error) {
	return sqlite.Open(sqlite.Options{File: filepath.Join(root, sqlite.FileName), Root: root})
}

func server(o Options, uri string) (track.Store, error) {
	if o.TokenEnv == "" {
		o.TokenEnv = o.Getenv(TokenVariable)
	}
	registry := o.RegistryURI
	mo, err := mlflow.FromEnvironment(func(name string) string {
		if name == "MLFLOW_TRACKING_URI" {
			return uri
		}
		return o.Getenv(name)
	}, o.TokenEnv)
	if err != nil {
		return nil, err
	}
	if registry != "" {
		mo.RegistryURI = registry
	}
	mo.Objects, mo.UserAgent = o.Objects, o.UserAgent
	return mlflow.New(mo)
}

// sqliteFile is the path in a URI as SQLAlchemy writes it: three slashes before
// a relative path, four before an absolute one.
func sqliteFile(uri, root string) (string, error) {
	rest, ok := strings.CutPrefix(uri, "sqlite:///")
	rest, _, _ = strings.Cut(rest, "?")
	if !ok || rest == "" {
		return "", &track.Error{Op: "open the tracking store", Err: errors.Join(track.ErrInvalid, fmt.Errorf("'%s' names no file", uri)),
			Advice: "write sqlite:///mlflow.db, or sqlite:////absolute/path"}
	}
	file := filepath.FromSlash(rest)
	if !filepath.IsAbs(file) {
		file = filepath.Join(root, file)
	}
	return file, nil
}
