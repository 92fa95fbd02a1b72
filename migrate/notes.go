package migrate

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/flowrepro/flow/project"
)

// notes is what the native format records and DVC's cannot.
type notes struct {
	// Exec has the executable members of directories, by the digest of the
	// directory in DVC's format.
	Exec map[string][]string `json:"exec,omitempty"`
	// Versions has the versions of Go functions, by lock file and stage.
	Versions map[string]versionNote `json:"versions,omitempty"`
	// SelfIgnored is set when the control directory was one that nobody had asked
	// for.
	SelfIgnored bool `json:"self_ignored,omitempty"`
}

// versionNote holds for the lock entry with that value, in the sense of DVC's run
// cache.
type versionNote struct {
	Version string `json:"version"`
	Entry   string `json:"entry"`
}

func readNotes(p *project.Project) (*notes, error) {
	n := &notes{Exec: map[string][]string{}, Versions: map[string]versionNote{}}
	if p.Format == project.Native {
		n.SelfIgnored = p.SelfIgnored()
		return n, nil
	}
	file := filepath.Join(p.ControlDir(), project.NativeNotes)
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return n, nil
	}
	if err == nil {
		err = json.Unmarshal(data, n)
	}
	if err != nil {
		return nil, fmt.Errorf("read '%s': %w", file, err)
	}
	return n, nil
}

// encode returns the file's content, nil when there is nothing to note.
func (n *notes) encode() ([]byte, error) {
	if len(n.Exec)+len(n.Versions) == 0 && !n.SelfIgnored {
		return nil, nil
	}
	data, err := json.MarshalIndent(n, "", " ")
	return append(data, '\n'), err
}
