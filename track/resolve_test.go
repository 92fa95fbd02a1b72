package track_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flowrepro/flow/track"
)

// objects is object storage in memory.
type objects map[string]string

func (o objects) List(_ context.Context, uri string) ([]track.Object, error) {
	var list []track.Object
	for name, text := range o {
		if rest, ok := strings.CutPrefix(name, uri+"/"); ok {
			list = append(list, track.Object{Path: rest, Size: int64(len(text)), Version: fmt.Sprintf("%x", text)})
		}
	}
	return list, nil
}

func (o objects) Open(_ context.Context, uri, path string) (io.ReadCloser, error) {
	text, ok := o[uri+"/"+path]
	if !ok {
		return nil, track.ErrNotFound
	}
	return io.NopCloser(strings.NewReader(text)), nil
}

func resolve(t *testing.T, r *track.Resolver, address string) track.Resolved {
	t.Helper()
	u, err := track.ParseModelURI(address)
	fatal(t, err)
	m, err := r.Resolve(t.Context(), u)
	fatal(t, err)
	return m
}

func TestResolver(t *testing.T) {
	s, ctx := newStore(t), t.Context()
	r := &track.Resolver{Store: s, Cache: t.TempDir()}
	first := publish(t, s, "w1", 0.9)
	p := &track.Promoter{Store: s}
	promote(t, p, first)
	before := resolve(t, r, "models:/sentiment@production")
	same(t, before.String(), "sentiment version 1")
	same(t, resolve(t, r, "models:/sentiment@production").Identity, before.Identity)
	for _, address := range []string{"models:/sentiment/1", "models:/sentiment/Production", "models:/sentiment/latest", "runs:/" + first.RunID + "/model"} {
		at, m, err := r.Load(ctx, address)
		fatal(t, err)
		data, err := os.ReadFile(filepath.Join(at, "model.flow"))
		fatal(t, err)
		same(t, string(data), "w1")
		if m.Digest == "" {
			t.Errorf("%s has no digest", address)
		}
	}
	second := publish(t, s, "w2", 0.91)
	same(t, resolve(t, r, "models:/sentiment@production").Identity, before.Identity)
	promote(t, p, second)
	after := resolve(t, r, "models:/sentiment@production")
	if after.Identity == before.Identity || after.Version != 2 {
		t.Errorf("after a promotion it is %+v", after)
	}
	for _, address := range []string{"models:/none@production", "models:/sentiment@canary", "models:/sentiment/9", "models:/sentiment/None", "runs:/" + strings.Repeat("0", 32) + "/model", "models:/m-0123456789abcdef0123456789abcdef", filepath.Join(t.TempDir(), "none")} {
		if _, _, err := r.Load(ctx, address); !errors.Is(err, track.ErrNotFound) {
			t.Errorf("%s: %v", address, err)
		}
	}
	u := func(text string) track.ModelURI {
		u, err := track.ParseModelURI(text)
		fatal(t, err)
		return u
	}
	m, err := r.ResolveFirst(ctx, u("models:/sentiment@champion"), u("models:/sentiment/Production"), u("models:/sentiment/1"))
	fatal(t, err)
	same(t, m.Version, 2)

	// Files that are not those that were logged are not handed out.
	at, err := r.Fetch(ctx, after)
	fatal(t, err)
	fatal(t, os.WriteFile(filepath.Join(at, "model.flow"), []byte("evil"), 0o666))
	if _, err := r.Fetch(ctx, after); err == nil || !strings.Contains(err.Error(), "digest") {
		t.Errorf("changed files: %v", err)
	}
}

func TestResolveWithoutStore(t *testing.T) {
	ctx := t.Context()
	d := dir(t, "model.flow", "w1")
	r := &track.Resolver{Base: filepath.Dir(d)}
	a := resolve(t, r, filepath.Base(d))
	fatal(t, os.WriteFile(filepath.Join(d, "more"), nil, 0o666))
	if b := resolve(t, r, filepath.Base(d)); a.Identity == b.Identity {
		t.Error("another file, the same identity")
	}
	at, err := r.Fetch(ctx, a)
	fatal(t, err)
	same(t, at, d)
	for _, address := range []string{"models:/a@b", "runs:/a/b", "s3://b/x"} {
		if _, _, err := r.Load(ctx, address); !errors.Is(err, track.ErrUnsupported) {
			t.Errorf("%s: %v", address, err)
		}
	}
}

func TestResolveObjects(t *testing.T) {
	ctx := t.Context()
	o := objects{"s3://b/m/model.flow": "w1", "s3://b/m/code/a.py": "pass", "s3://b/other": "x"}
	r := &track.Resolver{Objects: o, Cache: t.TempDir()}
	at, a, err := r.Load(ctx, "s3://b/m")
	fatal(t, err)
	data, err := os.ReadFile(filepath.Join(at, "code", "a.py"))
	fatal(t, err)
	same(t, string(data), "pass")
	again, err := r.Fetch(ctx, a)
	fatal(t, err)
	same(t, again, at)
	o["s3://b/m/model.flow"] = "w2"
	b := resolve(t, r, "s3://b/m")
	if a.Identity == b.Identity {
		t.Error("other content, the same identity")
	}
	if _, _, err := r.Load(ctx, "s3://b/none"); !errors.Is(err, track.ErrNotFound) {
		t.Errorf("nothing there: %v", err)
	}
	// A damaged download is repaired, not handed out.
	fatal(t, os.Remove(filepath.Join(at, "model.flow")))
	at, err = r.Fetch(ctx, a)
	fatal(t, err)
	if _, err := os.Stat(filepath.Join(at, "model.flow")); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"../evil", "a/../../evil", "/evil"} {
		evil := objects{"s3://b/m/" + name: "x"}
		r := &track.Resolver{Objects: evil, Cache: filepath.Join(t.TempDir(), "cache")}
		if _, _, err := r.Load(ctx, "s3://b/m"); !errors.Is(err, track.ErrInvalid) {
			t.Errorf("an object named %q: %v", name, err)
		}
		list, err := os.ReadDir(r.Cache)
		fatal(t, err)
		if len(list) > 0 {
			t.Errorf("left %v behind", list)
		}
	}
}

func TestSync(t *testing.T) {
	from, to, ctx := newStore(t), newStore(t), t.Context()
	p := &track.Promoter{Store: from}
	// The target has something of its own, so that numbers differ.
	fatal(t, to.EnsureModel(ctx, "sentiment", ""))
	_, err := to.CreateVersion(ctx, track.NewVersion{Name: "sentiment", Source: "mlruns/0/x", RunID: "x"})
	fatal(t, err)
	promote(t, p, publish(t, from, "w1", 0.9))
	promote(t, p, publish(t, from, "w2", 0.91))
	publish(t, from, "w3", 0.92)

	y := track.Sync{From: from, To: to, DryRun: true}
	dry, err := y.Run(ctx)
	fatal(t, err)
	y.DryRun = false
	done, err := y.Run(ctx)
	fatal(t, err)
	same(t, []int{done.Runs, done.Versions, done.Aliases}, []int{9, 3, 2})
	same(t, []int{dry.Runs, dry.Versions, dry.Aliases}, []int{9, 3, 2})
	v, err := to.VersionByAlias(ctx, "sentiment", track.AliasProduction)
	fatal(t, err)
	same(t, []any{v.Version, v.Stage}, []any{3, track.StageProduction})
	at, _, err := (&track.Resolver{Store: to}).Load(ctx, "models:/sentiment@production")
	fatal(t, err)
	data, err := os.ReadFile(filepath.Join(at, "model.flow"))
	fatal(t, err)
	same(t, string(data), "w2")
	children, err := to.SearchRuns(ctx, track.Query{Tags: map[string]string{track.TagParent: v.RunID}})
	fatal(t, err)
	same(t, len(children), 2)

	again, err := y.Run(ctx)
	fatal(t, err)
	same(t, []int{again.Runs, again.RunsThere, again.Files, again.Versions, again.VersionsThere, again.Aliases}, []int{0, 9, 0, 0, 3, 0})

	// An alias follows ours, but not over somebody else's decision.
	_, err = p.Rollback(ctx, "sentiment", "", false)
	fatal(t, err)
	again, err = y.Run(ctx)
	fatal(t, err)
	same(t, again.Aliases, 1)
	fatal(t, to.SetAlias(ctx, "sentiment", track.AliasProduction, 1))
	again, err = y.Run(ctx)
	fatal(t, err)
	same(t, []any{again.Aliases, len(again.Kept)}, []any{0, 1})
}
