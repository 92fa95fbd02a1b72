package project

import (
	"fmt"
	"net/url"
	"path"
	"strings"
)

// Remote is the configuration of one remote.
type Remote struct {
	Name string
	// URL is where it is; a local path is absolute.
	URL string
	// Options are all settings but url, as in the files, paths absolute.
	Options map[string]string
}

// Bool returns an option that is true or false.
func (r *Remote) Bool(key string, def bool) bool {
	v, ok := r.Options[key]
	if !ok {
		return def
	}
	return strings.EqualFold(v, "true")
}

// Int returns an option that is a whole number.
func (r *Remote) Int(key string, def int) int {
	if n, ok := pythonInt(r.Options[key]); ok {
		return int(n)
	}
	return def
}

// Remotes returns the remotes in the order they were defined, as written:
// see Remote for those that refer to another one.
func (c *Config) Remotes() []Remote {
	var list []Remote
	for _, s := range c.merged {
		if s.name.top != "remote" || !s.name.named {
			continue
		}
		list = append(list, s.remote())
	}
	return list
}

func (s *mergedSection) remote() Remote {
	r := Remote{Name: s.name.sub, Options: map[string]string{}}
	for _, k := range s.keys {
		if k == "url" {
			r.URL = s.vals[k].Value
		} else {
			r.Options[k] = s.vals[k].Value
		}
	}
	return r
}

// DefaultRemote returns the name of the remote that is used when none is
// named.
func (c *Config) DefaultRemote() (string, bool) {
	name, ok := c.Get("core", "remote")
	return strings.ToLower(name), ok && name != ""
}

// Remote returns the named remote. One whose URL is remote://other/sub takes
// over other's settings where it has none itself, and its path is appended.
func (c *Config) Remote(name string) (Remote, error) { return c.remote(name, nil) }

func (c *Config) remote(name string, seen []string) (Remote, error) {
	name = strings.ToLower(name)
	for _, s := range seen {
		if s == name {
			return Remote{}, &ConfigError{Msg: fmt.Sprintf("remote '%s' refers to itself", name)}
		}
	}
	for _, s := range c.merged {
		if s.name != (sectionName{"remote", name, true}) {
			continue
		}
		r := s.remote()
		rest, ok := strings.CutPrefix(r.URL, "remote://")
		if !ok {
			return r, nil
		}
		other, sub, _ := strings.Cut(rest, "/")
		base, err := c.remote(other, append(seen, name))
		if err != nil {
			return Remote{}, err
		}
		for k, v := range r.Options {
			base.Options[k] = v
		}
		return Remote{Name: name, URL: joinURL(base.URL, sub), Options: base.Options}, nil
	}
	return Remote{}, &ConfigError{Msg: fmt.Sprintf("remote '%s' doesn't exist", name)}
}

// joinURL appends a path to a URL or to a local path.
func joinURL(base, sub string) string {
	if sub == "" {
		return base
	}
	if u, err := url.Parse(base); err == nil && hasScheme(base) && u.Host != "" {
		return strings.TrimSuffix(base, "/") + "/" + strings.TrimPrefix(path.Clean("/"+sub), "/")
	}
	return resolvePath(base, sub)
}
