package serve

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/flowrepro/flow/internal/atomicfile"
)

// memory is the file that keeps where the last good model of an address lies.
type memory struct {
	Source   string `json:"source"`
	Dir      string `json:"dir"`
	Digest   string `json:"digest"`
	Identity string `json:"identity"`
	Name     string `json:"name"`
	Number   string `json:"version,omitempty"`
	RunID    string `json:"run_id,omitempty"`
}

func remember(path, dir string, l *loaded, source string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	data, err := json.MarshalIndent(memory{source, dir, l.Digest(), l.Identity, l.Name, l.Number, l.RunID}, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return fmt.Errorf("remember model: %w", err)
	}
	if err := atomicfile.Write(path, append(data, '\n'), atomicfile.Options{}); err != nil {
		return fmt.Errorf("remember model: %w", err)
	}
	return nil
}

// recall returns what was remembered for a source.
func recall(path, source string) (dir string, v Version, digest string, err error) {
	f, err := os.Open(path) //nolint:gosec // the operator names the file
	if err != nil {
		return "", Version{}, "", err
	}
	defer f.Close()
	var m memory
	if err := json.NewDecoder(io.LimitReader(f, 1<<20)).Decode(&m); err != nil {
		return "", Version{}, "", fmt.Errorf("read %s: %w", path, err)
	}
	if m.Source != source {
		return "", Version{}, "", fmt.Errorf("read %s: it is of %s", path, m.Source)
	}
	return m.Dir, Version{Identity: m.Identity, Name: m.Name, Number: m.Number, RunID: m.RunID}, m.Digest, nil
}
