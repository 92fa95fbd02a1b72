package track

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sort"
)

// Info is the content of reports/experiment_info.json: which run holds the model
// and, so that the run can be made again in another store, what was logged to
// it. It has no times: the same evaluation gives the same bytes where run ids
// follow from keys, as they do in the embedded store.
type Info struct {
	RunID string `json:"run_id"`
	// ModelPath is the name of the model in the run: "model".
	ModelPath string `json:"model_path"`

	ModelURI    string `json:"model_uri"`
	Experiment  string `json:"experiment"`
	Key         string `json:"key"`
	ModelDigest string `json:"model_digest"`
	DataDigest  string `json:"data_digest,omitempty"`
	// Metrics leave out what is not a number; Params are texts by full key.
	Metrics map[string]float64 `json:"metrics"`
	Params  map[string]string  `json:"params"`
	Inputs  []InfoInput        `json:"inputs"`
}

// InfoInput is a dataset of Info.
type InfoInput struct {
	Name    string `json:"name"`
	Digest  string `json:"digest"`
	Source  string `json:"source"`
	Context string `json:"context,omitempty"`
}

// maxInfo bounds the file that ReadInfo reads.
const maxInfo = 16 << 20

// Write writes the file: keys in a fixed order, indented.
func (i Info) Write(w io.Writer) error {
	if i.Inputs == nil {
		i.Inputs = []InfoInput{}
	}
	sort.SliceStable(i.Inputs, func(a, b int) bool { return i.Inputs[a].Name < i.Inputs[b].Name })
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(i)
}

// ReadInfo reads the file. One with nothing but run_id and model_path is enough.
func ReadInfo(name string) (Info, error) {
	var i Info
	op := "read '" + name + "'"
	f, err := os.Open(name)
	if err != nil {
		return i, &Error{Op: op, Err: err, Advice: "flow repro makes it"}
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxInfo+1))
	if err != nil {
		return i, &Error{Op: op, Err: err}
	}
	if len(data) > maxInfo {
		return i, Invalid(op, "it has more than %d bytes", maxInfo)
	}
	if err := json.Unmarshal(data, &i); err != nil {
		return i, &Error{Op: op, Err: fmt.Errorf("%w: %w", ErrInvalid, err)}
	}
	if i.RunID == "" || i.ModelPath == "" {
		return i, Invalid(op, "run_id or model_path is missing")
	}
	if i.ModelPath, err = CleanArtifactPath(op, i.ModelPath); err != nil {
		return i, err
	}
	return i, nil
}
