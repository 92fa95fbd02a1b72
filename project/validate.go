package project

import (
	"fmt"
	"strings"
)

// validate checks the merged configuration and returns the *ConfigError of
// the first fault, sections in the schema's order.
func (c *Config) validate() error {
	if err := c.firstFault(); err != nil {
		return err
	}
	return nil
}

func (c *Config) firstFault() *ConfigError {
	for _, name := range strings.Fields(sectionOrder) {
		for _, s := range c.merged {
			if s.name.top == name {
				if err := c.checkSection(s); err != nil {
					return err
				}
			}
		}
		if err := c.checkStructure(name); err != nil {
			return err
		}
	}
	for file := range c.files() {
		if len(file.loose) == 0 {
			continue
		}
		e := file.loose[0]
		if c.known(e.Key, e.Level) {
			return fault(e, "expected a dictionary for dictionary value", e.Key)
		}
		return fault(e, "extra keys not allowed", e.Key)
	}
	for _, s := range c.merged {
		if first := s.vals[s.keys[0]]; !c.known(s.name.top, first.Level) {
			return fault(first, "extra keys not allowed", s.name.top)
		}
	}
	return nil
}

// known reports whether a section of the name may stand in a file of the
// level.
func (c *Config) known(top string, level Level) bool {
	if c.format == DVC && (top == "flow") != (level == FlowLevel) {
		return false
	}
	return top == "feature" || isNamedKind(top) || sectionShape(top, c.format) != nil
}

// checkStructure finds sections in sections below the named section.
func (c *Config) checkStructure(top string) *ConfigError {
	for file := range c.files() {
		for _, e := range file.nested {
			if e.name.top == top && top != "feature" {
				return fault(e, "extra keys not allowed", append(e.name.keys(), e.Key)...)
			}
		}
	}
	return nil
}

// keys returns the path of the section in the validated data.
func (n sectionName) keys() []string {
	if n.named {
		return []string{n.top, n.sub}
	}
	return []string{n.top}
}

// fault words an error at a path of keys, as DVC's validator prints it.
func fault(e *Entry, msg string, keys ...string) *ConfigError {
	var b strings.Builder
	b.WriteString(msg)
	b.WriteString(" @ data")
	for _, k := range keys {
		b.WriteString("[" + pythonQuote(k) + "]")
	}
	return &ConfigError{File: e.File, Line: e.Line, Msg: b.String()}
}

// pythonQuote quotes a key as Python's repr does for printable text.
func pythonQuote(s string) string {
	s = strings.ReplaceAll(s, `\`, `\\`)
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		return `"` + s + `"`
	}
	return "'" + strings.ReplaceAll(s, "'", `\'`) + "'"
}

func (c *Config) checkSection(s *mergedSection) *ConfigError {
	first := s.vals[s.keys[0]]
	if !c.known(s.name.top, first.Level) {
		return nil // reported after all known sections, as DVC does
	}
	var keys shape
	switch {
	case s.name.top == "feature":
		if e := s.vals["machine"]; e != nil {
			if msg := boolean(e.any()); msg != "" {
				return fault(e, msg+" for dictionary value", "feature", "machine")
			}
		}
		return nil
	case !s.name.named && isNamedKind(s.name.top):
		return fault(first, "expected a dictionary for dictionary value", s.name.top, s.keys[0])
	case s.name.top == "remote":
		url := s.vals["url"]
		if url == nil {
			return fault(first, "expected 'url' for dictionary value", s.name.keys()...)
		}
		if url.list != nil {
			return fault(url, "expected str for dictionary value", append(s.name.keys(), "url")...)
		}
		scheme := urlScheme(url.Value)
		if scheme == "remote" {
			return nil
		}
		if keys = remoteShape(scheme); keys == nil {
			return fault(url, fmt.Sprintf("Unsupported URL type %s:// for dictionary value", scheme), s.name.keys()...)
		}
	case s.name.top == "machine":
		keys = machineShape()
	case s.name.top == "db":
		keys = texts("url username password")
	default:
		keys = sectionShape(s.name.top, c.format)
	}
	for _, k := range s.keys {
		e := s.vals[k]
		check, ok := keys[k]
		if !ok {
			return fault(e, "extra keys not allowed", append(s.name.keys(), k)...)
		}
		if msg := check(e.any()); msg != "" {
			return fault(e, msg+" for dictionary value", append(s.name.keys(), k)...)
		}
	}
	if s.name.top == "hydra" && s.vals["config_dir"] != nil && s.vals["config_module"] != nil {
		err := fault(s.vals["config_module"], "two or more values in the same group of exclusion 'config_source'", "hydra")
		err.Msg += "[<config_source>]"
		return err
	}
	return nil
}
