package track

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sort"
	"strings"
	"time"
)

// Sync replays what one store holds into another. It can be repeated: what is
// there already is found by its tags and completed, not made again.
type Sync struct {
	From, To Store
	// DryRun only tells what would be done.
	DryRun bool
	// Progress, if not nil, is told of each thing done.
	Progress func(what string)
}

// Synced says what Sync did, or with DryRun would do.
type Synced struct {
	// Runs and Versions were created, the rest was there.
	Runs          int `json:"runs"`
	RunsThere     int `json:"runs_there"`
	Files         int `json:"files"`
	Versions      int `json:"versions"`
	VersionsThere int `json:"versions_there"`
	Aliases       int `json:"aliases"`
	// Kept are aliases of the target that point to versions from elsewhere and
	// were left alone.
	Kept []string `json:"kept"`
}

// The tags by which Sync finds what it brought before.
const (
	tagSourceRun     = "flow.source_run"
	tagSourceVersion = "flow.source_version"
)

// Run replays experiments, runs with their artifacts, and registered models with
// versions and aliases. An alias of the target moves only from one version that
// came from here to another: what somebody promoted there stays.
func (y *Sync) Run(ctx context.Context) (Synced, error) {
	out := Synced{Kept: []string{}}
	experiments, err := y.From.Experiments(ctx)
	if err != nil {
		return out, err
	}
	ids := map[string]string{} // of runs, from source to target
	for _, e := range experiments {
		if err := y.experiment(ctx, e, ids, &out); err != nil {
			return out, err
		}
	}
	models, err := y.From.Models(ctx)
	if err != nil {
		return out, err
	}
	for _, m := range models {
		if err := y.model(ctx, m, ids, &out); err != nil {
			return out, fmt.Errorf("model '%s': %w", m.Name, err)
		}
	}
	return out, nil
}

func (y *Sync) tell(format string, args ...any) {
	if y.Progress != nil {
		y.Progress(fmt.Sprintf(format, args...))
	}
}

func (y *Sync) experiment(ctx context.Context, e Experiment, ids map[string]string, out *Synced) error {
	runs, err := y.From.SearchRuns(ctx, Query{ExperimentIDs: []string{e.ID}})
	if err != nil || len(runs) == 0 {
		return err
	}
	// Parents first, so that their new ids are known.
	sort.SliceStable(runs, func(i, j int) bool { return (runs[i].Parent() == "") && (runs[j].Parent() != "") })
	target, err := y.target(ctx, e.Name)
	if err != nil {
		return err
	}
	there := map[string]Run{}
	if target.ID != "" {
		list, err := y.To.SearchRuns(ctx, Query{ExperimentIDs: []string{target.ID}})
		if err != nil {
			return err
		}
		for _, r := range list {
			if key := r.Tags[TagKey]; key != "" {
				there[key] = r
			}
		}
	}
	for _, r := range runs {
		if err := y.run(ctx, r, target, there, ids, out); err != nil {
			return fmt.Errorf("run '%s': %w", r.ID, err)
		}
	}
	return nil
}

// target returns the experiment to write to; with DryRun only if it exists.
func (y *Sync) target(ctx context.Context, name string) (Experiment, error) {
	if !y.DryRun {
		return y.To.EnsureExperiment(ctx, name)
	}
	list, err := y.To.Experiments(ctx)
	for _, e := range list {
		if e.Name == name {
			return e, err
		}
	}
	return Experiment{}, err
}

// syncKey is the key of a run in the target: its own, or one made of its id.
func syncKey(r Run) string {
	if key := r.Tags[TagKey]; key != "" {
		return key
	}
	return "run/" + r.ID
}

func (y *Sync) run(ctx context.Context, r Run, target Experiment, there map[string]Run, ids map[string]string, out *Synced) error {
	key := syncKey(r)
	have, known := there[key]
	switch {
	case known:
		out.RunsThere++
		ids[r.ID] = have.ID
		if have.Status == r.Status && r.Status != Running {
			return nil // Run sets the state last
		}
	default:
		out.Runs++
	}
	if y.DryRun {
		return nil
	}
	var b Batch
	for _, k := range sortedKeys(r.Tags) {
		v := r.Tags[k]
		switch k {
		case TagKey, tagModelURI, TagModels:
			continue
		case TagParent:
			if ids[v] == "" {
				continue
			}
			v = ids[v]
		}
		if p := (Pair{k, Shorten(v, MaxRunTag)}); CheckKey("", k) == nil {
			b.Tags = append(b.Tags, p)
		}
	}
	b.Tags = append(b.Tags, Pair{tagSourceRun, r.ID})
	to, err := y.To.CreateRun(ctx, NewRun{ExperimentID: target.ID, Name: r.Name, Start: r.Start, User: r.User, Key: key, Tags: b.Tags})
	if err != nil {
		return err
	}
	ids[r.ID] = to.ID
	for _, k := range sortedKeys(r.Params) {
		if _, ok := to.Params[k]; !ok {
			b.Params = append(b.Params, Pair{k, Shorten(r.Params[k], MaxParam)})
		}
	}
	for _, k := range sortedKeys(r.Metrics) {
		h, err := y.From.MetricHistory(ctx, r.ID, k)
		if err != nil {
			return err
		}
		b.Metrics = append(b.Metrics, h...)
	}
	if err := y.To.Log(ctx, to.ID, b); err != nil {
		return err
	}
	if len(r.Inputs) > 0 {
		if err := y.To.LogInputs(ctx, to.ID, r.Inputs); err != nil {
			return err
		}
	}
	if err := y.files(ctx, r, to, out); err != nil {
		return err
	}
	if !known {
		y.tell("run %s '%s' with %d metrics and %d parameters", to.ID, r.Name, len(r.Metrics), len(r.Params))
	}
	if r.Status == Running {
		return nil
	}
	end := r.End
	if end.IsZero() {
		end = time.Now()
	}
	return y.To.EndRun(ctx, to.ID, r.Status, end)
}

// files copies artifacts that are missing or of another size. The model goes
// where the target keeps models.
func (y *Sync) files(ctx context.Context, r, to Run, out *Synced) error {
	name := ""
	if u, err := ParseModelURI(r.Tags[tagModelURI]); err == nil && u.RunID != "" {
		name = u.Path
	}
	list, err := WalkArtifacts(ctx, y.From, r.ArtifactURI, "")
	if err != nil {
		return err
	}
	for _, f := range list {
		if name != "" && strings.HasPrefix(f.Path, name+"/") {
			continue
		}
		if err := y.copy(ctx, r.ArtifactURI, f, to.ArtifactURI, f.Path); err != nil {
			return err
		}
		out.Files++
	}
	if name == "" || to.Tags[tagModelURI] != "" {
		return nil
	}
	root, err := RunArtifactRoot(ctx, y.From, r.ID, name)
	if err != nil {
		return err
	}
	dir, release, err := y.localCopy(ctx, root)
	if err != nil {
		return err
	}
	defer release()
	m, err := LogModel(ctx, y.To, to, name, dir)
	if err != nil {
		return err
	}
	if want := r.Tags[TagModelDigest]; want != "" && m.Digest != want {
		return &Error{Op: "copy the model", Err: fmt.Errorf("its files have the digest %s, recorded is %s", m.Digest, want)}
	}
	return y.To.Log(ctx, to.ID, Batch{Tags: []Pair{{tagModelURI, m.URI}}})
}

// localCopy returns a directory with the files of an artifact root.
func (y *Sync) localCopy(ctx context.Context, root string) (dir string, release func(), err error) {
	if dir, ok := y.From.LocalDir(root); ok {
		return dir, func() {}, nil
	}
	dir, err = os.MkdirTemp("", "flow-sync-")
	if err != nil {
		return "", nil, err
	}
	release = func() { _ = os.RemoveAll(dir) } // a temporary directory
	files, err := WalkArtifacts(ctx, y.From, root, "")
	if err == nil {
		src := source{files: files, open: func(ctx context.Context, name string) (io.ReadCloser, error) {
			return y.From.OpenArtifact(ctx, root, name)
		}}
		err = src.download(ctx, dir)
	}
	if err != nil {
		release()
		return "", nil, err
	}
	return dir, release, nil
}

func (y *Sync) copy(ctx context.Context, fromRoot string, f File, toRoot, at string) error {
	in, err := y.From.OpenArtifact(ctx, fromRoot, f.Path)
	if err != nil {
		return err
	}
	defer in.Close()
	tmp, err := os.CreateTemp("", "flow-sync-")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(tmp.Name()) }() // a temporary file
	defer tmp.Close()
	n, err := io.Copy(tmp, in)
	if err != nil {
		return err
	}
	return y.To.PutArtifact(ctx, toRoot, at, tmp, n)
}

func (y *Sync) model(ctx context.Context, m Model, ids map[string]string, out *Synced) error {
	versions, err := y.From.Versions(ctx, m.Name)
	if err != nil || len(versions) == 0 {
		return err
	}
	var there []Version
	target, err := y.To.Model(ctx, m.Name)
	switch {
	case errors.Is(err, ErrNotFound):
		target = Model{}
		if !y.DryRun {
			err = y.To.EnsureModel(ctx, m.Name, m.Description)
		} else {
			err = nil
		}
	case err == nil:
		there, err = y.To.Versions(ctx, m.Name)
	}
	if err != nil {
		return err
	}
	numbers := map[int]int{} // of versions, from source to target
	ours := map[int]bool{}   // versions of the target that came from here
	for i := len(versions) - 1; i >= 0; i-- {
		v := versions[i]
		key := cmpFirst(v.Tags[tagSourceVersion], versionKey(v))
		for _, have := range there {
			if have.Tags[tagSourceVersion] == key {
				numbers[v.Version], ours[have.Version] = have.Version, true
			}
		}
		if numbers[v.Version] != 0 {
			out.VersionsThere++
			continue
		}
		out.Versions++
		if y.DryRun {
			continue
		}
		made, err := y.version(ctx, v, key, ids)
		if err != nil {
			return fmt.Errorf("version %d: %w", v.Version, err)
		}
		numbers[v.Version], ours[made.Version] = made.Version, true
		y.tell("model '%s' version %d as version %d", m.Name, v.Version, made.Version)
	}
	return y.aliases(ctx, m, target, numbers, ours, out)
}

// versionKey identifies a version by what it is, not by its number: the same
// project on two machines may number differently.
func versionKey(v Version) string {
	return cmpFirst(v.Tags[TagKey], fmt.Sprintf("%s/%d", v.RunID, v.Version))
}

func (y *Sync) version(ctx context.Context, v Version, key string, ids map[string]string) (Version, error) {
	n := NewVersion{Name: v.Name, Description: v.Description, RunID: ids[v.RunID], Key: "sync/" + key}
	if n.RunID == "" {
		return Version{}, &Error{Op: "copy version", Err: fmt.Errorf("%w: its run '%s' was deleted", ErrNotFound, v.RunID)}
	}
	run, err := y.To.Run(ctx, n.RunID)
	if err != nil {
		return Version{}, err
	}
	info := Info{RunID: run.ID, ModelPath: defaultModelName, ModelURI: run.Tags[tagModelURI]}
	if u, err := ParseModelURI(info.ModelURI); err == nil && u.RunID != "" {
		info.ModelPath = u.Path
	}
	if n.Source, n.ModelID, err = modelSource(ctx, y.To, info); err != nil {
		return Version{}, err
	}
	for _, k := range sortedKeys(v.Tags) {
		if k != TagKey && k != tagSourceVersion && CheckKey("", k) == nil {
			n.Tags = append(n.Tags, Pair{k, Shorten(v.Tags[k], MaxRegistryTag)})
		}
	}
	n.Tags = append(n.Tags, Pair{tagSourceVersion, key})
	made, err := y.To.CreateVersion(ctx, n)
	if err != nil || v.Stage == StageNone || v.Stage == StageProduction || v.Stage == StageStaging {
		return made, err // those stages go with their aliases
	}
	return made, y.To.SetStage(ctx, v.Name, made.Version, v.Stage)
}

func (y *Sync) aliases(ctx context.Context, m, target Model, numbers map[int]int, ours map[int]bool, out *Synced) error {
	for _, alias := range sortedKeys(m.Aliases) {
		want := numbers[m.Aliases[alias]]
		have := target.Aliases[alias]
		switch {
		case have != 0 && have == want:
			continue
		case have != 0 && !ours[have]:
			out.Kept = append(out.Kept, fmt.Sprintf("%s@%s is version %d", m.Name, alias, have))
			continue
		}
		out.Aliases++
		if y.DryRun {
			continue
		}
		var err error
		if stage := stageOf(alias); stage != "" {
			err = y.To.Move(ctx, m.Name, want, alias, stage)
		} else {
			err = y.To.SetAlias(ctx, m.Name, alias, want)
		}
		if err != nil {
			return err
		}
		y.tell("alias %s@%s at version %d", m.Name, alias, want)
	}
	return nil
}
