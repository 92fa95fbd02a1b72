package model

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/flowrepro/flow/stages/text"
)

// The Python program that reads a model, the same for all.
var (
	//go:embed python/loader.py
	loaderPython string
	//go:embed python/cleaning.py
	cleaningPython string

	loader = strings.Replace(loaderPython, "#CLEANING#\n", cleaningPython, 1)
)

const codeDirectory = "code"

// addCompanions adds the files by which MLflow reads the model. They depend on
// the content alone: an identifier is derived from it and there are no times.
func (b *builder) addCompanions() error {
	module := "flow_model_" + b.header.Content[:16]
	b.files[codeDirectory+"/"+module+".py"] = []byte(loader)
	cleaner, err := text.New(b.header.Cleaning)
	if err != nil {
		return err
	}
	for name, list := range cleaner.WordLists() {
		b.files[codeDirectory+"/words/"+name] = []byte(list)
	}
	for _, v := range b.header.Vectorizers {
		if name := v.Config.StopWords.List; name != "" {
			b.files[codeDirectory+"/words/features-"+name+".txt"] = []byte(strings.Join(v.Config.StopWords.All(), "\n") + "\n")
		}
	}
	b.files["model.pkl"] = pickleCall(module, "load_sklearn", b.header.Content)
	b.files["requirements.txt"] = []byte(requirements)
	b.files["python_env.yaml"] = []byte(pythonEnv)
	b.files["conda.yaml"] = []byte(condaEnv)
	if e := b.header.Example; e != nil {
		if b.files["input_example.json"], err = line(map[string]any{"columns": []string{"text"}, "data": [][]string{{e.Text}}}); err != nil {
			return err
		}
		if b.files["serving_input_example.json"], err = line(map[string]any{"dataframe_split": json.RawMessage(b.files["input_example.json"])}); err != nil {
			return err
		}
	}
	b.files["MLmodel"] = b.mlmodel(module)
	return nil
}

func line(v any) ([]byte, error) {
	var out bytes.Buffer
	err := writeJSON(&out, v)
	return out.Bytes(), err
}

// The oldest versions that are known to do. Python versions are not pinned: the
// program runs on any that these do.
const (
	requirements = "mlflow\npandas\nscikit-learn>=1.2\n"
	pythonEnv    = "python: '3.11'\nbuild_dependencies:\n- pip\ndependencies:\n- -r requirements.txt\n"
	condaEnv     = "name: mlflow-env\nchannels:\n- conda-forge\ndependencies:\n- python=3.11\n- pip\n- pip:\n  - mlflow\n  - pandas\n  - scikit-learn>=1.2\n"
)

// mlmodel returns the file that MLflow looks for. Keys are in its order.
func (b *builder) mlmodel(module string) []byte {
	var out strings.Builder
	fmt.Fprintf(&out, `artifact_path: model
flavors:
  flow:
    content: %s
    data: %s
    format_version: %d
  python_function:
    code: %s
    env:
      conda: conda.yaml
      virtualenv: python_env.yaml
    loader_module: %s
    python_version: '3.11'
  sklearn:
    code: %[4]s
    pickled_model: model.pkl
    serialization_format: pickle
    sklearn_version: '1.2'
model_uuid: %[6]s
`, b.header.Content, HeaderFile, formatVersion, codeDirectory, module, b.header.Content[:32])
	if b.header.Example != nil {
		out.WriteString(`saved_input_example_info:
  artifact_path: input_example.json
  pandas_orient: split
  serving_input_path: serving_input_example.json
  type: dataframe
`)
	}
	out.WriteString(`signature:
  inputs: '[{"type": "string", "name": "text", "required": true}]'
  outputs: '[{"type": "string", "name": "label", "required": true}, {"type": "double", "name": "probability", "required": true}]'
  params: null
`)
	return []byte(out.String())
}

// pickleCall returns a pickle, of protocol 2, that is the result of calling a
// function with a text. It depends on no library's own pickles.
func pickleCall(module, function, argument string) []byte {
	var out bytes.Buffer
	out.WriteString("\x80\x02c" + module + "\n" + function + "\n")
	out.WriteByte('X')
	n := len(argument)
	out.Write([]byte{byte(n), byte(n >> 8), byte(n >> 16), byte(n >> 24)})
	out.WriteString(argument + "\x85R.")
	return out.Bytes()
}
