package project

import (
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Level is one of the files a configuration is made of. Higher levels win.
type Level int

// The levels. FlowLevel exists in DVC projects only: it is .dvc/flow.config
// and holds the section "flow", which DVC would refuse in its own files.
const (
	SystemLevel Level = iota
	GlobalLevel
	ProjectLevel
	FlowLevel
	LocalLevel
)

var levelNames = [...]string{"system", "global", "project", "flow", "local"}

// String returns the name of the level: system, global, project, flow, local.
func (l Level) String() string {
	if l < 0 || int(l) >= len(levelNames) {
		return fmt.Sprintf("level %d", int(l))
	}
	return levelNames[l]
}

// ConfigError is a configuration that cannot be used, or a request to change
// it that cannot be fulfilled.
type ConfigError struct {
	// File and Line say where, as far as that is known.
	File string
	Line int
	// Msg is the text after "config file error: ".
	Msg string
}

// Error returns DVC's wording; the place is in Hint.
func (e *ConfigError) Error() string { return "config file error: " + e.Msg }

// Hint names the file and line at fault.
func (e *ConfigError) Hint() string {
	switch {
	case e.File == "":
		return ""
	case e.Line == 0:
		return "see " + e.File
	}
	return fmt.Sprintf("see %s, line %d", e.File, e.Line)
}

// sectionName is a section's lower-cased name: "core", or a named one such as
// remote "r1".
type sectionName struct {
	top, sub string
	named    bool
}

func isNamedKind(top string) bool { return top == "remote" || top == "machine" || top == "db" }

// parseSectionName reads the text between the brackets.
func parseSectionName(text string) sectionName {
	text = strings.ToLower(text)
	trimmed := strings.TrimSpace(text)
	if top, rest, ok := strings.Cut(trimmed, `"`); ok && strings.HasSuffix(rest, `"`) {
		if top = strings.TrimSpace(top); isNamedKind(top) {
			return sectionName{top, strings.TrimSuffix(rest, `"`), true}
		}
	}
	return sectionName{top: text}
}

// parseSectionPath reads the dotted form: "core", "remote.r1".
func parseSectionPath(path string) sectionName {
	path = strings.ToLower(path)
	if top, sub, ok := strings.Cut(path, "."); ok && isNamedKind(top) {
		return sectionName{top, sub, true}
	}
	return sectionName{top: path}
}

// String returns the dotted form.
func (n sectionName) String() string {
	if n.named {
		return n.top + "." + n.sub
	}
	return n.top
}

func (n sectionName) header() string {
	if n.named {
		return fmt.Sprintf(`['%s "%s"']`, n.top, n.sub)
	}
	return "[" + n.top + "]"
}

func (n sectionName) kind() string {
	if n.named {
		return n.top
	}
	return "section"
}

func (n sectionName) short() string {
	if n.named {
		return n.sub
	}
	return n.top
}

// Entry is one setting in one file.
type Entry struct {
	Level Level
	// File is the absolute path of the file, Line the entry's line from 1.
	File string
	Line int
	// Section is dotted: "core", "remote.r1". Key is lower case.
	Section, Key string
	// Value is what the setting means: paths are absolute, lists joined by
	// commas. Raw is what the file says, without quotes.
	Value, Raw string

	list []string
	name sectionName
}

// any returns the value as the schema sees it.
func (e *Entry) any() any {
	if e.list != nil {
		return e.list
	}
	return e.Value
}

// Config is the merged configuration of all levels. The zero Config is not
// usable; see LoadConfig.
type Config struct {
	format *Format
	// control is the absolute control directory, "" outside a project.
	control string
	levels  [len(levelNames)]*configFile
	// overrides come after all levels, the strongest last.
	overrides []*configFile
	merged    []*mergedSection
}

// configFile is one level as read.
type configFile struct {
	path    string
	ini     *iniFile
	entries []*Entry
	// nested are sections inside sections, and loose the keys before any
	// section: the schema knows neither.
	nested, loose []*Entry
}

// mergedSection is a section over all levels, keys in order of appearance.
type mergedSection struct {
	name sectionName
	keys []string
	vals map[string]*Entry
}

// LoadConfig reads the levels of a project whose control directory is
// control, or, when that is "", those outside any project. Missing files are
// empty. A syntax error gives no Config; when the contents do not pass the
// schema, both the Config and a *ConfigError come back, so that a command
// that repairs the configuration can work.
func LoadConfig(f *Format, control string) (*Config, error) {
	c := &Config{format: f, control: control}
	for level := range c.levels {
		path := c.File(Level(level))
		if path == "" {
			continue
		}
		data, err := os.ReadFile(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, &ConfigError{File: path, Msg: err.Error()}
		}
		if c.levels[level], err = readConfigFile(Level(level), path, data); err != nil {
			return nil, err
		}
	}
	c.merge()
	return c, c.validate()
}

// File returns the absolute path of a level's file, or "" when the level does
// not exist here.
func (c *Config) File(level Level) string {
	switch level {
	case SystemLevel:
		return joinNonEmpty(systemConfigDir(c.format), "config")
	case GlobalLevel:
		return joinNonEmpty(globalConfigDir(c.format), "config")
	}
	switch {
	case c.control == "":
	case level == ProjectLevel:
		return filepath.Join(c.control, "config")
	case level == LocalLevel:
		return filepath.Join(c.control, "config.local")
	case level == FlowLevel && c.format == DVC:
		return filepath.Join(c.control, "flow.config")
	}
	return ""
}

func joinNonEmpty(dir, name string) string {
	if dir == "" {
		return ""
	}
	return filepath.Join(dir, name)
}

func readConfigFile(level Level, path string, data []byte) (*configFile, error) {
	ini, err := parseINI(data)
	if err != nil {
		e := &ConfigError{File: path, Msg: err.Error()}
		var at *iniError
		if errors.As(err, &at) {
			e.Line = at.line
		}
		return nil, e
	}
	file := &configFile{path: path, ini: ini}
	read := func(s *iniSection, name sectionName, into *[]*Entry) error {
		for _, raw := range s.entries {
			e := &Entry{Level: level, File: path, Line: raw.line, Section: name.String(), Key: strings.ToLower(raw.key), name: name}
			switch v := raw.value.(type) {
			case string:
				if v, err = interpolate(s, v, 0); err != nil {
					return &ConfigError{File: path, Line: raw.line, Msg: err.Error()}
				}
				e.Raw, e.Value = v, v
				if isPathKey(name, e.Key) {
					e.Value = resolvePath(filepath.Dir(path), v)
				}
			case []string:
				e.list = v
				e.Raw = strings.Join(v, ",")
				e.Value = e.Raw
			}
			*into = append(*into, e)
		}
		return nil
	}
	if err := read(ini.root, sectionName{}, &file.loose); err != nil {
		return nil, err
	}
	for _, s := range ini.root.sections {
		name := parseSectionName(s.name)
		for _, inner := range s.sections {
			file.nested = append(file.nested, &Entry{Level: level, File: path, Line: inner.line, Section: name.String(), Key: strings.ToLower(inner.name), name: name})
		}
		if len(s.entries) == 0 && sectionShape(name.top, Native) == nil && !isNamedKind(name.top) && name.top != "feature" {
			// An empty section is an error when its name is unknown.
			file.loose = append(file.loose, &Entry{Level: level, File: path, Line: s.line, Key: name.top})
		}
		if err := read(s, name, &file.entries); err != nil {
			return nil, err
		}
	}
	return file, nil
}

// interpolate replaces %(key)s by the value of key in the section, in one
// called DEFAULT, or further out.
func interpolate(s *iniSection, value string, depth int) (string, error) {
	if !strings.Contains(value, "%(") {
		return value, nil
	}
	if depth > 10 {
		return "", fmt.Errorf("interpolation of %q does not end", value)
	}
	var failed error
	out := iniRules().reference.ReplaceAllStringFunc(value, func(ref string) string {
		key := ref[2 : len(ref)-2]
		for at := s; ; at = at.parent {
			for _, in := range []*iniSection{at, at.section("DEFAULT")} {
				if in == nil {
					continue
				}
				if e := in.entry(key); e != nil {
					text, ok := e.value.(string)
					if ok {
						inner, err := interpolate(at, text, depth+1)
						failed = errors.Join(failed, err)
						return inner
					}
				}
			}
			if at.parent == at {
				failed = errors.Join(failed, fmt.Errorf("missing option %q in interpolation", key))
				return ""
			}
		}
	})
	return out, failed
}

// files yields what the configuration is made of, the strongest last.
func (c *Config) files() iter.Seq[*configFile] {
	return func(yield func(*configFile) bool) {
		for _, file := range slices.Concat(c.levels[:], c.overrides) {
			if file != nil && !yield(file) {
				return
			}
		}
	}
}

func (c *Config) merge() {
	c.merged = nil
	index := map[sectionName]*mergedSection{}
	for file := range c.files() {
		for _, e := range file.entries {
			s := index[e.name]
			if s == nil {
				s = &mergedSection{name: e.name, vals: map[string]*Entry{}}
				index[e.name] = s
				c.merged = append(c.merged, s)
			}
			if _, ok := s.vals[e.Key]; !ok {
				s.keys = append(s.keys, e.Key)
			}
			s.vals[e.Key] = e
		}
	}
}

func (c *Config) lookup(section, key string) *Entry {
	name := parseSectionPath(section)
	for _, s := range c.merged {
		if s.name == name {
			return s.vals[strings.ToLower(key)]
		}
	}
	return nil
}

// Get returns a setting: Get("core", "remote"), Get("remote.r1", "url").
// Paths come back absolute.
func (c *Config) Get(section, key string) (string, bool) {
	e := c.lookup(section, key)
	if e == nil {
		return "", false
	}
	return e.Value, true
}

// Bool returns a setting that is true or false, or def when it is not set.
func (c *Config) Bool(section, key string, def bool) bool {
	v, ok := c.Get(section, key)
	if !ok {
		return def
	}
	return strings.EqualFold(v, "true")
}

// Int returns a setting that is a whole number, or def when it is not set.
func (c *Config) Int(section, key string, def int) int {
	if e := c.lookup(section, key); e != nil {
		if n, ok := pythonInt(e.Value); ok {
			return int(n)
		}
	}
	return def
}

// List returns a setting that is a list, written with or without quotes; nil
// when it is not set.
func (c *Config) List(section, key string) []string {
	e := c.lookup(section, key)
	if e == nil {
		return nil
	}
	return slices.Clone(textList(e.any()))
}

// Origin returns the entry that decides a setting, nil when it is not set.
func (c *Config) Origin(section, key string) *Entry { return c.lookup(section, key) }

// Entries returns the settings of one level in the order DVC lists them:
// remotes and other named sections first, then as in the file.
func (c *Config) Entries(level Level) []Entry {
	if level < 0 || int(level) >= len(c.levels) || c.levels[level] == nil {
		return nil
	}
	var named, plain []Entry
	for _, e := range c.levels[level].entries {
		if e.name.named {
			named = append(named, *e)
		} else {
			plain = append(plain, *e)
		}
	}
	return append(named, plain...)
}
