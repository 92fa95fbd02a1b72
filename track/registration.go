package track

import (
	"context"
	"errors"
	"fmt"
	"sort"
)

// Registration says what to register.
type Registration struct {
	// Name is that of the registered model, Description its text if it is new.
	Name, Description string
	// Info says which run holds the model.
	Info Info
	// ModelDir is the model's directory, to log the run again where the store
	// does not have it. It may be empty.
	ModelDir string
	// GitCommit is added to the version if known.
	GitCommit string
}

// Register makes a logged model the next version of a registered model and puts
// it in Staging, stage and alias together. The same model of the same run is
// registered once: again, the version is returned as it is, wherever it has
// been moved since.
func Register(ctx context.Context, s Store, r Registration) (Version, error) {
	op := "register model '" + r.Name + "'"
	if err := CheckModelName(op, r.Name); err != nil {
		return Version{}, err
	}
	info, err := Relog(ctx, s, r.Info, r.ModelDir)
	if err != nil {
		return Version{}, err
	}
	run, err := s.Run(ctx, info.RunID)
	if err != nil {
		return Version{}, err
	}
	if run.Status != Finished {
		return Version{}, Invalid(op, "the run '%s' is %s", run.ID, run.Status)
	}
	n := NewVersion{Name: r.Name, RunID: run.ID, Key: run.ID + "/" + info.ModelPath}
	if n.Source, n.ModelID, err = modelSource(ctx, s, info); err != nil {
		return Version{}, err
	}
	tags := map[string]string{}
	for _, k := range []string{TagModelDigest, TagDataDigest} {
		if v := run.Tags[k]; v != "" {
			tags[k] = v
		}
	}
	if c := cmpFirst(r.GitCommit, run.Tags[TagGitCommit]); c != "" {
		tags[tagGitCommit] = c
	}
	for _, k := range sortedKeys(tags) {
		n.Tags = append(n.Tags, Pair{k, tags[k]})
	}
	if err := s.EnsureModel(ctx, r.Name, r.Description); err != nil {
		return Version{}, err
	}
	before, err := s.Versions(ctx, r.Name)
	if err != nil {
		return Version{}, err
	}
	v, err := s.CreateVersion(ctx, n)
	if err != nil {
		return Version{}, err
	}
	for _, old := range before {
		if old.Version == v.Version && (old.Stage != StageNone || len(old.Aliases) > 0) {
			return v, nil
		}
	}
	if err := s.Move(ctx, r.Name, v.Version, AliasStaging, StageStaging); err != nil {
		return Version{}, err
	}
	return s.Version(ctx, r.Name, v.Version)
}

func cmpFirst(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// modelSource returns the source to register a run's model by: the root of its
// files, or the model itself where the store keeps models apart.
func modelSource(ctx context.Context, s Store, info Info) (source, modelID string, err error) {
	if u, perr := ParseModelURI(info.ModelURI); perr == nil && u.ModelID != "" {
		return info.ModelURI, u.ModelID, nil
	}
	root, err := RunArtifactRoot(ctx, s, info.RunID, info.ModelPath)
	if err != nil {
		return "", "", err
	}
	files, err := s.ListArtifacts(ctx, root, "")
	if err == nil && len(files) == 0 {
		err = &Error{Op: "find the model of run '" + info.RunID + "'", Err: fmt.Errorf("%w: there are no files at '%s'", ErrNotFound, root)}
	}
	return root, "", err
}

// Staged returns the version that waits for promotion: the one in Staging by
// alias or stage, or else the newest that is neither in production nor archived.
func Staged(ctx context.Context, s Registry, name string) (Version, error) {
	v, err := s.VersionByAlias(ctx, name, AliasStaging)
	if err == nil || !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrUnsupported) {
		return v, err
	}
	list, err := s.Versions(ctx, name)
	if err != nil {
		return Version{}, err
	}
	rank := map[string]int{StageStaging: 0, StageNone: 1}
	var found []Version
	for _, v := range list {
		if _, ok := rank[v.Stage]; ok && !v.HasAlias(AliasProduction) {
			found = append(found, v)
		}
	}
	sort.SliceStable(found, func(i, j int) bool { return rank[found[i].Stage] < rank[found[j].Stage] })
	if len(found) == 0 {
		if _, err := s.Model(ctx, name); err != nil {
			return Version{}, err
		}
		return Version{}, &Error{Op: "find a version of model '" + name + "' to promote", Err: ErrNotFound,
			Advice: "flow model register registers the model that was evaluated last"}
	}
	return found[0], nil
}

// Production returns the version in production: by alias or else by stage.
func Production(ctx context.Context, s Registry, name string) (Version, error) {
	v, err := s.VersionByAlias(ctx, name, AliasProduction)
	if err == nil || !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrUnsupported) {
		return v, err
	}
	return FindVersion(ctx, s, ModelURI{Name: name, Stage: StageProduction})
}
