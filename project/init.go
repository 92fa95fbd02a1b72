package project

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// InitOptions says how a project is made.
type InitOptions struct {
	// NoSCM makes a project that does not use Git.
	NoSCM bool
	// Force replaces an existing control directory, with the cache in it.
	Force bool
	// Subdir allows the project to be below the top of its working tree.
	Subdir bool
}

// InitError says why a project was not made.
type InitError struct {
	Msg string
	// Usage is set when the options contradict each other.
	Usage bool

	hint string
}

func (e *InitError) Error() string { return e.Msg }

// Hint says what to do about it.
func (e *InitError) Hint() string { return e.hint }

// controlIgnore is the .gitignore of a control directory.
func controlIgnore(f *Format) string {
	if f == DVC {
		return "/config.local\n/tmp\n/cache\n"
	}
	return "/config.local\n/tmp\n/cache\n/state\n"
}

// ignoreTemplate is the .dvcignore of a new project. DVC's is reproduced, so
// that a project made by either program is the same.
func ignoreTemplate(f *Format) string {
	if f == DVC {
		return "# Add patterns of files dvc should ignore, which could improve\n" +
			"# the performance. Learn more at\n" +
			"# https://dvc.org/doc/user-guide/dvcignore\n"
	}
	return "# Files and directories that flow leaves out: one pattern a line,\n" +
		"# as in a .gitignore. Inside a tracked directory they are not part of\n" +
		"# its content.\n"
}

// Init makes a project in dir. In a Git working tree the files to commit are
// staged, if the git program is there. A .dvcignore that exists is kept.
// Errors about what is already there or missing are *InitError.
func Init(dir string, f *Format, o InitOptions) (*Project, error) {
	if o.NoSCM && o.Subdir {
		return nil, &InitError{Msg: "Cannot initialize repo with `--no-scm` and `--subdir`", Usage: true}
	}
	root, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("initialise project: %w", err)
	}
	p := &Project{Root: root, Format: f}
	control := p.ControlDir()
	git, tree, err := initGit(root, f, o)
	if err != nil {
		return nil, err
	}
	if tree && git.Ignored(control, true) {
		return nil, &InitError{
			Msg:  fmt.Sprintf("failed to initiate DVC - %s is ignored by your SCM tool.", control),
			hint: fmt.Sprintf("make sure it can be tracked, for example by a line '!%s' in .gitignore", f.Control),
		}
	}
	if isDir(control) {
		if !o.Force {
			name := f.Control
			if wd, err := os.Getwd(); err == nil {
				if rel, err := filepath.Rel(wd, control); err == nil {
					name = rel
				}
			}
			return nil, &InitError{Msg: fmt.Sprintf("failed to initiate DVC - '%s' exists. Use `-f` to force.", name)}
		}
		if err := os.RemoveAll(control); err != nil {
			return nil, fmt.Errorf("remove old project: %w", err)
		}
	}
	staged, err := p.layOut(o, tree)
	if err != nil {
		return nil, fmt.Errorf("initialise project: %w", err)
	}
	if tree {
		if err := git.Add(context.Background(), staged...); err != nil && !errors.Is(err, exec.ErrNotFound) {
			return nil, fmt.Errorf("stage new project: %w", err)
		}
	}
	return New(root, f)
}

// initGit finds the working tree a new project belongs to. A native project
// needs none; a DVC project is made without one only when told so.
func initGit(root string, f *Format, o InitOptions) (*Git, bool, error) {
	if o.NoSCM {
		return nil, false, nil
	}
	find := OpenGit
	if o.Subdir || f == Native {
		find = FindGit
	}
	git, ok := find(root)
	if !ok && f == DVC {
		return nil, false, &InitError{
			Msg: fmt.Sprintf("failed to initiate DVC - %s is not tracked by any supported SCM tool (e.g. Git). "+
				"Use `--no-scm` if you don't want to use any SCM or `--subdir` if initializing inside a subdirectory "+
				"of a parent SCM repository.", root),
		}
	}
	return git, ok, nil
}

// layOut writes the files of a new project and returns those to commit.
func (p *Project) layOut(o InitOptions, tree bool) (staged []string, err error) {
	if err := os.MkdirAll(p.TempDir(), 0o777); err != nil {
		return nil, err
	}
	config := filepath.Join(p.ControlDir(), "config")
	text := ""
	if o.NoSCM {
		text = "[core]\n    no_scm = True\n"
	}
	files := []struct{ path, content string }{
		{config, text},
		{filepath.Join(p.Root, ignoreName), ignoreTemplate(p.Format)},
	}
	if tree || p.Format == Native && !o.NoSCM {
		files = append(files, struct{ path, content string }{filepath.Join(p.ControlDir(), gitIgnoreName), controlIgnore(p.Format)})
	}
	for _, f := range files {
		if err := createFile(f.path, f.content); err != nil {
			return nil, err
		}
		staged = append(staged, f.path)
	}
	if p.Format == DVC {
		if err := createFile(filepath.Join(p.TempDir(), "btime"), ""); err != nil {
			return nil, err
		}
	}
	return staged, nil
}
