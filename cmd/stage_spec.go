package cmd

import (
	"fmt"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"github.com/flowrepro/flow/engine/pipeline"
	"github.com/flowrepro/flow/internal/yaml12"
)

// stageSpec is a stage as the flags of `stage add` describe it.
type stageSpec struct {
	name, wdir, desc        string
	force, alwaysChanged    bool
	run                     bool
	deps, params            []string
	outs, outsNoCache       []string
	outsPersist             []string
	outsPersistNoCache      []string
	metrics, metricsNoCache []string
	plots, plotsNoCache     []string
}

// allOuts are all paths that the stage writes.
func (f *stageSpec) allOuts() []string {
	return slices.Concat(f.outs, f.outsNoCache, f.outsPersist, f.outsPersistNoCache,
		f.metrics, f.metricsNoCache, f.plots, f.plotsNoCache)
}

// cached are the absolute paths of the outputs that Git is to ignore.
func (f *stageSpec) cached(wdir string) []string {
	var list []string
	for _, o := range slices.Concat(f.outs, f.outsPersist, f.metrics, f.plots) {
		if strings.Contains(o, "://") {
			continue
		}
		p := filepath.FromSlash(o)
		if !filepath.IsAbs(p) {
			p = filepath.Join(wdir, p)
		}
		list = append(list, filepath.Clean(p))
	}
	return list
}

// stage is the entry for dvc.yaml, keys and lists in DVC's order.
func (f *stageSpec) stage(command string) (*yaml12.Map, error) {
	m := new(yaml12.Map)
	if f.desc != "" {
		m.Set("desc", f.desc)
	}
	m.Set("cmd", command)
	if f.wdir != "" && filepath.Clean(f.wdir) != "." {
		m.Set("wdir", filepath.ToSlash(f.wdir))
	}
	setList(m, "deps", flagged(flagSet{paths: f.deps}))
	params, err := paramList(f.params)
	if err != nil {
		return nil, err
	}
	setList(m, "params", params)
	setList(m, "outs", flagged(
		flagSet{paths: f.outs}, flagSet{paths: f.outsNoCache, noCache: true},
		flagSet{paths: f.outsPersist, persist: true}, flagSet{paths: f.outsPersistNoCache, noCache: true, persist: true}))
	setList(m, "metrics", flagged(flagSet{paths: f.metrics}, flagSet{paths: f.metricsNoCache, noCache: true}))
	setList(m, "plots", flagged(flagSet{paths: f.plots}, flagSet{paths: f.plotsNoCache, noCache: true}))
	if f.alwaysChanged {
		m.Set("always_changed", true)
	}
	return m, nil
}

// flagSet is a list of paths with the same flags.
type flagSet struct {
	paths            []string
	noCache, persist bool
}

// flagged is a list of outputs or dependencies, sorted by path.
func flagged(sets ...flagSet) []any {
	values := map[string]any{}
	var paths []string
	for _, s := range sets {
		for _, p := range s.paths {
			p = filepath.ToSlash(p)
			paths = append(paths, p)
			flags := new(yaml12.Map)
			if s.noCache {
				flags.Set("cache", false)
			}
			if s.persist {
				flags.Set("persist", true)
			}
			values[p] = p
			if flags.Len() > 0 {
				one := new(yaml12.Map)
				one.Set(p, flags)
				values[p] = one
			}
		}
	}
	sort.Strings(paths)
	list := make([]any, len(paths))
	for i, p := range paths {
		list[i] = values[p]
	}
	return list
}

// defaultParams is the parameter file of keys without a file.
const defaultParams = "params.yaml"

// paramList makes the params section from `[file:]a,b` arguments: keys of
// params.yaml first, then other files by name. A file given wholly has no keys.
func paramList(args []string) ([]any, error) {
	keys := map[string][]string{}
	whole := map[string]bool{}
	var files []string
	for _, arg := range args {
		file, list := defaultParams, arg
		if i := strings.LastIndexByte(arg, ':'); i >= 0 {
			file, list = filepath.ToSlash(arg[:i]), arg[i+1:]
		}
		if file == "" {
			return nil, fmt.Errorf("parameter '%s': no file before the colon", arg)
		}
		if _, ok := keys[file]; !ok {
			files = append(files, file)
			keys[file] = nil
		}
		for _, k := range strings.Split(list, ",") {
			if k = strings.TrimSpace(k); k != "" && !slices.Contains(keys[file], k) {
				keys[file] = append(keys[file], k)
			}
		}
		if strings.Trim(list, ", ") == "" {
			whole[file] = true
		}
	}
	sort.Slice(files, func(i, j int) bool {
		if first := files[i] == defaultParams; first || files[j] == defaultParams {
			return first
		}
		return files[i] < files[j]
	})
	var params []any
	for _, file := range files {
		sort.Strings(keys[file])
		list := make([]any, len(keys[file]))
		for i, k := range keys[file] {
			list[i] = k
		}
		one := new(yaml12.Map)
		switch {
		case whole[file]:
			one.Set(file, nil)
		case file == defaultParams:
			params = append(params, list...)
			continue
		default:
			one.Set(file, list)
		}
		params = append(params, one)
	}
	return params, nil
}

// joinCommand joins the words of a command; those with spaces are quoted.
func joinCommand(args []string) string {
	if len(args) == 1 {
		return args[0]
	}
	words := make([]string, len(args))
	for i, arg := range args {
		words[i] = arg
		if strings.Contains(arg, " ") && !strings.Contains(arg, `"`) {
			words[i] = `"` + arg + `"`
		}
	}
	return strings.Join(words, " ")
}

// validStageName reports whether a new stage may have the name.
func validStageName(name string) bool {
	for _, r := range name {
		if r < 0x80 && strings.ContainsRune("!\"#$%&'()*+,./:;<=>?@[\\]^`{|}~", r) {
			return false
		}
	}
	return name != ""
}

// owns reports whether an output of the stage is exactly that path.
func (s *session) owns(st *pipeline.Stage, where string) bool {
	for _, o := range st.Outs {
		if o.Path == where {
			return true
		}
	}
	return false
}
