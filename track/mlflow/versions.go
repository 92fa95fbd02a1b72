package mlflow

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sort"
	"strings"
	"time"

	"github.com/flowrepro/flow/track"
)

// pendingWait is how long a new version may be pending, on servers that copy
// the model first.
const pendingWait = 5 * time.Minute

// CreateVersion implements track.Registry. Without a key it is not tried again
// after a failure that leaves open whether there is a new version.
func (s *Store) CreateVersion(ctx context.Context, v track.NewVersion) (track.Version, error) {
	op := "create version of model '" + v.Name + "'"
	unique := track.Pair{Key: track.TagKey, Value: v.Key}
	if v.Key != "" {
		if found, ok, err := s.versionByTag(ctx, v.Name, unique); err != nil || ok {
			return found, err
		}
	}
	tags := v.Tags
	for _, t := range tags {
		if err := track.CheckRegistryTag(op, t); err != nil {
			return track.Version{}, err
		}
	}
	if v.Key != "" {
		tags = append(append([]track.Pair(nil), tags...), unique)
	}
	if v.Source == "" {
		return track.Version{}, track.Invalid(op, "it has no source")
	}
	args := object{"name": v.Name, "source": v.Source, "description": v.Description, "tags": wirePairs(track.UniqueTags(tags))}
	if v.RunID != "" {
		args["run_id"] = v.RunID
	}
	if v.ModelID != "" {
		args["model_id"] = v.ModelID
	}
	var out struct {
		Version wireVersion `json:"model_version"`
	}
	for n := 0; ; n++ {
		r := request{op: op, endpoint: s.registry, method: http.MethodPost, path: "model-versions/create", body: args, once: true}
		err := s.call(ctx, r, &out)
		if err == nil {
			return s.ready(ctx, op, out.Version.version())
		}
		if v.Key == "" || n >= s.options.Retries || !ambiguous(err) {
			return track.Version{}, err
		}
		if perr := pause(ctx, min(s.options.Backoff<<n, maxBackoff)); perr != nil {
			return track.Version{}, fmt.Errorf("%s: %w", op, perr)
		}
		if found, ok, ferr := s.versionByTag(ctx, v.Name, unique); ferr == nil && ok {
			return s.ready(ctx, op, found)
		}
		if n > 0 && isInternal(err) {
			return track.Version{}, err
		}
	}
}

func (s *Store) versionByTag(ctx context.Context, name string, tag track.Pair) (track.Version, bool, error) {
	list, err := s.Versions(ctx, name)
	for _, v := range list {
		if v.Tags[tag.Key] == tag.Value {
			return v, true, err
		}
	}
	return track.Version{}, false, err
}

// ready waits for a version that the server still prepares.
func (s *Store) ready(ctx context.Context, op string, v track.Version) (track.Version, error) {
	for deadline := time.Now().Add(pendingWait); v.Status == "PENDING_REGISTRATION"; {
		if time.Now().After(deadline) {
			return v, &track.Error{Op: op, Err: fmt.Errorf("%w: version %d is still pending", track.ErrUnavailable, v.Version)}
		}
		if err := pause(ctx, 2*s.options.Backoff); err != nil {
			return v, fmt.Errorf("%s: %w", op, err)
		}
		next, err := s.Version(ctx, v.Name, v.Version)
		if err != nil {
			return v, err
		}
		v = next
	}
	if v.Status == "FAILED_REGISTRATION" {
		return v, &track.Error{Op: op, Err: fmt.Errorf("the server could not register version %d", v.Version)}
	}
	return v, nil
}

// Version implements track.Registry.
func (s *Store) Version(ctx context.Context, name string, version int) (track.Version, error) {
	var out struct {
		Version wireVersion `json:"model_version"`
	}
	err := s.registered(ctx, fmt.Sprintf("get version %d of model '%s'", version, name), http.MethodGet,
		"model-versions/get", object{"name": name, "version": versionText(version)}, &out)
	return out.Version.version(), err
}

// Versions implements track.Registry.
func (s *Store) Versions(ctx context.Context, name string) ([]track.Version, error) {
	op := "list versions of model '" + name + "'"
	quote := "'"
	if strings.Contains(name, quote) {
		quote = `"`
	}
	var list []track.Version
	err := pages(op, func(token string) (string, error) {
		var out struct {
			Versions []wireVersion `json:"model_versions"`
			Next     string        `json:"next_page_token"`
		}
		args := object{"filter": "name=" + quote + name + quote, "max_results": versionText(pageVersions), "page_token": token}
		err := s.registered(ctx, op, http.MethodGet, "model-versions/search", args, &out)
		for _, v := range out.Versions {
			if v.Name == name { // some databases compare without case
				list = append(list, v.version())
			}
		}
		return out.Next, err
	})
	sort.Slice(list, func(i, j int) bool { return list[i].Version > list[j].Version })
	if err == nil {
		err = s.fillAliases(ctx, name, list)
	}
	return list, err
}

// fillAliases adds the aliases, which searches leave out.
func (s *Store) fillAliases(ctx context.Context, name string, list []track.Version) error {
	if len(list) == 0 {
		return nil
	}
	m, err := s.Model(ctx, name)
	if err != nil {
		return err
	}
	for i := range list {
		list[i].Aliases = nil
		for alias, version := range m.Aliases {
			if version == list[i].Version {
				list[i].Aliases = append(list[i].Aliases, alias)
			}
		}
		sort.Strings(list[i].Aliases)
	}
	return nil
}

// VersionSource implements track.Registry.
func (s *Store) VersionSource(ctx context.Context, v track.Version) (string, error) {
	op := fmt.Sprintf("find the files of version %d of model '%s'", v.Version, v.Name)
	var out struct {
		URI string `json:"artifact_uri"`
	}
	err := s.registered(ctx, op, http.MethodGet, "model-versions/get-download-uri",
		object{"name": v.Name, "version": versionText(v.Version)}, &out)
	if err != nil {
		return "", err
	}
	// Older servers hand back what was registered.
	if !strings.HasPrefix(out.URI, "runs:") && !strings.HasPrefix(out.URI, "models:") {
		return out.URI, nil
	}
	u, err := track.ParseModelURI(out.URI)
	switch {
	case err != nil:
		return "", err
	case u.RunID != "":
		return track.RunArtifactRoot(ctx, s, u.RunID, u.Path)
	case u.ModelID != "":
		m, err := s.LoggedModel(ctx, u.ModelID)
		return m.Root, err
	}
	return "", track.Invalid(op, "its source '%s' is another registered model", oneLine(out.URI))
}

// Move implements track.Registry: the alias first, which is the truth, then the
// stage. Servers that lack one of the two do with the other.
func (s *Store) Move(ctx context.Context, name string, version int, alias, stage string) error {
	op := fmt.Sprintf("move version %d of model '%s' to '%s'", version, name, stage)
	if err := track.CheckAlias(op, alias); err != nil {
		return err
	}
	stage, ok := track.ParseStage(stage)
	if !ok || stage == track.StageNone || stage == track.StageArchived {
		return track.Invalid(op, "that is not the stage Staging or Production")
	}
	aliasErr := s.SetAlias(ctx, name, alias, version)
	if aliasErr != nil && !errors.Is(aliasErr, track.ErrUnsupported) {
		return aliasErr
	}
	err := s.transition(ctx, op, name, version, stage, true)
	if errors.Is(err, track.ErrUnsupported) {
		return aliasErr
	}
	return err
}

// SetStage implements track.Registry.
func (s *Store) SetStage(ctx context.Context, name string, version int, stage string) error {
	op := fmt.Sprintf("move version %d of model '%s' to '%s'", version, name, stage)
	stage, ok := track.ParseStage(stage)
	if !ok {
		return track.Invalid(op, "that is not a stage")
	}
	return s.transition(ctx, op, name, version, stage, false)
}

func (s *Store) transition(ctx context.Context, op, name string, version int, stage string, archive bool) error {
	return s.registered(ctx, op, http.MethodPost, "model-versions/transition-stage",
		object{"name": name, "version": versionText(version), "stage": stage, "archive_existing_versions": archive}, nil)
}

// SetVersionTag implements track.Registry.
func (s *Store) SetVersionTag(ctx context.Context, name string, version int, tag track.Pair) error {
	op := fmt.Sprintf("tag version %d of model '%s'", version, name)
	if err := track.CheckRegistryTag(op, tag); err != nil {
		return err
	}
	return s.registered(ctx, op, http.MethodPost, "model-versions/set-tag",
		object{"name": name, "version": versionText(version), "key": tag.Key, "value": tag.Value}, nil)
}

// DeleteVersion implements track.Registry.
func (s *Store) DeleteVersion(ctx context.Context, name string, version int) error {
	op := fmt.Sprintf("delete version %d of model '%s'", version, name)
	v, err := s.Version(ctx, name, version)
	if err != nil {
		return err
	}
	for _, alias := range v.Aliases { // which some servers leave behind
		if err := s.DeleteAlias(ctx, name, alias); err != nil {
			return err
		}
	}
	return s.registered(ctx, op, http.MethodDelete, "model-versions/delete",
		object{"name": name, "version": versionText(version)}, nil)
}
