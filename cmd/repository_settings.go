package cmd

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/flowrepro/flow/internal/yaml12"
	"github.com/flowrepro/flow/project"
)

// repositorySettings are settings for the configuration of a project that is only
// read, as get and import take them and .dvc files of imports record them.
type repositorySettings struct {
	// file is a configuration file, config its settings by section; one of them is
	// set at most.
	file   string
	config *yaml12.Map
	// remote are settings of the remote that is used.
	remote *yaml12.Map
	// base is where relative paths are looked for.
	base importBase
}

// importBase are the directories in which relative paths of an import are looked
// for: where the command runs, as DVC does, that of its .dvc file, and the root of
// the project.
type importBase [3]string

// resolve finds a path in the first directory that has it, and else puts it into
// the first of them.
func (b importBase) resolve(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	for _, dir := range b {
		if at := filepath.Join(dir, path); fileExists(at) {
			return at
		}
	}
	return filepath.Join(b[0], path)
}

// settingsFlags are the flags for settings of another project.
type settingsFlags struct {
	config, remote string
	remoteConfig   []string
}

func (f *settingsFlags) add(c *cobra.Command) {
	fl := c.Flags()
	fl.StringVar(&f.config, "config", "", "a `file` with settings that come before those of the other project")
	fl.StringVar(&f.remote, "remote", "", "use this remote of the other project instead of its default `name`")
	fl.StringArrayVar(&f.remoteConfig, "remote-config", nil, "a setting of that remote, as `name=value`; may be repeated")
}

// describe returns what DVC records of the flags about a repository: "config" and
// "remote", each a text or a map.
func (f *settingsFlags) describe() (*yaml12.Map, error) {
	described := new(yaml12.Map)
	remote, err := settingsMap("--remote-config", f.remoteConfig)
	if err != nil {
		return nil, err
	}
	if remote.Len() > 0 && f.remote != "" && f.config != "" {
		return nil, &exitError{exitUsage, errors.New("--config can't be used together with both --remote and --remote-config")}
	}
	if f.config != "" {
		described.Set("config", filepath.ToSlash(f.config))
	}
	switch {
	case remote.Len() > 0 && f.remote != "":
		described.Set("config", mapOf("core", mapOf("remote", f.remote), "remote", mapOf(f.remote, remote)))
	case remote.Len() > 0:
		described.Set("remote", remote)
	case f.remote != "":
		described.Set("remote", f.remote)
	}
	return described, nil
}

func mapOf(pairs ...any) *yaml12.Map {
	m := new(yaml12.Map)
	for i := 0; i < len(pairs); i += 2 {
		m.Set(pairs[i].(string), pairs[i+1])
	}
	return m
}

// secretSettings are settings that must not come into a file that Git keeps.
var secretSettings = []string{"secret_access_key", "session_token", "sse_customer_key", "password", "token"}

// settingsMap reads the name=value texts of a flag.
func settingsMap(flag string, list []string) (*yaml12.Map, error) {
	m := new(yaml12.Map)
	for _, text := range list {
		name, value, ok := strings.Cut(text, "=")
		if !ok || name == "" {
			return nil, &exitError{exitUsage, fmt.Errorf("%s %q: write it as name=value", flag, text)}
		}
		m.Set(strings.ToLower(name), value)
	}
	return m, nil
}

// noSecrets refuses settings that would be recorded although they are secret.
func noSecrets(flag string, list []string) error {
	for _, text := range list {
		name, _, _ := strings.Cut(text, "=")
		if slices.Contains(secretSettings, strings.ToLower(name)) {
			return &hinted{fmt.Errorf("%s: %s would be recorded in a file for Git", flag, name),
				"credentials come from the environment, AWS's own files or `flow remote modify --local`"}
		}
	}
	return nil
}

// describe takes over what the description of a repository has as its "config" and
// "remote".
func (ref *repositoryRef) describe(m *yaml12.Map) error {
	config, _ := m.Get("config")
	switch v := config.(type) {
	case nil:
	case string:
		ref.settings.file = v
	case *yaml12.Map:
		ref.settings.config = v
	default:
		return errors.New("its config is neither a file nor a map")
	}
	remote, _ := m.Get("remote")
	switch v := remote.(type) {
	case nil:
	case string:
		ref.remote = v
	case *yaml12.Map:
		ref.settings.remote = v
	default:
		return errors.New("its remote is neither a name nor a map")
	}
	return nil
}

// apply lays the settings over a configuration; remote is the name of the remote
// that is used, "" for the default one.
func (rs *repositorySettings) apply(c *project.Config, remote string) error {
	if rs.file != "" {
		if err := c.OverrideFile(rs.base.resolve(filepath.FromSlash(rs.file))); err != nil {
			return err
		}
	}
	list, err := flatSettings(rs.config, "")
	if err != nil {
		return err
	}
	if err := c.Override(list, rs.base.resolve); err != nil {
		return err
	}
	if rs.remote.Len() == 0 {
		return nil
	}
	if remote == "" {
		var ok bool
		if remote, ok = c.DefaultRemote(); !ok {
			return &hinted{errors.New("there are settings for the default remote, and the project has none"), "name a remote with --remote"}
		}
	}
	if list, err = flatSettings(rs.remote, "remote."+remote); err != nil {
		return err
	}
	return c.Override(list, rs.base.resolve)
}

// flatSettings are the settings of a map: of one section, or with section "" of
// all sections, those with names a map of maps.
func flatSettings(m *yaml12.Map, section string) ([]project.Setting, error) {
	var list []project.Setting
	if m == nil {
		return nil, nil
	}
	for _, it := range m.Items {
		key, ok := it.Key.(string)
		if !ok {
			return nil, fmt.Errorf("setting %v: its name is no text", it.Key)
		}
		switch v := it.Value.(type) {
		case *yaml12.Map:
			below := key
			if section != "" {
				below = section + "." + key
			}
			more, err := flatSettings(v, below)
			if err != nil {
				return nil, err
			}
			list = append(list, more...)
		case string, bool, int64, float64:
			if section == "" {
				return nil, fmt.Errorf("setting '%s' is in no section", key)
			}
			list = append(list, project.Setting{Section: section, Key: key, Value: fmt.Sprint(v)})
		default:
			return nil, fmt.Errorf("setting '%s' has no value that a configuration can have", key)
		}
	}
	return list, nil
}

// stringSettings are the settings of one flat map by name.
func stringSettings(m *yaml12.Map) (map[string]string, error) {
	list, err := flatSettings(m, "settings")
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, s := range list {
		if s.Section != "settings" {
			return nil, fmt.Errorf("setting '%s' is a map", strings.TrimPrefix(s.Section, "settings."))
		}
		out[strings.ToLower(s.Key)] = s.Value
	}
	return out, nil
}

// withSettings returns settings with others over them.
func withSettings(base, over map[string]string) map[string]string {
	out := maps.Clone(base)
	if out == nil {
		out = map[string]string{}
	}
	maps.Copy(out, over)
	return out
}
