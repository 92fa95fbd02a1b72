package cmd

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/flowrepro/flow/internal/atomicfile"
	"github.com/flowrepro/flow/project"
)

// editFile rewrites a file by change, atomically and keeping its mode. A file
// that does not exist is given as nil. A nil result deletes it.
func editFile(abs string, change func(data []byte) ([]byte, error)) error {
	data, err := os.ReadFile(abs)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("edit file: %w", err)
	}
	existed := err == nil
	edited, err := change(data)
	switch {
	case err != nil:
		return err
	case edited == nil && existed:
		if err := os.Remove(abs); err != nil {
			return fmt.Errorf("edit file: %w", err)
		}
		return nil
	case existed && bytes.Equal(edited, data):
		return nil
	}
	return writeFile(abs, edited)
}

func writeFile(abs string, data []byte) error {
	if err := atomicfile.Write(abs, data, atomicfile.Options{Sync: true}); err != nil {
		return fmt.Errorf("write file: %w", err)
	}
	return nil
}

// gitIgnore adds lines for the given paths to the .gitignore files beside them
// and returns the files that changed. Paths whose directory does not exist yet
// are ignored when their stage runs.
func (a *app) gitIgnore(p *project.Project, paths []string) (changed []string, err error) {
	g, ok := p.Git()
	if !ok {
		return nil, nil
	}
	for _, abs := range paths {
		if _, inside := p.Rel(abs); !inside {
			continue
		}
		if fi, err := os.Stat(filepath.Dir(abs)); err != nil || !fi.IsDir() {
			a.warn(fmt.Sprintf("could not create an entry in '%s' yet: it will be made when the stage runs",
				filepath.Join(filepath.Dir(abs), ".gitignore")))
			continue
		}
		did, file, err := g.AddIgnore(abs)
		if err != nil {
			return changed, err
		}
		if did {
			changed = append(changed, file)
		}
	}
	return changed, nil
}

// gitUnignore removes the lines that gitIgnore writes.
func gitUnignore(p *project.Project, paths []string) (changed []string, err error) {
	g, ok := p.Git()
	if !ok {
		return nil, nil
	}
	for _, abs := range paths {
		if _, inside := p.Rel(abs); !inside {
			continue
		}
		did, file, err := g.RemoveIgnore(abs)
		if err != nil {
			return changed, err
		}
		if did {
			changed = append(changed, file)
		}
	}
	return changed, nil
}
