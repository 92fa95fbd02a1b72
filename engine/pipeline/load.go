package pipeline

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/flowrepro/flow/internal/yaml12"
)

// Options say what to load and how.
type Options struct {
	// Root is the absolute path of the project.
	Root string
	// Ignored tells what .dvcignore excludes; nil excludes nothing. Paths are
	// relative to the root, with slashes.
	Ignored func(rel string, dir bool) bool
	// GitIgnored tells what Git ignores; nil outside of Git.
	GitIgnored func(rel string, dir bool) bool
	// BoolOptional makes false values of an unpacked map --no-key (DVC's
	// parsing.bool = boolean_optional).
	BoolOptional bool
	// ListAppend repeats the key for each element of an unpacked list (DVC's
	// parsing.list = append).
	ListAppend bool
}

// Load finds and loads all dvc.yaml and .dvc files of the project: from the
// root down, each directory's files by name before its subdirectories. It
// leaves out what Ignored and GitIgnored exclude, projects within the project,
// and directories that are outputs of stages loaded before.
//
// The error is yaml12.Errors with everything that is wrong in all files. The
// Set is never nil and holds what could be loaded.
func Load(o Options) (*Set, error) {
	l := newLoader(o)
	l.walk(".", map[string]bool{})
	return l.finish()
}

// LoadFiles loads only the named files, absolute or relative to the root.
func LoadFiles(o Options, files ...string) (*Set, error) {
	l := newLoader(o)
	root := newPlace(o.Root, ".")
	for _, name := range files {
		_, rel, _ := root.at(filepath.ToSlash(name))
		if l.set.byPath[rel] != nil {
			continue
		}
		if err := l.explicit(rel); err != nil {
			l.errs = append(l.errs, err)
			continue
		}
		l.read(rel)
	}
	return l.finish()
}

// explicit refuses files that discovery would leave out.
func (l *loader) explicit(rel string) *yaml12.Error {
	fail := func(format string, args ...any) *yaml12.Error {
		return &yaml12.Error{Kind: yaml12.Graph, File: rel, Msg: fmt.Sprintf(format, args...)}
	}
	abs := filepath.Join(l.o.Root, filepath.FromSlash(rel))
	fi, err := os.Stat(abs)
	inside := !isAbs(rel)
	switch {
	case !inside:
		return fail("'%s' is outside of the project", rel)
	case err != nil:
		return fail("'%s' does not exist", abs)
	case l.o.Ignored != nil && l.o.Ignored(rel, false):
		return fail("'%s' is dvc-ignored", abs)
	case !isPipelineFile(rel):
		e := fail("bad DVC file name '%s'. DVC files should be named 'dvc.yaml' or have a '.dvc' suffix (e.g. '%s.dvc').",
			rel, path.Base(rel))
		if fi.IsDir() {
			e.Hint_ = "did you mean " + rel + "/dvc.yaml?"
		}
		return e
	case !fi.Mode().IsRegular():
		return fail("'%s' is not a file", rel)
	case l.o.GitIgnored != nil && l.o.GitIgnored(rel, false):
		e := fail("bad DVC file name '%s' is git-ignored.", rel)
		e.Hint_ = "change .gitignore so that Git keeps the file"
		return e
	}
	return nil
}

func (l *loader) finish() (*Set, error) {
	l.errs.Sort()
	l.errs = slices.CompactFunc(l.errs, func(a, b *yaml12.Error) bool {
		return a.File == b.File && a.Line == b.Line && a.Column == b.Column && a.Msg == b.Msg &&
			slices.Equal(a.Path, b.Path)
	})
	return l.set, l.errs.Err()
}

// walk loads the files of one directory and goes on below it. outs holds the
// outputs known so far.
func (l *loader) walk(dir string, outs map[string]bool) {
	entries, err := os.ReadDir(filepath.Join(l.o.Root, filepath.FromSlash(dir)))
	if err != nil {
		if dir == "." {
			l.addError(".", fmt.Errorf("read project directory: %w", err))
			return
		}
		l.set.Warnings = append(l.set.Warnings, fmt.Sprintf("'%s' is not searched: %v", dir, err))
		return
	}
	if dir != "." {
		for _, e := range entries {
			if e.IsDir() && (e.Name() == ".dvc" || e.Name() == ".flow") {
				return // another project
			}
		}
	}
	for _, e := range entries {
		name := e.Name()
		if e.IsDir() || name != fileName && !strings.HasSuffix(name, dataSuffix) {
			continue
		}
		rel := path.Join(dir, name)
		if !e.Type().IsRegular() {
			fi, err := os.Stat(filepath.Join(l.o.Root, filepath.FromSlash(rel)))
			if err != nil || !fi.Mode().IsRegular() {
				continue
			}
		}
		if l.ignored(rel, false) {
			continue
		}
		f := l.read(rel)
		if f == nil {
			continue
		}
		for _, s := range f.Stages {
			for _, o := range s.Outs {
				outs[o.Path] = true
			}
		}
	}
	for _, e := range entries {
		rel := path.Join(dir, e.Name())
		if e.IsDir() && !outs[rel] && !builtinIgnored(e.Name()) && !l.ignored(rel, true) {
			l.walk(rel, outs)
		}
	}
}

// builtinIgnored tells directories that are never searched.
func builtinIgnored(name string) bool {
	switch name {
	case ".git", ".hg", ".dvc", ".flow":
		return true
	}
	return false
}

func (l *loader) ignored(rel string, dir bool) bool {
	return l.o.Ignored != nil && l.o.Ignored(rel, dir) || l.o.GitIgnored != nil && l.o.GitIgnored(rel, dir)
}
