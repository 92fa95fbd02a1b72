package project

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Setting is one setting of a configuration: its dotted section, "core" or
// "remote.r1", its key and its value.
type Setting struct{ Section, Key, Value string }

// Override lays settings over those of all files, for as long as the Config is in
// use; nothing is written. Earlier overrides give way to later ones. resolve makes
// the relative paths of settings absolute. A setting that the schema refuses gives
// a *ConfigError and leaves the Config as it was.
func (c *Config) Override(settings []Setting, resolve func(path string) string) error {
	file := new(configFile)
	for _, s := range settings {
		name := parseSectionPath(s.Section)
		e := &Entry{Level: LocalLevel, Section: name.String(), Key: strings.ToLower(s.Key), Raw: s.Value, Value: s.Value, name: name}
		if isPathKey(name, e.Key) && !hasScheme(s.Value) {
			if e.Value = expandHome(s.Value); !absolute(e.Value) {
				e.Value = resolve(filepath.FromSlash(e.Value))
			}
		}
		file.entries = append(file.entries, e)
	}
	return c.layOver(file)
}

// OverrideFile is like [Config.Override] with the settings of a file, whose paths
// count from its directory. It must exist.
func (c *Config) OverrideFile(path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read configuration: %w", err)
	}
	file, err := readConfigFile(LocalLevel, path, data)
	if err != nil {
		return err
	}
	return c.layOver(file)
}

func (c *Config) layOver(file *configFile) error {
	before := c.overrides
	c.overrides = append(slices.Clone(before), file)
	c.merge()
	err := c.validate()
	if err != nil {
		c.overrides = before
		c.merge()
	}
	return err
}
