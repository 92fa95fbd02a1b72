//go:build interop

package interop

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// resultsProject is a project with a commit, a tag, and changes of metrics,
// parameters and plots since.
var resultsProject = map[string]string{
	"dvc.yaml": `stages:
  train:
    cmd: sh train.sh
    deps: [train.sh]
    params:
    - lr
    - train
    - more.json: [a.b]
    metrics:
    - m.json: {cache: false}
    - sub/cached.yaml
    - dir
    plots:
    - p.csv: {x: step, y: loss}
    - q.json
metrics: [top.json]
params: [listed.toml]
plots:
- ROC: {x: fpr, y: {roc.json: tpr}, title: ROC, x_label: FPR}
- conf: {template: confusion, x: actual, y: {conf.json: predicted}}
- both: {x: step, y: {p.csv: [loss, acc]}}
- joined: {x: {q.json: a}, y: {p2.json: v}}
- img.svg
`,
	"params.yaml": "lr: 0.1\nname: first\ntrain: {epochs: 3, layers: [1, 2], opt: {a: null, b: true}}\n",
	"more.json":   `{"a": {"b": 1, "c": 2}, "d": 3}`,
	"listed.toml": "x = 1\n[t]\ny = \"z\"\n",
	"train.sh": `mkdir -p sub dir
echo '{"acc": 0.123456789, "n": 5, "text": "hi", "deep": {"a": {"b": 1e-9}, "l": [1,2]}, "none": null, "t": true, "gone": 1.5}' > m.json
echo 'f1: 0.5' > sub/cached.yaml
echo '{"one": 1}' > dir/one.json
printf 'step,loss,acc\n0,1.5,0.1\n1,0.7,0.4\n2,0.3,0.9\n' > p.csv
echo '[{"a":1,"b":2},{"a":3,"b":5}]' > q.json
`,
	"top.json":  `{"k": 1}`,
	"roc.json":  `[{"fpr":0,"tpr":0},{"fpr":0.2,"tpr":0.8},{"fpr":1,"tpr":1}]`,
	"p2.json":   `{"rows": [{"v": 1}, {"v": 0.25}]}`,
	"conf.json": `[{"actual":"a","predicted":"a"},{"actual":"a","predicted":"b"},{"actual":"b","predicted":"b"}]`,
	"img.svg":   `<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"><circle r="5"/></svg>`,
}

// newResults makes the project with its commit.
func newResults(t *testing.T) *project {
	t.Helper()
	p := newProject(t, "dvc")
	p.exec("dvc", "init", "-q").ok()
	for name, data := range resultsProject {
		write(t, filepath.Join(p.dir, name), data, 0o666)
	}
	p.exec("dvc", "repro", "-q").ok()
	p.exec("git", "add", "-A").ok()
	p.exec("git", "-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-q", "-m", "one").ok()
	p.exec("git", "tag", "v1").ok()
	return p
}

// changeResults changes everything, without another commit.
func (p *project) changeResults() {
	p.t.Helper()
	for name, change := range map[string]*strings.Replacer{
		"params.yaml": strings.NewReplacer("0.1", "0.5", "epochs: 3", "epochs: 4, extra: new", "[1, 2]", "[1, 3]"),
		"more.json":   strings.NewReplacer(`"b": 1`, `"b": 7`, `"d": 3`, `"d": 4`),
		"listed.toml": strings.NewReplacer("x = 1", "x = 2.5"),
		"train.sh": strings.NewReplacer("0.123456789", "0.2", `"n": 5`, `"n": "five"`, "f1: 0.5", "f1: 0.75", "0.3,0.9", "0.2,0.95", `, "gone": 1.5`, `, "new": 3`,
			`{"one": 1}`, `{"one": 2}`),
	} {
		data, err := os.ReadFile(filepath.Join(p.dir, name))
		if err != nil {
			p.t.Fatal(err)
		}
		write(p.t, filepath.Join(p.dir, name), change.Replace(string(data)), 0o666)
	}
	p.exec("flow", "repro", "-q").ok()
}

// TestValuesAreShownAlike asks both tools for metrics and parameters of one
// project.
func TestValuesAreShownAlike(t *testing.T) {
	p := newResults(t)
	same := func(lines ...string) {
		t.Helper()
		for _, line := range lines {
			args := strings.Fields(line)
			d, f := p.exec("dvc", args...), p.exec("flow", args...)
			if d.code != f.code {
				t.Errorf("%s: exit codes %d and %d\n%s%s", line, d.code, f.code, d.err, f.err)
			}
			if slices.Contains(args, "--json") {
				var a, b any
				if err := json.Unmarshal([]byte(d.out), &a); err != nil {
					t.Fatalf("%s: dvc: %v", line, err)
				}
				if err := json.Unmarshal([]byte(f.out), &b); err != nil {
					t.Fatalf("%s: flow: %v", line, err)
				}
				if diff := cmp.Diff(a, b); diff != "" {
					t.Errorf("%s: %s", line, diff)
				}
				continue
			}
			// DVC orders lines as its sets happen to be.
			a, b := strings.Split(d.out, "\n"), strings.Split(f.out, "\n")
			slices.Sort(a)
			slices.Sort(b)
			if diff := cmp.Diff(a, b); diff != "" {
				t.Errorf("%s: %s", line, diff)
			}
		}
	}
	same("metrics diff --json", "params diff", "metrics show -a --json")
	p.changeResults()
	same(
		"metrics show", "metrics show --md", "metrics show -a -T", "metrics show -T --json", "metrics show m.json dir",
		"metrics diff", "metrics diff --md", "metrics diff --all --json", "metrics diff v1 --precision 2 --no-path", "metrics diff nonsense",
		"params diff --md", "params diff --all --json", "params diff --deps", "params diff v1 workspace --targets params.yaml",
	)
}

// TestPlotsAreShownAlike asks both tools for the plots of one project.
func TestPlotsAreShownAlike(t *testing.T) {
	p := newResults(t)
	p.changeResults()
	for _, line := range []string{"plots show --json", "plots diff --json", "plots show p.csv -x step -y acc -t scatter --json"} {
		d, f := p.exec("dvc", strings.Fields(line)...).ok(), p.exec("flow", strings.Fields(line)...).ok()
		if diff := cmp.Diff(plotsOf(t, d.out), plotsOf(t, f.out)); diff != "" {
			t.Errorf("%s: %s", line, diff)
		}
	}
}

// plotsOf reduces the JSON of plots to what both tools must have alike: the
// plots, their revisions and data, and what lies on the axes.
func plotsOf(t *testing.T, out string) map[string][]any {
	t.Helper()
	var all struct {
		Errors []any
		Data   map[string][]struct {
			Type, URL string
			Revisions []string
			Content   map[string]any
		}
	}
	if err := json.Unmarshal([]byte(out), &all); err != nil {
		t.Fatal(err)
	}
	if len(all.Data) == 0 || len(all.Errors) > 0 {
		t.Errorf("%d plots, errors %v", len(all.Data), all.Errors)
	}
	reduced := map[string][]any{}
	for id, list := range all.Data {
		for _, it := range list {
			one := map[string]any{"type": it.Type, "revisions": it.Revisions}
			if it.Type == "image" {
				data, err := os.ReadFile(it.URL)
				if err != nil {
					t.Error(err)
				}
				one["image"], one["file"] = string(data), filepath.Base(it.URL)
			} else {
				one["rows"] = it.Content["data"].(map[string]any)["values"]
				one["title"] = it.Content["title"].(map[string]any)["text"]
				for _, axis := range []string{"x", "y"} {
					e := encoding(it.Content, axis).(map[string]any)
					one[axis], one[axis+" title"], one[axis+" type"] = e["field"], e["title"], e["type"]
				}
			}
			reduced[id] = append(reduced[id], one)
		}
	}
	return reduced
}

// encoding finds the first encoding of an axis, at any depth.
func encoding(v any, axis string) any {
	switch v := v.(type) {
	case map[string]any:
		if e, ok := v["encoding"].(map[string]any); ok && e[axis] != nil {
			return e[axis]
		}
		for _, key := range []string{"spec", "layer"} {
			if e := encoding(v[key], axis); e != nil {
				return e
			}
		}
	case []any:
		for _, e := range v {
			if e := encoding(e, axis); e != nil {
				return e
			}
		}
	}
	return nil
}
