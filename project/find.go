package project

import (
	"fmt"
	"os"
	"path/filepath"
)

// PipelineFile is the file whose presence makes a directory a project when
// nothing else does.
const PipelineFile = "dvc.yaml"

// NotFoundError says that a directory is in no project.
type NotFoundError struct {
	// Start is where the search began, Stop where it ended.
	Start, Stop string
	// Missing is set when Start is not a directory.
	Missing bool
}

func (e *NotFoundError) Error() string {
	if e.Missing {
		return fmt.Sprintf("directory '%s' does not exist", e.Start)
	}
	return fmt.Sprintf("you are not inside of a DVC repository (checked up to mount point '%s')", e.Stop)
}

// Hint says what would make a project.
func (e *NotFoundError) Hint() string {
	if e.Missing {
		return ""
	}
	return "a project is a directory with a dvc.yaml, a .flow or a .dvc directory; `flow init` makes one"
}

// Find returns the project that start is in. It is the nearest directory,
// upwards and on the same file system, with a control directory; failing
// that the nearest Git working tree with a dvc.yaml at or above start; failing
// that the nearest directory with a dvc.yaml. The error is a *NotFoundError,
// or a *ConfigError; of the latter see New.
func Find(start string) (*Project, error) {
	root, f, err := FindRoot(start)
	if err != nil {
		return nil, err
	}
	return New(root, f)
}

// FindRoot is Find without reading the configuration.
func FindRoot(start string) (root string, f *Format, err error) {
	dir, err := filepath.Abs(start)
	if err != nil {
		return "", nil, fmt.Errorf("find project: %w", err)
	}
	if !isDir(dir) {
		return "", nil, &NotFoundError{Start: start, Missing: true}
	}
	first := dir
	var pipeline, tree string // nearest dvc.yaml; nearest .git above one
	for {
		if isDir(filepath.Join(dir, DVC.Control)) {
			return dir, DVC, nil
		}
		if isDir(filepath.Join(dir, Native.Control)) {
			return dir, Native, nil
		}
		if pipeline == "" && exists(filepath.Join(dir, PipelineFile)) {
			pipeline = dir
		}
		if pipeline != "" && tree == "" && exists(filepath.Join(dir, gitDirName)) {
			tree = dir
		}
		parent := filepath.Dir(dir)
		if parent == dir || isMount(dir, parent) {
			break
		}
		dir = parent
	}
	switch {
	case tree != "":
		return tree, Native, nil
	case pipeline != "":
		return pipeline, Native, nil
	}
	return "", nil, &NotFoundError{Start: first, Stop: dir}
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
