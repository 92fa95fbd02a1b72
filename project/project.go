package project

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// Project is a project on disk. Use it by pointer.
type Project struct {
	// Root is the absolute path of the project's directory.
	Root   string
	Format *Format
	Config *Config

	git     func() *Git
	gitOnce sync.Once
	paths   pathHolds
}

// New returns the project of the given format at root, an absolute path, with
// its configuration loaded. Like LoadConfig it returns both a project and a
// *ConfigError when only the contents of the configuration are at fault. A
// change of format that was interrupted is completed first.
func New(root string, f *Format) (*Project, error) {
	p := &Project{Root: root, Format: f}
	if err := p.finishSwitch(); err != nil {
		return nil, err
	}
	config, err := LoadConfig(f, p.ControlDir())
	if config == nil {
		return nil, err
	}
	p.Config = config
	return p, err
}

// ControlDir returns the absolute path of .flow or .dvc.
func (p *Project) ControlDir() string { return filepath.Join(p.Root, p.Format.Control) }

// CacheDir returns the absolute path of the cache: cache.dir or, by default,
// "cache" in the control directory.
func (p *Project) CacheDir() string {
	if p.Config != nil {
		if dir, ok := p.Config.Get("cache", "dir"); ok && dir != "" {
			return dir
		}
	}
	return filepath.Join(p.ControlDir(), "cache")
}

// TempDir returns the directory of locks and temporary files.
func (p *Project) TempDir() string { return filepath.Join(p.ControlDir(), "tmp") }

// StateDir returns the directory of what flow remembers but could compute
// again: .flow/state or .dvc/tmp/flow.
func (p *Project) StateDir() string {
	if p.Format == DVC {
		return filepath.Join(p.TempDir(), "flow")
	}
	return filepath.Join(p.ControlDir(), "state")
}

// EnsureControl makes the control directory and its temporary directory. A
// native control directory made here, and not by Init, ignores itself
// entirely: nobody asked for files to commit.
func (p *Project) EnsureControl() error {
	dir := p.ControlDir()
	_, err := os.Stat(dir)
	fresh := errors.Is(err, fs.ErrNotExist)
	if err := os.MkdirAll(p.TempDir(), 0o777); err != nil {
		return fmt.Errorf("create control directory: %w", err)
	}
	if !fresh || p.Format != Native {
		return nil
	}
	if err := createFile(filepath.Join(dir, gitIgnoreName), "*\n"); err != nil {
		return fmt.Errorf("create control directory: %w", err)
	}
	return nil
}

// createFile writes a file that must not exist yet; one that does is left as
// it is.
func createFile(path, content string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = f.WriteString(content)
	return errors.Join(err, f.Close())
}

// Rel returns the slash path of abs relative to the root, and whether it is
// inside. The root itself is ".". A path outside comes back unchanged, in
// slashes.
func (p *Project) Rel(abs string) (rel string, inside bool) {
	rel, ok := relativeTo(p.Root, abs)
	if !ok {
		return filepath.ToSlash(abs), false
	}
	return rel, true
}

// Abs returns the absolute, native path of a slash path relative to the root.
// An absolute path is only cleaned.
func (p *Project) Abs(rel string) string {
	path := filepath.FromSlash(rel)
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(p.Root, path)
}

// relativeTo returns the slash path of abs below root, "." for root itself,
// by text alone: no link is followed.
func relativeTo(root, abs string) (string, bool) {
	abs, root = filepath.Clean(abs), filepath.Clean(root)
	if abs == root {
		return ".", true
	}
	prefix := root
	if !strings.HasSuffix(prefix, string(filepath.Separator)) {
		prefix += string(filepath.Separator)
	}
	rest, ok := strings.CutPrefix(abs, prefix)
	if !ok {
		return "", false
	}
	return filepath.ToSlash(rest), true
}
