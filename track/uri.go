package track

import (
	"fmt"
	"path"
	"path/filepath"
	"strconv"
	"strings"
)

// ModelURI is the address of a model. The zero value addresses nothing.
//
//	models:/sentiment@production   what the alias points to
//	models:/sentiment/3            a version
//	models:/sentiment/Production   the newest version in a stage
//	models:/sentiment/latest       the newest version
//	models:/m-0123…                a model that MLflow 3 keeps by itself
//	runs:/0123…/model              an artifact of a run
//	s3://bucket/prefix             a directory in object storage
//	models/sentiment               a directory on this machine
//
// Exactly one of the fields that choose a version is set for a registered
// model.
type ModelURI struct {
	// Name is that of a registered model.
	Name    string
	Alias   string
	Version int
	Stage   string
	Latest  bool

	// ModelID is "m-" and 32 hex digits.
	ModelID string
	// RunID and Path address an artifact of a run.
	RunID, Path string
	// Remote is an address in object storage, as written.
	Remote string
	// Dir is a directory on this machine, as written.
	Dir string
}

// URIError is an address of a model that cannot be understood.
type URIError struct{ URI, Problem string }

func (e *URIError) Error() string { return fmt.Sprintf("model address '%s': %s", e.URI, e.Problem) }

// Is makes it an ErrInvalid.
func (e *URIError) Is(target error) bool { return target == ErrInvalid }

// Hint shows the forms there are.
func (e *URIError) Hint() string {
	return "write models:/name@alias, models:/name/3, models:/name/Production, models:/name/latest, runs:/id/path, s3://bucket/prefix or a directory"
}

// ParseModelURI reads the address of a model.
func ParseModelURI(text string) (ModelURI, error) {
	fail := func(format string, args ...any) (ModelURI, error) {
		return ModelURI{}, &URIError{text, fmt.Sprintf(format, args...)}
	}
	scheme, rest, found := strings.Cut(text, ":")
	if !found || len(scheme) == 1 { // C:\models is a directory
		if strings.TrimSpace(text) == "" {
			return fail("it is empty")
		}
		return ModelURI{Dir: text}, nil
	}
	switch strings.ToLower(scheme) {
	case "models":
		return parseRegistered(text, rest)
	case "runs":
		id, file, _ := strings.Cut(strings.TrimLeft(rest, "/"), "/")
		if strings.HasPrefix(rest, "//") || !strings.HasPrefix(rest, "/") {
			return fail("'runs:' is followed by one slash, a run and a path")
		}
		if id == "" || !madeOf(id, "-") {
			return fail("'%s' is not a run's id", id)
		}
		clean, err := CleanArtifactPath("read address", file)
		if err != nil {
			return fail("'%s' is not a plain relative path", file)
		}
		return ModelURI{RunID: id, Path: clean}, nil
	case "s3":
		if !strings.HasPrefix(rest, "//") || strings.Trim(rest, "/") == "" {
			return fail("it has no bucket")
		}
		return ModelURI{Remote: text}, nil
	case "file":
		dir, err := filePath(text)
		if err != nil {
			return fail("%v", err)
		}
		if strings.TrimSpace(dir) == "" {
			return fail("it has no path")
		}
		return ModelURI{Dir: dir}, nil
	}
	return fail("unknown scheme '%s'", scheme)
}

func parseRegistered(text, rest string) (ModelURI, error) {
	fail := func(format string, args ...any) (ModelURI, error) {
		return ModelURI{}, &URIError{text, fmt.Sprintf(format, args...)}
	}
	if !strings.HasPrefix(rest, "/") || strings.HasPrefix(rest, "//") {
		return fail("'models:' is followed by one slash and a name")
	}
	rest = rest[1:]
	const op = "read address"
	if name, alias, ok := strings.Cut(rest, "@"); ok {
		if err := CheckModelName(op, name); err != nil {
			return fail("'%s' is not the name of a model", name)
		}
		if err := CheckAlias(op, alias); err != nil {
			return fail("'%s' is not an alias", alias)
		}
		return ModelURI{Name: name, Alias: alias}, nil
	}
	name, which, ok := strings.Cut(rest, "/")
	if !ok && isModelID(rest) {
		return ModelURI{ModelID: rest}, nil
	}
	if err := CheckModelName(op, name); err != nil {
		return fail("'%s' is not the name of a model", name)
	}
	u := ModelURI{Name: name}
	stage, isStage := ParseStage(which)
	switch {
	case which == "":
		return fail("it names no version, alias or stage")
	case strings.EqualFold(which, "latest"):
		u.Latest = true
	case isStage:
		u.Stage = stage
	default:
		n, err := strconv.Atoi(which)
		if err != nil || n < 1 || which[0] == '+' {
			return fail("'%s' is neither a version nor a stage", which)
		}
		u.Version = n
	}
	return u, nil
}

func isModelID(text string) bool {
	return len(text) == 34 && strings.HasPrefix(text, "m-") && strings.Trim(text[2:], "0123456789abcdef") == ""
}

// String writes the address in a form that ParseModelURI reads.
func (u ModelURI) String() string {
	switch {
	case u.ModelID != "":
		return "models:/" + u.ModelID
	case u.Alias != "":
		return "models:/" + u.Name + "@" + u.Alias
	case u.Version != 0:
		return "models:/" + u.Name + "/" + strconv.Itoa(u.Version)
	case u.Stage != "":
		return "models:/" + u.Name + "/" + u.Stage
	case u.Latest:
		return "models:/" + u.Name + "/latest"
	case u.RunID != "":
		return "runs:/" + path.Join(u.RunID, u.Path)
	case u.Remote != "":
		return u.Remote
	}
	return u.Dir
}

// Registered reports whether the address is one of a registered model.
func (u ModelURI) Registered() bool { return u.Name != "" }

// Local reports whether the address is a directory on this machine.
func (u ModelURI) Local() bool { return u.Dir != "" }

// filePath returns the path of a file: URI, or of a plain path, in the
// system's form.
func filePath(uri string) (string, error) {
	rest, ok := strings.CutPrefix(uri, "file:")
	if !ok {
		return filepath.FromSlash(uri), nil
	}
	if after, ok := strings.CutPrefix(rest, "//"); ok {
		host, p, _ := strings.Cut(after, "/")
		if host != "" && host != "localhost" {
			return "", fmt.Errorf("the files are on the host '%s'", host)
		}
		rest = "/" + p
	}
	p, err := unescapePath(rest)
	if err != nil {
		return "", err
	}
	if len(p) > 2 && p[0] == '/' && p[2] == ':' { // file:///C:/models
		p = p[1:]
	}
	return filepath.FromSlash(p), nil
}

// LocalRoot returns the directory of an artifact root that is a relative path
// below base, an absolute path or a file: URI of this machine.
func LocalRoot(base, root string) (string, bool) {
	scheme, _, found := strings.Cut(root, ":")
	switch {
	case root == "":
		return "", false
	case found && len(scheme) > 1 && scheme != "file":
		return "", false
	}
	dir, err := filePath(root)
	if err != nil {
		return "", false
	}
	if filepath.IsAbs(dir) {
		return filepath.Clean(dir), true
	}
	if dir = filepath.Clean(dir); !filepath.IsLocal(dir) {
		return "", false
	}
	return filepath.Join(base, dir), true
}
