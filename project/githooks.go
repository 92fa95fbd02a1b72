package project

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/flowrepro/flow/internal/atomicfile"
)

// HookExistsError says that a hook is there that another program, or a person,
// wrote.
type HookExistsError struct{ Name, File string }

func (e *HookExistsError) Error() string { return fmt.Sprintf("hook '%s' already exists", e.Name) }

// Hint says what to do about it.
func (e *HookExistsError) Hint() string {
	return fmt.Sprintf("add the line `flow git-hook %s \"$@\"` to '%s', or move that file away", e.Name, e.File)
}

// SetConfig sets a key of the repository's configuration.
func (g *Git) SetConfig(ctx context.Context, key, value string) error {
	_, err := g.run(ctx, nil, "config", "--local", key, value)
	return err
}

// InstallHooks writes hooks, shell scripts by name, to where this repository's
// are. When a hook of one of the names is there with another content, nothing
// is written and the error is a *HookExistsError.
func (g *Git) InstallHooks(ctx context.Context, hooks map[string]string) error {
	out, err := g.run(ctx, nil, "rev-parse", "--git-path", "hooks")
	if err != nil {
		return err
	}
	dir := filepath.FromSlash(strings.TrimRight(string(out), "\r\n"))
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(g.Root, dir)
	}
	for name, script := range hooks {
		file := filepath.Join(dir, name)
		switch have, err := os.ReadFile(file); {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return fmt.Errorf("install hook: %w", err)
		case string(have) != script:
			return &HookExistsError{name, file}
		}
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return fmt.Errorf("install hook: %w", err)
	}
	for name, script := range hooks {
		file := filepath.Join(dir, name)
		if err := atomicfile.Write(file, []byte(script), atomicfile.Options{Mode: 0o777}); err != nil {
			return fmt.Errorf("install hook: %w", err)
		}
	}
	return nil
}

// AddAttribute gives a pattern an attribute by a line in a .gitattributes file,
// unless a line for the pattern sets or unsets the attribute already. name is
// the attribute without its value.
func (g *Git) AddAttribute(file, pattern, name, value string) (changed bool, err error) {
	data, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("set attribute: %w", err)
	}
	for line := range strings.Lines(string(data)) {
		fields := strings.Fields(line)
		if len(fields) == 0 || fields[0] != pattern {
			continue
		}
		for _, f := range fields[1:] {
			if key, _, _ := strings.Cut(strings.TrimLeft(f, "-!"), "="); key == name {
				return false, nil
			}
		}
	}
	if n := len(data); n > 0 && data[n-1] != '\n' {
		data = append(data, '\n')
	}
	data = append(bytes.Clone(data), fmt.Sprintf("%s %s=%s\n", pattern, name, value)...)
	if err := g.replaceFile(file, data); err != nil {
		return false, fmt.Errorf("set attribute: %w", err)
	}
	return true, nil
}
