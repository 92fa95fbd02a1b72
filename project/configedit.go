package project

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/flowrepro/flow/internal/atomicfile"
)

// parseName cuts "section.key" or "remote.name.key". Remote names may hold
// dots; sections and keys may not.
func parseName(name string) (sectionName, string, error) {
	lower := strings.ToLower(name)
	i := strings.LastIndexByte(lower, '.')
	if i > 0 && i < len(lower)-1 {
		section := parseSectionPath(lower[:i])
		if section.named == isNamedKind(section.top) && section.short() != "" && (section.named || !strings.Contains(section.top, ".")) {
			return section, lower[i+1:], checkSectionName(section)
		}
	}
	return sectionName{}, "", &ConfigError{Msg: fmt.Sprintf("name %q should look like remote.name.option or db.name.option or section.option", name)}
}

// checkSectionName refuses names that cannot be written in a header.
func checkSectionName(n sectionName) error {
	if strings.ContainsAny(n.String(), "'\"[]\r\n") {
		return &ConfigError{Msg: fmt.Sprintf("name %q has a quote, a bracket or a line break", n.String())}
	}
	return nil
}

// Set writes a setting, named "section.key" or "remote.name.key", into the
// file of a level and leaves every other byte of it alone. A relative path
// given for a setting that is a path counts from the working directory of the
// process and is stored relative to the configuration file. When the result
// does not pass the schema, nothing is written.
//
// In a DVC project the section "flow" lives in a file of its own and can be
// set for the project only.
func (c *Config) Set(level Level, name, value string) error {
	section, key, err := parseName(name)
	if err != nil {
		return err
	}
	return c.edit(level, section, func(path string, f *iniFile) ([]byte, error) {
		if isPathKey(section, key) {
			value = storedPath(filepath.Dir(path), value)
		}
		data, err := f.set(section, key, value)
		if err != nil {
			return nil, &ConfigError{File: path, Msg: err.Error()}
		}
		return data, nil
	})
}

// Unset removes a setting from the file of a level; an emptied section goes
// too. It is an error when the setting is not in that file.
func (c *Config) Unset(level Level, name string) error {
	section, key, err := parseName(name)
	if err != nil {
		return err
	}
	return c.edit(level, section, func(_ string, f *iniFile) ([]byte, error) { return f.unset(section, key) })
}

// ReplaceRemote gives a remote of a level's file a new URL and no other settings.
func (c *Config) ReplaceRemote(level Level, name, url string) error {
	section := parseSectionPath("remote." + name)
	return c.edit(level, section, func(path string, f *iniFile) ([]byte, error) {
		s := f.find(section)
		if s == nil {
			return nil, missingSection(section)
		}
		for _, e := range s.entries {
			key := strings.ToLower(e.key)
			if key == "url" {
				continue
			}
			data, err := f.unset(section, key)
			if err == nil {
				f, err = parseINI(data)
			}
			if err != nil {
				return nil, err
			}
		}
		return f.set(section, "url", storedPath(filepath.Dir(path), url))
	})
}

// RemoveSection removes a whole section, "core" or "remote.name", from the
// file of a level.
func (c *Config) RemoveSection(level Level, section string) error {
	name := parseSectionPath(section)
	return c.edit(level, name, func(_ string, f *iniFile) ([]byte, error) {
		data, ok := f.removeSection(name)
		if !ok {
			return nil, missingSection(name)
		}
		return data, nil
	})
}

// RenameSection gives a named section of a level's file, "remote.old", a new
// name, "remote.new".
func (c *Config) RenameSection(level Level, from, to string) error {
	old, renamed := parseSectionPath(from), parseSectionPath(to)
	if old.top != renamed.top || !old.named || renamed.sub == "" {
		return &ConfigError{Msg: fmt.Sprintf("cannot rename %s to %s", from, to)}
	}
	if err := checkSectionName(renamed); err != nil {
		return err
	}
	return c.edit(level, old, func(_ string, f *iniFile) ([]byte, error) {
		if f.find(renamed) != nil {
			return nil, &ConfigError{Msg: fmt.Sprintf("%s '%s' already exists.", renamed.top, renamed.sub)}
		}
		data, ok := f.renameSection(old, renamed)
		if !ok {
			return nil, missingSection(old)
		}
		return data, nil
	})
}

func missingSection(n sectionName) error {
	return &ConfigError{Msg: fmt.Sprintf("%s '%s' doesn't exist.", n.kind(), n.short())}
}

// edit rewrites the file of a level by change, after checking that the
// configuration as a whole stays valid.
func (c *Config) edit(level Level, section sectionName, change func(path string, f *iniFile) ([]byte, error)) error {
	if c.format == DVC && section.top == "flow" {
		if level != ProjectLevel && level != FlowLevel {
			return &ConfigError{Msg: "the section 'flow' of a DVC project can be set at the project level only"}
		}
		level = FlowLevel
	}
	path := c.File(level)
	if path == "" {
		if c.control == "" {
			return &ConfigError{Msg: "Not inside a DVC repo"}
		}
		return &ConfigError{Msg: fmt.Sprintf("there is no %s level in a %s project", level, c.format)}
	}
	data, err := change(path, c.levels[level].ini)
	if err != nil {
		return err
	}
	file, err := readConfigFile(level, path, data)
	if err != nil {
		return err
	}
	// As in DVC, levels above the edited one do not count: a remote whose
	// URL is in the project's file may get its secrets in the local one, and
	// not the other way round.
	lower := &Config{format: c.format, control: c.control}
	copy(lower.levels[:], c.levels[:level])
	lower.levels[level] = file
	lower.merge()
	if err := lower.validate(); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return fmt.Errorf("create directory of configuration: %w", err)
	}
	if err := atomicfile.Write(path, data, atomicfile.Options{Sync: true}); err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	c.levels[level] = file
	c.merge()
	return c.validate()
}
