package tracktest

import (
	"strings"
	"testing"

	"github.com/flowrepro/flow/track"
)

func models(t *testing.T, _ Options, s track.Store) {
	ctx := t.Context()
	name := unique("model") + " mit Ümlaut"
	ok(t, s.EnsureModel(ctx, name, "what it is"))
	ok(t, s.EnsureModel(ctx, name, "something else"))
	m := must[track.Model](t)(s.Model(ctx, name))
	if m.Name != name || m.Description != "what it is" || m.Created.IsZero() || len(m.Aliases) > 0 {
		t.Errorf("made %+v", m)
	}
	tag := track.Pair{Key: "flow.history.1", Value: strings.Repeat("ö", track.MaxRegistryTag)}
	ok(t, s.SetModelTag(ctx, name, track.Pair{Key: tag.Key, Value: "first"}))
	ok(t, s.SetModelTag(ctx, name, tag))
	equal(t, must[track.Model](t)(s.Model(ctx, name)).Tags[tag.Key], tag.Value)
	found := false
	for _, have := range must[[]track.Model](t)(s.Models(ctx)) {
		found = found || have.Name == name
	}
	equal(t, found, true)
	for _, bad := range []string{"", "a/b", "a:b", "a@b", ".."} {
		wantError(t, s.EnsureModel(ctx, bad, ""), track.ErrInvalid)
	}
	_, err := s.Model(ctx, unique("none"))
	wantError(t, err, track.ErrNotFound)
	wantError(t, s.SetModelTag(ctx, unique("none"), tag), track.ErrNotFound)
	_, err = s.CreateVersion(ctx, track.NewVersion{Name: unique("none"), Source: "s3://bucket/model"})
	wantError(t, err, track.ErrNotFound)
}

// registered makes a model with n versions.
func registered(t *testing.T, s track.Store, n int) (name string, r track.Run) {
	t.Helper()
	r = start(t, s)
	name = unique("model")
	ok(t, s.EnsureModel(t.Context(), name, ""))
	for range n {
		must[track.Version](t)(s.CreateVersion(t.Context(), track.NewVersion{
			Name: name, Source: r.ArtifactURI + "/model", RunID: r.ID, Description: "made by a test",
			Tags: []track.Pair{{Key: "flow.tag", Value: "v"}},
		}))
	}
	return name, r
}

func versions(t *testing.T, _ Options, s track.Store) {
	ctx := t.Context()
	name, r := registered(t, s, 11)
	list := must[[]track.Version](t)(s.Versions(ctx, name))
	equal(t, len(list), 11)
	for i, v := range list {
		if v.Version != 11-i {
			t.Errorf("place %d has version %d", i, v.Version)
		}
	}
	v := must[track.Version](t)(s.Version(ctx, name, 11))
	if v.Name != name || v.Stage != track.StageNone || v.RunID != r.ID || v.Source != r.ArtifactURI+"/model" ||
		v.Status != "READY" || v.Created.IsZero() || len(v.Aliases) > 0 || v.Tags["flow.tag"] != "v" || v.Description != "made by a test" {
		t.Errorf("made %+v", v)
	}
	equal(t, list[0], v)
	equal(t, must[string](t)(s.VersionSource(ctx, v)), r.ArtifactURI+"/model")
	ok(t, s.SetVersionTag(ctx, name, 11, track.Pair{Key: "flow.tag", Value: "w"}))
	ok(t, s.SetVersionTag(ctx, name, 11, track.Pair{Key: "other", Value: "x"}))
	v = must[track.Version](t)(s.Version(ctx, name, 11))
	equal(t, v.Tags, map[string]string{"flow.tag": "w", "other": "x"})
	_, err := s.Version(ctx, name, 12)
	wantError(t, err, track.ErrNotFound)
	wantError(t, s.SetVersionTag(ctx, name, 12, track.Pair{Key: "a", Value: "b"}), track.ErrNotFound)
	equal(t, len(must[[]track.Version](t)(s.Versions(ctx, unique("none")))), 0)
	_, err = s.CreateVersion(ctx, track.NewVersion{Name: name})
	wantError(t, err, track.ErrInvalid)
}

func versionKey(t *testing.T, _ Options, s track.Store) {
	ctx := t.Context()
	name, r := registered(t, s, 1)
	n := track.NewVersion{Name: name, Source: r.ArtifactURI + "/model", RunID: r.ID, Key: "k"}
	v := must[track.Version](t)(s.CreateVersion(ctx, n))
	equal(t, v.Version, 2)
	equal(t, must[track.Version](t)(s.CreateVersion(ctx, n)).Version, 2)
	n.Key = "other"
	equal(t, must[track.Version](t)(s.CreateVersion(ctx, n)).Version, 3)
}

func aliases(t *testing.T, _ Options, s track.Store) {
	ctx := t.Context()
	name, _ := registered(t, s, 3)
	_, err := s.VersionByAlias(ctx, name, "champion")
	wantError(t, err, track.ErrNotFound)
	ok(t, s.SetAlias(ctx, name, "champion", 1))
	ok(t, s.SetAlias(ctx, name, "canary", 3))
	ok(t, s.SetAlias(ctx, name, "champion", 3))
	equal(t, must[track.Version](t)(s.VersionByAlias(ctx, name, "champion")).Version, 3)
	equal(t, must[track.Version](t)(s.Version(ctx, name, 3)).Aliases, []string{"canary", "champion"})
	equal(t, must[[]track.Version](t)(s.Versions(ctx, name))[0].Aliases, []string{"canary", "champion"})
	equal(t, must[track.Model](t)(s.Model(ctx, name)).Aliases, map[string]int{"canary": 3, "champion": 3})
	ok(t, s.DeleteAlias(ctx, name, "champion"))
	ok(t, s.DeleteAlias(ctx, name, "champion"))
	_, err = s.VersionByAlias(ctx, name, "champion")
	wantError(t, err, track.ErrNotFound)
	wantError(t, s.SetAlias(ctx, name, "champion", 4), track.ErrNotFound)
	for _, bad := range []string{"", "latest", "LATEST", "v1", "V22", "a b", "a/b"} {
		wantError(t, s.SetAlias(ctx, name, bad, 1), track.ErrInvalid)
	}
	_, err = s.VersionByAlias(ctx, unique("none"), "champion")
	wantError(t, err, track.ErrNotFound)
}

// stagesOf are the stages of all versions, the newest first.
func stagesOf(t *testing.T, s track.Store, name string) string {
	t.Helper()
	var list []string
	for _, v := range must[[]track.Version](t)(s.Versions(t.Context(), name)) {
		list = append(list, v.Stage)
	}
	return strings.Join(list, " ")
}

func stages(t *testing.T, _ Options, s track.Store) {
	ctx := t.Context()
	name, _ := registered(t, s, 2)
	ok(t, s.SetStage(ctx, name, 1, "staging"))
	ok(t, s.SetStage(ctx, name, 2, track.StageStaging))
	equal(t, stagesOf(t, s, name), "Staging Staging")
	ok(t, s.SetStage(ctx, name, 1, track.StageNone))
	ok(t, s.SetStage(ctx, name, 2, track.StageArchived))
	equal(t, stagesOf(t, s, name), "Archived None")
	wantError(t, s.SetStage(ctx, name, 1, "live"), track.ErrInvalid)
	wantError(t, s.SetStage(ctx, name, 9, track.StageStaging), track.ErrNotFound)
}

func move(t *testing.T, _ Options, s track.Store) {
	ctx := t.Context()
	name, _ := registered(t, s, 3)
	ok(t, s.Move(ctx, name, 1, track.AliasProduction, track.StageProduction))
	ok(t, s.Move(ctx, name, 2, track.AliasStaging, track.StageStaging))
	equal(t, stagesOf(t, s, name), "None Staging Production")
	ok(t, s.Move(ctx, name, 2, track.AliasProduction, track.StageProduction))
	equal(t, stagesOf(t, s, name), "None Production Archived")
	ok(t, s.Move(ctx, name, 2, track.AliasProduction, track.StageProduction))
	equal(t, stagesOf(t, s, name), "None Production Archived")
	equal(t, must[track.Version](t)(s.VersionByAlias(ctx, name, track.AliasProduction)).Version, 2)
	wantError(t, s.Move(ctx, name, 3, track.AliasProduction, track.StageArchived), track.ErrInvalid)
	wantError(t, s.Move(ctx, name, 3, "latest", track.StageProduction), track.ErrInvalid)
	wantError(t, s.Move(ctx, name, 4, track.AliasProduction, track.StageProduction), track.ErrNotFound)
	equal(t, must[track.Version](t)(s.VersionByAlias(ctx, name, track.AliasProduction)).Version, 2)
	equal(t, stagesOf(t, s, name), "None Production Archived")
}

func deleteVersion(t *testing.T, _ Options, s track.Store) {
	ctx := t.Context()
	name, r := registered(t, s, 3)
	ok(t, s.SetAlias(ctx, name, "champion", 3))
	ok(t, s.DeleteVersion(ctx, name, 3))
	wantError(t, s.DeleteVersion(ctx, name, 3), track.ErrNotFound)
	_, err := s.Version(ctx, name, 3)
	wantError(t, err, track.ErrNotFound)
	_, err = s.VersionByAlias(ctx, name, "champion")
	wantError(t, err, track.ErrNotFound)
	equal(t, len(must[[]track.Version](t)(s.Versions(ctx, name))), 2)
	v := must[track.Version](t)(s.CreateVersion(ctx, track.NewVersion{Name: name, Source: r.ArtifactURI + "/model", RunID: r.ID}))
	if v.Version == 2 || v.HasAlias("champion") {
		t.Errorf("made %+v", v)
	}
}
